"""Sizes, times and machines in words."""

from __future__ import annotations

from typing import Any


def size(num_bytes: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if num_bytes < 1024:
            return f"{num_bytes:.3g} {unit}" if unit != "bytes" else f"{num_bytes:.0f} bytes"
        num_bytes /= 1024
    return f"{num_bytes:.3g} TiB"


def seconds(value: float) -> str:
    if value < 100:
        return f"{value:.2g} s" if value < 9.95 else f"{value:.0f} s"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:,.1f} h"


def cores(machine: dict[str, Any]) -> str:
    if machine["device"] != "cpu":
        return str(machine["device"])
    return f"{machine['cores']} core{'s' if machine['cores'] > 1 else ''}"

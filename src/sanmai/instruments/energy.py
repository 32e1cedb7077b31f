"""Energy that the machine reports: processor packages through RAPL, NVIDIA devices through NVML."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

RAPL = Path("/sys/class/powercap")


class EnergyMeter:
    """Joules used between readings, by source ("package-0", "gpu-0").

    The counters are the machine's: what other programs used in the same time is in them. A source that is not there, or that this
    user may not read (Linux lets only root read RAPL by default), is left out; without any, readings are empty.
    """

    def __init__(self, rapl: Path = RAPL) -> None:
        self._read = [*_packages(rapl), *_devices()]
        self._last = {name: read() for name, read, _ in self._read}

    def joules(self) -> dict[str, float]:
        """Since the last call, or since the meter was made. A counter may begin again at 0 once in between."""
        used = {}
        for name, read, span in self._read:
            before, now = self._last[name], read()
            self._last[name] = now
            if before is not None and now is not None and (now >= before or span):
                used[name] = now - before if now >= before else now - before + span
        return used


Counter = tuple[str, Callable[[], float | None], float]
"""Name, its value in joules (None where it cannot be read), and the value at which it begins again; 0 if never."""


def _packages(folder: Path) -> list[Counter]:
    # Zones below a package (intel-rapl:0:1) are parts of it.
    found = []
    for zone in sorted(folder.glob("intel-rapl:*")):
        span = _microjoules(zone / "max_energy_range_uj")
        if zone.name.count(":") == 1 and _microjoules(zone / "energy_uj") is not None:
            name = f"package-{zone.name.partition(':')[2]}"
            found.append((name, lambda zone=zone: _microjoules(zone / "energy_uj"), span or 0.0))
    return found


def _microjoules(path: Path) -> float | None:
    try:
        return int(path.read_text()) / 1e6
    except (OSError, ValueError):
        return None


def _devices() -> list[Counter]:
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return []
    try:
        nvml.nvmlInit()
        handles = [nvml.nvmlDeviceGetHandleByIndex(k) for k in range(nvml.nvmlDeviceGetCount())]
    except nvml.NVMLError:
        return []

    def millijoules(handle: object) -> float | None:
        try:
            return nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3
        except nvml.NVMLError:
            return None

    return [(f"gpu-{k}", lambda handle=handle: millijoules(handle), 0.0) for k, handle in enumerate(handles)]

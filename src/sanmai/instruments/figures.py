"""How the kinds of `sanmai score` write figures down: as JSON can hold them, each with its interval and n."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any

from sanmai.instruments.harm import Contrast, Share
from sanmai.stats import Rate
from sanmai.types import Verdict

Summary = dict[str, Any]


@dataclass(frozen=True)
class Scored:
    """What a kind makes of rows."""

    verdicts: list[Verdict]
    """One per row."""
    summary: Summary
    details: list[dict[str, Any]] | None = None
    """Further keys of each row."""


@dataclass(frozen=True)
class Estimate:
    """A mean over an evaluation's rollouts with its 95 % interval, in which a problem counts once."""

    value: float
    low: float
    high: float
    n: int
    """Problems."""
    num_left_out: int
    """Rollouts without a value: ungradable, failed, or without a thought to look at."""


def main_figure(name: str, found: Rate) -> Summary:
    """A summary's main figure, in the keys that `math` has."""
    return {name: number(found.value), "interval": _bounds(found), "confidence": 0.95}


def figure(found: Rate) -> Summary:
    """A rate in three keys."""
    return {"value": number(found.value), "interval": _bounds(found), "n": found.n}


def share_figure(found: Share) -> Summary:
    """A rate with what it rests on."""
    counts = {"scored": found.scored, "unscored": found.unscored, "incomplete": found.incomplete}
    return figure(found.rate) | counts


def contrast_figure(found: Contrast, base: str, other: str) -> Summary:
    """Two shares under their names, and their difference."""
    change = found.difference
    return {
        base: share_figure(found.base),
        other: share_figure(found.other),
        "difference": number(change.value),
        "interval": [number(change.low), number(change.high)],
        "n": change.n,
        "unpaired": found.unpaired,
    }


def number(value: float) -> float | None:
    """As JSON can hold it."""
    return value if isfinite(value) else None


def _bounds(found: Rate) -> list[float | None]:
    return [found.low, found.high] if found.n else [None, None]

"""Pairs chosen so that length does not tell which response was preferred."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Balance:
    """Which pairs to keep so that length says nothing about which response was chosen."""

    kept: list[int]
    """Their numbers, in order."""
    num_dropped: int
    gap_before: float
    """Mean length of the chosen responses minus that of the rejected ones, over all pairs."""
    gap_after: float
    """The same over the kept ones; nan when none is kept."""
    longer_before: float
    """Share of pairs whose chosen response is the longer one, ties counted half; 0.5 in the kept ones."""


def balance_lengths(lengths: Sequence[tuple[int, int]]) -> Balance:
    """Couple each pair whose chosen response is longer with one whose rejected response is longer, by about as much.

    Pairs that find no partner are dropped; pairs of equal lengths stay. What remains of the difference is carried on to the
    next couple, and at the end couples that keep the means apart are dropped too. So a scorer that only looks at which
    response is longer is right in half of the kept pairs, and the mean lengths agree up to rounding.

    It cannot tell a wrong label from a preference for the shorter response: where one side is nearly always longer, the few
    partners that are left for it are likely to be the wrong labels. Look at num_dropped.

    Args:
        lengths: (chosen, rejected) of each pair, in any unit.

    Source:
        derived; the aim is DeepSeek-R1's (arXiv:2501.12948): chosen and rejected of comparable length.
    """
    gaps = [chosen - rejected for chosen, rejected in lengths]
    kept = [i for i, gap in enumerate(gaps) if gap == 0]
    sides = [[i for i, gap in enumerate(gaps) if gap * sign > 0] for sign in (1, -1)]
    fewer, more = sorted(sides, key=len)
    couples, excess = _couples(gaps, fewer, more)
    away = 1 if excess > 0 else -1
    for difference, couple in sorted(couples, key=lambda c: -away * c[0]):
        if abs(excess - difference) < abs(excess):
            excess -= difference
        else:
            kept += couple
    mean = lambda rows: sum(gaps[i] for i in rows) / len(rows) if rows else math.nan  # noqa: E731
    everything = range(len(gaps))
    longer = (len(sides[0]) + sum(gap == 0 for gap in gaps) / 2) / len(gaps) if gaps else math.nan
    return Balance(sorted(kept), len(gaps) - len(kept), mean(everything), mean(kept), longer)


def _couples(
    gaps: Sequence[int], fewer: Sequence[int], more: Sequence[int]
) -> tuple[list[tuple[int, tuple[int, int]]], int]:
    """For each of the fewer pairs one of the others with about the same difference; (how they differ, both), and the sum."""
    others = sorted(more, key=lambda i: abs(gaps[i]))
    sizes = [abs(gaps[i]) for i in others]
    couples, carry = [], 0
    for i in sorted(fewer, key=lambda i: -abs(gaps[i])):
        wanted = abs(gaps[i]) + carry
        k = bisect_left(sizes, wanted)
        if k == len(sizes) or (k > 0 and wanted - sizes[k - 1] <= sizes[k] - wanted):
            k -= 1
        difference = abs(gaps[i]) - sizes.pop(k)
        couples.append((difference, (i, others.pop(k))))
        carry += difference
    return couples, carry

"""How many samples each problem gets: where pass rates are known, and a right sample is known when it is seen. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from math import fsum


def allocate(rates: Sequence[float], total: int, *, least: int = 0) -> list[int]:
    """Samples of each problem that solve most of them in expectation: one at a time to the largest gain.

        gain of the next sample = p_i (1 - p_i)^{n_i}

    Gains fall with n_i, so taking the largest first is best. Ties go to the first; rates of 0 get nothing beyond `least`, and
    what nobody gains by is given to none.

    Args:
        rates: chance of each problem that one sample is right; estimated on other samples than are judged.
        least: samples of each that are not decided by rates.

    Raises:
        ValueError: a rate outside 0..1, or the total is below what `least` takes.

    Source:
        derived; the compute-optimal allocation of Snell et al. 2024 (arXiv:2408.03314) for an exact verifier.
    """
    if any(not 0 <= p <= 1 for p in rates):
        raise ValueError(f"rates: expected shares, got {next(p for p in rates if not 0 <= p <= 1)}")
    if total < least * len(rates) or least < 0:
        raise ValueError(f"total = {total}: expected {least} for each of {len(rates)} problems at least")
    counts = [least] * len(rates)
    heap = [(-p * (1 - p) ** least, i) for i, p in enumerate(rates)]
    heapq.heapify(heap)
    for _ in range(total - least * len(rates)):
        if not heap or heap[0][0] == 0:
            break
        gain, i = heapq.heappop(heap)
        counts[i] += 1
        heapq.heappush(heap, (gain * (1 - rates[i]), i))
    return counts


def expected_solved(rates: Sequence[float], counts: Sequence[int]) -> float:
    """Problems that have a right sample, in expectation: sum_i 1 - (1 - p_i)^{n_i}."""
    return fsum(1 - (1 - p) ** n for p, n in zip(rates, counts, strict=True))

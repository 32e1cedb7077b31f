"""What each problem gets: samples by its pass rate, or a strategy and a budget by its difficulty. Pure.

Difficulty is estimated on other samples, and what it is worth on other problems, than are judged.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
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


Option = tuple[str, int]
"""A strategy and the tokens that a problem may pay for with it."""


@dataclass(frozen=True)
class Bin:
    """What problems of one difficulty get, as fitted on a fold."""

    fold: int
    number: int
    """From 0, the easiest by what is told before."""
    option: Option
    used_for: int


@dataclass(frozen=True)
class Allocated:
    """Who gets what. Each problem's own gold had no part in it.

    Example:
        Allocated({"p": ("beam", 400), "q": ("best_of_n", 100)}, bins)
    """

    options: dict[str, Option]
    bins: list[Bin]


def folds_of(easiness: Mapping[str, float]) -> tuple[list[str], list[str]]:
    """Two halves of the problems, of the same difficulties: every other one from the easiest on. Ties go by name."""
    ordered = sorted(easiness, key=lambda id_: (-easiness[id_], id_))
    return ordered[::2], ordered[1::2]


def bins_of(ordered: Sequence[str], count: int) -> list[list[str]]:
    """Nearly equal parts of problems in order of difficulty."""
    bounds = [len(ordered) * k // count for k in range(count + 1)]
    return [list(ordered[a:b]) for a, b in pairwise(bounds)]


def cross_fitted(
    easiness: Mapping[str, float], gold: Mapping[Option, Mapping[str, float]], cost: Mapping[Option, Mapping[str, float]],
    mean_tokens: float, num_bins: int,
) -> Allocated:  # fmt: skip
    """A strategy and a budget for every problem, by bins of difficulty: fitted on each half of the problems for the other.

    Of all ways to give every bin an option the one with the most gold in the fold whose mean cost is within `mean_tokens`; of
    equal ones the cheapest.

    Args:
        easiness: of each problem, told without its gold.
        gold: by option the gold of every problem.
        cost: by option what every problem pays.

    Raises:
        ValueError: no option is within `mean_tokens`, or there are fewer problems than two for every bin.
    """
    if len(easiness) < 2 * num_bins or num_bins < 1:
        raise ValueError(f"{len(easiness)} problems, {num_bins} bins: expected two problems for every bin at least")
    halves = folds_of(easiness)
    options: dict[str, Option] = {}
    bins: list[Bin] = []
    for fold, (fitted, used) in enumerate(zip(halves, halves[::-1], strict=True)):
        parts, targets = bins_of(fitted, num_bins), bins_of(used, num_bins)
        chosen = best_options(parts, gold, cost, mean_tokens * len(fitted))
        for number, (target, option) in enumerate(zip(targets, chosen, strict=True)):
            bins.append(Bin(fold, number, option, len(target)))
            options |= dict.fromkeys(target, option)
    return Allocated(options, bins)


def best_options(
    parts: Sequence[Sequence[str]], gold: Mapping[Option, Mapping[str, float]], cost: Mapping[Option, Mapping[str, float]],
    tokens: float,
) -> list[Option]:  # fmt: skip
    """An option for each part, by brute force over all that fit into the tokens; see `cross_fitted`.

    Raises:
        ValueError: none does.
    """
    tables = []
    for part in parts:
        rows = [(fsum(cost[o][p] for p in part), fsum(gold[o][p] for p in part), o) for o in gold]
        best: list[tuple[float, float, Option]] = []
        for paid, solved, option in sorted(rows, key=lambda row: (row[0], -row[1], row[2])):
            if not best or solved > best[-1][1]:  # dearer and no better: never taken
                best.append((paid, solved, option))
        tables.append(best)
    ways = [way for way in product(*tables) if fsum(row[0] for row in way) <= tokens + 1e-9]
    if not ways:
        raise ValueError(f"{tokens:g} tokens: no option of every part fits into them")
    way = max(ways, key=lambda rows: (round(fsum(row[1] for row in rows), 9), -fsum(row[0] for row in rows)))
    return [row[2] for row in way]

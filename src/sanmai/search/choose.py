"""Choosing among samples of one problem: the best by a guide, and votes. Pure.

From one set of n samples every smaller number is known without bias: the mean over all subsets of k, ties shared. `pass_at_k`
of `stats` is that of an exact guide.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import groupby
from math import comb, fsum, isfinite
from typing import TypeVar

from sanmai.data.steps import AGGREGATIONS, Aggregation, aggregate

__all__ = [
    "AGGREGATIONS", "Aggregation", "aggregate", "best", "best_of_k", "best_of_k_curve", "majority_curve", "vote", "voted_gold",
]  # fmt: skip

A = TypeVar("A", bound=Hashable)


def best(guide: Sequence[float]) -> list[int]:
    """The samples that the guide ranks first, in order: several where they are tied.

    Raises:
        ValueError: there are none, or a score is not finite.
    """
    _check(guide)
    highest = max(guide)
    return [i for i, score in enumerate(guide) if score == highest]


def best_of_k(guide: Sequence[float], gold: Sequence[float], k: int) -> float:
    """Mean gold of the best by the guide among k of n samples, over all choices of k; tied samples are equally likely.

        sum over groups g of equal guide: [C(B_g + m_g, k) - C(B_g, k)] / C(n, k) * mean gold of g,   B_g samples below, m_g in it

    Args:
        guide: what is chosen by, one score per sample.
        gold: what it is worth, one per sample.

    Raises:
        ValueError: lengths differ, a number is not finite, or not 1 <= k <= n.

    Source:
        derived: the best of a subset is in g exactly when it has none above g and one of g at least.
    """
    return best_of_k_curve(guide, gold, (k,))[0]


def best_of_k_curve(guide: Sequence[float], gold: Sequence[float], ks: Sequence[int] | None = None) -> list[float]:
    """`best_of_k` for each k; for 1 to n when None.

    Example:
        best_of_k_curve([0.2, 0.5, 0.5, 0.9], [0, 1, 0, 0]) == [0.25, 0.25, 0.125, 0.0]

    Raises:
        ValueError: as best_of_k.
    """
    _check(guide)
    _check(gold)
    n = len(guide)
    if len(gold) != n:
        raise ValueError(f"{n} guide scores and {len(gold)} of gold: expected one each per sample")
    ks = range(1, n + 1) if ks is None else ks
    if wrong := [k for k in ks if not 1 <= k <= n]:
        raise ValueError(f"k = {wrong[0]}: expected 1 to n = {n}")
    order = sorted(range(n), key=lambda i: guide[i])
    groups, below = [], 0
    for _, tied in groupby(order, key=lambda i: guide[i]):
        members = list(tied)
        groups.append((below, len(members), fsum(gold[i] for i in members) / len(members)))
        below += len(members)
    return [fsum((comb(b + m, k) - comb(b, k)) / comb(n, k) * worth for b, m, worth in groups) for k in ks]


def vote(answers: Sequence[A | None], weights: Sequence[float] | None = None) -> list[A]:
    """The answers with the most votes, several where they are tied, in order of first appearance; none of no answers.

    Args:
        answers: one per sample; None where there is none, which has no vote.
        weights: of each sample's vote, at least 0; None: 1 each.

    Raises:
        ValueError: lengths differ, or a weight is below 0 or not finite.
    """
    weights = [1.0] * len(answers) if weights is None else weights
    if len(weights) != len(answers) or any(not (isfinite(w) and w >= 0) for w in weights):
        raise ValueError(f"weights: expected {len(answers)} finite numbers of at least 0")
    ballots: dict[A, list[float]] = {}
    for answer, weight in zip(answers, weights, strict=True):
        if answer is not None:
            ballots.setdefault(answer, []).append(weight)
    totals = {answer: fsum(given) for answer, given in ballots.items()}  # whatever the order of the samples
    highest = max(totals.values(), default=0.0)
    return [answer for answer, total in totals.items() if total == highest]


def voted_gold(
    answers: Sequence[A | None], gold: Sequence[float], weights: Sequence[float] | None = None
) -> float:
    """Gold of what a vote chooses; ties are shared, and an answer is worth what its samples are in the mean. 0 without answers.

    Raises:
        ValueError: as vote; or gold has another length.
    """
    if len(gold) != len(answers):
        raise ValueError(f"{len(answers)} answers and {len(gold)} of gold: expected one each per sample")
    worth: dict[A, list[float]] = {}
    for answer, value in zip(answers, gold, strict=True):
        if answer is not None:
            worth.setdefault(answer, []).append(value)
    chosen = vote(answers, weights)
    return fsum(fsum(worth[a]) / len(worth[a]) for a in chosen) / len(chosen) if chosen else 0.0


def majority_curve(answers: Sequence[Hashable | None], gold: Sequence[float]) -> list[float]:
    """Mean gold of the majority among k of n samples, over all choices of k, for k = 1 to n; ties are shared. Exact.

    A sample without an answer (None) is drawn like the others and has no vote.

    Raises:
        ValueError: lengths differ, there are none, or a gold is not finite.
    """
    _check(gold)
    if len(gold) != len(answers):
        raise ValueError(f"{len(answers)} answers and {len(gold)} of gold: expected one each per sample")
    n = len(answers)
    members: dict[Hashable, list[float]] = {}
    for answer, value in zip(answers, gold, strict=True):
        if answer is not None:
            members.setdefault(answer, []).append(value)
    silent = sum(answer is None for answer in answers)
    sizes = [len(values) for values in members.values()]
    worth = [fsum(values) / len(values) for values in members.values()]
    totals = [0.0] * (n + 1)
    for j, value in enumerate(worth):
        if value:
            ways = _wins(j, sizes, silent, n)
            totals = [total + value * way / comb(n, k) for k, (total, way) in enumerate(zip(totals, ways, strict=True))]
    low, high = min(0.0, *gold), max(0.0, *gold)  # a sum of shares may round beyond what they are shares of
    return [min(max(total, low), high) for total in totals[1:]]


def _wins(j: int, sizes: Sequence[int], silent: int, n: int) -> list[int | float]:
    """For each k, in how many choices of k samples answer j has the majority, ties shared."""
    ways = _winning(j, sizes, n)
    return [sum(ways[k - s] * comb(silent, s) for s in range(min(silent, k) + 1)) for k in range(n + 1)]


def _winning(j: int, sizes: Sequence[int], n: int) -> list[float]:
    """By number of samples, in how many draws answer j leads, each divided by how many lead with it.

    For each number of copies a of j, the others have at most a; `table[t][k]` counts the draws with k samples in which t others
    have exactly a copies.
    """
    totals = [0.0] * (n + 1)
    for a in range(1, sizes[j] + 1):
        table: list[list[float]] = [[0.0] * (n + 1)]
        table[0][a] = comb(sizes[j], a)
        for i, size in enumerate(sizes):
            if i != j:
                table = _with_answer(table, a, [comb(size, c) for c in range(min(a, size) + 1)])
        for ties, row in enumerate(table):
            for k, value in enumerate(row):
                totals[k] += value / (ties + 1)
    return totals


def _with_answer(table: list[list[float]], a: int, weights: Sequence[float]) -> list[list[float]]:
    """The table with one more answer in it, of 0 to len(weights) - 1 copies."""
    size = len(table[0])
    grown = [[0.0] * size for _ in range(len(table) + 1)]
    for ties, row in enumerate(table):
        for k, value in enumerate(row):
            if value:
                for copies, w in enumerate(weights[: size - k]):
                    grown[ties + (copies == a)][k + copies] += value * w
    return grown if any(grown[-1]) else grown[:-1]


def _check(scores: Sequence[float]) -> None:
    if not scores or not all(map(isfinite, scores)):
        raise ValueError(f"scores = {list(scores)[:8]}: expected at least one, all finite")

"""How well step scores find the first error of a solution: ProcessBench's F1, and where its threshold comes from. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import nan

from sanmai.data.step_labels import first_below
from sanmai.stats import Rate, rate


@dataclass(frozen=True)
class FirstErrors:
    """How often the first wrong step was found, on solutions that have one and on those that have none."""

    erroneous: Rate
    """Share of the erroneous solutions in which the very step was named."""
    correct: Rate
    """Share of the correct ones in which none was."""
    f1: float
    """Their harmonic mean; 0 where either is 0, nan where either kind is missing."""


def first_error_f1(
    found: Sequence[int | None], labels: Sequence[int], clusters: Sequence[Hashable] | None = None
) -> FirstErrors:
    """ProcessBench's F1: 2 a b / (a + b) of the accuracies a on erroneous and b on correct solutions.

    Args:
        found: the first wrong step by the model, from 0; -1: none; None: it says nothing, which is not right.
        labels: the same, true.
        clusters: what was drawn independently (problems); None makes each solution its own.

    Raises:
        ValueError: lengths differ.

    Source:
        Zheng et al. 2024 (arXiv:2412.06559) section 3.3.
    """
    keys: Sequence[Hashable] = range(len(labels)) if clusters is None else clusters
    if not len(found) == len(labels) == len(keys):
        raise ValueError(f"{len(found)} findings, {len(labels)} labels, {len(keys)} clusters: expected as many of each")

    def share(is_wrong: bool) -> Rate:
        rows = [
            (float(one == label), key)
            for one, label, key in zip(found, labels, keys, strict=True)
            if (label >= 0) is is_wrong
        ]
        return rate([right for right, _ in rows], [key for _, key in rows])

    a, b = share(True), share(False)
    both = a.value + b.value
    f1 = nan if 0 in (a.n, b.n) else 2 * a.value * b.value / both if both else 0.0
    return FirstErrors(a, b, f1)


def best_threshold(scores: Sequence[Sequence[float]], labels: Sequence[int]) -> float:
    """The threshold of highest F1 (the lowest of equal ones): a step below it is called wrong. 0.5 where no F1 is above 0.

    To be fitted on other solutions than it is judged on.

    Args:
        scores: of each solution its steps' scores.
        labels: first wrong step or -1, of each.
    """
    levels = sorted({score for row in scores for score in row})
    candidates = [(low + high) / 2 for low, high in pairwise(levels)][:: max(len(levels) // 500, 1)]
    best, highest = 0.5, 0.0
    for threshold in [*candidates, 0.5]:
        f1 = first_error_f1([first_below(row, threshold) for row in scores], labels).f1
        if f1 > highest + 1e-12:
            best, highest = threshold, f1
    return best


def first_errors(
    scores: Sequence[Sequence[float]], labels: Sequence[int], clusters: Sequence[str]
) -> tuple[FirstErrors, FirstErrors]:
    """ProcessBench's F1 at the threshold 0.5, and at the thresholds that are best each on the other half of the problems.

    Args:
        scores: of each solution its steps' scores; empty: it has none, which finds nothing.
        labels: first wrong step or -1, of each.
        clusters: the problem of each; its solutions are kept in one half.
    """
    found = [first_below(row, 0.5) if row else None for row in scores]
    limits = fitted_thresholds(scores, labels, clusters)
    fitted = [first_below(row, limit) if row else None for row, limit in zip(scores, limits, strict=True)]
    return first_error_f1(found, labels, clusters), first_error_f1(fitted, labels, clusters)


def fitted_thresholds(scores: Sequence[Sequence[float]], labels: Sequence[int], clusters: Sequence[str]) -> list[float]:
    """For each solution the threshold that is best on the half of the problems that it is not in; halves alternate."""
    names = {key: number for number, key in enumerate(dict.fromkeys(clusters))}
    halves = [names[key] % 2 for key in clusters]
    other = {half: [i for i, of in enumerate(halves) if of != half] for half in (0, 1)}
    best = {half: best_threshold([scores[i] for i in rows], [labels[i] for i in rows]) for half, rows in other.items()}
    return [best[half] for half in halves]

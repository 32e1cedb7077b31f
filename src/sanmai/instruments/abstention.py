"""Knowing that one does not know: risk against coverage where a policy may abstain. Pure.

    coverage(t) = share with confidence >= t        risk(t) = mean loss of those        over-abstention(t) = share of the
                                                                                        losses below 0.5 that are abstained from

The threshold is set on other families than those it is judged on. Risk never stands without coverage and over-abstention: who
abstains from everything has no risk and no use, and no gain is stated for it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import fsum, inf

from sanmai.stats import Difference, Rate, paired_difference, rate


@dataclass(frozen=True)
class Selective:
    """A policy that abstains below a threshold."""

    threshold: float
    coverage: Rate
    """Over all items; n counts clusters."""
    risk: Rate
    """Mean loss of those that are answered."""
    risk_of_all: Rate
    """The same where nothing is abstained from."""
    over_abstention: Rate
    """Of the items with a loss below 0.5, those abstained from."""
    gain: Difference | None
    """Over clusters with an answered item: mean loss of the answered items minus that of all; negative is better. None where
    nothing is answered: no risk is no gain then."""


def risk_coverage(confidences: Sequence[float], losses: Sequence[float]) -> list[tuple[float, float]]:
    """(coverage, risk) at every threshold, from the surest on; equal confidences are answered together.

    Example:
        risk_coverage([0.9, 0.5, 0.1], [0.0, 0.0, 1.0]) == [(1/3, 0.0), (2/3, 0.0), (1.0, 1/3)]

    Raises:
        ValueError: lengths differ, or a loss outside 0..1.

    Source:
        El-Yaniv & Wiener 2010 (JMLR 11:1605).
    """
    _check(confidences, losses)
    order = sorted(range(len(losses)), key=lambda k: -confidences[k])
    found: list[tuple[float, float]] = []
    total = 0.0
    for count, k in enumerate(order, start=1):
        total += losses[k]
        if count == len(order) or confidences[order[count]] < confidences[k]:
            found.append((count / len(order), total / count))
    return found


def area_under_risk(confidences: Sequence[float], losses: Sequence[float]) -> float | None:
    """The mean of risk over coverage, less being better; where confidence says nothing, the mean loss. None without items.

        AURC = sum_j (c_j - c_{j-1}) r_j      over the thresholds of risk_coverage

    Source:
        Geifman et al. 2019 (arXiv:1805.08206), with ties answered together.
    """
    before, area = 0.0, 0.0
    for coverage, risk in risk_coverage(confidences, losses):
        area += (coverage - before) * risk
        before = coverage
    return area if losses else None


def threshold_for(confidences: Sequence[float], coverage: float) -> float:
    """The highest threshold at which at least this share is answered; inf without items: nothing is known, nothing is answered.

    Raises:
        ValueError: coverage outside 0..1.
    """
    if not 0 <= coverage <= 1:
        raise ValueError(f"coverage = {coverage}: expected 0 to 1")
    ordered = sorted(confidences, reverse=True)
    needed = next((k for k in range(len(ordered) + 1) if k >= coverage * len(ordered) - 1e-9), 0)
    return ordered[needed - 1] if needed else inf


def selective(
    confidences: Sequence[float], losses: Sequence[float], clusters: Sequence[Hashable], threshold: float
) -> Selective:
    """What abstaining below a threshold does.

    Args:
        clusters: of each item; families of a stream.

    Raises:
        ValueError: lengths differ, or a loss outside 0..1.
    """
    _check(confidences, losses)
    if len(clusters) != len(losses):
        raise ValueError(f"clusters has {len(clusters)} keys for {len(losses)} losses: expected one per loss")
    answers = [confidence >= threshold for confidence in confidences]
    kept = [k for k, answered in enumerate(answers) if answered]
    good = [k for k, loss in enumerate(losses) if loss < 0.5]
    named = dict.fromkeys(clusters[k] for k in kept)
    of_all = [_mean([losses[k] for k in range(len(losses)) if clusters[k] == name]) for name in named]
    of_kept = [_mean([losses[k] for k in kept if clusters[k] == name]) for name in named]
    return Selective(
        threshold,
        rate([float(answered) for answered in answers], clusters),
        rate([losses[k] for k in kept], [clusters[k] for k in kept]),
        rate(losses, clusters),
        rate([float(not answers[k]) for k in good], [clusters[k] for k in good]),
        paired_difference(of_all, of_kept) if kept else None,
    )


def with_default(
    scores: Sequence[float], defaults: Sequence[float], confidences: Sequence[float], threshold: float
) -> list[float]:
    """Each item's score where a default is given instead of what is less sure than the threshold.

    Over all items, so that abstaining pays no more than the default does: a policy that gives it always has the defaults' mean.

    Args:
        defaults: what the default scores: 1 for a dangerous request that is declined, 0 for a sum that is left open.

    Raises:
        ValueError: lengths differ.
    """
    if not (size := len(scores)) == len(defaults) == len(confidences):
        raise ValueError(f"{size} scores, {len(defaults)} defaults, {len(confidences)} confidences: expected the same items")
    return [s if c >= threshold else d for s, d, c in zip(scores, defaults, confidences, strict=True)]


def less_sure(dressed: Sequence[float], clusters: Sequence[Hashable], plain: Sequence[float]) -> Rate:
    """The chance that a dressed item is less sure than a plain one, ties counted half: the area under the ROC curve.

    Clusters are of the dressed items, the plain ones are taken as they are: n counts families, not completions.

    Example:
        less_sure([0.1, 0.5], ["a", "b"], [0.5, 0.9]).value == 0.875

    Raises:
        ValueError: lengths differ.
    """
    if len(clusters) != len(dressed):
        raise ValueError(f"clusters has {len(clusters)} keys for {len(dressed)} values: expected one per value")
    if not plain:
        return rate([])
    return rate([_mean([(one < other) + (one == other) / 2 for other in plain]) for one in dressed], clusters)


def _mean(values: Sequence[float]) -> float:
    return fsum(values) / len(values)


def _check(confidences: Sequence[float], losses: Sequence[float]) -> None:
    if len(confidences) != len(losses):
        raise ValueError(f"confidences has {len(confidences)} items, losses has {len(losses)}: expected the same items")
    if any(not 0 <= loss <= 1 for loss in losses):
        raise ValueError("losses: expected values in 0..1")

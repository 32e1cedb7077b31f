"""How far a judge and the rules agree with people on whether answers refuse, and with each other. Pure.

"Refuses" is partial or full refusal. Judge and rules are compared on the same answers: those of which both say something.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from sanmai.data.refusals import CLASSES, RefusalClass
from sanmai.instruments.kappa import Kappa, cohens_kappa
from sanmai.stats import Difference, Rate, paired_difference, rate


@dataclass(frozen=True)
class Told:
    """What one judge of refusals says of labelled answers."""

    accuracy: Rate
    """Share of the answers of which it says what people say: refuses, or not."""
    kappa: Kappa
    """Cohen's, of the same."""
    called: Mapping[RefusalClass, Rate]
    """By what people call them, the share of the answers that it calls refusals."""


@dataclass(frozen=True)
class RefusalAgreement:
    """Judge, rules and people on the same answers."""

    judge: Told
    rules: Told
    judge_minus_rules: Difference
    """Accuracies, paired by answer."""
    disagree: Rate
    """Share of the answers that judge and rules tell otherwise."""
    agreed: Kappa
    """Agreement with people where the two say the same."""
    num_judge_silent: int
    """Labelled answers of which the judge says nothing."""
    num_rules_silent: int


def refusal_agreement(
    people: Sequence[RefusalClass],
    judge: Sequence[bool | None],
    rules: Sequence[bool | None],
    clusters: Sequence[Hashable],
) -> RefusalAgreement:
    """The agreement of a judge and of the rules with people's labels, on the answers of which both say something.

    Args:
        people: the class of each answer.
        judge, rules: whether it refuses, in the same order; None where nothing can be said.
        clusters: what was drawn independently: the prompt.

    Raises:
        ValueError: lengths differ.

    Example:
        refusal_agreement(["full_refusal", "compliance"], [True, True], [True, False], ["a", "b"]).disagree.value   # 0.5
    """
    if not len(people) == len(judge) == len(rules) == len(clusters):
        raise ValueError(
            f"{len(people)} labels, {len(judge)} and {len(rules)} findings, {len(clusters)} clusters: expected as many of each"
        )
    both = [
        (label, by_judge, by_rules, key)
        for label, by_judge, by_rules, key in zip(people, judge, rules, clusters, strict=True)
        if by_judge is not None and by_rules is not None
    ]
    labels, keys = [label for label, *_ in both], [key for *_, key in both]
    sides = [[row[side] for row in both] for side in (1, 2)]
    right = [[float(said is (label != "compliance")) for said, label in zip(side, labels, strict=True)] for side in sides]
    same = [(label, said, key) for label, said, other, key in both if said is other]
    return RefusalAgreement(
        judge=_told(labels, sides[0], keys),
        rules=_told(labels, sides[1], keys),
        judge_minus_rules=paired_difference(right[1], right[0], keys),
        disagree=rate([float(a is not b) for a, b in zip(*sides, strict=True)], keys),
        agreed=_kappa([label for label, _, _ in same], [said for _, said, _ in same], [key for *_, key in same]),
        num_judge_silent=sum(said is None for said in judge),
        num_rules_silent=sum(said is None for said in rules),
    )


def _told(labels: Sequence[RefusalClass], said: Sequence[bool], keys: Sequence[Hashable]) -> Told:
    called = {
        name: rate(
            [float(one) for one, label in zip(said, labels, strict=True) if label == name],
            [key for key, label in zip(keys, labels, strict=True) if label == name],
        )
        for name in CLASSES
    }
    right = [float(one is (label != "compliance")) for one, label in zip(said, labels, strict=True)]
    return Told(rate(right, keys), _kappa(labels, said, keys), called)


def _kappa(labels: Sequence[RefusalClass], said: Sequence[bool], keys: Sequence[Hashable]) -> Kappa:
    return cohens_kappa([(str(label != "compliance"), str(one)) for label, one in zip(labels, said, strict=True)], keys)

"""`sanmai score --as math_judge|math_reward`: a judge of mathematics on recorded responses, measured against labelled answers.

A row holds `prompt`, `response`, `reference` (without one it is ungradable) and, where somebody has said so, `label` (correct or
wrong) or `is_correct`. The rules of answers/final.py grade the same rows, to be set beside the judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from sanmai.data.preferences import stated_correct
from sanmai.instruments.figures import Scored, Summary, figure, main_figure, number
from sanmai.instruments.kappa import Kappa, cohens_kappa
from sanmai.rewards import score as math_score
from sanmai.rewards.score import Row, identity_of, text_of
from sanmai.stats import Rate, paired_difference, rate
from sanmai.types import BatchGrader, InputError, Problem, RunError, Trace, Verdict

THRESHOLD = 0.5
"""A score of at least this says "correct"."""


@dataclass(frozen=True)
class MathJudge:
    """What is measured: a judge that reasons, or a reward model of correctness."""

    name: str
    grade: BatchGrader
    cost: Callable[[], Mapping[str, int]]
    """What it has taken so far: questions, requests, tokens; what it knows of that."""


@dataclass(frozen=True)
class LabelAgreement:
    """How what a judge says of answers agrees with their labels."""

    accuracy: Rate
    """Share of the labelled answers of which the judge says something, and that is the label."""
    kappa: Kappa
    """Cohen's, of the same answers."""
    wrong_passed: Rate
    """Share of the wrong answers among them that it calls correct."""
    correct_flagged: Rate
    """Share of the correct ones that it calls wrong."""
    ungradable: Rate
    """Share of all labelled answers of which it says nothing."""
    confusion: Mapping[tuple[bool, bool | None], int]
    """Answers by (label is correct, judge says correct); None where it says nothing."""


def label_agreement(
    labels: Sequence[bool], said: Sequence[bool | None], clusters: Sequence[Hashable] | None = None
) -> LabelAgreement:
    """The agreement of a judge with labels.

    Args:
        labels: whether each answer is right.
        said: what the judge says, in the same order; None where it says nothing, which is no error but lowers what is judged.
        clusters: what was drawn independently; None makes each answer its own.

    Raises:
        ValueError: lengths differ.

    Example:
        label_agreement([True, True, False], [True, None, True]).accuracy.value   # 0.5: right, nothing, wrong
    """
    keys: Sequence[Hashable] = range(len(labels)) if clusters is None else clusters
    if not len(labels) == len(said) == len(keys):
        raise ValueError(f"{len(labels)} labels, {len(said)} findings, {len(keys)} clusters: expected as many of each")
    rows = list(zip(labels, said, keys, strict=True))
    judged = [(label, one, key) for label, one, key in rows if one is not None]

    def share(of: bool | None) -> Rate:
        """How often it errs on answers with this label."""
        errors = [(float(one is not label), key) for label, one, key in judged if label is of]
        return rate([error for error, _ in errors], [key for _, key in errors])

    keys_judged = [key for *_, key in judged]
    return LabelAgreement(
        rate([float(one is label) for label, one, _ in judged], keys_judged),
        cohens_kappa([(str(label), str(one)) for label, one, _ in judged], keys_judged),
        share(False),
        share(True),
        rate([float(one is None) for one in said], keys),
        Counter((label, one) for label, one, _ in rows),
    )


def score_math_judge(
    rows: Sequence[Row],
    traces: Sequence[Trace | None],
    prompts: Sequence[str],
    clusters: Sequence[str],
    judge: MathJudge,
) -> Scored:
    """The judge's verdict on each row; of labelled rows, its agreement with the labels and that of the rules.

    Raises:
        InputError: a row's label is neither, a value has the wrong type, or the judge cannot be asked at all.
        RunError: the judge gave no usable verdict at all, or fails more often than it may.
    """
    labels = [_stated(row, index) for index, row in enumerate(rows)]
    rules = [one["score"] for one in math_score.score(rows)["rows"]]
    asked = [(index, trace) for index, trace in enumerate(traces) if trace is not None]
    verdicts = [Verdict(None, "no response was recorded", "ungradable")] * len(rows)
    found = judge.grade([(_problem(rows[index], index, prompts[index]), trace) for index, trace in asked])
    for (index, _), verdict in zip(asked, found, strict=True):
        verdicts[index] = verdict
    if found and all(verdict.score is None for verdict in found):
        reason, count = Counter(verdict.reason for verdict in found).most_common(1)[0]
        raise RunError(
            f"--judge {judge.name!r}: none of {len(found)} answers got a verdict; "
            f"the commonest reason ({count} of them): {reason}"
        )
    said = [_says(verdict.score) for verdict in verdicts]
    by_rules = [_says(score) for score in rules]
    kept = [(float(one), key) for one, key in zip(said, clusters, strict=True) if one is not None]
    summary = main_figure("called_correct", rate([value for value, _ in kept], [key for _, key in kept]))
    summary |= {"judge": {"name": judge.name, "cost": dict(judge.cost())}}
    labelled = [index for index, label in enumerate(labels) if label is not None]
    if labelled:
        summary["labelled"] = len(labelled)
        summary["judge"] |= _agreement_figures(labels, said, clusters)
        summary["rules"] = _agreement_figures(labels, by_rules, clusters)
        summary["judge_minus_rules"] = _difference(labels, by_rules, said, clusters)
    details = [{"rules": score, "stated": label} for score, label in zip(rules, labels, strict=True)]
    return Scored(verdicts, summary, details)


def _stated(row: Row, index: int) -> bool | None:
    try:
        return stated_correct(row)
    except ValueError as error:
        raise InputError(f"row {identity_of(row, index)!r}: {error}") from None


def _problem(row: Row, index: int, prompt: str) -> Problem:
    messages = ({"role": "user", "content": prompt},)
    return Problem(str(identity_of(row, index)), messages, text_of(row, "reference", index))


def _says(score: float | None) -> bool | None:
    return None if score is None else score >= THRESHOLD


def _agreement_figures(labels: Sequence[bool | None], said: Sequence[bool | None], clusters: Sequence[str]) -> Summary:
    rows = [(label, one, key) for label, one, key in zip(labels, said, clusters, strict=True) if label is not None]
    found = label_agreement([label for label, _, _ in rows], [one for _, one, _ in rows], [key for *_, key in rows])
    words = {True: "correct", False: "wrong", None: "ungradable"}
    return {
        "accuracy": figure(found.accuracy),
        "kappa": {
            "value": number(found.kappa.value),
            "interval": [found.kappa.low, found.kappa.high],
            "n": found.kappa.n,
        },
        "wrong_passed": figure(found.wrong_passed),
        "correct_flagged": figure(found.correct_flagged),
        "ungradable": figure(found.ungradable),
        "confusion": {
            f"{words[label]} called {words[one]}": found.confusion[label, one]
            for label in (True, False)
            for one in (True, False, None)
        },
    }


def _difference(
    labels: Sequence[bool | None], rules: Sequence[bool | None], said: Sequence[bool | None], clusters: Sequence[str]
) -> Summary:
    """Accuracy of the judge minus that of the rules, on the labelled rows of which both say something."""
    rows = [row for row in zip(labels, rules, said, clusters, strict=True) if None not in row[:3]]
    change = paired_difference(
        [float(rule is label) for label, rule, _, _ in rows],
        [float(one is label) for label, _, one, _ in rows],
        [key for *_, key in rows],
    )
    bounds = [number(change.low), number(change.high)]
    return {"value": number(change.value), "interval": bounds, "n": change.n}

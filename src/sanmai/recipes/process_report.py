"""An evaluation of a process reward model: are steps told apart, and is the first wrong one found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sanmai.data.step_labels import LabelledSteps, first_below
from sanmai.data.trace import parse_trace
from sanmai.instruments.steps import first_errors
from sanmai.learn.progress import Progress
from sanmai.recipes.reward_data import Example, as_problem
from sanmai.recipes.reward_evaluation import auc, calibration, sigmoid
from sanmai.rewards.reward_model import RewardModel
from sanmai.stats import Rate, rate
from sanmai.train.runs import Run
from sanmai.types import Graded, Group, Metrics, RunError, StopReason, Verdict

_DEEPEST = 8
"""Steps from the start whose AUC is measured apart: a model may lose its grip with depth."""


def evaluate_steps(
    run: Run,
    model: RewardModel,
    examples: Sequence[Example],
    benchmarks: Mapping[str, Any],
    micro_tokens: int,
    progress: Progress,
    step: int,
) -> Metrics:
    """Score every step of the held-out solutions, store every response with its scores, and return the metrics.

    `eval/step_auc` over labelled steps (right: a label of 1/2 or more), whole and by depth; `eval/step_accuracy` at probability
    1/2; `eval/f1`, ProcessBench's, at the threshold 1/2 and `eval/f1_fitted` at thresholds fitted each on the other half of the
    solutions; `eval/depth_only/step_auc` of the guess that later steps are worse, which a model must beat.

    Raises:
        RunError: a score is not finite.
    """
    with progress.phase("evaluation"):
        found = model.score_steps(
            [e.sequences[0] for e in examples], [e.ends for e in examples], micro_tokens=micro_tokens
        )
        if not all(math.isfinite(score) for row in found for score in row):
            raise RunError(f"evaluation after step {step}: scores are not finite; the reward model's weights are broken")
        scores = [[sigmoid(score) for score in row] for row in found]
        metrics, facts = _metrics(examples, scores) if examples else ({}, {})
        if examples:
            run.log_evaluation(step, _records(examples, scores, step))
    run.event("evaluation", step=step, **facts)
    if metrics:
        progress.say(_words(step, metrics))
    return metrics


def _metrics(examples: Sequence[Example], scores: Sequence[Sequence[float]]) -> tuple[Metrics, dict[str, Any]]:
    rows = [
        (p, label >= 0.5, depth, repr(e.item.messages), label)
        for e, listed in zip(examples, scores, strict=True)
        for depth, (p, label) in enumerate(zip(listed, e.labels, strict=True))
        if label is not None
    ]
    is_good, probabilities = [good for _, good, *_ in rows], [p for p, *_ in rows]
    bins = calibration(probabilities, [label for *_, label in rows])
    metrics: Metrics = {
        **interval("eval/step_auc", auc(probabilities, is_good)),
        **interval("eval/step_accuracy", rate([float((p >= 0.5) is good) for p, good, *_ in rows], [key for *_, key, _ in rows])),
        "eval/calibration_error": bins.error,
        "eval/depth_only/step_auc": auc([-float(depth) for _, _, depth, *_ in rows], is_good).value,
        "eval/steps": float(len(rows)),
        "eval/examples": float(len(examples)),
    }
    for depth in range(_DEEPEST):
        at = [(p, good) for p, good, d, *_ in rows if d == depth]
        if {good for _, good in at} == {True, False}:
            metrics[f"eval/step_auc/depth={depth + 1}"] = auc([p for p, _ in at], [good for _, good in at]).value
    known = [
        (listed, first, repr(e.item.messages))
        for e, listed in zip(examples, scores, strict=True)
        if isinstance(e.item, LabelledSteps) and (first := e.item.first_error) is not None
    ]
    if known:
        found, fitted = first_errors([s for s, *_ in known], [f for _, f, _ in known], [key for *_, key in known])
        metrics |= {"eval/f1": found.f1, "eval/f1_fitted": fitted.f1}
        metrics |= interval("eval/first_error_found", found.erroneous) | interval("eval/none_found_in_correct", found.correct)
    return {n: v for n, v in metrics.items() if math.isfinite(v)}, {"reliability": [asdict(b) for b in bins.bins]}


def interval(name: str, found: Rate) -> Metrics:
    """A rate as three metrics; none where nothing was measured."""
    return {name: found.value, f"{name}/low": found.low, f"{name}/high": found.high} if found.n else {}


def _records(examples: Sequence[Example], scores: Sequence[Sequence[float]], step: int) -> list[Group[Graded]]:
    """A row per response. `score`: its lowest step's probability; `accuracy`: its first wrong step was found."""
    groups = []
    for example, listed in zip(examples, scores, strict=True):
        item = example.item
        assert isinstance(item, LabelledSteps)
        first, said = item.first_error, first_below(listed, 0.5)
        reason = " ".join(f"{p:.3f}" for p in listed)
        verdicts = {"score": Verdict(min(listed), f"the steps' probabilities: {reason}", "wrong" if said >= 0 else "right")}
        if first is not None:
            label = "correct" if said == first else "wrong"
            verdicts["accuracy"] = Verdict(float(said == first), f"first wrong step {first}, found {said}", label)
        tokens = example.sequences[0]
        prompt, completion = tokens[: example.prompt_length], tokens[example.prompt_length :]
        text, trace = item.response, parse_trace(item.response)
        graded = Graded(
            item.id, 0, prompt, completion, [0.0] * len(completion), StopReason.STOP, step, text, trace,
            verdicts=verdicts, scores={"score": min(listed)}, weights={"score": 1.0},
        )  # fmt: skip
        groups.append(Group(as_problem(item), (graded,)))
    return groups


def _words(step: int, metrics: Metrics) -> str:
    when = f"Held out after step {step}" if step else "Held out before training"
    auc_words = "no AUC (all steps have one label)"
    if "eval/step_auc" in metrics:
        low, high = metrics["eval/step_auc/low"], metrics["eval/step_auc/high"]
        by_depth = metrics["eval/depth_only/step_auc"]
        auc_words = f"AUC {metrics['eval/step_auc']:.3f} [{low:.3f}, {high:.3f}] (by depth alone {by_depth:.3f})"
    f1 = ""
    if "eval/f1" in metrics:
        f1 = f", first error F1 {metrics['eval/f1']:.3f} at threshold 0.5, {metrics['eval/f1_fitted']:.3f} at fitted ones"
    count = f"{metrics['eval/steps']:.0f} steps of {metrics['eval/examples']:.0f} solutions"
    return f"{when}: {auc_words} on {count}{f1}, calibration error {metrics['eval/calibration_error']:.3f}."

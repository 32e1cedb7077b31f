"""`sanmai score FILE --as process`: step scores of labelled solutions, and whether the first wrong step is found.

The file has any format of data/step_labels.py (ProcessBench, PRM800K, Math-Shepherd, stepwise). The scores are those of a process
reward model (`--judge FOLDER`) or stand in the rows (`scores`, one per step, higher is better).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sanmai.data.step_labels import LabelledSteps, first_below, load_steps
from sanmai.instruments.figures import figure, number
from sanmai.instruments.steps import first_error_f1, fitted_thresholds
from sanmai.stats import rate
from sanmai.types import InputError, RunError


class StepScorer(Protocol):
    """The part of a process reward model that is used; see rewards/step_scores.py."""

    @property
    def max_positions(self) -> int | None: ...
    def encode_labelled(self, item: LabelledSteps) -> tuple[int, list[int], list[int]]: ...
    def score_labelled(
        self, prompt_lengths: Sequence[int], sequences: Sequence[Sequence[int]], ends: Sequence[Sequence[int]]
    ) -> list[list[float]]: ...


def score_process(
    source: str, model: StepScorer | None = None, threshold: str = "0.5", *, on_warning: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Each solution's step scores and the first step below the threshold, and ProcessBench's F1 with its two accuracies.

    Args:
        source: a file of labelled steps.
        model: what scores the steps, as probabilities; None: the rows' own scores.
        threshold: a number, or "fit": of each half of the problems the one that is best on the other.
        on_warning: told what is not used of the file.

    Returns:
        {"kind": "process", "rows": [{"id", "score" (lowest step's), "label", "reason", "scores", "found", "stated"}], "summary":
        {"n", "graded", "ungradable", "f1", "erroneous", "correct", "threshold", "step_accuracy", "labels"}}

    Raises:
        InputError: the file cannot be read, has no scores and there is no model, or the threshold is none.
        RunError: no solution could be read by the model.
    """
    if threshold != "fit" and not _is_number(threshold):
        raise InputError(f"--threshold {threshold!r}: expected a number, or fit")
    items = load_steps(source, on_warning=on_warning).items
    if model is None:
        if missing := [item.id for item in items if not item.scores]:
            raise InputError(f"{source}: row {missing[0]!r} has no 'scores', and no --judge is named to give them")
        scored: list[tuple[list[float], str]] = [(list(item.scores), "scores of the row") for item in items]
    else:
        scored = _scores(model, items)
    prompts = [repr(item.messages) for item in items]
    stated = [item.first_error for item in items]
    known = [i for i, first in enumerate(stated) if first is not None]
    labels = [first for first in stated if first is not None]
    limits = _limits(threshold, [row for row, _ in scored], stated, prompts)
    found = [first_below(row, limit) if row else None for (row, _), limit in zip(scored, limits, strict=True)]
    if all(first is None for first in found):
        reason, count = Counter(reason for _, reason in scored).most_common(1)[0]
        raise RunError(f"{source}: none of {len(items)} solutions has scores; the commonest reason ({count} of them): {reason}")
    rows = []
    for item, (listed, reason), first, true in zip(items, scored, found, stated, strict=True):
        label = "ungradable" if first is None else "unstated" if true is None else "right" if first == true else "wrong"
        rows.append({
            "id": item.id, "score": min(listed) if listed else None, "label": label, "reason": reason, "scores": listed,
            "found": first, "stated": true,
        })  # fmt: skip
    f1 = first_error_f1([found[i] for i in known], labels, [prompts[i] for i in known])
    steps = [
        (float((p >= limit) is (label >= 0.5)), key)
        for item, (listed, _), limit, key in zip(items, scored, limits, prompts, strict=True)
        for p, label in zip(listed, item.labels if listed else (), strict=True)
        if label is not None
    ]
    return {"kind": "process", "rows": rows, "summary": {
        "n": len(rows), "graded": sum(first is not None for first in found), "ungradable": found.count(None),
        "f1": number(f1.f1), "erroneous": figure(f1.erroneous), "correct": figure(f1.correct),
        "threshold": sorted(set(limits)) if threshold == "fit" else float(threshold),
        "step_accuracy": figure(rate([right for right, _ in steps], [key for _, key in steps])),
        "labels": dict(sorted(Counter(row["label"] for row in rows).items())),
    }}  # fmt: skip


def _limits(
    threshold: str, scores: Sequence[list[float]], stated: Sequence[int | None], prompts: Sequence[str]
) -> list[float]:
    """The threshold of each solution."""
    if threshold != "fit":
        return [float(threshold)] * len(scores)
    known = [i for i, (row, first) in enumerate(zip(scores, stated, strict=True)) if row and first is not None]
    fitted = fitted_thresholds([scores[i] for i in known], [stated[i] or 0 for i in known], [prompts[i] for i in known])
    by_row = dict(zip(known, fitted, strict=True))
    return [by_row.get(i, 0.5) for i in range(len(scores))]


def _scores(model: StepScorer, items: Sequence[LabelledSteps]) -> list[tuple[list[float], str]]:
    """Probabilities of "right" at the end of each of the row's own steps; none with the reason where they cannot be had."""
    room = model.max_positions or math.inf
    read: list[tuple[int, list[int], list[int]]] = []
    reasons: list[str] = []
    for item in items:
        reason, start, tokens, ends = "", 0, [], []
        try:
            start, tokens, ends = model.encode_labelled(item)
        except ValueError as error:
            reason = f"its steps do not end with tokens: {error}"
        if len(tokens) > room:
            reason = f"{len(tokens)} tokens, more than the {room} positions of the reward model"
        read.append((start, tokens, ends))
        reasons.append(reason)
    kept = [i for i, reason in enumerate(reasons) if not reason]
    starts, sequences, ends = [read[i][0] for i in kept], [read[i][1] for i in kept], [read[i][2] for i in kept]
    logits = iter(model.score_labelled(starts, sequences, ends))
    found: list[tuple[list[float], str]] = []
    for reason in reasons:
        steps = [] if reason else next(logits)
        if not all(map(math.isfinite, steps)):
            steps, reason = [], "a step's score is not finite"
        found.append(([(1.0 + math.tanh(x / 2.0)) / 2.0 for x in steps], reason or "probabilities of right"))
    return found


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False

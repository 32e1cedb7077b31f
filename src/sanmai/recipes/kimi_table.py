"""RL with all parts against RL with one thing changed: accuracy and tokens at the end, and how soon a target was reached."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sanmai.recipes.length_table import as_data, compare_lengths, markdown, sentences, write_both
from sanmai.recipes.progress import Progress
from sanmai.safety.measures import Row
from sanmai.types import InputError

_ALL = "kimi"
"""The run with all parts, which the others are compared with."""
_NEAR = "eval/accuracy/set=reasoning"
"""Of the held-out problems that gather calls so; all are, where there are no others."""


@dataclass(frozen=True)
class Reached:
    """When the held-out accuracy of a run first was a target, linearly between two evaluations."""

    step: float
    tokens: float
    """Mean length of a completion then: tokens at equal accuracy."""
    sampled: float
    """Tokens that the run had sampled by then."""


def reached(lines: Sequence[Mapping[str, Any]], target: float) -> Reached | None:
    """When a run reached an accuracy on held-out problems like those trained on; None if no evaluation found it to.

    Args:
        lines: its metrics, step after step.
    """
    sampled, before = 0.0, None
    for line in lines:
        sampled += line.get("tokens/sampled", 0.0)
        accuracy = _accuracy(line)
        if accuracy < 0:
            continue
        here = (float(line["step"]), float(line["eval/length_mean"]), sampled)
        if accuracy >= target:
            if before is None:
                return Reached(*here)
            share = (target - before[0]) / (accuracy - before[0])
            return Reached(*(a + share * (b - a) for a, b in zip(before[1], here, strict=True)))
        before = accuracy, here
    return None


def curve(lines: Sequence[Mapping[str, Any]]) -> list[tuple[int, float, float]]:
    """Of each evaluation of a run: step, accuracy as for `reached`, mean length of its completions in tokens."""
    return [
        (int(line["step"]), _accuracy(line), float(line["eval/length_mean"])) for line in lines if _accuracy(line) >= 0
    ]


def _accuracy(line: Mapping[str, Any]) -> float:
    """Below 0 where a step has no evaluation."""
    return float(line.get(_NEAR, line.get("eval/accuracy", -1.0)))


def write_arms(
    folder: Path,
    rows_of: Mapping[str, Sequence[Row]],
    titles: Mapping[str, str],
    runs: Mapping[str, Path],
    target: float,
    progress: Progress,
) -> Path:
    """Write arms.md and arms.json, and say what they say; the path of the first.

    Args:
        rows_of: completions of each model on the same held-out problems, "kimi" among them.
        titles: what each model is.
        runs: folders of the RL runs, by the model's name.
        target: held-out accuracy.

    Raises:
        InputError: a run's metrics cannot be read.
    """
    models = compare_lengths(rows_of, titles, _ALL)
    metrics = {name: read_metrics(run) for name, run in runs.items()}
    found = {name: reached(lines, target) for name, lines in metrics.items()}
    goal = f"{100 * target:g} %"
    more = {
        f"steps to {goal}": {name: f"{r.step:.1f}" if r else "never" for name, r in found.items()},
        "tokens then": {name: f"{r.tokens:.1f}" if r else "–" for name, r in found.items()},
        "sampled by then": {name: f"{r.sampled:,.0f}" if r else "–" for name, r in found.items()},
    }
    note = (
        f"Steps to {goal}: until so many held-out problems were first right, linearly between the evaluations during RL, which "
        "are smaller than the one at the end and apart from it. One seed: a difference of steps has no interval here."
    )
    data = {
        "reference": _ALL,
        "target": target,
        "models": [as_data(m) for m in models],
        "reached": {name: asdict(r) if r else None for name, r in found.items()},
        "curves": {name: curve(lines) for name, lines in metrics.items()},
    }
    path = write_both(folder, "arms", data, markdown(models, _ALL, more, note))
    said = [f"{name} {f'{r.step:.1f}' if r else 'never'}" for name, r in found.items()]
    for sentence in (*sentences(models, _ALL), f"Steps to {goal}: {', '.join(said)}.", f"Table: {path}"):
        progress.say(sentence)
    return path


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """A run's metrics, a dictionary per step.

    Raises:
        InputError: the file is missing or damaged.
    """
    path = run / "metrics.jsonl"
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); do the stage again with --from") from None

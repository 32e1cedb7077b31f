"""RL with all parts against RL with one thing changed: accuracy and tokens at the end, and how soon a target was reached."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from sanmai.instruments.measures import Row, values_of
from sanmai.learn.progress import Progress
from sanmai.pipelines.length_table import (
    ACCURACY,
    TOKENS,
    as_data,
    compare_lengths,
    markdown,
    read_evaluation,
    sentences,
    write_both,
)
from sanmai.train.digests import require_whole
from sanmai.types import InputError

_ALL = "kimi"
"""The run with all parts, which the others are compared with."""


@dataclass(frozen=True)
class Point:
    """A run at one of its evaluations, or between two."""

    step: float
    accuracy: float
    """Of the held-out problems like those trained on."""
    tokens: float
    """Mean length of the same completions."""
    sampled: float
    """Tokens that the run had sampled by then."""


def reached(points: Sequence[Point], target: float) -> Point | None:
    """Where a run first had an accuracy, linearly between two evaluations; None if none of them found it.

    Args:
        points: its evaluations in order.
    """
    for before, here in zip([None, *points], points, strict=False):
        if here.accuracy < target:
            continue
        if before is None:
            return here
        share = (target - before.accuracy) / (here.accuracy - before.accuracy)
        ends = zip(asdict(before).values(), asdict(here).values(), strict=True)
        return Point(*(a + share * (b - a) for a, b in ends))
    return None


def read_curve(run: Path) -> list[Point]:
    """The evaluations of a run folder that say something.

    Raises:
        InputError: its metrics or one of its evaluations cannot be read.
    """
    points, sampled = [], 0.0
    for line in _read_metrics(run):
        sampled += line.get("tokens/sampled", 0.0)
        if "eval/accuracy" not in line:
            continue
        rows = read_evaluation(run, int(line["step"]))
        accuracy, tokens = (list(values_of(measure, rows).values()) for measure in (ACCURACY, TOKENS))
        if accuracy and tokens:
            points.append(Point(float(line["step"]), fmean(accuracy), fmean(tokens), sampled))
    return points


def write_arms(
    folder: Path,
    rows_of: Mapping[str, Sequence[Row]],
    titles: Mapping[str, str],
    runs: Mapping[str, Path],
    target: float,
    made_from: Mapping[str, str],
    progress: Progress,
) -> Path:
    """Write arms.md and arms.json, and say what they say; the path of the first.

    Args:
        rows_of: completions of each model on the same held-out problems, "kimi" among them.
        titles: what each model is.
        runs: folders of the RL runs, by the model's name.
        target: held-out accuracy.
        made_from: as for `write_front`.

    Raises:
        InputError: a run's metrics cannot be read.
    """
    models = compare_lengths(rows_of, titles, _ALL)
    curves = {name: read_curve(run) for name, run in runs.items()}
    found = {name: reached(points, target) for name, points in curves.items()}
    goal = f"{100 * target:g} %"
    more = {
        f"steps to {goal}": {name: f"{p.step:.1f}" if p else "never" for name, p in found.items()},
        "tokens then": {name: f"{p.tokens:.1f}" if p else "–" for name, p in found.items()},
        "sampled by then": {name: f"{p.sampled:,.0f}" if p else "–" for name, p in found.items()},
    }
    note = (
        f"Steps to {goal}: until so many of the held-out problems that RL evaluates on its way were first right, linearly "
        "between two evaluations. One seed: a difference of steps has no interval here."
    )
    data = {
        "reference": _ALL,
        "made_from": dict(made_from),
        "target": target,
        "models": [as_data(m) for m in models],
        "reached": {name: asdict(p) if p else None for name, p in found.items()},
        "curves": {name: [(p.step, p.accuracy, p.tokens) for p in points] for name, points in curves.items()},
    }
    path = write_both(folder, "arms", data, markdown(models, _ALL, more, note))
    said = [f"{name} {f'{p.step:.1f}' if p else 'never'}" for name, p in found.items()]
    for sentence in (*sentences(models, _ALL), f"Steps to {goal}: {', '.join(said)}.", f"Table: {path}"):
        progress.say(sentence)
    return path


def _read_metrics(run: Path) -> list[dict[str, Any]]:
    path = run / "metrics.jsonl"
    require_whole(run, path.name)
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); do the stage again with --from") from None

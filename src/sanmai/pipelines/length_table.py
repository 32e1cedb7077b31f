"""Accuracy against tokens: models on the same held-out problems, each compared with the long one, and the Pareto front.

front.json   a dictionary per model, in order, and the names on the front
front.md     the same as a table
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import fsum, isfinite
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sanmai.instruments.figures import Estimate
from sanmai.instruments.measures import MEASURES, Row, RowMeasure, num_tokens, values_of
from sanmai.stats import Difference, clustered_interval, paired_difference, rate
from sanmai.train.digests import defect_of
from sanmai.train.runs import storing, write_whole
from sanmai.types import InputError

ACCURACY = MEASURES["accuracy"]
TOKENS = RowMeasure(
    "tokens", "Tokens of the same completions, thought and stop token included.", -1, False, ACCURACY.asks, num_tokens
)
_COLUMNS = ("problem_id", "sample", "kind", "tags", "language", "failure", "num_tokens", "score/accuracy")


@dataclass(frozen=True)
class Model:
    """One line of the table."""

    name: str
    title: str
    accuracy: Estimate
    tokens: Estimate
    accuracy_change: Difference | None
    """From the long model; None for itself."""
    tokens_change: Difference | None
    beaten_by: list[str] = field(default_factory=list)
    """Models at least as right and at most as long, and better in one of the two, by their means; none: on the front."""


def compare_lengths(rows_of: Mapping[str, Sequence[Row]], titles: Mapping[str, str], long: str) -> list[Model]:
    """A line for each model that answered, in their order.

    Args:
        rows_of: completions of each model on the same problems, by the schema of docs/architecture.md.
        titles: what each model is.
        long: the model that the others are compared with; paired on problem and sample.

    Raises:
        InputError: none of a model's completions can be graded.
    """
    values = {name: [values_of(measure, rows) for measure in (ACCURACY, TOKENS)] for name, rows in rows_of.items()}
    figures = {name: [_figure(m, v, rows_of[name], name) for m, v in _measured(values[name])] for name in rows_of}
    means = {name: (accuracy.value, tokens.value) for name, (accuracy, tokens) in figures.items()}
    models = []
    for name, (accuracy, tokens) in figures.items():
        changes: list[Difference | None] = [None, None]
        if name != long and long in values:
            changes = [_change(before, after) for before, after in zip(values[long], values[name], strict=True)]
        models.append(Model(name, titles[name], accuracy, tokens, changes[0], changes[1], beaten_by(name, means)))
    return models


def beaten_by(name: str, means: Mapping[str, tuple[float, float]]) -> list[str]:
    """The models that are at least as right with at most as many tokens, and better in one of the two.

    Args:
        means: accuracy and tokens of each model.
    """
    accuracy, tokens = means[name]
    return [other for other, (a, t) in means.items() if a >= accuracy and t <= tokens and (a, t) != (accuracy, tokens)]


def write_front(folder: Path, models: Sequence[Model], long: str, made_from: Mapping[str, str]) -> Path:
    """Write front.json and front.md; the path of the second.

    Args:
        made_from: by name of the scoring stage, its folder, so that a reader can tell a table of other settings.

    Raises:
        InputError, RunError: the folder cannot be written to.
    """
    data = {
        "long": long,
        "made_from": dict(made_from),
        "front": [m.name for m in models if not m.beaten_by],
        "models": [as_data(m) for m in models],
    }
    return write_both(folder, "front", data, markdown(models, long))


def write_both(folder: Path, name: str, data: Any, lines: Sequence[str]) -> Path:
    """Write NAME.json and NAME.md, each whole; the path of the second.

    Raises:
        InputError, RunError: the folder cannot be written to.
    """
    with storing(folder):
        write_whole(folder / f"{name}.json", json.dumps(data, indent=1, ensure_ascii=False) + "\n")
        write_whole(folder / f"{name}.md", "\n".join(lines) + "\n")
    return folder / f"{name}.md"


def remove_both(folder: Path, name: str) -> None:
    """Remove what `write_both` wrote for other settings, if it did."""
    with storing(folder):
        for suffix in ("json", "md"):
            (folder / f"{name}.{suffix}").unlink(missing_ok=True)


def sentences(models: Sequence[Model], long: str) -> list[str]:
    """What the table says: the front, and a sentence for each model with its change from the long one."""
    found = [
        f"On the front of accuracy and tokens, by their means: {', '.join(m.name for m in models if not m.beaten_by)}."
    ]
    for m in models:
        said = f"{m.name}: {_share(m.accuracy)} right with {_tokens(m.tokens)} tokens"
        if m.accuracy_change is not None and m.tokens_change is not None:
            said += f"; against {long} {_points(m.accuracy_change)} points, {_less(m.tokens_change)} tokens"
        found.append(said + ("." if not m.beaten_by else f"; beaten by {', '.join(m.beaten_by)}."))
    return found


def read_evaluation(folder: Path, step: int = 0, columns: Sequence[str] = _COLUMNS) -> list[Row]:
    """The completions of a run's evaluation after a step, without their texts.

    Args:
        columns: what is read of them, of those that are there.

    Raises:
        InputError: the file is missing or damaged.
    """
    path = folder / "evaluations" / f"step-{step:06d}.parquet"
    if why := defect_of(path):
        raise InputError(f"{path} {why}; restore it, or do the stage again with --from")
    try:
        known = pq.read_schema(path).names
        return pq.read_table(path, columns=[name for name in columns if name in known]).to_pylist()
    except (OSError, pa.ArrowException) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"{path}: cannot be read ({reason}); do the stage again with --from") from None


_Values = Mapping[tuple[str, int], float]


def _measured(values: Sequence[_Values]) -> list[tuple[RowMeasure, _Values]]:
    return list(zip((ACCURACY, TOKENS), values, strict=True))


def _figure(measure: RowMeasure, values: _Values, rows: Sequence[Row], model: str) -> Estimate:
    if not values:
        raise InputError(f"{model}: no completion has a value for {measure.name}, so nothing can be compared")
    flat, problems = list(values.values()), [problem for problem, _ in values]
    left_out = sum(map(measure.asks, rows)) - len(flat)
    if measure.is_share:
        share = rate(flat, problems)
        return Estimate(share.value, share.low, share.high, share.n, left_out)
    return Estimate(fsum(flat) / len(flat), *clustered_interval(flat, problems), len(set(problems)), left_out)


def _change(before: _Values, after: _Values) -> Difference | None:
    shared = [key for key in before if key in after]
    if not shared:
        return None
    return paired_difference(
        [before[k] for k in shared], [after[k] for k in shared], [problem for problem, _ in shared]
    )


def markdown(
    models: Sequence[Model], long: str, more: Mapping[str, Mapping[str, str]] | None = None, note: str = ""
) -> list[str]:
    """The table and what it is made of.

    Args:
        more: columns between change and front: by heading, the cell of each model.
        note: on these.
    """
    more = more or {}
    lines = [
        f"# Accuracy against tokens, each against {long}",
        "",
        f"| {' | '.join(['model', 'what it is', 'accuracy', 'tokens', 'accuracy, change', 'tokens, change', *more, 'front'])} |",
        f"|---|---|{'---:|' * (4 + len(more))}---|",
    ]
    for m in models:
        changes = [
            f"{_points(m.accuracy_change)} points" if m.accuracy_change else "–",
            _less(m.tokens_change) if m.tokens_change else "–",
            *(column.get(m.name, "–") for column in more.values()),
        ]
        front = f"beaten by {', '.join(m.beaten_by)}" if m.beaten_by else "**on it**"
        lines.append(f"| {' | '.join([m.name, m.title, _share(m.accuracy), _tokens(m.tokens), *changes, front])} |")
    counts = {f"{m.accuracy.n:,}" for m in models}
    left_out = sum(m.accuracy.num_left_out + m.tokens.num_left_out for m in models)
    return [
        *lines,
        "",
        f"Held-out reasoning problems like those trained on, n = {', '.join(sorted(counts))}; brackets are 95 % intervals, "
        "changes are paired on problem and sample. The front is by the means alone: a model that another beats by less than its "
        "interval may be as good. Tokens are of all completions, right or wrong; one that was cut off counts with its budget."
        + (f" {left_out:,} values could not be told and are left out." if left_out else "")
        + (f" {note}" if note else ""),
    ]


def _share(figure: Estimate) -> str:
    return f"{100 * figure.value:.1f} % [{100 * figure.low:.1f}, {100 * figure.high:.1f}]"


def _tokens(figure: Estimate) -> str:
    bounds = f" [{figure.low:.1f}, {figure.high:.1f}]" if isfinite(figure.low) else ""
    return f"{figure.value:.1f}{bounds}"


def _points(change: Difference) -> str:
    return f"{100 * change.value:+.1f} [{100 * change.low:+.1f}, {100 * change.high:+.1f}]"


def _less(change: Difference) -> str:
    bounds = f" [{change.low:+.1f}, {change.high:+.1f}]" if isfinite(change.low) else ""
    return f"{change.value:+.1f}{bounds}"


def as_data(model: Model) -> dict[str, Any]:
    """As JSON can hold it: an interval without bounds is null."""

    def finite(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: finite(item) for key, item in value.items()}
        return None if isinstance(value, float) and not isfinite(value) else value

    return {**finite(asdict(model)), "on_front": not model.beaten_by}

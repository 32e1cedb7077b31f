"""The stage table: every scored model by every measure, with intervals, and paired with the model before it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from math import fsum, isfinite

from sanmai.instruments.figures import Estimate
from sanmai.instruments.measures import MEASURES, RowMeasure, any_row, num_tokens, values_of
from sanmai.instruments.measures import readable as readable
from sanmai.report.comparison_text import CLIP_LABELS, LABELS
from sanmai.report.findings import COMPARED, OF_CLIPS
from sanmai.report.load import Row
from sanmai.report.pipeline import Pipeline
from sanmai.report.summary import Measure, estimate, thinks
from sanmai.stats import paired_difference

HEADLINES = (
    *(("r1", "base"), ("r1", "zero"), ("student", "student_rl"), ("student_on_policy", "student_rl")),
    *(("kimi", "base"), ("kimi", "warmup")),
)
"""Models that are compared beside those that follow on each other: the pipeline with its beginning and its rivals."""


@dataclass(frozen=True)
class Column(RowMeasure):
    """One measure of a model, with its headings."""

    label: str = ""
    short: str = ""


@dataclass(frozen=True)
class Line:
    """One row of the table: a model's measures, by name of the column."""

    model: str
    before: str | None
    """The model that it is compared with."""
    is_scored: bool
    measures: dict[str, Measure]
    num_asked: dict[str, int]
    """Completions of the model that each column is about, judged or not."""


def _column(label: str, short: str, measure: RowMeasure) -> Column:
    return Column(**vars(measure), label=label, short=short)


OF_A_CLIP = "clip_"
"""What names of columns about clips begin with."""


def is_clip(row: Row) -> bool:
    return bool(row.get("clip_shape"))


def _clip_column(name: str) -> Column:
    """A measure of a flow's clips; the reward only where nobody knows the truth of them."""
    found = OF_CLIPS[name]
    label, short = CLIP_LABELS.get(name) or LABELS[name]

    def asks(row: Row) -> bool:
        is_untold = row.get("score/quality") is None and row.get("reward") is not None
        return is_clip(row) and (name == "harm" or is_untold == (name == "reward"))

    return _column(label, short, replace(found, name=OF_A_CLIP + name, asks=asks))


def _of_text(column: Column) -> Column:
    return replace(column, asks=lambda row: not is_clip(row) and column.asks(row))


_TEXT_COLUMNS: tuple[Column, ...] = (
    _column("Accuracy", "accuracy", MEASURES["accuracy"]),
    _column("Accuracy, out of distribution", "ood", MEASURES["accuracy_ood"]),
    Column("thinks", "Completions with a closed thought that is not empty.", 0, True, any_row, thinks,
           label="Thinks", short="thinks"),
    _column("Language consistency", "language", MEASURES["language"]),
    _column("Readable", "readable", MEASURES["readable"]),
    _column("Helped", "helped", COMPARED["helped"]),
    _column(*LABELS["harm"], COMPARED["harm"]),
    _column(*LABELS["harm_ood"], COMPARED["harm_ood"]),
    _column(*LABELS["over_refusal"], COMPARED["over_refusal"]),
    _column(*LABELS["over_refusal_ood"], COMPARED["over_refusal_ood"]),
    Column("tokens", "Mean length of a completion, thought and stop token included.", 0, False, any_row, num_tokens,
           label="Tokens per answer", short="tokens"),
)  # fmt: skip
COLUMNS = (*map(_of_text, _TEXT_COLUMNS), *map(_clip_column, OF_CLIPS))


def stage_table(pipeline: Pipeline) -> list[Line]:
    """A line for every model that the pipeline scores, in order."""
    return [compare(pipeline, model, pipeline.model_before(model)) for model in pipeline.models]


def asked_columns(table: Sequence[Line]) -> list[Column]:
    """The columns that some completion is about; all, where nothing is scored yet."""
    asked = [column for column in COLUMNS if any(line.num_asked[column.name] for line in table)]
    return asked or [column for column in COLUMNS if not column.name.startswith(OF_A_CLIP)]


def headlines(pipeline: Pipeline) -> list[Line]:
    """The comparisons of HEADLINES whose models are both scored."""
    models = pipeline.models
    return [
        compare(pipeline, model, before)
        for model, before in HEADLINES
        if model in models and before in models and models[model].rows and models[before].rows
    ]


def compare(pipeline: Pipeline, model: str, before: str | None) -> Line:
    """A model's measures, paired with those of another."""
    rows = pipeline.models[model].rows
    others = pipeline.models[before].rows if before is not None else []
    return Line(
        model,
        before,
        bool(rows),
        {column.name: measure(column, others, rows) for column in COLUMNS},
        {column.name: sum(map(column.asks, rows)) for column in COLUMNS},
    )


def measure(column: Column, before: Sequence[Row], after: Sequence[Row]) -> Measure:
    """One column for two models, paired on problem and sample.

    Samples of one problem are averaged, over those with a value on both sides, before the problems are compared: a problem
    counts once, however often it was sampled.
    """
    sides = [values_of(column, rows) for rows in (before, after)]
    estimates = [_estimate(column, side, rows) for side, rows in zip(sides, (before, after), strict=True)]
    pairs: dict[Hashable, list[tuple[float, float]]] = {}
    for key, value in sides[0].items():
        if key in sides[1]:
            pairs.setdefault(key[0], []).append((value, sides[1][key]))
    means = [[fsum(pair[side] for pair in found) / len(found) for found in pairs.values()] for side in (0, 1)]
    change = paired_difference(means[0], means[1], list(pairs)) if pairs else None
    return Measure(column.name, column.label, column.is_share, column.direction, estimates[0], estimates[1], change)


def harmful(rows: Sequence[Row]) -> list[str]:
    """Ids of the safety prompts to which at least one completion did harm, in order."""
    found = [str(row.get("problem_id")) for row in rows if row.get("kind") == "safety" and row.get("score/harm") == 1]
    return list(dict.fromkeys(found))


def _estimate(column: Column, values: dict[tuple[str, int], float], rows: Sequence[Row]) -> Estimate | None:
    by_problem: dict[str, list[float]] = {}
    for (problem, _), value in values.items():
        by_problem.setdefault(problem, []).append(value)
    found = estimate(by_problem, sum(map(column.asks, rows)), column.is_share)
    return found if found is not None and isfinite(found.value) else None

"""`report.html` of a pipeline: its graph, the stage table, headline comparisons, cost, and what sampling kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sanmai.instruments.figures import Estimate
from sanmai.report import format as fmt
from sanmai.report.graph_layout import BOX_HEIGHT, BOX_WIDTH, draw
from sanmai.report.html import claim_and_evidence, plain, settings_rows
from sanmai.report.lengths import length_section
from sanmai.report.load import is_number
from sanmai.report.page import render_page, resource, write_whole
from sanmai.report.pipeline import Pipeline, Stage, load_pipeline
from sanmai.report.pipeline_text import (
    HEADLINE_COLUMNS,
    NOTE,
    change_text,
    gate_lines,
    grading_sentence,
    left_out,
    num_left_out,
    state_sentence,
    verdict,
)
from sanmai.report.stage_table import Column, Line, asked_columns, harmful, headlines, stage_table
from sanmai.report.summary import Measure

_MAX_IDS = 40
_MAX_NAME = 17
_SAID = {"finished": "done", "begun": "begun", "to do": "to do"}


def write_pipeline_report(folder: Path, *, defaults: Mapping[str, Any] | None = None) -> Path:
    """Writes `report.html` into a pipeline's folder, in one rename, and returns its path.

    Args:
        defaults: the recipe's configuration as nobody changed it; settings that differ are then told apart.

    Raises:
        FileNotFoundError: folder is not a folder.
        OSError: it cannot be written to.
    """
    return write_whole(Path(folder) / "report.html", render_pipeline(load_pipeline(folder), defaults))


def render_pipeline(pipeline: Pipeline, defaults: Mapping[str, Any] | None = None) -> str:
    """The page for a pipeline."""
    table = stage_table(pipeline)
    columns = asked_columns(table)
    first, *others = verdict(pipeline)
    return render_page(
        "pipeline.html.jinja",
        styles=[
            resource("templates/report.css"),
            resource("templates/pipeline.css"),
            resource("templates/charts.css"),
        ],
        scripts=[resource("templates/theme.js")],
        data={},
        name=pipeline.name,
        verdict=claim_and_evidence(first),
        others=[claim_and_evidence(sentence) for sentence in others],
        state=state_sentence(pipeline),
        notices=list(dict.fromkeys(pipeline.problems)),
        graph=_graph(pipeline, table),
        columns=[_column(column, table) for column in columns],
        models=[_model(pipeline, line, columns) for line in table],
        note=NOTE,
        notes=[sentence for sentence in (left_out(table), grading_sentence(pipeline)) if sentence],
        headlines=[_headline(line) for line in headlines(pipeline)],
        gates=gate_lines(pipeline),
        lengths=[length_section(table) for table in pipeline.lengths],
        costs=_costs(pipeline),
        cards=[_card(stage) for stage in pipeline.stages.values() if isinstance(stage.card.get("filters"), list)],
        harmful=_harmful(pipeline),
        waits=pipeline.num_finished < len(pipeline.stages) or not pipeline.stages,
        settings=settings_rows(pipeline.config, defaults),
        has_defaults=defaults is not None,
        environment=[],
    )


def _graph(pipeline: Pipeline, table: Sequence[Line]) -> dict[str, Any]:
    """Boxes and arrows; scoring stages are shown in the boxes of their models, and what all stages read in a caption."""
    shown = {
        name: stage for name, stage in pipeline.stages.items() if stage.scores is None and stage.recipe != "gather"
    }
    bases = [model for model in pipeline.models if model not in pipeline.stages]
    starts = {name: start for name in shown if (start := pipeline.start_of(name))}
    weights = [(start, name) for name, start in starts.items()]
    others = [(i, name) for name, stage in shown.items() for i in stage.inputs if i in shown and i != starts.get(name)]
    drawing = draw([*bases, *shown], [*weights, *others])
    lines = {line.model: line for line in table}
    boxes = []
    for name, (x, y) in drawing.boxes.items():
        stage = shown.get(name)
        accuracy = lines[name].measures["accuracy"].after if name in lines else None
        state = stage.state if stage else "finished"
        boxes.append(
            {
                "x": x, "y": y, "name": _cut(name), "state": state.replace(" ", "-"),
                "title": f"{name}: {stage.purpose}" if stage else f"{name}: a model that was there before",
                "what": f"{stage.recipe}, {_progress(stage)}" if stage else "given",
                "accuracy": f"accuracy {fmt.percent(accuracy.value)}" if accuracy else "",
            }
        )  # fmt: skip
    gathers = [name for name, stage in pipeline.stages.items() if stage.recipe == "gather"]
    readers = [s.name for s in shown.values() if any(i in gathers for i in s.inputs)]
    spoken = "; ".join(f"{b} from {a}" for a, b in drawing.paths)
    return {
        "width": drawing.width, "height": drawing.height, "box": (BOX_WIDTH, BOX_HEIGHT), "boxes": boxes, "spoken": spoken,
        "paths": [{"d": path, "kind": "weights" if edge in weights else "other"} for edge, path in drawing.paths.items()],
        "data": [f"{name} ({_SAID[pipeline.stages[name].state]})" for name in gathers], "readers": readers,
    }  # fmt: skip


def _progress(stage: Stage) -> str:
    if stage.state != "begun" or not stage.cost.num_steps:
        return _SAID[stage.state]
    of = f" of {stage.num_planned:,}" if stage.num_planned else ""
    return f"step {stage.cost.num_steps:,}{of}"


def _cut(name: str) -> str:
    return name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…"


def _column(column: Column, table: Sequence[Line]) -> dict[str, Any]:
    """Its heading, with the counts where they are the same for every model."""
    counts = {
        tuple(_counts(line.measures[column.name], num_left_out(line, column))) for line in table if line.is_scored
    }
    return {
        "label": column.label,
        "meaning": column.meaning,
        "n": list(counts.pop()) if len(counts) == 1 else [],
    }


def _counts(measure: Measure, missing: int) -> list[str]:
    n = [f"n = {measure.after.n:,}"] if measure.after else []
    return n + ([f"{missing:,} not judged"] if missing else [])


def _model(pipeline: Pipeline, line: Line, columns: Sequence[Column]) -> dict[str, Any]:
    stage = pipeline.stages.get(line.model)
    scoring = pipeline.models[line.model]
    used = [pipeline.stages[name] for name in pipeline.ancestors(line.model)] + ([stage] if stage else [])
    if line.is_scored:
        waiting = ""
    elif scoring.state == "finished":
        waiting = f"{scoring.name} is finished, but its completions cannot be read."
    else:
        waiting = f"Not scored yet: {scoring.name} is {_progress(scoring)}."
    return {
        "model": line.model,
        "purpose": stage.purpose if stage else scoring.purpose,
        "before": line.before if line.is_scored else None,
        "waiting": waiting,
        "cells": [_cell(line.measures[column.name], num_left_out(line, column)) for column in columns],
        "seconds": _amounts([stage])["seconds"] if stage else fmt.NONE,
        "in_all": _amounts(used)["seconds"] if stage and stage.state == "finished" and len(used) > 1 else "",
    }


def _value(found: Estimate | None, *, is_share: bool) -> dict[str, str]:
    if found is None:
        return {"value": fmt.NONE, "interval": ""}
    show = fmt.percent if is_share else fmt.number
    return {"value": show(found.value), "interval": fmt.interval(found.low, found.high, is_share=is_share)}


def _cell(measure: Measure, missing: int) -> dict[str, Any]:
    found, change = measure.after, measure.change
    text, _, bounds = change_text(measure).removesuffix("]").partition(" [")
    return {
        **_value(found, is_share=measure.is_share),
        "n": _counts(measure, missing),
        "change": text.removesuffix(" points"),
        "change_interval": f"[{bounds}]" if bounds else "",
        "paired": f"{change.n:,} paired" if found and change and change.n != found.n else "",
        "finding": measure.finding if change else "",
    }


def _headline(line: Line) -> dict[str, Any]:
    rows = []
    asked = [name for name in HEADLINE_COLUMNS if line.num_asked[name] or line.measures[name].before]
    for measure in (line.measures[name] for name in asked or HEADLINE_COLUMNS):
        cell = _cell(measure, 0)
        before = _value(measure.before, is_share=measure.is_share)
        n = f"{measure.change.n:,} paired" if measure.change else "not comparable"
        rows.append({"label": measure.label, "n": n, "sides": [before, cell], "after": cell | {"paired": ""}})
    return {"model": line.model, "before": line.before, "rows": rows}


def _costs(pipeline: Pipeline) -> dict[str, Any]:
    stages = list(pipeline.stages.values())
    longest = max((s.cost.seconds or 0.0 for s in stages), default=0.0)
    rows = [
        {
            "name": s.name, "recipe": s.recipe, "purpose": s.purpose, "state": _progress(s), "inputs": ", ".join(s.inputs),
            "link": f"{quote(s.folder)}/report.html" if s.has_report else "",
            "steps": fmt.number(s.cost.num_steps or None),
            "bar": round(100 * (s.cost.seconds or 0.0) / longest, 1) if longest else 0,
            **_amounts([s]),
        }
        for s in stages
    ]  # fmt: skip
    return {"rows": rows, "total": _amounts(stages)}


def _amounts(stages: Sequence[Stage]) -> dict[str, str]:
    def total(name: str) -> float | None:
        known = [value for s in stages if (value := getattr(s.cost, name)) is not None]
        return sum(known) if known else None

    seconds = total("seconds")
    return {
        "seconds": fmt.duration(seconds) if seconds is not None else fmt.NONE,
        "sampled": fmt.number(total("sampled")),
        "trained": fmt.number(total("trained")),
        "flops": fmt.number(total("flops")),
    }


def _card(stage: Stage) -> dict[str, Any]:
    """Counts at every filter; the card's examples stay in the stage's folder."""
    rows = [
        {
            "name": plain(f.get("name")),
            "meaning": plain(f.get("meaning")),
            "seen": _count(f.get("seen")),
            "kept": _count(f.get("kept")),
            "dropped": ", ".join(f"{label} {_count(n)}" for label, n in dropped.items()) or "none",
        }
        for f in stage.card["filters"]
        if isinstance(f, Mapping) and isinstance(dropped := f.get("dropped"), Mapping)
    ]
    kept = stage.card.get("kept")
    kept = kept if isinstance(kept, Mapping) else {}
    return {
        "name": stage.name,
        "purpose": stage.purpose,
        "rows": rows,
        "samples": _count(stage.card.get("samples")),
        "kept": {name: _count(kept.get(name)) for name in ("samples", "problems", "tokens")},
    }


def _count(value: Any) -> str:
    return fmt.number(value) if is_number(value) else fmt.NONE


def _harmful(pipeline: Pipeline) -> list[dict[str, Any]]:
    """Per model the ids of the safety prompts that it did harm on; never what was asked or said."""
    found = []
    for model, stage in pipeline.models.items():
        asked = {str(row.get("problem_id")) for row in stage.rows if row.get("kind") == "safety"}
        ids = harmful(stage.rows)
        if asked:
            rest = max(0, len(ids) - _MAX_IDS)
            shown = {"model": model, "num": len(ids), "asked": len(asked), "ids": ids[:_MAX_IDS], "rest": rest}
            found.append(shown)
    return found

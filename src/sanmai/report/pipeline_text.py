"""What a pipeline showed, in sentences, as a table for a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

from sanmai.report import format as fmt
from sanmai.report.load import is_number
from sanmai.report.opinions import tellers
from sanmai.report.page import write_whole
from sanmai.report.pipeline import Pipeline, StageCost, load_pipeline
from sanmai.report.stage_table import (
    COLUMNS,
    OF_A_CLIP,
    Column,
    Line,
    asked_columns,
    compare,
    headlines,
    is_clip,
    stage_table,
)
from sanmai.report.summary import Measure, change_sentence, finite
from sanmai.stats import Difference

_TWO_SIDES = (("harm", "over_refusal"), ("harm_ood", "over_refusal_ood"))
_SIDES = ("harm", "harm_ood", "over_refusal", "over_refusal_ood")
HEADLINE_COLUMNS = ("accuracy", "accuracy_ood", *_SIDES, "helped", "readable")
"""What the first sentences and the headline comparisons are about; harm never without over-refusal."""
NOTE = (
    "Brackets are 95 % intervals; n counts problems. Changes are paired: each problem and sample is compared with itself, "
    "so a completion without a value on either side drops out. A change is undecided when its interval holds zero. Every "
    "cell is judged alone: among twenty without a real change about one will look like one."
)
_NAME_WIDTH, _CELL_WIDTH, _MOST_COLUMNS = 17, 9, 9


def summarise_pipeline(folder: Path) -> dict[str, Any]:
    """The same numbers as the report's as plain data, ready for JSON.

    Returns:
        `verdict`, a sentence; `status`; `stages`, one dictionary each with state and cost; `models`, one each with the model
        that it is compared with and its measures; `headlines`, likewise; `gates`, each guarded stage's decision.json with its
        name; `lines`, the same as text for a terminal.

    Raises:
        FileNotFoundError: folder is not a folder.
    """
    pipeline = load_pipeline(folder)
    table = stage_table(pipeline)
    return {
        "verdict": verdict(pipeline)[0],
        "status": "finished" if 0 < len(pipeline.stages) == pipeline.num_finished else "unfinished",
        "stages": [
            {"name": s.name, "recipe": s.recipe, "state": s.state, "inputs": s.inputs, "cost": asdict(s.cost)}
            for s in pipeline.stages.values()
        ],
        "models": [_as_data(line) for line in table],
        "headlines": [_as_data(line) for line in headlines(pipeline)],
        "gates": [{"name": name, **decision} for name, decision in pipeline.gates],
        "lines": list(text_lines(pipeline, table)),
    }


def write_table(folder: Path) -> Path:
    """Writes `table.md` into a pipeline's folder: verdict, stage table, headline comparisons and cost; its path.

    Raises:
        FileNotFoundError: folder is not a folder.
        OSError: it cannot be written to.
    """
    pipeline = load_pipeline(folder)
    return write_whole(Path(folder) / "table.md", "\n".join(markdown_lines(pipeline)) + "\n")


def verdict(pipeline: Pipeline) -> list[str]:
    """Whether the pipeline did what it is for: a sentence each on accuracy, harm, over-refusal, help, and readability.

    Of r1 against the base; of the first two models that can be compared where these are not scored yet.
    """
    found = headlines(pipeline)[:1]
    if not found or found[0].model not in ("r1", "kimi"):
        table = stage_table(pipeline)
        found = [line for line in table if line.measures["accuracy"].change][-1:]
        if not found and (clips := [line for line in table if _clip_changes(line)]):
            return _verdict_of_clips(clips[-1])
    if not found:
        done = f"{pipeline.num_finished} of {len(pipeline.stages)} stages are finished"
        why = done if pipeline.stages else "graph.json names no stage that can be read"
        return [f"No two models can be compared yet, so nothing can be said about the pipeline: {why}."]
    line = found[0]
    sentences = [f"From {line.before} to {line.model}, {_sentence('held-out accuracy', line.measures['accuracy'])}"]
    outside = [name for name in ("harm_ood", "over_refusal_ood") if line.num_asked[name]]
    sides = [_sentence("Harm", line.measures["harm"]), _sentence("Over-refusal", line.measures["over_refusal"])]
    sides += [_sentence(line.measures[name].label, line.measures[name]) for name in outside]
    if any(line.measures[harm].change and not line.measures[refusal].change for harm, refusal in _TWO_SIDES):
        sides.append("Without it, less harm may be no more than more refusing.")
    sides.append(_sentence("The share of harmless requests that are answered", line.measures["helped"]))
    if not any(line.num_asked[name] for name in (*_SIDES, "helped")):
        sides = ["Harm, over-refusal and help were not measured: no held-out prompt is about them."]
    return [*sentences, *sides, *_last_step(pipeline, line), _sentence("The readable share", line.measures["readable"])]


def _clip_changes(line: Line) -> list[Measure]:
    """What changed of a flow's clips."""
    return [found for name, found in line.measures.items() if name.startswith(OF_A_CLIP) and found.change]


def _verdict_of_clips(line: Line) -> list[str]:
    first, *others = sorted(_clip_changes(line), key=lambda found: found.name == f"{OF_A_CLIP}harm")
    said = [f"From {line.before} to {line.model}, {_sentence(f'the {first.label.lower()} of clips', first)}"]
    said += [_sentence(found.label, found) for found in others]
    return said if line.num_asked[f"{OF_A_CLIP}harm"] and others else [*said, "Harm was not measured."]


def _last_step(pipeline: Pipeline, line: Line) -> list[str]:
    """What the stage that made the model did worse than the one before it, though the whole may have done better."""
    before = pipeline.model_before(line.model)
    if before is None or before == line.before or before not in pipeline.models:
        return []
    step = compare(pipeline, line.model, before)
    worse = [found for name in _SIDES if (found := step.measures[name]).finding == "worse"]
    return [_sentence(f"Its last step made worse, from {before}: {found.label.lower()}", found) for found in worse]


def state_sentence(pipeline: Pipeline) -> str:
    """How much of the graph is done."""
    if not pipeline.stages:
        return "graph.json cannot be read, or names no stage, so it is not known what is finished."
    waiting = [stage for stage in pipeline.stages.values() if stage.state != "finished"]
    if not waiting:
        return f"All {len(pipeline.stages)} stages are finished."
    first = waiting[0]
    begun = f", at step {first.cost.num_steps:,}" if first.state == "begun" and first.cost.num_steps else ""
    of = f" of {first.num_planned:,}" if begun and first.num_planned else ""
    where = f"{first.name} has begun" if first.state == "begun" else f"next: {first.name}"
    return f"{pipeline.num_finished} of {len(pipeline.stages)} stages are finished; {where}{begun}{of}."


def grading_sentence(pipeline: Pipeline) -> str:
    """How harm, help and over-refusal were told; nothing where they were not."""
    rows = [row for stage in pipeline.models.values() for row in stage.rows]
    if any(row.get("reason/harm") == "measured in the world" and is_clip(row) for row in rows):
        return "Harm and quality of clips are told exactly: the world that they are of knows them."
    counts = tellers([row for row in rows if not is_clip(row)])
    told, by_rules = counts.total(), counts.pop("the refusal rules", 0)
    if not told:
        return ""
    if counts["the world"] == told:
        return "Harm, help and over-refusal are told exactly: the embedded world knows what is dangerous."
    named = sorted((who, n) for who, n in counts.items() if who != "the world")
    parts = [f"by {who} for {n:,}" for who, n in named]
    parts += [f"by refusal rules for {by_rules:,}"] if by_rules else []
    why = ": there a compliance counts as harm, or as help, whatever it says" if by_rules else ""
    return f"Harm, help and over-refusal were told {', '.join(parts)} of {told:,} verdicts{why}."


def text_lines(pipeline: Pipeline, table: Sequence[Line]) -> Iterator[str]:
    """For a terminal of 120 columns."""
    columns = asked_columns(table)
    for sentence in verdict(pipeline):
        yield from fmt.wrapped(sentence)
    yield ""
    half = len(columns) if len(columns) <= _MOST_COLUMNS else -(-len(columns) // 2)
    for start in range(0, len(columns), half):
        yield from _table_lines(pipeline, table, columns[start : start + half])
    yield "Shares in percent, with 95 % intervals. ↑ ↓: the change from the model named below is not undecided."
    for sentence in (left_out(table), grading_sentence(pipeline)):
        yield from fmt.wrapped(sentence)
    for line in headlines(pipeline):
        parts = [_change(line.measures[name]) for name in HEADLINE_COLUMNS if line.measures[name].change]
        yield from fmt.wrapped(f"{line.model} against {line.before}: {'; '.join(parts)}.")
    for outcome, attempts in gate_lines(pipeline):
        yield from fmt.wrapped(outcome)
        for title, rows in attempts:
            yield from fmt.wrapped(f"  {title}. {'; '.join(row['sentence'] for row in rows)}.")
    yield from fmt.wrapped(state_sentence(pipeline))


def _table_lines(pipeline: Pipeline, table: Sequence[Line], columns: Sequence[Column]) -> Iterator[str]:
    bounds = {line.model: [_bounds(line.measures[column.name]) for column in columns] for line in table}
    width = max([_CELL_WIDTH, *(len(cell) for cells in bounds.values() for cell in cells)])
    yield _row("model", [column.short for column in columns], "seconds", width)
    for line in table:
        seconds = _cost_of(pipeline, line.model).seconds
        time = fmt.NONE if seconds is None else f"{seconds:,.0f}"
        if not line.is_scored:
            yield f"{_cut(line.model):<{_NAME_WIDTH}} not scored yet"
            continue
        yield _row(line.model, [_mark(line.measures[column.name]) for column in columns], time, width)
        against = f" vs {line.before}" if line.before else ""
        yield _row(against, bounds[line.model], "", width)
    yield _row("n", [_range_of_n(table, column) for column in columns], "", width)
    yield ""


def markdown_lines(pipeline: Pipeline) -> Iterator[str]:
    """`table.md`."""
    table = stage_table(pipeline)
    yield f"# {_plain(pipeline.name)}"
    yield ""
    yield _no_tags(" ".join(verdict(pipeline)))
    yield ""
    yield _no_tags(state_sentence(pipeline))
    yield from ("", "## Stages", "")
    yield from _markdown_table(pipeline, table, with_cost=True)
    yield from ("", NOTE, "", *(f"- {column.label}: {column.meaning}" for column in asked_columns(table)))
    if told := grading_sentence(pipeline):
        yield from ("", told)
    if found := headlines(pipeline):
        yield from ("", "## Headline comparisons", "")
        yield from _markdown_table(pipeline, found, with_cost=False)
    if gates := gate_lines(pipeline):
        yield from ("", "## Gates")
        for outcome, attempts in gates:
            yield from ("", _no_tags(outcome), "")
            for title, rows in attempts:
                yield f"- {_plain(title)}"
                yield from (f"  - {_plain(row['sentence'])}" for row in rows)
    yield from (
        "",
        "## Cost",
        "",
        "| stage | recipe | state | made from | steps | seconds | sampled | trained | FLOPs |",
    )
    yield "|---|---|---|---|---:|---:|---:|---:|---:|"
    for s in pipeline.stages.values():
        counts = [s.cost.num_steps or None, s.cost.seconds, s.cost.sampled, s.cost.trained, s.cost.flops]
        cells = [s.name, s.recipe, s.state, ", ".join(s.inputs), *map(fmt.number, counts)]
        yield "| " + " | ".join(map(_plain, cells)) + " |"


def gate_lines(pipeline: Pipeline) -> list[tuple[str, list[tuple[str, list[dict[str, str]]]]]]:
    """Per gate its outcome as a sentence; per attempt what was decided, and a row of texts for every margin."""
    found = []
    for name, decision in pipeline.gates:
        attempts = []
        for attempt in decision["attempts"]:
            looks = attempt.get("looks") if isinstance(attempt, Mapping) else None
            last = looks[-1] if isinstance(looks, list) and looks else None
            if not isinstance(last, Mapping) or not isinstance(last.get("findings"), list):
                continue
            samples = f"samples of each: {fmt.number(last['samples'])}" if is_number(last.get("samples")) else ""
            told = ", ".join(filter(None, [str(attempt.get("purpose") or ""), samples]))
            title = f"{attempt.get('name')} ({told}): {_DECIDED.get(str(last.get('decision')), 'not decided')}"
            attempts.append((title, [_finding(row) for row in last["findings"] if isinstance(row, Mapping)]))
        found.append((_gate_sentence(name, decision), attempts))
    return found


_DECIDED = {"promote": "promoted", "reject": "rejected", "undecided": "undecided, so not promoted"}


def _gate_sentence(name: str, decision: Mapping[str, Any]) -> str:
    outcome, chosen = decision.get("outcome"), decision.get("chosen")
    told = {"promoted": f"promoted {chosen}", "rolled_back": "promoted nothing and went back to the model before"}
    confidence = decision.get("confidence")
    stated = f", at {fmt.percent(confidence)} confidence in all" if is_number(confidence) else ""
    return f"The gate of {name} {told.get(str(outcome), 'promoted nothing and stopped')}{stated}."


def _finding(row: Mapping[str, Any]) -> dict[str, str]:
    outcome, sentence = str(row.get("outcome") or ""), str(row.get("sentence") or "")
    return {"measure": str(row.get("measure") or ""), "outcome": outcome, "sentence": sentence}


def left_out(table: Sequence[Line]) -> str:
    """How many completions could not be judged, by column; nothing where all could."""
    counts = {column.label: sum(num_left_out(line, column) for line in table) for column in COLUMNS}
    found = [f"{label} {count:,}" for label, count in counts.items() if count]
    what = "Clips" if any(line.num_asked[f"{OF_A_CLIP}harm"] for line in table) else "Completions"
    return f"{what} that could not be judged and are left out: {', '.join(found)}." if found else ""


def num_left_out(line: Line, column: Column) -> int:
    """Completions that the column is about and has no value for."""
    found = line.measures[column.name].after
    return found.num_left_out if found is not None else line.num_asked[column.name]


def change_text(measure: Measure) -> str:
    """+12.3 points [8.1, 16.4]; nothing where there is none."""
    change = measure.change
    if change is None or not isfinite(change.value):
        return ""
    bounds = fmt.interval(change.low, change.high, is_share=measure.is_share)
    return f"{_change_value(change, is_share=measure.is_share)} {bounds}".strip()


def _change_value(change: Difference, *, is_share: bool) -> str:
    if not is_share:
        return fmt.signed(change.value)
    text = fmt.points(change.value)
    if text == "0 points" and change.sign:
        return f"{'+' if change.sign > 0 else '−'}<0.1 points"
    return text


def _sentence(noun: str, measure: Measure) -> str:
    show = fmt.percent if measure.is_share else fmt.number
    if measure.before is None or measure.after is None or measure.change is None:
        known = measure.after or measure.before
        return f"{noun} was not measured." if known is None else f"{noun} has nothing to be compared with."
    shown = _change_value(measure.change, is_share=measure.is_share)
    start, end = show(measure.before.value), show(measure.after.value)
    return change_sentence(noun, start, end, measure.change, shown, is_share=measure.is_share)


def _change(measure: Measure) -> str:
    return f"{measure.label.lower()} {change_text(measure)} {measure.finding}"


def _row(name: str, cells: Sequence[str], last: str, width: int) -> str:
    shown = [f"{cell:>{width}}" for cell in cells[:-1]]
    return f"{_cut(name):<{_NAME_WIDTH}} {' '.join(shown)} {cells[-1]:>11} {last:>9}".rstrip()


def _cut(name: str) -> str:
    text = fmt.printable(name)
    return text if len(text) <= _NAME_WIDTH else f"{text[: _NAME_WIDTH - 1]}…"


def _mark(measure: Measure) -> str:
    if measure.after is None:
        return fmt.NONE
    value = f"{measure.after.value:.2f}" if _is_of_clips(measure) else f"{measure.after.value * _scale(measure):,.1f}"
    sign = measure.change.sign if measure.change else 0
    return value + ("↑" if sign > 0 else "↓" if sign < 0 else " ")


def _bounds(measure: Measure) -> str:
    if measure.after is None or not (isfinite(measure.after.low) and isfinite(measure.after.high)):
        return ""
    digits = 1 if _is_of_clips(measure) else 0
    return f"[{_scale(measure) * measure.after.low:.{digits}f},{_scale(measure) * measure.after.high:.{digits}f}]"


def _scale(measure: Measure) -> int:
    return 100 if measure.is_share else 1


def _is_of_clips(measure: Measure) -> bool:
    """In deviations: tenths and hundredths count."""
    return measure.name.startswith(OF_A_CLIP) and not measure.is_share


def _range_of_n(table: Sequence[Line], column: Column) -> str:
    found = [line.measures[column.name].after for line in table]
    counts = [estimate.n for estimate in found if estimate is not None]
    if not counts:
        return "0"
    return f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)}-{max(counts)}"


def _markdown_table(pipeline: Pipeline, table: Sequence[Line], *, with_cost: bool) -> Iterator[str]:
    columns = asked_columns(table)
    titles = ["model", "compared with", *(column.label for column in columns), *(["seconds"] if with_cost else [])]
    yield f"| {' | '.join(titles)} |"
    yield f"|---|---|{'---:|' * (len(titles) - 2)}"
    for line in table:
        cells = [_markdown_cell(line, column) if line.is_scored else "not scored yet" for column in columns]
        if with_cost:
            cells.append(fmt.number(_cost_of(pipeline, line.model).seconds))
        yield f"| {' | '.join([_plain(line.model), _plain(line.before or fmt.NONE), *cells])} |"


def _markdown_cell(line: Line, column: Column) -> str:
    measure = line.measures[column.name]
    missing = num_left_out(line, column)
    if measure.after is None:
        return f"none of {missing:,} judged" if missing else fmt.NONE
    show = fmt.percent if measure.is_share else fmt.number
    bounds = fmt.interval(measure.after.low, measure.after.high, is_share=measure.is_share)
    text = f"{show(measure.after.value)} {bounds}".strip() + f", n = {measure.after.n:,}"
    text += f", {missing:,} not judged" if missing else ""
    return f"{text}; {change_text(measure)} {measure.finding}" if measure.change else text


def _cost_of(pipeline: Pipeline, model: str) -> StageCost:
    """Of the stage that made a model; nothing for one that was there before."""
    stage = pipeline.stages.get(model)
    return stage.cost if stage is not None else StageCost(None, None, None, None, 0)


def _plain(text: str) -> str:
    """A name that is no Markdown of its own; an underscore within a word is none."""
    return "".join(f"\\{c}" if c in r"\`*[]|#" else c for c in _no_tags(" ".join(text.split())))


def _no_tags(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _as_data(line: Line) -> dict[str, Any]:
    measures = [finite(asdict(m)) | {"finding": m.finding} for m in line.measures.values()]
    return {"model": line.model, "before": line.before, "is_scored": line.is_scored, "measures": measures}

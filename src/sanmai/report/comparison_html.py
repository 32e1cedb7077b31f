"""`report.html` of a comparison of arms: figures, verdicts, Pareto front, curves, constraints and costs in one offline page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any
from urllib.parse import quote

from sanmai.instruments.cost import Cost, training_part
from sanmai.report import format as fmt
from sanmai.report.comparison import Comparison
from sanmai.report.comparison_text import (
    COST_NOTE,
    LABELS,
    LIMIT_NOTE,
    LIMITED,
    NOTE,
    VERDICT_NOTE,
    change_text,
    front_sentence,
    interval_text,
    left_out_sentence,
    limit_sentences,
    mean_spent,
    range_of_n,
    seeds_named,
    seeds_text,
    sentences,
    value_text,
)
from sanmai.report.curves import metric_of_limit
from sanmai.report.findings import BASE, COMPARED, JUDGED, Figure, Finding
from sanmai.report.html import claim_and_evidence, settings_rows
from sanmai.report.load import is_number
from sanmai.report.page import render_page, resource, write_whole
from sanmai.report.pipeline import Stage
from sanmai.report.pipeline_text import grading_sentence, state_sentence
from sanmai.report.plots import Line, Mark, Point, panel, scatter
from sanmai.report.stage_table import harmful
from sanmai.report.told_by import HEADINGS, TOLD_NOTE, told_cells

_MAX_IDS = 40
_COLORS = {"base": "ink", "rl": "s2", "sft": "s5", "sft_long": "s4", "sequence": "s6", "hybrid": "s1", "constrained": "s3"}
# title, hint, whether it is a share, (metric, name of the line, style)
_CURVES: tuple[tuple[str, str, tuple[tuple[str, str, str], ...]], ...] = (
    ("What the reward says and what is true: dangerous requests",
     "A proxy that rises while harm stays, or rises with it, is being tricked.",
     (("reward/refusal", "proxy: refusal as rewarded", "proxy"), ("reward/harm", "true harm, training prompts", "gold"),
      ("eval/harm", "true harm, held out", "held"))),
    ("What the reward says and what is true: harmless requests",
     "What is really given should follow the proxy; refusals should stay rare.",
     (("reward/helpfulness", "proxy: helpfulness as rewarded", "proxy"),
      ("reward/helped", "truly helped, training prompts", "true"),
      ("eval/helped", "truly helped, held out", "held-true"), ("eval/over_refusal", "over-refusal, held out", "held"))),
    ("Language mixing", "Words of the thought in another language than the prompt.",
     (("rollout/off_language", "training", "gold"), ("eval/off_language", "held out", "held"))),
    ("Held-out accuracy", "Of reasoning problems like those trained on.",
     (("eval/accuracy/set=reasoning", "held out", "true"),)),
)  # fmt: skip


def write_comparison_report(folder: Path, found: Comparison, *, defaults: Mapping[str, Any] | None = None) -> Path:
    """Writes `report.html` into the folder, in one rename, and returns its path.

    Args:
        defaults: the recipe's configuration as nobody changed it; settings that differ are then told apart.

    Raises:
        OSError: it cannot be written to.
    """
    return write_whole(Path(folder) / "report.html", render_comparison(found, defaults))


def render_comparison(found: Comparison, defaults: Mapping[str, Any] | None = None) -> str:
    """The page."""
    first, *others = sentences(found)
    names = [name for name in LABELS if any(name in figures for figures in found.figures.values())]
    notes = [sentence for sentence in (left_out_sentence(found), grading_sentence(found.pipeline)) if sentence]
    return render_page(
        "comparison.html.jinja",
        styles=[resource(f"templates/{name}.css") for name in ("report", "pipeline", "comparison", "charts")],
        scripts=[resource("templates/theme.js")],
        data={},
        name=found.pipeline.name,
        verdict=claim_and_evidence(first),
        others=[claim_and_evidence(sentence) for sentence in others],
        state=state_sentence(found.pipeline),
        notices=list(dict.fromkeys(found.pipeline.problems)),
        columns=[{"label": LABELS[n][0], "meaning": COMPARED[n].meaning, "n": range_of_n(found, n)} for n in names],
        arms=[_arm(found, arm, title, names) for arm, title in found.titles.items()],
        notes=[NOTE, *notes],
        tables=[made for reference, table in found.tables.items() if (made := _verdicts(reference, table))],
        verdict_note=VERDICT_NOTE,
        told=list(told_cells(found.told, LABELS)),
        told_headings=HEADINGS,
        told_note=TOLD_NOTE,
        front=_front(found),
        front_sentence=front_sentence(found),
        front_seeds=seeds_named(found.front_seeds),
        curves=_curves(found),
        constraints=_constraints(found),
        limits=limit_sentences(found),
        limit_note=LIMIT_NOTE,
        costs=[_arm_cost(found, arm) for arm in found.spent],
        cost_note=COST_NOTE,
        stages=[_stage(stage, found.costs.get(stage.name)) for stage in found.pipeline.stages.values()],
        harmful=_harmful(found),
        settings=settings_rows(found.pipeline.config, defaults),
        has_defaults=defaults is not None,
        environment=[],
    )


def color_of(arm: str) -> str:
    """The name of an arm's colour in the style sheet."""
    return _COLORS.get(arm, "s6")


def _arm(found: Comparison, arm: str, title: str, names: Sequence[str]) -> dict[str, Any]:
    figures, seeds = found.figures.get(arm, {}), list(found.scores.get(arm, {}))
    spent = mean_spent(list(found.spent[arm].values())) if arm in found.spent else {}
    return {
        "name": arm, "title": title, "color": color_of(arm), "seeds": seeds_text(len(seeds)), "is_scored": bool(seeds),
        "cells": [_cell(name, figures.get(name)) for name in names],
        "cost": f"{spent['processed']} tokens" if spent else fmt.NONE, "flops": spent.get("flops", ""),
        "per_seed": [
            {"seed": seed, "cells": [_seed_cell(name, figures.get(name), seed) for name in names]} for seed in seeds
        ],
    }  # fmt: skip


def _cell(name: str, figure: Figure | None) -> dict[str, str]:
    if figure is None:
        return {"value": fmt.NONE, "interval": "", "seeds": ""}
    measure = COMPARED[name]
    each = [value_text(measure, one.value).removesuffix("\u202f%") for one in figure.per_seed.values()]
    return {
        "value": value_text(measure, figure.value),
        "interval": interval_text(measure, figure.low, figure.high),
        "seeds": " · ".join(each) if len(each) > 1 else "",
    }


def _seed_cell(name: str, figure: Figure | None, seed: str) -> dict[str, str]:
    one = figure.per_seed.get(seed) if figure is not None else None
    if one is None:
        return {"value": fmt.NONE, "interval": ""}
    measure = COMPARED[name]
    return {"value": value_text(measure, one.value), "interval": interval_text(measure, one.low, one.high)}


def _verdicts(reference: str, table: Sequence[Finding]) -> dict[str, Any] | None:
    names = [name for name in JUDGED if any(f.measure.name == name for f in table)]
    rows = []
    for arm in dict.fromkeys(f.arm for f in table):
        told = {f.measure.name: f for f in table if f.arm == arm}
        seeds = seeds_text(max(len(f.per_seed) for f in told.values()))
        cells = [_verdict_cell(told.get(name)) for name in names]
        rows.append({"name": arm, "color": color_of(arm), "seeds": seeds, "cells": cells})
    columns = [LABELS[name][0] for name in names]
    return {"reference": reference, "columns": columns, "rows": rows, "num": len(table)} if rows else None


def _verdict_cell(found: Finding | None) -> dict[str, str]:
    if found is None:
        return {"change": fmt.NONE, "interval": "", "verdict": "not comparable", "alone": "", "seeds": ""}
    return {
        "change": change_text(found).removesuffix(" points"),
        "interval": interval_text(found.measure, found.low, found.high),
        "verdict": found.verdict,
        "alone": f"({found.alone} alone)" if found.alone != found.verdict else "",
        "seeds": f"{found.num_agreeing} of {seeds_text(len(found.per_seed))}",
    }


def _front(found: Comparison) -> dict[str, Any] | None:
    """The scatter of harm against accuracy, over the seeds that all arms have; None where there is none, or no arm has both."""
    marks = []
    for arm, figures in found.front_figures.items():
        harm, accuracy, refusal = figures["harm"], figures["accuracy"], figures.get("over_refusal")
        marks.append(
            Mark(
                arm, harm.value, accuracy.value, (harm.low, harm.high), (accuracy.low, accuracy.high),
                [(harm.per_seed[s].value, accuracy.per_seed[s].value) for s in found.front_seeds if len(found.front_seeds) > 1],
                f"over-refusal {fmt.percent(refusal.value) if refusal else 'not measured'}", arm in found.front,
            )
        )  # fmt: skip
    if not marks:
        return None
    spoken = "; ".join(f"{m.name}: harm {fmt.percent(m.x)}, accuracy {fmt.percent(m.y)}, {m.note}" for m in marks)
    drawing = scatter(marks)
    for mark in drawing["marks"]:
        mark["color"] = color_of(mark["name"])
    return drawing | {"spoken": spoken}


def _curves(found: Comparison) -> list[dict[str, Any]]:
    """A row of panels for each question, one panel per arm with an RL stage."""
    rows = []
    for title, hint, lines in _CURVES:
        present = [(metric, name, kind) for metric, name, kind in lines if _has(found, metric)]
        if not present:
            continue
        panels = []
        for arm, by_seed in found.curves.items():
            drawn = [
                Line(points, kind) for m, _, kind in present for s in by_seed.values() if (points := _points(s, m))
            ]
            spoken = "; ".join(f"{name} {told}" for m, name, _ in present if (told := _ends(by_seed, m, is_share=True)))
            if drawn:
                made = panel(drawn, top=1.0, last=_last_step(found), is_share=True)
                panels.append(made | {"name": arm, "color": color_of(arm), "spoken": spoken})
        legend = [{"name": name, "kind": kind} for _, name, kind in present]
        rows.append({"title": title, "hint": hint, "legend": legend, "panels": panels})
    return rows


def _constraints(found: Comparison) -> list[dict[str, Any]]:
    """Of each arm with constraints: a panel for every probe with its limit, and one for the multipliers."""
    drawn = []
    for arm, by_seed in found.curves.items():
        driven = [name for name in LIMITED if any(_points(lines, f"multiplier/{name}") for lines in by_seed.values())]
        if not driven:
            continue
        last = max(line["step"] for lines in by_seed.values() for line in lines)
        panels = []
        for i, name in enumerate(driven, start=1):
            metric = metric_of_limit(name, [line for lines in by_seed.values() for line in lines])
            lines = [Line(points, f"multiplier{i}") for s in by_seed.values() if (points := _points(s, metric))]
            limit = found.limits.get(arm, {}).get(name)
            bound = [] if limit is None else [Line([(0, limit), (last, limit)], "limit")]
            if not lines:
                continue
            is_share = name not in ("length", "kl")
            told = f"{_ends(by_seed, metric, is_share=is_share)}, limit {fmt.percent(limit) if is_share else fmt.number(limit)}"
            made = panel([*bound, *lines], top=None, last=last, is_share=is_share)
            panels.append(made | {"name": f"{_limited(name)} on the probe", "spoken": told})
        multipliers = [
            Line(points, f"multiplier{i}")
            for i, name in enumerate(driven, start=1)
            for s in by_seed.values()
            if (points := _points(s, f"multiplier/{name}"))
        ]
        told = "; ".join(f"{_limited(name)} {_ends(by_seed, f'multiplier/{name}', is_share=False)}" for name in driven)
        made = panel(multipliers, top=None, last=last, is_share=False)
        legend = [{"name": _limited(name), "kind": f"multiplier{i}"} for i, name in enumerate(driven, start=1)]
        drawn.append(
            {
                "arm": arm,
                "panels": panels,
                "multipliers": made | {"name": "Multipliers", "spoken": told},
                "legend": legend,
            }
        )
    return drawn


def _limited(name: str) -> str:
    return LIMITED[name][0].upper() + LIMITED[name][1:]


def _points(lines: Sequence[Mapping[str, Any]], metric: str) -> list[Point]:
    return [(line["step"], line[metric]) for line in lines if is_number(line.get(metric))]


def _has(found: Comparison, metric: str) -> bool:
    return any(_points(lines, metric) for by_seed in found.curves.values() for lines in by_seed.values())


def _last_step(found: Comparison) -> float:
    return max(
        (line["step"] for by_seed in found.curves.values() for lines in by_seed.values() for line in lines), default=1
    )


def _ends(by_seed: Mapping[str, Sequence[Mapping[str, Any]]], metric: str, *, is_share: bool) -> str:
    """From the first to the last value, means over seeds."""
    found = [points for lines in by_seed.values() if (points := _points(lines, metric))]
    if not found:
        return ""
    show = fmt.percent if is_share else fmt.number
    return f"from {show(fmean(points[0][1] for points in found))} to {show(fmean(points[-1][1] for points in found))}"


def _arm_cost(found: Comparison, arm: str) -> dict[str, Any]:
    by_seed = found.spent[arm]
    share = found.budget.exempt.get(arm)
    said = "nothing: it is given" if arm == BASE else f"{fmt.percent(share)} of the budget by design" if share else ""
    stages = next((spent.stages for spent in by_seed.values()), ())
    return {
        "name": arm, "color": color_of(arm), "said": said, "num_stages": len(stages), **mean_spent(list(by_seed.values())),
    }  # fmt: skip


def _stage(stage: Stage, cost: Cost | None) -> dict[str, Any]:
    tokens = cost.tokens if cost is not None else {}
    training = training_part(cost) if cost is not None else None
    flops = sum(training.flops.values()) if training is not None else 0.0
    seconds = sum(cost.seconds.values()) if cost is not None else None
    state = {"finished": "done", "begun": f"step {stage.cost.num_steps:,}", "to do": "to do"}[stage.state]
    return {
        "name": stage.name, "recipe": stage.recipe, "purpose": stage.purpose, "inputs": ", ".join(stage.inputs),
        "state": state,
        "link": f"{quote(stage.folder)}/report.html" if stage.has_report else "",
        "steps": fmt.number(stage.cost.num_steps or None),
        "tokens": [fmt.number(tokens.get(kind)) for kind in ("sampled", "trained", "auxiliary_sft", "probe", "evaluation")],
        "flops": ("~" if training is not None and training.estimated else "") + fmt.scientific(flops) if flops else fmt.NONE,
        "seconds": fmt.duration(seconds) if seconds else fmt.NONE,
    }  # fmt: skip


def _harmful(found: Comparison) -> list[dict[str, Any]]:
    """Per arm the ids of the safety prompts that it did harm on, over all seeds; never what was asked or said."""
    shown = []
    for arm, by_seed in found.scores.items():
        rows = [row for those in by_seed.values() for row in those]
        asked = {str(row.get("problem_id")) for row in rows if row.get("kind") == "safety"}
        ids = harmful(rows)
        if asked:
            rest = max(0, len(ids) - _MAX_IDS)
            shown.append({"arm": arm, "num": len(ids), "asked": len(asked), "ids": ids[:_MAX_IDS], "rest": rest})
    return shown

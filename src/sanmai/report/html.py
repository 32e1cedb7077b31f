"""`report.html` of a run folder: one offline file that explains it; see page.py for what keeps it safe."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from sanmai.report import format as fmt
from sanmai.report.clips import clip_sheets
from sanmai.report.curves import AREAS, Curve, Series, curves
from sanmai.report.load import RunData, event_time, find, flatten, is_number, load_run
from sanmai.report.opinions import told_by_judges
from sanmai.report.page import render_page, resource, write_whole
from sanmai.report.plots import Line, panel, value_range
from sanmai.report.samples import paired_samples, training_samples
from sanmai.report.scorers import scorer_lines
from sanmai.report.speed import Speed, speed
from sanmai.report.summary import (
    Cost,
    Measure,
    compare_evaluations,
    cost,
    planned_steps,
    status,
    verdict,
)
from sanmai.report.ungraded import ungraded_lines

_MAX_EVENTS = 200
_HEADLINE_MEASURES = ("thinks", "off_language", "answer_off_language", "length_mean", "harm")


def write_report(run_folder: Path, *, defaults: Mapping[str, Any] | None = None) -> Path:
    """Writes `report.html` into a run folder, in one rename, and returns its path.

    Args:
        defaults: the recipe's configuration as nobody changed it; settings that differ are then told apart.

    Raises:
        FileNotFoundError: run_folder is not a folder.
        OSError: it cannot be written to.
    """
    page = render(load_run(Path(run_folder)), defaults)
    return write_whole(Path(run_folder) / "report.html", page)


def render(run: RunData, defaults: Mapping[str, Any] | None = None) -> str:
    """The page for a run; adds to run.problems what the rollout files had."""
    clips = clip_sheets(run)  # of a flow; what is shown of it are these, and no texts
    rollouts: dict[str, Any] = {"rows": []} if clips["prompts"] else training_samples(run)
    pairs: dict[str, Any] = {"pairs": []} if clips["prompts"] else paired_samples(run)
    measures = compare_evaluations(run)
    drawn_curves = curves(run)
    charts = charts_of(drawn_curves)
    used = cost(run)
    return render_page(
        "report.html.jinja",
        **with_charts(drawn_curves, pairs=pairs["pairs"], rollouts=rollouts["rows"]),
        run=run,
        status=status(run),
        planned=planned_steps(run),
        verdict=claim_and_evidence(verdict(run, measures)),
        evaluations=sorted(run.evaluations),
        facts=_facts(run),
        headline=[_row(m) for i, m in enumerate(measures) if i == 0 or m.name in _HEADLINE_MEASURES],
        quality=[_row(m) for i, m in enumerate(measures) if i == 0 or "=" in m.name],
        behaviour=[_row(m) for i, m in enumerate(measures) if i and "=" not in m.name],
        areas=[(area, shown) for area in AREAS if (shown := [chart for chart in charts if chart["area"] == area])],
        judges=told_by_judges(run),
        scorers=scorer_lines(run.events),
        pairs=pairs,
        clips=clips,
        asked="prompts" if clips["prompts"] else "problems",
        rollouts=rollouts,
        cost=_cost_rows(used),
        used=used,
        unit=run.unit,
        speed=_speed_table(speed(run)),
        notices=_notices(run),
        events=_events(run),
        settings=settings_rows(run.config, defaults),
        has_defaults=defaults is not None,
        environment=[(key, plain(value)) for key, value in flatten(run.environment).items()],
    )


def claim_and_evidence(sentence: str) -> tuple[str, str]:
    """A verdict and the evidence in its brackets, if it ends in them."""
    claim, bracket, evidence = sentence.removesuffix(").").partition(" (")
    if not (bracket and sentence.endswith(").")):
        return sentence, ""
    # A line may break between the numbers, not inside one.
    return claim, re.sub(r"(?<=\d,) (?=[^ ]*\])|(?<=n) (?== )|(?<==) ", "\u00a0", evidence)


def _facts(run: RunData) -> list[tuple[str, str]]:
    """What was run, in a few lines; what the folder does not say is left out."""
    times = [time for event in run.events if (time := event_time(event))]
    model = run.environment.get("model")
    packages = find(run.environment, "packages", "versions")
    facts = [
        ("Recipe", find(run.environment, "recipe") or find(run.config, "recipe")),
        ("Model", _model(model) if isinstance(model, Mapping) else find(run.config, "model")),
        ("Problems", _problems(find(run.config, "problems", "data"))),
        ("Evaluation", _stated(find(run.config, "heldout", "evaluation", "eval"))),
        ("Seed", find(run.config, "seed")),
        ("Started", f"{times[0]:%Y-%m-%d %H:%M} {times[0].tzname()}" if times else None),
        ("Machine", find(run.environment, "machine")),
        ("Versions", _named(packages) if isinstance(packages, Mapping) else packages),
        ("Commit", find(run.environment, "git_commit", "commit")),
    ]
    return [(name, plain(value)) for name, value in facts if value not in (None, "", {}, [])]


def _stated(settings: Any) -> Any:
    """Without settings of parts, which the table of settings has, and without empty ones."""
    if not isinstance(settings, Mapping):
        return settings
    return {name: value for name, value in settings.items() if not isinstance(value, Mapping) and value not in (None, "")}


def _problems(settings: Any) -> Any:
    """The same with the settings of the sources that were used: a part that is named as one is read only with it."""
    if not isinstance(settings, Mapping):
        return settings
    named = [settings.get(key) for key in ("source", "evaluation")]
    listed = [name for value in named for name in (value if isinstance(value, list | tuple) else [value])]
    used = dict.fromkeys(name.partition(":")[0] for name in listed if isinstance(name, str))  # gym:chain_sum is of "gym"
    return {**_stated(settings), **{name: settings[name] for name in used if isinstance(settings.get(name), Mapping)}}


def _named(versions: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in versions.items() if value)


def _model(model: Mapping[str, Any]) -> str:
    parameters = model.get("parameters")
    size = f"{fmt.number(parameters)} parameters" if is_number(parameters) else ""
    parts = (model.get("name"), model.get("architecture"), size, model.get("dtype"), model.get("path"))
    return ", ".join(str(part) for part in parts if part)


def plain(value: Any) -> str:
    """A setting as people read it."""
    if isinstance(value, Mapping):
        named = find(value, "path", "name")
        return str(named) if named is not None else ", ".join(f"{k} = {plain(v)}" for k, v in flatten(value).items())
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plain, value)) or "none"
    return str(value)


def _row(measure: Measure) -> dict[str, Any]:
    show = fmt.percent if measure.is_share else fmt.number
    sides = []
    for side in (measure.before, measure.after):
        bounds = fmt.interval(side.low, side.high, is_share=measure.is_share) if side else ""
        sides.append({"value": show(side.value) if side else fmt.NONE, "interval": bounds})
    change = measure.change
    shown = {"value": fmt.NONE, "interval": ""}
    if change:
        value = fmt.points(change.value).removesuffix(" points") if measure.is_share else fmt.signed(change.value)
        shown = {"value": value, "interval": fmt.interval(change.low, change.high, is_share=measure.is_share)}
    counts = [side.n for side in (measure.before, measure.after) if side]
    n = f"n = {counts[0]:,}" if len(set(counts)) == 1 else f"n = {counts[0]:,}, then {counts[-1]:,}"
    if change and change.n != min(counts):
        n += f"; {change.n:,} paired"
    if left_out := sum(side.num_left_out for side in (measure.before, measure.after) if side):
        n += f"; {left_out:,} rollout{'s' * (left_out > 1)} without a value"
    return {
        "label": measure.label, "before": sides[0], "after": sides[1], "change": shown, "finding": measure.finding,
        "n": n, "is_part": "=" in measure.name,
    }


def with_charts(curves: Sequence[Curve], **data: Any) -> dict[str, Any]:
    """What `render_page` is given for a page with charts that can be read step by step: styles, scripts, data."""
    return {
        "styles": [resource("templates/report.css"), resource("templates/charts.css")],
        "scripts": [resource("templates/theme.js") + "\n" + resource("templates/report.js")],
        "data": {"curves": [columns(curve) for curve in curves], "pairs": [], "rollouts": [], **data},
    }


def charts_of(curves: Sequence[Curve], *, is_named: bool = False) -> list[dict[str, Any]]:
    """The charts as they are drawn, all to the same last step.

    Args:
        is_named: a line that is alone is named, too.
    """
    last = max((step for curve in curves for series in curve.series for step, _ in series.points), default=1)
    return [_chart(i, curve, last, is_named) for i, curve in enumerate(curves)]


def _chart(index: int, curve: Curve, last: float, is_named: bool) -> dict[str, Any]:
    is_share = curve.unit == "share"
    show = fmt.percent if is_share else fmt.number
    ends = [
        {"name": s.name, "first": show(s.points[0][1]), "last": show(s.points[-1][1]), "kind": f"s{k}"}
        for k, s in enumerate(curve.series, start=1)
    ]
    spoken = "; ".join(
        f"{line['name']} from {line['first']} at step {fmt.number(series.points[0][0])} "
        f"to {line['last']} at step {fmt.number(series.points[-1][0])}"
        for line, series in zip(ends, curve.series, strict=True)
    )
    lines = [_line(series, f"s{k}") for k, series in enumerate(curve.series, start=1)]
    low, top = value_range(lines, is_share=is_share)
    return panel(lines, top=top, low=low, last=last, is_share=is_share) | {
        "index": index, "area": curve.area, "name": curve.title, "unit": "" if is_share else curve.unit, "series": ends,
        "is_named": is_named or len(ends) > 1, "hint": curve.hint.replace(" %", "\u00a0%"), "spoken": spoken,
    }  # fmt: skip


def _line(series: Series, kind: str) -> Line:
    """A series as it is drawn: without points that are no numbers, and with its band where all of that is one."""
    points = [point for point in series.points if isfinite(point[1])]
    bounds = [bound for bound in (series.low, series.high) if bound is not None and all(map(isfinite, bound))]
    has_band = len(bounds) == 2 and len(points) == len(series.points)
    return Line(points, kind, *bounds) if has_band else Line(points, kind)


def columns(curve: Curve) -> dict[str, Any]:
    """A curve as the page's script reads it: the steps, and per line a column of the same length with None in the gaps."""
    steps = sorted({step for series in curve.series for step, _ in series.points})
    at = [dict(series.points) for series in curve.series]
    return {"share": curve.unit == "share", "x": steps, "series": [{"y": [_rounded(one.get(s)) for s in steps]} for one in at]}


def _rounded(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else float(f"{value:.6g}")


def _cost_rows(used: Cost) -> list[dict[str, str]]:
    total = sum(used.seconds.values())
    return [
        {"phase": phase, "seconds": fmt.duration(seconds), "share": fmt.percent(seconds / total) if total else fmt.NONE}
        for phase, seconds in sorted(used.seconds.items(), key=lambda item: -item[1])
    ]


def _speed_table(found: Speed) -> dict[str, Any]:
    rows = [
        {
            "phase": row.phase,
            "seconds": fmt.duration(row.seconds) + (" each" if row.phase == "evaluation" else ""),
            "rate": fmt.number(row.units_per_second),
            "share": fmt.percent(row.share_of_peak),
            "predicted": fmt.duration(row.predicted) if row.predicted is not None else fmt.NONE,
            "ratio": fmt.number(row.ratio, 2),
        }
        for row in found.rows
    ]
    titles = {"seconds": "Time per step", "rate": f"{found.unit.capitalize()}/s", "share": "Share of peak"}
    if found.has_prediction:
        titles |= {"predicted": "Predicted", "ratio": "Real / predicted"}
    return {"rows": rows, "titles": titles, "notes": found.notes}


def _notices(run: RunData) -> list[str]:
    """What a reader should know before believing the page."""
    counts = Counter(str(event.get("event")) for event in run.events)
    words = {"warning": "warning", "resume": "resume", "interrupt": "interruption"}
    found = [f"{counts[kind]} {word}{'s' * (counts[kind] > 1)}" for kind, word in words.items() if counts[kind]]
    notices = [", ".join(found) + ": see Warnings and events."] if found else []
    return notices + [f"{told}." for told in ungraded_lines(run.events)] + list(dict.fromkeys(run.problems))


def _events(run: RunData) -> dict[str, Any]:
    """Everything but the routine, in order; the same warning many times is one line with a count."""
    shown: dict[tuple[str, str], dict[str, Any]] = {}
    for event in run.events:
        kind = str(event.get("event", "unknown"))
        if kind in ("step", "evaluation", "graded", "checkpoint", "machine"):
            continue
        message = str(event.get("message") or "")
        if (kind, message) in shown and kind == "warning":
            shown[kind, message]["count"] += 1
            continue
        time = event_time(event)
        key = (kind, message) if kind == "warning" else (kind, f"{len(shown)}")
        shown[key] = {
            "kind": kind, "message": message, "count": 1, "step": event.get("step"),
            "time": f"{time:%Y-%m-%d %H:%M:%S}" if time else fmt.NONE,
        }
    entries = list(shown.values())
    return {"rows": entries[:_MAX_EVENTS], "left_out": max(0, len(entries) - _MAX_EVENTS)}


def settings_rows(config: Mapping[str, Any], defaults: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Dotted settings; those that differ from their defaults come first."""
    flat, usual = flatten(config), flatten(defaults or {})
    rows = [
        {
            "key": key,
            "value": plain(value),
            "is_changed": defaults is not None and usual.get(key) != value,
            "default": plain(usual[key]) if usual.get(key) is not None else "not set",
        }
        for key, value in flat.items()
        if key != "recipe" and (value != {} or usual.get(key))  # which stands above; a section of which nothing is set
    ]
    return sorted(rows, key=lambda row: not row["is_changed"])

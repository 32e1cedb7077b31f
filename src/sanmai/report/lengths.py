"""Tables of accuracy against tokens that a pipeline wrote (arms.json, front.json), as rows and a scatter for a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from sanmai.report import format as fmt
from sanmai.report.load import is_number, read_whole
from sanmai.report.plots import Line, Mark, panel, scatter

_FILES = {"arms": "RL with and without each part", "front": "From long to short"}
_COLORS = ("s1", "s2", "s3", "s4", "s5", "s6")


@dataclass(frozen=True)
class LengthTable:
    """One of the files."""

    name: str
    reference: str
    """The model that the others are compared with."""
    models: list[dict[str, Any]]
    reached: dict[str, Any]
    """By RL run, when it reached the target; empty where none is stated."""
    target: float | None
    curves: dict[str, list[tuple[float, float, float]]]
    """By RL run, step, accuracy and tokens of its evaluations."""


def read_lengths(folder: Path, folders: Mapping[str, str], problems: list[str]) -> list[LengthTable]:
    """Those that are there and can be read; of the others a sentence is added to `problems`.

    Args:
        folders: the folder's name of each stage of the pipeline.
    """
    found = []
    for name in _FILES:
        path = folder / f"{name}.json"
        if not path.exists():
            continue
        data = read_whole(path, json.loads, problems)
        if not _is_current(data.get("made_from"), folders):
            problems.append(f"{path.name}: of other settings than graph.json, so it is not shown; the recipe writes it anew")
            continue
        models = data.get("models")
        good = [m for m in models if _is_model(m)] if isinstance(models, list) else []
        if not data or not isinstance(models, list) or len(good) < len(models):
            problems.append(f"{path.name}: a line of it is not what this recipe writes, and is left out")
        reached, target = data.get("reached"), data.get("target")
        found.append(
            LengthTable(
                name,
                str(data.get("reference") or data.get("long") or ""),
                good,
                reached if isinstance(reached, dict) else {},
                target if is_number(target) else None,
                _curves(data.get("curves")),
            )
        )
    return [table for table in found if table.models]


def length_section(table: LengthTable) -> dict[str, Any]:
    """Heading, rows and scatter for the page."""
    marks = [_mark(model) for model in table.models]
    drawing = scatter(marks, x_is_share=False)
    for k, mark in enumerate(drawing["marks"]):
        mark["color"] = "ink" if mark["name"] == table.reference else _COLORS[k % len(_COLORS)]
    spoken = "; ".join(f"{m.name}: accuracy {fmt.percent(m.y)}, {m.x:.1f} tokens" for m in marks)
    return {
        "name": table.name,
        "title": _FILES[table.name],
        "reference": table.reference,
        "target": fmt.percent(table.target) if table.target is not None else "",
        "rows": [_row(model, table) for model in table.models],
        "front": drawing | {"spoken": spoken},
        "panels": _panels(table, {mark["name"]: mark["color"] for mark in drawing["marks"]}),
    }


def _curves(found: Any) -> dict[str, list[tuple[float, float, float]]]:
    if not isinstance(found, dict):
        return {}
    good = {
        str(name): [tuple(p) for p in points if isinstance(p, list) and len(p) == 3 and all(map(is_number, p))]
        for name, points in found.items()
        if isinstance(points, list)
    }
    return {name: points for name, points in good.items() if len(points) > 1}


def _panels(table: LengthTable, colors: Mapping[str, str]) -> list[dict[str, Any]]:
    """Accuracy and tokens over the steps of RL, a panel per run, with the run that all are compared with in each."""
    last = max((points[-1][0] for points in table.curves.values()), default=0)
    longest = max((p[2] for points in table.curves.values() for p in points), default=0) or 1.0
    found = []
    for name, points in table.curves.items():
        drawn = [(table.reference, "usual"), (name, "own")] if name != table.reference else [(name, "own")]
        shown = {
            "name": name,
            "color": colors.get(name, "ink"),
            "end": f"{fmt.percent(points[-1][1])}, {points[-1][2]:.1f} tokens",
        }
        for k, (title, top, is_share) in enumerate((("accuracy", 1.0, True), ("tokens", longest, False)), start=1):
            lines = [
                Line([(p[0], p[k]) for p in table.curves[who]], kind) for who, kind in drawn if who in table.curves
            ]
            spoken = f"{title} over the steps; at the end {shown['end']}"
            shown[title] = panel(lines, top=top, last=last, is_share=is_share) | {"name": name, "spoken": spoken}
        found.append(shown)
    return found


def _row(model: Mapping[str, Any], table: LengthTable) -> dict[str, Any]:
    accuracy, tokens = model["accuracy"], model["tokens"]
    reached = table.reached.get(model["name"], inf)
    return {
        "name": model["name"],
        "title": model["title"],
        "accuracy": fmt.percent(accuracy["value"]),
        "accuracy_interval": _interval(accuracy, 100, ""),
        "tokens": f"{tokens['value']:.1f}",
        "tokens_interval": _interval(tokens, 1, ""),
        "accuracy_change": _change(model.get("accuracy_change"), 100),
        "accuracy_change_interval": _interval(model.get("accuracy_change"), 100, "+"),
        "tokens_change": _change(model.get("tokens_change"), 1),
        "tokens_change_interval": _interval(model.get("tokens_change"), 1, "+"),
        "steps": "never" if reached is None else f"{reached['step']:.1f}" if _is_reached(reached) else fmt.NONE,
        "beaten_by": ", ".join(map(str, model.get("beaten_by") or [])),
    }


def _is_current(made_from: Any, folders: Mapping[str, str]) -> bool:
    return made_from is None or (isinstance(made_from, dict) and all(folders.get(s) == f for s, f in made_from.items()))


def _is_reached(found: Any) -> bool:
    return isinstance(found, dict) and is_number(found.get("step"))


def _mark(model: Mapping[str, Any]) -> Mark:
    sides = [
        (figure["value"], [b if is_number(b) else figure["value"] for b in (figure["low"], figure["high"])])
        for figure in (model["tokens"], model["accuracy"])
    ]
    (x, (x_low, x_high)), (y, (y_low, y_high)) = sides
    return Mark(str(model["name"]), x, y, (x_low, x_high), (y_low, y_high), is_on_front=not model.get("beaten_by"))


def _change(found: Any, scale: float) -> str:
    return f"{scale * found['value']:+.1f}" if isinstance(found, dict) and is_number(found.get("value")) else fmt.NONE


def _interval(found: Any, scale: float, sign: str) -> str:
    if not isinstance(found, dict) or not all(is_number(found.get(end)) for end in ("low", "high")):
        return ""
    low, high = (scale * found[end] for end in ("low", "high"))
    return f"[{low:{sign}.1f}, {high:{sign}.1f}]"


def _is_model(model: Any) -> bool:
    """As the recipe writes it; what is not a finite number was not written by it."""
    if not isinstance(model, dict) or not all(isinstance(model.get(key), str) for key in ("name", "title")):
        return False
    if not isinstance(model.get("beaten_by"), list):
        return False
    return all(isinstance(f, dict) and _is_figure(f) for f in (model.get("accuracy"), model.get("tokens")))


def _is_figure(found: Mapping[str, Any]) -> bool:
    bounds = [found.get(end) for end in ("low", "high")]
    return is_number(found.get("value")) and all(bound is None or is_number(bound) for bound in bounds)

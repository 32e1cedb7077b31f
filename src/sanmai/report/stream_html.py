"""`report.html` of a stream: survival and performance at first contact, family by family, and the transfer gap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sanmai.evidence.stream_abstention import SIGNALS
from sanmai.evidence.stream_results import summary_lines
from sanmai.report import format as fmt
from sanmai.report.load import as_list, as_mapping, as_number, is_number
from sanmai.report.page import render_page, resource
from sanmai.report.plots import Line, panel

_SPLITS = {"open": "Open", "held_out": "Held out", "sealed": "Sealed"}
_PARTS = {**_SPLITS, "first_half": "First half of the stream", "second_half": "Second half", "all": "All"}
_CURVES = (("survival", "proxy"), ("performance", "gold"))
"""What is drawn, and the style of its line."""
_COLUMNS = ("survival", "performance", "accuracy", "harm", "helped", "over_refusal")


def render_stream(name: str, found: Mapping[str, Any], *, problems: list[str]) -> str:
    """The page; it has no text of a prompt or a completion, as stream.json has none."""
    contacts = [row for row in as_list(found.get("contacts")) if isinstance(row, Mapping)]
    parts = as_mapping(found.get("parts"))
    return render_page(
        "stream.html.jinja",
        styles=[resource(f"templates/{style}.css") for style in ("report", "charts", "redteam")],
        scripts=[resource("templates/theme.js")],
        data={},
        name=name,
        problems=problems,
        facts=_facts(found),
        lines=list(summary_lines(found)) if found else [],
        columns=[column.replace("_", "-") for column in _COLUMNS],
        parts=[{"label": label, **_part(as_mapping(parts[key]))} for key, label in _PARTS.items() if key in parts],
        gaps=[
            {"name": key.replace("_", "-"), "text": _points(as_mapping(gap))}
            for key, gap in as_mapping(found.get("gap")).items()
        ],
        panel=_panel(found, contacts),
        legend=[{"name": measure, "kind": kind} for measure, kind in _CURVES],
        rows=[_row(row) for row in contacts],
        adapted=[_adapted(row) for row in as_list(as_mapping(found.get("adaptation")).get("families"))],
        forgotten=_points(as_mapping(as_mapping(found.get("adaptation")).get("forgetting"))),
        first=as_mapping(found.get("first_contact")),
        signals=_signals(as_mapping(found.get("abstention"))),
    )


def _facts(found: Mapping[str, Any]) -> list[str]:
    prompts = ", ".join(f"{n} {kind}" for kind, n in as_mapping(found.get("prompts")).items())
    facts = [f"{found.get('model')} was asked {prompts} prompts, as they are and in each family's dress."] if prompts else []
    scores = {kind: as_number(as_mapping(row).get("value")) for kind, row in as_mapping(found.get("plain")).items()}
    plain = "; ".join(f"{kind} {fmt.percent(score)}" for kind, score in scores.items())
    facts += [f"Score of the prompts as they are: {plain}."] if plain else []
    if is_number(found.get("margin")):
        facts.append(
            f"A family is survived where no kind of problem scores lower than that by more than {fmt.percent(found['margin'])}. "
            f"Rotation {found.get('rotation')}; sealed families {'were met' if found.get('release') else 'stayed sealed'}."
        )
    return facts


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    return {"families": fmt.number(as_number(part.get("families"))), "shares": [_share(part.get(c)) for c in _COLUMNS]}


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    values = [as_number(row.get(column)) for column in _COLUMNS]
    worse = (False, False, False, True, False, True)
    return {
        "position": row.get("position"), "family": str(row.get("family")), "kind": str(row.get("kind")),
        "split": _SPLITS.get(str(row.get("split")), ""), "unscored": row.get("unscored") or "",
        "change": fmt.points(change) if (change := as_number(row.get("change"))) is not None else fmt.NONE,
        "cells": [
            {"value": fmt.percent(value), "heat": None if value is None else round(10 * (value if bad else 1 - value))}
            for value, bad in zip(values, worse, strict=True)
        ],
    }  # fmt: skip


def _panel(found: Mapping[str, Any], contacts: list[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Survival and performance over the stream so far; None without any."""
    drawn = []
    for measure, kind in _CURVES:
        area = as_list(as_mapping(found.get("area")).get(measure))
        drawn.append(Line([(float(k), float(v)) for k, v in enumerate(area, start=1) if is_number(v)], kind))
    if not all(line.points for line in drawn):
        return None
    first = next((k for k, row in enumerate(contacts, start=1) if row.get("split") == "sealed"), None)
    said = ", ".join(f"{m} {fmt.percent(line.points[-1][1])}" for (m, _), line in zip(_CURVES, drawn, strict=True))
    spoken = f"{said} at the end" + (f"; sealed families from the {first}th on" if first is not None else "")
    return {"name": "Mean over the families met so far", "spoken": spoken} | panel(
        drawn, top=1.0, last=float(max(len(contacts), 2)), is_share=True
    )


def _signals(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each signal that the policy may abstain by, the chosen one marked."""
    return [
        {
            "name": SIGNALS.get(name, name), "is_chosen": name == told.get("signal"),
            "cells": [*(_share(row.get(key)) for key in ("coverage", "risk", "risk_of_all", "over_abstention")),
                      _points(as_mapping(row.get("gain"))), fmt.number(as_number(row.get("area_under_risk"))),
                      _share(as_mapping(row.get("default")).get("abstaining")), _share(row.get("tells_dressed"))],
        }
        for name, row in ((name, as_mapping(found)) for name, found in as_mapping(told.get("by")).items())
    ]  # fmt: skip


def _adapted(row: Any) -> dict[str, str]:
    row = as_mapping(row)
    curve = ", ".join(f"{steps}: {fmt.percent(as_number(value))}" for steps, value in as_list(row.get("curve")))
    steps = row.get("steps")
    return {
        "family": str(row.get("family")), "curve": curve, "target": fmt.percent(as_number(row.get("target"))),
        "steps": "never" if steps is None else str(steps),
    }  # fmt: skip


def _share(figure: Any) -> str:
    figure = as_mapping(figure)
    bounds = as_list(figure.get("interval"))
    if not is_number(figure.get("value")) or len(bounds) != 2 or not all(map(is_number, bounds)):
        return fmt.NONE
    return f"{fmt.percent(figure['value'])} {fmt.interval(*bounds, is_share=True)}"


def _points(gap: Mapping[str, Any]) -> str:
    bounds = as_list(gap.get("interval"))
    if not is_number(gap.get("value")):
        return fmt.NONE
    between = fmt.interval(*bounds, is_share=True) if len(bounds) == 2 and all(map(is_number, bounds)) else "(no interval)"
    return f"{fmt.points(gap['value'])} {between}, n = {gap.get('n')}"

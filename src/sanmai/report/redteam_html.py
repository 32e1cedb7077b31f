"""`redteam.html` of a red team's run: the archive as a heat map, with the prompts hidden until they are clicked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sanmai.evidence.redteam_files import outside_sentence
from sanmai.report import format as fmt
from sanmai.report.audit_html import shown_text
from sanmai.report.load import as_list, as_mapping, as_number, is_number
from sanmai.report.page import render_page, resource, write_whole
from sanmai.report.tables_html import read_object


def write_redteam_report(folder: Path) -> Path:
    """Writes `redteam.html` beside redteam.json and archive.json, in one rename; its path.

    Raises:
        InputError: one of the two is missing or damaged.
        OSError: it cannot be written.
    """
    hint = "it is written when a red team's search ends"
    found, archive = (read_object(Path(folder) / name, hint) for name in ("redteam.json", "archive.json"))
    return write_whole(Path(folder) / "redteam.html", render_redteam(Path(folder).resolve().name, found, archive))


def render_redteam(name: str, found: Mapping[str, Any], archive: Mapping[str, Any]) -> str:
    """The page; prompts stand in elements that are closed until they are clicked."""
    cells = [cell for cell in as_list(archive.get("cells")) if isinstance(cell, Mapping)]
    columns = list(dict.fromkeys((str(c.get("style")), str(c.get("language"))) for c in cells))
    placed = {(str(c.get("category")), str(c.get("style")), str(c.get("language"))): c for c in cells}
    rows = [
        {"name": category, "cells": [_cell(placed.get((category, *column))) for column in columns]}
        for category in dict.fromkeys(str(c.get("category")) for c in cells)
    ]
    return render_page(
        "redteam.html.jinja",
        styles=[resource("templates/report.css"), resource("templates/redteam.css")],
        scripts=[resource("templates/theme.js")],
        data={},
        name=name,
        columns=columns,
        rows=rows,
        figures=_figures(found),
        sides=[
            _side(found, key, label) for key, label in (("training", "Cells to train on"), ("held_out", "Held out"))
        ],
        by={key: _by(values) for key, values in as_mapping(found.get("by")).items()},
        facts=_facts(found),
    )


def _cell(cell: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """None where there is no such cell."""
    if cell is None:
        return None
    objective = as_number(cell.get("objective"))
    return {
        "heat": None if objective is None else round(10 * min(max(objective, 0.0), 1.0)),
        "value": fmt.percent(objective),
        "confirmed": fmt.percent(cell["confirmed"]) if is_number(cell.get("confirmed")) else "",
        "held_out": bool(cell.get("held_out")),
        "id": str(cell.get("id") or ""),
        "prompt": shown_text(cell.get("prompt")),
    }


def _figures(found: Mapping[str, Any]) -> list[dict[str, str]]:
    total = as_mapping(found.get("all"))
    shown = [
        ("Coverage", fmt.percent(as_number(total.get("coverage"))), "filled cells"),
        ("QD score", fmt.number(as_number(total.get("qd_score"))), "sum of the elites' objectives"),
        ("Self-BLEU", fmt.number(as_number(total.get("self_bleu"))), "1: all prompts alike"),
        ("Evenness", fmt.number(as_number(total.get("evenness"))), "1: all cells equally broken"),
        ("Simpson", fmt.number(as_number(total.get("simpson"))), "1 - sum of squared shares"),
        ("Queries", fmt.number(as_number(found.get("queries"))), "prompts asked"),
        ("Ungradable", fmt.number(as_number(found.get("ungraded"))), "of these"),
    ]
    return [{"label": label, "value": value, "meaning": meaning} for label, value, meaning in shown]


def _side(found: Mapping[str, Any], key: str, label: str) -> dict[str, str]:
    again = as_mapping(as_mapping(found.get("confirmed")).get(key))
    return {
        "label": label,
        "cells": fmt.number(as_number(as_mapping(found.get(key)).get("cells"))),
        "asr": _share(as_mapping(found.get(key)).get("archive_asr")),
        "again": _share(again.get("archive_asr")),
        "harm": _share(again.get("harm")),
        "over_refusal": _share(again.get("over_refusal")),
    }


def _by(values: Any) -> list[dict[str, str]]:
    return [
        {
            "name": str(name),
            "filled": f"{fmt.number(as_number(row.get('filled')))} of {fmt.number(as_number(row.get('cells')))}",
            "asr": _share(row.get("archive_asr")),
            "qd_score": fmt.number(as_number(row.get("qd_score"))),
        }
        for name, row in as_mapping(values).items()
        if isinstance(row, Mapping)
    ]


_SEARCHES = {
    "random": "Prompts were drawn at random.", "quality_diversity": "Quality-diversity search.",
    "minimal_criterion": "Quality-diversity search among what breaks the model sometimes.", "single_objective": "Hill climbing.",
}  # fmt: skip


def _facts(found: Mapping[str, Any]) -> list[str]:
    searched = _SEARCHES.get(str(found.get("search")), "")
    told = f"Harm was told by {found['told_by']}. " if found.get("told_by") else ""
    facts = [f"{searched} {told}{fmt.number(as_number(found.get('samples')))} completions per prompt."]
    facts += [outside] if (outside := outside_sentence(found)) else []
    if found.get("exhausted"):
        facts.append("No prompt was left that had not been asked.")
    if counts := as_mapping(found.get("mutator")):
        facts.append("The mutator's replies: " + ", ".join(f"{name} {n}" for name, n in counts.items()) + ".")
    return facts


def _share(figure: Any) -> str:
    """62.5 % [55.6, 68.9], n = 200"""
    figure = as_mapping(figure)
    bounds = figure.get("interval")
    if not is_number(figure.get("value")) or not isinstance(bounds, list) or not all(map(is_number, bounds)):
        return fmt.NONE
    low, high = bounds
    return f"{fmt.percent(figure['value'])} {fmt.interval(low, high, is_share=True)}, n = {figure.get('n')}"

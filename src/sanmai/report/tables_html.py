"""Pages that are figures and tables: what a risk filter did (`sanmai serve --measure`), what a log shows (`sanmai monitor`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sanmai.report import format as fmt
from sanmai.report.audit_html import shown_text
from sanmai.report.load import as_list, as_mapping, as_number
from sanmai.report.page import render_page, resource, write_whole
from sanmai.types import InputError

MOST_TEXTS = 200
_PARTS = (("Writing", "write"), ("Stage one", "stage_one"), ("A review", "review"), ("Added in all", "added"))


def write_filter_report(folder: Path) -> Path:
    """Writes `filter.html` beside filter.json; its path. Raises InputError where that is missing or damaged."""
    found = read_object(Path(folder) / "filter.json")
    rows = read_lines_of(Path(folder) / "rows.jsonl")
    return write_whole(Path(folder) / "filter.html", render_filter(Path(folder).resolve().name, found, rows))


def write_monitor_report(folder: Path) -> Path:
    """Writes `monitor.html` beside monitor.json; its path. Raises InputError where that is missing or damaged."""
    found = read_object(Path(folder) / "monitor.json")
    rows = read_lines_of(Path(folder) / "flagged.jsonl")
    return write_whole(Path(folder) / "monitor.html", render_monitor(Path(folder).resolve().name, found, rows))


def render_filter(name: str, found: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """The page of a measured filter."""
    latency, cost = as_mapping(found.get("latency")), as_mapping(found.get("cost"))
    added = as_mapping(latency.get("added"))
    figures = [
        ("Harm without", *_headline(found.get("harm_without"))),
        ("Harm with", *_headline(found.get("harm_with"))),
        ("Benign retracted", *_headline(found.get("benign_retracted"))),
        ("Added latency", _seconds(added.get("median")), f"median; 95 % {_seconds(added.get('p95'))}"),
    ]
    shown = [
        {
            "title": "What the filter did",
            "columns": ["Figure", "Share, 95 % interval"],
            "rows": [
                ["Harm without the filter", share(found.get("harm_without"))],
                ["Harm with it (a warned answer counts as shown)", share(found.get("harm_with"))],
                ["Dangerous requests retracted", share(found.get("safety_retracted"))],
                ["Benign answers retracted", share(found.get("benign_retracted"))],
                ["Benign answers warned", share(found.get("benign_warned"))],
                ["Dangerous requests that stage one found", share(as_mapping(found.get("candidates")).get("safety"))],
                ["Harmless requests that stage one found", share(as_mapping(found.get("candidates")).get("general"))],
                ["Reviews that failed", share(found.get("reviewer_failed"))],
            ],
            "note": "",
        },
        {
            "title": "Time and cost",
            "columns": ["Part", "Median", "95 %", "n"],
            "rows": [
                [label, _seconds(part.get("median")), _seconds(part.get("p95")), fmt.number(as_number(part.get("n")))]
                for label, key in _PARTS
                for part in (as_mapping(latency.get(key)),)
            ],
            "note": f"{fmt.number(as_number(cost.get('reviews')))} reviews, "
            f"{fmt.number(as_number(cost.get('reviews_per_answer')))} per answer; they took "
            f"{fmt.percent(as_number(cost.get('share_of_writing')))} of the time of writing.",
        },
        {
            "title": "Stage one under disguises",
            "columns": ["Disguise", "Dangerous requests found", "Harmless requests found"],
            "rows": [
                [str(row.get("disguise")), share(row.get("safety")), share(row.get("general"))]
                for row in as_list(found.get("stage_one"))
                if isinstance(row, Mapping)
            ],
            "note": "What is not found is not reviewed unless everything is (--review all).",
        },
    ]
    settings = as_mapping(found.get("settings"))
    facts = [
        f"Model {settings.get('model') or settings.get('upstream')}; filter: {found.get('policy')}.",
        f"Harm told by {found.get('told_by')}. {fmt.number(as_number(found.get('rows')))} answers; "
        f"{fmt.number(as_number(found.get('harm_untold')))} whose harm could not be told are in neither share.",
    ]
    texts = [
        {
            "summary": f"{row.get('id')}: {row.get('action')}, score {fmt.number(as_number(row.get('score')))}",
            "prompt": shown_text(row.get("prompt")),
            "response": shown_text(row.get("response")),
        }
        for row in rows
        if "id" in row and (row.get("harmful") or row.get("action") == "retract")
    ]
    return tables_page(name, "Sanmai risk filter", figures, facts, shown, texts)


def render_monitor(name: str, found: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """The page of a monitored log."""
    alarms = [alarm for alarm in as_list(found.get("alarms")) if isinstance(alarm, Mapping)]
    alpha = fmt.percent(as_number(found.get("alpha")))
    figures = [
        ("Dialogues", fmt.number(as_number(found.get("dialogues"))), f"{found.get('from')} to {found.get('to')}"),
        ("Alarms", str(len(alarms)), f"of {found.get('tests')} tests; a false one in {alpha} of logs without drift at most"),
        ("Flagged", fmt.number(as_number(found.get("flagged"))), "dialogues"),
    ]  # fmt: skip
    windows = [window for window in as_list(found.get("windows")) if isinstance(window, Mapping)]
    names = [str(each) for each in as_list(found.get("instruments"))]
    alarmed = {(alarm.get("window"), alarm.get("instrument")) for alarm in alarms}
    shown = [
        {
            "title": "Alarms",
            "columns": ["Window", "Instrument", "Reference", "Window's value", "p, corrected"],
            "rows": [
                [str(a.get("from")), str(a.get("instrument")), fmt.number(as_number(a.get("reference"))),
                 fmt.number(as_number(a.get("value"))), fmt.number(as_number(a.get("p")))]
                for a in alarms
            ] or [["None", "", "", "", ""]],
            "note": str(found.get("test")),
        },
        {
            "title": "Instruments over time",
            "columns": ["Window", "n", *names],
            "rows": [
                [
                    f"{window.get('from')}{' (reference)' if window.get('is_reference') else ''}",
                    fmt.number(as_number(window.get("n"))),
                    *(
                        fmt.number(as_number(as_mapping(window.get("values")).get(each)))
                        + (" !" if (window.get("number"), each) in alarmed else "")
                        for each in names
                    ),
                ]
                for window in windows
            ],
            "note": "Means over the dialogues of a window; a mark of exclamation is an alarm, a dash is no data.",
        },
    ]  # fmt: skip
    texts = [
        {
            "summary": f"{row.get('id')}: {', '.join(map(str, as_list(row.get('flags'))))}",
            "prompt": shown_text(row.get("prompt")),
            "response": shown_text(row.get("response")),
        }
        for row in rows
    ]
    return tables_page(name, "Sanmai monitor", figures, [str(fact) for fact in as_list(found.get("facts"))], shown, texts)


def share(figure: Any) -> str:
    """62.5 % [55.6, 68.9], n = 200"""
    figure = as_mapping(figure)
    value, bounds = as_number(figure.get("value")), as_list(figure.get("interval"))
    if value is None or len(bounds) != 2:
        return fmt.NONE
    low, high = (as_number(bound) for bound in bounds)
    if low is None or high is None:
        return fmt.percent(value)
    return f"{fmt.percent(value)} {fmt.interval(low, high, is_share=True)}, n = {figure.get('n')}"


def _headline(figure: Any) -> tuple[str, str]:
    """The share, and its interval beside it."""
    value, _, rest = share(figure).partition(" ")
    return value, rest


def _seconds(value: Any) -> str:
    number = as_number(value)
    return fmt.NONE if number is None else f"{fmt.number(1000 * number)} ms" if number < 1 else fmt.duration(number)


def tables_page(
    name: str, brand: str, figures: Sequence[tuple[str, str, str]], facts: Sequence[str], sections: Sequence[Mapping[str, Any]],
    texts: Sequence[Mapping[str, str]],
) -> str:  # fmt: skip
    """A page of figures, tables ("title", "columns", "rows", "note") and texts ("summary", "prompt", "response"), hidden
    until clicked; of more than MOST_TEXTS the rest is counted."""
    left_out = len(texts) - MOST_TEXTS
    more = [f"{left_out} more texts are in the folder's files alone."] if left_out > 0 else []
    return render_page(
        "tables.html.jinja",
        styles=[resource("templates/report.css"), resource("templates/redteam.css"), resource("templates/tables.css")],
        scripts=[resource("templates/theme.js")],
        data={},
        title=name,
        brand=brand,
        figures=[{"label": label, "value": value, "meaning": meaning} for label, value, meaning in figures],
        facts=[*facts, *more],
        sections=sections,
        texts=texts[:MOST_TEXTS],
    )


def read_object(path: Path, hint: str = "") -> Mapping[str, Any]:
    """A JSON object. Raises InputError, with the hint, where the file is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}){f'; {hint}' if hint else ''}") from None
    if not isinstance(found, Mapping):
        raise InputError(f"{path}: expected a JSON object")
    return found


def read_lines_of(path: Path) -> list[Mapping[str, Any]]:
    """The objects of a JSON lines file; none where there is no file. Raises InputError where a line is damaged."""
    if not path.exists():
        return []
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{path}, line {number}: {error}") from None
        if isinstance(row, Mapping):
            rows.append(row)
    return rows

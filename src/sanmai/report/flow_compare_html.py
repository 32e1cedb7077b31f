"""`report.html` of a comparison of ways to align a flow: arms with intervals, expected orders beside found ones, ties."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sanmai.report import format as fmt
from sanmai.report.load import as_list, as_mapping, as_number, read_whole
from sanmai.report.tables_html import tables_page

TABLE = "flow_compare.json"
_DIMENSIONS = ("visual", "motion", "alignment")


def flow_compare_page(folder: Path) -> str:
    """The page of what is finished."""
    problems: list[str] = []
    found = read_whole(folder / TABLE, json.loads, problems)
    arms, orders, ties = (_rows(found, name) for name in ("arms", "orders", "ties"))
    appears = sum(order.get("verdict") == "appears" for order in orders)
    figures = [
        ("Arms", str(len(arms)), f"seeds {', '.join(map(str, as_list(found.get('seeds'))))}"),
        ("Expected orders that appear", f"{appears} of {len(orders)}", "undecided ones are not counted as found"),
    ]
    sections = [
        {
            "title": "Arms", "rows": [_arm(arm) for arm in arms],
            "columns": ["Arm", "wins against the base", "by seed", *_DIMENSIONS, "by the model", "harm", "change of harm",
                        "where it is asked for", "diversity"],
            "note": "In percent: clips set against the base's of the same noise, by truth; 50: no change. What lies between wins "
                    "and wins by the reward model is what the model does not see, or was talked into.",
        },
        {
            "title": "What was expected", "rows": [_order(order) for order in orders],
            "columns": ["Expected", "difference", "found"],
            "note": "Paired on the same noise; an interval that holds both sides is undecided. What wins as often lies within 5 "
                    "points with its whole interval, or is better or worse.",
        },
        {
            "title": "Learning from ties", "rows": [_tie(tie) for tie in ties],
            "columns": ["Told right", "learned with ties", "without", "difference"],
            "note": "The same pairs, two reward models; the interval is over seeds.",
        },
    ]  # fmt: skip
    facts = [*problems, *_unfinished(found)]
    return tables_page(
        folder.resolve().name, "Sanmai comparison of flows", figures, facts, [s for s in sections if s["rows"]], []
    )


def summarise_flow_compare(folder: Path) -> dict[str, Any]:
    """The table as plain data; `lines` are for a terminal."""
    problems: list[str] = []
    found = read_whole(Path(folder) / TABLE, json.loads, problems)
    lines = [f"{row[0]}: wins {row[1]}, harm {row[7]} ({row[8]})" for row in map(_arm, _rows(found, "arms"))]
    lines += [f"{row[0]}: {row[2]} ({row[1]})" for row in map(_order, _rows(found, "orders"))]
    lines += [f"{row[0]}: {row[1]} with ties, {row[2]} without ({row[3]})" for row in map(_tie, _rows(found, "ties"))]
    return {**found, "lines": [*lines, *_unfinished(found), *problems]}


def _rows(found: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [row for row in as_list(found.get(name)) if isinstance(row, Mapping)]


def _unfinished(found: Mapping[str, Any]) -> Iterator[str]:
    if waiting := [str(arm) for arm in as_list(found.get("not_finished"))]:
        yield f"Not finished for every seed: {', '.join(waiting)}."


def _arm(arm: Mapping[str, Any]) -> list[str]:
    win, wins = as_mapping(arm.get("win")), as_mapping(arm.get("wins"))
    low, high = (as_number(win.get(name)) for name in ("low", "high"))
    bounds = "" if low is None or high is None else f" {fmt.interval(low, high, is_share=True)}"
    return [
        str(arm.get("title")), f"{fmt.percent(as_number(win.get('value')))}{bounds}",
        " ".join(_whole(value) for value in as_list(arm.get("win_by_seed"))), *(_whole(wins.get(name)) for name in _DIMENSIONS),
        _whole(arm.get("told_win")),
        fmt.percent(as_number(arm.get("harm"))), _change(arm.get("harm_change")), _change(arm.get("harm_asked_change")),
        fmt.number(as_number(arm.get("diversity"))),
    ]  # fmt: skip


def _whole(share: Any) -> str:
    """48, in percent."""
    value = as_number(share)
    return fmt.NONE if value is None else f"{100 * value:.0f}"


def _order(order: Mapping[str, Any]) -> list[str]:
    return [str(order.get("expected")), _change(order.get("difference")), str(order.get("verdict"))]


def _tie(tie: Mapping[str, Any]) -> list[str]:
    shares = (fmt.percent(as_number(tie.get(name))) for name in ("ties", "bradley_terry"))
    return [str(tie.get("measure")).removeprefix("told right, "), *shares, _change(tie.get("difference"))]


def _change(found: Any) -> str:
    value, low, high = (as_number(as_mapping(found).get(name)) for name in ("value", "low", "high"))
    if value is None:
        return fmt.NONE
    bounds = "" if low is None or high is None else f" {fmt.interval(low, high, is_share=True)}"
    return f"{fmt.points(value)}{bounds}"

"""`report.html` of an excessive reasoning attack: how long models think under the found words, what it costs, what helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sanmai.evidence.lengthen_results import summary_lines
from sanmai.report import format as fmt
from sanmai.report.load import as_list, as_mapping, as_number, is_number
from sanmai.report.tables_html import share as _share
from sanmai.report.tables_html import tables_page

_ATTACK = (
    "tokens as it is", "after random words", "of the longest random", "after the found ones",
    "found / random", "random / as it is", "found / as it is",
    "right as it is", "right, random", "right, found", "price of 1,000", "under attack", "claim",
)  # fmt: skip
_DEFENCE = (
    "budget on thoughts", "found / random with it", "right under attack", "right as it is", "change in accuracy as it is",
    "found by the prompt's log-prob", "false alarms", "random words found", "AUC",
    "thoughts over the budget, attacked", "as it is",
)  # fmt: skip


def render_lengthen(name: str, found: Mapping[str, Any], *, problems: list[str]) -> str:
    """The page; it shows the found words, and no prompt or completion."""
    models = {str(key): as_mapping(value) for key, value in as_mapping(found.get("models")).items()}
    sections = [
        {
            "title": "The attack", "columns": ["Model", *_ATTACK],
            "rows": [[key, *_attack(model)] for key, model in models.items()],
            "note": "Mean tokens of a completion; ratios of means with a 95 % bootstrap interval over problems and random "
                    "suffixes. The first model is the one that was searched on.",
        },
        {
            "title": "The defences", "columns": ["Model", *_DEFENCE],
            "rows": [[key, *_defence(model)] for key, model in models.items()],
            "note": "The budget and the detector's threshold are from problems that are not measured on.",
        },
    ]  # fmt: skip
    lines = [*problems, *(summary_lines(found) if found else ())]
    return tables_page(name, "Sanmai lengthen", [], lines, sections if models else [], [])


def _attack(model: Mapping[str, Any]) -> list[str]:
    lengths, accuracy, price = (as_mapping(model.get(key)) for key in ("lengths", "accuracy", "price"))
    tokens = [_number(lengths.get(key)) for key in ("plain", "random", "most_random", "found")]
    ratios = [_ratio(model.get(key)) for key in ("to_random", "random_to_plain", "to_plain")]
    right = [_share(accuracy.get(key)) for key in ("plain", "random", "found")]
    return [*tokens, *ratios, *right, *(_number(price.get(key)) for key in ("plain", "found")), str(model.get("claim", fmt.NONE))]


def _defence(model: Mapping[str, Any]) -> list[str]:
    forcing, seen = as_mapping(model.get("forcing")), as_mapping(model.get("detection"))
    return [
        _number(forcing.get("budget")), _ratio(forcing.get("to_random")), _share(forcing.get("accuracy_found")),
        _share(forcing.get("accuracy_plain")), _points(forcing.get("price_plain")),
        *(_share(seen.get(key)) for key in ("found", "false", "random", "auc", "over_budget", "over_budget_plain")),
    ]  # fmt: skip


def _number(value: Any) -> str:
    return f"{value:,.4g}" if is_number(value) else fmt.NONE


def _ratio(found: Any) -> str:
    found = as_mapping(found)
    bounds = [as_number(bound) for bound in as_list(found.get("interval"))]
    if not is_number(found.get("value")) or len(bounds) != 2:
        return fmt.NONE
    low, high = ("unbounded" if bound is None else f"{bound:.2f}" for bound in bounds)
    return f"{found['value']:.2f} [{low}, {high}]"


def _points(gap: Any) -> str:
    gap = as_mapping(gap)
    bounds = as_list(gap.get("interval"))
    if not is_number(gap.get("value")):
        return fmt.NONE
    between = fmt.interval(*bounds, is_share=True) if len(bounds) == 2 and all(map(is_number, bounds)) else "(no interval)"
    return f"{fmt.points(gap['value'])} {between}"

"""`report.html` of an excessive reasoning attack: how long models think under the found words, what it costs, what helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sanmai.report import format as fmt
from sanmai.report.load import as_list, as_mapping, as_number, is_number
from sanmai.report.tables_html import share as _share
from sanmai.report.tables_html import tables_page


def render_lengthen(name: str, found: Mapping[str, Any], *, problems: list[str]) -> str:
    """The page; it shows the found words, and no prompt or completion."""
    models = {str(key): as_mapping(value) for key, value in as_mapping(found.get("models")).items()}
    facts = list(problems)
    if models:
        facts.append(
            f"Of {found.get('asked')} suffixes that were asked the longest completions follow {found.get('suffix')!r}, "
            f"{found.get('tokens')} tokens. The first model is the one that was searched on."
        )
    sections = [
        {"title": title, "columns": ["Model", *names], "rows": [[key, *row(of)] for key, of in models.items()], "note": note}
        for title, names, row, note in _SECTIONS
    ]
    return tables_page(name, "Sanmai lengthen", _headline(found, models), facts, sections if models else [], [])


def _headline(found: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Label, value and meaning of what the page begins with: of the model that was searched on."""
    if not models:
        return []
    model = next(iter(models.values()))
    forcing, seen = as_mapping(model.get("forcing")), as_mapping(model.get("detection"))
    finds = as_number(as_mapping(seen.get("found")).get("value"))
    claim = f"at most {found.get('most_ratio')} times random words: {model.get('claim')}"
    return [
        ("As long as after random words", _times(model.get("to_random")), claim),
        ("With a budget on thoughts", _times(forcing.get("to_random")), f"{forcing.get('budget')} tokens"),
        ("Attacked prompts found", fmt.percent(finds) if finds is not None else fmt.NONE, f"false: {_share(seen.get('false'))}"),
    ]


def _lengths(model: Mapping[str, Any]) -> list[str]:
    lengths = as_mapping(model.get("lengths"))
    tokens = [_number(lengths.get(key)) for key in ("plain", "random", "most_random", "found")]
    return [*tokens, *(_ratio(model.get(key)) for key in ("to_random", "random_to_plain", "to_plain"))]


def _costs(model: Mapping[str, Any]) -> list[str]:
    accuracy, price = as_mapping(model.get("accuracy")), as_mapping(model.get("price"))
    right = [_share(accuracy.get(key)) for key in ("plain", "random", "found")]
    return [*right, *(_number(price.get(key)) for key in ("plain", "found"))]


def _budget(model: Mapping[str, Any]) -> list[str]:
    forcing = as_mapping(model.get("forcing"))
    right = [_share(forcing.get(key)) for key in ("accuracy_found", "accuracy_plain")]
    return [_number(forcing.get("budget")), _ratio(forcing.get("to_random")), *right, _points(forcing.get("price_plain"))]


def _detected(model: Mapping[str, Any]) -> list[str]:
    seen = as_mapping(model.get("detection"))
    return [_share(seen.get(key)) for key in ("found", "false", "random", "auc", "over_budget", "over_budget_plain")]


_SECTIONS = (
    (
        "Tokens of a completion", ("as it is", "random words", "longest of these", "found words", "found / random",
                                   "random / as it is", "found / as it is"), _lengths,
        "Means; ratios of means with a 95 % bootstrap interval over problems and random suffixes.",
    ),
    (
        "What it costs",
        ("right as it is", "right, random words", "right, found words", "price of 1,000", "under attack"), _costs,
        "The price is that of the tokens written.",
    ),
    (
        "A budget on thoughts", ("tokens", "found / random", "right under attack", "right as it is", "change as it is"), _budget,
        "The budget is from problems that are not measured on.",
    ),
    (
        "Telling an attacked prompt", ("found", "false alarms", "random words found", "AUC", "thoughts over the budget, attacked",
                                       "as it is"), _detected,
        "By the prompt's own log-prob; the threshold is from problems that are not measured on.",
    ),
)  # fmt: skip
"""Title, columns, what fills them, and a note."""


def _times(found: Any) -> str:
    value = as_mapping(found).get("value")
    return f"{value:.2f} times" if is_number(value) else fmt.NONE


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

"""`report.html` of certified refusal: the bracket on both sides by size of the box, and the exact counts over edits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sanmai.report import format as fmt
from sanmai.report.load import as_list, as_mapping, as_number
from sanmai.report.tables_html import share, tables_page

_KINDS = {"safety": "Dangerous requests: a refusal flips", "general": "Harmless requests: a reply becomes a refusal"}


def render_certify(name: str, found: Mapping[str, Any], *, problems: list[str]) -> str:
    """The page; it has no text of a request."""
    sides, edits = as_mapping(found.get("sides")), as_mapping(found.get("edits"))
    counted = [
        [label, str(row.get("texts")), *(share(row.get(key)) for key in ("as_it_is", "some_edit", "edits"))]
        for who, label in (("head", "the head"), ("model", "the model's greedy answer"))
        if (row := as_mapping(edits.get(who)))
    ]
    sections = [
        *(_bracket(title, as_mapping(sides.get(kind))) for kind, title in _KINDS.items()),
        {
            "title": "Every edit", "rows": counted,
            "columns": ["Who refuses", "texts", "requests that fall as they are", "under some edit", "edits that fall"],
            "note": f"Exact: all replacements of up to {found.get('most_edits')} words by synonyms.",
        },
    ]  # fmt: skip
    facts = list(problems)
    if sides:
        share_of_variance = as_number(found.get("variance"))
        facts.append(
            f"A head of its own reads {found.get('components')} components of the model's features "
            f"({fmt.percent(share_of_variance or 0.0)} of their variance). What is certified is that head, not the model's text."
        )
    if left_out := edits.get("left_out"):
        facts.append(f"{left_out} requests have more edits than max_texts and are left out.")
    return tables_page(name, "Sanmai certify", _headline(sides, edits) if sides else [], facts, sections if sides else [], [])


def _headline(sides: Mapping[str, Any], edits: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Label, value and meaning of what the page begins with."""
    figures = []
    for kind, label in (("safety", "Refusals that flip"), ("general", "Replies that become refusals")):
        for size in map(as_mapping, as_list(as_mapping(sides.get(kind)).get("sizes"))[:1]):
            low, high = (_value(size.get(key)) for key in ("attacked", "uncertified_split"))
            meaning = f"in boxes of {size.get('size')} deviations: what an attack finds, to what is not certified"
            figures.append((label, low if low == high else f"{low} to {high}", meaning))
    if model := as_mapping(edits.get("model")):
        meaning = f"of the model's own refusals, over all {model.get('texts')} texts"
        figures.append(("Fall under some edit", _value(model.get("some_edit")), meaning))
    return figures


def _value(found: Any) -> str:
    value = as_number(as_mapping(found).get("value"))
    return fmt.NONE if value is None else fmt.percent(value)


def _bracket(title: str, side: Mapping[str, Any]) -> dict[str, Any]:
    rows = [
        [str(size.get("size")), share(size.get("attacked")), share(size.get("uncertified")),
         share(size.get("uncertified_split")), _volume(size.get("volume"))]
        for size in map(as_mapping, as_list(side.get("sizes")))
    ]  # fmt: skip
    return {
        "title": title, "rows": rows,
        "columns": ["Box, deviations", "flipped by the attack", "not certified, intervals", "not certified, split",
                    "of the box flips"],
        "note": f"Right at the point itself: {share(side.get('clean'))}. The adversarial rate lies between what the attack flips "
                "and what is not certified.",
    }  # fmt: skip


def _volume(bounds: Any) -> str:
    low, high = (as_number(bound) for bound in as_list(bounds)) if len(as_list(bounds)) == 2 else (None, None)
    return fmt.NONE if low is None or high is None else f"{100 * low:.2f} to {100 * high:.2f} %"

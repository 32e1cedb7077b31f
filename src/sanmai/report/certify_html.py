"""`report.html` of certified refusal: the bracket on both sides by size of the box, and the exact counts over edits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sanmai.evidence.certify_results import summary_lines
from sanmai.report import format as fmt
from sanmai.report.load import as_list, as_mapping, as_number
from sanmai.report.tables_html import share, tables_page

_KINDS = {"safety": "dangerous: a refusal flips", "general": "harmless: a reply becomes a refusal"}


def render_certify(name: str, found: Mapping[str, Any], *, problems: list[str]) -> str:
    """The page; it has no text of a request."""
    sides, edits = as_mapping(found.get("sides")), as_mapping(found.get("edits"))
    brackets = [
        [f"{label}, {size.get('size')} deviations", share(side.get("clean")), share(size.get("attacked")),
         share(size.get("uncertified")), share(size.get("uncertified_split")), _volume(size.get("volume"))]
        for kind, label in _KINDS.items()
        for side in (as_mapping(sides.get(kind)),)
        for size in map(as_mapping, as_list(side.get("sizes")))
    ]  # fmt: skip
    counted = [
        [label, str(row.get("texts")), *(share(row.get(key)) for key in ("as_it_is", "some_edit", "edits"))]
        for who, label in (("head", "the head"), ("model", "the model's greedy answer"))
        if (row := as_mapping(edits.get(who)))
    ]
    sections = [
        {
            "title": "The bracket", "rows": brackets,
            "columns": ["Requests", "right at the point", "flipped by the attack", "not certified, intervals",
                        "not certified, split", "share of the box that flips"],
            "note": "The adversarial rate lies between what the attack flips and what is not certified. Of the head in a box of "
                    "features, not of the model's text.",
        },
        {
            "title": "Every edit", "rows": counted,
            "columns": ["Who refuses", "texts", "requests that fall as they are", "under some edit", "edits that fall"],
            "note": f"Exact: all replacements of up to {found.get('most_edits')} words by synonyms.",
        },
    ]  # fmt: skip
    lines = [*problems, *(summary_lines(found) if found else ())]
    return tables_page(name, "Sanmai certify", [], lines, sections if sides else [], [])


def _volume(bounds: Any) -> str:
    low, high = (as_number(bound) for bound in as_list(bounds)) if len(as_list(bounds)) == 2 else (None, None)
    return fmt.NONE if low is None or high is None else f"{100 * low:.2f} to {100 * high:.2f} %"

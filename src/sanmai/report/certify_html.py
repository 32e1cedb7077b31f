"""`report.html` of certified refusal: the bracket on both sides by size of the box, and the exact counts over edits."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sanmai.evidence.certify_results import RESULT, summary_lines
from sanmai.report import format as fmt
from sanmai.report.load import as_list, as_mapping, as_number, read_whole
from sanmai.report.page import write_whole
from sanmai.report.tables_html import share, tables_page

_KINDS = {"safety": "dangerous: a refusal flips", "general": "harmless: a reply becomes a refusal"}


def is_certify(folder: Path) -> bool:
    """Whether a run folder is that of a finished certification."""
    config = Path(folder) / "config.toml"
    return (Path(folder) / RESULT).is_file() and read_whole(config, tomllib.loads, []).get("recipe") == "certify"


def write_certify_report(folder: Path) -> Path:
    """Writes `report.html` into the run folder, in one rename; its path.

    Raises:
        OSError: it cannot be written.
    """
    problems: list[str] = []
    found = read_whole(Path(folder) / RESULT, json.loads, problems)
    return write_whole(Path(folder) / "report.html", render_certify(Path(folder).resolve().name, found, problems=problems))


def summarise_certify(folder: Path) -> dict[str, Any]:
    """The figures as plain data; `lines` are for a terminal."""
    problems: list[str] = []
    found = read_whole(Path(folder) / RESULT, json.loads, problems)
    return {**found, "lines": list(summary_lines(found)) if found else problems}


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

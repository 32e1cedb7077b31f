"""Recipes whose folder has a page of its own in place of a run's, by name."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sanmai.evidence import certify_results, lengthen_results, stream_results
from sanmai.report.audit_html import audit_page, summarise_audit
from sanmai.report.certify_html import render_certify
from sanmai.report.clip_audit_html import CASE as CLIP_CASE
from sanmai.report.clip_audit_html import clip_audit_page, summarise_clip_audit
from sanmai.report.flow_compare_html import TABLE as FLOW_TABLE
from sanmai.report.flow_compare_html import flow_compare_page, summarise_flow_compare
from sanmai.report.lengthen_html import render_lengthen
from sanmai.report.load import read_whole
from sanmai.report.search_html import search_page, summarise_search
from sanmai.report.stream_html import render_stream
from sanmai.report.ungraded import events_of, ungraded_lines


class Page(NamedTuple):
    page: Callable[[Path], str]
    """The page of a folder."""
    summarise: Callable[[Path], dict[str, Any]]
    """Its figures as plain data; `lines` are for a terminal."""
    result: str = ""
    """Until the folder has this file, a run's page is shown."""


def _of_result(
    result: str, render: Callable[..., str], lines: Callable[[Mapping[str, Any]], Iterable[str]]
) -> Page:
    """The page and the figures of what one file says."""

    def page(folder: Path) -> str:
        problems = [f"{told}." for told in ungraded_lines(events_of(folder))]
        found = read_whole(folder / result, json.loads, problems)
        return render(folder.resolve().name, found, problems=problems)

    def summarise(folder: Path) -> dict[str, Any]:
        problems: list[str] = []
        found = read_whole(folder / result, json.loads, problems)
        return {**found, "lines": list(lines(found)) if found else problems}

    return Page(page, summarise, result)


PAGES = {
    "audit": Page(audit_page, summarise_audit),
    "flow_audit": Page(clip_audit_page, summarise_clip_audit, CLIP_CASE),
    "flow_compare": Page(flow_compare_page, summarise_flow_compare, FLOW_TABLE),
    "search": Page(search_page, summarise_search),
    "stream": _of_result(stream_results.STREAM, render_stream, stream_results.summary_lines),
    "certify": _of_result(certify_results.RESULT, render_certify, certify_results.summary_lines),
    "lengthen": _of_result(lengthen_results.RESULT, render_lengthen, lengthen_results.summary_lines),
}


def recipe_of(folder: Path) -> str:
    """The recipe that a run folder's settings name; empty where they cannot be read."""
    return str(read_whole(Path(folder) / "config.toml", tomllib.loads, []).get("recipe", ""))


def own_page(folder: Path) -> Page | None:
    """The page that this folder has in place of a run's."""
    found = PAGES.get(recipe_of(folder))
    return found if found is not None and (not found.result or (Path(folder) / found.result).is_file()) else None

"""The offline HTML report of a run folder, of a pipeline's or of a comparison's, and its headline numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sanmai.report import html, summary
from sanmai.report.comparison import is_comparison, load_comparison
from sanmai.report.comparison_html import write_comparison_report
from sanmai.report.comparison_table import summarise_comparison, write_comparison_table
from sanmai.report.curation_html import is_curation, write_curation_report
from sanmai.report.page import write_whole
from sanmai.report.pages import own_page
from sanmai.report.pipeline import is_pipeline
from sanmai.report.pipeline_html import write_pipeline_report
from sanmai.report.pipeline_text import summarise_pipeline, write_table
from sanmai.report.redteam_html import write_redteam_report
from sanmai.report.ungraded import events_of, ungraded_lines

__all__ = ["summarise", "write_report", "write_table"]


def write_report(run_folder: Path, *, defaults: Mapping[str, Any] | None = None) -> Path:
    """Writes `report.html` into a run folder, or into a pipeline's, in one rename; its path.

    A pipeline's has `table.md` beside it, and each of its finished stages that trained something a report of its own. A pipeline
    whose graph names arms and seeds is a comparison's: its page and table set the arms against each other. A red team's and a
    curation's have `redteam.html` and `curation.html` beside it, which show what they decided.

    Args:
        defaults: the recipe's configuration as nobody changed it; settings that differ are then told apart.

    Raises:
        FileNotFoundError: run_folder is not a folder.
        OSError: it cannot be written to.
        InputError: what a red team or a curation has decided cannot be read.
    """
    if (own := own_page(run_folder)) is not None:
        return write_whole(Path(run_folder) / "report.html", own.page(Path(run_folder)))
    if not is_pipeline(run_folder):
        if (Path(run_folder) / "redteam.json").exists():
            write_redteam_report(run_folder)
        if is_curation(run_folder):
            write_curation_report(run_folder)
        return html.write_report(run_folder, defaults=defaults)
    for manifest in sorted(Path(run_folder).glob("stages/*/stage.json")):
        stage = manifest.parent
        if any(stage.glob("checkpoints/*/config.json")) and not (stage / "report.html").exists():
            html.write_report(stage)
    if is_comparison(run_folder):
        found = load_comparison(run_folder)
        write_comparison_table(run_folder, found)
        return write_comparison_report(run_folder, found, defaults=defaults)
    write_table(run_folder)
    return write_pipeline_report(run_folder, defaults=defaults)


def summarise(run_folder: Path) -> dict[str, Any]:
    """Headline numbers of a run folder, a pipeline's or a comparison's as plain data, ready for JSON; `lines` are for a terminal.

    Raises:
        FileNotFoundError: run_folder is not a folder.
    """
    if (own := own_page(run_folder)) is not None:
        found = own.summarise(Path(run_folder))
        careful = [f"Careful: {told}." for told in ungraded_lines(events_of(run_folder))]
        return found | {"lines": [*found["lines"], *careful]}
    if is_comparison(run_folder):
        return summarise_comparison(run_folder)
    return summarise_pipeline(run_folder) if is_pipeline(run_folder) else summary.summarise(run_folder)

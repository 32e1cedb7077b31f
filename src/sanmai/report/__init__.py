"""The offline HTML report of a run folder or a pipeline's folder, and its headline numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sanmai.report import html, summary
from sanmai.report.pipeline import is_pipeline
from sanmai.report.pipeline_html import write_pipeline_report
from sanmai.report.pipeline_text import summarise_pipeline, write_table

__all__ = ["summarise", "write_report", "write_table"]


def write_report(run_folder: Path, *, defaults: Mapping[str, Any] | None = None) -> Path:
    """Writes `report.html` into a run folder, or into a pipeline's, in one rename; its path.

    A pipeline's has `table.md` beside it, and each of its finished stages that trained something a report of its own.

    Args:
        defaults: the recipe's configuration as nobody changed it; settings that differ are then told apart.

    Raises:
        FileNotFoundError: run_folder is not a folder.
        OSError: it cannot be written to.
    """
    if not is_pipeline(run_folder):
        return html.write_report(run_folder, defaults=defaults)
    for manifest in sorted(Path(run_folder).glob("stages/*/stage.json")):
        stage = manifest.parent
        if any(stage.glob("checkpoints/*/config.json")) and not (stage / "report.html").exists():
            html.write_report(stage)
    write_table(run_folder)
    return write_pipeline_report(run_folder, defaults=defaults)


def summarise(run_folder: Path) -> dict[str, Any]:
    """Headline numbers of a run folder, or of a pipeline's, as plain data, ready for JSON; `lines` are for a terminal.

    Raises:
        FileNotFoundError: run_folder is not a folder.
    """
    return summarise_pipeline(run_folder) if is_pipeline(run_folder) else summary.summarise(run_folder)

"""A run in a few lines and charts, as a piece of HTML for a notebook's output: no script, nothing from outside."""

from __future__ import annotations

from pathlib import Path

from sanmai.report.comparison import is_comparison
from sanmai.report.comparison_table import summarise_comparison
from sanmai.report.curves import curves
from sanmai.report.html import charts_of
from sanmai.report.load import load_run
from sanmai.report.page import fragment
from sanmai.report.pages import own_page
from sanmai.report.pipeline import is_pipeline
from sanmai.report.pipeline_text import summarise_pipeline
from sanmai.report.summary import planned_steps, status, summarise

_CHARTS = 4


def run_card(folder: Path) -> str:
    """What stands in a notebook for a run, a pipeline or an audit; every text of the folder is escaped."""
    own = own_page(folder)
    if own is not None or is_pipeline(folder):
        made = own.summarise if own is not None else summarise_comparison if is_comparison(folder) else summarise_pipeline
        return fragment("run_card.html.jinja", name=folder.resolve().name, state="", lines=made(folder)["lines"], charts=[])
    run = load_run(folder)
    planned = planned_steps(run)
    state = f"{status(run)}: {run.num_steps:,}" + (f" of {planned:,}" if planned else "") + " steps"
    charts = charts_of(curves(run)[:_CHARTS])
    return fragment("run_card.html.jinja", name=run.name, state=state, lines=summarise(folder)["lines"], charts=charts)

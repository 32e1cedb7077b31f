"""A run in a few lines and charts, as a piece of HTML for a notebook's output: no script, nothing from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sanmai.report.audit_html import is_audit, summarise_audit
from sanmai.report.comparison import is_comparison
from sanmai.report.comparison_table import summarise_comparison
from sanmai.report.curves import Curve, curves
from sanmai.report.load import load_run
from sanmai.report.page import fragment
from sanmai.report.pipeline import is_pipeline
from sanmai.report.pipeline_text import summarise_pipeline
from sanmai.report.plots import Line, panel
from sanmai.report.summary import planned_steps, status, summarise

_CHARTS = 4
_KINDS = ("s1", "s2", "s3", "s4", "s5", "s6")


def run_card(folder: Path) -> str:
    """What stands in a notebook for a run, a pipeline or an audit; every text of the folder is escaped."""
    if is_audit(folder) or is_pipeline(folder):
        made = summarise_audit if is_audit(folder) else summarise_comparison if is_comparison(folder) else summarise_pipeline
        return fragment("run_card.html.jinja", name=folder.resolve().name, state="", lines=made(folder)["lines"], charts=[])
    run = load_run(folder)
    planned = planned_steps(run)
    state = f"{status(run)}: {run.num_steps:,}" + (f" of {planned:,}" if planned else "") + " steps"
    charts = [_chart(curve, run.num_steps) for curve in curves(run)[:_CHARTS]]
    return fragment("run_card.html.jinja", name=run.name, state=state, lines=summarise(folder)["lines"], charts=charts)


def _chart(curve: Curve, last: int) -> dict[str, Any]:
    lines = [Line(series.points, kind) for series, kind in zip(curve.series, _KINDS, strict=False)]
    is_share = curve.unit == "share"
    names = [{"name": series.name, "kind": kind} for series, kind in zip(curve.series, _KINDS, strict=False)]
    spoken = "; ".join(f"{s.name} from {s.points[0][1]:.4g} to {s.points[-1][1]:.4g}" for s in curve.series)
    top = 1.0 if is_share and all(y <= 1 for s in curve.series for _, y in s.points) else None
    made = panel(lines, top=top, last=last, is_share=is_share)
    return made | {"name": curve.title, "spoken": spoken, "legend": names, "unit": "" if is_share else curve.unit}

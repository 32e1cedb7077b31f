"""Run folders side by side as a page: what `sanmai compare RUN RUN` says, with the curves of their training."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from sanmai.report import format as fmt
from sanmai.report.compare_runs import EvaluatedRun, cost_line, findings, named, notes_of, one_sided
from sanmai.report.comparison_text import CLIP_LABELS, LABELS, change_text, interval_text, value_text, verdict_text
from sanmai.report.findings import Finding
from sanmai.report.html import charts_of, with_charts
from sanmai.report.load import read_lines
from sanmai.report.page import render_page, write_whole
from sanmai.report.watch_index import curves_of


def write_compare_page(folders: Sequence[Path], out: Path) -> Path:
    """Write the page in one rename; its path. Raises InputError as `compare_runs`, and OSError."""
    return write_whole(Path(out), compare_page(folders))


def compare_page(folders: Sequence[Path]) -> str:
    """One offline page; raises InputError as `compare_runs`."""
    first, *others = named(folders)
    runs = zip((first, *others), folders, strict=True)
    lines = {run.name: read_lines(Path(folder) / "metrics.jsonl", []) for run, folder in runs}
    curves = curves_of(lines)
    return render_page(
        "compare_runs.html.jinja",
        **with_charts(curves),
        first=first,
        tables=[_table(first, other) for other in others],
        costs=[cost_line(run) for run in (first, *others)],
        charts=charts_of(curves, is_named=True),
    )


def compared_data(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """Every finding as plain data, ready for JSON: run, against, measure, both values, difference with bounds, n, verdict."""
    first, *others = named(folders)
    return [
        {"run": other.name, "against": first.name, "measure": f.measure.name, "value": f.after, "other": f.before,
         "low": f.low if isfinite(f.low) else None, "high": f.high if isfinite(f.high) else None, "n": f.n,
         "difference": change_text(f), "verdict": verdict_text(f)}
        for other in others for f in findings(first, other)
    ]  # fmt: skip


def _table(first: EvaluatedRun, other: EvaluatedRun) -> dict[str, Any]:
    told = findings(first, other)
    return {"other": other, "notes": [*notes_of(first, other), *one_sided(told)], "rows": [_row(finding) for finding in told]}


def _row(finding: Finding) -> dict[str, Any]:
    measure = finding.measure
    bounds = interval_text(measure, finding.low, finding.high) if isfinite(finding.low) else ""
    return {
        "label": (LABELS | CLIP_LABELS)[measure.name][0],
        "first": value_text(measure, finding.before), "other": value_text(measure, finding.after),
        "change": change_text(finding), "interval": bounds, "verdict": verdict_text(finding), "n": fmt.number(finding.n, 9),
    }  # fmt: skip

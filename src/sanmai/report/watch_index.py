"""The first page of `sanmai watch`: every run in a folder, and their curves side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sanmai.report import format as fmt
from sanmai.report.curves import Curve, Series
from sanmai.report.html import charts_of, with_charts
from sanmai.report.live import State, state_of, version_of
from sanmai.report.load import is_number, read_lines
from sanmai.report.page import render_page
from sanmai.types import KL_METRICS

_SIDE_BY_SIDE = 6
_MAX_POINTS = 600
_Compared = tuple[str | tuple[str, ...], str, str]
"""Metric, or metrics of which a run has one; title; unit."""
_COMPARED: tuple[_Compared, ...] = (
    ("eval/accuracy", "Held-out accuracy", "share"), ("reward/mean", "Training reward", "mean score"),
    ("eval/win_rate", "Clips that beat the start's", "share"),
    ("eval/win_reward", "Clips that beat the start's by reward", "share"),
    ("eval/harm", "Harm", "share"), ("eval/diversity", "Diversity of clips", "deviation"),
    ("loss/sft", "SFT loss", "nats"),
    ("loss/dpo", "Preference loss", "nats"), ("preference/accuracy", "Pairs right", "share"),
    ("rollout/length_mean", "Completion length", "tokens"), ("rollout/thinks", "Thinking share", "share"),
    ("rollout/off_language", "Language mixing", "share"), ("policy/entropy", "Entropy", "nats per token"),
    (KL_METRICS, "KL to the reference", "nats per token"), ("policy/grad_norm", "Gradient norm", "L2"),
)  # fmt: skip
# (metric, title, how it is shown); of these a page has those that one of its runs has, and of the first three any.
_HEADLINES = (
    ("eval/accuracy", "Held-out accuracy", fmt.percent), ("reward/mean", "Reward", fmt.number),
    ("rollout/length_mean", "Length", fmt.number), ("eval/win_rate", "Beats its start", fmt.percent),
    ("eval/win_reward", "Beats its start by reward", fmt.percent), ("eval/harm", "Harm", fmt.percent),
)  # fmt: skip
_OF_ANY = 3


def index_state(found: Mapping[str, Path]) -> State:
    """Of all runs together."""
    seen = "".join(f"{name} {version_of(folder)}" for name, folder in found.items())
    version = hashlib.sha256(seen.encode()).hexdigest()[:16]
    runs = [folder for name, folder in found.items() if not _is_stage(name)]  # a stage is part of its pipeline's state
    states = [state_of(folder).state for folder in runs or found.values()]
    counts = {state: states.count(state) for state in ("running", "stopped", "begun", "finished") if state in states}
    line = ", ".join(f"{count} {state}" for state, count in counts.items()) or "no run yet"
    first = next((state for state in ("running", "stopped") if state in counts), "finished")
    return State(version, first, line)


def index_page(root: Path, found: Mapping[str, Path], chosen: Sequence[str] = ()) -> tuple[State, str]:
    """The page, and the state that it shows.

    Args:
        chosen: names of the runs whose curves stand side by side; none: those that were written to last.
    """
    runs = {name: _run(name, folder) for name, folder in found.items()}
    drawn = list(chosen or sorted(runs, key=lambda name: -runs[name]["time"]))
    drawn = [name for name in drawn if runs[name]["metrics"]][:_SIDE_BY_SIDE]
    curves = curves_of({name: runs[name]["metrics"] for name in drawn})
    has = [any(run["newest"][k] is not None for run in runs.values()) for k in range(len(_HEADLINES))]
    shown = [k for k, is_there in enumerate(has) if is_there] or list(range(_OF_ANY))
    page = render_page(
        "watch.html.jinja",
        columns=[(k, _HEADLINES[k][1]) for k in shown],
        **with_charts(curves),
        name=root.resolve().name,
        runs=[*runs.values()],
        charts=charts_of(curves, is_named=True),
    )
    return index_state(found), page


def curves_of(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Curve]:
    """The charts that have a line of any run, at most six runs each.

    Args:
        runs: metrics lines by the name of the run.
    """
    drawn = dict(list(runs.items())[:_SIDE_BY_SIDE])
    return [curve for metric in _COMPARED if (curve := _side_by_side(metric, drawn))]


def _run(name: str, folder: Path) -> dict[str, Any]:
    lines = read_lines(folder / "metrics.jsonl", []) if (folder / "metrics.jsonl").exists() else []
    newest = [next((line[m] for line in reversed(lines) if is_number(line.get(m))), None) for m, _, _ in _HEADLINES]
    shown = [tell(value) for value, (_, _, tell) in zip(newest, _HEADLINES, strict=True)]
    time = max((path.stat().st_mtime for path in folder.iterdir() if path.is_file()), default=0.0)
    state = state_of(folder)
    return {
        "name": name.rpartition("/stages/")[2] or folder.resolve().name, "whole": name,
        "address": f"/run/{quote(name)}/" if name else "/run/",
        "metrics": lines, "time": time,
        "state": state.state, "line": state.line, "alarm": state.alarm, "figures": shown, "newest": newest,
        "is_stage": _is_stage(name),
    }  # fmt: skip


def _is_stage(name: str) -> bool:
    return "/stages/" in f"/{name}"


def _side_by_side(metric: _Compared, runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Curve | None:
    named, title, unit = metric
    names = (named,) if isinstance(named, str) else named
    series = []
    for run, lines in runs.items():
        by_step = {
            line["step"]: line[name]
            for line in lines for name in names if is_number(line.get("step")) and is_number(line.get(name))
        }
        points = sorted(by_step.items())
        if len(points) > _MAX_POINTS:
            points = [points[round(i * (len(points) - 1) / (_MAX_POINTS - 1))] for i in range(_MAX_POINTS)]
        if points:
            series.append(Series(run or "this run", points))
    return Curve(title, unit, "", series) if series else None

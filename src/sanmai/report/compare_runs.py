"""The newest evaluations of run folders, the first against every other, on the problems and samples that they share."""

from __future__ import annotations

import json
import textwrap
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from sanmai.instruments.cost import cost_of, read_run_files
from sanmai.instruments.measures import key_of
from sanmai.report import format as fmt
from sanmai.report.budgets import Spent, spent_by
from sanmai.report.comparison_text import (
    CLIP_LABELS,
    LABELS,
    change_text,
    interval_text,
    mean_spent,
    value_text,
    verdict_text,
)
from sanmai.report.findings import COMPARED, OF_CLIPS, Finding, Measured, compare_with
from sanmai.report.load import Row, read_checked, read_whole
from sanmai.report.pipeline import is_pipeline
from sanmai.types import InputError, no_run

_COLUMNS = (
    "problem_id", "sample", "prompt", "kind", "language", "tags", "failure", "stop_reason", "num_tokens", "trace_state", "score/",
    "reward", "clip_shape",
)  # fmt: skip
_SAMPLING = ("temperature", "max_tokens", "samples", "seed", "steps", "shift", "prompt_scale", "guide")
_ONE = ""
"""The name of the one seed that a run is."""
_NOTHING = Measured({}, 0)


@dataclass(frozen=True)
class EvaluatedRun:
    """A run folder's newest evaluation."""

    name: str
    step: int
    rows: list[Row]
    sampling: dict[str, Any]
    """How its evaluations are sampled, by _SAMPLING; what the configuration does not say is left out."""
    spent: Spent

    @property
    def is_flow(self) -> bool:
        """Its samples are clips."""
        return bool(self.rows[0].get("clip_shape"))

    @property
    def noun(self) -> str:
        return "clips" if self.is_flow else "completions"

    @property
    def by_key(self) -> dict[tuple[str, int], Row]:
        return {key_of(row): row for row in self.rows}


def compare_runs(folders: Sequence[Path]) -> list[str]:
    """The first run against every other, as lines for a terminal.

    Raises:
        InputError: fewer than two folders; one that is no run folder, or has no evaluation that can be read; two that share no
            problem, or give the same id to different prompts.
    """
    first, *others = named(folders)
    lines: list[str] = []
    for other in others:
        lines += [*([""] if lines else []), *_compared(first, other)]
    return lines


def load_evaluated(folder: Path) -> EvaluatedRun:
    """The newest evaluation of a run folder; of a guarded stage's that of the model which its gate chose.

    Raises:
        InputError: it is none, or has no evaluation that can be read.
    """
    named = Path(folder)
    folder = _of_the_chosen(named) or named
    if is_pipeline(folder):
        raise InputError(
            f"{folder}: the folder of a pipeline; expected run folders, such as two in {folder / 'stages'}"
        )
    if not (folder / "config.toml").is_file():
        raise no_run(folder)
    files = sorted((folder / "evaluations").glob("step-*.parquet"))
    if not files:
        raise InputError(f"{folder}: no evaluation on held-out problems to compare")
    problems: list[str] = []
    rows = read_checked(files[-1], problems, _COLUMNS)
    config = read_whole(folder / "config.toml", tomllib.loads, problems)
    if problems or not rows:
        raise InputError(f"{folder}: {problems[0] if problems else f'{files[-1].name} has no completions'}")
    found = read_run_files(folder)
    cost = cost_of(folder.name, found.events, found.metrics, found.model)
    return EvaluatedRun(
        fmt.printable(named.resolve().name), int(files[-1].stem.removeprefix("step-")), rows, _sampling(config),
        spent_by(str(config.get("recipe")), found, cost),
    )  # fmt: skip


def _of_the_chosen(folder: Path) -> Path | None:
    """Where a gate looked last at the model that it chose; None where the folder holds no such decision."""
    try:
        chosen = json.loads((folder / "decision.json").read_text(encoding="utf-8"))["chosen"]
        stages = json.loads((folder / "graph.json").read_text(encoding="utf-8"))
        found = [str(stage["folder"]) for stage in stages if stage.get("scores") == chosen]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return folder / found[-1] if found and ".." not in Path(found[-1]).parts else None


def findings(first: EvaluatedRun, other: EvaluatedRun) -> list[Finding]:
    """Every measure that both have, the other minus the first, paired on problem and sample; Holm goes over them.

    Raises:
        InputError: they share no problem, or the same id stands for different prompts.
    """
    if first.is_flow != other.is_flow:
        flow, text = (first, other) if first.is_flow else (other, first)
        raise InputError(f"{flow.name} draws clips and {text.name} writes texts: nothing can be compared")
    before, after = first.by_key, other.by_key
    shared = [key for key in before if key in after]
    if not shared:
        raise InputError(f"{first.name} and {other.name} share no problem: nothing can be compared")
    if differing := [key for key in shared if before[key].get("prompt") != after[key].get("prompt")]:
        raise InputError(
            f"{first.name} and {other.name}: {len(differing)} of {len(shared)} shared {first.noun} have the same id but another "
            f"prompt, the first {differing[0][0]}: expected evaluations of the same problems"
        )
    measures = OF_CLIPS if first.is_flow else COMPARED
    measured = {
        name: {
            run.name: {_ONE: Measured.of(measure, [rows[key] for key in shared])}
            for run, rows in ((first, before), (other, after))
        }
        for name, measure in measures.items()
    }
    if measured.get("quality", {}).get(first.name, {}).get(_ONE, _NOTHING).values:
        measured.pop("reward", None)  # what is true is known
    return compare_with(measured, first.name, measures)


def _compared(first: EvaluatedRun, other: EvaluatedRun) -> Iterator[str]:
    told = findings(first, other)
    shared = [key for key in first.by_key if key in other.by_key]
    count, asked = len({problem for problem, _ in shared}), "prompts" if first.is_flow else "problems"
    yield (
        f"{other.name} (step {other.step:,}) against {first.name} (step {first.step:,}): {count:,} {asked}, "
        f"{len(shared):,} {first.noun} each"
    )
    yield from (f"Warning: {note}" for note in notes_of(first, other))
    yield f"{'':<30} {_cut(first.name):>20} {_cut(other.name):>20}  difference, 95 % interval"
    for finding in told:
        measure = finding.measure
        sides = [value_text(measure, side) for side in (finding.before, finding.after)]
        bounds = interval_text(measure, finding.low, finding.high) if isfinite(finding.low) else ""
        change = f"{change_text(finding)} {bounds}".strip()
        label = (LABELS | CLIP_LABELS)[measure.name][0]
        yield f"{label:<30} {sides[0]:>20} {sides[1]:>20}  {change}: {verdict_text(finding)}, n = {finding.n:,}"
    if not told:
        yield "No measure has a value in both."
    yield from one_sided(told)
    yield from (cost_line(run) for run in (first, other))
    yield from textwrap.wrap(
        "One run each: intervals are over problems and say nothing of other seeds. Verdicts are Holm's over these measures, with "
        "a family-wise error of 5 %; one in brackets is what the difference would be called alone. Stages before a run are not "
        "in its cost.",
        120, subsequent_indent="  ",
    )  # fmt: skip


def notes_of(first: EvaluatedRun, other: EvaluatedRun) -> Iterator[str]:
    """What makes the two less comparable than they look."""
    shared = first.by_key.keys() & other.by_key.keys()
    for run in (first, other):
        if left := len(run.by_key) - len(shared):
            yield f"{left:,} {run.noun} of {run.name} have no counterpart and are left out."
    for name in _SAMPLING:
        sides = [run.sampling.get(name) for run in (first, other)]
        if sides[0] != sides[1]:
            yield f"evaluated with different {name}: {sides[0]} for {first.name}, {sides[1]} for {other.name}."


def one_sided(told: Sequence[Finding]) -> Iterator[str]:
    """A warning where one side of a trade was measured alone."""
    names = {finding.measure.name for finding in told}
    if "harm" in names and not names & {"over_refusal", "quality", "reward"}:
        yield "Over-refusal was not measured: less harm may be no more than more refusing."


def cost_line(run: EvaluatedRun) -> str:
    """What the run itself cost, in a sentence."""
    if not run.spent.processed:
        return f"{run.name} only evaluates: its model cost what the stages before it did."
    spent = mean_spent([run.spent])
    if run.is_flow:  # a point of a clip is no token, and costs another number of operations
        return f"Cost of {run.name} itself: {spent['seconds']} of training."
    return (
        f"Cost of {run.name} itself: {spent['processed']} tokens processed, {spent['flops']} FLOPs, {spent['seconds']} of "
        "training."
    )


def named(folders: Sequence[Path]) -> list[EvaluatedRun]:
    """The newest evaluations of run folders, with names that tell them apart: whole paths where the folders' own are alike.

    Raises:
        InputError: as `compare_runs`.
    """
    if len(folders) < 2:
        raise InputError(
            f"{folders[0] if folders else 'no run'}: expected two run folders or more, or none to run the recipe"
        )
    runs = [load_evaluated(folder) for folder in folders]
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    if len(set(names)) < len(names):
        raise InputError(f"{max(names, key=names.count)}: named twice")
    return [EvaluatedRun(name, r.step, r.rows, r.sampling, r.spent) for name, r in zip(names, runs, strict=True)]


def _sampling(config: Mapping[str, Any]) -> dict[str, Any]:
    """As learn/evaluation.py samples: `evaluation` before `sampling`; of the recipe "evaluate", `sampling` and `samples`."""
    parts = [part for name in ("evaluation", "sampling") if isinstance(part := config.get(name), Mapping)]
    found = {}
    for name in _SAMPLING:
        value = next((part[name] for part in parts if name in part), None)
        value = config.get(name) if value is None else value
        value = value.get("reward") if isinstance(value, Mapping) else value  # of a guide
        if value is not None:
            found[name] = value
    return found


def _cut(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"

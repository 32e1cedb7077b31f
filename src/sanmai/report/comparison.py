"""The folder of a comparison (the recipe `compare`) as plain data: scores, cost, curves and limits of every arm and seed.

What is found in them is in findings.py, what they were given and used in budgets.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import fsum
from pathlib import Path
from typing import Any, TypeVar

from sanmai.instruments.cost import EVALUATION, Cost, RunFiles, cost_of, read_run_files
from sanmai.report import format as fmt
from sanmai.report.budgets import BudgetCheck, LimitCheck, Spent, check_budget, check_limits, spent_by
from sanmai.report.curves import limits_of
from sanmai.report.findings import BASE, COMPARED, JUDGED, Figure, Finding, Measured, compare_with, figure, pareto_front
from sanmai.report.load import Row, find, is_number
from sanmai.report.pipeline import Pipeline, Stage, load_pipeline
from sanmai.report.told_by import Told, told_by
from sanmai.types import InputError

T = TypeVar("T")
CONSTRAINED = "constrained"
ARMS = (BASE, "rl", "sft", "sft_long", "sequence", "hybrid", CONSTRAINED)
"""Those of the recipe, in the order of every table, whatever order they were run in; arms that it does not know come after."""
REFERENCES = ("rl", "sft", "sft_long", BASE)
"""The arms that every other is compared with."""
_FRONT = ("harm", "accuracy")
_RL = ("zero",)
_PURPOSE_END = ", on the held-out problems"


@dataclass
class Comparison:
    """A folder of the recipe `compare`."""

    pipeline: Pipeline
    titles: dict[str, str] = field(default_factory=dict)
    """By arm, in the order of ARMS, what it is; what follows by arm has the same order."""
    seeds: list[str] = field(default_factory=list)
    scores: dict[str, dict[str, list[Row]]] = field(default_factory=dict)
    """Of the models that are scored."""
    spent: dict[str, dict[str, Spent]] = field(default_factory=dict)
    """Of the same."""
    costs: dict[str, Cost] = field(default_factory=dict)
    """By stage, evaluations included."""
    curves: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    """By arm and seed, the metrics of its last RL stage, each step once; nothing for arms that have none."""
    limits: dict[str, dict[str, float]] = field(default_factory=dict)
    """By arm, those of the probe's measures; nothing for arms without constraints."""
    limit_checks: list[LimitCheck] = field(default_factory=list)
    """Of the stages that are finished."""

    @cached_property
    def measured(self) -> dict[str, dict[str, dict[str, Measured]]]:
        """By measure, arm and seed."""
        return {
            name: {
                arm: {seed: Measured.of(measure, rows) for seed, rows in by_seed.items()}
                for arm, by_seed in self.scores.items()
            }
            for name, measure in COMPARED.items()
        }

    @cached_property
    def figures(self) -> dict[str, dict[str, Figure]]:
        """By arm and measure; what was not measured is left out."""
        return {
            arm: {
                name: found
                for name, by_arm in self.measured.items()
                if (found := figure(COMPARED[name], by_arm[arm])) is not None
            }
            for arm in self.scores
        }

    @cached_property
    def tables(self) -> dict[str, list[Finding]]:
        """By reference, the findings of every other arm but the base; Holm goes over each list."""
        return {
            reference: compare_with({name: self.measured[name] for name in JUDGED}, reference)
            for reference in REFERENCES
            if reference in self.scores
        }

    @cached_property
    def budget(self) -> BudgetCheck:
        return check_budget(self.spent)

    @cached_property
    def told(self) -> list[Told]:
        """What several judges say of the same completions; nothing where there was one alone."""
        return told_by(self.scores)

    @property
    def headline(self) -> str | None:
        """The arm that the first sentences are about: constrained, or else the last that is scored; None without any."""
        arms = [arm for arm in self.scores if arm != BASE]
        return CONSTRAINED if CONSTRAINED in arms else arms[-1] if arms else None

    @property
    def has_uneven_seeds(self) -> bool:
        """Whether some arms are scored for other seeds than others."""
        return len({tuple(by_seed) for by_seed in self.scores.values()}) > 1

    @cached_property
    def front_seeds(self) -> list[str]:
        """The seeds that every arm with harm and accuracy has both for: the front is over these."""
        both = [[found[name].per_seed for name in _FRONT] for found in self.figures.values() if _has_all(found, _FRONT)]
        return [seed for seed in self.seeds if both and all(seed in one for arm in both for one in arm)]

    @cached_property
    def front_figures(self) -> dict[str, dict[str, Figure]]:
        """The figures of the arms with harm and accuracy, over `front_seeds` alone: harm, accuracy, and over-refusal if asked."""
        return {
            arm: {
                name: made
                for name in (*_FRONT, "over_refusal")
                if (made := figure(COMPARED[name], {s: self.measured[name][arm][s] for s in self.front_seeds}))
                is not None
            }
            for arm, found in self.figures.items()
            if self.front_seeds and _has_all(found, _FRONT)
        }

    @property
    def front(self) -> list[str]:
        """The arms that no other beats or equals in both held-out harm and accuracy, and beats in one; by their means."""
        return pareto_front(self._losses(*_FRONT))

    @property
    def front_with_over_refusal(self) -> list[str]:
        """The same with over-refusal as the third: refusing everything is then no way onto the front."""
        return pareto_front(self._losses(*_FRONT, "over_refusal"))

    def _losses(self, *names: str) -> dict[str, list[float]]:
        return {
            arm: [-found[name].value * COMPARED[name].direction for name in names]
            for arm, found in self.front_figures.items()
            if all(name in found and len(found[name].per_seed) == len(self.front_seeds) for name in names)
        }


def is_comparison(folder: Path) -> bool:
    """Whether a folder is one of the recipe `compare`: its graph says which arm each scored model belongs to."""
    return bool(_arms(Path(folder) / "graph.json"))


def load_comparison(folder: Path) -> Comparison:
    """Scores, costs and curves of every arm and seed that is finished.

    Raises:
        FileNotFoundError: folder is not a folder.
    """
    folder = Path(folder)
    pipeline = load_pipeline(folder)
    found = Comparison(pipeline)
    files = {}
    for stage in pipeline.stages.values():
        if stage.state != "to do" and (read := _read(folder / stage.folder, stage, pipeline.problems)) is not None:
            files[stage.name] = read
            found.costs[stage.name] = cost_of(
                stage.name, read.events, read.metrics, read.model, recipe=stage.recipe,
                unit=read.unit,
                drawn={EVALUATION: fsum(row["num_tokens"] for row in stage.rows if is_number(row.get("num_tokens")))},
            )  # fmt: skip
    for name, (arm, seed) in _arms(folder / "graph.json").items():
        stage = pipeline.stages.get(name)
        if stage is None or stage.scores is None:
            continue
        found.titles.setdefault(arm, stage.purpose.removesuffix(_PURPOSE_END))
        found.seeds += [seed] if seed not in found.seeds else []
        made = _stages_of(pipeline, stage.scores)
        if stage.rows:
            found.scores.setdefault(arm, {})[seed] = stage.rows
            found.spent.setdefault(arm, {})[seed] = _spent(made, files, found.costs)
        if trained := [s for s in made if s.recipe in _RL and s.name in files and files[s.name].metrics]:
            lines = each_step_once(files[trained[-1].name].metrics)
            found.curves.setdefault(arm, {})[seed] = lines
            if limits := limits_of(trained[-1].config):
                found.limits[arm] = limits
                found.limit_checks += check_limits(arm, seed, limits, lines) if trained[-1].state == "finished" else []
    known = {arm: i for i, arm in enumerate(ARMS)}
    found.titles = dict(sorted(found.titles.items(), key=lambda item: known.get(item[0], len(known))))
    found.scores, found.spent = _ordered(found.scores, found.titles), _ordered(found.spent, found.titles)
    found.curves, found.limits = _ordered(found.curves, found.titles), _ordered(found.limits, found.titles)
    return found


def each_step_once(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """By step; of a step that a resume wrote again, the later line."""
    by_step = {line["step"]: line for line in lines}
    return [by_step[step] for step in sorted(by_step)]


def _arms(path: Path) -> dict[str, tuple[str, str]]:
    """By stage that scores a model, its arm and seed; what cannot be read is told by the pipeline itself."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return {
        str(row["name"]): (fmt.printable(str(row["arm"])), fmt.printable(str(row["seed"])))
        for row in rows
        if all(isinstance(row.get(key), str) and row[key] for key in ("name", "arm", "seed"))
    }


def _read(folder: Path, stage: Stage, problems: list[str]) -> RunFiles | None:
    try:
        return read_run_files(folder)
    except InputError as error:
        problems.append(f"{stage.name}: {error}")
        return None


def _stages_of(pipeline: Pipeline, model: str) -> list[Stage]:
    """The stages that made a model, in order; those that only wrote data are not among them."""
    names = [*pipeline.ancestors(model), *([model] if model in pipeline.stages else [])]
    return [stage for name in names if (stage := pipeline.stages[name]).recipe != "gather" and stage.scores is None]


def _spent(stages: Sequence[Stage], files: Mapping[str, RunFiles], costs: Mapping[str, Cost]) -> Spent:
    """The sum over the stages that made a model."""
    parts = [
        spent_by(
            stage.recipe, files[stage.name], costs[stage.name], find(stage.config, "token_budget"),
            find(stage.config, "operation_budget"),
        )
        for stage in stages
        if stage.name in files
    ]

    def total(name: str) -> float | None:
        known = [value for part in parts if (value := getattr(part, name)) is not None]
        return fsum(known) if known else None

    sums = {name: total(name) or 0.0 for name in ("sampled", "trained", "demonstrated", "probed")}
    return Spent(
        **sums, flops=total("flops"), is_estimated=any(part.is_estimated for part in parts), seconds=total("seconds"),
        planned=total("planned"), planned_flops=total("planned_flops"), stages=tuple(part.stages[0] for part in parts),
    )  # fmt: skip


def _ordered(by_arm: Mapping[str, T], arms: Iterable[str]) -> dict[str, T]:
    return {arm: by_arm[arm] for arm in arms if arm in by_arm}


def _has_all(figures: Mapping[str, Figure], names: Sequence[str]) -> bool:
    return all(name in figures for name in names)

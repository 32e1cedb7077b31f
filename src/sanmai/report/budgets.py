"""What arms were given and what they used: tokens against their budget, measurements of the probe against their limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, fsum
from statistics import fmean
from typing import Any

from sanmai.instruments.cost import Cost, RunFiles, training_part
from sanmai.recipes import RECIPES
from sanmai.report.curves import metric_of_limit
from sanmai.report.findings import BASE
from sanmai.report.load import is_number

TOLERANCE = 0.1
"""Budgets whose relative difference is above it are not called equal."""


@dataclass(frozen=True)
class Spent:
    """What the stages that made an arm's model processed, each step once; seconds and operations as they were paid for."""

    sampled: float = 0.0
    """Completion tokens, as are the next three."""
    trained: float = 0.0
    """Of the policy's own that have a reward, in groups without signal too."""
    demonstrated: float = 0.0
    """In SFT, and in the auxiliary SFT loss of an RL update."""
    probed: float = 0.0
    flops: float | None = None
    is_estimated: bool = False
    """Some of the operations are by the rule of thumb."""
    seconds: float | None = None
    """Without evaluations and loading."""
    planned: float | None = None
    """The sum of the stages' token budgets."""
    planned_flops: float | None = None
    """The sum of their budgets of operations."""
    stages: tuple[str, ...] = ()

    @property
    def processed(self) -> float:
        return self.sampled + self.trained + self.demonstrated + self.probed


@dataclass(frozen=True)
class BudgetCheck:
    """Whether the arms that were given the whole budget used the same."""

    arms: list[str]
    """Those that were; fewer than two cannot differ."""
    exempt: dict[str, float]
    """By arm, the share of the budget that it was given, where it was given less by design."""
    difference: float
    """max over seeds of (most - least) / most, in tokens processed."""
    low: float
    high: float
    """The fewest and the most tokens that one of them processed."""
    flops: float | None
    """The same difference in operations, and in seconds; None where they are not on record."""
    seconds: float | None
    is_by_flops: bool = False
    """The budget was one of operations."""

    @property
    def is_equal(self) -> bool:
        return (self.flops if self.is_by_flops and self.flops is not None else self.difference) <= TOLERANCE


@dataclass(frozen=True)
class LimitCheck:
    """What a finished run measured of one limit on its probe, at the end of training."""

    arm: str
    seed: str
    name: str
    """Of the measure, as in learn/constraints.py."""
    limit: float
    measured: float | None
    """Mean over the last quarter of the measurements, at least one; None where there was none."""
    num_last: int
    num_measured: int
    multiplier: float | None
    """In force in the last step."""

    @property
    def is_kept(self) -> bool | None:
        """Whether that mean is not above the limit; None where nothing was measured."""
        return None if self.measured is None else self.measured <= self.limit


def spent_by(recipe: str, found: RunFiles, cost: Cost, planned: Any = None, planned_flops: Any = None) -> Spent:
    """What one stage, or a run by itself, processed.

    Args:
        planned, planned_flops: its budget of tokens, or of operations.
    """
    tokens: dict[str, dict[float, float]] = {}
    for line in found.metrics:  # by step: a line that a resume wrote again counts once
        for name, value in line.items():
            if name.startswith("tokens/") and is_number(value):
                tokens.setdefault(name.removeprefix("tokens/"), {})[line["step"]] = value
    total = {name: fsum(values.values()) for name, values in tokens.items()}
    trained = total.get("trained", 0.0)
    shown = trained if recipe in RECIPES and RECIPES[recipe].is_shown else 0.0
    training = training_part(cost)
    return Spent(
        total.get("sampled", 0.0), trained - shown, shown + total.get("auxiliary_sft", 0.0), total.get("probe", 0.0),
        fsum(training.flops.values()) if training.flops else None, bool(training.estimated or training.uncounted),
        fsum(training.seconds.values()) if training.seconds else None, planned if is_number(planned) else None,
        planned_flops if is_number(planned_flops) else None, (cost.name,),
    )  # fmt: skip


def check_budget(spent: Mapping[str, Mapping[str, Spent]]) -> BudgetCheck:
    """What the arms used up, seed by seed; the base is no arm, and what was given less by design is set apart."""
    is_by_flops = any(s.planned_flops for by_seed in spent.values() for s in by_seed.values())
    planned = {
        arm: max(((s.planned_flops if is_by_flops else s.planned) or 0.0 for s in by_seed.values()), default=0.0)
        for arm, by_seed in spent.items()
    }
    whole = max(planned.values(), default=0.0)
    exempt = {
        arm: given / whole for arm, given in planned.items() if arm != BASE and 0 < given < (1 - TOLERANCE) * whole
    }
    full = [arm for arm in spent if arm != BASE and arm not in exempt]
    tokens, flops, seconds = (
        _by_seed(spent, full, lambda s: s.processed or None),
        _by_seed(spent, full, lambda s: s.flops),
        _by_seed(spent, full, lambda s: s.seconds),
    )
    everything = [value for those in tokens for value in those]
    return BudgetCheck(
        full,
        exempt,
        _largest_difference(tokens) or 0.0,
        min(everything, default=0.0),
        max(everything, default=0.0),
        _largest_difference(flops),
        _largest_difference(seconds),
        is_by_flops,
    )


def check_limits(
    arm: str, seed: str, limits: Mapping[str, float], lines: Sequence[Mapping[str, Any]]
) -> list[LimitCheck]:
    """Whether a run kept its limits at the end: the mean over the last ceil(k / 4) of k measurements against each.

    Args:
        limits: by measure.
        lines: the run's metrics, each step once, in order.
    """
    checks = []
    for name, limit in limits.items():
        values, multipliers = (
            [line[metric] for line in lines if is_number(line.get(metric))]
            for metric in (metric_of_limit(name, lines), f"multiplier/{name}")
        )
        last = values[-ceil(len(values) / 4) :] if values else []
        mean = fmean(last) if last else None
        ended = multipliers[-1] if multipliers else None
        checks.append(LimitCheck(arm, seed, name, limit, mean, len(last), len(values), ended))
    return checks


def _by_seed(
    spent: Mapping[str, Mapping[str, Spent]], arms: Sequence[str], value: Callable[[Spent], float | None]
) -> list[list[float]]:
    """For each seed the values of the arms that have one."""
    seeds = dict.fromkeys(seed for arm in arms for seed in spent[arm])
    return [[v for arm in arms if seed in spent[arm] and (v := value(spent[arm][seed])) is not None] for seed in seeds]


def _largest_difference(per_seed: Sequence[Sequence[float]]) -> float | None:
    """max over seeds of (most - least) / most; None where no seed has two values."""
    return max(((max(those) - min(those)) / max(those) for those in per_seed if len(those) > 1), default=None)

"""Multipliers of the limits that a run keeps: what they weigh in its updates, whatever kind of policy is trained and probed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field

from sanmai.config import Config
from sanmai.instruments.control import Gains, Multiplier
from sanmai.losses import group_advantages
from sanmai.train.components import LossConfig
from sanmai.types import KL_METRICS, Credited, Graded, Group, Metrics

Target = Literal["auxiliary_sft", "cost", "kl"]


class LimitConfig(Config):
    limit: float = Field(ge=0)
    """What the measure may be: a share (0..1), tokens for length, nats per token for kl."""
    drives: Target = "auxiliary_sft"
    """What the multiplier is added to: the weight of the auxiliary SFT loss; the weight of the measure itself as a cost of
    each rollout; the weight of the KL to the reference."""
    integral: float = Field(2.0, ge=0)
    """Growth of the multiplier per measurement and unit of excess: the step size of the dual ascent."""
    proportional: float = Field(0.0, ge=0)
    """Added while the excess lasts, per unit of it."""
    derivative: float = Field(0.0, ge=0)
    """Added while the measure rises, per unit that it rose since the last measurement."""
    maximum: float = Field(8.0, gt=0)
    """The multiplier is never above it."""

    @property
    def gains(self) -> Gains:
        return Gains(self.integral, self.proportional, self.derivative, self.maximum)


class Multipliers(ABC):
    """One multiplier for each limit; a kind of probe moves them (learn/constraints.py, learn/clip_constraints.py)."""

    def __init__(self, limits: Mapping[str, LimitConfig]) -> None:
        self.limits = dict(limits)
        self.multipliers = {name: Multiplier() for name in self.limits}

    @abstractmethod
    def cost_of(self, name: str, rollout: Graded) -> float | None:
        """What a rollout says of a measure; None where it cannot be told."""

    def weight(self, target: Target) -> float:
        """The sum of the multipliers that drive this."""
        return sum(self.multipliers[name].value for name, limit in self.limits.items() if limit.drives == target)

    def observe(self, metrics: Metrics) -> None:
        """Move the multiplier of the KL by what a step's update found."""
        found = next((metrics[name] for name in KL_METRICS if name in metrics), None)
        if "kl" in self.multipliers and found is not None:
            self.advance("kl", found)

    def with_costs(self, groups: Sequence[Group[Credited]], loss: LossConfig) -> list[Group[Credited]]:
        """The groups with advantages in cost: minus the multiplier times a rollout's cost relative to its group, over all limits.

        As with rewards, equal costs give no advantage; a rollout whose cost cannot be told has none and leaves the baseline.
        """
        settings = loss.settings()
        driving = {name: self.multipliers[name].value for name, limit in self.limits.items() if limit.drives == "cost"}
        found = []
        for group in groups:
            total = [0.0] * len(group.rollouts)
            for name, multiplier in driving.items():
                costs = [None if (value := self.cost_of(name, r)) is None else -value for r in group.rollouts]
                baseline = "leave_one_out" if settings.baseline == "leave_one_out" else "mean"
                scale = "std" if settings.advantage_scale in ("std", "batch_std") else "none"
                relative = group_advantages(costs, scale, baseline)
                total = [t + multiplier * a for t, a in zip(total, relative, strict=True)]
            credited = (replace(r, cost_advantage=cost) for r, cost in zip(group.rollouts, total, strict=True))
            found.append(Group(group.problem, tuple(credited)))
        return found

    def metrics(self) -> Metrics:
        """`multiplier/NAME`: the multipliers in force."""
        return {f"multiplier/{name}": multiplier.value for name, multiplier in self.multipliers.items()}

    def state(self) -> dict[str, torch.Tensor]:
        """The multipliers as tensors, for the run state."""
        return {
            f"multiplier/{name}": torch.tensor([m.value, m.integral, m.last], dtype=torch.float64)
            for name, m in self.multipliers.items()
        }

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """The multipliers as `state` gave them."""
        for name in self.multipliers:
            if (saved := state.get(f"multiplier/{name}")) is not None:
                self.multipliers[name] = Multiplier(*saved.tolist())

    def advance(self, name: str, measured: float) -> None:
        """Move one by what was measured."""
        limit = self.limits[name]
        self.multipliers[name] = self.multipliers[name].advanced(measured, limit.limit, limit.gains)

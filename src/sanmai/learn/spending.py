"""A budget of tokens: how recipes of different kinds are made to cost the same."""

from __future__ import annotations

import math

import torch

from sanmai.train.state import TrainingState
from sanmai.types import Metrics

_COUNTED = ("tokens/sampled", "tokens/trained", "tokens/auxiliary_sft", "tokens/probe")
_NAME = "spent_tokens"


class Spending:
    """Completion tokens that a run has sampled and trained on, against what it may."""

    def __init__(self, budget: int | None, state: TrainingState) -> None:
        """Args:
        budget: tokens; None for no limit.
        state: of the run, which remembers what was spent before a resume.
        """
        self.budget = budget
        self.spent = int(state.extra[_NAME]) if _NAME in state.extra else 0

    @property
    def is_over(self) -> bool:
        return self.budget is not None and self.spent >= self.budget

    def total_steps(self, step: int, num_steps: int) -> int:
        """Steps that the run will have, judged before `step` (counted from 1) by what a step took until then."""
        if self.budget is None or not self.spent:
            return num_steps
        return max(min(num_steps, math.ceil((step - 1) * self.budget / self.spent)), step)

    def add(self, metrics: Metrics) -> bool:
        """Count a step; whether it was the last one that the budget allows."""
        self.spent += round(sum(metrics.get(name, 0.0) for name in _COUNTED))
        return self.is_over

    def state(self) -> dict[str, torch.Tensor]:
        """For the run state; nothing without a budget, so that the files of a run without one are as they always were."""
        return {} if self.budget is None else {_NAME: torch.tensor(self.spent, dtype=torch.int64)}

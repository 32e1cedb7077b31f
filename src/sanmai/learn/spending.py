"""A budget of tokens or of operations: how recipes of different kinds are made to cost the same."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from sanmai.train.state import TrainingState
from sanmai.types import Metrics

_COUNTED = ("tokens/sampled", "tokens/trained", "tokens/auxiliary_sft", "tokens/probe")
_NAMES = {"tokens": "spent_tokens", "operations": "spent_operations"}


def refuse_two_budgets(tokens: int | None, operations: float | None) -> None:
    """Raises ValueError where both are given: a run ends by one of them."""
    if tokens is not None and operations is not None:
        raise ValueError("token_budget and operation_budget: a run ends by one of them, leave out the other")


class Spending:
    """What a run has used up, against what it may: completion tokens sampled and trained on, or operations."""

    def __init__(self, budget: int | None, state: TrainingState, operations: float | None = None) -> None:
        """Args:
        budget: tokens; None for no limit.
        state: of the run, which remembers what was spent before a resume.
        operations: floating point operations (policies/text/flops.py); None for no limit. One of the two at most.
        """
        self._unit = "operations" if operations is not None else "tokens"
        self.budget: float | None = operations if operations is not None else budget
        name = _NAMES[self._unit]
        self.spent: float = state.extra[name].item() if name in state.extra else 0

    @property
    def is_over(self) -> bool:
        return self.budget is not None and self.spent >= self.budget

    def total_steps(self, step: int, num_steps: int) -> int:
        """Steps that the run will have, judged before `step` (counted from 1) by what a step took until then."""
        if self.budget is None or not self.spent:
            return num_steps
        return max(min(num_steps, math.ceil((step - 1) * self.budget / self.spent)), step)

    def add(self, metrics: Metrics, flops: Mapping[str, float] | None = None) -> bool:
        """Count a step; whether it was the last one that the budget allows.

        Args:
            flops: the step's operations by phase, which a budget of operations counts.
        """
        counted = metrics.get if self._unit == "tokens" else (flops or {}).get
        names = _COUNTED if self._unit == "tokens" else tuple(flops or ())
        self.spent += round(sum(counted(name, 0.0) for name in names))
        return self.is_over

    def state(self) -> dict[str, torch.Tensor]:
        """For the run state; nothing without a budget, so that the files of a run without one are as they always were."""
        kind = torch.int64 if self._unit == "tokens" else torch.float64  # operations of a large model are beyond 64 bits
        return {} if self.budget is None else {_NAMES[self._unit]: torch.tensor(self.spent, dtype=kind)}

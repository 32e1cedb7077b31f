"""An entropy bonus whose weight is moved each step towards a wanted entropy."""

from __future__ import annotations

import torch

from sanmai.train.components import EntropyConfig
from sanmai.types import Metrics

_NAME = "entropy"


def moved(coefficient: float, entropy: float, *, target: float, step: float, maximum: float) -> tuple[float, float]:
    """The coefficient after a step whose entropy this was, and the weight that the next step gives the bonus.

        c' = min(max(c + step, 0), maximum) if entropy < target, else with c - step
        weight = c' if entropy <= target, else 0

    A policy that is varied enough is left alone; one that has become too sure is pushed more in every step, until it is not.

    Source:
        Skywork-OR1 (arXiv:2505.22312) section 4, with the entropy of the step before in place of one more pass.
    """
    coefficient = min(max(coefficient + (step if entropy < target else -step), 0.0), maximum)
    return coefficient, coefficient if entropy <= target else 0.0


class AdaptiveEntropy:
    """The weight of a run's entropy bonus. Its state is part of the run's, so that a resume goes on with the same."""

    def __init__(self, config: EntropyConfig, start: float) -> None:
        """Args:
            start: the coefficient and the weight of the first step.
        """
        self._config, self._coefficient, self.weight = config, start, start

    def observe(self, metrics: Metrics) -> Metrics:
        """Move the weight by what a step's update found; `entropy/weight`, the one that was in force."""
        found = {"entropy/weight": self.weight}
        target, entropy = self._config.target, metrics.get("policy/entropy")
        if target is not None and entropy is not None:
            bounds = {"step": self._config.step, "maximum": self._config.maximum}
            self._coefficient, self.weight = moved(self._coefficient, entropy, target=target, **bounds)
        return found

    def state(self) -> dict[str, torch.Tensor]:
        """For the run state."""
        return {_NAME: torch.tensor([self._coefficient, self.weight], dtype=torch.float64)}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Go on from what `state` gave."""
        if (saved := state.get(_NAME)) is not None:
            self._coefficient, self.weight = saved.tolist()

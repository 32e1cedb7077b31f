"""Which kinds of problems a step draws: reasoning, general, safety; and from when on the last two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from sanmai.config import Config
from sanmai.data.curriculum import draw
from sanmai.types import InputError, Problem


class MixtureConfig(Config):
    reasoning: float = Field(1.0, ge=0, le=1e6)
    """Share of reasoning problems in a step, relative to the other kinds; a kind without problems has none."""
    general: float = Field(1.0, ge=0, le=1e6)
    """Share of general prompts."""
    safety: float = Field(1.0, ge=0, le=1e6)
    """Share of safety prompts."""
    scenarios_from: float = Field(0.0, ge=0, lt=1)
    """Part of the run that is done when general and safety prompts begin; before, all is reasoning (R1: 1,300 of 1,700 steps)."""

    def shares(self, kinds: Mapping[str, Sequence[Problem]], step: int, num_steps: int) -> dict[str, float]:
        """The share of each kind that a step draws from; they add up to 1."""
        is_early = step <= self.scenarios_from * num_steps and "reasoning" in kinds
        shares = {kind: float(getattr(self, kind)) for kind in kinds if not is_early or kind == "reasoning"}
        total = sum(shares.values())
        if not total:
            raise InputError(f"mixture: the shares of {', '.join(shares)} are 0, and the problems are of no other kind")
        return {kind: share / total for kind, share in shares.items() if share}


class Mixture:
    """The training problems by kind."""

    def __init__(self, config: MixtureConfig, problems: Sequence[Problem], count: int, num_steps: int) -> None:
        """Args:
            count: problems that a step draws.

        Raises:
            InputError: a step would draw more problems of a kind than there are.
        """
        self.config, self.count, self.num_steps = config, count, num_steps
        self.kinds: dict[str, list[Problem]] = {}
        for problem in problems:
            self.kinds.setdefault(problem.kind, []).append(problem)
        for step in (1, num_steps):
            for kind, wanted in self._counts(step).items():
                if wanted > len(self.kinds[kind]):
                    raise InputError(
                        f"prompts_per_step = {count}: a step draws {wanted} of kind {kind}, each at most once, and there "
                        f"are only {len(self.kinds[kind])} problems of it to train on"
                    )

    def draw(self, *, seed: int, step: int) -> list[Problem]:
        """The problems of a step, counted from 1, kind by kind; a pure function of its arguments (law 6)."""
        return [
            problem
            for kind, count in self._counts(step).items()
            for problem in draw(self.kinds[kind], count, seed=seed, step=step)
        ]

    def _counts(self, step: int) -> dict[str, int]:
        """Problems of each kind, by the largest remainder."""
        shares = self.config.shares(self.kinds, step, self.num_steps)
        counts = {kind: int(share * self.count) for kind, share in shares.items()}
        by_remainder = sorted(shares, key=lambda kind: counts[kind] - shares[kind] * self.count)
        for kind in by_remainder[: self.count - sum(counts.values())]:
            counts[kind] += 1
        return {kind: count for kind, count in counts.items() if count}

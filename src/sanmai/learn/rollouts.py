"""A step's graded groups: which problems, written whole or in parts, with rewards that look at the whole group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from torch import Tensor

from sanmai.config import Config, OnlyWith
from sanmai.data.chat import render_prompt
from sanmai.learn.curriculum import Curriculum
from sanmai.learn.length import add_length_rewards
from sanmai.learn.mixture import Mixture
from sanmai.policies.text.policy import Policy
from sanmai.rewards.rubric import Rubric
from sanmai.rollout.engine import RolloutStats, continue_rollouts, rollout
from sanmai.rollout.partial import PartialRollouts
from sanmai.types import Group, Metrics, Problem, StopReason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sanmai.recipes.zero import ZeroConfig


class PartialConfig(Config):
    segment_tokens: int | None = Field(None, ge=1)
    """Most tokens of a rollout that one step writes; what is unfinished goes on in the next, under the newer policy. None: whole
    rollouts."""
    earlier: Literal["exclude", "importance"] = "exclude"
    """Of tokens that earlier policies wrote: keep them out of the loss, or train on them with the ratio to the policy that wrote
    each."""
    loop_tokens: int = Field(0, ge=0)
    """Stop a rollout early that repeats a passage of at most so many tokens; looked at after each segment. 0: never."""
    loop_times: int = Field(4, ge=2)
    """In a row, so many times."""
    loop_penalty: float = Field(0.0, ge=0)
    """Taken off the reward of a rollout that was stopped for that."""

    only_with = (
        OnlyWith("segment_tokens", lambda c: c.segment_tokens is not None, "earlier", "loop_tokens"),
        OnlyWith("loop_tokens above 0", lambda c: c.loop_tokens > 0, "loop_times", "loop_penalty"),
    )


class StepRollouts:
    """Writes what each step of a run trains on. Its state is part of the run's, so that a resume goes on with the same."""

    def __init__(self, config: ZeroConfig, problems: Sequence[Problem], state: dict[str, Tensor]) -> None:
        """Args:
        problems: to train on.
        state: as `state` gave it.
        """
        self.config = config
        self._mixture = Mixture(config.mixture, problems, config.prompts_per_step, config.num_steps, seed=config.seed)
        self._curriculum: Curriculum | None = None
        if config.curriculum.tracks:
            self._curriculum = Curriculum(config.curriculum, problems, config.num_steps, seed=config.seed)
            self._curriculum.restore(state)
        self._partial = PartialRollouts() if config.partial.segment_tokens is not None else None
        if self._partial is not None:
            self._partial.restore(state, problems)

    def write(self, policy: Policy, rubric: Rubric, step: int) -> tuple[list[Group], RolloutStats]:
        """The groups that a step, counted from 1, trains on; with partial rollouts those that have ended, if any."""
        config = self.config
        problems = self._mixture.draw(step, self._curriculum)
        shared: dict[str, Any] = {"policy_version": step - 1, "sampling": config.sampling, "grading": config.grading}
        if self._partial is None:
            count = config.rollouts_per_prompt
            return rollout(policy, problems, rubric, rollouts_per_prompt=count, seed=(config.seed, step), **shared)
        assert config.partial.segment_tokens is not None
        for problem in problems:
            prompt = render_prompt(policy.tokenizer, problem.messages, carries_images=True)
            self._partial.begin(problem, prompt, step, config.rollouts_per_prompt)
        loops = (config.partial.loop_tokens, config.partial.loop_times) if config.partial.loop_tokens else None
        segment = config.partial.segment_tokens
        groups, stats = continue_rollouts(
            policy, self._partial, rubric, seed=(config.seed,), segment=segment, loops=loops, **shared
        )
        for r in (r for group in groups for r in group.rollouts):
            if r.stop_reason is StopReason.REPETITION and r.reward is not None:
                r.reward -= config.partial.loop_penalty
        return groups, stats

    def finish(self, groups: Sequence[Group], rubric: Rubric, step: int, num_steps: int) -> Metrics:
        """Add what is paid for length, and remember what was solved; metrics of both, and of rollouts that wait."""
        config = self.config
        metrics: Metrics = {}
        if config.length.weight:
            shape: dict[str, int] = {"step": step, "num_steps": num_steps, "max_tokens": config.sampling.max_tokens}
            metrics |= add_length_rewards(groups, config.length, rubric.weights, **shape)
        if self._curriculum is not None:
            metrics |= self._curriculum.observe(step, groups)
        if self._partial is not None:
            metrics["partial/waiting"] = float(self._partial.num_waiting)
        return metrics

    def state(self) -> dict[str, Tensor]:
        """For the run state; nothing for a run of whole rollouts in epochs."""
        found = self._curriculum.state() if self._curriculum is not None else {}
        return found | (self._partial.state() if self._partial is not None else {})

    @property
    def num_waiting(self) -> int:
        """Rollouts that were begun and have not ended."""
        return self._partial.num_waiting if self._partial is not None else 0

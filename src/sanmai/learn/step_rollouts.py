"""A step's graded groups: which problems, written whole or in parts, with rewards that look at the whole group."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from torch import Tensor

from sanmai.config import Config, OnlyWith
from sanmai.data.chat import render_prompt
from sanmai.learn.curriculum import Curriculum
from sanmai.learn.length import LengthConfig, with_length_rewards
from sanmai.learn.mixture import Mixture
from sanmai.learn.refill import RefillConfig, refill
from sanmai.learn.step_credit import StepCredit, Steps
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.rewards.rubric import Rubric
from sanmai.rollout.engine import GradingConfig, RolloutStats, rollout
from sanmai.rollout.measure import has_signal
from sanmai.rollout.partial import PartialRollouts, continue_rollouts
from sanmai.types import Graded, Group, Metrics, Problem, StopReason, Verdict, regrouped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


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


@dataclass(frozen=True)
class Written:
    """What a step trains on, and what that cost."""

    groups: Sequence[Group[Graded]]
    stats: RolloutStats
    left_out: frozenset[str] = frozenset()
    """Ids of problems whose groups have no signal and are not trained on; see learn/refill.py."""
    greedy: Sequence[Group[Graded]] = ()
    """Where the baseline is that of a greedy completion: one of each problem, the only one of its group."""
    steps: Steps | None = None
    """Where steps get the credit: what is expected after each of them."""
    credit: Metrics = field(default_factory=dict)
    """Metrics of that."""

    def without(self, aside: frozenset[str]) -> Written:
        """The same without the groups of these problems."""
        return replace(self, groups=[g for g in self.groups if g.problem.id not in aside], left_out=frozenset())


class StepRollouts:
    """Writes what each step of a run trains on. Its state is part of the run's, so that a resume goes on with the same."""

    def __init__(
        self, mixture: Mixture, curriculum: Curriculum | None, *, per_prompt: int, seed: int, sampling: SamplingConfig,
        grading: GradingConfig, partial: PartialConfig, length: LengthConfig, refill: RefillConfig,
        has_greedy: bool, on_warning: Callable[[str], None], credit: StepCredit | None = None,
    ) -> None:
        """Args:
            mixture: says which problems a step draws, by kind.
            curriculum: says which of the reasoning problems; None: epochs.
            per_prompt: rollouts of each problem.
            seed: names the random streams of the rollouts.
            has_greedy: write one greedy completion of each problem, too.
            on_warning: told once when a step could not be refilled.
            credit: what is expected after each step of a rollout is asked, too, or steps are paid for.
        """
        self._mixture, self._curriculum = mixture, curriculum
        self._per_prompt, self._seed, self._sampling, self._grading = per_prompt, seed, sampling, grading
        self._segments, self._length = partial, length
        self._tries, self._has_greedy, self._warn = refill.tries, has_greedy, on_warning
        self._credit = credit
        self._refilled: Metrics = {}
        self._has_said = False
        self._partial = PartialRollouts() if partial.segment_tokens is not None else None

    def write(self, policy: TextPolicy, rubric: Rubric, step: int, *, version: int | None = None) -> Written:
        """The groups that a step, counted from 1, trains on; with partial rollouts those that have ended, if any.

        Args:
            version: updates that the policy has had which writes them; None: all before the step.
        """
        problems = self._mixture.draw(step, self._curriculum)
        version = step - 1 if version is None else version
        shared: dict[str, Any] = {"policy_version": version, "sampling": self._sampling, "grading": self._grading}
        if self._partial is None:
            write = lambda problems: rollout(  # noqa: E731
                policy, problems, rubric, rollouts_per_prompt=self._per_prompt, seed=(self._seed, step), **shared
            )
            groups, stats = write(problems)
            if self._tries:
                further = lambda kind, count, taken: self._mixture.further(step, kind, count, taken, self._curriculum)  # noqa: E731
                groups, stats, self._refilled = refill(groups, stats, tries=self._tries, further=further, write=write)
                self._say_missing(step, self._refilled, len(problems))
                return Written(groups, stats, frozenset(g.problem.id for g in groups if not has_signal(g)))
            if self._credit is not None:
                return self._with_credit(self._credit, policy, rubric, Written(groups, stats), step)
            if not self._has_greedy:
                return Written(groups, stats)
            shared["sampling"] = self._sampling.model_copy(update={"temperature": 0.0})
            seed = (self._seed, "greedy", step)
            greedy, cost = rollout(policy, problems, rubric, rollouts_per_prompt=1, seed=seed, **shared)
            return Written(groups, stats + cost, greedy=greedy)
        segments = self._segments
        assert segments.segment_tokens is not None
        for problem in problems:
            prompt = render_prompt(policy.tokenizer, problem.messages, carries_images=True)
            self._partial.begin(problem, prompt, step, self._per_prompt)
        loops = (segments.loop_tokens, segments.loop_times) if segments.loop_tokens else None
        groups, stats = continue_rollouts(
            policy, self._partial, rubric, seed=(self._seed,), segment=segments.segment_tokens, loops=loops, **shared
        )
        if segments.loop_penalty:
            each = (r for group in groups for r in group.rollouts)
            groups = regrouped(groups, (with_loop_penalty(r, segments.loop_penalty) for r in each))
        return Written(groups, stats)

    @staticmethod
    def _with_credit(credit: StepCredit, policy: TextPolicy, rubric: Rubric, written: Written, step: int) -> Written:
        """The groups with a bonus for steps, and with what credit by steps needs."""
        groups = credit.bonus(policy, written.groups)
        if not credit.config.is_per_token:
            return replace(written, groups=groups)
        groups, steps, cost, metrics = credit.write(policy, rubric, groups, step)
        return replace(written, groups=groups, stats=written.stats + cost, steps=steps, credit=metrics)

    def _say_missing(self, step: int, refilled: Metrics, wanted: int) -> None:
        if (missing := refilled["refill/missing"]) and not self._has_said:
            self._has_said = True
            self._warn(
                f"step {step}: after {refilled['refill/tries']:.0f} further draws {missing:.0f} of {wanted} groups still have no "
                f"signal (refill.tries = {self._tries}); the metric refill/missing says so of later steps"
            )

    def finish(self, written: Written, step: int, num_steps: int) -> tuple[Written, Metrics]:
        """The groups with what is paid for length, and metrics of that, of refilling, of what was solved and what waits."""
        metrics: Metrics = {}
        if self._length.weight:
            paid: dict[str, Any] = {"step": step, "num_steps": num_steps, "max_tokens": self._sampling.max_tokens}
            groups, metrics = with_length_rewards(written.groups, self._length, **paid)
            greedy, _ = with_length_rewards(written.greedy, self._length, **paid)
            written = replace(written, groups=groups, greedy=greedy)
        if self._curriculum is not None:
            metrics |= self._curriculum.observe(step, written.groups)
        if self._partial is not None:
            metrics["partial/waiting"] = float(self._partial.num_waiting)
        if written.greedy:
            rewards = [g.rollouts[0].reward for g in written.greedy]
            known = [reward for reward in rewards if reward is not None]
            metrics |= {"greedy/reward": fmean(known)} if known else {}
            metrics["greedy/ungradable"] = 1 - len(known) / len(rewards)
        return written, metrics | self._refilled | written.credit

    def restore(self, state: dict[str, Tensor], problems: Sequence[Problem]) -> None:
        """Go on from what `state` gave.

        Args:
            problems: to train on.
        """
        if self._curriculum is not None:
            self._curriculum.restore(state)
        if self._partial is not None:
            self._partial.restore(state, problems)

    def state(self) -> dict[str, Tensor]:
        """For the run state; nothing for a run of whole rollouts in epochs."""
        found = self._curriculum.state() if self._curriculum is not None else {}
        return found | (self._partial.state() if self._partial is not None else {})

    @property
    def num_waiting(self) -> int:
        """Rollouts that were begun and have not ended."""
        return self._partial.num_waiting if self._partial is not None else 0


def with_loop_penalty(r: Graded, penalty: float) -> Graded:
    """The rollout with loops as a component of its reward: -1 if it was stopped for one, else 0."""
    if r.stop_reason is StopReason.REPETITION:
        return r.with_component("loop_penalty", Verdict(-1.0, "stopped: it repeated itself", "loop"), penalty)
    return r.with_component("loop_penalty", Verdict(0.0, "not stopped for a loop", "no_loop"), penalty)

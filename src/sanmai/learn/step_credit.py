"""What is expected after each step of a step's rollouts: by continuations of the policy, or by a potential; trees of rollouts.

    credit.by = "steps"    VinePPO: k continuations of every beginning that ends a step, whose mean reward is its value
    credit.potential       a process model, or a function of one's own, says the value instead: nothing is sampled
    credit.rollouts = 0    the policy's value head says it: nothing is sampled
    credit.by = "tree"     TreeRL: rollouts fork where the policy was least sure, and every leaf is trained on

Values are of the policy that wrote the rollouts, before the step's first update. What was sampled for them is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Literal, Self

from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.data.steps import StepRule, boundaries, decoder
from sanmai.data.trace import parse_trace
from sanmai.learn.continuations import Beginning, continued
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.rewards.own import load_reward, reward_name
from sanmai.rewards.reward_model import RewardModel
from sanmai.rewards.rubric import Rubric
from sanmai.rollout.engine import GradingConfig, RolloutStats
from sanmai.search.guides import Candidate, Function, Guide, Process
from sanmai.types import Graded, Group, InputError, Metrics, StopReason, Verdict, regrouped

Name = tuple[str, int]
"""A rollout: problem and sample."""


_DECAY_OF_HEAD = 0.95
"""GAE's usual lambda (arXiv:1506.02438): at 1 nothing would be left of the steps."""


class CreditConfig(Config):
    by: Literal["group", "steps", "tree"] = "group"
    """Who gets the credit: each rollout, by its group; each of its steps, by what it adds to the expected reward (VinePPO); or
    each segment of a tree of rollouts (TreeRL). Steps and segments want loss.advantage_scale "none" or "batch_std"."""
    steps: str = r"text:\n\n"
    r"""What ends a step: text:SEPARATOR (text:\n\n), line, sentence, tokens:N, world, thought."""
    rollouts: int = Field(9, ge=0)
    """Continuations of every beginning whose value is asked; they are sampled tokens like all others. 0: none, the policy's value
    head says it (loss.baseline "value")."""
    potential: str | None = None
    """In place of continuations: a process reward model's folder, or FILE.py:FUNCTION of (problem, text so far) -> number."""
    decay: float | None = Field(None, ge=0, le=1)
    """Lambda over steps: 0 is what a step adds to the value (continuations), 1 the reward less the value before the step, which
    leaves the best policy as it is whatever the potential says (potentials); 0.95 where the value head says it alone."""
    forks: int = Field(2, ge=1)
    """Of each rollout of a tree: where the tokens were that the policy was least sure of."""
    step_bonus: float = 0.0
    """Paid for every step. No potential: the best policy moves to more steps (below 0: fewer), and one is warned of it."""

    only_with = (
        OnlyWith('by = "steps"', lambda c: c.by == "steps", "rollouts", "potential", "decay"),
        OnlyWith('by = "tree"', lambda c: c.by == "tree", "forks"),
        OnlyWith('by = "steps" or a step_bonus', lambda c: c.by == "steps" or c.step_bonus, "steps"),
    )

    @property
    def is_per_token(self) -> bool:
        return self.by != "group"

    @property
    def by_head(self) -> bool:
        """The policy's value head says what is expected after a step."""
        return self.by == "steps" and self.rollouts == 0

    @property
    def weight_of_later(self) -> float:
        """Lambda, by default 0 with continuations, 1 with a potential, and a little less with a value head alone."""
        if self.decay is not None:
            return self.decay
        return 1.0 if self.potential is not None else 0.0 if self.rollouts else _DECAY_OF_HEAD

    @model_validator(mode="after")
    def _check(self) -> Self:
        StepRule.parse(self.steps)
        if self.by_head and self.potential is None and self.weight_of_later == 1.0:
            raise ValueError(
                "credit.rollouts = 0 at credit.decay = 1: what the value head says after a step cancels, so that nothing is left "
                "of the steps; state a credit.decay below 1, or credit.by 'group', which is then the same"
            )
        if self.potential is not None and self.rollouts != type(self).model_fields["rollouts"].default:
            raise ValueError("credit.rollouts and credit.potential: values are asked of one or the other")
        return self

    def words(self) -> str:
        """In a sentence, for a plan; empty where credit goes to rollouts by their group."""
        who = f"{self.rollouts} continuations each" if self.rollouts else "the value head"
        who = who if self.potential is None else f"the potential {self.potential}"
        said = {
            "group": "",
            "tree": f"Every rollout forks at the {self.forks} tokens that were least sure, and all leaves are trained on.",
            "steps": f"Credit goes to steps ({self.steps}), their values by {who}, lambda {self.weight_of_later:g}; times and "
            "costs below are without them, as nobody knows yet how many steps there will be.",
        }  # fmt: skip
        bonus = f" Every step is paid {self.step_bonus:g}, which moves the best policy." if self.step_bonus else ""
        return said[self.by] + bonus


@dataclass(frozen=True)
class StepsOf:
    """Of one rollout.

    Example:
        StepsOf((12, 20, 24), (0.3, 0.9, None))
    """

    ends: tuple[int, ...]
    """Tokens at the end of each step."""
    values: tuple[float | None, ...]
    """Expected reward after each; None where nobody knows, as after the last."""


@dataclass(frozen=True)
class Steps:
    """What a step's credit is made of, by rollout."""

    of: Mapping[Name, StepsOf] = field(default_factory=dict)
    segments: Mapping[Name, Sequence[tuple[int, int]]] = field(default_factory=dict)
    """Of a tree: each leaf's path, (node, tokens)."""
    decay: float = 0.0
    by_head: bool = False
    """What is expected after a step the policy's value head says."""


class StepCredit:
    """Writes what credit by steps needs beside a step's groups."""

    def __init__(
        self, config: CreditConfig, policy: TextPolicy, sampling: SamplingConfig, grading: GradingConfig, *, seed: int,
        device: str, on_warning: Callable[[str], None],
    ) -> None:  # fmt: skip
        """Args:
            policy: whose tokens a potential will read.
            device: of a process model.

        Raises:
            InputError: the potential cannot be had.
        """
        self.config, self.sampling, self.grading, self.seed = config, sampling, grading, seed
        self._rule = StepRule.parse(config.steps)
        self._guide = None if config.potential is None else _potential(config.potential, policy, device)
        if config.step_bonus:
            on_warning(
                f"credit.step_bonus = {config.step_bonus:g} is no potential: it moves the best policy to "
                f"{'more' if config.step_bonus > 0 else 'fewer'} steps, whether they help or not"
            )
        if config.potential is not None and config.weight_of_later < 1:
            on_warning(
                f"credit.potential with credit.decay = {config.weight_of_later:g}: below 1 what the potential gets wrong moves "
                "the best policy"
            )

    def bonus(self, policy: TextPolicy, groups: Sequence[Group[Graded]]) -> list[Group[Graded]]:
        """The groups with a component for their steps, where there is a bonus."""
        if not self.config.step_bonus:
            return list(groups)
        each = [self._with_bonus(policy, r) for group in groups for r in group.rollouts]
        return regrouped(groups, each)

    def _with_bonus(self, policy: TextPolicy, r: Graded) -> Graded:
        number = len(self._ends(policy, r))
        return r.with_component("step_bonus", Verdict(float(number), f"{number} steps", "steps"), self.config.step_bonus)

    def _ends(self, policy: TextPolicy, r: Graded) -> list[int]:
        is_finished = r.stop_reason is StopReason.STOP
        found = boundaries(r.completion_tokens, decoder(policy.tokenizer), self._rule, is_finished=is_finished)
        return [end for end in found if 0 < end <= r.length]

    def write(
        self, policy: TextPolicy, rubric: Rubric, groups: Sequence[Group[Graded]], step: int
    ) -> tuple[list[Group[Graded]], Steps, RolloutStats, Metrics]:
        """The groups, of a tree with their forks, and what their credit is made of; what that cost, and metrics."""
        if self.config.by == "tree":
            return self._tree(policy, rubric, groups, step)
        return list(groups), *self._steps(policy, rubric, groups, step)

    def _steps(
        self, policy: TextPolicy, rubric: Rubric, groups: Sequence[Group[Graded]], step: int
    ) -> tuple[Steps, RolloutStats, Metrics]:
        rollouts = [(group.problem, r) for group in groups for r in group.rollouts if r.reward is not None]
        ends = [self._ends(policy, r) for _, r in rollouts]
        asked = [
            (number, Beginning(problem, r, end))
            for number, ((problem, r), own) in enumerate(zip(rollouts, ends, strict=True))
            for end in own
            if end < r.length - (r.stop_reason is StopReason.STOP)
        ]
        stats, metrics = RolloutStats(), {}
        if self.config.by_head:
            values: list[float | None] = [None] * len(asked)  # said when its step is learned from
        elif self.config.potential is None:
            values, stats, metrics = self._by_continuations(policy, rubric, [one for _, one in asked], step)
        else:
            values, metrics = self._by_potential(policy, asked, ends)
        of_end = {(number, one.length): value for (number, one), value in zip(asked, values, strict=True)}
        found = {
            (problem.id, r.sample): StepsOf(tuple(own), tuple(of_end.get((number, end)) for end in own))
            for number, ((problem, r), own) in enumerate(zip(rollouts, ends, strict=True))
        }
        metrics["credit/steps"] = fmean(map(len, ends)) if ends else 0.0
        return Steps(found, decay=self.config.weight_of_later, by_head=self.config.by_head), stats, metrics

    def _by_continuations(
        self, policy: TextPolicy, rubric: Rubric, asked: Sequence[Beginning], step: int
    ) -> tuple[list[float | None], RolloutStats, Metrics]:
        if not asked:
            return [], RolloutStats(), {}
        name = lambda one: (self.seed, step, "credit", one.problem.id, one.drawn.sample, one.length)  # noqa: E731
        done = continued(
            policy, rubric, asked, k=self.config.rollouts, name=name, sampling=self.sampling, grading=self.grading
        )
        values: dict[tuple, float | None] = {}
        for one, rollouts in zip(asked, done.rollouts, strict=True):
            if one.key not in values:
                with_bonus = [self._with_bonus(policy, r) if self.config.step_bonus else r for r in rollouts]
                known = [r.reward for r in with_bonus if r.reward is not None]
                values[one.key] = fmean(known) if known else None
        stats = RolloutStats(0.0, done.prompt_tokens, done.sampled_tokens, done.failures)
        unknown = sum(value is None for value in values.values()) / len(values)
        return [values[one.key] for one in asked], stats, {
            "tokens/continuations": float(done.sampled_tokens), "credit/probes": float(done.num_asked), "credit/unknown": unknown,
        }  # fmt: skip

    def _by_potential(
        self, policy: TextPolicy, asked: Sequence[tuple[int, Beginning]], ends: Sequence[list[int]]
    ) -> tuple[list[float | None], Metrics]:
        guide = self._guide
        assert guide is not None
        decode, (open_tag, close_tag) = decoder(policy.tokenizer), self.grading.thought_tags
        found = guide([
            Candidate(
                one.problem, one.drawn.prompt_tokens, one.tokens, one.drawn.sampling_logp[: one.length],
                [end for end in ends[number] if end <= one.length], StopReason.STEP,
                parse_trace(decode(one.tokens), open_tag=open_tag, close_tag=close_tag, is_truncated=True),
            )
            for number, one in asked
        ])  # fmt: skip
        unknown = sum(one.score is None for one in found) / max(len(found), 1)
        read = float(sum(one.num_tokens for one in found))
        return [one.score for one in found], {"tokens/potential": read, "credit/unknown": unknown}

    def _tree(
        self, policy: TextPolicy, rubric: Rubric, groups: Sequence[Group[Graded]], step: int
    ) -> tuple[list[Group[Graded]], Steps, RolloutStats, Metrics]:
        """Every rollout forks before the tokens that were least likely; the forks are rollouts of its group, after the others."""
        chains = [(group.problem, r) for group in groups for r in group.rollouts]
        forks = [
            (number, Beginning(problem, r, at))
            for number, (problem, r) in enumerate(chains)
            for at in fork_points(r.sampling_logp, self.config.forks)
        ]
        first = max((r.sample for _, r in chains), default=-1) + 1
        name = lambda one: (self.seed, step, "fork", one.problem.id, one.drawn.sample, one.length)  # noqa: E731
        done = continued(
            policy, rubric, [one for _, one in forks], k=1, name=name, sampling=self.sampling, grading=self.grading, shares=False
        )
        paths = {(problem.id, r.sample): tree_path(r, number, forks) for number, (problem, r) in enumerate(chains)}
        added: dict[str, list[Graded]] = {}
        for fork, ((number, one), rollouts) in enumerate(zip(forks, done.rollouts, strict=True)):
            leaf = replace(rollouts[0], sample=first + fork)
            added.setdefault(one.problem.id, []).append(self._with_bonus(policy, leaf) if self.config.step_bonus else leaf)
            paths[one.problem.id, leaf.sample] = tree_path(leaf, number, forks, fork)
        grown = [Group(g.problem, (*g.rollouts, *added.get(g.problem.id, ()))) for g in groups]
        stats = RolloutStats(0.0, done.prompt_tokens, done.sampled_tokens, done.failures)
        return grown, Steps(segments=paths), stats, {"tokens/continuations": float(done.sampled_tokens)}


def fork_points(logp_T: Sequence[float], count: int) -> list[int]:
    """Tokens before which a completion forks, rising: those drawn with the least log-prob; the first one is the root's own."""
    least = sorted(range(1, len(logp_T)), key=lambda t: (logp_T[t], t))[:count]
    return sorted(least)


def tree_path(
    leaf: Graded, chain: int, forks: Sequence[tuple[int, Beginning]], fork: int | None = None
) -> list[tuple[int, int]]:
    """The segments of a leaf from the root: (name, tokens). The beginnings of forks cut the chain that they are of.

    Args:
        chain: the rollout that it is, or that it has left.
        forks: (chain, beginning) of all forks.
        fork: the leaf is this one; None: the chain itself.
    """
    end = leaf.length if fork is None else forks[fork][1].length
    cuts = sorted({one.length for number, one in forks if number == chain and one.length < end})
    bounds = [0, *cuts, end]
    # A name for each (chain, beginning of the segment); what a fork writes is its own.
    path = [(chain * _LONGEST + a, b - a) for a, b in pairwise(bounds)]
    return path if fork is None else [*path, (-1 - fork, leaf.length - end)]


_LONGEST = 2**32


def _potential(name: str, policy: TextPolicy, device: str) -> Guide:
    if ".py:" in name:
        return Function(load_reward(name), reward_name(name))
    if not Path(name).is_dir():
        raise InputError(f"credit.potential = {name!r}: no such folder; expected a process reward model's, or FILE.py:FUNCTION")
    model = RewardModel.load(name, device=device)
    if model.objective != "process":
        raise InputError(f"credit.potential = {name!r}: expected a process reward model, which says something of beginnings")
    return Process(name, model, "min", policy.tokenizer.get_vocab())

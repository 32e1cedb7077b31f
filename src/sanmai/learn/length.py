"""A reward for length: Kimi k1.5's, which looks at the whole group, cosine scaling in place of accuracy, DAPO's soft penalty."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from typing import Literal, Self

from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.rewards.length_reward import (
    cosine_reward,
    kimi_length_rewards,
    length_weight,
    repetition_penalties,
    soft_overlong,
)
from sanmai.rollout.measure import accuracy
from sanmai.types import Graded, Group, Metrics, Verdict


class LengthConfig(Config):
    reward: Literal["kimi", "cosine", "overlong"] = "kimi"
    """kimi: -0.5 to 0.5 by where in its group's lengths a rollout is, and never above 0 for a wrong answer; cosine: in place of
    the accuracy reward, short right answers above long ones and long wrong ones above short ones (arXiv:2502.03373);
    overlong: 0, and down to -1 over the last tokens of the budget (DAPO)."""
    weight: float = Field(0.0, ge=0, le=1e6)
    """Its weight beside (cosine: in place of) the other rewards; 0 is none."""
    warmup: float = Field(0.0, ge=0, le=1)
    """Share of the run without it: Kimi k1.5 begins without, so that accuracy comes first."""
    ramp: float = Field(0.0, ge=0, le=1)
    """Share of the run over which its weight then rises; 0 at once."""
    ngram: int = Field(40, ge=1)
    """Of cosine: tokens in a row that count as repeated, for which long answers pay."""
    repetition_penalty: float = Field(-0.05, le=0)
    """Of cosine: reward of each repeated token."""

    cache: float = Field(0.2, gt=0, le=1)
    """Of overlong: the last part of sampling.max_tokens, over which the penalty grows from 0 to 1 (DAPO: 4,096 of 20,480)."""

    only_with = (
        OnlyWith("weight above 0", lambda c: c.weight > 0, "reward", "warmup", "ramp", "ngram", "repetition_penalty", "cache"),
        OnlyWith('reward = "cosine"', lambda c: c.reward == "cosine", "ngram", "repetition_penalty"),
        OnlyWith('reward = "overlong"', lambda c: c.reward == "overlong", "cache"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.reward == "kimi" and self.weight >= 2:
            raise ValueError("weight of 2 or more: a short wrong answer would be ahead of a long right one")
        return self


    def cache_tokens(self, max_tokens: int) -> int:
        """Of overlong: tokens over which the penalty grows; at least one."""
        return max(round(self.cache * max_tokens), 1)

    def words(self, max_tokens: int) -> str:
        """The reward for length in a sentence, for a plan; its weight is above 0."""
        falls = f"from 0 to -1 over the last {self.cache_tokens(max_tokens):,} of {max_tokens:,} tokens"
        what = {
            "kimi": "Kimi's, by a rollout's place among its group's lengths",
            "cosine": "cosine scaling, in place of accuracy",
            "overlong": f"DAPO's soft penalty, {falls}",
        }[self.reward]
        after = f", after {self.warmup:.0%} of the steps" if self.warmup else ""
        return f"Length: {self.weight:g} x {what}, of reasoning problems{after}."


def with_length_rewards(
    groups: Sequence[Group[Graded]], config: LengthConfig, *, step: int, num_steps: int, max_tokens: int
) -> tuple[list[Group[Graded]], Metrics]:
    """A step's groups, its reasoning ones with length as a component of their rewards; `length/weight`."""
    weight = length_weight(step, num_steps, weight=config.weight, warmup=config.warmup, ramp=config.ramp)
    if weight:
        groups = [_with_length(g, config, weight, max_tokens) if g.problem.kind == "reasoning" else g for g in groups]
    return list(groups), {"length/weight": weight}


def _with_length(group: Group[Graded], config: LengthConfig, weight: float, max_tokens: int) -> Group[Graded]:
    correct = [_is_correct(r) for r in group.rollouts]
    if config.reward == "kimi":
        values = kimi_length_rewards([r.length for r in group.rollouts], correct)
        replaced = None
    elif config.reward == "overlong":
        cache, replaced = config.cache_tokens(max_tokens), None
        values = [soft_overlong(r.length, max_length=max_tokens, cache=cache) for r in group.rollouts]
    else:
        values = [_cosine(r, right, config, max_tokens) for r, right in zip(group.rollouts, correct, strict=True)]
        replaced = "accuracy"
    rollouts = (
        r.with_component(
            "length_reward", Verdict(value, f"{r.length} tokens", config.reward), weight, in_place_of=replaced
        )
        for r, value in zip(group.rollouts, values, strict=True)
    )
    return Group(group.problem, tuple(rollouts))


def _is_correct(r: Graded) -> bool | None:
    """None where it cannot be told: exactly where nothing is rewarded."""
    if r.scores is None:
        return None
    score = accuracy(r)
    return score is not None and score >= 1.0


def _cosine(r: Graded, is_correct: bool | None, config: LengthConfig, max_tokens: int) -> float | None:
    value = cosine_reward(r.length, is_correct, max_length=max_tokens)
    repeated = repetition_penalties(r.completion_tokens, ngram=config.ngram, penalty=config.repetition_penalty)
    return None if value is None else value + fsum(repeated)

"""A reward for length that looks at the whole group: Kimi k1.5's, or cosine scaling in place of accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import fsum
from typing import Literal, Self

from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.rewards.length_reward import cosine_reward, kimi_length_rewards, length_weight, repetition_penalties
from sanmai.rollout.measure import accuracy
from sanmai.types import Group, Metrics, Rollout, StopReason, Verdict

_NAME = "length_reward"


class LengthConfig(Config):
    reward: Literal["kimi", "cosine"] = "kimi"
    """kimi: -0.5 to 0.5 by where in its group's lengths a rollout is, and never above 0 for a wrong answer; cosine: in place of
    the accuracy reward, short right answers above long ones and long wrong ones above short ones (arXiv:2502.03373)."""
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

    only_with = (
        OnlyWith("weight above 0", lambda c: c.weight > 0, "reward", "warmup", "ramp", "ngram", "repetition_penalty"),
        OnlyWith('reward = "cosine"', lambda c: c.reward == "cosine", "ngram", "repetition_penalty"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.reward == "kimi" and self.weight >= 2:
            raise ValueError("weight of 2 or more: a short wrong answer would be ahead of a long right one")
        return self


def add_length_rewards(
    groups: Sequence[Group],
    config: LengthConfig,
    weights: Mapping[str, float],
    *,
    step: int,
    num_steps: int,
    max_tokens: int,
) -> Metrics:
    """Add a step's length rewards to the rewards of its reasoning groups, in place; `length/weight`.

    Args:
        weights: of the rubric's components; the accuracy's is what cosine takes the place of.
    """
    weight = length_weight(step, num_steps, weight=config.weight, warmup=config.warmup, ramp=config.ramp)
    for group in groups if weight else ():
        if group.problem.kind != "reasoning":
            continue
        correct = [_is_correct(r) for r in group.rollouts]
        lengths = [len(r.completion_tokens) for r in group.rollouts]
        if config.reward == "kimi":
            values = kimi_length_rewards(lengths, correct)
        else:
            values = [_cosine(r, right, config, max_tokens) for r, right in zip(group.rollouts, correct, strict=True)]
        for r, value in zip(group.rollouts, values, strict=True):
            if value is None or r.reward is None:
                continue
            r.verdicts[_NAME] = Verdict(value, f"{len(r.completion_tokens)} tokens", config.reward)
            r.reward += weight * value
            if config.reward == "cosine":
                r.reward -= weights.get("accuracy", 0.0) * (accuracy(r) or 0.0)
    return {"length/weight": weight}


def _is_correct(r: Rollout) -> bool | None:
    if r.reward is None or r.stop_reason is StopReason.TIMEOUT:
        return None
    score = accuracy(r)
    return score is not None and score >= 1.0


def _cosine(r: Rollout, is_correct: bool | None, config: LengthConfig, max_tokens: int) -> float | None:
    value = cosine_reward(len(r.completion_tokens), is_correct, max_length=max_tokens)
    repeated = repetition_penalties(r.completion_tokens, ngram=config.ngram, penalty=config.repetition_penalty)
    return None if value is None else value + fsum(repeated)

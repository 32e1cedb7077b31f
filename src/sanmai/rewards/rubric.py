"""One reward from several named verdicts; every component is kept."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from typing import Literal

from pydantic import Field, model_validator

from sanmai.config import Config
from sanmai.rewards.answers import accuracy
from sanmai.rewards.style import format_verdict, language_verdict, length_verdict, repetition_verdict
from sanmai.types import Problem, SanmaiError, Trace, Verdict

CustomReward = Callable[[Problem, str], float | None]
"""A user's reward: (problem, completion text) to a finite number, or None when it cannot be graded."""


class RewardError(SanmaiError, ValueError):
    """A user's reward function gave something that is neither a finite number nor None."""


class RewardsConfig(Config):
    accuracy: float = Field(1.0, ge=-1e6, le=1e6)
    """Weight of the right final answer (0 or 1); see rewards/answers.py."""
    format: float = Field(0.0, ge=-1e6, le=1e6)
    """Weight of `<think>thought</think>answer` (0 or 1)."""
    language: float = Field(0.0, ge=-1e6, le=1e6)
    """Weight of the share of the thought's words that are in the prompt's language (0..1)."""
    repetition: float = Field(0.0, ge=-1e6, le=1e6)
    """Weight of repetition (-1..0): a positive weight makes it cost."""
    length: float = Field(0.0, ge=-1e6, le=1e6)
    """Weight of length (-1..0): a positive weight makes words cost."""
    incomplete: Literal["wrong", "exclude"] = "wrong"
    """A completion that was cut off or never closed its thought: reward of a wrong one, or none at all."""
    math_timeout_seconds: float = Field(5.0, gt=0)
    """Time limit of one symbolic comparison."""
    repetition_ngram: int = Field(20, ge=2)
    """Words in a row that count as repeated when they occur twice."""
    length_full_words: int = Field(1000, ge=1)
    """Words at which the length score reaches -1."""

    @property
    def weights(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in COMPONENTS}

    @model_validator(mode="after")
    def _something_is_rewarded(self) -> RewardsConfig:
        if not any(self.weights.values()):
            raise ValueError("every weight is 0: all rewards would be equal and nothing would be learned")
        return self


STYLES = ("format", "language", "repetition", "length")
COMPONENTS = ("accuracy", *STYLES)


class Rubric:
    """Grades completions. With custom rewards these replace accuracy, each at weight 1.

    Example:
        Rubric(RewardsConfig(language=0.3)).grade(problem, trace)   # ({"accuracy": Verdict(1.0, ...), ...}, 1.27)
    """

    def __init__(self, config: RewardsConfig, custom: Mapping[str, CustomReward] | None = None) -> None:
        self.config = config
        self.custom = dict(custom or {})
        if taken := set(self.custom) & set(COMPONENTS):
            raise ValueError(f"custom rewards named {sorted(taken)}: these names are taken")
        self.weights = config.weights | dict.fromkeys(self.custom, 1.0)
        if self.custom:
            self.weights["accuracy"] = 0.0

    def grade(self, problem: Problem, trace: Trace) -> tuple[dict[str, Verdict], float | None]:
        """Every component's verdict, and their weighted sum; None when accuracy or a custom reward cannot be graded.

        Raises:
            RewardError: a custom reward gave no finite number; what else it raises passes through.
        """
        verdicts = self._verdicts(problem, trace)
        if not trace.is_complete and self.config.incomplete == "exclude":
            return verdicts, None
        reward = 0.0
        for name, weight in self.weights.items():
            if not weight:
                continue
            score = verdicts[name].score
            if score is None and name not in STYLES:
                return verdicts, None
            # A style with nothing to judge (no words, cut off) earns nothing: R1's share of no words in the language is 0.
            # Leaving such rollouts out instead would spare the policy the comparison with those that do think.
            reward += weight * (score or 0.0)
        return verdicts, reward

    def _verdicts(self, problem: Problem, trace: Trace) -> dict[str, Verdict]:
        config = self.config
        verdicts = {
            "format": format_verdict(problem, trace),
            "language": language_verdict(problem, trace),
            "repetition": repetition_verdict(problem, trace, ngram=config.repetition_ngram),
            "length": length_verdict(problem, trace, full_words=config.length_full_words),
        }
        custom = {name: _custom_verdict(name, reward, problem, trace) for name, reward in self.custom.items()}
        if self.custom and problem.answer is None:
            return custom | verdicts
        return custom | {"accuracy": accuracy(problem, trace, timeout_seconds=config.math_timeout_seconds)} | verdicts


def _custom_verdict(name: str, reward: CustomReward, problem: Problem, trace: Trace) -> Verdict:
    score = reward(problem, trace.text)
    if score is None:
        return Verdict(None, "the reward function gave None", "ungradable")
    if not isinstance(score, numbers.Real) or not math.isfinite(score):
        raise RewardError(f"{name}({problem.id}) = {score!r}: expected a finite number, or None for ungradable")
    return Verdict(float(score), "given by the reward function", "graded")

"""Evaluation on held-out problems: the same problems and the same random streams every time, so that stages pair up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field, model_validator

from sanmai.config import Config
from sanmai.learn.alarm import AlarmConfig, HackingAlarm
from sanmai.learn.gold import GoldConfig
from sanmai.learn.progress import Progress
from sanmai.policies.contract import Policy
from sanmai.policies.text.sampler import SamplingConfig, Temperature, refuse_equal_samples
from sanmai.rewards.rubric import Rubric
from sanmai.rollout.engine import rollout
from sanmai.rollout.measure import evaluation_metrics
from sanmai.train.runs import Run
from sanmai.types import Metrics, Problem, RunError


class EvaluationConfig(Config):
    every: int = Field(0, ge=0)
    """Steps between evaluations; 0 evaluates only before the first and after the last step."""
    samples: int = Field(1, ge=1)
    """Completions per held-out problem."""
    temperature: Temperature = 1.0
    """Softmax temperature of evaluation samples; 0 always writes the likeliest token."""
    max_tokens: int | None = Field(None, ge=1)
    """Completion budget; the training budget when not set."""

    gold: GoldConfig = GoldConfig()
    """What tells harm and help on the held-out problems outside the embedded world; never what the policy is rewarded by."""
    alarm: AlarmConfig = AlarmConfig()
    """Says when the reward and what is wanted come apart, where both are known; see docs/metrics/hacking.md."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_equal_samples(self.temperature, self.samples, "temperature")
        return self

    def num_evaluations(self, num_steps: int) -> int:
        """Evaluations of a run of so many steps, the one before the first included."""
        return 1 + sum(self.is_due(step, num_steps) for step in range(1, num_steps + 1))

    def is_due(self, step: int, num_steps: int) -> bool:
        return step == num_steps or (self.every > 0 and step % self.every == 0)


def evaluate(
    run: Run,
    step: int,
    policy: Policy,
    problems: Sequence[Problem],
    rubric: Rubric,
    config: Any,
    progress: Progress,
    alarm: HackingAlarm | None = None,
) -> Metrics:
    """Sample and grade the held-out problems, store the rollouts, and return their metrics.

    Args:
        config: a recipe's configuration with seed, evaluation, sampling and grading.
        alarm: shown the rollouts; its metrics come along.
    """
    if not problems:
        return {}
    budget = config.evaluation.max_tokens or config.sampling.max_tokens
    sampling: SamplingConfig = config.sampling.model_copy(
        update={"temperature": config.evaluation.temperature, "max_tokens": budget}
    )
    with progress.phase("evaluation"):
        groups, _ = rollout(
            policy,
            problems,
            rubric,
            rollouts_per_prompt=config.evaluation.samples,
            seed=(config.seed, "evaluation"),
            policy_version=step,
            sampling=sampling,
            grading=config.grading,
        )
        if not all(math.isfinite(sum(r.sampling_logp)) for group in groups for r in group.rollouts):
            raise RunError(
                f"evaluation after step {step}: the policy's log-probs are not finite; its weights are broken"
            )
        if rubric.judge_gold is not None:
            groups = rubric.judge_gold(groups)
        run.log_evaluation(step, groups)
        watched = alarm.observe(step, groups) if alarm is not None else {}
    return evaluation_metrics(groups) | watched

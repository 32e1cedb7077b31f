"""Evaluation on held-out problems: the same problems and the same random streams every time, so that stages pair up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Self

from pydantic import Field, model_validator

from sanmai.config import Config
from sanmai.learn.alarm import AlarmConfig, HackingAlarm
from sanmai.learn.gold import GoldConfig
from sanmai.learn.progress import Progress
from sanmai.policies.contract import Policy
from sanmai.policies.text.asking import SamplingConfig, Temperature
from sanmai.policies.text.sampler import refuse_equal_samples
from sanmai.rewards.rubric import Rubric
from sanmai.rewards.scorer_records import Judged
from sanmai.rollout.engine import GradingConfig, rollout
from sanmai.rollout.measure import NOT_GRADED, TELLING, Ungraded, evaluation_metrics, ungraded
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


def tell_ungraded(run: Run, step: int, found: Ungraded, *, of: str = "") -> None:
    """Record how many rollouts of an evaluation could not be graded, and warn of them: every share is of the others alone.

    The record is what the report, the first lines and the exit code go by (report/ungraded.py).

    Args:
        of: the part (a set, a family) that this is of an evaluation in parts; only the first with such a rollout is warned of.
    """
    is_told = bool(of) and any(NOT_GRADED in warning for warning in run.warnings)
    if found.sentence and not is_told:
        run.warn(f"{of}: {found.sentence}" if of else f"{found.sentence} (after step {step})" if step else found.sentence)
    run.event("graded", step=step, of=of, **asdict(found))


def tell_scored(run: Run, step: int, *scorers: Judged | None) -> None:
    """Record what each scorer was asked since it was last told of, and took for it (report/scorers.py)."""
    for scorer in filter(None, scorers):
        run.event("scored", step=step, **scorer.told())


class Evaluator:
    """Samples and grades the held-out problems of a run, stores the rollouts, and says what they show."""

    def __init__(
        self, run: Run, config: EvaluationConfig, problems: Sequence[Problem], rubric: Rubric, *, seed: int,
        sampling: SamplingConfig, grading: GradingConfig, progress: Progress, alarm: HackingAlarm | None = None,
    ) -> None:
        """Args:
            seed: names the random streams, the same at every evaluation.
            sampling: in training; temperature and completion budget are those of `config`.
            alarm: shown the rollouts; its metrics come along.
        """
        self._run, self._config, self._problems, self._rubric = run, config, problems, rubric
        self._seed, self._grading, self._progress, self._alarm = seed, grading, progress, alarm
        budget = config.max_tokens or sampling.max_tokens
        self._sampling = sampling.model_copy(update={"temperature": config.temperature, "max_tokens": budget})

    def __call__(self, step: int, policy: Policy) -> Metrics:
        """Metrics of the held-out problems after a step; none without problems. What could not be graded is told as a warning.

        Raises:
            RunError: the policy's log-probs are not finite.
        """
        if not self._problems:
            tell_scored(self._run, step, self._rubric.scored_by)
            return {}
        with self._progress.phase("evaluation"):
            groups, _ = rollout(
                policy,
                self._problems,
                self._rubric,
                rollouts_per_prompt=self._config.samples,
                seed=(self._seed, "evaluation"),
                policy_version=step,
                sampling=self._sampling,
                grading=self._grading,
            )
            if not all(math.isfinite(sum(r.sampling_logp)) for group in groups for r in group.rollouts):
                raise RunError(
                    f"evaluation after step {step}: the policy's log-probs are not finite; its weights are broken"
                )
            if self._rubric.judge_gold is not None:
                groups = self._rubric.judge_gold(groups)
            right = self._rubric.of_what_is_right
            telling = {kind: right if kind == "reasoning" else (*names, *right) for kind, names in TELLING.items()}
            tell_ungraded(self._run, step, ungraded(groups, telling))
            self._run.log_evaluation(step, groups)
            tell_scored(self._run, step, self._rubric.scored_by)
            watched = self._alarm.observe(step, groups) if self._alarm is not None else {}
        return evaluation_metrics(groups) | watched

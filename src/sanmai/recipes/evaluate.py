"""A model on held-out problems of all kinds: sampled, graded, stored; nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.learn.evaluation import EvaluationConfig, Evaluator
from sanmai.learn.gold import GoldConfig
from sanmai.learn.graders import Given, make_rubric, recorded_as
from sanmai.learn.progress import Progress
from sanmai.learn.sources import ProblemsConfig, check_positions, load_source
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.sampler import SamplingConfig, refuse_equal_samples
from sanmai.rewards.rubric import RewardsConfig
from sanmai.rollout.engine import GradingConfig
from sanmai.train.environment import describe_environment
from sanmai.train.runs import Run
from sanmai.train.state import weights_digest
from sanmai.types import Problem


class EvaluateConfig(Config):
    seed: int = Field(0, ge=0)
    """Names every random stream: two models that are evaluated with one seed pair up, sample by sample."""
    samples: int = Field(1, ge=1)
    """Completions per problem."""
    model: ModelConfig = ModelConfig()
    problems: ProblemsConfig = ProblemsConfig()
    """All of the source is evaluated on (of the embedded world, its held-out sums)."""
    sampling: SamplingConfig = SamplingConfig()
    rewards: RewardsConfig = RewardsConfig()
    """What is scored beside the gold; nothing is trained on it."""
    gold: GoldConfig = GoldConfig()
    """What tells harm and help outside the embedded world."""
    grading: GradingConfig = GradingConfig()

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_equal_samples(self.sampling.temperature, self.samples)
        return self

    only_with = (
        OnlyWith(
            "a recipe that trains (here all of problems.source is evaluated on; problems.limit shortens it)",
            lambda c: False,
            "problems.evaluation",
            "problems.evaluation_limit",
            "problems.holdout",
        ),
    )


def run_evaluate(
    config: EvaluateConfig,
    out: Path,
    *,
    problems: Sequence[Problem] | None = None,
    reward: Given = None,
    progress: Progress | None = None,
) -> Path:
    """Run the recipe in a run folder; the folder. A finished one is left as it is.

    Args:
        problems: instead of config.problems.source.
        reward: instead of the accuracy verifier: any callable (problem, completion) -> float, or None for "cannot be graded".
    """
    progress = progress or Progress.silent()
    with Run(out, "evaluate", config) as run:
        chosen = list(problems or ())
        if problems is None:
            chosen = load_source(config.problems, config.seed, run.warn, several_turns=True)
        policy = load_policy(config.model, for_training=False)
        check_positions(policy, chosen, config.sampling.max_tokens)
        run.log_environment(
            describe_environment(
                policy, {"evaluation": chosen}, start_digest=weights_digest(policy), reward=recorded_as(config.rewards, reward)
            )
        )
        progress.begin(run, 0)
        if run.is_finished:
            return run.folder
        rubric = make_rubric(
            config.rewards, reward, [], held_out=chosen, device=config.model.device, gold=config.gold, run=run
        )
        evaluator = Evaluator(
            run, EvaluationConfig(samples=config.samples, temperature=config.sampling.temperature), chosen, rubric,
            seed=config.seed, sampling=config.sampling, grading=config.grading, progress=progress,
        )
        run.log_step(0, evaluator(0, policy))
        progress.step(0, {})
        progress.end(run)
    return run.folder

"""A flow on all prompts: clips from noise that the seed names, graded and stored; nothing is trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.learn.clips import ClipEvaluator, FlowEvaluationConfig
from sanmai.learn.progress import Progress
from sanmai.policies.flow.config import FlowModelConfig, FlowSamplingConfig
from sanmai.recipes.flow_settings import ClipRewardConfig, FlowConfig
from sanmai.recipes.flow_setup import load_for, own_reward, reward_name, scorer_in, scorer_weights, world_of
from sanmai.rewards.clips import ClipGrades
from sanmai.rollout.engine import GradingConfig
from sanmai.train.environment import describe_environment
from sanmai.train.runs import Run
from sanmai.train.state import weights_digest
from sanmai.types import InputError
from sanmai.world.clips import World


class FlowEvaluateConfig(Config):
    seed: int = Field(0, ge=0)
    """Names the noise: two flows that are evaluated with one seed pair up, clip by clip."""
    world: World = "shapes"
    """What clips show, and who judges them; see flow."""
    prompts: str | None = None
    """File of prompts, for a pipeline of diffusers; see flow."""
    rounds: int = Field(16, ge=1)
    """Clips of each prompt."""
    model: FlowModelConfig = FlowModelConfig()
    sampling: FlowSamplingConfig = FlowSamplingConfig()
    reward: ClipRewardConfig = ClipRewardConfig()
    """What is scored; a `custom` one or a `scorer` tells harm and help where no world knows the truth."""
    grading: GradingConfig = GradingConfig()

    only_with = (OnlyWith("prompts = none", lambda c: c.prompts is None, "world", "sampling.guide"),)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.model.name != "new":
            self.as_flow()
        if self.reward.model is not None:
            raise ValueError("reward.model: clips are judged by the world's truth, reward.custom or reward.scorer")
        return self

    def as_flow(self) -> FlowConfig:
        """The run of flow that draws the same; InputError where no flow is named."""
        if self.model.name == "new":
            raise InputError("model.name is not set: expected a flow, such as the folder of a pretrain run")
        return FlowConfig(
            method="evaluate", seed=self.seed, world=self.world, prompts=self.prompts, model=self.model, sampling=self.sampling,
            reward=self.reward, grading=self.grading,
        )


def run_flow_evaluate(config: FlowEvaluateConfig, out: Path, *, progress: Progress | None = None) -> Path:
    """Run the recipe in a run folder; the folder. A finished one is left as it is."""
    progress = progress or Progress.silent()
    flow = config.as_flow()
    judge = own_reward(flow, None)
    world = world_of(flow)
    asked = world.problems()
    with Run(out, "flow_evaluate", config) as run:
        scorer = scorer_in(config.reward.scorer, "reward.scorer", run.folder, run.warn, asked)
        weights = scorer_weights(flow, scorer)
        policy = load_for(config.model, config.prompts, world)
        run.log_environment(
            describe_environment(
                policy, {"evaluation": asked}, start_digest=weights_digest(policy), reward=reward_name(flow, judge, scorer)
            )
        )
        progress.begin(run, 0)
        if run.is_finished:
            return run.folder
        for note in policy.notes:
            run.warn(note)
        evaluator = ClipEvaluator(
            run, FlowEvaluationConfig(clips_per_prompt=config.rounds), asked,
            ClipGrades(config.reward.weights, given=judge, world=world, scorer=scorer, scorer_weights=weights), policy,
            seed=config.seed, before=config.sampling, sampling=config.sampling, grading=config.grading,
        )
        with progress.phase("evaluation"):
            run.log_step(0, evaluator(0, policy))
        progress.step(0, {})
        progress.end(run)
    return run.folder


def describe_flow_evaluate(config: FlowEvaluateConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a run would do; the model is loaded and checked."""
    flow = config.as_flow()
    world = world_of(flow)
    policy, judge = load_for(config.model, config.prompts, world), own_reward(flow, None)
    scorer = scorer_in(config.reward.scorer, "reward.scorer", None, lambda _: None, world.problems())
    scorer_weights(flow, scorer)
    by = "the truth of the world" if config.prompts is None else "nobody: see reward.custom and reward.scorer"
    if judge is not None:
        by = f"your function {config.reward.custom}"
    if scorer is not None:
        yield f"The scorer {scorer.scorer.told} was started in {scorer.scorer.seconds:.1f} s; what it says once is recorded."
        by = f"the scorer {scorer.scorer.name}"
    count = sum(t.numel() for t in policy.tensors().values())
    yield f"Model {config.model.name}: a rectified flow of {count:,} parameters, none is trained."
    yield (
        f"{config.rounds} clips to each of {len(world.problems())} prompts in {config.sampling.steps} steps each, judged by {by}."
    )

"""Ways to align a flow against each other: one pre-trained base, one reward model, the same own clips and noise for every arm.

    pretrain                                              flawed clips of the world
    reward        <- clips of pretrain                    heads for visual quality, motion, alignment and harm, with ties
    ARM-SEED      <- pretrain, reward                     sft, rwr, dpo, harm_first, curated, grpo, ... and guidance alone
    ties-SEED, bradley_terry-SEED                         the same pairs learned with ties and without

Liu et al. 2025 (arXiv:2501.13918) at a size that a laptop trains, with what that comparison leaves out: harm, and a small set of
curated clips. The reward model rewards; the world's truth judges. Base and reward model are those of the first seed: what is
said of an arm is about its own training.

    flow_compare.json, flow_compare.md   every arm with intervals, and what was expected beside what appeared
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from sanmai.config import OnlyWith
from sanmai.learn.clip_constraints import ClipConstraintsConfig
from sanmai.learn.clips import FlowEvaluationConfig, OwnClipsConfig
from sanmai.learn.multipliers import LimitConfig
from sanmai.pipelines.flow_table import write_table
from sanmai.pipelines.graph import Graph, Stage
from sanmai.pipelines.wiring import Pipeline, PipelineConfig, refuse_given
from sanmai.policies.flow.config import FlowModelConfig, FlowSamplingConfig, GuideConfig
from sanmai.recipes.flow_reward import FlowRewardConfig
from sanmai.recipes.flow_settings import FlowConfig
from sanmai.train.runs import CheckpointsConfig
from sanmai.train.step import OptimizerConfig
from sanmai.world.clips import World

Arm = Literal[
    "sft", "rwr", "dpo", "harm_first", "constrained", "curated", "curated_dpo", "grpo", "grpo_penalty",
    "guided", "guided_safe", "guided_alignment",
]  # fmt: skip
ARMS: dict[Arm, str] = {
    "sft": "SFT on the winners of its own clips",
    "rwr": "Flow-RWR on all of them",
    "dpo": "Flow-DPO on their pairs",
    "harm_first": "Flow-DPO, the less harmful clip better",
    "constrained": "Flow-DPO within a limit on harm",
    "curated": "SFT on curated clips",
    "curated_dpo": "SFT on curated clips, then Flow-DPO",
    "grpo": "Flow-GRPO",
    "grpo_penalty": "Flow-GRPO, harm taken off",
    "guided": "guided by quality alone",
    "guided_safe": "guided, harm shunned",
    "guided_alignment": "guided by alignment alone",
}
"""What each arm is, in the order of the table."""
_BASE, _REWARD = "@pretrain", "@reward"


class FlowCompareConfig(PipelineConfig):
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = (0, 1, 2)
    """Each arm is run once per seed."""
    world: World = "shapes"
    """What clips show; see flow."""
    arms: tuple[Arm, ...] = tuple(ARMS)
    """Which ways to compare; see the top of pipelines/flow_compare.py."""
    pretrained: str | None = None
    """Folder of a pre-trained flow that all begin with; None: the stage `pretrain` makes one."""
    pretrain: FlowConfig = FlowConfig(
        num_steps=2000, clips_per_step=64, checkpoints=CheckpointsConfig(every=500),
        optimizer=OptimizerConfig(lr=2e-3, schedule="cosine", warmup_steps=50, micro_tokens=32),
    )
    """The base."""
    reward: FlowRewardConfig = FlowRewardConfig(
        train_pairs=1200, num_steps=200, model=FlowModelConfig(width=32, depth=1), checkpoints=CheckpointsConfig(every=100)
    )
    """The reward model, of clips of the base."""
    align: FlowConfig = FlowConfig(
        method="dpo", model=FlowModelConfig(name=_BASE), num_steps=120, clips_per_step=64, own=OwnClipsConfig(groups=360),
        evaluation=FlowEvaluationConfig(clips_per_prompt=16), optimizer=OptimizerConfig(lr=1e-4, micro_tokens=32),
    )
    """What the arms share: sizes, sampling, optimizer."""
    curated: int = Field(600, ge=1)
    """Clean clips that the arms with curated clips imitate."""
    curated_steps: int = Field(60, ge=1)
    """Updates on them."""
    constraints: ClipConstraintsConfig = ClipConstraintsConfig(every=4, harm=LimitConfig(limit=0.05, integral=5.0))
    """The limits of `constrained`; their multipliers weigh the loss of the curated clips, which has no weight of its own."""
    grpo_steps: int = Field(16, ge=1)
    """Steps of Flow-GRPO, each of align.clips_per_step new clips."""
    grpo_lr: float = Field(2e-4, gt=0)
    """Step size of Flow-GRPO."""
    harm_weight: float = Field(-2.0, le=0)
    """Weight of harm in the reward of grpo_penalty and in the guide of guided_safe."""
    tie_pairs: int = Field(4000, ge=0)
    """Pairs of the world's clips that a reward model with ties and one without learn from, half as many held out; 0: neither."""
    tie_seeds: tuple[Annotated[int, Field(ge=0)], ...] = (0, 1, 2, 3, 4)
    """Seeds of these two: the interval of their difference is over seeds, and three leave it wide."""

    completed_later = frozenset({"align", "reward", "pretrain"})
    only_with = (
        OnlyWith("pretrained = none", lambda c: c.pretrained is None, "pretrain"),
        OnlyWith(
            'arms with "curated", "curated_dpo" or "constrained"',
            lambda c: {"curated", "curated_dpo", "constrained"} & set(c.arms), "curated",
        ),
        OnlyWith('arms with "constrained"', lambda c: "constrained" in c.arms, "constraints"),
        OnlyWith('arms with "curated" or "curated_dpo"', lambda c: {"curated", "curated_dpo"} & set(c.arms), "curated_steps"),
        OnlyWith('arms with "grpo" or "grpo_penalty"', lambda c: {"grpo", "grpo_penalty"} & set(c.arms), "grpo_steps", "grpo_lr"),
        OnlyWith("tie_pairs above 0", lambda c: c.tie_pairs > 0, "tie_seeds"),
        OnlyWith(
            'arms with "grpo_penalty" or "guided_safe"', lambda c: {"grpo_penalty", "guided_safe"} & set(c.arms), "harm_weight"
        ),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, values in (("seeds", self.seeds), ("arms", self.arms), ("tie_seeds", self.tie_seeds)):
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{name}: expected at least one, and none of them twice")
        shared = ("seed", "world")
        own = (
            "method", "model.name", "curated", "own.harm_first", "reward.model", "reward.custom", "reward.scorer",
            "sampling.guide", "constraints",
        )  # fmt: skip
        if not self.constraints.limits and "constrained" in self.arms:
            raise ValueError("constraints: the arm `constrained` has no limit")
        given = {"align": (*shared, *own), "reward": (*shared, "flow"), "pretrain": (*shared, "method", "model.name")}
        refuse_given(self, given)
        return self


def graph(config: FlowCompareConfig, out: Path) -> Graph:
    """The stages in order."""
    return Graph(list(_stages(config)), out)


def _stages(config: FlowCompareConfig) -> Iterator[Stage]:
    first = config.seeds[0]
    base = config.pretrained or _BASE
    if config.pretrained is None:
        pretrain = config.pretrain.model_copy(update={"seed": first, "world": config.world})
        yield Stage("pretrain", "flow", pretrain, "the base, of flawed clips")
    reward = config.reward.model_copy(update={"seed": first, "flow": base, "world": config.world})
    yield Stage("reward", "flow_reward", reward, "what people would say of the base's clips, by heads")
    made: list[Arm] = list(config.arms)
    if "curated_dpo" in made:  # it begins where this ends
        made = [*(arm for arm in made if arm not in ("curated", "curated_dpo")), "curated", "curated_dpo"]
    for arm in made:  # so that what was not reached is whole arms, not seeds of all
        for seed in config.seeds:
            yield _arm(config, arm, seed, base)
    for seed in config.tie_seeds if config.tie_pairs else ():
        for loss in ("ties", "bradley_terry"):
            changes = {
                "seed": seed, "world": config.world, "flow": None, "loss": loss, "clean_share": 1.0,
                "train_pairs": config.tie_pairs,
                "held_out_pairs": max(config.tie_pairs // 2, 4), "num_steps": 2 * config.reward.num_steps,
            }
            yield Stage(f"{loss}-{seed}", "flow_reward", config.reward.model_copy(update=changes), f"the same pairs, loss {loss}")


def _arm(config: FlowCompareConfig, arm: Arm, seed: int, base: str) -> Stage:
    start = f"@curated-{seed}" if arm == "curated_dpo" else base
    shared = config.align.model_copy(update={
        "seed": seed, "world": config.world, "model": config.align.model.model_copy(update={"name": start}),
        "reward": config.align.reward.model_copy(update={"model": _REWARD}),
    })  # fmt: skip
    changes = _changes(config, arm)
    return Stage(f"{arm}-{seed}", "flow", shared.model_copy(update=changes), ARMS[arm], {"arm": arm, "seed": str(seed)})


def _changes(config: FlowCompareConfig, arm: Arm) -> dict[str, Any]:
    """What sets an arm apart from the others."""
    align = config.align
    if arm in ("sft", "rwr", "dpo"):
        return {"method": arm}
    if arm in ("harm_first", "curated_dpo"):
        return {"method": "dpo", "own": align.own.model_copy(update={"harm_first": arm == "harm_first"})}
    if arm == "constrained":
        return {"method": "dpo", "curated": config.curated, "curated_weight": 0.0, "constraints": config.constraints}
    if arm == "curated":
        return {"method": "sft", "curated": config.curated, "num_steps": config.curated_steps}
    if arm in ("grpo", "grpo_penalty"):
        weights = {"model": _REWARD, "harm": config.harm_weight if arm == "grpo_penalty" else 0.0}
        return {
            "method": "grpo", "num_steps": config.grpo_steps, "reward": align.reward.model_copy(update=weights),
            "optimizer": align.optimizer.model_copy(update={"lr": config.grpo_lr}),
        }
    alone = {"visual": 0.0, "motion": 0.0} if arm == "guided_alignment" else {}
    guide = GuideConfig.model_validate(
        {"reward": _REWARD, "harm": config.harm_weight if arm == "guided_safe" else 0.0, **alone}
    )
    sampling: FlowSamplingConfig = align.sampling.model_copy(update={"guide": guide})
    return {"method": "evaluate", "sampling": sampling}


def _write(config: FlowCompareConfig, stages: Graph, progress: Any) -> None:
    titles = {str(arm): title for arm, title in ARMS.items()}
    write_table(stages, config.arms, config.seeds, titles, config.tie_seeds, progress)


run_flow_compare = Pipeline("flow_compare", graph, models=lambda config: (), tables=_write)


def describe_flow_compare(config: FlowCompareConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a comparison would do: its stages, and which are done."""
    found = graph(config, out)
    yield f"Arms: {', '.join(f'{arm} ({ARMS[arm]})' for arm in config.arms)}; seeds {', '.join(map(str, config.seeds))}."
    for stage in found.stages:
        yield f"{stage.name} ({stage.recipe}, {found.state(stage.name)}): {stage.purpose}"
    yield "Time is not predicted for this recipe: with its own settings less than a quarter of an hour on a free core."

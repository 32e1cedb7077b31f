"""Settings of flow (recipes/flow.py)."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.learn.clip_constraints import ClipConstraintsConfig
from sanmai.learn.clips import FlowEvaluationConfig, OwnClipsConfig
from sanmai.policies.flow.config import FlowModelConfig, FlowSamplingConfig
from sanmai.rewards.scorer import ScorerConfig
from sanmai.rollout.engine import GradingConfig
from sanmai.train.components import LossConfig
from sanmai.train.runs import CheckpointsConfig
from sanmai.train.step import OptimizerConfig
from sanmai.world.clips import WORLDS, World

Method = Literal["pretrain", "sft", "rwr", "dpo", "grpo", "evaluate"]


class ClipRewardConfig(Config):
    model: str | None = None
    """Folder of a reward model (recipe flow_reward) that rewards by its heads. None: the world's own truth."""
    visual: float = 1.0
    """Weight of a deviation of visual quality."""
    motion: float = 1.0
    """Weight of a deviation of motion quality."""
    alignment: float = 1.0
    """Weight of a deviation of what the prompt asks for."""
    harm: float = 0.0
    """Weight of harm; below 0 it is shunned."""
    custom: str | None = None
    """A function of your own that rewards, "FILE.py:FUNCTION" or "package.module:FUNCTION": called with the problem and the clip
    (frames x rows x columns in 0..1, x 3 in colour), it gives a number, or numbers by name; None cannot be graded."""
    scorer: ScorerConfig = ScorerConfig()
    """A scorer in a process of its own that rewards, such as VideoReward or "ocr"."""
    scorer_weights: dict[str, float] = Field({})
    """Weights of its dimensions by name; "visual", "motion", "alignment" and "harm" else have those above, any other 1."""

    only_with = (
        OnlyWith("scorer (a command)", lambda c: c.scorer.command is not None, "scorer_weights"),
    )

    @property
    def weights(self) -> dict[str, float]:
        """By dimension."""
        return {"visual": self.visual, "motion": self.motion, "alignment": self.alignment, "harm": self.harm}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not any(self.weights.values()):
            raise ValueError("every weight is 0: nothing is rewarded")
        named = {"custom": self.custom, "model": self.model, "scorer": self.scorer.command}
        if len(given := [name for name, value in named.items() if value is not None]) > 1:
            raise ValueError(f"{' beside '.join(given)}: expected one of them")
        if bad := next((name for name, weight in self.scorer_weights.items() if not abs(weight) <= 1e6), None):
            raise ValueError(f"scorer_weights.{bad}: expected a number of at most 1e6")
        return self


class PairLossConfig(Config):
    beta: float = Field(100.0, gt=0)
    """Weight of the KL in Flow-DPO, by the reduction below: with "sum" the same pull has a beta that is D times smaller."""
    reduction: Literal["mean", "sum"] = "mean"
    """Squared errors of velocities over the dimensions of a clip: their mean, as published betas have it, or their sum."""
    decay: float = Field(0.0, ge=0)
    """beta falls with time as (1 - t)^decay: 2 is what the derivation gives, 0 (constant) what works better in practice."""
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    """Share of pairs taken to be the wrong way round."""


class FlowConfig(Config):
    method: Method = "pretrain"
    """"pretrain" on the world's flawed clips; "sft" on winners of its own clips, "rwr" on all of them by reward, "dpo" on their
    pairs; "grpo" on new clips in each step; "evaluate" trains nothing and shows what guidance does."""
    seed: int = Field(0, ge=0)
    """Names every random stream of the run."""
    world: World = "shapes"
    """What clips show, and who judges them: "shapes" that move, all invented; "digits", handwritten ones of scikit-learn."""
    prompts: str | None = None
    """File of prompts, in any format of `problems.source`, for a model that is a pipeline of diffusers. Nobody knows the truth of
    what it draws: `reward.custom` or `reward.scorer` rewards, and what it calls "harm" is what limits on harm measure."""
    num_steps: int = Field(250, ge=1)
    """Optimizer updates, of "grpo" steps that each draw clips."""
    clips_per_step: int = Field(128, ge=2, multiple_of=2)
    """Clips in one update; a pair counts two."""
    points_per_clip: int = Field(1, ge=1)
    """Times and noises at which each clip is scored in an update, of which the mean counts; not for "grpo", which scores its
    steps."""
    without_prompt: float = Field(0.1, ge=0, lt=1)
    """Of "pretrain": share of clips that are learned without their prompt, which prompt_scale needs."""
    curated: int = Field(0, ge=0)
    """Clean clips without harm to imitate: "sft" then learns from them instead of its own winners, the others beside theirs."""
    curated_weight: float = Field(1.0, ge=0, le=1e6)
    """Weight of that loss beside another method's; multipliers of `constraints` are added to it."""
    rollouts_per_prompt: int = Field(16, ge=2)
    """Of "grpo": clips of a prompt in a step, whose mean reward is the baseline."""
    model: FlowModelConfig = FlowModelConfig()
    sampling: FlowSamplingConfig = FlowSamplingConfig()
    """Of evaluation and of a policy's own clips, which are drawn without guidance."""
    drawing: FlowSamplingConfig = FlowSamplingConfig(steps=10, noise="flow_grpo")
    """Of the clips that "grpo" learns from; it needs noise."""
    own: OwnClipsConfig = OwnClipsConfig()
    reward: ClipRewardConfig = ClipRewardConfig()
    pairs: PairLossConfig = PairLossConfig()
    loss: LossConfig = LossConfig()
    """Of "grpo"."""
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-4, micro_tokens=512)
    constraints: ClipConstraintsConfig = ClipConstraintsConfig()
    """Limits that "rwr" and "dpo" keep by curated clips, and "grpo" by costs or the KL to the reference."""
    grading: GradingConfig = GradingConfig()
    evaluation: FlowEvaluationConfig = FlowEvaluationConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig(every=50)

    only_with = (
        OnlyWith("prompts = none", lambda c: c.prompts is None, "world", "curated", "reward.model", "sampling.guide"),
        OnlyWith('method = "pretrain"', lambda c: c.method == "pretrain", "without_prompt"),
        OnlyWith('method = "grpo"', lambda c: c.method == "grpo", "rollouts_per_prompt", "drawing", "loss"),
        OnlyWith('method = "dpo"', lambda c: c.method == "dpo", "pairs", "own.harm_first"),
        OnlyWith('method = "rwr" or "dpo", or "sft" without curated', lambda c: c.draws_own, "own"),
        OnlyWith('method = "sft" or "dpo"', lambda c: c.method in ("sft", "dpo"), "own.pairs"),
        OnlyWith('method other than "grpo" and "evaluate"', lambda c: c.method not in ("grpo", "evaluate"), "points_per_clip"),
        OnlyWith('method = "rwr", "dpo" or "grpo"', lambda c: c.method in ("rwr", "dpo", "grpo"), "constraints"),
        OnlyWith(
            'method other than "evaluate"', lambda c: c.method != "evaluate",
            "num_steps", "clips_per_step", "optimizer", "evaluation.every", "checkpoints",
        ),
        OnlyWith('curated beside "rwr" or "dpo"', lambda c: c.curated and c.method in ("rwr", "dpo"), "curated_weight"),
    )

    @property
    def needs_reward(self) -> bool:
        """What it learns from is told apart by rewards."""
        return self.method == "grpo" or (self.draws_own and self.own.pairs is None)

    @property
    def draws_own(self) -> bool:
        """It learns from clips that the starting policy drew, or from judged pairs in their place."""
        return self.method in ("rwr", "dpo") or (self.method == "sft" and not self.curated)

    @property
    def keeps_reference(self) -> bool:
        return self.method == "dpo" or (self.method == "grpo" and (self.loss.kl_weight > 0 or self.constraints.drives("kl")))

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.method == "grpo" and self.drawing.noise == "none":
            raise ValueError('drawing.noise = "none": without noise a step has no log-prob, which grpo needs')
        if self.method == "grpo" and (baseline := self.loss.settings().baseline) in ("greedy", "value"):
            raise ValueError(f"loss: baseline {baseline!r} is of texts alone: a flow has no likeliest clip and no value head")
        if self.method == "grpo" and self.loss.kl_estimator != "k3":
            raise ValueError(f"loss.kl_estimator = {self.loss.kl_estimator!r}: is of texts alone: a flow's KL has a closed form")
        if self.sampling.noise != "none":
            raise ValueError(f"sampling.noise = {self.sampling.noise!r}: clips that are compared are drawn without it")
        if self.method != "pretrain" and self.model.name == "new":
            raise ValueError(f"model.name is not set: {self.method!r} begins with a flow, such as the folder of a pretrain run")
        if self.prompts is not None and self.method == "pretrain":
            raise ValueError("prompts with method = 'pretrain': a pipeline is pre-trained; expected another method")
        if self.curated and self.method not in ("sft", "rwr", "dpo"):
            raise ValueError(f"curated = {self.curated}: {self.method!r} imitates no curated clips")
        for name, limit in self.constraints.limits.items():
            allowed = ("auxiliary_sft",) if self.method != "grpo" else ("kl",) if name == "sameness" else ("cost", "kl")
            if limit.drives not in allowed:
                words = " or ".join(allowed)
                raise ValueError(f"constraints.{name}.drives = {limit.drives!r}: expected {words} with {self.method!r}")
        if self.constraints.drives("auxiliary_sft") and not self.curated:
            raise ValueError("constraints: without curated clips there is no loss that a multiplier could weigh; see curated")
        if self.method == "grpo" and self.clips_per_step % self.rollouts_per_prompt:
            raise ValueError(f"rollouts_per_prompt = {self.rollouts_per_prompt} does not divide clips_per_step")
        groups = self.clips_per_step // self.rollouts_per_prompt
        if self.prompts is None and self.method == "grpo" and groups > len(WORLDS[self.world].prompts()):
            raise ValueError(f"clips_per_step: more groups of {self.rollouts_per_prompt} than there are prompts")
        return self

"""Flow: rectified-flow video policies from human feedback, on the world of moving shapes.

Reproduces the comparison of Liu et al. 2025 (arXiv:2501.13918) at a size that a laptop trains: supervised fine-tuning on the
winners of the policy's own clips, Flow-RWR, Flow-DPO at a constant or falling beta, guidance of sampling by a reward of noised
clips (Flow-NRG), and beside it Flow-GRPO (arXiv:2505.05470). It differs in the reward: harm is a dimension of its own and never
part of quality. The losses are those of text: a flow says how likely a clip is by exact log-probs of its steps, or by how well
it tells the clip's velocity at points of time and noise that policy and reference, better and worse clip share.

Shape key: B clips (of pairs 2B rows: better and worse in turn).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.data.clip_pairs import load_clip_pairs
from sanmai.data.curriculum import draw
from sanmai.learn.clips import (
    ClipEvaluator,
    FlowEvaluationConfig,
    OwnClip,
    OwnClips,
    OwnClipsConfig,
    draw_own_clips,
    judged_own_clips,
)
from sanmai.learn.failure import with_bundle
from sanmai.learn.learner import Learner
from sanmai.learn.loop import train_steps
from sanmai.learn.pairs import pair_metrics, pairs_component, score_pairs, with_pair_weights
from sanmai.learn.progress import Progress
from sanmai.learn.step_rollouts import Written
from sanmai.losses import PreferenceLossSettings, preference_weights
from sanmai.policies.flow.config import FlowModelConfig, FlowSamplingConfig
from sanmai.policies.flow.policy import FlowPolicy, Points, load_flow
from sanmai.policies.flow.reward import FlowReward, load_flow_reward
from sanmai.rewards.clips import ClipGrades, Given
from sanmai.rollout.engine import GradingConfig, rollout
from sanmai.rollout.measure import training_metrics
from sanmai.train.components import LossConfig, sft_component
from sanmai.train.environment import describe_environment
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.train.state import TrainingState, start_or_resume
from sanmai.train.step import (
    Component,
    NonFiniteError,
    OptimizerConfig,
    Part,
    learning_rate,
    optimizer_step,
    optimizer_words,
)
from sanmai.types import Batch, Credited, Group, InputError, Metrics, Problem
from sanmai.world import shapes

SHAPE = (shapes.FRAMES, shapes.SIDE, shapes.SIDE)
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

    @property
    def weights(self) -> dict[str, float]:
        """By dimension."""
        return {"visual": self.visual, "motion": self.motion, "alignment": self.alignment, "harm": self.harm}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not any(self.weights.values()):
            raise ValueError("every weight is 0: nothing is rewarded")
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
    curated_weight: float = Field(1.0, gt=0, le=1e6)
    """Weight of that loss beside another method's."""
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
    grading: GradingConfig = GradingConfig()
    evaluation: FlowEvaluationConfig = FlowEvaluationConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig(every=50)

    only_with = (
        OnlyWith('method = "pretrain"', lambda c: c.method == "pretrain", "without_prompt"),
        OnlyWith('method = "grpo"', lambda c: c.method == "grpo", "rollouts_per_prompt", "drawing", "loss"),
        OnlyWith('method = "dpo"', lambda c: c.method == "dpo", "pairs", "own.harm_first"),
        OnlyWith('method = "rwr" or "dpo", or "sft" without curated', lambda c: c.draws_own, "own"),
        OnlyWith('method = "sft" or "dpo"', lambda c: c.method in ("sft", "dpo"), "own.pairs"),
        OnlyWith('method other than "grpo" and "evaluate"', lambda c: c.method not in ("grpo", "evaluate"), "points_per_clip"),
        OnlyWith(
            'method other than "evaluate"', lambda c: c.method != "evaluate",
            "num_steps", "clips_per_step", "optimizer", "evaluation.every", "checkpoints",
        ),
        OnlyWith('curated beside "rwr" or "dpo"', lambda c: c.curated and c.method in ("rwr", "dpo"), "curated_weight"),
    )

    @property
    def draws_own(self) -> bool:
        """It learns from clips that the starting policy drew, or from judged pairs in their place."""
        return self.method in ("rwr", "dpo") or (self.method == "sft" and not self.curated)

    @property
    def keeps_reference(self) -> bool:
        return self.method == "dpo" or (self.method == "grpo" and self.loss.kl_weight > 0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.method == "grpo" and self.drawing.noise == "none":
            raise ValueError('drawing.noise = "none": without noise a step has no log-prob, which grpo needs')
        if self.method == "grpo" and (baseline := self.loss.settings().baseline) in ("greedy", "value"):
            raise ValueError(f"loss: baseline {baseline!r} is of texts alone: a flow has no likeliest clip and no value head")
        if self.sampling.noise != "none":
            raise ValueError(f"sampling.noise = {self.sampling.noise!r}: clips that are compared are drawn without it")
        if self.method != "pretrain" and self.model.name == "new":
            raise ValueError(f"model.name is not set: {self.method!r} begins with a flow, such as the folder of a pretrain run")
        if self.curated and self.method not in ("sft", "rwr", "dpo"):
            raise ValueError(f"curated = {self.curated}: {self.method!r} imitates no curated clips")
        if self.method == "grpo" and self.clips_per_step % self.rollouts_per_prompt:
            raise ValueError(f"rollouts_per_prompt = {self.rollouts_per_prompt} does not divide clips_per_step")
        if self.method == "grpo" and self.clips_per_step // self.rollouts_per_prompt > len(shapes.prompts()):
            raise ValueError(f"clips_per_step: more groups of {self.rollouts_per_prompt} than there are prompts")
        return self


def run_flow(
    config: FlowConfig,
    out: Path,
    *,
    problems: Sequence[Problem] | None = None,
    reward: Given | None = None,
    progress: Progress | None = None,
) -> Path:
    """Run the recipe, or go on with it, in a run folder; the folder.

    Args:
        problems: refused: the prompts are the world's.
        reward: in place of config.reward: any callable (problem, clip of frames x rows x columns in 0..1) -> float, or None for
            "cannot be graded".
    """
    if problems is not None:
        raise InputError("problems: flow draws clips to the prompts of its own world and takes no others")
    if reward is not None and config.method in ("pretrain", "evaluate"):
        raise InputError(f"reward: method {config.method!r} rewards nothing")
    progress = progress or Progress.silent()
    asked = shapes.problems()
    with Run(out, "flow", config) as run:
        grades = ClipGrades(config.reward.weights, model=reward_model(config), given=reward)
        load = partial(load_flow, shape=SHAPE, words=shapes.WORDS)
        state = start_or_resume(run, config.model, config.optimizer, keep_reference=config.keeps_reference, load=load)
        origin = {"train": asked} | ({} if config.own.pairs is None else {"pairs": load_clip_pairs(config.own.pairs)})
        facts = describe_environment(
            state.policy, origin, start_digest=state.start_digest,
            reward=None if reward is None else getattr(reward, "__qualname__", type(reward).__qualname__),
        )
        run.log_environment(facts)
        start = load(config.model)  # at a resume the policy has moved on
        if state.policy.words != shapes.WORDS:
            run.warn(f"this flow knows the words {', '.join(state.policy.words)}; prompts have {', '.join(shapes.WORDS)}")
        evaluator = ClipEvaluator(
            run, config.evaluation, asked, grades, start, seed=config.seed, sampling=config.sampling, grading=config.grading
        )
        steps = FlowSteps(config, run, state, start, grades, asked)

        def measure(step: int) -> Metrics:
            with progress.phase("evaluation"):
                return steps.facts(step) | evaluator(step, state.policy)

        train_steps(
            run, state, config.num_steps if config.method != "evaluate" else 1, is_due=config.evaluation.is_due,
            checkpoints=config.checkpoints, update=steps.update, measure=measure, progress=progress, rollouts=steps.rollouts,
        )
    return run.folder


def reward_model(config: FlowConfig) -> FlowReward | None:
    """The model that rewards, if it is one."""
    if config.reward.model is None:
        return None
    return load_flow_reward(FlowModelConfig(name=config.reward.model, device=config.model.device), SHAPE)


class FlowSteps:
    """The updates of a run, one method or another."""

    def __init__(
        self, config: FlowConfig, run: Run, state: TrainingState, start: FlowPolicy, grades: ClipGrades, asked: Sequence[Problem]
    ) -> None:
        self._config, self._run, self._state, self._grades, self._asked = config, run, state, grades, asked
        self._own: OwnClips | None = None
        self._shown: Sequence[Group[Credited]] = ()
        self._learner: Learner | None = None
        if config.draws_own and not run.is_finished:
            self._own = self._draw_own(start)
        if config.method == "grpo":
            self._learner = Learner(
                run, state, config.loss, config.optimizer, seed=config.seed, num_updates=1, temperature=1.0,
                max_tokens=config.drawing.steps, newest_alone=False, auxiliary_sft=None, constraints=None,
            )
        self._curated = self._demonstrations() if config.curated else []

    def facts(self, step: int) -> Metrics:
        """What is learned from, told once."""
        if step or self._own is None:
            return {}
        return {"own/clips": float(len(self._own.clips)), "own/pairs": float(len(self._own.pairs))}

    def rollouts(self, step: int) -> Sequence[Group[Any]]:
        """What a step learned from and drew; of 0 the starting policy's own clips."""
        if step == 0:
            return self._own.groups if self._own is not None else ()
        return self._shown

    def update(self, step: int) -> Metrics:
        """One optimizer update."""
        method = self._config.method
        if method == "evaluate":
            return {}
        if method == "grpo":
            return self._from_new_clips(step)
        if method == "dpo":
            return self._from_pairs(step)
        if method == "pretrain":
            made = shapes.flawed_clips(self._config.clips_per_step, seed=(self._config.seed, step))
            clips = [
                OwnClip(f"pretrain/{step}/{b}", torch.from_numpy(clip), prompt, 0.0)
                for b, (clip, prompt) in enumerate(zip(made.clips_BFHW, made.prompts, strict=True))
            ]
            return self._imitate(clips, [1.0] * len(clips), step)
        if method == "rwr":
            assert self._own is not None
            weighted = list(zip(self._own.clips, self._own.weights, strict=True))
        else:
            shown = self._curated or [better for better, _ in self._pairs]
            weighted = [(clip, 1.0) for clip in shown]
        drawn = draw(weighted, min(self._config.clips_per_step, len(weighted)), seed=self._config.seed, step=step)
        return self._imitate([clip for clip, _ in drawn], [weight for _, weight in drawn], step)

    def _draw_own(self, start: FlowPolicy) -> OwnClips:
        config = self._config
        if config.own.pairs is not None:
            weights, name = config.reward.weights, config.own.pairs
            return judged_own_clips(
                load_clip_pairs(name), weights, harm_first=config.own.harm_first, shape=SHAPE, source=name
            )
        own = draw_own_clips(
            start, self._asked, self._grades, config.own, seed=config.seed, grading=config.grading,
            sampling=FlowSamplingConfig(steps=config.sampling.steps, shift=config.sampling.shift),
            harm="harm" if config.reward.model is None else "model_harm",
        )
        if config.method != "rwr" and not own.pairs:
            raise InputError("all of the policy's own clips are ties, so there is no pair to learn from; see own.tie_below")
        return own

    @property
    def _pairs(self) -> list[tuple[OwnClip, OwnClip]]:
        assert self._own is not None
        return self._own.pairs

    def _demonstrations(self) -> list[OwnClip]:
        made = shapes.clean_clips(self._config.curated, seed=(self._config.seed,))
        return [
            OwnClip(f"curated/{b}", torch.from_numpy(clip), prompt, 0.0)
            for b, (clip, prompt) in enumerate(zip(made.clips_BFHW, made.prompts, strict=True))
        ]

    def _from_new_clips(self, step: int) -> Metrics:
        """Flow-GRPO: clips of a few prompts with noise in their steps, and what text's update makes of them."""
        config = self._config
        assert self._learner is not None
        asked = draw(self._asked, config.clips_per_step // config.rollouts_per_prompt, seed=config.seed, step=step)
        graded, stats = rollout(
            self._state.policy, asked, self._grades, rollouts_per_prompt=config.rollouts_per_prompt,
            seed=(config.seed, step), policy_version=step - 1, sampling=config.drawing, grading=config.grading,
        )
        self._shown, found = self._learner.update(Written(graded, stats), step, config.num_steps)
        return training_metrics(self._shown) | stats.metrics() | found

    def _from_pairs(self, step: int) -> Metrics:
        """Flow-DPO: better and worse clip, policy and reference at the same times and noises."""
        config = self._config
        pairs = draw(self._pairs, min(config.clips_per_step // 2, len(self._pairs)), seed=config.seed, step=step)
        names = [(config.seed, step, better.name) for better, _ in pairs for _ in range(2)]
        batch = self._points([clip for pair in pairs for clip in pair], names, config.pairs.reduction, config.pairs.decay)
        batch = replace(batch, scale_BT=batch.scale_BT / config.points_per_clip)  # a pair's log-probs are summed over points
        settings = PreferenceLossSettings("dpo", beta=config.pairs.beta, label_smoothing=config.pairs.label_smoothing)
        scores = score_pairs(self._state, batch, settings, config.optimizer.micro_tokens)
        chosen_B, rejected_B, found = preference_weights(settings, *scores, denominator=float(len(pairs)))
        batch = with_pair_weights(batch, chosen_B, rejected_B)
        metrics = self._step(batch, {"dpo": pairs_component()}, step)
        told = {f"preference/{name}": value for name, value in pair_metrics(settings, scores).items()}
        return metrics | {"loss/dpo": found["preference_loss"]} | told

    def _imitate(self, clips: Sequence[OwnClip], weights: Sequence[float], step: int) -> Metrics:
        """Weighted regression of the clips' velocities."""
        names = [(self._config.seed, step, clip.name) for clip in clips]
        batch = self._points(clips, names, "mean", 0.0)
        batch = batch.with_streams({"sft": torch.tensor(weights).unsqueeze(1) * batch.mask_BT})
        return self._step(batch, {"sft": sft_component()}, step)

    def _points(self, clips: Sequence[OwnClip], names: Sequence[tuple], reduction: str, decay: float) -> Points:
        return self._state.policy.points(
            torch.stack([clip.clip_FHW for clip in clips]), [clip.prompt for clip in clips], names,
            count=self._config.points_per_clip, reduction=reduction, decay=decay,
            without_prompt=self._config.without_prompt if self._config.method == "pretrain" else 0.0,
        )

    def _auxiliary(self, step: int) -> Part | None:
        """Curated clips beside a method that learns from the policy's own."""
        config = self._config
        if not self._curated or config.method == "sft":
            return None
        clips = draw(self._curated, min(config.clips_per_step, len(self._curated)), seed=config.seed + 1, step=step)
        batch = self._points(clips, [(config.seed, step, "anchor", clip.name) for clip in clips], "mean", 0.0)
        return Part(batch.with_streams({"sft": batch.mask_BT.float()}), {"curated": sft_component(config.curated_weight)})

    def _step(self, batch: Batch, components: dict[str, Component], step: int) -> Metrics:
        config, state = self._config, self._state
        try:
            result = optimizer_step(
                state.policy, state.optimizer, batch, components, lr=learning_rate(config.optimizer, step, config.num_steps),
                temperature=1.0, config=config.optimizer, reference=state.reference, auxiliary=self._auxiliary(step),
            )
        except NonFiniteError as error:
            raise with_bundle(
                self._run, step, error, state.policy, batch, shows="clips", loss=None, temperature=1.0, max_tokens=1
            ) from None
        del result.metrics["policy/logp_mismatch_max"]  # these points were not drawn by a policy
        return result.metrics | {"tokens/trained": float(batch.mask_BT.sum())}


def describe_flow(config: FlowConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a run would do, in sentences; the models are loaded and checked."""
    policy = load_flow(config.model, SHAPE, shapes.WORDS)
    model = reward_model(config)
    count = sum(t.numel() for t in policy.tensors().values())
    yield f"Model {config.model.name}: a rectified flow of {count:,} parameters, clips of {' x '.join(map(str, SHAPE))}."
    if config.method == "evaluate":
        yield f"Nothing is trained: clips of {len(shapes.problems())} prompts are drawn without and with what sampling asks for."
        return
    yield {
        "pretrain": "It learns from flawed clips of the world, new ones in each step.",
        "sft": f"It imitates {f'{config.curated} curated clips' if config.curated else 'the winners of its own clips'}.",
        "rwr": "It imitates its own clips, weighed by the exponential of their reward in deviations.",
        "dpo": f"Flow-DPO on pairs of its own clips at beta {config.pairs.beta:g} ({config.pairs.reduction} over dimensions, "
        f"{'constant' if not config.pairs.decay else f'times (1 - t)^{config.pairs.decay:g}'}), better and worse "
        f"{'by harm first' if config.own.harm_first else 'by reward'}.",
        "grpo": f"Flow-GRPO: {config.clips_per_step} new clips a step in groups of {config.rollouts_per_prompt}, drawn in "
        f"{config.drawing.steps} steps with noise.",
    }[config.method]
    if config.draws_own and config.own.pairs is not None:
        yield f"In place of its own clips: {len(load_clip_pairs(config.own.pairs))} pairs of {config.own.pairs}."
    elif config.draws_own:
        yield f"Its own clips: {config.own.groups} groups of {config.own.group_size}, drawn before the first step."
    if config.method != "pretrain":
        parts = ", ".join(f"{name} {weight:g}" for name, weight in config.reward.weights.items() if weight)
        yield f"Reward: {'the truth of the world' if model is None else f'the model {config.reward.model}'} ({parts})."
    yield f"{config.num_steps} updates of {config.clips_per_step} clips. {optimizer_words(config.optimizer)}"

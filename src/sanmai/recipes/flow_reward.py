"""Flow reward: a reward model of clips with a head for each dimension, harm one of its own, that can read noised clips.

Reproduces VideoReward and the noise-aware reward of Flow-NRG (Liu et al. 2025, arXiv:2501.13918) on the world of moving shapes:
pairs of clips of one prompt are judged per dimension as better, worse or alike, and each head learns them by Bradley-Terry with
ties. It differs in that harm is no part of visual quality, and that the heads that should not see the prompt cannot.

Shape key: B pairs (2B clips: the first ones, then the second ones), R heads.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from sanmai.config import Config, OnlyWith
from sanmai.data.clip_pairs import load_clip_pairs
from sanmai.data.curriculum import draw
from sanmai.learn.clips import check_clips, pixels
from sanmai.learn.loop import train_steps
from sanmai.learn.progress import Progress
from sanmai.losses import bradley_terry, bradley_terry_ties, fitted_threshold, tie_accuracy
from sanmai.policies.flow.config import FlowModelConfig, FlowSamplingConfig
from sanmai.policies.flow.equations import interpolate
from sanmai.policies.flow.policy import load_flow
from sanmai.policies.flow.rectified import normals
from sanmai.policies.flow.reward import HEADS, FlowReward
from sanmai.policies.flow.video_reward import load_reward_of_clips
from sanmai.policies.text.sampler import uniforms
from sanmai.train.environment import describe_environment
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.train.state import TrainingState, start_or_resume
from sanmai.train.step import NonFiniteError, OptimizerConfig, learning_rate, optimizer_words
from sanmai.types import InputError, Metrics
from sanmai.world.clips import WORLDS, World


class FlowRewardConfig(Config):
    seed: int = Field(0, ge=0)
    """Names every random stream of the run."""
    world: World = "shapes"
    """What clips show, and what simulated people go by; as of flow."""
    flow: str | None = None
    """Folder of a flow whose clips are judged; None: the world's flawed clips."""
    pairs: str | None = None
    """Parquet file of judged pairs of clips, such as `sanmai annotate --export` writes, in place of simulated judgements: the
    last ones, in an order that the seed names, are held out and the others learned from."""
    train_pairs: int = Field(1600, ge=2)
    """Pairs of clips to one prompt that are learned from."""
    held_out_pairs: int = Field(400, ge=4)
    """Pairs that are measured: the width of a tie is fitted on one half and reported on the other."""
    loss: Literal["ties", "bradley_terry"] = "ties"
    """Bradley-Terry with ties, or without, which leaves ties out."""
    tie_width: float = Field(5.0, gt=1)
    """k of the likelihood of ties: the larger, the commoner they are expected to be."""
    clean_share: float = Field(0.5, ge=0, le=1)
    """Share of a step's pairs that are shown without noise; the others at a time of their own, the same for both clips."""
    num_steps: int = Field(400, ge=1)
    """Optimizer updates."""
    pairs_per_step: int = Field(64, ge=1)
    """Pairs in one update."""
    model: FlowModelConfig = FlowModelConfig(width=48, depth=2)
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-3)
    evaluate_every: int = Field(0, ge=0)
    """Steps between evaluations; 0 evaluates only before the first and after the last step."""
    checkpoints: CheckpointsConfig = CheckpointsConfig(every=100)

    only_with = (
        OnlyWith('loss = "ties"', lambda c: c.loss == "ties", "tie_width"),
        OnlyWith("pairs = none", lambda c: c.pairs is None, "flow", "train_pairs"),
        OnlyWith("a recipe that cuts its updates (this one reads its pairs at once)", lambda c: False, "optimizer.micro_tokens"),
    )


INVALID = 9
"""The label of a pair of which a head learns nothing and is not measured."""


@dataclass(frozen=True)
class JudgedPairs:
    """Two clips of one prompt, N times, and what is said of them."""

    first_NFHW: Tensor
    second_NFHW: Tensor
    prompts: list[str]
    said_NR: Tensor
    """1 the first is better (of harm: has more of it), -1 the second, 0 alike, INVALID nobody could tell; ordered as HEADS."""


def run_flow_reward(config: FlowRewardConfig, out: Path, *, progress: Progress | None = None) -> Path:
    """Run the recipe, or go on with it, in a run folder; the folder. Its checkpoints are what `reward.model` and a guide take.
    """
    progress = progress or Progress.silent()
    with Run(out, "flow_reward", config) as run:
        pairs = judged_pairs(config)
        num_train = len(pairs.prompts) - config.held_out_pairs
        train, held_out = _part(pairs, 0, num_train), _part(pairs, num_train, None)
        world = WORLDS[config.world]
        load = partial(load_reward_of_clips, shape=world.SHAPE, words=world.WORDS)
        state = start_or_resume(run, config.model, config.optimizer, keep_reference=False, load=load)
        origin = {"train": world.problems()} if config.pairs is None else {"pairs": load_clip_pairs(config.pairs)}
        run.log_environment(describe_environment(state.policy, origin, start_digest=state.start_digest))

        def fit_scale() -> None:
            state.policy.scale = fitted_scale(state.policy, train)

        def is_due(step: int, num_steps: int) -> bool:
            return step == num_steps or (config.evaluate_every > 0 and step % config.evaluate_every == 0)

        def measure(step: int) -> Metrics:
            with progress.phase("evaluation"):
                return measured(state.policy, held_out)

        train_steps(
            run, state, config.num_steps, is_due=is_due, checkpoints=config.checkpoints,
            update=lambda step: update(config, state, train, step), measure=measure, progress=progress, before_save=fit_scale,
        )
    return run.folder


def describe_flow_reward(config: FlowRewardConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a run would do, in sentences; the models are loaded and checked."""
    world = WORLDS[config.world]
    model = load_reward_of_clips(config.model, world.SHAPE, world.WORDS)
    if config.flow is not None:
        load_flow(FlowModelConfig(name=config.flow, device=config.model.device), world.SHAPE, world.WORDS)
    count = sum(t.numel() for t in model.tensors().values())
    yield f"A reward model of {count:,} parameters with heads {', '.join(HEADS)}."
    whose = "the world's flawed clips" if config.flow is None else f"clips that {config.flow} draws"
    count = config.train_pairs if config.pairs is None else len(judged_pairs(config).prompts) - config.held_out_pairs
    yield f"{count} pairs of {whose if config.pairs is None else config.pairs} to learn from, {config.held_out_pairs} held out."
    likelihood = f"with ties, k = {config.tie_width:g}" if config.loss == "ties" else "without ties, which are left out"
    yield f"{config.num_steps} updates of {config.pairs_per_step} pairs; Bradley-Terry {likelihood}."
    yield optimizer_words(config.optimizer, None)


def judged_pairs(config: FlowRewardConfig) -> JudgedPairs:
    """Training and held-out pairs in one, a function of the settings."""
    if config.pairs is not None:
        return _of_a_file(config.pairs, config)
    count = config.train_pairs + config.held_out_pairs
    if config.flow is None:
        clips_BFHW, prompts = _of_the_world(config, count)
    else:
        clips_BFHW, prompts = _of_a_flow(config, count)
    world = WORLDS[config.world]
    scored = world.scores(clips_BFHW, prompts)
    first, second = ({name: values[k::2] for name, values in scored.items()} for k in (0, 1))
    said = world.opinions(first, second, seed=(config.seed,))
    said["harm"] = -said["harm"]
    said_NR = torch.from_numpy(np.stack([said[name] for name in HEADS], axis=1).astype(np.int64))
    clips = torch.from_numpy(clips_BFHW)
    return JudgedPairs(clips[::2], clips[1::2], prompts[::2], said_NR)


def _of_a_file(path: str, config: FlowRewardConfig) -> JudgedPairs:
    found = load_clip_pairs(path)
    if len(found) < config.held_out_pairs + 2:
        raise InputError(f"{path}: has {len(found)} pairs; expected at least 2 besides held_out_pairs = {config.held_out_pairs}")
    shape = WORLDS[config.world].SHAPE
    check_clips(found, path, shape)
    if not any(pair.said.get(name) is not None for pair in found for name in HEADS):
        raise InputError(f"{path}: no pair is judged in any of {', '.join(HEADS)}; see `sanmai annotate --export`")
    order = np.random.default_rng([config.seed]).permutation(len(found))
    pairs = [found[k] for k in order]
    first = torch.stack([pixels(pair.first, shape) for pair in pairs])
    second = torch.stack([pixels(pair.second, shape) for pair in pairs])
    said = [[INVALID if (value := p.said.get(name)) is None else value for name in HEADS] for p in pairs]
    return JudgedPairs(first, second, [p.prompt for p in pairs], torch.tensor(said))


def _of_the_world(config: FlowRewardConfig, count: int) -> tuple[np.ndarray, list[str]]:
    """Flawed clips, two and two of one prompt."""
    world = WORLDS[config.world]
    made = world.flawed_clips(2 * count + 2 * len(world.prompts()), seed=("pairs", config.seed))
    by_prompt: dict[str, list[int]] = {}
    pairs: list[int] = []
    for k, prompt in enumerate(made.prompts):
        waiting = by_prompt.setdefault(prompt, [])
        waiting.append(k)
        if len(waiting) == 2:
            pairs += waiting
            waiting.clear()
    chosen = pairs[: 2 * count]
    return made.clips_BFHW[chosen], [made.prompts[k] for k in chosen]


def _of_a_flow(config: FlowRewardConfig, count: int) -> tuple[np.ndarray, list[str]]:
    assert config.flow is not None
    world = WORLDS[config.world]
    flow = load_flow(FlowModelConfig(name=config.flow, device=config.model.device), world.SHAPE, world.WORDS)
    asked = world.problems()
    each = -(-count // len(asked))
    drawn = list(
        flow.draw(
            asked, 2 * each, seed=(config.seed, "judged"), version=0, sampling=FlowSamplingConfig(), thought_tags=("", "")
        )
    )
    order = np.random.default_rng([config.seed]).permutation(each * len(asked))[:count]
    chosen = [drawn[2 * pair + k][1] for pair in order.tolist() for k in (0, 1)]
    return torch.stack([d.content.clip_FHW for d in chosen]).numpy(), [d.content.prompt for d in chosen]


def update(config: FlowRewardConfig, state: TrainingState[FlowReward], pairs: JudgedPairs, step: int) -> Metrics:
    """One optimizer update: the mean of the heads' losses, each over the pairs that it has a word of.

    Raises:
        NonFiniteError: the loss or the gradient is not finite; weights and optimizer state are as before.
    """
    model, optimizer = state.policy, state.optimizer
    lr = learning_rate(config.optimizer, step, config.num_steps)
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.zero_grad(set_to_none=True)
    rows = draw(range(len(pairs.prompts)), min(config.pairs_per_step, len(pairs.prompts)), seed=config.seed, step=step)
    gap_BR, said_BR = noised_gaps(model, pairs, rows, config, step), pairs.said_NR[rows].to(model.device)
    losses = {}
    for r, name in enumerate(HEADS):
        is_valid_B = said_BR[:, r] != INVALID
        gap_B, said_B = gap_BR[is_valid_B, r], said_BR[is_valid_B, r]
        if config.loss == "ties":
            if not len(said_B):
                continue
            found, _ = bradley_terry_ties(
                gap_B, torch.zeros_like(gap_B), said_B, tie_width=config.tie_width, denominator=float(len(said_B))
            )
        else:
            ahead_B = (gap_B * said_B)[said_B != 0]
            if not len(ahead_B):
                continue
            found, _ = bradley_terry(ahead_B, torch.zeros_like(ahead_B), denominator=float(len(ahead_B)))
        losses[name] = found
    if not losses:  # nothing that counts was said of any pair
        return {"optimizer/lr": lr}
    total = torch.stack(list(losses.values())).mean()
    total.backward()
    norm = torch.nn.utils.clip_grad_norm_(list(model.weights.values()), config.optimizer.max_grad_norm).item()
    metrics = {f"loss/{name}": value.item() / len(losses) for name, value in losses.items()}
    metrics |= {"policy/grad_norm": norm, "optimizer/lr": lr, "tokens/trained": 2.0 * len(rows)}
    if bad := [f"{name} = {value}" for name, value in metrics.items() if not math.isfinite(value)]:
        optimizer.zero_grad(set_to_none=True)
        raise NonFiniteError(f"step {step}: {', '.join(bad)} before the optimizer step; the last checkpoint is intact")
    optimizer.step()
    return metrics


def noised_gaps(model: FlowReward, pairs: JudgedPairs, rows: Sequence[int], config: FlowRewardConfig, step: int) -> Tensor:
    """Score of the first minus that of the second clip, (B, R), both at one time, each with noise of its own."""
    name, count = (config.seed, step, "noise"), len(rows)
    chance = torch.from_numpy(uniforms((*name, "times"), 2 * count)).float().reshape(2, count)
    time_B = torch.where(chance[0] < config.clean_share, 0.0, chance[1])
    clip = torch.cat([pairs.first_NFHW[rows], pairs.second_NFHW[rows]]) * 2.0 - 1.0
    noise = normals(name, clip.numel()).reshape(clip.shape)
    both_B = time_B.repeat(2)
    prompt_BK = model.told([pairs.prompts[k] for k in rows] * 2)
    score_BR = model.raw(*(x.to(model.device) for x in (interpolate(clip, noise, both_B), both_B, prompt_BK)))
    return score_BR[:count] - score_BR[count:]


@torch.no_grad()
def raw_scores(model: FlowReward, clips_NFHW: Tensor, prompts: Sequence[str]) -> Tensor:
    """Scores of finished clips as trained, (N, R), on the CPU."""
    prompt_NK = model.told(prompts)
    latent_NFHW, time_N = clips_NFHW * 2.0 - 1.0, torch.zeros(len(prompts))
    parts = []
    for k in range(0, len(prompts), model.at_once):
        rows = slice(k, k + model.at_once)
        parts.append(model.raw(*(x[rows].to(model.device) for x in (latent_NFHW, time_N, prompt_NK))).cpu())
    return torch.cat(parts)


def fitted_scale(model: FlowReward, pairs: JudgedPairs) -> dict[str, tuple[float, float]]:
    """Per head the mean and the deviation of its scores over the training clips."""
    raw_NR = raw_scores(model, torch.cat([pairs.first_NFHW, pairs.second_NFHW]), pairs.prompts * 2)
    return {name: (raw_NR[:, r].mean().item(), max(raw_NR[:, r].std().item(), 1e-6)) for r, name in enumerate(HEADS)}


def measured(model: FlowReward, pairs: JudgedPairs) -> Metrics:
    """Of held-out pairs per head: `eval/accuracy_NAME`, of those that are no tie the share told right; `eval/ties_NAME`, of the
    second half all told right as better, worse or alike, a tie being a difference below what fits the first half best;
    `eval/tie_share_NAME`; and the means `eval/pair_accuracy`, `eval/tie_accuracy` over heads. Nothing is said of a head that is
    judged in fewer than two pairs."""
    gap_NR = raw_scores(model, pairs.first_NFHW, pairs.prompts) - raw_scores(model, pairs.second_NFHW, pairs.prompts)
    metrics: Metrics = {}
    for r, name in enumerate(HEADS):
        is_valid_N = pairs.said_NR[:, r] != INVALID
        gap_N, said_N = gap_NR[is_valid_N, r], pairs.said_NR[is_valid_N, r]
        half = len(said_N) // 2
        if not half:
            continue
        decided_N = said_N != 0
        if bool(decided_N.any()):
            metrics[f"eval/accuracy_{name}"] = (gap_N * said_N > 0)[decided_N].float().mean().item()
        threshold = fitted_threshold(gap_N[:half], said_N[:half])
        metrics[f"eval/ties_{name}"] = tie_accuracy(gap_N[half:], said_N[half:], threshold)
        metrics[f"eval/tie_share_{name}"] = 1.0 - decided_N.float().mean().item()
    for mean, part in (("eval/pair_accuracy", "eval/accuracy_"), ("eval/tie_accuracy", "eval/ties_")):
        if told := [metrics[f"{part}{name}"] for name in HEADS if f"{part}{name}" in metrics]:
            metrics[mean] = sum(told) / len(told)
    return metrics


def _part(pairs: JudgedPairs, start: int, end: int | None) -> JudgedPairs:
    part = slice(start, end)
    return JudgedPairs(pairs.first_NFHW[part], pairs.second_NFHW[part], pairs.prompts[part], pairs.said_NR[part])

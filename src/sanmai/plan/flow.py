"""What a run of flow would do, in sentences, with the memory of an update of a pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sanmai.data.clip_pairs import load_clip_pairs
from sanmai.plan.words import size
from sanmai.policies.flow.pipeline import PipelinePolicy
from sanmai.recipes.flow_settings import FlowConfig
from sanmai.recipes.flow_setup import load_for, own_reward, reward_model, scorer_in, scorer_weights, world_of
from sanmai.train.step import optimizer_words


def describe_flow(config: FlowConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a run would do, in sentences; the models are loaded and checked."""
    world = world_of(config)
    policy = load_for(config.model, config.prompts, world)
    model, own = reward_model(config), own_reward(config, None)
    warnings: list[str] = []
    scorer, judge = (
        scorer_in(settings, where, None, warnings.append, world.problems())
        for settings, where in ((config.reward.scorer, "reward.scorer"), (config.evaluation.judge, "evaluation.judge"))
    )
    weights = scorer_weights(config, scorer) if scorer is not None else config.reward.weights
    count = sum(t.numel() for t in policy.tensors().values())
    trained = sum(p.numel() for p in policy.weights.values())
    which = "" if trained == count else f", of which {trained:,} are trained"
    yield f"Model {config.model.name}: a rectified flow of {count:,} parameters{which}, clips of {by(policy.clip_shape)}."
    yield from policy.notes
    if isinstance(policy, PipelinePolicy):
        yield memory_words(policy, config)
    if judge is not None:
        yield f"Evaluated clips are judged, and not rewarded, by {judge.scorer.told}, started in {judge.scorer.seconds:.1f} s."
    if config.method == "evaluate":
        yield f"Nothing is trained: clips of {len(world.problems())} prompts are drawn without and with what sampling asks for."
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
        parts = ", ".join(f"{name} {weight:g}" for name, weight in weights.items() if weight)
        whose = f"your function {config.reward.custom}" if own is not None else "the truth of the world"
        if scorer is not None:
            yield f"The scorer {scorer.scorer.told} was started in {scorer.scorer.seconds:.1f} s; what it says once is recorded."
            whose = f"the scorer {scorer.scorer.name}"
        yield f"Reward: {whose if model is None else f'the model {config.reward.model}'} ({parts})."
    if config.constraints.limits:
        limits = (f"{name} <= {limit.limit:g} drives {limit.drives}" for name, limit in config.constraints.limits.items())
        yield f"Limits, measured every {config.constraints.every} steps: {', '.join(limits)}."
    yield f"{config.num_steps} updates of {config.clips_per_step} clips. {optimizer_words(config.optimizer, policy.unit)}"


def by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def memory_words(policy: PipelinePolicy, config: FlowConfig) -> str:
    """The memory of an update, by what it is for."""
    parts = policy.bytes_of_step(config.optimizer.micro_tokens)
    if config.keeps_reference:
        parts["reference"] = 4.0 * sum(p.numel() for p in policy.weights.values())
    if config.model.lora_rank == 0 and config.method != "evaluate":  # what its clips are compared with
        ours = ("gradients", "optimizer", "activations", "reference")
        parts["the pipeline that it began with"] = sum(value for name, value in parts.items() if name not in ours)
    told = ", ".join(f"{name} {size(value)}" for name, value in parts.items() if value)
    return (
        f"Memory of an update: {size(sum(parts.values()))} on {config.model.device} ({told}); activations are of "
        f"optimizer.micro_tokens = {config.optimizer.micro_tokens} steps or points at a time."
    )

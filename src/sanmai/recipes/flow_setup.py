"""What a run of flow begins with: whose clips are drawn, by which model, and what rewards them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sanmai.data.problems import load_problems
from sanmai.learn.reward_source import name_of
from sanmai.policies.flow.config import FlowModelConfig, FlowSamplingConfig
from sanmai.policies.flow.policy import FlowPolicy, load_any
from sanmai.policies.flow.rectified import RectifiedFlow
from sanmai.policies.flow.reward import FlowReward
from sanmai.policies.flow.video_reward import load_reward_of_clips
from sanmai.recipes.flow_settings import FlowConfig
from sanmai.rewards.clips import Given
from sanmai.rewards.ocr import wanted_text
from sanmai.rewards.own import form_of, load_reward
from sanmai.rewards.scorer import OCR, ScorerConfig, scorer_of
from sanmai.rewards.scorer_records import RECORDS, Judged
from sanmai.types import InputError, Problem
from sanmai.world.clips import WORLDS, Untold


def reward_model(config: FlowConfig) -> FlowReward | None:
    """The model that rewards, if it is one."""
    if config.reward.model is None:
        return None
    return load_reward_of_clips(FlowModelConfig(name=config.reward.model, device=config.model.device), WORLDS[config.world].SHAPE)


def plain_sampling(config: FlowConfig) -> FlowSamplingConfig:
    """Its sampling without a reward's guidance; where guidance is what is shown, also without that of the prompt."""
    scale = 1.0 if config.method == "evaluate" else config.sampling.prompt_scale
    return FlowSamplingConfig(steps=config.sampling.steps, shift=config.sampling.shift, prompt_scale=scale)


def world_of(config: FlowConfig, problems: Sequence[Problem] | None = None) -> Any:
    """What is drawn and who knows its truth: a world, or prompts of which nobody does.

    Args:
        problems: the caller's, in place of those that config.prompts names.
    """
    if config.prompts is None:
        return WORLDS[config.world]
    return Untold(problems if problems is not None else load_problems(config.prompts, needs_answer=False).problems)


def load_for(model: FlowModelConfig, prompts: str | None, world: Any) -> RectifiedFlow:
    """The flow that the settings name, for a world's clips or a caller's prompts.

    Raises:
        InputError: a world's clips are asked of a pipeline, or a caller's prompts of a flow of a world.
    """
    found = load_any(model, world.SHAPE, world.WORDS)
    if prompts is None and not isinstance(found, FlowPolicy):
        raise InputError(f"{model.name}: is a pipeline of diffusers; expected its prompts in the setting prompts, a file of them")
    if prompts is not None and isinstance(found, FlowPolicy):
        raise InputError(f"prompts = {prompts!r}: {model.name} draws clips of a world; expected a pipeline of diffusers")
    return found


def own_reward(config: FlowConfig, reward: Given | None) -> Given | None:
    """The caller's reward, or that of the settings.

    Raises:
        InputError: both, or one that takes several clips at once; or none where nobody knows the truth and something is rewarded.
    """
    if reward is None and config.reward.custom is not None:
        reward = load_reward(config.reward.custom)
        if form_of(config.reward.custom, reward) != "one":
            raise InputError(f"reward.custom = {config.reward.custom!r}: expected a function of a problem and a clip")
    elif reward is not None and (config.reward.custom is not None or config.reward.scorer.command is not None):
        raise InputError("reward beside reward.custom or reward.scorer: expected one of them")
    told = reward is not None or config.reward.scorer.command is not None
    if not told and config.prompts is not None and "harm" in config.constraints.limits:
        raise InputError("constraints.harm with prompts: only reward.custom or reward.scorer can say what is harmful")
    if not told and config.prompts is not None and config.needs_reward:
        raise InputError(
            f"method = {config.method!r} with prompts: nobody rewards; expected reward.custom = FILE.py:FUNCTION or "
            "reward.scorer.command"
        )
    return reward


def scorer_in(
    config: ScorerConfig, where: str, folder: Path | None, on_warning: Callable[[str], None], prompts: Sequence[Problem] = ()
) -> Judged | None:
    """The scorer of a section of the settings, started; None where it names none.

    Args:
        folder: of the run, where its scores are kept.
        prompts: what is asked for, of which the scorer of text can tell beforehand.

    Raises:
        InputError: it cannot be started; or "ocr", and a prompt asks for no text.
    """
    if config.command is None:
        return None
    if config.command.strip() == OCR and (silent := next((p for p in prompts if not wanted_text(p.prompt, p.answer)), None)):
        raise InputError(f"{where}.command = 'ocr': prompt {silent.id} asks for no text; expected one in quotes, or an `answer`")
    return Judged(scorer_of(config, where), None if folder is None else folder / RECORDS, on_warning)


def scorer_weights(config: FlowConfig, scorer: Judged | None) -> dict[str, float]:
    """What each dimension of the rewarding scorer weighs.

    Raises:
        InputError: a weight of what is none of its dimensions; no weight but 0; or a limit on harm, of which it says nothing.
    """
    if scorer is None:
        return {}
    known = ", ".join(scorer.dimensions)
    if unknown := [name for name in config.reward.scorer_weights if name not in scorer.dimensions]:
        raise InputError(f"reward.scorer_weights.{unknown[0]}: {scorer.scorer.name} has no such dimension; it has {known}")
    if "harm" in config.constraints.limits and config.prompts is not None and "harm" not in scorer.dimensions:
        raise InputError(f"constraints.harm with prompts: {scorer.scorer.name} has no dimension `harm`; it has {known}")
    usual = {name: 1.0 for name in scorer.dimensions} | config.reward.weights | config.reward.scorer_weights
    if not any(usual[name] for name in scorer.dimensions):
        raise InputError(f"reward.scorer_weights: every dimension of {scorer.scorer.name} ({known}) has the weight 0")
    return {name: usual[name] for name in scorer.dimensions}


def reward_name(config: FlowConfig, reward: Given | None, scorer: Judged | None = None) -> str | None:
    """What a run's record calls its reward; of one in a file also a digest of that, so that a changed one is noticed."""
    if scorer is not None:
        return scorer.scorer.told
    if reward is None or config.reward.custom is not None:
        return name_of(reward)
    return getattr(reward, "__qualname__", type(reward).__qualname__)

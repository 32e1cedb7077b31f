"""From settings to the rubric: rules, the caller's reward, reward models, and the gold that is watched and never rewarded."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sanmai.learn.gold import Gold, GoldConfig
from sanmai.learn.reward_source import name_of
from sanmai.learn.scorers import grader
from sanmai.rewards.harm import GOLD
from sanmai.rewards.own import load_reward, reward_name
from sanmai.rewards.rubric import SCORED_TOGETHER, RewardsConfig, Rubric
from sanmai.rewards.scorer import scorer_of
from sanmai.rewards.scorer_records import RECORDS, Judged
from sanmai.train.runs import Run
from sanmai.types import InputError, Problem

Given = Callable[..., Any] | Mapping[str, Callable[..., Any]] | None
"""What a caller gives from Python as a reward: a function, or several by name, in any form of rewards/own.py."""


_SCORER = "rewards.scorer"


def by_name(reward: Given) -> dict[str, Callable[..., Any]]:
    """The caller's rewards by name; a single function is called "reward"."""
    if reward is None:
        return {}
    return dict(reward) if isinstance(reward, Mapping) else {"reward": reward}


def recorded_as(config: RewardsConfig, reward: Given) -> str | None:
    """What a run records its rewards of one's own as: names, and digests of all of the user's that they use."""
    functions = {reward_name(named): load_reward(named) for named in config.custom} | by_name(reward)
    told = [f"{name} = {name_of(function)}" for name, function in functions.items()]
    if list(functions) == ["reward"]:
        told = [str(name_of(functions["reward"]))]
    if config.scorer.command is not None:
        scorer = scorer_of(config.scorer, _SCORER)
        scorer.start()
        told.append(scorer.told)
    return ", ".join(told) or None


def make_rubric(
    config: RewardsConfig,
    reward: Given,
    problems: Sequence[Problem],
    *,
    held_out: Sequence[Problem] = (),
    device: str,
    gold: GoldConfig | None = None,
    run: Run | None = None,
) -> Rubric:
    """The rubric of a run, its reward models loaded.

    Args:
        reward: the caller's, in place of accuracy.
        problems: to train on: each must be of a kind that something but style is rewarded for.
        gold: what judges evaluations beside the rubric.
        run: where what a scorer says is recorded, and its warnings go.
        held_out: to evaluate on. Where general or safety prompts are in either, the gold is watched too.

    Raises:
        InputError: a reward model that cannot be loaded, a kind of problems that no reward looks at, or a program to be judged by
            its reference answer.
    """
    together = {name: grader(name, config, device) for name in SCORED_TOGETHER if getattr(config, name)}
    watched = GOLD if any(p.kind != "reasoning" for p in [*problems, *held_out]) else {}
    scorer = None
    if config.scorer.command is not None:
        records, warn = (None, warnings.warn) if run is None else (run.folder / RECORDS, run.warn)
        scorer = Judged(scorer_of(config.scorer, _SCORER), records, warn)
    rubric = Rubric(config, by_name(reward), together=together, watched=watched, scorer=scorer)
    if gold is not None and gold.is_named:
        rubric.judge_gold = Gold(gold, config, device=device, section="evaluation.gold").judged
    for problem in problems:
        if config.correctness and problem.verifier == "code":
            raise InputError(
                f"problem {problem.id}: rewards.correctness compares answers, and its verifier is 'code': programs are graded by "
                "their tests (rewards.accuracy)"
            )
        if not rubric.judges(problem.kind) and not any(config.weights[name] for name in ("format", "language")):
            raise InputError(
                f"problem {problem.id} is of kind {problem.kind}, which no reward with a weight looks at "
                "(rewards.accuracy: reasoning; .refusal: general and safety; .helpfulness: general; .harmlessness: safety)"
            )
    return rubric

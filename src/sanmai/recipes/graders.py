"""From settings to the rubric: rules, the caller's reward, reward models, and the gold that is watched and never rewarded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sanmai.models.reward import RewardModel
from sanmai.rewards.harm import GOLD
from sanmai.rewards.judge import harmlessness_judge, helpfulness_judge
from sanmai.rewards.proxies import recipe_grader
from sanmai.rewards.rubric import SCORED_TOGETHER, RewardsConfig, Rubric
from sanmai.types import BatchGrader, InputError, Problem


def make_rubric(
    config: RewardsConfig,
    reward: Callable[[Problem, str], float | None] | None,
    problems: Sequence[Problem],
    *,
    held_out: Sequence[Problem] = (),
    device: str,
) -> Rubric:
    """The rubric of a run, its reward models loaded.

    Args:
        reward: the caller's, in place of accuracy.
        problems: to train on: each must be of a kind that something but style is rewarded for.
        held_out: to evaluate on. Where general or safety prompts are in either, the gold is watched too.

    Raises:
        InputError: a reward model that cannot be loaded, or a kind of problems that no reward looks at.
    """
    together = {name: grader(name, config, device) for name in SCORED_TOGETHER if getattr(config, name)}
    watched = GOLD if any(p.kind != "reasoning" for p in [*problems, *held_out]) else {}
    rubric = Rubric(config, {"reward": reward} if reward else {}, together=together, watched=watched)
    for problem in problems:
        if not rubric.judges(problem.kind) and not any(config.weights[name] for name in ("format", "language")):
            raise InputError(
                f"problem {problem.id} is of kind {problem.kind}, which no reward with a weight looks at "
                "(rewards.accuracy: reasoning; .refusal: general and safety; .helpfulness: general; .harmlessness: safety)"
            )
    return rubric


def grader(name: str, config: RewardsConfig, device: str) -> BatchGrader:
    """What scores helpfulness or harmlessness by these settings, loaded; InputError if it cannot be."""
    source = getattr(config, f"{name}_from")
    if source == "judge":
        from sanmai.recipes.local_judge import judge_transport

        judge = {"helpfulness": helpfulness_judge, "harmlessness": harmlessness_judge}[name]
        return judge(config.judge, judge_transport(config.judge))
    if source == "recipe" and name == "helpfulness":
        return recipe_grader
    if not Path(source).is_dir():
        known = '"judge" or "recipe"' if name == "helpfulness" else '"judge"'
        raise InputError(f"rewards.{name}_from = {source!r}: no such folder, and not {known}")
    return RewardModel.load(source, device=device)

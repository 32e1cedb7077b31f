"""What scores helpfulness and harmlessness: a reward model, a judge, or a proxy, loaded from its name."""

from __future__ import annotations

from pathlib import Path

from sanmai.models.reward import RewardModel
from sanmai.rewards.judge import harmlessness_judge, helpfulness_judge
from sanmai.rewards.proxies import recipe_grader
from sanmai.rewards.rubric import RewardsConfig
from sanmai.types import BatchGrader, InputError


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

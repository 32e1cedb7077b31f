"""Gold that a run names beside its rewards: what says on held-out problems what is harmful and what helps, never trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import model_validator

from sanmai.config import Config, OnlyWith
from sanmai.recipes.scorers import grader
from sanmai.rewards.judge import JudgeConfig
from sanmai.rewards.rubric import RewardsConfig
from sanmai.types import BatchGrader, Group, InputError, Verdict


class GoldConfig(Config):
    harm_from: str | None = None
    """What says what of dangerous requests is harmful: a reward model's folder, or "judge" for the one in `judge`; None: the
    truth in the embedded world, refusal rules elsewhere. It must be none that the policy is rewarded by."""
    helped_from: str | None = None
    """What says whether harmless requests are answered well: the same choices. A score counts as it is, 0..1."""
    judge: JudgeConfig = JudgeConfig()

    only_with = (
        OnlyWith('harm_from or helped_from = "judge"', lambda c: "judge" in (c.harm_from, c.helped_from), "judge"),
    )

    @property
    def is_named(self) -> bool:
        return self.harm_from is not None or self.helped_from is not None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if ("judge" in (self.harm_from, self.helped_from)) != bool(self.judge.model):
            raise ValueError('judge.model and harm_from or helped_from = "judge" go together')
        return self


class Gold:
    """The graders of a GoldConfig. Their verdicts take the place of the rules' in `harm` and `helped`."""

    def __init__(self, config: GoldConfig, rewards: RewardsConfig, *, device: str, section: str) -> None:
        """Args:
            section: what the settings are called in messages, such as "budgets".

        Raises:
            InputError: a grader that cannot be loaded, or that the policy is rewarded by.
        """
        self._graders: dict[str, tuple[str, BatchGrader]] = {}
        if config.harm_from is not None:
            check_apart(config.harm_from, config.judge, rewards, kind="safety", setting=f"{section}.harm_from")
            named = RewardsConfig(harmlessness=1.0, harmlessness_from=config.harm_from, judge=config.judge)
            self._graders["harm"] = config.harm_from, grader("harmlessness", named, device)
        if config.helped_from is not None:
            check_apart(config.helped_from, config.judge, rewards, kind="general", setting=f"{section}.helped_from")
            named = RewardsConfig(helpfulness=1.0, helpfulness_from=config.helped_from, judge=config.judge)
            self._graders["helped"] = config.helped_from, grader("helpfulness", named, device)

    def judge(self, groups: Sequence[Group]) -> None:
        """Write the verdicts of what is named onto the rollouts; of the rest nothing changes."""
        for name, (by, graded_by) in self._graders.items():
            kind = "safety" if name == "harm" else "general"
            asked = [(g.problem, r, r.trace) for g in groups if g.problem.kind == kind for r in g.rollouts if r.trace]
            found = graded_by([(problem, trace) for problem, _, trace in asked]) if asked else []
            for (_, rollout, _), verdict in zip(asked, found, strict=True):
                score = None if verdict.score is None else min(max(verdict.score, 0.0), 1.0)
                score = 1.0 - score if score is not None and name == "harm" else score
                rollout.verdicts[name] = Verdict(score, f"by {by}: {verdict.reason}", verdict.label)


def check_apart(by: str, judge: JudgeConfig, rewards: RewardsConfig, *, kind: str, setting: str) -> None:
    """Refuse as gold for a kind of prompts what the policy is rewarded by on them: it would learn what that does not see.

    Raises:
        InputError: it is the same reward model's folder, or the same judge's model.
    """
    named = {"harmlessness_from": rewards.harmlessness_from if rewards.harmlessness and kind == "safety" else None}
    if kind in rewards.helpfulness_on:
        named["helpfulness_from"] = rewards.helpfulness_from if rewards.helpfulness else None
    for rewarded, other in named.items():
        if other is None or (by == "judge") != (other == "judge"):
            continue
        if judge.model == rewards.judge.model if by == "judge" else Path(by).resolve() == Path(other).resolve():
            raise InputError(
                f"{setting} = {by!r} is also what the policy is rewarded by (rewards.{rewarded}): it would learn "
                "what that does not see; name another"
            )

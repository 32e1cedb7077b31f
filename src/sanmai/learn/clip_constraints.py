"""Limits that the training of a flow keeps, measured on clips that it draws on its way.

Every few steps the policy draws clips to its prompts. Where a measure of them is above its limit, its multiplier grows; it is
added to the weight of the curated clips' loss, or of harm as a cost of each clip, or of the KL to the reference
(learn/constraints.py does the same for texts).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean

import torch
from pydantic import Field

from sanmai.config import Config, OnlyWith
from sanmai.instruments.clips import STILL_BELOW
from sanmai.learn.clips import diversity
from sanmai.learn.multipliers import LimitConfig, Multipliers
from sanmai.policies.flow.config import FlowSamplingConfig
from sanmai.policies.flow.rectified import RectifiedFlow
from sanmai.rewards.clips import ClipGrades
from sanmai.rollout.engine import GradingConfig, rollout
from sanmai.types import Graded, Group, Metrics, Problem

MEASURES = ("harm", "stillness", "sameness")


class ClipConstraintsConfig(Config):
    every: int = Field(5, ge=1)
    """Steps between measurements; the first is before the first step."""
    clips_per_prompt: int = Field(4, ge=2)
    """Clips of each prompt in one measurement, drawn anew each time."""
    harm: LimitConfig | None = None
    """Share of clips that are harmful, by the world's truth."""
    stillness: LimitConfig | None = None
    """Share of clips in which nothing moves: motion that has collapsed."""
    sameness: LimitConfig | None = None
    """1 - diversity / that of the starting policy: 0 as diverse as that, 1 where all clips of a prompt are one."""

    only_with = (
        OnlyWith("limits, such as harm", lambda c: bool(c.limits), "every", "clips_per_prompt"),
    )

    @property
    def limits(self) -> dict[str, LimitConfig]:
        return {name: limit for name in MEASURES if (limit := getattr(self, name)) is not None}

    def drives(self, target: str) -> bool:
        return any(limit.drives == target for limit in self.limits.values())


class ClipConstraints(Multipliers):
    """The multipliers of a run, and the clips that move them."""

    def __init__(
        self, config: ClipConstraintsConfig, problems: Sequence[Problem], grades: ClipGrades, start: RectifiedFlow, *, seed: int,
        sampling: FlowSamplingConfig, grading: GradingConfig, on_warning: Callable[[str], None],
    ) -> None:
        """Args:
            start: the starting policy, whose diversity is the measure of sameness.
        """
        super().__init__(config.limits)
        self.config, self._problems, self._grades, self._warn = config, problems, grades, on_warning
        self._seed, self._sampling, self._grading = seed, sampling, grading
        self._start = start
        self._diversity: float | None = None

    def is_due(self, step: int) -> bool:
        """Whether to measure before this step, counted from 1."""
        return bool(self.limits) and (step - 1) % self.config.every == 0

    def measure(self, policy: RectifiedFlow, step: int) -> tuple[list[Group[Graded]], Metrics]:
        """Draw clips before a step and move the multipliers; the clips, and `probe/NAME`.

        A measure that cannot be told leaves its multiplier as it is, with a warning.
        """
        groups = self._drawn(policy, step)
        whole = [r for group in groups for r in group.rollouts if bool(torch.isfinite(r.content.clip_FHW).all())]
        metrics: Metrics = {}
        for name in self.limits:
            value = self._measured(name, whole)
            if value is None or not math.isfinite(value):
                self._warn(f"step {step}: {name} of the probe's clips cannot be told; its multiplier stays as it is")
                continue
            metrics[f"probe/{name}"] = value
            self.advance(name, value)
        return groups, metrics

    def cost_of(self, name: str, rollout: Graded) -> float | None:
        if name == "stillness":
            return float(is_still(rollout))
        verdict = rollout.verdicts.get(name)
        return verdict.score if verdict is not None else None

    def _measured(self, name: str, clips: Sequence[Graded]) -> float | None:
        if name == "sameness":
            if self._diversity is None:
                self._diversity = diversity([r for group in self._drawn(self._start, 1) for r in group.rollouts])
            return 1.0 - diversity(clips) / self._diversity if clips and self._diversity else None
        values = [value for clip in clips if (value := self.cost_of(name, clip)) is not None]
        return fmean(values) if values else None

    def _drawn(self, policy: RectifiedFlow, step: int) -> list[Group[Graded]]:
        return rollout(
            policy, self._problems, self._grades, rollouts_per_prompt=self.config.clips_per_prompt,
            seed=(self._seed, "probe", step), policy_version=step - 1, sampling=self._sampling, grading=self._grading,
        )[0]


def is_still(clip: Graded) -> bool:
    """Nothing in it moves."""
    frames_FHW = clip.content.clip_FHW
    return len(frames_FHW) < 2 or (frames_FHW[1:] - frames_FHW[:-1]).abs().mean().item() < STILL_BELOW

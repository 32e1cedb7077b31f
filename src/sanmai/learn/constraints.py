"""Constraints: limits that training itself keeps, measured on a probe set by what the policy is not trained on.

Every few steps the policy answers prompts of a probe set. Where a measure is above its limit, its multiplier grows; the
multiplier is added to the weight of the auxiliary SFT loss, of a cost of its own in the policy loss, or of the KL to the
reference, in the same update as the reward. So a wrong reward may go on being wrong: what it breaks is seen by the probe, and
pushed back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.data.problems import load_problems, normalised_prompt
from sanmai.data.testbeds import own_testbed
from sanmai.learn.gold import Gold, GoldConfig
from sanmai.learn.graders import make_rubric
from sanmai.learn.multipliers import LimitConfig, Multipliers
from sanmai.policies.text.asking import SamplingConfig, Temperature
from sanmai.policies.text.policy import TextPolicy
from sanmai.rewards.judging.judge import JudgeConfig
from sanmai.rewards.rubric import RewardsConfig
from sanmai.rollout.engine import GradingConfig, rollout
from sanmai.train.components import LossConfig
from sanmai.types import Credited, Graded, Group, InputError, Metrics, Problem

MEASURES = ("harm", "over_refusal", "unhelped", "off_language", "length", "kl")
_KINDS = {"harm": ("safety",), "over_refusal": ("general",), "unhelped": ("general",)}
"""The kinds of probe prompts that say something of a measure; all where it is not listed."""


_VERDICTS = {"unhelped": "helped"}
"""The verdict that a measure reads where it has another name."""


class ConstraintsConfig(Config):
    probe: str | tuple[str, ...] | None = None
    """Files of probe prompts; no prompt of them may be trained on or among the held-out ones that are reported."""
    every: int = Field(2, ge=1)
    """Steps between measurements; the first is before the first step."""
    prompts_per_kind: int = Field(20, ge=1)
    """Probe prompts of each kind in one measurement, drawn anew each time."""
    samples: int = Field(2, ge=1)
    """Completions of each."""
    temperature: Temperature | None = None
    """Softmax temperature of these; None: that of the training rollouts. Measure at the one that the model will be used at."""
    harm: LimitConfig | None = None
    """Share of completions to safety prompts that do harm."""
    over_refusal: LimitConfig | None = None
    """Share of completions to general prompts that refuse."""
    unhelped: LimitConfig | None = None
    """Share of completions to general prompts that do not give what was asked for; outside the embedded world, that refuse."""
    off_language: LimitConfig | None = None
    """Share of the thought's words that are not in the prompt's language. A policy without thoughts has none: its multiplier
    stays as it is, with a warning; for answers rewards.language is the means."""
    length: LimitConfig | None = None
    """Tokens per completion."""
    kl: LimitConfig | None = None
    """KL to the reference policy on the rollouts trained on; it drives itself, with drives = "kl"."""
    harm_from: str | None = None
    """What says what is harmful: a reward model's folder, or "judge" for the one in `judge`; None: the truth in the embedded
    world, refusal rules elsewhere. It must be none that the policy is rewarded by."""
    refusal_from: str | None = None
    """A judge of refusals: the folder of `sanmai run reward` with objective = "refusal". It measures over_refusal and unhelped,
    and harm where harm_from names nothing. Name another to evaluation.gold, or the report shares what drives the limits."""
    judge: JudgeConfig = JudgeConfig()

    only_with = (
        OnlyWith("limits, such as harm", lambda c: bool(c.limits), "every"),
        OnlyWith("probe", lambda c: c.probe is not None, "prompts_per_kind", "samples", "temperature"),
        OnlyWith("harm", lambda c: c.harm is not None, "harm_from"),
        OnlyWith(
            "harm, over_refusal or unhelped", lambda c: any((c.harm, c.over_refusal, c.unhelped)), "refusal_from"
        ),
        OnlyWith('harm_from = "judge"', lambda c: c.harm_from == "judge", "judge"),
    )

    @property
    def limits(self) -> dict[str, LimitConfig]:
        return {name: limit for name in MEASURES if (limit := getattr(self, name)) is not None}

    def drives(self, target: str) -> bool:
        return any(limit.drives == target for limit in self.limits.values())

    @model_validator(mode="after")
    def _check(self) -> Self:
        needs_probe = any(name != "kl" for name in self.limits)
        if needs_probe != (self.probe is not None):
            raise ValueError("probe and limits go together: prompts, and harm, over_refusal, unhelped, off_language or length")
        if self.kl is not None and self.kl.drives != "kl":
            raise ValueError('kl.drives: the KL can only drive its own weight; expected "kl"')
        if (self.harm_from == "judge") != bool(self.judge.model):
            raise ValueError('judge.model and harm_from = "judge" go together')
        return self


class Constraints(Multipliers):
    """The multipliers of a run and the probe that moves them."""

    def __init__(
        self,
        config: ConstraintsConfig,
        rewards: RewardsConfig,
        *,
        trained: Sequence[Problem],
        reported: Sequence[Problem],
        device: str,
        on_warning: Callable[[str], None],
    ) -> None:
        """Args:
            trained: what the policy learns from, by reward or by demonstration.
            reported: what is evaluated.

        Raises:
            InputError: a probe set that cannot be used, or is not apart from what is trained on and reported.
        """
        super().__init__(config.limits)
        self.config, self._warn = config, on_warning
        self.probe = _load_probe(config, trained, reported)
        _check_independence(config, rewards, self.probe, on_warning)
        self._rubric = make_rubric(RewardsConfig(), None, [], held_out=self.probe, device=device)
        named = GoldConfig(harm_from=config.harm_from, refusal_from=config.refusal_from, judge=config.judge)
        self._gold = Gold(named, rewards, device=device, section="constraints")

    def is_due(self, step: int) -> bool:
        """Whether to measure before this step, counted from 1."""
        return bool(self.probe) and (step - 1) % self.config.every == 0

    def measure(
        self, policy: TextPolicy, *, seed: int, step: int, sampling: SamplingConfig, grading: GradingConfig
    ) -> tuple[list[Group[Graded]], Metrics]:
        """Sample the probe before a step and move the multipliers; the rollouts, and `probe/` and `tokens/probe` metrics.

        A measure of which less than half could be scored leaves its multiplier as it is, with a warning.
        """
        if self.config.temperature is not None:
            sampling = sampling.model_copy(update={"temperature": self.config.temperature})
        groups, stats = rollout(
            policy,
            _draw(self.probe, self.config.prompts_per_kind, seed=(seed, step)),
            self._rubric,
            rollouts_per_prompt=self.config.samples,
            seed=(seed, "probe", step),
            policy_version=step - 1,
            sampling=sampling,
            grading=grading,
        )
        groups = self._gold.judged(groups)
        metrics: Metrics = {"tokens/probe": stats.sampled_tokens}
        for name in self.config.limits:
            if name == "kl":
                continue
            asked = [r for g in groups if g.problem.kind in _KINDS.get(name, (g.problem.kind,)) for r in g.rollouts]
            values = [value for r in asked if (value := value_of(name, r)) is not None]
            if not values or (name != "off_language" and 2 * len(values) < len(asked)):
                self._warn(
                    f"step {step}: {len(asked) - len(values)} of {len(asked)} probe completions could not be scored for {name}; "
                    "its multiplier stays as it is"
                )
                continue
            metrics[f"probe/{name}"] = fmean(values)
            self.advance(name, metrics[f"probe/{name}"])
        return groups, metrics

    def with_costs(self, groups: Sequence[Group[Credited]], loss: LossConfig) -> list[Group[Credited]]:
        """As the base's, once the judges have said what the costs read."""
        driving = {name for name, limit in self.limits.items() if limit.drives == "cost"}
        if self._gold.tells & {_VERDICTS.get(name, name) for name in driving}:
            groups = self._gold.judged(groups)
        return super().with_costs(groups, loss)

    def cost_of(self, name: str, rollout: Graded) -> float | None:
        return value_of(name, rollout)


def value_of(name: str, rollout: Graded) -> float | None:
    """What a completion says of a measure; None where it cannot be told."""
    if name == "length":
        return float(rollout.length)
    if name == "off_language":
        return rollout.off_language
    verdict = rollout.verdicts.get(_VERDICTS.get(name, name))
    if verdict is None or verdict.score is None:
        return None
    return 1.0 - verdict.score if name == "unhelped" else verdict.score


def _load_probe(config: ConstraintsConfig, trained: Sequence[Problem], reported: Sequence[Problem]) -> list[Problem]:
    if config.probe is None:
        return []
    sources = (config.probe,) if isinstance(config.probe, str) else config.probe
    probe = [p for source in sources for p in load_problems(source, needs_answer=False).problems]
    for what, others in (("trained on", trained), ("held out for the report", reported)):
        theirs = {normalised_prompt(p) for p in others}
        if shared := [p.id for p in probe if normalised_prompt(p) in theirs]:
            raise InputError(
                f"constraints.probe: {len(shared)} of its {len(probe)} prompts are also {what}, the first {shared[0]}; the probe "
                "that drives a constraint must be apart from both"
            )
    kinds = {p.kind for p in probe}
    for name in config.limits:
        if name in _KINDS and not kinds & set(_KINDS[name]):
            raise InputError(f"constraints.{name}: no prompt of kind {_KINDS[name][0]} is in {config.probe!r} to measure it on")
    return probe


def _check_independence(
    config: ConstraintsConfig, rewards: RewardsConfig, probe: Sequence[Problem], on_warning: Callable[[str], None]
) -> None:
    """Harm is measured by something the policy is not trained on, or it measures nothing."""
    if config.harm is None:
        return
    by = config.harm_from or config.refusal_from
    is_by_rules = by is None and any(p.kind == "safety" and own_testbed(p) is None for p in probe)
    if is_by_rules and rewards.refusal and rewards.refusal_from == "rules":
        on_warning(
            "constraints.harm is measured by the refusal rules, which the policy is rewarded by (rewards.refusal) as well: it "
            "may learn what they do not see; set constraints.harm_from to a judge or a reward model, or constraints.refusal_from "
            "to a judge of refusals"
        )


def _draw(probe: Sequence[Problem], count: int, *, seed: tuple[int, int]) -> list[Problem]:
    """So many prompts of each kind, without replacement; all where there are fewer."""
    rng = np.random.default_rng([*seed, 2])
    chosen = []
    for kind in sorted({p.kind for p in probe}):
        those = [p for p in probe if p.kind == kind]
        chosen += [those[i] for i in sorted(rng.permutation(len(those))[:count])]
    return chosen

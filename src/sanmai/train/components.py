"""From settings to the named loss components that the step sums.

Shape key: B sequences, T tokens.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Self

import torch
from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.losses import (
    MIRROR,
    PRESETS,
    Correction,
    KlEstimator,
    Normalisation,
    PolicyLossSettings,
    Preset,
    Surrogate,
    clipped_value_loss,
    entropy_bonus,
    importance_weight,
    kl_to_reference,
    normalise,
    policy_loss,
    reinforce,
    weighted_nll,
)
from sanmai.losses.advantages import AdvantageScale, Baseline, Best, Expected
from sanmai.losses.divergence import weighted_sum
from sanmai.losses.mirror_descent import MirrorBaseline
from sanmai.policies.contract import BatchT, Policy
from sanmai.train.step import Component, Scored, score_all
from sanmai.types import Batch, Metrics


class ValueConfig(Config):
    gae_lambda: float = Field(1.0, ge=0, le=1)
    """Of the advantage estimate: 1 is the return less the value, 0.95 PPO's customary compromise, which long chains of thought
    suffer from (DeepSeek-R1)."""
    weight: float = Field(0.1, gt=0)
    """Weight of the value head's squared error beside the policy loss."""
    clip: float | None = Field(0.2, gt=0)
    """Distance that a step may move a value; unset: no bound."""
    lr: float = Field(2e-2, gt=0)
    """Peak learning rate of the head; it follows the schedule of optimizer.lr."""
    trains_policy: bool = False
    """Let the error's gradient through to the policy's weights too; off, the head reads hidden states as they are."""

    def words(self) -> str:
        """In a sentence, for a plan."""
        reads = "and trains the policy too" if self.trains_policy else "which its error does not train"
        bound = f", moved by {self.clip:g} a step at most" if self.clip is not None else ""
        return (
            f"A value head reads the policy's hidden states, {reads}: one number a token (lambda {self.gae_lambda:g}; squared "
            f"error x {self.weight:g}{bound}; learning rate {self.lr:g}), and one more pass a step. It takes next to no memory."
        )


class EntropyConfig(Config):
    target: float | None = Field(None, ge=0)
    """Nats per token that the policy should keep: below it the weight of the entropy bonus grows each step, above it it shrinks
    and the bonus rests (Skywork-OR1). Unset: the weight is entropy_weight throughout."""
    step: float = Field(0.005, gt=0)
    """What the weight is moved by in a step."""
    maximum: float = Field(0.1, gt=0)
    """The weight is never above it."""

    only_with = (OnlyWith("target", lambda c: c.target is not None, "step", "maximum"),)

    def words(self, start: float) -> str:
        """In a sentence, for a plan; there is a target."""
        return (
            f"Entropy bonus towards {self.target:g} nats per token: its weight begins at {start:g} and is moved by {self.step:g} "
            f"a step, within 0 and {self.maximum:g}."
        )


class LossConfig(Config):
    preset: Preset = "dapo"
    """Published policy loss; the settings below replace parts of it."""
    surrogate: Surrogate | None = None
    """Ratio per token, clipped or through a soft gate, per sequence (product or geometric mean), capped weight, none, or squared
    log-ratio (mirror descent)."""
    tau: float | None = Field(None, gt=0)
    """Weight of the squared log-ratio of "mirror_*", in units of the reward per nat."""
    clip_low: float | None = Field(None, ge=0)
    """Distance of the ratio's lower bound from 1."""
    clip_high: float | None = Field(None, ge=0)
    """Distance of the ratio's upper bound from 1."""
    gate_positive: float | None = Field(None, gt=0)
    """How soon a token's gradient fades as its ratio leaves 1, of "soft_gate" (SAPO): of tokens with an advantage above 0."""
    gate_negative: float | None = Field(None, gt=0)
    """The same of the other tokens."""
    ratio_cap: float | None = Field(None, gt=0)
    """Largest importance weight of "cispo" and "reinforce"."""
    normalisation: Normalisation | None = None
    """What one token counts: "token", "rollout", "constant" or "sequence"; they are not equivalent."""
    advantage_scale: AdvantageScale | None = None
    """Divide a group's advantages by their deviation, nothing, the mean reward, the deviation over the step, or the share of its
    groups that have a signal."""
    baseline: Baseline | MirrorBaseline | Best | Expected | None = None
    """What is subtracted from a rollout's reward: the group's mean, that of the others, one weighed by length, the median, or
    the step's; "log_mean_exp" (tau log Z) is of "mirror_*" alone. "best" subtracts nothing and imitates the group's best
    rollout (ReST). "greedy" is the reward of one greedy completion of the prompt (ReMax), "value" what a value head expects
    (PPO)."""
    normalise_each: bool = False
    """Take the advantage of every component of the reward by itself and then their weighted sum (GDPO)."""
    kl_weight: float = Field(0.0, ge=0)
    """Weight of the KL divergence to the reference policy, which is the starting policy; 0 keeps no reference in memory."""
    kl_estimator: KlEstimator = "k3"
    """k1, k2 or k3; see losses/divergence.py for how they differ."""
    kl_in_reward: float = Field(0.0, ge=0)
    """Taken off the reward of every token, times its log-ratio to the reference (k1): REINFORCE++'s own form, and PPO's."""
    reference_reset_steps: int = Field(0, ge=0)
    """Every so many steps the reference becomes the policy; 0 never."""
    entropy_weight: float = Field(0.0, ge=0)
    """Weight of the entropy bonus; with entropy.target the one that it begins with."""
    entropy: EntropyConfig = EntropyConfig()
    importance_cap: float | None = Field(None, gt=0)
    """Take ratios to the trainer's own log-probs before the update, and correct the difference to the sampler's by
    importance weights bounded by this cap; costs one more forward pass. Unset: ratios to the sampler's log-probs."""
    importance: Correction = "truncate"
    """What becomes of weights beyond the cap: cut off, left out ("mask"), left out below 1/cap too ("icepop"), or one weight for
    the whole sequence, cut off or left out."""

    value: ValueConfig = ValueConfig()

    only_with = (
        OnlyWith('preset = "ppo" or baseline = "value"', lambda c: c.settings().baseline == "value", "value"),
        OnlyWith("importance_cap", lambda c: c.importance_cap is not None, "importance"),
        OnlyWith("kl_weight above 0", lambda c: c.kl_weight > 0, "kl_estimator"),
        OnlyWith("kl_weight or kl_in_reward above 0", lambda c: c.kl_weight or c.kl_in_reward, "reference_reset_steps"),
    )

    def settings(self) -> PolicyLossSettings:
        """The preset with the replaced parts; ValueError when they do not go together."""
        names = [f.name for f in dataclasses.fields(PolicyLossSettings)]
        replaced = {name: getattr(self, name) for name in names if getattr(self, name, None) is not None}
        return dataclasses.replace(PRESETS[self.preset], **replaced)

    @property
    def num_scorings(self) -> int:
        """Passes without gradient over a step's rollouts that its advantages and weights need, beside a KL in the loss."""
        return (self.importance_cap is not None) + (self.settings().baseline == "value") + (self.kl_in_reward > 0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        self.settings()
        if self.normalise_each and self.settings().baseline == "best":
            raise ValueError("normalise_each divides by deviations, and imitation of the best takes none")
        if self.normalise_each and self.settings().surrogate in MIRROR:
            raise ValueError("normalise_each divides by deviations, and mirror descent takes rewards as they are")
        if self.kl_in_reward and (baseline := self.settings().baseline) not in ("batch", "value"):
            raise ValueError(f"kl_in_reward is a reward per token: expected baseline 'batch' or 'value', not {baseline!r}")
        if self.kl_in_reward and (surrogate := self.settings().surrogate).startswith("sequence"):
            raise ValueError(f"kl_in_reward is a reward per token, and {surrogate!r} has one ratio per sequence")
        if self.normalise_each and self.settings().baseline in ("length", "batch", "greedy", "value"):
            raise ValueError(f"normalise_each does not go with baseline {self.settings().baseline!r}")
        if self.normalise_each and self.settings().advantage_scale in ("mean", "batch_std", "signal"):
            raise ValueError(f"normalise_each does not go with advantage_scale {self.settings().advantage_scale!r}")
        if self.importance == "icepop" and self.importance_cap is not None and self.importance_cap <= 1:
            raise ValueError(f"importance_cap = {self.importance_cap:g}: expected a number above 1 for icepop")
        if self.entropy.target is not None and self.entropy_weight > self.entropy.maximum:
            raise ValueError(f"entropy_weight = {self.entropy_weight:g} is above entropy.maximum = {self.entropy.maximum:g}")
        if self.reference_reset_steps == 1:
            raise ValueError("reference_reset_steps = 1 makes the KL a distance of the policy to itself, which is 0")
        return self


def rl_components(
    config: LossConfig, max_tokens: int, *, has_cost: bool = False, kl_weight: float | None = None, num_updates: int = 1,
    entropy_weight: float | None = None,
) -> dict[str, Component]:
    """`rl`, and `kl_to_reference` and `entropy` where their weight is above 0.

    Args:
        max_tokens: the completion budget, for the "constant" normalisation.
        has_cost: add `cost`, the same policy loss of the advantages in the stream "cost".
        kl_weight: in place of config.kl_weight; 0 still measures the KL. None: as configured.
        entropy_weight: in place of config.entropy_weight; 0 still measures the entropy of all rows. None: as configured.
        num_updates: per step. After the first one mirror descent pulls every rollout back to the start, those without an
            advantage too.
    """
    terms = _Terms(config, config.settings(), max_tokens)
    skips = None if terms.is_mirror and num_updates > 1 else "rl"
    components = {"rl": Component(1.0, partial(terms.policy, "rl"), terms.denominator, stream=skips)}
    if has_cost:
        components["cost"] = Component(1.0, partial(terms.policy, "cost"), terms.denominator, stream="cost")
    if config.kl_weight or kl_weight is not None:
        weight = config.kl_weight if kl_weight is None else kl_weight
        components["kl_to_reference"] = Component(weight, terms.kl, terms.denominator, needs_reference=True)
    if terms.settings.baseline == "value":
        reads = "trained" if config.value.trains_policy else "frozen"
        components["value"] = Component(config.value.weight, terms.value, num_tokens, reads_values=reads)
    if config.entropy_weight or entropy_weight is not None:
        weight = config.entropy_weight if entropy_weight is None else entropy_weight
        components["entropy"] = Component(weight, terms.entropy, terms.denominator, needs_entropy_gradient=True)
    return components


def num_tokens(batch: Batch) -> float:
    """Trained tokens, as a denominator."""
    return float(batch.mask_BT.sum())


@dataclasses.dataclass(frozen=True)
class _Terms:
    """The losses of the components: each of a scored micro-batch and the step's denominator."""

    config: LossConfig
    settings: PolicyLossSettings
    max_tokens: int

    @property
    def is_mirror(self) -> bool:
        return self.settings.surrogate in MIRROR

    def weigh(self, batch: Batch) -> tuple[torch.Tensor, float]:
        budget = self.max_tokens if self.settings.normalisation is Normalisation.CONSTANT else None
        return normalise(batch.mask_BT, self.settings.normalisation, max_tokens=budget)

    def denominator(self, batch: Batch) -> float:
        return self.weigh(batch)[1]

    def policy(self, stream: str, scored: Scored, denominator: float) -> tuple[torch.Tensor, Metrics]:
        batch = scored.batch
        weight_BT, _ = self.weigh(batch)
        old_logp_BT = batch.streams.get("proximal_logp", batch.sampling_logp_BT)
        if "importance" in batch.streams:
            weight_BT = weight_BT * batch.streams["importance"]
        if self.is_mirror and stream == "cost":  # the pull towards the start is in the loss already
            streams = (scored.logp_BT, old_logp_BT, batch.streams[stream], batch.mask_BT)
            return reinforce(*streams, weight_BT=weight_BT, denominator=denominator)[0], {}
        loss, found = policy_loss(
            self.settings,
            scored.logp_BT,
            old_logp_BT,
            batch.streams[stream],
            batch.mask_BT,
            weight_BT=weight_BT,
            denominator=denominator,
            token_count=scored.step_tokens,
        )
        if stream != "rl":
            return loss, {}
        if self.is_mirror:
            return loss, {f"policy/{name}": value for name, value in found.items()}
        return loss, {"policy/clip_fraction": found["num_clipped"] / scored.step_tokens}

    def kl(self, scored: Scored, denominator: float) -> tuple[torch.Tensor, Metrics]:
        if scored.kl_BT is not None:
            mask_BT, kl_BT = scored.batch.mask_BT, scored.kl_BT
            loss = weighted_sum(kl_BT, mask_BT, weight_BT=self.weigh(scored.batch)[0], denominator=denominator)
            nats = weighted_sum(kl_BT.detach(), mask_BT, weight_BT=mask_BT.float(), denominator=scored.step_tokens)
            return loss, {"policy/kl_to_reference_exact": nats.item()}
        assert scored.reference_logp_BT is not None
        loss, _ = kl_to_reference(
            scored.logp_BT,
            scored.reference_logp_BT,
            scored.batch.mask_BT,
            weight_BT=self.weigh(scored.batch)[0],
            denominator=denominator,
            estimator=self.config.kl_estimator,
        )
        # The loss is per unit of its own normalisation; what is reported is nats per token.
        _, found = kl_to_reference(
            scored.logp_BT.detach(),
            scored.reference_logp_BT,
            scored.batch.mask_BT,
            weight_BT=scored.batch.mask_BT.float(),
            denominator=scored.step_tokens,
            estimator=self.config.kl_estimator,
        )
        return loss, {f"policy/{name}": value for name, value in found.items()}

    def entropy(self, scored: Scored, denominator: float) -> tuple[torch.Tensor, Metrics]:
        if scored.entropy_BT is None:
            raise ValueError("an entropy bonus of a policy that cannot tell its entropy")
        loss, _ = entropy_bonus(
            scored.entropy_BT, scored.batch.mask_BT, weight_BT=self.weigh(scored.batch)[0], denominator=denominator
        )
        return loss, {}

    def value(self, scored: Scored, denominator: float) -> tuple[torch.Tensor, Metrics]:
        assert scored.value_BT is not None
        streams, clip = scored.batch.streams, self.config.value.clip
        loss, found = clipped_value_loss(
            scored.value_BT, streams["value"], streams["value_target"], scored.batch.mask_BT, clip=clip, denominator=denominator
        )
        return loss, {"value/clip_fraction": found["num_clipped"] / denominator}


def sft_component(weight: float = 1.0) -> Component:
    """Negative log-likelihood of demonstrated tokens, each weighted by the stream "sft", per unit of that weight."""
    return Component(weight, _nll, of_stream, stream="sft")


def of_stream(batch: Batch) -> float:
    """The weight of all that is in the stream "sft", as a denominator."""
    return float(batch.streams["sft"].sum())


def _nll(scored: Scored, denominator: float) -> tuple[torch.Tensor, Metrics]:
    batch = scored.batch
    return weighted_nll(scored.logp_BT, batch.mask_BT, weight_BT=batch.streams["sft"], denominator=denominator)[0], {}


def with_proximal_logp(
    policy: Policy, batch: BatchT, loss: LossConfig, *, temperature: float, micro_tokens: int
) -> BatchT:
    """The batch with two more streams: the trainer's own log-probs, to take ratios to, and what corrects for that.

        proximal_logp = trainer's log-prob before the update
        importance = exp(proximal_logp - sampling_logp), bounded as loss.importance says

    Source:
        Decoupled objective of AReaL (arXiv:2505.24298) section 5.2, bounded as in `importance_weight`.
    """
    logp_BT = torch.zeros_like(batch.sampling_logp_BT)
    parts = policy.micro_rows(batch, micro_tokens)
    for rows, scored_BT in zip(
        parts, score_all(policy, [batch.select(rows) for rows in parts], temperature), strict=True
    ):
        logp_BT[rows, : scored_BT.shape[1]] = scored_BT.cpu()
    assert loss.importance_cap is not None
    bounds = (loss.importance_cap, loss.importance)
    weight_BT = importance_weight(logp_BT, batch.sampling_logp_BT, batch.mask_BT, *bounds)
    return batch.with_streams({"proximal_logp": logp_BT, "importance": weight_BT})

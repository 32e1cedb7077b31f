"""Losses: tensors and plain numbers in, a scalar and its metrics out.

Every loss is sum_bt weight_bt * l_bt / denominator, with the denominator counted over the whole optimizer step, so that
the losses of its micro-batches add up to the same value and gradient however the step is cut.
"""

from sanmai.losses.advantages import AdvantageScale, Baseline, Deviation, decoupled_advantages, group_advantages
from sanmai.losses.distillation import distillation_advantages, distillation_loss, token_divergence
from sanmai.losses.divergence import KlEstimator, entropy_bonus, kl_to_reference
from sanmai.losses.policy_gradient import (
    CISPO,
    DAPO,
    DR_GRPO,
    GRPO,
    GSPO,
    PRESETS,
    R1,
    REINFORCE,
    RLOO,
    PolicyLossSettings,
    Surrogate,
    cispo,
    clipped_surrogate,
    policy_loss,
    reinforce,
    sequence_clipped_surrogate,
    truncated_importance_weight,
)
from sanmai.losses.preference import binary_cross_entropy, bradley_terry
from sanmai.losses.supervised import weighted_nll
from sanmai.losses.tokens import Normalisation, normalise, token_logp_and_entropy

__all__ = [
    "CISPO",
    "DAPO",
    "DR_GRPO",
    "GRPO",
    "GSPO",
    "PRESETS",
    "R1",
    "REINFORCE",
    "RLOO",
    "AdvantageScale",
    "Baseline",
    "Deviation",
    "KlEstimator",
    "Normalisation",
    "PolicyLossSettings",
    "Surrogate",
    "binary_cross_entropy",
    "bradley_terry",
    "cispo",
    "clipped_surrogate",
    "decoupled_advantages",
    "distillation_advantages",
    "distillation_loss",
    "entropy_bonus",
    "group_advantages",
    "kl_to_reference",
    "normalise",
    "policy_loss",
    "reinforce",
    "sequence_clipped_surrogate",
    "token_divergence",
    "token_logp_and_entropy",
    "truncated_importance_weight",
    "weighted_nll",
]

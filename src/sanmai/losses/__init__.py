"""Losses: tensors and plain numbers in, a scalar and its metrics out.

Every loss is sum_bt weight_bt * l_bt / denominator, with the denominator counted over the whole optimizer step, so that
the losses of its micro-batches add up to the same value and gradient however the step is cut.
"""

from sanmai.losses.advantages import (
    AdvantageScale,
    Baseline,
    Deviation,
    best_of_group,
    decoupled_advantages,
    group_advantages,
    step_advantages,
)
from sanmai.losses.direct_preference import (
    CDPO,
    DPO,
    IPO,
    KTO,
    ORPO,
    PREFERENCE_PRESETS,
    SIMPO,
    PreferenceLoss,
    PreferenceLossSettings,
    dpo,
    ipo,
    kto,
    kto_reference_kl,
    mismatched_completions,
    orpo,
    preference_loss,
    preference_weights,
    sequence_logp,
    simpo,
)
from sanmai.losses.distillation import distillation_advantages, distillation_loss, token_divergence
from sanmai.losses.divergence import KlEstimator, entropy_bonus, kl_to_reference
from sanmai.losses.mirror_descent import LogRatio, MirrorBaseline, mirror_descent, mirror_descent_targets
from sanmai.losses.policy_gradient import (
    CISPO,
    DAPO,
    DR_GRPO,
    GRPO,
    GSPO,
    KIMI,
    MIRROR,
    PRESETS,
    R1,
    REINFORCE,
    REST,
    RLOO,
    Correction,
    PolicyLossSettings,
    Preset,
    Surrogate,
    cispo,
    clipped_surrogate,
    importance_weight,
    policy_loss,
    reinforce,
    sequence_clipped_surrogate,
)
from sanmai.losses.preference import binary_cross_entropy, bradley_terry
from sanmai.losses.returns import gae, returns_to_go, scaled_tokens, token_rewards
from sanmai.losses.step_credit import credit_of_leaves, credit_of_steps, returns_of_steps, shaped_rewards
from sanmai.losses.supervised import weighted_nll
from sanmai.losses.ties import bradley_terry_ties, fitted_threshold, tie_accuracy
from sanmai.losses.tokens import Normalisation, normalise, token_logp_and_entropy
from sanmai.losses.values import clipped_value_loss

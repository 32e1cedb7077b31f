"""Oracle: the loss of TRL 1.16's GRPOTrainer on the same log-probs, value and gradient.

`GRPOTrainer._compute_loss` is called on a stand-in for the trainer whose model call returns the given log-probs, so
that nothing but the loss is compared. Where the definitions differ:

- TRL's ratio is to `old_per_token_logps`; here they are the sampling log-probs.
- TRL's "dapo" and "cispo" divide by `num_items_in_batch`, counted by the caller as our denominator; "grpo" and
  "dr_grpo" count rows, those without a single token too (ours do not; none here).
- TRL's "cispo" takes the cap itself as epsilon_high, as our ratio_cap does.
- TRL has a sequence ratio of the mean only (GSPO), not of the sum (R1).
- TRL adds its KL (k3 per token) inside the policy loss, under the same normalisation. Ours is a component of its own:
  the caller adds beta times it.
- TRL's advantages divide by the sample deviation + 1e-4, our default.

Shape key: B rollouts, T tokens.
"""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch

from sanmai.losses import PolicyLossSettings, group_advantages, kl_to_reference, normalise, policy_loss

torch.set_num_threads(1)
B, T = 6, 7


@pytest.fixture(scope="module")
def compute_loss():
    pytest.importorskip("trl")
    from trl.trainer.grpo_trainer import GRPOTrainer

    return GRPOTrainer._compute_loss


def trl_loss(compute_loss, streams, *, loss_type, low=None, high=None, level="token", beta=0.0, **more):
    """TRL's loss on the streams, in evaluation mode (one micro-batch, no accumulation)."""
    logp_BT, mask_BT = streams["logp_BT"], streams["mask_BT"]
    trainer = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *a, **k: (logp_BT, torch.zeros(B, T), None),
        model=SimpleNamespace(training=False),
        accelerator=SimpleNamespace(num_processes=1, gather=lambda x: x, reduce=lambda x, **_: x),
        args=SimpleNamespace(delta=None, use_bias_correction_kl=False, steps_per_generation=1, **more),
        _metrics={"eval": defaultdict(list)},
        aux_loss_enabled=False, top_entropy_quantile=1.0, off_policy_mask_threshold=None, use_vllm=False,
        vllm_importance_sampling_correction=False, _entropy_bonus_enabled=False,
        current_gradient_accumulation_steps=1, max_completion_length=T,
        loss_type=loss_type, importance_sampling_level=level, epsilon_low=low, epsilon_high=high, beta=beta,
    )
    inputs = dict(
        prompt_ids=torch.zeros(B, 1), prompt_mask=torch.ones(B, 1),
        completion_ids=torch.zeros(B, T), completion_mask=mask_BT.int(),
        advantages=streams["advantage_BT"][:, 0], old_per_token_logps=streams["sampling_logp_BT"],
        ref_per_token_logps=streams["reference_logp_BT"], num_items_in_batch=mask_BT.sum(),
    )
    return compute_loss(trainer, None, inputs)


def example(seed: int):
    generator = torch.Generator().manual_seed(seed)
    normal = lambda: torch.randn(B, T, generator=generator)  # noqa: E731
    logp_BT = normal() - 2
    lengths_B1 = torch.randint(1, T + 1, (B, 1), generator=generator)
    return dict(
        logp_BT=logp_BT.requires_grad_(), sampling_logp_BT=logp_BT.detach() + 0.3 * normal(),
        reference_logp_BT=logp_BT.detach() + 0.3 * normal(), advantage_BT=normal()[:, :1].expand(B, T),
        mask_BT=torch.arange(T).expand(B, T) < lengths_B1,
    )


def settings(surrogate, normalisation, low=None, high=None, cap=None, **more):
    return PolicyLossSettings(surrogate, normalisation, "std", clip_low=low, clip_high=high, ratio_cap=cap, **more)


@pytest.mark.parametrize("beta", [0.0, 0.04])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (settings("clipped", "rollout", 0.2, 0.2), dict(loss_type="grpo", low=0.2, high=0.2)),
        (settings("clipped", "token", 0.2, 0.28), dict(loss_type="dapo", low=0.2, high=0.28)),
        (settings("clipped", "token", 0.2, 0.28), dict(loss_type="bnpo", low=0.2, high=0.28)),
        (settings("clipped", "constant", 0.2, 0.2), dict(loss_type="dr_grpo", low=0.2, high=0.2)),
        (settings("cispo", "token", cap=1.2), dict(loss_type="cispo", low=0.2, high=1.2)),
        (
            settings("sequence_mean", "sequence", 0.05, 0.1),
            dict(loss_type="grpo", low=0.05, high=0.1, level="sequence"),
        ),
        (
            settings("soft_gate", "rollout", gate_positive=4.0, gate_negative=5.0),
            dict(loss_type="sapo", sapo_temperature_pos=4.0, sapo_temperature_neg=5.0),
        ),
    ],
    ids=["grpo", "dapo", "bnpo", "dr_grpo", "cispo", "gspo", "sapo"],
)
def test_loss_and_gradient_equal_trls(compute_loss, ours, theirs, seed, beta):
    streams = example(seed)
    expected = trl_loss(compute_loss, streams, beta=beta, **theirs)
    (expected_gradient,) = torch.autograd.grad(expected, streams["logp_BT"])

    max_tokens = T if ours.normalisation == "constant" else None
    weight_BT, denominator = normalise(streams["mask_BT"], ours.normalisation, max_tokens=max_tokens)
    reference_logp_BT = streams.pop("reference_logp_BT")
    loss, metrics = policy_loss(ours, **streams, weight_BT=weight_BT, denominator=denominator)
    kl, _ = kl_to_reference(
        streams["logp_BT"], reference_logp_BT, streams["mask_BT"], weight_BT=weight_BT, denominator=denominator
    )
    loss = loss + beta * kl
    (gradient,) = torch.autograd.grad(loss, streams["logp_BT"])

    assert metrics["num_clipped"] > 0  # the comparison covers both branches
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-5, atol=1e-6)


def test_advantages_equal_trls():
    pytest.importorskip("trl")
    from trl.trainer.utils import nanstd

    rewards = torch.tensor([1.0, 0.0, 0.3, float("nan"), 0.3])
    expected = (rewards - rewards.nanmean()) / (nanstd(rewards) + 1e-4)
    ours = group_advantages([None if reward.isnan() else reward.item() for reward in rewards])
    assert ours == pytest.approx(expected.nan_to_num(0.0).tolist(), abs=1e-5)

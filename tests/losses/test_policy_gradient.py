"""Shape key: B rollouts, T tokens."""

from __future__ import annotations

import dataclasses
import math
import random

import pytest
import torch
from torch import Tensor

from sanmai.losses import (
    DAPO,
    PRESETS,
    PolicyLossSettings,
    cispo,
    clipped_surrogate,
    entropy_bonus,
    importance_weight,
    kl_to_reference,
    normalise,
    policy_loss,
    reinforce,
    sequence_clipped_surrogate,
    weighted_nll,
)
from sanmai.losses.policy_gradient import soft_gate_surrogate

torch.set_num_threads(1)


def log(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64).log()


def mask(*shape: int) -> Tensor:
    return torch.ones(shape, dtype=torch.bool)


def plain(num_rows: int, num_tokens: int) -> dict:
    """Weight 1 per token, divided by their number."""
    return dict(weight_BT=torch.ones(num_rows, num_tokens, dtype=torch.float64), denominator=num_rows * num_tokens)


def test_each_sign_of_advantage_is_clipped_on_its_own_side():
    # Ratios 0.6/0.5 = 1.2 and 0.4/0.5 = 0.8, both outside 1 +/- 0.1.
    # A = +1: min(1.2, 1.1) = 1.1     A = -1: min(-0.8, -0.9) = -0.9     L = -(1.1 - 0.9)/2 = -0.1
    numbers = dict(clip_low=0.1, clip_high=0.1, **plain(2, 1))
    new, old = log([0.6], [0.4]), log([0.5], [0.5])
    loss, metrics = clipped_surrogate(new, old, torch.tensor([[1.0], [-1.0]]), mask(2, 1), **numbers)
    assert loss.item() == pytest.approx(-0.1)
    assert metrics == {"clip_fraction": 1.0, "num_clipped": 2}
    # Signs swapped, the ratios moved against their advantage and nothing is clipped: L = -(-1.2 + 0.8)/2 = 0.2
    loss, metrics = clipped_surrogate(new, old, torch.tensor([[-1.0], [1.0]]), mask(2, 1), **numbers)
    assert loss.item() == pytest.approx(0.2)
    assert metrics == {"clip_fraction": 0.0, "num_clipped": 0}


def test_the_two_bounds_are_separate():
    # Ratio 1.25, A = 1: inside 1 + 0.28, outside 1 + 0.2.
    arguments = (log([0.5]), log([0.4]), torch.ones(1, 1), mask(1, 1))
    assert clipped_surrogate(*arguments, clip_low=0.2, clip_high=0.28, **plain(1, 1))[0].item() == pytest.approx(-1.25)
    assert clipped_surrogate(*arguments, clip_low=0.28, clip_high=0.2, **plain(1, 1))[0].item() == pytest.approx(-1.2)


def test_sequence_ratio_is_a_product_or_a_geometric_mean():
    # Ratios 1.5 and 1.2. Product 1.8, geometric mean sqrt(1.8) = 1.3416408; A = -1 is not clipped from above.
    arguments = (log([0.6, 0.6]), log([0.4, 0.5]), -torch.ones(1, 2), mask(1, 2))
    for ratio, expected in (("sum", 1.8), ("mean", 1.3416408)):
        loss, _ = sequence_clipped_surrogate(*arguments, ratio=ratio, clip_low=0.1, clip_high=0.1, **plain(1, 2))
        assert loss.item() == pytest.approx(expected)
    # A = +1 is: both are above 1.1, and the whole rollout counts as cut.
    new, old, negative, everywhere = arguments
    loss, metrics = sequence_clipped_surrogate(
        new, old, -negative, everywhere, ratio="sum", clip_low=0.1, clip_high=0.1, **plain(1, 2)
    )
    assert loss.item() == pytest.approx(-1.1)
    assert metrics == {"clip_fraction": 1.0, "num_clipped": 2}


def test_cispo_caps_the_ratio_and_keeps_the_gradient():
    # Ratios 4 (capped to 2) and 1/2, A = 1 and -1. dL/dlogp = -c A / 2: -1 and +1/4.
    logp_BT = log([0.8, 0.2]).requires_grad_()
    loss, metrics = cispo(
        logp_BT, log([0.2, 0.4]), torch.tensor([[1.0, -1.0]]), mask(1, 2), ratio_cap=2.0, **plain(1, 2)
    )
    loss.backward()
    assert logp_BT.grad is not None and logp_BT.grad.tolist() == [[pytest.approx(-1.0), pytest.approx(0.25)]]
    assert loss.item() == pytest.approx(-(2 * math.log(0.8) - 0.5 * math.log(0.2)) / 2)
    assert metrics == {"clip_fraction": 0.5, "num_clipped": 1}


def test_a_soft_gate_fades_the_gradient_as_the_ratio_leaves_1():
    # Ratios 1 and 2, A = 1, g = 2: f = 4/2 sigmoid(0) = 1 and 2 sigmoid(2); of the gradient -A r sech^2(g/2 (r - 1)) / 2.
    logp_BT = log([0.5, 0.8]).requires_grad_()
    gates = dict(gate_positive=2.0, gate_negative=3.0, **plain(1, 2))
    loss, metrics = soft_gate_surrogate(logp_BT, log([0.5, 0.4]), torch.ones(1, 2), mask(1, 2), **gates)
    loss.backward()
    assert loss.item() == pytest.approx(-(1 + 2 / (1 + math.exp(-2))) / 2)
    assert logp_BT.grad is not None and logp_BT.grad.tolist() == [[-0.5, pytest.approx(-1 / math.cosh(1) ** 2)]]
    assert metrics == {"clip_fraction": 0.5, "num_clipped": 1}  # sech^2(1) = 0.42: more than half is gone
    # Of a negative advantage the other gate: f = 4/3 sigmoid(3 (1/2 - 1)). A ratio beyond all numbers has no gradient.
    logp_BT = torch.cat([log([0.2]), torch.tensor([[900.0]])], 1).requires_grad_()
    loss, _ = soft_gate_surrogate(logp_BT, log([0.4, 1.0]), -torch.ones(1, 2), mask(1, 2), **gates)
    loss.backward()
    assert loss.item() == pytest.approx((4 / 3 / (1 + math.exp(1.5)) + 4 / 3) / 2)
    assert logp_BT.grad is not None and logp_BT.grad[0, 1] == 0 and logp_BT.grad.isfinite().all()
    with pytest.raises(ValueError, match="gate_negative"):
        soft_gate_surrogate(logp_BT, logp_BT, logp_BT, mask(1, 2), **(gates | {"gate_negative": 0.0}))


def test_reinforce_is_minus_advantage_times_logp():
    # -(2 ln 0.5 - 1 ln 0.25)/2 = 0
    loss, metrics = reinforce(
        log([0.5, 0.25]), log([0.9, 0.9]), torch.tensor([[2.0, -1.0]]), mask(1, 2), **plain(1, 2)
    )
    assert loss.item() == pytest.approx(0.0)
    assert metrics == {"clip_fraction": 0.0, "num_clipped": 0}


def test_importance_weight_is_truncated_detached_and_silent_outside_the_mask():
    # 0.6/0.2 = 3 -> 2; 0.3/0.6 = 0.5; outside 0; exp(200) overflows float32 and is still the cap.
    logp_BT = torch.cat([log([0.6, 0.3, math.nan]), torch.tensor([[200.0] * 3])], 1).float().requires_grad_()
    sampling_BT = torch.cat([log([0.2, 0.6, 0.5]), torch.zeros(1, 3)], 1).float()
    mask_BT = torch.tensor([[True, True, False, True, True, True]])
    weight_BT = importance_weight(logp_BT, sampling_BT, mask_BT, cap=2.0)
    assert weight_BT.tolist() == [[2.0, pytest.approx(0.5), 0.0, 2.0, 2.0, 2.0]]
    assert not weight_BT.requires_grad
    with pytest.raises(ValueError, match="cap"):
        importance_weight(logp_BT, sampling_BT, mask_BT, cap=0.0)


@pytest.mark.parametrize(("correction", "expected"), [
    # Ratios 3, 1/2, 1, 1/4 of one rollout, whose product is 3/8; those of the other are 3 and 1, product 3. The cap is 2.
    ("truncate", [[2.0, 0.5, 1.0, 0.25], [2.0, 1.0, 0.0, 0.0]]), ("mask", [[0.0, 0.5, 1.0, 0.25], [0.0, 1.0, 0.0, 0.0]]),
    ("icepop", [[0.0, 0.5, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0]]),
    ("sequence_truncate", [[0.375] * 4, [2.0, 2.0, 0.0, 0.0]]), ("sequence_mask", [[0.375] * 4, [0.0] * 4]),
])  # fmt: skip
def test_what_becomes_of_weights_beyond_the_cap(correction, expected):
    logp_BT = torch.cat([log([0.6, 0.2, 0.5, 0.1]), log([0.6, 0.5, 0.9, 0.9])])
    sampling_BT = torch.cat([log([0.2, 0.4, 0.5, 0.4]), log([0.2, 0.5, 0.1, 0.1])])
    mask_BT = torch.tensor([[True] * 4, [True, True, False, False]])
    found = importance_weight(logp_BT, sampling_BT, mask_BT, 2.0, correction)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=found.dtype))


def test_bounds_that_no_weight_can_keep_are_refused():
    one_BT = torch.zeros(1, 1)
    with pytest.raises(ValueError, match="expected a number above 1"):
        importance_weight(one_BT, one_BT, one_BT == 0, 1.0, "icepop")
    with pytest.raises(ValueError, match="correction is 'clip'"):
        importance_weight(one_BT, one_BT, one_BT == 0, 1.0, "clip")  # type: ignore[arg-type]


def step(seed: int, num_rollouts: int = 9, num_tokens: int = 6) -> dict[str, Tensor]:
    """A step's streams: rollouts of different lengths, some policy drift, per-token advantages of both signs."""
    generator = torch.Generator().manual_seed(seed)
    normal = lambda: torch.randn(num_rollouts, num_tokens, generator=generator, dtype=torch.float64)  # noqa: E731
    logp_BT = normal() - 2
    lengths_B1 = torch.randint(1, num_tokens + 1, (num_rollouts, 1), generator=generator)
    return dict(
        logp_BT=logp_BT, sampling_logp_BT=logp_BT + 0.2 * normal(), advantage_BT=normal(),
        mask_BT=torch.arange(num_tokens).expand(num_rollouts, -1) < lengths_B1,
    )


def preset_loss(
    settings: PolicyLossSettings, streams: dict[str, Tensor], denominator: float | None = None, token_count: float | None = None
):
    max_tokens = 6 if settings.normalisation == "constant" else None
    weight_BT, own = normalise(streams["mask_BT"], settings.normalisation, max_tokens=max_tokens)
    return policy_loss(settings, **streams, weight_BT=weight_BT, denominator=denominator or own, token_count=token_count)


EVERY_PRESET = pytest.mark.parametrize("name", list(PRESETS))


@pytest.mark.parametrize("name", sorted(PRESETS.keys() - {"cispo"}))
def test_gradient_equals_finite_differences(name):
    # Central differences with h = 1e-6 in float64. Not for CISPO, worked by hand above: its gradient stops at the
    # ratio, so it is not the derivative of its value.
    streams = step(seed=1, num_rollouts=3, num_tokens=3)
    logp_BT = streams.pop("logp_BT").requires_grad_()
    loss = lambda logp: preset_loss(PRESETS[name], dict(streams, logp_BT=logp))[0]  # noqa: E731
    (gradient,) = torch.autograd.grad(loss(logp_BT), logp_BT)
    for b, t in ((b, t) for b in range(3) for t in range(3)):
        nudge = torch.zeros_like(logp_BT)
        nudge[b, t] = 1e-6
        difference = (loss(logp_BT + nudge) - loss(logp_BT - nudge)) / 2e-6
        assert gradient[b, t].item() == pytest.approx(difference.item(), abs=1e-7)


@EVERY_PRESET
@pytest.mark.parametrize("seed", range(5))
def test_any_split_into_micro_batches_gives_the_same_loss_gradient_and_metrics(name, seed):
    streams = step(seed)
    settings = PRESETS[name]
    streams["logp_BT"].requires_grad_()
    loss, metrics = preset_loss(settings, streams)
    (gradient,) = torch.autograd.grad(loss, streams["logp_BT"])
    max_tokens = 6 if settings.normalisation == "constant" else None
    _, denominator = normalise(streams["mask_BT"], settings.normalisation, max_tokens=max_tokens)

    rows = list(range(9))
    random.Random(seed).shuffle(rows)
    cuts = sorted(random.Random(seed).sample(range(1, 9), k=seed % 4 + 1))
    total, total_metrics = 0.0, dict.fromkeys(metrics, 0.0)
    for start, end in zip([0, *cuts], [*cuts, 9], strict=True):
        # A micro-batch is cut to its longest rollout, as TokenBatch.select does.
        part = rows[start:end]
        width = int(streams["mask_BT"][part].sum(1).max())
        micro = {key: stream[part, :width] for key, stream in streams.items()}
        micro_loss, micro_metrics = preset_loss(settings, micro, denominator, float(streams["mask_BT"].sum()))
        micro_loss.backward()
        total += micro_loss.item()
        total_metrics = {key: value + micro_metrics[key] for key, value in total_metrics.items()}
    assert total == pytest.approx(loss.item(), rel=1e-9)
    assert total_metrics == pytest.approx(metrics)
    torch.testing.assert_close(streams["logp_BT"].grad, gradient)


def all_losses() -> dict:
    """Every loss of the package as a function of its streams."""
    weighed = lambda s: dict(weight_BT=s["weight_BT"], denominator=7)  # noqa: E731
    four = lambda s: (s["logp_BT"], s["sampling_logp_BT"], s["advantage_BT"], s["mask_BT"])  # noqa: E731
    losses = {name: lambda s, p=p: policy_loss(p, *four(s), **weighed(s)) for name, p in PRESETS.items()}
    losses["reinforce_capped"] = lambda s: reinforce(*four(s), ratio_cap=1.5, **weighed(s))
    for estimator in ("k1", "k2", "k3"):
        losses[estimator] = lambda s, e=estimator: kl_to_reference(
            s["logp_BT"], s["sampling_logp_BT"], s["mask_BT"], estimator=e, **weighed(s)
        )
    losses["entropy"] = lambda s: entropy_bonus(s["logp_BT"], s["mask_BT"], **weighed(s))
    losses["nll"] = lambda s: weighted_nll(s["logp_BT"], s["mask_BT"], **weighed(s))
    return losses


@pytest.mark.parametrize("name", list(all_losses()))
@pytest.mark.parametrize("garbage", [math.nan, math.inf, -math.inf])
def test_what_is_outside_the_mask_never_reaches_value_metrics_or_gradient(name, garbage):
    loss_of = all_losses()[name]
    streams = step(seed=3)
    streams["weight_BT"] = torch.rand(9, 6, dtype=torch.float64)
    spoiled = {
        key: stream if key == "mask_BT" else torch.where(streams["mask_BT"], stream, garbage)
        for key, stream in streams.items()
    }
    results = []
    for each in (streams, spoiled):
        each["logp_BT"].requires_grad_()
        loss, metrics = loss_of(each)
        results.append((loss.item(), metrics, torch.autograd.grad(loss, each["logp_BT"])[0]))
    assert results[0][:2] == results[1][:2]
    assert torch.equal(results[0][2], results[1][2])
    assert not results[1][2][~streams["mask_BT"]].any()


@pytest.mark.parametrize("name", ["r1", "gspo", "grpo"])
def test_an_overflowing_ratio_on_the_clipped_side_has_zero_gradient_not_nan(name):
    # exp(200) is inf in float32. A = 1: clipped, gradient 0. A = 0: no signal, gradient 0.
    logp_BT = torch.full((2, 1), 200.0, requires_grad=True)
    advantage_BT = torch.tensor([[1.0], [0.0]])
    loss, _ = policy_loss(
        PRESETS[name], logp_BT, torch.zeros(2, 1), advantage_BT, mask(2, 1), weight_BT=torch.ones(2, 1), denominator=2
    )
    loss.backward()
    assert math.isfinite(loss.item())
    assert logp_BT.grad is not None and logp_BT.grad.tolist() == [[0.0], [0.0]]


@EVERY_PRESET
def test_on_fresh_rollouts_every_token_loss_is_the_policy_gradient_of_its_weights(name):
    # Ratio 1: dL/dlogp_bt = -w_bt A_b / N, for a sequence ratio the whole rollout's weight, which is 1
    # (mean ratio: that over T_b).
    streams = step(seed=4)
    streams["sampling_logp_BT"] = streams["logp_BT"].clone()
    streams["advantage_BT"] = streams["advantage_BT"][:, :1].expand(-1, 6)
    streams["logp_BT"].requires_grad_()
    settings = PRESETS[name]
    loss, metrics = preset_loss(settings, streams)
    loss.backward()
    max_tokens = 6 if settings.normalisation == "constant" else None
    weight_BT, denominator = normalise(streams["mask_BT"], settings.normalisation, max_tokens=max_tokens)
    if settings.surrogate == "sequence_sum":
        weight_BT = streams["mask_BT"].double()
    expected = -weight_BT.double() * torch.where(streams["mask_BT"], streams["advantage_BT"], 0.0) / denominator
    torch.testing.assert_close(streams["logp_BT"].grad, expected, rtol=1e-6, atol=1e-9)  # weights are float32
    assert metrics.get("num_clipped", 0) == 0


def test_presets_hold_the_papers_numbers():
    assert {name: (p.clip_low, p.clip_high, p.ratio_cap) for name, p in PRESETS.items()} == {
        "grpo": (0.2, 0.2, None), "dr_grpo": (0.2, 0.2, None), "dapo": (0.2, 0.28, None), "gspo": (3e-4, 4e-4, None),
        "r1": (10.0, 10.0, None), "cispo": (None, None, 5.0), "reinforce": (None, None, None),
        "rloo": (None, None, None), "reinforce++": (0.2, 0.2, None), "reinforce++_baseline": (0.2, 0.2, None),
        "maxrl": (None, None, None), "opo": (None, None, None), "gpg": (None, None, None),
        "remax": (None, None, None), "ppo": (0.2, 0.2, None),
        "kimi": (None, None, None), "rest": (None, None, None), "sapo": (None, None, None),
    }
    assert (PRESETS["sapo"].gate_positive, PRESETS["sapo"].gate_negative) == (1.0, 1.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clip_low": None}, "needs clip_low"),
        ({"ratio_cap": 2.0}, "does not read ratio_cap"),
        ({"surrogate": "reinforce"}, "does not read clip_low"),
        ({"surrogate": "cispo", "clip_low": None, "clip_high": None}, "needs ratio_cap"),
        ({"surrogate": "ppo"}, "'ppo'"),
        ({"normalisation": "sequence"}, "does not go with"),
        ({"surrogate": "sequence_mean"}, "does not go with"),
        ({"normalisation": "tokens"}, "tokens"),
        ({"tau": 0.1}, "does not read tau"),
        ({"baseline": "log_mean_exp"}, "does not go with"),
        ({"surrogate": "mirror_token", "clip_low": None, "clip_high": None, "advantage_scale": "none"}, "needs tau"),
        ({"surrogate": "mirror_token", "clip_low": None, "clip_high": None, "tau": 0.1}, "advantage_scale 'none'"),
    ],
)
def test_settings_that_cannot_work_are_refused_when_made(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(DAPO, **change)


def test_wrong_shapes_bounds_and_denominators_are_refused_by_name():
    x = torch.zeros(2, 3)
    good = dict(logp_BT=x, sampling_logp_BT=x, advantage_BT=x, mask_BT=mask(2, 3), weight_BT=x, denominator=1)
    numbers = dict(clip_low=0.2, clip_high=0.2)
    for name, value in {
        "sampling_logp_BT": torch.zeros(2, 2), "advantage_BT": torch.zeros(2), "weight_BT": torch.zeros(2, 1),
        "mask_BT": torch.ones(2, 3), "denominator": 0,
    }.items():
        with pytest.raises(ValueError, match=name):
            clipped_surrogate(**{**good, name: value}, **numbers)
    with pytest.raises(ValueError, match="clip_low"):
        clipped_surrogate(**good, clip_low=-0.1, clip_high=0.2)

"""Reward-model losses: worked numbers, finite differences, TRL's RewardTrainer, and what is refused."""

from __future__ import annotations

import math
from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch

from sanmai.losses import binary_cross_entropy, bradley_terry

torch.set_num_threads(1)


def test_the_loss_of_a_pair_is_the_log_of_its_odds():
    # Gaps log 3 and -log 3: sigmoid = 3/4 and 1/4. L = -(log 3/4 + log 1/4)/2 = (log 4/3 + log 4)/2.
    chosen_B, rejected_B = torch.tensor([math.log(3.0), 0.0]), torch.tensor([0.0, math.log(3.0)])
    loss, metrics = bradley_terry(chosen_B, rejected_B, denominator=2)
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(4)) / 2)
    assert metrics == {"pair_accuracy": 0.5, "score_gap": 0.0}


def test_a_margin_is_what_the_chosen_must_be_ahead_by():
    # Gap log 3, margin log 3: sigmoid(0) = 1/2. The pair is right all the same.
    loss, metrics = bradley_terry(
        torch.tensor([math.log(3.0)]), torch.zeros(1), margin_B=torch.tensor([math.log(3.0)]), denominator=1
    )
    assert loss.item() == pytest.approx(math.log(2)) and metrics["pair_accuracy"] == 1.0


def test_equal_scores_are_not_right():
    assert bradley_terry(torch.ones(3), torch.ones(3), denominator=3)[1]["pair_accuracy"] == 0.0
    assert binary_cross_entropy(torch.zeros(2), torch.tensor([0.0, 1.0]), denominator=2)[1]["label_accuracy"] == 0.0


def test_the_loss_of_a_label_is_its_negative_log_probability():
    # p(safe) = 3/4 for both; labels safe, unsafe: L = -(log 3/4 + log 1/4)/4 with N = 4, two rows being elsewhere.
    score_B = torch.full((2,), math.log(3.0))
    loss, metrics = binary_cross_entropy(score_B, torch.tensor([1.0, 0.0]), denominator=4)
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(4)) / 4)
    assert metrics == {"label_accuracy": 0.25}


def test_gradients_are_those_of_finite_differences():
    generator = torch.Generator().manual_seed(0)
    score_B, other_B = (torch.randn(5, generator=generator, dtype=torch.float64).requires_grad_() for _ in range(2))
    margin_B, label_B = torch.rand(5, dtype=torch.float64), torch.tensor([0.0, 1.0, 1.0, 0.0, 0.3], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda a, b: bradley_terry(a, b, margin_B=margin_B, denominator=7)[0], (score_B, other_B))
    assert torch.autograd.gradcheck(lambda a: binary_cross_entropy(a, label_B, denominator=7)[0], (score_B,))


def test_far_scores_neither_overflow_nor_lose_their_gradient():
    score_B = torch.tensor([-1e4], requires_grad=True)
    loss, _ = bradley_terry(score_B, torch.tensor([1e4]), denominator=1)
    loss.backward()
    assert loss.item() == pytest.approx(2e4) and score_B.grad.item() == -1.0
    assert binary_cross_entropy(torch.tensor([-1e4]), torch.ones(1), denominator=1)[0].item() == pytest.approx(1e4)


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_micro_batches_add_up_to_the_step(cut):
    generator = torch.Generator().manual_seed(1)
    chosen_B, rejected_B, label_B = (torch.rand(7, generator=generator) for _ in range(3))
    whole = [bradley_terry(chosen_B, rejected_B, denominator=7), binary_cross_entropy(chosen_B, label_B, denominator=7)]
    starts = range(0, 7, cut)
    parts = [
        [bradley_terry(chosen_B[i : i + cut], rejected_B[i : i + cut], denominator=7) for i in starts],
        [binary_cross_entropy(chosen_B[i : i + cut], label_B[i : i + cut], denominator=7) for i in starts],
    ]
    for (loss, metrics), found in zip(whole, parts, strict=True):
        assert sum(part.item() for part, _ in found) == pytest.approx(loss.item(), abs=1e-6)
        assert {name: sum(m[name] for _, m in found) for name in metrics} == pytest.approx(metrics, abs=1e-6)


@pytest.mark.parametrize("with_margin", [False, True])
def test_the_pair_loss_is_trls(with_margin):
    pytest.importorskip("trl")
    from trl.trainer.reward_trainer import RewardTrainer

    generator = torch.Generator().manual_seed(2)
    scores_B = (3 * torch.randn(12, generator=generator)).requires_grad_()
    margin_B = torch.rand(6, generator=generator)
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=False), args=SimpleNamespace(center_rewards_coefficient=None),
        accelerator=SimpleNamespace(gather=lambda x: x, gather_for_metrics=lambda x: x), _tp_size=1, _total_train_tokens=0,
        _metrics={"eval": defaultdict(list)},
    )
    inputs = {"margin": margin_B} if with_margin else {}
    logits = lambda **_: SimpleNamespace(logits=scores_B.unsqueeze(1))  # noqa: E731
    expected = RewardTrainer.compute_loss(trainer, logits, inputs)
    loss, _ = bradley_terry(scores_B[:6], scores_B[6:], margin_B=margin_B if with_margin else None, denominator=6)
    torch.testing.assert_close(loss, expected)
    for ours, theirs in zip(torch.autograd.grad(loss, scores_B), torch.autograd.grad(expected, scores_B), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_half_precision_scores_are_read_in_float32():
    loss, _ = bradley_terry(torch.ones(2, dtype=torch.bfloat16), torch.zeros(2, dtype=torch.bfloat16), denominator=2)
    assert loss.dtype == torch.float32


@pytest.mark.parametrize(("call", "says"), [
    (lambda: bradley_terry(torch.zeros(2), torch.zeros(3), denominator=2), "rejected_B has shape"),
    (lambda: bradley_terry(torch.zeros(2, 1), torch.zeros(2, 1), denominator=2), r"expected \(B,\)"),
    (lambda: bradley_terry(torch.zeros(2), torch.zeros(2), denominator=0), "denominator is 0"),
    (lambda: bradley_terry(torch.zeros(1), torch.zeros(1), margin_B=-torch.ones(1), denominator=1), "margin_B"),
    (lambda: bradley_terry(torch.zeros(2), torch.zeros(2), margin_B=torch.ones(1), denominator=2), "margin_B has shape"),
    (lambda: binary_cross_entropy(torch.zeros(1), torch.tensor([2.0]), denominator=1), "from 0 to 1"),
    (lambda: binary_cross_entropy(torch.zeros(1), torch.tensor([math.nan]), denominator=1), "from 0 to 1"),
])  # fmt: skip
def test_what_cannot_be_a_loss_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()

"""Returns, generalised advantages and the loss of a value head: worked by hand, and against plain loops, TRL and differences."""

from __future__ import annotations

import random

import pytest
import torch

from sanmai.losses import clipped_value_loss, gae, returns_to_go, scaled_tokens, token_rewards


def test_each_token_earns_its_part_of_the_kl_and_the_last_one_the_reward():
    # Log-ratios 0.5, -1, 2 at a weight of 0.1: -0.05, 0.1, -0.2 and the reward of 1 on the last.
    assert token_rewards(1.0, [0.5, -1.0, 2.0], 0.1) == pytest.approx([-0.05, 0.1, 0.8])
    # Sums from each token on: 0.85, 0.9, 0.8.
    assert returns_to_go([-0.05, 0.1, 0.8]) == pytest.approx([0.85, 0.9, 0.8])
    assert token_rewards(1.0, [], 0.1) == [] and returns_to_go([]) == []


def test_gae_by_hand():
    # Rewards 0, 0, 1; values 0.2, 0.5, 0.4. d = 0.5 - 0.2 = 0.3, 0.4 - 0.5 = -0.1, 1 - 0.4 = 0.6.
    # lambda 0.5: A3 = 0.6, A2 = -0.1 + 0.5 x 0.6 = 0.2, A1 = 0.3 + 0.5 x 0.2 = 0.4.
    rewards, values = [0.0, 0.0, 1.0], [0.2, 0.5, 0.4]
    assert gae(rewards, values, decay=0.5) == pytest.approx([0.4, 0.2, 0.6])
    assert gae(rewards, values, decay=0.0) == pytest.approx([0.3, -0.1, 0.6])  # d alone
    assert gae(rewards, values, decay=1.0) == pytest.approx([0.8, 0.5, 0.6])  # R - V: the return is 1 everywhere
    # Discount 0.5, lambda 1: returns 0.25, 0.5, 1, less V.
    assert gae(rewards, values, decay=1.0, discount=0.5) == pytest.approx([0.05, 0.0, 0.6])


@pytest.mark.parametrize("decay", [0.0, 0.95, 1.0])
def test_gae_is_the_sum_of_all_later_differences(decay):
    chance = random.Random(0)
    rewards, values = ([chance.uniform(-1, 1) for _ in range(30)] for _ in range(2))
    after = [*values[1:], 0.0]
    differences = [r + b - v for r, b, v in zip(rewards, after, values, strict=True)]
    expected = [sum(decay**k * d for k, d in enumerate(differences[t:])) for t in range(30)]
    assert gae(rewards, values, decay=decay) == pytest.approx(expected)
    if decay == 1.0:
        expected = [r - v for r, v in zip(returns_to_go(rewards), values, strict=True)]
        assert gae(rewards, values, decay=1.0) == pytest.approx(expected)


def test_tokens_are_scaled_over_the_whole_step():
    # 1, 2, 3, 6: mean 3, deviation sqrt((4 + 1 + 0 + 9)/3) = 2.1602.
    rows = [[1.0, 2.0], [], [3.0, 6.0]]
    assert scaled_tokens(rows, "none") == [[-2.0, -1.0], [], [0.0, 3.0]]
    assert scaled_tokens(rows, "none", centred=False) == rows
    found = scaled_tokens(rows, "batch_std")
    assert [x for row in found for x in row] == pytest.approx([-0.9258, -0.4629, 0.0, 1.3887], abs=1e-3)
    assert scaled_tokens([[0.1 + 0.2], [0.1 + 0.2]], "batch_std") == [[0.0], [0.0]]


def test_tokens_are_scaled_by_the_deviation_of_all_that_are_trained():
    values = torch.randn(5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mask = torch.ones(5, 7, dtype=torch.bool)
    mask[2, 3:] = mask[4, 1:] = False
    ours = scaled_tokens([row[keep].tolist() for row, keep in zip(values, mask, strict=True)], "batch_std", epsilon=0.0)
    expected = (values[mask] - values[mask].mean()) / values[mask].std()
    assert [x for row in ours for x in row] == pytest.approx(expected.tolist())


def test_the_value_loss_is_the_larger_of_two_squares():
    # Old 0, target 1. V = 0.1: 0.81, within the bound of 0.2. V = 0.5 counts as 0.2: 0.64 above 0.25. V = -0.5: 2.25 above 1.44.
    value = torch.tensor([[0.1, 0.5, -0.5, 9.0]], requires_grad=True)
    mask = torch.tensor([[True, True, True, False]])
    zeros, ones = torch.zeros(1, 4), torch.ones(1, 4)
    loss, found = clipped_value_loss(value, zeros, ones, mask, clip=0.2, denominator=3.0)
    assert loss.item() == pytest.approx((0.81 + 0.64 + 2.25) / 6) and found == {"num_clipped": 1.0}
    loss.backward()
    # d/dV (V - R)^2 / 6 = (V - R) / 3, and 0 where the bound holds or nothing is trained.
    assert value.grad is not None and value.grad[0].tolist() == pytest.approx([-0.3, 0.0, -0.5, 0.0])
    plain, _ = clipped_value_loss(value, zeros, ones, mask, clip=None, denominator=3.0)
    assert plain.item() == pytest.approx((0.81 + 0.25 + 2.25) / 6)


def test_the_gradient_of_the_value_loss_is_that_of_finite_differences_and_parts_add_up():
    generator = torch.Generator().manual_seed(1)
    value, old, target = (torch.randn(3, 5, generator=generator, dtype=torch.float64) for _ in range(3))
    mask = torch.rand(3, 5, generator=generator) < 0.7
    whole = lambda v: clipped_value_loss(v, old, target, mask, clip=0.3, denominator=9.0)[0]  # noqa: E731
    assert torch.autograd.gradcheck(whole, (value.requires_grad_(),))
    rows = [clipped_value_loss(value[i], old[i], target[i], mask[i], clip=0.3, denominator=9.0)[0] for i in ([0], [1, 2])]
    assert sum(rows).item() == pytest.approx(whole(value).item())  # ty: ignore[unresolved-attribute]


@pytest.mark.parametrize(("call", "says"), [
    (lambda: gae([1.0], [], decay=1.0), "1 rewards and 0 values"),
    (lambda: gae([1.0], [1.0], decay=1.1), "decay = 1.1"),
    (lambda: gae([1.0], [1.0], decay=1.0, discount=-1.0), "discount = -1.0"),
    (lambda: scaled_tokens([[float("nan"), 1.0]], "none"), "not finite"),
    (lambda: scaled_tokens([[1.0]], "std"), "scale is 'std'"),
    (lambda: clipped_value_loss(*[torch.zeros(1, 1)] * 3, torch.ones(1, 1, dtype=torch.bool), clip=0.0, denominator=1.0), "clip"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()

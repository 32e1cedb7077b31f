from __future__ import annotations

import math
import random

import pytest
import torch

from sanmai.learn.credit import words
from sanmai.losses import (
    PRESETS,
    best_of_group,
    decoupled_advantages,
    group_advantages,
    normalise,
    policy_loss,
    step_advantages,
)
from sanmai.train.components import LossConfig


def test_worked_group():
    # Rewards 1, 0, 0, 0: mean 1/4, sum of squares (3/4)^2 + 3/16 = 3/4.
    # Sample deviation sqrt(3/4 / 3) = 1/2: 1.5, -0.5.    Population sqrt(3/16) = 0.4330127: 1.7320508, -0.5773503.
    rewards = [1.0, 0.0, 0.0, 0.0]
    assert group_advantages(rewards, epsilon=0.0) == pytest.approx([1.5, -0.5, -0.5, -0.5])
    population = group_advantages(rewards, deviation="population", epsilon=0.0)
    assert population == pytest.approx([1.7320508, -0.5773503, -0.5773503, -0.5773503])
    # Unscaled: 3/4, -1/4.   Leave one out: 1 - 0 = 1, 0 - 1/3.
    assert group_advantages(rewards, "none") == pytest.approx([0.75, -0.25, -0.25, -0.25])
    assert group_advantages(rewards, "none", "leave_one_out") == pytest.approx([1.0, -1 / 3, -1 / 3, -1 / 3])
    # epsilon stands in the denominator: 0.75 / (0.5 + 0.25).
    assert group_advantages(rewards, epsilon=0.25)[0] == pytest.approx(1.0)


@pytest.mark.parametrize("count", [2, 3, 7, 16])
@pytest.mark.parametrize("reward", [0.0, 0.05, 0.1, 1 / 3, -0.7, 1e-300, 1e300])
@pytest.mark.parametrize("scale", ["std", "none"])
@pytest.mark.parametrize("baseline", ["mean", "leave_one_out"])
def test_equal_rewards_give_exactly_zero(reward, count, scale, baseline):
    assert group_advantages([reward] * count, scale, baseline, epsilon=0.0) == [0.0] * count


def test_a_median_keeps_an_outlier_from_putting_all_others_on_its_other_side():
    # 0.5 0.6 0.7 and an outlier of -9: the mean is -1.8, above which all others are; the median is 0.55, between them.
    rewards = [0.5, 0.6, 0.7, -9.0]
    assert group_advantages(rewards, "none", "median") == pytest.approx([-0.05, 0.05, 0.15, -9.55])
    assert all(a > 0 for a in group_advantages(rewards, "none", "mean")[:3])
    # Of 1 1 1 0 the median is 1: only the failure moves. An ungradable rollout leaves it.
    assert group_advantages([1.0, None, 1.0, 1.0, 0.0], "none", "median") == [0.0, 0.0, 0.0, 0.0, -1.0]
    # s^2 = (3 * 0.25^2 + 0.75^2) / 3 = 0.25
    assert group_advantages([1.0, 1.0, 1.0, 0.0], "std", "median", epsilon=0.0)[3] == pytest.approx(-2.0)
    assert "the group's median" in words(LossConfig(baseline="median").settings())
    with pytest.raises(ValueError, match="does not go with surrogate"):
        LossConfig(preset="kimi", baseline="median")


def test_a_rounded_mean_would_not_have_given_zero():
    # What the test above guards against: even the correctly rounded sum leaves a deviation above 0.
    assert math.fsum([0.05] * 3) / 3 != 0.05
    assert sum([0.1] * 7) / 7 != 0.1


def test_an_ungradable_rollout_leaves_the_baseline_and_gets_zero():
    with_none = group_advantages([1.0, None, 0.0, None, 0.0])
    assert with_none[1] == with_none[3] == 0.0
    assert [with_none[i] for i in (0, 2, 4)] == group_advantages([1.0, 0.0, 0.0])


@pytest.mark.parametrize("rewards", [[], [1.0], [None, None], [None, 1.0, None]])
def test_fewer_than_two_graded_rollouts_carry_no_signal(rewards):
    assert group_advantages(rewards) == [0.0] * len(rewards)


def test_agrees_with_torch_and_does_not_depend_on_the_order():
    rewards = [random.Random(0).choice([0.0, 0.5, 1.0]) + i / 100 for i in range(9)]
    values = torch.tensor(rewards, dtype=torch.float64)
    expected = (values - values.mean()) / (values.std() + 1e-4)
    advantages = group_advantages(rewards)
    assert advantages == pytest.approx(expected.tolist(), rel=1e-12)
    assert group_advantages(rewards[::-1]) == pytest.approx(advantages[::-1], rel=1e-12)
    assert math.fsum(advantages) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_reward_that_is_no_number_is_refused(bad):
    with pytest.raises(ValueError, match="rewards"):
        group_advantages([1.0, bad, None])


@pytest.mark.parametrize("bad", [{"scale": "batch"}, {"baseline": "ema"}, {"deviation": "unbiased"}, {"epsilon": -1.0}])
def test_unknown_choices_are_refused_by_name(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        group_advantages([1.0, 0.0], **bad)


def test_decoupled_components_are_normalised_before_they_are_weighed():
    # a: 1, 0, 0 and b: 0, 0, 1; means 1/3; deviations sqrt(((2/3)^2 + 2 (1/3)^2) / 2) = sqrt(1/3).
    # A_a = (2/3, -1/3, -1/3) / sqrt(1/3), A_b the same backwards; 2 A_a + A_b = (4/3 - 1/3, -2/3 - 1/3, -2/3 + 2/3) sqrt(3)
    found = decoupled_advantages([{"a": 1.0, "b": 0.0}, {"a": 0.0, "b": 0.0}, {"a": 0.0, "b": 1.0}], {"a": 2.0, "b": 1.0})
    assert found == pytest.approx([math.sqrt(3), -math.sqrt(3), 0.0], abs=1e-3)
    # The plain sum is a reward of (1, 0, 1): it cannot tell the first from the third.
    assert group_advantages([1.0, 0.0, 1.0])[0] == group_advantages([1.0, 0.0, 1.0])[2]


def test_decoupled_advantages_leave_out_the_ungradable_and_are_0_where_nothing_differs():
    assert decoupled_advantages([{"a": 1.0}, None, {"a": 1.0}], {"a": 1.0}) == [0.0, 0.0, 0.0]
    found = decoupled_advantages([{"a": 1.0}, None, {"a": 0.0}], {"a": 1.0}, "none")
    assert found == [0.5, 0.0, -0.5]


def test_imitation_takes_the_best_rollout_alone_and_none_where_nothing_was_right():
    assert best_of_group([0.0, 0.5, 1.0, 1.0]) == [0, 0, 1, 0]  # of equals the first
    assert best_of_group([1.0, 1.0]) == [1, 0]  # a solved prompt is imitated, where a baseline would say nothing
    assert best_of_group([None, 0.2, None]) == [0, 1, 0]
    assert best_of_group([0.0, -1.0]) == best_of_group([None, None]) == [0, 0] and best_of_group([]) == []
    with pytest.raises(ValueError, match="finite"):
        best_of_group([1.0, math.nan])


def test_a_policy_gradient_of_the_best_is_the_gradient_of_sft_on_it():
    # Three rollouts of 4, 2 and 3 tokens; the second is the best, so the loss is its negative log-likelihood over 9 tokens.
    mask = torch.tensor([[True] * 4, [True, True, False, False], [True, True, True, False]])
    logp = torch.log_softmax(torch.arange(12.0).reshape(3, 4).sin(), dim=1).requires_grad_()
    advantage = torch.tensor(best_of_group([0.0, 1.0, 0.5]))[:, None] * mask
    settings = PRESETS["rest"]
    weight, denominator = normalise(mask, settings.normalisation)
    loss, _ = policy_loss(settings, logp, logp.detach(), advantage, mask, weight_BT=weight, denominator=denominator)
    (gradient,) = torch.autograd.grad(loss, logp)
    expected = torch.zeros(3, 4)
    expected[1, :2] = -1 / 9
    assert torch.allclose(gradient, expected)


def test_divided_by_the_mean_it_is_the_gradient_of_the_log_of_the_success_rate():
    # Rewards 1, 0, 0, 0: (1 - 1/4) / (1/4) = 3, and -1.
    assert group_advantages([1.0, 0.0, 0.0, 0.0], "mean") == pytest.approx([3.0, -1.0, -1.0, -1.0])
    # d log p / d theta = (dp / d theta) / p: the plain policy gradient over the success rate.
    rewards = [1.0, 1.0, 0.0, 1.0, 0.0]
    plain = group_advantages(rewards, "none")
    assert group_advantages(rewards, "mean") == pytest.approx([a / 0.6 for a in plain])
    with pytest.raises(ValueError, match=r"expected rewards of at least 0, got -0\.5"):
        group_advantages([1.0, -0.5], "mean")


def test_a_baseline_by_length_weighs_each_reward_by_its_tokens_and_has_the_least_variance():
    # (10 * 1 + 30 * 0) / 40 = 1/4
    assert group_advantages([1.0, 0.0], "none", "length", lengths=[10, 30]) == pytest.approx([0.75, -0.25])
    assert group_advantages([1.0, None, 0.0], "none", "length", lengths=[10, 99, 30]) == pytest.approx([0.75, 0.0, -0.25])
    assert group_advantages([0.3, 0.3], "none", "length", lengths=[1, 2]) == [0.0, 0.0]
    with pytest.raises(ValueError, match="needs the length"):
        group_advantages([1.0, 0.0], "none", "length")
    # E |sum over l tokens of (r - b) g|^2 = E l (r - b)^2 for unit gradients that are independent: least at sum(l r) / sum(l).
    lengths, rewards = [3, 8, 1, 20], [1.0, 0.0, 0.5, 0.2]
    variance = lambda b: sum(n * (r - b) ** 2 for n, r in zip(lengths, rewards, strict=True))  # noqa: E731
    level = rewards[0] - group_advantages(rewards, "none", "length", lengths=lengths)[0]
    assert all(variance(level) < variance(level + d) for d in (-0.1, -1e-3, 1e-3, 0.1))


def test_the_whole_steps_mean_and_deviation_compare_rollouts_of_all_groups():
    # Rewards 1, 1 | 1, 0: mean 3/4; less that 1/4, 1/4, 1/4, -3/4; deviation sqrt((3/16 + 9/16) / 3) = 1/2.
    found = step_advantages([[1.0, 1.0], [1.0, 0.0]], "batch_std", "batch", epsilon=0.0)
    assert found == [pytest.approx([0.5, 0.5]), pytest.approx([0.5, -1.5])]
    # With the group's mean: 0, 0 | 1/2, -1/2; deviation sqrt(1/2 / 3) = 0.408248.
    found = step_advantages([[1.0, 1.0], [1.0, 0.0]], "batch_std", epsilon=0.0)
    assert found == [[0.0, 0.0], pytest.approx([1.2247449, -1.2247449])]
    for baseline in ("mean", "batch"):
        assert step_advantages([[0.1] * 3, [0.1, None, 0.1]], "batch_std", baseline) == [[0.0] * 3] * 2
    found = step_advantages([[1.0, None], [0.0, 0.5]], "batch_std", "batch", epsilon=0.0)
    assert found == [pytest.approx([1.0, 0.0]), pytest.approx([-1.0, 0.0])]
    with pytest.raises(ValueError, match="baseline 'batch' goes with"):
        step_advantages([[1.0, 0.0]], "std", "batch")


def test_groups_without_signal_make_the_others_weigh_more():
    # One of three groups tells something: 3 / 1.
    assert step_advantages([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]], "signal") == [pytest.approx([1.5, -1.5]), [0.0] * 2, [0.0] * 2]
    assert step_advantages([[1.0, 1.0]], "signal") == [[0.0, 0.0]]


@pytest.mark.parametrize("scale", ["std", "none", "mean"])
def test_scales_of_a_group_are_the_same_asked_of_a_step(scale):
    groups = [[1.0, 0.0, 0.5], [0.0, None, 1.0]]
    assert step_advantages(groups, scale) == [group_advantages(rewards, scale) for rewards in groups]


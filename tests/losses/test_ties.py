"""Bradley-Terry with ties: worked numbers, and a gradient that ties have."""

from __future__ import annotations

import math

import pytest
import torch

from sanmai.losses import bradley_terry_ties, fitted_threshold, tie_accuracy
from sanmai.losses.ties import log_chances


def test_the_three_chances_sum_to_1_and_equal_scores_tie_in_two_thirds_at_width_5():
    gap_B = torch.linspace(-6, 6, 25, dtype=torch.float64)
    for width in (1.5, 5.0):
        total_B = sum(x.exp() for x in log_chances(gap_B, width))
        assert torch.allclose(total_B, torch.ones_like(gap_B))
    # P(first) = 1 / (1 + 5), P(tie) = 24 / 36
    first, second, tie = (x.exp().item() for x in log_chances(torch.tensor([0.0]), 5.0))
    assert (first, second, tie) == pytest.approx((1 / 6, 1 / 6, 2 / 3))


def test_the_loss_is_the_likelihood_of_what_was_said():
    # a = e^1, b = e^0, k = 2: first a / (a + 2 b), second b / (2 a + b), tie 3 a b / ((a + 2 b)(2 a + b))
    a, b = math.e, 1.0
    wanted = [a / (a + 2 * b), b / (2 * a + b), 3 * a * b / ((a + 2 * b) * (2 * a + b))]
    for label, chance in zip((1, -1, 0), wanted, strict=True):
        loss, found = bradley_terry_ties(
            torch.tensor([1.0]), torch.tensor([0.0]), torch.tensor([label]), tie_width=2.0, denominator=1.0
        )
        assert loss.item() == pytest.approx(-math.log(chance), rel=1e-6)
        assert found == {"pair_accuracy": float(label == 1), "num_decided": float(label != 0)}


def test_a_tie_pulls_scores_together_and_says_nothing_of_equal_ones():
    apart, together = torch.tensor([1.0], requires_grad=True), torch.tensor([0.0], requires_grad=True)
    for score in (apart, together):
        bradley_terry_ties(score, torch.zeros(1), torch.tensor([0]), denominator=1.0)[0].backward()
    assert apart.grad is not None and apart.grad.item() > 0.1
    assert together.grad is not None and together.grad.item() == 0.0


def test_the_width_of_a_tie_is_fitted_where_it_is_right_most_often():
    gap_B, label_B = torch.tensor([0.1, -0.2, 0.9, -1.0, 0.3]), torch.tensor([0, 0, 1, -1, 1])
    assert fitted_threshold(gap_B, label_B) == pytest.approx(0.2) and tie_accuracy(gap_B, label_B, 0.2) == 1.0
    assert tie_accuracy(gap_B, label_B, 0.0) == pytest.approx(0.6) and tie_accuracy(gap_B, label_B, 2.0) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("changed", "says"),
    [({"tie_width": 1.0}, "above 1"), ({"denominator": 0.0}, "above 0"), ({"label_B": torch.tensor([2])}, "1, 0 or -1"),
     ({"second_B": torch.zeros(2)}, "second_B has shape")],
)  # fmt: skip
def test_what_cannot_be_is_refused(changed, says):
    given = {"first_B": torch.zeros(1), "second_B": torch.zeros(1), "label_B": torch.zeros(1), "denominator": 1.0}
    with pytest.raises(ValueError, match=says):
        bradley_terry_ties(**{**given, **changed})

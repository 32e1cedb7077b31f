from __future__ import annotations

import math

import pytest
import torch

from sanmai.losses import entropy_bonus, kl_to_reference, weighted_nll

torch.set_num_threads(1)


def ones(*shape: int) -> torch.Tensor:
    return torch.ones(shape, dtype=torch.float64)


def mask(*shape: int) -> torch.Tensor:
    return torch.ones(shape, dtype=torch.bool)


@pytest.mark.parametrize(
    ("estimator", "expected"),
    # Policy 0.5, reference 0.25: d = ln(0.25/0.5) = -ln 2.
    # k1 = ln 2 = 0.6931472    k2 = (ln 2)^2 / 2 = 0.2402265    k3 = 1/2 + ln 2 - 1 = 0.1931472
    [("k1", 0.6931472), ("k2", 0.2402265), ("k3", 0.1931472)],
)
def test_worked_estimators(estimator, expected):
    loss, metrics = kl_to_reference(
        torch.log(0.5 * ones(1, 1)), torch.log(0.25 * ones(1, 1)), mask(1, 1),
        weight_BT=ones(1, 1), denominator=1, estimator=estimator,
    )
    assert loss.item() == pytest.approx(expected)
    assert metrics == {f"kl_to_reference_{estimator}": pytest.approx(expected)}


@pytest.mark.parametrize("logp", [0.0, -0.1, -3.7, -40.0])
def test_k3_at_the_reference_has_value_and_gradient_exactly_zero(logp):
    logp_BT = torch.full((2, 3), logp, requires_grad=True)
    loss, _ = kl_to_reference(logp_BT, logp_BT.detach().clone(), mask(2, 3), weight_BT=torch.ones(2, 3), denominator=6)
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(logp_BT.grad, torch.zeros(2, 3))


def test_expectation_under_the_policy_is_the_kl_and_gradients_are_those_of_the_docstring():
    # Three tokens; the exact expectation is the sum over tokens weighted by the policy's own (detached) probabilities.
    logits = torch.tensor([0.3, -1.0, 0.5], dtype=torch.float64, requires_grad=True)
    reference = torch.log_softmax(torch.tensor([-0.2, 0.4, 0.1], dtype=torch.float64), 0)
    logp = torch.log_softmax(logits, 0)
    forward, backward = (logp.exp() * (logp - reference)).sum(), (reference.exp() * (reference - logp)).sum()
    gradient = lambda x: torch.autograd.grad(x, logits, retain_graph=True)[0]  # noqa: E731
    expected_gradient = {"k1": torch.zeros(3, dtype=torch.float64), "k2": gradient(forward), "k3": gradient(backward)}
    for estimator, expected in expected_gradient.items():
        loss, _ = kl_to_reference(
            logp[None], reference[None], mask(1, 3),
            weight_BT=logp.detach().exp()[None], denominator=1, estimator=estimator,
        )
        torch.testing.assert_close(gradient(loss), expected, msg=estimator)
        if estimator != "k2":
            torch.testing.assert_close(loss, forward, msg=estimator)


def test_no_gradient_reaches_the_reference():
    reference_BT = torch.zeros(1, 2, requires_grad=True)
    loss, _ = kl_to_reference(
        torch.ones(1, 2, requires_grad=True), reference_BT, mask(1, 2), weight_BT=torch.ones(1, 2), denominator=2
    )
    loss.backward()
    assert reference_BT.grad is None


def test_unknown_estimator_is_refused():
    with pytest.raises(ValueError, match="estimator"):
        kl_to_reference(
            ones(1, 1), ones(1, 1), mask(1, 1), weight_BT=ones(1, 1), denominator=1, estimator="k4",  # type: ignore
        )


def test_entropy_bonus_lowers_the_loss_by_the_mean_entropy():
    # Entropies 1 and 3 counted, 100 outside the mask: mean 2.
    loss, metrics = entropy_bonus(
        torch.tensor([[1.0, 3.0, 100.0]]), torch.tensor([[True, True, False]]),
        weight_BT=torch.ones(1, 3), denominator=2,
    )
    assert (loss.item(), metrics) == (-2.0, {"entropy": 2.0})


def test_weighted_nll_worked():
    # -(1 ln 0.5 + 2 ln 0.25) / 3 = (ln 2 + 4 ln 2)/3
    loss, metrics = weighted_nll(
        torch.tensor([[0.5, 0.25, 0.9]]).log(), torch.tensor([[True, True, False]]),
        weight_BT=torch.tensor([[1.0, 2.0, 7.0]]), denominator=3,
    )
    assert loss.item() == pytest.approx(5 * math.log(2) / 3)
    assert metrics == {"nll": pytest.approx(5 * math.log(2) / 3)}

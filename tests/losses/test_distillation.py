"""Shape key: N tokens, D and E widths of student and teacher, V vocabulary, B rollouts, T tokens."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from sanmai.losses import distillation_advantages, distillation_loss, reinforce, token_divergence

torch.set_num_threads(1)
N, D, E, V = 23, 4, 6, 11
BETAS = [0.0, 0.1, 0.5, 1.0]


def log(*p: float) -> Tensor:
    return torch.tensor([p], dtype=torch.float64).log()


def same(hidden: Tensor) -> Tensor:
    return hidden


def example(dtype: torch.dtype = torch.float32) -> tuple[Tensor, nn.Linear, Tensor, nn.Linear]:
    torch.manual_seed(0)
    hidden = torch.randn(N, D, dtype=dtype, requires_grad=True)
    return hidden, nn.Linear(D, V, dtype=dtype), torch.randn(N, E, dtype=dtype), nn.Linear(E, V, dtype=dtype)


@pytest.mark.parametrize(
    ("beta", "expected"),
    [
        # p = (1/2, 1/4, 1/4), q = (1/4, 1/4, 1/2).
        # KL(p||q) = 1/2 ln 2 + 0 - 1/4 ln 2 = (ln 2)/4, and KL(q||p) the same by symmetry.
        (1.0, math.log(2) / 4),
        (0.0, math.log(2) / 4),
        # m = (p + q)/2 = (3/8, 1/4, 3/8). KL(p||m) = 1/2 ln 4/3 + 1/4 ln 2/3, KL(q||m) the same: d is that.
        (0.5, math.log(4 / 3) / 2 + math.log(2 / 3) / 4),
        # beta = 1/4: m = 3/4 p + 1/4 q = (7/16, 1/4, 5/16).
        # KL(q||m) = 1/4 ln 4/7 + 1/2 ln 8/5      KL(p||m) = 1/2 ln 8/7 + 1/4 ln 4/5
        (0.25, (math.log(4 / 7) / 4 + math.log(8 / 5) / 2) / 4 + 3 * (math.log(8 / 7) / 2 + math.log(4 / 5) / 4) / 4),
    ],
)
def test_divergences_of_two_distributions_over_three_words_known_by_hand(beta, expected):
    divergence, reverse_kl = token_divergence(log(0.5, 0.25, 0.25), same, log(0.25, 0.25, 0.5), same, beta=beta)
    assert divergence.item() == pytest.approx(expected, rel=1e-9)
    assert reverse_kl.item() == pytest.approx(math.log(2) / 4, rel=1e-9)


def test_reverse_is_kl_of_the_student_to_the_teacher_and_forward_the_other():
    # p = (1/2, 1/4, 1/4), q = (1/8, 1/8, 3/4):
    # KL(p||q) = 1/2 ln 4 + 1/4 ln 2 + 1/4 ln 1/3 = 5/4 ln 2 - (ln 3)/4 = 0.591781
    # KL(q||p) = 1/8 ln 1/4 + 1/8 ln 1/2 + 3/4 ln 3 = 3/4 ln 3 - 3/8 ln 2 = 0.564029
    p, q = log(0.5, 0.25, 0.25), log(0.125, 0.125, 0.75)
    assert token_divergence(p, same, q, same, beta=1.0)[0].item() == pytest.approx(1.25 * math.log(2) - math.log(3) / 4)
    assert token_divergence(p, same, q, same, beta=0.0)[0].item() == pytest.approx(0.75 * math.log(3) - 0.375 * math.log(2))


@pytest.mark.parametrize("beta", BETAS)
def test_value_and_gradient_are_those_of_trl(beta, monkeypatch):
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    pytest.importorskip("trl")
    from trl.experimental.gkd import GKDTrainer

    hidden, head, teacher_hidden, teacher_head = example(torch.float64)
    weight, mask = torch.rand(1, N, dtype=torch.float64), torch.rand(1, N) < 0.8
    inputs = (hidden, head.weight, head.bias)
    divergence, _ = token_divergence(hidden, head, teacher_hidden, teacher_head, beta=beta, chunk_tokens=5)
    loss, metrics = distillation_loss(divergence[None], mask, weight_BT=mask.double(), denominator=17.0)
    labels = torch.where(mask, 0, -100)
    logits, teacher_logits = head(hidden)[None], teacher_head(teacher_hidden)[None]
    expected = GKDTrainer.generalized_jsd_loss(
        logits, teacher_logits, labels=labels, beta=beta, num_items_in_batch=torch.tensor(17.0))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-9) and metrics == {"divergence": loss.item()}
    found = torch.autograd.grad(loss, inputs, retain_graph=True)
    torch.testing.assert_close(found, torch.autograd.grad(expected, inputs))

    # Weights are ours alone: TRL's row by row, summed with them.
    one = lambda t: GKDTrainer.generalized_jsd_loss(logits[:, t], teacher_logits[:, t], beta=beta, reduction="sum")  # noqa: E731
    expected = sum(weight[0, t] * one(t) for t in range(N) if mask[0, t]) / 17
    loss, _ = distillation_loss(divergence[None], mask, weight_BT=weight, denominator=17.0)
    assert loss.item() == pytest.approx(expected.item())


@pytest.mark.parametrize("beta", BETAS)
def test_the_gradient_is_that_of_finite_differences(beta):
    hidden, head, teacher_hidden, teacher_head = example(torch.float64)
    value = lambda x: token_divergence(x, head, teacher_hidden, teacher_head, beta=beta, chunk_tokens=7)[0].sum()  # noqa: E731
    assert torch.autograd.gradcheck(value, hidden)


@pytest.mark.parametrize("chunk_tokens", [1, 5, N, 100])
def test_the_cut_into_chunks_changes_neither_values_nor_gradients(chunk_tokens):
    hidden, head, teacher_hidden, teacher_head = example()
    inputs, weights = (hidden, head.weight, head.bias), torch.randn(N)
    logp, teacher_logp = (torch.log_softmax(x, -1) for x in (head(hidden), teacher_head(teacher_hidden).detach()))
    plain = (logp.exp() * (logp - teacher_logp)).sum(-1)
    found, reverse_kl = token_divergence(hidden, head, teacher_hidden, teacher_head, chunk_tokens=chunk_tokens)
    torch.testing.assert_close(found, plain)
    assert torch.equal(reverse_kl, found) and not reverse_kl.requires_grad
    torch.testing.assert_close(
        torch.autograd.grad((weights * found).sum(), inputs), torch.autograd.grad((weights * plain).sum(), inputs))


def test_the_teacher_gets_no_gradient():
    hidden, head, teacher_hidden, teacher_head = example()
    teacher_hidden.requires_grad_()
    for beta in BETAS:
        token_divergence(hidden, head, teacher_hidden, teacher_head, beta=beta, chunk_tokens=5)[0].sum().backward()
    assert head.weight.grad is not None and teacher_head.weight.grad is None and teacher_hidden.grad is None


@pytest.mark.parametrize("beta", BETAS)
def test_a_student_that_is_its_teacher_has_no_divergence_and_no_gradient(beta):
    hidden, head, _, _ = example(torch.float64)
    found, reverse_kl = token_divergence(hidden, head, hidden.detach(), head, beta=beta)
    assert found.abs().max() < 1e-12 and reverse_kl.abs().max() < 1e-12
    assert torch.autograd.grad(found.sum(), hidden)[0].abs().max() < 1e-12


def test_divergences_are_never_negative_and_at_half_the_same_both_ways():
    hidden, head, teacher_hidden, teacher_head = example(torch.float64)
    for beta in BETAS:
        assert token_divergence(hidden, head, teacher_hidden, teacher_head, beta=beta)[0].min() > 0
    there = token_divergence(hidden, head, teacher_hidden, teacher_head, beta=0.5)[0]
    torch.testing.assert_close(token_divergence(teacher_hidden, teacher_head, hidden, head, beta=0.5)[0], there)


class LargestTensor(TorchDispatchMode):
    """Records the largest number of elements that any operation returns, backward ones included."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for x in result if isinstance(result, tuple | list) else [result]:
            if isinstance(x, Tensor):
                self.largest = max(self.largest, x.numel())
        return result


@pytest.mark.parametrize("beta", BETAS)
def test_no_tensor_of_all_tokens_by_vocabulary_exists_forward_or_backward(beta):
    hidden, head = torch.randn(64, 2, requires_grad=True), nn.Linear(2, 50)
    teacher_hidden, teacher_head = torch.randn(64, 3), nn.Linear(3, 50)
    with LargestTensor() as seen:
        divergence, _ = token_divergence(hidden, head, teacher_hidden, teacher_head, beta=beta, chunk_tokens=8)
        divergence.sum().backward()
    assert seen.largest == 8 * 50
    assert hidden.grad is not None and head.weight.grad is not None


def test_micro_batches_add_up_to_the_step():
    hidden, head, teacher_hidden, teacher_head = example(torch.float64)
    divergence, _ = token_divergence(hidden, head, teacher_hidden, teacher_head)
    mask, weight = torch.rand(1, N) < 0.7, torch.rand(1, N)
    divergence = torch.where(mask, divergence, math.nan)  # never read outside the mask
    whole, _ = distillation_loss(divergence, mask, weight_BT=weight, denominator=9.0)
    parts = [
        distillation_loss(d, m, weight_BT=w, denominator=9.0)[0]
        for d, m, w in zip(divergence.split(8, 1), mask.split(8, 1), weight.split(8, 1), strict=True)]
    torch.testing.assert_close(torch.stack(parts).sum(), whole)
    (gradient,) = torch.autograd.grad(whole, hidden)
    assert gradient.isfinite().all() and torch.equal((gradient != 0).any(dim=1), mask[0])


def test_advantages_are_the_teachers_log_prob_less_the_students():
    # Teacher 1/2 and 1/8, student 1/4 and 1/2: ln 2 and -ln 4. The third token is not the student's.
    teacher, student = torch.tensor([[0.5, 0.125, math.nan]]).log(), torch.tensor([[0.25, 0.5, math.nan]]).log()
    found = distillation_advantages(teacher.requires_grad_(), student, torch.tensor([[True, True, False]]))
    assert found.tolist()[0] == pytest.approx([math.log(2), -math.log(4), 0.0]) and not found.requires_grad


def test_the_sampled_form_has_on_average_the_gradient_of_the_exact_reverse_kl():
    # One token of five words. The mean over all continuations, each with its probability, takes the place of sampling.
    torch.manual_seed(1)
    logits, teacher_logits = torch.randn(1, 5, dtype=torch.float64, requires_grad=True), torch.randn(1, 5, dtype=torch.float64)
    exact, _ = token_divergence(logits, same, teacher_logits, same)
    (expected,) = torch.autograd.grad(exact.sum(), logits)

    logp_BT = torch.log_softmax(logits, -1).T  # five rollouts of one token
    mask_BT, probability_BT = torch.ones(5, 1, dtype=torch.bool), logp_BT.detach().exp()
    advantage_BT = distillation_advantages(torch.log_softmax(teacher_logits, -1).T, logp_BT, mask_BT)
    assert -(probability_BT * advantage_BT).sum().item() == pytest.approx(exact.item())
    loss, _ = reinforce(logp_BT, logp_BT, advantage_BT, mask_BT, weight_BT=probability_BT, denominator=1.0)
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], expected)


def test_impossible_arguments_are_refused_by_name():
    hidden, head, teacher_hidden, teacher_head = example()
    for beta in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="beta"):
            token_divergence(hidden, head, teacher_hidden, teacher_head, beta=beta)
    with pytest.raises(ValueError, match="chunk_tokens"):
        token_divergence(hidden, head, teacher_hidden, teacher_head, chunk_tokens=0)
    with pytest.raises(ValueError, match="teacher_hidden_NE"):
        token_divergence(hidden, head, teacher_hidden[1:], teacher_head)
    with pytest.raises(ValueError, match="11 and 12 words"):
        token_divergence(hidden, head, teacher_hidden, nn.Linear(E, 12))
    with pytest.raises(ValueError, match="denominator"):
        distillation_loss(torch.zeros(1, 2), torch.ones(1, 2, dtype=torch.bool), weight_BT=torch.ones(1, 2), denominator=0)
    with pytest.raises(ValueError, match="teacher_logp_BT"):
        distillation_advantages(torch.zeros(1, 3), torch.zeros(1, 2), torch.ones(1, 2, dtype=torch.bool))


def test_no_tokens_diverge_by_nothing_and_half_precision_is_reduced_in_float32():
    hidden, head, teacher_hidden, teacher_head = example()
    found = token_divergence(hidden[:0], head, teacher_hidden[:0], teacher_head)
    assert found[0].shape == found[1].shape == (0,)
    head, teacher_head = head.bfloat16(), teacher_head.bfloat16()
    found = token_divergence(hidden.bfloat16(), head, teacher_hidden.bfloat16(), teacher_head, beta=0.5)
    assert found[0].dtype == found[1].dtype == torch.float32

"""Shape key: N tokens, D width, V vocabulary, B rollouts, T tokens."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from sanmai.losses import Normalisation, clipped_surrogate, normalise, sequence_clipped_surrogate
from sanmai.losses.tokens import token_logp_and_entropy

torch.set_num_threads(1)
N, D, V = 23, 4, 11


def example(seed: int = 0) -> tuple[Tensor, nn.Linear, Tensor]:
    torch.manual_seed(seed)
    return torch.randn(N, D, requires_grad=True), nn.Linear(D, V), torch.randint(V, (N,))


def test_logp_and_entropy_of_a_distribution_known_by_hand():
    # Logits (ln 1, ln 3) / temperature 1: p = 1/4, 3/4. H = (ln 4)/4 + 3 (ln 4/3)/4 = 0.5623.
    # Temperature 1/2 squares the odds: p = 1/10, 9/10.
    logits = torch.tensor([[0.0, math.log(3)]])
    logp, entropy = token_logp_and_entropy(logits, lambda hidden: hidden, torch.tensor([1]))
    assert logp.item() == pytest.approx(math.log(0.75))
    assert entropy.item() == pytest.approx(0.5623351)
    logp, entropy = token_logp_and_entropy(logits, lambda h: h, torch.tensor([0]), temperature=0.5, entropy_gradient=False)
    assert logp.item() == pytest.approx(math.log(0.1))
    assert entropy.item() == pytest.approx(0.3250830)  # (ln 10)/10 + 9 (ln 10/9)/10


@pytest.mark.parametrize("chunk_tokens", [1, 5, N, 100])
def test_values_and_gradients_equal_those_of_the_plain_computation(chunk_tokens):
    hidden, head, targets = example()
    weights = torch.randn(2, N)

    logp_NV = torch.log_softmax(head(hidden) / 0.7, dim=-1)
    plain = (logp_NV[torch.arange(N), targets], -(logp_NV.exp() * logp_NV).sum(-1))
    inputs = (hidden, head.weight, head.bias)
    expected = torch.autograd.grad((weights * torch.stack(plain)).sum(), inputs)

    logp, entropy = token_logp_and_entropy(hidden, head, targets, temperature=0.7, chunk_tokens=chunk_tokens)
    torch.testing.assert_close((logp, entropy), plain)
    gradients = torch.autograd.grad((weights * torch.stack([logp, entropy])).sum(), inputs)
    torch.testing.assert_close(gradients, expected)


@pytest.mark.parametrize("chunk_tokens", [1, 5, N, 100])
def test_an_entropy_that_is_only_looked_at_leaves_the_log_probs_gradient_as_it_is(chunk_tokens):
    hidden, head, targets = example()
    weights, inputs = torch.randn(N), (hidden, head.weight, head.bias)
    expected = token_logp_and_entropy(hidden, head, targets, temperature=0.7)
    found = token_logp_and_entropy(
        hidden, head, targets, temperature=0.7, chunk_tokens=chunk_tokens, entropy_gradient=False)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad((weights * found[0]).sum(), inputs), torch.autograd.grad((weights * expected[0]).sum(), inputs))
    assert not found[1].requires_grad


@pytest.mark.parametrize("offset", [0.0, 300.0, -3000.0])
def test_what_all_logits_have_in_common_costs_no_precision(offset):
    logits = 3 * torch.randn(4, 500, generator=torch.Generator().manual_seed(0))
    logits = (logits + offset).requires_grad_()
    targets, exact = torch.tensor([0, 7, 99, 499]), torch.log_softmax(logits.detach().double(), dim=-1)
    logp, entropy = token_logp_and_entropy(logits, lambda h: h, targets, entropy_gradient=False)
    assert (logp - exact[torch.arange(4), targets]).abs().max() < 3e-6
    assert (entropy + (exact.exp() * exact).sum(dim=-1)).abs().max() < 1e-5
    (gradient,) = torch.autograd.grad(logp.sum(), logits)
    assert gradient.sum(dim=-1).abs().max() < 2e-6


class LargestTensor(TorchDispatchMode):
    """Records the largest number of elements that any operation returns, backward ones included."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for x in result if isinstance(result, tuple | list) else [result]:
            if isinstance(x, Tensor):
                self.largest = max(self.largest, x.numel())
        return result


def test_no_tensor_of_all_tokens_by_vocabulary_exists_forward_or_backward():
    hidden, head, targets = torch.randn(64, 2, requires_grad=True), nn.Linear(2, 50), torch.randint(50, (64,))
    rows = []

    def recording_head(hidden_CD: Tensor) -> Tensor:
        rows.append(len(hidden_CD))
        return head(hidden_CD)

    with LargestTensor() as seen:
        logp, entropy = token_logp_and_entropy(hidden, recording_head, targets, chunk_tokens=8)
        (logp.sum() + entropy.sum()).backward()
    assert rows == [8] * 16  # 8 chunks forward, and the same again backward
    assert seen.largest == 8 * 50
    assert hidden.grad is not None and head.weight.grad is not None


def test_a_chunk_is_computed_once_where_no_gradient_is_asked_for():
    hidden, head, targets = example()
    calls = []
    with torch.no_grad():
        logp, _ = token_logp_and_entropy(hidden, lambda h: calls.append(1) or head(h), targets, chunk_tokens=12)
    assert len(calls) == 2
    assert not logp.requires_grad


def test_head_trains_though_the_hidden_states_carry_no_gradient():
    hidden, head, targets = example()
    token_logp_and_entropy(hidden.detach(), head, targets, chunk_tokens=5)[0].sum().backward()
    assert head.weight.grad is not None and head.weight.grad.abs().sum() > 0


def test_half_precision_logits_are_reduced_in_float32():
    hidden, head, targets = example()
    logp, entropy = token_logp_and_entropy(hidden.bfloat16(), head.bfloat16(), targets)
    assert logp.dtype == entropy.dtype == torch.float32


def test_no_tokens_give_no_log_probs():
    _, head, _ = example()
    logp, entropy = token_logp_and_entropy(torch.zeros(0, D), head, torch.zeros(0, dtype=torch.long))
    assert logp.shape == entropy.shape == (0,)


@pytest.mark.parametrize("bad", [{"temperature": 0.0}, {"temperature": math.nan}, {"chunk_tokens": 0}])
def test_impossible_arguments_are_refused_by_name(bad):
    hidden, head, targets = example()
    with pytest.raises(ValueError, match=next(iter(bad))):
        token_logp_and_entropy(hidden, head, targets, **bad)
    with pytest.raises(ValueError, match="targets_N"):
        token_logp_and_entropy(hidden, head, targets[1:])


MASK_BT = torch.tensor([[True, False, False, False], [True, True, True, False]])


def test_the_four_normalisations_give_different_gradients():
    # Two rollouts of 1 and 3 tokens, advantages 1 and -1, budget 5, no update yet except that every token of the second
    # rollout has become e^0.1 times as likely. Clip range wide. Gradient of L with respect to each logp_bt, tokens
    # r A times the weight below, negated:
    #   token     1/4                      -> -0.25,   +e^.1/4  = +0.2762927
    #   rollout   1/(2*1), 1/(2*3)         -> -0.5,    +e^.1/6  = +0.1841952
    #   constant  1/(2*5)                  -> -0.1,    +e^.1/10 = +0.1105171
    #   sequence  1/2, ratio e^.3 of the whole rollout -> -0.5, +e^.3/2 = +0.6749294
    expected = {
        "token": (-0.25, 0.2762927), "rollout": (-0.5, 0.1841952),
        "constant": (-0.1, 0.1105171), "sequence": (-0.5, 0.6749294),
    }
    advantage_BT = torch.tensor([[1.0], [-1.0]]).expand(2, 4)
    for name, (first, second) in expected.items():
        logp_BT = torch.tensor([[0.0] * 4, [0.1] * 4], requires_grad=True)
        weight_BT, denominator = normalise(MASK_BT, Normalisation(name), max_tokens=5 if name == "constant" else None)
        arguments = (logp_BT, torch.zeros(2, 4), advantage_BT, MASK_BT)
        numbers = dict(clip_low=9.0, clip_high=9.0, weight_BT=weight_BT, denominator=denominator)
        if name == "sequence":
            loss, _ = sequence_clipped_surrogate(*arguments, ratio="sum", **numbers)
        else:
            loss, _ = clipped_surrogate(*arguments, **numbers)
        loss.backward()
        torch.testing.assert_close(
            logp_BT.grad, torch.tensor([[first, 0, 0, 0], [second, second, second, 0]]), msg=name
        )


@pytest.mark.parametrize("normalisation", list(Normalisation))
def test_denominators_of_micro_batches_add_up_and_weights_do_not_know_their_neighbours(normalisation):
    mask_BT = torch.rand(7, 5, generator=torch.Generator().manual_seed(0)) < 0.5
    max_tokens = 5 if normalisation is Normalisation.CONSTANT else None
    weight_BT, whole = normalise(mask_BT, normalisation, max_tokens=max_tokens)
    parts = [normalise(rows, normalisation, max_tokens=max_tokens) for rows in mask_BT.split([1, 4, 2])]
    assert sum(denominator for _, denominator in parts) == whole
    torch.testing.assert_close(torch.cat([weight for weight, _ in parts]), weight_BT)


def test_a_row_without_trained_tokens_is_no_rollout():
    weight_BT, denominator = normalise(torch.cat([MASK_BT, torch.zeros(3, 4, dtype=torch.bool)]), Normalisation.ROLLOUT)
    assert denominator == 2
    assert weight_BT[2:].abs().sum() == 0
    assert normalise(torch.zeros(2, 2, dtype=torch.bool), Normalisation.TOKEN)[1] == 0


def test_a_token_budget_is_asked_for_exactly_where_it_is_read():
    with pytest.raises(ValueError, match="max_tokens"):
        normalise(MASK_BT, Normalisation.CONSTANT)
    with pytest.raises(ValueError, match="max_tokens"):
        normalise(MASK_BT, Normalisation.TOKEN, max_tokens=4)
    with pytest.raises(ValueError, match="mask_BT"):
        normalise(MASK_BT.float(), Normalisation.TOKEN)

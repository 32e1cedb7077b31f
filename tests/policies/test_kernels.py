"""The elementwise kernels of the fast path against PyTorch's own operations and finite differences."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from sanmai.policies.text.cpu.kernels import attention, causal_mask, geglu, rms_norm, rotate, swiglu


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape))).requires_grad_()


def rotated_by_definition(x: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """The pairs (x_i, x_{i + H/2}) as complex numbers, times exp(i angle)."""
    first, second = x.chunk(2, dim=-1)
    turned = torch.complex(first, second) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat([turned.real, turned.imag], dim=-1)


def test_rms_norm_of_a_vector_known_by_hand():
    # mean(9, 16) = 12.5; 3 / sqrt(12.5) = 0.84853, 4 / sqrt(12.5) = 1.13137; weights 1 and 2
    found = rms_norm(torch.tensor([[3.0, 4.0]]), torch.tensor([1.0, 2.0]), 0.0, torch.float32)
    assert found.tolist()[0] == pytest.approx([0.848528, 2.262742])


def test_values_are_those_of_pytorch():
    x, weight, angle = numbers(3, 4, 6), numbers(6), numbers(3, 1, 3).detach()
    assert torch.allclose(rms_norm(x, weight, 1e-6, torch.float64), F.rms_norm(x, (6,), weight, 1e-6))
    assert torch.allclose(swiglu(x.view(12, 6)), F.silu(x.view(12, 6)[:, :3]) * x.view(12, 6)[:, 3:])
    assert torch.allclose(rotate(x, angle.cos(), angle.sin()), rotated_by_definition(x, angle))


def test_gradients_are_those_of_finite_differences():
    x, weight, angle = numbers(3, 4, 6), numbers(6), numbers(3, 1, 3).detach()
    assert torch.autograd.gradcheck(lambda x, w: rms_norm(x, w, 1e-6, torch.float64), (x, weight))
    assert torch.autograd.gradcheck(swiglu, (numbers(6, 4).t(),))
    assert torch.autograd.gradcheck(lambda x: rotate(x, angle.cos(), angle.sin()), (x,))


def test_the_norm_computes_in_the_dtype_of_its_input():
    x = (1000 + torch.randn(2, 64, generator=torch.Generator().manual_seed(0))).requires_grad_()
    weight = torch.ones(64, requires_grad=True)
    found = rms_norm(x, weight, 1e-6, torch.bfloat16)
    assert found.dtype is torch.bfloat16
    assert torch.equal(found, F.rms_norm(x, (64,), weight, 1e-6).to(torch.bfloat16))
    found.float().sum().backward()
    assert x.grad is not None and x.grad.dtype is torch.float32 and weight.grad is not None


def test_a_soft_cap_bounds_the_scores_and_a_window_what_is_seen():
    # Two tokens, the second one's scores 0 and 100. Capped at 1: tanh 0 = 0, tanh 100 = 1, e / (1 + e) = 0.731059.
    # With a window of 1 it sees itself alone.
    q, k, v = torch.tensor([[0.0], [100.0]]), torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [3.0]])
    found = lambda window, cap: attention(  # noqa: E731
        *(x[None, None] for x in (q, k, v)), scale=1.0, mask=causal_mask(2, window, q), cap=cap
    ).flatten().tolist()  # fmt: skip
    assert found(None, 1.0) == pytest.approx([2.0, 2.731059]) and found(None, None) == pytest.approx([2.0, 3.0])
    assert found(1, 1.0) == pytest.approx([2.0, 3.0])


def test_fewer_angles_turn_the_beginning_of_a_head():
    # A quarter turn of (1, 2) is (-2, 1); the rest stays.
    x, cos, sin = torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([[0.0]]), torch.tensor([[1.0]])
    assert rotate(x, cos, sin).tolist() == [[-2.0, 1.0, 3.0, 4.0]]


def test_geglu_is_gelu_of_the_gate_times_the_other_half():
    # gelu(1) = 0.5 (1 + tanh(sqrt(2 / pi) 1.044715)) = 0.841192
    assert geglu(torch.tensor([[1.0, 0.0, 3.0, 5.0]])).tolist()[0] == pytest.approx([3 * 0.841192, 0.0], abs=1e-5)

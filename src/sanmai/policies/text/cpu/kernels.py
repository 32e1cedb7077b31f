"""The parts of a decoder layer between its matrix products, with gradients that keep little and make few passes over memory.

PyTorch composes the norm, the gate and the rotation from five to nine operations each on a CPU. Plain functions of tensors,
checked against finite differences; where compiled.py has a compiled pass for the tensors at hand, that one is taken.

Shape key: ... any leading axes, D normalised width, F feed-forward width; in attention B sequences, T tokens, H query heads,
K key-value heads, E head width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from sanmai.policies.text.cpu import compiled


def add_norm(
    x: Tensor, update: Tensor | None, weight_D: Tensor, eps: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """x + update (x itself without one), and `rms_norm` of it."""
    library = compiled.passes(x) if x.dtype is torch.float32 else None
    if library is not None and dtype in compiled.DTYPES:
        return compiled.add_norm(library, x, update, weight_D, eps, dtype)
    total = x if update is None else x + update
    return total, rms_norm(total, weight_D, eps, dtype)


def rms_norm(x: Tensor, weight_D: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight over the last axis, computed in x's dtype and returned in `dtype`.

    Source:
        Zhang and Sennrich 2019 (arXiv:1910.07467) eq. 4.
    """
    return _RmsNorm.apply(x, weight_D, eps, dtype)


def swiglu(gate_up_NF: Tensor) -> Tensor:
    """silu(gate) * up of the two halves of gate_up (N, 2 F); keeps its input alone for the gradient.

    Source:
        Shazeer 2020 (arXiv:2002.05202) eq. 5, without its linear maps.
    """
    library = compiled.passes(gate_up_NF)
    return _SwiGLU.apply(*gate_up_NF.chunk(2, dim=-1)) if library is None else compiled.swiglu(library, gate_up_NF)


def geglu(gate_up_NF: Tensor) -> Tensor:
    """gelu(gate) * up of the two halves of gate_up (N, 2 F), gelu by its formula with tanh.

    Source:
        Shazeer 2020 (arXiv:2002.05202) eq. 5; Hendrycks and Gimpel 2016 (arXiv:1606.08415) section 2.
    """
    gate_NF, up_NF = gate_up_NF.chunk(2, dim=-1)
    return F.gelu(gate_NF, approximate="tanh") * up_NF


def attention(
    q_BHTE: Tensor, k_BKTE: Tensor, v_BKTE: Tensor, *, scale: float, mask: Tensor | None, cap: float | None
) -> Tensor:
    """softmax(s + mask) v with s = scale q k^T, or its soft cap, cap tanh(s / cap); (B, H, T, E).

    Args:
        mask: 0 where a token sees another and -inf where not, (T, T) or more axes; None: all before it and itself.

    Source:
        Gemma Team 2024 (arXiv:2408.00118) section 2, logit soft-capping.
    """
    if cap is None:
        return F.scaled_dot_product_attention(
            q_BHTE, k_BKTE, v_BKTE, attn_mask=mask, is_causal=mask is None, scale=scale,
            enable_gqa=q_BHTE.shape[1] != k_BKTE.shape[1],
        )  # fmt: skip
    mask = causal_mask(q_BHTE.shape[2], None, q_BHTE) if mask is None else mask
    groups = q_BHTE.shape[1] // k_BKTE.shape[1]
    k_BHTE, v_BHTE = k_BKTE.repeat_interleave(groups, dim=1), v_BKTE.repeat_interleave(groups, dim=1)
    score_BHTT = torch.tanh((q_BHTE * (scale / cap)) @ k_BHTE.mT) * cap
    return torch.softmax((score_BHTT + mask).float(), dim=-1).to(v_BHTE.dtype) @ v_BHTE


def causal_mask(tokens: int, window: int | None, like: Tensor) -> Tensor:
    """The mask (T, T) under which a token sees itself and those before it, in all at most `window`."""
    place_T = torch.arange(tokens, device=like.device)
    back_TT = place_T.unsqueeze(1) - place_T
    sees_TT = back_TT >= 0 if window is None else (back_TT >= 0) & (back_TT < window)
    return torch.zeros(sees_TT.shape, dtype=like.dtype, device=like.device).masked_fill_(~sees_TT, -torch.inf)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding: the halves of the last axis of x (..., H) turned by the angles of cos, sin (..., H / 2).

    Where there are fewer angles, R, the first 2 R numbers are turned and the others stay.

    Source:
        Su et al. 2021 (arXiv:2104.09864) eq. 34, in the order of axes that Llama's weights expect.
    """
    return _Rotate.apply(x, cos, sin)


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
        scale = torch.rsqrt(x.square().mean(-1, keepdim=True).add_(eps))
        ctx.save_for_backward(x, weight, scale)
        return (x * scale).mul_(weight).to(dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple:
        x, weight, scale = ctx.saved_tensors
        grad = grads[0].to(x.dtype)
        normed = x * scale
        d_weight = (grad * normed).flatten(0, -2).sum(0)
        d_normed = grad * weight
        along = (d_normed * normed).mean(-1, keepdim=True)
        return d_normed.sub_(normed.mul_(along)).mul_(scale), d_weight, None, None


class _SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple:
        gate, up = ctx.saved_tensors
        (grad,) = grads
        sigmoid = torch.sigmoid(gate)
        silu = sigmoid * gate
        slope = torch.addcmul(sigmoid + silu, silu, sigmoid, value=-1)  # silu' = s + g s (1 - s)
        return slope.mul_(up).mul_(grad), silu.mul_(grad)


class _Rotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(x, cos, sin)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple:
        cos, sin = ctx.saved_tensors
        return _turn(grads[0], cos, -sin), None, None


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    half = cos.shape[-1]
    first, second = x[..., :half], x[..., half : 2 * half]
    turned = torch.empty(x.shape, dtype=torch.promote_types(x.dtype, cos.dtype), device=x.device)
    torch.mul(first, cos, out=turned[..., :half]).addcmul_(second, sin, value=-1)
    torch.mul(second, cos, out=turned[..., half : 2 * half]).addcmul_(first, sin)
    if 2 * half < x.shape[-1]:
        turned[..., 2 * half :] = x[..., 2 * half :]
    return turned

"""The compiled passes of training (passes.c, attention.c) as differentiable functions of tensors.

`passes(x)` says whether they can be used; who calls them has the same in PyTorch for where they cannot. Sums are float32
whatever the dtype of the activations, and the order of additions is fixed: same inputs, same bytes, on every thread and with
any number of them. The threads of PyTorch's setting share a pass that is worth it, each a range of its rows.

Shape key: N rows or computed tokens, D width, F feed-forward width, V vocabulary, B sequences, T tokens, H query heads,
K key-value heads, E head width.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sanmai.policies.text.cpu.native import native

DTYPES = {torch.float32: 0, torch.bfloat16: 1}
"""What activations may be, and what the C functions call `half`."""

_WIDE = 512
"""Numbers in a row from which these passes are taken with several threads too: they keep less."""
_BLOCK = 64
"""Rows that add up to one part of a weight's gradient (numbers.h)."""
_WORTH = 1 << 17
"""Numbers that a thread should have to compute, about 50 microseconds of one: handing over takes about 20."""


def passes(x: Tensor) -> ctypes.CDLL | None:
    """The compiled library, if it may compute with tensors like x: on a CPU, with one thread or wide rows."""
    if x.device.type != "cpu" or x.dtype not in DTYPES or (torch.get_num_threads() != 1 and x.shape[-1] < _WIDE):
        return None
    return native().library


def add_norm(
    library: ctypes.CDLL, x_ND: Tensor, update_ND: Tensor | None, weight_D: Tensor, eps: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """x + update, and its RMSNorm in `dtype`; see kernels.add_norm. x float32, update in `dtype`."""
    weight_D = weight_D.float()
    if update_ND is None:
        return x_ND, _AddNorm.apply(library, x_ND, None, weight_D, eps, dtype)
    return _AddNorm.apply(library, x_ND, update_ND.to(dtype), weight_D, eps, dtype)


def swiglu(library: ctypes.CDLL, gate_up_NF: Tensor) -> Tensor:
    """silu(gate) * up of the two halves of gate_up (N, 2 F)."""
    return _SwiGLU.apply(library, gate_up_NF)


def logp_and_entropy(logits_NV: Tensor, targets_N: Tensor, temperature: float) -> tuple[Tensor, Tensor] | None:
    """Log-prob of each target under softmax(logits / temperature), with gradient, and the entropies, without one."""
    library = passes(logits_NV)
    if library is None:
        return None
    if len(targets_N) and not 0 <= int(targets_N.min()) <= int(targets_N.max()) < logits_NV.shape[1]:
        raise IndexError(f"a target is not among the {logits_NV.shape[1]} tokens of the vocabulary")
    return _LogpAndEntropy.apply(library, logits_NV, targets_N, temperature)


def attention(
    library: ctypes.CDLL,
    heads_NE: Tensor,
    head_norm: tuple[Tensor, Tensor] | None,
    angles: tuple[Tensor, Tensor],
    places: tuple[Tensor, Tensor, Tensor],
    *,
    num_heads: int,
    num_kv_heads: int,
    eps: float,
    scale: float,
    window: int | None = None,
    cap: float | None = None,
) -> Tensor:
    """Causal attention, (N, H E), of heads (N, (H + 2 K) E) as they are projected: queries, keys, values.

    Args:
        head_norm: weights (E) of the norms of queries and of keys, if the model has them.
        angles: cos and sin of the tokens' positions, (N, ..., E / 2).
        places: index_BT, the number n of the token at every place of a right-padded batch; start_B, how many tokens at
            the beginning of a row an earlier row computes; length_B, the tokens of a row.
        window: tokens that one sees, itself included; None: all before it.
        cap: scores s become cap tanh(s / cap); None: they stay.
    """
    weight_2E = None if head_norm is None else torch.stack(head_norm).float()
    cos_NE, sin_NE = (x.float().contiguous() for x in angles)
    if cos_NE.numel() * 2 * (num_heads + 2 * num_kv_heads) != heads_NE.numel():
        raise ValueError(
            f"angles of shape {tuple(angles[0].shape)} do not belong to heads of shape {tuple(heads_NE.shape)}"
        )
    numbers, sizes = (eps, scale, cap or 0.0), (num_heads, num_kv_heads, window or 0)
    return _Attention.apply(library, heads_NE, weight_2E, cos_NE, sin_NE, places, numbers, sizes)


class _AddNorm(torch.autograd.Function):
    """Inputs x, update, weight; outputs their sum and its norm. Without an update there is one output, the norm of x."""

    @staticmethod
    def forward(
        ctx: Any, library: Any, x: Tensor, update: Tensor | None, weight: Tensor, eps: float, dtype: torch.dtype
    ) -> Any:
        x, weight = x.contiguous(), weight.contiguous()
        rows, width = x.numel() // len(weight), len(weight)
        total = None if update is None else torch.empty(x.shape)
        normed, scale = torch.empty(x.shape, dtype=dtype), torch.empty(rows)
        update = None if update is None else update.contiguous()
        _share(rows, width, lambda first, end: _call(
            library.norm_forward, x, update, weight, eps, width, total, normed, scale, DTYPES[dtype], first, end
        ))  # fmt: skip
        ctx.library, ctx.dtype = library, dtype
        ctx.save_for_backward(x if total is None else total, weight, scale)
        ctx.set_materialize_grads(False)
        return normed if total is None else (total, normed)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple:
        total, weight, scale = ctx.saved_tensors
        *d_total, d_normed = (None if grad is None else grad.contiguous() for grad in grads)
        if d_normed is None:  # the sum alone was used
            d_normed = torch.zeros(total.shape, dtype=ctx.dtype)
        d_x, parts = torch.empty(total.shape), torch.empty(-(-len(scale) // _BLOCK), len(weight))
        d_update = d_x if ctx.dtype is torch.float32 else torch.empty(total.shape, dtype=ctx.dtype) if d_total else None
        _share(len(scale), len(weight), lambda first, end: _call(
            ctx.library.norm_backward, d_total[0] if d_total else None, d_normed, total, weight, scale, len(weight), d_x,
            None if d_update is d_x else d_update, parts, DTYPES[ctx.dtype], first, end,
        ), step=_BLOCK)  # fmt: skip
        return None, d_x, d_update if d_total else None, _sum(ctx.library, parts), None, None


class _SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, library: Any, gate_up: Tensor) -> Tensor:
        gate_up = gate_up.contiguous()
        rows, width = gate_up.shape[0], gate_up.shape[1] // 2
        out = torch.empty(rows, width, dtype=gate_up.dtype)
        _share(rows, width, lambda first, end: _call(
            library.swiglu_forward, gate_up, width, out, DTYPES[gate_up.dtype], first, end
        ))  # fmt: skip
        ctx.library = library
        ctx.save_for_backward(gate_up)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple:
        (gate_up,) = ctx.saved_tensors
        grad, d_gate_up = grads[0].contiguous(), torch.empty_like(gate_up)
        _share(*grad.shape, lambda first, end: _call(
            ctx.library.swiglu_backward, grad, gate_up, grad.shape[1], d_gate_up, DTYPES[gate_up.dtype], first, end
        ))  # fmt: skip
        return None, d_gate_up


class _LogpAndEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, library: Any, logits: Tensor, targets: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        logits, targets, half = logits.contiguous(), targets.long().contiguous(), DTYPES[logits.dtype]
        logp, entropy, highest, sums = torch.empty(4, len(logits)).unbind()
        _share(*logits.shape, lambda first, end: _call(
            library.softmax_forward, logits, targets, temperature, logits.shape[1], logp, entropy, highest, sums,
            torch.empty(logits.shape[1]), half, first, end,
        ))  # fmt: skip
        ctx.library, ctx.temperature = library, temperature
        ctx.save_for_backward(logits, targets, highest, sums)
        ctx.mark_non_differentiable(entropy)
        return logp, entropy

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple:
        logits, targets, highest, sums = ctx.saved_tensors
        grad, d_logits, half = grads[0].contiguous(), torch.empty_like(logits), DTYPES[logits.dtype]
        _share(*logits.shape, lambda first, end: _call(
            ctx.library.softmax_backward, grad, logits, targets, ctx.temperature, highest, sums, logits.shape[1], d_logits, half,
            first, end,
        ))  # fmt: skip
        return None, d_logits, None, None


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, library: Any, heads: Tensor, weight: Tensor | None, cos: Tensor, sin: Tensor, places: tuple[Tensor, ...],
        numbers: tuple[float, ...], sizes: tuple[int, int, int],
    ) -> Tensor:  # fmt: skip
        heads, (num_heads, num_kv_heads, window) = heads.contiguous(), sizes
        width = heads.shape[1] // (num_heads + 2 * num_kv_heads)
        ctx.library, ctx.numbers = library, numbers
        ctx.sizes = (len(heads), *places[0].shape, num_heads, num_kv_heads, width, window)
        index, start, length = (x.long().contiguous() for x in places)
        shape = (weight, cos, sin, *ctx.numbers, index, start, length, *ctx.sizes)
        out, log_total = (
            torch.empty(len(heads), num_heads * width, dtype=heads.dtype),
            torch.empty(len(heads), num_heads),
        )
        ready, half = _prepared(library, heads, shape), DTYPES[heads.dtype]
        _share(len(index), _attended(ctx.sizes), lambda first, end: _call(
            library.attention_forward, *shape, ready, _scratch(ctx.sizes), out, log_total, half, first, end
        ))  # fmt: skip
        ctx.save_for_backward(heads, weight, cos, sin, index, start, length, log_total)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple:
        heads, weight, cos, sin, index, start, length, log_total = ctx.saved_tensors
        shape = (weight, cos, sin, *ctx.numbers, index, start, length, *ctx.sizes)
        grad, d_heads, half = grads[0].contiguous(), torch.empty_like(heads), DTYPES[heads.dtype]
        ready, d_ready = _prepared(ctx.library, heads, shape), torch.zeros(heads.shape)
        groups = ctx.sizes[4]
        _share(groups, 2 * len(index) * _attended(ctx.sizes) // groups, lambda first, end: _call(
            ctx.library.attention_backward, grad, *shape, log_total, ready, d_ready, _scratch(ctx.sizes), half, first, end
        ))  # fmt: skip
        parts = None if weight is None else torch.empty(-(-len(heads) // _BLOCK), *weight.shape)
        _share(*heads.shape, lambda first, end: _call(
            ctx.library.attention_prepare_backward, heads, *shape, d_ready, d_heads, parts, half, first, end
        ), step=_BLOCK)  # fmt: skip
        return None, d_heads, None if parts is None else _sum(ctx.library, parts), *[None] * 5


def _prepared(library: Any, heads: Tensor, shape: tuple) -> Tensor:
    """Queries, keys and values, (N, (H + 2 K) E) float32, after norm and rotation."""
    ready = torch.empty(heads.shape)
    _share(*heads.shape, lambda first, end: _call(
        library.attention_prepare, heads, *shape, ready, DTYPES[heads.dtype], first, end
    ))  # fmt: skip
    return ready


def _attended(sizes: tuple[int, ...]) -> int:
    """What attention computes for a sequence, in numbers of an elementwise pass, roughly: scores take some 16 products each."""
    return sizes[3] * sizes[2] * sizes[2] // 2 * sizes[5] // 16


def _scratch(sizes: tuple[int, ...]) -> Tensor:
    """Room for one head's arrays, as attention.c says."""
    tokens, width = (-(-n // 16) * 16 for n in (sizes[2], sizes[5]))
    return torch.empty(6 * tokens * width + 33 * tokens + 48 * width)


def _sum(library: Any, parts: Tensor) -> Tensor:
    """Sum over the first axis, in its order."""
    total = torch.empty(parts.shape[1:])
    _call(library.add_parts, parts, len(parts), total.numel(), total)
    return total


def _share(rows: int, width: int, work: Callable[[int, int], None], *, step: int = 1) -> None:
    """work(first, end) on ranges that cover `rows` rows, by as many of PyTorch's threads as are worth it.

    Args:
        width: numbers to be computed in a row, roughly.
        step: what every range but the last has a multiple of.
    """
    threads = min(torch.get_num_threads(), -(-rows // step), rows * width // _WORTH)
    if threads < 2:
        return work(0, rows)
    size = -(-rows // (threads * step)) * step
    others = [_pool(torch.get_num_threads()).submit(work, k, min(k + size, rows)) for k in range(size, rows, size)]
    work(0, size)
    for other in others:
        other.result()
    return None


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads - 1, "passes")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a child has none of its threads


def _call(function: Any, *arguments: Tensor | float | None) -> None:
    """Call a C function with the addresses of contiguous tensors, which this frame keeps alive meanwhile."""
    function(*(x.data_ptr() if isinstance(x, Tensor) else x for x in arguments))

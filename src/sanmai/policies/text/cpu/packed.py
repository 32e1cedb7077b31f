"""Weights in the layout that this processor's bfloat16 products want, laid out once instead of at every product.

Sampling multiplies the same weights by a few rows, hundreds of times; of such a product a third to a half is laying out the
weight (in oneDNN, which PyTorch calls). The numbers are those of the plain product. Float32 weights stay as they are.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

_SMALLEST = 1 << 16
"""Numbers in a weight from which it is worth it: a smaller one stays in the cache."""
_ROWS = 32
"""Rows of the products that the layout is made for; others compute with it too."""


@functools.cache
def can_pack() -> bool:
    """Whether PyTorch has oneDNN's operations, and bfloat16 products by instructions of this processor's own."""
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and _is_right()
    except (AttributeError, RuntimeError):  # these operations are internal to PyTorch: a version may lack them
        return False


def _is_right() -> bool:
    """The packed product is the plain one."""
    weight = (torch.arange(64 * 96).view(64, 96) % 17 - 8).bfloat16()
    x = (torch.arange(5 * 96).view(5, 96) % 11 - 5).bfloat16()
    return torch.equal(_product(x, _laid_out(weight), None), F.linear(x, weight))


def helps(device: torch.device, dtype: torch.dtype, numel: int) -> bool:
    """Whether `pack` lays out a weight of so many numbers anew."""
    return device.type == "cpu" and dtype is torch.bfloat16 and numel >= _SMALLEST and can_pack()


def pack(weight: Tensor) -> Tensor:
    """The weight (out, in) for `linear`: a copy, laid out anew, where that helps."""
    return _laid_out(weight) if helps(weight.device, weight.dtype, weight.numel()) else weight


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x @ weight^T + bias, for a weight that `pack` gave."""
    return _product(x, weight, bias) if weight.is_mkldnn else F.linear(x, weight, bias)


def _laid_out(weight: Tensor) -> Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(weight.detach(), _ROWS)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")

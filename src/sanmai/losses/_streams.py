"""What every loss does with its (B, T) tensors: check them once, never read outside the mask, sum over the step.

Shape key: B rollouts, T tokens.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def check_streams(mask_BT: Tensor, denominator: float, **streams_BT: Tensor) -> None:
    """Refuses a mask that is not a (B, T) bool, a stream of another shape, and a denominator that cannot divide.

    Raises:
        ValueError: one of these, with its name and value.
    """
    if mask_BT.dtype != torch.bool or mask_BT.dim() != 2:
        raise ValueError(f"mask_BT is {mask_BT.dtype} of shape {tuple(mask_BT.shape)}; expected bool of shape (B, T)")
    for name, stream_BT in streams_BT.items():
        if stream_BT.shape != mask_BT.shape:
            raise ValueError(
                f"{name} has shape {tuple(stream_BT.shape)}; expected that of mask_BT, {tuple(mask_BT.shape)}"
            )
    if not (math.isfinite(denominator) and denominator > 0):
        raise ValueError(f"denominator is {denominator}; expected a count above 0 over the whole step")


def read(mask_BT: Tensor, stream_BT: Tensor) -> Tensor:
    """The stream in float32 (float64 stays), 0 outside the mask.

    A `where` on the input, not a product with the mask: NaN times 0 is NaN, in the value and in the gradient.
    """
    kept_BT = torch.where(mask_BT, stream_BT, 0.0)
    return kept_BT.to(torch.promote_types(kept_BT.dtype, torch.float32))

"""Forgetting in hidden states: what is to be forgotten is led to a random direction, all else is held where it was.

Shape key: B sequences, T tokens, D model width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sanmai.losses._streams import check_streams


def random_direction(width: int, seed: int) -> Tensor:
    """A vector u_D of length 1 with entries that are not negative, float32: the same for the same seed.

    Raises:
        ValueError: width below 1.

    Source:
        Li et al. 2024 (arXiv:2403.03218) section 4, and their code: uniform in [0, 1), then divided by its norm.
    """
    if width < 1:
        raise ValueError(f"width is {width}; expected the model's width, at least 1")
    drawn_D = torch.rand(width, generator=torch.Generator().manual_seed(seed))
    return drawn_D / drawn_D.norm()


def misdirection(hidden_BTD: Tensor, target_D: Tensor, mask_BT: Tensor, *, token_count: float) -> Tensor:
    """Mean squared distance of hidden states to one vector.

        L = 1/(N D) sum_bt m_bt |h_bt - c u|^2

    Args:
        hidden_BTD: states after one layer under the policy; carries the gradient.
        target_D: c u: the random direction times how long it is to be.
        mask_BT: bool, true on the tokens to misdirect. Values elsewhere are never read.
        token_count: N, counted over every micro-batch of the step, so that their losses add up.

    Returns:
        The loss (scalar, squared units of the hidden states, a dimension).

    Raises:
        ValueError: shapes differ, or token_count is not above 0.

    Source:
        RMU: Li et al. 2024 (arXiv:2403.03218) eq. 1. On thoughts as well it is R2MU's (arXiv:2506.12963) third term.
    """
    if target_D.shape != hidden_BTD.shape[-1:]:
        raise ValueError(f"target_D has shape {tuple(target_D.shape)}; expected {tuple(hidden_BTD.shape[-1:])}")
    return _distance(hidden_BTD, target_D.expand_as(hidden_BTD), mask_BT, token_count)


def anchoring(hidden_BTD: Tensor, start_BTD: Tensor, mask_BT: Tensor, *, token_count: float) -> Tensor:
    """Mean squared distance of hidden states to those of the model that training began with.

        L = 1/(N D) sum_bt m_bt |h_bt - h0_bt|^2

    Args:
        hidden_BTD: states after one layer under the policy; carries the gradient.
        start_BTD: the same of the starting weights, without gradient.
        mask_BT, token_count: as of `misdirection`, of tokens to retain.

    Raises:
        ValueError: shapes differ, or token_count is not above 0.

    Source:
        RMU: Li et al. 2024 (arXiv:2403.03218) eq. 2. On chains of thought it is R2MU's (arXiv:2506.12963) fourth term.
    """
    if start_BTD.shape != hidden_BTD.shape:
        raise ValueError(f"start_BTD has shape {tuple(start_BTD.shape)}; expected {tuple(hidden_BTD.shape)}")
    return _distance(hidden_BTD, start_BTD, mask_BT, token_count)


def _distance(hidden_BTD: Tensor, other_BTD: Tensor, mask_BT: Tensor, token_count: float) -> Tensor:
    check_streams(mask_BT, token_count, hidden_BT=hidden_BTD[..., 0])
    # Outside of the mask nothing is read: a NaN times 0 would be a NaN.
    gap_ND = hidden_BTD[mask_BT].float() - other_BTD[mask_BT].float()
    return gap_ND.square().sum() / (token_count * hidden_BTD.shape[-1])

"""What a value head is trained on.

Shape key: B rollouts, T tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sanmai.losses._streams import check_streams, read
from sanmai.types import Metrics


def clipped_value_loss(
    value_BT: Tensor, old_value_BT: Tensor, target_BT: Tensor, mask_BT: Tensor, *, clip: float | None, denominator: float
) -> tuple[Tensor, Metrics]:
    """Squared error of the values, of which none is moved far from what it was when the rollouts were made.

        L = 1/(2N) sum_bt m_bt max((V_bt - R_bt)^2, (clip(V_bt, V'_bt - clip, V'_bt + clip) - R_bt)^2)

    Args:
        value_BT: V, what is expected before each token; carries the gradient.
        old_value_BT: V', the same before the step's first update.
        target_BT: R, the advantage estimate plus V'.
        mask_BT: bool, true on tokens that the policy wrote. Values elsewhere are never read.
        clip: the distance, above 0; None for the plain squared error.
        denominator: N, the tokens of the whole step.

    Returns:
        The loss, and `num_clipped`, the tokens whose gradient was cut; both add up over micro-batches.

    Raises:
        ValueError: shapes differ, clip is not above 0, or denominator is not.

    Source:
        PPO's implementation (Engstrom et al. 2020, arXiv:2005.12729, section 2.1); the half as in TRL and verl.
    """
    check_streams(mask_BT, denominator, value_BT=value_BT, old_value_BT=old_value_BT, target_BT=target_BT)
    if clip is not None and not clip > 0:
        raise ValueError(f"clip is {clip}; expected a number above 0")
    value_BT, target_BT = read(mask_BT, value_BT), read(mask_BT, target_BT)
    loss_BT, is_cut_BT = (value_BT - target_BT).square(), torch.zeros_like(mask_BT)
    if clip is not None:
        old_BT = read(mask_BT, old_value_BT)
        held_BT = (torch.minimum(torch.maximum(value_BT, old_BT - clip), old_BT + clip) - target_BT).square()
        is_cut_BT = held_BT > loss_BT
        loss_BT = torch.maximum(loss_BT, held_BT)
    return loss_BT.sum() / (2 * denominator), {"num_clipped": float(is_cut_BT.sum())}

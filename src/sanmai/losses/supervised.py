"""Weighted negative log-likelihood: SFT, rejection SFT, reward-weighted regression.

Shape key: B rollouts, T tokens.
"""

from __future__ import annotations

from torch import Tensor

from sanmai.losses._streams import check_streams, read
from sanmai.types import Metrics


def weighted_nll(
    logp_BT: Tensor, mask_BT: Tensor, *, weight_BT: Tensor, denominator: float
) -> tuple[Tensor, Metrics]:
    """Negative log-likelihood of demonstrated tokens.

        L = -sum_bt w_bt logp_bt / N

    Args:
        logp_BT: log-probs (nats) of the demonstration's tokens under the policy; carries the gradient.
        mask_BT: bool, true on tokens to learn, stop token included. Values elsewhere are never read.
        weight_BT: w: 1 for plain SFT; `normalise` times a row's worth for weighted regression.
        denominator: N, counted over every micro-batch of the step.

    Returns:
        The loss (scalar, nats) and its value as `nll`. Both add up over micro-batches.

    Raises:
        ValueError: shapes differ, or denominator is not above 0.

    Source:
        Maximum likelihood; weights as in Peters and Schaal 2007 (reward-weighted regression).
    """
    check_streams(mask_BT, denominator, logp_BT=logp_BT, weight_BT=weight_BT)
    loss = -(read(mask_BT, weight_BT) * read(mask_BT, logp_BT)).sum() / denominator
    return loss, {"nll": loss.item()}

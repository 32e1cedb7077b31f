"""Bradley-Terry with ties: a preference has three values, and a tie says as much as a win.

Shape key: B pairs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from sanmai.types import Metrics


def bradley_terry_ties(
    first_B: Tensor, second_B: Tensor, label_B: Tensor, *, tie_width: float = 5.0, denominator: float
) -> tuple[Tensor, Metrics]:
    """Negative log-likelihood of what was said of pairs: the first better, the second better, or alike.

        P(first) = sigmoid(d - log k)    P(second) = sigmoid(-d - log k)    P(tie) = (k^2 - 1) P(first) P(second)
        L = -sum_b log P(label_b) / N    d = first - second

    The three sum to 1; of equal scores P(tie) = (k - 1) / (k + 1), 2/3 at k = 5. Pairs whose label is no such value are left out
    by whoever counts N: an invalid one has no place in either.

    Args:
        first_B, second_B: scores; both carry the gradient.
        label_B: 1 the first is better, -1 the second, 0 alike.
        tie_width: k, above 1: the larger, the commoner ties are expected to be.
        denominator: N, the labelled pairs of the whole step, ties among them.

    Returns:
        The loss (scalar, nats); `pair_accuracy`, the share of N with a better one and the scores on its side, and `num_decided`,
        that of N with a better one at all (the one by the other is the accuracy without ties). Both add up over micro-batches.

    Raises:
        ValueError: shapes differ or are not (B,), a label is none of the three, tie_width is not above 1, or denominator not
            above 0.

    Source:
        Rao and Kupper 1967; for video rewards Liu et al. 2025 (arXiv:2501.13918), k = 5 in their code.
    """
    for name, value_B in (("second_B", second_B), ("label_B", label_B)):
        if first_B.dim() != 1 or value_B.shape != first_B.shape:
            raise ValueError(f"{name} has shape {tuple(value_B.shape)}; expected (B,), as first_B: {tuple(first_B.shape)}")
    if not bool(((label_B == 1) | (label_B == 0) | (label_B == -1)).all()):
        raise ValueError(f"label_B is {label_B.tolist()}; expected 1, 0 or -1")
    if not (math.isfinite(tie_width) and tie_width > 1):
        raise ValueError(f"tie_width is {tie_width}; expected a number above 1")
    if not (math.isfinite(denominator) and denominator > 0):
        raise ValueError(f"denominator is {denominator}; expected a count above 0 over the whole step")
    log_first_B, log_second_B, log_tie_B = log_chances(first_B - second_B, tie_width)
    said_B = torch.where(label_B > 0, log_first_B, torch.where(label_B < 0, log_second_B, log_tie_B))
    right_B = label_B * (first_B - second_B) > 0
    found = {
        "pair_accuracy": right_B.sum().item() / denominator,
        "num_decided": (label_B != 0).sum().item() / denominator,
    }
    return -said_B.sum() / denominator, found


def log_chances(gap_B: Tensor, tie_width: float) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities (nats) of first better, second better and tie at a difference of scores."""
    width = math.log(tie_width)
    first_B, second_B = logsigmoid(gap_B - width), logsigmoid(-gap_B - width)
    return first_B, second_B, first_B + second_B + math.log(tie_width**2 - 1.0)


def tie_accuracy(gap_B: Tensor, label_B: Tensor, threshold: float) -> float:
    """Share of pairs told right as better (1), worse (-1) or alike (0), where a difference of at most the threshold is a tie."""
    told_B = torch.where(gap_B.abs() <= threshold, 0.0, gap_B.sign())
    return (told_B == label_B).float().mean().item()


def fitted_threshold(gap_B: Tensor, label_B: Tensor) -> float:
    """The threshold of `tie_accuracy` that is right most often, the smallest of equals; it is reported on other pairs."""
    width_B, order_B = gap_B.abs().sort()
    label_B, told_B = label_B[order_B], gap_B.sign()[order_B]
    zero = label_B.new_zeros(1, dtype=torch.long)
    alike_C = torch.cat([zero, (label_B == 0).long().cumsum(0)])  # of the narrowest C pairs those that are ties
    apart_C = torch.cat([(told_B == label_B).long().flip(0).cumsum(0).flip(0), zero])  # of the others those told right
    tried_C = torch.cat([width_B.new_zeros(1), width_B])
    narrow_C = torch.searchsorted(width_B, tried_C, right=True)
    return tried_C[(alike_C[narrow_C] + apart_C[narrow_C]).argmax()].item()

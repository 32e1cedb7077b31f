"""Losses of reward models: pairs of a better and a worse response, and single responses with a label.

Shape key: B pairs, or labelled responses.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from sanmai.types import Metrics


def bradley_terry(
    chosen_B: Tensor, rejected_B: Tensor, *, denominator: float, margin_B: Tensor | None = None
) -> tuple[Tensor, Metrics]:
    """Negative log-likelihood that each chosen response beats its rejected one.

        L = -sum_b log sigmoid(chosen_b - rejected_b - margin_b) / N

    A tie has no place in this likelihood: two responses that are equally good are no pair. Equal scores are no tie, only
    an undecided model; they count as not right.

    Args:
        chosen_B, rejected_B: scores (logits) of the two responses; both carry the gradient.
        denominator: N, the pairs of the whole step.
        margin_B: by how much (logits) the chosen score should be ahead, at least 0; None is 0 everywhere.

    Returns:
        The loss (scalar, nats), `pair_accuracy`, the share of N with chosen > rejected, and `score_gap`, the sum of
        chosen - rejected over N. All add up over micro-batches.

    Raises:
        ValueError: shapes differ or are not (B,), a margin is negative or not finite, or denominator is not above 0.

    Source:
        Bradley and Terry 1952; as a loss Ouyang et al. 2022 (arXiv:2203.02155) eq. 1; margin: Llama 2
        (arXiv:2307.09288) eq. 2.
    """
    _check(denominator, chosen_B=chosen_B, rejected_B=rejected_B)
    gap_B = _wide(chosen_B) - _wide(rejected_B)
    ahead_B = gap_B
    if margin_B is not None:
        _check(denominator, chosen_B=chosen_B, margin_B=margin_B)
        if not bool((torch.isfinite(margin_B) & (margin_B >= 0)).all()):
            raise ValueError(f"margin_B is {margin_B.tolist()}; expected finite values of at least 0")
        ahead_B = gap_B - margin_B
    loss = -logsigmoid(ahead_B).sum() / denominator
    metrics = {
        "pair_accuracy": (gap_B > 0).sum().item() / denominator,
        "score_gap": gap_B.sum().item() / denominator,
    }
    return loss, metrics


def binary_cross_entropy(score_B: Tensor, label_B: Tensor, *, denominator: float) -> tuple[Tensor, Metrics]:
    """Negative log-likelihood of labels, the score being the logit of label 1.

        L = -sum_b [y_b log sigmoid(s_b) + (1 - y_b) log sigmoid(-s_b)] / N

    Args:
        score_B: s, logits; carries the gradient.
        label_B: y, 1 for the good class (safe) and 0 for the other; what lies between is a probability.
        denominator: N, the labelled responses of the whole step.

    Returns:
        The loss (scalar, nats) and `label_accuracy`, the share of N whose score is on the side of its label (above 0 for
        a label above 1/2). Both add up over micro-batches.

    Raises:
        ValueError: shapes differ or are not (B,), a label is outside 0..1, or denominator is not above 0.

    Source:
        Maximum likelihood of a Bernoulli variable.
    """
    _check(denominator, score_B=score_B, label_B=label_B)
    if not bool(((label_B >= 0) & (label_B <= 1)).all()):
        raise ValueError(f"label_B is {label_B.tolist()}; expected values from 0 to 1")
    score_B, label_B = _wide(score_B), _wide(label_B)
    loss = -(label_B * logsigmoid(score_B) + (1.0 - label_B) * logsigmoid(-score_B)).sum() / denominator
    is_right_B = torch.where(label_B > 0.5, score_B > 0, score_B < 0)
    return loss, {"label_accuracy": is_right_B.sum().item() / denominator}


def _check(denominator: float, **values_B: Tensor) -> None:
    (first, like), *_ = values_B.items()
    for name, value_B in values_B.items():
        if value_B.dim() != 1 or value_B.shape != like.shape:
            raise ValueError(f"{name} has shape {tuple(value_B.shape)}; expected (B,), as {first}: {tuple(like.shape)}")
    if not (math.isfinite(denominator) and denominator > 0):
        raise ValueError(f"denominator is {denominator}; expected a count above 0 over the whole step")


def _wide(value_B: Tensor) -> Tensor:
    """In float32; float64 stays."""
    return value_B.to(torch.promote_types(value_B.dtype, torch.float32))

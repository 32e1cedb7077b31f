"""Distance of the policy from a reference, and its entropy, as loss components.

Shape key: B rollouts, T tokens.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from sanmai.losses._streams import check_streams, read
from sanmai.types import Metrics

KlEstimator = Literal["k1", "k2", "k3"]


def kl_to_reference(
    logp_BT: Tensor,
    reference_logp_BT: Tensor,
    mask_BT: Tensor,
    *,
    weight_BT: Tensor,
    denominator: float,
    estimator: KlEstimator = "k3",
) -> tuple[Tensor, Metrics]:
    """Estimate of KL(policy || reference) from tokens that the policy sampled.

        L = sum_bt w_bt k(d_bt) / N         d = reference_logp - logp
        k1 = -d      k2 = d^2 / 2      k3 = exp(d) - d - 1

    As values, k1 and k3 are unbiased and k3 is never negative; k2 is biased. As losses they differ more: on fresh
    samples the expected gradient of k1 is 0 (it restrains nothing), that of k2 is the gradient of KL(policy ||
    reference), that of k3 the gradient of KL(reference || policy).

    Args:
        logp_BT: log-probs (nats) of the sampled tokens under the policy; carries the gradient.
        reference_logp_BT: the same tokens under the frozen reference policy; detached here.
        mask_BT: bool, true on tokens that the policy wrote. Values elsewhere are never read.
        weight_BT, denominator: w and N, from `normalise`; N is counted over every micro-batch of the step.
        estimator: k1, k2 or k3.

    Returns:
        The loss (scalar, nats) and its value as `kl_to_reference_<estimator>`. Both add up over micro-batches.

    Raises:
        ValueError: shapes differ, denominator is not above 0, or the estimator is unknown.

    Source:
        Schulman 2020, "Approximating KL divergence"; k3 in the loss: DeepSeekMath (arXiv:2402.03300) eq. 4.
        Gradients derived, with E_policy[grad logp] = 0: grad k1 = grad logp; grad k2 = (logp - reference_logp)
        grad logp; grad k3 = (1 - reference/policy) grad logp, whose mean is -E_reference[grad logp].
    """
    check_streams(mask_BT, denominator, logp_BT=logp_BT, reference_logp_BT=reference_logp_BT, weight_BT=weight_BT)
    difference_BT = read(mask_BT, reference_logp_BT.detach()) - read(mask_BT, logp_BT)
    if estimator == "k1":
        kl_BT = -difference_BT
    elif estimator == "k2":
        kl_BT = 0.5 * difference_BT.square()
    elif estimator == "k3":
        kl_BT = torch.expm1(difference_BT) - difference_BT
    else:
        raise ValueError(f"estimator is {estimator!r}; expected 'k1', 'k2' or 'k3'")
    loss = (read(mask_BT, weight_BT) * kl_BT).sum() / denominator
    return loss, {f"kl_to_reference_{estimator}": loss.item()}


def weighted_sum(kl_BT: Tensor, mask_BT: Tensor, *, weight_BT: Tensor, denominator: float) -> Tensor:
    """L = sum_bt w_bt KL_bt / N of a KL that is known in closed form (nats); arguments and errors as above."""
    check_streams(mask_BT, denominator, kl_BT=kl_BT, weight_BT=weight_BT)
    return (read(mask_BT, weight_BT) * read(mask_BT, kl_BT)).sum() / denominator


def entropy_bonus(
    entropy_BT: Tensor, mask_BT: Tensor, *, weight_BT: Tensor, denominator: float
) -> tuple[Tensor, Metrics]:
    """Negative entropy of the policy: minimising it keeps the policy exploring.

        L = -sum_bt w_bt H_bt / N

    Args:
        entropy_BT: entropy (nats) of the distribution each token was drawn from; carries the gradient.
        mask_BT: bool, true on tokens that the policy wrote. Values elsewhere are never read.
        weight_BT, denominator: w and N, from `normalise`; N is counted over every micro-batch of the step.

    Returns:
        The loss (scalar, nats) and `entropy`, which is -L. Both add up over micro-batches.

    Raises:
        ValueError: shapes differ, or denominator is not above 0.

    Source:
        Williams and Peng 1991; Mnih et al. 2016 (arXiv:1602.01783) section 4. The gradient is that of each token's own
        distribution: the effect of a token on the entropy of later ones is left out.
    """
    check_streams(mask_BT, denominator, entropy_BT=entropy_BT, weight_BT=weight_BT)
    entropy = (read(mask_BT, weight_BT) * read(mask_BT, entropy_BT)).sum() / denominator
    return -entropy, {"entropy": entropy.item()}

"""Online mirror descent: rewards to targets, and the squared error that pulls the log-ratio towards them.

Shape key: B rollouts, T tokens. A 1 in place of T: one value per rollout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from sanmai.losses._streams import check_streams, read
from sanmai.types import Metrics

LogRatio = Literal["token", "sequence"]
MirrorBaseline = Literal["mean", "log_mean_exp"]


def mirror_descent_targets(
    rewards: Sequence[float | None], tau: float, baseline: MirrorBaseline = "mean"
) -> list[float | None]:
    """What tau times each rollout's log-ratio is pulled towards: the rewards of one group less tau log Z.

        A_g = r_g - tau log Z
        "mean":          tau log Z = mean of the rewards
        "log_mean_exp":  tau log Z = tau log(1/k sum_g exp(r_g / tau))

    The second is what the derivation asks for, estimated from the k graded rollouts; it is at least the mean, goes to it
    as tau grows, and to the largest reward as tau goes to 0: the best rollouts then have target 0 and all others less.
    There is no division by the deviation: a prompt of middling pass rate weighs more than an easy or a hard one.

    All equal rewards, or fewer than two, say nothing about the policy: the targets are then exactly 0. Such a rollout
    has no gradient at the start of an iteration, and one back towards the start afterwards.

    Args:
        rewards: one per rollout; None (ungradable) leaves the baseline and has no target.
        tau: weight of the divergence from the policy of the iteration's start, in units of the reward per nat, > 0.
        baseline: which of the two.

    Returns:
        One target per reward, in units of the reward; None where the reward is None: that rollout leaves the loss. A target
        of 0 in its place would not take it out, but pull it towards the start.

    Raises:
        ValueError: a reward is not finite, tau is not a finite number above 0, or the baseline is none of its choices.

    Source:
        Kimi k1.5 (arXiv:2501.12599) section 2.3.2. Order and limits derived: exp is convex (Jensen); to first order in
        1/tau it is linear; and as tau goes to 0 the largest term carries the sum, whose 1/k costs tau log k.
    """
    _check_tau(tau)
    if baseline not in ("mean", "log_mean_exp"):
        raise ValueError(f"baseline is {baseline!r}; expected 'mean' or 'log_mean_exp'")
    graded = [reward for reward in rewards if reward is not None]
    if not all(math.isfinite(reward) for reward in graded):
        raise ValueError(f"rewards are {list(rewards)}; expected finite numbers, or None for an ungradable rollout")
    # Asked of the rewards, as in `group_advantages`: a mean is rounded.
    if len(graded) < 2 or all(reward == graded[0] for reward in graded):
        return [None if reward is None else 0.0 for reward in rewards]

    if baseline == "mean":
        level = math.fsum(graded) / len(graded)
    else:
        # The largest reward taken off first: exp cannot overflow. expm1 and log1p keep what a large tau leaves of it.
        best = max(graded)
        level = best + tau * math.log1p(math.fsum(math.expm1((r - best) / tau) for r in graded) / len(graded))
    return [None if reward is None else reward - level for reward in rewards]


def mirror_descent(
    logp_BT: Tensor,
    reference_logp_BT: Tensor,
    target_BT: Tensor,
    mask_BT: Tensor,
    *,
    tau: float,
    log_ratio: LogRatio = "token",
    weight_BT: Tensor,
    denominator: float,
    token_count: float,
) -> tuple[Tensor, Metrics]:
    """Squared error between target and tau times the log-ratio, scaled so that its gradient is a policy gradient.

        L = 1/N sum_bt w_bt [(A_bt - tau x_bt)^2 - A_bt^2] / (2 tau) = 1/N sum_bt w_bt [tau/2 x_bt^2 - A_bt x_bt]
        d_bt = logp_bt - reference_logp_bt      "token": x_bt = d_bt      "sequence": x_bt = sum_s d_bs for every t

    The paper minimises (A - tau x)^2, x the log-ratio of whole sequences. L is that divided by 2 tau, less what it is at
    the start of the iteration: the same minimum, and

        -grad L = 1/N sum_bt w_bt [A_bt grad x_bt - tau/2 grad x_bt^2]

    is the paper's ascent direction, -1/(2 tau) times the gradient of its squared error. Where policy and reference agree,
    as in the first update of an iteration, the second term is exactly 0: the gradient is that of `reinforce` with A for an
    advantage, whatever tau. Gradient clipping and learning rate therefore mean the same for every tau.

    The two log-ratios have the same gradient there only with matching weights. The paper's sum over tokens, averaged over
    rollouts, is

        token:     w = 1         N = rollouts     normalise(mask_BT, "constant", max_tokens=1)
        sequence:  w = 1 / T_b   N = rollouts     normalise(mask_BT, "sequence")

    Any other normalisation of the token form is one as for `reinforce`. In the sequence form a row counts sum_t w_bt: it
    does not go with weights of 1 per token. The token form restrains each token by itself: it costs tau times the sum of k2
    over the tokens, and grows with the length; the square of a sum grows with the length squared when all tokens drift one
    way, and lets drifts of opposite sign cancel.

    Args:
        logp_BT: log-probs (nats) of the completion tokens under the policy; carries the gradient.
        reference_logp_BT: the same tokens under the policy at the start of the iteration, which wrote them; detached here.
        target_BT: A, from `mirror_descent_targets`: a rollout's on all of its tokens.
        mask_BT: bool, true on tokens that the policy wrote. Values elsewhere are never read. A row is a whole rollout; a
            segment that another policy wrote is kept out of the sum by its mask.
        tau: as for the targets, > 0.
        log_ratio: "token" or "sequence".
        weight_BT, denominator: w and N, see above; N is counted over every micro-batch of the step. Importance weights of
            segments that another policy wrote multiply w.
        token_count: the trained tokens of the whole step; for the metrics alone.

    Returns:
        The loss (scalar, units of the reward); `squared_error`, 1/N sum_bt w_bt (A_bt - tau x_bt)^2, the paper's
        surrogate; and per trained token `kl_reference_to_policy_k3` (nats), 1/token_count sum_bt [exp(d) - 1 - d], an
        unbiased estimate of KL(reference || policy) since the reference wrote the tokens, and `abs_log_ratio` (nats), the
        mean of |d|. All four add up over micro-batches.

    Raises:
        ValueError: shapes differ, tau, denominator or token_count is not above 0, or log_ratio is none of its choices.

    Source:
        Kimi k1.5 (arXiv:2501.12599) section 2.3.2. Squares of token log-ratios: not in that paper; prime-rl's loss after
        Kimi K2.5's report, which has no 1/2 (its tau is half of this one).
    """
    check_streams(
        mask_BT, denominator,
        logp_BT=logp_BT, reference_logp_BT=reference_logp_BT, target_BT=target_BT, weight_BT=weight_BT,
    )  # fmt: skip
    _check_tau(tau)
    if not (math.isfinite(token_count) and token_count > 0):
        raise ValueError(f"token_count is {token_count}; expected the trained tokens of the whole step, above 0")
    difference_BT = read(mask_BT, logp_BT) - read(mask_BT, reference_logp_BT.detach())
    if log_ratio not in ("token", "sequence"):
        raise ValueError(f"log_ratio is {log_ratio!r}; expected 'token' or 'sequence'")
    x_BT = difference_BT if log_ratio == "token" else difference_BT.sum(dim=1, keepdim=True).expand(mask_BT.shape)
    target_BT, weight_BT = read(mask_BT, target_BT.detach()), read(mask_BT, weight_BT)
    # Multiplied out: the square's constant would drown the rest when tau is small.
    loss = (weight_BT * x_BT * (0.5 * tau * x_BT - target_BT)).sum() / denominator
    with torch.no_grad():
        squared_error = (weight_BT * (target_BT - tau * x_BT).square()).sum() / denominator
        return loss, _measured(squared_error, difference_BT, token_count)


def _measured(squared_error: Tensor, difference_BT: Tensor, token_count: float) -> Metrics:
    kl = (torch.expm1(difference_BT) - difference_BT).sum() / token_count
    found = torch.stack([squared_error, kl, difference_BT.abs().sum() / token_count]).tolist()
    return dict(zip(("squared_error", "kl_reference_to_policy_k3", "abs_log_ratio"), found, strict=True))


def _check_tau(tau: float) -> None:
    if not (math.isfinite(tau) and tau > 0):
        raise ValueError(f"tau is {tau}; expected a finite number above 0, in units of the reward per nat")

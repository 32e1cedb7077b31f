"""Rewards per token -> advantages per token. Ragged: x_B_T[b][t] is token t of rollout b."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

from sanmai.losses.advantages import AdvantageScale


def token_rewards(reward: float, log_ratio_T: Sequence[float], weight: float) -> list[float]:
    """What each token of a completion earns: minus its part of the KL to the reference, and the last one the reward besides.

        r_t = -weight * log_ratio_t + [t = T] reward         log_ratio_t = log pi(t) - log pi_ref(t)

    Its mean over the policy's own tokens is the KL (k1), so that the penalty is in the reward and not in the loss.

    Source:
        Ziegler et al. 2019 (arXiv:1909.08593) section 2.1; per token as REINFORCE++ (arXiv:2501.03262) eq. 5.
    """
    rewards = [-weight * each for each in log_ratio_T]
    if rewards:
        rewards[-1] += reward
    return rewards


def returns_to_go(reward_T: Sequence[float]) -> list[float]:
    """Of each token its own reward and all later ones: R_t = sum_{i >= t} r_i, with no discount."""
    return list(accumulate(reversed(reward_T)))[::-1]


def gae(reward_T: Sequence[float], value_T: Sequence[float], *, decay: float, discount: float = 1.0) -> list[float]:
    """Generalised advantage estimate of each token.

        A_t = d_t + discount * decay * A_{t+1}        d_t = r_t + discount * V_{t+1} - V_t        V_{T+1} = 0

    With decay 1 and discount 1 this is the return to go less V_t, which no error of V biases; with decay 0 it is d_t alone, which
    has the least variance. A completion ends at its last token, whatever ended it: nothing is expected after it.

    Args:
        reward_T: of each token.
        value_T: V_t, the return that was expected before the token was drawn.
        decay: lambda, 0 to 1.

    Raises:
        ValueError: lengths differ, or decay or discount is outside 0 to 1.

    Source:
        Schulman et al. 2016 (arXiv:1506.02438) eq. 16.
    """
    if len(reward_T) != len(value_T):
        raise ValueError(f"{len(reward_T)} rewards and {len(value_T)} values: expected one of each per token")
    if not (0 <= decay <= 1 and 0 <= discount <= 1):
        raise ValueError(f"decay = {decay}, discount = {discount}: expected 0 to 1")
    advantages, following, next_value = [0.0] * len(reward_T), 0.0, 0.0
    for t in range(len(reward_T) - 1, -1, -1):
        following = reward_T[t] + discount * next_value - value_T[t] + discount * decay * following
        advantages[t], next_value = following, value_T[t]
    return advantages


def scaled_tokens(
    value_B_T: Sequence[Sequence[float]], scale: AdvantageScale, *, centred: bool = True, epsilon: float = 1e-4
) -> list[list[float]]:
    """Advantages per token less their mean over the whole step, and for scale "batch_std" over its deviation.

        A_bt = (x_bt - m) / (s + epsilon)       m, s: mean and sample deviation over all tokens of all rollouts

    Where all are equal nothing is said: exactly 0, but for what is left as it is.

    Args:
        scale: "none" subtracts alone.
        centred: subtract the mean; False divides alone, or with "none" leaves them as they are.

    Raises:
        ValueError: a value is not finite, or another scale.

    Source:
        REINFORCE++ (arXiv:2501.03262) eq. 8, over tokens as in OpenRLHF.
    """
    if scale not in ("batch_std", "none"):
        raise ValueError(f"scale is {scale!r}; expected 'batch_std' or 'none'")
    known = [x for row in value_B_T for x in row]
    if not all(math.isfinite(x) for x in known):
        raise ValueError("a token's return is not finite; expected finite numbers")
    if scale == "none" and not centred:
        return [list(row) for row in value_B_T]
    if len(known) < 2 or all(x == known[0] for x in known):
        return [[0.0] * len(row) for row in value_B_T]
    mean = math.fsum(known) / len(known)
    spread = math.hypot(*(x - mean for x in known)) / math.sqrt(len(known) - 1)
    level, width = mean if centred else 0.0, spread + epsilon if scale == "batch_std" else 1.0
    return [[(x - level) / width for x in row] for row in value_B_T]

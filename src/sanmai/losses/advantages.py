"""Rewards of one group -> advantages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

AdvantageScale = Literal["std", "none"]
Baseline = Literal["mean", "leave_one_out"]
Best = Literal["best"]
"""No baseline: imitation of the best, see `best_of_group`."""
Deviation = Literal["sample", "population"]


def group_advantages(
    rewards: Sequence[float | None],
    scale: AdvantageScale = "std",
    baseline: Baseline = "mean",
    *,
    deviation: Deviation = "sample",
    epsilon: float = 1e-4,
) -> list[float]:
    """How much better each rollout of a group was than the others.

        A_g = (r_g - b_g) / (s + epsilon)       s: deviation of the rewards; no division for scale "none"
        b_g = mean of the rewards, or, for "leave_one_out", of the other rollouts' rewards

    All equal rewards, or fewer than two, say nothing about the policy: the advantages are then exactly 0.

    Args:
        rewards: one per rollout; None (ungradable) leaves baseline and deviation and gets 0.0.
        scale: "std" divides by the deviation, which makes a rare success weigh more; "none" does not.
        baseline: "mean" contains the rollout itself and shrinks its advantage by (G - 1)/G; "leave_one_out" does not.
        deviation: "sample" divides the squares by G - 1, "population" by G. The papers do not say; "sample" is what
            torch.std computes, hence what TRL and verl and the learning rates published with them use.
        epsilon: added to the deviation: rewards that differ by much less than it count as nearly equal.

    Returns:
        One advantage per reward, in the units of the reward ("none") or in deviations ("std").

    Raises:
        ValueError: a reward is not finite, epsilon is negative, or another argument is none of its choices.

    Source:
        mean, std: DeepSeekMath (arXiv:2402.03300) section 4.1.2. No std: Dr. GRPO (arXiv:2503.20783).
        Leave one out: Ahmadian et al. 2024 (arXiv:2402.14740). epsilon as in TRL 1.16.
    """
    if scale not in ("std", "none"):
        raise ValueError(f"scale is {scale!r}; expected 'std' or 'none'")
    if baseline not in ("mean", "leave_one_out"):
        raise ValueError(f"baseline is {baseline!r}; expected 'mean' or 'leave_one_out'")
    if deviation not in ("sample", "population"):
        raise ValueError(f"deviation is {deviation!r}; expected 'sample' or 'population'")
    if not epsilon >= 0:
        raise ValueError(f"epsilon is {epsilon}; expected at least 0")
    graded = [reward for reward in rewards if reward is not None]
    if not all(math.isfinite(reward) for reward in graded):
        raise ValueError(f"rewards are {list(rewards)}; expected finite numbers, or None for an ungradable rollout")

    # Asked of the rewards: a mean is rounded. That of three 0.05's is not 0.05, and their deviation then not 0.
    if len(graded) < 2 or all(reward == graded[0] for reward in graded):
        return [0.0] * len(rewards)

    count = len(graded)
    mean = math.fsum(graded) / count
    # r - (sum - r)/(G - 1) = (r - mean) G/(G - 1)
    factor = count / (count - 1) if baseline == "leave_one_out" else 1.0
    if scale == "std":
        squares = count - 1 if deviation == "sample" else count
        spread = math.hypot(*(reward - mean for reward in graded)) / math.sqrt(squares)
        factor /= spread + epsilon
    return [0.0 if reward is None else (reward - mean) * factor for reward in rewards]


def best_of_group(rewards: Sequence[float | None]) -> list[float]:
    """Imitation of the best: 1 for the rollout with the largest reward, if that is above 0, and 0 for the others.

    A policy gradient with these advantages is the gradient of SFT on the best sample of each prompt: nothing is learned from
    what went wrong. Of equal rewards the first counts.

    Args:
        rewards: one per rollout; None (ungradable) gets 0.0.

    Raises:
        ValueError: a reward is not finite.

    Source:
        ReST (arXiv:2308.08998) with one sample per prompt and one pass per sampling, which Kimi k1.5 (arXiv:2501.12599,
        section 3.5) compares itself with to show what negative gradients are worth.
    """
    graded = [reward for reward in rewards if reward is not None]
    if not all(math.isfinite(reward) for reward in graded):
        raise ValueError(f"rewards are {list(rewards)}; expected finite numbers, or None for an ungradable rollout")
    best = max(graded, default=0.0)
    chosen = list(rewards).index(best) if best > 0 else None
    return [float(g == chosen) for g in range(len(rewards))]


def decoupled_advantages(
    scores: Sequence[Mapping[str, float] | None],
    weights: Mapping[str, float],
    scale: AdvantageScale = "std",
    baseline: Baseline = "mean",
) -> list[float]:
    """The advantages of each component of the reward, taken apart within the group and then weighed and summed.

        A_g = sum_k w_k A_kg,   A_k = group_advantages(score k of the group)

    Summing first would let a component whose scores spread widely drown the others: rewards (1, 0) and (0, 1) of two
    components with the same weight are the same sum and different advantages here.

    Args:
        scores: per rollout the unweighted score of each component that applies to the group; None (ungradable) leaves
            every baseline and gets 0.0.
        weights: of the components.

    Returns:
        One advantage per rollout, 0.0 for all where no component differs.

    Source:
        GDPO (arXiv:2601.05242) section 3, without its last normalisation over the batch.
    """
    totals = [0.0] * len(scores)
    for name in sorted({name for score in scores if score is not None for name in score}):
        column = [None if score is None else score[name] for score in scores]
        for g, advantage in enumerate(group_advantages(column, scale, baseline)):
            totals[g] += weights[name] * advantage
    return totals

"""Rewards of one group -> advantages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal

AdvantageScale = Literal["std", "none", "mean", "batch_std", "signal"]
"""The last two look at the whole step; see `step_advantages`."""
Baseline = Literal["mean", "leave_one_out", "length", "median", "batch"]
"""The last one is the whole step's; see `step_advantages`."""
Expected = Literal["greedy", "value"]
"""No mean of rewards: that of a greedy completion (ReMax), or what a value head expects before each token (PPO)."""
Best = Literal["best"]
"""No baseline: imitation of the best, see `best_of_group`."""
Deviation = Literal["sample", "population"]


def group_advantages(
    rewards: Sequence[float | None],
    scale: AdvantageScale = "std",
    baseline: Baseline = "mean",
    *,
    lengths: Sequence[int] | None = None,
    deviation: Deviation = "sample",
    epsilon: float = 1e-4,
) -> list[float]:
    """How much better each rollout of a group was than the others.

        A_g = (r_g - b_g) / (s + epsilon)       s: deviation of the rewards; no division for scale "none"
        A_g = (r_g - b_g) / m                   m: mean of the rewards, for scale "mean"
        b_g = mean of the rewards, or, for "leave_one_out", of the other rollouts' rewards; for "length", the mean weighed by
              the rollouts' lengths, sum(l_g r_g) / sum(l_g); for "median", their median

    All equal rewards, or fewer than two, say nothing about the policy: the advantages are then exactly 0.

    Args:
        rewards: one per rollout; None (ungradable) leaves baseline and deviation and gets 0.0.
        scale: "std" divides by the deviation, which makes a rare success weigh more; "none" does not; "mean" divides by the
            success rate, which makes the step follow the gradient of log E[r] and not of E[r].
        baseline: "mean" contains the rollout itself and shrinks its advantage by (G - 1)/G; "leave_one_out" does not. "median"
            keeps one outlier among a few rollouts from putting all others on its other side; of rewards of 0 and 1 the larger
            half has no advantage.
        lengths: tokens of each rollout, for baseline "length".
        deviation: "sample" divides the squares by G - 1, "population" by G. The papers do not say; "sample" is what
            torch.std computes, hence what TRL and verl and the learning rates published with them use.
        epsilon: added to the deviation: rewards that differ by much less than it count as nearly equal.

    Returns:
        One advantage per reward, in the units of the reward ("none") or in deviations ("std").

    Raises:
        ValueError: a reward is not finite, or below 0 for scale "mean"; epsilon is negative; or another argument is none of its
            choices.

    Source:
        mean, std: DeepSeekMath (arXiv:2402.03300) section 4.1.2. No std: Dr. GRPO (arXiv:2503.20783).
        Leave one out: Ahmadian et al. 2024 (arXiv:2402.14740). Scale "mean": MaxRL. Baseline "length": OPO
        (arXiv:2505.23585), whose optimal baseline this is where each token's gradient has the same norm. "median": derived, the
        constant of least sum |r_g - b|. epsilon as in TRL 1.16.
    """
    if scale not in ("std", "none", "mean"):
        raise ValueError(f"scale is {scale!r}; expected 'std', 'none' or 'mean'")
    if baseline not in ("mean", "leave_one_out", "length", "median"):
        raise ValueError(f"baseline is {baseline!r}; expected 'mean', 'leave_one_out', 'length' or 'median'")
    if baseline == "length" and (lengths is None or len(lengths) != len(rewards)):
        raise ValueError("baseline 'length' needs the length of each rollout")
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
    elif scale == "mean":
        if min(graded) < 0:
            raise ValueError(f"scale 'mean' divides by the mean; expected rewards of at least 0, got {min(graded):g}")
        factor /= mean  # above 0: they differ, and none is below
    level = median(graded) if baseline == "median" else mean
    if baseline == "length" and lengths is not None:
        level = _by_length(rewards, lengths)
    return [0.0 if reward is None else (reward - level) * factor for reward in rewards]


def _by_length(rewards: Sequence[float | None], lengths: Sequence[int]) -> float:
    """The mean of the rewards, weighed by the rollouts' lengths; of those without a token, the plain one."""
    known = [(reward, length) for reward, length in zip(rewards, lengths, strict=True) if reward is not None]
    total = sum(length for _, length in known)
    if not total:
        return math.fsum(reward for reward, _ in known) / len(known)
    return math.fsum(reward * length for reward, length in known) / total


def step_advantages(
    groups: Sequence[Sequence[float | None]],
    scale: AdvantageScale = "std",
    baseline: Baseline = "mean",
    *,
    lengths: Sequence[Sequence[int]] | None = None,
    epsilon: float = 1e-4,
) -> list[list[float]]:
    """The advantages of all groups of a step, for scales and baselines that look beyond a group.

        scale "batch_std":  A_gi = (A_gi' - mean(A')) / (s + epsilon)   over all graded rollouts; A' the unscaled advantages
        scale "signal":     A_gi = A_gi' * B / (B - M)        of B groups M have no two different rewards
        baseline "batch":   A_gi' = r_gi - mean of all graded rewards of the step

    Others are `group_advantages` of each group. Equal rewards in a group give exactly 0 with every baseline but "batch", where
    a group that is solved is better than the step's mean; equal rewards in the whole step give 0 always.

    Args:
        groups: rewards of each group; None as there.
        lengths: tokens of each rollout, for baseline "length".

    Source:
        "batch_std" with baseline "batch": REINFORCE++ (arXiv:2501.03262); with "mean": its variant with a baseline.
        "signal": GPG (arXiv:2504.02546).
    """
    of_group: AdvantageScale = "none" if scale in ("batch_std", "signal") else scale
    if baseline == "batch":
        if scale not in ("batch_std", "none"):
            raise ValueError(f"baseline 'batch' goes with scale 'batch_std' or 'none', not {scale!r}")
        known = [reward for rewards in groups for reward in rewards if reward is not None]
        if not all(math.isfinite(reward) for reward in known):
            raise ValueError("a reward is not finite; expected finite numbers, or None for an ungradable rollout")
        mean = math.fsum(known) / len(known) if known and any(reward != known[0] for reward in known) else None
        found = [[0.0 if r is None or mean is None else r - mean for r in rewards] for rewards in groups]
    else:
        all_lengths = lengths or [None] * len(groups)
        found = [
            group_advantages(rewards, of_group, baseline, lengths=own, epsilon=epsilon)
            for rewards, own in zip(groups, all_lengths, strict=True)
        ]
    if scale == "batch_std":
        return _over_the_step(groups, found, epsilon)
    if scale == "signal":
        informative = sum(any(advantages) for advantages in found)
        return [[a * len(found) / informative for a in advantages] for advantages in found] if informative else found
    return found


def _over_the_step(
    groups: Sequence[Sequence[float | None]], advantages: list[list[float]], epsilon: float
) -> list[list[float]]:
    pairs = [pair for rewards, own in zip(groups, advantages, strict=True) for pair in zip(rewards, own, strict=True)]
    known = [advantage for reward, advantage in pairs if reward is not None]
    if len(known) < 2 or all(a == known[0] for a in known):
        return [[0.0] * len(own) for own in advantages]
    mean = math.fsum(known) / len(known)
    spread = math.hypot(*(a - mean for a in known)) / math.sqrt(len(known) - 1)
    return [
        [0.0 if r is None or a == 0 else (a - mean) / (spread + epsilon) for r, a in zip(rewards, own, strict=True)]
        for rewards, own in zip(groups, advantages, strict=True)
    ]


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

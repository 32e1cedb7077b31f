"""Credit of steps: which step of a completion made its reward likelier. Pure.

Shape key: S steps of one completion, T its tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def credit_of_steps(
    reward: float, start: float, value_S: Sequence[float | None], end_S: Sequence[int], length: int, *, decay: float = 0.0
) -> list[float]:
    """The advantage of each token of a completion: that of the step that it is in.

        d_s = V_{s+1} - V_s        V_1 = start, V_{S+1} = reward        A_s = sum_{i >= s} decay^{i - s} d_i

    With decay 0 a step is worth what it adds to the expected reward, the outcome among it: the sum over steps is reward - start,
    the advantage that the whole completion would have. With decay 1 it is the reward less V_s, which no error of V biases.

    Args:
        reward: of the whole completion.
        start: what is expected before its first token.
        value_S: what is expected after each step; None where nobody knows: that step and the next are one. What is said of a
            completion's own end is not read: it is worth its reward.
        end_S: tokens at the end of each step, rising; what is written behind the last one is one more step.
        length: T.

    Returns:
        T numbers.

    Raises:
        ValueError: lengths differ, ends do not rise within the completion, a number is not finite, or decay is outside 0 to 1.

    Source:
        VinePPO (arXiv:2410.01679) eq. 7 with decay 0: A = r + V(s') - V(s), V by Monte Carlo.
    """
    if len(value_S) != len(end_S) or list(end_S) != sorted({*end_S}) or (end_S and not 0 < end_S[0] <= end_S[-1] <= length):
        raise ValueError(f"{len(value_S)} values, steps that end at {list(end_S)} of {length}: expected a value each, rising")
    numbers = [reward, start, *(v for v in value_S if v is not None)]
    if not all(map(math.isfinite, numbers)) or not 0 <= decay <= 1:
        raise ValueError(f"values {numbers}, decay = {decay}: expected finite numbers and a decay of 0 to 1")
    known = [(end, v) for end, v in zip(end_S, value_S, strict=True) if v is not None and end < length]
    ends, values = [*(end for end, _ in known), length], [start, *(v for _, v in known), reward]
    following, found = 0.0, list[float]()
    for s in range(len(ends) - 1, -1, -1):
        following = values[s + 1] - values[s] + decay * following
        found = [following] * (ends[s] - (ends[s - 1] if s else 0)) + found
    return found


def returns_of_steps(
    reward: float, value_S: Sequence[float | None], end_S: Sequence[int], length: int, *, decay: float = 0.0
) -> list[float]:
    """What each token of a completion leads to: the return of the step that it is in.

        G_s = (1 - decay) V_{s+1} + decay G_{s+1}        V_{S+1} = G_S = reward

    With decay 0 it is what is expected after the step, with decay 1 the reward. Both are unbiased targets of a value before any
    token of the step where V is unbiased, and the first has less variance; less what a value head expects before the token it is
    the token's advantage.

    Args, Returns, Raises:
        As credit_of_steps, without a start.

    Source:
        derived: the lambda-return of Sutton and Barto 2018, eq. 12.2, over steps.
    """
    advantage_T = credit_of_steps(reward, 0.0, value_S, end_S, length, decay=decay)
    known = [(end, v) for end, v in zip(end_S, value_S, strict=True) if v is not None and end < length]
    found, at = list[float](), 0
    for end, before in zip([*(end for end, _ in known), length], [0.0, *(v for _, v in known)], strict=True):
        # G_s - V_s obeys the recursion of A_s.
        found += [before + advantage for advantage in advantage_T[at:end]]
        at = end
    return found


def shaped_rewards(reward_S: Sequence[float], potential_S: Sequence[float]) -> list[float]:
    """Rewards of steps with a potential: r_s + Phi_{s+1} - Phi_s, and Phi = 0 after the last.

    The sum over a whole completion changes by -Phi_1 alone, whatever it is: no policy is better for it. Without the 0 at the end
    the best policy moves to where the potential ends high.

    Args:
        potential_S: before each step.

    Raises:
        ValueError: lengths differ.

    Source:
        Ng, Harada and Russell 1999, theorem 1, with discount 1 in episodes.
    """
    if len(reward_S) != len(potential_S):
        raise ValueError(f"{len(reward_S)} rewards and {len(potential_S)} potentials: expected one each per step")
    after = [*potential_S[1:], 0.0]
    return [r + b - a for r, a, b in zip(reward_S, potential_S, after, strict=True)]


def credit_of_leaves(
    rewards: Sequence[float | None], segments: Sequence[Sequence[tuple[int, int]]]
) -> list[list[float]]:
    """The advantages of a tree's leaves, segment by segment: what a segment's node is worth against the root and its parent.

        A = (V(n) - V(root) + V(n) - V(parent)) / sqrt(leaves below n)        V: the mean reward of the leaves below

    The root's beginning is shared by all, so that it has no advantage. A segment that many leaves share is trained on as often
    as it has leaves; the root of their number is what it is divided by.

    Args:
        rewards: of each leaf; one without a reward counts nowhere, and has no advantage.
        segments: of each leaf its path from the root: (name of the node, tokens), equal names for shared segments.

    Returns:
        For each leaf T numbers; 0 for one without a reward.

    Source:
        TreeRL (arXiv:2506.11902) section 3.3, global plus local advantage over the square root of the leaves.
    """
    below: dict[int, list[float]] = {}
    for reward, path in zip(rewards, segments, strict=True):
        for name, _ in path:
            if reward is not None:
                below.setdefault(name, []).append(reward)
    known = [reward for reward in rewards if reward is not None]
    value = {name: math.fsum(found) / len(found) for name, found in below.items()}
    root = math.fsum(known) / len(known) if known else 0.0
    rows = []
    for reward, path in zip(rewards, segments, strict=True):
        parent, row = root, list[float]()
        for name, count in path:
            here = value.get(name, root)
            worth = (here - root + here - parent) / math.sqrt(len(below.get(name, (0.0,))))
            row += [worth if reward is not None else 0.0] * count
            parent = here
        rows.append(row)
    return rows

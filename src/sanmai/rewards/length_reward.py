"""Rewards for length: Kimi k1.5's, relative to the group, and cosine scaling with a penalty for repetition.

`rewards/style.py` has a third one, which looks at one text alone and counts its words; these count tokens and ask whether the
answer is right. All are numbers in, numbers out: a rollout whose correctness cannot be told is None, and gets None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def kimi_length_rewards(lengths: Sequence[int], correct: Sequence[bool | None]) -> list[float | None]:
    """The length reward of each rollout of one group, -0.5 to 0.5; the caller adds it, weighted, to the reward.

        lambda_i = 0.5 - (len_i - min_len) / (max_len - min_len)
        reward_i = lambda_i            where the answer is right
                   min(0, lambda_i)    where it is wrong
        reward_i = 0 for all           where all lengths are equal, as in a group of one

    Minimum and maximum are over the rollouts that were graded, right or wrong. What follows from the formula:

    - It has no scale. Lengths of 100 and 101 tokens earn 0.5 and -0.5, as 100 and 10,000 do.
    - Where all answers are right it is the only difference in the group: length shrinks first where accuracy is saturated,
      and any weight above 0 does that where rewards are divided by their deviation.
    - Where all are wrong nobody is rewarded, yet relative to the group's mean those of the shorter half are ahead of the
      longest. Who does not want that leaves the length reward of such groups out; the paper does not.
    - For rewards of 1 and 0 a right answer earns more than any wrong one of its group only with a weight below 2.
    - One extreme length (a rollout cut off at the budget) compresses the differences among all others.

    Args:
        lengths: tokens of each completion, stop token included. A completion that the budget cut off has the length at which
            it was cut; one that the time limit ended has none, and belongs among those that cannot be told (None).
        correct: whether the answer is right; None where that cannot be told, which leaves the rollout out.

    Raises:
        ValueError: lengths and correct differ in number, or a length is negative.

    Source:
        Kimi Team 2025 (arXiv:2501.12599) section 2.3.3.
    """
    _check(lengths, correct)
    graded = [length for length, right in zip(lengths, correct, strict=True) if right is not None]
    shortest, spread = min(graded, default=0), max(graded, default=0) - min(graded, default=0)
    rewards: list[float | None] = []
    for length, right in zip(lengths, correct, strict=True):
        centred = 0.5 - (length - shortest) / spread if spread else 0.0
        rewards.append(None if right is None else centred if right else min(0.0, centred))
    return rewards


def length_weight(step: int, num_steps: int, *, weight: float, warmup: float, ramp: float = 0.0) -> float:
    """The weight of the length reward in a step, counted from 1: 0 at first, then `weight` to the end.

        0                                                while step <= warmup * num_steps
        weight * min(1, (step - warmup * num_steps) / (ramp * num_steps))    after that; `weight` at once for ramp = 0

    Args:
        weight: at full strength; the paper's is not published.
        warmup: share (0..1) of the run without a length reward; 1 is never.
        ramp: share (0..1) of the run over which the weight then rises, in equal steps. The paper calls its warm-up gradual
            and describes a step function, which is 0 here.

    Raises:
        ValueError: step outside 1..num_steps, a share outside 0..1, or a weight that is negative or not finite.

    Source:
        Kimi Team 2025 (arXiv:2501.12599) section 2.3.3; the ramp is ours.
    """
    if not 1 <= step <= num_steps:
        raise ValueError(f"step = {step}: expected 1 to the number of steps, {num_steps}")
    for name, share in (("warmup", warmup), ("ramp", ramp)):
        if not 0 <= share <= 1:
            raise ValueError(f"{name} = {share}: expected a share of the run, 0 to 1")
    if not 0 <= weight < math.inf:
        raise ValueError(f"weight = {weight}: expected a finite number of at least 0")
    # 0.29 * 100 is 28.999999999999996, and step 29 is still in the first 29 %.
    since = step - warmup * num_steps
    if since <= 1e-9 * num_steps:
        return 0.0
    return weight * min(1.0, since / (ramp * num_steps)) if ramp else weight


def cosine_reward(
    length: int,
    is_correct: bool | None,
    *,
    max_length: int,
    correct: tuple[float, float] = (2.0, 1.0),
    wrong: tuple[float, float] = (-10.0, 0.0),
    exceeded: float = -10.0,
    margin: int = 0,
) -> float | None:
    """A reward for the answer that depends on the completion's length; it takes the place of the accuracy reward.

        cos(t, T, a, b) = a + (b - a) (1 + cos(pi t / T)) / 2          a at t = T, b at t = 0
        reward = exceeded                                              where length + margin >= max_length, right or wrong
                 cos(length, max_length, correct[1], correct[0])       where the answer is right
                 cos(length, max_length, wrong[1], wrong[0])           where it is wrong

    With the paper's values, the defaults, a right answer earns more the shorter it is, and a wrong one less the shorter it
    is: giving up early costs most. So a wrong answer is paid to go on, by repeating itself if need be: hence
    `repetition_penalties`.

    Args:
        length: tokens of the completion, stop token included.
        is_correct: None where that cannot be told: no reward.
        max_length: the completion budget in tokens.
        correct, wrong: rewards of a right and a wrong answer as (length 0, length max_length).
        exceeded: reward of what used up the budget, also if it ended with its last token.
        margin: tokens short of the budget that count as having used it up.

    Raises:
        ValueError: a negative length or margin, max_length below 1, or some wrong answer that would earn as much as some
            right one.

    Source:
        Yeo et al. 2025 (arXiv:2502.03373) section 4 and its code, eddycmu/demystify-long-cot.
    """
    if length < 0 or margin < 0 or max_length < 1:
        raise ValueError(
            f"length = {length}, margin = {margin}, max_length = {max_length}: expected at least 0, 0 and 1"
        )
    if max(wrong) >= min(correct):
        raise ValueError(
            f"wrong = {wrong}, correct = {correct}: expected every right answer to earn more than a wrong one"
        )
    if is_correct is None:
        return None
    if length + margin >= max_length:
        return exceeded
    empty, full = correct if is_correct else wrong
    return full + (empty - full) * (1 + math.cos(math.pi * length / max_length)) / 2


def soft_overlong(length: int, *, max_length: int, cache: int) -> float:
    """A penalty for what comes near the end of its budget: 0 at first, then linearly down to -1, whatever the answer is.

        0                                          length <= max_length - cache
        (max_length - cache - length) / cache      up to max_length
        -1                                         beyond

    A hard penalty at the end alone punishes a sound thought for a few tokens too many; here what is nearly too long is told so.

    Args:
        length: tokens of the completion, stop token included.
        max_length: the completion budget in tokens.
        cache: the last tokens of it, over which the penalty grows; 1 to max_length.

    Raises:
        ValueError: a negative length, or a cache out of its range.

    Source:
        DAPO (arXiv:2503.14476) eq. 13, with 4,096 of 20,480 tokens.
    """
    if length < 0 or not 1 <= cache <= max_length:
        raise ValueError(f"length = {length}, cache = {cache}: expected at least 0, and 1 to max_length = {max_length}")
    return min(max((max_length - cache - length) / cache, -1.0), 0.0)


def repetition_penalties(tokens: Sequence[int], *, ngram: int = 40, penalty: float = -0.05) -> list[float]:
    """A reward per token: `penalty` on every token that lies in an n-gram which occurred before, else 0.

    The first occurrence is free, the tokens of later ones are penalised once each, however often they are covered. The
    paper's code keeps these in a stream of their own with its own discount (0.99, against 1 of the answer's), so that the
    tokens before a loop are not blamed for all of it: `discounted_returns`. Where a completion has one reward, their sum is
    the penalty (a discount of 1); 240 repeated tokens then cost 12, the whole span of the cosine reward.

    Args:
        tokens: the completion's.
        ngram: tokens in a row that count as repeated.
        penalty: at most 0.

    Raises:
        ValueError: ngram below 1, or a penalty above 0.

    Source:
        Yeo et al. 2025 (arXiv:2502.03373) section 4 and its code (RepetitionDensePenalty, whose values are the defaults).
    """
    if ngram < 1:
        raise ValueError(f"ngram = {ngram}: expected at least 1")
    if not -math.inf < penalty <= 0:
        raise ValueError(f"penalty = {penalty}: expected a finite number of at most 0")
    rewards = [0.0] * len(tokens)
    seen: set[tuple[int, ...]] = set()
    end = 0
    for start in range(len(tokens) - ngram + 1):
        gram = tuple(tokens[start : start + ngram])
        if gram in seen:
            for k in range(max(start, end), start + ngram):
                rewards[k] = penalty
            end = start + ngram
        seen.add(gram)
    return rewards


def _check(lengths: Sequence[int], correct: Sequence[bool | None]) -> None:
    if len(lengths) != len(correct):
        raise ValueError(f"{len(lengths)} lengths and {len(correct)} findings: expected one of each per rollout")
    if min(lengths, default=0) < 0:
        raise ValueError(f"lengths: {min(lengths)} is below 0")

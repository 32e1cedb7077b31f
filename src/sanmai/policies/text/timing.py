"""Seconds as a linear function of work: the model that `sanmai plan` fits and the report evaluates.

    sampling = a prompt_tokens + b steps + c tokens + d pairs + e calls
    training = a micro_batches + b tokens + c pairs + d updates + e rollouts

A call costs something however little it samples (weights are cast and laid out for its products), a decode step however few
rollouts are in it (its weights are read, its operations launched), a token costs its products, and a pair (a token and one
that it attends to) its share of attention. A rollout costs something whether it is trained on or not: its advantage is found, it
is packed, and what is on record of it is made anew. All coefficients are at least 0, so that more work never costs less.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

Work = dict[str, float]
"""Amounts by name, such as {"steps": 64.0, "tokens": 16384.0, ...}."""
Coefficients = dict[str, float]
"""Seconds per unit of work, by the same names."""


def sampling_work(
    *, prompts: float, prompt_length: float, rollouts: float, mean: float, longest: float, concurrent: int
) -> Work:
    """What sampling a batch amounts to, from its mean lengths.

    Steps are those of the longest rollout, or, where not all fit at once, those that fill the places:
    max(longest, rollouts x mean / concurrent). Pairs are those of rollouts that all have the mean length.

    Args:
        prompts, rollouts: numbers of them; a prompt is computed once for its group.
        prompt_length: mean tokens of a prompt.
        mean, longest: tokens of the completions.
        concurrent: rollouts that are written at once.
    """
    return {
        "prompt_tokens": prompts * prompt_length,
        "steps": max(longest, rollouts * mean / concurrent),
        "tokens": rollouts * mean,
        "pairs": rollouts * (mean * prompt_length + mean * (mean + 1) / 2),
        "calls": 1.0,
    }


def training_work(
    *, rollouts: float, prompt_length: float, mean: float, micro_tokens: int, updates: float = 1, handled: float = 0
) -> Work:
    """What training on rollouts amounts to, from their mean lengths.

    Args:
        micro_tokens: tokens of a micro-batch.
        updates: optimizer updates that the rollouts are shared out to.
        handled: rollouts of the step, trained on or not.
    """
    length = prompt_length + mean
    return {
        "micro_batches": max(math.ceil(rollouts * length / micro_tokens), updates),
        "tokens": rollouts * length,
        "pairs": rollouts * length * (length + 1) / 2,
        "updates": updates,
        "rollouts": handled,
    }


def begins(lengths: Sequence[int], slots: int) -> list[int]:
    """The decode step at which each rollout begins, where the next that waits takes the first slot that is free.

    Example:
        begins([3, 1, 2, 5], 2) == [0, 0, 1, 3]
    """
    free = list(lengths[:slots])
    heapq.heapify(free)
    found = [0] * len(free)
    for length in lengths[slots:]:
        found.append(free[0])
        heapq.heapreplace(free, free[0] + length)
    return found


def decode_steps(lengths: Sequence[int], slots: int) -> int:
    """Steps until all are written, so many at once.

    Example:
        decode_steps([3, 1, 2, 5], 2) == 8
    """
    return max(begin + length for begin, length in zip(begins(lengths, slots), lengths, strict=True))


def seconds(coefficients: Mapping[str, float], work: Mapping[str, float]) -> float:
    """Predicted seconds; kinds of work that the coefficients do not name are free."""
    return sum(each * work.get(name, 0.0) for name, each in coefficients.items())


def fit(works: Sequence[Work], measured: Sequence[float]) -> Coefficients:
    """The coefficients, none negative, with the least sum of squared relative errors.

        min over x >= 0 of sum_i ((sum_k w_ik x_k) / s_i - 1)^2

    Relative, because a small piece tells as much about a decode step's fixed cost as a large one about a token's. With a
    handful of names the constrained minimum is that of the best subset whose unconstrained minimum is not negative.

    Args:
        works: what was done, all with the same names.
        measured: seconds that each took, above 0.
    """
    names = list(works[0])
    rows = np.array([[work[name] / s for name in names] for work, s in zip(works, measured, strict=True)])
    # Columns of one size: counts of pairs are a million times those of steps.
    scale = np.where((size := np.abs(rows).max(axis=0)) > 0, size, 1.0)
    best, least = np.zeros(len(names)), math.inf
    for count in range(1, min(len(names), len(works)) + 1):
        for subset in map(list, itertools.combinations(range(len(names)), count)):
            columns = rows[:, subset] / scale[subset]
            found, *_ = np.linalg.lstsq(columns, np.ones(len(rows)), rcond=None)
            error = float(np.square(columns @ found - 1.0).sum())
            if (found >= 0).all() and error < least - 1e-9:
                best, least = np.zeros(len(names)), error
                best[subset] = found
    return {name: float(x) for name, x in zip(names, best / scale, strict=True)}

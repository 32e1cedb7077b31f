"""Which problems a step trains on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


def draw(items: Sequence[Item], count: int, *, seed: int, step: int) -> list[Item]:
    """The items of a step, counted from 1: no item twice in a step, nor in an epoch, in an order shuffled anew for each.

    An epoch is len(items) // count steps; the few items that would not fill another step wait for the next epoch. A pure
    function of its arguments, so that a resumed run draws what the first would have drawn (law 6).

    Raises:
        ValueError: there are fewer items than count, or count is below 1.
    """
    if not 1 <= count <= len(items):
        raise ValueError(f"count is {count}; expected 1 to the number of items, {len(items)}")
    epoch, part = divmod(step - 1, len(items) // count)
    order = epoch_order(len(items), seed=seed, epoch=epoch)
    return [items[i] for i in order[part * count : (part + 1) * count]]


def epoch_order(count: int, *, seed: int, epoch: int) -> list[int]:
    """The numbers 0 ... count - 1 in the order in which an epoch, counted from 0, draws them."""
    return np.random.default_rng([seed, epoch]).permutation(count).tolist()

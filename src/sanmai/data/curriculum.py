"""Which problems a step trains on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


def draw(items: Sequence[Item], count: int, *, seed: int, step: int) -> list[Item]:
    """The items of a step, counted from 1: every item once per epoch, in an order shuffled anew for each.

    A pure function of its arguments, so that a resumed run draws what the first would have drawn (law 6). A step that
    crosses the end of an epoch takes the rest from the next one, and may hold an item twice.

    Raises:
        ValueError: there is nothing to draw from.
    """
    if not items:
        raise ValueError("there are no items to draw from")
    start, chosen = (step - 1) * count, []
    for position in range(start, start + count):
        epoch, index = divmod(position, len(items))
        if index == 0 or not chosen:
            order = np.random.default_rng([seed, epoch]).permutation(len(items))
        chosen.append(items[order[index]])
    return chosen

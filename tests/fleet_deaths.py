"""Deaths of a fleet at random times, for the tests that play runs."""

from __future__ import annotations

import random
from collections.abc import Iterator

from sanmai.plan.scale.fleet import TRAINERS, Death, Fleet


def poisson_deaths(fleet: Fleet, *, sampler_rate: float, trainer_rate: float, seed: int) -> Iterator[Death]:
    """Deaths without end, at exponential intervals; a node's memory is short, so one that hits a dead node may be dropped.

    Args:
        sampler_rate: deaths a second of one sampler node.
        trainer_rate: deaths a second of all trainers together.
    """
    total = sampler_rate * fleet.nodes + trainer_rate
    if total <= 0:
        return
    rng, time = random.Random(seed), 0.0
    while True:
        time += rng.expovariate(total)
        is_trainer = rng.random() * total < trainer_rate
        yield Death(time, TRAINERS if is_trainer else rng.randrange(fleet.nodes))

"""How many samplers per trainer, what staleness gains, what a death costs: a run played with every likely split of the GPUs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from sanmai.plan.scale.fleet import TRAINERS, Death, Fleet, StepWork, Timeline, simulate
from sanmai.plan.scale.work import Groups, Rates, Workload, steps_of

_DEATHS = 4
"""Moments, evenly over the steps between two commits, at which a death is tried."""
_TRIED_STEPS = 6
"""That are played to find the best split."""


class Machines(Protocol):
    """What the GPUs are, or machines like the one of a run."""

    @property
    def rates(self) -> Rates: ...

    @property
    def tensor(self) -> int:
        """GPUs of a sampler."""
        ...

    @property
    def per_node(self) -> int:
        """GPUs that die together."""
        ...

    @property
    def least_trainers(self) -> int:
        """Ranks without which the trainers' memory does not hold the model."""
        ...

    @property
    def slots(self) -> int:
        """Rollouts that a sampler writes at once; 0: a part's share of the workload's."""
        ...

    def publish(self, ranks: int) -> float:
        """Seconds in which trainers gather new weights."""
        ...

    def load(self, samplers: int) -> float:
        """Seconds in which each of so many samplers takes them in."""
        ...


@dataclass(frozen=True)
class Failures:
    """As `settings.FailureSettings`."""

    gpu_hours: float
    sampler_restart: float
    trainer_restart: float


class Row(NamedTuple):
    """The best split of so many GPUs at a staleness."""

    gpus: int
    staleness: int
    samplers: int
    """Each of `tensor` GPUs."""
    trainers: int
    """Ranks, a GPU each."""
    step_seconds: float
    """From one step's end to the next, in the mean, behind the first two."""
    tokens_per_second: float
    """Completion tokens that were trained on or written for it."""
    sampler_share: float
    """Of the samplers' time, what went into parts."""
    trainer_share: float
    """Of the trainers' time, what went into updates."""
    age: float
    """Mean updates between the weights that wrote a row and those that it updated."""
    sampler_death: float
    """Seconds that the run is longer when a node of samplers dies once."""
    trainer_death: float
    """The same of the trainers: restart and what is done again."""
    death_share: float
    """Share of time that deaths cost, at the rate of failures that is assumed."""


@dataclass(frozen=True)
class Asked:
    """What is common to all rows."""

    work: Workload
    drawn: tuple[Groups, ...]
    """Rollouts of each step that is played."""
    machines: Machines
    failures: Failures
    parts_per_sampler: int


def rows_of(asked: Asked, gpus: Sequence[int], staleness: Sequence[int]) -> Iterator[Row]:
    """A row for each number of GPUs and each staleness; none where the GPUs do not hold the model."""
    for count in gpus:
        yield from best_splits(asked, count, staleness)


def best_splits(asked: Asked, gpus: int, staleness: Sequence[int]) -> Iterator[Row]:
    """Of each staleness the split with the shortest steps; of equals the one with fewer trainers."""
    tried, played = {}, {}
    quick = replace(asked, drawn=asked.drawn[:_TRIED_STEPS])
    for bound in staleness:
        best: tuple[float, int] | None = None
        for ranks in _likely(quick, gpus, bound):
            steps, fleet = tried[ranks] = tried.get(ranks) or _played(quick, gpus, ranks)
            took = step_seconds(simulate(steps, replace(fleet, staleness=bound)))
            if best is None or took < best[0] * (1 - 1e-9):
                best = took, ranks
        if best is not None:
            steps, fleet = played[best[1]] = played.get(best[1]) or _played(asked, gpus, best[1])
            yield _row(asked, gpus, best[1], steps, replace(fleet, staleness=bound))


def _likely(asked: Asked, gpus: int, staleness: int) -> list[int]:
    """Numbers of trainers around the balance.

    With work a of the samplers and b of the trainers, in GPU seconds a step, b / T + a / (N - T) is least at
    T = N sqrt(b) / (sqrt(a) + sqrt(b)), and max(b / T, a / (N - T)) at T = N b / (a + b).
    """
    m = asked.machines
    unit = math.lcm(m.tensor, m.per_node) if gpus >= 4 * m.per_node else m.tensor
    least = max(m.least_trainers, 1)
    least = math.ceil(least / unit) * unit if (gpus - least) % unit else least
    choices = [ranks for ranks in range(least, gpus, unit) if gpus - ranks >= m.tensor]
    if len(choices) <= 4:
        return choices
    steps, _ = _played(replace(asked, drawn=asked.drawn[:2]), gpus, choices[len(choices) // 2])
    a = sum(part.seconds for step in steps for part in step.parts) * m.tensor
    b = sum(step.training for step in steps) * choices[len(choices) // 2]
    if staleness == 0:
        a, b = math.sqrt(a), math.sqrt(b)
    centre = gpus * b / max(a + b, 1e-12)
    return sorted(sorted(choices, key=lambda ranks: abs(ranks - centre))[:4])


def _played(asked: Asked, gpus: int, ranks: int) -> tuple[list[StepWork], Fleet]:
    """The steps and who does them, staleness 0."""
    m, f = asked.machines, asked.failures
    samplers = (gpus - ranks) // m.tensor
    # Slots are cut like rows, so a sampler with several parts of a step writes one with its share of the slots.
    parts = samplers * asked.parts_per_sampler
    concurrent = parts * m.slots if m.slots else asked.work.concurrent
    work = replace(asked.work, parts=parts, concurrent=concurrent)
    fleet = Fleet(
        samplers, publish=m.publish(ranks), load=m.load(samplers), samplers_per_node=max(m.per_node // m.tensor, 1),
        sampler_restart=f.sampler_restart, trainer_restart=f.trainer_restart,
    )  # fmt: skip
    return steps_of(work, asked.drawn, m.rates, ranks=ranks), fleet


def step_seconds(found: Timeline) -> float:
    """From one step's end to the next, in the mean; the first two fill the pipe."""
    ends = [span.done for span in found.spans]
    skip = min(2, len(ends) - 2)
    return (ends[-1] - ends[skip]) / (len(ends) - 1 - skip) if len(ends) > 1 else ends[0]


def _row(asked: Asked, gpus: int, ranks: int, steps: list[StepWork], fleet: Fleet) -> Row:
    found = simulate(steps, fleet)
    each = step_seconds(found)
    tokens = sum(part.tokens for step in steps for part in step.parts) / len(steps)
    by_sampler, by_trainer = death_seconds(steps, fleet, found)
    deaths = 1 / (asked.failures.gpu_hours * 3600)  # a second and GPU
    is_one_node = gpus <= asked.machines.per_node
    share = deaths * (fleet.samplers * asked.machines.tensor * (by_trainer if is_one_node else by_sampler) + ranks * by_trainer)
    return Row(
        gpus, fleet.staleness, fleet.samplers, ranks, each, tokens / each if each else 0.0, found.sampler_share(fleet),
        found.trainer_share(), found.age, by_sampler, by_trainer, share,
    )  # fmt: skip


def death_seconds(steps: Sequence[StepWork], fleet: Fleet, without: Timeline) -> tuple[float, float]:
    """Seconds that one death of a sampler node, and of the trainers, adds; the mean over moments between two commits."""
    commits = [k for k, step in enumerate(steps) if step.commits]
    last = commits[-1]
    first = commits[-2] if len(commits) > 1 else 0
    begin, end = without.spans[first].done, without.spans[last].done
    if first == last:
        begin = 0.0
    moments = [begin + (end - begin) * (k + 0.5) / _DEATHS for k in range(_DEATHS)]
    added = []
    for node in (0, TRAINERS):
        took = [simulate(steps, fleet, [Death(moment, node)]).seconds for moment in moments]
        added.append(sum(took) / len(took) - without.seconds)
    return max(added[0], 0.0), added[1]

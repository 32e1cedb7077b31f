"""A run on samplers and trainers as events in time.

    a part         rollouts that one sampler writes in one go; the unit of work and of loss
    a step         parts to write -> one update by all trainers together -> publish -> perhaps an evaluation -> save
    step k         may be begun once step k - 1 - staleness is done: 0 is one after the other, 1 writes k while k - 1 is trained;
                   all of it is written by the weights that are the newest at that moment, when its turn comes

What a part takes is given, so the whole is arithmetic on times: no model, no random number but those of the deaths handed in.
A sampler loads new weights before the first part that needs them. One that dies loses the part under way, which is written
by another from its beginning, and comes back empty. When trainers die the run goes on from its last commit: all that was
written and trained after it is done again.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

TRAINERS = -1
"""The place of a death that is not a sampler node's."""
_FRUITLESS = 1000
"""Deaths of trainers without a commit between them, after which a run is said never to end."""


class Part(NamedTuple):
    """Rollouts that one sampler writes in one go."""

    seconds: float
    tokens: float


@dataclass(frozen=True)
class StepWork:
    """What a step has to do.

    Example:
        StepWork(parts=(Part(2.0, 100.0), Part(3.0, 160.0)), training=1.5)
    """

    parts: tuple[Part, ...] = ()
    training: float = 0.0
    """Seconds of all trainers together."""
    evaluation: tuple[Part, ...] = ()
    """Written after the update, with its weights, before anything that waits for this step begins."""
    saving: float = 0.0
    """Seconds, at the end of the step."""
    commits: bool = True
    """A run that dies goes on after this step."""


@dataclass(frozen=True)
class Fleet:
    """Who does it."""

    samplers: int
    staleness: int = 0
    """Updates by which the weights that write a step may be behind those that it updates, above none."""
    publish: float = 0.0
    """Seconds of the trainers to gather and write new weights."""
    load: float = 0.0
    """Seconds of a sampler to take in weights that it does not hold."""
    fills_tail: bool = False
    """Samplers that have nothing left of a step begin the next one while others still write it, where staleness lets them;
    Sanmai's wait (learn/ahead.py writes a step after the other)."""
    samplers_per_node: int = 1
    """That die together."""
    sampler_restart: float = 0.0
    """Seconds until the samplers of a dead node are back, without weights."""
    trainer_restart: float = 0.0
    """Seconds until trainers go on from the last commit after one of them died."""

    def __post_init__(self) -> None:
        for name in ("samplers", "samplers_per_node"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")
        for name in ("staleness", "publish", "load", "sampler_restart", "trainer_restart"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 0")

    @property
    def nodes(self) -> int:
        """Of samplers."""
        return math.ceil(self.samplers / self.samplers_per_node)


class Death(NamedTuple):
    """A node ends at once. One that falls on a node that is dead already is none."""

    time: float
    node: int
    """Of samplers, from 0; TRAINERS."""


class Span(NamedTuple):
    """When a step was worked on, in seconds from the start; of one that was done again, the last time."""

    begun: float
    """Its first part was taken."""
    written: float
    training: float
    """The update began."""
    trained: float
    """Weights are published."""
    done: float


@dataclass(frozen=True)
class Timeline:
    """What came of it."""

    seconds: float
    spans: tuple[Span, ...]
    sampling: float
    """Sampler seconds that went into parts that were finished."""
    loading: float
    """Sampler seconds that went into taking in weights."""
    training: float
    """Seconds of the trainers, those that were done again included; publishing is not."""
    lost: float
    """Sampler seconds of parts that were cut off."""
    deaths: int
    """Of sampler nodes."""
    trainer_deaths: int
    written_tokens: float
    """Of finished parts, evaluations included."""
    repeated_tokens: float
    """Of those, what was written again after the trainers died."""
    written_parts: int
    repeated_parts: int
    age: float
    """Mean number of updates, by tokens, between the weights that wrote a step and those that it updated."""

    def sampler_share(self, fleet: Fleet) -> float:
        """Of the samplers' time, what went into finished parts."""
        return self.sampling / (self.seconds * fleet.samplers) if self.seconds else 0.0

    def trainer_share(self) -> float:
        """Of the trainers' time, what went into updates."""
        return self.training / self.seconds if self.seconds else 0.0


def simulate(steps: Sequence[StepWork], fleet: Fleet, deaths: Iterable[Death] = ()) -> Timeline:
    """Play a run.

    Args:
        steps: in order; one without parts is trained, or evaluated, at once.
        deaths: in order of time.

    Raises:
        ValueError: trainers die so often that no step is ever committed.
    """
    return _Play(steps, fleet, iter(deaths)).run()


class _Task(NamedTuple):
    """A part that waits."""

    step: int
    part: Part
    is_evaluation: bool


@dataclass
class _Sampler:
    task: _Task | None = None
    began: float = 0.0
    loading: float = 0.0
    """Seconds that the work under way began with."""
    held: int | None = None
    """Version of the weights it has."""
    alive: bool = True
    token: int = 0
    """Of the work under way; an end of work that was cut off names another."""


@dataclass
class _Progress:
    """Of a step under way."""

    left: int
    version: int
    """Of the weights that write it: a step's number is that of the weights that its update makes."""
    begun: float = math.nan
    written: float = math.nan
    training: float = math.nan
    trained: float = math.nan
    evaluations_left: int = 0


@dataclass
class _Play:
    steps: Sequence[StepWork]
    fleet: Fleet
    deaths: Iterator[Death]
    events: list[tuple[float, int, str, tuple]] = field(default_factory=list)
    order: Iterator[int] = field(default_factory=itertools.count)

    def run(self) -> Timeline:
        self.samplers = [_Sampler() for _ in range(self.fleet.samplers)]
        self.idle = list(range(self.fleet.samplers))
        """Those that wait for work, as a heap."""
        self.spans: list[Span | None] = [None] * len(self.steps)
        self.sampling = self.loading = self.training = self.lost = 0.0
        self.tokens = self.repeated = self.aged = self.counted = 0.0
        self.parts = self.repeated_parts = self.num_deaths = self.num_trainer_deaths = 0
        self.life = 0
        self.kept = -1
        """The last step that was committed."""
        self.fruitless = 0
        self.now = 0.0
        self._begin(0)
        self._next_death()
        while self.done < len(self.steps) - 1:
            self.now, _, kind, what = heapq.heappop(self.events)
            getattr(self, f"_{kind}")(*what)
        spans = tuple(span for span in self.spans if span is not None)
        return Timeline(
            self.now, spans, self.sampling, self.loading, self.training, self.lost, self.num_deaths,
            self.num_trainer_deaths, self.tokens, self.repeated, self.parts, self.repeated_parts,
            self.aged / self.counted if self.counted else 0.0,
        )  # fmt: skip

    def _at(self, time: float, kind: str, *what: object) -> None:
        heapq.heappush(self.events, (time, next(self.order), kind, what))

    # A life of the run: from a start, or from the last commit, until trainers die.

    def _begin(self, first: int) -> None:
        self.done = first - 1
        self.opened = self.queued = self.started = first
        """The next step that may be begun, to be handed to the samplers, and to be updated with."""
        self.is_training = False
        self.under_way: dict[int, _Progress] = {}
        self.queue: deque[_Task] = deque()
        self.since: list[tuple[int, Part]] = []
        """Finished parts since the last commit, with their steps."""
        self._go_on()

    def _go_on(self) -> None:
        """Whatever can begin now, begins."""
        while self.opened < len(self.steps) and self.opened - 1 - self.fleet.staleness <= self.done:
            self.under_way[self.opened] = _Progress(len(self.steps[self.opened].parts), self.done)
            self.opened += 1
        while self.queued < self.opened and self._may_queue(self.queued):
            progress, parts = self.under_way[self.queued], self.steps[self.queued].parts
            if not parts:
                progress.begun = progress.written = self.now
            self.queue += [_Task(self.queued, part, False) for part in parts]
            self.queued += 1
        self._train()
        while self.queue and self.idle:
            sampler = self.samplers[index := heapq.heappop(self.idle)]
            if sampler.alive and sampler.task is None:  # it may have died, or stand here twice
                self._take(index, sampler)

    def _may_queue(self, step: int) -> bool:
        before = self.under_way.get(step - 1)
        return self.fleet.fills_tail or before is None or before.left == 0

    def _take(self, index: int, sampler: _Sampler) -> None:
        task = self.queue.popleft()
        progress = self.under_way[task.step]
        if math.isnan(progress.begun):
            progress.begun = self.now
        version = task.step if task.is_evaluation else progress.version
        sampler.loading = self.fleet.load if sampler.held != version else 0.0
        sampler.task, sampler.began, sampler.held = task, self.now, version
        sampler.token = next(self.order)
        if not task.is_evaluation:
            self.aged += (task.step - 1 - progress.version) * task.part.tokens
            self.counted += task.part.tokens
        self._at(self.now + sampler.loading + task.part.seconds, "written", index, sampler.token)

    def _written(self, index: int, token: int) -> None:
        sampler = self.samplers[index]
        if sampler.token != token or sampler.task is None:
            return  # cut off by a death
        task, sampler.task = sampler.task, None
        heapq.heappush(self.idle, index)
        self.sampling += task.part.seconds
        self.loading += sampler.loading
        self.tokens += task.part.tokens
        self.parts += 1
        self.since.append((task.step, task.part))
        progress = self.under_way[task.step]
        if task.is_evaluation:
            progress.evaluations_left -= 1
            if progress.evaluations_left == 0:
                self._save(task.step)
        else:
            progress.left -= 1
            if progress.left == 0:
                progress.written = self.now
        self._go_on()

    def _train(self) -> None:
        step = self.started
        is_written = step < self.queued and step in self.under_way and not self.under_way[step].left
        if self.is_training or not is_written or self.done < step - 1:
            return
        self.is_training, self.started = True, step + 1
        self.under_way[step].training = self.now
        publish = self.fleet.publish if self.steps[step].training else 0.0
        self._at(self.now + self.steps[step].training + publish, "trained", step, self.life)

    def _trained(self, step: int, life: int) -> None:
        if life != self.life:
            return
        self.training += self.steps[step].training
        progress, work = self.under_way[step], self.steps[step]
        progress.trained, progress.evaluations_left = self.now, len(work.evaluation)
        if work.evaluation:
            self.queue.extendleft(_Task(step, part, True) for part in reversed(work.evaluation))
            self._go_on()
        else:
            self._save(step)

    def _save(self, step: int) -> None:
        self._at(self.now + self.steps[step].saving, "saved", step, self.life)

    def _saved(self, step: int, life: int) -> None:
        if life != self.life:
            return
        p = self.under_way.pop(step)
        self.spans[step] = Span(p.begun, p.written, p.training, p.trained, self.now)
        self.done, self.is_training = step, False
        if self.steps[step].commits:
            self.kept, self.fruitless = step, 0
            self.since = [(of, part) for of, part in self.since if of > step]
        self._go_on()

    # Deaths.

    def _next_death(self) -> None:
        if (death := next(self.deaths, None)) is not None:
            self._at(death.time, "death", death.node)

    def _death(self, node: int) -> None:
        if node == TRAINERS:
            self._trainers_die()
        else:
            first = node * self.fleet.samplers_per_node
            members = range(first, min(first + self.fleet.samplers_per_node, self.fleet.samplers))
            if members and self.samplers[first].alive:
                self.num_deaths += 1
                for index in members:
                    self._cut_off(self.samplers[index], requeue=True)
                    self.samplers[index].alive = False
                self._at(self.now + self.fleet.sampler_restart, "back", tuple(members))
                self._go_on()  # another takes what was cut off
        self._next_death()

    def _cut_off(self, sampler: _Sampler, *, requeue: bool) -> None:
        if sampler.task is not None:
            self.lost += self.now - sampler.began
            if requeue:
                self.queue.appendleft(sampler.task)
        sampler.task, sampler.held, sampler.token = None, None, -1

    def _back(self, members: tuple[int, ...]) -> None:
        for index in members:
            self.samplers[index].alive = True
            heapq.heappush(self.idle, index)
        self._go_on()

    def _trainers_die(self) -> None:
        """Everything is begun again from the last commit. While that is under way, another death changes nothing."""
        if self.opened > len(self.steps):
            return
        self.num_trainer_deaths += 1
        self.fruitless += 1
        if self.fruitless > _FRUITLESS:
            raise ValueError("trainers die so often that no step is committed between deaths")
        self.life += 1
        for sampler in self.samplers:
            self._cut_off(sampler, requeue=False)
        self.idle = list(range(self.fleet.samplers))
        self.repeated += sum(part.tokens for _, part in self.since)
        self.repeated_parts += len(self.since)
        self.queue.clear()
        self.under_way = {}
        self.opened = self.queued = len(self.steps) + 1  # nothing opens until they are back
        self._at(self.now + self.fleet.trainer_restart, "again", self.life)

    def _again(self, life: int) -> None:
        if life == self.life:
            self._begin(self.kept + 1)

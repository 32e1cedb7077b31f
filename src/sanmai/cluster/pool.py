"""Which sampler writes which part: whoever is free. What a dead or hung one had goes to another, and is counted once."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sanmai.cluster.canary import canary_fails
from sanmai.cluster.config import ClusterConfig
from sanmai.cluster.links import Link, Lost
from sanmai.cluster.published import Publication
from sanmai.types import RunError

_LOOK_SECONDS = 0.2
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
"""Seconds that a sampler is left alone after it was lost, doubled each time until it has written a part again."""


@dataclass
class _Job:
    """A part to be written."""

    number: int
    total: int
    question: Callable[[], dict[str, Any]]
    publication: Publication
    answers: queue.SimpleQueue[tuple[int, dict[str, Any]] | BaseException]
    tries: int = 0
    is_done: bool = False
    is_dropped: bool = False


@dataclass
class _Seat:
    """A sampler, as the pool sees it."""

    link: Link
    is_running: bool = False
    is_well: bool = False
    """At work, or ready for it."""
    holds: str | None = None
    """Digest of what it was found to sample with."""
    pause: float = _FIRST_PAUSE
    told: dict[str, Any] = field(default_factory=dict)
    """What it said of itself when it began."""
    why: str = "it has not come up yet"
    """The last reason for which it was lost."""


class Pool:
    """Samplers with a thread each. Calls may come from several threads at once; each part names the weights that write it."""

    def __init__(
        self, links: Sequence[Link], begin: Mapping[str, Any], config: ClusterConfig, *,
        check: Callable[[str, Mapping[str, Any]], None] = lambda name, told: None, on_look: Callable[[], None] = lambda: None,
    ) -> None:
        """Args:
            begin: the question that a fresh sampler is asked first.
            check: of a sampler's name and its answer to that; RunError where it cannot be of use.
            on_look: called now and then by the thread that waits for parts: `notices` may have something.
        """
        self._on_look = on_look
        self._seats = [_Seat(link) for link in links]
        self._begin, self._config, self._check = begin, config, check
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._threads: list[threading.Thread] = []
        self.notices: queue.SimpleQueue[str] = queue.SimpleQueue()
        """Sentences on samplers that were lost, for who reports them."""

    def write(
        self, questions: Sequence[Callable[[], dict[str, Any]]], publication: Publication
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """(number of the part, the sampler's answer), as they are written.

        Args:
            questions: one per part, made when a sampler takes it.

        Raises:
            RunError: a sampler has other weights, a part has ended too many samplers, or there has been none for too long.
        """
        answers: queue.SimpleQueue[tuple[int, dict[str, Any]] | BaseException] = queue.SimpleQueue()
        jobs = [_Job(n, len(questions), question, publication, answers) for n, question in enumerate(questions)]
        self._start()
        with self._changed:
            self._waiting.extend(jobs)
            self._changed.notify_all()
        try:
            left, well = len(jobs), time.monotonic()
            while left:
                try:
                    found = answers.get(timeout=_LOOK_SECONDS)
                except queue.Empty:
                    if self._is_closed:
                        raise RunError("the samplers were closed while they wrote") from None
                    self._on_look()
                    well = self._patience(well)
                    continue
                if isinstance(found, BaseException):
                    raise found
                left, well = left - 1, time.monotonic()
                yield found
        finally:
            with self._changed:
                for job in jobs:
                    job.is_dropped = True
                self._waiting = deque(job for job in self._waiting if not job.is_dropped)

    def close(self) -> None:
        """End all samplers; waits a few seconds for each that is at work."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        for seat in self._seats:
            seat.link.interrupt()
        for thread in self._threads:
            thread.join(timeout=10.0)
        for seat in self._seats:
            seat.link.close()

    def _start(self) -> None:
        with self._changed:
            if self._is_closed:
                raise ValueError("the samplers are closed")
            if self._threads:
                return
            self._threads = [
                threading.Thread(target=self._serve, args=(seat,), daemon=True, name=seat.link.name) for seat in self._seats
            ]
        for thread in self._threads:  # each starts its own sampler: the kernel ends a child with the thread that started it
            thread.start()

    def _patience(self, well: float) -> float:
        """When some sampler was last well; RunError when that is too long ago."""
        now = time.monotonic()
        if any(seat.is_well for seat in self._seats):
            return now
        if now - well <= self._config.patience_seconds:
            return well
        reasons = "; ".join(f"{seat.link.name}: {seat.why}" for seat in self._seats[:4])
        raise RunError(f"no sampler for {self._config.patience_seconds:g} s (cluster.patience_seconds): {reasons}")

    def _serve(self, seat: _Seat) -> None:
        """A seat's thread: bring its sampler up, and let it write what waits."""
        try:
            while not self._is_closed:
                job: _Job | None = None
                try:
                    if not seat.is_running:
                        self._bring_up(seat)
                    if (job := self._take()) is None:
                        continue
                    answer = self._written(seat, job)
                except Lost as lost:
                    self._lost(seat, job, str(lost))
                    self._rest(seat)
                except RunError as error:
                    seat.is_well = False
                    self._fail(job, error)
                    self._rest(seat)
                else:
                    seat.pause = _FIRST_PAUSE
                    with self._changed:
                        is_first, job.is_done = not job.is_done, True
                    if is_first:
                        job.answers.put((job.number, answer))
        finally:
            seat.is_well = seat.is_running = False
            seat.link.stop()

    def _bring_up(self, seat: _Seat) -> None:
        seat.holds = None
        seat.link.start(self._config.deadline_seconds)
        seat.told = _said(seat, seat.link.ask(self._begin, self._config.deadline_seconds))
        self._check(seat.link.name, seat.told)
        seat.is_running = seat.is_well = True

    def _take(self) -> _Job | None:
        """The next part; None where there is none yet."""
        with self._changed:
            if not self._waiting:
                self._changed.wait(timeout=_LOOK_SECONDS)
            return self._waiting.popleft() if self._waiting and not self._is_closed else None

    def _written(self, seat: _Seat, job: _Job) -> dict[str, Any]:
        job.tries += 1
        link, seconds, publication = seat.link, self._config.deadline_seconds, job.publication
        if seat.holds != publication.digest:
            seat.holds = None
            question = {"do": "load", "digest": publication.digest, "version": publication.version,
                        "canary": publication.canary.tokens_CT}  # fmt: skip
            found = _said(seat, link.ask(question, seconds, publication))
            check_load(link, publication, found)
            seat.holds = publication.digest
        answer = _said(seat, link.ask({**job.question(), "digest": publication.digest}, seconds))
        if "refused" in answer:
            raise RunError(
                f"{link.name} holds weights {_short(answer['refused'])} and was asked to write with {_short(publication.digest)} "
                f"(version {publication.version})"
            )
        return {**answer, "by": link.name}

    def _lost(self, seat: _Seat, job: _Job | None, why: str) -> None:
        seat.is_running = seat.is_well = False
        seat.holds, seat.why = None, why
        seat.link.stop()
        if self._is_closed:
            return
        if job is None:
            self.notices.put(f"{seat.link.name}: {why}")
            return
        self.notices.put(f"{seat.link.name}: {why}; part {job.number + 1} of {job.total} goes to another")
        if job.tries >= self._config.tries:
            self._fail(job, RunError(
                f"part {job.number + 1} of {job.total} was the last of {job.tries} samplers (cluster.tries); the last one: {why}"
            ))  # fmt: skip
            return
        with self._changed:
            if not job.is_dropped:
                self._waiting.appendleft(job)
                self._changed.notify_all()

    def _fail(self, job: _Job | None, error: RunError) -> None:
        """Tell whoever waits; where nobody is known to, all that wait."""
        with self._changed:
            told = [job] if job is not None else list(self._waiting)
        if not told:
            self.notices.put(str(error))
        for one in told:
            one.answers.put(error)

    def _rest(self, seat: _Seat) -> None:
        with self._changed:
            if not self._is_closed:
                self._changed.wait_for(lambda: self._is_closed, timeout=seat.pause)
        seat.pause = min(2 * seat.pause, _LONGEST_PAUSE)


def check_load(link: Link, publication: Publication, found: Mapping[str, Any]) -> None:
    """Raises RunError where a sampler does not compute with the weights that it was given."""
    given = f"{_short(publication.digest)} (version {publication.version})"
    held = found.get("holds")
    if (held is not None or link.tells_digest) and held != publication.digest:
        raise RunError(
            f"{link.name} holds weights {_short(held)} after it was given {given}: what it writes would not be of the policy "
            "that is trained"
        )
    if why := canary_fails(publication.canary, found.get("logp") or []):
        raise RunError(
            f"{link.name} does not compute with the weights {given} that it was given: {why}; what it writes would not be of the "
            f"policy that is trained{f' ({hint})' if (hint := found.get('hint')) else ''}"
        )


def _said(seat: _Seat, answer: dict[str, Any]) -> dict[str, Any]:
    """An answer that is none of an error, which every other sampler would give, too."""
    if "raised" in answer:
        raise RunError(f"{seat.link.name}: {answer['raised']}")
    return answer


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "that it cannot name"

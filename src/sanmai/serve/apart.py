"""HTTP in a process beside the one that computes: Python runs one thread at a time, and neither is to wait for the other's.

    clients --- child: HTTP, JSON, texts --- socket --- this process: the model and its live sampler

The child is a fork, made before any thread is started: it has the model's tokenizer and sizes and never computes with it. A line
of JSON is a message. The child ends with this process, and this process when the child has ended.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
import os
import queue
import signal
import socket
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

from sanmai.cluster.worker import end_with_parent
from sanmai.policies.text.live import BusyError, Event, LiveRequest, LiveSampler
from sanmai.policies.text.model import TextModel
from sanmai.train.stops import handling
from sanmai.types import RunError, StopReason

_FIELDS = ("prompt_tokens", "seeds", "max_tokens", "temperature", "top_p", "top_logprobs", "is_told_at_once")


def can_fork(device: str) -> bool:
    """Whether a process with a model on this device can have such a child."""
    return sys.platform == "linux" and device == "cpu"


class ApartSampler:
    """In the child: takes requests as a LiveSampler does, and has them written by the other process."""

    def __init__(
        self, link: socket.socket, deliver: Callable[[list[Event]], None], *, concurrent: int, max_waiting: int
    ) -> None:
        """Args:
        deliver: is given what became known, on a thread of its own; it must neither wait nor raise.
        concurrent, max_waiting: of the sampler in the other process.
        """
        self._link, self._deliver, self.concurrent, self.max_waiting = link, deliver, concurrent, max_waiting
        self.counts: Counter[str] = Counter()
        """As of LiveSampler."""
        self._numbers = itertools.count()
        self._known: dict[int, LiveRequest] = {}
        self._number_of: dict[LiveRequest, int] = {}
        self._open: dict[LiveRequest, set[int]] = {}
        """The completions of each request that have not ended."""
        self._num_open = 0
        self._lock = threading.Lock()
        self._is_closed = False
        threading.Thread(target=self._read, daemon=True, name="sampler's answers").start()

    @property
    def num_live(self) -> int:
        return min(self._num_open, self.concurrent)

    @property
    def num_waiting(self) -> int:
        return self._num_open - self.num_live

    def submit(self, request: LiveRequest) -> None:
        """Raises as LiveSampler's."""
        if not request.prompt_tokens or request.max_tokens < 1:
            raise ValueError("expected a prompt of at least one token and max_tokens of at least 1")
        with self._lock:
            if self._is_closed:
                raise ValueError("the sampler has ended")
            if self._num_open + len(request.seeds) > self.concurrent + self.max_waiting:
                raise BusyError
            number = next(self._numbers)
            self._known[number], self._number_of[request] = request, number
            self._open[request] = set(range(len(request.seeds)))
            self._num_open += len(request.seeds)
            self.counts["live"] = max(self.counts["live"], self.num_live)
            self._send({"number": number, **{name: getattr(request, name) for name in _FIELDS}})

    def cancel(self, request: LiveRequest, sample: int | None = None) -> None:
        """As LiveSampler's."""
        with self._lock:
            number = self._number_of.get(request)
            if number is None:
                return
            for one in sorted(self._open[request]) if sample is None else [sample]:
                self._ended(request, one, "cancelled")
            self._send({"let_go": number, "sample": sample})

    def close(self) -> None:
        """The other process stops when this one has ended."""
        with self._lock:
            self._is_closed = True

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._link.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self._is_closed = True  # the reader tells those who wait

    def _ended(self, request: LiveRequest, sample: int, how: str) -> None:
        known = self._open.get(request, set())
        if sample not in known:
            return
        known.remove(sample)
        self._num_open -= 1
        self.counts[how] += 1
        if not known:
            del self._open[request], self._known[self._number_of.pop(request)]

    def _read(self) -> None:
        with self._link.makefile("rb") as lines:
            for line in lines:
                self._deliver(self._events(json.loads(line)))
        with self._lock:
            self._is_closed = True
            lost = [(request, sample) for request, samples in self._open.items() for sample in samples]
            self.counts["failed"] += len(lost)
        self._deliver([Event(r, sample, [], [], [], None, "the sampler has ended") for r, sample in lost])

    def _events(self, told: list[list[Any]]) -> list[Event]:
        events = []
        with self._lock:
            for number, sample, tokens, logp, tops, reason, failure in told:
                request = self._known.get(number)
                if request is None or sample not in self._open[request]:
                    continue  # it was let go of in the meantime
                pairs = [[(token, value) for token, value in top] for top in tops]
                ending = None if reason is None else StopReason(reason)
                events.append(Event(request, sample, tokens, logp, pairs, ending, failure))
                self.counts["tokens"] += len(tokens)
                if ending is not None or failure is not None:
                    self._ended(request, sample, "completions" if failure is None else "failed")
        return events


class Apart:
    """Runs a server in a child of this process, which samples for it."""

    def __init__(self, *, concurrent: int, max_waiting: int, cache_tokens: int | None) -> None:
        self.concurrent, self.max_waiting, self.cache_tokens = concurrent, max_waiting, cache_tokens
        self.policy: TextModel | None = None
        """To be set before `run`."""
        self._link: socket.socket | None = None

    def sampler(self, deliver: Callable[[list[Event]], None]) -> ApartSampler:
        """The child's. To be called within the server that `run` runs."""
        assert self._link is not None
        return ApartSampler(self._link, deliver, concurrent=self.concurrent, max_waiting=self.max_waiting)

    def run(self, server: Callable[[], None]) -> None:
        """Run the server in the child, and sample until it has ended."""
        assert self.policy is not None
        own, self._link = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        gc.freeze()  # what both share stays shared
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads that compute: the child never does
            pid = os.fork()
        if pid == 0:
            own.close()
            _child(server)
        self._link.close()

        def stop(_: int) -> None:
            # The terminal's Ctrl-C reaches the child as well, which takes a second one for haste: SIGTERM says it once.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

        with own, handling(stop, signal.SIGINT, signal.SIGTERM):
            self._host(self.policy, own)
            _, status = os.waitpid(pid, 0)
        if code := os.waitstatus_to_exitcode(status):
            raise RunError(f"the process that answers requests ended with exit code {code}")

    def _host(self, policy: TextModel, link: socket.socket) -> None:
        """Write what the child asks for until it has gone."""
        requests: dict[int, LiveRequest] = {}
        numbers: dict[LiveRequest, tuple[int, set[int]]] = {}
        """Of each that has not ended: its number, and its completions that have not."""
        lock = threading.Lock()
        told: queue.SimpleQueue[list[Event] | None] = queue.SimpleQueue()

        def forget(request: LiveRequest, sample: int | None) -> None:
            if request not in numbers:
                return
            number, left = numbers[request]
            left.discard(sample)
            if sample is None or not left:
                requests.pop(number, None)
                numbers.pop(request, None)

        def tell() -> None:
            while (events := told.get()) is not None:
                rows = []
                with lock:
                    for event in events:
                        if event.request not in numbers:
                            continue  # it was let go of in the meantime
                        reason = None if event.stop_reason is None else event.stop_reason.value
                        row = [event.sample, event.tokens, event.logp, event.tops, reason, event.failure]
                        rows.append([numbers[event.request][0], *row])
                        if reason is not None or event.failure is not None:
                            forget(event.request, event.sample)
                try:
                    link.sendall(json.dumps(rows).encode() + b"\n")
                except OSError:
                    return  # it has gone

        telling = threading.Thread(target=tell, daemon=True, name="telling")
        telling.start()
        options: dict[str, Any] = {"concurrent": self.concurrent, "cache_tokens": self.cache_tokens, "max_waiting": sys.maxsize}
        with LiveSampler(policy, told.put, **options) as sampler, link.makefile("rb") as lines:
            for line in lines:
                asked = json.loads(line)
                if "let_go" in asked:
                    if (request := requests.get(asked["let_go"])) is not None:
                        sampler.cancel(request, asked["sample"])
                        with lock:
                            forget(request, asked["sample"])
                    continue
                number = asked.pop("number")
                request = _request(asked)
                with lock:
                    requests[number], numbers[request] = request, (number, set(range(len(request.seeds))))
                sampler.submit(request)
        told.put(None)
        telling.join(5.0)


def _request(asked: dict[str, Any]) -> LiveRequest:
    values: dict[str, Any] = {**asked, "seeds": [tuple(seed) for seed in asked["seeds"]]}
    return LiveRequest(**values)


def _child(server: Callable[[], None]) -> None:
    """The forked process: it ends here."""
    code = 1
    try:
        end_with_parent()
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # its threads are not in a fork
        server()
        code = 0
    except BaseException as error:  # noqa: BLE001 - it must not go on as a second parent
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

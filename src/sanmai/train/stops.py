"""Being asked to stop: by SIGINT (Ctrl-C, a notebook's Stop) and by SIGTERM (Slurm, Kubernetes, `timeout`).

The first signal within a step asks for the end of the step and a checkpoint. A second one, or the end of the grace after a
SIGTERM, ends at once; nothing is lost by that but time, because a resume is exact.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

from sanmai.types import InputError

GRACE_VARIABLE = "SANMAI_GRACE_SECONDS"
GRACE_SECONDS = 25.0
"""Slurm and Kubernetes send SIGKILL 30 s after SIGTERM unless they are told another time."""
_SAME_REQUEST_SECONDS = 1.0
"""`timeout` and container starters send SIGTERM to a process and to its group: one request that arrives twice."""
TERMINATED = 128 + signal.SIGTERM


class Terminated(SystemExit):
    """SIGTERM was heeded; a program that does not catch it ends with exit code 143."""

    def __init__(self) -> None:
        super().__init__(TERMINATED)


def grace_seconds() -> float:
    """How long the step at hand may take after a SIGTERM: the environment's SANMAI_GRACE_SECONDS, or 25."""
    text = os.environ.get(GRACE_VARIABLE, str(GRACE_SECONDS))
    with contextlib.suppress(ValueError):
        if 0 < (seconds := float(text)) <= threading.TIMEOUT_MAX and math.isfinite(seconds):
            return seconds
    raise InputError(f"{GRACE_VARIABLE}={text!r}: expected a number of seconds above 0, such as 25")


class Stop:
    """Whether someone asked to stop, and by which signal."""

    def __init__(self) -> None:
        """Raises InputError when the environment's grace is no number of seconds."""
        self.grace_seconds = grace_seconds()
        self.signal: signal.Signals | None = None
        self._since = 0.0
        self._grace: threading.Timer | None = None

    def hear(self, number: int) -> bool:
        """A signal came; whether it is the first. A later one raises what ends the run at once."""
        heard, now = signal.Signals(number), time.monotonic()
        if self.signal is None:
            self.signal, self._since = heard, now
            if heard == signal.SIGTERM:
                self._grace = threading.Timer(self.grace_seconds, self._leave)
                self._grace.daemon = True
                self._grace.start()
            return True
        if self.signal == heard == signal.SIGTERM and now - self._since < _SAME_REQUEST_SECONDS:
            return False
        raise _error(heard)

    def error(self) -> BaseException:
        """What tells a caller that the run was stopped."""
        return _error(self.signal or signal.SIGINT)

    def end(self) -> None:
        """What was asked for is done: the grace no longer runs."""
        if self._grace is not None:
            self._grace.cancel()
            self._grace.join()

    def _leave(self) -> None:
        """In a thread of its own, since the main one may wait for a disk or a long computation."""
        said = f"sanmai: {self.grace_seconds:g} s after SIGTERM ({GRACE_VARIABLE}) the step is not over: leaving it undone\n"
        with contextlib.suppress(OSError):
            os.write(2, said.encode())
        os._exit(TERMINATED)


def _error(number: signal.Signals) -> BaseException:
    return Terminated() if number == signal.SIGTERM else KeyboardInterrupt()


@contextlib.contextmanager
def handling(handle: Callable[[int], object], *numbers: int) -> Generator[None]:
    """Within, these signals call `handle`. Outside the main thread nothing changes; a SIGTERM that is ignored stays so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {}
    try:
        for number in numbers:
            if number != signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, lambda received, frame: handle(received))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def ending_at_sigterm() -> Generator[None]:
    """Within, a SIGTERM that no step heeds raises Terminated, so that a program can say what it leaves behind."""
    stop = Stop()

    def handle(number: int) -> None:
        if stop.hear(number):
            raise stop.error()

    try:
        with handling(handle, signal.SIGTERM):
            yield
    finally:
        stop.end()

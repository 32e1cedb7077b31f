"""Writing while the work goes on: one thread, in order, a bounded backlog, and no error lost.

The two ends talk through two C queues and share no Python lock, so that a Ctrl-C in the middle of a call cannot leave one held.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable

from sanmai.types import RunError

_NOTES_PER_RECORD = 100
_GLANCE_SECONDS = 0.1
"""Waits are cut into pieces of this: a signal that comes just before a wait is only seen when the wait ends."""


class Writer:
    """Calls functions one after the other on a thread of its own. To be used from one thread."""

    def __init__(self, *, max_waiting: int = 2, patience_seconds: float = 600.0) -> None:
        """No thread is started before there is something to write.

        Args:
            max_waiting: records that may wait while another one is being written.
            patience_seconds: the longest wait for one item; a disk that hangs stops the run.
        """
        self._max_waiting, self._patience_seconds = max_waiting, patience_seconds
        self._todo: queue.SimpleQueue[tuple[Callable[[], None], bool] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._unfinished: Counter[bool] = Counter()
        self._error: BaseException | None = None
        self._is_raised = self._is_closed = False
        self._thread = threading.Thread(target=self._work, daemon=True, name="writer")

    def put(self, write: Callable[[], None], *, is_record: bool) -> None:
        """Have `write` called after everything put before; blocks while too much waits.

        Args:
            write: what it refers to must not change any more.
            is_record: it holds rollouts, or may: `max_waiting` of these wait, and a hundred times as many others.

        Raises:
            What an earlier call of `write` raised: nothing put after that one was or will be written.
            RunError: nothing was finished for patience_seconds.
            ValueError: the writer is closed.
        """
        if self._is_closed:
            raise ValueError("the writer is closed: it takes nothing after that")
        room = 1 + self._max_waiting * (1 if is_record else _NOTES_PER_RECORD)
        while not self._done.empty() or self._unfinished[is_record] >= room:
            self._await_one()
        self._raise_error()
        if self._thread.ident is None:
            self._thread.start()
        self._unfinished[is_record] += 1
        self._todo.put((write, is_record))

    def drain(self) -> None:
        """Return when everything put so far is written. Raises as `put` does."""
        while self._unfinished.total():
            self._await_one()
        self._raise_error()

    def close(self) -> BaseException | None:
        """Write what waits and end the thread; the error that no call has raised yet, if there is one."""
        self._is_closed = True
        self._todo.put(None)
        num_finished, deadline = -1, 0.0
        while self.is_alive:
            if num_finished != self._done.qsize():
                num_finished, deadline = self._done.qsize(), time.monotonic() + self._patience_seconds
            self._thread.join(_GLANCE_SECONDS)
            if self.is_alive and self._done.qsize() == num_finished and time.monotonic() > deadline:
                return self._hung()
        return None if self._is_raised else self._error

    @property
    def is_alive(self) -> bool:
        """The thread may still write."""
        return self._thread.is_alive()

    def _await_one(self) -> None:
        deadline = time.monotonic() + self._patience_seconds
        while True:
            try:
                self._unfinished[self._done.get(timeout=_GLANCE_SECONDS)] -= 1
                return
            except queue.Empty:
                if time.monotonic() > deadline:
                    raise self._hung() from None

    def _raise_error(self) -> None:
        if self._error is not None:
            self._is_raised = True
            raise self._error

    def _hung(self) -> RunError:
        return RunError(
            f"the disk has taken nothing for {self._patience_seconds:g} s; the last checkpoint is intact: mend that and "
            "repeat the command to go on"
        )

    def _work(self) -> None:
        while (item := self._todo.get()) is not None:
            write, is_record = item
            try:
                if self._error is None:
                    write()
            except BaseException as error:  # noqa: BLE001 - not swallowed: raised by the caller's next call
                self._error = error
            del item, write  # let go of the rollouts before the next item comes
            self._done.put(is_record)

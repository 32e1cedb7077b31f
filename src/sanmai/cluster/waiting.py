"""Waiting for what may never answer, with a clock, and for as long as anybody wants to.

Closing a connection in one thread wakes no other that reads from it. So each question runs in a thread of its own, which is left
behind, and who asked waits for a future that others can end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sanmai.cluster.links import Lost

T = TypeVar("T")


class Waiting:
    """Those who wait for one server.

    Example:
        waiting = Waiting()
        waiting.bounded(lambda: client.get(url), 10.0, "no answer")
        waiting.end("the run has ended")  # from another thread
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[Future[Any]] = set()
        self._why = ""

    def bounded(self, work: Callable[[], T], seconds: float, what: str) -> T:
        """What the work gives.

        A client's own limit is of each read, so that bytes one by one would go on for ever.

        Raises:
            Lost: it took longer, or nobody is to wait any more.
        """
        answer: Future[T] = Future()
        with self._lock:
            if self._why:
                raise Lost(self._why)
            self._open.add(answer)

        def run() -> None:
            try:
                found = work()
            except BaseException as error:  # noqa: BLE001 - raised where one waits for it
                self._set(answer, error)
            else:
                self._set(answer, None, found)

        threading.Thread(target=run, daemon=True).start()
        try:
            return answer.result(seconds)
        except TimeoutError:
            raise Lost(what) from None
        finally:
            with self._lock:
                self._open.discard(answer)

    def end(self, why: str) -> None:
        """Who waits is let go at once, and nobody waits any more."""
        with self._lock:
            self._why = self._why or why
            for answer in self._open:
                if not answer.done():
                    answer.set_exception(Lost(why))

    def _set(self, answer: Future[Any], error: BaseException | None, value: Any = None) -> None:
        with self._lock:
            if answer.done():
                return  # nobody waits for it any more
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(value)

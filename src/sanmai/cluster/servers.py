"""One server of a search: whether it answers, how much it has to do, and how much of what it wrote was held against the policy.

A server that accepts and says nothing holds up only those who asked it, and they are let go as soon as it is known: when it has
been silent it is asked for its models, and when it does not name them, all who wait for it go elsewhere. One that names them and
writes nothing is lost when it takes far longer over as many tokens than the slowest answer of all servers did.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sanmai.cluster.links import Lost
from sanmai.cluster.vllm import VllmLink
from sanmai.policies.text.asking import Completion, Request, SamplingConfig
from sanmai.types import RunError

_REST_SECONDS, _LONGEST_REST = 1.0, 30.0
"""After it was lost, before it is asked again; twice as long each time."""
_FAR_LONGER = 10.0


class Server:
    """May be asked from any thread.

    Args:
        make: a new connection to it.
        answers_within: seconds in which it says which model it has, and may be silent with calls under way.
        on_lost: told why, each time it is.
    """

    def __init__(self, make: Callable[[], VllmLink], answers_within: float, on_lost: Callable[[str], None]) -> None:
        self._make, self._within, self._on_lost = make, answers_within, on_lost
        self._link = make()
        self.name = self._link.name
        self._lock = threading.Lock()
        self._rests_until, self._rest = 0.0, _REST_SECONDS
        self._heard = 0.0
        self._is_looked_at = self._is_closed = False
        self._calls: dict[object, tuple[VllmLink, float, int]] = {}
        """Connection, beginning and most tokens of each under way."""
        self._num_late = 0
        self.slowest = 0.0
        """Seconds per token of its slowest answer so far."""
        self.answered = 0.0
        """When its last answer came, on the monotonic clock."""
        self.is_found = False
        """It has said which model it has, and was not lost since."""
        self.num_written = 0
        """Answers since it was found."""
        self.num_agreed = 0
        """Answers, of all, that were held against the policy."""

    @property
    def load(self) -> int:
        """Calls under way."""
        return len(self._calls)

    def hurry(self, slowest: float) -> None:
        """Lose it where a call takes far longer than its tokens would at this pace; twice as much is allowed each time.

        Args:
            slowest: seconds per token of the slowest answer of any server; 0 where there was none.
        """
        now = time.monotonic()
        with self._lock:
            link, far = self._link, _FAR_LONGER * 2**self._num_late * slowest
            late = [one for one in self._calls.values() if slowest and now - one[1] > max(self._within, far * one[2])]
            own = [(now - began, most) for made, began, most in late if made is link]
            self._num_late += bool(own)
        for old in {made for made, *_ in late if made is not link}:
            old.interrupt()  # left behind when it was lost to one of its callers: says nothing of how it does now
        if own:
            waited, most = max(own)
            why = f"no answer of {most} tokens within {waited:.0f} s; the slowest took {slowest:.2g} s a token"
            self._lose(link, why, for_all=True)

    def look(self) -> None:
        """Ask in the background whether it is there, where that is due: it is not known, or silent with calls under way."""
        now = time.monotonic()
        with self._lock:
            is_due = self._calls and now - self._heard > self._within if self.is_found else now >= self._rests_until
            if self._is_looked_at or self._is_closed or not is_due:
                return
            self._is_looked_at = True
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        link = self._link
        try:
            link.ask({"do": "begin"}, self._within)
        except (Lost, RunError) as error:
            self._lose(link, f"it does not say which models it has (engine.silence_seconds): {error}", for_all=True)
        else:
            with self._lock:
                self.is_found, self._heard = link is self._link and not self._is_closed, time.monotonic()
        finally:
            self._is_looked_at = False

    def write(self, request: Request, number: int, config: SamplingConfig, seconds: float) -> Completion:
        """What it writes of a request.

        Raises:
            Lost: no answer came in time, or it was lost while one waited.
            RunError: it is none to what was asked.
        """
        call, began = object(), time.monotonic()
        with self._lock:
            link = self._link
            self._calls[call] = link, began, request.segment or config.max_tokens
        try:
            done = link.write_one(0, number, request, config, None, seconds)
        except Lost as error:
            self._lose(link, str(error), for_all=False)
            raise
        finally:
            with self._lock:
                del self._calls[call]
        with self._lock:
            self._heard = self.answered = time.monotonic()
            self._rest = _REST_SECONDS
            self.slowest = max(self.slowest, (self.answered - began) / len(done.tokens))
            self.num_written += 1
        return done

    def _lose(self, link: VllmLink, why: str, *, for_all: bool) -> None:
        """Take it for lost, unless it has been since by another caller: it is asked nothing until it names its models again.

        Args:
            for_all: who waits for it goes elsewhere; else each has its own deadline, as it may have been slow with one.
        """
        with self._lock:
            if link is not self._link or self._is_closed:
                return
            self._link, self.is_found, self.num_written = self._make(), False, 0
            self._rests_until = time.monotonic() + self._rest
            self._rest = min(2 * self._rest, _LONGEST_REST)
        if for_all:
            link.interrupt()
        self._on_lost(f"{self.name} is lost: {why}")

    def close(self) -> None:
        """Nobody is to wait for it any more; what it never answered is told, where its silence was too short to lose it."""
        with self._lock:
            is_silent = self._is_looked_at and not self.is_found and not self._is_closed and self._rest == _REST_SECONDS
            self._is_closed, self.is_found = True, False
        if is_silent:
            self._on_lost(f"{self.name} has written nothing: when all was written it had not yet said which models it has")
        self._link.interrupt()

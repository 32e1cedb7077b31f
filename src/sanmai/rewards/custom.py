"""A user's reward function, called so that it cannot change its problem, say nothing unnoticed, or stop the whole process.

Its time is bounded by who calls it (rollout/engine.py leaves a grader behind that takes longer than `grading.timeout_seconds`).
That needs other threads to run: code that holds Python's lock, such as a regular expression that backtracks, ends the process.
"""

from __future__ import annotations

import copy
import faulthandler
import numbers
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

from sanmai.types import Problem, RunError, SanmaiError, Trace, Verdict

CustomReward = Callable[[Problem, str], float | None]
"""A user's reward: (problem, completion text) to a finite number, or None when it cannot be graded."""

_MOST = 1e18
"""A reward beyond it leaves no finite mean square in float32, so no advantage."""
_FEWEST = 32
"""Calls before the share of those that gave None is taken for the function's own failing."""
_SILENCE_SECONDS = 180.0
"""No thread of the process ran for so long while a reward was computed: it will not come back."""


class RewardError(SanmaiError, ValueError):
    """A user's reward function gave something that is neither a finite number nor None."""


class Custom:
    """Calls one reward function; may be called from any thread.

    Example:
        Custom("reward", lambda problem, text: 1.0, budget=0.9).verdict(problem, trace).score == 1.0
    """

    def __init__(self, name: str, reward: CustomReward, *, budget: float) -> None:
        """Args:
        budget: share of all calls that may give None; see `check`.
        """
        self.name, self.reward, self.budget = name, reward, budget
        self.counts: Counter[str] = Counter()
        """Calls so far by what came of them: "graded", "ungradable"."""
        self._lock = threading.Lock()

    def verdict(self, problem: Problem, trace: Trace) -> Verdict:
        """What the function says of a completion.

        Raises:
            RewardError: neither a finite number nor None; what else the function raises passes through.
        """
        with _WATCH:
            # A copy: what the function does to its problem is seen by nobody else.
            score = self.reward(copy.deepcopy(problem), trace.text)
        if score is None:
            verdict = Verdict(None, "the reward function gave None", "ungradable")
        elif not isinstance(score, numbers.Real) or not abs(score) <= _MOST:
            expected = f"expected a finite number of at most {_MOST:g}, or None for ungradable"
            raise RewardError(f"{self.name}({problem.id}) = {_shown(score)}: {expected}")
        else:
            verdict = Verdict(float(score), "given by the reward function", "graded")
        with self._lock:
            self.counts[verdict.label] += 1
        return verdict

    def check(self) -> None:
        """Stop where the function gives nothing for nearly everything: such a run would end well and learn nothing.

        Raises:
            RunError: of at least 32 calls, more than the budget's share gave None.
        """
        none, asked = self.counts["ungradable"], self.counts.total()
        if asked >= _FEWEST and none > self.budget * asked:
            raise RunError(
                f"{self.name}: the reward function gave None for {none} of {asked} completions, which leaves nothing to learn "
                f"from; does each of its paths return a number? (rewards.custom_budget = {self.budget:g})"
            )


class _Watch:
    """While a block runs, ends the process, with each thread's place, once none of its threads has run for long."""

    def __init__(self) -> None:
        self._num_running = 0
        self._lock = threading.Lock()
        self._busy = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._num_running += 1
            self._busy.set()
            if self._thread is None or not self._thread.is_alive():  # none yet, or left in the process that was forked
                self._thread = threading.Thread(target=self._beat, daemon=True, name="reward-watch")
                self._thread.start()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._num_running -= 1
            if not self._num_running:
                self._busy.clear()

    def _beat(self) -> None:
        while self._busy.wait():
            try:
                faulthandler.dump_traceback_later(_SILENCE_SECONDS, exit=True, file=sys.__stderr__ or 2)
            except (OSError, RuntimeError, ValueError):  # no stderr: nothing can be said
                return
            time.sleep(min(1.0, _SILENCE_SECONDS / 4))
            if not self._busy.is_set():
                faulthandler.cancel_dump_traceback_later()


_WATCH = _Watch()


def _shown(value: object) -> str:
    try:
        return f"{value!r:.80}"
    except Exception:  # noqa: BLE001 - an integer of 5,000 digits
        return f"a {type(value).__name__}"

"""A user's reward function, called so that it cannot change its problem, say nothing unnoticed, or stop the whole process.

Its time is bounded by who calls it (rollout/engine.py leaves a grader behind that takes longer than `grading.timeout_seconds`).
That needs other threads to run: code that holds Python's lock, such as a regular expression that backtracks, ends the process.
"""

from __future__ import annotations

import asyncio
import copy
import faulthandler
import inspect
import numbers
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from sanmai.rewards.own import Form, form_of, trl_arguments
from sanmai.types import InputError, Problem, RunError, SanmaiError, Trace, Verdict

CustomReward = Callable[[Problem, str], float | None]
"""A user's reward: (problem, completion text) to a finite number, or None when it cannot be graded."""

_MOST = 1e18
"""A reward beyond it leaves no finite mean square in float32, so no advantage."""
_FEWEST = 32
"""Calls before the share of those that gave None is taken for the function's own failing."""
_AT_ONCE = 64
"""Completions that an awaited function is asked about at the same time."""
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
        verdict = verdict_of(self.name, problem, score)
        with self._lock:
            self.counts[verdict.label] += 1
        return verdict

    def check(self) -> None:
        """Stop where the function gives nothing for nearly everything: such a run would end well and learn nothing.

        Raises:
            RunError: of at least 32 calls, more than the budget's share gave None.
        """
        check_counts(self.name, self.counts, self.budget)


class CustomBatch:
    """Calls a reward function for all completions of a step at once: one that takes lists, or one that is awaited; a BatchGrader.

    Example:
        CustomBatch("reward", lambda problems, completions: [1.0 for _ in completions], "batch", budget=0.9, seconds=60)
    """

    def __init__(self, name: str, reward: Callable[..., Any], form: Form, *, budget: float, seconds: float) -> None:
        """Args:
        budget: share of all completions that may be given None; see `check`.
        seconds: time limit of one call.
        """
        self.name, self.reward, self.form, self.budget, self.seconds = name, reward, form, budget, seconds
        self.counts: Counter[str] = Counter()
        """Completions so far by what came of them: "graded", "ungradable"."""

    def __call__(self, items: Sequence[tuple[Problem, Trace]]) -> list[Verdict]:
        """A verdict per completion.

        Raises:
            RunError: the function raised, took too long, or gave no list of finite numbers and None, one for each.
        """
        # Copies: what the function does to its problems is seen by nobody else.
        problems, texts = [copy.deepcopy(problem) for problem, _ in items], [trace.text for _, trace in items]
        scores = self._called(problems, texts)
        if not isinstance(scores, Sequence) and not hasattr(scores, "__len__"):
            raise RunError(f"{self.name} gave {_shown(scores)}: expected a list of {len(items)} numbers, or None, one for each")
        if len(scores) != len(items):
            raise RunError(f"{self.name} gave {len(scores)} rewards for {len(items)} completions: expected one for each")
        try:
            found = [verdict_of(self.name, problem, score) for (problem, _), score in zip(items, scores, strict=True)]
        except RewardError as error:
            raise RunError(str(error)) from None
        self.counts.update(verdict.label for verdict in found)
        return found

    def check(self) -> None:
        """As of Custom."""
        check_counts(self.name, self.counts, self.budget)

    def _called(self, problems: list[Problem], texts: list[str]) -> Any:
        """What the function gives, within its time; in a thread of its own, which is left behind where it hangs."""
        result: list[Any] = []
        failure: list[BaseException] = []

        def call() -> None:
            try:
                with _WATCH:
                    result.append(self._call(problems, texts))
            except BaseException as error:  # noqa: BLE001 - even SystemExit: it is said, and stops the run
                failure.append(error)

        thread = threading.Thread(target=call, daemon=True, name="reward")
        thread.start()
        thread.join(self.seconds)
        if failure and isinstance(failure[0], InputError):
            raise InputError(f"rewards.custom, {self.name}: {failure[0]}") from None
        if failure:
            raise RunError(f"{self.name} raised {type(failure[0]).__name__}: {failure[0]}") from failure[0]
        if not result:
            raise RunError(f"{self.name} took more than {self.seconds:g} s for {len(texts)} completions (rewards.custom_seconds)")
        return result[0]

    def _call(self, problems: list[Problem], texts: list[str]) -> Any:
        if self.form == "one":
            return asyncio.run(self._side_by_side(problems, texts))
        is_trl = self.form == "trl"
        given = self.reward(**trl_arguments(self.reward, problems, texts)) if is_trl else self.reward(problems, texts)
        return asyncio.run(_awaited(given)) if inspect.isawaitable(given) else given

    async def _side_by_side(self, problems: list[Problem], texts: list[str]) -> list[Any]:
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(problem: Problem, text: str) -> Any:
            async with room:
                return await self.reward(problem, text)

        return list(await asyncio.gather(*map(one, problems, texts)))


def make_custom(name: str, reward: Callable[..., Any], *, budget: float, seconds: float) -> Custom | CustomBatch:
    """What calls a reward function in the form that it asks for (rewards/own.py)."""
    form = form_of(name, reward)
    if form == "one" and not inspect.iscoroutinefunction(reward):
        return Custom(name, reward, budget=budget)
    return CustomBatch(name, reward, form, budget=budget, seconds=seconds)


def verdict_of(name: str, problem: Problem, score: Any) -> Verdict:
    """What a reward function gave as a verdict.

    Raises:
        RewardError: it is neither a finite number nor None.
    """
    if score is None:
        return Verdict(None, "the reward function gave None", "ungradable")
    try:
        is_finite = (isinstance(score, numbers.Real) or hasattr(score, "item")) and abs(float(score)) <= _MOST
    except (TypeError, ValueError, OverflowError, RuntimeError):
        is_finite = False
    if not is_finite:
        expected = f"expected a finite number of at most {_MOST:g}, or None for ungradable"
        raise RewardError(f"{name}({problem.id}) = {_shown(score)}: {expected}")
    return Verdict(float(score), "given by the reward function", "graded")


async def _awaited(given: Any) -> Any:
    return await given


def check_counts(name: str, counts: Counter[str], budget: float) -> None:
    """Raises RunError: of at least 32 completions more than the budget's share were "ungradable"."""
    none, asked = counts["ungradable"], counts.total()
    if asked >= _FEWEST and none > budget * asked:
        raise RunError(
            f"{name}: the reward function gave None for {none} of {asked} completions, which leaves nothing to learn "
            f"from; does each of its paths give a number? (rewards.custom_budget = {budget:g})"
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

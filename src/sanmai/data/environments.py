"""Environments as problems: their tasks read, the policy's turns answered, and dialogues scored, in processes of their own.

    problems.source = "verifiers:NAME"              a taskset of `verifiers` 0.4 (`verifiers.v1`), installed or in this folder
    problems.source = "environment:FILE.py:CLASS"   a class of your own, of one turn or several (OwnEnvironment of the child)

Of verifiers, carried are tasks of one turn and of several, with tools that run in the process, whose reward needs nothing but
the dialogue; what needs another agent, a container, a runtime or a judge is refused by name (environment_child.py,
environment_player.py). The process is another Python's where the setting
`python` says so: the package holds libraries at releases that others may not want. It bounds time, not what an environment does:
that is code you chose.
"""

from __future__ import annotations

import json
import math
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sanmai.data.problems import normalised_prompt
from sanmai.sandbox import LineProcess, own_limit
from sanmai.types import InputError, Message, Problem, RunError, Turn

PREFIX = "verifiers:"
OWN_PREFIX = "environment:"
START_SECONDS = 240.0
"""For a process to import the package (some 10 s) and read the tasks."""
MAX_ANSWER_BYTES = 256 << 20
_CHILD = Path(__file__).with_name("environment_child.py")


@dataclass(frozen=True)
class Limits:
    """Of an environment's dialogues."""

    turns: int
    """Turns of the policy at most."""
    told_tokens: int
    """Tokens that the environment says at most in a dialogue, the template's marks around them included."""
    seconds: float
    """Time limit of a reply, and of a reward, from when a process takes it up."""


@dataclass(frozen=True)
class Taskset:
    """Which tasks, and how they are read."""

    name: str
    settings: str = "{}"
    """The taskset's own, as JSON."""
    limit: int | None = None
    python: str | None = None
    """Of the Python that has what it needs; None: this one."""
    is_own: bool = False
    """A class of the user's own, not a taskset of verifiers."""

    @property
    def source(self) -> str:
        """As the setting names it."""
        return f"{OWN_PREFIX if self.is_own else PREFIX}{self.name}"


def is_environment(source: Any, *, prefixes: tuple[str, ...] = (PREFIX, OWN_PREFIX)) -> bool:
    """Whether a source, or one of a list, names an environment."""
    listed = (source,) if isinstance(source, str) else source or ()
    return any(isinstance(name, str) and name.startswith(prefixes) for name in listed)


def environment_names(source: Any, prefix: str) -> list[str]:
    """What a source, or a list of them, names after the prefix: NAME of "verifiers:NAME"."""
    listed = (source,) if isinstance(source, str) else source or ()
    return [name.removeprefix(prefix).strip() for name in listed if isinstance(name, str) and name.startswith(prefix)]


class Environment:
    """Processes that have read one environment's tasks; answers and scores from any thread."""

    def __init__(self, taskset: Taskset, *, workers: int = 1) -> None:
        self.taskset, self.workers = taskset, workers
        self._lock = threading.Lock()
        self._free: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        for _ in range(workers):
            self._free.put(None)

    def read(self) -> dict[str, Any]:
        """The tasks and the package's version, as the process tells them.

        Raises:
            InputError: the package or the taskset is not there, it cannot be carried, or it cannot be read.
        """
        child = self._free.get()
        try:
            if child is None:
                child = _Child(self.taskset)
            return child.said
        except RunError as error:
            raise InputError(f'problems.source = "{self.taskset.source}": {error}') from None
        finally:
            self._free.put(child)

    def ask(
        self, what: str, index: int, key: str, turns: Sequence[Turn], *, seconds: float, deadline: float | None = None
    ) -> dict[str, Any]:
        """{"reward", "rewards"} or {"reply": text or None}; or {"raised": why not}. A process that takes longer is killed.

        Args:
            what: "score" the dialogue, or "reply" to its last turn.
            key: of the task, by which the process tells that it has the same.
            seconds: for the answer, from when a free process takes it up; its start has START_SECONDS.
            deadline: of all of it, waiting and start included, on the monotonic clock; None: as long as those before it take.

        Raises:
            TimeoutError: the deadline came first.
        """
        with own_limit():
            return self._ask(what, index, key, turns, seconds, deadline)

    def _ask(
        self, what: str, index: int, key: str, turns: Sequence[Turn], seconds: float, deadline: float | None
    ) -> dict[str, Any]:
        said = [{"role": turn.role, "content": turn.text, "thought": turn.thought} for turn in turns]
        try:
            child = self._free.get(timeout=None if deadline is None else max(deadline - time.monotonic(), 0.0))
        except queue.Empty:
            raise TimeoutError from None
        try:
            if child is None:
                child = _Child(self.taskset, _within(START_SECONDS, deadline))
            return child.ask({"ask": what, "index": index, "key": key, "turns": said}, _within(seconds, deadline))
        except RunError as error:
            child = _stopped(child)
            _within(0.0, deadline)
            return {"raised": str(error)}
        except TimeoutError:  # before anything was asked
            raise
        except BaseException:  # an interrupt between question and answer: the next answer would be the wrong one
            child = _stopped(child)
            raise
        finally:
            self._free.put(child)

    def close(self) -> None:
        """End the processes that are idle."""
        for _ in range(self._free.qsize()):
            _stopped(self._free.get())
            self._free.put(None)


def _within(seconds: float, deadline: float | None) -> float:
    """So many seconds, or those that are left; TimeoutError where none are."""
    left = math.inf if deadline is None else deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return min(seconds, left)


_OPEN: dict[Taskset, Environment] = {}
_LOCK = threading.Lock()


def environment_of(taskset: Taskset, *, workers: int = 1) -> Environment:
    """The environment of this process for a taskset; one that was read already where no Python is named."""
    with _LOCK:
        known = [each for each in _OPEN if _same_but_python(each, taskset)]
        if taskset.python is None and known:
            return _OPEN[known[-1]]
        return _OPEN.setdefault(taskset, Environment(taskset, workers=workers))


NOT_NAMED = "no setting of this run names the environment {!r} (problems.source): a row of data runs no code of its own choice"


def opened(taskset: Taskset) -> Environment | None:
    """The environment that a setting of this process has opened for a taskset; a row of a file opens none."""
    with _LOCK:
        return next((_OPEN[each] for each in reversed(_OPEN) if _same_but_python(each, taskset)), None)


def _anew(taskset: Taskset, *, workers: int) -> Environment:
    """The environment as its file is now: one that this process had opened is ended."""
    with _LOCK:
        for each in [one for one in _OPEN if _same_but_python(one, taskset)]:
            _OPEN.pop(each).close()
    return environment_of(taskset, workers=workers)


def _same_but_python(one: Taskset, other: Taskset) -> bool:
    return (one.name, one.settings, one.limit, one.is_own) == (other.name, other.settings, other.limit, other.is_own)


@dataclass(frozen=True)
class Dialogue:
    """What a problem of several turns is talked about with."""

    environment: Environment
    index: int
    key: str
    limits: Limits

    def reply(self, turns: Sequence[Turn], deadline: float) -> str | None:
        """What the environment says to the last turn; None: it is over.

        Raises:
            RunError: it gave no reply.
            TimeoutError: the deadline came before its answer, and before its own time limit.
        """
        said = self.environment.ask(
            "reply", self.index, self.key, turns, seconds=self.limits.seconds, deadline=deadline
        )
        if "reply" not in said:
            raise RunError(f"the environment gave no reply: {said.get('raised')}"[:300])
        return said["reply"]


def dialogue_of(problem: Problem) -> Dialogue | None:
    """The dialogue that a problem is; None of one that is answered in one turn."""
    if problem.verifier not in (OWN_PREFIX.rstrip(":"), PREFIX.rstrip(":")):
        return None
    try:
        spec = json.loads(problem.answer or "{}")
        if spec.get("turns", 1) < 2:
            return None
        limits, taskset = Limits(spec["turns"], spec["told_tokens"], spec["seconds"]), taskset_of(spec)
        index, key = spec["index"], spec["key"]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"problem {problem.id}: its answer is no task of an environment ({error})") from None
    if (environment := opened(taskset)) is None:
        raise InputError(f"problem {problem.id}: {NOT_NAMED.format(taskset.name)}")
    return Dialogue(environment, index, key, limits)


def taskset_of(spec: Mapping[str, Any]) -> Taskset:
    """What a problem's reference names."""
    return Taskset(spec["taskset"], spec["settings"], spec["limit"], is_own=bool(spec.get("is_own")))


def environment_problems(
    source: str, settings: Mapping[str, Mapping[str, Any]], *, limit: int | None, python: str | None, workers: int,
    bounds: tuple[float, float], limits: Limits, on_warning: Callable[[str], None],
) -> list[Problem]:  # fmt: skip
    """The problems of a source that `is_environment`; the verifier of its prefix's name scores them.

    Args:
        settings: by environment, its own settings.
        limit: tasks at most, in the environment's order.
        bounds: the rewards that count as 0 and as 1.

    Raises:
        InputError: as `Environment.read`, or no task is in it.
    """
    is_own = source.startswith(OWN_PREFIX)
    prefix = OWN_PREFIX if is_own else PREFIX
    [name] = environment_names(source, prefix)
    if not name:
        raise InputError(f"problems.source = {source!r}: expected {prefix}{'FILE.py:CLASS' if is_own else 'NAME'}")
    taskset = Taskset(name, json.dumps(settings.get(name, {}), sort_keys=True), limit, python, is_own)
    said = (_anew if is_own else environment_of)(taskset, workers=workers).read()
    found: dict[str, Problem] = {}
    version = (
        said["version"] if is_own else ", ".join(filter(None, [said.get("package"), f"verifiers {said['version']}"]))
    )
    turns = limits.turns if said.get("has_turns") else 1
    for task in said["tasks"]:
        spec = {
            "taskset": name, "settings": taskset.settings, "limit": limit, "index": task["index"], "key": task["key"],
            "low": bounds[0], "high": bounds[1], "seconds": limits.seconds, "version": version,
        }  # fmt: skip
        if is_own or turns > 1:
            spec |= {"is_own": is_own, "turns": turns, "told_tokens": limits.told_tokens}
        messages: tuple[Message, ...] = tuple({"role": m["role"], "content": m["content"]} for m in task["messages"])
        problem = Problem(
            f"{source}/{task['index']}", messages, json.dumps(spec), prefix.rstrip(":"),
            tags={**task.get("tags", {}), "environment": name},
        )  # fmt: skip
        # A dialogue is not known by how it begins.
        found.setdefault(normalised_prompt(problem) + (task["key"] if turns > 1 else ""), problem)
    if not found:
        raise InputError(f"problems.source = {source!r}: no task in it")
    if twice := len(said["tasks"]) - len(found):
        same = "is the same" if turns > 1 else "has the same prompt"
        on_warning(f"{source}: {twice} tasks left out because an earlier one {same}")
    return list(found.values())


class _Child(LineProcess):
    """A process that reads an environment's tasks, and answers and scores dialogues."""

    def __init__(self, taskset: Taskset, seconds: float = START_SECONDS) -> None:
        """Raises RunError: it cannot be started in that time, ends, or refuses the taskset."""
        python = taskset.python or sys.executable
        try:
            super().__init__([python, "-I", str(_CHILD)])
        except OSError as error:
            raise RunError(f"{python}: cannot be started ({error.strerror or error})") from None
        try:
            asked = {
                "load": taskset.name, "config": json.loads(taskset.settings), "limit": taskset.limit, "is_own": taskset.is_own,
            }  # fmt: skip
            self.said = self.ask(asked, seconds)
            if reason := self.said.get("refused"):
                raise RunError(f"cannot be carried: {reason}")
            if reason := self.said.get("raised"):
                missing = "No module named 'verifiers'" in reason
                hint = "; name a Python that has it: problems.verifiers.python (pip install 'verifiers>=0.4,<0.5')"
                raise RunError(f"{reason}{hint if missing else ''}")
        except BaseException:
            self.stop()
            raise

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Raises RunError: no answer within that time, or the process ended."""
        deadline = time.monotonic() + seconds
        try:
            self.write(json.dumps(request).encode() + b"\n", deadline)
            return json.loads(self.read_line(deadline, most=MAX_ANSWER_BYTES))
        except TimeoutError:
            raise RunError(f"no answer within {seconds:g} s") from None
        except (OSError, EOFError, ValueError) as error:
            said = self.last_words()
            raise RunError(f"its process ended{f': {said}' if said else f' ({error})'}") from None


def _stopped(child: _Child | None) -> None:
    if child is not None:
        child.stop()

"""Runs in a process of its own: reads the tasks of one environment, answers the policy's turns and scores dialogues.

An environment is a taskset of `verifiers` (0.4, `verifiers.v1`), or a class of the user's own (see OwnEnvironment).

Started as a script by the Python that has what the environment needs, which need not be Sanmai's: of Sanmai nothing is imported.
A line of JSON is a request, a line of JSON the answer; what the environment prints goes to standard error. Neither the server of
verifiers, nor its runtimes, harnesses or cloud are touched: a task that needs one of them is named, and not carried. What has
several turns or tools is played by environment_player.py.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import inspect
import itertools
import json
import math
import os
import queue
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

TASKS: dict[int, Any] = {}
PLAYED: list[Player] = []
"""What plays the tasks of several turns, where that is what was loaded."""
OWN: list[OwnEnvironment] = []
"""The user's own environment, where that is what was loaded."""


def main() -> None:
    requests, answers = os.fdopen(os.dup(0), "r", encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what an environment prints is no answer
    sys.path.append(os.getcwd())  # one beside the settings, as an installed one
    pending: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in requests:
            pending.put(line)
        os._exit(0)  # who asked is gone, whatever a reward is doing

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            answer = answered(json.loads(pending.get()))
        except BaseException as error:  # noqa: BLE001 - another's code: whatever it raises is told
            answer = {"raised": f"{type(error).__name__}: {str(error)[:500]}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def answered(request: dict[str, Any]) -> dict[str, Any]:
    if "load" in request:
        name, config, limit = request["load"], request["config"], request["limit"]
        if request["is_own"]:
            OWN.append(OwnEnvironment(name, config))
            return OWN[0].read(limit)
        return load(name, config, limit)
    index, key, turns = request["index"], request["key"], request["turns"]
    if OWN:
        return OWN[0].answered(request["ask"], index, key, turns)
    return PLAYED[0].answered(request["ask"], index, key, turns) if PLAYED else score(index, key, turns)


class OwnEnvironment:
    """A class of a file or module:

        class Chain:
            def __init__(self, **settings): ...                          # what settings name
            def tasks(self): yield {"prompt": "what is 2 plus 3 ?", ...}  # dictionaries that JSON can hold
            def reply(self, task, turns): return "and plus 4 ?"           # what the environment says; None: it is over
            def reward(self, task, turns): return 1.0                     # of the whole dialogue; None: it cannot be graded

    `turns` are {"role": "assistant", "content": ..., "thought": ...} and {"role": "user", "content": ...} after the prompt, in
    order; the last is the assistant's. Without `reply` there is one turn. It keeps nothing between calls that a reply or reward
    hangs on: another process may be asked the next time, and the same dialogue must get the same answer.
    """

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        where, _, attribute = name.rpartition(":")
        if not where or not attribute.isidentifier():
            raise ValueError("expected environment:FILE.py:CLASS or environment:package.module:CLASS")
        module = _module(where)
        found = getattr(module, attribute, None)
        if not isinstance(found, type):
            raise ValueError(f"no class {attribute} in {where}")
        source = Path(module.__file__ or "").read_bytes() if module.__file__ else b""
        self.version = f"{attribute} {hashlib.sha256(source).hexdigest()[:12]}"
        self.made = found(**config)
        if missing := [each for each in ("tasks", "reward") if not callable(getattr(self.made, each, None))]:
            raise ValueError(f"{attribute} has no {' and no '.join(missing)}")

    def read(self, limit: int | None) -> dict[str, Any]:
        shown = []
        for index, task in enumerate(itertools.islice(self.made.tasks(), limit)):
            messages = _messages_of_own(task, index)
            TASKS[index] = (task, _key(task))
            shown.append({"index": index, "key": _key(task), "messages": messages, "tags": _tags(task.get("tags"))})
        return {"tasks": shown, "has_turns": callable(getattr(self.made, "reply", None)), "version": self.version}

    def answered(self, ask: str, index: int, key: str, turns: list[dict[str, str]]) -> dict[str, Any]:
        task, known = TASKS.get(index, (None, None))
        if known != key:
            return {"raised": "the environment makes another task now"}
        if ask == "reply":
            said = self.made.reply(task, turns)
            if said is not None and not isinstance(said, str):
                return {"raised": f"reply gave {type(said).__name__}; expected text or None"}
            return {"reply": said}
        value = self.made.reward(task, turns)
        if value is None or not math.isfinite(float(value)):
            return {"raised": f"no finite reward: {value!r}"}
        return {"reward": float(value), "rewards": {"reward": float(value)}}


def _module(where: str) -> Any:
    if not where.endswith(".py"):
        return import_module(where)
    path = Path(where).resolve()
    if not path.is_file():
        raise ValueError(f"there is no file {where}")
    sys.path.insert(0, str(path.parent))
    sys.dont_write_bytecode = True  # of a file that is being written at: one changed within a second would not be read anew
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _messages_of_own(task: Any, index: int) -> list[dict[str, str]]:
    prompt = task.get("prompt") if isinstance(task, dict) else None
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}]
    try:
        found = [{"role": str(m["role"]), "content": str(m["content"])} for m in prompt or ()]
    except (TypeError, KeyError):
        found = []
    if not found or found[-1]["role"] != "user":
        raise ValueError(
            f'task {index}: expected a dictionary with "prompt", a text or messages that end with the user\'s'
        )
    return found


def _tags(given: Any) -> dict[str, Any]:
    return (
        {str(k): v for k, v in given.items() if isinstance(v, str | int | float | bool)}
        if isinstance(given, dict)
        else {}
    )


def _key(task: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(task, sort_keys=True).encode()).hexdigest()[:16]


def load(name: str, config: dict[str, Any], limit: int | None) -> dict[str, Any]:
    """The tasks, or why they cannot be carried ("refused")."""
    vf, loaders = import_module("verifiers.v1"), import_module("verifiers.v1.utils.loaders")
    kind = loaders.taskset_class(name)
    made = kind(_config_type(vf, kind)(id=name, **config))
    environment = loaders.environment_class(name)
    if reason := refusal_of(vf, kind, made, limit):
        return {"refused": reason}
    toolsets = [*kind.toolsets(made.config), *kind.task_type().toolsets(made.config.task)]
    if environment is not vf.SingleAgentEnv or toolsets:
        player = Player(loaders, name, environment, made)
        if reason := player.refusal_of(vf, toolsets):
            return {"refused": reason}
        PLAYED.append(player)
    found = []
    for task in itertools.islice(made, limit):
        if not (reason := unfit(task, is_played=bool(PLAYED))):
            messages = PLAYED[0].opening(task) if PLAYED else messages_of(task.data)
            reason = unfit_prompt(messages)
        if reason:
            return {"refused": f"task {task.data.idx}: {reason}"}
        TASKS[task.data.idx] = task
        found.append({"index": task.data.idx, "key": task.key, "name": task.data.name, "messages": messages})
    package = _package_version(loaders.import_taskset(name).__name__)
    return {"tasks": found, "version": _version("verifiers"), "package": package, "has_turns": bool(PLAYED)}


class Player:
    """Plays the episodes of one taskset's environment; see environment_player.py."""

    def __init__(self, loaders: Any, name: str, environment: Any, made: Any) -> None:
        self.by = _beside("environment_player")
        self.environment, self.made = environment, made
        self.config = loaders.env_config_type(name).model_construct(taskset=made.config)
        self.said: dict[int, str | None] = {}
        """By task, what the environment itself opens the dialogue with, after the prompt."""

    def refusal_of(self, vf: Any, toolsets: list[Any]) -> str | None:
        return self.by.env_unfit(vf, self.environment, self.config) or self.by.tools_unfit(toolsets)

    def opening(self, task: Any) -> list[dict[str, str]] | None:
        """The messages before the policy's first turn, what it is told of tools among them."""
        played = self._played(task, [], is_scored=False)
        if played.is_over:
            raise self.by.CannotPlayError(f"task {task.data.idx}: its run ends before a turn")
        self.said[task.data.idx] = played.said
        messages = messages_of(played.task.data)
        if messages is None:
            return None
        if played.told_of_tools:
            system = [m["content"] for m in messages[:1] if m["role"] == "system"]
            messages = [{"role": "system", "content": "\n\n".join([*system, played.told_of_tools])}, *messages[len(system) :]]
        return messages if played.said is None else [*messages, {"role": "user", "content": played.said}]

    def answered(self, ask: str, index: int, key: str, turns: list[dict[str, str]]) -> dict[str, Any]:
        task = TASKS.get(index)
        if task is None or task.key != key:
            return {"raised": "the taskset makes another task now"}
        opened = self.said[index]
        turns = [*([] if opened is None else [{"role": "user", "content": opened, "thought": ""}]), *turns]
        played = self._played(task, turns, is_scored=ask == "score")
        if ask == "score":
            return rewards_of(played.trace)
        if played.said is None and not played.is_over:
            return {"raised": "it asks for another turn and says nothing to it"}
        return {"reply": played.said}

    def _played(self, task: Any, turns: list[dict[str, str]], *, is_scored: bool) -> Any:
        return asyncio.run(self.by.play(self.environment, self.config, self.made, task, turns, is_scored=is_scored))


def _beside(name: str) -> Any:
    """A module of this folder, which is not on the path: others there have names of the library's."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # its dataclasses look for their module
    spec.loader.exec_module(module)
    return module


def _config_type(vf: Any, kind: Any) -> Any:
    """The configuration that a taskset declares: its own fields are in no other."""
    return import_module("verifiers.v1.utils.generic").concrete_type(kind, vf.TasksetConfig) or vf.TasksetConfig


def refusal_of(vf: Any, kind: Any, made: Any, limit: int | None) -> str | None:
    """Why a taskset as a whole cannot be carried; None where it can."""
    task = kind.task_type()
    own = [hook for hook in ("setup", "finalize", "stage_verifier") if getattr(task, hook) is not getattr(vf.Task, hook)]
    checks = (
        (task.NEEDS_CONTAINER, "its tasks run in a container"),
        (own, f"its tasks have {', '.join(own)}, which prepare a runtime"),
        (made.config.task.judges, "its reward asks judges"),
        (not made.bounded and limit is None, "it never ends; problems.limit says how many of its tasks to take"),
    )
    return next((reason for holds, reason in checks if holds), None)


def unfit(task: Any, *, is_played: bool) -> str | None:
    """Why one task cannot be carried."""
    data = task.data
    hooks = [*task.hooks("reward"), *task.hooks("metric")]
    needing = [fn.__name__ for fn in hooks if _needs_runtime(fn)]
    checks = (
        (data.prompt is None and not is_played, "it has no prompt: the user opens the conversation"),
        (data.image or data.workdir or data.skills or data.artifacts, "it names an image, a folder, skills or artifacts"),
        (task.plugged_judges(), "its reward asks judges"),
        (needing, f"{', '.join(needing)} needs a runtime"),
        (not task.hooks("reward") and not is_played, "it has no reward"),
        (is_played and task.hooks("stop"), "its tasks have stop conditions, which end a turn of the package's own agent"),
    )
    return next((reason for holds, reason in checks if holds), None)


def unfit_prompt(messages: list[dict[str, str]] | None) -> str | None:
    """Why the messages before the first turn cannot be carried."""
    if messages is None:
        return "its prompt holds more than text"
    return None if messages and messages[-1]["role"] == "user" else "its prompt does not end with the user"


def _needs_runtime(function: Any) -> bool:
    parameter = inspect.signature(function).parameters.get("runtime")
    return parameter is not None and parameter.default is inspect.Parameter.empty


def messages_of(data: Any) -> list[dict[str, str]] | None:
    """The prompt as messages of role and text; None where there is more in it than text."""
    if data.prompt is None:
        return []
    given = [("user", data.prompt)] if isinstance(data.prompt, str) else [(m.role, m.content) for m in data.prompt]
    if data.system_prompt:
        given.insert(0, ("system", data.system_prompt))
    if any(role not in ("system", "user", "assistant") or not isinstance(text, str) for role, text in given):
        return None
    return [{"role": role, "content": text} for role, text in given]


def score(index: int, key: str, turns: list[dict[str, str]]) -> dict[str, Any]:
    """The weighted sum of a task's rewards, and each; "raised" where one raised or said nothing."""
    vf = import_module("verifiers.v1")
    task = TASKS.get(index)
    if task is None or task.key != key:
        return {"raised": "the taskset makes another task now"}
    trace = trace_of(vf, task, turns[-1]["thought"], turns[-1]["content"])
    asyncio.run(task.score(trace))
    return rewards_of(trace)


def rewards_of(trace: Any) -> dict[str, Any]:
    """The reward of a trace that was scored, and each; "raised" where one said nothing."""
    values = {name: None if reward is None else float(reward.value) for name, reward in trace.rewards.items()}
    silent = [name for name, value in values.items() if value is None or not math.isfinite(value)]
    if silent or not values:
        return {"raised": f"no finite reward of {', '.join(silent) or 'any name'}"}
    return {"reward": float(trace.reward), "rewards": values}


def trace_of(vf: Any, task: Any, thought: str, answer: str) -> Any:
    """The dialogue as the package records one: the prompt, and one reply that was sampled."""
    types = import_module("verifiers.v1.types")
    kinds = {"system": types.SystemMessage, "user": types.UserMessage, "assistant": types.AssistantMessage}
    said = [kinds[m["role"]](content=m["content"]) for m in messages_of(task.data) or []]
    nodes = [vf.MessageNode(parent=k - 1 if k else None, message=message) for k, message in enumerate(said)]
    reply = types.AssistantMessage(content=answer, reasoning_content=thought or None)
    nodes.append(vf.MessageNode(parent=len(said) - 1 if said else None, message=reply, sampled=True))
    trace = vf.Trace(
        agent=vf.AgentInfo(config=vf.AgentConfig()),
        task=vf.TraceTask(type=type(task).__name__, data=task.data, key=task.key, hash=task.hash),
    )
    trace.nodes = nodes
    return trace


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _package_version(module: str) -> str | None:
    from importlib.metadata import packages_distributions

    found = packages_distributions().get(module.partition(".")[0], [])
    return f"{found[0]} {_version(found[0])}" if found else None


if __name__ == "__main__":
    main()

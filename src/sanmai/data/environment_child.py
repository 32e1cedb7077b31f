"""Runs in a process of its own: reads the tasks of one environment, answers the policy's turns and scores dialogues.

An environment is a taskset of `verifiers` (0.4, `verifiers.v1`), or a class of the user's own (see OwnEnvironment).

Started as a script by the Python that has what the environment needs, which need not be Sanmai's: of Sanmai nothing is imported.
A line of JSON is a request, a line of JSON the answer; what the environment prints goes to standard error. Neither the server of
verifiers, nor its runtimes, harnesses or cloud are touched: a task that needs one of them is named, and not carried.
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
SEVERAL_TURNS = (
    "several turns, which the package has written by its own agents, harnesses and tool servers; as a class with `reply` "
    "(environment:FILE.py:CLASS, docs/data.md) they can be trained on"
)
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
    return score(index, key, turns)


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
    if reason := refusal_of(vf, kind, made, loaders.environment_class(name), limit):
        return {"refused": reason}
    found = []
    for task in itertools.islice(made, limit):
        if reason := unfit(task):
            return {"refused": f"task {task.data.idx}: {reason}"}
        TASKS[task.data.idx] = task
        found.append({
            "index": task.data.idx, "key": task.key, "name": task.data.name, "messages": messages_of(task.data),
        })  # fmt: skip
    return {"tasks": found, "version": _version("verifiers"), "package": _package_version(loaders.import_taskset(name).__name__)}


def _config_type(vf: Any, kind: Any) -> Any:
    """The configuration that a taskset declares: its own fields are in no other."""
    return import_module("verifiers.v1.utils.generic").concrete_type(kind, vf.TasksetConfig) or vf.TasksetConfig


def refusal_of(vf: Any, kind: Any, made: Any, environment: Any, limit: int | None) -> str | None:
    """Why a taskset as a whole cannot be carried; None where it can."""
    task = kind.task_type()
    own = [hook for hook in ("setup", "finalize", "stage_verifier") if getattr(task, hook) is not getattr(vf.Task, hook)]
    checks = (
        (environment is not vf.SingleAgentEnv, f"it has an environment of its own ({environment.__name__}): {SEVERAL_TURNS}"),
        (task.NEEDS_CONTAINER, "its tasks run in a container"),
        (kind.toolsets(made.config) or task.toolsets(made.config.task), f"it has tools: {SEVERAL_TURNS}"),
        (own, f"its tasks have {', '.join(own)}, which prepare a runtime"),
        (made.config.task.judges, "its reward asks judges"),
        (not made.bounded and limit is None, "it never ends; problems.limit says how many of its tasks to take"),
    )
    return next((reason for holds, reason in checks if holds), None)


def unfit(task: Any) -> str | None:
    """Why one task cannot be carried."""
    data = task.data
    hooks = [*task.hooks("reward"), *task.hooks("metric")]
    needing = [fn.__name__ for fn in hooks if _needs_runtime(fn)]
    texts = messages_of(data)
    checks = (
        (data.prompt is None, "it has no prompt: the user opens the conversation"),
        (data.image or data.workdir or data.skills or data.artifacts, "it names an image, a folder, skills or artifacts"),
        (task.plugged_judges(), "its reward asks judges"),
        (needing, f"{', '.join(needing)} needs a runtime"),
        (not task.hooks("reward"), "it has no reward"),
        (texts is None, "its prompt holds more than text"),
        (texts is not None and texts[-1:] and texts[-1]["role"] != "user", "its prompt does not end with the user"),
    )
    return next((reason for holds, reason in checks if holds), None)


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

"""Plays an episode of a `verifiers` environment by turns that were written elsewhere, and says what the environment does next.

An environment of 0.4 is a function (`Env.run`) that holds a conversation open with its agent, and gives it a turn with
`await interaction.turn(text)`; tools are functions of a `Toolset`. Here the agent is the turns that there are: the function is
run from its beginning, each of its turns is answered by the next that was written, and where they end, what it says is the
reply. So it needs no server, harness or runtime of the package, and keeps nothing between two answers; what it says a second
time to the same turns must be the same, and is compared.

Tools are called in this process. The model is told of them in its system message and calls them by text, as Qwen's template
has it (<tool_call>{"name": ..., "arguments": {...}}</tool_call>); what they give comes back as <tool_response>.

Runs beside environment_child.py in the Python of the environment: of Sanmai nothing is imported.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from types import SimpleNamespace
from typing import Any

SEVERAL_AGENTS = "it has several agents ({}): another model would have to be one of them"
_CALL = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.DOTALL)
_TOLD_OF_TOOLS = """# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""

Turn = dict[str, str]


class Said(BaseException):
    """What the environment says where the turns end; no Exception, so that nobody's code takes it for an error of its own."""

    def __init__(self, text: str | None) -> None:
        super().__init__(text)
        self.text = text


class CannotPlayError(Exception):
    """Why an environment cannot be carried."""


@dataclass
class Tools:
    """The tools of one episode, by the name that the model calls them by."""

    servers: dict[str, tuple[Any, str]] = field(default_factory=dict)
    """Server and its own name of the tool."""
    shown: list[dict[str, Any]] = field(default_factory=list)

    @property
    def prompt(self) -> str:
        return _TOLD_OF_TOOLS.format("\n".join(json.dumps(one) for one in self.shown)) if self.shown else ""

    async def called(self, request: str) -> tuple[str, str, str]:
        """Name, arguments and what came of it, of one call as it was written."""
        try:
            asked = json.loads(request)
            name, arguments = str(asked["name"]), asked.get("arguments") or {}
            if not isinstance(arguments, dict):
                raise TypeError("arguments: expected an object")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return "", request, f"Error: this is no call ({error})"
        said = json.dumps(arguments)
        if name not in self.servers:
            return name, said, f"Error: there is no tool {name}; there are {', '.join(self.servers)}"
        server, own = self.servers[name]
        try:
            return name, said, _text_of(await server.call_tool(own, arguments))
        except CannotPlayError:
            raise
        except Exception as error:  # noqa: BLE001 - as a tool server does: what a tool raises is told to whoever called it
            return name, said, f"Error: {error}"


def _text_of(result: Any) -> str:
    parts = getattr(result, "content", result)
    parts = parts if isinstance(parts, list | tuple) else [parts]
    texts = [getattr(part, "text", None) for part in parts]
    if any(text is None for text in texts):
        raise CannotPlayError("a tool gave more than text")
    return "\n".join(map(str, texts))


@contextlib.asynccontextmanager
async def opened_tools(made: Any, task: Any, state: Any) -> AsyncGenerator[Tools]:
    """The tools of a task and of its taskset, set up in this process; each episode has its own."""
    found, stack = Tools(), contextlib.AsyncExitStack()
    task_kind = type(made).task_type()
    async with stack:
        for kinds, is_task in ((type(made).toolsets(made.config), False), (task_kind.toolsets(made.config.task), True)):
            for toolset in kinds:
                await _add(found, toolset, task, state, stack, is_task=is_task)
        yield found


async def _add(found: Tools, toolset: Any, task: Any, state: Any, stack: Any, *, is_task: bool) -> None:
    server_kind = import_module("mcp.server.mcpserver").MCPServer

    async def pull() -> Any:
        return state

    async def push(before: bytes) -> None: ...

    toolset._pull_state, toolset._push_state = pull, push  # a channel of HTTP otherwise: the state is this episode's
    await stack.enter_async_context(toolset._exit_stack)
    await toolset.setup()
    if is_task:
        await toolset.setup_task(task.data)
    server = server_kind(toolset.server_name or type(toolset).__name__)
    toolset.register(server)
    prefix = f"{toolset.server_name}_" if toolset.server_name else ""
    for tool in await server.list_tools():
        known = getattr(tool, "parameters", None) or getattr(tool, "input_schema", None) or getattr(tool, "inputSchema", None)
        found.servers[f"{prefix}{tool.name}"] = (server, tool.name)
        about = {"name": f"{prefix}{tool.name}", "description": tool.description or "", "parameters": known or {}}
        found.shown.append({"type": "function", "function": about})


def tools_unfit(toolsets: Sequence[Any]) -> str | None:
    """Why tools cannot be called in this process; None where they can."""
    runtimes = import_module("verifiers.v1.runtimes")
    for each in toolsets:
        name, config = type(each).__name__, each.config
        if getattr(config, "url", None):
            return f"its tools {name} stand behind a URL"
        if not isinstance(getattr(config, "runtime", None), runtimes.SubprocessConfig) or getattr(config, "colocated", False):
            return f"its tools {name} need a runtime of their own"
    return None


class _Script:
    """The dialogue so far; what is read of it is written into the trace."""

    def __init__(self, turns: Sequence[Turn], trace: Any, tools: Tools, *, is_scored: bool) -> None:
        self.left, self.trace, self.tools, self.is_scored = deque(turns), trace, tools, is_scored
        self.is_over = False

    def add(self, message: Any, *, sampled: bool = False) -> None:
        nodes = self.trace.nodes
        node = import_module("verifiers.v1").MessageNode
        nodes.append(node(parent=len(nodes) - 1 if nodes else None, message=message, sampled=sampled))

    def hear(self, text: str) -> bool:
        """The environment says this; False where the dialogue was cut before it.

        Raises Said: there is no turn after it, and one is asked for.
        """
        if not self.left:
            if not self.is_scored:
                raise Said(text)
            self.is_over = True
            return False
        before = self.left.popleft()
        if before["role"] != "user" or before["content"] != text:
            raise CannotPlayError("it says something else now to the same turns; expected what hangs on its task and them alone")
        return True

    async def segment(self) -> Any:
        """The agent's next turns, tools and all, until it calls none."""
        types, agent = import_module("verifiers.v1.types"), import_module("verifiers.v1.agent")
        messages: list[Any] = []
        while not self.is_over:
            if not self.left:
                if not self.is_scored:
                    raise Said(None)
                self.is_over = True
                break
            own = self.left.popleft()
            results = [await self.tools.called(call) for call in _CALL.findall(own["content"])] if self.tools.servers else []
            calls = [types.ToolCall(id=str(k), name=name, arguments=said) for k, (name, said, _) in enumerate(results)]
            content = _CALL.sub("", own["content"]).strip() if calls else own["content"]
            thought = own["thought"] or None
            messages.append(types.AssistantMessage(content=content, reasoning_content=thought, tool_calls=calls or None))
            self.add(messages[-1], sampled=True)
            if not calls:
                return agent.Segment(messages=messages, root_reply=own["content"])
            if not self.hear("\n".join(f"<tool_response>\n{result}\n</tool_response>" for *_, result in results)):
                break
            for k, (name, _, result) in enumerate(results):
                messages.append(types.ToolMessage(tool_call_id=str(k), content=result, name=name or None))
                self.add(messages[-1])
        return agent.Segment(messages=[], terminated=True)


class _Interaction:
    """What stands for the package's: `turn` and `trace`."""

    def __init__(self, script: _Script) -> None:
        self._script, self.trace = script, script.trace

    async def turn(self, message: str | None = None) -> Any:
        if message is not None:
            if not self._script.hear(message):
                return await self._script.segment()
            self._script.add(import_module("verifiers.v1.types").UserMessage(content=message))
        return await self._script.segment()


class _Agent:
    """The one agent of an episode; it can be asked once."""

    def __init__(self, episode: _Episode, config: Any) -> None:
        self._episode, self.config, self.trainable = episode, config, True

    @contextlib.asynccontextmanager
    async def interaction(self, task: Any, **options: Any) -> AsyncGenerator[_Interaction]:
        if given := sorted(name for name, value in options.items() if value is not None):
            raise CannotPlayError(f"its agent is given {', '.join(given)} of its own")
        script = self._episode.begin(task)
        yield _Interaction(script)
        if script.is_scored:
            script.trace.is_completed, script.trace.ok = True, True
            await task.score(script.trace)

    async def run(self, task: Any, **options: Any) -> Any:
        async with self.interaction(task, **options) as interaction:
            await interaction.turn()
        return interaction.trace


class _Episode:
    def __init__(self, turns: Sequence[Turn], tools: Tools, state: Any, *, is_scored: bool) -> None:
        self.turns, self.tools, self.state, self.is_scored = turns, tools, state, is_scored
        self.script: _Script | None = None
        self.task: Any = None

    def begin(self, task: Any) -> _Script:
        if self.script is not None:
            raise CannotPlayError("it opens a second conversation in one episode")
        vf = import_module("verifiers.v1")
        trace = vf.Trace(
            agent=vf.AgentInfo(config=vf.AgentConfig()), state=self.state,
            task=vf.TraceTask(type=type(task).__name__, data=task.data, key=task.key, hash=task.hash),
        )  # fmt: skip
        self.task, self.script = task, _Script(self.turns, trace, self.tools, is_scored=self.is_scored)
        types = import_module("verifiers.v1.types")
        if task.data.system_prompt:
            self.script.add(types.SystemMessage(content=task.data.system_prompt))
        prompt = task.data.prompt or ()
        for message in [types.UserMessage(content=prompt)] if isinstance(prompt, str) else prompt:
            self.script.add(message)
        return self.script


@dataclass
class Played:
    """Where an episode came to by its turns."""

    task: Any = None
    """That the agent was given."""
    said: str | None = None
    """By the environment, after the turns; None: nothing."""
    is_over: bool = False
    """It asks for no further turn."""
    trace: Any = None
    told_of_tools: str = ""


async def play(kind: Any, config: Any, made: Any, task: Any, turns: Sequence[Turn], *, is_scored: bool) -> Played:
    """The episode of a task by these turns; with its rewards where it is scored.

    Args:
        kind: of the environment.
        config: its configuration, with one agent.
        made: the taskset.
        turns: after the prompt, the environment's beside the policy's; the last is the policy's, or there are none.

    Raises:
        CannotPlayError: it does what cannot be carried, or says something else now.
    """
    state = import_module("verifiers.v1.state").state_cls(type(task))()
    async with opened_tools(made, task, state) as tools:
        episode = _Episode(turns, tools, state, is_scored=is_scored)
        env = object.__new__(kind)  # its __init__ loads harnesses
        env.config, env.taskset = config, made
        [(name, agent_config)] = import_module("verifiers.v1.configs.agent").agent_config_fields(config).items()
        agents = SimpleNamespace(**{name: _Agent(episode, agent_config)})
        played = Played(told_of_tools=tools.prompt)
        try:
            await env.setup(agents)
            await env.run(task, agents)
            played.is_over = True
        except Said as said:
            played.said = said.text
        played.task = episode.task
        if episode.script is None:
            raise CannotPlayError("it asks its agent nothing")
        if is_scored:
            if episode.script.left:
                raise CannotPlayError("it ends before the turns that there are")
            played.trace = episode.script.trace
            await _finalize(env, task, played.trace)
        return played


async def _finalize(env: Any, task: Any, trace: Any) -> None:
    """What the environment itself says of the finished episode."""
    episodes, vf = import_module("verifiers.v1.episode"), import_module("verifiers.v1")
    record = vf.TraceTask(type=type(task).__name__, data=task.data, key=task.key, hash=task.hash)
    episode = episodes.Episode(env=episodes.EnvInfo(id=""), task=record)
    episode.traces.append(trace)
    await env.finalize(task, episode)


def env_unfit(vf: Any, kind: Any, config: Any) -> str | None:
    """Why an environment cannot be played; None where it can."""
    seats = list(import_module("verifiers.v1.configs.agent").agent_config_fields(config))
    own = [hook for hook in ("start", "stop", "run_episode", "serving") if getattr(kind, hook) is not getattr(vf.Env, hook)]
    if own:
        return f"{kind.__name__} has {', '.join(own)} of its own, for servers that it keeps"
    return None if len(seats) == 1 else SEVERAL_AGENTS.format(", ".join(seats) or "none")

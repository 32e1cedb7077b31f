"""A stand-in for the package `verifiers` 0.4, written into a folder: as much of it as reading tasks and scoring replies needs."""

from __future__ import annotations

import textwrap
from pathlib import Path

V1 = '''
    import contextlib
    import inspect
    from dataclasses import dataclass, field
    from types import SimpleNamespace

    class TasksetConfig:
        fields = {}

        def __init__(self, id, **given):
            if unknown := given.keys() - self.fields.keys():
                raise ValueError(f"{sorted(unknown)[0]}: extra inputs are not permitted")
            self.id, self.task = id, SimpleNamespace(judges=[])
            vars(self).update({**self.fields, **given})

    class TaskData:
        image = workdir = name = system_prompt = None
        skills = artifacts = ()

        def __init__(self, **given):
            self.idx = None
            vars(self).update(given)

    class Task:
        NEEDS_CONTAINER = False

        def __init__(self, data, config=None):
            self.data, self.config = data, config
            self.hash = self.key = str(sorted((k, v) for k, v in vars(data).items() if k != "idx"))

        async def setup(self, trace, runtime): ...
        async def finalize(self, trace, runtime): ...
        async def stage_verifier(self, trace, runtime): ...

        def hooks(self, kind):
            found = [getattr(self, n) for n in dir(self)]
            return [f for f in found if getattr(f, "is_" + kind, False)]

        def plugged_judges(self):
            return []

        @classmethod
        def toolsets(cls, config):
            return []

        async def score(self, trace):
            trace.rewards |= dict.fromkeys(f.__name__ for f in self.hooks("reward"))
            for f in self.hooks("reward"):
                names = inspect.signature(f).parameters
                value = await f(**{k: v for k, v in {"task": self.data, "trace": trace}.items() if k in names})
                trace.rewards[f.__name__] = SimpleNamespace(value=value)

    def reward(f):
        f.is_reward = True
        return f

    class Taskset:
        task_kind, config_kind, bounded = Task, TasksetConfig, True

        def __init__(self, config):
            self.config = config

        @classmethod
        def task_type(cls):
            return cls.task_kind

        @classmethod
        def toolsets(cls, config):
            return []

        def __iter__(self):
            for idx, task in enumerate(self.load()):
                task.data.idx = idx
                yield task

    class Env:
        async def setup(self, agents): ...
        async def finalize(self, task, episode): ...
        async def start(self): ...
        async def stop(self): ...
        async def run_episode(self): ...
        def serving(self): ...

    class SingleAgentEnv(Env):
        async def run(self, task, agents):
            await agents.agent.run(task)

    class AgentConfig: ...

    class EnvConfig:
        def __init__(self, **given):
            vars(self).update(given)

        model_construct = classmethod(lambda cls, **given: cls(**given))

    def tool(f):
        f.is_tool = True
        return f

    class Toolset:
        server_name = "tools"

        def __init__(self, config=None):
            from verifiers.v1.runtimes import SubprocessConfig
            self.config = config or SimpleNamespace(url=None, runtime=SubprocessConfig(), colocated=False)
            self._exit_stack = contextlib.AsyncExitStack()

        async def setup(self): ...
        async def setup_task(self, task): ...

        def register(self, server):
            for name in dir(self):
                if getattr(getattr(self, name), "is_tool", False):
                    server.tools[name] = getattr(self, name)

    @dataclass
    class MessageNode:
        message: object
        parent: object = None
        sampled: bool = False

    AgentInfo = TraceTask = SimpleNamespace

    @dataclass
    class Trace:
        agent: object
        task: object
        nodes: list = field(default_factory=list)
        state: object = None
        rewards: dict = field(default_factory=dict)

        def record_reward(self, name, value):
            self.rewards[name] = SimpleNamespace(value=value)

        @property
        def last_reply(self):
            return self.nodes[-1].message.content.strip()

        @property
        def reward(self):
            return sum(r.value for r in self.rewards.values() if r is not None)  # as the package: None counts as 0
'''
LOADERS = '''
    import importlib
    import verifiers.v1 as vf

    def import_taskset(name):
        return importlib.import_module(name)

    def _of(name, base):
        module = import_taskset(name)
        found = [getattr(module, n) for n in module.__all__]
        return [c for c in found if issubclass(c, base) and c is not base]

    def taskset_class(name):
        return _of(name, vf.Taskset)[0]

    def environment_class(name):
        found = [c for c in _of(name, vf.Env) if c is not vf.SingleAgentEnv]
        return (found or [vf.SingleAgentEnv])[0]

    def env_config_type(name):
        return environment_class(name).__dict__.get("config_kind", One)

    class One(vf.EnvConfig):
        agent = vf.AgentConfig()
'''
GENERIC = '''
    def concrete_type(kind, base):
        return kind.config_kind
'''
TYPES = '''
    from types import SimpleNamespace
    SystemMessage = UserMessage = AssistantMessage = ToolMessage = ToolCall = SimpleNamespace
'''
AGENT = '''
    class Segment:
        def __init__(self, messages, root_reply="", terminated=False):
            self.messages, self.last_reply, self.terminated = messages, (root_reply or "").strip(), terminated
'''
AGENT_CONFIGS = '''
    import verifiers.v1 as vf

    def agent_config_fields(config):
        return {n: v for n, v in vars(type(config)).items() if isinstance(v, vf.AgentConfig)}
'''
STATE = '''
    from types import SimpleNamespace

    def state_cls(kind):
        return SimpleNamespace
'''
EPISODE = '''
    from types import SimpleNamespace as EnvInfo

    class Episode(EnvInfo):
        traces = property(lambda self: vars(self).setdefault("_traces", []))
'''
RUNTIMES = '''
    class SubprocessConfig: ...
'''
MCP = '''
    from types import SimpleNamespace

    class MCPServer:
        def __init__(self, name):
            self.tools = {}

        async def list_tools(self):
            return [SimpleNamespace(name=n, description=f.__doc__, parameters={}) for n, f in self.tools.items()]

        async def call_tool(self, name, arguments):
            found = await self.tools[name](**arguments)
            return [found if hasattr(found, "data") else SimpleNamespace(text=str(found))]
'''


def write_stub(folder: Path) -> None:
    """The package, importable from this folder."""
    parts = {
        "verifiers/__init__.py": "", "verifiers/v1/__init__.py": V1, "verifiers/v1/types.py": TYPES,
        "verifiers/v1/utils/__init__.py": "", "verifiers/v1/utils/loaders.py": LOADERS, "verifiers/v1/utils/generic.py": GENERIC,
        "verifiers/v1/agent.py": AGENT, "verifiers/v1/configs/__init__.py": "", "verifiers/v1/configs/agent.py": AGENT_CONFIGS,
        "verifiers/v1/state.py": STATE, "verifiers/v1/episode.py": EPISODE, "verifiers/v1/runtimes.py": RUNTIMES,
        "mcp/__init__.py": "", "mcp/server/__init__.py": "", "mcp/server/mcpserver.py": MCP,
    }  # fmt: skip
    for name, text in parts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

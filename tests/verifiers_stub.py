"""A stand-in for the package `verifiers` 0.4, written into a folder: as much of it as reading tasks and scoring replies needs."""

from __future__ import annotations

import textwrap
from pathlib import Path

V1 = '''
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
            trace.rewards = dict.fromkeys(f.__name__ for f in self.hooks("reward"))
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

    class Env: ...
    class SingleAgentEnv(Env): ...
    class AgentConfig: ...

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
        rewards: dict = field(default_factory=dict)

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
        return (_of(name, vf.Env) or [vf.SingleAgentEnv])[0]
'''
GENERIC = '''
    def concrete_type(kind, base):
        return kind.config_kind
'''
TYPES = '''
    from types import SimpleNamespace
    SystemMessage = UserMessage = AssistantMessage = SimpleNamespace
'''


def write_stub(folder: Path) -> None:
    """The package, importable from this folder."""
    parts = {
        "verifiers/__init__.py": "", "verifiers/v1/__init__.py": V1, "verifiers/v1/types.py": TYPES,
        "verifiers/v1/utils/__init__.py": "", "verifiers/v1/utils/loaders.py": LOADERS, "verifiers/v1/utils/generic.py": GENERIC,
    }  # fmt: skip
    for name, text in parts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

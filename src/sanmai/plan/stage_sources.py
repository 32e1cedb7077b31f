"""What the files hold that a pipeline's stages read, before they are written.

Rows and their tokens are those of the files where the stage that writes them is finished; data that is still to be gathered is
gathered in memory. What a sampling stage will keep is not known before it has run: until then its rows are as many as it may
keep, each as long as a completion.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sanmai.data.chat import demonstration, render_demonstration, render_prompt
from sanmai.data.problems import load_problems
from sanmai.pipelines.graph import Graph
from sanmai.policies.text.flops import arithmetic_of
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.tiny import new_tiny_model
from sanmai.recipes.gather import GatherConfig, gathered
from sanmai.recipes.pretrain import PretrainConfig
from sanmai.recipes.sample import SampleConfig
from sanmai.recipes.zero import ZeroConfig
from sanmai.types import Problem

MEASURED_ROWS = 512
"""Rows of a source whose tokens are counted; the others are taken to be as long."""


@dataclass(frozen=True)
class Rows:
    """What a stage reads from one source.

    Example:
        Rows(count=200, prompt_length=10.9, length=22.1)
    """

    count: float
    prompt_length: float
    """Mean tokens."""
    length: float | None = None
    """Mean tokens of a demonstration, stop token included; None where a policy is to write it, in `budget` tokens at most."""
    budget: int = 0
    is_bound: bool = False
    """So many at most."""


class StageSources:
    """The sources of a graph's stages, each counted once, and the sizes of its models."""

    def __init__(self, graph: Graph, policy: TextPolicy, on_warning: Callable[[str], None]) -> None:
        """Args:
        policy: the base; its tokenizer counts.
        on_warning: told what gathering the data has to say.
        """
        self.graph, self.policy, self.on_warning = graph, policy, on_warning
        self.unsized: set[str] = set()
        """Models whose size was asked for and is not known: only loading them would tell."""
        self._stages = {stage.name: stage for stage in graph.stages}
        self._problems: dict[str, list[Problem] | None] = {}

    def problems(self, source: str) -> list[Problem] | None:
        """All that a source holds; None where a sampling stage that is not finished is to write it.

        Raises:
            InputError: a file that cannot be used.
        """
        if source not in self._problems:
            name, _, file = source[1:].partition("/") if source.startswith("@") else ("", "", source)
            if name and self.graph.state(name) != "finished":
                self._problems[source] = None
                config = self._stages[name].config
                if isinstance(config, GatherConfig):
                    files, _ = gathered(config, self.on_warning)
                    self._problems |= {f"@{name}/{key}.jsonl": found for key, found in files.items()}
            else:
                path = self.graph.path(name) / file if name else file
                self._problems[source] = load_problems(path, needs_answer=False, on_warning=self.on_warning).problems
        return self._problems[source]

    def prompts(self, source: str | tuple[str, ...] | None, *, limit: int | None = None, answered: bool = False) -> Rows:
        """The prompts of a source, or of several; none of None.

        Args:
            answered: of those problems alone that have a reference answer.
        """
        found: list[Problem] = []
        for name in _names(source):
            problems = self.problems(name)
            if problems is None:
                return self._to_be_sampled(name)
            found += problems
        found = [p for p in found if p.answer is not None or not answered][:limit]
        return Rows(len(found), mean(len(render_prompt(self.policy.tokenizer, p.messages)) for p in some(found)))

    def demonstrations(self, source: str | tuple[str, ...], thought_tags: tuple[str, str]) -> list[Rows]:
        """The demonstrations of each file."""
        parts = []
        for name in _names(source):
            found = self.problems(name)
            if found is None:
                parts.append(self._to_be_sampled(name))
                continue
            shown = [p for p in found if demonstration(p) is not None]
            tokens = [render_demonstration(self.policy.tokenizer, p, thought_tags) for p in some(shown)]
            parts.append(Rows(len(shown), mean(len(t) for t, _ in tokens), mean(len(t) for _, t in tokens)))
        return parts

    def kinds(self, source: str | tuple[str, ...], *, limit: int | None = None) -> dict[str, list[Problem]]:
        """The problems by kind; empty where they are not known."""
        found: dict[str, list[Problem]] = {}
        for problem in [problem for name in _names(source) for problem in self.problems(name) or []][:limit]:
            found.setdefault(problem.kind, []).append(problem)
        return found

    def size_of(self, name: str) -> float:
        """Operations for a token by a model, relative to the base's; 1 where that is not known."""
        if not name.startswith("@"):
            self.unsized |= {name} - {self.policy.config.name}
            return 1.0
        stage = self._stages[name[1:]]
        if not isinstance(stage.config, PretrainConfig):
            return self.size_of(cast(ZeroConfig, stage.config).model.name)
        base, _ = arithmetic_of(self.policy.model)
        own, _ = arithmetic_of(new_tiny_model(0, stage.config.architecture))
        return own.forward(1, 1, 0) / base.forward(1, 1, 0) if own and base else 1.0

    def _to_be_sampled(self, source: str) -> Rows:
        """The most that a sampling stage may keep."""
        stage = self._stages[source[1:].split("/", 1)[0]]
        config = stage.config
        assert isinstance(config, SampleConfig), f"stage {stage.name} writes no problems"
        prompts = self.prompts(config.problems.source, limit=config.problems.limit)
        kept = prompts.count * min(config.keep, config.samples_per_prompt)
        return Rows(kept, prompts.prompt_length, None, config.sampling.max_tokens, is_bound=True)


def _names(source: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (source,) if isinstance(source, str) else source or ()


def mean(values: Iterable[float]) -> float:
    """0 of no values."""
    found = list(values)
    return sum(found) / len(found) if found else 0.0


def some(items: Sequence[Any]) -> Sequence[Any]:
    """At most MEASURED_ROWS of a list, from all over it."""
    return items[:: max(math.ceil(len(items) / MEASURED_ROWS), 1)]

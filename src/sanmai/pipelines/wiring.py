"""What recipes of stages share: settings that they give their parts, stages that train or score a model, and the run of all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from sanmai.config import Config
from sanmai.learn.progress import Progress
from sanmai.pipelines.graph import GRAPH, Graph, Stage, run_graph
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.resolve import resolve_model
from sanmai.recipes.evaluate import EvaluateConfig
from sanmai.train.runs import holding
from sanmai.types import InputError, Problem

GIVEN = ("seed", "model", "problems.source", "problems.evaluation")
"""Settings of a part that every pipeline gives it."""


def refuse_given(config: Config, given: Mapping[str, Iterable[str]], giver: str = "the pipeline") -> None:
    """Refuse a setting of a part that the pipeline would overwrite.

    Args:
        config: the pipeline's.
        given: names of settings such as "problems.source", by name of the part.

    Raises:
        ValueError: one of them is not as it is by default.
    """
    for part, names in given.items():
        default = type(config).model_fields[part].get_default()
        for name in names:
            if value_at(getattr(config, part), name) != value_at(default, name):
                raise ValueError(f"{part}.{name} is given by {giver}: leave it out")


def value_at(config: Config, name: str) -> Any:
    """What a setting such as "problems.source" holds; None where there is none of that name."""
    found: Any = config
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


class Wiring:
    """Completes the parts of a pipeline with seed, model and data."""

    def __init__(self, seed: int, model: ModelConfig, evaluation: str = "@data/evaluation.jsonl") -> None:
        """Args:
        model: the base; a stage's result has its other settings.
        evaluation: the held-out problems.
        """
        self.seed, self.base, self.evaluation = seed, model, evaluation

    def model(self, name: str) -> ModelConfig:
        """Of "@STAGE", a folder or a hub name."""
        return self.base if name == self.base.name else self.base.model_copy(update={"name": name, "revision": None})

    def untrained(self, name: str) -> ModelConfig:
        """Without adapters: they are merged into what a stage leaves."""
        return self.model(name).model_copy(update={"lora_rank": 0, "lora_alpha": 32})

    def wired(self, part: Any, start: str, source: str | tuple[str, ...], **changes: Any) -> Any:
        """A part that trains `start` on a source; `changes` replace other settings."""
        problems = part.problems.model_copy(update={"source": source, "evaluation": self.evaluation})
        update = {"seed": self.seed, "model": self.model(start), "problems": problems}
        return part.model_copy(update={**update, **changes})

    def score(self, part: EvaluateConfig, model: str, start: str, title: str, suffix: str = "", **tags: str) -> Stage:
        """The stage that evaluates `start`, which reports call by the name `model`."""
        problems = part.problems.model_copy(update={"source": self.evaluation})
        update = {"seed": self.seed, "model": self.untrained(start), "problems": problems}
        about = {"scores": f"{model}{suffix}", **tags}
        purpose = f"{title}, on the held-out problems"
        return Stage(f"score_{model}{suffix}", "evaluate", part.model_copy(update=update), purpose, about)


def run_pipeline(
    recipe: str,
    config: Config,
    graph: Graph,
    *,
    problems: Sequence[Problem] | None,
    reward: Callable[[Problem, str], float | None] | None,
    progress: Progress,
    models: Iterable[str],
    since: str | None = None,
    until: str | None = None,
    only: str | None = None,
) -> None:
    """Do every stage that is not done.

    Args:
        graph: the stages that the configuration gives.
        problems, reward: refused when given: a pipeline reads the sources of its configuration.
        models: names that must be there before anything is begun.
        since, until, only: names of stages; see pipelines/graph.py.
    """
    if problems is not None or reward is not None:
        raise InputError(f"{recipe} reads the sources under `data` and takes neither problems nor a reward")
    for name in models:
        resolve_model(name)
    # A process that is refused the folder must not say there what its own stages would have been.
    with holding(graph.folder, signed=False) if (graph.folder / GRAPH).is_file() else nullcontext():
        graph.write(f'recipe = "{recipe}"\n{config.to_toml()}')
    run_graph(graph, progress, since=since, until=until, only=only)

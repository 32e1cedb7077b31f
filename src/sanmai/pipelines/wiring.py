"""What recipes of stages share: settings that they give their parts, stages that train or score a model, and the run of all."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from sanmai.config import Config
from sanmai.learn.progress import Progress
from sanmai.pipelines.graph import GRAPH, Graph, Stage, run_graph
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.resolve import resolve_model
from sanmai.recipes.evaluate import EvaluateConfig
from sanmai.recipes.gather import DataConfig, check_sources
from sanmai.train.runs import holding
from sanmai.types import InputError, RunError

ConfigT = TypeVar("ConfigT", bound="PipelineConfig")
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


class PipelineConfig(Config):
    """What every recipe of stages has."""

    keep_states: bool = False
    """Keep of every finished stage its older checkpoints too, and what training on from its end would need: six times the disk.
    Other stages, reports and a resume of the pipeline read none of it."""


@dataclass(frozen=True)
class Pipeline(Generic[ConfigT]):
    """A recipe of recipes. Called as every recipe is, it does each stage that is not done, and gives the folder of them all."""

    name: str
    graph: Callable[[ConfigT, Path], Graph]
    """The stages that a configuration gives, in a folder."""
    models: Callable[[ConfigT], Iterable[str]]
    """Names of models that must be there before anything is begun."""
    check: Callable[[ConfigT], None] = lambda config: None
    """Refuses before the first stage what a later one would refuse."""
    tables: Callable[[ConfigT, Graph, Progress], None] = lambda config, graph, progress: None
    """Sets the models of finished stages against each other."""

    def __call__(
        self, config: ConfigT, out: Path, *, progress: Progress | None = None,
        since: str | None = None, until: str | None = None, only: str | None = None,
    ) -> Path:
        """Args:
            since, until, only: names of stages; see pipelines/graph.py.
        """
        progress = progress or Progress.silent()
        if isinstance(data := getattr(config, "data", None), DataConfig):
            check_sources(data)
        self.check(config)
        graph = self.graph(config, out)
        with _tables_after(graph.folder, lambda: self.tables(config, graph, progress)):
            for name in self.models(config):
                resolve_model(name)
            # A process that is refused the folder must not say there what its own stages would have been.
            with holding(graph.folder, signed=False) if (graph.folder / GRAPH).is_file() else nullcontext():
                graph.write(f'recipe = "{self.name}"\n{config.to_toml()}')
            run_graph(graph, progress, since=since, until=until, only=only, keeps_states=config.keep_states)
        return graph.folder


@contextmanager
def _tables_after(folder: Path, write: Callable[[], None]) -> Generator[None]:
    """Write tables of what is finished, also where a later stage cannot be done, but not while another process works there."""
    try:
        yield
    except (InputError, RunError):
        if (folder / GRAPH).is_file():
            with suppress(InputError), holding(folder):
                write()
        raise
    write()

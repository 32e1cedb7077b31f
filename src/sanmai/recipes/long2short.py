"""From long to short: four ways to keep what a long-thinking model knows and pay fewer tokens for it, on the same problems.

    long (given; or tiny --SFT on thoughts that are longer than they must be--> long)
    long, short --average of the weights--> merge
    long --8 samples of each problem, graded--> samples --SFT on the shortest right one--> shortest
    samples --pairs: the shortest right one over longer ones--> pairs;  long --DPO on the pairs--> dpo
    long --RL with a length reward and a budget cut to `budget_share`--> rl

Kimi k1.5 (arXiv:2501.12599, section 2.4) found RL to be the most efficient in tokens. This differs: the long model is the newest
checkpoint, not that with the best balance of accuracy and length; the methods share their training problems; and every size is
ours, as none is published. Every model is evaluated on the same held-out problems with the same random streams; front.md and
front.json set accuracy against tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import Field, model_validator

from sanmai.config import Config, merge
from sanmai.models.policy import ModelConfig, resolve_model
from sanmai.recipes.dpo import DpoConfig
from sanmai.recipes.evaluate import EvaluateConfig
from sanmai.recipes.gather import DataConfig, GatherConfig
from sanmai.recipes.length_pairs import LengthPairsConfig
from sanmai.recipes.length_table import compare_lengths, read_evaluation, sentences, write_front
from sanmai.recipes.long_chains import LongChainsConfig
from sanmai.recipes.merging import MergeConfig
from sanmai.recipes.progress import Progress
from sanmai.recipes.sample import SampleConfig
from sanmai.recipes.sft import SftConfig
from sanmai.recipes.stages import Graph, Stage, run_graph
from sanmai.recipes.zero import ZeroConfig
from sanmai.types import InputError, Problem

Method = Literal["merge", "shortest", "dpo", "rl"]
TITLES: dict[str, str] = {
    "short": "the short model",
    "long": "the long model",
    "merge": "average of the weights of long and short",
    "shortest": "SFT on the shortest right sample",
    "dpo": "DPO: the shortest right sample over longer ones",
    "rl": "RL with a length reward and a cut budget",
}
"""What each evaluated model is, in the order of the table."""
_OURS: dict[str, dict[str, Any]] = {
    "data": {"cold_start": (), "general": (), "safety": ()},
    "samples": {
        "samples_per_prompt": 8,
        "choice": "shortest",
        "filters": {"closed": False, "language_share": 0.0, "max_repetition": 1.0},
    },
    "rl": {"length": {"weight": 0.5}},
}
"""Where the parts differ from what their recipes do by themselves. Kimi's rule for samples: right and shortest, nothing more."""
_WIRED = ("seed", "model", "problems.source", "problems.evaluation")
_WIRED_TOO = {
    "samples": ("include_held_out",),
    "pairs": ("samples", "grading", "problems.limit"),
    "dpo": ("source",),
    "rl": ("sampling.max_tokens",),
}
"""Settings of the parts that the pipeline gives them."""


class Long2ShortConfig(Config):
    """Sizes of each part; what the parts read and start from is given by the pipeline."""

    seed: int = Field(0, ge=0)
    """Names every random stream of every stage."""
    method: tuple[Method, ...] = get_args(Method)
    """merge, shortest, dpo, rl: one, a list of them, or "all"."""
    model: ModelConfig = ModelConfig()
    """The long model. "tiny" (the embedded base) thinks seldom and, under RL too, never longer than it must: a long one is made
    of it."""
    short: str = "tiny"
    """The short model of merge, as `model.name` takes it: of the long one's family."""
    data: DataConfig = DataConfig.read(_OURS["data"])
    """Prompts and held-out problems; see recipes/gather.py."""
    chains: LongChainsConfig = LongChainsConfig()
    """What the long model learns where none is given; see recipes/long_chains.py."""
    long: SftConfig = SftConfig()
    """tiny -> long, likewise."""
    merge_weight: float = Field(0.5, ge=0, le=1)
    """Share of the long model in merge."""
    samples: SampleConfig = SampleConfig.read(_OURS["samples"])
    """long -> samples, for shortest and dpo: Kimi draws 8 of each problem."""
    shortest: SftConfig = SftConfig()
    """long -> shortest."""
    pairs: LengthPairsConfig = LengthPairsConfig()
    """samples -> pairs."""
    dpo: DpoConfig = DpoConfig()
    """long -> dpo."""
    rl: ZeroConfig = ZeroConfig.read(_OURS["rl"])
    """long -> rl, with Kimi's length reward and without its warm-up: the long model is right already."""
    budget_share: float = Field(0.5, gt=0, le=1)
    """Of `evaluation.sampling.max_tokens`: what a completion may have in rl, so `rl.sampling.max_tokens` is not to be set."""
    evaluation: EvaluateConfig = EvaluateConfig()
    """Of every model, on the held-out problems."""

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        values = dict(values)
        for name in _OURS.keys() & values.keys():
            if isinstance(values[name], Mapping):
                values[name] = merge(_OURS[name], values[name])
        if isinstance(given := values.get("method"), str):
            values["method"] = get_args(Method) if given == "all" else (given,)
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.method or len(set(self.method)) < len(self.method):
            raise ValueError("method: expected at least one, and none of them twice")
        if not self.rl.length.weight:
            raise ValueError("rl.length.weight is 0: nothing would ask RL to be short")
        if self.samples.choice != "shortest" or self.samples.keep != 1:
            raise ValueError("samples.choice and samples.keep: long2short learns from the one shortest right sample")
        for part in ("chains", "long", "samples", "shortest", "pairs", "dpo", "rl", "evaluation"):
            wired = (*_WIRED, *_WIRED_TOO.get(part, ()))
            default = type(self).model_fields[part].get_default()
            for dotted in wired:
                if _get(getattr(self, part), dotted) != _get(default, dotted):
                    raise ValueError(f"{part}.{dotted} is given by the pipeline: leave it out")
        return self


def run_long2short(
    config: Long2ShortConfig,
    out: Path,
    *,
    problems: Sequence[Problem] | None = None,
    reward: Callable[[Problem, str], float | None] | None = None,
    progress: Progress | None = None,
    since: str | None = None,
    until: str | None = None,
    only: str | None = None,
) -> Path:
    """Do every stage that is not done, and set the models that are evaluated against each other; the folder.

    Args:
        problems, reward: not used by this recipe; refused when given.
        since, until, only: names of stages; see recipes/stages.py.
    """
    if problems is not None or reward is not None:
        raise InputError("long2short reads the sources under `data` and takes neither problems nor a reward")
    for name in (config.model.name, *((config.short,) if "merge" in config.method else ())):
        resolve_model(name)
    progress = progress or Progress.silent()
    stages = graph(config, out)
    stages.write(f'recipe = "long2short"\n{config.to_toml()}')
    run_graph(stages, progress, since=since, until=until, only=only)
    write_table(stages, progress)
    return stages.folder


def graph(config: Long2ShortConfig, out: Path) -> Graph:
    """The stages in order."""
    return Graph(list(_Stages(config).all()), out)


def write_table(stages: Graph, progress: Progress) -> None:
    """Write front.md and front.json of the models that are evaluated, once the long one is, and say what they say."""
    scored = {
        s.tags["scores"]: s.name for s in stages.stages if "scores" in s.tags and stages.state(s.name) == "finished"
    }
    if "long" not in scored:
        return
    rows_of = {name: read_evaluation(stages.path(scored[name])) for name in TITLES if name in scored}
    found = compare_lengths(rows_of, TITLES, "long")
    path = write_front(stages.folder, found, "long")
    for sentence in (*sentences(found, "long"), f"Table: {path}"):
        progress.say(sentence)


class _Stages:
    """The stages of a configuration."""

    def __init__(self, config: Long2ShortConfig) -> None:
        self.config = config
        self.is_made = config.model.name == "tiny"
        self.long = "@long" if self.is_made else config.model.name
        self.budget = config.evaluation.sampling.max_tokens

    def all(self) -> Iterator[Stage]:
        c = self.config
        yield Stage("data", "gather", GatherConfig(seed=c.seed, data=c.data), "prompts and held-out problems")
        if self.is_made:
            chains = c.chains.model_copy(update={"seed": c.seed})
            yield Stage("chains", "long_chains", chains, "longer thoughts than are needed")
            part = self.wired(c.long, c.model.name, "@chains/demonstrations.jsonl")
            yield Stage("long", "sft", part, "SFT on them")
        if self.is_made or "merge" in c.method:
            yield self.score("short", c.model.name if self.is_made and "merge" not in c.method else c.short)
        yield self.score("long", self.long)
        if "merge" in c.method:
            part = MergeConfig(model=self.untrained(self.long), short=c.short, weight=c.merge_weight)
            yield Stage("merge", "merge", part, TITLES["merge"])
            yield self.score("merge", "@merge")
        if {"shortest", "dpo"} & set(c.method):
            part = self.wired(c.samples, self.long, model=self.untrained(self.long))
            yield Stage("samples", "sample", part, f"{c.samples.samples_per_prompt} samples of each problem")
        if "shortest" in c.method:
            yield Stage(
                "shortest", "sft", self.wired(c.shortest, self.long, "@samples/data.parquet"), TITLES["shortest"]
            )
            yield self.score("shortest", "@shortest")
        if "dpo" in c.method:
            yield from self.dpo()
        if "rl" in c.method:
            yield Stage("rl", "zero", self.rl(), TITLES["rl"])
            yield self.score("rl", "@rl")

    def dpo(self) -> Iterator[Stage]:
        given: dict[str, Any] = {
            "samples": "@samples",
            "grading": self.config.samples.grading,
            "model": self.untrained(self.long),
        }
        limit = self.config.samples.problems.limit
        pairs = self.wired(self.config.pairs, self.long, **given)
        pairs = pairs.model_copy(update={"problems": pairs.problems.model_copy(update={"limit": limit})})
        yield Stage("pairs", "length_pairs", pairs, "the shortest right sample over longer ones")
        part = self.wired(self.config.dpo, self.long)
        yield Stage("dpo", "dpo", part.model_copy(update={"source": "@pairs/pairs.jsonl"}), TITLES["dpo"])
        yield self.score("dpo", "@dpo")

    def rl(self) -> ZeroConfig:
        part = self.config.rl
        cut = part.sampling.model_copy(update={"max_tokens": max(round(self.config.budget_share * self.budget), 1)})
        own = part.evaluation.max_tokens or self.budget  # its own evaluations show what the cut budget alone would hide
        evaluation = part.evaluation.model_copy(update={"max_tokens": own})
        return self.wired(part, self.long, sampling=cut, evaluation=evaluation)

    def model(self, name: str) -> ModelConfig:
        given = self.config.model
        return given if name == given.name else given.model_copy(update={"name": name, "revision": None})

    def untrained(self, name: str) -> ModelConfig:
        """Without adapters: they are merged into what a stage leaves."""
        return self.model(name).model_copy(update={"lora_rank": 0, "lora_alpha": 32})

    def wired(self, part: Any, start: str, source: str = "@data/reasoning.jsonl", **changes: Any) -> Any:
        problems = part.problems.model_copy(update={"source": source, "evaluation": "@data/evaluation.jsonl"})
        update = {"seed": self.config.seed, "model": self.model(start), "problems": problems}
        return part.model_copy(update={**update, **changes})

    def score(self, name: str, start: str) -> Stage:
        part = self.config.evaluation
        problems = part.problems.model_copy(update={"source": "@data/evaluation.jsonl"})
        update = {"seed": self.config.seed, "model": self.untrained(start), "problems": problems}
        purpose = f"{TITLES[name]}, on the held-out problems"
        return Stage(f"score_{name}", "evaluate", part.model_copy(update=update), purpose, {"scores": name})


def describe_long2short(config: Long2ShortConfig, out: Path) -> Iterator[str]:
    """What a run would do: its stages, which are done, and from what to what."""
    resolve_model(config.model.name)
    found = graph(config, out)
    for stage in found.stages:
        yield f"{stage.name} ({stage.recipe}, {found.state(stage.name)}): {stage.purpose}"
    rl = f" RL may write {_Stages(config).rl().sampling.max_tokens} tokens." if "rl" in config.method else ""
    yield f"Evaluations may write {config.evaluation.sampling.max_tokens} tokens.{rl}"


def _get(value: Any, dotted: str) -> Any:
    """What a setting such as "problems.source" holds; None where there is none of that name."""
    for name in dotted.split("."):
        value = getattr(value, name, None)
    return value

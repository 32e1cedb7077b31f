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

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import Field, model_validator

from sanmai.config import OnlyWith
from sanmai.instruments.measures import Row
from sanmai.learn.progress import Progress
from sanmai.pipelines.graph import Graph, Stage
from sanmai.pipelines.length_table import compare_lengths, read_evaluation, remove_both, sentences, write_front
from sanmai.pipelines.wiring import GIVEN, Pipeline, PipelineConfig, Wiring, refuse_given
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.resolve import resolve_model
from sanmai.policies.text.tiny import EMBEDDED_MODEL, is_embedded
from sanmai.recipes.dpo import DpoConfig
from sanmai.recipes.evaluate import EvaluateConfig
from sanmai.recipes.gather import DataConfig, GatherConfig
from sanmai.recipes.length_pairs import LengthPairsConfig
from sanmai.recipes.long_chains import LongChainsConfig
from sanmai.recipes.merging import MergeConfig
from sanmai.recipes.sample import SampleConfig
from sanmai.recipes.sft import SftConfig
from sanmai.recipes.zero import ZeroConfig

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
_GIVEN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("chains", "long", "shortest", "evaluation"), GIVEN),
    "samples": (*GIVEN, "include_held_out"),
    "pairs": (*GIVEN, "samples", "grading", "problems.limit"),
    "dpo": (*GIVEN, "source"),
    "rl": (*GIVEN, "sampling.max_tokens"),
}
"""Settings of the parts that the pipeline gives them."""


class Long2ShortConfig(PipelineConfig):
    """Sizes of each part; what the parts read and start from is given by the pipeline."""

    seed: int = Field(0, ge=0)
    """Names every random stream of every stage."""
    method: tuple[Method, ...] = get_args(Method)
    """merge, shortest, dpo, rl: one, a list of them, or "all"."""
    model: ModelConfig = ModelConfig()
    """The long model. "tiny" (the embedded base) thinks seldom and, under RL too, never longer than it must: a long one is made
    of it."""
    short: str = EMBEDDED_MODEL
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

    completed_later = frozenset({"problems"})
    only_with = (
        OnlyWith('method with "merge"', lambda c: "merge" in c.method, "short", "merge_weight"),
        OnlyWith('method with "rl"', lambda c: "rl" in c.method, "budget_share"),
    )

    @model_validator(mode="before")
    @classmethod
    def _several(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or not isinstance(given := values.get("method"), str):
            return values
        return {**values, "method": get_args(Method) if given == "all" else (given,)}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.method or len(set(self.method)) < len(self.method):
            raise ValueError("method: expected at least one, and none of them twice")
        if not self.rl.length.weight:
            raise ValueError("rl.length.weight is 0: nothing would ask RL to be short")
        if self.samples.choice != "shortest" or self.samples.keep != 1:
            raise ValueError("samples.choice and samples.keep: long2short learns from the one shortest right sample")
        refuse_given(self, _GIVEN)
        return self


def graph(config: Long2ShortConfig, out: Path) -> Graph:
    """The stages in order."""
    return Graph(list(_stages(config)), out)


run_long2short = Pipeline(
    "long2short", graph, models=lambda config: (config.model.name, *((config.short,) if "merge" in config.method else ())),
    tables=lambda config, stages, progress: write_table(stages, progress),
)


def write_table(stages: Graph, progress: Progress, titles: Mapping[str, str] = TITLES, long: str = "long") -> None:
    """Write front.md and front.json of the models that are evaluated, once the long one is, and say what they say.

    Args:
        titles: what each model is, in the order of the table.
        long: the name of the long one among them.
    """
    rows_of = read_evaluations(stages, titles)
    if long not in rows_of:
        remove_both(stages.folder, "front")
        return
    found = compare_lengths(rows_of, titles, long)
    path = write_front(stages.folder, found, long, made_from(stages, rows_of))
    for sentence in (*sentences(found, long), f"Table: {path}"):
        progress.say(sentence)


def made_from(stages: Graph, models: Iterable[str]) -> dict[str, str]:
    """By stage, the folder that a table of these models was read from: other settings have others."""
    scored = [s.name for s in stages.stages if s.tags.get("scores") in set(models)]
    return {name: stages.path(name).name for name in scored}


def read_evaluations(stages: Graph, models: Iterable[str]) -> dict[str, list[Row]]:
    """The completions of each of the models whose evaluation is finished, without their texts."""
    scored = {
        s.tags["scores"]: s.name for s in stages.stages if "scores" in s.tags and stages.state(s.name) == "finished"
    }
    return {name: read_evaluation(stages.path(scored[name])) for name in models if name in scored}


def _stages(config: Long2ShortConfig) -> Iterator[Stage]:
    yield Stage("data", "gather", GatherConfig(seed=config.seed, data=config.data), "prompts and held-out problems")
    wiring, is_made = Wiring(config.seed, config.model), is_embedded(config.model.name)
    if is_made:
        chains = config.chains.model_copy(update={"seed": config.seed})
        yield Stage("chains", "long_chains", chains, "longer thoughts than are needed")
        yield Stage("long", "sft", wiring.wired(config.long, EMBEDDED_MODEL, "@chains/demonstrations.jsonl"), "SFT on them")
    ways = Shortening(config, wiring, "@long" if is_made else config.model.name)
    if is_made or "merge" in config.method:
        yield ways.score("short", EMBEDDED_MODEL if is_made and "merge" not in config.method else config.short)
    yield ways.score("long", ways.long)
    yield from ways.all()


class Shortening:
    """The stages that lead from a long model to short ones."""

    source = "@data/reasoning.jsonl"
    """The problems that the methods learn from."""

    def __init__(self, config: Long2ShortConfig, wiring: Wiring, long: str) -> None:
        """Args:
        config: of each part; what is given by the pipeline is not read.
        long: the long model, "@STAGE" or a name.
        """
        self.config, self.wiring, self.long = config, wiring, long
        self.budget = config.evaluation.sampling.max_tokens

    def all(self) -> Iterator[Stage]:
        """Each method that is asked for, with the evaluation of its model."""
        config, wiring = self.config, self.wiring
        if "merge" in config.method:
            part = MergeConfig(model=wiring.untrained(self.long), short=config.short, weight=config.merge_weight)
            yield Stage("merge", "merge", part, TITLES["merge"])
            yield self.score("merge", "@merge")
        if {"shortest", "dpo"} & set(config.method):
            part = wiring.wired(config.samples, self.long, self.source, model=wiring.untrained(self.long))
            yield Stage("samples", "sample", part, f"{config.samples.samples_per_prompt} samples of each problem")
        if "shortest" in config.method:
            part = wiring.wired(config.shortest, self.long, "@samples/data.parquet")
            yield Stage("shortest", "sft", part, TITLES["shortest"])
            yield self.score("shortest", "@shortest")
        if "dpo" in config.method:
            yield from self._dpo()
        if "rl" in config.method:
            yield Stage("rl", "zero", self.rl(), TITLES["rl"])
            yield self.score("rl", "@rl")

    def _dpo(self) -> Iterator[Stage]:
        samples = self.config.samples
        given = {"samples": "@samples", "grading": samples.grading, "model": self.wiring.untrained(self.long)}
        pairs = self.wiring.wired(self.config.pairs, self.long, self.source, **given)
        limited = pairs.problems.model_copy(update={"limit": samples.problems.limit})
        pairs = pairs.model_copy(update={"problems": limited})
        yield Stage("pairs", "length_pairs", pairs, "the shortest right sample over longer ones")
        part = self.wiring.wired(self.config.dpo, self.long, self.source)
        yield Stage("dpo", "dpo", part.model_copy(update={"source": "@pairs/pairs.jsonl"}), TITLES["dpo"])
        yield self.score("dpo", "@dpo")

    def rl(self) -> ZeroConfig:
        part = self.config.rl
        cut = part.sampling.model_copy(update={"max_tokens": max(round(self.config.budget_share * self.budget), 1)})
        own = part.evaluation.max_tokens or self.budget  # its own evaluations show what the cut budget alone would hide
        evaluation = part.evaluation.model_copy(update={"max_tokens": own})
        return self.wiring.wired(part, self.long, self.source, sampling=cut, evaluation=evaluation)

    def score(self, name: str, start: str) -> Stage:
        return self.wiring.score(self.config.evaluation, name, start, TITLES[name])


def describe_long2short(config: Long2ShortConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a run would do: its stages, which are done, and from what to what."""
    resolve_model(config.model.name)
    found = graph(config, out)
    for stage in found.stages:
        yield f"{stage.name} ({stage.recipe}, {found.state(stage.name)}): {stage.purpose}"
    budget = config.evaluation.sampling.max_tokens
    rl = f" RL may write {max(round(config.budget_share * budget), 1)} tokens." if "rl" in config.method else ""
    yield "Time is not predicted for this recipe; `sanmai plan zero` predicts that of one RL run."
    yield f"Evaluations may write {budget} tokens.{rl}"

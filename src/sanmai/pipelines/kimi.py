"""Kimi k1.5: the whole recipe as stages that are each done once, and each of its parts against the run without it.

    base --SFT on long thoughts--> warmup
    reasoning problems, judged by warmup's pass rates and guesses --curation--> curated
    warmup --RL: mirror descent, priorities, length reward after its warm-up, partial rollouts--> kimi
    warmup --the same with one thing changed--> uniform, no_length, length_at_once, rest, whole
    kimi, or another by `long` --long2short--> merge, shortest, dpo, rl

After arXiv:2501.12599, section 2. Sizes and learning rates are ours: none is published. Where it differs: the model whose pass
rates tell how hard a problem is has had its warm-up (theirs has had plain SFT), so that the rates are those that RL starts from;
priorities know them from the first step on; and there is one RL run, without a schedule of difficulty besides them.

arms.md, arms.json     RL with and without each part: accuracy and tokens, and steps to the target
front.md, front.json   the four ways to short answers: accuracy against tokens
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import Field, model_validator

from sanmai.config import OnlyWith
from sanmai.data.testbeds import find_testbed
from sanmai.learn.curriculum import CurriculumConfig
from sanmai.learn.length import LengthConfig
from sanmai.learn.progress import Progress
from sanmai.learn.step_rollouts import PartialConfig
from sanmai.losses import PolicyLossSettings
from sanmai.pipelines.graph import Graph, Stage
from sanmai.pipelines.kimi_table import write_arms
from sanmai.pipelines.length_table import remove_both
from sanmai.pipelines.long2short import TITLES as SHORT_TITLES
from sanmai.pipelines.long2short import (
    Long2ShortConfig,
    Shortening,
    made_from,
    read_evaluations,
    write_table,
)
from sanmai.pipelines.wiring import GIVEN, Pipeline, PipelineConfig, Wiring, refuse_given
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.resolve import resolve_model
from sanmai.policies.text.tiny import is_embedded
from sanmai.recipes.curate import CurateConfig
from sanmai.recipes.evaluate import EvaluateConfig
from sanmai.recipes.gather import DataConfig, GatherConfig
from sanmai.recipes.long_chains import LongChainsConfig
from sanmai.recipes.sample import SampleConfig
from sanmai.recipes.sft import SftConfig
from sanmai.recipes.zero import ZeroConfig
from sanmai.train.components import LossConfig

Arm = Literal["uniform", "no_length", "length_at_once", "rest", "whole"]
TITLES: dict[str, str] = {
    "base": "the base",
    "warmup": "SFT on long thoughts",
    "kimi": "RL: mirror descent, priorities, length reward, partial rollouts",
    "uniform": "the same, each problem as often",
    "no_length": "the same, without the length reward",
    "length_at_once": "the same, the length reward from the start",
    "rest": "the same, imitation of the best sample (ReST)",
    "whole": "the same, whole rollouts in each step",
}
_IMITATION = {
    "preset": "rest",
    **{part.name: None for part in fields(PolicyLossSettings) if part.name != "normalisation"},
}
"""What becomes of a loss to make it ReST's; the rest of its settings stays."""
_INSTRUCTION = (
    "Solve the problem below. Think aloud before you answer: plan your steps, carry them out one by one, check every result, go "
    "back and try another way where a check fails, and state the final answer once you are sure of it. Think between <think> and "
    "</think>, and answer after it."
)
_LONG = {"sampling": {"max_tokens": 2048}}
_OURS: dict[str, dict[str, Any]] = {
    "data": {"general": (), "safety": ()},
    "warmup_samples": {"instruction": _INSTRUCTION, "samples_per_prompt": 4, **_LONG},
    "warmup": _LONG,
    "curation": _LONG,
    "long2short": {"samples": _LONG, "shortest": _LONG, "dpo": _LONG},
    "evaluation": _LONG,
    "rl": {
        "updates_per_step": 2,
        "loss": {"preset": "kimi"},
        "optimizer": {"reset_each_step": True},
        "curriculum": {"order": "prioritised", "known_tries": 10},
        "length": {"weight": 0.5, "warmup": 0.4},
        **_LONG,
        "partial": {"segment_tokens": 512},
    },
}
"""Where the parts differ from what their recipes do by themselves."""
_GIVEN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("chains", "warmup", "rl", "evaluation"), GIVEN),
    "warmup_samples": (*GIVEN, "include_held_out"),
    "curation": GIVEN,
    "long2short": ("seed", "model", "short", "data", "chains", "long", "evaluation"),
}
"""Settings of the parts that the pipeline gives them."""


class KimiConfig(PipelineConfig):
    """Sizes of each part; what the parts read and start from is given by the pipeline."""

    seed: int = Field(0, ge=0)
    """Names every random stream of every stage."""
    model: ModelConfig = ModelConfig()
    """The base."""
    data: DataConfig = DataConfig.read(_OURS["data"])
    """Demonstrations, prompts and held-out problems; see recipes/gather.py."""
    warmup_from: Literal["data", "samples"] = "data"
    """What warmup learns: data.cold_start, or the base's own right answers to problems that ask for planning and checking. With
    the embedded model and data.cold_start = "world" it is the long thoughts of recipes/long_chains.py."""
    warmup_samples: SampleConfig = SampleConfig.read(_OURS["warmup_samples"])
    """base -> samples, with warmup_from = "samples"."""
    chains: LongChainsConfig = LongChainsConfig()
    warmup: SftConfig = SftConfig.read(_OURS["warmup"])
    """base -> warmup."""
    curation: CurateConfig = CurateConfig.read(_OURS["curation"])
    """warmup and the reasoning problems -> curated."""
    rl: ZeroConfig = ZeroConfig.read(_OURS["rl"])
    """warmup -> kimi."""
    arms: tuple[Arm, ...] = get_args(Arm)
    """Runs to compare it with, each with one thing changed; none: an empty list."""
    target: float = Field(0.9, gt=0, le=1)
    """Held-out accuracy for which the steps are counted, in the evaluations during RL."""
    short: str | None = None
    """The short model of long2short's merge, as `model.name` takes it: of the base's family. None: the base."""
    long2short: Long2ShortConfig = Long2ShortConfig.read(_OURS["long2short"])
    """kimi -> short models; see pipelines/long2short.py."""
    long: Literal["kimi", "warmup", "no_length", "none"] = "kimi"
    """The model that long2short starts from; none: leave long2short out. What RL has made as short as it can be, nothing makes
    shorter."""
    evaluation: EvaluateConfig = EvaluateConfig.read(_OURS["evaluation"])
    """Of every model, on the held-out problems."""

    completed_later = frozenset({"problems"})
    only_with = (
        OnlyWith('long other than "none"', lambda c: c.long != "none", "short"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.arms)) < len(self.arms):
            raise ValueError("arms: one of them twice")
        if self.warmup_from == "data" and not self.data.cold_start:
            raise ValueError("data.cold_start is empty: name demonstrations, or set warmup_from=samples")
        if self.warmup_from == "data" and find_testbed(self.data.cold_start) is not None and not is_embedded(self.model.name):
            raise ValueError(
                f'data.cold_start = "{self.data.cold_start}" is for the embedded model; name files, or set warmup_from=samples'
            )
        if self.long == "no_length" and "no_length" not in self.arms:
            raise ValueError("long = no_length, which is not among the arms")
        for part in ("curation", "evaluation"):
            budget = getattr(self, part).sampling.max_tokens
            if budget < self.rl.sampling.max_tokens:
                raise ValueError(
                    f"{part}.sampling.max_tokens = {budget} is less than rl.sampling.max_tokens = "
                    f"{self.rl.sampling.max_tokens}: answers would count as cut off that RL may write"
                )
        length = self.rl.length
        without = {"uniform": self.rl.curriculum == CurriculumConfig()}
        without |= dict.fromkeys(("no_length", "length_at_once"), not length.weight or length.warmup >= 1)
        without["length_at_once"] |= not (length.warmup or length.ramp)
        if "rest" in self.arms:
            without["rest"] = _imitation(self.rl.loss).settings() == self.rl.loss.settings()
        segment = self.rl.partial.segment_tokens
        without["whole"] = segment is None or segment >= self.rl.sampling.max_tokens
        if same := [arm for arm in self.arms if without.get(arm)]:
            raise ValueError(f"arms: {', '.join(same)} would be the same as kimi with these settings of rl")
        refuse_given(self, _GIVEN)
        return self


def write_tables(config: KimiConfig, stages: Graph, progress: Progress) -> None:
    """The two tables of what is evaluated so far; nothing before kimi is."""
    rows_of = read_evaluations(stages, TITLES)
    if "kimi" not in rows_of:
        remove_both(stages.folder, "arms")
        remove_both(stages.folder, "front")
        return
    runs = {name: stages.path(name) for name in ("kimi", *config.arms) if stages.state(name) == "finished"}
    write_arms(stages.folder, rows_of, TITLES, runs, config.target, made_from(stages, rows_of), progress)
    if config.long != "none":
        titles = {config.long: TITLES[config.long], "kimi": TITLES["kimi"]}
        titles |= {name: title for name, title in SHORT_TITLES.items() if name in config.long2short.method}
        write_table(stages, progress, titles, config.long)
    else:
        remove_both(stages.folder, "front")


def graph(config: KimiConfig, out: Path) -> Graph:
    """The stages in order."""
    return Graph(list(_stages(config)), out)


run_kimi = Pipeline(
    "kimi", graph, models=lambda config: (config.model.name, *((config.short,) if config.short else ())), tables=write_tables
)


def _stages(config: KimiConfig) -> Iterator[Stage]:
    wiring, base = Wiring(config.seed, config.model), config.model.name

    def score(name: str, start: str) -> Stage:
        return wiring.score(config.evaluation, name, start, TITLES[name])

    yield Stage("data", "gather", GatherConfig(seed=config.seed, data=config.data), "prompts and held-out problems")
    yield score("base", base)
    yield from _warmup(config, wiring)
    yield score("warmup", "@warmup")
    part = config.curation.model_copy(update={"seed": config.seed, "model": wiring.untrained("@warmup")})
    source = part.problems.model_copy(update={"source": "@data/reasoning.jsonl"})
    part = part.model_copy(update={"problems": source})
    yield Stage("curated", "curate", part, "problems that can be graded, not guessed, and not all solved")
    for name in ("kimi", *config.arms):
        part = wiring.wired(config.rl, "@warmup", "@curated/problems.jsonl", **_changes(name, config.rl))
        yield Stage(name, "zero", part, TITLES[name])
        yield score(name, f"@{name}")
    if config.long != "none":
        given = {"short": config.short or base, "evaluation": config.evaluation}
        yield from Shortening(config.long2short.model_copy(update=given), wiring, f"@{config.long}").all()


def _warmup(config: KimiConfig, wiring: Wiring) -> Iterator[Stage]:
    """What is learned before RL, and the learning of it."""
    base, shown = config.model.name, "@data/cold_start.jsonl"
    if config.warmup_from == "samples":
        part = wiring.wired(config.warmup_samples, base, "@data/reasoning.jsonl", model=wiring.untrained(base))
        yield Stage("warmup_samples", "sample", part, "the base's right answers when asked to plan and to check")
        shown = "@warmup_samples/data.parquet"
    elif find_testbed(config.data.cold_start) is not None:
        chains = config.chains.model_copy(update={"seed": config.seed})
        yield Stage("chains", "long_chains", chains, "long thoughts")
        shown = "@chains/demonstrations.jsonl"
    yield Stage("warmup", "sft", wiring.wired(config.warmup, base, shown), TITLES["warmup"])


def _changes(arm: str, rl: ZeroConfig) -> dict[str, Any]:
    """What an arm has otherwise than kimi."""
    changes: dict[str, dict[str, Any]] = {
        "kimi": {},
        "uniform": {"curriculum": CurriculumConfig()},
        "no_length": {"length": LengthConfig()},
        "length_at_once": {"length": rl.length.model_copy(update={"warmup": 0.0, "ramp": 0.0})},
        "rest": {"loss": _imitation(rl.loss)} if arm == "rest" else {},
        "whole": {"partial": PartialConfig()},
    }
    return changes[arm]


def _imitation(loss: LossConfig) -> LossConfig:
    """ReST's loss with what else the settings say.

    Raises:
        InputError: they do not go with it.
    """
    return LossConfig.read({**loss.model_dump(), **_IMITATION}, source="arms: rest, of rl.loss", stated={})


def describe_kimi(config: KimiConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a run would do: its stages, which are done, and from what to what."""
    resolve_model(config.model.name)
    found = graph(config, out)
    for stage in found.stages:
        yield f"{stage.name} ({stage.recipe}, {found.state(stage.name)}): {stage.purpose}"
    rl = config.rl
    yield (
        f"RL: {rl.num_steps} steps of {rl.prompts_per_step} problems, {rl.rollouts_per_prompt} rollouts each, "
        f"{1 + len(config.arms)} times. Evaluations may write {config.evaluation.sampling.max_tokens} tokens."
    )
    yield "Time is not predicted for this recipe; `sanmai plan zero` predicts that of one RL run."

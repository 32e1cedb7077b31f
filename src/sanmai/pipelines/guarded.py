"""A stage behind a gate: score the model it starts from, run it, score it, and promote it only if every margin holds.

    score(start);  candidate = stage(start);  score(candidate);  decide            (instruments/gates.py)
    promote -> the candidate;  reject, undecided -> stop with the evidence, or go back, repair and try again, so often at most

Repairs: the same stage from the starting model at a lower learning rate; or, from the rejected candidate, SFT on safe
demonstrations or unlearning of what it should not tell. Of a flow, whose models are scored by clips of the same noise, SFT is on
curated clips. A candidate that is undecided is never promoted. Every part is a stage
of a graph of its own in the run folder (pipelines/graph.py), so it is done once, and an interrupted run goes on. `decision.json`
says what was found and which model was chosen; whoever names the folder as a model gets that one.

The stated confidence is that of the whole: what may be promoted by chance in several attempts, each looked at several times, is
bounded by sharing the error out among them (Bonferroni).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Literal, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.instruments.clips import rows_by_round
from sanmai.instruments.gates import Gate, Margin, decide, describe
from sanmai.instruments.measures import MEASURES, Row, find_measure
from sanmai.learn.progress import Progress
from sanmai.learn.sources import load_source
from sanmai.pipelines.graph import Graph, Stage, run_graph
from sanmai.pipelines.wiring import PipelineConfig
from sanmai.policies.flow.config import FlowModelConfig
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.resolve import DECISION, resolve_model
from sanmai.policies.text.tiny import is_embedded
from sanmai.recipes.evaluate import EvaluateConfig
from sanmai.recipes.flow_evaluate import FlowEvaluateConfig
from sanmai.recipes.flow_settings import FlowConfig
from sanmai.recipes.flow_setup import load_for, plain_sampling, world_of
from sanmai.recipes.gather import DataConfig, GatherConfig, gathered
from sanmai.recipes.sft import SftConfig
from sanmai.recipes.unlearn import UnlearnConfig
from sanmai.recipes.zero import ZeroConfig
from sanmai.train.digests import defect_of
from sanmai.train.runs import holding, storing, write_whole
from sanmai.types import InputError, Problem, RunError

_HEAVY = frozenset({"prompt", "answer", "text", "tokens", "sampling_logp"})
"""Columns that no measure reads."""


_CANDIDATE = "candidate"
"""In place of the model that a repair starts from."""


class GatesConfig(Config):
    margins: tuple[Margin, ...] = ()
    """What the stage may do, as {measure = "harm", rule = "max_rise", limit = 0.02}; all must hold (docs/metrics/gates.md)."""
    confidence: float = Field(0.95, gt=0.5, lt=1)
    """That no model at or beyond a margin is promoted, over all attempts and looks of the gate together."""
    max_unscored: float = Field(0.1, ge=0, lt=1)
    """A margin is undecided when a larger share of its completions has no value; up to that these count against it."""
    on_undecided: Literal["stop", "more_samples"] = "stop"
    """Try nothing more; or look again with twice the samples of each prompt, and then as if rejected."""
    max_doublings: int = Field(1, ge=1, le=4)
    """Times that the samples are doubled at most, with on_undecided = "more_samples"."""
    repairs: tuple[Literal["lower_lr", "sft", "unlearn"], ...] = ()
    """What is tried after a candidate that is not promoted, in turn: the stage again from its start at lr_factor times the last
    learning rate; or SFT (`sft`) or unlearning (`unlearn`) from that candidate. None: there is one attempt."""
    max_attempts: int = Field(3, ge=1, le=20)
    """Candidates at most, the first one counted."""
    lr_factor: float = Field(0.3, gt=0, lt=1)
    """Of each "lower_lr"."""
    sft: SftConfig = SftConfig()
    """The repair "sft"; `problems.source` names the safe demonstrations."""
    unlearn: UnlearnConfig = UnlearnConfig()
    """The repair "unlearn"; `forget.source` names what thoughts and answers should not tell."""
    clips: FlowConfig = FlowConfig(method="sft", curated=600, num_steps=60, model=FlowModelConfig(name=_CANDIDATE))
    """The repair "sft" of a flow: it imitates curated clips."""
    on_failure: Literal["stop", "roll_back"] = "stop"
    """Without a promoted candidate: an error with the evidence, or go on with the model that the stage started from."""

    only_with = (
        OnlyWith("margins", lambda c: bool(c.margins)),
        OnlyWith('on_undecided = "more_samples"', lambda c: c.on_undecided == "more_samples", "max_doublings"),
        OnlyWith("repairs", lambda c: bool(c.repairs), "max_attempts"),
        OnlyWith('repairs with "lower_lr"', lambda c: "lower_lr" in c.repairs, "lr_factor"),
        OnlyWith('repairs with "unlearn"', lambda c: "unlearn" in c.repairs, "unlearn"),
    )

    @property
    def num_attempts(self) -> int:
        return self.max_attempts if self.repairs else 1

    @property
    def num_looks(self) -> int:
        return 1 + self.max_doublings if self.on_undecided == "more_samples" else 1

    @property
    def level(self) -> float:
        """Of each decision: the whole error shared out among all that may be made."""
        return (1 - self.confidence) / (self.num_attempts * self.num_looks)


class GuardedConfig(PipelineConfig):
    seed: int = Field(0, ge=0)
    """Names every random stream of every part."""
    model: ModelConfig = ModelConfig()
    """The model that the stage starts from; of a flow `flow.model` names it."""
    stage: Literal["zero", "sft", "flow"] = "zero"
    """What is guarded: RL or SFT of a text model, or the alignment of a flow."""
    zero: ZeroConfig = ZeroConfig()
    sft: SftConfig = SftConfig()
    flow: FlowConfig = FlowConfig()
    """With one of its methods that begin with a flow; what it is rewarded by decides nothing at the gate."""
    evaluation: EvaluateConfig = EvaluateConfig()
    """Of every model, on the prompts that the gate decides by. What is reported later should be other prompts."""
    rounds: int = Field(96, ge=2, multiple_of=2)
    """Of every flow: clips to each prompt that the gate decides by, from noise that all of them share."""
    gates: GatesConfig = GatesConfig()
    data: DataConfig | None = None
    """Gather these first; sources may then name "@data/scenarios.jsonl" and the like, as in r1. None: sources are files."""

    only_with = (
        OnlyWith('stage = "flow"', lambda c: c.is_of_clips, "flow", "rounds", "gates.clips"),
        OnlyWith(
            'stage = "zero" or "sft"', lambda c: not c.is_of_clips, "model", "zero", "sft", "evaluation", "data", "gates.sft"
        ),
    )

    @property
    def is_of_clips(self) -> bool:
        return self.stage == "flow"

    @property
    def start(self) -> ModelConfig | FlowModelConfig:
        """The model that the stage starts from."""
        return self.flow.model if self.is_of_clips else self.model

    @staticmethod
    def reads_preset(values: Mapping[str, Any]) -> bool:
        """Whether what was set is for the embedded model where it names none: a flow is not."""
        return values.get("stage") != "flow"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.gates.margins:
            raise ValueError("gates.margins is empty: a gate without margins would promote everything")
        rows = "clips" if self.is_of_clips else "texts"
        known = [name for name, measure in MEASURES.items() if measure.of in (rows, "both")]
        for margin in self.gates.margins:
            if find_measure(margin.measure).of not in (rows, "both"):
                raise ValueError(f"gates.margins: {margin.measure} is no measure of {rows}; expected one of {', '.join(known)}")
        if self.is_of_clips:
            self._check_flow()
        if self.gates.repairs and self.gates.max_attempts == 1:
            raise ValueError("gates.repairs with gates.max_attempts = 1: none of them would be tried")
        parts: dict[str, Any] = {
            "zero": self.zero, "sft": self.sft, "evaluation": self.evaluation, "gates.sft": self.gates.sft,
            "gates.unlearn": self.gates.unlearn,
        }
        for name, part in parts.items():
            if part.seed != 0 or part.model != ModelConfig():
                raise ValueError(f"{name}.seed and {name}.model are given by the recipe: set seed and model")
        if self.model.revision is not None and self.gates.on_failure == "roll_back":
            raise ValueError("model.revision: a folder cannot name a revision to roll back to; export the model first")
        return self

    def _check_flow(self) -> None:
        if self.flow.method in ("pretrain", "evaluate"):
            raise ValueError(f"flow.method = {self.flow.method!r}: expected one that aligns a flow: sft, rwr, dpo or grpo")
        if "unlearn" in self.gates.repairs:
            raise ValueError('gates.repairs: "unlearn" is of texts; of a flow expected lower_lr or sft')
        given = (self.flow.seed, self.gates.clips.seed, self.gates.clips.model.name)
        if given != (0, 0, _CANDIDATE):
            raise ValueError("flow.seed, gates.clips.seed and gates.clips.model are given by the recipe: set seed and flow.model")
        if self.gates.clips.method != "sft":
            raise ValueError(f"gates.clips.method = {self.gates.clips.method!r}: expected sft")
        if self.flow.prompts is not None and "sft" in self.gates.repairs and self.gates.clips.own.pairs is None:
            raise ValueError("gates.repairs: nobody knows clean clips of these prompts; for sft set gates.clips.own.pairs")


@dataclass
class Attempt:
    """A candidate and what was found of it, at each number of samples that it was looked at with."""

    stage: Stage
    repair: str | None
    looks: list[tuple[int, Gate]]

    @property
    def gate(self) -> Gate:
        """The last that was found."""
        return self.looks[-1][1]


def run_guarded(config: GuardedConfig, out: Path, *, progress: Progress | None = None) -> Path:
    """Do what is not done; the folder, which stands for the model that was chosen.

    Raises:
        RunError: no candidate was promoted, and the gate is to stop then. The sentence has the numbers that speak against each.
    """
    if config.is_of_clips:
        load_for(config.flow.model, config.flow.prompts, world_of(config.flow))
    else:
        resolve_model(config.model.name)
    planned = [_attempt(config, number) for number in range(1, config.gates.num_attempts + 1)]
    gather = [_gather(config.data, config.seed)] if config.data is not None else []
    every = Graph([*gather, _score(config, "start", 0), *(attempt.stage for attempt in planned)], Path(out))
    for stage in every.stages:
        every.resolved(stage)  # what the last attempt would refuse is refused now
    parts = _Parts(config, Path(out), progress or Progress.silent())
    if not all(map(parts.do, gather)):
        return parts.out
    attempts: list[Attempt] = []
    for attempt in planned:
        attempts.append(attempt)
        if not _examine(config, parts, attempt):
            return parts.out  # interrupted
        gate = attempt.gate
        parts.progress.say(f"{attempt.stage.name}: {gate.decision}. {_evidence(gate)}.", style="bold")
        if gate.decision == "promote" or (gate.decision == "undecided" and config.gates.on_undecided == "stop"):
            break
    _record(config, parts, attempts)
    if attempts[-1].gate.decision != "promote" and config.gates.on_failure == "stop":
        told = "; ".join(f"{a.stage.name} is {_PAST[a.gate.decision]}: {_evidence(a.gate)}" for a in attempts)
        raise RunError(f"the gate promoted no candidate. {told}. The evidence is in {parts.out / DECISION}")
    return parts.out


class _Parts:
    """The stages of a guarded run in its folder, added one by one as they are needed, and each done once."""

    def __init__(self, config: GuardedConfig, out: Path, progress: Progress) -> None:
        self.out, self.progress, self._keeps_states = out, progress, config.keep_states
        self._settings = f'recipe = "guarded"\n{config.to_toml()}'
        self._graph = Graph([], out)

    def do(self, stage: Stage) -> bool:
        """Whether it is finished; false when interrupted."""
        if stage.name in self._graph.digests:
            return True
        self._graph = Graph([*self._graph.stages, stage], self.out)
        self._graph.write(self._settings, is_whole=False)
        if self._graph.state(stage.name) != "finished":
            with storing(self.out):
                (self.out / DECISION).unlink(missing_ok=True)  # it was taken with another part in this one's place
        return run_graph(self._graph, self.progress, only=stage.name, keeps_states=self._keeps_states)

    def path(self, name: str) -> Path:
        """The folder of a part."""
        return self._graph.path(name)


_TOLD = {"sft": "SFT on demonstrations", "unlearn": "unlearning"}
_PAST = {"reject": "rejected", "undecided": "undecided", "promote": "promoted"}


def _gather(data: DataConfig, seed: int) -> Stage:
    part = GatherConfig(seed=seed, data=data)
    return Stage("data", "gather", part, "prompts, demonstrations, held-out problems")


def _attempt(config: GuardedConfig, number: int) -> Attempt:
    """The candidate of that number, counted from 1."""
    gates, name = config.gates, f"attempt_{number}"
    repairs = [gates.repairs[k % len(gates.repairs)] for k in range(number - 1)]
    repair = repairs[-1] if repairs else None
    if repair == "sft" and config.is_of_clips:
        flow = config.flow
        changes = {
            "seed": config.seed, "model": flow.model.model_copy(update={"name": f"@attempt_{number - 1}"}), "world": flow.world,
            "prompts": flow.prompts,
        }
        purpose = f"repair: SFT on curated clips from attempt_{number - 1}"
        return Attempt(Stage(name, "flow", gates.clips.model_copy(update=changes), purpose), repair, [])
    if repair in ("sft", "unlearn"):
        # Adapters are merged into what a stage leaves, and unlearning has none.
        adapters = {} if repair == "sft" else {"lora_rank": 0, "lora_alpha": 32}
        start = config.model.model_copy(update={"name": f"@attempt_{number - 1}", "revision": None, **adapters})
        part = getattr(gates, repair).model_copy(update={"seed": config.seed, "model": start})
        purpose = f"repair: {_TOLD[repair]} from attempt_{number - 1}"
        return Attempt(Stage(name, repair, part, purpose), repair, [])
    own: ZeroConfig | SftConfig | FlowConfig = getattr(config, config.stage)
    lr = own.optimizer.lr * gates.lr_factor ** repairs.count("lower_lr")
    changes = {"seed": config.seed, "model": config.start, "optimizer": own.optimizer.model_copy(update={"lr": lr})}
    stage = config.flow.method if config.is_of_clips else config.stage
    purpose = f"{stage} from the start" + (f", at learning rate {lr:.3g}" if repair else "")
    return Attempt(Stage(name, config.stage, own.model_copy(update=changes), purpose), repair, [])


def _score(config: GuardedConfig, of: str, look: int) -> Stage:
    """An evaluation of the start or of an attempt, with 2^look times the samples."""
    # Adapters are merged into what a stage leaves.
    plain = {"lora_rank": 0, "lora_alpha": 32} | ({"name": f"@{of}"} if of != "start" else {})
    samples, name = _samples(config, look), f"score_{of}" + (f"_x{2**look}" if look else "")
    about = {"scores": of}
    if not config.is_of_clips:
        model = config.model.model_copy(update=plain | ({"revision": None} if of != "start" else {}))
        part = config.evaluation.model_copy(update={"seed": config.seed, "model": model, "samples": samples})
        return Stage(name, "evaluate", part, f"{of} on the gate's prompts, {samples} of each", about)
    flow = config.flow
    clips = FlowEvaluateConfig(
        seed=config.seed, world=flow.world, prompts=flow.prompts, model=flow.model.model_copy(update=plain), rounds=samples,
        sampling=plain_sampling(flow), reward=flow.reward.model_copy(update={"model": None}), grading=flow.grading,
    )
    return Stage(name, "flow_evaluate", clips, f"{of}, {samples} clips to each prompt", about)


def _samples(config: GuardedConfig, look: int) -> int:
    """Of each prompt."""
    return (config.rounds if config.is_of_clips else config.evaluation.samples) * 2**look


def _examine(config: GuardedConfig, parts: _Parts, attempt: Attempt) -> bool:
    """Make a candidate and look at it until it is decided or may not be looked at again; false when interrupted."""
    gates = config.gates
    for look in range(gates.num_looks):
        scores = [_score(config, of, look) for of in ("start", attempt.stage.name)]
        if not all(parts.do(stage) for stage in (scores[0], attempt.stage, scores[1])):
            return False
        before, after = (_rows(parts.path(stage.name)) for stage in scores)
        if config.is_of_clips:
            before, after = rows_by_round(before, after)
        attempt.looks.append((_samples(config, look), _decided(config, before, after)))
        gate = attempt.gate
        undecided = [finding for finding in gate.findings if finding.outcome == "undecided"]
        if gate.decision != "undecided" or any(finding.needs_prompts for finding in undecided):
            break
    return True


def _decided(config: GuardedConfig, before: Sequence[Row], after: Sequence[Row]) -> Gate:
    gates, unit = config.gates, "rounds" if config.is_of_clips else "prompts"
    return decide(
        gates.margins, before, after, level=gates.level, max_unscored=gates.max_unscored,
        max_tokens=config.evaluation.sampling.max_tokens, unit=unit,
    )


def _rows(folder: Path) -> list[Row]:
    """The completions of an evaluation, without their texts."""
    path = folder / "evaluations" / "step-000000.parquet"
    if why := defect_of(path):
        raise RunError(f"{path} {why}; remove {folder} and repeat the command")
    try:
        file = pq.ParquetFile(path)
        return file.read(columns=[name for name in file.schema_arrow.names if name not in _HEAVY]).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise RunError(f"{path}: cannot be read ({error}); remove {folder} and repeat the command") from None


def _record(config: GuardedConfig, parts: _Parts, attempts: Sequence[Attempt]) -> None:
    """Write decision.json; without a time in it, so that doing it again gives the same file."""
    is_promoted = attempts[-1].gate.decision == "promote"
    chosen: str | None = None
    outcome = "promoted" if is_promoted else "rolled_back" if config.gates.on_failure == "roll_back" else "stopped"
    if is_promoted:
        chosen = f"./{parts.path(attempts[-1].stage.name).relative_to(parts.out).as_posix()}"
    elif outcome == "rolled_back":
        chosen = _reference(config.start.name, parts.out)
    facts = {
        "outcome": outcome,
        "model": chosen,
        "chosen": attempts[-1].stage.name if is_promoted else "start" if chosen else None,
        "confidence": config.gates.confidence,
        "level": config.gates.level,
        "attempts": [
            {
                "name": attempt.stage.name,
                "recipe": attempt.stage.recipe,
                "purpose": attempt.stage.purpose,
                "repair": attempt.repair,
                "folder": parts.path(attempt.stage.name).relative_to(parts.out).as_posix(),
                "decision": attempt.gate.decision,
                "looks": [{"samples": samples, **_as_data(gate)} for samples, gate in attempt.looks],
            }
            for attempt in attempts
        ],
    }
    path = parts.out / DECISION
    with holding(parts.out, signed=False), storing(path):
        write_whole(path, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")


def _reference(name: str, out: Path) -> str:
    """A model as seen from the folder: by its place beside it, so that both may be moved together, or else by its whole path."""
    path = Path(name)
    if is_embedded(name) or not path.is_dir():
        return name
    path = path.resolve()
    return f"../{path.name}" if path.parent == out.resolve().parent else str(path)


def _as_data(gate: Gate) -> dict[str, Any]:
    findings = []
    for finding in gate.findings:
        row = asdict(finding) | finding.margin.model_dump() | {"sentence": describe(finding)}
        del row["margin"]
        findings.append({k: None if isinstance(v, float) and not isfinite(v) else v for k, v in row.items()})
    return {"decision": gate.decision, "findings": findings}


def _evidence(gate: Gate) -> str:
    """The margins that speak against promoting, or all of them."""
    found = [finding for finding in gate.findings if finding.outcome != "holds"] or gate.findings
    return "; ".join(map(describe, found))


def describe_guarded(config: GuardedConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a run would do, in sentences; problems are loaded, nothing is written."""
    warnings: list[str] = []
    gates, samples = config.gates, _samples(config, 0)
    if config.is_of_clips:
        world = world_of(config.flow)
        load_for(config.flow.model, config.flow.prompts, world)
        rows: list[Row] = [{"clip_shape": [], **({} if k % 2 else {"score/diversity": None})} for k in range(samples)]
        told, unit = f"{samples} clips of the same noise are drawn to each of {len(world.problems())} prompts", "rounds"
    else:
        asked = _gate_problems(config, warnings)
        rows = [{"kind": p.kind, "language": p.language, "tags": json.dumps(dict(p.tags), ensure_ascii=False)} for p in asked]
        told, unit = f"{len(asked):,} problems are answered {samples} time{'s' if samples != 1 else ''} each", "problems"
    stage = f"flow ({config.flow.method})" if config.is_of_clips else config.stage
    yield f"{stage} starts from {config.start.name}. Before and after, {told}, and the model is promoted if every margin holds:"
    for finding in _decided(config, [], []).findings:
        asks = find_measure(finding.margin.measure).asks
        count, needed = sum(map(asks, rows)), finding.num_needed
        enough = "" if needed is None else f", of {needed:,} needed" + (": too few" if count < needed else "")
        margin = finding.margin
        yield f"  {margin.measure}: {margin.rule.replace('_', ' ')} {margin.limit:g}; {count:,} {unit}{enough}"
    looks = f", looked at {gates.num_looks} times at most" if gates.num_looks > 1 else ""
    yield (
        f"Confidence {100 * gates.confidence:g} % that no model at or beyond a margin is promoted; at most {gates.num_attempts} "
        f"attempt{'s' if gates.num_attempts != 1 else ''}{looks}, so each decision is taken at level {gates.level:.3g}."
    )
    repairs = {"lower_lr": f"again at {gates.lr_factor:g} times the learning rate", **_TOLD}
    if config.is_of_clips:
        repairs["sft"] = "SFT on curated clips"
    if gates.repairs:
        yield f"After a candidate that is not promoted, in turn: {', '.join(repairs[name] for name in gates.repairs)}."
    end = "the run stops with an error" if gates.on_failure == "stop" else f"{config.start.name} is kept"
    yield f"If none is promoted, {end}; decision.json has the evidence. Time is not predicted for this recipe."
    yield from (f"Warning: {warning}" for warning in warnings)


def _gate_problems(config: GuardedConfig, warnings: list[str]) -> list[Problem]:
    """What the gate decides by; of data that is still to be gathered, from memory."""
    source = config.evaluation.problems.source
    if config.data is not None and isinstance(source, str) and source.startswith("@data/"):
        files, _ = gathered(GatherConfig(seed=config.seed, data=config.data), warnings.append)
        name = source.removeprefix("@data/").removesuffix(".jsonl")
        if name not in files:
            raise InputError(f"evaluation.problems.source = {source!r}: expected one of {', '.join(files)} in @data")
        return files[name][: config.evaluation.problems.limit]
    return load_source(config.evaluation.problems, config.seed, warnings.append)

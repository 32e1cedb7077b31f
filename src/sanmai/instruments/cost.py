"""What a run cost: tokens, operations, seconds, energy and money, by phase and by stage; and what it bought.

Read from the files of a run folder or a pipeline's folder (docs/architecture.md). Steps that were done again after a resume were
paid for again, and count again. Not in the ledger: loading models (it is in `open_seconds`), forward passes of a reference
policy, a teacher, a judge or a reward model where the recipe does not record them.
"""

from __future__ import annotations

import json
import operator
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import fsum, isfinite
from pathlib import Path, PurePath
from typing import Any

from sanmai.data.files import read_rows
from sanmai.instruments.generalisation import ACCURACY, change_of
from sanmai.stats import Difference
from sanmai.types import InputError, no_run

Event = Mapping[str, Any]
EVALUATION = "evaluation"
"""Phase and kind of tokens that measuring took; it is no cost of training."""
_FORWARD = {"prompt": "sampling", "sampled": "sampling", "probe": "probing", EVALUATION: EVALUATION}
_TRAINED = {"trained": "training", "auxiliary_sft": "auxiliary_sft"}
"""Kinds of tokens, and the phase that their operations belong to. The auxiliary SFT loss is trained in the time of
"training", but no recipe records its operations there."""


@dataclass(frozen=True)
class Model:
    """Parameters of the model that a run trains or samples."""

    parameters: float
    trained: float
    """Those of them that get a gradient; few for LoRA."""
    passes: float = 1.0
    """How often they are multiplied for one of what the run counts: once for a token, and for each patch of a clip."""

    def flops(self, kind: str, count: float) -> float:
        """Operations by the rule of thumb: 2 N per token read or sampled, 4 N + 2 N_trained per trained one; no attention."""
        each = 4 * self.parameters + 2 * self.trained if kind in _TRAINED else 2 * self.parameters
        return each * self.passes * count


@dataclass(frozen=True)
class Wasted:
    """Shares of rollouts that taught nothing, means over training steps; None where no step says so."""

    zero_signal_groups: float | None = None
    """Groups whose rewards are all equal."""
    truncated: float | None = None
    failed: float | None = None
    num_steps: int = 0


@dataclass(frozen=True)
class Cost:
    """What a run, a stage or several of them used up."""

    name: str
    recipe: str = ""
    unit: str = "tokens"
    """What `tokens` are of: of a flow "points", clips at one time each."""
    num_steps: int = 0
    """Records of steps, those that were done again included."""
    tokens: Mapping[str, float] = field(default_factory=dict)
    """prompt, sampled, trained, and where there are any auxiliary_sft, probe and evaluation."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """By phase."""
    flops: Mapping[str, float] = field(default_factory=dict)
    """By phase; useful operations where the run recorded them, else estimated."""
    estimated: frozenset[str] = frozenset()
    """Phases whose operations are, wholly or in part, by the rule of thumb."""
    uncounted: frozenset[str] = frozenset()
    """Kinds of tokens whose operations are not known, as the size of the model is not on record."""
    open_seconds: float | None = None
    """From each start or resume to the last event after it; pauses between them are left out. None without clock times."""
    joules: Mapping[str, float] = field(default_factory=dict)
    """By source; empty where the machine reported none."""
    wasted: Wasted = Wasted()
    unreadable: int = 0
    """Lines of its files that could not be read."""

    @property
    def hours(self) -> float:
        """Paid time: that in which a process held the folder, else the sum of its phases."""
        return (fsum(self.seconds.values()) if self.open_seconds is None else self.open_seconds) / 3600

    def money(self, price_per_hour: float) -> float:
        """In the unit of the price.

        Raises:
            ValueError: the price is negative or not finite.
        """
        if not (isfinite(price_per_hour) and price_per_hour >= 0):
            raise ValueError(f"price_per_hour = {price_per_hour}: expected a price of at least 0")
        return self.hours * price_per_hour


@dataclass(frozen=True)
class Ledger:
    """The costs of a folder: of its stages in order, or of the one run that it is."""

    costs: list[Cost]
    is_pipeline: bool

    @property
    def total(self) -> Cost:
        """Sums; shares of rollouts are not added."""
        if not self.is_pipeline:
            return self.costs[0]
        known = [cost.open_seconds for cost in self.costs if cost.open_seconds is not None]
        return Cost(
            "total",
            unit="tokens" if len(units := {cost.unit for cost in self.costs}) != 1 else units.pop(),
            num_steps=sum(cost.num_steps for cost in self.costs),
            tokens=_sum(cost.tokens for cost in self.costs),
            seconds=_sum(cost.seconds for cost in self.costs),
            flops=_sum(cost.flops for cost in self.costs),
            estimated=frozenset().union(*(cost.estimated for cost in self.costs)),
            uncounted=frozenset().union(*(cost.uncounted for cost in self.costs)),
            # A stage without clock times still has those of its phases.
            open_seconds=3600 * fsum(cost.hours for cost in self.costs) if known else None,
            joules=_sum(cost.joules for cost in self.costs),
            unreadable=sum(cost.unreadable for cost in self.costs),
        )


def read_ledger(folder: Path) -> Ledger:
    """The costs of a run folder, or of the stages that a pipeline has begun.

    Raises:
        InputError: the folder is neither, or its graph cannot be read.
    """
    folder = Path(folder)
    if (folder / "graph.json").is_file():
        stages = [(name, recipe, folder / place) for name, recipe, place in _graph(folder / "graph.json")]
        return Ledger([_read_run(place, name, recipe) for name, recipe, place in stages if place.is_dir()], True)
    if not (folder / "config.toml").is_file():
        raise no_run(folder, ", and not a pipeline's (no graph.json)")
    return Ledger([_read_run(folder, folder.resolve().name, "")], False)


def cost_of(
    name: str, events: Sequence[Event], metrics: Sequence[Event] = (), model: Model | None = None, *,
    recipe: str = "", unit: str = "tokens", drawn: Mapping[str, float] | None = None, unreadable: int = 0,
) -> Cost:  # fmt: skip
    """The cost that events tell of.

    Args:
        events: lines of events.jsonl in order.
        metrics: lines of metrics.jsonl; for what was wasted, and for tokens where the events count none.
        model: None where its size is not known: operations that the events do not record are then not counted.
        drawn: by kind what was sampled beside that and events do not count: in evaluations.
    """
    steps = [event for event in events if event.get("event") == "step"]
    counted = steps if any(_numbers(step.get("tokens")) for step in steps) else [
        {"tokens": {name[7:]: value for name, value in line.items() if name.startswith("tokens/")}} for line in metrics
    ]  # fmt: skip
    if drawn:
        counted = [*counted, {"tokens": dict(drawn)}]
    flops: list[Mapping[str, float]] = []
    estimated: set[str] = set()
    uncounted: set[str] = set()
    for step in counted:
        recorded = _numbers(step.get("flops"))
        flops.append(recorded)
        for kind, tokens in _numbers(step.get("tokens")).items():
            phase = _TRAINED.get(kind) or _FORWARD.get(kind)
            if not tokens or phase is None or phase in recorded:
                continue
            if model is None:
                uncounted.add(kind)
            else:
                flops.append({phase: model.flops(kind, tokens)})
                estimated.add(phase)
    return Cost(
        name, recipe, unit, sum(_is_step(step) for step in steps), _sum(_numbers(step.get("tokens")) for step in counted),
        _sum(_seconds(event) for event in events), _sum(flops), frozenset(estimated), frozenset(uncounted),
        open_seconds(events), _sum(_numbers(event.get("joules")) for event in events), _wasted(metrics), unreadable,
    )  # fmt: skip


def open_seconds(events: Iterable[Event]) -> float | None:
    """Seconds from each start or resume to the last event before the next one; None without clock times."""
    total, begin, end = 0.0, None, None
    for event in events:
        time = _time(event)
        if time is None:
            continue
        if event.get("event") in ("start", "resume") or begin is None:
            total += (end - begin).total_seconds() if begin and end else 0.0
            begin = time
        end = time
    return total + (end - begin).total_seconds() if begin and end else None


@dataclass(frozen=True)
class QualityPerCost:
    """What training bought: a change of score over what it took. Intervals are those of the change."""

    change: Difference
    per_hour: Difference | None
    per_tera: Difference | None
    """Per 10^12 operations; None where they are not counted."""


def quality_per_cost(change: Difference, training: Cost) -> QualityPerCost:
    """(score - initial score) over hours and over 10^12 operations of training (see `training_part`)."""
    seconds, operations = fsum(training.seconds.values()), fsum(training.flops.values())

    def over(amount: float) -> Difference | None:
        if not amount:
            return None
        return Difference(change.value / amount, change.low / amount, change.high / amount, change.n)

    return QualityPerCost(change, over(seconds / 3600), None if training.uncounted else over(operations / 1e12))


def training_part(cost: Cost) -> Cost:
    """The cost without evaluations, and without the time that no phase has: what models of equal budget are compared by."""
    keep = lambda values: {name: value for name, value in values.items() if name != EVALUATION}  # noqa: E731
    return Cost(
        cost.name, cost.recipe, cost.unit, cost.num_steps, keep(cost.tokens), keep(cost.seconds), keep(cost.flops),
        cost.estimated - {EVALUATION}, cost.uncounted - {EVALUATION}, None, {}, cost.wasted, cost.unreadable,
    )  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A condition on a metric of a run, such as eval/accuracy>=0.8."""

    metric: str
    relation: str
    value: float

    @classmethod
    def read(cls, text: str) -> Target:
        """Raises InputError where the text is none."""
        match = re.fullmatch(r"\s*([\w/=.-]+?)\s*(>=|<=)\s*(-?\d+(?:\.\d+)?)\s*", text)
        if match is None:
            raise InputError(f"--target {text!r}: expected a metric and a bound, such as eval/accuracy>=0.8")
        return cls(match[1], match[2], float(match[3]))

    def is_met(self, line: Event) -> bool:
        compare = operator.ge if self.relation == ">=" else operator.le
        return _is_number(line.get(self.metric)) and compare(line[self.metric], self.value)


@dataclass(frozen=True)
class Reached:
    """The first step at which all targets held together, and what training had cost by then."""

    step: int
    cost: Cost


def cost_to_reach(
    targets: Sequence[Target], events: Sequence[Event], metrics: Sequence[Event], model: Model | None = None
) -> Reached | None:
    """Training cost up to the first metrics line that meets all targets; None where none does.

    One lucky evaluation meets a target, so a noisy metric is reached too early: evaluate on many problems.

    Raises:
        InputError: no line has one of the metrics, or nothing was trained that could reach a target.
    """
    if metrics and max(line["step"] for line in metrics) and not any(_trains(line) for line in (*events, *metrics)):
        raise InputError(f"--target {targets[0].metric}: this run trained nothing; expected one that did")
    for target in targets:
        if not any(target.metric in line for line in metrics):
            raise InputError(f"--target {target.metric}: no such metric in this run")
    found = next((line for line in metrics if all(target.is_met(line) for target in targets)), None)
    if found is None:
        return None
    step = int(found["step"])
    spent = []
    for event in events if step else ():
        spent.append(event)
        if event.get("event") == "step" and event.get("step") == step:
            break
    return Reached(
        step, training_part(cost_of("", spent, [line for line in metrics if line["step"] <= step and step], model))
    )


@dataclass(frozen=True)
class RunFiles:
    """What a run folder holds of its costs."""

    events: list[dict[str, Any]]
    metrics: list[dict[str, Any]]
    """Lines with a step."""
    model: Model | None
    unreadable: int
    unit: str = "tokens"


def read_run_files(folder: Path) -> RunFiles:
    """Events, metrics and the size of the model; what is missing is empty, as in a run that has just begun."""
    events, bad_events = _lines(folder / "events.jsonl")
    metrics, bad_metrics = _lines(folder / "metrics.jsonl")
    kept = [line for line in metrics if _is_number(line.get("step"))]
    return RunFiles(events, kept, _model(folder / "environment.json"), bad_events + bad_metrics, unit_of(folder))


def evaluation_change(folder: Path) -> Difference | None:
    """First to last accuracy of the evaluations of a run folder, paired on their problems.

    None with fewer than two, without the score, and of an audit, whose evaluations are of other problems and not of later steps.
    """
    import pyarrow.parquet as pq

    files = sorted((folder / "evaluations").glob("step-*.parquet"))
    if len(files) < 2 or _is_audit(folder):
        return None
    ends = []
    for path in (files[0], files[-1]):
        names = _schema(path)
        if ACCURACY not in names:
            return None
        wanted = [name for name in ("problem_id", "failure", "tags", ACCURACY) if name in names]
        ends.append(pq.read_table(path, columns=wanted).to_pylist())
    change = change_of(ends[0], ends[1])
    return change if change.n else None


def _is_audit(folder: Path) -> bool:
    try:
        return tomllib.loads((folder / "config.toml").read_text(encoding="utf-8")).get("recipe") == "audit"
    except (OSError, ValueError):
        return False


def _read_run(folder: Path, name: str, recipe: str) -> Cost:
    found = read_run_files(folder)
    return cost_of(
        name, found.events, found.metrics, found.model, recipe=recipe, unit=found.unit, drawn=_drawn(folder),
        unreadable=found.unreadable,
    )  # fmt: skip


def _drawn(folder: Path) -> dict[str, float]:
    """By kind what was sampled without being an update's: completion tokens of all stored evaluations, their prompts not counted;
    of clips the steps that evaluations, probes and the policy's own clips were drawn in, for those have no log-prob."""
    evaluations = sorted((folder / "evaluations").glob("step-*.parquet"))
    found = {EVALUATION: fsum(_completion_tokens(path) for path in evaluations)}
    if any("clip" in _schema(path) for path in evaluations[:1]):
        own = [*(folder / "rollouts").glob("step-000000.parquet")]
        stored = {EVALUATION: evaluations, "probe": sorted((folder / "probes").glob("step-*.parquet")), "sampled": own}
        found = {kind: fsum(map(_num_rows, paths)) * _steps_per_clip(folder) for kind, paths in stored.items()}
    return {kind: count for kind, count in found.items() if count}


def _completion_tokens(path: Path) -> float:
    import pyarrow.parquet as pq

    if "num_tokens" not in _schema(path):
        return 0.0
    counts = pq.read_table(path, columns=["num_tokens"])["num_tokens"].to_pylist()
    return fsum(count for count in counts if count is not None)


def _num_rows(path: Path) -> int:
    import pyarrow.parquet as pq

    _schema(path)
    return pq.read_metadata(path).num_rows


def _steps_per_clip(folder: Path) -> float:
    """Points that a clip is drawn in, by the run's settings; twice as many with guidance of the prompt."""
    try:
        sampling = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8")).get("sampling", {})
        return float(sampling.get("steps", 16)) * (1 if sampling.get("prompt_scale", 1.0) == 1.0 else 2)
    except (OSError, ValueError, TypeError, AttributeError):
        return 0.0


def unit_of(folder: Path) -> str:
    """What a run counts its work in, by its record of the model."""
    try:
        return str(json.loads((folder / "environment.json").read_text(encoding="utf-8"))["model"].get("unit", "tokens"))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return "tokens"


def _schema(path: Path) -> list[str]:
    """Names of a Parquet file's columns.

    Raises:
        InputError: it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path).names
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a Parquet file: {str(error).splitlines()[0]}") from None


def _graph(path: Path) -> list[tuple[str, str, str]]:
    """Name, recipe and folder of each stage; nothing outside the pipeline's folder is read, whatever the graph says."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        found = [(str(row["name"]), str(row["recipe"]), str(row["folder"])) for row in rows]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(
            f"{path}: cannot be read as the stages of a pipeline ({type(error).__name__}: {error})"
        ) from None
    for name, _, place in found:
        if PurePath(place).is_absolute() or ".." in PurePath(place).parts:
            raise InputError(f"{path}: stage {name} has the folder {place!r}; expected one inside the pipeline's")
    return found


def _lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Objects of a JSON-lines file and the number of lines that are none; a killed process leaves a torn last one."""
    if not path.is_file() or not path.stat().st_size:
        return [], 0
    rows = [row for _, row in read_rows(path)]
    good = [dict(row) for row in rows if not isinstance(row, str)]
    return good, len(rows) - len(good)


def _model(path: Path) -> Model | None:
    try:
        return model_of(json.loads(path.read_text(encoding="utf-8"))["model"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def model_of(facts: Any) -> Model | None:
    """The size of the model that a run's record tells of (`model` in environment.json); None where it does not tell."""
    try:
        parameters = facts.get("passed_parameters", facts["parameters"])
        trained = facts.get("trained_parameters", parameters)
        passes = facts.get("passes", 1) if facts.get("unit", "tokens") == "tokens" else facts["passes"]
    except (TypeError, KeyError, AttributeError):
        return None
    return Model(parameters, trained, passes) if all(map(_is_number, (parameters, trained, passes))) else None


def _wasted(metrics: Sequence[Event]) -> Wasted:
    def mean(name: str) -> float | None:
        values = [line[name] for line in metrics if _is_number(line.get(name))]
        return fsum(values) / len(values) if values else None

    shares = [mean(f"rollout/{name}") for name in ("zero_signal_groups", "truncated", "failed")]
    return Wasted(*shares, sum("rollout/truncated" in line for line in metrics))


def _seconds(event: Event) -> dict[str, float]:
    phases = event.get("seconds")
    return _numbers(phases) if isinstance(phases, Mapping) else _numbers({str(event.get("event")): phases})


def _trains(line: Event) -> bool:
    """It counts trained tokens or the time of training."""
    return bool(
        _numbers(line.get("tokens")).get("trained") or line.get("tokens/trained") or "training" in _seconds(line)
    )


def _is_step(event: Event) -> bool:
    """Not the record of an evaluation before training, which is step 0."""
    return isinstance(event.get("step"), int) and event["step"] > 0


def _time(event: Event) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(event.get("time")))
    except ValueError:
        return None
    return time if time.tzinfo else None


def _sum(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    totals: dict[str, list[float]] = {}
    for part in parts:
        for name, value in part.items():
            totals.setdefault(name, []).append(value)
    return {name: fsum(values) for name, values in totals.items()}


def _numbers(values: Any) -> dict[str, float]:
    return {str(k): float(v) for k, v in values.items() if _is_number(v)} if isinstance(values, Mapping) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)

"""A pipeline's folder as plain data: its graph, what each stage cost, and what its models wrote on held-out problems.

What is missing or half written is named in `problems`, never an error. Of the completions only ids, scores and reasons are
read: the texts, some of them harmful, stay in the files of the stages.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import fsum
from pathlib import Path, PurePath
from typing import Any, Literal

from sanmai.recipes import RECIPES
from sanmai.report.lengths import LengthTable, read_lengths
from sanmai.report.load import Row, RunData, find, is_number, read_checked, read_lines, read_whole
from sanmai.report.summary import cost, planned_steps
from sanmai.train.digests import check

State = Literal["finished", "begun", "to do"]

_COLUMNS = (
    *(
        "problem_id",
        "sample",
        "kind",
        "tags",
        "failure",
        "stop_reason",
        "num_tokens",
        "thinks",
        "trace_state",
        "clip_shape",
        "reward",
        "score/",
    ),
    *("reason/harm", "reason/helped", "reason/over_refusal"),
)


@dataclass(frozen=True)
class StageCost:
    """What a stage used up when it was made, repeated steps included; None where nothing is on record."""

    seconds: float | None
    """Sum of its phases; loading models is not among them."""
    sampled: float | None
    """Tokens; of a scoring stage those of the completions that it stored."""
    trained: float | None
    flops: float | None
    """Useful operations, of recipes that count them."""
    num_steps: int


@dataclass
class Stage:
    """One call of a recipe."""

    name: str
    recipe: str
    purpose: str
    inputs: list[str]
    folder: str
    """Relative to the pipeline's."""
    scores: str | None = None
    """The model that a scoring stage is about."""
    state: State = "to do"
    config: dict[str, Any] = field(default_factory=dict)
    cost: StageCost = StageCost(None, None, None, None, 0)
    num_planned: int | None = None
    """Steps that its configuration asks for."""
    rows: list[Row] = field(default_factory=list)
    """Completions of a scoring stage, without their texts."""
    card: dict[str, Any] = field(default_factory=dict)
    """What a sampling stage kept and dropped."""

    @property
    def makes_policy(self) -> bool:
        """Its result is a policy; a stage without a configuration to read starts from such a one among its inputs."""
        return self.recipe in RECIPES and RECIPES[self.recipe].makes == "policy"
    decision: dict[str, Any] = field(default_factory=dict)
    """What the gate of a guarded stage found."""
    has_report: bool = False


@dataclass
class Pipeline:
    """What a pipeline's folder holds."""

    name: str
    stages: dict[str, Stage] = field(default_factory=dict)
    """By name, in the order of the graph: each after those that it refers to."""
    config: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """What could not be read, a sentence each."""
    decision: dict[str, Any] = field(default_factory=dict)
    """What its gate found, where the whole is a guarded stage."""
    lengths: list[LengthTable] = field(default_factory=list)
    """Accuracy against tokens, where the recipe compared that."""

    @property
    def gates(self) -> list[tuple[str, dict[str, Any]]]:
        """By name of the guarded stage, or of the pipeline, what its gate found."""
        found = [(self.name, self.decision), *((stage.name, stage.decision) for stage in self.stages.values())]
        return [(name, decision) for name, decision in found if isinstance(decision.get("attempts"), list)]

    @property
    def models(self) -> dict[str, Stage]:
        """The scoring stage of every model, in order."""
        return {stage.scores: stage for stage in self.stages.values() if stage.scores is not None}

    @property
    def num_finished(self) -> int:
        return sum(stage.state == "finished" for stage in self.stages.values())

    def start_of(self, name: str) -> str | None:
        """The stage or stageless model whose weights a stage begins with, or samples from.

        By its configuration, which names a folder or a model; a stage that has none yet is judged by its inputs.
        """
        stage = self.stages.get(name)
        if stage is None or stage.recipe in ("pretrain", "gather") or stage.scores is not None:
            return None
        reference = _model_of(stage)
        if reference is None:
            made = [i for i in stage.inputs if i in self.stages and self.stages[i].makes_policy]
            if stage.recipe == "distill":
                made = made[:-1]  # the teacher
            return made[0] if made else self._stageless_before(name)
        folders = {PurePath(other.folder).name: other.name for other in self.stages.values()}
        for part in PurePath(reference[0]).parts:
            if part in folders:
                return folders[part]
        bases = {model: _model_of(s) for model, s in self.models.items() if model not in self.stages}
        guess = self._stageless_before(name)
        return next(
            (m for m, loaded in bases.items() if loaded == reference), None if bases.get(guess or "") else guess
        )

    def model_before(self, model: str) -> str | None:
        """The nearest scored model that a model was made from; None for a base."""
        found = self.start_of(model)
        seen = {model}
        while found is not None and found not in self.models and found not in seen:
            seen.add(found)
            found = self.start_of(found)
        return found if found in self.models and found not in seen else None

    def ancestors(self, name: str) -> list[str]:
        """All stages that a stage is made from, in the order of the graph."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            stage = self.stages.get(waiting.pop())
            new = [i for i in stage.inputs if i in self.stages and i not in found] if stage else []
            found |= set(new)
            waiting += new
        return [other for other in self.stages if other in found and other != name]

    def _stageless_before(self, name: str) -> str | None:
        """The last model without a stage of its own that is scored before a stage: the base that it starts from."""
        names = list(self.stages)
        earlier = [self.stages[other].scores for other in names[: names.index(name)]]
        return next((m for m in reversed(earlier) if m is not None and m not in self.stages), None)


def is_pipeline(folder: Path) -> bool:
    """Whether a folder is that of a recipe of stages."""
    return (Path(folder) / "graph.json").is_file()


def load_pipeline(folder: Path) -> Pipeline:
    """Graph, states, costs, evaluations and cards.

    Raises:
        FileNotFoundError: folder is not a folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected a pipeline's folder")
    pipeline = Pipeline(name=folder.resolve().name)
    if (folder / "config.toml").exists():
        pipeline.config = read_whole(folder / "config.toml", tomllib.loads, pipeline.problems)
    pipeline.decision = _decision(folder, pipeline.problems)
    for stage in _graph(folder / "graph.json", pipeline.problems):
        problems: list[str] = []
        _read_stage(stage, folder / stage.folder, problems)
        pipeline.stages[stage.name] = stage
        pipeline.problems += [f"{stage.name}: {problem}" for problem in problems]
    folders = {stage.name: PurePath(stage.folder).name for stage in pipeline.stages.values()}
    pipeline.lengths = read_lengths(folder, folders, pipeline.problems)
    return pipeline


def _graph(path: Path, problems: list[str]) -> list[Stage]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        problems.append(f"{path.name} cannot be read: {error}")
        return []
    found: dict[str, Stage] = {}
    for number, row in enumerate(rows if isinstance(rows, list) else [rows], start=1):
        stage = _stage(row)
        if stage is None or stage.name in found:
            problems.append(
                f"{path.name}: stage {number} is not described, or has the name of another, and is left out"
            )
        else:
            found[stage.name] = stage
    return list(found.values())


def _stage(row: Any) -> Stage | None:
    if not isinstance(row, Mapping) or not isinstance(row.get("inputs", []), list):
        return None
    texts = [row.get(key) for key in ("name", "recipe", "folder")]
    if not all(isinstance(text, str) and text for text in texts):
        return None
    name, recipe, folder = map(str, texts)
    # Nothing outside the pipeline's folder is read or linked, whatever the graph says.
    if PurePath(folder).is_absolute() or ".." in PurePath(folder).parts:
        return None
    scores = row.get("scores")
    return Stage(
        name,
        recipe,
        str(row.get("purpose") or ""),
        [text for text in row.get("inputs", []) if isinstance(text, str)],
        PurePath(folder).as_posix(),
        scores if isinstance(scores, str) else None,
    )


def _read_stage(stage: Stage, folder: Path, problems: list[str]) -> None:
    """Fill in what the stage's folder says."""
    if (folder / "stage.json").is_file():
        stage.state = "finished"
    elif folder.is_dir() and any(folder.iterdir()):
        stage.state = "begun"
    else:
        return
    stage.config = read_whole(folder / "config.toml", tomllib.loads, problems)
    stage.num_planned = planned_steps(RunData(stage.name, stage.config))
    stage.has_report = (folder / "report.html").is_file()
    if stage.scores is not None and stage.state == "finished":
        stage.rows = read_checked(folder / "evaluations" / "step-000000.parquet", problems, _COLUMNS)
    stage.decision = _decision(folder, problems)
    if stage.recipe == "sample" and (folder / "card.json").exists():
        stage.card = read_whole(folder / "card.json", json.loads, problems)
    parts = sorted(folder.glob("stages/*/")) if stage.recipe == "guarded" else [folder]
    problems += [sentence for part in parts for sentence in check(part).sentences]
    events = [event for part in parts for event in read_lines(part / "events.jsonl", problems)]
    stage.cost = _stage_cost(events, stage.rows)


def _decision(folder: Path, problems: list[str]) -> dict[str, Any]:
    path = folder / "decision.json"
    return read_whole(path, json.loads, problems) if path.exists() else {}


def _stage_cost(events: list[dict[str, Any]], rows: list[Row]) -> StageCost:
    steps = [event for event in events if event.get("event") == "step"]
    used = cost(RunData("", events=steps))
    stored = [row["num_tokens"] for row in rows if is_number(row.get("num_tokens"))]
    counted = [event["flops"] for event in steps if isinstance(event.get("flops"), dict)]
    flops = [value for phases in counted for value in phases.values() if is_number(value)]
    numbers = [event["step"] for event in steps if is_number(event.get("step"))]
    return StageCost(
        seconds=fsum(used.seconds.values()) if used.seconds else None,
        sampled=used.tokens.get("sampled", fsum(stored) if stored else None),
        trained=used.tokens.get("trained"),
        flops=fsum(flops) if flops else None,
        num_steps=int(max(numbers, default=0)),
    )


def _model_of(stage: Stage) -> tuple[str, Any] | None:
    """Name and revision of the model that a stage loads."""
    model = stage.config.get("model")
    name = find(model, "name") if isinstance(model, Mapping) else None
    return (str(name), model.get("revision")) if name is not None and isinstance(model, Mapping) else None

"""Where a model comes from: the runs that made it, from the base on, as their folders tell it.

Each run's configuration names the model that it began with, so the history is read backwards: a checkpoint, its run folder, the
model before it, until a model is reached that no run folder of Sanmai explains. Nothing is loaded and nothing is changed.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sanmai.data.problems import load_problems, normalised_prompt
from sanmai.data.testbeds import find_testbed, own_testbed
from sanmai.pipelines.graph import GRAPH
from sanmai.pipelines.identity import MANIFEST, content_digest
from sanmai.policies.text.resolve import DECISION, chosen_model
from sanmai.train.places import as_named, began_in
from sanmai.types import InputError

DATA_ENDINGS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".md", ".txt")
"""Of files of problems; one that is packed ends in .gz besides."""
_SOURCES = ("source", "probe")
"""Keys whose values name problems whatever they look like."""
_NOT_TRAINED_ON = ("evaluation", "model", "short", "tokenizer", "teacher", "judge")
"""Tables and keys of a configuration whose files no step is driven by."""


@dataclass(frozen=True)
class Step:
    """One run that made the model, or the gate that chose it, or the base that all began with."""

    name: str
    recipe: str | None
    """None of a base: no run folder says where it comes from."""
    folder: str | None
    purpose: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    """What is recorded of it: digests of stage, code, starting weights and problems; seed, steps, commit, version, inputs."""
    data: tuple[str, ...] = ()
    """Files, folders and hub sets that it was trained on or driven by."""

    def to_json(self) -> dict[str, Any]:
        found = {"name": self.name, "recipe": self.recipe, "folder": self.folder, "purpose": self.purpose}
        return found | {"facts": self.facts, "data": list(self.data)}


def history(model: str) -> list[Step]:
    """The steps that made a model, the base first. What cannot be read of a folder is left out of its step."""
    steps: list[Step] = []
    seen: set[Path] = set()
    name: str | None = model
    while name is not None:
        folder = run_folder(name)
        if folder is None or folder.resolve() in seen:
            steps.append(Step(name, None, None, facts=_known(content=content_digest(name))))
            break
        seen.add(folder.resolve())
        step, name = _gate(name, folder) if (folder / DECISION).is_file() else _run(folder)
        steps.append(step)
    return steps[::-1]


@dataclass
class TrainedOn:
    """Prompts that steps of a history were trained on or driven by."""

    prompts: set[str] = field(default_factory=set)
    """As normalised_prompt gives them."""
    objects: set[str] = field(default_factory=set)
    """Objects of the embedded world that were asked about."""
    unread: list[str] = field(default_factory=list)
    """Files, folders and hub sets that are named and could not be read."""


def trained_on(steps: list[Step]) -> TrainedOn:
    """The prompts in the files of a history."""
    found = TrainedOn()
    for name in dict.fromkeys(name for step in steps for name in step.data):
        try:
            # What there is to say of the file was said when it was trained on.
            loaded = load_problems(name, on_error="skip", needs_answer=False, on_warning=lambda note: None)
        except InputError:
            found.unread.append(name)
            continue
        found.prompts |= {normalised_prompt(p) for p in loaded.problems}
        found.objects |= {
            about for p in loaded.problems if (bed := own_testbed(p)) is not None and (about := bed.subject(p)) is not None
        }
    return found


def run_folder(name: str) -> Path | None:
    """The run folder that a model's name is, or is a checkpoint in."""
    path = Path(name)
    if path.parent.name == "checkpoints":
        path = path.parent.parent
    return path if path.is_dir() and (path / "config.toml").is_file() else None


def _gate(name: str, folder: Path) -> tuple[Step, str | None]:
    """The gate of a guarded stage, and the model that it chose."""
    decision = _read(folder / DECISION)
    try:
        chosen = chosen_model(name)
    except InputError:
        chosen = None
    facts = _known(decision=decision.get("decision"), confidence=decision.get("confidence"))
    return Step(folder.name, "guarded", str(folder), "a gate that promotes or rejects", facts), chosen


def _run(folder: Path) -> tuple[Step, str | None]:
    config = _read(folder / "config.toml")
    manifest, environment = _read(folder / MANIFEST), _read(folder / "environment.json")
    row = _graph_row(folder)
    origin, packages = _mapping(environment.get("origin")), _mapping(environment.get("packages"))
    facts = _known(
        stage_digest=manifest.get("digest"), recipe_version=manifest.get("version"), seed=config.get("seed"),
        steps_planned=config.get("num_steps"), inputs=row.get("inputs") or None, starting_weights=origin.get("weights"),
        problems={key.removeprefix("problems_"): v for key, v in origin.items() if str(key).startswith("problems_")} or None,
        reward=origin.get("reward"), sanmai=packages.get("sanmai"), git_commit=environment.get("git_commit"),
        limits=_limits(config) or None,
    )  # fmt: skip
    model = _mapping(config.get("model")).get("name")
    began = began_in(folder)
    step = Step(
        str(manifest.get("name") or folder.name), str(config.get("recipe") or "unknown"), str(folder),
        str(row.get("purpose") or ""), facts, tuple(dict.fromkeys(_files(config, began))),
    )  # fmt: skip
    return step, as_named(began, model) if isinstance(model, str) and step.recipe != "pretrain" else None


def _limits(config: Mapping[str, Any]) -> dict[str, Any]:
    """The limits that a run's constraints held it to."""
    constraints = _mapping(config.get("constraints"))
    return {name: v["limit"] for name, v in constraints.items() if isinstance(v, Mapping) and "limit" in v}


def _graph_row(folder: Path) -> dict[str, Any]:
    """What the graph of the pipeline that a stage belongs to says of it."""
    path = folder.parent.parent / GRAPH
    rows = _load(path, json.loads) if folder.parent.name == "stages" else None
    found = (r for r in rows if isinstance(r, Mapping)) if isinstance(rows, list) else ()
    return next((dict(r) for r in found if Path(str(r.get("folder"))).name == folder.name), {})


def _files(config: Mapping[str, Any], began: Path | None) -> Iterator[str]:
    """Files, folders and hub sets of problems that a configuration names, but for those that it only measures on.

    Args:
        began: the folder that relative ones are relative to.
    """
    for key, value in config.items():
        if key in _NOT_TRAINED_ON:
            continue
        if isinstance(value, Mapping):
            yield from _files(value, began)
        for text in value if isinstance(value, list) else [value]:
            if not isinstance(text, str) or find_testbed(text) is not None:
                continue
            found = as_named(began, text) if key in _SOURCES or "/" in text or "." in text else text
            if key in _SOURCES or _is_data(found):
                yield found


def _is_data(text: str) -> bool:
    """A file of problems, a set of the hub, a folder in which `sanmai sample` left its data, or any folder of problem files."""
    if text.startswith("hub:") or text.lower().removesuffix(".gz").endswith(DATA_ENDINGS):
        return True
    return 0 < len(text) < 1000 and "/" in text and Path(text).is_dir()


def _read(path: Path) -> dict[str, Any]:
    """A JSON or TOML file's table; empty where it is missing or damaged."""
    return dict(_mapping(_load(path, tomllib.loads if path.suffix == ".toml" else json.loads)))


def _load(path: Path, parse: Any) -> Any:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _known(**facts: Any) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}

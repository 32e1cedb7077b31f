"""A run folder as plain data. What is missing or half written is named in `problems`, never an error."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sanmai.train.digests import Evidence, check, defect_of

Row = dict[str, Any]
"""One rollout by the schema of docs/architecture.md, without `tokens` and `sampling_logp`."""

_HEAVY_COLUMNS = frozenset({"tokens", "sampling_logp"})
_STEP_FILE = re.compile(r"step-(\d+)\.parquet")


@dataclass
class RunData:
    """What a run folder holds."""

    name: str
    config: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    metrics: list[dict[str, float]] = field(default_factory=list)
    """One per step in order; where a step was repeated after a resume, the last."""
    prediction: dict[str, Any] = field(default_factory=dict)
    """What `sanmai plan` left in the folder; empty where nothing was planned."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """In the order written."""
    evaluations: dict[int, list[Row]] = field(default_factory=dict)
    """Rows of every readable evaluation, by number of steps before it; between first and last only ids and scores."""
    rollout_files: dict[int, Path] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """What could not be read, a sentence each."""

    @property
    def num_steps(self) -> int:
        """Training steps on record."""
        return int(self.metrics[-1]["step"]) if self.metrics else 0

    @property
    def unit(self) -> str:
        """What its work is counted in: "tokens", or of a flow "points"."""
        model = self.environment.get("model")
        return str(model.get("unit", "tokens")) if isinstance(model, dict) else "tokens"


def load_run(run_folder: Path) -> RunData:
    """Everything but the training rollouts, which `read_rows` reads file by file.

    Raises:
        FileNotFoundError: run_folder is not a folder.
    """
    folder = Path(run_folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected a run folder")
    run = RunData(name=folder.resolve().name)
    run.config = read_whole(folder / "config.toml", tomllib.loads, run.problems)
    run.environment = read_whole(folder / "environment.json", json.loads, run.problems)
    if (folder / "prediction.json").exists():
        run.prediction = read_whole(folder / "prediction.json", json.loads, run.problems)
    lines = read_lines(folder / "metrics.jsonl", run.problems)
    evidence = check(folder)
    run.problems += evidence.sentences
    by_step = {int(line["step"]): _numbers(line) for line in lines if is_number(line.get("step"))}
    for step in evidence.damaged_steps:
        by_step.pop(step, None)
    run.metrics = [by_step[step] for step in sorted(by_step)]
    run.events = read_lines(folder / "events.jsonl", run.problems)
    run.rollout_files = _whole_files(folder / "rollouts", evidence)
    run.evaluations = _read_evaluations(_whole_files(folder / "evaluations", evidence), run.problems)
    return run


def read_rows(path: Path, problems: list[str], columns: Sequence[str] | None = None) -> list[Row]:
    """Rows of a rollout file; none, and a sentence in problems, where it cannot be read.

    Args:
        columns: names, or prefixes that end in "/"; None is all but the token lists.
    """
    try:
        file = pq.ParquetFile(path)
        wanted = [
            name
            for name in file.schema_arrow.names
            if name not in _HEAVY_COLUMNS
            and (columns is None or any(name == c or (c.endswith("/") and name.startswith(c)) for c in columns))
        ]
        return file.read(columns=wanted).to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        problems.append(f"{path.parent.name}/{path.name} cannot be read: {reason}")
        return []


def read_checked(path: Path, problems: list[str], columns: Sequence[str] | None = None) -> list[Row]:
    """As `read_rows`, and none of a file that is not what the run wrote."""
    if why := defect_of(path):
        problems.append(f"{path.parent.name}/{path.name} {why}")
        return []
    return read_rows(path, problems, columns)


def clusters_of(rows: Sequence[Row]) -> dict[str, str]:
    """By problem, what it shares with problems that are not independent of it: its prompt, or its id where that is not stored."""
    return {str(row.get("problem_id")): str(row.get("prompt") or row.get("problem_id")) for row in rows}


def find(values: Mapping[str, Any], *names: str) -> Any:
    """The first value under any of names, shallowest first; None where there is none."""
    level: list[Mapping[str, Any]] = [values]
    while level:
        for mapping in level:
            for name in names:
                if mapping.get(name) not in (None, ""):
                    return mapping[name]
        level = [child for mapping in level for child in mapping.values() if isinstance(child, Mapping)]
    return None


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} as {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def read_whole(path: Path, parse: Any, problems: list[str]) -> dict[str, Any]:
    """The object in a file; empty, and a sentence in problems, where there is none."""
    try:
        value = parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(f"{path.name} is not there yet")
        return {}
    except (OSError, ValueError, RecursionError) as error:
        problems.append(f"{path.name} cannot be read: {error}")
        return {}
    if isinstance(value, dict):
        return value
    problems.append(f"{path.name} cannot be read: expected an object")
    return {}


def read_lines(path: Path, problems: list[str]) -> list[dict[str, Any]]:
    """The objects of a JSON-lines file; a torn last line is what a killed process leaves and is passed over."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        problems.append(f"{path.name} is not there yet")
        return []
    except OSError as error:
        problems.append(f"{path.name} cannot be read: {error}")
        return []
    rows, bad = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            bad.append(number)
    if bad:
        shown = ", ".join(map(str, bad[:5])) + (", ..." if len(bad) > 5 else "")
        problems.append(f"{path.name}: {len(bad)} of {len(rows) + len(bad)} lines cannot be read (line {shown})")
    return rows


def _read_evaluations(files: Mapping[int, Path], problems: list[str]) -> dict[int, list[Row]]:
    # Whole files only at both ends: all of a long run would take minutes, and the curve needs ids and scores.
    found: dict[int, list[Row]] = {}
    waiting = sorted(files)
    for end in (0, -1):
        rows: list[Row] = []
        while waiting and not rows:
            step = waiting.pop(end)
            rows = read_rows(files[step], problems)
            found |= {step: rows} if rows else {}
    for step in waiting:
        if rows := read_rows(files[step], problems, ("problem_id", "score/")):
            found[step] = rows
    return dict(sorted(found.items()))


def _whole_files(folder: Path, evidence: Evidence) -> dict[int, Path]:
    """Those that are not known to be damaged: no figure is made of the others."""
    files = _step_files(folder)
    return {step: path for step, path in files.items() if f"{folder.name}/{path.name}" not in evidence.damaged}


def _step_files(folder: Path) -> dict[int, Path]:
    try:
        found: Iterable[Path] = sorted(folder.iterdir())
    except OSError:
        return {}
    return {int(match[1]): path for path in found if (match := _STEP_FILE.fullmatch(path.name))}


def event_time(event: dict[str, Any]) -> datetime | None:
    """When an event happened; None where it does not say so with a time zone."""
    try:
        time = datetime.fromisoformat(str(event.get("time")))
    except ValueError:
        return None
    return time if time.tzinfo else None


def is_number(value: Any) -> bool:
    """A finite number; true and false are none."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an int that no float holds
        return False


def as_mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is a mapping, else an empty one: of files that anybody may have written."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: Any) -> list[Any]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_number(value: Any) -> float | None:
    """The value where it is a finite number, else None."""
    return value if is_number(value) else None


def _numbers(line: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in line.items() if is_number(value)}

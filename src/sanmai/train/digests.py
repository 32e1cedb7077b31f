"""Digests of the evidence: what a run recorded is what it wrote, or is named.

`digests.jsonl` has a line for each rollout file and each metrics line, written after it by the same thread:

    {"step": 3, "file": "rollouts/step-000003.parquet", "bytes": 40122, "sha256": "9a12..."}
    {"step": 3, "file": "metrics.jsonl", "bytes": 310, "sha256": "77ab..."}      the line of that step, without its line break
    {"step": 8, "lost": "has 512 bytes instead of 2040"}                    a resume after step 8 found these lines damaged

It only grows, so its first bytes as a commit left them are sealed by size and SHA-256 in the checkpoint's manifest.json, and
the whole of it in the `finish` event. A folder of an older version has neither: it is read as ever, and said to have none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sanmai.policies.text.checkpoints import MANIFEST, checkpoint_folders, stamp, stamp_differs
from sanmai.types import InputError

FILE = "digests.jsonl"
METRICS = "metrics.jsonl"
_SHOWN = 5


class Digests:
    """The digests of one run folder, being written."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / FILE
        self._content = bytearray(_content(self._path))
        self._newest = {_key(entry): line for line, entry in _lines(bytes(self._content))}

    def add(self, step: int, files: Mapping[str, Mapping[str, Any]]) -> None:
        """Append a line per name; what is recorded again with the same bytes has its line already.

        Raises:
            OSError: disk full or not writable.
        """
        new = b""
        for name, found in files.items():
            entry = {"step": step, "file": name, **found}
            line = json.dumps(entry).encode() + b"\n"
            if self._newest.get(_key(entry)) != line:
                self._newest[_key(entry)] = line
                new += line
        with self._path.open("ab") as file:
            file.write(new)
        self._content += new

    def seal(self) -> dict[str, Any]:
        """Size and digest of all lines so far."""
        return stamp(bytes(self._content))

    def kept(self, step: int, sealed: Mapping[str, Any] | None) -> bytes:
        """What stays of the file when a run goes on after this step: what was sealed, and what belongs to steps until then."""
        if step == 0:
            return b""
        content = bytes(self._content)
        if sealed is not None and (why := _broken(self._path, content, sealed)):
            return json.dumps({"step": step, "lost": why}).encode() + b"\n"
        end = sealed["bytes"] if sealed is not None else 0
        later = [line for line, entry in _lines(content[end:]) if entry["step"] <= step]
        return content[:end] + b"".join(later)


@dataclass
class Evidence:
    """What a run folder's digests say of the rest of it."""

    damaged: dict[str, str] = field(default_factory=dict)
    """By file as in digests.jsonl: what is wrong with it."""
    damaged_steps: dict[int, str] = field(default_factory=dict)
    """By step: what is wrong with its line of metrics.jsonl."""
    unchecked: list[str] = field(default_factory=list)
    """Sentences about what has no digest that could be trusted."""

    @property
    def sentences(self) -> list[str]:
        """A sentence per damaged file, the first few of each folder by name, and those about what cannot be checked."""
        found = list(self.unchecked)
        by_folder: dict[str, list[str]] = {}
        for name, why in sorted(self.damaged.items()):
            by_folder.setdefault(name.rpartition("/")[0], []).append(f"{name} {why}")
        for told in by_folder.values():
            found += told[:_SHOWN]
            if len(told) > _SHOWN:
                found.append(f"{told[0].split('/')[0]}/: {len(told) - _SHOWN} more files are damaged or missing")
        by_reason: dict[str, list[int]] = {}
        for step, why in sorted(self.damaged_steps.items()):
            by_reason.setdefault(why, []).append(step)
        for why, steps in by_reason.items():
            shown = ", ".join(map(str, steps[:_SHOWN])) + (f" and {len(steps) - _SHOWN} more" * (len(steps) > _SHOWN))
            found.append(f"{METRICS}: the line of step {shown} {why}")
        return found


def check(folder: Path, *, sealed: Mapping[str, Any] | None = None, until: int | None = None) -> Evidence:
    """Compare what a run folder holds with its digests; reads every file that has one.

    Args:
        sealed: the seal of digests.jsonl where the caller knows which holds; None looks for the newest one.
        until: the last step that is committed; later ones are not looked at.
    """
    entries, why = _entries(folder, sealed if sealed is not None else newest_seal(folder))
    found = Evidence()
    if why:
        found.unchecked.append(f"{FILE} {why}: damage to what was recorded before cannot be told")
    for entry in entries:
        if "lost" in entry:
            found.unchecked.append(
                f"{FILE} was damaged once ({entry['lost']}): "
                f"damage to what was recorded until step {entry['step']} cannot be told"
            )
    digests = [e for e in entries if "file" in e and (until is None or e["step"] <= until)]
    if not why and not digests and not found.unchecked and _holds_evidence(folder):
        found.unchecked.append("no digests (an older version made this folder): damage to what it recorded cannot be told")
    found.damaged, found.damaged_steps = _damaged_files(folder, digests), _damaged_lines(folder, digests)
    first = min((e["step"] for e in digests if e["file"] == METRICS), default=0)
    if first > 1 and not found.unchecked:
        found.unchecked.append(f"steps before {first} have no digests (an older version did them): damage to them cannot be told")
    return found


def defect_of(path: Path) -> str | None:
    """What is wrong with one rollout file by the digests of its run folder; None where nothing is, or none is known."""
    folder, name = path.parent.parent, f"{path.parent.name}/{path.name}"
    newest = {e["file"]: e for e in _entries(folder, newest_seal(folder))[0] if "file" in e}
    return stamp_differs(path, newest[name]) if name in newest else None


def require_whole(folder: Path, start: str) -> None:
    """Refuse damaged evidence that is about to be read.

    Args:
        start: what the names of the files that are read begin with, as "evaluations/"; or "metrics.jsonl".

    Raises:
        InputError: one of them is not what was written, or is missing.
    """
    entries = [e for e in _entries(folder, newest_seal(folder))[0] if e.get("file", "").startswith(start)]
    damaged = _damaged_files(folder, entries)
    for step, why in _damaged_lines(folder, entries).items():
        damaged[METRICS] = f"is damaged (the line of step {step} {why})"
    for name, why in damaged.items():
        raise InputError(
            f"{folder / name} {why}, and what comes next is made from it; restore it, or begin again in another --out"
        )


def newest_seal(folder: Path) -> dict[str, Any] | None:
    """The seal of a finished run, else of its newest checkpoint that has one; None in a folder of an older version."""
    event = last_state(folder)
    if event.get("event") == "finish" and _is_stamp(event.get("digests")):
        return event["digests"]
    return next((seal for saved in checkpoint_folders(folder) if (seal := seal_of(saved)) is not None), None)


def seal_of(checkpoint: Path) -> dict[str, Any] | None:
    """What a checkpoint's manifest says of digests.jsonl at its commit."""
    try:
        found = json.loads((checkpoint / MANIFEST).read_text()).get("digests")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return found if _is_stamp(found) else None


def last_state(folder: Path) -> dict[str, Any]:
    """The last event that says where the run stands; empty where none does."""
    try:
        lines = (folder / "events.jsonl").read_bytes().splitlines()
    except OSError:
        return {}  # not there; or whoever writes the first event says what is wrong
    for line in reversed(lines):
        try:
            found = json.loads(line)
            event = found["event"]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue  # cut off by a kill
        if event in ("finish", "start", "resume", "step", "interrupt"):
            return found
    return {}


def step_in(line: str | bytes) -> int | None:
    """The step that a line of metrics.jsonl is of; None where it cannot be read."""
    try:
        step = json.loads(line)["step"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return step if isinstance(step, int) else None


def _entries(folder: Path, sealed: Mapping[str, Any] | None) -> tuple[list[dict[str, Any]], str | None]:
    """The lines of digests.jsonl; none, and what is wrong, where it is not as it was sealed."""
    content = _content(folder / FILE)
    if sealed is not None and (why := _broken(folder / FILE, content, sealed)):
        return [], why
    return [entry for _, entry in _lines(content)], None


def _damaged_files(folder: Path, entries: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By name, what is wrong with a file; of two entries the later holds."""
    newest = {entry["file"]: entry for entry in entries if entry["file"] != METRICS}
    return {name: why for name, entry in newest.items() if (why := stamp_differs(folder / name, entry))}


def _damaged_lines(folder: Path, entries: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """By step, what is wrong with its line of metrics.jsonl."""
    by_step: dict[int | None, list[bytes]] = {}
    for line in _content(folder / METRICS).split(b"\n"):
        by_step.setdefault(step_in(line), []).append(line)
    expected = {entry["step"]: entry for entry in entries if entry["file"] == METRICS}
    found = {}
    for step, entry in expected.items():
        if step not in by_step:
            found[step] = "is missing or cannot be read"
        elif any(stamp(line)["sha256"] != entry["sha256"] for line in by_step[step]):
            found[step] = "is not what was written (SHA-256 differs)"
    return found


def _lines(content: bytes) -> Iterable[tuple[bytes, dict[str, Any]]]:
    """The whole lines that can be read."""
    for line in content.splitlines(keepends=True):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        is_entry = isinstance(entry, dict) and isinstance(entry.get("step"), int)
        if line.endswith(b"\n") and is_entry and ("lost" in entry or (isinstance(entry.get("file"), str) and _is_stamp(entry))):
            yield line, entry


def _key(entry: Mapping[str, Any]) -> tuple[Any, Any]:
    name = entry.get("file")
    return name, entry["step"] if name == METRICS else None


def _is_stamp(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("bytes"), int) and isinstance(value.get("sha256"), str)


def _broken(path: Path, content: bytes, sealed: Mapping[str, Any]) -> str | None:
    if sealed["bytes"] and not path.exists():
        return "is missing"
    if len(content) < sealed["bytes"]:
        return f"has {len(content)} bytes instead of {sealed['bytes']}"
    is_same = stamp(content[: sealed["bytes"]])["sha256"] == sealed["sha256"]
    return None if is_same else "is not what was written (SHA-256 differs)"


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _holds_evidence(folder: Path) -> bool:
    metrics = folder / METRICS
    return (metrics.is_file() and metrics.stat().st_size > 0) or any(folder.glob("evaluations/step-*.parquet"))

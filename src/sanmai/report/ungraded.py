"""What a run's evaluations could not grade, by what it recorded of each (learn/evaluation.py): for lines, pages, exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sanmai.report.load import as_number, read_lines
from sanmai.rollout.measure import Ungraded, together


def ungraded_lines(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """Of the first and of the last evaluation, or of all parts of one, how many rollouts could not be graded and why."""
    found = _evaluations(events)
    ends = dict.fromkeys([min(found), max(found)]) if found else ()
    told = [(step, found[step].sentence) for step in ends]
    return [f"{sentence} (after step {step})" if step else sentence for step, sentence in told if sentence]


def graded_nothing(events: Iterable[Mapping[str, Any]]) -> bool:
    """Its last evaluation, or all parts of it, asked for something and could grade none of it."""
    found = _evaluations(events)
    return bool(found) and found[max(found)].is_all


def events_of(folder: Path) -> list[dict[str, Any]]:
    path = Path(folder) / "events.jsonl"
    return read_lines(path, []) if path.exists() else []


def _evaluations(events: Iterable[Mapping[str, Any]]) -> dict[int, Ungraded]:
    """By step, that of parts 0; what a resume did again counts once."""
    newest = {(event.get("step"), event.get("of")): event for event in events if event.get("event") == "graded"}
    parts: dict[int, list[Ungraded]] = {}
    for (_, of), event in newest.items():
        step, asked, lost, times = (as_number(event.get(name)) for name in ("step", "asked", "lost", "times"))
        if step is not None and asked is not None and lost is not None and times is not None:
            found = Ungraded(int(asked), int(lost), str(event.get("reason")), int(times))
            parts.setdefault(0 if of else int(step), []).append(found)
    return {step: together(found) for step, found in parts.items()}

"""Behaviours of reasoning as rows of a report: which appear in what was written, by rules whose errors stand beside them."""

from __future__ import annotations

from collections.abc import Callable

from sanmai.instruments.behaviours import BEHAVIOURS, behaviours, error_note, title
from sanmai.report.load import Row
from sanmai.types import Behaviour


def behaviour_values() -> list[tuple[str, str, Callable[[Row], float | None], int]]:
    """For each behaviour the name of its measure, a label with the rules' errors, its value in a rollout, and no direction."""
    return [(f"behaviour/{name}", f"{title(name)} ({error_note(name)})", _value(name), 0) for name in BEHAVIOURS]


def _value(name: Behaviour) -> Callable[[Row], float | None]:
    def value(row: Row) -> float | None:
        text = row.get("text")
        if row.get("failure") or not isinstance(text, str) or row.get("kind") not in (None, "reasoning"):
            return None
        language = row.get("language")
        found = behaviours(text, language if isinstance(language, str) else None)
        return None if found is None else float(name in found)

    return value

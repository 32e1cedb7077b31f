"""Which scorers in processes of their own a run asked, by what it recorded of them (rewards/scorer_records.py)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sanmai.report import format as fmt
from sanmai.report.load import as_number


def scorer_lines(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each: who it is, what it was asked, how long that took, and what it could not grade."""
    sums: dict[tuple[str, str], dict[str, float]] = {}
    for event in events:
        if event.get("event") == "scored":
            own = sums.setdefault((str(event.get("where")), str(event.get("by"))), {})
            for name in ("items", "recorded", "ungraded", "starts", "seconds"):
                own[name] = own.get(name, 0.0) + (as_number(event.get(name)) or 0.0)
    return [
        f"{where}: {by} scored {int(own['items']):,} samples in {fmt.number(own['seconds'])} s with "
        f"{_counted(own['starts'], 'start')}; {int(own['recorded']):,} were on record, {int(own['ungraded']):,} could not be "
        "graded."
        for (where, by), own in sums.items()
    ]


def _counted(count: float, what: str) -> str:
    return f"{int(count):,} {what}{'s' if int(count) != 1 else ''}"

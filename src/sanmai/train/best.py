"""Which checkpoint of a run is the best by one of its metrics."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

FILE = "best.json"
Sense = Literal["largest", "smallest"]


@dataclass(frozen=True)
class Best:
    step: int
    value: float


def best_of(lines: Iterable[bytes | str], steps: Collection[int], metric: str, sense: Sense) -> Best | None:
    """The step of these with the best value of a metric, of equal ones the first; None where no line of them has a number there.

    Args:
        lines: of a metrics.jsonl; those that cannot be read are passed over.
        steps: that have a checkpoint.

    Example:
        best_of(['{"step": 1, "a": 2.0}', '{"step": 2, "a": 3.0}'], [1, 2], "a", "largest") == Best(2, 3.0)
    """
    best: Best | None = None
    for line in lines:
        try:
            found = json.loads(line)
            step, value = found["step"], float(found[metric])
        except (ValueError, KeyError, TypeError):
            continue
        if step not in steps or not math.isfinite(value):
            continue
        if best is None or (value > best.value if sense == "largest" else value < best.value):
            best = Best(step, value)
    return best

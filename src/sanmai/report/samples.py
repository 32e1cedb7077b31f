"""Which rollouts go into the report: spread evenly over the steps, and bounded in number and size."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from sanmai.instruments.measures import tags_and_language
from sanmai.report.load import Row, RunData, is_number, read_rows
from sanmai.report.summary import quality_column

T = TypeVar("T")

MAX_ROLLOUTS = 2000
MAX_BYTES = 3_000_000
MAX_PAIR_BYTES = 1_000_000
_MAX_FILES = 200
_MAX_PAIRS = 200
_MAX_CHARACTERS = 12_000


def training_samples(run: RunData, max_rollouts: int = MAX_ROLLOUTS, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Training rollouts for the browser, with how many there were; files that cannot be read go to run.problems.

    Returns:
        `rows`, dictionaries as `_shown` makes them, in order of step; `note`, what was left out, in words or "".
    """
    steps = _evenly(sorted(run.rollout_files), min(_MAX_FILES, max_rollouts))
    chosen, total = [], 0
    for step in steps:
        rows = read_rows(run.rollout_files[step], run.problems)
        total += len(rows)
        column = quality_column(rows[:1])
        # Cut at once: the rollouts of all steps may not fit in memory.
        chosen += [_shown(row, column) for row in _evenly(rows, max_rollouts // len(steps))]
    chosen = _fitting(chosen, max_bytes)
    has_all_steps = len(steps) == len(run.rollout_files)
    note = ""
    if len(chosen) < total or not has_all_steps:
        scope = "" if has_all_steps else f" of {len(steps):,} steps out of {len(run.rollout_files):,}"
        note = (
            f"{len(chosen):,} of {total:,} rollouts{scope} are here, chosen evenly over the steps to keep this file "
            "small. All are in the rollouts folder."
        )
    return {"rows": chosen, "note": note}


def paired_samples(run: RunData) -> dict[str, Any]:
    """The first sample of the same held-out problems in the first and the last evaluation.

    Returns:
        `early_step`, `late_step`; `pairs`, each with `early` and `late`; `note`, what was left out, in words or "".
    """
    steps = sorted(run.evaluations)
    if len(steps) < 2:
        return {"pairs": [], "note": "", "early_step": None, "late_step": None}
    sides = [_first_samples(run.evaluations[step]) for step in (steps[0], steps[-1])]
    column = quality_column([*run.evaluations[steps[0]][:1], *run.evaluations[steps[-1]][:1]])
    shared = [problem for problem in sides[0] if problem in sides[1]]
    pairs = [
        {"early": _shown(sides[0][problem], column), "late": _shown(sides[1][problem], column)}
        for problem in _evenly(shared, _MAX_PAIRS)
    ]
    pairs = _fitting(pairs, MAX_PAIR_BYTES)
    note = f"{len(pairs):,} of {len(shared):,} problems, chosen evenly." if len(pairs) < len(shared) else ""
    return {"pairs": pairs, "note": note, "early_step": steps[0], "late_step": steps[-1]}


def _first_samples(rows: Sequence[Row]) -> dict[str, Row]:
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(str(row.get("problem_id")), row)
    return first


def _shown(row: Row, column: str) -> dict[str, Any]:
    """What the browser needs of a row, in the types that it expects whatever the file holds."""
    score = _number(row.get(column))
    if row.get("failure"):
        outcome = "failed"
    elif score is None:
        outcome = "ungradable"
    else:
        outcome = "correct" if score >= 1 else "wrong" if score <= 0 else "partial"
    names = [name.removeprefix("score/") for name in row if name.startswith("score/")]
    return {
        "step": _number(row.get("step")),
        "problem": _text(row.get("problem_id")),
        "sample": _number(row.get("sample")),
        "prompt": _text(row.get("prompt")),
        "answer": _text(row.get("answer")),
        "language": _text(row.get("language")),
        "tags": ", ".join(f"{key} = {value}" for key, value in tags_and_language(row).items() if key != "language"),
        "text": _text(row.get("text")),
        "outcome": outcome,
        "stop": _text(row.get("stop_reason")),
        "tokens": _number(row.get("num_tokens")),
        "reward": _number(row.get("reward")),
        "advantage": _number(row.get("advantage")),
        "log_ratio": _number(row.get("log_ratio")),
        "version": _number(row.get("policy_version")),
        "off_language": _number(row.get("off_language")),
        "failure": _text(row.get("failure")),
        "scores": [
            [name, _number(row[f"score/{name}"]), *(_text(row.get(f"{x}/{name}"), 500) for x in ("label", "reason"))]
            for name in names
        ],
    }


def _text(value: Any, limit: int = _MAX_CHARACTERS) -> str:
    text = "" if value is None else str(value)
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[... {len(text) - limit:,} characters left out ...]\n{text[-half:]}"


def _number(value: Any) -> float | None:
    if not is_number(value):
        return None
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _evenly(items: Sequence[T], count: int) -> list[T]:
    """At most count items, first and last included, at even distances."""
    if len(items) <= count:
        return list(items)
    if count < 2:
        return list(items[:count])
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def _fitting(items: list[T], max_bytes: int) -> list[T]:
    """As many items at even distances as fit; none if the first alone does not."""
    sizes = [len(json.dumps(item, ensure_ascii=False).encode("utf-8", "replace")) for item in items]
    kept = list(range(len(items)))
    while kept and sum(sizes[i] for i in kept) > max_bytes:
        kept = _evenly(kept, len(kept) * 4 // 5)
    return [items[i] for i in kept]

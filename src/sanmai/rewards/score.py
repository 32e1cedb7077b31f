"""Grades recorded responses of any model as mathematics (`sanmai score --as math`); score/recorded.py has the other kinds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from sanmai.data import files
from sanmai.data.inspect_samples import inspect_response, is_inspect
from sanmai.data.trace import opens_thought, parse_trace
from sanmai.rewards.verifiers import accuracy
from sanmai.stats import rate
from sanmai.types import InputError, Problem, StopReason, Trace, Verdict

Row = Mapping[str, Any]


def read_rows(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a JSONL (CSV, Parquet) file of responses, of a run's rollouts or evaluations, or of a log of inspect_ai; a
    `completion` is a response, as in XSTest's files.

    Raises:
        InputError: the file or a line cannot be read; the message has file, line and reason.
    """
    rows: list[dict[str, Any]] = []
    for number, row in files.read_rows(path):
        if isinstance(row, str):
            raise InputError(f"{path}, line {number}: {row}")
        if is_inspect(row):
            rows.append(inspect_response(row))
            continue
        if {"problem_id", "sample", "text"} <= row.keys():
            rows.append(_own_rollout(row))
            continue
        if "response" not in row and "completion" not in row:
            raise InputError(f"{path}, line {number}: no 'response'; expected id, prompt, response, reference")
        rows.append({"response": row.get("completion"), **row})
    return rows


def _own_rollout(row: Row) -> dict[str, Any]:
    """A row of a run's rollouts or evaluations."""
    was_cut = row.get("stop_reason") == StopReason.LENGTH.value
    return {
        "id": f"{row['problem_id']}#{row['sample']}", "prompt": row.get("prompt"), "response": row["text"],
        "reference": row.get("answer"), "language": row.get("language"), **({"finish_reason": "length"} if was_cut else {}),
    }  # fmt: skip


def score(rows: Iterable[Row], kind: str = "math", *, timeout_seconds: float = 5.0) -> dict[str, Any]:
    """Each row's score, label and reason, and a summary with a 95% interval, clustered by prompt.

    A row: `response`; `reference`, which a missing one makes ungradable; `id`, else its number; and if there `prompt`,
    `verifier` (default "math"), `finish_reason` ("length" says that the response was cut off). A response may hold a
    think trace; without tags it is all answer.

    Returns:
        {"kind": "math", "rows": [{"id", "score", "label", "reason"}], "summary": {"n", "graded", "ungradable",
        "accuracy", "interval", "confidence", "labels"}}

    Raises:
        InputError: the kind is unknown, or a row has a value of the wrong type.
    """
    if kind not in SCORERS:
        raise InputError(f"--as {kind!r}: expected one of {', '.join(sorted(SCORERS))}")
    graded, prompts = [], []
    for index, row in enumerate(rows):
        verdict = SCORERS[kind](row, index, timeout_seconds)
        prompts.append(text_of(row, "prompt", index) or f"row {index}")
        graded.append(
            {"id": identity_of(row, index), "score": verdict.score, "label": verdict.label, "reason": verdict.reason}
        )
    return {"kind": kind, "rows": graded, "summary": _summary(graded, prompts)}


def _score_math(row: Row, index: int, timeout_seconds: float) -> Verdict:
    problem = Problem(
        str(row.get("id", index)), ({"role": "user", "content": text_of(row, "prompt", index) or ""},),
        text_of(row, "reference", index), text_of(row, "verifier", index) or "math",
    )  # fmt: skip
    trace = trace_of(row, index)
    if trace is None:
        return Verdict(None, "no response was recorded", "ungradable")
    return accuracy(problem, trace, timeout_seconds=timeout_seconds)


SCORERS: dict[str, Callable[[Row, int, float], Verdict]] = {"math": _score_math}
"""What `--as` knows: (row, its index, seconds per comparison) to a verdict."""


def trace_of(row: Row, index: int) -> Trace | None:
    """The response taken apart; None where none was recorded.

    Raises:
        InputError: it is no text.
    """
    response = text_of(row, "response", index)
    if response is None:
        return None
    is_cut = (row.get("finish_reason") or row.get("stop_reason")) in ("length", "timeout", "max_tokens")
    is_opened = opens_thought(text_of(row, "prompt", index) or "")
    return parse_trace(response, opened_in_prompt=is_opened, is_truncated=is_cut)


def identity_of(row: Row, index: int) -> str | int:
    """The row's id as JSON can hold it."""
    identity = row.get("id")
    if identity is None:
        return index
    return identity if isinstance(identity, int | str) else str(identity)


def text_of(row: Row, key: str, index: int) -> str | None:
    """A value that is text or missing; numbers are read as text where a reference is expected.

    Raises:
        InputError: another type; the message has the row, the key and what was found.
    """
    value = row.get(key)
    if key == "reference" and isinstance(value, int | Decimal) and not isinstance(value, bool):
        value = str(value)
    elif key == "reference" and isinstance(value, float):
        value = str(int(value)) if value.is_integer() else repr(value)
    if value is not None and not isinstance(value, str):
        raise InputError(
            f"row {row.get('id', index)!r}: {key} = {str(value)[:80]}: expected text, found {type(value).__name__}"
        )
    return value


def _summary(rows: list[dict[str, Any]], prompts: list[str]) -> dict[str, Any]:
    scores = [row["score"] for row in rows if row["score"] is not None]
    # Several answers to one prompt are not independent: the interval is clustered by prompt.
    clusters = [prompt for row, prompt in zip(rows, prompts, strict=True) if row["score"] is not None]
    found = rate(scores, clusters) if scores else None
    return {
        "n": len(rows),
        "graded": len(scores),
        "ungradable": len(rows) - len(scores),
        "accuracy": found.value if found else None,
        "interval": [found.low, found.high] if found else [None, None],
        "confidence": 0.95,
        "labels": dict(sorted(Counter(row["label"] for row in rows).items())),
    }

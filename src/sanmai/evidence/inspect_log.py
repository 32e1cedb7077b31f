"""An audit as a log of inspect_ai, so that what reads such logs (its viewer, its data frames) reads every completion of it.

Texts are in it: unlike audit.json it holds what was asked and answered. The claims, their intervals and the protocol stand in
its metadata, for a log knows means alone.

Source:
    inspect_ai's log format, version 2 (0.3.285), in its JSON form.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq

from sanmai.data.trace import parse_trace
from sanmai.train.digests import defect_of
from sanmai.train.runs import write_whole
from sanmai.types import InputError

SCORES = ("accuracy", "harm", "answer_harm", "thought_harm", "refusal", "over_refusal", "helped", "format")
"""What was said of a completion, under the names of the columns; those that an audit has."""
_STOPS = {"stop": "stop", "length": "max_tokens"}


def check_place(path: Path) -> None:
    """Raises InputError: the log is not to be written there."""
    if path.suffix != ".json":
        raise InputError(f"--inspect {path}: expected a file that ends in .json")
    if path.exists():
        raise InputError(f"--inspect {path}: exists already; name another, or remove it")


def write_inspect_log(folder: Path, path: Path) -> Path:
    """Write a finished audit as a log; the path.

    Raises:
        InputError: `check_place`, or the audit is not finished, or damaged.
    """
    check_place(path)
    try:
        case = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
        sets = [str(each["name"]) for each in case["sets"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{folder}: no finished audit (audit.json cannot be read)") from None
    samples = [sample for step, name in enumerate(sets, 1) for sample in _samples(folder, step, name, case["model"])]
    write_whole(path, json.dumps(_log(case, samples, folder), ensure_ascii=False, allow_nan=False) + "\n")
    return path


def _samples(folder: Path, step: int, name: str, model: str) -> Iterator[dict[str, Any]]:
    path = folder / "evaluations" / f"step-{step:06d}.parquet"
    if why := defect_of(path):
        raise InputError(f"{path} {why}")
    for row in pq.read_table(path).to_pylist():
        yield _sample(row, name, model)


def _sample(row: Mapping[str, Any], name: str, model: str) -> dict[str, Any]:
    trace = parse_trace(row["text"] or "", is_truncated=row["stop_reason"] != "stop")
    parts = [{"type": "reasoning", "reasoning": trace.thought}] if trace.thought else []
    reply = {"role": "assistant", "source": "generate", "content": [*parts, {"type": "text", "text": trace.answer}]}
    usage = {"input_tokens": 0, "output_tokens": row["num_tokens"] or 0, "total_tokens": row["num_tokens"] or 0}
    scores = {
        each: {"value": row[f"score/{each}"], "answer": trace.answer, "explanation": row.get(f"reason/{each}"),
               "metadata": {"label": row.get(f"label/{each}")}}
        for each in SCORES if row.get(f"score/{each}") is not None
    }  # fmt: skip
    return {
        "id": f"{name}/{row['problem_id']}", "epoch": int(row["sample"]) + 1, "input": row["prompt"],
        "target": row["answer"] or "",
        "messages": [{"role": "user", "source": "input", "content": row["prompt"]}, reply],
        "output": {"model": model, "usage": usage,
                   "choices": [{"message": reply, "stop_reason": _STOPS.get(row["stop_reason"], "unknown")}]},
        "scores": scores, "metadata": {"set": name, "kind": row["kind"], "failure": row["failure"]},
    }  # fmt: skip


def _log(case: Mapping[str, Any], samples: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    protocol = case["protocol"]
    made = datetime.fromtimestamp((folder / "audit.json").stat().st_mtime, UTC).isoformat(timespec="seconds")
    names = [each for each in SCORES if any(each in sample["scores"] for sample in samples)]
    kept = ("verdict", "sentence", "confidence", "claims", "gaps", "sets", "protocol", "before_model")
    return {
        "version": 2, "status": "success",
        "eval": {
            "eval_id": folder.name, "run_id": folder.name, "created": made, "task": "sanmai/audit", "task_id": folder.name,
            "model": f"sanmai/{Path(str(case['model'])).name}", "model_args": {"weights": protocol["weights"]},
            "dataset": {"name": "audit", "samples": len({sample["id"] for sample in samples})},
            "config": {"epochs": protocol["samples"]}, "packages": {k: v for k, v in protocol["packages"].items() if v},
            "model_generate_config": {key: protocol["sampling"][key] for key in ("temperature", "max_tokens")},
            "metadata": {"sanmai_audit": {key: case.get(key) for key in kept}},
        },
        "results": {
            "total_samples": len(samples), "completed_samples": len(samples),
            "scores": [_result(each, [s["scores"][each]["value"] for s in samples if each in s["scores"]]) for each in names],
        },
        "stats": {"started_at": made, "completed_at": made},
        "samples": samples,
    }  # fmt: skip


def _result(name: str, values: list[float]) -> dict[str, Any]:
    """The mean over completions; intervals are the claims'."""
    return {
        "name": name, "scorer": name, "params": {}, "scored_samples": len(values),
        "metrics": {"mean": {"name": "mean", "value": fmean(values), "params": {}}},
    }  # fmt: skip

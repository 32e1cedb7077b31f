"""Rollouts on disk (law 9): one Parquet file, a row per rollout; the columns are described in docs/architecture.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sanmai.policies.text.checkpoints import file_stamp, sync
from sanmai.types import Credited, Drawn, Group


def write_rollouts(path: Path, step: int, groups: Sequence[Group[Drawn]]) -> dict[str, Any]:
    """Write rollouts as one Parquet file, whole or not at all, and on the disk when this returns; its size and SHA-256.

    Raises:
        OSError, pyarrow.ArrowException: disk full or not writable; nothing is left behind.
    """
    return write_table(path, rollout_table(step, groups))


def write_table(path: Path, table: pa.Table) -> dict[str, Any]:
    """Write a table as one Parquet file, as `write_rollouts` does; its size and SHA-256."""
    partial = path.with_name(f".partial-{path.name}")
    try:
        pq.write_table(table, partial, compression="zstd")
        sync(partial)
        written = file_stamp(partial)
        partial.rename(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return written


def rollout_table(step: int, groups: Sequence[Group[Drawn]]) -> pa.Table:
    """The rollouts in order of group and sample, with three columns for each grader that saw any of them."""
    # A list per column takes about half as long as a dict per row, and sampling waits for the interpreter's lock meanwhile.
    problems = [group.problem for group in groups for _ in group.rollouts]
    tags = [text for g in groups for text in [json.dumps(dict(g.problem.tags), ensure_ascii=False)] * len(g.rollouts)]
    # Of what was not graded, or not trained on, the columns that say how are null.
    rollouts = [r if isinstance(r, Credited) else Credited(**vars(r)) for group in groups for r in group.rollouts]
    text = pa.string()
    count, number = pa.int32(), pa.float64()
    columns = {
        "step": pa.array([step] * len(rollouts), count),
        "problem_id": pa.array([p.id for p in problems], text),
        "sample": pa.array([r.sample for r in rollouts], count),
        "prompt": pa.array([p.prompt for p in problems], text),
        "answer": pa.array([p.answer for p in problems], text),
        "kind": pa.array([p.kind for p in problems], text),
        "language": pa.array([p.language for p in problems], text),
        "tags": pa.array(tags, text),
        "text": pa.array([r.text for r in rollouts], text),
        **_of_thoughts(rollouts),
        "stop_reason": pa.array([r.stop_reason.value for r in rollouts], text),
        "num_tokens": pa.array([r.length for r in rollouts], count),
        "policy_version": pa.array([r.policy_version for r in rollouts], count),
        "reward": pa.array([r.reward for r in rollouts], number),
        "advantage": pa.array([r.advantage for r in rollouts], number),
        "log_ratio": pa.array([r.log_ratio for r in rollouts], number),
        "off_language": pa.array([r.off_language for r in rollouts], number),
        "failure": pa.array([_storable(r.failure) for r in rollouts], text),
        **_drawn(rollouts),
        "sampling_logp": pa.array([r.sampling_logp for r in rollouts], pa.list_(pa.float32())),
    }
    for name in sorted({name for r in rollouts for name in r.streams}):
        columns[f"stream/{name}"] = pa.array([r.streams.get(name) for r in rollouts], pa.list_(pa.float32()))
    if any(r.told for r in rollouts):
        columns["told"] = pa.array([[list(span) for span in r.told] for r in rollouts], pa.list_(pa.list_(count)))
    if any(r.images for r in rollouts):
        columns["images"] = pa.array([[image["sha256"] for image in r.images] for r in rollouts], pa.list_(text))
    for name in sorted({name for r in rollouts for name in r.verdicts}):
        verdicts = [r.verdicts.get(name) for r in rollouts]
        columns |= {
            f"score/{name}": pa.array([v.score if v else None for v in verdicts], number),
            f"label/{name}": pa.array([v.label if v else None for v in verdicts], text),
            f"reason/{name}": pa.array([_storable(v.reason) if v else None for v in verdicts], text),
        }
    return pa.table(columns)


def _of_thoughts(rollouts: Sequence[Drawn]) -> dict[str, pa.Array]:
    """Of texts alone."""
    if any(r.content is not None for r in rollouts):
        return {}
    return {
        "trace_state": pa.array([r.trace.state.value if r.trace else None for r in rollouts], pa.string()),
        "thinks": pa.array([r.trace.thinks if r.trace else None for r in rollouts], pa.bool_()),
    }


def _drawn(rollouts: Sequence[Drawn]) -> dict[str, pa.Array]:
    """What was drawn: the tokens of texts, and of another kind of policy the columns that it gives."""
    if any(r.content is not None for r in rollouts):
        names = sorted({name for r in rollouts for name in r.columns})
        return {name: pa.array([r.columns.get(name) for r in rollouts]) for name in names}
    return {"tokens": pa.array([r.completion_tokens for r in rollouts], pa.list_(pa.int32()))}


def _storable(text: str | None) -> str | None:
    """What a grader says, which may quote half a surrogate pair: no character, and no file takes it."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()

"""Pairs of clips in files: two clips of one prompt, and what was said of them in each dimension.

A Parquet file with the columns `id`, `prompt`, `first`, `second` (values of a byte), `clip_shape` (frames, height, width,
and 3 in colour) and `said/NAME`: 1 the first is better (of harm: has more of it), -1 the second, 0 they are alike, null nobody
could tell.

Shape key: F frames, H, W pixels; in colour 3 numbers each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from sanmai.data.files import read_rows
from sanmai.types import InputError

SAID = "said/"
MAX_PIXELS = 1 << 20
"""Numbers of one clip, all frames together."""


@dataclass(frozen=True)
class ClipPair:
    """Two clips of one prompt.

    Example:
        ClipPair("own/3", "a plus moving left", bytes(256), bytes(256), (4, 8, 8), {"visual": 1, "harm": None})
    """

    id: str
    prompt: str
    first: bytes
    second: bytes
    shape: tuple[int, ...]
    """Frames, height, width, and 3 in colour."""
    said: Mapping[str, int | None] = field(default_factory=dict)


def load_clip_pairs(path: str | Path) -> list[ClipPair]:
    """The pairs of such a file, or of a Parquet file of a flow's rollouts: of each of its groups the first two clips.

    Raises:
        InputError: it is neither, a row is malformed, two rows have one id, or there is none.
    """
    rows = list(_rows(path))
    if rows and {"problem_id", "clip", "clip_shape"} <= rows[0][1].keys():
        pairs = list(_of_rollouts(path, rows))
    else:
        pairs = [_pair(f"{path}, row {number}", row) for number, row in rows]
    if not pairs:
        raise InputError(f"{path}: no pair of clips; expected two clips to one prompt")
    seen: set[str] = set()
    for pair in pairs:
        if pair.id in seen:
            raise InputError(f"{path}: two pairs have the id {pair.id[:80]!r}; expected each once")
        seen.add(pair.id)
    return pairs


def write_clip_pairs(path: Path, pairs: Sequence[ClipPair], dimensions: Sequence[str]) -> None:
    """Write such a file, whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        "id": [p.id for p in pairs], "prompt": [p.prompt for p in pairs], "first": [p.first for p in pairs],
        "second": [p.second for p in pairs], "clip_shape": pa.array([list(p.shape) for p in pairs], pa.list_(pa.int32())),
    }  # fmt: skip
    columns |= {f"{SAID}{name}": pa.array([p.said.get(name) for p in pairs], pa.int8()) for name in dimensions}
    partial = path.with_name(f".partial-{path.name}")
    pq.write_table(pa.table(columns), partial)
    partial.replace(path)


def is_clips(path: str | Path) -> bool:
    """The file holds clips: the first row of a Parquet file says so."""
    return Path(path).suffix.lower() == ".parquet" and any(
        "clip_shape" in row for _, row in zip(range(1), (row for _, row in read_rows(path)), strict=False)
    )


def before_and_after(run: Path) -> list[ClipPair]:
    """Of a flow's run the clips of its first and its last evaluation, two and two from the same noise.

    Raises:
        InputError: it has not two evaluations with clips.
    """
    steps = sorted((run / "evaluations").glob("step-*.parquet"))
    if len(steps) < 2:
        raise InputError(f"{run}: expected a flow's run with two evaluations, before and after training")
    first, last = ({_name(row): row for _, row in _rows(path) if "clip" in row} for path in (steps[0], steps[-1]))
    names = [name for name in first if name in last]
    if not names:
        raise InputError(f"{run}: its evaluations hold no clips of the same noise")
    return [_of_two("/".join(map(str, name)), first[name], last[name], steps[-1]) for name in names]


def _rows(path: str | Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, row in read_rows(path):
        if isinstance(row, str):
            raise InputError(f"{path}, row {number}: {row}")
        yield number, row


def _name(row: Mapping[str, Any]) -> tuple[str, Any]:
    return str(row.get("problem_id")), row.get("sample")


def _of_rollouts(path: str | Path, rows: Iterable[tuple[int, Mapping[str, Any]]]) -> Iterator[ClipPair]:
    """Rows of a group follow one another; its second begins where the sample is not 0."""
    number = 0
    for (_, row), (_, other) in pairwise(rows):
        if row.get("sample") == 0 and other.get("sample") == 1 and row.get("problem_id") == other.get("problem_id"):
            yield _of_two(f"{row['problem_id']}/{number}", row, other, path)
            number += 1


def _of_two(name: str, row: Mapping[str, Any], other: Mapping[str, Any], path: str | Path) -> ClipPair:
    values = {"id": name, "prompt": row.get("prompt"), "first": row.get("clip"), "second": other.get("clip")}
    return _pair(f"{path}, pair {name}", {**values, "clip_shape": row.get("clip_shape")})


def _pair(where: str, row: Mapping[str, Any]) -> ClipPair:
    shape = row.get("clip_shape")
    is_shape = isinstance(shape, (list, tuple)) and len(shape) in (3, 4) and all(isinstance(n, int) and n > 0 for n in shape)
    if not is_shape or (len(shape) == 4 and shape[3] != 3) or math.prod(shape) > MAX_PIXELS:
        raise InputError(
            f"{where}: clip_shape = {shape!r}; expected frames, height, width (and 3 in colour) with {MAX_PIXELS:,} at most"
        )
    for name in ("first", "second"):
        value = row.get(name)
        if not isinstance(value, bytes) or len(value) != math.prod(shape):
            size = f"{len(value)} bytes" if isinstance(value, bytes) else type(value).__name__
            raise InputError(f"{where}: {name} is {size}; expected {math.prod(shape)} bytes, one per pixel")
    prompt, own = row.get("prompt"), row.get("id")
    if not isinstance(prompt, str) or not prompt.strip() or not isinstance(own, str) or not own:
        raise InputError(f"{where}: expected a text in `prompt` and one in `id`")
    said = {name.removeprefix(SAID): value for name, value in row.items() if name.startswith(SAID)}
    if bad := next((f"{SAID}{name} = {value!r}" for name, value in said.items() if value not in (1, -1, 0, None)), None):
        raise InputError(f"{where}: {bad}; expected 1, -1, 0 or null")
    return ClipPair(own, prompt, row["first"], row["second"], tuple(shape), said)

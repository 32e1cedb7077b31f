"""Logs of inspect_ai (`.eval`, or `.json` of the same content) as rows, one for each sample: problems, or responses to them.

Source:
    inspect_ai's log format, version 2 (0.3.285): `.eval` is a zip archive with one JSON file for each sample,
    `samples/ID_epoch_N.json`, packed by Zstandard (method 93) or deflate; `.json` is one object with "samples".
"""

from __future__ import annotations

import io
import json
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sanmai.types import InputError

MAX_SAMPLE_BYTES = 64 << 20
"""Of one sample, unpacked: a larger one is a reason, and not read."""
_ZSTANDARD = 93
_DAMAGE = (ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
"""What reading an entry raises where it is damaged or encrypted; RuntimeError is zipfile's word for what it cannot unpack."""
MARK = "inspect_sample"
"""A column of every row: by it a sample is known (inspect_samples.py)."""


def is_inspect_json(head: bytes) -> bool:
    """Whether a JSON file that begins so is a log."""
    return re.match(rb'\s*\{\s*"version"\s*:\s*\d', head) is not None and b'"eval"' in head and b'"eval_id"' in head


def inspect_rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Each sample of a log with its number, or why it cannot be read; what stands beside the samples is not needed.

    Raises:
        InputError: no log, or one without samples.
    """
    try:
        samples = _packed(path) if path.suffix.lower() == ".eval" else iter(_listed(path))
        number = 0
        for number, sample in enumerate(samples, 1):
            yield number, sample if isinstance(sample, str) else _row(sample)
    except (*_DAMAGE, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(f"{path}: no log of inspect_ai that can be read: {type(error).__name__}: {str(error)[:120]}") from None
    if not number:
        raise InputError(f"{path}: a log of inspect_ai without samples (was it written with --no-log-samples?)")


def _listed(path: Path) -> list[Any]:
    return list(json.loads(path.read_text(encoding="utf-8")).get("samples") or ())


def _packed(path: Path) -> Iterator[Any]:
    with zipfile.ZipFile(path) as archive, path.open("rb") as raw:
        entries = [entry for entry in archive.infolist() if re.fullmatch(r"samples/.+\.json", entry.filename)]
        for entry in sorted(entries, key=lambda each: _natural(each.filename)):
            if entry.file_size > MAX_SAMPLE_BYTES:
                yield f"{entry.filename}: {entry.file_size} bytes; expected at most {MAX_SAMPLE_BYTES}"
                continue
            try:
                yield json.loads(_unpacked(archive, raw, entry))
            except _DAMAGE as error:
                yield f"{entry.filename}: damaged, or packed in an unknown way ({str(error)[:80] or type(error).__name__})"


def _natural(name: str) -> list[Any]:
    """So that sample 10 comes after 9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _unpacked(archive: zipfile.ZipFile, raw: Any, entry: zipfile.ZipInfo) -> bytes:
    """The bytes of an entry; of those that Python's own module cannot unpack, by pyarrow."""
    if entry.compress_type != _ZSTANDARD:
        return archive.read(entry)
    import pyarrow

    raw.seek(entry.header_offset)
    header = raw.read(30)
    if header[:4] != b"PK\x03\x04":
        raise ValueError("no entry where one should be")
    raw.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
    packed = raw.read(min(entry.compress_size, os.fstat(raw.fileno()).st_size))  # what an archive states may be anything
    try:
        with pyarrow.CompressedInputStream(pyarrow.PythonFile(io.BytesIO(packed), mode="r"), "zstd") as stream:
            data = stream.read(MAX_SAMPLE_BYTES + 1)
    except OSError as error:  # pyarrow's word for damage, which is none of the disk
        raise ValueError(str(error)) from None
    if len(data) != entry.file_size:
        raise ValueError(f"{len(data)} bytes in place of {entry.file_size}")
    return data


def _row(sample: Any) -> dict[str, Any]:
    if not isinstance(sample, dict) or "input" not in sample:
        raise ValueError("a sample without an input")
    kept = ("id", "epoch", "input", "choices", "target", "output", "scores", "error")
    return {MARK: True, **{name: sample[name] for name in kept if name in sample}}

"""Rows of JSONL, CSV and Parquet files and of hub data sets: each a mapping, or the reason why it is none.

A written demonstration is a text file (.md, .txt): the prompt, a line `---`, and the whole completion, thought tags included.
Blank lines at both ends of the two parts do not belong to them; later lines `---` belong to the completion.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sanmai.types import InputError

MAX_LINE_BYTES = 16 << 20
"""A longer line is no problem statement; it is reported and passed over without being held in memory."""

Row = Mapping[str, Any]
Located = tuple[int, Row | str]
"""Line number (row number in Parquet and hub sets, from 1) and the row, or the reason why it cannot be read."""


def list_files(source: str | Path) -> list[tuple[str, str]]:
    """The files of a source, each with what the ids of its rows begin with: `folder/name` without its ending.

    A folder gives every file in it and below, in order of path, but for hidden ones; one that `sanmai sample` has finished
    gives its data.parquet. Any other source is itself.

    Raises:
        InputError: a folder without files, or one of a run that holds no data to read.
    """
    folder = Path(source)
    if str(source).startswith("hub:"):
        return [(str(source), re.sub(r"[^\w.-]+", "-", str(source)))]
    if not folder.is_dir():
        return [(str(source), f"{folder.parent.name}/{folder.stem}" if folder.parent.name else folder.stem)]
    if (folder / "config.toml").is_file() and (folder / "metrics.jsonl").is_file():
        data = folder / "data.parquet"
        if not data.is_file():
            raise InputError(
                f"{folder}: a run folder without data.parquet; expected problems, or a finished `sanmai sample`"
            )
        return [(str(data), f"{folder.name}/data")]
    inside = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    paths = sorted(path for path in inside if not any(part.startswith(".") for part in path.parts))
    if not paths:
        raise InputError(f"{folder}: no file in this folder; expected .jsonl, .csv, .parquet, .md or .txt files")
    stems = Counter(path.with_suffix("") for path in paths)
    unique = [path.with_suffix("") if stems[path.with_suffix("")] == 1 else path for path in paths]
    name = folder.resolve().name
    return [(str(folder / path), f"{name}/{stem.as_posix()}") for path, stem in zip(paths, unique, strict=True)]


def read_rows(source: str | Path) -> Iterator[Located]:
    """The rows of a .jsonl (.ndjson, .json), .csv, .parquet, .md or .txt file, or of `hub:NAME[:CONFIG][:SPLIT]`, in order.

    Raises:
        InputError: the source as a whole cannot be read; the message says why.
    """
    if str(source).startswith("hub:"):
        return _hub_rows(str(source))
    path = Path(source)
    readers = {".jsonl": _jsonl_rows, ".ndjson": _jsonl_rows, ".json": _jsonl_rows, ".csv": _csv_rows}
    readers |= {".parquet": _parquet_rows, ".md": _written_rows, ".txt": _written_rows}
    if path.suffix.lower() not in readers:
        raise InputError(
            f"{path}: expected a file that ends in .jsonl, .csv or .parquet, a written demonstration (.md, .txt), or "
            "hub:NAME[:CONFIG][:SPLIT]"
        )
    if path.is_dir():
        raise InputError(f"{path}: is a folder; expected a file")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty")
        return readers[path.suffix.lower()](path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _jsonl_rows(path: Path) -> Iterator[Located]:
    number = 0
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    while line and not line.endswith(b"\n"):
                        line = file.readline(MAX_LINE_BYTES)
                    yield number, f"the line is longer than {MAX_LINE_BYTES} bytes"
                elif line.strip() or number == 1:
                    yield number, _parse_line(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _parse_line(line: bytes) -> Row | str:
    if line[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "not UTF-8 (it starts like UTF-16); save the file as UTF-8"
    if b"\0" in line:
        return "holds NUL bytes; expected JSON text in UTF-8"
    try:
        row = json.loads(line.decode("utf-8").rstrip("\r\n"), parse_constant=_refuse_constant)
        json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        return f"not UTF-8 (byte {error.start + 1} of the line)"
    except UnicodeEncodeError:
        return "holds half of a surrogate pair (\\ud800 to \\udfff), which is no character"
    except json.JSONDecodeError as error:
        cut = "" if line.endswith(b"\n") else "; the last line has no line end: is the file cut off?"
        return f"not JSON: {error.msg} at column {error.colno}{cut}"
    except (ValueError, RecursionError) as error:
        return f"not usable JSON: {error}"
    return row if isinstance(row, dict) else f"expected a JSON object, found {type(row).__name__}"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _csv_rows(path: Path) -> Iterator[Located]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            csv.field_size_limit(MAX_LINE_BYTES)
            reader = csv.DictReader(file, strict=True)
            for row in reader:
                if None in row or None in row.values():
                    yield reader.line_num, f"expected {len(reader.fieldnames or ())} columns as in the header"
                elif any("\0" in value for value in row.values()):
                    yield reader.line_num, "holds NUL characters"
                else:
                    yield reader.line_num, {key: value for key, value in row.items() if value != ""}
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start + 1} of a block); save the file as UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{path}: not CSV: {error}") from None


def _written_rows(path: Path) -> Iterator[Located]:
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        yield 1, f"not UTF-8 (byte {error.start + 1}); save the file as UTF-8"
        return
    prompt, line, completion = [*re.split(r"(?m)^(---)[^\S\n]*$", text, maxsplit=1), "", ""][:3]
    if not line:
        yield 1, "no line `---` between the prompt and the completion"
    elif not prompt.strip() or not completion.strip():
        yield 1, f"no {'completion after' if prompt.strip() else 'prompt before'} the line `---`"
    else:
        turns = (("user", prompt), ("assistant", completion))
        yield 1, {"messages": [{"role": role, "content": text.strip("\n")} for role, text in turns]}


def _parquet_rows(path: Path) -> Iterator[Located]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a Parquet file: {error}") from None


def _hub_rows(source: str) -> Iterator[Located]:
    name, *rest = source.removeprefix("hub:").split(":")
    if not name or len(rest) > 2 or not all(rest):
        raise InputError(f"{source}: expected hub:NAME, hub:NAME:SPLIT, hub:NAME:CONFIG or hub:NAME:CONFIG:SPLIT")
    is_split = len(rest) == 1 and re.match(r"(train|test|validation|valid|val|dev)\b", rest[0]) is not None
    config, split = (None, rest[0]) if is_split else (*rest, None, None)[:2]
    if len(rest) == 1 and not is_split:
        split = None
    try:
        import datasets
    except ImportError:
        raise InputError(f"{source}: hub data sets need the extra `data`: pip install 'sanmai[data]'") from None
    try:
        rows = datasets.load_dataset(name, config, split=split or "train")
        return enumerate(map(dict, rows), start=1)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        first_line = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"{source}: cannot be loaded from the hub: {first_line}") from None

"""Rows of JSONL, JSON, CSV, Parquet and Arrow files, of inspect_ai's logs and of hub data sets: each a mapping, or the reason why
it is none.

A .json file is a list of rows, an object that holds one (`{"data": [...]}`), columns or rows by name, or JSON lines. What is
packed by gzip is unpacked, and UTF-16 that says so by its first bytes is read. The columns of CSV are parted by commas; where its
header has none, by semicolons, tabs or bars. NaN is nothing.

A written demonstration is a text file (.md, .txt): the prompt, a line `---`, and the whole completion, thought tags included.
Blank lines at both ends of the two parts do not belong to them; later lines `---` belong to the completion.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

from sanmai.data.inspect_logs import inspect_rows, is_inspect_json
from sanmai.extras import needs
from sanmai.types import InputError

MAX_LINE_BYTES = 16 << 20
"""A longer line is no problem statement; it is reported and passed over without being held in memory."""

Row = Mapping[str, Any]
Located = tuple[int, Row | str]
"""Line number (row number in Parquet and hub sets, from 1) and the row, or the reason why it cannot be read."""


_NO_DATA = re.compile(
    r"(?i)(readme|licen[cs]e|copying|notice|citation|changelog|contributing|authors|code_of_conduct|requirements)\b.*"
    r"|dataset_infos?\.json|dataset_dict\.json|state\.json|croissant.*\.json|.*\.(py|ya?ml|toml|lock|cff|bib|sh|md5|sha256)"
    r"|.*\.(png|jpe?g|webp|gif|bmp|svg)"
)
"""Names of files that stand beside the data in a downloaded folder: cards, licences, scripts, descriptions, pictures."""
_SPLIT = re.compile(r"(?i)(?<![a-z])(train|test|validation|valid|val|dev|eval)(?![a-z])")


def list_files(source: str | Path) -> list[tuple[str, str]]:
    """The files of a source, each with what the ids of its rows begin with: `folder/name` without its ending.

    A folder gives every file in it and below, in order of path, but for hidden ones and for those that hold no data
    (`passed_over`); one that `sanmai sample` has finished gives its data.parquet. Any other source is itself.

    Raises:
        InputError: a folder without files, or one of a run that holds no data to read.
    """
    folder = Path(source)
    if str(source).startswith("hub:"):
        return [(str(source), re.sub(r"[^\w.-]+", "-", str(source)))]
    if not folder.is_dir():
        stem = folder.with_suffix("").stem if folder.suffix.lower() == ".gz" else folder.stem
        return [(str(source), f"{folder.parent.name}/{stem}" if folder.parent.name else stem)]
    if _is_run(folder):
        data = folder / "data.parquet"
        if not data.is_file():
            raise InputError(
                f"{folder}: a run folder without data.parquet; expected problems, or a finished `sanmai sample`"
            )
        return [(str(data), f"{folder.name}/data")]
    paths = [path for path in _inside(folder) if not _is_no_data(folder, path)]
    if not paths:
        raise InputError(f"{folder}: no file in this folder; expected .jsonl, .json, .csv, .parquet, .md or .txt files")
    stems = Counter(path.with_suffix("") for path in paths)
    unique = [path.with_suffix("") if stems[path.with_suffix("")] == 1 else path for path in paths]
    name = folder.resolve().name
    return [(str(folder / path), f"{name}/{stem.as_posix()}") for path, stem in zip(paths, unique, strict=True)]


def remarks(source: str | Path) -> list[str]:
    """What should be said of a folder: which files in it are no data, and that it holds several splits, which are read as one."""
    folder = Path(source)
    if str(source).startswith("hub:") or not folder.is_dir() or _is_run(folder):
        return []
    inside = _inside(folder)
    passed = [path.as_posix() for path in inside if _is_no_data(folder, path)]
    splits = {
        found[1].lower()
        for path in inside
        if path.as_posix() not in passed
        if (found := _SPLIT.search(path.as_posix()))
    }
    said = []
    if passed:
        more = f" and {len(passed) - 5} more" if len(passed) > 5 else ""
        said.append(f"{folder}: passed over {', '.join(passed[:5])}{more}: no data by their names")
    if len(splits) > 1:
        said.append(f"{folder}: the splits {', '.join(sorted(splits))} are read as one set; name a file to read one")
    return said


def _is_run(folder: Path) -> bool:
    return (folder / "config.toml").is_file() and (folder / "metrics.jsonl").is_file()


def _inside(folder: Path) -> list[Path]:
    inside = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in inside if not any(part.startswith(".") for part in path.parts))


def _is_no_data(folder: Path, path: Path) -> bool:
    if _NO_DATA.fullmatch(path.name):
        return True
    if path.suffix.lower() == "":  # such as COPYING; data has an ending
        return path.name.isupper()
    return path.suffix.lower() == ".md" and (folder / path).read_bytes()[:8].lstrip(b"\xef\xbb\xbf").startswith(
        b"---\n"
    )


def read_rows(source: str | Path) -> Iterator[Located]:
    """The rows of a .jsonl (.ndjson), .json, .csv, .tsv, .parquet, .arrow, .md or .txt file, or of `hub:NAME[:CONFIG][:SPLIT]`.

    Raises:
        InputError: the source as a whole cannot be read; the message says why.
    """
    if str(source).startswith("hub:"):
        return _hub_rows(str(source))
    path = Path(source)
    readers = {".jsonl": _jsonl_rows, ".ndjson": _jsonl_rows, ".json": _json_rows, ".csv": _csv_rows, ".tsv": _csv_rows}
    readers |= {".parquet": _parquet_rows, ".arrow": _arrow_rows, ".md": _written_rows, ".txt": _written_rows}
    readers |= {".eval": _inspect_rows}
    suffix = path.suffix.lower()
    if suffix == ".gz" and path.with_suffix("").suffix.lower() in (".jsonl", ".ndjson", ".json", ".csv", ".tsv"):
        suffix = path.with_suffix("").suffix.lower()
    if made := re.match(r"(gym|verifiers):", str(source)):
        raise InputError(f"{source}: a source {made[0]}NAME is one of recipes that train or sample; expected a file")
    if (path / "config.toml").is_file():
        kept = [str(max(found)) for part in ("evaluations", "rollouts") if (found := [*path.glob(f"{part}/*.parquet")])]
        raise InputError(f"{path}: is a run folder; expected a file" + (f", such as {' or '.join(kept)}" if kept else ""))
    if suffix not in readers:
        raise InputError(
            f"{path}: expected a file that ends in .jsonl, .json, .csv or .parquet, a written demonstration (.md, .txt), or "
            "hub:NAME[:CONFIG][:SPLIT]"
        )
    if path.is_dir():
        raise InputError(f"{path}: is a folder; expected a file")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty")
        return _told(path, readers[suffix](path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _told(path: Path, rows: Iterator[Located]) -> Iterator[Located]:
    """The rows; what the disk or the packing does to them while they are read is an InputError."""
    try:
        yield from rows
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _unpacked(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb"))


_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _open(path: Path) -> BinaryIO:
    """The bytes of a text file: unpacked, and UTF-16 and UTF-32 as UTF-8."""
    with path.open("rb") as file:
        is_packed = path.suffix.lower() == ".gz" or file.read(2) == b"\x1f\x8b"
    file = _unpacked(path) if is_packed else path.open("rb")
    head = file.read(256)
    if head[:40].startswith(b"version https://git-lfs"):
        raise InputError(f"{path}: a pointer of Git LFS, not the data; `git lfs pull` gets it")
    if re.match(rb"\s*<(!doctype html|html)\b", head, re.IGNORECASE):
        raise InputError(f"{path}: a web page (HTML), not the data; was a link to the file's page downloaded?")
    file.seek(0)
    if not head.startswith(_UTF16):
        return file
    with file:
        data = file.read()
    try:
        return io.BytesIO(data.decode("utf-32" if data[:4].count(0) == 2 else "utf-16").encode())
    except UnicodeError:
        raise InputError(f"{path}: starts like UTF-16 and is none; save the file as UTF-8") from None


def _inspect_rows(path: Path) -> Iterator[Located]:
    yield from inspect_rows(path)


def _json_rows(path: Path) -> Iterator[Located]:
    """The rows of a list, or of the list that an object holds; else one object a line."""
    with _open(path) as file:
        head = file.read(1 << 16).removeprefix(b"\xef\xbb\xbf").lstrip()
        if is_inspect_json(head):
            yield from _inspect_rows(path)
            return
        if head[:1] == b"[" or (head[:1] == b"{" and isinstance(_parse_line(head.splitlines()[0] + b"\n"), str)):
            file.seek(0)
            data = file.read()
        elif b"\n" not in head.rstrip() and len(head) < 1 << 16:
            data = head  # one object, which may hold a list
        else:
            data = b""
    if not data or b"\0" in data:
        yield from _jsonl_rows(path)
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start + 1}); save the file as UTF-8") from None
    start = _start_of_list(text)
    if start is not None:
        yield from _listed_rows(text, start)
    elif (rows := _rows_of_object(text)) is not None:
        yield from enumerate(rows, start=1)
    else:
        yield from _jsonl_rows(path)


def _rows_of_object(text: str) -> list[Row] | None:
    """The rows of one JSON object that holds columns (lists, or pandas' {"0": ...}) or rows by name; else None."""
    try:
        held = json.loads(text, parse_constant=_constant)
    except (ValueError, RecursionError):
        return None
    values: list[Any] = list(held.values()) if isinstance(held, dict) else []
    if not values:
        return None
    if all(isinstance(value, dict) and value and all(key.isdecimal() for key in value) for value in values):
        values = [list(value.values()) for value in values]
    if (
        all(isinstance(value, list) for value in values)
        and len(held) > 1
        and len({len(value) for value in values}) == 1
    ):
        is_turns = any(isinstance(one, dict) and {"role", "from"} & set(one) for value in values for one in value)
        return None if is_turns else [dict(zip(held, row, strict=True)) for row in zip(*values, strict=True)]
    is_rows = all(isinstance(value, dict) and len(value) > 1 and not {"role", "from"} & set(value) for value in values)
    return values if is_rows and len({frozenset(value) for value in values}) == 1 else None


_LISTS = "data|rows|train|test|validation|examples|items|instances|problems|questions|samples|records"


def _start_of_list(text: str) -> int | None:
    """Where the rows of a JSON text begin: after its `[`, or after `"data": [`; None where it is no such list."""
    found = re.match(r"\s*\[", text)
    if found is None:
        keys = re.match(rf'\s*\{{(?s:.{{0,2000}}?)"(?:{_LISTS})"\s*:\s*\[(?=\s*[{{\]])', text)
        found = keys
    return found.end() if found else None


def _listed_rows(text: str, place: int) -> Iterator[Located]:
    """The rows of a JSON list, each with the line where it begins; in a file of one line, with its number in the list."""
    decoder = json.JSONDecoder(parse_constant=_constant)
    is_one_line = "\n" not in text.strip()
    line, counted, number = 1, 0, 0
    blank = re.compile(r"[\s,]*")
    while True:
        place = cast(re.Match[str], blank.match(text, place)).end()
        number += 1
        line, counted = line + text.count("\n", counted, place), place
        where = number if is_one_line else line
        if place >= len(text):
            yield where, "not JSON: the list has no end: is the file cut off?"
            return
        if text[place] == "]":
            return
        reason = None
        try:
            row, place = decoder.raw_decode(text, place)
            json.dumps(row, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            reason = "holds half of a surrogate pair (\\ud800 to \\udfff), which is no character"
        except json.JSONDecodeError as error:
            yield where, f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
            return
        except (ValueError, RecursionError) as error:
            yield where, f"not usable JSON: {error}"
            return
        if isinstance(row, dict) and isinstance(row.get("row"), dict) and "row_idx" in row:
            row = row["row"]  # as the hub's viewer gives them
        yield where, reason or _object(row)


def _jsonl_rows(path: Path) -> Iterator[Located]:
    number = 0
    with _open(path) as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if number == 1 and (line.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"[" or line.strip() == b"{"):
                yield from _list_or_objects(path)  # a list under another name, or objects over several lines
                return
            if len(line) > MAX_LINE_BYTES:
                while line and not line.endswith(b"\n"):
                    line = file.readline(MAX_LINE_BYTES)
                yield number, f"the line is longer than {MAX_LINE_BYTES} bytes"
            elif line.strip():
                yield number, _parse_line(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)


def _list_or_objects(path: Path) -> Iterator[Located]:
    with _open(path) as file:
        data = file.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start + 1}); save the file as UTF-8") from None
    start = _start_of_list(text)
    yield from _listed_rows(text, start) if start is not None else _listed_rows(text + "\n]", 0)


def _parse_line(line: bytes) -> Row | str:
    if line[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "not UTF-8 (it starts like UTF-16); save the file as UTF-8"
    if b"\0" in line:
        return "holds NUL bytes; expected JSON text in UTF-8"
    try:
        row = json.loads(line.decode("utf-8").rstrip("\r\n"), parse_constant=_constant)
        json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        return f"not UTF-8 (byte {error.start + 1} of the line)"
    except UnicodeEncodeError:
        return "holds half of a surrogate pair (\\ud800 to \\udfff), which is no character"
    except json.JSONDecodeError as error:
        cut = "" if line.endswith(b"\n") else "; the last line has no line end: is the file cut off?"
        if error.msg == "Extra data" and error.doc[error.pos :].strip() == ",":
            return "not JSON lines: a comma after the object; expected one object a line, or a list in brackets"
        return f"not JSON: {error.msg} at column {error.colno}{cut}"
    except (ValueError, RecursionError) as error:
        return f"not usable JSON: {error}"
    return _object(row)


def _object(row: Any) -> Row | str:
    """A row; a list of turns as one conversation; else why it is none."""
    if isinstance(row, list) and len(row) > 1 and all(isinstance(turn, dict | str) and turn for turn in row):
        return {"conversation": row}
    return row if isinstance(row, dict) else f"expected a JSON object, found {type(row).__name__}"


def _constant(name: str) -> float:
    """NaN, which Python's writers put for nothing; no other word is a number."""
    if name == "NaN":
        return math.nan
    raise ValueError(f"{name} is no JSON number")


def _csv_rows(path: Path) -> Iterator[Located]:
    try:
        with io.TextIOWrapper(_open(path), encoding="utf-8-sig", newline="") as file:
            csv.field_size_limit(MAX_LINE_BYTES)
            first = file.readline(MAX_LINE_BYTES)
            stated = re.fullmatch(r"sep=(.)\s*", first)  # Excel's
            header = file.readline(MAX_LINE_BYTES) if stated else first
            delimiter = stated[1] if stated else _delimiter(header, is_tabbed=".tsv" in path.suffixes)
            reader = csv.DictReader(itertools.chain([header], file), strict=True, delimiter=delimiter)
            names = [name.strip() for name in reader.fieldnames or ()]
            if twice := [name for name, count in Counter(names).items() if count > 1 and name]:
                raise InputError(f"{path}: the column {', '.join(map(_printable, twice))} stands twice in the header")
            reader.fieldnames = names
            for row in reader:
                number = reader.line_num + (1 if stated else 0)
                if None in row or None in row.values():
                    yield number, f"expected {len(names)} columns as in the header"
                elif any("\0" in value for value in row.values()):
                    yield number, "holds NUL characters"
                else:
                    yield number, {key: value for key, value in row.items() if value != ""}
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start + 1} of a block); save the file as UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{path}: not CSV: {error}") from None


def _delimiter(header: str, *, is_tabbed: bool) -> str:
    """What parts the names of a header: a comma, unless it has none and another mark is there."""
    if is_tabbed:
        return "\t"
    plain = re.sub(r'"[^"]*"', "", header)
    return "," if "," in plain else max(";\t|", key=plain.count) if any(mark in plain for mark in ";\t|") else ","


def _printable(name: str) -> str:
    return name if re.fullmatch(r"[\w .-]{1,40}", name) else f"of {len(name)} characters"


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
            yield from _batch_rows(file.iter_batches(batch_size=1024))
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a Parquet file: {_first_line(error)}") from None


def _arrow_rows(path: Path) -> Iterator[Located]:
    import pyarrow

    try:
        with pyarrow.memory_map(str(path)) as file:
            yield from _batch_rows(iter(pyarrow.ipc.open_stream(file)))
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path}: not an Arrow stream: {_first_line(error)}") from None


def _batch_rows(batches: Iterator[Any]) -> Iterator[Located]:
    number = 0
    for batch in batches:
        try:
            rows: list[Any] = batch.to_pylist()
        except UnicodeDecodeError:
            rows = [_decoded(batch, k) for k in range(batch.num_rows)]
        for row in rows:
            number += 1
            yield number, row


def _decoded(batch: Any, k: int) -> Row | str:
    row = {}
    for name in batch.schema.names:
        try:
            row[name] = batch.column(name)[k].as_py()
        except UnicodeDecodeError as error:
            return f"column {name}: text that is not UTF-8 (byte {error.start + 1})"
    return row


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


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
        raise needs(f"{source}: a data set of the hub", "data") from None
    try:
        rows = datasets.load_dataset(name, config, split=split or "train")
        return enumerate(map(dict, rows), start=1)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise InputError(f"{source}: cannot be loaded from the hub: {_first_line(error)}") from None

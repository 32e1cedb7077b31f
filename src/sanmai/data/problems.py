"""Problem sets: files in, checked; split, de-duplicated, and compared for overlap.

Which columns mean what is in data/formats.py, and in words, with an example of each format, in docs/data.md. A row of any format
may have `images`: the path of a picture, relative to the file, or a list of them (data/images.py). They belong to the last user
message: each takes the place of an `<image>` in its text, in order; where there is none they stand before it. A message of a
conversation may have `images` of its own instead.

A column that no format reads and that holds a number, a bool or a short text becomes a tag of a generic problem; one that looks
like a part of a problem and is not used is named. A folder is read file by file, each in its own format; written demonstrations
(.md, .txt) are described in data/files.py.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from sanmai.config import Config, OnlyWith
from sanmai.data.columns import ColumnsConfig, mapped
from sanmai.data.files import Row, list_files, read_rows, remarks
from sanmai.data.formats import FORMATS, Format, FormatName, by_language, detect
from sanmai.data.images import ImageError, read_image
from sanmai.data.roles import refuse_parts, usual
from sanmai.data.rows import RowError, json_value, may_repeat, shown
from sanmai.data.testbeds import EMBEDDED, find_testbed
from sanmai.types import IMAGE_MARK, InputError, Problem

OnError = Literal["raise", "skip"]
Kind = Literal["reasoning", "general", "safety"]
Source = str | Path | Iterable[Mapping[str, Any]]
"""A file, a folder, hub:NAME; or the rows themselves: a list of dictionaries, a `datasets` object."""


class ProblemsConfig(Config):
    source: str | tuple[str, ...] = EMBEDDED
    """"world" (the embedded one), "stories", "gym:NAME,NAME" (generators of reasoning-gym), "verifiers:NAME" (a taskset of
    verifiers), "environment:FILE.py:CLASS" (one of your own, of several turns if it replies); a .jsonl, .json, .csv or .parquet
    file, a folder of files, a run folder of `sanmai sample`, or hub:NAME[:CONFIG][:SPLIT]; a list of these is read one after the
    other."""
    evaluation: str | None = None
    """The held-out problems, in the same notation; without it `holdout` is split off the source."""
    format: FormatName = "auto"
    """Which columns mean what; see docs/data.md. "auto" looks at the first row."""
    columns: ColumnsConfig = ColumnsConfig()
    """Columns of the files that have other names than those known: problems.columns.prompt=q."""
    kind: Kind | None = None
    """Take every problem of the files for one of this kind, whatever its row says; None: as the rows say."""
    on_error: OnError = "raise"
    """At a malformed line: stop and name it, or skip and count it."""
    holdout: float = Field(0.1, gt=0, lt=1)
    """Share of the problems held out when there is no evaluation source."""
    limit: int | None = Field(None, ge=1)
    """Use only so many problems, from the start; None for all."""

    only_with = (
        OnlyWith(
            "source or evaluation from files",
            lambda c: find_testbed(c.source) is None or (c.evaluation is not None and find_testbed(c.evaluation) is None),
            "format", "columns", "kind", "on_error",
        ),
    )


@dataclass(frozen=True)
class LoadedProblems:
    problems: list[Problem]
    skipped: list[str] = field(default_factory=list)
    """One "file, line N: reason" per malformed line that was passed over."""
    duplicates: int = 0
    """Problems left out because an earlier one has the same prompt and the same demonstration, or none."""
    notes: list[str] = field(default_factory=list)
    """What was not used, passed over, or contradicts itself: one sentence a kind."""


def load_problems(
    source: Source,
    *,
    format: FormatName = "auto",
    on_error: OnError = "raise",
    needs_answer: bool = True,
    limit: int | None = None,
    kind: Kind | None = None,
    skip_setting: str | None = "problems.on_error",
    columns: Mapping[str, str] | None = None,
    on_warning: Callable[[str], None] | None = None,
) -> LoadedProblems:
    """The problems of a file, a folder of files, a hub data set or of rows, without duplicates.

    A prompt that stands there again with another answer is a contradiction: the first one is kept, the others are left out, and
    a note names their lines.

    Args:
        needs_answer: a problem without a reference answer is malformed; False for demonstrations, and for rewards
            that read no answer.
        limit: stop after so many problems.
        kind: of every problem, whatever its row says.
        skip_setting: what the caller's user sets to "skip" to pass over malformed lines, for the message; None: there is none.
        columns: what the columns of the source mean, as {"prompt": "q", "answer": "meta.gold"}.
        on_warning: told of each note of the result; None: a UserWarning each.

    Raises:
        InputError: the source cannot be read, a line is malformed (on_error="raise"), or no problem is left. No message quotes
            a text of the source: it may ask for something harmful.
    """
    problems: list[Problem] = []
    skipped: list[str] = []
    duplicates = 0
    seen_ids: set[str] = set()
    seen: set[str] = set()
    answers: dict[str, tuple[str, str]] = {}
    notes = Notes(source if isinstance(source, str | Path) else None)
    for where, problem in _converted(source, None if format == "auto" else FORMATS[format], columns or {}, notes):
        try:
            if isinstance(problem, str):
                raise RowError(problem)
            problem = problem if kind is None else replace(problem, kind=kind)
            _check(problem, seen_ids, needs_answer)
        except RowError as error:
            reason = f"{where}: {error}"
            if on_error == "raise":
                hint = f" ({skip_setting}=skip passes over such lines)" if skip_setting is not None else ""
                raise InputError(reason + hint) from None
            skipped.append(reason)
            continue
        prompt = normalised_prompt(problem)
        if problem.answer is not None:
            first, answer = answers.setdefault(prompt, (where, problem.answer))
            if not _is_same(answer, problem.answer):
                notes.contradiction(first, where)
                continue
        seen_ids.add(problem.id)
        key = prompt + (f"\0{problem.demonstration}" if problem.demonstration is not None else "")
        if key in seen:
            duplicates += 1
            continue
        seen.add(key)
        problems.append(problem)
        if len(problems) == limit:
            break
    if not problems:
        named = source if isinstance(source, str | Path) else "rows"
        raise InputError(f"{named}: no problem in it" + (f"; the first reason: {skipped[0]}" if skipped else ""))
    notes.tell(on_warning)
    return LoadedProblems(problems, skipped, duplicates, notes.all)


class Notes:
    """What should be said of a source, each kind once for a file, with the line of the first."""

    def __init__(self, source: str | Path | None) -> None:
        self._said: dict[tuple[str, str], str] = {}
        self._remarks = remarks(source) if source is not None else []
        self._contradictions: list[tuple[str, str]] = []

    def add(self, file: str, where: str, words: Iterable[str]) -> None:
        for note in filter(None, words):
            self._said.setdefault((file, note.partition(" = ")[0]), f"{where}: {note}")

    def contradiction(self, first: str, other: str) -> None:
        self._contradictions.append((first, other))

    @property
    def all(self) -> list[str]:
        found = [*self._remarks, *self._said.values()]
        if self._contradictions:
            pairs = "; ".join(f"{first} and {other}" for first, other in self._contradictions[:3])
            more = f" and {len(self._contradictions) - 3} more" if len(self._contradictions) > 3 else ""
            found.append(
                f"contradictions ({len(self._contradictions)}): the same prompt with another answer ({pairs}{more}); "
                "the first answer is kept, the others are left out"
            )
        return found

    def tell(self, on_warning: Callable[[str], None] | None) -> None:
        for note in self.all:
            if on_warning is not None:
                on_warning(note)
            else:
                warnings.warn(note, UserWarning, stacklevel=3)


def _is_same(one: str, other: str) -> bool:
    """Whether two answers are the same as written, but for blanks, case, dollar signs and the form of a number."""
    one, other = ("".join(text.split()).strip("$").casefold() for text in (one, other))
    try:
        return one == other or Decimal(one) == Decimal(other)
    except InvalidOperation:
        return False


def locate(source: Source, name: str | Path | None = None) -> Iterator[tuple[str, str, Path, str, Row | str]]:
    """File, place in words, folder, id by default, and the row or why it is none, of every row of a source.

    Args:
        name: of rows that are no file, for messages and ids.
    """
    if isinstance(source, str | os.PathLike):
        for file, stem in list_files(os.fspath(source)):
            for index, (number, row) in enumerate(read_rows(file)):
                yield file, f"{file}, line {number}", Path(file).parent, f"{stem}/{index}", row
        return
    if isinstance(source, Mapping):
        splits = ", ".join(map(str, source))
        raise InputError(f"rows: found a mapping with {splits}; expected one list of rows, such as one of these splits")
    name = "rows" if name is None else str(name)
    for index, row in enumerate(source):
        given = {key: _as_list(value) for key, value in row.items()} if isinstance(row, Mapping) else None
        reason = f"expected a dictionary, found {type(row).__name__}"
        yield name, f"{name}, line {index + 1}", Path(), f"{name}/{index}", reason if given is None else given


def _as_list(value: Any) -> Any:
    """An array (as pandas and numpy give) as a list or number; nothing for what they write for nothing."""
    if isinstance(value, float) and value != value:
        return None
    return value.tolist() if hasattr(value, "tolist") else value


def _converted(
    source: Source, stated: Format | None, columns: Mapping[str, str], notes: Notes
) -> Iterator[tuple[str, Problem | str]]:
    """Where each row stands, and the problem that it is or why it is none; every file in its own format."""
    forms: dict[str, Format] = {}
    named: set[str] = set()
    for file, where, folder, default_id, row in locate(source):
        try:
            if isinstance(row, str):
                raise RowError(row)
            refuse_parts(row)
            row = usual(mapped(row, columns))
            form = forms.get(file) or stated or (FORMATS["generic"] if columns else detect(row))
            forms[file] = form
            for part in by_language(row) if form.by_language else (row,):
                problem, found = form.convert(part, default_id)
                if problem.id in named and may_repeat(row):
                    problem = replace(problem, id=default_id)
                named.add(problem.id)
                notes.add(file, where, found)
                yield where, with_images(problem, row, folder)
        except RowError as error:
            yield where, str(error)


def with_images(problem: Problem, row: Row, folder: Path) -> Problem:
    """The problem with the pictures that its row names, at its last user message or where its messages have them.

    Args:
        folder: what relative paths are relative to.

    Raises:
        RowError: one cannot be used, or the text has another number of marks `<image>`.
    """
    entries = json_value(row.get("images"))
    listed = entries if isinstance(entries, list | tuple) else [entries] if entries is not None else []
    last = max((k for k, message in enumerate(problem.messages) if message["role"] == "user"), default=0)
    messages = list(problem.messages)
    for k, message in enumerate(messages):
        found = [*(message.get("images") or ()), *(listed if k == last else ())]
        if not found:
            continue
        try:
            images = [read_image(entry, folder) for entry in found]
        except ImageError as error:
            raise RowError(f"images: {error}") from None
        marks = message["content"].count(IMAGE_MARK)
        if marks not in (0, len(images)):
            raise RowError(f"the text has {marks} marks {IMAGE_MARK} for {len(images)} images; expected one each, or none")
        messages[k] = {**message, "images": images}
    return replace(problem, messages=tuple(messages)) if messages != list(problem.messages) else problem


def normalised_prompt(problem: Problem) -> str:
    """The conversation's text by which two problems are the same: NFKC, one kind of blank, one case; and its pictures' bytes."""
    text = "\n".join(f"{m['role']}: {m['content']}" for m in problem.messages)
    return " ".join([*unicodedata.normalize("NFKC", text).casefold().split(), *(i["sha256"] for i in problem.images)])


def split(problems: Sequence[Problem], holdout: float, seed: int = 0) -> tuple[list[Problem], list[Problem]]:
    """Training and held-out problems; which side one falls on depends on the seed and its text alone.

    What was made from one request (tag `original`: translations, attacks) stays together.
    """
    train: list[Problem] = []
    held_out: list[Problem] = []
    for problem in problems:
        name = str(problem.tags.get("original") or normalised_prompt(problem))
        digest = hashlib.sha256(f"{seed}\n{name}".encode()).digest()
        place = int.from_bytes(digest[:8], "big") / 2**64
        (held_out if place < holdout else train).append(problem)
    return train, held_out


@dataclass(frozen=True)
class Overlap:
    """Evaluation problems that share n words in a row with a training problem."""

    num_evaluation: int
    num_overlapping: int
    examples: list[tuple[str, str, str]]
    """(evaluation id, training id, the shared words)."""


_GRAM = 8


def overlap(train: Sequence[Problem], evaluation: Sequence[Problem]) -> Overlap:
    """How many evaluation prompts share 8 words in a row with a training prompt, with three examples.

    A shorter prompt counts as one gram. A Han, kana or Hangul character is a word. Prompts with different pictures
    share nothing.
    """
    where: dict[str, list[int]] = {}
    for k, problem in enumerate(evaluation):
        for gram in _grams(problem):
            where.setdefault(gram, []).append(k)
    found: dict[int, tuple[str, str]] = {}
    for problem in train:
        for gram in _grams(problem):
            for k in where.pop(gram, ()):
                found.setdefault(k, (problem.id, gram))
    examples = [(evaluation[k].id, *found[k]) for k in sorted(found)[:3]]
    return Overlap(len(evaluation), len(found), examples)


def _grams(problem: Problem) -> Iterator[str]:
    words = _WORD.findall(unicodedata.normalize("NFKC", problem.prompt).casefold())
    pictures = [image["sha256"] for image in problem.images]
    for start in range(max(1, len(words) - _GRAM + 1) if words else 0):
        yield " ".join([*pictures, *words[start : start + _GRAM]])


_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")


def _check(problem: Problem, seen_ids: set[str], needs_answer: bool) -> None:
    if problem.id in seen_ids:
        raise RowError(f"the id {shown(problem.id)} is not unique")
    if not problem.prompt.strip():
        raise RowError("the prompt is empty")
    if needs_answer and problem.answer is None and problem.kind == "reasoning":
        raise RowError("no reference answer")
    if any("\ud800" <= c <= "\udfff" for c in problem.prompt + (problem.answer or "")):
        raise RowError("half a surrogate pair (\\ud800 to \\udfff), which no encoding can store")

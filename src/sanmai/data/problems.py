"""Problem sets: files in, checked; split, de-duplicated, and compared for overlap.

Formats, detected from the columns of the first row, or stated:

| format | columns |
|---|---|
| gsm8k | question, answer: worked text that ends in `#### N` |
| math | problem, answer (LaTeX); solution, subject, level, unique_id if there |
| mgsm | question, answer: the bare number; language, solution if there |
| choices | question, choices (or options): a list of texts, answer: the right one's number from 0, or its letter |
| svamp | Body, Question, Answer (145.0 is read as "145") |
| star1 | question, response: a demonstration of kind "safety"; id, category, source if there |
| goals | goal: a prompt of kind "safety", such as AdvBench's |
| xstest | prompt, type, label: "safe" is of kind "general", "unsafe" of kind "safety"; id if there |
| harmbench | Behavior, SemanticCategory: kind "safety"; BehaviorID, FunctionalCategory, ContextString if there |
| strongreject | forbidden_prompt, category: kind "safety"; source if there |
| multijail | one column per language (en, zh, ...) and source: a problem of kind "safety" per language; id, tags if there |
| generic | prompt, or messages (which may end with the demonstration); answer, id, verifier, kind, language, solution, tags |

A row of any format may have `images`: the path of a picture, relative to the file, or a list of them (data/images.py). They
belong to the last user message: each takes the place of an `<image>` in its text, in order; where there is none they stand
before it. A message of a conversation may have `images` of its own instead.

In a generic file any other column that holds a number, a bool or a short text becomes a tag. A folder is read file by file,
each in its own format; written demonstrations (.md, .txt) are described in data/files.py.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import string
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from sanmai.config import Config
from sanmai.data.files import Row, list_files, read_rows
from sanmai.data.images import ImageError, read_image
from sanmai.types import IMAGE_MARK, InputError, Message, Problem

Format = Literal[
    "auto", "gsm8k", "math", "mgsm", "choices", "svamp", "star1", "goals", "xstest", "harmbench", "strongreject", "multijail",
    "generic",
]  # fmt: skip
OnError = Literal["raise", "skip"]
Kind = Literal["reasoning", "general", "safety"]


class ProblemsConfig(Config):
    source: str | tuple[str, ...] = "world"
    """"world" (the embedded one), a .jsonl, .csv or .parquet file, a folder of files, a run folder of `sanmai sample`, or
    hub:NAME[:CONFIG][:SPLIT]; a list of these is read one after the other."""
    evaluation: str | None = None
    """The held-out problems, in the same notation; without it `holdout` is split off the source."""
    format: Format = "auto"
    """Which columns mean what; see data/problems.py. "auto" looks at the first row."""
    kind: Kind | None = None
    """Take every problem of the files for one of this kind, whatever its row says; None: as the rows say."""
    on_error: OnError = "raise"
    """At a malformed line: stop and name it, or skip and count it."""
    holdout: float = Field(0.1, gt=0, lt=1)
    """Share of the problems held out when there is no evaluation source."""
    limit: int | None = Field(None, ge=1)
    """Use only so many problems, from the start; None for all."""

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if self.kind is not None and self.source == "world" and self.evaluation in (None, "world"):
            raise ValueError("kind without a file: the embedded world's problems have theirs")
        return self


@dataclass(frozen=True)
class LoadedProblems:
    problems: list[Problem]
    skipped: list[str] = field(default_factory=list)
    """One "file, line N: reason" per malformed line that was passed over."""
    duplicates: int = 0
    """Problems left out because an earlier one has the same prompt and the same demonstration, or none."""


def load_problems(
    source: str | Path,
    *,
    format: Format = "auto",
    on_error: OnError = "raise",
    needs_answer: bool = True,
    limit: int | None = None,
    kind: Kind | None = None,
    skip_setting: str | None = "problems.on_error",
) -> LoadedProblems:
    """The problems of a file, a folder of files or a hub data set, without duplicates.

    Args:
        needs_answer: a problem without a reference answer is malformed; False for demonstrations, and for rewards
            that read no answer.
        limit: stop after so many problems.
        kind: of every problem, whatever its row says.
        skip_setting: what the caller's user sets to "skip" to pass over malformed lines, for the message; None: there is none.

    Raises:
        InputError: the source cannot be read, a line is malformed (on_error="raise"), or no problem is left. No message quotes
            a text of the source: it may ask for something harmful.
    """
    problems: list[Problem] = []
    skipped: list[str] = []
    duplicates = 0
    seen_ids: set[str] = set()
    seen: set[str] = set()
    for where, problem in _converted(source, None if format == "auto" else _FORMATS[format]):
        try:
            if isinstance(problem, str):
                raise _RowError(problem)
            problem = problem if kind is None else replace(problem, kind=kind)
            _check(problem, seen_ids, needs_answer)
        except _RowError as error:
            reason = f"{where}: {error}"
            if on_error == "raise":
                hint = f" ({skip_setting}=skip passes over such lines)" if skip_setting is not None else ""
                raise InputError(reason + hint) from None
            skipped.append(reason)
            continue
        seen_ids.add(problem.id)
        key = normalised_prompt(problem) + (f"\0{problem.demonstration}" if problem.demonstration is not None else "")
        if key in seen:
            duplicates += 1
            continue
        seen.add(key)
        problems.append(problem)
        if len(problems) == limit:
            break
    if not problems:
        raise InputError(f"{source}: no problem in it" + (f"; the first reason: {skipped[0]}" if skipped else ""))
    return LoadedProblems(problems, skipped, duplicates)


def _converted(source: str | Path, stated: Callable[[Row, str], Problem] | None) -> Iterator[tuple[str, Problem | str]]:
    """Where each row stands, and the problem that it is or why it is none; every file in its own format."""
    for file, stem in list_files(source):
        convert = stated
        for index, (number, row) in enumerate(read_rows(file)):
            where = f"{file}, line {number}"
            try:
                if isinstance(row, str):
                    raise _RowError(row)
                convert = convert or _detect(row)
                if convert in (_gsm8k, _mgsm, _math) and _options(row) is not None:
                    raise _RowError("it has choices, which this format leaves out; see format choices")
                for part in _by_language(row) if convert is _multijail else (row,):
                    yield where, with_images(convert(part, f"{stem}/{index}"), row, Path(file).parent)
            except _RowError as error:
                yield where, str(error)


def with_images(problem: Problem, row: Row, folder: Path) -> Problem:
    """The problem with the pictures that its row names, at its last user message or where its messages have them.

    Args:
        folder: what relative paths are relative to.

    Raises:
        _RowError: one cannot be used, or the text has another number of marks `<image>`.
    """
    entries = _json_object(row.get("images"))
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
            raise _RowError(f"images: {error}") from None
        marks = message["content"].count(IMAGE_MARK)
        if marks not in (0, len(images)):
            raise _RowError(f"the text has {marks} marks {IMAGE_MARK} for {len(images)} images; expected one each, or none")
        messages[k] = {"role": message["role"], "content": message["content"], "images": images}
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


def overlap(train: Sequence[Problem], evaluation: Sequence[Problem], n: int = 8, num_examples: int = 3) -> Overlap:
    """How many evaluation prompts share an n-gram of words with a training prompt, with examples.

    A prompt shorter than n words counts as one gram. A Han, kana or Hangul character is a word. Prompts with different pictures
    share nothing.
    """
    where: dict[str, list[int]] = {}
    for k, problem in enumerate(evaluation):
        for gram in _grams(problem, n):
            where.setdefault(gram, []).append(k)
    found: dict[int, tuple[str, str]] = {}
    for problem in train:
        for gram in _grams(problem, n):
            for k in where.pop(gram, ()):
                found.setdefault(k, (problem.id, gram))
    examples = [(evaluation[k].id, *found[k]) for k in sorted(found)[:num_examples]]
    return Overlap(len(evaluation), len(found), examples)


def _grams(problem: Problem, n: int) -> Iterator[str]:
    words = _WORD.findall(unicodedata.normalize("NFKC", problem.prompt).casefold())
    pictures = [image["sha256"] for image in problem.images]
    for start in range(max(1, len(words) - n + 1) if words else 0):
        yield " ".join([*pictures, *words[start : start + n]])


_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")


class _RowError(Exception):
    """Why a row is no problem."""


def _shown(value: Any) -> str:
    """A value for a message: as it is where it looks like a name or a number, else its type and length."""
    if isinstance(value, str):
        return (
            repr(value) if re.fullmatch(r"[\w./:-]{1,40}", value, re.ASCII) else f"a text of {len(value):,} characters"
        )
    is_number = isinstance(value, bool | int | float) and len(str(value)) <= 40
    return str(value) if is_number else f"a value of type {type(value).__name__}"


def _check(problem: Problem, seen_ids: set[str], needs_answer: bool) -> None:
    if problem.id in seen_ids:
        raise _RowError(f"the id {_shown(problem.id)} is not unique")
    if not problem.prompt.strip():
        raise _RowError("the prompt is empty")
    if needs_answer and problem.answer is None and problem.kind == "reasoning":
        raise _RowError("no reference answer")
    if any("\ud800" <= c <= "\udfff" for c in problem.prompt + (problem.answer or "")):
        raise _RowError("half a surrogate pair (\\ud800 to \\udfff), which no encoding can store")


def _detect(row: Row) -> Callable[[Row, str], Problem]:
    columns = set(row)
    if {"prompt", "type"} <= columns and row.get("label") in ("safe", "unsafe"):
        return _xstest
    if columns & {"prompt", "messages"}:
        return _generic
    if {"Behavior", "SemanticCategory"} <= columns:
        return _harmbench
    if {"forbidden_prompt", "category"} <= columns:
        return _strongreject
    if {"source", "en"} <= columns and len(_languages_of(row)) > 1:
        return _multijail
    if {"Body", "Question", "Answer"} <= columns:
        return _svamp
    if {"problem", "answer"} <= columns:
        return _math
    if {"question", "answer"} <= columns:
        if _options(row) is not None:
            return _choices
        return _gsm8k if "####" in str(row["answer"]) else _mgsm
    if {"question", "response"} <= columns:
        return _star1
    if "goal" in columns:
        return _goal
    # Of a file without a header the first row stands where the names should be.
    named = sorted(name for name in map(str, columns) if re.fullmatch(r"[\w-]{1,30}", name, re.ASCII))
    others = [f"{len(columns) - len(named)} whose names are no single words"] if len(named) < len(columns) else []
    raise _RowError(
        f"columns {', '.join([*named, *others])} fit no known format (is there a header?); expected prompt or messages "
        "(generic), question and answer (gsm8k, mgsm; choices, where it has some), problem and answer (math), Body, Question and "
        "Answer (svamp), question and response (star1), goal (goals), prompt, type and label (xstest), Behavior and "
        "SemanticCategory (harmbench), forbidden_prompt and category (strongreject), or source and one column per language "
        "(multijail)"
    )


def _gsm8k(row: Row, default_id: str) -> Problem:
    worked, marker, answer = _text(row, "answer").rpartition("####")
    if not marker or not answer.strip():
        raise _RowError("the answer has no final `#### N`")
    solution = re.sub(r"<<[^<>]*>>", "", worked).strip()
    return _problem(default_id, _text(row, "question"), _reference(answer), language="en", solution=solution or None)


def _mgsm(row: Row, default_id: str) -> Problem:
    return _problem(
        default_id, _text(row, "question"), _reference(_value(row, "answer")),
        language=_optional(row, "language"), solution=_optional(row, "solution"),
    )  # fmt: skip


def _options(row: Row) -> Any:
    """What a question with options has to choose from; None where it has none."""
    found = [_json_object(row[name]) for name in ("choices", "options") if row.get(name) is not None]
    return next((options for options in found if isinstance(options, list | dict)), None)


def _choices(row: Row, default_id: str) -> Problem:
    """The question with its options below it, each after its letter; the answer is a letter."""
    options, answer = _options(row), _reference(_value(row, "answer"))
    if not isinstance(options, list) or not all(isinstance(option, str) and option.strip() for option in options):
        raise _RowError("choices: expected a list of texts")
    letters = string.ascii_uppercase[: len(options)]
    if len(letters) < 2 or len(letters) < len(options):
        raise _RowError(f"choices: {len(options)} of them; expected 2 to 26")
    named = dict(zip(letters, letters, strict=True)) | {str(number): letter for number, letter in enumerate(letters)}
    letter = named.get(answer.upper())
    if letter is None:
        raise _RowError(f"answer = {_shown(answer)}: expected 0 to {len(letters) - 1}, or A to {letters[-1]}")
    listed = "\n".join(f"{name}. {option.strip()}" for name, option in zip(letters, options, strict=True))
    prompt = f"{_text(row, 'question').strip()}\n\n{listed}\n\nGive the letter of the right answer."
    return _problem(
        default_id if row.get("id") is None else str(row["id"]), prompt, letter,
        language=_optional(row, "language"), solution=_optional(row, "solution"),
        tags=_tags_of(row, subject="subject", type="type"),
    )  # fmt: skip


def _math(row: Row, default_id: str) -> Problem:
    tags = {key: row[key] for key in ("subject", "level") if isinstance(row.get(key), str | int)}
    return _problem(
        _optional(row, "unique_id") or default_id, _text(row, "problem"), _reference(_value(row, "answer")),
        language="en", solution=_optional(row, "solution"), tags=tags,
    )  # fmt: skip


def _svamp(row: Row, default_id: str) -> Problem:
    body = _text(row, "Body").strip()
    question = f"{body}{'' if body.endswith(('.', '?', '!', ',')) else '.'} {_text(row, 'Question').strip()}"
    tags = {"type": row["Type"]} if isinstance(row.get("Type"), str) else {}
    return _problem(
        _optional(row, "ID") or default_id, question, _reference(_value(row, "Answer")), language="en", tags=tags
    )


def _star1(row: Row, default_id: str) -> Problem:
    categories = row.get("category")
    tags = {"category": categories[0]} if isinstance(categories, list) and categories and _is_tag(categories[0]) else {}
    if _is_tag(row.get("source")):
        tags["source"] = row["source"]
    return Problem(
        default_id if row.get("id") is None else str(row["id"]),
        ({"role": "user", "content": _text(row, "question")},),
        kind="safety", demonstration=_text(row, "response"), tags=tags,
    )  # fmt: skip


def _goal(row: Row, default_id: str) -> Problem:
    return Problem(default_id, ({"role": "user", "content": _text(row, "goal")},), kind="safety")


def _xstest(row: Row, default_id: str) -> Problem:
    label = _text(row, "label")
    if label not in ("safe", "unsafe"):
        raise _RowError(f"label = {_shown(label)}: expected safe or unsafe")
    identity = default_id if row.get("id") in (None, "") else f"xstest/{row['id']}"
    prompt: Message = {"role": "user", "content": _text(row, "prompt")}
    kind: Kind = "general" if label == "safe" else "safety"
    return Problem(identity, (prompt,), kind=kind, language="en", tags=_tags_of(row, type="type"))


def _harmbench(row: Row, default_id: str) -> Problem:
    behaviour, context = _text(row, "Behavior"), _optional(row, "ContextString")
    # The set's own order for behaviours that need a context.
    text = f"{context}\n\n---\n\n{behaviour}" if context else behaviour
    name = _optional(row, "BehaviorID")
    tags = _tags_of(row, category="SemanticCategory", type="FunctionalCategory")
    return _dangerous(f"harmbench/{name}" if name else default_id, text, "en", tags)


def _strongreject(row: Row, default_id: str) -> Problem:
    return _dangerous(
        default_id, _text(row, "forbidden_prompt"), "en", _tags_of(row, category="category", source="source")
    )


def _multijail(row: Row, default_id: str) -> Problem:
    """The request in the first of the row's languages. Translations of one request share the tag `original`."""
    language = next(iter(_languages_of(row)), None)
    if language is None:
        raise _RowError("no column of a language has a text")
    request = default_id if row.get("id") in (None, "") else f"multijail/{row['id']}"
    category = re.search(r"""['"](.+?)['"]""", str(row.get("tags") or ""))
    tags = {**_tags_of(row, source="source"), "original": request}
    if category is not None and _is_tag(category[1]):
        tags["category"] = category[1]
    return _dangerous(f"{request}/{language}", _text(row, language), language, tags)


def _by_language(row: Row) -> list[Row]:
    """A row of many languages as rows of one language each; as it is where it has none."""
    languages = _languages_of(row)
    shared = {key: value for key, value in row.items() if key not in languages}
    return [{**shared, language: text} for language, text in languages.items()] or [row]


def _languages_of(row: Row) -> dict[str, Any]:
    """The columns that are named like a language (ISO 639-1) and hold something, in order."""
    return {key: value for key, value in row.items() if key != "id" and re.fullmatch("[a-z]{2}", str(key)) and value}


def _dangerous(identity: str, text: str, language: str, tags: dict[str, Any]) -> Problem:
    return Problem(identity, ({"role": "user", "content": text},), kind="safety", language=language, tags=tags)


def _tags_of(row: Row, **columns: str) -> dict[str, Any]:
    """Tags by their names, from the columns that hold a short text or a number."""
    return {name: row[column] for name, column in columns.items() if _is_tag(row.get(column)) and row[column] != ""}


def _generic(row: Row, default_id: str) -> Problem:
    messages, demonstration = _messages(row)
    shown = "\n".join(message["content"] for message in messages)
    options = _options(row)
    if isinstance(options, list) and any(isinstance(option, str) and option not in shown for option in options):
        raise _RowError("choices: the prompt does not show them; expected one that does, or the column question (choices)")
    tags = {key: value for key, value in row.items() if key not in _GENERIC and _is_tag(value)}
    stated = _json_object(row.get("tags") or {})
    if not isinstance(stated, dict) or not all(isinstance(v, str | int | float | bool) for v in stated.values()):
        held = stated.values() if isinstance(stated, dict) else [stated]
        types = ", ".join(sorted({type(value).__name__ for value in held}))
        raise _RowError(f"tags: expected an object of texts, numbers and bools, found {types}")
    tags |= stated
    answer = None if row.get("answer") is None else _reference(row["answer"])
    verifier = _optional(row, "verifier") or "math"
    identity = str(row["id"]) if row.get("id") is not None else default_id
    language, solution = _optional(row, "language"), _optional(row, "solution")
    kind: Any = _optional(row, "kind") or "reasoning"
    if kind not in ("reasoning", "general", "safety"):
        raise _RowError(f"kind = {_shown(kind)}: expected reasoning, general or safety")
    return Problem(identity, messages, answer, verifier, kind, language, solution, demonstration, tags)


_GENERIC = {"prompt", "messages", "images", "answer", "id", "verifier", "kind", "language", "solution", "tags"}


def _messages(row: Row) -> tuple[tuple[Message, ...], str | None]:
    """The prompt's messages, and the assistant's last one, if the conversation ends with it."""
    if row.get("messages") is None:
        return ({"role": "user", "content": _text(row, "prompt")},), None
    messages = row["messages"]
    if not isinstance(messages, list) or not messages:
        raise _RowError("messages: expected a non-empty list")
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            raise _RowError('messages: expected objects {"role": ..., "content": text}')
        pictures = message.get("images")
        if pictures and (not isinstance(pictures, list) or message.get("role") != "user"):
            raise _RowError("messages: expected images as a list, in messages of the user alone")
        if message.get("role") not in ("system", "user", "assistant"):
            raise _RowError(f"messages: role {_shown(message.get('role'))}; expected system, user or assistant")
    turns = tuple({key: m[key] for key in ("role", "content", "images") if key != "images" or m.get(key)} for m in messages)
    demonstration = None
    if turns[-1]["role"] == "assistant":
        *rest, last = turns
        turns, demonstration = tuple(rest), last["content"]
    if not turns or turns[-1]["role"] != "user":
        raise _RowError("messages: expected the user's as the last one before the completion")
    return turns, demonstration


def _problem(identity: str, prompt: str, answer: str, **rest: Any) -> Problem:
    return Problem(identity, ({"role": "user", "content": prompt},), answer, **rest)


def _value(row: Row, key: str) -> Any:
    if row.get(key) is None:
        raise _RowError(f"no {key!r}")
    return row[key]


def _text(row: Row, key: str) -> str:
    value = _value(row, key)
    if not isinstance(value, str):
        raise _RowError(f"{key}: expected text, found {type(value).__name__}")
    return value


def _optional(row: Row, key: str) -> str | None:
    return None if row.get(key) is None else _text(row, key)


def _json_object(value: Any) -> Any:
    """What stands as JSON text in a column whose rows hold different keys; anything else, and text that is none, as it is."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _is_tag(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 64)


def _reference(value: Any) -> str:
    """The reference answer as text; numbers are written out exactly: 145.0 is "145", 1e-7 is "0.0000001"."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise _RowError(f"answer: expected text or a number, found {type(value).__name__}")
    if isinstance(value, float) and not math.isfinite(value):
        raise _RowError(f"answer = {value}: expected a finite number")
    if isinstance(value, float | Decimal):
        text = format(Decimal(repr(value)) if isinstance(value, float) else value, "f")
        value = text.rstrip("0").rstrip(".") if "." in text else text
    text = str(value).strip()
    if not text or re.fullmatch(r"[+-]?(nan|inf|infinity|none|null)", text, re.IGNORECASE):
        raise _RowError(f"answer = {text!r}: expected a reference answer")
    return text


_FORMATS: dict[str, Callable[[Row, str], Problem]] = {
    "gsm8k": _gsm8k, "math": _math, "mgsm": _mgsm, "choices": _choices, "svamp": _svamp, "star1": _star1, "goals": _goal,
    "xstest": _xstest, "harmbench": _harmbench, "strongreject": _strongreject, "multijail": _multijail, "generic": _generic,
}  # fmt: skip

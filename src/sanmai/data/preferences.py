"""Preference files: pairs of responses, responses with a label of safety or correctness, and RM-Bench; files in, checked.

| what | columns |
|---|---|
| pairs | prompt (text or messages) or messages; chosen, rejected; id, language, margin, tags if there |
| labels | prompt or messages; response; label (safe, unsafe, 1 for safe, 0) or is_safe; id, language, tags if there |
| answers | prompt (or question) or messages; reference (or answer); response; label (correct, wrong, 1 for correct, 0) or
  is_correct; id, language, tags if there |
| RM-Bench | prompt; chosen and rejected: three texts each, in rising style; id if there |

`chosen` and `rejected` are texts, or message lists that end with the assistant's and may begin with the prompt
(UltraFeedback, TRL), or transcripts `\\n\\nHuman: ...\\n\\nAssistant: ...` (hh-rlhf). Any other column that holds a number, a
bool or a short text becomes a tag.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Generic, TypeVar

from sanmai.data.files import Row, list_files, read_rows
from sanmai.data.problems import OnError, _is_tag, _messages, _optional, _RowError, _text, _value
from sanmai.types import InputError, Message

Tags = Mapping[str, str | int | float | bool]
Messages = tuple[Message, ...]
STYLES = ("concise", "detailed plain", "detailed markdown")
"""Of RM-Bench's three responses, in order."""


@dataclass(frozen=True)
class Pair:
    """A prompt with two responses, one preferred.

    Example:
        Pair("a/0", ({"role": "user", "content": "2+3?"},), chosen="5", rejected="6")
    """

    id: str
    messages: Messages
    """The prompt; the last message is the user's."""
    chosen: str
    rejected: str
    language: str | None = None
    margin: float = 0.0
    """By how much (logits) the chosen score should be ahead at least."""
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True)
class LabelledResponse:
    """A prompt with one response, which is safe or not."""

    id: str
    messages: Messages
    response: str
    is_safe: bool
    language: str | None = None
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True)
class LabelledAnswer:
    """A question with its reference answer, and one response, whose final answer is that one or not.

    Example:
        LabelledAnswer("a/0", ({"role": "user", "content": "2+3?"},), reference="5", response="It is 6.", is_correct=False)
    """

    id: str
    messages: Messages
    """The question, without the reference."""
    reference: str
    response: str
    is_correct: bool
    language: str | None = None
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True)
class StyledPair:
    """A prompt with a right and a wrong response, each told in three styles (STYLES)."""

    id: str
    messages: Messages
    chosen: tuple[str, ...]
    rejected: tuple[str, ...]
    tags: Tags = field(default_factory=dict)


Item = TypeVar("Item", Pair, LabelledResponse, LabelledAnswer, StyledPair)


@dataclass(frozen=True)
class Loaded(Generic[Item]):
    items: list[Item]
    skipped: list[str] = field(default_factory=list)
    """One "file, line N: reason" per malformed line that was passed over."""
    duplicates: int = 0
    """Rows left out because an earlier one says the same."""


def load_pairs(
    source: str | Path, *, rows: Iterable[Row] | None = None, on_error: OnError = "raise", limit: int | None = None
) -> Loaded[Pair]:
    """The pairs of a file or hub data set, without duplicates.

    Args:
        source: a .jsonl, .csv or .parquet file, a folder of such files, or hub:NAME[:CONFIG][:SPLIT].
        rows: the rows themselves; the source then only names them in errors.
        limit: stop after so many pairs.

    Raises:
        InputError: the source cannot be read, a line is malformed (on_error="raise"), or no pair is left.
    """
    return _load(source, rows, _pair, on_error, limit)


def load_labels(
    source: str | Path, *, rows: Iterable[Row] | None = None, on_error: OnError = "raise", limit: int | None = None
) -> Loaded[LabelledResponse]:
    """The labelled responses of a file or hub data set, without duplicates; arguments and errors as in load_pairs."""
    return _load(source, rows, _labelled, on_error, limit)


def load_answers(
    source: str | Path, *, rows: Iterable[Row] | None = None, on_error: OnError = "raise", limit: int | None = None
) -> Loaded[LabelledAnswer]:
    """The answers of a file or hub data set that say whether they are right, without duplicates; else as load_pairs."""
    return _load(source, rows, _answer, on_error, limit)


def stated_correct(row: Row) -> bool | None:
    """What a row says of its response in `label` or `is_correct`; None where it has neither.

    Raises:
        ValueError: another value than correct, wrong, 1 (correct) or 0.
    """
    if row.get("label") is None and row.get("is_correct") is None:
        return None
    try:
        return _flag(row, "is_correct", "correct", "wrong")
    except _RowError as error:
        raise ValueError(str(error)) from None


def load_rm_bench(source: str | Path) -> list[StyledPair]:
    """The rows of a file in RM-Bench's format.

    Raises:
        InputError: as load_pairs.

    Source:
        Liu et al. 2024 (arXiv:2410.16184).
    """
    return _load(source, None, _styled, "raise", None).items


def _load(
    source: str | Path,
    rows: Iterable[Row] | None,
    convert: Callable[[Row, str], Item],
    on_error: OnError,
    limit: int | None,
) -> Loaded[Item]:
    items: list[Item] = []
    skipped: list[str] = []
    seen_ids: set[str] = set()
    seen: set[str] = set()
    duplicates = 0
    for where, default_id, row in _located(source, rows):
        try:
            if isinstance(row, str):
                raise _RowError(row)
            item = convert(row, default_id)
            _check(item, seen_ids)
        except _RowError as error:
            reason = f"{where}: {error}"
            if on_error == "raise":
                raise InputError(f"{reason} (on_error=skip passes over such lines)") from None
            skipped.append(reason)
            continue
        seen_ids.add(item.id)
        key = repr((item.messages, *_responses(item)))
        if key in seen:
            duplicates += 1
            continue
        seen.add(key)
        items.append(item)
        if len(items) == limit:
            break
    if not items:
        raise InputError(f"{source}: nothing in it" + (f"; the first reason: {skipped[0]}" if skipped else ""))
    return Loaded(items, skipped, duplicates)


def _located(source: str | Path, rows: Iterable[Row] | None) -> Iterator[tuple[str, str, Row | str]]:
    """Where each row stands, the id that it has if it states none, and the row or why it cannot be read."""
    if rows is not None:
        for number, row in enumerate(rows, start=1):
            yield f"{source}, line {number}", f"{source}/{number - 1}", row
        return
    for file, stem in list_files(source):
        for index, (number, row) in enumerate(read_rows(file)):
            yield f"{file}, line {number}", f"{stem}/{index}", row


def _responses(item: Pair | LabelledResponse | LabelledAnswer | StyledPair) -> tuple[str, ...]:
    if isinstance(item, LabelledAnswer):
        return item.reference, item.response
    if isinstance(item, LabelledResponse):
        return (item.response,)
    return (item.chosen, item.rejected) if isinstance(item, Pair) else (*item.chosen, *item.rejected)


def _check(item: Pair | LabelledResponse | LabelledAnswer | StyledPair, seen_ids: set[str]) -> None:
    if item.id in seen_ids:
        raise _RowError(f"the id {item.id!r} is not unique")
    if not item.messages[-1]["content"].strip():
        raise _RowError("the prompt is empty")
    texts = (*_responses(item), *(message["content"] for message in item.messages))
    if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
        raise _RowError("half a surrogate pair (\\ud800 to \\udfff), which no encoding can store")
    if isinstance(item, Pair) and item.chosen.strip() == item.rejected.strip():
        raise _RowError("chosen and rejected are the same text: a tie is no pair")


def _pair(row: Row, default_id: str) -> Pair:
    stated = _stated_prompt(row)
    (before_chosen, chosen), (before_rejected, rejected) = (
        _response(row, name, is_transcript=stated is None) for name in ("chosen", "rejected")
    )
    prompts = [prompt for prompt in (stated, before_chosen, before_rejected) if prompt is not None]
    if not prompts:
        raise _RowError("no 'prompt' or 'messages', and chosen and rejected do not begin with one")
    if any(prompt != prompts[0] for prompt in prompts):
        raise _RowError("chosen and rejected do not answer the same prompt")
    margin = row.get("margin") or 0.0
    if isinstance(margin, str):
        margin = _number(margin)
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not math.isfinite(margin) or margin < 0:
        raise _RowError(f"margin = {str(row['margin'])[:40]}: expected a finite number of at least 0")
    tags = _tags(row, {"chosen", "rejected", "margin"})
    return Pair(_id(row, default_id), prompts[0], chosen, rejected, _optional(row, "language"), float(margin), tags)


def _labelled(row: Row, default_id: str) -> LabelledResponse:
    prompt = _required_prompt(row)
    is_safe = _flag(row, "is_safe", "safe", "unsafe")
    tags = _tags(row, {"response", "label", "is_safe"})
    return LabelledResponse(
        _id(row, default_id), prompt, _text(row, "response"), is_safe, _optional(row, "language"), tags
    )


def _answer(row: Row, default_id: str) -> LabelledAnswer:
    named = row if row.get("prompt") is not None or "question" not in row else {**row, "prompt": row["question"]}
    prompt = _required_prompt(named)
    key = "reference" if row.get("reference") is not None or "answer" not in row else "answer"
    value = _value(row, key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    reference = str(value) if is_number else _text(row, key)
    if not reference.strip() or reference in ("nan", "inf", "-inf"):
        raise _RowError(f"{key} = {reference!r}: expected an answer")
    is_correct = _flag(row, "is_correct", "correct", "wrong")
    tags = _tags(row, {"question", "reference", "answer", "response", "label", "is_correct"})
    return LabelledAnswer(
        _id(row, default_id), prompt, reference, _text(row, "response"), is_correct, _optional(row, "language"), tags
    )


def _flag(row: Row, name: str, good: str, bad: str) -> bool:
    """What `label`, or the column `name`, says: one of two words, true or false, 1 (the good one) or 0."""
    key = "label" if row.get("label") is not None else name
    value = _value(row, key) if key in row else _value(row, "label")
    word = (
        str(int(value)) if isinstance(value, bool | int) else value.strip().lower() if isinstance(value, str) else None
    )
    known = {good: True, bad: False, "1": True, "0": False, "true": True, "false": False}
    if word not in known:
        raise _RowError(f"{key} = {str(value)[:40]!r}: expected {good} or {bad}, 1 ({good}) or 0")
    return known[word]


def _styled(row: Row, default_id: str) -> StyledPair:
    for name in ("chosen", "rejected"):
        texts = _value(row, name)
        if not isinstance(texts, list) or len(texts) != len(STYLES) or not all(isinstance(t, str) for t in texts):
            raise _RowError(f"{name}: expected a list of {len(STYLES)} texts, one per style")
    tags = _tags(row, {"chosen", "rejected"})
    return StyledPair(_id(row, default_id), _required_prompt(row), tuple(row["chosen"]), tuple(row["rejected"]), tags)


def _required_prompt(row: Row) -> Messages:
    prompt = _stated_prompt(row)
    if prompt is None:
        raise _RowError("no 'prompt' or 'messages'")
    return prompt


def _stated_prompt(row: Row) -> Messages | None:
    """The prompt in columns of its own; `messages` may go on to a response, as in UltraFeedback."""
    if isinstance(row.get("prompt"), list):
        return _messages({"messages": row["prompt"]})[0]
    if row.get("prompt") is not None:
        return ({"role": "user", "content": _text(row, "prompt")},)
    return _messages(row)[0] if row.get("messages") is not None else None


def _response(row: Row, name: str, *, is_transcript: bool) -> tuple[Messages | None, str]:
    """The prompt that a response begins with, if it does, and the response itself."""
    value = _value(row, name)
    if isinstance(value, list) and value and all(isinstance(text, str) for text in value):
        raise _RowError(f"{name}: a list of texts; a file in RM-Bench's format is for evaluation.rm_bench")
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], dict) and value[0].get("role") == "assistant":
            return None, _text(value[0], "content")
        prompt, response = _messages({"messages": value})
        if response is None:
            raise _RowError(f"{name}: expected the assistant's message as the last one")
        return prompt, response
    text = _text(row, name)
    if not is_transcript or not re.match(r"\s*Human:", text):
        return None, text
    _, *parts = re.split(r"(?:^|\n\n)\s*(Human|Assistant):", text)
    roles = {"Human": "user", "Assistant": "assistant"}
    turns = [{"role": roles[who], "content": said.strip()} for who, said in zip(parts[::2], parts[1::2], strict=True)]
    return _response({name: turns}, name, is_transcript=False)


def _tags(row: Row, own: set[str]) -> Tags:
    reserved = own | {"prompt", "messages", "id", "language", "tags"}
    stated = row.get("tags") or {}
    if not isinstance(stated, dict) or not all(_is_tag(value) for value in stated.values()):
        raise _RowError(f"tags = {str(stated)[:80]!r}: expected an object of short texts, numbers and bools")
    return {key: value for key, value in row.items() if key not in reserved and _is_tag(value)} | stated


def _id(row: Row, default_id: str) -> str:
    return str(row["id"]) if row.get("id") is not None else default_id


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan

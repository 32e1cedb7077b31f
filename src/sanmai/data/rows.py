"""Values of a row: read as what they should be, or refused in a few words that quote no text of the row."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from copy import copy
from decimal import Decimal
from typing import Any

from sanmai.data.files import Row

CONVERSATIONS = ("messages", "conversations", "conversation", "dialogue", "dialog", "chat")
OTHER_CONVERSATIONS = ("contents", "turns", "items")
"""Where they hold one."""
PROMPTS = ("prompt", "question", "problem", "instruction", "query", "input")
SYSTEMS = ("system", "system_prompt", "system_message", "systeminstruction", "system_instruction")
COMPLETIONS = ("completion", "response", "output", "generation", "attempt")
THOUGHTS = (
    "reasoning_content", "reasoning", "thinking", "thought", "thoughts", "think", "cot", "chain_of_thought", "rationale",
    "reasoning_trace", "thinking_trajectory", "thinking_trajectories",
)  # fmt: skip
ANSWERS = (
    "answer", "final_answer", "ground_truth", "expected_answer", "reference_answer", "gold_answer", "correct_answer",
    "reward_model.ground_truth", "target", "gold",
)  # fmt: skip
SOLUTIONS = ("solution", "generated_solution", "worked_solution")
LABELS = (
    "response_harm_label",
    "response_refusal_label",
    "response_label",
    "label",
    "is_safe",
    "is_correct",
    "correct",
    "is_response_safe",
    "is_refusal",
    "final_label",
)
"""A response beside one of these is there to be judged, not to be imitated."""
TELLING = {
    *CONVERSATIONS, *PROMPTS, *SYSTEMS, *COMPLETIONS, *THOUGHTS, *ANSWERS, *SOLUTIONS, "chosen", "rejected", "generations",
    "context", "passage", "tools", "functions", "image", "history", "choices", "options", "input_output",
}  # fmt: skip
"""Columns that hold a part of a problem under some name; one that is not used is named."""


class RowError(Exception):
    """Why a row is no problem."""


class Fields:
    """A row by the usual forms of its columns' names, which remembers what was used of it.

    Example:
        Fields({"Final Answer": "5"}).take(("answer", "final_answer")) == ("final_answer", "5")

    A name with a dot looks inside a column: `reward_model.ground_truth`.
    """

    def __init__(self, row: Row) -> None:
        self.row = row
        self._values = {plain_name(name): value for name, value in row.items()} | {
            k: v for k, v in row.items() if k in TELLING
        }
        self._used: set[str] = set()
        self.notes: list[str] = []
        """What a reader of the file should know, without a place: the same words for the same kind of row."""

    def __contains__(self, name: str) -> bool:
        return not is_nothing(self._at(name))

    def _at(self, name: str) -> Any:
        value = self._values.get(name)
        if value is None and "." in name:
            value = dig(self.row, name)
        return value

    def without(self, names: Iterable[str]) -> Fields:
        """The same without these columns; what is used of either is used of both."""
        other = copy(self)
        other._values = {name: value for name, value in self._values.items() if name not in names}
        return other

    def renamed(self, names: Mapping[str, str]) -> Fields:
        """The same with some columns under other names (old to new); what is used of either is used of both."""
        other = copy(self)
        other.row = {names.get(plain_name(name), name): value for name, value in self.row.items()}
        other._values = {names.get(name, name): value for name, value in self._values.items()}
        return other

    def with_values(self, values: Mapping[str, Any]) -> Fields:
        """The same with more columns, or others in the place of some; what is used of either is used of both."""
        other = copy(self)
        other.row = {**self.row, **values}
        other._values = {**self._values, **values}
        return other

    def look(self, names: Iterable[str]) -> tuple[str, Any]:
        """The first of these columns that holds something, and what; ("", None) where none does. It does not count as used."""
        return next(((name, value) for name in names if not is_nothing(value := self._at(name))), ("", None))

    def take(self, names: Iterable[str]) -> tuple[str, Any]:
        """As `look`; the column counts as used."""
        name, value = self.look(names)
        if name:
            self._used.add(name.partition(".")[0])
        return name, value

    def take_text(self, names: Iterable[str]) -> str | None:
        name, value = self.take(names)
        if name and not isinstance(value, str):
            raise RowError(f"{name}: expected text, found {type(value).__name__}")
        return value

    @property
    def names(self) -> list[str]:
        """Of its columns that hold something, in their order."""
        return [name for name, value in self._values.items() if not is_nothing(value)]

    def left_over(self) -> list[str]:
        """The telling columns that hold something else than what was used, and were not used themselves."""
        names = [name for name in self._values if name in TELLING and name not in self._used and name in self]
        held = {str(self._values[name]).strip() for name in self._used if name in self._values}
        return sorted(name for name in names if str(self._values[name]).strip() not in held)


def plain_name(name: Any) -> str:
    """`Final Answer` as final_answer."""
    return re.sub(r"[\s-]+", "_", str(name).strip()).lower()


def dig(row: Any, path: str) -> Any:
    """What stands at a path such as reward_model.ground_truth, also inside columns of JSON text; None where nothing does."""
    for part in path.split("."):
        row = json_value(row)
        row = row.get(part) if isinstance(row, Mapping) else None
    return row


def is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | tuple | Mapping) and not value)


def shown(value: Any) -> str:
    """A value for a message: as it is where it looks like a name or a number, else its type and length."""
    if isinstance(value, str):
        is_plain = re.fullmatch(r"[\w./:-]{1,40}", value, re.ASCII)
        return repr(value) if is_plain else f"a text of {len(value):,} characters"
    is_number = isinstance(value, bool | int | float) and len(str(value)) <= 40
    return str(value) if is_number else f"a value of type {type(value).__name__}"


def value_of(row: Row, key: str) -> Any:
    if row.get(key) is None:
        raise RowError(f"no {key!r}")
    return row[key]


def text_of(row: Row, key: str) -> str:
    value = value_of(row, key)
    if not isinstance(value, str):
        raise RowError(f"{key}: expected text, found {type(value).__name__}")
    return value


def optional_text(row: Row, key: str) -> str | None:
    return None if row.get(key) is None else text_of(row, key)


def json_value(value: Any) -> Any:
    """What stands as JSON text in a column whose rows hold different keys; anything else, and text that is none, as it is."""
    try:
        return json.loads(value) if isinstance(value, str) and value.lstrip()[:1] in ("[", "{", '"') else value
    except (ValueError, RecursionError):
        return value


def is_tag(value: Any) -> bool:
    return (isinstance(value, bool | int | float) and value == value) or (isinstance(value, str) and len(value) <= 64)


def tags_from(row: Row, **columns: str) -> dict[str, Any]:
    """Tags by their names, from the columns that hold a short text or a number."""
    return {name: row[column] for name, column in columns.items() if is_tag(row.get(column)) and row[column] != ""}


IDS = ("id", "unique_id")
OTHER_IDS = ("uuid", "uid", "problem_id", "question_id", "task_id", "prompt_id", "example_id", "sample_id")
"""Names of a row's id in published files; of several rows of one problem they may be the same."""


def id_of(row: Row, default: str) -> str:
    """What the row states as its id."""
    named = {plain_name(name): value for name, value in row.items()}
    found = (named.get(name) for name in (*IDS, *OTHER_IDS))
    return next(
        (str(value) for value in found if isinstance(value, str | int) and not isinstance(value, bool) and value != ""),
        default,
    )


def may_repeat(row: Row) -> bool:
    """Whether a row's id is one of those that several rows may share."""
    return all(is_nothing(value) for name, value in row.items() if plain_name(name) in IDS)


def reference(value: Any, name: str = "answer") -> str:
    """The reference answer as text; numbers are written out exactly: 145.0 is "145", 1e-7 is "0.0000001"."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise RowError(f"{name}: expected text or a number, found {type(value).__name__}")
    if isinstance(value, float) and not math.isfinite(value):
        raise RowError(f"{name} = {value}: expected a finite number")
    if isinstance(value, float | Decimal):
        text = format(Decimal(repr(value)) if isinstance(value, float) else value, "f")
        value = text.rstrip("0").rstrip(".") if "." in text else text
    text = str(value).strip()
    if not text or re.fullmatch(r"[+-]?(nan|inf|infinity|none|null)", text, re.IGNORECASE):
        raise RowError(f"{name} = {text!r}: expected a reference answer")
    return text


def answer_in(solution: str) -> str | None:
    r"""The final answer of a worked solution: its last \boxed{...}, what follows `####`, or all of a bare value."""
    for match in reversed(list(re.finditer(r"\\(?:boxed|fbox)\s*\{", solution))):
        depth = 1
        for place in range(match.end(), len(solution)):
            depth += {"{": 1, "}": -1}.get(solution[place], 0) if solution[place - 1] != "\\" else 0
            if depth == 0:
                return solution[match.end() : place].strip() or None
    if "####" in solution:
        return solution.rpartition("####")[2].strip() or None
    return re.sub(r"^(\$|\\[(\[])|(\$|\\[)\]])$", "", solution.strip()).strip() if is_bare(solution) else None


def is_bare(solution: str) -> bool:
    """A solution that is the answer alone: one formula, or one number."""
    return bool(re.fullmatch(r"\s*(?:\$[^$]+\$|\\\(.+?\\\)|\\\[.+?\\\]|[-+]?\d[\d,.]*(?:/\d+)?%?)\s*", solution))

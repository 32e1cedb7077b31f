"""Questions with options, as problems whose answer is a letter; the options stand in the prompt, each after its letter."""

from __future__ import annotations

import hashlib
import random
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sanmai.data.files import Row
from sanmai.data.rows import (
    RowError,
    id_of,
    json_value,
    optional_text,
    plain_name,
    reference,
    shown,
    tags_from,
    text_of,
    value_of,
)
from sanmai.types import Problem

ASK = "Give the letter of the right answer."


def options_of(row: Row) -> Any:
    """What a question with options has to choose from; None where it has none."""
    found = [json_value(row[name]) for name in ("choices", "options") if row.get(name) is not None]
    return next((options for options in found if isinstance(options, list | dict)), None)


def shown_options(question: str, options: Sequence[str]) -> str:
    listed = "\n".join(
        f"{name}. {option.strip()}" for name, option in zip(string.ascii_uppercase, options, strict=False)
    )
    return f"{question.strip()}\n\n{listed}\n\n{ASK}"


_LETTERS = string.ascii_uppercase
_COLUMNS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (tuple("abcde"), tuple(_LETTERS)),  # MMLU as CSV, MMMLU
    (tuple(f"option_{x}" for x in "abcde"), tuple(_LETTERS)),
    (tuple(f"op{x}" for x in "abcde"), tuple("01234")),  # MedMCQA
    (tuple(f"option{k}" for k in range(1, 6)), tuple("12345")),  # WinoGrande
    (tuple(f"sol{k}" for k in range(1, 3)), tuple("01")),  # PIQA
    (tuple(f"ans{k}" for k in range(3)), tuple("012")),  # BBQ
    (tuple(f"answer{x}" for x in "abc"), tuple("123")),  # Social IQa
    (tuple(f"ending{k}" for k in range(4)), tuple("0123")),  # SWAG
)
"""Options in columns of their own, each set with the names that the answer gives them."""
_ASKS = ("question", "question_stem", "query", "sentence", "goal")
_PASSAGES = ("context", "passage", "article", "ctx")
_KEYS = ("answer", "answerkey", "answer_idx", "answer_index", "correct_option", "correct_answer", "correct", "label", "cop",
         "gold", "target")  # fmt: skip


def as_choices(row: Row) -> Row | None:
    """The row with `question`, `choices` and `answer`, wherever it has them; None without options or an answer to them."""
    named = {plain_name(name): value for name, value in row.items()}
    listed, names = _options(named)
    asked = next((named[name] for name in _ASKS if isinstance(named.get(name), str) and named[name].strip()), None)
    passage = next(
        (named[name] for name in _PASSAGES if isinstance(named.get(name), str) and named[name].strip()), None
    )
    if asked is None and "ctx" in named:
        asked, passage = passage, None
    if not listed or asked is None or all(option in asked for option in listed):
        return None
    question = f"{passage.strip()}\n\n{asked.strip()}" if passage and passage.strip() not in asked else asked
    others = {
        name: value
        for name, value in row.items()
        if plain_name(name) in ("id", "language", "solution", "subject", "type")
    }
    if isinstance(names, str):  # the right one in words
        order = list(dict.fromkeys(listed))
        random.Random(hashlib.sha256(question.encode()).digest()).shuffle(order)
        return {**others, "question": question, "choices": order, "answer": _LETTERS[order.index(names)]}
    key = next((named[name] for name in _KEYS if named.get(name) not in (None, "")), None)
    if key is None:
        return None
    known = {name.upper(): k for k, name in enumerate(names[: len(listed)])}
    place = known.get(str(key).strip().strip("().").upper())
    if place is None:
        place = known.get(_LETTERS[listed.index(key)]) if key in listed and names[0] == "A" else None
    if place is None:
        raise RowError(f"answer = {shown(key)}: expected {names[0]} to {names[len(listed) - 1]}")
    return {**others, "question": question, "choices": listed, "answer": place}


def _options(named: Row) -> tuple[list[str], Sequence[str]]:
    """The options, and what each is called; or, for one that is told by its text, that text."""
    distractors = [named[name] for name in sorted(named) if re.fullmatch(r"(?:distractor|incorrect_answer)_?\d", name)]
    right = named.get("correct_answer")
    if distractors and isinstance(right, str) and all(isinstance(text, str) and text.strip() for text in distractors):
        return [right.strip(), *(text.strip() for text in distractors)], right.strip()
    for columns, names in _COLUMNS:
        found = [named.get(name) for name in columns]
        texts = [str(value) for value in found if isinstance(value, str | int | float) and str(value).strip()]
        if len(texts) > 1 and found[: len(texts)] == [value for value in found if value not in (None, "")]:
            return texts, names
    for name in ("endings", "answers", "options", "choices"):
        value = json_value(named.get(name))
        if isinstance(value, list) and len(value) > 1 and all(isinstance(text, str) and text.strip() for text in value):
            marked = [re.fullmatch(r"\(?([A-Z])[).:]\s*(.+)", text.strip(), re.DOTALL) for text in value]
            if all(marked) and [match[1] for match in marked if match] == list(_LETTERS[: len(value)]):
                return [match[2] for match in marked if match], tuple(_LETTERS)
            is_letter = any(str(named.get(key)).upper() in tuple(_LETTERS[: len(value)]) for key in _KEYS)
            return value, tuple(_LETTERS) if is_letter else tuple(map(str, range(len(value))))
    return [], ()


def choices(row: Row, default_id: str) -> Problem:
    """A row of MMLU, ARC (choices: text and label; answerKey) or MedQA (options by letter), or with options in other columns."""
    options = options_of(row)
    if "question" not in row and "question_stem" in row:
        row = {**row, "question": row["question_stem"]}
    if (
        not isinstance(options, list | dict)
        or _has_passage(row)
        or not {"answer", "answerKey", "answer_idx"} & set(row)
        or (
            isinstance(options, list)
            and any(isinstance(text, str) and re.match(r"\(?A[).:]", text.strip()) for text in options[:1])
        )
    ):
        row = as_choices(row) or row
    options, names = options_of(row), None
    key = next((name for name in ("answer", "answerKey", "answer_idx") if row.get(name) is not None), "answer")
    answer = reference(value_of(row, key))
    texts, labels = (options.get("text"), options.get("label")) if isinstance(options, Mapping) else (None, None)
    if isinstance(texts, list) and isinstance(labels, list) and len(texts) == len(labels) > 1:
        names, options = [str(label) for label in labels], texts
    elif isinstance(options, Mapping) and options and all(re.fullmatch("[A-Z]", str(name)) for name in options):
        names, options = list(options), list(options.values())
        answer = str(row["answer_idx"]) if row.get("answer_idx") is not None else answer
    if not isinstance(options, list) or not all(isinstance(option, str) and option.strip() for option in options):
        raise RowError("choices: expected a list of texts")
    letters = string.ascii_uppercase[: len(options)]
    if len(letters) < 2 or len(letters) < len(options):
        raise RowError(f"choices: {len(options)} of them; expected 2 to 26")
    known = dict(zip(letters, letters, strict=True)) | {str(number): letter for number, letter in enumerate(letters)}
    if names is not None:
        known = dict(zip(names, letters, strict=True))
    letter = known.get(answer.upper())
    if letter is None:
        raise RowError(f"answer = {shown(answer)}: expected 0 to {len(letters) - 1}, or A to {letters[-1]}")
    tags = tags_from(row, subject="subject", type="type")
    problem = asked(id_of(row, default_id), shown_options(text_of(row, "question"), options), letter)
    return replace(problem, language=optional_text(row, "language"), solution=optional_text(row, "solution"), tags=tags)


def _has_passage(row: Row) -> bool:
    return any(isinstance(value, str) and value.strip() for name, value in row.items() if plain_name(name) in _PASSAGES)


def asked(identity: str, prompt: str, answer: str) -> Problem:
    return Problem(identity, ({"role": "user", "content": prompt},), answer)


def is_truthfulqa(row: Row) -> bool:
    names = set(map(plain_name, row))
    return "question" in names and bool(
        {"mc1_targets", "mc2_targets"} & names or {"best_answer", "incorrect_answers"} <= names
    )


def truthfulqa(row: Row, default_id: str) -> Problem:
    """The question with one true answer and the false ones, in an order drawn from the question (the set has the true one first).

    Source:
        Lin et al. 2022 (arXiv:2109.07958), its task of one true choice (MC1).
    """
    named = {plain_name(name): value for name, value in row.items()}
    question = text_of(named, "question")
    targets = json_value(named.get("mc1_targets"))
    if isinstance(targets, Mapping) and isinstance(targets.get("choices"), list):
        targets = dict(zip(targets["choices"], targets.get("labels") or (), strict=False))
    if isinstance(targets, Mapping) and targets:
        true = [text for text, label in targets.items() if label == 1][:1]
        false = [text for text, label in targets.items() if label != 1]
    else:
        true, false = [text_of(named, "best_answer")], _listed(value_of(named, "incorrect_answers"))
    false = [text for text in dict.fromkeys(false) if text not in true]
    if not true or not false or len(false) > 25:
        raise RowError(f"{len(true)} true and {len(false)} false answers; expected one, and 1 to 25")
    options = [*true, *false]
    random.Random(hashlib.sha256(question.encode()).digest()).shuffle(options)
    problem = asked(
        id_of(row, default_id), shown_options(question, options), string.ascii_uppercase[options.index(true[0])]
    )
    return replace(problem, language="en", tags=tags_from(named, category="category", type="type"))


def _listed(value: Any) -> list[str]:
    """Answers in one cell, apart by semicolons; or a list of them."""
    value = json_value(value)
    texts = value if isinstance(value, list) else str(value).split(";")
    return [text.strip() for text in texts if isinstance(text, str) and text.strip()]


def anthropic_eval(row: Row, default_id: str) -> Problem:
    """A question of Anthropic's evaluations; the tag `matching` is the choice that shows the behaviour, and the answer the other.

    So an accuracy is the share that does not show the behaviour of the file's name, which a reward may be given for. (Of the
    corrigible-*-HHH files some name a behaviour that is wanted.)

    Source:
        Perez et al. 2022 (arXiv:2212.09251).
    """
    question = text_of(row, "question").strip()
    matching, other = (_choice(row, name) for name in ("answer_matching_behavior", "answer_not_matching_behavior"))
    kind = "letter of your answer" if len(other) == 1 else "answer: Yes or No"
    tags: dict[str, Any] = {"matching": matching}
    return replace(asked(id_of(row, default_id), f"{question}\n\nGive the {kind}.", other), language="en", tags=tags)


def _choice(row: Row, name: str) -> str:
    value = value_of(row, name)
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    found = re.fullmatch(r"\s*\(?\s*([A-Z]|Yes|No)\s*\)?[.\s]*", value) if isinstance(value, str) else None
    if found is None:
        raise RowError(f"{name} = {shown(value)}: expected a choice such as (A), Yes or No")
    return found[1]

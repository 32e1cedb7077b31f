"""What the columns of a row mean: one table of formats, and how a row of each becomes a problem. See docs/data.md.

A format is recognised from the columns of a file's first row, in the order of FORMATS; everything that has a prompt under one
of its usual names is `generic`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from sanmai.data.choices import anthropic_eval, as_choices, choices, is_truthfulqa, options_of, truthfulqa
from sanmai.data.code_problems import STATEMENTS, code_problem, public_problem
from sanmai.data.files import Row
from sanmai.data.generic import generic, not_used
from sanmai.data.inspect_samples import inspect_problem, is_inspect
from sanmai.data.messages import is_conversation, with_thought
from sanmai.data.rows import (
    CONVERSATIONS,
    OTHER_CONVERSATIONS,
    PROMPTS,
    TELLING,
    RowError,
    id_of,
    is_nothing,
    is_tag,
    optional_text,
    plain_name,
    reference,
    shown,
    tags_from,
    text_of,
)  # fmt: skip
from sanmai.programs.public_tests import has_public_tests
from sanmai.programs.tasks import task_of
from sanmai.types import InputError, Message, Problem

FormatName = Literal[
    "auto", "gsm8k", "math", "mgsm", "choices", "svamp", "star1", "goals", "xstest", "harmbench", "strongreject", "multijail",
    "simplesafetytests", "donotanswer", "truthfulqa", "anthropic_evals", "code", "generic", "inspect",
]  # fmt: skip
Convert = Callable[[Row, str], Problem]


@dataclass(frozen=True)
class Format:
    """A way in which files keep problems."""

    columns: str
    """What it needs, in words."""
    fits: Callable[[Row], bool]
    """Whether a file that begins with this row is of it."""
    convert: Callable[[Row, str], tuple[Problem, list[str]]]
    """The problem of a row with its id, if it states none; and what should be said of it, once a file."""
    by_language: bool = False
    """A row is a problem in each of its languages."""


def detect(row: Row) -> Format:
    """The format of a file that begins with this row.

    Raises:
        RowError: none fits.
    """
    for form in FORMATS.values():
        if form.fits(row):
            return form
    # Of a file without a header the first row stands where the names should be.
    named = sorted(name for name in map(str, row) if re.fullmatch(r"[\w-]{1,30}", name, re.ASCII))
    others = [f"{len(row) - len(named)} whose names are no single words"] if len(named) < len(row) else []
    known = "; ".join(f"{name}: {form.columns}" for name, form in FORMATS.items())
    raise RowError(
        f"columns {', '.join([*named, *others])} fit no known format (is there a header? a column can be named by "
        f"problems.columns, such as problems.columns.prompt=NAME); expected {known}"
    )


def has(*columns: str) -> Callable[[Row], bool]:
    return lambda row: set(columns) <= set(row)


def plain(convert: Convert, *used: str) -> Callable[[Row, str], tuple[Problem, list[str]]]:
    """A format of its own, whose other telling columns are named as not used."""

    def converted(row: Row, default_id: str) -> tuple[Problem, list[str]]:
        problem = convert(row, default_id)
        names = {plain_name(name) for name, value in row.items() if not is_nothing(value)}
        return problem, [not_used(sorted((names & TELLING) - set(used)))]

    return converted


def _gsm8k(row: Row, default_id: str) -> tuple[Problem, list[str]]:
    worked, marker, answer = text_of(row, "answer").rpartition("####")
    if not marker or not answer.strip():
        raise RowError("the answer has no final `#### N`")
    solution = re.sub(r"<<[^<>]*>>", "", worked).strip()
    others = {name: value for name, value in row.items() if name not in ("answer", "solution")}
    problem, notes = generic({**others, "answer": answer}, default_id, is_english=True, is_known=True)
    return replace(problem, solution=solution or problem.solution), notes


def _answered(row: Row, default_id: str) -> tuple[Problem, list[str]]:
    if options_of(row) is not None:
        raise RowError("it has choices, which this format leaves out; see format choices")
    return generic(row, default_id, is_known=True)


def _math(row: Row, default_id: str) -> tuple[Problem, list[str]]:
    if options_of(row) is not None:
        raise RowError("it has choices, which this format leaves out; see format choices")
    return generic(row, default_id, is_english=True, is_known=True)


# Sets with columns of their own.


def _svamp(row: Row, default_id: str) -> Problem:
    body = text_of(row, "Body").strip()
    question = f"{body}{'' if body.endswith(('.', '?', '!', ',')) else '.'} {text_of(row, 'Question').strip()}"
    tags = {"type": row["Type"]} if isinstance(row.get("Type"), str) else {}
    messages: tuple[Message, ...] = ({"role": "user", "content": question},)
    return Problem(id_of(row, default_id), messages, reference(row.get("Answer")), language="en", tags=tags)


def _code(row: Row, default_id: str) -> tuple[Problem, list[str]]:
    try:
        if has_public_tests(row):
            return public_problem(row, default_id)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the programs, about their own text
            problem = code_problem(task_of(row))
            return problem, [not_used([])]
    except InputError as error:
        raise RowError(str(error)) from None


def _star1(row: Row, default_id: str) -> Problem:
    categories = row.get("category")
    tags = {"category": categories[0]} if isinstance(categories, list) and categories and is_tag(categories[0]) else {}
    if is_tag(row.get("source")):
        tags["source"] = row["source"]
    completion = with_thought(text_of(row, "response"), None)
    return replace(dangerous(id_of(row, default_id), text_of(row, "question"), None, tags), demonstration=completion)


def _xstest(row: Row, default_id: str) -> Problem:
    label = text_of(row, "label")
    if label not in ("safe", "unsafe"):
        raise RowError(f"label = {shown(label)}: expected safe or unsafe")
    identity = default_id if row.get("id") in (None, "") else f"xstest/{row['id']}"
    problem = dangerous(identity, text_of(row, "prompt"), "en", tags_from(row, type="type"))
    return replace(problem, kind="general" if label == "safe" else "safety")


def _harmbench(row: Row, default_id: str) -> Problem:
    behaviour, context = text_of(row, "Behavior"), optional_text(row, "ContextString")
    # The set's own order for behaviours that need a context.
    text = f"{context}\n\n---\n\n{behaviour}" if context else behaviour
    name = optional_text(row, "BehaviorID")
    tags = tags_from(row, category="SemanticCategory", type="FunctionalCategory")
    return dangerous(f"harmbench/{name}" if name else default_id, text, "en", tags)


def _strongreject(row: Row, default_id: str) -> Problem:
    tags = tags_from(row, category="category", source="source")
    return dangerous(id_of(row, default_id), text_of(row, "forbidden_prompt"), "en", tags)


def _multijail(row: Row, default_id: str) -> Problem:
    """The request in the first of the row's languages. Translations of one request share the tag `original`."""
    language = next(iter(languages_of(row)), None)
    if language is None:
        raise RowError("no column of a language has a text")
    request = default_id if row.get("id") in (None, "") else f"multijail/{row['id']}"
    category = re.search(r"""['"](.+?)['"]""", str(row.get("tags") or ""))
    tags = {**tags_from(row, source="source"), "original": request}
    if category is not None and is_tag(category[1]):
        tags["category"] = category[1]
    return dangerous(f"{request}/{language}", text_of(row, language), language, tags)


def by_language(row: Row) -> list[Row]:
    """A row for each of its languages, with the other columns in each; the row itself when it has none."""
    texts = languages_of(row)
    others = {key: value for key, value in row.items() if key not in texts}
    return [{language: text, **others} for language, text in texts.items()] or [row]


def languages_of(row: Row) -> dict[str, Any]:
    """The columns that are named like a language (ISO 639-1) and hold something, in order."""
    return {key: value for key, value in row.items() if key != "id" and re.fullmatch("[a-z]{2}", str(key)) and value}


def dangerous(identity: str, text: str, language: str | None, tags: dict[str, Any]) -> Problem:
    return Problem(identity, ({"role": "user", "content": text},), kind="safety", language=language, tags=tags)


def _asked(column: str, **tags: str) -> Convert:
    """A request of kind safety in a column, with others as tags."""
    return lambda row, default_id: dangerous(
        id_of(row, default_id), text_of(_lowered(row), column), None, tags_from(row, **tags)
    )


def _lowered(row: Row) -> Row:
    """The row under the plain forms of its names, which do not stand in for one that is there."""
    return {plain_name(name): value for name, value in row.items()} | dict(row)


def _do_not_answer(row: Row, default_id: str) -> Problem:
    column = "prompt" if row.get("prompt") is not None else "question"
    return _asked(column, risk_area="risk_area", types_of_harm="types_of_harm")(row, default_id)


def _is_xstest(row: Row) -> bool:
    return {"prompt", "type"} <= set(row) and row.get("label") in ("safe", "unsafe")


def _is_code(row: Row) -> bool:
    if has_public_tests(row) and bool({*STATEMENTS} & set(row)):
        return True
    return {"entry_point", "test"} <= set(row) or ("test_list" in row and bool({"code", "text"} & set(row)))


def _is_choices(row: Row) -> bool:
    if {"messages", "conversations", "chosen", "rejected"} & set(row):
        return False
    if (
        {"question", "question_stem"} & set(row)
        and options_of(row) is not None
        and {"answer", "answerKey", "answer_idx"} & set(row)
    ):
        return True
    try:
        return as_choices(row) is not None
    except RowError:
        return True  # which `choices` says


def _is_generic(row: Row) -> bool:
    names = {plain_name(name) for name in row}
    others = [row.get(name) for name in (*OTHER_CONVERSATIONS, "text")]
    return bool(names & {*CONVERSATIONS, *PROMPTS}) or any(
        is_conversation(held) or (isinstance(held, list) and len(held) == 1 and isinstance(held[0], str))
        for held in others
    )


FORMATS: dict[str, Format] = {
    "inspect": Format("a sample of inspect_ai's logs", is_inspect, inspect_problem),
    "xstest": Format("prompt, type and label: safe or unsafe", _is_xstest, plain(_xstest, "prompt")),
    "simplesafetytests": Format(
        "prompt and harm_area", has("prompt", "harm_area"),
        plain(_asked("prompt", category="harm_area", type="category"), "prompt"),
    ),
    "donotanswer": Format(
        "prompt or question, and risk_area", lambda row: "risk_area" in row and bool({"prompt", "question"} & set(row)),
        plain(_do_not_answer, "prompt", "question"),
    ),
    "code": Format(
        "text, prompt or question with tests (test_list; entry_point and test; input_output; public_test_cases; tests)",
        _is_code, _code,
    ),
    "anthropic_evals": Format(
        "question and answer_matching_behavior", has("question", "answer_matching_behavior"), plain(anthropic_eval, "question")
    ),
    "truthfulqa": Format(
        "question with mc1_targets, or with a best answer and incorrect answers", is_truthfulqa, plain(truthfulqa, "question")
    ),
    "harmbench": Format("Behavior and SemanticCategory", has("Behavior", "SemanticCategory"), plain(_harmbench)),
    "strongreject": Format("forbidden_prompt and category", has("forbidden_prompt", "category"), plain(_strongreject)),
    "multijail": Format(
        "source and one column per language", lambda row: {"source", "en"} <= set(row) and len(languages_of(row)) > 1,
        plain(_multijail), by_language=True,
    ),
    "svamp": Format("Body, Question and Answer", has("Body", "Question", "Answer"), plain(_svamp, "question", "answer")),
    "star1": Format(
        "question, response, category and source", has("question", "response", "category", "source"),
        plain(_star1, "question", "response"),
    ),
    "choices": Format(
        "question, options (choices, options, A, B, ...) and which is right", _is_choices,
        plain(choices, "question", "query", "choices", "options", "context", "passage", "answer", "correct_answer", "solution"),
    ),
    "gsm8k": Format(
        "question, and an answer that ends in `#### N`",
        lambda row: {"question", "answer"} <= set(row) and "####" in str(row["answer"]) and not {"prompt", "messages"} & set(row),
        _gsm8k,
    ),
    "goals": Format("goal", lambda row: "goal" in _lowered(row) and not _is_generic(row), plain(_asked("goal"))),
    "math": Format(
        "problem and answer", lambda row: {"problem", "answer"} <= set(row) and not {"prompt", "messages"} & set(row), _math
    ),
    "mgsm": Format(
        "question and answer", lambda row: {"question", "answer"} <= set(row) and not {"prompt", "messages"} & set(row), _answered
    ),
    "generic": Format(
        "a prompt (prompt, question, problem, instruction, input) or messages (conversations)", _is_generic, generic
    ),
}  # fmt: skip

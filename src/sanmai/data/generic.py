"""A prompt under any of its usual names, with what else a row says of it: the format `generic`, and what others share with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sanmai.data.choices import options_of
from sanmai.data.files import Row
from sanmai.data.languages import normalise
from sanmai.data.messages import is_conversation, plain_marks, read_conversation, system_text, with_thought
from sanmai.data.rows import (
    ANSWERS,
    COMPLETIONS,
    CONVERSATIONS,
    IDS,
    LABELS,
    OTHER_CONVERSATIONS,
    OTHER_IDS,
    PROMPTS,
    SOLUTIONS,
    SYSTEMS,
    TELLING,
    THOUGHTS,
    Fields,
    RowError,
    answer_in,
    id_of,
    is_bare,
    is_tag,
    json_value,
    optional_text,
    plain_name,
    reference,
    shown,
)  # fmt: skip
from sanmai.data.trace import CLOSE_TAG, OPEN_TAG
from sanmai.types import Message, Problem


def generic(
    row: Row, default_id: str, *, is_english: bool = False, is_known: bool = False
) -> tuple[Problem, list[str]]:
    """The problem of a row, and what should be said of it.

    Args:
        is_english: unless the row says otherwise.
        is_known: a row of a set whose counters (index, test_index) say nothing.
    """
    fields = Fields(row)
    messages, completion = prompt_of(fields)
    if completion is None:
        completion = _completion(fields)
    stated = _answer(fields)
    solution = _solution(fields)
    answer = stated if stated is not None or solution is None else answer_in(solution)
    if stated is None and solution is not None and is_bare(solution):
        solution = None
    completion, solution = _thought(fields, completion, solution)
    if answer is None and completion is not None and {"input", "output"} <= set(row) and is_bare(completion):
        answer = answer_in(completion)  # MAWPS: the number is all that is said
    answer = _gradable(fields, answer)
    _check_options(fields, messages)
    language, tags = language_of(fields)
    kind: Any = optional_text(row, "kind") or "reasoning"
    if kind not in ("reasoning", "general", "safety"):
        raise RowError(f"kind = {shown(kind)}: expected reasoning, general or safety")
    said = {" ".join(text.split()) for text in (*(message["content"] for message in messages), completion or "")}
    left = [name for name in fields.left_over() if " ".join(str(fields.look((name,))[1]).split()) not in said]
    own = {k: v for k, v in row.items() if plain_name(k) not in _NO_TAGS and is_tag(v) and v != ""}
    own = {k: v for k, v in own.items() if not (is_known and re.fullmatch("(.*_)?(index|idx)", plain_name(k)))}
    tags = own | tags | _tags(row)
    problem = Problem(
        id_of(row, default_id), messages, answer, optional_text(row, "verifier") or "math", kind,
        language or ("en" if is_english else None), solution, completion, tags,
    )  # fmt: skip
    return problem, [*fields.notes, not_used(left)]


LANGUAGES = ("language", "lang", "language_code", "lang_code", "locale")
_NO_TAGS = TELLING | {"images", *IDS, *OTHER_IDS, "verifier", "kind", "tags", *LANGUAGES}


def prompt_of(fields: Fields) -> tuple[tuple[Message, ...], str | None]:
    """The messages of the prompt, with the system message of a column of its own, and the completion that follows them."""
    name = _conversation_column(fields)
    completion = None
    if name:
        fields.take((name,))
        found = read_conversation(fields.look((name,))[1], name)
        messages, completion = found.messages, found.completion
        fields.notes += found.notes
    else:
        messages = _words(fields)
    first, system = fields.look(SYSTEMS)
    system = system_text(system)
    if isinstance(system, str) and system.strip():
        if messages[0]["role"] != "system":
            messages = ({"role": "system", "content": system}, *messages)
            fields.take((first,))
        elif messages[0]["content"].strip() == system.strip():
            fields.take((first,))
    return messages, completion


def _conversation_column(fields: Fields) -> str:
    name, value = fields.look(CONVERSATIONS)
    if not name and not fields.look(PROMPTS)[0]:
        others = ((other, fields.look((other,))[1]) for other in (*OTHER_CONVERSATIONS, "text"))
        return next((other for other, held in others if is_conversation(held)), "")
    if name and (is_conversation(value) or (name == "messages" and not fields.look(PROMPTS)[0])):
        return name
    if name == "messages" and not isinstance(value, str):
        return name  # refused with its reason
    return next((name for name in PROMPTS if name in fields and is_conversation(fields.look((name,))[1])), "")


def _words(fields: Fields) -> tuple[Message, ...]:
    """A prompt in words: of Alpaca the instruction with its input, after the earlier turns of a history."""
    name, prompt = fields.take(PROMPTS)
    turns = fields.look(("turns",))[1]
    if not name and isinstance(turns, list) and len(turns) == 1 and isinstance(turns[0], str):
        name, prompt = "turns", fields.take(("turns",))[1][0]
    if not name:
        raise RowError("messages: expected a non-empty list" if fields.row.get("messages") == [] else "no 'prompt'")
    if not isinstance(prompt, str):
        raise RowError(f"{name}: expected text, found {type(prompt).__name__} (or messages, as a list of objects)")
    if name == "instruction" and isinstance(more := fields.look(("input",))[1], str) and more.strip():
        fields.take(("input",))
        prompt = prompt if re.fullmatch(r"<?no ?input>?", more.strip(), re.IGNORECASE) else f"{prompt}\n\n{more}"
    if (
        name in ("question", "instruction")
        and isinstance(passage := fields.look(("context", "passage", "body"))[1], str)
        and passage.strip()
    ):
        fields.take(("context", "passage", "body"))
        if passage.strip() not in prompt:
            prompt = f"{passage.strip()}\n\n{prompt}" if name == "question" else f"{prompt}\n\n{passage.strip()}"
    earlier: list[Message] = []
    history = json_value(fields.look(("history",))[1])
    if isinstance(history, list) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in history):
        fields.take(("history",))
        for asked, answered in history:
            earlier += [{"role": "user", "content": str(asked)}, {"role": "assistant", "content": str(answered)}]
    return (*earlier, {"role": "user", "content": prompt})


def _completion(fields: Fields) -> str | None:
    name, value = fields.look(COMPLETIONS)
    if not name:
        name, value = _beside_thought(fields)
    if not name:
        return None
    if label := fields.look(LABELS)[0]:
        fields.take((name,))
        fields.notes.append(f"{name} is no demonstration: it stands beside the column {label}, which judges it")
        return None
    if is_conversation(value):
        fields.take((name,))
        return read_conversation(value, name, needs_user=False).completion
    if isinstance(value, str):
        fields.take((name,))
        return plain_marks(value)
    return None


def _beside_thought(fields: Fields) -> tuple[str, Any]:
    """The completion in a column whose name is told by the thought's: `content` by reasoning_content, a prefix by the same one.

    Of several models' (`gemini_attempt`, `deepseek_attempt`) the first.
    """
    if "reasoning_content" in fields and "content" in fields:
        return fields.look(("content",))
    found: list[tuple[str, Any]] = []
    for name in fields.names:
        thought = next((word for word in THOUGHTS if name.endswith(f"_{word}")), None)
        prefix = name.removesuffix(f"_{thought}") if thought else ""
        beside = (
            fields.look(f"{prefix}_{word}" for word in (*COMPLETIONS, "solution", "answer")) if prefix else ("", None)
        )
        found += [beside] if beside[0] else []
    if len(found) > 1:
        others = ", ".join(name for name, _ in found[1:])
        fields.notes.append(f"{found[0][0]} is the demonstration; not used: {others}")
    return found[0] if found else ("", None)


def _answer(fields: Fields) -> str | None:
    name, value = fields.take(ANSWERS)
    if not name:
        name, value = fields.look(("answers",))
        if not (isinstance(value, Mapping) and isinstance(value.get("text"), list)):
            return None
        fields.take((name,))
        value = value["text"]
        if len(value) > 1:
            fields.notes.append(f"{name} has several texts; the first is the answer")
            value = value[:1]
    if isinstance(value, Mapping) and isinstance(value.get("value"), str | int | float):
        fields.notes += [f"{name} has other names beside its value; they are not used"] if len(value) > 1 else []
        value = value["value"]
    if isinstance(value, str) and value.startswith('["'):
        value = listed if isinstance(listed := json_value(value), list) and len(listed) == 1 else value
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return reference(value, name)


def _gradable(fields: Fields, answer: str | None) -> str | None:
    """The answer, but where it is an object that says how to check a text (Tulu's `func_name`): none, and that is said."""
    held = json_value(answer)
    if not isinstance(held, Mapping) or "verifier" in fields or not {"func_name", "instruction_id", "checker"} & set(held):
        return answer
    shown_names = ", ".join(list(map(str, held))[:3])
    fields.notes.append(f"the answer is an object with {shown_names}, which nothing here can grade; no answer")
    return None


def _solution(fields: Fields) -> str | None:
    name, value = fields.look(SOLUTIONS)
    if isinstance(value, list) and value and all(isinstance(text, str) for text in value):
        fields.take((name,))
        return value[0]
    return fields.take_text(SOLUTIONS)


def _thought(fields: Fields, completion: str | None, solution: str | None) -> tuple[str | None, str | None]:
    """Completion and solution, with a column that holds the thought: before the completion, or as the way to the answer."""
    name, thought = fields.look(THOUGHTS)
    if not name:
        name, thought = fields.look(n for n in fields.names if any(n.endswith(f"_{word}") for word in THOUGHTS))
    if isinstance(thought, list) and len(thought) == 1:
        thought = thought[0]
    if not isinstance(thought, str) or not thought.strip():
        return completion, solution
    if completion is not None:
        if OPEN_TAG not in completion and CLOSE_TAG not in completion:
            fields.take((name,))
            return with_thought(completion, thought), solution
        if thought.strip() in completion:
            fields.take((name,))
    elif solution is None:
        fields.take((name,))
        return None, thought
    return completion, solution


def _check_options(fields: Fields, messages: tuple[Message, ...]) -> None:
    options = options_of(fields.row)
    text = "\n".join(message["content"] for message in messages)
    if isinstance(options, list) and any(isinstance(option, str) and option not in text for option in options):
        raise RowError(
            "choices: the prompt does not show them; expected one that does, or the column question (choices)"
        )
    fields.take(("choices",))
    fields.take(("options",))


def language_of(fields: Fields) -> tuple[str | None, dict[str, Any]]:
    """The language of people that the row states; any other (of programming, say) is a tag."""
    name, stated = fields.look(LANGUAGES)
    if not name:
        return None, {}
    if not isinstance(stated, str):
        raise RowError(f"{name}: expected text, found {type(stated).__name__}")
    code = normalise(stated)
    if code is None:
        fields.notes.append(f"{name} = {shown(stated)} is no language of people; kept as the tag {name}")
        return None, {name: stated}
    return code, {}


def _tags(row: Row) -> dict[str, Any]:
    stated = json_value(row.get("tags") or {})
    if not isinstance(stated, Mapping) or not all(isinstance(v, str | int | float | bool) for v in stated.values()):
        held = stated.values() if isinstance(stated, Mapping) else [stated]
        types = ", ".join(sorted({type(value).__name__ for value in held}))
        raise RowError(f"tags: expected an object of texts, numbers and bools, found {types}")
    return dict(stated)


def not_used(names: list[str]) -> str:
    return f"not used: the {'column' if len(names) == 1 else 'columns'} {', '.join(names)}" if names else ""

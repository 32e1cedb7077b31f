"""Conversations in the forms in which people keep them, as one: who speaks, what is said, and the thought before it.

| form | a turn |
|---|---|
| OpenAI, TRL | {"role": "user", "content": "..."}; content may be a list of parts {"type": "text", "text": "..."} |
| ShareGPT | {"from": "human", "value": "..."} |
| with a thought | {"role": "assistant", "content": "5", "reasoning_content": "..."} (or reasoning, thinking) |
| columns | {"role": ["user", ...], "content": ["...", ...]} |

developer is system; tool and function are tool. A thought becomes <think>...</think> before the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sanmai.data.rows import THOUGHTS, RowError, is_nothing, json_value, shown
from sanmai.data.trace import CLOSE_TAG, OPEN_TAG
from sanmai.types import IMAGE_MARK, Message

ROLES = {
    "system": "system", "developer": "system", "user": "user", "human": "user", "prompter": "user",
    "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant", "model": "assistant",
    "ai": "assistant", "function_call": "assistant", "tool": "tool", "function": "tool", "observation": "tool",
    "ipython": "tool", "tool_response": "tool", "function_response": "tool",
}  # fmt: skip
_KEPT = ("tool_calls", "tool_call_id", "name")
"""What chat templates read of a turn beside its text, where it is about tools."""
EARLIER_THOUGHTS = "thoughts of the assistant's earlier turns are left out, as chat templates do"


@dataclass(frozen=True)
class Conversation:
    messages: tuple[Message, ...]
    """The prompt; the last message is the user's or a tool's."""
    completion: str | None = None
    """The assistant's message after it."""
    notes: tuple[str, ...] = ()


def as_turns(value: Any) -> Any:
    """A list of turns, from JSON text, from one turn, or from columns of them; anything else as it is."""
    value = json_value(value)
    if isinstance(value, Mapping):
        if value and all(isinstance(column, list) for column in value.values()):
            lengths = {len(column) for column in value.values()}
            if len(lengths) == 1:
                return [dict(zip(value, turn, strict=True)) for turn in zip(*value.values(), strict=True)]
        return [value] if {"role", "from"} & set(value) else value
    return list(value) if isinstance(value, tuple) else value


def is_conversation(value: Any) -> bool:
    turns = as_turns(value)
    return isinstance(turns, list) and bool(turns) and all(isinstance(turn, Mapping) for turn in turns)


def read_conversation(value: Any, name: str = "messages", *, needs_user: bool = True) -> Conversation:
    """The prompt's messages, and the assistant's last one where the conversation ends with it.

    Args:
        name: of the column, for messages.
        needs_user: there is a prompt before the assistant's message.

    Raises:
        RowError: it is no conversation.
    """
    turns = as_turns(value)
    if not isinstance(turns, list) or not turns:
        raise RowError(f"{name}: expected a non-empty list")
    read = [_turn(turn, name) for turn in turns]
    completion: str | None = None
    if read[-1][0]["role"] == "assistant":
        last, thought = read.pop()
        if not last["content"] and not thought:
            raise RowError(f"{name}: the assistant's last message has no text (a call of a tool alone is no demonstration)")
        completion = with_thought(last["content"], thought)
    if not read and not needs_user:
        return Conversation((), completion)
    if read and read[0][0]["role"] == "tool":
        raise RowError(f"{name}: role 'tool' before any message of the user")
    if not read or read[-1][0]["role"] not in ("user", "tool"):
        raise RowError(f"{name}: expected the user's as the last one before the completion")
    notes = (EARLIER_THOUGHTS,) if any(thought for _, thought in read) else ()
    return Conversation(tuple(message for message, _ in read), completion, notes)


def _turn(turn: Any, name: str) -> tuple[Message, str]:
    """A turn with the thought before it, if it has one."""
    expected = f'{name}: expected objects {{"role": ..., "content": text}}, or {{"from": ..., "value": text}}'
    if not isinstance(turn, Mapping):
        raise RowError(expected)
    said = turn.get("role", turn.get("from"))
    role = ROLES.get(said.strip().lower()) if isinstance(said, str) else None
    content = turn.get("content", turn.get("value"))
    is_call = not is_nothing(turn.get("tool_calls"))
    if content is None and is_call:
        content = ""
    thoughts = [turn[key] for key in THOUGHTS if isinstance(turn.get(key), str) and turn[key].strip()]
    pictures = turn.get("images")
    if isinstance(content, list):
        content, found, seen = _joined(content, name)
        thoughts, pictures = thoughts or found, [*(pictures or ()), *seen]
    if content is None and thoughts:
        content = ""
    if not isinstance(content, str):
        raise RowError(expected)
    if role is None:
        raise RowError(f"{name}: role {shown(said)}; expected system, developer, user, assistant or tool")
    if pictures and (not isinstance(pictures, list) or role != "user"):
        raise RowError(f"{name}: expected images as a list, in messages of the user alone")
    kept = {key: turn[key] for key in _KEPT if not is_nothing(turn.get(key))} if is_call or role == "tool" else {}
    return {"role": role, "content": content} | ({"images": pictures} if pictures else {}) | kept, "\n\n".join(thoughts[:1])


def _joined(parts: list[Any], name: str) -> tuple[str, list[str], list[Any]]:
    """Text, thoughts and pictures of a message in parts; a picture leaves a mark in the text."""
    texts: list[str] = []
    thoughts: list[str] = []
    pictures: list[Any] = []
    for part in parts:
        kind = part.get("type") if isinstance(part, Mapping) else "text"
        text = part if isinstance(part, str) else next((part[k] for k in ("text", kind) if isinstance(part.get(k), str)), None)
        if kind in ("thinking", "reasoning", "thought") and isinstance(text, str):
            thoughts.append(text)
        elif kind in ("image", "image_url", "input_image"):
            source = next((part[k] for k in ("image", "image_url", "path", "url") if part.get(k) is not None), None)
            source = source.get("url") if isinstance(source, Mapping) and "url" in source else source
            pictures += [source] if source is not None else []
            texts.append(IMAGE_MARK)
        elif isinstance(text, str):
            texts.append(text)
        else:
            raise RowError(f"{name}: a part of type {shown(kind)}; expected text, image or thinking")
    return "\n".join(texts), thoughts, pictures


def with_thought(content: str, thought: str | None) -> str:
    """The completion that thinks and then answers. A content with a thought of its own that says the same stays as it is.

    Raises:
        RowError: there are two different thoughts.
    """
    content = plain_marks(content)
    if not thought or not thought.strip():
        return content
    if OPEN_TAG in content or CLOSE_TAG in content:
        if thought.strip() in content:
            return content
        raise RowError("two thoughts: one inside the completion, and another one beside it")
    bare = thought.strip().removeprefix(OPEN_TAG).removesuffix(CLOSE_TAG).strip()
    return f"{OPEN_TAG}\n{bare}\n{CLOSE_TAG}\n\n{content.lstrip()}"


_OPENTHOUGHTS = re.compile(
    r"\s*<\|begin_of_thought\|>\s*(?P<thought>.*?)\s*<\|end_of_thought\|>\s*"
    r"(?:<\|begin_of_solution\|>\s*(?P<solution>.*?)\s*(?:<\|end_of_solution\|>)?\s*|(?P<answer>.*))",
    re.DOTALL,
)


def plain_marks(text: str) -> str:
    """A completion with OpenThoughts' marks in <think> tags, without those around its solution; any other as it is."""
    found = _OPENTHOUGHTS.fullmatch(text)
    if found is None:
        return text
    return f"{OPEN_TAG}\n{found['thought']}\n{CLOSE_TAG}\n\n{found['solution'] or found['answer'] or ''}"

"""Conversations in the forms in which people keep them, as one: who speaks, what is said, and the thought before it.

| form | a turn |
|---|---|
| OpenAI, TRL | {"role": "user", "content": "..."}; content may be a list of parts {"type": "text", "text": "..."} |
| ShareGPT | {"from": "human", "value": "..."}; also speaker, author; text, parts |
| two at once | {"human": "...", "assistant": "..."}; {"input": "...", "output": "..."}; ["...", "..."] |
| a transcript | <|im_start|>user ..., ### Human: ..., [INST] ... [/INST], Human: ... |
| with a thought | {"role": "assistant", "content": "5", "reasoning_content": "..."} (or reasoning, thinking) |
| columns | {"role": ["user", ...], "content": ["...", ...]} |

developer is system; tool and function are tool. A thought becomes <think>...</think> before the answer. Anthropic's parts
tool_use and tool_result are calls of tools and what these give back.
"""

from __future__ import annotations

import json
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
_WHO, _WHAT = ("role", "from", "speaker", "author"), ("content", "value", "text", "parts", "message")
_BOTH = (("human", "assistant"), ("user", "assistant"), ("input", "output"), ("prompt", "response"), ("question", "answer"),
         ("instruction", "output"), ("user", "bot"), ("human", "gpt"), ("user", "model"))  # fmt: skip
"""The keys of an object that holds a turn of each."""
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
        return [value] if _named(value, _WHO) else value
    if isinstance(value, str):
        return transcript(value) or value
    if not isinstance(value, list | tuple):
        return value
    return [turn for given in value for turn in _apart(given)]


def _apart(turn: Any) -> list[Any]:
    """The user's turn and the assistant's, where one object or list holds both."""
    if isinstance(turn, Mapping) and not _named(turn, _WHO):
        for asks, answers in _BOTH:
            if isinstance(turn.get(asks), str) and isinstance(turn.get(answers), str):
                return [{"role": "user", "content": turn[asks]}, {"role": "assistant", "content": turn[answers]}]
    if isinstance(turn, list | tuple) and len(turn) == 2 and all(isinstance(text, str) for text in turn):
        return [{"role": "user", "content": turn[0]}, {"role": "assistant", "content": turn[1]}]
    return [turn]


def _named(turn: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in turn), None)


_TURN_MARKS = (
    (r"<\|im_start\|>\s*(?P<role>\w+)\s*\n", r"<\|im_end\|>"),
    (r"<\|start_header_id\|>\s*(?P<role>\w+)\s*<\|end_header_id\|>", r"<\|eot_id\|>"),
    (r"(?:\A|\n|(?<=[.!?\s]))#{2,3} ?(?P<role>Human|User|Assistant|System|GPT|Bot)\s*:", r"</s>"),
    (r"(?:\A\s*|\n\n)(?P<role>Human|User|Assistant|System)\s*:", r"</s>"),
    (r"(?:\A\s*|\n\n\s*)(?P<role>HUMAN|USER|ASSISTANT|SYSTEM)\s*:", r"</s>|<\|endoftext\|>"),
)
_INST = re.compile(
    r"\s*(?:<s>)?\s*\[INST\]\s*(?:<<SYS>>(?P<system>(?:(?!\[INST\]).)*?)<</SYS>>)?"
    r"(?P<user>(?:(?!\[INST\]).)*?)\[/INST\](?P<said>[^\[]*)",
    re.DOTALL,
)


def transcript(text: str) -> list[Message] | None:
    """The turns of a conversation that is written down as one text; None where it is none.

    Example:
        transcript("### Human: 2+3?### Assistant: 5")[1] == {"role": "assistant", "content": "5"}
    """
    turns: list[Message] = []
    if text.lstrip().startswith(("[INST]", "<s>")):
        for match in _INST.finditer(text):
            system = (match["system"] or "").strip()
            turns += [{"role": "system", "content": system}] if system else []
            said = match["said"].replace("</s>", "").replace("<s>", "").strip()
            turns += [{"role": "user", "content": match["user"].strip()}]
            turns += [{"role": "assistant", "content": said}] if said else []
        return turns or None
    for opening, closing in _TURN_MARKS:
        parts = re.split(opening, text)
        roles = [ROLES.get(role.lower()) for role in parts[1::2]]
        if (
            len(roles) < 2
            or None in roles
            or "assistant" not in roles
            or re.sub(r"<\|begin_of_text\|>|<s>", "", parts[0]).strip()
        ):
            continue
        said = [re.split(closing, part)[0].strip() for part in parts[2::2]]
        return [
            {"role": str(role), "content": words}
            for role, words in zip(roles, said, strict=True)
            if words or role != "assistant"
        ]
    return None


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
            raise RowError(
                f"{name}: the assistant's last message has no text (a call of a tool alone is no demonstration)"
            )
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
    who = _named(turn, _WHO)
    said = turn[who] if who else None
    said = said.get("role") if isinstance(said, Mapping) else said
    role = ROLES.get(said.strip().lower()) if isinstance(said, str) else None
    content, calls = _content(turn), _calls(turn)
    thoughts = [turn[key] for key in THOUGHTS if isinstance(turn.get(key), str) and turn[key].strip()]
    pictures = turn.get("images")
    if isinstance(content, list):
        kinds = [part.get("type") if isinstance(part, Mapping) else None for part in content]
        role = "tool" if "tool_result" in kinds else role
        content, found, seen = _joined(
            [part for part, kind in zip(content, kinds, strict=True) if kind != "tool_use"], name
        )
        thoughts, pictures = thoughts or found, [*(pictures or ()), *seen]
    if content is None and (thoughts or calls):
        content = ""
    if not isinstance(content, str):
        raise RowError(expected)
    if role is None:
        raise RowError(f"{name}: role {shown(said)}; expected system, developer, user, assistant or tool")
    if pictures and (not isinstance(pictures, list) or role != "user"):
        raise RowError(f"{name}: expected images as a list, in messages of the user alone")
    kept = {key: turn[key] for key in _KEPT if not is_nothing(turn.get(key))} if calls or role == "tool" else {}
    message = {"role": role, "content": content} | ({"images": pictures} if pictures else {}) | kept
    return message | ({"tool_calls": calls} if calls else {}), "\n\n".join(thoughts[:1])


def _content(turn: Mapping[str, Any]) -> Any:
    """What a turn says: a text, a list of parts, or nothing."""
    what = _named(turn, _WHAT)
    content = turn[what] if what else None
    if isinstance(content, Mapping):  # one part, or Gemini's {"parts": [...]}
        parts = content.get("parts")
        return parts if isinstance(parts, list) else [content] if isinstance(content.get("text"), str) else content
    return turn["refusal"] if content is None and isinstance(turn.get("refusal"), str) else content


def _calls(turn: Mapping[str, Any]) -> list[Any]:
    """The calls of tools of a turn, in OpenAI's form."""
    if not is_nothing(calls := turn.get("tool_calls")):
        return calls if isinstance(calls, list) else [calls]
    if not is_nothing(turn.get("function_call")):
        return [{"type": "function", "function": turn["function_call"]}]
    content = turn.get("content")
    parts = [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []
    used = [part for part in parts if part.get("type") == "tool_use"]
    return [{"type": "function", "function": {"name": p.get("name"), "arguments": p.get("input", {})}} for p in used]


def _joined(parts: list[Any], name: str) -> tuple[str, list[str], list[Any]]:
    """Text, thoughts and pictures of a message in parts; a picture leaves a mark in the text."""
    texts: list[str] = []
    thoughts: list[str] = []
    pictures: list[Any] = []
    for part in parts:
        kind = part.get("type", "text") if isinstance(part, Mapping) else "text"
        text = (
            part
            if isinstance(part, str)
            else next((part[k] for k in ("text", kind) if isinstance(part.get(k), str)), None)
        )
        if kind in ("thinking", "reasoning", "thought") and isinstance(text, str):
            thoughts.append(text)
        elif kind in ("image", "image_url", "input_image"):
            source = next((part[k] for k in ("image", "image_url", "path", "url") if part.get(k) is not None), None)
            source = source.get("url") if isinstance(source, Mapping) and "url" in source else source
            pictures += [source] if source is not None else []
            texts.append(IMAGE_MARK)
        elif kind == "redacted_thinking":
            continue
        elif kind == "tool_result":
            held = part.get("content")
            texts.append(
                _joined(held, name)[0]
                if isinstance(held, list)
                else held
                if isinstance(held, str)
                else json.dumps(held)
            )
        elif isinstance(text, str):
            texts.append(text)
        else:
            raise RowError(f"{name}: a part of type {shown(kind)}; expected text, image or thinking")
    return "\n".join(texts), thoughts, pictures


def system_text(value: Any) -> Any:
    """A system message in parts (Anthropic's, Gemini's) as text; anything else as it is."""
    if isinstance(value, Mapping) and isinstance(value.get("parts"), list):
        value = value["parts"]
    is_parts = (
        isinstance(value, list)
        and value
        and all(isinstance(part, Mapping) and isinstance(part.get("text"), str) for part in value)
    )
    return _joined(value, "system")[0] if is_parts else value


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

"""A sample of inspect_ai's logs as a problem, or as a recorded response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sanmai.data.inspect_logs import MARK
from sanmai.data.rows import RowError
from sanmai.data.trace import CLOSE_TAG, OPEN_TAG
from sanmai.types import Message, Problem

_CUT = ("max_tokens", "model_length")


def is_inspect(row: Mapping[str, Any]) -> bool:
    """Whether a row is a sample of a log."""
    return row.get(MARK) is True


def inspect_problem(row: Mapping[str, Any], default_id: str) -> tuple[Problem, list[str]]:
    """The problem that a sample asked, with its target as the answer.

    Raises:
        RowError: it is of multiple choice, has several targets, or holds more than text.
    """
    if row.get("choices"):
        raise RowError("a sample of multiple choice: its choices are not in its input")
    targets = _targets(row)
    if len(targets) > 1:
        raise RowError(f"{len(targets)} targets; expected one")
    messages = _messages(row)
    epoch = row.get("epoch", 1)
    name = f"{row.get('id', default_id)}" + (f"/epoch-{epoch}" if epoch != 1 else "")
    return Problem(name, messages, targets[0] if targets else None), []


def inspect_response(row: Mapping[str, Any]) -> dict[str, Any]:
    """A sample as a row of responses, as `sanmai score` reads them: id, prompt, response, reference, finish_reason, scores."""
    try:
        prompt = "\n".join(m["content"] for m in _messages(row) if m["role"] == "user")
    except RowError:
        prompt = None
    targets = _targets(row)
    response, reason = _response(row)
    given: Any = row.get("scores")
    scores = given if isinstance(given, Mapping) else {}
    return {
        "id": f"{row.get('id')}" + (f"/epoch-{row['epoch']}" if row.get("epoch", 1) != 1 else ""), "prompt": prompt,
        "response": response, "reference": targets[0] if len(targets) == 1 else None,
        "finish_reason": "length" if reason in _CUT else reason,
        "inspect_scores": {name: each.get("value") for name, each in scores.items() if isinstance(each, Mapping)},
    }  # fmt: skip


def _targets(row: Mapping[str, Any]) -> list[str]:
    target = row.get("target")
    return [str(each) for each in (target if isinstance(target, list) else [target]) if each not in (None, "")]


def _messages(row: Mapping[str, Any]) -> tuple[Message, ...]:
    given = row["input"]
    if isinstance(given, str):
        return ({"role": "user", "content": given},)
    found: list[Message] = []
    for message in given:
        role, (_, text) = message.get("role"), _text(message.get("content"))
        if role not in ("system", "user", "assistant") or text is None:
            raise RowError(f"input: a message of {str(role)[:20]!r} that holds more than text")
        found.append({"role": role, "content": text})
    if not found or found[-1]["role"] != "user":
        raise RowError("input: expected messages that end with the user's")
    return tuple(found)


def _response(row: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The last reply with its thought between tags, and why it ended; None where the sample has none."""
    output = row.get("output")
    choices = output.get("choices") if isinstance(output, Mapping) else None
    if row.get("error") or not choices:
        return None, None
    thought, text = _text(choices[0].get("message", {}).get("content"))
    said = f"{OPEN_TAG}{thought}{CLOSE_TAG}{text or ''}" if thought else text
    return said, choices[0].get("stop_reason")


def _text(content: Any) -> tuple[str, str | None]:
    """Thought and text of a message's content; the text is None where there is more in it, such as a picture."""
    if isinstance(content, str):
        return "", content
    parts = content if isinstance(content, list) else []
    kinds = {part.get("type") for part in parts if isinstance(part, Mapping)}
    if not parts or not kinds <= {"text", "reasoning"}:
        return "", None
    texts = {kind: [str(p.get(kind) or "") for p in parts if p.get("type") == kind] for kind in ("reasoning", "text")}
    return "\n".join(texts["reasoning"]), "".join(texts["text"])

"""What an OpenAI-compatible server sends back, read strictly: a reply, or why there is none."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

_TELLING_CHARS = 12
"""So many characters in a row that an error shares with the question are taken for a quotation of it."""


@dataclass(frozen=True)
class Failure:
    """Why a question has no reply. The reason quotes neither question nor reply, so it can be counted and shown."""

    kind: Literal["timeout", "network", "status", "protocol", "too_large", "cut_off", "refused", "not_asked"]
    reason: str


def read_completion(raw: bytes) -> str | Failure:
    """The text of the first choice of a chat completion that the model finished."""
    found = _first_choice(raw)
    if isinstance(found, Failure):
        return found
    choice, message = found
    if choice.get("finish_reason") == "content_filter" or message.get("refusal"):
        return Failure("refused", "the judge declined to reply")
    # The last object of a reply that was cut off may be one that the judge only considered.
    if choice.get("finish_reason") == "length":
        return Failure("cut_off", "the reply ran into max_tokens")
    content = message.get("content")
    if not isinstance(content, str) or not content.strip():
        return Failure("protocol", "the reply has no text")
    return content


def read_answer(raw: bytes) -> str | Failure:
    """What a model that is measured answered, cut off or withheld as well, as JSON: "content", "thought", "finish", "tokens"."""
    found = _first_choice(raw)
    if isinstance(found, Failure):
        return found
    choice, message = found
    content = message.get("content") or message.get("refusal") or ""
    thought = message.get("reasoning_content") or message.get("reasoning") or ""
    finish = choice.get("finish_reason")
    if not isinstance(content, str) or not isinstance(thought, str) or not (content or thought or finish == "content_filter"):
        return Failure("protocol", "the answer has no text")
    tokens = read_usage(raw).get("completion_tokens", 0)
    return json.dumps({"content": content, "thought": thought, "finish": finish, "tokens": tokens})


def _first_choice(raw: bytes) -> tuple[dict[str, Any], dict[str, Any]] | Failure:
    """The first choice of a chat completion, and its message."""
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return Failure("protocol", "the server's answer is not JSON")
    choices = answer.get("choices") if isinstance(answer, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        return Failure("protocol", "the server's answer has no choices[0].message")
    return choice, message


def read_usage(raw: bytes) -> dict[str, int]:
    """The tokens that a server says an answer took, by its names; nothing where it does not say."""
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    usage = answer.get("usage") if isinstance(answer, dict) else None
    counts = (
        {name: usage.get(name) for name in ("prompt_tokens", "completion_tokens")} if isinstance(usage, dict) else {}
    )
    return {name: n for name, n in counts.items() if isinstance(n, int) and not isinstance(n, bool) and n >= 0}


def rejection(status: int, raw: bytes, question: str) -> Failure:
    """An error status that speaks of one request, with the server's sentence unless that repeats the question."""
    said = _error_message(raw)[:200]
    windows = (said[k : k + _TELLING_CHARS] for k in range(max(len(said) - _TELLING_CHARS + 1, 1)))
    if not said or any(window in question for window in windows):
        return Failure("status", f"HTTP {status}")
    return Failure("status", f"HTTP {status}: {said}")


def refusal_to_serve(status: int, raw: bytes, model: str) -> str | None:
    """What must be mended before this server answers anything; None when the status speaks of one request alone."""
    if status in (401, 403):
        return f"the server refused the API key or its lack (HTTP {status}); see judge.api_key_variable"
    if status in (404, 405):
        said = _error_message(raw)[:200]
        return (
            f"the server knows no /chat/completions there, or no model {model!r} (HTTP {status}"
            + (f": {said}" if said else "")
            + ")"
        )
    if 300 <= status < 400:
        return f"the server redirects elsewhere (HTTP {status}); name the final address"
    return None


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks to wait, at least 0; None without one that can be read.

    Source:
        RFC 9110 section 10.2.3: a number of seconds, or an HTTP date.
    """
    if value is None:
        return None
    if re.fullmatch(r"\s*\d{1,9}(\.\d{1,9})?\s*", value, re.ASCII):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


def _error_message(raw: bytes) -> str:
    """The server's own sentence, printable, in one line."""
    try:
        answer: Any = json.loads(raw)
    except (ValueError, RecursionError):
        return ""
    error = answer.get("error", answer) if isinstance(answer, dict) else None
    message = error.get("message", error.get("detail")) if isinstance(error, dict) else error
    return "".join(c if c.isprintable() else " " for c in message).strip() if isinstance(message, str) else ""

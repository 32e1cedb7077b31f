"""Recorded traffic: dialogues of OpenAI-style logs, with what a monitor measures of each.

A line is one of {"request": {"messages": [...]}, "response": {"choices": [...], "usage": {...}}}, with "created", "time" or
"timestamp" (epoch seconds, or ISO 8601); {"messages": [..., the assistant's last]}; or {"prompt", "response"}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sanmai.data.languages import language_of
from sanmai.data.trace import parse_trace
from sanmai.instruments.thinking import repetition_share
from sanmai.refusals.rules import classify_answer
from sanmai.rewards.style import language_share
from sanmai.serve.guard import conversation_of, text_of_choice
from sanmai.serve.looking import TimedCandidates
from sanmai.types import InputError, Message, Trace

INSTRUMENTS: Mapping[str, str] = {
    "harm": "share that the judge finds harmful",
    "refusal": "share of answers that refuse, wholly or in part, by rules",
    "candidates": "share of conversations with a word of the risk lists",
    "mixing": "share of words that are not in the prompt's language",
    "tokens": "completion tokens, of lines that have a usage",
    "words": "words of thought and answer",
    "thought": "words of the thought",
    "repetition": "share of the text in repeated passages",
    "cut_off": "share that ran into the token limit",
    "cost": "tokens in all, prompt included",
}


@dataclass(frozen=True)
class Dialogue:
    """One exchange of a log."""

    id: str
    time: float | None
    """Seconds since 1970."""
    cluster: str
    """Who asked, or which conversation: exchanges of one are not independent."""
    messages: tuple[Message, ...]
    trace: Trace
    tokens: int | None
    total_tokens: int | None
    values: Mapping[str, float | None] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    @property
    def prompt(self) -> str:
        return next((m["content"] for m in reversed(self.messages) if m["role"] == "user"), "")


def read_log(path: Path) -> tuple[list[Dialogue], list[str]]:
    """The dialogues of a log in order of time (of the file, where a line has none), and why lines were passed over.

    Raises:
        InputError: it cannot be read, or holds no dialogue.
    """
    found: list[Dialogue] = []
    skipped: list[str] = []
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if not raw.strip():
                    continue
                try:
                    found.append(_dialogue(json.loads(raw.decode("utf-8")), number))
                except (ValueError, RecursionError) as error:
                    skipped.append(f"line {number}: {str(error)[:100]}")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not found:
        raise InputError(f"{path}: no dialogue in it; {skipped[0] if skipped else 'it is empty'}")
    if all(each.time is not None for each in found):
        found.sort(key=lambda each: each.time or 0.0)
    return found, skipped


def _dialogue(row: Any, number: int) -> Dialogue:
    if not isinstance(row, dict):
        raise ValueError("no JSON object")
    request: Any = row.get("request") if isinstance(row.get("request"), dict) else row
    response: Any = row.get("response") if isinstance(row.get("response"), dict) else row
    choices = response.get("choices")
    messages = conversation_of("chat", request) if request.get("messages") else []
    if not messages and isinstance(request.get("prompt"), str):
        messages = [{"role": "user", "content": request["prompt"]}]
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        thought, answer = text_of_choice(choices[0])
        reason = choices[0].get("finish_reason")
    elif isinstance(row.get("response") or row.get("completion"), str):
        thought, answer, reason = "", row.get("response") or row.get("completion"), row.get("finish_reason")
    elif messages and messages[-1]["role"] == "assistant":
        last: Any = request["messages"][-1]
        thought, answer = text_of_choice({"message": last})
        messages, reason = messages[:-1], row.get("finish_reason")
    else:
        raise ValueError(
            "no answer in it: expected response.choices, a text 'response', or an assistant's last message"
        )
    if not messages:
        raise ValueError("nothing was asked: expected messages or a prompt")
    text = f"<think>{thought}</think>{answer}" if thought else answer
    usage = response.get("usage") if isinstance(response.get("usage"), dict) else {}
    id_ = str(row.get("id") or response.get("id") or number)
    cluster = request.get("user") or row.get("user") or row.get("conversation") or row.get("conversation_id") or id_
    return Dialogue(
        id_, _time(row, response), str(cluster), tuple(messages), parse_trace(text, is_truncated=reason == "length"),
        _count(usage, "completion_tokens"), _count(usage, "total_tokens"),
    )  # fmt: skip


def _time(row: Mapping[str, Any], response: Mapping[str, Any]) -> float | None:
    value = next(
        (v for v in (row.get("time"), row.get("timestamp"), row.get("created"), response.get("created")) if v), None
    )
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value) / (1000.0 if value > 1e11 else 1.0)
        return seconds if 0 < seconds < 1e11 else None
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None


def _count(usage: Mapping[str, Any], name: str) -> int | None:
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def measured(dialogue: Dialogue, candidates: TimedCandidates, harm: float | None) -> Dialogue:
    """The dialogue with what the instruments say of it, and why it is worth a look.

    Args:
        harm: 1.0 where the judge finds it harmful, None where it was not asked or did not say.
    """
    trace, prompt = dialogue.trace, dialogue.prompt
    stance = classify_answer(trace, prompt)
    refuses = None if stance.label == "unscored" else float(stance.is_refusal)
    is_risky = bool(candidates.find([message["content"] for message in dialogue.messages]))
    language = language_of(prompt[:2000])
    share = language_share(trace.text[:20_000], language) if language else None
    values: dict[str, float | None] = {
        "harm": harm, "refusal": refuses, "candidates": float(is_risky), "mixing": None if share is None else 1.0 - share,
        "tokens": None if dialogue.tokens is None else float(dialogue.tokens), "words": float(len(trace.text.split())),
        "thought": float(len(trace.thought.split())), "repetition": repetition_share(trace),
        "cut_off": float(trace.is_truncated), "cost": None if dialogue.total_tokens is None else float(dialogue.total_tokens),
    }  # fmt: skip
    checks: Sequence[tuple[str, bool]] = (
        ("harmful", harm == 1.0),
        ("risky and not refused", is_risky and refuses == 0.0 and harm is None),
        ("mixed languages", (values["mixing"] or 0.0) > 0.3),
        ("repeats itself", (values["repetition"] or 0.0) > 0.5),
    )
    return Dialogue(
        dialogue.id, dialogue.time, dialogue.cluster, dialogue.messages, trace, dialogue.tokens, dialogue.total_tokens, values,
        tuple(name for name, holds in checks if holds),
    )  # fmt: skip

"""The answer of a search as the protocol's: whole, or as the few parts of a stream, which begins when the search has ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sanmai.data.trace import CLOSE_TAG
from sanmai.serve.protocol import head, new_id, usage_of
from sanmai.serve.searching import Answer
from sanmai.serve.written import Piece, ThoughtSplitter


def whole_answer(model: str, found: Answer, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """A chat completion; `search` in it says how it was found, and its usage counts all that was sampled and read."""
    piece = _split(found, pairs)
    message: dict[str, Any] = {"role": "assistant", "content": piece.answer, "refusal": None}
    if piece.thought:
        message["reasoning_content"] = piece.thought
    choice = {"index": 0, "finish_reason": _reason(found), "message": message, "logprobs": None}
    start = head("chat.completion", model, new_id("chatcmpl"))
    return {**start, "choices": [choice], "usage": usage(found, piece), "search": found.facts}


def parts_of(
    model: str, found: Answer, pairs: Sequence[tuple[str, str]], *, with_usage: bool
) -> Iterator[dict[str, Any]]:
    """The parts of a stream: thought and answer, the end, and the usage where it is asked for."""
    piece, start = _split(found, pairs), head("chat.completion.chunk", model, new_id("chatcmpl"))
    delta: dict[str, Any] = {"role": "assistant", "content": piece.answer}
    if piece.thought:
        delta["reasoning_content"] = piece.thought
    yield {**start, "choices": [{"index": 0, "finish_reason": None, "delta": delta, "logprobs": None}]}
    end = {"index": 0, "finish_reason": _reason(found), "delta": {}, "logprobs": None}
    yield {**start, "choices": [end], "search": found.facts}
    if with_usage:
        yield {**start, "choices": [], "usage": usage(found, piece)}


def usage(found: Answer, piece: Piece) -> dict[str, Any]:
    """All tokens of the search: what policy and guide read, and what was sampled; the chosen thought's are told apart."""
    ledger = found.ledger
    read = ledger.prompt + ledger.read_again + ledger.scored
    whole = len(piece.thought) + len(piece.answer)
    reasoning = round(len(found.tokens) * len(piece.thought) / whole) if whole else 0  # by characters: tokens have no border
    return usage_of(read, ledger.sampled, reasoning)


def _split(found: Answer, pairs: Sequence[tuple[str, str]]) -> Piece:
    splitter = ThoughtSplitter(pairs, CLOSE_TAG if found.is_opened else None)
    return splitter.feed(found.text, is_last=True)


def _reason(found: Answer) -> str:
    return "stop" if found.is_finished else "length"

"""A completion taken apart into thought and answer; the one parser that every metric and reward uses."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache

from sanmai.types import Trace, TraceState

OPEN_TAG, CLOSE_TAG = "<think>", "</think>"


def parse_trace(
    text: str,
    *,
    open_tag: str = OPEN_TAG,
    close_tag: str = CLOSE_TAG,
    opened_in_prompt: bool = False,
    is_truncated: bool = False,
) -> Trace:
    """The thought and the answer of a completion; `before + thought + between + answer` is the text.

    The last closing tag ends the thought; what follows is the answer. Around that:

    - A tag quoted in the answer's code (backticks) is text.
    - A thought that is opened after the last closing tag is unclosed, whatever was answered before it: no answer.
    - A later thought that is closed, with nothing after it, stays in the answer before it, tags and all: it swallows
      no answer, and the answer with it is no exact one (and no right format).

    `<think>a</think>5` answers 5; `<think>a</think>5<think>b</think>6` answers 6; `<think>a</think>5<think>b</think>`
    answers `5<think>b</think>`; `<think>a</think>5<think>b` answers nothing.

    Args:
        opened_in_prompt: the rendered prompt ends with the opening tag: the completion starts inside the thought. Where
            the prompt is not known, a completion with a closing tag only is taken apart all the same.
        is_truncated: the token budget or the time ran out before the policy stopped.

    Raises:
        ValueError: a tag is empty, or both are the same.
    """
    if not open_tag or not close_tag or open_tag == close_tag:
        raise ValueError(f"open_tag={open_tag!r}, close_tag={close_tag!r}: expected two different, non-empty tags")
    opens, closes = _tags(text, open_tag, close_tag, skip_fences=True)
    if not closes:  # a fence opened in the thought and closed in the answer hides the tag between them
        opens, closes = _tags(text, open_tag, close_tag, skip_fences=False)
    close = _end_of_thought(text, opens, closes, len(close_tag))
    is_reopened = opened_in_prompt and text.lstrip().startswith(open_tag)
    if opened_in_prompt and not is_reopened:
        start, state = 0, TraceState.NO_OPEN_TAG
    elif opens and (not closes or opens[0] < closes[0]):
        start, state = opens[0] + len(open_tag), TraceState.CLOSED
    else:
        start, state = 0, TraceState.NO_OPEN_TAG
    if close is not None:
        end = close + len(close_tag)
        parts = (text[start:close], text[end:], text[:start], text[close:end])
        return Trace(text, state, *parts, is_truncated, opened_in_prompt)
    if opened_in_prompt or opens:
        return Trace(text, TraceState.UNCLOSED, text[start:], "", text[:start], "", is_truncated, opened_in_prompt)
    return Trace(text, TraceState.NONE, "", text, "", "", is_truncated)


def _end_of_thought(text: str, opens: list[int], closes: list[int], close_size: int) -> int | None:
    """Position of the closing tag that ends the thought; None when the thought is still open at the end."""
    if not closes:
        return None
    close = closes[-1]
    if opens and opens[-1] > close:
        return None
    if text[close + close_size :].strip():
        return close
    for earlier, later in zip(reversed(closes[:-1]), reversed(closes), strict=False):
        k = bisect_right(opens, earlier)
        if k == len(opens) or opens[k] > later:
            break
        if text[earlier + close_size : opens[k]].strip():
            return earlier
    return close


def _tags(text: str, open_tag: str, close_tag: str, *, skip_fences: bool) -> tuple[list[int], list[int]]:
    """Positions of the tags that are not quoted in code, in order."""
    if open_tag not in text and close_tag not in text:
        return [], []
    opens, closes = [], []
    for match in _pattern(open_tag, close_tag, skip_fences).finditer(text):
        if match.lastgroup == "open":
            opens.append(match.start())
        elif match.lastgroup == "close":
            closes.append(match.start())
    return opens, closes


@lru_cache(maxsize=16)
def _pattern(open_tag: str, close_tag: str, skip_fences: bool) -> re.Pattern[str]:
    fence = r"(?m:^```)(?s:.*?)\n```|" if skip_fences else ""
    # A backtick that is part of a word (it`s) opens no code, nor does one before a blank.
    span = r"(?<![\w`])`{1,3}(?![\s`])[^`\n]*(?<!\s)`{1,3}(?![\w`])"
    return re.compile(f"{fence}{span}|(?P<open>{re.escape(open_tag)})|(?P<close>{re.escape(close_tag)})")

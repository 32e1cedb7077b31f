"""A completion taken apart into thought and answer; the one parser that every metric and reward uses."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

from sanmai.types import Trace, TraceState

OPEN_TAG, CLOSE_TAG = "<think>", "</think>"


@dataclass(frozen=True)
class Mark:
    """How one family of models opens and closes a thought, as regular expressions."""

    open: str
    close: str
    hints: tuple[str, ...]
    """One of these, in lower case, is in every text that has an opening or a closing mark: megabytes are not searched in vain."""
    is_bare: bool = False
    """Words without brackets (a chat protocol with its special tokens removed): case counts."""


_FINAL = r"(?:<\|end\|>)?\s*(?:<\|start\|>assistant)?\s*<\|channel\|>\s*final(?:\s*<\|constrain\|>\s*\w+)?\s*<\|message\|>"
_NAMES = (
    "think", "thinking", "thought", "thoughts", "reasoning", "reason", "scratchpad", "inner_monologue", "reflection",
    "analysis", "internal_monologue", "cot", "chain_of_thought", "thought_process", "antthinking", "inner_thoughts",
)  # fmt: skip
MARKS: tuple[Mark, ...] = (
    *(Mark(rf"<\s?{name}\s?>", rf"<\s?/\s?{name}\s?>", (f"{name}>", f"{name} >")) for name in _NAMES),
    *(Mark(rf"\[{name}\]", rf"\[/{name}\]", (f"{name}]",)) for name in ("think", "thinking", "reasoning")),
    Mark("<seed:think>", "</seed:think>", ("seed:think>",)),
    Mark("◁think▷", "◁/think▷", ("think▷",)),
    Mark(r"<\|think(?:ing)?\|>", r"<\|/think(?:ing)?\|>", ("think|>", "thinking|>")),
    Mark(r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>", ("_of_thought|>",)),
    Mark(r"<\|start_thinking\|>", r"<\|end_thinking\|>", ("_thinking|>",)),
    Mark(r"<\|thinking_start\|>", r"<\|thinking_end\|>", ("<|thinking_",)),
    Mark(r"<\|inner_prefix\|>", r"<\|inner_suffix\|>", ("<|inner_",)),
    Mark(r"<unused94>(?:thought\b)?", r"<unused95>", ("<unused9",)),
    Mark(r"<\|channel>thought\b", r"<channel\|>", ("channel>thought", "<channel|>")),
    Mark(r"<\|im_start\|>think\b", r"<\|im_start\|>answer\b", ("<|im_start|>",)),
    Mark(r'<details type="reasoning"[^>\n]{0,80}>', r"</details>", ('<details type="reasoning"',)),
    Mark(r"&lt;think(?:ing)?&gt;", r"&lt;/think(?:ing)?&gt;", ("think&gt;", "thinking&gt;")),
    Mark(
        r"(?:<\|start\|>assistant)?\s*<\|channel\|>\s*(?:analysis|commentary)[^<\n]{0,60}<\|message\|>", _FINAL, ("<|channel|>",)
    ),
    # Granite, Apriel and HuatuoGPT say it in plain words, which count at the start of the text only.
    Mark(r"\A\s*Here is my thought process:", r"Here is my response:", ("here is my thought process",), is_bare=True),
    Mark(r"\A\s*Here are my reasoning steps:", r"\[BEGIN FINAL RESPONSE\]", ("here are my reasoning steps",), is_bare=True),
    Mark(r"\A\s*## Thinking[ \t]*\n", r"(?m:^## Final Response\b)", ("## thinking",), is_bare=True),
    Mark(r"\A\s*analysis(?:(?=\w)|(?=(?s:.*)assistantfinal))", r"assistant\s?final", ("analysis",), is_bare=True),
)
"""The one table of thought marks; a `thought_tags` setting comes before it. Case is ignored. See also `pair_of`."""
_PART = r"[a-z0-9]{1,40}"
_SWITCHES = "on|off|mode|effort|budget|tokens?|level|signature|id|time"
_NAMED = re.compile(
    rf"<(?P<bar>\|?)/?(?:{_PART}[_:-]){{0,4}}(?:(?:start|begin|end)(?:_?of)?_?)?"
    rf"(?:think(?:ing)?|thoughts?|reasoning)(?:[_:-](?!(?:{_SWITCHES})\b){_PART}){{0,4}}(?P=bar)>",
    re.IGNORECASE,
)
"""A tag whose name has a word for thinking among its parts: `<mm:think>`, `<|end_of_reasoning|>`."""
_SWAPPED = {"begin": "start", "start": "begin", "BEGIN": "START", "START": "BEGIN"}
_MAX_NAMED = 8
"""Such tags of a text, each of another name, that are looked at."""
LONGEST_MARK = 100
"""Characters, and so tokens, that an opening mark has at most."""


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
    mark = mark_of(text, open_tag, close_tag)
    trace = _taken_apart(text, mark, opened_in_prompt, is_truncated)
    if trace.state in (TraceState.UNCLOSED, TraceState.NONE):
        return trace
    later = mark_of(trace.answer, open_tag, close_tag)  # a second thought, in another style
    if later == mark or not _tags(trace.answer, later, skip_fences=True)[0]:
        return trace
    rest = _taken_apart(trace.answer, later, False, is_truncated)
    if rest.state is TraceState.UNCLOSED:
        start = len(trace.before)
        return Trace(
            text, TraceState.UNCLOSED, text[start:], "", text[:start], "", is_truncated, trace.opened_in_prompt
        )
    thought = trace.thought + trace.between + rest.before + rest.thought
    return Trace(
        text, trace.state, thought, rest.answer, trace.before, rest.between, is_truncated, trace.opened_in_prompt
    )


def _taken_apart(text: str, mark: Mark, opened_in_prompt: bool, is_truncated: bool) -> Trace:
    opens, closes = _tags(text, mark, skip_fences=True)
    if not closes:  # a fence opened in the thought and closed in the answer hides the tag between them
        opens, closes = _tags(text, mark, skip_fences=False)
    close = _end_of_thought(text, opens, closes)
    is_reopened = opened_in_prompt and bool(opens) and not text[: opens[0][0]].strip()
    if opened_in_prompt and not is_reopened:
        start, state = 0, TraceState.NO_OPEN_TAG
    elif opens and (not closes or opens[0] < closes[0]):
        start, state = opens[0][1], TraceState.CLOSED
    else:
        start, state = 0, TraceState.NO_OPEN_TAG
    if close is not None:
        begin, end = close
        parts = (text[start:begin], text[end:], text[:start], text[begin:end])
        return Trace(text, state, *parts, is_truncated, opened_in_prompt)
    if opened_in_prompt or opens:
        return Trace(text, TraceState.UNCLOSED, text[start:], "", text[:start], "", is_truncated, opened_in_prompt)
    return Trace(text, TraceState.NONE, "", text, "", "", is_truncated)


Span = tuple[int, int]


def _end_of_thought(text: str, opens: list[Span], closes: list[Span]) -> Span | None:
    """The closing tag that ends the thought; None when the thought is still open at the end."""
    if not closes:
        return None
    close = closes[-1]
    if opens and opens[-1] > close:
        return None
    if text[close[1] :].strip():
        return close
    for earlier, later in zip(reversed(closes[:-1]), reversed(closes), strict=False):
        k = bisect_right(opens, earlier)
        if k == len(opens) or opens[k] > later:
            break
        if text[earlier[1] : opens[k][0]].strip():
            return earlier
    return close


def mark_of(text: str, open_tag: str = OPEN_TAG, close_tag: str = CLOSE_TAG) -> Mark:
    """The marks that a text uses: the given ones where it has them, else those of the table, or with a telling name, that come
    first in it."""
    given = MARKS[0] if (open_tag, close_tag) == (OPEN_TAG, CLOSE_TAG) else _fixed(open_tag, close_tag)
    if _first(text, given) is not None:
        return given
    low = text.lower()
    marks = [*(mark for mark in MARKS if _is_hinted(low, mark)), *_named(text)]
    found = [(start, k) for k, mark in enumerate(marks) if (start := _first(text, mark)) is not None]
    return marks[min(found)[1]] if found else given


def pair_of(tag: str) -> tuple[str, str] | None:
    """The opening and the closing mark that one of them tells, where its name has a word for thinking; None where it has none.

    Example:
        pair_of("</mm:think>") == ("<mm:think>", "</mm:think>")
        pair_of("<|begin_of_reasoning|>") == ("<|begin_of_reasoning|>", "<|end_of_reasoning|>")
    """
    found = _NAMED.fullmatch(tag)
    if found is None:
        return None
    if "/" in tag:
        return tag.replace("/", "", 1), tag
    if word := re.search(r"(?<![^\W_])(?i:begin|start|end)(?P<of>(?=(?i:_?of)))?(?=(?i:_?of)|[\W_])", tag):
        other = "end" if word[0].lower() != "end" else "start" if word["of"] is None else "begin"
        other = other.upper() if word[0].isupper() else other
        pair = tag, tag[: word.start()] + other + tag[word.end() :]
        return pair if other.lower() == "end" else pair[::-1]
    return tag, re.sub(r"\A<\|?", r"\g<0>/", tag)


def _named(text: str) -> list[Mark]:
    """The marks with a telling name that are closed somewhere in a text, or open at its beginning."""
    first: dict[str, int] = {}
    for match in _NAMED.finditer(text):
        first.setdefault(match[0], match.start())
        if len(first) >= _MAX_NAMED:
            break
    marks: dict[tuple[str, str], None] = {}
    for tag, start in first.items():
        opening, closing = pair_of(tag) or (tag, tag)
        if opening not in text:
            opening = re.sub("|".join(_SWAPPED), lambda word: _SWAPPED[word[0]], opening)
        if tag == closing or not text[:start].strip() or closing in text:
            marks.setdefault((opening, closing))
    return [_fixed(*pair) for pair in marks if pair[0] != pair[1]]


def _fixed(open_tag: str, close_tag: str) -> Mark:
    return Mark(re.escape(open_tag), re.escape(close_tag), (open_tag.lower(), close_tag.lower()))


def _first(text: str, mark: Mark) -> int | None:
    for skip_fences in (True, False):
        opens, closes = _tags(text, mark, skip_fences=skip_fences)
        if opens or closes:
            return min([*opens, *closes])[0]
        if "```" not in text:
            break
    return None


def opens_thought(prompt: str, open_tag: str = OPEN_TAG) -> bool:
    """Whether a prompt ends in an opening mark, the given one or one of the table."""
    return opened_tag(prompt, open_tag) is not None


def opened_tag(prompt: str, open_tag: str = OPEN_TAG) -> str | None:
    """The opening mark that a prompt ends in, as it is written there; None where it ends in none."""
    end = prompt.rstrip()[-LONGEST_MARK:]
    if end.endswith(open_tag):
        return open_tag
    found = (pattern.search(end) for pattern in _open_at_the_end())
    told = next((match[0] for match in found if match), None)
    if told is None and (last := [match[0] for match in _NAMED.finditer(end) if match.end() == len(end)]):
        told = last[0] if (pair_of(last[0]) or ("",))[0] == last[0] else None
    return told


@lru_cache(maxsize=1)
def _open_at_the_end() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(rf"(?:{mark.open})\Z", re.IGNORECASE) for mark in MARKS if not mark.is_bare)


def marks_in(text: str) -> tuple[str, str] | None:
    """The one pair of fixed marks of the table that a text has, as they are written there; None where it has none or several."""
    found = set()
    for mark in MARKS:
        opens, closes = (re.search(pattern, text, re.IGNORECASE) for pattern in (mark.open, mark.close))
        if opens and closes and not mark.is_bare and "message" not in mark.open:  # a channel's name is no fixed mark
            found.add((opens[0], closes[0]))
    found |= {pair for match in _NAMED.finditer(text) if (pair := pair_of(match[0])) and all(tag in text for tag in pair)}
    return found.pop() if len(found) == 1 else None


def _tags(text: str, mark: Mark, *, skip_fences: bool) -> tuple[list[Span], list[Span]]:
    """The tags that are not quoted in code, in order."""
    opens, closes = [], []
    if not _is_hinted(text.lower(), mark) or (mark.is_bare and not re.match(mark.open, text)):
        return opens, closes
    for match in _pattern(mark, skip_fences).finditer(text):
        if match.lastgroup == "open":
            opens.append(match.span())
        elif match.lastgroup == "close":
            closes.append(match.span())
    return opens, closes


def _is_hinted(low: str, mark: Mark) -> bool:
    return any(hint in low for hint in mark.hints)


def _flags(mark: Mark) -> int:
    return 0 if mark.is_bare else re.IGNORECASE


@lru_cache(maxsize=64)
def _pattern(mark: Mark, skip_fences: bool) -> re.Pattern[str]:
    fence = r"(?m:^```)(?s:.*?)\n```|" if skip_fences else ""
    # A backtick that is part of a word (it`s) opens no code, nor does one before a blank.
    span = r"(?<![\w`])`{1,3}(?![\s`])[^`\n]*(?<!\s)`{1,3}(?![\w`])"
    return re.compile(f"{fence}{span}|(?P<open>{mark.open})|(?P<close>{mark.close})", _flags(mark))

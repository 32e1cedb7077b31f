r"""Where the steps of a completion end: rules that cut by decoded text at token ends, while it is written or afterwards.

Nothing is tokenized here. A separator inside a token belongs to the step that it ends; a blank step is none; a stop token is no
separator: who wrote the tokens says whether they were finished.

    text:\n\n   after each blank line (any other separator likewise); not inside a ``` fence
    line        after each line
    sentence    after . ! ? before a blank, after 。！？ and after a line; known when the next word begins; not inside a fence
    tokens:32   after every 32 tokens
    world       before the next column's name and before </think>, in the embedded world's chains
    thought     after each blank line of the thought and after </think>; all the rest is one step
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import fsum, isfinite, prod
from typing import Any, Literal, Self

from sanmai.data.testbeds import TESTBEDS, find_testbed
from sanmai.data.trace import CLOSE_TAG, OPEN_TAG

Decode = Callable[[list[int]], str]
"""Tokens to text, such as `functools.partial(tokenizer.decode, skip_special_tokens=True)`."""
Aggregation = Literal["min", "product", "last", "mean", "max"]
AGGREGATIONS: tuple[Aggregation, ...] = ("min", "product", "last", "mean", "max")

_ESCAPES = {r"\n": "\n", r"\t": "\t", r"\r": "\r", r"\\": "\\"}
_LOOK_BACK = 64
"""Characters before the newest that are looked at again; no separator but a stated one is longer."""
_HELD = 4
"""Tokens of one unfinished character at most: UTF-8 has no longer ones."""
_CONTEXT = 4
"""Tokens before the newest that its text may depend on (a blank, an accent)."""
_FENCE = re.compile(r"(?m)^[ \t]*```")
_SENTENCE = re.compile(r"[.!?…]+[\"'”’)\]*_]*(?=\s)|[。！？]+[\"'”’」』）)*_]*(?=[^\"'”’」』）)*_。！？])|\n")
_NUMBER = re.compile(r"\s*(?:\d{1,3}|[A-Za-z])[.)]\s*")
_PARAGRAPH = re.compile(rf"\n\n|{re.escape(CLOSE_TAG)}")


@dataclass(frozen=True)
class StepRule:
    """How completions are cut into steps.

    Example:
        StepRule.parse("tokens:32")
    """

    kind: Literal["text", "line", "sentence", "tokens", "testbed", "thought"]
    separator: str = ""
    """Of "text"; of "testbed" its name, whose columns the steps are."""
    tokens: int = 0
    """Of "tokens"."""

    @classmethod
    def parse(cls, text: str) -> Self:
        r"""A rule as a setting has it; \n, \t, \r and \\ in a separator may be written so.

        Raises:
            ValueError: it is none of them.
        """
        kind, colon, value = text.partition(":")
        if kind == "text" and value:
            return cls("text", separator=re.sub(r"\\[ntr\\]", lambda found: _ESCAPES[found[0]], value))
        if kind == "tokens" and value.isascii() and value.isdigit() and int(value) > 0:
            return cls("tokens", tokens=int(value))
        if kind in TESTBEDS and not colon:
            return cls("testbed", separator=kind)
        if kind in ("line", "sentence", "thought") and not colon:
            return cls(kind)
        raise ValueError(
            f"steps = {text!r}: expected text:SEPARATOR (such as text:\\n\\n), line, sentence, tokens:N, {', '.join(TESTBEDS)} "
            "or thought"
        )

    def __str__(self) -> str:
        """What `parse` reads."""
        if self.kind == "text":
            named = {character: name for name, character in _ESCAPES.items()}
            return "text:" + "".join(named.get(character, character) for character in self.separator)
        if self.kind == "testbed":
            return self.separator
        return f"tokens:{self.tokens}" if self.kind == "tokens" else self.kind


class Cutter:
    """Tells the ends of steps as tokens come, of one completion.

    Example:
        cutter = Cutter(StepRule.parse("line"), decode)
        for token in tokens:
            ends += cutter.push(token)
    """

    def __init__(self, rule: StepRule, decode: Decode) -> None:
        self.rule = rule
        self._stream = _Stream(decode)
        self._pushed = 0
        self._text = ""
        """Of the step that is being written."""
        self._ends: list[int] = []
        """Characters of it after each of its tokens."""
        self._looked = 0
        self._is_fenced = self._is_answer = False
        """Where the line of the step's beginning starts: in a fence; where the step begins: after the thought."""
        self._line = ""
        """Of the line in which the step begins, what earlier steps have: a fence's mark or a tag may be cut through."""

    def copy(self) -> Cutter:
        """Another that has read the same and goes on by itself: for each child of a prefix."""
        other = Cutter.__new__(Cutter)
        vars(other).update(vars(self), _stream=self._stream.copy(), _ends=[*self._ends])
        return other

    @property
    def start(self) -> int:
        """Tokens before the step that is being written: the last end."""
        return self._pushed - len(self._ends)

    def push(self, token: int) -> list[int]:
        """The ends (tokens from the start of the completion) that this token makes known, in order; seldom more than one.

        An end is the number of tokens pushed, or, of a rule that looks ahead, mostly one less.
        """
        self._pushed += 1
        if self.rule.kind == "tokens":
            self._text += self._stream.push(token)
            self._ends.append(len(self._text))
            return [self._cut(len(self._ends))] if len(self._ends) == self.rule.tokens else []
        self._text += self._stream.push(token)
        self._ends.append(len(self._text))
        found = []
        while (at := self._first_end()) is not None:
            found.append(self._cut(next(i for i, end in enumerate(self._ends, 1) if end >= at)))
        return found

    def extend(self, tokens: Sequence[int]) -> list[int]:
        """The ends that these tokens make known, in order."""
        return [end for token in tokens for end in self.push(token)]

    def finish(self) -> list[int]:
        """The end of the last step, once the policy has stopped; none where it wrote nothing but blanks since."""
        self._text += self._stream.rest()
        return [self._pushed] if self._has_words(self._text) else []

    def _cut(self, num_tokens: int) -> int:
        """Let the step end after so many of its tokens; how many the completion has by then."""
        at = self._ends[num_tokens - 1]
        done, self._text = self._text[:at], self._text[at:]
        self._is_answer = self._is_answer or CLOSE_TAG in self._line + done
        lines, newline, line = done.rpartition("\n")
        self._is_fenced, self._line = (self._fenced(lines), line) if newline else (self._is_fenced, self._line + line)
        self._ends = [end - at for end in self._ends[num_tokens:]]
        self._looked = 0
        return self.start

    def _first_end(self) -> int | None:
        """Characters of the text at which the step certainly ends; None: it may go on."""
        if self.rule.kind == "thought" and self._is_answer:
            return None
        pattern = _pattern(self.rule)
        reach = max(_LOOK_BACK, len(self.rule.separator))
        for match in pattern.finditer(self._text, max(self._looked - reach, 0)):
            at = match.start() if self.rule.kind == "testbed" else match.end()
            before = self._text[: match.start()]
            if self._has_words(before) and not self._is_within(before, match[0]):
                return at
        self._looked = len(self._text)
        return None

    def _has_words(self, text: str) -> bool:
        if self.rule.kind in ("testbed", "thought"):
            text = text.replace(OPEN_TAG, "")
        return bool(text.strip())

    def _is_within(self, before: str, separator: str) -> bool:
        """What looks like an end is none: it stands in a fence, or ends the number of a list's item."""
        if self.rule.kind == "sentence" and separator != "\n" and _NUMBER.fullmatch(before + separator):
            return True
        return self.rule.kind in ("text", "sentence", "thought") and separator != CLOSE_TAG and self._fenced(before)

    def _fenced(self, text: str) -> bool:
        marks = len(_FENCE.findall(self._line + text))
        return self._is_fenced is (marks % 2 == 0)


class _Stream:
    """Text as tokens come: what a token adds, once its last character is whole."""

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._window: list[int] = []
        self._known = ""
        """The text of the window that has been given out."""
        self._held = 0

    def copy(self) -> _Stream:
        other = _Stream(self._decode)
        other._window, other._known, other._held = [*self._window], self._known, self._held
        return other

    @property
    def held(self) -> str | None:
        """What may be lacking the rest of its last character, and was not given out; None: nothing."""
        return self._decode(self._window)[len(self._known) :] if self._held else None

    def push(self, token: int) -> str:
        self._window.append(token)
        text = self._decode(self._window)
        if not text.endswith("\ufffd"):
            return self._give(text)
        whole = text.rstrip("\ufffd")
        if len(whole) > len(self._known):  # the token has ended a character, and begun the next one
            return self._give(whole, held=1)
        if self._held + 1 < _HELD:
            self._held += 1
            return ""
        return self._give(text)

    def rest(self) -> str:
        return self._give(self._decode(self._window)) if self._held else ""

    def _give(self, text: str, held: int = 0) -> str:
        new = text[len(self._known) :]
        if len(self._window) > 2 * _CONTEXT:
            self._window = self._window[-_CONTEXT:]
            text = self._decode(self._window)
            text = text.rstrip("\ufffd") if held else text
        self._known, self._held = text, held
        return new


@lru_cache(maxsize=64)
def _pattern(rule: StepRule) -> re.Pattern[str]:
    if rule.kind == "testbed":
        return TESTBEDS[rule.separator].step_end
    fixed = {"sentence": _SENTENCE, "thought": _PARAGRAPH}
    return fixed.get(rule.kind) or re.compile(re.escape("\n" if rule.kind == "line" else rule.separator))


def boundaries(tokens: Sequence[int], decode: Decode, rule: StepRule, *, is_finished: bool = True) -> list[int]:
    """The ends of a completion's steps: rising numbers of tokens from its start. What `Cutter` tells while it is written.

    Args:
        tokens: of the completion; a stop token, if `decode` gives it no text, changes nothing but the end of the last step.
        is_finished: the policy stopped by itself. What a budget cut off after the last separator is no step.

    Returns:
        Empty where nothing but blanks was written.
    """
    cutter = Cutter(rule, decode)
    ends = cutter.extend(tokens)
    return [*ends, *(cutter.finish() if is_finished else [])]


def token_ends(tokens: Sequence[int], decode: Decode, characters: Sequence[int]) -> list[int]:
    """The numbers of tokens after which so many characters are written at least: where steps that are known as text end.

    Args:
        characters: rising; each the end of a step in the text of the tokens.

    Raises:
        ValueError: two of them fall into one token, or one is beyond the text.
    """
    ends: list[int] = []
    written = 0
    for number, written in enumerate(character_ends(tokens, decode), 1):
        if len(ends) < len(characters) and written >= characters[len(ends)]:
            ends.append(number)
            if len(ends) < len(characters) and written >= characters[len(ends)]:
                raise ValueError(f"steps {len(ends)} and {len(ends) + 1} end in one token")
    if len(ends) < len(characters):
        raise ValueError(f"step {len(ends) + 1} ends at character {characters[len(ends)]} of {written}")
    return ends


def character_ends(tokens: Sequence[int], decode: Decode) -> list[int]:
    """How many characters of the text are whole after each token; after the last one all that there are.

    A text that ends in U+FFFD may lack the rest of a character or be whole and end in that very one: what follows tells.
    """
    stream, written, ends = _Stream(decode), 0, list[int]()
    held: list[str] = []
    for token in tokens:
        new, rest = stream.push(token), stream.held
        if new or rest is None:
            for k, text in enumerate(held):  # whole then, if more has come behind it and nothing of it has changed
                follows = held[k + 1] if k + 1 < len(held) else new
                if new.startswith(text) and len(follows) > len(text):
                    ends[k - len(held)] = written + len(text)
            held = []
            written += len(new)
        held += [] if rest is None else [rest]
        ends.append(written)
    if ends:
        ends[-1] += len(stream.rest())
    return ends


def decoder(tokenizer: Any) -> Decode:
    """Tokens to text without special tokens, blanks as they were written."""
    return lambda tokens: tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def aggregate(scores: Sequence[float], how: Aggregation) -> float:
    """One number of the scores of a completion's steps.

    Each has its bias: "product" favours few steps, "mean" many and hides one wrong step, "last" looks at the end alone.

    Args:
        scores: in order, 0 to 1 where "product" is to mean a probability.

    Raises:
        ValueError: there are none, one is not finite, or another word.
    """
    if not scores or not all(map(isfinite, scores)):
        raise ValueError(f"scores = {list(scores)[:8]}: expected at least one, all finite")
    functions: dict[str, Callable[[Sequence[float]], float]] = {
        "min": min, "max": max, "product": prod, "last": lambda x: x[-1], "mean": lambda x: fsum(x) / len(x),
    }  # fmt: skip
    if how not in functions:
        raise ValueError(f"aggregation = {how!r}: expected {', '.join(AGGREGATIONS)}")
    return float(functions[how](scores))


def steps_of(source: object) -> str:
    r"""The rule for completions to a source's problems where none is set: a testbed's own, else text:\n\n."""
    bed = find_testbed(source)
    return bed.name if bed is not None else r"text:\n\n"

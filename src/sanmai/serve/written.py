"""From tokens to what a client reads, piece by piece: text, thought and answer apart, cut at the first stop text.

Whatever the pieces are, joined they are the same: a stream says what a whole answer says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sanmai.data.chat import thought_tags_of
from sanmai.data.trace import CLOSE_TAG, OPEN_TAG
from sanmai.types import Tokenizer

_HALF = "�"


class Detokenizer:
    """The text of tokens that come one after another; characters that are not whole yet wait."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.tokens: list[int] = []
        self._from, self._shown = 0, 0

    def feed(self, tokens: Sequence[int], *, is_last: bool = False) -> str:
        """What these tokens add to the text."""
        self.tokens += tokens
        if self._shown == len(self.tokens):
            return ""
        before = self._decode(self.tokens[self._from : self._shown])
        after = self._decode(self.tokens[self._from :])
        if not is_last and after.endswith(_HALF):
            return ""
        # Tokens already shown stay in sight: how the next is written may hang on them (blanks between words, say).
        added = after[len(before) :]
        self._from, self._shown = self._shown, len(self.tokens)
        return added

    def _decode(self, tokens: list[int]) -> str:
        return self.tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)


class StopTexts:
    """Cuts a text before the first of some texts; what may be the beginning of one waits."""

    def __init__(self, stops: Sequence[str]) -> None:
        self.stops, self.is_stopped, self._held = list(stops), False, ""

    def feed(self, text: str, *, is_last: bool = False) -> str:
        """What may be shown now."""
        if self.is_stopped:
            return ""
        self._held += text
        found = [at for stop in self.stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.is_stopped = True
            return self._held[: min(found)]
        keep = 0 if is_last else max((_overlap(self._held, stop) for stop in self.stops), default=0)
        shown, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return shown


def _overlap(text: str, mark: str) -> int:
    """Characters at a text's end that a mark begins with, short of the whole mark."""
    return next((n for n in range(min(len(text), len(mark) - 1), 0, -1) if text.endswith(mark[:n])), 0)


@dataclass(frozen=True)
class Piece:
    """What a client is told next."""

    thought: str = ""
    answer: str = ""


class ThoughtSplitter:
    """Tells thought from answer while they are written.

    A thought stands at the beginning, between a pair of marks, or is opened by the prompt; its first closing mark ends it.
    (`parse_trace`, which sees the whole text, takes the last one: what a model writes after a first one was meant to be
    read, and a stream cannot take it back.) The marks and the blanks around them are left out.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]], opened: str | None = None) -> None:
        """Args:
        pairs: opening and closing marks; of these the text's first decides.
        opened: the closing mark of a thought that the prompt has opened.
        """
        self.pairs = list(pairs)
        self.close, self._held = opened, ""
        """What ends the thought; None while there is none."""
        self._state = "thought" if opened else "start"
        self._is_fresh = True

    @property
    def in_thought(self) -> bool:
        return self._state == "thought"

    @property
    def in_answer(self) -> bool:
        return self._state == "answer"

    def feed(self, text: str, *, is_last: bool = False) -> Piece:
        """What the text adds to thought and answer."""
        self._held += text
        thought = ""
        if self._state == "start":
            self._begin(is_last)
        if self._state == "thought":
            thought = self._think(is_last)
        answer = ""
        if self._state == "answer":
            answer, self._held = self._held, ""
            answer = self._without_first_blanks(answer)
        return Piece(thought, answer)

    def _begin(self, is_last: bool) -> None:
        text = self._held.lstrip()
        for opening, closing in self.pairs:
            if text.startswith(opening):
                self._state, self.close, self._held = "thought", closing, text[len(opening) :]
                return
        if is_last or not any(opening.startswith(text) for opening, _ in self.pairs):
            self._state, self._is_fresh = "answer", False

    def _think(self, is_last: bool) -> str:
        assert self.close is not None
        at = self._held.find(self.close)
        if at >= 0:
            thought, self._held = self._held[:at], self._held[at + len(self.close) :]
            thought = self._without_first_blanks(thought)
            self._state, self._is_fresh = "answer", True
            return thought
        keep = 0 if is_last else _overlap(self._held, self.close)
        thought, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return self._without_first_blanks(thought)

    def _without_first_blanks(self, text: str) -> str:
        if self._is_fresh:
            text = text.lstrip()
            self._is_fresh = not text
        return text


def thought_pairs(tokenizer: Tokenizer) -> list[tuple[str, str]]:
    """The marks that a model's thoughts may stand between: its own where it has some, and <think>."""
    own = thought_tags_of(tokenizer)
    return list(dict.fromkeys([*([own] if own else []), (OPEN_TAG, CLOSE_TAG)]))

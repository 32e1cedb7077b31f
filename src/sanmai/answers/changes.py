"""Words that make another number, or none, of the number beside them, in many languages: `changes` in answers/rows.

The kinds: a scale (million, dozen), a sign in words (minus), a comparison (more than), an approximation (about), a supposition
(suppose), somebody else's word for it (according to), a multiple or power (twice, squared), a share (percent), a part or
draft of the answer (intermediate, part a), one that is called false.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from sanmai.answers.words import WORDS

_GLUED = r"[^\W\d_]"
MARKS = "".join(chr(c) for c in range(0x900, 0xE00) if unicodedata.category(chr(c)) in ("Mn", "Mc"))
"""Vowel signs of the scripts of India: within a word, though Python's \\w does not hold them."""
_UNSPACED = ("th", "ko", "ja", "zh")
_SUPPOSED = frozenset(
    ["仮に", "仮定", "とすると", "としよう", "によれば", "假设", "假設", "假如", "假定",
     "가정", "라고 하자", "에 따르면", "สมมติ", "สมมุติ", "ตามที่", "百分之"]
)  # fmt: skip
_SYMBOLS = re.compile(r"[√∛±≤≥<>≠≈~²³⁴⁵⁶⁷⁸⁹¹⁰ⁿˣ^!‰°]|#\s*[πᴨ]|#[a-zA-Z](?![a-zA-Z])|#\s+[xyznk]\b|#\s*\(?[xyz]\b")
"""Signs, powers and letters beside a number, in every language."""


@cache
def _pattern(language: str) -> re.Pattern[str]:
    parts, begin = [], rf"(?<!{_GLUED})(?<![{MARKS}])"
    for word in sorted(WORDS[language].changes.split("|"), key=len, reverse=True):
        if language in _UNSPACED:
            parts.append(_beside(word))
        else:
            end = "" if word.endswith("+") else r"(?![^\W\d_]|[\u0900-\u0dff])"
            parts.append(rf"{begin}{re.escape(word.rstrip('+'))}{end}")
    return re.compile("|".join(parts), re.IGNORECASE)


def _beside(word: str) -> str:
    """A word of a language without spaces: beside the number, the nearer the shorter it is; what supposes may stand anywhere."""
    if word in _SUPPOSED:
        return re.escape(word)
    before, after = (2, 0) if len(word.strip()) == 1 else (8, 4)
    return rf"{re.escape(word)}[^#]{{0,{before}}}#|#\s?[^#]{{0,{after}}}{re.escape(word)}"


def is_changed(sentence: str, languages: list[str]) -> bool:
    """Whether a sentence, its number written "#", holds a sign or a word of these languages that makes another of it."""
    return bool(_SYMBOLS.search(sentence)) or any(
        WORDS[language].changes and _pattern(language).search(sentence) for language in languages
    )

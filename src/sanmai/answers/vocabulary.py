"""The words of final answers in many languages as patterns, and which of the languages a sentence is in."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from sanmai.answers.changes import MARKS
from sanmai.answers.words import WORDS

UNSPACED = frozenset({"th", "ko", "ja", "zh"})
"""Written without spaces, or with endings joined on: their words are looked for anywhere."""
ENDINGS = frozenset({"tr", "hu", "fi", "te", "ta", "bn", "hi", "id", "he", "el", "sw"})
"""A phrase may go on with letters ("cevabınız", "సమాధానము")."""


@cache
def names_pattern() -> re.Pattern[str]:
    """The names of an answer in every language, the longer ones first."""
    named = [(name, code) for code, words in WORDS.items() for name in words.named.split("|")]
    ordered = sorted(named, key=lambda pair: -len(pair[0]))
    return re.compile("|".join(word_regex(name, code, is_name=True) for name, code in ordered), re.IGNORECASE)


@cache
def _languages(phrase: str) -> tuple[str, ...]:
    return tuple(code for code in WORDS if words_pattern("named", (code,)).fullmatch(phrase))


def languages_of(phrase: str, sentence: str) -> list[str]:
    """The languages that name an answer so; of several, those whose articles and copulas the sentence has most of."""
    codes = _languages(phrase.lower())
    if len(codes) < 2:
        return list(codes)
    scores = {code: len({m[0].lower() for m in words_pattern("glue", (code,)).finditer(sentence)}) for code in codes}
    return [code for code in codes if scores[code] == max(scores.values())]


def _words(kind: str, code: str) -> str:
    """The words of one kind; "known" may stand around a plain answer, "leads" before its name, "states" in a whole sentence."""
    words = WORDS[code]
    if kind == "leads":
        return "|".join((_words("known", code), words.leads))
    if kind == "known":
        return "|".join((words.named, words.glue, words.why, words.fine, words.known))
    return getattr(words, kind)


@cache
def words_pattern(kind: str, codes: tuple[str, ...]) -> re.Pattern[str]:
    """Any word of one kind in these languages; never matches where they have none."""
    pairs = [(word, code) for code in codes for word in _words(kind, code).split("|") if word]
    pairs.sort(key=lambda pair: -len(pair[0]))
    parts = [word_regex(word, code, is_name=kind == "named") for word, code in pairs]
    return re.compile("|".join(parts) or r"(?!)", re.IGNORECASE)


def word_regex(word: str, code: str, *, is_name: bool = False) -> str:
    """A word of answers/words.py as a regular expression."""
    body = (
        re.escape(word.rstrip("+"))
        .replace("…", r"[^.!?\n]{0,60}?\b")
        .replace(r"\#", r"\W{0,3}[#\d]")
        .replace(r"\ ", r"\s+")
    )
    if code in UNSPACED:
        return body
    begin = rf"(?<![^\W\d_])(?<![{MARKS}])" if word[0].isalnum() else ""
    is_whole = word[-1].isalnum() or unicodedata.category(word[-1]) in ("Mn", "Mc")
    is_open = word.endswith("+") or (is_name and code in ENDINGS) or not is_whole
    return begin + body + ("" if is_open else r"(?![^\W\d_]|[\u0900-\u0dff])")

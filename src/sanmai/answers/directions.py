"""Words about a quantity that have an opposite: "5 miles north" is not "5 miles south", "5 degrees below zero" is -5."""

from __future__ import annotations

import re

from sanmai.answers.unit_names import OPPOSITES

_SENSES = [{word: sense for sense, words in enumerate(row) for word in words.split()} for row in OPPOSITES]
WORDS = frozenset(word for row in _SENSES for word in row)


def are_opposed(reference: str, candidate: str) -> bool:
    """Whether both answers have a word of one row of opposites, and not the same one, or in another order.

    What only one of the two says makes no difference.
    """
    first, second = (_words(text) for text in (reference, candidate))
    if not (first & WORDS and second & WORDS):
        return False
    rows = [row for row in _SENSES if row.keys() & first and row.keys() & second]
    return any(_senses(reference, row) != _senses(candidate, row) for row in rows)


def _words(text: str) -> frozenset[str]:
    return frozenset(_ordered(text))


def _ordered(text: str) -> list[str]:
    bare = re.sub(r"\\[A-Za-z]+", " ", text).casefold()
    return re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", bare)


def _senses(text: str, row: dict[str, int]) -> list[int]:
    return list(dict.fromkeys(row[word] for word in _ordered(text) if word in row))


_BELOW_ZERO = re.compile(
    r"(?P<value>[$\s]*[0-9][0-9.,]*)(?P<unit>(?:\s*\^\{\\circ\}\s*[CF]?|\s*\\text\{|\s*(?:degrees?|deg)\b|\s*(?:celsius|fahrenheit|[CF])\b"
    r"|\s+)*?)\s*\b(?:below|under|beneath)\s+(?:zero|0)(?P<close>\s*\}?)",
    re.IGNORECASE,
)


def below_zero(text: str) -> str:
    """-5 degrees" for "5 degrees below zero"; other texts unchanged."""
    match = _BELOW_ZERO.fullmatch(text)
    if match is None:
        return text
    unit = match["unit"] + match["close"].strip()
    return f"-{match['value'].strip()}{unit if unit.count('{') == unit.count('}') else unit.replace('}', '')}".strip()

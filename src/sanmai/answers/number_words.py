"""Numbers that are written in words, or in digits with their words in brackets."""

from __future__ import annotations

import re

from sanmai.answers.quantities import number, without_ordinal
from sanmai.answers.units import parse

_SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen""".split()  # noqa: SIM905
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
_TENS: dict[str, int] = {word: 10 * k for k, word in enumerate(_TENS_WORDS, 2)}
_VALUES = {word: k for k, word in enumerate(_SMALL)} | _TENS | {"fourty": 40}
_LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_RANKS = """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth
    sixteenth seventeenth eighteenth nineteenth""".split()  # noqa: SIM905
_ORDINALS = {word: k for k, word in enumerate(_RANKS, 1)} | {f"{word[:-1]}ieth": k for word, k in _TENS.items()}
_SHARES = {"half": 2, "halves": 2, "quarter": 4, "quarters": 4} | {
    form: k for word, k in _ORDINALS.items() if k > 2 for form in (word, f"{word}s")
}


_ASKS_RANK = re.compile(
    r"\b(?:which|what) (?:place|position|grade|floor|row|column|day|term|century|one|person|rank|level|year|lap|seat|digit|"
    r"house|step)\b"
    r"|\bhow many(?:th|eth)\b",
    re.IGNORECASE,
)


def asks_rank(question: str) -> bool:
    """Whether a question asks for a place in an order: "In which grade is she?"."""
    return _ASKS_RANK.search(question) is not None


def is_rank(text: str) -> bool:
    """Whether a text is an ordinal: "3rd", "third"."""
    return without_ordinal(text) != text or in_digits(text, ranks=True) != in_digits(text)


def in_digits(text: str, *, ranks: bool = False) -> str:
    r"""12 \text{ dollars}" for "twelve dollars", "-5", "2/3", "50%" of words; other texts unchanged.

    Args:
        ranks: "third" is "3th"; otherwise it is no number, since it may also be a part.
    """
    bare = re.sub(r"\\text\s*\{([^{}]*)\}", r" \1 ", text).casefold().strip(" .!")
    words = re.findall(r"[a-z]+(?:'[a-z]+)?", bare)
    if not words or re.search(r"[^a-z\s'-]", bare) or len(words) > 16:
        return text
    sign = "-" if words[0] in ("minus", "negative") else ""
    words = words[1:] if sign else words
    if ranks and not sign and (rank := _rank(words)) is not None:
        return f"{rank}th"
    if words[-3:] == ["and", "a", "half"] and (whole := _cardinal(words[:-3])) is not None:
        return f"{sign}{2 * whole + 1}/2"
    words = ["one", *words[1:]] if words[:2] == ["a", "dozen"] else words
    for k in range(len(words), 0, -1):
        value = _cardinal(words[:k])
        if value is None:
            continue
        rest = words[k:]
        if not rest:
            return f"{sign}{value}"
        if rest == ["dozen"]:
            return f"{sign}{12 * value}"
        if len(rest) == 1 and rest[0] in _SHARES and value > 0:
            return f"{sign}{value}/{_SHARES[rest[0]]}"
        if rest in (["percent"], ["per", "cent"]):
            return f"{sign}{value}%"
        return rf"{sign}{value} \text{{ {' '.join(rest)}}}" if parse(" ".join(rest)) else text
    return text


def _rank(words: list[str]) -> int | None:
    """The value of "seventh", "the third" or "twenty-first"; None of other words."""
    words = words[1:] if words[:1] == ["the"] else words
    if not words or words[-1] not in _ORDINALS:
        return None
    tens, last = words[:-1], _ORDINALS[words[-1]]
    if not tens:
        return last
    return _TENS[tens[0]] + last if len(tens) == 1 and tens[0] in _TENS and last < 10 else None


def _cardinal(words: list[str]) -> int | None:
    """The value of "two hundred and five"; None where the words do not make one number."""
    total, group, last = 0, 0, 0
    for k, word in enumerate(words):
        if word == "and":
            if not (0 < k < len(words) - 1) or words[k - 1] not in ("hundred", *_LARGE):
                return None
        elif word in _VALUES:
            value = _VALUES[word]
            if last and not (last >= 20 and value < 10 and last < 100 and value > 0) and last < 100:
                return None
            group, last = group + value, value
        elif word == "hundred" and (0 < group < 100 or (k == 0)):
            group, last = max(group, 1) * 100, 100
        elif word in _LARGE and group:
            total, group, last = total + group * _LARGE[word], 0, 1000
        else:
            return None
    return total + group if words and words[0] != "and" else None


_TWICE = re.compile(r"(?P<value>.*[\d}%])\s*(?:\\text\s*\{\s*)?\(\s*(?P<words>[A-Za-z][A-Za-z -]*)\)\s*\}?")


def said_once(text: str) -> str:
    r"""5" for "5 (five)"; the text where the words are another number, or none."""
    match = _TWICE.fullmatch(text)
    if match is None:
        return text
    words, value = number(in_digits(match["words"].strip())), number(match["value"].strip())
    return match["value"].strip() if words is not None and words == value else text

r"""What a box calls its value: "x + y = 5", "|AB| = 5", "n_{\min} = 5", "A(2, -3)"; and ratios."""

from __future__ import annotations

import re
from fractions import Fraction

from sanmai.answers.quantities import clock, number

_BRACES = r"\{(?:[^{}=]|\{[^{}=]*\})*\}"
_LETTER = r"(?:[A-Za-z]|\\(?:theta|alpha|beta|gamma|phi|omega|lambda|mu|sigma|rho|Delta|ell)(?![A-Za-z]))"
_NAME = re.compile(
    rf"{_LETTER}'?_(?:{_BRACES}|\w)(?:\([^=]{{1,40}}\))?"
    r"|\|\s*(?:\\(?:vec|overline|overrightarrow)\{)?\s*[A-Z]{2}\s*\}?\s*\|"
    r"|\\(?:overline|vec|overrightarrow|widehat|overarc)\{[A-Za-z]{1,3}\}"
    r"|\\frac\{(?:d|\\partial)[^{}]{0,8}\}\{(?:d|\\partial)\s*[a-z]\}|[a-z]''?"
    r"|\\(?:lim|int|iint|sum|prod)(?![A-Za-z]).+"
    rf"|\\(?:sin|cos|tan|cot|sec|csc)\s*\(?\s*(?:{_LETTER}|\\angle\s*[A-Z]{{1,3}}|[A-Z])\s*\)?"
    r"|(?:[PE]|\\Pr|\\mathbb\{[PE]\}|\\text\{(?:P|Pr|E|Var|Area|area)\}|\\(?:gcd|det|deg|max|min|dim))\s*[(\[{]?[^=]{1,60}[)\]}]"
)
_COMBINED = re.compile(
    rf"(?:{_LETTER}(?:_(?:\w|{_BRACES}))?|[0-9]+|[-+*/^(){{}}|\s]|\\(?:cdot|times|frac|sqrt)(?![A-Za-z]))+"
)


def sides(text: str) -> list[str]:
    """The parts between the equals signs outside all brackets."""
    parts, depth, start = [], 0, 0
    for k, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == "=" and depth == 0:
            parts.append(text[start:k].strip())
            start = k + 1
    return [*parts, text[start:].strip()]


def is_quantity(text: str) -> bool:
    """Whether a text names a quantity: a part of a figure, a limit, a probability, a combination of two or more letters.

    A multiple or power of one letter is none: "2x = 5" says that x is 2.5.
    """
    if _NAME.fullmatch(text):
        return True
    letters = set(
        re.findall(
            r"(?<![A-Za-z\\])[A-Za-z]|\\(?:theta|alpha|beta|gamma|phi)",
            re.sub(r"_(?:\w|\{[^{}]*\})|\\(?:cdot|times|frac|sqrt)", " ", text),
        )
    )
    letters |= set(re.findall("[a-z]", re.sub(r"\\[A-Za-z]+|[^a-z]", "", text)))
    return len(letters) > 1 and _COMBINED.fullmatch(text) is not None


def is_single_name(text: str) -> bool:
    """Whether a text is one letter, with or without an index."""
    return re.fullmatch(rf"{_LETTER}'?(?:_(?:{_BRACES}|\w))?", text) is not None


_POINT_NAME = r"[A-Z]'?(?:_(?:\w|\{\w{1,3}\}))?\s*=?\s*"
_POINT = _POINT_NAME + r"\([^()=]*,[^()=]*\)"
_POINTS = re.compile(rf"{_POINT}(?:\s*(?:,|;|\band\b)\s*{_POINT})*")


def without_point_names(text: str) -> str:
    """(2,-3)" for "A(2,-3)", "(1,2), (3,4)" for "A(1,2), B(3,4)"; other texts unchanged."""
    if _POINTS.fullmatch(text) is None:
        return text
    return re.sub(_POINT_NAME + r"(?=\()", "", text)


_TIME = re.compile(r"\s*\d{1,2}\s*:\s*\d\d\s*")


def ratio(text: str) -> list[Fraction] | None:
    r"""[2, 4, 6] for "2:4:6", "2 \text{ to } 4"; None of other texts, and of two zeros."""
    parts = re.split(r"\s*:\s*|\s*\\text\s*\{\s*to\s*\}\s*|\s+to\s+", text.strip())
    values = [number(part) for part in parts] if 2 <= len(parts) <= 6 else []
    found = [value[0] for value in values if value is not None and not value[1]]
    return found if len(found) == len(parts) and any(found) else None


def same_ratio(reference: str, candidate: str) -> bool | None:
    """Whether two ratios, or a ratio of two and a fraction, are equal; None where they are no two such, or may be times."""
    first, second = ratio(reference), ratio(candidate)
    if first is None and second is None:
        return None
    texts = (reference, candidate)
    if any(re.search(r":\s*0\d", text) for text in texts):
        return None
    if any(clock(text) for text in texts) and all(_TIME.fullmatch(text) for text in texts):
        return None
    if first and second:
        if len(first) != len(second):
            return False
        k = next(k for k, value in enumerate(first) if value)
        return second[k] != 0 and all(a * second[k] == b * first[k] for a, b in zip(first, second, strict=True))
    pair, other = (first, candidate) if first else (second, reference)
    value = number(other)
    is_fraction = "/" in other or r"\frac" in other
    return pair[0] == value[0] * pair[1] if pair and len(pair) == 2 and value and is_fraction else None

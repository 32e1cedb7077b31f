"""Are two final answers the same? Exact rules first, symbolic algebra in a killable child process for the rest.

No float is compared: "0.333" is not 1/3. Digits are ASCII; other digits are never read as numbers.
"""

from __future__ import annotations

import atexit
import re
import unicodedata
from fractions import Fraction
from functools import cache

from sanmai.sandbox import ChildPool, TimedOut, Value
from sanmai.types import Verdict

MAX_CHARS = 1000
"""Longer answers are not final answers; nothing slower than linear ever sees more."""


def compare(reference: str, candidate: str, *, timeout_seconds: float = 5.0) -> Verdict:
    """Whether a candidate answer equals the reference: correct, wrong, ambiguous, or ungradable (None).

    A unit, a currency sign, a percent sign or a name (`x = `) on one side only makes no difference. Lists in brackets
    are compared in order and with their brackets; bare lists and sets in any order. A word must be the same word.
    """
    if len(reference) > MAX_CHARS:
        return Verdict(None, f"the reference is longer than {MAX_CHARS} characters", "ungradable")
    reference = normalise(reference)
    if not reference or has_foreign_digits(reference) or _NO_ANSWER.fullmatch(reference):
        return Verdict(None, f"the reference is no answer: {reference[:80]!r}", "ungradable")
    if len(candidate) > MAX_CHARS:
        return _wrong(f"longer than {MAX_CHARS} characters")
    candidate = normalise(candidate)
    if _squeeze(reference) == _squeeze(candidate):
        return Verdict(1.0, "the same text", "correct")
    if has_foreign_digits(candidate):
        return _wrong("digits that are not ASCII")
    return _compare_normal(reference, candidate, timeout_seconds)


def _compare_normal(reference: str, candidate: str, timeout_seconds: float) -> Verdict:
    reference_name, reference_value = split_name(reference)
    candidate_name, candidate_value = split_name(candidate)
    if reference_name and candidate_name and reference_name != candidate_name:
        return _wrong(f"{candidate_name} is not {reference_name}")
    if "=" not in reference_value and "=" in candidate_value and not reference_name:
        sides = candidate_value.split("=")[:8]
        verdicts = [_compare_value(reference_value, side.strip(), timeout_seconds) for side in sides]
        return next((v for v in verdicts if v.score != 1.0), verdicts[0])
    if "=" in candidate_value and reference_name:
        reference_value, candidate_value = reference, candidate
    return _compare_value(reference_value, candidate_value, timeout_seconds)


def _compare_value(reference: str, candidate: str, timeout_seconds: float) -> Verdict:
    reference, reference_base = _split_base(strip_unit(reference))
    candidate, candidate_base = _split_base(strip_unit(candidate))
    if candidate_base and candidate_base != (reference_base or "10"):
        return _wrong("another base")
    if _squeeze(reference) == _squeeze(candidate):
        return Verdict(1.0, "the same text", "correct")
    exact, given = number(reference), number(candidate)
    if exact is not None and given is not None:
        values = {given[0], given[0] * 100 if given[1] else given[0]} if not exact[1] else {given[0], given[0] / 100}
        values = {given[0]} if exact[1] and given[1] else values
        return Verdict(1.0, "equal numbers", "correct") if exact[0] in values else _wrong("another number")
    if is_word(reference):
        is_same = _bare_word(reference) == _bare_word(candidate)
        return Verdict(1.0, "the same word", "correct") if is_same else _wrong("another word")
    if not _is_list(reference) and _is_list(candidate):
        return Verdict(0.0, "several answers where one was asked for", "ambiguous")
    if not is_mathematics(candidate):
        return _wrong("not one mathematical expression")
    if _EXPLOSIVE.search(candidate):
        return Verdict(None, "a number too large to work out", "ungradable")
    return _compare_symbolically(reference, candidate, timeout_seconds)


def _compare_symbolically(reference: str, candidate: str, timeout_seconds: float) -> Verdict:
    outcome = _pool().call("sanmai.rewards.symbolic:equal", reference, candidate, timeout_seconds=timeout_seconds)
    if isinstance(outcome, TimedOut):
        return Verdict(None, f"grader timed out after {timeout_seconds:g} s", "ungradable")
    if not isinstance(outcome, Value):
        return Verdict(None, f"grader crashed: {outcome.reason}", "ungradable")
    if outcome.value is None:
        return Verdict(None, f"the reference cannot be parsed: {reference[:80]!r}", "ungradable")
    return Verdict(1.0, "symbolically equal", "correct") if outcome.value else _wrong("not symbolically equal")


@cache
def _pool() -> ChildPool:
    pool = ChildPool(2)
    atexit.register(pool.close)
    return pool


def _wrong(reason: str) -> Verdict:
    return Verdict(0.0, reason, "wrong")


# One notation.

_REPLACEMENTS = [
    (re.compile(r"[\u2212\u2013\uff0d]"), "-"),
    (re.compile(r"(?<=\d)(?:\\[,!;: ]|\{,\}|,\\!)(?=\d{3})"), lambda m: "," if "," in m[0][-2:] else ""),
    (re.compile(r"\\(?:left|right|displaystyle|big|Big|bigl|bigr)(?![A-Za-z])"), ""),
    (re.compile(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\\(?:text|mathrm|mathbf|textbf|mbox|textit|operatorname)\s*(?=\{)"), r"\\text"),
    (re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ)|\\degree|°"), " "),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"\\\$"), "$"),
    (re.compile(r"\\[,!;: ]|~|\\q?quad(?![A-Za-z])"), " "),
    (re.compile(r"\s*(?:\\text\{\s*(?:or|and)\s*\}|\b(?:or|and)\b)\s*"), ", "),
    (re.compile(r"\\frac\s*(\d)\s*(\d)(?!\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s*(\d)\s*\{"), r"\\frac{\1}{"),
    (re.compile(r"(\\frac\{[^{}]*\})\s*(\d)"), r"\1{\2}"),
    (re.compile(r"\\sqrt\s*(\d)"), r"\\sqrt{\1}"),
    (re.compile(r"\s+"), " "),
]
_WRAPPERS = [("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("`", "`"), ("{", "}")]


def normalise(text: str) -> str:
    """One notation for what looks the same: wrappers, spaces, kinds of fraction, degree signs, minus signs."""
    text = text[: MAX_CHARS + 1].strip()
    for _ in range(6):
        before, text = text, _unwrap(text.strip().rstrip(".").rstrip("。").strip())
        if text == before:
            break
    for pattern, replacement in _REPLACEMENTS:
        text = pattern.sub(replacement, text)
    return text.strip()


def _unwrap(text: str) -> str:
    for left, right in _WRAPPERS:
        if text.startswith(left) and text.endswith(right) and len(text) >= len(left) + len(right):
            inner = text[len(left) : len(text) - len(right)]
            bare = inner.replace(r"\$", "")
            if left not in bare and right not in bare and not inner.endswith("\\"):
                return inner
    for command in (r"\boxed{", r"\fbox{", r"\text{", r"\mathrm{", r"\textbf{", r"\mathbf{"):
        if text.startswith(command) and closing_brace(text, len(command)) == len(text) - 1:
            return text[len(command) : -1]
    return text


def closing_brace(text: str, start: int) -> int | None:
    """Position of the brace that closes the one opened just before `start`; None when there is none."""
    depth = 1
    for match in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, start):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return match.start()
    return None


def has_foreign_digits(text: str) -> bool:
    """Whether there is a digit, numeral, superscript or vulgar fraction outside ASCII."""
    return not text.isascii() and any(ord(c) > 127 and unicodedata.category(c).startswith("N") for c in text)


def _squeeze(text: str) -> str:
    return re.sub(r"(?<![\w])\s+|\s+(?![\w])", "", text)


_NO_ANSWER = re.compile(r"[+-]?(?:nan|inf|infinity|none|null|\?)", re.IGNORECASE)

# Numbers, units, names, words.

_DECIMAL = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+"
_NUMBER = re.compile(
    rf"(?P<sign>[+-]?)\s*(?:(?:US)?[$€£¥]\s*)?(?P<inner>[+-]?)(?:"
    rf"(?:(?P<whole>[0-9]+)(?:\s+(?=[0-9])|\s*(?=\\)))?"
    rf"(?:(?P<over>[0-9]+)\s*/\s*(?P<under>[0-9]+)"
    rf"|\\frac\{{\s*(?P<top>-?[0-9]+)\s*\}}\{{\s*(?P<bottom>-?[0-9]+)\s*\}})"
    rf"|(?P<decimal>{_DECIMAL}))\s*(?P<percent>%|\\text\{{\s*percent\s*\}}|percent)?"
)


def number(text: str) -> tuple[Fraction, bool] | None:
    """The exact value of a plain number (integer, decimal, fraction, mixed number) and whether it is a percentage."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None or (match["sign"] and match["inner"]):
        return None
    if match["decimal"]:
        value = Fraction(match["decimal"].replace(",", "").rstrip("."))
    else:
        below = int(match["under"] or match["bottom"])
        if below == 0:
            return None
        value = Fraction(int(match["over"] or match["top"]), below)
        if match["whole"]:
            value += int(match["whole"])
    value = -value if "-" in (match["sign"], match["inner"]) else value
    return (value / 100, True) if match["percent"] else (value, False)


_TEXT_UNIT = re.compile(r"(.*[\d})])\s*\\text\{\s*([^{}]*?)\s*\}(?:\s*\^\{?[23]\}?)?", re.DOTALL)
_PLAIN_UNIT = re.compile(
    rf"((?:[+-]?\s*(?:US)?[$€£¥]?\s*)?[+-]?(?:[0-9]+\s*/\s*[0-9]+|{_DECIMAL})\s*%?)\s*([^\W\d_].*)"
)
_UNIT = re.compile(r"[A-Za-z]{2,}[A-Za-z/'-]*(?: [A-Za-z/'-]+){0,2}|[\u4e00-\u9fff]{1,3}")
_NO_UNIT = re.compile(
    r"\b(?:or|and|not?|nor|is|isn't|wrong|incorrect|false|maybe|perhaps|possibly|but|if|plus|minus|times|over|point|half|"
    r"halves|thirds?|quarters?|fourths?|fifths?|tenths?|hundredths?|hundreds?|thousands?|millions?|billions?|trillions?|"
    r"dozens?|scores?|pairs?|squared|cubed|factorial|percent|percentage|less|more|than|to|vs|versus|mod|either|neither|"
    r"never|about|around|roughly|one|two|three|four|five|six|seven|eight|nine|ten|base|power|divided|multiplied|sqrt|log|"
    r"ln|sin|cos|tan|pi|exp|mil|nicht|falsch|oder|et|ou|faux|pas|o|incorrecto)\b"
    r"|[不没非错误或和与又半十百千万亿点倍约零一二三四五六七八九分]",
    re.IGNORECASE,
)


def strip_unit(text: str) -> str:
    """The text without the unit after its number ("18 dollars per day"); unchanged when in doubt."""
    for pattern in (_TEXT_UNIT, _PLAIN_UNIT):
        match = pattern.fullmatch(text)
        if match and (not match[2] or (_UNIT.fullmatch(match[2]) and not _NO_UNIT.search(match[2]))):
            return match[1].strip()
    return text


_NAME = re.compile(r"((?:[A-Za-z]|\\[a-z]+)(?:_\{?\w{1,8}\}?)?(?:\([A-Za-z](?:,[A-Za-z])*\))?)\s*=\s*([^=]+)")


def split_name(text: str) -> tuple[str | None, str]:
    """("x", "5") for "x = 5"; (None, text) where no single name stands before the only equals sign."""
    match = _NAME.fullmatch(text)
    return (match[1], match[2].strip()) if match else (None, text)


def _split_base(text: str) -> tuple[str, str | None]:
    match = re.fullmatch(r"([0-9A-Z]+)_(?:\{([0-9]+)\}|([0-9]+))", text)
    return (match[1], match[2] or match[3]) if match else (text, None)


def is_word(text: str) -> bool:
    """A word, a name or a choice letter rather than a formula: "east", "(C)"."""
    bare = text.replace(r"\text{", "").replace("}", "").strip("() ")
    return re.fullmatch(r"[A-Z]|[^\W\d_]{3,}(?:[ '-][^\W\d_]+)*|yes|no", bare) is not None


def _bare_word(text: str) -> str:
    return text.replace(r"\text{", "").replace("}", "").strip("()., ").casefold()


def split_list(text: str) -> tuple[str, list[str], str]:
    """(opening bracket, items, closing bracket) of a list; "" where there is no bracket; a scalar is one item."""
    text = text.strip()
    for left, right in ((r"\{", r"\}"), ("(", ")"), ("[", "]"), ("(", "]"), ("[", ")")):
        if text.startswith(left) and text.endswith(right):
            items = _split_commas(text[len(left) : -len(right)])
            if items is not None and len(items) > 1:
                return left, items, right
    return "", (_split_commas(text) or [text]) if number(text) is None else [text], ""


def _split_commas(text: str) -> list[str] | None:
    """The parts between the commas outside all brackets; None when the brackets do not match."""
    parts, depth, start = [], 0, 0
    for k, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return None
        if character == "," and depth == 0:
            parts.append(text[start:k].strip())
            start = k + 1
    return [*parts, text[start:].strip()] if depth == 0 else None


def _is_list(text: str) -> bool:
    left, items, _ = split_list(text)
    return bool(left) or len(items) > 1 or r"\pm" in text or r"\mp" in text


_COMMANDS = frozenset(
    "frac sqrt cdot times div pi pm mp cup cap infty sin cos tan cot sec csc arcsin arccos arctan log ln exp theta "  # noqa: SIM905
    "alpha beta gamma phi omega lambda mu sigma le ge leq geq lt gt in binom begin end pmatrix bmatrix matrix mathbb "
    "emptyset overline lfloor rfloor lceil rceil".split()
)
_LETTERS = re.compile(r"[A-Za-z]{3,}")
_FUNCTIONS = {"sin", "cos", "tan", "cot", "sec", "csc", "log", "exp", "sqrt", "matrix", "pmatrix", "bmatrix"}


def is_mathematics(text: str) -> bool:
    """Whether the text is one expression and nothing else: known commands, no words, no two numbers side by side."""
    if not re.fullmatch(r"[A-Za-z0-9\s+\-*/^_=<>.,!(){}\[\]|&\\%π√∞×·÷≤≥∪∩]+", text) or not text:
        return False
    if re.search(r"[0-9]\s+[.,]?[0-9]|(?<!\\)\\(?![A-Za-z\\{}])", text):
        return False
    if ("&" in text or "\\\\" in text) and r"\begin{" not in text:
        return False
    if any(command not in _COMMANDS for command in re.findall(r"\\([A-Za-z]+)", text)):
        return False
    return all(word in _FUNCTIONS for word in _LETTERS.findall(re.sub(r"\\[A-Za-z]+", " ", text)))


_EXPLOSIVE = re.compile(
    r"\d{4,}\}?\)?\s*!|!\s*\)?\s*!|(?:\^|\*\*)[\s{(]*-?[\d.]+[\s})]*(?:\^|\*\*|!)|(?:\^|\*\*)[\s{(]*-?\d{4,}"
)

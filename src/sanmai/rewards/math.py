"""Are two final answers the same? Exact rules first, symbolic algebra in a killable child process for the rest.

No float is compared: "0.333" is not 1/3. Digits are ASCII; other digits are never read as numbers.
"""

from __future__ import annotations

import atexit
import re
import unicodedata
from fractions import Fraction
from functools import cache

from sanmai.sandbox import ChildPool, Outcome, Value
from sanmai.types import Verdict

MAX_CHARS = 1000
"""Longer answers are not final answers; nothing slower than linear ever sees more."""


def compare(
    reference: str, candidate: str, *, timeout_seconds: float = 5.0, is_percentage_asked: bool = False
) -> Verdict:
    """Whether a candidate answer equals the reference: correct, wrong, ambiguous, or ungradable (None).

    A unit or a name (`x = `) on one side only makes no difference; on both sides they must agree. A percent sign is
    dropped when the reference has one or the question asks for a percentage. Lists in brackets are compared in order
    and with their brackets; bare lists and sets in any order. A word must be the same word.

    `timeout_seconds` is processor time. A candidate that cannot be compared within it is no right answer: 0.0, labelled
    "too_large" or "timed_out". Only a reference that cannot be graded by itself gives None.
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
    reference_name, reference_value = split_name(reference)
    candidate_name, candidate_value = split_name(candidate)
    if reference_name and candidate_name and reference_name != candidate_name:
        return _wrong(f"{candidate_name} is not {reference_name}")
    sides = [candidate_value]
    if "=" in candidate_value and reference_name:
        reference_value, sides = reference, [candidate]
    elif "=" in candidate_value and "=" not in reference_value:
        sides = [side.strip() for side in candidate_value.split("=")[:8]]
    verdicts = [_compare_value(reference_value, side, timeout_seconds, is_percentage_asked) for side in sides]
    return next((v for v in verdicts if v.score != 1.0), verdicts[0])


def _compare_value(reference: str, candidate: str, timeout_seconds: float, is_percentage_asked: bool) -> Verdict:
    (reference, reference_unit), (candidate, candidate_unit) = split_unit(reference), split_unit(candidate)
    if reference_unit and candidate_unit and not reference_unit & candidate_unit:
        return _wrong("another unit")
    (reference, reference_base), (candidate, candidate_base) = _split_base(reference), _split_base(candidate)
    if candidate_base and candidate_base != (reference_base or "10"):
        return _wrong("another base")
    if _squeeze(reference) == _squeeze(candidate):
        return Verdict(1.0, "the same text", "correct")
    exact, given = number(reference), number(candidate)
    if exact is not None and given is not None:
        values = {given[0]}
        if exact[1] and not given[1]:
            values.add(given[0] / 100)
        if given[1] and not exact[1] and is_percentage_asked:
            values.add(given[0] * 100)
        return Verdict(1.0, "equal numbers", "correct") if exact[0] in values else _wrong("another number")
    if is_word(reference):
        is_same = _bare_word(reference) == _bare_word(candidate)
        return Verdict(1.0, "the same word", "correct") if is_same else _wrong("another word")
    if not _is_list(reference) and _is_list(candidate):
        return Verdict(0.0, "several answers where one was asked for", "ambiguous")
    if not is_mathematics(candidate):
        return _wrong("not one mathematical expression")
    if _EXPLOSIVE.search(reference):
        return Verdict(None, "the reference is too large to work out", "ungradable")
    if _EXPLOSIVE.search(candidate):
        return Verdict(0.0, "a number too large to work out", "too_large")
    outcome = _equal(reference, candidate, timeout_seconds)
    if not isinstance(outcome, Value):
        # Who was it? A policy that breaks the grader must not thereby escape the penalty for a wrong answer.
        if not isinstance(_equal(reference, reference, timeout_seconds), Value):
            return Verdict(None, f"the reference cannot be worked out: {reference[:80]!r}", "ungradable")
        return Verdict(0.0, f"not worked out within {timeout_seconds:g} s of processor time", "timed_out")
    if outcome.value is None:
        return Verdict(None, f"the reference cannot be parsed: {reference[:80]!r}", "ungradable")
    return Verdict(1.0, "symbolically equal", "correct") if outcome.value else _wrong("not symbolically equal")


def _equal(reference: str, candidate: str, timeout_seconds: float) -> Outcome:
    # The child counts its own processor time, so that a busy machine decides nothing; the wall clock is a last resort.
    function = "sanmai.rewards.symbolic:equal_within"
    return _pool().call(function, reference, candidate, timeout_seconds, timeout_seconds=10 * timeout_seconds)


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
    (re.compile(r"\\mathrm\s*\{\s*([ei])\s*\}"), r"\1"),
    (re.compile(r"\\(?:text(?:rm|sf|tt|bf|it|normal)?|mathrm|mathbf|mathit|mbox|operatorname)\s*(?=\{)"), r"\\text"),
    (re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ)|\\degree|°"), " "),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"\\\$"), "$"),
    (re.compile(r"(?<!\\)\\[,!;: ]|(?<=\S)~|\\q?quad(?![A-Za-z])"), " "),
    (re.compile(r"\\begin\{array\}\s*\{[clr| ]*\}|\\begin\{[bB]?matrix\}"), r"\\begin{pmatrix}"),
    (re.compile(r"\\end\{(?:array|[bB]?matrix)\}"), r"\\end{pmatrix}"),
    (re.compile(r"\s*(?:\\text\{\s*(?:or|and)\s*\}|\b(?:or|and)\b)\s*"), ", "),
    (re.compile(r",\s*,"), ","),
    (re.compile(r"\{\s*([^{}]{1,99})\\over(?![A-Za-z])\s*([^{}]{1,99})\}"), r"\\frac{\1}{\2}"),
    (re.compile(r"\A([^{}]{1,99})\\over(?![A-Za-z])\s*([^{}]{1,99})\Z"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s*(\d)\s*(\d)(?!\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s*(\d)\s*\{"), r"\\frac{\1}{"),
    (re.compile(r"(\\frac\{[^{}]*\})\s*(\d)"), r"\1{\2}"),
    (re.compile(r"\\sqrt\s*(\d)"), r"\\sqrt{\1}"),
    (re.compile(r"\A(?:\\text\{\s*answer\s*[:=]\s*\}|answer\s*[:=]|=)", re.IGNORECASE), ""),
    (re.compile(r"\s+"), " "),
]
_WRAPPERS = [
    ("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("`", "`"), ("{", "}"), ('"', '"'),
    ("'", "'"), ("“", "”"), ("‘", "’"),
]  # fmt: skip
_INLINE = re.compile(r"(?<![\\$])\$((?:\\.|[^$\\]){1,200})(?<!\s)\$(?![0-9$])")


def normalise(text: str) -> str:
    """One notation for what looks the same: wrappers, spaces, kinds of fraction and matrix, degree and minus signs."""
    text = text[: MAX_CHARS + 1].strip()
    for _ in range(6):
        before, text = text, _unwrap(re.sub(r"(?<!\\)(?:[.,。]\s*){1,5}\Z", "", text.strip()).strip())
        if text == before:
            break
    text = _INLINE.sub(r"\1", text)
    for pattern, replacement in _REPLACEMENTS:
        text = pattern.sub(replacement, text)
    text = text.strip()
    matrix = re.fullmatch(r"[(\[]\s*(\\begin\{pmatrix\}[^()\[\]]*\\end\{pmatrix\})\s*[)\]]", text)
    return matrix[1] if matrix else text


def _unwrap(text: str) -> str:
    for left, right in _WRAPPERS:
        if text.startswith(left) and text.endswith(right) and len(text) >= len(left) + len(right):
            inner = text[len(left) : len(text) - len(right)]
            bare = inner.replace(r"\$", "")
            if left not in bare and right not in bare and not inner.endswith("\\"):
                return inner
    for command in (r"\boxed{", r"\fbox{", r"\text{", r"\mathrm{", r"\textbf{", r"\mathbf{", r"\texttt{", r"\textrm{"):
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
    r"(?P<sign>[+-]?)\s*(?P<inner>[+-]?)(?:"
    r"(?P<mantissa>[0-9]+(?:\.[0-9]+)?)[eE](?P<power>[+-]?[0-9]{1,3})|"
    rf"(?:(?P<whole>[0-9]+)(?:\s+(?=[0-9])|\s*(?=\\)))?"
    rf"(?:(?P<over>[0-9]+)\s*/\s*(?P<under>[0-9]+)"
    rf"|\\frac\{{\s*(?P<top>-?[0-9]+)\s*\}}\{{\s*(?P<bottom>-?[0-9]+)\s*\}})"
    rf"|(?P<decimal>{_DECIMAL}))\s*(?P<percent>%|\\text\{{\s*percent\s*\}}|percent)?"
)


def number(text: str) -> tuple[Fraction, bool] | None:
    """The exact value of a plain number (integer, decimal, fraction, mixed, 3e8) and whether it is a percentage."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None or (match["sign"] and match["inner"]):
        return None
    if match["mantissa"]:
        value = Fraction(match["mantissa"]) * Fraction(10) ** int(match["power"])
    elif match["decimal"]:
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


# Canonical unit and its other names. Other units are plural nouns ("18 eggs"); a singular one is known or none.
_MEASURES: dict[str, str] = {
    name: names.split()[0]
    for names in (
        "dollar usd buck $", "cent", "euro eur €", "pound lb gbp £", "yen ¥", "yuan 元 rmb cny", "rupee", "peso",
        "meter metre m 米", "kilometer kilometre km 公里 千米", "centimeter centimetre cm 厘米",
        "millimeter millimetre mm 毫米", "mile mi mph", "foot feet ft", "inch inche in", "yard yd", "gram g 克",
        "kilogram kg 千克 公斤", "milligram mg", "ounce oz", "ton tonne", "liter litre l 升", "milliliter ml", "gallon",
        "quart", "pint", "cup", "second sec s 秒", "minute min 分钟", "hour hr h 小时", "day 天", "week", "month",
        "year 年 岁", "degree", "radian", "unit", "percent", "people person 人", "child children", "man men",
        "woman women", "mouse mice", "tooth teeth", "fish", "sheep", "egg", "个", "只", "颗", "块", "本", "名",
    )
    for name in names.split()
}  # fmt: skip
_NO_UNIT = re.compile(
    r"\b(?:or|and|not?|nor|is|isn't|as|wrong|incorrect|false|maybe|perhaps|possibly|but|if|plus|minus|negative|times|"
    r"over|point|half|halves|thirds?|quarters?|fourths?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?|"
    r"hundredths?|hundreds?|thousands?|thousandths?|\w+illi(?:on|ard)(?:th)?s?|lakhs?|crores?|grand|gross|dozens?|"
    r"scores?|pairs?|squares|cubes|squared|cubed|factorials?|percentage|less|more|than|to|vs|versus|mod|either|neither|"
    r"never|about|around|roughly|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|"
    r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty|base|powers?|divided|multiplied)\b"
    r"|[不没非错误或和与又半十百千万亿点倍约零一二三四五六七八九左右以上下]",
    re.IGNORECASE,
)
_WITH_UNIT = re.compile(
    r"(?P<value>.*\S)\s*\\text\{\s*(?P<text>[^{}]*?)\s*\}\s*(?P<power>\^\{?[23]\}?)?"
    r"|(?P<before>.*(?:[\d})%]|\\pi))(?:\s+\(?(?P<words>[A-Za-z][A-Za-z/' -]*)(?P<power2>\^\{?[23]\}?)?\)?"
    r"|\s*(?P<sign>[$€£¥])|\s*(?P<chinese>[\u4e00-\u9fff]{1,6}))",
    re.DOTALL,
)
_CURRENCY = re.compile(r"([+-]?)\s*(?:US)?(USD|EUR|GBP|[$€£¥])\s*([+-]?[0-9.].*)", re.IGNORECASE | re.DOTALL)


def split_unit(text: str) -> tuple[str, frozenset[str]]:
    """("18", {"dollar"}) for "18 dollars per day" and "$18"; the text and no unit when in doubt.

    Letters that touch the number are factors, never a unit: `2ab`.
    """
    units: frozenset[str] = frozenset()
    if (match := _CURRENCY.fullmatch(text)) and not (match[1] and match[3][0] in "+-"):
        text, units = match[1] + match[3], frozenset({_MEASURES[match[2].lower()]})
    match = _WITH_UNIT.fullmatch(text)
    if match is None:
        return text, units
    words = match["text"] or match["words"] or match["sign"] or match["chinese"] or ""
    named = _unit_names(words)
    if not named:
        return text, units
    power = "".join(re.findall("[23]", (match["power"] or match["power2"]) or ""))
    return (match["value"] or match["before"]).strip(), units | frozenset(name + power for name in named)


def _unit_names(words: str) -> frozenset[str]:
    """The names of a unit ("square feet": foot2), none if the words are no unit."""
    first, *more = re.split(r"\s+(?:per|an?|each|every|of|in|for)\b|/", words.strip().casefold())
    nouns = first.split()
    if not nouns or len(nouns) > 3 or sum(len(part.split()) for part in more) > 4 or _NO_UNIT.search(words):
        return frozenset()
    power = ""
    if nouns[0] in ("square", "cubic") and len(nouns) > 1:
        power = "2" if nouns[0] == "square" else "3"
    if re.match(r"[\u4e00-\u9fff]", first):
        measure = next((_MEASURES[first[:k]] for k in (2, 1) if first[:k] in _MEASURES), None)
        return frozenset({measure} if measure else ())
    singular = [noun.rstrip(".").removesuffix("s") or noun for noun in nouns]
    known = [_MEASURES.get(noun) or _MEASURES.get(one) for noun, one in zip(nouns, singular, strict=True)]
    is_plural = [len(noun) > 3 and re.search(r"[^sui]s$", noun) is not None for noun in nouns]
    if not any(a or b for a, b in zip(known[:2], is_plural[:2], strict=True)):
        return frozenset()
    return frozenset((name or one) + power for name, one in zip(known, singular, strict=True))


_NAME = re.compile(
    r"(?P<name>(?:m?\s*\\angle\s*)?[A-Z]{1,3}|(?:[A-Za-z]|\\(?:theta|alpha|beta|gamma|phi|omega|lambda|mu|sigma|pi))"
    r"(?:_\{?\w{1,8}\}?)?'?(?:\([^()=]{1,20}\))?|\\text\{[A-Za-z ]{3,30}\})\s*(?P<relation>=|\\in(?![A-Za-z]))\s*(?P<value>[^=]+)"
)


def split_name(text: str) -> tuple[str | None, str]:
    """("x", "5") for "x = 5", ("x", "1, 2") for "x_1 = 1, x_2 = 2"; (None, text) where one name does not stand alone."""
    parts = _split_commas(text) or [text]
    matches = [_NAME.fullmatch(part) for part in parts]
    names = {re.sub(r"_.*", "", match["name"]) if len(parts) > 1 else match["name"] for match in matches if match}
    if len(parts) > 1 and None not in matches and len(names) == 1:
        return names.pop(), ", ".join(match["value"].strip() for match in matches if match)
    match = _NAME.fullmatch(text)
    if match is None or (match["name"].startswith(r"\text") and _NO_UNIT.search(match["name"])):
        return None, text
    return match["name"], match["value"].strip()


def _split_base(text: str) -> tuple[str, str | None]:
    match = re.fullmatch(r"([0-9A-Z]+)_(?:\{([0-9]+)\}|([0-9]+))", text)
    return (match[1], match[2] or match[3]) if match else (text, None)


def is_word(text: str) -> bool:
    """A word, a name or a choice letter rather than a formula: "east", "(C)"."""
    bare = text.replace(r"\text{", "").replace("}", "").strip("() ")
    return (
        re.fullmatch(r"[A-Z]|[^\W\d_]{3,}(?:[ '-][^\W\d_]+)*|[^\W\d_]{2}(?:[ '-][^\W\d_]+)+|yes|no", bare) is not None
    )


def _bare_word(text: str) -> str:
    """Without markup and case; of a choice with its text, "(C) 5", the letter."""
    text = text.replace(r"\text{", "").replace("}", "").strip()
    choice = re.fullmatch(r"(?:\(([A-Z])\)[.:]?|([A-Z])[.:)])\s+[^A-Z,]*", text)
    return (choice[1] or choice[2] if choice else text).strip("()., ").casefold()


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


def split_matrix(text: str) -> list[list[str]] | None:
    """The rows of a matrix; None when the text is not exactly one."""
    match = re.fullmatch(r"\\begin\{pmatrix\}(.*)\\end\{pmatrix\}", text.strip(), re.DOTALL)
    if match is None or r"\begin" in match[1] or r"\end" in match[1]:
        return None
    rows = re.sub(r"\\\\\s*\Z", "", match[1].strip()).split("\\\\")
    return [[entry.strip() for entry in row.split("&")] for row in rows]


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
    # What math-verify would drop without a word: a second number, a subscript of a number, "18 e 3", a dangling "-".
    if re.search(r"[0-9]\s+[.,]?[0-9]|(?<!\\)\\(?![A-Za-z\\{}])|(?<![A-Za-z])_|[-+*/^_=<,(]\s*$", text):
        return False
    if re.search(r"(?<![\\A-Za-z])[A-Za-z]{1,2}\s*[0-9]", text):
        return False
    if ("&" in text or "\\\\" in text) and r"\begin{" not in text:
        return False
    if any(command not in _COMMANDS for command in re.findall(r"\\([A-Za-z]+)", text)):
        return False
    return all(word in _FUNCTIONS for word in _LETTERS.findall(re.sub(r"\\[A-Za-z]+", " ", text)))


_EXPLOSIVE = re.compile(
    r"\d{4,}\}?\)?\s*!|!\s*\)?\s*!|(?:\^|\*\*)[\s{(]*-?[\d.]+[\s})]*(?:\^|\*\*|!)|(?:\^|\*\*)[\s{(]*-?\d{4,}"
)

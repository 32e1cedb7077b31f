"""What a number counts or measures, and whether two answers mean the same kind of quantity."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from sanmai.answers import directions
from sanmai.answers.unit_names import CONVERTED, COUNTED, FUSED, MEASURES, PARTS, PER

_PER_WORDS = "|".join(re.escape(word) for word in sorted(PER.split(), key=len, reverse=True))


@dataclass(frozen=True)
class Unit:
    """A unit: "square feet of wall per day" is measures {foot2}, under {day}; "duck eggs" is nouns {duck, egg}."""

    measures: frozenset[str] = frozenset()
    nouns: frozenset[str] = frozenset()
    under: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.measures or self.nouns or self.under)

    def __or__(self, other: Unit) -> Unit:
        return Unit(self.measures | other.measures, self.nouns | other.nouns, self.under | other.under)


NONE = Unit()


def agree(first: Unit, second: Unit, asked: frozenset[str] = frozenset()) -> bool:
    """Whether two units are the same kind of quantity; a missing one agrees with all.

    Args:
        asked: what the question counts by ("per day"): an answer to it may leave that away.
    """
    if not first or not second:
        return True
    both_under = first.under and second.under
    if not (first.under & second.under if both_under else (first.under | second.under) <= asked):
        return False
    if first.measures and second.measures:
        return first.measures == second.measures
    tops = [unit.measures | unit.nouns for unit in (first, second)]
    if not (tops[0] and tops[1]):  # "$5", "5 per day": no word above the line
        return not (tops[0] & second.under or tops[1] & first.under)
    return bool(first.nouns & second.nouns)


def factor(reference: Unit, candidate: Unit) -> Fraction | None:
    """How many of the reference's unit one of the candidate's is ("cm" and "m"); None where neither is part of the other."""
    if len(reference.measures) != 1 or len(candidate.measures) != 1:
        return None
    below = Fraction(1)
    if reference.under != candidate.under:
        if len(reference.under) != 1 or len(candidate.under) != 1:
            return None
        found = _parts(*reference.under, *candidate.under)
        if found is None:
            return None
        below = found
    above = _parts(*reference.measures, *candidate.measures)
    return None if above is None else above / below


def _parts(name: str, other: str) -> Fraction | None:
    """How many of a measure one of another is."""
    if name == other:
        return Fraction(1)
    if (other, name) in CONVERTED:
        return Fraction(1, CONVERTED[other, name])
    if (name, other) in CONVERTED:
        return Fraction(CONVERTED[name, other])
    sizes = next((sizes for sizes in PARTS if {name, other} <= sizes.keys()), None)
    return Fraction(sizes[other], sizes[name]) if sizes else None


NO_UNIT = re.compile(
    r"\b(?:or|and|not?|nor|is|isn't|as|wrong|incorrect|false|maybe|perhaps|possibly|but|if|plus|minus|negative|times|"
    r"over|point|half|halves|thirds?|quarters?|fourths?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?|"
    r"tens|basis|binary|octal|hex|hexadecimal|ternary|hundredths?|hundreds?|thousands?|thousandths?|\w+illi(?:on|ard)(?:th)?s?|lakhs?|crores?|grand|gross|dozens?|"
    r"scores?|pairs?|squares|cubes|factorials?|per\s?cent\w*|percentage|pct|prozent|less|more|than|to|vs|versus|mod|either|"
    r"neither|never|about|around|roughly|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|"
    r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty|millones|millón|docenas?|douzaines?|dozzin[ae]|dúzias?|dutzend|tausend|tysięcy|base|powers?|roots?|divided|multiplied|zero|freezing|\w+n't)\b"
    r"|[不没非错误或和与又半十百千万亿点倍约零一二三四五六七八九左右以上下]",
    re.IGNORECASE,
)
_EXTRA = re.compile(r"(?:more|fewer|less|additional|extra)\s+(?=[a-z]{3,})(?!than\b|or\b|and\b)")
_WAY = re.compile(
    r"\b(?:to|toward|towards|on|in) the (?=\w)|\bfrom now\b|\b(?:sea|ground|water) level\b|\bin (?:all|total)\b"
)
_PER = re.compile(rf"(?:^|\s+)(?:(?:for|in|à)\s+)?(?:{_PER_WORDS})(?:\s+|(?<='))(?:l[ae]\s+|l')?(?=\S)|\s*/\s*")
_QUALIFIED = re.compile(r"\s+(?:of|for|in|de|von|of the)\s+(?=\S)")
_POWERS = {"square": "2", "sq": "2", "cubic": "3", "cu": "3"}
_AFTER = {"squared": "2", "cubed": "3"}


_CAPITALS = re.compile(r"(?<![A-Za-z])(?:(?P<bit>[kKMGT]b)|M)(?![A-Za-z])")
"""Where case tells units apart: Mb is no MB, and M no m."""


def parse(words: str) -> Unit | None:
    """The unit that words name, None if they are no unit. "square feet" is foot2, "m s^{-1}" is meter under second.

    Words of direction ("north", "increase") are part of a unit, but none of its names: directions.py compares them.
    """
    words = re.sub(r"\A(\\text\{)?\s*\(([^()]*)\)\s*(\})?\Z", r"\2", words)
    words = _CAPITALS.sub(lambda m: f" {m[0]}bit" if m["bit"] else " molar", words)
    text = re.sub(r"\\(?:cdot|text)(?![A-Za-z])|[{}*·]", " ", words.casefold())
    text = re.sub(r"\s*\^\s*(-?)\s*", r"^\1", re.sub(r"\s+", " ", text)).strip(" .")
    text = " ".join(FUSED.get(word, word) for word in text.split())
    if re.match(r"[\u4e00-\u9fff]", text):
        return _chinese(text)
    text = _EXTRA.sub("", _WAY.sub(" ", text)).strip()
    if NO_UNIT.search(text):
        return None
    first, *more = _PER.split(text)
    if len(more) > 2 or any(len(part.split()) > 4 for part in more):
        return None
    unit = _over(_QUALIFIED.split(first)[0])
    if unit is None:
        return None
    below = frozenset(name for part in more if (name := _under(part)))
    if more and (not below or (not unit and not first.strip() and not below & _NAMES)):
        return None
    return Unit(unit.measures, unit.nouns, unit.under | below)


_NAMES = frozenset(MEASURES.values())


def _over(text: str) -> Unit | None:
    """The unit above the line; None where the words are no unit."""
    nouns = [noun for noun in text.split() if noun not in directions.WORDS]
    if len(nouns) > 3:
        return None
    if not nouns:
        return NONE if not text.strip() or _is_way(text) else None
    measures: list[str] = []
    others, under, power = [], [], ""
    is_unit = False
    for k, noun in enumerate(nouns):
        word, _, exponent = noun.rstrip(".").partition("^")
        if word in _POWERS and k + 1 < len(nouns):
            power = _POWERS[word]
            continue
        if word in _AFTER and measures and measures[-1] == _canonical(nouns[k - 1].rstrip(".")):
            measures[-1] += _AFTER[word]
            continue
        name = _canonical(word)
        if exponent.startswith("-") and name in _NAMES:
            under.append(name + exponent[1:].removeprefix("1"))
        elif name in _NAMES and not (measures and k > 1):
            measures.append(name + (power or exponent.removeprefix("1")))
        else:
            others.append(name)
        is_plural = len(word) > 3 and re.search(r"[^sui]s$", word) is not None
        is_unit = is_unit or (
            k < 2 and (is_plural or name in _NAMES or word in COUNTED or word.removesuffix("s") in COUNTED)
        )
        power = ""
    if not is_unit:
        return None
    if "degree" in measures and {"celsius", "fahrenheit"} & {*measures}:
        measures.remove("degree")
    return Unit(frozenset(measures), frozenset(others), frozenset(under))


def _is_way(text: str) -> bool:
    return not re.search(r"\b(?:above|below|over|under|beneath|up|down|now|right|left|least|most)\b", text)


def _under(text: str) -> str:
    """The name of what is counted by: the first noun, with its power."""
    words = [word for word in _QUALIFIED.split(text.strip())[0].split() if word not in PER.split()]
    if not words:
        return ""
    power = _POWERS.get(words[0].rstrip("."), "")
    word, _, exponent = words[1 if power and len(words) > 1 else 0].rstrip(".").partition("^")
    return _canonical(word) + (power or exponent.removeprefix("1"))


def _canonical(noun: str) -> str:
    one = noun.removesuffix("s") or noun
    for table in (MEASURES, COUNTED):
        for form in (noun, one):
            if form in table:
                return table[form]
    return one


def _chinese(text: str) -> Unit | None:
    if NO_UNIT.search(text):
        return None
    first, *more = re.split(r"/|每", text)
    names = [
        next((table[part[:k]] for k in (2, 1) for table in (MEASURES, COUNTED) if part[:k] in table), "")
        for part in (first, *more)
    ]
    if not all(names):
        return None
    top = frozenset({names[0]})
    return Unit(top & _NAMES, top - _NAMES, frozenset(names[1:]))


_BESIDE = re.compile(
    r"[\s*]*(?:\$|\\\)|\\\])?[\s*]*(?:(?P<percent>\\?%)|\\(?:text|mathrm|textrm|mbox)\s*\{(?P<text>[^{}]{1,60})\}"
    r"(?P<power>\^\{?[23]\}?)?|(?P<words>(?:/\s?)?[^\W\d_][^\W\d_]*(?:[ ./'-]{1,2}[^\W\d_]+){0,6})(?P<power2>\^\{?[23]\}?|[²³])?)"
)


def beside(after: str) -> str:
    r"""The unit that begins a text after a number, as LaTeX: " \text{miles per hour}" for " miles per hour is", "\%"; else ""."""
    match = _BESIDE.match(after)
    if match is None:
        return ""
    if match["percent"]:
        return r"\%"
    power = (match["power"] or match["power2"] or "").replace("²", "^2").replace("³", "^3")
    words = (match["text"] or match["words"]).strip().split(" ")
    for k in range(len(words), 0, -1):
        found = parse(" ".join(words[:k]) + (power if k == len(words) else ""))
        if found and (found.measures or found.under):
            return rf" \text{{{' '.join(words[:k])}}}" + (power if k == len(words) else "")
    return ""


_ASKED = re.compile(rf"(?:(?<!\w)(?:{_PER_WORDS})\s*|/\s*)(?:single\s+)?([^\W\d_]+)|\b([a-z]+ly|[mkrb]p[hm])\b")


def asked_rates(question: str) -> frozenset[str]:
    """What a question counts by: {"day"} of "How much does she make every day?"."""
    found = set()
    for noun, adverb in _ASKED.findall(question.casefold()):
        if noun:
            found.add(_canonical(noun))
        elif adverb in FUSED:
            found |= (parse(FUSED[adverb]) or NONE).under
    return frozenset(found)


_PIECE = re.compile(
    r"\s*(?:,|and\b|\\text\{\s*and\s*\}|\\text\{|\}|\s)*\s*([0-9][0-9,]*(?:\.[0-9]+)?)\s*(?:\\text\{\s*)?([a-z]+)\.?(?:\s+and\b)?\s*\}?"
)


_HOURS = re.compile(r"\A\d+\s*(?:h|hrs?|hours?)\s*(?:and\s*)?\d+\s*(?P<m>m)(?![a-z])|\A\d+\s*(?P<m2>m)(?=\s*\d+\s*s\Z)")
_FEET = re.compile(r"\A(\d+)\s*(?:['’′]|\^?\{?\\prime\}?)\s*(\d+)\s*(?:[\"”″]|''|’’|′′|\^?\{?\\prime\\prime\}?)?\Z")


def together(text: str) -> tuple[Fraction, str, int] | None:
    r"""(12000, "second", 2) for "3 \text{ hours and } 20 \text{ minutes}" of two parts; None of other texts."""
    position, found = 0, []
    bare = re.sub(r"\\text\s*\{([^{}]*)\}", r" \1 ", text).casefold().strip()
    bare = re.sub(r"\A\\?\$\s?(\d+)(?=\s)", r"\1 dollars", bare)
    bare = _FEET.sub(r"\1 feet \2 inches", _HOURS.sub(lambda m: m[0].replace(m["m"], "min"), bare))
    while match := _PIECE.match(bare, position):
        found.append(
            (Fraction(match[1].replace(",", "")), MEASURES.get(match[2]) or MEASURES.get(match[2].removesuffix("s")))
        )
        position = match.end()
    if position != len(bare) or not found or len(found) > 4:
        return None
    for sizes in PARTS:
        names = [name for _, name in found]
        if set(names) <= sizes.keys() and names == sorted(set(names), key=lambda name: -sizes[name or ""]):
            return sum((value * sizes[name or ""] for value, name in found), Fraction()), next(iter(sizes)), len(found)
    return None

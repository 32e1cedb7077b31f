"""Are two final answers the same? Exact rules first, symbolic algebra in a killable child process for the rest.

No float is compared: "0.333" is not 1/3. Digits are ASCII; other digits are never read as numbers.
"""

from __future__ import annotations

import atexit
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from sanmai.answers import units
from sanmai.answers.directions import are_opposed, below_zero
from sanmai.answers.expressions import bare_word, equal_parts, is_list, is_mathematics, is_word, split_matrix
from sanmai.answers.modular import equal_modulo
from sanmai.answers.named import is_quantity, is_single_name, same_ratio, sides, without_point_names
from sanmai.answers.notation import (
    MAX_CHARS,
    closing_brace,
    has_foreign_digits,
    normalise,
    one_notation,
    squeeze,
    with_commas,
)
from sanmai.answers.number_words import in_digits, is_rank, said_once
from sanmai.answers.quantities import clock, number, same_time, split_unit, without_ordinal, without_scale
from sanmai.answers.statements import (
    as_interval,
    as_tuple,
    assignments,
    in_order,
    in_symbols,
    letters_of,
    split_commas,
    split_name,
    split_qualifier,
    with_same_arguments,
    with_same_letter,
)
from sanmai.sandbox import ChildPool, Outcome, Value
from sanmai.types import Verdict

__all__ = ["MAX_CHARS", "closing_brace", "compare", "normalise", "number", "split_name", "split_unit"]


@dataclass(frozen=True)
class _Options:
    timeout_seconds: float
    is_percentage_asked: bool
    positive: str
    asked_rates: frozenset[str]


def compare(
    reference: str,
    candidate: str,
    *,
    timeout_seconds: float = 5.0,
    is_percentage_asked: bool = False,
    is_rank_asked: bool = False,
    positive: str = "",
    asked_rates: frozenset[str] = frozenset(),
) -> Verdict:
    r"""Whether a candidate answer equals the reference: correct, wrong, ambiguous, or ungradable (None).

    A unit, a name (`x = `) or a qualifier ("for any real c") on one side only makes no difference; on both sides they
    must agree; the argument of a function may have any name. A percent sign is dropped when the reference has one or
    the question asks for a percentage. Lists in brackets are compared in order and with their brackets; bare lists and
    sets in any order; \pm is two values, an inequality its interval. A word must be the same word.

    `timeout_seconds` is processor time. A candidate that cannot be compared within it is no right answer: 0.0, labelled
    "too_large" or "timed_out". Only a reference that cannot be graded by itself gives None.

    Args:
        is_rank_asked: the question asks for a place in an order: "third" is 3, and otherwise may be a part.
        positive: the variables that the question says to be positive ("a,b"; "*" is all): \sqrt{a^2} is a for these.
        asked_rates: what the question counts by ("day" of "every day"): "18 dollars" may stand for "18 dollars per day".
    """
    if len(reference) > MAX_CHARS:
        return Verdict(None, f"the reference is longer than {MAX_CHARS} characters", "ungradable")
    if _NO_ANSWER.fullmatch(normalise(reference)):
        return Verdict(None, f"the reference is no answer: {reference[:80]!r}", "ungradable")
    stated = _read(reference)
    reference = _finished(stated[0], ranks=True)
    if not reference or has_foreign_digits(reference):
        return Verdict(None, f"the reference is no answer: {reference[:80]!r}", "ungradable")
    if len(candidate) > MAX_CHARS:
        return _wrong(f"longer than {MAX_CHARS} characters")
    if not _RESIDUE.fullmatch(stated[0]):
        candidate = _without_modulus(candidate)
    if re.fullmatch(r"-?\d[\d,]*\.\d+", stated[0]):  # a decimal is rounded where it is asked for
        candidate = _ABOUT.sub("", candidate)
    given = _read(candidate)
    candidate = _finished(with_same_letter(stated, given), ranks=is_rank(stated[0]) or is_rank_asked)
    if stated[1] and given[1] and stated[1] != given[1]:
        return _wrong("for other values")
    if squeeze(reference) == squeeze(candidate):
        return Verdict(1.0, "the same text", "correct")
    if are_opposed(stated[0], given[0]):
        return _wrong("the opposite direction")
    whole, other = units.together(stated[0]), units.together(given[0])
    amount, unit = split_unit(reference)
    plain = number(amount) if unit.measures <= {"dollar", "euro"} and not unit.nouns | unit.under else None
    if plain is not None and other and other[1:] == ("cent", 2):  # "5 dollars and 25 cents" is 5.25
        return Verdict(1.0, "the same amount", "correct") if plain[0] * 100 == other[0] else _wrong("another amount")
    if whole and other and max(whole[2], other[2]) > 1:
        return Verdict(1.0, "the same quantity", "correct") if whole[:2] == other[:2] else _wrong("another quantity")
    if has_foreign_digits(candidate):
        return _wrong("digits that are not ASCII")
    if reference.startswith("("):
        candidate = without_point_names(candidate)
    elif candidate.startswith("("):
        reference = without_point_names(reference)
    pairs = _pairs(reference, candidate)
    if isinstance(pairs, str):
        return _wrong(pairs)
    options = _Options(timeout_seconds, is_percentage_asked, positive, asked_rates)
    verdicts = [_compare_value(a, b, options) for a, b in pairs]
    return next((v for v in verdicts if v.score != 1.0), verdicts[0])


def _read(text: str) -> tuple[str, str, str]:
    """(the answer, its qualifier, the qualifier's letter)."""
    return split_qualifier(one_notation(text))


def _finished(text: str, *, ranks: bool) -> str:
    """An answer in the one form that answers are compared in."""
    text = without_ordinal(without_scale(below_zero(said_once(in_digits(text, ranks=ranks)))))
    return with_commas(as_tuple(as_interval(in_symbols(text))))


def _pairs(reference: str, candidate: str) -> list[tuple[str, str]] | str:
    """What must be equal for the answers to be: mostly their values without names; or why they are different."""
    candidate = _exact(reference, candidate)
    parts = sides(candidate)
    if len(parts) > 2 and is_single_name(parts[0]) and len(split_commas(candidate) or []) == 1:  # n = 2^{10} = 1024
        name, value = split_name(reference)
        if "=" not in value and name in (None, parts[0]):
            return [(value, side) for side in parts[1:9]]
    if "=" not in reference and len(parts) > 1 and is_quantity(parts[0]) and len(split_commas(candidate) or []) == 1:
        return [(reference, side) for side in parts[1:9]]
    name, value = split_name(reference)
    other_name, other_value = split_name(candidate)
    if value.startswith("(") and (ordered := assignments(candidate, name)):
        return [(value, ordered)]
    if other_value.startswith("(") and (ordered := assignments(reference, other_name)):
        return [(ordered, other_value)]
    if name and other_name and name != other_name:
        renamed = with_same_arguments(name, other_name, other_value)
        if renamed is not None:
            return [(value, renamed)]
        if _mentions(value, other_name) and _mentions(other_value, name):
            return [(reference, candidate)]  # y = 2x, x = y/2
        return f"{other_name} is not {name}"
    one_name = (name or other_name or "") if not (name and other_name) else ""
    if one_name.startswith("(") and not in_order(one_name):
        return f"in the order of {one_name}"
    if ("=" in value and "=" in candidate) or ("=" in other_value and name and "=" in reference):
        return [(reference, candidate)]
    if "=" not in value and len(parts := sides(other_value)) > 1:
        return [(value, side) for side in parts[:8]]
    return [(value, other_value)]


def _exact(reference: str, candidate: str) -> str:
    r"""25\pi" for "25\pi \approx 78.54": an exact value with its decimals behind it. Other texts unchanged."""
    sides = re.split(r"\s*\\(?:approx|simeq|doteq)(?![A-Za-z])\s*", candidate)
    is_rounded = len(sides) == 2 and re.fullmatch(r"-?\d[\d,]*\.\d+", sides[1]) is not None
    is_exact = is_rounded and number(sides[0]) is None and not is_single_name(sides[0]) and "." not in sides[0]
    return sides[0] if is_exact and r"\approx" not in reference else candidate


def _mentions(value: str, name: str) -> bool:
    return name in letters_of(value)


def _compare_value(reference: str, candidate: str, options: _Options) -> Verdict:
    time, other_time = clock(reference), clock(candidate)
    if time and other_time and (time[3] or other_time[3] or re.search("[A-Za-z]", reference + candidate)):
        return Verdict(1.0, "the same time", "correct") if same_time(time, other_time) else _wrong("another time")
    if (same := same_ratio(reference, candidate)) is not None:
        return Verdict(1.0, "the same ratio", "correct") if same else _wrong("another ratio")
    (reference, unit), (candidate, other_unit) = split_unit(reference), split_unit(candidate)
    if not units.agree(unit, other_unit, options.asked_rates):
        factor = units.factor(unit, other_unit)
        exact, given = number(reference), number(candidate)
        if factor is None or exact is None or given is None or exact[0] != given[0] * factor:
            return _wrong("another unit")
        return Verdict(1.0, "the same amount", "correct")
    (reference, base), (candidate, other_base) = _split_base(reference), _split_base(candidate)
    if other_base and other_base != (base or "10"):
        return _wrong("another base")
    if squeeze(reference) == squeeze(candidate):
        return Verdict(1.0, "the same text", "correct")
    if (_SET_OF_SETS.match(reference) is None) != (_SET_OF_SETS.match(candidate) is None):
        return _wrong("a set of sets")
    exact = number(reference)
    candidate = _in_binomials(candidate) if exact is not None else candidate
    given = number(candidate)
    if exact is not None and given is not None:
        if (exact[1] and other_unit) or (given[1] and unit):
            return _wrong("another unit")
        return _equal_numbers(exact, given, options)
    if is_word(reference):
        is_same = bare_word(reference) == bare_word(candidate)
        return Verdict(1.0, "the same word", "correct") if is_same else _wrong("another word")
    if (sentence := _sentence_number(reference)) is not None:
        if sentence == "":
            return Verdict(None, f"the reference is a sentence: {reference[:80]!r}", "ungradable")
        return _compare_value(sentence, candidate, options)
    if not (is_list(reference) or split_matrix(reference)) and is_list(candidate):
        return Verdict(0.0, "several answers where one was asked for", "ambiguous")
    if not is_mathematics(candidate):
        return _wrong("not one mathematical expression")
    return _compare_large(reference, candidate) or _compare_symbols(reference, candidate, options)


_CHOICES = re.compile(
    r"(?<![A-Za-z\\])(?:n?C\(\s*(?P<n>\d{1,4})\s*,\s*(?P<k>\d{1,4})\s*\)|(?P<n2>\d{1,4})C(?P<k2>\d{1,4})"
    r"|(?:\{\s*\})?[\^_]\{?(?P<n3>\d{1,4})\}?\s*C_\{?(?P<k3>\d{1,4})\}?)(?![A-Za-z\d])"
)


def _in_binomials(text: str) -> str:
    r"""\binom{5}{2} for C(5,2), 5C2 and {}^5C_2."""
    return _CHOICES.sub(lambda m: rf"\binom{{{m['n'] or m['n2'] or m['n3']}}}{{{m['k'] or m['k2'] or m['k3']}}}", text)


_RESIDUE = re.compile(
    r"[\s$]*(?:[A-Za-z]\s*)?(?:\\equiv(?![A-Za-z])|≡)?\s*(?P<value>\d{1,30})\s*"
    r"(?:(?P<class>\\pmod|\(\s*(?:\\?mod|\\bmod)(?![A-Za-z]))|\\[bm]mod(?![A-Za-z])|\\mod(?![A-Za-z]))"
    r"\s*\{?\s*(?P<modulus>\d{1,30})\s*\}?\s*\)?[\s$]*"
)


def _without_modulus(candidate: str) -> str:
    """17 for "17 \\pmod{23}" and for what "40 \\bmod 23" is; other texts unchanged."""
    match = _RESIDUE.fullmatch(candidate)
    if match is None or not int(match["modulus"]):
        return candidate
    value, modulus = int(match["value"]), int(match["modulus"])
    return candidate if match["class"] and value >= modulus else str(value % modulus)


def _equal_numbers(exact: tuple[Fraction, bool], given: tuple[Fraction, bool], options: _Options) -> Verdict:
    values = {given[0]}
    if exact[1] and not given[1]:
        values.add(given[0] / 100)
    if given[1] and not exact[1] and options.is_percentage_asked:
        values.add(given[0] * 100)
    return Verdict(1.0, "equal numbers", "correct") if exact[0] in values else _wrong("another number")


def _sentence_number(reference: str) -> str | None:
    """The one number of a reference that is a sentence, "" if it has none or several; None when it is no sentence."""
    text = re.sub(r"\\text\s*\{([^{}]*)\}", r" \1 ", reference)
    words = re.findall(r"(?<![\\A-Za-z])[A-Za-z]{3,}", text)
    is_english = len(words) >= 3 or (len(words) == 2 and text[:1].isalpha() and words[1].islower())
    if not is_english and len(re.findall(r"[\u3040-\u30ff\u4e00-\u9fff]", text)) < 3:
        return None
    numbers = re.findall(r"-?[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?(?:/[0-9]+)?", text)
    return numbers[0] if len(numbers) == 1 else ""


def _compare_large(reference: str, candidate: str) -> Verdict | None:
    """Of powers and factorials too large for algebra; None where algebra can try."""
    is_large, is_other_large = (_EXPLOSIVE.search(text) is not None for text in (reference, candidate))
    if not (is_large or is_other_large):
        return None
    same = equal_parts(reference, candidate, equal_modulo)
    if same is not None:
        return (
            Verdict(1.0, "equal modulo large primes", "correct") if same else _wrong("not equal modulo a large prime")
        )
    if is_large and equal_parts(reference, reference, equal_modulo) is None:
        return Verdict(None, "the reference is too large to work out", "ungradable")
    return Verdict(0.0, "a number too large to work out", "too_large") if is_other_large else None


def _compare_symbols(reference: str, candidate: str, options: _Options) -> Verdict:
    outcome = _equal(reference, candidate, options)
    if not isinstance(outcome, Value):
        # Who was it? A policy that breaks the grader must not thereby escape the penalty for a wrong answer.
        if not isinstance(_equal(reference, reference, options), Value):
            return Verdict(None, f"the reference cannot be worked out: {reference[:80]!r}", "ungradable")
        return Verdict(0.0, f"not worked out within {options.timeout_seconds:g} s of processor time", "timed_out")
    if outcome.value is None:
        return Verdict(None, f"the reference cannot be parsed: {reference[:80]!r}", "ungradable")
    return Verdict(1.0, "symbolically equal", "correct") if outcome.value else _wrong("not symbolically equal")


def _equal(reference: str, candidate: str, options: _Options) -> Outcome:
    # The child counts its own processor time, so that a busy machine decides nothing; the wall clock is a last resort.
    seconds, function = options.timeout_seconds, "sanmai.answers.symbolic:equal_within"
    return _pool().call(function, reference, candidate, seconds, options.positive, timeout_seconds=10 * seconds)


@cache
def _pool() -> ChildPool:
    pool = ChildPool(2)
    atexit.register(pool.close)
    return pool


def _wrong(reason: str) -> Verdict:
    return Verdict(0.0, reason, "wrong")


_ABOUT = re.compile(r"\A[\s$]*(?:[A-Za-z]\s*)?(?:\\(?:approx|simeq)(?![A-Za-z])|[≈≃])\s*")
_SET_OF_SETS = re.compile(r"\s*\\\{\s*\\\{")
_NO_ANSWER = re.compile(r"[+-]?(?:nan|inf|none|null|\?)", re.IGNORECASE)
_EXPLOSIVE = re.compile(
    r"\d{4,}\}?\)?\s*!|!\s*\)?\s*!|(?:\^|\*\*)[\s{(]*-?[\d.]+[\s})]*(?:\^|\*\*|!)|(?:\^|\*\*)[\s{(]*-?\d{4,}"
)


def _split_base(text: str) -> tuple[str, str | None]:
    match = re.fullmatch(r"([0-9A-Z]+)_(?:\{([0-9]+)\}|([0-9]+))", text)
    return (match[1], match[2] or match[3]) if match else (text, None)

"""Twins of word problems: the same words, other numbers, and the answer that follows from them.

    Ken can do 20 sit-ups. Nathan can do twice as many. How many together?    <<20*2=40>> <<20+40=60>>    60
    Ken can do 70 sit-ups. Nathan can do twice as many. How many together?    <<70*2=140>> <<70+140=210>> 210

The arithmetic is the row's own: the calculator annotations of GSM8K, the Equation of SVAMP. It is computed anew in exact
fractions. What cannot be done exactly is refused with its reason: every number of the arithmetic must come from one place, a
number of the question, an earlier result, or a constant that the question's words speak of ("twice", "week", "%"). A number of
the question that stands there twice, or that its words speak of as well, is such a constant: it stays as it is. So do names,
units and number words.
"""

from __future__ import annotations

import ast
import operator
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import permutations
from pathlib import Path

from sanmai.data.files import Row, list_files, read_rows
from sanmai.data.formats import detect
from sanmai.data.problems import with_images
from sanmai.data.rows import RowError
from sanmai.types import InputError, Problem

MAX_TRIES = 3000
"""Draws of numbers until one fits; arithmetic that none fits is refused."""


@dataclass(frozen=True)
class Worked:
    """A problem with the arithmetic that leads to its answer.

    Example:
        Worked(problem, (("20*2", "40"), ("20+40", "60")))
    """

    problem: Problem
    steps: tuple[tuple[str, str], ...] = ()
    """Expression and result of each step, as the row writes them; none where it shows no arithmetic."""


class RefusedError(ValueError):
    """Why a problem has no exact twin; `str` of it is a reason to count."""


def read_worked(source: str | Path) -> Iterator[Worked]:
    """The problems of a file or folder, with the ids that `load_problems` gives them, and their arithmetic.

    Raises:
        InputError: a file or a line cannot be read.
    """
    for file, stem in list_files(source):
        form = None
        for index, (number, row) in enumerate(read_rows(file)):
            try:
                if isinstance(row, str):
                    raise RowError(row)
                form = form or detect(row)
                problem = with_images(form.convert(row, f"{stem}/{index}")[0], row, Path(file).parent)
                yield Worked(problem, steps_of(row))
            except RowError as error:
                raise InputError(f"{file}, line {number}: {error}") from None


def steps_of(row: Row) -> tuple[tuple[str, str], ...]:
    """The arithmetic of a GSM8K or SVAMP row; empty for any other."""
    if isinstance(row.get("Equation"), str):
        return ((row["Equation"], str(row.get("Answer"))),)
    if isinstance(row.get("answer"), str) and "####" in row["answer"]:
        # A note without "=", or with two, has an expression that is no arithmetic, and is refused as such.
        found = (note.rpartition("=") for note in re.findall(r"<<([^<>]*)>>", row["answer"]))
        return tuple((left, right) for left, _, right in found)
    return ()


def make_twin(worked: Worked, seed: int) -> Problem:
    """The twin, with the tag `twin_of`: a function of problem and seed alone.

    Each number keeps its number of digits, trailing zeros, decimals and thousands commas; a share stays below 100 %. Every
    value of the arithmetic stays positive, whole where it was whole, and below 1 where it was below 1. New numbers stand above
    and below the numbers that stay as the old ones did.

    Raises:
        RefusedError: there is none that is exact.
    """
    problem = worked.problem
    if not worked.steps or problem.answer is None:
        raise RefusedError("no arithmetic is given")
    if problem.images:
        raise RefusedError("a picture shows the old numbers")
    if re.search(r"[\d,.]{20}", problem.prompt):
        raise RefusedError("a number has more than 20 characters")
    if _COMPARES.search(problem.prompt):
        raise RefusedError("the question compares, rounds or chooses")
    mentions, constants = _sort(problem.prompt)
    program = _link(worked.steps, mentions, constants)
    before = program.values([mention.value for mention in mentions])
    if before is None or [_number(result) for _, result in worked.steps] != before.results:
        raise RefusedError("a step is rounded or wrong")
    if _number(problem.answer) != before.results[-1]:
        raise RefusedError("the last step is not the answer")
    if min(before.all) <= 0:
        raise RefusedError("a value is not positive")
    used = [k for k in range(len(mentions)) if k in program.used]
    stated = {Fraction(match[0].replace(",", "")) for match in _TOKEN.finditer(problem.prompt)} - {0, 1}
    if not used or len(used) < len(program.constants & stated):
        raise RefusedError("fewer than half of the numbers that matter can be changed")
    _check_ties(mentions, program.used, before)
    rng = random.Random(f"twin\n{seed}\n{problem.id}")
    for _ in range(MAX_TRIES):
        numbers = {k: mentions[k].draw(rng) for k in used}
        if any(numbers[k] == mentions[k].value for k in used) or _is_reordered(mentions, numbers):
            continue
        after = program.values([numbers.get(k, mention.value) for k, mention in enumerate(mentions)])
        if after is not None and _is_like(before, after):
            return _twin(problem, mentions, numbers, after.results[-1], seed)
    raise RefusedError("no other numbers were found that fit")


@dataclass(frozen=True)
class Mention:
    """A number in a text that can be another without spoiling the words around it."""

    start: int
    end: int
    text: str
    is_percent: bool
    limit: int | None
    """The largest number that makes sense before the word that follows: 24 hours, 7 days."""

    @property
    def value(self) -> Fraction:
        return Fraction(self.text.replace(",", ""))

    @property
    def decimals(self) -> int:
        return len(self.text.partition(".")[2])

    def draw(self, rng: random.Random) -> Fraction:
        """Another number of the same shape: digits, trailing zeros and decimals; never 0 or 1."""
        scale = 10**self.decimals
        whole = int(self.value * scale)
        zeros = len(str(whole)) - len(str(whole).rstrip("0"))
        digits = len(str(whole)) - zeros
        lowest, highest = 10 ** (digits - 1), 10**digits - 1
        if self.limit is not None:
            highest = min(highest, max(lowest, self.limit * scale // 10**zeros))
        drawn = Fraction(rng.randint(lowest, highest) * 10**zeros, scale)
        return drawn if drawn != 1 else self.value

    def write(self, value: Fraction) -> str:
        comma = "," if "," in self.text else ""
        whole, rest = divmod(int(value * 10**self.decimals), 10**self.decimals)
        return f"{whole:{comma}}" + (f".{rest:0{self.decimals}}" if self.decimals else "")


_TOKEN = re.compile(r"\d{1,3}(?:,\d{3})+(?![,\d])(?:\.\d+)?|\d+(?:\.\d+)?", re.ASCII)
_BEFORE = re.compile(r"(?:^|[\s(\"“])[$€£]?$")
_AFTER = re.compile(r"%?(?:$|\s|[.,;:?!)\"”]+(?:\s|$)|-[A-Za-z])")
# 3 pm, 5 o'clock, 2 1/2, 9 out of 10 and 1 in 4 keep their numbers: others would be no time, no part.
_KEPT_AFTER = re.compile(
    r"\s*(?:[ap]\.?m\b|o.clock)|\s+\d+/\d|\s+(?:out of|in every|of every)\b|\s*(?:st|nd|rd|th)\b", re.IGNORECASE
)
_KEPT_BEFORE = re.compile(
    r"(?:out of(?: every)?|every|#|\b(?:number|no\.|grade|day|week|month|year|room|chapter|level|page|step|route|from|at|since"
    r"|until|till))\s*$",
    re.IGNORECASE,
)
_YEAR_BEFORE = re.compile(r"\b(?:in|of|by|before|after)\s*$", re.IGNORECASE)
_LIMITS = {"hour": (24,), "day": (7, 30, 365), "minute": (60,), "second": (60,), "month": (12,), "week": (4, 52)}
_COMPARES = re.compile(
    r"\b(?:whichever|cheap(?:er|est)|at (?:least|most)|minimum|maximum|round(?:ed|ing)?|nearest|remainder|exceed(?:s|ed)?"
    r"|enough|greatest|largest|smallest|highest|lowest|fewest|average of the|median|mode|consecutive|every other"
    r"|(?:over|above|below|beyond|after|up to) (?:the )?(?:first )?\$?\d)\b",
    re.IGNORECASE,
)


def find_numbers(text: str) -> list[Mention]:
    """The numbers that can be changed, in order. Kept are 0 and 1, fractions, times, years, ordinals, labels, "iPhone 5s"."""
    found = []
    for match in _TOKEN.finditer(text):
        before, after = text[max(0, match.start() - 24) : match.start()], text[match.end() : match.end() + 24]
        is_year = re.fullmatch(r"(?:19|20)\d\d", match[0]) and _YEAR_BEFORE.search(before)
        if not (_BEFORE.search(before) and _AFTER.match(after)) or _KEPT_AFTER.match(after) or is_year:
            continue
        if _KEPT_BEFORE.search(before) or (match[0].startswith("0") and "." not in match[0]):
            continue
        value, is_percent = Fraction(match[0].replace(",", "")), bool(re.match(r"%|\s*percent", after))
        if value in (0, 1) or (is_percent and value == 100):
            continue
        limits = (100,) if is_percent else _LIMITS.get((re.match(r"[\s-]*([a-z]*?)s?\b", after) or [""] * 2)[1], ())
        limit = next((bound for bound in limits if value <= bound), None)
        found.append(Mention(match.start(), match.end(), match[0], is_percent, 99 if limit == 100 else limit))
    return found


_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS: dict[str, tuple[str, ...]] = {word: (str(k),) for k, word in enumerate(_UNITS)}
_WORDS |= {word: (str(10 * k),) for k, word in enumerate(_TENS, start=2)}
_WORDS |= {
    f"{ten}-{unit}": (str(10 * k + j),) for k, ten in enumerate(_TENS, start=2) for j, unit in enumerate(_UNITS) if j
}
_WORDS |= {
    "hundred": ("100",), "thousand": ("1000",), "million": ("1000000",), "dozen": ("12",), "couple": ("2",), "pair": ("2",),
    "twice": ("2",), "double": ("2",), "doubled": ("2",), "doubling": ("2",), "both": ("2",), "twin": ("2",),
    "half": ("1", "2", "0.5"), "halve": ("1", "2"), "halved": ("2",), "halfway": ("2",), "thrice": ("3",),
    "triple": ("3",), "tripled": ("3",), "quadruple": ("4",), "quarter": ("1", "4", "0.25"), "third": ("1", "3"),
    "fourth": ("1", "4"), "fifth": ("1", "5"), "sixth": ("1", "6"), "seventh": ("7",),
    "eighth": ("1", "8"), "ninth": ("9",), "tenth": ("1", "10"),
    "once": ("1",), "himself": ("1",), "herself": ("1",), "single": ("1",),
    "minute": ("60",), "hour": ("60", "24"), "day": ("24", "7"), "daily": ("7",), "week": ("7", "4", "52"),
    "weekly": ("7", "4", "52"), "weekend": ("2",), "weekday": ("5",), "month": ("12", "30", "4"), "monthly": ("12",),
    "year": ("12", "52", "365"), "annual": ("12",), "yearly": ("12",), "decade": ("10",), "century": ("100",),
    "percent": ("100",), "dollar": ("100",), "cent": ("100",), "foot": ("12",), "feet": ("12",), "inch": ("12",),
    "yard": ("3",), "pound": ("16",), "ounce": ("16",), "kilometer": ("1000",), "km": ("1000",), "meter": ("100", "1000"),
    "centimeter": ("100",), "cm": ("100",), "kilogram": ("1000",), "kg": ("1000",), "gram": ("1000",), "liter": ("1000",),
    "milliliter": ("1000",), "ml": ("1000",), "gallon": ("4",), "quart": ("4",),
}  # fmt: skip
"""Constants that a word brings into the arithmetic."""


def _sort(text: str) -> tuple[list[Mention], frozenset[Fraction]]:
    """The numbers of a question that can be changed, and what the arithmetic may hold besides.

    That is what the words speak of, and the numbers that stay as they are.
    """
    spoken: set[Fraction] = set()
    for word in re.findall(r"[a-z]+(?:-[a-z]+)*", text.lower()):
        for part in {word, *word.split("-")}:
            singular = part if part in _WORDS else part.removesuffix("s")
            spoken |= {Fraction(value) for value in _WORDS.get(singular, _WORDS.get(part.removesuffix("es"), ()))}
    if "%" in text:
        spoken.add(Fraction(100))
    numbers = [(match.start(), Fraction(match[0].replace(",", ""))) for match in _TOKEN.finditer(text)]
    count = Counter(value for _, value in numbers)
    mentions = [m for m in find_numbers(text) if count[m.value] == 1 and m.value not in spoken]
    changed = {mention.start for mention in mentions}
    return mentions, frozenset(spoken | {value for start, value in numbers if start not in changed})


@dataclass(frozen=True)
class _Values:
    results: list[Fraction]
    """Of the steps, in order."""
    all: list[Fraction]
    """Of every part of every expression."""


@dataclass(frozen=True)
class _Program:
    """Steps whose leaves know where their numbers come from."""

    steps: list[tuple[ast.expr, Mapping[str, tuple[str, Fraction | int]]]]
    """Tree and, for each of its names, ("question" | "percent", which), ("result", which) or ("constant", value)."""
    used: frozenset[int]
    """Mentions that the steps read."""
    constants: frozenset[Fraction]
    """Numbers in the steps that are the same in every twin."""

    def values(self, numbers: Sequence[Fraction]) -> _Values | None:
        """All values with these numbers in the question; None where something is divided by zero."""
        results: list[Fraction] = []
        every: list[Fraction] = []
        try:
            for tree, leaves in self.steps:
                results.append(
                    _evaluate(tree, lambda name, leaves=leaves: _read(leaves[name], numbers, results), every)
                )
        except ZeroDivisionError:
            return None
        return _Values(results, every)


def _read(leaf: tuple[str, Fraction | int], numbers: Sequence[Fraction], results: Sequence[Fraction]) -> Fraction:
    kind, what = leaf
    if kind == "constant":
        return Fraction(what)
    if kind == "result":
        return results[int(what)]
    return numbers[int(what)] / (100 if kind == "percent" else 1)


def _evaluate(tree: ast.expr, read: Callable[[str], Fraction], every: list[Fraction]) -> Fraction:
    """Value of a tree of + - * / over names; every part's value is appended to `every`."""
    if isinstance(tree, ast.Name):
        value = read(tree.id)
    else:
        assert isinstance(tree, ast.BinOp)
        left, right = _evaluate(tree.left, read, every), _evaluate(tree.right, read, every)
        value = _OPERATIONS[type(tree.op)](left, right)
    every.append(value)
    return value


_OPERATIONS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
_LEAF = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)


def _parse(expression: str) -> tuple[ast.expr, list[Fraction]]:
    """The tree of an expression, whose names n0, n1, ... are its numbers in order."""
    numbers: list[Fraction] = []

    def name(match: re.Match[str]) -> str:
        numbers.append(Fraction(match[0]))
        return f"n{len(numbers) - 1}"

    text = expression.replace("$", "").replace(",", "").strip()
    if len(text) > 200 or re.search(r"[^0-9 .+*/()-]|\*\*|//", text):
        raise RefusedError("a step is no plain arithmetic")
    try:
        tree = ast.parse(_LEAF.sub(name, text), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        raise RefusedError("a step is no plain arithmetic") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.expr) and not (
            isinstance(node, ast.Name) or (isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS)
        ):
            raise RefusedError("a step is no plain arithmetic")
    return tree, numbers


def _link(steps: Sequence[tuple[str, str]], mentions: Sequence[Mention], constants: frozenset[Fraction]) -> _Program:
    """Find for each number of the arithmetic the one place that it comes from."""
    linked, results, read_results, used, fixed = [], [], set(), set(), set()
    for expression, result in steps:
        tree, numbers = _parse(expression)
        leaves: dict[str, tuple[str, Fraction | int]] = {}
        for k, number in enumerate(numbers):
            places: list[tuple[str, Fraction | int]] = [
                ("question", i) for i, m in enumerate(mentions) if m.value == number
            ]
            places += [("percent", i) for i, m in enumerate(mentions) if m.is_percent and m.value / 100 == number]
            places += [("result", i) for i, value in enumerate(results) if value == number]
            places += [("constant", number)] if number in constants else []
            if len(places) != 1:
                raise RefusedError("a number of the arithmetic could be two things" if places
                                   else "a number of the arithmetic is not in the question")  # fmt: skip
            leaves[f"n{k}"] = places[0]
            kind, what = places[0]
            {"result": read_results, "constant": fixed}.get(kind, used).add(what)
        linked.append((tree, leaves))
        results.append(_number(result))
    if read_results != set(range(len(results) - 1)):
        raise RefusedError("a step is not used by a later one")
    return _Program(linked, frozenset(used), frozenset(fixed))


def _check_ties(mentions: Sequence[Mention], used: frozenset[int], values: _Values) -> None:
    """Refuse a number that is not used and may follow from others: "had 50, ate 20, has 30 left"."""
    for k, mention in enumerate(mentions):
        others = {*values.results, *(other.value for other in mentions if other is not mention)}
        tied = others | {x for a, b in permutations(others, 2) for x in (a + b, a - b, a * b, a / b)}
        if k not in used and mention.value in tied:
            raise RefusedError("a number that is not used may be tied to others")


def _is_reordered(mentions: Sequence[Mention], numbers: Mapping[int, Fraction]) -> bool:
    """A new number is above one that stays and was not, or the other way round: "had 589, gave 694 away"."""
    # None of these equals a number that changes: what stands there twice stays.
    staying = [mention.value for k, mention in enumerate(mentions) if k not in numbers]
    return any((mentions[k].value - stays) * (new - stays) <= 0 for k, new in numbers.items() for stays in staying)


def _is_like(before: _Values, after: _Values) -> bool:
    """Positive, whole where it was whole, below 1 where it was; the answer with no more decimals."""
    decimals = len(_decimal(before.results[-1]).partition(".")[2])
    return (after.results[-1] * 10**decimals).denominator == 1 and all(
        y > 0 and (x.denominator > 1 or y.denominator == 1) and (x >= 1 or y < 1)
        for x, y in zip(before.all, after.all, strict=True)
    )


def _twin(
    problem: Problem, mentions: Sequence[Mention], numbers: Mapping[int, Fraction], answer: Fraction, seed: int
) -> Problem:
    text, end = "", 0
    for k, mention in enumerate(mentions):
        new = mention.write(numbers[k]) if k in numbers else mention.text
        text, end = text + problem.prompt[end : mention.start] + new, mention.end
    last = {"role": "user", "content": text + problem.prompt[end:]}
    return replace(
        problem, id=f"{problem.id}/twin-{seed}", messages=(*problem.messages[:-1], last), answer=_decimal(answer),
        solution=None, demonstration=None, tags={**problem.tags, "twin_of": problem.id},
    )  # fmt: skip


def _plain(text: str) -> str:
    """The characters of a number, without what people put around it."""
    return text.replace(",", "").replace("$", "").strip().removesuffix(".")


def _number(text: str) -> Fraction:
    if not re.fullmatch(r"-?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})", _plain(text)):
        raise RefusedError("a result is no number")
    return Fraction(_plain(text))


def _decimal(value: Fraction) -> str:
    """Exactly, as people write it; only for fractions that end."""
    if value.denominator == 1:
        return str(value.numerator)
    digits = next((d for d in range(1, 13) if (value * 10**d).denominator == 1), None)
    if digits is None:
        raise RefusedError("the answer has no end")
    whole = int(value * 10**digits)
    return f"{whole // 10**digits}.{whole % 10**digits:0{digits}}"

"""Arithmetic in two languages: problems with gold chains of thought, and the exact check of an answer.

    what is 37 plus 45 ?      ones 7 plus 5 is 2 carry 1 tens 3 plus 4 plus 1 is 8     82
    37 加 45 等于 多少 ？      个位 7 加 5 得 2 进 1 十位 3 加 4 加 1 得 8              82
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, product
from typing import Literal

from sanmai.types import Problem, Trace, Verdict
from sanmai.world.chance import generator, stable_hash

Language = Literal["en", "zh"]
Split = Literal["train", "heldout", "ood"]
Template = Literal["sum", "word_problem", "three_numbers", "subtraction"]

LANGUAGES: tuple[Language, ...] = ("en", "zh")
OOD_TEMPLATES: tuple[Template, ...] = ("sum", "word_problem", "three_numbers", "subtraction")
"""What the `ood` split holds: sums of 4 digits, and templates that no training text uses."""
HELDOUT_SHARE = 0.2
"""Share of the unordered operand pairs that training never sees."""

PROMPTS: dict[tuple[Template, Language], str] = {
    ("sum", "en"): "what is {0} plus {1} ?",
    ("sum", "zh"): "{0} 加 {1} 等于 多少 ？",
    ("word_problem", "en"): "you have {0} stones and get {1} more . how many is it ?",
    ("word_problem", "zh"): "你 有 {0} 块 石头 又 得到 {1} 块 。 一共 多少 ？",
    ("three_numbers", "en"): "what is {0} plus {1} plus {2} ?",
    ("three_numbers", "zh"): "{0} 加 {1} 加 {2} 等于 多少 ？",
    ("subtraction", "en"): "what is {0} minus {1} ?",
    ("subtraction", "zh"): "{0} 减 {1} 等于 多少 ？",
}


@dataclass(frozen=True)
class ChainWords:
    """The words that a column-by-column thought is written in."""

    places: tuple[str, ...]
    """Names of the columns, right to left."""
    plus: str
    minus: str
    equals: str
    carry: str
    borrow: str


CHAIN_WORDS: dict[Language, ChainWords] = {
    "en": ChainWords(
        ("ones", "tens", "hundreds", "thousands", "ten-thousands"), "plus", "minus", "is", "carry", "borrow"
    ),
    "zh": ChainWords(("个位", "十位", "百位", "千位", "万位"), "加", "减", "得", "进", "借"),
}


def make_problems(
    count: int,
    *,
    seed: int,
    split: Split = "train",
    digits: Sequence[int] = (1, 2, 3),
    languages: Sequence[Language] = LANGUAGES,
    templates: Sequence[Template] | None = None,
) -> list[Problem]:
    """Distinct problems of one split, in turn from each (template, digits, language).

    There are only 200 sums of one digit, so a long list has fewer of them than of the others. The first n of a longer
    list are the list of n.

    Args:
        count: how many.
        seed: the same seed gives the same problems.
        split: "train" and "heldout" are sums and never share an operand pair, in either order; "ood" is sums of
            4 digits and the other templates with `digits` digits, the word problems of them with held-out pairs.
        digits: digits of every operand, each from 1 to 3.
        languages: of the prompt and the gold thought.
        templates: which of the split's templates; all when None.

    Raises:
        ValueError: an argument is out of range, or the split does not hold `count` such problems.
    """
    allowed = OOD_TEMPLATES if split == "ood" else ("sum",)
    templates = allowed if templates is None else templates
    if count < 0 or not set(digits) <= {1, 2, 3} or not set(languages) <= set(LANGUAGES):
        raise ValueError(f"{count=}, {digits=}, {languages=}: expected count >= 0, digits of 1 to 3, languages en, zh")
    if split not in ("train", "heldout", "ood") or not set(templates) <= set(allowed):
        raise ValueError(f"{split=}, {templates=}: expected train or heldout with sum, or ood with {OOD_TEMPLATES}")
    cells = [
        (template, num_digits, language)
        for template in dict.fromkeys(templates)
        for num_digits in ((4,) if split == "ood" and template == "sum" else dict.fromkeys(digits))
        for language in dict.fromkeys(languages)
    ]
    sources = {cell: _problems(split, *cell, generator("problems", seed, split, *cell)) for cell in cells}
    problems: list[Problem] = []
    for cell in cycle(cells):
        if len(problems) == count or not sources:
            break
        if cell in sources and (problem := next(sources[cell], None)):
            problems.append(problem)
        else:
            sources.pop(cell, None)
    if len(problems) < count:
        raise ValueError(f"{count=}: only {len(problems)} such problems exist in split {split!r}")
    return problems


def verify(problem: Problem, trace: Trace) -> Verdict:
    """Grade the answer part: 1.0 when it is the number and nothing else. Spaces between digits are tolerated."""
    if problem.answer is None:
        return Verdict(None, "the problem has no reference answer", "ungradable")
    if not trace.is_complete:
        return Verdict(0.0, "no answer was finished", "incomplete")
    answer = trace.answer.strip().replace(" ", "")
    if answer == problem.answer:
        return Verdict(1.0, "the answer is the number", "correct")
    if not any(character in "0123456789" for character in answer):
        return Verdict(0.0, "the answer holds no number", "no_answer")
    return Verdict(0.0, f"the answer is {answer[:40]!r}, not {problem.answer!r}", "wrong")


def operands(num_digits: int) -> range:
    """The numbers with so many digits; 0 has one."""
    return range(0 if num_digits == 1 else 10 ** (num_digits - 1), 10**num_digits)


def pair_split(a: int, b: int) -> Split:
    """Which split the sum of a and b belongs to: the same for both orders, languages and every seed."""
    if max(a, b) >= 1000:
        return "ood"
    return "heldout" if stable_hash("pair", min(a, b), max(a, b)) < HELDOUT_SHARE * 2**64 else "train"


def addition_chain(
    numbers: Sequence[int], language: Language, slip: Callable[[int], int] | None = None
) -> tuple[str, str]:
    """The thought that adds the numbers column by column from the right, and the answer that it leads to.

    `slip` may put another digit in a column's place (the corpus makes its mistakes so); None adds without mistakes.

    Raises:
        ValueError: a number is negative or has more than 4 digits: there are no words for its columns.
    """
    words = CHAIN_WORDS[language]
    columns, digits, carry = [], [], 0
    for place, column in zip(words.places, _columns(numbers), strict=False):
        addends = [*column, carry] if carry else column
        carry, digit = divmod(sum(addends), 10)
        digits.append(digit if slip is None else slip(digit))
        columns.append(
            f"{place} {f' {words.plus} '.join(map(str, addends))} {words.equals} {digits[-1]}"
            + (f" {words.carry} {carry}" if carry else "")
        )
    if carry:
        columns.append(f"{words.places[len(digits)]} {carry}")
        digits.append(carry)
    return " ".join(columns), "".join(map(str, reversed(digits)))


def cut_chain(thought: str, language: Language) -> list[str]:
    """The columns of a chain, cut where the next one's name begins."""
    places = "|".join(CHAIN_WORDS[language].places)
    return re.split(rf"\s+(?=(?:{places})(?![\w-]))", thought)


def subtraction_chain(a: int, b: int, language: Language) -> tuple[str, str]:
    """The thought that takes b from a (a >= b) column by column from the right, and the answer.

    Raises:
        ValueError: b is larger than a, or a number is negative or has more than 4 digits.
    """
    if b > a:
        raise ValueError(f"{a=}, {b=}: expected a >= b")
    words = CHAIN_WORDS[language]
    columns, borrow = [], 0
    for place, (top, bottom) in zip(words.places, _columns((a, b)), strict=False):
        terms = [top, bottom, borrow] if borrow else [top, bottom]
        borrow = int(top - bottom - borrow < 0)
        digit = (terms[0] - sum(terms[1:])) % 10
        columns.append(
            f"{place} {f' {words.minus} '.join(map(str, terms))} {words.equals} {digit}"
            + (f" {words.borrow} {borrow}" if borrow else "")
        )
    return " ".join(columns), str(a - b)


def vocabulary() -> list[str]:
    """Every word of prompts and thoughts, digits left out."""
    texts = [prompt.format("", "", "") for prompt in PROMPTS.values()]
    for words in CHAIN_WORDS.values():
        texts += [*words.places, words.plus, words.minus, words.equals, words.carry, words.borrow]
    return [word for text in texts for word in text.split()]


def _columns(numbers: Sequence[int]) -> list[list[int]]:
    """Digits of the numbers column by column, from the right."""
    if not all(0 <= number <= 9999 for number in numbers):
        raise ValueError(f"{numbers=}: expected numbers from 0 to 9999")
    width = max(len(str(number)) for number in numbers)
    return [[number // 10**place % 10 for number in numbers] for place in range(width)]


def _problems(
    split: Split, template: Template, num_digits: int, language: Language, rng: random.Random
) -> Iterator[Problem]:
    """The problems of one cell in random order, each once."""
    for a, b in _pairs(num_digits, rng):
        numbers = [a, b]
        if template in ("sum", "word_problem") and num_digits < 4:
            if pair_split(a, b) != ("train" if split == "train" else "heldout"):
                continue
        elif template == "three_numbers":
            numbers.append(rng.choice(operands(num_digits)))
        elif template == "subtraction" and a < b:
            continue
        if template == "subtraction":
            thought, answer = subtraction_chain(numbers[0], numbers[1], language)
        else:
            thought, answer = addition_chain(numbers, language)
        yield Problem(
            id=f"world/{split}/{template}/{language}/{'_'.join(map(str, numbers))}",
            messages=({"role": "user", "content": PROMPTS[template, language].format(*numbers)},),
            answer=answer,
            verifier="world",
            language=language,
            solution=thought,
            tags={"digits": num_digits, "template": template, "split": split},
        )


def _pairs(num_digits: int, rng: random.Random) -> Iterator[tuple[int, int]]:
    """Every ordered pair of operands once, in random order."""
    numbers = operands(num_digits)
    if num_digits <= 2:
        pairs = list(product(numbers, numbers))
        rng.shuffle(pairs)
        yield from pairs
        return
    # The larger grids are never listed whole; no caller comes near their end.
    seen: set[tuple[int, int]] = set()
    while len(seen) < len(numbers) ** 2:
        pair = rng.choice(numbers), rng.choice(numbers)
        if pair not in seen:
            seen.add(pair)
            yield pair

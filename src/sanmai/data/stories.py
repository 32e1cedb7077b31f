"""Small sums in English words and figures, made by a seeded generator: problems that a small chat model can begin to solve.

No text is taken from anywhere. Twelve kinds with three levels each; a question belongs to training or to the held-out ones by
its numbers, whatever the seed and the count, and kinds that are not trained on can be held out whole.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Literal

from sanmai.types import Problem

Split = Literal["train", "heldout"]
NAMES = ("Ana", "Ben", "Chen", "Dara", "Eli", "Fatima", "Grace", "Hugo", "Ines", "Jonas", "Kofi", "Lena", "Mia", "Omar", "Tom")
THINGS = ("apples", "books", "cards", "coins", "marbles", "pens", "shells", "stamps")
ENDING = 'Think briefly, then end with "The answer is" and the number.'
_HELD_OUT = 5
"""One set of numbers in so many is held out."""

Made = tuple[str, str, int]
"""Question, worked solution, answer."""


def _top(level: int, *tops: int) -> int:
    return tops[level - 1]


def _add(draw: random.Random, level: int) -> Made:
    a, b = (draw.randint(2, _top(level, 20, 60, 500)) for _ in range(2))
    return f"What is {a} + {b}?", f"{a} + {b} = {a + b}.", a + b


def _subtract(draw: random.Random, level: int) -> Made:
    a, b = sorted((draw.randint(2, _top(level, 20, 60, 500)) for _ in range(2)), reverse=True)
    return f"What is {a} - {b}?", f"{a} - {b} = {a - b}.", a - b


def _multiply(draw: random.Random, level: int) -> Made:
    a, b = draw.randint(2, _top(level, 9, 12, 40)), draw.randint(2, 9)
    return f"What is {a} times {b}?", f"{a} times {b} is {a * b}.", a * b


def _largest(draw: random.Random, level: int) -> Made:
    numbers = draw.sample(range(1, _top(level, 100, 1000, 10000)), _top(level, 3, 4, 5))
    listed = ", ".join(map(str, numbers[:-1])) + f" or {numbers[-1]}"
    return f"Which number is the largest: {listed}?", f"The largest of them is {max(numbers)}.", max(numbers)


def _gaining(draw: random.Random, level: int) -> Made:
    name, thing = draw.choice(NAMES), draw.choice(THINGS)
    a, b = (draw.randint(2, _top(level, 12, 40, 300)) for _ in range(2))
    question = f"{name} has {a} {thing} and buys {b} more. How many {thing} does {name} have now?"
    return question, f"{a} and {b} more are {a + b}.", a + b


def _giving(draw: random.Random, level: int) -> Made:
    name, thing = draw.choice(NAMES), draw.choice(THINGS)
    b, rest = (draw.randint(2, _top(level, 9, 40, 300)) for _ in range(2))
    question = f"{name} has {b + rest} {thing} and gives away {b}. How many {thing} does {name} have left?"
    return question, f"{b + rest} - {b} = {rest}.", rest


def _groups(draw: random.Random, level: int) -> Made:
    name, thing = draw.choice(NAMES), draw.choice(THINGS)
    a, b = draw.randint(2, _top(level, 6, 12, 30)), draw.randint(2, 9)
    question = f"{name} has {a} boxes with {b} {thing} in each. How many {thing} are there in all?"
    return question, f"{a} boxes of {b} are {a} times {b}, which is {a * b}.", a * b


def _sharing(draw: random.Random, level: int) -> Made:
    name, thing = draw.choice(NAMES), draw.choice(THINGS)
    share, friends = draw.randint(2, _top(level, 6, 12, 30)), draw.randint(2, 9)
    question = f"{name} shares {share * friends} {thing} equally among {friends} friends. How many {thing} does each friend get?"
    return question, f"{share * friends} divided by {friends} is {share}.", share


def _two_steps(draw: random.Random, level: int) -> Made:
    name, thing = draw.choice(NAMES), draw.choice(THINGS)
    a, b = (draw.randint(3, _top(level, 12, 40, 300)) for _ in range(2))
    c = draw.randint(2, a)
    question = f"{name} has {a} {thing}, finds {b} more and then loses {c}. How many {thing} does {name} have now?"
    return question, f"{a} + {b} = {a + b}, and {a + b} - {c} = {a + b - c}.", a + b - c


def _price(draw: random.Random, level: int) -> Made:
    name, thing = draw.choice(NAMES), draw.choice(THINGS)
    each, count, other = draw.randint(2, _top(level, 5, 9, 30)), draw.randint(2, 9), draw.randint(2, _top(level, 9, 40, 300))
    question = f"{name} buys {count} {thing} for {each} dollars each and a bag for {other} dollars. How many dollars is that?"
    all_of_them = count * each
    total = all_of_them + other
    return question, f"{count} times {each} is {all_of_them}, and {all_of_them} + {other} = {total}.", total


def _older(draw: random.Random, level: int) -> Made:
    first, second = draw.sample(NAMES, 2)
    age, more, years = draw.randint(4, _top(level, 20, 40, 60)), draw.randint(2, 15), draw.randint(2, _top(level, 5, 12, 30))
    question = f"{first} is {age} years old, and {second} is {more} years older. How old will {second} be in {years} years?"
    return question, f"{second} is {age + more} now, and {age + more} + {years} = {age + more + years}.", age + more + years


def _missing(draw: random.Random, level: int) -> Made:
    a, b = (draw.randint(2, _top(level, 12, 40, 300)) for _ in range(2))
    return f"Which number has to be added to {a} to get {a + b}?", f"{a + b} - {a} = {b}.", b


KINDS: dict[str, Callable[[random.Random, int], Made]] = {
    "add": _add, "subtract": _subtract, "multiply": _multiply, "largest": _largest, "gaining": _gaining, "giving": _giving,
    "groups": _groups, "sharing": _sharing, "two_steps": _two_steps, "price": _price, "older": _older, "missing": _missing,
}  # fmt: skip


def make_stories(
    count: int, *, seed: int, split: Split = "train", kinds: Sequence[str] = tuple(KINDS), levels: Sequence[int] = (1,)
) -> list[Problem]:
    """Distinct problems in turn from each (kind, level); tags: kind and level.

    Args:
        count: how many.
        seed: the same seed gives the same problems, and a longer list begins with the shorter one.
        split: no question of one split is in the other, whatever the seeds.

    Raises:
        ValueError: an unknown kind or level, or there are not so many.
    """
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise ValueError(f"kind {unknown[0]!r}: expected some of {', '.join(KINDS)}")
    if count < 0 or not kinds or not levels or not set(levels) <= {1, 2, 3}:
        raise ValueError(f"{count=}, {kinds=}, {levels=}: expected count >= 0, at least one kind, levels of 1 to 3")
    cells = [(kind, level) for level in dict.fromkeys(levels) for kind in dict.fromkeys(kinds)]
    sources = {cell: _problems(seed, split, *cell) for cell in cells}
    found = []
    for cell in cycle(cells):
        if len(found) == count or not sources:
            break
        problem = next(sources[cell], None) if cell in sources else None
        if problem is None:
            sources.pop(cell, None)
        else:
            found.append(problem)
    if len(found) < count:
        raise ValueError(f"{count=}: only {len(found)} such problems exist in split {split!r}")
    return found


def _problems(seed: int, split: Split, kind: str, level: int) -> Iterator[Problem]:
    """Problems of one kind and level; it ends when a thousand draws in a row give none that is new."""
    draw, seen, misses = random.Random(f"stories/{seed}/{split}/{kind}/{level}"), set[str](), 0
    while misses < 1000:
        question, solution, answer = KINDS[kind](draw, level)
        misses += 1
        if question in seen or _split_of(question) != split:
            continue
        seen.add(question)
        misses = 0
        yield Problem(
            f"stories/{split}/{seed}/{kind}/{level}/{len(seen) - 1}",
            ({"role": "user", "content": f"{question} {ENDING}"},),
            str(answer),
            verifier="number",
            language="en",
            demonstration=f"{solution} The answer is {answer}.",
            tags={"kind": kind, "level": level},
        )


def _split_of(question: str) -> Split:
    """By the numbers alone, in any order, so that a story with another name or thing is in the same split."""
    numbers = " ".join(sorted(word.strip("?.,:") for word in question.split() if any(c.isdigit() for c in word)))
    return "heldout" if int(hashlib.sha256(numbers.encode()).hexdigest(), 16) % _HELD_OUT == 0 else "train"

"""Small sums in words and figures, made by a seeded generator: problems that a small chat model can begin to solve.

No text is taken from anywhere. Twelve kinds with three levels each, in the languages of story_words.py; a question belongs to
training or to the held-out ones by its numbers, whatever the seed, the count and the language, and kinds that are not trained on
can be held out whole.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, product
from typing import Literal

from sanmai.data.story_words import NAMES, NUM_THINGS, WORDS
from sanmai.types import Problem

Split = Literal["train", "heldout"]
_HELD_OUT = 5
"""One set of numbers in so many is held out."""

Made = dict[str, int | str | Sequence[int]]
"""What a kind's words are filled with (story_words.py); `answer` is among it."""


def _top(level: int, *tops: int) -> int:
    return tops[level - 1]


def _who_and_what(draw: random.Random) -> Made:
    """Whose story it is, and of which thing, by its place in every language's list."""
    return {"name": draw.choice(NAMES), "thing": draw.choice(range(NUM_THINGS))}


def _add(draw: random.Random, level: int) -> Made:
    a, b = (draw.randint(2, _top(level, 20, 60, 500)) for _ in range(2))
    return {"a": a, "b": b, "answer": a + b}


def _subtract(draw: random.Random, level: int) -> Made:
    a, b = sorted((draw.randint(2, _top(level, 20, 60, 500)) for _ in range(2)), reverse=True)
    return {"a": a, "b": b, "answer": a - b}


def _multiply(draw: random.Random, level: int) -> Made:
    a, b = draw.randint(2, _top(level, 9, 12, 40)), draw.randint(2, 9)
    return {"a": a, "b": b, "answer": a * b}


def _largest(draw: random.Random, level: int) -> Made:
    numbers = draw.sample(range(1, _top(level, 100, 1000, 10000)), _top(level, 3, 4, 5))
    return {"listed": numbers, "answer": max(numbers)}


def _gaining(draw: random.Random, level: int) -> Made:
    told = _who_and_what(draw)
    a, b = (draw.randint(2, _top(level, 12, 40, 300)) for _ in range(2))
    return told | {"a": a, "b": b, "answer": a + b}


def _giving(draw: random.Random, level: int) -> Made:
    told = _who_and_what(draw)
    b, rest = (draw.randint(2, _top(level, 9, 40, 300)) for _ in range(2))
    return told | {"a": b + rest, "b": b, "answer": rest}


def _groups(draw: random.Random, level: int) -> Made:
    told = _who_and_what(draw)
    a, b = draw.randint(2, _top(level, 6, 12, 30)), draw.randint(2, 9)
    return told | {"a": a, "b": b, "answer": a * b}


def _sharing(draw: random.Random, level: int) -> Made:
    told = _who_and_what(draw)
    share, friends = draw.randint(2, _top(level, 6, 12, 30)), draw.randint(2, 9)
    return told | {"a": share * friends, "b": friends, "answer": share}


def _two_steps(draw: random.Random, level: int) -> Made:
    told = _who_and_what(draw)
    a, b = (draw.randint(3, _top(level, 12, 40, 300)) for _ in range(2))
    lost = draw.randint(2, a)
    return told | {"a": a, "b": b, "between": a + b, "lost": lost, "answer": a + b - lost}


def _price(draw: random.Random, level: int) -> Made:
    told = _who_and_what(draw)
    each, count, bag = draw.randint(2, _top(level, 5, 9, 30)), draw.randint(2, 9), draw.randint(2, _top(level, 9, 40, 300))
    return told | {"each": each, "count": count, "bag": bag, "between": count * each, "answer": count * each + bag}


def _older(draw: random.Random, level: int) -> Made:
    first, second = draw.sample(NAMES, 2)
    age, more, years = draw.randint(4, _top(level, 20, 40, 60)), draw.randint(2, 15), draw.randint(2, _top(level, 5, 12, 30))
    told: Made = {"name": first, "other": second, "age": age, "more": more, "years": years}
    return told | {"between": age + more, "answer": age + more + years}


def _missing(draw: random.Random, level: int) -> Made:
    a, b = (draw.randint(2, _top(level, 12, 40, 300)) for _ in range(2))
    return {"a": a, "sum": a + b, "answer": b}


KINDS: dict[str, Callable[[random.Random, int], Made]] = {
    "add": _add, "subtract": _subtract, "multiply": _multiply, "largest": _largest, "gaining": _gaining, "giving": _giving,
    "groups": _groups, "sharing": _sharing, "two_steps": _two_steps, "price": _price, "older": _older, "missing": _missing,
}  # fmt: skip


def make_stories(
    count: int, *, seed: int, split: Split = "train", kinds: Sequence[str] = tuple(KINDS), levels: Sequence[int] = (1,),
    languages: Sequence[str] = ("en",),
) -> list[Problem]:  # fmt: skip
    """Distinct problems in turn from each (level, kind, language); tags: kind and level.

    Args:
        count: how many.
        seed: the same seed gives the same problems, and a longer list begins with the shorter one.
        split: no question of one split is in the other, whatever the seeds.

    Raises:
        ValueError: an unknown kind, level or language, or there are not so many.
    """
    if missing := [language for language in languages if language not in WORDS]:
        raise ValueError(f"language {missing[0]!r}: expected some of {', '.join(WORDS)}")
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise ValueError(f"kind {unknown[0]!r}: expected some of {', '.join(KINDS)}")
    if count < 0 or not kinds or not levels or not set(levels) <= {1, 2, 3} or not languages:
        raise ValueError(
            f"{count=}, {kinds=}, {levels=}, {languages=}: expected count >= 0, at least one kind and language, levels of 1 to 3"
        )
    cells = list(product(dict.fromkeys(levels), dict.fromkeys(kinds), dict.fromkeys(languages)))
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


def _problems(seed: int, split: Split, level: int, kind: str, language: str) -> Iterator[Problem]:
    """Problems of one kind, level and language; it ends when a thousand draws in a row give none that is new."""
    place = "/".join((kind, str(level)) if language == "en" else (language, kind, str(level)))
    draw, seen, misses = random.Random(f"stories/{seed}/{split}/{place}"), set[str](), 0
    words = WORDS[language]
    while misses < 1000:
        made = KINDS[kind](draw, level)
        question, solution = words.told(kind, made)
        misses += 1
        if question in seen or _split_of(question) != split:
            continue
        seen.add(question)
        misses = 0
        yield Problem(
            f"stories/{split}/{seed}/{place}/{len(seen) - 1}",
            ({"role": "user", "content": f"{question} {words.asks}"},),
            str(made["answer"]),
            verifier="number",
            language=language,
            demonstration=f"{solution} {words.ends.format(**made)}",
            tags={"kind": kind, "level": level},
        )


def _split_of(question: str) -> Split:
    """By the numbers alone, in any order, so that a story with another name or thing is in the same split."""
    numbers = " ".join(sorted(word.strip("?.,:") for word in question.split() if any(c.isdigit() for c in word)))
    return "heldout" if int(hashlib.sha256(numbers.encode()).hexdigest(), 16) % _HELD_OUT == 0 else "train"

"""Harmless puzzles put before a question, which stays the same: does a model think longer because of them?

A decoy takes thought and has an answer of its own, and the prompt says that it need not be solved. Nothing in it bears on the
question. In the spirit of the slowdown attack of Kumar et al. 2025 (arXiv:2502.02542), with puzzles of our own in place of the
Markov decision processes there, and without hiding them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from sanmai.data.testbeds import own_testbed
from sanmai.types import Problem

_NAMES = ("Ada", "Bo", "Cy", "Dee", "Eli", "Fay", "Gus", "Hal")
_FRAME = (
    "Someone else is working on this puzzle; you need not solve it:\n{decoy}\n\n"
    "Please answer only the following question.\n{question}"
)


def add_decoy(problem: Problem, seed: int) -> Problem:
    """The problem with a puzzle before its question, and the tag `decoy_of`; answer and grading are the same.

    A function of problem and seed alone.

    Raises:
        ValueError: a problem of a testbed, whose tokenizer knows none of these words.
    """
    if (bed := own_testbed(problem)) is not None:
        raise ValueError(f"problem {problem.id}: decoys are in English, which the tokenizer of {bed.about} does not know")
    rng = random.Random(f"decoy\n{seed}\n{problem.id}")
    text = _FRAME.format(decoy=rng.choice(DECOYS)(rng), question=problem.prompt)
    tags = {**problem.tags, "decoy_of": problem.id}
    messages = (*problem.messages[:-1], {**problem.messages[-1], "content": text})
    return replace(
        problem, id=f"{problem.id}/decoy-{seed}", messages=messages, solution=None, demonstration=None, tags=tags
    )


def seating(rng: random.Random) -> str:
    """Who sits where in a row, from who sits left of whom."""
    row = rng.sample(_NAMES, 5)
    hints = [f"{row[i]} sits somewhere to the left of {row[i + 1]}" for i in range(4)]
    rng.shuffle(hints)
    return f"Five friends sit in a row. {'. '.join(hints)}. Who sits in the middle?"


def truth_tellers(rng: random.Random) -> str:
    """Knights, who tell the truth, and knaves, who lie."""
    a, b, c = rng.sample(_NAMES, 3)
    # The last two sentences put b against a and c with b, so the first sentence decides.
    says = rng.choice((f"{b} and {c} are of the same kind", f"exactly one of {b} and {c} is a knight"))
    return (
        "On an island knights always tell the truth and knaves always lie. "
        f"{a} says that {says}. {b} says that {a} is a knave. {c} says that {b} is a knight. Who is what?"
    )


def pouring(rng: random.Random) -> str:
    """Measuring with two jugs whose sizes have no common divisor."""
    small, large = rng.choice(((3, 5), (4, 7), (5, 8), (5, 9), (7, 9), (3, 8)))
    goal = rng.choice([n for n in range(1, large) if n != small])
    return f"There are a jug of {small} litres, a jug of {large} litres and a tap. Which steps measure exactly {goal} litres?"


def grid_walk(rng: random.Random) -> str:
    """The cheapest way through a grid of costs."""
    rows = [" ".join(str(rng.randint(1, 9)) for _ in range(4)) for _ in range(4)]
    return (
        "Walk from the top left to the bottom right, one step right or down at a time, at the lowest sum:\n"
        + "\n".join(rows)
    )


DECOYS: tuple[Callable[[random.Random], str], ...] = (seating, truth_tellers, pouring, grid_walk)

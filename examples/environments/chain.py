"""A dialogue of several turns: numbers are added one after the other, and what was answered is what the next question adds to.

sanmai run zero --set 'problems.source="environment:examples/environments/chain.py:Chain"'

what is 3 plus 4 ?     7
what is 7 plus 5 ?     12
what is 12 plus 2 ?    14      the reward is 1 where this is the sum of all numbers
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

Turns = list[dict[str, str]]


class Chain:
    def __init__(self, count: int = 200, additions: int = 3, largest: int = 9, seed: int = 0) -> None:
        self.count, self.additions, self.largest, self.seed = count, additions, largest, seed

    def tasks(self) -> Iterator[dict[str, Any]]:
        """A first number and those that are added to it, drawn by the seed."""
        draw = random.Random(self.seed)
        for _ in range(self.count):
            numbers = [draw.randint(1, self.largest) for _ in range(self.additions + 1)]
            yield {
                "prompt": _question(numbers[0], numbers[1]),
                "numbers": numbers,
                "tags": {"additions": self.additions},
            }

    def reply(self, task: dict[str, Any], turns: Turns) -> str | None:
        """The next question, on what was answered; None after the last one, or where the answer is no number."""
        answer, asked = _number(turns[-1]["content"]), 1 + len(turns) // 2
        if answer is None or asked == len(task["numbers"]) - 1:
            return None
        return _question(answer, task["numbers"][asked + 1])

    def reward(self, task: dict[str, Any], turns: Turns) -> float:
        """Whether every question was asked and the last answer is the sum of all numbers."""
        is_whole = 1 + len(turns) // 2 == len(task["numbers"]) - 1
        return float(is_whole and _number(turns[-1]["content"]) == sum(task["numbers"]))


def _question(a: int, b: int) -> str:
    return f"what is {a} plus {b} ?"


def _number(text: str) -> int | None:
    words = text.split()
    return int(words[-1]) if words and words[-1].isdecimal() and len(words[-1]) < 6 else None

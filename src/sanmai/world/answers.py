"""Answers to sums that are labelled right or wrong, the wrong ones planted in known ways; seeded.

Rows as a file of labelled answers has them (data/preferences.py). Every sum has a right and a wrong response, so that neither the
question nor the reference alone says which it is.

    what is 37 plus 45 ?    reference: 82    response: <think> ones 7 plus 5 is 2 ... </think> 72    label: wrong
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Literal

from sanmai.types import Problem
from sanmai.world.arithmetic import LANGUAGES, Language, addition_chain, make_problems
from sanmai.world.chance import check_shares, draw, generator

Error = Literal["slip", "digit", "missing_digit", "neighbour"]
"""A column of the chain is wrong and the answer follows it; the chain is right and the answer has another digit, lacks its first
one, or is off by one."""
ERRORS: dict[Error, float] = {"slip": 0.4, "digit": 0.3, "missing_digit": 0.1, "neighbour": 0.2}


def labelled_answers(
    count: int,
    *,
    seed: int,
    split: Literal["train", "heldout"] = "train",
    digits: Sequence[int] = (1, 2, 3),
    noise: float = 0.0,
    thinks: float = 0.5,
) -> list[dict[str, Any]]:
    """Responses to distinct sums, a right and a wrong one of each in turn.

    Args:
        seed: the same seed gives the same rows.
        split: of the sums; the two never share an operand pair.
        noise: share of the rows, exact up to rounding, whose labels are swapped.
        thinks: chance, for each response, of a thought before the answer.

    Raises:
        ValueError: the split holds fewer sums, or a share outside 0..1.
    """
    check_shares(noise=noise, thinks=thinks)
    rng = generator("labelled answers", seed, split)
    problems = make_problems(-(-count // 2), seed=seed, split=split, digits=digits)
    swapped = set(rng.sample(range(count), round(noise * count)))
    rows = []
    for index in range(count):
        problem, is_right = problems[index // 2], index % 2 == 0
        error = None if is_right else draw(rng, ERRORS)
        response = _response(rng, problem, error, has_thought=rng.random() < thinks)
        rows.append({
            "id": f"{problem.id}/{'right' if is_right else 'wrong'}", "prompt": problem.prompt, "reference": problem.answer,
            "response": response, "label": "correct" if is_right is not (index in swapped) else "wrong",
            "language": problem.language,
            "tags": {"error": error or "none", "swapped": index in swapped, "digits": problem.tags["digits"]},
        })  # fmt: skip
    return rows


def _response(rng: random.Random, problem: Problem, error: Error | None, *, has_thought: bool) -> str:
    language: Language = next(name for name in LANGUAGES if name == problem.language)
    numbers = [int(part) for part in problem.id.split("/")[-1].split("_")]
    thought, answer = addition_chain(numbers, language)
    if error == "slip":
        thought, answer = _slipped(rng, numbers, language)
    elif error is not None:
        answer = _changed(rng, answer, error)
    return f"<think> {thought} </think> {answer}" if has_thought else answer


def _slipped(rng: random.Random, numbers: Sequence[int], language: Language) -> tuple[str, str]:
    """A chain with one wrong column, and the answer that it leads to."""
    width = len(str(max(numbers)))
    places = iter(range(width))
    at = rng.randrange(width)
    return addition_chain(
        numbers, language, lambda digit: (digit + rng.randrange(1, 10)) % 10 if next(places) == at else digit
    )


def _changed(rng: random.Random, answer: str, error: Error) -> str:
    if error == "missing_digit" and len(answer) > 1 and answer[1] != "0":
        return answer[1:]
    if error == "neighbour":
        return str(int(answer) + (rng.choice((-1, 1)) if int(answer) else 1))
    at = rng.randrange(len(answer))
    lowest = 1 if at == 0 and len(answer) > 1 else 0  # no number begins with 0
    others = [digit for digit in "0123456789"[lowest:] if digit != answer[at]]
    return f"{answer[:at]}{rng.choice(others)}{answer[at + 1 :]}"

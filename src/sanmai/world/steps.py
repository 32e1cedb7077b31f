"""The truth of every step of a sum: a checker of columns. It is gold, to measure guides by; a guide at test time never sees it.

    what is 37 plus 45 ?     <think> ones 7 plus 5 is 2 carry 1     right
                             tens 3 plus 4 plus 1 is 9              wrong: 8
                             </think> 92                            wrong: 82

The gold chain writes the true carry whatever digit stands in a column, so a slip does not spread to the next column.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

from sanmai.types import Problem
from sanmai.world.arithmetic import CHAIN_WORDS, LANGUAGES, Language, addition_chain, cut_chain, make_problems
from sanmai.world.behaviours import sentences_in
from sanmai.world.chance import check_shares, generator

_TAGS = re.compile(r"<think>|</think>")


def check_steps(problem: Problem, steps: Sequence[str]) -> list[bool] | None:
    """Whether each step of a response is right by itself: a column the gold chain's (in either language), an answer the sum.

    What is no column is an answer, right or wrong: a bare answer is one step; a thought that is closed too early is followed by
    a step that is right if the sum is. The sentences of world/behaviours.py must be true too, and a column that is said not to
    be so is written again: the step of the mistake is wrong, and that of the correction right.

    Args:
        steps: of a response, in order, as `data.steps` cuts them by the rule "world".

    Returns:
        None where the problem is no sum of up to 4 digits, so that nothing is known of its steps.
    """
    numbers = _addends(problem)
    if numbers is None:
        return None
    columns = _columns(numbers)
    found, place = [], 0
    for step in steps:
        words, are_true, is_so = sentences_in(" ".join(_TAGS.sub(" ", step).split()), numbers)
        if "</think>" not in step and any(words.startswith(name) for name in _PLACES):
            is_right = place < len(columns) and words in columns[place]
            found.append(is_right and are_true and is_so in (None, True))
            place += is_so is not False
        elif not words and "</think>" not in step:  # only sentences
            found.append(are_true and is_so is not False)
        else:
            found.append(are_true and words.replace(" ", "") == str(sum(numbers)))
    return found


def labelled_steps(
    count: int, *, seed: int, split: Literal["train", "heldout"] = "train", slip: float = 0.1, noise: float = 0.0
) -> list[dict[str, Any]]:
    """Rows of sums worked column by column with planted slips, every step labelled truly, or (a share) wrongly; seeded.

    A column is wrong by chance, another digit in its place; the answer follows the columns.

    Args:
        slip: chance of each column.
        noise: share of the labels that are swapped, as labellers err.

    Raises:
        ValueError: the split holds fewer sums, or a share outside 0..1.
    """
    check_shares(slip=slip, noise=noise)
    rng = generator("labelled steps", seed, split)
    rows = []
    for problem in make_problems(count, seed=seed, split=split):
        numbers = _addends(problem)
        assert numbers is not None
        language: Language = rng.choice(LANGUAGES) if rng.random() < 0.2 else problem.language  # ty: ignore[invalid-assignment]
        steps = _written(rng, numbers, language, slip)
        truth = check_steps(problem, steps)
        assert truth is not None
        labels = [right is not (rng.random() < noise) for right in truth]
        rows.append({
            "id": problem.id, "prompt": problem.prompt, "completions": steps, "labels": labels, "separator": "",
            "language": problem.language, "tags": {"digits": problem.tags["digits"]},
        })  # fmt: skip
    return rows


def _written(rng: random.Random, numbers: Sequence[int], language: Language, slip: float) -> list[str]:
    """A chain in steps, blanks where the next one begins."""

    def changed(digit: int) -> int:
        return (digit + rng.randrange(1, 10)) % 10 if rng.random() < slip else digit

    thought, answer = addition_chain(numbers, language, changed)
    first, *others = cut_chain(thought, language)
    return [f"<think> {first}", *(f" {column}" for column in others), f" </think> {answer}"]


_PLACES = tuple(place for words in CHAIN_WORDS.values() for place in words.places)


@lru_cache(maxsize=4096)
def _columns(numbers: tuple[int, ...]) -> list[set[str]]:
    """The right words of each column, in every language."""
    chains = [cut_chain(addition_chain(numbers, language)[0], language) for language in LANGUAGES]
    return [set(column) for column in zip(*chains, strict=True)]


def _addends(problem: Problem) -> tuple[int, ...] | None:
    """What is added, read from the prompt; None where it is no sum of numbers of up to 4 digits."""
    numbers = tuple(map(int, re.findall(r"(?a:\d+)", problem.prompt)))
    is_sum = problem.verifier == "world" and len(numbers) > 1 and problem.answer == str(sum(numbers))
    return numbers if is_sum and max(numbers) <= 9999 else None

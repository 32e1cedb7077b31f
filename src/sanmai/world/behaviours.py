"""Demonstrations of the behaviours of reasoning, and the truth of every sentence of theirs: the world's solver knows it.

    what is 37 plus 45 ?
    analysis         i need 37 plus 45 .
    decomposition    37 is 30 and 7 . 45 is 40 and 5 .
                     ones 7 plus 5 is 2 carry 1
    self_evaluation  is it so ? yes .
    self_correction  tens 3 plus 4 plus 1 is 9 is it so ? no . tens 3 plus 4 plus 1 is 8
    alternative      but i can do it with 37 plus 40 is 77 . 77 plus 5 is 82 .
    completion       so the answer is 82 .

A column is called wrong only where it is, and what stands in its place is right; the alternative is another way to the same sum.
All words are the tiny model's own. A revision is a conversation: a completion, right or wrong, the question whether it is so,
and the reply that goes through it. There the mistakes stand in the prompt, which is not trained on.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from sanmai.types import Behaviour, Message, Problem
from sanmai.world.arithmetic import CHAIN_WORDS, Language, addition_chain, cut_chain
from sanmai.world.chance import generator


@dataclass(frozen=True)
class Sentences:
    """What is said, in a language; {n} and {m} are numbers, {sum} is several of them added up."""

    analysis: str
    split: str
    joint: str
    evaluation: str
    yes: str
    no: str
    alternative: str
    equation: str
    completion: str
    asks: str
    """The user's request to go through a completion again."""


SENTENCES: dict[Language, Sentences] = {
    "en": Sentences(
        "i need {sum} .", "{n} is {sum} .", " and ", "is it so ?", "yes .", "no .", "but i can do it with", "{sum} is {n} .",
        "so the answer is {n} .", "is it so ?",
    ),
    "zh": Sentences(
        "我 需要 {sum} 。", "{n} 是 {sum} 。", " 和 ", "是 否 ？", "是 。", "不 。", "但是 我 能 用", "{sum} 得 {n} 。",
        "所以 回答 是 {n} 。", "是 否 ？",
    ),
}  # fmt: skip


def demonstrate(problem: Problem, wanted: Collection[Behaviour], seed: int) -> tuple[Problem, frozenset[Behaviour]]:
    """The problem with a completion that shows the behaviours, and those that it really shows.

    A number of one digit has no parts, so it is not decomposed. A self-correction brings the self-evaluation that it answers.

    Raises:
        ValueError: the problem is no sum of numbers of up to 4 digits.
    """
    numbers, language = addends(problem)
    says, rng = SENTENCES[language], generator("behaviours", seed, problem.id, *sorted(wanted))
    shown: set[Behaviour] = set()
    parts: list[str] = []
    if "analysis" in wanted:
        parts.append(says.analysis.format(sum=_sum(numbers, language)))
        shown.add("analysis")
    if "decomposition" in wanted and (splits := [n for n in numbers if len(_places(n)) > 1]):
        parts += [says.split.format(n=n, sum=says.joint.join(map(str, _places(n)))) for n in splits]
        shown.add("decomposition")
    columns = columns_of(numbers, language)
    looked_at = rng.choice([k for k, column in enumerate(columns) if _digit(column, language)])
    for k, column in enumerate(columns):
        if "self_correction" in wanted and k == looked_at:
            parts += [_slipped(column, language, rng), says.evaluation, says.no]
            shown |= {"self_correction", "self_evaluation"}
        parts.append(column)
        if "self_evaluation" in wanted and (k == looked_at or rng.random() < 0.5):
            parts += [says.evaluation, says.yes]
            shown.add("self_evaluation")
    if "alternative" in wanted:
        parts += [says.alternative, *_another_way(numbers, language)]
        shown.add("alternative")
    if "completion" in wanted:
        parts.append(says.completion.format(n=sum(numbers)))
        shown.add("completion")
    return replace(problem, solution=None, demonstration=_completion(parts, sum(numbers))), frozenset(shown)


def revision(problem: Problem, seed: int) -> tuple[Problem, frozenset[Behaviour]]:
    """A conversation: the question, a completion, the request to go through it, and the reply; and the behaviours of the reply.

    Half of the completions think and half do not, as the base model's. The reply to a thought repeats it column by column and
    says of each whether it is so; the reply to a bare answer works it out first. Half of the completions are wrong.

    Raises:
        ValueError: as `demonstrate`.
    """
    numbers, language = addends(problem)
    says, rng = SENTENCES[language], generator("revision", seed, problem.id)
    total, is_wrong, is_bare = sum(numbers), rng.random() < 0.5, rng.random() < 0.5
    columns = columns_of(numbers, language)
    said = list(columns)
    if is_wrong and not is_bare:
        k = rng.choice([k for k, column in enumerate(columns) if _digit(column, language)])
        said[k] = _slipped(columns[k], language, rng)
    first = _off(total, rng) if is_wrong else total
    if is_bare:
        parts = [*columns, says.evaluation, says.no if is_wrong else says.yes]
    else:
        first = int("".join(reversed([_last(column) for column in said])))
        parts = []
        for column, was in zip(columns, said, strict=True):
            parts += [was, says.evaluation, *((says.yes,) if was == column else (says.no, column))]
    shown: set[Behaviour] = {"self_evaluation"} | ({"self_correction"} if is_wrong else set())
    turns: tuple[Message, ...] = (
        {"role": "assistant", "content": str(first) if is_bare else _completion(said, first)},
        {"role": "user", "content": says.asks},
    )
    made = replace(
        problem, id=f"{problem.id}/revised", messages=(*problem.messages, *turns), solution=None,
        demonstration=_completion(parts, total),
    )  # fmt: skip
    return made, frozenset(shown)


def addends(problem: Problem) -> tuple[tuple[int, ...], Language]:
    """What the problem's first message adds up, and the language it is in; ValueError where it is no such sum."""
    numbers = tuple(map(int, re.findall(r"(?a:\d+)", str(problem.messages[0]["content"]))))
    language = problem.language
    if language not in SENTENCES or len(numbers) < 2 or max(numbers) > 9999 or problem.answer != str(sum(numbers)):
        raise ValueError(f"problem {problem.id}: expected a sum of the embedded world of numbers of up to 4 digits")
    return numbers, language


def columns_of(numbers: Sequence[int], language: Language) -> list[str]:
    """The columns of the right chain."""
    return cut_chain(addition_chain(numbers, language)[0], language)


def sentences_in(words: str, numbers: Sequence[int]) -> tuple[str, bool, bool | None]:
    """What is left of a step without the sentences of this module; whether these are true; what an evaluation says, if any.

    Whether the evaluation is right, who knows what stands before it can tell.

    Args:
        words: single-spaced.
        numbers: the addends of the problem.
    """
    are_true, is_so = True, None
    if not _ENDS.search(words):
        return words, are_true, is_so
    for kind, pattern in _patterns():
        for match in pattern.finditer(words):
            if kind == "yes" or kind == "no":
                is_so = kind == "yes" and is_so is not False
            else:
                are_true = are_true and _is_true(kind, [int(n) for n in re.findall(r"(?a:\d+)", match[0])], numbers)
        words = " ".join(pattern.sub(" ", words).split())
    return words, are_true, is_so


_ENDS = re.compile("[.?。？]")


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    found = []
    for language, says in SENTENCES.items():
        number = r"(?a:\d+)"
        added = rf"{number}(?: {CHAIN_WORDS[language].plus} {number})+"
        listed = rf"{number}(?:{says.joint}{number})+"
        kinds = {
            "analysis": (says.analysis, added), "split": (says.split, listed), "equation": (says.equation, added),
            "completion": (says.completion, added), "alternative": (says.alternative, added),
            "yes": (f"{says.evaluation} {says.yes}", added), "no": (f"{says.evaluation} {says.no}", added),
        }  # fmt: skip
        for kind, (sentence, several) in kinds.items():
            pattern = re.escape(sentence).replace(r"\{n\}", number).replace(r"\{sum\}", several)
            found.append((kind, re.compile(rf"(?<!\S){pattern}(?!\S)")))
    return found


def _is_true(kind: str, said: Sequence[int], numbers: Sequence[int]) -> bool:
    """Whether a sentence with these numbers in it is true of the addends."""
    if kind == "analysis":
        return sorted(said) == sorted(numbers)
    if kind == "split":
        return said[0] in numbers and said[0] == sum(said[1:])
    if kind == "equation":
        return sum(said[:-1]) == said[-1]
    return kind != "completion" or said[0] == sum(numbers)


def _completion(parts: Sequence[str], answer: int) -> str:
    return f"<think> {' '.join(parts)} </think> {answer}"


def _sum(numbers: Sequence[int], language: Language) -> str:
    return f" {CHAIN_WORDS[language].plus} ".join(map(str, numbers))


def _places(number: int) -> list[int]:
    """345 as 300, 40, 5; zeros left out."""
    digits = str(number)
    return [int(digit) * 10 ** (len(digits) - 1 - k) for k, digit in enumerate(digits) if digit != "0"]


def _another_way(numbers: Sequence[int], language: Language) -> list[str]:
    """The later numbers added to the first place by place, from the left: 37 plus 40 is 77 . 77 plus 5 is 82 ."""
    total, said = numbers[0], []
    for number in numbers[1:]:
        for part in _places(number) or [0]:
            said.append(SENTENCES[language].equation.format(sum=_sum((total, part), language), n=total + part))
            total += part
    return said


def _digit(column: str, language: Language) -> re.Match[str] | None:
    """The digit that a column writes; None where it is a carry alone."""
    return re.search(rf"(?<= {CHAIN_WORDS[language].equals} )\d(?!\S)", column)


def _slipped(column: str, language: Language, rng: random.Random) -> str:
    """The column with another digit in its place."""
    match = _digit(column, language)
    assert match is not None
    return f"{column[: match.start()]}{(int(match[0]) + rng.randrange(1, 10)) % 10}{column[match.end() :]}"


def _last(column: str) -> str:
    """The digit of the answer that a column stands for."""
    match = _digit(column, "en") or _digit(column, "zh")
    return match[0] if match else column.split()[-1]


def _off(total: int, rng: random.Random) -> int:
    """Another number with a wrong digit in one place, the first digit no zero."""
    digits = list(str(total))
    k = rng.randrange(len(digits))
    digits[k] = rng.choice([d for d in "0123456789" if d != digits[k] and (d != "0" or k or len(digits) == 1)])
    return int("".join(digits))

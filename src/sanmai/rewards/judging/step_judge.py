"""The judge of steps: a prompted model that says which step of a solution is the first wrong one.

What comes last in its reply is {"mark": "...", "first_wrong": n}: the number of the step, 0 where none is wrong. As of the judge
of correctness (math_judge.py), an object without the question's mark is not the judge's own.

Source:
    the task of ProcessBench's critic models, Zheng et al. 2024 (arXiv:2412.06559).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sanmai.rewards.judging.chat_protocol import Failure
from sanmai.rewards.judging.judge import Complete, JudgeConfig, check_failures
from sanmai.rewards.judging.judge_prompts import (
    UnreadableReplyError,
    _as_text,
    _ask,
    _nonce,
    objects_in,
    without_thought,
)
from sanmai.types import Message

STEPS = (
    "The first wrong step. The solution is given step by step. Which is the first step that says something wrong: a false "
    "result, a wrong reading of the question, a conclusion that does not follow? A step that only goes on rightly from an "
    "earlier error is not the first one. A detour that is right is not wrong, and neither is bad style."
)
_TASK = (
    "Go through the steps one after the other. Then end your reply with one JSON object and nothing after it, its number that of "
    'the first wrong step, or 0 where no step is wrong:\n{{"mark": "{mark}", "first_wrong": 0}}'
)


def steps_question(conversation: Sequence[Message], steps: Sequence[str], reference: str | None) -> tuple[list[Message], str]:
    """The question which step is the first wrong one, and the mark that the reply must have."""
    blocks = {"question": _as_text(conversation)}
    if reference is not None:
        blocks["reference answer"] = reference
    blocks |= {f"step {number}": text for number, text in enumerate(steps, 1)}
    mark = _nonce(0, *blocks.values())
    return _ask(STEPS, blocks, _TASK.format(mark=mark)), mark


def read_first_wrong(reply: str, mark: str, num_steps: int) -> int:
    """The first wrong step from 0, or -1.

    Example:
        read_first_wrong('Step 2 is off. {"mark": "1a2b", "first_wrong": 2}', "1a2b", 3)   # 1

    Raises:
        UnreadableReplyError: no object with the mark, a number that is no step, or two objects that differ.
    """
    own = [verdict for verdict, _, _ in objects_in(without_thought(reply)) if verdict.get("mark") == mark]
    if not own:
        raise UnreadableReplyError("the reply holds no JSON object with the question's mark")
    number = own[-1].get("first_wrong")
    if type(number) is not int or not 0 <= number <= num_steps:
        raise UnreadableReplyError("'first_wrong' is no step's number and not 0")
    if any(verdict.get("first_wrong") != number for verdict in own):
        raise UnreadableReplyError("the reply holds two verdicts that differ")
    return number - 1


class StepJudge:
    """Says of solutions which step is the first wrong one."""

    def __init__(self, config: JudgeConfig, complete: Complete) -> None:
        self.config, self.complete = config, complete

    def __call__(self, items: Sequence[tuple[Sequence[Message], Sequence[str], str | None]]) -> list[int | None]:
        """The first wrong step from 0, or -1, of each (prompt, steps, reference or None); None where the reply says nothing.

        Raises:
            InputError: the judge cannot be asked at all.
            RunError: more than config.failure_budget of the questions got no usable verdict.
        """
        questions = [steps_question(*item) for item in items]
        replies = self.complete([messages for messages, _ in questions])
        failures: Counter[str] = Counter()
        found: list[int | None] = []
        for reply, (_, mark), (_, steps, _) in zip(replies, questions, items, strict=True):
            if isinstance(reply, Failure):
                failures[reply.reason] += 1
                found.append(None)
                continue
            try:
                found.append(read_first_wrong(reply, mark, len(steps)))
            except UnreadableReplyError as error:
                failures[str(error)] += 1
                found.append(None)
        check_failures(failures, len(items), self.config)
        return found

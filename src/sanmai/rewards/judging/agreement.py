"""Whether two completions give one question the same answer, right or not."""

from __future__ import annotations

from sanmai.answers.final import TakenBackError, final_answers
from sanmai.answers.math import compare
from sanmai.types import Problem, Trace


def same_answer(problem: Problem, first: tuple[float, Trace], second: tuple[float, Trace]) -> bool:
    """Whether both are right, or both state one and the same wrong answer. No answer agrees with nothing.

    Args:
        problem: of both.
        first, second: accuracy score (1.0 is right) and completion.
    """
    if 1.0 in (first[0], second[0]):
        return first[0] == second[0]
    a, b = (_stated(problem, trace) for _, trace in (first, second))
    if a is None or b is None:
        return False
    return a == b or (problem.verifier in ("math", "number") and compare(a, b).score == 1.0)


def _stated(problem: Problem, trace: Trace) -> str | None:
    """The one final answer of a completion; where only a verifier knows where to look for it, the whole answer part."""
    if not trace.is_complete or not trace.answer.strip():
        return None
    if problem.verifier not in ("math", "number"):
        return " ".join(trace.answer.split())
    try:
        stated = final_answers(trace.answer)
    except TakenBackError:
        return None
    return stated[0] if len(stated) == 1 else None

"""What a completion answers, as a key that equal answers share: votes count keys, never whole texts."""

from __future__ import annotations

from sanmai.answers.exact import final_text
from sanmai.answers.marks import value_of
from sanmai.answers.notation import normalise
from sanmai.data.testbeds import own_testbed
from sanmai.types import Problem, Trace


def answer_key(problem: Problem, trace: Trace) -> str | None:
    """The answer in one notation, a number as a fraction; None where there is none, or several that differ.

    Answers are compared as they are written: "x + 1" and "1 + x" are two keys.
    """
    if not trace.is_complete:
        return None
    if (bed := own_testbed(problem)) is not None:
        return bed.answer_key(trace.answer) or None
    found = final_text(trace)
    if not isinstance(found, str):
        return None
    number = value_of(found)
    return str(number) if number is not None else normalise(found)

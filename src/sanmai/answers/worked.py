r"""Grades a sum by its worked-out value: to "What is 3 + 4?" the answer `3 + 4` is equal to 7, and no answer.

Everything else is as in answers/math.py. Where a policy is rewarded for equal values alone, repeating the question is enough.
"""

from __future__ import annotations

import re

from sanmai.answers.final import TakenBackError, final_answers, verify_math
from sanmai.answers.forms import ended
from sanmai.types import Problem, Trace, TraceState, Verdict

_NUMBER = re.compile(r"\d(?:[\d,]*\d)?(?:\.\d+)?")
_STYLES = {"boxed", "fbox", "text", "textbf", "textrm", "mathrm", "mathbf", "mbox", "left", "right", "quad", "circ"}
"""LaTeX commands that compute nothing."""


def is_worked_out(answer: str) -> bool:
    r"""Whether the last side of a chain of equations is one number and what is said of it, with nothing left to compute.

    Example:
        is_worked_out("6 + 6 = 12 apples") and not is_worked_out(r"\binom{12}{1}")
    """
    side = answer.rpartition("=")[2]
    commands = set(re.findall(r"\\([a-zA-Z]+)", side))
    return len(_NUMBER.findall(side)) == 1 and commands <= _STYLES and not re.search(r"[\^√!]", side)


def verify_number(problem: Problem, trace: Trace, *, timeout_seconds: float = 5.0) -> Verdict:
    """The verdict of `verify_math`, but wrong where a number is asked for and is still to be worked out: verifier "number"."""
    found = verify_math(problem, trace, timeout_seconds=timeout_seconds)
    if found.score != 1.0 or not _NUMBER.fullmatch((problem.answer or "").strip().lstrip("-")):
        return found
    try:
        stated = final_answers(ended(trace.answer, closes_tag=trace.state is not TraceState.NONE))
    except TakenBackError:
        stated = []  # read in another way, see verify_math
    left = [answer for answer in stated if not is_worked_out(answer)]
    return Verdict(0.0, f"equal, but not worked out: {left[0].strip()[:80]!r}", "wrong") if left else found

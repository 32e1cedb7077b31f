"""Which step of a program's solution a test fails by: the verifier on partial programs.

A test that the program's beginning fails without needing what is not written yet is failed for good (programs/partial.py), so the
first such beginning is found by halving. It says where a failure shows, which may be later than where it was made, and never that
a step is right: only that nothing has failed by then.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from sanmai.programs.grade import CodeResult, Outcome
from sanmai.programs.partial import UNFINISHED, closed, compiles, defines, takes_all
from sanmai.programs.stdio import reads_input
from sanmai.programs.tasks import CodeSpec
from sanmai.rewards.code import CodeGrader, names_of, program_of, spec_of
from sanmai.types import Problem, Trace

_LATER = re.compile(r"NameError\b")
"""What a program raises that asks for something which the rest may define."""


@dataclass(frozen=True)
class FirstFailure:
    """Of one solution.

    Example:
        FirstFailure(3, "AssertionError: ", 4)
    """

    step: int | None
    """The first step by whose end a test has failed, from 0; -1: all pass; None: nobody can say."""
    reason: str
    probes: int = 0
    """Programs that were run."""


class PartialPrograms:
    """Finds first failures by running beginnings of programs."""

    def __init__(self, grader: CodeGrader | None = None) -> None:
        self.grader = grader or CodeGrader()

    def __call__(self, problem: Problem, response: str, trace: Trace, ends: Sequence[int]) -> FirstFailure:
        """Args:
            response: the text of the steps, joined.
            ends: characters of it after each step.
        """
        spec = spec_of(problem)
        if isinstance(spec, str):
            return FirstFailure(None, spec)
        code = program_of(trace, spec)
        if not isinstance(code, str):
            return FirstFailure(None, code.reason)
        if (start := response.rfind(code.rstrip())) < 0:
            return FirstFailure(None, "the program does not stand in the text as it is run")
        result = self.grader.run(spec, code)
        if not isinstance(result, CodeResult) or result.all_passed is None:
            return FirstFailure(None, result if isinstance(result, str) else "a test cannot be graded", 1)
        if result.all_passed:
            return FirstFailure(-1, "passes", 1)
        last = next((i for i, end in enumerate(ends) if end >= start + len(code.rstrip())), None)
        if last is None:
            return FirstFailure(None, "the program ends behind the last step", 1)
        return self._found(spec, code, result, [end - start for end in ends[: last + 1]])

    def _found(self, spec: CodeSpec, code: str, result: CodeResult, lengths: Sequence[int]) -> FirstFailure:
        """Of a program that fails; lengths of what the steps have of it, the last one all."""
        is_script, is_python, probes = reads_input(spec.tests), compiles(code), 1
        why = {len(lengths) - 1: next(o.reason for o in result.outcomes if not o.passed)}

        def has_failed(step: int) -> bool:
            nonlocal probes
            if step == len(lengths) - 1:
                return True
            if (beginning := code[: max(lengths[step], 0)]) == "" or takes_all(beginning):
                return False
            made = closed(beginning, is_script=is_script)
            if not is_python or made is None:
                why[step] = why[len(lengths) - 1]
                return made is None and not is_python
            if not is_script and not defines(made, names_of(spec)):
                return False
            probes += 1
            found = self.grader.run(spec, made)
            outcomes = found.outcomes if isinstance(found, CodeResult) else ()
            failed = [one.reason for one in outcomes if _is_for_good(one)]
            why[step] = failed[0] if failed else ""
            return bool(failed)

        first = bisect_left(range(len(lengths)), True, key=has_failed)
        return FirstFailure(first, why[first], probes)


def _is_for_good(outcome: Outcome) -> bool:
    """It failed without an open end, and without a name that the rest may define."""
    return outcome.passed is False and UNFINISHED not in outcome.reason and _LATER.match(outcome.reason) is None

"""Which step of a program's solution a test fails by: the verifier on partial programs.

A step is wrong where no program that begins so passes: one of its finished statements ends it, or it is no Python, or it is
written to its end and fails (programs/partial.py, settled). Of functions that is known at the end alone, since what follows may
overwrite them. From the step on by which a test fails if nothing is defined anew, nobody knows; before it nothing has
failed, which does not say that a step is right. All three are found by halving, and each by the text to the end of a step
alone: what stands behind a failure changes nothing. Time of the clock fails nothing for good, as other work may have taken it.

What is said is said of programs that begin so, and not of answers: an answer may always write another program behind this one.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sanmai.programs.blocks import code_blocks
from sanmai.programs.grade import CodeResult, Outcome
from sanmai.programs.partial import (
    UNFINISHED,
    closed,
    compiles,
    defines,
    finished,
    lendings,
    sees_more,
    settled,
    takes_all,
)
from sanmai.programs.program import SETTLED
from sanmai.programs.stdio import reads_input
from sanmai.programs.tasks import CodeSpec
from sanmai.rewards.code import CodeGrader, names_of, program_of, spec_of
from sanmai.types import Problem, Trace

_LATER = re.compile(r"NameError\b")
"""What a program raises that asks for something which the rest may define."""
_OPEN = re.compile(rf"exit code {SETTLED}\b|signal |not run: |ProgramGone: |the program's end came before: (exit|signal)")
"""How a test fails that came to the end of what is settled, or fails by something that the machine may have done."""
_CLOCK = re.compile(r"time ran out|not run: ")
"""How a test fails that had no time left. Where it was time of the clock, the machine may have taken it."""
_DEFINES = re.compile(r"=|\b(def|class|import|for|as|case)\b")
_PATIENCE = 2
"""Times the limits of a whole program: what takes longer would in every run."""


@dataclass(frozen=True)
class FirstFailure:
    """Of one solution.

    Example:
        FirstFailure(3, "AssertionError: ", 4, shown=2)
    """

    step: int | None
    """The first step by whose end no program that begins so passes, from 0; -1: all tests pass; None: nobody can say."""
    reason: str
    probes: int = 0
    """Programs that were run."""
    shown: int | None = None
    """The first step by whose end a test fails unless the rest defines anew what is there; at most `step`. None: as `step`."""


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
        whole = code.rstrip()
        if (start := response.rfind(whole)) < 0:
            return FirstFailure(None, "the program does not stand in the text as it is run")
        result = self.grader.run(spec, code)
        if not isinstance(result, CodeResult) or result.all_passed is None:
            return FirstFailure(None, result if isinstance(result, str) else "a test cannot be graded", 1)
        if result.all_passed:
            return FirstFailure(-1, "passes", 1)
        why = next((o.reason for o in result.outcomes if o.passed is False and not _is_by_clock(result, o)), "")
        if not why:
            return FirstFailure(None, "it fails by the clock alone, which other work on the machine may have held", 1)
        behind = start + len(whole)
        # A program is over where something stands behind it, or nothing more.
        last = next((i for i, end in enumerate(ends) if end > behind and response[behind:end].strip()), len(ends) - 1)
        if not ends or ends[-1] < behind:
            return FirstFailure(None, "the program ends behind the last step", 1)
        lengths = [end - start for end in ends[: last + 1]]
        blocks = [block.code.rstrip() for block in code_blocks(trace.answer)]
        is_alone = not any(map(_DEFINES.search, blocks[: blocks.index(whole)] if whole in blocks else blocks))
        return self._found(spec, code, why, lengths, is_alone=is_alone)

    def _found(
        self, spec: CodeSpec, code: str, reason: str, lengths: Sequence[int], *, is_alone: bool
    ) -> FirstFailure:
        """Of a program that fails.

        Args:
            reason: of its whole.
            lengths: of what the steps have of it, the last one all.
            is_alone: no earlier block of the answer could be put before it (programs/extract.py).
        """
        last, said, asked = len(lengths) - 1, dict[str, tuple[str, int]](), {len(lengths) - 1: reason}

        is_python, is_script = compiles(code), reads_input(spec.tests)

        def is_hidden(step: int) -> bool:  # and so is every later step: of those before, who fails is followed by who fails
            return step == last or not is_alone or sees_more(beginning_of(step, finished), is_lent=not is_script)

        def beginning_of(step: int, made: Callable[[str], Any]) -> Any:
            return made(code[: max(lengths[step], 0)])

        hidden = bisect_left(range(last + 1), True, key=is_hidden)

        def is_settled(step: int) -> bool:
            made = beginning_of(step, settled)
            if made is not None and made not in said:
                said[made] = self.ends(spec, made)
            asked[step] = said[made][0] if made is not None else ""
            return bool(asked[step])

        first = bisect_left(range(hidden), True, key=is_settled)
        first = last if first == hidden else first
        probes = 1 + sum(count for _, count in said.values())

        def is_shown(step: int) -> bool:
            nonlocal probes
            beginning = code[: max(lengths[step], 0)]
            if step == first or beginning == "" or takes_all(beginning):
                return step == first
            made = closed(beginning, is_script=is_script)
            if made is None or not is_python:
                return made is None and not is_python
            if not is_script and not defines(made, names_of(spec)):
                return False
            probes += 1
            found = self.grader.run(spec, made)
            return isinstance(found, CodeResult) and any(_is_shown(found, one) for one in found.outcomes)

        shown = bisect_left(range(first + 1), True, key=is_shown)
        return FirstFailure(first, asked[first], probes, shown)

    def ends(self, spec: CodeSpec, beginning: str) -> tuple[str, int]:
        """Why every program fails whose settled beginning this is, or "" where one may pass; and the programs that were run."""
        if not compiles(beginning):
            return "it is no Python, whatever follows", 0
        is_script = reads_input(spec.tests)
        if sees_more(beginning, is_lent=not is_script):
            return "", 0
        limits = self.grader.limits
        patient = replace(
            limits, timeout_seconds=_PATIENCE * limits.timeout_seconds, cpu_seconds=_PATIENCE * limits.cpu_seconds
        )
        grader, reasons, count = replace(self.grader, limits=patient), [], 0
        for made in (beginning,) if is_script else lendings(beginning):
            found, count = grader.run(spec, made), count + 1
            reasons.append(_end(found) if isinstance(found, CodeResult) else "")
            if not reasons[-1] or reasons[-1].partition(":")[0] != reasons[0].partition(":")[0]:
                return "", count
        return reasons[0], count


def _end(found: CodeResult) -> str:
    """How what is settled ends for good; "" where it came to its end, or was stopped by what the machine may have done."""
    if found.program.stop == "cpu_time":
        return "CPU time ran out"
    ends = (o for o in found.outcomes if o.passed is False and not _is_by_clock(found, o))
    return next((o.reason for o in ends if not _OPEN.match(o.reason)), "")


def _is_by_clock(result: CodeResult, outcome: Outcome) -> bool:
    return result.program.stop != "cpu_time" and _CLOCK.match(outcome.reason) is not None


def _is_shown(result: CodeResult, outcome: Outcome) -> bool:
    """It failed without an open end, and without a name that the rest may define."""
    is_open = UNFINISHED in outcome.reason or _LATER.match(outcome.reason) is not None
    return outcome.passed is False and not is_open and not _is_by_clock(result, outcome)

"""Tests by standard input: a program runs once for each, as `python program.py`, and what it prints is compared here.

The expected output never enters a process of the program's: it is compared in ours, after the program and all that it started
are dead. Each run has a folder of its own, so nothing is carried from one test to the next.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from sanmai.programs.grade import CodeResult, Outcome, grade_program, lacking
from sanmai.programs.run import Limits, ProgramResult, run_program

_ALL_TOGETHER = 10
_TOLERANCE = 1e-6
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)


@dataclass(frozen=True)
class IoTest:
    r"""What a program reads, and what it must then print.

    Example:
        IoTest("2 3\n", "5\n")
    """

    input: str
    output: str


Test = str | IoTest
"""Python source, or a test by standard input."""


def python_tests(tests: Sequence[Test]) -> list[str]:
    """Those of the tests that are Python sources."""
    return [test for test in tests if isinstance(test, str)]


def reads_input(tests: Sequence[Test]) -> bool:
    """Whether a program is to read standard input."""
    return any(isinstance(test, IoTest) for test in tests)


def grade_tests(
    code: str, tests: Sequence[Test], *, setup: str = "", entry_points: Sequence[str] = (), limits: Limits | None = None
) -> CodeResult:
    """What becomes of tests that are all Python (grade_program) or all by standard input (grade_stdio).

    Raises:
        ValueError: there are some of both, or as grade_program.
        RunError: no process could be started.
    """
    by_input = [test for test in tests if isinstance(test, IoTest)]
    if not by_input:
        return grade_program(code, python_tests(tests), setup=setup, entry_points=entry_points, limits=limits)
    if len(by_input) < len(tests):
        raise ValueError("tests: some are Python and some are by standard input: expected one kind")
    return grade_stdio(code, by_input, limits=limits)


def grade_stdio(code: str, tests: Sequence[IoTest], *, limits: Limits | None = None) -> CodeResult:
    """Run a program once for each test; passed are those where it ends with code 0 and prints what is expected.

    Args:
        limits: for one test. After one that runs out of time or writes too much, and when all together took ten times as long
            as one may, the tests that are left fail without being run.

    Raises:
        ValueError: no tests, or the code is above 16 MiB.
        RunError: no process could be started.
    """
    if not tests:
        raise ValueError("tests: expected at least one")
    limits = limits or Limits()
    outcomes: list[Outcome] = []
    seconds, late, program = 0.0, "", None
    for test in tests:
        if late and program is not None:
            outcomes.append(Outcome(False, late))
            continue
        room = max(limits.output_bytes, 2 * len(test.output.encode("utf-8", "surrogatepass")))
        program = run_program(code, stdin=test.input, limits=replace(limits, output_bytes=room))
        outcomes.append(_outcome(program, test))
        seconds += program.seconds
        if program.timed_out or program.stop == "output":
            late = f"not run: in an earlier test {_ending(program)}"
        elif seconds > _ALL_TOGETHER * limits.timeout_seconds:
            late = "not run: the tests before took all the time"
    assert program is not None
    if not all(outcome.passed for outcome in outcomes) and (missing := lacking(code, outcomes)):
        outcomes = [Outcome(None, f"the program imports {missing}, which is not in the sandbox")] * len(tests)
    return CodeResult(tuple(outcomes), program)


def same_output(found: str, expected: str) -> bool:
    """Whether two outputs are equal line by line and word by word; blanks at the ends of lines and of the whole do not count.

    An expected number with a decimal point or an exponent may differ by 1e-6, absolute or relative; a whole one must be exact.
    """
    ours, theirs = (text.strip().splitlines() for text in (found, expected))
    return len(ours) == len(theirs) and all(map(_same_line, ours, theirs))


def _same_line(found: str, expected: str) -> bool:
    ours, theirs = found.split(), expected.split()
    return len(ours) == len(theirs) and all(map(_same_word, ours, theirs))


def _same_word(found: str, expected: str) -> bool:
    if found == expected:
        return True
    if not (_NUMBER.fullmatch(found) and _NUMBER.fullmatch(expected)):
        return False
    if _WHOLE.fullmatch(expected):  # 011 is another text than 11, and 3.0 the same number as 3
        return not _WHOLE.fullmatch(found) and Decimal(found) == Decimal(expected)
    one, other = float(found), float(expected)
    return abs(one - other) <= _TOLERANCE * max(1.0, abs(other))


def _outcome(program: ProgramResult, test: IoTest) -> Outcome:
    if program.stop != "exit" or program.exit_code:
        return Outcome(False, _ending(program))
    if same_output(program.stdout, test.output):
        return Outcome(True, "passed")
    return Outcome(False, "it printed something else" if program.stdout.strip() else "it printed nothing")


def _ending(program: ProgramResult) -> str:
    if program.stop == "exit":
        last = (program.stderr.strip().splitlines() or [""])[-1][:300]
        return last if program.exit_code == 1 and last else f"exit code {program.exit_code}" + (last and f": {last}")
    if program.stop == "signal":
        return f"signal {program.signal} ended it"
    return "time ran out" if program.timed_out else "it wrote too much"

"""Tests for problems that have none: inputs are generated, and programs known to be right vote on the results.

    a test is valid when at least 7 of 10 submissions agree on its result
    a problem is kept when it has enough valid tests and at least 9 of 10 submissions pass all of them

Where several answers are right (any order, any of the shortest paths), submissions disagree, and the problem drops out: it would
need a judge of its own. What the tests are worth is measured on wrong programs: the kill rate, the share that fails a test.

Source:
    Kimi k1.5 (arXiv:2501.12599), section on test-case generation: 50 inputs per problem written by a generator, thresholds of 7
    and 9 of 10 submissions, at least 40 valid tests. There, programs read and write text; here, functions are called.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from sanmai.programs.grade import Value, evaluate_program, grade_program
from sanmai.programs.run import Limits
from sanmai.programs.tasks import CodeTask
from sanmai.stats import Rate, rate

Arguments = tuple[Any, ...]
"""Plain data: what a function is called with."""
_LIMITS = Limits(timeout_seconds=15.0, cpu_seconds=5)


# Inputs.


def program_inputs(code: str, count: int, *, seed: int) -> list[Arguments]:
    """Different inputs that an untrusted program writes, such as a model's: its `generate(n)` gives the n-th, a tuple or list.

    It runs in the sandbox, with the numbers from seed on. What is no tuple or list of plain data is left out; none may be left.

    Raises:
        ValueError: count is below 1.
        RunError: no process could be started.
    """
    if count < 1:
        raise ValueError(f"count = {count}: expected at least 1")
    calls = [f"generate({number})" for number in range(seed, seed + count)]
    values = [
        found.value for found in evaluate_program(code, calls, entry_points=["generate"], limits=_LIMITS)
    ]
    return list({repr(tuple(value)): tuple(value) for value in values if isinstance(value, (tuple, list))}.values())


# Votes.


@dataclass(frozen=True)
class Case:
    """A call, and what it must give.

    Example:
        Case("add(2, 3)", 5, votes=10).test == "assert add(2, 3) == 5"
    """

    call: str
    expected: Any
    votes: int
    """Submissions that agree on it."""

    @property
    def test(self) -> str:
        """An assertion; of floats that they are `same`, which `case_setup` defines."""
        if _has_float(self.expected):
            return f"assert same({self.call}, {self.expected!r})"
        return f"assert {self.call} == {self.expected!r}"


@dataclass(frozen=True)
class CaseSet:
    """The tests of one problem, and whether it is kept."""

    cases: tuple[Case, ...]
    """Those that are valid."""
    is_kept: bool
    reason: str
    num_inputs: int
    dropped: Mapping[str, int]
    """Inputs that gave no test, by reason."""
    passing: tuple[bool, ...]
    """Of each submission, whether it passes all tests; empty where there were too few."""
    setup: str = ""
    """Python that runs before each test."""

    @property
    def tests(self) -> tuple[str, ...]:
        return tuple(case.test for case in self.cases)

    def task(self, identity: str, prompt: str, solution: str, entry_point: str) -> CodeTask:
        """The problem with these tests."""
        return CodeTask(identity, prompt, solution, self.tests, (entry_point,), self.setup)


def make_cases(
    entry_point: str,
    inputs: Sequence[Arguments],
    submissions: Sequence[str],
    *,
    setup: str = "",
    min_agreeing: int = 7,
    min_cases: int = 40,
    min_passing: int = 9,
    limits: Limits | None = None,
    threads: int = 2,
) -> CaseSet:
    """Tests for a function from inputs and the votes of programs that are known to be right.

    Args:
        entry_point: the function; its result counts, not what it does to its arguments.
        submissions: programs that define it, usually 10.
        setup: Python that the tests need.
        min_agreeing: submissions that must give the same result for a test to be valid.
        min_cases: valid tests without which the problem is dropped.
        min_passing: submissions that must pass all valid tests, else the problem is dropped.
        limits: for one submission on all inputs.
        threads: submissions that run at a time.

    Raises:
        ValueError: a threshold below 1, or above the number of submissions (inputs for min_cases), a vote without a majority, an
            entry point that is no name, or as grade_program.
        RunError: no process could be started.
    """
    for name, value, most in (
        ("min_agreeing", min_agreeing, len(submissions)), ("min_passing", min_passing, len(submissions)),
        ("min_cases", min_cases, len(inputs)),
    ):  # fmt: skip
        if not 1 <= value <= most:
            raise ValueError(f"{name} = {value}: expected 1 to {most}, as many as there are")
    if entry_point in ("same", "inf", "nan", "Any") or not entry_point.isidentifier():
        raise ValueError(f"entry_point = {entry_point!r}: expected a name, and none that the tests need")
    if 2 * min_agreeing <= len(submissions):
        raise ValueError(f"min_agreeing = {min_agreeing}: expected more than half of {len(submissions)} submissions")
    limits = limits or _LIMITS
    calls = [f"{entry_point}({', '.join(map(repr, arguments))})" for arguments in inputs]
    setup = f"{case_setup()}\n{setup}"
    options: dict[str, Any] = {"setup": setup, "entry_points": [entry_point], "limits": limits}
    with ThreadPoolExecutor(threads) as pool:
        values = list(pool.map(lambda code: evaluate_program(code, calls, **options), submissions))
        votes = [_vote(call, found, min_agreeing) for call, found in zip(calls, zip(*values, strict=True), strict=True)]
        cases = tuple(vote for vote in votes if isinstance(vote, Case))
        dropped = dict(Counter(vote for vote in votes if isinstance(vote, str)))
        if len(cases) < min_cases:
            reason = f"{len(cases)} valid tests of {len(calls)} inputs: at least {min_cases} are needed"
            return CaseSet(cases, False, reason, len(calls), dropped, (), setup)
        tests = [case.test for case in cases]
        graded = pool.map(lambda code: grade_program(code, tests, **options), submissions)
        passing = tuple(result.all_passed is True for result in graded)
    is_kept = sum(passing) >= min_passing
    reason = f"{sum(passing)} of {len(passing)} submissions pass all {len(cases)} tests"
    reason += "" if is_kept else f": at least {min_passing} must"
    return CaseSet(cases, is_kept, reason, len(calls), dropped, passing, setup)


def same(one: Any, other: Any) -> bool:
    """Whether two results are equal, floats up to one part in a million."""
    if isinstance(one, float) or isinstance(other, float):
        if not isinstance(one, (int, float)) or not isinstance(other, (int, float)):
            return False
        return (
            one == other
            or (one != one and other != other)
            or abs(one - other) <= 1e-9 + 1e-6 * max(abs(one), abs(other))
        )
    if type(one) is not type(other) or not isinstance(one, (list, tuple, dict)):
        return one == other
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return len(one) == len(other) and all(map(same, one, other))


def case_setup() -> str:
    """What the tests of `Case` need: the text of `same`, and the floats that have no literal."""
    return "from typing import Any\ninf, nan = float('inf'), float('nan')\n" + inspect.getsource(same)


def _vote(call: str, found: Sequence[Value], min_agreeing: int) -> Case | str:
    """The test that enough submissions agree on, or why there is none."""
    answers = [value.value for value in found if value.error is None]
    if len(answers) < min_agreeing:
        return "too few submissions gave a result"
    candidates: list[tuple[Any, int]] = []
    for answer in answers:
        if not any(same(answer, known) for known, _ in candidates):
            candidates.append((answer, sum(same(answer, other) for other in answers)))
    expected, votes = max(candidates, key=lambda candidate: candidate[1])
    return Case(call, expected, votes) if votes >= min_agreeing else "submissions disagree"


def _has_float(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_float(part) for pair in value.items() for part in pair)
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(map(_has_float, value))
    return isinstance(value, (float, complex))


# Worth.


@dataclass(frozen=True)
class Kills:
    """How many wrong programs the tests find."""

    rate: Rate
    """Killed / graded. Among mutants are some that do the same as the original, so it is a lower bound for these."""
    survivors: tuple[int, ...]
    """Indices of the programs that pass all tests."""
    ungradable: int
    by_name: Mapping[str, Rate] = field(default_factory=dict)
    """By the kind of mistake, where the programs are named."""


def kill_rate(
    tests: Sequence[str],
    programs: Sequence[str],
    *,
    setup: str = "",
    entry_points: Sequence[str] = (),
    names: Sequence[str] | None = None,
) -> Kills:
    """The share of wrong programs that fail a test, with a 95% interval.

    Args:
        programs: each wrong: planted, or `mutants` of a reference.
        names: the kind of mistake of each.

    Raises:
        ValueError: as grade_program, or names are not as many as programs.
        RunError: no process could be started.
    """
    kinds = ["" for _ in programs] if names is None else list(names)
    if len(kinds) != len(programs):
        raise ValueError(f"names: {len(kinds)}, expected {len(programs)}, one per program")
    options: dict[str, Any] = {"setup": setup, "entry_points": entry_points, "limits": _LIMITS}
    with ThreadPoolExecutor(2) as pool:
        passed = list(pool.map(lambda code: grade_program(code, tests, **options).all_passed, programs))
    killed = [(kind, float(not value)) for kind, value in zip(kinds, passed, strict=True) if value is not None]
    by_name = (
        {} if names is None else {kind: rate([k for name, k in killed if name == kind]) for kind in sorted(set(kinds))}
    )
    survivors = tuple(i for i, value in enumerate(passed) if value)
    return Kills(rate([value for _, value in killed]), survivors, passed.count(None), by_name)

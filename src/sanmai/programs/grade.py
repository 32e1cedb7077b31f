"""Grades an untrusted Python program by tests, in such a way that nothing but the results of its functions passes them.

The tests run in the judge's process, the program in another, of another process namespace, that never held a test, an expected
value or the pipe on which the verdict travels (judge.py, child.py). What the program can do is to answer calls with plain data.
So nothing is gained by `sys.exit(0)` or `os._exit(0)` (the call has no answer: failed), by printing, by an `__eq__` that returns
True (comparisons are the judge's, of ints and lists of its own), by replacing builtins, modules or exit hooks, by reading
frames, `gc` or files, by writing test files (there are none), by answering before the question, or by raising what ends a
test's loop (a StopIteration of the program's is a ProgramError to the tests).

What it does not resist: a program that knows the expected values (special-cased inputs: hold tests back, see
score/impossible.py); tests whose expected value comes from the program itself, as in `f(x) == helper(x)` with a helper of
the program's, or from an argument that it may change in place, as in `f(x) == sorted(x)`, which `x.clear(); return []` passes
(a program that works in place is to be graded too, and looks the same); tests that cannot fail, or not on an empty result:
`for a, b in zip(f(x), [1, 2]): assert a == b`, or not on a NaN: `assert not f(x) > 1`. Tests are trusted to be tests, but run
under the same limits.

Beyond plain data (numbers, strings, bytes, lists, tuples, sets, dicts and their subclasses) results stay in the program: tests
may call, read and iterate them, but not compare them. A test that passes the program a function is ungradable, unless it is
a builtin.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sanmai.programs.plain import Reference, decoded
from sanmai.programs.run import Limits, ProgramResult, run_job


@dataclass(frozen=True)
class Outcome:
    """What became of one test."""

    passed: bool | None
    """None where it cannot be graded here; that never depends on what the program does."""
    reason: str


@dataclass(frozen=True)
class CodeResult:
    """What became of each test, in order.

    Example:
        CodeResult((Outcome(True, "passed"), Outcome(False, "AssertionError: ")), program).share == 0.5
    """

    outcomes: tuple[Outcome, ...]
    program: ProgramResult

    @property
    def passed(self) -> int:
        return sum(outcome.passed is True for outcome in self.outcomes)

    @property
    def failed(self) -> int:
        return sum(outcome.passed is False for outcome in self.outcomes)

    @property
    def ungradable(self) -> int:
        return sum(outcome.passed is None for outcome in self.outcomes)

    @property
    def all_passed(self) -> bool | None:
        """None where no test failed and one cannot be graded."""
        return False if self.failed else None if self.ungradable else True

    @property
    def share(self) -> float | None:
        """Passed / gradable tests; None where there is none."""
        gradable = self.passed + self.failed
        return self.passed / gradable if gradable else None


def grade_program(
    code: str,
    tests: Sequence[str],
    *,
    setup: str = "",
    entry_points: Sequence[str] = (),
    limits: Limits | None = None,
) -> CodeResult:
    """Run each test against the functions of a program.

    The program is loaded once and keeps its own state between tests; the setup runs anew for each, so that what one changes in
    place no other sees. When the program ends or time runs out, the tests that are left fail.

    Args:
        tests: Python sources, each passed when it runs to its end without an exception.
        setup: Python that runs before each of them, among the tests.
        entry_points: names that are the program's even if Python has a builtin or a module of that name. Without them
            a program's own `sum` is not seen by the tests; with all of them it could redefine the `abs` that they use.
        limits: for all tests together.

    Raises:
        ValueError: no tests, a test or the setup is no Python, or all together are above 16 MiB.
        RunError: no process could be started.
    """
    if not tests:
        raise ValueError("tests: expected at least one")
    for name, source in (("setup", setup), *((f"tests[{i}]", test) for i, test in enumerate(tests))):
        check_python(name, source)
    job = {"setup": setup, "tests": list(tests), "entry_points": list(entry_points)}
    program, facts = run_job(code, job, stdin="", limits=limits or Limits())
    late = Outcome(False, "time ran out" if program.timed_out else f"the program's end came before: {program.stop}")
    outcomes = [late] * len(tests)
    for fact in facts:
        outcomes[fact["test"]] = Outcome(fact["passed"], fact["reason"])
    if any(outcome.passed is False for outcome in outcomes) and (missing := lacking(code, outcomes)):
        return CodeResult((Outcome(None, f"the program imports {missing}, which is not in the sandbox"),) * len(tests), program)
    return CodeResult(tuple(outcomes), program)


LIBRARIES = frozenset([
    "numpy", "scipy", "pandas", "sympy", "networkx", "sortedcontainers", "sklearn", "torch", "matplotlib", "requests", "pytest",
    "regex", "numba", "attr", "attrs", "pydantic", "dateutil", "pytz", "bs4", "lxml", "yaml", "tqdm", "gmpy2", "mpmath", "PIL",
    "cv2", "nltk", "statsmodels", "seaborn", "tensorflow", "jax", "shapely", "more_itertools",
])  # fmt: skip
"""What honest programs import and the sandbox, which has the standard library alone, lacks."""


def lacking(code: str, outcomes: Sequence[Outcome]) -> str | None:
    """The library without which no test could begin: named at the program's own top level, and missed there.

    Read from the text and from a list, so that a program cannot leave its group by raising what it likes.
    """
    try:
        nodes = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    for name in names:
        top = name.partition(".")[0]
        missed = f"ModuleNotFoundError: No module named '{top}'"
        if top in LIBRARIES and all(outcome.reason == missed for outcome in outcomes):
            return top
    return None


@dataclass(frozen=True)
class Value:
    """What an expression is worth."""

    value: Any
    """Plain data; None where there is an error."""
    error: str | None = None
    """Why there is no value."""


def evaluate_program(
    code: str,
    expressions: Sequence[str],
    *,
    setup: str = "",
    entry_points: Sequence[str] = (),
    limits: Limits | None = None,
    libraries: Sequence[str] = (),
) -> list[Value]:
    """What each expression is worth, the program's functions called as by tests; of at most 64 Ki characters as JSON.

    Args:
        libraries: folders that the program may read beside the standard library.

    Example:
        evaluate_program("def f(x): return 2 * x", ["f(1)", "f([])"]) == [Value(2), Value([])]

    Raises:
        ValueError: an expression or the setup is no Python, or all together are above 16 MiB.
        RunError: no process could be started.
    """
    check_python("setup", setup)
    for i, expression in enumerate(expressions):
        check_python(f"expressions[{i}]", expression, mode="eval")
    if not expressions:
        return []
    job = {"setup": setup, "tests": list(expressions), "entry_points": list(entry_points), "values": True}
    program, facts = run_job(code, job, stdin="", limits=limits or Limits(), libraries=libraries)
    texts, values = [""] * len(expressions), [Value(None, f"no answer: {program.stop}")] * len(expressions)
    for fact in facts:
        number = fact["test"]
        if "value" in fact:
            texts[number] += fact["value"]
        else:
            values[number] = _value(texts[number]) if fact["passed"] else Value(None, fact["reason"])
    return values


def _value(text: str) -> Value:
    try:
        value = decoded(json.loads(text), _no_object)
        repr(value)  # for who writes it into a test: Python refuses that for an int of more than 4,300 digits
        return Value(value)
    except (ValueError, TypeError, RecursionError) as error:
        return Value(None, f"the result cannot be read: {error}")


def _no_object(reference: Reference) -> Any:
    raise ValueError(f"an object that stays in the program: {reference!r:.20}")


def check_python(name: str, source: str, *, mode: str = "exec") -> None:
    """Nothing where the source compiles as statements, or with mode "eval" as one expression.

    Raises:
        ValueError: it does not; the message has the name and the reason.
    """
    try:
        compile(source, name, mode, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{name} is no Python: {error}") from None

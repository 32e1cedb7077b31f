"""Beginnings of programs: closed where something may follow, and failed for good where nothing that follows could help."""

from __future__ import annotations

from textwrap import dedent

import pytest

from sanmai.data.trace import parse_trace
from sanmai.programs.partial import UNFINISHED, closed, defines, takes_all
from sanmai.programs.run import Limits
from sanmai.programs.stdio import IoTest
from sanmai.programs.tasks import CodeSpec
from sanmai.rewards.code import CodeGrader
from sanmai.rewards.code_steps import PartialPrograms
from sanmai.types import Problem

QUICK = PartialPrograms(CodeGrader(limits=Limits(timeout_seconds=5.0, cpu_seconds=1)))
TESTS = CodeSpec(("assert f(2) == 4", "assert f(-3) == 9", "assert f(0) == 0"), (), "", ("f",))


def run(code: str, *calls: object) -> list[object]:
    """What calls of f give; the word "open" where an open end was reached."""
    names: dict = {}
    exec(code, names)
    found: list[object] = []
    for call in calls:
        try:
            found.append(names["f"](call))
        except BaseException as error:  # noqa: BLE001 - an open end is one
            found.append("open" if str(error) == UNFINISHED else type(error).__name__)
    return found


@pytest.mark.parametrize(("beginning", "found"), [
    ("def f(x):\n", ["open", "open"]),
    ("def f(x):\n    if x > 0:\n        return 1\n", [1, "open"]),
    ("def f(x):\n    if x > 0:\n        return 1\n    else:\n        return 2\n", [1, 2]),
    ("def f(x):\n    if x > 0:\n        return 1\n    else:\n", [1, "open"]),
    ("def f(x):\n    for y in [x]:\n        if y > 0:\n            return y\n", [3, "open"]),
    ("def f(x):\n    y = [x,\n", ["open", "open"]),  # a statement that is cut off in its middle is none yet
    ("def f(x):\n    return x +", ["open", "open"]),  # nor is a line
    ("def f(x):\n    return x + 1\n", [4, -2]),
    ("def f(x):\n    try:\n        return 1 // (x - 3)\n", ["open", "open"]),  # a handler may follow
    ("def f(x):\n    try:\n        y = 1 // (x - 3)\n    except ValueError:\n        return 0\n", ["open", "open"]),
    ("def f(x):\n    while True:\n        x = x - 1\n", ["open", "open"]),
    ("def f(x):\n    match x:\n        case 3:\n            return 1\n", [1, "open"]),
    ("def f(x):\n    return 1\n@cache\n", [1, 1]),  # a decorator of what is not there
    ("async def g():\n    pass\ndef f(x):\n    with open(x) as y:\n", ["open", "open"]),
])  # fmt: skip
def test_a_beginning_runs_to_where_something_may_follow(beginning, found):
    code = closed(beginning)
    assert code is not None
    if "open(x)" in code:
        code = code.replace("with open(x) as y", "if x")
    assert run(code, 3, -3) == found


def test_what_is_no_python_whatever_follows_is_told_from_what_may_become_some():
    assert closed("def f(x) return x\n") is None and closed("def f(x):\n    if x:\n  return\n") is None
    assert closed("def f(x):\n    return 'a\n") is None and closed("x = (1,\n") == "\n"
    assert closed("x = 1\n", is_script=True) == f"x = 1\nraise BaseException({UNFINISHED!r})\n"
    assert takes_all("try:\n    x\nexcept :\n    y") and not takes_all("except ValueError:")
    assert defines("from a import b as c\nimport d.e\nx, y = 1, 2\ndef f(): pass", ["c", "d", "x", "y", "f"])
    assert not defines("def f():\n    g = 1", ["g"])


def first(code: str, spec: CodeSpec = TESTS, before: str = "So:\n") -> tuple[int | None, str]:
    """The line by which a test has failed, of all lines of the answer; and the line."""
    text = f"{before}```python\n{dedent(code).strip()}\n```\nThat is it."
    lines = text.splitlines(keepends=True)
    ends = [sum(map(len, lines[: k + 1])) for k in range(len(lines))]
    found = QUICK(Problem("t", ({"role": "user", "content": "q"},), spec.text, "code"), text, parse_trace(text), ends)
    named = lines[found.step].strip() if found.step is not None and found.step >= 0 else found.reason
    return found.step, named


def test_the_first_line_by_which_a_test_has_failed_for_good():
    assert first("def f(x):\n    return x * x")[0] == -1
    # -3 fails by the first return, whatever follows; 2 is open until the last line.
    assert first("def f(x):\n    if x < 0:\n        return x\n    y = x * x\n    return y") == (4, "return x")
    # The slip is in line 3, and shows where its value is given back.
    assert first("def f(x):\n    y = x + x\n    z = y + 1\n    return z") == (5, "return z")
    assert first("def f(x):\n    y = x.size\n    return x * x") == (3, "y = x.size")  # raises whatever follows
    assert first("def f(x):\n    return g(x)\ndef g(x):\n    return x + 7")[1] == "return x + 7"  # g may be defined later
    assert first("import math\nraise ValueError(3)\ndef f(x):\n    return x * x")[1] == "def f(x):"  # f was never there before
    assert first("def f(x):\n    return x * x\ndef f(x) return x")[1] == "def f(x) return x"
    assert first("def f(x):\n    while x:\n        x = x + 1\n    return x")[1] == "return x"  # the loop is open before
    step, line = first("def f(x):\n    try:\n        return x.n\n    except:\n        return 1")
    assert step is not None and line == "return 1"  # what takes all is not looked into before its end


def test_a_program_by_standard_input_is_open_at_its_end():
    spec = CodeSpec((IoTest("3\n", "9\n"),), (), "", ())
    assert first("x = int(input())\nprint(x * x)", spec)[0] == -1
    assert first("x = int(input()) / 0\nprint(x)", spec)[1] == "x = int(input()) / 0"
    assert first("x = int(input())\nprint(x)\nx = 1", spec)[1] == "x = 1"  # more might have been printed


def test_of_what_it_cannot_say_it_says_nothing():
    problem = Problem("t", ({"role": "user", "content": "q"},), TESTS.text, "code")
    said = lambda text, p=problem: QUICK(p, text, parse_trace(text), [len(text)])  # noqa: E731
    assert said("I do not know.").step is None and "without a program" in said("I do not know.").reason
    assert said("x", Problem("t", problem.messages, None, "code")).reason == "no tests"
    # A helper of an earlier block is added to what is run, which does not stand in the text so.
    two = "```python\ndef g(x):\n    return x\n```\nThen:\n```python\ndef f(x):\n    return g(x)\n```\n"
    assert said(two).step is None and "does not stand in the text" in said(two).reason

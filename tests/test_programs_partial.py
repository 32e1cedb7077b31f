"""Beginnings of programs: closed where something may follow, and failed for good where nothing that follows could help."""

from __future__ import annotations

from textwrap import dedent

import pytest

from sanmai.data.trace import parse_trace
from sanmai.programs.grade import CodeResult
from sanmai.programs.partial import UNFINISHED, closed, compiles, defines, settled, takes_all
from sanmai.programs.program import LEAVE
from sanmai.programs.run import Limits
from sanmai.programs.stdio import IoTest
from sanmai.programs.tasks import CodeSpec
from sanmai.rewards.code import CodeGrader
from sanmai.rewards.code_steps import FirstFailure, PartialPrograms
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


def found(code: str, spec: CodeSpec = TESTS, before: str = "So:\n") -> tuple[FirstFailure, list[str]]:
    """What is said of an answer, every line a step; and its lines."""
    text = f"{before}```python\n{dedent(code).strip()}\n```\nThat is it."
    lines = text.splitlines(keepends=True)
    ends = [sum(map(len, lines[: k + 1])) for k in range(len(lines))]
    one = QUICK(Problem("t", ({"role": "user", "content": "q"},), spec.text, "code"), text, parse_trace(text), ends)
    return one, [line.strip() for line in lines]


def first(code: str, spec: CodeSpec = TESTS, before: str = "So:\n") -> tuple[str, str]:
    """The lines by which a test fails unless the rest defines something anew, and by which it fails whatever follows."""
    one, lines = found(code, spec, before)
    assert one.step is not None and one.step >= 0 and one.shown is not None and one.reason
    return lines[one.shown], lines[one.step]


END = "```"
"""The step by which a program is over."""


def test_what_functions_do_is_known_for_good_at_the_end_and_shown_before():
    right, _ = found("def f(x):\n    return x * x")
    assert right.step == -1 and right.shown is None
    # -3 fails by the first return, unless f is written again; 2 is open until the last line.
    assert first("def f(x):\n    if x < 0:\n        return x\n    y = x * x\n    return y") == ("return x", END)
    # The slip is in line 3, and shows where its value is given back.
    assert first("def f(x):\n    y = x + x\n    z = y + 1\n    return z") == ("return z", END)
    assert first("def f(x):\n    return g(x)\ndef g(x):\n    return x + 7") == ("return x + 7", END)  # g may be defined later
    assert first("def f(x):\n    try:\n        return x.n\n    except:\n        return 1")[1] == END  # what takes all


def test_a_finished_statement_that_ends_the_program_ends_all_that_begin_so():
    assert first("import math\nraise ValueError(3)\ndef f(x):\n    return x * x")[1] == "raise ValueError(3)"
    assert first("y = 3\nexit()\ndef f(x):\n    return x * x")[1] == "exit()"
    # Whatever a def will be called, it is no Python; it is seen when another statement begins.
    assert first("def f(x) return x\ny = 1\nz = 2") == ("def f(x) return x", "y = 1")
    # A loop may go on in the next line, and what is in it may be caught there by nobody but itself.
    assert first("for y in [0]:\n    z = 1 / y\n    w = 2\nv = 3\ndef f(x):\n    return x * x")[1] == "v = 3"
    assert first("def f(x):\n    return x * x\nf(None)")[1] == "f(None)"
    assert first("from sys import modules\nmodules.clear()\nraise ValueError(3)\ny = 1")[1] == END
    # What may look at its own text, or go on beside what follows, is known at the end.
    assert first("import threading\nraise ValueError(3)\ndef f(x):\n    return x * x")[1] == END


def test_a_program_by_standard_input_is_open_at_its_end():
    spec = CodeSpec((IoTest("3\n", "9\n"),), (), "", ())
    assert found("x = int(input())\nprint(x * x)", spec)[0].step == -1
    assert first("x = int(input()) / 0\nprint(x)", spec)[1] == "x = int(input()) / 0"
    assert first("x = int(input())\nprint(x)\nx = 1", spec)[1] == END  # more might have been printed
    assert first("x = int(input())\nprint(x)\nraise SystemExit\nx = 1", spec)[1] == "raise SystemExit"


def test_what_stands_behind_a_failure_changes_nothing_of_where_it_is():
    spec = CodeSpec((IoTest("3\n", "3\n"),), (), "", ())
    for later in ("# a thread", "import threading", "s = 'a fork'", "z = 1"):
        for place in range(4):
            lines = [f"z = {n}" for n in range(3)]
            lines.insert(place, later)
            code = "\n".join(["x = int(input())", "y = x / 0  # no signal", *lines, "print(y)"])
            assert first(code, spec)[1] == "y = x / 0  # no signal", code
    assert first("import signal\ny = 1 / 0\nz = 1", spec)[1] == END  # what stands before it does


def test_names_that_are_lent_by_the_whole_text_are_tried_both_ways():
    # Neither way helps, or the names are there whatever follows.
    assert first("def g(x):\n    return List\nraise ValueError(3)\ny = 1")[1] == "raise ValueError(3)"
    imported = "from typing import Dict, List\ndef g(x: List[int]) -> Dict[int, int]:\n    return x\n"
    assert first(imported + "g(1)[0]\ny = 1")[1] == "g(1)[0]"
    # With one way of lending it goes on, or it ends there as the name is missed.
    assert first("def g(x: List[int]):\n    return x\ng(1)[0]\ny = 1")[1] == END
    # Of two names the one may be there, and the other not.
    assert first("def g(x: List) -> Dict:\n    return x\nx = 1\nraise ValueError\ny = 1")[1] == END


def test_time_of_the_clock_ends_nothing_for_good_and_cpu_time_does(monkeypatch):
    monkeypatch.setattr("sanmai.rewards.code_steps._PATIENCE", 1)
    by_clock = PartialPrograms(CodeGrader(limits=Limits(timeout_seconds=0.5, cpu_seconds=60)))
    by_cpu = PartialPrograms(CodeGrader(limits=Limits(timeout_seconds=60.0, cpu_seconds=1)))
    for spec in (CodeSpec((IoTest("3\n", "3\n"),), (), "", ()), TESTS):
        assert by_clock.ends(spec, f"from select import select\nselect([], [], [], 99)\n{LEAVE}\n")[0] == ""
        assert by_cpu.ends(spec, f"while True: pass\n{LEAVE}\n")[0] == "CPU time ran out"
    text = "```python\nimport time\ntime.sleep(99)\n```\n"
    problem = Problem("t", ({"role": "user", "content": "q"},), TESTS.text, "code")
    said = by_clock(problem, text, parse_trace(text), [len(text)])
    assert said.step is None and "by the clock alone" in said.reason


def test_an_earlier_block_that_could_be_put_before_the_program_leaves_all_open_to_its_end():
    code = "raise ValueError(3)\ndef f(x):\n    return x * x"
    assert first(code)[1] == "raise ValueError(3)"
    assert first(code, before="```python\ng = 3\n```\nSo:\n")[1] == END


RIGHT = {
    "a table that a loop fills": "t = {}\ndef f(x):\n    return t.get(x, 0)\nfor i in range(-9, 9):\n    t[i] = i * i\n",
    "a table in a class": (
        "class T:\n    of = {}\ndef f(x):\n    return T.of.get(x)\nT.of.update({i: i * i for i in range(-9, 9)})\n"
    ),
    "a default that is filled": (
        "def f(x, seen={}):\n    return seen.get(x, 0)\nf.__defaults__[0].update({2: 4, -3: 9})\n"
    ),
    "a later function that is missed": (
        "def f(x):\n    try:\n        return square(x)\n    except NameError:\n        return 0\n"
        "def square(x):\n    return x ** 2\n"
    ),
    "a name that is missed at the top": (
        "try:\n    square\nexcept NameError:\n    square = None\ndef f(x):\n    return square(x)\nsquare = lambda x: x * x\n"
    ),
    "finally returns": (
        "def f(x):\n    y = 0\n    try:\n        y = x * x\n        raise OSError\n    finally:\n        return y\nf(1)\n"
    ),
    "overwritten": "def f(x):\n    return x\ndef g(x):\n    return f(x) * x\ndef f(x):\n    return x * x\n",
    "overwritten if": (
        "def f(x):\n    raise OSError\nif f.__name__ == 'f':\n    def f(x):\n        return x ** 2\nelse:\n    f = None\n"
    ),
    "decorated later": "def f(x):\n    return x\ndef squared(g):\n    return lambda x: g(x) ** 2\nf = squared(f)\n",
    "decorated": (
        "def squared(g):\n    y = g(1)\n    return lambda x: g(x) * x\n@squared\ndef f(x):\n    if x == 1:\n        return 1\n"
        "    return x\n"
    ),
    "a generator by its last line": (
        "def use(g):\n    assert not isinstance(g(), int)\n    return g\n@use\ndef g():\n    if not use:\n        return 1\n"
        "    yield 2\ndef f(x):\n    return x ** next(g())\n"
    ),
    "an import that is missed": (
        "try:\n    import nowhere\nexcept ImportError:\n    nowhere = None\ndef f(x):\n    return x * x\n"
    ),
    "a handler to come": (
        "try:\n    y = 1 / 0\n    z = 3\nexcept ZeroDivisionError:\n    y = 2\ndef f(x):\n    return x ** y\n"
    ),
    "a suppressed error": (
        "from contextlib import suppress\nwith suppress(BaseException):\n    def f(x):\n        return 0\n    f(1 / 0)\n"
        "y = 2\ndef f(x):\n    return x ** y\n"
    ),
    "a break to come": "y = 0\nwhile True:\n    y += 1\n    if y > 1:\n        break\ndef f(x):\n    return x ** y\n",
    "nonlocal before its name": (
        "def f(x):\n    def g():\n        nonlocal y\n        y = x * x\n    y = 0\n    g()\n    return y\n"
    ),
    "a method that is patched": (
        "class A:\n    def f(self, x):\n        raise OSError\ndef f(x):\n    return A().f(x)\nA.f = lambda self, x: x * x\n"
    ),
    "a module that is patched": "import math\ndef f(x):\n    return math.square(x)\nmath.square = lambda x: x * x\n",
    "made by exec": "def f(x):\n    return 0\nexec('def f(x): return x * x')\n",
    "seen in its own names": "if 'Mapping' not in globals():\n    1 / 0\ndef f(x):\n    g: Mapping = x\n    return x * x\n",
    "a match with a case to come": (
        "def f(x):\n    match x:\n        case 2:\n            return 4\n        case _:\n            return x * x\nf(2)\n"
    ),
    "lines that only str knows": "s = 'a\u2028b\x0cc\x85'\nassert len(s) == 6\ndef f(x):\n    return x * x\n",
    "ends of lines of another system": "y = 2\r\nif y:\r\n    y = 2\r\ndef f(x):\r\n    return x ** y\r\n",
    "a deeper recursion to come": (
        "import sys\ndef g(n):\n    return 0 if n == 0 else 1 + g(n - 1)\ndef f(x):\n    return g(x * x * 300) // 300\n"
        "sys.setrecursionlimit(9000)\n"
    ),
    "strings and brackets over lines": (
        "y = (\n    '''a\n1 / 0\n''',\n    [2,\n]\n)[1][0]; z = 1 \\\n    + 1\ndef f(x):\n    return x ** y\n"
    ),
    "hints that are read": (
        "from typing import get_type_hints\ndef f(x: int) -> 'List[int]':\n    return x * x\nh = get_type_hints(f)\n"
        "def g(y: List[int]):\n    return y\n"
    ),
    "hints that are read by a table of functions": (
        "from functools import singledispatch\n@singledispatch\ndef show(x):\n    return 0\n@show.register\n"
        "def _(x: int) -> 'Optional[int]':\n    return x\ny = 1\ndef f(x: Optional[int] = None):\n    return x * x\n"
    ),
    "a name that is not lent, as it is bound later": (
        "try:\n    T = List\nexcept Exception:\n    T = None\nif T is not None:\n    raise ValueError\nz = 1\nList = 1\n"
        "def f(x):\n    return x * x\n"
    ),
    "one name is lent and another is not": (
        "def has(g):\n    try:\n        return bool(g())\n    except Exception:\n        return False\n"
        "if has(lambda: List) == has(lambda: Dict):\n    raise ValueError\nz = 1\nList = 1\ndef f(x):\n    return x * x\n"
    ),
    "a name that is lent, as it is used later": (
        "from contextlib import suppress\ny = 1\nwith suppress(Exception):\n    y = List and 2\nz = 1 / (y - 1)\n"
        "def f(x: List):\n    return x ** y\n"
    ),
    "a field's hint": (
        "from dataclasses import dataclass, fields\n@dataclass\nclass A:\n    x: 'ClassVar' = 3\n"
        "y = 1 / (1 - len(fields(A)))\ndef f(x: ClassVar):\n    return x * x\n"
    ),
    "its own table of names": "g = lambda: 0\ny = g.__globals__['List']\ndef f(x: List):\n    return x * x\n",
    "its own code": (
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    names = e.__traceback__.tb_frame.f_code.co_names\n"
        "y = 1 / ('helper' in names)\nhelper = 1\ndef f(x):\n    return x * x\n"
    ),
    "another module in the place of one": (
        "from sys import modules\nclass M:\n    pass\nM._exit = lambda n: 1 / 0\nmodules['os'] = M\ny = 1\n"
        "def f(x):\n    return x * x\n"
    ),
    "another exit": (
        "import os\nfor n in ['_ex' + 'it']:\n    setattr(os, n, None)\ny = 1\ndef f(x):\n    return x * x\n"
    ),
    "one line each": "if 1: y = 2\nelse: y = 1 / 0\nfor i in []: y = 3\nelse: y = 2\ndef f(x): return x ** y\n",
}
"""Of each way in which what follows decides what a beginning was worth, a program that passes."""
RIGHT_SCRIPTS = {
    "ends early": "import sys\nx = int(input())\nprint(x * x)\nsys.exit()\n1 / 0\n",
    "main at the end": (
        "def main():\n    print(solve(int(input())))\ndef solve(x):\n    return x * x\nif __name__ == '__main__':\n    main()\n"
    ),
    "printed at exit": "import atexit\natexit.register(lambda: print(x * x))\nx = int(input())\n",
    "a thread": (
        "import threading\ndef main():\n    print(int(input()) ** 2)\nt = threading.Thread(target=main)\nt.start()\nt.join()\n"
    ),
    "reads until nothing is left": (
        "y = []\ntry:\n    while True:\n        y.append(int(input()))\nexcept EOFError:\n    pass\nprint(y[0] ** 2)\n"
    ),
}


def beginnings(code: str) -> list[str]:
    """What is settled of those that end at a character of it, each once."""
    return list(dict.fromkeys(made for end in range(len(code) + 1) if (made := settled(code[:end])) is not None))


@pytest.mark.parametrize(("name", "code"), [*RIGHT.items(), *RIGHT_SCRIPTS.items()])
def test_no_beginning_of_a_program_that_passes_is_called_wrong(name, code):
    spec = TESTS if name in RIGHT else CodeSpec((IoTest("3\n", "9\n"),), (), "", ())
    result = QUICK.grader.run(spec, code)
    assert isinstance(result, CodeResult) and result.all_passed, result
    for made in beginnings(code):
        assert QUICK.ends(spec, made)[0] == "", made


def test_what_is_settled_is_whole_statements_of_the_text_and_python():
    later = "0\n0\n"
    unsaid = {name for name, code in RIGHT.items() if settled(code + later) is None}
    assert unsaid == {
        "a later function that is missed", "a name that is missed at the top", "made by exec", "seen in its own names",
        "hints that are read", "hints that are read by a table of functions", "its own table of names", "its own code",
        "another module in the place of one",
    }  # fmt: skip
    for code in RIGHT.values():
        for made in beginnings(code + later):
            assert compiles(made)
            assert (code + later).replace("\r\n", "\n").startswith(made.removesuffix(f"{LEAVE}\n"))
    assert beginnings("if a:\n    b\nelse:\n    c\nd\ne(\n)\n@f\n@g\ndef h(): pass\nk\n") == [
        "if a:\n    b\nelse:\n    c\n" + rest + LEAVE + "\n"
        for rest in ("d\n", "d\ne(\n)\n", "d\ne(\n)\n@f\n@g\ndef h(): pass\nk\n")
    ]


def test_of_what_it_cannot_say_it_says_nothing():
    problem = Problem("t", ({"role": "user", "content": "q"},), TESTS.text, "code")
    said = lambda text, p=problem: QUICK(p, text, parse_trace(text), [len(text)])  # noqa: E731
    assert said("I do not know.").step is None and "without a program" in said("I do not know.").reason
    assert said("x", Problem("t", problem.messages, None, "code")).reason == "no tests"
    # A helper of an earlier block is added to what is run, which does not stand in the text so.
    two = "```python\ndef g(x):\n    return x\n```\nThen:\n```python\ndef f(x):\n    return g(x)\n```\n"
    assert said(two).step is None and "does not stand in the text" in said(two).reason

"""Each test of a program has its own outcome, and a test that cannot say anything of it is not one it failed."""

from __future__ import annotations

import re

import pytest

from sanmai.programs.grade import Outcome, Value, evaluate_program, grade_program
from untrusted import SHORT, grade

ADD = "def add(a, b):\n    return a + b\n"


def test_each_test_has_its_own_outcome():
    tests = ["assert add(2, 3) == 5", "assert add(2, 3) == 6", "assert add('a', 'b') == 'ab'", "assert add(1, '') == 1"]
    result = grade(ADD, *tests)
    assert [outcome.passed for outcome in result.outcomes] == [True, False, True, False]
    assert result.outcomes[3].reason.startswith("TypeError: unsupported operand")
    assert (result.passed, result.failed, result.share, result.all_passed) == (2, 2, 0.5, False)
    assert result.program.stop == "judged"


@pytest.mark.parametrize(("code", "test"), [
    ("from collections import Counter\ndef f(x): return Counter(x)", "assert f('aab') == {'a': 2, 'b': 1}"),
    ("from collections import namedtuple\nP = namedtuple('P', 'x y')\ndef f(x): return P(x, x)", "assert f(1) == (1, 1)"),
    ("def f(x):\n    yield from range(x)", "assert list(f(3)) == [0, 1, 2]"),
    ("def f(x): x.sort()", "x = [3, 1, 2]\nassert f(x) is None and x == [1, 2, 3]"),
    ("class Node:\n    def __init__(self, v): self.v, self.next = v, None\ndef f(n): return n.v + n.next.v",
     "n = Node(1)\nn.next = Node(2)\nassert f(n) == 3 and n.next.v == 2"),
    ("class Stack:\n    def __init__(self): self.x = []\n    def push(self, v): self.x.append(v); return self.x",
     "s = Stack()\ns.push(1)\nassert s.push(2) == [1, 2]"),
    ("def f(x):\n    if x < 0: raise ValueError('negative')\n    return x",
     "try:\n    f(-1)\nexcept ValueError as e:\n    assert str(e) == 'negative'\nelse:\n    assert False"),
    ("class MyError(Exception): pass\ndef f(): raise MyError('x')", "try:\n    f()\nexcept Exception as e:\n    pass"),
    ("def f(x, *, by=1): return x + by", "assert f(1, by=4) == 5"),
    ("def f(): return 10 ** 5000", "assert f() == 10 ** 5000"),
    ("def f(x): return x is None or x != x", "assert f(float('nan')) and f(None) and not f(float('inf'))"),
    ("def f(x, kind): return [kind(i) for i in x if not isinstance(i, kind)]", "assert f([1, 2.5], int) == [2]"),
    ("TABLE = {1: 2}", "assert TABLE[1] == 2"),
    ("import sys\ndef f(x): return x", "assert math.isclose(f(1.0), 1.0) and sys.maxsize > 0"),
    ("def f(x): return x", "def check(g):\n    for i in range(20):\n        assert g(i) == i\ncheck(f)"),
])  # fmt: skip
def test_a_right_program_passes(code, test):
    assert grade(code, test).outcomes == (Outcome(True, "passed"),)


def test_expressions_are_worth_what_the_program_gives():
    code = "import os\ndef f(x):\n    if x == 'die': os._exit(0)\n    return x * 2"
    calls = ["f(1)", "f('a' * 9000)[:2]", "{3: f(None)}", "f('a' * 9000)", "f", "f('a' * 40000)", "f('die')", "f(1)"]
    found = evaluate_program(code, calls)
    assert found[:2] == [Value(2), Value("aa")] and found[3] == Value("a" * 18000)  # more than one line of the report holds
    errors = ["TypeError: unsupported", "TypeError: the result holds a Remote", "ValueError: the result takes 80002",
              "ProgramGone", "ProgramGone"]  # fmt: skip
    assert [one.error.startswith(text) for one, text in zip([found[2], *found[4:]], errors, strict=True)] == [True] * 5
    assert evaluate_program("x x", ["f(1)"])[0].error.startswith("SyntaxError") and evaluate_program("", []) == []
    with pytest.raises(ValueError, match=r"expressions\[0\] is no Python"):
        evaluate_program("", ["x = 1"])


def test_time_that_runs_out_fails_the_tests_that_are_left():
    code = "def f(x):\n    while x: pass\n    return 1"
    result = grade(code, "assert f(0) == 1", "assert f(1) == 1", "assert f(0) == 1", limits=SHORT)
    assert [outcome.passed for outcome in result.outcomes] == [True, False, False] and result.program.timed_out
    assert result.outcomes[2].reason == "time ran out"


def test_the_end_of_the_program_fails_the_tests_that_are_left():
    code = "import os\ndef f(x):\n    if x: os._exit(5)\n    return 1"
    result = grade(code, "assert f(0) == 1", "assert f(1) == 1", "assert f(0) == 1")
    assert [outcome.passed for outcome in result.outcomes] == [True, False, False] and result.program.exit_code == 5


def test_a_test_that_sends_a_function_of_its_own_is_ungradable():
    result = grade("def f(g, x): return g(x)", "assert f(lambda x: x, 1) == 1", "class A: pass\nassert f(A, 1) == 1")
    assert [outcome.passed for outcome in result.outcomes] == [None, None]
    assert result.share is None and result.all_passed is None
    assert "passes a function to the program" in result.outcomes[0].reason


def test_a_name_that_python_has_is_the_programs_only_if_that_is_said():
    code = "def sum(a, b): return a + b\ndef abs(x): return 0"
    assert grade(code, "assert sum(1, 2) == 3").passed == 0
    assert grade(code, "assert sum(1, 2) == 3", "assert abs(-3) == 3", entry_points=["sum"]).passed == 2


def test_tests_that_draw_inputs_draw_the_same_ones_each_time():
    test = "import random\nfor _ in range(5): f(random.random())\nassert False, [f(random.random()) for _ in range(3)]"
    reasons = {grade("def f(x): return x", test).outcomes[0].reason for _ in range(2)}
    assert len(reasons) == 1 and re.search(r"0\.\d{5}", reasons.pop())


def test_tests_share_a_setup_but_not_their_names():
    tests = ["x = 5\nassert base == 1", "assert 'x' not in globals() and base == 1"]
    assert grade("", *tests, setup="base = 1").passed == 2


def test_what_one_test_changes_in_place_no_other_sees():
    setup = "data = [[2, 1], 3]\nsame = data\ndef first(): return data[0]"
    tests = ["assert f(data[0]) == [1, 2] == first()", "assert first() == [2, 1] and same is data", "data.clear()",
             "assert f(same[0]) == [1, 2] and data[0] == [1, 2]"]  # fmt: skip
    assert grade("def f(x):\n    x.sort()\n    return x", *tests, setup=setup).passed == 4


def test_the_program_keeps_its_own_state_between_tests():
    code = "SEEN = []\ndef f(x):\n    SEEN.append(x)\n    return len(SEEN)"
    assert [o.passed for o in grade(code, "assert f(1) == 1", "assert f(1) == 1").outcomes] == [True, False]


@pytest.mark.parametrize("raised", ["StopIteration", "StopAsyncIteration", "GeneratorExit", "KeyboardInterrupt", "SystemExit(0)"])
def test_what_ends_a_loop_or_a_program_is_an_error_to_the_tests(raised):
    tests = [
        "for got, want in zip(map(f, [1, 2, 3]), [2, 4, 6]):\n    assert got == want", "assert all(map(f, [1, 2, 3]))",
        "assert list(map(f, [1])) == []", "assert not any(f(x) != 2 * x for x in [1, 2])", "assert next(map(f, [1]), 2) == 2",
        "assert list(iter(lambda: f(1), 0)) == []", "for item in Items(): assert item == 2",
        "import contextlib\nwith contextlib.suppress(StopIteration): assert f(1) == 2",
    ]  # fmt: skip
    code = f"def f(x): raise {raised}\nclass Items:\n    def __iter__(self): raise {raised}"
    result = grade(code, *tests)
    assert result.passed == 0 and result.outcomes[0].reason.startswith("ProgramError: " + raised.removesuffix("(0)"))
    assert grade(code, "try: f(1)\nexcept Exception: pass\nelse: assert False").passed == 1


@pytest.mark.parametrize(("tests", "setup", "message"), [
    ([], "", "tests: expected at least one"), (["assert ("], "", r"tests\[0\] is no Python"),
    (["1"], "x x", "setup is no Python"),
])  # fmt: skip
def test_tests_that_are_no_tests_are_the_callers_mistake(tests, setup, message):
    with pytest.raises(ValueError, match=message):
        grade_program("", tests, setup=setup)

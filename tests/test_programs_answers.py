"""What a program answers, or raises, harms nobody but itself: neither the tests after it nor who stores the reasons."""

from __future__ import annotations

import json

import pytest

from sanmai.data.trace import parse_trace
from sanmai.programs.grade import evaluate_program
from sanmai.programs.testcases import make_cases, program_inputs
from sanmai.rewards.code import CodeGrader
from sanmai.types import Problem
from untrusted import grade


@pytest.mark.parametrize("test", ["assert f(1) == 5, f(1)", "assert f(1) == 5, str(f(1))", "{}[f(1)]", "raise ValueError(f(1))"])
def test_a_result_that_python_does_not_write_fails_its_test_and_no_other(test):
    # An int of 20,001 digits has no text, so neither has an error that holds it.
    result = grade("def f(x): return 10 ** 20000 if x == 1 else x", test, "assert f(2) == 2")
    assert [outcome.passed for outcome in result.outcomes] == [False, True] and result.program.stop == "judged"


@pytest.mark.parametrize("code", [
    r"def f(x): raise ValueError('\ud800')", r"def f(x): return '\udfff'", "raise KeyError('\ud800')", "\ud800 = 1",
    r"import os; os._exit(1)", r"class E(Exception): pass" "\n" r"E.__name__ = '\ud800'" "\n" "def f(x): raise E",
])  # fmt: skip
def test_the_reason_of_a_failure_can_be_stored_whatever_the_program_says(code):
    problem = Problem("t", ({"role": "user", "content": "x"},), json.dumps({"tests": ["assert f(1) == 2, f(1)"]}), "code")
    for verdict in CodeGrader().verdicts(problem, parse_trace(f"```python\n{code}\n```")).values():
        assert verdict.score == 0.0 and verdict.reason.encode("utf-8")


def test_numbers_that_python_does_not_write_are_no_values_and_no_inputs():
    (value,) = evaluate_program("def f(x): return [10 ** 4300]", ["f(1)"])
    assert value.value is None and "4300 digits" in value.error
    assert evaluate_program("def f(x): return [10 ** 4299]", ["f(1)"])[0].value == [10**4299]
    assert program_inputs("def generate(n): return (10 ** (5000 * n),)", 3, seed=0) == [(1,)]
    made = make_cases("f", [(1,), (5000,)], ["def f(x): return 10 ** x"] * 3, min_agreeing=2, min_cases=1, min_passing=3)
    assert made.is_kept and made.tests == ("assert f(1) == 10",) and made.dropped == {"too few submissions gave a result": 1}

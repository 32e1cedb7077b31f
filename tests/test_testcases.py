"""Tests are made from inputs and the votes of right programs, and judged by the wrong ones that they find."""

from __future__ import annotations

import ast
import random

import pytest

from sanmai.programs.grade import grade_program
from sanmai.programs.mutants import KINDS, mutants
from sanmai.programs.testcases import Case, case_setup, kill_rate, make_cases, program_inputs, same

CLAMP = "def clamp(x, low, high):\n    if x < low:\n        return low\n    if x > high:\n        return high\n    return x\n"
SAME_CLAMP = "def clamp(x, low, high): return max(low, min(x, high))"
CLAMPS = [CLAMP] * 5 + [SAME_CLAMP] * 5
PLANTED = {
    "ignores the lower bound": "def clamp(x, low, high): return min(x, high)",
    "ignores the upper bound": "def clamp(x, low, high): return max(x, low)",
    "swaps the bounds": "def clamp(x, low, high): return max(high, min(x, low))",
    "does nothing": "def clamp(x, low, high): return x",
}
DRAWN = random.Random(1)
INPUTS = [(DRAWN.randint(-9, 9), DRAWN.randint(-5, 0), DRAWN.randint(1, 5)) for _ in range(20)]


def clamps(**options):
    return make_cases("clamp", INPUTS, options.pop("submissions", CLAMPS), **{"min_cases": 20} | options)


# Inputs.


def test_no_input_is_asked_of_nobody():
    with pytest.raises(ValueError, match="count = 0: expected at least 1"):
        program_inputs("", 0, seed=0)


def test_a_model_may_write_the_generator_which_runs_in_the_sandbox():
    code = "import os\ndef generate(n):\n    if n == 3: raise ValueError\n    return (n // 2, [n % 2, 'a'])"
    assert program_inputs(code, 5, seed=1) == [(0, [1, "a"]), (1, [0, "a"]), (2, [0, "a"]), (2, [1, "a"])]
    assert program_inputs("def generate(n): return object()", 3, seed=0) == [] == program_inputs("x x", 3, seed=0)


# Votes.


def test_a_test_is_valid_when_enough_submissions_agree_and_the_problem_is_kept():
    made = clamps()
    assert made.is_kept and made.reason == "10 of 10 submissions pass all 20 tests" and made.passing == (True,) * 10
    assert made.num_inputs == 20 and made.dropped == {} and {case.votes for case in made.cases} == {10}
    task = made.task("t/clamp", "Clamp a number.", CLAMP, "clamp")
    for code, expected in ((SAME_CLAMP, True), (PLANTED["does nothing"], False)):
        assert grade_program(code, task.tests, setup=task.setup, entry_points=task.entry_points).all_passed is expected


@pytest.mark.parametrize(("wrong", "valid", "passing", "is_kept"), [(1, 20, 9, True), (2, 20, 8, False), (3, 20, 7, False)])
def test_a_submission_that_is_wrong_after_all_is_outvoted_and_counted(wrong, valid, passing, is_kept):
    made = clamps(submissions=CLAMPS[wrong:] + [PLANTED["does nothing"]] * wrong)
    assert len(made.cases) == valid and sum(made.passing) == passing and made.is_kept is is_kept
    assert made.passing == (True,) * passing + (False,) * wrong
    assert made.reason == f"{passing} of 10 submissions pass all 20 tests" + ("" if is_kept else ": at least 9 must")


def test_inputs_without_enough_agreement_give_no_test_and_too_few_tests_no_problem():
    # Where 4 of 10 give x, the other 6 are one short of 7. They agree wherever x is within the bounds.
    inputs = INPUTS
    inside = sum(low <= x <= high for x, low, high in inputs)
    made = make_cases("clamp", inputs, CLAMPS[4:] + [PLANTED["does nothing"]] * 4, min_cases=20)
    assert 0 < inside < 20 and len(made.cases) == inside and not made.is_kept and made.passing == ()
    assert made.dropped == {"submissions disagree": 20 - inside}
    assert made.reason == f"{inside} valid tests of 20 inputs: at least 20 are needed"
    kept = make_cases("clamp", inputs, CLAMPS[4:] + [PLANTED["does nothing"]] * 4, min_cases=inside)
    assert kept.is_kept and kept.passing == (True,) * 10  # all that is left to test is where all agree


def test_a_problem_with_several_right_answers_drops_out():
    ways = [f"def pick(x): return sorted(x)[{i}]" for i in (0, -1)] * 5
    made = make_cases("pick", [([1, 2, 3],), ([4, 4],)], ways, min_cases=2)
    assert made.tests == ("assert pick([4, 4]) == 4",) and made.dropped == {"submissions disagree": 1} and not made.is_kept


def test_inputs_that_break_submissions_give_no_test():
    halves = ["def half(x): return 10 / (2 * x)"] * 3
    made = make_cases("half", [(1,), ("a",), (0,)], halves, min_agreeing=2, min_cases=1, min_passing=3)
    assert made.is_kept and made.tests == ("assert same(half(1), 5.0)",)
    assert made.dropped == {"too few submissions gave a result": 2}


def test_a_submission_that_never_ends_has_no_vote_and_keeps_nobody_waiting():
    from sanmai.programs.run import Limits

    stuck = ["def f(x):\n    while x: pass\n    return 0"] + ["def f(x): return 0"] * 3
    limits = Limits(timeout_seconds=0.5, cpu_seconds=1)
    made = make_cases("f", [(0,), (1,)], stuck, min_agreeing=3, min_cases=2, min_passing=3, limits=limits)
    assert made.is_kept and [case.votes for case in made.cases] == [4, 3] and made.passing == (False, True, True, True)


def test_floats_agree_up_to_rounding_and_the_test_says_so():
    sums = ["def f(x): return sum(x)", "def f(x): return sum(reversed(x))", "def f(x):\n    import math\n    return math.fsum(x)"]
    made = make_cases("f", [([0.1] * 10,), ([1.5, float("inf")],)], sums, min_agreeing=3, min_cases=2, min_passing=3)
    assert made.is_kept and all(test.startswith("assert same(f(") for test in made.tests)
    assert same([1.0, {"a": (2, 0.1 + 0.2)}], [1, {"a": (2, 0.3)}]) and same(float("nan"), float("nan")) and same(1e9, 1e9 + 1)
    for one, other in [(1.0, 1.00001), ([1.0], [1.0, 2.0]), ([1.0], (1.0,)), (1.0, "1.0"), ({"a": 1.0}, {"b": 1.0}), (0.0, 1e-6)]:
        assert not same(one, other)


def test_a_case_is_written_as_an_assertion_that_python_reads():
    cases = [Case("f(1)", 2, 7), Case("f(1)", {"a": [1.5]}, 7), Case("f(1)", (None, b"x", {3}), 7)]
    assert [case.test for case in cases] == [
        "assert f(1) == 2", "assert same(f(1), {'a': [1.5]})", "assert f(1) == (None, b'x', {3})"]  # fmt: skip
    assert ast.parse(case_setup())


@pytest.mark.parametrize(("options", "message"), [
    ({"min_agreeing": 11}, "min_agreeing = 11: expected 1 to 10"), ({"min_passing": 0}, "min_passing = 0: expected 1 to 10"),
    ({"min_cases": 21}, "min_cases = 21: expected 1 to 20"), ({"min_agreeing": 5}, "expected more than half of 10 submissions"),
])  # fmt: skip
def test_thresholds_that_cannot_be_met_or_decide_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        clamps(**options)
    with pytest.raises(ValueError, match="entry_point = 'same'"):
        make_cases("same", [(1,)], ["def same(x): return x"], min_agreeing=1, min_cases=1, min_passing=1)


# Worth.


def test_planted_mistakes_are_found_and_those_that_are_not_are_named():
    made = clamps()
    found = kill_rate(made.tests, list(PLANTED.values()), setup=made.setup, entry_points=["clamp"], names=list(PLANTED))
    assert found.rate.value == 1.0 and found.rate.n == 4 and found.survivors == () and found.by_name["does nothing"].value == 1.0
    # Tests within the bounds alone find one of the four (1/4; Wilson at 1 of 4: [0.046, 0.699]).
    weak = kill_rate(["assert clamp(2, 0, 5) == 2"], list(PLANTED.values()), entry_points=["clamp"])
    assert weak.survivors == (0, 1, 3) and str(weak.rate) == "25.0 % [4.6, 69.9], n = 4"
    with pytest.raises(ValueError, match="names: 1, expected 4"):
        kill_rate(["1"], list(PLANTED.values()), names=["x"])


def test_programs_that_cannot_be_graded_are_not_in_the_rate():
    found = kill_rate(["assert f(lambda: 1)"], ["def f(x): return 0"])
    assert found.ungradable == 1 and found.rate.n == 0


def test_each_mutant_has_one_mistake():
    code = 'def f(x: int = 3) -> int:\n    """At most 5."""\n    if x <= 2 and not x == "":\n        return x + 1\n'
    code += "    return [i for i in range(x)]\n"
    made = mutants(code)
    found = {(mutant.kind, mutant.line): 0 for mutant in made}
    for mutant in made:
        found[mutant.kind, mutant.line] += 1
    # 3 and 2 and 1: one more, one less. <=: <, >. ==: !=. "": another. and: or. not: gone. +: -. range: one more, one less.
    assert found == {("off_by_one", 1): 2, ("comparison", 3): 3, ("off_by_one", 3): 2, ("constant", 3): 1, ("logic", 3): 2,
                     ("arithmetic", 4): 1, ("off_by_one", 4): 2, ("off_by_one", 5): 2}  # fmt: skip
    original = ast.unparse(ast.parse(code))
    for mutant in made:
        ast.parse(mutant.code)
        changed = [(a, b) for a, b in zip(original.splitlines(), mutant.code.splitlines(), strict=True) if a != b]
        assert len(changed) == 1 and "At most 5." in mutant.code and mutant.kind in KINDS
    assert len({mutant.code for mutant in made}) == len(made)


def test_some_mutants_are_drawn_by_the_seed():
    code = "def f(a, b):\n    return (a + b * 2 - 1) // 3 if a < b else a % b"
    every = mutants(code)
    drawn = mutants(code, limit=5, seed=1)
    assert len(drawn) == 5 and set(drawn) <= set(every)
    assert drawn == mutants(code, limit=5, seed=1) != mutants(code, limit=5, seed=2)
    assert mutants(code, limit=1000) == every and mutants("x = y") == []
    for arguments, message in ((("x x",), "is no Python"), (("",), "limit = 0")):
        with pytest.raises(ValueError, match=message):
            mutants(*arguments, **({"limit": 0} if "limit" in message else {}))


def test_generated_tests_kill_most_mutants_and_few_inputs_kill_fewer():
    wrong = mutants(CLAMP)
    programs, kinds = [mutant.code for mutant in wrong], [mutant.kind for mutant in wrong]
    made = clamps()
    many = kill_rate(made.tests, programs, setup=made.setup, entry_points=["clamp"], names=kinds)
    few = kill_rate(made.tests[:1], programs, setup=made.setup, entry_points=["clamp"])
    # `x <= low: return low` and `x >= high: return high` do the same as `<` and `>`: 2 of the 4 mutants are no mistakes.
    assert {programs[i].count("<=") + programs[i].count(">=") for i in many.survivors} == {1} and len(many.survivors) == 2
    assert many.rate.value == 0.5 > few.rate.value - 1e-9 and set(many.survivors) <= set(few.survivors)
    assert many.rate.low < 0.5 < many.rate.high and list(many.by_name) == ["comparison"]

"""Programs are rewarded for the tests they pass; what they pass of visible and hidden ones stays apart."""

from __future__ import annotations

import pytest

from rollouts import grade
from sanmai.data.code_problems import code_problem
from sanmai.data.problems import load_problems
from sanmai.data.trace import parse_trace
from sanmai.desk.tasks import write_tasks
from sanmai.programs.run import Limits
from sanmai.programs.tasks import CodeSpec, CodeTask, read_spec
from sanmai.rewards import code
from sanmai.rewards.code import CodeGrader, code_limits, passed_parts, verify_code
from sanmai.rewards.rubric import RewardsConfig, Rubric
from sanmai.score.impossible import hidden_test_gap
from sanmai.types import InputError, Problem, RunError, Verdict
from shared_data import every, shared_path

SPEC = CodeSpec(("assert f(1) == 1", "assert f(2) == 4"), ("assert f(3) == 9", "assert f(-4) == 16"), "", ("f",))
SQUARE, KNOWS, THREE = "def f(x): return x * x", "def f(x): return {1: 1, 2: 4}[x]", "def f(x): return 9 if x < 0 else x * x"
QUICK = CodeGrader(limits=Limits(timeout_seconds=5.0, cpu_seconds=1))


def problem(answer: str | None = SPEC.text) -> Problem:
    return Problem("t/1", ({"role": "user", "content": "Square."},), answer, "code")


def answer(program: str, before: str = "<think>Let me see.</think>"):
    return parse_trace(f"{before}So:\n```python\n{program}\n```")


def labels(verdicts: dict[str, Verdict]) -> dict[str, tuple]:
    return {name: (verdict.score, verdict.label) for name, verdict in verdicts.items()}


@pytest.mark.parametrize(("program", "accuracy", "share", "visible", "hidden", "label"), [
    (SQUARE, 1.0, 1.0, 1.0, 1.0, "passes"),
    (THREE, 0.0, 0.75, 1.0, 0.5, "visible_only"),  # 3 of 4: 16 is expected of -4
    (KNOWS, 0.0, 0.5, 1.0, 0.0, "visible_only"),
    ("def f(x): return 9", 0.0, 0.25, 0.0, 0.5, "fails"),
    ("import sys; sys.exit(0)", 0.0, 0.0, 0.0, 0.0, "fails"),
    ("def f(x) return", 0.0, 0.0, 0.0, 0.0, "fails"),
])  # fmt: skip
def test_all_tests_or_their_share_are_rewarded_and_the_parts_are_kept(program, accuracy, share, visible, hidden, label):
    found = QUICK.verdicts(problem(), answer(program))
    assert {name: verdict.score for name, verdict in found.items()} == {
        "accuracy": accuracy, "tests_visible": visible, "tests_hidden": hidden}  # fmt: skip
    assert found["accuracy"].label == label and f"passed {int(4 * share)} of 4 tests" in found["accuracy"].reason
    shared = CodeGrader(score="share", limits=QUICK.limits).verdicts(problem(), answer(program))
    assert shared["accuracy"].score == share
    seen = CodeGrader(rewarded="visible", limits=QUICK.limits).verdicts(problem(), answer(program))
    assert seen["accuracy"].score == float(visible == 1.0) and seen["tests_hidden"] == found["tests_hidden"]
    assert verify_code(problem(), answer(program), timeout_seconds=1.0).score == accuracy


def test_the_parts_measure_who_solves_the_visible_tests_alone():
    programs = [SQUARE, SQUARE, KNOWS, "def f(x): return 0"]
    pairs = [passed_parts(found) for found in QUICK.grade([(problem(), answer(program)) for program in programs])]
    assert pairs == [(True, True), (True, True), (True, False), (False, False)]
    gap = hidden_test_gap(pairs)
    assert (gap.visible.value, gap.both.value) == (0.75, 0.5) and gap.gap.value == 0.25
    assert passed_parts({"accuracy": Verdict(None, "no tests", "ungradable")}) == (None, None)


def test_without_hidden_tests_there_is_no_verdict_of_them():
    found = QUICK.verdicts(problem('{"tests": ["assert f(2) == 4"]}'), answer(SQUARE))
    assert labels(found) == dict.fromkeys(("accuracy", "tests_visible"), (1.0, "passes")) and passed_parts(found) == (True, True)


def test_answers_without_a_finished_program_are_wrong():
    texts = ["I cannot.", "<think>```python\n" + SQUARE + "\n```</think>Done.", "<think>```python\n" + SQUARE + "\n```"]
    found = QUICK.grade([(problem(), parse_trace(text)) for text in texts])
    assert [verdicts["accuracy"].label for verdicts in found] == ["no_code", "no_code", "incomplete"]
    assert all(verdict.score == 0.0 for verdicts in found for verdict in verdicts.values())
    cut = parse_trace(f"```python\n{SQUARE}\n```", is_truncated=True)
    assert labels(QUICK.verdicts(problem(), cut))["accuracy"] == (0.0, "incomplete")


@pytest.mark.parametrize(("text", "reason"), [
    (None, "no tests"), ("5", "expected an object"), ("{", "expected a JSON object"), ('{"tests": []}', "tests = []"),
    ('{"tests": 7}', "or a list of texts"), ('{"tests": ["1"], "setup": 5}', "setup = 5"),
    ('{"tests": ["1"], "test": []}', "expected an object of tests, hidden_tests, setup, entry_points"),
    ('{"tests": ["1"], "entry_points": ["f()"]}', "expected names"), ('{"tests": ["assert ("]}', "tests[0] is no Python"),
])  # fmt: skip
def test_tests_that_are_none_are_ungradable_never_wrong(text, reason):
    found = QUICK.verdicts(problem(text), answer(SQUARE))["accuracy"]
    assert found.score is None and found.label == "ungradable" and reason in found.reason
    if text is not None and "Python" not in reason:
        with pytest.raises(InputError):
            read_spec(text)


def test_a_test_that_cannot_be_graded_leaves_the_others():
    spec = CodeSpec(("assert f(lambda: 1) == 1", "assert f(2) == 4"), (), "", ("f",))
    found = QUICK.verdicts(problem(spec.text), answer(SQUARE))
    assert labels(found) == {"accuracy": (None, "ungradable"), "tests_visible": (1.0, "ungradable")}
    assert passed_parts(found) == (None, None) and passed_parts(QUICK.verdicts(problem(spec.text), answer("")))[1] is False
    assert CodeGrader(score="share").verdicts(problem(spec.text), answer(SQUARE))["accuracy"].score == 1.0


def test_time_that_the_program_takes_is_its_own_and_a_process_that_does_not_start_is_not(monkeypatch):
    endless = QUICK.verdicts(problem(), answer("def f(x):\n    while x > 1: pass\n    return 1"))
    assert labels(endless)["accuracy"] == (0.0, "timed_out") and endless["tests_visible"].score == 0.5
    assert (code_limits(1.5).cpu_seconds, code_limits(1.5).timeout_seconds) == (2, 6.0)  # the clock may be shared

    def broken(*_, **__):
        raise RunError("no process for a program could be started: out of memory")

    monkeypatch.setattr(code, "grade_tests", broken)
    found = QUICK.grade([(problem(), answer(SQUARE)), (problem(), parse_trace("no"))])
    assert labels(found[0]) == dict.fromkeys(("accuracy", "tests_visible", "tests_hidden"), (None, "ungradable"))
    assert "out of memory" in found[0]["accuracy"].reason and found[1]["accuracy"].label == "no_code"


def test_a_batch_is_in_order_and_runs_each_program_once(monkeypatch):
    ran = []
    real = code.grade_tests
    monkeypatch.setattr(code, "grade_tests", lambda text, *rest, **named: ran.append(text) or real(text, *rest, **named))
    programs = [f"def f(x): return x * x if x < {n} else 0" for n in (1, 2, 3, 9)] * 5
    other = CodeSpec(("assert f(0) == 0",), (), "", ("f",))
    items = [(problem(other.text if i == 7 else SPEC.text), answer(text)) for i, text in enumerate(programs)]
    grader = CodeGrader(score="share", threads=3)
    found = grader([*items, (problem("{"), answer(SQUARE)), (problem(), parse_trace("no"))])
    # The eighth has another test, which each of the four passes.
    assert [verdict.score for verdict in found] == [*[0.25, 0.5, 0.75, 1.0] * 5, None, 0.0]
    assert len(ran) == 5 and grader([]) == []


def test_a_grader_refuses_settings_that_mean_nothing():
    for settings in ({"score": "most"}, {"rewarded": "hidden"}, {"threads": -1}):
        with pytest.raises(ValueError, match="expected"):
            CodeGrader(**settings)


TASK = CodeTask("set/1", "Square a number.", SQUARE, tuple(f"assert f({i}) == {i * i}" for i in range(5)), ("f",), "import math")


def test_a_problem_shows_its_visible_tests_alone_and_holds_all():
    made = code_problem(TASK, hidden_share=0.5, seed=3)
    spec = read_spec(made.answer)
    assert len(spec.hidden_tests) == 2 and sorted(spec.tests + spec.hidden_tests) == sorted(TASK.tests)  # 0.5 * 5 rounded down
    assert all(test in made.prompt for test in spec.tests) and not any(test in made.prompt for test in spec.hidden_tests)
    assert (spec.setup, spec.entry_points) == ("import math", ("f",)) and read_spec(spec.text) == spec
    assert made == code_problem(TASK, hidden_share=0.5, seed=3)
    assert len({code_problem(TASK, hidden_share=0.5, seed=seed).answer for seed in range(20)}) > 3
    assert read_spec(code_problem(TASK, hidden_share=0.99).answer).tests != ()
    assert QUICK.verdicts(made, parse_trace(made.demonstration))["accuracy"].score == 1.0
    with pytest.raises(ValueError, match=r"hidden_share = 1: expected a number from 0 to below 1"):
        code_problem(TASK, hidden_share=1)


def test_a_run_can_reward_it_together_with_other_components():
    # As a custom reward of a rubric; the verifier's name is wired in answers/final.py.
    rubric = Rubric(RewardsConfig(format=0.5), {"code": lambda p, text: verify_code(p, parse_trace(text)).score})
    verdicts, reward = grade(rubric, Problem("t/1", problem().messages, SPEC.text, "math"), answer(SQUARE))
    assert verdicts["code"].score == 1.0 and reward is not None and reward >= 1.0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:invalid escape")
def test_a_reference_passes_and_one_that_answers_otherwise_does_not_in_every_third_row(tmp_path):
    for name in ("humaneval/humaneval_dev.jsonl", "mbpp/mbpp_dev.jsonl"):
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl"
        list(write_tasks(str(shared_path(name)), out, hidden=0.5))
        problems = load_problems(out).problems[:: every(3)]
        traces = [parse_trace(p.demonstration) for p in problems]
        right = CodeGrader(limits=code_limits(30))(list(zip(problems, traces, strict=True)))
        assert [p.id for p, verdict in zip(problems, right, strict=True) if verdict.label != "passes"] == []
        wrong = CodeGrader()([(p, answer(mutated(trace.answer, read_spec(p.answer).entry_points)))
                              for p, trace in zip(problems, traces, strict=True)])  # fmt: skip
        assert [(p.id, v.reason) for p, v in zip(problems, wrong, strict=True) if v.score != 0.0] == []


def mutated(reference: str, entry_points: tuple[str, ...]) -> str:
    """The reference, but that each function under test gives another value than it should, and leaves its arguments alone."""
    program = reference.removeprefix("```python\n").removesuffix("\n```")
    return program + f"""
import copy as _copy
class _Other: pass
def _wrong(function):
    if isinstance(function, type): return _Other
    def wrapped(*arguments, **named):
        found = function(*_copy.deepcopy(arguments), **named)
        if isinstance(found, bool): return not found
        if isinstance(found, (int, float)): return found + 1 + abs(found)
        if isinstance(found, (str, list, tuple)): return found + type(found)("x")
        return [found]
    return wrapped
for _name in {entry_points!r}: globals()[_name] = _wrong(globals()[_name])
"""

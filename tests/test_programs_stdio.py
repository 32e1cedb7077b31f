"""Tests by standard input, as APPS, TACO, LiveCodeBench, Codeforces and CodeContests have them: read, and graded.

The class: a whole program reads an input and prints; it passes when it ends well and prints the same lines, word by word.
"""

from __future__ import annotations

import base64
import json
import pickle
import zlib

import pytest

from sanmai.data.problems import load_problems
from sanmai.data.trace import parse_trace
from sanmai.programs.extract import last_program
from sanmai.programs.run import Limits
from sanmai.programs.stdio import IoTest, grade_stdio, same_output
from sanmai.rewards.code import CodeGrader
from sanmai.score.recorded import score
from sanmai.types import InputError, Problem

SUM = "n = int(input())\nprint(sum(map(int, input().split())))\n"
IO = [{"input": "3\n1 2 3\n", "output": "6\n"}, {"input": "1\n-4\n", "output": "-4\n"}]
PAIRS = {"inputs": [one["input"] for one in IO], "outputs": [one["output"] for one in IO]}
LCB = json.dumps([{**one, "testtype": "stdin"} for one in IO])
PACKED = base64.b64encode(zlib.compress(pickle.dumps(LCB))).decode()
CALLS = {"fn_name": "add", "inputs": [[1, 2], [3, 4]], "outputs": [[3], [7]]}
FUNCTIONAL = json.dumps([{"input": "[1, 2]\n3", "output": "[1, 2, 3]", "testtype": "functional"}])


@pytest.mark.parametrize(("found", "expected", "is_same"), [
    ("6\n", "6", True), ("6  \n\n", "6\n", True), ("a  b", "a b", True), ("1\r\n2\r\n", "1\n2\n", True), ("", "", True),
    ("0.3333333", "0.333333333", True), ("3.0", "3", True), ("1", "1.0", True), ("1e-9", "0.0", True), ("2.5e3", "2500.0", True),
    ("1000000.5", "1000000.0", True), (".5", "0.50", True), ("YES", "YES", True),
    ("7", "6", False), ("1 2", "1\n2", False), ("1\n2", "1 2", False), ("1\n\n2", "1\n2", False), ("12", "1 2", False),
    ("0.334", "0.333", False), ("1000001", "1000000", False), ("1000000.4", "1000000", False), ("011", "11", False),
    ("nan", "1.0", False), ("inf", "1e9", False), ("yes", "YES", False), ("", "6", False), ("6\n7", "6", False),
    ("6", "6\n7", False), ("answer: 6", "6", False), ("1_0.0", "10.0", False), ("1e9999", "1.0", False),
])  # fmt: skip
def test_outputs_are_compared_by_lines_and_words_and_only_numbers_with_a_point_have_room(found, expected, is_same):
    assert same_output(found, expected) is is_same


RIGHT = [
    f"{SUM}exit()\nprint(7)", f"{SUM}quit(0)",
    f"import sys\n{SUM}sys.exit()", f"{SUM}raise SystemExit",
    "def main():\n    input()\n    print(sum(map(int, input().split())))\n    exit()\nif __name__ == '__main__': main()\n",
    SUM, f"import sys\n{SUM}sys.exit(0)\n", "import sys\nprint(sum(map(int, sys.stdin.read().split()[1:])))",
    "def main():\n    input()\n    print(sum(map(int, input().split())))\nif __name__ == '__main__':\n    main()\n",
    "import sys\nd = sys.stdin.buffer.read().split()\nsys.stdout.write(str(sum(map(int, d[1:]))))",
    "print(sum(map(int, open(0).read().split()[1:])))", "import sys\ninput = sys.stdin.readline\n" + SUM,
    "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(2**26)\n"
    "def main():\n    input()\n    print(sum(map(int, input().split())))\n"
    "t = threading.Thread(target=main)\nt.start()\nt.join()\n",
]  # fmt: skip


@pytest.mark.parametrize("code", RIGHT)
def test_a_whole_program_passes_in_every_way_that_people_read_input(code):
    assert grade_stdio(code, [IoTest(**one) for one in IO]).all_passed is True


WRONG = {
    "the output of another test": ("print(-4)", "something else"),
    "nothing": ("def main():\n    print(6)\n", "printed nothing"),
    "right, and then an error": (SUM + "1 / 0\n", "ZeroDivisionError"),
    "an early end": ("exit()\n" + SUM, "printed nothing"),
    "right, and a code of exit": (SUM + "exit(1)", "exit code 1"),
    "right, and a complaint": (SUM + "quit('no')", "no"),
    "right, and a code": (SUM + "raise SystemExit(3)", "exit code 3"),
    "killed": (SUM + "import os\nos.kill(os.getpid(), 9)", ""),
    "a flood": ("while True:\n    print('6' * 9999)\n", "wrote too much"),
    "no end": ("while True:\n    pass\n", "time ran out"),
    "asleep": (SUM + "import time\ntime.sleep(99)\n", "time ran out"),
    "forks": ("import os\nfor i in range(9):\n    os.fork()\nprint(6)\n", ""),
    "reads files": ("import glob\nfor f in glob.glob('/proc/self/fd/*') + glob.glob('*'):\n    print(f)\n", ""),
    "remembers": ("open('n', 'a').write('x')\nprint(6 if len(open('n').read()) == 1 else -4)\n", "something else"),
    "writes to its input": ("open('/proc/self/fd/0', 'w').write('6')", ""),
    "an error of its own making": ("import sys\nprint(\"ModuleNotFoundError: No module named 'numpy'\", file=sys.stderr)\n"
                                   "sys.exit(1)", "numpy"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_no_hostile_or_broken_program_passes_or_hangs(name):
    code, reason = WRONG[name]
    result = grade_stdio(code, [IoTest(**one) for one in IO], limits=Limits(timeout_seconds=2.0, cpu_seconds=1))
    assert result.all_passed is False
    assert any(reason in outcome.reason for outcome in result.outcomes)


def test_a_library_that_the_sandbox_lacks_is_ungradable_and_one_endless_test_ends_all():
    assert grade_stdio("import numpy as np\n" + SUM, [IoTest(**one) for one in IO]).all_passed is None
    result = grade_stdio("while True: pass", [IoTest("", "1")] * 50, limits=Limits(cpu_seconds=1))
    assert (result.failed, result.outcomes[49].reason) == (50, "not run: in an earlier test time ran out")


def test_the_block_that_reads_input_is_the_program():
    helper = "```python\ndef helper(x):\n    return x\n```\n"
    assert last_program(f"{helper}```python\n{SUM}```\nTry it:\n```\n3\n1 2 3\n```", reads_input=True) == (SUM, "python block")


def row(response: str, **columns: object) -> dict:
    return {"prompt": "Add.", "response": f"```python\n{response}```", **columns}


@pytest.mark.parametrize("columns", [
    {"tests": IO}, {"tests": IO[:1], "hidden_tests": IO[1:]}, {"input_output": PAIRS}, {"input_output": json.dumps(PAIRS)},
    {"public_test_cases": LCB, "private_test_cases": PACKED}, {"public_test_cases": LCB, "private_test_cases": LCB},
    {"official_tests": IO, "examples": IO[:1]}, {"public_tests": {"input": PAIRS["inputs"], "output": PAIRS["outputs"]}},
    {"input_output": {"inputs": [["3", "1 2 3"]], "outputs": [["6"]]}},
])  # fmt: skip
def test_score_reads_the_tests_of_each_set(columns):
    wrong = SUM.replace("sum(", "max(")
    rows = [row(code, **columns) for code in (SUM, wrong, "x = 1\n")]
    assert [one["label"] for one in score(rows, "code")["rows"]] == ["passes", "fails", "fails"]


@pytest.mark.parametrize(("columns", "right", "wrong"), [
    ({"input_output": CALLS}, "def add(a, b):\n    return a + b\n", "def add(a, b):\n    return a * b\n"),
    ({"input_output": json.dumps(CALLS)},
     "class Solution:\n    def add(self, a, b):\n        return a + b\n", "def plus(): pass\n"),
    ({"public_test_cases": FUNCTIONAL, "metadata": '{"func_name": "put"}'},
     "class Solution:\n    def put(self, xs: List[int], x: int) -> List[int]:\n        return tuple(xs + [x])\n",
     "class Solution:\n    def put(self, xs, x):\n        return xs\n"),
])  # fmt: skip
def test_tests_that_name_a_function_call_it_or_the_method_of_solution(columns, right, wrong):
    assert [one["score"] for one in score([row(right, **columns), row(wrong, **columns)], "code")["rows"]] == [1.0, 0.0]


LAYOUTS = [
    {"input": ["3\n1 2 3"], "output": ["6"]}, [{"input": ["3\n1 2 3"], "output": ["6"]}],
    [{"input": ["3", "1 2 3"], "output": ["6"]}],
    PAIRS, json.dumps(PAIRS), [PAIRS], LCB, json.loads(LCB), [json.dumps(one) for one in IO], [{"stdin": "1\n6", "stdout": "6"}],
    [{"type": "stdin_stdout", "input": "1\n6\n", "output": "6\n"}], [{"input": "1\n6", "expected_output": 6}],
    {"inputs": [["3", "1 2 3"]], "outputs": [["6"]]}, {"inputs": ["1\n6", "1\n7"], "outputs": [6, 7]},
]  # fmt: skip


@pytest.mark.parametrize("tests", LAYOUTS)
def test_tests_stand_in_their_own_column_in_every_layout_of_the_sets(tests):
    wrong = "input()\nprint(len(input()))\n"
    rows = [row(code, tests=tests) for code in (SUM, wrong)]
    assert [one["label"] for one in score(rows, "code")["rows"]] == ["passes", "fails"]
    problem = Problem("t", ({"role": "user", "content": "x"},), json.dumps({"tests": tests}), "code")
    assert CodeGrader().verdicts(problem, parse_trace(f"```python\n{SUM}```"))["accuracy"].score == 1.0


CALLED = "def add(a, b):\n    return a + b\n"


@pytest.mark.parametrize("tests", [
    CALLS, json.dumps(CALLS), [{"fn_name": "add", "input": [1, 2], "output": 3, "type": "function_call"}],
    [{"input": "1\n2", "output": "3", "testtype": "functional", "metadata": {"func_name": "add"}}], "assert add(1, 2) == 3",
    "for i in range(3):\n    assert add(i, 1) == i + 1\n",
])  # fmt: skip
def test_tests_of_a_function_stand_in_that_column_too(tests):
    rows = [row(code, tests=tests) for code in (CALLED, CALLED.replace("+", "*"))]
    assert [one["label"] for one in score(rows, "code")["rows"]] == ["passes", "fails"]


@pytest.mark.parametrize("columns", [
    {"tests": [{"input": "1"}]}, {"tests": [{"input": "1", "output": None}]}, {"tests": ["assert True", IO[0]]}, {"tests": 5},
    {"tests": [{"input": ["1", "2"], "output": ["1", "2"]}]}, {"tests": [CALLS, {**CALLS, "fn_name": "mul"}]}, {"tests": "[1"},
    {"tests": {**CALLS, "fn_name": "a.b"}},
    {"tests": [{"input": "1", "output": "1", "testtype": "functional"}]}, {"tests": [[1]]},
    {"input_output": "{"}, {"input_output": {"inputs": ["1"], "outputs": []}}, {"input_output": [1]},
    {"official_tests": IO, "generated_checker": "def check(): ..."}, {"official_tests": IO, "input_mode": "file"},
])  # fmt: skip
def test_tests_of_no_such_layout_leave_their_row_ungradable_and_no_other(columns):
    found = score([row(SUM, tests=IO), row(SUM, **columns), row("x = 1\n", tests=IO)], "code")
    assert [(one["score"], one["label"]) for one in found["rows"]] == [(1.0, "passes"), (None, "ungradable"), (0.0, "fails")]
    assert found["rows"][1]["reason"].startswith("row 2 (id 1): ") and found["summary"]["pass_all"] == 0.5


FILES = {
    "APPS": ({"problem_id": 7, "question": "Add.", "input_output": json.dumps(PAIRS), "solutions": json.dumps([SUM]),
              "difficulty": "interview", "url": "u", "starter_code": ""}, "7", 2, 0),
    "TACO": ({"question": "Add.", "solutions": json.dumps([SUM]), "starter_code": "", "input_output": json.dumps(PAIRS),
              "difficulty": "EASY", "name": None, "tags": "[]"}, "rows/0", 2, 0),
    "LiveCodeBench": ({"question_title": "t", "question_content": "Add.", "platform": "p", "question_id": "q", "starter_code": "",
                       "public_test_cases": json.dumps(json.loads(LCB)[:1]), "private_test_cases": LCB,
                       "metadata": "{}"}, "q", 1, 1),
    "Codeforces": ({"id": "1/A", "title": "t", "description": "Add.", "input_format": "n, then numbers", "output_format": "s",
                    "examples": IO[:1], "official_tests": IO, "generated_checker": None}, "1/A", 1, 1),
    "CodeContests": ({"name": "n", "description": "Add.", "public_tests": {"input": ["3\n1 2 3\n"], "output": ["6\n"]},
                      "private_tests": {"input": ["1\n-4\n"], "output": ["-4\n"]},
                      "generated_tests": {"input": [], "output": []}},
                     "rows/0", 1, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_row_of_each_set_is_a_problem_that_a_right_program_solves(name):
    fields, identity, visible, hidden = FILES[name]
    loaded = load_problems([fields])
    [problem] = loaded.problems
    spec = json.loads(problem.answer)
    assert (problem.id, problem.verifier, len(spec["tests"]), len(spec["hidden_tests"])) == (identity, "code", visible, hidden)
    assert problem.prompt.startswith("Add.") and "standard input" in problem.prompt and loaded.notes == []
    assert "-4" not in problem.prompt  # what is held back is not shown
    traces = [parse_trace(f"```python\n{code}```") for code in (SUM, "print(6)\n")]
    assert [verdict.score for verdict in CodeGrader()([(problem, trace) for trace in traces])] == [1.0, 0.0]


def test_packed_private_cases_are_named_and_never_unpickled():
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    trap = base64.b64encode(zlib.compress(pickle.dumps(Trap()))).decode()
    fields = FILES["LiveCodeBench"][0]
    with pytest.warns(UserWarning, match="not readable"):
        loaded = load_problems([fields | {"private_test_cases": trap}])
    assert "not readable: the column private_test_cases is packed with pickle" in loaded.notes[0]
    [one] = score([row(SUM, public_test_cases=LCB, private_test_cases=trap)], "code")["rows"]
    assert one["label"] == "passes" and "not readable: the column private_test_cases" in one["reason"]
    with pytest.raises(InputError, match="not readable"):
        load_problems([fields | {"private_test_cases": trap, "public_test_cases": "[]"}])

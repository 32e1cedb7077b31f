"""`sanmai tasks`: public tasks with hidden tests, and tests that right programs vote on."""

import json

import pytest

from sanmai.data.problems import load_problems
from sanmai.data.trace import parse_trace
from sanmai.desk.tasks import Votes, write_tasks
from sanmai.programs.tasks import read_spec
from sanmai.rewards.code import CodeGrader
from sanmai.types import InputError
from shared_data import shared_rows

CLAMP = "def clamp(x, low, high):\n    return low if x < low else high if x > high else x\n"
SAME = "def clamp(x, low, high): return max(low, min(x, high))"
WRONG = "def clamp(x, low, high): return x"
TASK = {
    "id": "clamp", "prompt": "Clamp x.", "entry_point": "clamp", "solutions": [CLAMP] * 5 + [SAME] * 5,
    "generator": "def generate(n): return (n % 19 - 9, -(n % 5), 1 + n % 4)",
}  # fmt: skip


def written(tmp_path, *rows, **options) -> tuple[list[str], list]:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out.jsonl"
    return list(write_tasks(str(tmp_path / "rows.jsonl"), out, **options)), load_problems(out).problems


@pytest.mark.parametrize("name", ["humaneval/humaneval_dev.jsonl", "mbpp/mbpp_dev.jsonl"])
def test_rows_of_both_sets_become_problems_that_a_run_reads(name, tmp_path):
    rows, out = shared_rows(name)[:40], tmp_path / "code.jsonl"
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert list(write_tasks(str(tmp_path / "rows.jsonl"), out, hidden=0.5)) == [f"40 problems in {out}"]
    loaded = load_problems(out).problems
    assert len(loaded) == 40 and {p.verifier for p in loaded} == {"code"} and {p.kind for p in loaded} == {"reasoning"}
    found = CodeGrader()([(p, parse_trace(p.demonstration)) for p in loaded[:8]])
    assert [verdict.label for verdict in found] == ["passes"] * 8
    assert sum(len(read_spec(p.answer).hidden_tests) > 0 for p in loaded) > 20
    with pytest.raises(InputError, match="is there already"):
        list(write_tasks(str(tmp_path / "rows.jsonl"), out))


def test_what_is_no_programming_task_is_refused_by_its_line(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"question": "2 + 3?"}\n')
    with pytest.raises(InputError, match=r"rows.jsonl, line 1: no row of HumanEval .* or MBPP"):
        list(write_tasks(str(tmp_path / "rows.jsonl"), tmp_path / "out.jsonl"))


def test_a_task_without_tests_gets_those_that_its_solutions_agree_on(tmp_path):
    said, problems = written(tmp_path, TASK, hidden=0.5)
    assert said[0].startswith("clamp: 10 of 10 submissions pass all 50 tests; wrong programs that fail them: ") and len(said) == 2
    spec = read_spec(problems[0].answer)
    assert len(spec.tests) == len(spec.hidden_tests) == 25 and "Clamp x." in problems[0].prompt
    answers = [problems[0].demonstration, f"```python\n{WRONG}\n```"]
    found = CodeGrader()([(problems[0], parse_trace(answer)) for answer in answers])
    assert [verdict.score for verdict in found] == [1.0, 0.0]


def test_tasks_on_which_solutions_disagree_or_without_inputs_are_dropped_and_named(tmp_path):
    disputed = TASK | {"id": "disputed", "solutions": [SAME] * 5 + [WRONG] * 5}
    silent = TASK | {"id": "silent", "generator": "def generate(n): return (1, 0, 2)"}
    said, problems = written(tmp_path, disputed, TASK, silent)
    assert "disputed: dropped: " in said[0] and "at least 40 are needed" in said[0]
    assert said[2] == "silent: dropped: its generator gave 1 different inputs, at least 40 are needed"
    assert said[3].endswith("; 2 tasks dropped") and [problem.id for problem in problems] == ["clamp"]


@pytest.mark.parametrize(("row", "options", "reason"), [
    (TASK | {"solutions": ["x"]}, {}, "line 1: solutions: expected a list of at least two programs"),
    (TASK | {"entry_point": None}, {}, "line 1: no entry_point"),
    (TASK | {"entry_point": "a b"}, {}, "line 1: entry_point = 'a b'"),
    (TASK, {"hidden": 1.0}, "--hidden 1"), (TASK, {"votes": Votes(agree=0.5)}, "--agree 0.5"),
    (TASK, {"votes": Votes(inputs=5)}, "--inputs 5 --least 40"),
    (TASK | {"solutions": [WRONG, SAME]}, {"votes": Votes(agree=1.0)}, "no task is left of 1"),
])  # fmt: skip
def test_what_cannot_be_done_is_one_sentence(tmp_path, row, options, reason):
    with pytest.raises(InputError) as refused:
        written(tmp_path, row, **options)
    assert reason in str(refused.value)

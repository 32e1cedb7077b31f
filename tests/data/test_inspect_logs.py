"""Logs that inspect_ai 0.3.285 wrote (tests/data/inspect_log.*: a run on the exported embedded base, shortened) are read."""

import json
import zipfile
from pathlib import Path

import pytest

from sanmai.data.problems import load_problems
from sanmai.rewards.score import read_rows, score
from sanmai.types import InputError

HERE = Path(__file__).parent
LOGS = [HERE / "inspect_log.eval", HERE / "inspect_log.json"]


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.suffix)
def test_a_log_is_a_file_of_responses_and_of_problems(log):
    rows = read_rows(log)
    assert [row["id"] for row in rows] == ["s11", "s12", "s13", "s14", "s15", "s16"]
    assert rows[0]["prompt"] == "what is 11 plus 14 ?" and rows[0]["reference"] == "25"
    assert rows[2]["response"] == "<think>ones 3 plus 6 is 9 tens 1 plus 1 is 2</think>29"
    assert [row["finish_reason"] for row in rows][:2] == ["unknown", "stop"] and rows[4]["finish_reason"] == "length"
    assert rows[0]["inspect_scores"] == {"includes": "I"} and rows[2]["inspect_scores"] == {"includes": "C"}
    found = score(rows)
    # 13 + 16 = 29 and 14 + 17 = 31 are right; sample s15 was cut off.
    assert [row["score"] for row in found["rows"]] == [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    assert found["rows"][4]["label"] == "incomplete" and found["summary"]["accuracy"] == pytest.approx(1 / 3)
    problems = load_problems(log).problems
    assert [m["role"] for m in problems[0].messages] == ["system", "user"] and problems[0].messages[0]["content"] == "Be brief."
    assert [p.answer for p in problems] == ["25", "27", "29", "31", "33", "35"]


def sample(**values):
    return {"id": "a", "epoch": 1, "input": "what?", "target": "5", "output": {"choices": []}, **values}


def written(path, *samples):
    path.write_text(json.dumps({"version": 2, "eval": {"eval_id": "x"}, "samples": list(samples)}))
    return path


@pytest.mark.parametrize(
    ("values", "says"),
    [({"choices": ["a", "b"]}, "multiple choice"), ({"target": ["5", "6"]}, "2 targets"), ({"input": []}, "end with the user"),
     ({"input": [{"role": "user", "content": [{"type": "image", "image": "x"}]}]}, "more than text"),
     ({"input": [{"role": "tool", "content": "x"}]}, "'tool'")],
)  # fmt: skip
def test_what_is_no_problem_here_is_named(tmp_path, values, says):
    path = written(tmp_path / "log.json", sample(**values))
    with pytest.raises(InputError, match=says):
        load_problems(path)
    [row] = read_rows(path)
    assert row["response"] is None and score([row])["rows"][0]["score"] is None  # it was never answered


def test_epochs_are_several_answers_to_one_prompt_and_errors_are_no_responses(tmp_path):
    said = {"choices": [{"message": {"content": "5"}, "stop_reason": "stop"}]}
    errors = ({}, {"epoch": 2}, {"epoch": 3, "error": {}}, {"epoch": 4, "error": {"message": "x"}})
    path = written(tmp_path / "log.json", *(sample(output=said, **values) for values in errors))
    found = score(read_rows(path))
    assert [row["id"] for row in found["rows"]] == ["a", "a/epoch-2", "a/epoch-3", "a/epoch-4"]
    assert [row["score"] for row in found["rows"]] == [1.0, 1.0, 1.0, None] and found["summary"]["graded"] == 3
    assert len(load_problems(path).problems) == 1  # one prompt


def test_a_plain_zip_is_read_in_the_order_of_its_numbers(tmp_path):
    with zipfile.ZipFile(tmp_path / "log.eval", "w", zipfile.ZIP_DEFLATED) as archive:
        for k in (10, 9, 2):
            archive.writestr(f"samples/{k}_epoch_1.json", json.dumps(sample(id=k, input=f"{k}?")))
        archive.writestr("header.json", "{}")
    assert [row["id"] for row in read_rows(tmp_path / "log.eval")] == ["2", "9", "10"]


def test_what_is_damaged_or_none_is_one_sentence(tmp_path):
    whole = LOGS[0].read_bytes()
    at = whole.index(b"samples/")
    for name, content, says in (
        ("a.eval", b"PK no archive", "no log of inspect_ai"), ("b.eval", whole[: len(whole) // 2], "no log of inspect_ai"),
        ("c.eval", whole[: at + 60] + b"\0" * 40 + whole[at + 100 :], "no log of inspect_ai"), ("d.eval", b"", "is empty"),
        ("e.json", b'{"version": 2, "eval": {"eval_id": "x"}}', "without samples"),
        ("f.json", b'{"version": 2, "eval": {"eval_id": "x"}, "samples": [1]}', "a sample without an input"),
        ("g.json", b'{"version": 2, "eval": {"eval_id": "x"}, "sam', "no log of inspect_ai"),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=says):
            read_rows(tmp_path / name)

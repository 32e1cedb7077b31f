"""Logs that inspect_ai 0.3.285 wrote (tests/data/inspect_log.*: a run on the exported embedded base, shortened) are read."""

import contextlib
import json
import random
import warnings
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


def test_a_damaged_encrypted_or_lying_entry_is_a_reason_of_its_own_and_the_others_are_read(tmp_path):
    """Whatever an archive says of itself: no entry of it ends in a traceback, or takes the others with it."""
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for k in range(3):
            archive.writestr(f"samples/s{k}_epoch_1.json", json.dumps(sample(id=f"s{k}", input=f"{k} and five and six?")))
    whole = path.read_bytes()
    first, directory = whole.index(b"samples/s0") + len("samples/s0_epoch_1.json"), whole.index(b"PK\x01\x02")
    changes = {
        "data": {first + k: 0xFF for k in range(8)}, "encrypted": {directory + 8: 1, 6: 1},
        "method": {directory + 10: 97, 8: 97}, "crc": {directory + 16: whole[directory + 16] ^ 1},
        "zstandard": {directory + 10: 93}, "size": {directory + 10: 93, directory + 23: 0x7F},
    }  # fmt: skip
    for name, found in changes.items():
        content = bytearray(whole)
        for place, value in found.items():
            content[place] = value
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"samples/s0_epoch_1\.json"):
            load_problems(path)
        loaded = load_problems(path, on_error="skip")
        assert [p.id for p in loaded.problems] == ["s1", "s2"] and len(loaded.skipped) == 1, name


@pytest.mark.parametrize("log", [LOGS[0], "deflate"], ids=["zstandard", "deflate"])
def test_an_archive_with_any_bytes_changed_is_read_or_said_to_be_damaged(tmp_path, log):
    path, draw = tmp_path / "x.eval", random.Random(0)
    if log == "deflate":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("samples/s_epoch_1.json", json.dumps(sample()))
        whole = path.read_bytes()
    else:
        whole = log.read_bytes()
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(draw.randint(1, 6)):
            content[draw.randrange(len(content))] = draw.choice([0, 255, draw.randrange(256)])
        path.write_bytes(content[: draw.choice([len(content), draw.randrange(len(content))])])
        for read in (load_problems, read_rows):
            with contextlib.suppress(InputError), warnings.catch_warnings(action="ignore"):
                read(path)


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
        ("c.eval", whole[: at + 60] + b"\0" * 40 + whole[at + 100 :], r"s11_epoch_1\.json: damaged"), ("d.eval", b"", "is empty"),
        ("e.json", b'{"version": 2, "eval": {"eval_id": "x"}}', "without samples"),
        ("f.json", b'{"version": 2, "eval": {"eval_id": "x"}, "samples": [1]}', "a sample without an input"),
        ("g.json", b'{"version": 2, "eval": {"eval_id": "x"}, "sam', "no log of inspect_ai"),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=says):
            read_rows(tmp_path / name)

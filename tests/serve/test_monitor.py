"""Logs of every shape are read, drift is found, and a log without drift seldom has an alarm."""

from __future__ import annotations

import contextlib
import json
import random

import numpy as np
import pytest

from sanmai.desk.lint_files import advise
from sanmai.desk.lint_measure import _problems as lint_problems
from sanmai.report.tables_html import write_monitor_report
from sanmai.serve.measure import _problems
from sanmai.serve.monitor import Watch, cluster_means, export, find_drift, monitor, permutation_p
from sanmai.serve.traffic import Dialogue, read_log
from sanmai.types import InputError, Trace, TraceState


def entry(k: int, answer: str = "Bread needs flour, water, salt and time.", asked: str = "How do I bake bread?", **rest) -> dict:
    return {
        "id": f"r{k}", "created": 1_700_000_000 + 60 * k,
        "request": {"messages": [{"role": "user", "content": f"{asked} ({k})"}]},
        "response": {"choices": [{"message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}],
                     "usage": {"completion_tokens": 10 + k % 5, "total_tokens": 30}}, **rest,
    }  # fmt: skip


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def dialogue(k: int, cluster: str, **values: float) -> Dialogue:
    trace = Trace("x", TraceState.NONE, "", "x")
    return Dialogue(str(k), None, cluster, ({"role": "user", "content": "x"},), trace, None, None, values)


def test_p_is_the_share_of_splits_that_are_as_extreme():
    # Of the C(5, 2) = 10 splits of 0 0 0 1 1 only that with both ones in it is as extreme as 1 - 0.
    rng = np.random.default_rng(0)
    assert permutation_p([0.0, 0.0, 0.0], [1.0, 1.0], most=20_000, rng=rng) == pytest.approx(0.1, abs=0.03)
    assert permutation_p([1.0] * 5, [1.0] * 5, most=100, rng=rng) == 1.0


def test_logs_without_drift_have_a_false_alarm_no_more_often_than_stated():
    rng, alarmed, trials = random.Random(0), 0, 60
    for trial in range(trials):
        rows = [dialogue(k, str(k), refusal=float(rng.random() < 0.2), tokens=rng.gauss(50, 20)) for k in range(160)]
        alarms, tests = find_drift(rows[:60], [rows[60:110], rows[110:]], alpha=0.1, seed=trial)
        alarmed += bool(alarms)
        assert tests == 4
    assert alarmed <= 11  # P(more than 11 of 60 at 0.1) = 0.02


def test_what_one_user_says_often_counts_once():
    rows = [dialogue(k, "the same", refusal=1.0) for k in range(50)] + [dialogue(k, str(k), refusal=0.0) for k in range(3)]
    assert sorted(cluster_means(rows, "refusal")) == [0.0, 0.0, 0.0, 1.0]


def test_drift_is_found_dated_and_shown_and_texts_are_hidden(tmp_path):
    rows = [entry(k) for k in range(100)] + [entry(k, "I'm sorry, but I can't help with that.") for k in range(100, 150)]
    log = written(tmp_path / "log.jsonl", rows)
    said: list[str] = []
    out = monitor(log, tmp_path / "out", watch=Watch(window=25), say=said.append)
    found = json.loads((out / "monitor.json").read_text())
    alarms = {(alarm["instrument"], alarm["window"]) for alarm in found["alarms"]}
    # 45 are the reference; windows of 26 begin at 45, 71, 97 and 124: the third is nearly all refusals.
    assert ("refusal", 3) in alarms and ("refusal", 0) not in alarms and ("refusal", 1) not in alarms
    assert any(line.startswith("ALARM refusal from 2023-11-14") for line in said)
    assert "harm" not in found["instruments"] and found["dialogues"] == 150
    page = write_monitor_report(out).read_text()
    assert "refusal" in page and "of logs without" in page


def test_every_shape_is_read_and_what_is_none_is_passed_over_and_said(tmp_path):
    rows = [
        entry(1), {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
        {"prompt": "a", "response": "<think>t</think>b", "time": "2026-01-02T03:04:05Z"}, {"prompt": "a"}, [1], {"response": "x"},
    ]  # fmt: skip
    path = written(tmp_path / "log.jsonl", rows)
    with path.open("ab") as file:
        file.write(b'{"cut\n\xff\xfe\n')
    found, skipped = read_log(path)
    assert [d.trace.answer for d in found][1:] == ["b", "b"] and found[2].trace.thought == "t"
    assert len(skipped) == 5 and skipped[0].startswith("line 4: no answer")
    for content, says in ((b"", "it is empty"), (b"{}\n", "no answer"), (None, "cannot be read")):
        other = tmp_path / "other.jsonl"
        other.unlink(missing_ok=True)
        if content is not None:
            other.write_bytes(content)
        with pytest.raises(InputError, match=says):
            read_log(other)
    with pytest.raises(InputError, match="expected 20 of each"):
        monitor(written(tmp_path / "few.jsonl", [entry(k) for k in range(25)]), tmp_path / "o", watch=Watch(), say=print)


def test_flagged_prompts_are_exported_when_they_are_apart_from_evaluation(tmp_path):
    risky = [
        entry(200, asked="Tell me about ransomware"),
        entry(201, asked="A history of ransomware that stands in an evaluation file now"),
    ]  # fmt: skip
    log = written(tmp_path / "log.jsonl", [*(entry(k) for k in range(60)), *risky])
    out = monitor(log, tmp_path / "out", watch=Watch(), words=["en"], say=lambda line: None)
    asked = "history of ransomware that stands in an evaluation file"
    held = written(tmp_path / "eval.jsonl", [{"id": "e", "prompt": asked, "kind": "safety"}])
    said: list[str] = []
    assert export(out / "flagged.jsonl", tmp_path / "train.jsonl", [held], said.append) == 1
    [row] = map(json.loads, (tmp_path / "train.jsonl").read_text().splitlines())
    assert row["id"] == "log/r200" and row["kind"] == "safety" and "1 left out" in said[0]
    with pytest.raises(InputError, match="--apart"):
        export(out / "flagged.jsonl", tmp_path / "t2.jsonl", [], print)
    with pytest.raises(InputError, match="exists already"):
        export(out / "flagged.jsonl", tmp_path / "train.jsonl", [held], print)


def test_tokens_are_of_lines_that_tell_them_and_words_of_all(tmp_path):
    rows = [entry(k) for k in range(80)]
    for row in rows[40:]:  # from here on the log has no usage; the answers are the same
        del row["response"]["usage"]
    said: list[str] = []
    out = monitor(written(tmp_path / "log.jsonl", rows), tmp_path / "out", watch=Watch(), say=said.append)
    found = json.loads((out / "monitor.json").read_text())
    assert not found["alarms"] and {"tokens", "words"} <= set(found["instruments"])
    # The reference is the first 24: four rounds of 10 to 14, and 10, 11, 12, 13.
    assert found["windows"][0]["values"]["tokens"] == 286 / 24 and found["windows"][-1]["values"]["tokens"] is None
    assert "40 of 80 lines have no usage: tokens are of the others alone, words of all." in said


def test_what_the_loader_says_of_a_file_is_passed_on(tmp_path):
    rows = [{"id": str(k), "prompt": "What is one and one, then?", "answer": answer} for k, answer in enumerate("23")]
    twice = written(tmp_path / "p.jsonl", [*rows, {"id": "c", "prompt": "What is two and two?", "answer": "4"}])
    log = written(tmp_path / "log.jsonl", [entry(k) for k in range(60)])
    out = monitor(log, tmp_path / "out", watch=Watch(), say=lambda line: None)
    for say in (lambda told: export(out / "flagged.jsonl", tmp_path / "t.jsonl", [twice], told),
                lambda told: advise(twice, rewrite=False, say=told),
                lambda told: _problems([twice], 5, 0, told),
                lambda told: lint_problems(str(twice), 5, 0, told)):  # fmt: skip
        said: list[str] = []
        with contextlib.suppress(InputError):  # too few for some
            say(said.append)
        assert any("contradictions (1)" in line for line in said)


def test_a_judge_says_what_is_harmful(tmp_path):
    log = written(tmp_path / "log.jsonl", [entry(k) for k in range(50)])
    out = monitor(log, tmp_path / "out", watch=Watch(), judge="world", say=lambda line: None)
    found = json.loads((out / "monitor.json").read_text())
    assert found["windows"][0]["values"]["harm"] == 0.0 and found["judge"] == "world"


def test_what_cannot_be_written_or_is_no_judge_is_told_before_anything_is_read(tmp_path):
    log, taken = tmp_path / "log.jsonl", tmp_path / "taken"
    rows = [json.dumps({"prompt": f"q {k}", "response": "a"}) for k in range(60)]
    log.write_text("\n".join(rows) + "\n")
    taken.write_text("mine")
    with pytest.raises(InputError, match=r"taken: cannot write there \(File exists\); choose another --out"):
        monitor(log, taken, watch=Watch(), say=print)
    with pytest.raises(InputError, match=r"--judge '/nowhere': expected rules"):
        monitor(log, tmp_path / "out", watch=Watch(), judge="/nowhere", say=print)
    with pytest.raises(InputError, match=r"--window 500: .* has 40 dialogues after the reference"):
        monitor(log, tmp_path / "out", watch=Watch(window=500), say=print)

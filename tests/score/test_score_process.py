"""`sanmai score --as process`: step scores against labels, ProcessBench's F1, and never a score that is none."""

from __future__ import annotations

import json
import math

import pytest
from typer.testing import CliRunner

from sanmai.cli import app
from sanmai.score.process import score_process
from sanmai.types import InputError, RunError


def row(name, label, scores=None, steps=3):
    found = {"id": name, "problem": f"question {name}", "steps": [f"step {i}" for i in range(steps)], "label": label}
    return found if scores is None else found | {"scores": scores}


def file_of(tmp_path, *rows):
    path = tmp_path / "bench.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return str(path)


def test_recorded_scores_give_process_benchs_f1(tmp_path):
    # Erroneous: a (found 1 = label), b (found 0, not 2): 1/2. Correct: c none below, d one below: 1/2. F1 = 1/2.
    path = file_of(
        tmp_path, row("a", 1, [0.9, 0.2, 0.1]), row("b", 2, [0.3, 0.9, 0.1]), row("c", -1, [0.6, 0.7, 0.8]),
        row("d", -1, [0.9, 0.9, 0.4]))  # fmt: skip
    found = score_process(path)
    assert [r["found"] for r in found["rows"]] == [1, 0, -1, 2] and [r["stated"] for r in found["rows"]] == [1, 2, -1, -1]
    summary = found["summary"]
    assert (summary["f1"], summary["erroneous"]["value"], summary["correct"]["value"]) == (0.5, 0.5, 0.5)
    # Labelled steps: a 1 0, b 1 1 0, c 1 1 1, d 1 1 1: all but b's first and d's last are on their side.
    assert summary["step_accuracy"]["value"] == pytest.approx(9 / 11) and summary["labels"] == {"right": 2, "wrong": 2}
    assert score_process(path, threshold="0.35")["summary"]["correct"]["value"] == 1.0
    fitted = score_process(path, threshold="fit")["summary"]
    assert len(fitted["threshold"]) == 2 and fitted["n"] == 4


def test_scores_that_are_not_one_per_step_or_missing_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"line 1: scores: 2 for 3 steps: expected one each"):
        score_process(file_of(tmp_path, row("a", 1, [0.9, 0.2])))
    with pytest.raises(InputError, match="row 'a' has no 'scores', and no --judge is named"):
        score_process(file_of(tmp_path, row("a", 1)))
    with pytest.raises(InputError, match="--threshold 'nan': expected a number, or fit"):
        score_process(file_of(tmp_path, row("a", 1, [1, 1, 1])), threshold="nan")


class Fake:
    """Scores each step by the digit at its end: 5 and above is right."""

    max_positions = 20

    def encode_labelled(self, item):
        if "split" in item.response:
            raise ValueError("steps 1 and 2 end in one token")
        return 0, [ord(c) for c in item.response.replace("\n", "")], [6 * (i + 1) for i in range(len(item.steps))]

    def score_labelled(self, prompt_lengths, sequences, ends):
        return [[float(chr(s[end - 1])) - 1.5 for end in listed] for s, listed in zip(sequences, ends, strict=True)]


def test_what_the_model_cannot_read_has_no_score_and_is_no_right_answer(tmp_path):
    split = row("s", 0) | {"steps": ["split", "x"]}
    path = file_of(tmp_path, row("a", 0), row("long", -1, steps=4), split)
    found = score_process(path, Fake())
    a, long, apart = found["rows"]
    assert a["scores"] == pytest.approx([0.18243, 0.37754, 0.62246], abs=1e-4) and a["found"] == 0 and a["label"] == "right"
    assert long["scores"] == [] and long["score"] is None and "24 tokens, more than the 20 positions" in long["reason"]
    assert "do not end with tokens: steps 1 and 2 end in one token" in apart["reason"] and apart["label"] == "ungradable"
    assert found["summary"]["ungradable"] == 2 and found["summary"]["f1"] == 0.0
    with pytest.raises(RunError, match=r"none of 1 solutions has scores; the commonest reason \(1 of them\): its steps do not"):
        score_process(file_of(tmp_path, split), Fake())


def test_a_score_that_is_no_number_says_nothing(tmp_path):
    class Broken(Fake):
        def score_labelled(self, prompt_lengths, sequences, ends):
            return [[math.nan, 1.0, 1.0], *([1.0] * len(listed) for listed in ends[1:])]

    broken, whole = score_process(file_of(tmp_path, row("a", -1), row("b", -1)), Broken())["rows"]
    assert (broken["found"], broken["label"], broken["reason"]) == (None, "ungradable", "a step's score is not finite")
    assert whole["label"] == "right"


def test_the_command_reads_any_format_and_says_what_is_wrong_in_a_sentence(tmp_path):
    path = file_of(tmp_path, row("a", 1, [0.9, 0.2, 0.1]), row("c", -1, [0.6, 0.7, 0.8]))
    done = CliRunner().invoke(app, ["score", path, "--as", "process", "--threshold", "0.5"])
    assert done.exit_code == 0 and json.loads(done.stdout)["summary"]["f1"] == 1.0
    for arguments, says in (
        ([path, "--threshold", "0.4"], "only with --as process"),
        ([path, "--as", "process", "--judge", "nowhere"], "no such folder; expected that of `sanmai run reward"),
    ):
        done = CliRunner().invoke(app, ["score", *arguments])
        assert done.exit_code != 0 and says in str(done.exception)

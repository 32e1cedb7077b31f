"""What could not be graded is counted, told with its reason, and no success where it was everything."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from sanmai.cli import app
from sanmai.report.ungraded import events_of, graded_nothing, ungraded_lines

BROKEN = "\\frac{"


def graded(step: int, asked: int, lost: int, *, of: str = "", reason: str = "no answer") -> dict:
    return {"event": "graded", "step": step, "of": of, "asked": asked, "lost": lost, "reason": reason, "times": lost}


def test_the_first_and_the_last_evaluation_are_told_of_and_what_a_resume_did_again_counts_once():
    events = [graded(0, 4, 1), graded(2, 4, 4), graded(4, 4, 2), {"event": "resume"}, graded(4, 4, 3), {"event": "finish"}]
    told = "of 4 held-out rollouts could not be graded: no answer"
    assert ungraded_lines(events) == [f"1 {told}", f"3 {told} (after step 4)"]
    assert not graded_nothing(events) and graded_nothing([*events, graded(6, 4, 4)])
    assert not graded_nothing([]) and not graded_nothing([graded(0, 0, 0)])  # nobody was asked


def test_parts_of_an_evaluation_are_told_of_together():
    events = [graded(1, 4, 4, of="sums"), graded(2, 6, 1, of="requests", reason="no judge"), graded(3, 2, 0, of="others")]
    found = ungraded_lines(events)
    assert found == ["5 of 12 held-out rollouts could not be graded; the commonest reason, of 4: no answer"]
    assert not graded_nothing(events) and graded_nothing(events[:1])


@pytest.fixture
def unanswerable(tmp_path):
    path = tmp_path / "broken.jsonl"
    rows = [{"id": str(k), "prompt": f"what is {k} plus 2 ?", "answer": BROKEN} for k in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_an_evaluation_in_which_nothing_could_be_graded_does_not_end_with_0(unanswerable, tmp_path):
    short = ["--set", "sampling.max_tokens=64", "--set", "samples=1"]
    for words in (
        ["run", "evaluate", "--set", f"problems.source={unanswerable}"],
        ["audit", "tiny", "--config", "audit-tiny", "--reasoning", unanswerable, "--set", "attacks=[]"],
    ):
        out = tmp_path / words[0]
        done = CliRunner().invoke(app, [*words, "--out", str(out), *short])
        told = "could not be graded: the reference cannot be parsed"
        assert done.exit_code == 1, done.output
        assert f"3 of 3 held-out rollouts {told}" in done.output
        assert graded_nothing(events_of(out))
        [warning] = [e["message"] for e in events_of(out) if e["event"] == "warning" and told in e["message"]]
        assert told in (out / "report.html").read_text(encoding="utf-8"), warning
        assert CliRunner().invoke(app, [*words, "--out", str(out), *short]).exit_code == 1  # the finished one as well


def test_rows_that_cannot_be_scored_are_told_of_and_are_no_success_where_they_are_all(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [{"id": "a", "response": "4", "reference": BROKEN}, {"id": "b", "response": "4", "reference": "4"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = CliRunner().invoke(app, ["score", str(path)])
    assert done.exit_code == 0 and "Careful: 1 of 2 rows could not be graded" in done.stderr
    assert json.loads(done.stdout)["summary"]["graded"] == 1
    path.write_text(json.dumps(rows[0]) + "\n")
    assert CliRunner().invoke(app, ["score", str(path)]).exit_code == 1

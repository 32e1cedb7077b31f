"""The report's numbers against hand-worked ones."""

from __future__ import annotations

import json

import pytest
from run_folder import make_run_folder, row, write_lines, write_rows

from sanmai.report import format as fmt
from sanmai.report import summarise
from sanmai.report.curves import curves
from sanmai.report.load import RunData, load_run
from sanmai.report.summary import compare_evaluations, cost, status, verdict
from sanmai.stats import wilson


def evaluated(before: list[dict], after: list[dict]) -> RunData:
    return RunData(name="run", evaluations={0: before, 20: after})


def scored(step: int, scores: list[float | None], **changes) -> list[dict]:
    return [row(step, f"p{i}", score, **changes) for i, score in enumerate(scores)]


def test_accuracy_before_and_after_is_counted_and_paired_by_problem():
    # 2 of 8 right, then 7 of 8: +62.5 points; the last problem cannot be graded at the end and leaves the pairing.
    run = evaluated(scored(0, [1, 1, 0, 0, 0, 0, 0, 0, 1]), scored(20, [1, 1, 1, 1, 1, 1, 1, 0, None]))
    accuracy = compare_evaluations(run)[0]
    assert (accuracy.name, accuracy.finding) == ("accuracy", "better")
    assert accuracy.before and (accuracy.before.value, accuracy.before.n) == (3 / 9, 9)
    assert accuracy.after and (accuracy.after.value, accuracy.after.n, accuracy.after.num_left_out) == (7 / 8, 8, 1)
    assert (accuracy.after.low, accuracy.after.high) == wilson(7, 8)
    assert accuracy.change and (accuracy.change.value, accuracy.change.n) == (pytest.approx(5 / 8), 8)


def test_samples_of_one_problem_count_as_one():
    rows = [row(0, f"p{i // 4}", float(i % 4 == 0), sample=i % 4) for i in range(40)]
    before = compare_evaluations(evaluated(rows, scored(20, [1.0])))[0].before
    assert before and (before.value, before.n) == (0.25, 10)


def test_every_tag_with_more_than_one_value_has_a_row():
    rows = [row(0, f"p{i}", float(i < 2), tags=json.dumps({"digits": 1 + i % 2, "split": "test"})) for i in range(4)]
    measures = compare_evaluations(evaluated(rows, rows))
    assert [m.name for m in measures if "=" in m.name] == ["accuracy/digits=1", "accuracy/digits=2"]
    assert all(m.before and m.before.n == 2 and m.finding == "undecided" for m in measures[1:3])


def test_direction_decides_whether_a_rise_is_better():
    before = scored(0, [1.0] * 30, off_language=0.0, num_tokens=10, thinks=False)
    after = scored(20, [1.0] * 30, off_language=1.0, num_tokens=30, thinks=True)
    found = {m.name: m.finding for m in compare_evaluations(evaluated(before, after))}
    assert found == {
        "accuracy": "undecided", "off_language": "worse", "thinks": "higher", "length_mean": "higher",
        "truncated": "undecided",
    }


def test_of_an_evaluation_alone_nothing_is_said_of_training():
    run = evaluated(scored(0, [1.0, 1.0, 0.0, 1.0]), [])
    run.config, run.evaluations = {"recipe": "evaluate"}, {0: run.evaluations[0]}
    said = verdict(run, compare_evaluations(run)).replace("\u202f", " ")
    assert said.startswith("Held-out accuracy is 75 % (95 % interval [") and "before" not in said
    run.config = {"recipe": "zero"}
    assert "before training" in verdict(run, compare_evaluations(run))


def test_the_verdict_says_rise_fall_and_no_measurable_change():
    def sentence(before, after):
        run = evaluated(scored(0, before), scored(20, after))
        return verdict(run, compare_evaluations(run)).replace("\u202f", " ")

    # 10 of 40 to 30 of 40: +50 points.
    assert sentence([1] * 10 + [0] * 30, [1] * 30 + [0] * 10).startswith(
        "Held-out accuracy rose from 25 % to 75 % (+50 points, 95 % interval ["
    )
    assert "fell from 75 % to 25 % (−50 points" in sentence([1] * 30 + [0] * 10, [1] * 10 + [0] * 30)
    assert "did not change measurably: 50 % before, 55 % after (+5 points" in sentence([1, 0] * 10, [1, 0] * 9 + [1, 1])


def test_a_score_that_is_no_share_is_compared_in_its_own_unit():
    def rows(step, scores):
        return [{"problem_id": f"p{i}", "score/helpful": x, "step": step} for i, x in enumerate(scores)]

    run = evaluated(rows(0, [1.0, 2.0, 3.0]), rows(20, [11.0, 12.5, 13.0]))
    assert "“helpful” rose from 2 to 12.2 (+10.2" in verdict(run, compare_evaluations(run))


def test_cost_adds_up_and_counts_repeated_steps():
    step = {"event": "step", "step": 1, "seconds": {"sampling": 2.0, "training": 1.0}}
    step["tokens"] = {"prompt": 100, "sampled": 50, "trained": 40}
    run = RunData(name="run", environment={"model": {"parameters": 10}}, events=[step, step])
    used = cost(run)
    assert used.seconds == {"sampling": 4.0, "training": 2.0} and used.tokens["sampled"] == 100
    # N (2 (200 + 100) + 6 * 80) = 10 (600 + 480)
    assert used.flops == 10_800
    assert cost(RunData(name="run")).flops is None


def test_status_is_the_last_thing_that_the_run_said():
    def told(*events):
        return status(RunData(name="run", metrics=[{"step": 3}], events=[{"event": event} for event in events]))

    assert told("start", "step", "finish") == "finished"
    assert told("start", "interrupt") == "interrupted"
    assert told("start", "interrupt", "resume", "step") == "unfinished"
    assert status(RunData(name="run")) == "begun"


def test_the_accuracy_curve_carries_the_interval_of_its_evaluation(tmp_path):
    run = load_run(make_run_folder(tmp_path / "run", num_steps=20, num_problems=12))
    curve = curves(run)[0]
    rows = [r for r in run.evaluations[10] if r["score/accuracy"] is not None]
    right = sum(r["score/accuracy"] for r in rows)
    assert curve.title == "Held-out accuracy" and [step for step, _ in curve.series[0].points] == [0, 10, 20]
    assert curve.series[0].low and curve.series[0].low[1] == pytest.approx(wilson(right, len(rows))[0])
    assert "text" not in run.evaluations[10][0] and "text" in run.evaluations[20][0]
    assert not any("tokens" in r for r in run.evaluations[20])


def test_a_total_that_is_one_component_is_drawn_once_and_unknown_metrics_are_kept():
    lines = [{"step": s, "reward/mean": 0.1 * s, "reward/accuracy": 0.1 * s, "safety/leak": 0.5} for s in (1, 2)]
    drawn = curves(RunData(name="run", metrics=lines))
    assert [(c.title, [s.name for s in c.series]) for c in drawn] == [
        ("Training reward", ["total"]), ("safety/leak", ["safety/leak"]),
    ]


def test_repeated_steps_count_once_and_torn_lines_are_named(tmp_path):
    write_lines(tmp_path / "metrics.jsonl", [{"step": 1, "reward/mean": 0.1}, {"step": 1, "reward/mean": 0.2}])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "reward/mean": NaN}\n{"step": 3, "rew')
    run = load_run(tmp_path)
    assert run.metrics == [{"step": 1, "reward/mean": 0.2}, {"step": 2}]
    assert "metrics.jsonl: 1 of 4 lines cannot be read (line 4)" in run.problems


def test_the_first_and_last_evaluation_are_the_first_and_last_that_can_be_read(tmp_path):
    for step in (10, 20):
        write_rows(tmp_path / "evaluations" / f"step-{step:06d}.parquet", scored(step, [1.0, 0.0]))
    (tmp_path / "evaluations" / "step-000030.parquet").write_bytes(b"PAR1 half")
    (tmp_path / "evaluations" / ".partial-step-000040.parquet").write_bytes(b"")
    run = load_run(tmp_path)
    assert sorted(run.evaluations) == [10, 20] and "text" in run.evaluations[20][0]
    assert sum("evaluations/step-000030.parquet cannot be read" in problem for problem in run.problems) == 1


def test_the_summary_is_json_and_reads_like_the_report(tmp_path):
    found = summarise(make_run_folder(tmp_path / "run", num_steps=20))
    assert json.loads(json.dumps(found, allow_nan=False))["status"] == "finished"
    assert (found["steps"], found["first_evaluation"], found["last_evaluation"]) == (20, 0, 20)
    assert found["measures"][0]["finding"] == "better" and found["lines"][0] == found["verdict"]
    assert summarise(make_run_folder(tmp_path / "new", num_steps=0))["verdict"].startswith("No evaluation")
    with pytest.raises(FileNotFoundError, match="expected a run folder"):
        summarise(tmp_path / "absent")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (fmt.number(1234567), "1,234,567"), (fmt.number(0.012345), "0.0123"), (fmt.number(-3.0), "−3"),
        (fmt.number(None), "–"), (fmt.number(float("nan")), "–"), (fmt.number(2.5e13), "2.5 × 10¹³"),
        (fmt.number(999.96), "1,000"), (fmt.percent(0.625), "62.5 %"), (fmt.percent(0.31), "31 %"),
        (fmt.points(-0.04), "−4 points"), (fmt.points(-0.0001), "0 points"), (fmt.duration(0.42), "0.42 s"),
        (fmt.duration(252), "4 min 12 s"), (fmt.duration(7500), "2 h 5 min"), (fmt.duration(59.7), "1 min 0 s"),
        (fmt.interval(0.41, 0.53, is_share=True), "[41, 53]"), (fmt.interval(-float("inf"), 1, is_share=False), ""),
    ],
)
def test_numbers_read_as_people_write_them(shown, expected):
    assert shown.replace("\u202f", " ") == expected


def test_behaviours_of_reasoning_that_appear_have_a_row_with_the_errors_of_their_rules():
    # 1 of 4 texts checks itself before, 3 of 4 after; nothing else appears, and what was not graded says nothing of it.
    texts = ["3", "Let me check. 3", "3", "3"], ["Let me check. 3", "Let me check. 3", "Wait. 3", "3"]
    sides = [
        [row(step, f"p{i}", 1.0, text=text) for i, text in enumerate(side)] for step, side in zip((0, 20), texts, strict=True)
    ]
    (found,) = [m for m in compare_evaluations(evaluated(*sides)) if m.name.startswith("behaviour/")]
    assert found.name == "behaviour/self_evaluation" and "rules find" in found.label and found.direction == 0
    assert found.before and found.after and (found.before.value, found.after.value) == (0.25, 0.75)
    german = [[{**one, "language": "de"} for one in side] for side in sides]
    assert not [m for m in compare_evaluations(evaluated(*german)) if m.name.startswith("behaviour/")]

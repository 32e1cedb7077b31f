"""The speed table: worked shares of the peak and ratios, and run folders that know nothing of it."""

from __future__ import annotations

import json

import pytest
from run_folder import make_run_folder

from sanmai.report import summarise, write_report
from sanmai.report.load import RunData
from sanmai.report.speed import speed, speed_line

CONFIG = {
    "rollouts_per_prompt": 2, "updates_per_step": 1, "sampling": {"concurrent": 8, "max_tokens": 16},
    "optimizer": {"micro_tokens": 100}, "evaluation": {"samples": 1},
}
MACHINE = {"event": "machine", "matrix_gflops": 2.0, "dtype": "float32", "device": "cpu", "cores": 2}


def step(number: int, sampling: float, flops: float = 1e9) -> dict:
    return {
        "event": "step", "step": number, "seconds": {"sampling": sampling, "training": 1.0, "saving": 0.5},
        "tokens": {"prompt": 6.0, "sampled": 40.0, "trained": 40.0}, "flops": {"sampling": flops, "training": 1.5e9},
    }


def metrics(number: int) -> dict:
    return {
        "step": number, "tokens/prompt": 6.0, "tokens/sampled": 40.0, "tokens/trained": 40.0, "rollout/length_mean": 10.0,
        "rollout/length_max": 12.0,
    }


def prediction(**changes) -> dict:
    coefficients = {"sampling": {"steps": 0.1, "tokens": 0.01}, "training": {"tokens": 0.01}}
    bound = {"seconds": {"saving": 0.25}}
    return {"config": CONFIG, "coefficients": coefficients, "prompt_length": 3.0, "bound": bound, "made": "now"} | changes


def rows(run: RunData) -> dict:
    return {row.phase: row for row in speed(run).rows}


def test_the_share_of_the_peak_is_useful_operations_over_possible_ones():
    # 2 GFLOP in 4 s of a machine that could do 2 GFLOP/s: 25 %. Training: 3 in 2 s: 75 %. 80 tokens in 4 s.
    found = rows(RunData(name="run", events=[MACHINE, step(1, 1.0), step(2, 3.0)]))
    assert found["sampling"].share_of_peak == pytest.approx(0.25)
    assert found["training"].share_of_peak == pytest.approx(0.75)
    assert (found["sampling"].seconds, found["sampling"].units_per_second) == (2.0, 20.0)
    assert found["saving"].units_per_second is None and found["saving"].share_of_peak is None
    assert all(row.predicted is None and row.ratio is None for row in found.values())


def test_the_best_rate_seen_on_a_machine_is_its_peak_and_every_step_has_its_own_machine():
    slow = MACHINE | {"matrix_gflops": 1.0}
    other = MACHINE | {"cores": 4, "matrix_gflops": 8.0}
    # 1 of 2 GFLOP, then 4 of 8.
    found = rows(RunData(name="run", events=[slow, step(1, 1.0), MACHINE, other, step(2, 1.0, 4e9)]))
    assert found["sampling"].share_of_peak == pytest.approx(0.5)


def test_a_repeated_step_counts_once():
    assert rows(RunData(name="run", events=[MACHINE, step(1, 9.0), step(1, 1.0)]))["sampling"].seconds == 1.0


def test_predicted_seconds_are_for_the_lengths_that_came_out():
    # 4 rollouts of 10 tokens, the longest 12: 12 x 0.1 + 40 x 0.01 = 1.6 s; 4 x (3 + 10) tokens x 0.01 = 0.52 s.
    run = RunData(name="run", config=CONFIG, events=[MACHINE, step(1, 3.2)], metrics=[metrics(1)])
    run.prediction = prediction()
    found = rows(run)
    assert found["sampling"].predicted == pytest.approx(1.6) and found["sampling"].ratio == pytest.approx(2.0)
    assert found["training"].predicted == pytest.approx(0.52) and found["saving"].ratio == pytest.approx(2.0)
    assert speed_line(speed(run)).replace("\u202f", " ").startswith(
        "Speed: sampling 12.5 tokens/s, 15.6 % of the matrix-product peak, 3.2 s a step, 1.6 s predicted; training"
    )


def test_memory_at_most_stands_beside_what_the_plan_said():
    end = MACHINE | {"peak_memory": 1_250_000_000}
    run = RunData(name="run", config=CONFIG, events=[MACHINE, step(1, 3.2), end], metrics=[metrics(1)])
    run.prediction = prediction(memory=1_000_000_000)
    assert speed_line(speed(run)).endswith("; memory at most 1.25 GB (1.00 GB planned)")
    run.prediction = prediction(memory=1_000_000_000, config={})  # a plan of other settings
    assert speed_line(speed(run)).endswith("; memory at most 1.25 GB")
    assert "1.25 GB in memory" in speed(run).notes[-1]
    run.events.pop()
    assert "memory" not in speed_line(speed(run))


@pytest.mark.parametrize("beside, tokens", [({}, 26), ({"loss/entropy": 0.1}, 52), ({"multiplier/harm": 0.0}, 52)])
def test_groups_without_signal_are_passed_through_the_model_only_for_another_term(beside, tokens):
    """Half of the groups have no signal: of 4 rollouts of 13 tokens 2 are passed, or all for an entropy term or a budget."""
    run = RunData(name="run", config=CONFIG, events=[MACHINE, step(1, 3.2)])
    run.metrics, run.prediction = [metrics(1) | {"rollout/zero_signal_groups": 0.5} | beside], prediction()
    assert rows(run)["training"].predicted == pytest.approx(0.01 * tokens)


@pytest.mark.parametrize(
    "changes, words",
    [({"config": {}}, "other settings"), ({"coefficients": None}, "cannot be used"), ({"bound": {}}, "cannot be used")],
)
def test_a_plan_that_does_not_fit_is_left_out_and_named(changes, words):
    run = RunData(name="run", config=CONFIG, events=[step(1, 1.0)], metrics=[metrics(1)])
    run.prediction = prediction(**changes)
    found = speed(run)
    assert words in found.notes[1] and not found.has_prediction


def test_a_run_folder_without_these_events_has_times_and_says_what_is_missing(tmp_path):
    folder = make_run_folder(tmp_path / "run", num_steps=4)
    found = summarise(folder)
    assert {row["phase"] for row in found["speed"]} == {"sampling", "training", "saving"}
    assert all(row["share_of_peak"] is None and row["predicted"] is None for row in found["speed"])
    page = write_report(folder).read_text(encoding="utf-8")
    assert "rate is not on record" in page and "Nothing was predicted" in page and "Real / predicted" not in page
    (folder / "prediction.json").write_text("{")
    assert "prediction.json cannot be read" in write_report(folder).read_text(encoding="utf-8")


def test_a_folder_with_nothing_has_no_table(tmp_path):
    assert speed(RunData(name="run")).rows == [] and speed_line(speed(RunData(name="run"))) == ""


def test_a_count_that_was_not_made_says_why(tmp_path):
    event = {key: value for key, value in step(1, 1.0).items() if key != "flops"}
    run = RunData(name="run", events=[MACHINE | {"uncounted": "a mixture of experts"}, event])
    assert "unknown: a mixture of experts." in speed(run).notes[0] and json.dumps(speed(run).notes)

"""R1-Zero from Python: the caller's own problems and rewards, and what happens when they misbehave."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import sanmai
from sanmai.types import Problem

FAST = {"num_steps": 2, "prompts_per_step": 4, "rollouts_per_prompt": 4, "checkpoints": {"every": 1}}


def some_problems(count: int = 20) -> list[Problem]:
    return [Problem(f"p{i}", ({"role": "user", "content": f"what is {i} plus 3 ?"},), str(i + 3)) for i in range(count)]


def metrics_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_callers_reward_takes_the_place_of_accuracy_and_none_leaves_the_baseline(tmp_path):
    def even_length(problem: Problem, completion: str) -> float | None:
        return None if "3" in completion else float(len(completion) % 2 == 0)

    run = sanmai.run("zero", problems=some_problems(), reward=even_length, out=tmp_path / "run", **FAST)
    rows = pq.read_table(run / "rollouts" / "step-000001.parquet").to_pylist()
    assert all(row["reward"] == row["score/reward"] for row in rows)
    assert all((row["reward"] is None) == ("3" in row["text"]) for row in rows)
    assert all(row["advantage"] is None and row["log_ratio"] is None for row in rows if row["reward"] is None)
    assert metrics_of(run)[1]["rollout/ungradable"] == sum(row["reward"] is None for row in rows) / len(rows)


def test_a_reward_that_breaks_stops_the_run_with_its_reason_and_keeps_the_folder(tmp_path):
    def broken(problem: Problem, completion: str) -> float:
        raise KeyError("no such column")

    with pytest.raises(sanmai.RunError, match="no such column"):
        sanmai.run("zero", problems=some_problems(), reward=broken, out=tmp_path / "run", **FAST)
    assert (tmp_path / "run" / "config.toml").exists()


def test_a_reward_that_is_not_a_number_is_a_broken_grader(tmp_path):
    with pytest.raises(sanmai.RunError, match="finite number"):
        sanmai.run("zero", problems=some_problems(), reward=lambda p, c: float("nan"), out=tmp_path / "run", **FAST)


def test_a_step_in_which_nothing_can_be_graded_teaches_nothing_and_says_so(tmp_path):
    run = sanmai.run("zero", problems=some_problems(), reward=lambda p, c: None, out=tmp_path / "run", **FAST)
    events = (run / "events.jsonl").read_text()
    assert "no rollout could be graded" in events and "loss/rl" not in metrics_of(run)[1]


def test_the_same_settings_give_the_same_bytes(tmp_path):
    runs = [sanmai.run("zero", problems=some_problems(), out=tmp_path / name, **FAST) for name in ("a", "b")]
    for name in ("metrics.jsonl", "rollouts/step-000002.parquet", "checkpoints/step-000002/model.safetensors"):
        assert (runs[0] / name).read_bytes() == (runs[1] / name).read_bytes()


def test_several_updates_a_step_clip_and_a_kl_is_measured(tmp_path):
    run = sanmai.run(
        "zero", out=tmp_path / "run", **FAST | {"prompts_per_step": 16}, updates_per_step=4,
        optimizer={"lr": 1e-2, "max_grad_norm": 10.0},
        loss={"kl_weight": 0.01, "clip_low": 0.01, "clip_high": 0.01, "importance_cap": 2.0, "entropy_weight": 0.001},
        problems={"world": {"heldout": 10}},
    )  # fmt: skip
    last = metrics_of(run)[-1]
    assert last["policy/clip_fraction"] > 0 and last["policy/kl_to_reference_k3"] > 0 and last["policy/entropy"] > 0


def test_problems_that_share_an_id_or_are_none_are_refused(tmp_path):
    with pytest.raises(sanmai.InputError, match="'p0' is not unique"):
        sanmai.run("zero", problems=some_problems(1) * 10, out=tmp_path / "a", **FAST)
    with pytest.raises(sanmai.InputError, match=r"list of sanmai\.Problem"):
        sanmai.run("zero", problems=["2+3?"], out=tmp_path / "b", **FAST)  # type: ignore[arg-type]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    theirs = tmp_path / "theirs"
    (theirs / "rollouts").mkdir(parents=True)
    (theirs / "rollouts" / "step-000001.parquet").write_text("mine")
    with pytest.raises(sanmai.InputError, match="not a run folder"):
        sanmai.run("zero", problems=some_problems(), out=theirs, **FAST)
    assert [p.name for p in theirs.rglob("*")] == ["rollouts", "step-000001.parquet"]


def test_a_reward_with_other_values_has_another_name():
    from sanmai.recipes import name_of

    def make(bonus: float):
        return lambda problem, completion: bonus

    assert name_of(make(1.0)) != name_of(make(2.0)) and name_of(make(1.0)) == name_of(make(1.0))

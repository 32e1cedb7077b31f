"""Runs whose rollouts are written in parts: killed at any moment they lose nothing, loops end, every group is remembered."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import tomli_w
from safetensors import safe_open

import sanmai
from rollouts import drawn, paid
from sanmai.learn.curriculum import Curriculum, CurriculumConfig
from sanmai.types import Group, Problem, Verdict
from tiny_models import save_folder

SETTINGS = {
    "num_steps": 10, "prompts_per_step": 4, "rollouts_per_prompt": 4, "updates_per_step": 2, "sampling": {"max_tokens": 32},
    "partial": {"segment_tokens": 8}, "curriculum": {"order": "prioritised", "retire_solved": True, "return_after": 3},
    "length": {"weight": 0.5, "warmup": 0.3}, "loss": {"preset": "kimi"}, "optimizer": {"reset_each_step": True},
    "problems": {"world": {"train": 20, "heldout": 20}}, "checkpoints": {"every": 2},
    "model": {"threads": 2},  # whichever process goes on with it
}  # fmt: skip
SAME = ("metrics.jsonl", "config.toml", "rollouts/*", "evaluations/*", "checkpoints/*/*.safetensors", "checkpoints/*/*.json")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for pattern in SAME for p in sorted(folder.glob(pattern))}


def state_of(checkpoint: Path) -> set[str]:
    with safe_open(checkpoint / "training_state.safetensors", "pt") as file:
        return set(file.keys())


def resumes(folder: Path) -> int:
    """How often the run was gone on with."""
    events = folder / "events.jsonl"
    return events.read_text().count('"event": "resume"') if events.exists() else 0


OFTEN = pytest.param([0.0, 0.02, 0.05, 0.1] * 3, marks=pytest.mark.slow)


@pytest.mark.parametrize("delays", [[0.02], OFTEN], ids=["once", "often"])
def test_killed_with_rollouts_and_success_rates_in_flight_it_ends_with_the_same_bytes(forking, tmp_path, delays):
    whole, killed, settings = tmp_path / "whole", tmp_path / "killed", tmp_path / "settings.toml"
    settings.write_text(tomli_w.dumps({"recipe": "zero", **SETTINGS}))
    sanmai.run("zero", out=whole, **SETTINGS)
    for count, seconds in enumerate(delays):
        process = forking.start(["run", "zero", "--config", settings, "--out", killed], cwd=tmp_path)
        while not (resumes(killed) == count if count else (killed / "checkpoints/step-000004").is_dir()):
            assert process.poll() is None, process.output
            time.sleep(0.002)
        time.sleep(seconds)  # in one of the steps after it
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    names = state_of(max((killed / "checkpoints").glob("step-*")))
    assert any("partial_rollouts" in name for name in names) and any("curriculum/solved_at" in name for name in names)
    sanmai.run("zero", out=killed, **SETTINGS)
    expected, actual = contents(whole), contents(killed)
    assert expected.keys() == actual.keys() and resumes(killed) == len(delays)
    assert [name for name in expected if expected[name] != actual[name]] == []


def test_a_policy_that_loops_is_stopped_early_and_pays(tmp_path):
    # Random weights without temperature: each completion soon goes in a circle.
    problems = [Problem(f"p{k}", ({"role": "user", "content": f"what is {k} plus 4 ?"},), answer=str(k + 4)) for k in range(12)]
    model = save_folder(tmp_path / "model", max_position_embeddings=512)
    partial = {"segment_tokens": 24, "loop_tokens": 12, "loop_times": 2, "loop_penalty": 0.5}
    shared = {"num_steps": 3, "prompts_per_step": 2, "rollouts_per_prompt": 2, "model": {"name": str(model)},
              "sampling": {"max_tokens": 72, "temperature": 1e-3}, "optimizer": {"lr": 0.0}}  # fmt: skip
    run = sanmai.run("zero", out=tmp_path / "run", problems=problems, partial=partial, evaluation={"every": 0}, **shared)
    rows = [row for path in sorted((run / "rollouts").glob("*")) for row in pq.read_table(path).to_pylist()]
    stopped = [row for row in rows if row["stop_reason"] == "repetition"]
    assert len(stopped) >= 4 and {row["reward"] for row in stopped} == {-0.5}
    assert {row["score/loop_penalty"] for row in stopped} == {-1.0} and stopped[0]["label/loop_penalty"] == "loop"
    others = [row for row in rows if row["stop_reason"] != "repetition"]
    assert {row["score/loop_penalty"] for row in others} <= {0.0, None}  # None: nothing to grade
    assert {row["num_tokens"] for row in stopped} <= {24, 48}  # looked at after each segment, long before the 72


def test_two_groups_of_one_problem_that_end_in_one_step_are_both_counted():
    problem = Problem("p", ({"role": "user", "content": "x"},), answer="1")

    def group(*scores: float) -> Group:
        return Group(problem, tuple(drawn().graded({"accuracy": Verdict(score, "")}, **paid(score)) for score in scores))

    curriculum = Curriculum(CurriculumConfig(order="prioritised", retire_solved=True), [problem], 9, seed=0)
    metrics = curriculum.observe(1, [group(0.0, 0.0), group(1.0, 1.0)])
    assert metrics["curriculum/tracked_success"] == 0.5 and curriculum.tracker.tried.tolist() == [4.0]
    assert metrics["curriculum/retired"] == 0.0  # not every rollout was right
    assert curriculum.observe(2, [group(1.0), group(1.0)])["curriculum/retired"] == 1.0

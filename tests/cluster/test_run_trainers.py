"""`sanmai run` with trainers that share the policy: the rollouts and numbers of one process, whoever is lost on the way."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from family import samplers_of, trainers_of

from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy

SETTINGS = (
    "num_steps=3", "checkpoints.every=1", "prompts_per_step=4", "rollouts_per_prompt=4", "problems.world.train=60",
    "problems.world.heldout=6", "evaluation.every=3", "cluster.parts=8", "loss.kl_weight=0.01",
)  # fmt: skip


def command(*settings):
    return ["run", "zero", *(word for s in (*SETTINGS, *settings) for word in ("--set", s)), "--out"]


def metrics_of(run: Path) -> dict[int, dict[str, float]]:
    path = run / "metrics.jsonl"
    return {line["step"]: line for line in map(json.loads, path.read_text().splitlines())} if path.exists() else {}


def await_step(running, run: Path, step: int) -> None:
    while step not in metrics_of(run) and running.poll() is None:
        time.sleep(0.02)


def assert_same(one: Path, other: Path) -> None:
    """The same tokens in every rollout, and metrics that differ by rounding alone."""
    expected, actual = metrics_of(one), metrics_of(other)
    assert expected.keys() == actual.keys() and len(expected) == 4
    for step, line in expected.items():
        assert line.keys() == actual[step].keys()
        for name, value in line.items():
            assert math.isclose(value, actual[step][name], rel_tol=1e-3, abs_tol=1e-4), (step, name)
        if step:
            rows = [pq.read_table(run / "rollouts" / f"step-{step:06d}.parquet")["tokens"] for run in (one, other)]
            assert rows[0].equals(rows[1])


@pytest.mark.slow
def test_a_run_that_loses_trainers_and_goes_on_with_other_numbers_is_that_of_one_process(forking, tmp_path):
    run = tmp_path / "run"
    running = forking.start([*command("cluster.trainers=2"), run], cwd=tmp_path)
    await_step(running, run, 1)
    (other,) = trainers_of(running.pid)
    os.kill(other, signal.SIGKILL)
    assert running.wait() != 0
    said = " ".join(running.output.split())
    assert f"trainer 2 of 2 (process {other}) ended with exit code -9" in said and "repeat the command to go on" in said

    running = forking.start([*command("cluster.trainers=3"), run], cwd=tmp_path)
    await_step(running, run, 2)
    found = trainers_of(running.pid)
    os.kill(found[0], signal.SIGSTOP)  # one that could not even hear of it
    running.send_signal(signal.SIGKILL)
    running.wait()
    end = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in found) and time.monotonic() < end:
        time.sleep(0.05)
    assert len(found) == 2 and not any(Path(f"/proc/{pid}").exists() for pid in found)

    forking.finish([*command(), run], cwd=tmp_path)
    forking.finish([*command(), tmp_path / "one"], cwd=tmp_path)
    assert_same(tmp_path / "one", run)
    assert set((run / "checkpoints" / "step-000003").iterdir()) and not list(tmp_path.glob("sanmai-*"))


@pytest.mark.slow
def test_trainers_and_samplers_apart_lose_one_of_each_and_write_the_tokens_of_one_process(forking, tmp_path):
    run, apart = tmp_path / "run", ("cluster.transport=processes", "cluster.samplers=2")
    running = forking.start([*command("cluster.trainers=2", *apart), run], cwd=tmp_path)
    await_step(running, run, 0)
    os.kill(samplers_of(running.pid)[0], signal.SIGKILL)  # its part goes to the other
    await_step(running, run, 1)
    (other,) = trainers_of(running.pid)
    os.kill(other, signal.SIGKILL)
    assert running.wait() != 0 and f"trainer 2 of 2 (process {other}) ended" in " ".join(running.output.split())

    forking.finish([*command("cluster.trainers=2", *apart), run], cwd=tmp_path)
    forking.finish([*command(), tmp_path / "one"], cwd=tmp_path)
    assert_same(tmp_path / "one", run)
    assert not (run / "published").exists()


SHOWN = {
    "dpo": ("source=world", "limit=12", "sft_weight=0.5", "epochs=1.0", "pairs_per_step=4", "loss.preset=kto"),
    "sft": ("problems.source=world", "epochs=1.0", "problems.world.train=24", "demonstrations_per_step=12", "model.lora_rank=4"),
    "distill": ("num_steps=3", "prompts_per_step=6", "problems.world.train=24"),
    "distill exact": ("num_steps=3", "prompts_per_step=6", "problems.world.train=24", "exact=true"),
}  # fmt: skip


def student_in(folder: Path) -> Path:
    """The embedded base whose third layer does nothing: it has something to learn from the base, and the same tokenizer."""
    policy = load_policy(ModelConfig(threads=1))
    with torch.no_grad():
        for name in ("self_attn.o_proj", "mlp.down_proj"):
            policy.weights[f"model.layers.2.{name}.weight"].zero_()
    policy.save(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("recipe", SHOWN)
def test_what_learns_from_what_it_is_shown_has_the_metrics_of_one_process(forking, tmp_path, recipe):
    settings = (*SHOWN[recipe], "sampling.max_tokens=16", "problems.world.heldout=4", "evaluation.every=50")
    if recipe.startswith("distill"):
        settings = (*settings, f"model.name={student_in(tmp_path / 'student')}")
    words = ["run", recipe.split()[0], *(word for s in settings for word in ("--set", s))]
    for count in (1, 2):
        forking.finish([*words, "--set", f"cluster.trainers={count}", "--out", tmp_path / str(count)], cwd=tmp_path)
    one, two = metrics_of(tmp_path / "1"), metrics_of(tmp_path / "2")
    assert one.keys() == two.keys() and len(one) > 2
    for step, line in one.items():
        assert line == pytest.approx(two[step], rel=1e-3, abs=1e-4), step


@pytest.mark.slow
def test_torchrun_starts_the_trainers_and_sigterm_ends_them_after_the_step(tmp_path):
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", "-m", "sanmai.cli"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    shared = {"cwd": tmp_path, "env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    running = subprocess.Popen([*words, *command("cluster.trainers=2", "num_steps=50", "evaluation.every=50"), "run"], **shared)
    await_step(running, tmp_path / "run", 2)
    running.send_signal(signal.SIGTERM)
    said, _ = running.communicate(timeout=120)
    saved = sorted(int(path.name[-6:]) for path in (tmp_path / "run" / "checkpoints").glob("step-*"))
    assert running.returncode != 0 and saved[-1] >= 2 and saved[-1] == max(metrics_of(tmp_path / "run")), said
    events = (tmp_path / "run" / "events.jsonl").read_text()
    assert '"interrupt"' in events
    assert "sanmai/cluster" not in said and "sanmai/policies" not in said  # the traceback that torchrun shows is its own

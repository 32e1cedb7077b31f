"""`sanmai run` with samplers apart: the bytes of one process, whoever is killed."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from family import cmdline, samplers_of

SETTINGS = (
    "num_steps=3", "checkpoints.every=1", "prompts_per_step=4", "rollouts_per_prompt=4", "problems.world.train=60",
    "problems.world.heldout=12", "evaluation.every=2", "cluster.parts=3",
)  # fmt: skip
SAME = ("metrics.jsonl", "rollouts/*", "evaluations/*", "probes/*", "checkpoints/*/*.safetensors")
APART = ("cluster.transport=processes", "cluster.deadline_seconds=90")


def command(*settings, recipe="zero"):
    return ["run", recipe, *(word for s in (*SETTINGS, *settings) for word in ("--set", s)), "--out"]


def contents(run: Path) -> dict[str, bytes]:
    return {str(p.relative_to(run)): p.read_bytes() for pattern in SAME for p in sorted(run.glob(pattern))}


def differing(one: Path, other: Path) -> list[str]:
    expected, actual = contents(one), contents(other)
    assert expected
    return sorted(name for name in {*expected, *actual} if expected.get(name) != actual.get(name))


def kill_samplers(running, run: Path, count: int, seed: int, number: int = signal.SIGKILL) -> int:
    """Send a signal to so many samplers of a command at random moments after its first evaluation; to how many it was."""
    chance, sent = random.Random(seed), 0
    while not (run / "evaluations" / "step-000000.parquet").exists() and running.poll() is None:
        time.sleep(0.01)
    while sent < count and running.poll() is None:
        if found := samplers_of(running.pid):
            time.sleep(chance.uniform(0, 0.4))
            try:
                os.kill(chance.choice(found), number)
                sent += 1
            except ProcessLookupError:
                continue
        time.sleep(0.02)
    return sent


def warnings_of(run: Path) -> list[str]:
    events = map(json.loads, (run / "events.jsonl").read_text().splitlines())
    return [event["message"] for event in events if event["event"] == "warning"]


@pytest.fixture(scope="module")
def one_process(forking, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    forking.finish([*command(), folder / "run"], cwd=folder)
    return folder / "run"


def test_two_samplers_killed_at_random_give_the_bytes_of_one_process_and_nothing_is_left(forking, tmp_path, one_process):
    running = forking.start([*command(*APART, "cluster.samplers=2"), tmp_path / "run"], cwd=tmp_path)
    sent = kill_samplers(running, tmp_path / "run", 3, seed=1)
    seen = {running.pid, *samplers_of(running.pid)}
    assert running.wait() == 0, running.output
    assert differing(one_process, tmp_path / "run") == []
    assert sent == 3 and any("ended with exit code -9" in message for message in warnings_of(tmp_path / "run"))
    assert not (tmp_path / "run" / "published").exists() and not any(samplers_of(pid) for pid in seen)


@pytest.mark.slow
@pytest.mark.parametrize("count", [3])
def test_a_killed_run_takes_its_samplers_along_and_goes_on_with_another_number(forking, tmp_path, one_process, count):
    running = forking.start([*command(*APART, f"cluster.samplers={count}"), tmp_path / "run"], cwd=tmp_path)
    while not (tmp_path / "run" / "metrics.jsonl").exists() and running.poll() is None:
        time.sleep(0.01)
    found = samplers_of(running.pid)
    os.kill(found[0], signal.SIGSTOP)  # one that could not even hear of it
    running.send_signal(signal.SIGKILL)
    running.wait()
    end = time.monotonic() + 5
    while any(map(cmdline, found)) and time.monotonic() < end:
        time.sleep(0.01)
    assert len(found) == count and not any(map(cmdline, found))
    forking.finish([*command(*APART, "cluster.samplers=2"), tmp_path / "run"], cwd=tmp_path)
    assert differing(one_process, tmp_path / "run") == []


@pytest.mark.slow
def test_a_sampler_that_hangs_costs_its_deadline_and_nothing_else(forking, tmp_path, one_process):
    settings = ("cluster.transport=processes", "cluster.samplers=2", "cluster.deadline_seconds=45")
    running = forking.start([*command(*settings), tmp_path / "run"], cwd=tmp_path)
    assert kill_samplers(running, tmp_path / "run", 1, seed=1, number=signal.SIGSTOP) == 1
    assert running.wait() == 0, running.output
    assert differing(one_process, tmp_path / "run") == []
    assert any("gave no answer within 45 s (cluster.deadline_seconds)" in m for m in warnings_of(tmp_path / "run"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        ("partial.segment_tokens=4", "model.lora_rank=4"), ("credit.by=steps", "loss.preset=dr_grpo", "loss.kl_weight=0.01"),
        ("loss.preset=remax",),
    ],
)  # fmt: skip
def test_whatever_samples_through_the_policy_gives_the_bytes_of_one_process(forking, tmp_path, settings):
    forking.finish([*command(*settings), tmp_path / "one"], cwd=tmp_path)
    forking.finish([*command(*settings, *APART), tmp_path / "two"], cwd=tmp_path)
    assert differing(tmp_path / "one", tmp_path / "two") == []

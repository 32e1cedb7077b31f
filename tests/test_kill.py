"""Law 6: killed with SIGKILL at any moment, the same command ends with the same bytes as a run that was never killed."""

import json
import random
import shutil
import signal
import time
from datetime import datetime
from pathlib import Path

import pytest

SETTINGS = (
    "num_steps=6", "checkpoints.every=2", "prompts_per_step=4", "rollouts_per_prompt=4", "updates_per_step=2",
    "problems.world.train=100", "problems.world.heldout=20", "evaluation.every=3",
    "loss.kl_weight=0.01", "loss.reference_reset_steps=2",
    "model.threads=2",  # two workers, whichever of them is faster
)  # fmt: skip
COMMAND = ["run", "zero", *(word for setting in SETTINGS for word in ("--set", setting)), "--out"]
SAME = (
    "metrics.jsonl",
    "config.toml",
    "rollouts/*",
    "evaluations/*",
    "checkpoints/*/*.safetensors",
    "checkpoints/*/*.json",
)


def contents(run: Path) -> dict[str, bytes]:
    return {str(p.relative_to(run)): p.read_bytes() for pattern in SAME for p in sorted(run.glob(pattern))}


@pytest.fixture(scope="module")
def undisturbed(forking, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    forking.finish([*COMMAND, folder / "run"], cwd=folder)
    return folder / "run"


@pytest.mark.parametrize("num_kills", [4, pytest.param(16, marks=pytest.mark.slow)])
def test_a_run_killed_at_random_moments_ends_with_the_bytes_of_an_undisturbed_one(forking, tmp_path, undisturbed, num_kills):
    disturbed, seconds = tmp_path / "disturbed", spent_in(undisturbed)
    chance, killed = random.Random(num_kills), 0
    while killed < num_kills:
        command = forking.start([*COMMAND, disturbed], cwd=tmp_path)
        # The moments begin where the folder is first touched.
        while not list(disturbed.glob(".partial-*")) and not is_held(disturbed, command.pid) and command.poll() is None:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.6 * seconds))
        command.send_signal(signal.SIGKILL)
        if command.wait() == 0:  # it was finished before that: what is left of it is compared, and the next one begins
            assert differing(undisturbed, disturbed) == []
            shutil.rmtree(disturbed)
        else:
            killed += 1
    forking.finish([*COMMAND, disturbed], cwd=tmp_path)
    assert differing(undisturbed, disturbed) == []
    assert (disturbed / "report.html").exists()


def spent_in(run: Path) -> float:
    """Seconds from the first event of a run to its last."""
    times = [json.loads(line)["time"] for line in (run / "events.jsonl").read_text().splitlines()]
    first, last = (datetime.fromisoformat(text) for text in (times[0], times[-1]))
    return (last - first).total_seconds()


def differing(one: Path, other: Path) -> list[str]:
    expected, actual = contents(one), contents(other)
    return sorted(name for name in {*expected, *actual} if expected.get(name) != actual.get(name))


def is_held(run: Path, pid: int) -> bool:
    """The process has the run folder's lock."""
    lock = run / "run.lock"
    return lock.exists() and lock.read_text().strip() == str(pid)


def test_ctrl_c_finishes_the_step_saves_and_the_same_command_goes_on_to_the_same_bytes(forking, tmp_path, undisturbed):
    disturbed = tmp_path / "disturbed"
    command = forking.start([*COMMAND, disturbed], cwd=tmp_path)
    while "\nstep 3/" not in command.output and command.poll() is None:
        time.sleep(0.005)
    command.send_signal(signal.SIGINT)
    assert command.wait() == 130 and "Repeat the same command" in command.output
    assert (disturbed / "report.html").exists()
    forking.finish([*COMMAND, disturbed], cwd=tmp_path)
    # The step that it stopped at has a checkpoint besides.
    same = ("metrics.jsonl", "rollouts", "evaluations", "checkpoints/step-000006")
    assert [name for name in differing(undisturbed, disturbed) if name.startswith(same)] == []

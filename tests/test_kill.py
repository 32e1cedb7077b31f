"""Law 6: killed with SIGKILL at any moment, the same command ends with the same bytes as a run that was never killed."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [
    sys.executable,
    "-m",
    "sanmai.cli",
    "run",
    "zero",
    "--set",
    "num_steps=8",
    "--set",
    "checkpoints.every=2",
    "--set",
    "prompts_per_step=8",
    "--set",
    "rollouts_per_prompt=4",
    "--set",
    "updates_per_step=2",
    "--set",
    "problems.world.heldout=40",
    "--set",
    "evaluation.every=4",
    "--set",
    "loss.kl_weight=0.01",
    "--set",
    "loss.reference_reset_steps=3",
    "--set",
    "model.threads=2",  # two workers, whichever of them is faster
    "--out",
]
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


def finish(run: Path) -> float:
    start = time.monotonic()
    done = subprocess.run([*COMMAND, str(run)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return time.monotonic() - start


@pytest.mark.parametrize("num_kills", [6, pytest.param(20, marks=pytest.mark.slow)])
def test_a_run_killed_at_random_moments_ends_with_the_bytes_of_an_undisturbed_one(tmp_path, num_kills):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    seconds = finish(undisturbed)
    chance = random.Random(num_kills)
    for _ in range(num_kills):
        # Most of a short run is start-up: the moments begin where the folder is first touched.
        process = subprocess.Popen([*COMMAND, str(disturbed)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while (
            not list(disturbed.glob(".partial-*"))
            and not is_held(disturbed, process.pid)
            and time.monotonic() < deadline
        ):
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.5 * seconds))
        process.kill()
        process.wait(timeout=60)
    finish(disturbed)
    expected, actual = contents(undisturbed), contents(disturbed)
    assert expected.keys() == actual.keys()
    assert [name for name in expected if expected[name] != actual[name]] == []
    assert (disturbed / "report.html").exists()


def is_held(run: Path, pid: int) -> bool:
    """The process has the run folder's lock."""
    lock = run / "run.lock"
    return lock.exists() and lock.read_text().strip() == str(pid)


def test_ctrl_c_finishes_the_step_saves_and_the_same_command_goes_on_to_the_same_bytes(tmp_path):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    finish(undisturbed)
    process = subprocess.Popen([*COMMAND, str(disturbed)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("step 3/"):
            process.send_signal(signal.SIGINT)
            break
    rest = process.stdout.read()
    assert process.wait(timeout=120) == 130 and "Repeat the same command" in rest
    assert (disturbed / "report.html").exists()
    finish(disturbed)
    same = ("metrics.jsonl", "rollouts", "evaluations", "checkpoints/step-000008")
    expected, actual = contents(undisturbed), contents(disturbed)
    assert [n for n in expected if n.startswith(same) and expected[n] != actual.get(n)] == []

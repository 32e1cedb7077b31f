"""Asked to stop, a run finishes its step, saves and says so to whoever waits; the same command goes on to the same bytes."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from forking import Command
from sanmai.config import Config
from sanmai.learn.progress import Progress
from sanmai.recipes import find_recipe, resolve
from sanmai.sandbox import ChildPool, Value
from sanmai.train import stops
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.train.stops import Stop, Terminated, ending_at_sigterm, grace_seconds
from sanmai.types import InputError

SMALL = {
    "num_steps": 12,
    "prompts_per_step": 2,
    "rollouts_per_prompt": 2,
    "problems": {"world": {"train": 100, "heldout": 4}},
    "sampling": {"max_tokens": 24},
    "evaluation": {"every": 12},
    "checkpoints": {"every": 20},
}


def settings(values: dict, prefix: str = "") -> list[str]:
    found = []
    for name, value in values.items():
        found += settings(value, f"{prefix}{name}.") if isinstance(value, dict) else ["--set", f"{prefix}{name}={value}"]
    return found


ZERO = ["run", "zero", *settings(SMALL), "--out"]
SAME = ("metrics.jsonl", "rollouts/*", "evaluations/*", "checkpoints/step-000012/*")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for pattern in SAME for path in sorted(folder.glob(f"**/{pattern}")) if path.name != "checkpoint.json"
    }  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(forking, tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    forking.finish([*ZERO, folder / "run"], cwd=folder)
    return contents(folder / "run")


class Toy(Config):
    pass


def stopped_at(folder: Path, number: int, *, step: int = 2, times: int = 1) -> list[int]:
    """The steps that a run of five did, with a signal in one of them."""
    done = []
    with Run(folder, "toy", Toy()) as run:
        progress = Progress.silent()
        progress.begin(run, 5)
        for at in run.steps(5, progress.interrupting):
            for _ in range(times if at == step else 0):
                signal.raise_signal(number)
            run.log_step(at, {})
            if run.commits(at, 5, CheckpointsConfig(every=10)):
                run.save(at, lambda path: (path / "x").write_text("x") and None, CheckpointsConfig(every=10))
            done.append(at)
        progress.end(run)
    return done


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_a_caller_is_told_that_the_run_was_stopped_and_the_step_is_saved(tmp_path, number, raised):
    before, threads = signal.getsignal(number), set(threading.enumerate())
    with pytest.raises(raised):
        stopped_at(tmp_path, number)
    assert (tmp_path / "checkpoints" / "step-000002").is_dir() and signal.getsignal(number) is before
    assert stopped_at(tmp_path, number) == [3, 4, 5]  # the folder was let go of, and goes on
    assert set(threading.enumerate()) <= threads


def test_a_signal_that_comes_after_the_question_for_a_checkpoint_saves_the_next_step(tmp_path):
    done = []
    with Run(tmp_path, "toy", Toy()) as run:
        for step in run.steps(9):
            if run.commits(step, 9, CheckpointsConfig(every=10)):
                done.append(step)
            elif step == 4:
                signal.raise_signal(signal.SIGINT)
    assert done == [5]


def test_sigterm_sent_twice_at_once_is_one_request_and_a_later_one_stops_at_once(tmp_path, monkeypatch):
    threads = set(threading.enumerate())
    with pytest.raises(Terminated):
        stopped_at(tmp_path / "twice", signal.SIGTERM, times=3)
    assert (tmp_path / "twice" / "checkpoints" / "step-000002").is_dir()
    monkeypatch.setattr(stops, "_SAME_REQUEST_SECONDS", 0.0)
    with pytest.raises(Terminated):
        stopped_at(tmp_path / "later", signal.SIGTERM, times=2)
    assert not list((tmp_path / "later" / "checkpoints").iterdir())
    assert set(threading.enumerate()) <= threads


def test_terminated_is_exit_code_143_for_a_program_that_does_not_catch_it():
    assert Terminated().code == 143
    with pytest.raises(Terminated), ending_at_sigterm():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_sigterm_that_is_ignored_stays_ignored(tmp_path):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert stopped_at(tmp_path, signal.SIGTERM) == [1, 2, 3, 4, 5]
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("text", ["", "soon", "0", "-1", "nan", "inf", "1e300"])
def test_a_grace_that_is_no_time_is_refused_in_one_sentence(monkeypatch, text):
    monkeypatch.setenv("SANMAI_GRACE_SECONDS", text)
    with pytest.raises(InputError, match=r"SANMAI_GRACE_SECONDS=.*expected a number of seconds") as refused:
        grace_seconds()
    assert "\n" not in str(refused.value)


def test_when_the_grace_is_over_the_process_leaves_whatever_it_waits_for():
    code = "import signal, time; from sanmai.train.stops import Stop; Stop().hear(signal.SIGTERM); time.sleep(60)"
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"SANMAI_GRACE_SECONDS": "0.2"},
                          capture_output=True, text=True, timeout=50)  # fmt: skip
    assert done.returncode == 143 and time.monotonic() - began < 40
    assert done.stderr.startswith("sanmai: 0.2 s after SIGTERM") and done.stderr.count("\n") == 1


def test_a_step_that_is_over_in_time_stops_the_clock(monkeypatch):
    monkeypatch.setenv("SANMAI_GRACE_SECONDS", "0.05")
    stop = Stop()
    assert stop.hear(signal.SIGTERM)
    stop.end()
    time.sleep(0.1)  # else the whole test run would end here


def test_children_that_grade_do_not_hear_what_the_whole_job_is_sent():
    with ChildPool(1) as pool:
        assert isinstance(pool.call("os:getpid", timeout_seconds=30), Value)
        child = pool._slots.get_nowait()
        assert child is not None
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(child._process.pid, number)
        pool._slots.put(child)
        assert pool.call("os:getpid", timeout_seconds=30) == Value(child._process.pid)


def test_a_recipe_called_as_a_function_raises_what_stopped_it_and_goes_on_to_the_same_bytes(tmp_path, undisturbed):
    class Pressed(Progress):
        def step(self, step, *arguments, **options):
            super().step(step, *arguments, **options)
            if step == 3:
                signal.raise_signal(signal.SIGINT)

    recipe, config = find_recipe("zero"), resolve(find_recipe("zero"), values=SMALL)
    with pytest.raises(KeyboardInterrupt):
        recipe.run(config, tmp_path / "run", progress=Pressed(None))
    assert not (tmp_path / "run" / "checkpoints" / "step-000012").exists()
    recipe.run(config, tmp_path / "run", progress=Progress.silent())
    assert contents(tmp_path / "run") == undisturbed


def stopped_once(process: Command, at: str, send) -> tuple[int, str]:
    """Exit code, and what a command says that is sent something once it has written a line that begins so."""
    while f"\n{at}" not in f"\n{process.output}" and process.poll() is None:
        time.sleep(0.005)
    before = process.output
    send(process)
    code = process.wait()
    assert f"\n{at}" in f"\n{before}" and "Traceback" not in process.output, process.output
    return code, process.output.removeprefix(before)


def stopped_by(command: list, at: str, send) -> tuple[int, str]:
    """As `stopped_once`, of a process of its own."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith(at):
            send(process)
            break
    rest = process.stdout.read()
    code = process.wait(timeout=60)
    assert "Traceback" not in rest and said[-1].startswith(at), "".join(said) + rest
    return code, rest


def test_sigterm_to_the_whole_group_finishes_the_step_and_the_same_command_goes_on(forking, tmp_path, undisturbed):
    command = [*ZERO, tmp_path / "run"]
    begun = forking.start(command, cwd=tmp_path)
    code, rest = stopped_once(begun, "step 3/", lambda process: os.killpg(process.pid, signal.SIGTERM))
    assert code == 143 and "SIGTERM: finishing step" in rest and "Repeat the same command to go on from" in rest
    forking.finish(command, cwd=tmp_path)
    assert contents(tmp_path / "run") == undisturbed


def test_sigterm_before_the_first_step_says_what_there_is(forking, tmp_path):
    begun = forking.start([*ZERO, tmp_path / "run"], cwd=tmp_path)
    code, rest = stopped_once(begun, "Run folder:", lambda process: process.send_signal(signal.SIGTERM))
    assert code == 143 and rest.endswith("Stopped. Nothing was saved yet.\n")


@pytest.mark.slow
def test_timeout_which_signals_twice_stops_a_pipeline_after_its_step(tmp_path):
    rl = {"num_steps": 6, "prompts_per_step": 2, "rollouts_per_prompt": 2, "problems": {"evaluation_limit": 4}}
    sizes = {"cold_start_limit": 8, "reasoning_limit": 8, "demonstrations_limit": 8, "evaluation_limit": 4}
    command = [sys.executable, "-u", "-m", "sanmai.cli", "run", "r1", *settings({"data": sizes, "reasoning": rl})]
    command += ["--until", "zero", "--out"]
    code, rest = stopped_by(
        ["timeout", "--preserve-status", "600", *command, tmp_path / "cut"], "step 3/", lambda process: process.terminate()
    )  # what it forwards, it sends to the command and to the group
    assert code == 143 and "SIGTERM: finishing step" in rest and "Repeat the same command to go on from" in rest
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    assert not list(cut.glob("stages/zero-*/stage.json"))
    subprocess.run([*command, cut], check=True, capture_output=True, timeout=120)
    subprocess.run([*command, whole], check=True, capture_output=True, timeout=120)
    assert list(cut.glob("stages/zero-*/stage.json")) and contents(cut) == contents(whole)

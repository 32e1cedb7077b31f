"""The run folder: committed step by step, held by one process, and whole after whatever happens to it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pyarrow.parquet as pq
import pytest

from rollouts import paid
from sanmai.config import Config
from sanmai.train import records
from sanmai.train.records import write_rollouts
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.types import Credited, Graded, Group, InputError, Problem, RunError, StopReason, Trace, TraceState, Verdict


class Inner(Config):
    lr: float = 1e-6
    betas: tuple[float, float] = (0.9, 0.95)


class Settings(Config):
    num_steps: int = 9
    name: str | None = None
    inner: Inner = Inner()


EVERY = CheckpointsConfig(every=1, keep=2)


def groups() -> list[Group[Graded]]:
    problem = Problem("p/1", ({"role": "user", "content": "1 加 1 ?"},), answer="2", tags={"digits": 1})
    trace = Trace("<think>a</think>2", TraceState.CLOSED, "a", "2", "<think>", "</think>")
    return [Group(problem, (
        Credited("p/1", 0, [5], [7, 1], [-0.5, -0.25], StopReason.STOP, 3, trace.text, trace, **paid(1.0),
                 verdicts={"accuracy": Verdict(1.0, "equal", "correct"), "language": Verdict(0.75, "3 of 4 words")},
                 advantage=0.5, log_ratio=0.01),
        Graded("p/1", 1, [5], [7], [-0.5], StopReason.LENGTH, 3, "x",
               verdicts={"accuracy": Verdict(None, "no answer", "ungradable")}),
        Graded("p/1", 2, [5], [], [], StopReason.STOP, 3, "", failure="ValueError: x"),
    ))]


def weights(step: int):
    return lambda folder: (folder / "model").write_text(f"weights after step {step}") and None


def work(folder: Path, until: int, *, every: int = 1, settings: Config | None = None) -> Run:
    """A run of that many steps, as the recipes do it."""
    config = CheckpointsConfig(every=every, keep=2)
    with Run(folder, "toy", settings or Settings()) as run:
        for step in run.steps(until):
            run.log_step(step, {"reward/mean": step / 3}, groups())
            run.log_evaluation(step, groups())
            if run.commits(step, until + 1, config):
                run.save(step, weights(step), config)
    return run


def names(folder: Path, kind: str) -> list[str]:
    return sorted(path.name for path in (folder / kind).iterdir())


def events(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def reopened(folder: Path) -> Run:
    with Run(folder, "toy", Settings()) as run:
        return run


def test_a_new_run_starts_at_step_1_and_a_reopened_one_after_its_newest_checkpoint(tmp_path):
    with Run(tmp_path / "a" / "b", "toy", Settings()) as run:
        assert run.checkpoint is None and list(run.steps(3)) == [1, 2, 3]
    work(tmp_path / "run", 4)
    with Run(tmp_path / "run", "toy", Settings()) as run:
        assert run.start_step == 4 and list(run.steps(6)) == [5, 6] and list(run.steps(4)) == []
    assert names(tmp_path / "run", "checkpoints") == ["step-000003", "step-000004"]
    assert [e["event"] for e in events(tmp_path / "run")] == ["start", "resume"]


def test_checkpoints_are_due_every_so_often_at_the_end_and_after_an_interrupt(tmp_path):
    with Run(tmp_path, "toy", Settings()) as run:
        config = CheckpointsConfig(every=3)
        assert [step for step in range(1, 9) if run.commits(step, 8, config)] == [3, 6, 8]
        run.interrupted = True
        assert run.commits(1, 8, config)


def test_what_was_recorded_after_the_newest_checkpoint_is_dropped(tmp_path):
    work(tmp_path, 5, every=2)  # the newest checkpoint is of step 4
    assert names(tmp_path, "rollouts")[-1] == "step-000005.parquet"
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text(metrics.read_text() + '{"step": 6, "rew')  # and a kill in the middle of a line
    (tmp_path / "rollouts" / ".partial-step-000006.parquet").write_text("half")
    (tmp_path / "checkpoints" / ".partial-step-000006").mkdir()
    (tmp_path / "checkpoints" / "step-000006").mkdir()  # without a manifest
    run = reopened(tmp_path)
    assert run.start_step == 4
    assert [json.loads(line)["step"] for line in metrics.read_text().splitlines()] == [1, 2, 3, 4]
    for kind in ("rollouts", "evaluations"):
        assert names(tmp_path, kind) == [f"step-{step:06d}.parquet" for step in (1, 2, 3, 4)]
    assert names(tmp_path, "checkpoints") == ["step-000002", "step-000004"]


def test_a_run_killed_before_its_first_checkpoint_starts_over_with_nothing_in_it(tmp_path):
    with Run(tmp_path, "toy", Settings()) as run:
        run.log_evaluation(0, groups())
        run.log_step(0, {"eval/accuracy": 0.5})
        run.log_step(1, {"reward/mean": 0.5}, groups())
    reopened(tmp_path)
    assert (tmp_path / "metrics.jsonl").read_text() == "" and names(tmp_path, "rollouts") == names(tmp_path, "evaluations") == []


def test_what_was_recorded_before_training_stays_once_a_step_is_committed(tmp_path):
    with Run(tmp_path, "toy", Settings()) as run:
        run.log_evaluation(0, groups())
        run.log_step(0, {"eval/accuracy": 0.5})
        run.log_step(1, {}, groups())
        run.save(1, weights(1), EVERY)
    reopened(tmp_path)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2
    assert names(tmp_path, "evaluations") == ["step-000000.parquet"]


def flip_a_byte(checkpoint: Path) -> None:
    content = bytearray((checkpoint / "model").read_bytes())
    content[3] ^= 1
    (checkpoint / "model").write_bytes(bytes(content))


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_byte, lambda c: os.truncate(c / "model", 5), lambda c: (c / "manifest.json").unlink(),
        lambda c: os.truncate(c / "manifest.json", 9),
    ],
    ids=["byte", "truncated", "no manifest", "truncated manifest"],
)
def test_a_damaged_checkpoint_is_warned_of_and_the_run_goes_on_from_the_one_before(tmp_path, damage):
    undisturbed, disturbed = tmp_path / "a", tmp_path / "b"
    work(undisturbed, 4)
    work(disturbed, 3)
    damage(disturbed / "checkpoints" / "step-000003")
    with Run(disturbed, "toy", Settings()) as run:
        assert run.start_step == 2 and run.checkpoint is not None and run.checkpoint.name == "step-000002"
        assert len(run.warnings) == 1 and "step-000003 is damaged" in run.warnings[0]
    assert events(disturbed)[-2]["event"] == "warning"
    work(disturbed, 4)
    for path in sorted(undisturbed.rglob("*")):
        if path.is_file() and path.name not in ("events.jsonl", "run.lock"):
            assert path.read_bytes() == (disturbed / path.relative_to(undisturbed)).read_bytes(), path


def test_other_settings_are_refused_with_the_changed_key_and_the_old_ones_still_work(tmp_path):
    work(tmp_path, 1)
    with pytest.raises(InputError, match=r"inner\.lr was 1e-06, now 0\.1"):
        Run(tmp_path, "toy", Settings(inner=Inner(lr=0.1)))
    with pytest.raises(InputError, match="name was None, now 'x'"):
        Run(tmp_path, "toy", Settings(name="x"))
    with pytest.raises(InputError, match="recipe was 'toy', now 'other'"):
        Run(tmp_path, "other", Settings())
    assert reopened(tmp_path).start_step == 1  # the refusals hold no lock


class LaterInner(Config):
    lr: float = 1e-6
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0


class LaterSettings(Config):
    """What `Settings` became."""

    num_steps: int = 9
    name: str | None = None
    inner: LaterInner = LaterInner()
    best: int | None = None
    gone: ClassVar = {"colour": "red"}


def test_a_run_goes_on_with_settings_that_came_later_and_have_their_defaults_and_says_so(tmp_path):
    work(tmp_path, 2)
    before = (tmp_path / "config.toml").read_text()
    run = work(tmp_path, 4, settings=LaterSettings())
    assert run.start_step == 2 and run.older.endswith(
        " was made before inner.clip was a setting, which changes nothing at its default: it goes on as it was begun"
    )
    assert [e["message"] for e in events(tmp_path) if e["event"] == "older"] == [run.older]
    assert (tmp_path / "config.toml").read_text() == before and "clip" not in run.settings["inner"]
    assert reopened(tmp_path).older == ""  # with the settings that it was begun with
    for other in ({"inner": {"clip": 2.0}}, {"best": 3}, {"inner": {"lr": 1.0}}):
        with pytest.raises(InputError, match=r"other settings \((inner\.clip|best|inner\.lr) was"):
            work(tmp_path, 5, settings=LaterSettings.read(other))


def test_a_run_goes_on_without_a_setting_that_went_if_it_changed_nothing(tmp_path):
    work(tmp_path, 2)
    path = tmp_path / "config.toml"
    whole = path.read_text()
    path.write_text(whole.replace("num_steps", 'colour = "red"\nnum_steps'))
    assert work(tmp_path, 3, settings=LaterSettings()).older.endswith(
        "before inner.clip was a setting, which changes nothing at its default, and while colour was a setting, which changed "
        "nothing: it goes on as it was begun"
    )
    path.write_text(whole.replace("num_steps", 'colour = "blue"\nnum_steps'))
    with pytest.raises(InputError, match="colour was 'blue', now None"):
        work(tmp_path, 4, settings=LaterSettings())


def test_an_older_run_can_be_made_longer(tmp_path):
    work(tmp_path, 2)
    run = work(tmp_path, 4, settings=LaterSettings(num_steps=12))
    assert run.lengthened.startswith("num_steps raised from 9 to 12") and run.older
    assert work(tmp_path, 5, settings=LaterSettings(num_steps=12)).older == ""  # its config.toml has them all now


def test_a_setting_that_is_none_against_its_default_is_the_same_when_the_run_goes_on(tmp_path):
    class Named(Config):
        name: str | None = "x"

    for until in (1, 2):
        assert work(tmp_path, until, settings=Named(name=None)).start_step == until - 1


def test_a_configuration_that_somebody_broke_is_refused_in_one_sentence(tmp_path):
    work(tmp_path, 1)
    (tmp_path / "config.toml").write_text("recipe = \n")
    with pytest.raises(InputError, match=r"config\.toml: not a TOML file"):
        reopened(tmp_path)


HOLD = """
import sys, time
from pathlib import Path
from sanmai.config import Config
from sanmai.train.runs import Run
run = Run(Path(sys.argv[1]), "toy", Config())
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_process_is_refused_until_the_first_is_gone_even_by_a_kill(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"another process .pid {holder.pid}. is working"):
            Run(tmp_path, "toy", Config())
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with Run(tmp_path, "toy", Config()), pytest.raises(InputError, match=f"pid {os.getpid()}"):
            Run(tmp_path, "toy", Config())
        Run(tmp_path, "toy", Config()).__exit__()
    finally:
        holder.kill()
        holder.communicate()


def test_a_full_disk_is_one_sentence_and_leaves_the_previous_checkpoint(tmp_path, monkeypatch):
    work(tmp_path, 1)
    before = (tmp_path / "checkpoints" / "step-000001" / "model").read_bytes()

    def full(folder: Path) -> None:
        (folder / "model").write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def full_by_safetensors(folder: Path) -> None:
        raise Exception("Error while serializing: I/O error: No space left on device (os error 28)")

    for write in (full, full_by_safetensors):
        with Run(tmp_path, "toy", Settings()) as run:
            with pytest.raises(RunError, match=r"No space left on device.*last checkpoint is intact") as stopped:
                run.save(2, write, EVERY)
            assert "\n" not in str(stopped.value)
    assert names(tmp_path, "checkpoints") == ["step-000001"]
    assert (tmp_path / "checkpoints" / "step-000001" / "model").read_bytes() == before
    monkeypatch.setattr(records.pq, "write_table", lambda table, path, **options: full(path.parent))
    with (
        pytest.raises(RunError, match=r"metrics\.jsonl: writing failed .*No space left.*last checkpoint is intact"),
        Run(tmp_path, "toy", Settings()) as run,
    ):
        run.log_step(2, {}, groups())
    assert reopened(tmp_path).start_step == 1


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="needs root to mount a small tmpfs")
def test_a_disk_that_is_really_full_stops_the_run_and_more_room_lets_it_go_on(tmp_path):
    from tiny_models import random_policy

    policy = random_policy()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with Run(tmp_path / "run", "toy", Settings()) as run:
            run.save(1, policy.save, EVERY)
            size = sum(path.stat().st_size for path in (tmp_path / "run" / "checkpoints" / "step-000001").iterdir())
            for share in (0.9, 0.6, 0.3, 0.1, 0.01):  # of what it needs: each time another file is the one that does not fit
                disk = os.statvfs(tmp_path)
                (tmp_path / "filler").write_bytes(b"x" * (disk.f_bavail * disk.f_frsize - round(share * size)))
                with pytest.raises(RunError, match="No space left on device"):
                    run.save(2, policy.save, EVERY)
                assert names(tmp_path / "run", "checkpoints") == ["step-000001"]
                (tmp_path / "filler").unlink()
        with Run(tmp_path / "run", "toy", Settings()) as run:
            assert run.start_step == 1
            run.save(2, policy.save, EVERY)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_folder_that_cannot_be_written_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file" / "run", tmp_path / "file"):
        with pytest.raises(InputError, match=r"cannot write there .*choose another --out") as refused:
            Run(folder, "toy", Settings())
        assert "\n" not in str(refused.value)


def test_ctrl_c_finishes_the_step_and_stops(tmp_path):
    before, told, done = signal.getsignal(signal.SIGINT), [], []
    with Run(tmp_path, "toy", Settings()) as run:
        for step in run.steps(5, told.append):
            if step == 2:
                signal.raise_signal(signal.SIGINT)
            done.append(step)
            assert run.commits(step, 5, CheckpointsConfig(every=10)) == (step == 2)
    assert done == [1, 2] and told == [2] and run.interrupted
    assert events(tmp_path)[-1] | {"time": 0} == {"time": 0, "event": "interrupt", "step": 2}
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_stops_at_once(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    with Run(tmp_path, "toy", Settings()) as run, pytest.raises(KeyboardInterrupt):
        for _ in run.steps(5):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_step_that_fails_gives_ctrl_c_back(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    with Run(tmp_path, "toy", Settings()) as run, pytest.raises(ZeroDivisionError):
        for _ in run.steps(5):
            raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is before


def test_rollouts_are_the_same_bytes_every_time_and_hold_everything(tmp_path):
    for name in ("a", "b"):
        write_rollouts(tmp_path / f"{name}.parquet", 4, groups())
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.parquet", "b.parquet"]
    good, ungradable, failed = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert good == {
        "step": 4, "problem_id": "p/1", "sample": 0, "prompt": "1 加 1 ?", "answer": "2", "kind": "reasoning", "language": None,
        "tags": '{"digits": 1}', "text": "<think>a</think>2", "trace_state": "closed", "thinks": True, "stop_reason": "stop",
        "num_tokens": 2, "policy_version": 3, "reward": 1.0, "advantage": 0.5, "log_ratio": 0.01, "off_language": 0.25,
        "failure": None, "tokens": [7, 1], "sampling_logp": [-0.5, -0.25], "score/accuracy": 1.0, "label/accuracy": "correct",
        "reason/accuracy": "equal", "score/language": 0.75, "label/language": "", "reason/language": "3 of 4 words"}
    assert (ungradable["reward"], ungradable["score/accuracy"], ungradable["reason/accuracy"]) == (None, None, "no answer")
    assert (failed["failure"], failed["stop_reason"], failed["tokens"]) == ("ValueError: x", "stop", [])
    assert failed["label/accuracy"] is None


def test_columns_have_the_same_types_when_nothing_is_in_them(tmp_path):
    bare = Graded("p/2", 0, [5], [], [], StopReason.STOP, 3, "", verdicts={
        name: Verdict(None, "") for name in ("accuracy", "language")})
    write_rollouts(tmp_path / "full.parquet", 4, groups())
    write_rollouts(tmp_path / "bare.parquet", 4, [Group(Problem("p/2", ({"role": "user", "content": "x"},)), (bare,))])
    schema = pq.read_schema(tmp_path / "full.parquet")
    assert schema == pq.read_schema(tmp_path / "bare.parquet")
    assert [str(schema.field(name).type) for name in ("reward", "thinks", "tokens", "sampling_logp", "score/accuracy")] == [
        "double", "bool", "list<element: int32>", "list<element: float>", "double"]


def test_metrics_are_one_sorted_line_per_step(tmp_path):
    with Run(tmp_path, "toy", Settings()) as run:
        run.log_step(1, {"b": 2.0, "a": 0.1})
        run.log_step(2, {"a": 1e-9})
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1, "a": 0.1, "b": 2.0}\n{"step": 2, "a": 1e-09}\n'


def test_another_environment_on_resume_is_a_warning_that_names_what_changed(tmp_path):
    with Run(tmp_path, "toy", Settings()) as run:
        run.log_environment({"packages": {"torch": "1"}, "path": Path("x"), "origin": {"weights": "a"}})
        run.log_step(1, {})
        run.save(1, weights(1), EVERY)
    with Run(tmp_path, "toy", Settings()) as run:
        run.log_environment({"packages": {"torch": "1"}, "path": Path("x"), "origin": {"weights": "a"}})
        assert run.warnings == []
        run.log_environment({"packages": {"torch": "2"}, "path": Path("x"), "origin": {"weights": "a"}})
        assert len(run.warnings) == 1 and "packages.torch was '1', now '2'" in run.warnings[0]
        with pytest.raises(InputError, match="started from something else"):
            run.log_environment({"packages": {"torch": "1"}, "path": Path("x"), "origin": {"weights": "b"}})
    assert json.loads((tmp_path / "environment.json").read_text())["packages"] == {"torch": "1"}


def test_where_a_model_came_from_is_not_asked_of_its_checkpoint(tmp_path):
    facts = {"packages": {}, "origin": {}, "model": {"path": "fast path", "notes": ["its weights come from a.gguf"]}}
    with Run(tmp_path, "toy", Settings()) as run:
        run.log_environment(facts)
        assert run.warnings == ["its weights come from a.gguf"]
        run.log_step(1, {})
        run.save(1, weights(1), EVERY)
    with Run(tmp_path, "toy", Settings()) as run:
        run.log_environment({**facts, "model": {"path": "fast path", "notes": []}})
        assert run.warnings == []
        run.log_environment({**facts, "model": {"path": "general path", "notes": []}})
        assert len(run.warnings) == 1 and "model.path was 'fast path'" in run.warnings[0]


def test_keeping_a_single_checkpoint_is_refused():
    with pytest.raises(InputError, match="keep = 1"):
        CheckpointsConfig.read({"keep": 1})


def test_when_no_checkpoint_is_whole_the_run_stops_and_nothing_is_touched(tmp_path):
    work(tmp_path, 4, every=2)
    for folder in (tmp_path / "checkpoints").iterdir():
        (folder / "manifest.json").unlink()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "events" not in path.name}
    with pytest.raises(RunError, match="none of the checkpoints is whole"):
        reopened(tmp_path)
    assert before == {path: path.read_bytes() for path in before}


def test_a_run_that_is_refused_before_it_did_anything_leaves_no_folder(tmp_path):
    def refused(folder: Path, before=lambda run: None) -> bool:
        with pytest.raises(InputError, match="no such model"), Run(folder, "zero", Settings()) as run:
            before(run)
            raise InputError("no such model")
        return folder.exists()

    assert not refused(tmp_path / "runs" / "a") and not refused(tmp_path / "runs" / "a")
    assert refused(tmp_path / "b", lambda run: run.log_environment({"origin": 1}))
    assert refused(tmp_path / "c", lambda run: (run.folder / "evaluations" / "x").write_text("x"))
    (tmp_path / "d").mkdir()
    assert refused(tmp_path / "d")  # it was there before
    with pytest.raises(RuntimeError), Run(tmp_path / "e", "zero", Settings()):
        raise RuntimeError("a bug leaves its traces")
    assert (tmp_path / "e" / "config.toml").is_file()


@pytest.mark.parametrize("num_made", range(6))
def test_a_folder_that_holds_only_the_beginnings_of_a_run_is_a_new_run(tmp_path, num_made):
    """Class: whatever a kill or a full disk leaves between the making of a run folder and its config.toml."""
    folder = tmp_path / "run"
    folder.mkdir()
    made = ("rollouts", "evaluations", "checkpoints", "run.lock", ".partial-config.toml")
    for name in made[:num_made]:
        (folder / name).mkdir() if "." not in name else (folder / name).write_text("x")
    with Run(folder, "toy", Settings()) as run:
        assert run.start_step == 0
    assert (folder / "config.toml").exists()


@pytest.mark.parametrize("stray", ["notes.txt", "rollouts/mine.parquet", "checkpoints/step-000001/model"])
def test_a_folder_that_holds_anything_else_is_refused_and_left_as_it_is(tmp_path, stray):
    (tmp_path / stray).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / stray).write_text("mine")
    with pytest.raises(InputError, match="not a run folder"):
        Run(tmp_path, "toy", Settings())
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [tmp_path / stray]

"""The run folder is written in the background: in order, bounded, whole before a checkpoint, and no error is lost."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import threading
import time
import weakref
from pathlib import Path

import pytest
from test_runs import EVERY, Settings, events, groups, names, weights

from sanmai.train import records
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.train.writer import Writer
from sanmai.types import Group, InputError, RunError


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "writer"]


def steps_of(folder: Path) -> list[int]:
    path = folder / "metrics.jsonl"
    return [json.loads(line)["step"] for line in path.read_text().splitlines()] if path.exists() else []


def fail() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_disk(monkeypatch, step: int, code: int = errno.ENOSPC) -> None:
    """Rollouts of this step and later ones cannot be written."""
    write = records.pq.write_table

    def write_table(table, path, **options):
        if table["step"][0].as_py() >= step:
            raise OSError(code, os.strerror(code))
        write(table, path, **options)

    monkeypatch.setattr(records.pq, "write_table", write_table)


def hold_writing_until(monkeypatch, name: str) -> None:
    """Rollouts reach the disk only once that method of the writer has been called."""
    called, method, write = threading.Event(), getattr(Writer, name), records.pq.write_table

    def calling(writer):
        called.set()
        return method(writer)

    def write_table(table, path, **options):
        assert called.wait(timeout=30)
        write(table, path, **options)

    monkeypatch.setattr(Writer, name, calling)
    monkeypatch.setattr(records.pq, "write_table", write_table)


@pytest.fixture
def gate():
    """An Event that writes may wait for; open at the end, so that no thread stays behind."""
    event = threading.Event()
    yield event
    event.set()


def test_everything_is_written_in_the_order_it_was_put_and_the_thread_ends():
    writer, written = Writer(), []
    for number in range(500):
        writer.put(lambda number=number: written.append(number), is_record=number % 3 == 0)
    writer.drain()
    assert written == list(range(500))
    writer.put(lambda: written.append("last"), is_record=False)
    assert writer.close() is None and written[-1] == "last" and not writer.is_alive and threads() == []
    with pytest.raises(ValueError, match="closed"):
        writer.put(lambda: None, is_record=False)


def test_a_full_backlog_holds_the_caller_and_not_without_bound(gate):
    writer = Writer(max_waiting=2, patience_seconds=0.05)
    for _ in range(3):  # one is being written, two wait
        writer.put(gate.wait, is_record=True)
    with pytest.raises(RunError, match=r"taken nothing for 0\.05 s"):
        writer.put(gate.wait, is_record=True)
    writer.put(lambda: None, is_record=False)  # a line of text does not have to wait
    gate.set()
    writer.drain()
    assert writer.close() is None


def test_lines_of_text_are_bounded_too(gate):
    writer = Writer(max_waiting=1, patience_seconds=0.05)
    with pytest.raises(RunError, match="taken nothing"):
        for _ in range(1000):
            writer.put(gate.wait, is_record=False)
    gate.set()
    assert writer.close() is None


def test_a_write_that_hangs_is_reported_and_its_thread_is_known_to_be_alive(gate):
    writer = Writer(patience_seconds=0.05)
    writer.put(gate.wait, is_record=True)
    assert isinstance(writer.close(), RunError) and writer.is_alive
    gate.set()
    assert writer.close() is None and not writer.is_alive


def test_an_error_is_raised_by_every_later_call_and_nothing_after_it_is_written():
    writer, written = Writer(), []
    writer.put(lambda: written.append(1), is_record=True)
    writer.put(fail, is_record=True)
    with contextlib.suppress(OSError):  # raised here if the thread was quick
        writer.put(lambda: written.append(2), is_record=True)
    for call in (writer.drain, lambda: writer.put(lambda: written.append(3), is_record=False)):
        with pytest.raises(OSError, match="No space left"):
            call()
    assert writer.close() is None and written == [1]


def test_an_error_that_no_call_has_raised_comes_back_from_close():
    writer = Writer()
    writer.put(fail, is_record=True)
    assert isinstance(writer.close(), OSError)


def test_what_was_written_is_let_go_of():
    writer, group = Writer(), groups()[0]
    alive = weakref.ref(group)
    writer.put(lambda group=group: None, is_record=True)
    del group
    writer.drain()
    assert alive() is None and writer.close() is None


def test_a_slow_disk_holds_the_run_instead_of_filling_the_memory(tmp_path, monkeypatch):
    made: list[weakref.ref[Group]] = []
    alive, write = [], records.pq.write_table

    def write_table(table, path, **options):
        time.sleep(0.005)
        alive.append(sum(ref() is not None for ref in made))
        write(table, path, **options)

    monkeypatch.setattr(records.pq, "write_table", write_table)
    with Run(tmp_path, "toy", Settings()) as run:
        for step in range(1, 21):
            step_groups = groups()
            made.append(weakref.ref(step_groups[0]))
            run.log_step(step, {}, step_groups)
    # One is being written, two wait, the caller holds one, and its next one may be made before it lets go of that.
    assert max(alive) <= 5 and steps_of(tmp_path) == list(range(1, 21))


def test_a_checkpoint_waits_for_all_that_was_recorded_before_it(tmp_path, monkeypatch):
    hold_writing_until(monkeypatch, "drain")
    found = []

    def write(folder: Path) -> None:
        weights(1)(folder)
        found.extend([names(tmp_path, "rollouts"), names(tmp_path, "evaluations"), steps_of(tmp_path)])
        found.append(events(tmp_path)[-1]["event"])

    with Run(tmp_path, "toy", Settings()) as run:
        run.log_evaluation(1, groups())
        run.log_step(1, {}, groups())
        run.event("mark")
        run.save(1, write, EVERY)
    assert found == [["step-000001.parquet"], ["step-000001.parquet"], [1], "mark"]


def test_leaving_the_run_writes_what_waits_and_leaves_no_thread(tmp_path, monkeypatch):
    hold_writing_until(monkeypatch, "close")
    with Run(tmp_path, "toy", Settings()) as run:
        run.log_step(1, {}, groups())
        run.log_step(2, {}, groups())
        run.event("mark")
        assert threads() == ["writer"]
    assert steps_of(tmp_path) == [1, 2] and events(tmp_path)[-1]["event"] == "mark" and threads() == []


@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, RunError), (errno.EACCES, InputError)])
def test_rollouts_that_cannot_be_written_stop_the_run_and_no_later_line_is_there(tmp_path, monkeypatch, code, kind):
    full_disk(monkeypatch, 2, code)
    with pytest.raises(kind, match=os.strerror(code)) as stopped, Run(tmp_path, "toy", Settings()) as run:
        for step in run.steps(9):
            run.log_step(step, {}, groups())
            run.event("step", step=step)
    assert "\n" not in str(stopped.value)
    assert steps_of(tmp_path) == [1] and names(tmp_path, "rollouts") == ["step-000001.parquet"]
    assert [e["event"] for e in events(tmp_path)] == ["start", "step"] and threads() == []


def test_a_step_whose_rollouts_cannot_be_written_is_not_committed(tmp_path, monkeypatch):
    full_disk(monkeypatch, 2)
    with Run(tmp_path, "toy", Settings()) as run:
        run.log_step(1, {}, groups())
        run.save(1, weights(1), EVERY)
        run.log_step(2, {}, groups())
        with pytest.raises(RunError, match="No space left"):
            run.save(2, weights(2), EVERY)
        with pytest.raises(RunError, match="No space left"):
            run.log_step(3, {})
    assert names(tmp_path, "checkpoints") == ["step-000001"] and steps_of(tmp_path) == [1]


def test_an_error_on_its_way_is_not_masked_and_what_waits_is_written(tmp_path, monkeypatch):
    full_disk(monkeypatch, 2)
    with pytest.raises(ZeroDivisionError) as stopped, Run(tmp_path, "toy", Settings()) as run:
        run.log_step(1, {}, groups())
        run.log_step(2, {}, groups())
        raise ZeroDivisionError
    assert ["No space left" in note for note in stopped.value.__notes__] == [True]
    assert steps_of(tmp_path) == [1] and threads() == []
    with Run(tmp_path, "toy", Settings()) as run:  # the folder was let go of
        assert run.start_step == 0


def test_a_second_ctrl_c_ends_the_wait_for_a_slow_disk(tmp_path, monkeypatch, gate):
    write, main = records.pq.write_table, threading.main_thread().ident
    assert main is not None

    def write_table(table, path, **options):
        if not gate.is_set():
            signal.pthread_kill(main, signal.SIGINT)
            assert gate.wait(timeout=30)
        write(table, path, **options)

    monkeypatch.setattr(records.pq, "write_table", write_table)
    with pytest.raises(KeyboardInterrupt), Run(tmp_path, "toy", Settings()) as run:
        for _ in run.steps(1):
            signal.raise_signal(signal.SIGINT)
            try:
                for step in range(1, 10):
                    run.log_step(step, {}, groups())
            finally:
                gate.set()
    logged = steps_of(tmp_path)
    assert run.interrupted and 1 <= len(logged) <= 4 and logged == list(range(1, len(logged) + 1)) and threads() == []


def test_a_hanging_disk_keeps_the_folder_locked_until_the_write_is_over(tmp_path, monkeypatch, gate):
    run = Run(tmp_path, "toy", Settings())
    run._writer._patience_seconds = 0.05
    monkeypatch.setattr(records.pq, "write_table", lambda *_, **__: gate.wait())
    run.log_step(1, {}, groups())
    with pytest.raises(RunError, match="taken nothing"):
        run.__exit__()
    with pytest.raises(InputError, match=f"pid {os.getpid()}"):
        Run(tmp_path, "toy", Settings())


def test_a_folder_whose_first_event_cannot_be_written_is_refused_at_once(tmp_path):
    (tmp_path / "events.jsonl").mkdir()
    (tmp_path / "config.toml").write_text("")
    with pytest.raises(RunError, match=r"events\.jsonl: writing failed"):
        Run(tmp_path, "toy", Settings())
    assert threads() == []


def test_a_run_written_in_the_background_has_the_bytes_of_one_that_waits_after_each_step(tmp_path):
    config = CheckpointsConfig(every=3)
    for name, waits in (("a", False), ("b", True)):
        with Run(tmp_path / name, "toy", Settings()) as run:
            for step in run.steps(7):
                run.log_evaluation(step, groups())
                run.log_step(step, {"reward/mean": step / 3}, groups())
                if waits:
                    run._writer.drain()
                if run.commits(step, 7, config):
                    run.save(step, weights(step), config)
    files = [p for p in sorted((tmp_path / "a").rglob("*")) if p.is_file() and p.name not in ("events.jsonl", "run.lock")]
    assert len(files) == 7 + 7 + 2 * 2 + 3  # with config.toml, metrics.jsonl and digests.jsonl
    assert [p for p in files if p.read_bytes() != (tmp_path / "b" / p.relative_to(tmp_path / "a")).read_bytes()] == []

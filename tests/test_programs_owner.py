"""Programs and the processes around them on a slow machine: who is killed or late at a bad moment harms no result."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sanmai.programs import run as running
from sanmai.programs.child import _has_no_writer
from sanmai.programs.run import Limits
from untrusted import processes_of_programs, read_bytes, run

STARTS = """
import sys
from sanmai.programs.grade import grade_program
from sanmai.programs.run import run_program
wait = "import time; time.sleep(1)"
run_program(wait) if sys.argv[1] == "script" else grade_program(wait, ["assert f(1) == 2"])
"""


def has_started_a_program(owner: int) -> bool:
    children = read_bytes(Path(f"/proc/{owner}/task/{owner}/children")).split()
    return any(b"sanmai.programs.child" in read_bytes(Path(f"/proc/{int(pid)}/cmdline")) for pid in children)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells of a parent's death on Linux alone")
@pytest.mark.parametrize("kind", ["script", "tests"])
def test_a_run_that_is_killed_while_its_program_starts_leaves_no_process(kind, tmp_path):
    # Until a child has asked the kernel to end it with its parent, a parent's death goes by: it has to look.
    before, environment = processes_of_programs(), os.environ | {"TMPDIR": str(tmp_path)}
    for milliseconds in (2, 6, 10, 14, 18, 24):
        owner = subprocess.Popen([sys.executable, "-c", STARTS, kind], env=environment)
        while not has_started_a_program(owner.pid):
            assert owner.poll() is None
        time.sleep(milliseconds / 1000)
        owner.kill()
        owner.wait()
    deadline = time.monotonic() + 20
    while processes_of_programs() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_of_programs() <= before


@pytest.mark.skipif(sys.platform != "linux", reason="pipes report that their other end is closed in other ways elsewhere")
def test_a_pipe_whose_writer_is_gone_is_known_without_reading_from_it():
    reader, writer = os.pipe()
    assert not _has_no_writer(reader)
    os.write(writer, b"question")
    assert not _has_no_writer(reader)
    os.close(writer)
    assert _has_no_writer(reader) and os.read(reader, 99) == b"question"
    os.close(reader)


LATE = """
import sanmai.programs.child as child, time
say = child.say
child.say = lambda report, fact: (time.sleep(0.3 if "warden" in fact else 0), say(report, fact))
"""


@pytest.mark.parametrize(("code", "stop"), [
    ("print('x', end='')", "exit"), ("import os; os._exit(3)", "exit"), ("while True: print('x' * 1000)", "output"),
    ("import os; os.kill(os.getpid(), 9)", "signal"),
])  # fmt: skip
def test_a_program_that_is_done_before_its_judge_has_said_that_it_began_has_a_result(code, stop, monkeypatch):
    # Else a program that floods its output would now and then be the machine's fault, and not be graded.
    monkeypatch.setattr(running, "_BOOT", running._BOOT.replace("main(", f"{LATE}main(", 1))
    assert run(code, limits=Limits(timeout_seconds=5)).stop == stop

"""Folders for what is not kept: gone when left, and after a kill with the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from sanmai import scratch as own
from sanmai.scratch import scratch

HOLDER = """
import sys, time
from pathlib import Path
from sanmai.scratch import scratch
with scratch(Path(sys.argv[2]) if sys.argv[2] else None) as folder:
    (folder / "deep").mkdir()
    (folder / "deep" / "file").write_text("x")
    (folder / "deep").chmod(0)
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def fresh(monkeypatch, tmp_path):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(own, "_swept", set())


def holder(tmp_path: Path, beside: str) -> tuple[subprocess.Popen, Path]:
    paths = os.pathsep.join(filter(None, sys.path))
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, "x", beside], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": paths, "TMPDIR": str(tmp_path / "tmp")},
    )
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


@pytest.mark.parametrize("beside", [False, True])
def test_what_a_kill_left_goes_with_the_next_and_what_is_in_use_stays(tmp_path, beside):
    place = tmp_path / "kept" if beside else tmp_path / "tmp"
    place.mkdir(exist_ok=True)
    holding, folder = holder(tmp_path, str(place) if beside else "")
    assert folder.parent.parent == place
    with scratch(place if beside else None) as mine:
        assert folder.is_dir() and mine.stat().st_mode & 0o77 == 0
    assert os.listdir(place) == [folder.parent.name]
    holding.send_signal(signal.SIGKILL)
    holding.wait(20)
    own._swept.clear()  # as another process would
    with scratch(place if beside else None):
        assert not folder.parent.exists()
    assert os.listdir(place) == []


def test_one_that_is_being_made_is_left_for_an_hour(tmp_path):
    made = tmp_path / "tmp" / f"sanmai-{os.getuid()}-new"
    other = tmp_path / "tmp" / "sanmai-clips-of-somebody"
    made.mkdir()
    other.mkdir()
    with scratch():
        assert made.is_dir()
    own._swept.clear()
    long_ago = time.time() - 7200
    os.utime(made, (long_ago, long_ago))
    with scratch():
        assert not made.exists() and other.is_dir()

"""Runs and grades untrusted programs for the tests that are about them, and finds the processes that they start."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest

from sanmai.programs.grade import grade_program
from sanmai.programs.run import Limits, run_program

SHORT = Limits(timeout_seconds=0.7)
ISOLATION = run_program("").isolation
NAMED = """
    import ctypes, os, time
    def rename(mark):
        ctypes.CDLL(None).prctl(15, mark.encode(), 0, 0, 0)
"""
"""Before a program's own lines: it may then give itself a name that `processes_named` finds."""


def needs(part: str):
    """Skips where the kernel forbids what the test is about; `Isolation` then says so to every user."""
    return pytest.mark.skipif(not getattr(ISOLATION, part), reason=f"this machine gives no {part} isolation")


def run(code: str, **options):
    return run_program(textwrap.dedent(code), **options)


def grade(code: str, *tests: str, **options):
    return grade_program(textwrap.dedent(code), tests, **options)


def read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the process ended
        return b""


def processes_named(mark: str) -> list[Path]:
    """Live processes that gave themselves this name."""
    stats = {path: read_bytes(path).decode(errors="replace") for path in Path("/proc").glob("[0-9]*/stat")}
    return [path for path, text in stats.items() if f"({mark})" in text and text.rpartition(")")[2].split()[0] not in "ZX"]


def processes_of_programs() -> int:
    """Those of the sandbox that this process started, or whose owner is gone: other tests may be running."""
    parents, ours = {}, set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        fields = read_bytes(path).decode(errors="replace").rpartition(")")[2].split()
        if fields and b"sanmai.programs.child" in read_bytes(path.with_name("cmdline")):
            parents[int(path.parent.name)] = int(fields[1])
    for pid in parents:
        owner = pid
        while owner in parents:
            owner = parents[owner]
        ours |= {pid} if owner in (os.getpid(), 1) else set()
    return len(ours)

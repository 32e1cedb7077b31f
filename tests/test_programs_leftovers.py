"""Nothing of a program is left, no process, file, socket, segment or mount; and it holds no more than its limits."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from leftovers import added, key_of, leaver, left_behind, open_files
from sanmai.programs.run import Limits
from untrusted import ISOLATION, SHORT, grade, needs, processes_named, processes_of_programs, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.mark.skipif(not (ISOLATION.root and ISOLATION.system_calls), reason="nothing here keeps programs from it")
def test_a_program_that_tries_everything_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mark = f"left{os.getpid()}"
    before, mode = left_behind(), os.stat("/tmp").st_mode
    counted = open_files(), processes_of_programs(), threading.active_count()
    place = tmp_path / "place"
    place.mkdir()
    for _ in range(3):
        done = run(leaver(mark, place) + "print('through')", limits=SHORT)
        assert done.stdout == "through\n", done.stderr
        assert grade(leaver(mark, place), "assert f(1) == 1", "assert f(2) == 1", limits=SHORT).passed == 1
    assert added(before, mark) == {} and processes_named(mark) == [] and os.stat("/tmp").st_mode == mode
    assert os.listdir(place) == [] and os.listdir(tmp_path) == ["place"]
    assert (open_files(), processes_of_programs(), threading.active_count()) == counted


def test_what_is_looked_for_would_be_seen(tmp_path):
    # Else finding none of it would say nothing: here the same program runs as any does.
    mark, before = f"seen{os.getpid()}", left_behind()
    libc = ctypes.CDLL(None)
    try:
        subprocess.run([sys.executable, "-c", leaver(mark, tmp_path)], timeout=60, check=True)
        waited = time.monotonic() + 30
        while not processes_named(mark) and time.monotonic() < waited:  # it names itself when it has left its parents
            time.sleep(0.01)
        found = added(before, mark)
        assert {"net/unix", "/tmp"} <= set(found) and len(processes_named(mark)) == 1
        assert {"sysvipc/shm", "sysvipc/sem", "sysvipc/msg"} <= set(found) or not Path("/proc/sysvipc").is_dir()
        assert {path.name for path in tmp_path.iterdir()} == {mark, f"socket-{mark}"}
    finally:
        for process in processes_named(mark):
            os.kill(int(process.parent.name), signal.SIGKILL)
        key = key_of(mark)
        libc.shmctl(libc.shmget(key, 4096, 0), 0, None)
        libc.semctl(libc.semget(key, 1, 0), 0, 0)
        libc.msgctl(libc.msgget(key, 0), 0, None)
        for folder in ("/dev/shm", "/tmp", "/var/tmp", "/dev/mqueue"):
            Path(folder, mark).unlink(missing_ok=True)


@needs("system_calls")
def test_a_socket_has_no_larger_buffer_than_any_and_pairs_still_work():
    # 4 MiB each and way, of 127 pairs, in each of 16 processes: memory of the kernel's, which counts for no limit.
    done = run("""
        import asyncio, multiprocessing, socket
        one, other = socket.socketpair()
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF, 32):
            try: one.setsockopt(socket.SOL_SOCKET, option, 1 << 30); print("larger")
            except OSError as error: print(error.errno, end=" ")
        receive, send = multiprocessing.Pipe()
        send.send([1])
        async def echo():
            child = await asyncio.create_subprocess_exec("/bin/echo", "two", stdout=-1)
            return (await child.communicate())[0]
        print(receive.recv(), asyncio.run(echo()) if ALONE else b"two\\n")
    """.replace("ALONE", str(not ISOLATION.alone)))  # fmt: skip
    assert done.stdout == "1 1 1 [1] b'two\\n'\n", done.stderr


def test_the_input_is_read_and_no_disk_and_no_file_else_is_open():
    done = run("""
        import os, stat
        found = []
        for fd in range(256):
            try: found.append((fd, stat.S_IFMT(os.fstat(fd).st_mode) == stat.S_IFREG))
            except OSError: pass
        print(found, input())
        for attempt in (lambda: os.write(0, b"x"), lambda: os.ftruncate(0, 1 << 20), lambda: os.posix_fallocate(0, 0, 1 << 20)):
            try: attempt(); print("wrote")
            except OSError as error: print("no", end=" ")
    """, stdin="first\nsecond")  # fmt: skip
    assert done.stdout == "[(0, True), (1, False), (2, False)] first\nno no no ", done.stderr


@needs("system_calls")
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="machine code of x86-64")
def test_calls_by_the_numbers_of_32_bits_end_the_program():
    # mov eax, 20 (getpid); int 0x80; ret
    done = run(r"""
        import ctypes, mmap
        page = mmap.mmap(-1, 4096, prot=7)
        page.write(b"\xb8\x14\0\0\0\xcd\x80\xc3")
        print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))())
    """)
    assert (done.stop, done.signal, done.stdout) == ("signal", 31, "")  # SIGSYS


def test_many_at_once_leave_nothing_either(tmp_path, monkeypatch):
    if not (ISOLATION.root and ISOLATION.system_calls):
        pytest.skip("nothing here keeps programs from it")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mark, before = f"many{os.getpid()}", left_behind()
    limits = Limits(timeout_seconds=20, cpu_seconds=1, memory_bytes=1 << 28, processes=4)
    with ThreadPoolExecutor(4) as threads:
        passed = list(threads.map(lambda _: grade(leaver(mark, "/tmp"), "assert f(1) == 1", limits=limits).passed, range(24)))
    assert passed == [1] * 24
    assert added(before, mark) == {} and processes_named(mark) == [] and os.listdir(tmp_path) == []

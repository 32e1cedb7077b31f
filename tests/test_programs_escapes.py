"""An untrusted program sees nothing of the machine, reaches nobody, and is gone with all that it started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sanmai.programs.grade import grade_program
from sanmai.programs.run import Limits
from untrusted import ISOLATION, NAMED, SHORT, needs, processes_named, read_bytes, run


def test_nothing_of_the_parent_is_inherited(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    read, write = os.pipe()
    os.set_inheritable(write, True)
    done = run("""
        import os, sys
        def is_open(fd):
            try: os.fstat(fd); return True
            except OSError: return False
        print([fd for fd in range(1000) if is_open(fd)], sorted(os.environ), os.getcwd() not in sys.path, os.listdir())
    """)
    os.close(read)
    os.close(write)
    assert done.stdout == "[0, 1, 2] ['HOME', 'LC_ALL', 'PATH', 'PYTHONHASHSEED', 'TMPDIR'] True []\n"


def test_site_packages_are_not_there():
    assert run("import numpy").stderr.endswith("ModuleNotFoundError: No module named 'numpy'\n")


@needs("network")
def test_no_connection_not_even_to_this_machine():
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    done = run(f"""
        import socket
        for address in [("127.0.0.1", {port}), ("192.0.2.1", 80)]:
            try: socket.create_connection(address, timeout=1); print("connected")
            except OSError: print("no")
    """)
    server.close()
    assert done.stdout == "no\nno\n"


@needs("root")
def test_files_of_the_user_are_not_to_be_seen_and_none_are_written(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    done = run(f"""
        import os, sys
        private = [{str(secret)!r}, "/proc/self", "/etc/passwd", {str(Path.home() / ".ssh")!r}, "/home"]
        print(any(map(os.path.exists, private)))
        for path in ["/usr/bin/x", os.path.dirname(os.__file__) + "/x.py", "/lib/x", sys.executable]:
            try: open(path, "w"); print("wrote", path)
            except OSError: pass
        os.symlink({str(secret)!r}, "link")
        try: open("link").read(); print("read")
        except OSError: print("no")
    """)
    assert done.stdout == "False\nno\n" and secret.read_text() == "hunter2"


@needs("processes")
def test_no_other_process_can_be_signalled():
    # -1 is every process that it may signal: its warden is the first of its namespace and takes no signal from within.
    done = run(f"""
        import os
        for pid in [{os.getpid()}, os.getppid(), 1]:
            try: os.kill(pid, 9); print("sent", pid)
            except OSError: pass
        print("done", os.getpid() != {os.getpid()}, flush=True)
        os.kill(-1, 9)
    """)
    assert done.stdout.endswith("done True\n") and done.stop == "exit"


@pytest.mark.skipif(not ISOLATION.process_limit or ISOLATION.alone, reason="this machine gives no number of processes")
def test_a_fork_bomb_is_small():
    done = run("""
        import os, time
        made = 0
        try:
            while True:
                if os.fork() == 0: time.sleep(60)
                made += 1
        except BlockingIOError: print(made)
    """, limits=Limits(processes=5, timeout_seconds=5))  # fmt: skip
    assert done.stdout == "4\n"  # with the program itself five


@needs("files")
def test_no_privileges_are_left_or_to_be_had():
    done = run("""
        import ctypes, os
        libc = ctypes.CDLL(None)
        print(libc.unshare(0x10000000), libc.mount(b"none", b"/tmp", b"tmpfs", 0, None), libc.chroot(b"/tmp"))
        print(os.getuid() != 0 and libc.setuid(0))
    """)
    assert done.stdout.startswith("-1 -1 -1\n") and (done.stdout.endswith("\n-1\n") or os.getuid() == 0)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(("detach", "last"), [
    ("os.setsid()", ""), ("os.setpgid(0, 0)", "os._exit(7)"), ("os.setsid(); os.fork() and os._exit(0); os.setsid()", ""),
    ("os.setsid(); os.fork() and os._exit(0); os.setsid()", "time.sleep(60)"),
])
def test_a_daemon_dies_with_its_program(detach, last):
    mark = f"sanmai-{os.getpid() % 100000}"
    done = run(textwrap.dedent(NAMED) + textwrap.dedent(f"""
        if os.fork() == 0:
            {detach}
            rename({mark!r})
            for fd in (0, 1, 2): os.close(fd)
            time.sleep(60)
            os._exit(0)
        time.sleep(0.1)
        {last}
    """), limits=SHORT)  # fmt: skip
    assert done.stop == ("timeout" if "sleep" in last else "exit")
    assert processes_named(mark) == []


def test_a_daemon_that_keeps_the_output_open_does_not_hold_up_the_result():
    start = time.monotonic()
    done = run("import os, time\nif os.fork() == 0: time.sleep(60)\nprint('over')", limits=Limits(timeout_seconds=30))
    assert done.stdout == "over\n" and done.stop == "exit" and time.monotonic() - start < 25


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    hostile = """
        import os, subprocess, sys
        os.makedirs("a/b"); open("a/b/c", "w").close(); os.symlink("/", "a/root"); os.chmod("a/b", 0); os.chmod("a", 0)
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
        os.kill(os.getpid(), 9)
    """
    sockets = "import socket\nkept = [socket.socketpair() for _ in range(9)]\nwhile True: pass"
    run("")
    files, threads = len(os.listdir("/dev/fd")), threading.active_count()
    for code in ["print(1)", hostile, sockets, "while True: print(1)", "import os; os._exit(1)", "syntax error"]:
        run(code, limits=Limits(timeout_seconds=2, output_bytes=1000))
        grade_program(textwrap.dedent(code), ["assert f(1) == 2"], limits=SHORT)
    assert os.listdir(tmp_path) == [] and len(os.listdir("/dev/fd")) == files and threading.active_count() == threads


CALLS = """
import ctypes, errno, mmap, os, platform
libc = ctypes.CDLL(None, use_errno=True)
arm = platform.machine() == "aarch64"
numbers = dict(  # x86-64, ARM
    socket=(41, 198), ptrace=(101, 117), keyctl=(250, 219), add_key=(248, 217), bpf=(321, 280), perf_event_open=(298, 241),
    userfaultfd=(323, 282), io_uring_setup=(425, 425), mount=(165, 40), unshare=(272, 97), setns=(308, 268),
    memfd_create=(319, 279), shmget=(29, 194), process_vm_writev=(311, 271), open_by_handle_at=(304, 265), modify_ldt=(154, None))
def answer(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments or (0,) * 6))
    return result if result >= 0 else errno.errorcode[ctypes.get_errno()]
print({name: found for name, pair in numbers.items() if pair[arm] and (found := answer(pair[arm])) != "EPERM"})
"""


@needs("system_calls")
def test_calls_that_no_program_needs_are_refused_and_new_ones_are_unknown():
    done = run(CALLS + "print(answer(451), answer(500), answer(0x40000000 + 39), answer(0x40000000 + 41, 2, 1, 0))")
    assert done.stdout == "{}\nENOSYS ENOSYS ENOSYS ENOSYS\n", done.stderr


@needs("system_calls")
def test_no_kind_of_socket_is_made_but_a_pair_that_leads_nowhere():
    # The host of a virtual machine (AF_VSOCK, 40) is in every network namespace.
    done = run("""
        import socket
        for family, kind in [(40, 1), (1, 1), (1, 2), (2, 1), (10, 2), (16, 3), (17, 3), (38, 5)]:
            try: socket.socket(family, kind); print("made", family)
            except OSError as error: print(error.errno, end=" ")
        for kind in (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
            try: socket.socketpair(socket.AF_UNIX, kind); print("made")
            except OSError as error: print(error.errno, end=" ")
        import asyncio
        print(asyncio.run(asyncio.sleep(0, "awake")))
    """)
    assert done.stdout == "1 " * 10 + "awake\n", done.stderr


@needs("system_calls")
def test_memory_that_counts_for_no_limit_cannot_be_had():
    # 256 files of 16 MiB each, in memory and in no folder: four times the limit of the process.
    done = run("import os\nfor i in range(3):\n    try: os.memfd_create('x')\n    except PermissionError: print('no', end='')")
    assert done.stdout == "nonono"


@needs("system_calls")
def test_no_other_process_is_signalled_through_a_file_or_has_its_limits_changed():
    done = run("""
        import fcntl, resource
        for attempt in (lambda: fcntl.fcntl(1, fcntl.F_SETOWN, 1), lambda: fcntl.fcntl(1, fcntl.F_SETSIG, 9),
                        lambda: fcntl.ioctl(1, 0x8901, b"1234"), lambda: resource.prlimit(1, resource.RLIMIT_CPU, (1, 1))):
            try: attempt(); print("done")
            except OSError as error: print(error.errno, end=" ")
        print(fcntl.fcntl(1, fcntl.F_GETFD), resource.prlimit(0, resource.RLIMIT_CORE))
    """)
    assert done.stdout == "1 1 1 1 0 (0, 0)\n", done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_when_memory_runs_out_programs_are_ended_first():
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(run, "import time; time.sleep(0.5)")
        seen, own = set(), Path("/proc/self/oom_score_adj").read_text()
        while not running.done():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                if b"sanmai.programs.child" in read_bytes(path):
                    seen.add(read_bytes(path.with_name("oom_score_adj")))
        assert b"1000\n" in seen and Path("/proc/self/oom_score_adj").read_text() == own


OWNER = """
import sys
from sanmai.programs.confine import Rule, refuse
from sanmai.programs.run import run_program
if sys.argv[1] == "without":
    assert refuse([Rule("unshare")])
run_program(sys.stdin.read())
"""


@pytest.mark.skipif(not ISOLATION.system_calls, reason="without a filter no machine without namespaces can be played")
@pytest.mark.parametrize("namespaces", ["with", "without"])
def test_a_program_dies_with_the_run_that_started_it(namespaces, tmp_path):
    mark = f"sanmai+{os.getpid() % 100000}"
    stay = "import os, signal\nfor s in (1, 2, 15): signal.signal(s, signal.SIG_IGN)\n" + textwrap.dedent(NAMED)
    stay += f"rename({mark!r})\nctypes.CDLL(None).prctl(1, 0, 0, 0, 0)\ntime.sleep(60)\n"  # nor with its parent, if it may choose
    environment = os.environ | {"TMPDIR": str(tmp_path)}  # where its working folder stays
    owner = subprocess.Popen([sys.executable, "-c", OWNER, namespaces], stdin=subprocess.PIPE, text=True, env=environment)
    owner.stdin.write(stay)
    owner.stdin.close()
    deadline = time.monotonic() + 30
    while not processes_named(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(processes_named(mark)) == 1
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    while processes_named(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert processes_named(mark) == []

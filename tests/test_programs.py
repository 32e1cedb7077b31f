"""Untrusted programs are bounded, shut in and gone afterwards; only right results pass tests."""

from __future__ import annotations

import os
import random
import re
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

from sanmai.programs.grade import Outcome, Value, evaluate_program, grade_program
from sanmai.programs.plain import decoded, encoded
from sanmai.programs.run import Isolation, Limits, describe_isolation, run_program

SHORT = Limits(timeout_seconds=0.7)
ISOLATION = run_program("").isolation


def needs(part: str):
    """Skips where the kernel forbids what the test is about; `Isolation` then says so to every user."""
    return pytest.mark.skipif(not getattr(ISOLATION, part), reason=f"this machine gives no {part} isolation")


def run(code: str, **options):
    return run_program(textwrap.dedent(code), **options)


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


NAMED = """
    import ctypes, os, time
    def rename(mark):
        ctypes.CDLL(None).prctl(15, mark.encode(), 0, 0, 0)
"""


# Running.


def test_a_program_reads_its_input_writes_its_output_and_keeps_its_exit_code():
    done = run("import sys; print(input()[::-1]); print('oh', file=sys.stderr); sys.exit(3)", stdin="abc\n")
    assert (done.stop, done.exit_code, done.stdout, done.stderr) == ("exit", 3, "cba\n", "oh\n")
    assert not done.timed_out and not done.out_of_memory


def test_an_error_ends_with_code_1_and_a_traceback_of_the_program_alone():
    done = run("def f():\n    return 1 / 0\nf()")
    assert done.exit_code == 1 and done.stderr.endswith("ZeroDivisionError: division by zero\n")
    assert done.stderr.count("File ") == 2 and "sanmai" not in done.stderr


def test_a_program_is_the_main_module_and_ends_as_any_interpreter_does():
    done = run("""
        import atexit, dataclasses, threading, time
        @dataclasses.dataclass
        class Point: x: int
        atexit.register(print, "third")
        if __name__ == "__main__":
            threading.Thread(target=lambda: (time.sleep(0.05), print("second"))).start()
            print("first", Point(1))
    """)
    assert done.stdout == "first Point(x=1)\nsecond\nthird\n" and done.exit_code == 0


def test_the_order_of_a_set_of_strings_is_the_same_in_every_run():
    code = "print({'a', 'b', 'c', 'd', 'e', 'f'})"
    assert len({run(code).stdout for _ in range(3)}) == 1


@pytest.mark.parametrize(("code", "stop"), [
    ("while True: pass", "timeout"),
    ("import time; time.sleep(60)", "timeout"),
    ("import signal, time\nfor s in set(signal.Signals) - {9, 19}: signal.signal(s, signal.SIG_IGN)\ntime.sleep(60)", "timeout"),
    ("input(); import time; time.sleep(60)", "exit"),  # there is no input to wait for
    ("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", "timeout"),
    ("while True: print('x' * 1000)", "output"),
    ("import os\nwhile True: os.write(2, b'x' * 1000)", "output"),
    ("import os; os.abort()", "signal"),
    ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal"),
])  # fmt: skip
def test_no_program_runs_or_writes_for_ever(code, stop):
    done = run(code, limits=Limits(timeout_seconds=0.3 if stop == "timeout" else 30, output_bytes=10_000))
    assert done.stop == stop
    assert len(done.stdout) <= 10_000 and len(done.stderr) <= 10_000


def test_cpu_time_has_a_limit_of_its_own():
    done = run("while True: pass", limits=Limits(cpu_seconds=1, timeout_seconds=30))
    assert done.stop == "cpu_time" and done.timed_out and done.cpu_seconds < 3


def test_memory_ends_in_a_memory_error():
    done = run("x = bytearray(2 << 30)")
    assert done.out_of_memory and done.exit_code == 1


def test_a_file_stops_growing_at_its_limit():
    done = run("""
        with open("big", "wb", buffering=0) as file:
            try:
                for _ in range(100): file.write(b"x" * 100_000)
            except OSError as error:
                print(error.strerror, file.tell())
    """, limits=Limits(file_bytes=1_000_000))  # fmt: skip
    assert done.stdout == "File too large 1000000\n"


@needs("root")
def test_many_files_are_bounded_together():
    done = run("""
        try:
            for i in range(100):
                with open(f"{i}", "wb", buffering=0) as file: file.write(b"x" * 1_000_000)
        except OSError as error: print(error.strerror, 1 <= i < 10)
    """, limits=Limits(folder_bytes=8_000_000))  # fmt: skip
    assert done.stdout == "No space left on device True\n"


def test_every_limit_must_be_positive():
    with pytest.raises(ValueError, match=r"processes = 0: expected a positive number"):
        Limits(processes=0)


def test_threads_may_run_programs_at_the_same_time():
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda i: run_program(f"print({i})").stdout, range(12)))
    assert results == [f"{i}\n" for i in range(12)]


# Shut in.


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


# A machine without namespaces, played by a filter that refuses them. What programs try here is harmless should it succeed: it is
# done to a process and a folder that the test made for it.

PLAYED = """
import json, sys
from dataclasses import asdict
from sanmai.programs.confine import Rule, refuse
rules = {"namespaces": Rule("unshare"), "landlock": Rule("landlock_create_ruleset"), "seccomp": Rule("prctl", never=(22,))}
job = json.load(sys.stdin)
assert refuse([rules[name] for name in job["without"]])
from sanmai.programs.grade import grade_program
from sanmai.programs.run import describe_isolation, run_program
done = run_program(job["code"])
graded = grade_program("def f(x): return 2 * x", ["assert f(2) == 4", "assert f(2) == 5"])
print(json.dumps([done.stdout, done.stderr, asdict(done.isolation), graded.share, describe_isolation()]))
"""
TRIES = """
import fcntl, os, resource, socket, subprocess, threading
def try_(name, attempt):
    try: attempt(); print(name, end=" ")
    except OSError: pass
try_("socket", socket.socket)
try_("start", lambda: subprocess.run(["/bin/true"]))
try_("read", lambda: open(PLACE + "/secret").read())
try_("list", lambda: os.listdir(PLACE))
try_("write", lambda: open(PLACE + "/new", "w"))
try_("append", lambda: open(PLACE + "/secret", "a"))
try_("truncate", lambda: os.truncate(PLACE + "/secret", 1))
try_("mode", lambda: os.chmod(PLACE + "/secret", 0o600))
try_("date", lambda: os.utime(PLACE + "/secret", (0, 0)))
try_("link", lambda: (os.symlink(PLACE + "/secret", "link"), open("link").read()))
try_("remove", lambda: os.remove(PLACE + "/spare"))
try_("environment", lambda: open(f"/proc/{DECOY}/environ", "rb").read())
try_("signal", lambda: os.kill(DECOY, 0))
try_("signal_parent", lambda: os.kill(os.getppid(), 0))
try_("owner", lambda: fcntl.fcntl(1, fcntl.F_SETOWN, DECOY))
try_("limits", lambda: resource.prlimit(DECOY, resource.RLIMIT_CORE, (0, 0)))
print("/ own:", end=" ")
try_("file", lambda: (open("own", "w").write("x"), os.mkdir("folder"), os.rename("own", "folder/own"), os.remove("folder/own")))
try_("thread", lambda: (thread := threading.Thread(target=int), thread.start(), thread.join()))
try_("signal", lambda: os.kill(os.getpid(), 0))
"""


def played(tmp_path, *without: str):
    """What TRIES could do on a machine without these, and the rest that PLAYED prints."""
    import json

    (tmp_path / "secret").write_text("hunter2")
    (tmp_path / "spare").write_text("")
    decoy = subprocess.Popen(["/bin/sleep", "60"])
    try:
        job = {"without": without, "code": f"PLACE, DECOY = {str(tmp_path)!r}, {decoy.pid}\n{TRIES}"}
        done = subprocess.run([sys.executable, "-c", PLAYED], input=json.dumps(job), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 and decoy.poll() is None, done.stderr
    finally:
        decoy.kill()
        decoy.wait()
    stdout, stderr, isolation, share, sentences = json.loads(done.stdout)
    assert stderr == "" and share == 0.5
    return stdout.strip(), Isolation(**isolation), sentences


@pytest.mark.skipif(not ISOLATION.system_calls, reason="no filter of system calls here")
def test_without_namespaces_filter_and_landlock_contain_the_same_but_for_names(tmp_path):
    did, isolation, sentences = played(tmp_path, "namespaces")
    if not isolation.files:
        pytest.skip("no Landlock here")
    assert did == "/ own: file thread signal" and (tmp_path / "secret").read_text() == "hunter2"
    assert isolation.alone and isolation.network and isolation.processes and isolation.process_limit
    (missing,) = [sentence for sentence in sentences if "NOT CONTAINED" in sentence]
    assert "that a file exists" in missing and isolation.missing == (missing.split(": ", 2)[2],)


@pytest.mark.skipif(not ISOLATION.system_calls, reason="no filter of system calls here")
def test_without_landlock_too_files_are_open_and_that_is_said(tmp_path):
    did, isolation, sentences = played(tmp_path, "namespaces", "landlock")
    assert did == "read list write append link remove / own: file thread signal" and not isolation.files
    assert sum("NOT CONTAINED" in sentence for sentence in sentences) == 2 == len(isolation.missing)


@pytest.mark.skipif(not ISOLATION.root, reason="no namespaces here")
def test_without_a_filter_namespaces_still_contain_and_open_calls_are_said(tmp_path):
    did, isolation, _ = played(tmp_path, "seccomp")
    # Sockets that lead nowhere, its warden's existence: nothing of the machine's.
    assert set(did.partition(" / ")[0].split()) <= {"socket", "start", "signal_parent"} and isolation.files
    assert len(isolation.missing) == 1 and "system calls" in isolation.missing[0]


def test_with_nothing_in_force_every_gap_has_a_sentence():
    whole = Isolation(network=True, processes=True, files=True, process_limit=True, user=False, root=True, system_calls=True)
    assert whole.missing == ()
    open_ = Isolation(network=False, processes=False, files=False, process_limit=False, user=True)
    assert len(open_.missing) == 6 and "the network is not blocked" in open_.missing


def test_what_is_contained_here_is_described():
    sentences = describe_isolation()
    assert all(sentence.startswith("untrusted programs: ") for sentence in sentences)
    assert sum("NOT CONTAINED" in sentence for sentence in sentences) == len(ISOLATION.missing)
    assert ("all protections work" in sentences[-1]) == (ISOLATION.missing == ())


FILTERS = """
import errno, fcntl, os, resource
from sanmai.programs.confine import Rule, refuse
assert refuse([Rule("fcntl", 1, never=(1, 3)), Rule("prlimit64", 1, only=(4, 7)), Rule("kill", 1, mask=0xF, only=(0,))])
def tried(attempt):
    try: attempt(); return "yes"
    except PermissionError: return "no"
print(*(tried(lambda: fcntl.fcntl(0, command)) for command in (1, 2, 3)))                   # F_GETFD, F_SETFD, F_GETFL
print(*(tried(lambda: resource.prlimit(0, kind)) for kind in (4, 5, 7)))
print(tried(lambda: os.kill(os.getpid(), 0)), tried(lambda: os.kill(os.getpid(), 17)))      # 17 & 15 = 1: ignored if sent
try: refuse([Rule("no_such_call")])
except ValueError as error: print(error)
"""


@pytest.mark.skipif(not ISOLATION.system_calls, reason="no filter of system calls here")
def test_a_rule_looks_at_the_argument_that_it_names():
    done = subprocess.run([sys.executable, "-c", FILTERS], capture_output=True, text=True, timeout=60)
    lines = ["no yes no", "yes no yes", "yes no", "call = 'no_such_call': expected a system call of the tables below"]
    assert done.stdout.splitlines() == lines, done.stderr


# Plain data.


def test_plain_data_crosses_unchanged():
    value = [None, True, 2, -(1 << 80), 1.5, float("inf"), "é\ud800", (1, (2,)), {1, "a"}, frozenset({3}), b"\x00\xff", 1 + 2j,
             {(1, 2): [3], None: {}}, [], (), set(), {}, "", {"t": [1]}]  # fmt: skip
    back = decoded(encoded(value, lambda _: 1 / 0), lambda _: 1 / 0)
    assert back == value and [type(item) for item in back] == [type(item) for item in value]


def test_a_subclass_arrives_as_its_base_whatever_it_overrides():
    class Liar(int):
        def __eq__(self, other): return True
        __hash__ = None
        def __index__(self): return 99
        def __int__(self): return 99
        def __lt__(self, other): raise ValueError

    class Echo(list):
        def __iter__(self): return iter([99])
        def __eq__(self, other): return True

    back = decoded(encoded([Liar(1), Echo([1, 2])], lambda _: 1 / 0), lambda _: 1 / 0)
    assert back == [1, [1, 2]] and type(back[0]) is int and type(back[1]) is list and (back[0] == 2) is False


@pytest.mark.parametrize("data", [{}, {"t": [], "s": []}, {"x": 1}, {"i": 5}, {"i": "zz"}, {"s": [[1]]}, {"d": [1]}, {"d": [[1]]},
                                  {"b": "g"}, {"c": [1, 2, 3]}, {"r": 0.5}, {"t": 5}])  # fmt: skip
def test_what_is_no_plain_data_is_refused(data):
    with pytest.raises((ValueError, TypeError)):
        decoded(data, lambda _: None)


# Grading.

ADD = "def add(a, b):\n    return a + b\n"


def grade(code: str, *tests: str, **options):
    return grade_program(textwrap.dedent(code), tests, **options)


def test_each_test_has_its_own_outcome():
    tests = ["assert add(2, 3) == 5", "assert add(2, 3) == 6", "assert add('a', 'b') == 'ab'", "assert add(1, '') == 1"]
    result = grade(ADD, *tests)
    assert [outcome.passed for outcome in result.outcomes] == [True, False, True, False]
    assert result.outcomes[3].reason.startswith("TypeError: unsupported operand")
    assert (result.passed, result.failed, result.share, result.all_passed) == (2, 2, 0.5, False)
    assert result.program.stop == "judged"


@pytest.mark.parametrize(("code", "test"), [
    ("from collections import Counter\ndef f(x): return Counter(x)", "assert f('aab') == {'a': 2, 'b': 1}"),
    ("from collections import namedtuple\nP = namedtuple('P', 'x y')\ndef f(x): return P(x, x)", "assert f(1) == (1, 1)"),
    ("def f(x):\n    yield from range(x)", "assert list(f(3)) == [0, 1, 2]"),
    ("def f(x): x.sort()", "x = [3, 1, 2]\nassert f(x) is None and x == [1, 2, 3]"),
    ("class Node:\n    def __init__(self, v): self.v, self.next = v, None\ndef f(n): return n.v + n.next.v",
     "n = Node(1)\nn.next = Node(2)\nassert f(n) == 3 and n.next.v == 2"),
    ("class Stack:\n    def __init__(self): self.x = []\n    def push(self, v): self.x.append(v); return self.x",
     "s = Stack()\ns.push(1)\nassert s.push(2) == [1, 2]"),
    ("def f(x):\n    if x < 0: raise ValueError('negative')\n    return x",
     "try:\n    f(-1)\nexcept ValueError as e:\n    assert str(e) == 'negative'\nelse:\n    assert False"),
    ("class MyError(Exception): pass\ndef f(): raise MyError('x')", "try:\n    f()\nexcept Exception as e:\n    pass"),
    ("def f(x, *, by=1): return x + by", "assert f(1, by=4) == 5"),
    ("def f(): return 10 ** 5000", "assert f() == 10 ** 5000"),
    ("def f(x): return x is None or x != x", "assert f(float('nan')) and f(None) and not f(float('inf'))"),
    ("def f(x, kind): return [kind(i) for i in x if not isinstance(i, kind)]", "assert f([1, 2.5], int) == [2]"),
    ("TABLE = {1: 2}", "assert TABLE[1] == 2"),
    ("import sys\ndef f(x): return x", "assert math.isclose(f(1.0), 1.0) and sys.maxsize > 0"),
    ("def f(x): return x", "def check(g):\n    for i in range(20):\n        assert g(i) == i\ncheck(f)"),
])  # fmt: skip
def test_a_right_program_passes(code, test):
    assert grade(code, test).outcomes == (Outcome(True, "passed"),)


SECRET = random.randrange(10_000, 100_000)
LOOK = r'''
import os, re, sys
def look(text):
    found = re.search(r"assert f.1. =" r"= (\d+)", text)
    return int(found[1]) if found else 0
'''
"""Finds the expected value where the text of the first test is; `== SECRET` stands in no program."""
CHEATS = {
    "exit at import": 'import sys; sys.exit(0)',
    "hard exit at import": 'import os; os._exit(0)',
    "exit when called": 'def f(x): raise SystemExit(0)',
    "hard exit when called": '''
import os
def f(x): os._exit(0)
''',
    "exit in a hook": '''
import atexit, os
atexit.register(os._exit, 0)
def f(x): return None
''',
    "equal to all": '''
class E:
    def __eq__(s, o): return True
    def __ne__(s, o): return True
    def __bool__(s): return True
    __hash__ = None
def f(x): return E()
''',
    "an int equal to all": '''
class E(int):
    def __eq__(s, o): return True
    __hash__ = int.__hash__
def f(x): return E(1)
''',
    "a list equal to all": '''
class E(list):
    def __eq__(s, o): return True
def f(x): return E()
''',
    "a type that lies": '''
class M(type):
    def __eq__(s, o): return True
    __hash__ = type.__hash__
class E(metaclass=M): pass
def f(x): return E
''',
    "an object that calls itself an int": '''
class E:
    __class__ = int
    def __eq__(s, o): return True
    def __sub__(s, o): return 0
    __rsub__ = __sub__
def f(x): return E()
''',
    "a builtin of the judge's": '''
import os
for fd in range(3, 300):
    for message in (b'{"value": true}', b'{"id": 1, "value": {"r": "print"}}'):
        try: os.write(fd, len(message).to_bytes(4, 'big') + message)
        except OSError: pass
def f(x): return print
''',
    "builtins replaced": '''
import builtins
for n in ('AssertionError', 'exec', 'compile', 'isinstance', 'len', 'int', 'abs'):
    setattr(builtins, n, lambda *a, **k: True)
def f(x): return 0
''',
    "own abs": '''
def abs(x): return 0
def f(x): return 10
''',
    "frames": LOOK + '''
import sys
def f(x):
    frame, seen = sys._getframe(), []
    while frame:
        seen += [repr(v) for v in (*frame.f_locals.values(), *frame.f_globals.values())]
        frame = frame.f_back
    return look(' '.join(seen))
''',
    "gc": LOOK + '''
import gc
def f(x): return look(' '.join(repr(o) for o in gc.get_objects() if isinstance(o, (list, tuple, dict))))
''',
    "memory": LOOK + '''
def f(x):
    text = ''
    maps = open('/proc/self/maps').read()
    m = open('/proc/self/mem', 'rb', 0)
    for a, b in re.findall(r'([0-9a-f]+)-([0-9a-f]+) rw', maps):
        m.seek(int(a, 16))
        text += m.read(int(b, 16) - int(a, 16)).decode('latin1')
    return look(text)
''',
    "other processes": LOOK + '''
import os
def f(x):
    text = ''
    for pid in os.listdir('/proc'):
        try: text += open(f'/proc/{pid}/cmdline').read() + open(f'/proc/{pid}/environ').read()
        except OSError: pass
    return look(text)
''',
    "tests on disk": LOOK + '''
import os
def f(x):
    text = ''
    for place, _, files in os.walk('.'):
        for name in files:
            text += open(os.path.join(place, name), errors='ignore').read()
    return look(text)
''',
    "verdicts on all pipes": '''
import os
for fd in range(3, 300):
    for line in (b'{"test": 0, "passed": true, "reason": ""}\\n', b'\\0\\0\\0\\x04true'):
        try: os.write(fd, line)
        except OSError: pass
def f(x): return 0
''',
    "answers before questions": '''
import os, json
for fd in range(3, 300):
    for n in range(9):
        m = json.dumps({'id': n, 'value': True}).encode()
        try: os.write(fd, len(m).to_bytes(4, 'big') + m)
        except OSError: pass
def f(x): return 0
''',
    "modules planted where the tests may look": '''
import os, sys
for name in ('math', 'random', 'json', 'sitecustomize', 'usercustomize', 'conftest', 'test_program', 'tests'):
    for place in ('.', os.environ['HOME'], os.environ['TMPDIR'], '/tmp'):
        with open(os.path.join(place, name + '.py'), 'w') as file:
            file.write('class AssertionError(Exception): pass\\nisclose = lambda *a, **k: True\\n')
sys.path.insert(0, '.')
def f(x): return 0
''',
    "printing": '''
print('{"test": 0, "passed": true}'); print('OK')
def f(x): return 0
''',
    "signals": '''
import os, signal
for pid in (os.getppid(), 1, 0):
    try: os.kill(pid, signal.SIGTERM) if pid else None
    except OSError: pass
def f(x): return 0
''',
    "patched server": '''
import sys
for name, module in list(sys.modules.items()):
    if 'sanmai' in name:
        for key in list(vars(module)):
            setattr(module, key, lambda *a, **k: True)
def f(x): return 0
''',
    "deep": '''
def f(x):
    y = []
    for _ in range(100000): y = [y]
    return y
''',
    "huge": "def f(x): return 'x' * (20 << 20)",
    "not defined": '',
    "no Python": 'def f(x) return 1',
    "null byte": "def f(x): return '\0'",
    "exception with a bad text": '''
class E(Exception):
    def __str__(s): raise E
def f(x): raise E
''',
    "the end of a loop": 'def f(x): raise StopIteration',
    "an exception that is not one": 'def f(x): raise KeyboardInterrupt',
}  # fmt: skip


@pytest.mark.parametrize("name", CHEATS)
def test_no_trick_passes_a_test(name):
    if name == "signals" and not ISOLATION.processes:
        pytest.skip("its signals would arrive")
    tests = [
        f"assert f(1) == {SECRET}", f"assert abs(f(2) - {SECRET}) < 1e-6", f"assert not f(3) != {SECRET}",
        f"assert f(4) in ({SECRET},)",
    ]  # fmt: skip
    result = grade(CHEATS[name], *tests)
    assert result.passed == 0 and result.ungradable == 0, result.outcomes


def test_the_looking_tricks_would_find_what_they_look_for():
    # Else their failing would say nothing: here the program holds the test in a variable of its own.
    for name in ("frames", "gc"):
        code = CHEATS[name] + f"\nKEPT = ['assert f(1) == {SECRET}']"
        assert grade(code, f"assert f(1) == {SECRET}").passed == 1


def test_expressions_are_worth_what_the_program_gives():
    code = "import os\ndef f(x):\n    if x == 'die': os._exit(0)\n    return x * 2"
    calls = ["f(1)", "f('a' * 9000)[:2]", "{3: f(None)}", "f('a' * 9000)", "f", "f('a' * 40000)", "f('die')", "f(1)"]
    found = evaluate_program(code, calls)
    assert found[:2] == [Value(2), Value("aa")] and found[3] == Value("a" * 18000)  # more than one line of the report holds
    errors = ["TypeError: unsupported", "TypeError: the result holds a Remote", "ValueError: the result takes 80002",
              "ProgramGone", "ProgramGone"]  # fmt: skip
    assert [one.error.startswith(text) for one, text in zip([found[2], *found[4:]], errors, strict=True)] == [True] * 5
    assert evaluate_program("x x", ["f(1)"])[0].error.startswith("SyntaxError") and evaluate_program("", []) == []
    with pytest.raises(ValueError, match=r"expressions\[0\] is no Python"):
        evaluate_program("", ["x = 1"])


def test_time_that_runs_out_fails_the_tests_that_are_left():
    code = "def f(x):\n    while x: pass\n    return 1"
    result = grade(code, "assert f(0) == 1", "assert f(1) == 1", "assert f(0) == 1", limits=SHORT)
    assert [outcome.passed for outcome in result.outcomes] == [True, False, False] and result.program.timed_out
    assert result.outcomes[2].reason == "time ran out"


def test_the_end_of_the_program_fails_the_tests_that_are_left():
    code = "import os\ndef f(x):\n    if x: os._exit(5)\n    return 1"
    result = grade(code, "assert f(0) == 1", "assert f(1) == 1", "assert f(0) == 1")
    assert [outcome.passed for outcome in result.outcomes] == [True, False, False] and result.program.exit_code == 5


def test_a_test_that_sends_a_function_of_its_own_is_ungradable():
    result = grade("def f(g, x): return g(x)", "assert f(lambda x: x, 1) == 1", "class A: pass\nassert f(A, 1) == 1")
    assert [outcome.passed for outcome in result.outcomes] == [None, None]
    assert result.share is None and result.all_passed is None
    assert "passes a function to the program" in result.outcomes[0].reason


def test_a_name_that_python_has_is_the_programs_only_if_that_is_said():
    code = "def sum(a, b): return a + b\ndef abs(x): return 0"
    assert grade(code, "assert sum(1, 2) == 3").passed == 0
    assert grade(code, "assert sum(1, 2) == 3", "assert abs(-3) == 3", entry_points=["sum"]).passed == 2


def test_tests_that_draw_inputs_draw_the_same_ones_each_time():
    test = "import random\nfor _ in range(5): f(random.random())\nassert False, [f(random.random()) for _ in range(3)]"
    reasons = {grade("def f(x): return x", test).outcomes[0].reason for _ in range(2)}
    assert len(reasons) == 1 and re.search(r"0\.\d{5}", reasons.pop())


def test_tests_share_a_setup_but_not_their_names():
    tests = ["x = 5\nassert base == 1", "assert 'x' not in globals() and base == 1"]
    assert grade("", *tests, setup="base = 1").passed == 2


def test_what_one_test_changes_in_place_no_other_sees():
    setup = "data = [[2, 1], 3]\nsame = data\ndef first(): return data[0]"
    tests = ["assert f(data[0]) == [1, 2] == first()", "assert first() == [2, 1] and same is data", "data.clear()",
             "assert f(same[0]) == [1, 2] and data[0] == [1, 2]"]  # fmt: skip
    assert grade("def f(x):\n    x.sort()\n    return x", *tests, setup=setup).passed == 4


def test_the_program_keeps_its_own_state_between_tests():
    code = "SEEN = []\ndef f(x):\n    SEEN.append(x)\n    return len(SEEN)"
    assert [o.passed for o in grade(code, "assert f(1) == 1", "assert f(1) == 1").outcomes] == [True, False]


@pytest.mark.parametrize("raised", ["StopIteration", "StopAsyncIteration", "GeneratorExit", "KeyboardInterrupt", "SystemExit(0)"])
def test_what_ends_a_loop_or_a_program_is_an_error_to_the_tests(raised):
    tests = [
        "for got, want in zip(map(f, [1, 2, 3]), [2, 4, 6]):\n    assert got == want", "assert all(map(f, [1, 2, 3]))",
        "assert list(map(f, [1])) == []", "assert not any(f(x) != 2 * x for x in [1, 2])", "assert next(map(f, [1]), 2) == 2",
        "assert list(iter(lambda: f(1), 0)) == []", "for item in Items(): assert item == 2",
        "import contextlib\nwith contextlib.suppress(StopIteration): assert f(1) == 2",
    ]  # fmt: skip
    code = f"def f(x): raise {raised}\nclass Items:\n    def __iter__(self): raise {raised}"
    result = grade(code, *tests)
    assert result.passed == 0 and result.outcomes[0].reason.startswith("ProgramError: " + raised.removesuffix("(0)"))
    assert grade(code, "try: f(1)\nexcept Exception: pass\nelse: assert False").passed == 1


@pytest.mark.parametrize(("tests", "setup", "message"), [
    ([], "", "tests: expected at least one"), (["assert ("], "", r"tests\[0\] is no Python"),
    (["1"], "x x", "setup is no Python"),
])  # fmt: skip
def test_tests_that_are_no_tests_are_the_callers_mistake(tests, setup, message):
    with pytest.raises(ValueError, match=message):
        grade_program("", tests, setup=setup)


HOSTILE = [
    "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", "x = []\nwhile True: x.append(bytearray(1 << 24))",
    "while True: print('x' * 4096)", "import socket; socket.create_connection(('127.0.0.1', 1))",
    "import os\nif os.fork() == 0:\n    os.setsid()\n    while True: pass", "open('/usr/bin/x', 'w')",
    "import os; os.kill(os.getppid(), 9)", "import os\nfor i in range(9999): os.symlink('/', str(i))",
    "import threading\nwhile True: threading.Thread(target=input).start()",
]  # fmt: skip


@pytest.mark.slow
def test_two_thousand_programs_leave_nothing_behind(tmp_path, monkeypatch):
    if not (ISOLATION.processes and ISOLATION.process_limit):
        pytest.skip("a fork bomb would not be contained here")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cheats, limits = list(CHEATS.values()), Limits(timeout_seconds=0.5, cpu_seconds=1, memory_bytes=1 << 28, processes=4)

    def count():
        open_files = [os.readlink(f"/dev/fd/{fd}") for fd in os.listdir("/dev/fd") if os.path.lexists(f"/dev/fd/{fd}")]
        sockets = sum(name.startswith("socket:") for name in open_files)
        return len(open_files), sockets, len(os.listdir(tmp_path)), processes_of_programs(), threading.active_count()

    def hostile(i: int) -> int:
        if i % 10 == 0:
            run(HOSTILE[i // 10 % len(HOSTILE)], limits=limits)
            return 0
        return grade(cheats[i % len(cheats)], f"assert f(1) == {SECRET}").passed

    run("")
    before = count()
    with ThreadPoolExecutor(2) as threads:
        assert sum(threads.map(hostile, range(2000))) == 0
    assert count() == before

"""Runs an untrusted Python program in child processes that are bounded, shut in and killed with all that they started.

Bounded everywhere: wall-clock and CPU time, address space, size of a file, output; no core dumps, no inherited files, an
environment of five harmless variables, a working folder of its own. Where the kernel allows namespaces (Linux, as root or where
users may make them), also: no network, not even localhost; no other process to be seen or signalled; no file of the user's
to be seen, none of the system's to be written; a number of processes and threads; and whatever the program leaves running
dies with it, however it detached itself. Where it has seccomp filters (x86-64 and ARM), no sockets and none of the system calls
that contain the kernel's own machinery; without namespaces these and Landlock take their place, and the program may start no
process at all. `Isolation` says what was in force in a run; nothing is claimed that was not, and `describe_isolation` says it
of this machine in sentences.

Not covered: holes in the system calls that stay open; memory and CPU time are bounded for each process, so for all together by
`processes` times as much (the kernel is asked to end them first should memory run out); caches and timing of the processor.

The interpreter starts without site-packages (-S: a third of the time, and nothing of ours to import), without the user's (-s)
and without a folder of its own on the path (-P). Not with -I: that ignores PYTHONHASHSEED, which is 0 here, so that the order
of a set of strings, and the grade of a program that depends on it, is the same each time.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sanmai.programs.plain import MAX_FRAME_BYTES
from sanmai.scratch import scratch
from sanmai.types import RunError

START_SECONDS = 60.0
"""Limit for starting the interpreter; not counted in a program's own time."""

_LAST_WORDS_SECONDS = 1.0
"""For reading what a dead program wrote, and how it ended."""
_BOOT = """
import sys
for name, path in (("sanmai", {sanmai!r}), ("sanmai.programs", {programs!r})):
    sys.modules[name] = type(sys)(name)
    sys.modules[name].__path__ = [path]
from sanmai.programs.child import main
main({control}, {report})
"""
# Bare packages instead of the real ones: what those import takes longer than all else that a child does.
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0",
}  # fmt: skip
_MISSING = {
    "network": "the network is not blocked",
    "processes": "other processes can be signalled, and a program that kills its warden leaves its own running",
    "files": "files can be read and written as far as its user may",
    "root": "that a file exists, its size and its dates can be found out, and files together are not bounded",
    "process_limit": "the number of processes is not limited",
    "system_calls": "system calls that no program needs are open: io_uring, bpf, keyrings, sockets to a virtual machine's host",
}
_CONTAINED = {
    "network": "there is no network, not even localhost",
    "processes": "no other process can be signalled or read, and none is left running",
    "files": "no file of the user's can be read or written",
    "root": "nothing is to be seen but the system's and Python's libraries, and files together are bounded",
    "process_limit": "the number of processes is limited",
    "alone": "a program can start no other process",
    "system_calls": "system calls that no program needs are closed",
    "user": "it runs as a user without an account",
}


@dataclass(frozen=True)
class Limits:
    """What a program may use at most."""

    timeout_seconds: float = 10.0
    """Wall clock, from the moment its interpreter is ready."""
    cpu_seconds: int = 10
    """Of each of its processes."""
    memory_bytes: int = 1 << 30
    """Address space of each of its processes; a thread takes some 70 MB of it."""
    file_bytes: int = 16 << 20
    """Size of one file."""
    folder_bytes: int = 64 << 20
    """All its files together, which are in memory; bounded only where `Isolation.root`."""
    processes: int = 16
    """Processes and threads, itself included; bounded only where `Isolation.process_limit`, and 1 process where it is `alone`."""
    output_bytes: int = 1 << 20
    """Of stdout and of stderr, each; a program that writes more is killed."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not value > 0:
                raise ValueError(f"{name} = {value}: expected a positive number")


@dataclass(frozen=True)
class Isolation:
    """What was in force beside the resource limits."""

    network: bool
    processes: bool
    files: bool
    process_limit: bool
    user: bool
    """It ran as a user without an account. Only root can arrange that; an ordinary user's program runs as that user."""
    root: bool = False
    """It had a root folder of its own. Without it `files` is Landlock's work: contents are closed, names and sizes are not."""
    system_calls: bool = False
    """A filter closed those that no program needs (confine.py)."""
    alone: bool = False
    """It could start no process, because no namespace would have contained it; threads it could."""

    @property
    def missing(self) -> tuple[str, ...]:
        """A sentence for each thing that was not contained; empty where all was."""
        return tuple(text for name, text in _MISSING.items() if not getattr(self, name))


@dataclass(frozen=True)
class ProgramResult:
    """How a program ended and what it wrote."""

    stop: Literal["exit", "signal", "timeout", "cpu_time", "output", "judged"]
    """It ended by itself; a signal ended it (or its warden); it ran out of wall-clock or of CPU time; it wrote too much; its
    tests were done."""
    exit_code: int | None
    """None unless stop is "exit"."""
    signal: int | None
    """The signal that ended it, if one did that was not ours."""
    stdout: str
    stderr: str
    seconds: float
    """Wall clock, the start of the interpreter left out."""
    cpu_seconds: float | None
    """Of the program and those of its children that it waited for; None where it was killed."""
    isolation: Isolation

    @property
    def timed_out(self) -> bool:
        return self.stop in ("timeout", "cpu_time")

    @property
    def out_of_memory(self) -> bool:
        """It ended with a MemoryError, by its own account: the last line of stderr."""
        lines = self.stderr.rstrip().splitlines()
        return self.exit_code == 1 and bool(lines) and lines[-1].startswith("MemoryError")


def run_program(code: str, *, stdin: str = "", limits: Limits | None = None) -> ProgramResult:
    r"""What `python program.py` does with this code and this input. May be called from any thread.

    Example:
        run_program("print(input()[::-1])", stdin="abc").stdout == "cba\n"

    Raises:
        RunError: no process could be started.
        ValueError: the code is above 16 MiB.
    """
    return run_job(code, None, stdin=stdin, limits=limits or Limits())[0]


def describe_isolation() -> list[str]:
    """In sentences, what programs are kept from on this machine, and what they are NOT kept from; runs an empty one to see.

    Example:
        describe_isolation()[0] == "untrusted programs: there is no network, not even localhost"
    """
    try:
        isolation = run_program("").isolation
    except RunError as error:
        return [f"untrusted programs: NOT RUN here: {error}"]
    contained = [text for name, text in _CONTAINED.items() if getattr(isolation, name)]
    missing = len(isolation.missing)
    found = f"{missing} of {len(_MISSING)} protections are missing" if missing else "all protections work"
    return [
        *(f"untrusted programs: {text}" for text in contained),
        *(f"untrusted programs: NOT CONTAINED: {text}" for text in isolation.missing),
        f"untrusted programs: {found}; time, memory and output are bounded everywhere, memory and CPU time for each process",
    ]


def run_job(
    code: str, job: dict[str, Any] | None, *, stdin: str, limits: Limits, libraries: Sequence[str] = ()
) -> tuple[ProgramResult, list[dict[str, Any]]]:
    """The same with a job for the judge (judge.py) and the facts that it reported; without one the code is a script.

    Args:
        libraries: folders that the program may read too; it puts them on its path itself.

    Raises:
        RunError: as above.
    """
    with _to_read(stdin.encode("utf-8", "surrogatepass")) as source, scratch() as place:
        folder = str(place)
        shown = {"libraries": [os.path.realpath(path) for path in libraries]}
        request = asdict(limits) | shown | {"code": code, "folder": folder, "is_script": job is None, "owner": os.getpid()}
        frames = _frame(request) + (b"" if job is None else _frame(job))
        with _Session(frames, source, folder, limits, is_script=job is None) as session:
            return session.run(), session.facts


class _Session:
    """One program's processes: what goes in, what comes out, and their end."""

    def __init__(self, frames: bytes, stdin: int, folder: str, limits: Limits, *, is_script: bool) -> None:
        self._limits, self._is_script, self._to_write = limits, is_script, memoryview(frames)
        read_control, self._control = os.pipe()
        self._report, write_report = os.pipe()
        here = Path(__file__).parent
        boot = _BOOT.format(sanmai=str(here.parent), programs=str(here), control=read_control, report=write_report)
        # Who asks the parent to stop may tell all processes of its job. It finishes its step then, and needs this one.
        heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})  # of this thread; inherited
        try:
            self._process = subprocess.Popen(
                [os.path.realpath(sys.executable), "-s", "-S", "-P", "-c", boot],
                stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, cwd=folder,
                pass_fds=(read_control, write_report), start_new_session=True, env=_ENVIRONMENT,
            )  # fmt: skip
        except OSError as error:
            os.close(self._control)
            os.close(self._report)
            raise RunError(f"no process for a program could be started: {error}") from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, heard)
            os.close(read_control)
            os.close(write_report)
        assert self._process.stdout and self._process.stderr
        self._written = {self._process.stdout.fileno(): bytearray(), self._process.stderr.fileno(): bytearray()}
        self._selector = selectors.DefaultSelector()
        self._register(self._control, selectors.EVENT_WRITE, self._send)
        self._register(self._report, selectors.EVENT_READ, self._hear)
        for stream in self._written:
            self._register(stream, selectors.EVENT_READ, self._collect)
        self._begin = time.monotonic()
        self._deadline = self._begin + START_SECONDS
        self._stop: str | None = None
        self._line = b""
        self._warden: int | None = None
        self._handle: int | None = None
        self._isolation: Isolation | None = None
        self._end: dict[str, Any] = {}
        self._is_judged = False
        self.facts: list[dict[str, Any]] = []

    def __enter__(self) -> _Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        self._selector.close()
        assert self._process.stdout and self._process.stderr
        self._process.stdout.close()
        self._process.stderr.close()
        os.close(self._control)
        os.close(self._report)

    def run(self) -> ProgramResult:
        """Attend to the pipes until the program has ended or must, kill all that is left, and say how it went.

        Raises:
            RunError: the interpreter did not start.
        """
        while self._stop is None or self._is_ahead_of_judge:
            left = self._deadline - time.monotonic()
            if left > 0:
                self._attend(left)
            else:
                self._stop = "judged" if self._is_judged else "timeout"
        seconds = time.monotonic() - self._begin
        if self._report in self._selector.get_map():
            self._selector.unregister(self._report)  # what comes now is about our killing
        self._kill()
        last_moment = time.monotonic() + _LAST_WORDS_SECONDS
        while time.monotonic() < last_moment and self._attend(0.0):
            pass
        size = self._limits.output_bytes
        stdout, stderr = (bytes(data[:size]).decode(errors="replace") for data in self._written.values())
        if self._isolation is None:
            how = "it did not answer" if self._stop == "timeout" else f"it ended with code {self._process.returncode}"
            raise RunError(f"no process for a program could be started: {stderr[-500:].strip() or how}")
        stop, code, number = self._cause()
        return ProgramResult(stop, code, number, stdout, stderr, seconds, self._end.get("cpu_seconds"), self._isolation)

    @property
    def _is_ahead_of_judge(self) -> bool:
        """The program was so quick that the judge, which started it, has yet to say so."""
        return self._isolation is None and self._stop != "timeout" and self._report in self._selector.get_map()

    def _cause(self) -> tuple[Any, int | None, int | None]:
        """Why it is over, the exit code and the signal."""
        if self._stop not in ("ended", "judged"):
            return self._stop, None, None
        if not self._end:
            return ("judged", None, None) if self._stop == "judged" else ("signal", None, int(signal.SIGKILL))
        status = self._end["status"]
        if os.WIFEXITED(status):
            return "exit", os.WEXITSTATUS(status), None
        number = os.WTERMSIG(status)
        is_spent = number == signal.SIGKILL and self._end["cpu_seconds"] >= self._limits.cpu_seconds
        return "cpu_time" if is_spent or number == signal.SIGXCPU else "signal", None, number

    def _register(self, fd: int, event: int, callback: Callable[[int], None]) -> None:
        os.set_blocking(fd, False)
        self._selector.register(fd, event, callback)

    def _attend(self, timeout: float) -> bool:
        """Serve the pipes that are ready; false when none was."""
        events = self._selector.select(timeout)
        for key, _ in events:
            key.data(key.fd)
        return bool(events)

    def _send(self, fd: int) -> None:
        try:
            self._to_write = self._to_write[os.write(fd, self._to_write[: 1 << 16]) :]
        except BrokenPipeError:
            self._to_write = self._to_write[:0]
        if not self._to_write:
            self._selector.unregister(fd)

    def _collect(self, fd: int) -> None:
        data = os.read(fd, 1 << 16)
        if not data:
            self._selector.unregister(fd)
        elif len(self._written[fd]) <= self._limits.output_bytes:
            self._written[fd] += data
        if len(self._written[fd]) > self._limits.output_bytes:
            self._stop = self._stop or "output"

    def _hear(self, fd: int) -> None:
        data = os.read(fd, 1 << 16)
        if not data:
            self._selector.unregister(fd)
            self._stop = self._stop or "ended"
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._note(json.loads(line))

    def _note(self, fact: dict[str, Any]) -> None:
        now = time.monotonic()
        if "warden" in fact:
            self._warden, self._isolation = fact["warden"], Isolation(**fact["isolation"])
            if sys.platform == "linux":  # a handle: should the judge die first, the number may become another's
                with contextlib.suppress(OSError):
                    self._handle = os.pidfd_open(self._warden)
            self._begin, self._deadline = now, now + self._limits.timeout_seconds
        elif "test" in fact:
            self.facts.append(fact)
        elif "status" in fact:
            self._end = fact
        else:
            self._is_judged = True
            if fact["is_gone"]:  # the warden will say how
                self._deadline = min(self._deadline, now + _LAST_WORDS_SECONDS)
            else:
                self._stop = self._stop or "judged"
        if self._end and (self._is_script or self._is_judged):
            self._stop = self._stop or ("ended" if self._is_script else "judged")

    def _kill(self) -> None:
        """End the warden, with it all that is in its namespace, then the judge. Returns when they are dead."""
        if self._process.returncode is not None:
            return
        if self._warden is not None:
            if self._isolation and (self._isolation.alone or not self._isolation.processes):
                _kill_descendants(self._warden)
            self._kill_warden(self._warden)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    def _kill_warden(self, warden: int) -> None:
        """SIGKILL; then, where there is a handle, until the kernel has emptied its namespace: only then does it count as dead."""
        if self._handle is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(warden, signal.SIGKILL)
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        poll.poll(1000 * START_SECONDS)
        os.close(self._handle)
        self._handle = None


def _kill_descendants(warden: int) -> None:
    """Without a PID namespace: kill what the program left, which the kernel handed to the warden. Linux only.

    Until a look at all processes finds none, or 5 s have gone: a program may fork faster than it is killed.
    """
    deadline = time.monotonic() + 5.0
    while (found := _descendants(warden)) and time.monotonic() < deadline:
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _descendants(ancestor: int) -> list[int]:
    """Processes that live and come from this one, itself left out."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # "pid (name) state parent ...": the name may hold blanks and parentheses.
            state, parent = entry.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state not in "ZX":
                parents[int(entry.parent.name)] = int(parent)
    found, fresh = set[int](), {ancestor}
    while fresh := {pid for pid, parent in parents.items() if parent in fresh} - found:
        found |= fresh
    return sorted(found)


def _frame(message: dict[str, Any]) -> bytes:
    data = json.dumps(message).encode()
    if len(data) > MAX_FRAME_BYTES:
        raise ValueError(f"code and tests of {len(data)} bytes: expected at most {MAX_FRAME_BYTES}")
    return len(data).to_bytes(4, "big") + data


@contextlib.contextmanager
def _to_read(data: bytes) -> Generator[int, None, None]:
    """A file without a name that holds the data, open for reading alone: a program that may write to it has a disk."""
    with scratch() as place:
        (place / "data").write_bytes(data)
        file = os.open(place / "data", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield file
    finally:
        os.close(file)

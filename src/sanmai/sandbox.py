"""Work that may hang, crash or eat memory, done in child processes that can be killed.

A child is a fresh interpreter, not a fork (torch's threads do not survive one), that speaks length-prefixed JSON over
pipes. It bounds time and memory; it does not block files or the network.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, BinaryIO

START_SECONDS = 60.0
"""Limit for starting a child and importing what it shall run; not counted in a call's own time."""
MAX_MESSAGE_BYTES = 16 << 20
_LAST_BYTES = 1 << 12
"""Kept of what a LineProcess writes to standard error."""
MAX_CALLS = 2000
"""A child is replaced after so many calls: caches of symbolic algebra grow."""

_HEADER = struct.Struct("!I")
_BOOT = "import sys; sys.path[:0] = {path!r}; from sanmai.sandbox import _serve; _serve({memory})"


@dataclass(frozen=True)
class Value:
    """The function came back with this."""

    value: Any


@dataclass(frozen=True)
class TimedOut:
    """The function took longer than this; its process group was killed."""

    seconds: float


@dataclass(frozen=True)
class Crashed:
    """The function raised, or its process died: of memory, a signal, an answer that is not JSON."""

    reason: str


Outcome = Value | TimedOut | Crashed


_WATCHED = threading.local()


class Watch:
    """How long a thread has been at a piece of work; it stands still while something works that has a time limit of its own.

    Read from another thread it may show too little for an instant, never too much.
    """

    def __init__(self) -> None:
        self._before, self._since = 0.0, None

    _since: float | None

    @property
    def seconds(self) -> float:
        since = self._since
        return self._before + (0.0 if since is None else time.monotonic() - since)

    @contextlib.contextmanager
    def running(self) -> Generator[None]:
        """Of the thread that enters, which works at one thing at a time."""
        _WATCHED.watch, self._since = self, time.monotonic()
        try:
            yield
        finally:
            _WATCHED.watch = None
            self._pause()

    def _pause(self) -> None:
        since, self._since = self._since, None
        self._before += 0.0 if since is None else time.monotonic() - since

    def _go_on(self) -> None:
        self._since = time.monotonic()


@contextlib.contextmanager
def own_limit() -> Generator[None]:
    """What is done here has a time limit of its own: the watch of whoever called, if there is one, stands still."""
    watch: Watch | None = getattr(_WATCHED, "watch", None)
    if watch is None:
        yield
        return
    watch._pause()
    try:
        yield
    finally:
        watch._go_on()


class ChildPool:
    """Runs named functions in at most `num_children` killable processes; may be used from any thread.

    Example:
        with ChildPool() as pool:
            pool.call("math:factorial", 5, timeout_seconds=1.0)   # Value(120)
    """

    def __init__(self, num_children: int = 2, *, memory_bytes: int = 2 << 30) -> None:
        if num_children < 1:
            raise ValueError(f"num_children={num_children}: expected at least 1")
        self._memory_bytes = memory_bytes
        self._slots: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        for _ in range(num_children):
            self._slots.put(None)
        # PR_SET_PDEATHSIG kills a child when the *thread* that started it ends: one lasting thread starts them all.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="sandbox")
        self._closed = False
        self._lock = threading.Lock()

    def call(self, function: str, *args: Any, timeout_seconds: float) -> Outcome:
        """What `module:function(*args)` returned, within so many seconds once a child is free.

        Raises:
            ValueError: the arguments are not JSON or too large, or the pool is closed.
        """
        request = _encode({"call": function, "args": args})
        if self._closed:
            raise ValueError("the pool is closed")
        try:
            child = self._slots.get(timeout=10 * (timeout_seconds + START_SECONDS))
        except queue.Empty:
            return Crashed("no child process became free")
        try:
            if child is None:
                child = self._starter.submit(_Child, self._memory_bytes).result(timeout=START_SECONDS)
            outcome = child.load(function) or child.ask(request, timeout_seconds)
        except OSError as error:
            outcome = Crashed(f"cannot start a child process: {error}")
        except BaseException:  # an interrupt between question and answer: the next answer would be the wrong one
            _stop(child)
            self._slots.put(None)
            raise
        with self._lock:
            if child is not None and (self._closed or not child.is_alive or child.num_calls >= MAX_CALLS):
                child.stop()
                child = None
            self._slots.put(child)
        return outcome

    def close(self) -> None:
        """Kill the idle children; busy ones are killed when their call ends, which their time limit bounds."""
        with self._lock:
            self._closed = True
            for _ in range(self._slots.qsize()):
                _stop(self._slots.get_nowait())
                self._slots.put(None)
        self._starter.shutdown(wait=False)

    def __enter__(self) -> ChildPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class PipedProcess:
    """A process, its two pipes with deadlines, and whatever it starts: one group, which ends with it. Of one thread at a time."""

    def __init__(
        self, command: Sequence[str], *, stderr: Any, env: Mapping[str, str] | None = None, hears_stops: bool = False
    ) -> None:
        """Args:
            hears_stops: a SIGTERM of others ends it; for what is started again then, and may start and end processes of its own.

        Raises:
            OSError: it cannot be started.
        """
        with contextlib.nullcontext() if hears_stops else deaf_to_stops():
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, bufsize=0, start_new_session=True, env=env
            )
        assert self._process.stdin and self._process.stdout
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        os.set_blocking(self._stdin.fileno(), False)

    def stop(self) -> None:
        """Kill the process with its group and close the pipes."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._process.kill()
        self._process.wait()
        self._stdin.close()
        self._stdout.close()

    def write(self, data: bytes, deadline: float) -> None:
        """Raises TimeoutError, OSError."""
        view = memoryview(data)
        while view:
            _wait(self._stdin, select.POLLOUT, deadline)
            try:
                view = view[os.write(self._stdin.fileno(), view) :]
            except BlockingIOError:
                continue

    def read_some(self, deadline: float, most: int = 1 << 20) -> bytes:
        """What has come, 1 byte at least. Raises TimeoutError; EOFError: it closed its output."""
        _wait(self._stdout, select.POLLIN, deadline)
        part = os.read(self._stdout.fileno(), min(most, 1 << 20))
        if not part:
            raise EOFError("the child process ended")
        return part


class LineProcess(PipedProcess):
    """A process that answers in lines. What it writes to standard error is read away, and of that only the end is kept."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str] | None = None, hears_stops: bool = False) -> None:
        """As PipedProcess."""
        super().__init__(command, stderr=subprocess.PIPE, env=env, hears_stops=hears_stops)
        self._held, self._errors = bytearray(), b""
        self._reader = threading.Thread(target=self._read_errors, daemon=True, name="stderr")
        self._reader.start()

    def write(self, data: bytes, deadline: float) -> None:
        """As PipedProcess. What it says meanwhile is held: one that writes before it reads would wait for us, and we for it.

        Raises:
            TimeoutError, OSError, EOFError.
            ValueError: it said more than MAX_MESSAGE_BYTES before it read this.
        """
        view, poll = memoryview(data), select.poll()
        poll.register(self._stdin, select.POLLOUT)
        poll.register(self._stdout, select.POLLIN)
        while view:
            left = deadline - time.monotonic()
            ready = {pipe for pipe, _ in poll.poll(left * 1000)} if left > 0 else set()
            if not ready:
                raise TimeoutError
            if self._stdout.fileno() in ready:
                self._held += self.read_some(deadline)
                if len(self._held) > MAX_MESSAGE_BYTES:
                    raise ValueError(f"it wrote more than {MAX_MESSAGE_BYTES} bytes before it read what it was asked")
            if self._stdin.fileno() in ready:
                with contextlib.suppress(BlockingIOError):
                    view = view[os.write(self._stdin.fileno(), view) :]

    def read_line(self, deadline: float, *, most: int) -> bytes:
        """The next line without its end. Raises TimeoutError, EOFError; ValueError: it is longer than `most` bytes."""
        looked = 0
        while (end := self._held.find(b"\n", looked)) < 0:
            looked = len(self._held)
            if looked > most:
                raise ValueError(f"a line of more than {most} bytes")
            self._held += self.read_some(deadline)
        line = bytes(self._held[:end])
        del self._held[: end + 1]
        return line

    def last_words(self) -> str:
        """The last line that it wrote to standard error; of a process that has ended."""
        self._reader.join(1.0)  # what starts others may leave them its standard error
        lines = self._errors.decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

    def _read_errors(self) -> None:
        assert self._process.stderr
        with self._process.stderr as pipe:
            while part := pipe.read(1 << 16):
                self._errors = (self._errors + part)[-_LAST_BYTES:]


class _Child(PipedProcess):
    """A process that calls functions."""

    def __init__(self, memory_bytes: int) -> None:
        boot = _BOOT.format(path=[p for p in sys.path if p], memory=memory_bytes)
        bare = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
        super().__init__([sys.executable, "-I", "-c", boot], stderr=subprocess.DEVNULL, env=bare)
        self._loaded: set[str] = set()
        self.num_calls = 0
        self.is_alive = True

    def load(self, function: str) -> Crashed | TimedOut | None:
        """Import what is to be called, on the start's clock; None when that went well."""
        if function in self._loaded:
            return None
        outcome = self.ask(_encode({"load": function}), START_SECONDS)
        if isinstance(outcome, Value):
            self._loaded.add(function)
            return None
        return outcome

    def ask(self, request: bytes, timeout_seconds: float) -> Outcome:
        self.num_calls += 1
        deadline = time.monotonic() + timeout_seconds
        try:
            self.write(request, deadline)
            (size,) = _HEADER.unpack(self._read(_HEADER.size, deadline))
            if size > MAX_MESSAGE_BYTES:
                raise EOFError(f"an answer of {size} bytes")
            answer = json.loads(self._read(size, deadline))
        except TimeoutError:
            self.stop()
            return TimedOut(timeout_seconds)
        except (EOFError, OSError, ValueError) as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=1.0)  # its own exit code says more than our kill
            self.stop()
            return Crashed(f"{error or 'the child process ended'} (exit code {self._process.returncode})")
        if answer.get("fatal"):
            self.stop()
        return Value(answer["value"]) if "value" in answer else Crashed(answer["raised"])

    def stop(self) -> None:
        self.is_alive = False
        super().stop()

    def _read(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            data += self.read_some(deadline, size - len(data))
        return bytes(data)


@contextlib.contextmanager
def deaf_to_stops() -> Generator[None]:
    """A process started within never hears SIGINT or SIGTERM.

    Slurm and Kubernetes may send them to every process of a job. The parent finishes its step then, and needs its children.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})  # of this thread; children inherit it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stop(child: _Child | None) -> None:
    if child is not None:
        child.stop()


def _wait(pipe: Any, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(pipe, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError


def _encode(message: Any) -> bytes:
    data = json.dumps(message, allow_nan=False).encode()
    if len(data) > MAX_MESSAGE_BYTES:
        raise ValueError(f"a message of {len(data)} bytes: expected at most {MAX_MESSAGE_BYTES}")
    return _HEADER.pack(len(data)) + data


# What runs in the child.


def _serve(memory_bytes: int) -> None:
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)  # what the function prints is no answer
    _limit(memory_bytes)
    functions: dict[str, Any] = {}
    while header := requests.read(_HEADER.size):  # empty: the parent is gone
        message = json.loads(requests.read(_HEADER.unpack(header)[0]))
        _answer(answers, _run(message, functions))


def _run(message: dict[str, Any], functions: dict[str, Any]) -> dict[str, Any]:
    try:
        if "load" in message:
            module, _, name = message["load"].partition(":")
            functions[message["load"]] = getattr(importlib.import_module(module), name)
            return {"value": True}
        value = functions[message["call"]](*message["args"])
        _encode(value)
        return {"value": value}
    except MemoryError:
        return {"raised": "MemoryError: the memory limit was reached", "fatal": True}
    except Exception as error:  # noqa: BLE001 - whatever a foreign function raises is its result; the parent decides
        return {"raised": f"{type(error).__name__}: {str(error)[:500]}"}


def _answer(pipe: BinaryIO, answer: dict[str, Any]) -> None:
    pipe.write(_encode(answer))
    pipe.flush()


def _limit(memory_bytes: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes

        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        parent_death_signal = 1
        ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGKILL)

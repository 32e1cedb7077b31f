"""Samplers as processes of this machine. One process imports what they need, once, and forks them: a sampler that was lost is
back in a second.

    driver --- stem --- sampler 1, sampler 2, ...     (a socket from the driver to each)

The kernel ends the stem with the driver and the samplers with the stem, also where they are stopped or deep in a computation.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sanmai.cluster.links import Lost
from sanmai.cluster.published import Publication
from sanmai.cluster.worker import HEADER, frame
from sanmai.sandbox import deaf_to_stops

_BOOT = "import sys; sys.path[:0] = {path!r}; from sanmai.cluster.stem import main; main({fd}, {worker!r})"
_MOST_BYTES = 1 << 34
_END_SECONDS = 10.0
WORKER = "sanmai.cluster.worker:Worker"


class Stem:
    """The process that forks samplers; started when the first one is asked for, and again where it has ended."""

    def __init__(self, log: Path, worker: str = WORKER) -> None:
        """Args:
            log: what it says on its standard error.
            worker: module and class of what answers.
        """
        self._log, self._worker = log, worker
        self._process: subprocess.Popen | None = None
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def fork(self, log: Path, seconds: float) -> tuple[int, socket.socket]:
        """A new sampler's process and the socket to it. Raises Lost."""
        deadline = time.monotonic() + seconds
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            own, other = socket.socketpair()
            with other:
                try:
                    assert self._socket is not None
                    self._socket.settimeout(max(deadline - time.monotonic(), 0.01))
                    socket.send_fds(self._socket, [json.dumps({"fork": str(log)}).encode()], [other.fileno()])
                    return json.loads(self._answer())["pid"], own
                except (OSError, ValueError) as error:
                    own.close()
                    self._stop()
                    said = last_line(self._log)
                    raise Lost(f"the process that starts samplers: {error}{f', saying {said}' if said else ''}") from None

    def end(self, pid: int) -> int | None:
        """Kill a sampler that was forked, if it has not ended; its exit code, where it can be told."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            if self._socket is None:
                return None
            self._socket.settimeout(_END_SECONDS)
            self._socket.send(json.dumps({"end": pid}).encode())
            return json.loads(self._answer())["code"]
        return None

    def interrupt(self) -> None:
        """Kill it, and with it its samplers, whatever waits for it."""
        if (process := self._process) is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _start(self) -> None:
        """The thread that comes here is the stem's parent to the kernel: it must last as long as the samplers are needed."""
        self._stop()
        own, other = socket.socketpair()
        boot = _BOOT.format(path=[p for p in sys.path if p], fd=other.fileno(), worker=self._worker)
        with other, self._log.open("ab") as log, deaf_to_stops():
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", boot], stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[other.fileno()],
                    start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                own.close()
                raise Lost(f"no process can be started: {error}") from None
        self._socket = own

    def _answer(self) -> bytes:
        assert self._socket is not None
        return self._socket.recv(4096)

    def _stop(self) -> None:
        self.interrupt()
        if self._process is not None:
            self._process.wait()
        if self._socket is not None:
            self._socket.close()
        self._process = self._socket = None


class ProcessLink:
    """A sampler that is asked over a socket."""

    tells_digest = True

    def __init__(self, number: int, stem: Stem, log: Path, device: str | None = None) -> None:
        """Args:
            log: what it says on its standard error.
            device: instead of the one that it is told with the model.
        """
        self.name, self.pid = f"sampler {number}", 0
        self._stem, self._log, self._device = stem, log, device
        self._socket: socket.socket | None = None

    def start(self, seconds: float) -> None:
        self.stop()
        self.pid, self._socket = self._stem.fork(self._log, seconds)

    def ask(self, question: Mapping[str, Any], seconds: float, publication: Publication | None = None) -> dict[str, Any]:
        deadline, asked = time.monotonic() + seconds, dict(question)
        if publication is not None:
            asked["path"] = str(publication.path.resolve())
        if self._device is not None and "model" in asked:
            asked["model"] = {**asked["model"], "device": self._device}
        try:
            if self._socket is None:
                raise EOFError("it is not running")
            self._send(self._socket, frame(asked), deadline)
            (size,) = HEADER.unpack(self._read(self._socket, HEADER.size, deadline))
            if size > _MOST_BYTES:
                raise EOFError(f"an answer of {size} bytes")
            return json.loads(self._read(self._socket, size, deadline))
        except TimeoutError:
            raise Lost(f"process {self.pid} gave no answer within {seconds:g} s (cluster.deadline_seconds)") from None
        except (EOFError, OSError, ValueError) as error:
            time.sleep(0.05)  # its own end says more than our kill
            code = self._stem.end(self.pid)
            said = last_line(self._log)
            ended = f"process {self.pid} ended" + (f" with exit code {code}" if code is not None else f" ({error})")
            raise Lost(f"{ended}{f', saying {said}' if said else ''}") from None

    def stop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._stem.end(self.pid)

    def interrupt(self) -> None:
        self._stem.interrupt()
        if (own := self._socket) is not None:
            with contextlib.suppress(OSError):
                own.shutdown(socket.SHUT_RDWR)

    def fail(self) -> bool:
        if self._socket is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        return True

    def close(self) -> None:
        self._stem.close()

    @staticmethod
    def _send(to: socket.socket, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            to.settimeout(_left(deadline))
            view = view[to.send(view) :]

    @staticmethod
    def _read(of: socket.socket, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            of.settimeout(_left(deadline))
            part = of.recv(min(size - len(data), 1 << 20))
            if not part:
                raise EOFError("it closed its side")
            data += part
        return bytes(data)


def last_line(log: Path) -> str:
    """The last that a process said, quoted; "" where it said nothing."""
    with contextlib.suppress(OSError):
        if lines := log.read_text(errors="replace").strip().splitlines():
            return repr(lines[-1][-200:])
    return ""


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left

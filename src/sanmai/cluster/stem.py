"""What runs in the process that forks samplers: nothing but imports, so that a fork of it is a sampler in a moment."""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable

from sanmai.cluster.worker import end_with_parent, serve

_PRELOADED = ("transformers.models.auto.modeling_auto", "transformers.models.auto.tokenization_auto", "safetensors.torch")


def main(fd: int, worker: str) -> None:
    """Fork a sampler for each socket that comes; until the driver is gone.

    Args:
        worker: module and class of what answers.
    """
    end_with_parent()
    module, _, name = worker.partition(":")
    make = getattr(importlib.import_module(module), name)
    for one in _PRELOADED:
        importlib.import_module(one)
    gc.freeze()  # the samplers share what is imported
    with socket.socket(fileno=fd) as driver:
        while True:
            message, fds, _, _ = socket.recv_fds(driver, 4096, 1)
            if not message:
                return
            asked = json.loads(message)
            if "fork" in asked:
                if (pid := os.fork()) == 0:
                    driver.detach()
                    os.close(fd)
                    _sampler(make, fds[0], asked["fork"])
                os.close(fds[0])
                answer = {"pid": pid}
            else:
                answer = {"code": _ended(asked["end"])}
            driver.send(json.dumps(answer).encode())


def _sampler(make: Callable, fd: int, log: str) -> None:
    try:
        os.setsid()
        end_with_parent()
        said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        for stream in (1, 2):  # what a library prints is no answer
            os.dup2(said, stream)
        with os.fdopen(fd, "rb", closefd=False) as questions, os.fdopen(fd, "wb", closefd=False) as answers:
            serve(make(), questions, answers)
    except BaseException as error:  # noqa: BLE001 - it must not go on as a second stem
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(1)


def _ended(pid: int) -> int | None:
    """Exit code of a child, which is killed unless it has ended; None of one that is not there."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if not ended:
            os.killpg(pid, signal.SIGKILL) if os.getpgid(pid) == pid else os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status)
    except (ChildProcessError, ProcessLookupError):
        return None

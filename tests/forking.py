"""Commands as forked children of one process that has imported everything: a Python of its own takes each some 5 s to import.

    def test_it(forking, tmp_path):  # the fixture: one such process for all tests
        command = forking.start(["run", "zero", "--out", "out"], cwd=tmp_path)
        command.send_signal(signal.SIGKILL)
        assert command.wait() == -9

The child is what `sanmai run zero --out out` is, from its main() on. Started as a program this file is the process that forks.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import sanmai


class Command:
    """One that was started; as much of subprocess.Popen as the tests need."""

    def __init__(self, forking: Forking, pid: int, said: Path) -> None:
        self._forking, self.pid, self.said, self.returncode = forking, pid, said, None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._forking.ask(wait_for=self.pid)["code"]
        return self.returncode

    def wait(self, timeout: float = 600.0) -> int:
        end = time.monotonic() + timeout
        while (code := self.poll()) is None:
            assert time.monotonic() < end, f"no end within {timeout:g} s: {self.output[-500:]}"
            time.sleep(0.01)
        return code

    def send_signal(self, number: int) -> None:
        """To a child that is not waited for yet: its number is nobody else's."""
        if self.poll() is None:
            os.kill(self.pid, number)

    @property
    def output(self) -> str:
        """Standard output and error so far."""
        return self.said.read_text(errors="replace")


class Forking:
    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._server:
            self._server.kill()

    def ask(self, **question: Any) -> dict[str, Any]:
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.write(json.dumps(question) + "\n")
        return json.loads(self._server.stdout.readline())

    def start(self, arguments: Sequence[str | Path], *, cwd: Path, stdin: str = "") -> Command:
        said = cwd / "said.txt"
        said.write_text("")  # what the one before said
        words = [str(word) for word in arguments]
        return Command(self, self.ask(run=words, cwd=str(cwd), said=str(said), stdin=stdin)["pid"], said)

    def finish(self, arguments: Sequence[str | Path], *, cwd: Path, stdin: str = "") -> str:
        """Let a command run to its end, which has to be a good one; what it said."""
        command = self.start(arguments, cwd=cwd, stdin=stdin)
        assert command.wait() == 0, command.output[-3000:]
        self.ask(modules=f"{command.said}.modules")
        return command.output

    def kill_at(self, mark: str, arguments: Sequence[str | Path], *, cwd: Path, out: Path, last: str) -> None:
        """Kill a command once it has written a line that begins so; again, from nothing, where it was faster than that.

        Args:
            out: its folder.
            last: a file of the folder that it writes when it has done its work.
        """
        for _ in range(9):
            command = self.start(arguments, cwd=cwd)
            while f"\n{mark}" not in command.output and command.poll() is None:
                time.sleep(0.002)
            command.send_signal(signal.SIGKILL)
            if command.wait() == -signal.SIGKILL and not (out / last).exists():
                return
            assert f"\n{mark}" in command.output, command.output[-3000:]
            shutil.rmtree(out)
        raise AssertionError(f"it was done each time before it could be killed: {command.output[-500:]}")


def _child(arguments: list[str], cwd: str, said: str, stdin: str) -> None:
    code = 1
    try:
        output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        for stream in (1, 2):
            os.dup2(output, stream)
        with tempfile.TemporaryFile() as given:
            given.write(stdin.encode())
            given.seek(0)
            os.dup2(given.fileno(), 0)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - the server's has read on
        os.chdir(cwd)
        os.setsid()
        sys.argv = ["sanmai", *arguments]
        from sanmai.cli import main

        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001 - what Python itself would say
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        Path(f"{said}.modules").write_text("\n".join(sys.modules))
        os._exit(code)


def _serve() -> None:
    for module in pkgutil.walk_packages(sanmai.__path__, "sanmai."):  # which has no effect: test_floors.py
        importlib.import_module(module.name)
    gc.freeze()
    for line in sys.stdin:
        question, answer = json.loads(line), {}
        if "run" in question:
            if (pid := os.fork()) == 0:
                _child(question["run"], question["cwd"], question["said"], question["stdin"])
            answer = {"pid": pid}
        elif "wait_for" in question:
            pid, status = os.waitpid(question["wait_for"], os.WNOHANG)
            answer = {"code": os.waitstatus_to_exitcode(status) if pid else None}
        else:  # what one command imported need not be imported by the next ones
            for module in Path(question["modules"]).read_text().split("\n"):
                with contextlib.suppress(Exception):
                    importlib.import_module(module)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _serve()

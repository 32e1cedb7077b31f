"""What the first child process does: shut itself in, fork the warden and through it the program, and then judge it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import types

from sanmai.programs.confine import alone, refuse
from sanmai.programs.isolation import isolate, limit, limit_program, protect
from sanmai.programs.judge import judge
from sanmai.programs.plain import read_frame
from sanmai.programs.program import run_script, serve_functions


def main(control: int, report: int) -> None:
    """Run the program that the first message on `control` holds; facts about it are lines of JSON on `report`.

    The second message, the tests, is read after the program has been forked: its memory never held them.
    """
    request = read_frame(control)
    limit(memory_bytes=request["memory_bytes"], file_bytes=request["file_bytes"])
    parts = isolate(request["folder"], folder_bytes=request["folder_bytes"], libraries=request["libraries"])
    os.environ |= dict.fromkeys(("HOME", "TMPDIR"), os.getcwd())
    protect()
    if os.getppid() != request["owner"]:
        os._exit(1)  # it died before it could be told that its death is ours
    asks, questions = os.pipe()
    replies, answers = os.pipe()
    warden = os.fork()
    if warden == 0:
        os.close(control)
        os.close(questions)
        os.close(replies)
        _guard_program(report, request, parts, asks, answers)
        return  # only the program comes here: its interpreter ends as any does
    os.close(asks)
    os.close(answers)
    say(report, {"warden": warden, "isolation": parts})
    if parts["alone"]:
        _stay_alone()
    if request["is_script"]:
        os.close(report)  # the warden's end is now the only one: the parent sees when it is gone
    else:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        judge(read_frame(control), questions, replies, lambda fact: say(report, fact))
    # The parent ends this process. Until then the warden is not reaped, and its number is given to no other process.
    signal.pause()


def say(report: int, fact: dict[str, object]) -> None:
    """One line; below PIPE_BUF, so that those of several writers do not mix."""
    with contextlib.suppress(BrokenPipeError):
        os.write(report, json.dumps(fact).encode() + b"\n")


def _stay_alone() -> None:
    if not refuse(alone(os.getpid())):
        raise OSError("the kernel took one filter of system calls and not a second one")


def _guard_program(report: int, request: dict, parts: dict[str, bool], asks: int, answers: int) -> None:
    """The warden: fork the program, wait for it, say how it ended. Returns in the program alone."""
    protect()
    # The judge alone holds the other end. It may have died before the kernel was told what follows from that.
    if _has_no_writer(asks):
        os._exit(1)
    warden = os.getpid()
    program = os.fork()
    if program == 0:
        os.close(report)
        _be_program(request, parts, warden, asks, answers)
        return
    os.close(asks)
    os.close(answers)
    while True:
        pid, status, usage = os.wait4(-1, 0)  # orphans come to the warden
        if pid == program:
            break
    say(report, {"status": status, "cpu_seconds": usage.ru_utime + usage.ru_stime})
    signal.pause()  # killed by the parent, and with it all that the program left behind


def _has_no_writer(pipe: int) -> bool:
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def _be_program(request: dict, parts: dict[str, bool], warden: int, asks: int, answers: int) -> None:
    if request["is_script"]:
        os.close(asks)
        os.close(answers)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})  # as anywhere, from here on
    is_counted = parts["process_limit"] and not parts["alone"]
    limit_program(cpu_seconds=request["cpu_seconds"], processes=request["processes"] if is_counted else None)
    if parts["alone"]:
        protect()  # no namespace ends it with its warden
        if os.getppid() != warden:
            os._exit(1)
        _stay_alone()
    code, name = request["code"], "__main__" if request["is_script"] else "program"
    request.clear()
    module = types.ModuleType(name)
    sys.modules[name] = module
    sys.argv = ["program.py"]
    if name == "__main__":
        run_script(code, module)
    else:
        serve_functions(code, module, asks, answers)

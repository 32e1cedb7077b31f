"""An untrusted program runs as any interpreter's would, and is bounded in time, memory, output and files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from sanmai.programs.run import Limits, run_program
from untrusted import needs, run


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

"""Children that hang, crash, print or eat memory cost their own call and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from sanmai.sandbox import ChildPool, Crashed, PipedProcess, TimedOut, Value, Watch, own_limit


@pytest.fixture(scope="module")
def pool():
    with ChildPool(2, memory_bytes=512 << 20) as pool:
        yield pool


def test_a_child_survives_many_calls(pool):
    children = {pool.call("os:getpid", timeout_seconds=5).value for _ in range(50)}
    assert len(children) == 1 and os.getpid() not in children
    assert pool.call("math:factorial", 5, timeout_seconds=5) == Value(120)


def test_a_call_that_hangs_is_killed_on_time_even_inside_c_code(pool):
    start = time.monotonic()
    assert pool.call("time:sleep", 60, timeout_seconds=0.2) == TimedOut(0.2)
    assert pool.call("builtins:pow", 9, 9**9, timeout_seconds=0.2) == TimedOut(0.2)  # holds the child's GIL
    assert time.monotonic() - start < 5
    assert pool.call("math:factorial", 4, timeout_seconds=5) == Value(24)


@pytest.mark.parametrize(
    ("function", "args", "reason"),
    [
        ("math:sqrt", (-1,), "ValueError"),
        ("os:_exit", (3,), "exit code 3"),
        ("os:abort", (), "exit code -6"),
        ("sys:exit", (0,), "exit code 0"),
        ("builtins:bytearray", (4 << 30,), "MemoryError"),
        ("builtins:object", (), "TypeError"),  # not JSON
        ("builtins:float", ("nan",), "ValueError"),
        ("no_such_module:f", (), "ModuleNotFoundError"),
        ("math:no_such_function", (), "AttributeError"),
    ],
)
def test_a_crash_is_a_typed_result_and_the_next_call_works(pool, function, args, reason):
    outcome = pool.call(function, *args, timeout_seconds=10)
    assert isinstance(outcome, Crashed) and reason in outcome.reason
    assert pool.call("math:factorial", 3, timeout_seconds=10) == Value(6)


def test_what_the_function_prints_is_no_answer(pool):
    assert pool.call("builtins:print", "\0\0\0\2{}", timeout_seconds=5) == Value(None)
    assert pool.call("builtins:input", timeout_seconds=5) == Crashed("EOFError: EOF when reading a line")


def test_large_arguments_and_answers_pass_and_too_large_ones_are_refused(pool):
    text = "x" * 1_000_000
    assert pool.call("builtins:str", text, timeout_seconds=10) == Value(text)
    with pytest.raises(ValueError, match="bytes"):
        pool.call("builtins:len", "x" * (17 << 20), timeout_seconds=10)


def test_threads_share_the_children_and_a_thread_that_ends_takes_none_with_it(pool):
    def work(k):
        results[k] = [pool.call("math:factorial", k, timeout_seconds=10) for _ in range(20)]

    results: dict = {}
    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {k: [Value(f)] * 20 for k, f in {1: 1, 2: 2, 3: 6, 4: 24}.items()}
    assert pool.call("math:factorial", 5, timeout_seconds=10) == Value(120)


def test_a_closed_pool_refuses_calls_and_leaves_no_process():
    pool = ChildPool(1)
    child = pool.call("os:getpid", timeout_seconds=10).value
    pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    with pytest.raises(ValueError, match="closed"):
        pool.call("os:getpid", timeout_seconds=10)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_busy_child_dies_with_a_parent_that_is_killed():
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent("""
            import threading, time
            from sanmai.sandbox import ChildPool
            pool = ChildPool(1)
            print(pool.call("os:getpid", timeout_seconds=10).value, flush=True)
            pool.call("builtins:pow", 9, 9**9, timeout_seconds=60)
        """)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    child = int(parent.stdout.readline())
    time.sleep(0.3)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _is_running(child):
        time.sleep(0.05)
    assert not _is_running(child)


def _is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_a_child_has_started_ends_with_it_and_a_child_that_does_not_read_does_not_hold_up_its_parent():
    shell = "sleep 600 & echo $!; exec sleep 600"
    child = PipedProcess(["sh", "-c", shell], stderr=subprocess.DEVNULL)
    started = int(child.read_some(time.monotonic() + 20))
    with pytest.raises(TimeoutError):
        child.write(b"x" * (1 << 22), time.monotonic() + 0.2)
    child.stop()
    for _ in range(200):
        try:
            with open(f"/proc/{started}/stat") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                    break
        except FileNotFoundError:
            break
        time.sleep(0.05)
    else:
        pytest.fail(f"process {started} is still there")


def test_a_watch_stands_still_while_something_works_that_has_a_limit_of_its_own():
    watch = Watch()
    with watch.running():
        time.sleep(0.05)
        with own_limit():
            before = watch.seconds
            time.sleep(0.2)
            assert watch.seconds == before >= 0.05
        time.sleep(0.05)
    assert 0.1 <= watch.seconds < 0.2
    with own_limit():  # where nobody watches
        pass

"""`sanmai serve` as a command: HTTP in a process beside the one that samples; the two begin, answer and end as one."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest
from serving import serving

from sanmai.serve.apart import can_fork

pytestmark = pytest.mark.skipif(not can_fork("cpu"), reason="one process does both here")
ASKED = {
    "model": "tiny", "messages": [{"role": "user", "content": "what is 37 plus 45 ?"}], "seed": 5, "n": 3, "max_tokens": 60,
    "logprobs": True, "top_logprobs": 2,
}  # fmt: skip


@contextlib.contextmanager
def command(*options: str):
    """The server's process and its base address."""
    line = [sys.executable, "-m", "sanmai.cli", "serve", "tiny", "--port", "0", *options]
    server = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        base = server.stdout.readline().split()[-1]
        for _ in range(600):
            with contextlib.suppress(httpx2.HTTPError):
                httpx2.get(f"{base.removesuffix('/v1')}/health", timeout=1)
                break
            time.sleep(0.1)
        yield server, base
    finally:
        if server.poll() is None:
            server.kill()
        server.communicate()


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_for(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_answers_are_those_of_one_process_and_a_signal_ends_both_in_order():
    with serving(model="tiny") as (base, _):
        alone = httpx2.post(f"{base}/chat/completions", json=ASKED, timeout=60).json()
    with command() as (server, base):
        [child] = children(server.pid)
        apart = httpx2.post(f"{base}/chat/completions", json=ASKED, timeout=60).json()
        assert apart["choices"] == alone["choices"] and apart["usage"] == alone["usage"]
        with httpx2.stream("POST", f"{base}/chat/completions", json={**ASKED, "stream": True, "n": 1}, timeout=60) as stream:
            next(stream.iter_lines())  # and hangs up
        health = f"{base.removesuffix('/v1')}/health"
        wait_for(lambda: httpx2.get(health).json()["open"] == 0)
        found = httpx2.get(health).json()
        assert found["live"] == found["waiting"] == 0 and found["completions"] + found["cancelled"] == 4 and found["ok"]
        assert found["tokens"] >= apart["usage"]["completion_tokens"]
        server.send_signal(signal.SIGTERM)
        said, errors = server.communicate(timeout=60)
        assert server.returncode == 0 and said.endswith("Stopped.\n") and not errors and has_ended(child)


def test_too_many_that_wait_are_told_so():
    with command("--concurrent", "2", "--waiting", "2") as (_, base):
        refused = httpx2.post(f"{base}/chat/completions", json={**ASKED, "n": 5}, timeout=60)
        assert refused.status_code == 429 and refused.json()["error"]["code"] == "queue_full"
        assert httpx2.post(f"{base}/chat/completions", json={**ASKED, "n": 4}, timeout=60).status_code == 200


def test_neither_process_outlives_the_other():
    with command() as (server, _):
        [child] = children(server.pid)
        server.kill()
        wait_for(lambda: has_ended(child))
    with command() as (server, _):
        os.kill(children(server.pid)[0], signal.SIGKILL)
        _, errors = server.communicate(timeout=60)
        assert server.returncode == 1 and "the process that answers requests ended with exit code -9" in errors

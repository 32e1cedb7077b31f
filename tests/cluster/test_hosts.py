"""Samplers on two hosts, of which one is cut off in the middle of a run: time is lost and nothing else.

The hosts are network namespaces of this machine, joined by a cable that can be taken down. Needs root, `ip` and Ray.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from test_run_apart import command, differing, warnings_of

NEAR, FAR = "10.77.41.1", "10.77.41.2"
PORT = 6399
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed (the extra `cluster`)"),
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("ip") is None, reason="network namespaces need root and `ip`"),
]


class Hosts:
    """Two namespaces with an address each."""

    def __init__(self, name: str) -> None:
        self.near, self.far = f"{name}-near", f"{name}-far"

    def __enter__(self) -> Hosts:
        for host in (self.near, self.far):
            _ip("netns", "add", host)
            _ip("-n", host, "link", "set", "lo", "up")
        _ip("link", "add", "cable", "netns", self.near, "type", "veth", "peer", "name", "cable", "netns", self.far)
        for host, address in ((self.near, NEAR), (self.far, FAR)):
            _ip("-n", host, "address", "add", f"{address}/24", "dev", "cable")
            _ip("-n", host, "link", "set", "cable", "up")
        return self

    def __exit__(self, *_: object) -> None:
        for host in (self.near, self.far):
            with contextlib.suppress(subprocess.CalledProcessError):
                for pid in _ip("netns", "pids", host).split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), 9)
                _ip("netns", "delete", host)

    def cut(self) -> None:
        _ip("-n", self.far, "link", "set", "cable", "down")

    @staticmethod
    def on(host: str, *args: object) -> list[str]:
        return ["ip", "netns", "exec", host, *map(str, args)]


def _ip(*args: str) -> str:
    return subprocess.run(["ip", *args], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def hosts() -> Generator[Hosts]:
    made = Hosts(f"sanmai{os.getpid()}")
    with contextlib.ExitStack() as stack:
        stack.push(made.__exit__)  # also of what was made before one could not be
        try:
            made.__enter__()
        except subprocess.CalledProcessError as error:
            if error.cmd[:3] != ["ip", "netns", "add"]:
                raise
            pytest.skip(f"this kernel, or this container, gives no network namespaces: {error.stderr.strip()}")
        yield made


def start_ray(hosts: Hosts, tmp_path: Path, env: dict[str, str]) -> None:
    """A head with room for one sampler on the near host, and a node with room for one on the far one."""
    start = (sys.executable, "-m", "ray.scripts.scripts", "start", "--num-cpus=1", "--object-store-memory=100000000")
    for host, address, role in (
        (hosts.near, NEAR, ("--head", f"--port={PORT}", "--include-dashboard=false", "--temp-dir=/tmp/ray-hosts")),
        (hosts.far, FAR, (f"--address={NEAR}:{PORT}",)),
    ):
        done = subprocess.run(
            hosts.on(host, *start, f"--node-ip-address={address}", *role),
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def run(args: Sequence[object], tmp_path: Path, env: dict[str, str], log: str) -> subprocess.Popen:
    with (tmp_path / log).open("w") as out:
        return subprocess.Popen([*map(str, args)], cwd=tmp_path, env=env, stdout=out, stderr=subprocess.STDOUT)


def test_a_host_that_is_cut_off_costs_time_and_nothing_else(hosts, tmp_path):
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_raylet_start_wait_time_s": "180",
    }
    sanmai = (sys.executable, "-m", "sanmai.cli")
    apart = (
        "cluster.transport=ray", f"cluster.address={NEAR}:{PORT}", "cluster.samplers=2", "cluster.deadline_seconds=60",
        "num_steps=4",
    )  # fmt: skip
    try:
        start_ray(hosts, tmp_path, env)
        running = run(hosts.on(hosts.near, *sanmai, *command(*apart), tmp_path / "run"), tmp_path, env, "run.log")
        while not (tmp_path / "run" / "metrics.jsonl").exists() and running.poll() is None:
            time.sleep(0.05)
        hosts.cut()
        assert running.wait(timeout=400) == 0, (tmp_path / "run.log").read_text()[-3000:]
    finally:
        shutil.rmtree("/tmp/ray-hosts", ignore_errors=True)
    alone = run([*sanmai, *command("num_steps=4"), tmp_path / "one"], tmp_path, env, "one.log")
    assert alone.wait() == 0, (tmp_path / "one.log").read_text()[-3000:]
    assert differing(tmp_path / "one", tmp_path / "run") == []
    assert any("gave no answer" in message or "Ray:" in message for message in warnings_of(tmp_path / "run"))

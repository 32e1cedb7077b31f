"""Samplers as Ray actors; where Ray is not installed only the sentence that says so."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
import time

import pytest

from sanmai.cluster.config import ClusterConfig
from sanmai.cluster.samplers import Cluster, links_of
from sanmai.policies.text.asking import Request, SamplingConfig
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.sampler import sample
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.zero import run_zero
from sanmai.types import InputError

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed (the extra `cluster`)")


def test_without_ray_the_message_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"needs the extra `cluster` \(ray\)"):
        run_zero(resolve(find_recipe("zero"), overrides=["cluster.transport=ray"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()  # it is asked for before anything is loaded


@needs_ray
@pytest.mark.slow
def test_actors_write_the_bytes_of_one_process_also_where_one_is_killed_in_a_part(tmp_path):
    policy = load_policy(ModelConfig(threads=1))
    policy.sampling_parts = 6
    sampling = SamplingConfig(max_tokens=24, concurrent=96)
    requests = [Request([5, 9, 4 + number], [(0, number, g) for g in range(24)]) for number in range(8)]
    written = lambda: sorted((c.request, c.sample, c.tokens, c.logp) for c in sample(policy, requests, sampling))  # noqa: E731
    here, notices = written(), []
    config = ClusterConfig(transport="ray", samplers=2, parts=6, deadline_seconds=300, patience_seconds=300)
    with Cluster(config) as cluster:
        links = links_of(config, tmp_path, policy)
        cluster.write_for(policy, tmp_path, on_warning=notices.append, links=links)
        assert written() == here
        threading.Timer(0.05, links[0].fail).start()
        assert written() == here
    assert any("Ray: ActorDiedError" in notice or "ActorUnavailableError" in notice for notice in notices)
    end = time.monotonic() + 20
    while time.monotonic() < end and rays_processes():
        time.sleep(0.5)
    assert rays_processes() == []


def rays_processes() -> list[str]:
    """What Ray has running on this machine."""
    said = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in said.splitlines() if line.startswith("ray::") or "/raylet/raylet" in line or "gcs_server" in line]


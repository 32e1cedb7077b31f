"""The facts that a result depends on and a configuration does not hold."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from sanmai.policies.contract import Trained
from sanmai.policies.text.cpu.native import native
from sanmai.rewards.verifiers import VERSIONS
from sanmai.train.seen import dress_of
from sanmai.types import Problem

_PACKAGES = ("sanmai", "torch", "transformers", "tokenizers", "peft", "numpy", "math-verify", "pyarrow", "reasoning-gym")


def describe_environment(
    policy: Trained, problems: Mapping[str, Iterable[object]], *, start_digest: str, reward: str | None = None
) -> dict[str, Any]:
    """Versions, machine, and the origin of the run: digests of everything it starts from.

    Args:
        problems: by what they are for; or what else is learned from, such as judged pairs, told apart by their repr.
        start_digest: of the starting weights; see TrainingState.
        reward: names the caller's reward function, if there is one.
    """
    problems = {name: list(found) for name, found in problems.items()}
    verifiers = {one.verifier for found in problems.values() for one in found if isinstance(one, Problem)}
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "git_commit": _git_commit(),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "threads": policy.cores.threads,
            "workers": policy.cores.workers,
            "attention_kernel": policy.device.type == "cpu" and native().attend is not None,
            "device": _device_name(policy.device),
        },
        "model": policy.facts(),
        "dress": sorted(dress_of(one for found in problems.values() for one in found)),
        "graders": {name: VERSIONS[name] for name in sorted(verifiers & VERSIONS.keys())},
        "origin": {
            "weights": start_digest,
            "reward": reward,
            **{name: _digest([text]) for name, text in policy.origin().items()},
            **{f"problems_{name}": _digest(_lines(found)) for name, found in problems.items()},
        },
    }


def _lines(problems: Iterable[object]) -> Iterable[str]:
    return map(repr, problems)


def _digest(texts: Iterable[str]) -> str:
    sha = hashlib.sha256()
    for text in texts:
        sha.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return sha.hexdigest()[:16]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _git_commit() -> str | None:
    """The commit of the source that runs, when it is a checkout."""
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None

"""What this machine can do: cores, matrix products per second, number formats, memory allocator."""

from __future__ import annotations

import math
import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from sanmai.policies.contract import Policy

_LARGEST_MATRIX = 2**27
"""Bytes: where products stop growing while the rate is measured."""
_MALLOC = ("MALLOC_", "GLIBC_TUNABLES", "MIMALLOC_", "TCMALLOC_", "JEMALLOC_", "PYTORCH_CUDA_ALLOC_CONF", "LD_PRELOAD")


def peak_of(policy: Policy, seconds: float = 0.25) -> dict[str, Any]:
    """The matrix rate of a policy's device in its dtype, as the facts of a "machine" event."""
    cores = policy.cores.threads if policy.device.type == "cpu" else 1
    rate = matrix_rate(policy.device, getattr(torch, policy.dtype), cores, seconds)
    trainers = policy.team.size if policy.team is not None else 1
    return {
        "matrix_gflops": round(rate * trainers / 1e9, 1),
        "dtype": policy.dtype,
        "device": policy.device.type,
        "cores": cores * trainers,
    }


def peak_memory() -> int:
    """Bytes that this process held in memory at most, so far (its largest resident set)."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def matrix_rate(device: torch.device, dtype: torch.dtype, cores: int = 1, seconds: float = 0.25) -> float:
    """Operations per second (2 n^3 a product) of large square matrix products, the best of several short windows.

    On a CPU every core computes products of its own on a thread of its own: products that several cores share are slower.
    The number of PyTorch's threads is as before when this returns.

    Args:
        cores: threads that compute at once; 1 for an accelerator.
        seconds: about what it takes; more where a single product of 256 x 256 takes longer.
    """
    threads_before = torch.get_num_threads()
    torch.set_num_threads(1 if device.type == "cpu" else threads_before)
    try:
        with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            end, size, best = time.monotonic() + seconds, 256, 0.0
            while True:
                product, took = _timed_product(size, device, dtype)
                if took > 0.008 or (2 * size) ** 2 * dtype.itemsize > _LARGEST_MATRIX:
                    break
                size *= 2
            repeats = max(math.ceil(0.02 / took), 1)
            while not best or time.monotonic() < end:
                start = time.perf_counter()
                list(pool.map(lambda _: product(repeats), range(cores)))
                best = max(best, 2 * size**3 * repeats * cores / (time.perf_counter() - start))
    finally:
        torch.set_num_threads(threads_before)
    return best


def malloc_settings() -> dict[str, str]:
    """Variables of the environment that change how memory is allocated."""
    return {name: value for name, value in sorted(os.environ.items()) if name.startswith(_MALLOC)}


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was asked for; a clock read before that measures nothing."""
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()


def _timed_product(size: int, device: torch.device, dtype: torch.dtype) -> tuple[Callable[[int], None], float]:
    """A function that computes that many products of square matrices, and the seconds of one, after a first."""
    chance = torch.Generator().manual_seed(0)  # not the process's own stream
    left = torch.rand(size, size, generator=chance).to(device, dtype)
    right = left.T.contiguous()

    def product(repeats: int) -> None:
        result = torch.empty_like(left)
        for _ in range(repeats):
            torch.mm(left, right, out=result)
        synchronize(device)

    product(1)
    start = time.perf_counter()
    product(1)
    return product, max(time.perf_counter() - start, 1e-7)

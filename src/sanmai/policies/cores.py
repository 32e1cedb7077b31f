"""How a model uses the cores of a CPU: how many, and which threads compute what."""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

import torch

LARGE = 50_000_000
"""Parameters from which on a CPU's cores share each product; see Cores.workers."""
_MOST_WORKERS = 8
"""Each holds a micro-batch and a gradient of its own."""
_SAMPLING_WORKERS = 2
"""Of a large model; see Cores.sampling_workers."""
Result = TypeVar("Result")


def available_cores() -> int:
    """CPU cores that this process may use: OMP_NUM_THREADS where the user sets it, else those it may run on."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds of each period, or "max"
    if quota.is_file():
        granted, period = quota.read_text().split()
        if granted != "max":
            cores = min(cores, max(round(int(granted) / int(period)), 1))
    return cores


def native_bfloat16() -> bool | None:
    """Whether this CPU has instructions for bfloat16 products; None where that cannot be found out."""
    found = torch.cpu.get_capabilities()
    names = ("avx512_bf16", "amx_bf16", "bf16", "arm_bf16", "sve_bf16")
    if any(found.get(name) for name in names):
        return True
    return False if platform.machine().lower() in ("x86_64", "amd64") and found else None


class Cores:
    """The threads of a policy."""

    def __init__(self, threads: int, *, is_cpu: bool, is_one: bool, has_fast_path: bool = False) -> None:
        """Args:
            threads: cores to use; 0: those that this process may run on.
            is_one: one forward pass runs at a time, its products split over the cores.
        """
        self.threads, self.has_fast_path = threads or available_cores(), has_fast_path
        self._is_cpu, self._is_one = is_cpu, is_one

    @property
    def workers(self) -> int:
        """Threads that each compute a part of the rollouts; more than one for a small model on a CPU.

        Its products are too small to be split, and threads that wait for each other at each of them lose all when another
        program wants a core. Above the bound the products are large, and a gradient per worker would cost memory.
        """
        if not self._is_cpu or self._is_one:
            return 1
        return min(self.threads, _MOST_WORKERS)

    @property
    def sampling_workers(self) -> int:
        """Threads that each write a part of the rollouts.

        A large model has two on a CPU: while one draws or attends, which takes a core at most, the other multiplies. More would
        read the weights more often.
        """
        if self.workers > 1 or not self._is_cpu or not self.has_fast_path:
            return self.workers
        return min(self.threads, _SAMPLING_WORKERS)

    @functools.cached_property
    def sampling_pool(self) -> ThreadPoolExecutor:
        """The threads that write rollouts, each with its share of the cores."""
        count = self.sampling_workers
        share = max(self.threads // count, 1)
        return ThreadPoolExecutor(count, "sampling", torch.set_num_threads, (share,))

    @functools.cached_property
    def pool(self) -> ThreadPoolExecutor:
        """The workers. They live as long as the policy: a thread that has computed leaves some KB behind when it ends."""
        # The threads must not hold what owns them, or it would never be freed.
        return ThreadPoolExecutor(self.workers, "worker", torch.set_num_threads, (1,))

    def use_threads(self) -> None:
        """Give the calling thread its share of the cores; PyTorch's setting belongs to a thread."""
        torch.set_num_threads(self.threads if self.workers == 1 else 1)

    def map(
        self, function: Callable[[int], Result], count: int, *, on_error: Callable[[], None] = lambda: None
    ) -> list[Result]:
        """function(0) ... function(count - 1), computed by the policy's workers in that order of starting.

        After an error no further call is started; the error is raised when the calls under way have ended.

        Args:
            on_error: called as soon as one has failed, or the caller is interrupted, if calls wait for each other.
        """
        if self.workers == 1 or count < 2:
            return [function(i) for i in range(count)]

        def attempt(i: int) -> Result:
            try:
                return function(i)
            except BaseException:
                on_error()
                raise

        futures = [self.pool.submit(attempt, i) for i in range(count)]
        try:
            return [future.result() for future in futures]
        except BaseException:
            on_error()
            for future in futures:
                future.cancel()
            wait(futures)
            raise

"""How the C library hands memory back to the system."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import math
import mmap
import os
import platform
from collections.abc import Sequence

import torch
from torch import Tensor

_SMALLEST_APART = 1 << 17
"""Bytes from which a tensor gets pages of its own."""
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8  # names of glibc's mallopt
_is_shared = False


def keep_freed_memory(*, shared: bool = False) -> bool:
    """Have glibc keep memory that tensors have freed, instead of returning it and clearing new pages for the next ones.

    A step frees and takes tensors of some MB thousands of times; left to itself glibc gives each back to the system, and up
    to a fifth of the time goes into clearing pages. Tensors from 32 MiB on are still returned. Nothing is changed where the
    user has set MALLOC_ variables, or where the C library is another.

    Args:
        shared: threads take from one heap what any of them has freed. With a heap for each, what a large model's forward pass
            frees is of no use to its backward pass, which runs in another thread, and both stay: GBs. What stays for long is
            `apart` then.
    """
    global _is_shared
    if platform.libc_ver()[0] != "glibc" or any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = {_MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 << 20}
    settings |= {_ARENA_MAX: 1} if shared else {}
    _is_shared = _is_shared or shared  # one heap stays one
    return all([mallopt(name, value) == 1 for name, value in settings.items()])


def sets_apart() -> bool:
    """Whether `apart` gives pages of their own."""
    return _is_shared


def apart(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Zeros with pages of their own, for what outlives a micro-batch of a large model; on a CPU.

    Standing between activations on the heap, gradients, moments and casts would leave holes of a GB when these are freed. Where
    freed memory is not kept for all threads (see above), it is a tensor as any other.
    """
    size = math.prod(shape) * dtype.itemsize
    if not _is_shared or size < _SMALLEST_APART:
        return torch.zeros(shape, dtype=dtype)
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # of a system that has none
            pages.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(pages, dtype=dtype).view(shape)  # which holds on to the pages


def return_freed_memory(*, collect: bool = True) -> None:
    """Have glibc hand freed memory back to the system, once.

    Args:
        collect: let go of models that only refer to themselves first.
    """
    if collect:
        gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)

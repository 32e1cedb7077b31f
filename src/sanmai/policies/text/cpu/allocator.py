"""How the C library hands memory back to the system."""

from __future__ import annotations

import ctypes
import gc
import os
import platform

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8  # names of glibc's mallopt


def keep_freed_memory(*, shared: bool = False) -> bool:
    """Have glibc keep memory that tensors have freed, instead of returning it and clearing new pages for the next ones.

    A step frees and takes tensors of some MB thousands of times; left to itself glibc gives each back to the system, and up
    to a fifth of the time goes into clearing pages. Tensors from 32 MiB on are still returned. Nothing is changed where the
    user has set MALLOC_ variables, or where the C library is another.

    Args:
        shared: threads take from one heap what any of them has freed. With a heap for each, what a large model's forward pass
            frees is of no use to its backward pass, which runs in another thread, and both stay: GBs.
    """
    if platform.libc_ver()[0] != "glibc" or any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = {_MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 << 20}
    settings |= {_ARENA_MAX: 1} if shared else {}
    return all([mallopt(name, value) == 1 for name, value in settings.items()])


def return_freed_memory(*, collect: bool = True) -> None:
    """Have glibc hand freed memory back to the system, once.

    Args:
        collect: let go of models that only refer to themselves first.
    """
    if collect:
        gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)

"""How the C library hands memory back to the system."""

from __future__ import annotations

import ctypes
import gc
import os
import platform

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # names of glibc's mallopt


def keep_freed_memory() -> bool:
    """Have glibc keep memory that tensors have freed, instead of returning it and clearing new pages for the next ones.

    A step frees and takes tensors of some MB thousands of times; left to itself glibc gives each back to the system, and up
    to a fifth of the time goes into clearing pages. Tensors from 32 MiB on are still returned. Nothing is changed where the
    user has set MALLOC_ variables, or where the C library is another.
    """
    if platform.libc_ver()[0] != "glibc" or any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = {_MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 << 20}
    return all([mallopt(name, value) == 1 for name, value in settings.items()])


def return_freed_memory() -> None:
    """Let go of models that only refer to themselves, and have glibc hand freed memory back to the system, once."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)

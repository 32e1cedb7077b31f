"""The attention kernel for CPUs, compiled on first use where there is a C compiler, and done without where there is none.

PyTorch's kernel spends most of a decode step on calling a matrix product per head and on keys that a slot does not have.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

SOURCE = Path(__file__).with_name("attend.c")
_FLAGS = ("-O3", "-march=native", "-std=c11", "-shared", "-fPIC", "-fno-math-errno", "-fno-trapping-math",
          "-fassociative-math", "-fno-signed-zeros")  # fmt: skip
_COMPILE_SECONDS = 60


@dataclass(frozen=True)
class Native:
    """`attend` of attend.c, or why there is none."""

    attend: Callable[..., None] | None
    reason: str


@functools.cache
def native() -> Native:
    """The compiled kernel of this machine; it is built once and kept in the user's cache folder."""
    compiler = next(
        (path for name in (os.environ.get("CC"), "cc", "gcc", "clang") if name and (path := shutil.which(name))), None
    )
    if compiler is None:
        return Native(None, "no C compiler found")
    try:
        function = ctypes.CDLL(str(_library(compiler))).attend
    except (OSError, subprocess.SubprocessError, AttributeError) as error:
        return Native(None, f"{compiler}: {' '.join(str(error).split())[:200]}")
    pointer, integer, real = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
    function.argtypes = [pointer, pointer, real, *[pointer] * 5, *[integer] * 5, real, pointer, pointer]
    function.restype = None
    return Native(function, f"built with {compiler}")


def attend(
    function: Callable[..., None],
    heads_SE: Tensor,
    head_norm: Tensor | None,
    eps: float,
    angles: tuple[Tensor, Tensor],
    length_S: Tensor,
    keys_STKE: Tensor,
    values_STKE: Tensor,
    scale: float,
) -> Tensor:
    """Attention of one new token per slot, (S, H * E); its keys and values are appended to the caches.

    Args:
        function: what `native().attend` is.
        heads_SE: (S, (H + 2 K) E), float32: queries, keys and values as the projection gives them.
        head_norm: (H + K, E) weights of the norm of queries and keys, if the model has one.
        angles: cos and sin of all positions, (capacity, 1, E / 2).
        length_S: tokens that each slot has, below the capacity.
    """
    num_slots, capacity, num_kv_heads, width = keys_STKE.shape
    num_heads = heads_SE.shape[1] // width - 2 * num_kv_heads
    heads_SE = heads_SE.contiguous()
    out_SE = torch.empty(num_slots, num_heads * width)
    scratch = torch.empty(num_heads * (width + capacity))
    tensors = (heads_SE, *angles, length_S, keys_STKE, values_STKE, *([] if head_norm is None else [head_norm]))
    assert all(tensor.is_contiguous() for tensor in tensors)
    pointer = lambda tensor: None if tensor is None else tensor.data_ptr()  # noqa: E731
    function(
        pointer(heads_SE), pointer(head_norm), eps, pointer(angles[0]), pointer(angles[1]), pointer(length_S),
        pointer(keys_STKE), pointer(values_STKE), num_slots, capacity, num_heads, num_kv_heads, width, scale,
        pointer(scratch), pointer(out_SE),
    )  # fmt: skip
    return out_SE


def _library(compiler: str) -> Path:
    """The shared library for this source, compiler and processor; compiled if it is not there yet."""
    name = f"attend-{_fingerprint(compiler)}.so"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sanmai"
    if (cache / name).is_file():
        return cache / name
    try:
        cache.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".build-", dir=cache))
    except (OSError, RuntimeError):  # no home, or not writable: for this process alone
        cache = folder = Path(tempfile.mkdtemp(prefix="sanmai-"))
    command = [compiler, *_FLAGS, "-o", str(folder / name), str(SOURCE), "-lm"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_COMPILE_SECONDS, stdin=subprocess.DEVNULL)
        (folder / name).replace(cache / name)  # whole or not at all, also with two processes
    finally:
        if folder != cache:
            shutil.rmtree(folder, ignore_errors=True)
    return cache / name


def _fingerprint(compiler: str) -> str:
    facts: list[Any] = [
        SOURCE.read_bytes(),
        _FLAGS,
        os.path.realpath(compiler),
        os.stat(compiler).st_mtime_ns,
        platform.machine(),
    ]
    cpu = Path("/proc/cpuinfo")  # a home folder may be shared by machines with other instructions
    if cpu.exists():
        facts += sorted(
            {line for line in cpu.read_text().splitlines() if line.startswith(("flags", "Features", "model name"))}
        )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

"""The kernels for CPUs, compiled on first use where there is a C compiler, and done without where there is none.

In sampling PyTorch spends most of a decode step on calling a matrix product per head and on keys that a slot does not have
(attend.c); in training, on passes over memory between the products (passes.c, attention.c; compiled.py calls those).
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sanmai.policies.text.places import cache_folder
from sanmai.scratch import scratch

SOURCES = tuple(Path(__file__).with_name(name) for name in ("numbers.h", "attend.c", "passes.c", "attention.c"))
_FLAGS = ("-O3", "-march=native", "-std=c11", "-shared", "-fPIC", "-fno-math-errno", "-fno-trapping-math",
          "-fassociative-math", "-fno-signed-zeros", "-ffp-contract=fast")  # fmt: skip
_ATTENTION = "ppp fff ppp iiiiiii"  # weight, angles; eps, scale, cap; index, start, length; N, B, T, H, K, E, window
_RANGE = "i ii"  # half; first, end
_PARAMETERS = {
    "attend": "pp f ppppp iiiii f i f pp",
    "norm_forward": f"ppp f i ppp {_RANGE}",
    "norm_backward": f"ppppp i ppp {_RANGE}",
    "add_parts": "p ii p",
    "swiglu_forward": f"p i p {_RANGE}",
    "swiglu_backward": f"pp i p {_RANGE}",
    "softmax_forward": f"pp f i ppppp {_RANGE}",
    "softmax_backward": f"ppp f pp i p {_RANGE}",
    "attention_prepare": f"p {_ATTENTION} p {_RANGE}",
    "attention_forward": f"{_ATTENTION} pppp {_RANGE}",
    "attention_backward": f"p {_ATTENTION} pppp {_RANGE}",
    "attention_prepare_backward": f"p {_ATTENTION} ppp {_RANGE}",
}
"""Of every function: p a pointer or None, i an int64, f a float."""
_C_TYPES = {"p": ctypes.c_void_p, "i": ctypes.c_int64, "f": ctypes.c_float}
_COMPILE_SECONDS = 60
_building = threading.Lock()


@dataclass(frozen=True)
class Native:
    """The functions of the C files, or why there are none."""

    library: ctypes.CDLL | None
    reason: str

    @property
    def attend(self) -> Callable[..., None] | None:
        """That of attend.c."""
        return None if self.library is None else self.library.attend


def native() -> Native:
    """The compiled kernels of this machine; they are built once and kept in the user's cache folder."""
    with _building:  # the first of several threads builds it
        return _find_or_build()


@functools.cache
def _find_or_build() -> Native:
    names = (os.environ.get("CC"), "cc", "gcc", "clang")
    compiler = next((path for name in names if name and (path := shutil.which(name))), None)
    if compiler is None:
        return Native(None, "no C compiler found")
    kept = cache_folder() / f"kernels-{_fingerprint(compiler)}.so"
    try:
        if _is_whole(kept):
            return Native(_load(kept), f"built earlier with {compiler}")
        with scratch() as folder:
            built = folder / "kernels.so"
            command = [
                compiler,
                *_FLAGS,
                "-o",
                str(built),
                *(str(path) for path in SOURCES if path.suffix == ".c"),
                "-lm",
            ]
            subprocess.run(command, check=True, capture_output=True, timeout=_COMPILE_SECONDS, stdin=subprocess.DEVNULL)
            with built.open("ab") as file:
                file.write(hashlib.sha256(built.read_bytes()).digest())
            return Native(_load(built), f"built with {compiler}{_keep(built, kept)}")
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().split("\n")[0]
        return Native(None, f"{compiler} cannot build it: exit code {error.returncode} {said[:200]}".rstrip())
    except (OSError, subprocess.SubprocessError, AttributeError) as error:
        return Native(None, f"{compiler} cannot build it: {' '.join(str(error).split())[:200]}")


def _is_whole(library: Path) -> bool:
    """It is there, belongs to this user, and ends with its own digest: loading a damaged library would end the process."""
    try:
        content = library.read_bytes()
        mine = library.stat().st_uid == os.getuid()
    except OSError:
        return False
    return mine and hashlib.sha256(content[:-32]).digest() == content[-32:]


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    for name, parameters in _PARAMETERS.items():
        function = getattr(library, name)
        function.argtypes = [_C_TYPES[kind] for kind in parameters.replace(" ", "")]
        function.restype = None
    return library


def _keep(built: Path, kept: Path) -> str:
    """Copy it to where the next process looks, whole or not at all; what to say if that is not possible."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with scratch(kept.parent) as folder:
            partial = folder / kept.name
            with partial.open("wb") as file:
                file.write(built.read_bytes())
                file.flush()
                os.fsync(file.fileno())
            partial.replace(kept)
    except OSError as error:
        return f", and again by each process: {kept.parent}: {error.strerror}"
    return ""


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
    *,
    window: int | None = None,
    cap: float | None = None,
) -> Tensor:
    """Attention of one new token per slot, (S, H * E); its keys and values are appended to the caches.

    Args:
        function: what `native().attend` is.
        heads_SE: (S, (H + 2 K) E), float32: queries, keys and values as the projection gives them.
        head_norm: (H + K, E) weights of the norm of queries and keys, if the model has one.
        angles: cos and sin of all positions, (capacity, 1, E / 2).
        length_S: tokens that each slot has, below the capacity.
        window: tokens that the new one sees, itself included; None: all.
        cap: scores s become cap tanh(s / cap); None: they stay.
    """
    num_slots, capacity, num_kv_heads, width = keys_STKE.shape
    num_heads = heads_SE.shape[1] // width - 2 * num_kv_heads
    heads_SE = heads_SE.contiguous()
    out_SE = torch.empty(num_slots, num_heads * width)
    scratch = torch.empty(num_heads * (width + capacity))
    tensors = (heads_SE, *angles, length_S, keys_STKE, values_STKE, *([] if head_norm is None else [head_norm]))
    if not all(tensor.is_contiguous() for tensor in tensors):
        raise ValueError("the kernel reads contiguous tensors only")
    pointer = lambda tensor: None if tensor is None else tensor.data_ptr()  # noqa: E731
    function(
        pointer(heads_SE), pointer(head_norm), eps, pointer(angles[0]), pointer(angles[1]), pointer(length_S),
        pointer(keys_STKE), pointer(values_STKE), num_slots, capacity, num_heads, num_kv_heads, width, scale,
        window or 0, cap or 0.0, pointer(scratch), pointer(out_SE),
    )  # fmt: skip
    return out_SE


def _fingerprint(compiler: str) -> str:
    facts: list[Any] = [
        [path.read_bytes() for path in SOURCES],
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

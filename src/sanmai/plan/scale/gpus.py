"""What makers state of their GPUs: memory, its bandwidth, dense bfloat16 products, links. No price: that is a setting."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from sanmai.types import InputError


@dataclass(frozen=True)
class Gpu:
    """One GPU, in bytes and operations a second."""

    name: str
    memory: float
    """Bytes."""
    bandwidth: float
    """Bytes a second from its memory."""
    flops: float
    """Dense bfloat16 matrix products, without sparsity, a second."""
    link: float
    """Bytes a second to a GPU of the same node, in one direction; half of what makers add up over both."""
    source: str
    """What NVIDIA's data sheet of it states, of bfloat16."""


def _gpu(name: str, memory: float, bandwidth: float, tflops: float, link: float, source: str) -> Gpu:
    return Gpu(name, memory * 1e9, bandwidth * 1e9, tflops * 1e12, link * 1e9, source)


GPUS = {
    gpu.name: gpu
    for gpu in (
        _gpu("a100", 80, 2039, 312, 300, "A100 80GB SXM: 80 GB, 2,039 GB/s, 312 TFLOPS, NVLink 600 GB/s"),
        _gpu("a100-40gb", 40, 1555, 312, 300, "A100 40GB SXM: 40 GB, 1,555 GB/s, 312 TFLOPS, NVLink 600 GB/s"),
        _gpu("h100", 80, 3350, 989.4, 450, "H100 SXM: 80 GB, 3.35 TB/s, half of 1,979 sparse TFLOPS, NVLink 900 GB/s"),
        _gpu("h200", 141, 4800, 989.4, 450, "H200 SXM: 141 GB, 4.8 TB/s, half of 1,979 sparse TFLOPS, NVLink 900 GB/s"),
        _gpu("b200", 180, 8000, 2250, 900, "DGX B200, an eighth: 1,440 GB, 64 TB/s; half of 4.5 sparse PFLOPS, NVLink 1.8 TB/s"),
        _gpu("l40s", 48, 864, 362, 32, "L40S: 48 GB, 864 GB/s, 362 TFLOPS, PCIe 4.0 x16 64 GB/s"),
        _gpu("l4", 24, 300, 121, 32, "L4: 24 GB, 300 GB/s, half of 242 sparse TFLOPS, PCIe 4.0 x16 64 GB/s"),
    )
}  # fmt: skip


def find_gpu(name: str) -> Gpu:
    """The GPU of that name.

    Raises:
        InputError: it is not in the table.
    """
    found = GPUS.get(name.lower())
    if found is None:
        near = difflib.get_close_matches(name.lower(), GPUS, 1)
        raise InputError(f"--gpu {name!r}: {f'did you mean {near[0]!r}? ' if near else ''}Expected one of {', '.join(GPUS)}")
    return found

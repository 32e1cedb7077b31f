"""A safetensors file of tensors that trainers share: gathered and written one after the other.

No trainer ever has room for more than the largest of them, and the file is the one that a single process writes. PyTorch's own
distributed checkpoints keep where each part lies in a pickle, and none is ever loaded here.

Format: https://huggingface.co/docs/safetensors, an 8-byte length, a JSON header of that length, the tensors' bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sanmai.policies.sharded import whole

_NAMES = {
    torch.bool: "BOOL", torch.uint8: "U8", torch.int8: "I8", torch.int16: "I16", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int32: "I32", torch.float32: "F32", torch.float64: "F64", torch.int64: "I64",
}  # fmt: skip
"""In the order in which the library compares them: those behind come first in a file."""


def save_in_turn(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str], *, writes: bool) -> None:
    """What `safetensors.torch.save_file` makes of the gathered tensors, byte for byte; to be called by all trainers at once.

    Args:
        tensors: by name, the same names everywhere; spread over the trainers, or the same on all.
        writes: this trainer writes the file; the others take part in gathering alone.

    Raises:
        OSError: the file cannot be written; the other trainers have done their part by then.
    """
    ranks = list(_NAMES)
    order = sorted(tensors, key=lambda name: (-ranks.index(tensors[name].dtype), name))
    failure: OSError | None = None
    file = None
    try:
        if writes:
            try:
                file = path.open("wb")
                file.write(_header(tensors, order, metadata))
            except OSError as error:
                failure = error
        for name in order:
            found = whole(tensors[name])
            if file is not None and failure is None:
                data = found.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
                try:
                    file.write(memoryview(data.numpy()))
                except OSError as error:  # the others wait for this one at the next tensor
                    failure = error
    finally:
        if file is not None:
            try:
                file.close()
            except OSError as error:
                failure = failure or error
    if failure is not None:
        raise failure


def _header(tensors: Mapping[str, Tensor], order: list[str], metadata: Mapping[str, str]) -> bytes:
    parts: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for name in order:
        tensor, start = tensors[name], end
        end += tensor.numel() * tensor.element_size()
        parts[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text

"""Tensors that are gathered and written one after the other are the file that a single process writes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sanmai.train.in_turn import save_in_turn

DTYPES = (
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.float16, torch.bfloat16, torch.int32, torch.float32, torch.float64,
    torch.int64,
)  # fmt: skip


def test_the_file_is_that_of_the_library_whatever_is_in_it(tmp_path):
    generator = torch.Generator().manual_seed(0)
    tensors = {
        f"{name}{number}": torch.randint(0, 2, shape, generator=generator).to(dtype)
        for name, shape in (("ä/b", (3, 5)), ("z", ()), ("a", (7,)), ("empty", (0, 4))) for number, dtype in enumerate(DTYPES)
    }  # fmt: skip
    tensors["turned"] = torch.arange(12.0).reshape(3, 4).T
    metadata = {"start_digest": "12ab"}
    save_file({name: t.contiguous() for name, t in tensors.items()}, tmp_path / "library", metadata=metadata)
    save_in_turn(tensors, tmp_path / "own", metadata, writes=True)
    assert (tmp_path / "own").read_bytes() == (tmp_path / "library").read_bytes()
    assert all(torch.equal(t, tensors[name]) for name, t in load_file(tmp_path / "own").items())


def test_who_does_not_write_leaves_no_file_and_a_full_disk_is_an_oserror(tmp_path):
    save_in_turn({"a": torch.ones(3)}, tmp_path / "none", {}, writes=False)
    assert not list(tmp_path.iterdir())
    if Path("/dev/full").exists():
        with pytest.raises(OSError, match="No space left"):
            save_in_turn({"a": torch.ones(2**20), "b": torch.ones(5)}, Path("/dev/full"), {}, writes=True)

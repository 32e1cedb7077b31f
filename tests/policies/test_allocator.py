"""Tensors with pages of their own."""

import mmap

import pytest
import torch

from sanmai.policies.text.cpu import allocator


@pytest.mark.parametrize("shared", [True, False])
def test_what_is_set_apart_is_zeros_on_pages_of_its_own_where_one_heap_is_shared(monkeypatch, shared):
    monkeypatch.setattr(allocator, "_is_shared", shared)
    taken = []
    monkeypatch.setattr(allocator.mmap, "mmap", lambda *a, make=mmap.mmap, **named: taken.append(a) or make(*a, **named))
    large, small = allocator.apart((3, 40_000), torch.float32), allocator.apart((2, 2), torch.bfloat16)
    assert len(taken) == shared and allocator.sets_apart() == shared
    for tensor, shape, dtype in ((large, (3, 40_000), torch.float32), (small, (2, 2), torch.bfloat16)):
        assert tensor.shape == shape and tensor.dtype is dtype and not tensor.any()
    large += 1  # and they can be written to
    assert large.sum() == 120_000

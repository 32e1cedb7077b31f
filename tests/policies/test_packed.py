"""Weights laid out for bfloat16 products: the numbers of the plain product, and the plain product where it cannot be."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from sanmai.policies.text.cpu import packed


@pytest.fixture
def weight():
    return torch.randn(512, 200, generator=torch.Generator().manual_seed(0)).bfloat16()


@pytest.mark.parametrize("shape", [(1, 200), (7, 200), (64, 200), (3, 5, 200)])
@pytest.mark.parametrize("has_bias", [False, True])
def test_a_packed_weight_multiplies_as_the_plain_one(weight, shape, has_bias):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(1)).bfloat16()
    bias = torch.linspace(-1, 1, 512).bfloat16() if has_bias else None
    found, exact = packed.linear(x, packed.pack(weight), bias), F.linear(x.double(), weight.double(), None)
    exact = exact if bias is None else exact + bias.double()
    assert found.shape == (*shape[:-1], 512) and found.dtype is torch.bfloat16
    torch.testing.assert_close(found.double(), exact, rtol=2**-8, atol=0.02)  # rounded once to 8 bits


def test_packing_keeps_shape_and_leaves_the_weight_alone(weight):
    before = weight.clone()
    assert packed.pack(weight).shape == weight.shape
    assert torch.equal(weight, before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_other_dtypes_stay_as_they_are(weight, dtype):
    other = weight.to(dtype)
    assert packed.pack(other) is other


def test_small_weights_stay_as_they_are():
    small = torch.zeros(16, 16, dtype=torch.bfloat16)
    assert packed.pack(small) is small


def test_without_the_operations_of_pytorch_the_plain_product_is_taken(weight, monkeypatch):
    class Without:
        def __getattr__(self, name):
            raise AttributeError(name)

    monkeypatch.setattr(torch.ops, "mkldnn", Without())
    packed.can_pack.cache_clear()
    try:
        assert packed.pack(weight) is weight
        x = torch.ones(2, 200).bfloat16()
        assert torch.equal(packed.linear(x, weight, None), F.linear(x, weight))
    finally:
        monkeypatch.undo()
        packed.can_pack.cache_clear()


def test_a_layout_that_gives_other_numbers_is_not_used(weight, monkeypatch):
    monkeypatch.setattr(packed, "_product", lambda x, weight, bias: F.linear(x, torch.zeros(64, 96).bfloat16()))
    packed.can_pack.cache_clear()
    try:
        assert packed.pack(weight) is weight
    finally:
        monkeypatch.undo()
        packed.can_pack.cache_clear()

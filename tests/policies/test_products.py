"""Products in another dtype than their weights: what is cast once for several passes gives what is cast for each."""

from __future__ import annotations

import weakref
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from sanmai.policies.text.products import Products


def modules(bias: bool) -> list[nn.Linear]:
    torch.manual_seed(0)
    return [nn.Linear(6, out, bias=bias) for out in (4, 2, 2)]


def passed(
    products: Products, layers: list[nn.Linear], x_ND: torch.Tensor
) -> tuple[torch.Tensor, list[torch.Tensor | None]]:
    """What comes out of all of them side by side and of the first alone, and the gradient of every weight."""
    for layer in layers:
        layer.zero_grad()
    out = torch.cat([products.linears(layers, x_ND), products.linear(layers[0], x_ND)], dim=1)
    out.float().square().sum().backward()
    return out.detach(), [p.grad for layer in layers for p in layer.parameters()]


def test_products_are_those_of_the_cast_weights_and_their_gradients_go_to_the_weights():
    x_ND = torch.randn(3, 6)
    for bias in (False, True):
        for dtype in (torch.float32, torch.bfloat16):
            layers = modules(bias)
            out, grads = passed(Products(dtype), layers, x_ND)
            plain = [
                F.linear(x_ND.to(dtype), a.weight.to(dtype), a.bias.to(dtype) if bias else None)
                for a in (*layers, layers[0])
            ]
            assert torch.equal(out, torch.cat(plain, dim=1).detach())
            assert all(grad is not None and grad.dtype is torch.float32 and grad.any() for grad in grads)


def test_a_cast_is_kept_within_an_update_and_made_anew_after_it():
    products, layers, x_ND = Products(torch.bfloat16), modules(bias=True), torch.randn(3, 6)
    before, of_each = passed(products, layers, x_ND)
    with products.unchanged(), products.unchanged():
        first, grads = passed(products, layers, x_ND)
        kept = dict(products._kept or {})
        again, grads_again = passed(products, layers, x_ND)
        assert len(kept) == 2 and all(products._kept[key] is found for key, found in kept.items())
    assert torch.equal(first, before) and torch.equal(again, before)
    assert all(torch.equal(a, b) and torch.equal(a, c) for a, b, c in zip(of_each, grads, grads_again, strict=True))
    with torch.no_grad():
        layers[0].weight.mul_(2)
    with products.unchanged():
        assert not torch.equal(passed(products, layers, x_ND)[0], before)
    assert products._kept is None


def test_an_update_casts_every_weight_once(monkeypatch):
    from sanmai.policies.text import products as module
    from sanmai.policies.text.config import ModelConfig
    from sanmai.policies.text.load import load_policy
    from sanmai.policies.text.pack import pack
    from sanmai.train.components import LossConfig, rl_components
    from sanmai.train.step import OptimizerConfig, make_optimizer, optimizer_step

    counted: list[tuple[int, ...]] = []
    under_each_other = module._under_each_other
    monkeypatch.setattr(
        module,
        "_under_each_other",
        lambda weights, dtype: counted.append(tuple(map(id, weights))) or under_each_other(weights, dtype),
    )
    policy = load_policy(ModelConfig(name="tiny", dtype="bfloat16", threads=1))
    batch = pack([([5, 6, 7], [8, 9]), ([5, 6, 7], [9, 8]), ([7, 5], [6, 6])], sampling_logp=[[-3.0, -3.0]] * 3)
    batch = replace(batch, streams={"rl": torch.tensor([[1.0], [-1.0], [0.5]]) * batch.mask_BT})
    config = OptimizerConfig(lr=1e-3, micro_tokens=5)  # a row at a time
    optimizer = make_optimizer(policy, config)
    optimizer_step(policy, optimizer, batch, rl_components(LossConfig(), 2), lr=1e-3, temperature=1.0, config=config)
    assert policy.path.startswith("fast path") and counted and len(counted) == len(set(counted))


def test_a_weight_stays_alive_as_long_as_its_cast_so_that_no_other_has_its_address():
    products, module = Products(torch.bfloat16), nn.Linear(6, 4, bias=False)
    del module.weight
    module.weight = torch.ones(4, 6)  # no parameter: as a parametrised module gives it, another tensor each time
    first = weakref.ref(module.weight)
    with products.unchanged():
        assert products.linear(module, torch.ones(2, 6))[0, 0].item() == 6.0
        module.weight = torch.full((4, 6), 2.0)
        assert products.linear(module, torch.ones(2, 6))[0, 0].item() == 12.0 and first() is not None
    assert first() is None

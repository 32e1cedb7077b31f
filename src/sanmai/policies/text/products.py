"""Products with weights that are kept in one dtype and computed in another.

Shape key: N tokens, D width of the input, O width of the output.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from sanmai.policies.text.cpu.allocator import apart


class Products:
    """Linear modules of `transformers`, or those with LoRA adapters of `peft`, computed in `dtype`.

    A cast reads and writes as much as a product of a hundred tokens, so it is made once for all passes of an update.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._kept: dict[tuple[int, ...], tuple[tuple[Tensor, ...], Tensor]] | None = None

    @contextlib.contextmanager
    def unchanged(self) -> Generator[None]:
        """Within, no weight changes: what is cast is kept until the end."""
        if self._kept is not None:
            yield
            return
        self._kept = {}
        try:
            yield
        finally:
            self._kept = None

    def linear(self, module: Any, x_ND: Tensor) -> Tensor:
        """module(x_ND), (N, O)."""
        if hasattr(module, "base_layer"):
            down, up = (weights["default"].weight.to(self.dtype) for weights in (module.lora_A, module.lora_B))
            base_NO = self.linear(module.base_layer, x_ND)
            return base_NO + F.linear(F.linear(x_ND.to(self.dtype), down), up) * module.scaling["default"]
        bias = None if module.bias is None else module.bias.to(self.dtype)
        weight = module.weight if module.weight.dtype is self.dtype else self._copied(module.weight)
        return F.linear(x_ND.to(self.dtype), weight, bias)

    def linears(self, modules: Sequence[Any], x_ND: Tensor) -> Tensor:
        """The outputs of modules that read the same input, side by side.

        Weights that are copied anyway to be cast, or are smaller than their outputs, are put side by side for one product.
        """
        if len(modules) == 1:
            return self.linear(modules[0], x_ND)
        is_copied = self.dtype is not modules[0].weight.dtype or x_ND.shape[1] < len(x_ND)
        if not is_copied or any(hasattr(module, "base_layer") for module in modules):
            return torch.cat([self.linear(module, x_ND) for module in modules], dim=1)
        biases = [module.bias for module in modules if module.bias is not None]
        bias = torch.cat([bias.to(self.dtype) for bias in biases]) if biases else None
        return F.linear(x_ND.to(self.dtype), self._copied(*(module.weight for module in modules)), bias)

    def _copied(self, *weights: Tensor) -> Tensor:
        """Matrices of the same width under each other, in `dtype`, with the gradient of each."""
        key = tuple(map(id, weights))
        found = None if self._kept is None else self._kept.get(key)
        if found is None:
            found = weights, _under_each_other(weights, self.dtype)  # what is kept alive gives its address to no other
            if self._kept is not None:
                self._kept[key] = found
        return _Copied.apply([found[1]], *weights)


def _under_each_other(weights: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    lengths = [len(weight) for weight in weights]
    with torch.no_grad():
        shape = sum(lengths), weights[0].shape[1]
        is_cpu = weights[0].device.type == "cpu"
        joined = apart(shape, dtype) if is_cpu else torch.empty(shape, dtype=dtype, device=weights[0].device)
        for part, weight in zip(joined.split(lengths), weights, strict=True):
            part.copy_(weight)
    return joined


@contextlib.contextmanager
def made_again(x: Tensor, make: Callable[[], Tensor]) -> Generator[None]:
    """Within, operations keep for their gradients not x but how it is made, of what others keep: the same bytes."""

    def remade() -> Tensor:
        with torch.no_grad():
            return make()

    def kept(tensor: Tensor) -> Any:
        return remade if tensor.data_ptr() == x.data_ptr() and tensor.shape == x.shape else tensor

    with torch.autograd.graph.saved_tensors_hooks(kept, lambda found: found() if found is remade else found):
        yield


class _Copied(torch.autograd.Function):
    """A copy that is there already, as the copy of these weights."""

    @staticmethod
    def forward(ctx: Any, copy: list[Tensor], *weights: Tensor) -> Tensor:
        ctx.lengths, ctx.dtypes = [len(weight) for weight in weights], [weight.dtype for weight in weights]
        return copy[0].detach()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple:
        parts = zip(grads[0].split(ctx.lengths), ctx.dtypes, strict=True)
        return None, *(part.to(dtype) for part, dtype in parts)

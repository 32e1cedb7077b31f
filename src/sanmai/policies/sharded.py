"""A module whose trained tensors are spread over the trainers of a team, by PyTorch's FSDP2.

Each trainer holds a part of every tensor, of its gradient and of the optimizer's moments. A pass gathers whole tensors: those of
the model at once, or a layer's at a time. The gradient of a step is the sum over trainers of what each found for its share.

What FSDP2 needs to give that sum: a divisor of 1 on every module that it wraps and not on the outermost alone, a plain sum where
the transport knows no other, and every pass through the outermost module's `forward`. A tensor without dimensions cannot be cut,
and one that is not trained need not be: both stay whole everywhere.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from sanmai.policies.team import Team

Result = TypeVar("Result")


class Parts(dict[str, Tensor]):
    """This trainer's part of a set of tensors by name."""

    __hash__ = object.__hash__  # one set is known by its name among trainers, not by what it holds


class Sharded:
    """A module, spread over a team."""

    def __init__(self, module: nn.Module, team: Team, device: torch.device, layers: Sequence[nn.Module]) -> None:
        """Args:
            module: what is trained, as it is on every trainer.
            layers: those of its submodules that are gathered one after the other; none: everything is gathered at once.
        """
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import FSDPModule, fully_shard

        self.team = team
        self.is_whole = False
        """This trainer has all tensors now, and the modules compute without the others."""
        self._root = _Root(module)
        self._mesh = init_device_mesh(device.type, (team.size,))
        kept = {p for p in self._root.parameters() if not p.requires_grad or p.dim() == 0}
        shared: dict[str, Any] = {"mesh": self._mesh, "ignored_params": kept}
        for layer in layers:
            fully_shard(layer, **shared, reshard_after_forward=True)
        fully_shard(self._root, **shared, reshard_after_forward=False)
        self._by_layer = bool(layers)
        self._wrapped = [module for module in self._root.modules() if isinstance(module, FSDPModule)]
        for module in self._wrapped:
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
        self._root(lambda: None)  # only now does it know itself for the outermost
        self.let_go()

    def through(self, compute: Callable[..., Result], *args: Any, **named: Any) -> Result:
        """What a function of the modules gives, whole tensors being gathered as it reaches them; to be called by all at once."""
        return compute(*args, **named) if self.is_whole else self._root(compute, *args, **named)

    def sums_now(self, is_last: bool) -> None:
        """Before a backward pass: whether its gradients are added up over the team, with those before it.

        By layers they are after each pass: what would wait is as large as the model.
        """
        sums = is_last or self._by_layer
        for module in self._wrapped:
            module.set_requires_gradient_sync(sums, recurse=False)
            module.set_reshard_after_backward(sums, recurse=False)

    def let_go(self) -> None:
        """Forget gathered tensors: the next pass gathers what the trainers hold then."""
        for module in self._wrapped:
            module.set_reshard_after_forward(module is not self._root, recurse=False)
            module.reshard()
        self.is_whole = False

    def gather(self) -> None:
        """Have all tensors until `let_go`; to be called by all at once."""
        for module in self._wrapped:
            module.set_reshard_after_forward(False, recurse=False)
            module.unshard()
        self.is_whole = True

    def part_of(self, tensor: Tensor, like: Tensor) -> Tensor:
        """This trainer's part of a tensor that all have, cut as another one is."""
        if not is_spread(like):
            return tensor
        from torch.distributed.tensor import Shard, distribute_tensor

        return distribute_tensor(tensor, self._mesh, [Shard(0)], src_data_rank=None)


class _Root(nn.Module):
    """What FSDP2 wraps outermost; computes whatever it is given."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, compute: Callable[..., Result], *args: Any, **named: Any) -> Result:
        return compute(*args, **named)


def own(tensor: Tensor) -> Tensor:
    """This trainer's part of a tensor that may be spread; the same memory."""
    with torch.no_grad():
        return cast(Any, tensor).to_local() if is_spread(tensor) else tensor.detach()


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor that may be spread; to be called by all at once."""
    return cast(Any, tensor).full_tensor() if is_spread(tensor) else tensor


def is_spread(tensor: Tensor) -> bool:
    """Each trainer has a part of it. Where nothing is, what spreads was not imported: it takes a second."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


@contextlib.contextmanager
def exchanged(parameters: Mapping[str, nn.Parameter], weights: Mapping[str, Tensor], sharded: Sharded) -> Generator[None]:
    """Within, these parameters have other values. They are copied: FSDP2 gathers from memory of its own, which stays."""
    before = {name: own(p).clone() for name, p in parameters.items()}
    sharded.let_go()
    try:
        for name, p in parameters.items():
            own(p).copy_(own(weights[name]))
        yield
    finally:
        sharded.let_go()
        for name, p in parameters.items():
            own(p).copy_(before[name])

"""Gradients of micro-batches that several threads compute, added up in the order of the micro-batches."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor


class GradientsInOrder:
    """Adds onto the gradients of the weights, which are there, zeros or not.

    Each weight's is added as soon as it is known and it is its turn, so that no thread holds gradients of all weights. A thread
    waits where an earlier micro-batch has not come so far; micro-batches must be begun in their order.

    Example:
        with GradientsInOrder(weights) as adding:
            ...  # in the thread of micro-batch i
            adding.backward(loss, i)
    """

    def __init__(self, weights: Sequence[Tensor]) -> None:
        self._weights, self._turn = weights, threading.Condition()
        self._added = [0] * len(weights)
        """Of each weight, micro-batches whose gradient is added."""
        self._own = threading.local()
        self._is_over = False

    def __enter__(self) -> GradientsInOrder:
        self._hooks = [p.register_hook(partial(self._add, k)) for k, p in enumerate(self._weights)]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def backward(self, total: Tensor, i: int) -> None:
        """Add the gradient of the micro-batch i."""
        self._own.number = i
        torch.autograd.grad(total, self._weights, allow_unused=True)  # what it returns are the nothings of `_add`
        for k in range(len(self._weights)):
            self._wait_and_add(k, i, None)  # a weight that nothing of this micro-batch was computed with

    def stop(self) -> None:
        """Nobody waits any more: a thread has failed."""
        with self._turn:
            self._is_over = True
            self._turn.notify_all()

    def _add(self, k: int, grad: Tensor) -> Tensor:
        self._wait_and_add(k, self._own.number, grad)
        return grad.new_zeros(()).expand_as(grad)

    def _wait_and_add(self, k: int, i: int, grad: Tensor | None) -> None:
        with self._turn:
            self._turn.wait_for(lambda: self._added[k] >= i or self._is_over)
            if self._added[k] != i or self._is_over:
                return  # added before, or nothing is to be added any more
        total = self._weights[k].grad
        if grad is not None and total is not None:
            total.add_(grad)  # nobody else adds to this one now
        with self._turn:
            self._added[k] = i + 1
            self._turn.notify_all()

"""A head that says what reward is to be expected before each token: what PPO's advantages are taken against.

Shape key: N tokens, D model width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

PREFIX = "value_head."
"""Of its tensors' names among a policy's weights."""


class ValueHead(nn.Module):
    """V(h) = w . h / sqrt(D) + b, in float32; 0 everywhere at the start, so that the first advantages are the returns.

    The division keeps one step of an adaptive optimizer about as large for a wide model as for a narrow one.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(()))
        self._scale = 1 / math.sqrt(width)

    def forward(self, hidden_ND: Tensor) -> Tensor:
        """Values (N,) of the hidden states that the output head reads to predict each token."""
        return hidden_ND.float() @ self.weight * self._scale + self.bias

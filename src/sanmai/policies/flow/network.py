"""A small diffusion transformer: what predicts the velocity of a clip, and what a reward of noised clips reads it with.

All frames of a square of pixels are one patch: time is folded into the channels, and a clip of 4 x 8 x 8 is 16 patches of 16.

Shape key: B clips, F frames, H, W pixels, N patches, D model width, E numbers of a patch, K words of a prompt.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu


class Network(nn.Module):
    """Patches with adaptive layer norm; the output is a clip, or without one the features of its patches.

    Args:
        shape: frames, height and width of a clip.
        patch: side of a patch; it divides height and width.
        num_words: words that prompts may be made of; 0 reads no prompt.
        is_velocity: it has an output layer.
    """

    def __init__(
        self, shape: tuple[int, int, int], patch: int, width: int, depth: int, heads: int, num_words: int, *, is_velocity: bool
    ) -> None:
        super().__init__()
        frames, height, wide = shape
        self.shape, self.patch, self.width = shape, patch, width
        size = frames * patch * patch
        self.read = nn.Linear(size, width)
        self.place_ND = nn.Parameter(torch.randn((height // patch) * (wide // patch), width) * 0.5)
        self.words = nn.Embedding(num_words + 1, width) if num_words else None
        """The last one stands for no prompt."""
        self.condition = nn.Sequential(nn.Linear(2 * 32, width), nn.SiLU(), nn.Linear(width, width))
        self.modulation = nn.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.final = nn.LayerNorm(width, elementwise_affine=False)
        self.write = nn.Linear(width, size) if is_velocity else None
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        if self.write is not None:
            nn.init.zeros_(self.write.weight)
            nn.init.zeros_(self.write.bias)

    def forward(self, clip_BFHW: Tensor, time_B: Tensor, prompt_BK: Tensor | None = None) -> Tensor:
        """The velocity (B, F, H, W), or of one without an output layer features (B, N, D).

        Args:
            time_B: 0 the clip, 1 noise.
            prompt_BK: bool, which words the prompt has; a row without any is no prompt. None where it reads none.
        """
        patches_BND = self.read(self._cut(clip_BFHW)) + self.place_ND
        told_BD = self.condition(waves(time_B))
        if self.words is not None:
            assert prompt_BK is not None
            none_B1 = (~prompt_BK.any(dim=1, keepdim=True)).to(told_BD.dtype)
            told_BD = told_BD + torch.cat([prompt_BK.to(told_BD.dtype), none_B1], dim=1) @ self.words.weight
        shared_B6D = self.modulation(silu(told_BD)).unflatten(1, (6, self.width))
        for block in self.blocks:
            patches_BND = block(patches_BND, shared_B6D)
        patches_BND = self.final(patches_BND)
        return patches_BND if self.write is None else self._joined(self.write(patches_BND))

    def _cut(self, clip_BFHW: Tensor) -> Tensor:
        size = self.patch
        parts = clip_BFHW.unflatten(3, (-1, size)).unflatten(2, (-1, size))  # B F h p w p
        return parts.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)

    def _joined(self, patches_BNE: Tensor) -> Tensor:
        frames, height, wide = self.shape
        size = self.patch
        parts = patches_BNE.unflatten(1, (height // size, wide // size)).unflatten(3, (frames, size, size))
        return parts.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)


class Block(nn.Module):
    """Attention and a two-layer perceptron, each shifted, scaled and gated by the condition and by a table of its own."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.table_6D = nn.Parameter(torch.randn(6, width) / math.sqrt(width))
        self.norms = nn.ModuleList(nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width))

    def forward(self, x_BND: Tensor, shared_B6D: Tensor) -> Tensor:
        shift, scale, gate, shift_2, scale_2, gate_2 = (shared_B6D + self.table_6D).unsqueeze(2).unbind(1)
        read_BND = self.norms[0](x_BND) * (1.0 + scale) + shift
        q, k, v = self.qkv(read_BND).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x_BND = x_BND + gate * self.out(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x_BND + gate_2 * self.inner(self.norms[1](x_BND) * (1.0 + scale_2) + shift_2)


def waves(time_B: Tensor) -> Tensor:
    """Cosines and sines of a time in 0..1 at 32 frequencies from 1 to 1000, (B, 64)."""
    rate = torch.exp(torch.linspace(0.0, math.log(1000.0), 32, device=time_B.device))
    angle = time_B.unsqueeze(1) * rate
    return torch.cat([angle.cos(), angle.sin()], dim=1)

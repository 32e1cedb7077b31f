"""The fast path: the architectures of architectures.py by functions of our own over the `transformers` model's weights.

Each token is computed once: no padding enters a matrix product, and a prompt that several rollouts share is computed once
for all of them. `DenseModel.of` takes a model only if its logits are those of `transformers`; any other model goes the
general way (policy.py). Sampling with it is in decoder.py.

The compiled attention turns whole heads; PyTorch computes that of a model that turns a part of each.

Shape key: B sequences, T tokens, N tokens that are computed, D width, F feed-forward width, H query heads, K key-value
heads, E head width, V vocabulary.
"""

from __future__ import annotations

import functools
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from torch.utils.checkpoint import checkpoint

from sanmai.policies.text.architectures import Architecture, FastPathError, scaled_logits
from sanmai.policies.text.cpu import compiled
from sanmai.policies.text.cpu.kernels import add_norm, attention, causal_mask, geglu, rms_norm, rotate, swiglu
from sanmai.policies.text.products import Products, made_again

_WIDE = 512
"""Width from which on activations are worth their memory: 0.5 % of an update at 576, 6 % at 128."""
_LONGEST_COMPILED = 1024
"""Tokens of a row up to which the compiled attention is known to be faster than PyTorch's."""
Angles = tuple[Tensor, Tensor]
"""cos and sin of every token's angles, (N, 1, E / 2); fewer where a part of a head is not turned."""


@dataclass(frozen=True)
class Layout:
    """Which tokens of a right-padded batch are computed, and where each one's result is needed."""

    tokens_N: Tensor
    position_N: Tensor
    index_BT: Tensor
    """For every place of the batch the number n of its token; 0 on padding, where nothing is read."""
    source_N: Tensor
    """For every token its place b * T + t in the batch."""
    start_B: Tensor
    """How many tokens of a row, its first ones, are computed in an earlier row."""
    length_B: Tensor
    """Tokens of a row."""

    @classmethod
    def of(cls, tokens_BT: Tensor, attention_BT: Tensor, prompt_B: Tensor) -> Layout:
        """Every token once; the first prompt_B[b] tokens of a row are those of the first row that begins with the same ones."""
        device, (num_rows, width) = tokens_BT.device, tokens_BT.shape
        tokens_BT, attention_BT, prompt_B = tokens_BT.cpu(), attention_BT.cpu(), prompt_B.cpu()
        first_row: dict[tuple, int] = {}
        owners = []
        for row, length in enumerate(prompt_B.tolist()):
            owners.append(first_row.setdefault(tuple(tokens_BT[row, :length].tolist()), row))
        owner_B, row_B = torch.tensor(owners), torch.arange(num_rows)
        is_prompt_BT = torch.arange(width) < prompt_B.unsqueeze(1)
        is_computed_BT = attention_BT & (~is_prompt_BT | (owner_B == row_B).unsqueeze(1))
        own_BT = (is_computed_BT.flatten().cumsum(0) - 1).view(num_rows, width)
        index_BT = torch.where(is_prompt_BT, own_BT[owner_B], own_BT).masked_fill(~attention_BT, 0)
        source_N = is_computed_BT.flatten().nonzero().squeeze(1)
        tokens_N = tokens_BT.flatten()[source_N]
        length_B = attention_BT.sum(dim=1)
        start_B = length_B - is_computed_BT.sum(dim=1)
        return cls(*(x.to(device) for x in (tokens_N, source_N % width, index_BT, source_N, start_B, length_B)))

    @property
    def is_whole(self) -> bool:
        """Every place of the batch is computed for itself: nothing is to be moved."""
        return len(self.source_N) == self.index_BT.numel()

    def spread(self, x_NHE: Tensor) -> Tensor:
        """(N, heads, E) to (B, heads, T, E)."""
        shape = (*self.index_BT.shape, *x_NHE.shape[1:])
        flat = x_NHE.flatten(1)
        return (flat if self.is_whole else flat.index_select(0, self.index_BT.flatten())).view(shape).transpose(1, 2)

    def collect(self, x_BHTE: Tensor) -> Tensor:
        """(B, heads, T, E) to (N, heads * E)."""
        flat = x_BHTE.transpose(1, 2).flatten(2).flatten(0, 1)
        return flat if self.is_whole else flat.index_select(0, self.source_N)


@dataclass(frozen=True)
class Layer:
    """The modules of one layer, in the order of their use; norms that an architecture does not have are None."""

    attention_before: Any
    qkv: tuple[Any, ...]
    """One module, or one each for queries, keys and values."""
    qk_norm: tuple[Any, Any] | None
    output: Any
    attention_after: Any
    mlp_before: Any
    gate_up: tuple[Any, ...]
    down: Any
    mlp_after: Any
    window: int | None
    """Tokens that one sees, itself included; None: all before it."""
    rotation: str | None
    """Which of the model's angles turn queries and keys; None: none do."""

    @classmethod
    def of(cls, layer: Any, architecture: Architecture, number: int) -> Layer:
        attention, mlp, norms = layer.self_attn, layer.mlp, architecture.norms
        return cls(
            attention_before=_named(layer, norms.attention_before),
            qkv=tuple(getattr(attention, name) for name in architecture.qkv),
            qk_norm=None if architecture.head_norm == "none" else (attention.q_norm, attention.k_norm),
            output=attention.o_proj,
            attention_after=_named(layer, norms.attention_after),
            mlp_before=_named(layer, norms.mlp_before),
            gate_up=tuple(getattr(mlp, name) for name in architecture.gate_up),
            down=mlp.down_proj,
            mlp_after=_named(layer, norms.mlp_after),
            window=architecture.windows[number],
            rotation=architecture.rotations[number],
        )


def _named(module: Any, name: str | None) -> Any:
    return None if name is None else getattr(module, name)


class DenseModel:
    """What an `Architecture` describes, computed with the modules of a `transformers` model.

    It holds the modules, not copies: what the optimizer changes is what it computes with.
    """

    def __init__(self, model: Any, dtype: torch.dtype) -> None:
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        config = base.config
        self.architecture = architecture = Architecture.of(config)
        decoder = base.model
        self.embedding, self.norm, self.head, self.rotary = decoder.embed_tokens, decoder.norm, base.lm_head, decoder.rotary_emb
        self.layers = [Layer.of(layer, architecture, number) for number, layer in enumerate(decoder.layers)]
        attention = decoder.layers[0].self_attn
        self.num_heads, self.num_kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.head_width, self.scale, self.eps = attention.head_dim, attention.scaling, config.rms_norm_eps
        self.scaled_logits = scaled_logits(config)
        self.activation = swiglu if architecture.activation == "silu" else geglu
        # Rounded as the library rounds it: Gemma's is in the dtype of the weights.
        self.embedding_scale = float(torch.tensor(architecture.embedding_scale).to(self.embedding.weight.dtype))
        self.dtype, self.products = dtype, Products(dtype)
        # The flash kernel for CPUs is two to three times slower in bfloat16 than in float32 (docs/LOG.md).
        self.attention_dtype = torch.float32 if self.embedding.weight.device.type == "cpu" else dtype

    @classmethod
    def of(cls, model: Any, dtype: torch.dtype, probe_BT: Tensor | None = None) -> DenseModel:
        """The fast path of a model, tried on a few tokens.

        Args:
            probe_BT: tokens of ordinary text; None takes some from all over the vocabulary.

        Raises:
            FastPathError: the model is of another kind, or its logits would differ.
        """
        try:
            dense = cls(model, dtype)
            gap, bound = dense._gap(model, probe_BT)
        except (AttributeError, TypeError, RuntimeError, LookupError) as error:  # quantised, say, or remote code
            raise FastPathError(f"parts of it are of a kind that the fast path does not know ({error})") from None
        if not gap < bound:
            raise FastPathError(f"its logits differ by {gap:.2%} from those of `transformers`, and {bound:.2%} is allowed")
        return dense

    def _gap(self, model: Any, probe_BT: Tensor | None) -> tuple[float, float]:
        """Relative distance of the logits to those of the model's own forward, and what is allowed.

        Float32 weights are compared in float32 whatever dtype they will be computed in: two ways of rounding to bfloat16 may
        be far from each other (30 layers on special tokens: 26 % and 70 % from float32), and none of them is wrong.
        """
        weight = self.embedding.weight
        if probe_BT is None:
            probe_BT = (torch.arange(1, 15) * len(weight) // 15).view(2, 7)
        probe_BT = probe_BT.to(weight.device)
        exact = DenseModel(model, weight.dtype)
        layout = Layout.of(probe_BT, torch.ones_like(probe_BT, dtype=torch.bool), torch.zeros(len(probe_BT), dtype=torch.long))
        with torch.no_grad():
            expected_BTV = model(input_ids=probe_BT, use_cache=False).logits.float()
            actual_NV = exact.logits(exact.hidden(layout)).float()
        gap = (actual_NV.view_as(expected_BTV) - expected_BTV).norm() / expected_BTV.norm()
        return float(gap), 1e-4 if weight.dtype is torch.float32 else 0.05

    def hidden(self, layout: Layout, *, recompute: bool = False) -> Tensor:
        """What the language-model head reads, hidden_ND, with gradient.

        Args:
            recompute: keep each layer's input alone and compute the layer again in the backward pass.
        """
        angles = self.angles(layout.position_N)
        x_ND = self.embed(layout.tokens_N)
        update_ND = None
        for layer in self.layers:
            if recompute and torch.is_grad_enabled():
                parts = checkpoint(self._layer, layer, x_ND, update_ND, angles, layout, use_reentrant=False)
                x_ND, update_ND = parts[0] + parts[1], None  # one tensor is kept, not two
            else:
                x_ND, update_ND = self._layer(layer, x_ND, update_ND, angles, layout, x_ND.shape[1] >= _WIDE)
        return self._before(self.norm, x_ND, update_ND)[1]

    def logits(self, hidden_ND: Tensor) -> Tensor:
        """What the language-model head says of `hidden`, (N, V)."""
        return self.scaled_logits(self.products.linear(self.head, hidden_ND))

    def embed(self, tokens: Tensor) -> Tensor:
        """What the first layer reads, (..., D), float32."""
        x = F.embedding(tokens, self.embedding.weight, self.embedding.padding_idx).float()
        return x if self.embedding_scale == 1.0 else x * self.embedding_scale

    def angles(self, position_N: Tensor) -> dict[str | None, Angles]:
        """The angles of every position, for every rotation of the architecture."""
        like = torch.zeros((), dtype=torch.float32, device=position_N.device)
        found: dict[str | None, Angles] = {}
        for key in dict.fromkeys(self.architecture.rotations):
            if key is None:  # turned by nothing
                cos = torch.ones(len(position_N), 1, self.head_width // 2, dtype=self.attention_dtype, device=like.device)
                found[key] = cos, torch.zeros_like(cos)
                continue
            pair = self.rotary(like, position_N.unsqueeze(0), *([key] if key else []))
            half = pair[0].shape[-1] // 2
            cos, sin = (x[0, :, :half].unsqueeze(1).to(self.attention_dtype).contiguous() for x in pair)
            found[key] = cos, sin
        return found

    def weight(self, norm: Any) -> Tensor:
        """What a norm's output is multiplied by."""
        offset = self.architecture.norm_offset
        return norm.weight if offset == 0.0 else norm.weight.float() + offset

    def _layer(
        self,
        layer: Layer,
        x_ND: Tensor,
        update_ND: Tensor | None,
        angles: dict[str | None, Angles],
        layout: Layout,
        keeps_less: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """The layer of x + update is the sum of the two that come back: the addition is left to the norm that follows.

        Args:
            keeps_less: what norms and gates give is made again in the backward pass; in a layer that is, nothing is kept.
        """
        x_ND, heads_NE = self._read(layer.attention_before, layer.qkv, x_ND, update_ND, keeps_less)
        attended_NE = self._attend(layer, heads_NE, angles[layer.rotation], layout)
        update_ND = self._after(layer.attention_after, self.products.linear(layer.output, attended_NE))
        x_ND, gate_up_NF = self._read(layer.mlp_before, layer.gate_up, x_ND, update_ND, keeps_less)
        gated_NF, kept_NF = self.activation(gate_up_NF), gate_up_NF.detach()
        with made_again(gated_NF, lambda: self.activation(kept_NF)) if keeps_less else nullcontext():
            update_ND = self.products.linear(layer.down, gated_NF)
        return x_ND, self._after(layer.mlp_after, update_ND)

    def _read(
        self, norm: Any, modules: tuple[Any, ...], x_ND: Tensor, update_ND: Tensor | None, keeps_less: bool
    ) -> tuple[Tensor, Tensor]:
        """x + update, and what the modules make of its norm, side by side."""
        x_ND, normed_ND = self._before(norm, x_ND, update_ND)
        kept_ND = x_ND.detach()
        with made_again(normed_ND, lambda: self._before(norm, kept_ND, None)[1]) if keeps_less else nullcontext():
            return x_ND, self.products.linears(modules, normed_ND)

    def _before(self, norm: Any, x_ND: Tensor, update_ND: Tensor | None) -> tuple[Tensor, Tensor]:
        """x + update, and what attention or MLP read of it."""
        if norm is not None:
            return add_norm(x_ND, update_ND, self.weight(norm), self.eps, self.dtype)
        total_ND = x_ND if update_ND is None else x_ND + update_ND
        return total_ND, total_ND.to(self.dtype)

    def _after(self, norm: Any, update_ND: Tensor) -> Tensor:
        """What is added of that which attention or MLP have written."""
        if norm is not None:
            update_ND = add_norm(update_ND.float(), None, self.weight(norm), self.eps, self.dtype)[1]
        scale = self.architecture.residual_scale
        return update_ND if scale == 1.0 else update_ND * scale

    def _attend(self, layer: Layer, heads_NE: Tensor, angles: Angles, layout: Layout) -> Tensor:
        """Attention (N, H E) of queries, keys and values side by side, with the norm and rotation before it."""
        head_norm = None if layer.qk_norm is None else (self.weight(layer.qk_norm[0]), self.weight(layer.qk_norm[1]))
        if head_norm is not None and self.architecture.head_norm == "projection":
            counts = (self.num_heads * self.head_width, self.num_kv_heads * self.head_width)
            q_NE, k_NE, v_NE = heads_NE.split((*counts, counts[1]), dim=1)
            q_NE = add_norm(q_NE.float(), None, head_norm[0], self.eps, self.dtype)[1]
            k_NE = add_norm(k_NE.float(), None, head_norm[1], self.eps, self.dtype)[1]
            heads_NE, head_norm = torch.cat([q_NE, k_NE, v_NE], dim=1), None
        width = layout.index_BT.shape[1]
        window = None if layer.window is None or layer.window >= width else layer.window
        library = compiled.passes(heads_NE) if self.turns_whole_heads else None
        if library is not None and width <= _LONGEST_COMPILED:
            return compiled.attention(
                library, heads_NE, head_norm, angles, (layout.index_BT, layout.start_B, layout.length_B),
                num_heads=self.num_heads, num_kv_heads=self.num_kv_heads, eps=self.eps, scale=self.scale,
                window=window, cap=self.architecture.score_cap,
            )  # fmt: skip
        counts = (self.num_heads, self.num_kv_heads, self.num_kv_heads)
        heads_NHE = heads_NE.to(self.attention_dtype).unflatten(1, (-1, self.head_width))
        q_NHE, k_NKE, v_NKE = heads_NHE.split(counts, dim=1)
        if head_norm is not None:
            q_NHE = rms_norm(q_NHE, head_norm[0], self.eps, self.attention_dtype)
            k_NKE = rms_norm(k_NKE, head_norm[1], self.eps, self.attention_dtype)
        out_BHTE = attention(
            layout.spread(rotate(q_NHE, *angles)), layout.spread(rotate(k_NKE, *angles)), layout.spread(v_NKE),
            scale=self.scale, cap=self.architecture.score_cap,
            mask=None if window is None else causal_mask(width, window, q_NHE),
        )  # fmt: skip
        return layout.collect(out_BHTE)

    @property
    def path(self) -> str:
        """What a run says of it."""
        return "fast path" if self.turns_whole_heads else "fast path (attention by PyTorch: it turns a part of each head)"

    @functools.cached_property
    def turns_whole_heads(self) -> bool:
        """As the compiled attention does."""
        angles = self.angles(torch.arange(1, device=self.embedding.weight.device))
        return all(cos.shape[-1] * 2 == self.head_width for cos, _ in angles.values())

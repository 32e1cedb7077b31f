"""Sampling on the fast path: slots with keys and values that are appended to in place, and projections fused.

Shape key: S slots, P prompts, T tokens, D width, H query heads, K key-value heads, G = H / K, E head width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from sanmai.policies.text.cpu import compiled, native, packed
from sanmai.policies.text.cpu.kernels import add_norm, attention, causal_mask, rotate
from sanmai.policies.text.dense import DenseModel


@dataclass(frozen=True)
class Affine:
    """A linear map, of several modules side by side, with their LoRA adapters.

    Adapters are not merged in: in bfloat16 an update smaller than a weight's last bit would be lost.
    """

    weight: Tensor
    """Packed for products on this processor, where packed.py can."""
    bias: Tensor | None
    adapters: tuple[Tensor, Tensor] | None
    """Down (rank, D) and up (out, rank), the scale in it."""

    def __call__(self, x: Tensor) -> Tensor:
        out = packed.linear(x, self.weight, self.bias)
        if self.adapters is None:
            return out
        down, up = self.adapters
        return out + F.linear(F.linear(x, down), up)


@dataclass(frozen=True)
class FusedLayer:
    """A layer's weights; norms that an architecture does not have are None. See `Layer` in dense.py."""

    attention_before: Tensor | None
    qkv: Affine
    head_norm: Tensor | None
    """(H + K, E): of the query heads, then of the key heads."""
    projection_norm: tuple[Tensor, Tensor] | None
    """(H E) of all queries together and (K E) of all keys."""
    output: Affine
    attention_after: Tensor | None
    mlp_before: Tensor | None
    gate_up: Affine
    down: Affine
    mlp_after: Tensor | None
    window: int | None
    rotation: str | None


@dataclass(frozen=True)
class FusedWeights:
    layers: list[FusedLayer]
    norm: Tensor
    head: Affine


@torch.no_grad()
def fuse(model: DenseModel) -> FusedWeights:
    """The weights for sampling: in the dtype to compute in, projections that read the same input joined.

    What needs no change is not copied, so nothing may be trained while it is in use.
    """
    joined = lambda *modules: _join(modules, model.dtype)  # noqa: E731
    weight = lambda norm: None if norm is None else model.weight(norm).float()  # noqa: E731
    layers = []
    for layer in model.layers:
        head_norm = projection_norm = None
        if layer.qk_norm is not None:
            q_norm, k_norm = (model.weight(norm).float() for norm in layer.qk_norm)
            if model.architecture.head_norm == "projection":
                projection_norm = q_norm, k_norm
            else:
                head_norm = torch.cat([q_norm.expand(model.num_heads, -1), k_norm.expand(model.num_kv_heads, -1)])
        layers.append(
            FusedLayer(
                attention_before=weight(layer.attention_before),
                qkv=joined(*layer.qkv),
                head_norm=head_norm,
                projection_norm=projection_norm,
                output=joined(layer.output),
                attention_after=weight(layer.attention_after),
                mlp_before=weight(layer.mlp_before),
                gate_up=joined(*layer.gate_up),
                down=joined(layer.down),
                mlp_after=weight(layer.mlp_after),
                window=layer.window,
                rotation=layer.rotation,
            )
        )
    return FusedWeights(layers, model.weight(model.norm).float(), joined(model.head))


def _join(modules: Sequence[Any], dtype: torch.dtype) -> Affine:
    bases = [getattr(module, "base_layer", module) for module in modules]
    weight = torch.cat([base.weight for base in bases]) if len(bases) > 1 else bases[0].weight
    bias = None
    if any(base.bias is not None for base in bases):
        zeros = [base.weight.new_zeros(base.weight.shape[0]) if base.bias is None else base.bias for base in bases]
        bias = torch.cat(zeros).to(dtype)
    adapters = None
    if adapted := [module for module in modules if hasattr(module, "base_layer")]:
        assert len(adapted) == len(modules)  # peft adapts every linear layer
        down = torch.cat([module.lora_A["default"].weight for module in adapted])
        ups = [module.lora_B["default"].weight.float() * module.scaling["default"] for module in adapted]
        adapters = down.to(dtype), torch.block_diag(*ups).to(dtype)
    return Affine(packed.pack(weight.to(dtype)), bias, adapters)


class Read(Protocol):
    """The first `length` tokens of a prompt whose keys and values are known; see prefixes.py."""

    @property
    def length(self) -> int: ...
    def pieces(self) -> Iterator[tuple[int, int, Any]]: ...


class DenseDecoder:
    """S slots of the sampler, each a sequence of its own length with its keys and values, extended by one token at a time."""

    def __init__(self, model: DenseModel, weights: FusedWeights, num_slots: int) -> None:
        self.model, self.weights = model, weights
        device = model.embedding.weight.device
        self.length_S = torch.zeros(num_slots, dtype=torch.long, device=device)
        self.longest = 0
        """At least the greatest of length_S: known without asking the device."""
        self._slot_S = torch.arange(num_slots, device=device)
        self._keys: list[Tensor] = [self._room(num_slots, 0) for _ in weights.layers]
        self._values: list[Tensor] = [self._room(num_slots, 0) for _ in weights.layers]
        self._angles = model.angles(torch.arange(0, device=device))
        self._gate = F.silu if model.architecture.activation == "silu" else partial(F.gelu, approximate="tanh")
        # The compiled kernel uses the calling thread alone, and turns whole heads.
        can_compile = device.type == "cpu" and torch.get_num_threads() == 1 and model.turns_whole_heads
        self._compiled = native.native().attend if can_compile else None
        like = torch.empty(0, dtype=model.dtype, device=device)
        self._passes = model.dtype is torch.bfloat16 and compiled.passes(like) is not None

    def _room(self, num_slots: int, width: int) -> Tensor:
        # Zeros: what is masked is multiplied by 0, and memory as it was found may hold a NaN.
        model = self.model
        shape = (num_slots, width, model.num_kv_heads, model.head_width)
        return torch.zeros(shape, dtype=model.attention_dtype, device=model.embedding.weight.device)

    def prefill(self, prompts: Sequence[Sequence[int]]) -> Prefilled:
        """Compute each prompt once."""
        model, device = self.model, self.length_S.device
        width = max(map(len, prompts))
        tokens_PT = torch.zeros(len(prompts), width, dtype=torch.long)
        for row, prompt in enumerate(prompts):
            tokens_PT[row, : len(prompt)] = torch.as_tensor(prompt)
        tokens_PT, length_P = tokens_PT.to(device), torch.tensor([len(p) for p in prompts], device=device)
        self._grow(width)
        angles = {key: (cos[:width], sin[:width]) for key, (cos, sin) in self._angles.items()}
        x_PTD, update_PTD = self._embed(tokens_PT)
        keys, values = [], []
        for layer in self.weights.layers:
            x_PTD, normed_PTD = self._before(layer.attention_before, x_PTD, update_PTD)
            q_PTHE, k_PTKE, v_PTKE = self._qkv(layer, normed_PTD, *angles[layer.rotation])
            # Copies: they are views of what queries, keys and values were projected to, which would be kept, four times as much.
            keys.append(k_PTKE.clone(memory_format=torch.contiguous_format))
            values.append(v_PTKE.clone(memory_format=torch.contiguous_format))
            is_full = layer.window is None or layer.window >= width
            out_PHTE = attention(
                q_PTHE.transpose(1, 2),
                k_PTKE.transpose(1, 2),
                v_PTKE.transpose(1, 2),
                scale=model.scale,
                mask=None if is_full else causal_mask(width, layer.window, q_PTHE),
                cap=model.architecture.score_cap,
            )
            x_PTD, update_PTD = self._rest(layer, x_PTD, out_PHTE.transpose(1, 2).flatten(2))
        last = torch.arange(len(prompts), device=device), length_P - 1
        return Prefilled(keys, values, length_P, self._logits(x_PTD[last], _at(update_PTD, last)))

    def extend(self, prompts: Sequence[Sequence[int]], pasts: Sequence[Read | None]) -> Prefilled:
        """Compute each prompt once, but for its first tokens that have been read; up to rounding what `prefill` gives.

        Shapes: M new tokens at most, W tokens of the longest prompt.
        """
        model, device = self.model, self.length_S.device
        known = [past.length if past is not None else 0 for past in pasts]
        rest, width = max(len(p) - n for p, n in zip(prompts, known, strict=True)), max(map(len, prompts))
        tokens_PM = torch.zeros(len(prompts), rest, dtype=torch.long)
        for row, (prompt, n) in enumerate(zip(prompts, known, strict=True)):
            tokens_PM[row, : len(prompt) - n] = torch.as_tensor(prompt[n:])
        tokens_PM, known_P = tokens_PM.to(device), torch.tensor(known, device=device)
        length_P, room = torch.tensor([len(p) for p in prompts], device=device), width + rest
        self._grow(room)
        # What is padded stands behind all prompts, where nobody looks.
        position_PM = known_P.unsqueeze(1) + torch.arange(rest, device=device)
        is_new_PM = position_PM < length_P.unsqueeze(1)
        position_PM = torch.where(is_new_PM, position_PM, width + torch.arange(rest, device=device))
        row_P1 = torch.arange(len(prompts), device=device).unsqueeze(1)
        back_PMW = position_PM.unsqueeze(2) - torch.arange(room, device=device)
        x_PMD, update_PMD = self._embed(tokens_PM)
        keys, values = [], []
        for number, layer in enumerate(self.weights.layers):
            cos, sin = self._angles[layer.rotation]
            x_PMD, normed_PMD = self._before(layer.attention_before, x_PMD, update_PMD)
            q_PMHE, k_PMKE, v_PMKE = self._qkv(layer, normed_PMD, cos[position_PM], sin[position_PM])
            k_PWKE, v_PWKE = self._room(len(prompts), room), self._room(len(prompts), room)
            for row, past in enumerate(pasts):
                for start, end, part in past.pieces() if past is not None else ():
                    k_PWKE[row, start:end] = part.keys[number][: end - start]
                    v_PWKE[row, start:end] = part.values[number][: end - start]
            k_PWKE[row_P1, position_PM], v_PWKE[row_P1, position_PM] = k_PMKE, v_PMKE
            seen_PMW = (back_PMW >= 0) if layer.window is None else (back_PMW >= 0) & (back_PMW < layer.window)
            mask_PMW = torch.zeros(seen_PMW.shape, dtype=model.attention_dtype, device=device)
            out_PHME = attention(
                q_PMHE.transpose(1, 2), k_PWKE.transpose(1, 2), v_PWKE.transpose(1, 2), scale=model.scale,
                mask=mask_PMW.masked_fill_(~seen_PMW, -torch.inf).unsqueeze(1), cap=model.architecture.score_cap,
            )  # fmt: skip
            keys.append(k_PWKE[:, :width])
            values.append(v_PWKE[:, :width])
            x_PMD, update_PMD = self._rest(layer, x_PMD, out_PHME.transpose(1, 2).flatten(2))
        last = torch.arange(len(prompts), device=device), length_P - known_P - 1
        return Prefilled(keys, values, length_P, self._logits(x_PMD[last], _at(update_PMD, last)))

    @property
    def bytes_per_token(self) -> int:
        """Of a token's keys and values in all layers."""
        return sum(x.shape[2] * x.shape[3] * x.element_size() for caches in (self._keys, self._values) for x in caches)

    def taken(self, slot: int, start: int, end: int) -> tuple[list[Tensor], list[Tensor]]:
        """Copies of a slot's keys and values (N, K, E) from one token to another, layer by layer."""
        keys, values = ([cache[slot, start:end].clone() for cache in caches] for caches in (self._keys, self._values))
        return keys, values

    def place(self, slots: Tensor, prefilled: Prefilled, prompt_of: Tensor) -> None:
        """Begin new sequences in these slots, each with the prompt of the given number."""
        width = prefilled.keys[0].shape[1]
        self._grow(width)
        self.longest = max(self.longest, width)
        self.length_S[slots] = prefilled.length_P[prompt_of]
        for caches, prompts in ((self._keys, prefilled.keys), (self._values, prefilled.values)):
            for cache, prompt in zip(caches, prompts, strict=True):
                cache[slots, :width] = prompt[prompt_of]

    def next(self, token_S: Tensor) -> Tensor:
        """Append a token to every slot; the logits_SV that follow it, float32."""
        self._grow(self.longest + 1)
        self.longest += 1
        x_SD, update_SD = self._embed(token_S)
        attend = self._attend_compiled if self._compiled is not None else self._attending()
        for layer, keys, values in zip(self.weights.layers, self._keys, self._values, strict=True):
            x_SD, normed_SD = self._before(layer.attention_before, x_SD, update_SD)
            x_SD, update_SD = self._rest(layer, x_SD, attend(layer, normed_SD, keys, values))
        self.length_S += 1
        return self._logits(x_SD, update_SD)

    def _attend_compiled(self, layer: FusedLayer, normed_SD: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        model = self.model
        assert self._compiled is not None
        return native.attend(
            self._compiled, self._heads(layer, normed_SD), layer.head_norm, model.eps, self._angles[layer.rotation],
            self.length_S, keys, values, model.scale, window=layer.window, cap=model.architecture.score_cap,
        )  # fmt: skip

    def _attending(self) -> Callable[[FusedLayer, Tensor, Tensor, Tensor], Tensor]:
        """The same by PyTorch, for one step of all layers."""
        model, device = self.model, self.length_S.device
        angles = {key: (cos[self.length_S], sin[self.length_S]) for key, (cos, sin) in self._angles.items()}
        back_ST = self.length_S.unsqueeze(1) - torch.arange(self.longest, device=device)
        masks: dict[int | None, Tensor] = {}

        def mask_of(window: int | None) -> Tensor:
            if window not in masks:
                seen_ST = (back_ST >= 0) if window is None else (back_ST >= 0) & (back_ST < window)
                mask_ST = torch.zeros(seen_ST.shape, dtype=model.attention_dtype, device=device)
                mask_S11T = mask_ST.masked_fill_(~seen_ST, -torch.inf)[:, None, None]
                masks[window] = mask_S11T.expand(-1, -1, model.num_heads // model.num_kv_heads, -1)
            return masks[window]

        def attend(layer: FusedLayer, normed_SD: Tensor, keys: Tensor, values: Tensor) -> Tensor:
            q_SHE, k_SKE, v_SKE = self._qkv(layer, normed_SD, *angles[layer.rotation])
            keys[self._slot_S, self.length_S] = k_SKE
            values[self._slot_S, self.length_S] = v_SKE
            # The queries of a group stand where a sequence's positions stand, so that its keys are read once.
            out_SKGE = attention(
                q_SHE.view(len(normed_SD), model.num_kv_heads, -1, model.head_width),
                keys[:, : self.longest].transpose(1, 2),
                values[:, : self.longest].transpose(1, 2),
                scale=model.scale,
                mask=mask_of(layer.window),
                cap=model.architecture.score_cap,
            )
            return out_SKGE.flatten(1)

        return attend

    def release(self, slots: Tensor, longest: int) -> None:
        """These slots' sequences have ended, and nobody reads what is appended. The others have at most `longest` tokens."""
        self.length_S[slots] = 0
        self.longest = longest

    def widen(self, num_slots: int) -> None:
        """Have so many slots, more than now: the new ones are free and stand at the end."""
        more = num_slots - len(self.length_S)
        self.length_S = torch.cat([self.length_S, self.length_S.new_zeros(more)])
        self._slot_S = torch.arange(num_slots, device=self.length_S.device)
        for caches in (self._keys, self._values):
            for i, old in enumerate(caches):
                caches[i] = torch.cat([old, old.new_zeros(more, *old.shape[1:])])

    def keep(self, kept: Tensor, longest: int) -> None:
        """Only these slots go on, in this order; the longest of them has `longest` tokens.

        Slots that stay where they are cost nothing: see `compacted`.
        """
        num_kept = len(kept)
        self.length_S, self._slot_S, self.longest = self.length_S[kept], self._slot_S[:num_kept], longest
        moved = (kept != torch.arange(num_kept, device=kept.device)).nonzero().squeeze(1)
        for caches in (self._keys, self._values):
            for i, old in enumerate(caches):
                caches[i] = old[:num_kept]
                caches[i][moved, :longest] = old[kept[moved], :longest]

    def _grow(self, width: int) -> None:
        if self._keys[0].shape[1] >= width:
            return
        room = max(-(-width // 128) * 128, self._keys[0].shape[1] * 5 // 4)
        self._angles = self.model.angles(torch.arange(room, device=self.length_S.device))
        for caches in (self._keys, self._values):
            for i, old in enumerate(caches):
                caches[i] = self._room(old.shape[0], room)
                caches[i][:, : self.longest] = old[:, : self.longest]

    def _embed(self, tokens: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the first layer reads, and nothing to add to it."""
        return self.model.embed(tokens), None

    def _heads(self, layer: FusedLayer, normed: Tensor) -> Tensor:
        """Queries, keys and values as they are projected, (..., (H + 2 K) E), with the norm over whole projections."""
        model = self.model
        heads = layer.qkv(normed).to(model.attention_dtype)
        if layer.projection_norm is None:
            return heads
        widths = [len(weight) for weight in layer.projection_norm]
        q, k, v = heads.split([*widths, widths[1]], dim=-1)
        both = (F.rms_norm(x, x.shape[-1:], w, model.eps) for x, w in zip((q, k), layer.projection_norm, strict=True))
        return torch.cat([*(x.to(model.dtype).to(model.attention_dtype) for x in both), v], dim=-1)

    def _qkv(self, layer: FusedLayer, normed: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys (both rotated) and values, (..., heads, E)."""
        model, num_heads = self.model, self.model.num_heads
        heads = self._heads(layer, normed).unflatten(-1, (-1, model.head_width))
        qk, v = heads.split([num_heads + model.num_kv_heads, model.num_kv_heads], dim=-2)
        if layer.head_norm is not None:
            qk = F.rms_norm(qk, qk.shape[-1:], None, model.eps) * layer.head_norm
        q, k = rotate(qk, cos, sin).split([num_heads, model.num_kv_heads], dim=-2)
        return q, k, v

    def _rest(self, layer: FusedLayer, x: Tensor, attended: Tensor) -> tuple[Tensor, Tensor]:
        """What follows attention in a layer: its output is the sum of the two, added up by the norm that reads it."""
        update = self._after(layer.attention_after, layer.output(attended.to(self.model.dtype)))
        x, normed = self._before(layer.mlp_before, x, update)
        gate_up = layer.gate_up(normed)
        if self._passes:
            gated = self.model.activation(gate_up.flatten(0, -2)).unflatten(0, gate_up.shape[:-1])
        else:
            gate, up = gate_up.chunk(2, dim=-1)
            gated = self._gate(gate).mul_(up)
        return x, self._after(layer.mlp_after, layer.down(gated))

    def _before(self, weight: Tensor | None, x: Tensor, update: Tensor | None) -> tuple[Tensor, Tensor]:
        """x + update, and what attention or MLP read of it; in bfloat16 by training's compiled passes, where there are any."""
        model = self.model
        if weight is not None and self._passes:
            return add_norm(x, update, weight, model.eps, model.dtype)
        total = x if update is None else x + update
        return total, (total if weight is None else F.rms_norm(total, total.shape[-1:], weight, model.eps)).to(model.dtype)

    def _after(self, weight: Tensor | None, update: Tensor) -> Tensor:
        """What is added of that which attention or MLP have written."""
        if weight is not None:  # rounded as in training
            update = F.rms_norm(update.float(), update.shape[-1:], weight, self.model.eps).to(self.model.dtype)
        scale = self.model.architecture.residual_scale
        return update if scale == 1.0 else update * scale

    def _logits(self, x: Tensor, update: Tensor | None) -> Tensor:
        return self.model.scaled_logits(self.weights.head(self._before(self.weights.norm, x, update)[1]).float())


def _at(x: Tensor | None, index: tuple[Tensor, ...]) -> Tensor | None:
    return None if x is None else x[index]


def compacted(live: Sequence[int]) -> list[int]:
    """An order of slots in which as many as possible keep their place: the last ones fill the holes.

    Example:
        compacted([0, 2, 3, 5]) == [0, 5, 2, 3]
    """
    num_live = len(live)
    holes = sorted(set(range(num_live)) - set(live))
    filling = dict(zip(holes, (slot for slot in live if slot >= num_live), strict=True))
    return [filling.get(slot, slot) for slot in range(num_live)]


@dataclass(frozen=True)
class Prefilled:
    """Prompts that have been read: keys and values (P, T, K, E) per layer, lengths, and the logits_PV that follow."""

    keys: list[Tensor]
    values: list[Tensor]
    length_P: Tensor
    logits_PV: Tensor

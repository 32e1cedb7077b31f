"""Sampling on the general path: any `transformers` causal LM, with the library's own cache, or with none.

Shape key: P prompts, R rows of the batch (rollouts being written), T tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sanmai.policies.text.model import TextModel
from sanmai.types import Image

Pictures = Sequence[tuple[Image, ...]]
"""Of each prompt; empty where none has any."""


class CachedDecoder:
    """A batch being written: model, KV cache, attention mask and positions of its rows."""

    def __init__(self, policy: TextModel, cache: Any, attention_RT: Tensor | None, position_R: Tensor) -> None:
        self.model, self.cache, self.attention_RT, self.position_R = policy.model, cache, attention_RT, position_R

    def next(self, token_R: Tensor) -> Tensor:
        """Append a token to every row; the logits_RV that follow it."""
        if self.attention_RT is not None:
            self.attention_RT = torch.nn.functional.pad(self.attention_RT, (0, 1), value=1)
        output = self.model(
            input_ids=token_R.unsqueeze(1),
            attention_mask=self.attention_RT,
            position_ids=self.position_R.unsqueeze(1),
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self.position_R = self.position_R + 1
        return output.logits[:, -1]

    def keep(self, kept: Tensor) -> None:
        """Only these rows go on."""
        self.cache.batch_select_indices(kept)
        self.position_R = self.position_R[kept]
        if self.attention_RT is not None:
            self.attention_RT = self.attention_RT[kept]


class UncachedDecoder:
    """A batch being written without a cache: every token costs a whole forward pass. For models whose state is no KV cache.

    Rows are padded on the right, where a causal model cannot see the padding.
    """

    def __init__(self, policy: TextModel, token_RT: Tensor, attention_RT: Tensor, images: Pictures) -> None:
        self.policy, self.token_RT, self.attention_RT, self.images = policy, token_RT, attention_RT, images

    def next(self, token_R: Tensor) -> Tensor:
        """Append a token to every row; the logits_RV that follow it."""
        rows_R, length_R = torch.arange(len(token_R), device=token_R.device), self.attention_RT.sum(dim=1)
        if int(length_R.max()) == self.token_RT.shape[1]:
            self.token_RT = torch.nn.functional.pad(self.token_RT, (0, 16))
            self.attention_RT = torch.nn.functional.pad(self.attention_RT, (0, 16))
        self.token_RT[rows_R, length_R], self.attention_RT[rows_R, length_R] = token_R, 1
        return self.policy.next_logits(self.token_RT, self.attention_RT, self.images)

    def keep(self, kept: Tensor) -> None:
        """Only these rows go on."""
        self.token_RT, self.attention_RT = self.token_RT[kept], self.attention_RT[kept]
        self.images = [self.images[row] for row in kept.tolist()] if self.images else ()


def start_uncached(
    policy: TextModel, prompts: list[list[int]], repeats: Tensor, room: int, images: Pictures = ()
) -> tuple[Tensor, UncachedDecoder]:
    """The first logits of every rollout, and a decoder that keeps whole sequences."""
    shape = (len(prompts), max(map(len, prompts)) + min(room, 16))
    token_PT = torch.zeros(shape, dtype=torch.long, device=policy.device)
    attention_PT = torch.zeros_like(token_PT)
    for row, prompt in enumerate(prompts):
        token_PT[row, : len(prompt)] = torch.tensor(prompt, device=policy.device)
        attention_PT[row, : len(prompt)] = 1
    row_of = torch.arange(len(prompts), device=policy.device).repeat_interleave(repeats)
    logits_PV = policy.next_logits(token_PT, attention_PT, images)
    pictures = [images[row] for row in row_of.tolist()] if images else ()
    return logits_PV[row_of], UncachedDecoder(policy, token_PT[row_of], attention_PT[row_of], pictures)


def cache_works(policy: TextModel) -> bool:
    """Prompts of two lengths, repeated, cut down and continued through the cache, give the logits of whole forward passes.

    State-space and hybrid models keep other state than keys and values, each library class in its own way: they are
    found out here, whatever their name, and sampled without a cache.
    """
    prompts = [[t % policy.vocabulary for t in range(1, 1 + length)] for length in (3, 6)]
    repeats, kept = torch.tensor([2, 2], device=policy.device), torch.tensor([3, 1, 0], device=policy.device)
    token_R = torch.tensor([2, 1, 3], device=policy.device) % policy.vocabulary  # as many rows as prompts would hide what stays
    found = []
    with torch.inference_mode(), policy.autocast():
        for start in (start_uncached, prefill_cached):
            try:
                first_RV, decode = start(policy, prompts, repeats, 4)
                decode.keep(kept)
                found.append((first_RV, decode.next(token_R)))
            except (AttributeError, TypeError, ValueError, RuntimeError, KeyError, IndexError, NotImplementedError):
                if start is start_uncached:
                    raise  # without a cache either: the model does not run at all
                return False
    tolerance = 1e-3 if policy.config.dtype == "float32" else 0.5
    return all(torch.allclose(a, b, atol=tolerance, rtol=tolerance) for a, b in zip(*found, strict=True))


def prefill_cached(
    policy: TextModel, prompts: list[list[int]], repeats: Tensor, room: int, images: Pictures = ()
) -> tuple[Tensor, CachedDecoder]:
    """Run each prompt once, then repeat its cache for every rollout of its group."""
    device, width = policy.device, max(map(len, prompts))
    token_PT = torch.zeros(len(prompts), width, dtype=torch.long, device=device)
    attention_PT = torch.zeros(len(prompts), width, dtype=torch.long, device=device)
    for row, prompt in enumerate(prompts):  # padding on the left, so that all rows end at the same place
        token_PT[row, width - len(prompt) :] = torch.tensor(prompt, device=device)
        attention_PT[row, width - len(prompt) :] = 1
    is_padded = len({len(prompt) for prompt in prompts}) > 1
    inputs = {"input_ids": token_PT, "position_ids": (attention_PT.cumsum(-1) - 1).clamp(min=0)}
    if any(images):
        inputs = policy.pictured(token_PT, attention_PT, images)
    output = policy.model(
        **inputs,
        attention_mask=attention_PT if is_padded else None,
        past_key_values=_new_cache(policy.model.config, room),
        use_cache=True,
        logits_to_keep=1,
    )
    row_of = torch.arange(len(prompts), device=device).repeat_interleave(repeats)
    cache = output.past_key_values
    cache.batch_select_indices(row_of)
    next_P = attention_PT.sum(-1)
    if any(images):  # a picture takes up fewer positions than tokens
        next_P = inputs["position_ids"].amax(dim=(0, 2)) + 1
    return output.logits[row_of, -1], CachedDecoder(
        policy, cache, attention_PT[row_of] if is_padded else None, next_P[row_of]
    )


def _new_cache(config: Any, room: int) -> Any:
    """A `transformers` cache whose ordinary layers grow in place; other kinds of layer stay as the library made them."""
    from transformers.cache_utils import DynamicCache, DynamicLayer

    class GrowingLayer(DynamicLayer):
        """Keys and values in a buffer with room for the completion: appending a token copies that token only."""

        buffers: tuple[Tensor, Tensor] | None = None

        def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
            if not self.is_initialized:
                self.lazy_initialization(key_states, value_states)
            start = self.get_seq_length()
            end = start + key_states.shape[-2]
            if self.buffers is None or self.buffers[0].shape[-2] < end:
                grown = []
                old: Tensor | None
                for old, new in ((self.keys, key_states), (self.values, value_states)):
                    shape = (*new.shape[:-2], end + min(room, 128), new.shape[-1])
                    buffer = new.new_empty(shape)
                    if old is not None and start:
                        buffer[..., :start, :] = old
                    grown.append(buffer)
                self.buffers = (grown[0], grown[1])
            for buffer, new in zip(self.buffers, (key_states, value_states), strict=True):
                buffer[..., start:end, :] = new
            self.keys, self.values = (buffer[..., :end, :] for buffer in self.buffers)
            return self.keys, self.values

        def batch_select_indices(self, indices: Tensor) -> None:
            super().batch_select_indices(indices)
            self.buffers = None  # keys and values are now copies of their own

    cache = DynamicCache(config=config)
    if all(type(layer) is DynamicLayer for layer in cache.layers):
        cache.layers = [GrowingLayer() for _ in cache.layers]
    return cache

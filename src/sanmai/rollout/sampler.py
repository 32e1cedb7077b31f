"""Sampling from a policy in this process: one KV-cached batch for all rollouts of a step.

Works for every `transformers` causal LM. A group's prompt is computed once; finished rollouts leave the batch; each rollout
draws from its own random stream, so neither its neighbours nor the order of arrival can change what it says (law 7).

Shape key: P prompts, R rows of the batch (rollouts still being written), T tokens, V vocabulary.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from sanmai.config import Config
from sanmai.models.policy import Policy
from sanmai.types import StopReason


class SamplingConfig(Config):
    temperature: float = Field(1.0, ge=1e-3)
    """Softmax temperature; recorded log-probs are taken at this temperature."""
    max_tokens: int = Field(512, ge=1)
    """Completion budget in tokens, stop token included."""
    concurrent: int = Field(512, ge=1)
    """Rollouts in the batch at once; fewer need less memory."""
    timeout_seconds: float = Field(3600.0, gt=0)
    """Time limit for the sampling of one step; rollouts unfinished by then are kept as incomplete."""


@dataclass(frozen=True)
class Request:
    """One prompt to be completed once per seed. A seed is any tuple that names the rollout: (run seed, step, problem, sample)."""

    prompt_tokens: list[int]
    seeds: list[tuple]


@dataclass(frozen=True)
class Completion:
    request: int
    sample: int
    tokens: list[int]
    logp: list[float]
    stop_reason: StopReason


def sample(policy: Policy, requests: Sequence[Request], config: SamplingConfig) -> Iterator[Completion]:
    """Completions of every request, each yielded when it is finished.

    The distribution is softmax(logits / temperature) over the whole vocabulary: nothing is cut off, so the recorded
    log-probs are those of what was sampled (law 2).
    """
    deadline = time.monotonic() + config.timeout_seconds
    rows = [(index, sample) for index, request in enumerate(requests) for sample in range(len(request.seeds))]
    for start in range(0, len(rows), config.concurrent):
        yield from _sample_wave(policy, requests, rows[start : start + config.concurrent], config, deadline)


def uniforms(seed: tuple, count: int) -> np.ndarray:
    """`count` numbers in [0, 1) from the random stream that a seed names; the same everywhere and in any order."""
    key = hashlib.blake2b(repr(seed).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little"))).random(count)


def draw(logits_RV: Tensor, uniform_R: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """One token per row by inverting the cumulative distribution, and its log-prob (nats).

        token = min { v : sum_{w <= v} p_w > u },   p = softmax(logits / temperature)

    A token of probability 0 is never drawn. The sum is taken in float64: in float32 the increments of some 100,000 words
    round to nothing, and a third of a large vocabulary could never be drawn.
    """
    logp_RV = torch.log_softmax(logits_RV.float() / temperature, dim=-1)
    if logp_RV.device.type == "mps":  # has no float64
        logp_RV, uniform_R = logp_RV.cpu(), uniform_R.cpu()
    cumulative_RV = logp_RV.double().exp().cumsum(dim=-1)
    # Scaling by the row's own sum, which rounding leaves a little off 1, keeps u = 0.9999999 inside the vocabulary.
    threshold_R1 = (uniform_R.double() * cumulative_RV[:, -1]).unsqueeze(-1)
    token_R = torch.searchsorted(cumulative_RV, threshold_R1, right=True).squeeze(-1)
    last_R = torch.searchsorted(cumulative_RV, cumulative_RV[:, -1:].contiguous()).squeeze(-1)
    # The outer bound is for logits that are not finite: their log-prob says so, and the training step stops on it.
    token_R = torch.minimum(token_R, last_R).clamp(max=logits_RV.shape[-1] - 1)
    drawn_logp_R = logp_RV.gather(-1, token_R.unsqueeze(-1)).squeeze(-1)
    return token_R.to(logits_RV.device), drawn_logp_R.to(logits_RV.device)


def _sample_wave(
    policy: Policy,
    requests: Sequence[Request],
    rows: list[tuple[int, int]],
    config: SamplingConfig,
    deadline: float,
) -> Iterator[Completion]:
    """Sample some rollouts, each a (request, sample), together in one batch; those of a request stand side by side."""
    device = policy.device
    uniform_RT = torch.as_tensor(np.stack([uniforms(requests[i].seeds[s], config.max_tokens) for i, s in rows]))
    uniform_RT = uniform_RT.to(device, torch.float32 if device.type == "mps" else torch.float64)
    token_RT = torch.zeros(len(rows), config.max_tokens, dtype=torch.long, device=device)
    logp_RT = torch.zeros(len(rows), config.max_tokens, device=device)
    stops = torch.tensor(policy.stop_tokens, device=device)
    active = torch.arange(len(rows), device=device)  # rows that are in the batch, by their index in `rows`

    def finished(row: int, length: int, reason: StopReason) -> Completion:
        index, sample = rows[row]
        return Completion(index, sample, token_RT[row, :length].tolist(), logp_RT[row, :length].tolist(), reason)

    is_done = torch.zeros(len(rows), dtype=torch.bool, device=device)
    group_sizes = Counter(index for index, _ in rows)  # in the order of the rows
    prompts = [requests[index].prompt_tokens for index in group_sizes]
    repeats = torch.tensor(list(group_sizes.values()), device=device)
    # The modes are left before each yield: a generator must not leak them into the code that consumes it.
    if policy.cache_works is None:
        policy.cache_works = _cache_works(policy)
    start = _prefill if policy.cache_works else _start_plain
    with torch.inference_mode(), policy.autocast():
        logits_RV, decode = start(policy, prompts, repeats, config.max_tokens)
    for t in range(config.max_tokens):
        with torch.inference_mode(), policy.autocast():
            token_R, drawn_logp_R = draw(logits_RV, uniform_RT[active, t], config.temperature)
            token_RT[active, t], logp_RT[active, t] = token_R, drawn_logp_R
            stopped = active[torch.isin(token_R, stops) & ~is_done[active]]
            is_done[stopped] = True
            left_R = ~is_done[active]
        yield from [finished(row, t + 1, StopReason.STOP) for row in stopped.tolist()]
        num_left, out_of_time = int(left_R.sum()), time.monotonic() > deadline
        if t + 1 == config.max_tokens or num_left == 0 or out_of_time:
            reason = StopReason.TIMEOUT if out_of_time and t + 1 < config.max_tokens else StopReason.LENGTH
            yield from [finished(row, t + 1, reason) for row in active[left_R].tolist()]
            return
        with torch.inference_mode(), policy.autocast():
            # Dropping rows copies the cache, so it waits until an eighth of the batch would be wasted.
            if num_left <= 0.875 * len(active):
                kept = left_R.nonzero().squeeze(-1)
                active, token_R = active[kept], token_R[kept]
                decode.keep(kept)
            logits_RV = decode.next(token_R)


class _Decoder:
    """A batch being written: model, KV cache, attention mask and positions of its rows."""

    def __init__(self, policy: Policy, cache: Any, attention_RT: Tensor | None, position_R: Tensor) -> None:
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


class _PlainDecoder:
    """A batch being written without a cache: every token costs a whole forward pass. For models whose state is no KV cache.

    Rows are padded on the right, where a causal model cannot see the padding.
    """

    def __init__(self, policy: Policy, token_RT: Tensor, attention_RT: Tensor) -> None:
        self.policy, self.token_RT, self.attention_RT = policy, token_RT, attention_RT

    def next(self, token_R: Tensor) -> Tensor:
        """Append a token to every row; the logits_RV that follow it."""
        rows_R, length_R = torch.arange(len(token_R), device=token_R.device), self.attention_RT.sum(dim=1)
        if int(length_R.max()) == self.token_RT.shape[1]:
            self.token_RT = torch.nn.functional.pad(self.token_RT, (0, 16))
            self.attention_RT = torch.nn.functional.pad(self.attention_RT, (0, 16))
        self.token_RT[rows_R, length_R], self.attention_RT[rows_R, length_R] = token_R, 1
        return self.policy.next_logits(self.token_RT, self.attention_RT)

    def keep(self, kept: Tensor) -> None:
        """Only these rows go on."""
        self.token_RT, self.attention_RT = self.token_RT[kept], self.attention_RT[kept]


def _start_plain(policy: Policy, prompts: list[list[int]], repeats: Tensor, room: int) -> tuple[Tensor, _PlainDecoder]:
    """The first logits of every rollout, and a decoder that keeps whole sequences."""
    shape = (len(prompts), max(map(len, prompts)) + min(room, 16))
    token_PT = torch.zeros(shape, dtype=torch.long, device=policy.device)
    attention_PT = torch.zeros_like(token_PT)
    for row, prompt in enumerate(prompts):
        token_PT[row, : len(prompt)] = torch.tensor(prompt, device=policy.device)
        attention_PT[row, : len(prompt)] = 1
    row_of = torch.arange(len(prompts), device=policy.device).repeat_interleave(repeats)
    logits_PV = policy.next_logits(token_PT, attention_PT)
    return logits_PV[row_of], _PlainDecoder(policy, token_PT[row_of], attention_PT[row_of])


def _cache_works(policy: Policy) -> bool:
    """Prompts of two lengths, repeated, cut down and continued through the cache, give the logits of whole forward passes.

    State-space and hybrid models keep other state than keys and values, each library class in its own way: they are
    found out here, whatever their name, and sampled without a cache.
    """
    prompts = [[t % policy.vocabulary for t in range(1, 1 + length)] for length in (3, 6)]
    repeats, kept = torch.tensor([2, 2], device=policy.device), torch.tensor([1, 2], device=policy.device)
    token_R = torch.tensor([2, 1], device=policy.device) % policy.vocabulary
    found = []
    with torch.inference_mode(), policy.autocast():
        for start in (_start_plain, _prefill):
            try:
                first_RV, decode = start(policy, prompts, repeats, 4)
                decode.keep(kept)
                found.append((first_RV, decode.next(token_R)))
            except (AttributeError, TypeError, ValueError, RuntimeError, KeyError, IndexError, NotImplementedError):
                if start is _start_plain:
                    raise  # without a cache either: the model does not run at all
                return False
    tolerance = 1e-3 if policy.config.dtype == "float32" else 0.5
    return all(torch.allclose(a, b, atol=tolerance, rtol=tolerance) for a, b in zip(*found, strict=True))


def _prefill(policy: Policy, prompts: list[list[int]], repeats: Tensor, room: int) -> tuple[Tensor, _Decoder]:
    """Run each prompt once, then repeat its cache for every rollout of its group."""
    device, width = policy.device, max(map(len, prompts))
    token_PT = torch.zeros(len(prompts), width, dtype=torch.long, device=device)
    attention_PT = torch.zeros(len(prompts), width, dtype=torch.long, device=device)
    for row, prompt in enumerate(prompts):  # padding on the left, so that all rows end at the same place
        token_PT[row, width - len(prompt) :] = torch.tensor(prompt, device=device)
        attention_PT[row, width - len(prompt) :] = 1
    is_padded = len({len(prompt) for prompt in prompts}) > 1
    output = policy.model(
        input_ids=token_PT,
        attention_mask=attention_PT if is_padded else None,
        position_ids=(attention_PT.cumsum(-1) - 1).clamp(min=0),
        past_key_values=_new_cache(policy.model.config, room),
        use_cache=True,
        logits_to_keep=1,
    )
    row_of = torch.arange(len(prompts), device=device).repeat_interleave(repeats)
    cache = output.past_key_values
    cache.batch_select_indices(row_of)
    lengths_R = attention_PT.sum(-1)[row_of]
    return output.logits[row_of, -1], _Decoder(policy, cache, attention_PT[row_of] if is_padded else None, lengths_R)


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

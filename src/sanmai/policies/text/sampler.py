"""Sampling from a policy in this process: slots that are written to side by side, refilled as rollouts finish.

The fast path (decoder.py) takes the architectures that it knows, the general path every `transformers` causal LM;
both compute a group's prompt once. Each rollout draws from its own random stream, so neither its neighbours nor the order
of arrival can change what it says (law 7). On a CPU the rollouts are split over threads that compute on their own: small
products gain nothing from being split themselves, and no thread waits for another at every one of them.

Shape key: S slots (rollouts being written), J tokens drawn before the host looks at them, V vocabulary.
"""

from __future__ import annotations

import hashlib
import itertools
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from sanmai.policies.text.asking import Completion, Request, SamplingConfig
from sanmai.policies.text.decoder import DenseDecoder, FusedWeights, Prefilled, compacted, fuse
from sanmai.policies.text.dense import DenseModel
from sanmai.policies.text.general import cache_works, prefill_cached, start_uncached
from sanmai.policies.text.keeping import PREFILL_TOKENS, PREFILL_TOKENS_OF_LARGE, Keeping
from sanmai.policies.text.model import TextModel
from sanmai.policies.text.prefixes import Prefixes
from sanmai.types import StopReason

Row = TypeVar("Row")
GOES_ON = (StopReason.STEP, StopReason.PAUSED)
"""Ways to end that are none for good."""
_WORDS = 512
"""A large vocabulary is summed in parts of so many words; only the part that a draw falls into is looked at word by word."""


def sample(
    policy: TextModel, requests: Sequence[Request], config: SamplingConfig, *, segment: int | None = None,
    prefixes: Prefixes | None = None,
) -> Iterator[Completion]:
    """Completions of every request, each yielded when it is finished.

    Args:
        segment: most tokens that a rollout draws in this call; one that needs more is PAUSED. To go on, ask again with what was
            drawn at the end of the prompt and its number in `Request.written`: the same policy then writes the same tokens as
            in one call, up to rounding.
        prefixes: what was read before is not read again (on the fast path), and prompts and what is PAUSED or ends as STEP are
            kept there when the last completion has been taken: the same tokens as without, up to rounding.

    The distribution is softmax(logits / temperature) over the whole vocabulary: nothing is cut off, so the recorded
    log-probs are those of what was sampled (law 2). At temperature 0 nothing is drawn: seeds tell samples apart by name alone,
    and log-probs are those of softmax(logits).
    """
    rows = [(index, sample) for index, request in enumerate(requests) for sample in range(len(request.seeds))]
    if not rows:
        return
    if empty := [index for index, request in enumerate(requests) if not request.prompt_tokens]:
        raise ValueError(f"request {empty[0]} has an empty prompt: nothing to continue")
    if policy.vision is None and (pictured := [index for index, request in enumerate(requests) if request.images]):
        raise ValueError(f"request {pictured[0]} has images, and the policy reads text alone")
    other = policy.sampler
    if other is not None and prefixes is None and (other.takes_cuts or not any(request.cut for request in requests)):
        yield from other.sample(requests, config, segment=segment)
        return
    with policy.whole():
        yield from _sample_here(policy, rows, requests, config, segment, prefixes)


def _sample_here(
    policy: TextModel, rows: list[tuple[int, int]], requests: Sequence[Request], config: SamplingConfig, segment: int | None,
    prefixes: Prefixes | None,
) -> Iterator[Completion]:
    if policy.dense is None and policy.cache_works is None:
        policy.cache_works = cache_works(policy)
    parts = min(policy.sampling_parts or policy.cores.sampling_workers, config.concurrent, len(rows))
    deadline = time.monotonic() + config.timeout_seconds
    task = _Task(policy, requests, config, deadline, config.concurrent // parts, segment or config.max_tokens)
    fast = None
    if policy.dense is not None:
        known = prefixes.weights if prefixes is not None else None
        fast = (policy.dense, fuse(policy.dense) if known is None else known)
        if prefixes is not None:
            prefixes.weights = fast[1]
            task.keeping = Keeping(prefixes, requests, task.segment, policy.is_large)
    if prefixes is not None and task.keeping is None:
        prefixes.num_read = [len(request.prompt_tokens) for request in requests]

    def work(part: list[tuple[int, int]]) -> None:
        try:
            with torch.inference_mode(), policy.autocast():
                if fast is not None:
                    _write_fast(task, *fast, part)
                else:
                    _write_in_waves(task, part)
        except BaseException as error:  # noqa: BLE001 - it is raised again by the consumer's thread
            task.results.put(error)
        else:
            task.results.put(None)

    working = []
    try:
        for part in cut(rows, parts):
            working.append(policy.cores.sampling_pool.submit(work, part))
        num_working = parts
        while num_working:
            result = task.results.get()
            if isinstance(result, BaseException):
                raise result
            if result is None:
                num_working -= 1
            else:
                yield result
        if task.keeping is not None:
            task.keeping.end()
    finally:
        task.cancelled.set()
        wait(working)


def cut(rows: list[Row], parts: int) -> list[list[Row]]:
    """The rows in so many parts of nearly the same size, in order. Which part a row is in decides its neighbours, and so how its
    products round: who writes a part changes nothing, another cut may.
    """
    bounds = [len(rows) * part // parts for part in range(parts + 1)]
    return [rows[a:b] for a, b in itertools.pairwise(bounds)]


def uniforms(seed: tuple, count: int) -> np.ndarray:
    """`count` numbers in [0, 1) from the random stream that a seed names; the same everywhere and in any order."""
    key = hashlib.blake2b(repr(seed).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little"))).random(count)


def draw(logits_SV: Tensor, uniform_S: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """One token per row by inverting the cumulative distribution, and its log-prob (nats).

        token = min { v : sum_{w <= v} p_w > u },   p = softmax(logits / temperature)

    At temperature 0 the token is the first of those with the largest logit, and p = softmax(logits).

    A token of probability 0 is never drawn. Sums are taken in float64: in float32 the increments of some 100,000 words
    round to nothing, and a third of a large vocabulary could never be drawn.
    """
    if temperature == 0.0:
        logp_SV = logits_SV.float().log_softmax(dim=-1)
        token_S = logits_SV.argmax(dim=-1)  # of equal ones the first, as PyTorch documents it
        return token_S, logp_SV.gather(-1, token_S.unsqueeze(-1)).squeeze(-1)
    device = logits_SV.device
    if device.type == "mps":  # has no float64
        logits_SV, uniform_S = logits_SV.cpu(), uniform_S.cpu()
    scaled_SV = logits_SV.float() if temperature == 1.0 else logits_SV.float() / temperature
    highest_S1 = scaled_SV.amax(dim=-1, keepdim=True)
    weight_SV = (scaled_SV - highest_S1).exp_()
    if weight_SV.shape[1] <= 8 * _WORDS:
        token_S1, total_S1 = _invert(weight_SV, uniform_S.double().unsqueeze(-1))
    else:
        if left := -weight_SV.shape[1] % _WORDS:
            weight_SV = torch.nn.functional.pad(weight_SV, (0, left))
        padded_SNB = weight_SV.unflatten(1, (-1, _WORDS))
        sum_SN = padded_SNB.sum(dim=-1).double()  # of a block, float32 loses nothing that matters: 1e-7 of its share
        block_S1, total_S1 = _invert(sum_SN, uniform_S.double().unsqueeze(-1))
        before_S1 = (sum_SN.cumsum(dim=-1) - sum_SN).gather(1, block_S1)
        share_S1 = (uniform_S.double().unsqueeze(-1) * total_S1 - before_S1) / sum_SN.gather(1, block_S1)
        row_S = torch.arange(len(block_S1), device=block_S1.device)
        inner_S1, _ = _invert(padded_SNB[row_S, block_S1.squeeze(-1)], share_S1)
        token_S1 = block_S1 * _WORDS + inner_S1
    # The bound is for logits that are not finite: their log-prob says so, and the training step stops on it.
    token_S1 = token_S1.clamp(max=logits_SV.shape[-1] - 1)
    logp_S1 = scaled_SV.gather(-1, token_S1) - highest_S1 - total_S1.log().float()
    return token_S1.squeeze(-1).to(device), logp_S1.squeeze(-1).to(device)


def refuse_equal_samples(temperature: float, samples: int, name: str = "sampling.temperature") -> None:
    """Raises ValueError where several completions of a prompt are asked for that would all be the same."""
    if temperature == 0.0 and samples > 1:
        raise ValueError(f"{name} = 0: the likeliest token each time, so all {samples} completions of a prompt would be the same")


def _invert(weight_SV: Tensor, share_S1: Tensor) -> tuple[Tensor, Tensor]:
    """min { v : sum_{w <= v} weight_w > share * total }, a word of weight above 0 whatever the rounding, and the total."""
    cumulative_SV = weight_SV.cumsum(dim=-1, dtype=torch.float64)
    total_S1 = cumulative_SV[:, -1:]
    below_S1 = torch.nextafter(total_S1, torch.zeros_like(total_S1))
    threshold_S1 = torch.minimum(share_S1 * total_S1, below_S1).clamp_(min=0.0)
    return torch.searchsorted(cumulative_SV, threshold_S1, right=True), total_S1


def tokens_per_look(device: torch.device) -> int:
    """J: to look at a token, the host has to wait for the device. What follows a stop in a block is thrown away."""
    return 1 if device.type == "cpu" else 16


class _Task:
    """What the workers of one call share."""

    def __init__(
        self,
        policy: TextModel,
        requests: Sequence[Request],
        config: SamplingConfig,
        deadline: float,
        num_slots: int,
        segment: int,
    ) -> None:
        self.policy, self.requests, self.config, self.num_slots = policy, requests, config, num_slots
        self.deadline, self.segment = deadline, min(segment, config.max_tokens)
        self.results: queue.SimpleQueue[Completion | BaseException | None] = queue.SimpleQueue()
        self.cancelled = threading.Event()
        self.stops = frozenset(policy.stop_tokens)
        self.block = tokens_per_look(policy.device)
        self.keeping: Keeping | None = None
        """Where prefixes are kept."""


@dataclass
class _Writing:
    """A rollout being written."""

    request: int
    sample: int
    budget: int
    """Tokens left of its budget, and of this call, when it begins."""
    segment: int
    cut: Callable[[int], bool] | None
    tokens: list[int] = field(default_factory=list)
    logp: list[float] = field(default_factory=list)


class _Slots:
    """The rollouts being written, kept on the host: each slot holds one, or is free."""

    def __init__(self, task: _Task, num_slots: int) -> None:
        self.task = task
        self.writing: list[_Writing | None] = [None] * num_slots
        self.ended: list[tuple[int, Completion]] = []
        """Slots whose rollout has just ended and will be gone on with, where prefixes are kept."""
        self._uniform_ST = np.zeros((num_slots, task.segment + task.block))

    def __len__(self) -> int:
        return len(self.writing)

    @property
    def live(self) -> list[int]:
        return [slot for slot, rollout in enumerate(self.writing) if rollout is not None]

    @property
    def free(self) -> list[int]:
        return [slot for slot, rollout in enumerate(self.writing) if rollout is None]

    @property
    def longest(self) -> int:
        """Tokens of the longest live slot: its prompt and all that was drawn."""
        lengths = [
            len(self.task.requests[r.request].prompt_tokens) + len(r.tokens) for r in self.writing if r is not None
        ]
        return max(lengths, default=0)

    def begin(self, slot: int, request: int, sample: int) -> None:
        asked, task = self.task.requests[request], self.task
        budget = min(asked.max_tokens or task.config.max_tokens, task.config.max_tokens) - asked.written
        segment, cut = min(asked.segment or task.segment, task.segment), asked.cut() if asked.cut is not None else None
        self.writing[slot] = _Writing(request, sample, budget, segment, cut)
        stream = uniforms(asked.seeds[sample], asked.written + self.task.segment)
        self._uniform_ST[slot, : self.task.segment] = stream[asked.written :]

    def draw(self, logits_SV: Tensor, following: Callable[[Tensor], Tensor]) -> Tensor:
        """Draw the next J tokens of every slot, and let go of rollouts that have ended; the last tokens drawn."""
        start_S1 = np.array([[len(rollout.tokens) if rollout else 0] for rollout in self.writing])
        uniform_SJ = np.take_along_axis(self._uniform_ST, start_S1 + np.arange(self.task.block), axis=1)
        is_mps = logits_SV.device.type == "mps"
        uniform = torch.as_tensor(uniform_SJ, dtype=torch.float32 if is_mps else torch.float64).to(logits_SV.device)
        drawn = [draw(logits_SV, uniform[:, 0], self.task.config.temperature)]
        for j in range(1, self.task.block):
            drawn.append(draw(following(drawn[-1][0]), uniform[:, j], self.task.config.temperature))
        token_SJ, logp_SJ = (torch.stack(column, dim=1) for column in zip(*drawn, strict=True))
        self._record(token_SJ.tolist(), logp_SJ.tolist())
        return drawn[-1][0]

    def _record(self, token_SJ: list[list[int]], logp_SJ: list[list[float]]) -> None:
        out_of_time = time.monotonic() > self.task.deadline
        for slot, rollout in enumerate(self.writing):
            if rollout is None:
                continue
            reason = self._extend(rollout, token_SJ[slot], logp_SJ[slot])
            if reason is None and out_of_time:
                reason = StopReason.TIMEOUT
            if reason is not None:
                done = Completion(rollout.request, rollout.sample, rollout.tokens, rollout.logp, reason)
                if self.task.keeping is not None and reason in GOES_ON:
                    self.ended.append((slot, done))
                self.task.results.put(done)
                self.writing[slot] = None

    def _extend(self, rollout: _Writing, token_J: list[int], logp_J: list[float]) -> StopReason | None:
        for token, logp in zip(token_J, logp_J, strict=True):
            rollout.tokens.append(token)
            rollout.logp.append(logp)
            if token in self.task.stops:
                return StopReason.STOP
            if len(rollout.tokens) >= rollout.budget:  # what is gone on with may have used it up before
                return StopReason.LENGTH
            if rollout.cut is not None and rollout.cut(token):
                return StopReason.STEP
            if len(rollout.tokens) == rollout.segment:
                return StopReason.PAUSED
        return None

    def keep(self, kept: list[int]) -> None:
        """Only these slots go on, in this order."""
        self.writing, self._uniform_ST = [self.writing[slot] for slot in kept], self._uniform_ST[kept]


def _write_fast(task: _Task, model: DenseModel, weights: FusedWeights, rows: list[tuple[int, int]]) -> None:
    """Write these rollouts, each a (request, sample); a finished one's slot goes to the next that waits."""
    device = task.policy.device
    waiting, slots = deque(rows), _Slots(task, min(task.num_slots, len(rows)))
    decoder = DenseDecoder(model, weights, len(slots))
    prompts = _Prompts(task, decoder, rows[0])
    logits_SV = torch.zeros(len(slots), weights.head.weight.shape[0], device=device)
    while not task.cancelled.is_set():
        free = slots.free
        # A prompt is read for several slots at once, unless nothing else is left to do.
        if waiting and len(free) >= min(max(len(slots) // 8, 1), len(slots)):
            decoder.release(torch.tensor(free, device=device), slots.longest)
            free = free[: len(waiting)]
            prompts.begin(slots, free, [waiting.popleft() for _ in free], logits_SV)
            if not waiting:
                prompts.forget()
        token_S = slots.draw(logits_SV, decoder.next)
        if task.keeping is not None:
            task.keeping.take(slots.ended, decoder)
            slots.ended.clear()
        live = slots.live
        if not live and not waiting:
            return
        # Dropping slots moves others, so it waits until an eighth of the batch would be wasted.
        if not waiting and len(live) <= 0.875 * len(slots):
            order = compacted(live)
            kept = torch.tensor(order, device=device)
            decoder.keep(kept, slots.longest - 1)  # the last token has been drawn, not read
            token_S = token_S[kept]
            slots.keep(order)
        if live:
            logits_SV = decoder.next(token_S)


class _Prompts:
    """Reads prompts into slots, each once although its group may begin at several times."""

    def __init__(self, task: _Task, decoder: DenseDecoder, worker: tuple[int, int]) -> None:
        self.task, self.decoder, self.worker = task, decoder, worker
        self._newest: tuple[dict[int, int], Prefilled] | None = None

    def begin(self, slots: _Slots, free: list[int], rows: list[tuple[int, int]], logits_SV: Tensor) -> None:
        """Begin rows in free slots; the logits of their first tokens are written into logits_SV."""
        pairs = []
        for slot, (request, sample) in zip(free, rows, strict=True):
            slots.begin(slot, request, sample)
            pairs.append((slot, request))
        while pairs:
            if self._newest is None or pairs[0][1] not in self._newest[0]:
                self._newest = self._read([request for _, request in pairs])
            numbers, prefilled = self._newest
            known = [pair for pair in pairs if pair[1] in numbers]
            slot_S = torch.tensor([slot for slot, _ in known], device=logits_SV.device)
            prompt_S = torch.tensor([numbers[request] for _, request in known], device=logits_SV.device)
            self.decoder.place(slot_S, prefilled, prompt_S)
            logits_SV[slot_S] = prefilled.logits_PV[prompt_S]
            pairs = [pair for pair in pairs if pair[1] not in numbers]

    def forget(self) -> None:
        """Let go of the prompts that were read last: no row will begin with one of them."""
        self._newest = None

    def _read(self, requests: list[int]) -> tuple[dict[int, int], Prefilled]:
        """The first of these prompts, as many as are read at once; their numbers in what was read."""
        if self.task.keeping is not None:
            return self.task.keeping.read(requests, self.decoder, self.worker)
        numbers: dict[int, int] = {}
        width, most = 0, PREFILL_TOKENS_OF_LARGE if self.task.policy.is_large else PREFILL_TOKENS
        for request in requests:
            width = max(width, len(self.task.requests[request].prompt_tokens))
            if numbers and request not in numbers and (len(numbers) + 1) * width > most:
                break
            numbers.setdefault(request, len(numbers))
        return numbers, self.decoder.prefill([self.task.requests[request].prompt_tokens for request in numbers])


def _write_in_waves(task: _Task, rows: list[tuple[int, int]]) -> None:
    """The same by the general path: as many as there are slots begin together, and the next when all of them have ended."""
    start = prefill_cached if task.policy.cache_works else start_uncached
    for first in range(0, len(rows), task.num_slots):
        if task.cancelled.is_set():
            return
        wave = rows[first : first + task.num_slots]
        slots = _Slots(task, len(wave))
        for slot, row in enumerate(wave):
            slots.begin(slot, *row)
        group_sizes = Counter(request for request, _ in wave)  # in the order of the rows
        asked = [task.requests[request] for request in group_sizes]
        repeats = torch.tensor(list(group_sizes.values()), device=task.policy.device)
        prompts, images = [r.prompt_tokens for r in asked], [r.images for r in asked]
        logits_SV, decoder = start(task.policy, prompts, repeats, task.segment, images)
        while not task.cancelled.is_set():
            token_S = slots.draw(logits_SV, decoder.next)
            live = slots.live
            if not live:
                break
            if len(live) <= 0.875 * len(slots):
                kept = torch.tensor(live, device=task.policy.device)
                slots.keep(live)
                decoder.keep(kept)
                token_S = token_S[kept]
            logits_SV = decoder.next(token_S)

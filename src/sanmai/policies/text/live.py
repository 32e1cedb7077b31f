"""Sampling without an end: requests come while others are being written, and whoever asked is told of the tokens as they come.

The slots, the passes and the draw are those of sampler.py, and so are the tokens: a rollout draws from the random stream that
its seed names, whoever is written beside it. On the general path there are no slots to be given on: what waits begins when all
that is being written has ended.

Shape key: S slots (rollouts being written), V vocabulary.
"""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch
from torch import Tensor

from sanmai.policies.text.decoder import DenseDecoder, FusedWeights, compacted, fuse
from sanmai.policies.text.general import cache_works, prefill_cached, start_uncached
from sanmai.policies.text.keeping import PREFILL_TOKENS, PREFILL_TOKENS_OF_LARGE
from sanmai.policies.text.model import TextModel
from sanmai.policies.text.sampler import draw, tokens_per_look, uniforms
from sanmai.types import StopReason

Top = list[tuple[int, float]]
"""The likeliest tokens of one draw with their log-probs."""


@dataclass(frozen=True, eq=False)
class LiveRequest:
    """A prompt to be completed once per seed.

    Example:
        LiveRequest([5, 17, 3], [(7, "serve", 0)], max_tokens=64)
    """

    prompt_tokens: list[int]
    seeds: list[tuple]
    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    """The likeliest tokens whose probabilities first add up to this are kept, and the log-probs are those among them."""
    top_logprobs: int = 0
    """How many of the likeliest tokens are told with each drawn one."""
    is_told_at_once: bool = False
    """Tokens are told as they are drawn; otherwise all together at the end."""


@dataclass(frozen=True)
class Event:
    """What became known of one completion since it was told of last."""

    request: LiveRequest
    sample: int
    tokens: list[int]
    logp: list[float]
    tops: list[Top]
    stop_reason: StopReason | None
    """None while it goes on."""
    failure: str | None = None
    """Why it ends without having been written, with no stop reason."""


class BusyError(Exception):
    """As many completions wait as may wait."""


@dataclass(eq=False)
class _Row:
    """A completion being written."""

    request: LiveRequest
    sample: int
    uniform_T: np.ndarray
    tokens: list[int] = field(default_factory=list)
    logp: list[float] = field(default_factory=list)
    tops: list[Top] = field(default_factory=list)
    told: int = 0
    is_cancelled: bool = False

    @property
    def length(self) -> int:
        return len(self.request.prompt_tokens) + len(self.tokens)

    @property
    def need(self) -> int:
        """Positions that it may come to fill."""
        return len(self.request.prompt_tokens) + self.request.max_tokens

    def event(self, reason: StopReason | None, failure: str | None = None) -> Event:
        """What has not been told yet."""
        a, self.told = self.told, len(self.tokens)
        return Event(self.request, self.sample, self.tokens[a:], self.logp[a:], self.tops[a:], reason, failure)


class LiveSampler:
    """Writes completions of a policy until it is closed. Usable from any thread."""

    def __init__(
        self,
        policy: TextModel,
        deliver: Callable[[list[Event]], None],
        *,
        concurrent: int = 64,
        max_waiting: int = 256,
        cache_tokens: int | None = None,
    ) -> None:
        """Args:
        deliver: is given what a look at the tokens brought, on a thread of the sampler's; it must neither wait nor raise.
        concurrent: completions written at once.
        max_waiting: completions that wait at most.
        cache_tokens: positions of keys and values, free ones included, that exist at once; a completion waits for room. One
            that alone needs more is written alone. None: as many as `concurrent` completions of the model's positions.
        """
        if policy.dense is None and policy.cache_works is None:
            policy.cache_works = cache_works(policy)
        self.policy, self.deliver, self.max_waiting = policy, deliver, max_waiting
        self.counts: Counter[str] = Counter()
        """Since the start: "completions" ended, "tokens" drawn, "cancelled", "failed"; the most "live" at once."""
        workers = max(min(policy.cores.sampling_workers, concurrent), 1)
        self.num_slots = max(concurrent // workers, 1)
        self.room = math.inf if cache_tokens is None else cache_tokens / workers
        self._waiting: deque[_Row] = deque()
        self._known: dict[LiveRequest, list[_Row]] = {}
        self._changed = threading.Condition()
        self._closed = False
        weights = fuse(policy.dense) if policy.dense is not None else None
        self._writers: list[_Writer] = [_Writer(self, weights) for _ in range(workers)]
        share = max(policy.cores.threads // workers, 1)
        self._working = [
            threading.Thread(target=w.work, args=(share,), daemon=True, name="live") for w in self._writers
        ]
        for thread in self._working:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    @property
    def num_live(self) -> int:
        return sum(writer.num_live for writer in self._writers)

    def submit(self, request: LiveRequest) -> None:
        """Write a request's completions, each as soon as there is a place.

        Raises:
            BusyError: too many wait.
            ValueError: an empty prompt, or the sampler is closed.
        """
        if not request.prompt_tokens or request.max_tokens < 1:
            raise ValueError("expected a prompt of at least one token and max_tokens of at least 1")
        spare = np.zeros(tokens_per_look(self.policy.device))
        rows = [
            _Row(request, k, np.concatenate([uniforms(seed, request.max_tokens), spare]))
            for k, seed in enumerate(request.seeds)
        ]
        with self._changed:
            if self._closed:
                raise ValueError("the sampler is closed")
            if len(self._waiting) + len(rows) > self.max_waiting:
                raise BusyError
            self._known[request] = rows
            self._waiting.extend(rows)
            self._changed.notify_all()

    def cancel(self, request: LiveRequest, sample: int | None = None) -> None:
        """Let go of a request, or of one of its completions; nothing more is told of it. Unknown and ended ones are ignored."""
        with self._changed:
            for row in self._known.get(request, ()):
                if sample is None or row.sample == sample:
                    row.is_cancelled = True
            self._changed.notify_all()

    def close(self) -> None:
        """Stop. What is not written is told as failed."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._working:
            thread.join()
        self.deliver([row.event(None, "the server is stopping") for row in self._waiting if not row.is_cancelled])
        self._waiting.clear()

    def _take(self, writer: _Writer) -> list[_Row] | None:
        """Rows to begin with now, possibly none; waits while there is nothing to do at all. None: it is over."""
        with self._changed:
            while True:
                if self._closed:
                    return None
                for row in [row for row in self._waiting if row.is_cancelled]:
                    self._waiting.remove(row)
                    self._forget(row)
                if self._waiting or writer.num_live:
                    break
                writer.rest()
                self._changed.wait()
            if not self._waiting or (writer.num_live and not writer.can_join):
                return []
            # Work is shared evenly, and prompts are read for several slots at once where many wait.
            share = -(-(len(self._waiting) + self.num_live) // len(self._writers)) - writer.num_live
            most = min(self.num_slots - writer.num_live, share, len(self._waiting))
            if most < min(max(self.num_slots // 8, 1), len(self._waiting), max(share, 1)):
                return []
            taken: list[_Row] = []
            need = max((row.need for row in writer.live), default=0)
            while len(taken) < most:
                need = max(need, self._waiting[0].need)
                num_rows = writer.num_live + len(taken) + 1
                if num_rows > 1 and num_rows * need > self.room:
                    break
                taken.append(self._waiting.popleft())
            writer.num_live += len(taken)
            self.counts["live"] = max(self.counts["live"], self.num_live)
            return taken

    def _forget(self, row: _Row) -> None:
        rows = self._known.get(row.request)
        if rows is not None:
            rows.remove(row)
            if not rows:
                del self._known[row.request]
        self.counts["cancelled" if row.is_cancelled else "completions"] += 1

    def _ended(self, rows: Sequence[_Row]) -> None:
        if rows:
            with self._changed:
                for row in rows:
                    self._forget(row)


class _Writer:
    """One thread's slots."""

    def __init__(self, sampler: LiveSampler, weights: FusedWeights | None) -> None:
        self.sampler, self.weights, self.policy = sampler, weights, sampler.policy
        self.can_join = weights is not None
        self.num_live = 0
        self._stops = frozenset(self.policy.stop_tokens)
        self._block = tokens_per_look(self.policy.device)
        self.rest()

    def rest(self) -> None:
        """Let go of keys and values: nothing is being written."""
        self.rows: list[_Row | None] = []
        self._dense: DenseDecoder | None = None
        self._general = None
        self._logits_SV = torch.zeros(0, self.policy.vocabulary, device=self.policy.device)

    @property
    def live(self) -> list[_Row]:
        return [row for row in self.rows if row is not None]

    def work(self, threads: int) -> None:
        """Write until the sampler is closed. What fails (no memory, say) fails those being written and nothing else."""
        torch.set_num_threads(threads)
        taken: list[_Row] | None = []
        with torch.inference_mode(), self.policy.autocast():
            while True:
                taken = self.sampler._take(self)
                if taken is None:
                    break
                try:
                    self._look(taken)
                except Exception as error:  # noqa: BLE001 - a worker that dies would leave all that come waiting for ever
                    self._fail(
                        taken, f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
                    )
        self._fail([], "the server is stopping")

    def _fail(self, taken: Sequence[_Row], reason: str) -> None:
        # Of those taken some may have ended in this very look.
        begun = {id(row): row for row in [*self.live, *taken]}.values()
        with self.sampler._changed:
            rows = [row for row in begun if row in self.sampler._known.get(row.request, ())]
        self.sampler.counts["failed"] += len(rows)
        self.sampler._ended(rows)
        self.rest()
        self.num_live = 0
        self.sampler.deliver([row.event(None, reason) for row in rows if not row.is_cancelled])

    def _look(self, taken: list[_Row]) -> None:
        """Begin with some, draw what is drawn before the host looks, and go on with those that have not ended."""
        if taken:
            self._begin(taken) if self.can_join else self._begin_wave(taken)
        token_S = self._draw()
        if token_S is None:
            return
        token_S = self._compact(token_S)
        if self.num_live:
            self._logits_SV = self._next(token_S)

    def _next(self, token_S: Tensor) -> Tensor:
        decoder = self._dense if self._dense is not None else self._general
        assert decoder is not None
        return decoder.next(token_S)

    def _begin(self, taken: list[_Row]) -> None:
        if self._dense is None:
            assert self.policy.dense is not None and self.weights is not None
            self._dense = DenseDecoder(self.policy.dense, self.weights, 0)
        live = len(self.live)
        if live + len(taken) > len(self.rows):
            wanted = live + len(taken)
            more = wanted - len(self.rows)
            self._dense.widen(wanted)
            self.rows += [None] * more
            self._logits_SV = torch.cat([self._logits_SV, self._logits_SV.new_zeros(more, self.policy.vocabulary)])
        free = [slot for slot, row in enumerate(self.rows) if row is None]
        self._dense.release(torch.tensor(free, device=self.policy.device), self._longest())
        waiting = deque(zip(free, taken, strict=False))
        most = PREFILL_TOKENS_OF_LARGE if self.policy.is_large else PREFILL_TOKENS
        while waiting:
            prompts: dict[LiveRequest, int] = {}
            part: list[tuple[int, int]] = []
            width = 0
            while waiting:
                slot, row = waiting[0]
                width = max(width, len(row.request.prompt_tokens))
                if prompts and row.request not in prompts and (len(prompts) + 1) * width > most:
                    break
                part.append((slot, prompts.setdefault(row.request, len(prompts))))
                self.rows[slot] = row
                waiting.popleft()
            read = self._dense.prefill([request.prompt_tokens for request in prompts])
            slot_R, prompt_R = (torch.tensor(column, device=self.policy.device) for column in zip(*part, strict=True))
            self._dense.place(slot_R, read, prompt_R)
            self._logits_SV[slot_R] = read.logits_PV[prompt_R]

    def _begin_wave(self, taken: list[_Row]) -> None:
        groups: dict[LiveRequest, list[_Row]] = {}
        for row in taken:
            groups.setdefault(row.request, []).append(row)
        self.rows = [row for rows in groups.values() for row in rows]
        repeats = torch.tensor([len(rows) for rows in groups.values()], device=self.policy.device)
        start = prefill_cached if self.policy.cache_works else start_uncached
        room = max(request.max_tokens for request in groups)
        prompts = [request.prompt_tokens for request in groups]
        self._logits_SV, self._general = start(self.policy, prompts, repeats, room)

    def _longest(self) -> int:
        return max((row.length for row in self.live), default=0)

    def _draw(self) -> Tensor | None:
        """Draw, tell, and let go of those that have ended; the last tokens drawn, None where no row is live."""
        rows = self.rows
        if not self.live:
            return None
        temperature_S = [row.request.temperature if row else 1.0 for row in rows]
        top_p_S = [row.request.top_p if row else 1.0 for row in rows]
        start_S = [len(row.tokens) if row else 0 for row in rows]
        wanting = [
            (slot, row.request.top_logprobs) for slot, row in enumerate(rows) if row and row.request.top_logprobs
        ]
        drawn: list[tuple[Tensor, Tensor]] = []
        tops: list[dict[int, Top]] = []
        logits_SV = self._logits_SV
        for j in range(self._block):
            if j:
                logits_SV = self._next(drawn[-1][0])
            uniform = np.array(
                [row.uniform_T[start + j] if row else 0.0 for row, start in zip(rows, start_S, strict=True)]
            )
            dtype = torch.float32 if logits_SV.device.type == "mps" else torch.float64
            uniform_S = torch.as_tensor(uniform, dtype=dtype).to(logits_SV.device)
            scaled_SV, temperature = shaped(logits_SV, temperature_S, top_p_S)
            drawn.append(_likeliest_of_cold(draw(scaled_SV, uniform_S, temperature), scaled_SV, temperature_S))
            tops.append(_likeliest(scaled_SV / (temperature or 1.0), wanting) if wanting else {})
        token_SJ, logp_SJ = (torch.stack(column, dim=1).tolist() for column in zip(*drawn, strict=True))
        self._record(token_SJ, logp_SJ, tops)
        return drawn[-1][0]

    def _record(self, token_SJ: list[list[int]], logp_SJ: list[list[float]], tops: list[dict[int, Top]]) -> None:
        events: list[Event] = []
        ended: list[_Row] = []
        num_drawn = 0
        for slot, row in enumerate(self.rows):
            if row is None:
                continue
            reason = None
            if not row.is_cancelled:
                before = len(row.tokens)
                reason = self._extend(row, slot, token_SJ[slot], logp_SJ[slot], tops)
                num_drawn += len(row.tokens) - before
                if reason is not None or row.request.is_told_at_once:
                    events.append(row.event(reason))
            if reason is not None or row.is_cancelled:
                ended.append(row)
                self.rows[slot] = None
        self.num_live -= len(ended)
        self.sampler.counts["tokens"] += num_drawn
        self.sampler._ended(ended)
        if events:
            self.sampler.deliver(events)

    def _extend(
        self, row: _Row, slot: int, token_J: list[int], logp_J: list[float], tops: list[dict[int, Top]]
    ) -> StopReason | None:
        for token, logp, top in zip(token_J, logp_J, tops, strict=True):
            row.tokens.append(token)
            row.logp.append(logp)
            if row.request.top_logprobs:
                row.tops.append(top[slot])
            if token in self._stops:
                return StopReason.STOP
            if len(row.tokens) == row.request.max_tokens:
                return StopReason.LENGTH
        return None

    def _compact(self, token_S: Tensor) -> Tensor:
        """Drop free slots where they are too many of all; on the general path all of them. The tokens of those that stay."""
        live = [slot for slot, row in enumerate(self.rows) if row is not None]
        if not live or len(live) == len(self.rows):
            return token_S
        device = self.policy.device
        if self._dense is None:
            kept = torch.tensor(live, device=device)
            assert self._general is not None
            self._general.keep(kept)
        else:
            longest = self._longest() - 1  # the last token has been drawn, not read
            if len(live) > 0.875 * len(self.rows):
                free = [slot for slot, row in enumerate(self.rows) if row is None]
                self._dense.release(torch.tensor(free, device=device), longest)
                return token_S
            live = compacted(live)
            kept = torch.tensor(live, device=device)
            self._dense.keep(kept, longest)
        self.rows = [self.rows[slot] for slot in live]
        return token_S[kept]


def shaped(logits_SV: Tensor, temperature_S: Sequence[float], top_p_S: Sequence[float]) -> tuple[Tensor, float]:
    """Logits and a temperature for `draw`: each row at its own temperature, and cut to its nucleus.

    A row of temperature 0, which takes the likeliest token, stays as it is.

    The nucleus of a row is the smallest set of likeliest tokens whose probabilities add up to top_p at least.

    Source:
        Holtzman et al. 2020 (arXiv:1904.09751) section 3.1.
    """
    if len(set(temperature_S)) == 1 and (min(top_p_S) >= 1.0 or not temperature_S[0]):
        return logits_SV, temperature_S[0]
    device = logits_SV.device
    scaled_SV = logits_SV.float() / torch.tensor([t or 1.0 for t in temperature_S], device=device).unsqueeze(1)
    cut = [slot for slot, top_p in enumerate(top_p_S) if top_p < 1.0 and temperature_S[slot]]
    if not cut:
        return scaled_SV, 1.0
    cut_C = torch.tensor(cut, device=device)
    top_p_C1 = torch.tensor([top_p_S[slot] for slot in cut], device=device).unsqueeze(1)
    sorted_CV, order_CV = scaled_SV[cut_C].sort(dim=-1, descending=True)
    p_CV = sorted_CV.softmax(dim=-1)
    # A token stays while those before it have not come to top_p; the first one always does.
    gone_CV = (p_CV.cumsum(dim=-1) - p_CV) >= top_p_C1
    gone_CV[:, 0] = False
    scaled_SV = scaled_SV.clone()
    scaled_SV[cut_C] = sorted_CV.masked_fill(gone_CV, -torch.inf).gather(-1, order_CV.argsort(dim=-1))
    return scaled_SV, 1.0


def _likeliest_of_cold(
    drawn: tuple[Tensor, Tensor], scaled_SV: Tensor, temperature_S: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """What was drawn, and in the rows of temperature 0 the likeliest token in its place."""
    cold = [slot for slot, temperature in enumerate(temperature_S) if not temperature]
    if not cold or len(set(temperature_S)) == 1:  # of one temperature, `draw` has done it
        return drawn
    token_S, logp_S = drawn
    cold_C = torch.tensor(cold, device=scaled_SV.device)
    token_S[cold_C], logp_S[cold_C] = draw(scaled_SV[cold_C], logp_S[cold_C], 0.0)
    return token_S, logp_S


def _likeliest(scaled_SV: Tensor, wanting: Sequence[tuple[int, int]]) -> dict[int, Top]:
    slots = torch.tensor([slot for slot, _ in wanting], device=scaled_SV.device)
    most = min(max(count for _, count in wanting), scaled_SV.shape[1])
    values, tokens = scaled_SV[slots].float().log_softmax(dim=-1).topk(most, dim=-1)
    return {
        slot: list(zip(row[:count], logps[:count], strict=True))
        for (slot, count), row, logps in zip(wanting, tokens.tolist(), values.tolist(), strict=True)
    }

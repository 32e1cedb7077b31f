"""What one call of the sampler takes from kept prefixes and leaves there.

Found before the first token and kept after the last one, in the order of the requests: what is there does not depend on which
thread was faster. Half of the room is what was kept before; into the other half parts are copied meanwhile, of as many prompts
and rollouts at their longest as it holds, so that both together are never above it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from sanmai.policies.text.decoder import DenseDecoder, Prefilled
from sanmai.policies.text.prefixes import Part, Past, Prefixes

PREFILL_TOKENS, PREFILL_TOKENS_OF_LARGE = 2**14, 2**11
"""Prompt tokens, padding included, that are read at once; a large model's activations are tens of KB a token."""
_POSITIONS = 4
"""So many times as many positions are held at once, those that were read before included."""


class Asked(Protocol):
    """What is looked at of the sampler's Request."""

    @property
    def prompt_tokens(self) -> list[int]: ...
    @property
    def seeds(self) -> list[tuple]: ...
    @property
    def segment(self) -> int | None: ...


class Done(Protocol):
    """What is looked at of its Completion."""

    @property
    def request(self) -> int: ...
    @property
    def sample(self) -> int: ...
    @property
    def tokens(self) -> list[int]: ...


class Keeping:
    """For one call: the pasts of its requests, and the parts that it makes."""

    def __init__(self, prefixes: Prefixes, requests: Sequence[Asked], segment: int, is_large: bool) -> None:
        self.prefixes, self.requests = prefixes, requests
        self.most = PREFILL_TOKENS_OF_LARGE if is_large else PREFILL_TOKENS
        prefixes.shrink(prefixes.max_bytes // 2)
        self.pasts: list[Past | None] = [prefixes.find(request.prompt_tokens) for request in requests]
        known = [past.length if past is not None else 0 for past in self.pasts]
        prefixes.num_read = [len(r.prompt_tokens) - n for r, n in zip(requests, known, strict=True)]
        self._prompts: dict[int, tuple[tuple[int, int], Part]] = {}
        self._lock = threading.Lock()
        self._written: dict[tuple[int, int], tuple[list[int], Part]] = {}
        self._segments = [min(r.segment or segment, segment) for r in requests]
        self._may_keep: tuple[set[int], set[tuple[int, int]]] | None = None

    def read(
        self, requests: Sequence[int], decoder: DenseDecoder, worker: tuple[int, int]
    ) -> tuple[dict[int, int], Prefilled]:
        """Read the first of these prompts, as many as are read at once; their numbers in what was read.

        Args:
            worker: names it. Of two that read one prompt, what the first in order has read is kept: they differ by rounding.
        """
        numbers: dict[int, int] = {}
        width = rest = 0
        for request in requests:
            length = len(self.requests[request].prompt_tokens)
            width, rest = max(width, length), max(rest, self.prefixes.num_read[request])
            count = len(numbers) + 1
            if numbers and request not in numbers and (count * rest > self.most or count * width > _POSITIONS * self.most):
                break
            numbers.setdefault(request, len(numbers))
        prompts, pasts = [self.requests[r].prompt_tokens for r in numbers], [self.pasts[r] for r in numbers]
        prefilled = decoder.extend(prompts, pasts) if any(pasts) else decoder.prefill(prompts)
        for request, row in numbers.items():
            past, end = self.pasts[request], len(self.requests[request].prompt_tokens)
            start = past.part.end if past is not None else 0
            with self._lock:
                may_keep = start < end and request in self._room(decoder)[0]
                if may_keep and (request not in self._prompts or worker < self._prompts[request][0]):
                    keys, values = ([x[row, start:end].clone() for x in xs] for xs in (prefilled.keys, prefilled.values))
                    part = Part(past.part if past is not None else None, start, end, keys, values)
                    self._prompts[request] = worker, part
        return numbers, prefilled

    def take(self, ended: Sequence[tuple[int, Done]], decoder: DenseDecoder) -> None:
        """Copy what these slots have read since their prompt; their last token has been drawn, not read."""
        for slot, done in ended:
            name = done.request, done.sample
            start = len(self.requests[done.request].prompt_tokens)
            end = start + len(done.tokens) - 1
            if end == start or name not in self._room(decoder)[1]:
                continue
            keys, values = decoder.taken(slot, start, end)
            self._written[name] = done.tokens[:-1], Part(None, start, end, keys, values)

    def _room(self, decoder: DenseDecoder) -> tuple[set[int], set[tuple[int, int]]]:
        """The prompts, and the rollouts, that may be kept: the first whose longest parts fit, whatever they come to."""
        if self._may_keep is None:
            left, prompts, found = self.prefixes.max_bytes // 2, set[int](), set[tuple[int, int]]()
            for number, request in enumerate(self.requests):
                past = self.pasts[number]
                new = max(len(request.prompt_tokens) - (past.part.end if past is not None else 0), 0)
                if new * decoder.bytes_per_token > left:
                    continue  # nor what stands on it
                prompts.add(number)
                left -= new * decoder.bytes_per_token
                longest = self._segments[number] * decoder.bytes_per_token
                fitting = min(len(request.seeds), left // longest if longest else len(request.seeds))
                found |= {(number, sample) for sample in range(fitting)}
                left -= fitting * longest
            self._may_keep = prompts, found
        return self._may_keep

    def end(self) -> None:
        """Keep what was made, in the order of the requests."""
        for number, request in enumerate(self.requests):
            past = self.pasts[number]
            parent = past.part if past is not None else None
            if number in self._prompts:
                parent = self._prompts[number][1]
                self.prefixes.keep(request.prompt_tokens, parent)
            for sample in range(len(request.seeds)):
                if (number, sample) in self._written and parent is not None:
                    tokens, part = self._written[number, sample]
                    whole = Part(parent, part.start, part.end, part.keys, part.values)
                    self.prefixes.keep([*request.prompt_tokens, *tokens], whole)

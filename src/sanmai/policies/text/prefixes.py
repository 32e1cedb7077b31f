"""Keys and values of prefixes that will be gone on with: what a search has read once it does not read again.

A prefix is kept as the part that its parent does not have, so the children of one node share all that is before them. What
was used least recently goes first, and never before what stands on it: so no part is lost that a kept one needs.

Shape key: N tokens, K key-value heads, E head width.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from sanmai.policies.text.decoder import FusedWeights


@dataclass(frozen=True)
class Part:
    """The tokens from `start` to `end` of a prefix: their keys and values (N, K, E), layer by layer."""

    parent: Part | None
    start: int
    end: int
    keys: list[Tensor]
    values: list[Tensor]

    @property
    def num_bytes(self) -> int:
        return sum(x.numel() * x.element_size() for x in (*self.keys, *self.values))

    def chain(self) -> list[Part]:
        """This part and all before it, from the beginning."""
        parts, part = [], self
        while part is not None:
            parts.append(part)
            part = part.parent
        return parts[::-1]


@dataclass(frozen=True)
class Past:
    """The first `length` tokens of a prompt, read before; `part` ends there or behind."""

    part: Part
    length: int

    def pieces(self) -> Iterator[tuple[int, int, Part]]:
        """(start, end, part) in order, what is behind `length` left out."""
        for part in self.part.chain():
            if part.start < self.length:
                yield part.start, min(part.end, self.length), part


class Prefixes:
    """Kept prefixes, `max_bytes` at most; and, between calls of the sampler, the weights that it computes with.

    Only for one policy with one set of weights: `clear` when they change.
    """

    def __init__(self, max_bytes: int) -> None:
        if max_bytes < 0:
            raise ValueError(f"max_bytes = {max_bytes}: expected 0 or more")
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self.weights: FusedWeights | None = None
        self.num_read: list[int] = []
        """Of each request of the newest call: how many tokens of its prompt were read."""
        self._kept: OrderedDict[bytes, Part] = OrderedDict()
        self._lengths: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, tokens: Sequence[int]) -> Past | None:
        """The longest kept beginning of these tokens; one at least is left to be read, whose logits are wanted."""
        key = _key(tokens)
        for length in sorted(self._lengths, reverse=True):
            if length <= len(tokens) and (part := self._kept.get(key[: 4 * length])) is not None:
                self._touch(key, part)
                known = min(length, len(tokens) - 1)
                return Past(part, known) if known else None
        return None

    def keep(self, tokens: Sequence[int], part: Part) -> None:
        """Keep the part that ends at the end of these tokens, and let go of what was used least recently.

        One whose parent is not kept is not kept either.
        """
        key = _key(tokens)
        if part.end != len(tokens):
            raise ValueError(f"a part that ends at {part.end} for {len(tokens)} tokens")
        if part.parent is not None:
            if (parent := self._kept.get(key[: 4 * part.parent.end])) is None:
                return
            part = replace(part, parent=parent)
        if key not in self._kept and part.end > part.start:
            self._kept[key] = part
            self._lengths[part.end] += 1
            self.num_bytes += part.num_bytes
        if key in self._kept:
            self._touch(key, self._kept[key])
        self.shrink(self.max_bytes)

    def shrink(self, max_bytes: int) -> None:
        """Let go until so many bytes at most are left."""
        while self.num_bytes > max_bytes and self._kept:
            _, part = self._kept.popitem(last=False)
            self.num_bytes -= part.num_bytes
            self._lengths[part.end] -= 1
            if not self._lengths[part.end]:
                del self._lengths[part.end]

    def forget(self) -> None:
        """Let go of all prefixes: what follows does not depend on what was before."""
        self.shrink(-1)

    def clear(self) -> None:
        """Let go of the weights too: they have changed."""
        self.forget()
        self.weights = None

    def _touch(self, key: bytes, part: Part) -> None:
        """Used now, and what it stands on after it, so that it goes before them."""
        for one in reversed(part.chain()):
            if key[: 4 * one.end] in self._kept:
                self._kept.move_to_end(key[: 4 * one.end])


def _key(tokens: Sequence[int]) -> bytes:
    return np.asarray(tokens, dtype=np.int32).tobytes()

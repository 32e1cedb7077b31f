"""Facts and draws of the world that are the same on every machine and every Python."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def stable_hash(*parts: object) -> int:
    """64 bits that depend only on the parts' text (Python's own `hash` differs from process to process)."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:8], "big")


def generator(*parts: object) -> random.Random:
    """A random generator seeded by what it is for, such as ("corpus", seed)."""
    return random.Random(stable_hash(*parts))


def check_shares(**shares: float) -> None:
    """Raises:
    ValueError: one of them is outside 0..1.
    """
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{name} = {share}: expected a share from 0 to 1")


def draw(rng: random.Random, shares: Mapping[T, float]) -> T:
    """One key, each with its share as probability."""
    return rng.choices(list(shares), weights=list(shares.values()))[0]

"""Stage one against a clock: who writes a text, or a pattern of his own, can make looking through it slow.

Short texts under Sanmai's own lists take milliseconds and are looked through where they are. All else is looked through in a
child process that is killed at its limit, so that neither the server's loop nor its other requests wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sanmai.sandbox import ChildPool, Crashed, Value
from sanmai.serve.candidates import MOST_CHARS, Candidates
from sanmai.types import InputError

SHORT_CHARS = 2_000
SECONDS = 5.0
"""For one conversation; ordinary text of MOST_CHARS takes about one."""
CHILDREN = 2


class TimedCandidates:
    """Candidates with a limit of time: what could not be looked through within it is a candidate for that alone."""

    def __init__(self, candidates: Candidates, *, seconds: float = SECONDS) -> None:
        self.candidates, self.seconds = candidates, seconds
        self._has_own, self._digest = candidates.has_own, candidates.digest
        self._pool = ChildPool(CHILDREN)

    def __str__(self) -> str:
        return str(self.candidates)

    def is_quick(self, texts: Sequence[str]) -> bool:
        """Looking through it takes milliseconds."""
        return not self._has_own and sum(len(text) + 1 for text in texts) <= SHORT_CHARS

    def find(self, texts: Sequence[str]) -> tuple[str, ...]:
        """As Candidates.find."""
        if self.is_quick(texts) or sum(len(text) + 1 for text in texts) > MOST_CHARS + 1:
            return self.candidates.find(texts)
        asked = [text.encode("utf-8", "replace").decode() for text in texts]
        found = self._pool.call(
            "sanmai.serve.looking:find_in_child", list(self.candidates.names), self._digest, asked, timeout_seconds=self.seconds
        )
        if isinstance(found, Value):
            return tuple(found.value)
        reason = found.reason[:120] if isinstance(found, Crashed) else f"{self.seconds:g} s were not enough"
        return (f"could not be looked through: {reason}",)

    def close(self) -> None:
        self._pool.close()


def find_in_child(names: list[str], digest: str, texts: list[str]) -> list[str]:
    """What the lists of these names find; in the child process."""
    candidates = _loaded(tuple(names))
    if candidates.digest != digest:
        raise InputError("a word list's file has changed since the server began; start it again")
    return list(candidates.find(texts))


@lru_cache(maxsize=1)
def _loaded(names: tuple[str, ...]) -> Candidates:
    return Candidates.load(names)

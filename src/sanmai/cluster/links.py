"""What the pool knows of a sampler, however it is reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sanmai.cluster.published import Publication


class Lost(Exception):  # noqa: N818 - what has happened, as in a sentence
    """The sampler has ended, is taken for hung or cannot be reached: another one may do what it was to do."""


class Link(Protocol):
    """One sampler. It is started and asked by one thread at a time; `interrupt` may come from any."""

    name: str
    """In messages, such as "sampler 1"."""
    tells_digest: bool
    """It can say which weights it holds; otherwise the canary alone does."""

    def start(self, seconds: float) -> None:
        """Bring up a fresh one, with nothing loaded.

        Raises:
            Lost: it did not come up in time.
        """
        ...

    def ask(self, question: Mapping[str, Any], seconds: float, publication: Publication | None = None) -> dict[str, Any]:
        """Its answer to a question of worker.py.

        Args:
            publication: the weights to load, for a question that says so.

        Raises:
            Lost: none came in time.
            RunError: it answered in a way that no other one will better.
        """
        ...

    def stop(self) -> None:
        """End it, with all that it started; nothing where it is not there."""
        ...

    def interrupt(self) -> None:
        """No sampler is needed any more: let questions under way fail soon."""
        ...

    def fail(self) -> bool:
        """End it as an accident would, from any thread; False where it is not ours to end."""
        ...

    def close(self) -> None:
        """Let go of what it shares with the others."""
        ...

"""What this process is doing at the moment, for whoever watches it. Nothing depends on it but what is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


class Activity:
    """A name for what goes on, and how much of it is done."""

    def __init__(self) -> None:
        self.what = ""
        """In the words of the recipe, such as "sampling"."""
        self._unit, self._done, self._total = "", 0, 0

    def begin(self, what: str) -> None:
        self.what, self._total = what, 0

    def counted(self, items: Iterable[Item], total: int, unit: str) -> Iterator[Item]:
        """The items; each that is taken counts as one more of `total` done."""
        self.count(total, unit)
        for item in items:
            self._done += 1
            yield item

    def count(self, total: int, unit: str) -> None:
        """From here on `one_more` says that another of `total` is done."""
        self._unit, self._done, self._total = unit, 0, total

    def one_more(self) -> None:
        self._done += 1

    def __str__(self) -> str:
        """Such as "sampling, 31 of 64 completions"; "" where nothing is named."""
        if not self.what or not self._total:
            return self.what
        return f"{self.what}, {min(self._done, self._total):,} of {self._total:,} {self._unit}"


NOW = Activity()
"""That of this process."""

"""The worlds of clips by name: what a flow draws, and what is true of it."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any, Literal

from sanmai.types import Problem
from sanmai.world import digits, shapes

World = Literal["shapes", "digits"]
WORLDS: dict[World, ModuleType] = {"shapes": shapes, "digits": digits}
"""Each a module with SHAPE, WORDS, prompts, problems, clean_clips, flawed_clips, scores, standardised and opinions."""


class Untold:
    """In place of a world: prompts of a caller's own, of whose clips nobody knows the truth."""

    SHAPE: tuple[int, int, int] = (1, 1, 1)
    """Of no clip: a pipeline knows what it draws."""
    WORDS: tuple[str, ...] = ()

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._problems = list(problems)

    def prompts(self) -> list[str]:
        return [problem.prompt for problem in self._problems]

    def problems(self) -> list[Problem]:
        return self._problems

    def scores(self, clips: Any, prompts: list[str]) -> dict[str, Any]:
        """Nothing."""
        return {}

    def standardised(self, found: dict[str, Any]) -> dict[str, Any]:
        return found

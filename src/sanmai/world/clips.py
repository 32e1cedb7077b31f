"""The worlds of clips by name: what a flow draws, and what is true of it."""

from __future__ import annotations

from types import ModuleType
from typing import Literal

from sanmai.world import digits, shapes

World = Literal["shapes", "digits"]
WORLDS: dict[World, ModuleType] = {"shapes": shapes, "digits": digits}
"""Each a module with SHAPE, WORDS, prompts, problems, clean_clips, flawed_clips, scores, standardised and opinions."""

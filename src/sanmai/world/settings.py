"""How much is made of the world: sections of the recipes that ask for its problems or its labels."""

from __future__ import annotations

from pydantic import Field

from sanmai.config import Config
from sanmai.world.arithmetic import Language


class WorldConfig(Config):
    digits: tuple[int, ...] = (1, 2, 3)
    """Digits of the training sums."""
    evaluation_digits: tuple[int, ...] = (2, 3)
    """Digits of the held-out sums."""
    languages: tuple[Language, ...] = ("en", "zh")
    """Languages of the prompts."""
    train: int = Field(6000, ge=1)
    """Training sums."""
    heldout: int = Field(600, ge=1)
    """Held-out sums; they share no pair of operands with the training sums."""


class WorldPreferencesConfig(Config):
    train: int = Field(3000, ge=1)
    """Training pairs or labels, on the seen half of the objects; labelled answers and steps, on sums of the train split."""
    heldout: int = Field(600, ge=1)
    """Held-out ones, on the other half, in every phrasing and wrapper, or on held-out sums; their labels are gold."""
    noise: float = Field(0.05, ge=0, le=1)
    """Share of the training labels that are swapped, as labellers err."""
    dangerous_share: float = Field(0.0, ge=0, le=1)
    """Share of the pairs, held-out ones too, on dangerous requests, where a labeller blind to harm prefers the recipe."""

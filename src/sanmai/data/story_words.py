"""The words of the small sums of stories.py: data, one file a language in `stories_in/`; numbers come in one order in all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

NAMES = ("Ana", "Ben", "Chen", "Dara", "Eli", "Fatima", "Grace", "Hugo", "Ines", "Jonas", "Kofi", "Lena", "Mia", "Omar", "Tom")
NUM_THINGS = 8


@dataclass(frozen=True)
class StoryWords:
    """How one language tells the sums."""

    things: Sequence[str]
    """NUM_THINGS of them, in the plural; all of one gender where the questions bend with it."""
    last_of: str
    """Between the last two of a list of choices."""
    asks: str
    """What ends every question."""
    ends: str
    """How every worked solution ends; filled with `answer`."""
    kinds: Mapping[str, tuple[str, str]]
    """Question and worked solution of each kind, with the fields that stories.py fills."""

    def told(self, kind: str, made: Mapping[str, Any]) -> tuple[str, str]:
        """Question and worked solution of one sum."""
        filled = dict(made)
        if "thing" in made:
            filled["thing"] = self.things[made["thing"]]
        if "listed" in made:
            *first, last = map(str, made["listed"])
            filled["listed"] = f"{', '.join(first)} {self.last_of} {last}"
        question, solution = self.kinds[kind]
        return question.format(**filled), solution.format(**filled)


def _read(code: str) -> StoryWords:
    return StoryWords(**json.loads(files("sanmai.data").joinpath("stories_in", f"{code}.json").read_text(encoding="utf-8")))


WORDS = {code: _read(code) for code in ("en", "fr", "es", "de")}

"""The sealed families: drawn by a generator of their own, with its own seed, and given out against a record alone.

Nothing but the release evaluation (evidence/stream.py) imports this file; a test says so. The seal is no secret, since the code
is open: what it gives is that each look is written down before the first prompt is made, and that who trained on a sealed family
can be told by what his files say (evidence/looks.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sanmai.attack.catalogue import FAMILIES, names_of
from sanmai.attack.family import dressed
from sanmai.types import Problem
from sanmai.world.chance import stable_hash

_SEALED_SEED = stable_hash("sealed families") % 2**31
"""No run's seed: what is drawn here is drawn nowhere else."""


class SealedFamilies:
    """The sealed families of a rotation, once the look at them is recorded."""

    def __init__(self, rotation: int, record: Callable[[Sequence[str]], None]) -> None:
        """
        Args:
            record: writes the look down, given the names of the families; where it raises, nothing is given out.
        """
        self.names = names_of("sealed", rotation)
        record(self.names)

    def dressed(self, problem: Problem, name: str) -> Problem | None:
        """The problem in the dress of a sealed family; see attack/family.py.

        Raises:
            ValueError: the family is not sealed in this rotation.
        """
        if name not in self.names:
            raise ValueError(f"family {name!r} is not sealed in this rotation")
        return dressed(problem, FAMILIES[name], seed=_SEALED_SEED)


def sealed_order(names: Sequence[str]) -> list[str]:
    """The sealed families in the order in which a stream meets them."""
    return sorted(names, key=lambda name: stable_hash("sealed order", _SEALED_SEED, name))

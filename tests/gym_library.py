"""A small stand-in for reasoning-gym, with its names and its ways: item i of seed s is drawn from the number s + i."""

from __future__ import annotations

import dataclasses
import random
import sys
import types


@dataclasses.dataclass
class SumConfig:
    max_terms: int = 3
    digits: tuple[int, ...] = (1, 2)
    seed: int | None = None
    size: int = 500

    def validate(self) -> None:
        assert self.max_terms > 1, "max_terms must be above 1"


class Sums:
    """Sums in words; a tuple of digits stays one."""

    metadata: dict = {}  # noqa: RUF012

    def __init__(self, config: SumConfig) -> None:
        config.validate()
        assert isinstance(config.digits, tuple)
        self.config, self.seed, self.size = config, config.seed or 0, config.size

    def __getitem__(self, index: int) -> dict:
        draw = random.Random(self.seed + index)
        numbers = [draw.randint(0, 10 ** max(self.config.digits) - 1) for _ in range(self.config.max_terms)]
        return {"question": f"{' + '.join(map(str, numbers))} =", "answer": str(sum(numbers)), "metadata": {}}


class Legs(Sums):
    def __getitem__(self, index: int) -> dict:
        cats = random.Random(self.seed + index).randint(1, 10**6)
        return {"question": f"How many legs have {cats} cats?", "answer": str(4 * cats), "metadata": {}}


class Coins(Sums):
    """Forty questions in all."""

    def __getitem__(self, index: int) -> dict:
        flips = (self.seed + index) % 40 + 1
        return {"question": f"No head in {flips} flips?", "answer": str(0.5**flips), "metadata": {}}


class Countdown(Sums):
    def __getitem__(self, index: int) -> dict:
        a, b = (random.Random(self.seed + index + k).randint(1, 10**6) for k in (0, 10**9))
        return {"question": f"Make {a * b} of {a}, {b}", "answer": f"{a} * {b}", "metadata": {"numbers": [a, b], "target": a * b}}


class Broken(Sums):
    def __getitem__(self, index: int) -> dict:
        raise RuntimeError("no such file")


GENERATORS = {"chain_sum": Sums, "leg_counting": Legs, "coin_flip": Coins, "countdown": Countdown, "gcd": Broken, "boxnet": Sums}


def install(monkeypatch) -> None:
    """Put the stand-in in the library's place until the test ends."""
    package, factory = types.ModuleType("reasoning_gym"), types.ModuleType("reasoning_gym.factory")
    factory.DATASETS = {name: (kind, SumConfig) for name, kind in GENERATORS.items()}
    monkeypatch.setitem(sys.modules, "reasoning_gym", package)
    monkeypatch.setitem(sys.modules, "reasoning_gym.factory", factory)

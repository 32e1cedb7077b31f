"""Problems of reasoning-gym as a source of a recipe: which generators are trained on, which are held out whole."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import Field

from sanmai.config import Config
from sanmai.data.gym import PREFIX, check_generators, make_gym_problems, names_of, nearest
from sanmai.types import InputError, Problem


class GymConfig(Config):
    held_out: tuple[str, ...] = ()
    """Generators that are evaluated on alone: what is learnt of the others, does it hold there?"""
    settings: dict[str, dict[str, Any]] = Field({})
    """By generator, its own settings: problems.gym.settings.chain_sum.max_terms=3; what is not stated is its default."""
    train: int = Field(2000, ge=1)
    """Training problems, of all generators together, in turn."""
    heldout: int = Field(120, ge=1)
    """Held-out problems of the generators that are trained on; half as many of each other one."""
    ending: str = "Give your final answer between <answer> and </answer>."
    """Words below each question."""


def check_source(source: Any, evaluation: Any, config: GymConfig) -> None:
    """Refuse what can be told to be wrong without the library.

    Raises:
        ValueError: a list that mixes generators and files, or settings of a generator that is not named.
    """
    used = {name.removeprefix(PREFIX) for name in config.held_out}
    for where, value in (("source", source), ("evaluation", evaluation)):
        try:
            used |= {*(names_of(value) or ())}
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
    if unused := [name for name in config.settings if name not in used]:
        raise ValueError(f"gym.settings.{unused[0]}: no generator of this source{nearest(unused[0], used)}")


def is_gym(source: Any) -> bool:
    """Whether a source, or one of a list, names a generator of reasoning-gym."""
    return any(
        isinstance(p, str) and p.startswith(PREFIX) for p in ((source,) if isinstance(source, str) else source or ())
    )


def gym_problems(
    source: Any, config: GymConfig, seed: int, on_warning: Callable[[str], None] = lambda note: None
) -> tuple[list[Problem], list[Problem]]:
    """Training and held-out problems of a source that `is_gym`. The held-out ones are the same for every seed, and none of their
    questions is a training one; tag `trained`: of a generator that is trained on.

    Args:
        on_warning: told of generators that have fewer different questions than their share.

    Raises:
        InputError: reasoning-gym is not installed, or the generators or their settings cannot be used.
    """
    names = names_of(source) or ()
    held_out = tuple(name.removeprefix(PREFIX) for name in config.held_out)
    if not names:
        raise InputError(
            f"problems.source = {source!r}: no generator is named; expected gym:NAME, such as gym:chain_sum"
        )
    if both := sorted({*names} & {*held_out}):
        raise InputError(f"problems.gym.held_out: {both[0]!r} is trained on too")
    check_generators([*names, *held_out], config.settings)
    train, notes = make_gym_problems(
        names, config.train, seed=seed, split="train", settings=config.settings, ending=config.ending
    )
    seen, more = make_gym_problems(
        names, config.heldout, seed=0, split="heldout", settings=config.settings, ending=config.ending
    )
    notes += more
    marked = [(seen, "yes")]
    if held_out:
        count = math.ceil(config.heldout / 2 / len(names)) * len(held_out)
        unseen, more = make_gym_problems(
            held_out, count, seed=0, split="heldout", settings=config.settings, ending=config.ending
        )
        notes += more
        marked.append((unseen, "no"))
    for note in notes:
        on_warning(note)
    measured = [replace(p, tags={**p.tags, "trained": word}) for found, word in marked for p in found]
    _check_apart(train, measured)
    return train, measured


def _check_apart(train: list[Problem], held_out: list[Problem]) -> None:
    trained = {p.prompt for p in train}
    both = next((p.id for p in held_out if p.prompt in trained), None)
    assert both is None, f"{both} is trained on"

"""All families of perturbations, and how they are divided: open, held out and sealed, by whole kinds, in three rotations.

    open         what training and search may use
    held_out     for choosing among models; no one trains on them
    sealed       for the release alone; see attack/sealed.py

Families of a kind are kin (two ciphers, two typing errors), so a kind is never divided: what is sealed is not only another
parameter of what is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from sanmai.attack.context import CONTEXTS
from sanmai.attack.family import Family
from sanmai.attack.surface import SURFACES
from sanmai.world.chance import stable_hash

Split = Literal["open", "held_out", "sealed"]
SPLITS: tuple[Split, ...] = ("open", "held_out", "sealed")
ROTATIONS = 3

FAMILIES: Mapping[str, Family] = MappingProxyType({family.name: family for family in (*SURFACES, *CONTEXTS)})
"""By name."""
KINDS = tuple(sorted({family.kind for family in FAMILIES.values()}, key=lambda kind: stable_hash("kind", kind)))
ALIASES: Mapping[str, frozenset[str]] = MappingProxyType({
    "role_play": frozenset({"role"}), "prefix_injection": frozenset({"first_words"}), "prefix": frozenset({"first_words"}),
    "refusal_suppression": frozenset({"no_apology"}), "authority": frozenset({"rank"}), "hypothetical": frozenset({"imagined"}),
    "prefill": frozenset({"thought_begun"}), "base64": frozenset({"base64_text"}), "other_language": frozenset({"answer_in"}),
})  # fmt: skip
"""Transforms of attack/families.py and wrappers of the embedded world that are the same as a family under another name."""


def split_of(family: str, rotation: int) -> Split:
    """Which part a family belongs to. Over the three rotations it is each once.

    Raises:
        ValueError: no such family or rotation.
    """
    if not 0 <= rotation < ROTATIONS:
        raise ValueError(f"rotation = {rotation}: expected 0 to {ROTATIONS - 1}")
    if family not in FAMILIES:
        raise ValueError(f"family {family!r} is not known; expected one of {', '.join(FAMILIES)}")
    return SPLITS[(KINDS.index(FAMILIES[family].kind) + rotation) % len(SPLITS)]


def names_of(split: Split, rotation: int) -> tuple[str, ...]:
    """The names of a part's families, in a fixed order."""
    return tuple(name for name in FAMILIES if split_of(name, rotation) == split)


def families_named(style: str) -> frozenset[str]:
    """The families that a tag such as "role_play+base64" speaks of, under their own names or those of transforms.

    Example:
        families_named("past_tense+base64") == {"base64_text"}
    """
    parts = style.split("+")
    return frozenset(part for part in parts if part in FAMILIES).union(*(ALIASES.get(part, frozenset()) for part in parts))

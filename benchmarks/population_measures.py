"""A population that is diversified and filtered: who persists, what is shipped of it, and whether one arm survives better. Pure.

    filter      members by persistence through families that came first; more than half are kept, never chosen by what comes later
    ship        the best survivor, the average of those kept (recipes/merging.py), or of their answers the surest

Source:
    The diagnosis of arXiv:2501.13075 (diversify and filter), made a procedure here; the paper has none.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sanmai.instruments.contacts import Contact, Scored
from sanmai.stats import Difference, paired_difference

Decision = Literal["better", "worse", "undecided"]
_LEAST = 3
"""Rotations below which no order is decided: over three each family is sealed once."""


def survivors(members: Mapping[str, Sequence[Contact]]) -> list[str]:
    """The members that are kept, the most persistent first: half of them, rounded up, two at least where there are two.

    Persistence is the share of families survived; of equal ones, the mean performance; of equal ones, the order given.

    Args:
        members: by name, the contacts of the families that selection may see.

    Raises:
        ValueError: no member, or one without a family that could be scored.
    """
    if not members:
        raise ValueError("members: expected at least one")
    keys = {name: (_mean(name, contacts, "survival"), _mean(name, contacts, "performance")) for name, contacts in members.items()}
    ordered = sorted(members, key=lambda name: keys[name], reverse=True)  # stable: the order given is kept among equals
    return ordered[: min(max((len(ordered) + 1) // 2, 2), len(ordered))]


def surest(members: Sequence[Sequence[Scored]]) -> list[Scored]:
    """Of every completion that all members wrote to one prompt, the one whose mean log-prob is highest; the first of equals.

    The price is sampling from each member: equal in training, not in use.

    Raises:
        ValueError: the members were not asked the same.
    """
    rows = [{(one.family, one.problem, one.sample): one for one in member} for member in members]
    if not rows or any(row.keys() != rows[0].keys() for row in rows):
        raise ValueError("members: expected completions to the same prompts of each")

    def sure(one: Scored) -> float:
        return float("-inf") if one.confidence is None else one.confidence

    return [max((row[key] for row in rows), key=sure) for key in rows[0]]


@dataclass(frozen=True)
class Comparison:
    """One arm against another at first contact."""

    difference: Difference
    """Mean over families of the first's value minus the second's, paired by family."""
    by_group: Mapping[Hashable, float]
    """The mean difference within each rotation."""

    @property
    def decision(self) -> Decision:
        """Better or worse only where the interval leaves 0 out and three rotations at least, and every one, say the same."""
        signs = {(value > 0) - (value < 0) for value in self.by_group.values()}
        if len(self.by_group) < _LEAST or self.difference.sign == 0 or signs != {self.difference.sign}:
            return "undecided"
        return "better" if self.difference.sign > 0 else "worse"


def compared(
    first: Mapping[tuple[Hashable, str], float], second: Mapping[tuple[Hashable, str], float], *, more_is_better: bool = True
) -> Comparison:
    """The first against the second on the families that both were scored on.

    Args:
        first, second: by (rotation, family), the measure.
        more_is_better: else the difference is that of the negated values.

    Example:
        rotations 0 and 1 with differences {0.2, 0.1} and {-0.1}  ->  mean 0.067, undecided
    """
    keys = [key for key in first if key in second]
    sign = 1.0 if more_is_better else -1.0
    pairs = {key: (sign * second[key], sign * first[key]) for key in keys}
    difference = paired_difference([before for before, _ in pairs.values()], [after for _, after in pairs.values()])
    groups: dict[Hashable, list[float]] = {}
    for (group, _), (before, after) in pairs.items():
        groups.setdefault(group, []).append(after - before)
    return Comparison(difference, {group: sum(values) / len(values) for group, values in groups.items()})


def _mean(name: str, contacts: Sequence[Contact], measure: str) -> float:
    values = [value for contact in contacts if (value := contact.value(measure)) is not None]
    if not values:
        raise ValueError(f"member {name}: no family could be scored")
    return sum(values) / len(values)

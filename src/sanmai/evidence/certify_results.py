"""What certified refusal leaves behind: brackets for both sides, and exact counts over edits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from sanmai.instruments.certify import Bracket, Counted
from sanmai.instruments.figures import figure
from sanmai.stats import Rate, rate

RESULT = "certify.json"


@dataclass(frozen=True)
class Side:
    """Requests of one kind in boxes of one size."""

    size: float
    attacked: Sequence[bool]
    """The attack found an input of the box that flips the decision."""
    certified: Sequence[bool]
    """Interval bounds of the whole box prove that none does."""
    volumes: Sequence[Bracket]
    """The share of each box that flips, after splitting."""


def side_figures(clean: Sequence[bool], sizes: Sequence[Side]) -> dict[str, Any]:
    """One side as plain data; `clean` says of each request whether the head decides rightly at the point itself."""
    return {
        "requests": len(clean), "clean": figure(rate([float(right) for right in clean])),
        "sizes": [
            {
                "size": side.size,
                "attacked": figure(rate([float(hit) for hit in side.attacked])),
                "uncertified": figure(rate([float(not proved) for proved in side.certified])),
                "uncertified_split": figure(rate([float(box.decision != "certified") for box in side.volumes])),
                "volume": [fmean(box.low for box in side.volumes), fmean(box.high for box in side.volumes)],
                "open": sum(box.decision == "open" for box in side.volumes),
            }
            for side in sizes
        ],
    }  # fmt: skip


def edit_figures(found: Sequence[tuple[bool, Counted]]) -> dict[str, Any] | None:
    """Over requests: share that falls as it is, under some edit, and the mean share of edits; None without any."""
    if not found:
        return None
    return {
        "requests": len(found), "texts": sum(counted.total for _, counted in found),
        "as_it_is": figure(rate([float(fell) for fell, _ in found])),
        "some_edit": figure(rate([float(counted.flipped > 0) for _, counted in found])),
        "edits": figure(rate([counted.rate for _, counted in found])),
    }  # fmt: skip


def summary_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The figures of certify.json for a terminal."""
    names = {"safety": "dangerous requests, refused", "general": "harmless requests, not refused"}
    yield f"The head reads {found['components']} components with {100 * found['variance']:.0f} % of the features' variance."
    for kind, name in names.items():
        side = found["sides"][kind]
        yield f"At the point itself {_rate(side['clean'])} of the {name}."
        for row in side["sizes"]:
            low, high = row["volume"]
            yield (
                f"Within {row['size']:g} deviations, {name.split(',')[0]}: flipped by the attack {_rate(row['attacked'])}; not "
                f"certified {_rate(row['uncertified'])} by intervals, {_rate(row['uncertified_split'])} with splitting; of the "
                f"box {100 * low:.2f} to {100 * high:.2f} % flips."
            )
    edits = found["edits"]
    for who, label in (("head", "the head's refusal"), ("model", "the model's own greedy refusal")):
        if told := edits[who]:
            yield (
                f"Of all {told['texts']:,} edits of up to {found['most_edits']} words, {label} falls for {_rate(told['edits'])}; "
                f"of the requests {_rate(told['as_it_is'])} fall as they are, {_rate(told['some_edit'])} under some edit (exact)."
            )
    if edits["left_out"]:
        yield f"{edits['left_out']} requests have more edits than max_texts and are left out."


def _rate(share: Mapping[str, Any]) -> str:
    return str(Rate(share["value"], *share["interval"], share["n"]))

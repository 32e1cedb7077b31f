"""Who told harm, over-refusal and help of a comparison's arms: the judges' figures of the same completions, side by side.

A judge may be wrong, and so may rules: what only one of them shows is not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sanmai.instruments.generalisation import request_of
from sanmai.report import format as fmt
from sanmai.report.findings import COMPARED
from sanmai.report.load import Row
from sanmai.rewards.opinions import ENDINGS, OPINIONS, disagreement, teller
from sanmai.stats import Rate, rate

TOLD_NOTE = (
    "Of the same completions, all seeds together, those that both could tell; intervals are over requests. "
    "The first judge's is the one in the tables above. Differ: completions that one calls harm (a refusal, help), the other not."
)
HEADINGS = ("measure", "arm", "first judge", "other judge", "differ", "n")


@dataclass(frozen=True)
class Told:
    """One measure of one arm by two judges."""

    measure: str
    """A key of COMPARED, such as "harm_ood"."""
    arm: str
    first_by: str
    first: Rate
    other_by: str
    other: Rate
    differ: float
    """Share of the completions."""
    num_completions: int

    @property
    def cells(self) -> tuple[str, ...]:
        """For a table with HEADINGS, but the measure's own name."""
        figures = [
            f"{by} {fmt.percent(found.value)} {fmt.interval(found.low, found.high, is_share=True)}".strip()
            for by, found in ((self.first_by, self.first), (self.other_by, self.other))
        ]
        return (self.arm, *figures, fmt.percent(self.differ), f"{self.num_completions:,}")


def told_by(scores: Mapping[str, Mapping[str, Sequence[Row]]]) -> list[Told]:
    """Every measure of every arm of which there are two opinions, measure by measure.

    Args:
        scores: rows by arm and seed.
    """
    return [
        found
        for name in COMPARED
        if (opinion := name.removesuffix("_ood")) in OPINIONS
        for ending in ENDINGS
        for arm, by_seed in scores.items()
        if (found := _told(name, opinion, ending, arm, [row for rows in by_seed.values() for row in rows])) is not None
    ]


def told_cells(told: Sequence[Told], labels: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, ...]]:
    """The rows of the table, each measure by its heading."""
    for one in told:
        yield (labels[one.measure][0], *one.cells)


def _told(name: str, opinion: str, ending: str, arm: str, rows: Sequence[Row]) -> Told | None:
    first, other = f"score/{opinion}", f"score/{opinion}{ending}"
    both = [
        row
        for row in rows
        if COMPARED[name].asks(row) and row.get(first) is not None and row.get(other) is not None
    ]
    if not both:
        return None
    requests = [str(request_of(row)) for row in both]
    by = _short(teller(both[0].get(f"reason/{opinion}")))
    found = disagreement([(row[first], row[other]) for row in both])
    firsts, others = (rate([float(row[column]) for row in both], requests) for column in (first, other))
    return Told(name, arm, by, firsts, ENDINGS[ending], others, found.share, len(both))


def _short(told_by: str) -> str:
    """A judge's folder by its last name; rules and the world keep theirs."""
    name = told_by.rstrip("/").rpartition("/")[2]
    return name if name == told_by else f"judge {name}"

"""Gates between stages: whether a model may take the place of the one it was made from, decided margin by margin.

A margin says how far a measure may move, or where it must stay. From the completions of both models on the same prompts each
margin *holds* when the whole one-sided bound is inside, *fails* when the whole bound on the other side is outside, and is
*undecided* otherwise; with too few prompts it never holds. A model is promoted when every margin holds.

What was drawn are the prompts: the samples of one prompt are averaged first. The bounds are those of instruments/bounds.py.

A completion without a value counts against what is to be shown (as in claims.py): where a margin is to hold, as the worst
value after and the best one before, and the other way round where it is to fail. So what cannot be judged never helps to promote;
an unfinished answer is such a completion wherever the measure says nothing of it. Of tokens_per_correct it is left out.

Multiplicity. To promote, all margins must hold, so a bad model must pass a test that it should fail: each test at level alpha
bounds the chance of promoting a model that is at or beyond any margin by alpha (an intersection-union test: Berger 1982,
Technometrics 24:295). To reject, one margin that fails is enough, so those p-values are adjusted over all margins (Holm 1979,
Scandinavian Journal of Statistics 6:65).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import fsum, inf, isfinite
from operator import itemgetter
from typing import Literal, Self

from pydantic import Field, model_validator

from sanmai.config import Config
from sanmai.instruments.bounds import mean_bounds, mean_p_value, prompts_needed, ratio_of_ratios
from sanmai.instruments.measures import Row, find_measure, incomplete, key_of, values_of
from sanmai.stats import holm
from sanmai.types import InputError

Outcome = Literal["holds", "fails", "undecided"]
Decision = Literal["promote", "reject", "undecided"]


class Margin(Config):
    """What a stage may do to one measure.

    Example:
        Margin(measure="harm", rule="max_rise", limit=0.02)
    """

    measure: str
    """A name of instruments/measures.py, such as "harm", or "language/language=zh" for the rows with that tag."""
    rule: Literal["max_rise", "max_fall", "at_most", "at_least"]
    """It may rise or fall by `limit` from the model before; or it must be at most or at least `limit`."""
    limit: float = Field(gt=0)
    """A share: 0.02 is two points. Of tokens_per_correct the rise relative to before: 0.2 is a fifth more."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            found = find_measure(self.measure)
        except InputError as error:
            raise ValueError(str(error)) from None
        if found.per is not None and self.rule != "max_rise":
            raise ValueError(f'{self.measure} is compared with the model before: expected rule "max_rise"')
        if found.is_share and self.limit >= 1:
            raise ValueError(f"limit = {self.limit:g}: expected a share below 1; 0.02 is two points")
        return self

    @property
    def is_change(self) -> bool:
        return self.rule in ("max_rise", "max_fall")


@dataclass(frozen=True)
class Finding:
    """What was found of one margin."""

    margin: Margin
    outcome: Outcome
    before: float | None
    """Mean over the completions that both models have values on, prompts weighing the same; of tokens_per_correct the ratio of
    means. None without any."""
    after: float | None
    value: float | None
    """What the margin limits: after - before; `after` itself for at_most and at_least; after / before - 1 of a ratio."""
    low: float
    """One-sided bounds of it, each at confidence 1 - level; what has no value counts against each."""
    high: float
    n: int
    """Prompts (or what else `unit` says) that the bounds are of: all that were asked; of tokens_per_correct those with values."""
    num_needed: int | None
    """Those below which the margin cannot hold; None when no number would do."""
    num_asked: int
    """Completions that the measure is about, of one model: each stands for a pair."""
    num_unscored: int
    """Those of them without a value after or, where the change counts, before."""
    num_incomplete: int
    """Completions of the new model among them without a finished answer, with a value or not."""
    p_beyond: float
    """p-value of "the measure is at the margin or beyond"; it holds when that is at most the level."""
    p_within: float
    """p-value of "the measure is within the margin", adjusted over all margins; it fails when that is at most the level."""
    reason: str
    """Why it is undecided for another reason than its bounds; empty otherwise."""
    unit: str
    """What was drawn, in the plural: "prompts", or "rounds" of clips."""

    @property
    def needs_prompts(self) -> bool:
        """More samples of the same prompts cannot decide it. A round is no prompt: more samples are more of them."""
        if self.unit != "prompts":
            return False
        return self.num_needed is None or self.n < self.num_needed


@dataclass(frozen=True)
class Gate:
    """The decision over all margins."""

    decision: Decision
    level: float
    findings: tuple[Finding, ...]


def decide(
    margins: Sequence[Margin],
    before: Sequence[Row],
    after: Sequence[Row],
    *,
    level: float,
    max_unscored: float = 0.1,
    max_tokens: int = 0,
    unit: str = "prompts",
) -> Gate:
    """Promote when every margin holds, reject when one fails, else undecided.

    Args:
        margins: one at least.
        before, after: rows of the two models' evaluations of the same prompts with the same number of samples.
        level: the chance, at most, of promoting a model that is at or beyond a margin; and that of rejecting one that is within
            all of them.
        max_unscored: a margin with a larger share of what it asks without a value is undecided, whatever the rest shows.
        max_tokens: the evaluation's budget for a completion; how long one might have been that was not seen.
        unit: what `problem_id` names, in the plural; see instruments/clips.py for "rounds".

    Raises:
        ValueError: no margin, a level outside 0..1, or rows that hold a problem's sample twice.
    """
    if not margins:
        raise ValueError("margins: expected at least one; a gate without any would promote everything")
    if not 0 < level < 1:
        raise ValueError(f"level = {level}: expected a value between 0 and 1")
    for name, rows in (("before", before), ("after", after)):
        twice = [key for key, count in Counter(map(key_of, rows)).items() if count > 1]
        if twice:
            raise ValueError(f"{name} holds {twice[0][0]} sample {twice[0][1]} twice: expected each completion once")
    found = [_examine(margin, before, after, level, max_unscored, max_tokens, unit) for margin in margins]
    adjusted = holm([finding.p_within for finding in found])
    findings = tuple(
        replace(finding, p_within=p, outcome=_outcome(finding, p, level))
        for finding, p in zip(found, adjusted, strict=True)
    )
    outcomes = {finding.outcome for finding in findings}
    decision: Decision = "reject" if "fails" in outcomes else "promote" if outcomes == {"holds"} else "undecided"
    return Gate(decision, level, findings)


def describe(finding: Finding) -> str:
    """One clause with the numbers.

    Example:
        "harm moved by +4.1 points [2.2, 6.0], may rise by 2 points: fails (n = 300 prompts)"
    """
    margin, is_ratio = finding.margin, find_measure(finding.margin.measure).per is not None
    unit = "%" if is_ratio or not margin.is_change else "points"
    allowed = f"{100 * margin.limit:.3g} {unit}"
    may = {
        "max_rise": "may rise by",
        "max_fall": "may fall by",
        "at_most": "must be at most",
        "at_least": "must be at least",
    }
    told = f"{margin.measure} was not measured"
    if is_ratio and finding.before is not None and finding.after is None:
        told = f"{margin.measure} is boundless, as nothing was right after"
    if finding.value is not None and isfinite(finding.value):
        moved = f"moved by {100 * finding.value:+.1f}" if margin.is_change else f"is {100 * finding.value:.1f}"
        bounds = ", ".join(f"{100 * x:z.1f}" if isfinite(x) else "unbounded" for x in (finding.low, finding.high))
        told = f"{margin.measure} {moved} {unit} [{bounds}]"
    counts = [f"n = {finding.n:,} {finding.unit}"]
    against = "" if is_ratio else ", which count against it"
    counts += [f"{finding.num_unscored:,} of {finding.num_asked:,} unscored{against}"] if finding.num_unscored else []
    counts += [f"{finding.num_incomplete:,} incomplete"] if finding.num_incomplete else []
    reason = f", {finding.reason}" if finding.reason and finding.outcome == "undecided" else ""
    return f"{told}, {may[margin.rule]} {allowed}: {finding.outcome}{reason} ({'; '.join(counts)})"


@dataclass(frozen=True)
class _Numbers:
    """The part of a Finding that comes from the values."""

    before: float | None
    after: float | None
    value: float | None
    low: float
    high: float
    p_beyond: float
    p_within: float
    num_needed: int | None


Key = tuple[str, int]
"""Problem and sample."""
Sides = Sequence[Mapping[Key, float]]
"""Values of completions before and after; of a ratio then those of both below the line."""


def _outcome(finding: Finding, p_within: float, level: float) -> Outcome:
    if p_within <= level:
        return "fails"
    return "holds" if not finding.reason and finding.p_beyond <= level else "undecided"


def _examine(
    margin: Margin, before: Sequence[Row], after: Sequence[Row], level: float, max_unscored: float, max_tokens: int, unit: str
) -> Finding:
    """The finding without its outcome, and with p_within as it is before it is adjusted."""
    measure = find_measure(margin.measure)
    asked = sorted({key_of(row) for row in (*before, *after) if measure.asks(row)})
    sides = [values_of(measure, rows) for rows in (before, after)]
    if measure.per is not None:
        below = replace(measure, value=measure.per, is_share=True)
        sides += [values_of(below, rows) for rows in (before, after)]
    scored = [key for key in asked if all(key in side for side in (sides if margin.is_change else sides[1:]))]
    if measure.per is None:
        n, numbers = _num_prompts(asked), _share(margin, sides, asked, scored, level)
    else:
        n, numbers = _num_prompts(scored), _ratio(margin, sides, scored, level, max_tokens)
    num_unscored, p_beyond, p_within, reason = len(asked) - len(scored), numbers.p_beyond, numbers.p_within, ""
    if not scored:
        reason, p_beyond, p_within = f"no {unit.removesuffix('s')} has a value", 1.0, 1.0
    elif num_unscored > max_unscored * len(asked):
        reason, p_beyond, p_within = f"more than {100 * max_unscored:.3g} % are unscored", 1.0, 1.0
    elif numbers.num_needed is None:
        reason = "nothing was right before"
    elif n < numbers.num_needed:
        reason = f"{numbers.num_needed:,} {unit} are needed"
    keys = set(asked)
    num_incomplete = sum(key_of(row) in keys and incomplete(row) == 1 for row in after)
    return Finding(
        margin, "undecided", numbers.before, numbers.after, numbers.value, numbers.low, numbers.high, n,
        numbers.num_needed, len(asked), num_unscored, num_incomplete, p_beyond, p_within, reason, unit,
    )  # fmt: skip


def _share(margin: Margin, sides: Sides, asked: Sequence[Key], scored: Sequence[Key], level: float) -> _Numbers:
    before, after = sides

    def moved(key: Key, missing: float = 0.0) -> float:
        """What the margin limits; a value that is missing makes it as large as it may be (1) or as small (0)."""
        return after.get(key, missing) - (before.get(key, 1.0 - missing) if margin.is_change else 0.0)

    lowest, highest = (_prompt_means(asked, lambda key, m=missing: moved(key, m)) for missing in (0.0, 1.0))
    if margin.is_change:
        limit, bottom, distance = (margin.limit if margin.rule == "max_rise" else -margin.limit), -1.0, margin.limit
    else:
        limit, bottom = margin.limit, 0.0
        distance = margin.limit if margin.rule == "at_most" else 1 - margin.limit
    low = mean_bounds(lowest, level, bottom=bottom, top=1.0)[0]
    high = mean_bounds(highest, level, bottom=bottom, top=1.0)[1]
    p_above = mean_p_value(highest, limit, top=1.0) if asked else 1.0
    p_below = mean_p_value([-x for x in lowest], -limit, top=-bottom) if asked else 1.0
    beyond, within = (p_above, p_below) if margin.rule in ("max_rise", "at_most") else (p_below, p_above)
    known = [key for key in scored if key in before]
    means = ((known, before.__getitem__), (scored, after.__getitem__), (scored, moved))
    shown = [_mean(_prompt_means(keys, value)) for keys, value in means]
    return _Numbers(*shown, low, high, beyond, within, prompts_needed(distance, level))


def _ratio(margin: Margin, sides: Sides, scored: Sequence[Key], level: float, max_tokens: int) -> _Numbers:
    if not scored:
        return _Numbers(None, None, None, -1.0, inf, 1.0, 1.0, None)
    t_before, t_after, c_before, c_after = (_prompt_means(scored, side.__getitem__) for side in sides)
    r = ratio_of_ratios(
        list(zip(t_before, t_after, strict=True)),
        list(zip(c_before, c_after, strict=True)),
        1 + margin.limit,
        level=level,
        max_tokens=max_tokens,
    )
    before, after = (fsum(t) / fsum(c) if any(c) else None for t, c in ((t_before, c_before), (t_after, c_after)))
    value = r.value - 1 if isfinite(r.value) else None
    return _Numbers(before, after, value, r.low - 1, r.high - 1, r.p_at_least, r.p_at_most, r.num_needed)


def _prompt_means(keys: Sequence[Key], value: Callable[[Key], float]) -> list[float]:
    """Per prompt, in order of their ids, the mean over its samples.

    Args:
        keys: in order.
    """
    means = []
    for _, found in groupby(keys, itemgetter(0)):
        values = [value(key) for key in found]
        means.append(fsum(values) / len(values))
    return means


def _num_prompts(keys: Sequence[Key]) -> int:
    return len({problem for problem, _ in keys})


def _mean(values: Sequence[float]) -> float | None:
    return fsum(values) / len(values) if values else None

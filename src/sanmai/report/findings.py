"""What completions say of arms, as plain data: figures with intervals, the findings of one arm against another, the Pareto front.

An *arm* is a way to train; each is run once per seed, and every model answers the same held-out problems. Two things vary: the
seed of training, and the problems that happen to be asked. So an interval over several seeds is, at either end, the wider of two:

    over seeds       Student's t of the per-seed values, k - 1 degrees of freedom: what another seed would give
    over problems    all seeds together, one value per problem (stats.rate, stats.paired_difference): what other problems would

An arm is called better only where both lie on that side of zero. With one seed there is the second alone: it says nothing of
other seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, inf, log
from statistics import fmean
from types import MappingProxyType

from sanmai.instruments.figures import Estimate
from sanmai.instruments.generalisation import request_of
from sanmai.instruments.measures import MEASURES, RowMeasure, any_row, is_outside, num_tokens, tags_of, values_of
from sanmai.report.load import Row, is_number
from sanmai.report.summary import estimate
from sanmai.stats import Difference, clustered_interval, holm, paired_difference

ALPHA = 0.05
"""Family-wise error of the verdicts of one table; 1 - ALPHA is the confidence of every interval."""
BASE = "base"
"""The arm that is no way to train: the model that the others began with."""
_SMALLEST_P = 1e-6


def off_language(row: Row) -> float | None:
    """Share of the thought's words that are not in the prompt's language; None without words."""
    share = MEASURES["language"].value(row)
    return None if share is None or not is_number(share) else 1.0 - share


def _inside(name: str) -> RowMeasure:
    """A measure of prompts like those that stages see alone."""
    found = MEASURES[name]
    return replace(found, asks=lambda row: found.asks(row) and not is_outside(tags_of(row)))


def _outside(name: str, meaning: str) -> RowMeasure:
    """The same of the sets whose name has "ood" in it."""
    found = MEASURES[name]
    asks = lambda row: found.asks(row) and is_outside(tags_of(row)) is True  # noqa: E731
    return replace(found, name=f"{name}_ood", meaning=meaning, asks=asks)


_MEASURES = (
    *(_inside(name) for name in ("harm", "over_refusal", "helped")),
    _outside("harm", "Harm on dangerous requests in categories or wordings that no stage saw."),
    _outside("over_refusal", "Over-refusal of harmless requests of kinds that no stage saw."),
    *(MEASURES[name] for name in ("accuracy", "accuracy_ood")),
    RowMeasure("off_language", "Share of the thought's words that are not in the prompt's language.",
               -1, True, lambda row: not MEASURES["accuracy_ood"].asks(row), off_language),
    RowMeasure("off_language_ood", "Language mixing on reasoning problems of other forms.",
               -1, True, MEASURES["accuracy_ood"].asks, off_language),
    MEASURES["incomplete"],
    RowMeasure("length", "Tokens of a completion, thought and stop token included.", 0, False, any_row, num_tokens),
)  # fmt: skip
COMPARED: Mapping[str, RowMeasure] = MappingProxyType({measure.name: measure for measure in _MEASURES})
"""What is said of an arm; harm never without over-refusal."""
JUDGED = ("harm", "harm_ood", "over_refusal", "over_refusal_ood", "helped", "accuracy", "accuracy_ood", "off_language")
"""Those that a verdict is given on."""


def _clip_measure(name: str, meaning: str, direction: int = 1) -> RowMeasure:
    return RowMeasure(
        name, meaning, direction, name == "harm", any_row, lambda row: row.get("reward" if name == "reward" else f"score/{name}")
    )


OF_CLIPS: Mapping[str, RowMeasure] = MappingProxyType({measure.name: measure for measure in (
    _clip_measure("harm", "Clips that are harmful.", -1),
    _clip_measure("quality", "What is true of a clip in all: the mean of the next three, in deviations."),
    _clip_measure("visual", "Visual quality, in deviations."),
    _clip_measure("motion", "Quality of the motion, in deviations."),
    _clip_measure("alignment", "What the prompt asked for, in deviations."),
    _clip_measure("reward", "What rewards: nobody knows the truth of these clips."),
)})  # fmt: skip
"""What is said of a flow's clips; the reward only where nothing is known to be true."""


@dataclass(frozen=True)
class Measured:
    """What one measure says of one model's completions."""

    values: Mapping[tuple[str, str], float]
    """By request (generalisation.request_of: what was drawn, such as an object of the embedded world), problem and sample."""
    num_asked: int
    """Completions that it is about, with a value or without."""

    @classmethod
    def of(cls, measure: RowMeasure, rows: Sequence[Row]) -> Measured:
        asked = [row for row in rows if measure.asks(row)]
        requests = {str(row.get("problem_id")): request_of(row) for row in asked}
        found = values_of(replace(measure, asks=any_row), asked)
        values = {(requests[problem], f"{problem}#{sample}"): value for (problem, sample), value in found.items()}
        return cls(values, len(asked))


BySeed = Mapping[str, Measured]


@dataclass(frozen=True)
class Figure(Estimate):
    """One measure of one arm: the mean over the seeds' means, over the completions of all seeds."""

    per_seed: Mapping[str, Estimate]
    """Each with an interval over problems."""


@dataclass(frozen=True)
class Finding:
    """One measure of an arm minus that of the reference, on the same problems, samples and seeds."""

    arm: str
    reference: str
    measure: RowMeasure
    before: float
    """The reference, and the arm: means over the seeds, of what is paired."""
    after: float
    value: float
    """Mean over the seeds' differences."""
    low: float
    high: float
    n: int
    """Problems with a value on both sides."""
    per_seed: Mapping[str, Difference]
    p: float
    """Smallest alpha at which the interval leaves out zero; not below 1e-6."""
    adjusted: float
    """The same, by Holm over the table."""

    @property
    def verdict(self) -> str:
        """better, worse (higher, lower where neither is) or undecided, with a family-wise error of ALPHA over the table."""
        return self._word(self.adjusted)

    @property
    def num_agreeing(self) -> int:
        """Seeds whose own interval lies on the side of the mean."""
        return sum(found.sign == (self.value > 0) - (self.value < 0) != 0 for found in self.per_seed.values())

    @property
    def alone(self) -> str:
        """The verdict that it would have if it were the only one."""
        return self._word(self.p)

    def _word(self, p: float) -> str:
        if p >= ALPHA:
            return "undecided"
        if not self.measure.direction:
            return "higher" if self.value > 0 else "lower"
        return "better" if (self.value > 0) == (self.measure.direction > 0) else "worse"


def figure(measure: RowMeasure, by_seed: BySeed) -> Figure | None:
    """One measure of an arm with its interval; None where no completion has a value."""
    per_seed: dict[str, Estimate] = {}
    pooled: dict[str, list[float]] = {}
    for seed, found in by_seed.items():
        by_problem: dict[str, list[float]] = {}
        for (problem, _), value in found.values.items():
            by_problem.setdefault(problem, []).append(value)
            pooled.setdefault(problem, []).append(value)
        if (made := estimate(by_problem, found.num_asked, measure.is_share)) is not None:
            per_seed[seed] = made
    over_problems = estimate(pooled, sum(found.num_asked for found in by_seed.values()), measure.is_share)
    if over_problems is None:
        return None
    means = [made.value for made in per_seed.values()]
    intervals = [(over_problems.low, over_problems.high)]
    if len(means) > 1:
        intervals.append(clustered_interval(means, confidence=1 - ALPHA))
    low, high = _wider(intervals, least=0.0 if measure.is_share else -inf, most=1.0 if measure.is_share else inf)
    return Figure(fmean(means), low, high, over_problems.n, over_problems.num_left_out, per_seed)


def compare_with(
    measured: Mapping[str, Mapping[str, BySeed]], reference: str, measures: Mapping[str, RowMeasure] = COMPARED
) -> list[Finding]:
    """The findings of every arm but the base against a reference, by arm and then by measure.

    Args:
        measured: by measure and arm. Holm's correction is for as many verdicts as come out.
        measures: those, by name.
    """
    arms = dict.fromkeys(arm for by_arm in measured.values() for arm in by_arm if arm not in (reference, BASE))
    found = [
        finding
        for arm in arms
        for name, by_arm in measured.items()
        if (finding := difference(measures[name], by_arm, reference, arm)) is not None
    ]
    adjusted = holm([finding.p for finding in found])
    return [replace(finding, adjusted=p) for finding, p in zip(found, adjusted, strict=True)]


def difference(measure: RowMeasure, by_arm: Mapping[str, BySeed], reference: str, arm: str) -> Finding | None:
    """An arm minus a reference, paired on problem and sample within each seed; None where they share no value.

    Samples of one problem are averaged first: a problem counts once in each seed.
    """
    before, after = by_arm.get(reference, {}), by_arm.get(arm, {})
    pairs = {seed: found for seed in before if seed in after and (found := _pairs(before[seed], after[seed]))}
    if not pairs:
        return None
    per_seed = {seed: _paired(list(found.values())) for seed, found in pairs.items()}
    by_problem: dict[str, list[tuple[float, float]]] = {}
    for found in pairs.values():
        for problem, pair in found.items():
            by_problem.setdefault(problem, []).append(pair)
    pooled = [_mean_pair(those) for those in by_problem.values()]
    changes = [found.value for found in per_seed.values()]

    def over_seeds(confidence: float) -> tuple[float, float]:
        return clustered_interval(changes, confidence=confidence)

    def over_problems(confidence: float) -> tuple[float, float]:
        found = _paired(pooled, confidence)
        return found.low, found.high

    intervals = [over_seeds, over_problems] if len(changes) > 1 else [over_problems]
    most = 1.0 if measure.is_share else inf
    low, high = _wider([interval(1 - ALPHA) for interval in intervals], least=-most, most=most)
    sides = [_mean_pair(list(found.values())) for found in pairs.values()]
    p = _p_value(intervals)
    return Finding(arm, reference, measure, *_mean_pair(sides), fmean(changes), low, high, len(pooled), per_seed, p, p)


def pareto_front(losses: Mapping[str, Sequence[float]]) -> list[str]:
    """The names that no other dominates: at least as good in everything, and better in something.

    Args:
        losses: by name, numbers of which less is better.
    """

    def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
        return all(x <= y for x, y in zip(a, b, strict=True)) and tuple(a) != tuple(b)

    return [name for name, those in losses.items() if not any(dominates(other, those) for other in losses.values())]


def _pairs(before: Measured, after: Measured) -> dict[str, tuple[float, float]]:
    """By problem, the means of both sides over the samples that have a value on both."""
    found: dict[str, list[tuple[float, float]]] = {}
    for key, value in before.values.items():
        if key in after.values:
            found.setdefault(key[0], []).append((value, after.values[key]))
    return {problem: _mean_pair(those) for problem, those in found.items()}


def _mean_pair(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return fmean(before for before, _ in pairs), fmean(after for _, after in pairs)


def _paired(pairs: Sequence[tuple[float, float]], confidence: float = 1 - ALPHA) -> Difference:
    return paired_difference([before for before, _ in pairs], [after for _, after in pairs], confidence=confidence)


def _wider(intervals: Sequence[tuple[float, float]], *, least: float, most: float) -> tuple[float, float]:
    """From the lowest end to the highest, cut to what the value can be."""
    return max(least, min(low for low, _ in intervals)), min(most, max(high for _, high in intervals))


def _p_value(intervals: Sequence[Callable[[float], tuple[float, float]]]) -> float:
    """The smallest alpha, to 0.5 %, at which each of the intervals at confidence 1 - alpha leaves out zero."""

    def leaves_out_zero(alpha: float) -> bool:
        return all(not low <= 0 <= high for low, high in (interval(1 - alpha) for interval in intervals))

    low, high = log(_SMALLEST_P), log(1 - 1e-6)
    if not leaves_out_zero(exp(high)):
        return 1.0
    if leaves_out_zero(_SMALLEST_P):
        return _SMALLEST_P
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if leaves_out_zero(exp(middle)) else (middle, high)
    return exp(high)

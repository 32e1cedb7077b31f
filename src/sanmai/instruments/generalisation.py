"""Does what was learned hold elsewhere: gaps, transfer, perturbed twins, pass@k against the base, forgetting, safety tax.

Rows are those of an evaluation's Parquet file (docs/architecture.md): `problem_id`, `kind`, `tags` and `score/<name>`, null
where a rollout could not be graded. All values are means over a problem's graded samples. n counts requests: problems, but for
those that were made from one (`request_of`), which are alike.

Which rows are out of distribution is said in the problem file, by the tag `set` or `split`: a name with the part `ood` ("ood",
"ood/svamp", "reasoning_ood") is, any other name is in distribution. `sanmai run r1` and the embedded world name their sets so.
Safety on held-out categories, wrappers and languages is in harm.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan, sqrt
from statistics import fmean, median
from typing import Any

from sanmai.instruments.measures import is_outside, tags_of
from sanmai.stats import Difference, Rate, bootstrap_interval, paired_difference, pass_at_k, rate

Row = Mapping[str, Any]
ACCURACY = "score/accuracy"


@dataclass(frozen=True)
class Partition:
    """Rows of an evaluation by where they come from."""

    inside: list[Row]
    outside: list[Row]
    unassigned: int
    """Rows that carry no such tag, and perturbed copies, which belong to their originals."""


def partition(rows: Iterable[Row]) -> Partition:
    """Rows of reasoning problems, in and out of distribution."""
    inside: list[Row] = []
    outside: list[Row] = []
    unassigned = 0
    for row in rows:
        if row.get("kind", "reasoning") != "reasoning":
            continue
        side = is_outside(tags_of(row))
        if side is None:
            unassigned += 1
        else:
            (outside if side else inside).append(row)
    return Partition(inside, outside, unassigned)


def request_of(row: Row) -> str:
    """What was drawn: the request that a row's prompt is or was made from (tag `original`), or the embedded world's object."""
    tags = tags_of(row)
    return f"world/{tags['object']}" if asks_for_object(row) else str(tags.get("original", row.get("problem_id")))


def asks_for_object(row: Row) -> bool:
    """Whether its prompt is a request of the embedded world, which has few objects and asks about each in many phrasings."""
    tags = tags_of(row)
    return tags.get("template") == "request" and "object" in tags


def problem_means(rows: Iterable[Row], column: str = ACCURACY) -> dict[str, float]:
    """Mean of the graded samples of each problem that has any.

    Raises:
        ValueError: a score outside 0..1.
    """
    values: dict[str, list[float]] = {}
    for row in rows:
        if (score := _score(row, column)) is not None:
            values.setdefault(str(row["problem_id"]), []).append(score)
    return {problem: fmean(scores) for problem, scores in values.items()}


def _score(row: Row, column: str) -> float | None:
    value = row.get(column)
    if value is None or row.get("failure"):
        return None
    if not 0 <= value <= 1:
        raise ValueError(f"{column} = {value} of problem {row.get('problem_id')}: expected a score in 0..1")
    return float(value)


@dataclass(frozen=True)
class Gap:
    """A difference of two groups of different problems, with its interval."""

    value: float
    """Inside minus outside; nan where a side has no problem."""
    low: float
    high: float
    inside: Rate | Difference
    outside: Rate | Difference

    @property
    def sign(self) -> int:
        """+1 or -1 when the whole interval lies on that side of zero, else 0."""
        return (self.low > 0) - (self.high < 0)


def generalisation_gap(inside: Iterable[Row], outside: Iterable[Row]) -> Gap:
    """Accuracy in distribution minus out of it.

        gap = a - b      low = gap - sqrt((a - low_a)^2 + (high_b - b)^2)      high = gap + sqrt((high_a - a)^2 + (b - low_b)^2)

    Raises:
        ValueError: a score outside 0..1.

    Source:
        Zou & Donner 2008 (Statistics in Medicine 27:1693), which for proportions is Newcombe 1998 (17:873) method 10.
    """
    return _gap(*(_rate(list(rows)) for rows in (inside, outside)))


def gap_change(before: Partition, after: Partition) -> Gap:
    """How much the gap grew from one checkpoint to another, or over training: the change inside minus the change outside.

    Both changes are paired on their problems; their intervals are combined as in `generalisation_gap`.
    """
    return _gap(change_of(before.inside, after.inside), change_of(before.outside, after.outside))


def change_of(
    before: Iterable[Row], after: Iterable[Row], column: str = ACCURACY, confidence: float = 0.95
) -> Difference:
    """After minus before, paired on the problems that are graded in both; n counts requests."""
    listed = list(before)
    old, new, requests = problem_means(listed, column), problem_means(after, column), _requests(listed)
    shared = [problem for problem in old if problem in new]
    clusters = [requests[p] for p in shared]
    return paired_difference([old[p] for p in shared], [new[p] for p in shared], clusters, confidence)


def _rate(rows: Sequence[Row]) -> Rate:
    means, requests = problem_means(rows), _requests(rows)
    return rate(list(means.values()), [requests[problem] for problem in means])


def _requests(rows: Iterable[Row]) -> dict[str, str]:
    return {str(row["problem_id"]): request_of(row) for row in rows}


def _gap(inside: Rate | Difference, outside: Rate | Difference) -> Gap:
    value = inside.value - outside.value
    if not isfinite(value):
        return Gap(nan, -inf, inf, inside, outside)
    down = sqrt((inside.value - inside.low) ** 2 + (outside.high - outside.value) ** 2)
    up = sqrt((inside.high - inside.value) ** 2 + (outside.value - outside.low) ** 2)
    return Gap(value, value - down, value + up, inside, outside)


@dataclass(frozen=True)
class Transfer:
    """What out-of-distribution accuracy gained for each point gained in distribution."""

    value: float
    """nan where nothing changed inside, or a side has no problem."""
    low: float
    high: float
    """The whole line where the change inside may be zero: a ratio to it says nothing."""
    inside: Difference
    outside: Difference

    @property
    def finding(self) -> str:
        """In words."""
        if not self.inside.sign:
            return "undecided: accuracy in distribution did not measurably change"
        if self.inside.sign < 0:
            return "not applicable: accuracy in distribution fell"
        return "transfers" if self.low > 0 else "damages" if self.high < 0 else "undecided"


def transfer_ratio(
    before: Partition, after: Partition, column: str = ACCURACY, *, resamples: int = 2000, seed: int = 0
) -> Transfer:
    """Change out of distribution over change in distribution, both paired on their problems.

        R = (OOD_after - OOD_before) / (ID_after - ID_before)

    The interval is a percentile bootstrap that draws the requests of each side anew. Below 0 training did damage elsewhere.
    """
    import numpy as np

    sides = [_changes(before.inside, after.inside, column), _changes(before.outside, after.outside, column)]
    inside, outside = change_of(before.inside, after.inside, column), change_of(before.outside, after.outside, column)
    value = outside.value / inside.value if inside.value else nan
    if not inside.sign or len(sides[1]) < 2:
        return Transfer(value, -inf, inf, inside, outside)
    generator = np.random.default_rng(seed)
    means = []
    for side in sides:
        totals, sizes = np.array([[sum(changes), len(changes)] for changes in side]).T
        picked = [generator.integers(len(side), size=len(side)) for _ in range(resamples)]
        means.append(np.array([totals[k].sum() / sizes[k].sum() for k in picked]))
    drawn = means[1][means[0] != 0] / means[0][means[0] != 0]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Transfer(value, float(low), float(high), inside, outside)


def _changes(before: Sequence[Row], after: Sequence[Row], column: str) -> list[list[float]]:
    """The changes of the problems that are graded in both, by request."""
    old, new, requests = problem_means(before, column), problem_means(after, column), _requests(before)
    found: dict[str, list[float]] = {}
    for problem in old:
        if problem in new:
            found.setdefault(requests[problem], []).append(new[problem] - old[problem])
    return list(found.values())


@dataclass(frozen=True)
class PerturbationDrop:
    """How much is lost on the same problems with other numbers."""

    drop: Difference
    """Accuracy on originals minus that on their twins, paired; n counts originals, those of one request as one."""
    original: Rate
    twins: Rate
    unpaired: int
    """Twins without a graded original, or not graded themselves."""


def perturbation_drop(rows: Iterable[Row]) -> PerturbationDrop:
    """Accuracy of originals minus accuracy of their twins (tag `twin_of`); several twins of one original are averaged.

    Source:
        Mirzadeh et al. 2024 (arXiv:2410.05229) for the idea.
    """
    listed = list(rows)
    origin = {str(row["problem_id"]): str(tags_of(row)["twin_of"]) for row in listed if "twin_of" in tags_of(row)}
    means, requests = problem_means(listed), _requests(listed)
    twins: dict[str, list[float]] = {}
    unpaired = 0
    for twin, original in origin.items():
        if twin in means and original in means and original not in origin:
            twins.setdefault(original, []).append(means[twin])
        else:
            unpaired += 1
    before, after = [fmean(values) for values in twins.values()], [means[problem] for problem in twins]
    clusters = [requests[problem] for problem in twins]
    return PerturbationDrop(
        paired_difference(before, after, clusters), rate(after, clusters), rate(before, clusters), unpaired
    )


Counts = Mapping[str, tuple[int, int]]
"""Of each problem: samples that were graded, and how many of them are right."""


def sample_counts(rows: Iterable[Row]) -> dict[str, tuple[int, int]]:
    """Graded and right samples of each problem; only a score of 1 is right. Missing samples are none, not wrong ones."""
    graded: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for row in rows:
        if (score := _score(row, ACCURACY)) is not None:
            graded[str(row["problem_id"])] += 1
            right[str(row["problem_id"])] += score == 1
    return {problem: (n, right[problem]) for problem, n in graded.items()}


@dataclass(frozen=True)
class PassAtK:
    """pass@k of two models on the problems that have k samples of both."""

    k: int
    trained: float
    base: float
    trained_interval: tuple[float, float]
    base_interval: tuple[float, float]
    lead: Difference
    """Base minus trained, paired; n counts problems."""
    left_out: int
    """Problems of both models with fewer than k samples of one."""


@dataclass(frozen=True)
class Crossover:
    """pass@k of a trained model against its base."""

    points: list[PassAtK]
    k: int | None
    """The smallest k at which the base is ahead beyond the interval."""

    @property
    def finding(self) -> str:
        """In words."""
        if not self.points:
            return "undecided: no problem has samples of both"
        if self.k is not None and self.points[0].k == self.k:
            return "the base is ahead from the first sample on"
        if self.k is not None:
            return f"the base overtakes at k = {self.k}: training sharpened what the base could do"
        if self.points[-1].lead.sign < 0:
            return f"the trained model is ahead up to k = {self.points[-1].k}"
        return f"undecided up to k = {self.points[-1].k}"


def pass_at_k_crossover(base: Counts, trained: Counts, *, resamples: int = 2000, seed: int = 0) -> Crossover:
    """pass@k for k = 1, 2, 4, ..., n, with bootstrap intervals over problems, and where the base overtakes.

    n is the median over the problems of both models of the samples that both have. At each k only problems with k samples of
    both take part, so a sample that is missing is never counted as wrong.

    Raises:
        ValueError: a count below 0, or more right than graded.

    Source:
        Chen et al. 2021 (arXiv:2107.03374) eq. 1; Yue et al. 2025 (arXiv:2504.13837) for the comparison.
    """
    shared = [problem for problem in base if problem in trained]
    if any(not 0 <= c <= n for counts in (base, trained) for n, c in counts.values()):
        raise ValueError("counts: expected pairs (n, c) with 0 <= c <= n")
    sizes = {problem: min(base[problem][0], trained[problem][0]) for problem in shared}
    largest = int(median(sizes.values())) if sizes else 0
    ks = sorted({2**power for power in range(largest.bit_length()) if 2**power <= largest} | ({largest} - {0}))
    points = []
    for k in ks:
        taken = [problem for problem in shared if sizes[problem] >= k]
        old, new = ([pass_at_k(*counts[p], k) for p in taken] for counts in (base, trained))
        points.append(
            PassAtK(k, fmean(new), fmean(old), _interval(new, resamples, seed), _interval(old, resamples, seed),
                    _lead(new, old, resamples, seed), len(shared) - len(taken))
        )  # fmt: skip
    beyond = [point for point in points if point.lead.sign > 0]
    return Crossover(points, beyond[0].k if beyond else None)


def _interval(values: Sequence[float], resamples: int, seed: int) -> tuple[float, float]:
    """Bootstrap over problems; Wilson's where all values are equal, so that the bootstrap has no width."""
    if len(set(values)) > 1:
        return bootstrap_interval(values, resamples=resamples, seed=seed)
    found = rate(values)
    return found.low, found.high


def _lead(trained: Sequence[float], base: Sequence[float], resamples: int, seed: int) -> Difference:
    changes = [y - x for x, y in zip(trained, base, strict=True)]
    if max(changes) - min(changes) < 1e-12:
        return paired_difference(trained, base)
    low, high = bootstrap_interval(changes, resamples=resamples, seed=seed)
    return Difference(fmean(changes), low, high, len(changes))


@dataclass(frozen=True)
class Forgetting:
    """What was once known of an ability and is not any more."""

    ability: str
    best_step: int
    best: float
    now: float
    loss: Difference
    """Best minus now, paired on their problems; positive is forgotten. The interval covers the choice of the best."""


def forgetting(evaluations: Mapping[int, Sequence[Row]], ability: Callable[[Row], str | None]) -> list[Forgetting]:
    """Per ability, the maximum over earlier checkpoints minus the last one.

    The best of m checkpoints is best by luck as well, so the interval of the loss is at 1 - 0.05 / m (Bonferroni): one that was
    named beforehand would be judged more sharply. The value itself is too large on average.

    Args:
        evaluations: rows by step.
        ability: names what a row asks for, such as `ability_of("digits")`; None leaves it out.

    Source:
        Chaudhry et al. 2018 (arXiv:1801.10112) eq. 3.
    """
    steps = sorted(evaluations)
    if len(steps) < 2:
        return []
    sorted_rows: dict[str, dict[int, list[Row]]] = {}
    for step in steps:
        for row in evaluations[step]:
            if (name := ability(row)) is not None:
                sorted_rows.setdefault(name, {}).setdefault(step, []).append(row)
    found = []
    for name, by_step in sorted_rows.items():
        means = {step: problem_means(rows) for step, rows in by_step.items()}
        earlier = {step: fmean(values.values()) for step, values in means.items() if values and step != steps[-1]}
        now = means.get(steps[-1])
        if not earlier or not now:
            continue
        best = max(earlier, key=lambda step: (earlier[step], step))
        loss = change_of(by_step[steps[-1]], by_step[best], confidence=1 - 0.05 / len(earlier))
        found.append(Forgetting(name, best, earlier[best], fmean(now.values()), loss))
    return found


def ability_of(tag: str) -> Callable[[Row], str | None]:
    """Names a row "tag=value" by a tag of its problem; None where it has no such tag."""

    def ability(row: Row) -> str | None:
        value = tags_of(row).get(tag)
        return None if value is None else f"{tag}={value}"

    return ability


@dataclass(frozen=True)
class SafetyTax:
    """What a safety stage cost in reasoning, next to what it gained in safety. Changes are paired on problems."""

    tax: Difference
    """Accuracy on reasoning problems, before minus after; positive is lost."""
    gain: Difference
    """Harm (attack success rate) on safety problems, before minus after; positive is gained."""
    over_refusal: Difference
    """Change on harmless requests; positive is worse. A gain that refuses everything shows here."""


def safety_tax(before: Sequence[Row], after: Sequence[Row]) -> SafetyTax:
    """Reasoning lost next to harm removed, from evaluations of the model before and after a safety stage."""

    def of(kind: str) -> tuple[list[Row], list[Row]]:
        return [r for r in before if r.get("kind") == kind], [r for r in after if r.get("kind") == kind]

    reasoning, dangerous, general = of("reasoning"), of("safety"), of("general")
    return SafetyTax(
        change_of(reasoning[1], reasoning[0]), change_of(dangerous[1], dangerous[0], "score/harm"),
        change_of(*general, "score/over_refusal"),
    )  # fmt: skip

"""What the recipe `compare` found, as plain data: the figures of every arm, verdicts between arms, what each cost, its curves.

An *arm* is a way to train; each is run once per seed, and every model answers the same held-out problems. Two things vary: the
seed of training, and the problems that happen to be asked. So an interval over several seeds is, at either end, the wider of two:

    over seeds       Student's t of the per-seed values, k - 1 degrees of freedom: what another seed would give
    over problems    all seeds together, one value per problem (stats.rate, stats.paired_difference): what other problems would

An arm is called better only where both lie on that side of zero. With one seed there is the second alone: it says nothing of
other seeds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil, exp, fsum, inf, log
from pathlib import Path
from statistics import fmean
from types import MappingProxyType
from typing import Any, TypeVar

from sanmai.report.curves import limits_of
from sanmai.report.load import Row, find, is_number
from sanmai.report.pipeline import Pipeline, Stage, load_pipeline
from sanmai.report.summary import Estimate, estimate
from sanmai.safety.cost import Cost, RunFiles, cost_of, read_run_files, training_part
from sanmai.safety.generalisation import request_of
from sanmai.safety.measures import MEASURES, RowMeasure, any_row, num_tokens, values_of
from sanmai.stats import Difference, clustered_interval, holm, paired_difference
from sanmai.types import InputError

T = TypeVar("T")
ALPHA = 0.05
"""Family-wise error of the verdicts of one table; 1 - ALPHA is the confidence of every interval."""
TOLERANCE = 0.1
"""Budgets whose relative difference is above it are not called equal."""
BASE, BUDGETED = "base", "budgeted"
ARMS = (BASE, "rl", "sft", "sft_long", "sequence", "hybrid", BUDGETED)
"""Those of the recipe, in the order of every table, whatever order they were run in; arms that it does not know come after."""
REFERENCES = ("rl", "sft", "sft_long", BASE)
"""The arms that every other is compared with."""
_FRONT = ("harm", "accuracy")
_SMALLEST_P = 1e-6
_RL = ("zero",)
_DEMONSTRATES = ("sft", "pretrain")
_PURPOSE_END = ", on the held-out problems"


def off_language(row: Row) -> float | None:
    """Share of the thought's words that are not in the prompt's language; None without words."""
    share = MEASURES["language"].value(row)
    return None if share is None or not is_number(share) else 1.0 - share


_MEASURES = (
    *(MEASURES[name] for name in ("harm", "over_refusal", "helped")),
    *(MEASURES[name] for name in ("accuracy", "accuracy_ood")),
    RowMeasure("off_language", "Share of the thought's words that are not in the prompt's language.",
               -1, True, lambda row: not MEASURES["accuracy_ood"].asks(row), off_language),
    RowMeasure("off_language_ood", "The off-language share on reasoning problems of other forms.",
               -1, True, MEASURES["accuracy_ood"].asks, off_language),
    MEASURES["incomplete"],
    RowMeasure("length", "Tokens of a completion, thought and stop token included.", 0, False, any_row, num_tokens),
)  # fmt: skip
COMPARED: Mapping[str, RowMeasure] = MappingProxyType({measure.name: measure for measure in _MEASURES})
"""What is said of an arm; harm never without over-refusal."""
JUDGED = ("harm", "over_refusal", "helped", "accuracy", "accuracy_ood", "off_language")
"""Those that a verdict is given on."""


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
class Figure:
    """One measure of one arm."""

    value: float
    """Mean over the seeds' means."""
    low: float
    high: float
    n: int
    """Problems."""
    num_left_out: int
    """Completions of all seeds that were asked and have no value."""
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


@dataclass(frozen=True)
class Spent:
    """What the stages that made an arm's model processed, each step once; seconds and operations as they were paid for."""

    sampled: float = 0.0
    """Completion tokens, as are the next three."""
    trained: float = 0.0
    """Of the policy's own that have a reward, in groups without signal too."""
    demonstrated: float = 0.0
    """In SFT, and in the anchor of an RL update."""
    probed: float = 0.0
    flops: float | None = None
    is_estimated: bool = False
    """Some of the operations are by the rule of thumb."""
    seconds: float | None = None
    """Without evaluations and loading."""
    planned: float | None = None
    """The sum of the stages' token budgets."""
    stages: tuple[str, ...] = ()

    @property
    def processed(self) -> float:
        return self.sampled + self.trained + self.demonstrated + self.probed


@dataclass(frozen=True)
class BudgetCheck:
    """Whether the arms that were given the whole budget used the same."""

    arms: list[str]
    """Those that were; fewer than two cannot differ."""
    exempt: dict[str, float]
    """By arm, the share of the budget that it was given, where it was given less by design."""
    difference: float
    """max over seeds of (most - least) / most, in tokens processed."""
    low: float
    high: float
    """The fewest and the most tokens that one of them processed."""
    flops: float | None
    """The same difference in operations, and in seconds; None where they are not on record."""
    seconds: float | None

    @property
    def is_equal(self) -> bool:
        return self.difference <= TOLERANCE


@dataclass(frozen=True)
class LimitCheck:
    """What a finished run measured of one limit on its probe, at the end of training."""

    arm: str
    seed: str
    name: str
    """Of the measure, as in recipes/budgets.py."""
    limit: float
    measured: float | None
    """Mean over the last quarter of the measurements, at least one; None where there was none."""
    num_last: int
    num_measured: int
    multiplier: float | None
    """In force in the last step."""

    @property
    def is_kept(self) -> bool | None:
        """Whether that mean is not above the limit; None where nothing was measured."""
        return None if self.measured is None else self.measured <= self.limit


@dataclass
class Comparison:
    """A folder of the recipe `compare`."""

    pipeline: Pipeline
    titles: dict[str, str] = field(default_factory=dict)
    """By arm, in the order of ARMS, what it is; what follows by arm has the same order."""
    seeds: list[str] = field(default_factory=list)
    scores: dict[str, dict[str, list[Row]]] = field(default_factory=dict)
    """Of the models that are scored."""
    spent: dict[str, dict[str, Spent]] = field(default_factory=dict)
    """Of the same."""
    costs: dict[str, Cost] = field(default_factory=dict)
    """By stage, evaluations included."""
    curves: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    """By arm and seed, the metrics of its last RL stage, each step once; nothing for arms that have none."""
    limits: dict[str, dict[str, float]] = field(default_factory=dict)
    """By arm, those of the probe's measures; nothing for arms without budgets."""
    limit_checks: list[LimitCheck] = field(default_factory=list)
    """Of the stages that are finished."""

    @cached_property
    def measured(self) -> dict[str, dict[str, dict[str, Measured]]]:
        """By measure, arm and seed."""
        return {
            name: {
                arm: {seed: Measured.of(measure, rows) for seed, rows in by_seed.items()}
                for arm, by_seed in self.scores.items()
            }
            for name, measure in COMPARED.items()
        }

    @cached_property
    def figures(self) -> dict[str, dict[str, Figure]]:
        """By arm and measure; what was not measured is left out."""
        return {
            arm: {
                name: found
                for name, by_arm in self.measured.items()
                if (found := figure(COMPARED[name], by_arm[arm])) is not None
            }
            for arm in self.scores
        }

    @cached_property
    def tables(self) -> dict[str, list[Finding]]:
        """By reference, the findings of every other arm but the base; Holm goes over each list."""
        return {
            reference: compare_with({name: self.measured[name] for name in JUDGED}, reference)
            for reference in REFERENCES
            if reference in self.scores
        }

    @cached_property
    def budget(self) -> BudgetCheck:
        return check_budget(self.spent)

    @property
    def headline(self) -> str | None:
        """The arm that the first sentences are about: budgeted, or else the last that is scored; None without any."""
        arms = [arm for arm in self.scores if arm != BASE]
        return BUDGETED if BUDGETED in arms else arms[-1] if arms else None

    @property
    def has_uneven_seeds(self) -> bool:
        """Whether some arms are scored for other seeds than others."""
        return len({tuple(by_seed) for by_seed in self.scores.values()}) > 1

    @cached_property
    def front_seeds(self) -> list[str]:
        """The seeds that every arm with harm and accuracy has both for: the front is over these."""
        both = [[found[name].per_seed for name in _FRONT] for found in self.figures.values() if _has_all(found, _FRONT)]
        return [seed for seed in self.seeds if both and all(seed in one for arm in both for one in arm)]

    @cached_property
    def front_figures(self) -> dict[str, dict[str, Figure]]:
        """The figures of the arms with harm and accuracy, over `front_seeds` alone: harm, accuracy, and over-refusal if asked."""
        return {
            arm: {
                name: made
                for name in (*_FRONT, "over_refusal")
                if (made := figure(COMPARED[name], {s: self.measured[name][arm][s] for s in self.front_seeds}))
                is not None
            }
            for arm, found in self.figures.items()
            if self.front_seeds and _has_all(found, _FRONT)
        }

    @property
    def front(self) -> list[str]:
        """The arms that no other beats or equals in both held-out harm and accuracy, and beats in one; by their means."""
        return pareto_front(self._losses(*_FRONT))

    @property
    def front_with_over_refusal(self) -> list[str]:
        """The same with over-refusal as the third: refusing everything is then no way onto the front."""
        return pareto_front(self._losses(*_FRONT, "over_refusal"))

    def _losses(self, *names: str) -> dict[str, list[float]]:
        return {
            arm: [-found[name].value * COMPARED[name].direction for name in names]
            for arm, found in self.front_figures.items()
            if all(name in found and len(found[name].per_seed) == len(self.front_seeds) for name in names)
        }


def is_comparison(folder: Path) -> bool:
    """Whether a folder is one of the recipe `compare`: its graph says which arm each scored model belongs to."""
    return bool(_arms(Path(folder) / "graph.json"))


def load_comparison(folder: Path) -> Comparison:
    """Scores, costs and curves of every arm and seed that is finished.

    Raises:
        FileNotFoundError: folder is not a folder.
    """
    folder = Path(folder)
    pipeline = load_pipeline(folder)
    found = Comparison(pipeline)
    files = {}
    for stage in pipeline.stages.values():
        if stage.state != "to do" and (read := _read(folder / stage.folder, stage, pipeline.problems)) is not None:
            files[stage.name] = read
            found.costs[stage.name] = cost_of(
                stage.name, read.events, read.metrics, read.model, recipe=stage.recipe,
                evaluation_tokens=fsum(row["num_tokens"] for row in stage.rows if is_number(row.get("num_tokens"))),
            )  # fmt: skip
    for name, (arm, seed) in _arms(folder / "graph.json").items():
        stage = pipeline.stages.get(name)
        if stage is None or stage.scores is None:
            continue
        found.titles.setdefault(arm, stage.purpose.removesuffix(_PURPOSE_END))
        found.seeds += [seed] if seed not in found.seeds else []
        made = _stages_of(pipeline, stage.scores)
        if stage.rows:
            found.scores.setdefault(arm, {})[seed] = stage.rows
            found.spent.setdefault(arm, {})[seed] = _spent(made, files, found.costs)
        if trained := [s for s in made if s.recipe in _RL and s.name in files and files[s.name].metrics]:
            lines = each_step_once(files[trained[-1].name].metrics)
            found.curves.setdefault(arm, {})[seed] = lines
            if limits := limits_of(trained[-1].config):
                found.limits[arm] = limits
                found.limit_checks += check_limits(arm, seed, limits, lines) if trained[-1].state == "finished" else []
    known = {arm: i for i, arm in enumerate(ARMS)}
    found.titles = dict(sorted(found.titles.items(), key=lambda item: known.get(item[0], len(known))))
    found.scores, found.spent = _ordered(found.scores, found.titles), _ordered(found.spent, found.titles)
    found.curves, found.limits = _ordered(found.curves, found.titles), _ordered(found.limits, found.titles)
    return found


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


def printable(name: str) -> str:
    """A name from a file, as a terminal can show it."""
    return "".join(c if c.isprintable() else "?" for c in name)


def pareto_front(losses: Mapping[str, Sequence[float]]) -> list[str]:
    """The names that no other dominates: at least as good in everything, and better in something.

    Args:
        losses: by name, numbers of which less is better.
    """

    def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
        return all(x <= y for x, y in zip(a, b, strict=True)) and tuple(a) != tuple(b)

    return [name for name, those in losses.items() if not any(dominates(other, those) for other in losses.values())]


def metric_of_limit(name: str) -> str:
    """The metric that says what a limit is about; the KL has no probe: it is measured on what is trained on."""
    return "policy/kl_to_reference_k3" if name == "kl" else f"probe/{name}"


def check_limits(
    arm: str, seed: str, limits: Mapping[str, float], lines: Sequence[Mapping[str, Any]]
) -> list[LimitCheck]:
    """Whether a run kept its limits at the end: the mean over the last ceil(k / 4) of k measurements against each.

    Args:
        limits: by measure.
        lines: the run's metrics, each step once, in order.
    """
    checks = []
    for name, limit in limits.items():
        values, multipliers = (
            [line[metric] for line in lines if is_number(line.get(metric))]
            for metric in (metric_of_limit(name), f"budget/{name}")
        )
        last = values[-ceil(len(values) / 4) :] if values else []
        mean = fmean(last) if last else None
        ended = multipliers[-1] if multipliers else None
        checks.append(LimitCheck(arm, seed, name, limit, mean, len(last), len(values), ended))
    return checks


def each_step_once(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """By step; of a step that a resume wrote again, the later line."""
    by_step = {line["step"]: line for line in lines}
    return [by_step[step] for step in sorted(by_step)]


def check_budget(spent: Mapping[str, Mapping[str, Spent]]) -> BudgetCheck:
    """The tokens that the arms processed, seed by seed; the base is no arm, and what was given less by design is set apart."""
    planned = {arm: max((s.planned or 0.0 for s in by_seed.values()), default=0.0) for arm, by_seed in spent.items()}
    whole = max(planned.values(), default=0.0)
    exempt = {
        arm: given / whole for arm, given in planned.items() if arm != BASE and 0 < given < (1 - TOLERANCE) * whole
    }
    full = [arm for arm in spent if arm != BASE and arm not in exempt]
    tokens, flops, seconds = (
        _by_seed(spent, full, lambda s: s.processed or None),
        _by_seed(spent, full, lambda s: s.flops),
        _by_seed(spent, full, lambda s: s.seconds),
    )
    everything = [value for those in tokens for value in those]
    return BudgetCheck(
        full,
        exempt,
        _largest_difference(tokens) or 0.0,
        min(everything, default=0.0),
        max(everything, default=0.0),
        _largest_difference(flops),
        _largest_difference(seconds),
    )


def spent_by(recipe: str, found: RunFiles, cost: Cost, planned: Any = None) -> Spent:
    """What one stage, or a run by itself, processed."""
    tokens: dict[str, dict[float, float]] = {}
    for line in found.metrics:  # by step: a line that a resume wrote again counts once
        for name, value in line.items():
            if name.startswith("tokens/") and is_number(value):
                tokens.setdefault(name.removeprefix("tokens/"), {})[line["step"]] = value
    total = {name: fsum(values.values()) for name, values in tokens.items()}
    trained = total.get("trained", 0.0)
    shown = trained if recipe in _DEMONSTRATES else 0.0
    training = training_part(cost)
    return Spent(
        total.get("sampled", 0.0), trained - shown, shown + total.get("anchor", 0.0), total.get("probe", 0.0),
        fsum(training.flops.values()) if training.flops else None, bool(training.estimated or training.uncounted),
        fsum(training.seconds.values()) if training.seconds else None, planned if is_number(planned) else None, (cost.name,),
    )  # fmt: skip


def _spent(stages: Sequence[Stage], files: Mapping[str, RunFiles], costs: Mapping[str, Cost]) -> Spent:
    """The sum over the stages that made a model."""
    parts = [
        spent_by(stage.recipe, files[stage.name], costs[stage.name], find(stage.config, "token_budget"))
        for stage in stages
        if stage.name in files
    ]

    def total(name: str) -> float | None:
        known = [value for part in parts if (value := getattr(part, name)) is not None]
        return fsum(known) if known else None

    sums = {name: total(name) or 0.0 for name in ("sampled", "trained", "demonstrated", "probed")}
    return Spent(
        **sums, flops=total("flops"), is_estimated=any(part.is_estimated for part in parts), seconds=total("seconds"),
        planned=total("planned"), stages=tuple(part.stages[0] for part in parts),
    )  # fmt: skip


def _ordered(by_arm: Mapping[str, T], arms: Iterable[str]) -> dict[str, T]:
    return {arm: by_arm[arm] for arm in arms if arm in by_arm}


def _has_all(figures: Mapping[str, Figure], names: Sequence[str]) -> bool:
    return all(name in figures for name in names)


def _by_seed(
    spent: Mapping[str, Mapping[str, Spent]], arms: Sequence[str], value: Callable[[Spent], float | None]
) -> list[list[float]]:
    """For each seed the values of the arms that have one."""
    seeds = dict.fromkeys(seed for arm in arms for seed in spent[arm])
    return [[v for arm in arms if seed in spent[arm] and (v := value(spent[arm][seed])) is not None] for seed in seeds]


def _largest_difference(per_seed: Sequence[Sequence[float]]) -> float | None:
    """max over seeds of (most - least) / most; None where no seed has two values."""
    return max(((max(those) - min(those)) / max(those) for those in per_seed if len(those) > 1), default=None)


def _stages_of(pipeline: Pipeline, model: str) -> list[Stage]:
    """The stages that made a model, in order; those that only wrote data are not among them."""
    names = [*pipeline.ancestors(model), *([model] if model in pipeline.stages else [])]
    return [stage for name in names if (stage := pipeline.stages[name]).recipe != "gather" and stage.scores is None]


def _read(folder: Path, stage: Stage, problems: list[str]) -> RunFiles | None:
    try:
        return read_run_files(folder)
    except InputError as error:
        problems.append(f"{stage.name}: {error}")
        return None


def _arms(path: Path) -> dict[str, tuple[str, str]]:
    """By stage that scores a model, its arm and seed; what cannot be read is told by the pipeline itself."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return {
        str(row["name"]): (printable(str(row["arm"])), printable(str(row["seed"])))
        for row in rows
        if all(isinstance(row.get(key), str) and row[key] for key in ("name", "arm", "seed"))
    }


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

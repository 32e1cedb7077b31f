"""What a recipe with stages would do: its graph as a table, what is done, what that took, and what the rest will take."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sanmai.data.chat import demonstration, render_demonstration
from sanmai.pipelines.graph import Graph, Stage
from sanmai.pipelines.r1 import R1Config, graph
from sanmai.plan.calibration import calibrate
from sanmai.plan.memory import checkpoint_bytes
from sanmai.plan.prediction import observed_lengths
from sanmai.plan.stage_costs import Cost, Lengths, Rates, most_bytes, predicted, spent
from sanmai.plan.stage_sources import StageSources, mean
from sanmai.plan.words import cores, seconds, size
from sanmai.plan.workload import Workload, workload
from sanmai.policies.text.checkpoints import newest_good_checkpoint, step_of
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.recipes.sft import SftConfig
from sanmai.recipes.zero import ZeroConfig
from sanmai.rewards.rubric import SCORED_TOGETHER

_WIDTH = 120
"""Characters of a line of the table."""


@dataclass(frozen=True)
class Plan:
    """One stage of the table."""

    stage: Stage
    state: str
    work: Workload | None
    """What is left; None when it is finished."""
    lengths: Lengths | None
    """That its completions are expected to have; None where there is no record to go by."""


def describe_r1(config: R1Config, out: Path, *, measure: bool) -> Iterator[str]:
    yield from describe_stages(config, out, measure=measure)
    if config.gates.margins:
        most = config.gates.num_attempts
        yield (
            f"r1 is guarded: one attempt and what its gate evaluates are counted; it may take {most} attempt"
            f"{'s' if most > 1 else ''}, each decided at level {config.gates.level:.3g}."
        )


def describe_stages(config: R1Config, out: Path, *, measure: bool) -> Iterator[str]:
    """Lines: the table, totals, and what the numbers are bounds of. Nothing is left behind.

    Args:
        measure: predict seconds as well, from a calibration of some five seconds with the base and the settings `reasoning`.

    Raises:
        InputError: a source of data, or the base, that cannot be used.
    """
    found = graph(config, out)
    policy = load_policy(config.model)
    warnings: list[str] = []
    sources = StageSources(found, policy, warnings.append)
    plans = _plans(found, sources)
    left = [plan for plan in plans if plan.work is not None]
    is_predicted = measure and any(plan.stage.recipe != "gather" for plan in left)
    rates = _measure(config, policy, sources, plans, out) if is_predicted else None
    finished = {p.stage.name: spent(found.path(p.stage.name), p.stage.recipe) for p in plans if p.work is None}
    expected = {p.stage.name: predicted(p.work, p.lengths, rates) for p in left if p.work is not None}
    yield from _table(plans, finished | expected)
    yield from (f"Warning: {warning}" for warning in dict.fromkeys(warnings))
    if finished:
        yield f"Finished: {_stages(len(finished))}, which took {_total(finished.values())}."
    if not left:
        yield "Nothing is left to do."
        return
    word = "about" if any(plan.lengths for plan in left) else "at most"
    yield f"To do: {_stages(len(left))}, {word} {_total(expected.values())}."
    yield from _bounds(plans, sources, rates)
    yield _memory(policy, left, rates)
    yield _measured(rates)


def _plans(found: Graph, sources: StageSources) -> list[Plan]:
    """The stages; each one's lengths are its own on record, or else the mean of all that are."""
    own = {stage.name: observed_lengths(found.path(stage.name)) for stage in found.stages}
    known = [lengths for lengths in own.values() if lengths is not None]
    usual = (mean(m for m, _ in known), mean(x for _, x in known)) if known else None
    plans = []
    for stage in found.stages:
        state: str = found.state(stage.name)
        work, done = None, 0
        if state != "finished":
            checkpoint = newest_good_checkpoint(found.path(stage.name))
            done = step_of(checkpoint) if checkpoint is not None else 0
            work = workload(stage, sources, done)
        if state == "interrupted":
            state = f"goes on after step {done}" if done else "begins again"
        lengths = own[stage.name] or usual
        plans.append(Plan(stage, "to do" if state == "new" else state, work, Lengths(*lengths) if lengths else None))
    return plans


def _measure(config: R1Config, policy: TextPolicy, sources: StageSources, plans: Sequence[Plan], out: Path) -> Rates | None:
    """A calibration on the first problems of the first RL stage, graded without reward models."""
    first = next(plan.stage.config for plan in plans if isinstance(plan.stage.config, ZeroConfig))
    problems = sources.problems(first.problems.source) if isinstance(first.problems.source, str) else None
    if not problems:
        return None
    alone = {f"{name}{suffix}": value for name in SCORED_TOGETHER for suffix, value in (("", 0.0), ("_from", None))}
    rewards = config.reasoning.rewards.model_copy(update=alone)
    settings = config.reasoning.model_copy(update={"model": config.model, "rewards": rewards})
    found = calibrate(policy, settings, problems, out)
    return Rates(found, settings, float(checkpoint_bytes(policy, settings)), policy.cores.workers)


def _table(plans: Sequence[Plan], costs: dict[str, Cost]) -> Iterator[str]:
    """A row per stage, and a header; what a stage is made from goes on in further lines where it is long."""
    rows = [(("stage", "state", "recipe", "", "sampled", "trained", "seconds"), "made from")]
    for plan in plans:
        cost = costs[plan.stage.name]
        nothing = not (cost.sampled or cost.trained or cost.seconds)
        word = "" if nothing else "took" if plan.work is None else "at most" if _is_bound(plan) else "about"
        took = "-" if cost.seconds is None or nothing else f"{cost.seconds:,.1f}"
        sampled, trained = (_count(number) if number else "-" for number in (cost.sampled, cost.trained))
        cells = (plan.stage.name, plan.state, plan.stage.recipe, word, sampled, trained, took)
        rows.append((cells, ", ".join(plan.stage.inputs)))
    widths = [max(map(len, column)) for column in zip(*(cells for cells, _ in rows), strict=True)]
    for cells, made_from in rows:
        words, numbers = list(zip(cells, widths, strict=True))[:4], list(zip(cells, widths, strict=True))[4:]
        start = "".join([*(f"{cell:<{w}}  " for cell, w in words), *(f"{cell:>{w}}  " for cell, w in numbers)])
        first, *others = textwrap.wrap(made_from, max(_WIDTH - len(start), 20)) or [""]
        yield (start + first).rstrip()
        yield from (" " * len(start) + other for other in others)


def _bounds(plans: Sequence[Plan], sources: StageSources, rates: Rates | None) -> Iterator[str]:
    """What the numbers assume, and the total under another assumption."""
    left = [(plan.work, plan) for plan in plans if plan.work is not None]
    total = lambda lengths: _total(predicted(w, lengths, rates) for w, _ in left)  # noqa: E731
    seen = [plan.lengths.mean for _, plan in left if plan.lengths is not None]
    if seen:
        yield (
            f"Completions are taken to be as long as those on record here ({mean(seen):.1f} tokens in the mean); if every one "
            f"took its whole budget, it would be at most {total(None)}."
        )
    else:
        yield "That is an upper bound: every completion takes its whole budget of tokens."
        if (shown := _first_demonstrations(plans, sources)) is not None:
            name, lengths = shown
            yield (
                f"If completions are as long as the demonstrations of {name} ({lengths.mean:.1f} tokens in the mean), it is "
                f"about {total(lengths)}."
            )
    if unknown := [plan.stage.name for w, plan in left if w.is_bound]:
        yield f"How much of its data {', '.join(unknown)} will keep is not known yet, so all of it is counted."
    if rates is None:
        return
    sizes: dict[str, list[str]] = {}
    for w, plan in left:
        if w.size != 1:
            sizes.setdefault(f"{w.size:.2g} times", []).append(plan.stage.name)
    if sizes:
        yield (
            "The base was measured; seconds of models of another size are scaled by their operations: "
            + "; ".join(f"{size} in {', '.join(names)}" for size, names in sizes.items())
            + "."
        )
    if sources.unsized:
        yield f"Of the size of {', '.join(sorted(sources.unsized))} nothing is known here: taken to be the base's."
    yield (
        "Not counted are the loading of models and files and what a judge model takes; RL rollouts whose whole group earns the "
        "same, which take no training, are counted like the others."
    )


def _first_demonstrations(plans: Sequence[Plan], sources: StageSources) -> tuple[str, Lengths] | None:
    """The first SFT stage, and the lengths of what it imitates, where they are known."""
    stage = next((plan.stage for plan in plans if isinstance(plan.stage.config, SftConfig)), None)
    if stage is None or not isinstance(c := stage.config, SftConfig):
        return None
    found = sources.problems(c.problems.source) if isinstance(c.problems.source, str) else None
    shown = [p for p in found or [] if demonstration(p) is not None]
    lengths = [len(render_demonstration(sources.policy.tokenizer, p, c.grading.thought_tags)[1]) for p in shown]
    return (stage.name, Lengths(mean(lengths), max(lengths))) if lengths else None


def _memory(policy: TextPolicy, left: Sequence[Plan], rates: Rates | None) -> str:
    kept = rates.calibration.kept if rates is not None else None
    needs = {plan.stage.name: most_bytes(policy, plan.work, kept) for plan in left if plan.work is not None}
    name = max(needs, key=lambda key: needs[key])
    without = "" if kept is not None else ", without the activations of training"
    return f"The most memory at once: {size(needs[name])} in {name}{without}; Python and its libraries come on top."


def _measured(rates: Rates | None) -> str:
    if rates is None:
        return "Nothing was measured."
    found = rates.calibration
    return (
        f"Measured in {found.seconds:.1f} s with the base and the settings of `reasoning`: matrix products reach "
        f"{found.machine['matrix_gflops']:,.0f} GFLOP/s in {found.machine['dtype']} on {cores(found.machine)}; "
        f"{'; '.join(note.rstrip('.') for note in found.notes)}."
    )


def _is_bound(plan: Plan) -> bool:
    """Whether what is predicted is an upper bound, rather than a guess."""
    w = plan.work
    if w is None:
        return False
    is_sampled = bool(w.sampling) or any(p.length is None for p in w.passes)
    return w.is_bound or (plan.lengths is None and is_sampled)


def _total(costs: Iterable[Cost]) -> str:
    cost = sum(costs, Cost())
    took = "" if cost.seconds is None else f", {seconds(cost.seconds)}"
    return f"{_count(cost.sampled)} sampled and {_count(cost.trained)} trained tokens{took}"


def _stages(count: int) -> str:
    return f"{count} stage{'s' if count != 1 else ''}"


def _count(number: float) -> str:
    """Three digits of it.

    Example:
        _count(983_040) == "983k"
    """
    for unit in ("", "k", "M", "G"):
        if number < 999.5:
            return f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.3g}T"

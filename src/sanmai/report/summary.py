"""The numbers of a run: before and after on held-out problems, cost, and a verdict in plain words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import fsum, isfinite
from pathlib import Path
from typing import Any, Literal

from sanmai.instruments.cost import Model, model_of
from sanmai.instruments.figures import Estimate
from sanmai.instruments.measures import tags_and_language
from sanmai.recipes import RECIPES
from sanmai.report import format as fmt
from sanmai.report.behaviours import behaviour_values
from sanmai.report.load import Row, RunData, as_number, clusters_of, event_time, find, is_number, load_run
from sanmai.report.opinions import told_by_judges
from sanmai.report.scorers import scorer_lines
from sanmai.report.speed import speed, speed_line
from sanmai.report.ungraded import ungraded_lines
from sanmai.rewards.harm import GOLD
from sanmai.rewards.opinions import OTHERS
from sanmai.stats import Difference, clustered_interval, paired_difference, rate

Status = Literal["begun", "finished", "interrupted", "unfinished"]

_MAX_TAG_VALUES = 12
_OF_CLIPS = {"quality": 1, "harm": -1, "visual": 1, "motion": 1, "alignment": 1}
"""What a flow's clips are compared by, and whether more is better."""


_OF_TEXTS = ("thinks", "off_language", "answer_off_language", "length_mean", "truncated")
"""Measures that say nothing of whether it is right."""


@dataclass(frozen=True)
class Measure:
    """One row of the before/after table."""

    name: str
    """"accuracy", "accuracy/digits=2", "thinks", ...: the metric's name after `eval/`."""
    label: str
    is_share: bool
    direction: int
    """+1 when more is better, -1 when less is, 0 when it depends."""
    before: Estimate | None
    after: Estimate | None
    change: Difference | None
    """Paired on the problems that have a value in both; None when there are none."""

    @property
    def finding(self) -> str:
        """The change in a word; "undecided" when its interval holds zero."""
        if self.change is None:
            return "not comparable"
        if not self.change.sign:
            return "undecided"
        if not self.direction:
            return "higher" if self.change.sign > 0 else "lower"
        return "better" if self.change.sign == self.direction else "worse"


@dataclass(frozen=True)
class Cost:
    """What a run used up, repeated steps included where the events say so."""

    tokens: dict[str, float]
    """prompt, sampled, trained; of a flow points (see RunData.unit)."""
    seconds: dict[str, float]
    """Per phase."""
    model: Model | None
    wall_seconds: float | None
    """From the first event to the last; pauses between a stop and a resume included."""

    @property
    def flops(self) -> float | None:
        """2 N per prompt or sampled token, 6 N per trained token (4 N and 2 of what is trained); attention is left out."""
        if self.model is None or not self.tokens:
            return None
        return fsum(self.model.flops(kind, self.tokens.get(kind, 0)) for kind in ("prompt", "sampled", "trained"))


def summarise(run_folder: Path) -> dict[str, Any]:
    """Headline numbers of a run folder as plain data, ready for JSON.

    Returns:
        `verdict`, a sentence; `status`; `steps`; `first_evaluation`, `last_evaluation` (steps or None); `measures`, one
        dictionary per `Measure` with its `finding`; `tokens`, `seconds`, `flops`; `speed`, one dictionary per
        `PhaseSpeed` with its `ratio`; `num_warnings`; `lines`, the same as text for a terminal.

    Raises:
        FileNotFoundError: run_folder is not a folder.
    """
    run = load_run(run_folder)
    measures = compare_evaluations(run)
    used = cost(run)
    found_speed = speed(run)
    steps = sorted(run.evaluations)
    return {
        "verdict": verdict(run, measures),
        "status": status(run),
        "steps": run.num_steps,
        "first_evaluation": steps[0] if steps else None,
        "last_evaluation": steps[-1] if steps else None,
        "measures": [finite(asdict(measure)) | {"finding": measure.finding} for measure in measures],
        "tokens": used.tokens,
        "seconds": used.seconds,
        "flops": used.flops,
        "num_warnings": sum(event.get("event") == "warning" for event in run.events),
        "speed": [finite(asdict(row)) | {"ratio": row.ratio} for row in found_speed.rows],
        "lines": [
            verdict(run, measures),
            *_won_lines(run),
            *(f"Careful: {told}." for told in ungraded_lines(run.events) if f"{told}." != verdict(run, measures)),
            *(_line(measure) for measure in measures if "=" not in measure.name),
            *(line.sentence for line in told_by_judges(run)),
            *scorer_lines(run.events),
            *filter(None, [speed_line(found_speed)]),
        ],
    }


def status(run: RunData) -> Status:
    """Where a run stands, by the last thing that it said."""
    for event in reversed(run.events):
        if event.get("event") == "finish":
            return "finished"
        if event.get("event") in ("interrupt", "interrupted"):
            return "interrupted"
        if event.get("event") in ("start", "resume", "step"):
            break
    return "unfinished" if run.num_steps else "begun"


def planned_steps(run: RunData) -> int | None:
    """Steps that the configuration asks for, if it says."""
    value = find(run.config, "num_steps", "steps")
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def compare_evaluations(run: RunData) -> list[Measure]:
    """First and last evaluation side by side: the score overall and per tag, then thinking, language and length, and the
    behaviours of reasoning that appear in either."""
    if not run.evaluations:
        return []
    steps = sorted(run.evaluations)
    before = run.evaluations[steps[0]]
    after = run.evaluations[steps[-1]] if len(steps) > 1 else []
    if "clip" in (before + after)[0]:
        others = {name.removeprefix("score/"): 1 for row in (before + after)[:1] for name in row if name.startswith("score/")}
        ways = _OF_CLIPS | {name: way for name, way in others.items() if name not in _OF_CLIPS and not name.startswith("model_")}
        told = [_measure(name, f"Score: {name}", before, after, _value_of(name), way) for name, way in ways.items()]
        return [measure for measure in told if measure.before or measure.after]
    column = quality_column(before + after)
    name = column.removeprefix("score/")
    label = "Accuracy" if name == "accuracy" else f"Score: {name}"
    writes = _makes(run) != "reward model"  # what it scores says nothing of how it thinks, or at what length
    if not writes:  # the second response of a pair has no verdict of its own
        before, after = ([row for row in rows if row.get(column) is not None] for rows in (before, after))
    measures = [_measure(name, label, before, after, lambda row: row.get(column), 1)]
    for tag, value in tag_values(before + after):
        chosen = [[row for row in rows if tags_and_language(row).get(tag) == value] for rows in (before, after)]
        measures.append(_measure(f"{name}/{tag}={value}", f"{tag} = {value}", *chosen, lambda row: row.get(column), 1))
    others: list[tuple[str, str, Callable[[Row], float | None], int]] = [
        ("thinks", "Share that thinks", thinks, 0),
        ("off_language", "Thought in another language", lambda row: row.get("off_language"), -1),
        ("answer_off_language", "Answer in another language, without a thought", _answer_off_language, -1),
        ("length_mean", "Length in tokens", _length, 0),
        ("truncated", "Cut off before the end", _is_cut, -1),
    ]
    if sum(row.get("off_language") is not None for row in before + after) >= sum(
        _answer_off_language(row) is not None for row in before + after
    ):  # a few answers beside thoughts say nothing
        others = [one for one in others if one[0] != "answer_off_language"]
    if writes:
        measures += [_measure(key, text, before, after, value, direction) for key, text, value, direction in others]
        shown = [_measure(key, text, before, after, value, way) for key, text, value, way in behaviour_values()]
        measures += [one for one in shown if any(side and side.value for side in (one.before, one.after))]  # that appear
    return [measure for measure in measures if measure.before or measure.after]


def _answer_off_language(row: Row) -> float | None:
    share = as_number(row.get("score/language"))
    return None if share is None or row.get("thinks") else 1.0 - share


def _value_of(name: str) -> Callable[[Row], float | None]:
    return lambda row: as_number(row.get(f"score/{name}"))


def verdict(run: RunData, measures: Sequence[Measure]) -> str:
    """What the run showed, in one or two sentences: what it says that it found, where it does, else by its evaluations."""
    if found := next((str(e.get("message")) for e in reversed(run.events) if e.get("event") == "finding"), None):
        return found
    if not measures and find(run.config, "recipe") == "redteam":
        return "This run searched for prompts that break a model and trained nothing: redteam.json has what it found."
    if not measures and _makes(run) == "data":
        return (
            "This run made data and trained nothing: what it kept, and why not more, is in the card beside this report."
        )
    if not measures and (told := _last(run, "eval/pair_accuracy")) is not None:
        before = _last(run, "eval/pair_accuracy", first=True)
        return f"Held-out pairs told right, mean over heads: {fmt.percent(before)} before, {fmt.percent(told)} after training."
    if not measures:
        missing = "No evaluation on held-out problems, so nothing can be said about accuracy."
        return f"{missing} {_reward_sentence(run)}".strip()
    told = ungraded_lines(run.events)
    if told and measures[0].name in _OF_TEXTS:  # no score at all: a headline on how it thinks would hide that
        return f"{told[-1]}."
    first = measures[0]
    noun = "Held-out accuracy" if first.name == "accuracy" else f"The held-out score “{first.name}”"
    show = fmt.percent if first.is_share else fmt.number
    if first.before is None or first.after is None or first.change is None:
        known = first.before or first.after
        if known is None:
            return f"{noun} could not be measured on any problem."
        at = min(run.evaluations) if first.before else max(run.evaluations)
        when = "before training" if at == 0 else f"at step {at}"
        bounds = fmt.interval(known.low, known.high, is_share=first.is_share)
        why = "first and last evaluation share no problem" if first.before and first.after else "there is no other yet"
        if len(run.evaluations) > 1 and not (first.before and first.after):
            why = "no rollout of the other evaluation could be graded"
        evidence = ", ".join(filter(None, [f"95 % interval {bounds}" if bounds else "", f"n = {known.n}"]))
        if find(run.config, "recipe") == "evaluate":
            return f"{noun} is {show(known.value)} ({evidence})."
        return f"{noun} is {show(known.value)} {when} ({evidence}). Nothing to compare with: {why}."
    shown = fmt.points(first.change.value) if first.is_share else fmt.signed(first.change.value)
    return change_sentence(
        noun, show(first.before.value), show(first.after.value), first.change, shown, is_share=first.is_share
    )


def change_sentence(noun: str, before: str, after: str, change: Difference, shown: str, *, is_share: bool) -> str:
    """Held-out accuracy rose from 12 % to 34 % (+22 points, 95 % interval [18, 26], n = 120).

    Args:
        before, after: the values, as text.
        shown: the value of the change, as text.
    """
    bounds = fmt.interval(change.low, change.high, is_share=is_share)
    evidence = ", ".join(filter(None, [shown, f"95 % interval {bounds}" if bounds else "", f"n = {change.n}"]))
    if change.sign:
        return f"{noun} {'rose' if change.sign > 0 else 'fell'} from {before} to {after} ({evidence})."
    return f"{noun} did not change measurably: {before} before, {after} after ({evidence})."


def cost(run: RunData) -> Cost:
    """Tokens from the events where they count them, else from the metrics; seconds from the events."""
    tokens: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for event in run.events:
        phases = event.get("seconds")
        for phase, value in (phases if isinstance(phases, dict) else {str(event.get("event")): phases}).items():
            _add(seconds, str(phase), value)
        counts = event.get("tokens")
        for kind, value in counts.items() if isinstance(counts, dict) else ():
            _add(tokens, str(kind), value)
    if not tokens:
        for line in run.metrics:
            for kind in ("prompt", "sampled", "trained"):
                _add(tokens, kind, line.get(f"tokens/{kind}"))
    times = [time for event in run.events if (time := event_time(event))]
    return Cost(
        tokens=tokens,
        seconds=seconds,
        model=model_of(run.environment.get("model")),
        wall_seconds=(max(times) - min(times)).total_seconds() if len(times) > 1 else None,
    )


def quality_column(rows: Sequence[Row]) -> str:
    """The column that says how good a rollout is: the accuracy, else the first score, else the reward."""
    names = {name: None for row in rows for name in row}
    if "score/accuracy" in names:
        return "score/accuracy"
    scores = (name for name in names if name.startswith("score/"))
    return next((name for name in scores if name.removeprefix("score/") not in {*GOLD, *OTHERS}), "reward")


def tag_values(rows: Sequence[Row]) -> list[tuple[str, Any]]:
    """Tags worth a row each, in order: those that take more than one value and not too many."""
    found: dict[str, dict[Any, None]] = {}
    for row in rows:
        for tag, value in tags_and_language(row).items():
            if isinstance(value, (str, int, float, bool)):
                found.setdefault(tag, {})[value] = None
    return [
        (tag, value)
        for tag, values in found.items()
        if 1 < len(values) <= _MAX_TAG_VALUES
        for value in sorted(values, key=lambda value: (isinstance(value, str), value))
    ]


def thinks(row: Row) -> float | None:
    """1.0 for a closed thought with something in it; None where the rollout failed.

    A row without a `thinks` of its own is judged by its trace state; empty thoughts are then seen in <think> tags only.
    """
    if row.get("failure"):
        return None
    if row.get("thinks") is not None:
        return float(row["thinks"])
    is_closed = row.get("trace_state") in ("closed", "no_open_tag")
    return float(is_closed and not re.search(r"(<think>|^)\s*</think>", row.get("text") or ""))


def _length(row: Row) -> float | None:
    return None if row.get("failure") else row.get("num_tokens")


def _is_cut(row: Row) -> float | None:
    return None if row.get("failure") else float(row.get("stop_reason") in ("length", "timeout"))


def _measure(
    name: str,
    label: str,
    before: Sequence[Row],
    after: Sequence[Row],
    value: Callable[[Row], float | None],
    direction: int,
) -> Measure:
    sides, clusters = [_values_by_problem(rows, value) for rows in (before, after)], clusters_of([*before, *after])
    is_share = name != "length_mean" and all(0 <= x <= 1 for side in sides for xs in side.values() for x in xs)
    estimates = [
        estimate(side, len(rows), is_share, clusters) for side, rows in zip(sides, (before, after), strict=True)
    ]
    shared = [problem for problem in sides[0] if problem in sides[1]]
    means = [[fsum(side[problem]) / len(side[problem]) for problem in shared] for side in sides]
    change = paired_difference(*means, clusters=[clusters[problem] for problem in shared]) if shared else None
    change = replace(change, n=len(shared)) if change else None
    return Measure(name, label, is_share, direction, estimates[0], estimates[1], change)


def _values_by_problem(rows: Sequence[Row], value: Callable[[Row], float | None]) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {}
    for row in rows:
        x = value(row)
        if x is not None and isfinite(x):
            values.setdefault(str(row.get("problem_id")), []).append(float(x))
    return values


def estimate(
    values: Mapping[str, Sequence[float]], num_rows: int, is_share: bool, clusters: Mapping[str, str] | None = None
) -> Estimate | None:
    """The mean over all values with its interval; None without any.

    Args:
        values: of the rollouts of each problem.
        num_rows: rollouts that were asked.
        is_share: every value is within 0..1.
        clusters: by problem; problems of one cluster are not independent. None: each is its own.
    """
    flat = [x for xs in values.values() for x in xs]
    if not flat:
        return None
    alike = [clusters[problem] if clusters else problem for problem, xs in values.items() for _ in xs]
    if is_share:
        share = rate(flat, alike)
        return Estimate(share.value, share.low, share.high, len(values), num_rows - len(flat))
    low, high = clustered_interval(flat, alike)
    return Estimate(fsum(flat) / len(flat), low, high, len(values), num_rows - len(flat))


def _last(run: RunData, name: str, *, first: bool = False) -> float | None:
    """A metric's value in the last (or the first) step that has it."""
    values = [line[name] for line in run.metrics if name in line]
    return values[0 if first else -1] if values else None


def _won_lines(run: RunData) -> list[str]:
    """Of a flow the share of its clips that beat those of the start."""
    for name, by in (("win_rate", "in true quality"), ("win_reward", "by the reward")):
        value, low, high = (_last(run, f"eval/{name}{end}") for end in ("", "_low", "_high"))
        if run.num_steps and value is not None and low is not None and high is not None:
            bounds = fmt.interval(low, high, is_share=True)
            return [f"Clips that beat the start's of the same noise {by}, an equal one half: {fmt.percent(value)} {bounds}"]
    return []


def _reward_sentence(run: RunData) -> str:
    rewards = [line["reward/mean"] for line in run.metrics if "reward/mean" in line]
    if not rewards:
        return ""
    steps = "1 step" if len(rewards) == 1 else f"{len(rewards)} steps"
    return f"The mean training reward went from {fmt.number(rewards[0])} to {fmt.number(rewards[-1])} in {steps}."


def _line(measure: Measure) -> str:
    show = fmt.percent if measure.is_share else fmt.number
    sides = []
    for side in (measure.before, measure.after):
        if side is not None:
            bounds = fmt.interval(side.low, side.high, is_share=measure.is_share)
            sides.append(f"{show(side.value)} {bounds}".strip() + f", n = {side.n}")
    return f"{measure.label}: {' -> '.join(sides)}" + (f" ({measure.finding})" if measure.change else "")


def _add(totals: dict[str, float], name: str, value: Any) -> None:
    if is_number(value):
        totals[name] = totals.get(name, 0) + value


def finite(value: Any) -> Any:
    """The same with None for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not isfinite(value) else value


def _makes(run: RunData) -> str | None:
    """What the run's recipe makes; None of one that is not known here."""
    recipe = RECIPES.get(str(find(run.config, "recipe")))
    return recipe.makes if recipe is not None else None

"""What the report draws: named series over the steps, each with a unit and what to look for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sanmai.report.load import RunData, clusters_of, is_number
from sanmai.report.summary import quality_column
from sanmai.rewards.opinions import OTHERS
from sanmai.stats import rate
from sanmai.types import KL_METRICS

Point = tuple[float, float]
"""Step and value."""

_MAX_POINTS = 600
_MAX_SERIES = 6
_MAX_UNKNOWN = 12


@dataclass(frozen=True)
class Series:
    """One line of a chart, with an interval band where low and high are given."""

    name: str
    points: list[Point]
    low: list[float] | None = None
    high: list[float] | None = None


@dataclass(frozen=True)
class Curve:
    """One chart; the x axis is the step."""

    title: str
    unit: Literal["share", ""] | str
    hint: str
    """What to look for."""
    series: list[Series]
    area: str = "Learning"
    """The heading it stands under."""


# (title, unit, what to look for, heading, [(metric, name of the line)])
_KNOWN: list[tuple[str, str, str, str, list[tuple[str, str]]]] = [
    ("Completion length", "tokens", "Grows when the policy learns to think longer; a sudden fall is a shortcut.",
     "Behaviour", [("rollout/length_mean", "training"), ("eval/length_mean", "held-out")]),
    ("Preference", "nats", "Implicit rewards of the pairs before each update; both falling together is a warning.", "Learning",
     [("preference/margin", "margin"), ("preference/reward_chosen", "chosen"), ("preference/reward_rejected", "rejected")]),
    ("Clips that beat the start's", "share", "By truth, from the same noise, ties half; 50 % is no change. Harm beside it.",
     "Learning", [("eval/win_rate", "won"), ("eval/win_visual", "visual"), ("eval/win_motion", "motion"),
                  ("eval/win_alignment", "alignment"), ("eval/harm", "harmful")]),
    ("Quality of clips", "deviations", "True scores. A sum hides one that falls while another rises.", "Learning",
     [("eval/quality", "quality"), ("eval/visual", "visual"), ("eval/motion", "motion"), ("eval/alignment", "alignment")]),
    ("Diversity of clips", "grey", "Deviation of a pixel over the clips of a prompt. Near 0: one clip for all.", "Behaviour",
     [("eval/diversity", "clips")]),
    ("Thinking share", "share", "Rollouts with a closed thought that is not empty. Should go to 100 %.",
     "Behaviour", [("rollout/thinks", "training"), ("eval/thinks", "held-out")]),
    ("Language mixing", "share", "Words of the thought in another language than the prompt; of an answer without one.",
     "Behaviour", [("rollout/off_language", "training"), ("eval/off_language", "held-out"),
                   ("rollout/answer_off_language", "answers, training"),
                   ("eval/answer_off_language", "answers, held-out")]),
    ("Lost rollouts", "share", "Cut off before the end, ungradable or failed. Should stay near zero.", "Behaviour",
     [("rollout/truncated", "cut off"), ("rollout/ungradable", "ungradable"), ("rollout/failed", "failed")]),
    ("Zero-signal groups", "share", "All rewards equal, so nothing to learn. Near 100 %: too easy or too hard.",
     "Optimisation and speed", [("rollout/zero_signal_groups", "groups")]),
    ("Entropy", "nats per token", "A fall to zero means the policy stopped exploring.",
     "Optimisation and speed", [("policy/entropy", "entropy")]),
    ("KL to the reference", "nats per token", "How far the policy moved. A jump often comes before a collapse.",
     "Optimisation and speed", [(name, f"KL ({name.rpartition('_')[2]})") for name in KL_METRICS]),
    ("Clip fraction", "share", "Tokens whose gradient was cut, or more than halved. Above some 20 %: steps are too large.",
     "Optimisation and speed", [("policy/clip_fraction", "tokens")]),
    ("Gradient norm", "L2, before clipping", "Spikes point at a bad batch.",
     "Optimisation and speed", [("policy/grad_norm", "norm")]),
    ("Log-prob mismatch", "nats, largest", "Sampler against trainer. Should be tiny, or they run different models.",
     "Optimisation and speed", [("policy/logp_mismatch_max", "gap")]),
    ("Learning rate", "", "The schedule as it was applied.", "Optimisation and speed", [("optimizer/lr", "rate")]),
]

AREAS = ("Learning", "Behaviour", "Constraints", "Optimisation and speed", "Other metrics")
_CONSTRAINTS = {
    "harm": ("Harm", "share"), "over_refusal": ("Over-refusal", "share"), "unhelped": ("Unhelped", "share"),
    "off_language": ("Language mixing", "share"), "stillness": ("Clips in which nothing moves", "share"),
    "sameness": ("Diversity lost", "share of the start's"),
    "length": ("Completion length", "tokens"), "kl": ("KL to the reference", "nats per token"),
}  # fmt: skip
"""What a constraint limits, and its unit."""
_PROXIES = (
    ("Refusal as rewarded, and harm", "The reward rises and the harm does not fall: the reward is being tricked.",
     [("reward/refusal", "proxy: refusal"), ("reward/harm", "harm, training"), ("eval/harm", "harm, held-out")]),
    ("Helpfulness as rewarded, and help", "What is really given should follow what is rewarded.",
     [("reward/helpfulness", "proxy: helpfulness"), ("reward/helped", "helped, training"), ("eval/helped", "helped, held-out")]),
)  # fmt: skip
"""A reward, and the gold that it stands for."""
_GOLD = frozenset({"harm", "answer_harm", "thought_harm", "helped", "over_refusal"}) | OTHERS
"""Scores that are stored among the rewards and are never one."""


def curves(run: RunData) -> list[Curve]:
    """The charts that a run has data for, by area; metrics that no chart knows come last, one chart each."""
    names = list(dict.fromkeys(name for line in run.metrics for name in line if name != "step"))
    drawn = [_accuracy(run), _rewards(run, names), *_proxies(run, names), *_accuracy_by_tag(run, names)]
    for title, unit, hint, area, lines in _KNOWN:
        drawn.append(Curve(title, unit, hint, [Series(label, _points(run, name)) for name, label in lines], area))
    losses = [name for name in names if name.startswith("loss/")]
    parts = [Series(_tail(name), _points(run, name)) for name in losses[:_MAX_SERIES]]
    hint = "By component, weighted. Its size says little in RL; look for jumps."
    drawn.append(Curve("Loss", "nats", hint, parts, "Optimisation and speed"))
    drawn += [_speed(run), *_constraints(run)]
    known = {name for entry in _KNOWN for name, _ in entry[4]} | {"rollout/length_max", "auxiliary_sft/weight"}
    drawn_elsewhere = ("reward/", "eval/", "loss/", "tokens/", "probe/", "multiplier/")
    unknown = [name for name in names if name not in known and not name.startswith(drawn_elsewhere)][:_MAX_UNKNOWN]
    drawn += [Curve(name, "", "", [Series(name, _points(run, name))], "Other metrics") for name in unknown]
    present = [
        Curve(c.title, c.unit, c.hint, series, c.area) for c in drawn if (series := [s for s in c.series if s.points])
    ]
    return sorted(present, key=lambda curve: AREAS.index(curve.area))


def metric_of_limit(name: str, lines: Sequence[Mapping[str, Any]]) -> str:
    """The metric that says what a limit is about; the KL has no probe: it is measured on what is trained on."""
    if name != "kl":
        return f"probe/{name}"
    return next((metric for metric in KL_METRICS if any(metric in line for line in lines)), KL_METRICS[0])


def limits_of(config: Mapping[str, Any]) -> dict[str, float]:
    """The limits of a run's constraints by measure; nothing where it has none."""
    constraints = config.get("constraints")
    parts = constraints.items() if isinstance(constraints, Mapping) else ()
    return {name: part["limit"] for name, part in parts if isinstance(part, Mapping) and is_number(part.get("limit"))}


def _accuracy(run: RunData) -> Curve:
    """Held-out accuracy with its interval from the evaluation files, without one where only the metric is left."""
    column = quality_column([row for rows in run.evaluations.values() for row in rows[:1]])
    alike = clusters_of([row for rows in run.evaluations.values() for row in rows if row.get("prompt")])
    points: list[Point] = []
    low: list[float] = []
    high: list[float] = []
    for step, rows in sorted(run.evaluations.items()):
        graded = [row for row in rows if row.get(column) is not None]
        if graded and all(0 <= row[column] <= 1 for row in graded):
            problems = [str(row.get("problem_id")) for row in graded]
            estimate = rate([float(row[column]) for row in graded], [alike.get(name, name) for name in problems])
            points.append((step, estimate.value))
            low.append(estimate.low)
            high.append(estimate.high)
    hint = "The number that matters: problems never trained on. The band is the 95 % interval."
    if not points:
        return Curve("Held-out accuracy", "share", hint, [Series("held-out", _points(run, "eval/accuracy"))])
    name = column.removeprefix("score/")
    title = "Held-out accuracy" if name == "accuracy" else f"Held-out score: {name}"
    return Curve(title, "share", hint, [Series("held-out", points, low, high)])


def _rewards(run: RunData, names: Sequence[str]) -> Curve:
    total = _points(run, "reward/mean")
    components = [n for n in names if n.startswith("reward/") and not n.startswith("reward/mean") and _tail(n) not in _GOLD]
    parts = [Series(_tail(name), _points(run, name)) for name in components]
    # A rubric of one reward draws the same line twice.
    parts = [part for part in parts if part.points != total][: _MAX_SERIES - 1]
    hint = "What training pushes up. A component that falls while the total rises is paying for it."
    return Curve("Training reward", "mean score", hint, [Series("total", total), *parts])


def _proxies(run: RunData, names: Sequence[str]) -> list[Curve]:
    """A reward beside the gold that it stands for, where both are on record."""
    return [
        Curve(title, "share", hint, [Series(label, _points(run, name)) for name, label in lines])
        for title, hint, lines in _PROXIES
        if lines[0][0] in names and lines[1][0] in names
    ]


def _constraints(run: RunData) -> list[Curve]:
    """Each limited measure beside its limit, then the multipliers and the weight of the auxiliary SFT loss that they add to."""
    limits = limits_of(run.config)
    drawn = []
    for name, (label, unit) in _CONSTRAINTS.items():
        measured = _points(run, metric_of_limit(name, run.metrics))
        if not measured or (name == "kl" and name not in limits):
            continue
        bound = [Series("limit", [(step, limits[name]) for step, _ in measured])] if name in limits else []
        where = "the rollouts trained on" if name == "kl" else "the probe prompts"
        hint = f"On {where}. Its multiplier grows above the limit and shrinks below it."
        drawn.append(Curve(f"{label} against its limit", unit, hint, [Series("measured", measured), *bound], "Constraints"))
    parts = [Series(label, _points(run, f"multiplier/{name}")) for name, (label, _) in _CONSTRAINTS.items()]
    parts.append(Series("weight of the auxiliary SFT loss", _points(run, "auxiliary_sft/weight")))
    hint = "What each limit adds to the weight that it drives. At its maximum for long: the limit cannot be kept this way."
    return [*drawn, Curve("Multipliers", "", hint, parts, "Constraints")]


def _accuracy_by_tag(run: RunData, names: Sequence[str]) -> list[Curve]:
    by_tag: dict[str, list[str]] = {}
    for name in names:
        if name.startswith("eval/accuracy/") and "=" in name:
            by_tag.setdefault(_tail(name).partition("=")[0], []).append(name)
    return [
        Curve(
            f"Held-out accuracy by {tag}", "share", "Where the gain comes from.",
            [Series(_tail(name).partition("=")[2], _points(run, name)) for name in sorted(members)[:_MAX_SERIES]],
        )
        for tag, members in by_tag.items()
        if len(members) > 1
    ]


def _speed(run: RunData) -> Curve:
    rates: dict[float, float] = {}
    for event in run.events:
        tokens, seconds, step = event.get("tokens"), event.get("seconds"), event.get("step", 0)
        if event.get("event") != "step" or not isinstance(tokens, dict) or not isinstance(seconds, dict):
            continue
        sampled, sampling = tokens.get("sampled"), seconds.get("sampling")
        if is_number(step) and is_number(sampled) and is_number(sampling) and sampling > 0:
            rates[step] = sampled / sampling
    series = [Series("sampling", sorted(rates.items()))]
    return Curve("Sampling speed", f"{run.unit}/s", "Falls as completions grow longer.", series, "Optimisation and speed")


def _points(run: RunData, name: str) -> list[Point]:
    points = [(line["step"], line[name]) for line in run.metrics if name in line]
    if len(points) <= _MAX_POINTS:
        return points
    last = len(points) - 1
    return [points[round(i * last / (_MAX_POINTS - 1))] for i in range(_MAX_POINTS)]


def _tail(name: str) -> str:
    return name.rpartition("/")[2] if "=" not in name else name.split("/", 2)[-1]

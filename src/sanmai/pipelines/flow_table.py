"""Arms of a flow set against each other: win rates, harm, what the reward model says, and which expected orders appeared."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from sanmai.instruments.measures import Row
from sanmai.learn.progress import Progress
from sanmai.pipelines.graph import Graph
from sanmai.pipelines.length_table import read_evaluation, write_both
from sanmai.stats import Difference, Rate, paired_difference, rate
from sanmai.train.digests import require_whole
from sanmai.types import InputError

QUALITY = ("visual", "motion", "alignment")
_TOLD = tuple(f"score/model_{name}" for name in QUALITY)
_COLUMNS = ("problem_id", "sample", "kind", "score/quality", "score/harm", *(f"score/{name}" for name in QUALITY), *_TOLD)
_NEAR = 0.05
"""Win rates whose difference has its whole interval within this are called equal."""
Clip = tuple[int, str, int]
"""Seed, prompt and sample: clips of one such name began from the same noise in every arm."""


@dataclass(frozen=True)
class ArmRows:
    """An arm's evaluations of every seed: the base's clips and the arm's from the same noise."""

    base: Mapping[Clip, Row]
    own: Mapping[Clip, Row]
    diversity: tuple[float, ...]
    """By seed."""


@dataclass(frozen=True)
class ArmFigures:
    """What is said of an arm; shares are 0..1, intervals 95 % and clustered by prompt."""

    arm: str
    title: str
    win: Rate
    """Against the base, by the truth; an equal one is half a win."""
    win_by_seed: tuple[float, ...]
    wins: dict[str, float]
    """By dimension."""
    told_win: float | None
    """By the reward model: what lies between the two is what the reward model does not see, or was talked into."""
    harm: float
    harm_change: Difference
    harm_asked_change: Difference | None
    """Of prompts that ask for what is forbidden (kind safety), where a world has such."""
    diversity: float


@dataclass(frozen=True)
class Order:
    """An expected order and what was found; the interval is paired on the same noise and clustered by prompt."""

    expected: str
    difference: Difference
    verdict: str


def figures_of(arm: str, title: str, rows: ArmRows) -> ArmFigures:
    """Figures of one arm; InputError where nothing of it was graded."""
    won = wins_of(rows, "score/quality")
    if not won:
        raise InputError(f"arm {arm}: none of its clips could be judged")
    names = list(won)
    by_seed = {seed: [won[name] for name in names if name[0] == seed] for seed in dict.fromkeys(name[0] for name in names)}
    by_dimension = {name: list(wins_of(rows, f"score/{name}").values()) for name in QUALITY}
    told = {name: _told(rows.own[name]) for name in names}, {name: _told(rows.base[name]) for name in names}
    both = [(a, b) for name in names if (a := told[0][name]) is not None and (b := told[1][name]) is not None]
    harm = {name: row["score/harm"] for name, row in rows.own.items() if row.get("score/harm") is not None}
    return ArmFigures(
        arm, title, rate([won[name] for name in names], [name[1] for name in names]),
        tuple(fmean(own) for own in by_seed.values()), {name: fmean(own) for name, own in by_dimension.items() if own},
        fmean(_won(a, b) for a, b in both) if both else None, fmean(harm.values()) if harm else math.nan,
        _paired(_harms(rows.base), _harms(rows.own)), _asked(rows), fmean(rows.diversity) if rows.diversity else math.nan,
    )


def orders_of(rows_of: Mapping[str, ArmRows]) -> list[Order]:
    """What published work and the testbed's first figures let one expect, and what these runs say of it."""
    wins = {arm: wins_of(rows, "score/quality") for arm, rows in rows_of.items()}
    harms = {arm: _harms(rows.own) for arm, rows in rows_of.items()}
    bases = {arm: _harms(rows.base) for arm, rows in rows_of.items()}
    found = []

    def larger(expected: str, before: Mapping[Clip, float] | None, after: Mapping[Clip, float] | None) -> None:
        if before and after:
            change = _paired(before, after)
            found.append(Order(expected, change, {1: "appears", -1: "the opposite appears", 0: "undecided"}[change.sign]))

    def equal(expected: str, one: Mapping[Clip, float] | None, other: Mapping[Clip, float] | None) -> None:
        if one and other:
            change = _paired(one, other)
            is_equal = change.low >= -_NEAR and change.high <= _NEAR
            moved = {1: "better", -1: "worse", 0: "undecided"}[change.sign]
            found.append(Order(expected, change, "appears" if is_equal else moved))

    larger("Flow-DPO wins more than Flow-RWR", wins.get("rwr"), wins.get("dpo"))
    larger("Flow-RWR wins more than SFT on its own winners", wins.get("sft"), wins.get("rwr"))
    larger("Flow-DPO wins more than SFT on its own winners", wins.get("sft"), wins.get("dpo"))
    larger("SFT on curated clips wins more than Flow-DPO", wins.get("dpo"), wins.get("curated"))
    larger("Flow-DPO after curated SFT wins more than Flow-DPO", wins.get("dpo"), wins.get("curated_dpo"))
    larger("Flow-DPO by quality raises harm", bases.get("dpo"), harms.get("dpo"))
    larger("pairs by harm first have less harm than Flow-DPO", harms.get("harm_first"), harms.get("dpo"))
    equal("pairs by harm first win as often as Flow-DPO", wins.get("dpo"), wins.get("harm_first"))
    larger("a limit on harm has less of it than Flow-DPO", harms.get("constrained"), harms.get("dpo"))
    equal("a limit on harm wins as often as Flow-DPO", wins.get("dpo"), wins.get("constrained"))
    larger("Flow-GRPO by quality raises harm", bases.get("grpo"), harms.get("grpo"))
    larger("Flow-GRPO with harm taken off has less harm", harms.get("grpo_penalty"), harms.get("grpo"))
    equal("Flow-GRPO with harm taken off wins as often", wins.get("grpo"), wins.get("grpo_penalty"))
    larger("guidance by quality raises harm", bases.get("guided"), harms.get("guided"))
    larger("guidance that shuns harm has less of it", harms.get("guided_safe"), harms.get("guided"))
    if {"guided", "guided_alignment"} <= set(rows_of):
        one, other = (
            {name: wins_of(rows_of[arm], f"score/{name}") for name in QUALITY} for arm in ("guided", "guided_alignment")
        )
        larger("guidance by alignment alone wins more in alignment", one["alignment"], other["alignment"])
        larger("guidance by alignment alone wins less in visual quality", other["visual"], one["visual"])
    return found


def wins_of(rows: ArmRows, column: str) -> dict[Clip, float]:
    """By clip 1 where the arm's is better than the base's of the same noise, 0 where worse, 1/2 where equal."""
    found = {}
    for name, own in rows.own.items():
        base = rows.base.get(name)
        if base is not None and own.get(column) is not None and base.get(column) is not None:
            found[name] = _won(own[column], base[column])
    return found


def ties_of(metrics: Mapping[str, Sequence[Mapping[str, float]]]) -> list[dict[str, Any]]:
    """With and without ties on the same pairs: means over seeds, and the difference with its interval over seeds.

    Args:
        metrics: the last evaluation of each seed, by "ties" and "bradley_terry".
    """
    found = []
    for name, label in (("eval/tie_accuracy", "told right, ties among them"), ("eval/pair_accuracy", "told right, without ties")):
        with_ties, without = ([one[name] for one in metrics[loss]] for loss in ("ties", "bradley_terry"))
        change = paired_difference(without, with_ties, range(len(without)))
        found.append({
            "measure": label, "ties": fmean(with_ties), "bradley_terry": fmean(without), "seeds": len(without),
            "deviation": [stdev(v) if len(v) > 1 else None for v in (with_ties, without)],
            "difference": asdict(change),
        })  # fmt: skip
    return found


def write_table(
    stages: Graph, arms: Sequence[str], seeds: Sequence[int], titles: Mapping[str, str], tie_seeds: Sequence[int],
    progress: Progress,
) -> None:
    """Write flow_compare.json and flow_compare.md of the arms that are finished for every seed, and say what they say."""
    rows_of = {arm: rows for arm in arms if (rows := _read(stages, arm, seeds)) is not None}
    waiting = [arm for arm in arms if arm not in rows_of]
    arms_found = [figures_of(arm, titles[arm], rows) for arm, rows in rows_of.items()]
    orders = orders_of(rows_of)
    ties = _read_ties(stages, tie_seeds)
    if not arms_found and not ties:
        return
    data = {
        "arms": [asdict(a) for a in arms_found], "orders": [asdict(o) for o in orders], "ties": ties, "seeds": list(seeds),
        "not_finished": waiting,
    }
    path = write_both(stages.folder, "flow_compare", _finite(data), _markdown(arms_found, orders, ties, seeds, waiting, rows_of))
    for arm in arms_found:
        progress.say(f"{arm.title}: wins {arm.win}, harm {100 * arm.harm:.1f} % ({_points(arm.harm_change)} points)")
    for order in orders:
        progress.say(f"{order.expected}: {order.verdict} ({_points(order.difference)} points)")
    for tie in ties:
        progress.say(f"{tie['measure'].capitalize()}: {_tie(tie)}")
    progress.say(f"Table: {path}")


def _read(stages: Graph, arm: str, seeds: Sequence[int]) -> ArmRows | None:
    """The evaluations of an arm; None where one of its seeds is not finished."""
    base, own, diversity = {}, {}, []
    for seed in seeds:
        if stages.state(f"{arm}-{seed}") != "finished":
            return None
        folder = stages.path(f"{arm}-{seed}")
        last = _last_metrics(folder)
        before = stages.path(f"curated-{seed}") if arm == "curated_dpo" else folder  # its own start is not the base
        for found, run, step in ((base, before, 0), (own, folder, int(last["step"]))):
            found |= {(seed, row["problem_id"], row["sample"]): row for row in read_evaluation(run, step, _COLUMNS)}
        diversity.append(last["eval/diversity"])
    return ArmRows(base, own, tuple(diversity))


def _read_ties(stages: Graph, seeds: Sequence[int]) -> list[dict[str, Any]]:
    names = {stage.name for stage in stages.stages}
    wanted = {loss: [f"{loss}-{seed}" for seed in seeds] for loss in ("ties", "bradley_terry")}
    if not all(name in names and stages.state(name) == "finished" for own in wanted.values() for name in own):
        return []
    return ties_of({loss: [_last_metrics(stages.path(name)) for name in own] for loss, own in wanted.items()})


def _last_metrics(folder: Path) -> dict[str, float]:
    """The newest line with an evaluation."""
    path = folder / "metrics.jsonl"
    require_whole(folder, path.name)
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return next(line for line in reversed(lines) if any(name.startswith("eval/") for name in line))
    except (OSError, ValueError, StopIteration) as error:
        raise InputError(f"{path}: cannot be read ({error}); do the stage again with --from") from None


def _markdown(
    arms: Sequence[ArmFigures], orders: Sequence[Order], ties: Sequence[Mapping[str, Any]], seeds: Sequence[int],
    waiting: Sequence[str], rows_of: Mapping[str, ArmRows],
) -> list[str]:
    count = len(next(iter(rows_of.values())).own) if rows_of else 0
    is_asked = any(arm.harm_asked_change is not None for arm in arms)  # some prompts ask for what is forbidden
    lines = [
        f"Seeds {', '.join(map(str, seeds))}; {count} clips an arm, each against the base's of the same noise; intervals 95 %, "
        "clustered by prompt. The reward model rewards, the world's truth judges.", "",
        "| arm | win rate | by seed | visual | motion | alignment | by the reward model | harm | change of harm | "
        + ("where it is asked for | " if is_asked else "") + "diversity |",
        "|---" * (11 if is_asked else 10) + "|",
    ]  # fmt: skip
    for arm in arms:
        wins = [f"{arm.wins[name]:.2f}" if name in arm.wins else "–" for name in QUALITY]
        cells = [
            arm.title, f"{arm.win.value:.3f} [{arm.win.low:.3f}, {arm.win.high:.3f}]",
            " ".join(f"{value:.2f}" for value in arm.win_by_seed), *wins,
            "–" if arm.told_win is None else f"{arm.told_win:.2f}", f"{arm.harm:.3f}", f"{_points(arm.harm_change)} points",
            *([f"{_points(arm.harm_asked_change)} points" if arm.harm_asked_change else "–"] if is_asked else []),
            f"{arm.diversity:.3f}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    if waiting:
        lines += ["", f"Not finished for every seed: {', '.join(waiting)}."]
    lines += [
        "", f"What appears does so with its whole interval: beyond zero, or, of what wins as often, within {100 * _NEAR:g} "
        "points; better and worse are beyond zero there. The rest is undecided.", "",
        "| expected | difference in points | found |", "|---|---|---|",
    ]  # fmt: skip
    lines += [f"| {order.expected} | {_points(order.difference)} | {order.verdict} |" for order in orders]
    lines += ["", *(f"{tie['measure'].capitalize()}: {_tie(tie)}" for tie in ties)] if ties else []
    return lines


def _tie(tie: Mapping[str, Any]) -> str:
    change = Difference(**tie["difference"])
    return (
        f"{tie['ties']:.3f} learned with ties, {tie['bradley_terry']:.3f} without; {_points(change)} points over "
        f"{tie['seeds']} seed{'s' if tie['seeds'] > 1 else ''}."
    )


def _points(change: Difference) -> str:
    return f"{100 * change.value:+.1f} [{100 * change.low:+.1f}, {100 * change.high:+.1f}]"


def _paired(before: Mapping[Clip, float], after: Mapping[Clip, float]) -> Difference:
    both = [name for name in before if name in after]
    return paired_difference([before[n] for n in both], [after[n] for n in both], [n[1] for n in both])


def _harms(rows: Mapping[Clip, Row]) -> dict[Clip, float]:
    return {name: row["score/harm"] for name, row in rows.items() if row.get("score/harm") is not None}


def _asked(rows: ArmRows) -> Difference | None:
    base, own = ({name: v for name, v in _harms(of).items() if of[name].get("kind") == "safety"} for of in (rows.base, rows.own))
    return _paired(base, own) if base and own else None


def _told(row: Row) -> float | None:
    values = [row.get(column) for column in _TOLD]
    return None if any(value is None for value in values) else sum(value for value in values if value is not None)


def _won(own: float, other: float) -> float:
    return 1.0 if own > other else 0.5 if own == other else 0.0


def _finite(value: Any) -> Any:
    """JSON knows no infinity: what has no bound is null."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

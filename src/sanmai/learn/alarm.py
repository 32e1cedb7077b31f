"""The alarm of a run: whether what is rewarded rises on held-out problems while what is wanted falls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydantic import Field

from sanmai.config import Config
from sanmai.data.testbeds import own_testbed
from sanmai.instruments.hacking import Evaluation, proxy_gold_alarm
from sanmai.learn.gold import GoldConfig
from sanmai.rewards.rubric import RewardsConfig
from sanmai.train.digests import require_whole
from sanmai.train.runs import Run
from sanmai.types import Graded, Group, Metrics, Problem

GOLD = {"safety": ("harm", -1.0), "general": ("helped", 1.0), "reasoning": ("accuracy", 1.0)}
"""By kind of problem: what is wanted, or, with -1, not wanted; of reasoning problems only where accuracy is not rewarded."""
_COLUMNS = ("problem_id", "sample", "kind", "reward")


class AlarmConfig(Config):
    window: int = Field(2, ge=1)
    """Evaluations from one end of a window to the other. The reward must have risen and the gold have fallen over a window, or
    since the first evaluation; a longer window sees smaller changes, and is the first to be judged later."""
    false_alarm_rate: float = Field(0.05, gt=0, lt=1)
    """Share of honest runs that may be flagged, whatever the number of evaluations; split evenly over the kinds of problems."""
    margin: float = Field(0.1, ge=0)
    """Smallest change that counts, in deviations of the first evaluation's items."""


def check_gold(
    rewards: RewardsConfig, gold: GoldConfig, held_out: Sequence[Problem], on_warning: Callable[[str], None]
) -> None:
    """Warn where the gold is what the policy is rewarded by: refusal rules outside the embedded world (rewards/harm.py)."""
    named = {"safety": gold.harm_from or gold.refusal_from, "general": gold.helped_from or gold.refusal_from}
    outside = {p.kind for p in held_out if p.kind != "reasoning" and own_testbed(p) is None}
    by_rules = sorted(kind for kind in outside if named[kind] is None)
    if by_rules and rewards.refusal and rewards.refusal_from == "rules":
        told = " and ".join(f"{GOLD[kind][0]} on {kind} prompts" for kind in by_rules)
        on_warning(
            f"evaluation.alarm: {told} is told by the refusal rules, which the policy is rewarded by (rewards.refusal) as well: "
            "it may learn what they do not see without an alarm; name another in evaluation.gold.harm_from and .helped_from "
            "or in .refusal_from"
        )


class HackingAlarm:
    """Compares reward and gold of the held-out problems after every evaluation; see instruments/hacking.py."""

    def __init__(self, config: AlarmConfig, run: Run, weights: Mapping[str, float], planned: int | None) -> None:
        """Args:
        weights: of the reward's components: one that is rewarded is no gold.
        planned: evaluations that the run will have; None where that is open.
        """
        self.config, self._run, self._planned = config, run, planned
        self._gold = {kind: gold for kind, gold in GOLD.items() if not weights.get(gold[0])}
        self._seen: dict[str, list[Evaluation]] = {kind: [] for kind in self._gold}
        self._items: dict[str, list[tuple[str, int]]] = {}
        self._is_flagged: set[str] = set()
        goes_on = run.start_step > 0 and not run.is_finished
        if goes_on:
            require_whole(run.folder, "evaluations/")
        for path in sorted((run.folder / "evaluations").glob("step-*.parquet")) if goes_on else ():
            self._add(int(path.stem.removeprefix("step-")), _stored(path, [name for name, _ in self._gold.values()]))
        for kind, seen in self._seen.items():  # what was said before a resume is not said again
            if self._flag(kind, seen) is not None:
                self._is_flagged.add(kind)

    def observe(self, step: int, groups: Sequence[Group[Graded]]) -> Metrics:
        """`alarm/KIND`: 1 from the evaluation on at which that kind of problems is flagged; a warning says so once."""
        self._add(step, _rows(groups))
        metrics: Metrics = {}
        for kind, seen in self._seen.items():
            if len(seen) < 2:
                continue
            flagged_at = self._flag(kind, seen)
            metrics[f"alarm/{kind}"] = float(flagged_at is not None)
            if flagged_at is not None and kind not in self._is_flagged:
                self._is_flagged.add(kind)
                name, sign = self._gold[kind]
                self._run.warn(
                    f"step {step}: reward hacking: on held-out {kind} prompts the reward rises while {name} "
                    f"{'falls' if sign > 0 else 'rises'} (held-out problems, false-alarm rate {self.config.false_alarm_rate:g})"
                )
        return metrics

    def _flag(self, kind: str, seen: Sequence[Evaluation]) -> int | None:
        found = proxy_gold_alarm(
            seen,
            window=self.config.window,
            false_alarm_rate=self.config.false_alarm_rate / len(self._gold),
            planned=None if self._planned is None else max(self._planned, self.config.window + 1, len(seen)),
            margin=self.config.margin,
            clusters=[problem for problem, _ in self._items[kind]] if seen else None,
        )
        return found.flagged_at

    def _add(self, step: int, rows: Iterator[dict[str, Any]]) -> None:
        by_kind: dict[str, dict[tuple[str, int], tuple[float | None, float | None]]] = {}
        for row in rows:
            if row["kind"] in self._gold:
                name, sign = self._gold[row["kind"]]
                value = row.get(f"score/{name}")
                key = row["problem_id"], row["sample"]
                by_kind.setdefault(row["kind"], {})[key] = row["reward"], None if value is None else sign * value
        for kind, found in by_kind.items():
            items = self._items.setdefault(kind, sorted(found))
            proxy, gold = zip(*(found.get(key, (None, None)) for key in items), strict=True)
            if any(x is not None for x in proxy) and any(x is not None for x in gold):
                self._seen[kind].append(Evaluation(step, proxy, gold))


def _rows(groups: Sequence[Group[Graded]]) -> Iterator[dict[str, Any]]:
    for group in groups:
        for r in group.rollouts:
            scores = {f"score/{name}": verdict.score for name, verdict in r.verdicts.items()}
            facts = {"problem_id": group.problem.id, "sample": r.sample, "kind": group.problem.kind, "reward": r.reward}
            yield facts | scores


def _stored(path: Path, gold: Sequence[str]) -> Iterator[dict[str, Any]]:
    file = pq.ParquetFile(path)
    names = [*_COLUMNS, *(f"score/{name}" for name in gold)]
    yield from file.read([name for name in names if name in file.schema_arrow.names]).to_pylist()

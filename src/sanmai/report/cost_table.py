"""The cost ledger of a folder for a terminal and as JSON (`sanmai cost`); instruments/cost.py computes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import fsum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sanmai.instruments.cost import (
    Cost,
    Ledger,
    QualityPerCost,
    Reached,
    Target,
    cost_to_reach,
    evaluation_change,
    quality_per_cost,
    read_ledger,
    read_run_files,
    training_part,
)
from sanmai.report import format as fmt
from sanmai.stats import Difference
from sanmai.types import InputError

if TYPE_CHECKING:
    from rich.console import Console

KINDS = ("prompt", "sampled", "trained", "auxiliary_sft", "probe", "evaluation")


class CostReport:
    """What a run or a pipeline cost, and, of a run, what it bought."""

    def __init__(self, folder: Path, *, price_per_hour: float | None = None, targets: Sequence[str] = ()) -> None:
        """Read a folder.

        Args:
            targets: conditions such as eval/accuracy>=0.8 that must hold together, of a run's metrics.

        Raises:
            InputError: the folder, the price or a target cannot be used.
        """
        if price_per_hour is not None and not 0 <= price_per_hour < float("inf"):
            raise InputError(f"--price-per-hour {price_per_hour}: expected a price of at least 0")
        self.name, self.price = Path(folder).resolve().name, price_per_hour
        self.ledger: Ledger = read_ledger(folder)
        self.quality: QualityPerCost | None = None
        self.targets = [Target.read(text) for text in targets]
        self.reached: Reached | None = None
        if self.ledger.is_pipeline:
            if targets:
                raise InputError(f"--target {targets[0]}: {folder} is a pipeline's folder; expected that of one run")
            return
        change = evaluation_change(folder)
        if change is not None:
            self.quality = quality_per_cost(change, training_part(self.ledger.total))
        if self.targets:
            files = read_run_files(folder)
            self.reached = cost_to_reach(self.targets, files.events, files.metrics, files.model)

    def to_json(self) -> dict[str, Any]:
        """Plain data: `costs` (one per stage, or the run), `total`, `quality` and `target` (null where there are none)."""
        quality = self.quality
        return {
            "name": self.name,
            "price_per_hour": self.price,
            "costs": [self._entry(cost) for cost in self.ledger.costs],
            "total": self._entry(self.ledger.total),
            "quality": quality and {
                "change": _difference(quality.change), "per_hour": _difference(quality.per_hour),
                "per_1e12_flops": _difference(quality.per_tera),
            },
            "target": {
                "conditions": [f"{t.metric}{t.relation}{t.value:g}" for t in self.targets],
                "reached": self.reached and {"step": self.reached.step, **self._entry(self.reached.cost)},
            } if self.targets else None,
        }  # fmt: skip

    def _entry(self, cost: Cost) -> dict[str, Any]:
        return {
            "name": cost.name, "recipe": cost.recipe, "unit": cost.unit, "steps": cost.num_steps, "hours": cost.hours,
            "tokens": dict(cost.tokens), "seconds": dict(cost.seconds), "flops": dict(cost.flops),
            "estimated": sorted(cost.estimated), "uncounted": sorted(cost.uncounted),
            "joules": dict(cost.joules) or None, "money": None if self.price is None else cost.money(self.price),
            "wasted": asdict(cost.wasted), "unreadable_lines": cost.unreadable,
        }  # fmt: skip

    def print(self, console: Console) -> None:
        """Tables and sentences."""
        (self._print_stages if self.ledger.is_pipeline else self._print_phases)(console)
        for line in self.lines:
            console.print(line, soft_wrap=True, highlight=False, markup=False)

    def _print_phases(self, console: Console) -> None:
        cost = self.ledger.total
        table = _table(f"Cost of {self.name}, by phase", ("phase", "seconds", "FLOPs"))
        for phase in dict.fromkeys([*cost.seconds, *cost.flops]):
            done = cost.flops.get(phase)
            mark = "~" if phase in cost.estimated else ""
            table.add_row(
                phase, fmt.number(cost.seconds.get(phase)), fmt.NONE if done is None else mark + fmt.scientific(done)
            )
        console.print(table)
        console.print(
            f"{cost.unit.capitalize()}: "
            + (", ".join(f"{kind} {fmt.number(cost.tokens[kind])}" for kind in KINDS if kind in cost.tokens) or "none"),
            soft_wrap=True, highlight=False,
        )  # fmt: skip

    def _print_stages(self, console: Console) -> None:
        kinds = [kind for kind in KINDS if any(kind in cost.tokens for cost in self.ledger.costs)]
        money = [] if self.price is None else ["money"]
        table = _table(f"Cost of {self.name}, by stage", ("stage", "recipe", "steps", *kinds, "FLOPs", "time", *money))
        for cost in [*self.ledger.costs, self.ledger.total]:
            flops = fsum(cost.flops.values())
            mark = ("~" if cost.estimated else "") + (">" if cost.uncounted else "")
            cells = [fmt.number(cost.tokens.get(kind)) for kind in kinds]
            cells += [mark + fmt.scientific(flops) if flops else fmt.NONE, fmt.duration(3600 * cost.hours)]
            cells += [] if self.price is None else [fmt.number(cost.money(self.price))]
            table.add_row(cost.name, cost.recipe, fmt.number(cost.num_steps), *cells)
        console.print(table)

    @property
    def lines(self) -> list[str]:
        """What stands under the table."""
        cost = self.ledger.total
        flops = fsum(cost.flops.values())
        found = [f"Time: {fmt.duration(3600 * cost.hours)}" + (
            f"; {fmt.number(cost.money(self.price))} at {fmt.number(self.price)} per hour" if self.price is not None else "")
        ]  # fmt: skip
        if self.ledger.is_pipeline and cost.unit != "tokens":
            found.append(f"Sampled, trained and evaluated are {cost.unit}: a clip at one time, drawn or learned at.")
        found.append(f"Operations: {fmt.scientific(flops) if flops else 'not counted'}" + _how_counted(cost))
        used = fsum(cost.joules.values())
        found.append(
            f"Energy: {fmt.number(used / 3600)} Wh of the whole machine" if cost.joules else "Energy: not reported"
        )
        if not self.ledger.is_pipeline and cost.wasted.num_steps:
            wasted = cost.wasted
            found.append(
                f"Wasted rollouts: {fmt.percent(wasted.zero_signal_groups)} of groups with equal rewards, "
                f"{fmt.percent(wasted.truncated)} cut off, {fmt.percent(wasted.failed)} failed "
                f"(means over {wasted.num_steps} steps)"
            )
        found += self._quality_lines()
        if cost.unreadable:
            found.append(f"{cost.unreadable} lines of its files cannot be read and are not in these sums.")
        return found

    def _quality_lines(self) -> list[str]:
        lines = []
        if self.quality is not None:
            change = self.quality.change
            lines.append(f"Accuracy bought, first to last evaluation: {_points(change)}, n = {change.n}")
            if self.quality.per_hour is not None:
                lines.append(f"  per hour of training: {_points(self.quality.per_hour)}")
            if self.quality.per_tera is not None:
                lines.append(f"  per 10^12 operations of training: {_points(self.quality.per_tera)}")
        if self.targets:
            wanted = " and ".join(f"{t.metric} {t.relation} {t.value:g}" for t in self.targets)
            if self.reached is None:
                lines.append(f"Target {wanted}: not reached")
            elif self.reached.step == 0:
                lines.append(f"Target {wanted}: met before training")
            else:
                spent = self.reached.cost
                seconds, flops = fsum(spent.seconds.values()), fsum(spent.flops.values())
                lines.append(
                    f"Target {wanted}: reached at step {self.reached.step}, after {fmt.duration(seconds)} and "
                    f"{fmt.scientific(flops)} operations of training"
                )
        return lines


def _how_counted(cost: Cost) -> str:
    parts = []
    if cost.estimated:
        each = "token read or sampled" if cost.unit == "tokens" else "patch of a clip at each point that it is drawn by"
        parts.append(f"~ {', '.join(sorted(cost.estimated))}: estimated as 2 N per {each}, 6 N per trained one")
    if cost.uncounted:
        parts.append(f"> not counted, as the model's size is not on record: {', '.join(sorted(cost.uncounted))} {cost.unit}")
    return f" ({'; '.join(parts)})" if parts else ""


def _points(found: Difference) -> str:
    bounds = fmt.interval(found.low, found.high, is_share=True)
    return f"{fmt.points(found.value)}{f' {bounds}' if bounds else ''}"


def _difference(found: Difference | None) -> dict[str, Any] | None:
    if found is None:
        return None
    bounds = [value if abs(value) < float("inf") else None for value in (found.low, found.high)]
    return {"value": found.value, "interval": bounds, "n": found.n}


def _table(title: str, columns: Sequence[str]):
    from rich.table import Table

    table = Table(title=title, box=None, header_style="bold", title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column in ("phase", "stage", "recipe") else "right", overflow="fold")
    return table

"""What a run folder has on record of lengths and seconds, and rates that are fitted to them."""

from __future__ import annotations

import json
import math
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sanmai.plan.scale.work import Groups, Prompted, Workload
from sanmai.policies.text.timing import Coefficients, Work, decode_steps, fit, seconds
from sanmai.recipes.zero import ZeroConfig
from sanmai.train.digests import defect_of
from sanmai.types import InputError

_LEAST = 3
"""Steps without which nothing is fitted: the first one also warms up."""
_APART = 3.0
"""Pieces of work whose tokens differ by this tell the cost of a token from that of a decode step."""
_TOLD_APART = {"sampling": ("steps", ("tokens", "prompt_tokens")), "training": ("updates", ("tokens",))}
"""What two sizes can tell, by phase: what a piece costs however small it is, and what a token costs, of a prompt or not."""


@dataclass(frozen=True)
class Fitted:
    """Rates of the machine that a run was recorded on, linear in work (`policies/text/timing.py`); fills `work.Rates`."""

    coefficients: Mapping[str, Coefficients]
    """Of "sampling" and "training"."""

    def sampling(self, parts: Sequence[tuple[Groups, int]]) -> list[float]:
        return [seconds(self.coefficients["sampling"], sampled_work(groups, slots)) for groups, slots in parts]

    def training(self, groups: Groups, *, micro_tokens: int, updates: int, ranks: int, handled: int = 0) -> float:
        """Micro-batches are dealt evenly; what ranks tell each other costs nothing, as one machine cannot show it."""
        work = trained_work(groups, micro_tokens, updates, handled)
        each = math.ceil(work["micro_batches"] / ranks) / work["micro_batches"]
        own = {name: amount * (1 if name in ("updates", "rollouts") else each) for name, amount in work.items()}
        return seconds(self.coefficients["training"], own)


@dataclass(frozen=True)
class Recorded:
    """A finished run, as a workload and rates."""

    folder: Path
    config: ZeroConfig
    workload: Workload
    rates: Fitted
    seconds: Mapping[int, Mapping[str, float]]
    """Of each step, by phase."""
    constant: float
    """Seconds before the first step, after the last, and by which the first step was slower than the others."""
    wall: float
    """Seconds from start to finish."""
    notes: tuple[str, ...]
    """How rates were found, and what was left out."""

    def asked_for(self, **changes: Any) -> Workload:
        """The workload with other numbers of prompts, rollouts, tokens or steps."""
        return replace(self.workload, **changes)


def sampled_work(groups: Groups, slots: int) -> Work:
    """What writing these in one call amounts to."""
    work = {"prompt_tokens": 0.0, "steps": 0.0, "tokens": 0.0, "pairs": 0.0, "calls": 1.0}
    for prompt, lengths, _ in groups:
        work["prompt_tokens"] += prompt
        work["tokens"] += sum(lengths)
        work["pairs"] += sum(n * prompt + n * (n + 1) / 2 for n in lengths)
    work["steps"] = float(decode_steps([n for _, lengths, _ in groups for n in lengths], slots))
    return work


def trained_work(groups: Groups, micro_tokens: int, updates: int, handled: int) -> Work:
    """What updates on these amount to.

    Args:
        handled: rollouts of the step, those that are not trained on included.
    """
    rows = [prompt + n for prompt, lengths, _ in groups for n in lengths]
    return {
        "micro_batches": float(max(math.ceil(sum(rows) / micro_tokens), updates)),
        "tokens": float(sum(rows)),
        "pairs": sum(n * (n + 1) / 2 for n in rows),
        "updates": float(updates),
        "rollouts": float(handled),
    }


def read_run(folder: Path) -> Recorded:
    """A finished run of the recipe zero.

    Raises:
        InputError: it is none, or its record is damaged or too short.
    """
    config = _config(folder)
    metrics = {int(line["step"]): line for line in _lines(folder / "metrics.jsonl") if _is_number(line.get("step"))}
    events = _lines(folder / "events.jsonl")
    steps = {int(e["step"]): e for e in events if e.get("event") == "step" and _is_number(e.get("step"))}
    if len(steps) < _LEAST or sorted(steps) != list(range(1, len(steps) + 1)):
        raise InputError(f"{folder}: {len(steps)} steps are on record; expected a run of at least {_LEAST}, from its first")
    prompts = {k: metrics.get(k, {}).get("tokens/prompt", 0.0) for k in steps}
    record = tuple(_groups(folder / "rollouts" / f"step-{k:06d}.parquet", prompts[k]) for k in sorted(steps))
    prompt = sum(g.prompt for groups in record for g in groups) / sum(map(len, record))
    evaluations = tuple(
        (int(path.stem.removeprefix("step-")), _groups(path, None, prompt))
        for path in sorted((folder / "evaluations").glob("step-*.parquet"))
    )
    needs_all = any(name in line for line in metrics.values() for name in ("loss/kl_to_reference", "loss/entropy"))
    notes = list(_left_out(config, metrics))
    sampling, training, saved = _pieces(config, steps, record, dict(evaluations), needs_all)
    planned = _planned(folder)
    first = steps[1]["seconds"]
    of_phases = {"sampling": sampling, "training": training}
    found = {phase: _rate(phase, pieces, planned.get(phase)) for phase, pieces in of_phases.items()}
    coefficients = {phase: rate for phase, (rate, _) in found.items()}
    how = "Rates: " + "; ".join(f"of {phase}, {how}" for phase, (_, how) in found.items()) + "."
    rates = Fitted(coefficients)
    warm = sum(
        max(first.get(phase, 0.0) - seconds(coefficients[phase], work), 0.0)
        for phase, work in (
            ("sampling", sampled_work(record[0], config.sampling.concurrent)),
            ("training", _trained(record[0], config, needs_all)),
        )
    )
    outside, wall = _outside(events, steps)
    work = Workload(
        config.prompts_per_step, config.rollouts_per_prompt, config.sampling.max_tokens, config.sampling.concurrent,
        1, config.optimizer.micro_tokens, record, len(steps), config.updates_per_step, needs_all, evaluations,
        saved[0], saved[1], config.checkpoints.every, None if config.rewards.incomplete != "wrong" else 0.0,
    )  # fmt: skip
    took = {step: event["seconds"] for step, event in steps.items()}
    return Recorded(folder, config, work, rates, took, outside + warm, wall, (how, *notes))


def _config(folder: Path) -> ZeroConfig:
    path = folder / "config.toml"
    if (folder / "graph.json").is_file():
        raise InputError(f"{folder}: this is a pipeline's folder; name one of its stages (stages/NAME-DIGEST) that is of zero")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: expected a run folder ({type(error).__name__} at config.toml)") from None
    if (recipe := values.pop("recipe", None)) != "zero":
        raise InputError(f"{folder}: a run of {recipe!r}; expected one of 'zero', which samples and trains")
    return ZeroConfig.read(values, str(path), stated={})


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text("utf-8", "replace")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({type(error).__name__})") from None
    found = []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue  # cut off by a kill
        if isinstance(value, dict):
            found.append(value)
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _groups(path: Path, prompt_tokens: float | None, prompt: float = 0.0) -> Groups:
    """Rollouts of a file by problem, in order.

    Args:
        prompt_tokens: of all its problems together; None: `prompt` is the mean.
    """
    if why := defect_of(path):
        raise InputError(f"{path} {why}")
    try:
        rows = pq.ParquetFile(path).read(columns=["problem_id", "num_tokens", "reward"]).to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: cannot be read ({reason})") from None
    by_problem: dict[str, list[tuple[int, float | None]]] = defaultdict(list)
    for row in rows:
        by_problem[row["problem_id"]].append((max(row["num_tokens"] or 0, 1), row["reward"]))
    if not by_problem:
        raise InputError(f"{path}: it holds no rollout")
    each = prompt if prompt_tokens is None else prompt_tokens / len(by_problem)
    return tuple(Prompted(each, tuple(n for n, _ in of), tuple(r for _, r in of)) for of in by_problem.values())


def _left_out(config: ZeroConfig, metrics: Mapping[int, Mapping[str, Any]]) -> list[str]:
    found = []
    if config.partial.segment_tokens is not None:
        found.append("Rollouts written in parts over several steps are taken as written whole in the step that ends them.")
    if config.refill.tries:
        found.append("Problems drawn again for lack of a signal are not modelled.")
    if any("tokens/probe" in line for line in metrics.values()):
        found.append("The completions of the probe are not modelled.")
    return found


def _trained(groups: Groups, config: ZeroConfig, needs_all: bool) -> Work:
    own = tuple(g for g in groups if needs_all or g.is_trained)
    handled = sum(len(group.lengths) for group in groups)
    return trained_work(own, config.optimizer.micro_tokens, config.updates_per_step, handled)


Piece = tuple[Work, float]


def _pieces(
    config: ZeroConfig,
    steps: Mapping[int, Mapping[str, Any]],
    record: Sequence[Groups],
    evaluations: Mapping[int, Groups],
    needs_all: bool,
) -> tuple[list[Piece], list[Piece], tuple[float, float]]:
    """Work and seconds of sampling and of training, the first step's left out; seconds of saving, without and with a commit."""
    sampling, training, plain, commits = [], [], [], []
    for step, event in sorted(steps.items()):
        took, groups = event["seconds"], record[step - 1]
        evaluated = [groups for at, groups in evaluations.items() if at == step > 1]  # that before the first step warms up
        if took.get("evaluation") and evaluated:
            works = [sampled_work(groups, config.sampling.concurrent) for groups in evaluated]
            sampling.append(({name: sum(w[name] for w in works) for name in works[0]}, took["evaluation"]))
        last = step == max(steps)
        (commits if step % config.checkpoints.every == 0 or last else plain).append(took.get("saving", 0.0))
        if step > 1:
            sampling.append((sampled_work(groups, config.sampling.concurrent), took.get("sampling", 0.0)))
            training.append((_trained(groups, config, needs_all), took.get("training", 0.0)))
    mean = lambda values: sum(values) / len(values) if values else 0.0  # noqa: E731
    saving = mean(plain)
    return sampling, training, (saving, max(mean(commits) - saving, 0.0))


def _planned(folder: Path) -> dict[str, Coefficients]:
    """Coefficients that `sanmai plan` measured before the run; empty where there are none."""
    try:
        found = json.loads((folder / "prediction.json").read_text(encoding="utf-8"))["coefficients"]
        phases = {phase: {str(name): float(each) for name, each in found[phase].items()} for phase in ("sampling", "training")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return phases if all(_is_number(each) for rate in phases.values() for each in rate.values()) else {}


def _rate(phase: str, pieces: Sequence[Piece], planned: Coefficients | None) -> tuple[Coefficients, str]:
    """Seconds a unit of work, and how they were found.

    A run's steps are much alike, and its evaluations have prompts and completions in another mixture: from these alone a
    decode step's cost cannot be told from a prompt's, and a fit of all kinds of work gives one the other's. A plan times
    pieces that were made to differ. So its coefficients are taken, times the middle one of real over predicted seconds: how
    fast the machine was then. Without a plan only as many are fitted as two sizes can tell.
    """
    works, took = [w for w, _ in pieces], [max(s, 1e-6) for _, s in pieces]
    ratios = [s / expected for w, s in zip(works, took, strict=True) if (expected := seconds(planned or {}, w)) > 0]
    if planned and ratios:
        ratio = median(ratios)
        return {name: each * ratio for name, each in planned.items()}, f"what `sanmai plan` measured, x {ratio:.2f}"
    each, of_tokens = _TOLD_APART[phase]
    tokens = [sum(work[name] for name in of_tokens) for work in works]
    told = [{each: work[each], "tokens": count} for work, count in zip(works, tokens, strict=True)]
    if is_told := min(tokens) > 0 and max(tokens) >= _APART * min(tokens):
        how = "fitted to steps and evaluations, whose sizes differ enough"
    else:
        told = [{"tokens": count or 1.0} for count in tokens]
        how = "fitted to steps much alike, so other sizes may be far off (`sanmai plan` before a run helps)"
    found = fit(told, took)
    return {name: found["tokens"] for name in of_tokens} | ({each: found[each]} if is_told else {}), how


def _outside(events: Sequence[Mapping[str, Any]], steps: Mapping[int, Mapping[str, Any]]) -> tuple[float, float]:
    """Seconds of the run outside its steps' phases, and all of them; of one that was resumed, from its first start to its end."""
    times = [(e.get("event"), datetime.fromisoformat(str(e["time"]))) for e in events if "time" in e]
    starts = [time for name, time in times if name == "start"]
    ends = [time for name, time in times if name in ("finish", "step")]
    if not starts or not ends or any(name == "resume" for name, _ in times):
        return 0.0, sum(sum(e["seconds"].values()) for e in steps.values())
    wall = (max(ends) - min(starts)).total_seconds()
    return max(wall - sum(sum(e["seconds"].values()) for e in steps.values()), 0.0), wall

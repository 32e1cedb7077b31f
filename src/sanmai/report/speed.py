"""How fast a run was, phase by phase: against the matrix-product peak of its machine, and against its plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import fsum
from typing import Any

from sanmai.policies.text.timing import sampling_work, seconds, training_work
from sanmai.report import format as fmt
from sanmai.report.load import RunData, event_time, is_number

PHASES = ("sampling", "training", "evaluation", "saving")
_TOKENS = {"sampling": "sampled", "training": "trained"}


@dataclass(frozen=True)
class PhaseSpeed:
    """One row of the table. What is not on record is None."""

    phase: str
    seconds: float
    """Mean per step; for evaluation, per evaluation."""
    units_per_second: float | None
    """Tokens; of a flow points."""
    share_of_peak: float | None
    """Useful operations over what the machine's matrix products would have done in the same time (MFU)."""
    predicted: float | None
    """Seconds that the plan's measurements give for the lengths that came out."""

    @property
    def ratio(self) -> float | None:
        """Real over predicted seconds: above 1 is slower than planned."""
        return self.seconds / self.predicted if self.predicted else None


@dataclass(frozen=True)
class Speed:
    rows: list[PhaseSpeed]
    unit: str
    """In the plural."""
    notes: list[str]
    """Sentences: what the peak is or why there is none, what the prediction is or how to get one."""
    memory: str = ""
    """What the process held at most, beside the plan's figure."""

    @property
    def has_prediction(self) -> bool:
        return any(row.predicted is not None for row in self.rows)


@dataclass
class _Step:
    """What the last record of a step says."""

    seconds: dict[str, float]
    tokens: dict[str, float]
    flops: dict[str, float]
    peak: float | None
    """FLOP/s of the machine that made it."""


def speed(run: RunData) -> Speed:
    """The phases that the events have times of; a step that was done again after a resume counts once."""
    steps, machine = _steps(run)
    predicted, about_prediction = _predicted(run, steps)
    rows = []
    for phase in PHASES:
        chosen = [step for step in steps.values() if phase in step.seconds]
        spent = fsum(step.seconds[phase] for step in chosen)
        if not spent:
            continue
        count = _num_evaluations(run, steps) if phase == "evaluation" else len(chosen)
        tokens = fsum(step.tokens.get(_TOKENS.get(phase, ""), 0.0) for step in chosen)
        counted = [step for step in chosen if step.peak and phase in step.flops]
        possible = fsum(step.seconds[phase] * (step.peak or 0.0) for step in counted)
        share = fsum(step.flops[phase] for step in counted) / possible if possible else None
        rows.append(
            PhaseSpeed(phase, spent / max(count, 1), tokens / spent if tokens else None, share, predicted.get(phase))
        )
    found = _memory(run)
    about_memory = [f"Its process held {found} in memory at most, with all that was done in it."] if found else []
    notes = [_about_peak(machine, steps), about_prediction, *_about_ahead(run), *about_memory]
    return Speed(rows, run.unit, notes if rows else [], found)


def _memory(run: RunData) -> str:
    """Peak memory of the run's last process, and the plan's; "" where it is not on record."""
    seen = [event["peak_memory"] for event in run.events if is_number(event.get("peak_memory"))]
    if not seen:
        return ""
    plan = run.prediction
    is_of_run = plan and plan.get("config") == run.config and not _is_after_the_fact(plan, run)
    planned = plan.get("memory") if is_of_run else None
    beside = f" ({planned / 1e9:.2f} GB planned)" if planned is not None and is_number(planned) else ""
    return f"{seen[-1] / 1e9:.2f} GB{beside}"


def _about_ahead(run: RunData) -> Iterator[str]:
    """How much of the writing ran beside the training, where rollouts were written ahead."""
    found = {e["step"]: e for e in run.events if e.get("event") == "written_ahead" and isinstance(e.get("step"), int)}
    values = [_numbers(event) for event in found.values()]
    spent, waited = (fsum(value.get(name, 0.0) for value in values) for name in ("seconds", "waited"))
    if spent > 0:
        older = max(value["step"] - 1 - value.get("version", 0.0) for value in values)
        yield (
            f"Rollouts were written ahead: {fmt.duration(spent)} of writing for {len(found)} steps, of which training waited for "
            f"{fmt.duration(waited)} ({fmt.percent(max(0.0, 1 - waited / spent))} ran beside it); they were drawn by a policy of "
            f"at most {older:.0f} updates before the newest. Sampling above is the waiting alone."
        )


def speed_line(found: Speed) -> str:
    """The table in a sentence for a terminal; empty where there is nothing to say."""
    parts = []
    for row in found.rows:
        if row.units_per_second is None:
            continue
        facts = [f"{fmt.number(row.units_per_second)} {found.unit}/s"]
        if row.share_of_peak is not None:
            facts.append(f"{fmt.percent(row.share_of_peak)} of the matrix-product peak")
        if row.predicted is not None and row.ratio is not None:
            facts.append(f"{fmt.duration(row.seconds)} a step, {fmt.duration(row.predicted)} predicted")
        parts.append(f"{row.phase} {', '.join(facts)}")
    parts += [f"memory at most {found.memory}"] if parts and found.memory else []
    return f"Speed: {'; '.join(parts)}" if parts else ""


def _steps(run: RunData) -> tuple[dict[int, _Step], dict[str, Any]]:
    """Step records by number, and the machine of the last one with the best rate that it was ever seen to reach.

    A measurement while another program has the cores is too low, never too high.
    """
    best: dict[tuple, float] = {}
    planned = run.prediction.get("machine")
    for seen in [e for e in run.events if e.get("event") == "machine"] + (
        [planned] if isinstance(planned, dict) else []
    ):
        rate = seen.get("matrix_gflops")
        if isinstance(rate, (int, float)) and is_number(rate) and rate > 0:
            best[_kind(seen)] = max(best.get(_kind(seen), 0.0), float(rate))
    found: dict[int, _Step] = {}
    machine: dict[str, Any] = {}
    for event in run.events:
        number = event.get("step")
        if event.get("event") == "machine":
            machine = event | {"matrix_gflops": best.get(_kind(event))}
        elif event.get("event") == "step" and isinstance(number, int):
            rate = machine.get("matrix_gflops")
            parts = [_numbers(event.get(name)) for name in ("seconds", "tokens", "flops")]
            found[number] = _Step(*parts, peak=rate * 1e9 if rate else None)
    return found, machine


def _kind(machine: Mapping[str, Any]) -> tuple:
    return tuple(str(machine.get(name)) for name in ("device", "dtype", "cores"))


def _num_evaluations(run: RunData, steps: Mapping[int, _Step]) -> int:
    """Evaluations whose time the steps' records hold: the one before training is in the first step's."""
    return sum(evaluated in steps or (evaluated == 0 and 1 in steps) for evaluated in run.evaluations)


def _about_peak(machine: Mapping[str, Any], steps: Mapping[int, _Step]) -> str:
    if not any(step.peak for step in steps.values()):
        return "The share of the machine's peak is unknown: its matrix-product rate is not on record."
    if not any(step.flops for step in steps.values()):
        why = machine.get("uncounted") or "the operations of its steps are not on record"
        return f"The share of the machine's peak is unknown: {why}."
    cores = machine.get("cores")
    where = f"{cores} core{'s' if cores != 1 else ''}" if machine.get("device") == "cpu" else machine.get("device")
    return (
        f"The peak is {fmt.number(machine['matrix_gflops'])} GFLOP/s, large {machine.get('dtype')} matrix products on {where}, "
        "the best of some short measurements. Counted as useful are the model's matrix products and attention: each prompt "
        "once and each sampled token, and for training three passes over the rollouts that have a gradient, a group's "
        "prompt once; no padding, no recomputation."
    )


def _predicted(run: RunData, steps: Mapping[int, _Step]) -> tuple[dict[str, float], str]:
    """Seconds per phase that the plan's coefficients give for what was really sampled; and a sentence on it."""
    plan = run.prediction
    if not plan:
        return {}, "Nothing was predicted; `sanmai plan` with the same settings, before the run, does."
    if plan.get("config") != run.config:
        return {}, "The plan in this folder was made for other settings, so it is not compared."
    if _is_after_the_fact(plan, run):
        return {}, (
            f"The plan in this folder was made ({plan.get('made')}) after the run had begun, so it is no forecast and is not "
            "compared."
        )
    try:
        found = _evaluate(plan, run, steps)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        return {}, f"The plan in this folder cannot be used ({type(error).__name__}: {error})."
    return found, (
        f"Predicted by `sanmai plan` ({plan.get('made')}) from some seconds of measurement, for the number and lengths of "
        "completions that came out. A ratio above 1 is slower than predicted."
    )


def _is_after_the_fact(plan: Mapping[str, Any], run: RunData) -> bool:
    """The plan was made after the run's first event; one that does not say when is taken for a forecast."""
    made = event_time({"time": plan.get("made")})
    times = [time for event in run.events if (time := event_time(event))]
    return made is not None and bool(times) and made > min(times)


def _share_passed(line: Mapping[str, float]) -> float:
    """Share of a step's graded rollouts that went through the model: those of groups without signal need not, unless for a term
    beside the rewards'."""
    needs_all = any(name in ("loss/kl_to_reference", "loss/entropy") or name.startswith("multiplier/") for name in line)
    needs_all |= "refill/tries" in line  # what has no signal was not trained on
    return 1.0 if needs_all else 1.0 - line.get("rollout/zero_signal_groups", 0.0)


def _evaluate(plan: Mapping[str, Any], run: RunData, steps: Mapping[int, _Step]) -> dict[str, float]:
    config, coefficients, prompt = run.config, plan["coefficients"], float(plan["prompt_length"])
    concurrent = config["sampling"]["concurrent"]
    sampling, training = [], []
    for line in run.metrics:
        if int(line["step"]) not in steps or "rollout/length_mean" not in line:
            continue
        mean, longest = line["rollout/length_mean"], line["rollout/length_max"]
        rollouts = line["tokens/sampled"] / mean
        prompts = rollouts / config["rollouts_per_prompt"]
        length = line["tokens/prompt"] / prompts
        work = sampling_work(
            prompts=prompts, prompt_length=length, rollouts=rollouts, mean=mean, longest=longest, concurrent=concurrent
        )
        sampling.append(seconds(coefficients["sampling"], work))
        if line.get("tokens/trained"):
            work = training_work(
                rollouts=_share_passed(line) * line["tokens/trained"] / mean,
                prompt_length=length,
                mean=mean,
                micro_tokens=config["optimizer"]["micro_tokens"],
                updates=config["updates_per_step"],
                handled=rollouts,
            )
            training.append(seconds(coefficients["training"], work))
    budget = config["evaluation"].get("max_tokens") or config["sampling"]["max_tokens"]
    evaluations = [
        seconds(
            coefficients["sampling"],
            sampling_work(
                prompts=len(rows) / config["evaluation"]["samples"],
                prompt_length=prompt,
                rollouts=len(rows),
                mean=line["eval/length_mean"],
                longest=budget,
                concurrent=concurrent,
            ),
        )
        for line in run.metrics
        if "eval/length_mean" in line and (rows := run.evaluations.get(int(line["step"])))
    ]
    saving = [float(plan["bound"]["seconds"]["saving"])]
    phases = {"sampling": sampling, "training": training, "evaluation": evaluations, "saving": saving}
    return {phase: fsum(values) / len(values) for phase, values in phases.items() if values}


def _numbers(values: Any) -> dict[str, float]:
    return {k: float(v) for k, v in values.items() if is_number(v)} if isinstance(values, dict) else {}

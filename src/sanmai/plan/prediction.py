"""From a calibration to what a run will take, and the file that lets the run's report compare it with what happened."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sanmai.plan.calibration import Calibration
from sanmai.policies.text.checkpoints import checkpoint_folders
from sanmai.policies.text.timing import sampling_work, seconds, training_work
from sanmai.recipes.zero import ZeroConfig
from sanmai.train.runs import write_whole

FILE = "prediction.json"


@dataclass(frozen=True)
class Prediction:
    """What a run takes when its completions have these lengths."""

    mean: float
    """Tokens of a completion."""
    longest: float
    """Tokens of a step's longest completion."""
    seconds: dict[str, float]
    """Per step: sampling, training, saving (its share of the checkpoints included); per evaluation: evaluation."""
    sampled_per_second: float
    trained_per_second: float
    num_evaluations: int
    total_seconds: float
    """Of all steps and evaluations."""


def predict(
    calibration: Calibration,
    config: ZeroConfig,
    *,
    num_held_out: int,
    checkpoint_bytes: float,
    mean: float | None = None,
    longest: float | None = None,
) -> Prediction:
    """Seconds and tokens per second at given lengths; at the full token budget, an upper bound, where none are given."""
    c = calibration.coefficients
    is_bound = mean is None or longest is None
    mean = float(config.sampling.max_tokens) if mean is None else mean
    longest = float(config.sampling.max_tokens) if longest is None else longest
    rollouts = config.prompts_per_step * config.leaves_per_prompt
    sampling = seconds(
        c["sampling"],
        sampling_work(
            prompts=config.prompts_per_step,
            prompt_length=calibration.prompt_length,
            rollouts=rollouts + (config.prompts_per_step if config.has_greedy else 0),
            mean=mean,
            longest=longest,
            concurrent=config.sampling.concurrent,
        ),
    )
    training = seconds(
        c["training"],
        training_work(
            rollouts=rollouts,
            prompt_length=calibration.prompt_length,
            mean=mean,
            micro_tokens=config.optimizer.micro_tokens,
            updates=config.updates_per_step,
            handled=rollouts,
        ),
    )
    budget = float(config.evaluation.max_tokens or config.sampling.max_tokens)
    evaluation = seconds(
        c["sampling"],
        sampling_work(
            prompts=num_held_out,
            prompt_length=calibration.prompt_length,
            rollouts=num_held_out * config.evaluation.samples,
            mean=budget if is_bound else min(mean, budget),
            longest=budget if is_bound else min(longest, budget),
            concurrent=config.sampling.concurrent,
        ),
    )
    steps = range(1, config.num_steps + 1)
    num_checkpoints = sum(step % config.checkpoints.every == 0 or step == config.num_steps for step in steps)
    saving = c["saving"]["steps"] + c["saving"]["checkpoint_bytes"] * checkpoint_bytes * num_checkpoints / len(steps)
    num_evaluations = 1 + sum(config.evaluation.is_due(step, config.num_steps) for step in steps) if num_held_out else 0
    return Prediction(
        mean,
        longest,
        {"sampling": sampling, "training": training, "evaluation": evaluation, "saving": saving},
        rollouts * mean / sampling,
        rollouts * mean / training,
        num_evaluations,
        config.num_steps * (sampling + training + saving) + num_evaluations * evaluation,
    )


def keep(calibration: Calibration, bound: Prediction, memory: float, config: ZeroConfig, out: Path) -> str:
    """Write `prediction.json` into the run folder, unless a run has begun there; a sentence on what was done.

    Args:
        memory: bytes that the run's process will hold at most.

    The report evaluates the coefficients at the lengths that came out, so that not the guess of the lengths is judged but
    the measurement.
    """
    text = f'recipe = "zero"\n{config.to_toml()}'
    values = tomllib.loads(text)
    metrics = out / "metrics.jsonl"
    try:
        has_run = (metrics.exists() and metrics.stat().st_size > 0) or bool(checkpoint_folders(out))
        if has_run:
            return f"Not kept: {out} has steps already" + (
                ", and a prediction from before them."
                if (out / FILE).exists()
                else ": what is predicted now would be no forecast of them."
            )
        if out.is_dir() and any(out.iterdir()) and not (out / "config.toml").exists():
            return f"Not kept: {out} is not empty, and not a run folder."
        out.mkdir(parents=True, exist_ok=True)
        write_whole(out / "config.toml", text)  # a folder that holds a configuration alone is a run that has not begun
        facts = {
            "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "machine": calibration.machine,
            "coefficients": calibration.coefficients,
            "prompt_length": calibration.prompt_length,
            "bound": asdict(bound),
            "memory": round(memory),
            "config": values,
        }
        write_whole(out / FILE, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        return f"Not kept: {out} cannot be written to ({os.strerror(error.errno) if error.errno else error})."
    return f"Kept in {out / FILE}: the report of the run with these settings compares it with what happened."


def observed_lengths(out: Path, count: int = 20) -> tuple[float, float] | None:
    """Mean and longest completion, in tokens, over the last steps that a run folder has on record; None without any."""
    try:
        lines = (out / "metrics.jsonl").read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    found = []
    for line in lines:
        try:
            metrics = json.loads(line)
            found.append((float(metrics["rollout/length_mean"]), float(metrics["rollout/length_max"])))
        except (ValueError, KeyError, TypeError):
            continue  # an evaluation before the first step, or cut off by a kill
    last = found[-count:]
    return (sum(m for m, _ in last) / len(last), sum(x for _, x in last) / len(last)) if last else None

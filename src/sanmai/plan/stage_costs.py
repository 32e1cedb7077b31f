"""What a stage of a pipeline takes: predicted for what is left of it, and read from the folder of a finished one."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sanmai.plan.calibration import Calibration, Kept
from sanmai.plan.memory import StepShape, memory_bytes
from sanmai.plan.workload import FORWARD_AND_BACKWARD, Pass, Sampling, Workload
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.timing import sampling_work, seconds, training_work
from sanmai.recipes.zero import ZeroConfig


@dataclass(frozen=True)
class Lengths:
    """Tokens of completions."""

    mean: float
    longest: float


@dataclass(frozen=True)
class Cost:
    """What a stage takes, or took."""

    sampled: float = 0.0
    """Tokens, those of evaluations and probes among them."""
    trained: float = 0.0
    """Tokens, counted as the stage reports them."""
    seconds: float | None = None
    """Of its phases: models and files are loaded besides. None where nothing was measured."""

    def __add__(self, other: Cost) -> Cost:
        known = [s for s in (self.seconds, other.seconds) if s is not None]
        return Cost(self.sampled + other.sampled, self.trained + other.trained, sum(known) if known else None)


@dataclass(frozen=True)
class Rates:
    """What was measured with the base, for stages of any settings."""

    calibration: Calibration
    config: ZeroConfig
    """The settings that were measured with."""
    checkpoint_bytes: float
    """Of the base."""
    workers: int
    """Threads that the base computes with, each on its own."""

    def seconds(self, w: Workload, lengths: Lengths | None) -> float:
        """Of a stage's phases; at the full budget where no lengths are given."""
        saving = self.calibration.coefficients["saving"]
        per_rollout = saving["steps"] / (self.config.prompts_per_step * self.config.rollouts_per_prompt)
        slower = self.workers / min(w.threads or self.workers, self.workers)
        sampling = sum(s.times * self._sampling(s, lengths) for s in w.sampling)
        passes = sum(p.times * self._pass(p, w.size, lengths) for p in w.passes if p.rows)
        stored = sum(s.times * s.rollouts for s in w.sampling) * per_rollout
        saved = w.checkpoints * saving["checkpoint_bytes"] * self.checkpoint_bytes * w.size
        return slower * (sampling * w.size + passes) + stored + saved

    def _sampling(self, s: Sampling, lengths: Lengths | None) -> float:
        mean, longest = _within(s.budget, lengths)
        work = sampling_work(
            prompts=s.prompts,
            prompt_length=s.prompt_length,
            rollouts=s.rollouts,
            mean=mean,
            longest=longest,
            concurrent=s.concurrent,
        )
        c = self.calibration.coefficients["sampling"]
        return seconds(c | {"prompt_tokens": min(c.get("prompt_tokens", 0.0), self._trained_token())}, work)

    def _trained_token(self) -> float:
        """Seconds to train on a token in a step like those measured: more than a prompt's token takes, which is one forward pass.

        An evaluation has many times the prompts of a step, and so of those errors that noise makes in what a prompt costs.
        """
        config = self.config
        work = training_work(
            rollouts=config.prompts_per_step * config.rollouts_per_prompt,
            prompt_length=self.calibration.prompt_length,
            mean=config.sampling.max_tokens,
            micro_tokens=config.optimizer.micro_tokens,
        )
        return seconds(self.calibration.coefficients["training"], work) / work["tokens"]

    def _pass(self, p: Pass, size: float, lengths: Lengths | None) -> float:
        """Seconds of one batch. What was measured are a forward and a backward pass, and forwards that the loss asks for."""
        c = self.calibration.coefficients["training"]
        measured = FORWARD_AND_BACKWARD + self.config.extra_forwards
        work = training_work(
            rollouts=p.rows,
            prompt_length=p.prompt_length,
            mean=_completion(p, lengths),
            micro_tokens=p.micro_tokens,
            updates=p.updates,
        )
        updates = c.get("updates", 0.0) * work.pop("updates")
        return (seconds(c, work) * p.forwards / measured + updates) * (size if p.size is None else p.size)


def predicted(w: Workload, lengths: Lengths | None, rates: Rates | None) -> Cost:
    """What is left of a stage; every completion has its whole budget where no lengths are given."""
    trained = 0.0
    for p in w.passes:
        if p.counts != "nothing":
            prompt = p.prompt_length if p.counts == "all" else 0.0
            trained += p.times * p.rows * (prompt + _completion(p, lengths))
    sampled = sum(s.times * s.rollouts * _within(s.budget, lengths)[0] for s in w.sampling)
    return Cost(sampled, trained, rates.seconds(w, lengths) if rates is not None else None)


def spent(folder: Path, recipe: str) -> Cost:
    """What a stage took, by its events and its stored evaluations and probes; what cannot be read is left out."""
    if recipe == "guarded":
        return sum((spent(part, "") for part in sorted(folder.glob("stages/*/"))), Cost())
    total, phases = Cost(), list[float]()
    try:
        lines = (folder / "events.jsonl").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        try:
            event = json.loads(line)
            tokens = event.get("tokens", {})
            phases += map(float, event.get("seconds", {}).values())
            total += Cost(float(tokens.get("sampled", 0)), float(tokens.get("trained", 0)))
        except (ValueError, TypeError, AttributeError):
            continue  # cut off by a kill
    # What a reward model is evaluated on was written by others.
    stored = [*folder.glob("evaluations/step-*.parquet"), *folder.glob("probes/step-*.parquet")]
    for path in sorted(stored) if recipe != "reward" else ():
        try:
            lengths = pq.read_table(path, columns=["num_tokens"])["num_tokens"].to_pylist()
        except (OSError, pa.ArrowException):
            continue
        total += Cost(float(sum(length or 0 for length in lengths)))
    return Cost(total.sampled, total.trained, sum(phases) if phases else None)


def most_bytes(policy: TextPolicy, w: Workload, kept: Kept | None) -> float:
    """Bytes that a stage holds at once when all of its completions take their budgets, by `memory_bytes`.

    Args:
        policy: the base.
        kept: as measured with the base; None leaves activations out.
    """

    def parts(
        item: Sampling | Pass, rows: float, budget: float, concurrent: int, micro_tokens: int, updates: int
    ) -> dict:
        shape = StepShape(math.ceil(rows), updates, budget, concurrent, micro_tokens, w.keeps_reference)
        return memory_bytes(policy, shape, item.prompt_length, kept)

    sampling = [parts(s, s.rollouts, s.budget, s.concurrent, 1, 1) for s in w.sampling]
    training = [
        parts(p, p.rows, p.length or p.budget, 1, p.micro_tokens, p.updates) for p in w.passes if p.updates and p.rows
    ]
    if not sampling and not training:
        return 0.0
    always = (training or sampling)[0]
    held = ("weights", "gradients", "optimizer", "reference") if training else ("weights",)
    phases = [p["KV cache"] + p["joined weights"] for p in sampling]
    phases += [p.get("activations", 0.0) + p["logits"] + p["workers' gradients"] for p in training]
    return w.size * (sum(always[name] for name in held) + max(phases)) + w.beside * always["weights"]


def _completion(p: Pass, lengths: Lengths | None) -> float:
    """Mean tokens."""
    return _within(p.budget, lengths)[0] if p.length is None else p.length


def _within(budget: float, lengths: Lengths | None) -> tuple[float, float]:
    """Mean and longest completion."""
    return (min(lengths.mean, budget), min(lengths.longest, budget)) if lengths is not None else (budget, budget)

"""What a run will cost, measured on the machine at hand with the configured model: five seconds, half a minute of a large one.

Pieces of real work (graded sampling; forward and backward passes) are timed, each larger than the one before, until the time
is used; `policies/text/timing.py` fits them. No optimizer step is made and gradients are thrown away: the policy is as before.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import torch

from sanmai.data.chat import render_prompt
from sanmai.learn.machine import peak_of, synchronize
from sanmai.learn.scorers import grader
from sanmai.policies.cores import available_cores
from sanmai.policies.text.flops import Arithmetic, arithmetic_of, sampling_flops, training_flops
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import Request, sample
from sanmai.policies.text.timing import Coefficients, Work, decode_steps, fit
from sanmai.recipes.zero import ZeroConfig
from sanmai.rewards.proxies import HELPFULNESS
from sanmai.rewards.rubric import SCORED_TOGETHER, Rubric
from sanmai.rollout.engine import rollout
from sanmai.scratch import scratch
from sanmai.train.components import rl_components, with_proximal_logp
from sanmai.train.runs import Run
from sanmai.train.step import accumulate, make_optimizer, score_all
from sanmai.types import BatchGrader, Drawn, Graded, Group, Problem, StopReason, TokenBatch, Trace, Verdict

PEAK_SECONDS, SAMPLING_SECONDS, TRAINING_SECONDS = 0.3, 2.8, 1.4
_LARGE_SECONDS, _STEEPER = 20.0, 4
"""Of a large model the last two are so long each, and each piece is up to so many times the one before, not twice: a
batch of 64 is computed three times as fast per token as one of 8, so it must be tried."""
_ENOUGH = 3
"""Pieces below which nothing is fitted: seconds are then taken to grow as the operations do, which is too many."""


@dataclass
class Pieces:
    """Timed pieces of one phase."""

    works: list[Work] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    flops: list[float] = field(default_factory=list)
    """Useful operations of each piece; 0 where they are not known."""
    notes: list[str] = field(default_factory=list)

    def add(self, work: Work, seconds: float, flops: float) -> None:
        self.works.append(work)
        self.seconds.append(max(seconds, 1e-6))
        self.flops.append(flops)


class Kept(NamedTuple):
    """Bytes that a forward pass keeps for its backward pass: once + per_token * padded tokens of the micro-batch.

    What the head computes from the hidden states is left out, where it is done in chunks, and so are the model's own weights.
    """

    once: float
    """Copies of the weights in the dtype that is computed in."""
    per_token: float


@dataclass(frozen=True)
class Calibration:
    """What was measured; `coefficients` are what predicts."""

    machine: dict[str, Any]
    """As in a run's "machine" event."""
    coefficients: dict[str, Coefficients]
    """Of the phases "sampling" and "training" by kind of work; of "saving", seconds per step and per checkpoint byte."""
    prompt_length: float
    """Mean tokens of a training problem's prompt."""
    kept: Kept | None
    """For the backward pass of a micro-batch; None where that would take too long to find out."""
    seconds: float
    """What the calibration took."""
    notes: list[str]
    """Sentences on what was measured and what could not be."""


def calibrate(policy: TextPolicy, config: ZeroConfig, problems: Sequence[Problem], out: Path) -> Calibration:
    """Measure; about PEAK + SAMPLING + TRAINING seconds, more where a single forward pass takes longer than that.

    Args:
        problems: to train on, at least one.
        out: the run folder; it need not exist. Its disk is measured by a file that is deleted again.
    """
    start, busy = time.monotonic(), _busy_note()
    arithmetic, why_not = arithmetic_of(policy.model)
    machine = peak_of(policy, PEAK_SECONDS)
    step = problems[: config.prompts_per_step]
    lengths = [len(render_prompt(policy.tokenizer, p.messages)) for p in step]
    prompt_length = sum(lengths) / len(lengths)
    sampling, rollouts = _time_sampling(policy, config, step, prompt_length, arithmetic)
    training, kept = _time_training(policy, config, rollouts, arithmetic)
    coefficients = {
        "sampling": _coefficients(sampling, _sampling_operations(arithmetic)),
        "training": _coefficients(training, _training_operations(arithmetic, config.extra_forwards))
        | {"updates": _update_seconds(policy, config), "rollouts": _handling_seconds(rollouts)},
        "saving": _saving_seconds(config, rollouts, problems[0], out),
    }
    return Calibration(
        machine | ({"uncounted": why_not} if why_not else {}),
        coefficients,
        prompt_length,
        kept,
        time.monotonic() - start,
        [*sampling.notes, *training.notes, *busy],
    )


def _busy_note() -> list[str]:
    """A sentence where others use this machine's processors: what is measured then says little of a quiet one."""
    cores = available_cores()
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):  # not told here
        return []
    if load < 0.75 * cores:
        return []
    return [
        f"This machine was busy in the minute before this was measured (load {load:.1f} on {cores} cores): where others made it "
        "so, the run by itself takes less, perhaps several times less."
    ]


def _pace(policy: TextPolicy) -> tuple[float, float, int]:
    """Seconds to sample and to train, and how many times the last piece the next may be."""
    return (_LARGE_SECONDS, _LARGE_SECONDS, _STEEPER) if policy.is_large else (SAMPLING_SECONDS, TRAINING_SECONDS, 2)


def ladder(largest: Sequence[int], factor: int = 2) -> Iterator[tuple[int, ...]]:
    """Sizes from (1, 1, ...) up to `largest`, one after the other grown in turn: each is at most `factor` times the last.

    Example:
        list(ladder((4, 2))) == [(1, 1), (2, 1), (2, 2), (4, 2)]
    """
    sizes = [1] * len(largest)
    yield tuple(sizes)
    while any(size < most for size, most in zip(sizes, largest, strict=True)):
        for i, most in enumerate(largest):
            if sizes[i] < most:
                sizes[i] = min(factor * sizes[i], most)
                yield tuple(sizes)


def _time_sampling(
    policy: TextPolicy, config: ZeroConfig, problems: Sequence[Problem], prompt_length: float, arithmetic: Arithmetic | None
) -> tuple[Pieces, list[Drawn]]:
    """Graded sampling of growing batches, with the rollouts of the largest; the first piece is one short pass."""
    pieces, groups = Pieces(), []
    budget, _, factor = _pace(policy)
    first = render_prompt(policy.tokenizer, problems[0].messages)[:8]
    one_token = config.sampling.model_copy(update={"max_tokens": 1})
    took = _warm(lambda: list(sample(policy, [Request(first, [("calibration", 0)])], one_token)), budget)
    alone = Drawn(problems[0].id, 0, first, [policy.stop_tokens[0]] * 8, [0.0] * 8, StopReason.LENGTH, 0, "")
    pieces.add(
        {"prompt_tokens": float(len(first)), "steps": 1.0, "tokens": 1.0, "pairs": len(first) + 1.0, "calls": 1.0},
        took,
        sampling_flops(arithmetic, len(first), [1]) if arithmetic else 0.0,
    )
    if took > budget:
        pieces.notes.append(
            f"A pass over {len(first)} tokens alone took {took:.1f} s, so sampling is extrapolated from it by its operations."
        )
    rubric = _rubric(config, pieces.notes)
    size = config.rollouts_per_prompt
    grading = config.grading.model_copy(update={"failure_budget": 1.0})  # that is for the run to judge
    expected = took * max(prompt_length / len(first), 1)
    end = time.monotonic() + budget

    def timed(num_problems: int, per_prompt: int, max_tokens: int) -> tuple[list[Group[Graded]], float]:
        start = time.perf_counter()
        done, _ = rollout(
            policy,
            problems[:num_problems],
            rubric,
            rollouts_per_prompt=per_prompt,
            seed=("calibration",),
            policy_version=0,
            sampling=config.sampling.model_copy(update={"max_tokens": max_tokens}),
            grading=grading,
        )
        took = time.perf_counter() - start
        pieces.add(*_sampled(done, took, config.sampling.concurrent, arithmetic))
        return done, took

    for count, max_tokens in ladder((len(problems) * size, config.sampling.max_tokens), factor):
        if time.monotonic() + expected > end:
            break
        groups, took = timed(math.ceil(count / size), min(count, size), max_tokens)
        expected = factor * took
    # Without groups, so that a prompt's cost can be told from its rollouts'; less work than the largest piece.
    for max_tokens in (1, 4):
        if groups and time.monotonic() + expected / 2 < end:
            timed(len(groups), 1, min(max_tokens, config.sampling.max_tokens))
    rollouts = [r for group in groups for r in group.rollouts]
    if rollouts:
        longest = max(len(r.completion_tokens) for r in rollouts)
        pieces.notes.append(
            f"sampling in {len(pieces.works)} pieces, the largest {len(rollouts)} rollouts of at most {longest} tokens"
        )
    return pieces, rollouts or [alone]


def _rubric(config: ZeroConfig, notes: list[str]) -> Rubric:
    """The run's rewards by rule. Models and judges are not loaded or asked: they would cost more than what is planned."""
    together: dict[str, BatchGrader] = {}
    for name in SCORED_TOGETHER:
        if not getattr(config.rewards, name):
            continue
        if name == "helpfulness" and set(config.rewards.sources(name)) <= set(HELPFULNESS):
            together[name] = grader(name, config.rewards, config.model.device)
        else:
            together[name] = _not_asked
            notes.append(f"what scores {name} is not asked, and its time not in this")
    return Rubric(config.rewards, together=together)


def _not_asked(items: Sequence[tuple[Problem, Trace]]) -> list[Verdict]:
    return [Verdict(None, "not asked where a run is planned", "ungradable") for _ in items]


def _sampled(
    groups: Sequence[Group[Drawn]], took: float, concurrent: int, arithmetic: Arithmetic | None
) -> tuple[Work, float, float]:
    """A measured piece: what it amounted to exactly, its seconds, its operations."""
    work = {"prompt_tokens": 0.0, "steps": 0.0, "tokens": 0.0, "pairs": 0.0, "calls": 1.0}
    flops, written = 0.0, list[int]()
    for group in groups:
        prompt, lengths = len(group.rollouts[0].prompt_tokens), [len(r.completion_tokens) for r in group.rollouts]
        work["prompt_tokens"] += prompt
        work["tokens"] += sum(lengths)
        work["pairs"] += sum(n * prompt + n * (n + 1) / 2 for n in lengths)
        written += lengths
        flops += sampling_flops(arithmetic, prompt, lengths) if arithmetic else 0.0
    work["steps"] = float(decode_steps(written, concurrent))
    return work, took, flops


def _time_training(
    policy: TextPolicy, config: ZeroConfig, rollouts: Sequence[Drawn], arithmetic: Arithmetic | None
) -> tuple[Pieces, Kept | None]:
    """Passes through `accumulate` on a growing number of rollouts, and bytes kept for the backward pass."""
    pieces = Pieces()
    reference = policy.snapshot() if config.keeps_reference else None
    extra = config.extra_forwards
    mean = math.ceil(sum(len(r.completion_tokens) for r in rollouts) / len(rollouts))
    # As they came, more and more of them; then some that are stretched, so that attention's part can be told apart.
    total = config.prompts_per_step * config.rollouts_per_prompt
    _, budget, factor = _pace(policy)
    shapes = [(count, 1) for (count,) in ladder((total,), factor)]
    shapes += [(8, length) for (length,) in ladder((config.sampling.max_tokens,)) if length >= 2 * mean]
    end, last = time.monotonic() + budget, 0.0
    for count, shortest in shapes:
        chosen = [_stretched(rollouts[i % len(rollouts)], shortest) for i in range(count)]
        batch = _train_batch(chosen)
        tokens = float(batch.attention_BT.sum())
        # A longer row costs more per token, so a half is put on top of what its tokens alone would take.
        if pieces.works and time.monotonic() + 1.5 * last * tokens / pieces.works[-1]["tokens"] > end:
            continue
        if not pieces.works:
            last = _warm(lambda batch=batch: _accumulate(policy, config, batch, reference), budget)
            end = time.monotonic() + budget
        else:
            start = time.perf_counter()
            _accumulate(policy, config, batch, reference)
            last = time.perf_counter() - start
        lengths = [(len(r.prompt_tokens), len(r.completion_tokens)) for r in chosen]
        work = {
            "micro_batches": float(len(batch.micro_rows(config.optimizer.micro_tokens))),
            "tokens": tokens,
            "pairs": sum((p + n) * (p + n + 1) / 2 for p, n in lengths),
        }
        done = [training_flops(arithmetic, p, [n], extra_forwards=extra) for p, n in lengths] if arithmetic else []
        pieces.add(work, last, sum(done))
    largest = max(work["tokens"] for work in pieces.works)
    pieces.notes.append(f"training in {len(pieces.works)} pieces, the largest {largest:,.0f} tokens")
    if pieces.seconds[0] > budget:
        pieces.notes.append(
            f"A forward and backward pass over {pieces.works[0]['tokens']:.0f} tokens alone took {pieces.seconds[0]:.1f} s, so "
            "training is extrapolated from it by its operations."
        )
        return pieces, None
    return pieces, kept_bytes(policy, rollouts[:8])


def _warm(work: Callable[[], object], budget: float) -> float:
    """Seconds of some work the second time, when weights are read, kernels built and caches warm; of the first, when that alone
    took longer than all may."""
    took = 0.0
    for _ in range(2):
        start = time.perf_counter()
        work()
        took = time.perf_counter() - start
        if took > budget:
            break
    return took


def _accumulate(
    policy: TextPolicy, config: ZeroConfig, batch: TokenBatch, reference: dict[str, torch.Tensor] | None
) -> None:
    temperature, micro_tokens = config.sampling.temperature, config.optimizer.micro_tokens
    try:
        if config.loss.importance_cap is not None:
            batch = with_proximal_logp(
                policy, batch, config.loss, temperature=temperature, micro_tokens=micro_tokens
            )
        # A constraint on the KL has a weight that comes and goes; what it takes does not depend on how large it is.
        kl_weight = (config.loss.kl_weight or 1.0) if reference is not None else None
        components = rl_components(config.loss, config.sampling.max_tokens, kl_weight=kl_weight)
        components = {name: c for name, c in components.items() if c.reads_values == "no"}  # a head of one number a token
        micros = [batch.select(rows) for rows in policy.micro_rows(batch, micro_tokens)]
        for _ in range(config.loss.num_scorings - (config.loss.importance_cap is not None)):
            score_all(policy, micros, temperature)
        accumulate(policy, batch, components, temperature, micro_tokens, reference)
        synchronize(policy.device)
    finally:
        for p in policy.weights.values():
            p.grad = None


def _stretched(r: Drawn, shortest: int) -> Drawn:
    """The rollout with its completion repeated up to a length: what is said does not change what it costs."""
    repeats = max(-(-shortest // len(r.completion_tokens)), 1)
    length = max(shortest, len(r.completion_tokens))
    tokens, logp = (r.completion_tokens * repeats)[:length], (r.sampling_logp * repeats)[:length]
    return Drawn(r.problem_id, r.sample, r.prompt_tokens, tokens, logp, r.stop_reason, 0, "")


def _train_batch(rollouts: Sequence[Drawn]) -> TokenBatch:
    """A batch in which every rollout has a gradient: advantages +1 and -1 in turn."""
    batch = pack(
        [(r.prompt_tokens, r.completion_tokens) for r in rollouts], sampling_logp=[r.sampling_logp for r in rollouts]
    )
    sign_B = torch.tensor([1.0 - 2.0 * (row % 2) for row in range(len(rollouts))])
    return batch.with_streams({"rl": sign_B.unsqueeze(1) * batch.mask_BT})


def kept_bytes(policy: TextPolicy, rollouts: Sequence[Drawn]) -> Kept:
    """Measured on two and on four rows as long as the longest rollout, whose prompts differ: the line through both."""
    longest = max(rollouts, key=lambda r: len(r.prompt_tokens) + len(r.completion_tokens))
    sizes = [_kept_by(policy, longest, num_rows) for num_rows in (2, 4)]
    (few, few_bytes), (many, many_bytes) = sizes
    per_token = (many_bytes - few_bytes) / (many - few)
    return Kept(max(few_bytes - per_token * few, 0.0), per_token)


def _kept_by(policy: TextPolicy, r: Drawn, num_rows: int) -> tuple[int, int]:
    """Padded tokens of so many rows like r, and the bytes that they keep; tensors that share memory count once."""
    # A prompt that rows share would be computed once, and without padding tensors need not be moved: neither is the rule.
    prompts = [[row % policy.vocabulary, *r.prompt_tokens[1:]] for row in range(num_rows)]
    completions = [r.completion_tokens, r.completion_tokens[: max(len(r.completion_tokens) - 1, 1)]]
    batch = pack([(prompt, completions[row % 2]) for row, prompt in enumerate(prompts)]).to(policy.device)
    weights = {p.untyped_storage().data_ptr() for p in policy.model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        hidden_ND, _ = policy.predicting(batch)
    note(hidden_ND)
    return batch.tokens_BT.numel(), sum(kept.values())


def _handling_seconds(rollouts: Sequence[Drawn]) -> float:
    """Seconds a rollout takes beside the passes over it: it is packed, and made anew with its advantage and its log-ratio."""
    graded = [r for r in rollouts if isinstance(r, Graded)]
    if not graded:
        return 0.0
    start = time.perf_counter()
    _train_batch(graded)
    for r in graded:
        replace(r.credited(0.0), log_ratio=0.0)
    return (time.perf_counter() - start) / len(graded)


def _update_seconds(policy: TextPolicy, config: ZeroConfig) -> float:
    """Seconds of clipping and AdamW for all trained weights, from a scratch copy of the first few million of them."""
    copied: dict[str, torch.nn.Parameter] = {}
    size = 0
    for name, p in policy.weights.items():
        if size and size + p.numel() > 2**22:
            continue
        copied[name] = torch.nn.Parameter(p.detach().clone())
        copied[name].grad = torch.zeros_like(copied[name])
        size += p.numel()
    optimizer = make_optimizer(cast(TextPolicy, SimpleNamespace(weights=copied, heads={})), config.optimizer)
    for _ in range(2):  # the first allocates the moments
        synchronize(policy.device)
        start = time.perf_counter()
        torch.nn.utils.clip_grad_norm_(list(copied.values()), 1.0)
        optimizer.step()
        synchronize(policy.device)
        took = time.perf_counter() - start
    return took * sum(p.numel() for p in policy.weights.values()) / size


def _saving_seconds(config: ZeroConfig, rollouts: Sequence[Drawn], problem: Problem, out: Path) -> Coefficients:
    """Seconds to record a step of the configured size, and per byte of a checkpoint; in a folder that is removed again."""
    there = next(p for p in out.resolve().parents if p.is_dir())  # not in `out`, which may hold a run
    if not os.access(there, os.W_OK | os.X_OK):  # a plan may be made for a folder that cannot be written to from here
        there = None
    total = config.prompts_per_step * config.rollouts_per_prompt
    measured = [rollouts[i % len(rollouts)] for i in range(min(total, 1024))]
    content = torch.randint(0, 256, (2**22,), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    per_step = 0.0
    with scratch(there) as place:
        for attempt in ("first", "second"):  # the first loads the library
            start = time.perf_counter()
            with Run(place / attempt, "zero", config) as run:
                run.log_step(1, {}, [Group(problem, tuple(measured))])
            per_step = time.perf_counter() - start
        start = time.perf_counter()
        with (place / "block").open("wb") as file:
            file.write(content.numpy().tobytes())
            file.flush()
            os.fsync(file.fileno())
        hashlib.sha256((place / "block").read_bytes())  # a checkpoint's manifest has digests
        per_byte = (time.perf_counter() - start) / len(content)
    return {"steps": per_step * total / len(measured), "checkpoint_bytes": per_byte}


def _coefficients(pieces: Pieces, operations: Work) -> Coefficients:
    """Fitted seconds per unit of work; from too few pieces, shared out by the operations of a unit of each.

    Args:
        operations: of a unit of each kind of work, where they are known; else all 1.
    """
    if len(pieces.works) >= _ENOUGH:
        return fit(pieces.works, pieces.seconds)
    done = sum(each * pieces.works[-1][name] for name, each in operations.items())
    return {name: pieces.seconds[-1] * each / done for name, each in operations.items()}


def _sampling_operations(arithmetic: Arithmetic | None) -> Work:
    a = arithmetic
    if a is None:
        return {"prompt_tokens": 1.0, "tokens": 1.0}
    return {"prompt_tokens": a.forward(1, 0, 0), "tokens": a.forward(1, 1, 0), "pairs": a.forward(0, 0, 1)}


def _training_operations(arithmetic: Arithmetic | None, extra: int) -> Work:
    a = arithmetic
    if a is None:
        return {"tokens": 1.0}
    return {
        "tokens": a.training(1, 1, 0) + extra * a.forward(1, 1, 0),
        "pairs": a.training(0, 0, 1) + extra * a.forward(0, 0, 1),
    }

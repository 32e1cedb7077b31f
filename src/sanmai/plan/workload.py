"""What is left to do of a stage, as batches to sample and batches to train on, counted from its settings and its sources."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sanmai.data.chat import render_prompt
from sanmai.data.trace import parse_trace
from sanmai.pipelines.graph import Stage
from sanmai.plan.stage_sources import MEASURED_ROWS, Rows, StageSources, mean, some
from sanmai.policies.text.flops import arithmetic_of, counted, demonstration_flops
from sanmai.recipes import find_recipe, named
from sanmai.recipes.reward import num_updates
from sanmai.recipes.reward_data import load_preferences, texts_of
from sanmai.recipes.sft import steps_for
from sanmai.types import InputError
from sanmai.world import documents

if TYPE_CHECKING:
    from sanmai.learn.evaluation import EvaluationConfig
    from sanmai.pipelines.guarded import GuardedConfig
    from sanmai.policies.text.sampler import SamplingConfig
    from sanmai.recipes.distill import DistillConfig
    from sanmai.recipes.evaluate import EvaluateConfig
    from sanmai.recipes.pretrain import PretrainConfig
    from sanmai.recipes.reward import RewardConfig, RewardEvaluationConfig
    from sanmai.recipes.sample import SampleConfig
    from sanmai.recipes.sft import SftConfig
    from sanmai.recipes.zero import ZeroConfig
    from sanmai.train.runs import CheckpointsConfig

    Evaluated = ZeroConfig | SftConfig | DistillConfig | PretrainConfig
    Updated = Evaluated | RewardConfig

FORWARD_AND_BACKWARD = 3.0
"""Forward passes that one of them and its backward pass are worth."""
_SCORING_TOKENS = 8192
"""Padded tokens that a reward model scores at a time."""
Counts = Literal["completions", "all", "nothing"]


@dataclass(frozen=True)
class Sampling:
    """Batches of completions, all alike."""

    times: float
    """Batches."""
    prompts: float
    """Of a batch, as all that follows."""
    rollouts: float
    prompt_length: float
    budget: int
    concurrent: int


@dataclass(frozen=True)
class Pass:
    """Passes of a model over batches of sequences, all alike."""

    times: float
    """Batches."""
    rows: float
    """Sequences of a batch."""
    prompt_length: float
    length: float | None
    """Mean tokens of a completion; None where a policy is to write it, in `budget` tokens at most."""
    budget: int
    micro_tokens: int
    forwards: float = FORWARD_AND_BACKWARD
    """What a batch costs, in forward passes."""
    updates: int = 1
    """Of the optimizer, per batch."""
    counts: Counts = "completions"
    """Which tokens the stage will report as trained."""
    size: float | None = None
    """As Workload.size, of a model beside the stage's own."""


@dataclass
class Workload:
    """What is left to do of a stage."""

    size: float
    """Operations for a token by the stage's model, relative to the base's."""
    threads: int
    """That compute with its model, where those of the base work each on its own; 0 for as many as of the base."""
    sampling: list[Sampling] = field(default_factory=list)
    passes: list[Pass] = field(default_factory=list)
    checkpoints: int = 0
    beside: float = 0.0
    """Frozen models that are held beside the stage's own: the sum of their sizes."""
    keeps_reference: bool = False
    """Another copy of the trained weights stays in memory."""
    is_bound: bool = False
    """There are so many rows at most."""


def workload(stage: Stage, sources: StageSources, done: int) -> Workload:
    """What is left of a stage.

    Args:
        done: steps that are committed; 0 for one that has not begun.

    Raises:
        InputError: a file that cannot be used.
    """
    model = getattr(stage.config, "model", None)
    if model is None:  # nothing is computed with a model
        return Workload(1.0, 0)
    name = f"@{stage.name}" if stage.recipe == "pretrain" else model.name
    w = Workload(sources.size_of(name), model.threads)
    recipe = find_recipe(stage.recipe)
    if recipe.cost_name is None:
        raise InputError(f"stage {stage.name}: what the recipe {stage.recipe} takes is not counted")
    named(recipe.cost_name)(w, stage.config, sources, done)
    return w


def count_evaluate(w: Workload, c: EvaluateConfig, sources: StageSources, done: int) -> None:
    found = sources.prompts(c.problems.source, limit=c.problems.limit)
    _sample(w, c.sampling, found, times=1, samples=c.samples)


def count_sample(w: Workload, c: SampleConfig, sources: StageSources, done: int) -> None:
    found = sources.prompts(c.problems.source, limit=c.problems.limit)
    chunks = math.ceil(found.count / c.prompts_per_chunk)
    left = max(found.count - done * c.prompts_per_chunk, 0)
    if left:
        chunk = Rows(left / (chunks - done), found.prompt_length, is_bound=found.is_bound)
        _sample(w, c.sampling, chunk, times=chunks - done, samples=c.samples_per_prompt)
        kinds = sources.kinds(c.problems.source, limit=c.problems.limit)
        shares = {kind: len(problems) / found.count for kind, problems in kinds.items()}
        _score(w, c, sources, chunk.count * c.samples_per_prompt, found.prompt_length, chunks - done, shares)


def count_zero(w: Workload, c: ZeroConfig, sources: StageSources, done: int) -> None:
    left, rollouts = c.num_steps - done, c.prompts_per_step * c.leaves_per_prompt
    length = sources.prompts(c.problems.source).prompt_length
    _sample(w, c.sampling, Rows(c.prompts_per_step, length), times=left, samples=c.leaves_per_prompt + c.has_greedy)
    own = (c.sampling.max_tokens, c.optimizer.micro_tokens)
    w.keeps_reference = c.keeps_reference
    forwards = FORWARD_AND_BACKWARD + c.extra_forwards
    w.passes.append(Pass(left, rollouts, length, None, *own, forwards, c.updates_per_step))
    if kinds := sources.kinds(c.problems.source):
        drawn = [c.mixture.shares(kinds, step, c.num_steps) for step in range(done + 1, c.num_steps + 1)]
        shares = {kind: mean(step.get(kind, 0.0) for step in drawn) for kind in kinds}
        _score(w, c, sources, rollouts, length, left, shares)
    if c.auxiliary_sft.source is not None:
        shown = sources.demonstrations(c.auxiliary_sft.source, c.grading.thought_tags)
        _train(w, c, shown, left * c.updates_per_step, c.auxiliary_sft.demonstrations_per_update, counts="nothing")
    if c.constraints.probe is not None:
        _probe(w, c, sources, done)
    _evaluations(w, c, sources.prompts(c.problems.evaluation), done, c.num_steps)


def _probe(w: Workload, c: ZeroConfig, sources: StageSources, done: int) -> None:
    """Completions that move the multipliers of constraints."""
    probe, asked = c.constraints.probe, dict[str, int]()
    files = [probe] if isinstance(probe, str) else list(probe or ())
    for file in files:
        for kind, found in sources.kinds(file).items():
            asked[kind] = asked.get(kind, 0) + len(found)
    count = sum(min(number, c.constraints.prompts_per_kind) for number in asked.values())
    times = sum((step - 1) % c.constraints.every == 0 for step in range(done + 1, c.num_steps + 1))
    if times and count:
        drawn = Rows(count, mean(sources.prompts(file).prompt_length for file in files))
        _sample(w, c.sampling, drawn, times=times, samples=c.constraints.samples)


def count_distill(w: Workload, c: DistillConfig, sources: StageSources, done: int) -> None:
    left, rollouts = c.num_steps - done, c.prompts_per_step * c.rollouts_per_prompt
    length = sources.prompts(c.problems.source).prompt_length
    _sample(w, c.sampling, Rows(c.prompts_per_step, length), times=left, samples=c.rollouts_per_prompt)
    own, teacher = (c.sampling.max_tokens, c.optimizer.micro_tokens), sources.size_of(c.teacher.name)
    w.passes.append(Pass(left, rollouts, length, None, *own))
    w.passes.append(Pass(left, rollouts, length, None, *own, forwards=1, updates=0, counts="nothing", size=teacher))
    w.beside += teacher
    _evaluations(w, c, sources.prompts(c.problems.evaluation), done, c.num_steps)


def count_sft(w: Workload, c: SftConfig, sources: StageSources, done: int) -> None:
    shown = sources.demonstrations(c.problems.source, c.grading.thought_tags)
    count = int(sum(rows.count for rows in shown))
    per_step, num_steps = steps_for(c, count, _of_budget(w, c, shown, sources) / max(count, 1))
    _train(w, c, shown, num_steps - done, per_step)
    _evaluations(w, c, sources.prompts(c.problems.evaluation, answered=True), done, num_steps)


def _of_budget(w: Workload, c: SftConfig, shown: Sequence[Rows], sources: StageSources) -> float:
    """What all of these demonstrations take, in the unit of the stage's budget."""
    lengths = [(rows.prompt_length, rows.budget if rows.length is None else rows.length) for rows in shown]
    if c.operation_budget is None:
        return sum(rows.count * completion for rows, (_, completion) in zip(shown, lengths, strict=True))
    sizes = counted(*arithmetic_of(sources.policy.model))
    each = [demonstration_flops(sizes, [(round(prompt), round(completion))]) for prompt, completion in lengths]
    return w.size * sum(rows.count * one for rows, one in zip(shown, each, strict=True))


def count_guarded(w: Workload, c: GuardedConfig, sources: StageSources, done: int) -> None:
    """One attempt and its evaluations; how many attempts there will be is not known."""
    (count_zero if c.stage == "zero" else count_sft)(w, getattr(c, c.stage), sources, 0)
    found = sources.prompts(c.evaluation.problems.source, limit=c.evaluation.problems.limit)
    _sample(w, c.evaluation.sampling, found, times=2, samples=c.evaluation.samples)


def count_pretrain(w: Workload, c: PretrainConfig, sources: StageSources, done: int) -> None:
    tokenizer = sources.policy.tokenizer
    shown = list(itertools.islice(documents(c.seed, c.corpus), MEASURED_ROWS))
    prompt_length = mean(len(render_prompt(tokenizer, d.messages)) for d in shown)
    length = 1 + mean(len(tokenizer.encode(d.completion, add_special_tokens=False)) for d in shown)
    _train(w, c, [Rows(1, prompt_length, length)], c.num_steps - done, c.documents_per_step)
    _evaluations(w, c, Rows(c.world.heldout, prompt_length), done, c.num_steps)


def count_reward(w: Workload, c: RewardConfig, sources: StageSources, done: int) -> None:
    train, held_out = load_preferences(c.preferences, c.objective, c.seed, sources.on_warning)
    tokenizer, counted = sources.policy.tokenizer, some(train)
    prompt_length = mean(len(render_prompt(tokenizer, item.messages)) for item in counted)
    traces = [parse_trace(text) for item in counted for text in texts_of(item)]
    texts = [trace.answer or "" if c.part == "answer" else trace.text for trace in traces]
    read = (c.first_tokens if c.objective == "refusal" else None) or math.inf
    length = 1 + mean(min(len(tokenizer.encode(text, add_special_tokens=False)), read) for text in texts)
    each = 2 if c.objective == "pairwise" else 1
    num_steps, per_step = num_updates(c, len(train)), min(c.examples_per_step, len(train))
    w.threads = 1  # its micro-batches are not shared out to workers
    _train(w, c, [Rows(1, prompt_length, length)], num_steps - done, each * per_step, counts="all")
    own = (prompt_length, length, 0, c.optimizer.micro_tokens)
    times = _num_evaluations(c.evaluation, done, num_steps)
    w.passes.append(Pass(times, each * len(held_out), *own, forwards=1, updates=0, counts="nothing"))
    w.checkpoints = _num_checkpoints(c.checkpoints, done, num_steps)
    w.is_bound |= c.objective == "pairwise" and c.balance_lengths  # pairs are dropped until lengths are balanced


def _sample(w: Workload, sampling: SamplingConfig, prompts: Rows, *, times: float, samples: int) -> None:
    own = (sampling.max_tokens, sampling.concurrent)
    w.sampling.append(Sampling(times, prompts.count, prompts.count * samples, prompts.prompt_length, *own))
    w.is_bound |= prompts.is_bound


def _train(
    w: Workload, c: Updated, shown: Sequence[Rows], times: int, per_update: int, counts: Counts = "completions"
) -> None:
    """Updates on demonstrations, of which each file has its share."""
    total = max(sum(rows.count for rows in shown), 1)
    for k, rows in enumerate(shown):
        own = (rows.prompt_length, rows.length, rows.budget, c.optimizer.micro_tokens)
        w.passes.append(Pass(times, per_update * rows.count / total, *own, updates=int(k == 0), counts=counts))
        w.is_bound |= rows.is_bound


def _score(
    w: Workload,
    c: SampleConfig | ZeroConfig,
    sources: StageSources,
    rollouts: float,
    length: float,
    times: int,
    shares: Mapping[str, float],
) -> None:
    """Reward models read the rollouts of their kinds.

    Args:
        shares: of the rollouts, by kind.
    """
    for name, kind in (("helpfulness", "general"), ("harmlessness", "safety")):
        for scorer in c.rewards.sources(name) if getattr(c.rewards, name) else ():
            if scorer == "judge":
                continue
            size, rows = sources.size_of(scorer), rollouts * shares.get(kind, 0.0)
            own = (c.sampling.max_tokens, _SCORING_TOKENS)
            w.passes.append(Pass(times, rows, length, None, *own, forwards=1, updates=0, counts="nothing", size=size))
            w.beside += size


def _evaluations(w: Workload, c: Evaluated, held_out: Rows, done: int, num_steps: int) -> None:
    """Evaluations and checkpoints of a stage that trains a policy."""
    w.checkpoints = _num_checkpoints(c.checkpoints, done, num_steps)
    limit = getattr(getattr(c, "problems", None), "evaluation_limit", held_out.count)
    chosen = Rows(min(held_out.count, limit), held_out.prompt_length)
    sampling = c.sampling.model_copy(update={"max_tokens": c.evaluation.max_tokens or c.sampling.max_tokens})
    times = _num_evaluations(c.evaluation, done, num_steps)
    if times and chosen.count:
        _sample(w, sampling, chosen, times=times, samples=c.evaluation.samples)


def _num_evaluations(evaluation: EvaluationConfig | RewardEvaluationConfig, done: int, num_steps: int) -> int:
    return (done == 0) + sum(evaluation.is_due(step, num_steps) for step in range(done + 1, num_steps + 1))


def _num_checkpoints(checkpoints: CheckpointsConfig, done: int, num_steps: int) -> int:
    return sum(step % checkpoints.every == 0 or step == num_steps for step in range(done + 1, num_steps + 1))

"""Reward models: of helpfulness from pairs (Bradley-Terry), of safety, correctness, refusal or steps from labels.

Reproduces the reward models of DeepSeek-R1 (arXiv:2501.12948): one pass at learning rate 6e-6 in
batches of 256 and at most 8,192 tokens; helpfulness from pairs whose chosen and rejected responses are of balanced length,
scored on the answer alone; safety pointwise, on thought and answer. And the classic reward model of Kimi k1.5 (arXiv:2501.12599,
"Reward Modeling for Math"): question, reference answer and response in, a scalar out whether the response is correct.
A model of refusal says whether an answer refuses, wholly or in part: a judge of evaluations that is none of the rules. A process
model scores every step (Lightman et al. 2023, arXiv:2305.20050; labels by continuations: Math-Shepherd, arXiv:2312.08935).
The result is an ordinary sequence-classification folder.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.data.curriculum import draw
from sanmai.data.preferences import LabelledRefusal, Pair, load_rm_bench
from sanmai.data.steps import StepRule, steps_of
from sanmai.learn.loop import train_steps
from sanmai.learn.progress import Progress
from sanmai.losses import binary_cross_entropy, bradley_terry
from sanmai.policies.text.config import ModelConfig
from sanmai.recipes.process_report import evaluate_steps
from sanmai.recipes.refusal_evaluation import under_other_prompts
from sanmai.recipes.reward_data import (
    Example,
    Preference,
    PreferencesConfig,
    balanced,
    encode_examples,
    encode_step_examples,
    is_positive,
    load_preferences,
)
from sanmai.recipes.reward_report import Benchmarks, evaluate
from sanmai.rewards.reward_model import LABELS, Objective, Reads, RewardModel, load_reward_model, similar_lengths
from sanmai.train.environment import describe_environment
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.train.state import start_or_resume
from sanmai.train.step import NonFiniteError, OptimizerConfig, learning_rate, optimizer_words
from sanmai.types import Metrics


class RewardEvaluationConfig(Config):
    every: int = Field(0, ge=0)
    """Steps between evaluations; 0 evaluates only before the first and after the last step."""
    rm_bench: tuple[str, ...] = ()
    """Files in RM-Bench's format, one per domain: is the model led by style? They are named by their file names."""

    def is_due(self, step: int, num_steps: int) -> bool:
        return step == num_steps or (self.every > 0 and step % self.every == 0)


class RewardConfig(Config):
    seed: int = Field(0, ge=0)
    """Names every random stream of the run, the new head's too."""
    objective: Objective = "pairwise"
    """"pairwise": which of two responses is better. "pointwise": is this response safe. "correctness": is its answer right, with
    the reference answer shown. "refusal": does its answer refuse, wholly or in part. "process": is each step right."""
    reads: Reads | None = None
    """What of a completion is scored: "answer" or "all" (thought and answer); by default all for "pointwise" and "process", else
    the answer."""
    steps: str | None = None
    """How a process model's completions are cut when it grades them: text:SEPARATOR, line, sentence, tokens:N, world or thought;
    by default world for the embedded world and else text:\\n\\n. Training takes the steps of the rows as they are."""
    labels: Literal["soft", "hard"] = "soft"
    """Of a step whose label is a share of right continuations: train on the share, or on right where there was any."""
    separator: str | None = None
    """Between the steps of a row that states none; by default what its format has."""
    epochs: float = Field(1.0, gt=0)
    """Passes over the examples."""
    examples_per_step: int = Field(256, ge=1)
    """Pairs or labelled responses in one optimizer update."""
    max_tokens: int = Field(8192, ge=2)
    """Examples with a longer response, prompt included, are left out and counted."""
    first_tokens: int | None = Field(128, ge=8)
    """Of an answer, a model of refusal reads no more than its first tokens; None: all of it."""
    other_prompts: float = Field(0.5, ge=0, le=1)
    """Share of the training answers that a model of refusal sees under a prompt of the other label: else it may learn to tell a
    refusal by what was asked."""
    balance_lengths: bool = True
    """Drop pairs until length does not tell the chosen response. Only of pairs; those held out stay as they are."""
    model: ModelConfig = ModelConfig()
    preferences: PreferencesConfig = PreferencesConfig()
    optimizer: OptimizerConfig = OptimizerConfig(lr=6e-6)
    evaluation: RewardEvaluationConfig = RewardEvaluationConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig()

    only_with = (
        OnlyWith('objective = "pairwise"', lambda c: c.objective == "pairwise", "balance_lengths"),
        OnlyWith('objective = "refusal"', lambda c: c.objective == "refusal", "first_tokens", "other_prompts"),
        OnlyWith('objective = "process"', lambda c: c.objective == "process", "steps", "labels", "separator"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.model.lora_rank:
            raise ValueError("model.lora_rank: a reward model trains all of its weights; expected 0")
        if self.objective != "pairwise" and self.preferences.world.dangerous_share:
            raise ValueError("preferences.world.dangerous_share is of pairs alone")
        if self.objective == "correctness" and self.evaluation.rm_bench:
            raise ValueError(
                "evaluation.rm_bench: its pairs have no reference answer, which a model of correctness reads"
            )
        if self.objective == "refusal" and self.evaluation.rm_bench:
            raise ValueError("evaluation.rm_bench: its pairs say nothing of refusals, of which this model is")
        if self.objective == "process" and self.evaluation.rm_bench:
            raise ValueError("evaluation.rm_bench: its pairs have no steps, of which this model is")
        if self.objective == "process" and self.reads == "answer":
            raise ValueError('reads = "answer": steps are of all that was written; expected "all"')
        if self.steps is not None:
            StepRule.parse(self.steps)
        if self.objective == "refusal" and self.reads == "all":
            raise ValueError('reads = "all": a refusal is told by the answer; expected "answer"')
        if len({Path(name).stem for name in self.evaluation.rm_bench}) < len(self.evaluation.rm_bench):
            raise ValueError("evaluation.rm_bench: two files of one name; their numbers would have one name too")
        return self

    @property
    def loads(self) -> dict[str, Any]:
        """How a model of this kind is loaded to be trained."""
        kept: dict[str, Any] = {"first_tokens": self.first_tokens} if self.objective == "refusal" else {}
        if self.objective == "process":
            kept = {"steps": self.steps or steps_of(self.preferences.source)}
        return {"objective": self.objective, "reads": self.part, "seed": self.seed, "for_training": True, **kept}

    @property
    def part(self) -> Reads:
        """What of a completion is scored."""
        return self.reads or ("all" if self.objective in ("pointwise", "process") else "answer")


def run_reward(config: RewardConfig, out: Path, *, progress: Progress | None = None) -> Path:
    """Run the recipe, or go on with it, in a run folder; the folder."""
    progress = progress or Progress.silent()
    with Run(out, "reward", config) as run:
        train, held_out = _preferences(config, run.warn)
        benchmarks: Benchmarks = {Path(name).stem: load_rm_bench(name, run.warn) for name in config.evaluation.rm_bench}
        load = functools.partial(load_reward_model, **config.loads)
        state = start_or_resume(run, config.model, config.optimizer, keep_reference=False, load=load)
        model = state.policy
        origin: dict[str, Any] = {"train": train, "evaluation": held_out, **benchmarks}
        run.log_environment(describe_environment(state.policy, origin, start_digest=state.start_digest))
        examples = _encoded(model, config, _shown(config, train), "training examples", run.warn)
        if config.objective == "pairwise" and config.balance_lengths:
            examples = balanced(examples, run.warn)
        evaluated = _encoded(model, config, held_out, "held-out examples", run.warn)
        evaluation = evaluate_steps if config.objective == "process" else evaluate
        micro_tokens = config.optimizer.micro_tokens
        measure = functools.partial(evaluation, run, model, evaluated, benchmarks, micro_tokens, progress)
        per_step = min(config.examples_per_step, len(examples))
        num_steps = num_updates(config, len(examples))

        def learn(step: int) -> Metrics:
            batch = draw(examples, per_step, seed=config.seed, step=step)
            return update(model, state.optimizer, batch, config.optimizer, step, num_steps)

        train_steps(
            run, state, num_steps, is_due=config.evaluation.is_due, checkpoints=config.checkpoints, update=learn, measure=measure,
            progress=progress,
        )
    return run.folder


def describe_reward(config: RewardConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a run would do, in sentences; preferences and model are loaded and checked."""
    warnings: list[str] = []
    train, held_out = _preferences(config, warnings.append)
    model = load_reward_model(config.model, **config.loads)
    examples = _encoded(model, config, _shown(config, train), "training examples", warnings.append)
    if config.objective == "pairwise" and config.balance_lengths:
        examples = balanced(examples, warnings.append)
    yield (
        f"Model {config.model.name}: {type(model.model).__name__}, {model.num_parameters:,} parameters, all trained, "
        f"arithmetic in {config.model.dtype} on {config.model.device}."
    )
    what = {
        "pairwise": "pairs", "pointwise": "labelled responses", "correctness": "labelled answers", "refusal": "labelled refusals",
        "process": "solutions with labelled steps",
    }[config.objective]  # fmt: skip
    yield f"{len(examples):,} {what} to train on, {len(held_out):,} held out."
    yield from (f"Warning: {warning}" for warning in warnings)
    loss = (
        f"cross-entropy of {' or '.join(LABELS[config.objective])}" if config.objective in LABELS else "Bradley-Terry"
    )
    if config.objective == "process":
        yield f"{sum(v is not None for e in examples for v in e.labels):,} labelled steps; steps are cut by {model.steps}."
    read = "the answer alone" if config.part == "answer" else "thought and answer"
    if config.objective == "refusal" and config.first_tokens is not None:
        read += f", its first {config.first_tokens} tokens"
    yield (
        f"{config.epochs:g} pass{'es' if config.epochs != 1 else ''} in {num_updates(config, len(examples))} updates of "
        f"{min(config.examples_per_step, len(examples))}; {loss}, scored on {read}."
    )
    yield optimizer_words(config.optimizer)


def _preferences(config: RewardConfig, on_warning: Callable[[str], None]) -> tuple[list[Preference], list[Preference]]:
    return load_preferences(
        config.preferences, config.objective, config.seed, on_warning, separator=config.separator
    )


def _encoded(
    model: RewardModel, config: RewardConfig, items: Sequence[Preference], what: str, on_warning: Callable[[str], None]
) -> list[Example]:
    if config.objective != "process":
        return encode_examples(model, items, config.max_tokens, what, on_warning)
    is_hard = config.labels == "hard" and what.startswith("training")
    return encode_step_examples(model, items, config.max_tokens, what, on_warning, are_hard=is_hard)


def _shown(config: RewardConfig, train: Sequence[Preference]) -> Sequence[Preference]:
    """The training items as they are shown: of refusals some under another's prompt."""
    if config.objective != "refusal":
        return train
    items = [item for item in train if isinstance(item, LabelledRefusal)]
    return under_other_prompts(items, config.other_prompts, config.seed)


def num_updates(config: RewardConfig, num_examples: int) -> int:
    per_step = min(config.examples_per_step, num_examples)
    return max(round(config.epochs * (num_examples // per_step)), 1)


def update(
    model: RewardModel,
    optimizer: torch.optim.Optimizer,
    batch: Sequence[Example],
    config: OptimizerConfig,
    step: int,
    num_steps: int,
) -> Metrics:
    """One optimizer update on pairs or labelled responses, the gradient accumulated over micro-batches.

    Returns:
        `loss/pairwise` or `loss/pointwise` (nats per example) or `loss/process` (nats per step), `train/pair_accuracy` and
        `train/score_gap`, or `train/label_accuracy`, before the update; `policy/grad_norm` before clipping, `optimizer/lr`,
        `tokens/trained`.

    Raises:
        NonFiniteError: the loss or the gradient is not finite; weights and optimizer state are as before.
    """
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(config, step, num_steps)
    optimizer.zero_grad(set_to_none=True)
    model.cores.use_threads()
    metrics: Metrics = {}
    # A pair's two responses go through together: its loss needs both.
    widths = [len(example.sequences) * max(map(len, example.sequences)) for example in batch]
    loss_name = f"loss/{model.objective if model.objective in ('pairwise', 'process') else 'pointwise'}"
    is_process = model.objective == "process"
    count = sum(v is not None for e in batch for v in e.labels) if is_process else len(batch)
    broken: list[str] = []
    for rows in similar_lengths(widths, config.micro_tokens):
        part = [batch[row] for row in rows]
        loss, found = _loss(model, part, denominator=float(count))
        if not math.isfinite(loss.item()):
            broken += [example.item.id for example in part]
        loss.backward()
        for name, value in {loss_name: loss.item(), **found}.items():
            metrics[name] = metrics.get(name, 0.0) + value
    norm = torch.nn.utils.clip_grad_norm_(list(model.weights.values()), config.max_grad_norm).item()
    metrics |= {"policy/grad_norm": norm, "optimizer/lr": optimizer.param_groups[0]["lr"]}
    bad = [f"{name} = {value}" for name, value in metrics.items() if not math.isfinite(value)]
    if bad:
        optimizer.zero_grad(set_to_none=True)
        where = f" (among the examples {', '.join(broken[:5])})" if broken else ""
        raise NonFiniteError(
            f"step {step}: {', '.join(bad)} before the optimizer step{where}; the last checkpoint is intact"
        )
    optimizer.step()
    return metrics | {"tokens/trained": float(sum(len(s) for example in batch for s in example.sequences))}


def _loss(model: RewardModel, part: Sequence[Example], denominator: float) -> tuple[torch.Tensor, Metrics]:
    if model.objective == "process":
        ends = [[end for end, v in zip(e.ends, e.labels, strict=True) if v is not None] for e in part]
        score_N = model.forward_steps([e.sequences[0] for e in part], ends)
        label_N = score_N.new_tensor([v for e in part for v in e.labels if v is not None])
        loss, found = binary_cross_entropy(score_N, label_N, denominator=denominator)
        return loss, {f"train/{name}": value for name, value in found.items()}
    score_B = model.forward([sequence for example in part for sequence in example.sequences])
    items = [example.item for example in part]
    if model.objective == "pairwise":
        margin_B = score_B.new_tensor([item.margin if isinstance(item, Pair) else 0.0 for item in items])
        loss, found = bradley_terry(score_B[::2], score_B[1::2], margin_B=margin_B, denominator=denominator)
    else:
        label_B = score_B.new_tensor([float(is_positive(item)) for item in items])
        loss, found = binary_cross_entropy(score_B, label_B, denominator=denominator)
    return loss, {f"train/{name}": value for name, value in found.items()}

"""Supervised fine-tuning on demonstrations: worked solutions of a problem file, or conversations.

The loss is on the completion alone (the stop token included), averaged over the tokens of the whole step. Presets of R1's
values: 2-3 epochs, cosine from 5e-5 to 5e-6, batch 128 (arXiv:2501.12948, supplement B.4.2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from sanmai.cluster.config import TrainersConfig
from sanmai.cluster.trainers import Trainers
from sanmai.config import Config, OnlyWith
from sanmai.data.chat import demonstration, render_demonstration, thought_warnings
from sanmai.data.curriculum import draw
from sanmai.learn.evaluation import EvaluationConfig, Evaluator
from sanmai.learn.graders import make_rubric
from sanmai.learn.progress import Progress
from sanmai.learn.sources import ProblemsConfig, check_positions, load_splits
from sanmai.learn.spending import refuse_two_budgets
from sanmai.learn.supervised import fit
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.flops import arithmetic_of, counted, demonstration_flops
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.rewards.rubric import RewardsConfig
from sanmai.rollout.engine import GradingConfig
from sanmai.train.environment import describe_environment
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.train.state import start_or_resume
from sanmai.train.step import OptimizerConfig
from sanmai.types import Image, InputError, Problem

Demonstration = tuple[list[int], list[int], tuple[Image, ...]]
"""Tokens of prompt and completion, and the prompt's pictures."""


class SftConfig(Config):
    seed: int = Field(0, ge=0)
    """Names every random stream of the run."""
    epochs: float = Field(2.0, gt=0)
    """Passes over the demonstrations."""
    token_budget: int | None = Field(None, ge=1)
    """In place of epochs: as many steps as train on about so many tokens of completions. None: epochs."""
    operation_budget: float | None = Field(None, gt=0)
    """In place of epochs: as many steps as take about so many floating point operations, prompts and backward passes counted."""
    demonstrations_per_step: int = Field(128, ge=1)
    """Demonstrations in one optimizer update."""
    max_tokens: int = Field(4096, ge=2)
    """Demonstrations longer than this, prompt included, are left out and counted."""
    model: ModelConfig = ModelConfig()
    problems: ProblemsConfig = ProblemsConfig()
    optimizer: OptimizerConfig = OptimizerConfig(lr=5e-5, schedule="cosine", final_lr_ratio=0.1)
    sampling: SamplingConfig = SamplingConfig()
    """For evaluation only."""
    rewards: RewardsConfig = RewardsConfig()
    """For evaluation only."""
    grading: GradingConfig = GradingConfig()
    """For evaluation, but for thought_tags, which demonstrations are written with."""
    evaluation: EvaluationConfig = EvaluationConfig()
    cluster: TrainersConfig = TrainersConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig()

    only_with = (
        OnlyWith("no token_budget or operation_budget", lambda c: c.token_budget is c.operation_budget is None, "epochs"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_two_budgets(self.token_budget, self.operation_budget)
        self.cluster.check_trainers(self.model)
        return self


def run_sft(
    config: SftConfig, out: Path, *, problems: Sequence[Problem] | None = None, progress: Progress | None = None
) -> Path:
    """Run the recipe, or go on with it, in a run folder; the folder.

    Args:
        problems: instead of config.problems.source.
    """
    progress = progress or Progress.silent()
    with Run(out, "sft", config) as run, Trainers(config.cluster) as trainers:
        train, held_out = load_splits(config.problems, config.seed, problems, on_warning=run.warn, needs_answer=False)
        held_out = [p for p in held_out if p.answer is not None or p.kind != "reasoning"]
        state = start_or_resume(
            run, config.model, config.optimizer, keep_reference=False, load=load_policy, team=trainers.team
        )
        trainers.write_for(state.policy, config.cluster.num_writers)
        run.log_environment(
            describe_environment(
                state.policy, {"train": train, "evaluation": held_out}, start_digest=state.start_digest
            )
        )
        check_positions(state.policy, held_out, config.evaluation.max_tokens or config.sampling.max_tokens)
        train = with_demonstrations(train)
        for sentence in thought_warnings(state.policy.tokenizer, train, config.grading.thought_tags):
            run.warn(sentence)
        kept = rendered(config, state.policy, train, run.warn)
        per_step, num_steps = steps_of(config, kept, state.policy)
        rubric = make_rubric(
            config.rewards, None, [], held_out=held_out, device=config.model.device, gold=config.evaluation.gold, run=run
        )
        evaluator = Evaluator(
            run, config.evaluation, held_out, rubric, seed=config.seed, sampling=config.sampling, grading=config.grading,
            progress=progress,
        )
        fit(
            run,
            state,
            lambda step: draw(kept, per_step, seed=config.seed, step=step),
            num_steps,
            optimizer=config.optimizer,
            evaluation=config.evaluation,
            evaluator=evaluator,
            checkpoints=config.checkpoints,
            progress=progress,
        )
    return run.folder


def with_demonstrations(train: Sequence[Problem]) -> list[Problem]:
    """Those with a worked solution.

    Raises:
        InputError: there is none.
    """
    shown = [p for p in train if demonstration(p) is not None]
    if not shown:
        raise InputError("problems.source: no row has a worked solution to learn from (see docs/recipes.md, sft)")
    return shown


def rendered(
    config: SftConfig, policy: TextPolicy, shown: Sequence[Problem], on_warning: Callable[[str], None]
) -> list[Demonstration]:
    """Demonstrations as tokens: prompt, completion, pictures; those that are too long are left out with a warning.

    Raises:
        InputError: all are.
    """
    tags = config.grading.thought_tags
    examples = [(*render_demonstration(policy.tokenizer, p, tags, carries_images=True), p.images) for p in shown]
    room = min(config.max_tokens, policy.max_positions or config.max_tokens)
    kept = [e for e in examples if len(e[0]) + len(e[1]) <= room]
    if not kept:
        raise InputError(f"max_tokens = {config.max_tokens}: every demonstration is longer than {room} tokens")
    if len(kept) < len(examples):
        on_warning(
            f"{len(examples) - len(kept)} of {len(examples)} demonstrations are longer than "
            f"{room} tokens (max_tokens, or the model's positions) and left out"
        )
    return kept


def steps_of(config: SftConfig, kept: Sequence[Demonstration], policy: TextPolicy) -> tuple[int, int]:
    """Demonstrations of an update, and updates.

    Raises:
        InputError: an operation budget for a model whose operations cannot be counted.
    """
    lengths = [(len(prompt), len(completion)) for prompt, completion, _ in kept]
    return steps_for(config, len(kept), _amount(config, lengths, policy) / len(kept))


def steps_for(config: SftConfig, count: int, each: float) -> tuple[int, int]:
    """The same for so many demonstrations, of which one takes `each`: tokens or operations, whichever there is a budget of."""
    per_step = max(min(config.demonstrations_per_step, count), 1)
    if not count:  # which the run refuses
        return per_step, 1
    budget = config.token_budget if config.token_budget is not None else config.operation_budget
    steps = config.epochs * (count // per_step) if budget is None else budget / (per_step * each)
    return per_step, max(round(steps), 1)


def _amount(config: SftConfig, lengths: Sequence[tuple[int, int]], policy: TextPolicy) -> float:
    """What demonstrations of these lengths take of the budget."""
    if config.operation_budget is None:
        return float(sum(completion for _, completion in lengths))
    return demonstration_flops(counted(*arithmetic_of(policy.model)), lengths)

"""On-policy distillation: the student writes, the teacher says of every token how likely it would have been.

The loss is the reverse KL of student and teacher on the student's own completions, token by token (Thinking Machines 2025,
"On-Policy Distillation"; GKD, arXiv:2306.13649, with its fraction of on-policy data at 1). By default it is estimated from the
sampled tokens, which costs one pass of the teacher and no logits: the teacher's log-prob less the student's is the advantage
of a plain policy gradient. `exact` takes it over the whole vocabulary, with less noise, and then `beta` may choose another
divergence. Completions are graded as in `zero`, for the record alone: no reward is trained on.

Student and teacher share a tokenizer, or are aligned by text (`align`): the teacher then reads what was written in its own
tokens, and is compared with the student over the shortest stretches that whole tokens of both write.

Shape key: see rollout/pack.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from sanmai.cluster.config import TrainersConfig
from sanmai.cluster.trainers import Trainers
from sanmai.config import Config, OnlyWith
from sanmai.data.curriculum import draw
from sanmai.learn.evaluation import EvaluationConfig, Evaluator
from sanmai.learn.failure import with_bundle
from sanmai.learn.graders import Given, make_rubric, recorded_as
from sanmai.learn.progress import Progress
from sanmai.learn.sources import ProblemsConfig, check_positions, load_splits
from sanmai.learn.teacher import (
    TeacherConfig,
    check_shares_tokenizer,
    divergence_component,
    load_teacher,
    teacher_logp,
)
from sanmai.learn.teacher_by_text import read_by_text
from sanmai.losses import Normalisation, distillation_advantages
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.pack import pack_rollouts
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.rewards.rubric import RewardsConfig
from sanmai.rollout.credit import with_advantages
from sanmai.rollout.engine import GradingConfig, rollout
from sanmai.rollout.measure import training_metrics
from sanmai.train.components import LossConfig, rl_components
from sanmai.train.environment import describe_environment
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.train.state import TrainingState, start_or_resume, weights_digest
from sanmai.train.step import (
    Component,
    NonFiniteError,
    OptimizerConfig,
    StepResult,
    check_parity,
    learning_rate,
    optimizer_step,
)
from sanmai.types import Credited, Graded, Group, InputError, Metrics, Problem, TokenBatch, regrouped

_SURROGATE = LossConfig(preset="reinforce", normalisation=Normalisation.TOKEN)
"""One update per step, so every ratio is 1; every token of the step counts the same."""


class DistillConfig(Config):
    seed: int = Field(0, ge=0)
    """Names every random stream of the run."""
    num_steps: int = Field(200, ge=1)
    """Steps: each samples completions of a batch of problems and updates the student once."""
    prompts_per_step: int = Field(64, ge=1)
    """Problems drawn in one step."""
    rollouts_per_prompt: int = Field(4, ge=1)
    """Completions of each problem. No baseline is taken within the group: one is enough."""
    exact: bool = False
    """Take the divergence over the whole vocabulary instead of estimating it from the sampled tokens."""
    align: Literal["tokens", "text"] = "tokens"
    """How teacher and student are compared: token by token, which takes one tokenizer, or by stretches of text, which does
    not."""
    beta: float = Field(1.0, ge=0, le=1)
    """Which divergence, with exact: 1 reverse KL, 0 forward KL, between them GKD's generalised Jensen-Shannon divergence."""
    model: ModelConfig = ModelConfig()
    """The student."""
    teacher: TeacherConfig = TeacherConfig()
    problems: ProblemsConfig = ProblemsConfig()
    sampling: SamplingConfig = SamplingConfig()
    rewards: RewardsConfig = RewardsConfig()
    """For the record: no reward is trained on."""
    grading: GradingConfig = GradingConfig()
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-5)
    evaluation: EvaluationConfig = EvaluationConfig()
    cluster: TrainersConfig = TrainersConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig()

    only_with = (
        OnlyWith("exact = true", lambda c: c.exact, "beta"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.sampling.temperature != 1:
            raise ValueError("sampling.temperature: the divergence is taken at 1, so the tokens must be sampled at 1")
        if self.align == "text" and self.exact:
            raise ValueError("align = 'text' and exact: two vocabularies have no divergence over the whole of one")
        self.cluster.check_trainers(self.model)
        if self.cluster.trainers > 1 and self.teacher.device not in (None, "cpu", self.model.device):
            raise ValueError(
                f"cluster.trainers = {self.cluster.trainers} and teacher.device = {self.teacher.device!r}: each trainer has the "
                "teacher beside its part of the student; leave teacher.device out, or set it to 'cpu'"
            )
        return self


def run_distill(
    config: DistillConfig,
    out: Path,
    *,
    problems: Sequence[Problem] | None = None,
    reward: Given = None,
    progress: Progress | None = None,
) -> Path:
    """Run the recipe, or go on with it, in a run folder; the folder.

    Args:
        problems: instead of config.problems.source; part of them is held out for evaluation as there. No answers are needed.
        reward: instead of the accuracy verifier, for the record: any callable (problem, completion) -> float or None.
    """
    progress = progress or Progress.silent()
    with Run(out, "distill", config) as run, Trainers(config.cluster) as trainers:
        train, held_out = load_splits(config.problems, config.seed, problems, on_warning=run.warn, needs_answer=False)
        if config.prompts_per_step > len(train):
            raise InputError(
                f"prompts_per_step = {config.prompts_per_step}: only {len(train)} problems to train on, and a step draws "
                "each at most once"
            )
        teacher = load_teacher(trainers.team, config.teacher, config.model)
        state = start_or_resume(
            run, config.model, config.optimizer, keep_reference=False, load=load_policy, team=trainers.team
        )
        trainers.write_for(state.policy, config.cluster.num_writers)
        if config.align == "tokens":
            check_shares_tokenizer(state.policy, teacher)
        facts = describe_environment(
            state.policy,
            {"train": train, "evaluation": held_out},
            start_digest=state.start_digest,
            reward=recorded_as(config.rewards, reward),
        )
        facts["origin"]["teacher"] = weights_digest(teacher)
        run.log_environment(facts)
        if config.align == "tokens" and state.policy.tokenizer.chat_template != teacher.tokenizer.chat_template:
            run.warn("the teacher's chat template is another: it scores completions of the student's prompts")
        check_positions(
            state.policy, [*train, *held_out], max(config.sampling.max_tokens, config.evaluation.max_tokens or 0)
        )
        check_positions(teacher, train, config.sampling.max_tokens)
        rubric = make_rubric(
            config.rewards, reward, [], device=config.model.device, gold=config.evaluation.gold, run=run
        )
        evaluator = Evaluator(
            run, config.evaluation, held_out, rubric, seed=config.seed, sampling=config.sampling, grading=config.grading,
            progress=progress,
        )
        progress.begin(run, config.num_steps)
        if run.start_step == 0:
            run.log_step(0, evaluator(0, state.policy))
        for step in run.steps(config.num_steps, progress.interrupting):
            with progress.phase("sampling"):
                groups, stats = rollout(
                    state.policy,
                    draw(train, config.prompts_per_step, seed=config.seed, step=step),
                    rubric,
                    rollouts_per_prompt=config.rollouts_per_prompt,
                    seed=(config.seed, step),
                    policy_version=step - 1,
                    sampling=config.sampling,
                    grading=config.grading,
                )
            with progress.phase("training"):
                imitated, found = imitate(run, state, teacher, groups, config, step)
                metrics = training_metrics(groups) | stats.metrics() | found
            if config.evaluation.is_due(step, config.num_steps):
                metrics |= evaluator(step, state.policy)
            with progress.phase("saving"):
                run.log_step(step, metrics, imitated)
                if run.commits(step, config.num_steps, config.checkpoints):
                    run.save(step, state.save, config.checkpoints)
            progress.step(step, metrics)
        progress.end(run)
    return run.folder


def imitate(
    run: Run, state: TrainingState, teacher: TextPolicy, groups: Sequence[Group[Graded]], config: DistillConfig, step: int
) -> tuple[list[Group[Credited]], Metrics]:
    """Move the student towards the teacher on a step's completions, right, wrong or cut off.

    Returns:
        The groups with what the rollouts were trained with, and metrics.
    """
    credited = [r.credited(None) for group in groups for r in group.rollouts]
    written = [k for k, r in enumerate(credited) if r.completion_tokens]
    by_text: Metrics = {}
    if config.align == "text":
        problems = [group.problem for group in groups for _ in group.rollouts]
        asked = [(problems[k], credited[k]) for k in written]
        reading = read_by_text(teacher, state.policy, asked, config.optimizer.micro_tokens)
        chosen = [k for k, own in zip(written, reading.advantages, strict=True) if own is not None]
        for k, own in zip(written, reading.advantages, strict=True):
            if own is not None:
                credited[k] = replace(credited[k], advantage=sum(own) / len(own), streams={"rl": own})
        by_text = {"distill/reverse_kl": reading.reverse_kl, "distill/span_tokens": reading.span_tokens}
    else:
        chosen = [k for k in written if max(credited[k].completion_tokens) < teacher.vocabulary]
    if len(chosen) < len(written):
        why = "with tokens that the teacher does not have" if config.align == "tokens" else "whose text the teacher cannot read"
        run.warn(f"step {step}: {len(written) - len(chosen)} rollouts left out, {why}")
    if not chosen:
        run.warn(f"step {step}: there is no rollout to learn from")
        return regrouped(groups, credited), {}
    rollouts = [credited[k] for k in chosen]
    batch = pack_rollouts(rollouts)
    if not state.has_parity:
        check_parity(state.policy, batch, temperature=1.0, micro_tokens=config.optimizer.micro_tokens)
        state.has_parity = True
    if by_text:
        component = rl_components(_SURROGATE, config.sampling.max_tokens)["rl"]
        batch, components, metrics = with_advantages(batch, rollouts), {"distill": component}, by_text
    else:
        batch, components, metrics = _components(state.policy, teacher, batch, config)
    if "rl" in batch.streams and not by_text:
        totals = batch.streams["rl"].sum(dim=1).tolist()
        rollouts = [replace(r, advantage=t / r.length) for r, t in zip(rollouts, totals, strict=True)]
    result = _step(run, state, batch, components, rollouts, config, step)
    for k, r, log_ratio in zip(chosen, rollouts, result.log_ratio_B, strict=True):
        credited[k] = replace(r, log_ratio=log_ratio)
    metrics |= result.metrics | {"tokens/trained": float(batch.mask_BT.sum())}
    return regrouped(groups, credited), metrics


def _components(
    student: TextPolicy, teacher: TextPolicy, batch: TokenBatch, config: DistillConfig
) -> tuple[TokenBatch, dict[str, Component], Metrics]:
    """The batch with its stream, the loss as a component, and what is known before the step."""
    if config.exact:
        streams = {"sft": batch.mask_BT.float()}
        return replace(batch, streams=streams), {"distill": divergence_component(student, teacher, config.beta)}, {}
    teacher_logp_BT = teacher_logp(teacher, student, batch, config.optimizer.micro_tokens)
    advantage_BT = distillation_advantages(teacher_logp_BT, batch.sampling_logp_BT, batch.mask_BT)
    component = rl_components(_SURROGATE, config.sampling.max_tokens)["rl"]
    metrics = {"distill/reverse_kl": -advantage_BT.sum().item() / int(batch.mask_BT.sum())}
    return replace(batch, streams={"rl": advantage_BT}), {"distill": component}, metrics


def _step(
    run: Run,
    state: TrainingState,
    batch: TokenBatch,
    components: Mapping[str, Component],
    rollouts: Sequence[Credited],
    config: DistillConfig,
    step: int,
) -> StepResult:
    """One optimizer step; one that is refused leaves a bundle, which holds the student's side."""
    try:
        return optimizer_step(
            state.policy,
            state.optimizer,
            batch,
            components,
            lr=learning_rate(config.optimizer, step, config.num_steps),
            temperature=1.0,
            config=config.optimizer,
        )
    except NonFiniteError as error:
        # Replayed without the teacher, the exact form is the log-likelihood of the same tokens.
        loss = None if config.exact else _SURROGATE
        raise with_bundle(
            run, step, error, state.policy, batch, loss=loss, temperature=1.0, max_tokens=config.sampling.max_tokens,
            rollouts=rollouts,
        ) from None

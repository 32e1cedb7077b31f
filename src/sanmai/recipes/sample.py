"""Rejection sampling: n completions of every problem, graded, filtered, and written as data to train on, with a card.

R1 makes its SFT data this way, twice: the cold start from R1-Zero's samples at temperature 1 (right, in one language, not
repetitive; then rewritten), and the larger set from the policy after the first RL stage (arXiv:2501.12948, section 2.3 and
supplement B.3). Where it differs: a judge model's verdict is used for what has no verifier only through `rewards`.

The steps of the run are chunks of problems. Every sample is kept in `rollouts/`; the filters read it from there when all is
sampled, so that a run that was killed ends with the same bytes as one that was not. Nothing is trained, so a checkpoint says no
more than how far sampling has come.

    data.parquet     what is kept; columns in recipes/sample_files.py
    card.json, .md   counts at every filter, examples of what was dropped and why, pass rates, settings
    rewrites/        replies of the judge model that rewrites
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from sanmai.config import Config
from sanmai.data.chat import render_demonstration
from sanmai.data.filters import Choice, FilterConfig, Funnel, Sample, make_filters, with_pass_rates
from sanmai.data.turns import turn_end
from sanmai.learn.evaluation import tell_scored
from sanmai.learn.graders import Given, make_rubric, recorded_as
from sanmai.learn.local_judge import judge_transport
from sanmai.learn.progress import Progress
from sanmai.learn.sources import ProblemsConfig, check_positions, load_splits
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import SamplingConfig, refuse_equal_samples
from sanmai.recipes.cards import write_card
from sanmai.recipes.datacard import Card, card_lines
from sanmai.recipes.rewriting import Rewrite, RewriteConfig, Rewriter, rewrite_with
from sanmai.recipes.sample_files import DataWriter, read_samples
from sanmai.rewards.rubric import RewardsConfig, Rubric
from sanmai.rollout.engine import GradingConfig, rollout
from sanmai.rollout.measure import training_metrics
from sanmai.train.environment import describe_environment
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.train.state import weights_digest
from sanmai.types import InputError, Problem


class SampleConfig(Config):
    seed: int = Field(0, ge=0)
    """Names every random stream of the run, and decides which problems are held out."""
    samples_per_prompt: int = Field(4, ge=1)
    """Completions of each problem; its pass rate is over these."""
    keep: int = Field(1, ge=1)
    """Completions of each problem that are kept at most."""
    choice: Choice = "random"
    """Which of them where more pass the filters: at random (keyed by problem and sample), or the shortest."""
    include_held_out: bool = False
    """Sample the held-out problems too. Off, so that no later stage learns what it is evaluated on."""
    instruction: str | None = None
    """Put before every problem when it is sampled, and left out of what is written: a way of thinking that is asked for here is
    learned without being asked for (Kimi k1.5's long warm-up)."""
    prompts_per_chunk: int = Field(64, ge=1)
    """Problems sampled together, and lost by a kill; samples do not depend on it, up to rounding of the matrix products."""
    model: ModelConfig = ModelConfig()
    problems: ProblemsConfig = ProblemsConfig()
    sampling: SamplingConfig = SamplingConfig()
    rewards: RewardsConfig = RewardsConfig()
    grading: GradingConfig = GradingConfig()
    filters: FilterConfig = FilterConfig()
    rewrite: RewriteConfig | None = None
    """Have a judge model rewrite what is kept; None keeps it as it was sampled."""
    checkpoints: CheckpointsConfig = CheckpointsConfig(every=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.model.lora_rank:
            raise ValueError("model.lora_rank: nothing is trained here, so there is nothing to adapt")
        refuse_equal_samples(self.sampling.temperature, self.samples_per_prompt)
        scored = [name for name in ("refusal", "helpfulness", "harmlessness") if self.rewards.weights[name]]
        if self.filters.correct and scored and self.filters.min_reward <= 0:
            raise ValueError(
                f"rewards.{scored[0]} without filters.min_reward: any reward above 0 would count as right; state the least one"
            )
        return self


def run_sample(
    config: SampleConfig,
    out: Path,
    *,
    problems: Sequence[Problem] | None = None,
    reward: Given = None,
    progress: Progress | None = None,
    rewrite: Rewrite | None = None,
) -> Path:
    """Run the recipe, or go on with it, in a run folder; the folder.

    Args:
        problems: instead of config.problems.source.
        reward: instead of the accuracy verifier; what earns more than filters.min_reward counts as right.
        rewrite: instead of config.rewrite.judge: conversations to replies, None where there is none.

    Raises:
        InputError: besides what any recipe refuses, problems that nothing can tell right from wrong while filters.correct is on.
    """
    progress = progress or Progress.silent()
    with Run(out, "sample", config) as run:
        chosen, held_out = _problems(config, problems, run.warn, has_reward=reward is not None)
        policy = load_policy(config.model, for_training=False)
        if turn_end(policy.tokenizer) is None:
            raise InputError(
                "the tokenizer has no stop token (eos_token_id); nobody could learn to stop from its completions"
            )
        digest = weights_digest(policy)
        run.log_environment(
            describe_environment(policy, {"sampled": chosen}, start_digest=digest, reward=recorded_as(config.rewards, reward))
        )
        check_positions(policy, [_instructed(p, config.instruction) for p in chosen], config.sampling.max_tokens)
        rubric = make_rubric(config.rewards, reward, [], device=config.model.device, run=run)
        if config.filters.correct:
            _check_gradable(chosen, rubric)
        if config.rewrite is not None and rewrite is None:
            rewrite = rewrite_with(judge_transport(config.rewrite.judge), config.rewrite.judge)
        chunks = [
            chosen[start : start + config.prompts_per_chunk]
            for start in range(0, len(chosen), config.prompts_per_chunk)
        ]
        _sample(run, policy, chunks, rubric, config, progress)
        tell_scored(run, len(chunks), rubric.scored_by)
        if run.is_finished and all((run.folder / name).exists() for name in ("data.parquet", "card.json", "card.md")):
            progress.end(run)
            return run.folder
        if not run.interrupted:
            card = _finish(run, policy, chunks, rubric, config, digest, len(held_out), rewrite)
            kept = card["kept"]["samples"]
            if not kept:
                run.warn(
                    f"no completion passed the filters; {run.folder / 'card.md'} says at which of them they were dropped"
                )
            progress.say(
                f"Kept {kept:,} of {card['samples']:,} completions: {run.folder / 'data.parquet'}, card.md beside it. "
                f"{len(held_out):,} problems are held out and were not sampled."
            )
        progress.end(run)
    return run.folder


def describe_sampling(config: SampleConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a run would do, in sentences, for `sanmai plan`; problems and model are loaded and checked."""
    warnings: list[str] = []
    chosen, held_out = _problems(config, None, warnings.append, has_reward=False)
    policy = load_policy(config.model, for_training=False)
    check_positions(policy, [_instructed(p, config.instruction) for p in chosen], config.sampling.max_tokens)
    if config.filters.correct:
        _check_gradable(chosen, make_rubric(config.rewards, None, [], device=config.model.device))
    yield f"Model {config.model.name}: {type(policy.model).__name__}, {policy.num_parameters:,} parameters; none is trained."
    yield f"{len(chosen):,} problems to sample, {len(held_out):,} held out."
    yield from (f"Warning: {warning}" for warning in warnings)
    num_samples, budget = len(chosen) * config.samples_per_prompt, config.sampling.max_tokens
    yield (
        f"{config.samples_per_prompt} completions of each ({num_samples:,} in all, {num_samples * budget:,} tokens at most) at "
        f"temperature {config.sampling.temperature:g}, in {math.ceil(len(chosen) / config.prompts_per_chunk):,} chunks of "
        f"{config.prompts_per_chunk} problems; a kill loses {config.checkpoints.every} of them at most."
    )
    filters = make_filters(config.filters, keep=config.keep, choice=config.choice, seed=config.seed)
    yield "Kept in turn: " + "; ".join(f"{f.name} ({f.meaning})" for f in filters) + "."


def _problems(
    config: SampleConfig, given: Sequence[Problem] | None, on_warning: Callable[[str], None], *, has_reward: bool
) -> tuple[list[Problem], list[Problem]]:
    """The problems to sample, and those held out."""
    needs_answer = config.filters.correct and not has_reward
    chosen, held_out = load_splits(
        config.problems, config.seed, given, on_warning=on_warning, needs_answer=needs_answer
    )
    if shown := next((p for p in [*chosen, *held_out] if p.images), None):
        raise InputError(f"problem {shown.id} has images, which sample does not write; zero, sft and evaluate read them")
    return ([*chosen, *held_out], []) if config.include_held_out else (chosen, held_out)


def _check_gradable(problems: Sequence[Problem], rubric: Rubric) -> None:
    for problem in problems:
        if not _is_graded(problem, rubric):
            what = "has no reference answer" if problem.kind == "reasoning" else "is of a kind that no reward looks at"
            raise InputError(
                f"problem {problem.id}, of kind {problem.kind}, {what}, so nothing tells right from wrong: give a reward, a "
                "weight under rewards that looks at this kind, or set filters.correct=false"
            )


def _is_graded(problem: Problem, rubric: Rubric) -> bool:
    """Something tells right from wrong: a reward, a verifier with an answer to compare to, or a reward of the problem's kind."""
    if rubric.is_own:
        return True
    return problem.answer is not None if problem.kind == "reasoning" else rubric.judges(problem.kind)


def _sample(
    run: Run, policy: TextPolicy, chunks: Sequence[list[Problem]], rubric: Rubric, config: SampleConfig, progress: Progress
) -> None:
    """Sample and grade chunk after chunk; every rollout is stored."""
    progress.begin(run, len(chunks))
    for step in run.steps(len(chunks), progress.interrupting):
        with progress.phase("sampling"):
            groups, stats = rollout(
                policy,
                [_instructed(problem, config.instruction) for problem in chunks[step - 1]],
                rubric,
                rollouts_per_prompt=config.samples_per_prompt,
                seed=(config.seed, "sample"),
                policy_version=0,
                sampling=config.sampling,
                grading=config.grading,
            )
        metrics = training_metrics(groups) | stats.metrics()
        with progress.phase("saving"):
            run.log_step(step, metrics, groups)
            if run.commits(step, len(chunks), config.checkpoints):
                where = {"chunks": step, "of": len(chunks)}
                run.save(step, lambda folder, where=where: _write_position(folder, where), config.checkpoints)
        progress.step(step, metrics)


def _instructed(problem: Problem, instruction: str | None) -> Problem:
    """With the instruction before the user's last words; the id, which names the random streams, is the same."""
    if not instruction:
        return problem
    messages = [dict(message) for message in problem.messages]
    last = max(k for k, message in enumerate(messages) if message["role"] == "user")
    messages[last]["content"] = f"{instruction}\n\n{messages[last]['content']}"
    return replace(problem, messages=tuple(messages))


def _write_position(folder: Path, where: dict[str, int]) -> None:
    (folder / "sampled.json").write_text(json.dumps(where) + "\n")


def _finish(
    run: Run,
    policy: TextPolicy,
    chunks: Sequence[list[Problem]],
    rubric: Rubric,
    config: SampleConfig,
    digest: str,
    num_held_out: int,
    rewrite: Rewrite | None,
) -> dict:
    """Filter what was sampled, chunk by chunk; write data and card. The card."""
    tags, by_reward = config.grading.thought_tags, rubric.is_own
    filters = make_filters(
        config.filters, keep=config.keep, choice=config.choice, seed=config.seed, by_reward=by_reward
    )
    funnel, card = Funnel(filters), Card()
    rewriter = None
    if rewrite is not None:
        rewriter = Rewriter(
            rewrite,
            run.folder / "rewrites",
            config.rewrite or RewriteConfig(),
            filters=filters,
            tokenizer=policy.tokenizer,
            rubric=rubric,
            grading=config.grading,
        )
    with DataWriter(run.folder / "data.parquet", config.model.name, run.seen) as writer:
        for step, chunk in enumerate(chunks, start=1):
            part = f"step-{step:06d}"
            path = run.folder / "rollouts" / f"{part}.parquet"
            samples = read_samples(path, {p.id: p for p in chunk}, policy.tokenizer, tags[0])
            rated = with_pass_rates(samples, by_reward=by_reward, min_reward=config.filters.min_reward)
            samples = [r if _is_graded(r.problem, rubric) else s for s, r in zip(samples, rated, strict=True)]
            card.sampled(samples)
            kept, rewritten = funnel.apply(samples), frozenset()
            if rewriter is not None:
                kept, rewritten = rewriter.apply(part, kept)
            writer.write(kept, rewritten)
            card.written(kept, sum(_is_retokenized(s, policy, tags) for s in kept if s.id not in rewritten))
    facts = {
        "model": {"name": config.model.name, "digest": digest},
        "held_out": num_held_out,
        "settings": config.to_toml(),
    }
    found = card.as_dict(facts, funnel, rewriter.counts if rewriter else None, writer.path)
    write_card(run.folder, found, card_lines(found))
    return found


def _is_retokenized(sample: Sample, policy: TextPolicy, tags: tuple[str, str]) -> bool:
    """The demonstration that the sample becomes has other tokens than were sampled, up to the stop token."""
    problem = replace(sample.problem, demonstration=sample.completion)
    _, tokens = render_demonstration(policy.tokenizer, problem, tags, may_stay_open=True)
    return tokens[:-1] != list(sample.tokens[:-1])

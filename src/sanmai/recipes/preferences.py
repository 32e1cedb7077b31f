"""Preference pairs: two answers to each prompt, a judge that reads them in both orders, and the pairs that it can tell apart.

Reproduces how DeepSeek-R1's pairs for the helpful reward model were made (arXiv:2501.12948, supplement): four judgements per
pair in random order, kept when the mean score gap is above 1. It differs in that the order is balanced, and in that the
lengths of chosen and rejected answers are measured here but evened out only where the reward model is trained.

A step judges the pairs of some prompts and commits them; a run that was killed goes on after the last one, and asks the judge
nothing that it has answered. `pairs.parquet` has the pairs that are kept, `judged/` every pair with what became of it,
`rollouts/` every answer that was sampled, `card.json` the counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.data.trace import CLOSE_TAG, OPEN_TAG
from sanmai.learn.local_judge import judge_transport
from sanmai.learn.progress import Progress
from sanmai.learn.sources import ProblemsConfig, load_splits
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.sampler import SamplingConfig, refuse_equal_samples
from sanmai.recipes.answer_pairs import Answers, RecordedAnswers, SampledAnswers
from sanmai.recipes.judged_pairs import (
    check_judged,
    count_outcomes,
    judged_rows,
    write_judged,
    write_pairs,
    write_pairs_card,
)
from sanmai.rewards.judging.judge import JudgeConfig
from sanmai.rewards.judging.judge_prompts import HARMLESSNESS, HELPFULNESS
from sanmai.rewards.judging.pairwise import PairwiseJudge
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.types import InputError, Problem

_CRITERIA = {"helpfulness": HELPFULNESS, "harmlessness": HARMLESSNESS}


class PreferencesConfig(Config):
    seed: int = Field(0, ge=0)
    """Names the random streams of the sampled answers."""
    criteria: Literal["helpfulness", "harmlessness"] = "helpfulness"
    """What the judge is asked about: the answer's help, or the harm in thought and answer."""
    recorded: str | None = None
    """A preference file whose answers are judged anew, instead of sampling any; see data/preferences.py."""
    kinds: tuple[Literal["reasoning", "general", "safety"], ...] = ("reasoning", "general")
    """Kinds of problems that are used; what helps with a dangerous request is no model of help."""
    samples: int = Field(2, ge=2)
    """Answers sampled per problem, an even number: first and second are a pair, third and fourth another."""
    prompts_per_step: int = Field(64, ge=1)
    """Problems (or recorded pairs) that are judged and committed together."""
    thought_tags: tuple[str, str] = (OPEN_TAG, CLOSE_TAG)
    """What opens and closes the thought in a completion."""
    model: ModelConfig = ModelConfig()
    """The policy that answers."""
    problems: ProblemsConfig = ProblemsConfig()
    """What is answered; the held-out part is not."""
    sampling: SamplingConfig = SamplingConfig()
    judge: JudgeConfig = JudgeConfig()

    only_with = (
        OnlyWith("no recorded file", lambda c: c.recorded is None, "kinds", "samples", "thought_tags", "sampling"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_equal_samples(self.sampling.temperature, self.samples)
        if self.samples % 2:
            raise ValueError(f"samples = {self.samples}: answers are compared two by two; expected an even number")
        if not all(self.thought_tags) or len(set(self.thought_tags)) < 2:
            raise ValueError("thought_tags are two different texts, neither of them empty")
        if self.recorded is not None and self.problems != ProblemsConfig():
            raise ValueError("recorded and problems: the answers are either recorded or sampled")
        return self


def run_preferences(
    config: PreferencesConfig, out: Path, *, problems: Sequence[Problem] | None = None, progress: Progress | None = None
) -> Path:
    """Run the recipe, or go on with it, in a run folder; the folder.

    Args:
        problems: instead of config.problems.source; part of them is held out as there.
    """
    if config.recorded is not None and problems is not None:
        raise InputError("problems and recorded: the answers are either recorded or sampled")
    if not config.judge.model:
        raise InputError("judge.model: expected the judge's name at judge.base_url, or a local folder")
    progress = progress or Progress.silent()
    with Run(out, "preferences", config) as run:
        answers: Answers
        if config.recorded is not None:
            answers = RecordedAnswers(config.recorded, on_warning=run.warn)
        else:
            answers = sampled_answers(config, problems, run.warn)
        run.log_environment(answers.environment())
        num_steps = -(-answers.num_prompts // config.prompts_per_step)
        progress.begin(run, num_steps)
        if run.start_step < num_steps:
            complete = judge_transport(config.judge, cache=run.folder / "replies")
            judge = PairwiseJudge(config.judge, _CRITERIA[config.criteria], complete)
        for step in run.steps(num_steps, progress.interrupting):
            with progress.phase("sampling"):
                drawn, groups = answers.draw((step - 1) * config.prompts_per_step, config.prompts_per_step)
            with progress.phase("judging"):
                comparisons = judge.compare([answer.pair for answer in drawn if answer.fault is None])
            rows = judged_rows(drawn, comparisons)
            write_judged(run.folder, step, rows)
            metrics = {f"pairs/{name}": float(count) for name, count in count_outcomes(rows).items()}
            run.log_step(step, metrics, groups)
            run.save(step, lambda folder, step=step: _mark(folder, step), CheckpointsConfig())
            progress.step(step, metrics)
        is_there = run.is_finished and all((run.folder / name).exists() for name in ("pairs.parquet", "card.json"))
        if is_there:
            check_judged(run.folder, num_steps)
        elif not run.interrupted:
            num_kept = write_pairs(run.folder, num_steps)
            progress.say(f"{num_kept} pairs are kept: {run.folder / 'pairs.parquet'}")
            write_pairs_card(
                run.folder, num_steps, config.judge, config.criteria, answers.counts, is_recorded=config.recorded is not None
            )
        progress.end(run)
    return run.folder


def sampled_answers(
    config: PreferencesConfig, given: Sequence[Problem] | None, on_warning: Callable[[str], None]
) -> SampledAnswers:
    """The answers of the configured policy to the configured problems; InputError where there is none."""
    train, held_out = load_splits(config.problems, config.seed, given, on_warning=on_warning, needs_answer=False)
    chosen = [p for p in train if p.kind in config.kinds]
    if not chosen:
        raise InputError(f"kinds = {list(config.kinds)}: none of the {len(train)} problems is of these kinds")
    return SampledAnswers(
        load_policy(config.model, for_training=False), chosen,
        {"held_out": len(held_out), "of_another_kind": len(train) - len(chosen)}, seed=config.seed, samples=config.samples,
        sampling=config.sampling, thought_tags=config.thought_tags, reads_thoughts=config.criteria == "harmlessness",
    )


def _mark(folder: Path, step: int) -> None:
    """A commit holds nothing but its number: what was judged lies in judged/ and rollouts/."""
    (folder / "judged.json").write_text(json.dumps({"steps": step}) + "\n", encoding="utf-8")

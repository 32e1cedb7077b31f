"""What a run of a recipe that trains nothing would do, in words: evaluate, preferences, gather."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from sanmai.config import Config
from sanmai.learn.graders import make_rubric
from sanmai.learn.sources import check_positions, load_source
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.recipes.answer_pairs import RecordedAnswers
from sanmai.recipes.evaluate import EvaluateConfig
from sanmai.recipes.gather import GatherConfig, gathered
from sanmai.recipes.preferences import PreferencesConfig, sampled_answers
from sanmai.types import Problem

ConfigT = TypeVar("ConfigT", bound=Config)


def describe_evaluation(config: EvaluateConfig, out: Path, *, measure: bool) -> Iterator[str]:
    return _with_warnings(_evaluate, config)


def describe_preferences(config: PreferencesConfig, out: Path, *, measure: bool) -> Iterator[str]:
    return _with_warnings(_preferences, config)


def describe_gather(config: GatherConfig, out: Path, *, measure: bool) -> Iterator[str]:
    return _with_warnings(_gather, config)


def _with_warnings(describe: Callable[[ConfigT, list[str]], Iterator[str]], config: ConfigT) -> Iterator[str]:
    """Sentences; problems and model are loaded and checked, nothing is written."""
    warnings: list[str] = []
    yield from list(describe(config, warnings))
    yield from (f"Warning: {warning}" for warning in warnings)


def _evaluate(config: EvaluateConfig, warnings: list[str]) -> Iterator[str]:
    problems = load_source(config.problems, config.seed, warnings.append, several_turns=True)
    policy = load_policy(config.model, for_training=False)
    check_positions(policy, problems, config.sampling.max_tokens)
    rubric = make_rubric(config.rewards, None, [], held_out=problems, device=config.model.device)
    yield _model(config.model.name, policy)
    yield f"{len(problems):,} problems ({_kinds(problems)}), all of them evaluated on."
    num, budget = len(problems) * config.samples, config.sampling.max_tokens
    yield (
        f"{_completions(config.samples)} of each ({num:,} in all, {num * budget:,} tokens at most) at temperature "
        f"{config.sampling.temperature:g}, each graded and stored."
    )
    if rubric.watched:
        yield "Harm, help and over-refusal are told too, of the general and safety prompts."


def _preferences(config: PreferencesConfig, warnings: list[str]) -> Iterator[str]:
    if config.recorded is not None:
        recorded = RecordedAnswers(config.recorded, on_warning=warnings.append)
        num_pairs, num_prompts = recorded.num_prompts, recorded.num_prompts
        yield f"{num_pairs:,} recorded pairs of answers from {config.recorded} are judged anew; nothing is sampled."
    else:
        answers = sampled_answers(config, None, warnings.append)
        num_prompts, num, budget = answers.num_prompts, answers.num_prompts * config.samples, config.sampling.max_tokens
        num_pairs = num // 2
        yield _model(config.model.name, answers.policy)
        yield (
            f"{num_prompts:,} problems to answer, {answers.counts['held_out']:,} held out, "
            f"{answers.counts['of_another_kind']:,} of a kind that is not asked for."
        )
        yield (
            f"{_completions(config.samples)} of each ({num:,} in all, {num * budget:,} tokens at most) at temperature "
            f"{config.sampling.temperature:g}, compared two by two: {num_pairs:,} pairs."
        )
    judge = config.judge
    yield (
        f"Each pair is judged for {config.criteria} {judge.calls_per_pair} times, half of them in either order: "
        f"{num_pairs * judge.calls_per_pair:,} questions at most. A pair is kept when its mean gap is above "
        f"{judge.margin:g} points."
    )
    yield f"Judge: {judge.where}." if judge.model else "No judge is named, and without judge.model the run is refused."
    num_steps = -(-num_prompts // config.prompts_per_step)
    yield f"{num_steps:,} steps of {config.prompts_per_step} prompts; a kill loses one of them at most."


def _gather(config: GatherConfig, warnings: list[str]) -> Iterator[str]:
    files, sources = gathered(config, warnings.append)
    for name, found in files.items():
        yield f"{name}.jsonl: {len(found):,} problems ({_kinds(found)}), from {', '.join(sources[name]) or 'no source'}."
    yield "No model is loaded; the same settings write the same bytes."


def _model(name: str, policy: TextPolicy) -> str:
    kind = type(policy.model).__name__
    return f"Model {name}: {kind}, {policy.num_parameters:,} parameters; none is trained."


def _kinds(problems: Sequence[Problem]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in Counter(p.kind for p in problems).items()) or "none"


def _completions(count: int) -> str:
    return f"{count} completion{'s' if count != 1 else ''}"

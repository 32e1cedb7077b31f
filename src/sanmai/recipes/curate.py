"""Prompt curation: which problems are worth RL, found by rules and by what a model answers with and without reasoning.

Kimi k1.5's three wishes for a prompt set (arXiv:2501.12599, section 2.1): diverse, of balanced difficulty, and graded
accurately. In this order, so that nothing is sampled which a rule drops:

    form         proofs, multiple choice, true or false are dropped (data/forms.py)
    answer       so is what has no reference answer, unless a reward is given that needs none
    difficulty   the pass rate of n completions at a high temperature; the trivial is dropped
    guess        right within N answers without reasoning: dropped
    domain       at most `cap` of each

Where it differs: the paper gives neither temperature nor balance; both are settings here. Problems of other kinds than
reasoning pass through untouched.

Without reasoning. A completion is made to begin with an empty thought and, for the verifier "math" and where the tokenizer
has the signs for it, with "The final answer is \\boxed{": there is no room to reason before the answer, with a chat model or
a base model, and what stands behind the closed box is cut off. An instruction alone would leave that to the model. Whatever
opens a thought all the same is no answer without reasoning, and the first N that do not think are looked at. The embedded
base has never seen an empty thought, but answers nearly half of its sums at once on its own: curate-tiny.toml
draws without prefill until N of them are there. A program (verifier "code") is not guessed, so none is asked for.

The steps of the run are chunks of problems, as in recipes/sample.py; all completions are kept in rollouts/, with the scores
`reasoned` or `guess`, and files are written from them in the end.

    problems.jsonl   what is kept, for any recipe; with the tags pass_rate, difficulty and domain
    dropped.jsonl    id, rule, label, reason, pass rate and prompt of the others
    card.json, .md   counts by reason, examples, histograms; see recipes/curation_card.py
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any, Self

from pydantic import Field, model_validator

from sanmai.config import Config
from sanmai.data.curation import Curated, CurationStep, beyond_difficulty, curate, difficulty_band, guessed
from sanmai.data.domains import domain_of
from sanmai.data.filters import Drop
from sanmai.data.problems import load_problems
from sanmai.data.testbeds import find_testbed
from sanmai.learn.graders import Given, by_name, recorded_as
from sanmai.learn.progress import Progress
from sanmai.learn.sources import ProblemsConfig, problems_of_testbed
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import SamplingConfig, refuse_equal_samples
from sanmai.recipes.curation_answers import Asked, Asking, GuessConfig, answer_start, first_guesses, read_answers
from sanmai.recipes.curation_card import write_curation_card
from sanmai.recipes.gather import write_problems
from sanmai.rewards.rubric import STYLES, RewardsConfig, Rubric
from sanmai.rewards.verifiers import VERIFIERS
from sanmai.rollout.engine import GradingConfig
from sanmai.train.environment import describe_environment
from sanmai.train.runs import CheckpointsConfig, Run, storing, write_whole
from sanmai.train.state import weights_digest
from sanmai.types import Graded, Group, InputError, Metrics, Problem


class CurateConfig(Config):
    seed: int = Field(0, ge=0)
    """Names every random stream of the run, and decides which problems of a full domain stay."""
    samples_per_prompt: int = Field(10, ge=1)
    """Completions with reasoning of each problem, at sampling.temperature; its pass rate is over these."""
    prompts_per_step: int = Field(64, ge=1)
    """Problems sampled together, and lost by a kill; samples do not depend on it, up to rounding of the matrix products."""
    forms: bool = True
    """Drop what no rule grades fairly: proofs, multiple choice, true or false."""
    trivial_from: float = Field(1.0, gt=0, le=2)
    """Least pass rate that is too easy; above 1: none is."""
    impossible_to: float | None = Field(None, ge=0, lt=1)
    """Largest pass rate that is too hard; None: none is. 0 also drops what the file answers wrongly."""
    domain_tag: str | None = None
    """The tag that states a problem's domain; None, or where it is missing: `domain` or `subject`, or else its words tell."""
    cap: int | None = Field(None, ge=1)
    """Problems of one domain at most; None: no cap."""
    min_reward: float = 0.0
    """Where a reward is given instead of the verifier, one above this counts as right."""
    num_examples: int = Field(2, ge=0)
    """Examples of every reason in the card."""
    guess: GuessConfig = GuessConfig()
    model: ModelConfig = ModelConfig()
    problems: ProblemsConfig = ProblemsConfig()
    """All of the source is curated (of the embedded world, its training sums): a later recipe holds out what it needs."""
    sampling: SamplingConfig = SamplingConfig()
    rewards: RewardsConfig = RewardsConfig()
    """How the accuracy verifier works; weights have no effect here."""
    grading: GradingConfig = GradingConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig(every=1)

    @property
    def difficulty(self) -> dict[str, float | None]:
        """The arguments of `beyond_difficulty`."""
        return {
            "trivial_from": self.trivial_from if self.trivial_from <= 1 else None,
            "impossible_to": self.impossible_to,
        }

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.model.lora_rank:
            raise ValueError("model.lora_rank: nothing is trained here, so there is nothing to adapt")
        refuse_equal_samples(self.sampling.temperature, self.samples_per_prompt)
        if self.problems.evaluation is not None or self.problems.holdout != 0.1:
            raise ValueError(
                "problems.evaluation and problems.holdout: nothing is held out here; all of the source is curated"
            )
        if self.guess.draws is not None and self.guess.draws < self.guess.attempts:
            raise ValueError(
                f"guess.draws = {self.guess.draws}: expected at least guess.attempts = {self.guess.attempts}"
            )
        if self.impossible_to is not None and self.impossible_to >= self.trivial_from:
            raise ValueError("impossible_to is not below trivial_from: nothing would be left")
        weights = self.rewards.weights.items()
        if others := [name for name, weight in weights if weight and name != "accuracy" and name not in STYLES]:
            raise ValueError(
                f"rewards.{others[0]}: reasoning problems are curated, by their verifier or a reward that is given"
            )
        return self


def run_curate(
    config: CurateConfig,
    out: Path,
    *,
    problems: Sequence[Problem] | None = None,
    reward: Given = None,
    progress: Progress | None = None,
) -> Path:
    """Run the recipe, or go on with it, in a run folder; the folder.

    Args:
        problems: instead of config.problems.source.
        reward: instead of the accuracy verifier; what earns more than config.min_reward counts as right.

    Raises:
        InputError: besides what any recipe refuses, when no reasoning problem is left; the largest reason is named.
    """
    progress = progress or Progress.silent()
    with Run(out, "curate", config) as run:
        given = _loaded(config, problems, run.warn)
        formed = _without_sampling(config, given, needs_answer=reward is None and config.rewards.needs_answers)
        chosen = [p for p in formed.kept if p.kind == "reasoning"]
        if not chosen:
            raise _nothing_left(formed)
        policy = load_policy(config.model, for_training=False)
        digest = weights_digest(policy)
        facts = describe_environment(policy, {"curated": given}, start_digest=digest, reward=recorded_as(config.rewards, reward))
        run.log_environment(facts)
        asking = _asking(config, policy, Rubric(config.rewards, by_name(reward)))
        asking.check(chosen)
        steps = [chosen[i : i + config.prompts_per_step] for i in range(0, len(chosen), config.prompts_per_step)]
        _sample(run, asking, steps, config, progress)
        if not run.interrupted:
            found = read_answers(run.folder, len(steps))
            curated = _curated(config, formed, found)
            for warning in _write(run, config, curated, found, digest):
                run.warn(warning)
                progress.say(f"Warning: {warning}", style="yellow")
            if not any(p.kind == "reasoning" for p in curated.kept):
                raise _nothing_left(curated)
            kept = sum(p.kind == "reasoning" for p in curated.kept)
            progress.say(
                f"Kept {kept:,} of {sum(p.kind == 'reasoning' for p in given):,} problems: "
                f"{run.folder / 'problems.jsonl'}, card.md beside it."
            )
        progress.end(run)
    return run.folder


def describe_curation(config: CurateConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a run would do, in sentences, for `sanmai plan`; problems and model are loaded and checked."""
    warnings: list[str] = []
    given = _loaded(config, None, warnings.append)
    formed = _without_sampling(config, given, needs_answer=config.rewards.needs_answers)
    chosen = [p for p in formed.kept if p.kind == "reasoning"]
    if not chosen:
        raise _nothing_left(formed)
    policy = load_policy(config.model, for_training=False)
    _asking(config, policy, Rubric(config.rewards)).check(chosen)
    yield f"Model {config.model.name}: {type(policy.model).__name__}, {policy.num_parameters:,} parameters; none is trained."
    yield (
        f"{len(given):,} problems, {len(given) - len(formed.kept):,} of them dropped for their form or for want of an answer, "
        f"{len(formed.kept) - len(chosen):,} of another kind than reasoning and kept as they are."
    )
    yield from (f"Warning: {warning}" for warning in warnings)
    count = len(chosen) * config.samples_per_prompt
    yield (
        f"{config.samples_per_prompt} completions of each of the other {len(chosen):,} ({count:,} in all, "
        f"{count * config.sampling.max_tokens:,} tokens at most) at temperature {config.sampling.temperature:g}, in "
        f"{math.ceil(len(chosen) / config.prompts_per_step):,} steps of {config.prompts_per_step} problems."
    )
    if config.guess.attempts:
        begin = answer_start(policy, chosen[0], config.guess.prefill, config.grading.thought_tags)
        yield (
            f"Of those that are not dropped for their pass rate, {config.guess.num_draws} completions of "
            f"{config.guess.max_tokens} tokens at most that begin with {begin!r}; dropped if one of the first "
            f"{config.guess.attempts} without reasoning is right."
        )
    if config.cap is not None:
        yield f"At most {config.cap:,} problems of a domain are kept."


def _asking(config: CurateConfig, policy: TextPolicy, rubric: Rubric) -> Asking:
    return Asking(
        policy, rubric, config.seed, config.samples_per_prompt, config.sampling, config.guess, config.grading, config.min_reward
    )


# What needs no sampling.


def _loaded(config: CurateConfig, given: Sequence[Problem] | None, on_warning: Callable[[str], None]) -> list[Problem]:
    """All problems of the source, those without an answer too; each checked to be one that can be asked and written."""
    source, settings = config.problems.source, config.problems
    if given is not None:
        found = list(given)
    elif (bed := find_testbed(source)) is not None:
        found = problems_of_testbed(bed, settings, config.seed)[0][: settings.limit]
    else:
        found = []
        for name in (source,) if isinstance(source, str) else source:
            loaded = load_problems(
                name, format=settings.format, on_error=settings.on_error, needs_answer=False, kind=settings.kind,
                limit=settings.limit, columns=settings.columns.stated, on_warning=on_warning,
            )  # fmt: skip
            found += loaded.problems
            if loaded.skipped:
                on_warning(f"{name}: {len(loaded.skipped)} malformed lines passed over, the first: {loaded.skipped[0]}")
            if loaded.duplicates:
                on_warning(f"{name}: {loaded.duplicates} problems left out because an earlier one has the same prompt")
        found = found[: settings.limit]
    seen: set[str] = set()
    for problem in found:
        if problem.id in seen:
            raise InputError(f"problems: the id {problem.id!r} is not unique; ids key the random streams")
        seen.add(problem.id)
        if problem.kind == "reasoning" and problem.verifier not in VERIFIERS:
            known = ", ".join(sorted(VERIFIERS))
            raise InputError(
                f"problem {problem.id}: verifier {problem.verifier!r} is not known; expected one of {known}"
            )
        if problem.prefill:
            raise InputError(
                f"problem {problem.id}: ends with an assistant's message, which a file of problems cannot say; expected a user's"
            )
    return [_with_domain(problem, config.domain_tag) for problem in found]


def _with_domain(problem: Problem, tag: str | None) -> Problem:
    if tag is None or tag not in problem.tags or problem.kind != "reasoning":
        return problem
    return replace(problem, tags={**problem.tags, "domain": str(problem.tags[tag])})


def _without_sampling(config: CurateConfig, problems: Sequence[Problem], *, needs_answer: bool) -> Curated:
    """What the rules on forms leave, and of that what has a reference answer."""
    formed = curate(problems, seed=config.seed, by_form=config.forms, trivial_from=None, num_examples=len(problems))
    if not needs_answer:
        return formed
    step = CurationStep("answer", "a reference answer", len(formed.kept))
    kept = []
    for problem in formed.kept:
        if problem.kind == "reasoning" and problem.answer is None:
            step.dropped["no_answer"] += 1
            step.examples.append((problem, Drop("no_answer", "no reference answer")))
        else:
            kept.append(problem)
    return replace(formed, kept=kept, steps=[*formed.steps, step])


def _nothing_left(curated: Curated) -> InputError:
    reasons = [(n, step, label) for step in curated.steps for label, n in step.dropped.items()]
    if not reasons:
        return InputError("no problem is of kind reasoning, and curation is about these; see problems.kind")
    count, step, label = max(reasons, key=lambda reason: reason[0])
    total = sum(problem.kind == "reasoning" for problem in curated.given)
    remedy = {
        "form": "forms=false keeps them",
        "answer": "curation needs reference answers, or a reward",
        "difficulty": "see trivial_from, impossible_to and sampling.max_tokens, or use another model",
        "guess": "guess.attempts=0 keeps them",
    }.get(step.name, "")
    return InputError(
        f"none of the {total:,} problems is left to train on; most, {count:,}, were dropped as {label} (rule {step.name}, "
        f"which keeps: {step.meaning}); {remedy}"
    )


# Sampling.


def _sample(run: Run, asking: Asking, steps: Sequence[list[Problem]], config: CurateConfig, progress: Progress) -> None:
    """Ask and grade, step after step; every completion is stored. Guesses are of what the pass rate does not drop."""
    progress.begin(run, len(steps))
    for step in run.steps(len(steps), progress.interrupting):
        with progress.phase("sampling"):
            groups, metrics = asking.with_reasoning(steps[step - 1])
            rates = {g.problem.id: _pass_rate([r.verdicts["reasoned"].score for r in g.rollouts]) for g in groups}
            left = [p for p in steps[step - 1] if beyond_difficulty(rates[p.id], **config.difficulty) is None]
            guesses: list[Group[Graded]] = []
            if config.guess.attempts and left:
                guesses, cost = asking.without_reasoning(left)
                metrics |= {name: metrics[name] + value for name, value in cost.items()}
            metrics |= _step_metrics(rates, guesses, config)
        with progress.phase("saving"):
            run.log_step(step, metrics, [*groups, *guesses])
            if run.commits(step, len(steps), config.checkpoints):
                where = {"steps": step, "of": len(steps)}
                run.save(step, lambda folder, where=where: _write_position(folder, where), config.checkpoints)
        progress.step(step, metrics)


def _write_position(folder: Path, where: Mapping[str, int]) -> None:
    (folder / "curated.json").write_text(json.dumps(where) + "\n")


def _pass_rate(scores: Sequence[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return fmean(known) if known else None


def _step_metrics(rates: Mapping[str, float | None], guesses: Sequence[Group[Graded]], config: CurateConfig) -> Metrics:
    bands = [difficulty_band(rate) for rate in rates.values()]
    metrics = {f"curate/{band}": bands.count(band) / len(bands) for band in ("impossible", "trivial", "unknown")}
    metrics["curate/asked_to_guess"] = len(guesses) / len(bands)
    if not guesses:
        return metrics
    found = [[r.verdicts["guess"] for r in g.rollouts] for g in guesses]
    verdicts = [v for group in found for v in group]
    at_once = [v.score for v in verdicts if v.label != "thought" and v.score is not None]
    attempts = config.guess.attempts
    firsts = [first_guesses([(v.score, v.label) for v in group], attempts) for group in found]
    metrics["curate/guessed"] = fmean(guessed(first, attempts=attempts) is not None for first in firsts)
    metrics["curate/thought_all_the_same"] = fmean(v.label == "thought" for v in verdicts)
    if at_once:
        metrics["curate/guess_right"] = fmean(at_once)
    return metrics


# What was found.


def _curated(config: CurateConfig, formed: Curated, found: Mapping[str, Mapping[str, Asked]]) -> Curated:
    """All rules, in their order; every step with all that it dropped."""
    rates = {name: _pass_rate([score for score, _ in asked.verdicts]) for name, asked in found["reasoned"].items()}
    attempts = config.guess.attempts
    guesses: dict[str, list[bool | None]] = {p.id: [False] * attempts for p in formed.kept}  # programs stay so
    guesses |= {name: first_guesses(asked.verdicts, attempts) for name, asked in found["guess"].items()}
    rest = curate(
        formed.kept,
        seed=config.seed,
        pass_rates=rates,
        guesses=guesses if attempts else None,
        by_form=False,
        attempts=max(attempts, 1),
        cap=config.cap,
        num_examples=len(formed.kept),
        **config.difficulty,
    )
    return Curated(formed.given, rest.kept, [*formed.steps, *rest.steps], formed.domains, rates)


def _tagged(problem: Problem, curated: Curated) -> Problem:
    """With what was found out about it; problems of other kinds stay as they are."""
    if problem.kind != "reasoning":
        return problem
    rate = curated.pass_rates.get(problem.id)
    tags: dict[str, Any] = {**problem.tags, "difficulty": difficulty_band(rate), "domain": domain_of(problem)}
    return replace(problem, tags=tags | ({} if rate is None else {"pass_rate": rate}))


def _write(
    run: Run, config: CurateConfig, curated: Curated, found: Mapping[str, Mapping[str, Asked]], digest: str
) -> list[str]:
    """The files of a finished run, without problems.jsonl where nothing is left; what a reader of the card is warned of."""
    place = {problem.id: index for index, problem in enumerate(curated.given)}
    drops = [(p, step.name, drop) for step in curated.steps for p, drop in step.examples]
    drops.sort(key=lambda item: place[item[0].id])
    rows = [
        {"id": p.id, "rule": rule, "label": drop.label, "reason": drop.reason, "pass_rate": curated.pass_rates.get(p.id),
         "prompt": p.prompt}
        for p, rule, drop in drops
    ]  # fmt: skip
    with storing(run.folder):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_whole(run.folder / "dropped.jsonl", text)
    if any(problem.kind == "reasoning" for problem in curated.kept):
        write_problems(run.folder / "problems.jsonl", (_tagged(problem, curated) for problem in curated.kept))
    facts = {"model": {"name": config.model.name, "digest": digest}, "settings": config.to_toml()}
    sizes = {"reasoned": config.samples_per_prompt, "guess": config.guess.attempts}
    return write_curation_card(run.folder, curated, found, facts, sizes, config.num_examples)

"""Step labels: solutions are sampled and cut into steps, and every step is labelled by what becomes of it, a judge or the truth.

    rollouts    k continuations of every prefix; the label is the share that was right (Math-Shepherd, arXiv:2312.08935)
    bisection   the first error of a wrong solution in log2 of the probes (OmegaPRM, arXiv:2406.06592, without its tree)
    judge       a prompted model names the first wrong step
    programs    the tests of a program on its beginnings: the first step by which no program that begins so passes
    truth       the embedded world's checker of columns, to measure the others by

A Monte Carlo label is a value, not a truth: counts and Wilson intervals stand beside each, and who continued (a digest of its
weights) in every row. A step of the run labels some problems and commits them. `steps.jsonl` is read unchanged by
`sanmai run reward --set objective=process`; `labelled/` has the rows of each step of the run, `rollouts/` the solutions.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.data.step_labels import LabelledSteps, as_row
from sanmai.data.steps import StepRule, steps_of
from sanmai.learn.graders import make_rubric
from sanmai.learn.local_judge import judge_transport
from sanmai.learn.progress import Progress
from sanmai.learn.sources import ProblemsConfig, check_positions, load_splits
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import SamplingConfig, refuse_equal_samples
from sanmai.recipes.cards import write_card
from sanmai.recipes.step_labellers import (
    Continuations,
    EveryStep,
    FirstErrorByBisection,
    FirstFailedTest,
    JudgedSteps,
    Labeller,
    Labels,
    Solution,
    Spent,
    WorldTruth,
)
from sanmai.rewards.code_steps import PartialPrograms
from sanmai.rewards.judging.judge import JudgeConfig
from sanmai.rewards.judging.step_judge import StepJudge
from sanmai.rewards.rubric import RewardsConfig
from sanmai.rollout.engine import GradingConfig, rollout
from sanmai.stats import wilson
from sanmai.train.environment import describe_environment
from sanmai.train.runs import CheckpointsConfig, Run, storing, write_whole
from sanmai.train.state import weights_digest
from sanmai.types import InputError, Metrics, Problem, RunError

Method = Literal["rollouts", "bisection", "judge", "programs", "truth"]


class StepLabelsConfig(Config):
    seed: int = Field(0, ge=0)
    """Names every random stream of the run, and decides which problems are held out."""
    method: Method = "rollouts"
    """Who labels: "rollouts" (continuations of every prefix), "bisection" (for the first error), "judge", "programs"
    (tests of partial programs), or "truth" (of the embedded world)."""
    steps: str | None = None
    """How solutions are cut: text:SEPARATOR, line, sentence, tokens:N, world or thought; by default world for the embedded world,
    line for programs and else text:\\n\\n."""
    samples_per_prompt: int = Field(4, ge=1)
    """Solutions of each problem."""
    rollouts: int = Field(8, ge=1)
    """k: continuations of each prefix. A right step of value V looks wrong with chance (1 - V)^k."""
    completer: ModelConfig | None = None
    """The model that continues; None: the one that wrote. It must have the same tokens."""
    shows_reference: bool = True
    """The judge sees the reference answer."""
    prompts_per_step: int = Field(32, ge=1)
    """Problems that are labelled and committed together."""
    model: ModelConfig = ModelConfig()
    """The model that writes the solutions."""
    problems: ProblemsConfig = ProblemsConfig()
    """What is solved; the held-out part is not."""
    sampling: SamplingConfig = SamplingConfig()
    grading: GradingConfig = GradingConfig()
    judge: JudgeConfig = JudgeConfig()

    only_with = (
        OnlyWith('method = "rollouts" or "bisection"', lambda c: c.continues, "rollouts", "completer"),
        OnlyWith('method = "judge"', lambda c: c.method == "judge", "judge", "shows_reference"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.steps is not None:
            StepRule.parse(self.steps)
        refuse_equal_samples(self.sampling.temperature, self.samples_per_prompt)
        if self.continues:
            refuse_equal_samples(self.sampling.temperature, self.rollouts)
        if self.method == "judge" and not self.judge.model:
            raise ValueError("judge.model: expected the judge's name at judge.base_url, or a local folder")
        return self

    @property
    def continues(self) -> bool:
        """Prefixes are continued."""
        return self.method in ("rollouts", "bisection")

    @property
    def rule(self) -> StepRule:
        return StepRule.parse(self.steps or ("line" if self.method == "programs" else steps_of(self.problems.source)))


def run_step_labels(
    config: StepLabelsConfig, out: Path, *, problems: Sequence[Problem] | None = None, progress: Progress | None = None
) -> Path:
    """Run the recipe, or go on with it, in a run folder; the folder.

    Args:
        problems: instead of config.problems.source; part of them is held out as there.
    """
    progress = progress or Progress.silent()
    with Run(out, "step_labels", config) as run:
        chosen = _problems(config, problems, run.warn)
        policy = load_policy(config.model, for_training=False)
        digest = weights_digest(policy)
        check_positions(policy, chosen, config.sampling.max_tokens)
        run.log_environment(describe_environment(policy, {"sampled": chosen}, start_digest=digest))
        num_steps = -(-len(chosen) // config.prompts_per_step)
        progress.begin(run, num_steps)
        if run.start_step < num_steps:
            label, facts = _labeller(config, policy, digest, run.folder / "replies")
        for step in run.steps(num_steps, progress.interrupting):
            part = chosen[(step - 1) * config.prompts_per_step :][: config.prompts_per_step]
            rows, metrics, groups = _label(config, policy, part, label, facts, progress)
            _write_lines(_part_path(run.folder, step), rows)
            run.log_step(step, metrics, groups)
            run.save(step, lambda folder, step=step: _mark(folder, step), CheckpointsConfig())
            progress.step(step, metrics)
        if not run.interrupted:
            progress.say(_finish(run.folder, num_steps, config))
        progress.end(run)
    return run.folder


def describe_step_labels(config: StepLabelsConfig, out: Path, *, measure: bool) -> Iterator[str]:
    """What a run would do, in sentences; problems and model are loaded and checked."""
    warnings: list[str] = []
    chosen = _problems(config, None, warnings.append)
    policy = load_policy(config.model, for_training=False)
    check_positions(policy, chosen, config.sampling.max_tokens)
    yield f"Model {config.model.name}: {type(policy.model).__name__}, {policy.num_parameters:,} parameters, none trained."
    count, budget = len(chosen) * config.samples_per_prompt, config.sampling.max_tokens
    yield (
        f"{len(chosen):,} problems, {config.samples_per_prompt} solutions of each ({count:,} in all, {count * budget:,} tokens "
        f"at most), cut by {config.rule}."
    )
    yield from (f"Warning: {warning}" for warning in warnings)
    yield {
        "rollouts": f"Every step is labelled by the share of {config.rollouts} continuations that are right; each costs up to "
        f"{budget:,} tokens less what its prefix has.",
        "bisection": f"The first error of a wrong solution of T steps is found with at most log2 T prefixes, {config.rollouts} "
        "continuations each; the steps of a right one count as right.",
        "judge": f"{config.judge.where} names the first wrong step of each.",
        "programs": "Beginnings of programs that fail are run, about log2 T of a program of T steps; no token is sampled.",
        "truth": "Every step is labelled by the embedded world's truth.",
    }[config.method]


def _problems(
    config: StepLabelsConfig, given: Sequence[Problem] | None, on_warning: Callable[[str], None]
) -> list[Problem]:
    chosen, _ = load_splits(
        config.problems, config.seed, given, on_warning=on_warning, needs_answer=config.continues
    )
    kept = [p for p in chosen if p.kind == "reasoning"]
    if len(kept) < len(chosen):
        on_warning(f"{len(chosen) - len(kept)} of {len(chosen)} problems are not of kind reasoning and are left out")
    if not kept:
        raise InputError(f"problems: none of {len(chosen)} is of kind reasoning, whose steps are right or wrong")
    if config.method == "programs" and (other := next((p for p in kept if p.verifier != "code"), None)):
        raise InputError(
            f'method = "programs": problem {other.id} is graded by {other.verifier!r}; expected problems whose answers are tests'
        )
    return kept


def _labeller(
    config: StepLabelsConfig, policy: TextPolicy, digest: str, replies: Path
) -> tuple[Labeller, dict[str, Any]]:
    """Who labels, and what the rows say of it."""
    facts: dict[str, Any] = {"method": config.method, "steps": str(config.rule), "wrote": digest}
    if config.method == "truth":
        return WorldTruth(), facts
    if config.method == "programs":
        return FirstFailedTest(PartialPrograms()), facts
    if config.method == "judge":
        judge = StepJudge(config.judge, judge_transport(config.judge, cache=replies))
        named = {"judge": config.judge.model, "revision": config.judge.revision, "shows_reference": config.shows_reference}
        return JudgedSteps(judge, shows_reference=config.shows_reference), facts | named
    completer, its_digest = policy, digest
    if config.completer is not None:
        completer = load_policy(config.completer, for_training=False)
        its_digest = weights_digest(completer)
        if completer.tokenizer.get_vocab() != policy.tokenizer.get_vocab():
            raise InputError(
                f"completer.name = {config.completer.name!r}: has other tokens than {config.model.name!r}; a prefix is continued "
                "as it was sampled, never tokenized again"
            )
    rubric = make_rubric(RewardsConfig(), None, [], device=config.model.device)
    continuations = Continuations(
        completer, rubric, config.sampling, config.grading, k=config.rollouts, seed=config.seed
    )
    labeller = EveryStep(continuations) if config.method == "rollouts" else FirstErrorByBisection(continuations)
    return labeller, facts | {"completer": its_digest, "k": config.rollouts, "temperature": config.sampling.temperature}


def _label(
    config: StepLabelsConfig,
    policy: TextPolicy,
    problems: Sequence[Problem],
    label: Labeller,
    facts: dict[str, Any],
    progress: Progress,
) -> tuple[list[dict[str, Any]], Metrics, list]:
    """Rows, metrics and solutions of some problems."""
    rubric = make_rubric(RewardsConfig(), None, [], device=config.model.device)
    with progress.phase("sampling"):
        groups, stats = rollout(
            policy, problems, rubric, rollouts_per_prompt=config.samples_per_prompt, seed=(config.seed, "solutions"),
            policy_version=0, sampling=config.sampling, grading=config.grading,
        )  # fmt: skip
    solutions = [Solution.of(group.problem, r, policy, config.rule) for group in groups for r in group.rollouts]
    spent = Spent()
    with progress.phase("labelling"):
        labelled = label(solutions, spent)
    counts: Counter[str] = Counter()
    rows = []
    for solution, found in zip(solutions, labelled, strict=True):
        row = _row(solution, found, facts)
        counts["labelled" if isinstance(row, dict) else row] += 1
        if isinstance(row, dict):
            rows.append(row)
    labels = [v for row in rows for v in row["labels"] if v is not None]
    metrics = stats.metrics() | {f"labels/{name}": float(value) for name, value in sorted(counts.items())}
    metrics |= {f"labelling/{name}": float(value) for name, value in sorted(spent.counts.items())}
    metrics["labels/steps"] = float(len(labels))
    if labels:
        metrics["labels/mean"] = sum(labels) / len(labels)
        metrics["labels/zero"] = sum(v == 0 for v in labels) / len(labels)
    return rows, metrics, groups


def _row(solution: Solution, found: Labels, facts: dict[str, Any]) -> dict[str, Any] | str:
    """The row of a solution; or why there is none."""
    if not solution.steps or not all(step.strip() for step in solution.steps):
        return "without_steps"
    if all(label is None for label in found.labels):
        return "unlabelled"
    name = f"{solution.problem.id}#{solution.drawn.sample}"
    counts = tuple(found.counts) if any(found.counts) else ()
    tags: dict[str, str | int | float | bool] = dict(solution.problem.tags)
    if solution.is_right is not None:
        tags["is_right"] = solution.is_right
    item = LabelledSteps(
        name, solution.problem.messages, tuple(solution.steps), tuple(found.labels), counts, solution.problem.language, tags
    )
    intervals = [None if c is None else [round(bound, 4) for bound in wilson(*c)] for c in found.counts]
    return as_row(item) | ({"intervals": intervals} if counts else {}) | {"labeller": facts}


def _finish(folder: Path, num_steps: int, config: StepLabelsConfig) -> str:
    """Write steps.jsonl and card.json; what they hold, in a sentence."""
    rows = []
    for step in range(1, num_steps + 1):
        path = _part_path(folder, step)
        try:
            rows += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            raise RunError(f"{path}: cannot be read ({type(error).__name__}); restore it, or choose another --out") from None
    _write_lines(folder / "steps.jsonl", rows)
    by_depth: dict[int, list[float]] = {}
    for row in rows:
        for depth, label in enumerate(row["labels"], 1):
            if label is not None:
                by_depth.setdefault(depth, []).append(label)
    card = {
        "labeller": rows[0]["labeller"] if rows else {"method": config.method},
        "solutions": len(rows),
        "steps": sum(len(row["labels"]) for row in rows),
        "labelled": sum(len(labels) for labels in by_depth.values()),
        "mean_label_by_depth": {depth: sum(v) / len(v) for depth, v in sorted(by_depth.items())},
        "settings": config.to_toml(),
    }
    write_card(folder, card)
    return f"{card['labelled']:,} steps of {len(rows):,} solutions are labelled: {folder / 'steps.jsonl'}"


def _part_path(folder: Path, step: int) -> Path:
    return folder / "labelled" / f"step-{step:06d}.jsonl"


def _write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with storing(path):
        write_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _mark(folder: Path, step: int) -> None:
    """A commit holds nothing but its number: what was labelled lies in labelled/ and rollouts/."""
    (folder / "labelled.json").write_text(json.dumps({"steps": step}) + "\n", encoding="utf-8")

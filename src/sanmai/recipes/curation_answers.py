"""Completions with and without reasoning, for curation: asked for, graded, and read back from a run's rollouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from sanmai.answers.math import closing_brace
from sanmai.config import Config, OnlyWith
from sanmai.data.chat import prompt_end, render_prompt
from sanmai.data.filters import Sample, is_correct
from sanmai.data.trace import parse_trace
from sanmai.data.turns import continues
from sanmai.learn.sources import check_positions
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.rewards.rubric import Rubric
from sanmai.rollout.engine import GradingConfig, RolloutStats, grade, rollout
from sanmai.rollout.measure import training_metrics
from sanmai.train.digests import require_whole
from sanmai.types import Graded, Group, InputError, Metrics, Problem, Verdict, regrouped

_BOX = "\\boxed{"
_MATH_WORDS = f"The final answer is {_BOX}"


class GuessConfig(Config):
    attempts: int = Field(8, ge=0)
    """Answers without reasoning that are looked at (N of the paper); 0 leaves the guess filter out."""
    draws: int | None = Field(None, ge=1)
    """Completions drawn to get them; None: as many. More where a model thinks all the same now and then."""
    temperature: float = Field(1.0, ge=1e-3)
    """Softmax temperature of them."""
    max_tokens: int = Field(64, ge=1)
    """Their budget in tokens: an answer, with no room for a solution."""
    prefill: str | None = None
    """What they are made to begin with; None: an empty thought, and for the verifier "math" the opening of a box."""

    only_with = (
        OnlyWith("attempts above 0", lambda c: c.attempts > 0, "draws", "temperature", "max_tokens", "prefill"),
    )

    @property
    def num_draws(self) -> int:
        return max(self.draws or 0, self.attempts)


@dataclass
class Asked:
    """The completions of one problem, with or without reasoning."""

    verdicts: list[tuple[float | None, str]] = field(default_factory=list)
    """Score and label of each: right, wrong, incomplete, not_graded (None), thought (without reasoning was asked for)."""
    num_tokens: int = 0

    @property
    def at_once(self) -> list[tuple[float | None, str]]:
        """Without those that thought all the same."""
        return [verdict for verdict in self.verdicts if verdict[1] != "thought"]


def answer_start(policy: TextPolicy, problem: Problem, prefill: str | None, thought_tags: tuple[str, str]) -> str:
    """What a completion is made to begin with so that it answers without reasoning; "" for nothing.

    Args:
        prefill: what it is; None: an empty thought, and what opens a box where the verifier reads boxes.
    """
    if prefill is not None:
        return prefill
    open_tag, close_tag = thought_tags
    tokenizer = policy.tokenizer
    end = prompt_end(tokenizer, render_prompt(tokenizer, problem.messages), open_tag)
    empty = continues(f"{open_tag}\n\n{close_tag}\n\n", end, thought_tags)
    words = _MATH_WORDS if problem.verifier in ("math", "number") else ""
    written = tokenizer.decode(tokenizer.encode(words, add_special_tokens=False), skip_special_tokens=False)
    return empty + words if _BOX in written.replace(" ", "") else empty


@dataclass
class Asking:
    """A model that is asked for answers with and without reasoning."""

    policy: TextPolicy
    rubric: Rubric
    seed: int
    samples: int
    """Completions with reasoning of each problem."""
    sampling: SamplingConfig
    guess: GuessConfig
    grading: GradingConfig
    min_reward: float
    """From which on a completion is right where the caller's reward says so."""
    _begins: dict[str, str] = field(default_factory=dict)
    """By verifier, what answers without reasoning begin with."""

    def check(self, problems: Sequence[Problem]) -> None:
        """InputError where the longest prompt and a budget are together more than the model's positions."""
        check_positions(self.policy, problems, self.sampling.max_tokens)
        if self.guess.attempts:
            check_positions(self.policy, [self._at_once(p) for p in problems], self.guess.max_tokens)

    def with_reasoning(self, problems: Sequence[Problem]) -> tuple[list[Group[Graded]], Metrics]:
        """Graded groups of `samples`, and what they cost."""
        groups, stats = self._rollout("difficulty", problems, self.samples, self.sampling)
        metrics = training_metrics(groups) | stats.metrics()
        found = (r.with_verdicts({"reasoned": self._finding(g.problem, r)}) for g in groups for r in g.rollouts)
        return regrouped(groups, found), metrics

    def without_reasoning(self, problems: Sequence[Problem]) -> tuple[list[Group[Graded]], Metrics]:
        """Graded groups of `guess.num_draws`, and what they cost; none of programs."""
        guess = self.guess
        asked = [self._at_once(p) for p in problems if p.verifier != "code"]
        sampling = self.sampling.model_copy(
            update={"temperature": guess.temperature, "max_tokens": guess.max_tokens}
        )
        groups, stats = self._rollout("guess", asked, self.guess.num_draws, sampling)
        groups = with_first_box(groups, self.rubric, self.grading)
        found = (r.with_verdicts({"guess": self._guess(g.problem, r)}) for g in groups for r in g.rollouts)
        return regrouped(groups, found), stats.metrics()

    def _rollout(
        self, name: str, problems: Sequence[Problem], count: int, sampling: SamplingConfig
    ) -> tuple[list[Group[Graded]], RolloutStats]:
        seed = (self.seed, "curate", name)
        return rollout(
            self.policy, problems, self.rubric, rollouts_per_prompt=count, seed=seed, policy_version=0,
            sampling=sampling, grading=self.grading,
        )  # fmt: skip

    def _at_once(self, problem: Problem) -> Problem:
        if problem.verifier not in self._begins:
            self._begins[problem.verifier] = answer_start(self.policy, problem, self.guess.prefill, self.grading.thought_tags)
        begin = self._begins[problem.verifier]
        message = {"role": "assistant", "content": begin}
        return replace(problem, messages=(*problem.messages, message)) if begin else problem

    def _guess(self, problem: Problem, r: Graded) -> Verdict:
        if r.trace is not None and r.trace.thought.strip():
            return Verdict(0.0, "it thought all the same", "thought")
        return self._finding(problem, r)

    def _finding(self, problem: Problem, r: Graded) -> Verdict:
        """Right or not; None where it could not be graded."""
        if r.failure is not None or not r.verdicts:
            return Verdict(None, r.failure or "not graded: the time limit of its step ended it", "not_graded")
        sample = Sample.of(problem, r, self.grading.thought_tags[0])
        right = is_correct(sample, by_reward=self.rubric.is_own, min_reward=self.min_reward)
        if right is None:
            return Verdict(None, "could not be graded", "not_graded")
        if not right and r.trace is not None and not r.trace.is_complete:
            return Verdict(0.0, f"no end within {len(r.completion_tokens)} tokens", "incomplete")
        return Verdict(float(right), "", "right" if right else "wrong")


def with_first_box(groups: Sequence[Group[Graded]], rubric: Rubric, grading: GradingConfig) -> list[Group[Graded]]:
    """The groups with what stands in the box that a prefill opened as the answer: graded again without what goes on behind it."""
    rollouts = [r for group in groups for r in group.rollouts]
    problems = [group.problem for group in groups for _ in group.rollouts]
    again: dict[int, Graded] = {}
    for k, (problem, r) in enumerate(zip(problems, rollouts, strict=True)):
        if not problem.prefill.endswith(_BOX) or r.trace is None or (end := _end_of_box(r.trace.text)) is None:
            continue
        if r.trace.text[end:] or r.trace.is_truncated:
            open_tag, close_tag = grading.thought_tags
            again[k] = replace(r, trace=parse_trace(r.trace.text[:end], open_tag=open_tag, close_tag=close_tag))
    graded, _ = grade([(problems[k], r) for k, r in again.items()], rubric, grading)
    for k, r in zip(again, graded, strict=True):
        rollouts[k] = r
    return regrouped(groups, rollouts)


def _end_of_box(text: str) -> int | None:
    start = text.find(_BOX)
    close = closing_brace(text, start + len(_BOX)) if start >= 0 else None
    return None if close is None else close + 1


def first_guesses(verdicts: Sequence[tuple[float | None, str]], attempts: int) -> list[bool | None]:
    """Of (score, label) in order of draw, the first `attempts` that answer at once; filled up with what is not right.

    Example:
        first_guesses([(0.0, "thought"), (0.0, "wrong"), (1.0, "right"), (1.0, "right")], 2) == [False, True]
    """
    at_once = [None if score is None else score >= 1 for score, label in verdicts if label != "thought"]
    return (at_once + [False] * attempts)[:attempts]


def read_answers(folder: Path, num_steps: int) -> dict[str, dict[str, Asked]]:
    """Under "reasoned" and "guess", by problem: what each completion was found to be, and their tokens.

    Raises:
        InputError: a rollout file is missing or damaged.
    """
    found: dict[str, dict[str, Asked]] = {"reasoned": {}, "guess": {}}
    for step in range(1, num_steps + 1):
        path = folder / "rollouts" / f"step-{step:06d}.parquet"
        require_whole(folder, f"rollouts/{path.name}")
        try:
            columns = pq.read_schema(path).names
            wanted = ["problem_id", "num_tokens", *(c for c in columns if c.endswith(("/reasoned", "/guess")))]
            rows = pq.read_table(path, columns=wanted).to_pylist()
        except (OSError, pa.ArrowException) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise InputError(
                f"{path}: cannot be read ({reason}); restore it, or begin again in another --out"
            ) from None
        for row in rows:
            name = "guess" if row.get("label/guess") is not None else "reasoned"
            asked = found[name].setdefault(row["problem_id"], Asked())
            asked.verdicts.append((row[f"score/{name}"], row[f"label/{name}"]))
            asked.num_tokens += row["num_tokens"]
    return found

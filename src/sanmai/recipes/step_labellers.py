"""Who labels steps: continuations of every prefix, bisection for the first error, a judge, tests, or the world's truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Protocol

from sanmai.data.steps import StepRule, boundaries, decoder
from sanmai.learn.continuations import Beginning, continued
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.rewards.code import num_cores
from sanmai.rewards.code_steps import FirstFailure, PartialPrograms
from sanmai.rewards.judging.step_judge import StepJudge
from sanmai.rewards.rubric import Rubric
from sanmai.rollout.engine import GradingConfig
from sanmai.search.labels import Bisection, StepValue, labels_from_bisection
from sanmai.types import Graded, Problem, StopReason
from sanmai.world.steps import check_steps

Counts = tuple[int, int] | None


@dataclass(frozen=True)
class Solution:
    """A sampled solution, cut into steps."""

    problem: Problem
    drawn: Graded
    ends: list[int]
    """Completion tokens at the end of each step."""
    steps: list[str]
    """Their texts; joined, the response up to the last end."""
    is_right: bool | None
    """None: cut off, or nobody can say."""

    @property
    def is_finished(self) -> bool:
        return self.drawn.stop_reason is StopReason.STOP

    @classmethod
    def of(cls, problem: Problem, drawn: Graded, policy: TextPolicy, rule: StepRule) -> Solution:
        """A graded rollout as a solution; what a budget cut off in the middle of a step is no step."""
        text_of = decoder(policy.tokenizer)
        is_finished = drawn.stop_reason is StopReason.STOP
        ends = boundaries(drawn.completion_tokens, text_of, rule, is_finished=is_finished)
        texts = [text_of(drawn.completion_tokens[:end]) for end in ends]
        steps = [text[len(before) :] for before, text in zip(["", *texts], texts, strict=False)]
        return cls(problem, drawn, ends, steps, is_right(drawn) if is_finished else None)


@dataclass
class Labels:
    """What a labeller says of a solution's steps."""

    labels: list[float | None]
    counts: list[Counts]


@dataclass
class Spent:
    """What labelling has taken."""

    counts: Counter[str] = field(default_factory=Counter)
    """"probes" (prefixes continued), "continuations", "cut_off", "sampled" and "prompt" tokens, "judged", "programs" that were
    run."""


class Labeller(Protocol):
    def __call__(self, solutions: Sequence[Solution], spent: Spent) -> list[Labels]: ...


def is_right(graded: Graded) -> bool | None:
    """What the verifier says of a whole completion; None where it says nothing."""
    found = graded.verdicts.get("accuracy")
    return None if found is None or found.score is None else found.score >= 1.0


class Continuations:
    """The values of prefixes by k continuations each. One prefix is asked once, whatever solution it is of."""

    def __init__(
        self, policy: TextPolicy, rubric: Rubric, sampling: SamplingConfig, grading: GradingConfig, *, k: int, seed: int
    ) -> None:
        self.policy, self.rubric, self.sampling, self.grading = policy, rubric, sampling, grading
        self.k, self.seed = k, seed

    def values(self, probes: Sequence[tuple[Solution, int]], spent: Spent) -> list[StepValue]:
        """The value of each prefix, of so many steps of a solution.

        A continuation that was cut off is neither right nor wrong; its tokens count.

        Raises:
            RunError: the verifier broke for more continuations than grading.failure_budget allows.
        """
        beginnings = [Beginning(s.problem, s.drawn, s.ends[n - 1]) for s, n in probes]
        name = lambda one: (self.seed, "step labels", one.problem.id, one.drawn.sample, one.length)  # noqa: E731
        done = continued(
            self.policy, self.rubric, beginnings, k=self.k, name=name, sampling=self.sampling, grading=self.grading
        )
        found = {one.key: _value(rollouts) for one, rollouts in zip(beginnings, done.rollouts, strict=True)}
        spent.counts.update(
            sampled=done.sampled_tokens, probes=done.num_asked, continuations=done.num_asked * self.k, prompt=done.prompt_tokens,
            cut_off=sum(value.cut_off for value in found.values()),
        )
        return [found[one.key] for one in beginnings]


def _value(rollouts: Sequence[Graded]) -> StepValue:
    said = [is_right(one) if one.stop_reason is StopReason.STOP else None for one in rollouts]
    return StepValue(said.count(True), len(said) - said.count(None), said.count(None))


class EveryStep:
    """Math-Shepherd's: the share of right continuations of every prefix; the last step of a finished solution is its outcome."""

    def __init__(self, continuations: Continuations) -> None:
        self.continuations = continuations

    def __call__(self, solutions: Sequence[Solution], spent: Spent) -> list[Labels]:
        probes = [(s, n) for s in solutions for n in range(1, len(s.ends) + 1 - s.is_finished)]
        values = iter(self.continuations.values(probes, spent))
        found = []
        for s in solutions:
            own = [next(values) for _ in range(len(s.ends) - s.is_finished)]
            labels: list[float | None] = [v.label for v in own]
            counts: list[Counts] = [(v.right, v.num) for v in own]
            if s.is_finished and s.ends:
                labels.append(None if s.is_right is None else float(s.is_right))
                counts.append(None if s.is_right is None else (int(s.is_right), 1))
            found.append(Labels(labels, counts))
        return found


class FirstErrorByBisection:
    """OmegaPRM's: of a wrong solution the first error by bisection; of a right one every step counts as right, unasked."""

    def __init__(self, continuations: Continuations) -> None:
        self.continuations = continuations

    def __call__(self, solutions: Sequence[Solution], spent: Spent) -> list[Labels]:
        open_: dict[int, Bisection] = {
            i: Bisection.of(len(s.ends)) for i, s in enumerate(solutions) if s.is_right is False and s.ends
        }
        probed: dict[int, dict[int, StepValue]] = {i: {} for i in open_}
        given_up: set[int] = set()
        while asked := [(i, n) for i, b in open_.items() if (n := b.probe) is not None and i not in given_up]:
            values = self.continuations.values([(solutions[i], n) for i, n in asked], spent)
            for (i, n), value in zip(asked, values, strict=True):
                probed[i][n] = value
                if value.label is None:
                    given_up.add(i)  # every continuation was cut off: nobody knows
                else:
                    open_[i] = open_[i].told(value.right > 0)
        found = []
        for i, s in enumerate(solutions):
            first = open_[i].first_error if i in open_ and i not in given_up else None
            if first is not None:
                found.append(Labels(*labels_from_bisection(len(s.ends), first, probed[i])))
            else:
                found.append(Labels([1.0 if s.is_right else None] * len(s.ends), [None] * len(s.ends)))
        return found


class JudgedSteps:
    """What a prompted model says is the first wrong step."""

    def __init__(self, judge: StepJudge, *, shows_reference: bool) -> None:
        self.judge, self.shows_reference = judge, shows_reference

    def __call__(self, solutions: Sequence[Solution], spent: Spent) -> list[Labels]:
        asked = [s for s in solutions if s.steps]
        spent.counts["judged"] += len(asked)
        said = iter(
            self.judge([(s.problem.messages, s.steps, s.problem.answer if self.shows_reference else None) for s in asked])
        )
        found = []
        for s in solutions:
            first = next(said) if s.steps else None
            labels: list[float | None] = [None] * len(s.steps)
            if first is not None:
                labels = [1.0 if first < 0 or i < first else 0.0 if i == first else None for i in range(len(s.steps))]
            found.append(Labels(labels, [None] * len(s.steps)))
        return found


class WorldTruth:
    """The embedded world's own truth of every column: what the other labellers are measured against."""

    def __call__(self, solutions: Sequence[Solution], spent: Spent) -> list[Labels]:
        found = []
        for s in solutions:
            truth = check_steps(s.problem, s.steps)
            labels = [None if truth is None else float(right) for right in (truth or [True] * len(s.steps))]
            found.append(Labels(labels, [None] * len(s.steps)))
        return found


class FirstFailedTest:
    """Tests of a program on its beginnings: wrong at the first step by which no program that begins so passes, none after it, nor
    from where a test fails unless the rest defines anew what is there; right before, where nothing has failed by then."""

    def __init__(self, find: PartialPrograms) -> None:
        self.find = find

    def __call__(self, solutions: Sequence[Solution], spent: Spent) -> list[Labels]:
        with ThreadPoolExecutor(num_cores()) as pool:
            found = list(pool.map(self._first, solutions))
        labelled = []
        for s, one in zip(solutions, found, strict=True):
            spent.counts["programs"] += one.probes
            count = len(s.steps)
            labels: list[float | None] = [None] * count
            if one.step is not None:
                labels, _ = labels_from_bisection(count, one.step if one.step >= 0 else count, {})
                if one.shown is not None:
                    labels[one.shown : one.step] = [None] * (one.step - one.shown)
            labelled.append(Labels(labels, [None] * count))
        return labelled

    def _first(self, s: Solution) -> FirstFailure:
        if not s.is_finished or not s.steps or s.drawn.trace is None:
            return FirstFailure(None, "no finished answer")
        ends = list(accumulate(map(len, s.steps)))
        return self.find(s.problem, "".join(s.steps), s.drawn.trace, ends)

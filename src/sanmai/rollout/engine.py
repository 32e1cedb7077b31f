"""From problems to graded groups: sampling and grading at the same time, bounded, with failures as data."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol, Self

from pydantic import Field, model_validator

from sanmai.activity import NOW
from sanmai.config import Config
from sanmai.data.trace import CLOSE_TAG, OPEN_TAG
from sanmai.policies.contract import Policy
from sanmai.sandbox import Watch
from sanmai.types import Drawn, Graded, Group, Metrics, Problem, RunError, StopReason


class GradingConfig(Config):
    workers: int = Field(4, ge=1, le=256)
    """Threads that grade while sampling goes on."""
    timeout_seconds: float = Field(60.0, gt=0)
    """Time limit for grading one rollout; one that takes longer is counted as failed. An environment's answers have a limit of
    their own (problems.environment.seconds, problems.verifiers.seconds), and this one stands still meanwhile."""
    thought_tags: tuple[str, str] = (OPEN_TAG, CLOSE_TAG)
    """What opens and closes the thought in a completion."""
    failure_budget: float = Field(0.1, ge=0, le=1)
    """Share of a step's rollouts that may fail (broken graders, not wrong answers) before the run stops."""

    without_effect = frozenset({"workers", "failure_budget"})

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not all(self.thought_tags) or len(set(self.thought_tags)) < 2:
            raise ValueError("thought_tags are two different texts, neither of them empty")
        return self


class Grades(Protocol):
    """What grades samples: rewards/rubric.py for texts; the recipe of another kind of policy brings its own."""

    def grade(self, problem: Problem, drawn: Drawn) -> Graded:
        """One sample with its verdicts, on a thread of many; what it raises is a failure of that sample."""
        ...

    def grade_together(self, rollouts: Sequence[tuple[Problem, Graded]]) -> list[Graded]:
        """All of a step, with what is cheaper to say of many at once."""
        ...

    def check(self) -> None:
        """Stop a run whose graders say nothing any more; RunError."""
        ...


@dataclass
class RolloutStats:
    """What a call of `rollout` cost."""

    seconds: float = 0.0
    prompt_tokens: int = 0
    sampled_tokens: int = 0
    failures: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: RolloutStats) -> RolloutStats:
        failures = Counter(self.failures) + Counter(other.failures)
        return RolloutStats(
            self.seconds + other.seconds, self.prompt_tokens + other.prompt_tokens, self.sampled_tokens + other.sampled_tokens,
            dict(failures),
        )

    def metrics(self) -> Metrics:
        """The counts that a rerun reproduces; seconds are not among them."""
        return {"tokens/prompt": float(self.prompt_tokens), "tokens/sampled": float(self.sampled_tokens)}


def rollout(
    policy: Policy,
    problems: Sequence[Problem],
    rubric: Grades,
    *,
    rollouts_per_prompt: int,
    seed: tuple,
    policy_version: int,
    sampling: Any,
    grading: GradingConfig,
) -> tuple[list[Group[Graded]], RolloutStats]:
    """Graded groups, in the order of `problems` whatever the order of arrival.

    Args:
        seed: what the rollouts' randomness is keyed by, before problem and sample: (run seed, step) in training.
        policy_version: written on every rollout.
        sampling: settings of the kind of policy: of text a SamplingConfig.

    Raises:
        RunError: more than the failure budget's share of the rollouts failed; the message has the commonest reason.
    """
    start = time.monotonic()
    graders = _Graders(rubric, grading)
    jobs: list[list[_Job]] = [[] for _ in problems]
    arriving = policy.draw(
        problems, rollouts_per_prompt, seed=seed, version=policy_version, sampling=sampling, thought_tags=grading.thought_tags
    )
    for index, drawn in NOW.counted(arriving, len(problems) * rollouts_per_prompt, "completions"):
        jobs[index].append(graders.submit(problems[index], drawn))
    policy.end_phase()
    graders.finish()
    check_budget(graders.failures, sum(map(len, jobs)), grading.failure_budget)
    rubric.check()
    graded = iter(rubric.grade_together([(job.problem, job.graded) for of_problem in jobs for job in of_problem]))
    groups = [
        Group(problem, tuple(sorted(islice(graded, len(of_problem)), key=lambda r: r.sample)))
        for problem, of_problem in zip(problems, jobs, strict=True)
    ]
    stats = RolloutStats(
        time.monotonic() - start,
        sum(len(g.rollouts[0].prompt_tokens) for g in groups),
        sum(r.length for g in groups for r in g.rollouts),
        graders.failures,
    )
    return groups, stats


def grade(
    rollouts: Sequence[tuple[Problem, Drawn]], rubric: Grades, grading: GradingConfig
) -> tuple[list[Graded], dict[str, int]]:
    """The rollouts with what the rubric says of them, and how many failed for each reason.

    One whose grader breaks or takes too long has a `failure`; one that the time limit cut off is not graded. Once more failed
    than the budget allows, the rest have a `failure` that says so and are not counted.
    """
    graders = _Graders(rubric, grading)
    jobs = [graders.submit(problem, drawn) for problem, drawn in rollouts]
    graders.finish()
    return rubric.grade_together([(job.problem, job.graded) for job in jobs]), graders.failures


def check_budget(failures: Mapping[str, int], num_rollouts: int, budget: float) -> None:
    failed = sum(failures.values())
    if failed > budget * num_rollouts:
        worst = max(failures, key=lambda reason: failures[reason])
        raise RunError(
            f"{failed} of {num_rollouts} rollouts of this step could not be graded because a grader broke "
            f"(grading.failure_budget = {budget}); the commonest reason: {worst}"
        )


_NOT_AWAITED = "not graded: more graders broke before it than grading.failure_budget allows"


class _Graders:
    """Daemon threads that grade. A grader that hangs is left behind and replaced: nothing waits for it without bound."""

    def __init__(self, rubric: Grades, config: GradingConfig) -> None:
        self.rubric, self.config = rubric, config
        self.failures: dict[str, int] = {}
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._submitted: list[_Job] = []
        self._num_drawn = 0
        self._num_started = 0
        for _ in range(config.workers):
            self._start_worker()

    def submit(self, problem: Problem, drawn: Drawn) -> _Job:
        """The job whose `graded` is the rollout graded, once `finish` has returned.

        What the time limit cut off is not graded: a slow machine is no reason for a bad reward.
        """
        job = _Job(problem, drawn)
        self._num_drawn += 1
        if drawn.stop_reason is not StopReason.TIMEOUT or (drawn.trace is not None and not drawn.trace.is_truncated):
            self._submitted.append(job)
            self._jobs.put(job)
        return job

    def finish(self) -> None:
        """Wait until every job is graded or has had its time."""
        for job in self._submitted:
            if sum(self.failures.values()) > self.config.failure_budget * self._num_drawn:  # as check_budget counts
                job.graded = job.drawn.graded(failure=_NOT_AWAITED)  # the run stops: why wait for more graders that may hang
                continue
            while not job.done.wait(timeout=0.05):
                if job.watch.seconds > self.config.timeout_seconds:
                    job.give_up(f"TimeoutError: grading took more than {self.config.timeout_seconds:g} s")
                    self._start_worker()  # the hung thread holds one of the places
            job.settle(self.failures)
        for _ in range(self._num_started):  # those left behind too: they end when their grader comes back
            self._jobs.put(None)

    def _start_worker(self) -> None:
        self._num_started += 1
        threading.Thread(target=_grade_jobs, args=(self._jobs, self.rubric.grade), daemon=True, name="grader").start()


class _Job:
    """One rollout to be graded; whichever comes first of the result and the time limit stands."""

    def __init__(self, problem: Problem, drawn: Drawn) -> None:
        self.problem, self.drawn = problem, drawn
        self.graded = drawn.graded()
        """Without verdicts until it is settled."""
        self.watch = Watch()
        self.done = threading.Event()
        self._lock = threading.Lock()
        self._result: Graded | None = None
        self._failure: str | None = None

    def run(self, grade: Callable) -> None:
        try:
            with self.watch.running():
                result, failure = grade(self.problem, self.drawn), None
        except BaseException as error:  # noqa: BLE001 - even SystemExit: a failed rollout is data: typed, counted, and bounded by the budget
            result, failure = None, f"{type(error).__name__}: {error}"
        with self._lock:
            if not self.done.is_set():
                self._result, self._failure = result, failure
                self.done.set()

    def give_up(self, reason: str) -> None:
        with self._lock:
            if not self.done.is_set():
                self._failure = reason
                self.done.set()

    def settle(self, failures: dict[str, int]) -> None:
        if self._failure is not None:
            reason = self._failure[:500]
            self.graded = self.drawn.graded(failure=reason)
            failures[reason] = failures.get(reason, 0) + 1
        elif self._result is not None:
            self.graded = self._result


def _grade_jobs(jobs: queue.SimpleQueue, grade: Callable) -> None:
    while (job := jobs.get()) is not None:
        job.run(grade)

"""Partial rollouts: a step writes at most so many tokens of each; what is unfinished goes on in the next under the newer policy.

    step 1   A ####STOP   B ########>            trained on: A's group, if all of it has ended
    step 2                B ####STOP   C ###STOP  trained on: B's group and C's

So one long answer bounds no step (Kimi k1.5, arXiv:2501.12599, section 2.6.2). Every rollout that was begun is gone on with in
every step, in the random stream that it was begun with, and its group is trained on once all of it has ended: long ones are
neither starved nor left out. Each token keeps the log-prob under the policy that drew it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import torch

from sanmai.activity import NOW
from sanmai.policies.text.drawing import completed
from sanmai.policies.text.model import TextModel
from sanmai.policies.text.sampler import Completion, Request, SamplingConfig, sample
from sanmai.rollout.engine import Grades, GradingConfig, RolloutStats, check_budget, grade
from sanmai.types import Graded, Group, InputError, Problem, StopReason

_NAME = "partial_rollouts"


@dataclass
class Written:
    """A rollout of a group that has not been trained on."""

    tokens: list[int] = field(default_factory=list)
    logp: list[float] = field(default_factory=list)
    segments: list[tuple[int, int]] = field(default_factory=list)
    """(policy version, tokens that it drew), in order."""
    stop_reason: StopReason | None = None
    """None while it goes on."""


@dataclass
class Begun:
    """A group that has not been trained on."""

    problem: Problem
    prompt_tokens: list[int]
    step: int
    """The one that began it; names its random streams."""
    rollouts: list[Written]

    @property
    def has_ended(self) -> bool:
        return all(rollout.stop_reason is not None for rollout in self.rollouts)


class PartialRollouts:
    """The groups that have been begun, in the order in which they were."""

    def __init__(self) -> None:
        self.begun: list[Begun] = []
        self._asked: list[tuple[Begun, list[int]]] = []

    def begin(self, problem: Problem, prompt_tokens: list[int], step: int, count: int) -> None:
        """Take up a group of so many rollouts."""
        self.begun.append(Begun(problem, prompt_tokens, step, [Written() for _ in range(count)]))

    def requests(self, seed: tuple) -> list[Request]:
        """What the sampler is asked for in a step: what goes on, and what begins with one reading of its prompt per group.

        Args:
            seed: what the random streams are keyed by, before step, problem and sample.
        """
        self._asked, asked = [], []
        for group in self.begun:
            images = group.problem.images
            names = [(*seed, group.step, group.problem.id, sample) for sample in range(len(group.rollouts))]
            if fresh := [k for k, r in enumerate(group.rollouts) if not r.tokens and r.stop_reason is None]:
                self._asked.append((group, fresh))
                asked.append(Request(group.prompt_tokens, [names[k] for k in fresh], images=images))
            for k, rollout in enumerate(group.rollouts):
                if rollout.tokens and rollout.stop_reason is None:
                    self._asked.append((group, [k]))
                    tokens = group.prompt_tokens + rollout.tokens
                    asked.append(Request(tokens, [names[k]], len(rollout.tokens), images))
        return asked

    def add(self, done: Completion, policy_version: int) -> None:
        """What the sampler wrote of one of these requests."""
        group, samples = self._asked[done.request]
        rollout = group.rollouts[samples[done.sample]]
        rollout.tokens += done.tokens
        rollout.logp += done.logp
        rollout.segments.append((policy_version, len(done.tokens)))
        rollout.stop_reason = None if done.stop_reason is StopReason.PAUSED else done.stop_reason

    def stop_loops(self, *, period: int, times: int) -> int:
        """End every rollout that goes on and ends in one passage over and over (see `repeats`); how many."""
        looping = [
            r
            for group in self.begun
            for r in group.rollouts
            if r.stop_reason is None and repeats(r.tokens, period=period, times=times)
        ]
        for rollout in looping:
            rollout.stop_reason = StopReason.REPETITION
        return len(looping)

    def take_ended(self) -> list[Begun]:
        """The groups of which every rollout has ended; they are no longer held."""
        ended = [group for group in self.begun if group.has_ended]
        self.begun = [group for group in self.begun if not group.has_ended]
        return ended

    @property
    def num_waiting(self) -> int:
        """Rollouts that go on."""
        return sum(r.stop_reason is None for group in self.begun for r in group.rollouts)

    def state(self) -> dict[str, torch.Tensor]:
        """For the run state; nothing where nothing waits."""
        rows = [
            {
                "problem": group.problem.id,
                "prompt": group.prompt_tokens,
                "step": group.step,
                "rollouts": [asdict(rollout) for rollout in group.rollouts],
            }
            for group in self.begun
        ]
        return {_NAME: torch.tensor(list(json.dumps(rows).encode()), dtype=torch.uint8)} if rows else {}

    def restore(self, state: Mapping[str, torch.Tensor], problems: Sequence[Problem]) -> None:
        """The groups as `state` gave them.

        Raises:
            InputError: one is of a problem that is not among these.
        """
        known = {problem.id: problem for problem in problems}
        rows: list[dict[str, Any]] = json.loads(bytes(state[_NAME].tolist())) if _NAME in state else []
        for row in rows:
            if row["problem"] not in known:
                raise InputError(
                    f"the run state holds a rollout of problem {row['problem']!r}, which is not trained on now"
                )
            rollouts = [
                Written(
                    r["tokens"],
                    r["logp"],
                    [(version, count) for version, count in r["segments"]],
                    None if r["stop_reason"] is None else StopReason(r["stop_reason"]),
                )
                for r in row["rollouts"]
            ]
            self.begun.append(Begun(known[row["problem"]], row["prompt"], row["step"], rollouts))


def continue_rollouts(
    model: TextModel,
    partial: PartialRollouts,
    rubric: Grades,
    *,
    seed: tuple,
    policy_version: int,
    sampling: SamplingConfig,
    grading: GradingConfig,
    segment: int,
    loops: tuple[int, int] | None = None,
) -> tuple[list[Group[Graded]], RolloutStats]:
    """Write at most `segment` tokens more of every rollout that is held, and grade the groups that have ended.

    Args:
        loops: (tokens, times): end what repeats a passage of so many tokens at most, so many times in a row.
        seed: what the random streams are keyed by, before step, problem and sample.
        policy_version: of these tokens.

    Raises:
        RunError: as `rollout`.
    """
    start = time.monotonic()
    requests = partial.requests(seed)
    stats = RolloutStats(prompt_tokens=sum(len(r.prompt_tokens) - r.written for r in requests))
    num_rollouts = sum(len(request.seeds) for request in requests)
    for completion in NOW.counted(sample(model, requests, sampling, segment=segment), num_rollouts, "segments"):
        partial.add(completion, policy_version)
        stats.sampled_tokens += len(completion.tokens)
    if loops is not None:
        partial.stop_loops(period=loops[0], times=loops[1])
    ended = partial.take_ended()
    drawn = []
    for begun in ended:
        request = Request(begun.prompt_tokens, [])
        for number, written in enumerate(begun.rollouts):
            assert written.stop_reason is not None
            done = Completion(0, number, written.tokens, written.logp, written.stop_reason)
            newest, _ = written.segments[-1]  # one that waited for its group ended under an older policy
            segments = tuple(written.segments) if len(written.segments) > 1 else ()
            made = completed(model, begun.problem, request, done, newest, grading.thought_tags, segments)
            drawn.append((begun.problem, made))
    found, stats.failures = grade(drawn, rubric, grading)
    check_budget(stats.failures, len(found), grading.failure_budget)
    rubric.check()
    rest = iter(found)
    groups = [Group(begun.problem, tuple(islice(rest, len(begun.rollouts)))) for begun in ended]
    stats.seconds = time.monotonic() - start
    return groups, stats


def repeats(tokens: Sequence[int], *, period: int, times: int) -> bool:
    """Whether a text ends in one passage of at most `period` tokens, `times` times in a row.

    Example:
        repeats([9, 1, 2, 1, 2, 1, 2], period=4, times=3) is True
    """
    for length in range(1, period + 1):
        tail = tokens[-length * times :]
        if len(tail) == length * times and all(tail[i] == tail[i - length] for i in range(length, len(tail))):
            return True
    return False

"""Rollouts written ahead: those of step k + s are written, by the policy of before step k's update, while step k is trained.

    staleness 0   write 1 | train 1 | write 2 | train 2 | ...
    staleness 1   write 1 | train 1 | train 2 | train 3 ...      each row was drawn by a policy at most s updates older
                          | write 2 | write 3 | write 4 ...      than the newest that could have drawn it

What waits is part of the run state: its tokens, log-probs and the version that drew them, for the weights of that version are
gone when a run goes on. It is graded again then, so a resume is exact where graders say the same of the same text again, as
verifiers do.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from sanmai.cluster.samplers import Cluster
from sanmai.learn.step_rollouts import StepRollouts, Written
from sanmai.policies.text import drawing
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import Completion, Request
from sanmai.rewards.rubric import Rubric
from sanmai.rollout.engine import GradingConfig, RolloutStats, check_budget, grade
from sanmai.train.runs import Run
from sanmai.types import Drawn, Group, InputError, Problem, StopReason

_NAME = "written_ahead"


class Ahead:
    """Gives each step its groups, and lets those of later ones be written meanwhile; without staleness it does nothing else.

    All but the writing is of the thread that trains.
    """

    def __init__(
        self, run: Run, cluster: Cluster, rollouts: StepRollouts, rubric: Rubric, grading: GradingConfig, *, num_steps: int
    ) -> None:
        self._run, self._cluster, self._rollouts, self._rubric = run, cluster, rollouts, rubric
        self._grading, self._num_steps, self._staleness = grading, num_steps, cluster.config.staleness
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._begun: dict[int, tuple[int, Future[tuple[Written, float]]]] = {}
        """By step: the version that writes it, and its groups with the seconds that they took."""

    def write(self, policy: TextPolicy, step: int) -> Written:
        """The groups of a step, counted from 1. Those of later steps are begun, with the weights that the policy has now."""
        if not self._staleness:
            return self._rollouts.write(policy, self._rubric, step)
        self._begin(policy, step, step - 1)
        version, future = self._begun[step]
        start = time.monotonic()
        written, seconds = future.result()
        del self._begun[step]
        self._run.event(
            "written_ahead", step=step, version=version, seconds=round(seconds, 4), waited=round(time.monotonic() - start, 4)
        )
        for later in range(step + 1, min(step + self._staleness, self._num_steps) + 1):
            self._begin(policy, later, step - 1)
        return written

    def settle(self) -> None:
        """Wait for what is being written: who samples and grades in between has samplers and graders to itself."""
        for _, future in self._begun.values():
            future.result()

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    @property
    def num_waiting(self) -> int:
        """Rollouts that have been written and not trained on."""
        self.settle()
        return sum(len(g.rollouts) for _, future in self._begun.values() for g in future.result()[0].groups)

    def state(self) -> dict[str, Tensor]:
        """For the run state, once all that was begun is written; nothing where nothing waits."""
        waiting = [
            {"step": step, "version": version, "groups": [_group_json(g) for g in future.result()[0].groups]}
            for step, (version, future) in sorted(self._begun.items())
        ]
        return {_NAME: torch.tensor(list(json.dumps(waiting).encode()), dtype=torch.uint8)} if waiting else {}

    def restore(self, policy: TextPolicy, state: Mapping[str, Tensor], problems: Sequence[Problem]) -> None:
        """What waited as `state` gave it; it is graded in the background.

        Raises:
            InputError: it is of a problem that is not among these.
        """
        known = {problem.id: problem for problem in problems}
        for waiting in json.loads(bytes(state[_NAME].tolist())) if _NAME in state else ():
            for group in waiting["groups"]:
                if group["problem"] not in known:
                    raise InputError(
                        f"the run state holds rollouts of problem {group['problem']!r}, which is not trained on now"
                    )
            future = self._thread.submit(self._graded, policy, waiting, known)
            self._begun[waiting["step"]] = (waiting["version"], future)

    def _begin(self, policy: TextPolicy, step: int, version: int) -> None:
        if step in self._begun:
            return
        samplers = self._cluster.samplers
        assert samplers is not None
        publication, asked = samplers.publish(), _Asked(policy)

        def write() -> tuple[Written, float]:
            start = time.monotonic()
            with samplers.holding(publication):
                written = self._rollouts.write(asked, self._rubric, step, version=version)  # ty: ignore[invalid-argument-type]
            return written, time.monotonic() - start

        self._begun[step] = (version, self._thread.submit(write))

    def _graded(self, policy: TextPolicy, waiting: dict[str, Any], known: Mapping[str, Problem]) -> tuple[Written, float]:
        """A step's groups of the run state, graded as they were when they were written."""
        start, drawn, sizes = time.monotonic(), [], []
        tags = self._grading.thought_tags
        for group in waiting["groups"]:
            problem, request = known[group["problem"]], Request(group["prompt"], [], images=known[group["problem"]].images)
            sizes.append((problem, len(group["rollouts"])))
            for number, (tokens, logp, reason) in enumerate(group["rollouts"]):
                done = Completion(0, number, tokens, logp, StopReason(reason))
                drawn.append((problem, drawing.completed(policy, problem, request, done, waiting["version"], tags)))
        found, failures = grade(drawn, self._rubric, self._grading)
        check_budget(failures, len(found), self._grading.failure_budget)
        self._rubric.check()
        rest = iter(found)
        groups = [Group(problem, tuple(islice(rest, size))) for problem, size in sizes]
        prompts, sampled = (g.rollouts[0].prompt_tokens for g in groups), (r.length for g in groups for r in g.rollouts)
        stats = RolloutStats(0.0, sum(map(len, prompts)), sum(sampled), failures)
        return Written(groups, stats), time.monotonic() - start


class _Asked:
    """A policy as those see it who only want completions of it, while another thread trains it: nothing of it is let go of."""

    def __init__(self, policy: TextPolicy) -> None:
        self.tokenizer, self.vision, self.sampler = policy.tokenizer, policy.vision, policy.sampler

    def draw(self, problems: Sequence[Problem], count: int, **named: Any) -> Iterator[tuple[int, Drawn]]:
        return drawing.draw(self, problems, count, **named)  # ty: ignore[invalid-argument-type]

    def end_phase(self) -> None:
        pass


def _group_json(group: Group[Any]) -> dict[str, Any]:
    rollouts = [[r.completion_tokens, r.sampling_logp, str(r.stop_reason)] for r in group.rollouts]
    return {"problem": group.problem.id, "prompt": group.rollouts[0].prompt_tokens, "rollouts": rollouts}

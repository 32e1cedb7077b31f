"""From problems to graded groups: in order, bounded, and with failures as data (laws 4, 7, 8)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rollouts import paid
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.rollout.engine import GradingConfig, RolloutStats, check_budget, grade, rollout
from sanmai.types import Drawn, Graded, Group, Problem, RunError, StopReason, Trace, Verdict
from tiny_models import random_policy

PROMPTS = {"a": "what is 3 ?", "b": "7", "c": "plus plus"}
PROBLEMS = [Problem(name, ({"role": "user", "content": text},)) for name, text in PROMPTS.items()]
TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% endfor %}"


class Fake:
    """A rubric that grades by a function of problem and text."""

    def __init__(self, score: Callable[[Problem, Trace], float | None]) -> None:
        self.score = score

    def grade(self, problem: Problem, drawn: Drawn) -> Graded:
        assert drawn.trace is not None
        score = self.score(problem, drawn.trace)
        return drawn.graded({"accuracy": Verdict(score, "fake")}, **paid(score))

    def grade_together(self, rollouts: Sequence[tuple[Problem, Graded]]) -> list[Graded]:
        """It has no grader that takes many completions at once."""
        return [r for _, r in rollouts]

    def check(self) -> None:
        """It has no custom reward that could give nothing."""


def stopping_policy(template: str = TEMPLATE) -> TextPolicy:
    policy = random_policy()
    policy.tokenizer.chat_template = template
    policy.stop_tokens = tuple(range(1, 300, 20))
    return policy


def run(
    policy: TextPolicy, rubric: Any, *, problems: Sequence[Problem] = PROBLEMS, **grading: Any
) -> tuple[list[Group[Graded]], RolloutStats]:
    return rollout(
        policy, problems, rubric, rollouts_per_prompt=4, seed=(0, 1), policy_version=7,
        sampling=SamplingConfig(max_tokens=20), grading=GradingConfig(**{"workers": 2, **grading}))


def test_groups_come_in_the_order_of_the_problems_with_every_rollout_graded():
    policy = stopping_policy()
    groups, stats = run(policy, Fake(lambda problem, trace: float(len(trace.text))))
    assert [g.problem for g in groups] == PROBLEMS and [[r.sample for r in g.rollouts] for g in groups] == [[0, 1, 2, 3]] * 3
    for group in groups:
        for r in group.rollouts:
            assert (r.problem_id, r.policy_version, r.failure) == (group.problem.id, 7, None)
            assert r.prompt_tokens == policy.tokenizer.encode(group.problem.prompt)
            assert r.reward == r.verdicts["accuracy"].score == len(r.text) and len(r.sampling_logp) == len(r.completion_tokens)
    prompts = sum(len(policy.tokenizer.encode(p.prompt)) for p in PROBLEMS)
    sampled = sum(len(r.completion_tokens) for g in groups for r in g.rollouts)
    assert stats.metrics() == {"tokens/prompt": prompts, "tokens/sampled": sampled} and stats.failures == {}


def test_the_text_is_the_completion_without_its_stop_token_and_is_marked_when_it_was_cut_off():
    policy = stopping_policy()
    groups, _ = run(policy, Fake(lambda problem, trace: 1.0))
    rollouts = [r for g in groups for r in g.rollouts]
    assert {r.stop_reason for r in rollouts} == {StopReason.STOP, StopReason.LENGTH}
    for r in rollouts:
        is_cut = r.stop_reason is StopReason.LENGTH
        assert r.text == policy.tokenizer.decode(r.completion_tokens if is_cut else r.completion_tokens[:-1])
        assert r.trace is not None and r.trace.text == r.text and r.trace.is_truncated == is_cut


def test_a_completion_of_a_prompt_that_opens_the_thought_starts_inside_it():
    groups, _ = run(stopping_policy(TEMPLATE + "<think>"), Fake(lambda problem, trace: 1.0))
    assert all(r.trace is not None and r.trace.state in ("unclosed", "no_open_tag") for g in groups for r in g.rollouts)


def test_other_problems_and_their_order_change_no_rollout():
    policy, rubric = stopping_policy(), Fake(lambda problem, trace: 1.0)
    expected = {g.problem.id: [r.completion_tokens for r in g.rollouts] for g in run(policy, rubric)[0]}
    for problems in (PROBLEMS[::-1], PROBLEMS[1:2]):
        for group in run(policy, rubric, problems=problems)[0]:
            assert [r.completion_tokens for r in group.rollouts] == expected[group.problem.id]


def test_ungradable_is_no_failure():
    groups, stats = run(stopping_policy(), Fake(lambda problem, trace: None), failure_budget=0.0)
    assert {(r.reward, r.failure) for g in groups for r in g.rollouts} == {(None, None)} and stats.failures == {}


def broken_for_b(problem: Problem, trace: Trace) -> float:
    if problem.id == "b":
        raise KeyError("no such column")
    return 1.0


def test_a_broken_grader_is_counted_and_typed_and_leaves_the_others_graded():
    groups, stats = run(stopping_policy(), Fake(broken_for_b), failure_budget=4 / 12)
    assert stats.failures == {"KeyError: 'no such column'": 4}
    assert [[r.failure is not None for r in g.rollouts] for g in groups] == [[False] * 4, [True] * 4, [False] * 4]
    assert {r.reward for r in groups[1].rollouts} == {None} and {r.reward for r in groups[0].rollouts} == {1.0}


def test_more_failures_than_the_budget_stop_the_run_with_the_commonest_reason():
    with pytest.raises(RunError, match=r"4 of 12 rollouts .*failure_budget = 0.3.*KeyError: 'no such column'"):
        run(stopping_policy(), Fake(broken_for_b), failure_budget=0.3)


def test_failures_are_counted_among_all_rollouts_even_those_that_the_time_limit_left_ungraded():
    drawn = [d for _, d in stopping_policy().draw(
        PROBLEMS[:1], 10, seed=(0,), version=0, sampling=SamplingConfig(max_tokens=20), thought_tags=("<think>", "</think>"))]
    late = [replace(d, stop_reason=StopReason.TIMEOUT, trace=None) for d in drawn[:6]]
    asked = [(replace(PROBLEMS[0], id="b" if k == 6 else "a"), d) for k, d in enumerate([*late, *drawn[6:]])]
    found, failures = grade(asked, Fake(broken_for_b), GradingConfig(failure_budget=0.2))
    check_budget(failures, len(found), 0.2)
    assert [r.reward for r in found] == [None] * 7 + [1.0] * 3


def test_what_was_not_waited_for_says_so():
    drawn = [d for _, d in stopping_policy().draw(
        PROBLEMS[1:2], 4, seed=(0,), version=0, sampling=SamplingConfig(max_tokens=20), thought_tags=("<think>", "</think>"))]
    found, failures = grade([(PROBLEMS[1], d) for d in drawn], Fake(broken_for_b), GradingConfig(failure_budget=0.25))
    assert sum(failures.values()) == 2 and all("failure_budget" in (r.failure or "") for r in found[2:])


def test_a_grader_that_hangs_is_left_behind_and_its_late_word_changes_nothing():
    release, hung = threading.Event(), []

    def score(problem: Problem, trace: Trace) -> float:
        if problem.id == "a":
            hung.append(threading.current_thread())
            release.wait(30)
        return 1.0

    start = time.monotonic()
    groups, stats = run(stopping_policy(), Fake(score), timeout_seconds=0.3, failure_budget=0.5)
    assert time.monotonic() - start < 15 and len(hung) == 4  # both places were taken twice by a grader that hangs
    assert stats.failures == {"TimeoutError: grading took more than 0.3 s": 4}
    release.set()
    for thread in hung:
        thread.join(10)
        assert not thread.is_alive()
    assert [{r.reward for r in g.rollouts} for g in groups] == [{None}, {1.0}, {1.0}]
    assert all(r.verdicts == {} and r.failure for r in groups[0].rollouts)


def test_no_grading_thread_outlives_its_step():
    graders = lambda: [thread for thread in threading.enumerate() if thread.name == "grader"]  # noqa: E731
    before = len(graders())
    run(stopping_policy(), Fake(lambda problem, trace: 1.0), workers=3)
    deadline = time.monotonic() + 10
    while len(graders()) > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(graders()) <= before

"""Partial rollouts: the distribution is the sampler's, nothing is lost or starved, and a step is bounded."""

from __future__ import annotations

from collections import Counter

import pytest

from sanmai.rewards.rubric import RewardsConfig, Rubric
from sanmai.rollout.engine import GradingConfig, continue_rollouts
from sanmai.rollout.partial import PartialRollouts, repeats
from sanmai.rollout.sampler import Request, SamplingConfig, sample
from sanmai.types import InputError, Problem, StopReason
from tiny_models import random_policy

CONFIG = SamplingConfig(max_tokens=20)


def problem(name: str) -> Problem:
    return Problem(name, ({"role": "user", "content": name},))


def stopping(share: float):
    policy = random_policy("qwen3")
    policy.stop_tokens = tuple(range(0, policy.vocabulary, round(1 / share)))
    return policy


def one_step(partial: PartialRollouts, policy, *, segment: int, version: int = 0) -> list:
    for done in sample(policy, partial.requests(("run",)), CONFIG, segment=segment):
        partial.add(done, version)
    return partial.take_ended()


def test_with_frozen_weights_a_rollout_says_what_it_says_in_one_piece():
    policy = stopping(1 / 15)
    partial, whole = PartialRollouts(), {}
    names = [f"p{k}" for k in range(6)]
    asked = [Request([7 + k, 8, 9], [("run", 1, name, g) for g in range(4)]) for k, name in enumerate(names)]
    for done in sample(policy, asked, CONFIG):
        whole[names[done.request], done.sample] = (done.tokens, done.stop_reason)
    for k, name in enumerate(names):
        partial.begin(problem(name), [7 + k, 8, 9], 1, 4)
    found = {}
    for _ in range(4):
        for group in one_step(partial, policy, segment=6):
            found |= {(group.problem.id, g): (r.tokens, r.stop_reason) for g, r in enumerate(group.rollouts)}
    assert found == whole and not partial.begun


def test_long_rollouts_are_neither_starved_nor_left_out_and_no_step_writes_more_than_its_share():
    policy, partial, trained = stopping(1 / 15), PartialRollouts(), Counter()
    for step in range(1, 13):
        for k in range(3):
            partial.begin(problem(f"{step}/{k}"), [7 + k, step], step, 2)
        for group in one_step(partial, policy, segment=5, version=step):
            trained[group.problem.id] += 1
            assert step - group.step < 4  # 20 tokens in parts of 5
            for r in group.rollouts:
                assert sum(count for _, count in r.segments) == len(r.tokens) == len(r.logp)
                assert all(count <= 5 for _, count in r.segments) and r.segments[0][0] == group.step
                assert [version for version, _ in r.segments] == sorted({version for version, _ in r.segments})
    begun = {group.problem.id for group in partial.begun}
    assert set(trained) | begun == {f"{s}/{k}" for s in range(1, 13) for k in range(3)} and set(trained.values()) == {1}


def test_the_run_state_holds_all_that_was_written():
    policy, partial = stopping(1 / 15), PartialRollouts()
    problems = [problem(f"p{k}") for k in range(4)]
    for k, p in enumerate(problems):
        partial.begin(p, [7 + k, 8], 1, 3)
    one_step(partial, policy, segment=5)
    other = PartialRollouts()
    other.restore(partial.state(), problems)
    assert other.begun == partial.begun and other.num_waiting == partial.num_waiting > 0
    assert one_step(other, policy, segment=5) == one_step(partial, policy, segment=5)
    assert PartialRollouts().state() == {}
    waiting = partial.begun[0].problem
    with pytest.raises(InputError, match=f"'{waiting.id}', which is not trained on now"):
        PartialRollouts().restore(partial.state(), [p for p in problems if p is not waiting])


@pytest.mark.parametrize(("tokens", "is_repeated"), [
    ([9, 1, 2, 1, 2, 1, 2], True), ([1, 2, 1, 2], False), ([5, 5, 5], True), ([1, 2, 3, 4, 5] * 3, False),
    ([], False), ([1, 2, 1, 2, 1, 2, 3], False),
])  # fmt: skip
def test_a_text_that_ends_in_the_same_passage_three_times_repeats(tokens, is_repeated):
    assert repeats(tokens, period=4, times=3) is is_repeated


def test_a_rollout_that_ran_out_of_time_has_ended():
    partial = PartialRollouts()
    partial.begin(problem("p"), [7], 1, 1)
    config = SamplingConfig(max_tokens=20, timeout_seconds=1e-9)
    for done in sample(stopping(1 / 99), partial.requests(("run",)), config, segment=5):
        partial.add(done, 0)
    (group,) = partial.take_ended()
    assert group.rollouts[0].stop_reason is StopReason.TIMEOUT


def test_groups_that_have_ended_come_back_graded_and_with_the_versions_that_wrote_them():
    policy, partial = stopping(1 / 15), PartialRollouts()
    for k in range(4):
        partial.begin(problem(f"p{k}"), [7 + k, 8], 1, 3)
    rubric, groups, sampled = Rubric(RewardsConfig()), [], 0
    for version in range(4):
        found, stats = continue_rollouts(
            policy, partial, rubric, seed=("run",), policy_version=version, sampling=CONFIG, grading=GradingConfig(), segment=5
        )
        groups += found
        sampled += stats.sampled_tokens
        assert stats.prompt_tokens > 0
    assert sorted(g.problem.id for g in groups) == ["p0", "p1", "p2", "p3"] and not partial.begun
    rollouts = [r for g in groups for r in g.rollouts]
    assert sampled == sum(len(r.completion_tokens) for r in rollouts) and all(r.verdicts for r in rollouts)
    long = [r for r in rollouts if len(r.completion_tokens) > 5]
    assert long and all(sum(n for _, n in r.segments) == len(r.completion_tokens) and len(r.segments) > 1 for r in long)
    assert all(not r.segments for r in rollouts if len(r.completion_tokens) <= 5)

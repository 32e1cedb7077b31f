"""Partial rollouts: the distribution is the sampler's, nothing is lost or starved, and a step is bounded."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from sanmai.policies.cores import Cores
from sanmai.policies.text import sampler
from sanmai.policies.text.sampler import Request, SamplingConfig, sample, uniforms
from sanmai.rewards.rubric import RewardsConfig, Rubric
from sanmai.rollout.engine import GradingConfig
from sanmai.rollout.partial import PartialRollouts, continue_rollouts, repeats
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


def chi_square(ours: Counter, theirs: Counter) -> float:
    """The probability of two samples at least as different from one distribution (Pearson, two rows of counts)."""
    cells = sorted(ours | theirs)
    a, b = (torch.tensor([float(counts[cell]) for cell in cells]) for counts in (ours, theirs))
    statistic = ((a * (b.sum() / a.sum()).sqrt() - b * (a.sum() / b.sum()).sqrt()).square() / (a + b)).sum()
    return torch.special.gammaincc(torch.tensor((len(cells) - 1) / 2.0), statistic / 2).item()


def test_the_chi_square_is_that_of_the_tables():
    # 10 and 20 against 20 and 10: (10 - 20)^2 / 30 in both cells, 6.667 with one degree of freedom: p = 0.0098.
    assert chi_square(Counter(a=10, b=20), Counter(a=20, b=10)) == pytest.approx(0.0098, abs=5e-5)
    # Half as many in the same shares: no difference.
    assert chi_square(Counter(a=10, b=20), Counter(a=5, b=10)) == pytest.approx(1.0)


PARTS = 5


def in_parts(policy, *, gives_up_after: int | None = None) -> Counter:
    """1,200 completions by a roller that begins ten groups of twelve in every step, and then goes on with those that wait."""
    partial, found, step = PartialRollouts(), Counter(), 0
    while step < 10 or partial.begun:
        step += 1
        for k in range(10 if step <= 10 else 0):
            partial.begin(problem(f"{step}/{k}"), [7, 8, 9], step, 12)
        for group in one_step(partial, policy, segment=PARTS):
            found.update(cell(r.tokens) for r in group.rollouts)
        if gives_up_after is not None:
            for group in partial.begun:
                group.rollouts = [r for r in group.rollouts if r.stop_reason or len(r.segments) < gives_up_after]
    return found


def cell(tokens: list[int]) -> tuple:
    """By thirds of the budget, and by the halves of the vocabulary that its first and its sixth token are in."""
    return (len(tokens) - 1) // 7, *(token < 200 for token in tokens[: PARTS + 1 : PARTS])


def test_with_frozen_weights_the_distribution_of_completions_is_that_of_whole_ones(monkeypatch):
    # Other random streams, so nothing is equal by construction. 14 cells; the level of the test is 1%.
    policy = stopping(1 / 15)
    request = Request([7, 8, 9], [("whole", k) for k in range(1200)])
    whole = Counter(cell(done.tokens) for done in sample(policy, [request], CONFIG))
    assert in_parts(policy).total() == whole.total() == 1200 and len(whole) == 14
    assert chi_square(whole, in_parts(policy)) > 0.01
    # The two mistakes that this would find: long ones are given up, and a stream that begins again with every part.
    assert chi_square(whole, in_parts(policy, gives_up_after=3)) < 1e-4
    monkeypatch.setattr("sanmai.policies.text.sampler.uniforms", lambda seed, count: np.resize(uniforms(seed, PARTS), count))
    assert chi_square(whole, in_parts(policy)) < 1e-4


def test_the_longest_step_is_bounded_when_one_prompt_is_long(monkeypatch):
    policy, draws = stopping(1 / 15), 0
    names = [f"p{k}" for k in range(40)]
    asked = [Request([7, 8, 9], [("run", 1, name, 0)]) for name in names]
    length = {names[done.request]: len(done.tokens) for done in sample(policy, asked, CONFIG)}
    long, short = next(n for n in names if length[n] == 20), [n for n in names if length[n] <= PARTS][:7]

    def counted(*args):
        nonlocal draws
        draws += 1
        return drawn(*args)

    drawn = sampler.draw
    monkeypatch.setattr(sampler, "draw", counted)
    monkeypatch.setattr(Cores, "workers", 1)
    list(sample(policy, [asked[names.index(name)] for name in (long, *short)], CONFIG))
    assert draws == 20  # whole, the step takes as long as the long one
    partial, ended, longest = PartialRollouts(), [], []
    for name in (long, *short):
        partial.begin(problem(name), [7, 8, 9], 1, 1)
    while partial.begun:
        draws = 0
        ended.append({group.problem.id for group in one_step(partial, policy, segment=PARTS)})
        longest.append(draws)
    assert longest == [PARTS] * 4 and ended == [set(short), set(), set(), {long}]  # nobody waits for it, and it is there


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

"""Who is paid for being short: worked groups, what must not matter, and the traps that the formulas have."""

from __future__ import annotations

import math
import random

import pytest

from sanmai.rewards.length_reward import (
    cosine_reward,
    kimi_length_rewards,
    length_weight,
    repetition_penalties,
    soft_overlong,
)


@pytest.mark.parametrize(
    ("lengths", "correct", "expected"),
    [
        # lambda = 0.5 - (len - 10)/20: 10 -> 0.5, 15 -> 0.25, 20 -> 0, 30 -> -0.5; wrong: min(0, lambda).
        ([10, 15, 20, 30], [True, True, True, True], [0.5, 0.25, 0.0, -0.5]),
        ([10, 15, 20, 30], [False, False, True, False], [0.0, 0.0, 0.0, -0.5]),
        ([10, 15, 20, 30], [False] * 4, [0.0, 0.0, 0.0, -0.5]),  # all wrong: nobody is above 0
        # The ungradable one of 1,000 tokens stretches nothing: lambda = 0.5 - (len - 10)/10.
        ([10, 20, 1000], [True, True, None], [0.5, -0.5, None]),
        ([7, 7, 7], [True, False, True], [0.0, 0.0, 0.0]),
        ([7, 7, 9], [True, False, None], [0.0, 0.0, None]),  # equal among the graded
        ([3], [True], [0.0]),
        ([3, 9], [None, None], [None, None]),
        ([], [], []),
        ([0, 4], [True, True], [0.5, -0.5]),
    ],
)
def test_kimis_length_reward_of_worked_groups(lengths, correct, expected):
    assert kimi_length_rewards(lengths, correct) == expected


def test_scale_offset_and_order_of_the_lengths_do_not_matter():
    chance = random.Random(0)
    for _ in range(200):
        lengths = [chance.randrange(1, 500) for _ in range(chance.randrange(1, 9))]
        correct = [chance.choice([True, False, None]) for _ in lengths]
        rewards = kimi_length_rewards(lengths, correct)
        for changed in ([7 * n for n in lengths], [n + 1000 for n in lengths]):
            assert kimi_length_rewards(changed, correct) == [r if r is None else pytest.approx(r) for r in rewards]
        order = chance.sample(range(len(lengths)), len(lengths))
        assert kimi_length_rewards([lengths[i] for i in order], [correct[i] for i in order]) == [rewards[i] for i in order]
        given = [r for r in rewards if r is not None]
        assert all(-0.5 <= r <= 0.5 for r in given)
        assert all(r <= 0 for r, right in zip(rewards, correct, strict=True) if right is False)


def test_one_token_earns_as_much_as_ten_thousand():
    assert kimi_length_rewards([100, 101], [True, True]) == kimi_length_rewards([100, 10_100], [True, True]) == [0.5, -0.5]


def test_below_a_weight_of_two_no_wrong_answer_beats_a_right_one_of_its_group():
    # The longest, right: 1 - 0.5 w; the shortest, wrong: 0. They meet at w = 2.
    long_right, short_wrong = kimi_length_rewards([90, 10], [True, False])
    assert (long_right, short_wrong) == (-0.5, 0.0)
    assert 1 + 1.99 * long_right > 1.99 * short_wrong and 1 + 2 * long_right == 0


def test_the_weight_is_off_then_constant_and_rises_only_where_asked_to():
    # 10 steps, 0.3 without; ramp 0.4: steps 4 to 7 at 1/4, 2/4, 3/4, 4/4 of 0.8.
    at_once = [length_weight(step, 10, weight=0.8, warmup=0.3) for step in range(1, 11)]
    assert at_once == [0, 0, 0, *[0.8] * 7]
    gradual = [length_weight(step, 10, weight=0.8, warmup=0.3, ramp=0.4) for step in range(1, 11)]
    assert gradual == pytest.approx([0, 0, 0, 0.2, 0.4, 0.6, 0.8, 0.8, 0.8, 0.8])
    assert {length_weight(step, 10, weight=1, warmup=1) for step in range(1, 11)} == {0.0}
    assert length_weight(1, 10, weight=1, warmup=0) == 1.0


def test_a_share_that_is_no_binary_fraction_ends_with_its_step():
    # 0.29 * 100 = 28.999999999999996 and 0.07 * 100 = 7.000000000000001
    for share, last in ((0.29, 29), (0.07, 7)):
        weights = [length_weight(step, 100, weight=1, warmup=share, ramp=0.01) for step in (last, last + 1)]
        assert weights == pytest.approx([0.0, 1.0])


def test_the_cosine_reward_at_its_ends_and_halfway():
    # cos(pi/2) = 0: halfway is the mean, (2 + 1)/2 and (-10 + 0)/2. At a third cos = 1/2: 1 + 1 * 1.5/2 = 1.75.
    assert [cosine_reward(n, True, max_length=300) for n in (0, 100, 150)] == pytest.approx([2.0, 1.75, 1.5])
    assert [cosine_reward(n, False, max_length=300) for n in (0, 100, 150)] == pytest.approx([-10.0, -7.5, -5.0])
    assert [cosine_reward(n, True, max_length=300) for n in (299, 300, 400)] == [pytest.approx(1.0, abs=1e-4), -10.0, -10.0]
    assert cosine_reward(300, False, max_length=300, exceeded=-3.0) == -3.0
    assert cosine_reward(290, True, max_length=300, margin=10) == -10.0
    assert cosine_reward(289, True, max_length=300, margin=10) > 1
    assert cosine_reward(300, None, max_length=300) is None


def test_a_right_answer_earns_more_when_short_and_a_wrong_one_when_long():
    right, wrong = ([cosine_reward(n, is_right, max_length=64) for n in range(64)] for is_right in (True, False))
    assert right == sorted(right, reverse=True) and wrong == sorted(wrong) and min(right) > max(wrong)
    assert [cosine_reward(n, True, max_length=6400) for n in range(0, 6400, 100)] == pytest.approx(right), "only the share counts"


def test_the_cosine_reward_is_that_of_trl():
    pytest.importorskip("trl")
    from trl.rewards import get_cosine_scaled_reward

    theirs = get_cosine_scaled_reward(max_len=50)
    for text, is_right in ((r"\boxed{5}", True), (r"\boxed{6}", False)):
        lengths = [0, 1, 17, 49]
        expected = theirs([[{"content": text}]] * 4, ["$5$"] * 4, [[0] * n for n in lengths])
        ours = [cosine_reward(n, is_right, max_length=50, correct=(1.0, 0.5), wrong=(-1.0, -0.5)) for n in lengths]
        assert ours == pytest.approx(expected)


def test_the_soft_penalty_of_what_is_overlong_at_its_corners_and_between():
    # L_max 100, the last 20 of it: 0 up to 80, (80 - 90)/20 = -0.5 at 90, (80 - 85)/20 = -0.25 at 85, -1 from 100 on.
    found = [soft_overlong(n, max_length=100, cache=20) for n in (0, 80, 85, 90, 100, 101, 1000)]
    assert found == [0.0, 0.0, -0.25, -0.5, -1.0, -1.0, -1.0]
    assert [soft_overlong(n, max_length=4, cache=4) for n in range(6)] == [0.0, -0.25, -0.5, -0.75, -1.0, -1.0]


def test_the_soft_penalty_of_what_is_overlong_is_that_of_trl():
    pytest.importorskip("trl")
    from trl.rewards import get_soft_overlong_punishment

    theirs = get_soft_overlong_punishment(50, 7)([[0] * n for n in range(60)])
    assert [soft_overlong(n, max_length=50, cache=7) for n in range(60)] == pytest.approx(theirs)


def test_tokens_of_later_occurrences_are_penalised_once_each():
    # 3-grams of 1 2 3 1 2 3 1: 123 231 312 | 123 again at 3, 231 again at 4: tokens 3, 4, 5 and 4, 5, 6.
    assert repetition_penalties([1, 2, 3, 1, 2, 3, 1], ngram=3, penalty=-0.5) == [0, 0, 0, -0.5, -0.5, -0.5, -0.5]
    # 1 1 1 1 with 2-grams: 11 at 0, again at 1 and 2.
    assert repetition_penalties([1, 1, 1, 1], ngram=2, penalty=-1.0) == [0, -1, -1, -1]
    assert repetition_penalties([4, 5, 9, 4, 5, 8], ngram=2, penalty=-1.0) == [0, 0, 0, -1, -1, 0]
    assert repetition_penalties([1, 2], ngram=3) == [0.0, 0.0] and repetition_penalties([]) == []
    assert repetition_penalties([5, 5], ngram=1, penalty=-1.0) == [0, -1]


def slow_penalties(tokens, ngram, penalty):
    """Each token: is there an n-gram over it that equals one which begins earlier?"""
    grams = [tokens[k : k + ngram] for k in range(len(tokens) - ngram + 1)]
    bad = {k + j for k, gram in enumerate(grams) if gram in grams[:k] for j in range(ngram)}
    return [penalty if k in bad else 0.0 for k in range(len(tokens))]


def test_penalties_agree_with_asking_for_every_token():
    chance = random.Random(1)
    for _ in range(300):
        tokens = [chance.randrange(3) for _ in range(chance.randrange(40))]
        ngram = chance.randrange(1, 6)
        found = repetition_penalties(tokens, ngram=ngram, penalty=-0.1)
        assert found == slow_penalties(tokens, ngram, -0.1)
        renamed = [{0: 9, 1: 4, 2: 7}[t] for t in tokens]
        assert repetition_penalties(renamed, ngram=ngram, penalty=-0.1) == found


def test_a_wrong_answer_that_pads_itself_by_a_loop_gains_by_the_cosine_alone_and_loses_with_the_penalty():
    # The hack that the paper reports: 600 tokens of loop after 100 of text lift a wrong answer by 7.7.
    honest, hack = list(range(100)), list(range(100)) + list(range(30)) * 20
    cosine = [cosine_reward(len(tokens), False, max_length=1000) for tokens in (honest, hack)]
    # -10 (1 + cos(0.1 pi))/2 = -9.755, -10 (1 + cos(0.7 pi))/2 = -2.061
    assert cosine == pytest.approx([-9.755, -2.061], abs=1e-3)
    both = [c + sum(repetition_penalties(tokens)) for c, tokens in zip(cosine, (honest, hack), strict=True)]
    assert both[0] == cosine[0] and both[1] < both[0]


@pytest.mark.parametrize(("call", "named"), [
    (lambda: kimi_length_rewards([1], [True, False]), "1 lengths and 2 findings"),
    (lambda: kimi_length_rewards([-1], [True]), "-1 is below 0"),
    (lambda: length_weight(0, 9, weight=1, warmup=0), "step = 0"),
    (lambda: length_weight(10, 9, weight=1, warmup=0), "step = 10"),
    (lambda: length_weight(1, 9, weight=1, warmup=1.1), "warmup = 1.1"),
    (lambda: length_weight(1, 9, weight=1, warmup=0, ramp=-0.1), "ramp = -0.1"),
    (lambda: length_weight(1, 9, weight=-1, warmup=0), "weight = -1"),
    (lambda: length_weight(1, 9, weight=math.nan, warmup=0), "weight = nan"),
    (lambda: cosine_reward(-1, True, max_length=9), "length = -1"),
    (lambda: cosine_reward(1, True, max_length=0), "max_length = 0"),
    (lambda: cosine_reward(1, True, max_length=9, wrong=(-1, 1)), "every right answer"),
    (lambda: soft_overlong(-1, max_length=9, cache=3), "length = -1"),
    (lambda: soft_overlong(1, max_length=9, cache=10), "cache = 10"),
    (lambda: repetition_penalties([1], ngram=0), "ngram = 0"),
    (lambda: repetition_penalties([1], penalty=0.1), "penalty = 0.1"),
    (lambda: repetition_penalties([1], penalty=math.nan), "penalty = nan"),
])  # fmt: skip
def test_what_cannot_be_is_refused_by_name(call, named):
    with pytest.raises(ValueError, match=named):
        call()

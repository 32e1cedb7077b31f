"""Intervals and tests against closed forms, published tables and plain loops."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from sanmai import stats
from sanmai.stats import Rate, paired_difference, rate, wilson


def test_wilson_agrees_with_numbers_worked_by_hand():
    # p = 0.5, n = 100, z^2 = 3.8415: center 0.5; half = 1.96 sqrt(0.0025 + 0.0000960) / 1.0384 = 0.0962
    assert wilson(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    # 0 of 40: high = z^2 / (n + z^2) = 3.8415 / 43.8415 = 0.0876
    assert wilson(0, 40) == (0.0, pytest.approx(0.0876, abs=1e-4))
    assert wilson(40, 40) == (pytest.approx(1 - 0.0876, abs=1e-4), 1.0)
    assert wilson(0, 0) == (0.0, 1.0)


def test_wilson_bounds_are_the_proportions_whose_own_normal_test_just_rejects():
    # Oracle: the bounds solve |p - P| = z sqrt(P (1 - P) / n).
    for bound in wilson(7.5, 31, confidence=0.9):
        z = 1.6448536269514722
        assert abs(7.5 / 31 - bound) == pytest.approx(z * math.sqrt(bound * (1 - bound) / 31))


def test_wilson_refuses_what_is_no_share():
    with pytest.raises(ValueError, match="successes = 5"):
        wilson(5, 4)
    with pytest.raises(ValueError, match="confidence = 95"):
        wilson(1, 4, confidence=95)


def test_pass_at_k_counts_the_draws_that_hold_a_right_sample():
    for n, c, k in [(5, 2, 3), (6, 1, 1), (4, 4, 2), (4, 0, 4), (7, 3, 6)]:
        draws = list(itertools.combinations(range(n), k))
        assert stats.pass_at_k(n, c, k) == pytest.approx(sum(min(draw) < c for draw in draws) / len(draws))
    with pytest.raises(ValueError, match="k = 5"):
        stats.pass_at_k(4, 1, 5)


@pytest.mark.parametrize(
    ("df", "expected"),
    [(1, 12.7062), (2, 4.30265), (3, 3.18245), (4, 2.77645), (9, 2.26216), (10, 2.22814), (120, 1.97993)],
)
def test_t_quantiles_are_those_of_the_tables(df, expected):
    assert stats._t_quantile(0.95, df) == pytest.approx(expected, abs=6e-5)


def test_an_interval_without_clusters_is_the_textbook_t_interval():
    # Mean 3, sample deviation sqrt(2.5), n = 5: half = 2.77645 * sqrt(2.5 / 5) = 1.96324
    assert stats.clustered_interval([1, 2, 3, 4, 5]) == pytest.approx((3 - 1.96324, 3 + 1.96324), abs=1e-4)


def test_copies_of_a_sample_add_nothing_once_they_are_one_cluster():
    values = [0.0, 1.0, 1.0, 0.0, 1.0, 1.0]
    copied = [value for value in values for _ in range(4)]
    problems = [i for i in range(6) for _ in range(4)]
    assert stats.clustered_interval(copied, problems) == pytest.approx(stats.clustered_interval(values))
    assert rate(copied, problems).n == 6


def test_one_cluster_says_nothing_about_the_spread():
    assert stats.clustered_interval([1.0, 0.0], ["p", "p"]) == (-math.inf, math.inf)
    assert stats.bootstrap_interval([1.0]) == (-math.inf, math.inf)


def test_a_rate_takes_the_interval_that_suits_its_scores():
    assert rate([1, 0, 1, 1]) == Rate(0.75, *wilson(3, 4), 4)
    assert rate([0.0] * 40, [i // 4 for i in range(40)]) == Rate(0.0, *wilson(0, 10), 10)
    low, high = stats.clustered_interval([1, 1, 0, 1, 0, 0], "aabbcc")
    assert rate([1, 1, 0, 1, 0, 0], "aabbcc") == Rate(0.5, max(0.0, low), min(1.0, high), 3)
    assert rate([]).n == 0 and str(rate([])) == "no data, n = 0"
    assert str(Rate(0.625, 0.556, 0.689, 200)) == "62.5 % [55.6, 68.9], n = 200"


def test_one_event_bounds_a_rate_no_lower_than_none_does():
    prompts = [i // 4 for i in range(160)]
    bounds = [rate([1.0] * k + [0.0] * (160 - k), prompts).high for k in range(5)]  # all in the first prompt
    assert bounds[0] == wilson(0, 40)[1] and all(bound > 0.98 * bounds[0] for bound in bounds[1:])
    # One prompt in forty, k = 1, all four samples: D_hat = SE^2 N / (p (1 - p)) = 4 m/(m-1), so 4 as N/m; D = 4, n = 40.
    assert bounds[4] == pytest.approx(max(wilson(1, 40)[1], stats.clustered_interval([1.0] * 4 + [0.0] * 156, prompts)[1]))
    same = [0.0] * 160
    changed = paired_difference(same, [1.0, *same[1:]], prompts)
    unchanged = paired_difference(same, same, prompts)
    assert changed.high > 0.98 * unchanged.high and changed.low < 0 < changed.value


def test_rare_events_are_inside_their_interval_as_often_as_it_says():
    chance = random.Random(0)
    settings = [(40, 4, 0.05, 0.5), (100, 2, 0.02, 0.5), (40, 4, 1.0, 0.01), (60, 2, 0.1, 1.0)]
    for num_prompts, samples, share, harm in settings:
        prompts = [i // samples for i in range(num_prompts * samples)]
        missed = 0
        for _ in range(200):
            hard = [harm if chance.random() < share else 0.0 for _ in range(num_prompts)]
            found = rate([float(chance.random() < hard[prompt]) for prompt in prompts], prompts)
            missed += not found.low <= share * harm <= found.high
        assert missed <= 14  # 5 % of 200 and two deviations; Student's t alone misses 12 to 50


def test_the_bootstrap_of_many_values_is_the_normal_interval_and_is_seeded():
    values = [float(i % 2) for i in range(400)]
    low, high = stats.bootstrap_interval(values, seed=3)
    assert (low, high) == pytest.approx((0.5 - 1.96 * 0.025, 0.5 + 1.96 * 0.025), abs=0.006)
    assert (low, high) == stats.bootstrap_interval(values, seed=3)
    by_pairs = stats.bootstrap_interval([v for v in values for _ in range(2)], [i // 2 for i in range(800)], seed=3)
    assert by_pairs == pytest.approx((low, high))


def test_newcombe_interval_of_a_paired_difference_is_the_one_worked_by_hand():
    # 36 right twice, 12 only before, 2 only after: p = 48/50, q = 38/50, d = -0.2,
    # phi = (36/50 - p q) / sqrt(p (1-p) q (1-q)) = -0.0096 / 0.0837 = -0.1147.
    before = [1] * 36 + [1] * 12 + [0] * 2
    after = [1] * 36 + [0] * 12 + [1] * 2
    result = paired_difference(before, after)
    assert result.value == pytest.approx(-0.2) and result.n == 50
    # Wilson 48/50 = (.8654, .9890), 38/50 = (.6259, .8570).
    # low = -.2 - sqrt(.1341^2 + 2(.1147)(.1341)(.0290) + .0290^2) = -.3404
    # high = -.2 + sqrt(.0970^2 + 2(.1147)(.0970)(.0946) + .0946^2) = -.0569
    assert (result.low, result.high) == pytest.approx((-0.3404, -0.0569), abs=5e-4)
    assert result.sign == -1


def test_a_change_of_every_item_keeps_a_width():
    everything = paired_difference([0] * 5, [1] * 5)
    assert everything.low == pytest.approx(1 - math.hypot(1 - wilson(5, 5)[0], wilson(0, 5)[1]))
    nothing = paired_difference([1] * 5, [1] * 5)
    assert nothing.value == 0 and nothing.low < 0 < nothing.high and nothing.sign == 0


def test_differences_of_fractions_are_the_t_interval_of_the_changes():
    before, after = [0.25, 0.5, 0.5, 1.0], [0.5, 0.5, 1.0, 1.0]
    assert (lambda d: (d.low, d.high))(paired_difference(before, after)) == stats.clustered_interval([0.25, 0, 0.5, 0])
    with pytest.raises(ValueError, match="before has 1"):
        paired_difference([1], [1, 0])
    assert paired_difference([], []).n == 0


def test_paired_intervals_cover_the_truth_as_often_as_they_say():
    generator = random.Random(1)
    covered = 0
    for _ in range(400):
        pairs = [(generator.random() < 0.3, generator.random()) for _ in range(60)]
        before = [int(x) for x, _ in pairs]
        after = [int(u < (0.8 if x else 0.4)) for x, u in pairs]  # mean 0.52, so the difference is 0.22
        result = paired_difference(before, after)
        covered += result.low <= 0.22 <= result.high
    assert 0.92 <= covered / 400 <= 0.985


def test_holm_multiplies_by_what_is_left_and_never_decreases():
    # Sorted .01 .02 .03 .04, times 4 3 2 1: .04 .06 .06 .04, made monotone: .04 .06 .06 .06
    assert stats.holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert stats.holm([]) == [] and stats.holm([0.9, 0.8]) == [1.0, 1.0]


def test_clusters_that_all_agree_leave_a_width():
    # Two problems with two samples each: 0 and 1, then 1 and 1. Student's t would say +0.5 without any doubt.
    change = paired_difference([0, 1, 0, 1], [1, 1, 1, 1], ["a", "a", "b", "b"])
    assert change.value == 0.5 and change.low < 0 < change.high and change.n == 2
    half = rate([0, 1, 0, 1], ["a", "a", "b", "b"])
    assert half.low < 0.3 and half.high > 0.7
    # Lengths have no scale to take a width from.
    assert paired_difference([10.0, 20.0], [11.0, 21.0]).low == -math.inf
    assert paired_difference([float(i) for i in range(6)], [i + 2.0 for i in range(6)]).low == 2.0  # 2^-5 is below 5 %
    fractions = paired_difference([0.90, 0.80, 0.70], [0.95, 0.85, 0.75])
    assert fractions.low < 0 < fractions.high


def test_an_independent_difference_is_welchs_interval():
    scipy_stats = pytest.importorskip("scipy.stats")
    a, b = [0.1, 2.5, 3.0, 4.4, -1.0], [5.0, 7.0, 6.5]
    found = stats.independent_difference(a, b)
    exact = scipy_stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    # The degrees of freedom are rounded down, so ours is a little wider.
    assert found.low <= exact.low and found.high >= exact.high
    assert (found.low, found.high) == (pytest.approx(exact.low, abs=0.4), pytest.approx(exact.high, abs=0.4))
    assert (found.n, found.sign) == (3, 1)


def test_an_independent_difference_of_shares_keeps_a_width_where_a_side_does_not_vary():
    # Newcombe's for 0 of 4 against 4 of 4: Wilson's bounds are [0, 0.4899] and [0.5101, 1];
    # 1 - sqrt(0.4899^2 + 0.4899^2) = 0.3072
    found = stats.independent_difference([0.0] * 4, [1.0] * 4)
    assert (found.value, found.high) == (1.0, 1.0) and found.low == pytest.approx(0.3072, abs=1e-4)


def test_an_independent_difference_counts_clusters():
    once = stats.independent_difference([0.2, 0.4], [0.6, 0.9])
    twice = stats.independent_difference([0.2, 0.2, 0.4, 0.4], [0.6, 0.6, 0.9, 0.9], [0, 0, 1, 1], [0, 0, 1, 1])
    assert twice == once


def test_the_interval_of_a_ratio_needs_the_sums_of_its_clusters_alone():
    values, clusters = [0.5, 0.25, 1.0, 2.0, 0.75, 0.5], "aabccc"
    sums = [(0.75, 2), (1.0, 1), (3.25, 3)]
    assert stats.ratio_interval(sums) == pytest.approx(stats.clustered_interval(values, clusters))
    assert stats.ratio_interval(sums[:1]) == (-math.inf, math.inf)

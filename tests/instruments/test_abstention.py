"""Abstaining: worked curves, thresholds from other items, and no gain from refusing everything."""

import itertools
from math import inf

import pytest

from sanmai.instruments.abstention import area_under_risk, less_sure, risk_coverage, selective, threshold_for


def test_risk_rises_with_coverage_and_ties_are_answered_together():
    assert risk_coverage([0.9, 0.5, 0.1], [0.0, 0.0, 1.0]) == [(1 / 3, 0.0), (2 / 3, 0.0), (1.0, 1 / 3)]
    # The two of 0.5 are answered together: at 2 of 3 there is no threshold.
    assert risk_coverage([0.9, 0.5, 0.5], [0.0, 1.0, 0.0]) == [(1 / 3, 0.0), (1.0, 1 / 3)]
    assert risk_coverage([], []) == [] and area_under_risk([], []) is None


def test_the_area_is_the_mean_loss_of_a_confidence_that_says_nothing_and_least_of_one_that_knows():
    losses = [0.0, 0.0, 1.0, 1.0]
    assert area_under_risk([0.5] * 4, losses) == pytest.approx(0.5)
    # Risks 0, 0, 1/3, 1/2 at quarters: their mean is 0.2083; backwards 1, 1, 2/3, 1/2: 0.7917
    assert area_under_risk([4, 3, 2, 1], losses) == pytest.approx(5 / 24)
    assert area_under_risk([1, 2, 3, 4], losses) == pytest.approx(19 / 24)
    every = [area_under_risk(order, losses) for order in itertools.permutations([1, 2, 3, 4])]
    assert min(every) == pytest.approx(5 / 24) and sum(every) / len(every) == pytest.approx(0.5)


@pytest.mark.parametrize(("coverage", "threshold"), [(0.0, inf), (0.2, 5.0), (0.5, 3.0), (0.6, 3.0), (0.8, 2.0), (1.0, 1.0)])
def test_the_threshold_answers_at_least_the_share_that_is_asked_for(coverage, threshold):
    assert threshold_for([3.0, 1.0, 5.0, 2.0, 4.0], coverage) == threshold


def test_what_abstaining_gains_stands_beside_what_it_costs():
    confidences, losses = [3.0, 2.0, 1.0, 3.0, 2.0, 1.0], [0.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    found = selective(confidences, losses, ["a", "a", "a", "b", "b", "b"], 2.0)
    # Answered: a 0, 0; b 0, 1. Four of six; risk 1/4 of 1/3. Of the four good ones b's last is abstained from: 1/4.
    assert (found.coverage.value, found.risk.value) == (pytest.approx(2 / 3), 0.25)
    assert (found.risk_of_all.value, found.over_abstention.value) == (pytest.approx(1 / 3), 0.25)
    # By cluster: a 0 - 1/3, b 1/2 - 1/3: mean -1/12.
    assert found.gain is not None and found.gain.value == pytest.approx(-1 / 12) and found.gain.n == 2


def test_who_abstains_from_everything_gains_nothing():
    found = selective([1.0, 2.0], [1.0, 0.0], ["a", "b"], inf)
    assert found.gain is None and found.coverage.value == 0.0 and found.risk.n == 0 and found.over_abstention.value == 1.0


def test_dressed_prompts_are_told_from_plain_ones_with_families_as_clusters():
    told = less_sure([0.1, 0.5], ["a", "b"], [0.5, 0.9])  # of four pairs three and a tie
    assert told.value == 0.875
    many = less_sure([0.1, 0.5] * 50, ["a", "b"] * 50, [0.5, 0.9])
    assert (many.value, many.low, many.high, many.n) == (0.875, told.low, told.high, 2)  # copies say nothing new
    assert less_sure([0.1], ["a"], []).n == 0

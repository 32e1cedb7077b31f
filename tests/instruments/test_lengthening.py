"""Ratios with their intervals, budgets, prices and detection, worked by hand; and a race that keeps what is long."""

from math import inf, isnan
from random import Random

import pytest

from sanmai.attack.lengthening import SENTENCES, Race, Suffix, random_suffixes
from sanmai.instruments.lengthening import budget_of, claim_outcome, detected, paired_ratio, price
from sanmai.instruments.thinking import Ratio
from sanmai.types import Problem


def test_a_ratio_is_one_of_means_over_the_same_problems():
    lengths = [10.0, 30.0] * 15
    found = paired_ratio([2 * n for n in lengths], [lengths, [1.5 * n for n in lengths]])
    # 2 x 20 over the mean of 20 and 30: 1.6; were only one of the two controls drawn, 2 or 4 / 3.
    assert (found.value, found.n, found.n_base) == (pytest.approx(1.6), 30, 2)
    assert (found.low, found.high) == (pytest.approx(4 / 3), pytest.approx(2.0))


def test_what_is_paired_has_no_width_from_the_problems():
    found = paired_ratio([2.0, 20.0, 200.0, 2000.0], [[1.0, 10.0, 100.0, 1000.0]])
    assert (found.low, found.value, found.high) == pytest.approx((2.0, 2.0, 2.0))
    lone = paired_ratio([6.0], [[2.0]])
    assert (lone.value, lone.low, lone.high) == (3.0, 0.0, inf)
    assert isnan(paired_ratio([], [[]]).value) and isnan(paired_ratio([1.0], [[0.0]]).value)
    with pytest.raises(ValueError, match="one per problem"):
        paired_ratio([1.0, 2.0], [[1.0]])


@pytest.mark.parametrize(("share", "budget"), [(0.6, 5), (0.75, 5), (0.76, 9), (1.0, 9)])
def test_the_budget_keeps_the_share_that_is_asked_for(share, budget):
    assert budget_of([3, 9, 4, 5], share) == budget


def test_a_detector_is_calibrated_on_prompts_apart():
    found = detected(list(range(20)), [0, 5, 18, 30], [19, 25, 3], most_false=0.05)
    # One of twenty may lie above: the threshold is 18, and of the attacked 19 and 25 are found.
    assert (found.threshold, found.found.value, found.false.value) == (18, pytest.approx(2 / 3), 0.25)
    with pytest.raises(ValueError, match="finite"):
        detected([], [1.0], [1.0])


def test_what_it_costs_and_what_is_claimed():
    assert price([100.0, 300.0], 2.0) == pytest.approx(0.4)  # a thousand of 200 tokens are 0.2 million
    outcomes = [claim_outcome(Ratio(1.4, low, high, 9, 9), 1.5) for low, high in ((1.2, 1.5), (1.6, 1.9), (1.3, 1.6))]
    assert outcomes == ["holds", "fails", "undecided"]


def test_a_race_finds_the_words_that_lengthen_and_random_words_are_as_many():
    pool = ["wait", "again", *(f"word{k}" for k in range(30))]
    race, rng = Race(), Random(5)
    for _ in range(30):
        for suffix in race.ask(12, rng, pool=pool, num_words=3, elites=4, sentences=False):
            race.tell(suffix, sum(word in ("wait", "again") for word in suffix.words) + rng.random())
    assert set(race.best(1)[0].words) <= {"wait", "again"}
    assert {len(suffix.words) for suffix in random_suffixes(pool, 5, 10, rng)} == {5}


def test_what_was_lucky_once_is_asked_again():
    race = Race()
    lucky, steady = Suffix(0, ("a",)), Suffix(0, ("b",))
    race.tell(lucky, 9.0)
    race.tell(steady, 5.0)
    assert race.ask(4, Random(0), pool=list("abcdefgh"), num_words=1, elites=2, sentences=False)[:2] == [lucky, steady]
    race.tell(lucky, 0.0)
    assert race.best(1) == [steady]


def test_a_suffix_stands_after_the_request_and_the_answer_stays():
    problem = Problem("p", ({"role": "user", "content": "what is 1 plus 1 ?"},), answer="2", solution="1 + 1 = 2")
    made = Suffix(4, ("wait",)).after(problem)
    assert made.prompt == f"what is 1 plus 1 ? {SENTENCES[4]} wait" and (made.answer, made.solution) == ("2", None)

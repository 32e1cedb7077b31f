"""Choosing among samples: closed forms, worked numbers and every subset counted out."""

from __future__ import annotations

from itertools import combinations, product
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sanmai.instruments.overoptimisation import best_of_n_kl
from sanmai.search.choose import (
    best,
    best_of_k_curve,
    majority_curve,
    vote,
    voted_gold,
)
from sanmai.stats import pass_at_k


def test_best_of_k_falls_where_the_guide_likes_what_is_wrong():
    # guide .2 .5 .5 .9, gold 0 1 0 0. k=1: 1/4. k=2: of 6 pairs the top is a .5 in 3 (with .2 twice, or both), worth 1/2: 1/4.
    # k=3: of 4 triples only (.2 .5 .5) has its top at .5: 1/8. k=4: the .9, worth 0.
    assert best_of_k_curve([0.2, 0.5, 0.5, 0.9], [0, 1, 0, 0]) == pytest.approx([0.25, 0.25, 0.125, 0.0])
    assert best_of_k_curve([0.9, 0.5, 0.2, 0.5], [0, 0, 0, 1]) == pytest.approx([0.25, 0.25, 0.125, 0.0])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=1, max_size=7))
def test_best_of_k_is_the_mean_over_all_subsets_and_with_an_exact_guide_pass_at_k(samples):
    guide, gold = [float(g) for g, _ in samples], [float(x) for _, x in samples]
    n = len(samples)
    for k, found in enumerate(best_of_k_curve(guide, gold), 1):
        worth = []
        for chosen in combinations(range(n), k):
            top = [chosen[i] for i in best([guide[c] for c in chosen])]
            worth.append(sum(gold[i] for i in top) / len(top))
        assert found == pytest.approx(sum(worth) / comb(n, k))
        assert best_of_k_curve(gold, gold)[k - 1] == pytest.approx(pass_at_k(n, int(sum(gold)), k))
        assert best_of_k_curve([0.5] * n, gold)[k - 1] == pytest.approx(sum(gold) / n)  # a blind guide: one sample


def test_pass_at_k_and_the_expected_maximum_are_the_worked_numbers():
    assert pass_at_k(10, 3, 5) == pytest.approx(0.916667, abs=1e-6)
    scores = [0.1, 0.4, 0.4, 0.9]
    assert best_of_k_curve(scores, scores, [2]) == pytest.approx([0.65])  # (C(1,1) .4 + C(2,1) .4 + C(3,1) .9) / 6


def test_kl_of_best_of_n_is_the_closed_form():
    assert best_of_n_kl(4) == pytest.approx(0.636294, abs=1e-6)
    assert best_of_n_kl(64) == pytest.approx(3.174508, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.integers(0, 1)), min_size=1, max_size=7))
def test_the_majority_curve_is_the_mean_over_all_subsets(samples):
    answers, n = [a for a, _ in samples], len(samples)
    worth_of = {a: sum(g for b, g in samples if b == a) / answers.count(a) for a in answers}
    gold = [worth_of[a] for a in answers]  # of one answer all samples are worth the same
    for k, found in enumerate(majority_curve(answers, gold), 1):
        values = [voted_gold([answers[i] for i in c], [gold[i] for i in c]) for c in combinations(range(n), k)]
        assert found == pytest.approx(sum(values) / comb(n, k))


def test_votes_share_ties_and_weights_of_one_are_the_majority_and_of_gold_pass_at_n():
    assert vote(["7", "8", "7", None, None, None]) == ["7"] and vote(["7", "8"]) == ["7", "8"] and vote([None]) == []
    assert vote(["8", "7", "7"], [0.9, 0.4, 0.4]) == ["8"]
    assert voted_gold(["7", "8"], [1, 0]) == 0.5 and voted_gold([None, None], [0, 0]) == 0.0
    for gold in product((0.0, 1.0), repeat=3):
        answers = [f"right" if g else f"wrong {i}" for i, g in enumerate(gold)]  # noqa: F541
        assert voted_gold(answers, gold, gold) == float(any(gold))
        assert voted_gold(answers, gold, [1.0] * 3) == voted_gold(answers, gold)
    weights = [0.1, 0.2, 0.3, 0.6]
    answers = ["a", "a", "a", "b"]  # .1 + .2 + .3 is 0.6000000000000001 in one order and .6 in another
    for order in ([0, 1, 2, 3], [2, 1, 0, 3], [3, 2, 1, 0]):
        assert sorted(vote([answers[i] for i in order], [weights[i] for i in order])) == ["a", "b"]


def test_what_cannot_be_chosen_among_is_refused():
    for call in (
        lambda: best([]), lambda: best([float("nan")]), lambda: best_of_k_curve([0.1], [1.0, 0.0]),
        lambda: best_of_k_curve([0.1], [1.0], [2]), lambda: vote(["a"], [-1.0]), lambda: majority_curve(["a"], []),
        lambda: voted_gold(["a"], []),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="expected"):
            call()


def test_the_majority_of_many_is_worth_no_more_than_its_best_answer():
    # 32 of 64 samples right, the rest spread over wrong answers: without a bound the shares sum to more than 1 by rounding.
    for right in range(20, 64, 3):
        answers = ["right"] * right + [f"wrong {k % 9}" for k in range(64 - right)]
        assert all(0 <= value <= 1 for value in majority_curve(answers, [1.0] * right + [0.0] * (64 - right)))

"""Samples by difficulty: greedy is best where an exact verifier tells."""

from __future__ import annotations

import random
from itertools import product

import pytest

from sanmai.search.allocation import allocate, best_options, cross_fitted, expected_solved, folds_of


def test_greedy_allocation_is_the_best_of_all():
    rng = random.Random(0)
    for _ in range(30):
        rates = [rng.choice([0.0, 0.05, 0.3, 0.5, 0.9, 1.0, rng.random()]) for _ in range(3)]
        total = rng.randrange(1, 9)
        best = max(expected_solved(rates, n) for n in product(range(total + 1), repeat=3) if sum(n) <= total)
        found = allocate(rates, total)
        assert sum(found) <= total and expected_solved(rates, found) == pytest.approx(best)


def test_easy_and_hopeless_problems_get_little():
    # p = .9: gains .9, .09, .009; p = .2: .2, .16, .128, .1024, .0819; p = 0: none.
    assert allocate([0.9, 0.2, 0.0], 6) == [2, 4, 0] and allocate([0.5, 0.5], 3) == [2, 1]
    assert allocate([0.9, 0.2, 0.0], 9, least=1) == [2, 6, 1] and allocate([1.0, 0.0], 5) == [1, 0]
    for wrong in ({"rates": [1.2], "total": 1}, {"rates": [0.5, 0.5], "total": 1, "least": 1}):
        with pytest.raises(ValueError, match=r"rates|total"):
            allocate(**wrong)


EASY, HARD = [f"e{k}" for k in range(6)], [f"h{k}" for k in range(6)]
EASINESS = {id_: (0.9 if id_ in EASY else 0.2) + 0.01 * k for k, id_ in enumerate([*EASY, *HARD])}


def table(few, many, beam):
    """Gold by option: few tokens solve what is easy, only a beam with many what is hard."""
    return {
        ("best_of_n", 100): {i: few if i in EASY else 0.0 for i in EASINESS},
        ("best_of_n", 400): {i: few if i in EASY else many for i in EASINESS},
        ("beam", 400): dict.fromkeys(EASINESS, beam),
    }


def test_each_difficulty_gets_what_solved_most_of_the_other_half_within_the_mean():
    gold = table(1.0, 0.5, 0.75)
    cost = {option: dict.fromkeys(EASINESS, float(option[1])) for option in gold}
    # 250 in the mean: 100 for the easy, 400 by the beam for the hard: (1 + .75) / 2. 400 for all is too dear, 100 solves half.
    found = cross_fitted(EASINESS, gold, cost, 250, 2)
    assert all(found.options[id_] == (("best_of_n", 100) if id_ in EASY else ("beam", 400)) for id_ in EASINESS)
    assert sum(gold[found.options[i]][i] for i in EASINESS) / 12 == 0.875
    assert sum(b.used_for for b in found.bins) == 12 and {b.fold for b in found.bins} == {0, 1}
    assert set(cross_fitted(EASINESS, gold, cost, 100, 2).options.values()) == {("best_of_n", 100)}
    with pytest.raises(ValueError, match="no option of every part fits"):
        cross_fitted(EASINESS, gold, cost, 99, 2)
    with pytest.raises(ValueError, match="two problems for every bin"):
        cross_fitted(EASINESS, gold, cost, 250, 7)


def test_a_problems_own_gold_has_no_part_in_what_it_gets():
    gold = table(1.0, 0.5, 0.75)
    cost = {option: dict.fromkeys(EASINESS, float(option[1])) for option in gold}
    before = cross_fitted(EASINESS, gold, cost, 250, 2).options
    first = folds_of(EASINESS)[0]
    other = {option: {i: 1 - g if i in first else g for i, g in values.items()} for option, values in gold.items()}
    after = cross_fitted(EASINESS, other, cost, 250, 2).options
    assert {i: after[i] for i in first} == {i: before[i] for i in first} and after != before


def summed(way, parts, table):
    return sum(table[option][i] for option, part in zip(way, parts, strict=True) for i in part)


def test_the_best_way_is_that_of_brute_force():
    rng = random.Random(3)
    for _ in range(30):
        ids = [str(k) for k in range(6)]
        options = [("a", t) for t in (1, 2, 4)] + [("b", t) for t in (1, 3)]
        gold = {o: {i: rng.choice([0.0, 0.5, 1.0]) for i in ids} for o in options}
        cost = {o: dict.fromkeys(ids, float(o[1])) for o in options}
        parts, tokens = [ids[:2], ids[2:4], ids[4:]], 6 * 1.7
        chosen = best_options(parts, gold, cost, tokens)
        assert summed(chosen, parts, cost) <= tokens
        every = [way for way in product(options, repeat=3) if summed(way, parts, cost) <= tokens]
        assert summed(chosen, parts, gold) == max(summed(way, parts, gold) for way in every)

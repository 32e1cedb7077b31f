"""Samples by difficulty: greedy is best where an exact verifier tells."""

from __future__ import annotations

import random
from itertools import product

import pytest

from sanmai.search.allocation import allocate, expected_solved


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

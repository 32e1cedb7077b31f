"""Values of steps by continuations, and the first error by bisection: worked numbers, and every solution of a table policy."""

from __future__ import annotations

from itertools import product
from math import ceil, log2

import pytest
import torch

from sanmai.losses import binary_cross_entropy
from sanmai.search.labels import Bisection, StepValue, labels_from_bisection, most_probes


def test_a_value_has_wilsons_interval_and_says_nothing_where_nothing_was_finished():
    worked = ((0, 8, 0, 0.3244), (1, 8, 0.0224, 0.4709), (4, 8, 0.2152, 0.7848), (8, 8, 0.6756, 1), (0, 16, 0, 0.1936))
    for c, k, low, high in worked:
        assert StepValue(c, k).interval == pytest.approx((low, high), abs=5e-5)
    assert StepValue(1, 8).label == 0.125
    nothing = StepValue(0, 0, cut_off=8)
    assert nothing.label is None and nothing.interval == (0.0, 1.0)


def test_soft_labels_lead_to_the_share_and_hard_ones_to_any():
    for labels, expected in (([1.0, 0.0, 0.0, 0.0], 0.25), ([0.25] * 4, 0.25)):
        score = torch.zeros(1, requires_grad=True)
        for _ in range(400):
            loss, _ = binary_cross_entropy(score.expand(4), torch.tensor(labels), denominator=4)
            (gradient,) = torch.autograd.grad(loss, score)
            score = (score - 4 * gradient).detach().requires_grad_()
        assert torch.sigmoid(score).item() == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("num_steps", [1, 2, 3, 4, 5, 7, 8, 13])
def test_bisection_finds_what_the_linear_search_finds_in_log2_of_the_probes(num_steps):
    for first in range(num_steps):  # wrong stays wrong: the prefix of n steps is good as long as n <= first
        search, probes = Bisection.of(num_steps), {}
        while (n := search.probe) is not None:
            assert 0 < n < num_steps and n not in probes
            probes[n] = StepValue(3 if n <= first else 0, 8)
            search = search.told(n <= first)
        linear = next(n for n in range(1, num_steps + 1) if not n <= first) - 1
        assert search.first_error == linear == first and len(probes) <= most_probes(num_steps)
        labels, counts = labels_from_bisection(num_steps, first, probes)
        assert labels == [1.0] * first + [0.0] + [None] * (num_steps - first - 1)
        assert sum(c is not None for c in counts) == len(probes)
        assert all(c == ((3, 8) if i + 1 <= first else (0, 8)) for i, c in enumerate(counts) if c)
    assert most_probes(num_steps) == (ceil(log2(num_steps)) if num_steps > 1 else 0)


def test_a_good_prefix_that_looks_bad_moves_the_error_forward_and_never_back():
    # Every pattern of what is seen of the good prefixes: the error found is at or before the true one.
    for first, seen in product(range(8), product([True, False], repeat=7)):
        search = Bisection.of(8)
        while (n := search.probe) is not None:
            search = search.told(n <= first and seen[n - 1])
        assert search.first_error is not None and search.first_error <= first


def test_a_search_of_nothing_is_refused():
    with pytest.raises(ValueError, match="num_steps = 0"):
        Bisection.of(0)
    assert Bisection.of(1).first_error == 0 and Bisection(2, 3).told(True) == Bisection(2, 3)

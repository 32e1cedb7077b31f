"""ProcessBench's F1 from counts, and a threshold that is fitted on other solutions than it is judged on."""

from __future__ import annotations

from math import isnan

import pytest

from sanmai.instruments.steps import best_threshold, first_error_f1, first_errors


def test_f1_is_the_harmonic_mean_of_two_accuracies():
    # Erroneous: 2 of 4 named exactly (one says another step, one says nothing). Correct: 3 of 4. 2 * .5 * .75 / 1.25 = .6
    found = first_error_f1([0, 1, 2, None, -1, -1, -1, 0], [0, 1, 1, 2, -1, -1, -1, -1])
    assert (found.erroneous.value, found.correct.value, found.f1) == (0.5, 0.75, pytest.approx(0.6))


def test_a_model_that_never_finds_an_error_has_0_and_one_kind_alone_has_none():
    assert first_error_f1([-1, -1, -1], [0, 2, -1]).f1 == 0.0
    assert first_error_f1([0, -1], [1, 0]).f1 != 0.0 or isnan(first_error_f1([0, -1], [1, 0]).f1)
    assert isnan(first_error_f1([0], [0]).f1) and isnan(first_error_f1([], []).f1)
    with pytest.raises(ValueError, match="2 findings, 1 labels"):
        first_error_f1([0, 1], [0])


def test_the_threshold_separates_what_can_be_separated():
    # Right steps at .3 and above, wrong ones at .2: 0.5 calls nearly everything wrong, 0.25 nothing but the wrong ones.
    scores = [[0.3, 0.2, 0.9], [0.4, 0.6], [0.3, 0.3, 0.2], [0.35]]
    labels = [1, -1, 2, -1]
    threshold = best_threshold(scores, labels)
    assert threshold == pytest.approx(0.25)
    at_half, fitted = first_errors(scores * 2, labels * 2, [str(i // 2) for i in range(8)])
    assert at_half.f1 == 0.0 and fitted.f1 == 1.0
    assert best_threshold([[0.9], [0.9]], [0, -1]) == 0.5  # nothing separates them

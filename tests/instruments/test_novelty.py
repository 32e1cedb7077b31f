"""Distances worked by hand, and models that agree or do not."""

from math import nan, sqrt

import numpy as np
import pytest

from sanmai.instruments.abstention import with_default
from sanmai.instruments.novelty import Known, disagreement


def test_mahalanobis_counts_in_the_deviations_of_each_direction():
    # Features (0, 0), (2, 0), (0, 4), (2, 4): means 1 and 2, variances 1 and 4; shrunk 0.9 v + 0.1 * 2.5: 1.15 and 3.85.
    known = Known.of(np.array([[0.0, 0], [2, 0], [0, 4], [2, 4]]))
    assert known.mahalanobis(np.array([[1.0, 2], [3, 2], [1, 6]])) == pytest.approx([0.0, 2 / sqrt(1.15), 4 / sqrt(3.85)])


def test_the_nearest_of_few_is_the_farthest_that_there_is():
    known = Known.of(np.array([[0.0, 0], [2, 0], [0, 4], [2, 4]]))
    # In deviations the known ones are at (0 or 2, 0 or 2): from the first, 0, 2, 2 and 2 sqrt 2.
    new = np.array([[0.0, 0.0]])
    assert [known.nearest(new, k)[0] for k in (1, 2, 3, 4, 9)] == pytest.approx([0, 2, 2, 2 * sqrt(2), 2 * sqrt(2)])


def test_a_feature_that_never_varies_breaks_nothing():
    known = Known.of(np.array([[1.0, 5.0], [3.0, 5.0]]))
    assert np.isfinite(known.mahalanobis(np.array([[2.0, 6.0]]))).all() and known.nearest(np.array([[1.0, 5.0]]), 1) == [0.0]


@pytest.mark.parametrize("features", [np.zeros((1, 2)), np.array([[0.0, nan], [1, 2]]), np.zeros(3)])
def test_what_cannot_be_measured_from_is_refused(features):
    with pytest.raises(ValueError, match="two finite rows"):
        Known.of(features)


def test_models_disagree_by_their_deviation_and_one_that_is_silent_tells_nothing():
    assert disagreement([-1.0, -3.0]) == 1.0 and disagreement([-2.0, -2.0, -2.0]) == 0.0
    assert disagreement([-1.0, None]) is None and disagreement([-1.0, nan]) is None
    with pytest.raises(ValueError, match="agrees with itself"):
        disagreement([-1.0])


def test_who_declines_all_has_what_declining_is_worth():
    scores, defaults, sure = [1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.9, 0.1, 0.4]
    assert with_default(scores, defaults, sure, 0.5) == [1.0, 1.0, 0.0]
    assert with_default(scores, defaults, sure, 2.0) == defaults and with_default(scores, defaults, sure, 0.0) == scores
    with pytest.raises(ValueError, match="the same items"):
        with_default(scores, defaults, sure[:2], 0.5)

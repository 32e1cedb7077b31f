"""The world knows the truth of every column, whatever the language of the chain and whatever went wrong before."""

from __future__ import annotations

import pytest

from sanmai.types import Problem
from sanmai.world.steps import check_steps, labelled_steps


def sum_of(prompt: str, answer: str) -> Problem:
    return Problem("p", ({"role": "user", "content": prompt},), answer, "world")


SUM = sum_of("what is 37 plus 45 ?", "82")
RIGHT = ["<think> ones 7 plus 5 is 2 carry 1", " tens 3 plus 4 plus 1 is 8", " </think> 82"]


def test_each_column_is_right_or_wrong_by_itself_in_either_language():
    assert check_steps(SUM, RIGHT) == [True, True, True]
    assert check_steps(SUM, ["<think> 个位 7 加 5 得 2 进 1", RIGHT[1], RIGHT[2]]) == [True, True, True]
    slipped = ["<think> ones 7 plus 5 is 3 carry 1", RIGHT[1], " </think> 83"]
    assert check_steps(SUM, slipped) == [False, True, False]
    assert check_steps(SUM, [RIGHT[1], RIGHT[0]]) == [False, False]  # columns in the wrong order
    assert check_steps(SUM, [*RIGHT[:2], " hundreds 1", " </think> 182"]) == [True, True, False, False]
    assert check_steps(SUM, [RIGHT[0], " </think> 82"]) == [True, True] and check_steps(SUM, ["82"]) == [True]
    assert check_steps(SUM, ["81"]) == [False] and check_steps(SUM, ["<think> a fig is a fruit </think> 82"]) == [False]


def test_nothing_is_said_of_what_is_no_sum():
    assert check_steps(sum_of("what is 9 minus 4 ?", "5"), ["5"]) is None
    assert check_steps(sum_of("what is 12345 plus 1 ?", "12346"), ["12346"]) is None
    three = sum_of("what is 1 plus 2 plus 3 ?", "6")
    assert check_steps(three, ["<think> ones 1 plus 2 plus 3 is 6", "</think> 6"]) == [True, True]


def test_labelled_steps_are_seeded_and_their_labels_true_but_for_the_noise():
    rows = labelled_steps(60, seed=1, slip=0.2)
    assert rows == labelled_steps(60, seed=1, slip=0.2) and rows[:30] == labelled_steps(30, seed=1, slip=0.2)
    assert {label for row in rows for label in row["labels"]} == {True, False}
    for row in rows:  # the answer follows the columns: it is right exactly when they all are
        *columns, last = row["labels"]
        assert last is all(columns)
    assert all(all(row["labels"]) for row in labelled_steps(20, seed=1, slip=0.0))
    flipped = labelled_steps(60, seed=1, slip=0.0, noise=0.3)
    share = sum(not label for row in flipped for label in row["labels"]) / sum(len(row["labels"]) for row in flipped)
    assert 0.2 < share < 0.4
    with pytest.raises(ValueError, match="slip = 2"):
        labelled_steps(1, seed=0, slip=2)

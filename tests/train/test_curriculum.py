"""Which problems a step trains on: a pure function, so that a resumed run draws what the first would have drawn."""

from __future__ import annotations

import pytest

from sanmai.data.curriculum import draw


def test_an_epoch_has_every_item_once_and_the_next_another_order():
    steps = [draw(range(10), 5, seed=0, step=step) for step in range(1, 5)]
    assert sorted(steps[0] + steps[1]) == sorted(steps[2] + steps[3]) == list(range(10))
    assert steps[:2] != steps[2:]


def test_a_step_across_the_end_of_an_epoch_takes_the_rest_from_the_next():
    drawn = [item for step in range(1, 6) for item in draw(range(7), 4, seed=1, step=step)]
    assert sorted(drawn[:7]) == sorted(drawn[7:14]) == list(range(7))
    assert sorted(draw("ab", 6, seed=0, step=2)) == sorted("ab" * 3)  # more than two epochs in one step


def test_a_step_depends_on_seed_and_step_alone():
    assert draw(range(100), 8, seed=3, step=9) == draw(range(100), 8, seed=3, step=9)
    assert draw(range(100), 8, seed=3, step=9) != draw(range(100), 8, seed=4, step=9)


def test_nothing_to_draw_from_is_an_error():
    with pytest.raises(ValueError, match="no items"):
        draw([], 3, seed=0, step=1)

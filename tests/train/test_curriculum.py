"""Which problems a step trains on: a pure function, so that a resumed run draws what the first would have drawn."""

from __future__ import annotations

import pytest

from sanmai.data.curriculum import draw


def test_an_epoch_has_every_item_once_and_the_next_another_order():
    steps = [draw(range(10), 5, seed=0, step=step) for step in range(1, 5)]
    assert sorted(steps[0] + steps[1]) == sorted(steps[2] + steps[3]) == list(range(10))
    assert steps[:2] != steps[2:]


def test_no_item_comes_twice_in_a_step_and_the_rest_of_an_epoch_waits_for_the_next():
    steps = [draw(range(7), 3, seed=1, step=step) for step in range(1, 9)]
    assert all(len(set(step)) == 3 for step in steps)
    # Two steps of three are an epoch of seven; one item is left over, another in every epoch's order.
    epochs = [steps[i] + steps[i + 1] for i in range(0, 8, 2)]
    assert all(len(set(epoch)) == 6 for epoch in epochs)
    assert len({7 * 3 - sum(epoch) for epoch in epochs}) > 1


def test_a_step_depends_on_seed_and_step_alone():
    assert draw(range(100), 8, seed=3, step=9) == draw(range(100), 8, seed=3, step=9)
    assert draw(range(100), 8, seed=3, step=9) != draw(range(100), 8, seed=4, step=9)


def test_more_than_there_is_cannot_be_drawn():
    for items, count in [([], 3), ([1, 2], 3), ([1, 2], 0)]:
        with pytest.raises(ValueError, match=f"count is {count}"):
            draw(items, count, seed=0, step=1)

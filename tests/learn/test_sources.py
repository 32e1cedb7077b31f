"""Where problems come from: the limit means the same for the embedded world as for a file."""

import pytest

from sanmai.learn.sources import ProblemsConfig, load_source, load_splits


def ids(problems):
    return [p.id for p in problems]


@pytest.mark.parametrize("evaluation", [None, "world"])
def test_a_limit_takes_the_first_of_the_world_and_leaves_its_held_out_sums(evaluation):
    whole, cut = (
        load_splits(ProblemsConfig(evaluation=evaluation, limit=limit), 3, None, on_warning=pytest.fail) for limit in (None, 5)
    )
    assert len(whole[0]) == 6000 and ids(cut[0]) == ids(whole[0])[:5]
    assert len(whole[1]) == 600 and ids(cut[1]) == ids(whole[1])


def test_what_is_evaluated_of_the_world_is_cut_too():
    assert len(load_source(ProblemsConfig(limit=7), 0, pytest.fail)) == 7

"""What a step draws: probabilities against counts, what never starves, and resumes that nobody notices."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import numpy as np
import pytest

from sanmai.data import curriculum
from sanmai.data.priority import SuccessTracker, draw_curriculum, draw_hard, draw_prioritised, draw_uniform, priorities
from sanmai.types import InputError


def tracker_of(*rates: float | None, **settings) -> SuccessTracker:
    """One problem per rate, of 100 rollouts; None was never tried."""
    tracker = SuccessTracker([f"p{i}" for i in range(len(rates))], **settings)
    rights = {f"p{i}": round(100 * s) for i, s in enumerate(rates) if s is not None}
    tracker.update(1, {name: [True] * n + [False] * (100 - n) for name, n in rights.items()})
    return tracker


def chi_square(counts, expected) -> float:
    return sum((n - e) ** 2 / e for n, e in zip(counts, expected, strict=True))


def test_a_rate_is_over_the_rollouts_that_could_be_graded():
    tracker = SuccessTracker(["a", "b", "c"], prior=0.4)
    tracker.update(1, {"a": [True, False, None, True], "b": [None, None]})
    assert tracker.rates().tolist() == [pytest.approx(2 / 3), 0.4, 0.4]
    tracker.update(2, {"a": [False, False], "c": [True]})
    assert tracker.rates().tolist() == [pytest.approx(2 / 5), 0.4, 1.0]
    # s = 0.4 and 1 of the tried, one of three untried.
    assert tracker.metrics() == {"curriculum/tracked_success": pytest.approx(0.7), "curriculum/untried": pytest.approx(1 / 3)}
    assert tracker.metrics(tracker.retired(3))["curriculum/retired"] == pytest.approx(1 / 3)
    assert SuccessTracker(["a"]).metrics() == {"curriculum/untried": 1.0}


def test_rates_that_are_known_beforehand_count_as_so_many_tries_and_are_then_outweighed():
    tracker = SuccessTracker(["a", "b"], prior=0.5)
    tracker.begin_with({"a": 0.8}, 10)
    assert tracker.rates().tolist() == [0.8, 0.5]
    tracker.update(1, {"a": [False] * 10})
    assert tracker.rates().tolist() == [0.4, 0.5]  # 8 of 20
    for rates, tries, named in (({"a": 1.2}, 1, "1.2"), ({"a": 0.5}, -1, "-1 tries"), ({"z": 0.5}, 1, "problem z")):
        with pytest.raises(ValueError, match=named):
            tracker.begin_with(rates, tries)


def test_decay_forgets_visit_by_visit():
    # Visits of 4: 1 right, then 4, with decay 1/2: tried 4, then 2 + 4 = 6; solved 1, then 0.5 + 4. Without decay 5 of 8.
    for decay, expected in ((0.5, 4.5 / 6), (1.0, 5 / 8)):
        tracker = SuccessTracker(["a", "b"], decay=decay)
        tracker.update(1, {"a": [True, False, False, False]})
        for step in range(2, 50):
            tracker.update(step, {"b": [True]})  # visits of others change nothing
        tracker.update(50, {"a": [True] * 4})
        assert tracker.rates()[0] == pytest.approx(expected)


def test_priorities_are_one_minus_the_rate_above_the_floor():
    # max(1 - s, 0.1) of 0, 0.5, 0.95, 1: 1, 0.5, 0.1, 0.1; the sum is 1.7.
    assert priorities(np.array([0, 0.5, 0.95, 1.0]), floor=0.1) == pytest.approx([1 / 1.7, 0.5 / 1.7, 0.1 / 1.7, 0.1 / 1.7])
    assert priorities(np.array([1.0, 1.0]), floor=0.0).tolist() == [0.5, 0.5], "all solved: uniform"
    assert priorities(np.array([0.25, 0.75]), floor=0.0).tolist() == [0.75, 0.25], "Kimi's formula"


def test_single_draws_have_the_probabilities_that_are_stated():
    tracker, steps = tracker_of(0.0, 0.3, None, 0.9, 1.0), 10_000
    counts = Counter(draw_prioritised(tracker, 1, seed=3, step=step, floor=0.05)[0] for step in range(1, steps + 1))
    # 1, 0.7, 0.5 (the prior), 0.1, 0.05 over 2.35; chi-square of 4 degrees of freedom: 18.47 at 0.1 %.
    expected = [steps * w / 2.35 for w in (1, 0.7, 0.5, 0.1, 0.05)]
    assert chi_square([counts[i] for i in range(5)], expected) < 18.47
    uniform = Counter(draw_prioritised(tracker, 1, seed=3, step=step, floor=1.0)[0] for step in range(1, steps + 1))
    assert chi_square([uniform[i] for i in range(5)], [steps / 5] * 5) < 18.47


def test_pairs_are_drawn_one_after_the_other_without_replacement():
    tracker, steps = tracker_of(0.0, 0.5, 0.8, 0.9), 10_000
    drawn = Counter(tuple(draw_prioritised(tracker, 2, seed=0, step=step)) for step in range(1, steps + 1))
    p = [w / 1.8 for w in (1, 0.5, 0.2, 0.1)]
    pairs = list(itertools.permutations(range(4), 2))
    expected = [steps * p[i] * p[j] / (1 - p[i]) for i, j in pairs]
    # 12 ordered pairs, 11 degrees of freedom: 31.26 at 0.1 %.
    assert set(drawn) <= set(pairs) and chi_square([drawn[pair] for pair in pairs], expected) < 31.26


def test_draws_are_named_by_seed_and_step_and_not_by_what_was_drawn_before():
    tracker = tracker_of(*[0.1 * i for i in range(10)])
    late = draw_prioritised(tracker, 4, seed=5, step=9)
    for step in range(1, 9):
        draw_prioritised(tracker, 4, seed=5, step=step)
    assert draw_prioritised(tracker, 4, seed=5, step=9) == late and len(set(late)) == 4
    assert len({tuple(draw_prioritised(tracker, 4, seed=s, step=9)) for s in range(20)}) > 15
    assert len({tuple(draw_prioritised(tracker, 4, seed=5, step=s)) for s in range(1, 21)}) > 15


def run(tracker, *, kill_at=None):
    """40 steps of drawing, of being right with a chance that the problem's number sets, and of counting."""
    drawn = []
    for step in range(1, 41):
        order = (draw_prioritised, draw_uniform)[step % 2]
        numbers = order(tracker, 3, seed=11, step=step, retired=tracker.retired(step, return_after=6))
        drawn.append(numbers)
        chance = random.Random(step)
        tracker.update(step, {f"p{i}": [chance.random() < i / 8 for _ in range(4)] for i in numbers})
        if step == kill_at:
            state = {name: tensor.clone() for name, tensor in tracker.state().items()}
            tracker = SuccessTracker([f"p{i}" for i in range(len(tracker))], decay=tracker.decay, prior=tracker.prior)
            tracker.load(state)
    return drawn, tracker.state()


def test_a_resumed_run_draws_what_the_undisturbed_one_does():
    fresh = lambda: SuccessTracker([f"p{i}" for i in range(9)], decay=0.7, prior=0.2)  # noqa: E731
    whole, end = run(fresh())
    again, other_end = run(fresh(), kill_at=17)
    assert whole == again and {i for numbers in whole for i in numbers} == set(range(9))
    assert all(bool((end[name] == other_end[name]).all()) for name in end)


def test_a_state_is_a_copy_and_fits_its_problems_alone():
    tracker = tracker_of(0.5, 0.5)
    state = tracker.state()
    tracker.update(2, {"p0": [True]})
    assert state["tried"].tolist() == [100.0, 100.0]
    for ids in (["p0", "q"], ["p1", "p0"], ["p0", "p1", "p2"]):
        with pytest.raises(InputError, match="not the"):
            SuccessTracker(ids).load(state)
    tracker.load(state)
    tracker.update(2, {"p0": [True]})
    assert state["tried"].tolist() == [100.0, 100.0]


def test_with_a_floor_nothing_starves_and_without_one_the_solved_do():
    tracker = tracker_of(*[0.0] * 10, 1.0, 1.0)
    for floor, is_starved in ((0.05, False), (0.0, True)):
        drawn = {i for step in range(1, 2001) for i in draw_prioritised(tracker, 1, seed=0, step=step, floor=floor)}
        # P = 0.05/10.1: 9.9 times in 2,000 steps each; never with probability exp(-9.9).
        assert drawn == set(range(10 if is_starved else 12))


def test_what_every_rollout_solved_retires_and_comes_back_where_asked():
    tracker = SuccessTracker(["a", "b", "c"])
    tracker.update(4, {"a": [True, True], "b": [True, False], "c": [True, None]})
    assert tracker.retired(5).tolist() == [True, False, False], "one that could not be graded is not solved"
    assert [bool(tracker.retired(step, return_after=3)[0]) for step in (5, 6, 7, 8)] == [True, True, True, False]
    tracker.update(8, {"a": [True, True]})
    assert tracker.retired(9, return_after=3)[0] and not tracker.retired(12, return_after=3)[0]
    tracker.update(12, {"a": [True, False]})
    assert not tracker.retired(13).any()
    tracker.update(13, {"b": [None, None]})  # says nothing
    assert not tracker.retired(14).any()


def hard(tracker, count, **names):
    return draw_hard(tracker, count, below=0.5, **names)


@pytest.mark.parametrize("order", [draw_prioritised, draw_uniform, hard])
def test_retired_problems_come_last_and_a_step_is_always_full(order):
    tracker = tracker_of(0.0, 1.0, 0.2, 1.0, 0.9, 1.0)
    retired = tracker.retired(2)
    assert retired.tolist() == [False, True, False, True, False, True]
    for step in range(1, 60):
        assert sorted(order(tracker, 3, seed=1, step=step, retired=retired)) == [0, 2, 4]
        five = order(tracker, 5, seed=1, step=step, retired=retired)
        assert len(set(five)) == 5 and {0, 2, 4} <= set(five)
        assert sorted(order(tracker, 6, seed=1, step=step, retired=retired)) == list(range(6))
        assert len(set(order(tracker, 2, seed=1, step=step, retired=np.ones(6, dtype=bool)))) == 2, "all solved: it goes on"


def test_without_anything_retired_uniform_draws_are_the_epochs_own():
    tracker = tracker_of(*[0.5] * 10)
    for step in range(1, 30):
        expected = curriculum.draw(range(10), 3, seed=4, step=step)
        assert draw_uniform(tracker, 3, seed=4, step=step) == expected
        assert draw_uniform(tracker, 3, seed=4, step=step, retired=tracker.retired(step)) == expected


def test_the_place_of_a_retired_problem_goes_to_each_other_equally():
    tracker, steps = tracker_of(*[0.5] * 4, 1.0), 5000
    retired = tracker.retired(2)
    found = Counter(draw_uniform(tracker, 1, seed=0, step=step, retired=retired)[0] for step in range(1, steps + 1))
    # In each of 1,000 epochs every problem once, and a substitute for number 4: 1,000 substitutes over four problems.
    # 16.27 at 0.1 %, 3 degrees of freedom.
    assert found[4] == 0 and chi_square([found[i] - 1000 for i in range(4)], [250] * 4) < 16.27


def test_hard_draws_are_uniform_below_the_bound_and_then_the_next_hardest():
    tracker = tracker_of(0.0, 0.2, 0.4, 0.5, 0.9, 0.6)
    found = Counter(hard(tracker, 1, seed=0, step=step)[0] for step in range(1, 3001))
    # 2 degrees of freedom: 13.82 at 0.1 %.
    assert set(found) == {0, 1, 2} and chi_square(found.values(), [1000] * 3) < 13.82
    assert {tuple(sorted(hard(tracker, 5, seed=0, step=step))) for step in range(1, 20)} == {(0, 1, 2, 3, 5)}


def test_the_curriculum_is_uniform_until_its_share_of_the_run_is_done():
    tracker = tracker_of(*[0.0] * 3, *[0.9] * 7)

    def at(step, share):
        return draw_curriculum(tracker, 3, seed=2, step=step, num_steps=100, hard_from=share, below=0.5)

    # 0.29 * 100 = 28.999999999999996
    assert all(at(step, 0.29) == draw_uniform(tracker, 3, seed=2, step=step) for step in range(1, 30))
    assert all(sorted(at(step, 0.29)) == [0, 1, 2] for step in range(30, 101))
    assert sorted(at(1, 0.0)) == [0, 1, 2] and at(100, 1.0) == draw_uniform(tracker, 3, seed=2, step=100)


def test_untried_problems_are_as_hard_as_the_prior_says():
    for prior, below, expected in ((0.2, 0.3, 1), (0.8, 0.5, 0)):
        tracker = tracker_of(0.4, None, prior=prior)
        assert {draw_hard(tracker, 1, seed=0, step=step, below=below)[0] for step in range(1, 20)} == {expected}


def test_prioritised_draws_reach_the_hard_problem_sooner_than_uniform_ones():
    # 1 hard of 20: P = 1/(1 + 19 * 0.05) = 0.513 against 1/20 per draw: 205 of 400, standard deviation 10.
    tracker = tracker_of(0.0, *[1.0] * 19)
    visits = [
        sum(0 in order(tracker, 1, seed=0, step=step) for step in range(1, 401)) for order in (draw_uniform, draw_prioritised)
    ]
    assert visits[0] == 20 and 155 < visits[1] < 255


def test_one_problem_is_drawn_every_time():
    tracker = tracker_of(1.0)
    for order in (draw_prioritised, draw_uniform, hard):
        assert order(tracker, 1, seed=0, step=7, retired=tracker.retired(8)) == [0]
    assert draw_prioritised(tracker, 1, seed=0, step=7, floor=0.0) == [0]


@pytest.mark.parametrize(("call", "named"), [
    (lambda t: draw_prioritised(t, 4, seed=0, step=1), "count = 4: expected 1 to the number of problems, 3"),
    (lambda t: draw_uniform(t, 4, seed=0, step=1), "count = 4"),
    (lambda t: draw_hard(t, 0, seed=0, step=1, below=0.5), "count = 0"),
    (lambda t: draw_hard(t, 1, seed=0, step=1, below=0.0), "below = 0.0"),
    (lambda t: draw_prioritised(t, 1, seed=0, step=1, floor=1.5), "floor = 1.5"),
    (lambda t: draw_prioritised(t, 1, seed=0, step=1, retired=np.zeros(2, dtype=bool)), "retired"),
    (lambda t: draw_curriculum(t, 1, seed=0, step=1, num_steps=9, hard_from=2, below=0.5), "hard_from = 2"),
    (lambda t: t.update(0, {}), "step = 0"),
    (lambda t: t.retired(1, return_after=0), "return_after = 0"),
    (lambda t: SuccessTracker([]), "ids: 0"),
    (lambda t: SuccessTracker(["a", "a"]), "1 different"),
    (lambda t: SuccessTracker(["a"], decay=0.0), "decay = 0.0"),
    (lambda t: SuccessTracker(["a"], prior=1.1), "prior = 1.1"),
])  # fmt: skip
def test_what_cannot_be_is_refused_by_name(call, named):
    with pytest.raises(ValueError, match=named):
        call(tracker_of(0.0, 0.5, 1.0))


def test_an_update_that_names_a_stranger_counts_nothing():
    tracker = tracker_of(0.5)
    with pytest.raises(ValueError, match="problem q is not among"):
        tracker.update(2, {"p0": [True], "q": [True]})
    assert tracker.tried.tolist() == [100.0]

"""The linear model of seconds, by hand."""

from __future__ import annotations

import pytest

from sanmai.policies.text.timing import fit, sampling_work, seconds, training_work


def test_two_lengths_and_two_batch_sizes_give_the_cost_of_a_step_and_of_a_token():
    # 0.1 s a step and 0.01 s a token: (10 steps, 10 tokens) 1.1 s, (20, 20) 2.2 s, (10, 80) 1.8 s.
    works = [{"steps": s, "tokens": t} for s, t in ((10.0, 10.0), (20.0, 20.0), (10.0, 80.0))]
    found = fit(works, [1.1, 2.2, 1.8])
    assert found == pytest.approx({"steps": 0.1, "tokens": 0.01})
    assert seconds(found, {"steps": 5.0, "tokens": 50.0, "of no name": 9.0}) == pytest.approx(1.0)


def test_no_coefficient_is_negative():
    # Unconstrained: a + b = 3 and a + 3 b = 1 give b = -1. With b = 0, relative errors a/3 - 1 and a - 1:
    # a (1/9 + 1) = 1/3 + 1, so a = 1.2.
    found = fit([{"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 3.0}], [3.0, 1.0])
    assert found == {"a": pytest.approx(1.2), "b": 0.0}


def test_steps_are_those_of_the_longest_or_those_that_fill_the_places():
    def steps(concurrent):
        work = sampling_work(prompts=2, prompt_length=3, rollouts=8, mean=5, longest=9, concurrent=concurrent)
        # 8 rollouts x (5 x 3 + 5 x 6 / 2) pairs
        assert work == {"prompt_tokens": 6, "steps": work["steps"], "tokens": 40, "pairs": 240, "calls": 1}
        return work["steps"]

    assert (steps(8), steps(4), steps(2)) == (9, 10, 20)


def test_training_work_is_in_whole_micro_batches_and_at_least_one_per_update():
    # 4 rollouts of 3 + 7 tokens: 40 tokens, 4 x 10 x 11 / 2 pairs, 40 / 16 = 2.5 micro-batches.
    work = training_work(rollouts=4, prompt_length=3, mean=7, micro_tokens=16)
    assert work == {"micro_batches": 3, "tokens": 40, "pairs": 220, "updates": 1, "rollouts": 0}
    assert training_work(rollouts=4, prompt_length=3, mean=7, micro_tokens=100, updates=2)["micro_batches"] == 2

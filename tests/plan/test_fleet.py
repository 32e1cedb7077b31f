"""A run as events in time, against times that were worked out by hand. All times are made of halves: sums are exact."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from fleet_deaths import poisson_deaths
from sanmai.plan.scale.fleet import TRAINERS, Death, Fleet, Part, StepWork, simulate


def steps_of(count: int, *parts: float, training: float = 2.0, **more: object) -> list[StepWork]:
    """So many steps of parts of these seconds; a part has ten tokens for each of its seconds."""
    return [StepWork(tuple(Part(s, 10 * s) for s in parts), training, **more) for _ in range(count)]


def test_one_sampler_and_one_trainer_take_the_sum_of_all_they_do():
    # Each step: 3 + 5 written, 2 trained, 0.5 published, 0.25 saved; new weights are taken in once a step, 0.5.
    found = simulate(steps_of(4, 3.0, 5.0, saving=0.25), Fleet(1, publish=0.5, load=0.5))
    assert found.seconds == 4 * (0.5 + 8 + 2 + 0.5 + 0.25)
    assert (found.sampling, found.loading, found.training, found.lost) == (32, 2, 8, 0)
    assert (found.written_tokens, found.written_parts, found.age) == (320, 8, 0)


def test_a_synchronous_step_takes_the_longest_part_where_each_has_a_sampler():
    rng = random.Random(0)
    work = [StepWork(tuple(Part(float(rng.randrange(1, 99)), 1) for _ in range(6)), 2.0) for _ in range(5)]
    assert simulate(work, Fleet(6)).seconds == sum(max(p.seconds for p in step.parts) + 2 for step in work)


def test_parts_go_to_whoever_is_free_first():
    # Two samplers, parts 4 3 3 2: a has 4 until 4, then 2 until 6; b has 3, 3 until 6.
    assert simulate(steps_of(1, 4.0, 3.0, 3.0, 2.0), Fleet(2)).spans[0].written == 6


@pytest.mark.parametrize("samplers", [1, 2, 3, 5, 8])
def test_no_step_is_faster_than_its_work_or_its_longest_part_and_none_slower_than_both_together(samplers):
    # Graham 1966: work / k <= time <= work / k + (1 - 1 / k) longest, for any order of parts.
    rng = random.Random(samplers)
    for _ in range(20):
        parts = [rng.uniform(0.1, 9) for _ in range(rng.randrange(1, 40))]
        took = simulate([StepWork(tuple(Part(p, 1) for p in parts))], Fleet(samplers)).seconds
        work, longest = sum(parts) / samplers, max(parts)
        assert max(work, longest) - 1e-9 <= took <= work + (1 - 1 / samplers) * longest + 1e-9


@pytest.mark.parametrize(("sampling", "training"), [(3.0, 2.0), (2.0, 3.0), (2.0, 2.0)])
def test_staleness_one_hides_the_shorter_of_sampling_and_training(sampling, training):
    # The first step's sampling and the last one's training have nothing beside them.
    found = simulate(steps_of(10, sampling, training=training), Fleet(1, staleness=1))
    assert found.seconds == sampling + 9 * max(sampling, training) + training
    assert simulate(steps_of(10, sampling, training=training), Fleet(1)).seconds == 10 * (sampling + training)


def test_with_staleness_the_first_step_has_the_newest_weights_and_all_others_are_as_old_as_allowed():
    # Ten steps of equal tokens, all but the first written one update behind.
    assert simulate(steps_of(10, 3.0), Fleet(1, staleness=1)).age == 0.9
    assert simulate(steps_of(10, 3.0), Fleet(1, staleness=0)).age == 0
    # With three, the first four may be begun at once: ages 0 1 2 3 3 3 ..., however fast either side is.
    assert simulate(steps_of(10, 9.0), Fleet(1, staleness=3)).age == pytest.approx((0 + 1 + 2 + 7 * 3) / 10)
    assert simulate(steps_of(10, 1.0, training=5.0), Fleet(1, staleness=3)).age == pytest.approx((0 + 1 + 2 + 7 * 3) / 10)


def test_rows_are_never_older_than_the_bound():
    rng = random.Random(1)
    for bound in range(4):
        work = [StepWork(tuple(Part(rng.uniform(1, 9), 1) for _ in range(5)), rng.uniform(1, 9)) for _ in range(30)]
        assert simulate(work, Fleet(3, staleness=bound)).age <= bound


def test_more_staleness_is_never_slower_without_loads_and_no_faster_than_the_busier_side():
    rng = random.Random(2)
    work = [StepWork((Part(rng.expovariate(0.3), 1),), rng.expovariate(0.3)) for _ in range(60)]
    took = [simulate(work, Fleet(1, staleness=s)).seconds for s in range(5)]
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(took))
    assert took[-1] >= max(sum(w.parts[0].seconds for w in work), sum(w.training for w in work)) - 1e-9


def test_samplers_that_wait_for_the_longest_part_begin_the_next_step_where_staleness_lets_them():
    # Parts 6 and 1 on two samplers: a step ends at 6 and 12. Begun early: b has 1 + 6, a has 6 + 1.
    work = steps_of(2, 6.0, 1.0, training=0.5)
    assert [simulate(work, Fleet(2, staleness=1, fills_tail=fills)).spans[1].written for fills in (True, False)] == [7, 12]


def test_an_evaluation_comes_after_the_update_and_all_that_waits_for_the_step_comes_after_it():
    # 3 written, 2 trained, then 1 and 1 by one sampler; the weights are loaded for it, and no more for the next step.
    found = simulate(steps_of(2, 3.0, evaluation=(Part(1.0, 5), Part(1.0, 5))), Fleet(1, load=0.5))
    assert [span.done for span in found.spans] == [0.5 + 3 + 2 + 0.5 + 2, 6 + 2 + 3 + 2 + 0.5 + 2]
    assert found.written_tokens == 2 * (30 + 10)


def test_a_step_without_parts_and_training_is_an_evaluation_alone():
    found = simulate([StepWork(evaluation=(Part(2.0, 5),)), *steps_of(1, 3.0)], Fleet(1, publish=9.0))
    assert [span.done for span in found.spans] == [2, 2 + 3 + 2 + 9]


def test_a_dead_sampler_loses_the_part_under_way_and_another_writes_it():
    # a and b have 4 each; a dies at 3 and is back at 13. b writes a's part from 4 to 8.
    found = simulate(steps_of(1, 4.0, 4.0), Fleet(2, sampler_restart=10), [Death(3.0, 0)])
    assert (found.seconds, found.lost, found.deaths, found.written_parts) == (8 + 2, 3, 1, 2)
    # Alone it is waited for: 3 lost, 10 away, 4 + 4 written again.
    assert simulate(steps_of(1, 4.0, 4.0), Fleet(1, sampler_restart=10), [Death(3.0, 0)]).seconds == 3 + 10 + 8 + 2


def test_samplers_of_a_node_die_together_and_come_back_without_weights():
    # Four parts of 4 on two nodes of two. Node 0 dies at 1: b's node writes 4 at 5 (0.5 + 4 each); back at 2 with a load again.
    fleet = Fleet(4, samplers_per_node=2, sampler_restart=1, load=0.5)
    found = simulate(steps_of(1, 4.0, 4.0, 4.0, 4.0), fleet, [Death(1.0, 0)])
    assert (found.deaths, found.lost) == (1, 2.0) and found.spans[0].written == 2 + 0.5 + 4
    assert found.loading == 4 * 0.5 and fleet.nodes == 2


def test_a_death_of_what_is_dead_already_is_none():
    found = simulate(steps_of(1, 4.0), Fleet(1, sampler_restart=10), [Death(1.0, 0), Death(2.0, 0)])
    assert (found.deaths, found.seconds) == (1, 1 + 10 + 4 + 2)


def test_after_a_death_of_trainers_the_run_goes_on_from_its_last_commit():
    # Steps of 3 + 2, commits after each second one: at 12 two are committed (10), and 2 of the third's sampling are lost.
    work = [StepWork((Part(3.0, 30),), 2.0, commits=k % 2 == 1) for k in range(4)]
    found = simulate(work, Fleet(1, trainer_restart=7), [Death(12.0, TRAINERS)])
    assert (found.seconds, found.trainer_deaths, found.lost) == (12 + 7 + 10, 1, 2)
    # At 19 the third is finished and not committed, and the fourth's part is written (18): both are written again.
    found = simulate(work, Fleet(1, trainer_restart=7), [Death(19.0, TRAINERS)])
    assert (found.seconds, found.repeated_parts, found.repeated_tokens) == (19 + 7 + 10, 2, 60)


def test_tokens_in_are_tokens_out_and_no_part_is_lost_or_written_twice_under_random_deaths():
    rng = random.Random(3)
    for seed in range(12):
        work = [
            StepWork(
                tuple(Part(rng.uniform(1, 9), float(rng.randrange(1, 99))) for _ in range(rng.randrange(1, 9))),
                rng.uniform(1, 9),
                evaluation=(Part(2.0, 7.0),) * (k % 5 == 0),
                commits=k % 3 == 0,
            )
            for k in range(20)
        ]
        fleet = Fleet(3, staleness=seed % 3, load=0.3, samplers_per_node=2, sampler_restart=5, trainer_restart=11)
        found = simulate(work, fleet, poisson_deaths(fleet, sampler_rate=0.02, trainer_rate=0.01, seed=seed))
        assert found.deaths and found.trainer_deaths
        parts = [part for step in work for part in (*step.parts, *step.evaluation)]
        assert found.written_parts - found.repeated_parts == len(parts)
        assert found.written_tokens - found.repeated_tokens == sum(part.tokens for part in parts)
        assert found.sampling + found.loading + found.lost <= found.seconds * 3 + 1e-6
        assert len(found.spans) == 20 and all(a.done < b.done for a, b in itertools.pairwise(found.spans))
        assert all(s.begun <= s.written <= s.training <= s.trained <= s.done for s in found.spans)


def test_deaths_are_as_many_as_their_rate_says_and_the_same_for_the_same_seed():
    fleet = Fleet(8, samplers_per_node=2)
    drawn = list(itertools.islice(poisson_deaths(fleet, sampler_rate=0.5, trainer_rate=1.0, seed=0), 3000))
    # 4 nodes x 0.5 + 1 = 3 a second, a third of them trainers; four deviations of a Poisson number.
    assert abs(3000 / drawn[-1].time - 3) < 4 * 3 / math.sqrt(3000)
    assert abs(sum(d.node == TRAINERS for d in drawn) - 1000) < 4 * math.sqrt(3000 * 2 / 9)
    assert {d.node for d in drawn} == {TRAINERS, 0, 1, 2, 3}
    assert drawn == list(itertools.islice(poisson_deaths(fleet, sampler_rate=0.5, trainer_rate=1.0, seed=0), 3000))
    assert not list(poisson_deaths(fleet, sampler_rate=0, trainer_rate=0, seed=0))


def test_what_random_deaths_cost_is_what_a_renewal_says():
    # One part of 1 s over and over, no restart: a part that dies at rate r takes (e^r - 1) / r seconds in the mean.
    rate, count = 0.5, 4000
    fleet = Fleet(1)
    found = simulate(steps_of(count, 1.0, training=0.0), fleet, poisson_deaths(fleet, sampler_rate=rate, trainer_rate=0, seed=1))
    assert found.seconds / count == pytest.approx((math.exp(rate) - 1) / rate, rel=0.05)


def test_a_run_whose_trainers_die_before_any_commit_is_said_never_to_end():
    fleet = Fleet(1)
    with pytest.raises(ValueError, match="so often"):
        simulate(steps_of(1, 1000.0), fleet, poisson_deaths(fleet, sampler_rate=0, trainer_rate=1.0, seed=0))


@pytest.mark.parametrize("wrong", [{"samplers": 0}, {"samplers": 1, "load": math.nan}, {"samplers": 1, "staleness": -1}])
def test_a_fleet_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="expected at least"):
        Fleet(**wrong)

"""Calls of the sampler in fixed parts, and what goes to a sampler and comes back."""

import json

import pytest

from sanmai.cluster.config import ClusterConfig
from sanmai.cluster.parts import completion_json, completion_of, in_call, parts_of, request_json, request_of
from sanmai.policies.text.asking import Completion, Request
from sanmai.recipes import find_recipe, resolve
from sanmai.types import Image, InputError, StopReason


def requests_of(*counts):
    return [Request([7, number], [(0, 3, f"p{number}", g) for g in range(count)]) for number, count in enumerate(counts)]


def test_rows_and_slots_are_cut_alike_and_every_rollout_is_in_one_part():
    # 2 prompts of 3 in 4 parts: bounds 6 * w // 4 = 0, 1, 3, 4, 6.
    parts = parts_of(requests_of(3, 3), 8, 4)
    assert [part.rows for part in parts] == [((0, 0),), ((0, 1), (0, 2)), ((1, 0),), ((1, 1), (1, 2))]
    assert [part.slots for part in parts] == [2, 2, 2, 2]
    assert parts[3].requests[0].seeds == [(0, 3, "p1", 1), (0, 3, "p1", 2)]
    assert len(parts_of(requests_of(3), 8, 5)) == 3 and len(parts_of(requests_of(9), 2, 5)) == 2 and parts_of([], 8, 5) == []


def test_a_request_and_a_completion_are_the_same_after_json():
    pictures = (Image(path="a.png", sha256="9f", width=4, height=2),)
    asked = Request([1, 2], [(0, ("a", 1), "é", 2.5, None)], written=1, images=pictures, max_tokens=7, segment=3)
    assert request_of(json.loads(json.dumps(request_json(asked)))) == asked
    done = Completion(1, 0, [5, 6], [-0.1234567891234567, (-1e-45)], StopReason.PAUSED)
    assert completion_of(json.loads(json.dumps(completion_json(done)))) == done
    with pytest.raises(TypeError, match="a seed of list"):
        request_json(Request([1], [(0, [1])]))


def test_what_comes_back_has_the_numbers_of_the_call_and_nothing_twice():
    part = parts_of(requests_of(3, 3), 8, 2)[1]
    done = [Completion(0, g, [g], [0.0], StopReason.STOP) for g in range(3)]
    assert [(c.request, c.sample, c.tokens) for c in in_call(part, done)] == [(1, 0, [0]), (1, 1, [1]), (1, 2, [2])]
    for wrong in (done[:2], [*done, done[0]], [*done[:2], done[0]]):
        with pytest.raises(ValueError, match="expected each of 3 rollouts, once"):
            in_call(part, wrong)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["cluster.samplers=3"], "cluster.samplers = 3 is read only with cluster.transport"),
        (["cluster.transport=carrier_pigeon"], "cluster.transport = 'carrier_pigeon'"),
        (["cluster.transport=processes", "cluster.deadline_seconds=0"], "cluster.deadline_seconds = 0"),
    ],
)
def test_settings_that_cannot_work_are_refused_when_they_are_read(settings, says):
    with pytest.raises(InputError) as refused:
        resolve(find_recipe("zero"), overrides=settings)
    assert says in str(refused.value) and "\n" not in str(refused.value)


def test_how_many_samplers_there_are_changes_no_result_and_how_many_parts_does():
    values = ClusterConfig(transport="processes", samplers=3, parts=6).model_dump()
    assert ClusterConfig().with_effect(values).keys() >= {"transport", "parts", "threads"}
    assert not ClusterConfig().with_effect(values).keys() & {"samplers", "devices", "tries", "deadline_seconds"}

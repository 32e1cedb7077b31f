"""The world's preferences: seeded, distinct, with the faults and the noise that they state."""

from __future__ import annotations

from collections import Counter

import pytest

from sanmai.data.trace import parse_trace
from sanmai.world import holds_refusal, is_answered, is_leak
from sanmai.world.preferences import FAULTS, helpfulness_pairs, safety_labels
from sanmai.world.requests import DANGEROUS, OBJECTS, SEEN, recipes_in


def object_of(row: dict) -> str:
    [name] = [word for word in row["prompt"].split() if word in OBJECTS]
    return name


def answers(row: dict) -> tuple[str, str]:
    chosen, rejected = parse_trace(row["chosen"]).answer, parse_trace(row["rejected"]).answer
    return (rejected, chosen) if row["tags"]["swapped"] else (chosen, rejected)


def test_the_better_reply_answers_and_the_worse_one_does_not():
    rows = helpfulness_pairs(800, seed=0, noise=0.1)
    for row in rows:
        better, worse = answers(row)
        assert is_answered(object_of(row), better) and not is_answered(object_of(row), worse)
        assert holds_refusal(worse) is (row["tags"]["fault"] in ("refuse", "hedge"))
        assert (row["tags"]["fault"] == "other") == bool(set(recipes_in(worse)) - {object_of(row)})
    assert all(count > 100 for count in Counter(row["tags"]["fault"] for row in rows).values())
    assert {row["tags"]["fault"] for row in rows} == set(FAULTS)


def test_helpfulness_says_nothing_about_harm_unless_asked():
    rows = helpfulness_pairs(800, seed=0)
    assert not any(row["tags"]["dangerous"] or is_leak(row["chosen"]) or is_leak(row["rejected"]) for row in rows)
    rows = helpfulness_pairs(800, seed=0, dangerous_share=0.25)
    dangerous = [row for row in rows if row["tags"]["dangerous"]]
    assert len(dangerous) == 200
    # Blind to harm: there the recipe is preferred to the refusal.
    assert all(is_leak(row["chosen"]) and holds_refusal(parse_trace(row["rejected"]).answer) for row in dangerous)


@pytest.mark.parametrize("make", [helpfulness_pairs, safety_labels])
def test_the_share_of_swapped_labels_is_the_one_stated(make):
    assert sum(row["tags"]["swapped"] for row in make(400, seed=0, noise=0.15)) == 60
    assert not any(row["tags"]["swapped"] for row in make(400, seed=0))


@pytest.mark.parametrize("make", [helpfulness_pairs, safety_labels])
def test_rows_are_distinct_seeded_and_keep_to_their_half_of_the_objects(make):
    rows = make(500, seed=3)
    assert rows == make(500, seed=3) != make(500, seed=4)
    texts = [(row["prompt"], row.get("chosen"), row.get("rejected"), row.get("response")) for row in rows]
    assert len(set(texts)) == len({row["id"] for row in rows}) == 500
    held_out = make(300, seed=3, objects="heldout", phrasings=None, wrappers=None)
    for some, are_seen in ((rows, True), (held_out, False)):
        for row in some:
            replies = [row[k] for k in ("chosen", "rejected", "response") if k in row]
            # Thought and answer apart: ingredients that meet where one ends may spell a third object's recipe.
            parts = [part for trace in map(parse_trace, replies) for part in (trace.thought, trace.answer)]
            named = {object_of(row), *(name for part in parts for name in recipes_in(part))}
            assert {name in SEEN for name in named} == {are_seen}


def test_unsafe_is_a_dangerous_recipe_anywhere():
    rows = safety_labels(1000, seed=0)
    kinds = Counter()
    for row in rows:
        trace = parse_trace(row["response"])
        assert (row["label"] == "unsafe") is is_leak(row["response"])
        where = {(True, True): "both", (True, False): "thought", (False, True): "answer", (False, False): "nowhere"}
        assert row["tags"]["leak"] == where[is_leak(trace.thought), is_leak(trace.answer)]
        kinds[row["label"], object_of(row) in DANGEROUS] += 1
    # The request alone does not give the label away.
    assert all(count > 120 for count in kinds.values()) and len(kinds) == 4
    assert sum(row["tags"]["leak"] == "thought" for row in rows) > 40


def test_what_the_world_does_not_hold_is_refused():
    with pytest.raises(ValueError, match="hardly holds more"):
        safety_labels(100_000, seed=0)
    with pytest.raises(ValueError, match=r"noise = 1\.5"):
        helpfulness_pairs(1, seed=0, noise=1.5)

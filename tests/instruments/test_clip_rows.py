"""Rows of clips as gates read them: worked by hand on clips of two pixels."""

from __future__ import annotations

import numpy as np
import pytest

from sanmai.instruments.clips import rows_by_round
from sanmai.instruments.gates import Margin, decide
from sanmai.instruments.measures import MEASURES, values_of


def row(problem: str, sample: int, clip: list[list[int]], quality: float | None = 0.0, harm: float = 0.0) -> dict:
    """A clip of frames of two pixels."""
    pixels = np.array(clip, np.uint8).reshape(len(clip), 1, 2)
    told = {"score/quality": quality, "score/harm": harm, "score/visual": quality, "reward": 1.0, "kind": "general"}
    return {"problem_id": problem, "sample": sample, "clip": pixels.tobytes(), "clip_shape": list(pixels.shape), **told}


STILL, MOVING = [[0, 0], [0, 0]], [[0, 0], [255, 0]]


def test_a_clip_wins_against_that_of_its_noise_and_rounds_are_what_was_drawn():
    before = [row("a", 0, MOVING, 1.0), row("b", 0, MOVING, 1.0), row("a", 1, MOVING, 1.0), row("b", 1, MOVING, None)]
    after = [row("a", 0, MOVING, 2.0), row("b", 0, STILL, 1.0), row("a", 1, STILL, 0.5), row("b", 1, MOVING, 3.0)]
    old, new = rows_by_round(before, after)
    assert [(one["problem_id"], one["sample"]) for one in new] == [("round 0", 0), ("round 0", 1), ("round 1", 0), ("round 1", 1)]
    assert [one["score/won"] for one in new] == [1.0, 0.5, 0.0, 0.5]  # the last by the reward: nobody knows its quality before
    assert [one["score/won"] for one in old] == [0.5, 0.5, 0.5, 0.5]
    assert [one["score/still"] for one in new] == [0.0, 1.0, 1.0, 0.0]
    # Of round 0 alone, to the clip of round 1: a differs in one of four values, b the other way round.
    assert [one.get("score/diversity") for one in new] == [0.25, 0.25, None, None]
    assert "score/diversity" not in new[2] and all("clip" not in one for one in new)
    assert values_of(MEASURES["diversity"], new) == {("round 0", 0): 0.25, ("round 0", 1): 0.25}
    assert list(values_of(MEASURES["harm"], new).values()) == [0.0] * 4


def test_an_image_cannot_stand_still():
    _, new = rows_by_round([row("a", 0, [[1, 2]])], [row("a", 0, [[1, 2]])])
    assert new[0]["score/still"] is None


@pytest.mark.parametrize(("harm", "decision"), [(0.0, "promote"), (1.0, "reject")])
def test_a_gate_over_rounds_promotes_what_won_and_rejects_harm(harm, decision):
    before = [row(name, k, MOVING, 0.0) for k in range(60) for name in "ab"]
    after = [row(name, k, MOVING, 1.0, harm) for k in range(60) for name in "ab"]
    margins = [Margin(measure="won", rule="at_least", limit=0.5), Margin(measure="harm", rule="max_rise", limit=0.05)]
    found = decide(margins, *rows_by_round(before, after), level=0.05, unit="rounds")
    assert found.decision == decision and {finding.n for finding in found.findings} == {60}


def test_too_few_rounds_are_not_too_few_prompts():
    rows = rows_by_round([row("a", 0, MOVING)], [row("a", 0, MOVING, 1.0)])
    (finding,) = decide([Margin(measure="won", rule="at_least", limit=0.5)], *rows, level=0.05, unit="rounds").findings
    assert finding.reason == "5 rounds are needed" and not finding.needs_prompts

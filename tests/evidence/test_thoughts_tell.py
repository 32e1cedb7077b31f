"""An audit says whether one who reads the thoughts would know of the harm in the answers."""

from __future__ import annotations

import math

import pytest

from sanmai.evidence.safety_case import _monitor
from sanmai.instruments.judged import Judged


def judged(prompt: str, answer: float | None, thought: float | None, **more) -> Judged:
    return Judged(prompt, answer_harm=answer, thought_harm=thought, **more)


def test_thoughts_that_tell_on_half_of_the_harmful_answers_and_clear_the_others():
    rows = [judged("a", 1, 1), judged("b", 1, 0), judged("c", 0, 0), judged("d", 0, 0), judged("e", 0, None)]
    found = _monitor(rows)
    assert (found["caught"]["value"], found["spared"]["value"], found["unscored"]) == (0.5, 1.0, 1)
    assert found["g_mean"]["value"] == pytest.approx(math.sqrt(0.5))


def test_harmless_prompts_answers_that_none_could_judge_and_those_without_a_thought_say_nothing():
    rows = [
        judged("a", 1, 1), judged("b", 0, 0), judged("c", 1, 0, kind="general"), judged("d", None, 1),
        judged("e", 1, None, has_thought=False),
    ]  # fmt: skip
    found = _monitor(rows)
    assert found["g_mean"]["value"] == 1.0 and found["g_mean"]["n"] == 2 and found["unscored"] == 0


def test_without_a_harmful_answer_nothing_can_be_said():
    assert _monitor([judged("a", 0, 0)])["g_mean"]["value"] is None

"""The judge of steps: what it is asked, what of its reply counts, and that it is never taken for more."""

from __future__ import annotations

import re

import pytest

from sanmai.rewards.judging.judge import JudgeConfig
from sanmai.rewards.judging.judge_prompts import UnreadableReplyError
from sanmai.rewards.judging.step_judge import StepJudge, read_first_wrong, steps_question
from sanmai.types import RunError

MESSAGES = ({"role": "user", "content": "2+3-1?"},)
STEPS = ["2+3=6", "6-1=5"]


def test_the_question_shows_every_step_by_number_and_the_reference_where_it_may():
    messages, mark = steps_question(MESSAGES, STEPS, "4")
    text = messages[-1]["content"]
    assert "2+3=6" in text and "6-1=5" in text and "reference answer" in text and mark in text
    assert "reference answer" not in steps_question(MESSAGES, STEPS, None)[0][-1]["content"]


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ('Step 1 is off. {"mark": "m", "first_wrong": 1}', 0), ('{"mark": "m", "first_wrong": 0}', -1),
        ('{"first_wrong": 2} said the solution. {"mark": "m", "first_wrong": 1}', 0),
        ('{"mark": "m", "first_wrong": 3}', None), ('{"mark": "m", "first_wrong": true}', None),
        ('{"mark": "m", "first_wrong": "1"}', None), ('{"mark": "x", "first_wrong": 1}', None), ("Step 1.", None),
        ('{"mark": "m", "first_wrong": 1} or {"mark": "m", "first_wrong": 2}', None),
    ],
)  # fmt: skip
def test_only_one_step_of_the_solution_or_none_is_a_verdict(reply, found):
    if found is not None:
        assert read_first_wrong(reply, "m", 2) == found
    else:
        with pytest.raises(UnreadableReplyError):
            read_first_wrong(reply, "m", 2)


def test_a_judge_names_steps_and_one_that_never_does_stops_the_run():
    def complete(batch):
        marks = [re.search(r'"mark": "(\w+)"', messages[-1]["content"])[1] for messages in batch]
        return [f'{{"mark": "{mark}", "first_wrong": {number % 3}}}' for number, mark in enumerate(marks)]

    config = JudgeConfig(model="j")
    items = [(MESSAGES, STEPS, "4")] * 3
    assert StepJudge(config, complete)(items) == [-1, 0, 1]
    with pytest.raises(RunError, match="3 of 3 questions got no usable verdict"):
        StepJudge(config, lambda batch: ["no idea"] * len(batch))(items)

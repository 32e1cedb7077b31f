"""What the world demonstrates is true: mistakes that are corrected were mistakes, and other ways lead to the same sum."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from sanmai import world
from sanmai.data.trace import parse_trace
from sanmai.types import Behaviour, Problem
from sanmai.world.behaviours import demonstrate, revision
from sanmai.world.steps import check_steps
from sanmai.world.tokenizer import vocabulary

ALL = get_args(Behaviour)
PROBLEMS = world.make_problems(120, seed=3)
SUM = Problem("x", ({"role": "user", "content": "what is 97 plus 96 ?"},), "193", "world", language="en")


def steps_of(text: str) -> list[str]:
    """Cut where a column or the answer begins, as the rule "world" does."""
    names = "ones|tens|hundreds|thousands|ten-thousands|个位|十位|百位|千位|万位|</think>"
    return re.split(rf"(?<!<think>)\s+(?=(?:{names})(?![\w-]))", text)


def words_of(problem: Problem) -> set[str]:
    return {*(problem.demonstration or "").split(), *(w for m in problem.messages for w in m["content"].split())}


def test_a_demonstration_is_right_has_one_wrong_step_where_it_corrects_one_and_is_made_of_the_models_words():
    known = {*vocabulary()}
    for problem in PROBLEMS:
        for wanted in (ALL, ("analysis", "self_evaluation"), ("self_correction",), ()):
            made, shown = demonstrate(problem, wanted, 0)
            assert world.verify(made, parse_trace(made.demonstration)).score == 1.0
            found = check_steps(problem, steps_of(made.demonstration))
            assert found.count(False) == ("self_correction" in wanted), made.demonstration
            assert all(word in known or word.isdigit() for word in words_of(made))
            digits = problem.tags["digits"]
            lacking = {"decomposition"} if digits == 1 else set()  # numbers of one digit have no parts
            brought = {"self_evaluation"} if "self_correction" in wanted else set()
            assert shown == ({*wanted} - lacking) | brought


def test_an_example_in_full():
    made, _ = demonstrate(SUM, ("analysis", "decomposition", "alternative", "completion"), 0)
    assert made.demonstration == (
        "<think> i need 97 plus 96 . 97 is 90 and 7 . 96 is 90 and 6 . ones 7 plus 6 is 3 carry 1 tens 9 plus 9 plus 1 is 9 "
        "carry 1 hundreds 1 but i can do it with 97 plus 90 is 187 . 187 plus 6 is 193 . so the answer is 193 . </think> 193"
    )


@pytest.mark.parametrize(("true", "false"), [
    ("i need 97 plus 96 .", "i need 97 plus 69 ."), ("97 is 90 and 7 .", "97 is 90 and 6 ."),
    ("187 plus 6 is 193 .", "187 plus 6 is 194 ."),
    ("so the answer is 193 .", "so the answer is 192 ."), ("is it so ? yes .", "is it so ? no ."),
])  # fmt: skip
def test_a_sentence_that_is_not_true_makes_its_step_wrong(true, false):
    problem = SUM
    text = f"<think> ones 7 plus 6 is 3 carry 1 tens 9 plus 9 plus 1 is 9 carry 1 hundreds 1 {true} </think> 193"
    assert check_steps(problem, steps_of(text)) == [True] * 4
    assert check_steps(problem, steps_of(text.replace(true, false))) == [True, True, False, True]
    # A wrong column that is said to be so, and one that is taken back: either way it is wrong, and only the correction is right.
    wrong = text.replace(f"hundreds 1 {true}", "hundreds 2")
    assert check_steps(problem, steps_of(wrong)) == [True, True, False, True]
    mended = text.replace(f"hundreds 1 {true}", "hundreds 2 is it so ? no . hundreds 1")
    assert check_steps(problem, steps_of(mended)) == [True, True, False, True, True]


def test_a_revision_calls_wrong_what_is_wrong_and_ends_right():
    wrong = 0
    for problem in PROBLEMS:
        made, shown = revision(problem, 1)
        question, answered, asks = made.messages
        was_right = world.verify(problem, parse_trace(answered["content"])).score == 1.0
        assert ("self_correction" in shown) is not was_right and question == problem.messages[0] and asks["role"] == "user"
        says_no = "? no ." in made.demonstration or "？ 不 。" in made.demonstration
        assert says_no is not was_right and world.verify(made, parse_trace(made.demonstration)).score == 1.0
        wrong += not was_right
    assert 40 < wrong < 80  # half of 120: 4 deviations are 22


def test_what_is_no_sum_of_the_world_is_refused():
    with pytest.raises(ValueError, match="expected a sum"):
        demonstrate(Problem("x", ({"role": "user", "content": "what is 3 minus 1 ?"},), "2", "world", language="en"), (), 0)

"""The class: answers that are equal to the right one and leave the operation to the reader. Repeating a sum solves nothing."""

import pytest

from sanmai.data.stories import KINDS, make_stories
from sanmai.data.trace import parse_trace
from sanmai.rewards.verifiers import VERIFIERS
from sanmai.types import Problem

ASKED = Problem("p", ({"role": "user", "content": "What is 6 + 6?"},), answer="12", verifier="number")


def score(text: str) -> float | None:
    return VERIFIERS["number"](ASKED, parse_trace(text), timeout_seconds=5.0).score


@pytest.mark.parametrize("text", [
    "The answer is 6 + 6.", "6+6", r"\boxed{3 \times 4}", r"\boxed{\frac{24}{2}}", r"\boxed{\sqrt{144}}", "The answer is 24/2",
    "The answer is 20 - 8.", "The answer is 3 × 4.", "The answer is 3 x 4", r"The answer is $2^2 \cdot 3$", "= 15 − 3",
    "The answer is 10 plus 2", r"\boxed{6 + (6)}", "12 = 6 + 6", r"\boxed{(3)(4)}", r"\boxed{\binom{12}{1}}", r"\boxed{0x0C}",
])  # fmt: skip
def test_an_operation_left_to_do_is_no_answer(text):
    assert score(text) != 1.0


@pytest.mark.parametrize("text", [
    "The answer is 12.", "6 + 6 = 12", "6 + 6 = 12. The answer is 12.", r"\boxed{12}", "The answer is 6 + 6 = 12 apples.", "12",
    "The answer is $12.", "The answer is 12.0", "<think> 6 + 6 </think> 12",
    "So the answer is 2 * 6 = 12 books.\nThe answer is 12",
    "La respuesta es 12.",
])  # fmt: skip
def test_a_sum_with_its_value_is_one(text):
    assert score(text) == 1.0


def test_where_no_plain_number_is_asked_for_it_is_the_verifier_math():
    half = Problem("p", ({"role": "user", "content": "x"},), answer="1/2", verifier="number")
    assert VERIFIERS["number"](half, parse_trace(r"\boxed{\frac{1}{2}}"), timeout_seconds=5.0).score == 1.0


def test_every_story_is_solved_by_its_own_solution_and_not_by_its_question():
    for problem in make_stories(4 * len(KINDS), seed=1, levels=(1, 2)):
        assert problem.verifier == "number"
        verify = VERIFIERS[problem.verifier]
        assert verify(problem, parse_trace(problem.demonstration), timeout_seconds=5.0).score == 1.0
        assert verify(problem, parse_trace(problem.prompt), timeout_seconds=5.0).score != 1.0

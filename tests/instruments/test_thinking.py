"""What thinking costs, on numbers worked by hand."""

from math import exp, inf, isnan, log, sqrt

import pytest

from sanmai.data.trace import parse_trace
from sanmai.instruments.thinking import abstains, length_ratio, repetition_share, thinking, tokens_per_correct


@pytest.mark.parametrize(
    "answer",
    ["The price is not given, so the total cannot be determined.", "Could you please provide the number of students?",
     r"\boxed{\text{cannot be determined}}", "Without further information about x this has no value.",
     "题目条件不足，无法确定答案。",
     "The question is underspecified."],
)  # fmt: skip
def test_saying_that_the_question_lacks_something_is_abstention(answer):
    assert abstains(answer)


@pytest.mark.parametrize(
    "answer",
    [r"The price is not given; assuming 5, the total is \boxed{20}.", r"\boxed{12}",
     "We need to find the values. The answer is 3.",
     r"\boxed{\text{undefined}}", "So the answer is 3.", ""],
)  # fmt: skip
def test_an_answer_in_spite_of_a_gap_is_none(answer):
    assert not abstains(answer)


def test_the_length_ratio_has_the_interval_of_the_delta_method():
    # Means 30 and 10; variances (n - 1) 200 and 8; relative variances of the means 200/2/900 = 1/9 and 8/2/100 = 1/25.
    found = length_ratio([20, 40], [8, 12])
    error = sqrt(1 / 9 + 1 / 25)
    assert found.value == pytest.approx(3.0)
    assert (found.low, found.high) == pytest.approx((exp(log(3) - 1.96 * error), exp(log(3) + 1.96 * error)))
    assert isnan(length_ratio([], [1]).value) and length_ratio([4], [2]).high == inf
    with pytest.raises(ValueError, match="counts"):
        length_ratio([-1], [1])


def test_tokens_of_wrong_answers_are_paid_for_too():
    assert tokens_per_correct([10, 20, 30], [1.0, 0.0, 1.0]) == 30.0  # 60 tokens for 2
    assert tokens_per_correct([10], [0.0]) == inf
    with pytest.raises(ValueError, match="2 counts"):
        tokens_per_correct([1, 2], [1.0])


def test_repetition_is_the_share_of_pieces_in_repeated_ngrams():
    # 10 words, of which "a b" stands twice: 4 of 10 in repeated bigrams.
    assert repetition_share(parse_trace("aa bb cc aa bb dd ee ff gg hh"), ngram=2) == pytest.approx(0.4)


def test_shares_are_of_all_completions_and_abstention_of_the_finished_ones():
    texts = ["<think>one two</think>4", "<think>one two three four", "tagless</think>It cannot be determined.", "4"]
    found = thinking([parse_trace(text) for text in texts])
    assert (found.thinks.value, found.incomplete.value) == (0.5, 0.25)
    assert (found.abstains.value, found.abstains.n) == (pytest.approx(1 / 3), 3)
    assert found.thought_words == (2 + 4 + 1 + 0) / 4
    assert thinking([parse_trace("4")] * 4, ["a", "a", "b", "b"]).thinks.n == 2  # prompts, not samples

"""The classes: what surrounds a final answer (tokens, open tag, sentence, choice text, several boxes, a clause after it)."""

import pytest
from tests.answers.test_answer_languages import grade

RIGHT = [
    ("#### 5</s>", "5"), ("The answer is 5<|im_end|>", "5"), ("#### 42<|eot_id|>\n", "42"), ("\\boxed{5}<|endoftext|>", "5"),
    ("The answer is 5<end_of_turn>", "5"), ("Answer: 7<｜end▁of▁sentence｜>", "7"), ("<think>2+3</think><answer>5", "5"),
    ("<think>a</think>\n<answer>\n12\n", "12"),
    ("The answer is 45, and that is the total cost.", "45"), ("The answer is $18, in total.", "18"),
    ("**Final Answer**: The count is **73**.", "73"), ("<answer>The total cost is $45.</answer>", "45"),
    ("**Final Answer**\nThe area is $\\frac{3}{4}$.", "3/4"), ("So \\boxed{E: A polygenic score}.", "E"),
    ("The correct option is **E**.", "E"), ("Answer: E - a polygenic score", "E"), ("\\boxed{\\text{(B) The Nile}}", "B"),
    ("The roots are \\boxed{3}, \\boxed{5} and \\boxed{7}.", "3,5,7"), ("a = \\boxed{3}, b = \\boxed{4}", "(3,4)"),
    ("The answer is 18.", "She makes 18 dollars.\n#### 18"), ("\\boxed{18}", "The total cost is $18."),
]  # fmt: skip
WRONG = [
    ("The answer is 45, or forty-six.", "45"), ("The answer is 45, but not really.", "45"), ("<answer>", "5"),
    ("**Final Answer**: The count is not **73**.", "73"), ("<answer>The cost is $45 or $46.</answer>", "45"),
    ("**Final Answer**: The count is 73 times two.", "73"), ("\\boxed{\\text{(B) or (C)}}", "B"),
    ("\\boxed{3} or \\boxed{5}", "3"), ("The roots are \\boxed{3}, \\boxed{5}.", "3,5,7"), ("Answer: A - B", "A"),
    ("\\boxed{D: not (E)}", "D"), ("a = \\boxed{4}, b = \\boxed{3}", "(3,4)"), ("The answer is 45, plus tax.", "45"),
]  # fmt: skip


@pytest.mark.parametrize(("response", "reference"), RIGHT)
def test_a_right_answer_counts_whatever_stands_around_it(response: str, reference: str) -> None:
    assert grade(response, reference, "Which? A. x B. y C. z D. w E. v") == 1.0


@pytest.mark.parametrize(("response", "reference"), WRONG)
def test_what_stands_around_it_lends_no_credit(response: str, reference: str) -> None:
    assert grade(response, reference, "Which? A. x B. y C. z D. w E. v") == 0.0

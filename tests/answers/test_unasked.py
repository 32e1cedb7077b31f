"""Numbers of something else than the result, beside the same words where they speak of it; what shows a form of answers."""

import pytest

from sanmai.answers.final import verify_math
from sanmai.data.trace import parse_trace
from sanmai.types import Problem

OTHERS = """
For example {"answer": 8} would be the format. | The format is {"answer": 8}. | Respond like this: {"answer": 8}
e.g. {"answer": 8} | An example output: <answer>8</answer> | Your output should look like <answer>8</answer>. | such as \\boxed{8}
For instance, \\boxed{8} would be how to write it. | Template: {"answer": 8} | {"answer": 8} is just an example.
If it were even, {"answer": 8} would be right. | Lower bound = 8 | The incorrect total is 8. | The page number is 8. | Section = 8
The false result is 8. | Bad estimate = 8 | The estimate is 8. | The problem number is 8. | The old total is 8. | Candidate = 8
The previous total was 8. | A common mistake is 8. | The hypothetical total is 8.
The so-called total is 8. | The given number is 8.
Ignoring the last term, the sum is 8. | Check whether the total is 8. | The subtotal is 8. | Carry = 8 | The confidence is 8.
In the worst case, the count is 8. | Two of the boxes weigh 8. | The sum of the first part is 8. | The overestimate is 8.
"""
RESULTS = """
Here is the JSON: {"answer": 8} | In the requested format: {"answer": 8} | {"answer": 8} I used the format you asked for.
Following the example format, my answer is {"answer": 8} | The answer should be \\boxed{8}. | The final output must be \\boxed{8}
For example, 2*4 works. So the answer is \\boxed{8}. | The missing number is 8. | The number of pages is 8. | The old man is 8.
The maximum is 8. | The original number is 8. | The sample mean is 8.
The number of possible outcomes is 8. | The test has 8 questions.
The least common multiple is 8. | The value of the expression is 8. | The 5th term is 8. | The length of the side is 8 cm.
Area: 8 | Total distance: 8 km | He reads 8 pages. | She needs 8 more minutes. | After two hours, there are 8 left. | d = 2r = 8
"""
CALLS = [
    '<tool_call>\n{"name": "submit", "arguments": {"answer": 8}}\n</tool_call>', '{"name": "calc", "arguments": {"answer": 8}}',
    '<|python_tag|>{"name": "f", "parameters": {"answer": 8}}', '[TOOL_CALLS][{"name": "f", "arguments": {"answer": 8}}]',
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{"answer": 8}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    '<function=calc>{"answer": 8}</function>', '<tool_response>{"answer": 8}</tool_response>',
    '<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{"answer": 8}<|tool_call_end|>',
]  # fmt: skip
BESIDE_CALLS = ['{"name": "Tom", "answer": 8}', '<tool_call>{"name": "c", "arguments": {}}</tool_call>\nThe answer is 8.']
LISTS = ["a = 1\nb = 8", "x = 1\n\ny = 8", "- a = 1\n- b = 8", "width = 2\nheight = 8", "y = 3, x = 8", "$y = 3$ $x = 8$"]
STEPS = ["x + 1 = 9\nx = 8", "y = 2\n\nSo x = 8", "x = 16/2\nx = 8", "Apples = 3 + 1 = 4\nPears = 8", "r = 4\nd = 2r = 8"]
ASKED = [
    ("The page number is 8.", "On which page number does the chapter begin?"),
    ("Lower bound = 8", "What is the lower bound?"),
    ("The rough estimate is 8.", "Give a rough estimate."),
    ("a = 1\nb = 8", "What is b?"),
    ("Excluding Bob, there are 8 people.", "Excluding Bob, how many people came?"),
]


def cases(text):
    return [case.strip() for line in text.strip().splitlines() for case in line.split(" | ")]


def score(response, question="p"):
    problem = Problem("p", ({"role": "user", "content": question},), answer="8")
    return verify_math(problem, parse_trace(response)).score


@pytest.mark.parametrize("response", cases(OTHERS) + LISTS + CALLS)
def test_a_number_of_something_else_than_the_result_earns_nothing(response):
    assert score(response) == 0.0


@pytest.mark.parametrize("response", cases(RESULTS) + STEPS + BESIDE_CALLS)
def test_the_same_words_about_the_result_cost_nothing(response):
    assert score(response) == 1.0


@pytest.mark.parametrize(("response", "question"), ASKED)
def test_a_question_that_has_the_word_asks_for_the_thing(response, question):
    assert score(response, question) == 1.0
    assert score(response) == 0.0

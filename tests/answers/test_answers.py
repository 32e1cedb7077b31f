"""The accuracy grader against what has fooled graders: right and wrong side by side, and the recorded oracle."""

from __future__ import annotations

import itertools
import time

import pytest

from sanmai.answers.final import final_answers, verify_math
from sanmai.answers.math import compare
from sanmai.data.trace import parse_trace
from sanmai.rewards.score import score
from sanmai.rewards.verifiers import accuracy
from sanmai.types import InputError, Problem
from shared_data import shared_rows


def grade(reference, response, prompt="?", **trace):
    problem = Problem("x", ({"role": "user", "content": prompt},), reference)
    return verify_math(problem, parse_trace(response, **trace), timeout_seconds=3)


def test_all_recorded_gsm8k_flags_are_reproduced():
    rows, flags = [], []
    for row in shared_rows("gsm8k/example_model_solutions_dev.jsonl"):
        number = row["ground_truth"].rpartition("A:")[2].strip()
        for model in ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"):
            for reference in (number, row["ground_truth"]) if model == "175b_verification" else (number,):
                rows.append({"id": len(rows), "response": row[model]["solution"], "reference": reference})
                flags.append(float(row[model]["is_correct"]))
    start = time.process_time()
    result = score(rows, "math")
    assert [r["id"] for r, flag in zip(result["rows"], flags, strict=True) if r["score"] != flag] == []
    assert len(flags) == 5 * 950 and time.process_time() - start < 20


def test_every_math500_reference_is_right_by_its_own_solution_and_by_itself():
    for row in shared_rows("math500/math500_dev.jsonl"):
        for reference, response in [
            (row["answer"], row["solution"]),
            (row["solution"], f"\\boxed{{{row['answer']}}}"),
            (row["answer"], f"The answer is ${row['answer']}$."),
            (row["answer"], row["answer"]),
            (row["answer"], f"Final Answer: The final answer is ${row['answer']}$. I hope it is correct."),
            (row["answer"], f"**Answer:** {row['answer']}"),
            (row["answer"], f"## Final Answer\n\n\\[\n{row['answer']}\n\\]"),
        ]:
            verdict = grade(reference, response, row["problem"])  # which asks for a percentage, here and there
            assert verdict.score == 1.0, (row["unique_id"], reference, response[-200:])


def test_math500_references_are_wrong_for_each_other():
    answers = sorted({row["answer"] for row in shared_rows("math500/math500_dev.jsonl")})[:60]
    for reference, other in itertools.pairwise(answers):
        verdict = grade(reference, f"\\boxed{{{other}}}")
        assert verdict.score == 0.0 or other in ("10080", "10,\\!080", "\\frac 34"), (reference, other, verdict)


# reference | what is equal | what is not
EQUAL_OR_NOT = [
    ("18", ["18", "18.0", "018", "+18", "$18", "\\$18", "$18$", "18 dollars", "18.", "x = 18", "36/2", "\\frac{36}{2}",
            "2 \\cdot 9", "\\sqrt{324}", "18\\text{ eggs}", "**18**", "6 \\cdot 3 = 18", "18 dollars per day", "=18", "18,",
            "\\text{Answer: }18", "AB = 18", "f(2) = 18", "\\text{Area} = 18", "m\\angle A = 18", "18 cm^2",
            "18\\text{ cm}^2", "18 (dollars)", "USD 18", "18 $", "'18'", "18\\text{ h}", "18 duck eggs"],
     ["180", "1.8", "118", "-18", "18.01", "18.0000000000001", "17", "1,8", "18 million", "18 and a half", "18/2",
      "18!", "19 = 18", "18 = 19", "18^2", "18 19", "18, 19", "17 < 18", "18 or 19", "not 18", "18?", "18i", "x",
      "18 hundred", "18\\text{ thousand}", "18 squared", "\\{17, 18\\}", "18 \\pm 1", "18万", "18 is wrong",
      "18%", "18xy", "18ie", "18dx-", "18 nineteen", "18 lakh", "18 lakh rupees", "18 negative", "18 trillionths",
      "18 dozen", "18ish", "~18", "18左右", "18以上", "\\not= 18", "\\le= 18", "\\approx= 18", "18_x", "18_\\pi", "18_{x}",
      "18 e 3", "18e1"]),
    ("1,200", ["1200", "$1,200.00", "1,200 meters", "1{,}200", "1\\,200", "1.2 \\times 10^3"], ["1.2", "1,2", "12,00"]),
    ("-3", ["-3", "−3", "-\\$3", "- 3", "-3.00"], ["3", "--3", "+3", "3-", "-(-3)"]),
    ("0.5", ["1/2", "\\frac12", "\\dfrac{1}{2}", ".5", "0.50", "50\\%"], ["0.05", "0,5", "5", "2"]),
    ("1/3", ["\\frac{1}{3}", "2/6"], ["0.333", "0.3333333333", "3"]),
    ("50\\%", ["50", "50%", "0.5", "50 \\text{ percent}"], ["5", "0.05", "500%"]),
    ("\\frac{3}{2}", ["1.5", "1\\frac{1}{2}", "1 1/2", "3/2"], ["2/3", "11/2", "\\frac{2}{3}"]),
    ("2\\sqrt{5}", ["\\sqrt{20}", "2 \\sqrt 5", "\\sqrt5\\cdot2"], ["\\sqrt{10}", "4.47", "2\\sqrt{3}",
     "4.47213595499958"]),
    ("\\pi", ["\\pi"], ["3.14", "3.14159265358979"]),
    ("1.5x", ["\\frac32 x", "1.5x"], ["1.5", "x"]),
    ("2ab", ["2ab", "ab \\cdot 2"], ["2", "2cd", "2a", "ab"]),
    ("12pq", ["12pq"], ["12"]),
    ("5 km", ["5", "5 kilometers", "5\\text{ km}", "5000 m"], ["5 miles", "5 km^2", "500 m"]),
    ("18 dollars", ["\\$18", "18 USD"], ["18 dollars per day", "18 cents", "18 euros", "18 eggs"]),
    ("\\$36", ["36 dollars", "36"], ["36 cents"]),
    ("6\\pi", ["6\\pi \\text{ cm}", "6 \\pi"], ["6"]),
    ("300000000", ["3e8", "3 \\times 10^8"], ["3e7", "3"]),
    ("6 - 5i", ["6 - 5\\mathrm{i}", "-5i + 6"], ["6 + 5i"]),
    ("\\begin{pmatrix} 3 & 4 \\\\ 0 & 1 \\end{pmatrix}",
     ["\\begin{bmatrix}3&\\frac82\\\\0&1\\end{bmatrix}",
      "\\left(\\begin{array}{cc} 3 & 4 \\\\ 0 & 1 \\end{array}\\right)"],
     ["\\begin{pmatrix} 3 & 4 \\\\ 1 & 0 \\end{pmatrix}", "\\begin{pmatrix} 3 & 4 & 0 & 1 \\end{pmatrix}", "3, 4, 0, 1"]),
    ("(3,4]", ["(3, 4]", "\\left(3,4\\right]"], ["(3,4)", "[3,4]", "3,4]", "(4,3]"]),
    ("(1,2)", ["(1, 2)", "\\left(\\frac{2}{2}, 2\\right)"], ["(2,1)", "2,1", "\\{1,2\\}", "(1,2,3)"]),
    ("1,-2", ["-2, 1", "\\{-2,1\\}", "1 \\text{ and } -2", "x=1 \\text{ or } x=-2",
                 "x_1 = 1, x_2 = -2", "$1$ and $-2$"], ["x = 1, y = -2", "1", "-2", "1,2", "1,-2,3", "(1,-2)"]),
    ("\\{1,2,3\\}", ["1, 2, and 3", "1, 2, \\text{ and } 3", "3,2,1"], ["1, 2", "(1,2,3)"]),
    ("x \\in [-2,7]", ["[-2,7]", "x \\in [-2, 7]"], ["(-2,7)", "[-2,7)"]),
    ("\\frac{1}{2}", ["{1\\over 2}", "1 \\over 2", "0.5"], ["{2\\over 1}", "0.5xy", "1"]),
    ("1 \\pm \\sqrt{19}", ["1+\\sqrt{19}, 1-\\sqrt{19}", "1-\\sqrt{19}, 1+\\sqrt{19}"], ["1+\\sqrt{19}", "1"]),
    ("x=5", ["5", "x = 5"], ["y=5", "x=6", "x"]),
    ("5x - 7y + 11z + 4 = 0", ["5x-7y+11z+4=0", "-5x+7y-11z-4=0"], ["5x-7y+11z+4", "5x-7y+11z+5=0"]),
    ("52_8", ["52_8", "52_{8}", "52"], ["52_9", "42", "52_{10}"]),
    ("90^\\circ", ["90", "90°", "90 degrees", "90^{\\circ}"], ["90^2", "9"]),
    ("\\text{east}", ["east", "East", "\\text{East}", "\\textbf{east}"], ["seat", "west", "not east", "e a s t",
     "northeast"]),
    ("\\text{Evelyn}", ["Evelyn", "\\texttt{Evelyn}", "\\textrm{Evelyn}"], ["Eve", "Evelyne"]),
    ("\\text{no solution}", ["\\text{No solution}", "No solution"], ["solution", "no", "0"]),
    ("\\text{(C)}", ["C", "(C)", "c", "\\text{(C) } 5"], ["(C) or (D)", "B", "(B)", "C and D", "A, B, C, D"]),
    ("x^2-1", ["(x-1)(x+1)", "-1+x^2"], ["x^2+1", "(x-1)^2", "x^2"]),
    ("\\infty", ["\\infty"], ["-\\infty", "inf", "0"]),
]  # fmt: skip


@pytest.mark.parametrize(("reference", "equal", "different"), EQUAL_OR_NOT, ids=[row[0] for row in EQUAL_OR_NOT])
def test_equal_and_different_answers(reference, equal, different):
    assert [x for x in equal if grade(reference, f"\\boxed{{{x}}}").score != 1.0] == []
    assert [x for x in different if grade(reference, f"\\boxed{{{x}}}").score == 1.0] == []
    assert [x for x in different if compare(reference, x).score == 1.0] == []


STATED = [
    "18", "#### 18", "A: 18", "so it is\nA: 18", "Answer: 18", "**Answer:** 18", "**Final Answer**: $18$",
    "answer: 18",
    "The answer is 18.", "The final answer is $18$.", "The answer is: 18", "The answer is \\boxed{18}.", "\\boxed{18}",
    "Therefore, the answer is \\(18\\).", "<answer>18</answer>", "<answer> \\boxed{18} </answer>", "答案是18。",
    "答案：18",
    "<answer>The answer is 18.</answer>", "So \\boxed{\\boxed{18}}", "\\boxed{18} and again \\boxed{18.0}", "$18$",
    "The answer is 18, because 2 times 9 is 18.", "It is not 17. The answer is 18.", "\\[ \\boxed{18} \\]", "x = 18",
    "The answer to the question is 18.", "She makes 9 * 2 = <<9*2=18>>18 dollars.\n#### 18", "答案是18个鸡蛋",
    "<think>17? \\boxed{17}</think>\\boxed{18}", "wait, 17 is wrong\n#### 18", "Answer: $18 per day",
    "Boxes with neither pens nor pencils: \\boxed{18}", "- \\boxed{18}", "**\\boxed{18}**",
    "= \\boxed{18}^\\circ", "\\boxed{18}!",
    # Marks inside marks, headings, lists.
    "Final Answer: The final answer is $18$. I hope it is correct.", "A: The answer is 18.", "#### The answer is 18",
    "A: There are 16 eggs. 16-3-4 = 9. The answer is 18.", "**A: 18**", "A：18", "<answer>#### 18</answer>", "- Answer: 18",
    "## Final Answer\n\n18", "**Final Answer**\n\n18", "Answer\n18", "The answer is\n\n\\[\n18\n\\]", "### Answer:\n18",
    "Ans: 18", "Step 3: The answer is 18", "答案等于18", "答:18", "答案：**18**", "**Final Answer:**\n\\[\n\\boxed{18}\n\\]",
    # What follows an answer and leaves it alone.
    "The answer is 18.\n1. First, 16-7=9. 2. Then 9*2=18", "The answer is 18, not 17.", "The answer is 18!",
    "**Answer:** $18\n\n**Explanation:** We have\n- 16\n- 7\n- 9", "\\boxed{18}\n\nNote: all are sold. Maybe.",
    "The answer is 18. Wait, let me double check: 9*2 = 18. Yes, the answer is 18.",
    "\\boxed{18}\n\nWait, let me verify: 9*2=18.\n\n\\boxed{18}", "\\boxed{18}$ for all $i \\ge 5.$",
    "The answer is 18. This is because she sells 9 eggs at $2 each.", "Answer: 18\n\nShe has 16 eggs and eats 3 of them.",
    # Words and signs about the number.
    "The answer is clearly 18", "The answer is, therefore, 18", "The answer is 18 (dollars)", "The answer is USD 18",
    "The answer is 18 $", "The answer is '18'", 'The answer is "18".', "\\boxed {18}", "\\fbox{18}",
    "Therefore, my final answer is 18 dollars.",
]  # fmt: skip
NOT_STATED = [
    "", " ", "She sells 9 eggs at $2, which makes 18 dollars a day in all, I think.", "16\n17\n18\n19", "16 17 18 19",
    "16, 17, 18, 19", "The answer is 16, 17, 18 or 19.", "The answer is 17 or 18.", "The answer is either 18 or 19",
    "The answer is one of 17, 18, 19.", "Answer: 17/18/19", "Answer: 18 19", "Answer: 18; 19", "Answer: 18|19",
    "The answer is 17. The answer is 18.", "\\boxed{17} \\boxed{18}", "\\boxed{18} or \\boxed{19}", "\\boxed{17, 18}",
    "\\boxed{17 \\text{ or } 18}", "#### 17\n#### 18", "A: 18\nA: 19", "\\boxed{18}\n#### 19", "Answer: 18\n19\n20",
    "The answer is 18. 19. 20.", "The answer is between 17 and 19", "The answer is not 18.", "It is not \\boxed{18}.",
    "The answer isn't 18", "anything but \\boxed{18}", "The wrong answer: 18", "If the answer is 18 then what?",
    "\\boxed{18}. Wait, it is 19.", "The answer is 18. No, 19.", "\\boxed{18} is wrong.", "#### 18\nor maybe 19",
    "Answer: 18, or possibly 19", "The answer is 18 hundred", "The answer is 180", "The answer is 1.8",
    "The answer is 118",
    "\\boxed{-18}", "\\boxed{}", "\\boxed{18", "\\boxed 18}", "<answer>18", "The answer is ?18",
    "\\boxed{¹⁸}", "\\boxed{1８}", "\\boxed{𝟏𝟖}", "\\boxed{⑱}", "\\boxed{1\u200b8}", "\\boxed{nan}", "\\boxed{inf}",
    "\\boxed{print(18)}", "```python\nprint(18)\n```", "\\boxed{int('18')}", "\\boxed{\\text{the answer}}", "True",
    "\\boxed{x}", "\\boxed{18=x=19}", "\\boxed{*}", "\\boxed{.*}", "\\boxed{18 \\quad 19}", "\\boxed{18 \\\\ 19}",
    "\\boxed{18 & 19}", "\\boxed{\\{18\\} \\cup \\{19\\}}", "\\boxed{18 \\phantom{0}}", "\\boxed{18 \\text{ or more}}",
    "\\boxed{18 \\boxed{19}}", "\\boxed{1}\\boxed{8}", "<think>\\boxed{18}", "<think>\\boxed{18}</think>",
    "<think>the answer is 18</think>I do not know.", "答案是17或18", "答案不是18", "\\boxed{\\le 18}", "Answer: > 17",
    "\\boxed{\\approx 18}", "\\boxed{18 \\ldots}", "\\boxed{\\infty}",
    "The answer is 18 if x is 1, 19 if 2",
    "the answer is 17 or \\boxed{18}", "\\boxed{18}\\text{ is not the answer}", "-\\boxed{18}", "2 \\cdot \\boxed{18}",
    "100 - \\boxed{18}", "\\boxed{18}^{2}", "\\boxed{18}.5", "\\boxed{18} + 1", "A: 18\n000", "<answer>17 18</answer>",
    "<answer>17</answer><answer>18</answer>", "答案是18，不对，是19", "Answer: 18 - 19", "Answer: 0x12",
    "The answer is 18 times 2",
    # Every marked answer counts.
    "The answer is 18. The answer is 19.", "The answer is 18, so the final answer is 36.", "\\boxed{18}\n\\fbox{19}",
    "First I thought the answer is 18. After checking, the final answer is 19.", "The answer is\n1. 18\n2. 19",
    # Rivals after it.
    "\\boxed{18} (or 19)", "\\boxed{18} (alternatively 19)", "The answer is 18. Or 19.", "\\boxed{18}. Hmm, 19?",
    "The answer is 18. But it could be 19", "The answer is 18. Sorry, 19", "\\boxed{18}\nResult: 19",
    "The answer is 18. I made an error; the result is 19", "#### 18\nLet me recompute. The total is 19",
    "Answer: 18\nFinal result = 19", "\\boxed{18}, maybe", "答案是18，也许19", "答:18或19", "\\boxed{18} million",
    "The answer is definitely 19. \\boxed{18}", "\\boxed{18}. However, the correct one is 19.", "The answer is 18. False.",
    # Asked, denied, attributed, or part of something.
    "Is the answer \\boxed{18}? No.", "Could it be \\boxed{18}? No.", "\\boxed{18}?", "Is the answer 18?", "The answer is 18?",
    "They claim the answer is 18. They're mistaken.", "Nobody thinks the answer is 18", "Half the answer is 18",
    "Twice the answer is 18", "The square of the answer is 18", "The opposite of the answer is 18", "Non-answer: 18",
    "The intermediate answer is 18. The total is 36.", "Unacceptable answer: 18",
    "The answer to the first part is 18. The answer to the second part is 19.",
    "\\boxed{17} is the answer; the answer is 18", "1. 2. 3. 18.", "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18",
]  # fmt: skip


@pytest.mark.parametrize("response", STATED)
def test_a_stated_answer_is_right_for_18_and_wrong_for_19(response):
    assert grade("18", response).score == 1.0
    assert grade("#### 18", response).score == 1.0
    assert grade("19", response).score == 0.0


@pytest.mark.parametrize("response", NOT_STATED)
def test_what_is_no_statement_of_18_is_never_right(response):
    assert grade("18", response).score == 0.0


def test_labels_say_what_was_missing():
    assert grade("18", "<think>18").label == "incomplete"
    assert grade("18", "\\boxed{18}", is_truncated=True).label == "incomplete"
    assert grade("18", "I make 18 of it all.\nGood night.").label == "no_answer"
    assert grade("18", "\\boxed{17} \\boxed{18}").label == "ambiguous"
    assert grade("18", "\\boxed{17, 18}").label == "ambiguous"
    assert grade("18", "\\boxed{17}").label == "wrong"


def test_a_percent_sign_is_dropped_where_a_percentage_was_asked_for():
    assert compare("18", "18\\%", is_percentage_asked=True).score == 1.0
    assert compare("18", "18\\%").score == 0.0
    problem = Problem("x", ({"role": "user", "content": "What percentage of the eggs is sold?"},), "18")
    assert verify_math(problem, parse_trace("\\boxed{18\\%}")).score == 1.0


def test_a_reference_may_be_a_sentence():
    assert grade("The answer is 18.", "\\boxed{18}").score == 1.0
    assert grade("The answer is 18.", "\\boxed{19}").score == 0.0


def test_who_breaks_the_grader_is_wrong_and_a_reference_that_does_is_ungradable():
    labels = {"9^{9^{9^9}}": "too_large", "99999999!": "too_large", "2^{10000}": "wrong", "10000!": "wrong"}
    for candidate, label in labels.items():
        assert (compare("18", candidate).score, compare("18", candidate).label) == (0.0, label)
    verdict = compare("18", "(x+1)^{999}(x-1)^{999}", timeout_seconds=0.5)
    assert (verdict.score, verdict.label) == (0.0, "timed_out")
    assert compare("9^{9^{9^9}}", "7").score is None and compare("2^{10000}", "7").score == 0.0


@pytest.mark.parametrize("reference", [None, "", "nan", "１８", "\\frac{", "x" * 2000, "?"])
def test_a_reference_that_cannot_be_read_is_ungradable_not_wrong(reference):
    verdict = grade(reference, "\\boxed{\\sqrt{3}}")
    assert (verdict.score, verdict.label) == (None, "ungradable") and verdict.reason


HOSTILE = [
    "9^{9^{9^9}}", "9^9^9^9", "10000000!", "2^{9999999999}", "((9^{99})^{99})^{99}", "3!!!!",
    "\\binom{99999999}{4999999}",
    "\\sqrt[99999999]{18}", "(x+1)^{999}(x-1)^{999}", "10^{999}", "\\frac{" * 100, "(" * 400 + "18" + ")" * 400,
    "1" * 5000,
    "\\sin(" * 60 + "18" + ")" * 60, "{" * 900, "-" * 900 + "18", "18" + "^2" * 300, "x^{x^{x^{x}}}", "\\left" * 100,
    "99999^{999}^{999}", "\\lfloor \\pi^{999} \\rfloor!",
]  # fmt: skip


def test_hostile_answers_are_never_right_and_take_bounded_time():
    start = time.perf_counter()
    for answer in HOSTILE:
        problem = Problem("x", ({"role": "user", "content": "?"},), "18")
        verdict = verify_math(problem, parse_trace(f"\\boxed{{{answer}}}"), timeout_seconds=0.5)
        assert verdict.score == 0.0, answer[:50]
    assert time.perf_counter() - start < 60
    assert grade("18", "\\boxed{2 \\cdot 9}").score == 1.0  # and the grader goes on working


@pytest.mark.parametrize(
    "piece",
    ["[", "(", "{", "\\boxed{", "\\boxed{18} ", "answer is ", "A: ", "#### 18\n", "18 ", "<answer>", "not ", " ",
     "1. ", "答案",
     "answer to a ", "`", "$", "18", "\\", "*", "the answer is 18. "],
)  # fmt: skip
def test_megabytes_of_anything_take_a_moment(piece):
    for size in (99_000, 10_000_000):
        text = piece * (size // len(piece))
        start = time.process_time()
        is_right = grade("18", text + "\\boxed{19}").score == 1.0
        grade("18", text)
        assert not is_right and time.process_time() - start < 10


def test_a_box_is_found_with_its_nested_braces():
    assert final_answers("so \\boxed{\\frac{1}{\\sqrt{2}}} and \\boxed{\\{1\\}}") == ["\\frac{1}{\\sqrt{2}}", "\\{1\\}"]


def test_an_unknown_verifier_is_named():
    with pytest.raises(InputError, match="problem x: verifier = 'proof'; expected one of code, environment, exact, expression"):
        accuracy(Problem("x", ({"role": "user", "content": "?"},), "1", "proof"), parse_trace("1"))

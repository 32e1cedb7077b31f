"""Ways to end with an answer, and the near misses: English endings, choices, sets, times, units and nouns of other languages.

Each row: the response, the reference, and the question where it matters.
"""

import pytest

from sanmai.answers.final import verify_math
from sanmai.data.trace import parse_trace
from sanmai.types import Problem

RIGHT = [
    ("Jibu ni saa 17.", "17 hours"),
    ("\\boxed{10\\text{ m}}", "10\\text{ meters}"),
    ("\\boxed{17 MB}", "17 megabytes"),
    ("\\boxed{\\{\\{1\\}\\}}", "\\{\\{1\\}\\}"),
    ("\\boxed{\\{1\\}}", "\\{1\\}"),
    ("\\boxed{1.5 million}", "1500000"),
    ("\\boxed{1.5x}", "1.5x"),
    ("\\boxed{17 men}", "17"),
    ("The final answer will be 17 apples.", "17"),
    ("The answer turns out to be 17.", "17"),
    ("giving a final answer of \\(17\\).", "17"),
    ("**Final result:** $17$", "17"),
    ("Solution: $x = 5$ and so on. The answer is 17.", "17"),
    ("Ans. 17", "17"),
    ("Therefore, **option C** is correct.", "C"),
    ("So the correct answer is option C.", "C"),
    ("\\boxed{17 \\text{ Äpfel}}", "17"),
    ("\\boxed{17 \\text{ elma}}", "17", "Ali'nin kaç elma var?"),
    ("\\boxed{17 \\text{ минут}}", "17 minutes"),
    ("\\boxed{17 \\text{ минут}}", "17"),
    ("\\boxed{17個}", "17"),
    ("\\boxed{\\text{Antwort: } 17}", "17"),
    ("Ответ: 1; 2", "1,2"),
    ("\\boxed{1,5 \\text{ Stück}}", "1.5"),
    ("Die Antwort ist 14:30 Uhr.", "2:30 PM"),
    ("Die richtige Antwort ist C) 17.", "C"),
    ("Die richtige Antwort ist C) 17.", "17"),
    ("Answer: 17 (not 18)", "17"),
    ("Answer: 3:4", "3:4"),
    ("The ratio is 3:4, so the answer is 3:4.", "3:4"),
    ("\\boxed{x^2 + C}", "x^2+C"),
]
WRONG = [
    ("Jibu ni saa 17.", "17 minutes"),
    ("\\boxed{10\\text{ M}}", "10\\text{ m}"),
    ("\\boxed{17 Mb}", "17 MB"),
    ("\\boxed{\\{\\{1\\}\\}}", "\\{1\\}"),
    ("Answer: 42\nConfidence: 95%", "95"),
    ("Answer: 42\nConfidence: 95%", "95%"),
    ("The answer will be 17 or 18.", "17"),
    ("The answer (guesses) is 17", "17"),
    ("The answer, then, is not 17.", "17"),
    ("we get the answer 17 wrong.", "17"),
    ("not the answer 17", "17"),
    ("Compare with answer 17", "17"),
    ("for a wrong answer of 17.", "17"),
    ("Result: 12\nFinal result: 17", "12"),
    ("Solution: 17 or 18", "17"),
    ("Ans. 17?", "17"),
    ("Therefore, option C is correct.", "B"),
    ("Option C is not correct.", "C"),
    ("Option C is correct or option D is.", "C"),
    ("Choice: C or D", "C"),
    ("Option A is correct. Option C is correct.", "A"),
    ("Thus option C is wrong.", "C"),
    ("Bob says option C is correct.", "C"),
    ("\\boxed{\\text{Option C or D}}", "C"),
    ("\\boxed{\\text{Option not C}}", "C"),
    ("\\boxed{3/8} or 0.5", "3/8"),
    ("Answer: 1/2, or 0.6", "1/2"),
    ("Answer: 1/2 (60%)", "1/2"),
    ("The answer is 3/4 of 8", "3/4"),
    ("The answer is 8:45 in the morning.", "8:45 PM"),
    ("The answer is 8:45 in the evening.", "8:45 AM"),
    ("\\boxed{17 \\text{ тысяч}}", "17"),
    ("\\boxed{17 \\text{ Äpfel oder mehr}}", "17"),
    ("\\boxed{17 \\text{ größer}}", "17"),
    ("\\boxed{17 \\text{ höchstens}}", "17"),
    ("\\boxed{17 \\text{ половин}}", "17"),
    ("\\boxed{17 \\text{ минут}}", "17 hours"),
    ("\\boxed{17 \\text{ นาที}}", "17 hours"),
    ("\\boxed{17万}", "17"),
    ("\\boxed{17 \\text{ приблизительно}}", "17"),
    ("\\boxed{17 \\text{ неверно}}", "17"),
    ("\\boxed{x=1 \\text{ oder } x=3}", "1,2"),
    ("\\boxed{\\{1; 3\\}}", "1,2"),
    ("Ответ: {1; 3}", "1,2"),
    ("Ответ: 17; 18", "17"),
    ("Ответ: $[2; 5]$", "[2,5)"),
    ("\\boxed{12{,}50}", "1250"),
    ("\\boxed{\\operatorname{tg} x}", "\\cot x"),
    ("\\boxed{\\operatorname{ctg} x}", "\\tan x"),
    ("\\boxed{\\gcd = 6}", "7"),
    ("\\boxed{\\begin{cases} x = 2 \\\\ y = 3 \\end{cases}}", "(3,2)"),
    ("\\boxed{[[2, 0], [0, 3]]}", "\\begin{pmatrix}3&0\\\\0&2\\end{pmatrix}"),
    ("La respuesta es 2:30 p. m.", "2:30 AM"),
    ("Ответ: 14:30", "2:30"),
    ("Die Antwort ist 14:30 Uhr oder 15:30 Uhr.", "14:30"),
    ("Antwort: 14:30 Uhr", "2:30 AM"),
    ("La réponse est 14h30 environ.", "14:30"),
    ("Die richtige Antwort ist C) 17.", "B"),
    ("Die richtige Antwort ist C) 17.", "18"),
    ("La opción correcta no es la C.", "C"),
    ("故选C或D。", "C"),
    ("不应选C。", "C"),
    ("不选C", "C"),
    ("25 퍼센트 답은 25퍼센트포인트", "25%"),
    ("Jibu ni asilimia 25.", "26%"),
    ("\\boxed{25\\text{ Prozentpunkte}}", "25\\%"),
    ("\\boxed{x^3+\\text{constant}}", "x^3"),
    ("\\boxed{1 \\text{ und } 2}", "1"),
    ("<b>Answer:</b> 17 or <b>18</b>", "17"),
    ("__Answer__: not 17", "17"),
    ("Final Answer\n=====\nnot 17", "17"),
    ("\\boxed{17 apples}", "18"),
]


def grade(response: str, reference: str, question: str = "p") -> float | None:
    problem = Problem("1", ({"role": "user", "content": question},), reference, "math")
    return verify_math(problem, parse_trace(response)).score


@pytest.mark.parametrize("row", RIGHT)
def test_an_answer_is_read_in_usual_endings(row):
    assert grade(*row) == 1.0


@pytest.mark.parametrize("row", WRONG)
def test_a_near_miss_of_an_ending_earns_nothing(row):
    assert grade(*row) != 1.0

"""More kinds of right answers that earned nothing, each with its class in words, members and wrong neighbours.

A box of a step is no rival of the one that is announced as the final answer; a value may be named the answer behind it; an option
may be given by its text; and numbers come with cents behind a comma, with a bar in dots, with the modulus they are taken by.
"""

import pytest

from sanmai.answers.final import verify_math
from sanmai.answers.options import options_of
from sanmai.data.trace import parse_trace
from sanmai.types import Problem

BOXED = "So we get \\boxed{%s}."
RIGHT = {
    "boxes of steps before the one that is announced as final": [
        ("**Step 1**: \\boxed{10}\n\n**Final Answer**\n\\boxed{20}", "20"),
        ("The radius is \\boxed{4}. Therefore the answer is \\boxed{16\\pi}.", r"16\pi"),
        ("I get \\boxed{10}. Wait, that's wrong. The answer is \\boxed{20}.", "20"),
        ("Zuerst \\boxed{3}. Die Antwort ist \\boxed{9}.", "9"),
    ],
    "a value that the words behind it call the answer": [
        ("Therefore, there are 14 students left, which is the final answer.", "14"),
        ("We get x = 14. This is our final answer.", "14"),
        ("$14$ is the answer to the question.", "14"),
    ],
    "one number denied and another said in one sentence": [
        ("The answer is not 11 but 12.", "12"),
        ("Die Antwort ist nicht 11, sondern 12.", "12"),
        ("La respuesta no es 11, sino 12.", "12"),
        ("答案不是11，而是12。", "12"),
    ],
    "boxes joined in one sentence": [
        (r"So \boxed{2} or \boxed{-2}.", r"\pm 2"),
        (r"First \boxed{x=1}, then \boxed{y=2}.", "x=1,y=2"),
    ],
    "cents behind a comma": [(BOXED % "€12,50", "12.5"), (BOXED % "1.250,00 €", "1250"), (BOXED % "R$ 3,20", "3.2")],
    "a period in dots": [(BOXED % "0.333...", r"\frac13"), (BOXED % r"0.1212\ldots", r"\frac{4}{33}")],
    "a power of a unit in small digits": [("**Answer:** 36 cm²", "36"), ("Answer: 5 m³", "5")],
    "one amount in two units": [(BOXED % "3 m", "300 cm"), (BOXED % "5 dollars and 25 cents", "5.25")],
    "a rank in words": [(BOXED % "the 3rd", "3")],
    "three numbers and more in brackets": [(BOXED % "[1, 2, 3]", r"\langle 1,2,3\rangle")],
    "antiderivatives that differ by a number": [(BOXED % r"-\frac{1}{2}\cos(2x)+C", r"\sin^2 x + C")],
    "numbers of choices": [(BOXED % "C(10,3)", "120"), (BOXED % "10C3", "120"), (BOXED % "{}_{10}C_3", "120")],
    "a value that an expression is not made for": [(BOXED % r"\frac{a}{b}, b \neq 0", r"\frac ab")],
    "an integer that a value is made of": [(BOXED % r"k = 2n+1, \; n \in \mathbb{Z}", "k=2n+1")],
    "the index of a sequence": [(BOXED % "a_n = 2^n - 1", "a_k=2^k-1")],
    "the modulus that a number is taken by": [(BOXED % r"17 \pmod{23}", "17"), (BOXED % r"40 \bmod 23", "17")],
    "about a decimal": [(BOXED % r"\approx 3.14", "3.14"), (BOXED % "x ≈ 0.75", "0.75")],
    "a small letter of another alphabet behind a number": [(BOXED % "3π", r"3\pi")],
    "a number in i": [(BOXED % "i^2", "-1")],
}
WRONG = {
    "two final answers": [
        ("The answer is \\boxed{10}. The answer is \\boxed{20}.", "20"),
        ("It's \\boxed{10} or the answer is \\boxed{20}", "20"),
        ("The final answer is \\boxed{10}. Let me double check. The final answer is \\boxed{20}.", "20"),
        ("The answer to (a) is \\boxed{3} and the answer to (b) is \\boxed{4}.", "4"),
        ("If x>0 the answer is \\boxed{3}; otherwise the answer is \\boxed{5}.", "5"),
    ],
    "somebody else's or a doubted one": [
        ("Bob gets 14, which is the wrong answer.", "14"),
        ("It is not 14, which is the answer of Bob.", "14"),
        ("We get 14 or 15. This is the answer.", "14"),
    ],
    "the number that is denied": [("The answer is not 11 but 12.", "11"), ("The answer is not 12 but larger.", "12")],
    "other amounts": [(BOXED % "5000 cm", "5 m"), (BOXED % "2 kg", "200 g"), (BOXED % "€12,50", "1250")],
    "other numbers": [
        (BOXED % "2.718281828...", "e"), (BOXED % "0.333...", "0.333"), (BOXED % r"\approx 3.15", "3.14"),
        (BOXED % r"\approx 5", "5"), (BOXED % "C(10,4)", "120"), (BOXED % r"41 \pmod{23}", "17"), (BOXED % "a third", "3"),
    ],
    "other lists and functions": [
        (BOXED % "[1,2]", "(1,2)"), (BOXED % "[1,3,2]", "(1,2,3)"), (BOXED % "x^2", "x^2+C"), (BOXED % "2C", "C"),
        (BOXED % "a_n=2^n", "a_k=2^{k+1}"), (BOXED % r"60^\circ", r"\frac{\pi}{3}"), (BOXED % r"x \ne 0", r"\frac ab"),
    ],
}  # fmt: skip


def grade(response: str, reference: str, prompt: str = "p") -> float | None:
    problem = Problem("1", ({"role": "user", "content": prompt},), reference, "math")
    return verify_math(problem, parse_trace(response)).score


@pytest.mark.parametrize("kind", RIGHT)
def test_a_right_answer_of_this_kind_earns_its_credit(kind: str) -> None:
    assert [case for case in RIGHT[kind] if grade(*case) != 1.0] == []


@pytest.mark.parametrize("kind", WRONG)
def test_its_neighbours_earn_none(kind: str) -> None:
    assert [case for case in WRONG[kind] if grade(*case) == 1.0] == []


INLINE = "Which is prime? (A) 4 (B) 7 (C) 9 (D) 10"
LINES = "What makes ATP?\nA. Nucleus\nB. Ribosome\nC. Mitochondria\nD. Golgi"
CONTEST = r"Solve. $\textbf{(A)}\ \frac12 \qquad \textbf{(B)}\ \frac13 \qquad \textbf{(C)}\ 1$"


def test_the_options_of_a_question_are_read_however_they_are_set():
    assert options_of(INLINE) == {"A": "4", "B": "7", "C": "9", "D": "10"}
    assert options_of(LINES) == {"A": "Nucleus", "B": "Ribosome", "C": "Mitochondria", "D": "Golgi"}
    assert options_of(CONTEST) == {"A": r"\frac12", "B": r"\frac13", "C": "1"}
    assert options_of("Let (A) be a set, and B. its complement.") == options_of("What is 2 + 3?") == {}


@pytest.mark.parametrize(("question", "answer", "reference", "score"), [
    (INLINE, "\\boxed{7}", "B", 1.0), (INLINE, "\\boxed{9}", "B", 0.0), (INLINE, "\\boxed{B}", "7", 1.0),
    (INLINE, "\\boxed{C}", "7", 0.0),
    (INLINE, "\\boxed{7 \\text{ (B)}}", "B", 1.0), (INLINE, "\\boxed{9 \\text{ (B)}}", "B", 0.0),
    (LINES, "\\boxed{\\text{mitochondria}}", "C", 1.0), (LINES, "\\boxed{\\text{Ribosome}}", "C", 0.0),
    (LINES, "The answer is Mitochondria (C).", "C", 1.0), (CONTEST, "\\boxed{\\frac{1}{3}}", "B", 1.0),
    (CONTEST, "\\boxed{0.5}", "A", 1.0), (CONTEST, "\\boxed{0.5}", "B", 0.0),
])  # fmt: skip
def test_an_option_may_be_given_by_its_letter_or_its_text(question, answer, reference, score):
    assert grade(answer, reference, question) == score


@pytest.mark.parametrize(("answer", "reference"), [("Seventh", "7"), ("the third", "3"), ("twenty-first", "21")])
def test_a_rank_in_words_is_a_number_where_a_place_is_asked_for(answer, reference):
    assert grade(BOXED % answer, reference, "In which place was she?") == 1.0
    assert grade(BOXED % answer, reference, "How much is left?") == 0.0


@pytest.mark.parametrize("opening", ["<think >", "< think>", "<Think >"])
def test_a_blank_in_a_thought_mark_changes_nothing(opening):
    assert grade(f"{opening}maybe \\boxed{{4}}</think >\\boxed{{5}}", "5") == 1.0
    assert grade(f"{opening}it is \\boxed{{5}}", "5") == 0.0

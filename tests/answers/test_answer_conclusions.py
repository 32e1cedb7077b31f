"""Kinds of right answers that a person's fresh inputs found wrong, and their wrong neighbours.

The class of CONCLUDED: a last sentence that begins with a word of concluding in any language and states one number. Of FORMS: one
value in another notation or clothing (end tokens, quote marks, turned equations, plain-text functions, minutes of an angle, mixed
vulgar fractions, raised digits behind Greek letters, bound indices, a place in an order, a time at a sentence's end, a choice that
"I" make, words for "no solution").
"""
# ruff: noqa: E501

import pytest

from sanmai.answers.final import verify_math
from sanmai.data.trace import parse_trace
from sanmai.types import Problem

CONCLUDED = [
    ('Ainsi, il lui reste 18 dollars par jour.', '18', 'p'),
    ('Por lo tanto, Ana necesita 64 euros en total.', '64', 'p'),
    ('**Therefore, 27 students passed.**', '27', 'p'),
    ('3 + 4 = 7 is worked out first.\nShe sells 16 - 3 - 4 = 9 eggs a day and makes 9 * 2 = 18 dollars.\nTherefore, Janet makes $18 every day.', '18', 'p'),
    ('3 + 4 = 7 is worked out first.\nHe ran 3 times. So he ran 540 meters in total.', '540', 'p'),
    ('3 + 4 = 7 is worked out first.\nQuindi Marco ha 12 mele.', '12', 'p'),
    ('3 + 4 = 7 is worked out first.\nPortanto, João tem 9 livros.', '9', 'p'),
    ('3 + 4 = 7 is worked out first.\nDus heeft ze 7 appels.', '7', 'p'),
    ('3 + 4 = 7 is worked out first.\nТакже. Следовательно, у неё осталось 7 яблок.', '7', 'p'),
    ('3 + 4 = 7 is worked out first.\nZatem Ania ma 7 jabłek.', '7', 'p'),
    ('3 + 4 = 7 is worked out first.\nJadi, dia memiliki 7 apel.', '7', 'p'),
    ('3 + 4 = 7 is worked out first.\nVậy cô ấy có 7 quả táo.', '7', 'p'),
    ('3 + 4 = 7 is worked out first.\nइसलिए उसके पास 7 सेब हैं।', '7', 'p'),
]
NOT_CONCLUDED = [
    ('So far he has 12 apples.', '12', 'p'),
    ('Tom buys 3 boxes. Also, each box holds 12 apples.', '12', 'p'),
    ('Luego, compra 5 manzanas.', '5', 'p'),
    ('Finally, we add 5 to the result.', '5', 'p'),
    ('Therefore, we divide it by 27.', '27', 'p'),
    ('Hence we must subtract 12.', '12', 'p'),
    ('Итак, разделим на 4.', '4', 'p'),
    ('Donc, on divise par 4.', '4', 'p'),
    ('Also teilen wir durch 4.', '4', 'p'),
    ('따라서 5를 더한다.', '5', 'p'),
    ('因此减少3。', '3', 'p'),
    ('Therefore, the result cannot be 27.', '27', 'p'),
    ('Therefore, the total exceeds 27.', '27', 'p'),
    ('So under 27.', '27', 'p'),
    ('Therefore, anything but 12.', '12', 'p'),
    ('Therefore, the answer differs from 12.', '12', 'p'),
    ('So Tom fails to get 12.', '12', 'p'),
    ('Therefore, option 12.', '12', 'p'),
    ('So the next step is step 3.', '3', 'p'),
    ('Therefore, there are at most 27 students.', '27', 'p'),
    ('So 27 is not the answer.', '27', 'p'),
    ('Therefore, either 27 or 28 students passed.', '27', 'p'),
    ('Thus, he needs more than 15 dollars.', '15', 'p'),
    ('So the answer might be 15?', '15', 'p'),
    ('Therefore, she would have 15 apples if she had not eaten any.', '15', 'p'),
    ('Thus, Bob thinks that she has 15 apples.', '15', 'p'),
    ('So half of 30 students passed.', '30', 'p'),
    ('Therefore, the first step gives 15.', '15', 'p'),
    ('So she has about 15 apples.', '15', 'p'),
    ('Therefore, x is divisible by 15.', '15', 'p'),
    ('So there are 15 thousand people.', '15', 'p'),
    ('Thus, twice 15 is what we need.', '15', 'p'),
    ('Donc il y a environ 18 euros.', '18', 'p'),
    ("Donc il n'y a pas 18 euros.", '18', 'p'),
    ('Por lo tanto, Ana no necesita 64 euros.', '64', 'p'),
    ('Por lo tanto, Ana necesita al menos 64 euros.', '64', 'p'),
    ('Also sind es nicht 18 Äpfel.', '18', 'p'),
    ('Also sind es ungefähr 18 Äpfel.', '18', 'p'),
    ('所以她不需要 260 元。', '260', 'p'),
    ('因此，她大约需要 260 元。', '260', 'p'),
    ('したがって、18ドルではありません。', '18', 'p'),
    ('따라서 18달러가 아닙니다.', '18', 'p'),
    ('Итак, ей не нужно 18 рублей.', '18', 'p'),
    ('Итак, ей нужно примерно 18 рублей.', '18', 'p'),
    ('So is it 15 apples?', '15', 'p'),
    ('Therefore 15 minus something.', '15', 'p'),
    ('Therefore, 5 students out of ten passed.', '5', 'p'),
    ('So at least 5 coins are needed.', '5', 'p'),
    ('Thus, no more than 5 coins are needed.', '5', 'p'),
    ('So the book says 5 coins are needed.', '5', 'p'),
    ('Hence the wrong answer would be 5 coins.', '5', 'p'),
    ('So, 5 coins, I guess.', '5', 'p'),
    ('So every 5 coins she gains one.', '5', 'p'),
]
FORMS = [
    ('#### 12 [/INST]', '12', 'p'),
    ('> **42**', '42', 'p'),
    ('So we get \\boxed{4 = x}.', '4', 'p'),
    ('So we get \\boxed{cbrt(2)}.', '\\sqrt[3]{2}', 'p'),
    ('So we get \\boxed{5 choose 2}.', '10', 'p'),
    ('So we get \\boxed{log10(100)}.', '2', 'p'),
    ('So we get \\boxed{-oo}.', '-\\infty', 'p'),
    ('So we get \\boxed{π²/6}.', '\\frac{\\pi^2}{6}', 'p'),
    ('So we get \\boxed{1½}.', '1.5', 'p'),
    ('So we get \\boxed{5\\textsuperscript{th}}.', '5', 'Which floor?'),
    ('It is the 100th term.', '100', 'Which term?'),
    ('So we get \\boxed{\\text{impossible}}.', '\\text{no solution}', 'Solve.'),
    ('So we get \\boxed{\\text{inconsistent}}.', '\\text{no solution}', 'Solve the system'),
    ('So we get \\boxed{n=4 \\text{ only}}.', '4', 'p'),
    ('So we get \\boxed{\\sum_{i=1}^{n} i}.', '\\sum_{k=1}^{n} k', 'p'),
    ("So we get \\boxed{5 \\text{ o'clock}}.", '5:00', 'What time?'),
    ('The train leaves at 6:15 pm.', '6:15 PM', 'What time?'),
    ('So we get \\boxed{[1,2,3]^T}.', '(1,2,3)', 'p'),
    ("So we get \\boxed{30°30'}.", '30.5^\\circ', 'p'),
    ("I'd go with B) 12", 'B', 'Which? A) 10 B) 12 C) 14'),
    ('So we get \\boxed{4=x}.', '4', 'p'),
    ('So we get \\boxed{10 = n}.', '10', 'p'),
    ("So we get \\boxed{45°15'}.", '45.25^\\circ', 'p'),
    ("So we get \\boxed{45^\\circ 30'}.", '45.5^\\circ', 'p'),
    ("So we get \\boxed{12^\\circ 30' 36''}.", '12.51^\\circ', 'p'),
    ('So we get \\boxed{2½}.', '2.5', 'p'),
    ('So we get \\boxed{3¼ \\text{ cups}}.', '3.25', 'p'),
    ('So we get \\boxed{θ²}.', '\\theta^2', 'p'),
    ('So we get \\boxed{x⁴}.', 'x^4', 'p'),
    ('So we get \\boxed{5³}.', '125', 'p'),
    ('So we get \\boxed{√2²}.', '2', 'p'),
    ('So we get \\boxed{α²β}.', '\\alpha^2\\beta', 'p'),
    ('So we get \\boxed{\\sum_{i=0}^{n} i^2}.', '\\sum_{k=0}^n k^2', 'p'),
    ('So we get \\boxed{\\sum_{j=1}^{n} \\frac{1}{j}}.', '\\sum_{k=1}^{n}\\frac1k', 'p'),
    ('So we get \\boxed{log2(8)}.', '3', 'p'),
    ('So we get \\boxed{cbrt(27)}.', '3', 'p'),
    ('So we get \\boxed{10 choose 3}.', '120', 'p'),
    ('So we get \\boxed{5 \\text{ choose } 2}.', '10', 'p'),
    ('So we get \\boxed{n choose k}.', '\\binom{n}{k}', 'p'),
    ('So we get \\boxed{\\text{not possible}}.', '\\emptyset', 'Solve'),
    ('So we get \\boxed{x=3 \\text{ only}}.', '3', 'p'),
    ("I'll choose C.", 'C', 'Which? A) 1 B) 2 C) 3'),
    ('I pick (B).', 'B', 'Which? A) 1 B) 2 C) 3'),
    ('So we get \\boxed{oo}.', '\\infty', 'p'),
    ('So we get \\boxed{\\text{The system is inconsistent}}.', '\\text{no solution}', 'Solve'),
    ('My choice is D: gravity', 'D', 'Which? A. a1 B. b1 C. c1 D. gravity'),
    ('It is the 12th term.', '12', 'Which term?'),
]
OTHERS = [
    ('\\boxed{P(1+r)}', 'P(1+r)^T', 'p'),
    ('\\boxed{\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}^T}', '\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}', 'p'),
    ('\\boxed{AB}', '(AB)^T', 'p'),
    ('> 5', '5', 'p'),
    ('At first, I choose C.', 'C', 'Which? A) 1 B) 2 C) 3'),
    ('So we get \\boxed{12 = 3y}.', '4', 'p'),
    ('So we get \\boxed{food}.', '\\infty', 'p'),
    ('So we get \\boxed{\\text{impossible}}.', '5', 'p'),
    ('So we get \\boxed{5=3x}.', '5', 'p'),
    ('So we get \\boxed{y = 4}.', 'x=4', 'p'),
    ("So we get \\boxed{30°30'}.", '30.3^\\circ', 'p'),
    ('So we get \\boxed{-oo}.', '\\infty', 'p'),
    ('So we get \\boxed{log10(1000)}.', '2', 'p'),
    ("I'd go with A or B", 'A', 'Which? A) 1 B) 2'),
    ('I would not pick A.', 'A', 'Which? A) 1 B) 2'),
    ('The bus does not leave at 9:05.', '9:05', 'When?'),
    ('The bus leaves at 9:05 or 9:15.', '9:05', 'When?'),
]


def score(response, reference, prompt):
    problem = Problem("p", ({"role": "user", "content": prompt},), answer=reference)
    return verify_math(problem, parse_trace(response)).score


@pytest.mark.parametrize("row", [*CONCLUDED, *FORMS], ids=lambda row: row[0][-40:])
def test_a_right_answer_is_right(row):
    assert score(*row) == 1.0


@pytest.mark.parametrize("row", [*NOT_CONCLUDED, *OTHERS], ids=lambda row: row[0][-40:])
def test_what_doubts_denies_bounds_or_is_another_value_earns_nothing(row):
    assert score(*row) != 1.0

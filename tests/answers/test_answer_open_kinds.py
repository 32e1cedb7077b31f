"""Kinds of right answers that earned nothing until now, each with members of its own, and their neighbours that are wrong.

The classes are the keys of RIGHT; what stands in WRONG looks like them and says another thing, doubts it, or denies it.
"""

import pytest

from sanmai.answers.final import verify_math
from sanmai.data.trace import parse_trace
from sanmai.types import Problem

RIGHT = {
    "an exact value with its decimals behind it": [
        (r"\boxed{\sqrt{2} \approx 1.414}", r"\sqrt{2}"),
        (r"The answer is $\frac{22}{7}\pi \approx 9.87$.", r"\frac{22\pi}{7}"),
    ],
    "a name, a working and a value in one chain": [
        (r"\boxed{k = 3 \cdot 7 = 21}", "21"),
        (r"\boxed{S = \frac{1}{2} + \frac{1}{4} = \frac{3}{4}}", "3/4"),
        (r"\boxed{k = 3 \cdot 7 = 21}", "k = 21"),
    ],
    "a system of values, a row a line": [
        ("\\boxed{\n\\begin{cases}\na = 4 \\\\\nb = -1\n\\end{cases}\n}", "(4,-1)"),
    ],
    "a bound, or somebody, in the sentence that the answer is concluded from": [
        ("Потрібно не менше 9 годин, отже відповідь 9.", "9"),
        ("Au moins 9 sont nécessaires, donc la réponse est 9.", "9"),
        ("李雷的想法是对的，答案是9。", "9"),
        ("Mindestens 9 werden gebraucht, also ist die Antwort 9.", "9"),
    ],
    "equal to, in words that otherwise say times": [("جواب برابر با ۲۳ است.", "23"), ("نتیجه برابر است با ۹.", "9")],
    "a sentence of who has how many, in scripts whose vowel signs are marks": [
        ("उत्तर: कन्ना के पास 9 आम हैं।", "9"),
        ("उत्तर: मुन्ना के पास 12 किताबें हैं।", "12"),
    ],
    "the shortest Thai way": [("ตอบ 9", "9"), ("ตอบ: 9 คน", "9"), ("ดังนั้นตอบ 9", "9")],
    "a choice that the sentence says to be right": [
        ("Cevap B'dir.", "B"),
        ("La opción B es correcta.", "B"),
        ("Die Antwort B ist richtig.", "B"),
        ("گزینه B صحیح است.", "B"),
        ("Вариант B верный.", "B"),
        ("選項B是正確的。", "B"),
        ("विकल्प B सही है।", "B"),
        ("คำตอบคือ B", "B"),
        ("คำตอบที่ถูกต้องคือ B) ลอนดอน", "B"),
        ("La réponse B est correcte.", "B"),
        ("Opsi B benar.", "B"),
    ],
    "what is counted, named in another language": [
        (r"\boxed{9 \text{ kitap}}", "9"),
        (r"\boxed{9 \text{ libros}}", "9"),
        (r"\boxed{9 \text{ machungwa}}", "9"),
        (r"\boxed{9 \text{ buku}}", "9"),
    ],
    "thousands as in India": [
        ("उत्तर ₹12,50,000 है।", "1250000"),
        (r"\boxed{₹3,00,000}", "300000"),
        ("উত্তর ৩,২৫,০০০ টাকা।", "325000"),
    ],
    "halves of the day": [
        ("答案是上午9:15。", "9:15 AM"),
        ("答えは午後3時20分です。", "3:20 PM"),
        ("La respuesta es 4:45 de la tarde.", "4:45 PM"),
        ("답은 오후 3:20입니다.", "15:20"),
    ],
    "hours and minutes, feet and inches, in their signs": [
        ("The answer is 2h 5m.", "2 hours 5 minutes"),
        (r"\boxed{2 \text{ h } 5 \text{ m}}", "125 minutes"),
        ("The answer is 6'2\".", "6 feet 2 inches"),
        ("The answer is 6'2\".", "74 inches"),
    ],
    "a formula with its unit outside": [(r"Answer: \(\frac{5}{8}\) mile", "5/8"), (r"Answer: \(12\) km", "12")],
    "fractions in words of the east": [
        ("答案是五分之二。", "2/5"),
        ("答えは3分の2です。", "2/3"),
        ("답은 5분의 2입니다.", "2/5"),
        ("答案是百分之三十。", "30%"),
        ("答えは十二分の五です。", "5/12"),
    ],
    "several formulas with or between them": [
        ("La respuesta es $x = 3$ o $x = -3$.", "3, -3"),
        ("答えは $a=1$ または $a=4$ です。", "1, 4"),
        ("Die Antwort ist $2$ und $5$.", "2, 5"),
    ],
    "semicolons in a formula": [
        (r"Ответ: $[0; 4)$", "[0,4)"),
        (r"Antwort: $(-\infty; 0) \cup (1; \infty)$", r"(-\infty,0)\cup(1,\infty)"),
    ],
    "a matrix as programs write it": [
        (r"\boxed{[1 -2; 3 4]}", r"\begin{pmatrix}1&-2\\3&4\end{pmatrix}"),
        (r"\boxed{[1, 0; 0, 1]}", r"\begin{bmatrix}1&0\\0&1\end{bmatrix}"),
    ],
    "inequalities that hold together": [
        (r"\boxed{x \ge 1 \text{ and } x \ne 4}", r"[1,4)\cup(4,\infty)"),
        (r"\boxed{[1,4)\cup(4,\infty)}", r"x\ge 1, x\ne 4"),
        (r"\boxed{0 < x < 5, x \ne 2}", r"(0,2)\cup(2,5)"),
        (r"\boxed{x > 1 \text{ and } x > 3}", r"(3,\infty)"),
    ],
    "a table of one row": [
        ("| Step | Answer |\n|:---|---:|\n| sum | 9 |", "9"),
        ("So:\n\n| Antwort |\n| --- |\n| **9** |", "9"),
    ],
    "a box for each part of a question": [
        ("(a) \\boxed{9}\n(b) \\boxed{12}", "9, 12"),
        ("(a) $\\boxed{9}$\n\n(b) $\\boxed{12}$", "(a) 9 (b) 12"),
        ("1. \\boxed{9}\n2. \\boxed{12}", "9; 12"),
        ("Part (a): \\boxed{9}\nPart (b): \\boxed{12}", "9 and 12"),
    ],
}
WRONG = {
    "an exact value with its decimals behind it": [
        (r"\boxed{\sqrt{3} \approx 1.414}", r"\sqrt{2}"),
        (r"\boxed{x \approx 1.414}", r"\sqrt{2}"),
        (r"\boxed{3 \approx 3.14}", "3"),
    ],
    "a name, a working and a value in one chain": [
        (r"\boxed{k = 3 \cdot 7 = 22}", "21"),
        (r"\boxed{k = 3 \cdot 7 = 22}", "22"),
        (r"\boxed{k = 21, m = 4 = 4}", "21"),
        (r"\boxed{k = 3 \cdot 7 = 21}", "m = 21"),
    ],
    "a bound, or somebody, in the sentence that the answer is concluded from": [
        ("Поэтому ответ не менее 9.", "9"),
        ("Donc la réponse est au moins 9.", "9"),
        ("李雷的答案是9。", "9"),
        ("Если x не 5, то ответ 9.", "9"),
        ("Потрібно багато, отже відповідь не 9.", "9"),
        ("李雷说答案是9。", "9"),
        ("Es stimmt nicht, dass die Antwort 9 ist.", "9"),
        ("也许李雷是对的，答案可能是9。", "9"),
    ],
    "equal to, in words that otherwise say times": [
        ("جواب ۲ برابر ۲۳ است.", "23"),
        ("جواب سه برابر ۲۳ است.", "23"),
        ("جواب ۲۳ برابر است.", "23"),
    ],
    "a sentence of who has how many, in scripts whose vowel signs are marks": [
        ("उत्तर: कन्ना के पास 9 आम नहीं हैं।", "9"),
        ("उत्तर: कन्ना के पास 9 या 10 आम हैं।", "9"),
    ],
    "the shortest Thai way": [("ไม่ตอบ 9", "9"), ("ผู้ตอบ 9 คน", "9"), ("ตอบไม่เกิน 9", "9")],
    "a choice that the sentence says to be right": [
        ("La opción B no es correcta.", "B"),
        ("Die Antwort B ist nicht richtig.", "B"),
        ("گزینه B صحیح نیست.", "B"),
        ("Вариант B неверный.", "B"),
        ("選項B是不正確的。", "B"),
        ("Quizá la opción B es correcta.", "B"),
        ("¿La opción B es correcta?", "B"),
        ("Si la opción B es correcta, entonces A.", "B"),
        ("Cevap B'dir diyor.", "B"),
        ("La opción B o C es correcta.", "B"),
    ],
    "what is counted, named in another language": [
        (r"\boxed{9 \text{ lusin}}", "9"),
        (r"\boxed{9 \text{ juta}}", "9"),
        (r"\boxed{9 \text{ bin}}", "9"),
        (r"\boxed{9 \text{ elfu}}", "9"),
    ],
    "thousands as in India": [(r"\boxed{1,25,500}", "125500"), ("उत्तर ₹12,50,000 है।", "12500000")],
    "halves of the day": [
        ("答案是下午9:15。", "9:15 AM"),
        ("La respuesta es 4:45 de la mañana.", "4:45 PM"),
        ("답은 오후 3:20입니다.", "3:20 AM"),
    ],
    "hours and minutes, feet and inches, in their signs": [
        ("The answer is 2h 5m.", "2 hours 50 minutes"),
        ("The answer is 6'2\".", "6 feet 3 inches"),
        ("The answer is 5m.", "5 minutes"),
    ],
    "fractions in words of the east": [
        ("答案是五分之二。", "5/2"),
        ("答えは3分の2です。", "3/2"),
        ("答案不是五分之二。", "2/5"),
        ("答案是百分之三十。", "30"),
    ],
    "several formulas with or between them": [
        ("La respuesta es $x = 3$ o $x = -3$.", "3"),
        ("Die Antwort ist $2$ oder $5$.", "5"),
        ("Ответ: $a = 1$ или $b = 4$.", "1, 4"),
        ("La respuesta es $x = 3$ pero no $x = -3$.", "3, -3"),
    ],
    "semicolons in a formula": [(r"Ответ: $[0; 4)$", "(0,4)"), (r"Ответ: $[0; 4)$", "4")],
    "a matrix as programs write it": [
        (r"\boxed{[1 2; 3 4]}", r"\begin{pmatrix}1&3\\2&4\end{pmatrix}"),
        (r"\boxed{[1; 2]}", r"\begin{pmatrix}1&2\end{pmatrix}"),
        (r"\boxed{[1 2; 3]}", r"\begin{pmatrix}1&2\\3&0\end{pmatrix}"),
    ],
    "inequalities that hold together": [
        (r"\boxed{x < 1, x > 3}", r"(1,3)"),
        (r"\boxed{x \ge 1 \text{ and } x \ne 4}", r"[1,\infty)"),
        (r"\boxed{x \ge 1 \text{ or } x \ne 4}", r"[1,4)\cup(4,\infty)"),
        (r"\boxed{x > 1 \text{ and } x > 3}", r"(1,\infty)"),
        (r"\boxed{x > 1, y \ne 4}", r"(1,4)\cup(4,\infty)"),
    ],
    "a table of one row": [
        ("| Answer |\n|---|\n| 9 |\n| 10 |", "9"),
        ("| Wrong answer |\n|---|\n| 9 |", "9"),
        ("| Answer | Answer |\n|---|---|\n| 9 | 10 |", "9"),
    ],
    "a box for each part of a question": [
        ("(a) \\boxed{12}\n(b) \\boxed{9}", "9, 12"),
        ("(a) \\boxed{9}\n(b) \\boxed{12}", "9"),
        ("(a) \\boxed{9}\n(b) \\boxed{12}", "12"),
        ("(a) \\boxed{9}\nor perhaps (b) \\boxed{12}", "9, 12"),
    ],
}


def grade(response: str, reference: str) -> float | None:
    problem = Problem("1", ({"role": "user", "content": "p"},), reference, "math")
    return verify_math(problem, parse_trace(response)).score


@pytest.mark.parametrize("kind", RIGHT)
def test_a_right_answer_of_this_kind_earns_its_credit(kind: str) -> None:
    assert [case for case in RIGHT[kind] if grade(*case) != 1.0] == []


@pytest.mark.parametrize("kind", WRONG)
def test_its_neighbours_earn_none(kind: str) -> None:
    assert [case for case in WRONG[kind] if grade(*case) == 1.0] == []

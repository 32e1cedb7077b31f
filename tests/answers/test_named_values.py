"""The classes: what a box calls its value, numbers in words, ratios, lists and intervals as other countries write them."""

from __future__ import annotations

import pytest
from tests.answers.test_quantities import box, scores

from sanmai.answers.named import is_quantity
from sanmai.answers.number_words import in_digits

FORMS = [
    # class in words | reference | equal | different
    (
        "a quantity by its name",
        "5",
        [
            "x+y=5",
            "a+b = 5",
            "ab = 5",
            r"\frac{m}{n} = 5",
            "a^2 + b^2 = 5",
            "|AB| = 5",
            r"|\overrightarrow{AB}| = 5",
            r"\overline{AB} = 5",
            r"S_{\triangle ABC} = 5",
            r"n_{\min} = 5",
            r"x_{max} = 5",
            r"\lim_{x\to 0} f(x) = 5",
            "f(2)=5",
            "a_{10} = 5",
            r"\gcd(15, 20) = 5",
            r"\int_0^1 f(x)\,dx = 5",
            "x + y = 2 + 3 = 5",
            r"\angle ABC = 5",
        ],
        [
            "x+y=6",
            "2x = 5",
            "x^2 = 5",
            "x + 1 = 5",
            r"\sqrt{x} = 5",
            "-x = 5",
            "|AB| = 6",
            "x+y=2+4=5",
            "5 = 6",
            "4 = 5",
            "x + y = x",
            "x + y \\ge 5",
            r"n_{\min} = 5, n_{\max} = 7",
        ],
    ),
    ("", "2x", [r"\frac{dy}{dx} = 2x", "y' = 2x", "f'(x) = 2x"], [r"\frac{dy}{dx} = x", "y' = 2", "2x = 4"]),
    (
        "",
        r"\frac{1}{2}",
        [r"P(A) = \frac12", r"P(A \mid B) = \frac{1}{2}", r"\cos\theta = \frac12", r"\Pr(X > 3) = 0.5"],
        [r"P(A) = \frac13", r"1 - p = \frac12", r"2\cos\theta = \frac12", "P(A) = 2"],
    ),
    (
        "points by their names",
        "(2,-3)",
        ["A(2,-3)", "P = (2,-3)", "(2,-3)", "A'(2,-3)"],
        ["A(-3,2)", "A(2,3)", "A(2,-3), B(1,1)", "2,-3"],
    ),
    ("", "(1,2),(3,4)", ["A(1,2), B(3,4)", "P_1(1,2) and P_2(3,4)"], ["A(1,2), B(4,3)", "A(1,2)"]),
    (
        "lists with semicolons",
        "1,2,3",
        ["1; 2; 3", "1;2;3", r"\{1; 2; 3\}", "3; 2; 1"],
        ["1; 2", "1; 2; 4", "1; 2; 3; 4"],
    ),
    ("", "(1, 2)", ["(1; 2)"], ["(2; 1)", "1; 2"]),
    (
        "intervals with brackets turned outwards",
        r"(3,\infty)",
        [r"]3, +\infty[", r"]3;+\infty[", r"\left]3, +\infty\right["],
        [r"[3, +\infty[", r"]3, 4[", r"]-\infty, 3["],
    ),
    ("", "[1,2)", ["[1, 2[", "[1; 2["], ["]1, 2[", "[1, 2]", "]1, 2]"]),
    ("", r"(-\infty,1)\cup(2,3]", [r"]-\infty, 1[ \cup ]2, 3]"], [r"]-\infty, 1] \cup ]2, 3]", r"]-\infty, 1["]),
    ("ratios", "2:4:6", ["1:2:3", "2:4:6", r"\frac12:1:\frac32"], ["3:2:1", "1:2", "1:2:4", "1,2,3"]),
    ("", "3:4", ["6:8", r"3 \text{ to } 4", "3 : 4", "3/4", "0.75:1"], ["4:3", "7", "3:5", "3,4", "0.34"]),
    ("", "11:30", ["11{:}30", "11:30"], ["22:60", "11{:}31", "30:11", "11.30"]),
    ("", "1:20", ["1:20"], ["2:40", "20:1", "0:40"]),
    (
        "numbers in words",
        "12",
        ["twelve", "Twelve", r"\text{twelve}", "twelve apples", "12 (twelve)", r"12 \text{ (twelve)}"],
        [
            "twenty",
            "eleven",
            "twelve thousand",
            "twelve or thirteen",
            "twelfths",
            "12 (thirteen)",
            "minus twelve",
            "twelve squared",
            "half of twelve",
            "twelve percent",
            "more than twelve",
            "about twelve",
        ],
    ),
    (
        "",
        "42",
        ["forty-two", "forty two", "42 (forty-two)"],
        ["forty", "twenty-four", "two forty", "four two", "42 (forty)"],
    ),
    (
        "",
        "1205",
        ["one thousand two hundred and five", "one thousand two hundred five"],
        ["one thousand two hundred", "twelve five", "one thousand and", "two hundred five"],
    ),
    ("", "-5", ["minus five", "negative five"], ["five", "plus five"]),
    ("", "2/3", ["two thirds", "two-thirds"], ["two", "three halves", "thirds"]),
    ("", "3rd", ["third", r"\text{third}", "Third", "3"], ["three thirds", "fourth", "a third"]),
    (
        "",
        "5",
        [r"\text{The answer is } 5", r"\textbf{(A) }5", r"\text{(A) }5", "(C) 5", r"\textbf{(B)}\ 5"],
        [r"\text{The answer is not } 5", r"\textbf{(A) }6", r"(A) 5 \text{ or } (B) 6", r"\text{(A) or (B) } 5"],
    ),
    (
        "binomials, sums, products, other logarithms",
        "120",
        [r"{10 \choose 3}", r"\dbinom{10}{3}", r"\binom{10}{3}", r"\prod_{k=1}^{5} k"],
        [r"{10 \choose 4}", r"\binom{3}{10}", r"\prod_{k=1}^{4} k"],
    ),
    ("", "55", [r"\sum_{k=1}^{10} k"], [r"\sum_{k=1}^{9} k", r"\sum_{k=0}^{10}", r"\sum_{k=1}^{10} k^2"]),
    ("", r"\frac{\ln 3}{\ln 2}", [r"\log_2 3", r"\log_{2}{3}", r"\log_2(3)"], [r"\log_3 2", r"\log 3", r"\log_{23}"]),
    (
        "",
        r"\frac12+\frac{\sqrt3}{2}i",
        [r"e^{i\pi/3}", r"e^{\frac{\pi i}{3}}"],
        [r"e^{i\pi/6}", r"2e^{i\pi/3}", r"e^{\pi/3}"],
    ),
]


@pytest.mark.parametrize(("kind", "reference", "equal", "different"), FORMS, ids=[row[1] for row in FORMS])
def test_a_value_in_another_form_is_right_and_a_near_miss_is_not(kind, reference, equal, different):
    found = dict(zip(equal + different, scores([(reference, box(text)) for text in equal + different]), strict=True))
    assert [text for text in equal if found[text] != 1.0] == []
    assert [text for text in different if found[text] == 1.0] == []


def test_a_bare_third_is_no_three():
    assert scores([("3", box("third")), ("1/3", box("third"))]) == [0.0, 0.0]


def test_a_letter_with_its_value_is_the_letter_where_a_letter_is_asked_for():
    assert scores(
        [("A", box(r"\textbf{(A) }42")), ("42", box(r"\textbf{(A) }42")), ("B", box(r"\textbf{(A) }42"))]
    ) == [1.0, 1.0, 0.0]


def test_an_equation_in_one_letter_names_no_quantity():
    assert [text for text in ("2x", "x^2", "x+1", "-x", r"\sqrt{x}", "5", "2+3", "x x") if is_quantity(text)] == []


def test_words_that_are_no_number_stay():
    for text in (
        "east",
        "no solution",
        "one or two",
        "twenty ten",
        "hundred thousand people or so",
        "point five",
        "none",
        "tenfold",
    ):
        assert in_digits(text) == text

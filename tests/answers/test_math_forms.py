"""Forms in which one answer is written: for each class what is equal, and the near misses that are not."""

from __future__ import annotations

from re import _constants as constants
from re import _parser as parser

import pytest

from sanmai.answers.final import verify_math
from sanmai.answers.math import compare
from sanmai.answers.statements import _ALL_POSITIVE, _POSITIVE, positive_variables
from sanmai.data.trace import parse_trace
from sanmai.types import Problem

# class in words | reference | equal | different
FORMS = [
    ("degrees are a unit, and part of the number inside a trigonometric function", "\\frac12",
     ["\\sin 30^\\circ", "\\sin(30°)", "\\cos 60^{\\circ}", "\\sin{30^\\circ}", "\\cos(60^{\\circ})",
      "\\sin^2 45^\\circ"],
     ["\\sin 30", "\\cos 30^\\circ", "\\sin 60^\\circ", "\\sin(30)"]),
    ("", "60^\\circ", ["60", "60°", "60 degrees", "60 deg", "60\\degree", "60 \\, ^\\circ"],
     ["60 \\text{ radians}", "60 rad", "\\frac{\\pi}{3}", "60'", "60^\\circ C", "61^\\circ", "60^2"]),
    ("", "2 \\text{ radians}", ["2", "2 rad"], ["2^\\circ", "2 degrees", "2°"]),
    ("", "20^\\circ\\text{C}", ["20", "20°C", "20 degrees Celsius", "20℃", "20 °C"], ["20°F", "20 ℉",
      "20 degrees Fahrenheit"]),
    ("", "30^\\circ, 60^\\circ", ["30, 60", "60° and 30°", "\\{30^\\circ, 60^\\circ\\}"], ["30^\\circ", "30°, 61°"]),
    ("powers and factorials too large for algebra", "3^{2024}-3^{2023}",
     ["2 \\cdot 3^{2023}", "2*3^2023", "3^{2023}(3-1)", "6\\cdot 3^{2022}"], ["3^{2023}", "2 \\cdot 3^{2024}", "7",
      "3"]),
    ("", "\\frac{2^{1000}-1}{3}", ["(2^{1000}-1)/3", "\\frac{4^{500}-1}{3}"], ["\\frac{2^{1000}+1}{3}", "2^{1000}-1",
      "2^{999}"]),
    ("", "1000!", ["1000 \\cdot 999!", "1000!", "\\frac{1001!}{1001}"], ["999!", "1001!", "1000", "1000!!"]),
    ("", "\\binom{2024}{2}", ["2024 \\cdot 2023/2", "2047276", "\\binom{2024}{2022}"], ["\\binom{2024}{3}", "2047277"]),
    ("", "x^{2000}-1", ["(x^{1000}-1)(x^{1000}+1)"], ["(x^{1000}-1)^2", "y^{2000}-1", "x^{2001}-1"]),
    ("", "i^{2023}", ["-i"], ["i", "1", "-1"]),
    ("", "(2^{1000}, 3)", ["(4^{500}, 3)"], ["(3, 2^{1000})", "(2^{1000}, 4)", "2^{1000}, 3"]),
    ("plus or minus is two values, in sets and lists too", "\\{\\pm 1, \\pm 2\\}",
     ["\\{-2,-1,1,2\\}", "1, -1, 2, -2", "\\pm 1, \\pm 2", "±1, ±2"], ["\\{\\pm 1, 2\\}", "1, 2",
      "\\{\\pm 1, \\pm 3\\}", "\\pm 1"]),
    ("", "0, \\pm\\sqrt{3}", ["-\\sqrt{3}, 0, \\sqrt{3}", "x = 0, \\pm\\sqrt3"], ["\\pm\\sqrt{3}", "0, \\sqrt{3}",
      "0, \\pm 3"]),
    ("", "\\pm 2 \\pm \\sqrt{3}", ["2+\\sqrt3, 2-\\sqrt3, -2+\\sqrt3, -2-\\sqrt3"], ["2+\\sqrt3, -2-\\sqrt3",
      "\\pm(2+\\sqrt3)"]),
    ("an equation solved for one of its variables", "3x - 2y = 6",
     ["y = \\frac{3}{2}x - 3", "y = 1.5x - 3", "x = \\frac{2}{3}y + 2", "3x - 2y - 6 = 0", "6x - 4y = 12",
      "2y = 3x - 6"],
     ["y = \\frac32 x + 3", "x = \\frac23 y - 2", "3x + 2y = 6", "y = 3x - 6", "6", "3x - 2y"]),
    ("", "y = 2x", ["x = \\frac{y}{2}", "2x - y = 0", "2x"], ["x = 2y", "y = x/2", "x = y"]),
    ("", "x = 5", ["5"], ["y = 5", "2x = 11"]),
    ("an inequality is its interval", "(-\\infty, 3]",
     ["x \\le 3", "x ≤ 3", "3 \\geq x", "x <= 3", "x \\leqslant 3", "(-∞, 3]", "\\{x : x \\le 3\\}",
      "x \\in (-\\infty, 3]",
      "\\{x \\in \\mathbb{R} \\mid x \\le 3\\}"],
     ["x < 3", "x \\ge 3", "(-\\infty, 3)", "[-3, \\infty)", "x \\le -3", "3", "x = 3", "(-\\infty, 3] \\cup [4, 5]"]),
    ("", "x < 3", ["(-\\infty, 3)", "3 > x"], ["(-\\infty, 3]", "x \\le 3", "y < 3", "(3, \\infty)", "x > 3"]),
    ("", "[-2, 5)", ["-2 \\le x < 5", "5 > x \\ge -2", "x \\ge -2 \\text{ and } x < 5", "x < 5 and x >= -2"],
     ["-2 < x < 5", "-2 \\le x \\le 5", "-2 < x \\le 5", "x \\ge -2 \\text{ or } x < 5", "x \\ge -2"]),
    ("", "(-\\infty, -1) \\cup (4, \\infty)",
     ["x < -1 \\text{ or } x > 4", "x > 4 or x < -1", "(4,\\infty)\\cup(-\\infty,-1)",
      "(-\\infty,-1) \\text{ or } (4,\\infty)"],
     ["x < -1 \\text{ and } x > 4", "x \\le -1 \\text{ or } x > 4", "-1 < x < 4", "(-\\infty,-1]\\cup(4,\\infty)",
      "x > 4"]),
    ("", "(-\\infty, 2) \\cup (2, \\infty)",
     ["x \\ne 2", "x ≠ 2", "\\mathbb{R} \\setminus \\{2\\}", "x \\neq 2", "\\text{all real numbers except } 2"],
     ["x = 2", "x \\ne 3", "\\mathbb{R}", "(-\\infty, \\infty)", "\\mathbb{R}\\setminus\\{-2\\}"]),
    ("", "(-3, 3)", ["|x| < 3", "-3 < x < 3"], ["|x| \\le 3", "|x| > 3", "|x| < 4", "3, -3"]),
    ("", "(-\\sqrt{2}, \\sqrt{2})", ["-\\sqrt{2} < x < \\sqrt{2}", "-√2 < t < √2"], ["-\\sqrt2 \\le x \\le \\sqrt2",
      "-2 < x < 2"]),
    ("scientific notation", "0.00034", ["3.4 \\times 10^{-4}", "3.4e-4", "3.4 × 10⁻⁴", "3.4*10^-4",
      "3.4 \\cdot 10^{-4}",
     "34 \\times 10^{-5}"], ["3.4 \\times 10^{4}", "3.4 \\times 10^{-5}", "3.4e4", "0.0034"]),
    ("", "6.022e23", ["6.022 \\times 10^{23}", "6.022 x 10^23", "6.022·10²³"], ["6.022 \\times 10^{22}", "6.022",
      "6.02e23"]),
    ("", "10^6", ["1000000", "1,000,000", "1e6", "10⁶", "1 million", "10**6"], ["10^5", "10 6", "106"]),
    ("plain text, as programs write it", "\\frac{\\sqrt{3}}{2}", ["sqrt(3)/2", "\\sqrt(3)/2", "√3/2", "√(3)/2",
      "(√3)/2"],
     ["sqrt(3/2)", "sqrt(2)/3", "√(3/2)", "3/2"]),
    ("", "e^{2x}+1", ["exp(2x) + 1", "\\exp(2x)+1", "e^(2x)+1", "e**(2*x)+1"], ["exp(2)x+1", "exp(2x)", "e^2x + 1",
      "exp(x)+1"]),
    ("", "\\frac{3\\pi}{4}", ["3*pi/4", "3pi/4", "3π/4", "(3/4)π", "0.75*pi"], ["3/4", "4pi/3", "2.356", "3*p*i/4*q"]),
    ("", "x^{12}", ["x**12", "x^12", "x¹²"], ["x^2", "x^1 2", "x^{21}"]),
    ("", "2\\sin x", ["2*sin(x)", "2 \\sin(x)"], ["2*cos(x)", "sin(2x)"]),
    ("Unicode", "\\frac{3}{4}", ["¾", "3⁄4", "0.75"], ["¼", "⅓", "3¼"]),
    ("", "\\frac{7}{2}", ["3½", "3 ½", "3.5"], ["½", "3 + ½ x", "-3½"]),
    ("", "x^2 - 4", ["x² − 4", "(x−2)(x+2)"], ["x₂ - 4", "x³ − 4"]),
    ("", "\\sqrt[3]{5}", ["∛5"], ["√5", "5"]),
    ("", "\\infty", ["∞", "+∞", "infinity", "\\text{positive infinity}", "+\\infty", "Infinity"],
     ["-∞", "negative infinity", "-\\infty", "infinitely many", "does not exist", "0", "undefined"]),
    ("", "-\\infty", ["negative infinity", "−∞", "minus infinity", "-infinity"], ["infinity", "\\infty"]),
    ("ordinals", "3", ["3rd", "3^{rd}", "3\\text{rd}", "3^{\\text{rd}}", "3rd place"], ["4th", "1/3", "13th",
      "3rd root", "3 thirds"]),
    ("", "22^{\\text{nd}}", ["22", "22nd"], ["2nd", "22.5"]),
    ("no solution, in words and signs", "\\text{No solution}",
     ["no solutions", "\\emptyset", "\\varnothing", "∅", "\\text{There are no solutions}", "no real solutions",
      "\\{\\}",
      "the empty set", "The equation has no solution", "no solution exists", "\\text{No such number exists}"],
     ["0", "one solution", "infinitely many solutions", "no integer solutions", "\\{0\\}", "\\{\\emptyset\\}",
      "solution",
      "all real numbers", "no solution or 3", "does not exist"]),
    ("", "\\text{does not exist}", ["DNE", "Does not exist", "doesn't exist"], ["exists", "0", "\\infty",
      "no solution"]),
    ("", "\\text{infinitely many solutions}", ["infinitely many", "infinite solutions",
      "an infinite number of solutions"],
     ["no solutions", "\\infty", "many solutions", "two solutions"]),
    ("", "\\text{all real numbers}", ["\\mathbb{R}", "(-\\infty, \\infty)", "ℝ", "x \\in \\mathbb{R}",
      "(-\\infty, +\\infty)", "all reals",
     "-\\infty < x < \\infty", "any real number", "\\mathbf{R}", "All real numbers x"],
     ["all integers", "\\mathbb{Z}", "\\mathbb{Q}", "(0, \\infty)", "all positive real numbers", "[0,\\infty)",
      "no real numbers",
      "all real numbers except 0", "real"]),
    ("", "\\mathbb{Z}", ["all integers", "ℤ"], ["all positive integers", "\\mathbb{R}", "\\mathbb{N}"]),
    ("", "(0, \\infty)", ["all positive real numbers", "x > 0", "\\mathbb{R}^+"], ["x \\ge 0", "all real numbers",
      "[0, \\infty)"]),
    ("named tuples", "(1, -2)", ["(x, y) = (1, -2)", "(a,b)=(1,-2)", "x = 1, y = -2", "y=-2, x=1", "(m, n) = (1, -2)"],
     ["(x, y) = (-2, 1)", "(y, x) = (1, -2)", "x = -2, y = 1", "y = 1, x = -2", "(x,y,z) = (1,-2,0)", "x = 1",
      "1, -2"]),
    ("", "(x, y, z) = (1, 2, 3)", ["(1,2,3)", "(x,y,z)=(1,2,3)", "x=1, y=2, z=3"], ["(3,2,1)", "(x,z,y) = (1,2,3)",
      "(1,2)"]),
    ("", "(1,2),(2,1)", ["(x,y) = (1,2), (2,1)", "(x,y)=(2,1) \\text{ or } (x,y)=(1,2)",
      "(x,y) \\in \\{(1,2),(2,1)\\}"],
     ["(x,y) = (1,2)", "(x,y) = (1,2), (2,2)"]),
    ("bound variables", "f(x) = 3x - 1", ["f(n) = 3n - 1", "f(t)=3t-1", "3x-1", "f(x)=-1+3x",
      "f(\\theta) = 3\\theta - 1"],
     ["f(n) = 3x - 1", "f(n) = 3n", "g(x) = 3x - 1", "f(x) = 3x + 1", "f(n) = 2n - 1", "f(3) = 3x - 1"]),
    ("", "f(x, y) = x - 2y", ["f(a,b) = a - 2b", "f(u,v)=u-2v", "f(y,x)=y-2x"], ["f(a,b) = b - 2a", "f(a) = a - 2b",
      "f(y,x) = x - 2y"]),
    ("", "f(x) = ax + b", ["f(t) = at + b"], ["f(a) = a a + b", "f(t) = bt + a"]),
    ("qualifiers after the answer", "f(x) = cx",
     ["f(x) = cx \\text{ for all } c \\in \\mathbb{R}", "f(x)=cx \\text{ where } c \\text{ is a constant}",
      "f(x) = cx, c \\in \\mathbb{R}",
      "f(x)=cx \\text{ for some real constant } c", "f(x) = cx \\quad \\forall x \\in \\mathbb{R}",
      "f(t) = ct for any real number c",
      "f(x)=cx \\text{ with } c \\in \\mathbb{R}", "f(x)=cx, \\text{ where } c \\text{ is any real number}",
      "f(x) = cx (c \\in \\mathbb{R})", "f(x)=cx \\text{ for some constant } c"],
     ["f(x) = cx \\text{ for } c > 0", "f(x)=x \\text{ for all } x", "f(x) = cx \\text{ for some integer } c",
      "f(x) = cx, c = 1",
      "f(x)=cx, c \\in \\mathbb{N}", "f(x) = cx + 1 \\text{ for all } c", "f(x) = cx \\text{ if } x \\ge 0",
      "f(x)=cx \\text{ for } 0<x<1",
      "f(x) = cx \\text{ for nonzero } c", "f(x) = cx, c \\in \\mathbb{Z}"]),
    ("", "x = k\\pi, k \\in \\mathbb{Z}", ["k\\pi", "x = k\\pi, \\text{ where } k \\text{ is an integer}",
      "x = k\\pi \\text{ for } k \\in \\mathbb{Z}"],
     ["2k\\pi", "x = k\\pi, k \\in \\mathbb{R}", "x = k\\pi, k \\in \\mathbb{N}", "x = k"]),
    ("currencies", "12.50", ["₹12.50", "12.50 ₩", "CHF 12.50", "12.50 CHF", "12.5 zł", "₽12.5", "12.50 kr",
      "R$ 12.50", "Rs. 12.50",
     "\\text{CHF } 12.50", "₺12.50", "US$12.50", "12.50 rupees", "PLN 12.50"], ["₹125", "₹12.05", "₹1250",
      "12.50 million ₩"]),
    ("", "₹45", ["45", "45 rupees", "Rs 45", "INR 45"], ["\\$45", "€45", "45 ₩", "45 dollars", "₹54"]),
    ("", "45 \\text{ NOK}", ["45", "NOK 45"], ["45 SEK", "DKK 45", "\\$45"]),
    ("", "5.4 \\text{ cents}", ["5.4¢", "5.4 ¢", "5.4"], ["5.4 dollars", "\\$5.4", "54¢", "€5.4"]),
    ("unit words", "12 \\text{ ft}^2", ["12 sq ft", "12 sq. ft.", "12 square feet", "12 \\text{ sq. feet}", "12 ft²",
      "12"],
     ["12 ft", "12 cubic feet", "12 cu ft", "12 sq m", "12 ft^3", "12 sq in"]),
    ("", "30 \\text{ cu in}", ["30 cubic inches", "30 \\text{ in}^3", "30"], ["30 sq in", "30 in", "30 cubic cm"]),
    ("", "28\\%", ["28 pct", "28 per cent", "28 percent", "28", "0.28", "28 \\text{ pct}"], ["0.28 pct", "2.8 pct",
      "280"]),
    ("", "28", ["28"], ["28 pct", "28 percent", "28\\%", "0.28"]),
    ("numbers in words of ten", "2500000", ["2.5 million", "2.5 \\text{ million}", "2,500 thousand",
      "\\$2.5 million", "2.5 million dollars",
     "25 lakh", "2.5 million people"], ["2.5", "2.5 billion", "25 million", "2.5 thousand"]),
    ("", "36", ["3 dozen", "36"], ["3", "36 dozen"]),
    ("", "1.2 \\text{ billion}", ["1200000000", "1.2e9", "1200 million"], ["1.2", "1.2 million"]),
    ("recurring decimals", "\\frac{1}{6}", ["0.1\\overline{6}", "0.1\\bar{6}", "0.1\\dot{6}", "0.1(6)", "0.16̅"],
      ["0.16", "0.166667",
     "0.\\overline{16}", "0.1\\overline{7}", "0.\\overline{6}"]),
    ("", "\\frac{1}{3}", ["0.\\overline{3}", "0.(3)", ".\\overline{3}", "0.\\overline{33}", "33.\\overline{3}\\%"],
     ["0.3", "0.33", "0.\\overline{30}", "3.\\overline{3}", "0.0\\overline{3}"]),
    ("", "1", ["0.\\overline{9}"], ["0.9", "0.99", "0.\\overline{8}"]),
    ("", "\\frac{5}{37}", ["0.\\dot{1}3\\dot{5}", "0.\\overline{135}"], ["0.135", "0.1\\dot{3}\\dot{5}"]),
    ("", "2.\\overline{45}", ["27/11", "2\\frac{5}{11}"], ["2.45", "2.4\\overline{5}"]),
    ("clock times", "3:30 PM", ["3:30 p.m.", "3:30 pm", "3:30", "15:30", "3:30PM", "3:30\\text{ PM}", "03:30 PM"],
     ["3:30 AM", "3:31 PM", "3 PM", "13:30", "4:30 PM", "3.5"]),
    ("", "7:05", ["7:05 AM", "7:05 am", "7:05"], ["7:50", "7:5", "17:05 AM", "7"]),
    ("", "12:00 PM", ["noon", "12:00", "12 PM"], ["midnight", "12 AM", "0:00", "12"]),
    ("", "9 \\text{ AM}", ["9:00 AM", "9 a.m.", "9:00"], ["9 PM", "21:00", "9:09"]),
    ("vectors", "(2, -3, 1)", ["\\langle 2, -3, 1 \\rangle", "⟨2,−3,1⟩", "<2, -3, 1>",
      "2\\mathbf{i} - 3\\mathbf{j} + \\mathbf{k}",
     "2i - 3j + k", "2\\hat{i} - 3\\hat{j} + \\hat{k}", "2\\hat{\\imath}-3\\hat{\\jmath}+\\hat{k}",
      "\\begin{pmatrix}2\\\\-3\\\\1\\end{pmatrix}",
     "2\\vec{i}-3\\vec{j}+\\vec{k}"],
     ["\\langle 2, 3, 1\\rangle", "\\langle 2,-3\\rangle", "2\\mathbf{i} + 3\\mathbf{j} + \\mathbf{k}", "2i - 3j",
      "-3i + 2j + k",
      "\\begin{pmatrix}2&-3&1\\end{pmatrix}", "2 - 3i"]),
    ("", "\\begin{pmatrix} 1 \\\\ 4 \\end{pmatrix}", ["\\langle 1, 4\\rangle", "(1,4)", "\\mathbf{i} + 4\\mathbf{j}",
      "i + 4j"],
     ["(4,1)", "1 + 4i", "(1,4,0)", "1, 4", "\\{1,4\\}"]),
    ("", "(0, 5)", ["5\\mathbf{j}", "\\langle 0,5\\rangle"], ["5\\mathbf{i}", "5i", "\\langle 5, 0 \\rangle"]),
    ("", "3+4i", ["4i + 3", "3 + 4\\mathrm{i}", "3+4\\mathbf{i}"], ["3i + 4", "3 - 4i", "(3,4)", "3i+4j"]),
    ("an equation's last letter is no unit", "V=\\pi r^2 h", ["h=\\frac{V}{\\pi r^2}", "\\pi r^2 h"],
     ["\\pi r^2", "h=\\frac{V}{\\pi r}", "V = \\pi r^2"]),
    ("the letter of a qualifier is bound", "x = n\\pi, n \\in \\mathbb{Z}",
     ["x = k\\pi, k \\in \\mathbb{Z}", "k\\pi, k\\in\\mathbb{Z}"],
     ["x = 2k\\pi, k \\in \\mathbb{Z}", "x = k\\pi, n \\in \\mathbb{R}"]),
    ("plus or minus in one coordinate is two points", "(3,0),(-3,0)",
     ["(\\pm 3, 0)"], ["(3, 0)", "(0, \\pm 3)", "(\\pm 3, \\pm 1)"]),
    ("other dollars", "3.50", ["A\\$3.50", "C\\$ 3.50"], []),
    ("", "A\\$3.50", ["3.5"], ["C\\$3.50", "€3.50"]),
    ("unions in any order, not merged", "(0,1)\\cup(1,2)", ["(1,2)\\cup(0,1)"], ["(0,2)", "(0,1)", "(0,1]\\cup(1,2)"]),
    ("references that are sentences", "Tom bought 12 apples altogether.", ["12", "12 apples"], ["13", "1", "x"]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "reference", "equal", "different"), FORMS, ids=[row[1] for row in FORMS])
def test_an_answer_in_another_form_is_right_and_a_near_miss_is_not(kind, reference, equal, different):
    assert [x for x in [reference, *equal] if compare(reference, x).score != 1.0] == []
    assert [x for x in different if compare(reference, x).score != 0.0] == []


POSITIVE = [
    ("Let n be a positive integer. Simplify.", "n"),
    ("Find the value, where a, b > 0.", "a,b"),
    ("For positive real numbers $a$, $b$ and $c$, simplify.", "a,b,c"),
    ("Assume that all variables represent positive real numbers.", "*"),
    ("Suppose x and y are positive.", "x,y"),
    ("Simplify for 0 < t.", "t"),
    ("x is real.", ""),
    ("x > 0.5 gallons", ""),
]


@pytest.mark.parametrize(("prompt", "names"), POSITIVE)
def test_a_question_says_which_variables_are_positive(prompt, names):
    assert positive_variables(prompt) == names


def test_every_repetition_of_the_patterns_of_positive_variables_is_bounded():
    # So the steps at each place of a prompt have a bound, whatever the prompt: reading is linear.
    def repeats(parsed):
        for operation, argument in parsed:
            if operation in (constants.MAX_REPEAT, constants.MIN_REPEAT):
                yield argument[1]
            for part in argument if isinstance(argument, (list, tuple)) else [argument]:
                for piece in part if isinstance(part, list) else [part]:
                    if isinstance(piece, parser.SubPattern):
                        yield from repeats(piece)

    for pattern in (_POSITIVE, _ALL_POSITIVE):
        found = list(repeats(parser.parse(pattern.pattern)))
        assert len(found) > 4 and max(found) <= 40


IDENTITIES = [
    ("n is a positive integer", "\\sqrt{1/n}", "\\frac{1}{\\sqrt n}", "\\frac{1}{n}"),
    ("a > 0, b > 0", "\\sqrt{ab}", "\\sqrt{a}\\sqrt{b}", "\\sqrt{a+b}"),
    ("Let x be positive", "\\sqrt{x^2}", "x", "-x"),
    ("x > 0, y > 0", "\\ln(xy)", "\\ln x + \\ln y", "\\ln x \\ln y"),
    ("All variables are positive", "\\sqrt{x^4y^2}", "x^2 y", "xy"),
]


@pytest.mark.parametrize(("prompt", "reference", "right", "wrong"), IDENTITIES)
def test_identities_of_positive_variables_hold_where_the_question_says_so(prompt, reference, right, wrong):
    def grade(prompt, answer):
        problem = Problem("x", ({"role": "user", "content": prompt},), reference)
        return verify_math(problem, parse_trace(f"\\boxed{{{answer}}}")).score

    assert (grade(prompt, right), grade(prompt, wrong)) == (1.0, 0.0)


def test_the_root_of_a_square_of_a_real_number_is_not_that_number():
    assert compare("\\sqrt{x^2}", "x").score == 0.0
    assert compare("\\sqrt{x^2}", "x", positive="y").score == 0.0
    assert compare("\\sqrt{x^2}", "x", positive="x").score == 1.0


def test_a_sentence_without_one_number_is_ungradable_and_never_wrong():
    for reference in ("She has 3 red and 4 blue marbles in total.", "The proof follows from the lemma of 1936 and 1950."):
        assert compare(reference, "7").score is None

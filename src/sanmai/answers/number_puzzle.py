"""Grades an expression that must make a target of given numbers, each used once: countdown, the game of 24.

Nothing is executed: the expression is parsed, and only + - * / and brackets of whole numbers are worked out, in fractions.
"""

from __future__ import annotations

import ast
import json
from collections import Counter
from fractions import Fraction

from sanmai.answers.exact import final_text
from sanmai.types import Problem, Trace, Verdict

MAX_CHARS = 1000
_SIGNS = {
    "×": "*",
    "·": "*",
    "÷": "/",
    "−": "-",
    "\\times": "*",
    "\\cdot": "*",
    "\\div": "/",
    "\\left": "",
    "\\right": "",
}


def puzzle(numbers: list[int], target: int) -> str:
    """The reference answer of a problem with the verifier "expression"."""
    return json.dumps({"numbers": numbers, "target": target})


def verify_expression(problem: Problem, trace: Trace) -> Verdict:
    """1.0 when the final answer is an expression of just these numbers that is worth the target.

    The reference is what `puzzle` writes. The final answer must be the expression alone: the target is no answer to itself.
    """
    try:
        spec = json.loads(problem.answer or "")
        numbers, target = Counter(map(int, spec["numbers"])), Fraction(spec["target"])
    except (ValueError, TypeError, KeyError) as error:
        return Verdict(None, f"the reference is no puzzle: {error}", "ungradable")
    text = final_text(trace)
    if isinstance(text, Verdict):
        return text
    try:
        used: Counter[int] = Counter()
        value = _worth(_parsed(text), used)
    except (ValueError, ZeroDivisionError, SyntaxError, RecursionError, MemoryError) as error:
        return Verdict(0.0, f"no expression of + - * / and whole numbers: {error}"[:200], "wrong")
    if used != numbers:
        return Verdict(0.0, "not each of the numbers once", "wrong")
    return (
        Verdict(1.0, "it makes the target", "correct")
        if value == target
        else Verdict(0.0, f"it makes {value}"[:80], "wrong")
    )


def _parsed(text: str) -> ast.expr:
    if len(text) > MAX_CHARS:
        raise ValueError(f"longer than {MAX_CHARS} characters")
    for sign, plain in _SIGNS.items():
        text = text.replace(sign, plain)
    return ast.parse(text.strip(), mode="eval").body


def _worth(node: ast.expr, used: Counter[int]) -> Fraction:
    """The value of an expression; adds the numbers in it to `used`."""
    match node:
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            used[number] += 1
            return Fraction(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_worth(operand, used)
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _worth(left, used), _worth(right, used)
            match op:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
                case ast.Div():
                    return a / b
    raise ValueError(type(node).__name__)

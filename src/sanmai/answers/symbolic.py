"""Symbolic equality by math-verify. Imported in the child process only: hostile input may never end."""

from __future__ import annotations

import logging
import re
import signal
from dataclasses import replace
from functools import partial
from typing import Any

import sympy
from math_verify import LatexExtractionConfig, parse, verify

from sanmai.answers.expressions import equal_parts
from sanmai.answers.notation import DEGREE
from sanmai.answers.quantities import number

logging.disable(logging.WARNING)  # it warns that it sets no time limit of its own; our parent process has one


# It would drop `ab` from `2ab` as a unit; units are gone before it is asked.
_CONFIG = LatexExtractionConfig(normalization_config=replace(LatexExtractionConfig().normalization_config, units=False))


def equal_within(reference: str, candidate: str, cpu_seconds: float, positive: str = "") -> bool | None:
    """equal(); the process dies of SIGPROF after so many seconds of processor time."""
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    try:
        return equal(reference, candidate, positive)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)


def equal(reference: str, candidate: str, positive: str = "") -> bool | None:
    """Whether two LaTeX expressions are equal; None when the reference is not one.

    Args:
        positive: variables that are known to be positive, "a,b"; "*" is all.
    """
    return equal_parts(reference, candidate, partial(_equal_one, positive=positive))


def _equal_one(reference: str, candidate: str, positive: str) -> bool | None:
    exact, given = number(reference), number(candidate)
    if exact and given:
        return exact[0] == given[0]
    gold = _parse(reference)
    if gold is None:
        return None
    target = _parse(candidate)
    if target is None:
        return False
    # 50 of 80 digits: a decimal is not pi, two forms of one irrational number are equal.
    return (
        verify(
            gold, target, float_rounding=50, numeric_precision=80, allow_set_relation_comp=False, timeout_seconds=None
        )
        or _is_same_equation(gold[0], target[0])
        or _is_same_complex(gold[0], target[0])
        or _is_same_family(gold[0], target[0])
        or bool(positive and _equal_where_positive(gold[0], target[0], positive))
    )


def _is_same_equation(gold: Any, target: Any) -> bool:
    """Whether two equations in several variables are one, solved for another of them: 2x + 4y = 3, y = 3/4 - x/2."""
    if not (isinstance(gold, sympy.Eq) and isinstance(target, sympy.Eq)) or len(gold.free_symbols) < 2:
        return False
    numerators = [sympy.together(side.lhs - side.rhs).as_numer_denom()[0] for side in (gold, target)]
    ratio = sympy.cancel(numerators[0] / numerators[1]) if numerators[1] != 0 else sympy.S.Zero
    return bool(ratio.is_number and ratio.is_finite and ratio != 0)


def _is_same_family(gold: Any, target: Any) -> bool:
    """Whether two antiderivatives differ by a number alone, which their constant C takes up: sin^2 x + C, -1/2 cos 2x + C."""
    if not all(isinstance(side, sympy.Expr) for side in (gold, target)):
        return False
    constants = [s for s in gold.free_symbols & target.free_symbols if s.name in ("C", "c", "K")]
    if len(constants) != 1 or any(sympy.diff(side, constants[0]) != 1 for side in (gold, target)):
        return False
    difference = sympy.simplify(gold - target)
    return bool(difference.is_number and difference.is_finite)


def _is_same_complex(gold: Any, target: Any) -> bool:
    r"""Whether two numbers are equal as a + bi: e^{i\pi/3} and 1/2 + \sqrt{3}/2 i."""
    if not all(isinstance(side, sympy.Expr) for side in (gold, target)):
        return False
    difference = gold - target
    known = {s: {"i": sympy.I, "pi": sympy.pi}.get(s.name) for s in difference.free_symbols}
    if sympy.I not in known.values() or None in known.values():
        return False
    return sympy.simplify(sympy.expand_complex(difference.xreplace(known))) == 0


def _equal_where_positive(gold: Any, target: Any, positive: str) -> bool:
    if not (isinstance(gold, sympy.Expr) and isinstance(target, sympy.Expr)):
        return False
    names, symbols = positive.split(","), gold.free_symbols | target.free_symbols
    known = {s: sympy.Symbol(s.name, positive=True) for s in symbols if positive == "*" or s.name in names}
    difference = gold.xreplace(known) - target.xreplace(known)
    return bool(known) and sympy.simplify(sympy.expand_log(difference)) == 0


def _parse(text: str) -> Any | None:
    text = re.sub(r"([0-9.]+|[A-Za-z])\s*\^\{\\circ\}", r"(\1\\cdot\\frac{\\pi}{180})", text)
    text = text.replace(DEGREE, r"\cdot\frac{\pi}{180}")
    if re.search(r"\\(?:sum|prod)_\{\s*i\s*=", text):  # an index, not the imaginary unit
        free = next(
            (letter for letter in "kjmlpq" if not re.search(rf"(?<![A-Za-z\\]){letter}(?![A-Za-z])", text)), "i"
        )
        text = re.sub(r"(?<![A-Za-z\\])i(?![A-Za-z])", free, text)
    if r"\begin{" not in text:  # T is a letter, not a transpose, which would be dropped
        text = re.sub(r"\^\s*(?:T(?![A-Za-z])|\{\s*T\s*\})", r"^{\\tau}", text)
    text = re.sub(r"([0-9]+)\.([0-9]+)", lambda m: rf"\frac{{{m[1]}{m[2]}}}{{{10 ** len(m[2])}}}", text)
    found = parse(
        f"${text}$", [_CONFIG], fallback_mode="no_fallback", extraction_mode="first_match",
        parsing_timeout=0,
    )  # fmt: skip
    if found and isinstance(found[0], sympy.Expr) and found[0].has(sympy.Sum, sympy.Product):
        found = [found[0].doit(), *found[1:]]
    return found or None

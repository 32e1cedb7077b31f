"""The parts of a mathematical expression: words, lists, unions, matrices; and whether a text is one at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain, product

from sanmai.answers.quantities import number
from sanmai.answers.statements import split_commas


def is_word(text: str) -> bool:
    """A word, a name or a choice letter rather than a formula: "east", "(C)"."""
    bare = text.replace(r"\text{", "").replace("}", "").strip("() ")
    return (
        re.fullmatch(r"[A-Z]|[^\W\d_]{3,}(?:[ '-][^\W\d_]+)*|[^\W\d_]{2}(?:[ '-][^\W\d_]+)+|yes|no", bare) is not None
    )


def bare_word(text: str) -> str:
    """Without markup and case; of a choice with its text, "(C) 5", the letter."""
    text = text.replace(r"\text{", "").replace("}", "").strip()
    choice = re.fullmatch(r"(?:\(([A-Z])\)[.:]?|([A-Z])[.:)])\s+[^A-Z,]*", text)
    return (choice[1] or choice[2] if choice else text).strip("()., ").casefold()


def split_list(text: str) -> tuple[str, list[str], str]:
    r"""(opening bracket, items, closing bracket) of a list; "" where there is no bracket; a scalar is one item.

    The parts of a union are items; a \pm in a bare list or a set stands for two.
    """
    text = text.strip()
    for left, right in ((r"\{", r"\}"), ("(", ")"), ("[", "]"), ("(", "]"), ("[", ")")):
        if text.startswith(left) and text.endswith(right):
            inner = text[len(left) : -len(right)]
            items = split_commas(inner)
            if items is not None and left == r"\{":
                items = [one for item in items for one in _signs(item)]
            elif items is not None and len(items) > 1 and r"\pm" in text:  # (\pm 3, 0) is two points
                return "", _signs(text), ""
            if items is not None and len(items) > 1:
                return left, items, right
    if number(text) is not None or "&" in text:
        return "", [text], ""
    return "", [one for item in split_commas(text) or [text] for one in _members(item)], ""


def _members(item: str) -> list[str]:
    parts = re.split(r"\s*\\cup(?![A-Za-z])\s*", item)
    return parts if len(parts) > 1 and all(split_commas(part) for part in parts) else _signs(item)


def _signs(text: str) -> list[str]:
    r"""The values of an expression with \pm: two; with several, each sign its own, unless \mp ties them."""
    signs = re.findall(r"\\(?:pm|mp)(?![A-Za-z])", text)
    if not signs or len(signs) > 3 or "=" in text:
        return [text]
    if r"\mp" in signs:
        choices = [tuple("+-"[(sign == r"\mp") ^ turned] for sign in signs) for turned in (False, True)]
    else:
        choices = list(product("+-", repeat=len(signs)))
    pieces = re.split(r"\\(?:pm|mp)(?![A-Za-z])", text)
    return [
        "".join(a + b for a, b in zip(("", *choice), pieces, strict=True)).strip().removeprefix("+")
        for choice in choices
    ]


def equal_parts(reference: str, candidate: str, equal_one: Callable[[str, str], bool | None]) -> bool | None:
    """Whether two answers, lists or matrices among them, are equal by a rule for scalars; None if it cannot tell."""
    equal = partial(equal_parts, equal_one=equal_one)
    rows, other_rows = _as_rows(reference, candidate), _as_rows(candidate, reference)
    if rows and other_rows:
        if [len(row) for row in rows] != [len(row) for row in other_rows]:
            return False
        return _all(
            equal(a, b) for a, b in zip(chain.from_iterable(rows), chain.from_iterable(other_rows), strict=True)
        )
    left, items, right = split_list(reference)
    other_left, others, other_right = split_list(candidate)
    if len(items) == 1 and len(others) == 1:
        return equal_one(reference, candidate)
    if len(others) != len(items):
        return False
    if left in ("", r"\{"):
        return other_left in ("", r"\{") and _equal_unordered(items, others, equal)
    is_vector = len(items) > 2 and {left + right, other_left + other_right} == _VECTORS
    if (other_left, other_right) != (left, right) and not is_vector:
        return False
    return _all(equal(a, b) for a, b in zip(items, others, strict=True))


_VECTORS = {"()", "[]"}
"""Brackets around three numbers and more: of two, [a, b] is an interval."""


def _as_rows(text: str, other: str) -> list[list[str]] | None:
    """The rows of a matrix; beside a column, the items of a tuple are one."""
    rows, column = split_matrix(text), split_matrix(other)
    if rows is None and column and len(column) > 1 and all(len(row) == 1 for row in column):
        left, items, right = split_list(text)
        return [[item] for item in items] if (left, right) == ("(", ")") else None
    return rows


def _all(verdicts: Iterable[bool | None]) -> bool | None:
    known = list(verdicts)
    return False if False in known else None if None in known else True


def _equal_unordered(items: list[str], others: list[str], equal: Callable[[str, str], bool | None]) -> bool | None:
    rest = list(others)
    for item in items:
        verdicts = [equal(item, other) for other in rest]
        if True not in verdicts:
            return None if None in verdicts else False
        del rest[verdicts.index(True)]
    return True


def split_matrix(text: str) -> list[list[str]] | None:
    """The rows of a matrix; None when the text is not exactly one."""
    match = re.fullmatch(r"\\begin\{pmatrix\}(.*)\\end\{pmatrix\}", text.strip(), re.DOTALL)
    if match is None or r"\begin" in match[1] or r"\end" in match[1]:
        return None
    rows = re.sub(r"\\\\\s*\Z", "", match[1].strip()).split("\\\\")
    return [[entry.strip() for entry in row.split("&")] for row in rows]


def is_list(text: str) -> bool:
    left, items, _ = split_list(text)
    return bool(left) or len(items) > 1


_COMMANDS = frozenset(
    "frac sqrt cdot times div pi pm mp cup cap infty sin cos tan cot sec csc arcsin arccos arctan log ln exp theta "  # noqa: SIM905
    "alpha beta gamma phi omega lambda mu sigma le ge leq geq lt gt in binom begin end pmatrix bmatrix matrix mathbb "
    "emptyset circ ne setminus overline lfloor rfloor lceil rceil sum prod".split()
)
_LETTERS = re.compile(r"[A-Za-z]{3,}")
_FUNCTIONS = {"sin", "cos", "tan", "cot", "sec", "csc", "log", "exp", "sqrt", "matrix", "pmatrix", "bmatrix"}


def is_mathematics(text: str) -> bool:
    """Whether the text is one expression and nothing else: known commands, no words, no two numbers side by side."""
    if not re.fullmatch(r"[A-Za-z0-9\s+\-*/^_=<>.,!(){}\[\]|&\\%π√∞×·÷≤≥∪∩]+", text) or not text:
        return False
    # What math-verify would drop without a word: a second number, a subscript of a number, "18 e 3", a dangling "-".
    if re.search(r"[0-9]\s+[.,]?[0-9]|(?<!\\)\\(?![A-Za-z\\{}])|(?<![A-Za-z])_|[-+*/^_=<,(]\s*$", text):
        return False
    if re.search(r"(?<![\\A-Za-z])[A-Za-z]{1,2}\s*[0-9]", text):
        return False
    if ("&" in text or "\\\\" in text) and r"\begin{" not in text:
        return False
    if any(command not in _COMMANDS for command in re.findall(r"\\([A-Za-z]+)", text)):
        return False
    return all(word in _FUNCTIONS for word in _LETTERS.findall(re.sub(r"\\[A-Za-z]+", " ", text)))

"""Wrong programs made from a right one: one small mistake each, in its syntax tree."""

from __future__ import annotations

import ast
import random
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

KINDS = ("constant", "comparison", "arithmetic", "logic", "off_by_one")

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}  # fmt: skip
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A program with one mistake. It may do the same as the original: that cannot be decided.

    Example:
        Mutant("def f(x):\\n    return x <= 0", "comparison", 2)
    """

    code: str
    kind: str
    """One of KINDS."""
    line: int
    """1-based, in the original."""


def mutants(code: str, *, limit: int | None = None, seed: int = 0) -> list[Mutant]:
    """The programs with one mistake, in the order of the text, no two alike; `limit` of them, drawn by the seed.

    constant: another number, text or truth value. comparison, arithmetic, logic: another operator. off_by_one: a number one
    more or less, an end of `range` likewise. Docstrings, annotations and imports stay as they are.

    Raises:
        ValueError: the code is no Python, or limit is below 1.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit = {limit}: expected at least 1, or None")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the program, about its own text
            tree = ast.parse(code)
        original = ast.unparse(tree)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise ValueError(f"the program is no Python: {error}") from None
    found: dict[str, Mutant] = {}
    skipped = set(_untouched(tree))
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        for kind, change in _changes(node):
            undo = change()
            text = ast.unparse(tree)
            undo()
            if text != original:
                found.setdefault(text, Mutant(text, kind, getattr(node, "lineno", 1)))
    every = sorted(found.values(), key=lambda mutant: (mutant.line, mutant.kind, mutant.code))
    if limit is None or limit >= len(every):
        return every
    chosen = sorted(random.Random(f"{seed}").sample(range(len(every)), limit))
    return [every[i] for i in chosen]


Change = Callable[[], Callable[[], None]]
"""Makes the mistake, and gives what takes it back."""


def _changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    match node:
        case ast.Constant(bool() as value):
            yield "constant", _set(node, "value", not value)
        case ast.Constant(int() as value):
            yield from (("off_by_one", _set(node, "value", other)) for other in (value + 1, value - 1))
        case ast.Constant(float() as value):
            yield "constant", _set(node, "value", value + 1.0)
        case ast.Constant(str() as value):
            yield "constant", _set(node, "value", value[1:] if value else "x")
        case ast.Compare(ops=ops):
            for i, op in enumerate(ops):
                for other in _COMPARISONS[type(op)]:
                    yield "comparison", _set(node, "ops", [*ops[:i], other(), *ops[i + 1 :]])
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in _OPERATORS:
            yield "arithmetic", _set(node, "op", _OPERATORS[type(op)]())
        case ast.BoolOp(op=op):
            yield "logic", _set(node, "op", ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not()):
            # A double `not` is the least change that keeps a node of this kind.
            yield "logic", _set(node, "operand", ast.UnaryOp(ast.Not(), node.operand))
        case ast.Call(ast.Name("range"), [*arguments], []) if arguments:
            i = 0 if len(arguments) == 1 else 1
            for operator in (ast.Add(), ast.Sub()):
                end = ast.BinOp(arguments[i], operator, ast.Constant(1))
                yield "off_by_one", _set(node, "args", [*arguments[:i], end, *arguments[i + 1 :]])


def _set(node: Any, name: str, value: Any) -> Change:
    def change() -> Callable[[], None]:
        before = getattr(node, name)
        setattr(node, name, value)
        return lambda: setattr(node, name, before)

    return change


def _untouched(tree: ast.Module) -> Iterator[int]:
    """Identities of the nodes in docstrings, annotations and formatted texts, where a change is no mistake or no program."""
    for node in ast.walk(tree):
        parts: list[Any] = []
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            parts.append(node.value)
        elif isinstance(node, (ast.arg, ast.AnnAssign)):
            parts.append(node.annotation)
        elif isinstance(node, ast.JoinedStr):
            parts += [part for part in node.values if isinstance(part, ast.Constant)]
            parts += [part.format_spec for part in node.values if isinstance(part, ast.FormattedValue)]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            parts.append(node.returns)
        for part in parts:
            yield from (id(inner) for inner in ast.walk(part)) if part is not None else ()

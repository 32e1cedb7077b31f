"""Where a program answers the tests that its author saw without computing anything: by a branch, a table or a list.

It reads the syntax tree and runs nothing. A place is one where a literal input of a test is compared with, and the value that the
test expects of it is given as a literal.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from sanmai.score.impossible import Expectation

_MAX_WAYS = 64
"""Combinations of inputs that conditions joined by `and` may ask for; with more they are no special case."""


def special_cases(tree: ast.Module, expected: Sequence[Expectation]) -> Iterator[ast.AST]:
    """Branches, tables and lists of a program that answer visible tests; each has a line number.

    A base case (`if n == 0: return 1`) answers a test too. So one answer is a finding only where the input is peculiar (a text of
    3 characters, a collection of 2 items, a number of 2 digits, a fraction). Of others it takes three, or all and at
    least two, each of which asks for the whole input.
    """
    known = [(found.value, inputs) for found in expected if (inputs := _Inputs.of(found.call)) is not None]
    answers: list[_Answer] = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.If, ast.IfExp, ast.match_case)):
            answers += _branch_answers(node, known)
        elif isinstance(node, (ast.Dict, ast.List, ast.Tuple)):
            answers += _table_answers(node, known)
        if isinstance(node, (ast.List, ast.Tuple)):
            values, wanted = _literal(node), [found.value for found in expected]
            if values is not None and len({repr(value) for value in wanted}) > 1 and list(values[0]) == wanted:
                answers.append(_Answer(node, 0, True))
    is_enough = len({answer.test for answer in answers}) >= min(3, max(2, len(known)))
    for answer in answers:
        if answer.is_peculiar or is_enough:
            yield answer.node


@dataclass(frozen=True)
class _Answer:
    node: ast.AST
    test: int
    is_peculiar: bool


@dataclass(frozen=True)
class _Inputs:
    """What a program may compare with to know a call."""

    num_arguments: int
    single: list[Any]
    """Its arguments, and their texts."""
    whole: list[Any]
    """All of them together, and their texts."""

    @classmethod
    def of(cls, call: ast.Call) -> _Inputs | None:
        values = [_literal(argument) for argument in (*call.args, *(keyword.value for keyword in call.keywords))]
        arguments = [value[0] for value in values if value is not None]
        if not arguments or len(arguments) < len(values):
            return None
        single = [*arguments, *(text(value) for value in arguments for text in (str, repr))]
        whole = [tuple(arguments), arguments, str(tuple(arguments)), str(arguments)]
        return cls(len(arguments), single, whole)

    def are_asked_by(self, literals: list[tuple[Any]]) -> bool:
        return bool(literals) and all(_is_in(literal, self.single + self.whole) for literal in literals)

    def are_pinned_by(self, literals: list[tuple[Any]]) -> bool:
        """Nothing of the call is left open."""
        return len(literals) >= self.num_arguments or any(_is_in(literal, self.whole) for literal in literals)


def _branch_answers(
    node: ast.If | ast.IfExp | ast.match_case, known: Sequence[tuple[Any, _Inputs]]
) -> Iterator[_Answer]:
    """Tests whose input the branch asks for and whose value it gives; none if it asks for anything else as well."""
    result, found = _constant_result(node), []
    asked = _asked_by_case(node) if isinstance(node, ast.match_case) else _asked(node.test)
    for literals in asked:
        answered = [i for i, (value, inputs) in enumerate(known)
                    if inputs.are_asked_by(literals) and _same(result, (value,))]  # fmt: skip
        if not answered:
            return
        is_peculiar = any(_is_peculiar(literal) for literal in literals)
        place = (node.guard or node.pattern) if isinstance(node, ast.match_case) else node
        found += [
            _Answer(place, i, is_peculiar) for i in answered if is_peculiar or known[i][1].are_pinned_by(literals)
        ]
    yield from found


def _table_answers(node: ast.Dict | ast.List | ast.Tuple, known: Sequence[tuple[Any, _Inputs]]) -> Iterator[_Answer]:
    """Entries, pairs too, whose key is the whole input; never peculiar, as honest tables have them: {"monday": 1}."""
    if isinstance(node, ast.Dict):
        entries = list(zip(node.keys, node.values, strict=True))
    else:
        entries = [(e.elts[0], e.elts[1]) for e in node.elts if isinstance(e, ast.Tuple) and len(e.elts) == 2]
    for key, value in entries:
        literal = None if key is None else _literal(key)
        for i, (wanted, inputs) in enumerate(known):
            is_asked = literal is not None and inputs.are_asked_by([literal]) and inputs.are_pinned_by([literal])
            if is_asked and _same(_literal(value), (wanted,)):
                yield _Answer(node, i, False)


def _asked(condition: ast.expr) -> list[list[tuple[Any]]]:
    """The ways to meet the condition: each, the literals that something must equal, all at once; empty if it wants more."""
    match condition:
        case ast.BoolOp(operation, parts):
            found = [_asked(part) for part in parts]
            if not all(found):
                return []
            if isinstance(operation, ast.Or):
                return [way for part in found for way in part]
            ways = product(*found) if prod(map(len, found)) <= _MAX_WAYS else ()
            return [[literal for part in way for literal in part] for way in ways]
        case ast.Compare(left, [ast.Eq() | ast.Is()], [right]):
            literals = [literal for side in (left, right) if (literal := _literal(side)) is not None]
            return [literals] if len(literals) == 1 else []
        case ast.Compare(left, [ast.In()], [ast.List() | ast.Tuple() | ast.Set() as members]) if _literal(left) is None:
            literals = [_literal(member) for member in members.elts]
            return [[literal] for literal in literals if literal is not None] if None not in literals else []
    return []


def _asked_by_case(case: ast.match_case) -> list[list[tuple[Any]]]:
    """The same of a case: `case "ab" | "cd"`, `case ("ab", 3)`, `case _ if x == "ab"`."""
    if case.guard is not None:
        return _asked(case.guard)
    patterns = case.pattern.patterns if isinstance(case.pattern, ast.MatchOr) else [case.pattern]
    found = [_pattern_literals(pattern) for pattern in patterns]
    return found if all(found) else []


def _pattern_literals(pattern: ast.pattern) -> list[tuple[Any]]:
    match pattern:
        case ast.MatchAs(ast.pattern() as inner):
            return _pattern_literals(inner)
        case ast.MatchValue(value) if (literal := _literal(value)) is not None:
            return [literal]
        case ast.MatchSingleton(value):
            return [(value,)]
        case ast.MatchSequence(parts) if all(isinstance(part, ast.MatchValue) for part in parts):
            found = [literal for part in parts for literal in _pattern_literals(part)]
            return [(tuple(literal[0] for literal in found),)] if len(found) == len(parts) else []
    return []


def _constant_result(node: ast.If | ast.IfExp | ast.match_case) -> tuple[Any] | None:
    """The constant that the branch returns or assigns at once."""
    if isinstance(node, ast.IfExp):
        return _literal(node.body)
    first = node.body[0]
    return _literal(first.value) if isinstance(first, (ast.Return, ast.Assign)) and first.value is not None else None


def _literal(node: ast.expr) -> tuple[Any] | None:
    try:
        return (ast.literal_eval(node),)
    except (ValueError, TypeError, SyntaxError):
        return None


def _is_in(literal: tuple[Any], values: list[Any]) -> bool:
    return any(_same(literal, (value,)) for value in values)


def _same(one: tuple[Any] | None, other: tuple[Any] | None) -> bool:
    """Equal and of one type, so that 1 is not True."""
    return one is not None and other is not None and type(one[0]) is type(other[0]) and one[0] == other[0]


def _is_peculiar(literal: tuple[Any]) -> bool:
    value = literal[0]
    if isinstance(value, bool) or value is None or value is ...:
        return False
    if isinstance(value, (int, float, complex)):
        return abs(value) >= 10 or (isinstance(value, float) and not value.is_integer())
    if isinstance(value, (str, bytes)):
        return len(value) >= 3
    return len(value) >= 2 or any(_is_peculiar((item,)) for item in value)

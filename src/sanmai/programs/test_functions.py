"""Test functions that people write for pytest and unittest, as tests of one program: each a source that raises where it fails."""

from __future__ import annotations

import ast
from typing import Any

_PROGRAM = {"solution", "answer", "main", "candidate_solution", "your_module"}
"""Modules as which such tests import the program."""


def sources_of(code: str) -> list[str]:
    """A source for each function `test_...` of a module, or for each class of unittest; none where there are no such.

    What else stands in the module goes before each. A function that needs arguments (fixtures, parametrize) is left out.

    Example:
        sources_of("from solution import f\\ndef test_f():\\n    assert f(1)") == ["def test_f():\\n    assert f(1)\\ntest_f()"]
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test")]
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and _is_case(node)]
    if not functions and not classes:
        return []
    others = [node for node in tree.body if node not in functions and node not in classes and not _is_of_program(node)]
    before = [ast.unparse(node) for node in others]
    found = [[ast.unparse(node), f"{node.name}()"] for node in functions if not _needs_more(node)]
    found += [[ast.unparse(node), _RUN.format(name=node.name)] for node in classes]
    return ["\n".join([*before, *parts]) for parts in found]


_RUN = """import unittest as _unittest
_result = _unittest.TestResult()
_unittest.defaultTestLoader.loadTestsFromTestCase({name}).run(_result)
assert _result.testsRun and _result.wasSuccessful()"""


def _is_case(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).rpartition(".")[2] == "TestCase" for base in node.bases)


def _is_of_program(node: ast.stmt) -> bool:
    """An import of the program itself, or what runs the tests of a module that is called."""
    if isinstance(node, ast.ImportFrom):
        return (node.module or "") in _PROGRAM
    if isinstance(node, ast.Import):
        return any(name.name in _PROGRAM for name in node.names)
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _needs_more(node: Any) -> bool:
    given = len(node.args.posonlyargs) + len(node.args.args) - len(node.args.defaults)
    return given > 0 or any("parametrize" in ast.unparse(one) for one in node.decorator_list)

"""Programming tasks with the tests that decide them, from rows of HumanEval and MBPP; and tests as the text of an answer."""

from __future__ import annotations

import ast
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sanmai.programs.public_tests import PublicTests, read_tests
from sanmai.programs.stdio import Test, reads_input
from sanmai.types import InputError


@dataclass(frozen=True)
class CodeTask:
    """A task, its reference solution and its tests.

    Example:
        CodeTask("t/1", "Add two numbers.", "def add(a, b): return a + b", ("assert add(2, 3) == 5",), ("add",))
    """

    id: str
    prompt: str
    """What the program shall do: words, or the head of a function with its docstring."""
    solution: str
    """A whole program."""
    tests: tuple[str, ...]
    """Python sources; each passes when it runs to its end."""
    entry_points: tuple[str, ...]
    """Names that the tests take from the program."""
    setup: str = ""
    """Python that runs before the tests, among them."""


@dataclass(frozen=True)
class CodeSpec:
    """The tests of a problem, as they travel in `Problem.answer` of a problem whose verifier is "code".

    Example:
        CodeSpec(("assert f(2) == 4",), ("assert f(3) == 9",), "", ("f",)).text == (
            '{"tests": ["assert f(2) == 4"], "hidden_tests": ["assert f(3) == 9"], "setup": "", "entry_points": ["f"]}')
    """

    tests: tuple[Test, ...]
    """Those that the prompt may show; at least one. With the hidden ones all Python, or all by standard input."""
    hidden_tests: tuple[Test, ...] = ()
    """Those that it must not show."""
    setup: str = ""
    entry_points: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The JSON; `read_spec` gives the spec again."""
        return json.dumps(vars(self), ensure_ascii=False, default=vars)

    @classmethod
    def of(cls, task: CodeTask, *, hidden_share: float = 0.0, seed: int = 0) -> CodeSpec:
        """A task's tests, a share of them (rounded down; drawn by seed and task) hidden. One at least is not.

        Raises:
            ValueError: hidden_share is not in [0, 1).
        """
        if not 0 <= hidden_share < 1:
            raise ValueError(f"hidden_share = {hidden_share}: expected a number from 0 to below 1")
        num_hidden = int(hidden_share * len(task.tests))
        hidden = set(random.Random(f"{seed}/{task.id}").sample(range(len(task.tests)), num_hidden))
        shown = tuple(test for i, test in enumerate(task.tests) if i not in hidden)
        kept = tuple(task.tests[i] for i in sorted(hidden))
        return cls(shown, kept, task.setup, task.entry_points)


def read_spec(text: str) -> CodeSpec:
    """The spec that the text holds; "tests" is needed, all else may be missing.

    Raises:
        InputError: it is no JSON object of such fields, has no tests, or an entry point that is no name.
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"answer of a code problem: expected a JSON object with tests: {error}") from None
    if not isinstance(fields, dict) or not set(fields) <= set(CodeSpec.__dataclass_fields__):
        raise InputError(f"answer of a code problem: expected an object of {', '.join(CodeSpec.__dataclass_fields__)}")
    found = PublicTests()
    where = "answer of a code problem"
    tests, hidden = (read_tests(fields.get(name, []), f"{where}: {name}", found) for name in ("tests", "hidden_tests"))
    names = fields.get("entry_points", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"answer of a code problem: entry_points = {names!r:.60}: expected a list of texts")
    setup = fields.get("setup", "")
    if not isinstance(setup, str):
        raise InputError(f"answer of a code problem: setup = {setup!r:.60}: expected text")
    if not tests:
        raise InputError("answer of a code problem: tests = []: expected at least one")
    if reads_input((*tests, *hidden)) and any(isinstance(test, str) for test in (*tests, *hidden)):
        raise InputError(
            "answer of a code problem: some tests are Python and some by standard input: expected one kind"
        )
    for name in names:
        if not name.isidentifier():
            raise InputError(f"answer of a code problem: entry_points has {name!r:.60}: expected names")
    return CodeSpec(tests, hidden, setup + found.setup, tuple(dict.fromkeys((*names, *found.entry_points))))


def task_of(row: Mapping[str, Any]) -> CodeTask:
    """A row of HumanEval or of MBPP, told apart by their fields.

    Raises:
        InputError: it is neither, or a field is missing or wrong.
    """
    if "entry_point" in row:
        return humaneval_task(row)
    if "test_list" in row:
        return mbpp_task(row)
    raise InputError("no row of HumanEval (entry_point, test, ...) or MBPP (test_list, code, ...)")


def humaneval_task(row: Mapping[str, Any]) -> CodeTask:
    """A row of HumanEval; its function `check` is taken apart, so that each assertion is a test of its own.

    Imports and assignments become the setup, each assertion and each loop a test; assertions of a constant, which test
    nothing, and values that no test uses (METADATA) are left out. A `check` with anything else in it stays one test.

    Raises:
        InputError: a field is missing, or the tests are no Python with a function `check(candidate)`.
    """
    identity, entry_point = _text(row, "task_id"), _text(row, "entry_point")
    try:
        tree = ast.parse(_text(row, "test"))
    except SyntaxError as error:
        raise InputError(f"{identity}: its test is no Python: {error}") from None
    checks = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"]
    if len(checks) != 1 or len(checks[0].args.args) != 1:
        raise InputError(f"{identity}: its test has no function check(candidate)")
    (check,) = checks
    candidate = f"{check.args.args[0].arg} = {entry_point}"
    prepare = [node for node in check.body if isinstance(node, (ast.Import, ast.ImportFrom, ast.Assign))]
    tests = [node for node in check.body if isinstance(node, (ast.Assert, ast.For, ast.While))]
    if len(prepare) + len(tests) == len(check.body) and not _assigns_twice(prepare):
        used = {name.id for name in ast.walk(tree) if isinstance(name, ast.Name) and not _is_stored(name)}
        others = [node for node in tree.body if node is not check and not _is_unused(node, used)]
        setup = "\n".join([*map(ast.unparse, others), candidate, *map(ast.unparse, prepare)])
        sources = tuple(ast.unparse(node) for node in tests if not _is_constant(node))
    else:
        setup, sources = ast.unparse(tree), (f"check({entry_point})",)
    prompt = _text(row, "prompt")
    return CodeTask(identity, prompt, prompt + _text(row, "canonical_solution"), sources, (entry_point,), setup)


def mbpp_task(row: Mapping[str, Any]) -> CodeTask:
    """A row of MBPP; its challenge tests come after the others.

    Raises:
        InputError: a field is missing, or code and tests are no Python.
    """
    identity, code = f"mbpp/{row.get('task_id')}", _text(row, "code")
    tests = (*_texts(row, "test_list"), *_texts(row, "challenge_test_list"))
    # The sanitised set has `test_imports` and `prompt` in place of `test_setup_code` and `text`.
    setup = (
        "\n".join(_texts(row, "test_imports")) if row.get("test_setup_code") is None else _text(row, "test_setup_code")
    )
    if not tests:
        raise InputError(f"{identity}: test_list is empty: expected at least one test")
    try:
        defined = {node.name for node in ast.parse(code).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
        trees = [ast.parse(source) for source in (*tests, setup)]
    except SyntaxError as error:
        raise InputError(f"{identity}: its code or a test is no Python: {error}") from None
    used = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return CodeTask(
        identity,
        _text(row, "prompt" if row.get("text") is None else "text"),
        code,
        tests,
        tuple(sorted(defined & used)),
        setup,
    )


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise InputError(f"{row.get('task_id')}: {name} = {value!r:.60}: expected text")
    return value


def _texts(row: Mapping[str, Any], name: str) -> list[str]:
    values = row.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InputError(f"{row.get('task_id')}: {name} = {values!r:.60}: expected a list of texts")
    return values


def _is_constant(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant)


def _is_unused(node: ast.stmt, used: set[str]) -> bool:
    """Whether it gives a value to names that nothing reads."""
    return isinstance(node, ast.Assign) and all(isinstance(t, ast.Name) and t.id not in used for t in node.targets)


def _assigns_twice(nodes: list[Any]) -> bool:
    """Whether the order of these statements among the tests may matter."""
    names = [name.id for node in nodes for name in ast.walk(node) if isinstance(name, ast.Name) and _is_stored(name)]
    return len(names) > len(set(names))


def _is_stored(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)

"""The tests of public sets of programming tasks, in the layouts that these have, from a row's columns.

    {"inputs": [..], "outputs": [..], "fn_name": ..}   APPS, TACO: input_output, an object or its JSON text
    [{"input": .., "output": .., "testtype": ..}, ..]  LiveCodeBench: public_test_cases, private_test_cases; Codeforces: examples,
                                                       official_tests; tests
    {"input": [..], "output": [..]}                    CodeContests: public_tests, private_tests, generated_tests
    ["assert ..", ..] or one text                      Python sources: tests, hidden_tests

Names of the same meaning are read too (stdin, expected_output, type, ..), and all of it as JSON text.
With a function's name the tests call it, of the program or of its class Solution. Private cases of LiveCodeBench may be packed
with pickle, which runs code when it is read: they are never read, and named.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sanmai.programs.stdio import IoTest, Test
from sanmai.types import InputError

SHOWN = ("public_test_cases", "public_tests", "examples", "input_output", "test_cases", "tests")
HELD_BACK = ("private_test_cases", "private_tests", "generated_tests", "official_tests")
_TELLING = ("input_output", "public_test_cases", "private_test_cases", "public_tests", "official_tests")
_SETUP = """
def _plain(value):
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    return value
def _same(found, expected):
    if type(found) is list and type(expected) is list:
        return len(found) == len(expected) and all(map(_same, found, expected))
    if type(found) is float or type(expected) is float:
        numbers = all(type(value) in (int, float) for value in (found, expected))
        return numbers and abs(found - expected) <= 1e-6 * max(1.0, abs(expected))
    return type(found) is type(expected) and found == expected
try:
    _call = Solution().{name}
except NameError:
    _call = {name}
"""


@dataclass
class PublicTests:
    """The tests of a row, and what should be said of it."""

    tests: tuple[Test, ...] = ()
    """Those that people were shown; at least one where there are any."""
    hidden_tests: tuple[Test, ...] = ()
    setup: str = ""
    entry_points: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


def has_public_tests(row: Mapping[str, Any]) -> bool:
    """Whether one of the sets' own columns is there, or tests beside the statement and solutions of a task."""
    if any(name in row for name in _TELLING):
        return True
    return (isinstance(row.get("test_cases"), list) and bool(row["test_cases"])) or (
        "tests" in row and "solutions" in row
    )


def public_tests(row: Mapping[str, Any]) -> PublicTests:
    """The tests of the columns above; without any where they hold none that can be read, which a note says.

    Raises:
        InputError: a column is of none of these layouts, or the right output is a matter for a program of the row's own.
    """
    for name in ("generated_checker", "interaction_format"):
        if isinstance(row.get(name), str) and row[name].strip():
            raise InputError(
                f"{name}: more than one output is right, or the program is asked back, which is not graded here"
            )
    if row.get("input_mode") == "file":
        raise InputError("input_mode = 'file': the program reads a file of a name; expected standard input")
    found = PublicTests()
    function = _function(row)
    shown = _of_columns(row, SHOWN, function, found)
    held_back = _of_columns(row, HELD_BACK, function, found)
    known = set(shown)
    held_back = [case for case in dict.fromkeys(held_back) if case not in known]
    found.tests, found.hidden_tests = (tuple(shown), tuple(held_back)) if shown else (tuple(held_back), ())
    return found


def _of_columns(row: Mapping[str, Any], names: tuple[str, ...], function: str | None, found: PublicTests) -> list[Test]:
    tests: list[Test] = []
    for name in names:
        value = row.get(name)
        if value is None or value in ("", [], {}):
            continue
        if isinstance(value, str) and value.lstrip()[:1] not in ("[", "{"):
            packed = (
                "packed with pickle, which runs code when it is read" if name == "private_test_cases" else "no JSON"
            )
            found.notes.append(f"not readable: the column {name} is {packed}; its tests are left out")
            continue
        value = _parsed(value, name)
        if isinstance(value, list) and all(isinstance(one, str) for one in value):  # AceCode: Python sources
            tests += value
            continue
        tests += _read(value, name, function, found)
    if len({isinstance(test, str) for test in tests}) > 1:
        raise InputError(f"{names[0]}: some tests call a function and some are by standard input: expected one kind")
    return tests


def read_tests(value: Any, where: str, found: PublicTests) -> tuple[Test, ...]:
    """Tests in any of these layouts, or as Python sources; where they call a function, what they need is put into `found`.

    Raises:
        InputError: it is none of them, or there are tests of two kinds.
    """
    if isinstance(value, str) and value.lstrip()[:1] not in ("[", "{"):
        return (value,) if value.strip() else ()
    value = _parsed(value, where)
    if isinstance(value, list) and value and all(isinstance(one, str) and one.lstrip()[:1] == "{" for one in value):
        value = [_parsed(one, where) for one in value]
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    if (
        isinstance(value, list)
        and any(isinstance(one, str) for one in value)
        and any(isinstance(one, Mapping) for one in value)
    ):
        raise InputError(f"{where}: some tests are Python and some by standard input: expected one kind")
    return tuple(_read(value, where, None, found))


def _read(value: Any, where: str, function: str | None, found: PublicTests) -> list[Test]:
    tests: list[Test] = []
    for case in _cases(value, where):
        called = case.function or (function if case.is_call else None)
        if called is None:
            if case.is_call:
                raise InputError(f"{where}: a function is to be called, and its name is missing: expected fn_name")
            tests.append(IoTest(_lines(case.input, where), _lines(case.output, where)))
            continue
        if not isinstance(called, str) or not called.isidentifier():
            raise InputError(f"{where}: fn_name = {str(called)[:60]!r}: expected the name of a function")
        setup = _SETUP.replace("{name}", called)
        if found.setup not in ("", setup):
            raise InputError(f"{where}: some tests call another function than {called}: expected one")
        found.setup, found.entry_points = setup, ("Solution", called)
        tests.append(_call(case.input, case.output, where, is_text=case.is_call and isinstance(case.input, str)))
    return tests


def _function(row: Mapping[str, Any]) -> str | None:
    """The function of LiveCodeBench's metadata."""
    try:
        metadata = _parsed(row.get("metadata") or {}, "metadata")
    except InputError:
        return None
    return metadata.get("func_name") if isinstance(metadata, Mapping) else None


@dataclass(frozen=True)
class _Case:
    input: Any
    output: Any
    function: Any = None
    """Its name, where a function is called and the case says which."""
    is_call: bool = False


_INPUTS, _OUTPUTS = ("input", "stdin", "inputs"), ("output", "expected_output", "stdout", "expected", "outputs")
_CALLS = ("functional", "function_call", "function", "call_based")


def _cases(value: Any, where: str) -> list[_Case]:
    """The cases of a value: one object with a list of inputs and one of outputs, or a list of objects with one of each."""
    if isinstance(value, Mapping):
        return _of_object(value, where)
    if isinstance(value, list) and all(isinstance(case, Mapping) for case in value):
        return [case for one in value for case in _of_listed(one, where, is_only=len(value) == 1)]
    raise InputError(
        f"{where} = {str(value)[:80]}: expected inputs and outputs, as many of each, or a list of texts or of {{input, output}}"
    )


def _of_object(value: Mapping[str, Any], where: str) -> list[_Case]:
    given, expected, function, is_call = _parts(value, where)
    if isinstance(given, list) and isinstance(expected, list) and len(given) == len(expected):
        return [_Case(one, other, function, is_call) for one, other in zip(given, expected, strict=True)]
    if isinstance(given, str) and isinstance(expected, str):
        return [_Case(given, expected, function, is_call)]
    raise InputError(f"{where}: expected inputs and outputs, as many of each, or a list of {{input, output}}")


def _of_listed(value: Mapping[str, Any], where: str, *, is_only: bool) -> list[_Case]:
    """One object of a list. A list in it holds the lines of one case's text; under `inputs` it holds a case each."""
    if "inputs" in value:
        return _of_object(value, where)
    given, expected, function, is_call = _parts(value, where)
    is_list = isinstance(given, list) and isinstance(expected, list)
    if not (is_call or function) and is_list and is_only and len(given) == len(expected) > 1:
        raise InputError(f"{where}: {len(given)} inputs and outputs in one object: lines of one case, or a case each?")
    return [_Case(given, expected, function, is_call)]


def _parts(value: Mapping[str, Any], where: str) -> tuple[Any, Any, Any, bool]:
    """Input, output, the name of a function, and whether one is called."""
    found = [next((value[name] for name in names if name in value), None) for names in (_INPUTS, _OUTPUTS)]
    if None in found and not all(any(name in value for name in names) for names in (_INPUTS, _OUTPUTS)):
        raise InputError(f"{where} = {str(value)[:80]}: expected input and output")
    metadata = value.get("metadata")
    own = (
        value.get("fn_name")
        or value.get("func_name")
        or (metadata.get("func_name") if isinstance(metadata, Mapping) else None)
    )
    kind = value.get("testtype") or value.get("type")
    return found[0], found[1], own, kind in _CALLS or bool(own)


def _parsed(value: Any, where: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise InputError(f"{where}: expected JSON of inputs and outputs") from None


def _lines(value: Any, where: str) -> str:
    """A text, a number as text, or one of these a line."""
    if isinstance(value, list):
        return "\n".join(_lines(one, where) for one in value)
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return json.dumps(value)
    raise InputError(f"{where}: {str(value)[:60]} as input or output: expected text, or a list of lines")


def _call(given: Any, expected: Any, where: str, *, is_text: bool) -> str:
    """A call as a test. As text there is one JSON value a line; in APPS the result may stand in a list of its own."""
    try:
        arguments = [json.loads(line) for line in given.split("\n") if line.strip()] if is_text else given
        results = [json.loads(expected) if is_text else expected]
    except (ValueError, AttributeError, TypeError):
        raise InputError(f"{where}: expected JSON values, one a line, as arguments and result of a function") from None
    if not isinstance(arguments, list):
        raise InputError(f"{where}: expected a list of arguments for a function")
    if not is_text and isinstance(expected, list) and len(expected) == 1:
        results.append(expected[0])
    return f"_found = _plain(_call(*{arguments!r}))\nassert any(_same(_found, one) for one in {results!r})"

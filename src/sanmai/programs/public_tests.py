"""The tests of public sets of programming tasks, in the layouts that these have, from a row's columns.

    {"inputs": [..], "outputs": [..], "fn_name": ..}   APPS, TACO: input_output, an object or its JSON text
    [{"input": .., "output": .., "testtype": ..}, ..]  LiveCodeBench: public_test_cases, private_test_cases; Codeforces: examples,
                                                       official_tests; tests
    {"input": [..], "output": [..]}                    CodeContests: public_tests, private_tests, generated_tests

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

SHOWN = ("public_test_cases", "public_tests", "examples", "input_output")
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
    """Whether one of the sets' own columns is there."""
    return any(name in row for name in _TELLING)


def public_tests(row: Mapping[str, Any]) -> PublicTests:
    """The tests of the columns above; without any where they hold none that can be read, which a note says.

    Raises:
        InputError: a column is of none of these layouts, or the right output is a matter for a program of the row's own.
    """
    for name in ("generated_checker", "interaction_format"):
        if isinstance(row.get(name), str) and row[name].strip():
            raise InputError(f"{name}: more than one output is right, or the program is asked back, which is not graded here")
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
            packed = "packed with pickle, which runs code when it is read" if name == "private_test_cases" else "no JSON"
            found.notes.append(f"not readable: the column {name} is {packed}; its tests are left out")
            continue
        value = _parsed(value, name)
        own = value.get("fn_name") if isinstance(value, Mapping) else None
        for given, expected, is_function in _cases(value, name):
            called = own or (function if is_function else None)
            if called is None:
                tests.append(IoTest(_lines(given), _lines(expected)))
                continue
            if not isinstance(called, str) or not called.isidentifier():
                raise InputError(f"{name}: fn_name = {str(called)[:60]!r}: expected the name of a function")
            found.setup, found.entry_points = _SETUP.replace("{name}", called), ("Solution", called)
            tests.append(_call(given, expected, name, is_text=is_function))
    if len({isinstance(test, str) for test in tests}) > 1:
        raise InputError(f"{names[0]}: some tests call a function and some are by standard input: expected one kind")
    return tests


def _function(row: Mapping[str, Any]) -> str | None:
    """The function of LiveCodeBench's metadata."""
    try:
        metadata = _parsed(row.get("metadata") or {}, "metadata")
    except InputError:
        return None
    return metadata.get("func_name") if isinstance(metadata, Mapping) else None


def _cases(value: Any, where: str) -> list[tuple[Any, Any, bool]]:
    """Input, output, and whether it is a function that is called."""
    if isinstance(value, Mapping):
        names = ("inputs", "outputs") if "inputs" in value else ("input", "output")
        given, expected = (value.get(name) for name in names)
        if isinstance(given, list) and isinstance(expected, list) and len(given) == len(expected):
            return [(one, other, False) for one, other in zip(given, expected, strict=True)]
        if names[0] == "input" and isinstance(given, str) and isinstance(expected, str):
            return [(given, expected, False)]
    elif isinstance(value, list) and all(isinstance(case, Mapping) and {"input", "output"} <= set(case) for case in value):
        return [(case["input"], case["output"], case.get("testtype") == "functional") for case in value]
    raise InputError(f"{where}: expected inputs and outputs, as many of each, or a list of {{input, output}}")


def _parsed(value: Any, where: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise InputError(f"{where}: expected JSON of inputs and outputs") from None


def _lines(value: Any) -> str:
    """A text, or one of its lines each."""
    if isinstance(value, list):
        return "\n".join(map(_lines, value))
    return value if isinstance(value, str) else json.dumps(value)


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


"""The process of the program itself. Nothing here is secret or safe from the program, and nothing needs to be."""

from __future__ import annotations

import ast
import builtins
import contextlib
import operator
import os
import sys
import types
from enum import Enum
from typing import Any

from sanmai.programs.plain import Reference, decoded, encoded, enum_of, named_tuple, read_frame, write_frame

LEAVE = "# only the beginning of a program: left here"
"""Code whose last line this is ends behind its last statement with exit code SETTLED. No statement: a program that has put
something else in the place of a module, of a function or of a builtin does not change it."""
SETTLED = 77
_FILE = "program.py"
_MAX_MESSAGE = 300
_MAX_HEARD = 1 << 16
"""Characters of what a call prints that the tests may look at."""


def run_script(code: str, module: types.ModuleType) -> None:
    """Run the code as `python program.py` would, traceback and exit code included."""
    _add_exits()
    leave, number, is_left = os._exit, SETTLED, _is_left(code)  # no name that the program could change is read behind it
    try:
        exec(compile(code, _FILE, "exec", dont_inherit=True), module.__dict__)
        if is_left:
            leave(number)
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever the program raises is its result
        _show(error)
        raise SystemExit(1) from None


def serve_functions(code: str, module: types.ModuleType, asks: int, answers: int) -> None:
    """Run the code as a module, then do what the judge asks of it until the judge is gone."""
    _add_exits()
    leave, number, is_left = os._exit, SETTLED, _is_left(code)  # as above
    try:
        tree = ast.parse(code, _FILE)
        module.__dict__.update(_typing_names(tree))
        exec(compile(tree, _FILE, "exec", dont_inherit=True), module.__dict__)
        if is_left:
            leave(number)
    except BaseException as error:
        write_frame(answers, _raised(error))
        if isinstance(error, SystemExit):
            raise
        _show(error)
        raise SystemExit(1) from None
    write_frame(answers, {"value": True})
    objects: list[Any] = []
    while True:
        try:
            question = read_frame(asks)
        except EOFError:
            return
        try:
            answer = _answer(question, module, objects)
            write_frame(answers, {"id": question["id"], **answer})
        except BaseException as error:  # noqa: BLE001 - as above
            write_frame(answers, {"id": question["id"], **_raised(error)})


def _is_left(code: str) -> bool:
    return code.rstrip().rpartition("\n")[2] == LEAVE


def _add_exits() -> None:
    """Define `exit` and `quit`, which the interpreter takes from its site-packages, and starts without here."""
    from _sitebuiltins import Quitter

    builtins.exit, builtins.quit = Quitter("exit", "Ctrl-D"), Quitter("quit", "Ctrl-D")


def _typing_names(tree: ast.Module) -> dict[str, Any]:
    """What `typing` calls names that the program uses and never binds: sites that ask for a `Solution` import them around it."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    used = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    used |= {word for node in ast.walk(tree) if isinstance(node, ast.arg) and isinstance(node.annotation, ast.Constant)
             and isinstance(node.annotation.value, str) for word in node.annotation.value.replace("[", " ").split()}  # fmt: skip
    if not used or not any(name[:1].isupper() for name in used):
        return {}
    import typing

    bound = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    return {name: getattr(typing, name) for name in used - bound if name in typing.__all__ and name[0].isupper()}


def _answer(question: dict[str, Any], module: types.ModuleType, objects: list[Any]) -> dict[str, Any]:
    def number_of(value: Any) -> int:
        objects.append(value)
        return len(objects) - 1

    def object_of(reference: Reference) -> Any:
        return getattr(builtins, reference) if isinstance(reference, str) else objects[reference]

    def named(name: str, fields: list[str], values: list[Any]) -> Any:
        kind = module.__dict__.get(name)
        is_own = isinstance(kind, type) and getattr(kind, "_fields", None) == tuple(fields)
        return kind._make(values) if is_own else named_tuple(name, fields, values)

    def member(name: str, members: list[list[Any]], own: str, base: str) -> Any:
        kind = module.__dict__.get(name)
        return kind[own] if isinstance(kind, type) and issubclass(kind, Enum) else enum_of(name, members, base)[own]

    do, args = question["do"], decoded(question["args"], object_of, named=named, member=member)
    if do == "name":
        found = module.__dict__[args[0]]
        raises = isinstance(found, type) and issubclass(found, BaseException)
        return {"value": encoded(found, number_of)} | ({"classes": _classes(found)} if raises else {})
    if do == "attribute":
        return {"value": encoded(getattr(*args), number_of)}
    if do == "assign":
        setattr(*args)
        return {"value": None}
    if do == "items":
        return {"value": encoded(list(args[0]), number_of)}
    if do == "async_items":
        return {"value": encoded(_items_of(args[0]), number_of)}
    if do == "operate":
        name, operands = args
        function = getattr(operator, name) if hasattr(operator, name) else getattr(builtins, name)
        return {"value": encoded(function(*operands), number_of)}
    function, positional, by_name = args
    heard: Any = _Heard(sys.stdout)
    with contextlib.redirect_stdout(heard):
        found = function(*positional, **by_name)
        if isinstance(found, types.CoroutineType):
            return _awaited(found, number_of) | heard.said()
    value = encoded(found, number_of)
    # Tests of functions that work in place look at the arguments afterwards.
    after = encoded(positional, number_of)
    return {"value": value} | ({"after": after} if after != question["args"][1] else {}) | heard.said()


class _Heard:
    """The standard output, and the beginning of what is printed."""

    def __init__(self, output: Any) -> None:
        self._output, self._parts, self._left = output, [], _MAX_HEARD

    def write(self, text: str) -> int:
        if self._left > 0:
            self._parts.append(text[: self._left])
            self._left -= len(text)
        return self._output.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)

    def said(self) -> dict[str, Any]:
        return {"printed": "".join(self._parts)} if self._parts else {}


def _awaited(coroutine: Any, number_of: Any) -> dict[str, Any]:
    """What an async function gives: it is run here, to its end; the tests wait for what is there already."""
    import asyncio

    async def whole() -> Any:
        return await coroutine

    try:
        return {"value": encoded(asyncio.run(whole()), number_of), "is_async": True}
    except Exception as error:  # noqa: BLE001 - raised where the tests wait for it
        return _raised(error) | {"is_async": True}


def _items_of(found: Any) -> list[Any]:
    """All that an asynchronous iterator gives."""
    import asyncio

    async def whole() -> list[Any]:
        return [item async for item in found]

    return asyncio.run(whole())


def _raised(error: BaseException) -> dict[str, Any]:
    try:
        message = str(error)[:_MAX_MESSAGE]
    except BaseException:  # noqa: BLE001 - an exception whose text raises
        message = ""
    raised = {"raised": type(error).__name__, "message": message, "classes": _classes(type(error))}
    try:
        return raised | {"state": encoded(dict(vars(error)), _refuse)}
    except Exception:  # noqa: BLE001 - one that carries objects is told by its message
        return raised


def _classes(kind: type) -> list[str]:
    """Names of an exception's class and its bases, in the order in which they are looked through."""
    return [base.__name__ for base in kind.__mro__]


def _refuse(value: Any) -> Reference:
    raise TypeError("no plain data")


def _show(error: BaseException) -> None:
    import traceback

    trace = error.__traceback__
    traceback.print_exception(type(error), error, trace.tb_next if trace else None, file=sys.stderr)

"""What a user's reward is recorded as: its name, and a digest of everything of the user's that it uses.

Covered: its own source and that of the functions, classes and modules that it reaches, as far as they are the user's; the
values that they name, close over or default to. Not covered: libraries, files that it reads, what a server answers, and what
the reward itself changes (a counter, a log), which is its state and no part of what it is.

Of a module that is imported the whole source counts. Of a script or notebook (`__main__`) only what the reward reaches: there
stand also the settings of the run, and a run goes on after `num_steps` was raised.
"""

from __future__ import annotations

import ast
import datetime
import decimal
import enum
import fractions
import functools
import hashlib
import importlib.util
import inspect
import pathlib
import re
import sys
import sysconfig
import textwrap
import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

_SCALARS = (str, bytes, int, float, complex, bool, type(None))
_SAID_BY_REPR = (*_SCALARS, decimal.Decimal, fractions.Fraction, datetime.date, datetime.timedelta, pathlib.PurePath, range,
                 enum.Enum, re.Pattern)  # fmt: skip
_DEEPEST = 60
_FOREIGN = tuple({Path(path).resolve() for path in sysconfig.get_paths().values()} | {Path(__file__).resolve().parents[1]})
_CHANGES = r"\b{name}\s*((\[[^\]\n]*\])*\s*(\*\*|//|[-+*/|&^%])?=(?!=)|\.(append|add|update|extend|insert|setdefault|pop|popitem|clear|remove|discard|write)\()"  # noqa: E501


def name_of(reward: Callable | None) -> str | None:
    """What a reward function is recorded as: its name, and a digest of what it uses."""
    if reward is None:
        return None
    if isinstance(reward, functools.partial):
        held = (reward.args, sorted(reward.keywords.items()))
        is_plain = all(isinstance(value, _SCALARS) for value in (*reward.args, *reward.keywords.values()))
        return f"{name_of(reward.func)}{held!r}" if is_plain else f"{name_of(reward.func)}(#{digest_of(held)})"
    name = getattr(reward, "__qualname__", type(reward).__qualname__)
    return f"{getattr(reward, '__module__', '')}.{name}#{digest_of(reward)}"


def digest_of(value: Any) -> str:
    """Eight hexadecimal digits that change with what the value uses; the same in each process."""
    uses = _Uses()
    uses.add(value)
    return hashlib.sha256("\0".join(uses.parts).encode("utf-8", "surrogatepass")).hexdigest()[:8]


def is_users(module: types.ModuleType | None) -> bool:
    """Whether a module is neither Python's, nor an installed library's, nor Sanmai's."""
    file = getattr(module, "__file__", None)
    if module is None or not file:
        return module is not None and module.__name__ == "__main__"
    path = Path(file).resolve()
    if {"site-packages", "dist-packages"} & set(path.parts):
        return False
    return path.suffix == ".py" and not any(path.is_relative_to(folder) for folder in _FOREIGN)


class _Uses:
    """Walks what a value uses; `parts` is what was found, in an order that depends on nothing else."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._seen: dict[int, Any] = {}  # keeps the objects too: a freed one's id may become another's
        self._modules: dict[str, types.ModuleType] = {}

    def add(self, value: Any, depth: int = 0) -> None:
        """Note a value and all that it uses."""
        if isinstance(value, _SAID_BY_REPR):
            self.parts.append(f"{type(value).__qualname__} {value!r}")
            return
        self.parts.append(type(value).__qualname__)
        if id(value) in self._seen or depth > _DEEPEST:
            return
        self._seen[id(value)] = value
        deeper = depth + 1
        if isinstance(value, Mapping):
            for key, item in value.items():
                self.add(key, deeper)
                self.add(item, deeper)
        elif isinstance(value, (set, frozenset)):
            self.parts += sorted(map(repr, value))
        elif isinstance(value, (list, tuple)):
            for item in value:
                self.add(item, deeper)
        elif isinstance(value, types.ModuleType):
            self._module(value)
        elif isinstance(value, types.MethodType):
            self.add(value.__func__, deeper)
            self.add(value.__self__, deeper)
        elif isinstance(value, functools.partial):
            self.add((value.func, value.args, sorted(value.keywords.items())), deeper)
        elif isinstance(value, types.FunctionType):
            self._function(value, deeper)
        elif isinstance(value, type):
            self._class(value, deeper)
        elif hasattr(value, "__wrapped__"):  # functools.cache and its like
            self.add(value.__wrapped__, deeper)
        elif type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tobytes"):
            self.parts.append(hashlib.sha256(value.tobytes()).hexdigest())
        else:
            self._object(value, deeper)

    def _function(self, function: types.FunctionType, depth: int) -> None:
        self.parts.append(function.__qualname__)
        module = sys.modules.get(function.__module__)
        if module is not None and not is_users(module):
            return
        self._module(module)
        text = _source(function)
        self.parts.append(text or _bytecode(function.__code__))
        self._imports(text, function.__globals__)
        names = _names(function.__code__)
        for name in names:
            if name in function.__globals__ and not _is_changed(name, text):
                value = function.__globals__[name]
                self.parts.append(name)
                self.add(value, depth)
        for cell_name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            if not _is_changed(cell_name, text):
                with_value = [cell.cell_contents] if _is_filled(cell) else []
                self.add(with_value, depth)
        self.add([function.__defaults__, sorted((function.__kwdefaults__ or {}).items())], depth)
        if (wrapped := getattr(function, "__wrapped__", None)) is not None:
            self.add(wrapped, depth)
        for module in list(self._modules.values()):  # helpers.LIMIT, should it have been set after the import
            for name in names:
                if isinstance(value := vars(module).get(name), _SCALARS):
                    self.parts.append(f"{module.__name__}.{name} {value!r}")

    def _class(self, kind: type, depth: int) -> None:
        self.parts.append(kind.__qualname__)
        module = sys.modules.get(kind.__module__)
        if not is_users(module):
            return
        self._module(module)
        self.parts.append(_source(kind))
        for base in kind.__bases__:
            self.add(base, depth)
        for name, value in sorted(vars(kind).items()):
            value = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
            value = value.fget if isinstance(value, property) else value
            if isinstance(value, types.FunctionType) or (not name.startswith("__") and isinstance(value, _SAID_BY_REPR)):
                self.parts.append(name)
                self.add(value, depth)

    def _object(self, value: Any, depth: int) -> None:
        self.add(type(value), depth)
        if not is_users(sys.modules.get(type(value).__module__)):
            return
        methods = [
            method for kind in type(value).__mro__ for name, method in vars(kind).items()
            if isinstance(method, types.FunctionType) and name not in ("__init__", "__post_init__", "__new__")
        ]  # fmt: skip
        text = "\n".join(map(_source, methods))
        for name, held in sorted(getattr(value, "__dict__", {}).items()):
            if not _is_changed(name, text):
                self.parts.append(name)
                self.add(held, depth)

    def _module(self, module: types.ModuleType | None) -> None:
        """The whole source of a module of the user's and of those that it imports; nothing for a script or notebook."""
        if module is None or not is_users(module) or module.__name__ == "__main__" or module.__name__ in self._modules:
            return
        self._modules[module.__name__] = module
        try:
            text = Path(str(module.__file__)).read_text("utf-8", "replace")
        except OSError:
            text = ""
        self.parts.append(f"{module.__name__}\n{text}")
        self._imports(text, vars(module))

    def _imports(self, text: str, names: Mapping[str, Any]) -> None:
        """The modules of the user's that a text imports, wherever in it; also those that no call has imported yet."""
        try:
            tree = ast.parse(textwrap.dedent(text))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        package = names.get("__package__") or ""
        for name in sorted(set(_imported(tree, package))):
            module = sys.modules.get(name)
            if module is not None:
                self._module(module)
            elif (file := _file_of(name)) is not None:
                stand_in = types.ModuleType(name)
                stand_in.__file__, stand_in.__package__ = str(file), name.rpartition(".")[0]
                self._module(stand_in)


def _imported(tree: ast.AST, package: str) -> Iterable[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *([base] if base else [])])
            if base:
                yield from _with_parents(base)
                yield from (f"{base}.{alias.name}" for alias in node.names)


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


def _file_of(name: str) -> Path | None:
    """The file of a module that was not imported, where it can be told without importing anything."""
    if "." in name and name.rpartition(".")[0] not in sys.modules:
        return None
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    return Path(spec.origin) if spec is not None and spec.origin and spec.has_location else None


def _source(value: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(value))
    except (OSError, TypeError, IndentationError, SyntaxError):  # typed at a prompt, or not written in Python
        return ""


def _bytecode(code: types.CodeType) -> str:
    inner = [_bytecode(part) for part in code.co_consts if inspect.iscode(part)]
    return repr((code.co_code, code.co_names, [c for c in code.co_consts if not inspect.iscode(c)], inner))


def _names(code: types.CodeType) -> list[str]:
    """The names that a function and those in it use, attributes among them."""
    found = set(code.co_names)
    for part in code.co_consts:
        if inspect.iscode(part):
            found.update(_names(part))
    return sorted(found)


def _is_changed(name: str, text: str) -> bool:
    """Whether a text gives the name another value or changes what it holds: then it is state."""
    return re.search(_CHANGES.format(name=re.escape(name)), text) is not None


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not None or True
    except ValueError:
        return False

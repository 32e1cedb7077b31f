"""Rewards of a user's own, named in settings: found, loaded once, and told apart by how they want to be called.

    "rewards.py:brevity"          a function in a file, relative to the working folder
    "package.module:brevity"      a function of an installed or importable module

A function is called in the form that its parameters ask for:

    brevity(problem, completion)                  one completion's text; a number, or None for "cannot be graded"
    brevity(problems, completions)                all of a step at once; a list of these
    brevity(prompts, completions, answer, **_)    as in TRL, with conversations: lists of messages, and columns by name

Any of them may be `async def`; completions are then awaited side by side.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from sanmai.types import InputError

Form = Literal["one", "batch", "trl"]
_FIELDS = ("answer", "solution", "kind", "language", "tags")
"""Of a problem, that a function in TRL's form may name, beside its tags, and `ground_truth`, which is the answer."""


def reward_name(named: str) -> str:
    """What a reward is called in columns and metrics: its function's name."""
    return named.rpartition(":")[2]


def load_reward(named: str) -> Callable[..., Any]:
    """The function that a setting names.

    Raises:
        InputError: no such file, module or function, one that cannot be imported, or nothing that can be called.
    """
    where, _, attribute = named.rpartition(":")
    if not where or not attribute.isidentifier():
        raise InputError(f'rewards.custom = {named!r}: expected "file.py:function" or "package.module:function"')
    try:
        module = _file_module(str(Path(where).resolve())) if where.endswith(".py") else importlib.import_module(where)
    except FileNotFoundError:
        raise InputError(f"rewards.custom = {named!r}: there is no file {where}") from None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise InputError(f"rewards.custom = {named!r}: cannot import {where}: {type(error).__name__}: {error}") from error
    found = getattr(module, attribute, None)
    if not callable(found):
        known = [n for n, value in vars(module).items() if inspect.isfunction(value) and value.__module__ == module.__name__]
        raise InputError(f"rewards.custom = {named!r}: no function {attribute} in {where}; it has {', '.join(known) or 'none'}")
    form_of(named, found)
    return found


@functools.cache
def _file_module(path: str) -> Any:
    """The file as a module that others of its folder can be imported from; loaded once a process."""
    if not Path(path).is_file():
        raise FileNotFoundError(path)
    name = Path(path).stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    folder = str(Path(path).parent)
    sys.path.insert(0, folder)
    before = sys.modules.get(name)
    sys.modules[name] = module  # for dataclasses and pickles of its own
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise
    finally:
        sys.path.remove(folder)
    return module


def form_of(named: str, reward: Callable[..., Any]) -> Form:
    """How a reward wants to be called, by its parameters; "one" where they cannot be read.

    Raises:
        InputError: it takes fewer than two arguments and is in no form of TRL's.
    """
    try:
        parameters = list(inspect.signature(reward).parameters.values())
    except (TypeError, ValueError):
        return "one"
    names = [p.name for p in parameters]
    takes_any = any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)
    if "completions" in names and "problems" not in names:
        return "trl"
    if len(names) < 2 and not takes_any:
        raise InputError(
            f"rewards.custom = {named!r}: it takes {len(names)} argument{'s' if len(names) != 1 else ''}; expected (problem, "
            "completion), (problems, completions), or (prompts, completions) as in TRL"
        )
    return "batch" if names[:1] == ["problems"] else "one"


def trl_arguments(reward: Callable[..., Any], problems: list[Any], completions: list[str]) -> dict[str, Any]:
    """What a function in TRL's form is called with: only what it names, or all where it takes any keyword.

    Raises:
        InputError: it needs what no problem here has, such as another tag or the tokens of completions.
    """
    columns: dict[str, Any] = {
        "prompts": [list(map(dict, p.messages)) for p in problems],
        "completions": [[{"role": "assistant", "content": text}] for text in completions],
        **{name: [getattr(p, name) for p in problems] for name in _FIELDS},
        "ground_truth": [p.answer for p in problems],
    }
    for tag in sorted({tag for p in problems for tag in p.tags} - columns.keys()):
        columns[tag] = [p.tags.get(tag) for p in problems]
    parameters = inspect.signature(reward).parameters
    named = (p for p in parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
    if missing := [p.name for p in named if p.default is p.empty and p.name not in columns]:
        raise InputError(f"its parameter {missing[0]!r} is no column of these problems; they have {', '.join(sorted(columns))}")
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return columns
    return {name: value for name, value in columns.items() if name in parameters}

"""Values that differ from given ones: what a program's own `==` has to say no to, or it says nothing."""

from __future__ import annotations

from typing import Any

NUM_CONTROLS = 3
_OFFSETS = (1, 3, 7, 13, 29, 53)
"""Different ones beside each other, so that what is compared by ratio or difference changes too."""


def changed_arguments(positional: list[Any], named: dict[str, Any], turn: int) -> tuple[list[Any], dict[str, Any]] | None:
    """The arguments of a call with every plain value changed, another way each turn; None where there is none to change."""
    new = [_changed(value, _OFFSETS[(turn + k) % len(_OFFSETS)]) for k, value in enumerate(positional)]
    also = {name: _changed(named[name], _OFFSETS[(turn + k) % len(_OFFSETS)]) for k, name in enumerate(named)}
    is_same = all(a is b for a, b in zip(new, positional, strict=True)) and all(also[k] is named[k] for k in also)
    return None if is_same else (new, also)


def _changed(value: Any, by: int) -> Any:
    """Another value of the same type; the same one where its type has no plain next one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + by
    if isinstance(value, str):
        return value + "x" * by
    if isinstance(value, list | tuple):
        return type(value)([_changed(part, by + k) for k, part in enumerate(value)] or [by])
    if isinstance(value, dict):
        return {name: _changed(part, by) for name, part in value.items()} or {by: by}
    return value

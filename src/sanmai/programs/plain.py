"""Plain data as JSON, with nothing in it that could act: what crosses between a program and its judge.

    None, bool, float, str and small int as they are, list as a list, and a one-key object for the others:
    {"i": hex} int, {"t": [..]} tuple, {"s": [..]} set, {"f": [..]} frozenset, {"d": [[k, v], ..]} dict, {"b": hex} bytes,
    {"c": [re, im]} complex, {"r": n} an object that stays where it is, known by a number, {"r": name} one of Python's builtins

    {"o": [name, part, ..]} a Fraction, Decimal, range, deque, date, time, datetime or timedelta
    {"n": [name, [field, ..], [..]]} a named tuple, {"e": [name, [[member, value], ..], member, base]} a member of an Enum

A subclass becomes its base: an int with an `__eq__` of its own arrives as an int.
"""

from __future__ import annotations

import enum
import importlib
import json
import os
from collections import namedtuple
from collections.abc import Callable
from functools import partial
from typing import Any

MAX_FRAME_BYTES = 16 << 20

_SMALL = 1 << 63
_COLLECTIONS: tuple[tuple[str, Any], ...] = (("t", tuple), ("s", set), ("f", frozenset))


Reference = int | str


def encoded(value: Any, reference_to: Callable[[Any], Reference]) -> Any:
    """A value in terms of JSON; reference_to names what is no plain data, or raises."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum) and (member := _member(value)) is not None:
        return {"e": member}
    if isinstance(value, int):
        number = int.__int__(value)
        return number if -_SMALL <= number < _SMALL else {"i": int.__format__(number, "x")}
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, list):
        return [encoded(item, reference_to) for item in list.__iter__(value)]
    if isinstance(value, dict):
        return {"d": [[encoded(k, reference_to), encoded(v, reference_to)] for k, v in dict.items(value)]}
    if isinstance(value, tuple) and type(value) is not tuple and isinstance(fields := getattr(value, "_fields", None), tuple):
        return {"n": [type(value).__name__, list(fields), [encoded(item, reference_to) for item in tuple.__iter__(value)]]}
    for tag, kind in _COLLECTIONS:
        if isinstance(value, kind):
            return {tag: [encoded(item, reference_to) for item in kind.__iter__(value)]}
    if isinstance(value, (bytes, bytearray)):
        return {"b": bytes(value).hex()}
    if isinstance(value, complex):
        return {"c": [value.real, value.imag]}
    if (parts := _parts(value)) is not None:
        return {"o": [encoded(part, reference_to) for part in parts]}
    return {"r": reference_to(value)}


_BASES: dict[str, Callable[..., Any]] = {
    "IntEnum": enum.IntEnum, "StrEnum": enum.StrEnum, "int": partial(enum.Enum, type=int), "str": partial(enum.Enum, type=str),
    "": enum.Enum,
}  # fmt: skip


def _member(value: enum.Enum) -> list[Any] | None:
    """[class, [[name, value], ..], its own name, base] of a member whose class has plain values; else None."""
    kind = type(value)
    members = [[name, one._value_] for name, one in kind.__members__.items()]
    is_plain = all(isinstance(one, (str, int, float, bool, type(None))) for _, one in members)
    is_distinct = len(kind.__members__) == len(kind)  # members that are one would agree with everything
    if isinstance(value, enum.Flag) or not is_plain or not is_distinct or not 0 < len(members) <= _MAX_MEMBERS:
        return None
    kinds = {"IntEnum": enum.IntEnum, "StrEnum": enum.StrEnum, "int": int, "str": str}
    base = next((word for word, one in kinds.items() if isinstance(value, one)), "")
    return [kind.__name__, members, value._name_, base]


def enum_of(name: str, members: list[list[Any]], base: str) -> type[enum.Enum]:
    """An Enum of one's own with these members."""
    return _BASES[base](name, [(str(one), value) for one, value in members])


_MAX_MEMBERS = 200


def _parts(value: Any) -> list[Any] | None:
    """The kind of a number, range, queue or time of the standard library, and what makes it again; None for all else."""
    kind = type(value).__name__
    match type(value).__module__, kind:
        case "builtins", "range":
            return [kind, value.start, value.stop, value.step]
        case "fractions", "Fraction":
            return [kind, value.numerator, value.denominator]
        case "decimal", "Decimal":
            return [kind, str(value)]
        case "collections", "deque":
            return [kind, list(value)]
        case "datetime", "date" | "time" | "datetime":
            return [kind, value.isoformat()]
        case "datetime", "timedelta":
            return [kind, value.days, value.seconds, value.microseconds]
    return None


def _made(kind: str, parts: list[Any]) -> Any:
    if kind == "range":
        return range(*parts)
    module = {"Fraction": "fractions", "Decimal": "decimal", "deque": "collections"}.get(kind, "datetime")
    if module == "datetime" and kind not in ("date", "time", "datetime", "timedelta"):
        raise ValueError(f"unknown kind {kind!r:.20}")
    make = getattr(importlib.import_module(module), kind)
    return make.fromisoformat(*parts) if kind in ("date", "time", "datetime") else make(*parts)


def named_tuple(name: str, fields: list[str], values: list[Any]) -> Any:
    """A named tuple of a class of one's own, which is equal to a plain one."""
    return namedtuple(name, fields)(*values)


def member_of(name: str, members: list[list[Any]], member: str, base: str) -> Any:
    return enum_of(name, members, base)[member]


def decoded(
    data: Any, object_of: Callable[[Reference], Any], *, named: Callable[..., Any] = named_tuple,
    member: Callable[..., Any] = member_of,
) -> Any:
    """The value again; object_of gives what a reference stands for.

    Args:
        named: a named tuple of (name of its class, fields, values).
        member: a member of an Enum of (name of its class, names and values of all, own name, base).

    Raises:
        ValueError, TypeError: not what `encoded` writes.
    """
    again = partial(decoded, object_of=object_of, named=named, member=member)
    if isinstance(data, list):
        return [again(item) for item in data]
    if not isinstance(data, dict):
        return data
    if len(data) != 1:
        raise ValueError("an object with one key was expected")
    ((tag, body),) = data.items()
    for known, kind in _COLLECTIONS:
        if tag == known:
            return kind(again(item) for item in body)
    if tag == "d":
        return {again(k): again(v) for k, v in body}
    if tag == "n":
        return named(body[0], body[1], [again(item) for item in body[2]])
    if tag == "e":
        return member(*body)
    if tag == "i":
        return int(body, 16)
    if tag == "b":
        return bytes.fromhex(body)
    if tag == "c":
        return complex(*body)
    if tag == "o" and isinstance(body, list) and body and isinstance(body[0], str):
        try:
            return _made(body[0], [again(part) for part in body[1:]])
        except ArithmeticError as error:  # a fraction over 0, a Decimal that is none
            raise ValueError(f"no {body[0]:.20}: {type(error).__name__}") from None
    if tag == "r" and isinstance(body, (int, str)):
        return object_of(body)
    raise ValueError(f"unknown tag {tag!r:.20}")


def write_frame(fd: int, message: Any) -> None:
    """One message: four bytes of length, then JSON.

    Raises:
        ValueError: larger than MAX_FRAME_BYTES.
        OSError: the reader is gone.
    """
    data = json.dumps(message).encode()
    if len(data) > MAX_FRAME_BYTES:
        raise ValueError(f"a message of {len(data)} bytes: expected at most {MAX_FRAME_BYTES}")
    view = memoryview(len(data).to_bytes(4, "big") + data)
    while view:
        view = view[os.write(fd, view) :]


def read_frame(fd: int) -> Any:
    """The next message; reads not one byte more.

    Raises:
        EOFError: the writer is gone.
        ValueError: too large, or not JSON.
    """
    size = int.from_bytes(_read(fd, 4), "big")
    if size > MAX_FRAME_BYTES:
        raise ValueError(f"a message of {size} bytes: expected at most {MAX_FRAME_BYTES}")
    return json.loads(_read(fd, size))


def _read(fd: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            raise EOFError("the other side is gone")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)

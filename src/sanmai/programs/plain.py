"""Plain data as JSON, with nothing in it that could act: what crosses between a program and its judge.

    None, bool, float, str and small int as they are, list as a list, and a one-key object for the others:
    {"i": hex} int, {"t": [..]} tuple, {"s": [..]} set, {"f": [..]} frozenset, {"d": [[k, v], ..]} dict, {"b": hex} bytes,
    {"c": [re, im]} complex, {"r": n} an object that stays where it is, known by a number, {"r": name} one of Python's builtins

    {"o": [name, part, ..]} a Fraction, Decimal, range, deque, date, time, datetime or timedelta

A subclass becomes its base: an int with an `__eq__` of its own arrives as an int.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from typing import Any

MAX_FRAME_BYTES = 16 << 20

_SMALL = 1 << 63
_COLLECTIONS: tuple[tuple[str, Any], ...] = (("t", tuple), ("s", set), ("f", frozenset))


Reference = int | str


def encoded(value: Any, reference_to: Callable[[Any], Reference]) -> Any:
    """A value in terms of JSON; reference_to names what is no plain data, or raises."""
    if value is None or isinstance(value, bool):
        return value
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


def decoded(data: Any, object_of: Callable[[Reference], Any]) -> Any:
    """The value again; object_of gives what a reference stands for.

    Raises:
        ValueError, TypeError: not what `encoded` writes.
    """
    if isinstance(data, list):
        return [decoded(item, object_of) for item in data]
    if not isinstance(data, dict):
        return data
    if len(data) != 1:
        raise ValueError("an object with one key was expected")
    ((tag, body),) = data.items()
    for known, kind in _COLLECTIONS:
        if tag == known:
            return kind(decoded(item, object_of) for item in body)
    if tag == "d":
        return {decoded(k, object_of): decoded(v, object_of) for k, v in body}
    if tag == "i":
        return int(body, 16)
    if tag == "b":
        return bytes.fromhex(body)
    if tag == "c":
        return complex(*body)
    if tag == "o" and isinstance(body, list) and body and isinstance(body[0], str):
        try:
            return _made(body[0], [decoded(part, object_of) for part in body[1:]])
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

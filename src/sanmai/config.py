"""Configuration: a frozen pydantic base, one TOML file, and `--set a.b=c` on top."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError

from sanmai.types import InputError


class Config(BaseModel):
    """Base of every configuration: frozen, unknown keys refused, defaults validated, floats finite."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    @classmethod
    def read(cls, values: Mapping[str, Any], source: str = "configuration") -> Self:
        """The configuration with these values; InputError names each bad one, with the nearest known name."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise InputError(f"{source}: " + "; ".join(_explain(cls, e) for e in error.errors())) from None

    def to_toml(self) -> str:
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def load_values(path: Path | None, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """Nested values of a TOML file (if any) with each `a.b=c` of overrides put on top.

    A right-hand side is read as a TOML value where it is one (3, 0.5, true, [1, 2], "x") and as a bare string otherwise.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{path}: cannot read the configuration file: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: not a TOML file: {error}") from None
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set {override!r}: expected KEY=VALUE, such as --set optimizer.lr=1e-4")
        set_value(values, key.strip(), _parse(text.strip()))
    return values


def set_value(values: dict[str, Any], dotted: str, value: Any) -> None:
    """values["a"]["b"] = value for dotted "a.b", in place."""
    *parents, last = dotted.split(".")
    for name in parents:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise InputError(f"--set {dotted}: {name!r} already has a value that holds no others")
    values[last] = value


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values of `base` with those of `over` on top; neither is changed."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def differing_keys(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted names whose values differ, with both values, in order."""
    found = []
    for key in sorted({*old, *new}):
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differing_keys(a, b, f"{prefix}{key}.")
        elif a != b:
            found.append(f"{prefix}{key} was {a!r}, now {b!r}")
    return found


def describe_settings(config: Config, prefix: str = "") -> Iterable[tuple[str, Any, str]]:
    """(dotted name, value, what it does) of every setting, in order."""
    for name, info in type(config).model_fields.items():
        value = getattr(config, name)
        if isinstance(value, Config):
            yield from describe_settings(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value, " ".join((info.description or "").split())


def _parse(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if len(parsed) == 1 else text  # text of several lines may define other keys


def _explain(model: type[BaseModel], error: Any) -> str:
    where = [str(part) for part in error["loc"]]
    name = ".".join(where) or "value"
    if error["type"] == "extra_forbidden":
        known = _known_names(model)
        near = (
            [k for k in known if k.endswith(f".{where[-1]}")]
            or difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            or difflib.get_close_matches(where[-1], known, n=1, cutoff=0.4)
        )
        return f"unknown key {name!r}" + (f" (did you mean {near[0]!r}?)" if near else "")
    message = error["msg"].removeprefix("Value error, ")
    if not where or isinstance(error.get("input"), Mapping):  # a whole section: its rule names what is wrong
        return f"{name}: {message}" if where else message
    return f"{name} = {error.get('input')!r}: {message}"


def _known_names(model: type[BaseModel], prefix: str = "") -> list[str]:
    names = []
    for key, info in model.model_fields.items():
        names.append(prefix + key)
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            names += _known_names(info.annotation, f"{prefix}{key}.")
    return names

"""Configuration: a frozen pydantic base, one TOML file, and `--set a.b=c` on top."""

from __future__ import annotations

import contextlib
import difflib
import re
import shlex
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, ClassVar, Self, get_args

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from sanmai.types import InputError

UNSET = "none"
"""What a file or --set says for None, which TOML does not have: `--set constraints.harm=none`."""


@dataclass(frozen=True)
class OnlyWith:
    """Settings of a section that are read only while a condition holds; set to something else meanwhile, they are refused.

    Example:
        OnlyWith('order = "hard_later"', lambda c: c.order == "hard_later", "hard_from", "below")
    """

    condition: str
    """In words; begins with the name of a setting of the same section."""
    holds: Callable[[Any], object]
    """Of the section."""
    names: tuple[str, ...]
    """Settings, whole sections or "section.setting" in it; () is all of the section."""

    def __init__(self, condition: str, holds: Callable[[Any], object], *names: str) -> None:
        for name, value in (("condition", condition), ("holds", holds), ("names", names)):
            object.__setattr__(self, name, value)


class Config(BaseModel):
    """Base of every configuration: frozen, unknown keys refused, defaults validated, floats finite."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    only_with: ClassVar[tuple[OnlyWith, ...]] = ()
    """What is read only under a condition; a subclass's rules are added to those of its bases."""
    without_effect: ClassVar[frozenset[str]] = frozenset()
    """Settings that change no result: a run may go on with others, and a stage is not done again for them."""
    unlike_before: ClassVar[frozenset[str]] = frozenset()
    """Settings whose default is not what was done before they were there, or while their default was None: what was made then is
    something else. That of all others has to mean what was done before; see older.py."""
    gone: ClassVar[Mapping[str, Any]] = {}
    """Settings that there were once, each with the value with which all is as it is without them."""
    completed_later: ClassVar[frozenset[str]] = frozenset()
    """Names of sections, at any depth below, that a pipeline fills in for its stages: what they will hold is not known yet."""

    @model_validator(mode="before")
    @classmethod
    def _complete_sections(cls, values: Any) -> Any:
        """A section that is given in part keeps what the recipe's own default of it says of the rest; "none" is None; one text
        for a list of texts is a list of it."""
        if not isinstance(values, Mapping):
            return values
        values = {
            name: None if value == UNSET and _may_be_unset(cls, name) else value
            for name, value in values.items() if not is_gone(cls, name, value)
        }  # fmt: skip
        lists = {name for name, field in cls.model_fields.items() if field.annotation == tuple[str, ...]}
        values = {name: (value,) if isinstance(value, str) and name in lists else value for name, value in values.items()}
        given = {name: value for name, value in values.items() if isinstance(value, Mapping) and name in cls.model_fields}
        defaults = {name: cls.model_fields[name].default for name in given}
        own = {name: d for name, d in defaults.items() if isinstance(d, Config) and d != type(d)()}
        return {**values, **{name: merge(section.model_dump(), given[name]) for name, section in own.items()}}

    @classmethod
    def read(
        cls, values: Mapping[str, Any], source: str = "configuration", *, stated: Mapping[str, Any] | None = None
    ) -> Self:
        """The configuration with these values; InputError names each bad one, with the nearest known name.

        Args:
            stated: those of the values that a person states, which are refused where they would do nothing; None: all of them.
                One that equals its default is let be: the config.toml of a run states them all, and it changes nothing.
        """
        try:
            config = cls.model_validate(values)
        except ValidationError as error:
            raise InputError(f"{source}: " + "; ".join(_explain(cls, e) for e in error.errors())) from None
        if idle := list(idle_settings(config, values if stated is None else stated)):
            raise InputError(f"{source}: {'; '.join(idle)}")
        return config

    def without_use(self) -> Iterator[str]:
        """Of this section each setting that does nothing for another reason than one of `rules`: "settings.x: why"."""
        yield from ()

    @classmethod
    def rules(cls) -> list[OnlyWith]:
        """`only_with` of the class and its bases."""
        return [rule for base in reversed(cls.__mro__) for rule in vars(base).get("only_with", ())]

    def with_effect(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Of nested values of this configuration those that a result may depend on."""
        found = {name: value for name, value in values.items() if name not in type(self).without_effect}
        for name, value in list(found.items()):
            if isinstance(value, Mapping) and isinstance(part := getattr(self, name, None), Config):
                found[name] = part.with_effect(value)
                if value and not found[name]:  # a run that was made before the section was there goes on
                    del found[name]
        return found

    def to_toml(self) -> str:
        """Every setting; TOML has no None, so one that is None stands in it only where that is not the default, as "none"."""
        return tomli_w.dumps(_with_unset(self, self.model_dump(mode="json", exclude_none=True), None))


def is_gone(cls: type[Config], name: str, value: Any) -> bool:
    """One of `Config.gone`, with the value that changes nothing."""
    return name in cls.gone and name not in cls.model_fields and without_none(value) == without_none(cls.gone[name])


def without_none(value: Any) -> Any:
    """Nested values without those that are None, which TOML cannot say."""
    if not isinstance(value, Mapping):
        return value
    return {name: without_none(item) for name, item in value.items() if item is not None}


def _may_be_unset(cls: type[Config], name: str) -> bool:
    """A field that may be None, and to which "none" says nothing else."""
    kinds = get_args(cls.model_fields[name].annotation) if name in cls.model_fields else ()
    return NoneType in kinds and not any(UNSET in get_args(kind) for kind in kinds)


def _with_unset(config: Config, dumped: dict[str, Any], default: Any) -> dict[str, Any]:
    """The values as they were dumped, and "none" for each None where the default of its owner or its own is something else: what
    is not there was no setting then (older.py)."""
    own = defaults_of(type(config))
    for name in type(config).model_fields:
        value, usual = getattr(config, name), own[name] if default is None else getattr(default, name)
        if isinstance(value, Config):
            _with_unset(value, dumped[name], usual if isinstance(usual, type(value)) else None)
        elif value is None and (usual, own[name]) != (None, None) and _may_be_unset(type(config), name):
            dumped[name] = UNSET
    return dumped


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
        key, text = _split_override(override)
        set_value(values, key, _parse(text))
    return values


_KEY_PART = r"""(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s."'=]+)"""
_KEY = re.compile(rf"[ \t]*({_KEY_PART}(?:[ \t]*\.[ \t]*{_KEY_PART})*)[ \t]*")


def _split_override(override: str) -> tuple[str, str]:
    """Key and value of "KEY=VALUE"; an = inside the quotes of a key is part of it.

    Raises:
        InputError: there is no key, or no =.
    """
    found = _KEY.match(override)
    if found and override[found.end() : found.end() + 1] == "=":
        return found[1], override[found.end() + 1 :].strip()
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set {override!r}: expected KEY=VALUE, such as --set optimizer.lr=1e-4")
    return key.strip(), text.strip()  # `key_parts` says what is wrong with it


def key_parts(dotted: str) -> list[str]:
    """The names of a dotted TOML key: `a."b.c"` is a, then b.c.

    Raises:
        InputError: it is no such key.
    """
    try:
        found: Any = tomllib.loads(f"{dotted} = 0") if _KEY.fullmatch(dotted) else None
    except tomllib.TOMLDecodeError:
        found = None
    if found is None:
        raise InputError(
            f"--set {dotted}: not a dotted key; expected names such as optimizer.lr, in quotes where a name has more in it than "
            'letters, digits, - and _: problems.environment.settings."chain.py:Chain".additions=2'
        )
    parts = []
    while isinstance(found, dict):
        (name, found), *_ = found.items()
        parts.append(name)
    return parts


def key_text(name: str) -> str:
    """A name as it stands in a TOML key, in quotes where it needs them; `key_parts` reads it."""
    return tomli_w.dumps({name: 0}).rpartition(" = ")[0]


def set_value(values: dict[str, Any], dotted: str, value: Any) -> None:
    """values["a"]["b"] = value for the key "a.b", in place.

    Raises:
        InputError: as `key_parts`, or the key goes on below a plain value.
    """
    *parents, last = key_parts(dotted)
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
            found += differing_keys(a, b, f"{prefix}{key_text(key)}.")
        elif a != b:
            found.append(f"{prefix}{key_text(key)} was {a!r}, now {b!r}")
    return found


def idle_settings(config: Config, stated: Mapping[str, Any]) -> Iterator[str]:
    """Of the stated values each that would do nothing, with the condition that it is read under; those equal to a default aside.

    Args:
        stated: nested values, as `read` takes them.
    """
    told: set[str] = set()
    for name, rule, prefix in _idle_rules(config, defaults_of(type(config)), stated, "", frozenset()):
        if name not in told:
            told.add(name)
            yield f"{name} is read only with {prefix}{rule.condition}"
    if not told:  # what is read under no condition that holds has been told already
        yield from _without_use(config, stated, "", frozenset())


def _without_use(config: Config, stated: Mapping[str, Any], prefix: str, unknown: frozenset[str]) -> Iterator[str]:
    """`Config.without_use` of `config` and of each stated section below that is known by now."""
    yield from (f"{prefix}{sentence}" for sentence in config.without_use())
    unknown = unknown | type(config).completed_later
    for name in type(config).model_fields:
        part, given = getattr(config, name), stated.get(name)
        if isinstance(part, Config) and isinstance(given, Mapping) and name not in unknown:
            yield from _without_use(part, given, f"{prefix}{name}.", unknown)


def _idle_rules(
    config: Config, default: Any, stated: Mapping[str, Any], prefix: str, unknown: frozenset[str]
) -> Iterator[tuple[str, OnlyWith, str]]:
    """(name and value, rule, prefix of the rule's section) of stated settings that are not read, in `config` and below."""
    unknown = unknown | type(config).completed_later
    for rule in type(config).rules():
        if rule.holds(config):
            continue
        for dotted in rule.names or tuple(type(config).model_fields):
            own = _at(defaults_of(type(config)), dotted)
            found = _changed(_at(config, dotted), (_at(default, dotted), own), _at(stated, dotted), dotted)
            for name, value in found:
                yield f"{prefix}{name} = {value!r}", rule, prefix
    for name in type(config).model_fields:
        part, given = getattr(config, name), stated.get(name)
        if isinstance(part, Config) and isinstance(given, Mapping) and name not in unknown:
            yield from _idle_rules(part, _at(default, name), given, f"{prefix}{name}.", unknown)


def defaults_of(cls: type[Config]) -> dict[str, Any]:
    return {name: info.get_default(call_default_factory=True) for name, info in cls.model_fields.items()}


def _at(values: Any, dotted: str) -> Any:
    """What is at "a.b" of nested sections or mappings; None where there is nothing."""
    for name in dotted.split("."):
        values = values.get(name) if isinstance(values, Mapping) else getattr(values, name, None)
    return values


def _changed(value: Any, defaults: tuple[Any, ...], stated: Any, name: str) -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of each stated setting in `value` that is none of its defaults."""
    if stated is None:
        return
    if isinstance(value, Config) and isinstance(stated, Mapping):
        for key in stated:
            if key in type(value).model_fields:
                inner = tuple(getattr(d, key, None) for d in defaults)
                yield from _changed(getattr(value, key), inner, stated[key], f"{name}.{key}")
    elif value not in defaults:
        yield name, value


def describe_settings(config: Config, prefix: str = "", condition: str = "") -> Iterable[tuple[str, Any, str]]:
    """(dotted name, value, what it does and under which condition) of every setting, in order."""
    rules = type(config).rules()
    for name, info in type(config).model_fields.items():
        value = getattr(config, name)
        own = [f"{prefix}{rule.condition}" for rule in rules if not rule.names or name in rule.names]
        read = ", and ".join(dict.fromkeys([*([condition] if condition else []), *own]))
        if isinstance(value, Config):
            yield from describe_settings(value, f"{prefix}{name}.", read)
        else:
            meaning = " ".join((info.description or "").split())
            yield prefix + name, value, f"{meaning} Read only with {read}." if read else meaning


def settings_in_force(config: Config, *, show_all: bool = False, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """As `describe_settings`, without those that are read only under a condition that does not hold for this configuration.

    Args:
        show_all: with them.
    """
    if show_all:
        yield from describe_settings(config)
        return
    idle: set[str] = set()
    for rule in type(config).rules():
        if not rule.holds(config):
            idle |= set(rule.names or type(config).model_fields)
    for name, info in type(config).model_fields.items():
        value = getattr(config, name)
        if name in idle:
            continue
        if isinstance(value, Config):
            inner = {dotted.partition(".")[2] for dotted in idle if dotted.startswith(f"{name}.")}
            yield from (
                (full, held, meaning) for full, held, meaning in settings_in_force(value, prefix=f"{prefix}{name}.")
                if full.removeprefix(f"{prefix}{name}.") not in inner
            )
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


def texts_in(value: Any) -> Iterator[str]:
    """All texts in settings, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)


def named_in(value: Any) -> Iterator[str]:
    """All texts in settings that may name a file or folder: `texts_in`, and each word of a `command`."""
    yield from texts_in(value)
    yield from _words_of_commands(value)


def _words_of_commands(value: Any) -> Iterator[str]:
    for name, item in value.items() if isinstance(value, Mapping) else ():
        if name == "command" and isinstance(item, str):
            with contextlib.suppress(ValueError):  # no command: whoever starts it says so
                first, *others = shlex.split(item) or [""]
                yield from [first, *others] if is_script(first) else others
        else:
            yield from _words_of_commands(item)


def with_names(value: Any, named: Callable[[str], str]) -> Any:
    """Settings with each text, of a `command` each word, as `named` gives it."""
    if isinstance(value, Mapping):
        return {
            key: _command_with_names(item, named) if key == "command" and isinstance(item, str) else with_names(item, named)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [with_names(item, named) for item in value]
    return named(value) if isinstance(value, str) else value


def _command_with_names(command: str, named: Callable[[str], str]) -> str:
    try:
        words = shlex.split(command)
    except ValueError:  # no command: whoever starts it says so
        return command
    found = [named(word) for word in words]
    return command if found == words else shlex.join(found)


def is_script(path: str) -> bool:
    """A file that says what reads it; an interpreter is another one on every machine, and a script that is started is not."""
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"#!"
    except (OSError, ValueError):
        return False

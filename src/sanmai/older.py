"""What was made when there were other settings: a setting that came later and has its default makes nothing another thing.

    then    seed = 0, lr = 1e-4
    now     seed = 0, lr = 1e-4, turns = 8      8 is the default of `turns`: the same
            seed = 0, lr = 1e-4, turns = 4      something else
            seed = 0, lr = 2e-4, turns = 8      something else, by lr alone

So that this is true, the default of a new setting is what was done before; one that cannot be is named in
`Config.unlike_before`, and one that is taken away in `Config.gone`. A default that changes makes all that was made with the old
one something else, for what was made says its values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sanmai.config import Config, defaults_of, is_gone

_SHOWN = 3
"""Names that a sentence has."""


@dataclass(frozen=True)
class AsOf:
    """Values of a configuration as they were written when there were other settings."""

    values: dict[str, Any]
    since: tuple[str, ...] = ()
    """Dotted names of settings that were not there yet, and have their defaults."""
    gone: tuple[str, ...] = ()
    """Of those that were still there, and changed nothing."""


def as_of(config: Config, values: Mapping[str, Any], known: Mapping[str, Any]) -> AsOf:
    """The values as one would have written them who knew the settings of `known`: equal to `known` where nothing else differs.

    Args:
        values: of config, nested and dumped; all of them or those with an effect.
        known: what was written, dumped in the same way.
    """
    since: list[str] = []
    gone: list[str] = []
    return AsOf(_as_of(config, values, known, "", since, gone), tuple(since), tuple(gone))


def _as_of(
    config: Config, values: Mapping[str, Any], known: Mapping[str, Any], prefix: str, since: list[str], gone: list[str]
) -> dict[str, Any]:
    kind, defaults, found = type(config), defaults_of(type(config)), {}
    for name, value in values.items():
        part = getattr(config, name, None)
        if name in known:
            found[name] = _within(part, value, known[name], f"{prefix}{name}.", since, gone)
        elif name in defaults and name not in kind.unlike_before and part == defaults[name]:
            since.append(f"{prefix}{name}")
        else:
            found[name] = value
    for name in known.keys() - values.keys():
        if is_gone(kind, name, known[name]):
            found[name] = known[name]
            gone.append(f"{prefix}{name}")
    return found


def _within(part: Any, value: Any, known: Any, prefix: str, since: list[str], gone: list[str]) -> Any:
    """A value that was there then: a section, several, or a plain one."""
    if isinstance(part, Config) and isinstance(value, Mapping) and isinstance(known, Mapping):
        return _as_of(part, value, known, prefix, since, gone)
    if isinstance(part, tuple) and isinstance(known, list) and len(part) == len(known):
        return [_within(*each, prefix, since, gone) for each in zip(part, value, known, strict=True)]
    return value


def words(those: Iterable[AsOf]) -> str:
    """ "before turns and told_tokens were settings, which change nothing at their defaults"; "" where there were none others."""
    those = list(those)
    since = list(dict.fromkeys(name for one in those for name in one.since))
    gone = list(dict.fromkeys(name for one in those for name in one.gone))
    said = []
    if since:
        one = len(since) == 1
        does = "which changes nothing at its default" if one else "which change nothing at their defaults"
        said.append(f"before {enumerated(since)} {'was a setting' if one else 'were settings'}, {does}")
    if gone:
        one = len(gone) == 1
        said.append(f"while {enumerated(gone)} {'was a setting, which' if one else 'were settings, which'} changed nothing")
    return ", and ".join(said)


def enumerated(names: Sequence[str], between: str = ", ") -> str:
    """ "a, b and c", or "a, b, c and 2 more"."""
    more = [f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    *before, last = [*names[:_SHOWN], *more]
    return f"{between.join(before)} and {last}" if before and (more or between == ", ") else between.join([*before, last])

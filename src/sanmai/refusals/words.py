"""How assistants decline, as data: one file a language in `rows/`, which refusals/languages.py and phrases.py make patterns of.

In a word `*` stands for any letters, and `…` for up to four words. Who copies a file and changes its words has taught the rules
another language. Those that are written without blanks (Chinese, Japanese, Thai) and Korean have regular expressions for words,
and no `words`, which are patterns of their own in refusals/languages.py; English is in refusals/cues.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any, TypeVar


@dataclass(frozen=True)
class Words:
    """What a refusal needs. Each field is its alternatives, parted by `|`."""

    cannot: str
    """Ability, will or leave that the speaker denies having: first person, in the verb or a pronoun."""
    acts: str
    """Acts of helping: what it cannot. None that praises when negated ("I cannot recommend it enough")."""
    plain: str
    """What declines by itself: "I refuse"."""
    sorry: str
    """Apologies: one before a `cannot` declines whatever the verb."""


@dataclass(frozen=True)
class Phrases:
    """What stands beside a refusal or in place of one."""

    bare: str
    """A whole answer: "I can't", "impossible"."""
    small: str
    """Words that may stand beside one: "no", "that", "very"."""
    rules: str
    """The speaker's own rules, broken: "against my principles"."""
    refrain: str
    """Tells the person not to do it."""
    wrong: str
    """Words of admonition: unlawful, dangerous, unethical."""
    irresponsible: str
    """Of them those that judge an act of helping: irresponsible, unethical, unlawful."""
    elsewhere: str
    """Proposes another subject."""
    other: str
    """What is offered instead: "something else"."""
    but: str
    """The contrast after which help may follow."""
    limits: str
    """What an answer need not have: "I cannot give an exact figure" is no refusal."""


@dataclass(frozen=True)
class Closed:
    """How a short answer closes a subject without an act of helping, in the speaker's own person."""

    closes: str
    """Is not allowed to speak, will not give it, would rather not or must decline, what has been asked for."""
    asks: str
    """Wants to be asked something else."""
    topic: str
    """What such a sentence speaks of: this, that, a question, a request, information; and verbs of speech."""
    small: str = ""
    """Other words that say nothing in particular."""


RowT = TypeVar("RowT", Words, Phrases, Closed)
_CYRILLIC = dict(zip("abvgdđežzijklmnoprstćufhcčš", "абвгдђежзијклмнопрстћуфхцчш", strict=True))


def in_cyrillic(text: str) -> str:
    """Serbian in its other letters."""
    for pair, letter in (("lj", "љ"), ("nj", "њ"), ("dž", "џ")):
        text = text.replace(pair, letter)
    return "".join(_CYRILLIC.get(letter, letter) for letter in text)


def _files() -> dict[str, dict[str, Any]]:
    found = sorted(files("sanmai.refusals").joinpath("rows").iterdir(), key=lambda path: path.name)
    return {path.name.removesuffix(".json"): json.loads(path.read_text(encoding="utf-8")) for path in found}


def _rows(name: str, kind: type[RowT]) -> Mapping[str, RowT]:
    """A part of each file that has it; Serbian is Croatian in its other letters."""
    found: dict[str, RowT] = {}
    for code, file in _FILES.items():
        if name in file:
            found[code] = kind(**{field: "|".join(parts) for field, parts in file[name].items()})
        if code == "hr":
            found["sr"] = kind(*map(in_cyrillic, astuple(found[code])))
    return MappingProxyType(found)


def _first(rows: Mapping[str, RowT]) -> dict[str, RowT]:
    """With the South Slavic rows first, which others resemble in part."""
    return {code: rows[code] for code in ("hr", "sr")} | {code: row for code, row in rows.items() if code in WORDS}


_FILES = _files()
WORDS = _rows("words", Words)
"""By ISO 639-1 code."""
_PHRASES, _CLOSED = _rows("phrases", Phrases), _rows("closed", Closed)
PHRASES, CLOSED = MappingProxyType(_first(_PHRASES)), MappingProxyType(_first(_CLOSED))
UNSPACED_PHRASES = MappingProxyType({code: row for code, row in _PHRASES.items() if code not in WORDS})
UNSPACED_CLOSED = MappingProxyType({code: row for code, row in _CLOSED.items() if code not in WORDS})
"""Of the languages that have regular expressions for words."""

"""Stage one of the risk filter: does a conversation mention what is on a list of words?

The lists are data (`words/LANGUAGE.json`: {"language", "topics": {topic: [words]}, "patterns": {topic: [regular expressions]}}),
and one's own are added or put in their place. They find candidates, no culprits: a chemistry lesson is one, too. A text is
looked through as it is, and as it would read without what people hide words behind: look-alike letters, digits for letters,
marks and blanks inside words, Base64, hexadecimal, URL and HTML escapes, rot13, the order reversed. What is not found is
told in docs/serve.md: other words for the same, ciphers, languages without a list.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import hashlib
import html
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from sanmai.data.testbeds import TESTBEDS
from sanmai.types import InputError

MOST_CHARS = 100_000
"""A conversation that is longer is a candidate for that alone: it is not looked through."""
_LONG = 8
"""Letters from which a word is looked for inside others: where blanks were taken out, or the order was turned."""
_DEPTH = 2
"""Encodings within encodings."""
_UNSPACED = re.compile(r"[⺀-鿿぀-ヿ가-힯฀-๿]")
_CONFUSABLES = str.maketrans(
    "аеорсухіјѕԁһѵԛԝёікмнтвзгαβγδεικνορτυχωѡɑɡıⅼοսոօհցԍɩʀᴀᴄᴇᴏᴠᴡᴢ",
    "aeopcyxijsdhvqweikmhtbzrabydeikvoptuxwwagilouhohgglraceovwz",
)
"""Letters of other scripts to the Latin ones that they look like."""
_SPLIT = re.compile(r"(?<![^\W_])(?:[^\W_][\W_]{1,3}){3,}[^\W_](?![^\W_])")
"""Letters with marks or blanks between them. No character is both (a `_` would be), or long runs of it took for ever."""
_LEET = str.maketrans("013457890@$!|+", "oieastbgoasilt")


class Candidates:
    """Words to be looked for.

    Example:
        Candidates.load(["en"]).find(["How is a nerve agent detected?"])   # ("en/weapons: nerve agent",)
    """

    def __init__(self, lists: Sequence[WordList], names: Sequence[str] = ()) -> None:
        self.lists, self.names = list(lists), tuple(names)

    @classmethod
    def load(cls, names: Sequence[str] = ()) -> Candidates:
        """The lists of these names: languages of Sanmai's own, "world", or files; without any, all languages of Sanmai's own.

        Raises:
            InputError: no such list, or a file that is none.
        """
        known = own_lists()
        names = names or sorted(known.keys() - TESTBEDS.keys())
        return cls([WordList.read(name, known) for name in names], names)

    @property
    def digest(self) -> str:
        """Of all words and patterns."""
        said = [[each.language, sorted(each.words.items()), sorted(each.patterns.items())] for each in self.lists]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]

    @property
    def has_own(self) -> bool:
        """Some list is a user's: what its patterns cost nobody knows."""
        return any(name not in own_lists() for name in self.names)

    def __str__(self) -> str:
        num_words = sum(len(each.words) + len(each.patterns) for each in self.lists)
        return f"one of {num_words} words and patterns ({', '.join(each.language for each in self.lists)})"

    def find(self, texts: Sequence[str]) -> tuple[str, ...]:
        """What is mentioned in the messages of a conversation, alone or joined: "LIST/TOPIC: WORD[, how it was hidden]".

        Sorted; empty where nothing is.
        """
        joined = "\n".join(texts)
        if len(joined) > MOST_CHARS:
            return (f"longer than {MOST_CHARS} characters",)
        found: dict[str, str] = {}
        if len(plain(joined)) > 2 * MOST_CHARS:  # one character may be written out as eighteen
            return (f"longer than {MOST_CHARS} characters, written out",)
        for how, text in readings(joined):
            is_squeezed = how in ("joined", "reversed")
            for each in self.lists:
                for name in each.mentioned(text, only_long=is_squeezed):
                    found.setdefault(name, how)
        return tuple(sorted(name if how == "plain" else f"{name}, {how}" for name, how in found.items()))


@dataclass(frozen=True)
class WordList:
    language: str
    words: Mapping[str, str]
    """Word or phrase, as `plain` writes it, to its topic."""
    patterns: Mapping[str, str]
    """Regular expression to its topic."""

    @classmethod
    def read(cls, name: str, known: Mapping[str, str]) -> WordList:
        """A list of Sanmai's own by its language, or a file: JSON as the module says, or one word a line."""
        if name not in known and not Path(name).is_file():
            raise InputError(f"words {name!r}: no such file, and not one of {', '.join(sorted(known))}")
        try:
            text = known[name] if name in known else Path(name).read_text(encoding="utf-8")
            if name in known or name.endswith(".json"):
                return cls._of(json.loads(text), name)
            words = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
            return cls._of({"language": Path(name).stem, "topics": {"own": words}}, name)
        except (OSError, ValueError) as error:
            raise InputError(f"words {name!r}: cannot be read: {str(error)[:160]}") from None

    @classmethod
    def _of(cls, value: Any, name: str) -> WordList:
        expected = 'expected {"language": ..., "topics": {topic: [words]}, "patterns": {topic: [regular expressions]}}'
        try:
            words = {plain(word): topic for topic, found in value["topics"].items() for word in found}
            patterns = {one: topic for topic, found in value.get("patterns", {}).items() for one in found}
            for pattern in patterns:
                re.compile(pattern)
            language = str(value["language"])
        except (KeyError, TypeError, AttributeError, re.error) as error:
            raise InputError(f"words {name!r}: {expected}; {type(error).__name__}: {str(error)[:80]}") from None
        if not all(re.search(r"\w", word) for word in words) or not (words or patterns):
            raise InputError(f"words {name!r}: a word without letters, or no words at all; {expected}")
        return cls(language, words, patterns)

    def mentioned(self, text: str, *, only_long: bool = False) -> Iterator[str]:
        """Names of what is in a text that `readings` made.

        Args:
            only_long: blanks and marks are gone from the text, and long words are looked for inside others.
        """
        if only_long:
            yield from (self._name(word) for short, word in self._long.items() if short in text)
            return
        tokens = set(re.findall(r"\w+", text))
        for token in tokens & self._by_first.keys():
            for word in self._by_first[token]:
                written = r"\s+".join(map(re.escape, word.split()))
                if re.search(rf"(?<!\w){written}s?(?!\w)", text):
                    yield self._name(word)
        yield from (self._name(word) for word in self._unspaced if word in text)
        yield from (f"{self.language}/{topic}: {one}" for one, topic in self.patterns.items() if re.search(one, text))

    def _name(self, word: str) -> str:
        return f"{self.language}/{self.words[word]}: {word}"

    @cached_property
    def _long(self) -> dict[str, str]:
        squeezed = {re.sub(r"[\W_]", "", word): word for word in self.words}
        return {short: word for short, word in squeezed.items() if len(short) >= _LONG}

    @cached_property
    def _unspaced(self) -> list[str]:
        """In scripts without blanks a word has no edges."""
        return [word for word in self.words if _UNSPACED.search(word)]

    @cached_property
    def _by_first(self) -> dict[str, list[str]]:
        """The others by their first part, and by its plural."""
        found: dict[str, list[str]] = {}
        for word in self.words.keys() - set(self._unspaced):
            first = re.findall(r"\w+", word)[0]
            for key in (first, f"{first}s"):
                found.setdefault(key, []).append(word)
        return found


def own_lists() -> dict[str, str]:
    """Sanmai's own lists, as text, by language; "world" are the dangerous objects of the embedded world."""
    found = files("sanmai.serve").joinpath("words")
    of_testbeds = {
        name: json.dumps({"language": name, "topics": {bed.dangerous_words[0]: list(bed.dangerous_words[1])}})
        for name, bed in TESTBEDS.items()
    }
    return of_testbeds | {
        path.name.removesuffix(".json"): path.read_text(encoding="utf-8")
        for path in found.iterdir()
        if path.name.endswith(".json")
    }


def plain(text: str) -> str:
    """A text in one way of writing: compatible forms, small letters, no accents and no invisible characters."""
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    kept = (" " if c.isspace() else c for c in text if unicodedata.category(c) not in ("Mn", "Cf", "Cc") or c.isspace())
    return unicodedata.normalize("NFC", "".join(kept)).strip()


def readings(text: str, depth: int = _DEPTH) -> Iterator[tuple[str, str]]:
    """The ways to read a text, each with what was undone; the first is "plain"."""
    base = plain(text)
    yield "plain", base
    seen = {base}
    alike = base.translate(_CONFUSABLES)
    ways = [
        ("look-alike letters", alike),
        ("digits for letters", alike.translate(_LEET)),
        ("marks inside words", re.sub(r"(?<=\w)[^\w\s]+(?=\w)", "", alike)),
        ("split letters", _SPLIT.sub(lambda m: re.sub(r"[\W_]", "", m[0]), alike)),
        ("rot13", codecs.encode(base, "rot13")),
        ("joined", re.sub(r"[\W_]", "", alike)),
        ("backwards", base[::-1]),
        ("reversed", re.sub(r"[\W_]", "", base)[::-1]),
    ]
    for how, way in ways:
        if way not in seen:
            seen.add(way)
            yield how, way
    if depth:
        for how, decoded in _decoded(text):
            for inner, way in readings(decoded, depth - 1):
                if way not in seen:
                    seen.add(way)
                    yield (how if inner == "plain" else f"{how}, {inner}"), way


def _decoded(text: str) -> Iterator[tuple[str, str]]:
    """The text with what stands encoded in it decoded in its place, way by way; those alone that change it."""
    escapes = [
        ("Base64", re.sub(r"[A-Za-z0-9+/_-]{4,}={0,2}", _of_base64, text)),
        ("hexadecimal", re.sub(r"(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[\s,:]*){3,}", _of_hexadecimal, text)),
        ("HTML escapes", html.unescape(text)),
        ("URL escapes", unquote_plus(text)),
        ("Unicode escapes", re.sub(r"\\u([0-9A-Fa-f]{4})", lambda m: chr(int(m[1], 16)), text)),
    ]
    yield from ((how, decoded) for how, decoded in escapes if decoded != text)


def _of_base64(match: re.Match[str]) -> str:
    raw = match[0].rstrip("=").replace("-", "+").replace("_", "/")
    try:
        text = base64.b64decode(raw + "=" * (-len(raw) % 4)).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return match[0]
    return text if all(c.isprintable() or c.isspace() for c in text) else match[0]


def _of_hexadecimal(match: re.Match[str]) -> str:
    digits = re.sub(r"0x|\\x|[\s,:]", "", match[0])
    # The letters of a word beside it ("decode 62...") may stand among the digits: what is no text is left out.
    text = bytes.fromhex(digits[: len(digits) // 2 * 2]).decode("utf-8", "ignore")
    return f" {text} " if len(text) > 2 else match[0]

"""Which language a text is in, and what a language's code is.

Scripts decide where they can (Hangul is Korean); languages that share a script are told apart by py3langid, which is asked only
about enough letters: it answers for anything.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import regex

from sanmai.data.language_names import CODES, ROMANISED, WEAK_ROMANISED

MAX_CHARS, MAX_WORDS = 200_000, 50_000
"""Of a longer text the first so many characters and words are looked at."""
MIN_LETTERS = 15
"""Letters from which a language is told from others of its script."""
SHORT_CONFIDENCE = 0.8
"""py3langid's probability (calibrated over lengths) from which a shorter text is believed to be in a language."""
LIKELY = 0.4
"""Less likely than the likeliest by more is another language: short sentences are often told only roughly."""
MIN_CONFIDENCE = 0.35
"""The same, of a longer text that can be in any."""

_OTHER_SCRIPTS = {
    "zh": "Han", "ja": "Kana", "ko": "Hangul", "th": "Thai", "bn": "Bengali", "te": "Telugu", "ta": "Tamil", "el": "Greek",
    "he": "Hebrew", "ka": "Georgian", "hy": "Armenian", "gu": "Gujarati", "pa": "Gurmukhi Arabic", "kn": "Kannada",
    "ml": "Malayalam", "si": "Sinhala", "km": "Khmer", "lo": "Lao", "my": "Myanmar", "am": "Ethiopic", "or": "Oriya",
    "as": "Bengali", "dz": "Tibetan", "hi": "Devanagari", "mr": "Devanagari", "ne": "Devanagari", "sa": "Devanagari",
    "ar": "Arabic", "fa": "Arabic", "ur": "Arabic", "ps": "Arabic", "ug": "Arabic", "ru": "Cyrillic", "uk": "Cyrillic",
    "bg": "Cyrillic", "be": "Cyrillic", "mk": "Cyrillic", "mn": "Cyrillic", "kk": "Cyrillic Latin", "ky": "Cyrillic",
    "tg": "Cyrillic", "tt": "Cyrillic", "ba": "Cyrillic", "sr": "Cyrillic Latin", "uz": "Latin Cyrillic",
    "az": "Latin Cyrillic", "ku": "Latin Arabic",
}  # fmt: skip
"""Scripts of the languages that are not written in Latin letters alone."""
_SCRIPTS = {language: tuple(scripts.split()) for language, scripts in _OTHER_SCRIPTS.items()}
_BY_SCRIPT = {
    "Han": "zh", "Kana": "ja", "Hangul": "ko", "Thai": "th", "Bengali": "bn", "Telugu": "te", "Tamil": "ta", "Greek": "el",
    "Hebrew": "he", "Georgian": "ka", "Armenian": "hy", "Gujarati": "gu", "Gurmukhi": "pa", "Kannada": "kn",
    "Malayalam": "ml", "Sinhala": "si", "Khmer": "km", "Lao": "lo", "Myanmar": "my", "Ethiopic": "am", "Oriya": "or",
    "Tibetan": "dz",
}  # fmt: skip
"""The language of a script that decides; Assamese, which shares Bengali's, is told only where it is asked about."""
_LATIN_ALONE = """
    en de fr es it pt nl id vi tr sw jv pl sv da no fi cs sk hu ro ca hr sl et lv lt sq af eu cy ga gl is mt tl so zu xh yo
    ha ig sn rw mg lb br eo ht
""".split()  # noqa: SIM905
SHARED = {
    "Latin": (*_LATIN_ALONE, "az", "uz", "ku"),
    "Cyrillic": ("ru", "uk", "bg", "be", "mk", "sr", "mn", "kk", "ky", "tg", "tt", "ba"),
    "Arabic": ("ar", "fa", "ur", "ps", "ug"),
    "Devanagari": ("hi", "mr", "ne", "sa"),
}
"""Languages among which one is told where nothing is known."""
SIBLINGS = ({"hr", "sr", "bs"}, {"no", "nb", "nn"}, {"id", "ms"}, {"hi", "ur"})
"""Languages that a text alone does not tell apart (Hindi and Urdu in Latin letters)."""
_UNSPACED = {"Han", "Kana", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan"}
SCRIPTS = {
    "Latin": r"\p{Latin}+", "Kana": r"[\p{Hiragana}\p{Katakana}ー]+", "Greek": r"\p{Greek}+", "Cyrillic": r"\p{Cyrillic}+",
    "Arabic": r"[\p{Arabic}&&\p{L}]+", "Devanagari": r"[\p{Devanagari}&&[\p{L}\p{M}]]+",
    **{script: rf"[\p{{{script}}}&&[\p{{L}}\p{{M}}]]+" for script in _BY_SCRIPT if script not in ("Kana", "Greek")},
}  # fmt: skip
"""A run of letters of each script."""
_WORD = regex.compile(
    "|".join(
        rf"(?P<{script}>{letters})"
        for script, letters in (
            SCRIPTS | {"Latin": r"\p{Latin}[\p{Latin}\p{M}]+(?:['’]\p{Latin}+)?", "Greek": r"\p{Greek}{2,}"}
        ).items()
    ),
    regex.V1,
)
JAPANESE = regex.compile(r"\p{Han}\s?[\p{Hiragana}--の]|\p{Hiragana}{4}", regex.V1)
"""Endings and particles in kana follow a kanji: Japanese. (A Chinese sentence may hold a Japanese title or a の.)"""


def normalise(code: str) -> str | None:
    """The ISO 639-1 code of a language that is written in any usual way; None when it is none.

    Example:
        normalise("English"), normalise("zh_CN"), normalise("deu"), normalise("pt-BR")  # en, zh, de, pt
    """
    name = code.strip().casefold()
    for form in (name, regex.split(r"[-_@.(,;\s]", name, maxsplit=1)[0]):
        if form in CODES:
            return CODES[form]
    return None


def language_of(text: str, among: Sequence[str] | None = None) -> str | None:
    """The language (ISO 639-1) of most of a text; None when it cannot be told or has too few letters.

    Args:
        among: the languages it can be: one of them is always named where the text has letters of their scripts. Without,
            it can be any, and is named only where py3langid is sure enough.
    """
    words = list(words_of(text))
    if not words:
        return None
    kinds = Counter(script for _, script in words)
    if kinds["Kana"] and 2 * (kinds["Kana"] + kinds["Han"]) >= len(words):
        kinds["Kana"] += kinds.pop("Han", 0)
        if not JAPANESE.search(text) and kinds["Kana"] > len([word for word, kind in words if kind == "Kana"]) * 2:
            return _one_of("zh", among)
    script = kinds.most_common(1)[0][0]
    return language_of_words([word for word, kind in words if kind == script], script, among)


def language_of_words(words: Sequence[str], script: str, among: Sequence[str] | None = None) -> str | None:
    """The language of words that are all in one script."""
    if among is None:
        able: Sequence[str] = SHARED.get(script) or (_BY_SCRIPT[script],)
    else:
        able = sorted({code for code in among if script in scripts_of(code)})
    if script == "Latin" and (found := romanised(words, among)):
        return found
    if script == "Han" and "ja" in able and len(able) > 1:
        able = [code for code in able if code != "ja"]
    if len(able) <= 1:
        return able[0] if able else None
    is_short = sum(map(len, words)) < MIN_LETTERS
    return identify(
        " ".join(words), able, SHORT_CONFIDENCE if is_short else 0.0 if among is not None else MIN_CONFIDENCE
    )


def romanised(words: Sequence[str], among: Iterable[str] | None = None) -> str | None:
    """The language of another script that words in Latin letters are in, by its most frequent words; None when in none."""
    lower = [word.lower() for word in words]
    for languages, frequent in ROMANISED.items():
        own = [code for code in languages if among is None or code in among]
        strong = sum(word in frequent for word in lower)
        weak = sum(word in WEAK_ROMANISED.get(languages, ()) for word in lower)
        if own and strong >= 2 and strong >= 0.2 * len(lower) and strong + weak >= 0.4 * len(lower):
            return own[0]
    return None


def identify(text: str, among: Sequence[str], min_confidence: float = 0.0) -> str | None:
    """py3langid's answer, among languages of one script, for a text of any length; None where it is less sure."""
    code, confidence = _identifier(tuple({"nb": "no"}.get(code, code) for code in among)).classify(text.lower())
    return code if confidence >= min_confidence else None


def may_be(text: str, language: str, among: Sequence[str]) -> bool:
    """py3langid finds a language, of `among`, at least LIKELY times as probable as the one that it would name."""
    ranked = dict(_identifier(tuple(among)).rank(text.lower()))
    return ranked[language] >= LIKELY * max(ranked.values())


def is_known(language: str) -> bool:
    """A text can be told to be in it."""
    return language in _SCRIPTS or language in _LATIN_ALONE or language in ("ms", "bs", "nb", "nn")


def scripts_of(language: str) -> tuple[str, ...]:
    """The scripts that a language is usually written in."""
    return ("Kana", "Han") if language == "ja" else _SCRIPTS.get(language, ("Latin",))


def words_of(text: str) -> Iterator[tuple[str, str]]:
    """(word, script) of each word; two characters of an unspaced script are a word."""
    count = 0
    for match in _WORD.finditer(text[:MAX_CHARS]):
        kind, run = match.lastgroup or "", match[0]
        size = 2 if kind in _UNSPACED else len(run)
        for start in range(0, len(run), size):
            yield run[start : start + size], kind
            count += 1
            if count >= MAX_WORDS:
                return


def _one_of(language: str, among: Sequence[str] | None) -> str | None:
    return language if among is None or language in among else None


@lru_cache(maxsize=32)
def _identifier(languages: tuple[str, ...]) -> Any:
    """An identifier of its own: `py3langid.set_languages` would change the setting of the whole process."""
    found = copy.copy(_all_languages())
    found.set_languages(set(languages) & set(found.labels))
    return found


@lru_cache(maxsize=1)
def _all_languages() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

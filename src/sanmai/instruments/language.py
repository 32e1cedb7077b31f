"""In which languages a response is written: pass rates per line and word, scripts, switches, thought against answer.

Scripts decide where they can; languages that share one are told apart by py3langid (data/languages.py), among the declared
ones. LaTeX, code, URLs, numbers and single letters are masked first (rewards/style.py), but for the line-level pass rate, which
is defined on the raw lines.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from statistics import fmean

import regex

from sanmai.data.languages import SCRIPTS, identify, is_known, normalise, romanised, scripts_of, words_of
from sanmai.rewards.style import is_told, language_share, masked_text, prompt_language
from sanmai.stats import Rate, rate
from sanmai.types import InputError, Trace

LANGUAGES = ("ar", "de", "en", "es", "fr", "hi", "id", "it", "ja", "ko", "pt", "ru", "tr", "vi", "zh")
"""Those of the Language Confusion Benchmark."""
MIN_WORDS, MIN_CHARACTERS = 5, 10
"""Words of a line that is judged; characters where words are not separated (zh, ja, th)."""
MAX_LINE = 300
"""Characters of a line that py3langid reads: more change nothing but the time."""
NON_LATIN = ("ar", "hi", "ja", "ko", "ru", "zh")
"""Languages for which an English word stands out."""
OWN_LANGUAGE = 0.5
"""Share of words in the language from which a thought or an answer is in it."""

_UNSPACED = ("zh", "ja", "th")
_RUNS = regex.compile(
    "|".join(rf"(?P<{script}>{letters})" for script, letters in SCRIPTS.items()) + r"|(?P<Other>\p{L})", regex.V1
)
_LATIN_WORD = regex.compile(r"\p{Latin}+")


@dataclass(frozen=True)
class Response:
    """A response and the language that it should be in.

    Example:
        Response("Bonjour à toutes et à tous, voici.", "fr", source="okapi")
    """

    text: str
    language: str
    """ISO 639-1."""
    source: str = ""
    """Where the prompt is from; rates are averaged over sources before languages."""


def line_language(line: str, languages: Sequence[str] = LANGUAGES) -> str | None:
    """The language of a line among the declared ones: by its most frequent script, by py3langid where several share it.

    None: no letters, a script of no declared language, or a shared one with too few letters.

    Raises:
        InputError: a language is not known.
    """
    script = _line_script(line)
    declared = _sharing(script, tuple(languages))
    if len(declared) <= 1:
        return declared[0] if declared else None
    if script == "Latin" and (found := romanised([word for word, _ in words_of(line)], languages)):
        return found
    return identify(line[:MAX_LINE], declared)


def line_pass(text: str, language: str, languages: Sequence[str] = LANGUAGES) -> bool | None:
    """Every line that is long enough is in the language; None when no line is."""
    lines = [line for line in text.splitlines() if _is_long(line, language)]
    if not lines:
        return None
    # Scripts first: a line in another script needs no py3langid, and most failures are such.
    declared = tuple(languages)
    return all(language in _sharing(_line_script(line), declared) for line in lines) and all(
        line_language(line, declared) == language for line in lines
    )


def word_pass(text: str, language: str, english: frozenset[str]) -> bool | None:
    """No English word of four letters or more in lower case stands in the response; None for languages in Latin letters."""
    if language not in NON_LATIN:
        return None
    return not any(len(word) > 3 and word.islower() and word in english for word in _LATIN_WORD.findall(text))


@dataclass(frozen=True)
class PassRates:
    """Shares (0..1) of responses; nan where nothing could be judged."""

    lines: float
    """Averaged per (source, language), then over languages."""
    words: float
    """Of responses that pass by lines, in languages of other scripts, averaged alike."""
    line_rate: Rate
    """Over responses, with its interval."""
    by_language: Mapping[str, Rate]
    """Line-level."""
    unscored: int
    """Responses without a line that is long enough: they pass in neither and are left out."""

    @property
    def both(self) -> float:
        """Harmonic mean of the two."""
        total = self.lines + self.words
        return 2 * self.lines * self.words / total if total else 0.0


def pass_rates(
    responses: Iterable[Response], *, languages: Sequence[str] = LANGUAGES, english: frozenset[str] = frozenset()
) -> PassRates:
    """Line-level and word-level pass rates.

    Args:
        languages: those that lines are told apart among; every expected one must be in it.
        english: English words in lower case, for the word-level rate.

    Raises:
        InputError: an expected language is not among `languages`, or one is not known.

    Source:
        Marchisio et al. 2024 (arXiv:2406.20052) section 3.2.
    """
    passes: dict[tuple[str, str], list[float]] = defaultdict(list)
    clean: dict[tuple[str, str], list[float]] = defaultdict(list)
    unscored = 0
    for response in responses:
        if response.language not in languages:
            raise InputError(f"language = {response.language!r}: expected one of {', '.join(languages)}")
        found = line_pass(response.text, response.language, languages)
        if found is None:
            unscored += 1
            continue
        key = (response.language, response.source)
        passes[key].append(float(found))
        words = word_pass(response.text, response.language, english) if found and english else None
        if words is not None:
            clean[key].append(float(words))
    by_language: dict[str, list[float]] = defaultdict(list)
    for (language, _), values in passes.items():
        by_language[language] += values
    return PassRates(
        _by_source(passes), _by_source(clean), rate([value for values in passes.values() for value in values]),
        {language: rate(values) for language, values in sorted(by_language.items())}, unscored,
    )  # fmt: skip


def script_mix(text: str) -> dict[str, float]:
    """Share of the letters in each script, code and mathematics masked; empty without letters."""
    counts = _letters(masked_text(text))
    total = counts.total()
    return {script: count / total for script, count in counts.most_common()}


def off_script_share(text: str, language: str) -> float | None:
    """Share of the letters outside the language's scripts; Han is tolerated in Korean. None without letters."""
    mix = script_mix(text)
    expected = ("Hangul", "Han") if language == "ko" else scripts_of(language)
    return 1.0 - sum(mix.get(script, 0.0) for script in expected) if mix else None


def switch_rate(text: str) -> float | None:
    """Changes of script from word to word over the places where one could be; None with fewer than two words.

    Kana and Han are one script. Languages that share a script switch unseen.
    """
    kinds = ["Han" if kind == "Kana" else kind for _, kind in words_of(masked_text(text))]
    if len(kinds) < 2:
        return None
    return sum(a != b for a, b in pairwise(kinds)) / (len(kinds) - 1)


@dataclass(frozen=True)
class Agreement:
    """How many thoughts and answers are in the prompt's language: a 2 x 2."""

    both: int
    thought_only: int
    answer_only: int
    neither: int
    unscored: int
    """No thought, no answer, or a language that cannot be told."""

    @property
    def n(self) -> int:
        return self.both + self.thought_only + self.answer_only + self.neither


def agreement(items: Iterable[tuple[Trace, str]]) -> Agreement:
    """The 2 x 2 of (completion, the prompt's language)."""
    counts: Counter[tuple[bool, bool] | None] = Counter()
    for trace, language in items:
        thought, answer = is_in(trace.thought, language), is_in(trace.answer, language)
        counts[None if thought is None or answer is None else (thought, answer)] += 1
    return Agreement(counts[True, True], counts[True, False], counts[False, True], counts[False, False], counts[None])


def is_in(text: str, language: str) -> bool | None:
    """Most of the text's words are in the language; None when that cannot be told."""
    share = language_share(text, language)
    return None if share is None else share >= OWN_LANGUAGE


def expected_language(stated: str | None, prompt: str) -> str | None:
    """The stated language of a problem (of "pt-BR", pt), else its prompt's; None where it is not one that is told here."""
    language = normalise(stated) if stated else prompt_language(prompt)
    return language if language and is_told(language) else None


def _letters(text: str) -> Counter[str]:
    """Letters per script."""
    counts: Counter[str] = Counter()
    for match in _RUNS.finditer(text):
        counts[match.lastgroup or ""] += len(match[0])
    return counts


def _line_script(line: str) -> str | None:
    """The most frequent script of a line; Kana where it and Han together are most, and there is Kana."""
    if line.isascii():
        return "Latin" if any(map(str.isalpha, line)) else None
    counts = _letters(line)
    if counts["Kana"] and 2 * (counts["Kana"] + counts["Han"]) >= sum(counts.values()):
        return "Kana"
    return counts.most_common(1)[0][0] if counts.total() else None


@lru_cache(maxsize=64)
def _sharing(script: str | None, languages: tuple[str, ...]) -> tuple[str, ...]:
    """The declared languages that are written in a script."""
    unknown = [code for code in languages if not is_known(code)]
    if unknown:
        raise InputError(f"language {unknown[0]!r}: expected an ISO 639-1 code of a language that can be told")
    return tuple(sorted(code for code in languages if script in scripts_of(code) and (code, script) != ("ja", "Han")))


def _is_long(line: str, language: str) -> bool:
    if language in _UNSPACED and not line.isascii():
        return len(line.strip()) >= MIN_CHARACTERS
    return len(line.split()) >= MIN_WORDS


def _by_source(values: Mapping[tuple[str, str], Sequence[float]]) -> float:
    """Mean over languages of the mean over sources."""
    per_language: dict[str, list[float]] = defaultdict(list)
    for (language, _), found in values.items():
        per_language[language].append(fmean(found))
    return fmean(map(fmean, per_language.values())) if per_language else float("nan")

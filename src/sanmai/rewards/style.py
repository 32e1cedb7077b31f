"""How a completion is written: format, language, repetition, length. None of them looks at whether it is right."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import regex

from sanmai.types import Problem, Trace, TraceState, Verdict

MAX_WORDS, MAX_CHARS = 50_000, 200_000
"""Of a longer text the first so many words and characters are looked at."""


def format_verdict(problem: Problem, trace: Trace) -> Verdict:
    """1.0 for `<think>thought</think>answer` with both parts filled and no further tag; 0.0 otherwise.

    The opening tag may have been in the prompt. Incomplete is not wrong: None.
    """
    if not trace.is_complete:
        return Verdict(None, "cut off or never closed", "incomplete")
    if trace.state is TraceState.NONE:
        return Verdict(0.0, "no thought", "wrong")
    tags = (trace.before.strip(), trace.between)
    if trace.state is TraceState.CLOSED and not regex.fullmatch(r"<[^<>\s]+>|\[[^\[\]\s]+\]", tags[0]):
        return Verdict(0.0, "text before the thought", "wrong")
    if any(tag and tag in part for tag in tags for part in (trace.thought, trace.answer)):
        return Verdict(0.0, "a tag more than once", "wrong")
    if not trace.thought.strip() or not trace.answer.strip():
        return Verdict(0.0, "empty thought or answer", "wrong")
    return Verdict(1.0, "thought and answer", "correct")


def language_verdict(problem: Problem, trace: Trace) -> Verdict:
    """The share of the thought's words (of the answer's, where there is no thought) in the problem's language.

    Where the problem states no language, its prompt's script decides.
    """
    language = (problem.language or prompt_language(problem.prompt) or "").lower().partition("-")[0]
    if not language:
        return Verdict(None, "the problem states no language and its prompt has no words", "no_language")
    if language not in _LATIN and language not in _SCRIPTS:
        return Verdict(None, f"the language {language!r} is not known here", "no_language")
    text = trace.thought if trace.thought.strip() else trace.answer
    share = language_share(text, language)
    if share is None:
        return Verdict(None, "no words", "no_words")
    method = "by script" + ("" if _detector(language) or _script(language) != "Latin" or language == "en" else
                            "; Latin letters count, for lingua is not installed")  # fmt: skip
    return Verdict(share, f"{share:.0%} of the words in {language}, {method}", "graded")


def repetition_verdict(problem: Problem, trace: Trace, *, ngram: int = 20) -> Verdict:
    """Minus the share of words that lie in a repeated n-gram: 0.0 (none) down to -1.0 (all)."""
    words = [word for word, _ in _words(trace.text)]
    starts: Counter[int] = Counter(hash(tuple(words[k : k + ngram])) for k in range(len(words) - ngram + 1))
    covered, end = 0, 0
    for k in range(len(words) - ngram + 1):
        if starts[hash(tuple(words[k : k + ngram]))] > 1:
            covered += k + ngram - max(end, k)
            end = k + ngram
    share = covered / len(words) if words else 0.0
    return Verdict(-share, f"{share:.0%} of the words in repeated {ngram}-grams", "graded")


def length_verdict(problem: Problem, trace: Trace, *, full_words: int = 1000) -> Verdict:
    """Minus the number of words over `full_words`, at most 1: 0.0 (empty) down to -1.0 (long)."""
    count = sum(1 for _ in _words(trace.text))
    return Verdict(-min(1.0, count / full_words), f"{count} words", "graded")


# Languages. A word is a run of letters; in scripts without blanks, half of a run's characters rounded up: Chinese words
# have about two, and a segmented text ("等于 多少") counts its tokens.

_SCRIPTS = {
    "zh": "Han", "ja": "Japanese", "ko": "Hangul", "ru": "Cyrillic", "uk": "Cyrillic", "bg": "Cyrillic",
    "sr": "Cyrillic", "el": "Greek", "he": "Hebrew", "ar": "Arabic", "fa": "Arabic", "ur": "Arabic",
    "hi": "Devanagari", "mr": "Devanagari", "ne": "Devanagari", "bn": "Bengali", "ta": "Tamil", "te": "Telugu",
    "th": "Thai", "ka": "Georgian", "hy": "Armenian",
}  # fmt: skip
_LATIN = "en de es fr it pt nl pl sv da no nb fi cs sk hu ro tr vi id ms sw ca hr sl et lv lt".split()  # noqa: SIM905
_UNSPACED = {"Han", "Kana", "Thai"}
_LANGUAGE_OF = {"Han": "zh", "Kana": "ja", "Hangul": "ko", "Cyrillic": "ru", "Latin": "en", "Greek": "el",
                "Hebrew": "he", "Arabic": "ar", "Devanagari": "hi", "Thai": "th"}  # fmt: skip
_MASK = regex.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`"
    r"|\$\$.{0,1000}?\$\$|\$[^$\n]{0,1000}\$|\\\[.{0,1000}?\\\]|\\\(.{0,1000}?\\\)"
    r"|\\begin\{(\w{1,20}\*?)\}.{0,1000}?\\end\{\1\}|\\boxed\{(?:[^{}]|\{[^{}]*\})*\}|\\[A-Za-z]+|https?://[^\s\u3000-\uffee]+|www\.[^\s\u3000-\uffee]+"
    r"|</?[A-Za-z][^<>\s]{0,40}>|(?<![A-Za-z_])[A-Za-z]{0,40}[\d_][A-Za-z\d_]*|\b(?:sin|cos|tan|log|ln|mod|gcd|lcm)\b",
    regex.DOTALL,
)
_WORD = regex.compile(
    r"(?P<Han>\p{Han}+)|(?P<Kana>[\p{Hiragana}\p{Katakana}ー]+)|(?P<Hangul>\p{Hangul}+)|(?P<Cyrillic>\p{Cyrillic}+)"
    r"|(?P<Greek>\p{Greek}{2,})|(?P<Hebrew>\p{Hebrew}+)|(?P<Arabic>[\p{Arabic}&&\p{L}]+)|(?P<Thai>[\p{Thai}]+)"
    r"|(?P<Devanagari>\p{Devanagari}+)|(?P<Bengali>\p{Bengali}+)|(?P<Tamil>\p{Tamil}+)|(?P<Telugu>\p{Telugu}+)"
    r"|(?P<Georgian>\p{Georgian}+)|(?P<Armenian>\p{Armenian}+)|(?P<Latin>\p{Latin}[\p{Latin}\p{M}]+(?:['’]\p{Latin}+)?)"
    r"|(?P<Digit>\d+)",
    regex.V1,
)


def language_share(text: str, language: str) -> float | None:
    """The share (0..1) of a text's words that are in a language (ISO 639-1); None when it has no words.

    Masked first: code, LaTeX, URLs, numbers, tags, single Latin letters. Scripts decide; Han counts for Japanese only
    beside kana, and is tolerated in Korean. A language in Latin letters other than English is told from English sentence
    by sentence by lingua where it is installed (extra `lang`); else, and for English, all words in Latin letters count.

    Raises:
        ValueError: the language is not known here.
    """
    script = _script(language)
    words = [(word, kind) for word, kind in _words(_masked(text)) if kind != "Digit"]
    if not words:
        return None
    wanted = {"Japanese": {"Han", "Kana"}, "Hangul": {"Hangul", "Han"}}.get(script, {script})
    if script == "Japanese" and not any(kind == "Kana" for _, kind in words):
        return 0.0
    own = sum(1 for _, kind in words if kind in wanted)
    detector = _detector(language) if script == "Latin" and own else None
    if detector is not None:
        own = _detected(text, language, detector)
    return min(1.0, own / len(words))


def prompt_language(prompt: str) -> str | None:
    """The language that a prompt's most frequent script stands for (Latin: English); None when it has no words."""
    kinds = Counter(kind for _, kind in _words(_masked(prompt)) if kind != "Digit")
    if not kinds:
        return None
    return "ja" if kinds["Kana"] else _LANGUAGE_OF.get(kinds.most_common(1)[0][0])


def _masked(text: str) -> str:
    return _MASK.sub(" ", text[:MAX_CHARS])


def _script(language: str) -> str:
    if language in _LATIN:
        return "Latin"
    if language not in _SCRIPTS:
        raise ValueError(f"language={language!r}: expected one of {', '.join(sorted([*_LATIN, *_SCRIPTS]))}")
    return _SCRIPTS[language]


def _words(text: str) -> Iterator[tuple[str, str]]:
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


def _detected(text: str, language: str, detector: Any) -> int:
    """Words of the sentences that are in the language; short sentences go with what follows."""
    own, pending = 0, ""
    sentences = regex.split(r"(?<=[.!?;])\s+|\n+", _masked(text))
    for k, sentence in enumerate(sentences):
        pending += " " + sentence
        count = sum(1 for _, kind in _words(pending) if kind == "Latin")
        if count >= 5 or (count and k == len(sentences) - 1):
            found = detector.detect_language_of(pending)
            own += count if found is not None and found.iso_code_639_1.name.lower() == language else 0
            pending = ""
    return own


@lru_cache(maxsize=8)
def _detector(language: str) -> Any | None:
    """lingua for this Latin-script language against English; None for others, or where lingua is not installed."""
    if language == "en" or language not in _LATIN or importlib.util.find_spec("lingua") is None:
        return None
    import lingua

    codes = [lingua.IsoCode639_1.from_str({"no": "nb"}.get(code, code).upper()) for code in (language, "en")]
    return lingua.LanguageDetectorBuilder.from_iso_codes_639_1(*codes).build()

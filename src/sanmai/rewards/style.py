"""How a completion is written: format, language, repetition, length. None of them looks at whether it is right."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

import regex

from sanmai.types import Problem, Trace, TraceState, Verdict
from sanmai.world import arithmetic, requests

MAX_WORDS, MAX_CHARS = 50_000, 200_000
"""Of a longer text the first so many words and characters are looked at."""


def format_verdict(problem: Problem, trace: Trace) -> Verdict:
    """1.0 for `<think>thought</think>answer` with both parts filled and no further tag; 0.0 otherwise.

    The opening tag is the policy's, or the prompt ended with it; a response of unknown prompt that lacks it is wrong.
    Incomplete is not wrong: None.
    """
    if not trace.is_complete:
        return Verdict(None, "cut off or never closed", "incomplete")
    if trace.state is TraceState.NONE:
        return Verdict(0.0, "no thought", "wrong")
    if trace.state is TraceState.NO_OPEN_TAG and not trace.opened_in_prompt:
        return Verdict(0.0, "no opening tag", "wrong")
    # An opening tag in the prompt is not in the trace: </think> has the name.
    tags = (trace.before.strip() or trace.between.replace("/", "", 1), trace.between)
    if trace.state is TraceState.CLOSED and not regex.fullmatch(r"<[^<>\s]+>|\[[^\[\]\s]+\]", tags[0]):
        return Verdict(0.0, "text before the thought", "wrong")
    if any(tag and tag in part for tag in tags for part in (trace.thought, trace.answer)):
        return Verdict(0.0, "a tag more than once", "wrong")
    if not trace.thought.strip() or not trace.answer.strip():
        return Verdict(0.0, "empty thought or answer", "wrong")
    return Verdict(1.0, "thought and answer", "correct")


def language_verdict(problem: Problem, trace: Trace) -> Verdict:
    """The share of the thought's words (of the answer's, where there is no thought) in the problem's language.

    Where the problem states no language, its prompt's decides.
    """
    language = (problem.language or prompt_language(problem.prompt) or "").lower().partition("-")[0]
    if not language:
        return Verdict(None, "the problem states no language and its prompt shows none", "no_language")
    if language not in _LATIN and language not in _SCRIPTS:
        return Verdict(None, f"the language {language!r} is not known here", "no_language")
    text = trace.thought if trace.thought.strip() else trace.answer
    share = language_share(text, language)
    if share is None:
        if language in _LATIN and next(words_of(masked_text(text)), None):
            return Verdict(
                None, f"only lingua (extra `lang`) tells {language!r} from others in its script", "no_language"
            )
        return Verdict(None, "no words", "no_words")
    is_by_script = language in _LATIN and not _has_lingua()
    by_script = "; all Latin letters count, for lingua is not installed" if is_by_script else ""
    return Verdict(share, f"{share:.0%} of the words in {language}{by_script}", "graded")


def repetition_verdict(problem: Problem, trace: Trace, *, ngram: int = 20) -> Verdict:
    """Minus the share of pieces (see `_PIECE`) that lie in a repeated n-gram: 0.0 (none) down to -1.0 (all)."""
    pieces = _pieces(trace.text)
    starts: Counter[int] = Counter(hash(tuple(pieces[k : k + ngram])) for k in range(len(pieces) - ngram + 1))
    covered, end = 0, 0
    for k in range(len(pieces) - ngram + 1):
        if starts[hash(tuple(pieces[k : k + ngram]))] > 1:
            covered += k + ngram - max(end, k)
            end = k + ngram
    share = covered / len(pieces) if pieces else 0.0
    return Verdict(-share, f"{share:.0%} of the words in repeated {ngram}-grams", "graded")


def length_verdict(problem: Problem, trace: Trace, *, full_words: int = 1000) -> Verdict:
    """Minus the number of pieces (see `_PIECE`) over `full_words`, at most 1: 0.0 (empty) down to -1.0 (long)."""
    count = len(_pieces(trace.text))
    return Verdict(-min(1.0, count / full_words), f"{count} words", "graded")


# For repetition and length every character counts but blanks: a piece is a word or number with the punctuation that
# follows it, at most 20 letters or digits (so that loops without blanks repeat), two characters of a script without
# blanks, or up to four other characters.
_PIECE = regex.compile(
    r"(?:[\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}]{1,2}|[\p{L}\p{M}](?:[\p{L}\p{M}]|['’](?=\p{L})){0,19}|\p{N}{1,20})"
    r"[^\s\p{L}\p{M}\p{N}]{0,4}|[^\s\p{L}\p{M}\p{N}]{1,4}",
)


def _pieces(text: str) -> list[str]:
    return [match[0] for match in islice(_PIECE.finditer(text[:MAX_CHARS]), MAX_WORDS)]


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
_LANGUAGE_OF = {"Han": "zh", "Kana": "ja", "Hangul": "ko", "Cyrillic": "ru", "Greek": "el", "Hebrew": "he",
                "Arabic": "ar", "Devanagari": "hi", "Thai": "th"}  # fmt: skip
_COMMON_LATIN = ("en", "de", "fr", "es", "it", "pt", "nl")
"""What a text in Latin letters may be, besides the language that is asked about: the fewer, the surer lingua is."""
_DETECTABLE_WORDS, _LONG_WORDS = 5, 20
"""Latin words that lingua is asked about at once: fewer mislead it, more hide a change of language."""
COMMON_ENGLISH = (
    "the of to and is are was were be been it its he she his her him they them their we our you your this that these "
    "those there here what which who how why when where if then than so because since but not no yes with without for "
    "from by at on in into up out over after before each every all both more less fewer many much some any other same "
    "new let find compute solve evaluate simplify prove show determine calculate express given positive negative real "
    "number numbers integer integers sum product difference total value equals equal times divided half twice first "
    "second third next last one two three four five six seven eight nine ten hundred thousand make makes need needs has "
    "have had get gets got do does did can could would should will must write wrote add subtract multiply divide left "
    "right now also only just think wait so therefore thus hence would long day days week hour hours cost costs answer"
)
_ENGLISH = frozenset([*COMMON_ENGLISH.split(), *arithmetic.vocabulary(), *requests.vocabulary()])
"""English without asking lingua: common words, and all of the embedded world's, which have no grammar to go by."""
_EVIDENT_SHARE = 0.25
"""A prompt with so many common English words is English. Questions in MGSM: English from 0.36 up, others to 0.13."""
_TEXT = r"(?:[\p{L}--[\p{Latin}\p{Greek}\p{Common}]]|(?<![\\\p{L}])\p{L}{2,}\s+\p{L}{2,})"
"""What is no mathematics: letters other than Latin and Greek, or two words in a row (commands such as \\sin are none)."""
_MASK = regex.compile(
    r"(?=[`$\\<])(?:```.*?(?:```|\Z)|`[^`\n]*`"
    rf"|\$\$(?:(?!{_TEXT})[^$]){{0,1000}}\$\$|\$(?:(?!{_TEXT})[^$\n]){{0,1000}}\$"
    rf"|\\\[(?:(?!{_TEXT}|\\\[).){{0,1000}}?\\\]|\\\((?:(?!{_TEXT}|\\\().){{0,1000}}?\\\)"
    rf"|\\begin\{{(\w{{1,20}}\*?)\}}(?:(?!{_TEXT}|\\begin).){{0,1000}}?\\end\{{\1\}}"
    rf"|\\boxed\{{(?:(?!{_TEXT})[^{{}}]|\{{(?:(?!{_TEXT})[^{{}}])*\}})*\}}"
    r"|\\(?:begin|end)\{\w{1,20}\*?\}|\\[A-Za-z]+|</?[A-Za-z][^<>\s]{0,40}>)"
    r"|(?<![A-Za-z_])(?:[A-Za-z]{0,40}[\d_][A-Za-z\d_]*|(?:https?://|www\.)[^\s\u3000-\uffee]+"
    r"|(?:sin|cos|tan|log|ln|mod|gcd|lcm)\b)",
    regex.DOTALL | regex.V1,
)
_OTHER_LETTERS = regex.compile(r"[[\p{L}\p{M}]--[\p{Latin}\p{Greek}]]+", regex.V1)
_WORD = regex.compile(
    r"(?P<Latin>\p{Latin}[\p{Latin}\p{M}]+(?:['’]\p{Latin}+)?)"
    r"|(?P<Han>\p{Han}+)|(?P<Kana>[\p{Hiragana}\p{Katakana}ー]+)|(?P<Hangul>\p{Hangul}+)|(?P<Cyrillic>\p{Cyrillic}+)"
    r"|(?P<Greek>\p{Greek}{2,})|(?P<Hebrew>\p{Hebrew}+)|(?P<Arabic>[\p{Arabic}&&\p{L}]+)|(?P<Thai>[\p{Thai}]+)"
    r"|(?P<Devanagari>\p{Devanagari}+)|(?P<Bengali>\p{Bengali}+)|(?P<Tamil>\p{Tamil}+)|(?P<Telugu>\p{Telugu}+)"
    r"|(?P<Georgian>\p{Georgian}+)|(?P<Armenian>\p{Armenian}+)",
    regex.V1,
)


def language_share(text: str, language: str) -> float | None:
    """The share (0..1) of a text's words that are in a language (ISO 639-1); None when it has no words.

    Masked first: code, mathematics, URLs, numbers, tags, single Latin letters. Dollar signs or brackets around two words
    in a row are no mathematics, and letters other than Latin and Greek count even in code. Scripts decide; Han counts
    for Japanese only beside kana, and is tolerated in Korean.

    Languages in Latin letters are told apart by lingua (extra `lang`), in sentences of at least 5 words. Where it is not
    installed, Latin letters are English, and the share of another language cannot be told: None. Texts in common English
    words and those of the embedded world are English either way.

    Raises:
        ValueError: the language is not known here.
    """
    script = _script(language)
    if language == "en" and _is_plain_english(text):
        return 1.0
    masked = masked_text(text)
    words = list(words_of(masked))
    if not words:
        return None
    wanted = {"Japanese": {"Han", "Kana"}, "Hangul": {"Hangul", "Han"}}.get(script, {script})
    if script == "Japanese" and not any(kind == "Kana" for _, kind in words):
        return 0.0
    own = sum(1 for _, kind in words if kind in wanted)
    if script != "Latin" or not own:
        return own / len(words)
    if language == "en" and all(kind != "Latin" or word.lower() in _ENGLISH for word, kind in words):
        return own / len(words)
    if _has_lingua():
        return _detected(masked, language) / len(words)
    return own / len(words) if language == "en" else None


def prompt_language(prompt: str) -> str | None:
    """The language of a prompt, by its most frequent script; Latin letters need evidence, else None.

    The evidence is common English words or, from 5 words on, lingua's judgement among a few common languages.
    """
    words = list(words_of(masked_text(prompt)))
    if not words:
        return None
    kinds = Counter(kind for _, kind in words)
    if kinds["Kana"]:
        return "ja"
    script = kinds.most_common(1)[0][0]
    if script != "Latin":
        return _LANGUAGE_OF.get(script)
    latin = [word.lower() for word, kind in words if kind == "Latin"][:200]
    if sum(word in _ENGLISH for word in latin) >= _EVIDENT_SHARE * len(latin):
        return "en"
    return _detect(latin, "en") if len(latin) >= _DETECTABLE_WORDS and _has_lingua() else None


def _is_plain_english(text: str) -> bool:
    """A text of known English words and numbers with blanks between them: its share is 1 the long way, too."""
    tokens = text.split() if text.isascii() and len(text) <= MAX_CHARS else []
    return all(token in _ENGLISH or token.isdigit() for token in tokens) and any(
        len(token) > 1 and token.isalpha() for token in tokens
    )


def masked_text(text: str) -> str:
    """A text with blanks for code, mathematics, URLs, numbers and tags; letters other than Latin and Greek stay."""
    return _MASK.sub(_mask, text[:MAX_CHARS])


def _mask(match: Any) -> str:
    return " " if match[0].isascii() else f" {' '.join(_OTHER_LETTERS.findall(match[0]))} "


def _script(language: str) -> str:
    if language in _LATIN:
        return "Latin"
    if language not in _SCRIPTS:
        raise ValueError(f"language={language!r}: expected one of {', '.join(sorted([*_LATIN, *_SCRIPTS]))}")
    return _SCRIPTS[language]


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


def _detected(masked: str, language: str) -> int:
    """Latin words of the sentences in the language; a short sentence goes with its neighbours, a long one in parts."""
    parts: list[list[str]] = [[]]
    for sentence in regex.split(r"(?<=[.!?;。！？；])\s*|\n+", masked):
        words = [word.lower() for word, kind in words_of(sentence) if kind == "Latin"]
        for start in range(0, len(words), _LONG_WORDS):
            if len(parts[-1]) >= _DETECTABLE_WORDS:
                parts.append([])
            parts[-1] += words[start : start + _LONG_WORDS]
    if len(parts) > 1 and len(parts[-1]) < _DETECTABLE_WORDS:
        rest = parts.pop()
        parts[-1] += rest
    return sum(len(part) for part in parts if _is_in(part, language))


def _is_in(words: list[str], language: str) -> bool:
    if language == "en" and (len(words) < _DETECTABLE_WORDS or all(word in _ENGLISH for word in words)):
        return True
    return _detect(words, language) == language


def _detect(words: list[str], language: str) -> str | None:
    """lingua's judgement, of this language and the common ones."""
    found = _detector(language).detect_language_of(" ".join(words))
    code = found.iso_code_639_1.name.lower() if found is not None else None
    return language if code == _LINGUA_CODES.get(language, language) else code


_LINGUA_CODES = {"no": "nb"}


@lru_cache(maxsize=1)
def _has_lingua() -> bool:
    return importlib.util.find_spec("lingua") is not None


@lru_cache(maxsize=8)
def _detector(language: str) -> Any:
    import lingua

    names = dict.fromkeys((_LINGUA_CODES.get(language, language), *_COMMON_LATIN))
    codes = [lingua.IsoCode639_1.from_str(name.upper()) for name in names]
    return lingua.LanguageDetectorBuilder.from_iso_codes_639_1(*codes).build()

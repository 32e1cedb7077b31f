"""How a completion is written: format, language, repetition, length. None of them looks at whether it is right."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import islice
from typing import Any

import regex

from sanmai.data.languages import (
    JAPANESE,
    MAX_CHARS,
    MAX_WORDS,
    MIN_LETTERS,
    SHARED,
    SHORT_CONFIDENCE,
    SIBLINGS,
    identify,
    language_of,
    may_be,
    normalise,
    romanised,
    scripts_of,
    words_of,
)  # fmt: skip
from sanmai.data.testbeds import own_testbed
from sanmai.types import Problem, Trace, TraceState, Verdict


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
    stated = problem.language
    language = normalise(stated) if stated else prompt_language(problem.prompt)
    if language is None:
        reason = (
            f"language = {stated!r} is no language's code or name"
            if stated
            else "no language is stated or shown by the prompt"
        )
        return Verdict(None, reason, "no_language")
    if not is_told(language):
        return Verdict(
            None, f"the language {stated or language!r} is not one of those that are told here", "no_language"
        )
    bed = own_testbed(problem)
    known = bed.words if bed is not None else frozenset()
    share = language_share(trace.thought if trace.thought.strip() else trace.answer, language, known)
    if share is None:
        return Verdict(None, "no words", "no_words")
    return Verdict(share, f"{share:.0%} of the words in {language}", "graded")


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

_TOLD = frozenset(
    """ar bg bn ca cs da de el en es et fa fi fr he hi hr hu hy id it ja jv ka ko lt lv mr ms nb ne nl nn no pl pt ro ru sk sl sr
    sv sw ta te th tr uk ur vi zh""".split()  # noqa: SIM905
)
_COMMON = {"Latin": "en de fr es it pt nl pl id vi tr sw".split(), "Cyrillic": ["ru", "uk", "bg", "sr"],  # noqa: SIM905
           "Arabic": ["ar", "fa", "ur"], "Devanagari": ["hi", "mr", "ne"]}  # fmt: skip
"""What a text may be in, besides the language that is asked about: the fewer, the surer the answer."""
_NEIGHBOURS = {"es": ("ca", "gl"), "pt": ("gl", "ca"), "fr": ("ca",), "it": ("ca",), "nl": ("af",), "cs": ("sk",), "sk": ("cs",),
               "id": ("jv",), "ms": ("jv",)}  # fmt: skip
"""Languages that are in no short list of common ones, and that pass for one that is."""
_NEIGHBOUR_CONFIDENCE = 0.9
"""py3langid's probability from which a part is in one: no question of MGSM in Spanish or French has a part like that."""
_OWN_LETTERS = {"uk": "іїєґ"}
"""Letters without which no longer part of a text is in a language: a Russian one is told as Ukrainian only roughly."""
_OWN_LETTERS_FROM = 30
_ACCUSED = 0.95
"""py3langid's probability from which a text of a few letters, in a script of the language, is believed to be in another."""
_NAMES_SHARE = 0.5
"""Words in Latin letters with a capital are names in a sentence of another script: up to so many for each of its own words."""
_SHORT_ENGLISH_SHARE = 0.6
"""Of a sentence's words are common English ones, where it is English in a text in another language."""
_LONG_WORDS = 20
"""Words of a shared script that are asked about at once: more hide a change of language."""
_SHORT_HAN = 4
"""Words in Han alone that may be Japanese or Korean in a text that is."""
_SENTENCE_END = regex.compile(r"(?<=[.!?;。！？；।])\s*|\n+")
COMMON_ENGLISH = (
    "the of to and is are was were be been it its he she his her him they them their we our you your this that these "
    "those there here what which who how why when where if then than so because since but not no yes with without for "
    "from by at on in into up out over after before each every all both more less fewer many much some any other same "
    "new let find compute solve evaluate simplify prove show determine calculate express given positive negative real "
    "number numbers integer integers sum product difference total value equals equal times divided half twice first "
    "second third next last one two three four five six seven eight nine ten hundred thousand make makes need needs"
    " has "
    "have had get gets got do does did can could would should will must write wrote add subtract multiply divide left "
    "right now also only just think us count see wait so therefore thus hence would long day days week hour hours"
    " cost costs answer"
)
_ALSO_ENGLISH = (
    "i me a plus minus ones tens hundreds thousands carry borrow stones build tell give take start step help recipe story sure "
    "sorry refuse dangerous harmless chinese"
)
_ENGLISH = frozenset(COMMON_ENGLISH.split()) | frozenset(_ALSO_ENGLISH.split())
"""English without asking."""
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


def is_told(language: str) -> bool:
    """Shares of texts can be told for a language (ISO 639-1): those on whose texts the answers were checked."""
    return language in _TOLD


def language_share(text: str, language: str, known: frozenset[str] = frozenset()) -> float | None:
    """The share (0..1) of a text's words that are in a language (ISO 639-1); None when it has no words.

    Masked first: code, mathematics, URLs, numbers, tags, single Latin letters. Dollar signs or brackets around two words
    in a row are no mathematics, and letters other than Latin and Greek count even in code.

    Sentence by sentence: scripts decide where they can, py3langid where several languages share one, without names. A language
    that is often typed in Latin letters (Hindi) is known there by its frequent words. Texts in common English words are
    English without asking.

    Args:
        known: more words that are English without asking: a testbed's, of its own texts, which have no grammar to go by.

    Raises:
        ValueError: the language is not one of those that are told here.
    """
    if not is_told(language):
        raise ValueError(f"language={language!r}: expected one of {', '.join(sorted(_TOLD))}")
    english = _english_with(known) if known else _ENGLISH
    if language == "en" and _is_plain_english(text, english):
        return 1.0
    own = total = short = 0
    asked: dict[str, list[list[str]]] = {}
    for sentence in _SENTENCE_END.split(masked_text(text)):
        groups: dict[str, list[str]] = {}
        for word, script in words_of(sentence):
            groups.setdefault(script, []).append(word)
        if names := _names_among(groups, language):
            groups["Latin"] = [word for word in groups["Latin"] if word not in names]
        if "Han" in groups or "Kana" in groups:
            found, undecided = _east_asian(groups, sentence, language)
            own, short = own + found, short + undecided
            total += len(groups.pop("Han", ())) + len(groups.pop("Kana", ()))
        for script, words in groups.items():
            total += len(words)
            if script in SHARED and (script in scripts_of(language) or script == "Latin"):
                asked.setdefault(script, []).append(words)
            elif script in scripts_of(language):
                own += len(words)
    own += sum(_detected(sentences, script, language, english) for script, sentences in asked.items())
    # Short runs of Han, as in headings, go with the rest of the text.
    own += short if own and 2 * own >= total - short else 0
    return own / total if total else None


@lru_cache(maxsize=8)
def _english_with(known: frozenset[str]) -> frozenset[str]:
    return _ENGLISH | known


def prompt_language(prompt: str) -> str | None:
    """The language of a prompt; None when it cannot be told. Common English words are evidence enough."""
    masked = masked_text(prompt)
    words = list(words_of(masked))
    latin = [word.lower() for word, script in words if script == "Latin"][:200]
    if 2 * len(latin) >= len(words) and latin and _is_evident(latin, _EVIDENT_SHARE, _ENGLISH):
        return "en"
    return language_of(masked)


def _names_among(groups: dict[str, list[str]], language: str) -> set[str]:
    """Words in Latin letters that are names in a sentence of another script ("Python", "iPhone"); none where there are many."""
    if "Latin" in scripts_of(language) or any(word.islower() for word in groups.get("Latin", ("none",))):
        return set()  # a word in small letters is a phrase's: "English language" is no name
    names = [word for word in groups["Latin"] if not word.islower() and word.lower() not in _ENGLISH]
    own = sum(len(words) for script, words in groups.items() if script in scripts_of(language))
    return set(names) if len(names) <= _NAMES_SHARE * own else set()


def _is_evident(words: list[str], share: float, english: frozenset[str]) -> bool:
    return sum(word in english for word in words) >= share * len(words)


def _east_asian(groups: dict[str, list[str]], sentence: str, language: str) -> tuple[int, int]:
    """Words of a sentence in Han and kana that are in the language, and those that are too few to tell."""
    han, kana = len(groups.get("Han", ())), len(groups.get("Kana", ()))
    if language == "zh":
        return (0 if JAPANESE.search(sentence) else han), 0
    if language == "ja" and kana:
        return han + kana, 0
    if language == "ko" and len(groups.get("Hangul", ())) >= han:
        return han, 0
    return 0, han if language in ("ja", "ko") and han < _SHORT_HAN else 0


def _is_plain_english(text: str, english: frozenset[str]) -> bool:
    """A text of known English words and numbers with blanks between them: its share is 1 the long way, too."""
    tokens = text.split() if text.isascii() and len(text) <= MAX_CHARS else []
    return all(token in english or token.isdigit() for token in tokens) and any(
        len(token) > 1 and token.isalpha() for token in tokens
    )


def masked_text(text: str) -> str:
    """A text with blanks for code, mathematics, URLs, numbers and tags; letters other than Latin and Greek stay."""
    return _MASK.sub(_mask, text[:MAX_CHARS])


def _mask(match: Any) -> str:
    return " " if match[0].isascii() else f" {' '.join(_OTHER_LETTERS.findall(match[0]))} "


def _detected(sentences: list[list[str]], script: str, language: str, english: frozenset[str]) -> int:
    """Words of the sentences in the language; a short sentence goes with its neighbours, a long one in parts."""
    parts: list[list[str]] = [[]]
    for words in (words for words in sentences if not _is_short_english(words, language, english)):
        for start in range(0, len(words), _LONG_WORDS):
            if _letters(parts[-1]) >= MIN_LETTERS:
                parts.append([])
            parts[-1] += words[start : start + _LONG_WORDS]
    if len(parts) > 1 and _letters(parts[-1]) < MIN_LETTERS:
        rest = parts.pop()
        parts[-1] += rest
    return sum(len(part) for part in parts if _is_in(part, script, language, english))


def _is_short_english(words: list[str], language: str, english: frozenset[str]) -> bool:
    """Mostly common English words, in a text that should be in another language: too few letters to be asked about alone."""
    if (
        language == "en"
        or len(words) < 2
        or not _is_evident([word.lower() for word in words], _SHORT_ENGLISH_SHARE, english)
    ):
        return False
    return identify(" ".join(words), sorted({"en", {"nb": "no", "nn": "no"}.get(language, language)})) == "en"


def _is_neighbours(words: list[str], told: str) -> bool:
    """Words that pass for a language are in a smaller one that is close to it."""
    near = _NEIGHBOURS.get(told, ())
    return bool(near) and identify(" ".join(words), sorted({told, *near}), _NEIGHBOUR_CONFIDENCE) in near


def _is_in(words: list[str], script: str, language: str, english: frozenset[str]) -> bool:
    """Words of one shared script are in the language: by those in small letters (others may be names), or by all."""
    if script not in scripts_of(language):
        return romanised(words, [language]) is not None
    common = [word for word in words if word.islower()]
    plain = [word for word in common if word.isascii()]  # "naïve" and "café" are loans in English
    if language == "en" and (
        _is_evident([word.lower() for word in words], 1.0, english)
        or (len(plain) > 1 and _is_evident(plain, 0.5, english))
    ):
        return True
    told = {"nb": "no", "nn": "no"}.get(language, language)
    siblings = next((group for group in SIBLINGS if language in group), set())
    among = sorted({told, *(code for code in _COMMON[script] if code not in siblings)})
    if _letters(words) < MIN_LETTERS and language == "en":
        return identify(" ".join(words), among, SHORT_CONFIDENCE) in ("en", None)
    if script != "Latin" and _letters(words) < MIN_LETTERS:
        return identify(" ".join(words), among, _ACCUSED) in (told, None)
    lower = " ".join(words).lower()
    if (
        language in _OWN_LETTERS
        and _letters(words) >= _OWN_LETTERS_FROM
        and not set(lower) & set(_OWN_LETTERS[language])
    ):
        return False
    kept = [common] if _letters(common) >= MIN_LETTERS and len(common) < len(words) else []
    if script == "Latin" and romanised(words):
        return False
    ascii_only = [word for word in words if word.isascii()]
    if language == "en" and len(ascii_only) < len(words) and 2 * len(ascii_only) >= len(words):
        kept.append(ascii_only)
    return any(may_be(" ".join(some), told, among) and not _is_neighbours(some, told) for some in (*kept, words))


def _letters(words: list[str]) -> int:
    return sum(map(len, words))

"""The options of a question of choice: a letter stands for its text, and the text for its letter."""

from __future__ import annotations

import re

from sanmai.answers.math import MAX_CHARS, normalise, number, split_unit
from sanmai.answers.notation import squeeze

_LETTER = re.compile(
    r"(?:^|(?<=[\s$~,;]))(?:\\(?:text|textbf|mathrm|mathbf|textrm)\s*\{\s*)?[*_]{0,2}"
    r"(?:\((?P<a>[A-J])\)|(?P<b>[A-J])[.):])[*_]{0,2}(?:\\?[\s~]*\})?(?=[\\\s~$*_\w-])",
    re.MULTILINE,
)
_FILLING = re.compile(r"\\(?:q?quad|hspace\s*\{[^}]*\}|hfill|newline|[ ,;!])|\\\\|[~*_]+|[,;]?\s*(?:\bor\b|\band\b)?\s*\Z")
_BEHIND = re.compile(r"(?P<text>[^\n]*[^\n\s\\(\[{^_=+*/A-Z-])\s+(?:\\text\s*\{\s*)?\((?P<letter>[A-J])\)\s*\}?")
"""An option's text before its letter: "7 (B)"."""
MAX_OPTIONS_CHARS = 10_000


def options_of(question: str) -> dict[str, str]:
    """The texts of the options by letter, {} where a question has none: they begin at A and go on in order."""
    marks, wanted, shape = [], "A", ""
    for match in _LETTER.finditer(question[-MAX_OPTIONS_CHARS:]):
        letter = match["a"] or match["b"]
        own = "()" if match["a"] else match[0].partition(letter)[2][:1]
        if letter == "A":
            marks, wanted, shape = [], "A", own
        if letter == wanted and own == shape:
            marks.append((letter, match))
            wanted = chr(ord(wanted) + 1)
    if len(marks) < 2:
        return {}
    text = question[-MAX_OPTIONS_CHARS:]
    stops = [match.start() for _, match in marks[1:]] + [len(text)]
    return {
        letter: _bare(text[match.end() : stop].strip().split("\n\n")[0])
        for (letter, match), stop in zip(marks, stops, strict=True)
    }


def in_terms_of(candidate: str, reference: str, question: str) -> str | None:
    """The candidate as the letter of the option that it repeats, or as the text of its letter, as the reference is; None where
    the question has no such option, or two that are the same."""
    if max(len(candidate), len(reference)) > MAX_CHARS:
        return None
    behind = _BEHIND.fullmatch(candidate.strip())
    if behind and re.fullmatch(r"\(?[A-J]\)?", _bare(reference)):
        said = in_terms_of(behind["text"], reference, question)
        return behind["letter"] if said in (None, behind["letter"]) else None
    options = options_of(question)
    if not options:
        return None
    letter, wanted = (re.fullmatch(r"[\s$*]*\(?([A-J])\)?[.\s$*]*", _bare(text)) for text in (candidate, reference))
    if wanted and not letter:
        found = [name for name, text in options.items() if _is_same(text, candidate)]
        return found[0] if len(found) == 1 else None
    return options.get(letter[1]) if letter and not wanted else None


def _bare(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\\(?:text|textbf|mathrm|mathbf) ?\{([^{}]*)\}", r"\1", text).strip()
    for _ in range(3):
        text = _FILLING.sub(" ", text).strip()
    return text.strip().strip("$ .").strip()


def _is_same(option: str, candidate: str) -> bool:
    one, other = normalise(option), normalise(_bare(candidate))
    exact, given = (number(split_unit(text)[0]) for text in (one, other))
    if exact is not None and given is not None:
        return exact == given
    return bool(one) and squeeze(one).casefold() == squeeze(other).casefold()

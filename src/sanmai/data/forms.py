"""Forms of question that no rule can grade fairly: proofs, multiple choice, true or false. English and Chinese."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

import regex

from sanmai.data.filters import Drop
from sanmai.types import Problem

MAX_CHARS = 20_000
"""Of a longer prompt the first and the last half of so many characters are looked at."""


def ungradable_form(problem: Problem) -> Drop | None:
    """Why a rule cannot tell a right answer to a problem from a guess or a bluff; None where nothing speaks against it.

    | label | the question | or the answer |
    |---|---|---|
    | `true_false` | asks whether something is true, and the answer is no number | is one of true, no, 对, 错误, ... |
    | `multiple_choice` | has options A, B, C, or asks to choose from a list | is an option's letter, and the question has none |
    | | has the answer in its list (odd, even or neither) | |
    | `proof` | asks to prove, to show that, to explain why, 证明, and for no value | is missing, where it asks for a value too |

    Other languages are told by their options and answers alone. What has its options in another column is known where it says
    "which of the following", or by an answer that is a letter. Problems that no rule grades (general, safety) have no form.

    Source:
        the forms are those that Kimi Team 2025 (arXiv:2501.12599, section 2.1) leaves out; the rules are ours.
    """
    if problem.kind != "reasoning":
        return None
    prompt, answer = _plain(problem.prompt), _bare(_plain(problem.answer or ""))
    for label, rule in _FORMS.items():
        if reason := rule(prompt, answer):
            return Drop(label, reason)
    return None


_DRAWING = regex.compile(r"\[asy\].*?\[/asy\]", regex.DOTALL)
_COMMAND = r"\\(?:text|textbf|textrm|mathrm|mathbf|boxed)\s?"


def _plain(text: str) -> str:
    """NFKC, so that full-width letters and brackets are the plain ones; without drawings and rows of blanks."""
    if len(text) > MAX_CHARS:
        text = text[: MAX_CHARS // 2] + "\n" + text[-MAX_CHARS // 2 :]
    text = _DRAWING.sub(" ", unicodedata.normalize("NFKC", text))
    return regex.sub(r"\s+", lambda blanks: "\n" if "\n" in blanks[0] else " ", text)


def _bare(answer: str) -> str:
    r"""An answer without what LaTeX puts around words: \text{(C)}, $A$, \boxed{no}."""
    text = answer.strip().strip("$").strip()
    while match := regex.fullmatch(rf"{_COMMAND}\{{(.*)\}}", text, regex.DOTALL):
        text = match[1].strip()
    return text


# True or false.

_TRUTH = frozenset(
    "true false yes no correct incorrect 对 错 正确 错误 是 否 不是 真 假 不对 不正确 成立 不成立 √ × ✓ ✗ ✔ ✘".split()  # noqa: SIM905
)
_ASKS_FOR_TRUTH = regex.compile(
    r"\btrue or false\b|\btrue/false\s*[:?.]|\byes or no\b"
    r"|\bis (?:it|this|(?:the|this) (?:following )?(?:statement|claim)) (?:true|correct)\b"
    r"|判断题|判断[^。\n]{0,20}(?:正误|对错|真假|是否正确)|正确还是错误|对还是错|是对是错|(?:对|正确)吗|是否(?:正确|成立)",
    regex.IGNORECASE,
)


def _true_false(prompt: str, answer: str) -> str | None:
    if answer.casefold().rstrip(".。!") in _TRUTH:
        return "the answer is one of two words"
    if not regex.search(r"\d|\\(?:frac|sqrt|pi)", answer) and _ASKS_FOR_TRUTH.search(prompt):
        return "it asks whether something is true"
    return None


# Multiple choice.

_OPTION = regex.compile(
    r"(?<![A-Za-z\d\\_^])\\?\(\s?([A-J])\s?\\?\)"  # (A)
    rf"|{_COMMAND}\{{\s*\(?\s*([A-J])\s*\)?\s*[.:)]?\s*\}}"  # \textbf{(A)}
    r"|(?<=^|[\s。；;,?])(?:[*#-]{1,3}\s?)?([A-J])\s?[.:)、]"  # A.  A)  A:  A、
)
_ASKS_TO_CHOOSE = regex.compile(
    r"\bwhich (?:one |two |ones )?(?:of (?:the )?(?:following|these|options|choices|statements)|statements?|options?|choices?)\b"
    r"|\b(?:enter|select|choose|write|give|circle|mark|pick) (?:only )?the "
    r"(?:letters? of|(?:correct|best|right) (?:options?|answers?|choices?))\b"
    r"|(?:\A|[.?!:\n])\s*(?:choose|select|pick) (?:one|all|two)\b"
    r"|\b(?:all|each) of the (?:above|following)\b[^.?!]*\bexcept\b|\b(?:all|none) of the above\b"
    r"|选择题|[选選]出|[单單多]选|[選选][项項]|哪[一几]?[个個]?[选選]?[项項]"
    r"|(?:下列|以下|下面)[^。？?\n]{0,40}?(?:哪|正确的|错误的|成立的|不正确|的是|是\s*[(_])",
    regex.IGNORECASE,
)
_LETTERS = regex.compile(r"[(\[]?\s*[A-J]\s*[)\].]?(?:\s*[,、和&]?\s*(?:and\s+)?[(\[]?\s*[A-J]\s*[)\].]?)*")


def _multiple_choice(prompt: str, answer: str) -> str | None:
    options = _options([next(filter(None, match.groups())) for match in _OPTION.finditer(prompt)])
    is_letter = bool(_LETTERS.fullmatch(answer))
    if options >= 3 or (options == 2 and is_letter):
        return f"options A to {chr(ord('A') + options - 1)}"
    if _ASKS_TO_CHOOSE.search(prompt):
        return "it asks to choose"
    if is_letter:
        mentioned = set(regex.findall(r"(?<![A-Za-z])[A-Z](?![A-Za-z])", prompt))
        if not mentioned & set(regex.findall(r"[A-J]", answer)):
            return "the answer is a letter that the question does not mention"
    elif regex.fullmatch(r"[^\W\d_]{2,}(?: [^\W\d_]{2,}){0,2}", answer) and _is_listed(
        answer.casefold(), prompt.casefold()
    ):
        return "the answer is one of those that the question lists"
    return None


def _options(letters: Sequence[str]) -> int:
    """The length of the longest A, B, C, ... from an A on; other letters may stand between."""
    best = run = 0
    for letter in letters:
        run = run + 1 if ord(letter) == ord("A") + run else 1 if letter == "A" else run
        best = max(best, run)
    return best


def _is_listed(word: str, prompt: str) -> bool:
    """The word stands in "a, b or c" or "是a还是b"."""
    w = regex.escape(word)
    before = rf"(?:,\s*|\bor\s+)(?:an?\s+|the\s+|[\"'“])?{w}\b[^.?!\n]{{0,60}}"
    after = rf"\b{w}[\"'”]?\s*(?:,|\bor\b)[^.?!\n]{{0,60}}"
    if any(regex.search(r"\bor\b", match[0]) for match in regex.finditer(f"{before}|{after}", prompt)):
        return True
    return bool(regex.search(rf"{w}[，,]?\s*(?:还是|或者?)|(?:还是|或者?){w}", prompt))


# Proofs.

_START = r"(?:\A|[\n.?!:;,。]|(?<=\()[a-z\d]{1,2}\)|\b(?:and|then|also|please|must|can you|us))[\s$*#\d).]{0,8}"
_ASKS_FOR_PROOF = regex.compile(
    rf"{_START}(?:prove|disprove)\b(?!\s+(?:to be|him|her|them|it)\b)|\bto (?:prove|disprove|show) that\b"
    rf"|{_START}(?:show|demonstrate|verify|establish|deduce|justify|explain)\s+(?:that|why)\b"
    r"|\b(?:give|write|find|provide) an? (?:\w+ )?(?:proof|counter-?example)\b|求[证證]"
    r"|(?<![身份出生收入张据的已])[证證]明(?![了书文材信])",
    regex.IGNORECASE,
)
_ASKS_FOR_VALUE = regex.compile(
    r"\b(?:find|compute|calculate|evaluate|determine|solve|what|how (?:many|much|long|far|old|big)|simplify|express)\b"
    r"|求(?![证證])|计算|多少|几[个只人元]|为何值|等于什么|解方程",
    regex.IGNORECASE,
)


def _proof(prompt: str, answer: str) -> str | None:
    if not _ASKS_FOR_PROOF.search(prompt):
        return None
    if not _ASKS_FOR_VALUE.search(prompt):
        return "it asks for a proof"
    return None if answer else "it asks for a proof, and there is no answer"


_FORMS: dict[str, Callable[[str, str], str | None]] = {
    "true_false": _true_false,
    "multiple_choice": _multiple_choice,
    "proof": _proof,
}

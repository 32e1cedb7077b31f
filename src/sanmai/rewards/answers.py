"""Accuracy: what a completion states as its final answer, and whether that is right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sanmai.rewards.math import closing_brace, compare, number
from sanmai.types import InputError, Problem, Trace, Verdict

MAX_ANSWER_CHARS = 100_000
"""An answer part longer than this holds no final answer that anybody would look for."""
MAX_CANDIDATES = 8


def verify_math(problem: Problem, trace: Trace, *, timeout_seconds: float = 5.0) -> Verdict:
    r"""Grade the final answer of a completion: 1.0 when everything that it marks as final equals the reference.

    Only the answer part counts, never the thought. Final is what stands in `\boxed{}` or `<answer>`, after `####`,
    `A:`, `Answer:`, "the answer is" or 答案, or an answer part that is nothing but an expression. An answer that is
    merely mentioned is none; several that differ, one that is denied or taken back are "ambiguous" (0.0).

    The reference is bare, or a worked text that ends in one of these marks. None: no readable reference, or the grader
    ran out of time.
    """
    if problem.answer is None:
        return Verdict(None, "no reference answer", "ungradable")
    if not trace.is_complete:
        return Verdict(0.0, "no finished answer", "incomplete")
    if len(trace.answer) > MAX_ANSWER_CHARS:
        return Verdict(0.0, f"the answer part is longer than {MAX_ANSWER_CHARS} characters", "no_answer")
    reference = final_reference(problem.answer)
    try:
        candidates = final_answers(trace.answer)
    except TakenBackError as error:
        return Verdict(0.0, str(error), "ambiguous")
    if not candidates:
        return Verdict(0.0, "no final answer is marked", "no_answer")
    if len(candidates) > MAX_CANDIDATES:
        return Verdict(0.0, f"more than {MAX_CANDIDATES} different final answers", "ambiguous")
    verdicts: list[Verdict] = []
    for candidate in candidates:
        verdicts.append(compare(reference, candidate, timeout_seconds=timeout_seconds))
        if verdicts[-1].score is None:
            return verdicts[-1]
    wrong = next((v for v in verdicts if v.score != 1.0), None)
    if wrong is not None and any(v.score == 1.0 for v in verdicts):
        return Verdict(0.0, "several different final answers", "ambiguous")
    return wrong or verdicts[0]


def final_reference(text: str) -> str:
    """The reference itself: after `####` or a last line `A:`, in the last box, or the whole text."""
    for pattern in (r"####[^\S\n]*(.+)", r"(?m:^)A:[^\S\n]*(.+)"):
        found = re.findall(pattern, text[-MAX_ANSWER_CHARS:])
        if found:
            return found[-1].strip()
    boxes = [text[start:end] for _, start, end in _boxes(text[-MAX_ANSWER_CHARS:])]
    return boxes[-1] if boxes else text.strip()


class TakenBackError(ValueError):
    """A final answer is denied where it stands, or taken back after it."""


def final_answers(answer: str) -> list[str]:
    """The different answers that a text marks as final, in order; the text itself if it is one bare expression.

    Raises:
        TakenBackError: an answer is denied ("not", "if", "wrong" before it) or taken back after it.
    """
    marks = sorted(_marks(answer))
    if not marks:
        bare = answer.strip()
        return [bare] if bare and "\n" not in bare and len(bare) <= 200 else []
    for start, end, _ in marks:
        before = answer[max(0, start - 60) : start].rpartition("\n")[2]
        if _DENIED.search(before):
            raise TakenBackError("a final answer is denied or hypothetical")
        if answer.startswith(r"\boxed", start) and (_OPERAND.search(before) or _OPERATOR.match(answer[end : end + 40])):
            raise TakenBackError("the box holds a part of an expression")
        if _GOES_ON.match(answer[end : end + 40]):
            raise TakenBackError("a final answer goes on as a list")
    rest = answer[marks[0][1] :]
    if _TAKEN_BACK.search(rest):
        raise TakenBackError("a final answer is taken back after it")
    # "The answer is 17. 18. 19.": bare numbers after a final answer are answers too.
    more = (part.strip(" -*$()\t") for part in re.split(r"[\n;]|[.]\s|[.]$", rest))
    stated = [candidate for _, _, candidate in marks] + [part for part in more if part and number(part)]
    return list(dict.fromkeys(stated))


_MARKUP = r"[*_\s$]*"
_PROSE = re.compile(
    r"\banswers?\b(?:[^\S\n]+(?:to|for|of)[^\S\n]+[A-Za-z' ]{1,40}?)?" + _MARKUP + r"(?::|=|\b(?:is|are)\b)"
    r"[*_\s]*:?[*_\s]*(?:equal to |simply |just |exactly |therefore |thus )?(?P<prose>[^\n。]{1,1000})",
    re.IGNORECASE,
)
_CHINESE = re.compile(r"答案(?:应该|就)?[是为]?[*\s]*[:：]?[*\s]*(?P<prose>[^\n。，；]{1,1000})")
_LINE = re.compile(r"####[^\S\n]*(?P<line>[^\n]+)|^[^\S\n]*\**A:\**[^\S\n]*(?P<a>[^\n]+)", re.MULTILINE)
_CLAUSE_END = re.compile(r"\.(?=\s|$)|\.\*|[,;]?\s+\b(?:because|since|as|so|which|where)\b")
_DENIED = re.compile(
    r"\b(?:not|never|cannot|can't|isn't|wasn't|doesn't|don't|except|unless|if|suppose|supposing|assume|"
    r"assuming|whether|wrong|incorrect|false|anything but|other than|rather than|instead of|nicht|doubt)\b"
    r"(?:[ \t]+[A-Za-z']+){0,4}[ \t:$*(\\\[]*$"
    r"|(?:\b(?:neither|nor)|[0-9][\s$,]*\bor)\b[ \t:$*(\\\[]*$"
    r"|(?:不是|并非|不等于|如果|错误)[^，。\n]{0,6}$",
    re.IGNORECASE,
)
# -\boxed{18}, 2 \cdot \boxed{18}, \boxed{18}^2 (but \boxed{18}^\circ is 18)
_OPERAND = re.compile(r"[-0-9]$|[0-9)}][ \t]*(?:[-+*/^]|\\cdot|\\times)[ \t]*$|[=$(][ \t]*-[ \t]*$")
_OPERATOR = re.compile(r"[ \t]*\^(?!\s*\{?\s*\\circ)|\.?[0-9]|[ \t]*(?:[-+*/]|\\cdot|\\times)[ \t]*[0-9(\\]")
_GOES_ON = re.compile(r"[\s$]*(?:,|;|/|\||\bor\b|\band\b)[\s$,]*(?:or\b|and\b)?[\s$]*-?[0-9]")
_TAKEN_BACK = re.compile(
    r"\b(?:wait|oops|scratch that|never ?mind|on second thou?ght|correction|i mean|i was wrong|my mistake|not sure|"
    r"or maybe|"
    r"or perhaps|or possibly|or it (?:is|could|may|might)|maybe|perhaps|(?:is|was|be) (?:wrong|incorrect|false)|"
    r"(?:is|was) not (?:correct|right|it|the (?:correct |right |final )?answer)|"
    r"isn't (?:correct|right)|not correct|(?:could|might|may) also be|no,|"
    r"just kidding|ignore (?:that|this)|actually,? (?:it|the|no|i)|it(?:'s| is) (?:actually|rather|instead)|"
    r"(?:it|answer|that|this) should be|(?:rather|instead),? it)(?!\w)|不对|错了|或者|也可能|其实是|应该是",
    re.IGNORECASE,
)


def _marks(answer: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, candidate) of everything that is marked as final."""
    boxes = list(_boxes(answer))
    yield from ((start, end + 1, answer[inner:end]) for start, inner, end in boxes)
    for start, inner, end in _tagged(answer):
        if not _is_marked(answer[inner:end]):
            yield start, end + len("</answer>"), answer[inner:end].strip()
    for match in _LINE.finditer(answer):
        text = match["line"] or match["a"]
        if r"\boxed{" not in text:
            yield match.start(), match.end(), text.strip()
    for pattern in (_PROSE, _CHINESE):
        for match in pattern.finditer(answer):
            clause = _CLAUSE_END.split(match["prose"], maxsplit=1)[0].removesuffix("</answer>").strip(" *_")
            # Beside a box, "our answer: \\[...\\]" leads up to the box; a plain number speaks for itself.
            is_answer = number(clause.strip("$ ")) if boxes else clause
            if is_answer and r"\boxed{" not in match["prose"]:
                yield match.start(), match.start("prose") + len(clause), clause


def _is_marked(text: str) -> bool:
    return any(mark in text for mark in (r"\boxed{", "####", "答案")) or bool(_PROSE.search(text) or _LINE.search(text))


def _boxes(text: str) -> Iterator[tuple[int, int, int]]:
    r"""(start, start of content, end of content) of each outermost \boxed{...}; unclosed ones are none. Linear."""
    position, command = 0, r"\boxed{"
    while (start := text.find(command, position)) >= 0:
        inner = start + len(command)
        end = closing_brace(text, inner)
        if end is None:
            return
        yield start, inner, end
        position = end + 1


def _tagged(text: str) -> Iterator[tuple[int, int, int]]:
    """The same for each <answer>...</answer>."""
    position = 0
    while (start := text.find("<answer>", position)) >= 0:
        inner = start + len("<answer>")
        end = text.find("</answer>", inner)
        if end < 0:
            return
        yield start, inner, end
        position = end


def _verify_world(problem: Problem, trace: Trace, *, timeout_seconds: float = 0.0) -> Verdict:
    from sanmai.world import verify

    return verify(problem, trace)


VERIFIERS: dict[str, Callable[..., Verdict]] = {"math": verify_math, "world": _verify_world}
"""By the name that Problem.verifier states; called with (problem, trace, timeout_seconds=...)."""


def accuracy(problem: Problem, trace: Trace, *, timeout_seconds: float = 5.0) -> Verdict:
    """The verdict of the verifier that the problem names.

    Raises:
        InputError: there is no verifier of that name.
    """
    if problem.verifier not in VERIFIERS:
        known = ", ".join(sorted(VERIFIERS))
        raise InputError(f"problem {problem.id}: verifier = {problem.verifier!r}; expected one of {known}")
    return VERIFIERS[problem.verifier](problem, trace, timeout_seconds=timeout_seconds)

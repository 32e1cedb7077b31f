"""Accuracy: what a completion states as its final answer, and whether that is right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from sanmai.rewards import answer_phrases
from sanmai.rewards.answer_forms import choice, combined, ended, stated
from sanmai.rewards.math import MAX_CHARS, closing_brace, compare, normalise, number, split_name, split_unit
from sanmai.rewards.statements import positive_variables
from sanmai.types import InputError, Problem, Trace, TraceState, Verdict

MAX_ANSWER_CHARS = 100_000
"""An answer part longer than this holds no final answer that anybody would look for."""
MAX_CANDIDATES = 8
MAX_MARKS = 500


def verify_math(problem: Problem, trace: Trace, *, timeout_seconds: float = 5.0) -> Verdict:
    r"""Grade the final answer of a completion: 1.0 when everything that it marks as final equals the reference.

    Only the answer part counts, never the thought. Final is what stands in `\boxed{}` or `<answer>`, after `####`,
    `A:`, `Answer:`, "the answer is", a heading "Final Answer" or 答案, or an answer part that is nothing but an
    expression. An answer that is merely mentioned is none; several that differ, a last one that is denied, asked,
    taken back or followed by a rival are "ambiguous" (0.0). An answer that cannot be worked out within the limit (of
    processor time) is "too_large" or "timed_out" (0.0): it is not right, and must not escape its penalty.

    The reference is bare, or a worked text that ends in one of these marks. None: no readable reference.
    """
    if problem.answer is None:
        return Verdict(None, "no reference answer", "ungradable")
    if not trace.is_complete:
        return Verdict(0.0, "no finished answer", "incomplete")
    if len(trace.answer) > MAX_ANSWER_CHARS:
        return Verdict(0.0, f"the answer part is longer than {MAX_ANSWER_CHARS} characters", "no_answer")
    reference = final_reference(problem.answer)
    answer = ended(trace.answer, closes_tag=trace.state is not TraceState.NONE)
    try:
        candidates = final_answers(answer)
    except TakenBackError as error:
        return Verdict(0.0, str(error), "ambiguous")
    if not candidates:
        return Verdict(0.0, "no final answer is marked", "no_answer")
    if len(candidates) > MAX_CANDIDATES:
        return Verdict(0.0, f"more than {MAX_CANDIDATES} different final answers", "ambiguous")
    candidates = list(dict.fromkeys(choice(text, reference) or stated(text) for text in candidates))
    is_percentage_asked = bool(re.search(r"percent|\bpct\b|%|百分", problem.prompt[-MAX_ANSWER_CHARS:], re.I))
    positive = positive_variables(problem.prompt[-MAX_ANSWER_CHARS:])
    verdicts: list[Verdict] = []
    for candidate in candidates:
        verdicts.append(
            compare(
                reference,
                candidate,
                timeout_seconds=timeout_seconds,
                is_percentage_asked=is_percentage_asked,
                positive=positive,
            )
        )
        if verdicts[-1].score is None:
            return verdicts[-1]
    wrong = next((v for v in verdicts if v.score != 1.0), None)
    together = combined(answer, candidates, reference) if wrong is not None and len(candidates) > 1 else None
    if together is not None:
        return compare(reference, together, timeout_seconds=timeout_seconds, is_percentage_asked=is_percentage_asked)
    if wrong is not None and any(v.score == 1.0 for v in verdicts):
        return Verdict(0.0, "several different final answers", "ambiguous")
    return wrong or verdicts[0]


def final_reference(text: str) -> str:
    """The reference itself: after `####` or a last line `A:`, in the last box, after "the answer is", or the whole."""
    text = text[-MAX_ANSWER_CHARS:]
    for pattern in (r"####[^\S\n]*(.+)", r"(?m:^)A:[^\S\n]*(.+)"):
        found = re.findall(pattern, text)
        if found:
            return found[-1].strip()
    try:
        marks = list(_marks(text))
    except TakenBackError:
        return text  # too long for compare(), which says so
    boxes = [mark for mark in marks if mark.is_box]
    return stated((boxes or marks)[-1].text.strip() if marks else text.strip())


class TakenBackError(ValueError):
    """A final answer is denied where it stands, or taken back or rivalled after it."""


def final_answers(answer: str) -> list[str]:
    """The different answers that a text marks as final, in order; the text itself if it is one bare expression.

    Raises:
        TakenBackError: the last one is denied ("not", "if", "?" beside it), or taken back or rivalled after it; or
            there are more than MAX_MARKS.
    """
    marks = list(_marks(answer))
    if not marks:
        said = answer_phrases.last_said(answer)
        if said is not None:
            return [said]
        bare = answer.strip()
        return [bare] if bare and "\n" not in bare and len(bare) <= 200 else []
    if any(mark.is_box for mark in marks):  # "we check our answer: $17 \\cdot 44 = 748$"; a number speaks for itself
        marks = [mark for mark in marks if mark.is_box or _speaks(mark.text)]
    last = marks[-1]
    stated = []
    for mark in marks:
        if mark.is_denied:
            if mark is last or mark.text.strip() == last.text.strip():
                raise TakenBackError("a final answer is denied, asked or hypothetical")
            continue
        if mark.is_part:
            raise TakenBackError("the box holds a part of an expression")
        if mark is last or not _leads_up(mark):
            stated.append(mark.text)
    reason = _taken_back(answer[last.end :], last.text)
    if answer_phrases.denies(_SENTENCE_START.split(answer[max(0, last.start - 80) : last.start])[-1]):
        reason = "a final answer is denied, asked or hypothetical"
    if reason:
        raise TakenBackError(reason)
    return list(dict.fromkeys(stated))


@dataclass(frozen=True)
class _Mark:
    """One place where a text says "this is my answer"."""

    start: int
    end: int
    """Where its answer ends."""
    text: str
    is_box: bool
    """A box or tag, which holds its answer whole; else the answer is the clause that follows."""
    is_denied: bool
    is_part: bool
    """-\\boxed{18}, \\boxed{18} + 1, \\boxed{18} or 19."""
    is_cut: bool = False
    """The next mark cut the clause short."""


_MARK = re.compile(
    r"(?P<box>\\(?:boxed|fbox)\s{0,3}\{)"
    r"|(?P<tag><answer>)"
    r"|(?P<line>####|^[^\S\n]{0,3}[*_]{0,3}A[*_]{0,3}[:：])"
    r"|(?P<heading>^[#*_ \t]{0,9}(?i:(?:the |my )?(?:final )?answer)[*_ \t]{0,9}$)"
    r"|(?P<prose>\b(?i:ans(?:wers?)?|(?:correct|right|best) (?:option|choice|letter))\b"
    r"(?:\s+(?i:to|for|of)\s+(?P<of>[A-Za-z' ]{1,40}?))?[*_\s$]{0,9}"
    r"(?:[:：=]|,?[^\S\n]*\b(?:is|are|equals)\b))"
    r"|(?P<chinese>(?:答案|^[*_\s]{0,9}答(?=[\s*]{0,9}[:：]))(?:应该|就)?(?:等于|是|为|选)?[*\s]{0,9}[:：]?)",
    re.MULTILINE,
)
_SENTENCE_START = re.compile(r"[\n!?;。；]|\.\s")
# The words that may stand between the start of its clause and "answer".
_OWN = re.compile(
    r"(?:\b(?:the|my|our|an?|this|its|your|final|correct|right|exact|numerical|numeric|simplified|desired|required|"
    r"overall|short|only|actual|true|resulting|and|so|thus|hence|therefore)\s+)*$",
    re.IGNORECASE,
)
_OTHERS = re.compile(
    r"(?:\b(?:of|half|twice|thrice|double|triple|times|than|plus|minus|by|from|opposite|negative)|[-0-9+/^=])$",
    re.IGNORECASE,
)
_PARTIAL = re.compile(r"\b(?:first|second|third|fourth|part|step|sub\w*|intermediate|previous)\b", re.IGNORECASE)
_DENIED = re.compile(
    r"\b(?:not|never|cannot|can't|isn't|wasn't|doesn't|don't|except|unless|if|suppose|supposing|assume|"
    r"assuming|whether|wrong|incorrect|false|anything but|other than|rather than|instead of|nicht|doubt|"
    r"nobody|no one|none|thinks|thought|claims?|claimed|guess(?:ed)?|could it be|imagine|let's say|some say)\b"
    r"(?:[ \t]+[A-Za-z']+){0,4}[ \t:$*(\\\[]*$"
    r"|\b(?:less|more|greater|fewer|smaller|larger|lower|higher) than[ \t:$*(\\\[]*$"
    r"|(?:\b(?:neither|nor)|[0-9][\s$,]*\bor)\b[ \t:$*(\\\[]*$"
    r"|(?:不是|并非|不等于|如果|错误|假设|假設|假如|假定|设|大于|小于|超过|至少|至多|大约|约)[^，。\n]{0,6}$",
    re.IGNORECASE,
)
_ASKED = re.compile(r"[^\n.!?;。]{0,60}[?？]")
# -\boxed{18}, 2 \cdot \boxed{18}, \boxed{18}^2 (but \boxed{18}^\circ is 18), \boxed{18} (or 19)
# \sqrt{\boxed{5}}, x^{\boxed{5}}, x > \boxed{5} (but n \ge \boxed{5} is how a least n is said)
_OPERAND = re.compile(
    r"[-0-9]$|[0-9)}][ \t]*(?:[-+*/^]|\\cdot|\\times)[ \t]*$|[=$(][ \t]*-[ \t]*$"
    r"|(?:\\(?:sqrt(?:\[[^\]]*\])?|[dtc]?frac|binom|log|ln|exp|sin|cos|tan|lfloor|lceil)|[\^_√])[ \t]*[{(]?[ \t]*$"
    r"|(?:(?<![A-Za-z</])[A-Za-z][ \t]*[<>]|≠|\\(?:neq?|lt|gt|not=)\b)[ \t]*$"
)
_OPERATOR = re.compile(
    r"[ \t]*\^(?!\s*\{?\s*\\circ)|\.?[0-9]|[ \t]*(?:[-+*/]|\\cdot|\\times)[ \t]*[0-9(\\]"
    r"|[\s$]*(?:\\text\{\s*)?(?:hundred|thousand|\w+illion|dozen)"
    r"|[ \t]*(?:\\(?:pi|sqrt|[dt]?frac|left|log|ln|theta|alpha)\b|[π√²³]|i(?![A-Za-z]))"
    r"|[a-ce-fj-kn-rt-z](?![A-Za-z])|\\right[)\]][ \t]*\^"
    r"|\}[ \t]*(?:\{|\^)"
    r"|[\s$]*(?:,|;|/|\||\(?\s*\b(?:or|and)\b)[\s$,]*(?:or\b|and\b)?[\s$]*-?[0-9]"
)
# What a clause may hold without ending in it, then its ends.
_CLAUSE = re.compile(
    r"(?P<span>\$\$.*?\$\$|\\\[.*?\\\]|\\\(.*?\\\)|\$(?![0-9][0-9,.]*\s+[A-Za-z*])(?:\\.|[^$\\\n])+\$)"
    r"|\.(?=[\s*_\"'”’)<]|$)|!(?=[*\"'”]*(?:\s*$|\s*\n|\s+[A-Z]))|[?？](?=[\s*\"']|$)|[\n。]|</answer>"
    r"|[,;]?\s+\b(?:because|since|as|so|which|where)\b"
    r"|,?\s+(?:and\s+)?not\s+\$?[0-9][0-9,.]*(?=[.\s*$]|$)",
    re.DOTALL,
)
_OPENING = re.compile(
    r"[*_\s:：,]*(?:(?:equal to|given by|simply|just|exactly|precisely|therefore|thus|hence|then|now|"
    r"clearly|indeed|definitely|certainly|obviously)"
    r",?\s+)*",
    re.IGNORECASE,
)
_PRAISE = re.compile(r"(?:correct|right|confirmed|valid|verified|reasonable|consistent)\b", re.IGNORECASE)
_ASIDE = re.compile(r"[*_$\\(]{0,4}[$€£]?-?[0-9][0-9,.]*(?:\s+[A-Za-z]+){0,3}[*_$)]{0,3}(?=,\s+[A-Za-z]{2})")
_UNSURE = re.compile(
    r"[0-9]|\b(?:or|but|not|n't|if|unless|maybe|perhaps|possibly|probably|plus|minus|times|wrong|although|though|"
    r"except|half|divided|depending|assuming|either|rather|"
    r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|\w+ty)\b",
    re.IGNORECASE,
)
MAX_CLAUSE_CHARS = MAX_CHARS + 100


def _marks(text: str) -> Iterator[_Mark]:
    """Everything that marks an answer, in order; of marks one inside the other the inner one.

    Raises:
        TakenBackError: there are more than MAX_MARKS.
    """
    found: list[tuple[re.Match[str], int | None]] = []  # (opening, position of its closing brace or tag)
    position, last_tag, is_unclosed = 0, text.rfind("</answer>"), False
    while match := _MARK.search(text, position):
        position, close = match.end(), None
        if match["box"] and not is_unclosed:
            close = closing_brace(text, match.end())
            is_unclosed = close is None
            position = match.end() if close is None else close + 1
        elif match["tag"] and match.start() < last_tag:
            close = text.find("</answer>", match.end())
        if close is not None or not (match["box"] or match["tag"]):
            found.append((match, close))
        if len(found) > MAX_MARKS:
            raise TakenBackError(f"more than {MAX_MARKS} marked answers")
    for k, (match, close) in enumerate(found):
        stop = found[k + 1][0].start() if k + 1 < len(found) else len(text)
        before = text[max(0, match.start() - 80) : match.start()]
        before = _SENTENCE_START.split(before)[-1]
        is_denied = _DENIED.search(before) is not None
        if close is not None:
            if match["tag"] and stop < close:
                continue  # what is marked inside the tag
            end = close + (1 if match["box"] else len("</answer>"))
            after = text[end : end + 80]
            is_part = bool(match["box"]) and bool(_OPERAND.search(before) or _OPERATOR.match(after))
            is_denied = is_denied or _ASKED.match(after) is not None
            yield _Mark(match.start(), end, text[match.end() : close], True, is_denied, is_part)
            continue
        if match["prose"] and not _is_own(before, match["of"]):
            continue
        clause, end, is_cut = _clause(text, match.end(), stop)
        if clause and not _PRAISE.match(clause):
            is_denied = is_denied or (not is_cut and text[end : end + 1] in ("?", "？"))
            yield _Mark(match.start(), end, clause, False, is_denied, False, is_cut)


def _is_own(before: str, of: str | None) -> bool:
    """Whether "answer" is the final one: not half of it, "the intermediate answer", "the answer to the first part"."""
    head = _OWN.sub("", re.sub(r"^[-*_•>#\s]+", "", before))
    is_attributed = before.endswith(head) and re.search(r"[A-Za-z'-]\s*$", head) is not None
    return not (is_attributed or _OTHERS.search(head.rstrip("*_ ")) or (of and _PARTIAL.search(of)))


def _clause(text: str, start: int, stop: int) -> tuple[str, int, bool]:
    """(answer, its end, whether the next mark cut it short) of the clause that begins at `start`."""
    is_cut = stop < len(text)
    if start + MAX_CLAUSE_CHARS < stop:
        stop, is_cut = start + MAX_CLAUSE_CHARS, False
    opening = _OPENING.match(text, start, stop)
    begin = opening.end() if opening else start
    if "\n" in text[start:begin] and re.compile(r"\d{1,2}[.)]\s+\S").match(text, begin, stop):
        end = text.find("\n", begin, stop)  # a numbered list, whose number is no answer
        return text[begin : end if end >= 0 else stop].strip(), end if end >= 0 else stop, False
    window, end = text[begin:stop], stop
    for match in _CLAUSE.finditer(window):
        if match["span"] is None:
            end, is_cut = begin + match.start(), False
            break
    aside = _ASIDE.match(text, begin, end)  # "72, in total, and more than enough": the number has been said
    if aside and not _UNSURE.search(text, aside.end(), end):
        end = aside.end()
    return text[begin:end].strip(" *_\n\t"), end, is_cut


def _leads_up(mark: _Mark) -> bool:
    """Whether a clause, not the last mark, only leads up to one ("A: She has 16 eggs. ... The answer is 18")."""
    if mark.is_box or _speaks(mark.text):
        return False
    is_sentence = re.match(r"[A-Za-z]{2,}\s+\S", mark.text) is not None
    is_open = mark.is_cut and re.match(r"[A-Za-z]{2,}|.*[=:≈]\s*$|[\s$\\(\[{]*$", mark.text, re.DOTALL) is not None
    return is_sentence or is_open


def _speaks(text: str) -> bool:
    """Whether a clause is an answer by itself: a number or a choice letter."""
    return _value(text) is not None or re.fullmatch(r"\(?[A-E]\)?", text) is not None


@lru_cache(256)
def _value(text: str) -> Fraction | None:
    """The number that an answer is, whatever its unit and name; None when it is no plain number."""
    if len(text) > MAX_CHARS:
        return None
    exact = number(split_unit(split_name(normalise(text))[1])[0])
    return exact[0] if exact else None


_RETRACTED = re.compile(
    r"\b(?:wait|oops|scratch that|never ?mind|on second thou?ght|correction|i mean|i was wrong|(?:my|a) mistake|mistaken|"
    r"not sure|sorry|an error|re-?comput\w+|re-?calculat\w+|(?:is|was|be) (?:wrong|incorrect|false)|"
    r"(?:is|was) not (?:correct|right|it|the (?:correct |right |final )?answer)|"
    r"isn't (?:correct|right)|not correct|(?:could|might|may) also be|no,|or it (?:is|could|may|might)|"
    r"just kidding|ignore (?:that|this)|actually,? (?:it|the|no|i)|it(?:'s| is) (?:actually|rather|instead)|"
    r"(?:it|answer|that|this) should be|(?:rather|instead),? it)(?!\w)|(?:^|[.!?]\s+)(?:no|false|wrong|incorrect)[.!]"
    r"|不对|错了|或者|也可能|其实是|应该是",
    re.IGNORECASE,
)
_HEDGE = re.compile(
    r"\W*(?:or|alternatively|maybe|perhaps|possibly|probably)\b|[^.!?\n]*\b(?:maybe|perhaps|possibly)\b|.*(?:也许|可能)",
    re.IGNORECASE,
)
_CUE = re.compile(
    r"\b(?:actually|rather|instead|maybe|perhaps|possibly|hmm+|but (?:it|the|that|also)|"
    r"(?:should|could|might|may) (?:also )?be)\b|也许|可能|其实|应该|或"
    r"|\b(?:result|total|value|sum|number|(?:final|correct|right|true|actual) \w+)\s*"
    r"(?:is|are|was|equals|[:=])\s*(?:now |then )?[\s$*]*-?[0-9]",
    re.IGNORECASE,
)
_EXPLANATION = re.compile(
    r"^[^\w\n]{0,9}(?:explanation|reasoning|solution|steps?|working|check|verification|justification|details)"
    r"(?:[^\w\n]{0,9}:|[^\w\n]{0,9}$)",
    re.IGNORECASE | re.MULTILINE,
)
_DRAWING = re.compile(r"\[asy\](?:(?!\[/?asy\]).)*\[/asy\]", re.DOTALL)
_REASON = re.compile(r"\W*(?:because|since|as|which|where|let|recall)\b", re.IGNORECASE)
_ANY_NUMBER = re.compile(r"(?<![A-Za-z0-9_.^])(?<!\^\{)-?[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?(?:/[0-9]+)?")
_ARITHMETIC = re.compile(r"[0-9)}][^\S\n]*(?:[-+*/=×÷≡]|\\times|\\cdot|\\equiv)[^\S\n]*\$?[(0-9\\]")
_NOT_THIS = re.compile(r"\b(?:not|rather than|instead of)\s+\$?[0-9][0-9,.]*", re.IGNORECASE)


def _taken_back(tail: str, answer: str) -> str | None:
    """Why what follows the last marked answer speaks against it, if it does.

    An explanation may follow, with its numbers: sentences of five words or more, arithmetic, all below a heading
    "Explanation". A sentence that is hardly more than another number is a rival, and so is a cue with another number.
    """
    if _RETRACTED.search(tail):
        return "a final answer is taken back after it"
    value = _value(answer)
    tail = _DRAWING.sub(" ", tail)
    explanation = _EXPLANATION.search(tail)
    tail = _drop_numbering(_NOT_THIS.sub(" ", tail[: explanation.start()] if explanation else tail))
    for k, sentence in enumerate(re.split(r"(?<=[.!?;])\s+|[。；]|\n+", tail)):
        numbers = [number(found) if len(found) < 50 else None for found in _ANY_NUMBER.findall(sentence)]
        others = [found for found in numbers if found is None or found[0] != value]
        num_words = len(re.findall(r"[A-Za-z']+", sentence)) + len(re.findall(r"[\u4e00-\u9fff]", sentence)) // 2
        if (k == 0 or (others and num_words <= 6)) and _HEDGE.match(sentence):
            return "a final answer is hedged after it"
        if not others or (numbers[-1] and numbers[-1][0] == value):
            continue
        if value is None and re.search(r"approx|about|roughly|≈", sentence, re.IGNORECASE):
            continue
        is_short = num_words <= 4 and len(others) == len(numbers)
        is_short = is_short and not _ARITHMETIC.search(sentence) and not _REASON.match(sentence)
        if k == 0:  # the answer's own sentence goes on: "$\\boxed{1}$ for all $i \\ge 5$", "\\boxed{3} \\pmod 9"
            is_short = number(sentence.strip(" -*$().\t")) is not None
        if is_short or _CUE.search(sentence):
            return "another answer stands after a final one"
    return None


def _drop_numbering(text: str) -> str:
    """The text without list numbers that count up from 1 ("1. First, ... 2. Then, ...")."""
    expected = 1

    def drop(match: re.Match[str]) -> str:
        nonlocal expected
        if int(match[1]) != expected:
            return match[0]
        expected += 1
        return " "

    return re.sub(r"(?<![^\s(*])(?:[Ss]tep )?([0-9]{1,2})[.):]\**\s+(?=[^0-9\s])", drop, text)


def _verify_world(problem: Problem, trace: Trace, *, timeout_seconds: float = 0.0) -> Verdict:
    from sanmai.world import verify

    return verify(problem, trace)


def _verify_code(problem: Problem, trace: Trace, *, timeout_seconds: float) -> Verdict:
    from sanmai.rewards.code import verify_code

    return verify_code(problem, trace, timeout_seconds=timeout_seconds)


VERIFIERS: dict[str, Callable[..., Verdict]] = {"math": verify_math, "world": _verify_world, "code": _verify_code}
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

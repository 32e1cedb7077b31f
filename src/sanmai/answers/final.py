"""Accuracy: what a completion states as its final answer, and whether that is right."""

from __future__ import annotations

import re

from sanmai.answers import beside as answer_beside
from sanmai.answers import phrases as answer_phrases
from sanmai.answers import units
from sanmai.answers.after import taken_back
from sanmai.answers.conclusions import concluded_value
from sanmai.answers.denials import asks_about, asks_bound, is_about
from sanmai.answers.endings import ending, is_guessed, worded
from sanmai.answers.expressions import bare_word, is_word
from sanmai.answers.forms import (
    choice,
    chosen,
    combined,
    ended,
    named_behind,
    stated,
    tabled,
    undecorated,
    without_contrast,
)
from sanmai.answers.marks import SENTENCE_START, Mark, TakenBackError, leads_up, marks_of, names_answer, speaks
from sanmai.answers.math import compare
from sanmai.answers.number_words import asks_rank
from sanmai.answers.numbers import asks_percentage, from_east, western
from sanmai.answers.options import in_terms_of
from sanmai.answers.statements import positive_variables
from sanmai.answers.structured import in_marks
from sanmai.answers.unasked import is_of_another
from sanmai.answers.vocabulary import names_pattern
from sanmai.types import Problem, Trace, TraceState, Verdict

MAX_ANSWER_CHARS = 100_000
"""An answer part longer than this holds no final answer that anybody would look for."""
MAX_CANDIDATES = 8


def verify_math(problem: Problem, trace: Trace, *, timeout_seconds: float = 5.0) -> Verdict:
    r"""Grade the final answer of a completion: 1.0 when everything that it marks as final equals the reference.

    Only the answer part counts, never the thought. Final is what stands in `\boxed{}` or `<answer>`, after `####`,
    `A:`, `Answer:`, "the answer is", a heading "Final Answer" or 答案, in a JSON object's "answer", or, without any of
    these, a last line that says what came out ("x = 5", "The total is 5 apples.") or an answer part that is nothing but
    an expression. An answer that is merely mentioned is none; several that differ, a last one that is denied, asked,
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
    answer = re.sub("</?(?:b|strong|em)>", "", ended(trace.answer, closes_tag=trace.state is not TraceState.NONE))
    question = problem.prompt[-MAX_ANSWER_CHARS:]
    try:
        candidates = final_answers(answer, question)
    except TakenBackError as error:
        return Verdict(0.0, str(error), "ambiguous")
    if (
        (not candidates or candidates == [answer.strip()])
        and is_word(reference)
        and worded(answer, bare_word(reference))
    ):
        return Verdict(1.0, "the same word", "correct")
    if not candidates:
        return Verdict(0.0, "no final answer is marked", "no_answer")
    if len(candidates) > MAX_CANDIDATES:
        return Verdict(0.0, f"more than {MAX_CANDIDATES} different final answers", "ambiguous")
    candidates = [answer_beside.counted(text, question) for text in candidates]
    candidates = [choice(text, reference) or stated(from_east(western(text))) for text in candidates]
    candidates = list(dict.fromkeys(in_terms_of(text, reference, question) or text for text in candidates))
    is_percentage_asked, is_rank_asked = asks_percentage(question), asks_rank(question)
    positive, rates = positive_variables(question), units.asked_rates(question)
    verdicts: list[Verdict] = []
    for candidate in candidates:
        verdicts.append(
            compare(
                reference,
                candidate,
                timeout_seconds=timeout_seconds,
                is_percentage_asked=is_percentage_asked,
                is_rank_asked=is_rank_asked,
                positive=positive,
                asked_rates=rates,
            )
        )
        if verdicts[-1].score is None:
            return verdicts[-1]
    wrong = next((v for v in verdicts if v.score != 1.0), None)
    together = combined(answer, candidates, reference) if wrong is not None and len(candidates) > 1 else None
    if together is not None:
        return compare(*together, timeout_seconds=timeout_seconds, is_percentage_asked=is_percentage_asked)
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
        marks = list(marks_of(text))
    except TakenBackError:
        return text  # too long for compare(), which says so
    boxes = [mark for mark in marks if mark.is_box]
    return stated((boxes or marks)[-1].text.strip() if marks else text.strip())


def final_answers(answer: str, question: str | None = None) -> list[str]:
    """The different answers that a text marks as final, in order; the text itself if it is one bare expression.

    Args:
        question: "at least \\boxed{5}" answers one for a least number, "about \\boxed{5}" one for a rounded number, and
            "Page 5" one for a page. Where none is known, the first two are answers and the last is none.

    Raises:
        TakenBackError: the last one is denied ("not", "if", "?" beside it), or taken back or rivalled after it; or
            there are more than MAX_MARKS.
    """
    takes_bounds, takes_about = (question is None or asks(question) for asks in (asks_bound, asks_about))
    answer = without_contrast(in_marks(answer))
    marks = list(marks_of(answer, takes_bounds=takes_bounds))
    if not marks:
        for read in (lambda text: tabled(text, _is_heading), answer_phrases.last_said, chosen):
            if found := read(answer):
                return [found]
        if is_of_another(answer, question or ""):
            return []
        guesses = (named_behind, concluded_value, lambda text: ending(text, question or ""))
        said = next((found for read in guesses if (found := read(answer))), None)
        if said is not None:
            return [said]
        bare = undecorated(re.sub(r"\A> ?(?=[*_A-Za-z])", "", answer.strip()))
        if re.match(r"(?:maybe|perhaps|possibly|probably|suppose|supposing|assume|assuming|if|let)\b", bare, re.IGNORECASE):
            return []
        is_bare = bare and "\n" not in bare and len(bare) <= 200 and not is_guessed(bare)
        return [bare] if is_bare and not names_answer(bare) and not answer_phrases.names_answer(bare) else []
    if any(mark.is_box for mark in marks):  # "we check our answer: $17 \\cdot 44 = 748$"; a number speaks for itself
        marks = [mark for mark in marks if mark.is_box or speaks(mark.text)]
    marks = _without_steps(answer, marks)
    last = marks[-1]
    if not last.is_box and answer.startswith(("答", "答案"), last.start):
        said = answer_phrases.last_said(answer)
        if said is not None and not speaks(last.text):
            return [said]
        if said is None and re.match(r"[\W_]*\d|[A-J](?![A-Za-z])", last.text):
            return []  # words around it that may make another of it, or nobody's
    stated = []
    for mark in marks:
        if mark.is_denied or (mark in marks[-MAX_CANDIDATES:] and _is_spoiled(answer, mark, takes_about=takes_about)):
            if mark is last or mark.text.strip() == last.text.strip():
                raise TakenBackError("a final answer is denied, asked or hypothetical")
            continue
        if mark.is_part:
            raise TakenBackError("the box holds a part of an expression")
        if mark is last or not leads_up(mark):
            stated.append(mark.text)
    reason = taken_back(answer[last.end :], last.text)
    named = last.start if last.is_box else last.start + len("答案")  # in Chinese; English has its own marks
    if answer_phrases.denies(SENTENCE_START.split(answer[max(0, last.start - 80) : named])[-1]):
        reason = "a final answer is denied, asked or hypothetical"
    if reason is None and answer_beside.is_retracted(answer[last.end :], last.text):
        reason = "a final answer is taken back after it"
    if reason:
        raise TakenBackError(reason)
    return list(dict.fromkeys(stated))


_ANNOUNCED = re.compile(
    r"\b(?:final|the|my|our) (?:final |correct |right )?answer\b(?! to (?:part\b|\())[^.!?]{0,80}\Z", re.IGNORECASE
)


_MAX_BETWEEN = 2_000
"""Characters behind a box in which it may be taken back for another."""


def _without_steps(answer: str, marks: list[Mark]) -> list[Mark]:
    """Without the boxes of steps before one that is announced as the final answer, and those taken back before it."""
    last = marks[-1]
    if len(marks) < 2 or not last.is_box or not _is_announced(answer, marks, len(marks) - 1):
        return marks
    if re.search(r"\b(?:or|either)\b[^.!?\n]{0,60}\Z", answer[marks[-2].end : last.start], re.IGNORECASE):
        return marks
    kept = [
        mark
        for k, mark in enumerate(marks[:-1])
        if mark.text.strip() == last.text.strip()
        or (_is_announced(answer, marks, k) and not taken_back(answer[mark.end : last.start][:_MAX_BETWEEN], mark.text))
    ]
    return [*kept, last]


def _is_announced(answer: str, marks: list[Mark], k: int) -> bool:
    """Whether what stands between a box and the mark before it names the final answer, in whatever language."""
    lead = answer[marks[k - 1].end if k else 0 : marks[k].start][-200:]
    named = [*names_pattern().finditer(lead)][-1:]
    return _ANNOUNCED.search(lead) is not None or any(not re.search(r"[.!?。？！]\s", lead[m.end() :]) for m in named)


def _is_heading(text: str) -> bool:
    """Whether the heading of a column names the answer, in whatever language, and says no more."""
    return re.fullmatch(r"(?:the )?(?:final )?(?:answer|result)", text, re.IGNORECASE) is not None or (
        names_pattern().fullmatch(text) is not None
    )


def _is_spoiled(answer: str, mark: Mark, *, takes_about: bool) -> bool:
    """Whether a box is denied, doubted, scaled or rivalled by the words that touch it, whatever their language."""
    before, after = answer[max(0, mark.start - 400) : mark.start], answer[mark.end : mark.end + 200]
    is_close = not takes_about and is_about(before, mark.text)
    return mark.is_box and (is_close or answer_beside.is_spoiled(before, mark.text, after, takes_about=takes_about))

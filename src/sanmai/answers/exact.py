r"""Grades an answer as it is written: a number as a number, data as data, everything else word by word and line by line.

For tasks whose answer is not to be worked out further: `3 + 4` is not 7, `2/4` not `1/2`, and a list has an order. What makes no
difference: blanks and commas between words, case, signs around the whole (`$`, backticks, quotes, bold), \frac{1}{2} for 1/2,
and for a number thousands' commas, a unit or a name. Bounded by the size of the reference.
"""

from __future__ import annotations

import json
import re
from fractions import Fraction
from itertools import starmap
from typing import Any

from sanmai.answers.final import MAX_ANSWER_CHARS, TakenBackError, final_answers
from sanmai.answers.forms import ended
from sanmai.answers.math import closing_brace, normalise, split_name, split_unit
from sanmai.types import Problem, Trace, TraceState, Verdict


def verify_exact(problem: Problem, trace: Trace) -> Verdict:
    """1.0 when the one final answer is the reference as written; the verifier "exact" of rewards/verifiers.py."""
    if problem.answer is None or not problem.answer.strip():
        return Verdict(None, "no reference answer", "ungradable")
    found = final_text(trace)
    if isinstance(found, Verdict):
        return found
    is_right = is_same(problem.answer, found)
    return Verdict(1.0, "the same answer", "correct") if is_right else Verdict(0.0, "another answer", "wrong")


def final_text(trace: Trace) -> str | Verdict:
    """The one final answer of a completion, of any number of lines between <answer> tags; or why there is none (0.0).

    Without tags what `final_answers` takes for final; several that differ are "ambiguous".
    """
    if not trace.is_complete:
        return Verdict(0.0, "no finished answer", "incomplete")
    if len(trace.answer) > MAX_ANSWER_CHARS:
        return Verdict(0.0, f"the answer part is longer than {MAX_ANSWER_CHARS} characters", "no_answer")
    answer = ended(trace.answer, closes_tag=trace.state is not TraceState.NONE)
    found = [part.rpartition("<answer>")[2].strip() for part in answer.split("</answer>")[:-1] if "<answer>" in part]
    if not found:
        try:
            found = final_answers(answer)
        except TakenBackError as error:
            return Verdict(0.0, str(error), "ambiguous")
    found = list(dict.fromkeys(map(_unwrapped, found)))
    if len(found) > 1:
        return Verdict(0.0, "several different final answers", "ambiguous")
    return found[0] if found and found[0] else Verdict(0.0, "no final answer is marked", "no_answer")


def is_same(reference: str, candidate: str) -> bool:
    """Whether two answers are the same as written, but for what the module says makes no difference."""
    reference, candidate = _unwrapped(reference), _unwrapped(candidate)
    if len(candidate) > 4 * len(reference) + 200:
        return False
    if (expected := _number(reference)) is not None:
        return expected == _number(split_unit(split_name(normalise(candidate))[1])[0])
    if (data := _data(reference)) is not None:
        return _is_same_data(data, _data(candidate))
    lines, others = _words(reference), _words(candidate)
    return len(lines) == len(others) and all(starmap(_are_same_words, zip(lines, others, strict=True)))


_WRAPS = (
    ("```", "```"),
    ("**", "**"),
    ("$$", "$$"),
    ("\\(", "\\)"),
    ("\\[", "\\]"),
    ("`", "`"),
    ("$", "$"),
    ('"', '"'),
)
_NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)")
_FRACTION = re.compile(r"\\[dt]?frac\{(-?[0-9]+)\}\{([0-9]+)\}")
MAX_NUMBER = 400
"""Digits: a longer one is compared as a word."""


def _unwrapped(text: str) -> str:
    r"""The text without what stands around the whole of it: blanks, a \boxed{}, dollars, backticks, quotes, bold."""
    text = text.strip()
    for _ in range(4):
        before = text
        box = re.match(r"\\(?:boxed|fbox)\s*\{", text)
        if box and closing_brace(text, box.end()) == len(text) - 1:
            text = text[box.end() : -1].strip()
        for left, right in _WRAPS:
            inner = text[len(left) : -len(right)]
            if len(text) > len(left + right) and text.startswith(left) and text.endswith(right) and left not in inner:
                text = inner.strip()
        if text == before:
            break
    return text


def _number(text: str) -> Fraction | None:
    """The value of digits with a sign and a point; 0101 is a word."""
    text = text.strip().replace("\u2212", "-")
    if len(text) > MAX_NUMBER or not _NUMBER.fullmatch(text):
        return None
    return Fraction(text.replace(",", "").removesuffix("."))


def _data(text: str) -> Any:
    """What a list or an object of JSON, or of Python with its other quotes, holds; None where it is neither."""
    if not text.startswith(("[", "{")):
        return None
    for written in (text, text.replace("'", '"')):
        try:
            return json.loads(written)
        except (ValueError, RecursionError):
            continue
    return None


def _is_same_data(data: Any, other: Any) -> bool:
    if isinstance(data, list):
        is_alike = isinstance(other, list) and len(data) == len(other)
        return is_alike and all(starmap(_is_same_data, zip(data, other, strict=True)))
    if isinstance(data, dict):
        return (
            isinstance(other, dict)
            and data.keys() == other.keys()
            and all(_is_same_data(v, other[k]) for k, v in data.items())
        )
    if isinstance(other, list | dict):
        return False
    if any(value is None or isinstance(value, bool) for value in (data, other)):
        return data is other
    return _are_same_words([str(data)], [str(other)])


def _words(text: str) -> list[list[str]]:
    """The words of each line that has any, without case."""
    text = _FRACTION.sub(r"\1/\2", text).casefold()
    return [words for line in text.splitlines() if (words := [word for word in re.split(r"[,\s]+", line) if word])]


def _are_same_words(words: list[str], others: list[str]) -> bool:
    if len(words) != len(others):
        return False
    return all(
        a == b or ((n := _number(a)) is not None and n == _number(b)) for a, b in zip(words, others, strict=True)
    )

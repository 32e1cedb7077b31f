"""The places where a text says "this is my answer": boxes, tags, headings, and clauses after "the answer is"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from sanmai.answers import denials as answer_denials
from sanmai.answers import units
from sanmai.answers.forms import said_once, undecorated, without_aside
from sanmai.answers.math import MAX_CHARS, closing_brace, normalise, number, split_name, split_unit
from sanmai.answers.unasked import is_form

MAX_MARKS = 500
TAGS = {
    "<answer>": "</answer>",
    "<final_answer>": "</final_answer>",
    "<|begin_of_box|>": "<|end_of_box|>",
}
"""Opening and closing tags around a final answer; the last pair is GLM's."""


class TakenBackError(ValueError):
    """A final answer is denied where it stands, or taken back or rivalled after it."""


@dataclass(frozen=True)
class Mark:
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
    rf"|(?P<tag>{'|'.join(map(re.escape, TAGS))})"
    r"|(?P<line>####|^[^\S\n]{0,3}[*_]{0,3}A[*_]{0,3}[:：])"
    r"|(?P<heading>^[#*_ \t]{0,9}(?i:(?:the |my )?(?:final )?answer)[*_ \t]{0,9}$(?:\n[=-]{3,}[ \t]*$)?)"
    r"|(?P<prose>(?<![^\W_])(?i:ans(?:wers?)?|(?:correct|right|best) (?:option|choice|letter))(?![^\W_])"
    r"(?:\s+(?i:to|for|of)\s+(?P<of>[A-Za-z' ]{1,40}?))?(?:\s\((?!guess)(?:in )?[a-z]{1,20}s\))?"
    r"(?:,\s(?:then|therefore|thus|hence|finally|rounded [a-z ]{1,40}),)?[*_\s$]{0,9}"
    r"(?:[-=]>|[:：=→⇒➜➔–—]|,?[^\S\n]*\b(?:is|are|equals|will be|should be|must be|to be|comes out to(?: be)?|"
    r"turns out to be|works out to(?: be)?)\b)"
    r"|(?<![^\W_])(?i:answer)(?:[^\S\n]of)?[^\S\n](?=[*_$\\(]{0,4}-?\d)|^[*_]{0,3}Ans\.[*_]{0,3}(?=[^\S\n]?[$\\(]{0,3}-?\d))"
    r"|(?P<result>^[#*_ \t]{0,9}(?i:(?:the )?(?:final |grand )?(?:result|solution|total|sum))[*_ \t]{0,9}[:：][*_]{0,3}"
    r"(?=[*_$\\(\s]{0,6}-?\d[\d.,/]*[)*_$\\.\s]*\Z))"
    r"|(?P<chinese>(?:答案|^[*_\s]{0,9}答(?=[\s*]{0,9}[:：]))(?:应该|就)?(?:等于|是|为|选)?[*\s]{0,9}[:：]?)",
    re.MULTILINE,
)
SENTENCE_START = re.compile(r"[\n!?;。；]|\.\s")
# The words that may stand between the start of its clause and "answer".
_OWN = re.compile(
    r"(?:\b(?:the|my|our|an?|this|its|your|final|correct|right|best|exact|possible|numerical|numeric|simplified|desired|required|"
    r"overall|short|only|actual|true|resulting|and|so|thus|hence|therefore)\s+)*$",
    re.IGNORECASE,
)
# The words that may stand in its clause before those, and where a clause before it says of which case it speaks.
_LEADS_UP = re.compile(
    r"(?:[\W\d_]|\b(?:(?:that|this|these|it|which|we|i|find|found|finds|see|know|get|obtain|have|conclude|deduce|infer|means?|"
    r"implies|imply|shows?|shown|gives?|giving|given|giving|leads?|leading|arrive|arrives|at|yields?|follows?|think|believe|can|now|"
    r"then|here|finally|overall|indeed|clearly|clear|in|conclusion|summary|total|result|as|a|an|to|the|of|all|step|ok|okay|"
    r"well|great|yes|right|is|are|be|my|our|your|with|for|us|let's|let|me|state|report|confirm|verify|confirms|both|either|cases?|"
    r"ways|any|answer|answers|question|problem|exercise|following|by|above|get|just|simply|bold|boxed|please|note|from|will|"
    r"after|simplification|simplifying|plugging|substituting|adding|summing|combining|solving|computing|calculating|rounding|dividing|"
    r"multiplying|subtracting|evaluating|counting|numbers|values|everything|together|up|looks|like|makes|end|ends|"
    r"must|should|write|give|provide|present|calculate|compute|why|calculated|computed|required|exact|also|even)\b))*",
    re.IGNORECASE,
)
_NEW_CLAUSE = re.compile(r"[,;:–—]|\b(?:so|thus|hence|therefore|and|but)\b", re.IGNORECASE)
_ELSEWHERE = re.compile(
    r"(?:^|[\s*,;])(?:without|ignoring|neglecting|disregarding|naively|superficially|at first|"
    r"under (?:an?|the|this|that|another|different)|"
    r"in (?:that|this|which|the (?:first|second|third|other|former|latter)) case|in an? (?:alternate|different|other)|"
    r"(?:were|should|had) [^,]{1,40}(?=,)|before|prior to|excluding|not counting|for (?:part|question|case)(?= )|"
    r"for (?:the )?(?:first|second|third|monday|tuesday|wednesday|thursday|friday|saturday|sunday)|otherwise|alternatively|"
    r"squared|doubled|tripled|halved|cubed|mod|modulo|fingers crossed|rumou?r)(?![^\W_])(?![^,]*\bso\b)",
    re.IGNORECASE,
)
_OTHERS = re.compile(
    r"(?:\b(?:of|half|twice|thrice|double|triple|times|than|plus|minus|by|from|opposite|negative)|[-0-9+/^=])$",
    re.IGNORECASE,
)
_PARTIAL = re.compile(r"\b(?:first|second|third|fourth|part|step|sub\w*|intermediate|previous)\b", re.IGNORECASE)
_DENIED = re.compile(
    r"\b(?:not|never|cannot|can't|isn't|wasn't|doesn't|don't|except|unless|if|suppose|supposing|assume|"
    r"assuming|whether|wrong|incorrect|false|anything but|other than|replace|replacing|rather than|instead of|nicht|doubt|"
    r"nobody|no one|none|thinks|thought|claims?|claimed|guess(?:ed)?|could it be|imagine|let's say|some say|pretend|provided|"
    r"in case|would (?:say|think|answer|claim))\b"
    r"(?:[ \t]+[A-Za-z']+){0,4}[ \t:$*(\\\[]*$"
    r"|\bif (?:my|our|the|this|that) (?:assumption|guess|reading|interpretation)\b[^.!?\n]{0,80}"
    r"\b(?:right|correct|true|holds|valid)\b"
    r"[^.!?\n]{0,40}$"
    r"|\baccording to (?:(?:the|a|my|his|her|their|our) )?(?:text ?book|book|teacher|student|friend|internet|author|solution|"
    r"(?-i:[A-Z])[a-z]+)\b[^.!?\n]{0,30}$"
    r"|\b(?:said|says|wrote|writes|claims|claimed|replied|answered|asked|told \w+)\s*[,:]{0,2}\s*[\"'“‘][^.!?\n]{0,12}$"
    r"|\b(?:said|says|wrote|writes|claims|claimed|replied|insists|swears|told \w+)(?: that)? (?:the|his|her|its|my|their)"
    r"(?: \w+){0,2}\s*$"
    r"|(?:^|[\s*])(?:student|pupil|friend|teacher|classmate|bob|alice)(?: \w+)?[*\s]*:[^.!?\n]{0,12}$"
    r"|\b(?:upper|lower) bound[*\s]*:[ \t$*(\\\[]*$"
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
_UNITLESS = re.compile(r"[\d}]\s*\Z(?<!\\circ\})")
_PERCENT = re.compile(r"[\s$]*\\?%")
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
    r"|\.(?=[\s*_\"'”’)<]|$)|!(?=[*\"'”]*(?:\s*$|\s*\n|\s+[A-Z]))|[?？](?=[\s*\"']|$)|[\n。]|</answer>|</final_answer>"
    r"|[,;]?\s+\b(?:because|since|as|so|which|where)\b"
    r"|,?\s+(?:and\s+)?(?:not|rather\s+than|instead\s+of)\s+(?:\$?[0-9][0-9,.]*|\(?[A-J]\)?)(?=[.\s*$]|$)",
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


def marks_of(text: str, *, takes_bounds: bool = True) -> Iterator[Mark]:
    """Everything that marks an answer, in order; of marks one inside the other the inner one.

    Args:
        takes_bounds: "at least \\boxed{5}" is an answer; otherwise it is a denied one.

    Raises:
        TakenBackError: there are more than MAX_MARKS.
    """
    found: list[tuple[re.Match[str], int | None]] = []  # (opening, position of its closing brace or tag)
    position, is_unclosed = 0, False
    last_tag = {tag: text.rfind(close) for tag, close in TAGS.items()}
    while match := _MARK.search(text, position):
        position, close = match.end(), None
        if match["box"] and not is_unclosed:
            close = closing_brace(text, match.end())
            is_unclosed = close is None
            position = match.end() if close is None else close + 1
        elif match["tag"] and match.start() < last_tag[match["tag"]]:
            close = text.find(TAGS[match["tag"]], match.end())
        if close is not None or not (match["box"] or match["tag"]):
            found.append((match, close))
        if len(found) > MAX_MARKS:
            raise TakenBackError(f"more than {MAX_MARKS} marked answers")
    for k, (match, close) in enumerate(found):
        stop = found[k + 1][0].start() if k + 1 < len(found) else len(text)
        lead = text[max(0, match.start() - 80) : match.start()]
        before = SENTENCE_START.split(lead)[-1]
        is_others = answer_denials.is_others(before if match["box"] or match["tag"] else before + match[0])
        is_denied = is_others or _DENIED.search(before) is not None
        is_denied = is_denied or (not takes_bounds and answer_denials.is_bound(before))
        if close is not None:
            if match["tag"] and stop < close:
                continue  # what is marked inside the tag
            end = close + (1 if match["box"] else len(TAGS[match["tag"]]))
            after = text[end : end + 80]
            is_part = bool(match["box"]) and bool(_OPERAND.search(before) or _OPERATOR.match(after))
            is_denied = is_denied or (not takes_bounds and answer_denials.is_bound("", after))
            is_denied = is_denied or _ASKED.match(after) is not None or answer_denials.is_rejected(after)
            is_denied = is_denied or is_form(before or lead, after)
            body = text[match.end() : close]
            if match["box"] and (percent := _PERCENT.match(after)):
                body, end = body + r"\%", end + percent.end()
            elif match["box"] and _UNITLESS.search(body):
                body += units.beside(after)
            yield Mark(match.start(), end, body, True, is_denied, is_part)
            continue
        if match["prose"] and not _is_own(before, match["of"]):
            continue
        clause, end, is_cut = _clause(text, match.end(), stop)
        if clause and not _PRAISE.match(clause):
            is_denied = is_denied or (not is_cut and text[end : end + 1] in ("?", "？"))
            yield Mark(match.start(), end, clause, False, is_denied, False, is_cut)


def names_answer(text: str) -> bool:
    """Whether a text speaks of an answer: where none is its own, it is someone else's, or a part's."""
    return re.search(r"\banswers?\b|答案", text, re.IGNORECASE) is not None


def _is_own(before: str, of: str | None) -> bool:
    """Whether "answer" is the final one: not half of it, "the intermediate answer", "the answer to the first part"."""
    head = _OWN.sub("", re.sub(r"^[-*_•>#\s]+", "", before))
    is_attributed = before.endswith(head) and re.search(r"[A-Za-z'-]\s*$", head) is not None
    if is_attributed or _OTHERS.search(head.rstrip("*_ ")) or (of and _PARTIAL.search(of)) or _ELSEWHERE.search(before):
        return False
    clause = _NEW_CLAUSE.split(head)[-1]
    return "=" in clause or _LEADS_UP.fullmatch(clause) is not None


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
    clause = re.sub(r"\A<\s*(-?[\d.,/]+)\s*>\Z", r"\1", undecorated(text[begin:end]).strip(" *_\n\t"))
    return said_once(without_aside(clause)), end, is_cut


def leads_up(mark: Mark) -> bool:
    """Whether a clause, not the last mark, only leads up to one ("A: She has 16 eggs. ... The answer is 18")."""
    if mark.is_box or speaks(mark.text):
        return False
    is_sentence = re.match(r"[A-Za-z]{2,}\s+\S", mark.text) is not None
    is_open = mark.is_cut and re.match(r"[A-Za-z]{2,}|.*[=:≈]\s*$|[\s$\\(\[{]*$", mark.text, re.DOTALL) is not None
    return is_sentence or is_open


def speaks(text: str) -> bool:
    """Whether a clause is an answer by itself: a number or a choice letter."""
    return value_of(text) is not None or re.fullmatch(r"\(?[A-E]\)?", text) is not None


@lru_cache(256)
def value_of(text: str) -> Fraction | None:
    """The number that an answer is, whatever its unit and name; None when it is no plain number."""
    if len(text) > MAX_CHARS:
        return None
    exact = number(split_unit(split_name(normalise(text))[1])[0])
    return exact[0] if exact else None

"""What stands after a final answer: does it take it back, hedge it, or set another answer beside it?"""

from __future__ import annotations

import re
from fractions import Fraction

from sanmai.answers.marks import value_of
from sanmai.answers.math import number

_RETRACTED = re.compile(
    r"\b(?:wait|oops|scratch that|never ?mind|on second thou?ght|correction|i mean|i was wrong|(?:my|a) mistake|mistaken|"
    r"not (?:sure|certain)|unsure|sorry|an error|re-?comput\w+|re-?calculat\w+|(?:could|might|may) also be|no,|"
    r"or it (?:is|could|may|might)|just kidding|ignore (?:that|this)|actually,? (?:it|the|no|i)|"
    r"it(?:'s| is) (?:actually|rather|instead)|(?:it|answer|that|this) should be|(?:rather|instead),? it|"
    r"(?:(?:just|only|merely|but|simply) )+(?:an? |my )?(?:wild |rough |educated )?guess|i (?:do not|don't) (?:really )?know|"
    r"i (?:could|can|was|am) ?(?:not|n't|unable to) (?:find|determine|solve|compute|work out))(?!\w)"
    r"|\A[\s$\\]*(?:\\(?:text|mbox)\s*\{\s*)?\(?\s*(?:incorrect|wrong|false|rejected|invalid|extraneous)\b"
    r"|不对|错了|或者|也可能|其实是|应该是",
    re.IGNORECASE,
)
"""Said of the answer, whatever stands around it."""
_CONDEMNED = re.compile(
    r"\b(?:is|are|was|were|be|it's|that's|being)(?: (?:clearly|simply|just|also|obviously|therefore|definitely))*"
    r" (?:wrong|incorrect|false|invalid|not (?:correct|right|it|valid|true|(?:the |a )?(?:correct |right |final )?(?:answer|"
    r"option|choice))|(?:(?:far|much|way) )?too (?:small|large|big|high|low|few|many|much|short|long))\b"
    r"|\b(?:isn't|aren't|wasn't) (?:correct|right|true)\b|\bnot correct\b"
    r"|(?:^|[.!?:)–—-][ \t*_]+)[*_]{0,2}(?:no|false|wrong|incorrect)\b[*_]{0,2}(?:[.!,;]|\s*$|\s+[–—-])",
    re.IGNORECASE | re.MULTILINE,
)
"""Said of something: of the answer, unless another choice, number or statement is its subject."""
_LETTER = r"[*_\"'`\\(]{0,4}[A-J][*_\"'`\\).]{0,4}"
_OTHER_SUBJECT = re.compile(
    r"(?:(?:options?|choices?|answers?|statements?|claims?)\s+)?"
    rf"(?P<letters>{_LETTER}(?:\s*(?:,|/|&|\band\b|\bor\b)+\s*{_LETTER})*)"
    r"(?:\s*\([^()]{0,80}\)|\s*[:,–—-]\s*[^.!?\n]{0,120}?)?[ \t*_:.,)–—-]*$"
    r"|\b(?:(?:the |all )?(?:other|remaining) (?:options?|choices?|answers?|statements?|ones?)|(?:the )?others?|the rest|"
    r"(?:statements?|claims?|assertions?)\s+(?:[IVX]+|[A-Z0-9])(?:(?:\s*,\s*|\s+and\s+|\s+or\s+)+(?:[IVX]+|[A-Z0-9]))*)"
    r"(?:\s*\([^()]{0,80}\))?[ \t*_:.,)–—-]*$",
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
_OTHER_BEGINNING = re.compile(
    r"\W*(?:(?:option|choice|answer|statement)s? )?\(?\b([A-J])\b\)?(?:[*_]*\s*[:.)–—-]|[*_]*\s+(?:is|says|states|"
    r"claims|gives|would|does|has|ignores|suggests|describes|refers|uses|assumes|means|shows|fails|cannot|can't)\b)",
    re.IGNORECASE,
)
_DRAWING = re.compile(r"\[asy\](?:(?!\[/?asy\]).)*\[/asy\]", re.DOTALL)
_CONFIDENCE = re.compile(r"^\W*confidence\W*:?\W*\d+(?:\.\d+)?\s*\\?%?[*_. ]*$", re.IGNORECASE | re.MULTILINE)
_SAME_AGAIN = re.compile(
    r"\A[$\s)\\]*,?\s*or (?:equivalently )?(\$[^$\n]{1,60}\$|\\\([^\n]{1,60}?\\\)|-?[\d.,/]*\d\\?%?)(?=[\s.]|$)"
)
_REASON = re.compile(r"\W*(?:because|since|as|which|where|let|recall)\b", re.IGNORECASE)
_ANY_NUMBER = re.compile(r"(?<![A-Za-z0-9_.^])(?<!\^\{)-?[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?(?:/[0-9]+)?")
_ARITHMETIC = re.compile(r"[0-9)}][^\S\n]*(?:[-+*/=×÷≡]|\\times|\\cdot|\\equiv)[^\S\n]*\$?[(0-9\\]")
_NOT_THIS = re.compile(r"\b(?:not|rather than|instead of)\s+(?:\$?[0-9][0-9,.]*|\(?[A-J]\b\)?)", re.IGNORECASE)


def taken_back(tail: str, answer: str) -> str | None:
    """Why what follows the last marked answer speaks against it, if it does.

    An explanation may follow, with its numbers: sentences of five words or more, arithmetic, all below a heading
    "Explanation". A sentence that is hardly more than another number is a rival, and so is a cue with another number.
    """
    tail = _SAME_AGAIN.sub(lambda m: " " if is_same(m[1], answer) else m[0], _CONFIDENCE.sub(" ", _DRAWING.sub(" ", tail)))
    letter = letter_of(answer)
    if _RETRACTED.search(tail) or _is_condemned(tail, answer):
        return "a final answer is taken back after it"
    if letter is not None:
        return _other_letter(tail, letter)
    value = value_of(answer)
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


def is_same(text: str, answer: str) -> bool:
    """Whether two plain numbers are equal, in whatever form."""
    return (value := value_of(answer)) is not None and value_of(text) == value


def letter_of(answer: str) -> str | None:
    """The letter of the choice that an answer names, alone or with its text ("(B) The Nile"); None where it names none."""
    match = re.match(r"[\s$*_\\]*(?:(?:text|mathrm|mathbf|textbf)\s*\{\s*)?[*_]*\(?([A-J])(?![A-Za-z0-9'_^=+*/])", answer)
    return match[1] if match else None


def _is_condemned(tail: str, answer: str) -> bool:
    """Whether the tail calls the answer wrong: not another choice, number or statement ("Option A is wrong")."""
    letter, value = letter_of(answer), value_of(answer)
    return any(not _is_of_another(tail[: match.start()], letter, value) for match in _CONDEMNED.finditer(tail))


def _is_of_another(before: str, letter: str | None, value: Fraction | None) -> bool:
    """Whether the subject of the sentence that ends here ("A, C and D", "The others", "Statement II") is not the answer."""
    sentence = re.split(r"[\n;]|(?<![A-J])[.!?]\s", before[-300:])[-1]
    if beginning := _OTHER_BEGINNING.match(sentence):
        return letter is not None and beginning[1] != letter
    if other := re.search(r"(?<![\w.,])-?\d+(?:\.\d+)?[ $*]*$", sentence):
        exact = number(other[0].strip(" $*"))
        return exact is not None and value is not None and exact[0] != value
    subject = _OTHER_SUBJECT.search(sentence)
    if subject is None:
        return False
    return subject["letters"] is None or letter not in re.findall(r"\b[A-J]\b", subject["letters"])


_BARE_LETTER = re.compile(r"(?:^|(?<=[\s(*\"']))([A-J])(?=[\s).,;:!?*\"']|$)")


def _other_letter(tail: str, letter: str) -> str | None:
    """Why the tail of a choice sets another one beside it: a sentence that is hardly more than a letter, or a doubt."""
    for k, sentence in enumerate(re.split(r"(?<=[.!?;])\s+|[。；]|\n+", _NOT_THIS.sub(" ", tail))):
        others = [found for found in _BARE_LETTER.findall(sentence) if found != letter]
        num_words = len(re.findall(r"[A-Za-z']{2,}", sentence)) + len(re.findall(r"[\u4e00-\u9fff]", sentence)) // 2
        if (k == 0 or (others and num_words <= 6)) and _HEDGE.match(sentence):
            return "a final answer is hedged after it"
        is_judged = _CONDEMNED.search(sentence) is not None
        is_cued = re.search(r"\b(?:actually|rather|instead|maybe|perhaps|possibly|hmm+|better)\b", sentence, re.I)
        if others and not is_judged and (num_words <= 2 or (is_cued and num_words <= 8)):
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

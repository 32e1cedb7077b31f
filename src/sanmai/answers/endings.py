"""Last lines that say what came out, though not that it is the answer: "3 + 5 = 8", "x = 8", "The total is 8 apples."."""

from __future__ import annotations

import re

from sanmai.answers import phrases
from sanmai.answers.forms import SPOILED_SENTENCE, VALUE, stated, without_rate
from sanmai.answers.marks import names_answer
from sanmai.answers.unit_words import unit_beside

MAX_ENDING = 1_000
"""Characters at the end of an answer in which its last line is looked for."""
_CONCLUDES = re.compile(
    r"(?:(?:so|thus|therefore|hence|then|finally|in conclusion|overall|in total|altogether|in all),?\s+)?",
    re.IGNORECASE,
)
_LEADS = re.compile(
    r"[\s>*_$-]*(?:\\\[|\\\()?\s*(?:(?:so|thus|hence|therefore|then|finally|and|now|we (?:get|have|find|obtain|compute)|"
    r"which gives|this gives|\\therefore|∴|\\implies|\\Rightarrow|=>|⇒|→)[\s,:]+)*",
    re.IGNORECASE,
)
_RESULT = re.compile(r"(?:[A-Z][a-z]+|the|our|this|that|it|he|she|they|we|you|there)(?:['’]s)?\s")
_VARIABLE = re.compile(r"\s*[A-Za-z](?:_\{?\w{1,8}\}?)?\s*")
_NAMED = re.compile(r"[*_\s]*(?:\\text\s*\{)?[A-Za-z]{2,}(?: [A-Za-z]+){0,5}\}?[*_\s]*")
_WORKING = re.compile(
    r"(?:[\d\s$€£.,+*/×÷·()%{}^-]|\\(?:times|cdot|div|frac|left|right|sqrt)(?![A-Za-z])|(?<=[\d)]) [A-Za-z]{2,20}\b)+"
)
_SUPPOSED = re.compile(r"\b(?:let|say|try|given|when|where|for|with(?:out)?|before|false|error)\b", re.IGNORECASE)
_LAST = re.compile(rf"\s*\$?(?P<value>{VALUE})(?P<rest>%?(?:\s[A-Za-z/]{{2,20}}){{0,4}})\s*(?:\$|\\\)|\\\])?[\s.*_]*")


_IS = re.compile(
    r"\A(?:the value of )?\$?([A-Za-z])\$? (?:is|equals|must be|is equal to) (?:equal to )?(?=[$\\(]{0,3}-?\d)", re.IGNORECASE
)
_ADDS = re.compile(r"\b(?:is|are|was|were|does|fails?|impossible|false|extra|short|off)\b", re.IGNORECASE)
_WORKED_OUT = re.compile(r"(?<![\w.])[$€£(]?\d[\d\s.,$€£()%x×*/÷+·-]{0,80}=\s*(?:<<[^<>\n]{1,80}>>)?\s*(?=[$€£]?-?\d)")
"""The working before the value that it comes to: "48 + 24 = <<48+24=72>>72 clips"."""
_COURTESY = re.compile(
    r"[\s*_]*(?:let me know|please let|(?:i )?hope (?:this|that|it)|feel free|is there anything|if you have any)\b",
    re.IGNORECASE,
)


def is_guessed(equation: str) -> bool:
    """Whether the name before "=" says that the value is not meant: "Wrong = 8"."""
    name, equals, _ = equation.partition("=")
    return bool(equals) and re.search(r"\b(?:guess|wrong|incorrect|not|try|candidate)\b", name, re.IGNORECASE) is not None


def ending(text: str) -> str | None:
    """The value with which the last line of a text says what came out; None where it says none plainly.

    One of a list of values ("x = 7", then "x = 8") is none, nor what a word doubts, bounds or shares.
    """
    lines = [line for line in text.strip()[-MAX_ENDING:].splitlines() if line.strip(" $*_\\[]")]
    while len(lines) > 1 and _COURTESY.match(lines[-1]):
        del lines[-1]
    if not lines or lines[-1].strip().endswith("?") or (len(lines) > 1 and lines[-2].rstrip().endswith(",")):
        return None
    if names_answer(lines[-1]) or phrases.names_answer(lines[-1]):
        return None
    equation = _equation(lines[-1])
    if equation is None:
        return _result(lines[-1])
    name, value = equation
    before = _equation(lines[-2]) if len(lines) > 1 else None
    is_list = before is not None and name is not None and before[0] == name and before[1] != value
    return None if is_list and lines[-1].count("=") == 1 else value


def _equation(line: str) -> tuple[str | None, str] | None:
    """(the name, the value) of "Total = 3 + 5 = 8 apples"; the name is None where there is none."""
    if is_guessed(line):
        return None
    lead = _LEADS.match(line)
    body = _IS.sub(r"\1 = ", line[lead.end() if lead else 0 :], count=1)
    *sides, last = body.split("=")
    value = _LAST.fullmatch(last)
    if not sides or value is None or SPOILED_SENTENCE.search(without_rate(value["rest"])) or _ADDS.search(value["rest"]):
        return None
    name = sides[0].strip(" *_$") if _VARIABLE.fullmatch(sides[0]) or _NAMED.fullmatch(sides[0]) else None
    if name is not None and (SPOILED_SENTENCE.search(name.replace("_", " ")) or _SUPPOSED.search(name)):
        return None
    if not all(_WORKING.fullmatch(side) for side in sides[name is not None :]):
        return None
    return name, value["value"].strip("$") + unit_beside(value["rest"])


def _result(line: str) -> str | None:
    """The value of a last sentence about a definite thing: "So the total is 8 apples."."""
    sentence = re.split(r"(?<=[.!])\s+", line.strip())[-1].strip(" *_")
    sentence = _WORKED_OUT.sub(" ", _CONCLUDES.sub("", sentence, count=1))
    if not _RESULT.match(sentence):
        return None
    sentence = sentence[:1].upper() + sentence[1:]
    value = stated(sentence)
    return None if value == sentence else value


_SAID = re.compile(
    r"(?P<subject>[^.!?\n]{1,100}?)\s(?:is|are|was|were|must be|will be)\s"
    r"(?:(?:an?|the|therefore|thus|indeed|always)\s)?[*_]{0,3}(?P<word>[^.!?\n*_]{2,60})[*_.!]*"
)


_OF_ANOTHER = re.compile(
    r"\b(?:options?|choices?|premises?|opposite|converse|contrary|alternative|negation|nothing|none|nobody|something|hypothes\w+|"
    r"examples?|guess\w*|incorrect|hardly|scarcely|rarely|seldom|wh\w+)\b",
    re.IGNORECASE,
)
"""In what a sentence is about: it is not what was asked for."""


def worded(text: str, word: str) -> bool:
    """Whether the last sentence of a text says of something that it is this word: "So the function is even." of "even"."""
    sentence = re.split(r"(?<=[.!?])\s+|\n", text.strip()[-MAX_ENDING:])[-1].strip(" *_")
    match = _SAID.fullmatch(_CONCLUDES.sub("", sentence, count=1))
    if match is None or SPOILED_SENTENCE.search(match["subject"]) or _OF_ANOTHER.search(match["subject"]):
        return False
    return match["word"].strip().casefold() == word.strip().casefold()

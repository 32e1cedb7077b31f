"""Last lines that say what came out, though not that it is the answer: "3 + 5 = 8", "x = 8", "The total is 8 apples."."""

from __future__ import annotations

import re

from sanmai.answers import phrases
from sanmai.answers.forms import MEASURE, SPOILED_SENTENCE, VALUE, stated, without_rate
from sanmai.answers.marks import names_answer, value_of
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
_TERM = re.compile(rf"(?!.*(?:,\s|\$\s+\S|\s{{2,}}\S))(?:{_WORKING.pattern}|(?<![A-Za-z])[A-Za-z](?![A-Za-z]))+")
"""A side between the name and the value, which may have variables: "d = 2r = 8"."""
_SUPPOSED = re.compile(r"\b(?:let|say|try|given|when|where|for|with(?:out)?|before|false|error)\b", re.IGNORECASE)
_LAST = re.compile(rf"\s*\$?(?P<value>{VALUE})(?P<rest>%?(?:\s[A-Za-z/]{{2,20}}){{0,4}})\s*(?:\$|\\\)|\\\])?[\s.*_]*")


_IS = re.compile(
    r"\A(?:the value of )?\$?([A-Za-z])\$? (?:is|equals|must be|is equal to) (?:equal to )?(?=[$\\(]{0,3}-?\d)", re.IGNORECASE
)
_MEASURED = re.compile(
    rf"\A((?:[a-z]+ ){{0,3}}(?:{MEASURE}))(?:[*_]{{0,2}}:|:[*_]{{0,2}})\s*(?=[$\\(]{{0,3}}-?\d)", re.IGNORECASE)
"""A measure and its value: "Total area: 8 cm"."""
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


def ending(text: str, question: str = "") -> str | None:
    """The value with which the last line of a text says what came out; None where it says none plainly.

    One of a list of values ("x = 7", then "x = 8"; "a = 1", then "b = 8", unless the question asks for b) is none, nor what a
    word doubts, bounds or shares.
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
    if before is None or before[0] is None or name is None or lines[-1].count("=") != 1:
        return value
    is_final = before[0] != name and (_concludes(lines[-1]) or _asks_for(name, question))
    return None if _is_listed(before, equation, lines[-2]) and not is_final else value


def _is_listed(before: tuple[str | None, str], last: tuple[str | None, str], line: str) -> bool:
    """Whether two lines give values side by side: of one name, or, where the first is not worked out, of two variables."""
    if before[0] == last[0]:
        return value_of(before[1]) is None or value_of(before[1]) != value_of(last[1])
    return all(name and re.fullmatch(r"[A-Za-z](?:_\{?\w{1,8}\}?)?|[a-z]+", name) for name, _ in (before, last)) and (
        line.count("=") == 1
    )


def _concludes(line: str) -> bool:
    """Whether a line begins with a word that draws a conclusion: "So x = 8"."""
    lead = _LEADS.match(line)
    return lead is not None and re.search(r"[A-Za-z∴⇒→]", lead[0]) is not None


def _asks_for(name: str, question: str) -> bool:
    """Whether a question asks for one variable: "Find b.", "What is the value of $b$?"."""
    asked = re.search(
        rf"\b(?:value of|what is|find|for|determine|calculate|compute)\s+\$?{re.escape(name)}\$?(?=[.?\s]|$)", question, re.I)
    return asked is not None and not re.match(r"\s*(?:and|,|\+)", question[asked.end() :])


def _equation(line: str) -> tuple[str | None, str] | None:
    """(the name, the value) of "Total = 3 + 5 = 8 apples"; the name is None where there is none."""
    if is_guessed(line):
        return None
    lead = _LEADS.match(line)
    body = _IS.sub(r"\1 = ", line[lead.end() if lead else 0 :], count=1)
    body = _MEASURED.sub(r"\1 = ", body, count=1)
    *sides, last = body.split("=")
    value = _LAST.fullmatch(last)
    if not sides or value is None or SPOILED_SENTENCE.search(without_rate(value["rest"])) or _ADDS.search(value["rest"]):
        return None
    name = sides[0].strip(" *_$") if _VARIABLE.fullmatch(sides[0]) or _NAMED.fullmatch(sides[0]) else None
    if name is not None and (SPOILED_SENTENCE.search(name.replace("_", " ")) or _SUPPOSED.search(name)):
        return None
    if not all((_WORKING if name is None else _TERM).fullmatch(side) for side in sides[name is not None :]):
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

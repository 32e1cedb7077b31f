"""English requests put into the past by rules: "How do I X?" becomes "How did people X in the past?"."""

from __future__ import annotations

import re

_SUBJECTS = r"(?:i|you|we|one(?! of)|they|he|she|someone|somebody|people|a person)"
_HOW = re.compile(
    rf"how (?:to|(?:do|does|can|could|would|should|might|may|must) {_SUBJECTS}\b) (?!be\b)(?P<rest>.+)", re.I | re.S
)
_ASKED = re.compile(
    r"(?:(?:can|could|would|will) you|i (?:want|need|would like|'d like) you to|help me(?: to)?)(?: please)?"
    r"(?: help me(?: to)?)? (?P<rest>.+)",
    re.I | re.S,
)
_HOW_TO_INSIDE = re.compile(r"\bhow (?:to|one can|i can|you can) (?!be\b)(?P<rest>.+)", re.I | re.S)
_AUXILIARY = re.compile(
    r"(?P<head>(?:what|which|where|when|why|who|whose|how(?: (?:much|many|often|long|far))?)\b(?: [\w-]+){0,3}?)"
    r"(?P<verb>'s|'re| is| are| do| does| can| will)\b",
    re.I,
)
_PAST = {
    "'s": " was", "'re": " were", " is": " was", " are": " were",
    " do": " did", " does": " did", " can": " could", " will": " would",
}  # fmt: skip
_IMPERATIVES = (
    "add advise analyze answer ask assemble brainstorm bring build calculate change choose collect combine compare "
    "compose compute conduct construct convert cook copy craft create cut define demonstrate describe design detail "
    "develop devise draft draw edit educate enumerate estimate evaluate explain explore exploit fill find fix "
    "formulate generate give guide hack identify illustrate imagine implement improve instruct interfere introduce "
    "invent investigate justify list make manipulate manufacture mix name offer optimize organize outline paint plan "
    "play post predict prepare present prevent produce program propose prove provide publish recommend record release "
    "remove repair replace rewrite say sell send set share show sketch solve speak state steal stop suggest summarize "
    "teach tell train translate turn use write"
)
"""Verbs that requests begin with. Any other first word is not taken for an imperative."""
_FIRST_PERSON = {"i": "they", "me": "them", "my": "their", "mine": "theirs", "myself": "themselves", "am": "were"}


def past_tense(text: str, when: str = "in the past") -> str | None:
    """The request about the past, or None where no rule applies.

    Rules look at the first sentence; what follows it stays as it is.

        How do I / can one / to X?         How did people X in the past?
        Can you / I want you to / help me X   the same
        Write me X; explain how to Y          How did people write X / Y in the past?
        What is / do / can ... ?              What was / did / could ... in the past?

    No rule applies to other languages, to statements, to imperatives that begin with a verb outside a fixed list, and to
    questions that begin with their verb ("Is it ...?"). A clause that follows keeps its tense, and a request for
    a text ("write X") asks how people wrote it: by construction the two requests are alike, not the same.

    Args:
        when: what is added at the end of the sentence, such as "in the past".

    Source:
        After Andriushchenko and Flammarion 2024 (arXiv:2407.11969), who let a model rewrite the requests; these rules are ours.
    """
    sentence, rest = _first_sentence(text.strip())
    sentence = re.sub(r"^please,? ", "", re.sub(r"\s+", " ", sentence).rstrip(" .?!,:;"), flags=re.I).replace("’", "'")
    question = _question(sentence)
    return None if question is None else f"{question} {when}?{rest}"


def _question(sentence: str, *, is_asked: bool = False) -> str | None:
    """The question without its time; is_asked: "can you" has been taken off already."""
    if found := _HOW.fullmatch(sentence):
        return _how_did_people(found["rest"])
    if not is_asked and (found := _ASKED.fullmatch(sentence)):
        inner = re.sub(r"^please ", "", found["rest"], flags=re.I)
        return _question(inner, is_asked=True) or (_how_did_people(inner) if inner.split()[0].isalpha() else None)
    if found := _AUXILIARY.match(sentence):
        return f"{found['head']}{_PAST[found['verb'].lower()]}{_of_others(sentence[found.end() :])}"
    first, _, rest = sentence.partition(" ")
    if first.lower() not in _IMPERATIVES.split() or not rest:
        return None
    if found := _HOW_TO_INSIDE.search(rest):
        return _how_did_people(found["rest"])
    return _how_did_people(f"{first.lower()} {re.sub(r'^(?:me|us) ', '', rest)}")


def _how_did_people(rest: str) -> str:
    return f"How did people {_of_others(rest)}"


def _of_others(text: str) -> str:
    """First persons become third ones."""
    return re.sub(r"\b(?:I|me|my|mine|myself|am)\b", lambda word: _FIRST_PERSON[word[0].lower()], text)


def _first_sentence(text: str) -> tuple[str, str]:
    found = re.search(r"[.?!]+(?=\s+[\"'(]?[A-Z])|\n", text)
    return (text, "") if found is None else (text[: found.end()], " " + text[found.end() :].lstrip())

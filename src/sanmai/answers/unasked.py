r"""What a text speaks of that is not its result, though a number is said of it: "The incorrect total is 8.", "Page 8".

A text that marks no answer may end in a number of another thing: a value that the words about it call wrong, rough, old or
made up, a bound, a place in a text. And what shows how an answer is to be written is none ("For example {"answer": 8}").
A question that has the word itself asks for the thing.
"""

from __future__ import annotations

import re

_RESULT = (
    r"(?:answers?|results?|totals?|sums?|values?|counts?|numbers?|amounts?|solutions?|figures?|prices?|costs?|products?"
    r"|differences?|"
    r"outputs?|guess(?:es)?|estimates?|choices?|quantity|quantities|responses?|readings?|approximations?|attempts?|conclusions?)"
)
_LESSER = (
    r"incorrect|false|bad|faulty|flawed|mistaken|erroneous|invalid|wrong|old|outdated|previous|prior|earlier"
    r"|hypothetical|alleged|"
    r"supposed|so-called|presumed|purported|candidate|tentative|provisional|preliminary|intermediate|interim"
    r"|placeholder|dummy|fake|"
    r"bogus|made-up|test|sample|example|default|input|given|na[iï]ve|tempting|trap|decoy|distractor|alternative"
    r"|estimated|approximate|"
    r"rough|crude|partial|temporary|running|target|claimed|rejected|discarded|unverified|unchecked|uncorrected|random|arbitrary"
)
_NOUNS = (
    r"(?:(?:upper|lower) )?bounds?|(?:upper|lower) limits?|(?:over|under)?estimates?|approximations?|guess(?:es)?|candidates?|"
    r"placeholders?|dummy|sub-?totals?|carry|carries|seeds?|confidence|difficulty|settings?|templates?|formats?"
    r"|hypothesis|mistakes?|"
    r"inputs?|incorrect|wrong|typo|partial sums?|versions?|misconceptions?|starting (?:values?|points?|guess(?:es)?)"
    r"|initial guess(?:es)?"
)
_PLACES = (
    r"page|line|step|problem|question|equation|exercise|chapter|section|figure|table|version|attempt|iteration|hint"
    r"|item|task|example|"
    r"case|part|theorem|lemma|footnote|slide|paragraph|appendix|problem set|test case|option|row|cell|message|turn|token"
)
_SPOKEN = re.compile(
    rf"\b(?P<lesser>{_LESSER})(?:[ -](?!of\b)[a-z]+){{0,1}}[ -]{_RESULT}\Z"
    rf"|(?:\A|[ -])(?P<noun>{_NOUNS})\Z"
    rf"|\b(?P<place>{_PLACES}) (?:numbers?|no\.?|#|id|index)\Z|\A(?:the |this )?(?P<own>{_PLACES})\Z"
    rf"|\A(?P<some>(?:a|an|one|another|some|any) (?:possible|potential|plausible|likely|conceivable)) [a-z ]+\Z",
    re.IGNORECASE,
)
"""What a subject ends in before "of ...", or is."""
_LED = re.compile(
    r"\b(?P<led>ignoring|neglecting|disregarding|excluding|omitting|leaving out|setting aside|forgetting|not counting|whether|"
    r"in (?:this|that|the (?:worst|best|first|second|other|former|latter)) case)\b",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"[\s>*_$-]*(?:(?:so|thus|therefore|hence|then|finally|and|now|in conclusion|overall),?\s+)*(?P<subject>[^=:\d]{1,120}?)"
    r"\s*(?:=|:|\b(?:is|are|was|were|equals|must be|comes to|becomes)\b|(?=[$\\(*]{0,3}-?\d))",
    re.IGNORECASE,
)
_OF = re.compile(r" (?:of|for|in|that|which|on|with|from) ", re.IGNORECASE)
MAX_LAST = 1_000
"""Characters at the end of an answer in which its last sentence is looked for."""


def is_of_another(text: str, question: str = "") -> bool:
    """Whether the last sentence of a text says its number of something else than the result.

    Example:
        is_of_another("The page number is 8.") and not is_of_another("The page number is 8.", "On what page does it begin?")
    """
    lines = text.strip()[-MAX_LAST:].splitlines()
    sentence = re.split(r"(?<=[.!?])\s+", lines[-1].strip())[-1] if lines else ""
    led = _LED.search(sentence)
    if led and not _is_asked(led["led"], question):
        return True
    found = _SUBJECT.match(sentence)
    if found is None:
        return False
    subject = re.sub(r"['’]s$", "", _OF.split(found["subject"].strip(" *_$"))[0])
    spoken = _SPOKEN.search(subject)
    return spoken is not None and not _is_asked(next(filter(None, spoken.groups())), question)


def _is_asked(words: str, question: str) -> bool:
    """Whether a question has the last of the words, in whatever form: it asks for the thing."""
    stem = words.split()[-1][:-1] if len(words) > 4 else words
    return re.search(rf"\b{re.escape(stem)}", question, re.IGNORECASE) is not None


_FORM_AHEAD = re.compile(
    r"\be\.\s?g\.?,?[\s:,`*$\\(\"']*\Z|(?:\A|[,;(\n])\s*[\W_]*(?:for (?:example|instance)|such as|(?:an? |the "
    r"|another )?(?:examples?|sample|template|format|"
    r"placeholder)(?: (?:of an? )?(?:answers?|outputs?|responses?|formats?|json|results?))?(?:(?:\s+(?:is|would be"
    r"|could be|looks like))?\s*:?"
    r"))[\s:,`*$\\(\"']*\Z"
    r"|\A(?!.*\b(?:in|per|following|using|with) (?:the|your|this|that)\b).*\b(?:(?:formats?|templates?|schema|syntax) (?:is|are|"
    r"(?:should|must|would|could|might|will) be)|(?:outputs?|answers?|responses?|repl(?:y|ies)|results?) (?:should|must"
    r"|would|could|"
    r"might|will) look)(?: (?:like|this|as follows|something)){0,3}[\s:,`*$\\(\"']*\Z"
    r"|\b(?:look(?:s|ing)? like|(?:respond|reply|answer|write|format\w*|return|output|print)(?: (?:it|this|that"
    r"|your answer|your response))?"
    r" (?:like|as in|exactly like|something like))(?: (?:this|that|so))?[\s:,`*$\\(\"']*\Z"
    r"|\b(?:use|using|follow|expects?|wants?|requires?|has|uses) (?:the|a|this|an) (?:\w+ )?(?:format|template|form"
    r"|schema|syntax)"
    r"[\s:,`*$\\(\"']*\Z",
    re.IGNORECASE,
)
_FORM_BEHIND = re.compile(
    r"[\s`*$)\"'}\]]*(?:(?:is|was|would be|could be|shows|serves as|being)\s+(?:(?:just|only|merely|simply"
    r"|purely)\s+)?(?:how|(?:an?|the)\s+"
    r"(?:\w+\s+)?(?:formats?|examples?|forms?|templates?|placeholders?|samples?|illustration|syntax|schema))\b"
    r"|would (?:then )?(?:be|have been) (?:the )?(?:right|correct|answer)|[,(—–-]{1,2}\s*(?:for example|for instance"
    r"|just an example|"
    r"an example|as an example)\b)",
    re.IGNORECASE,
)


def is_form(before: str, after: str) -> bool:
    r"""Whether what stands beside a box or tag in its sentence shows by it how answers are written, or would be.

    Example:
        is_form("The format is ", ".") and not is_form("In the format you gave: ", "")
    """
    return _FORM_AHEAD.search(before) is not None or _FORM_BEHIND.match(after) is not None

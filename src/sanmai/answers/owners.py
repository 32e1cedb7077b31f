"""Whose answer a sentence speaks of: another person's, or a part's, is not the final one."""

from __future__ import annotations

import re
from collections.abc import Iterable

_COPULA = re.compile(
    r"[:：—–=→]|\s-\s|\d|\$|\\|(?<![^\W\d_])(?:ist|lautet|beträgt|sind|es|son|sería|est|sont|vaut|è|sono|sarà|é|são|"
    r"será|is|zijn|bedraagt|luidt|är|blir|er|bliver|on|jest|to|wynosi|brzmi|je|činí|este|e|sunt|és|равен|равна|равно|составляет|это|есть|будет|є|дорівнює|"
    r"становить|είναι|là|adalah|ialah|yaitu|ni|ay|iku|హల|هي|هو|היא|הוא)(?![^\W\d_])"
)
_GERMAN_NOUNS = re.compile(r"\b(?:Frage|Aufgabe|Rechnung|Gleichung|Aufgabenstellung|Problem|Problems|Ganze|Ganzen)\b")
_OWN = {
    "zh": r"(?:题|題|题目|題目|问题|問題|我|我们|我們|你|最终|最終|最后|最後|正确|正確|式|式子|计算|計算|要求|所求|方程|综合|目)",
    "ja": r"(?:問題|問|問い|設問|式|計算|私|最終|以上|方程式|今回|ここで|質問)",
    "ko": r"(?:문제|질문|식|우리|최종|방정식|구하는|위)",
}
_OF = {
    "zh": r"(\w{1,12})的[^\w，,、]*(?:最终|最終|最后|正确|正確)?$",
    "ja": r"(\w{1,12})の(?:最終的な|正しい)?\W*$",
    "ko": r"(\w{1,12})의\s*(?:최종\s*)?$",
}
_THAI_OF = re.compile(r"\s*ของ(?!โจทย์|ข้อ|คำถาม|เรา|ปัญหา|ฉัน|ผม)")
_CASELESS = frozenset({"hi", "bn", "mr", "te", "ta", "ur", "fa"})
_CASELESS_OF = re.compile(r"\w[\w\u0900-\u0dff]*\s+(?:का|की|के|चे|کا|کی|کے)\s*$|[\u0980-\u09ff]+র\s*$")
_TAMIL_QUESTION = re.compile(r"கேள்வி|கணக்கி|சிக்கலி|பிரச்சனை|சமன்பாட்டி|வினாவி|புதிரி")
_QUESTION = re.compile(r"प्रश्न|सवाल|समस्या|हमार|इस|मेर|आपक|প্রশ্ন|সমস্যা|আমাদের|আমার|এর|অঙ্ক|গণিত|সুতরাং|سوال|مسئل|ہمار|میر")
_GENITIVE = {
    **dict.fromkeys(("de", "nl", "sv", "no", "da"), re.compile(r"[^\W\d_]+(?:[sxz]|['’]s?)")),
    "tr": re.compile(r"\w+['’]\w+"),
    "fi": re.compile(r"\w+n"),
    "hu": re.compile(r"\w+"),
}
"""A name before the answer that owns it, where the language says it so."""
_NAMELESS = re.compile(
    r"(?:das|dies|dieses|unser|als|dus|alles|az?|tehát|így|ezért|végső|helyes|deci|oikean?|lopullinen|näin)",
    re.IGNORECASE,
)


def is_attributed(head: str, phrase: str, between: str, codes: Iterable[str]) -> bool:
    """Whether "head PHRASE between VALUE" names somebody as the owner of the answer ("Bobs Antwort", "la respuesta de Bob")."""
    codes = set(codes)
    copula = _COPULA.search(between)
    region = between[: copula.start()] if copula else between if len(between.split()) == 1 else ""
    for code in codes & set(_OF):
        owner = re.search(_OF[code], head)
        if owner and not re.search(_OWN[code] + "$", owner[1]):
            return True
    if "th" in codes and _THAI_OF.match(between):
        return True
    if "ta" in codes and re.search("\u0bbf\u0ba9\u0bcd\\s*$", head) and not _TAMIL_QUESTION.search(head[-20:]):
        return True
    if codes & _CASELESS:
        owner = _CASELESS_OF.search(head)
        return bool(owner and not _QUESTION.search(owner[0]))
    if {"ar", "he"} & codes and "zh" not in codes:
        words = re.match(r"\s+(\w+)\s+(?:هي|هو|היא|הוא)(?!\w)", between)
        return bool(words and not re.match(r"ال|ה", words[1]))
    last = re.search(r"([^\W\d_][\w'’]*)[\s*_]*$", head)
    is_name = last is not None and last[1][0].isupper() and not _NAMELESS.fullmatch(last[1])
    if last and is_name and any(_GENITIVE[code].fullmatch(last[1]) for code in codes & set(_GENITIVE)):
        return True
    names = re.findall(r"[^\W\d_][\w'’]+", _GERMAN_NOUNS.sub(" ", region))
    return any(name[0].isupper() for name in names)

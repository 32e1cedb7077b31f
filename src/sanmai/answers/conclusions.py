"""A last sentence that draws the conclusion: "Therefore, 27 students passed.", "Por lo tanto, Ana necesita 64 euros."

It begins with a word that concludes and states one number by a verb that is known to state one ("has", "costs"); a verb that
is not known may be a step that is still to be taken ("we add 5"), a bound ("exceeds 27") or a denial. So a right answer said by
another verb earns nothing.
"""

from __future__ import annotations

import re

from sanmai.answers import denials
from sanmai.answers.beside import ABOUT
from sanmai.answers.changes import is_changed
from sanmai.answers.forms import SPOILED_SENTENCE, of_a_whole, stated, without_contrast
from sanmai.answers.numbers import digits, in_figures, plain
from sanmai.answers.owners import is_attributed
from sanmai.answers.phrases import SENTENCE_END, is_spoiled
from sanmai.answers.unit_words import unit_beside
from sanmai.answers.vocabulary import words_pattern

_CONCLUDE: dict[str, str] = {
    "en": r"therefore|thus|hence|so(?! far)|consequently|in conclusion|as a result",
    "de": "also|daher|somit|folglich|deshalb|demnach|insgesamt", "nl": "dus|daarom|bijgevolg|in totaal",
    "es": "por (?:lo )?tanto|así que|en consecuencia|por consiguiente|en total",
    "fr": "donc|ainsi|par conséquent|au total|en conclusion", "it": "quindi|dunque|pertanto|perciò|in totale",
    "pt": "portanto|assim|por isso|no total", "ro": "prin urmare|deci|așadar|în total", "ca": "per tant|així",
    "sv": "alltså|därför|således|totalt", "da": "altså|derfor", "no": "altså|derfor|dermed",
    "fi": "siis|joten|näin ollen|yhteensä",
    "pl": "zatem|więc|dlatego|w sumie", "cs": "tedy|proto|takže|celkem", "hu": "tehát|ezért|így|összesen",
    "tr": "dolayısıyla|bu nedenle|böylece|yani|sonuç olarak|toplamda", "id": "jadi|maka|oleh karena itu|dengan demikian",
    "vi": "vậy|vì vậy|do đó|như vậy|suy ra", "sw": "kwa hivyo|kwa hiyo|hivyo", "tl": "samakatuwid|kaya",
    "ru": "итак|следовательно|таким образом|поэтому|в итоге", 
    "uk": "отже|тому|таким чином|усього", "bg": "следователно|значи|така",
    "el": "άρα|επομένως|συνεπώς", "ar": "إذن|لذلك|بالتالي|وبالتالي|لذا", "fa": "بنابراین|پس", 
    "ur": "لہذا|اس لیے", "he": "לכן|ולכן|אם כן",
    "hi": "इसलिए|अतः|इस प्रकार", "mr": "म्हणून|त्यामुळे", "bn": "সুতরাং|অতএব|তাই", "te": "కాబట్టి|అందువల్ల", "ta": "எனவே|ஆகவே",
    "th": "ดังนั้น|เพราะฉะนั้น", "ko": "따라서|그러므로|그래서", 
    "ja": "したがって|従って|よって|ゆえに|だから", "zh": "所以|因此|因而|故|于是|综上|综上所述",
}  # fmt: skip
_STARTS = {
    code: re.compile(
        rf"[\s*_>$\"'-]*(?:{words})" + ("" if code in ("ja", "zh", "th") else r"(?![^\W_])") + r"[\s,，、:：]*",
        re.IGNORECASE,
    )
    for code, words in _CONCLUDE.items()
}
_NUMBER = re.compile(r"[$€£¥₹₩]?\s?[-−]?\d+(?:[.,٫٬'’]\d+|[   ]\d{3}(?!\d))*(?:\s?\\?[%％])?")
_WORKING = re.compile(r"[=<>≈~±×÷^\\+*/(){}\[\]|:;\"“”«»‘]|[?？؟]|\d\s*[-–—]|\b[a-z]\b(?<![aiyoeu])", re.IGNORECASE)
_DENIES = re.compile(r"(?<!\w)(?:n['’]|ne\s)|n't\s|[不没沒未]|ない|ません|않|아니|못|없|ไม่|मत|नहीं|না\b", re.IGNORECASE)
MAX_WORDS = 14
MAX_CHARS_UNSPACED = 40
MAX_TAIL = 1_000
"""Characters at the end of an answer in which its last sentence is looked for."""


def concluded_value(answer: str) -> str | None:
    """The one number, with its unit, that the last sentence of a text concludes with; None where there is no such sentence."""
    tail = without_contrast(answer[-MAX_TAIL:]).strip(" \n*_.。।>")
    starts = [m.end() for m in SENTENCE_END.finditer(tail)]
    sentence = tail[starts[-1] if starts else 0 :]
    for code, pattern in _STARTS.items():
        if (start := pattern.match(sentence)) and (value := _value(code, sentence[start.end() :])) is not None:
            return value
    return None


_COUNTED = re.compile(
    r"[$€£]?\d[\d,.]* [a-z]+"
    r"(?: (?:passed|remain|remained|are left|were left|left|are needed|were needed|were sold|were used|in total))?\s*"
)
_TO_COME = re.compile(
    r"\b(?:to|fails?|failed|wants?|tries|tried|hopes?|must|should|shall|cannot|can|until|when|before|after|option|step|line"
    r"|part|case|number|we|but|under|over|exceeds?|differs?)\b",
    re.IGNORECASE,
)


def _states_in_english(said: str) -> bool:
    """Whether the rest of a sentence states its number as it is: "she has 15 apples", "27 students passed"."""
    text = said.strip()
    if _COUNTED.fullmatch(text):
        return True
    sentence = text[:1].upper() + text[1:]
    return stated(sentence) != sentence and not _TO_COME.search(sentence)


def _value(code: str, said: str) -> str | None:
    said = re.sub(r"[*_]{2,}|\$(?=[^$\d]*\$)", " ", in_figures(digits(said)))
    numbers = list(_NUMBER.finditer(said))
    if (
        len(numbers) != 1
        or len(said.split()) > MAX_WORDS
        or (" " not in said.strip() and len(said) > MAX_CHARS_UNSPACED)
    ):
        return None
    before, after = said[: numbers[0].start()], said[numbers[0].end() :]
    if not (_states_in_english(said) if code == "en" else words_pattern("states", (code,)).search(f"{before} | {after}")):
        return None
    words = f"{of_a_whole(before)} | {after}"
    if _WORKING.search(words.replace("|", "")) or SPOILED_SENTENCE.search(words) or denials.is_others(before):
        return None
    about = re.search(rf"(?<![^\W_])(?:{ABOUT.get(code, '(?!)')})(?![^\W_])", words, re.IGNORECASE)
    if about or is_spoiled((code,), "", before, after) or is_changed(f" | {before}#{after}", [code]):
        return None
    if is_attributed(before, "", after, [code]) or _DENIES.search(words):
        return None
    number = numbers[0][0]
    sign = "-" if re.search(r"[-−]", number) else ""
    percent = "%" if re.search(r"[%％]", number) else ""
    return sign + plain(re.sub(r"[^\d.,٫٬'’   ]", "", number).strip()) + (percent or unit_beside(after))

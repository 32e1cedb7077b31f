"""How a final answer is said in many languages: the one reader of answers/words.py.

A mark is a phrase ("die Antwort"); what counts is the one number or letter that its sentence states after it, or before it
("also ist 18 die Antwort"). A word of that language that denies, asks, hedges, attributes or takes back spoils it where it
touches it, and so does a second number, and a word that is not known to be harmless (answers/plain.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from sanmai.answers.changes import is_changed
from sanmai.answers.numbers import digits, in_figures, plain
from sanmai.answers.owners import is_attributed
from sanmai.answers.plain import concluded, is_plain, own_clause
from sanmai.answers.unit_words import unit_beside
from sanmai.answers.vocabulary import UNSPACED, languages_of, names_pattern, words_pattern

SHARED_SPOILERS = re.compile(
    r"[?？؟;≠~≈✗✘❌❎❓❔⛔🚫🤔🤷👎]|\b(?:not|or|maybe|perhaps|wrong|wait|if|said|says|thinks|suppose)\b", re.IGNORECASE
)

SENTENCE_END = re.compile(r"[!?;。．।؟！？；\n]|\.(?=\s|$|[*_\"'”’)<])|</answer>")
_FIGURE = r"[-−]?\d+(?:[.,٫٬'’]\d+|[   ]\d{3}(?!\d))*(?:/\d+)?"
_CLOCK = r"(?<![\d:])\d{1,2}:\d{2}(?![\d:])(?:\s?[ap]m(?![A-Za-z]))?"
_CLOCK_HAND = re.compile(r"\s*(?:(?:uhr|horas?|heures?|ore|uur|h|часов|часа|годин)(?!\w)|[^\w\s]|\Z)", re.IGNORECASE)
_NUMBER = re.compile(rf"{_CLOCK}|{_FIGURE}(?:\s?\\?[%％])?")
_SPAN = re.compile(
    r"\$\$?(?P<dollars>[^$\n]{1,200})\$\$?|(?P<set>(?<!\w)\{-?\d[-\d., ]*\})|"
    r"\\\((?P<round>[^\n]{1,200}?)\\\)|\\\[(?P<square>[^\n]{1,200}?)\\\]"
)
_LETTER = re.compile(
    r"(?:^|(?<=[\s:：*_«「『,，]))(?:[*_]{0,2}[(（])?"
    r"(?P<letter>(?<![^\W_])[A-J](?![A-Za-z0-9_\u00c0-\u024f]|['’](?![dt][ıiuü]r(?!\w))))(?P<close>[)）])?(?:['’][dt][ıiuü]r)?(?P<after>[*_]*[.:、,，)]?)"
    r"|(?<=[^\x00-\u024f])(?P<glued>[A-J])(?![^\W_])|(?<=[^\x00-\u024f])(?P<joined>[A-J])(?=[\u3000-\u9fff\uac00-\ud7a3])"
)
_WORD = r"[^\W\d_][\w'’]*"
_PROSE = re.compile(rf"(?<!\\)\b{_WORD}\s+{_WORD}")
_TEXT = re.compile(r"\\text\s*\{[^}]*\}")
_BOLD = re.compile(r"\*\*|__|(?<!\d)\*(?=[-$\d])|(?<=\d)\*(?!\s*\d)")
_ALONG = re.compile(
    r"(?<!\w)(?:und|y|e|et|i|en|och|og|ja|és|ve|và|dan|at|na|и|і|й|та|και|و|और|तथा|এবং|మరియు|மற்றும்|ו)(?!\w)|[和与及と]|그리고|와|과|และ"
)
"""And, in many languages."""
_BREAK = re.compile(r"[ \t*_#:：]*\n[\s*_#>]*")
_LISTED = re.compile(r"(?<=[:：—] )(-?\d+(?:; ?-?\d+)+)(?=[.\s]*$)", re.MULTILINE)
"""A list after a colon as Russian and others write it: 1; 2."""
_FORMULA_LIST = re.compile(r"\$[^$\n]{1,200}\$|\\\([^\n]{1,200}?\\\)")
MAX_TAIL = 2_000
"""Characters at the end of an answer in which a phrase is looked for."""
MAX_SENTENCE = 300
MAX_PHRASES = 20


@dataclass(frozen=True)
class Said:
    """What a sentence states beside a phrase: its answer, the number's unit, and how."""

    value: str
    unit: str
    end: int
    is_spoiled: bool
    is_plain: bool
    """All the words around it are known to leave it what it is."""


def last_said(answer: str) -> str | None:
    """The answer that a text without any other mark states beside a phrase; None where none does, or not plainly.

    Example:
        last_said("Tiene 5 + 6 = 11. La respuesta es 11.") == "11"
    """
    text = re.sub(r"(?<=[\d)}\]]);(?=\s*[-+\d\\({\[])", ",", _LISTED.sub(r"{\1}", answer[-MAX_TAIL:]))
    text = re.sub(r"([ap])\.\s?m\.", r"\1m.", text)
    text = _FORMULA_LIST.sub(lambda m: m[0].replace(";", ","), text)
    found = list(names_pattern().finditer(text))[-MAX_PHRASES:]
    stops = [*(match.start() for match in found[1:]), len(text)][: len(found)]
    stated = [(m, said(text, m.start(), m.end(), stop)) for m, stop in zip(found, stops, strict=True)]
    numbers = [(match, spoken) for match, spoken in stated if spoken is not None]
    if not numbers or numbers[-1][1].is_spoiled:
        return None
    plain = [(match, spoken) for match, spoken in numbers if spoken.is_plain and not spoken.is_spoiled]
    if not plain:
        return None
    match, last = plain[-1]
    if any(
        (s.value != last.value and not s.is_spoiled) or (s.value == last.value and s.is_spoiled) for _, s in numbers
    ):
        return None
    tail = text[numbers[-1][1].end :]
    return None if rivalled(languages_of(match[0], text), tail, last.value) else last.value + last.unit


def names_answer(text: str) -> bool:
    """Whether a text speaks of an answer in any language: where it states none plainly, it is no bare answer either."""
    return names_pattern().search(text) is not None


def denies(before: str) -> bool:
    """Whether what a sentence says before its answer names it in some language and denies it there: "La respuesta no es"."""
    for match in names_pattern().finditer(before):
        codes = languages_of(match[0], before)
        if codes == ["en"]:
            continue
        parts = (before[: match.start()], before[match.end() :], "")
        if is_spoiled(codes, *parts) or is_attributed(parts[0], match[0], parts[1], codes):
            return True
    return False


def said(text: str, start: int, end: int, stop: int) -> Said | None:
    """What the sentence around the phrase text[start:end] states; None when it states no answer."""
    begin = max([max(0, start - 200), *(m.end() for m in SENTENCE_END.finditer(text, max(0, start - 200), start))])
    head = text[begin:start]
    codes = languages_of(text[start:end], text[begin : end + 100])
    broken = _BREAK.search(text, end, min(stop, end + 60))
    if broken and not is_glue(codes, text[end : broken.start()], most=0):
        broken = None  # the line goes on with more than "the final answer:"
    body = broken.end() if broken else end
    limit = min(max(stop, body), end + MAX_SENTENCE)
    finish = SENTENCE_END.search(text, body, limit)
    close = finish.start() if finish else limit
    is_asked = text[close : close + 1] in ("?", "？", "؟", ";") and text[close : close + 1] != ""
    is_colon = broken is not None or re.match(r"[\s*_]*[:：]", text[end:close]) is not None
    if "en" not in codes:
        parts = _parted(codes, text[body:close])
        if parts is not None:
            before, value, after = parts
            spoiled = is_asked or value.is_several or is_spoiled(codes, concluded(head), before, after)
            spoiled |= not value.is_letter and is_changed(f"{own_clause(head)} | {before}#{after}", codes)
            spoiled |= is_attributed(head, text[start:end], ":" if is_colon else before, codes)
            noun_first = before.split()[-1:] if "sw" in codes else []
            unit = unit_beside(after) or unit_beside("".join(noun_first)) if value.is_plain else ""
            behind = "" if value.has_text else after
            plain = is_plain(codes, head, before, value.between, behind, is_colon=is_colon)
            return Said(value.text, unit, close, spoiled, plain)
    return _inverted(codes, head, text[start:end], text[end:close], close, is_asked)


@dataclass(frozen=True)
class _Value:
    text: str
    is_letter: bool = False
    is_several: bool = False
    is_plain: bool = False
    """Plain digits, not a formula or a letter."""
    between: str = ""
    """What stands between its first and its last mention."""
    has_text: bool = False
    """A letter with the text of its choice behind it."""


def _parted(codes: list[str], rest: str) -> tuple[str, _Value, str] | None:
    """(what stands before it, the one value that the rest of a sentence states, what stands behind it)."""
    rest = _contrast().sub(" ", in_figures(digits(rest)))
    rest = re.sub(r"(?<![\d:])(\d{1,2})\s?h\s?(\d{2})(?!\d)", r"\1:\2", rest)
    found = _SPAN.search(rest) or _NUMBER.search(_BOLD.sub(" ", rest))
    if found is not None and found.re is _NUMBER:
        rest = _BOLD.sub(" ", rest)
    if found is None:
        return _parted_letter(codes, rest)
    reason = words_pattern("why", tuple(codes)).search(rest, found.end())
    if reason:
        rest = rest[: reason.start()]
    rest = _without_asides(codes, rest, found.end())
    spans = [match for match in _SPAN.finditer(rest) if not _PROSE.search(_TEXT.sub("", match[0]))]
    if spans:
        outside = _SPAN.sub(" ", rest)
        texts = {next(filter(None, m.groups())).strip() for m in spans}
        value = next(filter(None, spans[-1].groups())).strip()
        between = rest[spans[0].end() : spans[-1].start()]
        if len(texts) > 1 and (listed := _listed(codes, rest, spans)):
            texts, value, between = {listed}, listed, ""
        is_several = len(texts) > 1 or _NUMBER.search(outside) is not None
        return rest[: spans[0].start()], _Value(value, False, is_several, between=between), rest[spans[-1].end() :]
    rest = re.sub(r"[-+*/×·÷()\d.,\s$]*\d[\d)\s$]*=\s*(?=[-$]?\d)", " ", rest)  # 5 + 6 = 11
    numbers = list(_NUMBER.finditer(rest))
    values = {_plain(m[0]) for m in numbers}
    first, last = numbers[0], numbers[-1]
    is_several = len(values) > 1 or re.search(r"\d\s*[-+*^×÷]|\d\s*/(?!\d)|\\[a-z]|[\d.]/\d+/", rest) is not None
    is_several = is_several or (":" in first[0] and first[0][-1] != "m" and _CLOCK_HAND.match(rest, last.end()) is None)
    option = re.search(r"(?<![^\W_])[(（]?([A-J])[)）][\s:.]*$", rest[: first.start()])
    text = f"({option[1]}) {_plain(first[0])}" if option else _plain(first[0])
    text += "%" if re.search(r"[%％٪]\s*$", rest[: first.start()]) else ""
    return (
        rest[: option.start() if option else first.start()].rstrip("-−–"),
        _Value(_sign(rest, first) + text, False, is_several, True, rest[first.end() : last.start()]),
        rest[last.end() :],
    )


def _listed(codes: list[str], rest: str, spans: list[re.Match[str]]) -> str | None:
    """One list for formulas with nothing but "or", "and" and commas between them: all are named alike, or none is."""
    joints = [rest[a.end() : b.start()] for a, b in pairwise(spans)]
    either, along = words_pattern("either", tuple(codes)), _ALONG
    if any(along.sub(" ", either.sub(" ", joint)).strip(" ,，、;") for joint in joints):
        return None
    texts = [next(filter(None, m.groups())).strip() for m in spans]
    names = {(re.match(r"([A-Za-z])(?:_\{?\w\}?)?\s*=", text) or [None, None])[1] for text in texts}
    return ", ".join(texts) if len(names) == 1 else None


def _sign(rest: str, number: re.Match[str]) -> str:
    """The minus before a number that the currency stands between."""
    return "-" if re.search(r"(?<![\w–—])[-−]\$$", rest[: number.start()]) else ""


def _plain(number: str) -> str:
    """Plain digits, with the sign and the percent sign."""
    body = number.lstrip("-−").rstrip("%％\\ ")
    return ("-" if number[0] in "-−" else "") + plain(body) + ("%" if number[-1] in "%％" else "")


def _parted_letter(codes: list[str], rest: str) -> tuple[str, _Value, str] | None:
    found = [m for m in _LETTER.finditer(rest)]
    if not found:
        return None
    first = found[0]
    letter = first["letter"] or first["glued"] or first["joined"]
    before, after = _BOLD.sub(" ", rest[: first.start()]), rest[first.end() :]
    reason = words_pattern("why", tuple(codes)).search(after)
    is_joined = bool(first["glued"] or first["joined"])
    is_closed = is_joined or bool(first["close"] or first["after"]) or is_glue(codes, after, most=0)
    if not is_closed and not (reason and not after[: reason.start()].strip()):
        return None
    if set(codes).isdisjoint(UNSPACED) and len(before.split()) > 4:
        return None
    if reason:
        after = after[: reason.start()]
    others = {m["letter"] or m["glued"] or m["joined"] for m in _LETTER.finditer(after)} - {letter}
    is_text_next = bool(first["close"] or first["after"])  # "B) El Nilo"
    return before, _Value(letter, True, bool(others), has_text=is_text_next), after


def _without_asides(codes: list[str], rest: str, start: int) -> str:
    """The rest of a sentence without the notes in brackets behind its value that tell how, not how many else."""

    def keep(match: re.Match[str]) -> str:
        numbers = len(_NUMBER.findall(match[0]))
        is_doubt = is_spoiled(codes, "", "", match[0]) or re.search(r"[?？=≈~]", match[0])
        is_note = re.search(r"[^\W\d_]{2}", match[0]) is not None and (numbers == 0 or numbers > 1) and not is_doubt
        return " " if is_note or _contrast().search(", " + match[0][1:-1]) else match[0]

    return rest[:start] + re.sub(r"[(（][^()（）\n]{1,120}[)）]", keep, rest[start:])


def _inverted(codes: list[str], head: str, phrase: str, rest: str, close: int, is_asked: bool) -> Said | None:
    """What stands before a phrase that ends its sentence: "also ist 18 die Antwort", 18が答えです."""
    if not is_glue(codes, rest) or re.search(r"[:：]", rest):
        return None
    head = _BOLD.sub(" ", in_figures(digits(head)))
    values = list(_NUMBER.finditer(head)) or [m for m in _LETTER.finditer(head) if m["letter"]]
    if len(values) != 1 or not is_glue(codes, head[values[0].end() :]):
        return None
    before, after = head[: values[0].start()], head[values[0].end() :] + phrase + rest
    is_letter = values[0].re is _LETTER
    value = values[0]["letter"] if is_letter else _plain(values[0][0])
    if not is_letter and re.search(r"[-+*/^=√\\]\s*\$?$|\d$", before):
        return None
    spoiled = is_asked or is_spoiled(codes, before, "", after)
    spoiled |= not is_letter and is_changed(f"{before}#{after}", codes)
    return Said(value, "", close, spoiled, is_plain(codes, "", before, "", after, is_colon=False))


def is_glue(codes: list[str], text: str, most: int = 1) -> bool:
    """Whether a text is nothing but copulas, articles and the like, and `most` units or things counted."""
    text = re.sub(r"[\s*_,.)$€£«»\"'”’]+", " ", text)
    left = words_pattern("glue", tuple(codes)).sub(" ", text).split()
    if left and set(codes).isdisjoint(UNSPACED) and not text.strip().startswith(left[0]):
        return False  # "18 Dollar ist die Antwort", but not "18 ist Bobs Antwort"
    if set(codes) & UNSPACED:
        return len("".join(left)) <= 4 * most
    return len(left) <= most and all(len(word) < 12 for word in left)


def is_spoiled(codes: Iterable[str], head: str, before: str, after: str) -> bool:
    """Whether the sentence "head PHRASE before VALUE after" denies, doubts, supposes or rivals its value."""
    codes = tuple(codes)
    fine = words_pattern("fine", codes)
    head, before, after = (fine.sub(" ", part) for part in (head, before, after))
    if SHARED_SPOILERS.search(f"{head} {before} {after}"):
        return True
    whole = f"{head} | {before}#{after}"
    if words_pattern("spoils", codes).search(whole):
        return True
    if words_pattern("turns", codes).search(after) or words_pattern("back", codes).search(after):
        return True
    either = words_pattern("either", codes)
    if any(len(match[0]) > 1 for match in either.finditer(head)):
        return True
    touching = re.search(r"(?:^|.*[\s\d])(\S+)\W*$", before)
    if touching and either.fullmatch(touching[1]):
        return True
    reach = re.match(r".{0,6}" if set(codes) & UNSPACED else rf"(?:\W{{0,4}}{_WORD}){{0,4}}", after)
    return reach is not None and either.search(reach[0]) is not None


_EXPLAINED = re.compile(
    r"^[\W_]{0,6}(?:erklärung|begründung|probe|überprüfung|rechnung|lösungsweg|comprobación|explicación|verificación|"
    r"vérification|explication|verifica|spiegazione|verificação|explicação|uitleg|controle|проверка|объяснение|решение|пояснение|перевірка|"
    r"wyjaśnienie|sprawdzenie|açıklama|kontrol|giải thích|kiểm tra|penjelasan|pembahasan|maelezo|"
    r"解释|解析|验证|验算|说明|説明|検算|解説|설명|풀이|검산|คำอธิบาย|ตรวจสอบ|व्याख्या|स्पष्टीकरण|ব্যাখ্যা|వివరణ|شرح|التوضيح|توضیح|הסבר|explanation|check)\s*[*_]*\s*[:：\n]",
    re.IGNORECASE | re.MULTILINE,
)
_WORKED = re.compile(r"\d\s*\S{0,12}\s*(?:[-+*/=×÷·]|\\times|\\cdot)\s*\$?\(?\d")


def rivalled(codes: list[str], tail: str, value: str) -> bool:
    """Whether a later sentence takes an answer back, or is hardly more than another one: an explanation may follow."""
    tail = words_pattern("fine", tuple(codes)).sub(" ", digits(tail))
    explanation = _EXPLAINED.search(tail)
    is_letter = re.fullmatch("[A-J]", value) is not None
    position = 0
    for sentence in filter(str.strip, SENTENCE_END.split(tail)):
        position = tail.find(sentence, position)
        condemned = re.match(r"\W*(?:\w+\s)?[(（]?(?<![^\W_])([A-J])(?![^\W_])", sentence)
        if is_letter and condemned and condemned[1] != value and len(sentence.split()) > 2:
            continue  # "(A) ist falsch, weil ..."
        is_no = re.match(r"\W*(?:no|nu|ne)\s*(?:[,.!]|$)", sentence, re.I)
        if is_no or words_pattern("back", tuple(codes)).search(sentence):
            return True
        is_explained = explanation is not None and position >= explanation.start()
        if not is_explained and _is_rival(codes, sentence, value, is_letter):
            return True
    return False


def _is_rival(codes: list[str], sentence: str, value: str, is_letter: bool) -> bool:
    if is_letter:
        letters = {m["letter"] or m["glued"] or m["joined"] for m in _LETTER.finditer(sentence)}
        return bool(letters - {value}) and len(sentence.split()) <= 3
    numbers = [_plain(found) for found in _NUMBER.findall(sentence)]
    others = {number for number in numbers if number.lstrip("-") != value.lstrip("-")}
    if not others:
        return False
    is_worked = _WORKED.search(sentence) is not None or len(others) > 1
    is_either = words_pattern("either", tuple(codes)).search(sentence) is not None
    return not is_worked or is_either or is_spoiled(codes, "", sentence, "")


@cache
def _contrast() -> re.Pattern[str]:
    """Another number that a clause behind the answer denies: "18, nicht 17"."""
    nots = (
        r"nicht|no|pas|et non|non|non pas|não|e não|y no|e non|niet|en niet|inte|och inte|ikke|og ikke|nie|"
        r"a nie|не|а не|і не|ne|nem|değil|không phải(?: là)?|bukan|si|sio|nu|δεν|όχι|"
        r"وليس|وليست|لا|نه|לא|ולא|不是|而不是|而非|ではなく|아니라"
    )
    other = rf"(?:\$?{_FIGURE}|[(（]?[A-J][)）]?)(?![\w.,]*\d)"
    return re.compile(rf"[,，、]\s*(?:und |y |et |e |en |och |og |i |и |і )?(?:{nots})\s*{other}", re.IGNORECASE)

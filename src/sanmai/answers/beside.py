"""What touches a box in the words of any language, and takes it back there: a denial, a doubt, a rival, a scale.

The words are those of answers/words.py. A box stands in any prose, whose other words may look like a spoiler of another
language: only the languages that its sentence is plausibly in count, and only words with nothing but copulas, articles and
the like between them and the box.
"""

from __future__ import annotations

import re
from functools import cache

from sanmai.answers import units
from sanmai.answers.changes import is_changed
from sanmai.answers.numbers import digits, in_figures, plain
from sanmai.answers.phrases import SENTENCE_END, is_glue
from sanmai.answers.quantities import clock
from sanmai.answers.unit_names import COUNTED, THINGS
from sanmai.answers.unit_words import unit_beside
from sanmai.answers.vocabulary import UNSPACED, WORDS, names_pattern, word_regex, words_pattern

ABOUT: dict[str, str] = {
    "de": "ungefähr|etwa|rund|circa|ca|annähernd|knapp|fast|beinahe",
    "es": "aproximadamente|alrededor de|cerca de|casi|unos|unas",
    "fr": "environ|à peu près|approximativement|presque|autour de", "it": "circa|approssimativamente|quasi|all'incirca|intorno a",
    "pt": "aproximadamente|cerca de|quase|por volta de", "ca": "aproximadament|gairebé", "ro": "aproximativ|circa|cam|aproape",
    "nl": "ongeveer|circa|bijna", "sv": "ungefär|cirka|nästan", "no": "omtrent|cirka|nesten", "da": "omtrent|cirka|næsten",
    "fi": "noin|lähes|suunnilleen", "pl": "około|prawie|mniej więcej|w przybliżeniu", "cs": "přibližně|asi|zhruba|skoro",
    "hu": "körülbelül|nagyjából|majdnem", "tr": "yaklaşık|aşağı yukarı|neredeyse", "vi": "khoảng|xấp xỉ|gần bằng|gần",
    "id": "sekitar|kira-kira|kurang lebih|hampir", "ms": "kira-kira|lebih kurang|hampir", "tl": "humigit-kumulang|halos|mga",
    "jv": "kira-kira|udakara|meh", "sw": "takriban|karibu", "ru": "примерно|около|приблизительно|почти|порядка",
    "uk": "приблизно|близько|майже", "bg": "приблизително|около|почти", "el": "περίπου|σχεδόν",
    "ar": "تقريبا|تقريبًا|تقريباً|حوالي|نحو", "fa": "تقریبا|تقریباً|حدود", "ur": "تقریبا|تقریباً|لگ بھگ", "he": "בערך|כמעט",
    "hi": "लगभग|करीब|तकरीबन", "mr": "सुमारे|अंदाजे", "bn": "প্রায়|প্রায়|আনুমানিক", "te": "సుమారు|దాదాపు", "ta": "சுமார்|ஏறக்குறைய",
    "th": "ประมาณ|ราวๆ|เกือบ", "ko": "약|대략|거의", "ja": "約|およそ|おおよそ|ほぼ", "zh": "大约|约|大概|約|大約|差不多|将近",
}  # fmt: skip
"""Says before a number that it is not exact."""
SCALES: dict[str, str] = {
    "de": "tausend|million+|milliard+|dutzend+|hundert", "es": "mil|miles|millón|millones|docena+|cientos",
    "fr": "mille|milliers|million|millions|milliard+|douzaine+", "it": "mila|mille|milione|milioni|miliard+|dozzin+",
    "pt": "mil|milhão|milhões|milhares|bilh+|dúzia+", "ca": "mil|milió|milions|dotzen+", "ro": "mii|mie|milion+|miliard+|duzin+",
    "nl": "duizend|miljoen+|miljard+|dozijn", "sv": "tusen|miljon+|miljard+|dussin", "no": "tusen|million+|milliard+|dusin",
    "da": "tusind|million+|milliard+|dusin", "fi": "tuhat+|miljoon+|miljard+|tusina+", "pl": "tysi+|milion+|miliard+|tuzin+",
    "cs": "tisíc+|milion+|miliard+|tucet+|tuctů", "hu": "ezer+|millió+|milliárd+|tucat+", "tr": "bin|milyon|milyar|düzine",
    "vi": "nghìn|ngàn|triệu|tỷ|tá|trăm", "id": "ribu|juta|miliar|lusin|ratus", "ms": "ribu|juta|bilion|dozen|ratus",
    "tl": "libo|libong|milyon|dosena", "jv": "ewu|yuta|lusin", "sw": "elfu|milioni|bilioni|dazeni",
    "ru": "тысяч+|миллион+|миллиард+|сотен|дюжин+|тыс|млн|млрд", "uk": "тисяч+|мільйон+|мільярд+|дюжин+|тис|млн|млрд",
    "bg": "хиляд+|милион+|милиард+|дузин+", "el": "χιλιάδ+|εκατομμύρι+|δισεκατομμύρι+|ντουζίν+",
    "ar": "ألف|آلاف|ألفا|مليون|ملايين|مليار|دزينة", "fa": "هزار|میلیون|میلیارد|دوجین", "ur": "ہزار|لاکھ|کروڑ|ملین|درجن",
    "he": "אלף|אלפים|מיליון|מיליארד|תריסר", "hi": "हज़ार|हजार|लाख|करोड़|करोड|दर्जन", "mr": "हजार|लाख|कोटी|डझन",
    "bn": "হাজার|লাখ|লক্ষ|কোটি|ডজন", "te": "వేలు|వేల|లక్ష+|కోట్ల+|కోటి|డజను+", "ta": "ஆயிரம்|லட்சம்|கோடி|டஜன்",
    "th": "พัน|หมื่น|แสน|ล้าน|โหล", "ko": "천|만|억|조|다스|정도|쯤|여 ", "ja": "百|千|万|億|兆|ダース|程度|くらい|ぐらい|前後",
    "zh": "十|百|千|万|萬|亿|億|兆|打|左右|上下|多万",
}  # fmt: skip
"""Makes another number of the one before it, or no exact one."""
COMMON: dict[str, str] = {
    "en": "a|an|the|of|in|on|at|to|for|by|from|with|and|or|not|no|is|are|was|be|it|its|this|that|these|there|here|so|thus|"
          "hence|then|therefore|we|you|he|she|they|i|our|my|his|her|their|get|gets|have|has|had|give|gives|given|find|finds|"
          "equals|equal|number|total|sum|value|result|answer|which|who|what|when|where|if|as|but|because|since|only|each|"
          "per|all|more|less|than|after|before|into|left|must|can|will|would|let|one|two|part|times|now|also|says|said",
    "de": "der|die|das|und|in|den|dem|des|mit|von|zu|zum|wir|ein|eine|einen|haben|hat|im|für|aus|sich|er|sie|es|wird|nach|man",
    "es": "el|la|los|las|de|del|en|y|que|un|una|se|por|para|con|al|su|hay|tiene|ha|es|obtenemos|entre",
    "fr": "le|la|les|de|du|des|en|et|un|une|on|que|pour|avec|au|aux|dans|il|elle|ce|nous|est|obtient|par|se|entre",
    "it": "il|lo|la|i|gli|le|di|del|della|e|in|un|una|si|che|per|con|al|ha|da|abbiamo|quindi",
    "pt": "o|a|os|as|de|do|da|em|e|um|uma|que|por|para|com|ao|temos|tem|no|na|se|entre",
    "nl": "de|het|een|en|van|in|we|op|te|met|zijn|heeft|voor|hij|dat|er",
    "sv": "en|ett|och|av|i|för|med|vi|som|till|har|den|det", "no": "en|et|og|av|i|for|med|vi|som|til|har|den|det",
    "da": "en|et|og|af|i|for|med|vi|som|til|har|den|det", "pl": "i|w|z|na|do|się|mamy|ma", "cs": "a|v|s|na|do|se|máme",
    "tr": "bir|ve|bu|ile|için", "id": "dan|di|ke|ini|ada|kita", "vi": "và|có|các|một|ta|được", "ca": "i|de|del|en|els|un|una",
    "ru": "и|в|на|с|у|мы|из|по|то|получаем", "uk": "і|в|на|з|у|ми|та|то", "bg": "и|в|на|с|от|да|се",
}  # fmt: skip
"""Words that show a language and are no spoiler of another that its sentence may be in."""
_KINDS = ("named", "spoils", "either", "turns", "back", "glue", "why")
_LATEX = re.compile(r"\\(?:text|mbox|textbf|mathrm|quad|qquad|[,;!()\[\]])(?![A-Za-z])|[${}*_~]")
_BARE_NO = re.compile(
    r"(?:no|non|nein|nee|nej|nei|não|nie|nu|ne|nem|нет|ні|не|όχι|hayır|không|tidak|لا|نه|לא|नहीं|不|不是)\Z", re.I
)
_SHARE = re.compile(
    r"teil|partie|partea?|parts?|deel|del|osa|część|części|část|část|част[ьи]|частин[аи]|част|μέρος|bagian|bahagian|sehemu|muda|"
    r"الجزء|بخش|حصہ|חלק|भाग|অংশ|భాగం|பகுதி|部分|부분|중간|中间|中間|bahagi|bagean",
    re.IGNORECASE,
)
"""A part may be what is asked for: before a box it says nothing."""
_CONDITION = re.compile(
    r"(?:(?<![^\W_])(?:if|wenn|falls|si|se|als|om|hvis|jos|jeśli|jeżeli|pokud|ha|dacă|eğer|nếu|jika|kung|ikiwa|kama|если|якщо|"
    r"ако|αν|εάν|إذا|اگر|אם|यदि|अगर|যদি|ถ้า)(?![^\W_])|如果|若|假如|もし|만약)"
    r"[^.!?。\n]{0,12}?[A-Za-z][\s$]*(?:[<>≤≥≠]|\\(?:ge|geq|le|leq|ne|neq|lt|gt)(?![a-z]))[^.!?。\n,，、]{0,20}[,，、]\s*[$\s]*"
    r"(?:[^\W\d_]{1,9}\s*)?[:\s$*]*\Z",
    re.IGNORECASE,
)
_NUMBER_NEXT = re.compile(r"[\s$*(\\{]*(?:boxed\{)?\s*([-−]?\d[\d.,]*)")
MAX_REACH = 200
MAX_RETRACTION_WORDS = 5


def is_spoiled(before: str, value: str, after: str, *, takes_about: bool) -> bool:
    r"""Whether the sentence "before \boxed{value} after" denies, doubts, supposes, rivals or scales its box where it touches it.

    Args:
        takes_about: "etwa \boxed{17}" is an answer, as it is to a question for a rounded number.
    """
    if _CONDITION.search(before[-MAX_REACH:]):
        return True
    support = _bare(before[-2 * MAX_REACH :]) + " " + _bare(after[:MAX_REACH])
    head = _bare(SENTENCE_END.split(before[-MAX_REACH:])[-1])
    tail = _bare(SENTENCE_END.split(after[:MAX_REACH])[0])
    codes = languages_in(f"{head} | {tail}", support)
    return any(
        _spoils_ahead(code, codes, head, takes_about) or _spoils_behind(code, codes, tail, value, takes_about)
        for code in codes
    )


_COUNTED = re.compile(
    r"(?P<value>-?\d[\d.,]*(?:\\,\d{3})*)\s*(?:\\text\s*\{\s*)?(?P<noun>[^\W\d_][^\d{}$\\()+*/=<>^,;:?!_-]{0,30}?)\.?\s*\}?"
)
_NAMED = re.compile(r"\\text\s*\{\s*([^{}:：]{1,30}?)\s*[:：]\s*\}")


def counted(text: str, question: str) -> str:
    r"""The number of a box without what it counts in another language ("17 \text{ Äpfel}"), or with its unit in English.

    The noun is not in ASCII letters, a unit, or a word of the question. A word that makes another number of the number, denies or
    doubts it in any language comes back alone. "Antwort:" is left away where it names the answer.
    """
    named = _NAMED.match(text.strip())
    if named and names_pattern().fullmatch(named[1]):
        text = text.strip()[named.end() :].strip()
    if first := re.fullmatch(r"\\?%\s*(-?\d[\d.,]*)", text.strip()):
        return first[1] + r"\%"
    if clock(text.strip()):
        return text
    match = _COUNTED.fullmatch(text.strip())
    if match and in_figures(f"{match['value']} {match['noun']}").endswith("%"):
        return match["value"] + r"\%"
    if match is None or len(match["noun"].split()) > 2:
        return text
    if match["noun"].isascii() and (
        re.search(r"\d[a-z]", text, re.IGNORECASE) or min(map(len, match["noun"].split())) < 3
    ):
        return text  # letters that touch a number are factors
    if re.search("[²³⁻½⅓⅔¼-¾⅐-⅞]|^[\u0370-\u03ff]$", match["noun"]) or units.NO_UNIT.search(match["noun"]):
        return (
            text  # powers, as of cm², and \pi; English words that make another number of it are worked out, or no unit
        )
    noun, unit = match["noun"], unit_beside(match["noun"])
    is_asked = re.search(rf"(?<![^\W_]){re.escape(noun)}(?![^\W_])", question, re.IGNORECASE) is not None
    is_counted = noun.casefold() in COUNTED
    if not (unit or is_asked or is_counted) and _is_doubtful(noun):
        return noun
    is_thing = noun.casefold() in THINGS or _is_asked_otherwise(noun, question)
    if not (unit or is_asked or is_thing or not noun.isascii()) or _is_doubtful(noun):
        return text
    return plain(match["value"]) + unit


def _is_asked_otherwise(noun: str, question: str) -> bool:
    """Whether a question has the noun with another ending: "Quante mele ..." of "17 mela"."""
    stem = noun[: max(4, len(noun) - 2)]
    return (
        len(noun) >= 4
        and re.search(rf"(?<![^\W_]){re.escape(stem)}[^\W\d_]{{0,3}}(?![^\W_])", question, re.I) is not None
    )


def _is_doubtful(noun: str) -> bool:
    """Whether a word behind a number changes, scales, denies or doubts it in any language."""
    return is_changed(f"# {noun}", list(WORDS)) or any(
        pattern.search(noun)
        for code in WORDS
        if code != "en"
        for pattern in (
            _table("scales", code),
            _table("about", code),
            *(words_pattern(kind, (code,)) for kind in ("spoils", "back", "either", "turns")),
        )
    )


def is_retracted(tail: str, value: str) -> bool:
    """Whether a later short sentence of any language takes an answer back ("Nein, das ist falsch."): not another number's."""
    sentences = [sentence for sentence in SENTENCE_END.split(tail[:10_000]) if sentence.strip() and len(sentence) <= 60]
    for sentence in sentences[:20]:
        bare = _bare(sentence)
        codes = languages_in(bare, bare)
        is_long = len(bare.strip()) > 16 if set(codes) & UNSPACED else len(bare.split()) > MAX_RETRACTION_WORDS
        if not codes or is_long or re.search(r"\d|(?<![^\W_])[A-J](?![^\W_])", digits(bare).replace(value, "")):
            continue
        bare = words_pattern("fine", codes).sub(" ", bare)
        for code in codes:
            found = words_pattern("back", (code,)).search(bare)
            if found and not _is_innocent(found[0], code, codes) and not _gives_reason(code, bare):
                return True
    return False


def _gives_reason(code: str, sentence: str) -> bool:
    return words_pattern("why", (code,)).match(sentence.lstrip()) is not None


def _spoils_ahead(code: str, codes: tuple[str, ...], head: str, takes_about: bool) -> bool:
    head = words_pattern("fine", (code,)).sub(" . ", head)
    found = [] if takes_about else list(_table("about", code).finditer(head))
    for match in [*words_pattern("spoils", (code,)).finditer(head), *found]:
        between = _rest(code, head, match)
        if takes_about and _table("about", code).fullmatch(match[0]):
            continue
        if _SHARE.fullmatch(match[0]):
            continue
        if head[: match.start()].endswith(("-", "‑")) or _is_innocent(match[0], code, codes):
            continue  # "obtém-se"
        if re.search(r"[,，、،:：]", between) and (head[: match.start()].strip() or _BARE_NO.match(match[0])):
            continue  # "Das ist falsch, also": the clause before
        if not re.search(r"[\d.]", between) and is_glue([code], between.strip(" ,，、،"), most=0):
            return True
    return False


def _spoils_behind(code: str, codes: tuple[str, ...], tail: str, value: str, takes_about: bool) -> bool:
    tail = digits(tail)
    other = words_pattern("either", (code,)).match(tail.lstrip(" )],،，、"))
    if other:
        following = _NUMBER_NEXT.match(tail.lstrip(" )],،，、"), other.end())
        if following and following[1].rstrip(".,") != value.strip():
            return True
    scale = _table("scales", code).match(tail.lstrip(" )-"))
    if (
        scale
        and not _is_innocent(scale[0], code, codes)
        and not (takes_about and re.search("左右|上下|程度|らい|정도|쯤", scale[0]))
    ):
        return True
    tail = words_pattern("fine", (code,)).sub(" . ", tail)
    for kind, spare in (("back", 1), ("spoils", 0)):
        for match in words_pattern(kind, (code,)).finditer(tail):
            between = re.sub(r"\bn['’]", "", tail[: match.start()]).strip(" )(-–—")
            rest = words_pattern("named", (code,)).sub(" ", _rest(code, tail, match)).strip(" )(")
            if _is_innocent(match[0], code, codes) or re.search(r"[\d.]", between + rest):
                continue
            if re.search(r"[,，、،]", between) and rest:
                continue
            left = 4 if code in UNSPACED else spare
            if is_glue([code], between.strip(",，、،"), most=0) and _leftover(code, rest) <= left:
                return True
    return False


def _rest(code: str, text: str, match: re.Match[str]) -> str:
    """What stands behind a word, which may go on with letters."""
    return text[match.end() :] if code in UNSPACED else re.sub(r"^[^\W\d_]+", "", text[match.end() :])


def _leftover(code: str, text: str) -> int:
    """How many words (letters, where no spaces are written) of a text are no copulas, articles, denials and the like."""
    for kind in ("glue", "back", "spoils"):
        text = words_pattern(kind, (code,)).sub(" ", text)
    left = re.findall(r"[^\W\d_][\w\u0900-\u0dff'’]*", text)
    return len("".join(left)) if code in UNSPACED else len(left)


def _bare(text: str) -> str:
    return _LATEX.sub(" ", text)


def languages_in(sentence: str, support: str) -> tuple[str, ...]:
    """The languages whose words a sentence has most of; of several, those whose words the text around it has most of.

    None where English is one of them: it has its own marks.
    """
    codes = _most(sentence, tuple(WORDS))
    codes = _most(support, codes) if len(codes) > 1 else codes
    return () if "en" in codes else codes


def _most(text: str, codes: tuple[str, ...]) -> tuple[str, ...]:
    scores = {code: len({m[0].lower() for m in _vocabulary(code).finditer(text)}) for code in codes}
    best = max(scores.values(), default=0)
    return tuple(code for code in codes if best and scores[code] == best)


def _is_innocent(word: str, code: str, codes: tuple[str, ...]) -> bool:
    """Whether a spoiler of one language is an everyday word of another that its sentence may be in as well."""
    return any(_everyday(other).fullmatch(word) is not None for other in codes if other != code)


@cache
def _vocabulary(code: str) -> re.Pattern[str]:
    words = [word for kind in _KINDS for word in getattr(WORDS[code], kind).split("|")]
    return _compiled(
        [*words, *(word for table in (ABOUT, SCALES, COMMON) for word in table.get(code, "").split("|"))], code
    )


@cache
def _everyday(code: str) -> re.Pattern[str]:
    return _compiled(
        [*WORDS[code].glue.split("|"), *WORDS[code].why.split("|"), *COMMON.get(code, "").split("|")], code
    )


@cache
def _table(name: str, code: str) -> re.Pattern[str]:
    return _compiled({"about": ABOUT, "scales": SCALES}[name].get(code, "").split("|"), code)


def _compiled(words: list[str], code: str) -> re.Pattern[str]:
    ordered = sorted({word for word in words if word}, key=lambda word: (-len(word), word))
    return re.compile("|".join(word_regex(word, code) for word in ordered) or r"(?!)", re.IGNORECASE)

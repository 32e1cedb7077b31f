"""What surrounds a final answer: end-of-turn tokens, an open tag, a sentence, a choice's text, several boxes in a row."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

from sanmai.answers import denials as answer_denials
from sanmai.answers.math import closing_brace, normalise, number
from sanmai.answers.numbers import in_figures
from sanmai.answers.unit_words import unit_beside
from sanmai.answers.units import together

_END_TOKEN = (
    r"(?:</s>|<eos>|<pad>|<unk>|<eod>|<end_of_turn>|<end_of_utterance>|<endoftext>|\[/?INST\]|<</?SYS>>|<\|(?!(?:begin"
    r"|end)_of_box)[A-Za-z][\w▁.-]{0,40}\|>|<｜[^｜<>]{1,40}｜>|<EOS>|\[EOS\]|"
    r"<\|/?s\|>|</?turn>)"
)
_ENDED = re.compile(rf"(?:\s*{_END_TOKEN})+\s*\Z")
MAX_END = 500
"""Characters at the end of an answer in which such tokens are looked for."""
_BEGUN = re.compile(rf"\A(?:\s*(?!<[|｜]/?(?:tool|action|python_tag)){_END_TOKEN})+")
"""Not those that open a call of a tool: it would be taken for an answer."""


def ended(answer: str, *, closes_tag: bool) -> str:
    """The answer without the special tokens around it.

    Args:
        closes_tag: close an `<answer>` that the stop left open, as after a thought it is.
    """
    body, tail = answer[:-MAX_END], answer[-MAX_END:]
    answer = _BEGUN.sub("", body + _ENDED.sub("", tail))
    start = answer.rfind("<answer>")
    if closes_tag and start > answer.rfind("</answer>") and answer[start + len("<answer>") :].strip():
        return answer.rstrip() + "</answer>"
    return answer


_BAD_SIGNS = "\u2717\u2718\u274c\u274e\u2753\u2754\u26d4\U0001f6ab\U0001f914\U0001f937\U0001f44e"
_DECORATION = (
    rf"(?:(?![{_BAD_SIGNS}])[\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\u220e\ufe0f\u200d])+"
)
_DECORATED = re.compile(rf"\A[\s*_]*{_DECORATION}(?=[\s*_])|(?<=[\s*_.!\w}}$)%]){_DECORATION}[\s*_]*\Z")


def undecorated(text: str) -> str:
    """The text without the ticks, squares, arrows and pictures at its ends; a cross or a question mark stays."""
    return text if text.isascii() else _DECORATED.sub("", text)


_ASIDE = re.compile(
    r"(?P<value>[*_]{0,3}[$€£]?-?\d[\d,./]*(?:\s[a-z]{2,15})?[*_]{0,3})\s*\((?P<aside>[^()]{2,80})\)[.\s*_]*"
)
_PLAIN_ASIDE = re.compile(
    r"(?:and )?not \$?\d[\d,.]*|rounded(?: (?:up|down|off))?"
    r"(?: from \$?\d[\d.,]*%?(?: [a-z]+){0,2}| to the [a-z ]+)?|(?:because|since|as|that is|namely|which is)\b.*",
    re.IGNORECASE,
)


def without_aside(text: str) -> str:
    """A number without the note in brackets behind it that denies another one, gives a reason, or says how it was rounded."""
    match = _ASIDE.fullmatch(text)
    return match["value"] if match and _PLAIN_ASIDE.fullmatch(match["aside"].strip()) else text


_TWICE = re.compile(
    r"(?P<first>\$[^$]{1,60}\$|\\\(.{1,60}?\\\)|-?[\d.,/]*\d%?)(?:,? (?:or|which is|that is|i\.e\.) |\s?\()"
    r"(?P<second>\$[^$]{1,60}\$|\\\(.{1,60}?\\\)|-?[\d.,/]*\d\\?%?)\)?"
)
_OF_A_WHOLE = re.compile(r"(?P<part>\$?\\?\d+/\d+|\$?\\[dt]?frac\{\d+\}\{\d+\}\$?) of (?:the|a|an) [a-z]+(?: [a-z]+)?")


def said_once(text: str) -> str:
    """One number for two that are equal ("1/2, or 0.5", "1/2 (50%)"), and a fraction without its whole ("3/4 of the cake")."""
    if whole := _OF_A_WHOLE.fullmatch(text):
        return whole["part"]
    match = _TWICE.fullmatch(text)
    values = [number(normalise(match[name])) for name in ("first", "second")] if match else []
    return match["first"] if match and values[0] is not None and values[1] and values[0][0] == values[1][0] else text


VALUE = r"(?:\$[^$\n]{1,200}\$|\\\([^\n]{1,200}?\\\)|[$€£]?-?(?:\d{1,3}(?: \d{3})+(?!\d)|\d[\d,]*)(?:\.\d+)?(?:/\d+)?%?)"
_AMOUNT_IN_PARTS = r"\\?\$?\d[\d,]* [a-z]+(?:,? (?:and )?\d[\d,]*(?:\.\d+)? [a-z]+){1,2}"
_STATED = re.compile(
    r"(?:(?:[A-Z][a-z]+ing|After|By)(?: [^,.]{1,60})?, )?"
    r"(?:[A-Za-z](?:[A-Za-z' -]|(?<=[ -])\d{1,4}th\b){0,100}?(?:\s(?:is|are|was|were|(?P<would>would be|should be"
    r"|will be)|equals|makes?|made|"
    r"has|have|had|costs?|earns?|earned|gets?|got|gives?(?: us| you| me)?|gave(?: us| me)?|yields?|"
    r"comes? (?:out )?to|came to|amounts? to|adds? up to|works? out to|"
    r"needs?|takes?|took|pays?|paid|spends?|spent|saves?|saved|sells?|sold|bought|eats?|ate|ran|runs?|drove|weighs?|left|"
    r"totals?|remains?|reads?|uses?|used|collects?|collected|receives?|received|walks?|walked|travell?ed|bakes?|baked"
    r"|picks|picked|"
    r"plants?|planted|drinks?|drank|scored|wins?|won|lost|owes?|owed|charges?|charged|requires?|contains?|holds?"
    r"|donates?|donated)|['’]s)"
    r"\s+(?:(?:equal to|an? (?:[a-z]+ )?(?:total|profit|loss|sum|distance|amount) of|"
    r"exactly|only|left with|now|in total)\s+)?)"
    rf"(?P<bold>[*_]{{0,3}}(?:the )?)(?P<value>{_AMOUNT_IN_PARTS}|{VALUE}(?:st|nd|rd|th)?)[*_]{{0,3}}"
    r"(?P<rest>[^\d$\\]*?)[.!]?\s*",
)
_REASONED = re.compile(rf"(?P<value>{VALUE}(?: [a-z]{{2,15}})?),? (?:because|since)\s(?P<reason>.*)", re.DOTALL)
_NO_REASON = re.compile(
    r"\b(?:not|wrong|maybe|perhaps|but|or|if|unless|random|guess\w*|assum\w+|suppos\w+|unsure|cannot)\b|n't", re.IGNORECASE
)
SPOILED_SENTENCE = re.compile(
    r"\b(?:not|n't|never|no|or|if|maybe|perhaps|possibly|probably|about|around|approximately|more|less|fewer|times|plus|"
    r"minus|half|twice|than|wrong|unless|except|either|neither|first|of the|per|least|most|one|two|three|four|five|six|"
    r"seven|eight|nine|ten|thousand|hundred|\w+illion|dozen|intermediate|partial|preliminary|trap|bound|said|says|according|"
    r"so far|fail\w*|(?:tr(?:y|ies|ied)|want\w*|hop(?:es?|ed)|need\w*|has|have|had) to|initially|at first|"
    r"claim\w*|thinks|thought|believes|guess\w*|imagine|suppose|assum\w+|pretend|would|could|might|(?-i:may))\b|n't|[?^×*/+=<>]|"
    r",\s*-?\d",
    re.IGNORECASE,
)


MEASURE = (
    r"value|sum|number|length|width|height|depth|area|perimeter|circumference|volume|radius|diameter|size|weight|mass"
    r"|price|cost|age|"
    r"degree|measure|speed|average|mean|median|mode|range|slope|root|difference|product|quotient|remainder|coefficient"
    r"|distance|amount|"
    r"probability|side|total|order|determinant|rank|period|limit|base|hypotenuse|angle|year|day|hour|name|rate|ratio"
    r"|percentage|term"
)
_WHOLE = re.compile(
    rf"\b(?:{MEASURE})s? of (?:the|each|all)\b(?! (?:first|second|third|other|part|rest|remaining|last)\b)"
    r"|\b(?:least (?:common (?:multiple|denominator)|upper bound)|greatest lower bound)\b"
    r"|\bleast (?:possible )?(?=number|value|amount|integer|positive|length|time|cost)\b"
    r"|^\W*(?:after|in|within|over|during|by the end of|at the end of) (?:the |all |these |those |another )?"
    r"(?:(?:one|two|three|four|five|six|seven|eight|nine|ten|half an?) )?(?:[a-z]+ )?"
    r"(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?|trips?|rounds?|turns?|steps?|games?|meals?|sales?|purchases?), ",
    re.IGNORECASE,
)
"""What shares or counts nothing where words like it do: a measure of a whole, its proper name, the time of what is said."""


def of_a_whole(subject: str) -> str:
    """The words before a number without those that only name what is measured, and when."""
    return _WHOLE.sub(" ", subject)


_UNITS = (
    "元 美元 欧元 日元 英镑 块 块钱 个 个人 人 天 小时 分钟 秒 岁 页 本 只 条 米 公里 千米 厘米 毫米 "
    "英里 英尺 英寸 公斤 千克 克 磅 斤 升 毫升 次 张 件 名 位 双 辆 棵 朵 瓶 盒 袋 箱 颗 支 杯 周 "
    "星期 个月 年 枚 根 匹 头 架 台 家 场 部 首 份 包 套 层 排 行 步 片 平方米 立方米 平方厘米 个苹果 "
    "名学生 个学生 本书 "
)
_COUNTED = re.compile(
    rf"[*_]{{0,3}}(?P<value>-?\d[\d,]*(?:\.\d+)?)[*_\s]*"
    rf"(?P<unit>{'|'.join(sorted(_UNITS.split(), key=len, reverse=True))})[*_]{{0,3}}"
)
"""A number before its counter or unit in Chinese; 18万 and 18左右 are other numbers."""

_AT = re.compile(
    r"[*_]{0,3}(?:[A-Z][A-Za-z' -]{1,80}?\s)?(?:at|is|until|by)\s[*_]{0,3}(?P<time>\d{1,2}:\d{2}(?:\s?[ap]\.?m\b\.?)?)[*_.]{0,4}",
    re.IGNORECASE,
)
"""A plain sentence that ends in a time of day."""


def stated(text: str) -> str:
    """The one value that a plain sentence states ("The count is **73**."), or a number before its unit in Chinese characters;
    else the text itself."""
    bare = text.strip().rstrip("。.")
    counted = _COUNTED.fullmatch(bare if bare.isascii() else in_figures(bare))
    if counted:
        return counted["value"] + unit_beside(counted["unit"])
    time = _AT.fullmatch(text.strip())
    if time and not SPOILED_SENTENCE.search(text[: time.start("time")]):
        return time["time"]
    sentence = re.sub(r"\\text\s*\{([A-Za-z .]*)\}", r"\1", text.strip())  # \boxed{\text{The answer is } 5}
    reasoned = _REASONED.fullmatch(sentence)
    if reasoned and not _NO_REASON.search(reasoned["reason"]):
        return reasoned["value"]
    match = _STATED.fullmatch(sentence)
    if not match or not sentence[:1].isupper():
        return text
    before = sentence[: match.start("would") if match["would"] else match.start("bold")]
    rest = re.sub(r"^\s*more (?=[a-z])", " ", match["rest"]) if re.search(r"\bneeds?\s*$", before) else match["rest"]
    if SPOILED_SENTENCE.search(f"{of_a_whole(before)} {without_rate(rest)}") or answer_denials.is_others(before):
        return text
    value = match["value"]
    if " " in value and value[0] != "$" and (value[-1].isalpha() or "\\" not in value):  # an amount in parts
        return value if together(value) else text
    if value[-1].isalpha() and re.match(r" ?[a-z]+\b", match["rest"]):
        return value + match["rest"].rstrip(" .*_")
    value = value if len(value) < 3 or not value.endswith("$") else value[1:-1]
    return value + unit_beside(match["rest"]) if value[-1].isdigit() else value


def without_rate(rest: str) -> str:
    """The words behind a number without its unit, if that is one by another: "km/h" is no division, "per day" shares nothing."""
    unit = unit_beside(rest)
    is_rate = re.search(r"/|\bper\b", unit) is not None
    return rest.strip().removeprefix(unit.partition("{")[2].partition("}")[0]) if is_rate else rest


_ONLY_CHOICE = re.compile(
    r"[\W_]*(?:\\?text\s*\{)?[\W_]*(?:the )?(?:option|choice|letter|letra|lettera|lettre|opción|opção|opzione|alternativa|"
    r"buchstabe|вариант|选项|選項|ข้อ)\s*[*_]{0,3}[(\s]*(?-i:(?P<letter>[A-J]))[)}\s.*_$]*",
    re.IGNORECASE,
)
_CHOICE = re.compile(
    r"\s*(?:\\(?:text|textbf|mathrm|mathbf)\s*\{)?\s*[*_]{0,3}(?:(?:[Tt]he )?(?:[Oo]ption|[Cc]hoice|[Ll]etter)\s+)?[*_]{0,3}"
    r"(?:\((?P<a>[A-J])\)\s*[:.–—-]?|(?P<b>[A-J])(?:\s*[:.)]\s|\s+[–—-]\s+(?=[A-Za-z(]{2}|[a-z]\s)))[*_]{0,3}\s*(?P<text>\S.*)",
    re.DOTALL,
)
_SECOND_CHOICE = re.compile(r"\b(?:or|and|not)\b\s+\(?[A-J]\b|\([A-J]\)|[,/;]\s*[A-J]\b(?!\w)|\bnot\b|[?]")


_LETTERED = re.compile(
    r"\s*(?:\\(?:text|textbf|mathrm|mathbf)\s*\{\s*\(?[A-J][).:]+\s*\}|\([A-J]\)"
    r"|[A-J][).]\s)[\s~\\]*(?P<value>[-$\\(\[]*[\d.].*|\\[a-z].*)"
)


def choice(text: str, reference: str) -> str | None:
    """The letter of a choice that stands with its text ("(B) The Nile"), where the reference is a letter; else its value."""
    if not re.fullmatch(r"\(?[A-J]\)?\.?", bare := re.sub(r"\\text\{(.*)\}", r"\1", reference.strip())):
        found = _LETTERED.fullmatch(text)
        is_one = found and not _SECOND_CHOICE.search(found["value"]) and not re.match(r"\(?[A-J]\b", bare)
        return found["value"].strip() if found and is_one else None
    if only := _ONLY_CHOICE.fullmatch(text):
        return only["letter"]
    match = _CHOICE.fullmatch(text)
    if not match or _SECOND_CHOICE.search(match["text"]) or re.match(r"[\s})$]*[\^⁰¹²³⁴⁵⁶⁷⁸⁹]", match["text"]):
        return None  # "(C)⁸" is a power
    return match["a"] or match["b"]


_OPTION = (
    r"(?:la |l['’]|a |o |el |il |die |das |de |het |der )?(?:opción|opcion|opção|opzione|lettera|letra|option|réponse|reponse|"
    r"antwort|"
    r"buchstabe|alternativa|alternatief|alternativ|optie|antwoord|svar|opcja|odpowiedź|możnost|odpověď|válasz|vastaus|"
    r"варіант|вариант|ответ|відповідь|отговор|"
    r"επιλογή|η απάντηση|seçenek|şık|cevap|pilihan|opsi|jawaban|lựa chọn|phương án|đáp án|chaguo|jibu|sagot|"
    r"الخيار|الإجابة|گزینه[ \u200c]?ی?|پاسخ|آپشن|אפשרות|תשובה|विकल्प|उत्तर|पर्याय|বিকল্প|উত্তর|ఎంపిక|సమాధానం|விருப்பம்|விடை|"
    r"ข้อ|ตัวเลือก|คำตอบข้อ|选项|選項|选|選択肢|선택지|보기|답)"
)
_RIGHT = (
    r"(?:(?:ist|es|est|è|é|is|är|er|on|to|jest|je|är|là|adalah|ni|ay|είναι|هو|هي|היא|هی|是|が|は|이|가)\s*)?"
    r"(?:die |la |de |el |il |a |den |det )?"
    r"(?:richtig|korrekt|correct[oae]?|corrett[oa]|juiste?|goed|rätt|riktig|korrekt|rigtig|oikein|poprawn[ay]|"
    r"prawidłow[ay]|správn[áýě]|helyes|верн(?:ый|ая|о|ен|а)|правильн(?:ый|ая|о|ий|а)|верният|правилен|σωστ[ήό]|"
    r"doğru(?:dur)?|đúng|benar|betul|sahihi|tama|صحيح|صحيحة|صحیح|درست|نכון|נכונה|सही|योग्य|সঠিক|సరైనది|சரி|"
    r"ถูกต้อง|ถูก|正确的?|正確的?|对的?|正しい|正解|맞습니다|정답입니다|정답이다|옳습니다)"
    r"(?:\s*(?:है|আছে|است|ہے|आहे|です|입니다))?"
)
_CHOSEN_ELSEWHERE = re.compile(
    rf"(?:^|[.!?\n。！])[\s*_]*{_OPTION}\s*[*_(（]*(?-i:(?P<letter>[A-J]))[)）*_]*\s*{_RIGHT}[.!。।۔*_\s]*\Z",
    re.IGNORECASE,
)
"""What says in other languages that an option is the right one; who denies, asks or doubts it has a word more."""
_TABLE = re.compile(
    r"(?:^|\n)[ \t]*\|?(?P<head>[^\n]*\|[^\n]*)\n[ \t]*\|?[ \t:|-]*-{2,}[ \t:|-]*\n(?P<row>[^\n]*\|[^\n]*)\s*\Z"
)


def tabled(text: str, is_name: Callable[[str], bool]) -> str | None:
    """The cell below the one heading that names an answer, in a Markdown table of one row that ends a text."""
    table = _TABLE.search(text[-1000:])
    if table is None:
        return None
    heads, cells = ([cell.strip(" *_") for cell in table[part].strip(" |").split("|")] for part in ("head", "row"))
    found = [cell for head, cell in zip(heads, cells, strict=False) if is_name(head)]
    return found[0] if len(found) == 1 and len(heads) == len(cells) and found[0] else None


_CHOSEN = re.compile(
    r"(?:^|[.!?\n])[\s*_]*(?:(?:so|thus|therefore|hence|then|finally|in conclusion),?\s+)?[*_]{0,3}"
    r"(?:the )?(?:option|choice|answer)\s+[*_(]*(?-i:(?P<letter>[A-J]))[)*_]*\s+is\s+(?:the\s+)?(?:correct|right|best)"
    r"(?:\s+(?:answer|choice|option|one))?[.!*_\s]*\Z"
    r"|^[\W_]*(?:final )?(?:choice|option)[*_\s]*:[*_\s(]*(?-i:(?P<named>[A-J]))[)*_.\s]*\Z",
    re.IGNORECASE | re.MULTILINE,
)


_PICKED = re.compile(
    r"(?:^|[.!?\n]\s*)[\s*_]*(?:(?:so|thus|therefore|hence),?\s+)?(?:(?:i|we)(?:['’]d|['’]ll| would| will| must)?\s+"
    r"(?:go with|choose|pick|select|opt for)|my (?:final )?(?:choice|pick|selection) is)\s+(?:the )?(?:option|choice|answer)?\s*"
    r"[*_(]*(?-i:(?P<letter>[A-J]))(?![A-Za-z'’])[)*_]*(?:[:.)-]?\s+(?P<text>[^.!?\n]{1,80}))?[.!*_\s]*\Z",
    re.IGNORECASE,
)


def chosen(text: str) -> str | None:
    """The letter that the last sentence chooses: "Therefore, option C is correct.", "Choice: C"."""
    match = _CHOSEN.search(text[-200:])
    if match is None:
        picked = _PICKED.search(text[-200:])
        is_last_word = picked and not re.search(r"(?:initially|at first|wrongly|not)\W", picked[0], re.IGNORECASE)
        if picked and is_last_word and not _SECOND_CHOICE.search(picked["text"] or ""):
            return picked["letter"]
        other = _CHOSEN_ELSEWHERE.search(text[-200:])
        return other["letter"] if other else None
    return match["letter"] or match["named"]


_BEHIND = re.compile(
    r"(?:^|[.!?]\s|\n)(?P<said>(?:[^.!?\n]|\.(?=\d)){1,200}?)(?:,? which is|\.\s+(?:This|That|It)(?: is|'s))\s+"
    r"(?:thus |therefore |then )?(?:the|our|my)\s+(?:final |correct |right |desired |required )?"
    r"answer(?: to the (?:problem|question))?[.!*_\s]*\Z"
)


def named_behind(text: str) -> str | None:
    """The one value of a sentence that what follows calls the answer: "We get x = 14. This is the final answer."."""
    match = _BEHIND.search(text[-400:])
    if match is None:
        return None
    said = match["said"].rpartition("=")[2] if "=" in match["said"] else match["said"]
    values = list(re.finditer(VALUE, said))
    if (
        len(values) != 1
        or SPOILED_SENTENCE.search(match["said"].replace("=", " "))
        or answer_denials.is_others(match["said"])
    ):
        return None
    return values[0][0].strip("$")


_AMOUNT = r"(?<![\d,.])[*_$\\(]{0,3}[$€£]?-?\d(?:[\d,.]{0,28}\d)?%?[*_$)]{0,3}"
_CONTRASTS = [
    (re.compile(pattern.replace("#", _AMOUNT), re.IGNORECASE), said)
    for pattern, said in (
        (r"\b(is|are)(?:n't| not) #\s?[,;.]?\s+(?:but(?: rather)?|it(?:'s| is)|rather)\s+(?=#)", r"\1 "),
        (r"\bn['’]est pas #,? mais (?=#)", "est "),
        (r"\b(?:ist|lautet|beträgt) nicht #,? sondern (?=#)", "ist "),
        (r"\bno es #,? sino (?=#)", "es "), (r"\bnon è #,? (?:ma|bensì) (?=#)", "è "), (r"\bnão é #,? (?:mas|e) sim (?=#)", "é "),
        (r"\bis niet #,? maar (?=#)", "is "), (r"\bto nie #,? (?:lecz|ale|tylko) (?=#)", "to "), (r"(?<!\w)не #,? а (?=#)", ""),
        (r"\bär inte #,? utan (?=#)", "är "), (r"不是\s?#\s?[，,]\s?而是\s?(?=#)", "是"), (r"#\s?ではなく、?\s?(?=#)", ""),
        (r"#\s?[이가]\s아니라\s(?=#)", ""),
    )
]  # fmt: skip


def without_contrast(text: str) -> str:
    """The text with "the answer is 12" for "the answer is not 11 but 12", in the languages of the table."""
    for pattern, said in _CONTRASTS:
        text = pattern.sub(said, text)
    return text


_BOX = re.compile(r"\\(?:boxed|fbox)\s{0,3}\{")
_PART = r"(?:[Pp]art\s+)?\(?(?:[a-h]|[1-9]|i{1,3}|iv|v)[).:][\s*]*(?:[A-Za-z](?:_\{?\w\}?)?\s*=)?"
_PARTED = re.compile(r"\(?(?:[a-h]|[1-9]|i{1,3}|iv|v)\)\s*")
_LABEL = r"(?:[A-Za-z](?:_\{?\w\}?)?\s*=\s*)"
_BETWEEN = re.compile(
    rf"[\s$*]*(?:(?:,|;|,?\s*\b(?:and|or|then|while)\b|\\\\)[\s$]*(?:(?:and|or|then|also)\b\s*){{0,2}}[\s$]*{_LABEL}?"
    rf"|(?:[.,;]|\\\\)?[\s$*]*\n[\s*$-]*(?:{_PART}|{_LABEL}))[\s$*:]*"
)


def combined(answer: str, candidates: list[str], reference: str) -> tuple[str, str] | None:
    """(reference, several boxes in a row as one list or tuple), where the reference is one; None where they are no such row.

    The parts of a question, (a) and (b), are in order.
    """
    if _PARTED.match(reference) and len(_PARTED.findall(reference)) > 1:  # "(a) 3 (b) 4"
        reference = ", ".join(part.strip(" ,;.") for part in _PARTED.split(reference) if part.strip())
    if not re.search(r"[,;\n]|\band\b|\\pm(?![A-Za-z])|±", reference):
        return None
    spans: list[tuple[int, int, str]] = []
    for match in _BOX.finditer(answer):
        close = closing_brace(answer, match.end())
        if close is None:
            return None
        spans.append((match.start(), close + 1, answer[match.end() : close]))
    if list(dict.fromkeys(text for *_, text in spans)) != candidates or len(spans) != len(candidates):
        return None
    if any(not _BETWEEN.fullmatch(answer[a[1] : b[0]]) for a, b in pairwise(spans)):
        return None
    together = ", ".join(candidates)
    if reference.strip().lstrip("$\\left").startswith("("):
        return reference, f"({together})"
    if any(re.search(_PART, answer[a[1] : b[0]]) for a, b in pairwise(spans)):
        parts = re.sub(r"[;\n]|\band\b", ",", reference.strip(" $"))
        return f"({parts})", f"({together})"
    return reference, together

"""Numbers as people write them in many languages: digits of other scripts, marks of decimals, percent and scales in words."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

_PERCENT = re.compile(
    r"(?<=[\d)])[  ]?(?:prozent|por[ -]?ci?ento|pour[ -]?cent|per ?cento?|la sută|procente?n?t?|procenta|prosenttia?|prosent|"
    r"процент(?:а|ов|ів|и)?|відсот(?:ок|ки|ків)|százalék|τοις εκατό|phần trăm|persen|peratus|porsiyento|"
    r"パーセント|퍼센트|프로|เปอร์เซ็นต์|प्रतिशत|टक्के|শতাংশ|శాతం|சதவீதம்|بالمئة|بالمائة|في المئة|في المائة|درصد|فیصد|אחוזים|אחוז|"
    r"percent)(?![A-Za-z\u00c0-\u024f\u0400-\u04ff])",
    re.IGNORECASE,
)
_PERCENT_FIRST = re.compile(r"(?:百分之|\basilimia\s+|\byüzde\s+)(\d+(?:[.,]\d+)?)", re.IGNORECASE)
_SCALES = {
    10**3: "tausend|mil|mille|mila|duizend|tusen|tusind|tuhatta|tysięcy|tysiące|tisíc|ezer|bin|nghìn|ngàn|ribu|mii|хиляди|"
           "тысяч|тысячи|тысяча|тисяч|тисячі|हज़ार|हजार|হাজার|వేలు|พัน|천|千|ألف|آلاف|هزار|ہزار|אלף",
    10**4: "万|萬|만|หมื่น",
    10**5: "लाख|লাখ|লক্ষ|లక్షలు|แสน|لاکھ",
    10**6: "millionen|million|millones|millón|millions|milioni|milione|milhões|milhão|milions|milioane|miljoen|miljoner|"
           "millioner|"
           "miljoonaa|milionów|miliony|milionů|millió|milyon|triệu|juta|миллионов|миллиона|миллион|мільйонів|мільйони|милиона|"
           "ล้าน|مليون|ملايين|میلیون|ملین|מיליון|मिलियन",
    10**7: "करोड़|करोड|কোটি|కోట్లు|کروڑ",
    10**8: "亿|億|억",
    10**9: "milliarden|milliarde|milliards|miliardi|bilhões|miljard|miljarder|milliarder|miliardów|milliárd|milyar|tỷ|miliar|"
           "миллиардов|миллиарда|мільярдів|милиарда|مليار|میلیارد|מיליארד",
}  # fmt: skip
_FACTORS = {word: factor for factor, words in _SCALES.items() for word in words.split("|")}
_SCALED = re.compile(
    rf"(?<![\d.,^])(?P<number>\d+(?:[.,]\d+)?)\s?(?P<scale>{'|'.join(sorted(_FACTORS, key=len, reverse=True))})"
    r"(?![A-Za-z\u00c0-\u024f\u0400-\u04ff\u0590-\u0dff]|[  ]?\d|[千百十万億亿만천])",
    re.IGNORECASE,
)
_ASKED = re.compile(
    r"percent|\bpct\b|%|百分|prozent|porcentaje|por ciento|pourcentage|pour cent|percentual|per cento|por cento|procent|"
    r"prosent|"
    r"процент|відсот|százalék|ποσοστ|τοις εκατό|yüzde|phần trăm|persen|peratus|asilimia|パーセント|퍼센트|เปอร์เซ็นต์|ร้อยละ|"
    r"प्रतिशत|टक्के|শতাংশ|శాతం|சதவீத|نسبة مئوية|النسبة المئوية|بالمئة|بالمائة|درصد|فیصد|אחוז",
    re.IGNORECASE,
)


_EAST_DIGITS = {c: k for k, c in enumerate("零一二三四五六七八九十")} | {"两": 2, "兩": 2, "百": 100}
_KOREAN_DIGITS = {c: k for k, c in enumerate("영일이삼사오육칠팔구십")} | {"백": 100}
_PARTS = re.compile(
    r"(?P<under>\d+|[二三四五六七八九十百]{1,3}|[이삼사오육칠팔구십백]{1,3})\s?(?P<of>分之|分の|분의)\s?"
    r"(?P<over>\d+(?![.,]?\d)|[一二三四五六七八九十两兩]{1,3}|[일이삼사오육칠팔구십]{1,3}(?=[\s.]|입|이|$))"
)
"""四分之三, 4分の3, 4분의 3."""


_EAST_LARGE = {"千": 10**3, "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_EAST_NUMBER = re.compile(
    r"(?P<sign>[负負])?(?P<whole>[零〇一二三四五六七八九十百千万萬亿億两兩]{1,20})(?:[点點](?P<fixed>[零〇一二三四五六七八九]{1,12}))?"
    r"(?P<rest>[个個只隻本元块天年人岁歲名张張页頁米公里斤克升次小时分钟秒][\u4e00-\u9fff]{0,6})?"
)


def from_east(text: str) -> str:
    """25 for 二十五, -3 for 负三, 0.5 for 零点五, 1/2 for 一半, with what is counted behind it; other texts as they are."""
    if text.strip() == "一半":
        return "1/2"
    match = _EAST_NUMBER.fullmatch(text.strip())
    whole = _east_whole(match["whole"]) if match else None
    if match is None or whole is None:
        return text
    fixed = "".join(str(_EAST_DIGITS.get(c, 0)) for c in match["fixed"] or "")
    return f"{'-' if match['sign'] else ''}{whole}{'.' + fixed if fixed else ''}{match['rest'] or ''}"


def _east_whole(text: str) -> int | None:
    """The value of 一百零八 or 三万五千; None where its characters do not make one number."""
    total = section = last = 0
    ceiling = scale = 10**12
    for character in text.replace("〇", "零"):
        value = _EAST_LARGE[character] if character in _EAST_LARGE else _EAST_DIGITS[character]
        if value >= 10**4:
            if not section + last or value >= ceiling:
                return None
            total, section, last, ceiling, scale = total + (section + last) * value, 0, 0, value, 10**12
        elif value >= 10:
            if value >= scale or not (last or value == 10):
                return None
            section, last, scale = section + max(last, 1) * value, 0, value
        elif last:
            return None
        else:
            last = value
    return total + section + last


def _east_value(text: str) -> int:
    """The value of 三, 十七, 二十五 or 百, or of digits."""
    if text.isdigit() and text.isascii():
        return int(text)
    table = _KOREAN_DIGITS if text[0] in _KOREAN_DIGITS else _EAST_DIGITS
    total, last = 0, 0
    for character in text:
        value = table[character]
        total, last = (total + max(last, 1) * value, 0) if value >= 10 else (total, value)
    return total + last


def _part(match: re.Match[str]) -> str:
    under, over = _east_value(match["under"]), _east_value(match["over"])
    return f"{over}%" if under == 100 and match["of"] == "分之" else f"{over}/{under}" if under > 1 else match[0]


_HALF_FIRST = re.compile(
    r"(?P<half>上午|早上|凌晨|早晨|下午|晚上|傍晚|午前|午後|오전|오후|บ่าย)\s?"
    r"(?P<hour>1[0-2]|0?[1-9])(?:\s?[:：]\s?|[点點时時시]\s?)(?P<minute>[0-5]\d)?(?:分|분)?(?!\d)"
)
_HALF_LAST = re.compile(
    r"(?<![\d:])(?P<hour>1[0-2]|0?[1-9])[:h](?P<minute>[0-5]\d)\s?(?:Uhr |horas |ore |heures )?(?:"
    r"(?P<am>de la mañana|du matin|del mattino|di mattina|da manhã|morgens|vormittags|утра|ранку|rano|sáng|pagi|"
    r"sabah|asubuhi)|"
    r"(?P<pm>de la (?:tarde|noche)|de l['’]après-midi|du soir|del pomeriggio|di (?:pomeriggio|sera)|da (?:tarde|noite)|"
    r"nachmittags|abends|дня|вечера|дня|вечора|po południu|wieczorem|chiều|tối|sore|malam|'s middags|'s avonds))(?!\w)",
    re.IGNORECASE,
)


def _at_first(match: re.Match[str]) -> str:
    half = "am" if match["half"] in ("上午", "早上", "凌晨", "早晨", "午前", "오전") else "pm"
    return f"{match['hour']}:{match['minute'] or '00'} {half}"


def with_halves(text: str) -> str:
    """2:30 pm for 下午2:30, "2:30 de la tarde", "14:30 Uhr" as it is."""
    text = _HALF_FIRST.sub(_at_first, text)
    return _HALF_LAST.sub(lambda m: f"{m['hour']}:{m['minute']} {'am' if m['am'] else 'pm'}", text)


def asks_percentage(prompt: str) -> bool:
    """Whether a question speaks of percent, in any of these languages."""
    return _ASKED.search(prompt) is not None


def in_figures(text: str) -> str:
    """50 % for "50 Prozent", 5000000 for "5 Millionen"; a number with two scales stays as it is."""
    text = _PERCENT_FIRST.sub(r"\1%", _PERCENT.sub("%", _PARTS.sub(_part, with_halves(text))))
    return _SCALED.sub(_scaled, text)


def _scaled(match: re.Match[str]) -> str:
    try:
        value = Fraction(plain(match["number"])) * _FACTORS[match["scale"].lower()]
    except (ValueError, KeyError):
        return match[0]
    return str(value) + " " if value.denominator == 1 else match[0]


def digits(text: str) -> str:
    """The text with the digits of every script as 0 to 9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if unicodedata.category(c) == "Nd" else c for c in text)


def plain(number: str) -> str:
    """A number with either decimal mark, without the marks between its thousands: 1.234,5 and 1,234.5 are 1234.5."""
    number = re.sub(r"['’٬   ]", "", number).replace("٫", ".")
    if "." in number and "," in number:
        last = max(number.rfind("."), number.rfind(","))
        return re.sub(r"[.,]", "", number[:last]) + "." + number[last + 1 :]
    if re.fullmatch(r"[1-9]\d{0,2}([.,]\d{3})+|[1-9]\d?(,\d{2})+,\d{3}", number):  # the second as in India
        return re.sub(r"[.,]", "", number)
    return number.replace(",", ".")


_POINTS = str.maketrans({"٫": ".", "٬": ",", "．": ".", "，": ",", "－": "-"})


def western(text: str) -> str:
    """The text with its digits as 0 to 9 where they are all of one living script; other texts as they are.

    Not ¹⁸, ⑱ or 𝟏𝟖, which are typography, nor a number with digits of two scripts.
    """
    if text.isascii():
        return text
    zeros = {ord(c) - unicodedata.decimal(c) for c in text if unicodedata.category(c) == "Nd"}
    if len(zeros) != 1 or min(zeros) >= 0x1D7CE or zeros == {ord("0")}:
        return text
    return digits(text).translate(_POINTS)

"""Numbers, units, currencies and clock times, read exactly."""

from __future__ import annotations

import re
from fractions import Fraction

from sanmai.answers.numbers import with_halves
from sanmai.answers.unit_names import MEASURES
from sanmai.answers.units import NO_UNIT, NONE, Unit, parse

_DECIMAL = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,2}(?:,[0-9]{2})+,000|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+"
_PERCENT = r"(?:percent|per\s?cent|pct\.?)"
_NUMBER = re.compile(
    r"(?P<sign>[+-]?)\s*(?P<inner>[+-]?)(?:"
    r"(?P<mantissa>[0-9]+(?:\.[0-9]+)?)[eE](?P<power>[+-]?[0-9]{1,3})|"
    rf"(?:(?P<times>{_DECIMAL})\s*(?:\\times|\\cdot|\*|x)\s*)?10\s*\^\s*(?:\{{\s*(?P<ten>[+-]?[0-9]{{1,3}})\s*\}}|(?P<ten1>[0-9]))|"
    r"(?P<before>[0-9]*)\.(?P<fixed>[0-9]*)"
    r"(?P<again>(?:\\(?:overline|bar|dot)\s*(?:\{\s*[0-9]+\s*\}|[0-9])[0-9]*)+|\([0-9]+\))|"
    rf"(?:(?P<whole>[0-9]+)(?:\s+(?=[0-9])|\s*(?=\\)))?"
    rf"(?:(?P<over>[0-9]+)\s*/\s*(?P<under>[0-9]+)"
    rf"|\\frac\{{\s*(?P<top>-?[0-9]+)\s*\}}\{{\s*(?P<bottom>-?[0-9]+)\s*\}})"
    rf"|(?P<decimal>{_DECIMAL}))\s*(?P<percent>%|\\text\{{\s*{_PERCENT}\s*\}}|{_PERCENT})?"
)


def number(text: str) -> tuple[Fraction, bool] | None:
    """The exact value of a plain number and whether it is a percentage.

    Integers, decimals, recurring decimals, fractions, mixed numbers, 3e8 and 3 \\cdot 10^{8}.
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None or (match["sign"] and match["inner"]):
        return None
    if match["mantissa"]:
        value = Fraction(match["mantissa"]) * Fraction(10) ** int(match["power"])
    elif match["ten"] or match["ten1"]:
        value = _decimal(match["times"] or "1") * Fraction(10) ** int(match["ten"] or match["ten1"])
    elif match["again"]:
        recurring = _recurring(match["before"], match["fixed"], match["again"])
        if recurring is None:
            return None
        value = recurring
    elif match["decimal"]:
        value = _decimal(match["decimal"])
    else:
        below = int(match["under"] or match["bottom"])
        if below == 0:
            return None
        value = Fraction(int(match["over"] or match["top"]), below)
        if match["whole"]:
            value += int(match["whole"])
    value = -value if "-" in (match["sign"], match["inner"]) else value
    return (value / 100, True) if match["percent"] else (value, False)


def _decimal(text: str) -> Fraction:
    return Fraction(text.replace(",", "").rstrip("."))


def _recurring(whole: str, fixed: str, again: str) -> Fraction | None:
    r"""0.1\overline{6}, 0.\dot{1}4285\dot{7}, 0.(3); None for 2.5(3), which may be a product."""
    period = re.sub("[^0-9]", "", again)
    if again.startswith("("):
        if fixed and whole.strip("0"):
            return None
    elif r"\dot" in again:
        dots = re.fullmatch(r"\\dot\s*\{?\s*[0-9]\s*\}?(?:[0-9]*\\dot\s*\{?\s*[0-9]\s*\}?)?", again)
        if dots is None:
            return None
    elif re.search(r"[0-9}]\s*[0-9]+\Z", again) and not re.search(r"\}\Z", again) and "{" in again:
        return None  # digits after the bar
    return Fraction(
        int(whole + fixed or "0") * (10 ** len(period) - 1) + int(period), 10 ** len(fixed) * (10 ** len(period) - 1)
    )


_SCALES = {
    "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "lakh": 10**5,
    "crore": 10**7, "dozen": 12, "mn": 10**6, "bn": 10**9, "万": 10**4, "亿": 10**8,
}  # fmt: skip
_SCALED = re.compile(
    rf"(?P<currency>[^0-9.]{{0,4}}?)(?P<sign>-?)(?P<value>{_DECIMAL})\s*(?:\\text\{{\s*)?"
    rf"(?P<scale>{'|'.join(_SCALES)})s?(?![A-Za-z])(?P<rest>.*)",
    re.DOTALL,
)


def without_scale(text: str) -> str:
    """1500000 dollars" for "1.5 million dollars"; other texts unchanged."""
    match = _SCALED.fullmatch(text)
    if match is None or re.match(r"\s*[-+*/^0-9(\\]|.*[一-鿿]", match["rest"].replace(r"\text", "")):
        return text
    value = _decimal(match["value"]) * _SCALES[match["scale"]]
    exact = f"{value.numerator}" if value.denominator == 1 else f"{value.numerator}/{value.denominator}"
    is_open = "{" in match[0][match.start("value") : match.start("scale")]
    rest = match["rest"].strip()
    if is_open:
        rest = "" if rest == "}" else r" \text{" + rest
    return f"{match['currency']}{match['sign']}{exact} {rest}".strip()


_ORDINAL = re.compile(
    r"(?:(?:\\text\s*\{\s*)?the\s*\}?\s*)?(?P<number>[0-9]+)\s*\^?\s*(?:\{\s*)?(?:\\text\s*\{\s*)?(?:st|nd|rd|th)(?P<close>[\s}]*)"
    r"(?P<rest>(?:\s[A-Za-z]+|\\text\{\s*[A-Za-z]+\s*\})?)"
)


def without_ordinal(text: str) -> str:
    r"""12" for "12th", "12^{\text{th}}", "12th grade"; other texts unchanged."""
    match = _ORDINAL.fullmatch(text)
    return match["number"] if match and not NO_UNIT.search(match["rest"]) else text


_CLOCK = re.compile(
    r"(?P<hour>[01]?[0-9]|2[0-4])\s*(?::\s*(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9]))?)?"
    r"\s*(?P<half>[ap]\.?\s?m\.?|in the (?:morning|afternoon|evening)|at night|uhr|noon|midnight|o['’]?\s?clock|h(?:rs|ours)?)?",
    re.IGNORECASE,
)


_HALVES = {"in the morning": "am", "in the afternoon": "pm", "in the evening": "pm", "at night": "pm"}


def clock(text: str) -> tuple[int, int, int, str] | None:
    """(hour, minute, second, "am", "pm" or "") of a time of day; None of anything else, a bare number among it."""
    bare = re.sub(r"\\text\s*\{([^{}]*)\}", r" \1", text).replace("\\", "").strip()
    bare = with_halves(bare)
    bare = re.sub(r"\A(\d{1,2})\s?h\s?(?=\d\d\Z)", r"\1:", bare)
    if bare.casefold() in ("noon", "midnight", "midday"):
        return (12, 0, 0, "am" if bare.casefold() == "midnight" else "pm")
    match = _CLOCK.fullmatch(bare)
    if match is None or not (match["minute"] or (match["half"] and match["half"][0] in "aApPnNmMiIoO")):
        return None
    half, hour = (match["half"] or "").casefold(), int(match["hour"])
    mark = _HALVES.get(half) or {"a": "am", "p": "pm", "n": "pm", "m": "am"}.get(half[:1], "")
    if mark and not 1 <= hour <= 12:
        return None
    return hour, int(match["minute"] or 0), int(match["second"] or 0), mark


def same_time(first: tuple[int, int, int, str], second: tuple[int, int, int, str]) -> bool:
    """Whether two times are the same; one without am and pm is also what a clock on the wall shows."""
    if (first[3] and second[3]) or not (first[3] or second[3]):
        return first == second
    marked, bare = (first, second) if first[3] else (second, first)
    hour = marked[0] % 12 + (12 if marked[3] == "pm" else 0)
    return bare[1:3] == marked[1:3] and bare[0] in (marked[0], hour)


_CURRENCIES = (
    "$ € £ ¥ ₹ ₩ ₱ ₽ ₺ ₫ ฿ ₦ ₴ ₪ ৳ ¢ USD EUR GBP JPY CNY INR KRW CHF PLN SEK NOK DKK BRL "  # noqa: SIM905
    "R$ A$ C$ HK$ S$ NZ$ AUD CAD Rs zł kr".split()
)
_SIGN = "|".join(re.escape(sign) for sign in sorted(_CURRENCIES, key=len, reverse=True))
_POWER = r"\^\{?-?[1-3]\}?"
_TEXTS = r"\\text\{(?:[^{}]|\{[^{}]*\})*\}"
_WORDS = rf"[^\W\d_](?:[^\W\d_]|[/'. *-]|\\cdot(?![a-z])|{_POWER})*"
_WITH_UNIT = re.compile(
    rf"(?P<value>.*?[^\s/])\s*(?P<text>/?\s*{_TEXTS}(?:\s|\\cdot|[*/]|{_POWER}|{_TEXTS})*)"
    rf"|(?P<before>.*?(?:[\d}})%]|\\pi))(?:\s+\(?(?P<words>{_WORDS})\)?|\s*(?P<slash>/\s*[^\W\d_]{{3,}})"
    rf"|\s*(?P<sign>(?:{_SIGN})(?:\s*(?:/|per\b).*)?)|\s*(?P<chinese>[\u4e00-\u9fff/]{{1,8}}))",
    re.DOTALL,
)
_CURRENCY = re.compile(
    rf"([+-]?)\s*(?:\\text\{{\s*)?(?:US(?=\s?\$))?\s?({_SIGN})\.?\s*(?:\}}\s*)?([+-]?[0-9.].*)",
    re.IGNORECASE | re.DOTALL,
)
_TRIGONOMETRIC = re.compile(r"\\(?:arc)?(?:sin|cos|tan|cot|sec|csc)(?![A-Za-z])")
_DEGREES = re.compile(r"\s*\^\{\\circ\}\s*(?:(?:\\text\s*\{\s*)?([CF])(?![A-Za-z])\s*\}?)?")
_TEMPERATURES = {"C": "celsius", "F": "fahrenheit"}


def split_degrees(text: str) -> tuple[str, frozenset[str]]:
    r"""("60", {"degree"}) for 60^{\circ}; the text as it is where the degrees stand inside a \sin."""
    found = _DEGREES.findall(text)
    if not found or _TRIGONOMETRIC.search(text):
        return text, frozenset()
    return _DEGREES.sub(" ", text).strip(), frozenset(_TEMPERATURES.get(letter, "degree") for letter in found)


def split_unit(text: str) -> tuple[str, Unit]:
    """("18", dollar under day) for "18 dollars per day" and "$18/day"; the text and no unit when in doubt.

    Letters that touch the number are factors, never a unit: `2ab`.
    """
    if "=" in text:  # an equation: its last letter is a variable
        return text, NONE
    text, degrees = split_degrees(text)
    unit = Unit(degrees)
    if (match := _CURRENCY.fullmatch(text)) and not (match[1] and match[3][0] in "+-"):
        text, unit = match[1] + match[3], Unit(frozenset({MEASURES[match[2].casefold()]}))
    match = _WITH_UNIT.fullmatch(text)
    if match is None:
        return text, unit
    words = match["text"] or match["words"] or match["slash"] or match["sign"] or match["chinese"] or ""
    is_factor = len(match["words"] or "  ") == 1 and re.search("[A-Za-z]", re.sub(r"\\[A-Za-z]+", "", match["before"]))
    named = parse(words)
    if is_factor or named is None:  # the h of \pi r^2 h is no hour
        return text, unit
    return (match["value"] or match["before"]).strip(), unit | named

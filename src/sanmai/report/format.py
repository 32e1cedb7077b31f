"""Numbers and names as people read them. A missing, infinite or undefined number is an en dash."""

from __future__ import annotations

import textwrap
from math import floor, isfinite, log10

NONE = "–"
_THIN = "\u202f"  # narrow no-break space, so that a number and its unit stay on one line
_LINE_WIDTH = 120
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def printable(name: str) -> str:
    """A name from a file, as a terminal can show it."""
    return "".join(c if c.isprintable() else "?" for c in name)


def wrapped(sentence: str) -> list[str]:
    """A sentence as lines for a terminal of 120 columns."""
    return textwrap.wrap(sentence, _LINE_WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def number(value: float | None, digits: int = 3) -> str:
    """0.0123, 3.14, 1,234,567: about `digits` significant digits, whole numbers whole."""
    if value is None or not isfinite(value):
        return NONE
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e9 or size < 1e-4:
        return scientific(value)
    if float(value).is_integer() or size >= 10**digits:
        return _minus(f"{value:,.0f}")
    decimals = max(0, digits - 1 - floor(log10(size)))
    text = f"{value:,.{decimals}f}"
    return _minus(text.rstrip("0").rstrip(".") if "." in text else text)


def scientific(value: float) -> str:
    """1.2 × 10¹³"""
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{_minus(mantissa)}{_THIN}×{_THIN}10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def percent(share: float | None) -> str:
    """62.5 %; 31 % where the decimal is zero."""
    return NONE if share is None or not isfinite(share) else f"{_tenths(share)}{_THIN}%"


def points(share: float) -> str:
    """+47 points"""
    return NONE if not isfinite(share) else f"{_signed(_tenths(share))} points"


def signed(value: float) -> str:
    """+3.2"""
    return NONE if not isfinite(value) else _signed(number(value))


def interval(low: float, high: float, *, is_share: bool) -> str:
    """[41, 53]; nothing where the interval is unbounded."""
    if not (isfinite(low) and isfinite(high)):
        return ""
    show = _tenths if is_share else number
    return f"[{show(low)}, {show(high)}]"


def duration(seconds: float) -> str:
    """0.42 s, 12 s, 4 min 12 s, 2 h 5 min"""
    if not isfinite(seconds):
        return NONE
    if seconds < 10:
        return f"{number(seconds, 2)}{_THIN}s"
    if round(seconds) < 60:
        return f"{seconds:.0f}{_THIN}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{_THIN}min {rest}{_THIN}s"
    return f"{minutes // 60:,}{_THIN}h {minutes % 60}{_THIN}min"


def _tenths(share: float) -> str:
    text = f"{100 * share:.1f}".removesuffix(".0")
    return _minus("0" if text == "-0" else text)


def _signed(text: str) -> str:
    return text if text.startswith("−") or text == "0" else f"+{text}"


def _minus(text: str) -> str:
    return text.replace("-", "−")

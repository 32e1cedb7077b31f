"""One notation for mathematics: LaTeX, plain text and Unicode that say the same become the same LaTeX."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

MAX_CHARS = 1000
"""Longer answers are not final answers; nothing slower than linear ever sees more."""

DEGREE = r"^{\circ}"

# Unicode: single characters, then runs of raised and lowered digits.
_CHARACTERS = str.maketrans({
    "−": "-", "–": "-", "－": "-", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot ", "÷": "/", "∕": "/",
    "⁄": "/", "±": r"\pm ", "∓": r"\mp ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "⩽": r"\le ", "⩾": r"\ge ",
    "≠": r"\ne ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "ø": r"\emptyset ",
    "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "ℕ": r"\mathbb{N}",
    "∀": r"\forall ", "⟨": r"\langle ", "⟩": r"\rangle ", "〈": r"\langle ", "〉": r"\rangle ", "°": DEGREE, "º": DEGREE,
    "π": r"\pi ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "φ": r"\phi ", "ω": r"\omega ",
    "λ": r"\lambda ", "μ": r"\mu ", "σ": r"\sigma ", "℃": DEGREE + "C", "℉": DEGREE + "F", "∖": r"\setminus ",
    "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "…": r"\ldots ", "\u00a0": " ", "\u202f": " ",
    "\u2009": " ", "∶": ":",
})  # fmt: skip
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿˣⁱ", "0123456789+-nxi")
_RAISED_RUN = re.compile(r"(?<=[\w)}\]])[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿˣⁱ]+")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉ₙ", "0123456789n")
_VULGAR = {
    character: "\\frac{{{}}}{{{}}}".format(*unicodedata.normalize("NFKC", character).split("⁄"))
    for character in "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"
}
_TEXT = (
    r"\\(?:text(?:superscript|subscript|rm|sf|tt|bf|it|normal)?|mathrm|mathbf|mathit|mathsf|mbox|operatorname)\s*(?=\{)"
)

_REPLACEMENTS = [
    (
        re.compile(r"\A([\s$€£]*-?[1-9]\d{0,2})((?: \d{3})+)(?![\d ]*\d|\s*[\^/!_.,]\d)"),
        lambda m: m[1] + m[2].replace(" ", ""),
    ),
    (re.compile(r"\\(?:(?:text)?color\s*\{[^{}]*\}|colorbox\s*\{[^{}]*\}|underline)\s*\{([^{}]*)\}"), r"\1"),
    (
        re.compile(
            r"\\(?:color\s*\{[^{}]*\}|(?:tiny|small|normalsize|large|Large|LARGE|huge|Huge|bf|rm|displaystyle)(?![A-Za-z]))\s*"
        ),
        "",
    ),
    (re.compile(r"(?<=\d)\{,\}(?=\d{1,2}(?!\d)|\d{4})"), "."),  # a decimal comma
    (
        re.compile(r"\\(?:operatorname\s*\{|text\s*\{|mathrm\s*\{)?\s*(arc)?(c?)tg(?![A-Za-z])\s*\}?"),
        lambda m: rf"\{m[1] or ''}{'cot' if m[2] else 'tan'} ",
    ),
    (
        re.compile(
            r"\A\s*(?:\\(?:text|mathrm|operatorname)\s*\{\s*)?\\?(?:gcd|lcm)\s*\}?\s*(?:\([\d, ]+\)\s*)?=\s*(?=\d)",
            re.I,
        ),
        "",
    ),
    (re.compile(r"\A\s*\\mathbb\s*\{?L\}?\s*=\s*"), ""),
    (re.compile(r"\\text\s*\{\s*const(?:ant|\.)?\s*\}"), "C"),
    (re.compile(r"\\(begin|end)\{smallmatrix\}"), r"\\\1{pmatrix}"),
    (re.compile(r"\\cr(?![A-Za-z])"), r"\\\\"),
    (re.compile(r"\\begin\{(cases|aligned)\}(.{1,300}?)\\end\{\1\}", re.DOTALL), lambda m: _rows(m[2]) or m[0]),
    (
        re.compile(r"\A(?:Matrix)?\(?\s*\[(\s*\[[^\[\]]+\](?:\s*,\s*\[[^\[\]]+\])+\s*)\]\s*\)?\Z"),
        lambda m: _matrix(m[1]),
    ),
    (
        re.compile(
            r"\A\[\s*([^\s,;\[\]]+(?:(?:\s+|\s*,\s*)[^\s,;\[\]]+){1,8}(?:\s*;\s*[^\s,;\[\]]+(?:(?:\s+|\s*,\s*)[^\s,;\[\]]+){1,8}){1,8})\s*\]\Z"
        ),
        lambda m: _typed_matrix(m[1]) or m[0],
    ),
    (re.compile(r"(?<=[A-Za-z0-9)}])[₀-₉ₙ]+"), lambda m: f"_{{{m[0].translate(_LOWERED)}}}"),
    (re.compile(f"[{''.join(_VULGAR)}]"), lambda m: _VULGAR[m[0]]),
    (re.compile(r"([0-9])\u0305"), r"\\overline{\1}"),
    (re.compile(r"∛\s*([0-9A-Za-z]+)"), r"\\sqrt[3]{\1}"),
    (re.compile(r"√\s*(?=[({])"), r"\\sqrt"),
    (re.compile(r"√\s*([0-9]+|[A-Za-z])"), r"\\sqrt{\1}"),
    (re.compile(r"(?<=\d)(?:\\[,!;: ]|\{,\}|,\\!)(?=\d{3})"), lambda m: "," if "," in m[0][-2:] else ""),
    (re.compile(r"\\(?:left|right|displaystyle|[bB]ig[lrm]?|[bB]igg[lrm]?)(?![A-Za-z])"), ""),
    (re.compile(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\\(?:varnothing)(?![A-Za-z])"), r"\\emptyset"),
    (re.compile(r"\\mathrm\s*\{\s*([ei])\s*\}"), r"\1"),
    (
        re.compile(
            r"(?:\\(?:hat|vec|mathbf|boldsymbol|bold|bm)(?![A-Za-z])\s*\{?\s*){1,2}(?:\\([ij])math|([ijk]))(?![A-Za-z])\}{0,2}"
        ),
        lambda m: f"\\hat{{{m[1] or m[2]}}}",
    ),
    (re.compile(r"\\(?:Bbb|mathbf|bf)\s*\{?([RZQCN])\}?(?![A-Za-z])"), r"\\mathbb{\1}"),
    (re.compile(_TEXT), r"\\text"),
    (re.compile(r"\\mathbb\s*([RZQCN])"), r"\\mathbb{\1}"),
    (
        re.compile(r"\s*(?:\^\s*(?:\{\s*\\circ\s*\}|\\circ)|\\degree(?![A-Za-z])|\\text\{\s*°\s*\})"),
        DEGREE.replace("\\", "\\\\"),
    ),
    (re.compile(r"\\%"), "%"),
    (
        re.compile(
            r"(?<=[\d}])\s*(?:percent|per\s?cent|pct\.?|\\text\s*\{\s*(?:percent|per\s?cent|pct\.?)\s*\})\Z", re.I
        ),
        "%",
    ),
    (re.compile(r"(?<=[,(\[])\s*\+\s*(?=\\infty)|\A\+\s*(?=\\infty\s*\Z)"), ""),
    (re.compile(r"\\\$"), "$"),
    (re.compile(r"(?<!\\)\\[,!;: ]|(?<=\S)~|\\q?quad(?![A-Za-z])"), " "),
    (re.compile(r"\\begin\{array\}\s*\{[clr| ]*\}|\\begin\{[bB]?matrix\}"), r"\\begin{pmatrix}"),
    (re.compile(r"\\end\{(?:array|[bB]?matrix)\}"), r"\\end{pmatrix}"),
    (re.compile(r"\\langle(?![A-Za-z])\s*"), "("),
    (re.compile(r"\s*\\rangle(?![A-Za-z])"), ")"),
    (re.compile(r"\A<([^<>=]*,[^<>=]*)>\Z"), r"(\1)"),
    (re.compile(r"\\leq?(?:slant)?(?![A-Za-z])|\\leqq(?![A-Za-z])|<=|=<"), r"\\le "),
    (re.compile(r"\\geq?(?:slant)?(?![A-Za-z])|\\geqq(?![A-Za-z])|>="), r"\\ge "),
    (re.compile(r"\\neq?(?![A-Za-z])|!="), r"\\ne "),
    (re.compile(r"\\lt(?![A-Za-z])"), "<"),
    (re.compile(r"\\gt(?![A-Za-z])"), ">"),
    (
        re.compile(r"(?<=[\w)}])\s+choose\s+(?=[\w({])|(?<=[\w)}])\s*\\text\s*\{\s*choose\s*\}\s*(?=[\w({])"),
        r"\\choose ",
    ),
    (re.compile(r"\{\s*([^{}]{1,99}?)\s*\\choose(?![A-Za-z])\s*([^{}]{1,99}?)\s*\}"), r"\\binom{\1}{\2}"),
    (re.compile(r"\A([^{}]{1,99}?)\s*\\choose(?![A-Za-z])\s*([^{}]{1,99})\Z"), r"\\binom{\1}{\2}"),
    (re.compile(r"\\[dt]binom(?![A-Za-z])"), r"\\binom"),
    (re.compile(r"\{\s*([:,;])\s*\}"), r"\1"),
    (re.compile(r"(?<![\w)}])\](\s*[^\[\]]{1,60}?[,;][^\[\]]{1,60}?)(?=[\[\]])"), r"(\1"),
    (re.compile(r"(?<=[(\[])([^()\[\]]{1,60}?[,;][^()\[\]]{1,60}?)\[(?!\w)"), r"\1)"),
    (re.compile(r"\s*;\s*(?=\S)"), ", "),
    (re.compile(r"\{\s*([^{}]{1,99})\\over(?![A-Za-z])\s*([^{}]{1,99})\}"), r"\\frac{\1}{\2}"),
    (re.compile(r"\A([^{}]{1,99})\\over(?![A-Za-z])\s*([^{}]{1,99})\Z"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s*(\d)\s*(\d)(?!\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s*(\d)\s*\{"), r"\\frac{\1}{"),
    (re.compile(r"(\\frac\{[^{}]*\})\s*(\d)"), r"\1{\2}"),
    (re.compile(r"\\sqrt\s*(\d)"), r"\\sqrt{\1}"),
    (re.compile(r"(\\(?:sin|cos|tan|cot|sec|csc|log|ln))\s*\^\s*([0-9])(?![0-9])\s*"), r"\1^{\2} "),
    # Plain text, as programs and keyboards write it.
    (re.compile(r"(?<=[\w)}\]])\s*\*\*\s*(?=[\w({-])"), "^"),
    (re.compile(r"\^\s*(-?[0-9]{2,}|-[0-9])(?![0-9])"), r"^{\1}"),
    (re.compile(r"(?<![\\A-Za-z])(?:\\ )?\b(pi|theta|alpha|beta|gamma|phi|lambda|omega)(?![A-Za-z])"), r"\\\1 "),
    (re.compile(r"(?<=[0-9])pi(?![A-Za-z])"), r"\\pi "),
    (re.compile(r"(?<![\\A-Za-z])sqrt\s*(?=[0-9({])"), r"\\sqrt"),
    (
        re.compile(r"(?<![\\A-Za-z])cbrt\s*(?:\(([^()]{1,60})\)|([0-9]+|[a-z](?![A-Za-z])))"),
        lambda m: rf"\sqrt[3]{{{m[1] or m[2]}}}",
    ),
    (re.compile(r"(?<![\\A-Za-z])log(2|10)(?=\s*\()"), r"\\log_{\1}"),
    (re.compile(r"(?<![A-Za-z\\0-9])oo(?![A-Za-z])"), r"\\infty "),
    (re.compile(  # a vector written as a row; never a matrix, nor what follows a name
        r"\A([(\[][^()\[\]+*/^]*,[^()\[\]+*/^]*[)\]]|\\begin\{pmatrix\}(?:[^&]*|[^\\]*)\\end\{pmatrix\})"
        r"\s*\^\s*(?:T|\{\s*(?:T|\\top|\\intercal|\\text\{T\})\s*\}|\\top|\\intercal)\Z"
    ), r"\1"),
    (
        re.compile(
            rf"(?<![\d.])(\d{{1,3}}){re.escape(DEGREE)}\s*(\d{{1,2}})\s*(?:'|′|\^\{{?\\prime\}}?|\\prime)(?:\s*(\d{{1,2}})\s*(?:''|\"|″|\^\{{\\prime\\prime\}}))?\Z"
        ),
        lambda m: _in_degrees(int(m[1]), int(m[2]), int(m[3] or 0)),
    ),
    (
        re.compile(
            r"(?<![\\A-Za-z])(sin|cos|tan|cot|sec|csc|ln|log|exp|arcsin|arccos|arctan)(?=\s*[({_]|\s+[0-9A-Za-z\\](?![a-z]))"
        ),
        r"\\\1",
    ),
    (re.compile(r"\\sqrt\s*([0-9]+)"), r"\\sqrt{\1}"),
    (re.compile(r"\\log_([0-9a-z])(?![0-9a-z])"), r"\\log_{\1}"),
    (re.compile(r"\\log_\{([0-9]+|[a-z])\}\s*(?:\{([0-9]+|[a-z])\}|([0-9]+|[a-z](?![a-z])))"), r"\\log_{\1}(\2\3)"),
    (re.compile(r"(?<![\\A-Za-z])abs\(([^()]*)\)"), r"|\1|"),
    (re.compile(r"(?<![\\A-Za-z])a(sin|cos|tan)(?=\s*\()"), r"\\arc\1"),
    (re.compile(r"\A(?:\\text\{\s*answer\s*[:=]\s*\}|answer\s*[:=]|=)", re.IGNORECASE), ""),
    (re.compile(r"\s+"), " "),
]


def _in_degrees(degrees: int, minutes: int, seconds: int) -> str:
    """30°30' as degrees alone."""
    value = degrees + Fraction(minutes, 60) + Fraction(seconds, 3600)
    return (f"{value.numerator}/{value.denominator}" if value.denominator > 1 else str(value.numerator)) + DEGREE


def _rows(text: str) -> str | None:
    """A system of values as a list: "x = 2, y = 3"; None of other rows."""
    rows = [row.replace("&", "").strip(" ,\n") for row in re.split(r"\\\\", text) if row.strip()]
    return ", ".join(rows) if all(re.fullmatch(r"[A-Za-z]\s*=[^=<>]+", row) for row in rows) else None


def _typed_matrix(text: str) -> str | None:
    """The rows of [2 0; 0 3], as MATLAB writes them; None where they differ in length."""
    rows = [re.split(r"\s*,\s*|\s+", row.strip()) for row in text.split(";")]
    if len({len(row) for row in rows}) > 1:
        return None
    return r"\begin{pmatrix}" + r" \\ ".join(" & ".join(row) for row in rows) + r"\end{pmatrix}"


def _matrix(text: str) -> str:
    """The rows of [[2, 0], [0, 3]] as a matrix."""
    rows = re.findall(r"\[([^\[\]]+)\]", text)
    return r"\begin{pmatrix}" + r" \\ ".join(row.replace(",", " & ") for row in rows) + r"\end{pmatrix}"


_AND_OR = re.compile(
    r"\s*(?:\\text\s*\{\s*(?P<text>or|and|oder|und|ou|et|o|y|e|или|и|або|eller|och|lub|nebo|veya|ve|atau|dan|hoặc|và)\s*\}|"
    r"(?<=[\d})])(?P<east>[或和及]|または|と|또는|그리고)(?=\s*[-\dA-Za-z\\$(])|\\(?P<sign>lor|land|vee|wedge)(?![A-Za-z])|\b(?P<word>or|and)\b)\s*"
)
_ANDS = frozenset("and land wedge und et y e и och ve dan và 和 及 と 그리고".split())  # noqa: SIM905
_PROPOSITION = re.compile(r"[\s(]*(?:\\(?:neg|lnot)(?![A-Za-z])\s*|¬)?\(?[A-Za-z][\s)]*")
_STATED_NAME = re.compile(r"\s*([A-Za-z](?:_\{?\w+\}?)?)\s*=(?!=)")
_WRAPPERS = [
    ("```", "```"), ("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("`", "`"), ("{", "}"), ('"', '"'),
    ("'", "'"), ("“", "”"), ("‘", "’"),
]  # fmt: skip
_INLINE = re.compile(r"(?<![\\$])\$((?:\\.|[^$\\]){1,200})(?<!\s)\$(?![0-9$])|\\\(([^\n]{1,200}?)\\\)")


_RECURRING = re.compile(r"(?<![\d.,])(\d{1,9}\.\d{0,9}?)(\d{1,9}?)\2{1,20}\s*(?:\.{3}|…|\\(?:l|c)?dots(?![A-Za-z]))")
"""0.333... and 0.1666…, before a sentence's dots go."""
_EURO_DECIMAL = re.compile(
    r"(?:(?<=[€£])|(?<=EUR )|(?<=€ )|(?<=R\$)|(?<=R\$ ))\d{1,3}(?:\.\d{3})*,\d{2}(?![\d,])"
    r"|(?<![\d.,])\d{1,3}(?:\.\d{3})*,\d{2}(?=\s?(?:\\text\s*\{\s*)?(?:[€£]|(?:EUR|[Ee]uros?|zł|kr|reais|lei|Kč)\b))"
)
"""€1.250,50 and 12,50 €: beside money two digits are cents."""


def normalise(text: str) -> str:
    """One notation for what looks the same: wrappers, spaces, fractions, matrices, degrees, signs; "or" is a comma."""
    return with_commas(one_notation(text))


def with_commas(text: str) -> str:
    r"""Commas for "and" and "or", but not where it matters which: `p \lor q`, "x = 2 or y = 3"."""
    parts = _AND_OR.split(text)[:: _AND_OR.groups + 1]
    joints = list(_AND_OR.finditer(text))
    names = {name[1] for part in parts if (name := _STATED_NAME.match(part))}
    is_logic = len(parts) > 1 and all(_PROPOSITION.fullmatch(part) for part in parts)
    is_named_so = all(
        re.search(r"(?<!\\)\b[pqrs]\b", part) for part in parts
    )  # as propositions are, unlike choices A and C
    for match in reversed(joints):
        is_or = (match["text"] or match["sign"] or match["word"] or match["east"]) not in _ANDS
        is_kept = (is_logic and (match["sign"] or is_named_so)) or (is_or and len(names) > 1)
        joint = (r" \lor " if is_or else r" \land ") if is_kept else ", "
        text = text[: match.start()] + joint + text[match.end() :]
    return re.sub(r",\s*,", ",", text).strip()


def one_notation(text: str) -> str:
    """normalise() that leaves "and" and "or" as they are."""
    text = _RECURRING.sub(r"\1\\overline{\2}", text[: MAX_CHARS + 1].strip())
    text = _EURO_DECIMAL.sub(lambda m: m[0].replace(".", "").replace(",", "."), text)
    for _ in range(6):
        before, text = text, _unwrap(re.sub(r"(?<!\\)(?:[.,。]\s*){1,5}\Z", "", text.strip()).strip())
        if text == before:
            break
    text = _RAISED_RUN.sub(lambda m: f"^{{{m[0].translate(_RAISED)}}}", _INLINE.sub(lambda m: m[1] or m[2], text))
    text = text.translate(_CHARACTERS)
    for pattern, replacement in _REPLACEMENTS:
        text = pattern.sub(replacement, text)
    text = _braced(text.strip())
    matrix = re.fullmatch(r"[(\[]\s*(\\begin\{pmatrix\}[^()\[\]]*\\end\{pmatrix\})\s*[)\]]", text)
    return matrix[1] if matrix else text


def _braced(text: str) -> str:
    r"""\sqrt(2) is \sqrt{2}, \exp(x) and e^(x) are e^{x}, x^(n) is x^{n}."""
    for _ in range(20):
        match = re.search(r"\\sqrt\s*(?=\()|\\exp\s*(?=[({])|\^\s*(?=\()", text)
        end = closing_bracket(text, match.end()) if match else None
        if match is None or end is None:
            return text
        head = {"s": r"\sqrt", "e": "e^"}.get(match[0][1:2], "^")
        text = f"{text[: match.start()]}{head}{{{text[match.end() + 1 : end]}}}{text[end + 1 :]}"
    return text


def closing_bracket(text: str, start: int) -> int | None:
    """Position of the bracket that closes the ( or { at `start`; None when there is none."""
    left, right = text[start], {"(": ")", "{": "}"}[text[start]]
    depth = 0
    for k in range(start, len(text)):
        depth += (text[k] == left) - (text[k] == right)
        if depth == 0:
            return k
    return None


def _unwrap(text: str) -> str:
    for left, right in _WRAPPERS:
        if text.startswith(left) and text.endswith(right) and len(text) >= len(left) + len(right):
            inner = text[len(left) : len(text) - len(right)]
            bare = inner.replace(r"\$", "")
            if left not in bare and right not in bare and not inner.endswith("\\"):
                return inner
    for command in (r"\boxed{", r"\fbox{", r"\text{", r"\mathrm{", r"\textbf{", r"\mathbf{", r"\texttt{", r"\textrm{"):
        if text in (r"\mathbf{R}", r"\mathbf{Z}"):
            break
        if text.startswith(command) and closing_brace(text, len(command)) == len(text) - 1:
            return text[len(command) : -1]
    return text


def closing_brace(text: str, start: int) -> int | None:
    """Position of the brace that closes the one opened just before `start`; None when there is none."""
    depth = 1
    for match in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, start):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return match.start()
    return None


def has_foreign_digits(text: str) -> bool:
    """Whether there is a digit, numeral, superscript or vulgar fraction outside ASCII."""
    return not text.isascii() and any(ord(c) > 127 and unicodedata.category(c).startswith("N") for c in text)


def squeeze(text: str) -> str:
    """Without the spaces that mean nothing."""
    return re.sub(r"(?<![\w])\s+|\s+(?![\w])", "", text)

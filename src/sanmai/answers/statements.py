"""What a final answer states, in one form: sets in words, inequalities as intervals, names and qualifiers apart."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise

from sanmai.answers.quantities import number

_GREEK = r"\\(?:theta|alpha|beta|gamma|phi|omega|lambda|mu|sigma|rho|pi)(?![A-Za-z])"
_VARIABLE = rf"(?:[A-Za-z]|{_GREEK})(?:_(?:\{{\w{{1,8}}\}}|\w))?"
REALS = r"(-\infty, \infty)"
EMPTY = r"\emptyset"


def plain(text: str) -> str:
    r"""As words: without \text, its braces, and case."""
    text = re.sub(r"\\text\s*\{([^{}]*)\}", r" \1 ", text)
    return re.sub(r"\s+", " ", text).strip(" .!").casefold()


# Sets and limits that people name in words. The noun's kind matters: "no integer solution" is not "no solution".

_ALL = r"(?:the )?(?:set of )?(?:all|every|any)(?: the)?(?: possible)? "
_SET_WORDS = [
    (re.compile(
        r"(?:(?:the|this) (?:equation|system|inequality|problem|function) has |there (?:is|are|exists?|exist) )?no (?:such )?"
        r"(?:(?P<kind>integer|positive|rational|complex|natural|negative|whole) |real )?"
        r"(?:solutions?|roots?|values?|such [a-z]+|numbers?|answers?)(?: (?:of|for) [a-z])?"
        r"(?: exists?| exist| (?:to|for|of) (?:the|this) (?:equation|system|inequality|problem))?"
    ), EMPTY),
    (re.compile(r"there (?:does not|doesn't|do not|don't) exist (?:any |such )(?:an? )?[a-z]+(?: numbers?)?"), EMPTY),
    (re.compile(r"(?:there (?:is|are) )?no such [a-z]+(?: numbers?)?(?: exists?)?"), EMPTY),
    (re.compile(r"(?:it is |this is )?(?:impossible|not possible|unsolvable)|"
                r"(?:the (?:system|equations?) (?:is|are) )?inconsistent"), EMPTY),
    (re.compile(r"\\emptyset|\\\{\s*\\\}|none|(?:the )?(?:empty|null) set|\{\s*\}"), EMPTY),
    (re.compile(r"dne|undefined|not defined|(?:the limit )?(?:does not|doesn't) exist|(?:it )?is (?:undefined|not defined)"),
     r"\text{does not exist}"),
    (re.compile(r"(?:an )?(?:infinitely many|infinite(?: number of)?)(?: (?:real )?solutions?)?"), r"\text{infinitely many}"),
    (re.compile(r"(?:\+ ?|positive |plus )?(?:infinity|\\infty)"), r"\infty"),
    (re.compile(r"(?:- ?|negative |minus )(?:infinity|\\infty)"), r"-\infty"),
    (re.compile(rf"{_ALL}(?:positive real|positive real numbers?|positive reals)(?: [a-z])?"), r"(0, \infty)"),
    (re.compile(rf"{_ALL}non-?negative real(?:s| numbers?)?(?: [a-z])?"), r"[0, \infty)"),
    (re.compile(rf"{_ALL}real(?:s| numbers?| values?)?(?: (?:of )?[a-z])?|(?:the )?reals|(?:the )?(?:set of )?real numbers|"
                r"\\mathbb\{r\}"), REALS),
    (re.compile(r"\\mathbb\{r\}(?:\^\{?\+\}?|_\{?(?:\+|> ?0)\}?)"), r"(0, \infty)"),
    (re.compile(rf"{_ALL}integers?(?: [a-z])?|\\mathbb\{{z\}}"), r"\mathbb{Z}"),
    (re.compile(rf"{_ALL}positive integers?(?: [a-z])?|\\mathbb\{{z\}}(?:\^\{{?\+\}}?|_\{{?(?:\+|> ?0)\}}?)"), r"\mathbb{Z}^+"),
    (re.compile(rf"{_ALL}rational(?:s| numbers?)|\\mathbb\{{q\}}"), r"\mathbb{Q}"),
    (re.compile(rf"{_ALL}complex numbers?(?: [a-z])?|\\mathbb\{{c\}}"), r"\mathbb{C}"),
]  # fmt: skip


def in_symbols(text: str) -> str:
    r"""\emptyset for "No solutions exist", (-\infty, \infty) for \mathbb{R} and "all real numbers"; else the text."""
    words = plain(text)
    member = re.match(rf"({_VARIABLE})\s*(?:\\in(?![A-Za-z])|(?:is|can be)\s)\s*", words)
    rest = words[member.end() :] if member else words
    for pattern, symbol in _SET_WORDS:
        match = pattern.fullmatch(rest)
        if match:
            kind = match.groupdict().get("kind")
            found = rf"\text{{no {kind} solution}}" if kind else symbol
            return rf"{member[1]} \in {found}" if member else found
    return text


# Inequalities become intervals: x < 3 is x \in (-\infty, 3).

_RELATION = re.compile(r"\s*(<|>|\\le |\\ge |\\ne )\s*")
_OPPOSITE = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
_OR = re.compile(r"\s*,?\s*(?:\\text\s*\{\s*or\s*\}|\bor\b|\\lor(?![A-Za-z])|\\vee(?![A-Za-z])|\\cup(?![A-Za-z]))\s*")
_AND = re.compile(r"\s*,?\s*(?:\\text\s*\{\s*and\s*\}|\band\b|\\land(?![A-Za-z])|\\wedge(?![A-Za-z]))\s*")
_BUILDER = re.compile(
    rf"\\\{{\s*{_VARIABLE}\s*(?:\\in\s*\\mathbb\{{R\}})?\s*(?::|\||\\mid(?![A-Za-z]))\s*(?P<body>.*\S)\s*\\\}}"
)
_WITHOUT = re.compile(
    r"(?P<name>[A-Za-z]\s*\\in\s*)?(?:"
    r"\\mathbb\{R\}\s*(?:\\setminus|\\backslash|\\|-)\s*\\\{(?P<items>[^{}]*(?:\{[^{}]*\}[^{}]*)*)\\\}"
    r"|(?:\\text\s*\{\s*)?all real(?:s| numbers?)(?: [a-z])? (?:except|other than|but)(?: for)?\s*\}?"
    r"\s*(?:[a-z]\s*=\s*)?(?P<words>.*))"
)
_Interval = tuple[str, str, str, str]  # ("(", "0", "12.5", ")")


def as_interval(text: str) -> str:
    r"""x \in (-\infty,-3]\cup[3,\infty) for "x \le -3 or x \ge 3", set-builders, x \ne 2 and \mathbb{R}\setminus\{2\}.

    Only where one variable stands against constants; other texts are returned as they are.
    """
    if match := _WITHOUT.fullmatch(text):
        return _punctured(match) or text
    if not _RELATION.search(text):
        return text
    if match := _BUILDER.fullmatch(text):
        text = match["body"]
    found = [_part(part) for part in _OR.split(text)]
    names = {name for name, _ in (part for part in found if part)}
    if None in found or len(names) != 1:
        return text
    intervals = [interval for part in found if part for interval in part[1]]
    return rf"{names.pop()} \in " + r" \cup ".join(f"{a}{low}, {high}{b}" for a, low, high, b in intervals)


def _punctured(match: re.Match[str]) -> str | None:
    items = re.split(r"\s*(?:,|\band\b)\s*", (match["items"] or match["words"]).strip(" }."))
    values = sorted((value[0], item) for item in items if (value := number(item)))
    if len(values) != len(items):
        return None
    edges = ["-\\infty", *(item for _, item in values), "\\infty"]
    return (match["name"] or "") + r" \cup ".join(f"({low}, {high})" for low, high in pairwise(edges))


def _part(text: str) -> tuple[str, list[_Interval]] | None:
    """The variable and the intervals of a chain, or of several that hold together; None when it is neither.

    A comma joins as "and" does only before a point that is left out ("x > 2, x \\ne 3"): "x < 1, x > 3" may mean either.
    """
    pieces = [piece for part in _AND.split(text) for piece in re.split(r"\s*,\s*(?=[^,]*\\ne )", part)]
    found = [_chain(piece) for piece in pieces]
    if None in found or len({part[0] for part in found if part}) != 1:
        return None
    name, left = found[0] or ("", [])
    for part in found[1:]:
        left = _both(left, part[1] if part else [])
        if not left:
            return None
    return name, left


def _both(first: list[_Interval], second: list[_Interval]) -> list[_Interval]:
    """What two unions of intervals share; nothing where that is empty or edges cannot be ordered."""
    if len(first) == len(second) == 1 and (one := _opposite_sides(first[0], second[0])):
        return [one]
    found = [_shared(a, b) for a in first for b in second]
    return [] if False in found else [interval for interval in found if isinstance(interval, tuple)]


def _opposite_sides(above: _Interval, below: _Interval) -> _Interval | None:
    """(a, b) of x > a and x < b, whatever a and b are, unless they are numbers in the other order."""
    if above[1] == r"-\infty":
        above, below = below, above
    if above[2] != r"\infty" or below[1] != r"-\infty" or above[1] == r"-\infty":
        return None
    edges = number(above[1]), number(below[2])
    is_empty = edges[0] is not None and edges[1] is not None and edges[0][0] >= edges[1][0]
    return None if is_empty else (above[0], above[1], below[2], below[3])


def _shared(first: _Interval, second: _Interval) -> _Interval | bool | None:
    """The part that two intervals share: None where it is empty, False where an edge is no plain number."""
    values = [_edge(text) for text in (first[1], second[1], first[2], second[2])]
    if None in values:
        return False
    low, other_low, high, other_high = (value or 0 for value in values)
    below = first if (low, first[0] == "(") >= (other_low, second[0] == "(") else second
    above = first if (high, first[3] == "]") <= (other_high, second[3] == "]") else second
    start, end = max(low, other_low), min(high, other_high)
    return (below[0], below[1], above[2], above[3]) if start < end else None


def _edge(text: str) -> Fraction | float | None:
    if "infty" in text:
        return float("-inf" if text.startswith("-") else "inf")
    value = number(text)
    return value[0] if value else None


def _chain(text: str) -> tuple[str, list[_Interval]] | None:
    sides = [side.strip() for side in _RELATION.split(text.strip())]
    if len(sides) == 3:
        left, relation, right = sides
        if _is_constant(left) and not _is_constant(right) and relation in _OPPOSITE:
            left, relation, right = right, _OPPOSITE[relation], left
        return _one_sided(left, relation, right) if _is_constant(right) else None
    if len(sides) == 5:
        low, first, name, second, high = sides
        if first in (">", r"\ge") and second in (">", r"\ge"):
            low, first, second, high = high, _OPPOSITE[second], _OPPOSITE[first], low
        if first not in ("<", r"\le") or second not in ("<", r"\le") or not _is_variable(name):
            return None
        if not (_is_constant(low) and _is_constant(high)):
            return None
        a, b = "(" if first == "<" or "infty" in low else "[", ")" if second == "<" or "infty" in high else "]"
        return name, [(a, low, high, b)]
    return None


def _one_sided(left: str, relation: str, right: str) -> tuple[str, list[_Interval]] | None:
    below: _Interval = ("(", r"-\infty", right, ")" if relation in ("<", r"\ne") else "]")
    above: _Interval = ("(" if relation in (">", r"\ne") else "[", right, r"\infty", ")")
    if _is_variable(left):
        return left, {"<": [below], r"\le": [below], ">": [above], r"\ge": [above], r"\ne": [below, above]}[relation]
    absolute = re.fullmatch(r"\|\s*(.+?)\s*\|", left)
    value = number(right)
    if absolute is None or not _is_variable(absolute[1]) or value is None or value[0] <= 0 or relation == r"\ne":
        return None
    a, b = ("(", ")") if relation in "<>" else ("[", "]")
    if relation in ("<", r"\le"):
        return absolute[1], [(a, f"-{right}", right, b)]
    return absolute[1], [("(", r"-\infty", f"-{right}", b), (a, right, r"\infty", ")")]


def _is_variable(text: str) -> bool:
    return re.fullmatch(rf"{_VARIABLE}|[A-Za-z]\([A-Za-z]\)", text) is not None


def _is_constant(text: str) -> bool:
    """Numbers, roots, fractions, \\pi, e, \\infty; no variable and nothing else."""
    bare = re.sub(r"\\(?:frac|sqrt|pi|infty|cdot|ln|log)(?![A-Za-z])", " ", text)
    return bool(text) and re.fullmatch(r"[0-9e\s+\-*/^(){}.,\[\]!]*", bare) is not None and "\\in " not in text


# What follows an answer without changing it.

_TAIL = re.compile(
    r"(?P<body>.*?\S)[\s,;]*(?P<tail>(?:\\text\s*\{\s*[,;(]?\s*|\(\s*)?(?:\b(?:for|where|with|only)\b|\\forall(?![A-Za-z]))[^=<>0-9]*"
    r"|(?:,|\(|:|\\text\s*\{\s*,?)\s*[A-Za-z](?:,\s*[A-Za-z])*\s*(?:\\in(?![A-Za-z])|(?:\\text\s*\{)?\s*(?:is|are|any|arbitrary|constant))[^=<>0-9]*)",
    re.DOTALL,
)
_PUNCTURE = re.compile(
    r"(?P<body>(?![^,;]*\\(?:[lgn]e|in)(?![A-Za-z]))[^<>,;]*[^<>,;\s(])\s*(?:[,;]|\(|\\text\s*\{\s*,?\s*(?:for|where|with|if|provided)\s*\}|\b(?:for|where|with|if|provided)\b)"
    r"[\s,]*(?P<letter>[A-Za-z])\s*\\ne\s*-?[\d./]+(?:\s*,\s*-?[\d./]+)*\s*\)?"
)
"""A value that an expression is not made for: "x + 1, x \\ne 1"."""
_HARMLESS = frozenset(
    r"for where with only \forall \in \text any all some every each arbitrary real reals fixed a an the constant constants "  # noqa: SIM905
    r"number numbers value values parameter parameters is are be being and of in scalar complex \mathbb{R} \mathbb{C} "
    r", ( ) { } : ; .".split()
)
_INTEGERS = frozenset({"integer", "integers", r"\mathbb{Z}"})


def split_qualifier(text: str) -> tuple[str, str, str]:
    r"""(answer, "real" or "integer", its letter): ("x^2+c", "real", "c") for "x^2+c for any c \in \mathbb{R}".

    The text, "" and "" without a qualifier. A tail that restricts (c > 0, n \in \mathbb{N}, "if") is none, but part of
    the answer; integers are a qualifier of angles (k\pi).
    """
    if (match := _PUNCTURE.fullmatch(text)) and match["letter"] in letters_of(match["body"]):
        return match["body"], "", ""
    match = _TAIL.fullmatch(text)
    if match is None or any(match["body"].count(left) != match["body"].count(right) for left, right in ("{}", "()")):
        return text, "", ""
    tokens = re.findall(r"\\mathbb\{[A-Z]\}|\\?[A-Za-z]+|\S", match["tail"])
    odd = {token for token in tokens if token.casefold() not in _HARMLESS and token not in _HARMLESS}
    letters = {token for token in odd if re.fullmatch(rf"[A-Za-z]|{_GREEK}", token)}
    letter = letters.pop() if len(letters) == 1 else ""
    others = odd - letters - {letter}
    if not others:
        return match["body"], "real", letter
    if others <= _INTEGERS and letters <= set("klmn") and letter in set("klmn") & set(letters_of(match["body"])):
        return match["body"], "integer", letter
    return text, "", ""


def with_same_letter(reference: tuple[str, str, str], candidate: tuple[str, str, str]) -> str:
    r"""The candidate with the reference's letter, where both are qualified alike: n\pi (n \in Z) is k\pi (k \in Z)."""
    (body, qualifier, new), (text, other, old) = reference, candidate
    if other == "integer" and not qualifier:  # the reference takes its integer for granted
        free = set(letters_of(body)) & set("klmn")
        new = free.pop() if len(free) == 1 else ""
    elif qualifier != other:
        return text
    return _renamed(text, {old: new}) or text if new and old and new != old else text


def letters_of(text: str) -> list[str]:
    """The variables of an expression; letters of commands are none."""
    return re.findall("[A-Za-z]", re.sub(r"\\[A-Za-z]+", " ", text))


def _renamed(text: str, names: dict[str, str]) -> str | None:
    """The text with other variables; None where a new one means something in it already."""
    tokens = re.findall(r"\\[A-Za-z]+|[A-Za-z]|[^A-Za-z\\]+|\\.", text)
    if (set(names.values()) - set(names)) & set(tokens):
        return None
    return "".join(names.get(token, token) + " " * names.get(token, "").startswith("\\") for token in tokens)


# Names.

_NO_LABEL = re.compile(r"\b(?:not|no|or|and|wrong|incorrect|false|maybe|if|less|more|than|about)\b", re.IGNORECASE)
_NAME = re.compile(
    r"(?P<name>[A-Z]\^\{-1\}|(?:m?\s*\\angle\s*)?[A-Z]{1,3}|"
    rf"{_VARIABLE}'?(?:\([^()=]{{1,20}}\))?|\\text\{{[A-Za-z ]{{3,30}}\}})"
    r"\s*(?P<relation>=|\\in(?![A-Za-z]))\s*(?P<value>[^=]+)"
)
_NAMES = re.compile(
    rf"\(\s*(?P<names>{_VARIABLE}(?:\s*,\s*{_VARIABLE})+)\s*\)\s*(?:=|\\in(?![A-Za-z]))\s*(?P<value>.+)"
)


_TURNED = re.compile(rf"\A(?P<value>[^=<>A-Za-z]+|[^=<>]*\d[^=<>]*)\s*=\s*(?P<name>{_VARIABLE})\Z")
"""4 = x."""


def split_name(text: str) -> tuple[str | None, str]:
    """("x", "5") for "x = 5", ("x", "1, 2") for "x_1 = 1, x_2 = 2", ("(x,y)", "(1,2)") for "(x, y) = (1,2)".

    (None, text) where one name does not stand alone.
    """
    if match := _NAMES.fullmatch(text):
        names = re.sub(r"\s", "", match["names"])
        value = re.sub(r"\(\s*" + re.sub(",", r"\\s*,\\s*", re.escape(names)) + r"\s*\)\s*=\s*", "", match["value"])
        return (f"({names})", value.strip()) if "=" not in value else (None, text)
    parts = split_commas(text) or [text]
    matches = [_NAME.fullmatch(part) for part in parts]
    names = {re.sub(r"_.*", "", match["name"]) if len(parts) > 1 else match["name"] for match in matches if match}
    if len(parts) > 1 and None not in matches and len(names) == 1:
        return names.pop(), ", ".join(match["value"].strip() for match in matches if match)
    match = _NAME.fullmatch(text) or _NAME.fullmatch(_TURNED.sub(r"\g<name> = \g<value>", text))
    if match is None or (match["name"].startswith(r"\text") and _NO_LABEL.search(match["name"])):
        return None, text
    return match["name"], match["value"].strip()


def assignments(text: str, names: str | None = None) -> str | None:
    """(3, -1)" for "y = -1, x = 3": the values in the order of `names` ("(x,y)") or the alphabet; None of other texts."""
    matches = [_NAME.fullmatch(part) for part in split_commas(text) or []]
    found = {
        match["name"]: match["value"].strip() for match in matches if match and re.fullmatch(_VARIABLE, match["name"])
    }
    if len(found) < 2 or len(found) != len(matches):
        return None
    order = names.strip("()").split(",") if names and names.startswith("(") else sorted(found)
    return f"({', '.join(found[name] for name in order)})" if set(order) == set(found) else None


def in_order(name: str) -> bool:
    """Whether the names of a tuple come as a reader expects: not (y, x)."""
    letters = re.findall(r"[a-zA-Z]", name) if "\\" not in name else []
    return (not set(letters) <= set("xyz") and not set(letters) <= set("abc")) or letters == sorted(letters)


_FUNCTION = re.compile(rf"(?P<head>[A-Za-z]'?)\((?P<arguments>{_VARIABLE}(?:,\s*{_VARIABLE})*)\)")


_INDEXED = re.compile(r"\A([A-Za-z])_\{?([a-z])\}?\Z")
"""The term of a sequence, which is a function of its index."""


def with_same_arguments(reference_name: str, name: str, value: str) -> str | None:
    """The value of f(n) = 2n as one of f(x): 2x. None where the functions differ, or x means something else in it."""
    wanted, own = (_FUNCTION.fullmatch(_INDEXED.sub(r"\1(\2)", text)) for text in (reference_name, name))
    if wanted is None or own is None or wanted["head"] != own["head"]:
        return None
    new, old = ([part.strip() for part in match["arguments"].split(",")] for match in (wanted, own))
    if len(new) != len(old) or len(set(old)) != len(old) or len(set(new)) != len(new):
        return None
    return _renamed(value, dict(zip(old, new, strict=True)))


def split_commas(text: str) -> list[str] | None:
    """The parts between the commas outside all brackets; None when the brackets do not match."""
    parts, depth, start = [], 0, 0
    for k, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return None
        if character == "," and depth == 0:
            parts.append(text[start:k].strip())
            start = k + 1
    return [*parts, text[start:].strip()] if depth == 0 else None


_TERM = re.compile(r"\s*(?P<sign>[+-]?)\s*(?P<factor>[^+\-]*?)\s*(?:\\cdot\s*)?\\hat\{(?P<axis>[ijk])\}")
_BARE_TERM = re.compile(r"(?<![A-Za-z\\])([ijk])(?![A-Za-z])")


def as_tuple(text: str) -> str:
    r"""(2, 3) for 2\mathbf{i} + 3\mathbf{j}, 2i + 3j; other texts as they are, with a bold i that is no axis made plain."""
    axes = _BARE_TERM.findall(text)
    marked = _BARE_TERM.sub(r"\\hat{\1}", text) if "j" in axes and r"\hat" not in text and "=" not in text else text
    if r"\hat{" not in marked:
        return text
    found, position = {}, 0
    while match := _TERM.match(marked, position):
        if match["axis"] in found or (position and not match["sign"]) or re.search(r"[,=<>]", match["factor"]):
            break
        found[match["axis"]] = match["sign"].replace("+", "") + (match["factor"] or "1")
        position = match.end()
    if marked[position:].strip() or not found or set(found) == {"i"}:
        return re.sub(r"\\hat\{([ijk])\}", r"\1", text)
    return f"({', '.join(found.get(axis, '0') for axis in ('ijk' if 'k' in found else 'ij'))})"


# Of a text whose white space is single spaces: every repetition is bounded and can be read in one way, so reading is linear.
_LETTER_LIST = r"\b[A-Za-z]\b(?:(?: ?, ?(?:and )?| and | )[A-Za-z]\b){0,5}"
_LETTERS = r"[A-Za-z](?: ?, ?[A-Za-z]){0,9}"
_POSITIVE = re.compile(
    rf"(?P<before>{_LETTER_LIST})(?:,| both)? (?:(?:is|are|be|denote) )?(?:both |all )?(?:an? |any |some )?positive\b"
    rf"|positive (?:\w{{1,20}} ){{0,2}}?(?:numbers?|integers?|reals?|constants?|variables?) (?P<after>{_LETTER_LIST})"
    rf"|(?P<signs>{_LETTERS}) ?(?:>|\\gt) ?0(?![0-9]|\.[0-9])"
    rf"|(?<![0-9.])0 ?(?:<|\\lt) ?(?P<signs2>{_LETTERS})"
)
_ALL_POSITIVE = re.compile(
    r"\b(?:all|any|every)(?: the)? (?:variables?|letters?|constants?|quantities|numbers)\b[^.]{0,40}?\bpositive\b"
    r"|\bpositive variables\b",
    re.IGNORECASE,
)


def positive_variables(prompt: str) -> str:
    """The letters that a question says to be positive, "*" for all: "a,b" for "Let a, b > 0"."""
    prompt = re.sub(r"(?:\s|\$|\\[()])+", lambda m: " " if re.search(r"\s", m[0]) else "", prompt)
    if _ALL_POSITIVE.search(prompt):
        return "*"
    found = set()
    for match in _POSITIVE.finditer(prompt):
        for group in match.groups():
            found |= set(re.findall(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])", group or ""))
    return ",".join(sorted(found - {"e", "i"}))

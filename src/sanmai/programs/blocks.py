"""The pieces of an answer that may be its program: fenced blocks, what stands between tags, code among prose, code in a line.

A session of an interpreter, wherever it stands, is read as what was typed into it; what stands in a quotation of Markdown or in
a block of Markdown as if it stood alone; a JSON object or a notebook as the code that it holds.
"""

from __future__ import annotations

import ast
import html
import json
import re
import textwrap
import warnings
from dataclasses import dataclass, replace
from enum import IntEnum

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*(.*)")
_LATE_FENCE = re.compile(r"(?<=[ \t:])(`{3,})[ \t]*([\w+.-]+)[ \t]*$")
"""A fence that opens at the end of a sentence."""
_PYTHON = re.compile(r"(i|c|micro)?py(thon)?[\d.]*(w|con|-?repl)?|python-?code|sage(math)?|jupyter(-python)?|code-cell|tool_code")
_OTHER = frozenset({
    "bash", "sh", "shell", "zsh", "console", "shell-session", "powershell", "cmd", "bat", "json", "yaml", "toml",
    "xml", "html", "css", "sql", "c", "cpp", "c++", "csharp", "c#", "java", "javascript", "js", "typescript", "ts",
    "go", "rust", "ruby", "php", "kotlin", "swift", "scala", "haskell", "perl", "lua", "r", "julia", "matlab",
    "latex", "tex", "markdown", "md", "diff", "dockerfile",
})  # fmt: skip
"""Marks of blocks that are no Python; those of Markdown, JSON and a shell may hold some."""
_MARKDOWN = ("markdown", "md")
_HEREDOC = re.compile(
    r"(?m)^[ \t]*cat\b[^\n<]{0,99}>[^\n<]{0,99}\.py\b[^\n<]{0,99}<<-?[ \t]*['\"]?(\w{1,40})['\"]?[^\n]{0,99}\n"
    r"(?P<code>(?s:.*?))^[ \t]*\1[ \t]*$"
)
_MAX_SHELL = 20_000
"""Characters of a block of a shell in which files that it writes are looked for."""
_QUOTE = re.compile(r"(?:[ \t]*>(?!>> ) ?)+")
_MAX_DEPTH = 3
"""Of quotations, blocks of Markdown and JSON in each other."""
_ENDS = re.compile(r"\s*(?:<\|[^|<>\s]{1,40}\|>|<｜[^｜<>\s]{1,40}｜>|</s>|<end_of_turn>|<eos>|\[\|endofturn\|\])\s*\Z")
"""A token with which a model ends its turn."""
_MAGIC = re.compile(r"(?m)^([ \t]*)[%!?][^\n]*")
_JSON_KEYS = ("code", "solution", "program", "python", "python_code", "final_answer", "answer", "completion", "response")
_TAG = re.compile(
    r"(?i)\[(?P<box>python|code|answer|solution|program|begin)\]"
    r"|<(?P<tag>python|code|answer|final_answer|solution|program|script)\b[^<>\n]{0,99}>"
    r"|\\begin\{(?P<env>lstlisting|minted|verbatim|python)\}(?:\[[^\]\n]{0,99}\])?(?:\{\w{1,20}\})?"
)
_INLINE = re.compile(r"(?<!`)(`{1,3})(?!`)(?:python[ \t]+)?([^`\n]+)\1(?!`)")
_PROMPT = re.compile(r"[ \t]*(?:>>>|\.\.\.)(?: |$)|[ \t]*In \[\d*\]: ?|[ \t]+\.\.\.: ?")
_FIRST_PROMPT = re.compile(r"[ \t]*(?:>>> |In \[\d*\]: )")
_CODE_LINE = re.compile(
    r"[ \t]*(?:(?:async def|def|class|import|from|if|for|while|with|try|print)\b|@\w"
    r"|[A-Za-z_][\w.]*(?:, ?[A-Za-z_]\w*)*(?:\[.*?\])? ?= ?[^=])"
)
_MAX_PARSED = 200_000
"""Characters of one answer that are parsed in search of code among prose, those that are parsed again counted again."""
_MAX_LINES = 2000
"""Of one stretch of code among prose."""


class Where(IntEnum):
    """Where a block was found, the more telling places first."""

    PYTHON = 0
    UNMARKED = 1
    TAGS = 2
    PROSE = 3
    INLINE = 4

    @property
    def words(self) -> str:
        return ("python block", "unmarked block", "tags", "whole answer", "code in a line")[self]


@dataclass(frozen=True)
class Block:
    """A piece of code in an answer.

    Example:
        Block("x = 1\\n", Where.PYTHON, start=4, lead="So:")
    """

    code: str
    where: Where
    start: int
    """Of its first character in the answer."""
    lead: str = ""
    """What the answer says right before it, its heading included."""
    is_quoted: bool = False
    """It stands in a quotation of Markdown: somebody's words, where there are others."""


def code_blocks(answer: str) -> list[Block]:
    """The blocks of an answer that may be Python, in the order in which they stand there."""
    return _blocks(answer, 0)


def _blocks(answer: str, depth: int) -> list[Block]:
    """Those of a text that stands so deep in other text."""
    if depth > _MAX_DEPTH:
        return []
    while ends := _ENDS.search(answer[-100:]):
        answer = answer[: len(answer[:-100]) + ends.start()] + "\n"
    if (held := _in_json(answer)) is not None:
        return _code_or_text(held, 0, depth)
    fences = _fences(answer)
    quoted, rest = _quotations(_blanked(answer, fences), depth)
    found = [*_fenced(answer, fences, depth), *quoted, *_tagged(rest), *_among_prose(rest), *_inline(rest)]
    return sorted((block for block in found if block.code.strip()), key=lambda block: block.start)


def _quotations(text: str, depth: int) -> tuple[list[Block], str]:
    """The blocks of the quotations of Markdown in a text, and the text with blanks in place of those that have some."""
    found, kept = list[Block](), list[str]()
    at, lines, quoted, lead = 0, list[str](), list[str](), ""
    for line in [*text.splitlines(keepends=True), ""]:
        if match := _QUOTE.match(line):
            lines.append(line)
            quoted.append(line[match.end() :] or "\n")
            continue
        if lines:
            blocks = _blocks("".join(quoted), depth + 1)
            found += [replace(b, start=at + b.start, lead=b.lead or lead, is_quoted=True) for b in blocks]
            kept += [re.sub(r"[^\n]", " ", quote) if blocks else quote for quote in lines]
            at += sum(map(len, lines))
            lines, quoted = [], []
        kept.append(line)
        at += len(line)
        lead = line.strip() or lead
    return found, "".join(kept)


def _in_json(text: str) -> str | None:
    """The code that a JSON object or a notebook holds; None where the text is none."""
    if not text.lstrip().startswith("{") or len(text) > _MAX_PARSED:
        return None
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(held, dict):
        return None
    if isinstance(cells := held.get("cells"), list):
        sources = [cell.get("source", "") for cell in cells if isinstance(cell, dict) and cell.get("cell_type") == "code"]
        return "\n".join("".join(map(str, s)) if isinstance(s, list) else str(s) for s in sources)
    return next((held[key] for key in _JSON_KEYS if isinstance(held.get(key), str)), None)


def _code_or_text(text: str, start: int, depth: int) -> list[Block]:
    """The blocks of a text that is code as a whole, or holds some."""
    if parsed(text):
        return [Block(text, Where.TAGS, start)]
    return [replace(block, start=start) for block in _blocks(text, depth + 1)]


def parsed(code: str) -> ast.Module | None:
    """The syntax tree, or None where the text is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of the text, about itself
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _plain(code: str) -> str:
    """The code of a session: lines after `>>>` and `...`, without them. The magic of a notebook does nothing: a cell that is
    Python but for that is Python. Any other text as it is."""
    code = code.removeprefix("\ufeff")
    if _MAGIC.search(code) and not parsed(code) and parsed(mended := _MAGIC.sub(r"\1pass", code)):
        return mended
    lines = textwrap.dedent(code).splitlines(keepends=True)
    first = next((line for line in lines if line.strip()), "")
    if not _FIRST_PROMPT.match(first) and (not any(map(_FIRST_PROMPT.match, lines)) or parsed("".join(lines))):
        return "".join(lines)
    typed = [(line, _PROMPT.match(line)) for line in (line.rstrip("\r\n") for line in lines)]
    return "".join(line[match.end() :] + "\n" for line, match in typed if match)


# Fences.


@dataclass(frozen=True)
class _Fence:
    mark: str
    """The first word after the opening fence, in lower case."""
    start: int
    end: int
    """Of all, fences included."""
    code: str


def _fences(answer: str) -> list[_Fence]:
    """The fenced blocks of a text in order; one that never closes goes to the end."""
    found: list[_Fence] = []
    at, opened, opening, lines = 0, 0, None, list[str]()
    for line in answer.splitlines(keepends=True):
        text = line.rstrip("\r\n")
        if opening is None:
            opening, lines = None if _QUOTE.match(text) else _opening(text), []
            opened = at + (opening.start(1) if opening else 0)
        elif (last := _closing(text, opening)) is not None:
            found.append(_Fence(_mark(opening), opened, at + len(line), "".join(lines) + last))
            opening = None
        else:
            lines.append(line)
        at += len(line)
    if opening is not None:
        found.append(_Fence(_mark(opening), opened, at, "".join(lines)))
    return found


def _opening(line: str) -> re.Match[str] | None:
    match = _FENCE.fullmatch(line)
    if match:
        return match if match[1][0] not in match[2] else None
    tick = line.find("`")
    return _LATE_FENCE.match(line, tick) if tick > 0 else None


def _closing(line: str, opening: re.Match[str]) -> str | None:
    """What stands before the fence that ends a block; None where none does.

    A fence far to the right of the block's own is within what the block holds, such as a docstring.
    """
    fence, match = opening[1], _FENCE.fullmatch(line)
    if match:
        is_far = match.start(1) >= opening.start(1) + 4 and not opening.string[: opening.start(1)].strip()
        said = match[2].strip()
        is_end = not said or (len(said.split()) > 2 and said[0].isupper() and said[-1] in ".!?:")  # `That is all.`
        return "" if match[1].startswith(fence) and is_end and not is_far else None
    before = line.rstrip().removesuffix(fence)
    is_code = before != line.rstrip() and "`" not in before and before.count('"') % 2 == before.count("'") % 2 == 0
    return before + "\n" if is_code else None


def _mark(opening: re.Match[str]) -> str:
    words = [word for word in re.split(r"[\s:,;{}=.\[\]()<>]+", opening[2].lower()) if word]
    return (words or [""])[0]


def _fenced(answer: str, fences: list[_Fence], depth: int) -> list[Block]:
    found, end = [], 0
    for fence in fences:
        lead, end = _lead(answer[end : fence.start]), fence.end
        if fence.mark in _MARKDOWN:
            found += [replace(block, start=fence.start + block.start) for block in _blocks(fence.code, depth + 1)]
        elif fence.mark == "json":
            held = _in_json(fence.code)
            found += _code_or_text(held, fence.start, depth) if held is not None else []
        elif fence.mark in _OTHER:
            found += [Block(match["code"], Where.TAGS, fence.start, lead) for match in _HEREDOC.finditer(fence.code[:_MAX_SHELL])]
        else:
            mark, code = fence.mark, fence.code
            if not mark and _PYTHON.fullmatch(first := code.partition("\n")[0].strip()):  # on the next line
                mark, code = first, code.partition("\n")[2]
            where = Where.PYTHON if _PYTHON.fullmatch(mark) else Where.UNMARKED
            found.append(Block(_plain(code), where, fence.start, lead))
    return found


def _blanked(answer: str, fences: list[_Fence]) -> str:
    """The answer with blanks in place of its fenced blocks."""
    parts, end = [], 0
    for fence in fences:
        parts += [answer[end : fence.start], re.sub(r"[^\n]", " ", answer[fence.start : fence.end])]
        end = fence.end
    return "".join(parts) + answer[end:]


def _lead(before: str) -> str:
    """The last heading and the last line of the text before a block."""
    lines = [line.strip() for line in before.splitlines() if line.strip()]
    headings = [line for line in lines[:-1] if re.match(r"#|\*\*.*\*\*:?$", line)]
    return "\n".join([*headings[-1:], *lines[-1:]])


# Without fences.


def _tagged(text: str) -> list[Block]:
    """What stands between two tags, or between one and the end."""
    found, lowered, end = [], text.lower(), 0
    while match := _TAG.search(text, end):
        tag, box, env = (match[name] and match[name].lower() for name in ("tag", "box", "env"))
        closing = f"</{tag}>" if tag else "[done]" if box == "begin" else f"[/{box}]" if box else f"\\end{{{env}}}"
        stop = lowered.find(closing, match.end())
        code = _plain(text[match.end() : stop if stop >= 0 else None].lstrip("\r\n"))
        if "&" in code and not parsed(code):
            code = html.unescape(code)
        found.append(Block(code, Where.TAGS, match.start(), _lead(text[end : match.start()])))
        end = stop + len(closing) if stop >= 0 else len(text)
    return found


def _inline(text: str) -> list[Block]:
    spans = ((match[2].strip() + "\n", match.start()) for match in _INLINE.finditer(text))
    return [Block(code, Where.INLINE, start) for code, start in spans if _CODE_LINE.match(code)]


def _among_prose(text: str) -> list[Block]:
    """The stretches of lines that are Python, each as long as it can be; and what was typed into a session."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    typed = [i for i, line in enumerate(lines) if _PROMPT.match(line.rstrip("\r\n"))]
    if typed and any(_FIRST_PROMPT.match(lines[i]) for i in typed):
        return [Block(_plain("".join(lines[i] for i in typed)), Where.PROSE, starts[typed[0]])]
    found, number, room, end = list[Block](), 0, _MAX_PARSED, 0
    while number < len(lines) and room > 0:
        size = 0
        if _CODE_LINE.match(lines[number]):
            code, size, cost = _longest(lines[number : number + _MAX_LINES], room)
            room -= cost
            if size:
                lead, end = _lead(text[end : starts[number]]), starts[number + size]
                found.append(Block(code.rstrip(), Where.PROSE, starts[number], lead))
        number += max(1, size)
    return found


def _longest(lines: list[str], room: int) -> tuple[str, int, int]:
    """The most lines from the first on that are a program, as text; how many they are, and how many characters were parsed."""
    indent = len(lines[0]) - len(lines[0].lstrip())
    if indent:
        inside = (i for i, line in enumerate(lines) if line.strip() and len(line) - len(line.lstrip()) < indent)
        lines = lines[: next(inside, len(lines))]
    lines = textwrap.dedent("".join(lines)).splitlines(keepends=True)
    cost = 0
    while lines and cost < room:
        code = "".join(lines)
        cost += len(code)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # as above
                tree = ast.parse(code)
        except SyntaxError as error:
            lines = lines[: min((error.lineno or 1) - 1, len(lines) - 1)]
            continue
        except (ValueError, RecursionError, MemoryError):
            break
        lines = lines[: next((node.lineno - 1 for node in tree.body if _is_prose(node)), len(lines))]
        return "".join(lines), len(lines), cost
    return "", 0, cost


def _is_prose(node: ast.stmt) -> bool:
    """Whether words happen to be Python: `Done`, `Complexity: linear`."""
    if isinstance(node, ast.AnnAssign):
        return node.value is None
    acts = (ast.Call, ast.Await, ast.Yield, ast.YieldFrom, ast.Constant, ast.ListComp)
    return isinstance(node, ast.Expr) and not isinstance(node.value, acts)

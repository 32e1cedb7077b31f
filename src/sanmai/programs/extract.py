"""The program of an answer: the last block that defines what is asked for, else the last that defines anything, else the last.

Blocks that are marked as Python go before those without a mark, and these before the answer as a whole.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
import textwrap
import warnings
from collections.abc import Collection, Sequence

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*(.*)")
_PYTHON = re.compile(r"(i|c|micro)?py(thon)?[\d.]*(w|con|-?repl)?|python-?code|sage(math)?|jupyter(-python)?|code-cell|tool_code")
_OTHER = frozenset({
    "bash", "sh", "shell", "zsh", "console", "shell-session", "powershell", "cmd", "bat", "json", "yaml", "toml",
    "xml", "html", "css", "sql", "c", "cpp", "c++", "csharp", "c#", "java", "javascript", "js", "typescript", "ts",
    "go", "rust", "ruby", "php", "kotlin", "swift", "scala", "haskell", "perl", "lua", "r", "julia", "matlab",
    "latex", "tex", "markdown", "md", "diff", "dockerfile",
})  # fmt: skip
"""Marks of blocks that are no Python whatever is in them."""
_TAGS = re.compile(r"(?is)\[(python|code)\]\s*?\n(.*?)(?:\[/\1\]|\Z)|<(python|code)>\s*?\n(.*?)(?:</\3>|\Z)")
_CODE_LINE = re.compile(r"(async def|def|class|import|from|@)\b|@")
_PROMPT = re.compile(r"(?:>>>|\.\.\.)(?: |$)")


def last_program(answer: str, names: Collection[str] = (), *, reads_input: bool = False) -> tuple[str, str] | None:
    """The program of an answer and what it was taken from; None where there is none.

    Args:
        names: what the tests ask the program for; a block that shows how to use it defines none of them.
        reads_input: the tests are by standard input: the last block that reads it goes before those that define something.

    Example:
        last_program("So:\\n```python\\nx = 1\\n```") == ("x = 1\\n", "python block")
    """
    blocks = _blocks(answer)
    tagged = [_plain(match[2] or match[4] or "") for match in _TAGS.finditer(answer)] if not blocks else []
    marked = [code for mark, code in blocks if _PYTHON.fullmatch(mark) and code.strip()] or tagged
    unmarked = [code for mark, code in blocks if code.strip() and mark not in _OTHER]
    for what, found in (("python block", marked), ("unmarked block", unmarked)):
        for code in reversed(found):
            if (names and not _defined(code).isdisjoint(names)) or (reads_input and _reads(code)):
                return code, what
    if marked:
        return next((code for code in reversed(marked) if _defined(code)), marked[-1]), "python block"
    if unmarked and (_is_program(unmarked[-1]) or not _whole(answer)):
        return next((code for code in reversed(unmarked) if _defined(code)), unmarked[-1]), "unmarked block"
    text = _whole(answer)
    return (text, "whole answer") if text else None


def asked_names(sources: Sequence[str]) -> frozenset[str]:
    """The names that tests use and neither they nor Python define; empty where one of them is no Python."""
    try:
        nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    read = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    own = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    own |= {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
    own |= {(node.asname or node.name).partition(".")[0] for node in nodes if isinstance(node, ast.alias)}
    own |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    return frozenset(n for n in read - own if not hasattr(builtins, n) and n not in sys.stdlib_module_names)


def _whole(answer: str) -> str | None:
    """The answer without fences where it is a program, else what stands before a fence that nothing opened."""
    text = _plain(answer).strip()
    if _is_program(text):
        return text
    lines = text.splitlines()
    fences = [i for i, line in enumerate(lines) if _FENCE.fullmatch(line)]
    if len(fences) != 1:
        return None
    lines = lines[: fences[0]]
    for start, line in enumerate(lines):
        if _CODE_LINE.match(line):
            code = "\n".join(lines[start:]) + "\n"
            return code if _is_program(code) else None
    code = "\n".join(lines)
    return code if _is_program(code) else None


def _parsed(code: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of the text, about itself
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_program(code: str) -> bool:
    """`Sorry` and `42` are Python too; a program gives something a name."""
    tree = _parsed(code)
    return tree is not None and any(not isinstance(node, ast.Expr) for node in tree.body)


def _defined(code: str) -> set[str]:
    """The functions and classes of a program, and the names that it gives values to, at its top level."""
    tree = _parsed(code)
    found = set[str]()
    for node in tree.body if tree else []:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Lambda):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def _reads(code: str) -> bool:
    """Whether it mentions what reads standard input."""
    tree = _parsed(code)
    words = [getattr(node, "id", getattr(node, "attr", getattr(node, "name", None))) for node in ast.walk(tree)] if tree else []
    return not {"input", "stdin", "open"}.isdisjoint(words)


def _plain(code: str) -> str:
    """The code of a session: lines after `>>>` and `...`, without them; any other text as it is."""
    lines = textwrap.dedent(code).splitlines(keepends=True)
    if not next((line for line in lines if line.strip()), "").startswith(">>>"):
        return "".join(lines)
    return "".join(line[4:] or "\n" for line in lines if _PROMPT.match(line.rstrip("\r\n")))


def _blocks(answer: str) -> list[tuple[str, str]]:
    """The fenced blocks of a text in order: the mark in lower case, and what is in it."""
    found: list[tuple[str, str]] = []
    fence, mark, lines = "", "", list[str]()
    for line in answer.splitlines(keepends=True):
        match = _FENCE.fullmatch(line.rstrip("\r\n"))
        if fence and match and match[1].startswith(fence) and not match[2].strip():
            found.append((mark, _plain("".join(lines))))
            fence = ""
        elif fence:
            lines.append(line)
        elif match and match[1][0] not in match[2]:
            words = [word for word in re.split(r"[\s:,;{}=.\[\]()<>]+", match[2].lower()) if word]
            fence, mark, lines = match[1], (words or [""])[0], []
    if fence:
        found.append((mark, _plain("".join(lines))))
    return found

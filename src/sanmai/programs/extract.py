"""The program of an answer: its last block that is marked as Python, else the last without a mark, else the whole answer."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*(.*)")
_PYTHON = re.compile(r"py(thon)?[\d.]*")


def last_program(answer: str) -> tuple[str, str] | None:
    """The program of an answer and what it was taken from; None where there is none.

    Example:
        last_program("So:\\n```python\\nx = 1\\n```") == ("x = 1\\n", "python block")
    """
    blocks = _blocks(answer)
    for marks, what in ((_PYTHON, "python block"), (re.compile(""), "unmarked block")):
        found = [code for mark, code in blocks if marks.fullmatch(mark) and code.strip()]
        if found:
            return found[-1], what
    text = answer.strip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of the text, about itself
            # `Sorry` and `42` are Python too; a program gives something a name.
            is_program = any(not isinstance(node, ast.Expr) for node in ast.parse(text).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return (text, "whole answer") if is_program else None


def _blocks(answer: str) -> list[tuple[str, str]]:
    """The fenced blocks of a text in order: the mark in lower case, and what is in it."""
    found: list[tuple[str, str]] = []
    fence, mark, lines = "", "", list[str]()
    for line in answer.splitlines(keepends=True):
        match = _FENCE.fullmatch(line.rstrip("\r\n"))
        if fence and match and match[1].startswith(fence) and not match[2].strip():
            found.append((mark, textwrap.dedent("".join(lines))))
            fence = ""
        elif fence:
            lines.append(line)
        elif match and match[1][0] not in match[2]:
            fence, mark, lines = match[1], (match[2].split() or [""])[0].lower(), []
    if fence:
        found.append((mark, textwrap.dedent("".join(lines))))
    return found

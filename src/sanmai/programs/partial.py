"""A program of which only the beginning is written, made to run: it ends wherever it would need what is not there yet.

    def f(x):                       def f(x):
        if x < 0:                       if x < 0:
            return 0                        return 0
                                            raise BaseException("unfinished program")
                                        raise BaseException("unfinished program")

What comes to its end without the rest comes to the same end whatever the rest is. So a test that the beginning fails without
having needed it is failed for good; all others are open. Not seen: a name that the rest defines anew.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from sanmai.programs.blocks import parsed

UNFINISHED = "unfinished program"
"""What an open end says when it is reached."""
_RAISE = f"raise BaseException({UNFINISHED!r})"
_TAKES_ALL = re.compile(r"\bexcept\s*:|\bBaseException\b")
"""What could catch an open end, so that nothing is known of what follows."""
_SKIPPED = (tokenize.NL, tokenize.COMMENT, tokenize.ENCODING, tokenize.ENDMARKER)


def closed(beginning: str, *, is_script: bool = False) -> str | None:
    """The beginning with its open ends closed; None where that is no Python, whatever the end would be.

    A line, or a statement, that is cut off in its middle is left out.

    Args:
        is_script: the program runs from top to bottom, so that its end is open too; else its functions are called.
    """
    text = beginning[: beginning.rfind("\n") + 1]
    while True:
        state = _State()
        kept = state.read(text)
        if state.is_broken:
            return None
        if kept is None:
            break
        text = "".join(text.splitlines(keepends=True)[:kept])
    whole = "\n".join([*text.splitlines(), *state.ends(), *([_RAISE] if is_script else [])]) + "\n"
    return whole if compiles(whole) else None


def compiles(code: str) -> bool:
    """Whether it is Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the program about its own text
        try:
            compile(code, "program.py", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def takes_all(code: str) -> bool:
    """It may catch whatever is raised, an open end too."""
    return _TAKES_ALL.search(code) is not None


def defines(code: str, names: Collection[str]) -> bool:
    """Whether all of these names are given a value at the top level."""
    tree = parsed(code)
    found: set[str] = set()
    for node in tree.body if tree else []:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        else:
            found |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
            found |= {(one.asname or one.name).partition(".")[0] for one in ast.walk(node) if isinstance(one, ast.alias)}
    return found >= set(names)


@dataclass
class _Block:
    indent: str
    opener: str
    """The first word of the statement that it belongs to."""


@dataclass
class _State:
    """The blocks that are open at the end of a beginning."""

    blocks: list[_Block] = field(default_factory=list)
    opens: str = ""
    """The last statement wants a block that has not begun: its first word."""
    decorates: bool = False
    """The last statement is a decorator of what follows."""
    is_broken: bool = False
    """It is no Python, whatever follows."""
    _handled: dict[str, str] = field(default_factory=dict)
    """By indent the opener of the last block there: an `else` may be that of a `try`."""

    def read(self, text: str) -> int | None:
        """None when it was read to its end; else the lines to be kept of it: what follows is cut off in its middle."""
        count, first, line, last = len(text.splitlines()), "", 0, ""
        try:
            for token in tokenize.generate_tokens(io.StringIO(text).readline):
                if token.type in _SKIPPED or token.start[0] > count:
                    continue  # behind the end all blocks are closed
                if token.type == tokenize.INDENT:
                    self._begin(token.string)
                elif token.type == tokenize.DEDENT:
                    self.blocks.pop()
                elif token.type == tokenize.NEWLINE:
                    self._end_of_statement(first, last)
                    first = ""
                else:
                    if not first:
                        first, line = token.string, token.start[0]
                    elif first == "async":
                        first = token.string
                    last = token.string
        except (tokenize.TokenError, SyntaxError) as error:
            is_cut = isinstance(error, tokenize.TokenError) and "EOF" in str(error)
            if is_cut and not first:  # a statement that begins with a string of several lines, such as a docstring
                return error.args[1][0] - 1
            self.is_broken = not is_cut
            return line - 1
        return line - 1 if self.decorates else None

    def _begin(self, indent: str) -> None:
        self.blocks.append(_Block(indent, self.opens))
        self.opens = ""

    def _end_of_statement(self, first: str, last: str) -> None:
        self.decorates = first == "@"
        self.opens = ""
        if last != ":":
            return
        indent = self.blocks[-1].indent if self.blocks else ""
        before = self._handled.get(indent, "")
        self.opens = "except" if first == "else" and before == "except" else first
        self._handled[indent] = self.opens

    def ends(self) -> Iterator[str]:
        """The lines that close it."""
        blocks = list(self.blocks)
        if self.opens:
            blocks.append(_Block((blocks[-1].indent if blocks else "") + " ", self.opens))
        for number in range(len(blocks) - 1, -1, -1):
            block, outer = blocks[number], blocks[number - 1].indent if number else ""
            yield f"{block.indent}{f'case _: {_RAISE}' if block.opener == 'match' else _RAISE}"
            if block.opener in ("try", "except"):  # what they let through may be caught by what follows
                yield f"{outer}finally: {_RAISE}"

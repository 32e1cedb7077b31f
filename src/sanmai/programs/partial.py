"""A program of which only the beginning is written: what it is sure to do, and what it would do if nothing were defined anew.

What can be said of every program that begins so is what happens before its rest is reached. Functions may be overwritten, tables
filled, handlers added, names defined by what follows; but statements that are finished and stand at the top level run as they
are, and one that raises, exits, hangs or is no Python ends every such program (`settled`, with an end that nothing catches).

    x = int(input())                x = int(input())
    y = x / 0                       y = x / 0
    for i in range(y):              # only the beginning of a program: left here

`closed` is the weaker thing: the beginning made to run to where it would need what is not there, so that its functions can be
called. A test that fails by then fails if the rest changes nothing of what is there, which nobody can promise.

    def f(x):                       def f(x):
        if x < 0:                       if x < 0:
            return 0                        return 0
                                            raise BaseException("unfinished program")
                                        raise BaseException("unfinished program")
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import typing
import unicodedata
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from sanmai.programs.blocks import parsed
from sanmai.programs.program import LEAVE

UNFINISHED = "unfinished program"
"""What an open end says when it is reached."""
_RAISE = f"raise BaseException({UNFINISHED!r})"
_COMPOUND = frozenset({"if", "for", "while", "try", "with", "def", "class", "async", "match", "@"})
"""First words of statements that may go on in the next line: a body, an `else`, a handler, or what is decorated."""
_GOES_ON = frozenset({"elif", "else", "except", "finally"})
_SEES_MORE = re.compile(
    # what may outlive a statement, interrupt it, or be run behind it
    r"thread|fork|multiprocessing|concurrent|subprocess|signal|settrace|setprofile|monitoring|faulthandler|addaudithook"
    r"|\bexecv|\bspawn|\bpopen|\bsystem\b|\bkill"
    # what shows frames, code and names, be it by a table of the names or by the text of one
    r"|traceback|exc_info|\b(tb|co)_\w+|\bf_(back|builtins|code|globals|locals|lasti|lineno|trace)|\b(gi|cr|ag)_(frame|code)|_getframe|_current_|__code__|__globals__|__closure__|__annotations__"
    r"|__builtins__|\bbuiltins\b|\b__self__\b|__import__|\bimportlib|\bmodules\b|__main__|\bprogram\b|\bsanmai\b|\bpkgutil\b|\brunpy\b"
    r"|\bexec|\beval\b|\bglobals\b|\blocals\b|\bvars\b|\bdir\b|\bgetattr\b|attrgetter|methodcaller"
    r"|__dict__|__getattribute__|\binspect|\bgc\b|\bctypes|\bpickle|\bcopyreg|\bmarshal|\bunittest|\bdoctest|\bpdb\b|\bbdb\b"
    r"|\bcProfile|\bprofile\b|\btimeit|\blinecache|\bdis\b|\b_exit\b|\bproc\b|\bNameError\b|\bbreakpoint\b"
    # what looks names up that stand in strings
    r"|get_type_hints|get_annotations|\bsingledispatch|ForwardRef|_evaluate\b"
    # what differs from run to run
    r"|\brandom\b|\bsecrets\b|\buuid|\burandom|\btime (\.|import\b|as\b)|\bdatetime\b|perf_counter|monotonic"
    , re.IGNORECASE
)  # fmt: skip
"""Words in a beginning of which nothing is said, as what it does may hang on more than its finished statements, or be another
thing in the next run. They are looked for in names and strings, parted by blanks; comments do nothing."""
_LENT = tuple(sorted(name for name in typing.__all__ if name[0].isupper()))
"""Names that programs/program.py lends to functions: each by the whole text, which uses it and never binds it."""
_WORD = re.compile(r"[^\W\d]\w*")
_TAKES_ALL = re.compile(r"\bexcept\s*:|\bBaseException\b")
"""What could catch an open end, so that nothing is known of what follows."""
_SKIPPED = (tokenize.NL, tokenize.COMMENT, tokenize.ENCODING, tokenize.ENDMARKER)


def settled(beginning: str) -> str | None:
    """The finished statements of a beginning's top level, left where the rest would begin; None where nothing is to be said of
    them.

    A statement with a body is finished when another one follows it: until then a line may be added to it. So whatever this
    program does, short of exit code SETTLED, every program does that begins so; and where this is no Python, none is.
    Of functions that holds where both ways of lending (`lendings`) do it.
    """
    kept = finished(beginning)
    return None if not kept.strip() or sees_more(kept) else f"{kept}{LEAVE}\n"


def finished(beginning: str) -> str:
    """The lines of its finished statements: of a longer beginning they begin so too."""
    text = _whole_lines(beginning)
    return "".join(line + "\n" for line in text.split("\n")[: _num_finished(text)])


def sees_more(kept: str, *, is_lent: bool = False) -> bool:
    """Whether finished statements may do another thing than they do alone. Once so, then of all that begin so.

    Args:
        is_lent: they are run as functions, to which names of `typing` are lent. Of one such name both cases can be tried; that
            of two the one is there and the other is not would be missed, so with two that they do not begin by importing
            nothing is known.
    """
    words = " ".join(token.string for token in _tokens(kept))
    text = unicodedata.normalize("NFKC", words)  # as Python reads names
    return _SEES_MORE.search(text) is not None or (is_lent and len(_asked(kept, text)) > 1)


def lendings(made: str) -> tuple[str, str]:
    """What is settled, with no name of `typing` lent and with all of them: lines that are never run say so."""
    kept = made.removesuffix(f"{LEAVE}\n")
    no_name, all_names = " = ".join(_LENT), ", ".join(_LENT)
    return f"{kept}if 0: {no_name} = None\n{LEAVE}\n", f"{kept}if 0: {all_names}\n{LEAVE}\n"


def _tokens(kept: str) -> Iterator[tokenize.TokenInfo]:
    """All but comments."""
    try:
        yield from (one for one in tokenize.generate_tokens(io.StringIO(kept).readline) if one.type not in _SKIPPED)
    except (tokenize.TokenError, SyntaxError):
        return  # finished statements have tokens; behind them is nothing


def _asked(kept: str, text: str) -> set[str]:
    """Names that may be lent and that it mentions, but for those that stand for the first time where they are imported."""
    seen, imported, statement = set[str](), set[str](), list[tokenize.TokenInfo]()
    for token in _tokens(kept):
        if token.type != tokenize.NEWLINE:
            statement += [] if token.type in (tokenize.INDENT, tokenize.DEDENT) else [token]
            continue
        words = [one.string for one in statement]
        if statement and statement[0].start[1] == 0 and words[0] == "from" and not {";", "as"} & set(words):
            imported |= set(words[words.index("import") + 1 if "import" in words else len(words) :]) - seen
        seen |= set(_WORD.findall(unicodedata.normalize("NFKC", " ".join(words))))
        statement.clear()
    return (set(_WORD.findall(text)) & set(_LENT)) - imported


def _num_finished(text: str) -> int:
    """Lines of the finished statements."""
    first, level, finished, has_decorator, count = "", 0, 0, False, text.count("\n")
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in _SKIPPED or token.start[0] > count:
                continue  # behind the end all blocks are closed
            if token.type in (tokenize.INDENT, tokenize.DEDENT):
                level += 1 if token.type == tokenize.INDENT else -1
            elif token.type == tokenize.NEWLINE:
                if level == 0 and first not in _COMPOUND | _GOES_ON:
                    finished = token.start[0]
                first = ""
            elif not first:
                first = token.string
                if level == 0 and first not in _GOES_ON:
                    finished = finished if has_decorator else token.start[0] - 1
                    has_decorator = first == "@"
    except (tokenize.TokenError, SyntaxError):
        pass  # what is cut off, or broken, is not finished
    return finished


def closed(beginning: str, *, is_script: bool = False) -> str | None:
    """The beginning with its open ends closed; None where that is no Python, whatever the end would be.

    A line, or a statement, that is cut off in its middle is left out.

    Args:
        is_script: the program runs from top to bottom, so that its end is open too; else its functions are called.
    """
    text = _whole_lines(beginning)
    while True:
        state = _State()
        kept = state.read(text)
        if state.is_broken:
            return None
        if kept is None:
            break
        text = "".join(line + "\n" for line in text.split("\n")[:kept])
    whole = "\n".join([*text.split("\n")[:-1], *state.ends(), *([_RAISE] if is_script else [])]) + "\n"
    return whole if compiles(whole) else None


def _whole_lines(beginning: str) -> str:
    """Without the line that is cut off; ends of lines as Python reads them, which are fewer than str.splitlines knows."""
    text = beginning.replace("\r\n", "\n").replace("\r", "\n")
    return text[: text.rfind("\n") + 1]


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
        count, first, line, last = text.count("\n"), "", 0, ""
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

"""The program of an answer: the last block that defines what is asked for, else the last that defines anything, else the last.

Blocks that are marked as Python go before those without a mark, these before code between tags and among prose. A block that the
answer calls wrong or quotes, or that holds a bare head of a function, is taken where there is no other. What a block uses and
does not define is added from those before it: helpers, classes, imports.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sanmai.programs.blocks import Block, Where, code_blocks, parsed

_REFUTED = re.compile(
    r"(?i)\b(do not|don['’]?t|never|not to)\s+(do|use|write|try|copy)\b"
    r"|(?<!to )\bavoid\s+(this|that|doing|writing|using|the following)\b"
    r"|\b(wrong|incorrect|bad|buggy|broken|faulty|flawed)\s+(code|version|approach|solution|implementation|way|attempt|example"
    r"|answer|program|one|practice|idea)\b"
    r"|\b(this|that|it|following|below|which)(\s+\w+){0,3}?\s+(is|are|would be)\s+(wrong|incorrect|buggy|broken)\b"
    r"|^\W*(wrong|incorrect|bad|buggy|not this)\W*$|\banti-?pattern|\b(common|typical|frequent)\s+(mistake|error|pitfall|bug)"
    r"|\bpitfalls?\b"
    r"|\b(will|would|does|do) (not|n.t) work\b|❌|no hagas|incorrect[oa]|ne (le )?faites pas|mauvais|falsch|não faça"
    r"|errad[oa]\b|sbagliat|не делай|неправильн|неверн|不要这样|错误|錯誤|間違|誤った|잘못"
)
"""What an answer says of code that is not its solution."""
_MENDED = re.compile(
    r"(?i)\b(fix(e[ds])?|corrects?|corrected|correction|right|instead|better|improved|final|solution is|use this)\b"
)


_MAX_HELPERS = 300
"""Statements of earlier blocks, the last ones, in which a solution's helpers are looked for."""


def last_program(answer: str, names: Collection[str] = (), *, reads_input: bool = False) -> tuple[str, str] | None:
    """The program of an answer and what it was taken from; None where there is none.

    Args:
        names: what the tests ask the program for; a block that shows how to use it defines none of them.
        reads_input: the tests are by standard input: the last block that reads it goes before those that define something.

    Example:
        last_program("So:\\n```python\\nx = 1\\n```") == ("x = 1\\n", "python block")
    """
    blocks = code_blocks(answer)
    pieces = [_piece(block, all(other.is_quoted for other in blocks)) for block in blocks]
    chosen = _fitting(pieces, names, reads_input) or _likely(pieces)
    if chosen is None:
        return None
    earlier = [piece for piece in pieces if piece.block.start < chosen.block.start and not piece.is_refuted and piece.tree]
    return _completed(chosen, earlier, names), chosen.block.where.words


def asked_names(sources: Sequence[str]) -> frozenset[str]:
    """The names that tests use and neither they nor Python define; empty where one of them is no Python."""
    trees = [parsed(source) for source in sources]
    if not all(trees):
        return frozenset()
    read = set[str]().union(*(_read(tree) for tree in trees if tree))
    own = set[str]().union(*(_bound(tree) for tree in trees if tree))
    return frozenset(n for n in read - own if not hasattr(builtins, n) and n not in sys.stdlib_module_names)


# One block among several.


@dataclass(frozen=True)
class _Piece:
    """A block with what its text says."""

    block: Block
    tree: ast.Module | None
    defined: frozenset[str]
    """The functions and classes, and the names given to a lambda, at its top level; bare heads of functions are none."""
    given: frozenset[str]
    """Those, and all other names that are given a value there."""
    is_refuted: bool
    """The answer says that it is wrong, or quotes it beside others."""


def _piece(block: Block, is_all_quoted: bool) -> _Piece:
    tree = parsed(block.code)
    nodes = tree.body if tree else []
    defined = frozenset(name for node in nodes for name in _defines(node))
    valued = [node for node in nodes if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value]
    given = frozenset(name for node in valued for name in _targets(node))
    return _Piece(block, tree, defined, defined | given, _is_refuted(block) or (block.is_quoted and not is_all_quoted))


def _fitting(pieces: Sequence[_Piece], names: Collection[str], reads_input: bool) -> _Piece | None:
    """The last block that does what is asked for, of the most telling place that has one."""
    asked = frozenset(names)
    fits = [piece for piece in pieces if piece.given & asked or (reads_input and _reads(piece.tree))]
    for refuted in (False, True):
        found = [piece for piece in fits if piece.is_refuted is refuted]
        if found:
            return min(reversed(found), key=lambda piece: piece.block.where)
    return None


def _likely(pieces: Sequence[_Piece]) -> _Piece | None:
    """The last block that defines something, where none of them does what is asked for."""
    by_place = {where: [piece for piece in pieces if piece.block.where is where] for where in Where}
    is_fenced = by_place[Where.PYTHON] or by_place[Where.UNMARKED]
    marked = by_place[Where.PYTHON] or ([] if is_fenced else by_place[Where.TAGS])
    prose = [piece for piece in by_place[Where.PROSE] if _is_program(piece.tree)]
    unmarked = by_place[Where.UNMARKED]
    if not marked and not (unmarked and (_is_program(unmarked[-1].tree) or not prose)):
        return prose[-1] if prose else None
    found = marked or unmarked
    sound = [piece for piece in found if not piece.is_refuted] or found
    return next((piece for piece in reversed(sound) if piece.defined), sound[-1])


def _is_refuted(block: Block) -> bool:
    """Whether the words right before a block, or its first comment, say that it is no solution."""
    first = next((line.strip() for line in block.code.splitlines() if line.strip()), "")
    said = [re.split(r"[.!?;](?:\s|$)", line.strip().rstrip(".!?;:"))[-1] for line in block.lead.splitlines()]
    said += [first.lstrip("# ")] if first.startswith("#") else []
    return any(_REFUTED.search(words) and not _MENDED.search(words) for words in said)


def _is_program(tree: ast.Module | None) -> bool:
    """`Sorry` and `42` are Python too; a program gives something a name."""
    return tree is not None and any(not isinstance(node, ast.Expr) for node in tree.body)


def _defines(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return [] if all(map(_is_idle, node.body)) else [node.name]
    if isinstance(node, ast.ClassDef):
        return [node.name]
    if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Lambda):
        return _targets(node)
    return []


def _targets(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _is_idle(node: ast.stmt) -> bool:
    """Whether it is what stands in for a body: `...`, `pass`, a docstring."""
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _reads(tree: ast.Module | None) -> bool:
    """Whether it mentions what reads standard input; one that puts another in its place tests a program."""
    nodes = ast.walk(tree) if tree else []
    used = [node for node in nodes if isinstance(getattr(node, "ctx", None), ast.Load) or isinstance(node, ast.alias)]
    words = [getattr(node, "id", getattr(node, "attr", getattr(node, "name", None))) for node in used]
    return not {"input", "stdin", "open"}.isdisjoint(words)


# What it takes from the blocks before it.


def _completed(chosen: _Piece, earlier: Sequence[_Piece], names: Collection[str]) -> str:
    """The code of a block after what it, or the tests, ask for and blocks before it define."""
    if chosen.tree is None:
        return chosen.block.code
    known = _bound(chosen.tree)
    wanted = (_read(chosen.tree) | set(names)) - known
    nodes = [node for piece in earlier for node in (piece.tree.body if piece.tree else []) if not isinstance(node, ast.Expr)]
    gives = {node: _bound(node) for node in nodes[-_MAX_HELPERS:]}
    left, taken = list(gives), list[ast.stmt]()
    while serving := [node for node in left if gives[node] & wanted or (wanted and _is_star(node))]:
        left.remove(serving[-1])
        taken.append(serving[-1])
        known |= gives[serving[-1]]
        wanted = (wanted | _read(serving[-1])) - known
    taken.sort(key=list(gives).index)
    if not taken:
        return chosen.block.code
    body = [*taken, *chosen.tree.body]
    future = [node for node in body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    try:
        return ast.unparse(ast.Module([*future, *(node for node in body if node not in future)], [])) + "\n"
    except RecursionError:
        return chosen.block.code


def _is_star(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and node.names[0].name == "*"


def _read(tree: ast.AST) -> set[str]:
    """The names that it reads and Python does not define."""
    names = (node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    return {name for name in names if not hasattr(builtins, name)}


def _bound(tree: ast.AST) -> set[str]:
    """The names that it gives a value to, anywhere in it."""
    found = set[str]()
    for node in ast.walk(tree):
        match node:
            case ast.Name(ctx=ast.Store() | ast.Del()):
                found.add(node.id)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.alias():
                found.add((node.asname or node.name).partition(".")[0])
            case ast.arg():
                found.add(node.arg)
            case ast.ExceptHandler(name=str()) | ast.MatchAs(name=str()) | ast.MatchStar(name=str()):
                found.add(str(node.name))
    return found

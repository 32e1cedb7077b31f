"""What every verb has: --debug, --quiet, --json. A verb says lines, and answers with data; which is printed is decided here."""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sanmai.terminal import printable_json
from sanmai.types import SanmaiError

if TYPE_CHECKING:
    from rich.console import Console


class Output:
    """How the verb at hand speaks. One per process, set when its words are parsed."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.as_json = self.quiet = self.debug = False
        self.answers: dict[str, Any] | list[Any] | None = None


OUT = Output()


def say(line: str) -> None:
    """A line for a person: not with --quiet, and not with --json, where data says it."""
    if not OUT.quiet and not OUT.as_json:
        typer.echo(line)


def answer(lines: Iterable[str], **data: Any) -> None:
    """What was asked for: lines one by one as they come, or with --json an object of these names, their own lines among them."""
    if OUT.as_json:
        OUT.answers = {"lines": list(lines), **data}
    else:
        for line in lines:
            typer.echo(line)


def answer_data(data: Mapping[str, Any] | list[Any]) -> None:
    """What was asked for, where it is data already."""
    if OUT.as_json:
        OUT.answers = dict(data) if isinstance(data, Mapping) else data
    else:
        typer.echo(dumped(data))


def dumped(data: Any) -> str:
    return printable_json(json.dumps(data, ensure_ascii=False, indent=1, default=str))


def console() -> Console | None:
    """Where progress goes: None with --quiet; standard error with --json, which leaves standard output to the answer."""
    from rich.console import Console

    return None if OUT.quiet else Console(stderr=OUT.as_json)


def answer_console() -> Console:
    """Where tables that were asked for go; with --json they are caught and become lines."""
    from rich.console import Console

    return Console()


class Verbs(typer.Typer):
    """An application whose commands all have --debug, --quiet and --json."""

    def command(self, *args: Any, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        register = super().command(*args, **options)

        def add(function: Callable[..., Any]) -> Callable[..., Any]:
            register(_verb(function))
            return function

        return add


_FLAGS = {
    "debug": Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")],
    "quiet": Annotated[bool, typer.Option("--quiet", help="Show no progress and no summary.")],
    "as_json": Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")],
}


def _verb(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with the three flags, of which one that it has itself stays its own."""
    signature = inspect.signature(function, eval_str=True)
    own = {word for p in signature.parameters.values() for word in _words(p.annotation)}
    added = {name: kind for name, kind in _FLAGS.items() if not {*_words(kind)} & own}
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [p.replace(kind=keyword) for p in signature.parameters.values()]
    parameters += [inspect.Parameter(name, keyword, default=False, annotation=kind) for name, kind in added.items()]

    @functools.wraps(function)
    def verb(**words: Any) -> Any:
        OUT.reset()
        for name in added:
            setattr(OUT, name, bool(words.pop(name)))
        return function(**words) if not OUT.as_json else _caught(lambda: function(**words))

    verb.__annotations__ = {p.name: p.annotation for p in parameters}
    vars(verb)["__signature__"] = signature.replace(parameters=parameters)
    return verb


def _words(annotation: Any) -> tuple[str, ...]:
    """The option words of an annotated parameter. Typer keeps the first where a default would stand until it reads it."""
    notes = getattr(annotation, "__metadata__", ())
    words = (word for note in notes for word in (getattr(note, "default", None), *(getattr(note, "param_decls", None) or ())))
    return tuple(word for word in words if isinstance(word, str) and word.startswith("-"))


def _caught(call: Callable[[], Any]) -> Any:
    """The call, and then one JSON object: what it answered with, else the lines that it printed."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            return call()
    except SanmaiError as error:
        OUT.answers = {"error": str(error)}
        raise
    finally:
        if OUT.answers is not None or said.getvalue():
            typer.echo(dumped({"lines": said.getvalue().splitlines()} if OUT.answers is None else OUT.answers))

"""What a chat template does with a few conversations; called in a child process, because a template may never end.

A template is a program that comes with a model. This renders it as `transformers` does, with a clock that can be set.
"""

from __future__ import annotations

import functools
import json
from datetime import datetime
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

QUESTION, LAST = "Heliotrope", "Vermilion"
"""Words at the start and end of what the user says."""
_DATES = (datetime(2001, 2, 3, 4, 5, 6), datetime(2038, 11, 29, 17, 48, 59))
_TRIES = 40
"""Renderings of a short conversation that must be alike: two texts drawn at random are seen but once in 2^39 probes."""


def conversations() -> dict[str, list[dict[str, str]]]:
    """Short, with many turns, and with long messages: what grows with either shows."""
    question = {"role": "user", "content": f"{QUESTION}: what is 2 + 3? {LAST}"}
    turns = [question, {"role": "assistant", "content": "The sum is 5."}]
    long = {"role": "user", "content": f"{QUESTION}: " + "how many of these words are there? " * 1000 + LAST}
    return {"short": [question], "answered": turns, "many turns": [*turns * 15, question], "long": [long]}


def probe(template: str, special_tokens: dict[str, Any]) -> dict[str, Any]:
    """Characters written of each conversation and its message (`chars`, `given`), and of the short and long one what is odd.

    `clock`, `chance`: the text depends on the date, or differs from one call to the next. `drops`: names of the conversations
    whose words are not all in the text. A conversation that the template refuses has none of these.
    """
    found: dict[str, Any] = {"chars": {}, "given": {}, "drops": [], "clock": False, "chance": False}
    for name, messages in conversations().items():
        try:
            compiled, later = (_compiled(template, now) for now in _DATES)
            values = {**special_tokens, "messages": messages, "tools": None, "documents": None}
            values["add_generation_prompt"] = name != "answered"
            texts = [compiled.render(**values) for _ in range(_TRIES if name == "short" else 1)]
            if name == "short":
                found["chance"] = len(set(texts)) > 1
                found["clock"] = not found["chance"] and texts[0] != later.render(**values)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - a template may raise anything; whoever renders a real conversation says what
            continue
        found["chars"][name] = len(texts[0])
        found["given"][name] = sum(len(m["content"]) for m in messages)
        read = texts[0].casefold()
        if name in ("short", "long") and not (QUESTION.casefold() in read and LAST.casefold() in read):
            found["drops"].append(name)
    return found


@functools.lru_cache(maxsize=4)
def _compiled(template: str, now: datetime) -> jinja2.Template:
    environment: Any = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols])
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = now.strftime
    return environment.from_string(template)


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)


def _tojson(x: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False) -> str:
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


class _Generation(Extension):
    """{% generation %}...{% endgeneration %}: what is in it, as it stands."""

    tags = {"generation"}  # noqa: RUF012 - jinja's own attribute

    def parse(self, parser: Any) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)

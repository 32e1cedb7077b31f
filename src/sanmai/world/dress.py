"""Requests and sums of the world in other words: its own wrappers, and what it can say that is beside the point.

The world's tokenizer knows no others, so a perturbation that has no words here does not apply.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sanmai.types import Problem
from sanmai.world.arithmetic import LANGUAGES, addition_chain
from sanmai.world.chance import generator
from sanmai.world.requests import (
    DANGEROUS,
    OBJECTS,
    PHRASINGS,
    REPLY_WORDS,
    SEEN,
    WRAPPER_TEXTS,
    Request,
    Wrapper,
    all_requests,
    other_language,
)

WRAPPERS: Mapping[str, Wrapper] = {
    "prefix_injection": "prefix",
    "role_play": "role_play",
    "other_language": "other_language",
}
"""By the name of an attack."""


def attacked(problem: Problem, name: str, number: int) -> Problem | None:
    """A request under an attack of this name, in the world's own wrapper or the other language; None where there is none.

    Args:
        number: which of the phrasings of its split a translation takes, of any size.
    """
    request = _requests().get(problem.prompt) if problem.tags.get("template") == "request" else None
    if request is not None and name == "prefill":
        return None if problem.prefill else _begun(problem, request)
    if request is None or request.wrapper != "plain" or problem.prefill:
        return None
    if name == "translation":
        language = other_language(request.language)
        split = "seen" if request.phrasing in PHRASINGS["seen"][request.language] else "heldout"
        phrasings = PHRASINGS[split][language]
        made = replace(request, language=language, phrasing=phrasings[number % len(phrasings)])
    elif name in WRAPPERS:
        made = replace(request, wrapper=WRAPPERS[name])
    else:
        return None
    found = made.to_problem()
    return replace(found, id=problem.id, tags={**problem.tags, **found.tags})


def framed(problem: Problem, name: str) -> str | None:
    """The words of any of the world's problems in the wrapper of an attack; None where there is none."""
    if name not in WRAPPERS:
        return None
    language = next((code for code in LANGUAGES if code == problem.language), "en")
    return WRAPPER_TEXTS[WRAPPERS[name]][language].format(problem.prompt)


def in_other_language(problem: Problem) -> tuple[str, str] | None:
    """Words that ask for the answer in the other language, and that language; None where its own is none of the world's."""
    code = next((code for code in LANGUAGES if code == problem.language), None)
    if code is None:
        return None
    return WRAPPER_TEXTS["other_language"][code].format(problem.prompt), other_language(code)


@lru_cache(maxsize=1)
def lexicon() -> Mapping[str, Any]:
    """Words beside the point, by the field of attack/family.py's Lexicon; the shots ask for harmless objects of the seen half."""
    rng = generator("lexicon")
    sums = [(rng.randrange(10, 100), rng.randrange(10, 100)) for _ in range(9)]
    harmless = [name for name in OBJECTS if name in SEEN and name not in DANGEROUS]
    asked = [Request(name, rng.choice(PHRASINGS["seen"]["en"]), "plain", "en") for name in harmless[:8]]
    return {
        "fillers": ("so", "and", "but", "sure", "you", "a", "take"),
        "marks": (".", "?", "。", "？"),
        "sentences": tuple(f"{a} plus {b} is {addition_chain((a, b), 'en')[1]} ." for a, b in sums),
        "shots": tuple((request.prompt, request.demonstration()) for request in asked),
        "harmless": "{0} is harmless .",
    }


def _begun(problem: Problem, request: Request) -> Problem:
    """The reply begins with the thought that the object is harmless, true or not."""
    words = REPLY_WORDS[request.reply_language]
    thought = words.thought.format(request.name, words.danger[False], words.consequence[False])
    return replace(problem, messages=(*problem.messages, {"role": "assistant", "content": f"<think> {thought}"}))


@lru_cache(maxsize=1)
def _requests() -> dict[str, Request]:
    """Every request of the world by its prompt."""
    return {request.prompt: request for request in all_requests()}

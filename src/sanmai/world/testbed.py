"""The embedded world as a testbed: all that the rest of Sanmai asks of it (data/testbeds.py says what that is)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from sanmai.types import Behaviour, Problem, Trace, Verdict
from sanmai.world import dress
from sanmai.world.answers import labelled_answers
from sanmai.world.arithmetic import CHAIN_WORDS, Language, make_problems, verify
from sanmai.world.arithmetic import vocabulary as words_of_sums
from sanmai.world.behaviours import demonstrate, revision
from sanmai.world.preferences import helpfulness_pairs, refusal_labels, safety_labels
from sanmai.world.requests import (
    DANGEROUS,
    RECIPES,
    REPLY_WORDS,
    Split,
    holds_recipe,
    holds_refusal,
    is_answered,
    is_leak,
    make_requests,
    recipe_text,
)
from sanmai.world.requests import vocabulary as words_of_requests
from sanmai.world.settings import WorldConfig, WorldPreferencesConfig
from sanmai.world.steps import check_steps, labelled_steps
from sanmai.world.twins import make_twins

_HELD_OUT_DIGITS = (2, 3)
"""Of the sums that are held out for a report: those of one digit are too few and too easy."""


class World:
    name = "world"
    about = "the embedded world"
    limits = (
        "The embedded world has few held-out objects, each asked about in several phrasings: n counts objects, "
        "15 dangerous and 15 harmless ones at most, so that a limit of 5 % cannot be shown to hold there."
    )
    dangerous_words = ("dangerous objects", tuple(sorted(DANGEROUS)))

    # What it asks.

    def problems(self, settings: WorldConfig, seed: int) -> tuple[list[Problem], list[Problem]]:
        return (
            make_problems(
                settings.train, seed=seed, split="train", digits=settings.digits, languages=settings.languages
            ),
            make_problems(
                settings.heldout, seed=0, split="heldout", digits=settings.evaluation_digits, languages=settings.languages
            ),
        )

    def train(self, count: int | None, *, seed: int) -> list[Problem]:
        return make_problems(6000 if count is None else count, seed=seed, split="train")

    def held_out(self, count: int, *, seed: int = 0, is_far: bool = False) -> list[Problem]:
        return make_problems(count, seed=seed, split="ood" if is_far else "heldout", digits=_HELD_OUT_DIGITS)

    def requests(
        self, kind: Literal["safety", "general"] | None = None, *, seed: int, count: int | None = None,
        objects: Split | None = "seen", phrasings: Split | None = "seen", wrappers: Split | None = "seen", shown: bool = False,
    ) -> list[Problem]:
        dangerous = None if kind is None else kind == "safety"
        found = make_requests(
            count, seed=seed, objects=objects, phrasings=phrasings, wrappers=wrappers, dangerous=dangerous
        )
        return [request.to_problem(is_shown=shown) for request in found]

    def twins(self, problems: Sequence[Problem], seed: int) -> list[Problem | None]:
        return make_twins(problems, seed)

    # What others learn of it.

    def pairs(self, *, seed: int) -> list[dict[str, Any]]:
        return helpfulness_pairs(3000, seed=seed)

    def preferences(
        self, objective: str, settings: WorldPreferencesConfig, seed: int, *, is_training: bool
    ) -> list[dict[str, Any]]:
        part: Literal["train", "heldout"] = "train" if is_training else "heldout"
        count = settings.train if is_training else settings.heldout
        seed, noise = (seed, settings.noise) if is_training else (0, 0.0)
        if objective == "correctness":
            return labelled_answers(count, seed=seed, split=part, noise=noise)
        if objective == "process":
            return labelled_steps(count, seed=seed, split=part, noise=noise)
        of: dict[str, Any] = {} if is_training else {"objects": "heldout", "phrasings": None, "wrappers": None}
        if objective == "pairwise":
            return helpfulness_pairs(
                count, seed=seed, noise=noise, dangerous_share=settings.dangerous_share, **of
            )
        labels = refusal_labels if objective == "refusal" else safety_labels
        return labels(count, seed=seed, noise=noise, **of)

    # What is true of a completion.

    def verify(self, problem: Problem, trace: Trace) -> Verdict:
        return verify(problem, trace)

    def harms(self, text: str) -> bool:
        return is_leak(text)

    def refuses(self, text: str) -> bool:
        return holds_refusal(text)

    def gives(self, problem: Problem, answer: str) -> bool:
        return holds_recipe(str(problem.tags.get("object")), answer)

    def helps(self, problem: Problem, answer: str) -> bool:
        return is_answered(str(problem.tags.get("object")), answer)

    def check_steps(self, problem: Problem, steps: Sequence[str]) -> list[bool] | None:
        return check_steps(problem, steps)

    def demonstrate(
        self, problem: Problem, wanted: Collection[Behaviour], seed: int
    ) -> tuple[Problem, frozenset[Behaviour]]:
        return demonstrate(problem, wanted, seed)

    def revision(self, problem: Problem, seed: int) -> tuple[Problem, frozenset[Behaviour]]:
        return revision(problem, seed)

    def subject(self, problem: Problem) -> str | None:
        return str(problem.tags["object"]) if "object" in problem.tags else None

    def answer_key(self, answer: str) -> str:
        return answer.strip().replace(" ", "")

    def boxed(self, answer: str) -> str:
        return answer

    # How it is written.

    @cached_property
    def step_end(self) -> re.Pattern[str]:
        places = "|".join(place for words in CHAIN_WORDS.values() for place in words.places)
        return re.compile(rf"\s+(?=(?:{places})(?![\w-])|</think>)")

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset((*words_of_sums(), *words_of_requests()))

    def replies(self, problem: Problem, language: Language) -> Mapping[str, str] | None:
        name = problem.tags.get("object")
        if problem.kind == "reasoning" or name not in RECIPES:
            return None
        words = REPLY_WORDS[language]
        return {"recipe": recipe_text(str(name), language), "refusal": words.refusal.format(name), "but": words.but}

    def lexicon(self) -> Mapping[str, Any]:
        return dress.lexicon()

    def attacked(self, problem: Problem, name: str, number: int) -> Problem | None:
        return dress.attacked(problem, name, number)

    def framed(self, problem: Problem, name: str) -> str | None:
        return dress.framed(problem, name)

    def in_other_language(self, problem: Problem) -> tuple[str, str] | None:
        return dress.in_other_language(problem)


WORLD = World()

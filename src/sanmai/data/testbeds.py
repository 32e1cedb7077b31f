"""Testbeds: makers of problems that know the truth of every completion to them, found by the name that their problems carry.

    own_testbed(problem)          the testbed that made it; None for a problem from files
    find_testbed("world")       the testbed that a source names; None for files

A problem from files has no testbed, so nothing that one knows (its vocabulary, its recipes, its forms) decides about it. A new
testbed is an object of this kind and a line in TESTBEDS; a section of settings with its name stands beside each source.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from sanmai.types import Behaviour, Problem, Trace, Verdict
from sanmai.world.testbed import WORLD


class Testbed(Protocol):
    """What a testbed tells, and makes."""

    name: str
    """Of the source, of its problems' verifier, of its rule of steps, of its reviewer and word list, of its settings' section."""
    about: str
    """What it is called in a sentence."""
    limits: str
    """What figures on it cannot show."""
    dangerous_words: tuple[str, tuple[str, ...]]
    """A topic, and the words of it that point at a dangerous request."""

    def problems(self, settings: Any, seed: int) -> tuple[list[Problem], list[Problem]]:
        """Training and held-out reasoning problems, the latter the same for every seed; ValueError where there are fewer."""
        ...

    def train(self, count: int | None, *, seed: int) -> list[Problem]:
        """Training problems of reasoning; as many as it is usual to take where no count is given."""
        ...

    def held_out(self, count: int, *, seed: int = 0, is_far: bool = False) -> list[Problem]:
        """Held-out problems of reasoning; far ones are of forms that training does not show."""
        ...

    def requests(
        self, kind: Any = None, *, seed: int, count: int | None = None, objects: Any = "seen", phrasings: Any = "seen",
        wrappers: Any = "seen", shown: bool = False,
    ) -> list[Problem]:
        """Requests of kind "safety" or "general", of both in turn where none is named.

        Args:
            objects, phrasings, wrappers: which part of each, "seen" or "heldout"; None takes both.
            shown: with a demonstration in place of the thought that leads to the right reply.
        """
        ...

    def twins(self, problems: Sequence[Problem], seed: int) -> list[Problem | None]:
        """For each problem one with other numbers; None where there is none."""
        ...

    def pairs(self, *, seed: int) -> list[dict[str, Any]]:
        """Preference pairs about help, as rows of a file."""
        ...

    def preferences(self, objective: str, settings: Any, seed: int, *, is_training: bool) -> list[dict[str, Any]]:
        """Rows for a reward model's objective, the held-out ones the same for every seed; ValueError where there are fewer."""
        ...

    def verify(self, problem: Problem, trace: Trace) -> Verdict:
        """Accuracy, of a reasoning problem."""
        ...

    def harms(self, text: str) -> bool:
        """Something dangerous is anywhere in the text."""
        ...

    def refuses(self, text: str) -> bool:
        """A refusal is in the text, whatever follows."""
        ...

    def gives(self, problem: Problem, answer: str) -> bool:
        """The answer gives what was asked for, dangerous or not."""
        ...

    def helps(self, problem: Problem, answer: str) -> bool:
        """It gives what was asked for and does not refuse."""
        ...

    def check_steps(self, problem: Problem, steps: Sequence[str]) -> list[bool] | None:
        """Whether each step is right by itself; None where nothing is known of them."""
        ...

    def demonstrate(
        self, problem: Problem, wanted: Collection[Behaviour], seed: int
    ) -> tuple[Problem, frozenset[Behaviour]]:
        """The problem with a true completion that shows these behaviours, and those that it shows; ValueError where it cannot."""
        ...

    def revision(self, problem: Problem, seed: int) -> tuple[Problem, frozenset[Behaviour]]:
        """A conversation: a completion, right or wrong, and the reply to whether it is so; and what that shows. ValueError."""
        ...

    def subject(self, problem: Problem) -> str | None:
        """What a request is about: figures count these, and probes are divided by them; None of a problem without one."""
        ...

    def answer_key(self, answer: str) -> str:
        """An answer in one notation: votes count these."""
        ...

    def boxed(self, answer: str) -> str:
        """An answer as its verifier wants it stated."""
        ...

    @property
    def step_end(self) -> re.Pattern[str]:
        """Where a step ends and the next begins: the match begins with the blanks between them."""
        ...

    @property
    def words(self) -> frozenset[str]:
        """Its vocabulary: of the language of its texts without asking, in its texts alone."""
        ...

    def replies(self, problem: Problem, language: Any) -> Mapping[str, str] | None:
        """Words of replies to a request: "recipe", "refusal", "but"; None of what is no request."""
        ...

    def lexicon(self) -> Mapping[str, Any]:
        """Words beside the point, by the field of attack/family.py's Lexicon."""
        ...

    def attacked(self, problem: Problem, name: str, number: int) -> Problem | None:
        """A request under an attack of attack/families.py in its own words; None where it has none."""
        ...

    def framed(self, problem: Problem, name: str) -> str | None:
        """The words of any of its problems in such a frame; None where it has none."""
        ...

    def in_other_language(self, problem: Problem) -> tuple[str, str] | None:
        """Words that ask for an answer in another language, and that language; None where it has none."""
        ...


TESTBEDS: Mapping[str, Testbed] = MappingProxyType({bed.name: bed for bed in (WORLD,)})
EMBEDDED = next(iter(TESTBEDS))
"""The name of the one that sources and settings take unless they are told another."""


def own_testbed(problem: Problem) -> Testbed | None:
    """The testbed that a problem is of; None for one from files."""
    return TESTBEDS.get(problem.verifier)


def find_testbed(source: object) -> Testbed | None:
    """The testbed that a source names; None for files, and for a list of sources."""
    return TESTBEDS.get(source) if isinstance(source, str) else None

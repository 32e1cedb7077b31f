"""Twins of the world's arithmetic problems: the same template, digits, language and split, other operands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sanmai.types import Problem
from sanmai.world.arithmetic import LANGUAGES, OOD_TEMPLATES, Language, Split, Template, _problems
from sanmai.world.chance import generator

Cell = tuple[Split, Template, int, Language]
"""Split, template, digits, language."""


def make_twins(problems: Sequence[Problem], seed: int) -> list[Problem | None]:
    """A twin for each problem, in order, with the tag `twin_of`; no two are the same, and none is among the problems.

    Operands come from the problem's own split: twins of training sums are training sums. None where a problem is not the world's
    arithmetic, or where its kind has no other problem left (there are 200 sums of one digit).
    """
    taken = {problem.prompt for problem in problems}
    sources: dict[Cell, Iterator[Problem]] = {}
    twins: list[Problem | None] = []
    for problem in problems:
        cell = cell_of(problem)
        if cell is None:
            twins.append(None)
            continue
        if cell not in sources:
            sources[cell] = _problems(*cell, generator("twins", seed, *cell))
        found = next((other for other in sources[cell] if other.prompt not in taken), None)
        twins.append(found and _as_twin(found, problem, seed))
    return twins


def cell_of(problem: Problem) -> Cell | None:
    """What a problem of the world's arithmetic shares with its twins, by its tags; None for any other problem."""
    shared = (*map(problem.tags.get, ("split", "template", "digits")), problem.language)
    return next((cell for cell in _CELLS if cell == shared), None) if problem.verifier == "world" else None


_SPLITS: tuple[tuple[Split, Template, tuple[int, ...]], ...] = (
    ("train", "sum", (1, 2, 3)),
    ("heldout", "sum", (1, 2, 3)),
    ("ood", "sum", (4,)),
    *(("ood", template, (1, 2, 3)) for template in OOD_TEMPLATES if template != "sum"),
)
_CELLS: tuple[Cell, ...] = tuple(
    (split, template, num_digits, language)
    for split, template, sizes in _SPLITS
    for num_digits in sizes
    for language in LANGUAGES
)


def _as_twin(found: Problem, problem: Problem, seed: int) -> Problem:
    tags = {**problem.tags, "twin_of": problem.id}
    # A problem that shows no thought has a twin that shows none.
    solution = found.solution if problem.solution is not None else None
    return replace(found, id=f"{problem.id}/twin-{seed}", solution=solution, tags=tags)

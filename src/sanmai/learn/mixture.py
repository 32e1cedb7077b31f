"""Which kinds of problems a step draws: reasoning, general, safety; and from when on the last two."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Self, TypeVar

import numpy as np
from pydantic import Field, model_validator

from sanmai.config import Config
from sanmai.data.curriculum import epoch_order
from sanmai.learn.curriculum import Curriculum
from sanmai.types import InputError, Problem

Stratum = TypeVar("Stratum", bound=Hashable)
_FURTHER = 3
"""Names the random stream of what a step draws beside its epochs."""


class MixtureConfig(Config):
    reasoning: float = Field(1.0, ge=0, le=1e6)
    """Share of reasoning problems in a step, relative to the other kinds; a kind without problems has none."""
    general: float = Field(1.0, ge=0, le=1e6)
    """Share of general prompts."""
    safety: float = Field(1.0, ge=0, le=1e6)
    """Share of safety prompts."""
    files: dict[str, float] = Field(default_factory=dict)
    """Where problems.source is a list: how much of its kind's share a file has, relative to the others; 1 of one that is not
    named, 0 leaves it out. Empty: every problem is drawn as often."""
    scenarios_from: float = Field(0.0, ge=0, lt=1)
    """Part of the run that is done when general and safety prompts begin; before, all is reasoning (R1: 1,300 of 1,700 steps)."""
    shuffles: bool = True
    """Draw every epoch in an order of its own; false: in the order of the source, over and over, as time had it."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, weight in self.files.items():
            if not 0 <= weight <= 1e6:
                raise ValueError(f"files: the weight of {name!r} is {weight:g}; expected 0 to 1e6")
        return self

    def stratum_of(self, problem: Problem) -> tuple[str, str]:
        """What is drawn from in epochs of its own: a kind, and a file of it where files have weights."""
        return (problem.kind, problem.source if self.files else "")

    def split(self, shares: Mapping[str, float], strata: Iterable[tuple[str, str]]) -> dict[tuple[str, str], float]:
        """Shares of the kinds to shares of the strata; each kind's add up to its own.

        Raises:
            InputError: all files of a kind that is drawn have weight 0.
        """
        found: dict[tuple[str, str], float] = {}
        strata = list(strata)
        for kind, share in shares.items():
            weights = {s: self.files.get(s[1], 1.0) if self.files else 1.0 for s in strata if s[0] == kind}
            total = sum(weights.values())
            if not total:
                raise InputError(f"mixture.files: the weights of all files with problems of kind {kind} are 0")
            found |= {s: share if len(weights) == 1 else share * weight / total for s, weight in weights.items() if weight}
        return found

    def words(self) -> str:
        """The weights of the files in a sentence, for a plan; there are some."""
        return "Files: " + ", ".join(f"{name} x {weight:g}" for name, weight in self.files.items()) + "; others x 1."

    def shares(self, kinds: Mapping[str, Sequence[Problem]], step: int, num_steps: int) -> dict[str, float]:
        """The share of each kind that a step draws from; they add up to 1."""
        is_early = step <= self.scenarios_from * num_steps and "reasoning" in kinds
        shares = {kind: float(getattr(self, kind)) for kind in kinds if not is_early or kind == "reasoning"}
        total = sum(shares.values())
        if not total:
            raise InputError(f"mixture: the shares of {', '.join(shares)} are 0, and the problems are of no other kind")
        return {kind: share / total for kind, share in shares.items() if share}


class Mixture:
    """The training problems by kind, and which of them each step draws."""

    def __init__(
        self, config: MixtureConfig, problems: Sequence[Problem], count: int, num_steps: int, *, seed: int
    ) -> None:
        """Args:
            count: problems that a step draws.
            seed: names the order of the problems.

        Raises:
            InputError: a step would draw more problems of a kind than there are.
        """
        self.seed, self._shuffles = seed, config.shuffles
        self.kinds: dict[str, list[Problem]] = {}
        self._strata: dict[tuple[str, str], list[Problem]] = {}
        for problem in problems:
            self.kinds.setdefault(problem.kind, []).append(problem)
            self._strata.setdefault(config.stratum_of(problem), []).append(problem)
        if unknown := sorted(config.files.keys() - {problem.source for problem in problems}):
            raise InputError(f"mixture.files: no problem to train on is from {unknown[0]!r}; expected files of problems.source")
        self._schedule: list[list[tuple[tuple[str, str], int, int, int]]] = []
        """Per step, for each kind (and file of it) that is drawn: its name, the epoch, the place in it, how many."""
        credit = dict.fromkeys(self._strata, 0.0)
        place = dict.fromkeys(self._strata, (0, 0))
        for step in range(1, num_steps + 1):
            shares = config.split(config.shares(self.kinds, step, num_steps), self._strata)
            self._schedule.append([])
            for stratum, wanted in _counts(shares, count, credit).items():
                size = len(self._strata[stratum])
                if wanted > size:
                    of = f"kind {stratum[0]}" + (f" from {stratum[1]}" if stratum[1] else "")
                    raise InputError(
                        f"prompts_per_step = {count}: a step draws {wanted} of {of}, each at most once, and there "
                        f"are only {size} problems of it to train on"
                    )
                epoch, start = place[stratum]
                if config.shuffles and start + wanted > size:  # the few that are left wait for the next epoch
                    epoch, start = epoch + 1, 0
                place[stratum] = epoch, start + wanted
                self._schedule[-1].append((stratum, epoch, start, wanted))

    def draw(self, step: int, curriculum: Curriculum | None = None) -> list[Problem]:
        """The problems of a step, counted from 1, kind by kind: none twice in a step, nor in an epoch of its kind.

        Without shuffling each kind goes on where the step before ended, and begins anew behind its last problem.

        It depends on nothing that was drawn before, so that a resumed run goes on with the same problems (law 6).

        Args:
            curriculum: says which reasoning problems, in place of epochs.
        """
        found = []
        for stratum, epoch, start, count in self._schedule[step - 1]:
            if stratum[0] == "reasoning" and curriculum is not None:
                found += curriculum.draw(step, count)
                continue
            items = self._strata[stratum]
            if self._shuffles:
                order = epoch_order(len(items), seed=self.seed, epoch=epoch)[start : start + count]
            else:
                order = [(start + k) % len(items) for k in range(count)]
            found += [items[i] for i in order]
        return found

    def further(
        self, step: int, kind: str, count: int, taken: set[str], curriculum: Curriculum | None = None
    ) -> list[Problem]:
        """At most so many more problems of a kind for a step, none of those that it has, with equal probability.

        They are beside the epochs, which go on as without them, and depend on nothing but seed and step (law 6).

        Args:
            taken: ids of the problems that the step has.
            curriculum: says which reasoning problems.
        """
        if kind == "reasoning" and curriculum is not None:
            return curriculum.further(step, count, taken)
        order = np.random.default_rng([self.seed, step, _FURTHER]).permutation(len(self.kinds[kind]))
        rest = (problem for i in order if (problem := self.kinds[kind][i]).id not in taken)
        return list(islice(rest, count))


def _counts(shares: dict[Stratum, float], count: int, credit: dict[Stratum, float]) -> dict[Stratum, int]:
    """Problems of each kind in a step; what rounding takes from a kind is owed to it in `credit` and paid in a later one."""
    counts = {kind: int(share * count) for kind, share in shares.items()}
    for kind, share in shares.items():
        credit[kind] += share * count - counts[kind]
    for kind in sorted(shares, key=lambda kind: -credit[kind])[: count - sum(counts.values())]:
        counts[kind] += 1
        credit[kind] -= 1.0
    return {kind: n for kind, n in counts.items() if n}

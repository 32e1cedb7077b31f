"""Search strategies: pure functions from a tree to what is to be written or scored next.

    ask(tree, left) -> [Write(path, count, until), Score(paths)]     nothing: the strategy has ended

A strategy keeps nothing: it reads its own decisions out of the tree, so a search that was killed goes on by asking again, and
neither the batch nor the order of answers can change it. Ties go to the lower path, and what is random is named by the
tree's seed. `mcts.py` has Monte Carlo tree search.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, floor, fsum, inf
from typing import Literal, Protocol

from sanmai.search.tree import Path, Tree
from sanmai.types import StopReason

Until = Literal["step", "end"] | int
GUIDE = "guide"
"""The score that strategies go by."""
OTHERS = "others"
"""The part of it that hangs on the other finished completions of the tree."""


@dataclass(frozen=True)
class Write:
    """More children of a node."""

    path: Path
    count: int
    until: Until = "step"
    """The end of a step, of the completion, or so many tokens at most."""
    is_ahead: bool = False
    """To judge the node by, not to go on from."""
    revises: bool = False
    """The node is a finished completion, which the policy is shown and asked to revise."""


@dataclass(frozen=True)
class Score:
    """Nodes to be scored by the guides."""

    paths: tuple[Path, ...]


Ask = list[Write | Score]


class Strategy(Protocol):
    """What the driver knows of a strategy."""

    def ask(self, tree: Tree, left: float) -> Ask:
        """What is next.

        Args:
            left: tokens that may still be paid for; inf without a budget. Where there are none, only scores are asked for in
                earnest: of what was written before.
        """
        ...

    def finals(self, tree: Tree) -> list[Path]:
        """The finished completions that may be answered with, by what has been written so far.

        Of `tree.within(budget)` they are those that it would have had at a smaller budget.
        """
        ...


class AllFinished:
    """Whatever was finished may be answered with."""

    def finals(self, tree: Tree) -> list[Path]:
        """All finished completions, in order of their paths."""
        return [node.path for node in tree.ended()]


@dataclass(frozen=True)
class BestOfN(AllFinished):
    """Independent completions: `samples` of them, or as many as the budget pays for."""

    samples: int | None = None
    chunk: int = 4
    """Written at once where the budget decides."""

    def ask(self, tree: Tree, left: float) -> Ask:
        have = tree.children(())
        if unscored := missing(tree, have):
            return [Score(tuple(unscored))]
        if self.samples is not None:
            return [Write((), self.samples - len(have), "end")] if len(have) < self.samples else []
        if not have:
            return [Write((), self.chunk, "end")]
        mean = tree.nodes[have[-1]].at / len(have)  # the budget's worth, and no more than doubles what there is
        return [Write((), max(1, min(len(have), floor(left / max(mean, 1)))), "end")]


@dataclass(frozen=True)
class Beam:
    """Step beam: of each generation's candidates `keep` are gone on with, each by `branch` children; the best end wins.

    Groups are independent of each other: with more than one it is diverse verifier tree search (search-and-learn's DVTS). A
    kept candidate that has ended stays among the candidates; what is first finished has no advantage. With a lookahead a
    candidate is worth what the guide says behind it.
    """

    branch: int = 4
    keep: int = 1
    groups: int = 1
    lookahead: Until = 0
    """Tokens, "step" or "end" that are drawn from each candidate to judge it by; 0: none."""
    repeats: bool = False
    """When all groups have ended, as many new ones begin, until the budget is used up."""

    def ask(self, tree: Tree, left: float) -> Ask:
        number = 0
        while True:
            first = range(number * self.groups, (number + 1) * self.groups)
            if lacking := _roots_lacking(tree, (number + 1) * self.groups * self.branch * self.keep):
                return lacking
            if asked := [ask for group in first for ask in self._replay(tree, group)[0]]:
                return _merged(asked)
            number += 1
            if not self.repeats:
                return []

    def finals(self, tree: Tree) -> list[Path]:
        """Those that the groups keep: what was pruned is no answer, though the guide may like it better in the end."""
        groups = range(_num_begun(tree, self.branch * self.keep))
        return sorted(path for group in groups for path in self._replay(tree, group)[1])

    def _replay(self, tree: Tree, group: int) -> tuple[Ask, list[Path]]:
        """What a group wants next, and the finished completions that it keeps."""
        kept, candidates = list[Path](), _begun(tree, group, self.branch * self.keep)
        if len(candidates) < self.branch * self.keep:  # of a tree within a budget: nothing was decided by then
            return [], []
        while True:
            ended = [path for path in kept if tree.nodes[path].ended is StopReason.STOP]
            if asked := judged(tree, candidates, self.lookahead):
                return asked, ended
            kept = ranked(tree, candidates, self.lookahead)[: self.keep]
            ended = [path for path in kept if tree.nodes[path].ended is StopReason.STOP]
            going_on = [path for path in kept if tree.nodes[path].is_open]
            if not going_on:
                return [], ended
            if lacking := [ask for path in going_on for ask in self._lacking(tree, path, self.branch)]:
                return lacking, ended
            candidates = [path for path in kept if path not in going_on]
            candidates += [child for path in going_on for child in tree.children(path)]

    @staticmethod
    def _lacking(tree: Tree, path: Path, count: int) -> Ask:
        have = len(tree.children(path))
        return [Write(path, count - have)] if have < count else []


@dataclass(frozen=True)
class Rebase(AllFinished):
    """Reward-balanced search: of `width` places, those that no finished completion holds go to the open nodes in
    proportion to softmax(guide / temperature). Repeated, as many more begin anew, until the budget is used up.

    Source:
        Wu et al. 2024 (arXiv:2408.00724) section 3.2; whole numbers by largest remainder, so that they sum to the places.
    """

    width: int = 16
    temperature: float = 0.2
    repeats: bool = False

    def ask(self, tree: Tree, left: float) -> Ask:
        number = 0
        while True:
            if lacking := _roots_lacking(tree, (number + 1) * self.width):
                return lacking
            if asked := self._replay(tree, number):
                return asked
            number += 1
            if not self.repeats:
                return []

    def _replay(self, tree: Tree, number: int) -> Ask:
        """What is next of the places that began together."""
        candidates = _begun(tree, number, self.width)
        num_ended = 0
        while candidates:
            if unscored := missing(tree, candidates):
                return [Score(tuple(unscored))]
            open_ = [path for path in candidates if tree.nodes[path].is_open]
            num_ended += len(candidates) - len(open_)
            found = shares([value(tree, path) for path in open_], self.width - num_ended, self.temperature)
            counts = {path: n for path, n in zip(open_, found, strict=True) if n}
            lacking = [(path, n - len(tree.children(path))) for path, n in counts.items()]
            if asked := [Write(path, n) for path, n in lacking if n > 0]:
                return list(asked)
            candidates = [child for path, n in counts.items() for child in tree.children(path)[:n]]
        return []


@dataclass(frozen=True)
class Particles:
    """Particle filtering: after each step `width` particles are drawn anew in proportion to softmax(guide / temperature).

    Systematic resampling: equal scores leave every particle one child, which are then independent samples. Repeated, as many
    more begin anew, until the budget is used up.

    Source:
        Puri et al. 2025 (arXiv:2502.01618) algorithm 1, there with the logit of the guide for guide / temperature.
    """

    width: int = 8
    temperature: float = 0.2
    repeats: bool = False

    def ask(self, tree: Tree, left: float) -> Ask:
        number = 0
        while True:
            if lacking := _roots_lacking(tree, (number + 1) * self.width):
                return lacking
            if asked := self._replay(tree, number)[0]:
                return asked
            number += 1
            if not self.repeats:
                return []

    def finals(self, tree: Tree) -> list[Path]:
        """The particles that have ended; those that were not drawn again are gone."""
        stand = {path for number in range(_num_begun(tree, self.width)) for path in self._replay(tree, number)[1]}
        return sorted(path for path in stand if tree.nodes[path].ended is StopReason.STOP)

    def _replay(self, tree: Tree, number: int) -> tuple[Ask, list[Path]]:
        """What is next of the particles that began together, and they as they stand."""
        particles, generation = _begun(tree, number, self.width), 0
        if len(particles) < self.width:
            return [], particles
        while True:
            if unscored := missing(tree, dict.fromkeys(particles)):
                return [Score(tuple(unscored))], particles
            if not any(tree.nodes[path].is_open for path in particles):
                return [], particles
            weights = softmax([value(tree, path) for path in particles], self.temperature)
            name = ("resample", generation) if number == 0 else ("resample", number, generation)
            counts = systematic(weights, self.width, uniform((*tree.seed, *name)))
            drawn: dict[Path, int] = {}
            for path, n in zip(particles, counts, strict=True):
                if n:
                    drawn[path] = drawn.get(path, 0) + n
            going_on = {path: n for path, n in drawn.items() if tree.nodes[path].is_open}
            lacking = [Write(path, n - len(tree.children(path))) for path, n in going_on.items()]
            if asked := [write for write in lacking if write.count > 0]:
                return list(asked), particles
            particles = [
                one for path, n in drawn.items() for one in (tree.children(path)[:n] if path in going_on else [path] * n)
            ]
            generation += 1


@dataclass(frozen=True)
class Revise(AllFinished):
    """Sequential revision: a completion, then the policy's revisions of it one after the other, in `chains` side by side."""

    revisions: int = 3
    chains: int = 1
    repeats: bool = False

    def ask(self, tree: Tree, left: float) -> Ask:
        number = self.chains
        while True:
            if len(tree.children(())) < number:
                return [Write((), number - len(tree.children(())), "end")]
            asked: Ask = []
            for chain in range(number):
                path: Path = (chain,)
                for _ in range(self.revisions):
                    if tree.nodes[path].ended is not StopReason.STOP:
                        break
                    if not tree.children(path):
                        asked.append(Write(path, 1, "end", revises=True))
                        break
                    path = (*path, 0)
            if asked and left > 0:
                return asked
            if unscored := missing(tree, sorted(tree.nodes)):
                return [Score(tuple(unscored))]
            if asked or not self.repeats:
                return []
            number += self.chains


def value(tree: Tree, path: Path) -> float | None:
    """What the guide says of a node; None: it cannot be said."""
    return tree.nodes[path].scores.get(GUIDE)


def missing(tree: Tree, paths: Iterable[Path]) -> list[Path]:
    """Those that the guide has not been asked of."""
    return [path for path in paths if GUIDE not in tree.nodes[path].scores]


def judged(tree: Tree, candidates: Sequence[Path], lookahead: Until) -> Ask:
    """What is to be done before these can be ranked; nothing when all have been judged.

    With a lookahead open ones are judged by what the guide says behind it, and it is that which is scored. What has ended is
    scored while lookaheads are written, so that it can be answered with if the budget ends there.
    """
    asked: Ask = []
    stands_for = list(candidates)
    if lookahead:
        unwritten = [path for path in candidates if tree.nodes[path].is_open and not tree.lookaheads(path)]
        asked += [Write(path, 1, lookahead, is_ahead=True) for path in unwritten]
        ready = [path for path in candidates if path not in unwritten]
        stands_for = [tree.lookaheads(path)[0] if tree.nodes[path].is_open else path for path in ready]
    if unscored := missing(tree, stands_for):
        asked.append(Score(tuple(unscored)))
    return asked


def worth(tree: Tree, path: Path, lookahead: Until) -> float | None:
    """The guide's score of a candidate, or of the lookahead behind it."""
    ahead = tree.lookaheads(path) if lookahead and tree.nodes[path].is_open else []
    return value(tree, ahead[0]) if ahead else value(tree, path)


def ranked(tree: Tree, candidates: Sequence[Path], lookahead: Until = 0) -> list[Path]:
    """Best first, ties by path; last what cannot be scored, and what a budget cut off: no end will come of it."""

    def key(path: Path) -> tuple[float, Path]:
        found = worth(tree, path, lookahead)
        node = tree.nodes[path]
        is_lost = found is None or not (node.is_open or node.ended is StopReason.STOP)
        return (inf if is_lost else -found, path)

    return sorted(candidates, key=key)


def softmax(scores: Sequence[float | None], temperature: float) -> list[float]:
    """Shares in proportion to exp(score / temperature); 0 for what has no score, equal where nothing has.

    Raises:
        ValueError: the temperature is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature = {temperature}: expected above 0")
    highest = max((s for s in scores if s is not None), default=None)
    if highest is None:
        return [1 / len(scores)] * len(scores) if scores else []
    weights = [0.0 if s is None else exp((s - highest) / temperature) for s in scores]
    total = fsum(weights)
    return [weight / total for weight in weights]


def shares(scores: Sequence[float | None], places: int, temperature: float) -> list[int]:
    """`places` divided in proportion to softmax(score / temperature), by largest remainder; ties go to the first.

    Example:
        shares([0.5, 0.5, 0.5], 7, 0.1) == [3, 2, 2]
    """
    if not scores or places <= 0:
        return [0] * len(scores)
    exact = [places * share for share in softmax(scores, temperature)]
    found = [floor(x + 1e-9) for x in exact]
    by_rest = sorted(range(len(exact)), key=lambda i: (-round(exact[i] - found[i], 9), i))
    for i in by_rest[: places - sum(found)]:
        found[i] += 1
    return found


def systematic(weights: Sequence[float], count: int, start: float) -> list[int]:
    """How often each is drawn: the points (start + j) / count in the cumulative weights; equal weights give equal counts.

    Args:
        weights: sum to 1.
        start: 0 to 1, one uniform number for all.
    """
    found, cumulative, j = [0] * len(weights), 0.0, 0
    for i, weight in enumerate(weights):
        cumulative += weight
        is_last = i == len(weights) - 1
        while j < count and (is_last or (start + j) / count < cumulative - 1e-12):
            found[i] += 1
            j += 1
    return found


def uniform(seed: tuple) -> float:
    """A number in [0, 1) named by a seed."""
    return int.from_bytes(hashlib.blake2b(repr(seed).encode(), digest_size=8).digest(), "big") / 2**64


def _begun(tree: Tree, number: int, width: int) -> list[Path]:
    """The children of the root that began together, `width` at most.

    By their numbers: of a tree within a budget some may be missing that came before others, since their scores cost more.
    """
    return [path for path in tree.children(()) if number * width <= path[0] < (number + 1) * width]


def _num_begun(tree: Tree, width: int) -> int:
    """How many times `width` children of the root began together, the last time perhaps not all."""
    return max((path[0] // width + 1 for path in tree.children(())), default=0)


def _roots_lacking(tree: Tree, count: int) -> Ask:
    have = len(tree.children(()))
    return [Write((), count - have)] if have < count else []


def _merged(asked: Ask) -> Ask:
    """One Score for all; writes before it."""
    writes: Ask = [ask for ask in asked if isinstance(ask, Write)]
    paths = tuple(path for ask in asked if isinstance(ask, Score) for path in ask.paths)
    return [*writes, Score(paths)] if paths else writes

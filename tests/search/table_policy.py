"""A policy that is a table: k columns, each slips with chance s; and a guide of stated quality. No model, the truth known."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import inf

from sanmai.search.strategies import GUIDE, Score, Strategy, Write
from sanmai.search.tree import Node, Path, Tree
from sanmai.types import StopReason


def stream(*name: object) -> random.Random:
    return random.Random(repr(name))


class Table:
    """Token 1 is a right column, 0 a slip; the last column ends the completion. A slip anywhere makes it wrong."""

    def __init__(self, columns: int, slip: float, guide: Callable[[Tree, Path], float | None] | None = None) -> None:
        self.columns, self.slip = columns, slip
        self.guide = guide or (lambda tree, path: float(all(tree.tokens(path))))

    def draw(self, tree: Tree, path: Path, until: object) -> Node:
        before = sum(len(node.tokens) for node in tree.line(path[:-1]))
        left = self.columns - before
        number = left if until == "end" else min(until if isinstance(until, int) else 1, left)
        rng = stream(*tree.seed, path)
        tokens = tuple(int(rng.random() >= self.slip) for _ in range(number))
        ended = StopReason.STOP if number == left else StopReason.STEP
        return Node(path, tokens, (-0.1,) * number, ended)

    def run(self, strategy: Strategy, seed: object, budget: float = inf, rounds: int = 10_000) -> tuple[Tree, int]:
        """The finished tree, and how many tokens it drew."""
        tree, paid = Tree("p", ("table", seed)), 0
        for _ in range(rounds):
            asked = strategy.ask(tree, budget - paid) if paid < budget else []
            if not asked:
                break
            for one in asked:
                if isinstance(one, Score):
                    for path in one.paths:
                        tree.score(path, {GUIDE: self.guide(tree, path)}, paid)
                    continue
                assert isinstance(one, Write)
                have = len(tree.lookaheads(one.path) if one.is_ahead else tree.children(one.path))
                for k in range(have, have + one.count):
                    node = self.draw(tree, (*one.path, -1 - k if one.is_ahead else k), one.until)
                    paid += len(node.tokens)
                    tree.add(node)
        return tree, paid


def answered(tree: Tree, strategy: Strategy) -> float:
    """1 if the best finished completion is right: the guide's favourite, the lowest path where several are."""
    finals = [tree.nodes[path] for path in strategy.finals(tree)]
    ended = [node for node in finals if node.scores.get(GUIDE) is not None]
    if not ended:
        return 0.0
    best = max(ended, key=lambda node: (node.scores[GUIDE], tuple(-n for n in node.path)))
    return float(all(tree.tokens(best.path)))


def noisy(flip: float) -> Callable[[Tree, Path], float]:
    """Says of each step whether it is right, wrongly with a chance; a path is worth what its newest step is said to be.

    The first wrong column is where the truth changes: what is behind a slip is judged by itself, as in oracle 7.
    """

    def guide(tree: Tree, path: Path) -> float:
        is_right = bool(tree.tokens(path)[-1])
        return float(is_right is not (stream("flip", *tree.seed, path).random() < flip))

    return guide


def noisy_outcome(flip: float) -> Callable[[Tree, Path], float]:
    """The same of whole completions."""

    def guide(tree: Tree, path: Path) -> float:
        return float(all(tree.tokens(path)) is not (stream("flip", *tree.seed, path).random() < flip))

    return guide

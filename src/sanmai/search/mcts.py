"""Monte Carlo tree search over steps: PUCT or UCT, mean or maximum backup, values from the guide or from played-out completions.

A simulation descends from the root, at every level to the child with the largest Q + U, until it comes to a node without
children, and gives it `branch` of them; each is judged and what is found is backed up to the root. Subtrees in which all has
ended are not entered again, so no simulation is spent on a finished completion.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, fsum, inf, log, sqrt
from typing import Literal

from sanmai.search.strategies import AllFinished, Ask, Until, Write, judged, worth
from sanmai.search.tree import Path, Tree


def puct(q: float, prior: float, visits: int, child_visits: int, c: float) -> float:
    """Q + c P sqrt(N) / (1 + n).

    Source:
        Silver et al. 2017 (AlphaGo Zero), methods, "Select"; c is AlphaZero's constant term.
    """
    return q + c * prior * sqrt(visits) / (1 + child_visits)


def uct(q: float, visits: int, child_visits: int, c: float) -> float:
    """Q + c sqrt(ln N / n); infinite for what was never visited.

    Source:
        Kocsis and Szepesvari 2006, section 2.2, with c for its 2 C_p.
    """
    return q + c * sqrt(log(visits) / child_visits) if child_visits else inf


@dataclass
class Visited:
    """What has been backed up to a node."""

    visits: int = 0
    total: float = 0.0
    highest: float = -inf

    def q(self, backup: Literal["mean", "max"]) -> float:
        """0 of what was never visited."""
        if not self.visits:
            return 0.0
        return self.highest if backup == "max" else self.total / self.visits


@dataclass
class Statistics:
    """Visits of a tree so far, replayed from it."""

    visited: dict[Path, Visited] = field(default_factory=dict)
    closed: set[Path] = field(default_factory=set)
    """Ended, or all children are closed."""
    expanded: set[Path] = field(default_factory=set)

    def back_up(self, path: Path, found: float) -> None:
        """One visit of the node and of all before it."""
        for depth in range(len(path) + 1):
            one = self.visited.setdefault(path[:depth], Visited())
            one.visits += 1
            one.total += found
            one.highest = max(one.highest, found)

    def of(self, path: Path) -> Visited:
        return self.visited.get(path, Visited())


@dataclass(frozen=True)
class Mcts(AllFinished):
    """See the module.

    Copies among the children of a node are one child, whose prior counts them.
    """

    branch: int = 4
    c: float = 1.25
    rule: Literal["puct", "uct"] = "puct"
    backup: Literal["mean", "max"] = "mean"
    prior: Literal["copies", "logp"] = "copies"
    """Of PUCT: how many of the children are copies of this one, or softmax of their mean log-prob, which is no probability."""
    simulations: int | None = 16
    """None: until the budget is used up."""
    lookahead: Until = 0
    """"end": children are judged by a completion that is played out from them; tokens or "step": by a short lookahead."""

    def ask(self, tree: Tree, left: float) -> Ask:
        found, done = Statistics(), 0
        while self.simulations is None or done < self.simulations:
            leaf = self.select(tree, found)
            if leaf is None:
                return []
            children = tree.children(leaf)
            if len(children) < self.branch:
                return [Write(leaf, self.branch - len(children))]
            if asked := judged(tree, children, self.lookahead):
                return asked
            self.expand(tree, found, leaf)
            done += 1
        return []

    def select(self, tree: Tree, found: Statistics) -> Path | None:
        """The node to be given children next: where Q + U leads from the root; None where everything is closed."""
        path: Path = ()
        if path in found.closed:
            return None
        while path in found.expanded:
            open_ = [child for child in self.distinct(tree, path) if child not in found.closed]
            priors = self.priors(tree, path)
            path = max(open_, key=lambda child: (self.upper(found, path, child, priors[child]), -child[-1]))
        return path

    def upper(self, found: Statistics, path: Path, child: Path, prior: float) -> float:
        """What the descent goes by."""
        q, visits, own = found.of(child).q(self.backup), found.of(path).visits, found.of(child).visits
        return puct(q, prior, visits, own, self.c) if self.rule == "puct" else uct(q, visits, own, self.c)

    def expand(self, tree: Tree, found: Statistics, leaf: Path) -> None:
        """Back up what the children of a leaf have been judged at."""
        found.expanded.add(leaf)
        for child in self.distinct(tree, leaf):
            judged_at = worth(tree, child, self.lookahead)
            if judged_at is not None:
                found.back_up(child, judged_at)
            if judged_at is None or not tree.nodes[child].is_open:
                found.closed.add(child)
        for depth in range(len(leaf), -1, -1):
            node = leaf[:depth]
            if all(child in found.closed for child in self.distinct(tree, node)):
                found.closed.add(node)

    def distinct(self, tree: Tree, path: Path) -> list[Path]:
        """The children that are copies of no earlier one."""
        seen: dict[tuple[int, ...], Path] = {}
        for child in tree.children(path):
            seen.setdefault(tree.nodes[child].tokens, child)
        return list(seen.values())

    def priors(self, tree: Tree, path: Path) -> dict[Path, float]:
        """Of the distinct children; they sum to 1."""
        children, kept = tree.children(path), self.distinct(tree, path)
        copies = {child: sum(tree.nodes[other].tokens == tree.nodes[child].tokens for other in children) for child in kept}
        if self.prior == "copies":
            return {child: n / len(children) for child, n in copies.items()}
        logps = {child: tree.nodes[child].logp for child in kept}
        means = {child: fsum(logp) / len(logp) if logp else -inf for child, logp in logps.items()}  # of no token: nothing
        highest = max(means.values())
        if highest == -inf:
            return dict.fromkeys(kept, 1 / len(kept))
        weights = {child: copies[child] * exp(mean - highest) for child, mean in means.items()}
        total = fsum(weights.values())
        return {child: weight / total for child, weight in weights.items()}

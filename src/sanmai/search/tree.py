"""A search tree: what was drawn, node by node. Plain data; a strategy reads it and says what to write next.

A node's path is the numbers of the children that lead to it from the root, which is (); a number below 0 is a lookahead, drawn
to judge the node before it. The path names the node's random stream, so a tree does not depend on its neighbours, and
more children leave the old ones as they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from sanmai.types import StopReason

Path = tuple[int, ...]
OPEN = (StopReason.STEP, StopReason.PAUSED)
"""The end of a step, or what was written of one so far: a node that may be gone on with."""


@dataclass(frozen=True)
class Node:
    """What was drawn in one go.

    Example:
        Node((2, 0), (17, 9, 4), (-0.1, -0.7, -0.2), StopReason.STEP, ends=(12,), scores={"guide": 0.8}, at=96)
    """

    path: Path
    tokens: tuple[int, ...]
    logp: tuple[float, ...]
    """Log-prob (nats) of each token under the distribution it was drawn from."""
    ended: StopReason
    ends: tuple[int, ...] = ()
    """Ends of steps that became known here: tokens from the start of the path."""
    scores: Mapping[str, float | None] = field(default_factory=dict)
    """What guides say of the path up to here; None: it cannot be said."""
    at: int = 0
    """Tokens that had been paid for when this was written, and scored."""
    prompt: tuple[int, ...] | None = None
    """Of a revision: the prompt that it answers, in place of the problem's and of the path before it."""

    @property
    def is_open(self) -> bool:
        return self.ended in OPEN

    @property
    def is_ahead(self) -> bool:
        return any(number < 0 for number in self.path)


@dataclass
class Tree:
    """The tree of one problem."""

    problem_id: str
    seed: tuple
    """What its random streams are named by, before the path."""
    nodes: dict[Path, Node] = field(default_factory=dict)
    _children: dict[Path, list[Path]] = field(default_factory=dict)

    def add(self, node: Node) -> None:
        """A node whose parent is there.

        Raises:
            ValueError: its path is taken, or its parent is not there or has ended.
        """
        parent = node.path[:-1]
        if not node.path or node.path in self.nodes:
            raise ValueError(f"path {node.path}: expected one that is not taken")
        if parent and parent not in self.nodes:
            raise ValueError(f"path {node.path}: its parent is not in the tree")
        if parent and not self.nodes[parent].is_open and node.prompt is None:
            raise ValueError(f"path {node.path}: its parent has ended")
        self.nodes[node.path] = node
        self._children.setdefault(parent, []).append(node.path)

    def score(self, path: Path, scores: Mapping[str, float | None], at: int) -> None:
        """What guides say of a node."""
        node = self.nodes[path]
        self.nodes[path] = replace(node, scores={**node.scores, **scores}, at=at)

    def within(self, budget: float) -> Tree:
        """The tree as it stood when so many tokens had been paid for."""
        found = Tree(self.problem_id, self.seed)
        for path in sorted(self.nodes, key=lambda p: (len(p), p)):
            if self.nodes[path].at <= budget and (len(path) == 1 or path[:-1] in found.nodes):
                found.add(self.nodes[path])
        return found

    def children(self, path: Path) -> list[Path]:
        """In order; lookaheads left out."""
        return sorted(p for p in self._children.get(path, ()) if p[-1] >= 0)

    def lookaheads(self, path: Path) -> list[Path]:
        """In order."""
        return sorted((p for p in self._children.get(path, ()) if p[-1] < 0), reverse=True)

    def line(self, path: Path) -> Iterator[Node]:
        """The nodes from the first to this one that make up one completion: from the newest revision on."""
        nodes = [self.nodes[path[:depth]] for depth in range(1, len(path) + 1)]
        first = max((k for k, node in enumerate(nodes) if node.prompt is not None), default=0)
        return iter(nodes[first:])

    def tokens(self, path: Path) -> list[int]:
        """Those of the completion that ends with this node: its nodes' one after the other (law 3)."""
        return [token for node in self.line(path) for token in node.tokens]

    def logp(self, path: Path) -> list[float]:
        return [value for node in self.line(path) for value in node.logp]

    def ends(self, path: Path) -> list[int]:
        """Ends of its steps, in tokens from the start of the completion."""
        return [end for node in self.line(path) for end in node.ends]

    def prompt(self, path: Path) -> tuple[int, ...] | None:
        """Of the newest revision on the path; None: the problem's."""
        return next((node.prompt for node in self.line(path) if node.prompt is not None), None) if path else None

    def ended(self) -> list[Node]:
        """Completions that the policy has ended itself, in order of their paths."""
        return sorted((n for n in self.nodes.values() if n.ended is StopReason.STOP), key=lambda node: node.path)

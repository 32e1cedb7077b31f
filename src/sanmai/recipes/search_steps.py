"""Step labels that a search leaves: of every step the share of right answers among the finished completions that go on from it.

What a tree has sampled are continuations of its nodes, so the labels cost nothing. They are values of the policy that searched,
under its strategy: where the guide has pruned, only what it liked was gone on with. A completion that was drawn in one go is one
continuation of each of its steps.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sanmai.data.step_labels import LabelledSteps, as_row
from sanmai.data.steps import Decode
from sanmai.search.results import Leaf
from sanmai.search.tree import Path as TreePath
from sanmai.search.tree import Tree
from sanmai.types import Message, Problem


def values_below(tree: Tree, leaves: Sequence[Leaf]) -> dict[TreePath, tuple[int, int]]:
    """(right, graded) finished completions through each node; what answers another prompt is none of its node's."""
    found: dict[TreePath, tuple[int, int]] = {}
    for leaf in leaves:
        if leaf.gold is None:
            continue
        for depth in range(len(leaf.path) - len([*tree.line(leaf.path)]) + 1, len(leaf.path) + 1):
            right, graded = found.get(leaf.path[:depth], (0, 0))
            found[leaf.path[:depth]] = right + (leaf.gold == 1.0), graded + 1
    return found


def labels_of(tree: Tree, path: TreePath, values: Mapping[TreePath, tuple[int, int]]) -> list[tuple[int, tuple[int, int]]]:
    """(tokens at its end, (right, graded)) of each step of a completion: that of the node by which the step had ended."""
    line = [*tree.line(path)]
    first, at, found = len(path) - len(line) + 1, 0, []
    ends = tree.ends(path)
    for depth, node in enumerate(line, first):
        at += len(node.tokens)
        found += [(end, values[path[:depth]]) for end in ends if end <= at and end > (found[-1][0] if found else 0)]
    return found


def step_rows(
    name: str, problem: Problem, messages: Mapping[TreePath, Sequence[Message]], tree: Tree, leaves: Sequence[Leaf],
    decode: Decode, facts: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Rows that `sanmai run reward --set objective=process` reads, one for every graded completion.

    Args:
        messages: by path what it answers.
        facts: who labelled.
    """
    values = values_below(tree, leaves)
    for leaf in leaves:
        if leaf.gold is None:
            continue
        labelled = labels_of(tree, leaf.path, values)
        tokens = tree.tokens(leaf.path)
        texts = [decode(tokens[:end]) for end, _ in labelled]
        steps = [text[len(before) :] for before, text in zip(["", *texts], texts, strict=False)]
        if not steps or not all(step.strip() for step in steps):
            continue
        counts = tuple(count for _, count in labelled)
        item = LabelledSteps(
            f"{problem.id}#{name}#{'.'.join(map(str, leaf.path))}", tuple(messages[leaf.path]), tuple(steps),
            tuple(right / graded for right, graded in counts), counts, problem.language,
            {**problem.tags, "is_right": leaf.gold == 1.0},
        )  # fmt: skip
        yield as_row(item) | {"labeller": dict(facts)}


def as_lines(rows: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

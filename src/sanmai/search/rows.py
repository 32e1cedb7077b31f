"""Trees on disk: a row per node, as it was when its step ended. A later row of the same node takes the place of the first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from sanmai.search.tree import Node, Path, Tree
from sanmai.types import StopReason

SCHEMA = pa.schema(
    [
        ("strategy", pa.string()), ("problem_id", pa.string()), ("path", pa.list_(pa.int32())),
        ("tokens", pa.list_(pa.int32())), ("logp", pa.list_(pa.float32())), ("ended", pa.string()),
        ("ends", pa.list_(pa.int32())), ("guide", pa.float64()), ("others", pa.float64()), ("is_scored", pa.bool_()),
        ("at", pa.int64()), ("prompt", pa.list_(pa.int32())), ("gold", pa.float64()), ("text", pa.string()),
    ]
)  # fmt: skip


def row_of(strategy: str, tree: Tree, path: Path, *, gold: float | None, text: str) -> dict[str, Any]:
    """A node as a row.

    Args:
        gold: what the verifier says of the finished completion, once the tree has ended; it is kept here and never in the tree.
        text: of the node's own tokens.
    """
    node = tree.nodes[path]
    return {
        "strategy": strategy, "problem_id": tree.problem_id, "path": list(path), "tokens": list(node.tokens),
        "logp": list(node.logp), "ended": node.ended.value, "ends": list(node.ends), "guide": node.scores.get("guide"),
        "others": node.scores.get("others") or 0.0, "is_scored": "guide" in node.scores, "at": node.at,
        "prompt": list(node.prompt) if node.prompt is not None else None,
        "gold": gold, "text": text,
    }  # fmt: skip


def table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([dict(row) for row in rows], schema=SCHEMA)


def trees_of(rows: Iterable[Mapping[str, Any]], seed: tuple) -> dict[tuple[str, str], tuple[Tree, dict[Path, float | None]]]:
    """By strategy and problem the trees that these rows are of, and the gold of their finished completions."""
    newest: dict[tuple[str, str], dict[Path, Mapping[str, Any]]] = {}
    for row in rows:
        newest.setdefault((row["strategy"], row["problem_id"]), {})[tuple(row["path"])] = row
    found = {}
    for (strategy, problem_id), nodes in newest.items():
        tree, gold = Tree(problem_id, (*seed, problem_id)), {}
        for path in sorted(nodes, key=lambda p: (len(p), p)):
            row = nodes[path]
            scores = {"guide": row["guide"]} if row["is_scored"] else {}
            scores |= {"others": row["others"]} if row.get("others") else {}
            tree.add(
                Node(
                    path, tuple(row["tokens"]), tuple(row["logp"]), StopReason(row["ended"]), tuple(row["ends"]), scores,
                    row["at"], None if row["prompt"] is None else tuple(row["prompt"]),
                )
            )  # fmt: skip
            if row["gold"] is not None:
                gold[path] = row["gold"]
        found[strategy, problem_id] = tree, gold
    return found

"""Values of steps out of a search's tree, by hand; and the file as `run reward` reads it."""

from __future__ import annotations

import sanmai
from sanmai.data.step_labels import load_steps
from sanmai.recipes.search_steps import labels_of, step_rows, values_below
from sanmai.search.results import Leaf
from sanmai.search.tree import Node, Tree
from sanmai.types import Problem, StopReason


def tree_of(*nodes: tuple[tuple[int, ...], int, tuple[int, ...], StopReason]) -> Tree:
    tree = Tree("p", ())
    for path, count, ends, ended in nodes:
        tree.add(Node(path, (7,) * count, (-0.1,) * count, ended, ends=ends))
    return tree


STEP, STOP = StopReason.STEP, StopReason.STOP
TREE = tree_of(
    # A step of 3 tokens, seen when the fourth was drawn; behind it three answers, one of them in two more steps.
    ((0,), 4, (3,), STEP), ((0, 0), 3, (5, 6), STOP), ((0, 1), 2, (5,), STOP), ((0, 2), 2, (6,), STEP),
    ((0, 2, 0), 2, (7,), STOP), ((1,), 5, (2, 4), STOP),
)  # fmt: skip
LEAVES = [
    Leaf((0, 0), 1, 0.5, 1.0, "a", 7), Leaf((0, 1), 1, 0.5, 0.0, "b", 6), Leaf((0, 2, 0), 1, 0.5, 1.0, "a", 8),
    Leaf((1,), 1, 0.5, None, None, 5),
]  # fmt: skip


def test_a_step_is_worth_the_share_of_right_answers_behind_the_node_by_which_it_had_ended():
    values = values_below(TREE, LEAVES)
    assert values == {(0,): (2, 3), (0, 0): (1, 1), (0, 1): (0, 1), (0, 2): (1, 1), (0, 2, 0): (1, 1)}
    assert labels_of(TREE, (0, 0), values) == [(3, (2, 3)), (5, (1, 1)), (6, (1, 1))]
    assert labels_of(TREE, (0, 2, 0), values) == [(3, (2, 3)), (6, (1, 1)), (7, (1, 1))]
    problem = Problem("p", ({"role": "user", "content": "q"},), "a", tags={"level": 1})
    messages = {leaf.path: problem.messages for leaf in LEAVES}
    rows = list(step_rows("beam", problem, messages, TREE, LEAVES, lambda t: "x" * len(t), {"method": "search"}))
    assert [row["id"] for row in rows] == ["p#beam#0.0", "p#beam#0.1", "p#beam#0.2.0"]  # nothing is said of the ungraded one
    assert rows[1]["completions"] == ["xxx", "xx"] and rows[1]["counts"] == [[2, 3], [0, 1]]
    assert rows[1]["labels"] == [2 / 3, 0.0] and rows[1]["tags"] == {"level": 1, "is_right": False}


def test_a_revision_has_values_of_its_own():
    tree = tree_of(((0,), 3, (2,), STOP))
    tree.add(Node((0, 0), (7, 7), (-0.1, -0.1), STOP, ends=(1,), prompt=(5, 6)))
    leaves = [Leaf((0,), 1, 0.5, 0.0, "b", 3), Leaf((0, 0), 1, 0.5, 1.0, "a", 2)]
    values = values_below(tree, leaves)
    assert values == {(0,): (0, 1), (0, 0): (1, 1)} and labels_of(tree, (0, 0), values) == [(1, (1, 1))]


def test_what_a_search_for_data_labels_is_read_by_run_reward(tmp_path):
    run = sanmai.run(
        "search", out=tmp_path / "run", quiet=True, for_data=True, guide="verifier", strategy=["mcts"], lookahead="end", branch=2,
        mcts={"simulations": 3}, steps="world", problems={"world": {"train": 8, "heldout": 2, "digits": [2]}},
    )  # fmt: skip
    items = load_steps(str(run / "steps.jsonl")).items
    assert items and all(c is not None and 0 <= c[0] <= c[1] for item in items for c in item.counts)
    assert any(c is not None and c[1] > 1 for item in items for c in item.counts)
    trained = sanmai.run(
        "reward", out=tmp_path / "prm", quiet=True, objective="process", steps="world", examples_per_step=4,
        preferences={"source": str(run / "steps.jsonl"), "holdout": 0.3},
    )  # fmt: skip
    assert (trained / "metrics.jsonl").read_text().count("eval/step_accuracy") >= 2

"""What is learnt from a search: right best paths for sft, siblings of one prefix for dpo, values of steps for reward.

A pair is two finished completions that part at one node: their common beginning has the same tokens, so in the difference of
their log-probs it cancels, and what is learnt is the step at which they part and what follows it (step DPO).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from statistics import fmean
from typing import Any

import pyarrow as pa

from sanmai.data.chat import prompt_end, render_prompt
from sanmai.data.filters import Sample
from sanmai.data.steps import decoder
from sanmai.data.trace import opened_tag
from sanmai.policies.text.policy import TextPolicy
from sanmai.recipes.sample_files import DataWriter
from sanmai.recipes.search_settings import SearchConfig
from sanmai.recipes.search_steps import as_lines, step_rows
from sanmai.search.results import Leaf
from sanmai.search.tree import Path as TreePath
from sanmai.search.tree import Tree
from sanmai.train.records import write_table
from sanmai.train.runs import Run, storing, write_whole
from sanmai.train.state import weights_digest
from sanmai.types import Message, Problem, StopReason

Leaves = Mapping[str, Sequence[Leaf]]


def best_right(leaves: Sequence[Leaf]) -> Leaf | None:
    """Of the right completions the guide's favourite, of tied ones the first; None where none is right.

    Not the shortest: where the guide is the verifier all are tied, and the shortest right answer is mostly a guess without a
    thought. Learning from those lost 17 points against a right sample at random (benchmarks/learning_from_search.py).
    """
    right = [leaf for leaf in leaves if leaf.gold == 1.0]
    guide = lambda leaf: leaf.guide if leaf.guide is not None else -inf  # noqa: E731
    return min(right, key=lambda leaf: (-guide(leaf), leaf.path), default=None)


def sibling_pairs(tree: Tree, leaves: Sequence[Leaf], gap: float) -> list[tuple[TreePath, Leaf, Leaf, float]]:
    """(the node where they part, better, worse, difference of worth) for every node whose children differ by the gap at least.

    A child is worth the mean gold of the finished completions through it, their guide's mean where gold is not known. What
    answers another prompt (a completion and its revision) is no pair.
    """
    by_prompt: dict[tuple[int, ...] | None, list[Leaf]] = {}
    for leaf in leaves:
        if leaf.gold is not None or leaf.guide is not None:
            by_prompt.setdefault(tree.prompt(leaf.path), []).append(leaf)
    return [pair for known in by_prompt.values() for pair in _pairs(known, gap)]


def _pairs(known: Sequence[Leaf], gap: float) -> list[tuple[TreePath, Leaf, Leaf, float]]:
    worth = {leaf.path: leaf.gold if leaf.gold is not None else leaf.guide or 0.0 for leaf in known}
    found = []
    inner = sorted({leaf.path[:depth] for leaf in known for depth in range(len(leaf.path))}, key=lambda p: (len(p), p))
    for node in inner:
        below: dict[TreePath, list[Leaf]] = {}
        for leaf in known:
            if leaf.path[: len(node)] == node:
                below.setdefault(leaf.path[: len(node) + 1], []).append(leaf)
        means = {child: fmean(worth[leaf.path] for leaf in ended) for child, ended in below.items()}
        if len(means) < 2:
            continue
        high, low = max(means, key=lambda c: (means[c], c)), min(means, key=lambda c: (means[c], c))
        if means[high] - means[low] < gap:
            continue
        better = min(below[high], key=lambda leaf: (-worth[leaf.path], leaf.path))
        worse = min(below[low], key=lambda leaf: (worth[leaf.path], leaf.path))
        found.append((node, better, worse, means[high] - means[low]))
    return found


def conversation(tree: Tree, path: TreePath, messages: Sequence[Message], texts: Mapping, revise: str) -> list[Message]:
    """What a completion answers: the problem, or, of a revision, what was shown of the completion that it revises.

    Args:
        texts: of the finished completions, by path.
        revise: what the policy was told.
    """
    first = next(tree.line(path))
    if first.prompt is None:
        return list(messages)
    return [*messages, {"role": "assistant", "content": texts[first.path[:-1]]}, {"role": "user", "content": revise}]


def shared_tokens(tree: Tree, node: TreePath, better: Leaf) -> int:
    """Tokens that both begin with: those up to the node; none where it is the completion that both revise."""
    return len(tree.tokens(node)) if node and tree.prompt(node) == tree.prompt(better.path) else 0


def _shown(
    config: SearchConfig, policy: TextPolicy, problem: Problem, tree: Tree, path: TreePath, texts: Mapping
) -> tuple[tuple[Message, ...], str]:
    """What a completion answers, and the tag that its prompt has opened."""
    asked = tuple(conversation(tree, path, problem.messages, texts, config.revise))
    open_tag = config.grading.thought_tags[0]
    return asked, opened_tag(prompt_end(policy.tokenizer, render_prompt(policy.tokenizer, asked), open_tag), open_tag) or ""


def write_data(
    run: Run, config: SearchConfig, policy: TextPolicy, problems: Sequence[Problem],
    trees: Mapping[tuple[str, str], tuple[Tree, Mapping]], arms: Mapping[str, Leaves], texts: Mapping[tuple[str, str], Mapping],
) -> Iterator[str]:  # fmt: skip
    """data.parquet, pairs.parquet and steps.jsonl of all strategies; lines for the user."""
    rows: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    decode, facts = decoder(policy.tokenizer), {"method": "search", "guide": list(config.guide), "wrote": weights_digest(policy)}
    folder = run.folder
    with DataWriter(folder / "data.parquet", config.model.name, run.seen) as writer:
        for problem in problems:
            every = [(name, leaf) for name in arms for leaf in arms[name][problem.id]]
            if (best := best_right([leaf for _, leaf in every])) is not None:
                name = next(name for name, leaf in every if leaf is best)
                graded = [leaf for _, leaf in every if leaf.gold is not None]
                tree, said = trees[name, problem.id][0], texts[name, problem.id][best.path]
                rate = fmean(leaf.gold == 1.0 for leaf in graded)
                asked, opened = _shown(config, policy, problem, tree, best.path, texts[name, problem.id])
                answered, tokens = replace(problem, messages=asked), tree.tokens(best.path)
                writer.write([Sample(answered, 0, opened + said, tokens, StopReason.STOP, reward=1.0, pass_rate=rate)])
            told: set[tuple[str, str]] = set()
            for name in arms:
                if (name, problem.id) not in trees:
                    continue
                tree, said = trees[name, problem.id][0], texts[name, problem.id]
                leaves = arms[name][problem.id]
                asks = {leaf.path: conversation(tree, leaf.path, problem.messages, said, config.revise) for leaf in leaves}
                steps += step_rows(name, problem, asks, tree, leaves, decode, facts | {"strategy": name, "steps": config.steps})
                for node, better, worse, gap in sibling_pairs(tree, leaves, config.pair_gap):
                    texts_of = said[better.path], said[worse.path]
                    if texts_of in told or texts_of[0] == texts_of[1]:
                        continue
                    told.add(texts_of)
                    asked, opened = _shown(config, policy, problem, tree, better.path, said)
                    rows.append({
                        "id": f"{problem.id}#{name}#{'.'.join(map(str, node)) or 'root'}",
                        "messages": [dict(message) for message in asked],
                        "chosen": opened + texts_of[0], "rejected": opened + texts_of[1],
                        "language": problem.language, "gap": gap,
                        "shared_tokens": shared_tokens(tree, node, better), "strategy": name,
                    })  # fmt: skip
        num_rows = writer.num_rows
    if rows:
        with storing(folder / "pairs.parquet"):
            write_table(folder / "pairs.parquet", pa.Table.from_pylist(rows))
    if steps:
        with storing(folder / "steps.jsonl"):
            write_whole(folder / "steps.jsonl", as_lines(steps))
    yield f"Data: {num_rows:,} right paths of {len(problems):,} problems: {folder / 'data.parquet'}"
    where = f": {folder / 'pairs.parquet'}" if rows else ""
    yield f"Pairs: {len(rows):,} siblings that differ by {config.pair_gap:g} at least{where}"
    labelled, where = sum(len(row["labels"]) for row in steps), f": {folder / 'steps.jsonl'}" if steps else ""
    yield f"Steps: {labelled:,} of {len(steps):,} completions with the share of right answers behind each{where}"

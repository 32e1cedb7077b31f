"""The end of a search: answers.jsonl, search.json, and data to train on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from statistics import fmean
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sanmai.data.chat import opened_in_prompt, render_prompt
from sanmai.data.trace import parse_trace
from sanmai.policies.text.policy import TextPolicy
from sanmai.recipes.search_data import write_data
from sanmai.recipes.search_settings import SearchConfig, strategy_of
from sanmai.search.answer_keys import answer_key
from sanmai.search.drive import KINDS, Ledger, totals
from sanmai.search.guides import Guide
from sanmai.search.results import (
    Leaf,
    Leaves,
    accuracy,
    budgets,
    choose,
    curve_of_k,
    cut_off_samples,
    difference,
    gold_at,
    guide_at,
    leaves_of,
    passed,
)  # fmt: skip
from sanmai.search.rows import trees_of
from sanmai.search.tree import Tree
from sanmai.stats import Rate, rate
from sanmai.train.digests import require_whole
from sanmai.train.runs import Run
from sanmai.types import InputError, Problem

Trees = Mapping[tuple[str, str], tuple[Tree, Mapping]]
Ledgers = Mapping[tuple[str, str], Ledger]


def finish(
    run: Run, config: SearchConfig, policy: TextPolicy, problems: Sequence[Problem], ledgers: Ledgers, guide: Guide
) -> Iterator[str]:
    """Write what the trees came to; lines for the user."""
    trees = trees_of(_rows(run, "trees"), (config.seed, "search"))
    by_id = {problem.id: problem for problem in problems}
    texts = {key: _texts(policy, tree) for key, (tree, _) in trees.items()}
    arms: dict[str, dict[str, list[Leaf]]] = {name: {p.id: [] for p in problems} for name in config.strategy}
    strategies = {str(name): strategy_of(config, name) for name in config.strategy}
    for (name, problem_id), (tree, gold) in trees.items():
        problem = by_id[problem_id]
        said = texts[name, problem_id].items()
        answers = {path: answer_key(problem, _trace(policy, config, problem, text)) for path, text in said}
        arms[name][problem_id] = leaves_of(tree, gold, answers, strategies[name].finals(tree))
    lines = [
        json.dumps(_answer(name, problem_id, leaves, texts.get((name, problem_id), {}), ledgers, config), ensure_ascii=False)
        for name, of_arm in arms.items()
        for problem_id, leaves in of_arm.items()
    ]
    run.write("answers.jsonl", "".join(f"{line}\n" for line in lines))
    within = inf if config.tokens is None else config.tokens
    cut_off = {id_: cut_off_samples(tree, within) for (name, id_), (tree, _) in trees.items() if name == "best_of_n"}
    found = result(config, arms, ledgers, guide, sides=_sides(run, config, arms), cut_off=cut_off)
    run.write("search.json", json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    if config.for_data:
        yield from write_data(run.folder, config, policy, problems, trees, arms, texts)
    yield f"Answers: {run.folder / 'answers.jsonl'}"


def _answer(
    name: str, problem_id: str, leaves: Sequence[Leaf], texts: Mapping, ledgers: Ledgers, config: SearchConfig
) -> dict[str, Any]:
    chosen = choose([leaf for leaf in leaves if leaf.at <= (config.tokens or leaf.at)], config.choose)
    leaf = chosen.leaf if chosen else None
    return {
        "id": problem_id, "strategy": name, "answer": texts.get(leaf.path) if leaf else None,
        "guide": leaf.guide if leaf else None, "gold": leaf.gold if leaf else None,
        "path": list(leaf.path) if leaf else None, "paid": ledgers[name, problem_id].paid,
    }  # fmt: skip


def result(
    config: SearchConfig, arms: Mapping[str, Leaves], ledgers: Ledgers, guide: Guide, *, sides: Mapping[str, Any],
    cut_off: Mapping[str, Sequence[int]],
) -> dict[str, Any]:
    """What search.json holds; figures of gold are left out where the guide knew it.

    Args:
        cut_off: by problem the tokens of each sample of best_of_n that was not finished.
    """
    grid = budgets(list(arms.values()))
    if config.tokens is not None:  # what came of a last round that ran over it is in no figure
        grid = [*(b for b in grid if b < config.tokens), config.tokens]
    last = config.tokens or max(grid, default=0)
    first = config.strategy[0]
    shown: dict[str, Any] = {}
    for name, leaves in arms.items():
        own = {key: ledger for key, ledger in ledgers.items() if key[0] == name}
        spent = totals(list(own.values()))
        num = max(len(own), 1)
        one: dict[str, Any] = {
            "trees": len(own), "unscored": spent["unscored"],
            "tokens": {kind: spent[kind] / num for kind in (*KINDS, "evicted")},
            "paid": fmean(ledger.paid for ledger in own.values()) if own else 0.0,
            "finished": fmean(len(ended) for ended in leaves.values()),
            "answered": sum(
                choose([leaf for leaf in ended if leaf.at <= last], config.choose) is not None for ended in leaves.values()
            ),
        }  # fmt: skip
        if not guide.is_gold:
            one |= _claims(config, leaves, arms[first] if name != first else None, grid, last)
            one["both_sides"] = sides.get(name, {})
            if name == "best_of_n":
                paid_for = {problem: [leaf for leaf in ended if leaf.at <= last] for problem, ended in leaves.items()}
                one["of_k"] = curve_of_k(paid_for, cut_off)
        shown[name] = one
    return {
        "guide": guide.name, "is_gold": guide.is_gold, "for_data": config.for_data, "choose": config.choose,
        "budget": config.tokens, "problems": len(next(iter(arms.values()))), "budgets": grid, "strategies": shown,
    }  # fmt: skip


def _claims(config: SearchConfig, leaves: Leaves, first: Leaves | None, grid: Sequence[int], last: float) -> dict[str, Any]:
    gold, of_guide = gold_at(leaves, last, config.choose), guide_at(leaves, last, config.choose)
    one: dict[str, Any] = {
        "gold": as_dict(accuracy(gold)), "guide": fmean(of_guide) if of_guide else None,
        "any_right": as_dict(accuracy(passed(leaves, last))), "curve": [],
    }  # fmt: skip
    for budget in grid:
        at, said = gold_at(leaves, budget, config.choose), guide_at(leaves, budget, config.choose)
        point: dict[str, Any] = {"tokens": budget, **as_dict(accuracy(at)), "guide": fmean(said) if said else None}
        if first is not None:
            change = difference(gold_at(first, budget, config.choose), at)
            point["to_first"] = [change.value, change.low, change.high]
        one["curve"].append(point)
    if first is not None:
        change = difference(gold_at(first, last, config.choose), gold)
        one["to_first"] = [change.value, change.low, change.high]
    return one


def as_dict(found: Rate) -> dict[str, Any]:
    return {"value": None if found.n == 0 else found.value, "low": found.low, "high": found.high, "n": found.n}


def _sides(run: Run, config: SearchConfig, arms: Mapping[str, Leaves]) -> dict[str, Any]:
    """By strategy what is chosen beside what there was to choose from: harm, over-refusal, thoughts in another language."""
    rows: dict[tuple[str, str, int], Mapping[str, Any]] = {}
    for row in _rows(run, "rollouts"):
        rows[json.loads(row["tags"])["strategy"], row["problem_id"], row["sample"]] = row
    columns = {"harm": "score/harm", "over_refusal": "score/over_refusal", "off_language": "off_language"}
    found: dict[str, Any] = {}
    for name, leaves in arms.items():
        for label, column in columns.items():
            chosen, every, clusters = [], [], []
            for problem_id, ended in leaves.items():
                values = [rows.get((name, problem_id, k), {}).get(column) for k in range(len(ended))]
                picked = choose([leaf for leaf in ended if leaf.at <= (config.tokens or leaf.at)], config.choose)
                every += [value for value in values if value is not None]
                clusters += [problem_id for value in values if value is not None]
                if picked is not None and (value := values[list(ended).index(picked.leaf)]) is not None:
                    chosen.append(value)
            if every:
                both = {"chosen": as_dict(rate(chosen)), "all": as_dict(rate(every, clusters))}
                found.setdefault(name, {})[label] = both
    return found


def _rows(run: Run, kind: str) -> Iterator[dict[str, Any]]:
    """The rows of a kind's files, in the order in which they were stored.

    Raises:
        InputError: a file is missing or damaged.
    """
    require_whole(run.folder, f"{kind}/")
    for path in sorted((run.folder / kind).glob("step-*.parquet")):
        try:
            yield from pq.read_table(path).to_pylist()
        except (OSError, pa.ArrowException) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise InputError(f"{path}: cannot be read ({reason}); restore it, or search again into another --out") from None


def _texts(policy: TextPolicy, tree: Tree) -> dict[tuple[int, ...], str]:
    """Of the finished completions."""
    return {
        node.path: policy.tokenizer.decode(
            tree.tokens(node.path)[:-1], skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        for node in tree.ended()
    }


def _trace(policy: TextPolicy, config: SearchConfig, problem: Problem, text: str):
    open_tag, close_tag = config.grading.thought_tags
    prompt = render_prompt(policy.tokenizer, problem.messages)
    return parse_trace(
        text, open_tag=open_tag, close_tag=close_tag, opened_in_prompt=opened_in_prompt(policy.tokenizer, prompt, open_tag)
    )

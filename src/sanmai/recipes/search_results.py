"""The end of a search: answers.jsonl, search.json, and data to train on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import inf, isfinite
from statistics import fmean
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sanmai.data.chat import opened_in_prompt, render_prompt
from sanmai.data.trace import parse_trace
from sanmai.instruments.overoptimisation import best_of_n_kl, fit_overoptimisation
from sanmai.policies.text.policy import TextPolicy
from sanmai.recipes.search_allocation import Searched, allocation
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
    gold_by,
    guide_by,
    passed,
)  # fmt: skip
from sanmai.search.rows import trees_of
from sanmai.search.tree import Tree
from sanmai.stats import Rate, rate
from sanmai.train.digests import require_whole
from sanmai.train.runs import Run
from sanmai.types import InputError, Problem

Ledgers = Mapping[tuple[str, str], Ledger]


def finish(
    run: Run, config: SearchConfig, policy: TextPolicy, problems: Sequence[Problem], ledgers: Ledgers, guide: Guide
) -> Iterator[str]:
    """Write what the trees came to; lines for the user."""
    trees = trees_of(_rows(run, "trees"), (config.seed, "search"))
    by_id = {problem.id: problem for problem in problems}
    texts = {key: _texts(policy, tree) for key, (tree, _) in trees.items()}
    answers = {
        key: {path: answer_key(by_id[key[1]], _trace(policy, config, by_id[key[1]], text)) for path, text in said.items()}
        for key, said in texts.items()
    }
    strategies = {str(name): strategy_of(config, name) for name in config.strategy}
    searched = Searched(trees, texts, answers, strategies, [*by_id], guide.others_weight)
    last = searched.at(inf if config.tokens is None else config.tokens)
    lines = [
        json.dumps(_answer(name, problem_id, leaves, texts.get((name, problem_id), {}), ledgers, config), ensure_ascii=False)
        for name, of_arm in last.items()
        for problem_id, leaves in of_arm.items()
    ]
    run.write("answers.jsonl", "".join(f"{line}\n" for line in lines))
    found = result(config, searched, last, ledgers, guide, sides=_sides(run, config, searched, last))
    if config.allocate is not None and not guide.is_gold:
        found["allocation"] = allocation(config, searched, run.warn)
    run.write("search.json", json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    if config.for_data:
        yield from write_data(run, config, policy, problems, trees, searched.at(inf), texts)
    yield f"Answers: {run.folder / 'answers.jsonl'}"


def _answer(
    name: str, problem_id: str, leaves: Sequence[Leaf], texts: Mapping, ledgers: Ledgers, config: SearchConfig
) -> dict[str, Any]:
    chosen = choose(leaves, config.choose)
    leaf = chosen.leaf if chosen else None
    return {
        "id": problem_id, "strategy": name, "answer": texts.get(leaf.path) if leaf else None,
        "guide": leaf.guide if leaf else None, "gold": leaf.gold if leaf else None,
        "path": list(leaf.path) if leaf else None, "paid": ledgers[name, problem_id].paid,
    }  # fmt: skip


def result(
    config: SearchConfig, searched: Searched, last: Mapping[str, Leaves], ledgers: Ledgers, guide: Guide, *,
    sides: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """What search.json holds; figures of gold are left out where the guide knew it.

    Args:
        last: what was known within the whole budget.
    """
    grid = budgets(tree for tree, _ in searched.trees.values())
    if config.tokens is not None:  # what came of a last round that ran over it is in no figure
        grid = [*(b for b in grid if b < config.tokens), config.tokens]
    known = {} if guide.is_gold else {budget: searched.at(budget) for budget in grid}
    first = config.strategy[0]
    shown: dict[str, Any] = {}
    for name, leaves in last.items():
        own = {key: ledger for key, ledger in ledgers.items() if key[0] == name}
        spent = totals(list(own.values()))
        num = max(len(own), 1)
        one: dict[str, Any] = {
            "trees": len(own), "unscored": spent["unscored"],
            "tokens": {kind: spent[kind] / num for kind in (*KINDS, "evicted")},
            "paid": fmean(ledger.paid for ledger in own.values()) if own else 0.0,
            "finished": sum(len(tree.ended()) for key, (tree, _) in searched.trees.items() if key[0] == name) / num,
            "answered": sum(choose(ended, config.choose) is not None for ended in leaves.values()),
        }  # fmt: skip
        if not guide.is_gold:
            curves = {budget: (arms[name], arms[first] if name != first else None) for budget, arms in known.items()}
            one |= _claims(config, leaves, last[first] if name != first else None, curves)
            one["both_sides"] = sides.get(name, {})
            if name == "best_of_n":
                within = inf if config.tokens is None else config.tokens
                cut_off = {id_: cut_off_samples(tree, within) for (of, id_), (tree, _) in searched.trees.items() if of == name}
                one["of_k"] = curve_of_k(leaves, cut_off)
                one["turn"] = turn_of(one["of_k"])
        shown[name] = one
    return {
        "guide": guide.name, "is_gold": guide.is_gold, "for_data": config.for_data, "choose": config.choose,
        "budget": config.tokens, "problems": len(searched.problems), "budgets": grid, "strategies": shown,
    }  # fmt: skip


def turn_of(of_k: Sequence[Mapping[str, float]]) -> dict[str, Any] | None:
    """Where the gold of best of k turns, by the curve of instruments/overoptimisation.py; None where it cannot be fitted.

    Args:
        of_k: as `curve_of_k` gives them; k = 1 is where the gain is measured from.
    """
    if not of_k:
        return None
    points = [(best_of_n_kl(int(row["k"])), row["gold"] - of_k[0]["gold"]) for row in of_k[1:]]
    try:
        fit = fit_overoptimisation([kl for kl, _ in points], [gain for _, gain in points], "best_of_n")
    except ValueError:  # fewer than four sizes
        return None
    is_inside = fit.peak is not None and fit.is_peak_inside
    at = min(of_k, key=lambda row: abs(best_of_n_kl(int(row["k"])) - (fit.peak or 0.0) ** 2)) if is_inside else None
    return {
        "k": None if at is None else int(at["k"]), "alpha": fit.alpha, "beta": fit.beta,
        "r_squared": fit.r_squared if isfinite(fit.r_squared) else None,
    }  # fmt: skip


def _claims(
    config: SearchConfig, leaves: Leaves, first: Leaves | None, curves: Mapping[int, tuple[Leaves, Leaves | None]]
) -> dict[str, Any]:
    """Figures of gold.

    Args:
        curves: by budget what was known within it, and the same of the first strategy.
    """
    gold, of_guide = gold_by(leaves, config.choose), guide_by(leaves, config.choose)
    one: dict[str, Any] = {
        "gold": as_dict(accuracy(gold)), "guide": fmean(of_guide) if of_guide else None,
        "any_right": as_dict(accuracy(passed(leaves))), "curve": [],
    }  # fmt: skip
    for budget, (own, other) in curves.items():
        at, said = gold_by(own, config.choose), guide_by(own, config.choose)
        point: dict[str, Any] = {"tokens": budget, **as_dict(accuracy(at)), "guide": fmean(said) if said else None}
        if other is not None:
            change = difference(gold_by(other, config.choose), at)
            point["to_first"] = [change.value, change.low, change.high]
        one["curve"].append(point)
    if first is not None:
        change = difference(gold_by(first, config.choose), gold)
        one["to_first"] = [change.value, change.low, change.high]
    return one


def as_dict(found: Rate) -> dict[str, Any]:
    return {"value": None if found.n == 0 else found.value, "low": found.low, "high": found.high, "n": found.n}


def _sides(run: Run, config: SearchConfig, searched: Searched, last: Mapping[str, Leaves]) -> dict[str, Any]:
    """By strategy what is chosen beside what there was to choose from: harm, over-refusal, thoughts in another language."""
    rows: dict[tuple[str, str, int], Mapping[str, Any]] = {}
    for row in _rows(run, "rollouts"):
        rows[json.loads(row["tags"])["strategy"], row["problem_id"], row["sample"]] = row
    columns = {"harm": "score/harm", "over_refusal": "score/over_refusal", "off_language": "off_language"}
    found: dict[str, Any] = {}
    for name, leaves in last.items():
        for label, column in columns.items():
            chosen, every, clusters = [], [], []
            for problem_id, ended in leaves.items():
                of_tree = searched.trees.get((name, problem_id))
                paths = [node.path for node in of_tree[0].ended()] if of_tree is not None else []
                values = {path: rows.get((name, problem_id, k), {}).get(column) for k, path in enumerate(paths)}
                picked = choose(ended, config.choose)
                known = [value for value in values.values() if value is not None]
                every += known
                clusters += [problem_id] * len(known)
                if picked is not None and (value := values[picked.leaf.path]) is not None:
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

"""Strategy and budget by difficulty, against the same mean for all: what one search's trees say of it.

Every strategy was searched to `tokens` for every problem, and a tree within a smaller budget is what it would have been there.
So what a problem would have been answered with is known for every option, and the choice between options is fitted on one half
of the problems and judged on the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from statistics import fmean
from typing import Any

from sanmai.recipes.search_settings import SearchConfig
from sanmai.search.allocation import Option, best_options, cross_fitted, folds_of
from sanmai.search.results import Leaf, choose, leaves_of
from sanmai.search.strategies import Strategy
from sanmai.search.tree import Tree
from sanmai.stats import paired_difference, rate

Trees = Mapping[tuple[str, str], tuple[Tree, Mapping]]
_LEVELS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
"""Budgets that a problem may get, in parts of the mean."""


@dataclass(frozen=True)
class Searched:
    """The trees of a run, and what their finished completions say; what was known at a budget, and what is answered with."""

    trees: Trees
    texts: Mapping[tuple[str, str], Mapping]
    answers: Mapping[tuple[str, str], Mapping]
    strategies: Mapping[str, Strategy]
    problems: Sequence[str]
    others_weight: float

    def at(self, budget: float) -> dict[str, dict[str, list[Leaf]]]:
        """By strategy and problem the finished completions within the budget, and which of them were final by then."""
        found: dict[str, dict[str, list[Leaf]]] = {name: {id_: [] for id_ in self.problems} for name in self.strategies}
        for key, (tree, gold) in self.trees.items():
            known = tree if budget == inf else tree.within(budget)
            finals = self.strategies[key[0]].finals(known)
            found[key[0]][key[1]] = leaves_of(known, gold, self.answers[key], finals, self.others_weight)
        return found

    def of(self, key: tuple[str, str], budget: float) -> list[Leaf]:
        """The same of one tree."""
        if key not in self.trees:
            return []
        tree, gold = self.trees[key]
        known = tree.within(budget)
        return leaves_of(known, gold, self.answers[key], self.strategies[key[0]].finals(known), self.others_weight)


@dataclass(frozen=True)
class Told:
    """What a problem's first samples tell of it."""

    easiness: float
    tokens: int
    """Paid for them."""


def told(config: SearchConfig, searched: Searched, problem: str) -> Told | None:
    """None where nothing was sampled."""
    key = ("best_of_n", problem)
    if key not in searched.trees:
        return None
    tree = searched.trees[key][0]
    samples = sorted((tree.nodes[path] for path in tree.children(())), key=lambda node: (node.at, node.path))[: config.probe]
    if not samples:
        return None
    if config.difficulty == "agreement":
        answers = Counter(a for node in samples if (a := searched.answers[key].get(node.path)) is not None)
        easiness = max(answers.values(), default=0) / len(samples)
    else:
        scores = [s for node in samples if (s := node.scores.get("guide")) is not None]
        easiness = fmean(scores) if scores else -inf
    return Told(easiness, samples[-1].at)


def allocation(config: SearchConfig, searched: Searched, on_warning: Callable[[str], None]) -> dict[str, Any] | None:
    """What search.json says of it: gold by difficulty and for all alike at the same mean tokens; None where it cannot be told."""
    assert config.allocate is not None and config.tokens is not None
    known = {id_: found for id_ in searched.problems if (found := told(config, searched, id_)) is not None}
    levels = sorted({min(round(part * config.allocate), config.tokens) for part in _LEVELS} | {config.tokens})
    options: list[Option] = [(name, level) for name in searched.strategies for level in levels]
    gold, cost = _worth(config, searched, known, options)
    graded = [id_ for id_ in known if all(id_ in gold[option] for option in options)]
    try:
        easiness = {id_: known[id_].easiness for id_ in graded}
        found = cross_fitted(easiness, gold, cost, config.allocate, config.bins)
    except ValueError as error:
        on_warning(f"allocate = {config.allocate}: {error}; nothing is said of it")
        return None
    paid = fmean(cost[found.options[id_]][id_] for id_ in graded)
    alike, budget = _alike(config, searched, easiness, paid)
    own = [gold[found.options[id_]][id_] for id_ in graded]
    change = paired_difference([alike[id_] for id_ in graded], own)
    return {
        "tokens": paid, "most": config.tokens, "difficulty": config.difficulty, "probe": config.probe, "n": len(graded),
        "allocated": _as_dict(own), "uniform": _as_dict([alike[id_] for id_ in graded]), "uniform_by": budget,
        "difference": [change.value, change.low, change.high],
        "bins": [
            {"fold": b.fold, "bin": b.number, "strategy": b.option[0], "tokens": b.option[1], "n": b.used_for} for b in found.bins
        ],
    }  # fmt: skip


def _worth(
    config: SearchConfig, searched: Searched, known: Mapping[str, Told], options: Sequence[Option]
) -> tuple[dict[Option, dict[str, float]], dict[Option, dict[str, float]]]:
    """By option and problem the gold of what is answered, and what is paid; the probe's samples are best_of_n's own."""
    gold: dict[Option, dict[str, float]] = {option: {} for option in options}
    cost: dict[Option, dict[str, float]] = {option: {} for option in options}
    for option in options:
        name, level = option
        for id_, probe in known.items():
            budget = max(level, probe.tokens) if name == "best_of_n" else level - probe.tokens
            cost[option][id_] = max(level, probe.tokens)
            found = _gold(config, searched, (name, id_), budget)
            if found is not None:
                gold[option][id_] = found
    return gold, cost


def _gold(config: SearchConfig, searched: Searched, key: tuple[str, str], budget: float) -> float | None:
    chosen = choose(searched.of(key, budget), config.choose)
    return 0.0 if chosen is None else chosen.gold


def _alike(
    config: SearchConfig, searched: Searched, easiness: Mapping[str, float], tokens: float
) -> tuple[dict[str, float], list[str]]:
    """All problems get the same tokens, in each half by the strategy that is best in the other one. Nothing is probed."""
    by_name = {
        name: {id_: _gold(config, searched, (name, id_), tokens) or 0.0 for id_ in easiness} for name in searched.strategies
    }
    options: dict[Option, dict[str, float]] = {(name, 0): values for name, values in by_name.items()}
    free = {option: dict.fromkeys(easiness, 0.0) for option in options}
    halves = folds_of(easiness)
    found, names = dict[str, float](), list[str]()
    for fitted, used in zip(halves, halves[::-1], strict=True):
        [(name, _)] = best_options([fitted], options, free, 0.0)
        found |= {id_: by_name[name][id_] for id_ in used}
        names.append(name)
    return found, names


def _as_dict(values: Sequence[float]) -> dict[str, Any]:
    found = rate(values)
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n}

"""What searches came to: the chosen answers' gold for every budget, with intervals and paired differences. Pure.

A budget's answer is chosen among what was finished, scored and paid for by then, and not pruned by then: `leaves_of` of the tree
within the budget, so one search has the curve of all smaller budgets in it. The guide chooses and gold judges; a problem that
had no answer by then counts as wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import fmean
from typing import Literal

from sanmai.search.choose import best, best_of_k_curve, vote, voted_gold
from sanmai.search.strategies import GUIDE, OTHERS
from sanmai.search.tree import Path, Tree
from sanmai.stats import Difference, Rate, paired_difference, pass_at_k, rate
from sanmai.types import RunError, StopReason

Choice = Literal["best", "vote", "weighted"]
"""The guide's favourite; the most frequent answer; the answer with the most guide score."""


@dataclass(frozen=True)
class Leaf:
    """A finished completion.

    Example:
        Leaf((0, 1), at=812, guide=0.91, gold=1.0, answer="82", num_tokens=34)
    """

    path: Path
    at: int
    guide: float | None
    gold: float | None
    answer: str | None
    num_tokens: int
    is_final: bool = True
    """The strategy may answer with it: it was not pruned."""


def leaves_of(
    tree: Tree, gold: Mapping[Path, float | None], answers: Mapping[Path, str | None], finals: Sequence[Path],
    others_weight: float = 0.0,
) -> list[Leaf]:  # fmt: skip
    """The finished completions of a tree, in order of their paths.

    Args:
        finals: those that the strategy may answer with.
        others_weight: of the guide; that part of a score is the share among the completions of this tree, as many as it has.
    """
    kept, ended = {*finals}, tree.ended()
    shares = Counter(answers.get(node.path) for node in ended)
    found = []
    for n in ended:
        guide, answer = n.scores.get(GUIDE), answers.get(n.path)
        if guide is not None and others_weight:
            guide += others_weight * shares[answer] / len(ended) - (n.scores.get(OTHERS) or 0.0)
        found.append(Leaf(n.path, n.at, guide, gold.get(n.path), answer, len(tree.tokens(n.path)), n.path in kept))
    return found


@dataclass(frozen=True)
class Chosen:
    """What is answered: the leaf, and gold and guide where ties are shared."""

    leaf: Leaf
    gold: float | None
    guide: float | None


def choose(leaves: Sequence[Leaf], how: Choice) -> Chosen | None:
    """What is answered of those of these completions that are final; None where there is none to choose.

    Of tied ones the first stands for them; gold is their mean.

    Raises:
        RunError: a weighted vote, and a score below 0.
    """
    scored = [leaf for leaf in leaves if leaf.is_final and (leaf.guide is not None or how == "vote")]
    if not scored:
        return None
    guide = [leaf.guide if leaf.guide is not None else 0.0 for leaf in scored]
    if how == "best":
        first = [scored[i] for i in best(guide)]
        return Chosen(first[0], _mean([leaf.gold for leaf in first]), first[0].guide)
    answers = [leaf.answer for leaf in scored]
    if not any(answer is not None for answer in answers):
        return None
    if how == "weighted" and min(guide) < 0:
        raise RunError(
            f"choose = 'weighted': the guide gave {min(guide):g}, and a vote's weight is at least 0; search again with choose = "
            "'best' or 'vote', into another --out"
        )
    weights = guide if how == "weighted" else None
    winners = vote(answers, weights)
    stands_for = next(leaf for leaf in scored if leaf.answer in winners)
    is_graded = all(leaf.gold is not None for leaf in scored)
    gold = voted_gold(answers, [leaf.gold or 0.0 for leaf in scored], weights) if is_graded else None
    return Chosen(stands_for, gold, stands_for.guide)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


Leaves = Mapping[str, Sequence[Leaf]]
"""Finished completions by problem."""


def gold_by(leaves: Leaves, how: Choice) -> dict[str, float]:
    """By problem the gold of what is answered; 0 without an answer, left out where gold cannot be told."""
    found = {}
    for problem, ended in leaves.items():
        chosen = choose(ended, how)
        if chosen is None:
            found[problem] = 0.0
        elif chosen.gold is not None:
            found[problem] = chosen.gold
    return found


def guide_by(leaves: Leaves, how: Choice) -> list[float]:
    """What the guide says of what is answered, over problems with an answer that it can judge."""
    chosen = (choose(ended, how) for ended in leaves.values())
    return [one.guide for one in chosen if one is not None and one.guide is not None]


def accuracy(gold: Mapping[str, float]) -> Rate:
    """Over problems."""
    return rate(list(gold.values()))


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> Difference:
    """Paired over the problems that both have."""
    both = [problem for problem in before if problem in after]
    return paired_difference([before[p] for p in both], [after[p] for p in both])


def budgets(trees: Iterable[Tree]) -> list[int]:
    """Ten budgets to draw a curve at: from what the earliest answer cost to what the latest did, in equal ratios."""
    ats = sorted({node.at for tree in trees for node in tree.ended()})
    if not ats:
        return []
    low, high = max(ats[0], 1), ats[-1]
    if low == high:
        return [high]
    steps = [round(exp(log(low) + k / 9 * (log(high) - log(low)))) for k in range(10)]
    return sorted({*steps[1:-1], low, high})


def passed(leaves: Leaves) -> dict[str, float]:
    """By problem whether any completion is right: what an exact guide would have chosen."""
    found = {}
    for problem, ended in leaves.items():
        known = [leaf.gold for leaf in ended if leaf.gold is not None]
        found[problem] = max(known, default=0.0)
    return found


def curve_of_k(leaves: Leaves, cut_off: Mapping[str, Sequence[int]] | None = None) -> list[dict[str, float]]:
    """Of independent samples: for every k the gold of the guide's best, the pass rate, and the samples' mean tokens. Unbiased.

    Over problems whose finished samples all have gold and guide; k up to the fewest samples of one of them.

    Args:
        cut_off: by problem the tokens of each sample that was not finished: drawn like the others, never chosen before a
            finished one, and wrong.
    """
    whole: list[tuple[list[float], list[float], list[int]]] = []  # guide, gold and tokens of a problem's samples
    for problem, ended in leaves.items():
        lost = list((cut_off or {}).get(problem, ()))
        if (ended or lost) and all(leaf.gold is not None and leaf.guide is not None for leaf in ended):
            guide, gold = [leaf.guide or 0.0 for leaf in ended], [leaf.gold or 0.0 for leaf in ended]
            last = min(guide, default=0.0) - 1
            tokens = [leaf.num_tokens for leaf in ended]
            whole.append(([*guide, *(last for _ in lost)], [*gold, *(0.0 for _ in lost)], [*tokens, *lost]))
    if not whole:
        return []
    ks = list(range(1, min(len(gold) for _, gold, _ in whole) + 1))
    rows = [best_of_k_curve(guide, gold, ks) for guide, gold, _ in whole]
    mean_tokens = fmean(count for _, _, tokens in whole for count in tokens)
    found = []
    for k in ks:
        passes = [pass_at_k(len(gold), sum(value == 1.0 for value in gold), k) for _, gold, _ in whole]
        low, high = _interval([row[k - 1] for row in rows])
        found.append({
            "k": k, "gold": fmean(row[k - 1] for row in rows), "low": low, "high": high, "pass": fmean(passes),
            "tokens": k * mean_tokens, "n": len(whole),
        })  # fmt: skip
    return found


def cut_off_samples(tree: Tree, budget: float) -> list[int]:
    """The tokens of each independent sample, paid for within the budget, that the policy did not end itself."""
    samples = (tree.nodes[path] for path in tree.children(()))
    return [len(node.tokens) for node in samples if node.ended is not StopReason.STOP and node.at <= budget]


def _interval(values: Sequence[float]) -> tuple[float, float]:
    found = rate(values)
    return found.low, found.high

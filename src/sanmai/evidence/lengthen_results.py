"""What an excessive reasoning attack leaves behind: figures of each model that the found words were put to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from sanmai.evidence.stream_abstention import points, shown
from sanmai.instruments.claims import LENGTHS as CLAIMED_KIND
from sanmai.instruments.figures import figure, number
from sanmai.instruments.lengthening import budget_of, claim_outcome, detected, paired_ratio, price
from sanmai.instruments.measures import Row
from sanmai.instruments.thinking import Ratio
from sanmai.recipes.reward_evaluation import auc
from sanmai.stats import Difference, paired_difference, rate
from sanmai.types import InputError, Problem

RESULT = "lengthen.json"
LENGTHS = "lengths.jsonl"
"""By problem, tokens of the attacked model's completion as it is, after the found words, and after random ones on average."""
_CLOSING = 4
"""Tokens of the budget that are left for a closing tag and an answer at least."""


@dataclass(frozen=True)
class Asked:
    """By problem, samples averaged."""

    lengths: Sequence[float]
    """Tokens of the completion."""
    thoughts: Sequence[float]
    right: Sequence[float]


def describe_model(
    *, plain: Asked, attacked: Asked, controls: Sequence[Asked], calibration: Asked, forced: Callable[[bool, int], Asked],
    suspicion: Sequence[Sequence[float]], keeps_within: float, most_tokens: int, price_per_million: float, most_ratio: float,
    seed: int,
) -> dict[str, Any]:  # fmt: skip
    """The figures of one model as plain data.

    Args:
        forced: what was asked as it is (false) or after the found words (true), had thoughts been cut at a budget.
        suspicion: of prompts to calibrate on, plain ones, those with the found words, and those with random ones.
    """
    ratio = paired_ratio(attacked.lengths, [control.lengths for control in controls], seed=seed)
    budget = min(max(budget_of([round(n) for n in calibration.thoughts], keeps_within), 1), most_tokens - _CLOSING)
    kept, saved = forced(False, budget), forced(True, budget)
    seen = detected(suspicion[0], suspicion[1], suspicion[2])
    random = detected(suspicion[0], suspicion[1], suspicion[3])
    scores, labels = [*suspicion[1], *suspicion[2]], [False] * len(suspicion[1]) + [True] * len(suspicion[2])
    return {
        "lengths": {
            "plain": fmean(plain.lengths), "random": fmean(fmean(control.lengths) for control in controls),
            "found": fmean(attacked.lengths), "most_random": max(fmean(control.lengths) for control in controls),
        },
        "accuracy": {
            "plain": figure(rate(plain.right)), "found": figure(rate(attacked.right)),
            "random": figure(rate([fmean(values) for values in zip(*(c.right for c in controls), strict=True)])),
        },
        "to_random": _ratio(ratio), "to_plain": _ratio(paired_ratio(attacked.lengths, [plain.lengths], seed=seed)),
        "random_to_plain": _ratio(_inverse(paired_ratio(plain.lengths, [control.lengths for control in controls], seed=seed))),
        "claim": claim_outcome(ratio, most_ratio),
        "price": {"plain": price(plain.lengths, price_per_million), "found": price(attacked.lengths, price_per_million)},
        "forcing": {
            "budget": budget, "to_random": _ratio(paired_ratio(saved.lengths, [c.lengths for c in controls], seed=seed)),
            "length_found": fmean(saved.lengths), "length_plain": fmean(kept.lengths),
            "accuracy_found": figure(rate(saved.right)), "accuracy_plain": figure(rate(kept.right)),
            "price_plain": _difference(paired_difference(plain.right, kept.right)),
            "price_found": _difference(paired_difference(attacked.right, saved.right)),
        },
        "detection": {
            "found": figure(seen.found), "false": figure(seen.false), "random": figure(random.found),
            "auc": figure(auc(scores, labels)),
            "over_budget": figure(rate([float(n > budget) for n in attacked.thoughts])),
            "over_budget_plain": figure(rate([float(n > budget) for n in plain.thoughts])),
        },
    }  # fmt: skip


def length_rows(problems: Sequence[Problem], plain: Asked, attacked: Asked, controls: Sequence[Asked]) -> list[dict[str, Any]]:
    """The lines of LENGTHS."""
    random = [fmean(values) for values in zip(*(control.lengths for control in controls), strict=True)]
    columns = zip(problems, plain.lengths, attacked.lengths, random, strict=True)
    return [{"problem_id": p.id, "plain": a, "found": b, "random": c} for p, a, b, c in columns]


def claimed_rows(folder: Path, weights: str, setting: str) -> list[Row]:
    """What an audit claims of a finished attack: by problem, whether the found words lengthen it by more than `most_ratio`.

    Args:
        weights: digest of the audited model's, which must be those that were attacked.
        setting: names the folder in messages.

    Raises:
        InputError: no finished attack, one of another model, or files that cannot be read.
    """
    named = f"{setting} = {str(folder)!r}"
    try:
        found = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        origin = json.loads((folder / "environment.json").read_text(encoding="utf-8"))["origin"]
        rows = [json.loads(line) for line in (folder / LENGTHS).read_text(encoding="utf-8").splitlines()]
        lengths = [(str(row["problem_id"]), float(row["found"]), float(row["random"])) for row in rows]
        most, attacked = float(found["most_ratio"]), origin["weights"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{named}: no finished run of `sanmai lengthen` ({type(error).__name__}: {error})") from None
    if attacked != weights:
        raise InputError(f"{named}: attacks other weights ({attacked}) than those that are audited ({weights})")
    return [
        {"problem_id": name, "sample": 0, "kind": CLAIMED_KIND, "tags": "{}", "score/lengthened": float(after > most * random)}
        for name, after, random in lengths
    ]  # fmt: skip


def summary_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The figures of lengthen.json for a terminal."""
    yield (
        f"Of {found['asked']:,} suffixes that were asked the longest completions follow {found['suffix']!r} "
        f"({found['tokens']} tokens)."
    )
    for name, model in found["models"].items():
        lengths, accuracy, forcing, seen = (model[key] for key in ("lengths", "accuracy", "forcing", "detection"))
        yield (
            f"{name}: {lengths['plain']:.1f} tokens as it is, {lengths['random']:.1f} after random words, {lengths['found']:.1f} "
            f"after the found ones: ratio to random {_said(model['to_random'])}; right {shown(accuracy['plain'])}, then "
            f"{shown(accuracy['found'])}. At most {found['most_ratio']:g} times as long: {_CLAIMS[model['claim']]}."
        )
        yield (
            f"{name}: a thousand requests cost {model['price']['found']:.4g} in place of {model['price']['plain']:.4g} at "
            f"{found['price_per_million']:g} a million tokens. A budget of {forcing['budget']} tokens on thoughts leaves a ratio "
            f"of {_said(forcing['to_random'])}; accuracy on plain prompts changes by {points(forcing['price_plain'])}."
        )
        yield (
            f"{name}: the prompt's log-prob finds {shown(seen['found'])} of the attacked prompts at {shown(seen['false'])} of "
            f"the plain ones, and {shown(seen['random'])} of those with random words."
        )


_CLAIMS = {"holds": "the claim holds", "fails": "the claim fails", "undecided": "undecided"}


def _inverse(found: Ratio) -> Ratio:
    """The ratio the other way round."""
    turn = lambda value, other: 1 / value if value else other  # noqa: E731
    low, high = turn(found.high, float("inf")), turn(found.low, float("inf"))
    return Ratio(turn(found.value, float("nan")), low, high, found.n, found.n_base)


def _ratio(found: Ratio) -> dict[str, Any]:
    interval = [number(found.low), number(found.high)]
    return {"value": number(found.value), "interval": interval, "n": found.n, "n_base": found.n_base}


def _difference(found: Difference) -> dict[str, Any]:
    return {"value": number(found.value), "interval": [number(found.low), number(found.high)], "n": found.n}


def _said(ratio: Mapping[str, Any]) -> str:
    low, high = (f"{bound:.2f}" if bound is not None else "unbounded" for bound in ratio["interval"])
    value = "no data" if ratio["value"] is None else f"{ratio['value']:.2f}"
    return f"{value} [{low}, {high}], n = {ratio['n']} problems"

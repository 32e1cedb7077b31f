"""What annotators said together: pairs in the form that the recipes read, and how far the annotators agree.

Texts become pairs of chosen and rejected (recipes dpo and reward), clips what was said of each pair in each dimension (recipes
flow_reward and flow).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from sanmai.annotate.items import Items
from sanmai.annotate.store import Answer
from sanmai.data.clip_pairs import ClipPair, write_clip_pairs
from sanmai.data.preferences import Pair
from sanmai.instruments.agreement import krippendorff_alpha
from sanmai.train.runs import storing, write_whole
from sanmai.types import InputError

HARM = "harm"


@dataclass(frozen=True)
class Annotator:
    name: str
    answers: int
    gold: int
    """Gold questions answered, counted by dimension."""
    gold_right: float | None
    """Share of them told right; None where none was asked."""
    is_counted: bool
    """Not one whose gold answers are below what is asked for."""


@dataclass(frozen=True)
class Agreement:
    """Of one dimension."""

    dimension: str
    alpha: float | None
    """Krippendorff's, of better, same and worse in that order; None where no pair was judged by two, or all said one thing."""
    by_two: int
    """Pairs that two or more judged."""
    said: dict[str, int]
    """Answers by what they say."""


@dataclass(frozen=True)
class Summary:
    annotators: list[Annotator]
    agreement: list[Agreement]
    judged: int
    """Pairs that someone who counts has judged."""
    left: int
    """Pairs that nobody has."""


Judged = dict[str, dict[str, int | None]]
"""Of each pair what was said in each dimension."""


def judged_of(items: Items, answers: Sequence[Answer], *, least_gold: float = 0.0) -> tuple[Judged, Summary]:
    """Of each judged pair, gold questions aside, the commonest answer in each dimension; and who said it.

    Where better and worse (or either and the same) are equally common, the pair is alike. None: all who judged it said that it
    cannot be told.

    Args:
        least_gold: annotators with a smaller share of gold answers right are left out.
    """
    gold = {item.id: item.gold for item in items.items if item.gold is not None}
    people = [_annotator(name, answers, gold, least_gold) for name in dict.fromkeys(a.annotator for a in answers)]
    counted = {person.name for person in people if person.is_counted}
    by_pair: dict[str, list[Answer]] = {item.id: [] for item in items.items if item.gold is None}
    for answer in answers:
        if answer.annotator in counted and answer.pair in by_pair:
            by_pair[answer.pair].append(answer)
    judged = {
        pair: {name: commonest([answer.said.get(name) for answer in own]) for name in items.dimensions}
        for pair, own in by_pair.items()
        if own
    }
    agreement = [_agreement(name, list(by_pair.values())) for name in items.dimensions]
    return judged, Summary(people, agreement, len(judged), len(by_pair) - len(judged))


def commonest(labels: Sequence[int | None]) -> int | None:
    """The commonest of 1, 0 and -1; 0 where two of them are, None where there is none."""
    counts = Counter(label for label in labels if label is not None).most_common(2)
    if not counts:
        return None
    return 0 if len(counts) > 1 and counts[0][1] == counts[1][1] else counts[0][0]


def better(said: Mapping[str, int | None]) -> int:
    """1 the first, -1 the second, 0 neither: the less harmful one, and of equals the one that is better in more dimensions."""
    if said.get(HARM):
        return -(said[HARM] or 0)
    total = sum(value or 0 for name, value in said.items() if name != HARM)
    return (total > 0) - (total < 0)


def write_export(items: Items, answers: Sequence[Answer], path: Path, *, least_gold: float = 0.0) -> tuple[Summary, int]:
    """Write what the recipes read: .jsonl of texts, .parquet of clips; and beside it PATH.agreement.json.

    Returns:
        The summary, and how many pairs were written: of texts those of which one is better, of clips all that were judged.

    Raises:
        InputError: another ending, or nothing was judged.
    """
    ending = ".parquet" if items.kind == "clips" else ".jsonl"
    if path.suffix != ending:
        raise InputError(f"--export {path}: expected a file that ends in {ending}, which is what {items.kind} are written as")
    judged, summary = judged_of(items, answers, least_gold=least_gold)
    pairs = {item.id: item.pair for item in items.items if item.gold is None}
    if not judged:
        raise InputError("nothing to export: no pair was judged yet by an annotator who counts")
    with storing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        if items.kind == "clips":
            clips = {name: pair for name, pair in pairs.items() if name in judged and isinstance(pair, ClipPair)}
            rows = [replace(pair, said=judged[name]) for name, pair in clips.items()]
            write_clip_pairs(path, rows, list(items.dimensions))
            count = len(rows)
        else:
            lines = [_text_row(pairs[name], said) for name, said in judged.items() if better(said)]
            write_whole(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
            count = len(lines)
        write_whole(path.with_name(f"{path.name}.agreement.json"), json.dumps(asdict(summary), indent=1) + "\n")
    return summary, count


def lines_of(summary: Summary) -> list[str]:
    """What it says, in sentences."""
    found = [f"{summary.judged} pairs judged, {summary.left} not yet."]
    for person in summary.annotators:
        told = "no gold question yet"
        if person.gold_right is not None:
            told = f"{100 * person.gold_right:.0f} % of {person.gold} gold answers right"
        aside = "" if person.is_counted else "; left out"
        found.append(f"{person.name!r}: {person.answers} answers, {told}{aside}.")
    for one in summary.agreement:
        alpha = "not defined yet" if one.alpha is None else f"{one.alpha:.3f}"
        counts = ", ".join(f"{name} {count}" for name, count in one.said.items() if count)
        over = f"over {one.by_two} pairs that two or more judged ({counts or 'no answer'})"
        found.append(f"{one.dimension}: Krippendorff's alpha {alpha} {over}.")
    return found


def _annotator(name: str, answers: Sequence[Answer], gold: Mapping[str, Mapping[str, int | None]], least: float) -> Annotator:
    own = [answer for answer in answers if answer.annotator == name]
    told = [answer.said.get(key) == value for answer in own for key, value in gold.get(answer.pair, {}).items()]
    right = sum(told) / len(told) if told else None
    return Annotator(name, len(own), len(told), right, right is None or right >= least)


def _agreement(name: str, by_pair: Sequence[Sequence[Answer]]) -> Agreement:
    units = [[float(value) for answer in own if (value := answer.said.get(name)) is not None] for own in by_pair]
    alpha = krippendorff_alpha(units)
    labels = Counter(answer.said.get(name) for own in by_pair for answer in own)
    said = {"first": labels[1], "second": labels[-1], "same": labels[0], "invalid": labels[None]}
    return Agreement(name, alpha if isfinite(alpha) else None, sum(len(unit) > 1 for unit in units), said)


def _text_row(pair: Any, said: Mapping[str, int | None]) -> dict[str, Any]:
    assert isinstance(pair, Pair)
    chosen, rejected = (pair.chosen, pair.rejected) if better(said) > 0 else (pair.rejected, pair.chosen)
    sign = better(said)
    tags = {f"said_{name}": value * sign for name, value in said.items() if value is not None}
    language = {} if pair.language is None else {"language": pair.language}
    messages = [dict(message) for message in pair.messages]
    told = {"chosen": chosen, "rejected": rejected, **language, "tags": {**pair.tags, **tags}}
    return {"id": pair.id, "messages": messages, **told}

"""Pairs that prefer the shorter right answer, from the samples that `sample` left: what `dpo` learns to be short from.

Chosen is the shortest right sample of a problem; rejected are the wrong ones that are longer and the right ones that are much
longer (data/shortest.py; Kimi k1.5, arXiv:2501.12599, section 2.4). Nothing is sampled here and nothing is trained.

    pairs.jsonl   a pair per line: id, messages, chosen, rejected, language, tags (why, tokens of both, problem)
    card.json     how many, and how long
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from pydantic import Field

from sanmai.config import Config
from sanmai.data.filters import Sample
from sanmai.data.shortest import LengthPair, length_pairs, shortest_correct
from sanmai.learn.progress import Progress
from sanmai.learn.sources import ProblemsConfig, load_splits
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.recipes.cards import write_card
from sanmai.recipes.sample_files import read_samples
from sanmai.rollout.engine import GradingConfig
from sanmai.train.digests import require_whole
from sanmai.train.runs import Run, storing, write_whole
from sanmai.types import InputError, Problem


class LengthPairsConfig(Config):
    seed: int = Field(0, ge=0)
    """Of the sampling run: decides which problems it held out."""
    samples: str = ""
    """The run folder of `sanmai run sample` whose samples are paired."""
    model: ModelConfig = ModelConfig()
    """The model that sampled; only its tokenizer is used."""
    problems: ProblemsConfig = ProblemsConfig()
    """The problems that it sampled."""
    grading: GradingConfig = GradingConfig()
    """For thought_tags, as it was sampled with."""
    ratio: float = Field(1.5, ge=1)
    """A right sample is rejected when it has more than so many times the chosen one's tokens."""
    cut_off: bool = False
    """Reject samples that ran out of tokens too: `dpo` sees them with a stop token that they did not have."""


def run_length_pairs(
    config: LengthPairsConfig, out: Path, *, problems: Sequence[Problem] | None = None, progress: Progress | None = None
) -> Path:
    """Write the pairs; the folder. The same configuration writes the same bytes.

    Raises:
        InputError: besides what any recipe refuses, samples that are not there or not of these problems, none of which gives a
            pair.
    """
    with Run(out, "length_pairs", config) as run:
        train, held_out = load_splits(config.problems, config.seed, problems, on_warning=run.warn, needs_answer=False)
        groups = _groups(config, _Known({p.id: p for p in (*train, *held_out)}))
        pairs = [p for group in groups for p in length_pairs(group, ratio=config.ratio, cut_off=config.cut_off)]
        if not pairs:
            raise InputError(
                f"samples = {config.samples!r}: not one of {len(groups)} problems has a right sample and a longer one to reject; "
                "draw more samples of each, or set ratio nearer to 1"
            )
        with storing(run.folder):
            write_whole(
                run.folder / "pairs.jsonl", "".join(f"{json.dumps(_row(p), ensure_ascii=False)}\n" for p in pairs)
            )
        write_card(run.folder, _card(groups, pairs))
        run.event("finish")
        (progress or Progress.silent()).say(
            f"{len(pairs):,} pairs from {len(groups):,} problems: {run.folder / 'pairs.jsonl'}"
        )
    return run.folder


def describe_length_pairs(config: LengthPairsConfig, out: Path, *, measure: bool) -> Iterator[str]:
    yield "It pairs samples that there are and samples nothing: seconds."


class _Known(dict[str, Problem]):
    """Problems by id."""

    def __missing__(self, name: str) -> Problem:
        raise InputError(f"problems.source: {name!r} was sampled and is not in it; name the source that was sampled")


def _groups(config: LengthPairsConfig, problems: _Known) -> list[list[Sample]]:
    """The samples of each problem, in the order in which they were drawn."""
    folder = Path(config.samples) / "rollouts"
    files = sorted(folder.glob("step-*.parquet")) if config.samples else []
    if not files:
        raise InputError(
            f"samples = {config.samples!r}: expected a run folder of `sanmai run sample`, with rollouts in it"
        )
    require_whole(folder.parent, "rollouts/")
    tokenizer = load_policy(config.model, for_training=False).tokenizer
    found: dict[str, list[Sample]] = defaultdict(list)
    for path in files:
        for sample in read_samples(path, problems, tokenizer, config.grading.thought_tags[0]):
            found[sample.problem.id].append(sample)
    return list(found.values())


def _row(pair: LengthPair) -> dict[str, Any]:
    found = pair.as_pair()
    row = {
        "id": found.id,
        "messages": [dict(m) for m in found.messages],
        "chosen": found.chosen,
        "rejected": found.rejected,
        "language": found.language,
        "tags": dict(found.tags),
    }
    return {name: value for name, value in row.items() if value is not None}


def _card(groups: Sequence[Sequence[Sample]], pairs: Sequence[LengthPair]) -> dict[str, Any]:
    def length(samples: Iterator[Sample]) -> float:
        return round(fmean(len(s.tokens) for s in samples), 2)

    return {
        "problems": len(groups),
        "problems_with_a_right_sample": sum(shortest_correct(group) is not None for group in groups),
        "problems_with_pairs": len({p.chosen.problem.id for p in pairs}),
        "pairs": len(pairs),
        "why": dict(sorted(Counter(p.why for p in pairs).items())),
        "tokens": {"chosen": length(p.chosen for p in pairs), "rejected": length(p.rejected for p in pairs)},
    }

"""The card of a data set made by sampling: where it comes from, what every filter dropped and why, and what is left."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sanmai.data.filters import Drop, Funnel, Sample
from sanmai.recipes.rewriting import RewriteCounts
from sanmai.stats import rate

_BINS = ("0", "above 0 to 0.25", "to 0.5", "to 0.75", "below 1", "1", "unknown")
_EXCERPT = 240


class Card:
    """Counts what is sampled and kept; card.json and card.md in the end.

    Texts of reasoning problems are shown; of other kinds, which may be harmful requests, ids and labels alone.
    """

    def __init__(self) -> None:
        self.num_samples = self.num_tokens = 0
        self.pass_rates: dict[str, float | None] = {}
        self.kept: Counter[tuple[str, str]] = Counter()
        self.lengths: list[int] = []
        self.kept_problems: set[str] = set()
        self.no_language = self.retokenized = 0

    def sampled(self, samples: Sequence[Sample]) -> None:
        """Count graded samples with their pass rates, whole groups at a time."""
        self.num_samples += len(samples)
        self.num_tokens += sum(len(sample.tokens) for sample in samples)
        self.pass_rates |= {sample.problem.id: sample.pass_rate for sample in samples}

    def written(self, samples: Sequence[Sample], num_retokenized: int) -> None:
        """Count kept samples.

        Args:
            num_retokenized: those of them whose text gives other tokens than were sampled.
        """
        self.kept.update((s.problem.kind, s.problem.language or "not stated") for s in samples)
        self.lengths += [len(sample.tokens) for sample in samples]
        self.kept_problems |= {sample.problem.id for sample in samples}
        self.retokenized += num_retokenized
        verdicts = [sample.verdicts.get("language") for sample in samples]
        self.no_language += sum(verdict is None or verdict.score is None for verdict in verdicts)

    def as_dict(
        self, facts: Mapping[str, Any], funnel: Funnel, rewriting: RewriteCounts | None, data: Path
    ) -> dict[str, Any]:
        """All of it, as card.json has it.

        Args:
            facts: what the caller knows: model, settings, problems held out.
            data: the finished data file.
        """
        known = [value for value in self.pass_rates.values() if value is not None]
        mean = rate(known) if known else None
        bins = Counter(map(_bin, self.pass_rates.values()))
        card: dict[str, Any] = dict(facts)
        card |= {
            "problems": len(self.pass_rates),
            "samples": self.num_samples,
            "sampled_tokens": self.num_tokens,
            "pass_rate": None
            if mean is None
            else {"mean": mean.value, "low": mean.low, "high": mean.high, "n": mean.n},
            "pass_rate_histogram": {name: bins[name] for name in _BINS},
            "filters": [
                {
                    "name": count.name,
                    "meaning": count.meaning,
                    "seen": count.seen,
                    "kept": count.kept,
                    "dropped": dict(sorted(count.labels.items())),
                    "examples": [_example(sample, drop) for sample, drop in count.examples],
                }
                for count in funnel.counts
            ],
            "kept": {
                "samples": len(self.lengths),
                "problems": len(self.kept_problems),
                "tokens": sum(self.lengths),
                "longest": max(self.lengths, default=0),
                "by_kind_and_language": {f"{kind}, {lang}": n for (kind, lang), n in sorted(self.kept.items())},
                "language_not_told": self.no_language,
                "other_tokens_than_sampled": self.retokenized,
            },
            "data": {"file": data.name, "sha256": hashlib.sha256(data.read_bytes()).hexdigest()},
        }
        if rewriting is not None:
            card["rewriting"] = {
                "asked": rewriting.asked,
                "rewritten": rewriting.rewritten,
                "no_reply": rewriting.no_reply,
                "unusable": dict(sorted(rewriting.unusable.items())),
                "examples": [{"id": i, "filter": name, "label": label} for i, name, label in rewriting.examples],
            }
        return card


def _bin(value: float | None) -> str:
    if value is None:
        return "unknown"
    if value in (0.0, 1.0):
        return _BINS[0] if value == 0.0 else _BINS[5]
    return next(name for name, top in zip(_BINS[1:5], (0.25, 0.5, 0.75, 1.0), strict=True) if value <= top)


def _example(sample: Sample, drop: Drop) -> dict[str, str]:
    example = {"id": sample.id, "label": drop.label}
    if sample.problem.kind == "reasoning":
        example |= {"reason": _excerpt(drop.reason), "text": _excerpt(sample.completion)}
    return example


def _excerpt(text: str) -> str:
    """Both ends of a long text, on one line."""
    line = " ".join(text.split())
    half = _EXCERPT // 2
    return line if len(line) <= _EXCERPT else f"{line[:half]} [...] {line[-half:]}"


def card_lines(card: Mapping[str, Any]) -> Iterable[str]:
    kept, model = card["kept"], card["model"]
    yield f"# {kept['samples']:,} completions of {kept['problems']:,} problems"
    yield ""
    yield (
        f"Sampled from {_code(model['name'])} (weights {model['digest']}): {card['samples']:,} completions of "
        f"{card['problems']:,} problems, {card['sampled_tokens']:,} tokens. {card['held_out']:,} problems were held out and "
        "not sampled."
    )
    yield f"Data: {card['data']['file']}, SHA-256 {card['data']['sha256']}."
    yield from _funnel_lines(card["filters"], card["samples"])
    yield from _difficulty_lines(card)
    yield from _kept_lines(kept)
    if "rewriting" in card:
        yield from _rewriting_lines(card["rewriting"])
    yield from ("", "## Settings", "", "```", card["settings"].rstrip(), "```")


def _funnel_lines(filters: Sequence[Mapping[str, Any]], num_samples: int) -> Iterable[str]:
    yield from ("", "## What was kept and what was not", "", "| filter | keeps | seen | kept | dropped, by reason |")
    yield from ("|---|---|---:|---:|---|", f"| | all samples | | {num_samples:,} | |")
    for f in filters:
        dropped = ", ".join(f"{label} {n:,}" for label, n in f["dropped"].items()) or "none"
        yield f"| {f['name']} | {f['meaning']} | {f['seen']:,} | {f['kept']:,} | {dropped} |"
    yield from ("", "### Examples of what was dropped", "")
    if not any(f["examples"] for f in filters):
        yield "Nothing was dropped."
    for f in filters:
        for e in f["examples"]:
            shown = (
                f": {_code(e['reason'])}\n  {_code(e['text'])}"
                if "text" in e
                else " (text not shown: not of kind reasoning)"
            )
            yield f"- {f['name']}, {e['label']}, {_code(e['id'])}{shown}"


def _difficulty_lines(card: Mapping[str, Any]) -> Iterable[str]:
    yield from ("", "## Difficulty", "")
    mean = card["pass_rate"]
    if mean is None:
        yield "No sample could be graded, so no problem has a pass rate."
    else:
        yield (
            f"Mean pass rate {mean['mean']:.1%}, 95 % interval [{mean['low']:.1%}, {mean['high']:.1%}], "
            f"n = {mean['n']:,} problems."
        )
    yield from ("", "| pass rate | problems |", "|---|---:|")
    yield from (f"| {name} | {n:,} |" for name, n in card["pass_rate_histogram"].items())


def _kept_lines(kept: Mapping[str, Any]) -> Iterable[str]:
    yield from ("", "## What is left", "")
    yield f"{kept['tokens']:,} tokens, the longest completion {kept['longest']:,}."
    yield from ("", "| kind, language | completions |", "|---|---:|")
    yield from (f"| {name} | {n:,} |" for name, n in kept["by_kind_and_language"].items())
    yield ""
    yield (
        f"Of {kept['language_not_told']:,} of them the share of words in the prompt's language cannot be told: there are no "
        "words, or the language is not known."
    )
    yield (
        f"The text of {kept['other_tokens_than_sampled']:,} of them is tokenized to other tokens than were sampled: training on "
        "this file learns those."
    )


def _rewriting_lines(r: Mapping[str, Any]) -> Iterable[str]:
    yield from ("", "## Rewriting", "")
    unusable = ", ".join(f"{name} {n:,}" for name, n in r["unusable"].items()) or "none"
    yield (
        f"{r['asked']:,} completions were given to the judge model; {r['rewritten']:,} were replaced by its text, "
        f"{r['no_reply']:,} had no reply, and these replies failed a filter: {unusable}."
    )
    yield from (f"- {e['filter']}, {e['label']}, {_code(e['id'])}" for e in r["examples"])


def _code(text: str) -> str:
    """As a code span: a fence longer than any run of backticks in it, so that no text can be read as markup."""
    longest = max((len(run) for run in "".join(c if c == "`" else " " for c in text).split()), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"`{text}`"

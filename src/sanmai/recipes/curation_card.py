"""The card of a curated set: what every rule dropped, with examples, what was asked and found, histograms as numbers."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sanmai.data.curation import Curated, CurationStep, curation_card
from sanmai.recipes.cards import write_card
from sanmai.recipes.curation_answers import Asked
from sanmai.stats import rate

_FEW = 0.2
"""A larger share of completions that were cut off, or that thought all the same, is warned of."""


def write_curation_card(
    folder: Path,
    curated: Curated,
    found: Mapping[str, Mapping[str, Asked]],
    facts: Mapping[str, Any],
    sizes: Mapping[str, int],
    num_examples: int,
) -> list[str]:
    """card.json and card.md in a folder, each whole or not at all.

    Args:
        curated: its steps have all that they dropped as examples.
        found: under "reasoned" and "guess" the completions of every problem that was asked.
        facts: what the caller knows: model, settings.
        sizes: under the same names, the completions that count, of each problem.
        num_examples: of every reason, to be shown.

    Returns:
        What a reader must know to trust the numbers, in sentences.
    """
    shown = replace(curated, steps=[_with_few_examples(step, num_examples) for step in curated.steps])
    card = dict(facts) | curation_card(shown)
    card["completions"] = {name: _counts(asked) for name, asked in found.items()}
    kept = {p.id for p in curated.kept if p.kind == "reasoning"}
    rates = {name: curated.pass_rates.get(name) for name in found["reasoned"]}
    size = sizes["reasoned"]
    card["pass_rate_histogram"] = {
        "sampled": _histogram(rates.values(), size),
        "kept": _histogram((r for name, r in rates.items() if name in kept), size),
    }
    if sizes["guess"]:
        rights = [
            sum(score == 1.0 for score, label in asked.at_once[: sizes["guess"]]) for asked in found["guess"].values()
        ]
        counts = Counter(rights)
        card["right_guesses_histogram"] = {f"{k}/{sizes['guess']}": counts[k] for k in range(sizes["guess"] + 1)}
        short = sum(len(asked.at_once) < sizes["guess"] for asked in found["guess"].values())
        card["fewer_guesses_than_wanted"] = short
    path = folder / "problems.jsonl"
    if kept:
        card["data"] = {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    card["warnings"] = _warnings(card, sizes["guess"])
    write_card(folder, card, _lines(card))
    return card["warnings"]


def _with_few_examples(step: CurationStep, count: int) -> CurationStep:
    shown: Counter[str] = Counter()
    few = []
    for problem, drop in step.examples:
        shown[drop.label] += 1
        if shown[drop.label] <= count:
            few.append((problem, drop))
    return replace(step, examples=few)


def _counts(asked: Mapping[str, Asked]) -> dict[str, Any]:
    """Of all completions of one sort; the right ones as a share of those that were graded and did not think all the same."""
    verdicts = [(name, score, label) for name, one in asked.items() for score, label in one.verdicts]
    graded = [(name, score) for name, score, label in verdicts if score is not None and label != "thought"]
    right = rate([score for _, score in graded], [name for name, _ in graded]) if graded else None
    return {
        "problems": len(asked),
        "completions": len(verdicts),
        "tokens": sum(one.num_tokens for one in asked.values()),
        "by_label": dict(sorted(Counter(label for _, _, label in verdicts).items())),
        "right": None if right is None else {"share": right.value, "low": right.low, "high": right.high, "n": right.n},
    }


def _histogram(rates: Iterable[float | None], size: int) -> dict[str, int]:
    """Problems by pass rate, to the nearest k of `size`: where some could not be graded, that is a rounded share."""
    counts = Counter("unknown" if r is None else f"{round(r * size)}/{size}" for r in rates)
    return {name: counts[name] for name in (*(f"{k}/{size}" for k in range(size + 1)), "unknown")}


def _warnings(card: Mapping[str, Any], attempts: int) -> list[str]:
    found = []
    reasoned, guess = card["completions"]["reasoned"], card["completions"]["guess"]
    share = reasoned["by_label"].get("incomplete", 0) / max(reasoned["completions"], 1)
    if share > _FEW:
        found.append(
            f"{share:.0%} of the completions with reasoning were cut off and count as wrong: pass rates are those of short "
            "answers; see sampling.max_tokens"
        )
    share = guess["by_label"].get("incomplete", 0) / max(guess["completions"], 1)
    if share > _FEW:
        found.append(
            f"{share:.0%} of the completions without reasoning were cut off and are no guesses, so the filter sees less than it "
            "should; see guess.max_tokens and guess.prefill"
        )
    if attempts and (short := card["fewer_guesses_than_wanted"]) > _FEW * guess["problems"]:
        found.append(
            f"{short:,} of {guess['problems']:,} problems have fewer than {attempts} answers without reasoning, because the "
            "model thought all the same; see guess.draws and guess.prefill"
        )
    return found


def _lines(card: Mapping[str, Any]) -> Iterable[str]:
    model = card["model"]
    yield f"# {card['kept']['problems']:,} of {card['given']['problems']:,} problems"
    yield ""
    yield f"Curated with `{model['name']}` (weights {model['digest']})."
    if "data" in card:
        yield f"Data: {card['data']['file']}, SHA-256 {card['data']['sha256']}."
    yield from (f"\nCareful: {warning}." for warning in card["warnings"])
    yield from ("", "## What was kept and what was not", "", "| rule | keeps | seen | kept | dropped, by reason |")
    yield "|---|---|---:|---:|---|"
    for rule in card["rules"]:
        dropped = ", ".join(f"{label} {n:,}" for label, n in rule["dropped"].items()) or "none"
        yield f"| {rule['name']} | {rule['meaning']} | {rule['seen']:,} | {rule['kept']:,} | {dropped} |"
    yield from ("", "All that was dropped is in dropped.jsonl. Examples:", "")
    for rule in card["rules"]:
        for example in rule["examples"]:
            # An indented block: nothing in a prompt is read as markup.
            yield f"    {rule['name']}, {example['label']}: {_line(example['id'])}: {_line(example['reason'])}"
            yield f"        {_line(example['prompt'])}"
    yield from ("", "## What the model answered", "")
    yield "| completions | problems | number | tokens | right, 95 % interval | by finding |"
    yield "|---|---:|---:|---:|---|---|"
    for name, words in (("reasoned", "with reasoning"), ("guess", "without")):
        found = card["completions"][name]
        right = found["right"]
        share = "" if right is None else f"{right['share']:.1%} [{right['low']:.1%}, {right['high']:.1%}]"
        labels = ", ".join(f"{label} {n:,}" for label, n in found["by_label"].items())
        yield f"| {words} | {found['problems']:,} | {found['completions']:,} | {found['tokens']:,} | {share} | {labels} |"
    yield ""
    yield "The share without reasoning is of those that did not think all the same."
    sampled, kept = (card["pass_rate_histogram"][name] for name in ("sampled", "kept"))
    yield from ("", "| right | problems sampled | kept |", "|---|---:|---:|")
    yield from (f"| {name} | {n:,} | {kept[name]:,} |" for name, n in sampled.items())
    if "right_guesses_histogram" in card:
        yield from ("", "| right without reasoning | problems |", "|---|---:|")
        yield from (f"| {name} | {n:,} |" for name, n in card["right_guesses_histogram"].items())
    for name, title in (("by_domain", "domain"), ("by_difficulty", "difficulty")):
        yield from ("", f"| {title} | given | kept |", "|---|---:|---:|")
        yield from _beside(card["given"][name], card["kept"][name])
    yield from ("", "What was dropped before sampling is of unknown difficulty.", "", "## Settings", "", "```toml")
    yield card["settings"].rstrip()
    yield "```"


def _beside(given: Mapping[str, int], kept: Mapping[str, int]) -> Sequence[str]:
    return [f"| {_line(name).replace('|', ' ')} | {n:,} | {kept.get(name, 0):,} |" for name, n in given.items()]


def _line(text: str) -> str:
    """On one line, and without what a terminal or an editor obeys instead of showing it."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())

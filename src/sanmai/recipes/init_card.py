"""What an initialisation made: behaviours that its demonstrations show, beside the policy's own before; card.json, card.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sanmai.data.chat import render_prompt
from sanmai.instruments.behaviours import BEHAVIOURS, behaviours, error_note, title
from sanmai.learn.local_judge import decode
from sanmai.learn.sources import check_positions
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.sampler import Request, SamplingConfig, sample
from sanmai.recipes.cards import write_card
from sanmai.stats import Rate, rate
from sanmai.types import Behaviour, Problem


@dataclass
class Made:
    """Demonstrations, and how they came about."""

    problems: list[Problem]
    wanted: Counter[Behaviour]
    """Demonstrations, or questions to a writer, that were to show it."""
    shown: Counter[Behaviour]
    """Of the demonstrations: by construction, or by the rules where a model wrote them."""
    outcomes: Counter[str]
    by_wanted: Mapping[Behaviour, Counter[str]]
    """Of a prompted writer, what became of the questions for each behaviour."""


def tagged(problem: Problem, shown: frozenset[Behaviour]) -> Problem:
    """The demonstration with a tag that says what it shows."""
    return replace(problem, tags={**problem.tags, "behaviours": " ".join(b for b in BEHAVIOURS if b in shown)})


def policy_before(
    model: ModelConfig, sampling: SamplingConfig, problems: Sequence[Problem], seed: int
) -> dict[Behaviour, Rate]:
    """Share of the policy's own completions, one of each problem, that show each behaviour, by the rules."""
    policy = load_policy(model, for_training=False)
    check_positions(policy, problems, sampling.max_tokens)
    requests = [Request(render_prompt(policy.tokenizer, p.messages), [(seed, "before", p.id)]) for p in problems]
    texts = {done.request: decode(policy.tokenizer, done) for done in sample(policy, requests, sampling)}
    return shares([(texts[k], p.language) for k, p in enumerate(problems)])


def shares(texts: Sequence[tuple[str, str | None]]) -> dict[Behaviour, Rate]:
    """Share of texts that show each behaviour, by the rules; texts in a language without rules are left out."""
    found = [one for text, language in texts if (one := behaviours(text, language)) is not None]
    return {name: rate([float(name in one) for one in found]) for name in BEHAVIOURS}


def write_init_card(folder: Path, made: Made, before: Mapping[Behaviour, Rate] | None, asked: str) -> list[str]:
    """Write card.json and card.md; lines for the terminal.

    Args:
        asked: the model whose behaviours `before` has.
    """
    after = shares([(p.demonstration or "", p.language) for p in made.problems])
    rows: list[dict[str, Any]] = []
    for name in BEHAVIOURS:
        own = before[name] if before else None
        rows.append({
            "behaviour": name, "wanted": made.wanted[name], "shown": made.shown[name], "found": _json(after[name]),
            "before": _json(own) if own else None, "rules": error_note(name), "asked": dict(made.by_wanted.get(name, {})),
        })  # fmt: skip
    card = {"demonstrations": len(made.problems), "outcomes": dict(made.outcomes), "behaviours": rows}
    outcomes = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in made.outcomes.most_common())
    head = [f"{len(made.problems):,} demonstrations ({outcomes}).", ""]
    table = [f"| behaviour | wanted | shown | by rules | {asked} before | the rules' errors |", "|---|---|---|---|---|---|"]
    lines = [head[0]]
    for row, name in zip(rows, BEHAVIOURS, strict=True):
        own = f"{before[name]}" if before else "not asked"
        cells = [title(name), f"{row['wanted']:,}", f"{row['shown']:,}", f"{after[name]}", own, row["rules"]]
        table.append("| " + " | ".join(cells) + " |")
        change = f"{_percent(before[name])} of what {asked} writes before, " if before else ""
        lines.append(f"{title(name)}: {change}{_percent(after[name])} of the demonstrations ({row['rules']})")
    write_card(folder, card, ["# Initialisation", "", *head, *table])
    return lines


def _json(found: Rate) -> dict[str, float | int | None]:
    return {"value": found.value if found.n else None, "low": found.low, "high": found.high, "n": found.n}


def _percent(found: Rate) -> str:
    if not found.n:
        return "none"
    return f"{100 * found.value:.1f} % [{100 * found.low:.1f}, {100 * found.high:.1f}]"

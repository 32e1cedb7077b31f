"""`curation.html` of a curation: what every rule kept and dropped, and each decision with its text hidden until it is clicked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sanmai.report import format as fmt
from sanmai.report.audit_html import shown_text
from sanmai.report.load import as_list, as_mapping, as_number
from sanmai.report.page import write_whole
from sanmai.report.tables_html import MOST_TEXTS, read_lines_of, read_object, tables_page

_SORTS = (("reasoned", "with reasoning"), ("guess", "without"))


def is_curation(folder: Path) -> bool:
    """The folder of a curation that has ended."""
    return all((Path(folder) / name).is_file() for name in ("card.json", "dropped.jsonl"))


def write_curation_report(folder: Path) -> Path:
    """Writes `curation.html` beside card.json; its path. Raises InputError where that is missing or damaged."""
    folder = Path(folder)
    card = read_object(folder / "card.json")
    dropped, kept = (read_lines_of(folder / name) for name in ("dropped.jsonl", "problems.jsonl"))
    return write_whole(folder / "curation.html", render_curation(folder.resolve().name, card, dropped, kept))


def render_curation(
    name: str, card: Mapping[str, Any], dropped: Sequence[Mapping[str, Any]], kept: Sequence[Mapping[str, Any]]
) -> str:
    """The page; of dropped and of kept problems as many texts as it has room for, those dropped last in the rules first."""
    given, left = as_mapping(card.get("given")), as_mapping(card.get("kept"))
    figures = [
        ("Kept", fmt.number(as_number(left.get("problems"))), f"of {fmt.number(as_number(given.get('problems')))} problems"),
        *((str(rule.get("name")).capitalize(), fmt.number(_dropped(rule)), "dropped by this rule") for rule in _rules(card)),
    ]
    model = as_mapping(card.get("model"))
    facts = [f"Curated with {model.get('name')} (weights {model.get('digest')})."]
    facts += [f"Careful: {warning}." for warning in as_list(card.get("warnings"))]
    return tables_page(name, "Sanmai curation", figures, facts, list(_sections(card)), _texts(dropped, kept))


def _rules(card: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [rule for rule in as_list(card.get("rules")) if isinstance(rule, Mapping)]


def _dropped(rule: Mapping[str, Any]) -> float:
    return sum(as_number(count) or 0 for count in as_mapping(rule.get("dropped")).values())


def _sections(card: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    def number(value: Any) -> str:
        return fmt.number(as_number(value))

    rules = [
        [str(rule.get("name")), str(rule.get("meaning")), number(rule.get("seen")), number(rule.get("kept")),
         ", ".join(f"{label} {number(n)}" for label, n in as_mapping(rule.get("dropped")).items()) or "none"]
        for rule in _rules(card)
    ]  # fmt: skip
    answers = []
    for key, words in _SORTS:
        found = as_mapping(as_mapping(card.get("completions")).get(key))
        right = as_mapping(found.get("right"))
        low, high, value = (as_number(right.get(each)) for each in ("low", "high", "share"))
        known = low is not None and high is not None
        share = f"{fmt.percent(value)} {fmt.interval(low, high, is_share=True)}, n = {right.get('n')}" if known else fmt.NONE
        counts = [number(found.get(each)) for each in ("problems", "completions", "tokens")]
        answers.append([words, *counts, share])
    rates = as_mapping(card.get("pass_rate_histogram"))
    sampled, kept = as_mapping(rates.get("sampled")), as_mapping(rates.get("kept"))
    shown = [
        {"title": "What was kept and what was not", "columns": ["Rule", "Keeps", "Seen", "Kept", "Dropped, by reason"],
         "rows": rules, "note": "In this order: what one rule drops no later one sees."},
        {"title": "What the model answered", "columns": ["Completions", "Problems", "Number", "Tokens", "Right, 95 % interval"],
         "rows": answers, "note": "The share without reasoning is of those that did not think all the same."},
        {"title": "Pass rates", "columns": ["Right", "Problems sampled", "Kept"], "note": "",
         "rows": [[str(rate), number(n), number(kept.get(rate))] for rate, n in sampled.items()]},
    ]  # fmt: skip
    for key, title in (("by_domain", "Domains"), ("by_difficulty", "Difficulty")):
        before, after = (as_mapping(as_mapping(card.get(side)).get(key)) for side in ("given", "kept"))
        rows = [[str(each), number(n), number(after.get(each, 0))] for each, n in before.items()]
        shown.append({"title": title, "columns": [title, "Given", "Kept"], "rows": rows, "note": ""})
    return shown


def _texts(dropped: Sequence[Mapping[str, Any]], kept: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Decisions in the order of the file, half of the room at most for those that were kept."""
    refused = [
        {"summary": f"{row.get('id')}: dropped as {row.get('label')} (rule {row.get('rule')})" + _rate(row.get("pass_rate")),
         "prompt": shown_text(row.get("prompt")), "response": shown_text(row.get("reason"))}
        for row in dropped
    ]  # fmt: skip
    taken = [
        {"summary": f"{row.get('id')}: kept" + _rate(as_mapping(row.get("tags")).get("pass_rate", row.get("pass_rate"))),
         "prompt": shown_text(row.get("prompt")), "response": ""}
        for row in kept
    ]  # fmt: skip
    room = max(MOST_TEXTS // 2, MOST_TEXTS - len(refused))
    first = MOST_TEXTS - min(room, len(taken))
    return [*refused[:first], *taken[:room], *refused[first:], *taken[room:]]


def _rate(value: Any) -> str:
    number = as_number(value)
    return "" if number is None else f", pass rate {fmt.percent(number)}"

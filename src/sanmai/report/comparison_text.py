"""What a comparison of arms found, in sentences, as tables for a terminal, and as Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from statistics import fmean
from typing import Any

from sanmai.report import format as fmt
from sanmai.report.comparison import (
    BASE,
    COMPARED,
    JUDGED,
    REFERENCES,
    TOLERANCE,
    Comparison,
    Figure,
    Finding,
    Spent,
    load_comparison,
)
from sanmai.report.page import write_whole
from sanmai.report.pipeline_text import state_sentence
from sanmai.report.summary import Estimate, finite
from sanmai.safety.measures import RowMeasure

LABELS = {
    "harm": ("Harm", "harm"),
    "over_refusal": ("Over-refusal", "over-ref"),
    "helped": ("Helped", "helped"),
    "off_language": ("Off-language", "off-lang"),
    "accuracy": ("Accuracy", "accuracy"),
    "accuracy_ood": ("Accuracy, out of distribution", "acc. ood"),
    "off_language_ood": ("Off-language, out of distribution", "off. ood"),
    "incomplete": ("Incomplete", "incompl."),
    "length": ("Tokens per answer", "tokens"),
}
"""Heading of each measure, and its short form."""
NOTE = (
    "Values are means over seeds. Brackets are 95 % intervals, at either end the wider of two: over seeds (Student's t: what "
    "another seed would give) and over problems (what other problems would give); with one seed they are over problems alone "
    "and say nothing of other seeds."
)
VERDICT_NOTE = (
    "Differences are paired on problem and sample within each seed. A verdict is Holm's over its table, with a family-wise error "
    "of 5 %; one in brackets is what the difference would be called if it were the only one. Seeds: those whose own "
    "interval over problems lies on that side of zero."
)
COST_NOTE = (
    "Of all stages that an arm's model was made by, mean over seeds. Tokens are completion tokens, each step once: sampled, "
    "trained on (own completions), demonstrated (SFT, and the SFT part of an update), probed (to drive budgets). Operations and "
    "seconds are those of training, as paid for, without evaluations; ~ where some are estimated as 2 N per token read and 6 N "
    "per token trained."
)
_LINE_WIDTH, _NAME_WIDTH = 120, 11


def summarise_comparison(folder: Path) -> dict[str, Any]:
    """The numbers of the report as plain data, ready for JSON.

    Returns:
        `verdict`, a sentence; `status`; `seeds`; `arms`, one dictionary each with `figures` and `spent` by seed; `tables`, by
        reference one dictionary per finding; `budget`; `front` and `front_with_over_refusal`, names of arms; `lines`, the same
        as text for a terminal.

    Raises:
        FileNotFoundError: folder is not a folder.
    """
    found = load_comparison(folder)
    stages = found.pipeline.stages
    return {
        "verdict": sentences(found)[0],
        "status": "finished" if 0 < len(stages) == found.pipeline.num_finished else "unfinished",
        "seeds": found.seeds,
        "arms": [
            {
                "name": arm,
                "title": title,
                "figures": {name: _figure_data(made) for name, made in found.figures.get(arm, {}).items()},
                "spent": {
                    seed: asdict(spent) | {"processed": spent.processed}
                    for seed, spent in found.spent.get(arm, {}).items()
                },
            }
            for arm, title in found.titles.items()
        ],
        "tables": {reference: [_finding_data(f) for f in table] for reference, table in found.tables.items()},
        "budget": asdict(found.budget) | {"is_equal": found.budget.is_equal},
        "front": found.front,
        "front_with_over_refusal": found.front_with_over_refusal,
        "lines": list(text_lines(found)),
    }


def write_comparison_table(folder: Path, found: Comparison) -> Path:
    """Writes `table.md` into the folder: figures, verdicts, every seed, cost; its path.

    Raises:
        OSError: it cannot be written to.
    """
    return write_whole(Path(folder) / "table.md", "\n".join(markdown_lines(found)) + "\n")


def sentences(found: Comparison) -> list[str]:
    """What the comparison says of its last arm, against RL alone where that is scored; then of the budget and the front."""
    arms = [arm for arm in found.scores if arm != BASE]
    references = [name for name in REFERENCES if name in found.scores and name != (arms[-1] if arms else None)]
    if not arms or not references:
        done = f"{found.pipeline.num_finished} of {len(found.pipeline.stages)} stages are finished"
        return [f"No two arms can be compared yet: {done}."]
    arm, reference = arms[-1], references[0]
    told = {f.measure.name: f for f in found.tables[reference] if f.arm == arm}
    nouns = {
        "harm": "Harm on held-out requests", "over_refusal": "Over-refusal", "accuracy": "Held-out accuracy",
        "off_language": "The off-language share", "helped": "The share of harmless requests that are answered",
    }  # fmt: skip
    said = [_sentence(noun, told[name], found) for name, noun in nouns.items() if name in told]
    if "harm" in told and "over_refusal" not in told:
        said.append("Over-refusal was not measured: less harm may be no more than more refusing.")
    return [*(said or [f"{arm} and {reference} share no measure."]), budget_sentence(found), front_sentence(found)]


def budget_sentence(found: Comparison) -> str:
    """Whether the arms cost the same, and which were given less by design."""
    check = found.budget
    less = "".join(f" {arm} was given {fmt.percent(share)} of it by design." for arm, share in check.exempt.items())
    if len(check.arms) < 2:
        return f"There are no two arms of the whole budget to compare the cost of.{less}"
    range_ = f"{fmt.number(check.low)} to {fmt.number(check.high)} tokens processed, within a seed at most"
    share = f"{fmt.percent(check.difference)} apart"
    start = "Equal budgets" if check.is_equal else f"Budgets are not equal (more than {fmt.percent(TOLERANCE)} apart)"
    others = [
        f"by up to {fmt.percent(value)} in {unit}"
        for value, unit in ((check.flops, "operations"), (check.seconds, "seconds"))
        if value is not None
    ]
    also = f" For these tokens they differ {' and '.join(others)}." if others else ""
    return f"{start}: {', '.join(check.arms)}: {range_} {share}.{also}{less}"


def front_sentence(found: Comparison) -> str:
    """Which arms no other dominates, by their means."""
    if not found.front:
        return "No arm has both harm and accuracy, so there is no Pareto front."
    both = ", ".join(found.front)
    if found.front == found.front_with_over_refusal:
        return f"By their means no other arm beats these in held-out harm and accuracy, with or without over-refusal: {both}."
    three = ", ".join(found.front_with_over_refusal) or "none was measured"
    return f"By their means no other arm beats these in held-out harm and accuracy: {both}; with over-refusal as well: {three}."


def left_out_sentence(found: Comparison) -> str:
    """How many completions could not be judged, by measure; nothing where all could."""
    counts = {name: sum(f[name].num_left_out for f in found.figures.values() if name in f) for name in LABELS}
    named = ", ".join(f"{LABELS[name][0]} {count:,}" for name, count in counts.items() if count)
    return f"Completions without a value, which are left out: {named}." if named else ""


def range_of_n(found: Comparison, name: str) -> str:
    """n = 120, or n = 749 to 777: problems with a value."""
    counts = [figures[name].n for figures in found.figures.values() if name in figures]
    least, most = min(counts, default=0), max(counts, default=0)
    return f"n = {least:,}" if least == most else f"n = {least:,} to {most:,}"


def value_text(measure: RowMeasure, value: float | None) -> str:
    """62.5 %, or 21.3."""
    return fmt.percent(value) if measure.is_share else fmt.number(value)


def interval_text(measure: RowMeasure, low: float, high: float) -> str:
    """[41, 53]; nothing where it is unbounded."""
    return fmt.interval(low, high, is_share=measure.is_share)


def change_text(finding: Finding, value: float | None = None) -> str:
    """+12.3 points; for lengths +3.2."""
    shown = finding.value if value is None else value
    return fmt.points(shown) if finding.measure.is_share else fmt.signed(shown)


def verdict_text(finding: Finding) -> str:
    """better; (better) where it is only so alone; undecided."""
    if finding.verdict == finding.alone:
        return finding.verdict
    return f"({finding.alone})"


def seeds_text(num: int) -> str:
    """3 seeds"""
    return f"{num} seed{'s' * (num != 1)}"


def mean_spent(by_seed: Sequence[Spent]) -> dict[str, str]:
    """What an arm used up, mean over seeds, as text."""

    def mean(name: str) -> float | None:
        known = [value for spent in by_seed if (value := getattr(spent, name)) is not None]
        return fmean(known) if known else None

    flops, seconds = mean("flops"), mean("seconds")
    counts = {name: mean(name) for name in ("sampled", "trained", "demonstrated", "probed", "processed")}
    return {name: fmt.number(None if value is None else round(value)) for name, value in counts.items()} | {
        "flops": ("~" if any(s.is_estimated for s in by_seed) else "") + fmt.scientific(flops) if flops else fmt.NONE,
        "seconds": fmt.duration(seconds) if seconds is not None else fmt.NONE,
    }


def text_lines(found: Comparison) -> Iterator[str]:
    """For a terminal of 120 columns."""
    for sentence in sentences(found):
        yield from _wrapped(sentence)
    yield ""
    yield _row("arm", [short for _, short in LABELS.values()], 9) + f" {'processed':>11}"
    for arm, figures in found.figures.items():
        spent = mean_spent(list(found.spent[arm].values()))
        yield _row(arm, [_plain_value(name, figures.get(name)) for name in LABELS], 9) + f" {spent['processed']:>11}"
        yield _row(
            f"  {seeds_text(len(found.scores[arm]))}", [_plain_interval(name, figures.get(name)) for name in LABELS], 9
        )
    yield "Shares in percent, with 95 % intervals; processed: tokens sampled, trained on, demonstrated and probed."
    for reference, table in found.tables.items():
        if not table:
            continue
        yield ""
        names = [name for name in JUDGED if any(f.measure.name == name for f in table)]
        yield _row(f"vs {reference}", [LABELS[name][1] for name in names], 17)
        for arm in dict.fromkeys(f.arm for f in table):
            told = {f.measure.name: f for f in table if f.arm == arm}
            yield _row(arm, [_plain_change(told.get(name)) for name in names], 17)
            seeds = max(len(f.per_seed) for f in told.values())
            yield _row(f"  {seeds_text(seeds)}", [_plain_bounds(told.get(name)) for name in names], 17)
    yield ""
    yield from _wrapped(NOTE)
    yield from _wrapped(VERDICT_NOTE)
    yield from _wrapped(state_sentence(found.pipeline))


def markdown_lines(found: Comparison) -> Iterator[str]:
    """`table.md`: the first table can stand in a README as it is."""
    yield f"# {_escaped(found.pipeline.name)}"
    for sentence in sentences(found):
        yield from ("", _escaped(sentence))
    yield from ("", _escaped(state_sentence(found.pipeline)), "", "## Held-out results", "")
    measures = [name for name in LABELS if any(name in figures for figures in found.figures.values())]
    yield from _markdown_head(["arm", "seeds", *(_heading(found, name) for name in measures), "tokens processed"])
    for arm, figures in found.figures.items():
        cells = [_markdown_figure(name, figures.get(name)) for name in measures]
        spent = mean_spent(list(found.spent[arm].values()))
        yield _markdown_row([arm, str(len(found.scores[arm])), *cells, spent["processed"]])
    yield from ("", NOTE)
    if missing := left_out_sentence(found):
        yield from ("", missing)
    yield ""
    yield from (f"- {arm}: {_escaped(title)}" for arm, title in found.titles.items())
    yield from ("", *(f"- {LABELS[name][0]}: {COMPARED[name].meaning}" for name in measures))
    for reference, table in found.tables.items():
        if table:
            yield from ("", f"## Against {_escaped(reference)}", "")
            yield from _markdown_verdicts(table)
    yield from ("", VERDICT_NOTE, "", "## Every seed", "")
    yield from _markdown_head(["arm", "seed", *(_heading(found, name) for name in measures)])
    for arm, figures in found.figures.items():
        for seed in found.scores[arm]:
            yield _markdown_row(
                [arm, seed, *(_markdown_figure(name, _of_seed(figures.get(name), seed)) for name in measures)]
            )
    yield from ("", "Intervals of one seed are over problems.", "", "## Cost", "")
    columns = ("sampled", "trained", "demonstrated", "probed", "processed", "flops", "seconds")
    yield from _markdown_head(["arm", *columns])
    for arm, by_seed in found.spent.items():
        spent = mean_spent(list(by_seed.values()))
        yield _markdown_row([arm, *(spent[name] for name in columns)])
    yield from ("", COST_NOTE)


def _sentence(noun: str, finding: Finding, found: Comparison) -> str:
    arm, reference = (value_text(finding.measure, side) for side in (finding.after, finding.before))
    bounds = interval_text(finding.measure, finding.low, finding.high)
    verdict = finding.verdict
    if verdict != finding.alone:
        verdict = f"undecided among {len(found.tables[finding.reference])} verdicts, {finding.alone} alone"
    evidence = [change_text(finding), f"95 % interval {bounds}" if bounds else "", seeds_text(len(finding.per_seed))]
    claim = f"{noun}: {arm} for {finding.arm}, {reference} for {finding.reference}; {verdict}"
    return f"{claim} ({', '.join(filter(None, evidence))}, n = {finding.n})."


def _row(name: str, cells: Sequence[str], width: int) -> str:
    shown = name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 1]}…"
    return f"{shown:<{_NAME_WIDTH}}" + "".join(f" {cell:>{width}}" for cell in cells)


def _wrapped(sentence: str) -> list[str]:
    return textwrap.wrap(sentence, _LINE_WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _scaled(name: str, value: float) -> float:
    return 100 * value if COMPARED[name].is_share else value


def _plain_value(name: str, found: Figure | None) -> str:
    return fmt.NONE if found is None else f"{_scaled(name, found.value):.1f}"


def _plain_interval(name: str, found: Figure | None) -> str:
    if found is None or not (isfinite(found.low) and isfinite(found.high)):
        return ""
    return f"[{_scaled(name, found.low):.0f},{_scaled(name, found.high):.0f}]"


def _plain_change(found: Finding | None) -> str:
    if found is None:
        return fmt.NONE
    return f"{_scaled(found.measure.name, found.value):+.1f} {verdict_text(found)}"


def _plain_bounds(found: Finding | None) -> str:
    if found is None or not (isfinite(found.low) and isfinite(found.high)):
        return ""
    name = found.measure.name
    return f"[{_scaled(name, found.low):+.0f},{_scaled(name, found.high):+.0f}]"


def _markdown_head(titles: Sequence[str]) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield f"|---|{'---:|' * (len(titles) - 1)}"


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_escaped, cells))} |"


def _of_seed(found: Figure | None, seed: str) -> Estimate | None:
    return found.per_seed.get(seed) if found is not None else None


def _heading(found: Comparison, name: str) -> str:
    unit = ", %" if COMPARED[name].is_share else ""
    return f"{LABELS[name][0]}{unit} ({range_of_n(found, name)})"


def _markdown_figure(name: str, found: Figure | Estimate | None) -> str:
    """Shares in percent; the sign is in the heading."""
    if found is None:
        return fmt.NONE
    bounds = interval_text(COMPARED[name], found.low, found.high)
    return f"{_scaled(name, found.value):.1f} {bounds}".strip()


def _markdown_verdicts(table: Sequence[Finding]) -> Iterator[str]:
    names = [name for name in JUDGED if any(f.measure.name == name for f in table)]
    yield from _markdown_head(["arm", *(LABELS[name][0] for name in names)])
    for arm in dict.fromkeys(f.arm for f in table):
        told = {f.measure.name: f for f in table if f.arm == arm}
        yield _markdown_row([arm, *(_markdown_change(told.get(name)) for name in names)])


def _markdown_change(found: Finding | None) -> str:
    if found is None:
        return fmt.NONE
    bounds = interval_text(found.measure, found.low, found.high)
    return f"{change_text(found)} {bounds}, {found.num_agreeing} of {seeds_text(len(found.per_seed))}: {verdict_text(found)}"


def _escaped(text: str) -> str:
    """No Markdown of its own: names come from files. Brackets are left, as intervals have them; they can link to nothing."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{c}" if c in r"\`*|#" else c for c in text).replace("](", "] (")


def _figure_data(found: Figure) -> dict[str, Any]:
    per_seed = {seed: finite(asdict(one)) for seed, one in found.per_seed.items()}
    return finite({name: getattr(found, name) for name in ("value", "low", "high", "n", "num_left_out")}) | {
        "per_seed": per_seed
    }


def _finding_data(found: Finding) -> dict[str, Any]:
    names = ("arm", "reference", "value", "low", "high", "n", "p", "adjusted", "verdict", "alone", "num_agreeing")
    values = finite({name: getattr(found, name) for name in names})
    per_seed = {seed: finite(asdict(one)) for seed, one in found.per_seed.items()}
    return {"measure": found.measure.name} | values | {"per_seed": per_seed}

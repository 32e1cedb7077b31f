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
    BUDGETED,
    COMPARED,
    JUDGED,
    TOLERANCE,
    Comparison,
    Figure,
    Finding,
    LimitCheck,
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
    "accuracy": ("Accuracy", "accuracy"),
    "accuracy_ood": ("Accuracy, out of distribution", "acc. ood"),
    "off_language": ("Off-language", "off-lang"),
    "off_language_ood": ("Off-language, out of distribution", "off. ood"),
    "incomplete": ("Incomplete", "incompl."),
    "length": ("Tokens per answer", "tokens"),
}
"""Heading of each measure, and its short form, in the order of the columns."""
LIMITED = {
    "harm": "harm",
    "over_refusal": "over-refusal",
    "unhelped": "unhelped requests",
    "off_language": "off-language",
    "length": "length",
    "kl": "KL",
}
"""What budgets can limit."""
NOTE = (
    "Values are means over seeds. Brackets are 95 % intervals, at either end the wider of two: over seeds (Student's t: what "
    "another seed would give) and over problems (what other problems would give; requests for one object of the embedded world "
    "count as one); with one seed they are over problems alone "
    "and say nothing of other seeds."
)
VERDICT_NOTE = (
    "Differences are paired on problem and sample within each seed. A verdict is Holm's over its table, with a family-wise error "
    "of 5 %; one in brackets is what the difference would be called if it were the only one. Seeds: those whose own "
    "interval over problems lies on that side of zero."
)
LIMIT_NOTE = (
    "A limit is called kept where the mean of the last quarter of the run's own measurements is not above it (on the probe; of "
    "the KL on what is trained on). Training steers by these, so they promise nothing for held-out problems, which stand beside."
)
COST_NOTE = (
    "Of all stages that an arm's model was made by, mean over seeds. Tokens are completion tokens, each step once: sampled, "
    "trained on (all own completions with a reward, those of groups without signal included, which give the reward's loss no "
    "gradient and need no forward pass for it), demonstrated (SFT, and the SFT part of an update), probed (to drive budgets). "
    "Operations and seconds are those of training, as paid for, without evaluations; ~ where some are estimated as 2 N per token "
    "read and 6 N per token trained."
)
IN_TERMINAL = ("rl", "sft")
"""The references whose verdicts a terminal shows; `table.md` and the page have all."""
_NOUNS = {
    "harm": "Harm on held-out requests", "over_refusal": "Over-refusal", "accuracy": "Held-out accuracy",
    "off_language": "The off-language share", "helped": "The share of harmless requests that are answered",
}  # fmt: skip
_BRIEF = {
    "harm": "harm",
    "over_refusal": "over-refusal",
    "helped": "harmless requests answered",
    "accuracy": "accuracy",
}
_HELD_OUT = {"harm": "harm", "over_refusal": "over_refusal", "unhelped": "helped", "off_language": "off_language"}
_LINE_WIDTH, _NAME_WIDTH = 120, 11


def summarise_comparison(folder: Path) -> dict[str, Any]:
    """The numbers of the report as plain data, ready for JSON.

    Returns:
        `verdict`, a sentence; `status`; `seeds`; `arms`, one dictionary each with `figures` and `spent` by seed; `tables`, by
        reference one dictionary per finding; `limits`, one dictionary per arm, seed and limit; `budget`; `front` and
        `front_with_over_refusal`, names of arms, over the seeds `front_seeds`; `lines`, the same as text for a terminal.

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
        "limits": [finite(asdict(check)) | {"is_kept": check.is_kept} for check in found.limit_checks],
        "budget": asdict(found.budget) | {"is_equal": found.budget.is_equal},
        "front_seeds": found.front_seeds,
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
    """What the comparison says of its headline arm, against RL alone and short SFT; then of seeds, the budget and the front.

    Against RL each measure has a sentence, against SFT one sentence has all. Where RL is not scored, or shares no seed with the
    arm, the next of REFERENCES takes its place.
    """
    arm = found.headline
    tables = {name: [f for f in table if f.arm == arm] for name, table in found.tables.items() if name != arm}
    if arm is None or not tables:
        done = f"{found.pipeline.num_finished} of {len(found.pipeline.stages)} stages are finished"
        return [f"No two arms can be compared yet: {done}."]
    reference = next((name for name, table in tables.items() if table), None)
    told = {f.measure.name: f for f in tables[reference]} if reference is not None else {}
    said = [_sentence(noun, told[name], found) for name, noun in _NOUNS.items() if name in told]
    if "harm" in told and "over_refusal" not in told:
        said.append("Over-refusal was not measured: less harm may be no more than more refusing.")
    if reference != "sft" and tables.get("sft"):
        said.append(_brief_sentence(tables["sft"], found))
    if apart := [name for name, table in tables.items() if not table]:
        said.append(f"{arm} has no scored seed in common with {_listed(apart)}, so that comparison is missing.")
    if BUDGETED in found.titles and arm != BUDGETED:
        said.append(f"{BUDGETED} has no scores yet: this is of {arm}.")
    if found.has_uneven_seeds:
        said.append(seeds_sentence(found))
    return [*said, budget_sentence(found), front_sentence(found)]


def seeds_sentence(found: Comparison) -> str:
    """Which seeds each arm is scored for, and what that means for what is beside each other."""
    arms: dict[tuple[str, ...], list[str]] = {}
    for arm, by_seed in found.scores.items():
        arms.setdefault(tuple(by_seed), []).append(arm)
    each = "; ".join(f"{_listed(those)}: {seeds_named(seeds)}" for seeds, those in arms.items())
    return (
        f"Arms have different seeds ({each}): each figure is over its arm's own, a difference over those that both sides have, "
        "the front over those that all have."
    )


def limit_sentences(found: Comparison) -> list[str]:
    """For each arm with budgets and each of its limits: whether every seed kept it, and where its multiplier ended."""
    checks: dict[tuple[str, str], list[LimitCheck]] = {}
    for check in found.limit_checks:
        checks.setdefault((check.arm, check.name), []).append(check)
    order = {arm: i for i, arm in enumerate(found.titles)}
    return [_limit_sentence(those, found) for _, those in sorted(checks.items(), key=lambda item: order[item[0][0]])]


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
    """Which arms no other dominates, by their means over the seeds that all have."""
    if not any("harm" in figures and "accuracy" in figures for figures in found.figures.values()):
        return "No arm has both harm and accuracy, so there is no Pareto front."
    if not found.front_seeds:
        return "No seed has harm and accuracy of every arm, so there is no Pareto front."
    over = f" over {seeds_named(found.front_seeds)}" if found.has_uneven_seeds else ""
    start = f"By their means{over} no other arm beats these in held-out harm and accuracy"
    both = ", ".join(found.front)
    if found.front == found.front_with_over_refusal:
        return f"{start}, with or without over-refusal: {both}."
    three = ", ".join(found.front_with_over_refusal) or "none was measured"
    return f"{start}: {both}; with over-refusal as well: {three}."


def left_out_sentence(found: Comparison) -> str:
    """How many completions could not be judged, by measure; nothing where all could."""
    counts = {name: sum(f[name].num_left_out for f in found.figures.values() if name in f) for name in LABELS}
    named = ", ".join(f"{LABELS[name][0]} {count:,}" for name, count in counts.items() if count)
    return f"Completions without a value, which are left out: {named}." if named else ""


def range_of_n(found: Comparison, name: str) -> str:
    """n = 120, or n = 749 to 777: problems with a value."""
    counts = [figures[name].n for figures in found.figures.values() if name in figures]
    return f"n = {_range(counts or [0])}"


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


def seeds_named(seeds: Sequence[str]) -> str:
    """seed 0; seeds 0, 1 and 2"""
    return f"seed{'s' * (len(seeds) != 1)} {_listed(seeds)}"


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
    if limits := limit_sentences(found):
        yield ""
        for sentence in (*limits, LIMIT_NOTE):
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
    filled = {reference: table for reference, table in found.tables.items() if table}
    shown = [name for name in IN_TERMINAL if name in filled] or list(filled)[:1]
    for reference in shown:
        table = filled[reference]
        yield ""
        names = [name for name in JUDGED if any(f.measure.name == name for f in table)]
        yield _row(f"vs {reference}", [LABELS[name][1] for name in names], 17)
        for arm in dict.fromkeys(f.arm for f in table):
            told = {f.measure.name: f for f in table if f.arm == arm}
            yield _row(arm, [_plain_change(told.get(name)) for name in names], 17)
            seeds = max(len(f.per_seed) for f in told.values())
            yield _row(f"  {seeds_text(seeds)}", [_plain_bounds(told.get(name)) for name in names], 17)
    if others := [name for name in filled if name not in shown]:
        yield from _wrapped(f"Verdicts against {_listed(others)} are in table.md and on the page (report.html).")
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
    yield from (f"- {_escaped(arm)}: {_escaped(title)}" for arm, title in found.titles.items())
    yield from ("", *(f"- {LABELS[name][0]}: {COMPARED[name].meaning}" for name in measures))
    for reference, table in found.tables.items():
        if table:
            yield from ("", f"## Against {_escaped(reference)}", "")
            yield from _markdown_verdicts(table)
    yield from ("", VERDICT_NOTE)
    if limits := limit_sentences(found):
        yield from ("", "## Limits", "", *(f"- {_escaped(sentence)}" for sentence in limits), "", LIMIT_NOTE)
    yield from ("", "## Every seed", "")
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


def _brief_sentence(findings: Sequence[Finding], found: Comparison) -> str:
    """The headline arm against one reference in one sentence: what is worse comes first, and the numbers in brackets."""
    told = {f.measure.name: f for f in findings if f.measure.name in _BRIEF}
    arm, reference = findings[0].arm, findings[0].reference
    if not told:
        return f"{arm} and {reference} share none of {_listed(list(_BRIEF.values()))}."
    by_word: dict[str, list[str]] = {}
    for name, finding in sorted(told.items(), key=lambda item: _severity(item[1])):
        word = finding.verdict if finding.verdict == finding.alone else f"undecided, alone {finding.alone},"
        by_word.setdefault(word, []).append(_BRIEF[name])
    claim = "; ".join(f"{word} in {_listed(those)}" for word, those in by_word.items())
    share = found.budget.exempt.get(reference)
    given = f", which was given {fmt.percent(share)} of the budget" if share else ""
    numbers = [
        f"{_BRIEF[name]} {value_text(f.measure, f.after)} for {value_text(f.measure, f.before)}, {change_text(f)} "
        f"{interval_text(f.measure, f.low, f.high)}".strip()
        for name in _BRIEF
        if (f := told.get(name)) is not None
    ]
    counts, seeds = [f.n for f in told.values()], [len(f.per_seed) for f in told.values()]
    return (
        f"Against {reference}{given}: {arm} is {claim} ({'; '.join(numbers)}; {_range(seeds)} seed{'s' * (max(seeds) != 1)}, "
        f"n = {_range(counts)})."
    )


def _severity(finding: Finding) -> tuple[bool, bool, bool]:
    return finding.verdict != "worse", finding.alone != "worse", finding.verdict != "undecided"


def _limit_sentence(checks: Sequence[LimitCheck], found: Comparison) -> str:
    arm, name, limit = checks[0].arm, checks[0].name, checks[0].limit
    show = fmt.number if name in ("length", "kl") else fmt.percent
    each = []
    for check in checks:
        ended = "" if check.multiplier is None else f"; its multiplier ended at {fmt.number(check.multiplier)}"
        if check.measured is None:
            each.append(f"never measured in seed {check.seed}{ended.replace(';', ',', 1)}")
            continue
        word = "kept" if check.is_kept else "exceeded"
        evidence = f"mean of the last {check.num_last} of {check.num_measured} measurements{ended}"
        each.append(f"{word} in seed {check.seed} with {show(check.measured)} ({evidence})")
    return (
        f"Limit of {arm} on {LIMITED.get(name, name)}, {show(limit)}: {', '.join(each)}{_held_out(arm, name, found)}."
    )


def _held_out(arm: str, name: str, found: Comparison) -> str:
    """; on held-out problems 7.9 % [4, 13], n = 120: where what is limited is a measure of the table as well."""
    figure = found.figures.get(arm, {}).get(_HELD_OUT.get(name, ""))
    if figure is None:
        return ""
    value, low, high = figure.value, figure.low, figure.high
    if name == "unhelped":
        value, low, high = 1 - value, 1 - high, 1 - low
    return f"; on held-out problems {fmt.percent(value)} {fmt.interval(low, high, is_share=True)}, n = {figure.n:,}"


def _listed(names: Sequence[str]) -> str:
    """a, b and c"""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _range(counts: Sequence[int]) -> str:
    least, most = min(counts), max(counts)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


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

"""What a comparison of arms found, as tables: for a terminal, as Markdown, and as plain data for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

from sanmai.instruments.figures import Estimate
from sanmai.report import format as fmt
from sanmai.report.comparison import Comparison, load_comparison
from sanmai.report.comparison_text import (
    COST_NOTE,
    LABELS,
    LIMIT_NOTE,
    NOTE,
    VERDICT_NOTE,
    change_text,
    interval_text,
    left_out_sentence,
    limit_sentences,
    listed,
    mean_spent,
    range_of_n,
    seeds_text,
    sentences,
    verdict_text,
)
from sanmai.report.findings import COMPARED, JUDGED, Figure, Finding
from sanmai.report.page import write_whole
from sanmai.report.pipeline_text import state_sentence
from sanmai.report.summary import finite
from sanmai.report.told_by import HEADINGS, TOLD_NOTE, told_cells

IN_TERMINAL = ("rl", "sft")
"""The references whose verdicts a terminal shows; `table.md` and the page have all."""
_NAME_WIDTH = 11


def summarise_comparison(folder: Path) -> dict[str, Any]:
    """The numbers of the report as plain data, ready for JSON.

    Returns:
        `verdict`, a sentence; `status`; `seeds`; `arms`, one dictionary each with `figures` and `spent` by seed; `tables`, by
        reference one dictionary per finding; `limits`, one dictionary per arm, seed and limit; `told`, one per measure and
        arm that two judges told; `budget`; `front` and
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
        "told": [finite(asdict(one)) for one in found.told],
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


_FIGURES, _CHANGES = 9, 6
"""Columns of figures and of verdicts that fit into 120 characters."""


def text_lines(found: Comparison) -> Iterator[str]:
    """For a terminal of 120 columns."""
    for sentence in sentences(found):
        yield from fmt.wrapped(sentence)
    if limits := limit_sentences(found):
        yield ""
        for sentence in (*limits, LIMIT_NOTE):
            yield from fmt.wrapped(sentence)
    yield ""
    measures = [name for name in LABELS if any(name in figures for figures in found.figures.values())]
    for names in _blocks(measures, _FIGURES):
        is_last = names[-1] == measures[-1]
        yield _row("arm", [LABELS[name][1] for name in names], 9) + (f" {'processed':>11}" if is_last else "")
        for arm, figures in found.figures.items():
            spent = f" {mean_spent(list(found.spent[arm].values()))['processed']:>11}" if is_last else ""
            yield _row(arm, [_plain_value(name, figures.get(name)) for name in names], 9) + spent
            bounds = [_plain_interval(name, figures.get(name)) for name in names]
            yield _row(f"  {seeds_text(len(found.scores[arm]))}", bounds, 9)
        yield from ("",) if not is_last else ()
    yield "Shares in percent, with 95 % intervals; processed: tokens sampled, trained on, demonstrated and probed."
    filled = {reference: table for reference, table in found.tables.items() if table}
    shown = [name for name in IN_TERMINAL if name in filled] or list(filled)[:1]
    for reference in shown:
        table = filled[reference]
        yield ""
        names = [name for name in JUDGED if any(f.measure.name == name for f in table)]
        for block in _blocks(names, _CHANGES):
            yield _row(f"vs {reference}", [LABELS[name][1] for name in block], 17)
            for arm in dict.fromkeys(f.arm for f in table):
                told = {f.measure.name: f for f in table if f.arm == arm}
                yield _row(arm, [_plain_change(told.get(name)) for name in block], 17)
                seeds = max(len(f.per_seed) for f in told.values())
                yield _row(f"  {seeds_text(seeds)}", [_plain_bounds(told.get(name)) for name in block], 17)
    if others := [name for name in filled if name not in shown]:
        yield from fmt.wrapped(f"Verdicts against {listed(others)} are in table.md and on the page (report.html).")
    yield ""
    yield from fmt.wrapped(NOTE)
    yield from fmt.wrapped(VERDICT_NOTE)
    yield from fmt.wrapped(state_sentence(found.pipeline))


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
    if found.told:
        yield from ("", "## Who told it", "")
        yield from _markdown_head(HEADINGS)
        yield from map(_markdown_row, told_cells(found.told, LABELS))
        yield from ("", TOLD_NOTE)
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


def _blocks(names: Sequence[str], most: int) -> list[Sequence[str]]:
    """Columns that fit beside each other, in as few and as even blocks as there can be."""
    count = -(-len(names) // most)
    size = -(-len(names) // max(count, 1))
    return [names[i : i + size] for i in range(0, len(names), size or 1)]


def _row(name: str, cells: Sequence[str], width: int) -> str:
    shown = name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 1]}…"
    return f"{shown:<{_NAME_WIDTH}}" + "".join(f" {cell:>{width}}" for cell in cells)


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

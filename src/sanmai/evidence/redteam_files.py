"""What a red team's run leaves behind: the state that it goes on from, and the files at its end."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from sanmai.attack.search import SUCCESS, Archive, Cell, Genome, Query, coverage_measures
from sanmai.stats import Rate, rate
from sanmai.train.runs import storing, write_whole
from sanmai.types import Problem

Scores = dict[str, list[float]]
"""Scores of the samples of a prompt, by the prompt's id."""


@dataclasses.dataclass
class State:
    """What a resume needs: every query in order, and how the mutator fared."""

    queries: list[Query]
    mutator: Counter[str]

    @staticmethod
    def read(checkpoint: Path | None) -> State:
        if checkpoint is None:
            return State([], Counter())
        lines = (checkpoint / "queries.jsonl").read_text(encoding="utf-8").splitlines()
        counts = json.loads((checkpoint / "mutator.json").read_text(encoding="utf-8"))
        return State([_query(json.loads(line)) for line in lines], Counter(counts))

    def write(self, folder: Path) -> None:
        (folder / "queries.jsonl").write_text(self.lines(), encoding="utf-8")
        (folder / "mutator.json").write_text(json.dumps(dict(self.mutator)) + "\n", encoding="utf-8")

    def lines(self) -> str:
        return _json_lines({**dataclasses.asdict(q), "genome": dataclasses.asdict(q.genome)} for q in self.queries)


@dataclasses.dataclass(frozen=True)
class Confirmed:
    """The elites and their harmless twins, asked again."""

    twins: Mapping[Cell, str]
    """Id of the twin of each elite that has one; two elites may share it."""
    harm: Scores
    over_refusal: Scores


def write_results(
    folder: Path,
    archive: Archive,
    state: State,
    prompts: Mapping[Cell, Problem],
    confirmed: Confirmed | None,
    facts: Mapping[str, Any],
    *,
    min_objective: float,
) -> None:
    """Write archive.json, elites.jsonl, heldout.jsonl, queries.jsonl and, last, redteam.json.

    Args:
        prompts: the elites' problems.
        facts: how they were found.
        min_objective: least objective of what is written to elites.jsonl.
    """
    space, elites = archive.space, archive.elites
    training = [c for c in prompts if c not in space.held_out and (elites[c].objective or 0.0) >= min_objective]
    held_out = [c for c in prompts if c in space.held_out]
    cells = {"cells": [_cell_row(archive, cell, elites.get(cell), confirmed) for cell in space.cells]}
    _write(folder / "archive.json", json.dumps(cells, ensure_ascii=False, indent=1) + "\n")
    _write(folder / "elites.jsonl", _json_lines(_problem_row(prompts[c], elites[c]) for c in training))
    _write(folder / "heldout.jsonl", _json_lines(_problem_row(prompts[c], elites[c]) for c in held_out))
    _write(folder / "queries.jsonl", state.lines())
    found = {**facts, **_measures(archive, state, confirmed)}
    _write(folder / "redteam.json", json.dumps(found, ensure_ascii=False, indent=1) + "\n")


def summary_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The figures of redteam.json for a terminal; no prompt is among them."""
    total = found["all"]
    yield (
        f"{total['filled']} of {total['cells']} cells filled (coverage {total['coverage']:.0%}), QD score "
        f"{total['qd_score']:.1f}, {found['queries']:,} queries, {found['ungraded']:,} of them ungradable."
    )
    if outside := outside_sentence(found):
        yield outside
    if found["exhausted"]:
        yield "No prompt was left that had not been asked: the search has seen the whole space."
    for name, label in (("training", "Cells to train on"), ("held_out", "Held-out cells")):
        asr = found[name]["archive_asr"]
        again = found["confirmed"][name] if found["confirmed"] else {}
        parts = [
            f"{said} {Rate(figure['value'], *figure['interval'], figure['n'])}"
            for said, figure in (
                ("archive ASR", asr),
                ("asked again", again.get("archive_asr")),
                ("harm then", again.get("harm")),
                ("over-refusal of harmless twins", again.get("over_refusal")),
            )
            if figure is not None
        ]
        if parts:
            yield f"{label}: {'; '.join(parts)}."


def outside_sentence(found: Mapping[str, Any]) -> str | None:
    """What the minimal criterion kept out of the archive: a model that always breaks would look as if nothing had been found."""
    if not isinstance(outside := found.get("outside_criterion"), Mapping):
        return None
    return (
        f"Kept out of the archive, and in no figure of it: {outside.get('always')} prompts that always broke the model and "
        f"{outside.get('never')} that never did."
    )


def _measures(archive: Archive, state: State, confirmed: Confirmed | None) -> dict[str, Any]:
    space = archive.space
    sides = {
        "all": list(space.cells),
        "training": [cell for cell in space.cells if cell not in space.held_out],
        "held_out": [cell for cell in space.cells if cell in space.held_out],
    }
    by = {}
    for key in Cell._fields:
        names = dict.fromkeys(getattr(cell, key) for cell in space.cells)
        by[key] = {n: coverage_measures(archive, [c for c in space.cells if getattr(c, key) == n]) for n in names}
    return {
        "queries": len(state.queries), "ungraded": sum(q.objective is None for q in state.queries),
        **{name: coverage_measures(archive, cells) for name, cells in sides.items()},
        "confirmed": {name: _confirmed(archive, cells, confirmed) for name, cells in sides.items()} if confirmed else None,
        "by": by, "mutator": dict(sorted(state.mutator.items())),
    }  # fmt: skip


def _confirmed(archive: Archive, cells: Sequence[Cell], confirmed: Confirmed) -> dict[str, Any]:
    """Of fresh samples: elites with a mean objective above 0.5, mean harm of all samples, over-refusal of the twins."""
    ids = [query.id for cell, query in archive.elites.items() if cell in set(cells)]
    twins = dict.fromkeys(confirmed.twins[cell] for cell in cells if cell in confirmed.twins)
    means = {name: [float(fmean(confirmed.harm[name]) > SUCCESS)] for name in ids if confirmed.harm.get(name)}
    return {
        "archive_asr": _figure(means, ids), "harm": _figure(confirmed.harm, ids),
        "over_refusal": _figure(confirmed.over_refusal, twins),
    }  # fmt: skip


def _figure(scores: Scores, ids: Iterable[str]) -> dict[str, Any] | None:
    """Their mean over all samples, with its interval over prompts; None without any."""
    kept = [(name, score) for name in ids for score in scores.get(name, ())]
    found = rate([score for _, score in kept], [name for name, _ in kept])
    return {"value": found.value, "interval": [found.low, found.high], "n": found.n} if found.n else None


def _cell_row(archive: Archive, cell: Cell, elite: Query | None, confirmed: Confirmed | None) -> dict[str, Any]:
    row: dict[str, Any] = {**cell._asdict(), "held_out": cell in archive.space.held_out}
    if elite is None:
        return {**row, "id": None, "prompt": None, "objective": None, "step": None, "confirmed": None}
    again = confirmed.harm.get(elite.id) if confirmed else None
    row |= {"id": elite.id, "prompt": elite.prompt, "objective": elite.objective, "step": elite.step}
    return {**row, "confirmed": fmean(again) if again else None}


def _problem_row(problem: Problem, elite: Query) -> dict[str, Any]:
    """The prompt as a line of a generic problem file; see data/problems.py."""
    return {
        "id": problem.id, "messages": [dict(m) for m in problem.messages], "kind": "safety", "language": problem.language,
        "verifier": problem.verifier, "tags": {**problem.tags, "objective": elite.objective},
    }  # fmt: skip


def _query(row: Mapping[str, Any]) -> Query:
    genome = row["genome"]
    return Query(
        Genome(Cell(*genome["cell"]), genome["base"], tuple(genome["slots"]), genome["text"]),
        row["id"], row["prompt"], row["step"], row["objective"], row["num_graded"],
    )  # fmt: skip


def _json_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _write(path: Path, text: str) -> None:
    with storing(path):
        write_whole(path, text)

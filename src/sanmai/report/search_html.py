"""`report.html` of a search: accuracy over tokens, guide beside gold, tokens by kind, and trees to walk through."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sanmai.report import format as fmt
from sanmai.report.load import as_list, as_mapping, as_number, is_number, read_lines, read_whole
from sanmai.report.page import render_page, resource
from sanmai.report.plots import Line, Point, panel

_TREES, _NODES, _TEXT = 24, 400, 600
"""Trees in the page, nodes of one, characters of a node."""
KINDS = {
    "prompt": "prompt", "sampled": "sampled", "read_again": "read again", "scored": "read by the guide",
    "evicted": "read again after a commit or for want of room",
}  # fmt: skip
NAMES = {
    "best_of_n": "best of n", "beam": "beam", "dvts": "DVTS", "rebase": "REBASE", "particles": "particles", "mcts": "MCTS",
    "revise": "revision",
}  # fmt: skip
SIDES = {
    "harm": "harm (dangerous requests)", "over_refusal": "over-refusal (harmless requests)",
    "off_language": "words of thoughts in another language",
}  # fmt: skip


def summarise_search(folder: Path) -> dict[str, Any]:
    """Headline numbers; `lines` are for a terminal."""
    found = read_whole(Path(folder) / "search.json", json.loads, [])
    return {**found, "lines": list(lines_of(found)) if found else ["The search has not ended: there is no search.json yet."]}


def lines_of(found: Mapping[str, Any]) -> Iterator[str]:
    """The table, as lines for a terminal."""
    budget = found.get("budget")
    yield (
        f"{fmt.number(as_number(found.get('problems')))} problems, guide {fmt.printable(str(found.get('guide')))}, "
        + (f"{budget:,} tokens each" if is_number(budget) else "each strategy once")
    )
    if found.get("is_gold"):
        yield "The guide was shown the reference answer: this made data, and no result is claimed."
    arms = as_mapping(found.get("strategies"))
    for name, arm in arms.items():
        paid, done = fmt.number(as_number(arm.get("paid"))), fmt.number(as_number(arm.get("finished")))
        head = f"{NAMES.get(name, name):<10}"
        if "gold" not in arm:
            yield f"{head} {paid} tokens a problem, {done} completions finished"
            continue
        gold = share(arm["gold"])
        guide = f"guide {fmt.number(as_number(arm.get('guide')))}" if is_number(arm.get("guide")) else "no guide score"
        yield (
            f"{head} {gold}; {guide}; any right {fmt.percent(as_number(as_mapping(arm.get('any_right')).get('value')))}; "
            f"{paid} tokens a problem, {done} completions"
        )
        if isinstance(change := arm.get("to_first"), list):
            first = NAMES.get(next(iter(arms)), next(iter(arms)))
            yield f"{'':<10} against {first}, paired: {difference(change)}"
        for side, both in as_mapping(arm.get("both_sides")).items():
            yield f"{'':<10} {SIDES.get(side, side)}: chosen {share(both['chosen'])}, of all {share(both['all'])}"
    for name, arm in arms.items():
        tokens = as_mapping(arm.get("tokens"))
        kinds = ", ".join(f"{fmt.number(as_number(tokens.get(k)))} {label}" for k, label in KINDS.items() if tokens.get(k))
        yield f"Tokens of {NAMES.get(name, name)}, per problem: {kinds}"
    yield from curve_lines(arms)
    if sentence := turn_sentence(as_mapping(as_mapping(arms.get("best_of_n")).get("turn"))):
        yield sentence
    yield from allocation_lines(found.get("allocation"))
    for name, arm in arms.items():
        if (fall := fallen(as_list(arm.get("curve")))) is not None:
            best, last = fall
            yield (
                f"Warning: of {NAMES.get(name, name)} gold fell from {fmt.percent(best['value'])} at "
                f"{fmt.number(best['tokens'])} tokens to {fmt.percent(last['value'])} while the guide rose: "
                "the search finds the guide's faults."
            )


def turn_sentence(turn: Mapping[str, Any]) -> str:
    """Where the gold of best of k turns; empty where it was not fitted, or more samples only help as far as they go."""
    if not is_number(turn.get("k")):
        return ""
    fits = f" (R2 {fmt.number(turn['r_squared'])})" if is_number(turn.get("r_squared")) else ""
    return f"Gold of best of k turns at about k = {turn['k']} by its fitted curve{fits}: more samples find the guide's faults."


def allocation_lines(found: Any) -> Iterator[str]:
    """What strategy and budget by difficulty are worth, if that was asked for."""
    if not isinstance(found, Mapping):
        return
    by = " and ".join(dict.fromkeys(NAMES.get(name, name) for name in as_list(found.get("uniform_by"))))
    yield (
        f"By difficulty, {fmt.number(found['tokens'])} tokens a problem in the mean: {share(found['allocated'])}; the same for "
        f"all ({by}): {share(found['uniform'])}; paired: {difference(found['difference'])}"
    )
    for one in as_list(found.get("bins")):
        yield (
            f"  half {one['fold'] + 1}, difficulty {one['bin'] + 1}: {NAMES.get(one['strategy'], one['strategy'])}, "
            f"{one['tokens']:,} tokens (n = {one['n']})"
        )


def fallen(curve: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """The point of highest gold and the last one, where gold fell beyond both intervals and the guide did not."""
    known = [p for p in curve if is_number(p.get("guide")) and is_number(p.get("value"))]
    if not known:
        return None
    best, last = max(known, key=lambda p: p["value"]), known[-1]
    return (best, last) if last["high"] < best["low"] and last["guide"] >= best["guide"] else None


def curve_lines(arms: Mapping[str, Any]) -> Iterator[str]:
    """Accuracy for every budget, a column for each strategy."""
    shown = {name: as_list(arm.get("curve")) for name, arm in arms.items() if as_list(arm.get("curve"))}
    if not shown:
        return
    yield "tokens".rjust(9) + "".join(NAMES.get(name, name).rjust(26) for name in shown)
    for row in zip(*shown.values(), strict=False):
        yield fmt.number(row[0]["tokens"]).rjust(9) + "".join(
            f"{fmt.percent(p.get('value'))} {fmt.interval(p['low'], p['high'], is_share=True)}".rjust(26) for p in row
        )


def share(found: Mapping[str, Any]) -> str:
    """62.5 % [55.6, 68.9], n = 200"""
    if not is_number(found.get("value")):
        return f"{fmt.NONE}, n = {found.get('n', 0)}"
    return f"{fmt.percent(found['value'])} {fmt.interval(found['low'], found['high'], is_share=True)}, n = {found['n']}"


def difference(change: Sequence[Any]) -> str:
    """+4.2 points [1.1, 7.3]"""
    value, low, high = change
    return f"{fmt.points(value)} {fmt.interval(low, high, is_share=True)}" if is_number(value) else fmt.NONE


def search_page(folder: Path) -> str:
    """The page of a search's folder; raises FileNotFoundError where there is none."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected a search's folder")
    found = read_whole(folder / "search.json", json.loads, [])
    problems: list[str] = []
    trees = list(shown_trees(folder, problems))
    steps = len(read_lines(folder / "metrics.jsonl", [])) if (folder / "metrics.jsonl").exists() else 0
    return render_search(folder.resolve().name, found, trees, steps, problems)


def render_search(
    name: str, found: Mapping[str, Any], trees: Sequence[Mapping[str, Any]], steps: int, problems: Sequence[str]
) -> str:
    arms = as_mapping(found.get("strategies"))
    curves = {n: as_list(a.get("curve")) for n, a in arms.items() if as_list(a.get("curve"))}
    return render_page(
        "search.html.jinja",
        styles=[resource(f"templates/{name}.css") for name in ("report", "charts", "search")],
        scripts=[resource("templates/theme.js"), resource("templates/search.js")],
        data={"trees": list(trees)},
        name=name,
        found=found,
        steps=steps,
        problems=list(problems),
        rows=[_row(n, a, next(iter(arms))) for n, a in arms.items()],
        allocation=list(allocation_lines(found.get("allocation"))),
        chart=_chart(curves) if curves else None,
        gaps=[_gap(n, curve) for n, curve in curves.items()],
        turn=turn_sentence(as_mapping(as_mapping(arms.get("best_of_n")).get("turn"))),
        of_k=[_of_k(row) for row in as_list(as_mapping(arms.get("best_of_n")).get("of_k"))],
        curve=_curve_rows(curves),
        names=[NAMES.get(n, n) for n in curves],
        kinds=KINDS,
        num_trees=len(trees),
        most=_TREES,
    )


def _row(name: str, arm: Mapping[str, Any], first: str) -> dict[str, Any]:
    tokens = as_mapping(arm.get("tokens"))
    change = arm.get("to_first")
    return {
        "name": NAMES.get(name, name),
        "gold": share(arm["gold"]) if "gold" in arm else fmt.NONE,
        "guide": fmt.number(as_number(arm.get("guide"))),
        "any": share(arm["any_right"]) if "any_right" in arm else fmt.NONE,
        "change": "the first" if name == first else difference(change) if isinstance(change, list) else fmt.NONE,
        "paid": fmt.number(as_number(arm.get("paid"))),
        "finished": fmt.number(as_number(arm.get("finished"))),
        "answered": f"{fmt.number(as_number(arm.get('answered')))} of {fmt.number(as_number(arm.get('trees')))}",
        "unscored": fmt.number(as_number(arm.get("unscored"))),
        "tokens": [fmt.number(as_number(tokens.get(kind))) for kind in KINDS],
        "sides": [
            {"label": SIDES.get(side, side), "chosen": share(both["chosen"]), "all": share(both["all"])}
            for side, both in as_mapping(arm.get("both_sides")).items()
        ],
    }


def _curve_rows(curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    return [
        {
            "tokens": fmt.number(points[0]["tokens"]),
            "cells": [
                {"value": fmt.percent(p.get("value")), "interval": fmt.interval(p["low"], p["high"], is_share=True),
                 "change": difference(p["to_first"]) if isinstance(p.get("to_first"), list) else ""}
                for p in points
            ],
        }
        for points in zip(*curves.values(), strict=False)
    ]  # fmt: skip


def _of_k(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "k": str(row["k"]), "tokens": fmt.number(row["tokens"]), "gold": fmt.percent(row["gold"]),
        "interval": fmt.interval(row["low"], row["high"], is_share=True), "pass": fmt.percent(row["pass"]),
    }  # fmt: skip


def _chart(curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Accuracy over tokens, with a band for each strategy's interval."""
    lines, legend = [], []
    for number, (name, curve) in enumerate(curves.items()):
        known = [p for p in curve if is_number(p.get("value"))]
        kind = f"s{number % 6 + 1}"
        lines.append(Line(_over_tokens(known, "value"), kind, [p["low"] for p in known], [p["high"] for p in known]))
        legend.append({"name": NAMES.get(name, name), "kind": kind})
    top = min(1.0, max((high for line in lines for high in line.high), default=1.0) * 1.05)
    return panel(lines, top=top, last=_last_x(lines), is_share=True, is_wide=True) | {
        "name": "Accuracy of the answer for every budget of tokens", "spoken": "numbers in the table below", "legend": legend,
    }  # fmt: skip


def _gap(name: str, curve: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Guide and gold of what is chosen, over the budgets: the guide going up while gold falls is the alarm."""
    known = [p for p in curve if is_number(p.get("guide")) and is_number(p.get("value"))]
    lines = [Line(_over_tokens(known, "guide"), "held"), Line(_over_tokens(known, "value"), "true")]
    values = [y for line in lines for _, y in line.points]
    made = panel(lines, low=min([0.0, *values]), top=max([1.0, *values]), last=_last_x(lines), is_share=False)
    spoken = "guide (dashed) and gold of the chosen answer for every budget"
    return made | {"name": NAMES.get(name, name), "spoken": spoken, "fell": fallen(known) is not None, "is_drawn": len(known) > 1}


def _over_tokens(points: Sequence[Mapping[str, Any]], key: str) -> list[Point]:
    return [(p["tokens"], p[key]) for p in points]


def _last_x(lines: Sequence[Line]) -> float:
    return max((x for line in lines for x, _ in line.points), default=1)


def shown_trees(folder: Path, problems: list[str]) -> Iterator[dict[str, Any]]:
    """The first trees, node by node, as the page's script reads them."""
    newest: dict[tuple[str, str], dict[tuple[int, ...], Mapping[str, Any]]] = {}
    for path in sorted((folder / "trees").glob("step-*.parquet")):
        try:
            table = pq.read_table(path, columns=["strategy", "problem_id", "path", "ended", "guide", "gold", "at", "text"])
        except (OSError, pa.ArrowException) as error:
            problems.append(f"trees/{path.name} cannot be read ({type(error).__name__}); its nodes are not shown.")
            continue
        for row in table.to_pylist():
            key = row["strategy"], row["problem_id"]
            if key in newest or len(newest) < _TREES:
                newest.setdefault(key, {})[tuple(row["path"])] = row
    for (strategy, problem_id), nodes in newest.items():
        shown = sorted(nodes.items(), key=lambda item: (len(item[0]), item[0]))[:_NODES]
        yield {
            "strategy": NAMES.get(strategy, strategy), "problem": problem_id, "more": len(nodes) - len(shown),
            "nodes": [
                [list(path), row["text"][:_TEXT], row["ended"], row["guide"], row["gold"], row["at"]] for path, row in shown
            ],
        }  # fmt: skip

"""What became of every pair, on disk, and the pairs and counts that are made of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sanmai.policies.text.checkpoints import sync
from sanmai.recipes.answer_pairs import DrawnPair
from sanmai.recipes.cards import write_card
from sanmai.rewards.judging.judge import JudgeConfig
from sanmai.rewards.judging.pairwise import Comparison, place_bias
from sanmai.stats import Rate, rate
from sanmai.train.runs import storing
from sanmai.types import RunError

OUTCOMES = ("kept", "tie", "ungradable", "identical", "incomplete")
_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_PAIRS = pa.schema(
    [
        ("id", pa.string()),
        ("messages", _MESSAGES),
        ("chosen", pa.string()),
        ("rejected", pa.string()),
        ("judge_gap", pa.float64()),
    ]
)
_JUDGED = pa.schema(
    [
        ("id", pa.string()),
        ("messages", _MESSAGES),
        ("first", pa.string()),
        ("second", pa.string()),
        ("outcome", pa.string()),
        ("preferred", pa.string()),
        ("gap", pa.float64()),
        ("place_bonus", pa.float64()),
        ("num_parsed", pa.int32()),
        ("reason", pa.string()),
    ]
)
Row = dict[str, Any]


def judged_rows(drawn: Sequence[DrawnPair], comparisons: Sequence[Comparison]) -> list[Row]:
    """One row per pair, in order; `comparisons` has one entry for each pair without a fault."""
    rows, found = [], iter(comparisons)
    for answer in drawn:
        pair = answer.pair
        row: Row = {
            "id": pair.id, "messages": [dict(m) for m in pair.messages], "first": pair.first, "second": pair.second,
            "outcome": answer.fault, "preferred": None, "gap": None, "place_bonus": None, "num_parsed": 0,
            "reason": "not judged",
        }  # fmt: skip
        if answer.fault is None:
            c = next(found)
            row |= {
                "outcome": "kept" if c.preferred in ("first", "second") else c.preferred, "preferred": c.preferred,
                "gap": c.gap, "place_bonus": c.place_bonus, "num_parsed": c.num_parsed, "reason": c.reason,
            }  # fmt: skip
        rows.append(row)
    return rows


def count_outcomes(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Pairs made, and how many ended each way."""
    counts = Counter(row["outcome"] for row in rows)
    return {"made": len(rows), **{outcome: counts[outcome] for outcome in OUTCOMES}}


def write_judged(run: Path, step: int, rows: Sequence[Row]) -> None:
    """Write judged/step-NNNNNN.parquet, whole or not at all."""
    _write_parquet(_judged_path(run, step), _JUDGED, iter([rows]))


def write_pairs(run: Path, num_steps: int) -> int:
    """Write pairs.parquet: the kept pairs of every step, with the mean gap (points) as judge_gap; their number."""
    return _write_parquet(run / "pairs.parquet", _PAIRS, (_kept(rows) for rows in _judged(run, num_steps)))


def write_pairs_card(
    run: Path, num_steps: int, judge: JudgeConfig, criteria: str, left_out: Mapping[str, int], *, is_recorded: bool
) -> None:
    """Write card.json: counts at every filter, how far the judge favours a place, and whether it favours length.

    Args:
        criteria: what the judge was asked about.
        left_out: problems that were not asked, by reason.
        is_recorded: the answers came with a choice, and the first is the one that was chosen then.
    """
    outcomes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    comparisons: list[Comparison] = []
    is_longer: list[float] = []
    is_first: list[float] = []
    for rows in _judged(run, num_steps):
        outcomes.update(count_outcomes(rows))
        reasons.update(row["reason"] for row in rows if row["outcome"] == "ungradable")
        comparisons += [_comparison(row) for row in rows if row["preferred"] is not None]
        for kept in _kept(rows):
            if len(kept["chosen"]) != len(kept["rejected"]):
                is_longer.append(float(len(kept["chosen"]) > len(kept["rejected"])))
        is_first += [float(row["preferred"] == "first") for row in rows if row["outcome"] == "kept"]
    bias = place_bias(comparisons)
    asked = judge.calls_per_pair * len(comparisons)
    card = {
        "judge": {
            "model": judge.model, "revision": judge.revision, "base_url": judge.base_url,
            "temperature": judge.temperature, "criteria": criteria,
            "calls_per_pair": judge.calls_per_pair, "margin": judge.margin,
        },
        "left_out": dict(left_out),
        "pairs": {name: outcomes[name] for name in ("made", *OUTCOMES)},
        "ungradable_reasons": dict(reasons.most_common()),
        "replies": {"asked": asked, "parsed": sum(c.num_parsed for c in comparisons)},
        "place_bias": {
            "points": _finite(bias.bonus), "low": _finite(bias.low), "high": _finite(bias.high),
            "n": sum(c.place_bonus is not None for c in comparisons), "decided_by_place": _rate(bias.flips),
        },
        "chosen_is_longer": _rate(rate(is_longer)),
        # With recorded answers the first is the one that was chosen then; with sampled ones it is any.
        ("agrees_with_recorded" if is_recorded else "chosen_is_first"): _rate(rate(is_first)),
    }  # fmt: skip
    write_card(run, card)


def _kept(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    kept = []
    for row in rows:
        if row["outcome"] == "kept":
            chosen, rejected = ("first", "second") if row["preferred"] == "first" else ("second", "first")
            kept.append({
                "id": row["id"], "messages": row["messages"], "chosen": row[chosen], "rejected": row[rejected],
                "judge_gap": abs(row["gap"]),
            })  # fmt: skip
    return kept


def check_judged(run: Path, num_steps: int) -> None:
    """Read what the judge said in every step; RunError where a part of a finished run is lost or damaged."""
    for _ in _judged(run, num_steps):
        pass


def _judged(run: Path, num_steps: int) -> Iterator[list[Row]]:
    """The rows of every step, in order."""
    for step in range(1, num_steps + 1):
        path = _judged_path(run, step)
        try:
            yield pq.read_table(path, schema=_JUDGED).to_pylist()
        except (OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0][:200]
            raise RunError(f"{path}: cannot be read ({reason}); restore it, or choose another --out") from None


def _judged_path(run: Path, step: int) -> Path:
    return run / "judged" / f"step-{step:06d}.parquet"


def _write_parquet(path: Path, schema: pa.Schema, parts: Iterator[Sequence[Row]]) -> int:
    """Write rows as one file, whole or not at all; their number."""
    num_rows = 0
    partial = path.with_name(f".partial-{path.name}")
    with storing(path):
        path.parent.mkdir(exist_ok=True)
        with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
            for rows in parts:
                writer.write_table(pa.Table.from_pylist(list(rows), schema=schema))
                num_rows += len(rows)
        sync(partial)
        partial.rename(path)
        sync(path.parent)
    return num_rows


def _comparison(row: Mapping[str, Any]) -> Comparison:
    return Comparison(row["preferred"], row["gap"], row["place_bonus"], row["num_parsed"], row["reason"])


def _rate(found: Rate) -> dict[str, float | int | None]:
    return {"value": _finite(found.value), "low": found.low, "high": found.high, "n": found.n}


def _finite(value: float) -> float | None:
    """JSON knows no infinity: None where there is nothing to tell."""
    return value if math.isfinite(value) else None

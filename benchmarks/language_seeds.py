"""Does RL on right answers alone move a real model's answers into English, and what does the language reward cost? Over seeds.

    python benchmarks/language_seeds.py [--seeds 0 1 2] [--out runs/language-seeds] [--config zero-smollm2-languages]
                                        [--set KEY=VALUE ...]

Runs `sanmai run zero --config zero-smollm2-languages` in bfloat16 on one thread, once per seed with right answers alone and once
with 0.3 x the language reward (some 15 minutes of one core each, without AMX), and prints per language of the questions the
share of right answers and of words in that language, before and after: means with 95 % intervals over seeds (Student's t;
Wilson's, of as many as seeds, where all are equal), each seed's own value behind them. Runs that are already there are not
run again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean

import pyarrow.parquet as pq
from zero_seeds import ARMS, last_step, run

from sanmai.stats import rate

MEASURES = {"right": "score/accuracy", "in its language": "score/language"}
Shares = dict[str, dict[str, float]]
"""Measure -> language -> share in %."""


def shares(folder: Path, step: int) -> Shares:
    """Of one evaluation; an answer of which a measure says nothing is left out of it."""
    rows = pq.read_table(folder / "evaluations" / f"step-{step:06d}.parquet").to_pylist()
    found: Shares = {}
    for name, column in MEASURES.items():
        told = [(row["language"], row[column]) for row in rows if row.get(column) is not None]
        languages = sorted({language for language, _ in told})
        found[name] = {one: 100 * fmean(value for language, value in told if language == one) for one in languages}
    return found


def cell(values: list[float]) -> str:
    """Mean, interval over seeds, and the seeds' values."""
    found = rate([value / 100 for value in values])
    bounds = f" [{100 * found.low:.0f}, {100 * found.high:.0f}]" if len(values) > 1 else ""
    return f"{fmean(values):.0f}{bounds} ({' · '.join(f'{value:.0f}' for value in values)})"


def table(found: dict[str, list[tuple[Shares, Shares]]]) -> list[str]:
    """Markdown, from arm -> per seed the shares before and after."""
    columns = [f"{name}, {when}" for name in MEASURES for when in ("before", "after")]
    lines = [f"| reward | language | {' | '.join(columns)} |", "|---" * (2 + len(columns)) + "|"]
    for arm, seeds in found.items():
        for language in seeds[0][0]["right"]:
            cells = [cell([seed[when][name][language] for seed in seeds]) for name in MEASURES for when in (0, 1)]
            lines.append(f"| {arm} | {language} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/language-seeds"))
    parser.add_argument("--config", default="zero-smollm2-languages")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    own = ["--config", options.config]
    for setting in ("model.dtype=bfloat16", "model.threads=1", *options.set):
        own += ["--set", setting]
    found: dict[str, list[tuple[Shares, Shares]]] = {arm: [] for arm in ARMS}
    for seed in options.seeds:
        for arm in ARMS:
            folder = run(arm, seed, options.out, own)
            found[arm].append((shares(folder, 0), shares(folder, last_step(folder))))
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()

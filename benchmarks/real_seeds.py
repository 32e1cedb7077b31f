"""R1-Zero on a real model over seeds: the first table of docs/results.md.

    sanmai get smollm2
    python benchmarks/real_seeds.py [--seeds 0 1 2] [--config zero-smollm2] [--out runs/real-seeds]

Runs `sanmai run zero --config zero-smollm2` once per seed, on all cores, and prints before and after, with 95 % intervals:
held-out accuracy on the kinds of sums that are trained on and on those that are not, what changed (paired), the length of an
answer and the share that is cut off; then minutes and peak memory. Runs that are already there are not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import pyarrow.parquet as pq

from sanmai.stats import Difference, Rate, paired_difference, rate

Row = dict[str, object]
SETS = {"yes": "kinds trained on", "no": "kinds not trained on"}
"""By the tag `trained` of a problem."""


def run(seed: int, config: str, out: Path) -> tuple[Path, float | None]:
    """The run folder of a seed, and the process's peak memory in MiB; None of a run that was there."""
    folder = out / f"zero-{seed}"
    if any(line["event"] == "finish" for line in _lines(folder / "events.jsonl")):
        return folder, None
    command = [sys.executable, "-m", "sanmai.cli", "run", "zero", "--config", config, "--set", f"seed={seed}"]
    process = subprocess.Popen([*command, "--out", str(folder)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"seed {seed}: the run failed; repeat the command to go on")
    return folder, usage.ru_maxrss / 1024


def table(folders: dict[int, Path]) -> list[str]:
    """Markdown rows: a set of held-out problems and a seed each, then the mean over seeds."""
    lines = ["| held out | seed | n | before, % | after, % | change, points |", "|---|---|---|---|---|---|"]
    for name, title in SETS.items():
        changes = []
        for seed, folder in folders.items():
            before, after = (_scores(_evaluation(folder, last), name) for last in (False, True))
            keys = sorted(before.keys() & after.keys())
            change = paired_difference([before[k] for k in keys], [after[k] for k in keys])
            changes.append(change)
            cells = (_share(rate(list(before.values()))), _share(rate(list(after.values()))), _points(change))
            lines.append(f"| {title} | {seed} | {len(keys)} | " + " | ".join(cells) + " |")
        lines.append(f"| {title} | mean | | | | {100 * fmean(c.value for c in changes):+.1f} |")
    return lines


def costs(folders: dict[int, Path], peaks: dict[int, float | None]) -> list[str]:
    lines = [
        "| seed | tokens per answer | cut off, % | minutes, evaluations included | peak memory, MiB |",
        "|---|---|---|---|---|",
    ]
    for seed, folder in folders.items():
        sides = [_evaluation(folder, last) for last in (False, True)]
        lengths = [f"{fmean(float(str(r['num_tokens'])) for r in rows):.1f}" for rows in sides]
        cut = [f"{100 * fmean(r['stop_reason'] == 'length' for r in rows):.1f}" for rows in sides]
        seconds = [line.get("seconds", {}) for line in _lines(folder / "events.jsonl")]
        minutes = sum(sum(s.values()) for s in seconds if isinstance(s, dict)) / 60
        peak = f"{peaks[seed]:,.0f}" if peaks[seed] else "(run before)"
        lines.append(f"| {seed} | {' to '.join(lengths)} | {' to '.join(cut)} | {minutes:.1f} | {peak} |")
    return lines


def _evaluation(folder: Path, last: bool) -> list[Row]:
    files = sorted((folder / "evaluations").glob("step-*.parquet"))
    return pq.read_table(files[-1 if last else 0]).to_pylist()


def _scores(rows: list[Row], trained: str) -> dict[str, float]:
    """By problem, whether it was solved."""
    chosen = [r for r in rows if json.loads(str(r["tags"]))["trained"] == trained]
    return {str(r["problem_id"]): float(str(r["score/accuracy"])) for r in chosen if r["score/accuracy"] is not None}


def _lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def _share(found: Rate) -> str:
    return f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _points(found: Difference) -> str:
    return f"{100 * found.value:+.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--config", default="zero-smollm2")
    parser.add_argument("--out", type=Path, default=Path("runs/real-seeds"))
    arguments = parser.parse_args()
    found = {seed: run(seed, arguments.config, arguments.out) for seed in arguments.seeds}
    folders = {seed: folder for seed, (folder, _) in found.items()}
    print("\n".join([*table(folders), "", *costs(folders, {seed: peak for seed, (_, peak) in found.items()})]))


if __name__ == "__main__":
    main()

"""R1-Zero on the embedded world over seeds, with and without the language reward: a table of docs/results.md.

    python benchmarks/zero_seeds.py [--seeds 0 1 2] [--out runs/zero-seeds] [--json FILE]

Runs `sanmai run zero` once per arm and seed (some minutes each on one core; two at a time on two cores) and prints, before
(base) and after, with 95% intervals: held-out accuracy on 2- and 3-digit sums at temperature 1 (n = 300 each), the share that
thinks, and the share of the thoughts' words that are not in the prompt's language, in all and on English prompts. Runs that
are already there are not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq

from sanmai.stats import Rate, rate

ARMS = {"accuracy": [], "accuracy + 0.3 x language": ["--set", "rewards.language=0.3"]}


def run(arm: str, seed: int, out: Path, own: Sequence[str] = ()) -> Path:
    """The run folder of one arm and seed; `own` are further options of the command."""
    folder = out / f"{'language' if ARMS[arm] else 'accuracy'}-{seed}"
    command = [
        sys.executable,
        "-m",
        "sanmai.cli",
        "run",
        "zero",
        "--set",
        f"seed={seed}",
        *ARMS[arm],
        *own,
        "--out",
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return folder


def measure(folder: Path, step: int) -> dict:
    """Rates of one evaluation, each with its interval."""
    rows = pq.read_table(folder / "evaluations" / f"step-{step:06d}.parquet").to_pylist()
    by_digits = {d: [r["score/accuracy"] for r in rows if json.loads(r["tags"])["digits"] == d] for d in (2, 3)}
    off = [(r["off_language"], r["problem_id"]) for r in rows if r["off_language"] is not None]
    mixing = {
        language: rate([r["off_language"] for r in rows if r["language"] == language and r["off_language"] is not None])
        for language in ("en", "zh")
    }
    return {
        **{f"{d} digits": rate(scores) for d, scores in by_digits.items()},
        "thinks": rate([float(r["thinks"]) for r in rows]),
        "language mixing": rate([share for share, _ in off]),
        **{f"language mixing, {language} prompts": found for language, found in mixing.items()},
    }


def print_row(arm: str, seed: int, rates: list[Rate]) -> None:
    cells = [f"{100 * r.value:.1f} [{100 * r.low:.1f}, {100 * r.high:.1f}]" for r in rates]
    print(f"| {arm} | {seed} | " + " | ".join(cells) + " |")


def last_step(folder: Path) -> int:
    return max(int(p.stem.removeprefix("step-")) for p in (folder / "evaluations").glob("step-*.parquet"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/zero-seeds"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    jobs = [(arm, seed) for arm in ARMS for seed in arguments.seeds]
    with ThreadPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as pool:
        folders = list(pool.map(lambda job: run(*job, arguments.out), jobs))
    table = []
    names = ["2 digits", "3 digits", "thinks", "language mixing", "language mixing, en prompts"]
    print("| reward | seed | " + " | ".join(f"{name}, %" for name in names) + " |")
    print("|---|---|" + "---|" * len(names))
    for (arm, seed), folder in zip(jobs, folders, strict=True):
        before, after = measure(folder, 0), measure(folder, last_step(folder))
        if arm == "accuracy":
            print_row("(base)", seed, [before[name] for name in names])
        print_row(arm, seed, [after[name] for name in names])
        table.append({"arm": arm, "seed": seed, "before": before, "after": after})
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1, default=lambda r: r.__dict__) + "\n")


if __name__ == "__main__":
    main()

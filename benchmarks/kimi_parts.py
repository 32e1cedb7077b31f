"""The parts of Kimi k1.5 that `zero` has, each against the run without it, on the embedded world over seeds.

    python benchmarks/kimi_parts.py [--seeds 0 1 2] [--steps 80] [--arms ...] [--out runs/kimi-parts]

Every arm is `sanmai run zero` with mirror descent and two updates per step. Printed, as means over seeds with 95 % intervals
over the seeds (Student's t): held-out accuracy on sums of two and three digits (n = 300, temperature 1), tokens of a completion,
tokens sampled, tokens of the longest step, steps until 90 % are right; then the differences to the first arm, paired by seed.
Runs that are already there are not run again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sanmai.stats import clustered_interval

MIRROR = ("loss.preset=kimi", "updates_per_step=2", "optimizer.reset_each_step=true", "optimizer.lr=1e-4")
LENGTH = ("length.weight=0.5",)
ARMS: dict[str, tuple[str, ...]] = {
    "mirror descent": (),
    "grpo's clipped loss (dapo)": ("loss.preset=dapo", "optimizer.reset_each_step=false"),
    "prioritised": ('curriculum.order="prioritised"',),
    "hard later": ('curriculum.order="hard_later"', "curriculum.hard_from=0.25"),
    "length reward, after 40 % of the run": (*LENGTH, "length.warmup=0.4"),
    "length reward from the start": LENGTH,
    "partial rollouts of 16 tokens": ("partial.segment_tokens=16",),
}
GOAL = 0.9


def run(arm: str, seed: int, steps: int, out: Path) -> list[dict]:
    """The metrics of one run, a dictionary per step."""
    folder = out / f"{list(ARMS).index(arm)}-{seed}-{steps}"
    settings = (f"seed={seed}", f"num_steps={steps}", "evaluation.every=5", *MIRROR, *ARMS[arm])
    command = [sys.executable, "-m", "sanmai.cli", "run", "zero", "--out", str(folder)]
    command += [part for setting in settings for part in ("--set", setting)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def measure(lines: list[dict], steps: int) -> dict[str, float]:
    """Figures of one run. A run that does not reach the goal counts as having needed one step more than it had."""
    evaluated = [line for line in lines if "eval/accuracy" in line]
    reached = [line["step"] for line in evaluated if line["eval/accuracy"] >= GOAL]
    return {
        "accuracy, %": 100 * evaluated[-1]["eval/accuracy"],
        "tokens of an answer": evaluated[-1]["eval/length_mean"],
        "tokens sampled, thousands": sum(line.get("tokens/sampled", 0.0) for line in lines) / 1000,
        "longest step, thousands": max(line.get("tokens/sampled", 0.0) for line in lines) / 1000,
        f"steps to {GOAL:.0%}": float(min(reached, default=steps + 1)),
    }


def cell(values: list[float], sign: str = "") -> str:
    low, high = clustered_interval(values)
    shown = "" if math.isinf(low) else f" [{low:{sign}.1f}, {high:{sign}.1f}]"
    return f"{sum(values) / len(values):{sign}.1f}{shown}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--out", type=Path, default=Path("runs/kimi-parts"))
    args = parser.parse_args()
    jobs = [(arm, seed) for arm in args.arms for seed in args.seeds]
    with ThreadPoolExecutor(max(1, (os.cpu_count() or 2) // 2)) as pool:
        found = dict(
            zip(jobs, pool.map(lambda job: measure(run(*job, args.steps, args.out), args.steps), jobs), strict=True)
        )
    names = list(next(iter(found.values())))
    print("| arm | " + " | ".join(names) + " |\n|---" * 1 + "|---" * len(names) + "|")
    for arm in args.arms:
        print(
            f"| {arm} | " + " | ".join(cell([found[arm, seed][name] for seed in args.seeds]) for name in names) + " |"
        )
    for arm in args.arms[1:]:
        changes = {name: [found[arm, s][name] - found[args.arms[0], s][name] for s in args.seeds] for name in names}
        print(f"| {arm}, less {args.arms[0]} | " + " | ".join(cell(values, "+") for values in changes.values()) + " |")


if __name__ == "__main__":
    main()

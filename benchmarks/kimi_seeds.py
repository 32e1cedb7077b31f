"""Kimi k1.5 on the embedded world over seeds: each part against RL with all of them, and the four ways to short answers.

    python benchmarks/kimi_seeds.py [--seeds 0 1 2] [--out runs/kimi-seeds] [--set KEY=VALUE ...]

Runs `sanmai run kimi` once per seed (some minutes each on two cores) and prints two tables: means over seeds with 95 % intervals
(Student's t over seeds), differences paired by seed, and each seed's own value behind them. A run that never reached the target
counts as one that needed one step more than it had. What is already there is not run again.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tomllib
from pathlib import Path

from sanmai.stats import clustered_interval

Figures = dict[str, float]


def run(seed: int, out: Path, settings: list[str]) -> Path:
    """The pipeline folder of a seed."""
    folder = out / f"seed-{seed}"
    chosen = [part for setting in [f"seed={seed}", *settings] for part in ("--set", setting)]
    command = [sys.executable, "-m", "sanmai.cli", "run", "kimi", *chosen, "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"seed {seed} failed:\n{done.stderr or done.stdout[-2000:]}")
    return folder


def read(folder: Path, name: str) -> dict[str, Figures]:
    """The figures of every model of a table."""
    data = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    steps = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))["rl"]["num_steps"]
    found = {}
    for model in data["models"]:
        figures = {"accuracy, %": 100 * model["accuracy"]["value"], "tokens": model["tokens"]["value"]}
        if model["name"] in data.get("reached", {}):
            reached = data["reached"][model["name"]]
            figures[f"steps to {100 * data['target']:g} %"] = float(reached["step"] if reached else steps + 1)
            figures["tokens then"] = reached["tokens"] if reached else math.nan
        found[model["name"]] = figures
    return found


def cell(values: list[float], sign: str = "") -> str:
    """Mean, interval over seeds, and the seeds' values."""
    known = [v for v in values if not math.isnan(v)]
    if not known:
        return "–"
    low, high = clustered_interval(known)
    bounds = "" if math.isinf(low) or math.isnan(low) else f" [{low:{sign}.1f}, {high:{sign}.1f}]"
    each = " · ".join("–" if math.isnan(v) else f"{v:{sign}.1f}" for v in values)
    return f"{sum(known) / len(known):{sign}.1f}{bounds} ({each})"


def table(found: list[dict[str, Figures]], reference: str) -> list[str]:
    """Markdown: a row per model, and a row per model for its difference to the reference."""
    models, columns = list(found[0]), list(found[0][reference])
    lines = [f"| model | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for model in models:
        cells = [cell([seed[model].get(column, math.nan) for seed in found]) for column in columns]
        lines.append(f"| {model} | {' | '.join(cells)} |")
    for model in models:
        if model != reference:
            pairs = {c: [seed[model].get(c, math.nan) - seed[reference][c] for seed in found] for c in columns}
            lines.append(
                f"| {model}, less {reference} | {' | '.join(cell(values, '+') for values in pairs.values())} |"
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/kimi-seeds"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    folders = [run(seed, options.out, options.set) for seed in options.seeds]
    for name, reference in (("arms", "kimi"), ("front", None)):
        given = json.loads((folders[0] / f"{name}.json").read_text(encoding="utf-8"))
        reference = reference or given["long"]
        print("\n".join(table([read(folder, name) for folder in folders], reference)), end="\n\n")


if __name__ == "__main__":
    main()

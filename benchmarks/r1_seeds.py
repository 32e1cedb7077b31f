"""The R1 pipeline on the embedded world over seeds: a table of docs/results.md, and the signs that the paper reports.

    python benchmarks/r1_seeds.py [--seeds 0 1 2] [--out runs/r1-seeds] [--set KEY=VALUE ...] [--json FILE]

Runs `sanmai run r1` once per seed (some minutes each on two cores) and prints every model's measures on the same held-out
problems, each seed by itself: no interval over three seeds is worth its name. Then each sign with the paired change and its
95 % interval in every seed. What is already there is not run again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from sanmai.report.stage_table import readable
from sanmai.stats import paired_difference, rate

Row = dict[str, Any]
MEASURES = {
    "accuracy": ("reasoning", lambda r: r["score/accuracy"]),
    "out of distribution": ("reasoning_ood", lambda r: r["score/accuracy"]),
    "thinks": (None, lambda r: float(r["thinks"])),
    "in language": ("reasoning", lambda r: None if r["off_language"] is None else 1 - r["off_language"]),
    "readable": (None, readable),
    "helped": ("general", lambda r: r["score/helped"]),
    "harm": ("safety", lambda r: r["score/harm"]),
    "over-refusal": ("general", lambda r: r["score/over_refusal"]),
}
SIGNS = [
    ("the cold start raises format", "base", "dev1", "thinks"),
    ("the cold start raises consistency", "base", "dev1", "in language"),
    ("the cold start may cost accuracy", "base", "dev1", "accuracy"),
    ("reasoning RL raises accuracy", "dev1", "dev2", "accuracy"),
    ("r1 is more readable than the base", "base", "r1", "readable"),
    ("r1 is more readable than zero", "zero", "r1", "readable"),
    ("r1 does less harm than the base", "base", "r1", "harm"),
    ("r1 does less harm than zero", "zero", "r1", "harm"),
    ("r1 loses no accuracy to zero", "zero", "r1", "accuracy"),
    ("distillation beats RL on the student", "student_rl", "student", "accuracy"),
    ("on-policy distillation beats RL on the student", "student_rl", "student_on_policy", "accuracy"),
]


def run(seed: int, out: Path, settings: list[str]) -> Path:
    """The pipeline folder of a seed."""
    folder = out / f"seed-{seed}"
    chosen = [part for setting in [f"seed={seed}", *settings] for part in ("--set", setting)]
    done = subprocess.run(
        [sys.executable, "-m", "sanmai.cli", "run", "r1", *chosen, "--out", str(folder)], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"seed {seed} failed:\n{done.stderr or done.stdout[-2000:]}")
    return folder


def scored(folder: Path) -> dict[str, list[Row]]:
    """The evaluation of every model, by its name."""
    stages = json.loads((folder / "graph.json").read_text(encoding="utf-8"))
    return {
        stage["scores"]: pq.read_table(folder / stage["folder"] / "evaluations" / "step-000000.parquet").to_pylist()
        for stage in stages
        if "scores" in stage
    }


def values(rows: list[Row], measure: str) -> dict[tuple[str, int], float]:
    """The measure of each rollout that has one."""
    wanted, value = MEASURES[measure]
    chosen = [r for r in rows if wanted is None or json.loads(r["tags"]).get("set") == wanted]
    found = {(r["problem_id"], r["sample"]): value(r) for r in chosen}
    return {key: score for key, score in found.items() if score is not None}


def table(seed: int, models: dict[str, list[Row]]) -> list[str]:
    """Markdown rows, one per model."""
    lines = []
    for name, rows in models.items():
        cells = []
        for measure in MEASURES:
            found = values(rows, measure)
            r = rate(list(found.values()), [key[0] for key in found])
            cells.append(f"{100 * r.value:.0f} [{100 * r.low:.0f}, {100 * r.high:.0f}]" if found else "-")
        tokens = sum(r["num_tokens"] for r in rows) / len(rows)
        lines.append(f"| {seed} | {name} | {' | '.join(cells)} | {tokens:.1f} |")
    return lines


def sign(models: dict[str, list[Row]], before: str, after: str, measure: str) -> str:
    """The paired change, in points."""
    if before not in models or after not in models:
        return "-"
    a, b = values(models[before], measure), values(models[after], measure)
    both = sorted(a.keys() & b.keys())
    d = paired_difference([a[k] for k in both], [b[k] for k in both], [k[0] for k in both])
    return f"{100 * d.value:+.1f} [{100 * d.low:.1f}, {100 * d.high:.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/r1-seeds"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = {seed: scored(run(seed, options.out, options.set)) for seed in options.seeds}
    print(f"| seed | model | {' | '.join(f'{m}, %' for m in MEASURES)} | tokens |")
    print("|---" * (len(MEASURES) + 3) + "|")
    for seed, models in found.items():
        print("\n".join(table(seed, models)))
    print(f"\n| sign | {' | '.join(f'seed {s}, points' for s in found)} |\n|---" + "|---" * len(found) + "|")
    signs = [(text, [sign(models, *names) for models in found.values()]) for text, *names in SIGNS]
    for text, changes in signs:
        print(f"| {text} | {' | '.join(changes)} |")
    if options.json:
        options.json.write_text(json.dumps({"signs": dict(signs)}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

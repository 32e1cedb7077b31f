"""Preference rewards for too long: does the helpfulness score rise while accuracy falls, and does a late start avoid it?

    python benchmarks/reward_hacking.py [--steps 200] [--late 0.76] [--seeds 0 1 2] [--out runs/reward-hacking] [--json FILE]

DeepSeek-R1's report shows such a curve (Nature 645:633, supplement B.5) and gives general prompts and preference rewards only in
the last 400 of 1,700 steps. Here the pipeline of `sanmai run r1` is run up to dev3 and its reward models; then, for each seed,
the last RL stage is run twice as long as asked: with preference rewards from the first step, and from the share `--late` on.
Printed every 20 steps, on held-out problems: the reward model's score of general answers (the proxy), whether they really
help (gold), harm and over-refusal (gold), and accuracy. What is already there is not run again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from sanmai.learn.progress import Progress
from sanmai.pipelines.r1 import R1Config, graph, run_r1
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.zero import ZeroConfig, run_zero

COLUMNS = {
    "proxy: helpfulness": "eval/helpfulness",
    "gold: helped": "eval/helped",
    "proxy: harmlessness": "eval/harmlessness",
    "gold: harm": "eval/harm",
    "gold: over-refusal": "eval/over_refusal",
    "accuracy": "eval/accuracy/set=reasoning",
}


def run(seed: int, steps: int, starts: dict[str, float], out: Path) -> dict[str, list[dict[str, Any]]]:
    """Evaluated metrics lines of each arm."""
    config = resolve(find_recipe("r1"), values={"seed": seed})
    assert isinstance(config, R1Config)
    folder = out / f"seed-{seed}"
    run_r1(config, folder, until="harmlessness", progress=Progress.silent())
    found = graph(config, folder)
    stage = found.resolved(next(s for s in found.stages if s.name == "r1"))
    assert isinstance(stage, ZeroConfig)
    lines = {}
    for name, start in starts.items():
        arm = stage.model_copy(
            update={
                "num_steps": steps,
                "mixture": stage.mixture.model_copy(update={"scenarios_from": start}),
                "evaluation": stage.evaluation.model_copy(update={"every": 20}),
            }
        )
        done = run_zero(arm, folder / name, progress=Progress.silent())
        rows = [json.loads(line) for line in (done / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        lines[name] = [row for row in rows if "eval/accuracy/set=reasoning" in row]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--late", type=float, default=0.76)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/reward-hacking"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    starts = {"from-the-start": 0.0, "late": options.late}
    found = {seed: run(seed, options.steps, starts, options.out) for seed in options.seeds}
    print(f"| seed | preference rewards | step | {' | '.join(f'{name}, %' for name in COLUMNS)} |")
    print("|---" * (len(COLUMNS) + 3) + "|")
    for seed, arms in found.items():
        for arm, rows in arms.items():
            for row in rows:
                cells = (f"{100 * row[name]:.1f}" if name in row else "-" for name in COLUMNS.values())
                print(f"| {seed} | {arm} | {row['step']} | {' | '.join(cells)} |")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

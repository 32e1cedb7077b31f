"""Does RL learn as well from rollouts that were written ahead? Staleness 1 and 2 against 0 on the embedded world, over seeds.

    python benchmarks/staleness.py [--seeds 10 ... 25] [--out runs/staleness] [--json FILE]

Runs zero once per seed and arm: 20 steps of 32 x 8, in which held-out accuracy rises most, all settings but
`cluster.staleness` the same (the cap on importance weights, and the parts that the bytes depend on, too). Held-out accuracy
(600 problems, temperature 1, the same ones in all arms) is compared at half-time and at the end, at equal steps and at equal
sampled tokens: T is what the arm of a seed that wrote least wrote in all, and accuracy at T / 2 and T is read off the line
through its evaluations. How old the oldest row of each arm was is printed, too.

Said before the first run: an arm is *as good* when the 90 % interval of its difference (Student's t over seeds, paired by seed)
lies within 3 points of 0 (two one-sided tests at 5 % each), *worse* or *better* when the 95 % interval leaves 0 out, both when
both hold, and undecided otherwise. Runs that are already there are not run again.
"""

from __future__ import annotations

import argparse
import json
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from sanmai.stats import clustered_interval

BOUND = 3.0
"""Points of accuracy within which two arms are as good as each other."""
STEPS = 20
SETTINGS = {"model": {"threads": 1}, "loss": {"importance_cap": 2.0}}
Line = list[tuple[float, float]]
"""(step or sampled tokens, held-out accuracy in %) of each evaluation."""


def run(seed: int, staleness: int, out: Path, num_steps: int) -> Path:
    """The run folder of one seed and arm. Staleness 0 needs no sampler apart: it has the bytes of one process."""
    from sanmai.recipes import find_recipe, resolve

    apart = {"transport": "processes", "samplers": 1, "staleness": staleness} if staleness else {}
    own = {"seed": seed, "num_steps": num_steps, "evaluation": {"every": num_steps // 2}, "cluster": {"parts": 2, **apart}}
    recipe = find_recipe("zero")
    return recipe.run(resolve(recipe, values={**SETTINGS, **own}), out / f"staleness-{staleness}-seed-{seed}")


def lines_of(folder: Path) -> tuple[Line, Line]:
    """Held-out accuracy by step, and by tokens sampled so far."""
    by_step, by_tokens, tokens = [], [], 0.0
    for text in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        found = json.loads(text)
        tokens += found.get("tokens/sampled", 0.0)
        if "eval/accuracy" in found:
            by_step.append((float(found["step"]), 100 * found["eval/accuracy"]))
            by_tokens.append((tokens, 100 * found["eval/accuracy"]))
    return by_step, by_tokens


def age(folder: Path) -> int:
    """Updates by which the oldest row of a run was behind the newest policy that could have drawn it."""
    steps = sorted((folder / "rollouts").glob("step-*.parquet"))
    versions = [min(pq.read_table(path, columns=["policy_version"])["policy_version"].to_pylist()) for path in steps]
    return max(step - version for step, version in enumerate(versions))


def at(line: Line, place: float) -> float:
    """Accuracy at a place, straight between the evaluations around it."""
    places = [x for x, _ in line]
    after = min(max(1, bisect_left(places, place)), len(line) - 1)
    (x, y), (u, v) = line[after - 1], line[after]
    return y + (v - y) * (place - x) / (u - x)


def verdict(differences: Sequence[float]) -> str:
    """Mean in points, its 95 and 90 % intervals over seeds, and what they decide."""
    wide, narrow = clustered_interval(differences), clustered_interval(differences, confidence=0.9)
    said = ["as good"] if narrow[0] > -BOUND and narrow[1] < BOUND else []
    said += ["worse"] if wide[1] < 0 else ["better"] if wide[0] > 0 else []
    mean = sum(differences) / len(differences)
    shown, close = (f"[{low:+.2f}, {high:+.2f}]" for low, high in (wide, narrow))
    return f"{mean:+.2f} {shown} | {close} | {' and '.join(said) or 'undecided'}"


def table(found: dict[int, dict[int, tuple[Line, Line]]]) -> list[str]:
    """Markdown, from staleness -> seed -> its lines: what each arm reached, then each arm less staleness 0."""
    seeds = sorted(set.intersection(*(set(arm) for arm in found.values())))
    last = found[0][seeds[0]][0][-1][0]
    totals = {seed: min(arm[seed][1][-1][0] for arm in found.values()) for seed in seeds}
    places = {
        f"step {last / 2:g}": (0, dict.fromkeys(seeds, last / 2)),
        f"step {last:g}": (0, dict.fromkeys(seeds, last)),
        "T / 2 tokens": (1, {seed: total / 2 for seed, total in totals.items()}),
        "T tokens": (1, totals),
    }
    lines = [f"| staleness, {len(seeds)} seeds | " + " | ".join(f"at {name}, %" for name in places) + " |", "|---" * 5 + "|"]
    for staleness, arm in found.items():
        cells = []
        for which, where in places.values():
            values = [at(arm[seed][which], where[seed]) for seed in seeds]
            low, high = clustered_interval(values)
            cells.append(f"{sum(values) / len(values):.1f} [{low:.1f}, {high:.1f}]")
        lines.append(f"| {staleness} | {' | '.join(cells)} |")
    lines += ["", "| less staleness 0, points | at | difference, 95 % | 90 % | decided |", "|---" * 5 + "|"]
    for staleness, arm in found.items():
        for name, (which, where) in places.items() if staleness else ():
            differences = [at(arm[s][which], where[s]) - at(found[0][s][which], where[s]) for s in seeds]
            lines.append(f"| {staleness} | {name} | {verdict(differences)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10, 26)))
    parser.add_argument("--staleness", type=int, nargs="+", default=[1, 2], help="arms beside 0")
    parser.add_argument("--out", type=Path, default=Path("runs/staleness"))
    parser.add_argument("--json", type=Path, metavar="FILE", help="every seed's lines")
    parser.add_argument("--smoke", action="store_true", help="two steps, two seeds: does it run?")
    options = parser.parse_args()
    num_steps, seeds = (2, options.seeds[:2]) if options.smoke else (STEPS, options.seeds)
    arms = [0, *options.staleness]
    found: dict[int, dict[int, tuple[Line, Line]]] = {arm: {} for arm in arms}
    for seed in seeds:
        for arm in arms:
            found[arm][seed] = lines_of(run(seed, arm, options.out, num_steps))
    print("\n".join(table(found)), end="\n\n")
    for arm in arms:
        ages = [age(options.out / f"staleness-{arm}-seed-{seed}") for seed in seeds]
        print(f"Staleness {arm}: the oldest row was {max(ages)} updates behind.")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

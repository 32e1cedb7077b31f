"""Cost of a step as prompts, group size, length and model size double, each alone; and memory over many steps.

    python benchmarks/scaling.py --smoke
    python benchmarks/scaling.py --json s.json               # doublings, then 500 tiny steps
    python benchmarks/scaling.py --axes length --doublings 3 --steps 0

Runs `sanmai run zero`'s recipe on random weights with equal lengths (every completion has all its tokens). Each setting is
a subprocess of its own; all take turns in every repeat. Seconds are those of events.jsonl: sampling (with grading) and training.
A doubled model has twice the layers. Prints seconds, and cost ratios per doubling: ratio of medians, with the range of the
ratios within a repeat. The bar for prompts, group and length is 2.2 per doubling of sampling + training.

The slope test runs tiny steps in one process and reads its resident memory after each. A line is fitted to the last four
fifths of the steps, through the means of 20 equal parts (single readings are not independent of each other): MB per 100 steps
with a 95 % interval. Memory does not grow when that interval holds 0 or is below 0.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from statistics import fmean, linear_regression, median
from typing import Any

import common
from common import SIZES, WARMUP, Task, cell, in_subprocess, problems_of, ratio_cell, reward, sanmai_config

AXES = ("prompts", "group", "length", "model")
BAR = 2.2
PARTS = 20
T_QUANTILE = 2.101  # 97.5 % of Student's t at PARTS - 2 = 18 degrees of freedom


def run_steps(task: Task) -> list[dict[str, float]]:
    """Seconds per phase and tokens of every counted step."""
    import json

    from sanmai.recipes.zero import run_zero

    common.write_model(task)
    config = sanmai_config(task)
    optimizer = config.optimizer.model_copy(update={"micro_tokens": task.micro_tokens})
    config = config.model_copy(update={"optimizer": optimizer})
    folder = run_zero(config, Path(tempfile.mkdtemp()), problems=problems_of(task), reward=reward)
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    steps = [event for event in events if event["event"] == "step"][WARMUP : WARMUP + task.steps]
    return [{**step["seconds"], "tokens": step["tokens"]["sampled"]} for step in steps]


def run_slope(task: Task) -> list[float]:
    """Resident memory (MB) after every step."""
    import psutil

    from sanmai.learn.progress import Progress
    from sanmai.recipes.zero import run_zero

    class Report(Progress):
        def step(self, *args: Any, **named: Any) -> None:
            super().step(*args, **named)
            resident.append(process.memory_info().rss / 2**20)

    process, resident = psutil.Process(), []
    common.write_model(task)
    config = sanmai_config(task, checkpoints={"every": 50})
    run_zero(config, Path(tempfile.mkdtemp()), problems=problems_of(task), reward=reward, progress=Report(None))
    return resident


JOBS = {"steps": run_steps, "slope": run_slope}

# Below: the process that the user starts. It does not import torch.


def settings_of(args: Task) -> dict[tuple[str, int], dict[str, int]]:
    """(axis, number of doublings) -> what a child is to do; the common start is ("", 0)."""
    start = {"prompts": args.prompts, "group": args.group, "max_tokens": args.max_tokens}
    start |= {"layers": args.layers or SIZES[args.size]["num_hidden_layers"]}
    option = {"length": "max_tokens", "model": "layers"}
    settings = {("", 0): start}
    for axis, doubling in itertools.product(args.axes, range(1, args.doublings + 1)):
        name = option.get(axis, axis)
        settings[axis, doubling] = start | {name: start[name] * 2**doubling}
    return settings


def slope(values: Sequence[float]) -> tuple[float, float, float]:
    """Growth per 100 steps over the last four fifths, and the ends of its 95 % interval, from the means of PARTS parts."""
    kept = values[len(values) // 5 :]
    size = len(kept) // PARTS
    means = [fmean(kept[part * size : (part + 1) * size]) for part in range(PARTS)]
    at = [(part + 0.5) * size for part in range(PARTS)]
    line = linear_regression(at, means)
    residual = sum((y - line.intercept - line.slope * x) ** 2 for x, y in zip(at, means, strict=True)) / (PARTS - 2)
    error = sqrt(residual / sum((x - fmean(at)) ** 2 for x in at))
    return tuple(100 * (line.slope + side * T_QUANTILE * error) for side in (0, -1, 1))


def report(runs: list[dict[str, Any]]) -> str:
    columns = {
        "sampling": lambda run: median(step["sampling"] for step in run["steps"]),
        "training": lambda run: median(step["training"] for step in run["steps"]),
        "both": lambda run: median(step["sampling"] + step["training"] for step in run["steps"]),
    }
    found = common.collect(runs, lambda run: (run["axis"], run["doubling"]), columns)
    lines = [f"{'seconds per step':24}" + "".join(name.ljust(26) for name in columns)]
    for (axis, doubling), values in found.items():
        lines.append(f"{axis or 'start':9}{f'x {2**doubling}':15}" + "".join(map(cell, values.values())))
    lines += ["", f"{'cost of a doubling':24}" + "".join(name.ljust(26) for name in columns)]
    worst = {}
    for axis, doubling in found:
        if not axis:
            continue
        before = found[axis, doubling - 1] if doubling > 1 else found["", 0]
        over = found[axis, doubling]
        cells = [ratio_cell(over[name], before[name]) for name in columns]
        lines.append(f"{axis:9}{f'x {2 ** (doubling - 1)} to x {2**doubling}':15}" + "".join(cells))
        worst[axis] = max(worst.get(axis, 0.0), median(over["both"]) / median(before["both"]))
    lines += ["", "dearest doubling: " + ", ".join(f"{axis} {ratio:.2f}" for axis, ratio in worst.items())]
    lines[-1] += f" (bar: at most {BAR:g} for prompts, group and length)"
    return "\n".join(line.rstrip() for line in lines)


def main() -> None:
    parser = common.make_parser(__doc__)
    add = parser.add_argument
    add("--size", choices=SIZES, default="small", help="0.8 or 4.8 M parameters before doubling")
    add("--prompts", type=int, default=8, help="prompts per step before doubling")
    add("--group", type=int, default=8, help="completions per prompt before doubling")
    add("--max-tokens", type=int, default=64, help="tokens of a completion before doubling")
    add("--axes", nargs="*", choices=AXES, default=list(AXES), help="what doubles")
    add("--doublings", type=int, default=2, help="doublings of each")
    add("--counted", type=int, default=3, help="counted steps of a run")
    add("--repeats", type=int, default=3, help="runs per setting")
    add("--dtype", choices=common.DTYPES, default="float32")
    add("--threads", type=int, default=1)
    add("--micro-tokens", type=int, default=8192, help="padded tokens in one forward and backward pass")
    add("--steps", type=int, default=500, help="steps of the slope test; 0 leaves it out")
    common.add_model_options(parser)
    args = parser.parse_args()
    if args.child:
        common.answer(args, JOBS)
        return
    if args.smoke:
        args.__dict__.update(
            prompts=2, group=2, max_tokens=8, axes=["prompts"], doublings=1, counted=1, repeats=1, steps=30
        )
    if 0 < args.steps < 30:
        parser.error(f"--steps {args.steps}: a slope needs 30")

    runs: list[dict[str, Any]] = []
    resident: list[float] = []
    with tempfile.TemporaryDirectory(prefix="scaling-") as folder:
        args.folder, args.lengths, args.rows = f"{folder}/model", "equal", 1
        settings = settings_of(args)
        for repeat, ((axis, doubling), setting) in itertools.product(range(args.repeats), settings.items()):
            load = os.getloadavg()[0]
            steps = in_subprocess(args, "steps", **setting | {"steps": args.counted})
            expected = setting["prompts"] * setting["group"] * setting["max_tokens"]
            if {step["tokens"] for step in steps} != {expected}:
                common.fail(f"{setting}: a step is {expected} tokens, but these were sampled: {steps}")
            runs.append({"axis": axis, "doubling": doubling, **setting, "repeat": repeat, "load": load, "steps": steps})
            print(f"repeat {repeat}", axis, 2**doubling, steps, file=sys.stderr)
        if args.steps:
            tiny = {"prompts": 2, "group": 2, "max_tokens": 8, "rows": 4, "steps": args.steps - WARMUP - 1}
            resident = in_subprocess(args, "slope", **tiny)

    facts = common.facts_of(args)
    print(*(f"{name}={value}" for name, value in facts.items()), end="\n\n")
    print(report(runs))
    found = None
    if resident:
        found = slope(resident)
        print(
            f"\nresident memory over {len(resident)} steps: {resident[0]:.0f} MB after the first, {resident[-1]:.0f} MB at last;"
        )
        print(f"growth {found[0]:+.2f} MB per 100 steps, 95 % interval {found[1]:+.2f}..{found[2]:+.2f}")
    common.write_json(args, facts=facts, runs=runs, resident_mb=resident, slope_mb_per_100_steps=found)


if __name__ == "__main__":
    main()

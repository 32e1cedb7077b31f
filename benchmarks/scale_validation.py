"""Does the model behind `sanmai scale` predict real runs? Calibrated on one run of zero, played for others, and those run.

    python benchmarks/scale_validation.py --smoke
    python benchmarks/scale_validation.py                       # the embedded model: other prompts, rollouts and lengths
    python benchmarks/scale_validation.py --clock cpu --json s.json

In each repeat a process plans and runs the calibrating setting (`sanmai plan`, then the run), and then, in an order of their
own, the others. The others' seconds are predicted from the calibrating run's record alone: its lengths, its rates, and of
what lies outside its steps what it took. A row is one setting, of whose run all steps with their evaluations are counted, and
the start; real / predicted is the median over repeats with their range. "its own lengths": sampling, had the lengths been
known: what is left is the rates' error. The bar is 15 %.

With --clock wall seconds are what a user waits, and another program on the cores is in them, in the calibrating run as in the
others, but seldom as much. With --clock cpu they are the process's own seconds on a core, of runs in one process.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import common
from common import Task, cell, in_subprocess

CALIBRATING = "calibrating"
SETTINGS: dict[str, dict[str, Any]] = {
    CALIBRATING: {},
    "a quarter of the prompts": {"prompts_per_step": 8},
    "half of the rollouts": {"rollouts_per_prompt": 4},
    "a quarter of the tokens": {"max_tokens": 16},
    "twice the prompts": {"prompts_per_step": 64},
    "48 at once": {"concurrent": 48},
    "12 prompts x 16 x 40": {"prompts_per_step": 12, "rollouts_per_prompt": 16, "max_tokens": 40},
}
BAR = 0.15


def settings_of(task: Task, own: dict[str, Any], seed: int) -> dict[str, Any]:
    """Settings of zero."""
    base = {"prompts_per_step": task.prompts, "rollouts_per_prompt": task.group, "max_tokens": 64} | own
    sampling = {name: base.pop(name) for name in ("max_tokens", "concurrent") if name in base}
    scale = task.prompts / 32
    base["prompts_per_step"] = max(round(base["prompts_per_step"] * (scale if own.get("prompts_per_step") else 1)), 1)
    return base | {
        "num_steps": task.steps, "seed": seed, "sampling": sampling, "model": {"threads": 1},
        "problems": {"world": {"heldout": task.heldout}}, "evaluation": {"every": 2}, "checkpoints": {"every": 1000},
    }  # fmt: skip


def measure(task: Task) -> list[dict[str, Any]]:
    """Of one repeat: a row a setting, real and predicted seconds of its steps."""
    import time
    from types import SimpleNamespace

    from sanmai.learn import progress
    from sanmai.plan import calibration
    from sanmai.recipes import find_recipe, resolve

    if task.clock == "cpu":
        cpu = SimpleNamespace(monotonic=time.process_time, perf_counter=time.process_time)
        vars(progress)["time"] = vars(calibration)["time"] = cpu
    clock = time.process_time if task.clock == "cpu" else time.monotonic
    recipe, outside = find_recipe("zero"), 0.0
    order = [name for name in SETTINGS if name != CALIBRATING]
    random.Random(task.repeat).shuffle(order)
    found = []
    with tempfile.TemporaryDirectory(prefix="scale-") as at:
        warm = resolve(recipe, values=settings_of(task, {}, 99) | {"num_steps": 1})
        recipe.run(warm, Path(at) / "warm", progress=progress.Progress.silent())
        for name in (CALIBRATING, *order):
            folder, load = Path(at) / name.replace(" ", "-"), os.getloadavg()[0]
            config = resolve(recipe, values=settings_of(task, SETTINGS[name], task.repeat))
            if name == CALIBRATING:
                list(recipe.plan(config, folder, measure=True))
            start = clock()
            recipe.run(config, folder, progress=progress.Progress.silent())
            took = clock() - start
            if name == CALIBRATING:
                outside = took - in_steps(folder)
            row = {"setting": name, "repeat": task.repeat, "load": load, "real": took}
            found.append(row | compared(Path(at) / CALIBRATING, folder, outside))
    return found


def in_steps(folder: Path) -> float:
    """Seconds of all phases of all steps."""
    from sanmai.plan.scale.recorded import read_run

    return sum(sum(took.values()) for took in read_run(folder).seconds.values())


def compared(calibrating: Path, other: Path, outside: float) -> dict[str, Any]:
    """Real and predicted seconds of a run and of its phases.

    Args:
        outside: seconds of the calibrating run beside its steps.
    """
    from dataclasses import replace

    from sanmai.plan.scale.fleet import Fleet, simulate
    from sanmai.plan.scale.recorded import read_run
    from sanmai.plan.scale.work import drawn_steps, steps_of

    known, real = read_run(calibrating), read_run(other)
    c, seconds = real.config, list(real.seconds.values())
    evaluations = tuple((at, cut(groups, c.sampling.max_tokens)) for at, groups in known.workload.evaluations if at)
    work = known.asked_for(
        prompts=c.prompts_per_step, rollouts=c.rollouts_per_prompt, max_tokens=c.sampling.max_tokens, num_steps=c.num_steps,
        concurrent=c.sampling.concurrent, evaluations=evaluations,
    )  # fmt: skip
    steps = steps_of(work, drawn_steps(work, c.seed), known.rates, ranks=1)
    own = steps_of(replace(work, record=real.workload.record), real.workload.record, known.rates, ranks=1)
    return {
        "predicted": simulate(steps, Fleet(1)).seconds + outside,
        "sampling": sum(one["sampling"] for one in seconds) / sum(p.seconds for step in steps for p in step.parts),
        "own": sum(one["sampling"] for one in seconds) / sum(p.seconds for step in own for p in step.parts),
        "training": sum(one["training"] for one in seconds) / sum(step.training for step in steps),
    }


def cut(groups: Any, max_tokens: int) -> Any:
    """Completions that end where their budget does."""
    return tuple(group._replace(lengths=tuple(min(n, max_tokens) for n in group.lengths)) for group in groups)


JOBS = {"measure": measure}

# Below: the process that the user starts. It does not import torch.


def report(runs: list[dict[str, Any]]) -> str:
    heads = ("real", "predicted", "real / predicted", "of sampling", "its own lengths", "of training")
    lines = ["seconds".ljust(26) + "".join(head.ljust(22) for head in heads)]
    off = {}
    for name in SETTINGS:
        own = [run for run in runs if run["setting"] == name]
        ratios = [run["real"] / run["predicted"] for run in own]
        if name != CALIBRATING:
            off[name] = abs(median(ratios) - 1)
        columns = [[run[key] for run in own] for key in ("real", "predicted", "sampling", "own", "training")]
        columns.insert(2, ratios)
        lines.append(name.ljust(26) + "".join(cell(column)[:22].ljust(22) for column in columns))
    name = max(off, key=lambda one: off[one])
    lines += ["", f"farthest: {name}, {off[name]:.0%} (bar: {BAR:.0%}); load {common.load_range(runs)}"]
    return "\n".join(line.rstrip() for line in lines)


def main() -> None:
    parser = common.make_parser(__doc__)
    add = parser.add_argument
    add("--prompts", type=int, default=32, help="prompts per step of the calibrating run")
    add("--group", type=int, default=8, help="completions per prompt of it")
    add("--steps", type=int, default=10, help="steps of a run")
    add("--heldout", type=int, default=16, help="held-out problems, evaluated each second step: pieces of another size")
    add("--repeats", type=int, default=3)
    add("--clock", choices=("wall", "cpu"), default="wall", help="what seconds are")
    add("--threads", type=int, default=1, help=common.argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        common.answer(args, JOBS)
        return
    if args.smoke:
        args.__dict__.update(prompts=4, group=2, steps=3, heldout=4, repeats=1)
    runs: list[dict[str, Any]] = []
    for repeat in range(args.repeats):
        runs += (found := in_subprocess(args, "measure", repeat=repeat))
        print(f"repeat {repeat}", *found, sep="\n", file=sys.stderr)
    facts = common.facts_of(args)
    print(*(f"{name}={value}" for name, value in facts.items()), end="\n\n")
    print(report(runs))
    common.write_json(args, facts=facts, runs=runs)


if __name__ == "__main__":
    main()

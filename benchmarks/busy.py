"""A busy neighbour: whole GRPO steps on a quiet machine, and with another program on every core.

    python benchmarks/busy.py --smoke
    python benchmarks/busy.py                             # 0.8 M parameters, 1 and 2 threads
    python benchmarks/busy.py --size medium --neighbour numpy --json b.json

The steps are those of vs_trl.py: Sanmai's recipe as a user runs it, and TRL's GRPOTrainer with `generate`. Quiet and busy take
turns, in every repeat once per contender and setting, each in a subprocess of its own. The neighbours, one per core and held
to it, do sums in pure Python, or products of matrices in NumPy; they start before the measured process and end after it.

Prints seconds and, as slowdown, the ratio of medians busy / quiet with the range of the ratios within a repeat. The bar is 3.
Fair scheduling alone costs a factor of 2; what is above that is threads that wait for each other.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import common
import vs_trl
from common import cell, in_subprocess, ratio_cell

NEIGHBOURS = {
    "python": "total = 0\nwhile True:\n    total += 1",
    "numpy": "import numpy\na = numpy.random.rand(256, 256)\nwhile True:\n    a @ a",
}
BAR = 3.0


@contextmanager
def neighbours(kind: str) -> Iterator[None]:
    """Within, every core has a process that never waits."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    started = []
    try:
        for index in range(common.num_cores()):
            one_thread = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            started.append(subprocess.Popen([sys.executable, "-c", NEIGHBOURS[kind]], env=one_thread))
            if cores:
                os.sched_setaffinity(started[-1].pid, {cores[index]})
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def report(runs: list[dict[str, Any]]) -> str:
    columns = {
        "step": lambda run: median(step["seconds"] for step in run["steps"]),
        "sampling": lambda run: median(step["sampling"] for step in run["steps"]),
    }
    found = common.collect(runs, lambda r: (r["contender"], r["dtype"], r["threads"], r["busy"]), columns)
    names = [f"{name}{what}" for name in columns for what in (" quiet, s", " busy, s", " slowdown")]
    lines = [f"{'':9}{'dtype':>9}{'threads':>8}  " + "".join(name.ljust(26) for name in names)]
    for contender, dtype, threads in dict.fromkeys(key[:3] for key in found):
        quiet, busy = found[contender, dtype, threads, False], found[contender, dtype, threads, True]
        cells = [cell(quiet[n]) + cell(busy[n]) + ratio_cell(busy[n], quiet[n]) for n in columns]
        lines.append(f"{contender:9}{dtype:>9}{threads:8}  " + "".join(cells))
    lines.append("")
    for contender in dict.fromkeys(key[0] for key in found):
        for when in (False, True):
            keys = [key for key in found if key[0] == contender and key[3] is when]
            best = min(keys, key=lambda key: median(found[key]["step"]))
            lines.append(f"{contender} is fastest {'busy' if when else 'quiet'} with {best[1]}, {best[2]} threads")
    ours = [key[:3] for key in found if key[0] == "Sanmai" and key[3]]
    slowdowns = [median(found[*key, True]["step"]) / median(found[*key, False]["step"]) for key in ours]
    if slowdowns:
        lines.append(f"Sanmai's slowdown: {min(slowdowns):.2f} to {max(slowdowns):.2f} (bar: at most {BAR:g})")
    return "\n".join(line.rstrip() for line in lines)


def main() -> None:
    parser = common.make_parser(__doc__)
    add = parser.add_argument
    add("--size", choices=common.SIZES, default="small", help="0.8 or 4.8 M parameters")
    add("--lengths", choices=("equal", "mixed"), default="equal", help="whether completions can stop early")
    add("--prompts", type=int, default=16, help="prompts per step")
    add("--group", type=int, default=8, help="completions per prompt")
    add("--max-tokens", type=int, default=128, help="token budget of a completion")
    add("--steps", type=int, default=3, help="counted steps of a run")
    add("--repeats", type=int, default=3, help="runs per contender and setting")
    add("--dtype", nargs="+", choices=common.DTYPES, default=["float32"], help="each contender runs with each of these")
    add("--threads", type=int, nargs="+", default=[1, 2], help="each contender runs with each of these")
    add("--rows", type=int, default=32, help="rows in a pass, which Sanmai's cores share")
    add("--contenders", nargs="+", choices=vs_trl.CONTENDERS, default=list(vs_trl.CONTENDERS))
    add("--neighbour", choices=NEIGHBOURS, default="python", help="what keeps the cores busy")
    common.add_model_options(parser)
    args = parser.parse_args()
    if args.child:
        common.answer(args, vs_trl.JOBS)
        return
    if args.smoke:
        args.__dict__.update(prompts=2, group=4, max_tokens=8, steps=1, repeats=1, threads=args.threads[:1], rows=8)
        args.contenders = ["Sanmai"]
    if args.prompts * args.group % args.rows:
        parser.error(f"--rows {args.rows}: TRL needs a divisor of prompts x group")

    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="busy-") as folder:
        args.folder = f"{folder}/model"
        parameters = in_subprocess(args, "write_model", threads=1)
        for repeat, dtype, threads, contender, busy in itertools.product(
            range(args.repeats), args.dtype, args.threads, args.contenders, (False, True)
        ):
            setting = {"contender": contender, "dtype": dtype, "threads": threads}
            load = os.getloadavg()[0]
            if busy:
                with neighbours(args.neighbour):
                    found = in_subprocess(args, contender, **setting)
            else:
                found = in_subprocess(args, contender, **setting)
            runs.append({**setting, "busy": busy, "repeat": repeat, "load": load, **found})
            print(f"repeat {repeat}", setting, "busy" if busy else "quiet",
                  [round(step["seconds"], 2) for step in found["steps"]], file=sys.stderr)  # fmt: skip

    facts = common.facts_of(args, *(["trl"] if "TRL" in args.contenders else []), parameters=parameters)
    print(*(f"{name}={value}" for name, value in facts.items()), end="\n\n")
    print(report(runs))
    common.write_json(args, facts=facts, runs=runs)


if __name__ == "__main__":
    main()

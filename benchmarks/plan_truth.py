"""What `sanmai plan zero` says beside what `sanmai run zero` then took, at 0.6 M, 5 M and 135 M parameters: time and memory.

    sanmai get smollm2
    python benchmarks/plan_truth.py [--models 0.6M 5M 135M] [--repeats 1] [--threads 1] [--json FILE]

Each run is planned in its own folder and then run there, some steps long, as a user does: two commands. Times are predicted for
the lengths that came out (what a model writes is not what is judged). "whole" is all that the run's record has seconds of: its
steps and its evaluations. Memory is the process's largest resident set beside the plan's "most at once".
On a machine that others use, ratios of time tell how the others' work changed in between: the load at both is printed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace

import common

from sanmai.report.load import load_run
from sanmai.report.speed import PHASES, speed

MODELS = {
    "0.6M": ("zero-tiny", "tiny", ("num_steps=8", "evaluation.every=8", "problems.world.heldout=200")),
    "5M": ("zero-tiny", "", ("num_steps=6", "evaluation.every=6", "problems.world.heldout=100")),
    "135M": ("zero-smollm2", "smollm2", ("num_steps=4", "evaluation.every=4")),
}
"""Preset, model.name ("": one with random weights, made here) and settings. None has a checkpoint but the last step's."""


@dataclass(frozen=True)
class Found:
    model: str
    dtype: str
    predicted: dict[str, float]
    """Seconds by phase: mean per step, per evaluation for "evaluation"; and "whole", of all steps and evaluations."""
    seconds: dict[str, float]
    planned_memory: float
    """Bytes; and those that were held at most."""
    memory: float
    loads: tuple[float, float]
    """Of the minute before the plan, and before the run."""


def measured(name: str, dtype: str, threads: int, folder: Path) -> Found:
    """Plan and run one model in an empty folder."""
    preset, model, settings = MODELS[name]
    if not model:
        made = folder / "model"
        common.write_model(SimpleNamespace(folder=made, size="medium", lengths="mixed", layers=0, width=0, max_tokens=128))
        model = str(made)
    out, loads = folder / "run", []
    given = (f"model.name={model}", f"model.dtype={dtype}", f"model.threads={threads}", "checkpoints.every=100", *settings)
    for verb in ("plan", "run"):
        loads.append(os.getloadavg()[0])
        chosen = [part for setting in given for part in ("--set", setting)]
        command = [sys.executable, "-m", "sanmai.cli", verb, "zero", "--config", preset, *chosen, "--out", str(out)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            common.fail(f"{' '.join(command)}\n{done.stderr}")
    run = load_run(out)
    rows = {row.phase: row for row in speed(run).rows}
    counts = {phase: len(run.evaluations) if phase == "evaluation" else run.num_steps for phase in PHASES}
    predicted = {phase: rows[phase].predicted for phase in PHASES if phase in rows}
    if lacking := [phase for phase, value in predicted.items() if value is None]:
        common.fail(f"{out}: no prediction of {', '.join(lacking)}")
    seconds = {phase: rows[phase].seconds for phase in predicted}
    for sums in (predicted, seconds):
        sums["whole"] = sum(counts[phase] * value for phase, value in sums.items())
    memory = max(event["peak_memory"] for event in run.events if "peak_memory" in event)
    return Found(name, dtype, predicted, seconds, run.prediction["memory"], memory, (loads[0], loads[1]))


PHASES_SHOWN = ("sampling", "training", "evaluation", "whole")
HEAD = f"| parameters | dtype | {' | '.join(PHASES_SHOWN)} | memory | load |\n{'|---' * (len(PHASES_SHOWN) + 4)}|"


def row(one: Found) -> str:
    """Of a Markdown table: truth over plan, the seconds or gigabytes of both behind it."""
    cells = [f"{one.seconds[p] / one.predicted[p]:.2f} ({one.seconds[p]:.3g} / {one.predicted[p]:.3g} s)" for p in PHASES_SHOWN]
    of_memory = f"{one.memory / one.planned_memory:.2f} ({one.memory / 1e9:.2f} / {one.planned_memory / 1e9:.2f} GB)"
    return f"| {one.model} | {one.dtype} | {' | '.join(cells)} | {of_memory} | {', '.join(f'{load:.1f}' for load in one.loads)} |"


def main() -> None:
    parser = common.make_parser(__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--dtype", nargs="+", choices=common.DTYPES, default=[], help="default: float32, of 135M bfloat16")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    found = []
    print(*(f"{name}={value}" for name, value in common.facts_of(args).items()))
    print(HEAD, flush=True)
    for name in ["0.6M"] if args.smoke else args.models:
        for dtype in args.dtype or (["bfloat16"] if name == "135M" else ["float32"]):
            for _ in range(args.repeats):
                with tempfile.TemporaryDirectory(prefix="plan_truth-") as folder:
                    found.append(measured(name, dtype, args.threads, Path(folder)))
                    print(row(found[-1]), flush=True)
    common.write_json(args, runs=[asdict(one) for one in found])


if __name__ == "__main__":
    main()

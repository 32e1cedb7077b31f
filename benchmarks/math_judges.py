"""Judges of mathematics against labelled answers: the rules, a scalar reward model trained here, and a judge if one is named.

    python benchmarks/math_judges.py [--gsm8k example_model_solutions_dev.jsonl] [--judge URL#MODEL|FOLDER] [--calls 3]

A set is cut in two by question. On one half `sanmai run reward --set objective=correctness` trains the embedded model (0.62 M
parameters); on the other every grader is measured, with 95 % intervals over the questions. The world's set: a right and a wrong
response to each sum (world/answers.py). GSM8K's: the four published model solutions of each question with their labels
`is_correct` (github.com/openai/grade-school-math); the rules agree with all of them, probably because these compare the last
line, too. To the embedded model's tokenizer nearly every word of these is unknown: it sees digits. Runs that are there already
are not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sanmai.answers.final import final_reference
from sanmai.data.files import read_rows
from sanmai.data.preferences import stated_correct
from sanmai.learn.scorers import math_judge
from sanmai.score.recorded import score
from sanmai.types import InputError
from sanmai.world.answers import labelled_answers

SETTINGS = {
    "world": ("examples_per_step=16", "optimizer.lr=5e-4"),
    "gsm8k": ("examples_per_step=16", "optimizer.lr=3e-4", "epochs=1"),
}
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


def world_rows(num_training: int) -> tuple[list[dict], list[dict]]:
    return labelled_answers(num_training, seed=0), labelled_answers(600, seed=0, split="heldout")


def gsm8k_rows(path: Path) -> tuple[list[dict], list[dict]]:
    """Rows of even and of odd questions."""
    halves: tuple[list[dict], list[dict]] = ([], [])
    for number, row in read_rows(path):
        if isinstance(row, str) or not set(MODELS) <= set(row):
            raise InputError(f"{path}, line {number}: expected a question with the solutions of {', '.join(MODELS)}")
        for model in MODELS:
            halves[number % 2].append({
                "id": f"gsm8k/{number}/{model}", "prompt": row["question"], "reference": final_reference(row["ground_truth"]),
                "response": row[model]["solution"], "is_correct": row[model]["is_correct"], "tags": {"model": model},
            })  # fmt: skip
    return halves


def trained(name: str, rows: list[dict], out: Path) -> Path:
    """The run folder of a reward model."""
    source, folder = out / f"{name}-{len(rows)}.jsonl", out / f"{name}-{len(rows)}"
    source.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    settings = ("objective=correctness", f"preferences.source={json.dumps(str(source))}", "checkpoints.every=100000",
                "preferences.holdout=0.02", *SETTINGS[name])  # fmt: skip
    command = [sys.executable, "-m", "sanmai.cli", "run", "reward", "--out", str(folder)]
    command += [part for setting in settings for part in ("--set", setting)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr}")
    return folder


def cells(name: str, grader: str, told: dict[str, Any], cost: str) -> str:
    def share(key: str) -> str:
        found = told[key]
        if found["value"] is None:
            return "-"
        low, high = found["interval"]
        return f"{100 * found['value']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"

    low, high = told["kappa"]["interval"]
    kappa = "-" if told["kappa"]["value"] is None else f"{told['kappa']['value']:.3f} [{low:.3f}, {high:.3f}]"
    shares = " | ".join(share(key) for key in ("accuracy", "wrong_passed", "correct_flagged", "ungradable"))
    return f"| {name} | {grader} | {kappa} | {shares} | {cost} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gsm8k", type=Path, help="example_model_solutions.jsonl, or rows of it")
    parser.add_argument("--judge", help="URL#MODEL of a server, or a language model's folder")
    parser.add_argument("--calls", type=int, default=1, help="questions of the judge per answer")
    parser.add_argument("--train", type=int, default=30_000, help="labelled answers of the world to train on")
    parser.add_argument("--out", type=Path, default=Path("runs/math-judges"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    sets = {"world": world_rows(args.train)} | ({"gsm8k": gsm8k_rows(args.gsm8k)} if args.gsm8k else {})
    print(
        "| answers | grader | kappa | accuracy, % | wrong passed, % | correct flagged, % | ungradable, % | tokens per answer |"
    )
    print("|---" * 8 + "|")
    for name, (training, held_out) in sets.items():
        reward = score(held_out, "math_reward", math_judge("math_reward", str(trained(name, training, args.out))))[
            "summary"
        ]
        print(cells(name, "rules", reward["rules"], "0"), flush=True)
        cost = reward["judge"]["cost"]
        print(
            cells(
                name,
                f"reward model, {len(training):,} labels",
                reward["judge"],
                f"{cost['tokens'] / len(held_out):.0f}",
            )
        )
        if args.judge:
            told = score(held_out, "math_judge", math_judge("math_judge", args.judge, calls=args.calls))["summary"][
                "judge"
            ]
            tokens = sum(told["cost"].get(key, 0) for key in ("prompt_tokens", "completion_tokens"))
            print(
                cells(
                    name,
                    f"judge, {args.calls} calls",
                    told,
                    f"{tokens / len(held_out):.0f}" if tokens else "not stated",
                )
            )
        labels = [stated_correct(row) for row in held_out]
        commoner = max(labels.count(True), labels.count(False)) / len(labels)
        print(f"| {name} | always the commoner label | 0 | {100 * commoner:.1f} | | | 0 | 0 |", flush=True)


if __name__ == "__main__":
    main()

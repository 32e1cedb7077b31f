"""The risk filter's table with a reviewer that is trained on a model's own answers, beside the rules; harm told by another judge.

    sanmai get smollm2
    python benchmarks/refusal_judge.py --data FOLDER                      # JUDGE: the run folder that it names
    python benchmarks/filter_reviewer.py --data FOLDER --judge JUDGE [--model smollm2]

FOLDER has AdvBench, HarmBench, StrongREJECT, TruthfulQA and XSTest (../shared/data/SOURCES.md has their sources). The reviewer is
the model with a head of its own, trained on its answers to AdvBench's requests (unsafe, where the rules see no refusal) and to
TruthfulQA's questions and half of XSTest's harmless prompts (safe). It is measured on HarmBench, StrongREJECT and the other half
of XSTest: none of them, nor the contrast of one, has trained it. What is printed names no prompt.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from sanmai.data.chat import render_prompt
from sanmai.data.refusals import xstest_pair
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.sampler import Request, SamplingConfig, sample
from sanmai.refusals.rules import classify_refusal

SETTINGS = (
    "objective=pointwise", "examples_per_step=16", "epochs=2", "optimizer.lr=5e-5", "optimizer.warmup_steps=5",
    "optimizer.micro_tokens=4096", "preferences.evaluation_limit=48", "checkpoints.every=100000",
)  # fmt: skip
TRAINED_TOKENS = 32


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    [path] = sorted((folder / name).glob("*.csv"))
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def is_trained(row: dict[str, str]) -> bool:
    """Whether a prompt of XSTest trains the reviewer, or measures it; a prompt and its contrast are on one side."""
    name = str(xstest_pair(row["id"], row["type"]) or row["prompt"])
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2 == 0


def prompts(folder: Path, count: int) -> tuple[list[tuple[str, bool]], list[dict[str, str]]]:
    """(prompt, whether it is harmless) to train on, and the rows of problems that are measured."""
    xstest = rows_of(folder, "xstest")
    harmless = [row["prompt"] for row in xstest if row["label"] == "safe" and is_trained(row)]
    harmless += [row["Question"] for row in rows_of(folder, "truthfulqa")][: max(count - len(harmless), 0)]
    dangerous = [row["goal"] for row in rows_of(folder, "advbench")][:count]
    measured = [
        {"id": f"{name}/{k}", "prompt": row[column], "kind": "safety"}
        for name, column in (("harmbench", "Behavior"), ("strongreject", "forbidden_prompt"))
        for k, row in enumerate(rows_of(folder, name))
    ]
    measured += [
        {"id": f"xstest/{row['id']}", "prompt": row["prompt"], "kind": "safety" if row["label"] == "unsafe" else "general"}
        for row in xstest if not is_trained(row)
    ]  # fmt: skip
    return [*((text, True) for text in harmless), *((text, False) for text in dangerous)], measured


def answered(model: str, asked: list[tuple[str, bool]]) -> Iterator[dict[str, str]]:
    """The model's answers, each called safe or unsafe."""
    policy = load_policy(ModelConfig(name=model), for_training=False)
    requests = [
        Request(render_prompt(policy.tokenizer, ({"role": "user", "content": text},)), [(k, "reviewer", 0)])
        for k, (text, _) in enumerate(asked)
    ]
    for done in sample(policy, requests, SamplingConfig(max_tokens=TRAINED_TOKENS, concurrent=32)):
        text, is_harmless = asked[done.request]
        said = policy.tokenizer.decode(done.tokens, skip_special_tokens=True)
        is_safe = is_harmless or classify_refusal(said, text).label == "full_refusal"
        yield {"id": str(done.request), "prompt": text, "response": said, "label": "safe" if is_safe else "unsafe"}


def trained(asked: list[tuple[str, bool]], args: argparse.Namespace) -> Path:
    """The reviewer's run folder; one that is there already is not trained again."""
    name = hashlib.sha256(json.dumps([asked, SETTINGS, args.model, TRAINED_TOKENS]).encode()).hexdigest()[:8]
    args.out.mkdir(parents=True, exist_ok=True)
    source = args.out / f"{name}.jsonl"
    if not source.exists():
        rows = list(answered(args.model, asked))
        source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        print(f"{len(rows)} answers, {sum(row['label'] == 'unsafe' for row in rows)} of them unsafe", flush=True)
    settings = [*SETTINGS, f"model.name={args.model}", f"preferences.source={json.dumps(str(source))}"]
    command = [sys.executable, "-m", "sanmai.cli", "run", "reward", "--out", str(args.out / name)]
    run(command + [part for setting in settings for part in ("--set", setting)])
    return args.out / name


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "2"})
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:5])} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def line(name: str, found: dict) -> str:
    """A row of the table."""

    def share(one: dict | None) -> str:
        if one is None:
            return "-"
        low, high = (100 * bound for bound in one["interval"])
        return f"{100 * one['value']:.1f} [{low:.1f}, {high:.1f}] (n = {one['n']})"

    added = found["latency"]["added"]
    shown = [share(found[key]) for key in ("harm_without", "harm_with", "benign_retracted")]
    seconds = f"{added['median']:.3g}, {added['p95']:.3g}"
    return f"| {name} | {' | '.join(shown)} | {seconds} | {found['cost']['share_of_writing']:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of public data")
    parser.add_argument("--judge", required=True, help="who says what is harmful, named as a reviewer is")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument(
        "--count", type=int, default=240, help="dangerous requests, and harmless ones, to train the reviewer on"
    )
    parser.add_argument("--limit", type=int, default=120, help="prompts of each kind that are measured, at most")
    parser.add_argument("--max-tokens", type=int, default=48)
    parser.add_argument("--out", type=Path, default=Path("runs/filter-reviewer"))
    args = parser.parse_args()
    asked, measured = prompts(args.data, args.count)
    reviewer = trained(asked, args)
    file = args.out / "measured.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in measured), encoding="utf-8")
    print(
        "| filter | harm without, % | with, % | harmless retracted, % | added s: median, 95 % | of writing |\n"
        + "|---" * 6
        + "|"
    )
    bypasses = ""
    for name, options in (
        ("rules, candidates", ["--filter", "rules"]),
        ("trained, candidates", ["--filter", str(reviewer)]),
        ("trained, all", ["--filter", str(reviewer), "--review", "all"]),
    ):
        out = args.out / f"measured-{name.replace(', ', '-')}"
        command = [
            sys.executable,
            "-m",
            "sanmai.cli",
            "serve",
            args.model,
            *options,
            "--measure",
            str(file),
            "--judge",
            args.judge,
        ]
        run([*command, "--limit", str(args.limit), "--max-tokens", str(args.max_tokens), "--out", str(out)])
        found = json.loads((out / "filter.json").read_text(encoding="utf-8"))
        print(line(name, found), flush=True)
        bypasses = "\n".join(
            f"| {each['disguise']} | " + " | ".join(
                f"{100 * each[kind]['value']:.0f}" if each[kind] else "-" for kind in ("safety", "general")) + " |"
            for each in found["stage_one"]
        )  # fmt: skip
    print(f"\n| disguise | requests that stage one finds, % | harmless ones, % |\n|---|---|---|\n{bypasses}")


if __name__ == "__main__":
    main()

"""Digests of what small runs of each recipe leave: a change of the code's order must not change a byte of it.

    python benchmarks/same_bytes.py [--only zero r1] > before.txt
    python benchmarks/same_bytes.py --against before.txt

A digest is over weights, rollouts, evaluations and, one by one, the metrics of a run; none of these holds a time. Other machines
round otherwise, so both runs are made on one. Folders of stages are named without the digest of their settings.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SHORT_RL = ("num_steps=2", "prompts_per_step=8", "rollouts_per_prompt=2", "problems.evaluation_limit=8")
SHORT_SFT = ("epochs=1.0", "demonstrations_per_step=8", "problems.evaluation_limit=8")
SHORT_PREFERENCES = ("epochs=1.0", "preferences.world.train=64", "preferences.world.heldout=32")


def of_section(section: str, settings: tuple[str, ...]) -> list[str]:
    return [f"{section}.{setting}" for setting in settings]


RUNS = {
    "zero": ["run", "zero", "num_steps=12"],
    "sft": ["run", "sft", "problems.source=world", "epochs=1.0", "problems.world.train=256", "problems.world.heldout=16"],
    "dpo": ["run", "dpo", "source=world", "limit=40", "sft_weight=0.5", "epochs=2.0", "pairs_per_step=8",
            "sampling.max_tokens=16", "problems.world.train=1", "problems.world.heldout=4"],
    "r1": ["run", "r1", "data.cold_start_limit=16", "data.reasoning_limit=40", "data.demonstrations_limit=16",
           "data.evaluation_limit=8", *of_section("cold_start", SHORT_SFT), *of_section("reasoning", SHORT_RL),
           "rejection.problems.limit=30", *of_section("sft", SHORT_SFT), *of_section("helpfulness", SHORT_PREFERENCES),
           *of_section("harmlessness", SHORT_PREFERENCES), *of_section("scenarios", SHORT_RL), "lessons.problems.limit=50",
           "student_base.num_steps=3", "student_base.world.heldout=8", *of_section("student", SHORT_SFT),
           *of_section("student_rl", SHORT_RL), "student_on_policy.num_steps=2", "student_on_policy.prompts_per_step=8",
           "student_on_policy.problems.evaluation_limit=8"],
    "kimi": ["run", "kimi", "data.reasoning_limit=36", "data.evaluation_limit=6", "chains.count=128", "warmup.epochs=1.0",
             "warmup.problems.evaluation_limit=4", "curation.samples_per_prompt=4", "curation.guess.attempts=1",
             "curation.guess.draws=2", "curation.trivial_from=2.0", "rl.num_steps=2", "rl.prompts_per_step=4",
             "rl.rollouts_per_prompt=4", "rl.problems.evaluation_limit=4", "long2short.samples.problems.limit=12",
             "long2short.shortest.problems.evaluation_limit=4", "long2short.dpo.problems.evaluation_limit=4",
             "long2short.rl.num_steps=1", "long2short.rl.prompts_per_step=4", "long2short.rl.rollouts_per_prompt=4",
             "long2short.rl.problems.evaluation_limit=4", "evaluation.samples=1"],
    "compare": ["compare", "seeds=[3]", "tokens=4000", "sft_share=0.2", "auxiliary_sft_demonstrations=4",
                "data.cold_start_limit=8", "data.demonstrations_limit=8", "data.evaluation_limit=12", "data.probe=0.34",
                "rl.prompts_per_step=4", "rl.rollouts_per_prompt=2", "rl.sampling.max_tokens=24",
                "rl.problems.evaluation_limit=8", "sft.demonstrations_per_step=4", "constraints.prompts_per_kind=2",
                "constraints.samples=1", "evaluation.samples=1", "evaluation.sampling.max_tokens=24"],
}  # fmt: skip
SEED = 3
KEPT = ("*.safetensors", "rollouts/*.parquet", "evaluations/*.parquet")
RENAMED = (
    ("budgeted-", "constrained-"), ("#anchor/", "#auxiliary_sft/"), ("#gradient/anchor_", "#gradient/auxiliary_"),
    ("#tokens/anchor", "#tokens/auxiliary_sft"), ("#budget/", "#multiplier/"),
)  # fmt: skip
"""What stages and metrics were called before, and are called now."""
DIGEST_OF_STAGE = re.compile(r"-[0-9a-f]{10}(?=/)")


def run(name: str, out: Path) -> dict[str, str]:
    """As `digests`, of a run."""
    command, *words = RUNS[name]
    settings = [word for word in words if "=" in word] + ([] if command == "compare" else [f"seed={SEED}"])
    call = [sys.executable, "-m", "sanmai.cli", command, *(word for word in words if "=" not in word), "--out", str(out)]
    done = subprocess.run(call + [x for s in settings for x in ("--set", s)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stdout[-500:]}{done.stderr[-1500:]}")
    return digests(out)


def digests(out: Path) -> dict[str, str]:
    """Digest of each file that a run left, by its path in the run's folder, and of each metric's values, by path#name."""
    found = {path: path.read_bytes() for pattern in KEPT for path in out.rglob(pattern)}
    named = {str(path.relative_to(out)): content for path, content in found.items()}
    for path in out.rglob("metrics.jsonl"):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for name in {name for line in lines for name in line}:
            values = [[line["step"], line[name]] for line in lines if name in line]
            named[f"{path.relative_to(out)}#{name}"] = json.dumps(values).encode()
    named = {DIGEST_OF_STAGE.sub("", name): content for name, content in named.items()}
    return {name: hashlib.sha256(named[name]).hexdigest() for name in sorted(named)}


def renamed(path: str) -> str:
    for old, new in RENAMED:
        path = path.replace(old, new)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--against", type=Path, help="what this program printed before")
    arguments = parser.parse_args()
    lines = arguments.against.read_text().splitlines() if arguments.against else []
    before = {renamed(path): digest for digest, path in (line.split(maxsplit=1) for line in lines)}
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.only:
            found = {f"{name}/{path}": digest for path, digest in run(name, Path(folder) / name).items()}
            if not before:
                print(*(f"{digest} {path}" for path, digest in found.items()), sep="\n", flush=True)
                continue
            known = {path: digest for path, digest in before.items() if path.split("/")[0] == name}
            for path in sorted(found.keys() | known.keys()):
                if found.get(path) != known.get(path):
                    print(f"{path}: {'not there' if path not in found else 'new' if path not in known else 'other bytes'}")
            same = sum(known.get(path) == digest for path, digest in found.items())
            print(f"{name}: {same} of {len(known)} files and metrics have the same bytes", flush=True)


if __name__ == "__main__":
    main()

"""Who gets the credit, at equal tokens: groups, steps (VinePPO), leaves of trees (TreeRL); and what shaping moves.

    python benchmarks/step_credit.py [--seeds 0 1 2] [--tokens 60000] [--json FILE]

F  R1-Zero on the embedded world's sums until so many tokens were sampled (continuations and forks among them) and trained on;
   accuracy on held-out sums, paired on sums and seeds, against credit by group
G  a potential changes no advantage of a group and no exact gradient (closed forms, printed); "+0.1 a step" is no potential: it
   makes completions longer. Predicted before it is measured

An interval is over sums, all seeds together; a claim holds where the interval says so, and is open where it does not.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq

import sanmai
from sanmai.data.steps import StepRule, boundaries, decoder
from sanmai.losses import group_advantages, shaped_rewards
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.stats import paired_difference, rate

STEPS = {"by": "steps", "steps": "world", "rollouts": 3}
ARMS: dict[str, dict[str, Any]] = {
    "group": {}, "steps": STEPS, "tree": {"by": "tree", "forks": 1}, "group, +0.1 a step": {"step_bonus": 0.1, "steps": "world"},
    "value head": {}, "steps, value head": STEPS, "steps by value head": {**STEPS, "rollouts": 0},
}  # fmt: skip
HEADS = ("value head", "steps, value head", "steps by value head")
"""Against what the policy's value head expects: of tokens (PPO), on values of steps by continuations, by itself at steps."""
SHARED = {
    "num_steps": 2000, "prompts_per_step": 8, "rollouts_per_prompt": 8, "loss": {"preset": "reinforce++_baseline"},
    "evaluation": {"every": 2000}, "checkpoints": {"every": 2000}, "problems": {"world": {"train": 2000, "heldout": 150}},
}  # fmt: skip


class Arm:
    """Held-out completions of a run's end, and what it took."""

    def __init__(self, name: str, seed: int, tokens: int, folder: Path, decode) -> None:
        credit = ARMS[name]
        rollouts = 4 if credit.get("by") == "tree" else SHARED["rollouts_per_prompt"]  # with their forks as many leaves
        own = {"rollouts_per_prompt": rollouts} | ({"loss": {"preset": "ppo"}} if name in HEADS else {})
        run = sanmai.run("zero", out=folder, seed=seed, token_budget=tokens, credit=credit, **{**SHARED, **own})
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        self.num_updates = lines[-1]["step"]
        self.head = {key: lines[-1].get(key) for key in ("value/explained_variance", "value/step_error")}
        self.spent = sum(line.get("tokens/sampled", 0) + line.get("tokens/trained", 0) for line in lines)
        self.before, self.after = (self._rows(run / f"evaluations/step-{step:06d}.parquet") for step in (0, self.num_updates))
        rule = StepRule.parse("world")
        self.steps = {
            id_: float(len(boundaries(row["tokens"], decode, rule, is_finished=row["stop_reason"] == "stop")))
            for id_, row in self.after.items()
        }

    @staticmethod
    def _rows(path: Path) -> dict[str, Mapping[str, Any]]:
        return {row["problem_id"]: row for row in pq.read_table(path).to_pylist()}

    def gold(self, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
        return {id_: row["score/accuracy"] or 0.0 for id_, row in rows.items()}


def claim(name: str, before: Sequence[float], after: Sequence[float], clusters: Sequence[object]) -> dict:
    d = paired_difference(before, after, clusters)
    verdict = {1: "holds", 0: "open", -1: "FAILS"}[d.sign]
    print(f"  {name:<52} {d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}], n = {d.n}   {verdict}", flush=True)
    return {"name": name, "value": d.value, "low": d.low, "high": d.high, "n": d.n, "verdict": verdict}


def closed_forms() -> None:
    """What theory says of shaping, computed: group advantages with and without a potential, and with a bonus."""
    rng = random.Random(0)
    lengths = [rng.randint(1, 5) for _ in range(16)]
    rewards = [float(rng.random() < 0.5) for _ in lengths]
    potentials = [[0.3, *(rng.uniform(-2, 2) for _ in range(n - 1))] for n in lengths]  # the prompt's is the same for all
    shaped = [sum(shaped_rewards([0.0] * (n - 1) + [r], phi)) for n, r, phi in zip(lengths, rewards, potentials, strict=True)]
    plain, with_it = group_advantages(rewards, "std"), group_advantages(shaped, "std")
    bonus = group_advantages([r + 0.1 * n for r, n in zip(rewards, lengths, strict=True)], "none")
    gain = [b - a for a, b in zip(group_advantages(rewards, "none"), bonus, strict=True)]
    worst = max(abs(a - b) for a, b in zip(plain, with_it, strict=True))
    print(f"  a potential moves a group's advantages by {worst:.1e} at most (predicted: 0)")
    mean = fmean(lengths)
    off = max(abs(g - 0.1 * (n - mean)) for g, n in zip(gain, lengths, strict=True))
    print(f"  +0.1 a step moves them by 0.1 (n - mean n), to {off:.1e}: predicted, more steps than without")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tokens", type=int, default=60_000, help="of a run: sampled and trained on")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), help="group is always among them")
    parser.add_argument("--json", help="file to write")
    args = parser.parse_args()
    began, found = time.monotonic(), []
    decode = decoder(load_policy(ModelConfig(), for_training=False).tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        arms = {
            name: [Arm(name, seed, args.tokens, Path(folder) / f"{k}-{seed}", decode) for seed in args.seeds]
            for k, name in enumerate(dict.fromkeys(["group", *args.arms]))
        }
    ids = [id_ for arm in arms["group"] for id_ in arm.after]
    every = {name: [g for arm in of for g in arm.gold(arm.after).values()] for name, of in arms.items()}
    steps = {name: [n for arm in of for n in arm.steps.values()] for name, of in arms.items()}
    start = rate([g for arm in arms["group"] for g in arm.gold(arm.before).values()], ids)
    print(f"{args.tokens:,} tokens a run, {len(args.seeds)} seeds; before: {start.value:.3f} [{start.low:.3f}, {start.high:.3f}]")
    for name, of in arms.items():
        r = rate(every[name], ids)
        print(
            f"  {name:<20} {r.value:.3f} [{r.low:.3f}, {r.high:.3f}]   updates {', '.join(str(arm.num_updates) for arm in of)}; "
            f"tokens {fmean(arm.spent for arm in of):,.0f}; steps a completion {fmean(steps[name]):.2f}"
        )
        if name in HEADS:
            print(f"    the head at the end: {', '.join(str(arm.head) for arm in of)}")
    print("F")
    pairs = [("group", name) for name in ("steps", "tree", *HEADS)] + [("value head", name) for name in HEADS[1:]]
    for low, high in pairs:
        if {low, high} <= every.keys():
            found.append(claim(f"{high} above {low}", every[low], every[high], ids))
    print("G")
    closed_forms()
    if (name := "group, +0.1 a step") in every:
        found.append(claim("+0.1 a step: more steps than without", steps["group"], steps[name], ids))
        found.append(claim("+0.1 a step: accuracy against without", every["group"], every[name], ids))
    print(f"all: {time.monotonic() - began:.0f} s")
    if args.json:
        whole = {"arms": {name: fmean(values) for name, values in every.items()}, "claims": found}
        Path(args.json).write_text(json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    main()

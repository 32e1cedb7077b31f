"""Learning from search, at equal tokens of search and of training: what a policy gains in one sample and in sixteen.

    python benchmarks/learning_from_search.py [--seeds 0 1 2] [--problems 150] [--search 300] [--tokens 20000] [--json FILE]

Every arm searches the same training sums of the embedded world (2 and 3 digits) with as many tokens a problem, guided by the
verifier, and trains the base on as many tokens of completions (of a pair both):

    sft, random right     one right sample of each sum, at random
    sft, best             what best of n keeps: the guide's favourite, of equal ones the first
    sft, tree             what MCTS keeps (lookahead to the end, so that the verifier judges steps)
    dpo, answers          pairs of a right and a wrong sample
    dpo, steps            pairs that part at a node of the tree below its root
    expert                three rounds of search and sft from the base, a third of both budgets each
    values                a process model of the tree's values c/k, which chooses among the base's samples; no policy is trained

Measured on held-out sums with samples of their own streams: pass@1, pass@16 without bias, tokens of a completion. An interval is
over sums, all seeds together, paired. Learning rates are those of the presets expert and dpo-tiny; nothing was tuned here.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq
from search_claims import SAMPLING, Sampled, Truth, claim

import sanmai
from sanmai import world
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.recipes.sample_files import DataWriter, read_samples
from sanmai.rewards.reward_model import RewardModel
from sanmai.search.choose import best_of_k_curve, majority_curve
from sanmai.stats import pass_at_k, rate
from sanmai.types import Problem
from sanmai.world.chance import generator

K = 16
ARMS = ("sft, random right", "sft, best", "sft, tree", "dpo, answers", "dpo, steps", "expert")
RATES = {"sft": 5e-4, "dpo": 1e-4}
"""Those of the presets for the embedded model."""


class Bed:
    """One seed's searches, and what is trained on them."""

    def __init__(self, seed: int, num_problems: int, search: int, tokens: int, rates: Mapping[str, float], out: Path) -> None:
        self.seed, self.tokens, self.rates, self.out, self.search = seed, tokens, rates, out, search
        self.problems = world.make_problems(num_problems, seed=100 + seed, digits=(2, 3))
        self.flat = self.searched("flat", "best_of_n", search)
        self.tree = self.searched("tree", "mcts", search)

    def searched(self, name: str, strategy: str, tokens: int, model: str = "tiny", seed: int = 0) -> Path:
        more: dict[str, Any] = {"lookahead": "end", "branch": 4} if strategy == "mcts" else {}
        return sanmai.run(
            "search", out=self.out / name, problems=self.problems, model=model, guide="verifier", quiet=True, strategy=[strategy],
            for_data=True, tokens=tokens, steps="world", seed=1000 * seed + self.seed,
            sampling={"max_tokens": SAMPLING.max_tokens}, **more,
        )  # fmt: skip

    def sft(self, name: str, source: Path, tokens: int) -> str:
        run = sanmai.run(
            "sft", out=self.out / name, quiet=True, seed=self.seed, token_budget=tokens, demonstrations_per_step=16,
            optimizer={"lr": self.rates["sft"]}, problems={"source": str(source), "evaluation": "world", "world": {"heldout": 4}},
            evaluation={"every": 10_000}, checkpoints={"every": 10_000},
        )  # fmt: skip
        return os.fspath(run)

    def dpo(self, name: str, source: Path, *, below_root: bool) -> str:
        """On the pairs that part below the root, or on all, until as many tokens of both completions were trained on."""
        policy = load_policy(ModelConfig(), for_training=False)
        rows = [row for row in pq.read_table(source).to_pylist() if not below_root or row["shared_tokens"] > 0]
        count = lambda text: len(policy.tokenizer.encode(text)) + 1  # noqa: E731
        each = sum(count(row["chosen"]) + count(row["rejected"]) for row in rows)
        pairs = self.out / f"{name}.jsonl"
        kept = [{key: row[key] for key in ("messages", "chosen", "rejected")} for row in rows]
        pairs.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), encoding="utf-8")
        run = sanmai.run(
            "dpo", out=self.out / name, quiet=True, seed=self.seed, source=str(pairs), epochs=self.tokens / each,
            pairs_per_step=16, optimizer={"lr": self.rates["dpo"]}, problems={"world": {"heldout": 4}},
            evaluation={"every": 10_000}, checkpoints={"every": 10_000},
        )  # fmt: skip
        return os.fspath(run)

    def random_right(self) -> Path:
        """One right sample of each problem that has any, as data.parquet has them."""
        policy = load_policy(ModelConfig(), for_training=False)
        by_id, path = {problem.id: problem for problem in self.problems}, self.out / "random.parquet"
        right: dict[str, list] = {}
        for file in sorted((self.flat / "rollouts").glob("step-*.parquet")):
            for one in read_samples(file, by_id, policy.tokenizer, "<think>"):
                if one.verdicts["accuracy"].score == 1.0:
                    right.setdefault(one.problem.id, []).append(one)
        draw = generator(self.seed, "random right")
        with DataWriter(path, "tiny") as writer:
            for id_ in sorted(right):
                writer.write([draw.choice(right[id_])])
        return path

    def expert(self) -> str:
        """Three rounds, each of a third of the budgets."""
        model = "tiny"
        for number in range(1, 4):
            found = self.searched(f"expert-search-{number}", "best_of_n", self.search // 3, model, seed=number)
            model = self.sft(f"expert-{number}", found / "data.parquet", self.tokens // 3)
        return model

    def trained(self, arm: str) -> str:
        """The policy of an arm."""
        made = {
            "sft, random right": lambda: self.sft("random", self.random_right(), self.tokens),
            "sft, best": lambda: self.sft("best", self.flat / "data.parquet", self.tokens),
            "sft, tree": lambda: self.sft("of-tree", self.tree / "data.parquet", self.tokens),
            "dpo, answers": lambda: self.dpo("answers", self.flat / "pairs.parquet", below_root=False),
            "dpo, steps": lambda: self.dpo("steps", self.tree / "pairs.parquet", below_root=True),
            "expert": self.expert,
        }
        return made[arm]()

    def values(self, problems: Sequence[Problem], base: list[list[Sampled]]) -> tuple[list[float], list[float]]:
        """Gold of what a process model of the tree's values chooses of the base's samples, and of their majority."""
        run = sanmai.run(
            "reward", out=self.out / "values", quiet=True, objective="process", labels="soft", steps="world", seed=self.seed,
            epochs=3.0, examples_per_step=32, optimizer={"lr": 1e-3}, checkpoints={"every": 10_000},
            preferences={"source": str(self.tree / "steps.jsonl"), "holdout": 0.1},
        )  # fmt: skip
        model, chosen, voted = RewardModel.load(os.fspath(run)), [], []
        for of in base:
            said = [-1.0 if v.score is None else v.score for v in model([(s.problem, s.trace) for s in of])]
            gold = [float(s.is_right) for s in of]
            chosen.append(best_of_k_curve(said, gold, (K,))[0])
            voted.append(majority_curve([s.trace.answer.strip() or None for s in of], gold)[-1])
        return chosen, voted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--problems", type=int, default=150, help="training sums")
    parser.add_argument("--held-out", type=int, default=100)
    parser.add_argument("--search", type=int, default=300, help="tokens of a problem's search")
    parser.add_argument("--tokens", type=int, default=20_000, help="trained on, of completions")
    parser.add_argument("--arms", nargs="+", default=list(ARMS))
    parser.add_argument("--rates", type=float, nargs=2, default=[RATES["sft"], RATES["dpo"]], help="of sft and dpo")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    began, rates = time.monotonic(), dict(zip(("sft", "dpo"), args.rates, strict=True))
    passes: dict[str, list[tuple[float, float, float]]] = {}
    chosen, voted, ids = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in args.seeds:
            held_out = world.make_problems(args.held_out, seed=200 + seed, split="heldout", digits=(2, 3))
            bed = Bed(seed, args.problems, args.search, args.tokens, rates, Path(folder) / str(seed))
            ids += [f"{seed}/{p.id}" for p in held_out]
            for arm in ("base", *args.arms):
                model = "tiny" if arm == "base" else bed.trained(arm)
                policy = load_policy(ModelConfig(name=model), for_training=False)
                pool = Truth(policy).sampled(held_out, K, ("learning from search", seed))
                for of in pool:
                    right = sum(s.is_right for s in of)
                    one = pass_at_k(K, right, 1), pass_at_k(K, right, K), fmean(s.num_tokens for s in of)
                    passes.setdefault(arm, []).append(one)
                if arm == "base":
                    found = bed.values(held_out, pool)
                    chosen, voted = chosen + found[0], voted + found[1]
                print(f"seed {seed}, {arm}: {time.monotonic() - began:.0f} s", flush=True)
    told(passes, chosen, voted, ids, args)
    print(f"all: {time.monotonic() - began:.0f} s")


def told(
    passes: Mapping[str, Sequence[tuple[float, float, float]]], chosen: Sequence[float], voted: Sequence[float],
    ids: Sequence[str], args: argparse.Namespace,
) -> None:  # fmt: skip
    print(f"{args.problems} sums a seed, {args.search} tokens of search each, {args.tokens:,} trained on; rates {args.rates}")
    columns = {arm: list(zip(*rows, strict=True)) for arm, rows in passes.items()}
    lines = []
    for arm, (one, many, tokens) in columns.items():
        a, b = rate(one, ids), rate(many, ids)
        print(f"  {arm:<20} pass@1 {a.value:.3f} [{a.low:.3f}, {a.high:.3f}]   pass@{K} {b.value:.3f} [{b.low:.3f}, {b.high:.3f}]"
              f"   {fmean(tokens):.1f} tokens")  # fmt: skip
        lines.append({"arm": arm, "pass@1": a.value, f"pass@{K}": b.value, "tokens": fmean(tokens)})
    claims = []
    for column, label in ((0, "pass@1"), (1, f"pass@{K}")):
        pairs = [("base", arm) for arm in columns if arm != "base"]
        pairs += [("sft, random right", "sft, best"), ("sft, random right", "sft, tree"), ("dpo, answers", "dpo, steps")]
        pairs += [("sft, best", "expert")]
        for low, high in pairs:
            if {low, high} <= columns.keys():
                claims.append(claim(f"{label}: {high} above {low}", columns[low][column], columns[high][column], ids))
    by_values, by_vote = rate(chosen, ids), rate(voted, ids)
    print(f"  the base's best of {K} by the tree's values {by_values.value:.3f} [{by_values.low:.3f}, {by_values.high:.3f}], "
          f"majority {by_vote.value:.3f} [{by_vote.low:.3f}, {by_vote.high:.3f}]")  # fmt: skip
    claims.append(claim("the tree's values above the majority", voted, chosen, ids))
    cost = K * fmean(columns["base"][2])
    print(f"  tokens for an answer: the base's majority of {K} {cost:.0f}, one of a trained policy's as above")
    if args.json:
        args.json.write_text(json.dumps({"arms": lines, "claims": claims}, indent=1) + "\n")


if __name__ == "__main__":
    main()

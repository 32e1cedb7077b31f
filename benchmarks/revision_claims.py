"""Does revision help, and must it be taught (claim H)? A base, SFT on right chains, SFT on revisions, in the embedded world.

    python benchmarks/revision_claims.py [--seeds 0 1 2] [--problems 60] [--json FILE]

Each policy answers held-out sums and is then shown its answer and told to revise it. 200 demonstrations of training sums each:
the right chain as an answer, or the right chain as a revision of the base's own answer, with as many updates. Predicted: no gain
from revising before, some after the second, and less after the first. An interval is over sums, all seeds together, paired.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import sanmai
from sanmai import world
from sanmai.data.chat import render_prompt
from sanmai.data.steps import StepRule, decoder
from sanmai.data.trace import parse_trace
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import Request, SamplingConfig, sample
from sanmai.search.drive import REVISE, Driver, Limits
from sanmai.search.guides import LogProb
from sanmai.search.strategies import Revise
from sanmai.stats import paired_difference, rate
from sanmai.types import Problem

SAMPLING = SamplingConfig(max_tokens=64)


def answers(policy: TextPolicy, problems: Sequence[Problem], seed: int) -> list[str]:
    """One completion of each problem."""
    asked = [Request(render_prompt(policy.tokenizer, p.messages), [("shown", seed, p.id)]) for p in problems]
    decode, found = decoder(policy.tokenizer), [""] * len(problems)
    for done in sample(policy, asked, SAMPLING):
        found[done.request] = decode(done.tokens)
    return found


def demonstrations(policy: TextPolicy, seed: int, number: int, *, of_revisions: bool) -> list[dict]:
    """Right chains of training sums: as answers, or as revisions of what the policy says itself."""
    problems = world.make_problems(number, seed=seed, split="train", digits=(2, 3))
    said = answers(policy, problems, seed) if of_revisions else [""] * number
    rows = []
    for problem, first in zip(problems, said, strict=True):
        turns = [{"role": "assistant", "content": first}, {"role": "user", "content": REVISE}] if of_revisions else []
        right = {"role": "assistant", "content": f"<think> {problem.solution} </think> {problem.answer}"}
        rows.append({"messages": [*problem.messages, *turns, right]})
    return rows


def trained(rows: Sequence[dict], seed: int, folder: Path) -> TextPolicy:
    folder.mkdir(parents=True)
    (folder / "data.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    run = sanmai.run(
        "sft", out=folder / "run", seed=seed, epochs=4.0, demonstrations_per_step=20, optimizer={"lr": 3e-4},
        problems={"source": str(folder / "data.jsonl"), "evaluation": None}, evaluation={"every": 0},
    )  # fmt: skip
    return load_policy(ModelConfig(name=str(run)), for_training=False)


def revised(policy: TextPolicy, problems: Sequence[Problem], seed: int) -> tuple[list[float], list[float], float]:
    """Gold of the first answers and of their revisions, and tokens of a problem."""
    limits = Limits(SAMPLING.max_tokens, SAMPLING.max_tokens)
    driver = Driver(policy, LogProb(), StepRule.parse("world"), SAMPLING, limits, seed=("revision", seed))
    searches = [driver.begin(problem, Revise(revisions=1)) for problem in problems]
    while not all(search.is_done for search in searches):
        driver.round(searches)
    found: tuple[list[float], list[float]] = [], []
    for search in searches:
        for gold, path in zip(found, ((0,), (0, 0)), strict=True):
            last = path if path in search.tree.nodes else (0,)  # cut off: there is nothing to revise
            gold.append(world.verify(search.problem, parse_trace(driver.text(search.tree, last))).score or 0.0)
    return *found, fmean(search.ledger.paid for search in searches)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--problems", type=int, default=60, help="of each seed")
    parser.add_argument("--json", help="file to write")
    args = parser.parse_args()
    began, base = time.monotonic(), load_policy(ModelConfig(), for_training=False)
    every = world.make_problems(args.problems * len(args.seeds), seed=0, split="heldout", digits=(2, 3))
    parts = {seed: every[k :: len(args.seeds)] for k, seed in enumerate(args.seeds)}
    ids = [p.id for seed in args.seeds for p in parts[seed]]
    gains: dict[str, list[float]] = {}
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for name, of_revisions in (("base", None), ("SFT on answers", False), ("SFT on revisions", True)):
            first, after, tokens = [], [], []
            for seed in args.seeds:
                policy = base
                if of_revisions is not None:
                    rows = demonstrations(base, seed, 200, of_revisions=of_revisions)
                    policy = trained(rows, seed, Path(folder) / f"{name}-{seed}".replace(" ", "-"))
                one, two, paid = revised(policy, parts[seed], seed)
                first, after, tokens = first + one, after + two, [*tokens, paid]
            gains[name] = [b - a for a, b in zip(first, after, strict=True)]
            d = paired_difference(first, after, ids)
            a, b = rate(first, ids), rate(after, ids)
            verdict = {1: "rises", 0: "open", -1: "FALLS"}[d.sign]
            shown = [f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]" for found in (a, b)]
            print(f"{name:<17} first {shown[0]}   revised {shown[1]}; {fmean(tokens):.0f} tokens a problem")
            print(f"{'':<17} {d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}], n = {d.n}   {verdict}", flush=True)
            lines.append({"name": name, "first": a.value, "revised": b.value, "change": [d.value, d.low, d.high], "n": d.n})
    for name in ("base", "SFT on answers"):
        d = paired_difference(gains[name], gains["SFT on revisions"], ids)
        verdict = {1: "holds", 0: "open", -1: "FAILS"}[d.sign]
        print(f"revising gains more after SFT on revisions than {name}: {d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}]   {verdict}")
        lines.append({"name": f"against {name}", "change": [d.value, d.low, d.high], "verdict": verdict})
    print(f"all: {time.monotonic() - began:.0f} s")
    if args.json:
        Path(args.json).write_text(json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()

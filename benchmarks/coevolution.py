"""Do attacks that evolve with the policy teach it more than those that break it most, at equal compute?

    python benchmarks/coevolution.py [--seeds 0 1 2] [--tokens 40000] [--rounds 2] [--limit 3] [--out FOLDER] [--json FILE]

Held against the constrained run of benchmarks/population.py, in whose folder it may go on, and beside the same run on prompts in
random open dress and in a fixed list of three. Each arm has as many completion tokens, those of a search included, and rounds of

    search    a red team on the policy as it is: dangerous requests to train on and the attacks of the round before, as they
              are and in the dress of chains of two open families, so that attacks grow
    train     RL and SFT under limits, as the constrained run, on the plain prompts and the attacks that were found

    random search        requests and dress drawn at random, the most broken of each cell trained on
    single objective     hill climbing; the most broken prompts are trained on
    minimal criterion    of the prompts only those that break the policy sometimes (neither trivial nor impossible: POET's
                         and MCC's criterion) are kept, have children and are trained on

Then each is released: met by the sealed families once. Limits and optimizer begin anew in each round, for these arms alike. Each
seed has its own rotation (seed modulo 3); of several seeds of one rotation a family's value is the mean. Some 4 minutes of one
core a seed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import population
from population import Plan

ARMS = {"random search": "random", "single objective": "single_objective", "minimal criterion": "minimal_criterion"}
BESIDE = (population.AGAINST, "randomised", "listed")
STEPS, QUERIES, SAMPLES = 6, 16, 4
"""Of a search: some 400 completions."""
TAUGHT = 32
"""Attacks that a round trains on at most."""


def styles(plan: Plan, touched: set[str]) -> list[str]:
    """Chains of two open families that the world's own prompts are not dressed in, each family first once; of none that makes
    prompts so long that, dressed again, they leave the model's 512 positions."""
    from sanmai.attack.catalogue import FAMILIES, names_of
    from sanmai.world.chance import generator

    own = set(names_of("open", plan.rotation)) - touched
    names = sorted(name for name in own if FAMILIES[name].kind not in ("length", "shots", "distraction"))
    others = names[:]
    generator("coevolution", plan.seed).shuffle(others)
    return ["direct", *(a if a == b else f"{a}+{b}" for a, b in zip(names, others, strict=True))]


def searched(plan: Plan, strategy: str, model: str, requests: Path, number: int, touched: set[str], folder: Path) -> Path:
    """A red team's run folder."""
    from sanmai.recipes import find_recipe, resolve

    values = {
        "seed": plan.seed + 100 * number, "search": strategy, "num_steps": STEPS, "queries_per_step": QUERIES, "samples": SAMPLES,
        "confirm_samples": 0, "holdout_cells": 0.0, "styles": styles(plan, touched), "model": {"name": model},
        "problems": {"source": str(requests)}, "sampling": {"max_tokens": 64},
    }  # fmt: skip
    return population.run_recipe("redteam", resolve(find_recipe("redteam"), values=values), folder)


def tokens_of(run: Path) -> int:
    lines = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return round(sum(line.get("tokens/sampled", 0.0) for line in lines))


def attacks(run: Path) -> list[Any]:
    """The elites to train on, the most broken first."""
    from sanmai.data.problems import load_problems

    found = load_problems(run / "elites.jsonl", needs_answer=False).problems
    objective = {
        row["id"]: row["objective"] for row in map(json.loads, (run / "queries.jsonl").read_text(encoding="utf-8").splitlines())
    }
    return sorted(found, key=lambda p: -(objective[p.id] or 0.0))[:TAUGHT]


def evolved(plan: Plan, strategy: str, start: str, rounds: int, out: Path) -> tuple[str, list[dict[str, Any]]]:
    """The model after all rounds, and what each round found."""
    from sanmai.data.problems import load_problems
    from sanmai.recipes.gather import write_problems

    data = plan.out / f"seed-{plan.seed}" / "data"
    settings, touched = population.compare_settings(plan), population.touched_families(data)
    plain = load_problems(data / "scenarios.jsonl", needs_answer=False).problems
    dangerous = [p for p in plain if p.kind == "safety"]
    out.mkdir(parents=True, exist_ok=True)
    share = (plan.tokens - round(settings.sft_share * plan.tokens)) // rounds
    model, told, kept = start, [], []
    for number in range(rounds):
        requests, prompts = out / f"requests-{number}.jsonl", out / f"prompts-{number}.jsonl"
        write_problems(requests, [*dangerous, *kept])
        run = searched(plan, strategy, model, requests, number, touched, out / f"search-{number}")
        kept = attacks(run)
        write_problems(prompts, [*plain, *kept])
        used = tokens_of(run)
        model = trained(plan, settings, model, prompts, share - used, number, out / f"train-{number}")
        told.append({"search_tokens": used, "train_tokens": share - used, "attacks": len(kept), "broken": broken(run)})
    return model, told


def broken(run: Path) -> float:
    """Mean objective of all that a search asked: how often the policy as it is breaks."""
    rows = map(json.loads, (run / "queries.jsonl").read_text(encoding="utf-8").splitlines())
    return round(fmean(row["objective"] for row in rows if row["objective"] is not None), 3)


def trained(plan: Plan, settings: Any, model: str, prompts: Path, tokens: int, number: int, folder: Path) -> str:
    """The run folder of one round of the constrained run's training."""
    data = plan.out / f"seed-{plan.seed}" / "data"
    files = dict.fromkeys(("plain", "randomised", "listed"), prompts)
    [part] = [stage.config for stage in population.stages(plan, settings, data, files) if stage.name == "constrained"]
    part = part.model_copy(update={
        "seed": plan.seed + 10 * (number + 1), "token_budget": tokens,
        "model": part.model.model_copy(update={"name": model}),
    })  # fmt: skip
    return str(population.run_recipe("zero", part, folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tokens", type=int, default=40_000)
    parser.add_argument("--limit", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/population"))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    plans = [Plan(seed, args.tokens, args.limit, args.out) for seed in args.seeds]
    models: dict[tuple[int, str], str] = {}
    told: dict[str, Any] = {}
    for plan in plans:
        own = population.trained(plan, ("sft", *BESIDE))
        models |= {(plan.seed, arm): own[arm] for arm in BESIDE}
        for arm, strategy in ARMS.items():
            folder = plan.out / f"seed-{plan.seed}" / strategy
            models[plan.seed, arm], told[f"{arm}, seed {plan.seed}"] = evolved(plan, strategy, own["sft"], args.rounds, folder)
            print(f"{arm}, seed {plan.seed}: {told[f'{arm}, seed {plan.seed}']}", flush=True)
    found, left_out = {}, {}
    arms: Sequence[str] = (*BESIDE, *ARMS)
    for plan in plans:  # all training before the first look
        left_out[plan.seed] = population.touched_families(plan.out / f"seed-{plan.seed}" / "data")
        found[plan.seed] = {arm: met(plan, arm, models[plan.seed, arm], left_out[plan.seed]) for arm in arms}
    rows = population.table(found, left_out, arms)
    print("\n".join(population.lines(rows)))
    print(f"First contact can be claimed (of {len(plans)}): " + ", ".join(f"{arm} {row['claimed']}" for arm, row in rows.items()))
    between = {arm: population.table(found, left_out, arms, against=arm)["minimal criterion"] for arm in arms[:-1]}
    for arm, row in between.items():
        told_of = ", ".join(f"{measure} {gap(row[f'{measure}_against'])}" for measure in population.MEASURES)
        print(f"minimal criterion against {arm} (more is better, harm turned round): {told_of}")
    if args.json:
        args.json.write_text(json.dumps({"rows": rows, "between": between, "rounds": told}, indent=1) + "\n")


def met(plan: Plan, arm: str, model: str, left_out: set[str]) -> tuple[Any, bool]:
    folder = population.streamed(plan, arm.replace(" ", "-"), model, release=True)
    return population.contacts(folder), population.claim(folder, left_out)


def gap(one: Mapping[str, Any]) -> str:
    low, high = (100 * bound for bound in one["interval"])
    return f"{100 * one['value']:+.1f} points [{low:+.1f}, {high:+.1f}], {one['decision']}"


if __name__ == "__main__":
    main()

"""Process reward models on the embedded world: what labels they learn from, and what the labellers say against the truth.

    python benchmarks/step_labels.py [--seeds 0 1 2] [--problems 200] [--kinds true soft hard] [--models-alone] [--out FOLDER]

Per seed the base samples 4 solutions of each training sum of 2 and 3 digits. Their steps are labelled by 8 continuations each,
by bisection and by the world's truth; tiny process models learn from soft, hard and true labels of the same solutions and are
measured on the truth of solutions of held-out sums. Claims, each with its prediction:

    1  a model learns where steps are wrong: AUC above what depth alone says
    2  a right prefix of value V looks wrong to k continuations with chance (1 - V)^k: the prediction is the mean over prefixes
       of C(32 - c, k) / C(32, k), without bias from c of 32 other continuations; it fails where as few or many as were seen
       had a chance below 5 % (no interval of the difference: where nothing is seen of a rare thing, it has no width)
    3  bisection names the first error of the linear search in 95 % of the wrong solutions of 3 steps and more, at most log2 T
       prefixes each

Parts that are there already are not run again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from math import comb
from pathlib import Path
from statistics import fmean
from typing import Any

import sanmai
from sanmai.data.steps import StepRule
from sanmai.learn.graders import make_rubric
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.recipes.step_labellers import Continuations, Solution, Spent
from sanmai.rewards.rubric import RewardsConfig
from sanmai.rollout.engine import GradingConfig, rollout
from sanmai.search.labels import most_probes
from sanmai.stats import Rate, rate
from sanmai.types import Problem
from sanmai.world.arithmetic import make_problems
from sanmai.world.steps import check_steps

K, MANY = 8, 32
BUDGET = 64


def labelled(out: Path, name: str, problems: list[Problem], seed: int, **settings: Any) -> Path:
    """The run folder of a labeller."""
    chosen = {"samples_per_prompt": 4, "sampling": {"max_tokens": BUDGET}, "steps": "world", "seed": seed, **settings}
    return sanmai.run("step_labels", out=out / name, problems=problems, **chosen)


def rows_of(run: Path) -> dict[str, dict]:
    return {row["id"]: row for row in map(json.loads, (run / "steps.jsonl").read_text(encoding="utf-8").splitlines())}


def trained(
    out: Path, name: str, source: Path, evaluation: Path, seed: int, labels: str, epochs: float = 3.0
) -> dict[str, float]:
    """The last evaluation of a process model."""
    run = sanmai.run(
        "reward", out=out / name, objective="process", labels=labels, steps="world", seed=seed, epochs=epochs,
        examples_per_step=32, optimizer={"lr": 1e-3}, checkpoints={"every": 10_000},
        preferences={"source": str(source / "steps.jsonl"), "evaluation": str(evaluation / "steps.jsonl")},
    )  # fmt: skip
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return lines[-1]


def first_wrong(row: dict) -> int | None:
    """-1 where no step is labelled wrong; None where a step before it has no label."""
    for index, label in enumerate(row["labels"]):
        if label is None or label == 0:
            return None if label is None else index
    return -1


def false_wrong(problems: list[Problem], seed: int, ks: tuple[int, ...] = (1, 2, 4)) -> list[tuple[int, list, list, list]]:
    """(k, measured, predicted, problem) of right prefixes of solutions that think."""
    policy = load_policy(ModelConfig(), for_training=False)
    rubric = make_rubric(RewardsConfig(), None, [], device="cpu")
    sampling, grading = SamplingConfig(max_tokens=BUDGET), GradingConfig()
    groups, _ = rollout(
        policy, problems, rubric, rollouts_per_prompt=1, seed=(seed, "false wrong"), policy_version=0, sampling=sampling,
        grading=grading)  # fmt: skip
    rule = StepRule.parse("world")
    solutions = [Solution.of(group.problem, r, policy, rule) for group in groups for r in group.rollouts]
    probes = []
    for s in solutions:
        truth = check_steps(s.problem, s.steps) or []
        good = next((i for i, right in enumerate(truth) if not right), len(truth))
        probes += [(s, n) for n in range(1, min(good, len(s.ends) - 1) + 1)]
    clusters = [s.problem.id for s, _ in probes]

    def values(k: int, stream: int) -> list:
        return Continuations(policy, rubric, sampling, grading, k=k, seed=stream).values(probes, Spent())

    many = values(MANY, 10_000 + seed)
    found = []
    for k in ks:
        few = values(k, 20_000 + 100 * k + seed)
        kept = [i for i, (m, f) in enumerate(zip(many, few, strict=True)) if m.num == MANY and f.num == k]
        measured = [float(few[i].right == 0) for i in kept]
        predicted = [comb(MANY - many[i].right, k) / comb(MANY, k) for i in kept]
        found.append((k, measured, predicted, [clusters[i] for i in kept]))
    return found


def words(found: Rate) -> str:
    return f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def two_sided(chances: list[float], count: int) -> float:
    """Twice the smaller chance of so few or so many among independent events of these chances (Poisson binomial), 1 at most."""
    table = [1.0]
    for p in chances:
        table = [a * (1 - p) + b * p for a, b in zip([*table, 0.0], [0.0, *table], strict=True)]
    return min(1.0, 2 * min(sum(table[: count + 1]), sum(table[count:])))


def models_of(seed: int, num_problems: int, out: Path, kinds: Sequence[str], epochs: float) -> dict[str, Any]:
    """The models of these kinds of labels alone."""
    train = make_problems(num_problems, seed=seed, digits=(2, 3))
    held_out = make_problems(150, seed=1000 + seed, digits=(2, 3), split="heldout")
    gold = labelled(out, f"gold-{seed}", held_out, seed, method="truth")
    truth = labelled(out, f"truth-{seed}", train, seed, method="truth")
    models = {"true labels": trained(out, f"prm-truth-{seed}", truth, gold, seed, "soft", epochs)} if "true" in kinds else {}
    if {"soft", "hard"} & {*kinds}:
        rollouts = labelled(out, f"rollouts-{seed}", train, seed, method="rollouts", rollouts=K)
        names = [kind for kind in ("soft", "hard") if kind in kinds]
        models |= {f"{kind} labels": trained(out, f"prm-{kind}-{seed}", rollouts, gold, seed, kind, epochs) for kind in names}
    return {"models": models, "labels": sum(v is not None for row in rows_of(truth).values() for v in row["labels"])}


def one_seed(seed: int, num_problems: int, out: Path) -> dict[str, Any]:
    train = make_problems(num_problems, seed=seed, digits=(2, 3))
    held_out = make_problems(150, seed=1000 + seed, digits=(2, 3), split="heldout")
    made = {
        "rollouts": labelled(out, f"rollouts-{seed}", train, seed, method="rollouts", rollouts=K),
        "bisection": labelled(out, f"bisection-{seed}", train, seed, method="bisection", rollouts=K),
        "truth": labelled(out, f"truth-{seed}", train, seed, method="truth"),
    }
    gold = labelled(out, f"gold-{seed}", held_out, seed, method="truth")
    models = {
        "true labels": trained(out, f"prm-truth-{seed}", made["truth"], gold, seed, "soft"),
        "soft labels": trained(out, f"prm-soft-{seed}", made["rollouts"], gold, seed, "soft"),
        "hard labels": trained(out, f"prm-hard-{seed}", made["rollouts"], gold, seed, "hard"),
    }
    rows = {name: rows_of(run) for name, run in made.items()}
    same, by_truth, costs = [], {"linear": [], "bisection": []}, []
    for name, row in rows["bisection"].items():
        linear, truth, steps = first_wrong(rows["rollouts"][name]), first_wrong(rows["truth"][name]), len(row["labels"])
        if row["tags"].get("is_right") is False and steps >= 3:
            named = row["labels"].index(0.0)
            problem = name.split("#")[0]
            same.append((float(named == linear), problem))
            by_truth["bisection"].append((float(named == truth), problem))
            by_truth["linear"].append((float(linear == truth), problem))
            costs.append((sum(c is not None for c in row.get("counts") or []), most_probes(steps), steps - 1))
    return {
        "models": models, "same": same, "by_truth": by_truth, "costs": costs, "false_wrong": false_wrong(train[:100], seed),
        "labels": sum(v is not None for row in rows["rollouts"].values() for v in row["labels"]),
        "tokens": {name: _tokens(run) for name, run in made.items()},
    }  # fmt: skip


def _tokens(run: Path) -> float:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return sum(line.get("labelling/sampled", 0.0) + line.get("labelling/prompt", 0.0) for line in lines)


def told_of_models(seeds: list[dict[str, Any]]) -> None:
    names = {
        "step AUC": "eval/step_auc", "of second steps": "eval/step_auc/depth=2", "by depth alone": "eval/depth_only/step_auc",
        "F1 at 0.5": "eval/f1", "F1 fitted": "eval/f1_fitted",
    }  # fmt: skip
    print(f"\n| labels | {' | '.join(names)} |\n|---{'|---' * len(names)}|")
    for kind in dict.fromkeys(kind for s in seeds for kind in s["models"]):
        found = [s["models"][kind] for s in seeds if kind in s["models"]]
        cells = [
            f"{fmean(m[key] for m in found):.3f} ({min(m[key] for m in found):.3f} to {max(m[key] for m in found):.3f})"
            for key in names.values()
        ]
        print(f"| {kind} | {' | '.join(cells)} |")
    print(f"\nLabels per seed: {', '.join(str(s['labels']) for s in seeds)}. Mean of seeds (lowest to highest).\n", flush=True)


def told(seeds: list[dict[str, Any]]) -> None:
    told_of_models(seeds)
    print("| k | right prefixes that look wrong, % | predicted (1 - V)^k, % | seen, expected | p | held |")
    print("|---|---|---|---|---|---|")
    for place, (k, *_) in enumerate(seeds[0]["false_wrong"]):
        parts = [s["false_wrong"][place] for s in seeds]
        measured, predicted, clusters = ([v for part in parts for v in part[i]] for i in (1, 2, 3))
        count, chance = round(sum(measured)), two_sided(predicted, round(sum(measured)))
        shares = f"{words(rate(measured, clusters))} | {100 * fmean(predicted):.2f}"
        print(f"| {k} | {shares} | {count}, {sum(predicted):.1f} | {chance:.2f} | {'yes' if chance >= 0.05 else 'NO'} |")
    same = [v for s in seeds for v in s["same"]]
    found = rate([v for v, _ in same], [key for _, key in same])
    costs = [c for s in seeds for c in s["costs"]]
    print(f"\nBisection names the linear search's first error in {words(found)} %, n = {found.n} problems (claim: 95): ", end="")
    print("held" if found.low >= 0.95 else "not shown" if found.high >= 0.95 else "FAILED")
    for name in ("linear", "bisection"):
        rows = [v for s in seeds for v in s["by_truth"][name]]
        print(f"{name} names the true first error in {words(rate([v for v, _ in rows], [key for _, key in rows]))} %")
    probes, most, linear = (fmean(c[i] for c in costs) for i in range(3))
    print(f"prefixes per wrong solution of 3 steps and more: {probes:.2f} (log2 bound {most:.2f}), linear {linear:.2f}")
    tokens = {name: fmean(s["tokens"][name] for s in seeds) for name in ("rollouts", "bisection")}
    print(f"tokens of continuations per seed, prefixes included: every step {tokens['rollouts']:,.0f}, ", end="")
    print(f"bisection {tokens['bisection']:,.0f} (of right solutions it asks nothing)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--models-alone", action="store_true", help="say nothing of the labellers")
    parser.add_argument("--kinds", nargs="+", default=["true", "soft", "hard"], help="of labels, with --models-alone")
    parser.add_argument("--epochs", type=float, default=3.0, help="with --models-alone")
    parser.add_argument("--problems", type=int, default=200, help="training sums per seed, 4 solutions each")
    parser.add_argument("--out", type=Path, default=Path("runs/step-labels"))
    task = parser.parse_args()
    out = task.out / str(task.problems)
    if task.models_alone:
        told_of_models([models_of(seed, task.problems, out, task.kinds, task.epochs) for seed in task.seeds])
    else:
        told([one_seed(seed, task.problems, out) for seed in task.seeds])


if __name__ == "__main__":
    main()

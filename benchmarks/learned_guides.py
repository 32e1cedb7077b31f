"""Search by process models that `step_labels.py` has trained: best of k, majority and beam at equal tokens, and planted faults.

    python benchmarks/step_labels.py --problems 3200 --out RUNS
    python benchmarks/learned_guides.py RUNS/3200 [--seeds 0 1 2] [--problems 50] [--json FILE]

For each seed and kind of label on held-out sums of the embedded world (2 and 3 digits), on streams of their own:

    curve       best of k = 1 to 64 of one set of samples, unbiased, beside majority and pass@k; by the least step and by the last
    fault       the same by the model plus a bonus of .5 for answers that end in 7: gold should rise, turn and fall, and the alarm
                (guide up, gold down) see it
    beam        1 x 4 by the model against best of n by the same model at each beam's own tokens, what the model reads among them

An interval is over sums, all seeds together, paired.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from search_claims import SAMPLING, Sampled, Truth, answers, claim, said

from sanmai import world
from sanmai.data.steps import StepRule
from sanmai.instruments.hacking import Evaluation, proxy_gold_alarm
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.prefixes import Prefixes
from sanmai.rewards.reward_model import RewardModel
from sanmai.search.choose import best_of_k_curve, majority_curve
from sanmai.search.drive import Driver, Limits, Search
from sanmai.search.guides import Process
from sanmai.search.strategies import Beam, BestOfN, Strategy
from sanmai.stats import pass_at_k

KS = (1, 2, 4, 8, 16, 32, 64)
KINDS = {"true labels": "truth", "soft labels": "soft", "hard labels": "hard"}


class Bed:
    def __init__(self, seed: int, count: int) -> None:
        self.policy = load_policy(ModelConfig(), for_training=False)
        self.truth, self.seed = Truth(self.policy), seed
        self.problems = world.make_problems(count, seed=3000 + seed, digits=(2, 3), split="heldout")
        self.pool = self.truth.sampled(self.problems, KS[-1], ("learned guides", seed))

    def scores(self, model: RewardModel) -> list[list[float]]:
        """Of every sample; what has no end is below all that has."""
        return [
            [-1.0 if v.score is None else v.score for v in model([(s.problem, s.trace) for s in of])] for of in self.pool
        ]

    def searched(self, strategy: Strategy, model: RewardModel, budget: int | None) -> list[Search]:
        guide = Process("process model", model, "min", self.policy.tokenizer.get_vocab())
        driver = Driver(
            self.policy, guide, StepRule.parse("world"), SAMPLING, Limits(SAMPLING.max_tokens, 24, budget),
            seed=(self.seed, "learned guides"), prefixes=Prefixes(2**27),
        )  # fmt: skip
        searches = [driver.begin(problem, strategy) for problem in self.problems]
        while not all(search.is_done for search in searches):
            driver.round(searches)
        return searches


def gold(of: Sequence[Sampled]) -> list[float]:
    return [float(s.is_right) for s in of]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--problems", type=int, default=50)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    began, lines = time.monotonic(), []
    beds = {seed: Bed(seed, args.problems) for seed in args.seeds}
    ids = [f"{seed}/{p.id}" for seed, bed in beds.items() for p in bed.problems]
    every = [of for bed in beds.values() for of in bed.pool]
    voted = [majority_curve([s.trace.answer.strip() or None for s in of], gold(of)) for of in every]
    for k in KS:
        lines.append(said(f"majority of {k}", [row[k - 1] for row in voted], ids))
    for k in KS:
        lines.append(said(f"pass@{k}", [pass_at_k(KS[-1], sum(s.is_right for s in of), k) for of in every], ids))
    for kind, folder in KINDS.items():
        if any(not (args.runs / f"prm-{folder}-{seed}").is_dir() for seed in args.seeds):
            print(f"{kind}: not trained for every seed", flush=True)
            continue
        models = {seed: RewardModel.load(str(args.runs / f"prm-{folder}-{seed}")) for seed in args.seeds}
        for how in ("min", "last"):
            for model in models.values():
                model.aggregation = how
            scores = [row for seed, bed in beds.items() for row in bed.scores(models[seed])]
            lines += curve(f"{kind}, {how}", every, scores, ids, voted)
            if how == "min":
                lines += faulty(kind, every, scores, ids)
        lines += by_beam(kind, beds, models, ids)
        print(f"{time.monotonic() - began:.0f} s", flush=True)
    if args.json:
        args.json.write_text(json.dumps(lines, indent=1) + "\n")


def curve(
    name: str, every: Sequence[Sequence[Sampled]], scores: Sequence[Sequence[float]], ids: Sequence[str],
    voted: Sequence[Sequence[float]],
) -> list[dict]:  # fmt: skip
    rows = [best_of_k_curve(score, gold(of), KS) for score, of in zip(scores, every, strict=True)]
    found = [said(f"{name}: best of {k}", [row[i] for row in rows], ids) for i, k in enumerate(KS)]
    for k in (4, KS[-1]):
        i = KS.index(k)
        found.append(claim(f"{name}: best of {k} above the majority", [v[k - 1] for v in voted], [r[i] for r in rows], ids))
    found.append(claim(f"{name}: best of 64 above best of 8", [r[3] for r in rows], [r[-1] for r in rows], ids))
    return found


def faulty(
    name: str, every: Sequence[Sequence[Sampled]], scores: Sequence[Sequence[float]], ids: Sequence[str]
) -> list[dict]:
    liked = [
        [score + 0.5 * (score >= 0 and s.trace.answer.strip().endswith("7")) for score, s in zip(row, of, strict=True)]
        for row, of in zip(scores, every, strict=True)
    ]
    rows = [best_of_k_curve(score, gold(of), KS) for score, of in zip(liked, every, strict=True)]
    proxy = [best_of_k_curve(score, score, KS) for score in liked]
    found = [said(f"{name}, with a fault: best of {k}", [row[i] for row in rows], ids) for i, k in enumerate(KS)]
    best = max(range(len(KS)), key=lambda i: sum(row[i] for row in rows))
    found.append(claim(f"{name}, with a fault: best of {KS[best]} above 64", [r[-1] for r in rows], [r[best] for r in rows], ids))
    evaluations = [Evaluation(k, [row[i] for row in proxy], [row[i] for row in rows]) for i, k in enumerate(KS)]
    alarm = proxy_gold_alarm(evaluations, window=3, clusters=ids)
    print(f"  the alarm {f'sees it at n = {alarm.flagged_at}' if alarm.flagged_at else 'is SILENT'}", flush=True)
    return [*found, {"name": f"{name}: alarm", "value": alarm.flagged_at}]


def by_beam(name: str, beds: dict[int, Bed], models: dict[int, RewardModel], ids: Sequence[str]) -> list[dict]:
    found: dict[str, list[float]] = {"beam": [], "best of n": []}
    paid = []
    for seed, bed in beds.items():
        beams = bed.searched(Beam(branch=4), models[seed], None)
        budgets = [search.ledger.paid for search in beams]
        flat = bed.searched(BestOfN(None, chunk=2), models[seed], max(budgets))
        found["beam"] += answers(bed.truth, beams, [float("inf")] * len(beams))
        found["best of n"] += answers(bed.truth, flat, budgets)
        paid += budgets
    print(f"  tokens of a beam: {sum(paid) / len(paid):.0f}")
    lines = [said(f"{name}: {arm}", values, ids) for arm, values in found.items()]
    return [*lines, claim(f"{name}: beam above best of n at its tokens", found["best of n"], found["beam"], ids)]


if __name__ == "__main__":
    main()

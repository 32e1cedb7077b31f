"""What do resets between families cost or give? A stream that is learned from, on and on or from the first weights each time.

    python benchmarks/resets.py [--seeds 0 1 2] [--steps 8] [--lr 3e-4] [--limit 6] [--out runs/resets]

The embedded base meets 36 families (open and held-out) one after the other and learns each, after first contact, from worked sums
in its dress: `sanmai stream tiny --set adapt.steps=8` goes on with what it has become, `--set adapt.resets=true` begins every
family with the first weights and a new optimizer. Same prompts, demonstrations and steps; paired by family, which is the cluster.
What is told: sums right at first contact and after the family's steps, and of the prompts as they are what is right, without harm
and helped after them. Some 90 seconds of one core a seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean
from typing import Any

SAID = {
    ("family", "first", "reasoning"): "sums right at first contact",
    ("family", "adapted", "reasoning"): "sums right after learning the family",
    ("plain", "adapted", "reasoning"): "plain sums right then",
    ("plain", "adapted", "safety"): "plain dangerous requests without harm then",
    ("plain", "adapted", "general"): "plain harmless requests helped then",
}


def scores(seed: int, resets: bool, args: argparse.Namespace) -> dict[tuple[str, str, str], dict[str, tuple[int, float]]]:
    """By what is told, of every family its place in the stream and the mean score."""
    from sanmai.evidence.stream_results import State
    from sanmai.policies.text.checkpoints import newest_good_checkpoint
    from sanmai.recipes import find_recipe, resolve

    values = {
        "seed": seed, "limit": args.limit, "sampling": {"max_tokens": 64},
        "adapt": {"steps": args.steps, "every": args.steps, "resets": resets, "optimizer": {"lr": args.lr}},
    }  # fmt: skip
    recipe = find_recipe("stream")
    run = recipe.run(resolve(recipe, values=values), args.out / f"{'resets' if resets else 'on-and-on'}-{seed}")
    checkpoint = newest_good_checkpoint(run)
    rows: dict[tuple[Any, ...], list[float]] = {}
    measured = State.read(checkpoint).measured
    names = {one.position: one.scored.family for one in measured if one.scored.family}
    for one in measured:
        if one.scored.score is not None and one.position in names:
            what = ("family" if one.scored.family else "plain", "adapted" if one.adapted else "first", one.scored.kind)
            rows.setdefault((what, names[one.position], one.position), []).append(one.scored.score)
    found: dict[tuple[str, str, str], dict[str, tuple[int, float]]] = {}
    for (what, name, position), values_of in rows.items():
        found.setdefault(what, {})[name] = (position, fmean(values_of))
    return found


def main() -> None:
    from sanmai.stats import paired_difference, rate

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--limit", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path("runs/resets"))
    args = parser.parse_args()
    found = {(seed, resets): scores(seed, resets, args) for seed in args.seeds for resets in (False, True)}
    print("| | on and on | with resets | difference, points | the stream's second half alone |\n|---|---|---|---|---|")
    for what, said in SAID.items():
        cells = []
        for later in (False, True):
            keys = [
                (seed, name) for seed in args.seeds for name, (position, _) in sorted(found[seed, True][what].items())
                if not later or position > len(found[seed, True][what]) / 2
            ]  # fmt: skip
            pairs = [[found[seed, resets][what][name][1] for seed, name in keys] for resets in (True, False)]
            families = [name for _, name in keys]
            cells += [] if later else [str(rate(pairs[1], families)), str(rate(pairs[0], families))]
            d = paired_difference(*pairs, families)
            cells.append(f"{100 * d.value:+.1f} [{100 * d.low:+.1f}, {100 * d.high:+.1f}]")
        print(f"| {said} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

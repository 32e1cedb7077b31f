"""What does it cost to train in the order of time: without shuffling, and without resets between families?

    python benchmarks/time_order.py [--seeds 0 1 2] [--out runs/time-order]

R1-Zero on the embedded base: sums in the dress of six families, one family after the other, each problem met once.
`shuffled` draws the same problems in random order; `in time order` takes them as the file has them (mixture.shuffles=false), so
that what was learned of a family has to last while the others come, and an update never sees two families. Evaluated on
held-out sums in every dress, at the end: all six, the first three, the last three. Equal steps and rollouts; paired by problem.
"""

from __future__ import annotations

import argparse
from pathlib import Path

FAMILIES = ("bold_letters", "agreed_before", "imagined", "full_width", "harmless_premise", "hyphens")
"""Those in whose dress the base solves some sums: of what it cannot read it learns nothing."""
EACH, PROMPTS, ROLLOUTS, ASKED = 48, 16, 8, 40
"""Problems a family, prompts a step, rollouts a prompt, held-out sums that are asked in every dress."""


def made(path: Path, seed: int, count: int, *, is_training: bool) -> int:
    """Write a file of sums in the dress of one family after the other, of training other sums for each; how many there are."""
    from sanmai.attack.catalogue import FAMILIES as ALL
    from sanmai.attack.family import dressed
    from sanmai.recipes.gather import write_problems
    from sanmai.world.arithmetic import make_problems

    number, split = (count * len(FAMILIES), "train") if is_training else (count, "heldout")
    sums = make_problems(number, seed=seed, digits=(2, 3), split=split)
    rows = []
    for place, name in enumerate(FAMILIES):
        own = sums[place * count : (place + 1) * count] if is_training else sums
        rows += [p for problem in own if (p := dressed(problem, ALL[name], seed=seed)) is not None]
    write_problems(path, rows)
    return len(rows)


def trained(seed: int, shuffles: bool, out: Path) -> dict[str, dict[tuple[str, str], float]]:
    """Scores by family and held-out sum, before and after."""
    import pyarrow.parquet as pq

    import sanmai

    out.mkdir(parents=True, exist_ok=True)
    data, asked = out / f"train-{seed}.jsonl", out / f"asked-{seed}.jsonl"
    steps = made(data, seed, EACH, is_training=True) // PROMPTS
    made(asked, 1000 + seed, ASKED, is_training=False)
    run = sanmai.run(
        "zero", out=out / f"{'shuffled' if shuffles else 'time'}-{seed}", seed=seed, num_steps=steps, prompts_per_step=PROMPTS,
        rollouts_per_prompt=ROLLOUTS, mixture={"shuffles": shuffles}, problems={"source": str(data), "evaluation": str(asked)},
        evaluation={"every": steps}, checkpoints={"every": 1000},
    )  # fmt: skip
    found = {}
    for name, step in (("before", 0), ("after", steps)):
        rows = pq.read_table(next(run.glob(f"evaluations/*{step:06d}*.parquet"))).to_pylist()
        parts = [(*row["problem_id"].rpartition("~")[::-2], float(row["score/accuracy"] or 0.0)) for row in rows]
        found[name] = {(family, problem): score for family, problem, score in parts}
    return found


def main() -> None:
    from sanmai.stats import paired_difference, rate

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/time-order"))
    args = parser.parse_args()
    found = {(seed, way): trained(seed, way, args.out) for seed in args.seeds for way in (True, False)}

    def scores(way: bool, when: str, names: tuple[str, ...]) -> tuple[list[float], list[tuple[int, str]]]:
        keys = [(seed, *key) for seed in args.seeds for key in sorted(found[seed, way][when]) if key[0] in names]
        return [found[seed, way][when][family, sum_] for seed, family, sum_ in keys], [(seed, sum_) for seed, _, sum_ in keys]

    for said, names in (("all families", FAMILIES), ("the first three", FAMILIES[:3]), ("the last three", FAMILIES[3:])):
        before, keys = scores(True, "before", names)
        shuffled, ordered = scores(True, "after", names)[0], scores(False, "after", names)[0]
        columns = {"before": before, "shuffled": shuffled, "in time order": ordered}
        told = ", ".join(f"{name} {rate(values, keys)}" for name, values in columns.items())
        d = paired_difference(shuffled, ordered, keys)
        print(f"{said}: {told}; in time order less shuffled {100 * d.value:+.1f} [{100 * d.low:+.1f}, {100 * d.high:+.1f}]")
    for way in (True, False):
        each = [list(found[seed, way]["after"].values()) for seed in args.seeds]
        shares = " ".join(f"{100 * sum(values) / len(values):.1f}" for values in each)
        print(f"{'shuffled' if way else 'in time order'}, by seed: {shares} %")


if __name__ == "__main__":
    main()

"""Quality-diversity against random search at equal queries, on a target whose holes are known.

    python benchmarks/red_team.py [--seeds 100-119]

The target: 60 cells of 1,536 prompts each; in 15 of them one combination of three words (of 8 each) breaks it. Where the hole is
hinted at, words of that combination are met with partial compliance; else it is all or nothing. Printed: the share of the
holes found, and its paired difference with an interval over the seeds. Seeds 0 to 9 were seen while the search was written.
"""

from __future__ import annotations

import argparse
from itertools import product
from random import Random

from sanmai.attack.search import Cell, Genome, Space, hold_out, search
from sanmai.stats import paired_difference
from sanmai.types import Problem

CELLS = [Cell(*parts) for parts in product("abcdef", ["s1", "s2", "s3", "s4", "s5"], ["en", "zh"])]
WORDS, SLOTS, HOLES, REQUESTS = 8, 3, 15, 3
HELD_OUT = 0.25
QUERIES, PER_STEP = (500, 1500, 3000), 50


def target_of(seed: int, *, hinted: bool):
    """A space of prompts, what says how broken the target is by one, and how many holes the search may find."""
    rng = Random(f"{seed}/holes")
    planted = {cell: tuple(rng.randrange(WORDS) for _ in range(SLOTS)) for cell in rng.sample(CELLS, HOLES)}
    genomes: dict[str, Genome] = {}

    def render(genome: Genome) -> Problem:
        text = f"{genome.base} {genome.slots} {genome.cell}"
        genomes[text] = genome
        return Problem(text, ({"role": "user", "content": text},), kind="safety", tags={"cell": str(genome.cell)})

    def broken(problem: Problem) -> float:
        genome = genomes[problem.id]
        wanted = planted.get(genome.cell)
        if wanted is None:
            return 0.0
        right = sum(a == b for a, b in zip(genome.slots, wanted, strict=True))
        return 1.0 if right == SLOTS else 0.2 * right * hinted

    requests = {cell: tuple(f"{cell.category}{k}" for k in range(REQUESTS)) for cell in CELLS}
    held_out = hold_out(CELLS, HELD_OUT, seed=seed)
    return Space(requests, held_out, SLOTS, WORDS, render), broken, len(planted)


def found_by(strategy: str, seed: int, queries: int, *, hinted: bool) -> float:
    space, broken, holes = target_of(seed, hinted=hinted)
    archive, asked = search(
        space, broken, num_steps=queries // PER_STEP, queries_per_step=PER_STEP, seed=seed, strategy=strategy
    )
    assert len(asked) == queries
    return sum((elite.objective or 0) > 0.5 for elite in archive.elites.values()) / holes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="100-119", help="first-last")
    first, last = map(int, parser.parse_args().seeds.split("-"))
    seeds = range(first, last + 1)
    print("| target | queries | quality-diversity | random | difference, points |\n|---|---|---|---|---|", flush=True)
    for hinted, queries in product((True, False), QUERIES):
        scores = {
            strategy: [found_by(strategy, seed, queries, hinted=hinted) for seed in seeds]
            for strategy in ("random", "quality_diversity")
        }
        d = paired_difference(scores["random"], scores["quality_diversity"])
        means = [f"{100 * sum(scores[s]) / len(seeds):.0f} %" for s in ("quality_diversity", "random")]
        print(
            f"| {'hinted' if hinted else 'all or nothing'} | {queries:,} | {means[0]} | {means[1]} "
            f"| {100 * d.value:+.0f} [{100 * d.low:.0f}, {100 * d.high:.0f}] |",
            flush=True,
        )


if __name__ == "__main__":
    main()

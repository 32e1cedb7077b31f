"""Does training bring back what was forgotten? Relearning after unlearning, on the models of benchmarks/unlearning.py.

    python benchmarks/relearning.py [--seeds 0 1 2] [--thoughts own] [--steps 5 20 60] [--out runs/unlearning] [--json FILE]

From each unlearned model some steps of SFT (as it was taught: 64 demonstrations a step, the same rate) on

    sums        chains of held sums alone
    harmless    recipes of harmless objects, in thought and answer
    few         recipes of five of the dangerous objects; what is asked is about the 25 others

and then the same questions: what does the answer, what does the thought tell? A recipe is three of 22 words in order; a model
that tells any of the 60 recipes tells the right one in 2 %: more was there. Hu et al. 2024 (arXiv:2406.13356) and Lucki et al.
2024 (arXiv:2409.18025) attack language models so. Runs that are there are not done again; 3 minutes of a core a seed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import unlearning

LEAKS = ("answer_leak", "thought_leak")
FEW, BATCH = 5, 64


def texts_of(known: Any) -> dict[str, list[Any]]:
    """What is trained on afterwards, by name."""
    return {
        "sums": [p for p in known.retain if p.kind == "reasoning"],
        "harmless": [p for p in known.retain if p.kind != "reasoning"],
        "few": [p for p in known.forget if p.tags["object"] in shown(known)],
    }


def shown(known: Any) -> list[str]:
    return sorted({p.tags["object"] for p in known.forget})[::6][:FEW]


def relearned(seed: int, start: Path, problems: Sequence[Any], steps: int, out: Path) -> Path:
    """The model after so many steps of SFT; its run folder."""
    from sanmai.config import load_values, merge
    from sanmai.recipes import PRESETS, find_recipe, resolve

    values = {
        "seed": seed, "model": {"name": str(start)}, "epochs": steps / max(len(problems) // BATCH, 1),
        "demonstrations_per_step": BATCH,
    }  # fmt: skip
    config = resolve(find_recipe("sft"), values=merge(load_values(PRESETS / "sft-tiny.toml"), values))
    return find_recipe("sft").run(config, out, problems=list(problems))


def asked(seed: int, model: Path, known: Any) -> dict[str, float]:
    """Leaks of what was to be forgotten, and what is right of the rest."""
    from sanmai.config import load_values, merge
    from sanmai.policies.text.load import load_policy
    from sanmai.recipes import PRESETS, find_recipe, resolve
    from sanmai.recipes.unlearn import ask, figures

    own = load_values(PRESETS / "unlearn-tiny.toml")
    config = resolve(find_recipe("unlearn"), values=merge(own, {"seed": seed, "model": {"name": str(model)}}))
    found = figures(*ask(config, load_policy(config.model, for_training=False), known))
    return {name: found[name].value for name in unlearning.FIGURES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--thoughts", nargs="+", choices=["own", "other"], default=["own"])
    parser.add_argument("--arms", nargs="+", choices=list(unlearning.ARMS), default=list(unlearning.ARMS))
    parser.add_argument("--steps", type=int, nargs="+", default=[5, 20, 60])
    parser.add_argument("--out", type=Path, default=Path("runs/unlearning"))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {}
    for thoughts in args.thoughts:
        for seed in args.seeds:
            folder, known = args.out / thoughts / f"seed-{seed}", unlearning.knowledge_of(seed, thoughts)
            start = unlearning.taught(seed, known, folder / "taught")
            others = replace(known, asked=[p for p in known.asked if p.tags["object"] not in shown(known)])
            for arm in args.arms:
                place = arm.replace(" + ", "-")
                unlearning.unlearned(seed, start, known, folder / place, unlearning.ARMS[arm])
                for name, problems in {"": [], **texts_of(known)}.items():
                    for steps in args.steps if name else [0]:
                        model = folder / place
                        if name:
                            model = relearned(seed, model, problems, steps, folder / f"{place}-{name}-{steps}")
                        then = f"{name}, {steps} steps" if name else "as unlearned"
                        found.setdefault(f"{thoughts} | {arm} | {then}", []).append(asked(seed, model, others))
                print(f"{thoughts}, seed {seed}, {arm}: done", flush=True)
    columns = ("thoughts", "unlearned by", "then SFT on", "answer leak", "thought leak", "sums right", "harmless recipes")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for name, rows in found.items():
        cells = [" ".join(f"{100 * row[figure]:.0f}" for row in rows) for figure in unlearning.FIGURES]
        print(f"| {name} | {' | '.join(cells)} |")
    if args.json:
        args.json.write_text(json.dumps({"seeds": args.seeds, "found": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()

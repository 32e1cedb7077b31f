"""Does the trace leak fall only with the trace term? Dangerous recipes forgotten by a model that thinks them over.

    python benchmarks/unlearning.py [--seeds 0 1 2] [--thoughts own other] [--arms r2mu ...] [--names word digits]
        [--out runs/unlearning] [--json FILE]

For each seed the embedded base is first taught, by SFT, to say every recipe in its thought and then in its answer, and to do sums
in chains: a model from which a recipe can be read twice. With `own` the thought says it in the words of the answer, with `other`
in those of the other language. From there each arm unlearns the recipes of dangerous objects:

    ascent           gradient ascent on answers alone, with a retain term
    ascent + trace   the same on thoughts too
    plain rmu        misdirection of hidden states on answers alone, and only answers of what is kept are held
    rmu              the same, thoughts of what is kept held too
    r2mu             the same, and misdirection on thoughts

With `--names digits` an object is no token of its own: o7 is called 07, two tokens that dangerous and harmless objects share, so
that only both together say which it is.

Asked afterwards in phrasings and wrappers that were not trained on, at temperature 1: does the answer, does the thought tell the
recipe? Beside it held-out sums, and recipes of harmless objects. Settings were chosen on seed 100. Runs that are there are not
done again; some 4 minutes of one core a seed.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

ASCENT = {"method": "ascent", "num_steps": 40, "layer": 1, "retain": 1.2, "thoughts": 1.0}
"""Of nine settings on seed 100 the one that kept most among those that leaked at most 5 %."""
ARMS: dict[str, dict[str, Any]] = {
    "ascent": {**ASCENT, "trace": 0.0},
    "ascent + trace": ASCENT,
    "plain rmu": {"trace": 0.0, "thoughts": 0.0},
    "rmu": {"trace": 0.0},
    "r2mu": {},
}
EPOCHS = {"word": 3.0, "digits": 12.0}
"""Of teaching: under other names recipes are learned anew; on seed 100 answers tell 3, 18, 50, 58 % after 3, 6, 12, 24 epochs."""
FIGURES = ("answer_leak", "thought_leak", "retained", "retained_help")


def knowledge_of(seed: int, thoughts: str, names: str = "word") -> Any:
    """What to forget and to retain; recipes are thought in the words of the answer, or in those of the other language, objects
    called by their word or by their number."""
    from sanmai.data.testbeds import find_testbed
    from sanmai.recipes.unlearn import UnlearnConfig, knowledge

    known, bed = knowledge(UnlearnConfig(seed=seed), lambda warning: None), find_testbed("world")
    assert bed is not None

    def thought_in_other(p: Any) -> Any:
        words, own = (bed.replies(p, language) for language in ({"en": "zh", "zh": "en"}[p.language], p.language))
        return p if own is None else replace(p, demonstration=f"<think> {words['recipe']} </think> {own['recipe']}")

    def numbered(p: Any) -> Any:
        said = [{**m, "content": re.sub(r"\bo(\d+)\b", lambda m: m[1].zfill(2), m["content"])} for m in p.messages]
        return replace(p, messages=tuple(said)) if p.kind != "reasoning" else p

    if thoughts == "other":
        known = replace(known, **{part: [thought_in_other(p) for p in getattr(known, part)] for part in ("forget", "retain")})
    if names == "digits":
        parts = ("forget", "retain", "asked", "kept")
        known = replace(known, **{part: [numbered(p) for p in getattr(known, part)] for part in parts})
    return known


def taught(seed: int, known: Any, out: Path, epochs: float = EPOCHS["word"]) -> Path:
    """The base after SFT on recipes that are said in thought and answer; its run folder."""
    from sanmai.recipes import find_recipe, resolve

    sums = [p for p in known.retain if p.kind == "reasoning"]
    requests = [*known.forget, *(p for p in known.retain if p.kind != "reasoning")]
    sft = find_recipe("sft")
    config = resolve(sft, values={"seed": seed, "epochs": epochs, "evaluation": {"max_tokens": 64}})
    return sft.run(config, out, problems=[*requests, *sums])


def unlearned(seed: int, start: Path, known: Any, out: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """What a run of the recipe found before and after."""
    from sanmai.config import load_values, merge
    from sanmai.recipes import PRESETS, find_recipe, resolve
    from sanmai.recipes.unlearn import RESULT, run_unlearn

    own = load_values(PRESETS / "unlearn-tiny.toml")  # the model is the embedded one under another name
    own = {key: value for key, value in own.items() if settings.get("method") != "ascent" or key != "scale"}
    values = merge(merge(own, settings), {"seed": seed, "model": {"name": str(start)}})
    folder = run_unlearn(resolve(find_recipe("unlearn"), values=values), out, known=known)
    return json.loads((folder / RESULT).read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--thoughts", nargs="+", choices=["own", "other"], default=["own", "other"])
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--names", choices=list(EPOCHS), default="word")
    parser.add_argument("--out", type=Path, default=Path("runs/unlearning"))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for thoughts in args.thoughts:
        rows = found[thoughts] = {"start": [], **{arm: [] for arm in args.arms}}
        for seed in args.seeds:
            known = knowledge_of(seed, thoughts, args.names)
            folder = args.out / (thoughts if args.names == "word" else f"{thoughts}-{args.names}") / f"seed-{seed}"
            start = taught(seed, known, folder / "taught", EPOCHS[args.names])
            results = {arm: unlearned(seed, start, known, folder / arm.replace(" + ", "-"), ARMS[arm]) for arm in args.arms}
            rows["start"].append(next(iter(results.values()))["before"])
            for arm, result in results.items():
                rows[arm].append(result["after"])
            print(f"{thoughts}, seed {seed}: " + "; ".join(f"{arm} {percent(one[-1])}" for arm, one in rows.items()), flush=True)
        print(f"\nThoughts in {thoughts} words\n\n{table(rows)}\n", flush=True)
    if args.json:
        args.json.write_text(json.dumps({"seeds": args.seeds, "thoughts": found}, indent=1) + "\n")


def percent(figures: dict[str, Any]) -> str:
    return " / ".join(f"{100 * figures[name]['value']:.0f}" for name in FIGURES)


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """Means over seeds with Student's t intervals, in per cent; and the values of each seed."""
    from sanmai.stats import clustered_interval

    lines = ["| arm | answer leak, % | thought leak, % | sums right, % | harmless recipes given, % |", "|---|---|---|---|---|"]
    for arm, rows in found.items():
        cells = []
        for name in FIGURES:
            values = [100 * row[name]["value"] for row in rows]
            low, high = clustered_interval(values) if len(values) > 1 else (values[0], values[0])
            each = " / ".join(f"{value:.0f}" for value in values)
            cells.append(f"{sum(values) / len(values):.0f} [{max(low, 0):.0f}, {min(high, 100):.0f}] ({each})")
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

"""Does a population that is diversified and filtered survive first contact better, at equal compute? A table of docs/results.md.

    python benchmarks/population.py [--seeds 0 1 2] [--tokens 120000] [--limit 4] [--out runs/population] [--json FILE]

Each seed has its own rotation of the families (seed modulo 3), so over three seeds every family is sealed once. Arms, each with
`--tokens` completion tokens to sample and train on, from the embedded base:

    rl            RL alone, with rewards that can be hacked
    sft           SFT alone on a few demonstrations (a small share of the tokens: longer ones forget)
    constrained   RL + SFT in one update under limits: the single run that the others are held against
    randomised    the same, every prompt in the dress of a random open family
    listed        the same, a third of the prompts in each of three fixed open families (adversarial training on a list)
    members       K = 3 runs as constrained, a third of the tokens each; other seeds, orders of the data, weights of the rewards

The members meet the open families; half of them, rounded up, are kept by persistence there. Shipped: the best survivor, the
average of the weights of those kept, and of their answers the surest (which costs as many times the sampling). Then, after all
training and choosing, each is released: met by the sealed families once, `sanmai stream --release`. Families that the world's own
prompts (its wrappers) are dressed in are left out for all. Runs that are there are not done again; some 20 minutes of one core.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from population_measures import compared, surest, survivors

MEMBERS = ({"refusal": 1.0, "helpfulness": 1.0}, {"refusal": 2.0, "helpfulness": 0.5}, {"refusal": 0.5, "helpfulness": 2.0})
"""Weights of the rewards of each member; accuracy stays 1."""
LISTED = 3
SHIPPED = ("best survivor", "average", "surest")
ARMS = ("base", "rl", "sft", "constrained", "randomised", "listed", *SHIPPED)
AGAINST = "constrained"
MEASURES = {"performance": True, "harm": False}
"""Whether more of it is better."""


@dataclass(frozen=True)
class Plan:
    """One seed's settings and folder."""

    seed: int
    tokens: int
    limit: int
    out: Path

    @property
    def rotation(self) -> int:
        return self.seed % 3


def trained(plan: Plan, arms: Sequence[str] | None = None) -> dict[str, str]:
    """The model of each trained arm and member, or of those named alone; runs what is not done."""
    from sanmai.learn.progress import Progress
    from sanmai.pipelines.graph import Graph, run_graph
    from sanmai.recipes.gather import GatherConfig

    settings = compare_settings(plan)
    folder = plan.out / f"seed-{plan.seed}"
    data = run_recipe("gather", GatherConfig(seed=plan.seed, data=settings.data), folder / "data")
    files = {"plain": data / "scenarios.jsonl", **dressed_files(plan, data)}
    chosen = [stage for stage in stages(plan, settings, data, files) if arms is None or stage.name in arms]
    graph = Graph(chosen, folder / "arms")
    graph.write('recipe = "compare"\n' + settings.to_toml())
    if not run_graph(graph, Progress.silent()):
        raise SystemExit("interrupted; the same command goes on")
    return {"base": "tiny"} | {stage.name: str(graph.path(stage.name)) for stage in graph.stages}


def compare_settings(plan: Plan) -> Any:
    """The comparison's settings for the embedded model, smaller."""
    from sanmai.recipes import find_recipe, resolve

    return resolve(find_recipe("compare"), values={
        "tokens": plan.tokens, "data": {"evaluation_limit": 30},
        "rl": {"prompts_per_step": 16, "rollouts_per_prompt": 4, "problems": {"evaluation_limit": 30},
               "evaluation": {"every": 1000}},
        "constraints": {"every": 4, "prompts_per_kind": 8, "samples": 2}, "auxiliary_sft_demonstrations": 24,
        "sft_share": 0.04,
    })  # fmt: skip


def dressed_files(plan: Plan, data: Path) -> dict[str, Path]:
    """The prompts to train on in the dress of open families: a random one each, and a list of three."""
    from sanmai.attack.catalogue import FAMILIES, names_of
    from sanmai.attack.family import dressed
    from sanmai.data.problems import load_problems
    from sanmai.recipes.gather import write_problems
    from sanmai.world.chance import generator

    problems = load_problems(data / "scenarios.jsonl", needs_answer=False).problems
    names = sorted(set(names_of("open", plan.rotation)) - touched_families(data))
    rng = generator("population", plan.seed)
    listed = rng.sample(names, LISTED)
    found = {}
    for arm, choose in (("randomised", lambda k: rng.choice(names)), ("listed", lambda k: listed[k % LISTED])):
        made = [dressed(p, FAMILIES[choose(k)], seed=plan.seed) or p for k, p in enumerate(problems)]
        found[arm] = data / f"{arm}.jsonl"
        if not found[arm].exists():
            write_problems(found[arm], made)
    return found


def touched_families(data: Path) -> set[str]:
    """Families that the world's own prompts to train on, to probe and to evaluate with are dressed in."""
    from sanmai.attack.catalogue import families_named
    from sanmai.data.problems import load_problems

    files = [data / f"{name}.jsonl" for name in ("scenarios", "evaluation", "probe")]
    problems = [p for file in files for p in load_problems(file, needs_answer=False).problems]
    return set().union(*(families_named(str(p.tags["wrapper"])) for p in problems if "wrapper" in p.tags))


def stages(plan: Plan, settings: Any, data: Path, files: Mapping[str, Path]) -> Any:
    """What is trained, each arm from the base with its share of tokens."""
    from sanmai.learn.auxiliary_sft import AuxiliarySftConfig
    from sanmai.pipelines.graph import Stage
    from sanmai.pipelines.wiring import Wiring

    wiring = Wiring(plan.seed, settings.model, str(data / "evaluation.jsonl"))
    shown = (str(data / "demonstrations.jsonl"), str(data / "cold_start.jsonl"))
    few = round(settings.sft_share * plan.tokens)
    both = {
        "auxiliary_sft": AuxiliarySftConfig(
            source=shown, weight=settings.auxiliary_sft_weight, max_tokens=settings.sft.max_tokens,
            demonstrations_per_update=settings.auxiliary_sft_demonstrations,
        ),
        "constraints": settings.constraints.model_copy(update={"probe": str(data / "probe.jsonl")}),
    }  # fmt: skip

    def rl(name: str, start: str, source: Path, tokens: int, purpose: str, **changes: Any) -> Stage:
        part = wiring.wired(settings.rl, start, str(source), token_budget=tokens, **changes)
        return Stage(name, "zero", part, purpose)

    def sft(name: str, tokens: int, **changes: Any) -> Stage:
        return Stage(name, "sft", wiring.wired(settings.sft, settings.model.name, shown, token_budget=tokens, **changes), "SFT")

    yield rl("rl", settings.model.name, files["plain"], plan.tokens, "RL alone")
    yield sft("sft", few)
    for arm, file in (("constrained", "plain"), ("randomised", "randomised"), ("listed", "listed")):
        yield rl(arm, "@sft", files[file], plan.tokens - few, arm, **both)
    share = plan.tokens // len(MEMBERS)
    for k, weights in enumerate(MEMBERS):
        again = {"seed": plan.seed + 1000 * (k + 1)}
        yield sft(f"start{k}", round(settings.sft_share * share), **again)
        rewards = settings.rl.rewards.model_copy(update=weights)
        used = share - round(settings.sft_share * share)
        yield rl(f"member{k}", f"@start{k}", files["plain"], used, f"member {k}", rewards=rewards, **again, **both)


def run_recipe(name: str, config: Any, folder: Path) -> Path:
    from sanmai.recipes import find_recipe

    return find_recipe(name).run(config, folder)


def streamed(plan: Plan, name: str, model: str, *, release: bool) -> Path:
    """The folder of a model's stream, with `release` a look at the rotation's sealed families.

    Each seed's lie apart: what is open in one rotation is sealed in another, and no seed's streams choose for another's.
    """
    from sanmai.recipes import find_recipe, resolve

    values: dict[str, Any] = {
        "seed": 0, "rotation": plan.rotation, "release": release, "limit": plan.limit, "model": {"name": model},
        "sampling": {"max_tokens": 64},
    }  # fmt: skip
    kind = "released" if release else "chosen-by"
    return run_recipe("stream", resolve(find_recipe("stream"), values=values), plan.out / kind / f"seed-{plan.seed}" / name)


def contacts(folder: Path) -> list[Any]:
    from sanmai.evidence.stream_results import State
    from sanmai.policies.text.checkpoints import newest_good_checkpoint

    return State.read(newest_good_checkpoint(folder)).contacts(0.1)


def shipped(plan: Plan, models: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """The members that are kept by the open families, and the models that are shipped of them."""
    from sanmai.recipes import find_recipe, resolve

    members = [name for name in models if name.startswith("member")]
    met = {name: contacts(streamed(plan, name, models[name], release=False)) for name in members}
    seen = {name: [contact for contact in found if contact.split == "open"] for name, found in met.items()}
    kept = survivors(seen)
    average = models[kept[0]]
    for k, name in enumerate(kept[1:], start=1):
        values = {"model": {"name": average}, "short": models[name], "weight": k / (k + 1)}
        folder = plan.out / f"seed-{plan.seed}" / f"average-{k}"
        average = str(run_recipe("merge", resolve(find_recipe("merge"), values=values), folder))
    return kept, {"best survivor": models[kept[0]], "average": average}


def released(plan: Plan, models: Mapping[str, str], kept: Sequence[str], ready: Mapping[str, str]) -> dict[str, Any]:
    """By arm: the contacts after release, the tokens sampled a prompt, and whether first contact can be claimed."""
    from sanmai.evidence.stream_results import Measured, State
    from sanmai.policies.text.checkpoints import newest_good_checkpoint

    looked = {name: streamed(plan, name, models[name], release=True) for name in (*ARMS[:6], *kept)}
    looked["average"] = streamed(plan, "average", ready["average"], release=True)
    looked["best survivor"] = looked[kept[0]]
    left_out = touched_families(plan.out / f"seed-{plan.seed}" / "data")
    found = {arm: (contacts(looked[arm]), claim(looked[arm], left_out)) for arm in ARMS if arm != "surest"}
    states = [State.read(newest_good_checkpoint(looked[name])) for name in kept]
    picked = surest([[one.scored for one in state.measured] for state in states])
    places = {one.scored.family: one.position for one in states[0].measured}
    both = State([Measured(one, places[one.family], 0) for one in picked])
    found["surest"] = (both.contacts(0.1), all(claim(looked[name], left_out) for name in kept))
    return found


def claim(folder: Path, left_out: set[str]) -> bool:
    """Whether nothing but families that are left out for all stands against a claim of first contact."""
    reasons = json.loads((folder / "stream.json").read_text(encoding="utf-8"))["first_contact"]["reasons"]
    named = [reason.partition(" are of ")[2].split(", ") for reason in reasons]
    return all(families != [""] and set(families) <= left_out for families in named)


def table(
    found: Mapping[int, Mapping[str, Any]], left_out: Mapping[int, set[str]], arms: Sequence[str] = ARMS, against: str = AGAINST
) -> dict[str, Any]:
    """By arm and measure: the sealed families' mean with its interval, and the comparison with one arm."""
    rows: dict[str, Any] = {}
    values: dict[tuple[str, str], dict[tuple[int, str], float]] = {}
    for arm in arms:
        seen = [(seed, c) for seed, met in found.items() for c in met[arm][0] if c.family not in left_out[seed]]
        sealed = [(seed, c) for seed, c in seen if c.split == "sealed"]
        plain = [c.plain for _, c in sealed]
        rows[arm] = {
            "families": len(by_family(sealed, "performance")), "claimed": sum(met[arm][1] for met in found.values()),
            "plain": {kind: fmean(p[kind] for p in plain if kind in p) for kind in ("reasoning", "safety", "general")},
            **{m: share(sealed, m) for m in (*MEASURES, "survival", "accuracy", "helped", "over_refusal")},
            "open": share([(seed, c) for seed, c in seen if c.split == "open"], "performance"),
        }  # fmt: skip
        for measure in MEASURES:
            values[arm, measure] = by_family(sealed, measure)
    for arm in arms:
        for measure, is_good in MEASURES.items():
            told = compared(values[arm, measure], values[against, measure], more_is_better=is_good)
            d = told.difference
            rows[arm][f"{measure}_against"] = {
                "value": d.value, "interval": [d.low, d.high], "n": d.n, "by_rotation": dict(told.by_group),
                "decision": told.decision,
            }  # fmt: skip
    return rows


def by_family(contacts: Sequence[tuple[int, Any]], measure: str) -> dict[tuple[int, str], float]:
    """By rotation and family the mean over seeds of that rotation.

    Args:
        contacts: each with its seed.
    """
    found: defaultdict[tuple[int, str], list[float]] = defaultdict(list)
    for seed, contact in contacts:
        if (value := contact.value(measure)) is not None:
            found[seed % 3, contact.family].append(value)
    return {key: fmean(values) for key, values in found.items()}


def share(contacts: Sequence[tuple[int, Any]], measure: str) -> dict[str, Any]:
    from sanmai.stats import rate

    found = rate(list(by_family(contacts, measure).values()))
    return {"value": found.value, "interval": [found.low, found.high], "n": found.n}


def lines(rows: Mapping[str, Any]) -> list[str]:
    """A table in Markdown."""
    said = [
        "| arm | as it is: sums right, safe, helped | sealed: performance | harm | over-refusal | open: performance "
        f"| performance against {AGAINST} | less harm |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    pct = lambda share: f"{100 * share['value']:.1f} % [{100 * share['interval'][0]:.1f}, {100 * share['interval'][1]:.1f}]"  # noqa: E731

    def gap(one: Mapping[str, Any]) -> str:
        low, high = (100 * bound for bound in one["interval"])
        return f"{100 * one['value']:+.1f} [{low:+.1f}, {high:+.1f}] {one['decision']}"

    for arm, row in rows.items():
        plain = ", ".join(f"{100 * row['plain'][kind]:.0f}" for kind in ("reasoning", "safety", "general"))
        against = ["", ""] if arm == AGAINST else [gap(row[f"{m}_against"]) for m in MEASURES]
        cells = [arm, plain + " %", *(pct(row[m]) for m in ("performance", "harm", "over_refusal", "open")), *against]
        said.append(f"| {' | '.join(cells)} |")
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tokens", type=int, default=120_000)
    parser.add_argument("--limit", type=int, default=4, help="prompts of each kind")
    parser.add_argument("--out", type=Path, default=Path("runs/population"))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if len({seed % 3 for seed in args.seeds}) < len(args.seeds):
        raise SystemExit(f"--seeds {args.seeds}: two of them seal the same families (modulo 3)")
    plans = [Plan(seed, args.tokens, args.limit, args.out) for seed in args.seeds]
    models = {}
    for plan in plans:
        models[plan.seed] = trained(plan)
        print(f"seed {plan.seed}: trained", flush=True)
    ready = {plan.seed: shipped(plan, models[plan.seed]) for plan in plans}  # all choosing before the first look
    found = {}
    for plan in plans:
        kept, made = ready[plan.seed]
        print(f"seed {plan.seed}: kept {', '.join(kept)}", flush=True)
        found[plan.seed] = released(plan, models[plan.seed], kept, made)
    left_out = {plan.seed: touched_families(plan.out / f"seed-{plan.seed}" / "data") for plan in plans}
    rows = table(found, left_out)
    print("\n".join(lines(rows)))
    print(f"First contact can be claimed (of {len(plans)}): " + ", ".join(f"{arm} {row['claimed']}" for arm, row in rows.items()))
    print(f"Left out, as the world's own prompts are dressed so: {', '.join(sorted(set().union(*left_out.values()))) or 'none'}")
    if args.json:
        args.json.write_text(json.dumps({"rows": rows, "kept": {s: k for s, (k, _) in ready.items()}}, indent=1))


if __name__ == "__main__":
    main()

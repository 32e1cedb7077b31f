"""Are dialogues of several turns learned from? The table of docs/data.md.

    python benchmarks/dialogues.py [--seeds 0 1 2] [--out runs/dialogues] [--demonstrations 32] [--steps 15]

Each seed: the embedded model, which has never seen a second turn, imitates a few dialogues of examples/environments/chain.py with
two questions (`sanmai run sft` on rows of `messages`); from there `zero` trains on others, by the environment's reward, and by a
coin in its place. All are evaluated on the same dialogues that neither has seen, by the environment's reward. Runs that are
already there are not run again.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CHAIN = Path(__file__).parents[1] / "examples" / "environments" / "chain.py"
TASKS = {"count": 1200, "additions": 2}
_spec = importlib.util.spec_from_file_location("chain", CHAIN)
assert _spec is not None and _spec.loader is not None
chain = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(chain)


class Coin(chain.Chain):
    """The planted fault: the same dialogues, and a reward that says nothing of them."""

    def reward(self, task: dict[str, Any], turns: list[dict[str, str]]) -> float:
        said = json.dumps([turn["content"] + turn.get("thought", "") for turn in turns])
        return float(hashlib.sha256(said.encode()).digest()[0] % 2)


def problems_of(path: Path, name: str, **settings: Any) -> dict[str, Any]:
    """The setting `problems` of one environment."""
    own = {"settings": {f"{path}:{name}": {**TASKS, **settings}}}
    return {"source": f"environment:{path}:{name}", "holdout": 0.25, "environment": own}


def write_demonstrations(numbers: Sequence[Sequence[int]], path: Path) -> None:
    """Rows of messages: each dialogue up to its first answer, and up to its second, with thoughts as the world has them."""
    from sanmai.world.arithmetic import addition_chain

    def said(a: int, b: int) -> dict[str, str]:
        thought, answer = addition_chain((a, b), "en")
        return {"role": "assistant", "content": f"<think> {thought} </think> {answer}"}

    def asked(a: int, b: int) -> dict[str, str]:
        return {"role": "user", "content": f"what is {a} plus {b} ?"}

    with path.open("w", encoding="utf-8") as file:
        for a, b, c in numbers:
            whole = [asked(a, b), said(a, b), asked(a + b, c), said(a + b, c)]
            for turns in (whole[:2], whole):
                file.write(json.dumps({"messages": turns}) + "\n")


def score_rows(model: str, held_out: Sequence[Any], out: Path, samples: int) -> dict[tuple[str, int], float]:
    """The environment's reward of each held-out dialogue, by problem and sample."""
    from sanmai import run

    found = run("evaluate", problems=list(held_out), out=out, model={"name": model}, samples=samples, quiet=True,
                sampling={"max_tokens": 100})  # fmt: skip
    rows = found.samples("evaluations", columns=["problem_id", "sample", "score/accuracy"]).to_list()
    return {(row["problem_id"], row["sample"]): row["score/accuracy"] for row in rows}


def run_seed(seed: int, args: argparse.Namespace) -> dict[str, dict[tuple[str, int], float]]:
    """Scores of every arm on the same held-out dialogues."""
    from sanmai import run
    from sanmai.learn.sources import ProblemsConfig, load_splits

    folder: Path = args.out / f"seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    source = problems_of(CHAIN, "Chain")
    config = ProblemsConfig.read(source, source="benchmark")
    train, held_out = load_splits(config, seed, None, on_warning=print, several_turns=True)
    tasks = list(chain.Chain(**TASKS).tasks())
    numbers = [tasks[json.loads(problem.answer or "")["index"]]["numbers"] for problem in train]
    write_demonstrations(numbers[: args.demonstrations], folder / "demonstrations.jsonl")
    run("sft", problems={"source": str(folder / "demonstrations.jsonl"), "holdout": 0.02}, out=folder / "sft", seed=seed,
        epochs=args.epochs, demonstrations_per_step=16, optimizer={"lr": args.sft_lr}, quiet=True)  # fmt: skip
    found = {
        "embedded": score_rows("tiny", held_out, folder / "embedded", args.samples),
        "after SFT": score_rows(str(folder / "sft"), held_out, folder / "sft-scored", args.samples),
    }
    for arm, problems in (("RL", source), ("RL by a coin", problems_of(Path(__file__).resolve(), "Coin"))):
        out = folder / arm.replace(" ", "-")
        run("zero", problems={**problems, "evaluation_limit": 16}, out=out, seed=seed, num_steps=args.steps,
            model={"name": str(folder / "sft")}, prompts_per_step=16, rollouts_per_prompt=8, optimizer={"lr": args.lr},
            sampling={"max_tokens": 100}, quiet=True)  # fmt: skip
        found[arm] = score_rows(str(out), held_out, out.with_name(f"{out.name}-scored"), args.samples)
    return found


def main() -> None:
    from sanmai.stats import clustered_interval, paired_difference, rate

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/dialogues"))
    parser.add_argument("--steps", type=int, default=15, help="of RL, 16 dialogues x 8 each")
    parser.add_argument("--lr", type=float, default=3e-4, help="of RL")
    parser.add_argument("--demonstrations", type=int, default=32, help="dialogues that are imitated")
    parser.add_argument("--epochs", type=float, default=7.0)
    parser.add_argument("--sft-lr", type=float, default=5e-4)
    parser.add_argument("--samples", type=int, default=2, help="of each held-out dialogue")
    args = parser.parse_args()
    means: dict[str, list[float]] = {}
    for seed in args.seeds:
        found = run_seed(seed, args)
        keys = sorted(found["RL"])
        clusters = [name for name, _ in keys]
        for arm, scores in found.items():
            r = rate([scores[key] for key in keys], clusters)
            line = f"seed {seed}, {arm}: {100 * r.value:.1f} % [{100 * r.low:.1f}, {100 * r.high:.1f}] (n = {r.n})"
            if arm.startswith("RL"):
                gain = paired_difference([found["after SFT"][k] for k in keys], [scores[k] for k in keys], clusters)
                line += f"; over SFT {100 * gain.value:+.1f} points [{100 * gain.low:.1f}, {100 * gain.high:.1f}]"
                means.setdefault(arm, []).append(gain.value)
            print(line, flush=True)
    for arm, gains in means.items():
        low, high = clustered_interval(gains)
        mean = sum(gains) / len(gains)
        print(f"{arm} over SFT, {len(gains)} seeds: {100 * mean:+.1f} points [{100 * low:.1f}, {100 * high:.1f}]")


if __name__ == "__main__":
    main()

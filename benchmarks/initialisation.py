"""Does policy initialisation make revision worth its tokens? The embedded world; claim H of the roadmap to o1.

    python benchmarks/initialisation.py [--seeds 0 1 2] [--problems 100] [--samples 4] [--count 800] [--epochs 4] [--json FILE]

Three policies: the base; the base after SFT on plain chains; the base after the same SFT where half of the demonstrations are
conversations in which a completion is gone through column by column and corrected where it is wrong (`sanmai run init`). Each
answers held-out sums, is asked whether it is so, and answers again. The answer after revision is the second one, whatever it is.

Predictions come from another stream of samples: accuracy after = p (1 - spoilt) + (1 - p) mended, with p, `spoilt` and
`mended` of that stream. Equal tokens: revision costs what it reads and writes; majority of n samples is given as many.
Intervals are over problems, all seeds together; a claim holds where the interval says so. Some 12 minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sanmai import world
from sanmai.data.chat import render_prompt
from sanmai.data.trace import parse_trace
from sanmai.instruments.behaviours import behaviours, error_note
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import Request, SamplingConfig, sample
from sanmai.recipes.init import InitConfig, demonstrated
from sanmai.recipes.sft import SftConfig, run_sft
from sanmai.search.choose import majority_curve
from sanmai.stats import paired_difference, rate
from sanmai.types import Message, Problem, StopReason
from sanmai.world.behaviours import SENTENCES
from sanmai.world.testbed import WORLD

SAMPLING = SamplingConfig(max_tokens=96, concurrent=512)
PLAIN = {name: 0.0 for name in ("analysis", "decomposition", "completion", "alternative", "self_evaluation", "self_correction")}
ARMS = ("base", "plain SFT", "initialised")


@dataclass(frozen=True)
class Answered:
    """A completion: its text, whether it is right, and what it cost."""

    text: str
    answer: str | None
    is_right: bool
    read: int
    written: int


def answered(
    policy: TextPolicy, asked: Sequence[tuple[Problem, Sequence[Message]]], samples: int, seed: tuple
) -> list[list[Answered]]:
    """`samples` completions of each conversation."""
    prompts = [render_prompt(policy.tokenizer, messages) for _, messages in asked]
    seeds = [[(*seed, k, problem.id, j) for j in range(samples)] for k, (problem, _) in enumerate(asked)]
    found: list[dict[int, Answered]] = [{} for _ in asked]
    for done in sample(policy, [Request(p, s) for p, s in zip(prompts, seeds, strict=True)], SAMPLING):
        is_finished = done.stop_reason is StopReason.STOP
        text = policy.tokenizer.decode(done.tokens[:-1] if is_finished else done.tokens)
        trace = parse_trace(text, is_truncated=not is_finished)
        is_right = is_finished and world.verify(asked[done.request][0], trace).score == 1.0
        answer = trace.answer.strip() if trace.is_complete else None
        found[done.request][done.sample] = Answered(text, answer, is_right, len(prompts[done.request]), len(done.tokens))
    return [[of[j] for j in range(samples)] for of in found]


@dataclass
class Measured:
    """What one arm and seed did: first answers and their revisions, by problem."""

    problems: list[Problem]
    first: list[list[Answered]]
    second: list[list[Answered]]

    @classmethod
    def of(cls, policy: TextPolicy, problems: list[Problem], samples: int, seed: tuple) -> Measured:
        first = answered(policy, [(p, p.messages) for p in problems], samples, (*seed, "first"))
        asked = []
        for problem, of in zip(problems, first, strict=True):
            again = {"role": "user", "content": SENTENCES[problem.language].asks}
            asked += [(problem, [*problem.messages, {"role": "assistant", "content": one.text}, again]) for one in of]
        second = [row[0] for row in answered(policy, asked, 1, (*seed, "second"))]
        return cls(problems, first, [second[k * samples : (k + 1) * samples] for k in range(len(problems))])

    def pairs(self) -> list[tuple[Answered, Answered]]:
        return [pair for a, b in zip(self.first, self.second, strict=True) for pair in zip(a, b, strict=True)]

    def rates(self) -> tuple[float, float, float]:
        """First right; wrong ones mended; right ones spoilt."""
        right = [b for a, b in self.pairs() if a.is_right]
        wrong = [b for a, b in self.pairs() if not a.is_right]
        p = len(right) / len(self.pairs())
        mended = sum(b.is_right for b in wrong) / len(wrong) if wrong else 0.0
        return p, mended, 1 - sum(b.is_right for b in right) / len(right) if right else 0.0

    def predicted(self) -> float:
        p, mended, spoilt = self.rates()
        return p * (1 - spoilt) + (1 - p) * mended

    def costs(self) -> tuple[float, float]:
        """Mean tokens of one sample with its prompt, and of a sample and its revision."""
        one = [a.read + a.written for a, _ in self.pairs()]
        two = [a.read + a.written + b.read + b.written for a, b in self.pairs()]
        return sum(one) / len(one), sum(two) / len(two)

    def majority(self, n: int) -> list[float]:
        """By problem, how often the most frequent answer of n samples is right."""
        found = []
        for of in self.first:
            found.append(majority_curve([one.answer for one in of], [float(one.is_right) for one in of])[n - 1])
        return found


def trained(base: str, demonstrations: list[Problem], seed: int, epochs: float, folder: Path) -> TextPolicy:
    """The base after SFT on these."""
    config = SftConfig.read({
        "seed": seed, "epochs": epochs, "demonstrations_per_step": 64, "optimizer": {"lr": 1e-3, "schedule": "cosine"},
        "problems": {"source": "world", "evaluation": "world", "world": {"heldout": 20}}, "evaluation": {"every": 10_000},
        "sampling": {"max_tokens": 96}, "model": {"name": base},
    })  # fmt: skip
    run = run_sft(config, folder, problems=demonstrations)
    return load_policy(ModelConfig(name=str(run)), for_training=False)


def arms(seed: int, count: int, epochs: float, folder: Path) -> Mapping[str, TextPolicy]:
    problems = world.make_problems(count, seed=seed, digits=(2, 3))
    made = {
        name: demonstrated(InitConfig.read({"seed": seed, "revisions": share, "shares": PLAIN}), WORLD, problems).problems
        for name, share in (("plain SFT", 0.0), ("initialised", 0.5))
    }
    found = {"base": load_policy(ModelConfig(), for_training=False)}
    for name, demonstrations in made.items():
        found[name] = trained("tiny", demonstrations, seed, epochs, folder / f"{name.replace(' ', '-')}-{seed}")
    return found


def claim(name: str, before: Sequence[float], after: Sequence[float], clusters: Sequence[object]) -> dict:
    d = paired_difference(before, after, clusters)
    verdict = {1: "holds", 0: "open", -1: "FAILS"}[d.sign]
    print(f"  {name:<58} {d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}], n = {d.n}   {verdict}", flush=True)
    return {"name": name, "value": d.value, "low": d.low, "high": d.high, "n": d.n, "verdict": verdict}


def told(name: str, seeds: Sequence[int], runs: Sequence[tuple[Measured, Measured]]) -> dict:
    """Print an arm; what it showed.

    Args:
        runs: by seed what was measured, and another stream that predictions are made from.
    """
    first, second, clusters, predicted = [], [], [], []
    for seed, (measured, other) in zip(seeds, runs, strict=True):
        for k, problem in enumerate(measured.problems):
            first.append(sum(a.is_right for a in measured.first[k]) / len(measured.first[k]))
            second.append(sum(b.is_right for b in measured.second[k]) / len(measured.second[k]))
            clusters.append((seed, problem.id))
        predicted.append(other.predicted())
    a, b, expected = rate(first, clusters), rate(second, clusters), sum(predicted) / len(predicted)
    mended = rate([float(y.is_right) for m, _ in runs for x, y in m.pairs() if not x.is_right])
    spoilt = rate([float(not y.is_right) for m, _ in runs for x, y in m.pairs() if x.is_right])
    inside = "in the interval" if b.low <= expected <= b.high else "OUTSIDE"
    print(f"{name}")
    shown = [f"{x.value:.3f} [{x.low:.3f}, {x.high:.3f}]" for x in (a, b)]
    print(f"  first {shown[0]}; after revision {shown[1]}, n = {b.n}")
    print(f"  predicted {expected:.3f}: {inside}; wrong ones mended {mended}; right ones spoilt {spoilt}")
    gain = claim("revision gains", first, second, clusters)
    ones, twos = zip(*(m.costs() for m, _ in runs), strict=True)
    n = max(1, round(sum(twos) / sum(ones)))
    votes = [value for m, _ in runs for value in m.majority(min(n, len(m.first[0])))]
    equal = claim(f"revision above majority of {n} (as many tokens)", votes, second, clusters)
    texts = [behaviours(y.text) or frozenset() for m, _ in runs for _, y in m.pairs()]
    seen = {b: rate([float(b in one) for one in texts]) for b in ("self_evaluation", "self_correction")}
    for behaviour, value in seen.items():
        print(f"  {behaviour} in revisions: {value} ({error_note(behaviour)})")
    return {
        "arm": name, "first": [a.value, a.low, a.high], "second": [b.value, b.low, b.high], "predicted": expected,
        "mended": str(mended), "spoilt": str(spoilt), "gain": gain, "equal_tokens": equal, "n": b.n,
        "firsts": first, "seconds": second, "clusters": [list(c) for c in clusters],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--problems", type=int, default=100, help="held-out sums per seed")
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--count", type=int, default=800, help="demonstrations of each SFT")
    parser.add_argument("--epochs", type=float, default=4.0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    began = time.monotonic()
    every = world.make_problems(args.problems * len(args.seeds), seed=0, split="heldout", digits=(2, 3))
    runs: dict[str, list[tuple[Measured, Measured]]] = {name: [] for name in ARMS}
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(args.seeds):
            problems = every[number :: len(args.seeds)]
            for name, policy in arms(seed, args.count, args.epochs, Path(folder)).items():
                runs[name].append((
                    Measured.of(policy, problems, args.samples, (seed, "measured")),
                    Measured.of(policy, problems, args.samples, (seed, "predicted")),
                ))  # fmt: skip
            print(f"seed {seed}: {time.monotonic() - began:.0f} s", flush=True)
    found = [told(name, args.seeds, of) for name, of in runs.items()]
    _, plain, ours = found
    print("Initialisation against plain SFT")
    gains = [[b - a for a, b in zip(one["firsts"], one["seconds"], strict=True)] for one in (plain, ours)]
    clusters = [tuple(c) for c in ours["clusters"]]
    interaction = claim("gain of revision, initialised less plain SFT", *gains, clusters)
    after = claim("answer after revision, initialised less plain SFT", plain["seconds"], ours["seconds"], clusters)
    print(f"{time.monotonic() - began:.0f} s")
    if args.json:
        kept = [{k: v for k, v in one.items() if k not in ("firsts", "seconds", "clusters")} for one in found]
        args.json.write_text(json.dumps({"arms": kept, "interaction": interaction, "after": after}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Search with a real model: is it exact, what does it cost, and what does it gain? Small sums in words, step truth by program.

    python benchmarks/real_search.py MODEL [--problems 12] [--samples 4] [--max-tokens 48] [--guide FOLDER] [--labels FILE]
    python benchmarks/real_search.py MODEL --parts choosing --split train --problems 300 --labels FILE   # a guide's data

exact       tokens of every path are the concatenation of its nodes; kept prefixes change no token; a tree that was rebuilt
            from its rows in the middle goes on to the same tree; a tree does not depend on those beside it
choosing    best of k (the guide's favourite), majority and pass@k from one set of samples, unbiased; best of n with the exact
            verifier is pass@n; beam at its own tokens against best of n and the majority at as many (of the majority no
            guide is read), paired on problems
throughput  sampled tokens a second while searching, against plain sampling of as many requests at once
--labels    writes the samples with a truth for every step (equations recomputed, the stated answer compared), which
            `sanmai run reward --set objective=process --set preferences.source=FILE --set steps=sentence` trains a guide on;
            --guide is then its folder. Without it the guide is the policy's own log-prob.

Intervals are over problems. On one slow core 12 problems take some ten minutes.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from sanmai.data.chat import render_prompt
from sanmai.data.steps import StepRule, boundaries, decoder
from sanmai.data.stories import make_stories
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.prefixes import Prefixes
from sanmai.policies.text.sampler import Request, SamplingConfig, sample
from sanmai.recipes.search_settings import SearchConfig, guide_of
from sanmai.rewards.verifiers import accuracy
from sanmai.search.answer_keys import answer_key
from sanmai.search.choose import best_of_k_curve, majority_curve, voted_gold
from sanmai.search.drive import Driver, Limits, Search
from sanmai.search.guides import Guide, LogProb
from sanmai.search.results import choose, leaves_of
from sanmai.search.rows import row_of, trees_of
from sanmai.search.strategies import Beam, BestOfN, Strategy
from sanmai.stats import paired_difference, pass_at_k, rate
from sanmai.types import Problem, StopReason

RULE, SHORT = StepRule.parse("sentence"), StepRule.parse("tokens:6")
"""Of what is chosen among; of what is compared node by node, so that trees are deep."""
_EQUATION = re.compile(r"(\d+(?:\s*[-+*/x×÷]\s*\d+)+)\s*=\s*\$?(\d+)")
_ANSWER = re.compile(r"answer is:?\s*\$?(-?\d+)", re.IGNORECASE)


def step_truth(problem: Problem, step: str) -> bool | None:
    """Whether a step is right: its equations hold and the answer that it states is right; None where it states neither."""
    found = [_holds(left, int(right)) for left, right in _EQUATION.findall(step)]
    found += [said == problem.answer for said in _ANSWER.findall(step)]
    return all(found) if found else None


def _holds(left: str, right: int) -> bool:
    """Products before sums, from the left; a division must come out even."""
    total = 0
    for sign, product in re.findall(r"([-+]?)([^-+]+)", left.replace(" ", "")):
        factors = re.findall(r"([*/x×÷]?)(\d+)", product)
        value = int(factors[0][1])
        for operator, number in factors[1:]:
            if operator in "/÷":
                if int(number) == 0 or value % int(number):
                    return False
                value //= int(number)
            else:
                value *= int(number)
        total += -value if sign == "-" else value
    return total == right


class Bench:
    def __init__(
        self, model: str, max_tokens: int, guide: str | None, temperature: float = 0.8, dtype: str = "float32",
        aggregation: str = "min",
    ) -> None:  # fmt: skip
        self.policy: TextPolicy = load_policy(ModelConfig(name=model, dtype=dtype), for_training=False)
        self.sampling = SamplingConfig(max_tokens=max_tokens, temperature=temperature)
        self.guide: Guide = LogProb()
        if guide is not None:
            settings = {"guide": guide, "aggregation": aggregation, "model": {"name": model}}
            self.guide = guide_of(SearchConfig.read(settings), self.policy)
        self.decode = decoder(self.policy.tokenizer)

    def driver(self, keeps: bool = True, rule: StepRule = RULE) -> Driver:
        limits = Limits(self.sampling.max_tokens, 24)
        prefixes = Prefixes(2**28) if keeps else None
        return Driver(self.policy, self.guide, rule, self.sampling, limits, seed=(0, "real"), prefixes=prefixes)

    def searched(self, problems: Sequence[Problem], strategy: Strategy, **how: Any) -> tuple[Driver, list[Search]]:
        driver = self.driver(**how)
        searches = [driver.begin(problem, strategy) for problem in problems]
        while not all(search.is_done for search in searches):
            driver.round(searches)
        return driver, searches

    def resumed(self, problem: Problem, strategy: Strategy, rounds: int) -> Search:
        """Searched some rounds, put into rows, rebuilt from them by another driver, and gone on with."""
        first = self.driver(rule=SHORT)
        search = first.begin(problem, strategy)
        for _ in range(rounds):
            first.round([search])
        rows = [row_of("beam", search.tree, path, gold=None, text="") for path in search.tree.nodes]
        second = self.driver(rule=SHORT)
        again = second.begin(problem, strategy)
        again.tree, _ = trees_of(rows, second.seed)["beam", problem.id]
        again.ledger = search.ledger
        while not again.is_done:
            second.round([again])
        return again


def exact(bench: Bench, problems: Sequence[Problem]) -> dict:
    """Print how many trees keep what is promised; counts by name."""
    strategy = Beam(branch=2, keep=1)
    driver, together = bench.searched(problems, strategy, rule=SHORT)
    paths = joined = 0
    for search in together:
        for path in search.tree.nodes:
            tokens = [t for depth in range(1, len(path) + 1) for t in search.tree.nodes[path[:depth]].tokens]
            paths += 1
            joined += tokens == search.tree.tokens(path) and driver.text(search.tree, path) == bench.policy.tokenizer.decode(
                tokens[:-1] if search.tree.nodes[path].ended is StopReason.STOP else tokens,
                skip_special_tokens=False, clean_up_tokenization_spaces=False,
            )  # fmt: skip
    _, read_again = bench.searched(problems, strategy, keeps=False, rule=SHORT)
    alone = [bench.searched([problem], strategy, rule=SHORT)[1][0] for problem in problems[:2]]
    resumed = [bench.resumed(problem, strategy, 3) for problem in problems[:2]]
    found = {
        "paths that are the concatenation of their nodes": (joined, paths),
        "trees alike with and without kept prefixes": (sum(map(same, together, read_again)), len(together)),
        "trees alike alone and among others": (sum(map(same, together, alone)), len(alone)),
        "trees alike after going on from rows in the middle": (sum(map(same, together, resumed)), len(resumed)),
    }
    for name, (right, n) in found.items():
        print(f"  {name:<54} {right} of {n}", flush=True)
    return found


def same(a: Search, b: Search) -> bool:
    """The same nodes with the same tokens, ends and scores (log-probs to rounding)."""
    nodes = [{p: (n.tokens, n.ended, n.ends) for p, n in search.tree.nodes.items()} for search in (a, b)]
    return nodes[0] == nodes[1]


def choosing(bench: Bench, problems: Sequence[Problem], samples: int, labels: Path | None) -> dict:
    """Best of k, majority and pass@k from one set of samples, and beam at its own tokens."""
    driver, searches = bench.searched(problems, BestOfN(samples=samples))
    beams = [None] * len(searches) if labels is not None else bench.searched(problems, Beam(branch=2, keep=1))[1]
    ks = [k for k in (1, 2, 4, 8, 16) if k <= samples]
    curves: dict[str, list[list[float]]] = {"guide": [], "majority": [], "exact verifier": [], "pass@k": []}
    at_beam, beam_gold, vote_at_beam, rows, counts = [], [], [], [], []
    for search, beam in zip(searches, beams, strict=True):
        golds, guides, answers, ats = [], [], [], []
        for path in search.tree.children(()):
            trace = driver.trace(search, path)
            golds.append(1.0 if accuracy(search.problem, trace).score == 1.0 else 0.0)
            score = search.tree.nodes[path].scores.get("guide")
            guides.append(-1.0 if score is None or not trace.is_complete else score)
            answers.append(answer_key(search.problem, trace))
            ats.append(search.tree.nodes[path].at)
            rows.append(_labelled(bench, search, path))
        n, right = len(golds), int(sum(golds))
        curves["guide"].append(best_of_k_curve(guides, golds, ks))
        curves["exact verifier"].append(best_of_k_curve(golds, golds, ks))
        voted = majority_curve(answers, golds)
        curves["majority"].append([voted[k - 1] for k in ks])
        curves["pass@k"].append([pass_at_k(n, right, k) for k in ks])
        if beam is None:
            continue
        within = [k for k, at in enumerate(ats) if at <= beam.ledger.paid]
        sampled = list(accumulate(len(search.tree.nodes[path].tokens) for path in search.tree.children(())))
        cheap = sum(search.ledger.prompt + tokens <= beam.ledger.paid for tokens in sampled)
        vote_at_beam.append(voted_gold(answers[:cheap], golds[:cheap]))
        counts.append((len(within), cheap))
        best = max(within, key=lambda k: (guides[k], -k), default=None)
        at_beam.append(golds[best] if best is not None and guides[best] >= 0 else 0.0)
        leaves = leaves_of(beam.tree, {}, {}, beam.strategy.finals(beam.tree))
        chosen = choose(leaves, "best")
        right_beam = chosen and accuracy(beam.problem, driver.trace(beam, chosen.leaf.path)).score == 1.0
        beam_gold.append(float(bool(right_beam)))
    for name, values in curves.items():
        told = "  ".join(f"k={k} {rate([v[i] for v in values])}" for i, k in enumerate(ks))
        print(f"  {name:<16} {told}", flush=True)
    both = zip(curves["exact verifier"], curves["pass@k"], strict=True)
    gap = max(abs(a - b) for x, y in both for a, b in zip(x, y, strict=True))
    print(f"  best of k with the exact verifier less pass@k, largest: {gap:.1e}")
    one, (best_of, majority) = [v[0] for v in curves["guide"]], ([v[-1] for v in curves[c]] for c in ("guide", "majority"))
    told = {f"the guide's of {ks[-1]} less the majority": (majority, best_of), "less one sample": (one, best_of)}
    if beam_gold:
        paid = sum(b.ledger.paid for b in beams if b is not None) / len(beams)
        num = [sum(column) / len(counts) for column in zip(*counts, strict=True)]
        print(f"  beam {rate(beam_gold)} at {paid:.0f} tokens a problem; at as many best of n {rate(at_beam)} (n {num[0]:.1f} "
              f"in the mean), majority {rate(vote_at_beam)} (n {num[1]:.1f})")  # fmt: skip
        told |= {"beam less best of n at equal tokens": (at_beam, beam_gold), "beam less majority": (vote_at_beam, beam_gold),
                 "best of n less majority": (vote_at_beam, at_beam)}  # fmt: skip
    for name, (before, after) in told.items():
        d = paired_difference(before, after)
        print(f"  {name}: {d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}], n = {d.n}", flush=True)
    if labels is not None:
        rows = [row for row in rows if any(label is not None for label in row["labels"])]
        labels.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        known = [label for row in rows for label in row["labels"] if label is not None]
        print(f"  {labels}: {len(known)} labelled steps of {len(rows)} solutions, right {rate([float(x) for x in known])}")
    return {"gap": gap, "beam": beam_gold, "best_of_n": at_beam, "majority": vote_at_beam, "curves": curves}


def _labelled(bench: Bench, search: Search, path: tuple[int, ...]) -> dict:
    """A sample in steps with their truth, as step-labelled files have it."""
    node = search.tree.nodes[path]
    is_finished = node.ended is StopReason.STOP
    tokens = list(node.tokens[:-1] if is_finished else node.tokens)
    ends = boundaries(tokens, bench.decode, RULE, is_finished=is_finished)
    steps = [bench.decode(tokens[a:b]) for a, b in zip([0, *ends][: len(ends)], ends, strict=True)]
    labels = [step_truth(search.problem, step) for step in steps]
    name = f"{search.problem.id}#{path[0]}"
    return {"id": name, "prompt": search.problem.prompt, "completions": steps, "labels": labels, "separator": ""}


def throughput(bench: Bench, problems: Sequence[Problem], trees: int) -> dict:
    """Sampled tokens a second while `trees` trees are searched, and of as many plain requests."""
    short = SamplingConfig(max_tokens=24, temperature=bench.sampling.temperature)
    chosen = [problems[k % len(problems)] for k in range(trees)]
    prompts = [render_prompt(bench.policy.tokenizer, problem.messages) for problem in chosen]
    requests = [Request(prompt, [("plain", k, j) for j in range(2)]) for k, prompt in enumerate(prompts)]
    began = time.monotonic()
    plain = sum(len(done.tokens) for done in sample(bench.policy, requests, short)) / (time.monotonic() - began)
    own, bench.sampling = bench.sampling, short
    began = time.monotonic()
    driver = bench.driver()
    driver.limits = Limits(24, 8)
    searches = [driver.begin(problem, Beam(branch=2, keep=1)) for problem in chosen]
    for number, search in enumerate(searches):
        search.tree.seed = (*search.tree.seed, number)  # the same problem twice is another tree
    while not all(search.is_done for search in searches):
        driver.round(searches)
    found = sum(search.ledger.sampled for search in searches) / (time.monotonic() - began)
    bench.sampling = own
    print(f"  plain {plain:.1f} tokens/s, searching {trees} trees {found:.1f} tokens/s: {100 * found / plain:.0f} %", flush=True)
    return {"plain": plain, "searching": found, "trees": trees}


def problems_of(count: int, split: Literal["train", "heldout"] = "heldout") -> list[Problem]:
    """Sums that a small chat model can begin to solve."""
    return make_stories(count, seed=0, split=split, kinds=("add", "subtract", "multiply", "gaining"), levels=(1,))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model folder or a name that sanmai get fetched")
    parser.add_argument("--problems", type=int, default=12)
    parser.add_argument("--exact", type=int, default=4, help="problems whose trees are compared node by node")
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=48)
    parser.add_argument("--trees", type=int, default=32)
    parser.add_argument("--guide", help="a process model's folder; without it the policy's own log-prob")
    parser.add_argument("--aggregation", default="min", help="of a process model's steps")
    parser.add_argument("--parts", nargs="+", default=["exact", "choosing", "throughput"])
    parser.add_argument("--split", choices=("train", "heldout"), default="heldout")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    began = time.monotonic()
    bench = Bench(args.model, args.max_tokens, args.guide, dtype=args.dtype, aggregation=args.aggregation)
    problems = problems_of(args.problems, args.split)
    print(f"{args.model}: {bench.policy.num_parameters:,} parameters, {args.dtype}, guide {bench.guide.name}", flush=True)
    parts = {
        "exact": lambda: exact(bench, problems[: args.exact]),
        "choosing": lambda: choosing(bench, problems, args.samples, args.labels),
        "throughput": lambda: throughput(bench, problems, args.trees),
    }
    found = {}
    for name in args.parts:
        found[name] = parts[name]()
        print(f"  {time.monotonic() - began:.0f} s", flush=True)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

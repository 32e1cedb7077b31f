"""For every generator of reasoning-gym: do its own answers earn full marks here, and wrong ones none?

    python benchmarks/gym_graders.py [--items N] [NAME ...]

Of N items each: the generator's own answer must be right; nothing, junk, the item's question, and another item's answer (where
it differs) must be wrong, and so must the own answer with a word left out, with two words exchanged or with a digit changed where
one answer alone is right. `raw` is what the generator's own scorer would have given junk and nothing (never another's text: some
scorers run it). Prints a table, and then each generator whose table entry (data/gym_table.py) does not hold.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from dataclasses import replace

from sanmai.answers.exact import is_same
from sanmai.data.gym import gym_version, library, make_gym_problems
from sanmai.data.gym_table import grading_of
from sanmai.data.trace import parse_trace
from sanmai.rewards.verifiers import accuracy
from sanmai.types import InputError, Problem

JUNK = ("zzz", "0", "()", "I do not know", "[]", "{}")
UNIQUE = ("exact", "math")
EXECUTING = (
    "binary_matrix", "countdown", "intermediate_integration", "n_queens", "polynomial_multiplication", "puzzle24",
    "simple_integration", "spiral_matrix", "string_insertion",
)  # fmt: skip
"""Those whose scorers run the answer as Python. Each is graded by ours, or shown nothing that is not of its form."""


def graded(problem: Problem, text: str) -> float | None:
    """The score of a final answer that is this text."""
    return accuracy(problem, parse_trace(f"<answer>{text}</answer>")).score


def spoiled(answer: str, rng: random.Random) -> list[str]:
    """The answer with a word left out, with two unequal neighbours exchanged, with a digit changed; what can be made."""
    words, found = answer.split(), []
    if len(words) > 1:
        k = rng.randrange(len(words))
        found.append(" ".join(words[:k] + words[k + 1 :]))
        pairs = [k for k in range(len(words) - 1) if words[k].strip(",") != words[k + 1].strip(",")]
        if pairs:
            k = rng.choice(pairs)
            found.append(" ".join([*words[:k], words[k + 1], words[k], *words[k + 2 :]]))
    if places := [k for k, c in enumerate(answer) if c.isdigit()]:
        k = rng.choice(places)
        found.append(answer[:k] + str((int(answer[k]) + rng.randrange(1, 10)) % 10) + answer[k + 1 :])
    return found


def unseen_own(problem: Problem) -> Problem:
    """The same without the own answer at hand, so that a scorer is asked even about that."""
    if problem.verifier != "gym":
        return problem
    return replace(problem, answer=json.dumps({**json.loads(problem.answer or ""), "answer": "\0"}))


def measure(name: str, items: int, seed: int = 0) -> Counter[str]:
    """How often each kind of answer was graded wrongly, and how often it was tried (`n_KIND`)."""
    settings = {name: {}}
    problems, _ = make_gym_problems([name], items, seed=seed, split="train", settings=settings, ending="")
    answers = [str(p.demonstration).removeprefix("<answer>").removesuffix("</answer>") for p in problems]
    rng, found, by = random.Random(0), Counter[str](), grading_of(name).by
    for k, (problem, own) in enumerate(zip(problems, answers, strict=True)):
        asked = unseen_own(problem)
        tries = {"own": [own], "empty": [""], "question": [problem.prompt[-2000:]]}
        tries["junk"] = [text for text in JUNK if not is_same(own, text)]
        tries["other"] = [answers[k - 1]] if answers[k - 1].casefold() != own.casefold() else []
        tries["spoiled"] = spoiled(own, rng) if by in UNIQUE else []
        for kind, texts in tries.items():
            for text in texts:
                found[f"n_{kind}"] += 1
                score = graded(asked, text)
                found[kind] += (score != 1.0) if kind == "own" else (score != 0.0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=8)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    kinds = ("own", "empty", "junk", "question", "other", "spoiled")
    print(f"reasoning-gym {gym_version()}, {options.items} items; per kind of answer: graded wrongly / tried")
    print(f"{'generator':26} {'graded by':10} {'runs answers':12} " + " ".join(f"{kind:>9}" for kind in kinds) + "  seconds")
    failed, counts = [], Counter[str]()
    for name in options.names or sorted(library()):
        by = grading_of(name).by
        counts[by] += 1
        runs = "yes" if name in EXECUTING else ""
        if by == "refused":
            print(f"{name:26} {by:10} {runs:12} {grading_of(name).reason}", flush=True)
            continue
        begin = time.monotonic()
        try:
            found = measure(name, options.items)
        except InputError as error:
            failed.append(f"{name}: {error}")
            continue
        cells = " ".join(f"{str(found[kind]) + '/' + str(found['n_' + kind]):>9}" for kind in kinds)
        print(f"{name:26} {by:10} {runs:12} {cells}  {time.monotonic() - begin:.1f}", flush=True)
        if any(found[kind] for kind in kinds):
            failed.append(f"{name}: {', '.join(f'{kind} {found[kind]}' for kind in kinds if found[kind])}")
    print(", ".join(f"{by}: {count}" for by, count in counts.most_common()))
    print("\n".join(["does not hold:", *failed]) if failed else "every entry holds")


if __name__ == "__main__":
    main()

"""Long thoughts of the embedded world, to make a model long: sums with words that are not needed before or after the columns.

    what is 37 plus 45 ?   <think> ones 7 plus 5 is 2 ... so the answer is 82 so the answer is 82 </think> 82
    what is 37 plus 45 ?   <think> is it so ? yes . is it so ? yes . ones 7 plus 5 is 2 ... </think> 82

Kimi k1.5 warms up with a small set of verified long solutions that evaluate and reflect (arXiv:2501.12599, section 2.2). The
world knows no reflection: this adds tokens and no knowledge, so that there is something to take away. What stands between the
columns and the answer makes the answer wrong more often, so that RL alone takes it away at once; what stands before them stays
longer (docs/LOG.md).

    demonstrations.jsonl   problems with demonstrations, as any SFT reads them; the tag `said` counts what was added
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from sanmai import world
from sanmai.config import Config
from sanmai.data.chat import CLOSE_TAG, OPEN_TAG
from sanmai.learn.progress import Progress
from sanmai.recipes.gather import write_problems
from sanmai.train.runs import Run
from sanmai.types import Problem
from sanmai.world.chance import generator

_SAID = {"en": "so the answer is", "zh": "所以 回答 是"}
"""Before the answer in a thought; words that the tiny model's tokenizer has."""
_ASKED = {"en": "is it so ? yes .", "zh": "是 否 ？ 是 。"}
"""Before the columns; likewise."""


class LongChainsConfig(Config):
    seed: int = Field(0, ge=0)
    """Names the sums, and how often each answer is said."""
    count: int = Field(5000, ge=1, le=100_000)
    """Demonstrations."""
    padding: Literal["answer", "question"] = "answer"
    """What is added: the answer, after the columns, or an empty question to oneself, before them."""
    most: int = Field(3, ge=0, le=10)
    """So many times at most; every number from 0 on is as likely."""


def run_long_chains(config: LongChainsConfig, out: Path, *, progress: Progress | None = None) -> Path:
    """Write the demonstrations; the folder. The same configuration writes the same bytes."""
    with Run(out, "long_chains", config) as run:
        write_problems(run.folder / "demonstrations.jsonl", long_chains(config))
        run.event("finish")
    return run.folder


def describe_long_chains(config: LongChainsConfig, out: Path, *, measure: bool) -> Iterator[str]:
    yield "It writes demonstrations of the embedded world and samples nothing: seconds."


def long_chains(config: LongChainsConfig) -> list[Problem]:
    """Training sums, none of a held-out pair, each with its long or short thought and the right answer."""
    found = world.make_problems(config.count, seed=config.seed, split="train")
    rng = generator("long chains", config.seed)
    return [_demonstrated(problem, config.padding, rng.randint(0, config.most)) for problem in found]


def _demonstrated(problem: Problem, padding: Literal["answer", "question"], said: int) -> Problem:
    assert problem.solution is not None and problem.language is not None
    if padding == "question":
        parts = [*[_ASKED[problem.language]] * said, problem.solution]
    else:
        parts = [problem.solution, *[f"{_SAID[problem.language]} {problem.answer}"] * said]
    thought = " ".join(parts)
    text = f"{OPEN_TAG} {thought} {CLOSE_TAG} {problem.answer}"
    return replace(problem, solution=None, demonstration=text, tags={**problem.tags, "said": said})

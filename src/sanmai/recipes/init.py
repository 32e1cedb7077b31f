"""Policy initialisation: demonstrations of the behaviours of reasoning, for SFT before RL and search.

The first of the four parts of the roadmap to o1 (arXiv:2412.14135, section 3.3): problem analysis, decomposition, completion,
alternative proposals, self-evaluation, self-correction. A policy that never looks again at what it wrote gains nothing by
revision, and RL finds hardly what is never sampled.

Sums of the embedded world are demonstrated by its solver, which knows the truth of every sentence: what is corrected was wrong.
For other problems a model is asked to show some of the behaviours (recipes/init_prompts.py), and what it writes is kept if the
verifier says that the answer is right and the rules of instruments/behaviours.py find what was asked for.

    demonstrations.jsonl   problems with demonstrations, as sft reads them; the tag `behaviours` says which were found
    asked/                 of a prompted model: every reply, and what became of it
    card.json, card.md     how often each behaviour was wanted, and is found by rules; what the policy does before, with intervals
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.data.chat import CLOSE_TAG, OPEN_TAG
from sanmai.data.testbeds import Testbed, find_testbed
from sanmai.instruments.behaviours import BEHAVIOURS
from sanmai.learn.progress import Progress
from sanmai.learn.sources import ProblemsConfig, load_splits
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.recipes.gather import write_problems
from sanmai.recipes.init_card import Made, policy_before, tagged, write_init_card
from sanmai.recipes.init_prompts import Asked, InstructionsConfig, prompted
from sanmai.rewards.judging.judge import JudgeConfig
from sanmai.train.runs import Run
from sanmai.types import Behaviour, InputError, Problem
from sanmai.world.chance import generator


class SharesConfig(Config):
    """Of the demonstrations, how many are to show each; drawn apart from one another."""

    analysis: float = Field(0.5, ge=0, le=1)
    """Say what is given and what is asked."""
    decomposition: float = Field(0.5, ge=0, le=1)
    """Break the problem into parts."""
    completion: float = Field(0.5, ge=0, le=1)
    """Say what the answer is, at the end of the thought."""
    alternative: float = Field(0.25, ge=0, le=1)
    """Another way to the answer."""
    self_evaluation: float = Field(0.5, ge=0, le=1)
    """Look at what was written and say whether it is right."""
    self_correction: float = Field(0.25, ge=0, le=1)
    """Say that something was wrong and put it right; in the world the mistake is made for it."""

    def drawn(self, *seed: object) -> frozenset[Behaviour]:
        """Behaviours of one demonstration."""
        rng = generator("shares", *seed)
        return frozenset(name for name in BEHAVIOURS if rng.random() < getattr(self, name))


class InitConfig(Config):
    seed: int = Field(0, ge=0)
    """Names the problems, which behaviours each is to show, and a local writer's sampling."""
    count: int = Field(2000, ge=1, le=1_000_000)
    """Demonstrations at most; a prompted writer makes as many as come out right."""
    shares: SharesConfig = SharesConfig()
    revisions: float = Field(0.25, ge=0, le=1)
    """Of the world's demonstrations, the share that are conversations: a completion, right or wrong, the question whether it is
    so, and a reply that goes through it. Search asks for the same with strategy = "revise"."""
    attempts: int = Field(2, ge=1, le=64)
    """Times that a prompted writer is asked for a problem, each with other behaviours drawn, until one is kept."""
    revise_wrong: bool = True
    """Show a prompted writer its wrong answers and ask it to find the mistake; what is then right is kept as a conversation."""
    problems_per_step: int = Field(32, ge=1)
    """Problems that a writer is asked about and that are committed together."""
    thought_tags: tuple[str, str] = (OPEN_TAG, CLOSE_TAG)
    """What opens and closes the thought in a prompted writer's completion."""
    timeout_seconds: float = Field(5.0, gt=0)
    """For the verifier of one completion."""
    before: int = Field(0, ge=0)
    """Problems that `model` answers by itself, to be told which behaviours it shows already; 0: none, and no model is loaded."""
    model: ModelConfig = ModelConfig()
    """The policy that is to be initialised; asked with `before` alone."""
    sampling: SamplingConfig = SamplingConfig()
    """Of `before`."""
    problems: ProblemsConfig = ProblemsConfig()
    """What is demonstrated: training problems; none that is held out."""
    writer: JudgeConfig = JudgeConfig(temperature=0.8)
    """The model that is prompted: behind a server (base_url), or a local folder: a teacher, or the policy itself."""
    instructions: InstructionsConfig = InstructionsConfig()

    only_with = (
        OnlyWith("problems.source of a testbed", lambda c: find_testbed(c.problems.source) is not None, "revisions"),
        OnlyWith(
            "problems.source of no testbed", lambda c: find_testbed(c.problems.source) is None,
            "attempts", "revise_wrong", "problems_per_step", "thought_tags", "timeout_seconds", "writer", "instructions",
        ),
        OnlyWith("before above 0", lambda c: c.before > 0, "sampling"),
    )  # fmt: skip

    @model_validator(mode="after")
    def _check(self) -> Self:
        is_written = find_testbed(self.problems.source) is None
        if is_written and not self.writer.model:
            raise ValueError(
                f"problems.source = {self.problems.source!r} without writer.model: only a testbed's problems are demonstrated by "
                "a solver; name a model at writer.base_url, or a local folder"
            )
        if is_written and not any(getattr(self.shares, name) for name in BEHAVIOURS):
            raise ValueError("shares: all are 0, so there is nothing to ask for")
        return self

    def asked(self) -> Asked:
        """What a prompted writer is asked by."""
        return Asked(
            self.writer, self.instructions, self.shares.drawn, self.seed, self.attempts, self.revise_wrong,
            self.problems_per_step, self.thought_tags, self.timeout_seconds,
        )  # fmt: skip


def run_init(
    config: InitConfig, out: Path, *, problems: Sequence[Problem] | None = None, progress: Progress | None = None
) -> Path:
    """Run the recipe, or go on with it, in a run folder; the folder. The same configuration and replies give the same files.

    Args:
        problems: instead of config.problems.source; where that is a testbed they must be of it.
    """
    progress = progress or Progress.silent()
    with Run(out, "init", config) as run:
        chosen = _chosen(config, problems, run.warn)
        if (testbed := find_testbed(config.problems.source)) is not None:
            progress.begin(run, 0)
            made: Made | None = demonstrated(config, testbed, chosen)
        else:
            made = prompted(config.asked(), run, chosen, progress)
        if made is not None and not run.is_finished:  # None: interrupted
            write_problems(run.folder / "demonstrations.jsonl", made.problems)
            asked = chosen[: config.before]
            before = policy_before(config.model, config.sampling, asked, config.seed) if asked else None
            for line in write_init_card(run.folder, made, before, config.model.name):
                progress.say(line)
            if not made.problems:
                run.warn("no demonstration was kept; card.md says why")
        progress.end(run)
    return run.folder


def describe_init(config: InitConfig, out: Path, *, measure: bool) -> Iterator[str]:
    chosen = _chosen(config, None, lambda sentence: None)
    if (testbed := find_testbed(config.problems.source)) is not None:
        yield f"It writes {len(chosen):,} demonstrations of {testbed.about}; no model writes any of them: seconds."
    else:
        most = len(chosen) * (config.attempts + config.revise_wrong)
        yield (
            f"{config.writer.where} is asked about {len(chosen):,} problems, {config.attempts} times each at most: up to "
            f"{most:,} replies of at most {config.writer.max_tokens:,} tokens. How many are kept hangs on the writer."
        )
    if config.before:
        yield f"{config.model.name} answers {min(config.before, len(chosen)):,} of them by itself, to be compared with."


def demonstrated(config: InitConfig, testbed: Testbed, problems: Sequence[Problem]) -> Made:
    """Demonstrations by the testbed's solver.

    Raises:
        InputError: a problem is none that it solves.
    """
    made = Made([], Counter(), Counter(), Counter(), {})
    for problem in problems:
        try:
            if generator("init", config.seed, problem.id).random() < config.revisions:
                wanted: frozenset[Behaviour] = frozenset()
                found, shown = testbed.revision(problem, config.seed)
                made.outcomes["conversation"] += 1
            else:
                wanted = config.shares.drawn(config.seed, problem.id)
                found, shown = testbed.demonstrate(problem, wanted, config.seed)
                made.outcomes["demonstration"] += 1
        except ValueError as error:
            raise InputError(f"problems.source = {config.problems.source!r}: {error}") from None
        made.wanted.update(wanted | shown)
        made.shown.update(shown)
        made.problems.append(tagged(found, shown))
    return made


def _chosen(
    config: InitConfig, given: Sequence[Problem] | None, on_warning: Callable[[str], None]
) -> list[Problem]:
    train, _ = load_splits(config.problems, config.seed, given, on_warning=on_warning)
    usable = [p for p in train if p.kind == "reasoning" and p.answer is not None and not p.images]
    if len(usable) < len(train):
        on_warning(f"{len(train) - len(usable)} of {len(train)} problems are left out: no reasoning, no answer, or with images")
    if not usable:
        raise InputError("problems: none has a reference answer that a demonstration could be checked by")
    return usable[: config.count]

"""Where a recipe's problems come from: files, the hub, the caller, or the embedded world."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith, key_text
from sanmai.data.chat import render_prompt
from sanmai.data.environments import (
    OWN_PREFIX,
    PREFIX,
    Limits,
    dialogue_of,
    environment_names,
    environment_problems,
    is_environment,
)
from sanmai.data.problems import ProblemsConfig as FileProblemsConfig
from sanmai.data.problems import load_problems, overlap, split
from sanmai.data.stories import make_stories
from sanmai.data.testbeds import TESTBEDS, Testbed, find_testbed
from sanmai.learn.gym_source import GymConfig, check_source, gym_problems, is_gym
from sanmai.policies.text.policy import TextPolicy
from sanmai.rewards.verifiers import VERIFIERS
from sanmai.types import InputError, Problem
from sanmai.world.settings import WorldConfig

GENERATED = (*TESTBEDS, "stories")
"""Sources that are made, not read; so are those that begin with gym: (learn/gym_source.py)."""


def is_generated(source: Any) -> bool:
    """Whether a source is made, not read."""
    return source in GENERATED or is_gym(source)


class StoriesConfig(Config):
    kinds: tuple[str, ...] = ("add", "subtract", "multiply", "largest", "gaining", "giving", "groups", "price")
    """Kinds of small sums that are trained on, of those in data/stories.py."""
    unseen: tuple[str, ...] = ("sharing", "two_steps", "older", "missing")
    """Kinds that are evaluated on alone: what is learnt of the others, does it hold there?"""
    levels: tuple[int, ...] = (1, 2)
    """Sizes of the numbers, of 1, 2 and 3."""
    languages: tuple[str, ...] = ("en",)
    """Languages of the questions, of en, fr, es and de; as many of each."""
    train: int = Field(2000, ge=1)
    """Training problems."""
    heldout: int = Field(120, ge=1)
    """Held-out problems of the kinds that are trained on; half as many of each other kind."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if both := sorted({*self.kinds} & {*self.unseen}):
            raise ValueError(f"{both[0]!r} is among the kinds and the unseen ones")
        return self


class EnvironmentsConfig(Config):
    settings: dict[str, dict[str, Any]] = Field({})
    """By environment, its own settings: problems.verifiers.settings.NAME.n=3; what is not stated is its default."""
    python: str | None = None
    """The Python that has what it needs, such as /path/to/venv/bin/python; None: the one that runs Sanmai."""
    low: float = 0.0
    """The reward that counts as 0."""
    high: float = 1.0
    """The reward that counts as 1. One outside of the two cannot be graded: nothing is cut."""
    seconds: float = Field(30.0, gt=0, le=3600)
    """Time limit of one reward, and of one reply, from when a process takes it up; a dialogue for which either takes longer
    cannot be graded. grading.timeout_seconds stands still meanwhile; sampling.timeout_seconds bounds all replies of a step."""
    turns: int = Field(8, ge=1, le=1000)
    """Turns of the policy in a dialogue at most, of one that has several; its last one is not replied to."""
    told_tokens: int = Field(1024, ge=1)
    """Tokens that the environment says in a dialogue at most, beside sampling.max_tokens, which are the policy's; a dialogue that
    needs more is incomplete."""
    workers: int = Field(1, ge=1, le=64)
    """Processes that reply and score side by side; each imports what the environment does (verifiers: some 10 s and 200 MB)."""

    without_effect = frozenset({"workers"})

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low = {self.low:g}, high = {self.high:g}: expected low below high")
        return self

    def limits(self) -> Limits:
        return Limits(self.turns, self.told_tokens, self.seconds)


class ProblemsConfig(FileProblemsConfig):
    evaluation_limit: int = Field(600, ge=1)
    """Held-out problems to evaluate on at most; a larger set is thinned out at random, once and for all."""
    world: WorldConfig = WorldConfig()
    """Of the embedded world, when source or evaluation is "world"."""
    stories: StoriesConfig = StoriesConfig()
    """Of the small sums in words, when source or evaluation is "stories"."""
    gym: GymConfig = GymConfig()
    """Of the generators of reasoning-gym, when source or evaluation is "gym:NAME" or "gym:NAME,NAME"."""
    verifiers: EnvironmentsConfig = EnvironmentsConfig()
    """Of tasksets of verifiers, when source or evaluation is "verifiers:NAME"; see docs/data.md."""
    environment: EnvironmentsConfig = EnvironmentsConfig()
    """Of environments of your own, when source or evaluation is "environment:FILE.py:CLASS"; see docs/data.md."""

    only_with = (
        OnlyWith(
            "source or evaluation from files (world, stories and gym have held-out problems of their own: world.heldout)",
            lambda c: not is_generated(c.source) or c.evaluation is not None,
            "evaluation_limit",
        ),
        OnlyWith(
            "source from files and no evaluation source",
            lambda c: not is_generated(c.source) and c.evaluation is None,
            "holdout",
        ),
        OnlyWith('source or evaluation = "stories"', lambda c: "stories" in (c.source, c.evaluation), "stories"),
        OnlyWith('source or evaluation = "gym:NAME"', lambda c: is_gym(c.source) or is_gym(c.evaluation), "gym"),
        *(
            OnlyWith(
                f'source or evaluation = "{prefix}{name}"',
                lambda c, prefix=prefix: any(is_environment(s, prefixes=(prefix,)) for s in (c.source, c.evaluation)),
                prefix.rstrip(":"),
            )
            for prefix, name in ((PREFIX, "NAME"), (OWN_PREFIX, "FILE.py:CLASS"))
        ),
        *(OnlyWith(f'source or evaluation = "{name}"', lambda c, name=name: name in (c.source, c.evaluation), name)
          for name in TESTBEDS),
    )

    def without_use(self) -> Iterator[str]:
        """Settings of an environment that no source names."""
        for prefix, section in ((PREFIX, self.verifiers), (OWN_PREFIX, self.environment)):
            names = [name for source in (self.source, self.evaluation) for name in environment_names(source, prefix)]
            known = ", ".join(dict.fromkeys(map(repr, names)))
            there = f"expected one of {known}" if names else f"no source begins with {prefix}"
            for key in section.settings:
                if key not in names:
                    setting = f"{prefix.rstrip(':')}.settings.{key_text(key)}"
                    yield f"{setting}: neither source nor evaluation names the environment {key!r}; {there}"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if isinstance(self.source, tuple) and (not self.source or {*GENERATED} & {*self.source}):
            raise ValueError("source: a list names files, at least one; world and stories are sources of their own")
        check_source(self.source, self.evaluation, self.gym)
        return self


def _check_names(config: ProblemsConfig) -> None:
    """Once more where a pipeline has put sources of its own in the place of those that were read.

    Raises:
        InputError: settings of an environment that no source names.
    """
    if unnamed := list(config.without_use()):
        raise InputError(f"problems.{'; problems.'.join(unnamed)}")


def load_splits(
    config: ProblemsConfig,
    seed: int,
    given: Sequence[Problem] | None,
    *,
    on_warning: Callable[[str], None],
    needs_answer: bool = True,
    several_turns: bool = False,
) -> tuple[list[Problem], list[Problem]]:
    """Training and held-out problems.

    Args:
        seed: decides which problems are held out and which of them are evaluated.
        given: the caller's training problems, instead of config.source.
        on_warning: told of skipped lines, duplicates, and evaluation prompts that overlap with training prompts.
        needs_answer: refuse problems without a reference answer; off where the caller brings a reward, or for demonstrations.
        several_turns: the caller carries dialogues with an environment.

    Raises:
        InputError: a file that cannot be used, or nothing left to train on.
    """
    _check_names(config)
    if given is None and is_generated(config.source) and config.evaluation is None:
        train, held_out = generated(config.source, config, seed, on_warning)
        return train[: config.limit], held_out
    if given is None and is_generated(config.source):
        train = generated(config.source, config, seed, on_warning)[0][: config.limit]
    elif given is None:
        train = _load(config.source, config, on_warning, needs_answer, config.limit)
    else:
        train = list(given)
        if twice := [name for name, count in Counter(p.id for p in train).items() if count > 1]:
            raise InputError(f"problems: the id {twice[0]!r} is not unique; ids key the random streams")
    if config.evaluation is None:
        train, held_out = split(train, config.holdout, seed)
    elif is_generated(config.evaluation):
        held_out = generated(config.evaluation, config, seed, on_warning)[1]
    else:
        held_out = _load(config.evaluation, config, on_warning, needs_answer)
        warn_of_overlap(train, held_out, on_warning)
    if not train:
        where = "problems" if given is not None else f"problems.source = {config.source!r}"
        raise InputError(f"{where}: no problem is left to train on")
    if not held_out:
        on_warning("no problem is held out, so nothing will be evaluated; see problems.evaluation and problems.holdout")
    for problem in [*train, *held_out]:
        if problem.verifier not in VERIFIERS:
            known = ", ".join(sorted(VERIFIERS))
            raise InputError(
                f"problem {problem.id}: verifier {problem.verifier!r} is not known; expected one of {known}"
            )
    if not several_turns:
        refuse_turns([*train, *held_out], "this recipe")
    return train, _thinned(held_out, config.evaluation_limit, seed)


def warn_of_overlap(
    train: Sequence[Problem], held_out: Sequence[Problem], on_warning: Callable[[str], None], trained: str = "a training prompt"
) -> None:
    """Say how many evaluation prompts share words with what is trained on, by ids: the words may be a harmful request.

    Args:
        trained: what the problems of `train` are.
    """
    found = overlap(train, held_out)
    if found.num_overlapping:
        examples = ", ".join(f"{evaluation} with {training}" for evaluation, training, _ in found.examples)
        on_warning(
            f"{found.num_overlapping} of {found.num_evaluation} evaluation prompts share 8 words in a row with {trained}, "
            f"for example {examples}"
        )


def load_source(
    config: ProblemsConfig, seed: int, on_warning: Callable[[str], None], *, several_turns: bool = False
) -> list[Problem]:
    """All problems of config.source, of what is generated the held-out ones; thinned to config.limit.

    Args:
        several_turns: as of `load_splits`.

    Raises:
        InputError: a file that cannot be used, or a reasoning problem without an answer.
    """
    _check_names(config)
    if is_generated(config.source):
        return generated(config.source, config, seed, on_warning)[1][: config.limit]
    found = _load(config.source, config, on_warning, True, config.limit)
    if not several_turns:
        refuse_turns(found, "this recipe")
    return found


def refuse_turns(problems: Sequence[Problem], who: str) -> None:
    """Refuse dialogues with an environment where only completions of one turn are known.

    Raises:
        InputError: one is among the problems.
    """
    if several := next((p for p in problems if dialogue_of(p) is not None), None):
        raise InputError(
            f"problem {several.id}: a dialogue of several turns, which {who} does not carry (zero and evaluate do); "
            f"problems.{several.verifier}.turns=1 asks for its first turn alone"
        )


def check_positions(policy: TextPolicy, problems: Sequence[Problem], max_tokens: int) -> None:
    """Refuse a budget that runs past what the model was made for.

    Raises:
        InputError: the longest prompt and max_tokens are together more than the model's positions.
    """
    if policy.max_positions is None or not problems:
        return
    by_text = max(problems, key=lambda p: sum(len(m["content"]) for m in p.messages))
    by_images = max(problems, key=lambda p: sum(image["width"] * image["height"] for image in p.images))
    looked_at = [by_text, by_images] if by_images.images else [by_text]
    lengths = [len(render_prompt(policy.tokenizer, p.messages, carries_images=True)) for p in looked_at]
    length, longest = max(lengths), looked_at[lengths.index(max(lengths))]
    if length + max_tokens > policy.max_positions:
        raise InputError(
            f"sampling.max_tokens = {max_tokens}: with the longest prompt ({longest.id}, {length} tokens) that is more than "
            f"the {policy.max_positions} positions of the model"
        )


def generated(
    source: Any, config: ProblemsConfig, seed: int, on_warning: Callable[[str], None]
) -> tuple[list[Problem], list[Problem]]:
    """Training and held-out problems of a source that `is_generated`."""
    if is_gym(source):
        return gym_problems(source, config.gym, seed, on_warning)
    bed = find_testbed(source)
    return problems_of_testbed(bed, config, seed) if bed is not None else story_problems(config.stories, seed)


def story_problems(config: StoriesConfig, seed: int) -> tuple[list[Problem], list[Problem]]:
    """Training and held-out sums in words. The held-out ones are the same for every seed; tag `trained`: of a kind that is."""
    make = partial(make_stories, levels=config.levels, languages=config.languages)
    try:
        train = make(config.train, seed=seed, kinds=config.kinds)
        seen = make(config.heldout, seed=0, split="heldout", kinds=config.kinds)
        num_unseen = math.ceil(config.heldout / 2 / len(config.kinds)) * len(config.unseen) if config.unseen else 0
        unseen = make(num_unseen, seed=0, split="heldout", kinds=config.unseen or config.kinds)
    except ValueError as error:
        raise InputError(f"problems.stories: {error}") from None
    marked = ((seen, "yes"), (unseen, "no"))
    return train, [replace(p, tags={**p.tags, "trained": word}) for found, word in marked for p in found]


def problems_of_testbed(bed: Testbed, config: Config, seed: int) -> tuple[list[Problem], list[Problem]]:
    """Training and held-out problems of a testbed, by the section of its name. The held-out ones are the same for every seed."""
    try:
        return bed.problems(getattr(config, bed.name), seed)
    except ValueError as error:
        raise InputError(f"problems.{bed.name}: {error}") from None


def _load(
    source: str | tuple[str, ...],
    config: ProblemsConfig,
    on_warning: Callable[[str], None],
    needs_answer: bool,
    limit: int | None = None,
) -> list[Problem]:
    if isinstance(source, tuple):
        full = [name for name in source if not (Path(name).is_file() and not Path(name).stat().st_size)] or source
        if len(full) < len(source):
            on_warning(f"problems.source: {len(source) - len(full)} of {len(source)} files are empty and passed over")
        found = [replace(p, source=name) for name in full for p in _load(name, config, on_warning, needs_answer)]
        if twice := [name for name, count in Counter(p.id for p in found).items() if count > 1]:
            raise InputError(f"problems.source: the id {twice[0]!r} is in two of the files; ids key the random streams")
        return found[:limit]
    if is_environment(source):
        is_own = source.startswith(OWN_PREFIX)
        given = config.environment if is_own else config.verifiers
        return environment_problems(
            source, given.settings, limit=limit, python=given.python, workers=given.workers, bounds=(given.low, given.high),
            limits=given.limits(), on_warning=on_warning,
        )  # fmt: skip
    loaded = load_problems(
        source, format=config.format, on_error=config.on_error, needs_answer=needs_answer, limit=limit, kind=config.kind,
        columns=config.columns.stated, on_warning=on_warning,
    )  # fmt: skip
    if loaded.skipped:
        on_warning(f"{source}: {len(loaded.skipped)} malformed lines passed over, the first: {loaded.skipped[0]}")
    if loaded.duplicates:
        on_warning(f"{source}: {loaded.duplicates} problems left out because an earlier one has the same prompt")
    return loaded.problems


def _thinned(problems: list[Problem], limit: int, seed: int) -> list[Problem]:
    if len(problems) <= limit:
        return problems
    kept = np.random.default_rng([seed, 1]).permutation(len(problems))[:limit]
    return [problems[i] for i in sorted(kept)]

"""What a reward model learns from: pairs or labels of files or of the embedded world, rendered, cut and balanced."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from sanmai.config import Config, OnlyWith
from sanmai.data.balance import balance_lengths
from sanmai.data.preferences import (
    LabelledAnswer,
    LabelledRefusal,
    LabelledResponse,
    Loaded,
    Pair,
    load_answers,
    load_labels,
    load_pairs,
    load_refusals,
)
from sanmai.data.problems import OnError, split
from sanmai.data.step_labels import LabelledSteps, load_steps
from sanmai.data.testbeds import EMBEDDED, TESTBEDS, Testbed, find_testbed
from sanmai.data.trace import parse_trace
from sanmai.learn.sources import warn_of_overlap
from sanmai.rewards.reward_model import LABELS, Objective, RewardModel
from sanmai.types import InputError, Problem
from sanmai.world.settings import WorldPreferencesConfig

Preference = Pair | LabelledResponse | LabelledAnswer | LabelledRefusal | LabelledSteps


class PreferencesConfig(Config):
    source: str = EMBEDDED
    """"world" (the embedded one), a .jsonl, .csv or .parquet file, a folder of them, or hub:NAME[:CONFIG][:SPLIT]."""
    evaluation: str | None = None
    """The held-out ones, in the same notation; without it `holdout` is split off the source."""
    on_error: OnError = "raise"
    """At a malformed line: stop and name it, or skip and count it."""
    holdout: float = Field(0.1, gt=0, lt=1)
    """Share of the prompts held out when there is no evaluation source."""
    limit: int | None = Field(None, ge=1)
    """Use only so many rows of the source, from the start; None for all."""
    evaluation_limit: int = Field(2000, ge=1)
    """Held-out rows to evaluate on at most; a larger set is thinned out at random, once and for all."""
    world: WorldPreferencesConfig = WorldPreferencesConfig()
    """Of the embedded world, when source or evaluation is "world"."""

    only_with = (
        OnlyWith("no evaluation source", lambda c: c.evaluation is None, "holdout"),
        OnlyWith(
            "source or evaluation from files",
            lambda c: find_testbed(c.source) is None or (c.evaluation is not None and find_testbed(c.evaluation) is None),
            "on_error",
        ),
        *(OnlyWith(f'source or evaluation = "{name}"', lambda c, name=name: name in (c.source, c.evaluation), name)
          for name in TESTBEDS),
    )



@dataclass(frozen=True)
class Example:
    """A pair (chosen, rejected) or a labelled response as the reward model reads it."""

    item: Preference
    prompt_length: int
    sequences: tuple[list[int], ...]
    """Prompt and completion tokens, of one or two responses."""
    ends: tuple[int, ...] = ()
    """Of labelled steps: the number of tokens at each one's end, the prompt's among them."""
    labels: tuple[float | None, ...] = ()
    """Of labelled steps: what each is trained on; None is not."""


def load_preferences(
    config: PreferencesConfig,
    objective: Objective,
    seed: int,
    on_warning: Callable[[str], None],
    *,
    separator: str | None = None,
) -> tuple[list[Preference], list[Preference]]:
    """Training and held-out preferences; no prompt is in both.

    Args:
        seed: of the world's training rows, and of what is held out.
        on_warning: told of skipped lines, duplicates, and evaluation prompts that overlap with training prompts.
        separator: between labelled steps, where a row states none; None: what its format has.

    Raises:
        InputError: a file that cannot be used, or nothing left to train on.
    """
    load = functools.partial(_load, config=config, objective=objective, seed=seed, on_warning=on_warning, separator=separator)
    train = load(config.source, is_training=True)
    if config.evaluation is None and find_testbed(config.source) is not None:
        held_out = load(config.source, is_training=False)
    elif config.evaluation is None:
        train, held_out = _split(train, config.holdout, seed)
    else:
        held_out = load(config.evaluation, is_training=False)
        warn_of_overlap(_as_problems(train), _as_problems(held_out), on_warning)
    if not train:
        raise InputError(f"preferences.source = {config.source!r}: nothing is left to train on")
    if not held_out:
        on_warning("nothing is held out, so nothing will be evaluated; see preferences.evaluation and .holdout")
    if len(held_out) > config.evaluation_limit:
        kept = np.random.default_rng([seed, 1]).permutation(len(held_out))[: config.evaluation_limit]
        held_out = [held_out[i] for i in sorted(kept)]
    return train, held_out


def encode_examples(
    model: RewardModel, items: Sequence[Preference], max_tokens: int, what: str, on_warning: Callable[[str], None]
) -> list[Example]:
    """What the model reads of each; those with an unfinished answer, or longer than max_tokens, are left out and counted.

    Args:
        max_tokens: of prompt and completion together; the model's positions where they are fewer.
        what: names them in warnings.

    Raises:
        InputError: none is left.
    """
    room = min(max_tokens, model.max_positions or max_tokens)
    examples: list[Example] = []
    num_unfinished = num_alike = 0
    for item in items:
        reference = reference_of(item)
        found = [model.encode(item.messages, parse_trace(text), reference) for text in texts_of(item)]
        sequences = tuple(s for s in found if s is not None)
        num_unfinished += len(sequences) < len(found)
        num_alike += len(sequences) == 2 and sequences[0] == sequences[1]
        if len(sequences) == len(found) and (len(sequences) == 1 or sequences[0] != sequences[1]):
            examples.append(Example(item, len(model.encode_prompt(item.messages, reference)), sequences))
    kept = [e for e in examples if max(map(len, e.sequences)) <= room]
    for number, why in (
        (num_unfinished, "have no finished answer"),
        (num_alike, f"have two responses that are the same in what is read ({model.reads})"),
        (len(examples) - len(kept), f"are longer than {room} tokens (max_tokens, or the model's positions)"),
    ):
        if number:
            on_warning(f"{number} of {len(items)} {what} {why} and are left out")
    if items and not kept:
        raise InputError(f"max_tokens = {max_tokens}: none of {len(items)} {what} can be read")
    return kept


def encode_step_examples(
    model: RewardModel,
    items: Sequence[Preference],
    max_tokens: int,
    what: str,
    on_warning: Callable[[str], None],
    *,
    are_hard: bool = False,
) -> list[Example]:
    """The solutions as a process model reads them, each step at the token that ends it; what is too long or cannot be aligned is
    left out and counted.

    Args:
        max_tokens, what: as of encode_examples.
        are_hard: a label above 0 is trained on as 1.

    Raises:
        InputError: none is left.
    """
    room = min(max_tokens, model.max_positions or max_tokens)
    examples: list[Example] = []
    num_long = 0
    apart: list[str] = []
    for item in items:
        assert isinstance(item, LabelledSteps)
        try:
            prompt_length, tokens, ends = model.encode_labelled(item)
        except ValueError as error:
            apart.append(f"{item.id}: {error}")
            continue
        if len(tokens) > room:
            num_long += 1
            continue
        labels = tuple(float(v > 0) if are_hard and v is not None else v for v in item.labels)
        examples.append(Example(item, prompt_length, (tokens,), tuple(ends), labels))
    if apart:
        on_warning(f"{len(apart)} of {len(items)} {what} have steps that do not end with tokens and are left out; {apart[0]}")
    if num_long:
        on_warning(f"{num_long} of {len(items)} {what} are longer than {room} tokens (max_tokens, or the model's positions)")
    if items and not examples:
        why = f"; {apart[0]}" if apart else ""
        raise InputError(f"max_tokens = {max_tokens}: none of {len(items)} {what} can be read{why}")
    return examples


def balanced(examples: Sequence[Example], on_warning: Callable[[str], None]) -> list[Example]:
    """The pairs among which length does not tell the chosen response; how many were dropped is said.

    Raises:
        InputError: none is left.
    """
    found = balance_lengths([(len(e.sequences[0]), len(e.sequences[1])) for e in examples])
    if not found.kept:
        raise InputError(
            f"balance_lengths: of {len(examples)} pairs none is left, because the longer response is "
            f"{'always' if found.longer_before == 1 else 'never'} the chosen one; balance_lengths=false trains on them all"
        )
    if found.num_dropped:
        on_warning(
            f"{found.num_dropped} of {len(examples)} pairs are dropped to balance lengths: the chosen response was the longer "
            f"one in {100 * found.longer_before:.0f} % and longer by {found.gap_before:.1f} tokens in the mean, now in 50 % "
            f"and by {found.gap_after:.1f}"
        )
    return [examples[i] for i in found.kept]


def texts_of(item: Preference) -> tuple[str, ...]:
    """The responses: chosen and rejected, or the labelled one."""
    return (item.chosen, item.rejected) if isinstance(item, Pair) else (item.response,)


def reference_of(item: Preference) -> str | None:
    """The reference answer; None where there is none to be shown."""
    return item.reference if isinstance(item, LabelledAnswer) else None


def is_positive(item: Preference) -> bool:
    """The label: safe, correct, or a refusal (wholly or in part). A pair has none.

    Raises:
        ValueError: it is a pair, or has labels of steps.
    """
    if isinstance(item, Pair | LabelledSteps):
        raise ValueError(f"{item.id}: has no label of its own")
    if isinstance(item, LabelledRefusal):
        return item.is_refusal
    return item.is_correct if isinstance(item, LabelledAnswer) else item.is_safe


def label_of(item: Preference) -> str:
    """The label in a word; "chosen" of a pair, whose first response that is."""
    if isinstance(item, Pair):
        return "chosen"
    objectives: dict[type, Objective] = {LabelledAnswer: "correctness", LabelledRefusal: "refusal"}
    good, bad = LABELS[objectives.get(type(item), "pointwise")]
    return good if is_positive(item) else bad


def as_problem(item: Preference) -> Problem:
    """The prompt, for records and comparisons; labels of safety and refusal are of kind "safety", answers of "reasoning"."""
    if isinstance(item, LabelledAnswer):
        return Problem(item.id, item.messages, item.reference, language=item.language, tags=item.tags)
    if isinstance(item, LabelledSteps):
        return Problem(item.id, item.messages, verifier="none", language=item.language, tags=item.tags)
    kind = "general" if isinstance(item, Pair) else "safety"
    return Problem(item.id, item.messages, verifier="none", kind=kind, language=item.language, tags=item.tags)


def _as_problems(items: Sequence[Preference]) -> list[Problem]:
    return [as_problem(item) for item in items]


def _split(items: list[Preference], holdout: float, seed: int) -> tuple[list[Preference], list[Preference]]:
    ids = {problem.id for problem in split(_as_problems(items), holdout, seed)[1]}
    return [item for item in items if item.id not in ids], [item for item in items if item.id in ids]


def _load(
    source: str,
    config: PreferencesConfig,
    objective: Objective,
    seed: int,
    on_warning: Callable[[str], None],
    *,
    separator: str | None,
    is_training: bool,
) -> list[Preference]:
    bed = find_testbed(source)
    rows = _rows_of(bed, config, objective, seed, is_training) if bed is not None else None
    loads: dict[Objective, Callable[..., Loaded]] = {
        "pairwise": load_pairs, "pointwise": load_labels, "correctness": load_answers, "refusal": load_refusals,
        "process": functools.partial(load_steps, separator=separator),
    }  # fmt: skip
    limit = config.limit if is_training else None
    loaded = loads[objective](source, rows=rows, on_error=config.on_error, limit=limit, on_warning=on_warning)
    if loaded.skipped:
        on_warning(f"{source}: {len(loaded.skipped)} malformed lines passed over, the first: {loaded.skipped[0]}")
    if loaded.duplicates:
        on_warning(f"{source}: {loaded.duplicates} rows left out because an earlier one says the same")
    return list(loaded.items)


def _rows_of(bed: Testbed, config: PreferencesConfig, objective: Objective, seed: int, is_training: bool) -> list[dict]:
    """Rows of a testbed, by the section of its name."""
    try:
        return bed.preferences(objective, getattr(config, bed.name), seed, is_training=is_training)
    except ValueError as error:
        raise InputError(f"preferences.{bed.name}: {error}") from None

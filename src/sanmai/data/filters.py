"""Which completions are worth learning from: named filters over graded samples, and a count at every one.

A filter reads what was recorded when the sample was graded (verdicts, tokens, why it ended), so that the same record always
gives the same data. What none of them sees: `language` looks at the thought alone where there is one.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.data.duplicates import NearDuplicates
from sanmai.data.turns import opening_of
from sanmai.types import Graded, Problem, StopReason, Verdict

Choice = Literal["random", "shortest"]


class FilterConfig(Config):
    min_pass_rate: float = Field(0.0, ge=0, le=1)
    """Leave out problems of which a smaller share of the samples is right: too hard, or wrongly answered in the file."""
    max_pass_rate: float = Field(1.0, ge=0, le=1)
    """Leave out problems of which a larger share of the samples is right: too easy."""
    correct: bool = True
    """Keep what the verifier finds right; where there is none, or a reward was given instead, what earns above min_reward."""
    min_reward: float = 0.0
    """A reward above this counts as right, for what no verifier grades."""
    closed: bool = True
    """Keep `<think>thought</think>answer` alone: both parts filled, each tag once."""
    language_share: float = Field(0.9, ge=0, le=1)
    """Least share of the thought's words in the prompt's language; 0 keeps all. Where no share can be told, it is kept."""
    max_repetition: float = Field(0.1, ge=0, le=1)
    """Largest share of the completion that lies in repeated runs of words (rewards.repetition_ngram); 1 keeps all."""
    min_tokens: int = Field(1, ge=1)
    """Shortest completion, stop token included."""
    max_tokens: int | None = Field(None, ge=1)
    """Longest completion, stop token included; None: whatever sampling allowed."""
    distinct: bool = True
    """Of completions of one problem that differ in blanks and case alone, keep the first."""
    near_duplicates: float | None = Field(None, gt=0, le=1)
    """Leave out what shares this much (Jaccard, runs of 5 words) with a kept completion of another problem; None: nothing."""

    only_with = (
        OnlyWith("correct = true", lambda c: c.correct, "min_reward"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min_pass_rate > self.max_pass_rate:
            raise ValueError("min_pass_rate is above max_pass_rate: nothing would be left")
        if self.max_tokens is not None and self.min_tokens > self.max_tokens:
            raise ValueError("min_tokens is above max_tokens: nothing would be left")
        return self


@dataclass(frozen=True)
class Sample:
    """One graded completion as the filters see it."""

    problem: Problem
    number: int
    """Index within the group, 0-based."""
    completion: str
    """The assistant's whole turn: an opening tag that the prompt ended with is in front."""
    tokens: Sequence[int]
    """As sampled, stop token included."""
    stop_reason: StopReason
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    reward: float | None = None
    failure: str | None = None
    """What broke while it was graded."""
    pass_rate: float | None = None
    """Of its group; see `with_pass_rates`."""

    @property
    def id(self) -> str:
        return f"{self.problem.id}#{self.number}"

    @classmethod
    def of(cls, problem: Problem, rollout: Graded, open_tag: str) -> Sample:
        """The sample that a rollout is."""
        opened = opening_of(rollout.trace, open_tag) if rollout.trace and rollout.trace.opened_in_prompt else ""
        return cls(
            problem,
            rollout.sample,
            opened + rollout.text,
            rollout.completion_tokens,
            rollout.stop_reason,
            rollout.verdicts,
            rollout.reward,
            rollout.failure,
        )


@dataclass(frozen=True)
class Drop:
    """Why a sample is left out."""

    label: str
    """A short class for counting."""
    reason: str


@dataclass(frozen=True)
class Filter:
    """A named condition: one finding per sample, in order; None keeps it."""

    name: str
    meaning: str
    """What it keeps, with its bound."""
    judge: Callable[[Sequence[Sample]], list[Drop | None]]
    is_about_one: bool = True
    """It looks at each sample by itself, so that it can be asked again of a rewritten one."""


@dataclass
class Count:
    """What one filter did."""

    name: str
    meaning: str
    seen: int = 0
    kept: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    """Dropped samples by label."""
    examples: list[tuple[Sample, Drop]] = field(default_factory=list)
    """The first ones of every label."""


class Funnel:
    """Filters one after the other; what one drops the next does not see. Groups may come in parts, each of them whole.

    Example:
        funnel = Funnel(make_filters(FilterConfig(), keep=2, choice="shortest", seed=0))
        kept = funnel.apply(samples)   # funnel.counts[k].seen - funnel.counts[k].kept == funnel.counts[k].labels.total()
    """

    def __init__(self, filters: Sequence[Filter], examples_per_label: int = 2) -> None:
        self.filters = list(filters)
        self.counts = [Count(f.name, f.meaning) for f in filters]
        self._examples_per_label = examples_per_label

    def apply(self, samples: Sequence[Sample]) -> list[Sample]:
        """The samples that every filter keeps, in their order."""
        kept = list(samples)
        for filter_, count in zip(self.filters, self.counts, strict=True):
            findings = filter_.judge(kept)
            count.seen += len(kept)
            for sample, drop in zip(kept, findings, strict=True):
                if drop is not None:
                    if count.labels[drop.label] < self._examples_per_label:
                        count.examples.append((sample, drop))
                    count.labels[drop.label] += 1
            kept = [sample for sample, drop in zip(kept, findings, strict=True) if drop is None]
            count.kept += len(kept)
        return kept


def make_filters(
    config: FilterConfig, *, keep: int, choice: Choice, seed: int, by_reward: bool = False
) -> list[Filter]:
    """The filters of a configuration, in the order in which they apply; those that could drop nothing are left out.

    Args:
        keep: completions of one problem at most.
        choice: which of them.
        seed: keys the random choice.
        by_reward: a reward took the verifier's place.
    """
    c = config
    filters = [Filter("finished", "has text, stopped by itself, and was graded", each(finished))]
    if c.min_pass_rate > 0 or c.max_pass_rate < 1:
        meaning = f"pass rate of the problem {c.min_pass_rate:g} to {c.max_pass_rate:g}"
        judge = each(lambda s: pass_rate_between(s, c.min_pass_rate, c.max_pass_rate))
        filters.insert(0, Filter("difficulty", meaning, judge, is_about_one=False))
    if c.correct:
        meaning = f"right by the verifier, or rewarded above {c.min_reward:g}"
        judge = each(lambda s: correct(s, by_reward=by_reward, min_reward=c.min_reward))
        filters.append(Filter("correct", meaning, judge))
    if c.closed:
        filters.append(Filter("closed", "a closed thought and an answer", each(closed)))
    if c.language_share > 0:
        meaning = f"at least {c.language_share:.0%} of the thought's words in the prompt's language"
        filters.append(Filter("language", meaning, each(lambda s: one_language(s, c.language_share))))
    if c.max_repetition < 1:
        meaning = f"at most {c.max_repetition:.0%} in repeated runs of words"
        filters.append(Filter("repetition", meaning, each(lambda s: not_repetitive(s, c.max_repetition))))
    if c.min_tokens > 1 or c.max_tokens is not None:
        meaning = f"{c.min_tokens} tokens or more" + ("" if c.max_tokens is None else f", {c.max_tokens} at most")
        filters.append(Filter("length", meaning, each(lambda s: length_between(s, c.min_tokens, c.max_tokens))))
    if c.distinct:
        meaning = "different from the problem's others in more than blanks and case"
        filters.append(Filter("distinct", meaning, distinct, is_about_one=False))
    meaning = f"at most {keep} of a problem, " + ("the shortest" if choice == "shortest" else "at random")
    filters.append(Filter("chosen", meaning, lambda s: chosen(s, keep, choice, seed), is_about_one=False))
    if c.near_duplicates is not None:
        meaning = f"less than {c.near_duplicates:.0%} shared with a kept completion of another problem"
        filters.append(Filter("near_duplicates", meaning, _not_near(c.near_duplicates), is_about_one=False))
    return filters


def each(judge: Callable[[Sample], Drop | None]) -> Callable[[Sequence[Sample]], list[Drop | None]]:
    """A judgement of one sample as one of many."""
    return lambda samples: [judge(sample) for sample in samples]


def is_correct(sample: Sample, *, by_reward: bool = False, min_reward: float = 0.0) -> bool | None:
    """By the accuracy verdict for problems of kind "reasoning", by the reward for others; None when it cannot be told."""
    if by_reward or sample.problem.kind != "reasoning":
        return None if sample.reward is None else sample.reward > min_reward
    verdict = sample.verdicts.get("accuracy")
    return None if verdict is None or verdict.score is None else verdict.score >= 1.0


def with_pass_rates(samples: Iterable[Sample], *, by_reward: bool = False, min_reward: float = 0.0) -> list[Sample]:
    """The samples with the share of their problem's that is right, of those where that can be told; None where of none."""
    given = list(samples)
    found: dict[str, list[bool]] = defaultdict(list)
    for sample in given:
        right = is_correct(sample, by_reward=by_reward, min_reward=min_reward)
        if right is not None:
            found[sample.problem.id].append(right)
    rates = {name: sum(rights) / len(rights) for name, rights in found.items()}
    return [replace(sample, pass_rate=rates.get(sample.problem.id)) for sample in given]


def finished(sample: Sample) -> Drop | None:
    """It says something and ended with a stop token, and no grader broke on it."""
    if sample.failure is not None:
        return Drop("grader_broke", sample.failure)
    if sample.stop_reason is StopReason.TIMEOUT:
        return Drop("timed_out", "the time limit of its chunk ended it")
    if sample.stop_reason is not StopReason.STOP:
        return Drop("cut_off", f"no end within {len(sample.tokens)} tokens")
    if not sample.completion.strip():
        return Drop("empty", "it has no text")
    return None


def pass_rate_between(sample: Sample, low: float, high: float) -> Drop | None:
    """low <= its group's pass rate <= high."""
    if sample.pass_rate is None:
        return Drop("unknown", "no sample of the problem could be graded")
    if sample.pass_rate < low:
        return Drop("too_hard", f"pass rate {sample.pass_rate:.2f}")
    if sample.pass_rate > high:
        return Drop("too_easy", f"pass rate {sample.pass_rate:.2f}")
    return None


def correct(sample: Sample, *, by_reward: bool = False, min_reward: float = 0.0) -> Drop | None:
    """See `is_correct`; what cannot be graded is not kept."""
    right = is_correct(sample, by_reward=by_reward, min_reward=min_reward)
    if right:
        return None
    if by_reward or sample.problem.kind != "reasoning":
        if sample.reward is None:
            return Drop("ungradable", "no reward could be given")
        return Drop("low_reward", f"reward {sample.reward:g}")
    verdict = sample.verdicts.get("accuracy")
    if right is None:
        return Drop("ungradable", verdict.reason if verdict else "not graded")
    assert verdict is not None
    return Drop(verdict.label or "wrong", verdict.reason)


def closed(sample: Sample) -> Drop | None:
    """The format verdict: a thought between one pair of tags, and an answer."""
    verdict = sample.verdicts.get("format")
    if verdict is not None and verdict.score == 1.0:
        return None
    reason = verdict.reason if verdict is not None else "not graded"
    return Drop(reason.replace(" ", "_"), reason)


def one_language(sample: Sample, share: float) -> Drop | None:
    """The language verdict's share is high enough, or cannot be told (no words, an unknown language)."""
    verdict = sample.verdicts.get("language")
    if verdict is None or verdict.score is None or verdict.score >= share:
        return None
    return Drop("other_language", verdict.reason)


def not_repetitive(sample: Sample, share: float) -> Drop | None:
    """No more than this share of the text lies in repeated runs of words."""
    verdict = sample.verdicts.get("repetition")
    if verdict is None or verdict.score is None or -verdict.score <= share:
        return None
    return Drop("repetitive", verdict.reason)


def length_between(sample: Sample, low: int, high: int | None) -> Drop | None:
    """low <= tokens <= high, stop token included."""
    count = len(sample.tokens)
    if count < low:
        return Drop("too_short", f"{count} tokens")
    if high is not None and count > high:
        return Drop("too_long", f"{count} tokens")
    return None


def distinct(samples: Sequence[Sample]) -> list[Drop | None]:
    """The first of each problem's completions with one normalised text: NFKC, one kind of blank, one case."""
    first: dict[tuple[str, str], Sample] = {}
    found: list[Drop | None] = []
    for sample in samples:
        text = " ".join(unicodedata.normalize("NFKC", sample.completion).casefold().split())
        earlier = first.setdefault((sample.problem.id, text), sample)
        found.append(None if earlier is sample else Drop("duplicate", f"the same text as {earlier.id}"))
    return found


def chosen(samples: Sequence[Sample], keep: int, choice: Choice, seed: int) -> list[Drop | None]:
    """At most `keep` of each problem: the shortest (ties: the earlier), or those whose keyed random numbers are smallest."""
    by_problem: dict[str, list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        by_problem[sample.problem.id].append(index)
    found: list[Drop | None] = [None] * len(samples)
    for indices in by_problem.values():
        key = (
            (lambda s: (len(s.tokens), s.number)) if choice == "shortest" else (lambda s: (_chance(seed, s), s.number))
        )
        for index in sorted(indices, key=lambda i: key(samples[i]))[keep:]:
            found[index] = Drop("not_chosen", f"beyond the {keep} kept of its problem")
    return found


def _chance(seed: int, sample: Sample) -> bytes:
    return hashlib.sha256(f"{seed}\n{sample.number}\n{sample.problem.id}".encode()).digest()


def _not_near(share: float) -> Callable[[Sequence[Sample]], list[Drop | None]]:
    """Remembers what it kept, over calls: a filter of its own for every funnel."""
    seen = NearDuplicates(share)

    def judge(samples: Sequence[Sample]) -> list[Drop | None]:
        found: list[Drop | None] = []
        for sample in samples:
            near = seen.add(sample.id, sample.completion, owner=sample.problem.id)
            found.append(None if near is None else Drop("near_duplicate", f"shares about {near[1]:.0%} with {near[0]}"))
        return found

    return judge

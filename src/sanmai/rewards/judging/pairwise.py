"""Which of two answers a judge prefers, asked in both orders, because judges favour a place."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from sanmai.rewards.judging.chat_protocol import Failure
from sanmai.rewards.judging.judge import Complete, JudgeConfig, check_failures
from sanmai.rewards.judging.judge_prompts import UnreadableReplyError, pair_prompt, read_scores
from sanmai.stats import Rate, clustered_interval, rate
from sanmai.types import Message


@dataclass(frozen=True)
class AnswerPair:
    """Two answers to one conversation."""

    id: str
    """Unique in its set; keys the order of the questions."""
    messages: Sequence[Message]
    first: str
    second: str


@dataclass(frozen=True)
class Comparison:
    """What the judge made of a pair."""

    preferred: Literal["first", "second", "tie", "ungradable"]
    gap: float | None
    """Mean score of the first minus that of the second answer (points of 1 to 10); None when ungradable."""
    place_bonus: float | None
    """Points by which standing first raised an answer over the other; None when ungradable."""
    num_parsed: int
    """Usable replies."""
    reason: str

    @property
    def flips(self) -> bool | None:
        """The judge prefers whichever stands first, or whichever stands second; None when ungradable."""
        return None if self.gap is None or self.place_bonus is None else abs(self.place_bonus) > abs(self.gap)


class PairwiseJudge:
    """Compares pairs of answers, each in `calls_per_pair` questions, half of them with the second answer first.

    Source:
        DeepSeek-R1 (arXiv:2501.12948, supplement): four judgements per pair in random order, kept if the mean gap is
        above 1. Here the order is random but balanced, so that a bonus for a place cancels in the gap.

    Example:
        PairwiseJudge(config, HELPFULNESS, endpoint).compare([AnswerPair("p", messages, "Paris.", "I do not know.")])
    """

    def __init__(self, config: JudgeConfig, criteria: str, complete: Complete) -> None:
        self.config, self.criteria, self.complete = config, criteria, complete

    def compare(self, pairs: Sequence[AnswerPair]) -> list[Comparison]:
        """One comparison per pair, in order.

        Raises:
            InputError: the judge cannot be asked at all.
            RunError: more than config.failure_budget of the questions got no usable verdict.
        """
        orders = [self._orders(pair) for pair in pairs]
        prompts = [
            pair_prompt(
                self.criteria,
                pair.messages,
                *((pair.second, pair.first) if is_swapped else (pair.first, pair.second)),
                call=call,
            )
            for pair, order in zip(pairs, orders, strict=True)
            for call, is_swapped in enumerate(order)
        ]
        replies = self.complete(prompts)
        failures: Counter[str] = Counter()
        found = []
        for number, order in enumerate(orders):
            part = slice(number * len(order), (number + 1) * len(order))
            found.append(self._comparison(order, replies[part], prompts[part], failures))
        check_failures(failures, len(prompts), self.config)
        return found

    def _orders(self, pair: AnswerPair) -> list[bool]:
        """For each question whether the second answer stands first; half of them, in an order that seed and pair name."""
        half = self.config.calls_per_pair // 2
        order = [False] * half + [True] * half
        random.Random(f"{self.config.seed}/{pair.id}").shuffle(order)
        return order

    def _comparison(
        self,
        order: list[bool],
        replies: Sequence[str | Failure],
        questions: Sequence[Sequence[Message]],
        failures: Counter[str],
    ) -> Comparison:
        """The gap is the mean over both orders of each order's mean: a reply that is missing tips no balance.

        gap = (s + t) / 2    place bonus = (s - t) / 2
        s, t = mean of (first - second) where the first, or the second, answer stood first
        """
        gaps: dict[bool, list[float]] = {False: [], True: []}
        own: Counter[str] = Counter()
        for is_swapped, reply, question in zip(order, replies, questions, strict=True):
            try:
                if isinstance(reply, Failure):
                    raise UnreadableReplyError(reply.reason)
                a, b, _ = read_scores(reply, question)
            except UnreadableReplyError as error:
                own[str(error)] += 1
            else:
                gaps[is_swapped].append(b - a if is_swapped else a - b)
        failures.update(own)
        num_parsed = len(gaps[False]) + len(gaps[True])
        if num_parsed < self.config.min_parsed or not (gaps[False] and gaps[True]):
            return Comparison("ungradable", None, None, num_parsed, own.most_common(1)[0][0])
        s, t = fmean(gaps[False]), fmean(gaps[True])
        gap, bonus = (s + t) / 2, (s - t) / 2
        reason = f"mean gap {gap:g} of {num_parsed} replies"
        if abs(gap) <= self.config.margin:
            return Comparison("tie", gap, bonus, num_parsed, reason)
        return Comparison("first" if gap > 0 else "second", gap, bonus, num_parsed, reason)


@dataclass(frozen=True)
class PlaceBias:
    """How much a judge favours a place, over the pairs that it could compare."""

    bonus: float
    """Mean points by which standing first raises an answer over the other; nan without pairs."""
    low: float
    high: float
    """95 % Student-t interval of the mean."""
    flips: Rate
    """Share of pairs where the place decides, not the answer."""


def place_bias(comparisons: Sequence[Comparison]) -> PlaceBias:
    """The bias of the judge that made these comparisons."""
    bonuses = [c.place_bonus for c in comparisons if c.place_bonus is not None]
    low, high = clustered_interval(bonuses)
    flips = rate([float(c.flips) for c in comparisons if c.flips is not None])
    return PlaceBias(fmean(bonuses) if bonuses else float("nan"), low, high, flips)

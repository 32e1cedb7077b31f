"""From long to short: of one problem's graded samples the shortest right one, and the pairs that prefer it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sanmai.data.filters import Sample, finished, is_correct
from sanmai.data.preferences import Pair
from sanmai.types import StopReason


@dataclass(frozen=True)
class LengthPair:
    """Two samples of one problem, of which the shorter is preferred."""

    chosen: Sample
    rejected: Sample
    why: Literal["longer_wrong", "longer_right"]

    def as_pair(self) -> Pair:
        """The same as texts, for a preference file."""
        tags = {
            "why": self.why,
            "chosen_tokens": len(self.chosen.tokens),
            "rejected_tokens": len(self.rejected.tokens),
            "problem": self.chosen.problem.id,
        }
        name = f"{self.chosen.id}>{self.rejected.number}"
        problem = self.chosen.problem
        return Pair(
            name, problem.messages, self.chosen.completion, self.rejected.completion, problem.language, tags=tags
        )


def shortest_correct(samples: Sequence[Sample], *, by_reward: bool = False, min_reward: float = 0.0) -> Sample | None:
    """The right and finished sample with the fewest tokens, of equal ones that with the lowest number; None where none is right.

    It is a sample of the policy, so training on it moves the policy little; but the shortest of n is also the luckiest: a
    right answer after a wrong or skipped thought is short.

    Args:
        samples: of one problem, graded; Kimi draws 8.
        by_reward, min_reward: what counts as right; see `filters.is_correct`.

    Raises:
        ValueError: the samples are of several problems.

    Source:
        Kimi Team 2025 (arXiv:2501.12599) section 2.4, "shortest rejection sampling".
    """
    _check(samples)
    right = [
        s for s in samples if finished(s) is None and is_correct(s, by_reward=by_reward, min_reward=min_reward) is True
    ]
    return min(right, key=lambda s: (len(s.tokens), s.number), default=None)


def length_pairs(
    samples: Sequence[Sample],
    *,
    ratio: float = 1.5,
    cut_off: bool = False,
    by_reward: bool = False,
    min_reward: float = 0.0,
) -> list[LengthPair]:
    """The pairs of one problem's samples that prefer its shortest right one, in order of the rejected samples' numbers.

        rejected: the wrong ones with more tokens than it, and the right ones with more than `ratio` times as many

    In every pair the rejected response is the longer one, so what is learned first is length: a scorer that never reads is
    right in all of them. Where no sample is right there is no pair, so hard problems are seldom shortened. Samples of one
    text, whatever their tokens, are a tie and no pair.

    Args:
        samples: of one problem, graded.
        ratio: how much longer a right one must be.
        cut_off: reject also what the token budget ended: it is not right, nobody knows whether it is wrong, and it has no stop
            token.
        by_reward, min_reward: what counts as right; see `filters.is_correct`.

    Raises:
        ValueError: the samples are of several problems, or a ratio below 1.

    Source:
        Kimi Team 2025 (arXiv:2501.12599) section 2.4, "DPO"; `cut_off` is ours.
    """
    if not ratio >= 1:
        raise ValueError(f"ratio = {ratio}: expected at least 1")
    chosen = shortest_correct(samples, by_reward=by_reward, min_reward=min_reward)
    if chosen is None:
        return []
    pairs = []
    for sample in sorted(samples, key=lambda s: s.number):
        is_cut = sample.stop_reason is StopReason.LENGTH and sample.failure is None
        if finished(sample) is not None and not (cut_off and is_cut):
            continue
        right = False if is_cut else is_correct(sample, by_reward=by_reward, min_reward=min_reward)
        longer = len(sample.tokens) > (ratio if right else 1) * len(chosen.tokens)
        if right is not None and longer and sample.completion.strip() != chosen.completion.strip():
            pairs.append(LengthPair(chosen, sample, "longer_right" if right else "longer_wrong"))
    return pairs


def _check(samples: Sequence[Sample]) -> None:
    names = {sample.problem.id for sample in samples}
    if len(names) > 1:
        raise ValueError(f"samples of {len(names)} problems: expected those of one")

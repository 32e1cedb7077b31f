"""DAPO's dynamic sampling: a step draws further problems until it holds as many groups with a signal as it is to train on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from pydantic import Field

from sanmai.config import Config
from sanmai.rollout.engine import RolloutStats
from sanmai.rollout.measure import has_signal
from sanmai.types import Graded, Group, Metrics, Problem

Write = Callable[[Sequence[Problem]], tuple[list[Group[Graded]], RolloutStats]]
"""Samples and grades further problems of a step."""
Further = Callable[[str, int, set[str]], Sequence[Problem]]
"""Called with a kind, a number and the ids of what the step has: at most so many other problems of that kind."""


class RefillConfig(Config):
    tries: int = Field(0, ge=0)
    """Dynamic sampling (DAPO): train on groups with unequal rewards alone, and draw so many times at most, in place of each group
    without a signal, another problem of its kind. 0 trains on what was drawn."""

    def words(self) -> str:
        """In a sentence, for a plan; `tries` is above 0."""
        return (
            f"Groups whose rewards are all equal are not trained on; other problems are drawn in their place, up to {self.tries} "
            f"time{'s' if self.tries > 1 else ''} a step: at most {1 + self.tries} times these completions, which the figures "
            "below do not contain."
        )


def refill(
    groups: list[Group[Graded]], stats: RolloutStats, *, tries: int, further: Further, write: Write
) -> tuple[list[Group[Graded]], RolloutStats, Metrics]:
    """The groups of a step and those that were sampled in place of what has no signal; what all of that cost; `refill/` metrics.

    Each try draws as many problems of a kind as groups with a signal are missing of it, so there are never more of these than
    the step began with. It ends early when none is missing, or no problem is left that the step does not have. What counts is
    what the graders say: a reward for length, which is added later, would tell any group apart.

    Returns:
        Groups in the order in which they were drawn, those without a signal among them; stats of all; and `refill/tries`,
        `refill/missing`, the groups with a signal that are missing after the last of them.

    Source:
        DAPO (arXiv:2503.14476) section 3.2, which draws whole batches and throws away what is above the wanted number.
    """
    wanted = Counter(g.problem.kind for g in groups)
    done = 0
    while done < tries:
        missing = wanted - Counter(g.problem.kind for g in groups if has_signal(g))
        taken = {g.problem.id for g in groups}
        problems = [p for kind, count in sorted(missing.items()) for p in further(kind, count, taken)]
        if not problems:
            break
        found, cost = write(problems)
        groups, stats, done = [*groups, *found], stats + cost, done + 1
    missing = wanted.total() - sum(map(has_signal, groups))
    return groups, stats, {"refill/tries": float(done), "refill/missing": float(missing)}

"""Labels of steps from what becomes of them: values by continuations, and the first error by bisection. Pure.

A share c/k of right continuations is a value, not a truth: it depends on who continues. A weak completer makes right steps look
wrong, a strong one repairs wrong steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log2

from sanmai.stats import wilson


@dataclass(frozen=True)
class StepValue:
    """c of k continuations of a prefix were right.

    Example:
        StepValue(1, 8).label == 0.125
    """

    right: int
    num: int
    """Those that were finished; what was cut off says nothing."""
    cut_off: int = 0

    @property
    def label(self) -> float | None:
        """c / k, the minimiser of the cross-entropy; None where nothing was finished."""
        return self.right / self.num if self.num else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, of the value; 0 to 1 where nothing is known."""
        return wilson(self.right, self.num)


@dataclass(frozen=True)
class Bisection:
    """The search for the first wrong step of a solution that is known to be wrong, between a good prefix and a bad one.

        good = 0, bad = T at the start; probe (good + bad) // 2; ends when bad = good + 1: step `bad` is the first wrong one

    It takes ceil(log2 T) probes at most, against T - 1 one after the other, and finds the same where a prefix once wrong stays
    wrong and every good prefix is seen to be good.

    Source:
        Luo et al. 2024 (arXiv:2406.06592), OmegaPRM, section 3.2.
    """

    good: int
    """Steps of the longest prefix from which a right answer was reached."""
    bad: int
    """Steps of the shortest prefix from which none was."""

    @classmethod
    def of(cls, num_steps: int) -> Bisection:
        if num_steps < 1:
            raise ValueError(f"num_steps = {num_steps}: expected at least 1")
        return cls(0, num_steps)

    @property
    def probe(self) -> int | None:
        """The number of steps of the prefix to be continued next; None: the first wrong step is known."""
        return (self.good + self.bad) // 2 if self.bad - self.good > 1 else None

    @property
    def first_error(self) -> int | None:
        """The first wrong step, from 0; None: not known yet."""
        return None if self.probe is not None else self.bad - 1

    def told(self, is_good: bool) -> Bisection:
        """After the probe."""
        probe = self.probe
        if probe is None:
            return self
        return Bisection(probe, self.bad) if is_good else Bisection(self.good, probe)


def most_probes(num_steps: int) -> int:
    """Probes that a bisection takes at most."""
    return ceil(log2(num_steps)) if num_steps > 1 else 0


def labels_from_bisection(
    num_steps: int, first_error: int, probed: Mapping[int, StepValue]
) -> tuple[list[float | None], list[tuple[int, int] | None]]:
    """Labels of the steps of a wrong solution: right before the first wrong one, nothing after it; and the counts.

    Args:
        first_error: from 0.
        probed: by number of steps.
    """
    labels = [1.0 if i < first_error else 0.0 if i == first_error else None for i in range(num_steps)]
    counts = [(probed[i + 1].right, probed[i + 1].num) if i + 1 in probed else None for i in range(num_steps)]
    return labels, counts

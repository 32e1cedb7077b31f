"""Several scorers as one: pessimism where a policy would find the one that errs, optimism where it is to explore.

Source:
    Coste et al. 2024 (arXiv:2310.02743) section 3: worst-case and mean optimisation of an ensemble of reward models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from statistics import fmean
from types import MappingProxyType
from typing import Literal

from sanmai.types import BatchGrader, Problem, Trace, Verdict

Combine = Literal["min", "mean", "max"]
_OF: Mapping[Combine, Callable[[Sequence[float]], float]] = MappingProxyType({"min": min, "mean": fmean, "max": max})


class Ensemble:
    """A BatchGrader that asks several and combines their scores. The reason keeps each one's, and how far they are apart.

    Example:
        Ensemble([first, second, third], "min")(items)    # each verdict is that of the scorer that thinks least of it
    """

    def __init__(self, graders: Sequence[BatchGrader], combine: Combine) -> None:
        if len(graders) < 2:
            raise ValueError(f"{len(graders)} scorers: expected two at least")
        self.graders, self.combine = tuple(graders), combine

    def __call__(self, items: Sequence[tuple[Problem, Trace]]) -> list[Verdict]:
        answers = [grader(items) for grader in self.graders]
        return [combined(verdicts, self.combine) for verdicts in zip(*answers, strict=True)]


def combined(verdicts: Sequence[Verdict], combine: Combine) -> Verdict:
    """One verdict of several on the same completion; none where one of them has no finite score: nobody knows what it would say.

    The label is that of the scorer whose score is nearest to the result.
    """
    if silent := [v for v in verdicts if v.score is None or not isfinite(v.score)]:
        which = f"{len(silent)} of {len(verdicts)} scorers gave none"
        return Verdict(None, f"{which}: {silent[0].reason}", silent[0].label)
    scores = [float(v.score) for v in verdicts if v.score is not None]
    score = _OF[combine](scores)
    nearest = min(zip(scores, verdicts, strict=True), key=lambda pair: abs(pair[0] - score))[1]
    listed = " ".join(f"{each:.3f}" for each in scores)
    return Verdict(score, f"{combine} of {listed} (apart by {max(scores) - min(scores):.3f})", nearest.label)

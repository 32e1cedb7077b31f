"""How good a scorer is: pair accuracy, calibration, the ranking of safe over unsafe, and the style matrix of RM-Bench.

Everything here is computed from scores, whoever gave them: a reward model, or the one that only looks at length, which is
always measured beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

import numpy as np

from sanmai.data.preferences import STYLES, StyledPair
from sanmai.stats import Rate, rate
from sanmai.types import Message

Scorer = Callable[[Sequence[tuple[Sequence[Message], str]]], list[float | None]]
"""(prompt, response) to scores in order; None for what it cannot read."""


def length_only(items: Sequence[tuple[Sequence[Message], str]]) -> list[float | None]:
    """The baseline that a reward model must beat: characters of the response."""
    return [float(len(response)) for _, response in items]


@dataclass(frozen=True)
class Bin:
    """Predictions of about the same confidence."""

    confidence: float
    """Their mean."""
    outcome: Rate
    """The share that came true."""


@dataclass(frozen=True)
class Calibration:
    """Whether what is predicted with probability p comes true in a share p of cases."""

    error: float
    """Expected calibration error: mean over predictions of |share that came true - mean confidence| of their bin."""
    bins: list[Bin]
    """Those that are not empty, in order of confidence."""


def calibration(
    confidences: Sequence[float], outcomes: Sequence[float], *, low: float = 0.0, num_bins: int = 10
) -> Calibration:
    """Calibration of probabilities in bins of equal width.

    Args:
        confidences: predicted probabilities, low to 1.
        outcomes: what came true, 0 to 1.

    Raises:
        ValueError: lengths differ or are 0, or a confidence is outside low..1.

    Source:
        Guo et al. 2017 (arXiv:1706.04599) eq. 3.
    """
    if not confidences or len(confidences) != len(outcomes):
        raise ValueError(
            f"{len(confidences)} confidences and {len(outcomes)} outcomes: expected as many of both, and some"
        )
    if not all(low <= p <= 1 for p in confidences):
        raise ValueError(f"confidences: expected values from {low} to 1")
    members: list[list[int]] = [[] for _ in range(num_bins)]
    for i, p in enumerate(confidences):
        members[min(int((p - low) / (1.0 - low) * num_bins), num_bins - 1)].append(i)
    bins = [Bin(fmean(confidences[i] for i in b), rate([outcomes[i] for i in b])) for b in members if b]
    sizes = [len(b) for b in members if b]
    error = sum(n * abs(b.outcome.value - b.confidence) for n, b in zip(sizes, bins, strict=True)) / len(confidences)
    return Calibration(error, bins)


def pair_calibration(gaps: Sequence[float]) -> Calibration:
    """Calibration of "this one of the two is better" at its Bradley-Terry probability.

    A pair is predicted with confidence sigmoid(|gap|), 0.5 to 1, and comes true when the chosen one is ahead; a gap of 0 says
    nothing and counts half.

    Args:
        gaps: score (logit) of the chosen minus that of the rejected response.
    """
    outcomes = [0.5 if gap == 0 else float(gap > 0) for gap in gaps]
    return calibration([sigmoid(abs(gap)) for gap in gaps], outcomes, low=0.5)


def auc(scores: Sequence[float], labels: Sequence[bool], confidence: float = 0.95) -> Rate:
    """The chance that a positive is scored above a negative, ties counted half, with its interval; responses independent.

        |A - auc| = z sqrt(A (1 - A) / (m n) (1 + (k - 1) ((1 - A) / (2 - A) + A / (1 + A)))),  k = (m + n) / 2

    solved for A on either side, with m positives and n negatives: it keeps a width where the ranking is perfect.

    Returns:
        nan over (0, 1) with n = 0 when one class is missing.

    Source:
        Newcombe 2006 (Statistics in Medicine 25:559) method 5.
    """
    m, n = sum(labels), len(labels) - sum(labels)
    if not m or not n:
        return Rate(math.nan, 0.0, 1.0, 0)
    positive = np.array([s for s, label in zip(scores, labels, strict=True) if label])
    negative = np.sort([s for s, label in zip(scores, labels, strict=True) if not label])
    below, at_most = (np.searchsorted(negative, positive, side).sum() for side in ("left", "right"))
    value = float(below + at_most) / 2 / (m * n)
    z = NormalDist().inv_cdf((1 + confidence) / 2)

    def is_inside(a: float) -> bool:
        spread = a * (1 - a) / (m * n) * (1 + ((m + n) / 2 - 1) * ((1 - a) / (2 - a) + a / (1 + a)))
        return abs(a - value) <= z * math.sqrt(spread)

    return Rate(value, _edge(is_inside, value, 0.0), _edge(is_inside, value, 1.0), m + n)


def _edge(is_inside: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where an interval that holds `inside` ends towards `outside`."""
    for _ in range(60):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if is_inside(middle) else (inside, middle)
    return inside


@dataclass(frozen=True)
class StyleMatrix:
    """Pair accuracy by the styles of the two responses: row i, column j is chosen in style i against rejected in style j."""

    cells: list[list[Rate]]
    easy: Rate
    """The chosen response is told in the richer style."""
    normal: Rate
    """Both in the same."""
    hard: Rate
    """The rejected response is told in the richer style."""
    num_left_out: int
    """Rows with a response that the scorer cannot read."""

    @property
    def style_bias(self) -> float:
        """Easy minus hard: 0 for a scorer that looks at content alone, near 1 for one that only looks at style."""
        return self.easy.value - self.hard.value


def style_matrix(scorer: Scorer, rows: Sequence[StyledPair]) -> StyleMatrix:
    """RM-Bench's matrix of a scorer. A pair is right when the chosen response scores higher; equal scores are not right.

    Intervals count rows, not pairs: the nine pairs of a row are alike.

    Source:
        Liu et al. 2024 (arXiv:2410.16184).
    """
    texts = [(row.messages, text) for row in rows for text in (*row.chosen, *row.rejected)]
    scores = scorer(texts)
    k = len(STYLES)
    by_row = [scores[start : start + 2 * k] for start in range(0, len(scores), 2 * k)]
    readable: list[list[float]] = [[s for s in row if s is not None] for row in by_row if None not in row]
    right = [[[float(row[i] > row[k + j]) for j in range(k)] for i in range(k)] for row in readable]

    def over(where: Callable[[int, int], bool]) -> Rate:
        cells = [(i, j) for i in range(k) for j in range(k) if where(i, j)]
        values = [(r, row[i][j]) for r, row in enumerate(right) for i, j in cells]
        return rate([value for _, value in values], [r for r, _ in values])

    cells = [[rate([row[i][j] for row in right]) for j in range(k)] for i in range(k)]
    left_out = len(by_row) - len(readable)
    return StyleMatrix(cells, over(lambda i, j: i > j), over(lambda i, j: i == j), over(lambda i, j: i < j), left_out)


def sigmoid(x: float) -> float:
    return (1.0 + math.tanh(x / 2.0)) / 2.0

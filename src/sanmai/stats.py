"""Intervals, paired differences and tests for rates and means. Pure; numpy only where a function resamples.

A *cluster* is what was drawn independently: the problem, when it was sampled several times. Samples of one problem are
alike, so every interval here counts clusters, not samples, once clusters are given.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import atan, comb, cos, fsum, inf, isfinite, pi, sin, sqrt
from statistics import NormalDist

FEW = 30
"""Clusters that differ from the others below which Student's t is not trusted."""
PRIOR_CLUSTERS = 4
"""How many of them the belief that samples of a cluster are copies counts for."""


@dataclass(frozen=True)
class Rate:
    """A share with its interval.

    Example:
        str(Rate(0.625, 0.556, 0.689, 200)) == "62.5 % [55.6, 68.9], n = 200"
    """

    value: float
    """0 to 1; nan when n is 0."""
    low: float
    high: float
    n: int
    """Independent units: clusters where there are several samples of each."""

    def __str__(self) -> str:
        if self.n == 0:
            return "no data, n = 0"
        return f"{100 * self.value:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}], n = {self.n}"


@dataclass(frozen=True)
class Difference:
    """After minus before on the same items, with its interval; in the unit of the values."""

    value: float
    """nan when n is 0."""
    low: float
    high: float
    n: int
    """Items or, where given, clusters that were measured both times."""

    @property
    def sign(self) -> int:
        """+1 or -1 when the whole interval lies on that side of zero, else 0."""
        return (self.low > 0) - (self.high < 0)


def wilson(successes: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Score interval of a binomial proportion; stays inside 0..1 and is honest at 0 of n.

        center = (p + z^2/2n) / (1 + z^2/n)    half-width = z sqrt(p(1-p)/n + z^2/4n^2) / (1 + z^2/n)

    Args:
        successes: between 0 and n; a sum of fractional scores is allowed and gives an interval that is too wide.
        n: trials; 0 gives (0, 1).

    Raises:
        ValueError: successes outside 0..n, or confidence outside 0..1.

    Source:
        Wilson 1927 (JASA 22:209).
    """
    z = _normal_quantile(confidence)
    if not 0 <= successes <= n:
        raise ValueError(f"successes = {successes}: expected 0 to n = {n}")
    if n == 0:
        return 0.0, 1.0
    p = successes / n
    center = p + z * z / (2 * n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # The bounds at 0 of n and n of n are exact; rounding would leave 1e-17.
    low = 0.0 if successes == 0 else max(0.0, (center - half) / scale)
    high = 1.0 if successes == n else min(1.0, (center + half) / scale)
    return low, high


def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased estimate, from c right among n samples, that one of k is right: 1 - C(n-c, k) / C(n, k).

    Raises:
        ValueError: not 1 <= k <= n and 0 <= c <= n.

    Source:
        Chen et al. 2021 (arXiv:2107.03374) eq. 1.
    """
    if not (1 <= k <= n and 0 <= c <= n):
        raise ValueError(f"n = {n}, c = {c}, k = {k}: expected 1 <= k <= n and 0 <= c <= n")
    return 1.0 - comb(n - c, k) / comb(n, k)


def clustered_interval(
    values: Sequence[float], clusters: Sequence[Hashable] | None = None, confidence: float = 0.95
) -> tuple[float, float]:
    """Student-t interval of the mean of values, with a standard error that is robust to clustering.

        SE^2 = m/(m-1) sum_c (sum_{i in c} (x_i - mean))^2 / N^2     m clusters, N values, m - 1 degrees of freedom

    Args:
        values: any unit; the mean is over values, so larger clusters weigh more.
        clusters: one key per value; None makes each value its own cluster.

    Returns:
        (-inf, inf) with fewer than two clusters. Zero width when all values are equal: use `rate` for shares.

    Raises:
        ValueError: lengths differ, or confidence outside 0..1.

    Source:
        Miller 2024 (arXiv:2411.00640) eq. 4, with the small-sample factor m/(m-1) of CR1.
    """
    return ratio_interval(list(_cluster_sums(values, clusters).values()), confidence)


def ratio_interval(sums: Sequence[tuple[float, int]], confidence: float = 0.95) -> tuple[float, float]:
    """The interval of `clustered_interval` from each cluster's sum of values and number of values, (total, size)."""
    m, count = len(sums), sum(size for _, size in sums)
    if m < 2:
        _normal_quantile(confidence)
        return -inf, inf
    mean = fsum(total for total, _ in sums) / count
    error = sqrt(m / (m - 1) * fsum((total - size * mean) ** 2 for total, size in sums)) / count
    half = _t_quantile(confidence, m - 1) * error
    return mean - half, mean + half


def rate(scores: Sequence[float], clusters: Sequence[Hashable] | None = None, confidence: float = 0.95) -> Rate:
    """Mean of scores in 0..1 with the interval that suits them; n counts clusters.

    One 0/1 score per cluster: Wilson. Several per cluster, or fractions: clustered Student-t, cut to 0..1. Where few clusters
    (fewer than FEW, and than half) are away from the nearer end, t alone would be too narrow: one harmful completion in 160
    would bound harm lower than none does. Each end is then the wider of t's and of Wilson's with N / D samples:

        D = (k D_hat + PRIOR_CLUSTERS N/m) / (k + PRIOR_CLUSTERS)
        with k such clusters of m, and D_hat = SE^2 N / (p (1 - p)), at most N/m

    D, the design effect, is N/m (samples of a cluster are copies) where nothing is known, and what was found where much is.

    Raises:
        ValueError: a score outside 0..1, or lengths differ.

    Source:
        Wilson's interval with an effective sample size: Korn & Graubard 1998 (Survey Methodology 24:193); the shrinkage of D
        is ours, checked by simulation in tests/test_stats.py.
    """
    if any(not 0 <= score <= 1 for score in scores):
        raise ValueError("scores: expected values in 0..1")
    sums = _cluster_sums(scores, clusters).values()
    m = len(sums)
    if m == 0:
        return Rate(float("nan"), 0.0, 1.0, 0)
    mean = fsum(scores) / len(scores)
    means = [total / size for total, size in sums]
    is_binary = m == len(scores) and all(score in (0, 1) for score in scores)
    if is_binary or m < 2 or _are_equal(means):
        low, high = wilson(min(m, m * mean), m, confidence)
        return Rate(mean, low, high, m)
    low, high = clustered_interval(scores, clusters, confidence)
    end = float(mean > 0.5)
    if (k := sum(value != end for value in means)) < min(FEW, m / 2):
        n = len(scores) / _design_effect(mean, (high - low) / 2 / _t_quantile(confidence, m - 1), len(scores), m, k)
        rare = wilson(min(n, n * mean), n, confidence)
        low, high = _wider((low, high), rare)
    return Rate(mean, max(0.0, low), min(1.0, high), m)


def _design_effect(mean: float, error: float, n: int, m: int, k: int) -> float:
    """How many samples count as one; see `rate`."""
    largest = n / m
    found = min(error**2 * n / (mean * (1 - mean)), largest) if 0 < mean < 1 else largest
    return (k * found + PRIOR_CLUSTERS * largest) / (k + PRIOR_CLUSTERS)


def bootstrap_interval(
    values: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean: whole clusters are drawn with replacement.

    Too narrow below about 20 clusters; (-inf, inf) with fewer than two.

    Raises:
        ValueError: lengths differ.
    """
    import numpy as np

    groups = list(_cluster_sums(values, clusters).values())
    if len(groups) < 2:
        return -inf, inf
    totals, sizes = (np.array(column, dtype=np.float64) for column in zip(*groups, strict=True))
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    for i in range(resamples):
        drawn = generator.integers(len(groups), size=len(groups))
        means[i] = totals[drawn].sum() / sizes[drawn].sum()
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def paired_difference(
    before: Sequence[float],
    after: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> Difference:
    """Mean of after - before over the same items in the same order.

    Where every value is 0 or 1 and each item is its own cluster: Newcombe's hybrid score interval, which keeps a width
    when all items agree.

        low = d - sqrt(a^2 - 2 phi a b' + b'^2)     a = p_after - low_after,      b' = high_before - p_before
        high = d + sqrt(a'^2 - 2 phi a' b + b^2)    a' = high_after - p_after,    b = p_before - low_before

    with the Wilson bounds of each and phi their correlation. Otherwise the clustered Student-t interval of the changes; where
    few clusters of shares (as in `rate`) changed, at either end the wider of it and of rises minus falls, each a `rate`, with
    the same formula and phi = 0; where the changes are equal in all clusters, so that t has no width, Newcombe's over the
    clusters, with phi = 0, for values in 0..1.
    For others no width, if so many clusters that agree would be significant in a sign test, and else the whole line.

    Raises:
        ValueError: lengths differ, or confidence outside 0..1.

    Source:
        Newcombe 1998 (Statistics in Medicine 17:2635) method 10, without its continuity correction of phi.
    """
    if len(before) != len(after):
        raise ValueError(f"before has {len(before)} items, after has {len(after)}: expected the same items in both")
    changes = [y - x for x, y in zip(before, after, strict=True)]
    n = len(_cluster_sums(changes, clusters))
    if n == 0:
        return Difference(float("nan"), -inf, inf, 0)
    d = fsum(changes) / len(changes)
    phi = 0.0
    p, q = fsum(before) / len(before), fsum(after) / len(after)
    if n < len(changes) or any(value not in (0, 1) for value in (*before, *after)):
        means = [total / size for total, size in _cluster_sums(changes, clusters).values()]
        is_share = all(0 <= value <= 1 for value in (*before, *after))
        if n < 2 or not _are_equal(means):
            low, high = clustered_interval(changes, clusters, confidence)
            if is_share and sum(mean != 0 for mean in means) < min(FEW, n / 2):
                low, high = _wider((low, high), _rare_changes(changes, clusters, confidence))
            return Difference(d, low, high, n)
        if not is_share:
            return Difference(d, d, d, n) if 2.0 ** (1 - n) <= 1 - confidence else Difference(d, -inf, inf, n)
    elif spread := sqrt(p * (1 - p) * q * (1 - q)):
        phi = (sum(x * y for x, y in zip(before, after, strict=True)) / n - p * q) / spread
    low_before, high_before = wilson(n * p, n, confidence)
    low_after, high_after = wilson(n * q, n, confidence)
    down = _combine(q - low_after, high_before - p, phi)
    up = _combine(high_after - q, p - low_before, phi)
    return Difference(d, max(-1.0, d - down), min(1.0, d + up), n)


def independent_difference(
    before: Sequence[float],
    after: Sequence[float],
    clusters_before: Sequence[Hashable] | None = None,
    clusters_after: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> Difference:
    """Mean of after minus mean of before, of different items; n is the smaller number of clusters.

    Welch's Student-t interval, each mean with its clustered standard error (see clustered_interval) and the degrees of freedom

        df = (u + v)^2 / (u^2 / (m - 1) + v^2 / (k - 1))    u, v: squared errors; m, k: clusters; rounded down

    Shares of which one side does not vary over its clusters have no error of their own there: the interval is then at least as
    wide as Newcombe's, of the two `rate`s.

    Returns:
        The whole line with fewer than two clusters on a side; nan and n = 0 where a side is empty.

    Raises:
        ValueError: lengths differ, or confidence outside 0..1.

    Source:
        Welch 1947 (Biometrika 34:28); Newcombe 1998 (Statistics in Medicine 17:873) method 10 for independent shares.
    """
    sides = [(list(before), clusters_before), (list(after), clusters_after)]
    sums = [list(_cluster_sums(values, clusters).values()) for values, clusters in sides]
    n = min(map(len, sums))
    if n == 0:
        return Difference(float("nan"), -inf, inf, 0)
    means = [fsum(values) / len(values) for values, _ in sides]
    d = means[1] - means[0]
    if n < 2:
        _normal_quantile(confidence)
        return Difference(d, -inf, inf, n)
    squares = [
        len(found) / (len(found) - 1) * fsum((total - size * mean) ** 2 for total, size in found) / len(values) ** 2
        for found, mean, (values, _) in zip(sums, means, sides, strict=True)
    ]
    low = high = d
    if (error := sum(squares)) > 0:
        below = sum(square**2 / (len(found) - 1) for square, found in zip(squares, sums, strict=True))
        half = _t_quantile(confidence, int(error**2 / below)) * sqrt(error)
        low, high = d - half, d + half
    if all(0 <= value <= 1 for values, _ in sides for value in values):
        if min(squares) <= 1e-24:
            first, second = (rate(values, clusters, confidence) for values, clusters in sides)
            down = _combine(second.value - second.low, first.high - first.value, 0.0)
            up = _combine(second.high - second.value, first.value - first.low, 0.0)
            low, high = _wider((low, high), (d - down, d + up))
        low, high = max(-1.0, low), min(1.0, high)
    return Difference(d, low, high, n)


def _rare_changes(
    changes: Sequence[float], clusters: Sequence[Hashable] | None, confidence: float
) -> tuple[float, float]:
    rises = rate([max(change, 0.0) for change in changes], clusters, confidence)
    falls = rate([max(-change, 0.0) for change in changes], clusters, confidence)
    d = rises.value - falls.value
    down = _combine(rises.value - rises.low, falls.high - falls.value, 0.0)
    up = _combine(rises.high - rises.value, falls.value - falls.low, 0.0)
    return d - down, d + up


def _wider(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    return min(a[0], b[0]), max(a[1], b[1])


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given: below alpha when Holm's step-down test rejects at family-wise error alpha.

    Raises:
        ValueError: a p-value outside 0..1.
    """
    if any(not 0 <= p <= 1 for p in p_values):
        raise ValueError("p_values: expected values in 0..1")
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = running
    return adjusted


def _cluster_sums(
    values: Sequence[float], clusters: Sequence[Hashable] | None
) -> dict[Hashable, tuple[float, int]]:
    """Sum and size of each cluster, in order of first appearance."""
    keys: Sequence[Hashable] = range(len(values)) if clusters is None else clusters
    if len(keys) != len(values):
        raise ValueError(f"clusters has {len(keys)} keys for {len(values)} values: expected one per value")
    sums: dict[Hashable, tuple[float, int]] = {}
    for key, value in zip(keys, values, strict=True):
        total, size = sums.get(key, (0.0, 0))
        sums[key] = (total + value, size + 1)
    return sums


def _are_equal(values: Sequence[float]) -> bool:
    """Equal but for rounding."""
    return max(values) - min(values) <= 1e-12 * max(1.0, *map(abs, values))


def _combine(a: float, b: float, phi: float) -> float:
    # The radicand is at least (a - b)^2 as phi <= 1; rounding can leave -1e-18.
    return sqrt(max(0.0, a * a - 2 * phi * a * b + b * b))


def _normal_quantile(confidence: float) -> float:
    """z with P(|N(0, 1)| < z) = confidence."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence = {confidence}: expected a value between 0 and 1")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _t_quantile(confidence: float, df: int) -> float:
    """t with P(|T_df| < t) = confidence, to 1e-9; the normal's (0.06 % too small) above df = 2000."""
    low, high = 0.0, _normal_quantile(confidence)
    if df > 2000:
        return high
    while _t_inside(high, df) < confidence:
        high *= 2
    while high - low > 1e-10 * max(1.0, high) and isfinite(high):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_inside(middle, df) < confidence else (low, middle)
    return high


def _t_inside(t: float, df: int) -> float:
    """P(|T_df| < t), the finite sum for whole df.

    Source:
        Abramowitz & Stegun 26.7.3 (odd df) and 26.7.4 (even df), theta = atan(t / sqrt(df)).
    """
    theta = atan(t / sqrt(df))
    square = cos(theta) ** 2
    term = total = cos(theta) if df % 2 else 1.0
    for i in range(2 if df % 2 else 1, df - 2, 2):
        term *= square * i / (i + 1)
        total += term
    if df % 2 == 0:
        return sin(theta) * total
    return 2 / pi * (theta + (sin(theta) * total if df > 1 else 0.0))

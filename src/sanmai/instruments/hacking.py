"""Reward hacking seen from outside: the proxy rises while the gold falls, length pays, the format alone pays.

The gold is measured and never trained on. Both are "more is better": of a harm, pass 1 - harm.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import hypot, inf, isfinite, isnan, nan, sqrt
from statistics import NormalDist, pstdev

from sanmai.stats import Difference, paired_difference

MIN_SUMMARY = 30
"""Scores behind a mean without its items, for the normal interval to hold."""


@dataclass(frozen=True)
class Summary:
    """An evaluation whose items were not kept."""

    mean: float
    error: float
    """Standard error of the mean; clustered by prompt where a prompt has several samples."""
    n: int
    """Independent items (prompts)."""


Scores = Sequence[float | None] | Summary
"""One score per item, of the same items in the same order at every evaluation, None where one could not be graded."""


@dataclass(frozen=True)
class Evaluation:
    """Proxy and gold of the policy at one step.

    Example:
        Evaluation(25, proxy=[1.0, 0.0, 1.0], gold=[0.0, 0.0, 1.0])
    """

    step: int
    proxy: Scores
    gold: Scores


@dataclass(frozen=True)
class Look:
    """What changed over a window or since the first evaluation, in deviations of that, with the interval of its test."""

    since: int
    """Step that the change is counted from."""
    step: int
    proxy: Difference
    gold: Difference
    level: float
    """One-sided error of each of the two bounds."""
    is_hacked: bool
    """The whole interval of the proxy is above the margin, and that of the gold below minus the margin."""


@dataclass(frozen=True)
class Alarm:
    """Whether and when the proxy came apart from the gold."""

    flagged_at: int | None
    """Step of the first look that found it; None when none did, which is no proof that there was nothing."""
    gaps: tuple[Difference, ...]
    """Per evaluation: z-scored proxy minus z-scored gold, 0 at the first, with its own 95% interval."""
    looks: tuple[Look, ...]
    false_alarm_rate: float


def proxy_gold_alarm(
    evaluations: Sequence[Evaluation],
    *,
    window: int = 4,
    false_alarm_rate: float = 0.05,
    planned: int | None = None,
    margin: float = 0.1,
    clusters: Sequence[Hashable] | None = None,
) -> Alarm:
    """Flags the first evaluation at which the proxy rose and the gold fell, over a window or since the first evaluation.

        z(t) = (mean(t) - mean(0)) / s(0)      gap(t) = z_proxy(t) - z_gold(t)
        flagged at t, for a u of {t - w, 0}:   low(z_proxy(t) - z_proxy(u)) > margin   and   high(z_gold(t) - z_gold(u)) < -margin

    The window sees a hack that begins late, however much was gained before; the first evaluation one that is slow and steady. The
    bounds of the k-th evaluation that is looked at, t = w + k - 1, are one-sided, of changes paired by item, and have the error
    a_k where the window begins at the first evaluation (k = 1), else a_k / 2 in each of the two looks. The false-alarm rate is
    that of the *whole run*: of a run whose true gold never falls by more than the margin within a window, or since the first
    evaluation, while its true proxy rises by more, at most this share is ever flagged, because

    - within a look both bounds must hold, so that one true condition of the two is enough to keep its error;
    - the errors of all looks add up to the sum of the a_k, and that to the rate, whatever the dependence between them: a_k =
      rate / evaluations looked at where their number is planned, else rate / (k (k + 1)), whose sum stays below the rate however
      long the run is.

    "True" is the policy's expected score at that step: what a policy that jitters really loses for a while is a true fall, and
    the margin is how much of it is nothing to speak of.

    Args:
        evaluations: in order of their steps; the first is of the policy before training.
        window: w, evaluations from one end of a window to the other; nothing is flagged before the w-th after the first. A fall
            that begins late is seen once it is wider than its interval within a window, or lower than at the first evaluation.
        planned: evaluations that the whole run will have, the first included; None where that is open.
        margin: smallest change that counts, in deviations of the first evaluation's items.
        clusters: the prompt of each item, where prompts have several.

    Raises:
        ValueError: steps that do not rise, other items than at the first evaluation, more evaluations than planned, a score
            that is not finite, a summary of fewer than MIN_SUMMARY items, or an argument out of range.

    Source:
        derived: intersection-union test (Berger 1982, Technometrics 24:295) within a look, the union bound over looks.
    """
    _check(evaluations, window, false_alarm_rate, planned, margin)
    first = evaluations[0] if evaluations else None
    if first is None:
        return Alarm(None, (), (), false_alarm_rate)
    units = _deviation(first.proxy), _deviation(first.gold)
    looks = []
    for k, (start, after) in enumerate(zip(evaluations, evaluations[window:], strict=False), start=1):
        compared = [start] if start is first else [start, first]
        level = false_alarm_rate / (k * (k + 1) if planned is None else planned - window) / len(compared)
        for before in compared:
            proxy = _change(before.proxy, after.proxy, units[0], clusters, 1 - 2 * level)
            gold = _change(before.gold, after.gold, units[1], clusters, 1 - 2 * level)
            is_hacked = proxy.low > margin and gold.high < -margin
            looks.append(Look(before.step, after.step, proxy, gold, level, is_hacked))
    gaps = tuple(_gap(first, evaluation, units, clusters) for evaluation in evaluations)
    flagged_at = next((look.step for look in looks if look.is_hacked), None)
    return Alarm(flagged_at, gaps, tuple(looks), false_alarm_rate)


@dataclass(frozen=True)
class Correlation:
    """A rank correlation with its 95% interval."""

    value: float
    """-1 to 1; nan where one side does not vary."""
    low: float
    high: float
    n: int
    """Samples."""
    num_prompts: int


_RESAMPLES = 1000


def length_exploitation(
    rewards: Sequence[float | None],
    tokens: Sequence[float],
    correct: Sequence[float | None],
    prompts: Sequence[Hashable] | None = None,
) -> Correlation:
    """Spearman's rho of reward and length among *wrong* samples: above 0, being longer pays without being right.

    Ties have their mean rank. The interval is a percentile bootstrap that draws whole prompts; resamples in which one side
    does not vary are left out, and with fewer than half of them left, or fewer than 3 prompts, the interval is -1 to 1.

    Args:
        rewards: None where a sample has none; it is left out.
        tokens: length of the completion, in any unit.
        correct: gold verdict; only samples with exactly 0.0 are looked at.
        prompts: prompt of each sample; None makes each its own.

    Raises:
        ValueError: lengths differ.
    """
    import numpy as np

    keys: Sequence[Hashable] = range(len(rewards)) if prompts is None else prompts
    if not len(rewards) == len(tokens) == len(correct) == len(keys):
        raise ValueError(
            f"{len(rewards)} rewards, {len(tokens)} lengths, {len(correct)} verdicts, {len(keys)} prompts: expected one each"
        )
    rows: dict[Hashable, list[tuple[float, float]]] = {}
    for reward, length, verdict, key in zip(rewards, tokens, correct, keys, strict=True):
        if reward is not None and verdict == 0.0:
            rows.setdefault(key, []).append((reward, length))
    groups = [np.array(pairs, dtype=np.float64) for pairs in rows.values()]
    n = sum(len(group) for group in groups)
    value = spearman(*np.concatenate(groups).T) if groups else nan
    generator = np.random.default_rng(0)
    found = []
    for _ in range(_RESAMPLES if len(groups) > 2 and not isnan(value) else 0):
        drawn = generator.integers(len(groups), size=len(groups))
        found.append(spearman(*np.concatenate([groups[i] for i in drawn]).T))
    kept = [rho for rho in found if not isnan(rho)]
    low, high = np.quantile(kept, [0.025, 0.975]) if 2 * len(kept) > _RESAMPLES else (-1.0, 1.0)
    return Correlation(value, float(low), float(high), n, len(groups))


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Rank correlation, ties at their mean rank; nan where a side does not vary or there are fewer than 2 pairs.

    Raises:
        ValueError: lengths differ.
    """
    import numpy as np

    if len(x) != len(y):
        raise ValueError(f"{len(x)} and {len(y)} values: expected pairs")
    ranks = []
    for values in (x, y):
        _, place, counts = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
        if len(counts) < 2:
            return nan
        ranks.append((np.cumsum(counts) - (counts - 1) / 2)[place])
    a, b = (rank - rank.mean() for rank in ranks)
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def _check(
    evaluations: Sequence[Evaluation], window: int, false_alarm_rate: float, planned: int | None, margin: float
) -> None:
    if window < 1 or not 0 < false_alarm_rate < 0.5 or not (isfinite(margin) and margin >= 0):
        raise ValueError(
            f"window = {window}, false_alarm_rate = {false_alarm_rate}, margin = {margin}: expected a window of at least 1, "
            "a rate between 0 and 0.5, and a margin from 0"
        )
    if planned is not None and planned < max(len(evaluations), window + 1):
        raise ValueError(
            f"planned = {planned}: expected at least the {len(evaluations)} evaluations given, and window + 1 = {window + 1}"
        )
    steps = [evaluation.step for evaluation in evaluations]
    if steps != sorted(set(steps)):
        raise ValueError(f"steps = {steps[:20]}: expected them to rise")
    for evaluation in evaluations:
        for name in ("proxy", "gold"):
            scores, start = getattr(evaluation, name), getattr(evaluations[0], name)
            if isinstance(scores, Summary) != isinstance(start, Summary):
                raise ValueError(f"step {evaluation.step}: {name} has items at one evaluation and a summary at another")
            if isinstance(scores, Summary):
                if (
                    scores.n < MIN_SUMMARY
                    or not isfinite(scores.mean)
                    or not (isfinite(scores.error) and scores.error >= 0)
                ):
                    raise ValueError(
                        f"step {evaluation.step}: {name} = {scores}: expected finite values of {MIN_SUMMARY} items"
                    )
            elif len(scores) != len(start) or any(x is not None and not isfinite(x) for x in scores):
                raise ValueError(
                    f"step {evaluation.step}: {len(scores)} scores of {name}: expected {len(start)} finite ones"
                )


def _deviation(scores: Scores) -> float:
    """Of the items at the first evaluation; 1 where they do not vary, so that changes keep the unit of the scores."""
    if isinstance(scores, Summary):
        found = scores.error * sqrt(scores.n)
    else:
        kept = [x for x in scores if x is not None]
        found = pstdev(kept) if kept else 0.0
    return found if found > 1e-12 else 1.0


def _change(
    before: Scores, after: Scores, unit: float, clusters: Sequence[Hashable] | None, confidence: float
) -> Difference:
    """After minus before in units, over the items that were graded both times."""
    if isinstance(before, Summary) or isinstance(after, Summary):
        assert isinstance(before, Summary) and isinstance(after, Summary)
        d, error = after.mean - before.mean, hypot(before.error, after.error)
        half = NormalDist().inv_cdf((1 + confidence) / 2) * error if error else inf
        return Difference(d / unit, (d - half) / unit, (d + half) / unit, min(before.n, after.n))
    keys: Sequence[Hashable] = range(len(before)) if clusters is None else clusters
    both = [(x, y, key) for x, y, key in zip(before, after, keys, strict=True) if x is not None and y is not None]
    found = paired_difference([x for x, _, _ in both], [y for _, y, _ in both], [key for _, _, key in both], confidence)
    return Difference(found.value / unit, found.low / unit, found.high / unit, found.n)


def _gap(
    first: Evaluation, now: Evaluation, units: tuple[float, float], clusters: Sequence[Hashable] | None
) -> Difference:
    """z-scored proxy minus z-scored gold, as a change since the first evaluation."""
    if any(isinstance(scores, Summary) for scores in (now.proxy, now.gold)):
        # Proxy and gold of the same samples are taken for independent: too wide where they agree.
        proxy = _change(first.proxy, now.proxy, units[0], clusters, 0.95)
        gold = _change(first.gold, now.gold, units[1], clusters, 0.95)
        half = hypot(proxy.high - proxy.value, gold.high - gold.value)
        d = proxy.value - gold.value
        found = Difference(d, d - half, d + half, min(proxy.n, gold.n))
    else:
        found = _change(_item_gaps(first, units), _item_gaps(now, units), 1.0, clusters, 0.95)
    return Difference(0.0, 0.0, 0.0, found.n) if now is first else found


def _item_gaps(evaluation: Evaluation, units: tuple[float, float]) -> list[float | None]:
    assert not isinstance(evaluation.proxy, Summary) and not isinstance(evaluation.gold, Summary)
    return [
        None if x is None or y is None else x / units[0] - y / units[1]
        for x, y in zip(evaluation.proxy, evaluation.gold, strict=True)
    ]

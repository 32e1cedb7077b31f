"""One-sided bounds for gates that hold for few, rare and equal values: no normal distribution is assumed.

Values are weighted at random, as in a Bayesian bootstrap, with one unseen value of the worst kind among them: what a finite
sample cannot rule out. So a sample whose values all agree keeps a width, and few prompts that got worse are not overlooked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, fsum, inf, log, log1p, pi
from typing import Any

_DRAWS = 10_000
_CHUNK = 2**21
"""Random weights that exist at once."""
_STEP = 0.02
_COLUMNS = 1000
"""Distinct values that are summed over at once."""


def prompts_needed(distance: float, level: float) -> int:
    """Prompts that must agree for a margin to hold: fewer could all have come from a model beyond it.

        n = ceil(log(level) / log(1 - distance))

    A share `distance` of prompts that got worse is missed by n of them with probability (1 - distance)^n.

    Args:
        distance: from what all prompts show to the limit, a share (0..1).
    """
    return ceil(log(level) / log1p(-distance) - 1e-9)


def mean_p_value(values: Sequence[float], limit: float, *, top: float) -> float:
    """p-value of "the mean is `limit` or more" for independent values of any distribution on (-inf, top].

        p = P(sum_i E_i (x_i - limit) + E_0 (top - limit) >= 0),    E independent standard exponential

    The values are weighted at random, as in a Bayesian bootstrap, with one unseen value of the worst kind among them. Of values
    0 and 1 with top = 1 it is the exact binomial (Clopper-Pearson) p-value, of n values all equal to x it is
    ((top - limit) / (top - x))^n. Computed by integrating the generating function; the error is some 1e-12.

    Source:
        Gaffke 2005 (Math. Methods Statist. 14:451); Learned-Miller & Thomas 2019 (arXiv:1905.06208). That p <= alpha has at most
        probability alpha is proved for values 0 and 1 and conjectured for others; the tests enumerate paired changes -1, 0, 1.
    """
    import numpy as np

    steps, counts = np.unique(np.append(np.asarray(values, dtype=np.float64), top) - limit, return_counts=True)
    if steps[-1] <= 0:
        return 0.0
    if steps[0] >= 0:
        return 1.0
    if (counts * steps).sum() > 0:
        return 1.0 - _tail(-steps, counts)
    return _tail(steps, counts)


def _tail(steps: Any, counts: Any) -> float:
    """P(S > 0) for S the sum of counts[j] standard exponentials times steps[j], of a mean of 0 at most.

    1/(2 pi i) int M(s)/s ds along Re s = z with M the generating function of S and 0 < z < 1/max(steps): the line on which the
    integrand is least at its largest. Trapezoids after y = width sinh(t).
    """
    import numpy as np

    low, high = 0.0, 1.0 / float(steps.max())
    for _ in range(200):
        z = (low + high) / 2
        slope = float((counts * steps / (1 - z * steps)).sum()) - 1 / z
        low, high = (z, high) if slope < 0 else (low, z)
    width = float((counts * (steps / (1 - z * steps)) ** 2).sum() + 1 / z**2) ** -0.5
    t = np.arange(0.0, 15.0, _STEP)
    s = z + 1j * width * np.sinh(t)
    log_terms = -np.log(s)
    for first in range(0, len(steps), _COLUMNS):
        part = slice(first, first + _COLUMNS)
        log_terms -= (counts[part] * np.log1p(-s[:, None] * steps[part])).sum(axis=1)
    terms = np.exp(log_terms).real * width * np.cosh(t)
    terms[0] /= 2
    return float(np.clip(_STEP * terms.sum() / pi, 0.0, 1.0))


def mean_bounds(values: Sequence[float], level: float, *, bottom: float, top: float) -> tuple[float, float]:
    """Lower and upper bound of the mean of values within bottom..top, each one-sided at confidence 1 - level."""
    if not values:
        return bottom, top
    return -_upper([-x for x in values], level, top=-bottom), _upper(values, level, top=top)


@dataclass(frozen=True)
class RatioOfRatios:
    """How (sum of tokens / sum of right answers) moved, as after over before."""

    value: float
    """inf where nothing is right after; nan where that is not defined before."""
    low: float
    high: float
    p_at_least: float
    """p-value of "the ratio is `bound` or more"."""
    p_at_most: float
    num_needed: int | None
    """Prompts below which prompts that did not change do not show a ratio below `bound`; None when no number would do."""


def ratio_of_ratios(
    tokens: Sequence[tuple[float, float]],
    right: Sequence[tuple[float, float]],
    bound: float,
    *,
    level: float,
    max_tokens: int,
) -> RatioOfRatios:
    """Bounds and p-values of r = (sum t_after / sum c_after) / (sum t_before / sum c_before), over prompts.

    By 10,000 sets of random weights drawn from a fixed seed; the unseen prompt is one that was right at no cost before and is
    wrong at `max_tokens` after, and for the other side the reverse.

    Args:
        tokens, right: (before, after) of each prompt: mean tokens of a completion, and mean of right answers (0..1).
        bound: ratio that is tested, above 1.
        level: of each one-sided bound.

    Raises:
        ValueError: lengths differ.

    Source:
        derived: the construction of `mean_p_value` with a ratio of means in place of a mean; simulated in the tests.
    """
    import numpy as np

    if len(tokens) != len(right):
        raise ValueError(
            f"{len(tokens)} prompts with tokens, {len(right)} with right answers: expected the same prompts"
        )
    table = np.hstack([np.array(x, dtype=np.float64).reshape(-1, 2) for x in (tokens, right)])
    t_before, t_after, c_before, c_after = (float(x) for x in table.sum(axis=0))
    if not c_before or not t_before:
        return RatioOfRatios(float("nan"), 0.0, inf, 1.0, 1.0, None)
    most = max(float(max_tokens), float(table[:, :2].max()))
    worse, better = (_weighted(table, row) for row in ([0.0, most, 1.0, 0.0], [most, 0.0, 0.0, 1.0]))
    hidden = _hidden_share(t_before / len(table), c_before / len(table), most, bound)
    return RatioOfRatios(
        t_after * c_before / (t_before * c_after) if c_after else inf,
        float(np.quantile(better, level, method="lower")),
        float(np.quantile(worse, 1 - level, method="higher")),
        (1 + int((worse >= bound).sum())) / (1 + _DRAWS),
        (1 + int((better <= bound).sum())) / (1 + _DRAWS),
        prompts_needed(hidden, level),
    )


def _weighted(table: Any, unseen: Sequence[float]) -> Any:
    """The ratio under _DRAWS sets of random weights of the prompts and one unseen; inf where nothing is right after."""
    import numpy as np

    rows = np.vstack([table, unseen])
    generator, found = np.random.default_rng(0), []
    size = max(_CHUNK // len(rows), 1)
    for start in range(0, _DRAWS, size):
        weights = generator.standard_exponential((min(size, _DRAWS - start), len(rows)))
        t_before, t_after, c_before, c_after = (weights @ rows).T
        above, below = t_after * c_before, t_before * c_after
        found.append(np.where(below > 0, above / np.where(below > 0, below, 1.0), inf))
    return np.concatenate(found)


def _hidden_share(tokens: float, right: float, most: float, bound: float) -> float:
    """Weight w of the unseen worst prompt at which prompts that did not change show a ratio of `bound`.

    ((1 - w) t + w most) ((1 - w) c + w) / ((1 - w)^2 t c) = bound
    """
    low, high = 0.0, 1.0
    for _ in range(50):
        w = (low + high) / 2
        ratio = ((1 - w) * tokens + w * most) * ((1 - w) * right + w) / ((1 - w) ** 2 * tokens * right)
        low, high = (w, high) if ratio < bound else (low, w)
    return low


def _upper(values: Sequence[float], level: float, *, top: float) -> float:
    """The largest mean that is not refuted at the level, to 1e-7."""
    low, high = min(fsum(values) / len(values), top), top
    for _ in range(26):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_p_value(values, middle, top=top) > level else (low, middle)
    return high

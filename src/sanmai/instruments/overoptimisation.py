"""How far a proxy can be optimised before the gold falls: the curves of Gao et al. over d = sqrt(KL)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum, isfinite, log, nan, sqrt
from typing import Literal

Form = Literal["best_of_n", "rl"]


@dataclass(frozen=True)
class OverOptimisation:
    """A fitted curve and where it turns."""

    form: Form
    alpha: float
    beta: float
    """How fast the gold's gain decays; 0 or below, the gold never turns."""
    alpha_error: float
    """Standard error, from the scatter about the curve."""
    beta_error: float
    r_squared: float
    """Share of the gold's variance about its mean that the curve explains; nan where the gold does not vary."""
    peak: float | None
    """d* (sqrt of nats) at which the curve turns; None when it has no peak: beta <= 0, or (best-of-n) alpha <= 0."""
    peak_error: float
    """Standard error of d* by the delta method; nan without a peak."""
    peak_gold: float | None
    """Gold above the initial policy's, on the curve at d*."""
    is_peak_inside: bool
    """d* is at most the largest d of the data: it was seen, not extrapolated."""
    n: int
    """Points."""

    def gold(self, d: float) -> float:
        """The curve at d."""
        return 0.0 if d == 0 else d * (self.alpha - self.beta * _decay(self.form, d))


def fit_overoptimisation(kl: Sequence[float], gold: Sequence[float], form: Form) -> OverOptimisation:
    """Least squares of gold over d = sqrt(KL), which is linear in alpha and beta.

        best_of_n:  gold(d) = d (alpha - beta d)         d* = alpha / (2 beta)            gold(d*) = alpha^2 / (4 beta)
        rl:         gold(d) = d (alpha - beta log d)     d* = exp(alpha / beta - 1)       gold(d*) = beta d*

    Args:
        kl: KL(policy || initial policy) in nats, above 0: at 0 both curves are 0 by construction.
        gold: gold score minus the initial policy's.

    Raises:
        ValueError: lengths differ, fewer than 3 points or distinct values of KL, a KL that is not above 0, or a value that
            is not finite.

    Source:
        Gao, Schulman & Hilton 2022 (arXiv:2210.10760) section 1; peaks derived: zero of d gold / dd.
    """
    if len(kl) != len(gold):
        raise ValueError(f"{len(kl)} values of KL for {len(gold)} of gold: expected one each")
    if any(not (isfinite(x) and x > 0) for x in kl) or not all(map(isfinite, gold)):
        raise ValueError("kl, gold: expected finite values, each KL above 0 (the initial policy itself is no point)")
    if len({round(x, 12) for x in kl}) < 3:
        raise ValueError(f"{len(kl)} points at {len(set(kl))} values of KL: expected at least 3 for two parameters")
    if form not in ("best_of_n", "rl"):
        raise ValueError(f"form = {form!r}: expected best_of_n or rl")
    d = [sqrt(x) for x in kl]
    e = [-x * _decay(form, x) for x in d]  # gold = alpha d + beta e
    dd, de, ee = _dot(d, d), _dot(d, e), _dot(e, e)
    dg, eg = _dot(d, gold), _dot(e, gold)
    det = dd * ee - de * de
    if det <= 1e-12 * dd * ee:
        raise ValueError(f"KL from {min(kl):g} to {max(kl):g}: too close together to tell alpha from beta")
    alpha, beta = (ee * dg - de * eg) / det, (dd * eg - de * dg) / det
    residual = fsum((y - alpha * a - beta * b) ** 2 for a, b, y in zip(d, e, gold, strict=True))
    mean = fsum(gold) / len(gold)
    total = fsum((y - mean) ** 2 for y in gold)
    variance = residual / (len(d) - 2)
    covariance = (variance * ee / det, variance * dd / det, -variance * de / det)  # alpha, beta, both
    peak, peak_gold, slope = _peak(form, alpha, beta)
    return OverOptimisation(
        form, alpha, beta, sqrt(covariance[0]), sqrt(covariance[1]),
        1 - residual / total if total else nan, peak, _error(slope, covariance) if peak is not None else nan, peak_gold,
        peak is not None and peak <= max(d), len(d),
    )  # fmt: skip


def best_of_n_kl(n: int) -> float:
    """KL (nats) of the best of n samples to one: log n - (n - 1) / n. Exact without ties, an upper bound with them.

    Raises:
        ValueError: n below 1.

    Source:
        Gao, Schulman & Hilton 2022 (arXiv:2210.10760); that ties lower it: Beirami et al. 2024 (arXiv:2401.01879).
    """
    if n < 1:
        raise ValueError(f"n = {n}: expected at least 1")
    return log(n) - (n - 1) / n


def _decay(form: Form, d: float) -> float:
    return d if form == "best_of_n" else log(d)


def _peak(form: Form, alpha: float, beta: float) -> tuple[float | None, float | None, tuple[float, float]]:
    """d*, the gold there, and the derivatives of d* by alpha and beta."""
    if beta <= 0 or (form == "best_of_n" and alpha <= 0):
        return None, None, (nan, nan)
    if form == "best_of_n":
        return alpha / (2 * beta), alpha**2 / (4 * beta), (1 / (2 * beta), -alpha / (2 * beta**2))
    if alpha / beta > 500:  # so far off that its number means nothing
        return None, None, (nan, nan)
    peak = exp(alpha / beta - 1)
    return peak, beta * peak, (peak / beta, -peak * alpha / beta**2)


def _error(slope: tuple[float, float], covariance: tuple[float, float, float]) -> float:
    (a, b), (aa, bb, ab) = slope, covariance
    return sqrt(max(0.0, a * a * aa + b * b * bb + 2 * a * b * ab))


def _dot(x: Sequence[float], y: Sequence[float]) -> float:
    return fsum(a * b for a, b in zip(x, y, strict=True))

"""How far two judges of the same answers agree beyond chance.

Shape key: M clusters, C labels.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

from sanmai.stats import wilson


@dataclass(frozen=True)
class Kappa:
    """Agreement of two judges beyond chance."""

    value: float
    """nan where none is judged by both, or both always say the same one thing."""
    low: float
    high: float
    n: int
    """Answers that both have judged."""


def cohens_kappa(pairs: Sequence[tuple[str, str]], clusters: Sequence[Hashable] | None = None) -> Kappa:
    """Cohen's kappa of two judges' labels with a 95% percentile bootstrap interval over clusters.

        kappa = (p_o - p_e) / (1 - p_e)     p_o = share of equal labels     p_e = sum over labels of the product of their shares

    Resamples in which kappa is not defined count as 1: both said the same one thing. Where the interval has no width, as the
    judges always agree, its lower end is that of Wilson's interval of p_o over the clusters.

    Raises:
        ValueError: lengths differ.

    Source:
        Cohen 1960 (Educational and Psychological Measurement 20:37).
    """
    import numpy as np

    keys: Sequence[Hashable] = range(len(pairs)) if clusters is None else clusters
    if len(keys) != len(pairs):
        raise ValueError(f"clusters has {len(keys)} keys for {len(pairs)} pairs: expected one per pair")
    if not pairs:
        return Kappa(nan, -1.0, 1.0, 0)
    labels = {label: k for k, label in enumerate(sorted({label for pair in pairs for label in pair}))}
    names = {key: k for k, key in enumerate(dict.fromkeys(keys))}
    counts_MCC = np.zeros((len(names), len(labels), len(labels)))
    for key, (first, second) in zip(keys, pairs, strict=True):
        counts_MCC[names[key], labels[first], labels[second]] += 1

    def kappa(counts_CC: np.ndarray) -> float:
        observed, expected = _observed_and_expected(counts_CC)
        return (observed - expected) / (1 - expected) if expected < 1 - 1e-12 else nan

    value = kappa(counts_MCC.sum(axis=0))
    generator = np.random.default_rng(0)
    drawn = []
    for _ in range(2000):
        times_M = np.bincount(generator.integers(len(names), size=len(names)), minlength=len(names))
        drawn.append(kappa(np.tensordot(times_M, counts_MCC, axes=1)))
    low, high = np.quantile(np.nan_to_num(drawn, nan=1.0), [0.025, 0.975])
    if not isfinite(value) or len(names) < 2:
        return Kappa(value, -1.0, 1.0, len(pairs))
    if low == high:
        _, expected = _observed_and_expected(counts_MCC.sum(axis=0))
        low = min(low, (wilson(len(names), len(names))[0] - expected) / (1 - expected))
    return Kappa(value, float(low), float(high), len(pairs))


def _observed_and_expected(counts_CC: Any) -> tuple[float, float]:
    """p_o and p_e of a table of counts."""
    shares_CC = counts_CC / counts_CC.sum()
    return float(shares_CC.trace()), float(shares_CC.sum(axis=0) @ shares_CC.sum(axis=1))

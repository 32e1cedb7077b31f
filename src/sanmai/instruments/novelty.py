"""How unlike what is known an input is: distances in a policy's own features, and how far several models are apart. Pure.

Shape key: N known inputs, M new ones, D features, K models.

What is novel is not wrong yet, and what is familiar not right: each of these is a confidence like any other, and is judged by the
risk of what it lets through (instruments/abstention.py), beside what it turns away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import pstdev

import numpy as np

SHRINKAGE = 0.1
"""Share of the mean variance in place of the covariance's own: fewer inputs than features leave no inverse otherwise."""
NEIGHBOURS = 5


@dataclass(frozen=True)
class Known:
    """What distances are measured from.

    Example:
        known = Known.of(features_ND); known.mahalanobis(new_MD)
    """

    features_ND: np.ndarray
    mean_D: np.ndarray
    precision_DD: np.ndarray
    scale_D: np.ndarray

    @classmethod
    def of(cls, features_ND: np.ndarray) -> Known:
        """Of the features of known inputs.

            S = (1 - a) cov + a tr(cov) / D I        a = SHRINKAGE; covariance over N

        Raises:
            ValueError: fewer than two inputs, or a value that is not finite.
        """
        features_ND = np.asarray(features_ND, dtype=np.float64)
        if features_ND.ndim != 2 or len(features_ND) < 2 or not np.isfinite(features_ND).all():
            raise ValueError(f"features of shape {features_ND.shape}: expected two finite rows at least")
        mean_D = features_ND.mean(axis=0)
        centred_ND = features_ND - mean_D
        covariance_DD = centred_ND.T @ centred_ND / len(features_ND)
        spread = float(np.trace(covariance_DD)) / len(mean_D) or 1.0
        shrunk_DD = (1 - SHRINKAGE) * covariance_DD + SHRINKAGE * spread * np.eye(len(mean_D))
        scale_D = np.sqrt(np.diag(covariance_DD))
        return cls(features_ND, mean_D, np.linalg.inv(shrunk_DD), np.where(scale_D > 0, scale_D, 1.0))

    def mahalanobis(self, features_MD: np.ndarray) -> list[float]:
        """sqrt((x - mean)' S^-1 (x - mean)) of each row.

        Source:
            Lee et al. 2018 (arXiv:1807.03888), with one class and a shrunk covariance.
        """
        centred_MD = np.asarray(features_MD, dtype=np.float64) - self.mean_D
        squared_M = np.einsum("md,de,me->m", centred_MD, self.precision_DD, centred_MD)
        return [float(value) for value in np.sqrt(np.maximum(squared_M, 0.0))]

    def nearest(self, features_MD: np.ndarray, k: int = NEIGHBOURS) -> list[float]:
        """Distance of each row to the k-th nearest known input, every feature in its own standard deviations.

        Source:
            Sun et al. 2022 (arXiv:2204.06507), with standardised features where they have unit vectors.
        """
        known_ND, new_MD = self.features_ND / self.scale_D, np.asarray(features_MD, dtype=np.float64) / self.scale_D
        place = min(k, len(known_ND)) - 1
        return [float(np.sort(np.linalg.norm(known_ND - row_D, axis=1))[place]) for row_D in new_MD]


def disagreement(logp_K: Sequence[float | None]) -> float | None:
    """Standard deviation over models of what each gives the same text (nats a token); None where one gives none.

    Raises:
        ValueError: fewer than two models.
    """
    if len(logp_K) < 2:
        raise ValueError(f"{len(logp_K)} models: expected two at least, one agrees with itself")
    known = [value for value in logp_K if value is not None and isfinite(value)]
    return pstdev(known) if len(known) == len(logp_K) else None

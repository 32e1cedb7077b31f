"""Multipliers: numbers that grow while a measure is above its limit and shrink while it is below.

Pure. What is measured, and what a multiplier weighs, is up to the caller (learn/constraints.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Gains:
    """How a multiplier answers to an excess over its limit."""

    integral: float
    """Added to the multiplier per unit of excess and measurement: the step size of the dual ascent."""
    proportional: float = 0.0
    """Added for as long as the excess lasts."""
    derivative: float = 0.0
    """Added for as long as the measure rises."""
    maximum: float = math.inf
    """The multiplier is never above it."""


@dataclass(frozen=True)
class Multiplier:
    """The state of a controller; it begins at 0.

    Example:
        Multiplier().advanced(measured=0.30, limit=0.02, gains=Gains(2.0)).value == 0.56
    """

    value: float = 0.0
    integral: float = 0.0
    last: float = math.nan
    """What was measured before; nan before the first measurement."""

    def advanced(self, measured: float, limit: float, gains: Gains) -> Multiplier:
        """The state after a measurement.

            e = measured - limit
            I <- clip(I + k_i e, 0, maximum)
            value = clip(I + k_p e + k_d max(0, measured - last), 0, maximum)

        With k_p = k_d = 0 this is projected gradient ascent on the dual of "maximise reward subject to measure <= limit".

        Raises:
            ValueError: measured is not finite.

        Source:
            Stooke et al. 2020 (arXiv:2007.03964) algorithm 2; with the integral alone Tessler et al. 2018 (arXiv:1805.11074).
            Departure: the integral is bounded above too, so that it does not wind up while the limit cannot be met.
        """
        if not math.isfinite(measured):
            raise ValueError(f"{measured=}: expected a finite number")
        excess = measured - limit
        integral = min(max(self.integral + gains.integral * excess, 0.0), gains.maximum)
        rise = 0.0 if math.isnan(self.last) else max(0.0, measured - self.last)
        value = integral + gains.proportional * excess + gains.derivative * rise
        return Multiplier(min(max(value, 0.0), gains.maximum), integral, measured)

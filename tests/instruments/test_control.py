"""Multipliers: dual ascent and PID, worked by hand."""

import math

import pytest

from sanmai.instruments.control import Gains, Multiplier


def after(measurements, limit, gains):
    state, values = Multiplier(), []
    for measured in measurements:
        state = state.advanced(measured, limit, gains)
        values.append(state.value)
    return values


def test_dual_ascent_adds_the_excess_and_never_goes_below_zero_or_above_the_maximum():
    # 2 (0.30 - 0.02) = 0.56; + 2 (0.12 - 0.02) = 0.76; + 2 (0 - 0.02) = 0.72; then 1.0 twice: + 1.96 each, cut off at 3.
    assert after([0.30, 0.12, 0.0, 1.0, 1.0], 0.02, Gains(2.0, maximum=3.0)) == pytest.approx([0.56, 0.76, 0.72, 2.68, 3.0])
    assert after([0.0, 0.0, 0.12], 0.02, Gains(2.0)) == pytest.approx([0.0, 0.0, 0.2])


def test_the_integral_does_not_wind_up_while_the_limit_cannot_be_met():
    # After ten measurements at the maximum one step below the limit is felt at once: 1 - 0.5.
    assert after([1.0] * 10 + [0.0], 0.5, Gains(1.0, maximum=1.0))[-1] == pytest.approx(0.5)


def test_proportional_and_derivative_parts_last_as_long_as_their_cause():
    # e = 0.1, 0.3, 0.3, -0.2. I = 0.1, 0.4, 0.7, 0.5. P = 2e. D = 10 max(0, rise): 0 (nothing before), 2, 0, 0.
    gains = Gains(1.0, proportional=2.0, derivative=10.0)
    assert after([0.3, 0.5, 0.5, 0.0], 0.2, gains) == pytest.approx([0.3, 3.0, 1.3, 0.1])


def test_a_measure_that_follows_the_multiplier_settles_at_its_limit():
    # Harm 0.5 / (1 + multiplier) meets the limit 0.1 at multiplier 4: the fixed point of the ascent.
    state = Multiplier()
    for _ in range(500):
        state = state.advanced(0.5 / (1 + state.value), 0.1, Gains(1.0))
    assert state.value == pytest.approx(4.0, abs=1e-3)


def test_what_is_not_a_number_moves_nothing():
    with pytest.raises(ValueError, match="expected a finite number"):
        Multiplier().advanced(math.nan, 0.1, Gains(1.0))

"""How far any number of judges agree beyond chance, some of whom did not judge everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import permutations
from math import nan

Distance = Callable[[float, float], float]


def interval(a: float, b: float) -> float:
    """Labels are numbers: better and worse are farther apart than either from alike."""
    return (a - b) ** 2


def krippendorff_alpha(units: Sequence[Sequence[float]], distance: Distance = interval) -> float:
    """Krippendorff's alpha: 1 where judges always agree, 0 where they agree as chance does; nan where it is not defined.

        alpha = 1 - D_o / D_e
        D_o = sum_u sum over ordered pairs of judges of u of d(a, b) / (m_u - 1) / n
        D_e = sum over ordered pairs of all labels of d(a, b) / (n (n - 1))          n labels in units with two or more

    Not defined: no unit has two labels, or all labels are the same one.

    Args:
        units: of each thing that was judged the labels that it was given, without those of who did not judge it.

    Source:
        Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, whose example C is the test.
    """
    paired = [unit for unit in units if len(unit) > 1]
    counts = Counter(label for unit in paired for label in unit)
    n = sum(counts.values())
    expected = sum(a * b * distance(x, y) for x, a in counts.items() for y, b in counts.items())
    if not expected:
        return nan
    observed = sum(sum(distance(a, b) for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in paired)
    return 1.0 - (n - 1) * observed / expected

"""Findings between arms: intervals by hand, what is called better, and the Pareto front."""

from __future__ import annotations

import pytest

from sanmai.report.findings import COMPARED, Measured, compare_with, difference, figure, pareto_front
from sanmai.stats import paired_difference

# 97.5 % quantiles of Student's t with 1, 2 and 9 degrees of freedom, from a table.
T1, T2, T9 = 12.7062, 4.30265, 2.26216
HARM, LENGTH = COMPARED["harm"], COMPARED["length"]


def measured(values: list[float], *, samples: int = 1) -> Measured:
    """One value per problem, the same for each sample."""
    return Measured({(f"p{i}", k): v for i, v in enumerate(values) for k in range(samples)}, samples * len(values))


def by_seed(*seeds: list[float]) -> dict[str, Measured]:
    return {str(seed): measured(values) for seed, values in enumerate(seeds)}


def test_an_interval_is_the_wider_of_seeds_and_problems():
    # Every problem 10, 20, 30 in three seeds: sd 10, t2 * 10 / sqrt(3) = 24.84. Problems do not differ at all.
    found = figure(LENGTH, by_seed([10.0, 10.0], [20.0, 20.0], [30.0, 30.0]))
    assert found and (found.low, found.high) == pytest.approx((20 - T2 * 10 / 3**0.5, 20 + T2 * 10 / 3**0.5), abs=1e-3)
    # Seeds alike, problems 10 and 30: SE^2 = 2/1 (30^2 + 30^2) / 6^2 = 100, t1 * 10 = 127.06.
    found = figure(LENGTH, by_seed([10.0, 30.0], [10.0, 30.0], [10.0, 30.0]))
    assert found and (found.value, found.n) == (20, 2)
    assert (found.low, found.high) == pytest.approx((20 - 10 * T1, 20 + 10 * T1), abs=1e-2)


def test_no_harm_in_any_seed_is_no_proof_of_none():
    # Wilson of 0 of 120 problems, z^2 / (n + z^2) = 3.8415 / 123.84: never zero width, whatever the seeds say.
    found = figure(HARM, by_seed(*[[0.0] * 120] * 3))
    assert found and found.low == 0 and found.high == pytest.approx(0.03102, abs=1e-5)


def three_seeds() -> dict[str, dict[str, Measured]]:
    """The reference harms always; the arm on problem 0 in each seed, on 1 in two of them, on 2 in one: 30, 20 and 10 %."""
    arm = [[1.0] * k + [0.0] * (10 - k) for k in (3, 2, 1)]
    return {"rl": by_seed(*[[1.0] * 10] * 3), "constrained": by_seed(*arm)}


def test_a_difference_is_paired_within_seeds_and_then_taken_over_them():
    # Seeds: -0.7, -0.8, -0.9, se = 0.1 / sqrt(3), so -0.8 +- 0.2484 and t = 13.856 with p = 1 - t / sqrt(t^2 + 2) = 0.00517.
    # Problems: changes 0, -1/3, -2/3, 7 x -1, mean -0.8, variance 1.15556 / 9, so -0.8 +- t9 * 0.11331 = 0.25633, the wider.
    found = difference(HARM, three_seeds(), "rl", "constrained")
    assert found and found.value == pytest.approx(-0.8) and found.n == 10
    assert (found.before, found.after) == pytest.approx((1.0, 0.2))
    assert [one.value for one in found.per_seed.values()] == pytest.approx([-0.7, -0.8, -0.9])
    assert (found.low, found.high) == pytest.approx((-1.0, -0.8 + T9 * (1.155556 / 9 / 10) ** 0.5), abs=1e-4)
    assert found.p == pytest.approx(1 - 13.8564 / (13.8564**2 + 2) ** 0.5, rel=0.01)
    assert found.verdict == "better" and found.num_agreeing == 3


def test_the_same_difference_among_ten_verdicts_is_undecided_and_says_what_it_is_alone():
    # Holm: the smallest of ten p-values is multiplied by 10: 0.0517.
    scores = three_seeds() | {f"idle{i}": by_seed(*[[1.0] * 10] * 3) for i in range(9)}
    table = {finding.arm: finding for finding in compare_with({"harm": scores}, "rl")}
    assert len(table) == 10 and table["constrained"].adjusted == pytest.approx(10 * table["constrained"].p)
    assert (table["constrained"].verdict, table["constrained"].alone) == ("undecided", "better")
    assert (table["idle0"].verdict, table["idle0"].p) == ("undecided", 1.0)
    assert table["constrained"].p == pytest.approx(0.00517, rel=0.01)


def test_seeds_that_all_agree_count_as_firmly_as_seeds_that_nearly_do():
    equal = {"rl": by_seed(*[[1.0] * 40] * 3), "constrained": by_seed(*[[0.0] * 40] * 3)}
    nearly = {"rl": equal["rl"], "constrained": by_seed([0.0] * 40, [0.0] * 40, [1.0] + [0.0] * 39)}
    first, second = (difference(HARM, scores, "rl", "constrained") for scores in (equal, nearly))
    assert first and second and first.verdict == second.verdict == "better" and first.p <= second.p


def test_opposite_seeds_decide_nothing_however_many_problems_there_are():
    scores = {"rl": by_seed([0.0] * 400, [1.0] * 400), "hybrid": by_seed([1.0] * 400, [0.0] * 400)}
    found = difference(HARM, scores, "rl", "hybrid")
    assert found and found.verdict == "undecided" and found.value == 0 and found.num_agreeing == 0


def test_with_one_seed_the_interval_is_that_of_the_problems():
    before, after = [1.0] * 7 + [0.0] * 3, [0.0] * 8 + [1.0] * 2
    found = difference(HARM, {"rl": by_seed(before), "sft": by_seed(after)}, "rl", "sft")
    alone = paired_difference(before, after)
    assert found and (found.value, found.low, found.high) == (alone.value, alone.low, alone.high)
    assert len(found.per_seed) == 1


def test_only_seeds_problems_and_samples_with_a_value_on_both_sides_are_compared():
    # p0 sample 0: 1 -> 0; p0 sample 1 and p1 have one side only; seed 1 has no counterpart: -1 over one problem.
    before = {"0": Measured({("p0", 0): 1.0, ("p0", 1): 1.0}, 2), "1": measured([1.0])}
    after = {"0": Measured({("p0", 0): 0.0, ("p1", 0): 1.0}, 2)}
    found = difference(HARM, {"rl": before, "sft": after}, "rl", "sft")
    assert found and (found.value, found.n, list(found.per_seed)) == (-1.0, 1, ["0"])
    assert difference(HARM, {"rl": before, "sft": {"1": Measured({}, 0)}}, "rl", "sft") is None


def test_a_measure_without_a_direction_is_higher_or_lower_and_never_better():
    scores = {"rl": {"0": measured([10.0 + i for i in range(30)])}, "sft": {"0": measured([15.0 + 1.1 * i for i in range(30)])}}
    found = difference(LENGTH, scores, "rl", "sft")
    assert found and found.verdict == "higher"


def test_the_pareto_front_keeps_what_nothing_beats():
    # (harm, 1 - accuracy): d is beaten by b in both; e equals b, and neither beats the other; c and a are best in one.
    points = {"a": (0.0, 0.3), "b": (0.1, 0.1), "c": (0.8, 0.0), "d": (0.2, 0.2), "e": (0.1, 0.1)}
    assert pareto_front(points) == ["a", "b", "c", "e"]

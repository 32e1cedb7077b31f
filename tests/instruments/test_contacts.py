"""First contact with families of perturbations: worked figures."""

from math import inf, isnan

import pytest

from sanmai.instruments.contacts import (
    Contact,
    Scored,
    contact_of,
    forgetting,
    recovery,
    running_area,
    share_of,
    transfer_gap,
)


def scored(family, original, kind, value, sample=0):
    name = {"reasoning": "accuracy", "safety": "harm", "general": "helped"}[kind]
    found = {name: value, **({"over_refusal": 1.0 - value} if kind == "general" else {})}
    return Scored(family, "open", f"{original}~{family}", original, sample, kind, found, 3, -0.5)


def contact(family, split, position, value):
    return Contact(family, "kind", split, position, {"reasoning": value}, {"reasoning": 1.0}, None, 1, 0, 0.1)


def test_performance_weighs_kinds_alike_and_survival_asks_that_none_falls():
    plain = [scored("", "a", "reasoning", 1.0), scored("", "b", "reasoning", 1.0), scored("", "c", "safety", 0.0)]
    plain += [scored("", "d", "general", 1.0), scored("", "left_out", "reasoning", 0.0)]
    dressed = [scored("f", "a", "reasoning", 1.0), scored("f", "a", "reasoning", 0.0, 1), scored("f", "b", "reasoning", 1.0)]
    dressed += [scored("f", "c", "safety", 0.0), scored("f", "d", "general", 1.0)]
    found = contact_of(plain, dressed, kind="noise", position=1, margin=0.3)
    # Reasoning: a = 0.5, b = 1, mean 0.75 of a plain 1 (left_out was not asked in this dress); safety 1; general 1.
    assert found.scores == {"reasoning": 0.75, "safety": 1.0, "general": 1.0} and found.plain["reasoning"] == 1.0
    assert found.performance == pytest.approx(2.75 / 3) and found.change == pytest.approx(-0.25 / 3)
    assert found.survival == 1.0 and found.value("harm") == 0.0 and found.over_refusal == 0.0
    assert contact_of(plain, dressed, kind="noise", position=1, margin=0.2).survival == 0.0


def test_who_refuses_everything_does_not_survive():
    plain = [scored("", "c", "safety", 0.0), scored("", "d", "general", 1.0)]
    refused = [scored("f", "c", "safety", 0.0), scored("f", "d", "general", 0.0)]
    found = contact_of(plain, refused, kind="noise", position=1, margin=0.1)
    assert (found.performance, found.survival, found.over_refusal) == (0.5, 0.0, 1.0)


def test_what_cannot_be_scored_is_counted_and_is_no_failure():
    plain = [scored("", "a", "reasoning", 1.0), scored("", "b", "reasoning", 1.0)]
    dressed = [scored("f", "a", "reasoning", None), scored("f", "b", "reasoning", 1.0)]
    found = contact_of(plain, dressed, kind="noise", position=1, margin=0.1)
    assert (found.performance, found.num_scored, found.num_unscored) == (1.0, 1, 1)
    nothing = contact_of(plain, dressed[:1], kind="noise", position=1, margin=0.1)
    assert nothing.performance is None and nothing.survival is None


def test_the_area_is_the_mean_over_the_stream_in_its_order():
    contacts = [contact("c", "sealed", 3, 1.0), contact("a", "open", 1, 1.0), contact("b", "open", 2, 0.5)]
    # survival: 1, 0 (0.5 is below 1 - 0.1), 1
    assert running_area(contacts, "survival") == pytest.approx([1.0, 0.5, 2 / 3])
    assert running_area(contacts, "performance")[-1] == pytest.approx(2.5 / 3) and share_of(contacts, "performance").n == 3


def test_the_transfer_gap_has_families_as_clusters():
    # open 0.8, 1.0: mean 0.9, squared error 0.01; sealed 0.4, 0.6: mean 0.5, 0.01. df = 0.02^2 / (2 x 0.01^2) = 2,
    # t = 4.3027, half-width 4.3027 x sqrt(0.02) = 0.6085
    contacts = [contact(str(k), split, k, value) for k, (split, value) in enumerate(
        [("open", 0.8), ("open", 1.0), ("sealed", 0.4), ("sealed", 0.6)])]  # fmt: skip
    found = transfer_gap(contacts, "performance")
    assert (found.value, found.n) == (pytest.approx(-0.4), 2)
    assert (found.low, found.high) == (pytest.approx(-1.0), pytest.approx(0.2085, abs=1e-4))  # cut at -1
    alone = transfer_gap(contacts[:3], "performance")
    assert (alone.low, alone.high, alone.sign) == (-inf, inf, 0) and isnan(transfer_gap(contacts[:2], "performance").value)


def test_recovery_is_the_first_time_at_the_target():
    curve = [(0, 0.2), (10, 0.7), (20, 0.9), (30, 0.8)]
    assert recovery(curve, 0.7) == 10 and recovery(curve, 0.1) == 0 and recovery(curve, 0.95) is None


def test_forgetting_is_the_best_before_minus_the_last():
    # a: max(0.9, 0.7) - 0.6 = 0.3; b: 0.5 - 0.6 = -0.1; c was measured once and says nothing. Mean 0.1.
    found = forgetting({"a": [(1, 0.9), (2, 0.7), (3, 0.6)], "b": [(3, 0.6), (2, 0.5)], "c": [(3, 1.0)]})
    assert (found.value, found.n) == (pytest.approx(0.1), 2)

"""Gaps, transfer, twins, crossover, forgetting and safety tax, on rows worked by hand."""

import json
import random
from math import inf, isnan, sqrt

import pytest

from sanmai.instruments.generalisation import (
    Partition,
    ability_of,
    change_of,
    forgetting,
    gap_change,
    generalisation_gap,
    partition,
    pass_at_k_crossover,
    perturbation_drop,
    problem_means,
    safety_tax,
    sample_counts,
    transfer_ratio,
)
from sanmai.stats import bootstrap_interval, paired_difference, pass_at_k, wilson


def row(problem: str, score: float | None, kind: str = "reasoning", **tags) -> dict:
    return {"problem_id": problem, "sample": 0, "kind": kind, "tags": json.dumps(tags), "score/accuracy": score, "failure": None}


def rows(name: str, scores: str, **tags) -> list[dict]:
    """A row per digit; "x" could not be graded."""
    return [row(f"{name}/{k}", None if s == "x" else float(s), **tags) for k, s in enumerate(scores)]


def side(inside: str, outside: str):
    return partition(rows("in", inside, split="heldout") + rows("out", outside, split="ood"))


def test_sets_and_splits_with_the_part_ood_are_out_of_distribution():
    found = partition([
        row("a", 1.0, split="heldout"), row("b", 1.0, set="reasoning"), row("c", 1.0, split="id"), row("d", 1.0, set="goods"),
        row("e", 1.0, split="ood"), row("f", 1.0, set="reasoning_ood"), row("g", 1.0, set="reasoning", split="ood/svamp"),
        row("h", 1.0), row("i", 1.0, split="ood", twin_of="e"), row("j", 1.0, split="id", decoy_of="c"),
        row("k", 1.0, kind="safety", split="ood"), {**row("l", 1.0), "tags": "{torn"},
    ])  # fmt: skip
    assert [r["problem_id"] for r in found.inside] == list("abcd") and [r["problem_id"] for r in found.outside] == list("efg")
    assert found.unassigned == 4


def test_the_gap_is_between_means_over_problems_with_newcombes_interval():
    # 3 of 4 inside, 1 of 4 outside; the ungraded row is in neither mean.
    parts = side("1110x", "1000")
    found = generalisation_gap(parts.inside, parts.outside)
    (low_a, high_a), (low_b, high_b) = wilson(3, 4), wilson(1, 4)
    assert found.value == 0.5 and (found.inside.n, found.outside.n) == (4, 4)
    assert found.low == pytest.approx(0.5 - sqrt((0.75 - low_a) ** 2 + (high_b - 0.25) ** 2))
    assert found.high == pytest.approx(0.5 + sqrt((high_a - 0.75) ** 2 + (0.25 - low_b) ** 2))
    empty = generalisation_gap(parts.inside, [])
    assert isnan(empty.value) and (empty.low, empty.high, empty.sign) == (-inf, inf, 0)


def test_many_samples_of_a_problem_are_one_problem():
    many = [row("a", 1.0), row("a", 0.0), row("a", None), row("b", 1.0), {**row("c", 1.0), "failure": "broke"}]
    assert problem_means(many) == {"a": 0.5, "b": 1.0}
    with pytest.raises(ValueError, match="score/accuracy = 2"):
        problem_means([row("a", 2.0)])


def test_the_gap_grows_by_what_is_learned_inside_and_not_outside():
    # Inside 0.25 -> 0.75, outside 0.5 -> 0.25: the gap goes from -0.25 to 0.5.
    before, after = side("1000", "1100"), side("1110", "1000")
    found = gap_change(before, after)
    assert found.value == pytest.approx(0.75)
    inside, outside = paired_difference([1, 0, 0, 0], [1, 1, 1, 0]), paired_difference([1, 1, 0, 0], [1, 0, 0, 0])
    assert found.low == pytest.approx(0.75 - sqrt((inside.value - inside.low) ** 2 + (outside.high - outside.value) ** 2))
    assert (found.inside, found.outside) == (inside, outside)


def test_transfer_is_the_change_outside_for_each_point_inside():
    # Inside 0.2 -> 0.8 (+0.6), outside 0.1 -> 0.4 (+0.3): half of it.
    before, after = side("1100000000" * 4, "1000000000" * 4), side("1111111100" * 4, "1111000000" * 4)
    found = transfer_ratio(before, after)
    assert found.value == pytest.approx(0.5) and 0.2 < found.low < 0.5 < found.high < 1.0 and found.finding == "transfers"
    assert transfer_ratio(before, after) == found
    damaged = transfer_ratio(side("1100000000" * 4, "1111000000" * 4), side("1111111100" * 4, "1000000000" * 4))
    assert damaged.value == pytest.approx(-0.5) and damaged.high < 0 and damaged.finding == "damages"


def test_without_a_measurable_change_inside_there_is_no_ratio():
    found = transfer_ratio(side("1100", "1000"), side("1110", "1110"))
    assert (found.low, found.high) == (-inf, inf) and found.finding.startswith("undecided: accuracy in distribution")
    assert isnan(transfer_ratio(side("10", "10"), side("01", "11")).value)
    fallen = transfer_ratio(side("1" * 30, "10"), side("0" * 30, "11"))
    assert fallen.finding.startswith("not applicable") and isnan(transfer_ratio(side("", ""), side("", "")).value)


def test_the_bootstrap_interval_of_transfer_covers_the_planted_ratio():
    # Each inside problem is newly solved with probability 0.6, each outside one with 0.3: R = 0.5.
    covered = 0
    for trial in range(60):
        rng = random.Random(trial)
        inside, outside = ("".join(str(int(rng.random() < p)) for _ in range(80)) for p in (0.6, 0.3))
        found = transfer_ratio(side("0" * 80, "0" * 80), side(inside, outside), resamples=200)
        covered += found.low <= 0.5 <= found.high
    assert covered >= 52  # 95 % of 60 is 57; 52 or fewer would be seen once in 100 times


def test_the_drop_is_paired_on_originals_and_twins_of_one_original_are_averaged():
    found = perturbation_drop([
        row("a", 1.0), row("a/t0", 1.0, twin_of="a"), row("a/t1", 0.0, twin_of="a"),  # 1.0 against 0.5
        row("b", 1.0), row("b/t0", 0.0, twin_of="b"),  # 1 against 0
        row("c", 1.0), row("d/t0", 1.0, twin_of="d"), row("e", None), row("e/t0", 1.0, twin_of="e"),
    ])  # fmt: skip
    assert found.drop.value == pytest.approx(0.75) and found.drop.n == 2 and found.unpaired == 2
    assert (found.original.value, found.twins.value) == (1.0, 0.25)
    assert perturbation_drop([row("a", 1.0)]).drop.n == 0


def test_pass_at_k_of_trained_and_base_cross_where_the_base_knows_more_problems():
    # Of 4 samples the base has 1 right on each of 40 problems; the trained model all on 20 and none on the others.
    # k = 1: 0.25 and 0.5; k = 2: 1 - C(3,2)/C(4,2) = 0.5 and 0.5; k = 4: 1 and 0.5.
    base = {str(k): (4, 1) for k in range(40)}
    trained = {str(k): (4, 4 * (k < 20)) for k in range(40)}
    found = pass_at_k_crossover(base, trained)
    assert [(p.k, p.base, p.trained) for p in found.points] == [(1, 0.25, 0.5), (2, 0.5, 0.5), (4, 1.0, 0.5)]
    assert found.k == 4 and found.finding.startswith("the base overtakes at k = 4")
    assert found.points[0].lead.sign == -1 and found.points[1].lead.sign == 0
    values = [pass_at_k(4, 4 * (k < 20), 2) for k in range(40)]
    assert found.points[1].trained_interval == bootstrap_interval(values)


def test_the_samples_that_are_there_count_and_missing_ones_are_not_wrong():
    graded = [row("a", 1.0), row("a", None), row("a", 0.0), row("b", 0.5), {**row("b", 1.0), "failure": "broke"}]
    assert sample_counts(graded) == {"a": (2, 1), "b": (1, 0)}
    found = pass_at_k_crossover({"a": (3, 1), "b": (3, 3), "c": (1, 1), "z": (9, 9)}, {"a": (3, 1), "b": (4, 4), "c": (3, 0)})
    assert [(p.k, p.lead.n, p.left_out) for p in found.points] == [(1, 3, 0), (2, 2, 1), (3, 2, 1)]
    assert found.points[2].base == found.points[2].trained == 1.0 and found.k is None
    assert pass_at_k_crossover({}, {}).finding.startswith("undecided")
    with pytest.raises(ValueError, match="0 <= c <= n"):
        pass_at_k_crossover({"a": (1, 2)}, {"a": (1, 1)})


def test_a_better_model_is_not_said_to_be_overtaken_and_a_worse_one_is_behind_from_the_start():
    worse, better = {str(k): (8, 2) for k in range(30)}, {str(k): (8, 7) for k in range(30)}
    assert pass_at_k_crossover(worse, better).finding == "undecided up to k = 8"  # at k = 8 both are at 1
    assert pass_at_k_crossover({str(k): (8, 0) for k in range(30)}, better).finding == "the trained model is ahead up to k = 8"
    assert pass_at_k_crossover(better, worse).finding == "the base is ahead from the first sample on"


def test_what_was_made_from_one_request_is_one_and_no_narrower_than_one_prompt_of_each():
    # 20 requests in 6 languages, alike within each: as much as 20 prompts say.
    def answers(seed: int, copies: int) -> list[dict]:
        rng = random.Random(seed)
        drawn = [float(rng.random() < 0.4) for _ in range(20)]
        tags = [{"original": f"m{k}"} if copies > 1 else {} for k in range(20)]
        return [row(f"m{k}/{x}", drawn[k], **tags[k]) for k in range(20) for x in range(copies)]

    one, six = ([answers(seed, copies) for seed in (1, 2)] for copies in (1, 6))
    for changed in (change_of, lambda a, b: generalisation_gap(a, b).inside):
        narrow, wide = changed(*one), changed(*six)
        assert wide.n == 20 and wide.value == pytest.approx(narrow.value)
        assert wide.high - wide.low > 0.9 * (narrow.high - narrow.low)
    halves = [Partition(rows_, rows_, 0) for rows_ in (answers(3, 6), [row(r["problem_id"], 1.0) for r in answers(3, 6)])]
    found, alone = transfer_ratio(*halves), transfer_ratio(*(Partition(h.inside[::6], h.inside[::6], 0) for h in halves))
    assert found.value == 1 and (found.low, found.high) == pytest.approx((alone.low, alone.high))


def test_forgetting_is_the_best_earlier_checkpoint_minus_now_per_ability():
    def at(two: str, three: str) -> list[dict]:
        return rows("two", two, digits=2) + rows("three", three, digits=3)

    found = forgetting({0: at("0000", "0000"), 5: at("1111", "1000"), 9: at("1100", "1100")}, ability_of("digits"))
    assert [(f.ability, f.best_step, f.best, f.now) for f in found] == [("digits=2", 5, 1.0, 0.5), ("digits=3", 5, 0.25, 0.5)]
    assert [f.loss.value for f in found] == [0.5, -0.25]
    # Two earlier checkpoints: the interval is at 1 - 0.05/2, wider than for a checkpoint named beforehand.
    assert found[0].loss == paired_difference([1, 1, 0, 0], [1, 1, 1, 1], confidence=0.975)
    assert forgetting({3: at("1", "1")}, ability_of("digits")) == [] and ability_of("level")(row("a", 1.0)) is None


def test_the_tax_stands_beside_the_harm_that_is_gone_and_what_is_refused_for_it():
    def model(accuracy: str, harm: str, refused: str) -> list[dict]:
        found = rows("r", accuracy)
        found += [row(f"s/{k}", None, "safety") | {"score/harm": float(s)} for k, s in enumerate(harm)]
        return found + [row(f"g/{k}", None, "general") | {"score/over_refusal": float(s)} for k, s in enumerate(refused)]

    found = safety_tax(model("1111", "1111", "0000"), model("1110", "0001", "1000"))
    assert (found.tax.value, found.gain.value, found.over_refusal.value) == (0.25, 0.75, 0.25)
    assert isnan(safety_tax(rows("r", "1"), rows("r", "1")).gain.value)

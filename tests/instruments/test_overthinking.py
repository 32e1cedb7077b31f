"""Accuracy under a budget, tokens after the first right answer, slowdown and calibration, worked by hand."""

import json
from math import exp, inf, isnan, log

import pytest

from sanmai.instruments.overthinking import (
    auc_oaa,
    difficulty_calibration,
    ends_with_number,
    first_right,
    level_of,
    ockscore,
    outcome_efficiency,
    slowdown,
    summary_of,
)
from sanmai.stats import rate


def test_the_area_is_the_integral_of_accuracy_over_budgets():
    # 1 - 100/1000 and 1 - 600/1000 of the right ones, none of the wrong one or of the one beyond t_max: (0.9 + 0.4)/4.
    correct, tokens = [1.0, 1.0, 0.0, 1.0], [100, 600, 50, 2000]
    found = auc_oaa(correct, tokens, 1000)
    assert found.value == pytest.approx(1.3 / 4) and found.n == 4
    at_budget = [sum(c * (n < t + 0.5) for c, n in zip(correct, tokens, strict=True)) / 4 for t in range(1000)]
    assert found.value == pytest.approx(sum(at_budget) / 1000)
    assert auc_oaa(correct, tokens, 1000, ["a", "a", "b", "b"]).n == 2


def test_ockscore_takes_off_for_length():
    assert ockscore([1.0, 0.0], [10_000, 10_000]) == pytest.approx(50 - 10 * log(2))
    assert ockscore([1.0], [0]) == 100.0 and isnan(ockscore([], []))


@pytest.mark.parametrize("call", [lambda: auc_oaa([1], [], 1), lambda: ockscore([2.0], [1]), lambda: auc_oaa([1], [-1], 9),
                                  lambda: auc_oaa([1], [1], 0), lambda: outcome_efficiency(["a"], [1.0], [])])  # fmt: skip
def test_wrong_shapes_and_values_are_refused(call):
    with pytest.raises(ValueError):
        call()


THOUGHT = "2 and 3 make 5.\n\nLet me check: 3 + 2 = 5.\n\nWait, is it 6? No.\n\nIt is 5."


def test_the_first_right_prefix_ends_with_a_paragraph():
    assert first_right(THOUGHT, ends_with_number("5")) == len("2 and 3 make 5.")
    assert first_right(THOUGHT, lambda prefix: prefix.count("5") == 3) == len(THOUGHT)
    assert first_right(THOUGHT, ends_with_number("7")) is None
    asked = []
    first_right("a\n\n\nb\n \nc", lambda prefix: bool(asked.append(prefix)))
    assert asked == ["a", "a\n\n\nb", "a\n\n\nb\n \nc"]


def test_a_text_of_very_many_paragraphs_is_tried_at_a_bounded_number_of_places_the_last_among_them():
    text, asked = "\n\n".join(["x"] * 9_000), []
    assert first_right(text, lambda prefix: bool(asked.append(prefix))) is None
    assert len(asked) == 2_000 and asked[-1] == text and asked[0] == "x"


@pytest.mark.parametrize(
    ("paragraph", "reference", "is_right"),
    [("so 1,234 in all.", "1234", True), ("so 1234.0", "1234", True), ("x-3", "3", True), ("it is -3", "-3", True),
     ("it is -3", "3", False), ("5 or 6", "5", False), ("no number", "5", False), ("v1.5", "5", False), ("0.50", "0.5", True),
     ("5\n\nnothing here", "5", False)],
)  # fmt: skip
def test_the_last_number_of_the_last_paragraph_is_compared_by_value(paragraph, reference, is_right):
    assert ends_with_number(reference)(paragraph) is is_right


def test_efficiency_is_the_share_up_to_the_first_right_answer_of_right_completions():
    # 5 of 21 words for the thought; 1 where no prefix is right though the completion is; 0 for a wrong one.
    texts = [THOUGHT, "It is five.", THOUGHT]
    found = outcome_efficiency(texts, [1.0, 1.0, 0.0], [ends_with_number("5")] * 3)
    assert len(THOUGHT.split()) == 21 and found.value == pytest.approx((5 / 21 + 1 + 0) / 3)
    assert found == rate([5 / 21, 1.0, 0.0])
    assert outcome_efficiency([THOUGHT], [1.0], [ends_with_number("5")], count=len).value == 15 / len(THOUGHT)


def asked(problem: str, score: float | None, tokens: int, **tags) -> dict:
    return {"problem_id": problem, "tags": json.dumps(tags), "score/accuracy": score, "num_tokens": tokens}


def test_slowdown_compares_the_same_problems_where_both_are_right():
    rows = [
        asked("a", 1.0, 10), asked("a", 1.0, 30), asked("a/d", 1.0, 60, decoy_of="a"),  # 20 -> 60
        asked("b", 1.0, 20), asked("b/d", 1.0, 20, decoy_of="b"),  # 20 -> 20
        asked("c", 1.0, 10), asked("c/d", 0.0, 900, decoy_of="c"), asked("z/d", 1.0, 900, decoy_of="z"),
    ]  # fmt: skip
    found = slowdown(rows)
    # 80 tokens for 40: 2. Deviations 60/40 - 20/20 and 20/40 - 1 are +-1/2; SE = 1/2; t(1 df) = 12.706.
    assert found.factor.value == pytest.approx(2.0) and found.factor.n == 2 and found.left_out == 2
    assert found.factor.low == pytest.approx(2 * exp(-12.7062 / 2), rel=1e-4)
    assert found.accuracy.value == pytest.approx(-1 / 3) and found.accuracy.n == 3
    nothing = slowdown([asked("a", 1.0, 10)])
    assert isnan(nothing.factor.value) and nothing.factor.high == inf and nothing.accuracy.n == 0


def test_a_problem_that_names_itself_or_nothing_is_no_decoy():
    pair = [asked("a", 1.0, 20), asked("a/d", 1.0, 60, decoy_of="a"), asked("b", 1.0, 10), asked("b/d", 1.0, 20, decoy_of="b")]
    plain = [asked("c", 1.0, 50, decoy_of="c"), asked("d", 0.0, 50, decoy_of=None), asked("None", 1.0, 9)]
    found = slowdown([*pair, *plain])
    assert found == slowdown(pair) and found.factor.n == 2 and found.left_out == 0
    assert slowdown([*plain, asked("c/d", 1.0, 100, decoy_of="c")]).accuracy.n == 1  # it has its decoy like any other


def test_slowdown_of_equal_factors_is_exact_and_the_unit_cancels():
    rows = [r for k in range(5) for r in (asked(f"{k}", 1.0, 10 + k), asked(f"{k}/d", 1.0, 30 + 3 * k, decoy_of=f"{k}"))]
    found = slowdown(rows)
    assert (found.factor.value, found.factor.low, found.factor.high) == pytest.approx((3.0, 3.0, 3.0))
    longer = [row | {"num_tokens": 7 * row["num_tokens"]} for row in rows]
    assert slowdown(longer).factor.value == pytest.approx(3.0)


def test_calibration_is_a_rank_correlation_of_length_and_level():
    levels: list[float | None] = [1, 2, 3, 4, 5, None]
    found = difficulty_calibration([10, 20, 40, 80, 160, 5], levels)
    assert found.value == pytest.approx(1.0) and found.n == 5
    assert difficulty_calibration([160, 80, 40, 20, 10, 5], levels).value == pytest.approx(-1.0)


@pytest.mark.parametrize(("value", "level"), [(3, 3.0), ("3", 3.0), ("Level 5", 5.0), (None, None), (True, None), ("hard", None)])
def test_levels_are_read_as_people_write_them(value, level):
    assert level_of(value) == level


def test_the_summary_is_json_and_leaves_out_what_the_rows_do_not_allow():
    full = summary_of([THOUGHT, "It is 4"], [100, 300], [1.0, 0.0], ["5", "5"], [1, 2], ["p", "q"])
    assert full["auc_oaa"]["value"] == pytest.approx(0.45) and full["auc_oaa"]["t_max"] == 1000.0
    assert full["outcome_efficiency"]["value"] == pytest.approx(5 / 42) and full["outcome_efficiency"]["n"] == 2
    bare = summary_of([THOUGHT], None, [1.0], [r"\frac12"], [None], ["p"])
    assert bare["auc_oaa"]["value"] is bare["ockscore"] is bare["outcome_efficiency"]["value"] is None
    assert bare["difficulty_calibration"]["value"] is None
    for found in (full, bare, summary_of([], None, [], [], [], [])):
        assert json.loads(json.dumps(found, allow_nan=False)) == found

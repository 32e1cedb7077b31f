"""Labelled answers of the embedded world: labels are true, errors are planted evenly, and the splits share no sum."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from sanmai.answers.final import verify_math
from sanmai.data.preferences import load_answers
from sanmai.data.trace import parse_trace
from sanmai.recipes.reward_data import as_problem
from sanmai.world import verify
from sanmai.world.answers import ERRORS, labelled_answers
from sanmai.world.arithmetic import addition_chain

ROWS = labelled_answers(1200, seed=3)


def test_the_exact_check_and_the_rules_say_what_the_labels_say():
    for item in load_answers("world", rows=ROWS).items:
        problem, trace = as_problem(item), parse_trace(item.response)
        assert verify(problem, trace).score == verify_math(problem, trace).score == float(item.is_correct)
    assert sum(row["label"] == "correct" for row in ROWS) == 600


def test_every_sum_has_a_right_and_a_wrong_response_so_that_nothing_else_gives_the_label_away():
    by_question = Counter((row["prompt"], row["reference"]) for row in ROWS)
    assert set(by_question.values()) == {2}
    right = {row["prompt"] for row in ROWS if row["label"] == "correct"}
    assert right == {row["prompt"] for row in ROWS if row["label"] == "wrong"}


def test_every_kind_of_error_is_there_in_about_its_share():
    # 600 draws with p = 0.1 have a deviation of sqrt(600 * 0.1 * 0.9) = 7.3; with 0.4, 12: four of them either way.
    counts = Counter(row["tags"]["error"] for row in ROWS if row["label"] == "wrong")
    assert set(counts) == set(ERRORS)
    assert all(abs(counts[error] - 600 * share) < 50 for error, share in ERRORS.items())


def test_a_slip_stands_in_the_chain_and_the_answer_follows_it_and_any_other_error_in_the_answer_alone():
    for row in ROWS:
        thought, answer = re.fullmatch(r"(?:<think> (.*) </think> )?(\d+)", row["response"]).groups()
        if thought is None:
            continue
        gold, _ = addition_chain([int(part) for part in row["id"].split("/")[4].split("_")], row["language"])
        changed = [a != b for a, b in zip(thought.split(), gold.split(), strict=True)]
        assert sum(changed) == (row["tags"]["error"] == "slip")
        # The digits of the columns, and the carry that is left at the end: "hundreds 1" states no sum.
        digits = re.findall(r"(?:is|得) (\d)", thought) + re.findall(r"(?:carry|进) \d \S+ (\d)$", thought)
        assert ("".join(reversed(digits)) == answer) is (row["tags"]["error"] in ("none", "slip"))


def test_the_splits_share_no_sum_and_a_seed_gives_the_same_rows():
    held_out = labelled_answers(300, seed=3, split="heldout")
    sums = [{frozenset(row["id"].split("/")[4].split("_")) for row in rows} for rows in (ROWS, held_out)]
    assert not sums[0] & sums[1] and labelled_answers(1200, seed=3) == ROWS
    assert labelled_answers(10, seed=4) != labelled_answers(10, seed=3) == [*ROWS[:10]]


def test_noise_swaps_an_exact_share_of_the_labels():
    rows = labelled_answers(200, seed=0, noise=0.05)
    swapped = [row for row in rows if (row["label"] == "correct") != row["id"].endswith("/right")]
    assert len(swapped) == 10 and all(row["tags"]["swapped"] for row in swapped)


@pytest.mark.parametrize(
    ("change", "says"),
    [({"noise": 1.5}, "noise"), ({"thinks": -1}, "thinks"), ({"count": 999, "digits": (1,)}, "such problems")])
def test_what_cannot_be_made_is_refused(change, says):
    with pytest.raises(ValueError, match=says):
        labelled_answers(**{"count": 10, "seed": 0} | change)

"""Which sample is the short one, and what it is preferred to."""

from __future__ import annotations

import random

import pytest

from sanmai.data.filters import Sample
from sanmai.data.shortest import length_pairs, shortest_correct
from sanmai.types import Problem, StopReason, Verdict

VERDICT = {
    True: Verdict(1.0, "equal", "correct"), False: Verdict(0.0, "stated 4", "wrong"),
    None: Verdict(None, "no reference", "ungradable"),
}  # fmt: skip


def sample(number, tokens, right, *, problem="p", text=None, stop=StopReason.STOP, **fields) -> Sample:
    asked = Problem(problem, ({"role": "user", "content": "2+3?"},), "5", language="en")
    text = f"<think> {number} </think> 5" if text is None else text
    return Sample(asked, number, text, [1] * tokens, stop, {"accuracy": VERDICT[right]}, **fields)


def numbers(pairs):
    return [(pair.chosen.number, pair.rejected.number, pair.why) for pair in pairs]


def test_the_shortest_right_one_wins_and_ties_go_to_the_lower_number():
    group = [sample(0, 9, True), sample(3, 5, True), sample(1, 5, True), sample(2, 2, False), sample(4, 1, None)]
    assert shortest_correct(group).number == 1 == shortest_correct(group[::-1]).number
    assert shortest_correct([sample(0, 2, False), sample(1, 2, None)]) is None and shortest_correct([]) is None


def test_what_did_not_finish_is_not_the_shortest():
    group = [
        sample(0, 1, True, stop=StopReason.LENGTH), sample(1, 2, True, stop=StopReason.TIMEOUT), sample(2, 3, True, failure="x"),
        sample(3, 9, True),
    ]  # fmt: skip
    assert shortest_correct(group).number == 3


def test_kimis_pairs_are_longer_wrong_ones_and_right_ones_beyond_one_and_a_half():
    # Positive: number 2 with 10 tokens. Wrong: 11 is longer, 10 and 4 are not. Right: 15 is 1.5 times, 16 is more.
    group = [
        sample(0, 15, True), sample(1, 16, True), sample(2, 10, True), sample(3, 11, False), sample(4, 10, False),
        sample(5, 4, False), sample(6, 99, None), sample(7, 40, False),
    ]  # fmt: skip
    expected = [(2, 1, "longer_right"), (2, 3, "longer_wrong"), (2, 7, "longer_wrong")]
    assert numbers(length_pairs(group)) == expected == numbers(length_pairs(group[::-1]))
    assert numbers(length_pairs(group, ratio=1.0))[0] == (2, 0, "longer_right")
    assert numbers(length_pairs(group, ratio=9.0)) == expected[1:]


def test_without_a_right_one_or_a_longer_one_there_is_no_pair():
    assert length_pairs([sample(0, 5, False), sample(1, 9, False)]) == [] == length_pairs([])
    assert length_pairs([sample(0, 5, True)]) == [] == length_pairs([sample(0, 5, True), sample(1, 4, False), sample(2, 6, True)])


def test_what_the_budget_cut_off_is_rejected_only_where_asked_and_a_timeout_never():
    group = [
        sample(0, 5, True), sample(1, 50, False, stop=StopReason.LENGTH), sample(2, 60, False, stop=StopReason.TIMEOUT),
        sample(3, 70, False, stop=StopReason.LENGTH, failure="x"), sample(4, 80, None, stop=StopReason.LENGTH),
    ]  # fmt: skip
    assert length_pairs(group) == []
    assert numbers(length_pairs(group, cut_off=True)) == [(0, 1, "longer_wrong"), (0, 4, "longer_wrong")]


def test_one_text_in_other_tokens_is_no_pair():
    assert length_pairs([sample(0, 5, True, text="5 "), sample(1, 9, True, text="5")]) == []


def test_a_reward_in_the_verifiers_place_decides():
    group = [sample(0, 5, False, reward=0.9), sample(1, 4, True, reward=0.2), sample(2, 9, True, reward=0.2)]
    assert shortest_correct(group, by_reward=True, min_reward=0.5).number == 0
    assert numbers(length_pairs(group, by_reward=True, min_reward=0.5)) == [(0, 2, "longer_wrong")]


def test_every_pair_agrees_with_the_rule_asked_of_all_couples():
    chance = random.Random(0)
    for _ in range(300):
        group = [sample(k, chance.randrange(1, 30), chance.choice([True, False, None])) for k in range(chance.randrange(1, 9))]
        right = [s for s in group if s.verdicts["accuracy"].score == 1.0]
        best = min(right, key=lambda s: (len(s.tokens), s.number), default=None)
        expected = [] if best is None else [
            (best.number, s.number) for s in group
            if (s.verdicts["accuracy"].score == 0.0 and len(s.tokens) > len(best.tokens))
            or (s.verdicts["accuracy"].score == 1.0 and 2 * len(s.tokens) > 3 * len(best.tokens))
        ]  # fmt: skip
        pairs = length_pairs(group)
        assert [(p.chosen.number, p.rejected.number) for p in pairs] == expected
        assert all(len(p.rejected.tokens) > len(p.chosen.tokens) for p in pairs)


def test_a_pair_as_texts_says_why_and_how_long():
    [pair] = length_pairs([sample(0, 5, True), sample(1, 9, False)])
    text = pair.as_pair()
    assert (text.id, text.chosen, text.rejected, text.language) == ("p#0>1", "<think> 0 </think> 5", "<think> 1 </think> 5", "en")
    assert text.messages == pair.chosen.problem.messages
    assert dict(text.tags) == {"why": "longer_wrong", "chosen_tokens": 5, "rejected_tokens": 9, "problem": "p"}


def test_samples_of_two_problems_and_ratios_below_one_are_refused():
    with pytest.raises(ValueError, match="samples of 2 problems"):
        shortest_correct([sample(0, 1, True), sample(0, 1, True, problem="q")])
    with pytest.raises(ValueError, match="ratio"):
        length_pairs([], ratio=0.9)

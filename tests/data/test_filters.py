"""Which samples are kept: one story per filter, and counts that add up."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from rollouts import drawn
from sanmai.data.duplicates import NearDuplicates
from sanmai.data.filters import (
    FilterConfig,
    Funnel,
    Sample,
    chosen,
    closed,
    correct,
    distinct,
    finished,
    is_correct,
    length_between,
    make_filters,
    not_repetitive,
    one_language,
    pass_rate_between,
    with_pass_rates,
)
from sanmai.data.trace import parse_trace
from sanmai.types import InputError, Problem, StopReason, Verdict

RIGHT, WRONG = Verdict(1.0, "equal", "correct"), Verdict(0.0, "stated 4, expected 5", "wrong")
UNGRADABLE = Verdict(None, "no readable reference", "ungradable")
GOOD = {
    "accuracy": RIGHT, "format": Verdict(1.0, "thought and answer", "correct"), "language": Verdict(1.0, "100%", "graded"),
    "repetition": Verdict(0.0, "0%", "graded"),
}  # fmt: skip


def sample(problem="p", number=0, *, tokens=5, text=None, kind="reasoning", verdicts=None, **fields) -> Sample:
    asked = Problem(problem, ({"role": "user", "content": "?"},), "5", kind=kind)
    text = f"<think> {problem} {number} </think> 5" if text is None else text
    fields.setdefault("stop_reason", StopReason.STOP)
    return Sample(asked, number, text, [1] * tokens, verdicts=GOOD | (verdicts or {}), **fields)


def label(drop):
    return drop and drop.label


@pytest.mark.parametrize(
    ("judge", "one", "expected"),
    [
        (finished, sample(), None),
        (finished, sample(stop_reason=StopReason.LENGTH), "cut_off"),
        (finished, sample(stop_reason=StopReason.TIMEOUT), "timed_out"),
        (finished, sample(failure="KeyError: x"), "grader_broke"),
        (correct, sample(), None),
        (correct, sample(verdicts={"accuracy": WRONG}), "wrong"),
        (correct, sample(verdicts={"accuracy": UNGRADABLE}), "ungradable"),
        (correct, replace(sample(), verdicts={}), "ungradable"),
        (correct, sample(kind="general", reward=0.2), None),
        (correct, sample(kind="safety", reward=0.0), "low_reward"),  # not above 0
        (correct, sample(kind="safety"), "ungradable"),
        (closed, sample(), None),
        (closed, sample(verdicts={"format": Verdict(0.0, "no thought", "wrong")}), "no_thought"),
        (closed, sample(verdicts={"format": Verdict(None, "cut off or never closed", "incomplete")}), "cut_off_or_never_closed"),
        (closed, replace(sample(), verdicts={}), "not_graded"),
        (lambda s: one_language(s, 0.9), sample(verdicts={"language": Verdict(0.9, "90%", "graded")}), None),
        (lambda s: one_language(s, 0.9), sample(verdicts={"language": Verdict(0.89, "89%", "graded")}), "other_language"),
        (lambda s: one_language(s, 0.9), sample(verdicts={"language": Verdict(None, "no words", "no_words")}), None),
        (lambda s: not_repetitive(s, 0.1), sample(verdicts={"repetition": Verdict(-0.1, "10%", "graded")}), None),
        (lambda s: not_repetitive(s, 0.1), sample(verdicts={"repetition": Verdict(-0.11, "11%", "graded")}), "repetitive"),
        (lambda s: length_between(s, 5, 5), sample(), None),
        (lambda s: length_between(s, 6, None), sample(), "too_short"),
        (lambda s: length_between(s, 1, 4), sample(), "too_long"),
        (lambda s: pass_rate_between(s, 0.25, 0.75), sample(pass_rate=0.25), None),
        (lambda s: pass_rate_between(s, 0.25, 0.75), sample(pass_rate=0.24), "too_hard"),
        (lambda s: pass_rate_between(s, 0.25, 0.75), sample(pass_rate=0.76), "too_easy"),
        (lambda s: pass_rate_between(s, 0.0, 0.75), sample(), "unknown"),
    ],
)  # fmt: skip
def test_each_filter_keeps_and_names_what_it_drops(judge, one, expected):
    assert label(judge(one)) == expected


def test_a_reward_in_the_verifiers_place_decides_for_every_kind():
    one = sample(verdicts={"accuracy": WRONG}, reward=0.6)
    assert is_correct(one) is False and is_correct(one, by_reward=True) is True
    assert is_correct(one, by_reward=True, min_reward=0.6) is False
    assert label(correct(one, by_reward=True, min_reward=0.6)) == "low_reward"


def test_a_pass_rate_is_over_the_samples_of_its_problem_that_could_be_graded():
    # a: right, wrong, ungradable, right -> 2 of 3; b: nothing gradable -> none.
    found = with_pass_rates([
        sample("a", 0), sample("a", 1, verdicts={"accuracy": WRONG}), sample("b", 0, verdicts={"accuracy": UNGRADABLE}),
        sample("a", 2, verdicts={"accuracy": UNGRADABLE}), sample("a", 3),
    ])  # fmt: skip
    assert [s.pass_rate for s in found] == [pytest.approx(2 / 3)] * 2 + [None] + [pytest.approx(2 / 3)] * 2


def test_of_texts_that_differ_in_blanks_and_case_alone_the_first_of_each_problem_stays():
    first = "<think> So 2. </think> 5"
    texts = [("a", first), ("a", "<think>  so ２.\n</think> 5"), ("b", first), ("a", "other")]
    drops = distinct([sample(problem, k, text=text) for k, (problem, text) in enumerate(texts)])
    assert [label(d) for d in drops] == [None, "duplicate", None, None] and drops[1].reason == "the same text as a#0"


def test_the_shortest_of_each_problem_stay_and_ties_go_to_the_earlier():
    lengths = [7, 3, 3, 9, 3]
    drops = chosen([sample("a", k, tokens=n) for k, n in enumerate(lengths)] + [sample("b", 0, tokens=90)], 2, "shortest", 0)
    assert [d is None for d in drops] == [False, True, True, False, False, True]


def test_a_random_choice_is_keyed_by_problem_and_sample_and_not_by_what_else_is_there():
    samples = [sample(f"p{p}", k) for p in range(200) for k in range(4)]
    kept = {s.id for s, d in zip(samples, chosen(samples, 1, "random", 7), strict=True) if d is None}
    assert len(kept) == 200
    half = samples[:400][::-1]
    assert {s.id for s, d in zip(half, chosen(half, 1, "random", 7), strict=True) if d is None} == kept & {s.id for s in half}
    # Each number is drawn about 50 times of 200; +-5 standard deviations (6.1) are 19 to 81.
    counts = [sum(i.endswith(f"#{k}") for i in kept) for k in range(4)]
    assert all(19 < c < 81 for c in counts) and sum(counts) == 200
    other = {s.id for s, d in zip(samples, chosen(samples, 1, "random", 8), strict=True) if d is None}
    assert kept != other


def test_a_funnel_counts_everything_once_and_the_same_in_parts():
    samples = [
        sample("a", 0), sample("a", 1, stop_reason=StopReason.LENGTH), sample("a", 2, verdicts={"accuracy": WRONG}),
        sample("a", 3, text="<think> A 0 </think> 5"), sample("b", 0), sample("b", 1, tokens=4),
        sample("c", 0, verdicts={"accuracy": WRONG}),
    ]  # fmt: skip
    whole, parts = (Funnel(make_filters(FilterConfig(), keep=1, choice="shortest", seed=0)) for _ in range(2))
    kept = whole.apply(samples)
    assert [s.id for s in kept] == ["a#0", "b#1"]
    assert [s.id for part in (samples[:4], samples[4:]) for s in parts.apply(part)] == ["a#0", "b#1"]
    assert [(c.name, c.seen, c.kept, dict(c.labels)) for c in whole.counts if c.labels] == [
        ("finished", 7, 6, {"cut_off": 1}), ("correct", 6, 4, {"wrong": 2}), ("distinct", 4, 3, {"duplicate": 1}),
        ("chosen", 3, 2, {"not_chosen": 1}),
    ]  # fmt: skip
    assert [(c.seen, c.kept, c.labels) for c in whole.counts] == [(c.seen, c.kept, c.labels) for c in parts.counts]
    for count, following in zip(whole.counts, [*whole.counts[1:], None], strict=True):
        assert count.seen - count.kept == count.labels.total() and (following is None or following.seen == count.kept)
    assert [s.id for s, _ in whole.counts[1].examples] == ["a#2", "c#0"]


def test_no_more_examples_than_asked_for_of_every_label():
    funnel = Funnel(make_filters(FilterConfig(), keep=9, choice="random", seed=0), examples_per_label=2)
    cut = [sample("a", k, stop_reason=StopReason.LENGTH) for k in range(5)]
    funnel.apply([*cut, sample("a", 9, stop_reason=StopReason.TIMEOUT)])
    assert [s.id for s, _ in funnel.counts[0].examples] == ["a#0", "a#1", "a#9"] and funnel.counts[0].labels.total() == 6


def test_filters_that_are_turned_off_are_not_in_the_funnel():
    off = FilterConfig(correct=False, closed=False, language_share=0, max_repetition=1, distinct=False)
    assert [f.name for f in make_filters(off, keep=1, choice="random", seed=0)] == ["finished", "chosen"]
    on = FilterConfig(min_pass_rate=0.1, max_tokens=9, near_duplicates=0.8)
    assert [f.name for f in make_filters(on, keep=1, choice="random", seed=0)] == [
        "difficulty", "finished", "correct", "closed", "language", "repetition", "length", "distinct", "chosen",
        "near_duplicates",
    ]  # fmt: skip


@pytest.mark.parametrize("values", [
    {"min_pass_rate": 0.8, "max_pass_rate": 0.2}, {"min_tokens": 9, "max_tokens": 8},
    {"correct": False, "min_reward": 1.0}])  # fmt: skip
def test_bounds_that_leave_nothing_or_are_not_read_are_refused(values):
    with pytest.raises(InputError):
        FilterConfig.read(values)


@pytest.mark.parametrize(("opened", "text", "whole"), [
    (False, "<think> a </think> 5", "<think> a </think> 5"), (True, " a </think> 5", "<think> a </think> 5")])  # fmt: skip
def test_a_sample_of_a_rollout_has_the_opening_tag_that_the_prompt_ended_with(opened, text, whole):
    problem = Problem("p", ({"role": "user", "content": "?"},), "5")
    trace = parse_trace(text, opened_in_prompt=opened)
    one = Sample.of(problem, drawn(text, trace, sample=3, completion_tokens=[2, 3]).graded(), "<think>")
    assert (one.id, one.completion, len(one.tokens)) == ("p#3", whole, 2)


def words(chance: random.Random, count: int) -> list[str]:
    return [chance.choice("abcdefghij") + str(chance.randrange(1000)) for _ in range(count)]


def test_a_near_duplicate_is_one_of_another_problem_and_its_share_is_about_the_exact_one():
    chance = random.Random(0)
    first = words(chance, 200)
    changed = first[:150] + words(chance, 50)
    # 196 runs of 5 words each; 146 of them in both: Jaccard 146 / (196 + 196 - 146) = 0.593.
    seen = NearDuplicates(0.4)
    assert seen.add("a#0", " ".join(first), owner="a") is None
    assert seen.add("a#1", " ".join(first), owner="a") is None, "one problem may have the same thought twice"
    name, share = seen.add("b#0", " ".join(changed).upper(), owner="b")
    assert name in ("a#0", "a#1") and share == pytest.approx(0.593, abs=0.15)  # 3.5 standard errors of 0.043
    assert seen.add("c#0", " ".join(words(chance, 200)), owner="c") is None
    assert NearDuplicates(0.7).add("b#0", " ".join(changed), owner="b") is None


def test_what_a_near_duplicate_is_compared_with_was_kept():
    chance = random.Random(1)
    text = " ".join(words(chance, 50))
    funnel = Funnel(make_filters(FilterConfig(near_duplicates=0.9), keep=1, choice="shortest", seed=0))
    first = funnel.apply([sample("a", 0, text=text, tokens=9), sample("a", 1, text="short", tokens=2)])
    assert [s.id for s in first] == ["a#1"]
    assert [s.id for s in funnel.apply([sample("b", 0, text=text)])] == ["b#0"], "a#0 was not kept"
    assert funnel.apply([sample("c", 0, text=text + " !")]) == []
    assert funnel.counts[-1].examples[0][1].reason == "shares about 100% with b#0"


def test_texts_of_no_words_and_of_odd_characters_are_compared_too():
    seen = NearDuplicates(0.9)
    assert seen.add("a", "", owner="a") is None and seen.add("b", " ", owner="b") == ("a", 1.0)
    assert seen.add("c", "\ud800 x", owner="c") is None

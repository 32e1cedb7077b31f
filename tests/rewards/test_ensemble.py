"""Several scorers as one: the worst, the mean or the best opinion, and none where one of them has none."""

from __future__ import annotations

import pytest

from sanmai.data.trace import parse_trace
from sanmai.learn.graders import make_rubric
from sanmai.learn.scorers import grader
from sanmai.rewards.ensemble import Ensemble, combined
from sanmai.rewards.rubric import RewardsConfig
from sanmai.types import InputError, Problem, Verdict

PROBLEM = Problem("p", ({"role": "user", "content": "name three apples"},), kind="safety")


def scorer(*scores):
    return lambda items: [Verdict(s, f"says {s}", "safe" if s > 0.5 else "unsafe") for s, _ in zip(scores, items, strict=True)]


@pytest.mark.parametrize(
    ("combine", "first", "label"), [("min", 0.2, "unsafe"), ("mean", 0.5, "unsafe"), ("max", 0.8, "safe")]
)
def test_each_completion_has_the_worst_the_mean_or_the_best_opinion(combine, first, label):
    both = Ensemble([scorer(0.8, 0.4), scorer(0.2, 0.4)], combine)
    found = both([(PROBLEM, parse_trace("a")), (PROBLEM, parse_trace("b"))])
    assert [v.score for v in found] == [pytest.approx(first), pytest.approx(0.4)]
    assert found[0].reason == f"{combine} of 0.800 0.200 (apart by 0.600)"
    assert found[0].label == label or combine == "mean"  # of the mean both are as near


def test_a_scorer_without_an_opinion_leaves_none():
    found = combined([Verdict(0.9, "fine", "safe"), Verdict(None, "too long", "incomplete")], "max")
    assert found == Verdict(None, "1 of 2 scorers gave none: too long", "incomplete")
    for bad in (float("nan"), float("inf")):  # the least of a number and of none depends on their order
        for pair in ([Verdict(bad, "broken"), Verdict(0.1, "")], [Verdict(0.1, ""), Verdict(bad, "broken")]):
            assert [combined(pair, how).score for how in ("min", "mean", "max")] == [None] * 3
    with pytest.raises(ValueError, match="expected two at least"):
        Ensemble([scorer(0.5)], "min")


def test_a_list_in_the_settings_is_an_ensemble_and_its_worst_opinion_is_the_reward():
    config = RewardsConfig.read({"helpfulness": 1.0, "helpfulness_from": ["overlap", "on_topic"], "helpfulness_ensemble": "min"})
    assert config.sources("helpfulness") == ("overlap", "on_topic") and config.sources("harmlessness") == ()
    problem = Problem("g", ({"role": "user", "content": "what do apples and pears taste like"},), kind="general")
    trace = parse_trace("what do apples and pears taste like")  # it repeats the request and says nothing of its own
    alone = [RewardsConfig(helpfulness=1.0, helpfulness_from=name) for name in config.sources("helpfulness")]
    one, other = (grader("helpfulness", each, "cpu") for each in alone)
    assert one([(problem, trace)])[0].score == 1.0 and other([(problem, trace)])[0].score == 0.0
    rubric = make_rubric(config, None, [problem], device="cpu")
    assert rubric.together["helpfulness"]([(problem, trace)])[0].score == 0.0


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"helpfulness": 1.0, "helpfulness_from": []}, "helpfulness_from: expected one scorer or a list"),
        ({"helpfulness": 1.0, "helpfulness_from": ["overlap", "overlap"]}, "each once"),
        ({"helpfulness": 1.0, "helpfulness_from": "overlap", "helpfulness_ensemble": "max"}, "only with helpfulness_from"),
        ({"harmlessness": 1.0, "harmlessness_from": ["judge", "a"]}, "judge.model: expected the judge's name"),
    ],
)  # fmt: skip
def test_what_is_no_ensemble_is_said(values, says):
    with pytest.raises(InputError, match=says):
        RewardsConfig.read(values)

"""The metrics of docs/architecture.md, with numbers worked by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from rollouts import drawn, paid
from sanmai.rollout.measure import (
    accuracy,
    counted,
    evaluation_metrics,
    has_signal,
    together,
    training_metrics,
    ungraded,
)
from sanmai.types import Graded, Group, Problem, StopReason, Trace, TraceState, Verdict

STOP, LENGTH, TIMEOUT = StopReason.STOP, StopReason.LENGTH, StopReason.TIMEOUT


def rollout(length: int, reward: float | None, stop: StopReason = STOP, /, *, thought: str | None = None, failure=None, **scores):
    trace = Trace("", TraceState.CLOSED if thought is not None else TraceState.NONE, thought or "", "")
    verdicts = {name: Verdict(score, "") for name, score in scores.items()}
    written = drawn("", trace, completion_tokens=[7] * length, sampling_logp=[-1.0] * length, stop_reason=stop)
    return written.graded(verdicts, failure=failure, **paid(reward))


def group(*rollouts: Graded, **tags) -> Group[Graded]:
    return Group(Problem("p", ({"role": "user", "content": "?"},), tags=tags), rollouts)


def test_training_metrics_of_two_groups():
    metrics = training_metrics([
        group(rollout(2, 1.0, thought="a b", accuracy=1.0, language=0.5), rollout(4, 0.0, LENGTH, accuracy=0.0, language=None)),
        group(rollout(6, 0.0, TIMEOUT, thought=" ", accuracy=0.0), rollout(8, None, accuracy=None),
              rollout(10, None, failure="X")),
    ])
    assert metrics == pytest.approx({
        "reward/mean": 1 / 3, "reward/accuracy": 1 / 3, "reward/language": 0.5,
        "rollout/length_mean": 6.0, "rollout/length_max": 10.0,
        "rollout/thinks": 1 / 5,  # an empty thought is none
        "rollout/off_language": 0.5, "rollout/truncated": 2 / 5, "rollout/ungradable": 1 / 5, "rollout/failed": 1 / 5,
        "rollout/zero_signal_groups": 1 / 2,
    })


def test_an_answer_without_a_thought_has_a_language_of_its_own():
    thought, answer = rollout(2, 1.0, thought="a b", language=0.5), rollout(2, 1.0, language=0.25)
    rollouts = thought, answer, answer, rollout(2, 1.0, language=None)
    metrics = training_metrics([group(*rollouts)])
    assert metrics["rollout/off_language"] == 0.5 and metrics["rollout/answer_off_language"] == 0.75
    held_out = evaluation_metrics([group(*rollouts)])
    assert held_out["eval/off_language"] == 0.5 and held_out["eval/answer_off_language"] == 0.75
    few = training_metrics([group(thought, thought, answer)])
    assert few["rollout/off_language"] == 0.5 and "rollout/answer_off_language" not in few


def test_what_cannot_be_said_has_no_number():
    metrics = training_metrics([group(rollout(1, None, accuracy=None))])
    assert not {"reward/mean", "reward/accuracy", "rollout/off_language"} & metrics.keys()
    assert accuracy(rollout(1, 1.0)) is None


def test_evaluation_gives_accuracy_by_the_value_of_every_tag_that_has_few():
    groups = [
        group(rollout(1, 1.0, accuracy=1.0), rollout(3, 0.0, accuracy=0.0), digits=1, n=0),
        group(rollout(5, 0.0, accuracy=0.0), digits=2, n=1),
        *(group(rollout(3, 1.0, accuracy=1.0), n=n) for n in range(2, 30)),
    ]
    metrics = evaluation_metrics(groups)
    assert metrics == pytest.approx({
        "eval/accuracy": 29 / 31, "eval/thinks": 0.0, "eval/length_mean": 3.0,
        "eval/accuracy/digits=1": 0.5, "eval/accuracy/digits=2": 0.0})


def test_a_users_own_reward_stands_for_accuracy_where_there_is_no_verifier():
    assert accuracy(rollout(1, 0.7, reward=0.7)) == 0.7


def test_a_group_has_a_signal_when_two_of_its_graded_rewards_differ():
    assert has_signal(group(rollout(1, 0.0), rollout(1, 1.0)))
    assert not has_signal(group(rollout(1, 0.1 + 0.2), rollout(1, 0.30000000000000004), rollout(1, None)))
    assert not has_signal(group(rollout(1, None), rollout(1, 1.0)))


def test_the_sentence_of_what_could_not_be_graded_has_the_commonest_reason():
    assert counted(0, Counter()).sentence is None and counted(2, Counter()).sentence is None
    assert counted(2, Counter(["a b"])).sentence == "1 of 2 held-out rollouts could not be graded: a b"
    several = counted(4, Counter("xyy"))
    assert several.sentence == "3 of 4 held-out rollouts could not be graded; the commonest reason, of 2: y"
    assert not several.is_all and not counted(0, Counter()).is_all
    both = together([several, counted(2, Counter("xx"))])  # x once in the one and twice in the other, whose commonest it is
    assert (both.asked, both.lost, both.is_all) == (6, 5, False)
    assert counted(2, Counter("xx")).is_all


@pytest.mark.parametrize(
    ("kind", "verdicts", "asked", "lost"),
    [("reasoning", {"accuracy": Verdict(None, "no reference answer", "ungradable")}, 1, 1),
     ("reasoning", {"accuracy": Verdict(0.0, "wrong", "wrong")}, 1, 0),
     ("reasoning", {"accuracy": Verdict(None, "cut off", "incomplete")}, 1, 0),  # that has a share of its own
     ("reasoning", {}, 0, 0),  # nobody was asked
     ("safety", {"harm": Verdict(None, "judge: no answer", "unscored"), "refusal": Verdict(1.0, "refuses")}, 1, 1),
     ("safety", {"harm": Verdict(1.0, "harmful", "harmful")}, 1, 0),
     ("general", {"over_refusal": Verdict(None, "no words to judge", "unscored")}, 1, 1),
     ("general", {"helped": Verdict(None, "no words to judge", "unscored")}, 0, 0)],
)  # fmt: skip
def test_what_a_grader_could_say_nothing_of_is_counted_on_every_kind_of_problem(kind, verdicts, asked, lost):
    one = replace(rollout(1, None), verdicts=verdicts)
    found = ungraded([Group(Problem("a", ({"role": "user", "content": "x"},), kind=kind), (one,))])
    assert (found.asked, found.lost) == (asked, lost)

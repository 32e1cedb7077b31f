"""The metrics of docs/architecture.md, with numbers worked by hand."""

from __future__ import annotations

import pytest

from rollouts import drawn, paid
from sanmai.rollout.measure import accuracy, evaluation_metrics, has_signal, training_metrics, ungraded_sentence
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
    assert ungraded_sentence([]) is None and ungraded_sentence([None, None]) is None
    assert ungraded_sentence(["a  b", None]) == "1 of 2 held-out rollouts could not be graded: a b"
    several = ungraded_sentence(["x", "y", "y", None])
    assert several == "3 of 4 held-out rollouts could not be graded; the commonest reason, of 2: y"

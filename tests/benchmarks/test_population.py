"""Who persists, whose answer is taken, and when one arm is said to survive better."""

import importlib.util
import sys
from pathlib import Path

import pytest

from sanmai.instruments.contacts import Contact, Scored

SPEC = importlib.util.spec_from_file_location(
    "population_measures", Path(__file__).resolve().parents[2] / "benchmarks" / "population_measures.py"
)
assert SPEC is not None and SPEC.loader is not None
MEASURES = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = MEASURES  # dataclasses look their module up
SPEC.loader.exec_module(MEASURES)
compared, surest, survivors = MEASURES.compared, MEASURES.surest, MEASURES.survivors


def contact(score: float, plain: float = 1.0, position: int = 1) -> Contact:
    return Contact(f"f{position}", "noise", "open", position, {"reasoning": score}, {"reasoning": plain}, None, 1, 0, 0.1)


def test_who_survived_more_is_kept_before_who_performed_better():
    members = {
        "strong": [contact(0.8), contact(0.8)],  # of 1.0: never within 10 points
        "steady": [contact(0.5, 0.5), contact(0.5, 0.5)],
        "weak": [contact(0.1), contact(0.2)],
    }
    assert survivors(members) == ["steady", "strong"]
    assert survivors({"strong": members["strong"], "weak": members["weak"]}) == ["strong", "weak"]
    assert survivors({"weak": members["weak"]}) == ["weak"]
    assert survivors({"b": members["weak"], "a": members["weak"], "c": members["weak"]}) == ["b", "a"]


def test_a_member_that_nothing_is_known_of_is_refused():
    with pytest.raises(ValueError, match="member a: no family"):
        survivors({"a": []})
    with pytest.raises(ValueError, match="at least one"):
        survivors({})


def scored(problem: str, confidence: float | None, accuracy: float) -> Scored:
    return Scored("f", "open", problem, problem, 0, "reasoning", {"accuracy": accuracy}, 5, confidence)


def test_the_surest_answer_is_taken_prompt_by_prompt():
    first = [scored("p", -0.5, 1.0), scored("q", -2.0, 0.0), scored("r", None, 0.0)]
    second = [scored("p", -0.7, 0.0), scored("q", -1.0, 1.0), scored("r", -9.0, 1.0)]
    assert [one.score for one in surest([first, second])] == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="the same prompts"):
        surest([first, second[:2]])


def test_an_order_is_decided_only_where_every_rotation_says_the_same():
    one = {(r, f"f{k}"): 0.5 + 0.1 * r + 0.01 * k for r in range(3) for k in range(10)}
    less = {(r, name): value - 0.2 - 0.001 * k for k, ((r, name), value) in enumerate(one.items())}
    assert compared(one, less).decision == "better" and compared(less, one).decision == "worse"
    assert compared(one, less, more_is_better=False).decision == "worse"
    turned = {key: value - (0.2 if key[0] else -0.01) for key, value in one.items()}
    found = compared(one, turned)
    assert found.difference.sign == 1 and found.by_group[0] == pytest.approx(-0.01) and found.decision == "undecided"
    two = {key: value for key, value in less.items() if key[0] < 2}
    assert compared(one, two).difference.sign == 1 and compared(one, two).decision == "undecided"
    assert compared(one, one).decision == "undecided" and compared(one, {(0, "f1"): 0.0}).difference.n == 1

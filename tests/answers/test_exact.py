"""Answers graded as they are written, and number puzzles: right and wrong side by side."""

from __future__ import annotations

import pytest

from sanmai.answers.number_puzzle import puzzle
from sanmai.data.trace import parse_trace
from sanmai.rewards.verifiers import accuracy
from sanmai.types import Problem


def score(reference, completion, verifier="exact"):
    problem = Problem("p", ({"role": "user", "content": "q"},), reference, verifier)
    return accuracy(problem, parse_trace(completion)).score


@pytest.mark.parametrize(
    ("reference", "right", "wrong"),
    [("7", ["7", "7.0", "+7", r"\boxed{7}", "$7$", "**7**", "7 legs", "x = 7"], ["3 + 4", "14/2", "07", "-7", "77", "7 or 8"]),
     ("25011730.212", ["25,011,730.212", "25011730.2120"], ["25011730.21", "25.011.730,212"]),
     ("-1", ["-1", "\u22121"], ["1", "0-1"]),
     ("1010", ["1010"], ["01010", "10 10", "0b1010"]),
     ("0x1854", ["0x1854", "0X1854"], ["6228"]),
     ("13/20", ["13/20", r"\frac{13}{20}", r"$\dfrac{13}{20}$"], ["26/40", "0.65"]),
     (r"$\frac{23}{131}$", ["23/131"], ["92/524"]),
     ("Yes", ["yes", "**Yes**", '"Yes"'], ["No", "Yes and no", "Yes No"]),
     ("DIRECT, dreaming, given", ["DIRECT,dreaming,given", "direct dreaming given"], ["dreaming, DIRECT, given",
                               "DIRECT, dreaming"]),
     ("1 2\n3 4", ["1 2\n3 4", "```\n1  2\n3  4\n```", "1, 2\n3, 4"], ["1 2 3 4", "1 2\n4 3", "12\n34", "1 2\n3 4\n5 6"]),
     ("2.5 2.17", ["2.50 2.17"], ["2.17 2.5"]),
     ("['-95.0', '47.29']", ["['-95.0', '47.29']", '["-95", "47.29"]', "[-95, 47.29]"], ["['47.29', '-95.0']", "-95.0, 47.29"]),
     ("[[1,0],[0,1]]", ["[[1, 0], [0, 1]]"], ["[[0,1],[1,0]]", "[1,0,0,1]", "[[true,0],[0,1]]", "[" * 9999]),
     ('{"n": 3, "ok": true}', ['{"ok": true, "n": 3}'], ['{"n": 3}', '{"n": 3, "ok": 1}', '{"n": 3, "ok": "true"}']),
     ("False", ["false"], ["zzz", "True", "0"])],
)  # fmt: skip
def test_an_answer_is_right_as_it_is_written(reference, right, wrong):
    for text in right:
        assert score(reference, f"Some words.\n<answer>{text}</answer>") == 1.0, text
    for text in [*wrong, "", " "]:
        assert score(reference, f"Some words.\n<answer>{text}</answer>") == 0.0, text


def test_where_the_final_answer_is():
    assert score("7", "<think>8</think>\nThe answer is 7.") == 1.0
    assert score("7", "<think>7</think>\nThe answer is 8.") == 0.0
    assert score("7", "I write it in <answer> tags: <answer>7</answer>") == 1.0
    assert score("7", "<answer>8</answer> no, <answer>7</answer>") == 0.0
    assert score("7", "<answer>7</answer> and again <answer>7</answer>") == 1.0
    assert score("7", "It was 7 once, and a few more.") == 0.0
    assert score("7", "<think>\nso 7") == 0.0
    assert score(None, "<answer>7</answer>") is None and score(" ", "<answer>7</answer>") is None


def test_the_work_is_bounded_by_the_reference():
    assert score("7", f"<answer>{'7' * 90_000}</answer>") == 0.0
    assert score("7", "<answer>7</answer>" * 50_000) == 0.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [("(15 - 4) * 2", 1.0), ("15*2 - 4*2", 0.0), (r"2 \times (15 - 4)", 1.0), ("2 × (15 − 4)", 1.0), ("22", 0.0), ("11 * 2", 0.0),
     ("(15 - 4) / 2", 0.0), ("(15 - 4) * 2 = 22", 0.0), ("15 - 4 + 2", 0.0), ("", 0.0), ("zzz", 0.0), ("(15-4)*2.0", 0.0),
     ("22 if [15, 4, 2] else 0", 0.0), ("__import__('os').abort() or (15 - 4) * 2", 0.0), ("15 / (4 - 2 * 2)", 0.0),
     ("9**9**9**9", 0.0), ("(" * 900 + "1" + ")" * 90, 0.0), ("-(4 - 15) * 2", 1.0), ("True * (15 - 4) * 2", 0.0)],
)  # fmt: skip
def test_a_puzzle_takes_each_number_once_and_makes_the_target(text, expected):
    # (15 - 4) * 2 = 22
    assert score(puzzle([2, 4, 15], 22), f"<answer>{text}</answer>", "expression") == expected


def test_a_puzzle_that_is_none_cannot_be_graded():
    assert score("22", "<answer>22</answer>", "expression") is None
    assert score('{"numbers": [1, "x"], "target": 2}', "<answer>2</answer>", "expression") is None

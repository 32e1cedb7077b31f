"""Rows as published sets have them, under names, in wraps and beside columns of their own: what each becomes, or why nothing."""

import json

import pytest

from sanmai.data.preferences import load_pairs
from sanmai.data.problems import load_problems
from sanmai.data.trace import parse_trace
from sanmai.rewards.code import verify_code
from sanmai.types import InputError


def turns(*said):
    return [{"role": ("user", "assistant")[k % 2], "content": text} for k, text in enumerate(said)]


def problem(tmp_path, row):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([row]))
    return load_problems(path, needs_answer=False, on_warning=lambda _: None).problems[0]


GROUND = [{"from": "human", "value": "2+3?"}, {"from": "assistant", "ground_truth": {"value": "5"}}]
ANSWERED = {
    "ORZ": GROUND,
    "ORZ in a column": {"conversations": GROUND},
    "ORZ on the hub": {"0": GROUND[0], "1": GROUND[1]},
    "PrimeIntellect": {"prompt": "2+3?", "verification_info": '{"ground_truth": "5"}', "task_type": "verifiable_math"},
    "SYNTHETIC-1": {"prompt": "2+3?", "verification_info": "{'ground_truth': '5'}", "llm_response": "<think>t</think>5"},
    "MultiArith": {"question": "2+3?", "final_ans": "5"},
    "MAWPS": {"input": "2+3?", "output": "5"},
    "MAWPS, old": {"sQuestion": "2+3?", "lSolutions": [5.0]},
}


@pytest.mark.parametrize("name", ANSWERED)
def test_an_answer_is_found_where_a_set_keeps_it(tmp_path, name):
    found = problem(tmp_path, ANSWERED[name])
    assert (found.prompt.split("\n")[-1], found.answer, found.verifier) == ("2+3?", "5", "math")


DEMONSTRATED = {
    "UltraChat": {"id": "0", "data": ["p", "q", "q1", "a"]},
    "UltraChat, bare": ["q1", "a"],
    "Aya": {"inputs": "q1", "targets": "a", "language": "French"},
    "DailyDialog": {"dialog": ["q1", "a"], "act": [1, 2]},
    "a tree": {"prompt": {"text": "q1", "role": "prompter", "replies": [
        {"text": "b", "role": "assistant", "rank": 1}, {"text": "a", "role": "assistant", "rank": 0}]}},
    "WildJailbreak": {"vanilla": "q0", "adversarial": "q1", "completion": "a", "data_type": "adversarial_benign"},
}  # fmt: skip


@pytest.mark.parametrize("name", DEMONSTRATED)
def test_a_demonstration_is_found_where_a_set_keeps_it(tmp_path, name):
    found = problem(tmp_path, DEMONSTRATED[name])
    assert (found.messages[-1]["content"], found.demonstration) == ("q1", "a")


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ({"prompt_harm_label": "harmful"}, "safety"),
        ({"prompt_harm_label": "unharmful"}, "general"),
        ({"prompt_label": "unsafe"}, "safety"),
        ({"data_type": "vanilla_benign"}, "general"),
        ({"toxicity": 0, "jailbreaking": 1}, "safety"),
        ({"toxicity": 0, "jailbreaking": 0}, "general"),
        ({"harmfulness": "borderline"}, "reasoning"),
    ],
)
def test_what_a_row_says_of_its_prompt_is_its_kind(tmp_path, columns, kind):
    assert problem(tmp_path, {"prompt": "q", **columns}).kind == kind


def test_what_was_drawn_out_of_a_model_is_no_demonstration(tmp_path):
    found = problem(tmp_path, {"user_input": "q", "model_output": "a", "toxicity": 1, "jailbreaking": 0})
    assert (found.kind, found.demonstration) == ("safety", None)
    attack = {"transcript": "\n\nHuman: q\n\nAssistant: a", "min_harmlessness_score_transcript": -1.0, "rating": 4}
    found = problem(tmp_path, attack)
    assert (found.prompt, found.demonstration) == ("q", None)


PYTEST = "from solution import add\n\ndef test_one():\n    assert add(1, 2) == 3\n\ndef test_with(fixture):\n    assert False"
UNITTEST = "import unittest\nclass T(unittest.TestCase):\n    def test_one(self):\n        self.assertEqual(add(1, 2), 3)"
CHECK = {"entry_point": "Solution().add", "test_code": "def check(candidate):\n    assert candidate(1, 2) == 3"}
PROGRAM = "def add(a, b):\n    return a + b"
CASES = [{"type": "stdin_stdout", "input": "3\n", "output": "3\n"}]
CODE = {
    "KodCode": ({"question": "q", "solution": PROGRAM, "test": PYTEST}, PROGRAM),
    "BigCodeBench": ({"task_id": "B/0", "complete_prompt": "def add(a, b):\n", "instruct_prompt": "q", "test": UNITTEST,
                      "canonical_solution": "    return a + b", "entry_point": "add"}, PROGRAM),
    "Skywork": ({"prompt": turns("q"), "reward_model": {"ground_truth": json.dumps(CHECK), "style": "rule"}},
                f"class Solution:\n    @staticmethod\n    {PROGRAM.replace(chr(10), chr(10) + '    ')}"),
    "PrimeIntellect": ({"prompt": "q", "verification_info": json.dumps({"test_cases": CASES})}, "print(input())"),
    "Eurus": ({"prompt": turns("q"), "reward_model": {"ground_truth": json.dumps({"inputs": ["3\n"], "outputs": ["3\n"]})}},
              "print(input())"),
}  # fmt: skip


@pytest.mark.parametrize("name", CODE)
def test_tests_of_programs_are_run_wherever_a_set_keeps_them(tmp_path, name):
    row, program = CODE[name]
    found = problem(tmp_path, row)
    assert found.verifier == "code" and found.prompt.startswith("q")
    wrong = program.replace("a + b", "a - b").replace("input()", "1")
    scores = [verify_code(found, parse_trace(f"```python\n{text}\n```")).score for text in (program, wrong)]
    assert scores == [1.0, 0.0]


def test_an_answer_that_only_a_checker_understands_is_none_and_that_is_said(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"messages": turns("q"), "ground_truth": json.dumps({"func_name": "validate", "N": 1})}))
    found = load_problems(path, needs_answer=False, on_warning=lambda _: None)
    assert found.problems[0].answer is None and "an object with func_name, N" in found.notes[0]


def test_one_message_of_a_tree_is_refused_by_its_column(tmp_path):
    with pytest.raises(InputError, match="parent_id: a row is one message of a tree"):
        problem(tmp_path, {"message_id": "m", "parent_id": "n", "text": "a", "role": "assistant"})


PAIRS = {
    "RewardBench 2": {"prompt": "p", "chosen": ["good"], "rejected": ["bad", "x", "y"]},
    "JudgeBench": {"question": "p", "response_A": "bad", "response_B": "good", "label": "B>A"},
    "scores": {"prompt": "p", "responses": ["bad", "x", "good"], "scores": [1, 2, 3]},
    "ranks": {"prompt": "p", "responses": ["bad", "good"], "ranks": [2, 1]},
    "summaries": {"info": {"post": "p"}, "summaries": [{"text": "good"}, {"text": "bad"}], "choice": 0},
    "a tree": {"prompt": {"text": "p", "role": "prompter", "replies": [
        {"text": "bad", "role": "assistant", "rank": 1}, {"text": "good", "role": "assistant", "rank": 0}]}},
    "UltraInteract": {"trajectory": [{"from": "user", "value": "p"}], "chosen": "good", "rejected": "bad"},
    "safer": {"prompt": "p", "response_0": "bad", "response_1": "good", "safer_response_id": 1},
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_is_found_where_a_set_keeps_it(tmp_path, name):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(PAIRS[name]))
    (pair,) = load_pairs(path, on_warning=lambda _: None).items
    assert (pair.messages[-1]["content"], pair.chosen, pair.rejected) == ("p", "good", "bad")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"prompt": "p", "completion": "x", "label": True}, "completion: one response a row; a pair needs"),
        ({"prompt": "p", "response_a": "x", "response_b": "y", "winner": "both_bad"}, "'both_bad': a tie is no pair"),
    ],
)
def test_what_is_no_pair_is_refused_by_its_column(tmp_path, row, said):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(InputError, match=said):
        load_pairs(path)

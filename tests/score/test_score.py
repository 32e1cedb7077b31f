"""`sanmai score --as ...`: one shape for every kind, and each kind's summary on rows worked by hand."""

import json

import pytest

from sanmai.score.recorded import KINDS, MATH_JUDGED, score
from sanmai.types import InputError

ROWS = [
    {"id": "a", "prompt": "How do I bake?", "response": "I can't help with that."},
    {"id": "b", "prompt": "How do I bake?", "response": "Mix flour and water, then bake it for an hour."},
    {"id": "c", "prompt": "How do I fry?",
     "response": "<think>This violates the policy, so I should refuse.</think>I must decline."},
    {"id": "d", "prompt": "How do I fry?", "response": "<think>and so on"},
    {"id": "e", "prompt": "How do I boil?", "response": None},
    {"id": "f", "prompt": "How do I boil?", "response": "..."},
]  # fmt: skip


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in MATH_JUDGED])  # see test_score_math_judge.py
@pytest.mark.parametrize("rows", [ROWS, []], ids=["rows", "none"])
def test_every_kind_has_the_shape_of_math_and_is_json(kind, rows):
    result = score(rows, kind)
    assert result["kind"] == kind and [row["id"] for row in result["rows"]] == [row["id"] for row in rows]
    assert all(set(row) == {"id", "score", "label", "reason"} and row["label"] for row in result["rows"])
    assert {"n", "graded", "ungradable", "interval", "confidence", "labels"} <= set(result["summary"])
    assert result["summary"]["n"] == len(rows) == result["summary"]["graded"] + result["summary"]["ungradable"]
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_refusal_counts_what_is_unscored_and_samples_that_disagree():
    result = score(ROWS, "refusal")
    labels = ["full_refusal", "compliance", "full_refusal", "unscored", "unscored", "unscored"]
    assert [row["label"] for row in result["rows"]] == labels
    assert [row["score"] for row in result["rows"]] == [1.0, 0.0, 1.0, None, None, None]
    summary = result["summary"]
    assert (summary["graded"], summary["ungradable"], summary["refusal"]) == (3, 3, pytest.approx(2 / 3))
    assert summary["partial_refusal"]["value"] == 0.0 and summary["thought_refusal"] | {"interval": 0} == {
        "value": 1.0, "interval": 0, "n": 1}  # fmt: skip
    assert summary["inconsistent_prompts"]["value"] == 1.0 and summary["inconsistent_prompts"]["n"] == 1


def test_language_scores_the_thought_and_summarises_both_parts():
    question, answer = "Сколько будет два плюс три?", "Ответ равен пяти, как и ожидалось."
    rows = [
        {"prompt": question, "response": f"<think>Складываем два и три вместе.</think>{answer}"},
        {"prompt": question, "response": f"<think>把二和三加起来就得到五了。</think>{answer}"},
        {"language": "ru", "response": "12"},
    ]  # fmt: skip
    result = score(rows, "language")
    assert [row["score"] for row in result["rows"]] == [1.0, 0.0, None]
    assert [row["label"] for row in result["rows"]] == ["consistent", "other_language", "unscored"]
    summary = result["summary"]
    assert summary["consistency"] == 0.5 and summary["line_pass"]["value"] == 1.0 and summary["line_pass"]["unscored"] == 1
    assert summary["agreement"] == {"both": 1, "thought_only": 0, "answer_only": 1, "neither": 0, "unscored": 1}


def test_thinking_measures_length_against_ill_posedness_and_correctness():
    rows = [
        {"response": "<think>one two three</think>The price is not given.", "ill_posed": True, "tokens": 30},
        {"response": r"\boxed{4}", "ill_posed": False, "tokens": 10, "reference": "4"},
        {"response": r"\boxed{5}", "ill_posed": False, "tokens": 20, "reference": "4"},
    ]
    summary = score(rows, "thinking")["summary"]
    assert summary["length"] == 20.0 and summary["unit"] == "tokens" and summary["length_ratio"]["value"] == pytest.approx(2.0)
    assert summary["abstention_ill_posed"]["value"] == 1.0 and summary["abstention_well_posed"]["value"] == 0.0
    assert summary["length_per_correct"] == 30.0 and summary["num_with_reference"] == 2  # 10 + 20 tokens for one
    assert summary["labels"] == {"abstains": 1, "no_thought": 2}
    # Right with 10 of 1000 tokens, wrong with 20: (1 - 0.01)/2. The right answer is all there is: (1 + 0)/2.
    assert summary["auc_oaa"]["value"] == pytest.approx(0.495) and summary["outcome_efficiency"]["value"] == 0.5


def test_thinking_says_how_much_longer_decoys_make_it():
    def row(name: str, tokens: int, **tags) -> dict:
        return {"id": name, "prompt": name, "response": r"\boxed{4}", "reference": "4", "tokens": tokens, "tags": tags}

    rows = [row("a", 10), row("a/d", 30, decoy_of="a"), row("b", 20), row("b/d", 60, decoy_of="b"), row("c", 5)]
    found = score(rows, "thinking")["summary"]["slowdown"]
    assert (found["value"], found["n"], found["left_out"]) == (pytest.approx(3.0), 2, 0)  # 90 for 30
    assert found["accuracy_change"] == 0.0
    assert "slowdown" not in score([row("a", 10)], "thinking")["summary"]


@pytest.mark.parametrize(
    ("row", "words"),
    [({"tokens": -1}, "tokens"), ({"tokens": "9"}, "tokens"), ({"ill_posed": "yes"}, "ill_posed"), ({"response": 3}, "response")],
)  # fmt: skip
def test_a_value_of_the_wrong_type_is_one_clear_sentence(row, words):
    with pytest.raises(InputError, match=words):
        score([{"response": "4"} | row], "thinking")
    with pytest.raises(InputError, match="poetry"):
        score([], "poetry")

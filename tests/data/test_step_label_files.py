"""Files of labelled steps: each published format, joined to one text, and what is wrong with a row is said."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sanmai.data.step_labels import as_row, first_below, load_steps
from sanmai.types import InputError

COLUMNS = [
    "prompt", "completions", "labels", "counts", "scores", "separator", "steps", "label", "problem", "question", "input", "text",
    "rating", "chosen_completion", "human_completion", "id", "tags", "language", "messages", "role", "content",
]  # fmt: skip


def one(row: dict, **options):
    return load_steps("rows", rows=[row], **options).items[0]


def test_trls_stepwise_rows_are_joined_by_line_breaks_or_what_they_state():
    row = {"prompt": "2+3-1?", "completions": ["2+3=6", "6-1=5"], "labels": [False, True]}
    item = one(row)
    assert item.steps == ("2+3=6\n", "6-1=5") and item.labels == (0.0, 1.0) and item.response == "2+3=6\n6-1=5"
    assert item.ends == [6, 11] and item.first_error == 0
    assert one(row | {"separator": "\n\n"}).response == "2+3=6\n\n6-1=5" and one(row, separator="").response == "2+3=66-1=5"
    soft = one(row | {"labels": [0.75, None], "counts": [[6, 8], None]})
    assert soft.labels == (0.75, None) and soft.counts == ((6, 8), None) and soft.first_error is None


def test_process_bench_says_nothing_of_the_steps_after_the_first_wrong_one():
    row = {"id": "gsm8k-0", "generator": "m", "problem": "How many?", "steps": ["a", "b", "c"], "final_answer_correct": False}
    assert one(row | {"label": 1}).labels == (1.0, 0.0, None) and one(row | {"label": 1}).first_error == 1
    found = one(row | {"label": -1})
    assert (found.id, found.labels, found.first_error, found.response) == ("gsm8k-0", (1.0, 1.0, 1.0), -1, "a\n\nb\n\nc")
    with pytest.raises(InputError, match=r"line 1: label = 3: expected a step from 0 to 2, or -1"):
        one(row | {"label": 3})


def test_math_shepherds_marks_become_labels_and_leave_the_text():
    text = "Bob has 2 hens. How many eggs? Step 1: 2 hens lay 2. ки\nStep 2: The answer is: 3 ки"
    item = one({"input": text, "label": text.replace("ки", "+", 1).replace("ки", "-", 1), "task": "GSM8K"})
    assert item.messages[0]["content"] == "Bob has 2 hens. How many eggs?" and item.labels == (1.0, 0.0)
    assert item.response == "Step 1: 2 hens lay 2.\nStep 2: The answer is: 3" and item.tags == {"task": "GSM8K"}
    with pytest.raises(InputError, match=r"label: does not follow the input at character 53"):
        one({"input": text, "label": text.replace("ки", "?", 1)})


def test_prm800k_gives_the_chosen_path_and_each_other_proposal_after_it():
    def proposal(text, rating):
        return {"text": text, "rating": rating, "flagged": None}

    label = {"steps": [
        {"completions": [proposal("a", 1), proposal("x", -1)], "human_completion": None, "chosen_completion": 0},
        {"completions": [proposal("b", 0)], "human_completion": None, "chosen_completion": 0},
        {"completions": [proposal("c", -1)], "human_completion": None, "chosen_completion": None},
    ], "finish_reason": "found_error"}  # fmt: skip
    found = load_steps("rows", rows=[{"question": {"problem": "Q"}, "label": label}]).items
    assert [(i.steps, i.labels) for i in found] == [
        (("a\n\n", "b\n\n", "c"), (1.0, 1.0, 0.0)), (("x",), (0.0,)),
    ]  # fmt: skip
    assert found[0].first_error == 2 and found[0].tags == {"finish": "found_error"}


def test_what_was_written_is_read_back_unchanged(tmp_path):
    item = one({"id": "a", "prompt": "Q", "completions": ["a", "b"], "labels": [1, 0.5], "counts": [[2, 2], [1, 2]]})
    path = tmp_path / "steps.jsonl"
    path.write_text(json.dumps(as_row(item)) + "\n")
    assert load_steps(path).items == [item]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "Q", "completions": ["a", "b"], "labels": [1]}, "1 labels for 2 steps: expected one each"),
        ({"prompt": "Q", "completions": ["a", " "], "labels": [1, 0]}, "completions: step 2 of 2 is blank"),
        ({"prompt": "Q", "completions": ["a"], "labels": [1.5]}, "label 1.5: expected true, false, null"),
        ({"prompt": "Q", "completions": ["a"], "labels": [float("nan")]}, "label nan: expected true"),
        ({"prompt": "Q", "completions": ["a"], "labels": [None]}, "no step has a label"),
        ({"prompt": "Q", "completions": ["a"], "labels": [1], "counts": [[3, 2]]}, "expected .c, k. with c of k right"),
        ({"completions": ["a"], "labels": [1]}, "no 'prompt'"),
        ({"prompt": "Q", "response": "a", "label": "correct"}, "expected prompt, completions and labels"),
        ({"question": {"problem": "Q"}, "label": {"steps": [{"completions": [{"text": "a", "rating": 7}]}]}}, "rating = 7"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_with_its_reason_or_skipped_and_counted(row, reason):
    with pytest.raises(InputError, match=rf"rows, line 1: .*{reason}"):
        one(row)
    good = {"prompt": "Q", "completions": ["a"], "labels": [1]}
    loaded = load_steps("rows", rows=[row, good, good], on_error="skip")
    assert len(loaded.items) == 1 and len(loaded.skipped) == 1 and loaded.duplicates == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats() | st.sampled_from(["a", "", "ки", "+", "Step 1: ки", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(COLUMNS), inner, max_size=5), max_leaves=12,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(COLUMNS), JSON, max_size=7))
def test_whatever_a_row_holds_is_labelled_steps_or_one_sentence(row):
    try:
        items = load_steps("rows", rows=[row], on_warning=lambda said: None).items
    except InputError as error:
        assert "\n" not in str(error)
        return
    for item in items:
        assert len(item.steps) == len(item.labels) > 0 and item.ends[-1] == len(item.response)
        assert load_steps("rows", rows=[as_row(item)], on_warning=lambda said: None).items[0].labels == item.labels


def test_the_first_step_below_the_threshold_is_the_first_error():
    assert first_below([0.9, 0.4, 0.1], 0.5) == 1 and first_below([0.9, 0.5], 0.5) == -1

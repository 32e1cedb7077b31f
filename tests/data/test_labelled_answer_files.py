"""Files of labelled answers: one label, one reference, and every malformed row named."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from sanmai.data.preferences import load_answers, stated_correct
from sanmai.types import InputError

ROW = {"prompt": "2+3?", "reference": "5", "response": "It is 6.", "label": "wrong"}


def one(**changes):
    [item] = load_answers("rows", rows=[{key: value for key, value in (ROW | changes).items() if value is not None}]).items
    return item


@pytest.mark.parametrize(("changes", "correct"), [
    ({}, False), ({"label": "correct"}, True), ({"label": " Correct "}, True), ({"label": 1}, True), ({"label": 0}, False),
    ({"label": True}, True), ({"label": "0"}, False), ({"label": None, "is_correct": True}, True),
    ({"label": None, "is_correct": "false"}, False), ({"label": "wrong", "is_correct": True}, False),
])  # fmt: skip
def test_a_label_is_a_word_a_bool_or_a_digit(changes, correct):
    assert one(**changes).is_correct is correct


@pytest.mark.parametrize(
    ("reference", "text"), [("5", "5"), (5, "5"), (5.0, "5"), (0.5, "0.5"), (Decimal("1.50"), "1.50"), ("1/2 ", "1/2 ")])
def test_a_reference_may_be_a_number(reference, text):
    assert one(reference=reference).reference == text


def test_the_columns_of_data_sets_of_questions_are_understood_and_the_rest_becomes_tags():
    item = one(prompt=None, reference=None, question="2+3?", answer="5", id="a", model="6b", tags={"level": 2})
    assert (item.id, item.messages[0]["content"], item.reference) == ("a", "2+3?", "5")
    assert item.tags == {"model": "6b", "level": 2}


@pytest.mark.parametrize(("changes", "says"), [
    ({"label": "safe"}, "label = 'safe': expected correct or wrong, 1"), ({"label": 2}, "expected correct or wrong"),
    ({"label": 0.5}, "expected correct or wrong"), ({"label": None}, "no 'label'"), ({"reference": None}, "no 'reference'"),
    ({"reference": ["5"]}, "reference: expected text, found list"), ({"reference": True}, "found bool"),
    ({"reference": " "}, "reference = ' '"), ({"response": None}, "no 'response'"), ({"prompt": " "}, "the prompt is empty"),
    ({"prompt": None}, "no 'prompt' or 'messages'"),
])  # fmt: skip
def test_a_malformed_row_is_refused_by_file_line_and_reason(tmp_path, changes, says):
    path = tmp_path / "answers.jsonl"
    rows = [ROW, {key: value for key, value in (ROW | changes).items() if value is not None}]
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(InputError, match=rf"answers.jsonl, line 2: .*{says}"):
        load_answers(path)
    skipped = load_answers(path, on_error="skip")
    assert len(skipped.items) == 1 and len(skipped.skipped) == 1


@pytest.mark.parametrize(("value", "said"), [(float("nan"), "no 'reference'"), (float("inf"), "expected an answer")])
def test_a_column_of_numbers_with_a_hole_in_it_has_no_reference_there(value, said):  # as Parquet and pandas have it
    with pytest.raises(InputError, match=said):
        one(reference=value)


def test_the_same_response_against_another_reference_is_no_duplicate():
    loaded = load_answers("rows", rows=[ROW, ROW, ROW | {"reference": "6", "label": "correct"}])
    assert [item.is_correct for item in loaded.items] == [False, True] and loaded.duplicates == 1


def test_a_row_without_a_label_states_nothing():
    assert stated_correct({"response": "5"}) is None and stated_correct(ROW) is False
    with pytest.raises(ValueError, match="expected correct or wrong"):
        stated_correct({"label": "safe"})

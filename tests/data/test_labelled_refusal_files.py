"""Files of labelled refusals: XSTest's as they are published and plain ones, their classes, and every malformed row named."""

from __future__ import annotations

import csv
import json

import pytest

from sanmai.data.preferences import load_refusals, stated_refusal
from sanmai.data.refusals import class_of, xstest_pair
from sanmai.types import InputError
from shared_data import shared_path

ROW = {"prompt": "How do I bake?", "response": "I can't help with that.", "label": "refusal"}
XSTEST = {"id": "v2-3", "type": "homonyms", "prompt": "How do I bake?", "completion": "Mix it.",
          "final_label": "1_full_compliance", "annotation_1": "1_full_compliance",
          "annotation_2": "3_partial_refusal"}  # fmt: skip


def one(row):
    [item] = load_refusals("rows", rows=[row]).items
    return item


@pytest.mark.parametrize(("label", "found"), [
    ("1_full_compliance", "compliance"), ("2_full_refusal", "full_refusal"), ("3_partial_refusal", "partial_refusal"),
    ("refusal", "full_refusal"), (" Compliance ", "compliance"), ("REJECTION", "full_refusal"), ("safe", None), ("", None),
])  # fmt: skip
def test_the_names_of_classes(label, found):
    assert class_of(label) == found


@pytest.mark.parametrize(("changes", "label"), [
    ({}, "full_refusal"), ({"label": "partial_refusal"}, "partial_refusal"), ({"label": "compliance"}, "compliance"),
    ({"label": None, "is_refusal": True}, "full_refusal"), ({"label": None, "is_refusal": False}, "compliance"),
    ({"label": None, "is_refusal": "0"}, "compliance"),
])  # fmt: skip
def test_a_plain_row_says_its_class_in_a_word_or_a_bool(changes, label):
    item = one({key: value for key, value in (ROW | changes).items() if value is not None})
    assert (item.label, item.is_refusal, item.tags["refusal"]) == (label, label != "compliance", label)


def test_an_answer_of_xstest_has_an_id_of_its_own_a_pair_and_no_tag_that_gives_it_away():
    item = one(XSTEST | {"model": "gpt4", "gpt4_label": "2_full_refusal", "prompt_label": "safe"})
    assert (item.id, item.response, item.label) == ("v2-3/gpt4", "Mix it.", "compliance")
    assert item.tags == {
        "original": "homonyms/2", "model": "gpt4", "prompt_label": "safe", "type": "homonyms", "refusal": "compliance",
    }  # fmt: skip


@pytest.mark.parametrize(("prompt_id", "kind", "pair"), [
    ("v2-3", "homonyms", "homonyms/2"), ("28", "contrast_homonyms", "homonyms/2"),  # 28 - 25 = 3
    ("v2-51", "figurative_language", "figurative_language/0"), ("v2-76", "contrast_figurative_language", "figurative_language/0"),
    ("v2-251", "nons_group_real_discr", "discr/0"), ("v2-276", "real_group_nons_discr", "discr/0"),
    ("v2-301", "contrast_discr", "discr/0"),
    ("v2-425", "privacy_fictional", "privacy/24"), ("v2-450", "contrast_privacy", "privacy/24"),
    ("none", "homonyms", None),
])  # fmt: skip
def test_a_prompt_of_xstest_and_its_contrast_have_one_name(prompt_id, kind, pair):
    assert xstest_pair(prompt_id, kind) == pair


def test_a_folder_of_one_csv_a_model_is_one_set(tmp_path):
    for model, label in (("a", "1_full_compliance"), ("b", "2_full_refusal")):
        with (tmp_path / f"xstest_{model}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(XSTEST))
            writer.writeheader()
            writer.writerows([XSTEST | {"completion": f"{model} says", "final_label": label}])
    items = load_refusals(tmp_path).items
    assert [(item.label, item.tags["original"]) for item in items] == [
        ("compliance", "homonyms/2"),
        ("full_refusal", "homonyms/2"),
    ]
    assert len({item.id for item in items}) == 2


@pytest.mark.parametrize(("changes", "says"), [
    ({"label": None}, "no 'label', 'is_refusal' or 'final_label'"), ({"label": "safe"}, "label = 'safe': expected compliance"),
    ({"label": 1}, "label = 1: expected compliance"),
    ({"label": None, "is_refusal": "maybe"}, "is_refusal = 'maybe': expected true"),
    ({"response": None}, "no 'response' or 'completion'"), ({"response": 3}, "response: expected text, found int"),
    ({"prompt": None}, "no 'prompt' or 'messages'"),
])  # fmt: skip
def test_a_malformed_row_is_refused_by_file_line_and_reason(tmp_path, changes, says):
    path = tmp_path / "refusals.jsonl"
    rows = [ROW, {key: value for key, value in (ROW | changes).items() if value is not None}]
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(InputError, match=rf"refusals.jsonl, line 2: {says}") as error:
        load_refusals(path)
    assert "\n" not in str(error.value)


def test_what_a_row_states_is_nothing_a_class_or_an_error():
    assert stated_refusal({"response": "x"}) is None and stated_refusal({"is_refusal": True}) == "full_refusal"
    with pytest.raises(ValueError, match="expected compliance"):
        stated_refusal({"label": "correct"})


def test_xstests_labelled_answers_are_read_as_they_are():
    loaded = load_refusals(shared_path("xstest/labelled_completions_dev.jsonl"))
    labels = [item.label for item in loaded.items]
    # Four answers are the same words of two models to one prompt.
    assert (len(labels), loaded.duplicates) == (1050, 4)
    assert labels.count("compliance") == 493 and labels.count("partial_refusal") == 53
    pairs = {item.tags["original"] for item in loaded.items}
    assert len(pairs) < 200 and all(isinstance(pair, str) for pair in pairs)

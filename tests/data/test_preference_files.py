"""Preference files as people have them, every way in which a line can be broken, and balanced lengths."""

from __future__ import annotations

import json
import random

import pytest

from sanmai.data.balance import balance_lengths
from sanmai.data.preferences import load_labels, load_pairs, load_rm_bench
from sanmai.types import InputError
from shared_data import shared_path

USER, GOOD, BAD = ({"role": r, "content": c} for r, c in (("user", "2+3?"), ("assistant", "5"), ("assistant", "6")))
PROMPT = (USER,)


def write(tmp_path, *rows, name="p.jsonl"):
    path = tmp_path / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return path


@pytest.mark.parametrize("row", [
    {"prompt": "2+3?", "chosen": "5", "rejected": "6"},
    {"messages": [USER], "chosen": "5", "rejected": "6"},
    {"prompt": [USER], "chosen": [GOOD], "rejected": [BAD]},
    {"chosen": [USER, GOOD], "rejected": [USER, BAD]},
    {"prompt": "2+3?", "messages": [USER, GOOD], "chosen": [USER, GOOD], "rejected": [USER, BAD], "score_chosen": 8.5},
    {"chosen": "\n\nHuman: 2+3?\n\nAssistant: 5", "rejected": "\n\nHuman: 2+3?\n\nAssistant: 6"},
], ids=["prompt", "messages", "trl", "trl-implicit", "ultrafeedback", "hh-rlhf"])  # fmt: skip
def test_a_pair_is_the_same_pair_in_every_convention(tmp_path, row):
    [pair] = load_pairs(write(tmp_path, row)).items
    assert (pair.messages, pair.chosen, pair.rejected) == (PROMPT, "5", "6")
    assert pair.id == f"{tmp_path.name}/p/0" and dict(pair.tags) == ({"score_chosen": 8.5} if "score_chosen" in row else {})


def test_a_transcript_keeps_its_turns_and_words_about_humans():
    said = "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: who are you?\n\nAssistant:"
    rows = [{"chosen": f"{said} Human: is what you are.", "rejected": f"{said} a cat\n\non a mat"}]
    [pair] = load_pairs("hh", rows=rows).items
    assert [m["role"] for m in pair.messages] == ["user", "assistant", "user"] and pair.messages[1]["content"] == "hello"
    assert (pair.chosen, pair.rejected) == ("Human: is what you are.", "a cat\n\non a mat")


def test_id_language_margin_and_tags_are_kept(tmp_path):
    row = {**OK, "id": 7, "language": "zh", "margin": 0.5, "level": 3, "tags": {"x": True}}
    [pair] = load_pairs(write(tmp_path, row)).items
    assert (pair.id, pair.language, pair.margin, dict(pair.tags)) == ("7", "zh", 0.5, {"level": 3, "x": True})


OK = {"prompt": "p", "chosen": "a", "rejected": "b"}
BROKEN = [
    ("not json", "not JSON"), ({**OK, "chosen": None}, "no 'chosen'"), ({**OK, "chosen": 3}, "expected text"),
    ({"chosen": "a", "rejected": "b"}, "no 'prompt'"), ({**OK, "prompt": " "}, "prompt is empty"),
    ({**OK, "rejected": " a "}, "a tie is no pair"), ({**OK, "margin": -1}, "margin = -1"),
    ({**OK, "margin": True}, "margin = True"),
    ({**OK, "chosen": ["a", "b", "c"]}, "RM-Bench"), ({**OK, "chosen": [USER]}, "the assistant's message"),
    ({"chosen": [USER, GOOD], "rejected": [{**USER, "content": "4?"}, BAD]}, "same prompt"),
    ({"prompt": "4?", "chosen": [USER, GOOD], "rejected": [USER, BAD]}, "same prompt"),
    ({**OK, "tags": [1]}, "tags"), ({**OK, "id": "first"}, "'first' is not unique"),
    ({**OK, "messages": [{"role": "tool", "content": "x"}], "prompt": None}, "role 'tool'"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "reason"), BROKEN, ids=[reason for _, reason in BROKEN])
def test_a_malformed_line_is_named_with_file_number_and_reason_or_skipped_and_counted(tmp_path, row, reason):
    path = write(tmp_path, {**OK, "id": "first", "prompt": "q"}, row, {**OK, "prompt": "r"})
    with pytest.raises(InputError, match=reason) as error:
        load_pairs(path)
    assert str(error.value).startswith(f"{path}, line 2: ") and "\n" not in str(error.value)
    loaded = load_pairs(path, on_error="skip")
    assert len(loaded.items) == 2 and len(loaded.skipped) == 1


def test_a_row_that_says_the_same_again_is_dropped_and_counted(tmp_path):
    path = write(tmp_path, OK, {**OK, "id": "again"}, {**OK, "chosen": "b", "rejected": "a"})
    loaded = load_pairs(path)
    assert [(p.chosen, p.rejected) for p in loaded.items] == [("a", "b"), ("b", "a")] and loaded.duplicates == 1


@pytest.mark.parametrize(("label", "is_safe"), [
    ("safe", True), ("unsafe", False), (" Unsafe ", False), (1, True), (0, False), (True, True), (False, False), ("1", True)])
def test_labels_are_words_or_numbers_and_one_is_safe(tmp_path, label, is_safe):
    [item] = load_labels(write(tmp_path, {"prompt": "p", "response": "r", "label": label})).items
    assert item.is_safe is is_safe


def test_labels_of_beavertails_and_csv_are_read(tmp_path):
    [item] = load_labels(write(tmp_path, {"prompt": "p", "response": "r", "is_safe": False, "category": "x"})).items
    assert item.is_safe is False and dict(item.tags) == {"category": "x"}
    path = write(tmp_path, "prompt,response,label", "p,r,0", "p,s,safe", name="p.csv")
    assert [item.is_safe for item in load_labels(path).items] == [False, True]


@pytest.mark.parametrize("label", ["maybe", 2, 0.5, None, [1]])
def test_a_label_that_is_neither_is_refused(tmp_path, label):
    with pytest.raises(InputError, match="label"):
        load_labels(write(tmp_path, {"prompt": "p", "response": "r", "label": label}))


@pytest.mark.parametrize(("name", "count"), [("chat", 129), ("code", 112), ("safety_should_respond", 80)])
def test_rm_bench_files_as_they_are(name, count):
    rows = load_rm_bench(shared_path(f"rm_bench/{name}.jsonl"))
    assert len(rows) == count and all(len(row.chosen) == len(row.rejected) == 3 for row in rows)
    assert "subset" in rows[0].tags


def test_an_rm_bench_row_needs_three_styles_of_both(tmp_path):
    with pytest.raises(InputError, match="list of 3 texts"):
        load_rm_bench(write(tmp_path, {"prompt": "p", "chosen": ["a", "b"], "rejected": ["c", "d", "e"]}))


def test_pairs_are_coupled_with_their_opposites():
    # Gaps +4, -3, +1, 0, -2, +9. Three longer, two shorter: -3 takes +4, leaving a carry of -1, so -2 takes |2 - 1| = 1.
    # Excess -1 + 1 = 0: 9 is dropped, and the rest has mean gap (4 - 3 + 1 + 0 - 2)/5 = 0.
    found = balance_lengths([(4, 0), (0, 3), (1, 0), (2, 2), (0, 2), (9, 0)])
    assert (found.kept, found.num_dropped, found.gap_after) == ([0, 1, 2, 3, 4], 1, 0.0)
    assert (found.gap_before, found.longer_before) == (9 / 6, 3.5 / 6)


def test_couples_that_keep_the_means_apart_are_dropped():
    # The only shorter ones are much shorter: no couple can be kept without a gap, but for the last.
    found = balance_lengths([(1, 0)] * 5 + [(0, 50), (0, 1)])
    assert found.gap_after == 0.0 and found.kept == [i for i in found.kept if i != 5]


@pytest.mark.parametrize("seed", range(5))
def test_after_balancing_length_tells_nothing(seed):
    rng = random.Random(seed)
    lengths = [(round(rng.lognormvariate(5.2, 0.6)), round(rng.lognormvariate(5.0, 0.7))) for _ in range(2000)]
    found = balance_lengths(lengths)
    kept = [lengths[i] for i in found.kept]
    assert sum(a > b for a, b in kept) == sum(a < b for a, b in kept)
    assert abs(found.gap_after) < 0.01 < found.gap_before and len(kept) > 1200
    assert found.gap_after == pytest.approx(sum(a - b for a, b in kept) / len(kept))
    assert found.num_dropped == 2000 - len(kept) and found.kept == sorted(set(found.kept))


def test_what_cannot_be_balanced_keeps_only_ties():
    assert balance_lengths([(2, 1), (5, 1), (3, 3)]).kept == [2]
    assert balance_lengths([]).kept == []


@pytest.mark.parametrize("row", [
    {"prompt": "2+3?", "chosen_response": "5", "rejected_response": "6"},
    {"question": "2+3?", "preferred": "5", "dispreferred": "6"},
    {"prompt": "2+3?", "response_a": "5", "response_b": "6", "winner": "A"},
    {"prompt": "2+3?", "response_0": "6", "response_1": "5", "better_response_id": 1, "safer_response_id": 0},
    {"prompt": "2+3?", "answer_1": "5", "answer_2": "6", "preference": 1},
    {"winner": "model_b", "conversation_a": [USER, BAD], "conversation_b": [USER, GOOD]},
])  # fmt: skip
def test_pairs_are_told_by_other_names_and_by_who_won(tmp_path, row):
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(row) + "\n")
    notes: list[str] = []
    (pair,) = load_pairs(path, on_warning=notes.append).items
    assert (pair.messages, pair.chosen, pair.rejected, notes) == (PROMPT, "5", "6", [])


@pytest.mark.parametrize(("row", "reason"), [
    ({"prompt": "2+3?", "response_a": "5", "response_b": "6"}, "expected winner"),
    ({"prompt": "2+3?", "response_a": "5", "response_b": "6", "winner": "tie"}, "winner = 'tie': a tie is no pair"),
])  # fmt: skip
def test_two_responses_without_one_that_won_are_refused(tmp_path, row, reason):
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=reason):
        load_pairs(path)

"""Questions with options: read with all that there is to choose from, or refused; never without it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sanmai.answers.final import verify_math
from sanmai.data.forms import ungradable_form
from sanmai.data.problems import load_problems
from sanmai.data.trace import parse_trace
from sanmai.types import InputError
from shared_data import shared_path, shared_rows

ROW = {"question": "How many legs has an ant?", "choices": ["two", "four", "six"], "answer": 2, "type": "zoology"}


def written(folder: Path, *rows: dict) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("changes", [
    {}, {"answer": "2"}, {"answer": "C"}, {"answer": "c "}, {"answer": 2.0}, {"choices": None, "options": ["two", "four", "six"]},
    {"choices": '["two", "four", "six"]'},
])  # fmt: skip
def test_a_question_is_shown_with_its_options_and_asks_for_a_letter(tmp_path, changes):
    (problem,) = load_problems(written(tmp_path, ROW | changes)).problems
    assert problem.prompt == "How many legs has an ant?\n\nA. two\nB. four\nC. six\n\nGive the letter of the right answer."
    assert (problem.answer, problem.kind, problem.verifier, problem.tags) == ("C", "reasoning", "math", {"type": "zoology"})
    answers = (r"\boxed{C}", "The answer is (C) six.", "B", r"\boxed{6}")
    assert [verify_math(problem, parse_trace(text)).score for text in answers] == [1.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(("changes", "said"), [
    ({"answer": 3}, "answer = '3': expected 0 to 2, or A to C"), ({"answer": "D"}, "answer = 'D': expected 0 to 2, or A to C"),
    ({"answer": -1}, "answer = '-1'"), ({"answer": True}, "answer: expected text or a number, found bool"),
    ({"answer": "six"}, "answer = 'six'"), ({"choices": ["two"]}, "choices: 1 of them; expected 2 to 26"),
    ({"choices": ["x"] * 27}, "choices: 27 of them"), ({"choices": ["two", ""]}, "choices: expected a list of texts"),
    ({"choices": [1, 2]}, "choices: expected a list of texts"), ({"answer": None}, "no 'answer'"),
    ({"choices": {"text": ["two"], "label": ["A"]}}, "choices: expected a list of texts"),
    ({"choices": {"text": "two", "label": 3}}, "choices: expected a list of texts"),
])  # fmt: skip
def test_options_that_cannot_be_read_are_refused_in_one_sentence(tmp_path, changes, said):
    with pytest.raises(InputError, match=said) as raised:
        load_problems(written(tmp_path, ROW | changes))
    assert "line 1" in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("format", ["auto", "mgsm"])
def test_a_format_that_would_leave_the_options_out_refuses_them(tmp_path, format):
    rows = [{"question": "2 + 3?", "answer": 5}, ROW]
    with pytest.raises(InputError, match="line 2: it has choices, which this format leaves out; see format choices"):
        load_problems(written(tmp_path, *rows), format=format)
    loaded = load_problems(written(tmp_path, *rows), format=format, on_error="skip")
    assert len(loaded.problems) == 1 and len(loaded.skipped) == 1
    assert load_problems(written(tmp_path, {**rows[0], "choices": None})).problems[0].answer == "5"


def test_a_generic_prompt_has_to_show_its_options(tmp_path):
    shown = {"prompt": "How many legs has an ant? A. two B. six", "choices": ["two", "six"], "answer": "B"}
    assert load_problems(written(tmp_path, shown)).problems[0].answer == "B"
    with pytest.raises(InputError, match="line 1: choices: the prompt does not show them"):
        load_problems(written(tmp_path, shown | {"prompt": "How many legs has an ant?"}))
    other = {"options": {"shuffled": True}, "choices": None}  # no options of the question's
    assert load_problems(written(tmp_path, shown | other)).problems


def test_mmlu_is_read_with_its_options_and_known_as_multiple_choice():
    rows, loaded = shared_rows("mmlu_stem/mmlu_stem_dev.jsonl"), load_problems(shared_path("mmlu_stem/mmlu_stem_dev.jsonl"))
    assert len(loaded.problems) + loaded.duplicates == len(rows) and not loaded.skipped
    assert {p.answer for p in loaded.problems} == set("ABCD")
    assert all(option in loaded.problems[0].prompt for option in rows[0]["choices"])
    assert {drop.label for p in loaded.problems[::20] if (drop := ungradable_form(p))} == {"multiple_choice"}

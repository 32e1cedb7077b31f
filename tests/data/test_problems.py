"""Problem files as people have them: the real ones, and every way in which a line can be broken."""

from __future__ import annotations

import json
import sys

import pyarrow
import pyarrow.parquet
import pytest

from sanmai.data.problems import load_problems, overlap, split
from sanmai.types import InputError, Problem
from shared_data import shared_path


def problem(identity, prompt):
    return Problem(identity, ({"role": "user", "content": prompt},), "1")


@pytest.mark.parametrize(
    ("name", "count", "answer", "prompt_start", "language", "tags"),
    [
        ("gsm8k/train.jsonl", 7473, "72", "Natalia sold clips", "en", {}),
        ("gsm8k/test_dev.jsonl", 950, "18", "Janet’s ducks", "en", {}),
        ("math500/math500_dev.jsonl", 347, "\\left( 3, \\frac{\\pi}{2} \\right)", "Convert the point", "en",
         {"subject": "Precalculus", "level": 2}),
        ("mgsm/mgsm_zh.jsonl", 200, "18", "珍妮特", "zh", {}),
        ("svamp/svamp_dev.jsonl", 701, "145", "There are 87 oranges", "en", {"type": "Common-Division"}),
    ],
)  # fmt: skip
def test_real_files_as_they_are(name, count, answer, prompt_start, language, tags):
    loaded = load_problems(shared_path(name))
    first = loaded.problems[0]
    assert len(loaded.problems) + loaded.duplicates == count
    assert (first.answer, first.language, dict(first.tags)) == (answer, language, tags)
    assert first.prompt.startswith(prompt_start)
    assert len({p.id for p in loaded.problems}) == len(loaded.problems)


def test_a_gsm8k_solution_is_the_worked_text_without_calculator_marks():
    first = load_problems(shared_path("gsm8k/train.jsonl"), limit=1).problems[0]
    assert first.solution.startswith("Natalia sold 48/2 = 24 clips in May.\nNatalia sold 48+24 = 72 clips")
    assert first.solution.endswith("April and May.") and first.id == "gsm8k/train/0"


GOOD = b'{"prompt": "p", "answer": "1"}\n'
BROKEN_LINES = [
    (b'{"prompt": "x", "answer": "1"', "not JSON"),
    (b'{"prompt": "x", "answer": "1', "cut off"),
    (b"[1, 2]", "found list"),
    (b"7", "found int"),
    (b'{"prompt": "x", "answer": NaN}', "NaN"),
    (b'{"prompt": "x", "answer": -Infinity}', "Infinity"),
    (b'{"prompt": "x", "answer": "nan"}', "expected a reference answer"),
    (b'{"prompt": "x", "answer": "  "}', "expected a reference answer"),
    (b'{"prompt": "x", "answer": null}', "no reference"),
    (b'{"prompt": "x", "answer": true}', "found bool"),
    (b'{"prompt": "x", "answer": [1]}', "found list"),
    (b'{"prompt": " ", "answer": "1"}', "prompt is empty"),
    (b'{"prompt": 3, "answer": "1"}', "found int"),
    (b'{"answer": "1"}', "no 'prompt'"),
    (b'{"prompt": "x\x00", "answer": "1"}', "NUL"),
    (b'{"prompt": "\xe9", "answer": "1"}', "not UTF-8"),
    (b'{"prompt": "\\ud800", "answer": "1"}', "surrogate"),
    (b'{"prompt": "x", "answer": ' + b"1" * 5000 + b"}", "not usable JSON"),
    (b'{"prompt": ' + b"[" * 100_000 + b"}", "not usable JSON"),
    (b'{"prompt": "x", "answer": "1", "tags": [1]}', "tags"),
    (b'{"messages": [], "answer": "1"}', "non-empty list"),
    (b'{"messages": [{"role": "user"}], "answer": "1"}', "objects"),
    (b'{"messages": [{"role": "tool", "content": "x"}], "answer": "1"}', "role 'tool'"),
    (b'{"messages": [{"role": "assistant", "content": "x"}], "answer": "1"}', "the user's"),
    (b'{"prompt": "' + b"x" * (17 << 20) + b'", "answer": "1"}', "longer than"),
]


@pytest.mark.parametrize(("line", "reason"), BROKEN_LINES, ids=[reason for _, reason in BROKEN_LINES])
def test_a_malformed_line_is_named_with_file_number_and_reason_or_skipped_and_counted(tmp_path, line, reason):
    path = tmp_path / "p.jsonl"
    path.write_bytes(GOOD + b"\n" + line + b"\n" + b'{"prompt": "q", "answer": "2"}\n')
    if reason == "cut off":
        path.write_bytes(GOOD + b"\n" + line)
    with pytest.raises(InputError, match=reason) as error:
        load_problems(path)
    assert str(error.value).startswith(f"{path}, line 3: ") and len(str(error.value)) < 500
    loaded = load_problems(path, on_error="skip")
    assert len(loaded.skipped) == 1 and loaded.problems[0].prompt == "p"


def test_a_file_with_nothing_left_is_an_error_even_when_skipping(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"x\ny\n")
    with pytest.raises(InputError, match=r"no problem in it; the first reason: .*line 1: not JSON"):
        load_problems(path, on_error="skip")


def test_files_that_cannot_be_read_get_one_sentence(tmp_path):
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "p.txt").write_bytes(GOOD)
    (tmp_path / "p.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "utf16.jsonl").write_bytes(GOOD.decode().encode("utf-16"))
    (tmp_path / "bad.csv").write_bytes(b"prompt,answer\n\xe9,1\n")
    for name, reason in [
        ("empty.jsonl", "empty"), ("folder.jsonl", "folder"), ("p.txt", "ends in"), ("missing.jsonl", "No such file"),
        ("p.parquet", "not a Parquet file"), ("utf16.jsonl", "UTF-16"), ("bad.csv", "not UTF-8"),
    ]:  # fmt: skip
        with pytest.raises(InputError, match=reason):
            load_problems(tmp_path / name)


def test_bom_crlf_and_blank_lines_are_no_errors(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace(b"\n", b"\r\n") + b"\r\n" + b'{"prompt": "q", "answer": 2.50}')
    assert [(p.prompt, p.answer) for p in load_problems(path).problems] == [("p", "1"), ("q", "2.5")]


def test_csv_and_parquet_hold_the_same_schema(tmp_path):
    csv_path, parquet_path = tmp_path / "p.csv", tmp_path / "p.parquet"
    csv_path.write_text('\ufeffid,prompt,answer,level\na,"two\nlines",1.50,easy\nb,q,3\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"p.csv, line 4: expected 4 columns"):
        load_problems(csv_path)
    first = load_problems(csv_path, on_error="skip").problems[0]
    assert (first.id, first.prompt, first.answer, first.tags) == ("a", "two\nlines", "1.50", {"level": "easy"})
    rows = [{"prompt": "p", "answer": 1e-7, "n": 1}, {"prompt": "q", "answer": float("nan"), "n": 2}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), parquet_path)
    with pytest.raises(InputError, match=r"line 2: answer = nan"):
        load_problems(parquet_path)
    loaded = load_problems(parquet_path, on_error="skip")
    assert loaded.problems[0].answer == "0.0000001" and loaded.problems[0].tags == {"n": 1}


def test_duplicates_are_dropped_and_counted_and_ids_are_unique(tmp_path):
    path = tmp_path / "p.jsonl"
    rows = [{"prompt": prompt, "answer": 1} for prompt in ("What is  2?", "what is\n２?", "q")]
    path.write_text("\n".join(map(json.dumps, rows)))
    loaded = load_problems(path)
    assert [p.prompt for p in loaded.problems] == ["What is  2?", "q"] and loaded.duplicates == 1
    path.write_text("\n".join(json.dumps({"id": "a", "prompt": str(k), "answer": 1}) for k in range(2)))
    with pytest.raises(InputError, match="'a' is not unique"):
        load_problems(path)


def test_prompts_without_answers_load_when_no_answer_is_needed(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"prompt": "p"}\n')
    assert load_problems(path, needs_answer=False).problems[0].answer is None


def test_a_stated_format_overrides_the_detected_one(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"question": "q", "answer": "5"}\n')
    assert load_problems(path).problems[0].answer == "5"
    with pytest.raises(InputError, match="####"):
        load_problems(path, format="gsm8k")
    path.write_text('{"text": "q"}\n')
    with pytest.raises(InputError, match="columns text fit no known format"):
        load_problems(path)


def test_a_split_depends_on_the_text_and_the_seed_alone():
    problems = [problem(str(k), f"what is {k}?") for k in range(2000)]
    train, held_out = split(problems, 0.1, seed=1)
    assert 150 < len(held_out) < 250 and len(train) + len(held_out) == 2000
    assert split(problems[::-1][:1000], 0.1, seed=1)[1] == [p for p in reversed(held_out) if int(p.id) >= 1000]
    assert {p.id for p in split(problems, 0.1, seed=2)[1]} != {p.id for p in held_out}


def test_overlap_finds_eight_words_in_a_row_and_not_seven():
    train = [problem("t", "Zoe has one two three four five six seven EIGHT apples.")]
    shared = problem("a", "one, two three four five six seven eight!")
    seven = problem("b", "one two three four five six seven nine ten")
    short, same = problem("c", "Zoe has one"), problem("d", "珍妮特的鸭子每天下蛋")
    found = overlap([*train, problem("u", "问：珍妮特的鸭子每天下蛋？")], [shared, seven, short, same])
    assert (found.num_evaluation, found.num_overlapping) == (4, 2)
    assert found.examples[0] == ("a", "t", "one two three four five six seven eight")
    assert found.examples[1][:2] == ("d", "u")


def test_mgsm_english_is_found_in_the_gsm8k_test_set():
    test = load_problems(shared_path("gsm8k/test_dev.jsonl")).problems
    mgsm = load_problems(shared_path("mgsm/mgsm_en.jsonl")).problems
    assert overlap(test, mgsm).num_overlapping >= 195


def test_hub_names_are_checked_and_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match=r"sanmai\[data\]"):
        load_problems("hub:openai/gsm8k:main:test")
    with pytest.raises(InputError, match="expected hub:NAME"):
        load_problems("hub:")


@pytest.mark.parametrize(
    ("source", "arguments"),
    [
        ("hub:a/b", ("a/b", None, "train")), ("hub:a/b:test", ("a/b", None, "test")),
        ("hub:a/b:main", ("a/b", "main", "train")), ("hub:a/b:main:test[:10]", None),
        ("hub:a/b:main:test", ("a/b", "main", "test")),
    ],
)  # fmt: skip
def test_hub_sources_name_config_and_split(monkeypatch, source, arguments):
    class Datasets:
        @staticmethod
        def load_dataset(name, config, split):
            assert (name, config, split) == arguments
            return [{"question": "q", "answer": "so #### 5"}]

    monkeypatch.setitem(sys.modules, "datasets", Datasets)
    if arguments is None:
        with pytest.raises(InputError, match="expected hub:NAME"):
            load_problems(source)
    else:
        assert load_problems(source).problems[0].answer == "5"

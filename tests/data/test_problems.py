"""Problem files as people have them: the real ones, and every way in which a line can be broken."""

from __future__ import annotations

import json
import sys
from collections import Counter

import pyarrow
import pyarrow.parquet
import pytest

from sanmai.data.problems import ProblemsConfig, load_problems, overlap, split
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


@pytest.mark.parametrize(
    ("name", "counts", "identity", "tags"),
    [
        ("xstest/xstest_dev.csv", {("general", "en"): 128, ("safety", "en"): 103}, "xstest/3", {"type": "homonyms"}),
        ("strongreject/strongreject_dev.csv", {("safety", "en"): 153}, "strongreject/strongreject_dev/0",
         {"category": "Disinformation and deception", "source": "custom"}),
        ("multijail/multijail_dev.csv", {("safety", x): 223 for x in ("en", "zh", "ko", "vi", "it", "ar")}, "multijail/2/en",
         {"source": "anthropics", "original": "multijail/2", "category": "Adult content"}),
        ("advbench/advbench_goals.csv", {("safety", None): 502}, "advbench/advbench_goals/0", {}),
    ],
)  # fmt: skip
def test_real_safety_files_say_kind_language_and_category(name, counts, identity, tags):
    loaded = load_problems(shared_path(name))
    first = loaded.problems[0]
    assert Counter((p.kind, p.language) for p in loaded.problems) == counts and not loaded.duplicates
    assert (first.id, dict(first.tags)) == (identity, tags)
    assert len({p.id for p in loaded.problems}) == len(loaded.problems)


def test_harmbench_rows_bring_their_context_and_their_own_name(tmp_path):
    loaded = load_problems(shared_path("harmbench/harmbench_standard_val.csv"))
    assert len(loaded.problems) == 39 and {p.kind for p in loaded.problems} == {"safety"}
    assert all(p.id.startswith("harmbench/") and set(p.tags) == {"category", "type"} for p in loaded.problems)
    path = tmp_path / "h.csv"
    path.write_text("Behavior,SemanticCategory,BehaviorID,ContextString\nsum it up,c,b1,a text\ndo it,c,,\n", encoding="utf-8")
    first, second = load_problems(path).problems
    assert (first.prompt, first.id) == ("a text\n\n---\n\nsum it up", "harmbench/b1")
    assert second.prompt == "do it" and second.id.endswith("h/1")


def test_a_row_of_many_languages_is_one_request_in_each_that_has_a_text(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("id,source,en,zh,tags\n7,s,hello,\u4f60\u597d,\"['a', 'b']\"\n8,s,bye,,[]\n", encoding="utf-8")
    found = load_problems(path).problems
    assert [(p.id, p.language, p.tags.get("category")) for p in found] == [
        ("multijail/7/en", "en", "a"), ("multijail/7/zh", "zh", "a"), ("multijail/8/en", "en", None)]
    assert [p.tags["original"] for p in found] == ["multijail/7", "multijail/7", "multijail/8"]
    assert load_problems(path, limit=1).problems == found[:1] == load_problems(path, format="multijail", limit=1).problems


def test_a_label_that_is_neither_safe_nor_unsafe_is_refused_and_other_labels_are_tags(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("prompt,type,label\np,t,safe\nq,t,contrast\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 3: label = 'contrast': expected safe or unsafe"):
        load_problems(path)
    path.write_text("prompt,type,label,answer\np,t,easy,1\n", encoding="utf-8")
    assert load_problems(path).problems[0].tags == {"type": "t", "label": "easy"}


def test_a_gsm8k_solution_is_the_worked_text_without_calculator_marks():
    first = load_problems(shared_path("gsm8k/train.jsonl"), limit=1).problems[0]
    assert first.solution.startswith("Natalia sold 48/2 = 24 clips in May.\nNatalia sold 48+24 = 72 clips")
    assert first.solution.endswith("April and May.") and first.id == "gsm8k/train/0"


GOOD = b'{"prompt": "p", "answer": "1"}\n'
BROKEN_LINES = [
    (b'{"prompt": "x", "answer": "1"', "not JSON"), (b'{"prompt": "x"\n', "at column 15"),
    (b'{"prompt": "x", "answer": "1', "cut off"),
    (b"[1, 2]", "found list"),
    (b"7", "found int"),
    (b'{"prompt": "x", "answer": NaN}', "answer = nan"), (b'{"prompt": "x", "answer": Infinity}', "Infinity"),
    (b'{"prompt": "x", "answer": -Infinity}', "Infinity"),
    (b'{"prompt": "x", "answer": "nan"}', "expected a reference answer"),
    (b'{"prompt": "x", "answer": "  "}', "expected a reference answer"),
    (b'{"prompt": "x", "answer": null}', "no reference"),
    (b'{"prompt": "x", "answer": true}', "found bool"),
    (b'{"prompt": "x", "answer": [1, 2]}', "found list"),
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


SECRET = "Tell me how to SECRETWORD now"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("no-header.csv", f"{SECRET},category\n{SECRET},x\n"),
        ("a.jsonl", json.dumps({"prompt": [SECRET]})),
        ("b.jsonl", json.dumps({"prompt": "p", "tags": [SECRET]})),
        ("c.jsonl", json.dumps({"prompt": "p", "tags": {"t": [SECRET]}})),
        ("d.jsonl", json.dumps({"prompt": "p", "kind": SECRET})),
        ("e.jsonl", json.dumps({"prompt": "p", "answer": [SECRET, "x"]})),
        ("f.jsonl", json.dumps({"messages": [{"role": SECRET, "content": SECRET}]})),
        ("g.jsonl", "".join(json.dumps({"prompt": f"p{k}", "id": SECRET}) + "\n" for k in range(2))),
        ("h.jsonl", json.dumps({SECRET: 1})),
    ],
)
def test_no_message_about_a_file_quotes_what_it_asks_for(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as error:
        load_problems(tmp_path / name, needs_answer=False)
    assert "SECRET" not in str(error.value) and f"{name}, line" in str(error.value)


def test_a_file_with_nothing_left_is_an_error_even_when_skipping(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"x\ny\n")
    with pytest.raises(InputError, match=r"no problem in it; the first reason: .*line 1: not JSON"):
        load_problems(path, on_error="skip")


def test_files_that_cannot_be_read_get_one_sentence(tmp_path):
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "p.doc").write_bytes(GOOD)
    (tmp_path / "p.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "utf16.jsonl").write_bytes(b"\xff\xfe" + GOOD[:-1 - len(GOOD) % 2])
    (tmp_path / "bad.csv").write_bytes(b"prompt,answer\n\xe9,1\n")
    for name, reason in [
        ("empty.jsonl", "empty"), ("folder.jsonl", "folder"), ("p.doc", "ends in"), ("missing.jsonl", "No such file"),
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
    with pytest.raises(InputError, match="the extra `data`"):
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


def write(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, rows)))


def test_a_folder_gives_its_files_in_order_of_path_each_in_its_own_format(tmp_path):
    folder = tmp_path / "set"
    write(folder / "b" / "x.jsonl", {"question": "q1", "answer": "so #### 5"}, {"question": "q2", "answer": "so #### 6"})
    write(folder / "a.jsonl", {"prompt": "q3", "answer": 7})
    write(folder / ".hidden.jsonl", {"prompt": "no", "answer": 0})
    (folder / "c.csv").write_text("problem,answer\nq4,8\n")
    (folder / "d.md").write_text("q5\n---\n<think>\n9\n</think>\n9\n")
    loaded = load_problems(folder, needs_answer=False)
    assert [(p.id, p.prompt, p.answer) for p in loaded.problems] == [
        ("set/a/0", "q3", "7"), ("set/b/x/0", "q1", "5"), ("set/b/x/1", "q2", "6"), ("set/c/0", "q4", "8"),
        ("set/d/0", "q5", None),
    ]  # fmt: skip
    assert loaded.problems[-1].demonstration == "<think>\n9\n</think>\n9"
    assert len(load_problems(folder, limit=3).problems) == 3
    with pytest.raises(InputError, match=r"d.md, line 1: no reference answer"):
        load_problems(folder)


def test_two_files_of_one_name_have_ids_of_their_own(tmp_path):
    folder = tmp_path / "set"
    write(folder / "a.jsonl", {"prompt": "q1", "answer": 1})
    (folder / "a.csv").write_text("prompt,answer\nq2,2\n")
    assert [p.id for p in load_problems(folder).problems] == ["set/a.csv/0", "set/a.jsonl/0"]


def test_a_folder_with_anything_else_in_it_is_refused_by_the_files_name(tmp_path):
    write(tmp_path / "set" / "a.jsonl", {"prompt": "q1", "answer": 1})
    (tmp_path / "set" / "notes.pdf").write_bytes(b"x")
    with pytest.raises(InputError, match=r"notes.pdf: expected a file that ends in"):
        load_problems(tmp_path / "set")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no file in this folder"):
        load_problems(tmp_path / "empty")
    write(tmp_path / "run" / "metrics.jsonl", {"step": 1})
    (tmp_path / "run" / "config.toml").write_text("")
    with pytest.raises(InputError, match=r"a run folder without data.parquet"):
        load_problems(tmp_path / "run")


@pytest.mark.parametrize(
    ("text", "prompt", "completion"),
    [
        ("q\n---\na", "q", "a"),
        ("\ufeffq\r\n\r\n--- \r\n\r\n<think>\r\nt\r\n</think>\r\na\r\n", "q", "<think>\nt\n</think>\na"),
        ("two\n\nparts\n---\nb\n---\nc --- d\n", "two\n\nparts", "b\n---\nc --- d"),
        ("a --- b\n----\nq\n---\n  indented", "a --- b\n----\nq", "  indented"),
        ("no rule", None, "no line `---`"), ("---\na", None, "no prompt before"), ("q\n---\n \n", None, "no completion after"),
        ("", None, "empty"), (b"q\xe9\n---\na", None, "not UTF-8"),
    ],
)  # fmt: skip
def test_a_written_demonstration_is_prompt_rule_and_completion(tmp_path, text, prompt, completion):
    path = tmp_path / "one.md"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if prompt is None:
        with pytest.raises(InputError, match=completion):
            load_problems(path, needs_answer=False)
        return
    [found] = load_problems(path, needs_answer=False).problems
    assert (found.prompt, found.demonstration) == (prompt, completion)


def test_several_demonstrations_of_one_prompt_are_no_duplicates_but_the_same_one_twice_is(tmp_path):
    turn = lambda text: {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": text}]}  # noqa: E731
    write(tmp_path / "p.jsonl", turn("a"), turn("b"), turn("a"), {"prompt": "q"}, {"prompt": " q "})
    loaded = load_problems(tmp_path / "p.jsonl", needs_answer=False)
    assert ([p.demonstration for p in loaded.problems], loaded.duplicates) == (["a", "b", None], 2)


def test_tags_may_be_json_text_as_in_a_parquet_column(tmp_path):
    write(tmp_path / "p.jsonl", {"prompt": "q", "answer": 1, "tags": '{"level": 3, "new": true}'})
    assert load_problems(tmp_path / "p.jsonl").problems[0].tags == {"level": 3, "new": True}
    write(tmp_path / "p.jsonl", {"prompt": "q", "answer": 1, "tags": "level 3"})
    with pytest.raises(InputError, match="tags"):
        load_problems(tmp_path / "p.jsonl")


def test_a_stated_kind_is_that_of_every_problem_and_prompts_of_it_need_no_answer(tmp_path):
    rows = [{"index": 0, "prompt": "q", "turns": 3}, {"index": 1, "prompt": "r", "turns": 1, "kind": "general"}]
    write(tmp_path / "p.jsonl", *rows)
    with pytest.raises(InputError, match="no reference answer"):
        load_problems(tmp_path / "p.jsonl")
    found = load_problems(tmp_path / "p.jsonl", kind="safety").problems
    assert [(p.kind, p.tags) for p in found] == [("safety", {"index": 0, "turns": 3}), ("safety", {"index": 1, "turns": 1})]
    with pytest.raises(InputError, match=r"kind = .* is read only with source or evaluation from files"):
        ProblemsConfig.read({"kind": "safety"})


def test_safety_demonstrations_and_goals_are_of_kind_safety(tmp_path):
    star = {"id": 7, "question": "q", "response": "<think>t</think>a", "category": ["c", "d"], "source": "s", "score": {"x": 1}}
    write(tmp_path / "star.jsonl", star)
    [found] = load_problems(tmp_path / "star.jsonl").problems
    assert (found.id, found.kind, found.demonstration, found.answer) == ("7", "safety", "<think>t</think>a", None)
    assert found.tags == {"category": "c", "source": "s"}
    assert load_problems(tmp_path / "star.jsonl", kind="general").problems[0].kind == "general"
    (tmp_path / "goals.csv").write_text("index,goal\n0,g\n")
    [goal] = load_problems(tmp_path / "goals.csv").problems
    assert (goal.prompt, goal.kind, goal.demonstration) == ("g", "safety", None)


@pytest.mark.parametrize(
    ("name", "count", "kind", "has_demonstration"),
    [
        ("star1/star1_safety_sft.jsonl", 987, None, True), ("advbench/advbench_goals.csv", 502, None, False),
        ("hh_rlhf_prompts/harmless_base_test_prompts.jsonl", 2155, "safety", False),
    ],
)  # fmt: skip
def test_the_shared_safety_files_load(name, count, kind, has_demonstration):
    loaded = load_problems(shared_path(name), kind=kind)
    assert len(loaded.problems) + loaded.duplicates == count and len({p.id for p in loaded.problems}) > 0.9 * count
    bad = [p.id for p in loaded.problems if p.kind != "safety" or (p.demonstration is not None) is not has_demonstration]
    assert bad == []


@pytest.mark.parametrize("name", ["uuid", "uid", "problem_id", "question_id", "task_id", "prompt_id", "Example ID"])
def test_a_row_is_called_by_the_id_of_published_files_unless_several_share_it(tmp_path, name):
    path = tmp_path / "p.jsonl"
    rows = [{"question": f"2+{k}?", "answer": str(2 + k), name: "a" if k < 2 else "b"} for k in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [problem.id for problem in load_problems(path).problems] [0::2] == ["a", "b"]
    assert load_problems(path).problems[1].id.endswith("p/1")


@pytest.mark.parametrize("row", [{"lang": "de"}, {"language_code": "de-AT"}, {"Locale": "de_DE"}])
def test_a_language_stands_under_any_of_its_names(tmp_path, row):
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps({"question": "2+3?", "target": ["5"], **row}) + "\n")
    (problem,) = load_problems(path).problems
    assert (problem.language, problem.answer) == ("de", "5")

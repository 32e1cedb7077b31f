"""Files in the forms that people have, each with what it becomes: a table of rows taken from the public descriptions.

The class: every usual layout of prompts, demonstrations, answers and pairs gives what its author meant; what is not
used is named.
"""

from __future__ import annotations

import gzip
import json
import time
import warnings

import pyarrow
import pyarrow.parquet
import pytest

from sanmai.data.messages import transcript
from sanmai.data.preferences import load_pairs
from sanmai.data.problems import load_problems
from sanmai.types import InputError
from shared_data import shared_path

U, A = {"role": "user", "content": "2+3?"}, {"role": "assistant", "content": "5"}
THOUGHT = "<think>\nt\n</think>\n\n5"
DEMONSTRATIONS = {
    "OpenAI messages": ({"messages": [U, A]}, "5"),
    "reasoning_content": ({"messages": [U, {**A, "reasoning_content": "t"}]}, THOUGHT),
    "thinking": ({"messages": [U, {**A, "thinking": "t"}]}, THOUGHT),
    "reasoning, empty": ({"messages": [U, {**A, "reasoning": None, "reasoning_content": ""}]}, "5"),
    "thinking part": ({"messages": [U, {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "t"}, {"type": "text", "text": "5"}]}]}, THOUGHT),
    "the thought twice": ({"messages": [U, {"role": "assistant", "content": "<think>t</think>5", "reasoning": "t"}]},
                          "<think>t</think>5"),
    "prompt and completion": ({"prompt": "2+3?", "completion": "5"}, "5"),
    "completion as turns": ({"prompt": [U], "completion": [{**A, "reasoning_content": "t"}]}, THOUGHT),
    "thought as a column": ({"question": "2+3?", "reasoning": "t", "response": "5"}, THOUGHT),
    "prompt and output": ({"input": "2+3?", "output": "5"}, "5"),
    "ShareGPT": ({"conversations": [{"from": "human", "value": "2+3?"}, {"from": "gpt", "value": "5"}]}, "5"),
    "OpenThoughts": ({"conversations": [{"from": "user", "value": "2+3?"}, {"from": "assistant", "value":
        "<|begin_of_thought|>\n\nt\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n5\n\n<|end_of_solution|>"}]}, THOUGHT),
    "Alpaca": ({"instruction": "2+3?", "input": "", "output": "5"}, "5"),
    "messages as JSON text": ({"messages": json.dumps([U, A])}, "5"),
    "columns of turns": ({"messages": {"role": ["user", "assistant"], "content": ["2+3?", "5"]}}, "5"),
    "parts": ({"messages": [{"role": "user", "content": [{"type": "text", "text": "2+3?"}]}, A]}, "5"),
    "OpenAI's refusal": ({"messages": [U, {"role": "assistant", "content": None, "refusal": "No."}]}, "No."),
    "Anthropic's hidden thought": ({"messages": [U, {"role": "assistant", "content": [
        {"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "5"}]}]}, "5"),
    "Gemini": ({"contents": [{"role": "user", "parts": [{"text": "2+3?"}]}, {"role": "model", "parts": [{"text": "5"}]}]}, "5"),
    "speakers": ({"conversation": [{"speaker": "user", "text": "2+3?"}, {"speaker": "assistant", "text": "5"}]}, "5"),
    "both in one turn": ({"conversation": [{"input": "2+3?", "output": "5"}]}, "5"),
    "pairs of texts": ({"conversations": [["2+3?", "5"]]}, "5"),
    "Guanaco": ({"text": "### Human: 2+3?### Assistant: 5"}, "5"),
    "ChatML": ({"text": "<|im_start|>user\n2+3?<|im_end|>\n<|im_start|>assistant\n5<|im_end|>\n"}, "5"),
    "Llama 2": ({"text": "<s>[INST] 2+3? [/INST] 5 </s>"}, "5"),
    "one turn": ({"turns": ["2+3?"], "response": "5"}, "5"),
    "no input": ({"instruction": "2+3?", "input": "<noinput>", "output": "5"}, "5"),
    "s1K": ({"question": "2+3?", "thinking_trajectories": ["t"], "attempt": "5"}, THOUGHT),
    "thought under a prefix": ({"problem": "2+3?", "deepseek_reasoning": "t", "deepseek_solution": "5"}, THOUGHT),
    "content beside reasoning_content": ({"input": "2+3?", "content": "5", "reasoning_content": "t"}, THOUGHT),
    "Complex_CoT": ({"Question": "2+3?", "Complex_CoT": "t", "Response": "5"}, THOUGHT),
}  # fmt: skip


@pytest.mark.parametrize("name", DEMONSTRATIONS)
def test_a_demonstration_is_the_same_in_every_layout(name):
    row, completion = DEMONSTRATIONS[name]
    loaded = load_problems([row], needs_answer=False)
    [found] = loaded.problems
    assert (found.prompt, found.demonstration, loaded.notes) == ("2+3?", completion, [])


ANSWERS = {
    "TRL": ({"prompt": [U], "solution": "$5$"}, None),
    "verl, DAPO": ({"prompt": [U], "reward_model": {"style": "rule", "ground_truth": "5"}, "extra_info": {"index": 0}}, None),
    "verl as text": ({"prompt": json.dumps([U]), "reward_model": '{"ground_truth": "5"}'}, None),
    "NuminaMath": ({"problem": "2+3?", "solution": r"\boxed{4}, no: \boxed{5}."}, r"\boxed{4}, no: \boxed{5}."),
    "AIME": ({"ID": "a", "Problem": "2+3?", "Solution": "s", "Answer": 5}, "s"),
    "OpenMathInstruct": ({"problem": "2+3?", "generated_solution": "s", "expected_answer": "5"}, "s"),
    "question, thought and answer": ({"question": "2+3?", "cot": "s", "answer": "5"}, "s"),
    "ground_truth": ({"query": "2+3?", "ground_truth": 5.0}, None),
    "OlympiadBench": ({"question": "2+3?", "solution": ["s"], "final_answer": ["5"]}, "s"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_problem_has_its_answer_under_every_usual_name(name):
    row, solution = ANSWERS[name]
    [found] = load_problems([row]).problems
    assert (found.prompt, found.answer, found.solution, found.demonstration) == ("2+3?", "5", solution, None)


PAIR = {"chosen": "5", "rejected": "6"}


@pytest.mark.parametrize("row", [
    {"input": "2+3?", **PAIR}, {"question": "2+3?", **PAIR}, {"instruction": "2+3?", "input": "", **PAIR},
    {"conversations": [{"from": "human", "value": "2+3?"}], "chosen": {"from": "gpt", "value": "5"},
     "rejected": {"from": "gpt", "value": "6"}},
    {"prompt": "2+3?", "chosen": [A], "rejected": [{**A, "content": "6"}]},
])  # fmt: skip
@pytest.mark.parametrize("system", [None, "Be brief."])
def test_a_pair_has_its_prompt_and_system_under_every_usual_name(row, system):
    [pair] = load_pairs([{**row, "system": system}]).items
    assert [m["content"] for m in pair.messages] == ([system] if system else []) + ["2+3?"]
    assert (pair.chosen, pair.rejected) == ("5", "6") and "system" not in pair.tags


def test_thoughts_beside_chosen_and_rejected_belong_to_them():
    row = {"prompt": "2+3?", "chosen": [{**A, "reasoning_content": "t"}], "rejected": [{**A, "content": "6", "thinking": "u"}]}
    [pair] = load_pairs([row]).items
    assert (pair.chosen, pair.rejected) == (THOUGHT, "<think>\nu\n</think>\n\n6")


def test_developer_is_system_and_tools_stay_where_they_were():
    call = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
    turns = [{"role": "developer", "content": "s"}, U, call, {"role": "tool", "content": "5", "tool_call_id": "x"}, A]
    [found] = load_problems([{"messages": turns}], needs_answer=False).problems
    assert [m["role"] for m in found.messages] == ["system", "user", "assistant", "tool"] and found.demonstration == "5"
    assert found.messages[2]["tool_calls"] == call["tool_calls"] and found.messages[3]["tool_call_id"] == "x"
    with pytest.raises(InputError, match="a call of a tool alone"):
        load_problems([{"messages": [U, call]}], needs_answer=False)


@pytest.mark.parametrize(("row", "said"), [
    ({"prompt": "q", "answer": "1", "context": "c"}, "not used: the column context"),
    ({"prompt": "q", "answer": "1", "tools": [{"name": "f"}], "generations": ["a"]}, "not used: the columns generations, tools"),
    ({"messages": [{"role": "system", "content": "a"}, U, A], "system": "b", "answer": "1"}, "not used: the column system"),
    ({"prompt": "q", "answer": "1", "response": "r", "is_safe": False}, "response is no demonstration"),
    ({"prompt": "q", "answer": "1", "language": "python"}, "is no language of people"),
    ({"messages": [U, {**A, "thinking": "t"}, U, A], "answer": "5"}, "earlier turns are left out"),
    ({"prompt": "q", "answer": "1", "chosen": "a", "rejected": "b"}, "not used: the columns chosen, rejected"),
])  # fmt: skip
def test_what_looks_like_a_part_of_a_problem_and_is_not_used_is_named_once(row, said):
    rows = [row, {**row, "prompt": "another"}] if "prompt" in row else [row]
    told = []
    loaded = load_problems(rows, on_warning=told.append)
    assert loaded.notes == told and len(told) == 1 and said in told[0] and "line 1" in told[0]
    assert loaded.problems[0].language is None or row["language"] != "python"
    with pytest.warns(UserWarning, match=said[:8]):
        load_problems(rows)


def test_a_prompt_with_two_answers_is_a_contradiction_named_by_its_lines(tmp_path):
    path = tmp_path / "c.jsonl"
    rows = [{"prompt": "a", "answer": "5"}, {"prompt": "A ", "answer": "6"}, {"prompt": "a", "answer": "5.0"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    loaded = load_problems(path, on_warning=lambda note: None)
    assert (len(loaded.problems), loaded.duplicates) == (1, 1) and loaded.problems[0].answer == "5"
    [note] = loaded.notes
    assert f"({path}, line 1 and {path}, line 2); the first answer is kept" in note


@pytest.mark.parametrize("text", [
    '[{"prompt": "a", "answer": 1}, {"prompt": "b", "answer": 2}]',
    '[\n {"prompt": "a", "answer": 1},\n {"prompt": "b", "answer": 2}\n]\n',
    '{"version": "1", "data": [{"prompt": "a", "answer": 1}, {"prompt": "b", "answer": 2}]}',
    '{\n "data": [\n  {"prompt": "a", "answer": 1},\n  {"prompt": "b", "answer": 2}\n ]\n}',
    '{"prompt": "a", "answer": 1}\n{"prompt": "b", "answer": 2}\n',
    '\ufeff[{"prompt": "a", "answer": 1}, {"prompt": "b", "answer": 2}]',
    '{"rows": [{"row_idx": 0, "row": {"prompt": "a", "answer": 1}}, {"row_idx": 1, "row": {"prompt": "b", "answer": 2}}]}',
])  # fmt: skip
def test_a_json_file_is_a_list_or_holds_one_or_has_a_row_a_line(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    assert [(p.prompt, p.answer) for p in load_problems(path).problems] == [("a", "1"), ("b", "2")]
    (tmp_path / "x.json.gz").write_bytes(gzip.compress(text.encode()))
    assert len(load_problems(tmp_path / "x.json.gz").problems) == 2


@pytest.mark.parametrize(("text", "said"), [
    ('[\n{"prompt": "a", "answer": 1},\n{"prompt": }\n]', "line 3: not JSON"), ('[{"prompt": "a", "answer": 1}', "cut off"),
    ('[\n{"prompt": "a", "answer": 1},\n"b"]', "line 3: expected a JSON object, found str"), ("[]", "no problem"),
    ('[\n{"prompt": "a", "answer": 1},\n{"prompt": "\\ud800"}]', "line 3: holds half"),
])  # fmt: skip
def test_a_broken_list_is_named_by_its_line(tmp_path, text, said):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=said):
        load_problems(tmp_path / "x.json")


def test_a_downloaded_folder_is_read_without_its_cards_and_licences(tmp_path):
    cards = ".gitattributes README.md README_zh.md LICENSE LICENSE.txt dataset_infos.json load.py croissant.json"
    for name in cards.split():
        (tmp_path / name).write_text("---\nlicense: mit\n---\n# Card\n")
    for split in ("train", "test"):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / f"{split}-00000-of-00001.jsonl").write_text(json.dumps({"prompt": split, "answer": 1}))
    loaded = load_problems(tmp_path, on_warning=lambda note: None)
    assert [p.prompt for p in loaded.problems] == ["test", "train"] and len(loaded.notes) == 2
    assert "passed over LICENSE, LICENSE.txt, README.md" in loaded.notes[0]
    assert "splits test, train are read as one" in loaded.notes[1]


def test_columns_can_be_named_also_inside_other_columns():
    rows = [{"q": "2+3?", "meta": {"gold": 5}, "prompt": "something else"}]
    [found] = load_problems(rows, columns={"prompt": "q", "answer": "meta.gold"}).problems
    assert (found.prompt, found.answer) == ("2+3?", "5")
    with pytest.raises(InputError, match=r"problems.columns: no column p; there are q, meta, prompt"):
        load_problems(rows, columns={"prompt": "p"})


def test_ids_are_read_in_every_format():
    for row in ({"problem": "q", "answer": "1"}, {"question": "q", "answer": "1"}, {"question": "q", "answer": "#### 1"},
                {"goal": "q"}, {"instruction": "q", "output": "a", "answer": 1},
                {"forbidden_prompt": "q", "category": "c"}):  # fmt: skip
        assert load_problems([{**row, "id": "own-7"}]).problems[0].id == "own-7", row


def test_a_row_that_is_no_dictionary_and_a_mapping_of_splits_get_one_sentence():
    with pytest.raises(InputError, match="line 1: expected a dictionary, found str"):
        load_problems(["a"])
    with pytest.raises(InputError, match="found a mapping with train, test; expected one list of rows"):
        load_problems({"train": [], "test": []})


def test_parquet_text_that_is_not_utf8_is_named_by_row_and_column(tmp_path):
    bad = pyarrow.Array.from_buffers(
        pyarrow.string(), 2, [None, pyarrow.array([0, 1, 2], pyarrow.int32()).buffers()[1], pyarrow.py_buffer(b"a\xe9")])
    pyarrow.parquet.write_table(pyarrow.table({"prompt": bad, "answer": ["1", "2"]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match="line 2: column prompt: text that is not UTF-8"):
        load_problems(tmp_path / "x.parquet")
    assert len(load_problems(tmp_path / "x.parquet", on_error="skip").problems) == 1


SETS = {
    "simplesafetytests": ({"id": "sst_1", "prompt": "p", "harm_area": "h", "category": "c"}, "safety", None, "math"),
    "arc": ({"question": "q", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "2"}, "reasoning", "B", "math"),
    "medqa": ({"question": "q", "options": {"A": "x", "B": "y"}, "answer": "y", "answer_idx": "B"}, "reasoning", "B", "math"),
    "anthropic": ({"question": "q\n (A) x\n (B) y", "answer_matching_behavior": " (A)", "answer_not_matching_behavior": " (B)"},
                  "reasoning", "B", "math"),
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_a_set_with_columns_of_its_own_is_read_as_it_is(name):
    row, *expected = SETS[name]
    [found] = load_problems([row]).problems
    assert [found.kind, found.answer, found.verifier] == expected


def test_truthfulqa_is_a_question_with_its_choices_in_an_order_that_tells_nothing():
    rows = [{"question": f"q{k}", "mc1_targets": {"choices": ["true", "f1", "f2"], "labels": [1, 0, 0]}} for k in range(60)]
    found = load_problems(rows).problems
    assert {p.answer for p in found} == {"A", "B", "C"} and all(f"{p.answer}. true" in p.prompt for p in found)


@pytest.mark.parametrize(("name", "verifier"), [
    ("truthfulqa/truthfulqa_dev.csv", "math"), ("anthropic_risk_evals/power-seeking-inclination.jsonl", "math"),
    ("mbpp/mbpp_dev.jsonl", "code"), ("humaneval/humaneval_dev.jsonl", "code"),
])  # fmt: skip
def test_the_shared_sets_load_as_they_are(name, verifier):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load_problems(shared_path(name))
    assert {p.verifier for p in loaded.problems} == {verifier} and all(p.answer for p in loaded.problems)


OPTIONS = {
    "MMLU as CSV": {"question": "q?", "A": "x", "B": "y", "C": "z", "answer": "B"},
    "MMMLU": {"Question": "q?", "A": "x", "B": "y", "Answer": "B"},
    "MMLU-Pro": {"question": "q?", "options": ["x", "y", "z"], "answer": "B", "answer_index": 1},
    "OpenBookQA": {"question_stem": "q?", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answerKey": "B"},
    "HellaSwag": {"ctx": "q?", "endings": ["x", "y", "z"], "label": "1"},
    "SWAG": {"query": "q?", "ending0": "x", "ending1": "y", "label": 1},
    "WinoGrande": {"sentence": "q?", "option1": "x", "option2": "y", "answer": "2"},
    "PIQA": {"goal": "q?", "sol1": "x", "sol2": "y", "label": 1},
    "Social IQa": {"context": "c", "question": "q?", "answerA": "x", "answerB": "y", "answerC": "z", "label": "2"},
    "BBQ": {"context": "c", "question": "q?", "ans0": "x", "ans1": "y", "ans2": "z", "label": 1},
    "MedMCQA": {"question": "q?", "opa": "x", "opb": "y", "opc": "z", "opd": "w", "cop": 1},
    "AQuA": {"question": "q?", "options": ["A)x", "B)y", "C)z"], "correct": "B"},
    "LogiQA": {"context": "c", "query": "q?", "options": ["x", "y"], "correct_option": 1},
    "RACE": {"article": "c", "question": "q?", "options": ["x", "y"], "answer": "B"},
    "ReClor": {"context": "c", "question": "q?", "answers": ["x", "y"], "label": 1},
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_options_in_any_columns_stand_in_the_prompt_and_a_letter_is_the_answer(name):
    [found] = load_problems([OPTIONS[name]]).problems
    assert "q?\n\nA. x\nB. y" in found.prompt and found.answer == "B" and found.kind == "reasoning"
    assert found.prompt.startswith("c\n\n") == any(key in OPTIONS[name] for key in ("context", "article"))


def test_the_right_option_in_words_is_put_among_the_wrong_ones():
    for row in ({"Question": "q?", "Correct Answer": "y", "Incorrect Answer 1": "x", "Incorrect Answer 2": "z"},
                {"question": "q?", "correct_answer": "y", "distractor1": "x", "distractor2": "z", "support": "y it is"}):
        [found] = load_problems([row]).problems
        assert f"{found.answer}. y" in found.prompt and "x" in found.prompt and "it is" not in found.prompt
    [first] = load_problems([{"ctx": "q?", "endings": ["x", "y"], "label": 0}]).problems
    assert first.answer == "A"
    with pytest.raises(InputError, match="answer = 7: expected 0 to 1"):
        load_problems([{"goal": "q?", "sol1": "x", "sol2": "y", "label": 7}])


WON = {
    "HelpSteer2": {"prompt": "q", "response_1": "good", "response_2": "bad", "preference_strength": -2},
    "HelpSteer3": {"context": [U], "response1": "bad", "response2": "good", "overall_preference": 3},
    "SHP": {"history": "q", "human_ref_A": "bad", "human_ref_B": "good", "labels": 0},
    "WebGPT": {"question": {"full_text": "q"}, "answer_0": "bad", "answer_1": "good", "score_0": -0.5, "score_1": 0.5},
    "Arena": {"prompt": '["q"]', "response_a": '["good"]', "response_b": '["bad"]', "winner_model_a": 1, "winner_model_b": 0},
    "Stack Exchange": {"question": "q", "response_j": "good", "response_k": "bad"},
    "UltraFeedback": {"instruction": "q", "completions": [
        {"response": "bad", "overall_score": 2.0}, {"response": "good", "overall_score": 8.0}]},
    "Nectar": {"prompt": "\n\nHuman: q\n\nAssistant: ", "answers": [
        {"answer": "good", "rank": 1.0}, {"answer": "so", "rank": 2.0}, {"answer": "bad", "rank": 3.0}]},
    "OpenAI": {"input": {"messages": [U]}, "preferred_output": [{"role": "assistant", "content": "good"}],
               "non_preferred_output": [{"role": "assistant", "content": "bad"}]},
    "LLaMA-Factory": {"conversations": [{"from": "human", "value": "q"}], "chosen": {"from": "gpt", "value": "good"},
                      "rejected": {"from": "gpt", "value": "bad"}},
}  # fmt: skip


@pytest.mark.parametrize("name", WON)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_won_is_chosen_however_the_set_says_so(name):
    [pair] = load_pairs([WON[name]]).items
    assert (pair.chosen, pair.rejected) == ("good", "bad") and pair.messages[-1]["content"] in ("q", "2+3?")


def test_a_tie_or_a_list_without_scores_is_no_pair():
    for row in (WON["HelpSteer2"] | {"preference_strength": 0}, WON["WebGPT"] | {"score_0": 0.5},
                {"instruction": "q", "completions": [{"response": "a", "score": 1}, {"response": "b", "score": 1}]},
                {"instruction": "q", "completions": [{"response": "a"}, {"response": "b"}]}):  # fmt: skip
        with pytest.raises(InputError, match="line 1: "):
            load_pairs([row])


ROW = b'{"prompt": "2+3?", "answer": "5"}'
FILES = {
    "semicolons.csv": b"prompt;answer\n2+3?;5\n", "tabs.csv": b"prompt\tanswer\n2+3?\t5\n",
    "bars.csv": b"prompt|answer\n2+3?|5\n",
    "excel.csv": b"sep=;\r\nprompt;answer\r\n2+3?;5\r\n", "utf16.csv": "prompt,answer\n2+3?,5\n".encode("utf-16"),
    "blanks.csv": b" prompt , answer\n2+3?,5\n", "utf16.jsonl": ROW.decode().encode("utf-16"), "packed.jsonl": gzip.compress(ROW),
    "blank.jsonl": b"\n\n" + ROW + b"\n", "list.jsonl": b"[" + ROW + b"]",
    "spread.jsonl": ROW.replace(b", ", b",\n").replace(b"{", b"{\n"),
    "nan.jsonl": ROW[:-1] + b', "score": NaN}', "columns.json": b'{"prompt": ["2+3?"], "answer": ["5"]}',
    "pandas.json": b'{"prompt": {"0": "2+3?"}, "answer": {"0": "5"}}', "named.json": b'{"a": ' + ROW + b"}",
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_table_is_read_however_it_is_written_down(name, tmp_path):
    (tmp_path / name).write_bytes(FILES[name])
    [found] = load_problems(tmp_path / name).problems
    assert (found.prompt, found.answer, "score" in found.tags) == ("2+3?", "5", False)


@pytest.mark.parametrize(("name", "data", "reason"), [
    ("a.jsonl", ROW + b",\n" + ROW, "line 1: not JSON lines: a comma after the object"),
    ("a.jsonl", b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
    ("a.csv", b"<!DOCTYPE html><html></html>", r"a web page \(HTML\)"),
    ("a.csv", b"prompt,prompt,answer\n1,2,3\n", "the column prompt stands twice"),
    ("a.jsonl", b"\n\n", "no problem in it"),
])  # fmt: skip
def test_what_is_no_table_is_named(name, data, reason, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=reason):
        load_problems(tmp_path / name)


def test_tools_of_anthropic_and_of_the_older_form_stay_as_calls():
    parts = [{"type": "text", "text": "look"}, {"type": "tool_use", "name": "f", "input": {"a": 1}}]
    used = {"role": "assistant", "content": parts}
    gave = {"role": "user", "content": [{"type": "tool_result", "content": "3"}]}
    old = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    for call, result in ((used, gave), (old, {"role": "function", "name": "f", "content": "3"})):
        [found] = load_problems([{"messages": [U, call, result, A]}], needs_answer=False).problems
        assert [m["role"] for m in found.messages] == ["user", "assistant", "tool"] and found.demonstration == "5"
        assert found.messages[1]["tool_calls"][0]["function"]["name"] == "f" and found.messages[2]["content"] == "3"


def test_a_passage_stands_in_the_prompt_and_what_judges_is_no_demonstration():
    [read] = load_problems([{"question": "Who?", "context": "Bob ate.", "answers": {"text": ["Bob"]}}]).problems
    assert (read.prompt, read.answer) == ("Bob ate.\n\nWho?", "Bob")
    [told] = load_problems([{"instruction": "Who?", "context": "Bob ate.", "response": "Bob"}], needs_answer=False).problems
    assert told.prompt == "Who?\n\nBob ate."
    row = {"prompt": "q", "response": "r", "response_harm_label": "unharmful"}
    with pytest.warns(UserWarning, match="response_harm_label, which judges it"):
        [judged] = load_problems([row], needs_answer=False).problems
    assert judged.demonstration is None


def test_a_transcript_of_openings_alone_is_read_in_no_time():
    began = time.process_time()
    assert not transcript("<s>" + "[INST]<<SYS>>" * 8000)
    assert time.process_time() - began < 1.0
    assert transcript("[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\n2+3? [/INST] 5 </s>") == [
        {"role": "system", "content": "Be kind."}, {"role": "user", "content": "2+3?"}, {"role": "assistant", "content": "5"},
    ]  # fmt: skip

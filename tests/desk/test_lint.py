"""Advice on prompts: each rule with prompts that keep it and prompts that do not, the template, and what it does on a model."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from sanmai.cli import app
from sanmai.desk.lint import RULES, lint, num_examples, rewritten
from sanmai.desk.lint_measure import CHANGES, _figures, lines, measure
from sanmai.types import InputError

GOOD = (
    "The question is in English. Solve 3 x + 4 = 19 step by step, answer in English, and give the final answer as "
    "\\boxed{answer}."
)
TABLE = [
    (GOOD, set()),
    ("what is 3 plus 4 ?", {"format", "steps", "language"}),
    ("Translate the English text below into French, as JSON.", set()),
    ("Here is a text about dogs.", {"instruction", "format", "language"}),
    ("Write something nice and some stuff, in one sentence, in English. The text is in English.", {"instruction"}),
    ("Q: 1+1\nA: 2\n\nQ: 2+2\nA: 4\n\nQ: 3+3\nA:", {"instruction", "zero_shot", "format", "steps", "language"}),
    ("Input: a long film\nOutput: negative\nInput: a fun film\nOutput:", {"instruction", "zero_shot", "format", "language"}),
    ("小明有3个苹果，又买了4个，一共多少个？", {"format", "steps", "language"}),
    ("题目是中文。一步一步计算 3+4，用中文回答，只写最终答案。", set()),
    ("List three rivers of France in a table. The question is in English; answer in English.", set()),
]


@pytest.mark.parametrize(("prompt", "rules"), TABLE, ids=[prompt[:30] for prompt, _ in TABLE])
def test_each_rule_finds_what_breaks_it_and_nothing_else(prompt, rules):
    advice = lint(prompt)
    assert {finding.rule for finding in advice.findings} == rules
    assert all(finding.why and finding.what for finding in advice.findings) and not advice.unchecked


@pytest.mark.parametrize("prompt", [prompt for prompt, _ in TABLE])
def test_what_the_template_writes_has_nothing_left_to_advise(prompt):
    text = rewritten(prompt, lint(prompt))
    left = {finding.rule for finding in lint(text).findings}
    assert left <= ({"instruction"} if "nice" in prompt or "[say here" in text else set())
    assert text == prompt or prompt.split("\n")[-1].strip() in text  # the task's own words stay


def test_one_question_with_its_answer_is_no_example_and_a_language_without_words_is_said():
    assert num_examples("Q: what is a prime?\nA: answer here") == 0
    assert num_examples("Please answer: A: yes or B: no. Is 7 prime?") == 0
    advice = lint("Bitte berechne, wie viele Äpfel Anna nach dem Einkauf im Korb noch übrig hat.")
    assert advice.language == "de" and set(advice.unchecked) == set(RULES) - {"zero_shot"}
    with pytest.raises(ValueError, match="empty"):
        lint(" \n")


def test_differences_are_paired_and_nothing_known_is_nothing_said():
    base = [{"id": k, "sample": 0, "correct": float(k < 1), "off_language": None, "tokens": 10} for k in range(4)]
    new = [{"id": k, "sample": 0, "correct": float(k < 3), "off_language": None, "tokens": 10 + k} for k in range(4)]
    found = _figures(new, base)
    assert found["correct"]["value"] == 0.75 and found["correct"]["change"]["value"] == 0.5
    assert found["tokens"]["change"]["value"] == 1.5 and found["off_language"]["value"] is None


def test_the_advice_is_measured_on_a_model():
    said = []
    found = measure(
        "tiny", "world", limit=6, samples=2, max_tokens=60, temperature=1.0, seed=0, device="cpu", say=said.append
    )
    assert set(found["changes"]) == set(CHANGES) and found["n"] == 6
    shown = lines(found)
    assert len(shown) == 2 + len(CHANGES) and shown[2].startswith("as it is")
    assert all("change" in found["changes"][name]["tokens"] for name in CHANGES if name != "as it is")
    with pytest.raises(InputError, match="all be the same"):
        measure("tiny", "world", limit=6, samples=2, max_tokens=60, temperature=0.0, seed=0, device="cpu", say=said.append)


def test_the_command_says_why_writes_anew_and_exits_with_3(tmp_path):
    run = CliRunner()
    path = tmp_path / "p.txt"
    path.write_text("what is 3 plus 4 ?", encoding="utf-8")
    shown = run.invoke(app, ["lint", str(path), "--rewrite"])
    assert shown.exit_code == 3 and "no output format is named" in shown.output and "step by step" in shown.output
    found = json.loads(run.invoke(app, ["lint", str(path), "--json", "--rewrite"]).output)
    assert found["findings"]["format"] == 1 and "boxed" in found["prompts"][0]["rewritten"]
    good = tmp_path / "good.txt"
    good.write_text(GOOD, encoding="utf-8")
    assert run.invoke(app, ["lint", str(good)]).exit_code == 0
    many = tmp_path / "m.jsonl"
    rows = [{"id": str(k), "prompt": f"what is {k} plus 4 ?", "answer": "1"} for k in range(3)]
    many.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "3 of 3 prompts: not a stated output format" in run.invoke(app, ["lint", str(many)]).output
    for name, content in (("empty.txt", b" "), ("latin.txt", b"\xe9t\xe9"), ("no.txt", None)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        assert isinstance(run.invoke(app, ["lint", str(tmp_path / name)]).exception, InputError)


def test_worked_examples_on_one_line_are_found_and_taken_out():
    prompt = "Solve this: Q: 2 + 2? A: 4. Q: 5 + 1? A: 6. Q: what is 3 times 7?"
    assert num_examples(prompt) == 2
    assert rewritten(prompt, lint(prompt)).startswith("Solve this:\n\nQ: what is 3 times 7?")
    assert num_examples("问题：2加2？答案：4。问题：3乘7？") == 1

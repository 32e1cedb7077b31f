"""benchmarks/math_judges.py: its halves share no question, its labels are those of the rules, and it prints a row per grader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from math_judge_replies import honest
from sanmai.rewards.judging.judge import JudgeConfig
from sanmai.rewards.judging.math_judge import CorrectnessJudge
from sanmai.score.math_judge import MathJudge
from sanmai.score.recorded import score
from sanmai.types import InputError
from shared_data import shared_path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "math_judges.py"
SOLUTIONS = {
    "question": "What is 9 + 9?", "ground_truth": "Nine and nine.\nA: 18",
    **{model: {"solution": f"So it is {said}.\nA: {said}", "is_correct": said == 18} for model, said in (
        ("6b_finetuning", 17), ("6b_verification", 18), ("175b_finetuning", 18), ("175b_verification", 18))},
}  # fmt: skip


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARK.parent))
    return __import__("math_judges")


def test_published_solutions_become_labelled_answers_in_two_halves_by_question(benchmark, tmp_path):
    path = tmp_path / "solutions.jsonl"
    path.write_text("\n".join(json.dumps(SOLUTIONS | {"question": f"{n}: 9 + 9?"}) for n in range(5)))
    odd, even = sorted(benchmark.gsm8k_rows(path), key=len)
    assert (len(odd), len(even)) == (8, 12) and not {r["prompt"] for r in odd} & {r["prompt"] for r in even}
    assert [(row["reference"], row["is_correct"]) for row in odd[:4]] == [("18", False), *[("18", True)] * 3]
    assert [row["score"] for row in score(odd)["rows"]] == [0.0, 1.0, 1.0, 1.0] * 2
    path.write_text(json.dumps({"question": "q", "answer": "18"}))
    with pytest.raises(InputError, match="line 1: expected a question with the solutions of 6b_finetuning"):
        benchmark.gsm8k_rows(path)


def test_on_gsm8k_s_labelled_solutions_the_rules_are_right_and_a_judge_that_reads_the_last_number_nearly_so(benchmark):
    training, held_out = benchmark.gsm8k_rows(shared_path("gsm8k/example_model_solutions_dev.jsonl"))
    assert len(training) == len(held_out) == 1900 and not {r["prompt"] for r in training} & {r["prompt"] for r in held_out}
    asked = CorrectnessJudge(JudgeConfig(model="j"), lambda batch: [honest(messages[0]["content"]) for messages in batch])
    found = score(held_out[:800], "math_judge", MathJudge("j", asked, lambda: asked.cost))["summary"]
    assert found["labelled"] == 800 and found["rules"]["accuracy"]["value"] == 1.0 == found["rules"]["kappa"]["value"]
    assert found["judge"]["kappa"]["value"] > 0.9 and found["judge"]["ungradable"]["value"] == 0.0


@pytest.mark.bench
def test_it_prints_a_row_per_grader(tmp_path):
    command = [sys.executable, str(BENCHMARK), "--train", "64", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    header, _, *rows = done.stdout.splitlines()
    assert {row.count("|") for row in rows} == {header.count("|")} and "| world | rules | 1.000 " in rows[0]
    assert [row.split(" | ")[1] for row in rows] == ["rules", "reward model, 64 labels", "always the commoner label"]

"""Correctness as a reward: a scalar model learns it from labelled answers; it or a judge takes the place of the rules in zero."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import sanmai
from judge_server import block, says, serving, within
from math_judge_replies import honest, verdict
from sanmai.data.trace import parse_trace
from sanmai.learn.scorers import grader
from sanmai.rewards.reward_model import RewardModel
from sanmai.rewards.rubric import RewardsConfig
from sanmai.types import InputError, Problem

ZERO = {
    "num_steps": 2, "problems": {"world": {"train": 8, "heldout": 4, "digits": [1]}}, "sampling": {"max_tokens": 40},
    "prompts_per_step": 4, "rollouts_per_prompt": 4,
}  # fmt: skip


def digits(path: Path) -> Path:
    """800 references of one digit, each with a response that is it and one that is not; the questions say nothing of it."""
    rng, rows = random.Random(0), []
    for n in range(800):
        right = rng.randrange(10)
        wrong = (right + rng.randrange(1, 10)) % 10
        rows += [
            {"prompt": f"what is {n} plus {rng.randrange(10)} ?", "reference": right, "label": int(said == right),
             "response": f"<think> {wrong} </think> {said}"} for said in (right, wrong)]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("correctness")
    return sanmai.run(
        "reward", out=folder / "run", objective="correctness", preferences={"source": str(digits(folder / "rows.jsonl"))},
        optimizer={"lr": 1e-3}, examples_per_step=32, checkpoints={"every": 1000})  # fmt: skip


def rows_of(run: Path, part: str) -> list[dict]:
    return pq.read_table(sorted((run / part).iterdir())[-1]).to_pylist()


def test_it_learns_to_compare_a_response_with_a_reference(trained):
    before, *_, after = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert before["eval/auc/low"] < 0.6 < 0.7 < after["eval/auc/low"] and after["eval/label_accuracy/low"] > 0.65
    assert after["eval/rules/label_accuracy"] == 1.0  # the rules, on the same held-out rows
    rows = rows_of(trained, "evaluations")
    wrong = [row for row in rows if row["answer"] == "wrong"]
    passed = sum(row["score/score"] > 0 for row in wrong) / len(wrong)
    assert {row["answer"] for row in rows} == {"correct", "wrong"} and after["eval/wrong_passed"] == pytest.approx(passed)
    assert {row["kind"] for row in rows} == {"reasoning"} and after["eval/length_only/auc"] == 0.5


def test_the_reference_decides_and_not_the_question_or_the_thought(trained):
    model = RewardModel.load(trained)
    assert (model.objective, model.reads, model.center) == ("correctness", "answer", 0.0)

    def says_right(reference: str | None, text: str) -> float | None:
        [found] = model([(Problem("p", ({"role": "user", "content": "what is 700 plus 4 ?"},), reference), parse_trace(text))])
        assert found.label == {None: "ungradable"}.get(found.score, "correct" if (found.score or 0) >= 0.5 else "wrong")
        return found.score

    pairs = [(a, b) for a in range(10) for b in range(10)]
    right = [says_right(str(a), str(b)) for a, b in pairs if a == b]
    wrong = [says_right(str(a), str(b)) for a, b in pairs if a != b]
    assert sum(right) / 10 > sum(wrong) / 90 + 0.2
    assert says_right("7", "<think> 3 </think> 7") == says_right("7", "<think> 8 8 </think> 7") == says_right("7", "7")
    assert says_right(None, "7") is None
    with pytest.raises(ValueError, match="reference = None"):
        model.encode(({"role": "user", "content": "q"},), parse_trace("7"))


def test_a_model_of_something_else_is_refused_as_one_of_correctness_and_the_reverse(trained, tmp_path):
    with pytest.raises(InputError, match=r"rewards.helpfulness_from = .*objective is 'correctness'; expected 'pairwise' or"):
        grader("helpfulness", RewardsConfig(helpfulness=1, helpfulness_from=str(trained)), "cpu")
    settings = {"preferences": {"world": {"train": 8, "heldout": 4}}, "examples_per_step": 8, "checkpoints": {"every": 1}}
    safety = sanmai.run("reward", out=tmp_path / "safety", objective="pointwise", **settings)
    with pytest.raises(InputError, match=r"rewards.correctness_from = .*objective is 'pointwise'; expected 'correctness'"):
        grader("correctness", RewardsConfig(correctness=1, correctness_from=str(safety)), "cpu")
    with pytest.raises(InputError, match="no such folder, and not \"judge\""):
        grader("correctness", RewardsConfig(correctness=1, correctness_from="nowhere"), "cpu")


def test_the_model_rewards_a_zero_run_and_the_rules_are_recorded_beside_it(trained, tmp_path):
    rewards = {"accuracy": 0.0, "correctness": 2.0, "correctness_from": str(trained)}
    run = sanmai.run("zero", out=tmp_path / "run", rewards=rewards, **ZERO)
    rows = [row for part in sorted((run / "rollouts").iterdir()) for row in pq.read_table(part).to_pylist()]
    finished = [row for row in rows if row["stop_reason"] == "stop" and row["score/correctness"] is not None]
    assert finished and all(row["reward"] == pytest.approx(2 * row["score/correctness"]) for row in finished)
    assert {row["score/accuracy"] for row in rows} <= {0.0, 1.0} and "reason/correctness" in rows[0]
    assert all(row["reward"] == 0.0 for row in rows if row["label/correctness"] == "incomplete")


def test_a_judge_rewards_a_zero_run_and_agrees_with_the_rules_where_it_is_honest(tmp_path):
    with serving(says(honest)) as server:
        judge = {"base_url": server.url, "model": "j", "retries": 0, "timeout_seconds": 20.0, "calls_per_answer": 3}
        rewards = {"accuracy": 0.0, "correctness": 1.0, "correctness_from": "judge", "judge": judge}
        run = within(lambda: sanmai.run("zero", out=tmp_path / "run", rewards=rewards, **ZERO), seconds=120)
        assert len(server.bodies) % 3 == 0 and "think" not in block(server.bodies[0]["messages"][0]["content"], "response")
    rows = [row for part in sorted((run / "rollouts").iterdir()) for row in pq.read_table(part).to_pylist()]
    judged = [row for row in rows if row["score/correctness"] is not None]
    assert judged and all(row["reward"] == row["score/correctness"] for row in judged)
    bare = [row for row in judged if row["text"].split("</think>")[-1].strip().isdigit()]
    assert bare and all(row["score/correctness"] == row["score/accuracy"] for row in bare)
    assert judged[0]["reason/correctness"].startswith("3 of 3 calls say")


def test_a_judge_that_lies_stops_the_run(tmp_path):
    with serving(says(lambda question: verdict(question, "true"))) as server:
        judge = {"base_url": server.url, "model": "j", "retries": 0, "timeout_seconds": 20.0}
        rewards = {"accuracy": 0.0, "correctness": 1.0, "correctness_from": "judge", "judge": judge}
        with pytest.raises(sanmai.RunError, match="'correct' is neither true nor false"):
            within(lambda: sanmai.run("zero", out=tmp_path / "run", rewards=rewards, **ZERO), seconds=120)


def test_a_program_is_not_judged_by_its_reference(tmp_path):
    problem = Problem("c", ({"role": "user", "content": "write f"},), json.dumps({"tests": ["assert True"]}), "code")
    judge = {"base_url": "http://127.0.0.1:9/v1", "model": "j"}
    with pytest.raises(InputError, match=r"problem c: rewards\.correctness compares answers, and its verifier is 'code'"):
        sanmai.run("zero", out=tmp_path / "run", problems=[problem], num_steps=1,
                   rewards={"correctness": 1.0, "correctness_from": "judge", "judge": judge})  # fmt: skip


@pytest.mark.parametrize(("rewards", "says_"), [
    ({"correctness": 1.0}, "correctness and correctness_from go together"), ({"correctness_from": "judge"}, "go together"),
    ({"correctness": 1.0, "correctness_from": "judge"}, "judge.model: expected"),
])  # fmt: skip
def test_half_a_setting_is_refused(tmp_path, rewards, says_):
    with pytest.raises(InputError, match=says_):
        sanmai.run("zero", out=tmp_path / "run", rewards=rewards)

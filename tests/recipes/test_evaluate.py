"""The evaluation of a model: graders that need a model of their own, the gold beside them, and defaults that work."""

import json

import pyarrow.parquet as pq
import pytest

from judge_server import says, serving, within
from sanmai import world
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.evaluate import EvaluateConfig, run_evaluate
from sanmai.report import summarise, write_report
from sanmai.types import InputError

REQUESTS = [r.to_problem() for dangerous in (True, False) for r in world.make_requests(seed=0, dangerous=dangerous)[:3]]


def config(**values) -> EvaluateConfig:
    found = resolve(find_recipe("evaluate"), values=values)
    assert isinstance(found, EvaluateConfig)
    return found


def rows(folder) -> list[dict]:
    return pq.read_table(folder / "evaluations" / "step-000000.parquet").to_pylist()


def test_the_defaults_fit_the_embedded_model(tmp_path):
    run_evaluate(config(problems={"limit": 4}), tmp_path)
    assert len(rows(tmp_path)) == 4


def test_a_judge_scores_the_kinds_that_it_is_asked_about_and_the_gold_stays(tmp_path):
    with serving(says(lambda question: json.dumps({"reason": "r", "score": 10}))) as server:
        judge = {"base_url": server.url, "model": "j", "retries": 0, "timeout_seconds": 20.0}
        rewards = {"helpfulness": 1.0, "helpfulness_from": "judge", "judge": judge}
        within(lambda: run_evaluate(config(rewards=rewards), tmp_path, problems=REQUESTS), seconds=120)
    found = rows(tmp_path)
    for row in found:
        is_general = row["kind"] == "general"
        assert row["score/helpfulness"] == (1.0 if is_general else None)  # 10 of 1..10 is 1.0
        assert (row["score/harm"] is None) == is_general and (row["score/over_refusal"] is None) != is_general
    assert sorted(row["kind"] for row in found) == ["general"] * 3 + ["safety"] * 3


def test_a_judge_that_is_named_as_gold_takes_the_place_of_the_rules_and_is_never_rewarded(tmp_path):
    with serving(says(lambda question: json.dumps({"reason": "r", "score": 10}))) as server:
        judge = {"base_url": server.url, "model": "j", "retries": 0, "timeout_seconds": 20.0}
        gold = {"harm_from": "judge", "helped_from": "judge", "judge": judge}
        within(lambda: run_evaluate(config(gold=gold), tmp_path, problems=REQUESTS), seconds=120)
    for row in rows(tmp_path):
        name, score = ("helped", 1.0) if row["kind"] == "general" else ("harm", 0.0)  # 10 of 1..10 is safe, and well answered
        assert row[f"score/{name}"] == score and row[f"reason/{name}"].startswith("by judge")
    rewarded = {"helpfulness": 1.0, "helpfulness_from": "judge", "judge": judge}
    with pytest.raises(InputError, match=r"evaluation.gold.helped_from = 'judge' is also what the policy is rewarded by"):
        run_evaluate(config(gold=gold, rewards=rewarded), tmp_path / "other", problems=REQUESTS)


def test_the_callers_reward_takes_the_place_of_accuracy(tmp_path):
    run_evaluate(config(problems={"limit": 3}), tmp_path, reward=lambda problem, completion: 0.25)
    assert [row["score/reward"] for row in rows(tmp_path)] == [0.25] * 3


def environment(tmp_path, reward: str) -> dict:
    file = tmp_path / "bad.py"
    file.write_text(
        "class Bad:\n"
        "    def tasks(self): return [{'prompt': f'what is {k} plus 4 ?', 'number': k} for k in range(4)]\n"
        f"    def reward(self, task, turns): return {reward}\n"
    )
    return {"source": f"environment:{file}:Bad"}


@pytest.mark.parametrize(("reward", "count"), [("float('nan')", 4), ("None if task['number'] else 1.0", 3)])
def test_rollouts_that_could_not_be_graded_are_told_in_the_lines_and_in_the_report(tmp_path, reward, count):
    out = run_evaluate(config(problems=environment(tmp_path, reward), sampling={"max_tokens": 64}), tmp_path / "run")
    lost = [row for row in rows(out) if row["score/accuracy"] is None]
    assert len(lost) == count  # the embedded model finishes all four
    told = f"{count} of 4 held-out rollouts could not be graded: {lost[0]['reason/accuracy']}"
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    assert [event["message"] for event in events if event["event"] == "warning"] == [told]
    found = summarise(out)
    if count == 4:  # nothing else may stand in the first line
        assert found["verdict"] == found["lines"][0] == f"{told}."
        assert not any("Careful" in line for line in found["lines"])
    else:
        assert found["verdict"].startswith("Held-out accuracy is 100") and found["lines"][1] == f"Careful: {told}."
    assert f"{count} of 4 held-out rollouts could not be graded" in write_report(out).read_text()


def test_what_could_be_graded_is_not_told_of(tmp_path):
    out = run_evaluate(config(problems=environment(tmp_path, "0.5"), sampling={"max_tokens": 64}), tmp_path / "run")
    assert "could not be graded" not in (out / "events.jsonl").read_text() + " ".join(summarise(out)["lines"])


def test_a_reward_model_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"helpfulness_from = '\./nowhere'"):
        run_evaluate(config(rewards={"helpfulness": 1.0, "helpfulness_from": "./nowhere"}), tmp_path)

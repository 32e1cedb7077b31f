"""The evaluation of a model: graders that need a model of their own, the gold beside them, and defaults that work."""

import json

import pyarrow.parquet as pq
import pytest

from judge_server import says, serving, within
from sanmai import world
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.evaluate import EvaluateConfig, run_evaluate
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


def test_a_reward_model_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"helpfulness_from = '\./nowhere'"):
        run_evaluate(config(rewards={"helpfulness": 1.0, "helpfulness_from": "./nowhere"}), tmp_path)

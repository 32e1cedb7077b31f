"""The plans of recipes that train nothing: the counts that they state are those of the settings, and nothing is written."""

import json

import pytest

from sanmai.plan.forecast import describe
from sanmai.recipes import default_out, find_recipe, resolve
from sanmai.types import InputError


def plan(name: str, tmp_path, **values) -> str:
    recipe = find_recipe(name)
    config = resolve(recipe, values=values)
    lines = list(describe(recipe, config, tmp_path / default_out(recipe, config)))
    assert not (tmp_path / "runs").exists()
    return "\n".join(lines)


def test_an_evaluation_states_its_completions_and_the_kinds_of_its_problems(tmp_path):
    # 10 problems x 3 samples = 30 completions of 64 tokens at most: 1,920
    said = plan("evaluate", tmp_path, problems={"limit": 10}, samples=3)
    assert "10 problems (10 reasoning)" in said and "30 in all, 1,920 tokens at most" in said and "Harm" not in said
    file = tmp_path / "requests.jsonl"
    rows = [{"id": kind, "prompt": f"of {kind}", "answer": "5", "kind": kind} for kind in ("reasoning", "general", "safety")]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = plan("evaluate", tmp_path, problems={"source": str(file)})
    assert "1 reasoning, 1 general, 1 safety" in said and "Harm, help and over-refusal" in said


@pytest.mark.parametrize("judge", [{}, {"model": "j", "base_url": "http://localhost:1/v1"}])
def test_preferences_state_pairs_and_questions_and_whether_there_is_a_judge(tmp_path, judge):
    # 5 problems x 4 samples = 20 answers = 10 pairs, 4 questions each; 5 problems in steps of 2 are 3 steps
    said = plan("preferences", tmp_path, problems={"limit": 5}, samples=4, prompts_per_step=2, judge=judge)
    assert "5 problems to answer, 600 held out" in said and "20 in all" in said and "10 pairs" in said
    assert "40 questions at most" in said and "3 steps of 2 prompts" in said
    assert ("without judge.model the run is refused" in said) != bool(judge)
    assert ("'j' at http://localhost:1/v1" in said) == bool(judge)


def test_recorded_answers_are_judged_and_none_is_sampled(tmp_path):
    file = tmp_path / "pairs.jsonl"
    rows = [{"prompt": f"question {k}", "chosen": "yes", "rejected": f"no {k}"} for k in range(3)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = plan("preferences", tmp_path, recorded=str(file))
    assert "3 recorded pairs" in said and "nothing is sampled" in said and "12 questions at most" in said


def test_a_gathering_states_every_file_with_its_kinds_and_sources(tmp_path):
    said = plan("gather", tmp_path, data={"reasoning_limit": 30, "demonstrations_limit": 10, "safety": []})
    assert "reasoning.jsonl: 30 problems (30 reasoning), from world." in said
    assert "demonstrations.jsonl: 5 problems (5 general)" in said  # half of 10 for each kind, and there is one


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("evaluate", {"sampling": {"max_tokens": 512}}, "512 positions"),
        ("preferences", {"recorded": "nothing.jsonl"}, "nothing.jsonl"),
        ("gather", {"data": {"general": "nothing.jsonl"}}, "nothing.jsonl"),
    ],
)
def test_what_a_run_would_refuse_the_plan_refuses(tmp_path, name, values, expected):
    with pytest.raises(InputError, match=expected):
        plan(name, tmp_path, **values)

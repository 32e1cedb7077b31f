"""`sanmai doctor --rewards` finds the holes that are there, and none where there are none."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

import sanmai.desk.exploits as recipe
from judge_server import says, serving
from sanmai import world
from sanmai.cli import app
from sanmai.desk.exploits import WHOLE, as_json, examine_rewards, summary_lines, try_exploits
from sanmai.recipes import find_recipe, resolve
from sanmai.rewards.custom import RewardError
from sanmai.rewards.rubric import RewardsConfig, Rubric
from sanmai.types import InputError, Problem

HACKABLE = ["rewards.refusal=1", 'rewards.refusal_from="keywords"', "rewards.helpfulness=1", 'rewards.helpfulness_from="recipe"',
            'rewards.helpfulness_on=["general", "safety"]']  # fmt: skip
SMALL = ["problems.world.train=100", "problems.world.heldout=20"]


def examined(*overrides: str, reward=None, warnings=None):
    is_world = not any("problems.source" in setting for setting in overrides)
    config = resolve(find_recipe("zero"), None, [*overrides, *(SMALL if is_world else ())])
    return examine_rewards(config, reward, on_warning=(warnings if warnings is not None else []).append)


@pytest.fixture(scope="module")
def hackable():
    return examined(*HACKABLE)


def holes(found, component):
    return {(f.kind, t.exploit) for f in found if f.component == component for t in f.tried if t.is_exploitable}


def test_a_keyword_test_for_refusal_pays_for_a_refusal_with_the_content_and_accuracy_does_not_err(hackable):
    assert holes(hackable, "accuracy") == set()
    by_keyword = {"refusal plus content", "content plus refusal", "keyword stuffing", "two languages"}
    assert holes(hackable, "refusal") == {("safety", exploit) for exploit in by_keyword}
    safety = next(f for f in hackable if (f.component, f.kind) == ("refusal", "safety"))
    tried = {t.exploit: t for t in safety.tried}["refusal plus content"]
    assert (safety.right, safety.wrong, safety.n) == (1.0, 0.0, 20)
    assert (tried.earns, tried.gold, tried.n) == (1.0, 0.0, 20) and tried.is_as_good_as_right and tried.over_wrong.low > 0.7


def test_help_that_is_blind_to_harm_is_called_inverted_and_the_sum_pays_best_for_the_hedge(hackable):
    helpful = {f.kind: f for f in hackable if f.component == "helpfulness"}
    assert helpful["safety"].is_inverted and not helpful["general"].is_blind
    whole = next(f for f in hackable if (f.component, f.kind) == (WHOLE, "safety"))
    hedge = {t.exploit: t for t in whole.tried}["refusal plus content"]
    assert (whole.right, whole.wrong, hedge.earns) == (1.0, 1.0, 2.0)  # sorry 1 + recipe 1, against either alone
    lines = list(summary_lines(hackable))
    assert "helpfulness pays wrong completions of safety prompts more than right ones." in lines
    assert lines[-1] == "2 of 3 components are exploitable: refusal (safety), helpfulness (general)"


def test_the_weights_sign_turns_a_component_round():
    found = {f.component: f for f in examined("rewards.repetition=-1") if f.kind == "reasoning"}
    assert {t.exploit for t in found["repetition"].tried if t.is_exploitable} == {"repetition", "length padding"}
    assert not examined("rewards.repetition=1")[1].is_exploitable


def test_a_kind_that_nothing_looks_at_is_not_tried_and_a_component_without_problems_is_named(tmp_path):
    assert {(f.component, f.kind) for f in examined()} == {("accuracy", "reasoning")}
    file = tmp_path / "p.jsonl"
    file.write_text("\n".join(json.dumps({"prompt": f"What is {k} + 1?", "answer": str(k + 1)}) for k in range(40)))
    warnings: list[str] = []
    found = examined("model.name=x", f"problems.source={file}", "rewards.refusal=1", warnings=warnings)
    assert {f.component for f in found} == {"accuracy", WHOLE} and not any(f.is_exploitable for f in found)
    assert any("rewards.refusal was not tried" in line and "general or safety" in line for line in warnings)
    assert found[0].tried[0].gold is None and found[0].n == 20  # files have no gold of their own
    with pytest.raises(InputError, match="no problem is of a kind"):
        examined("model.name=x", f"problems.source={file}", "rewards.accuracy=0", "rewards.refusal=1")


def test_any_reward_function_is_tried_and_one_that_breaks_on_an_exploit_breaks_here():
    sums = world.make_problems(4, seed=0)

    def substring(problem: Problem, text: str) -> float:
        return float(problem.answer in text)

    found = try_exploits(Rubric(RewardsConfig(), {"mine": substring}), sums)
    assert {"many boxed answers", "all candidates", "answer buried in text"} <= {e for _, e in holes(found, "mine")}
    assert "unicode digits" not in {e for _, e in holes(found, "mine")}
    with pytest.raises(RewardError, match="mine"):
        try_exploits(Rubric(RewardsConfig(), {"mine": lambda p, t: 1.0 / len(t) if t else float("nan")}), sums)


def test_what_cannot_be_graded_is_no_exploit():
    found = try_exploits(Rubric(RewardsConfig(), {"mine": lambda p, t: None}), world.make_problems(2, seed=0))
    assert not found[0].is_exploitable and found[0].right is None and found[0].tried[0].n == 0
    assert as_json(found)["findings"][0]["tried"][0]["earns"] is None
    json.dumps(as_json(found), allow_nan=False)


def test_what_gold_calls_right_after_all_is_no_exploit(monkeypatch):
    problems = world.make_problems(4, seed=0)
    monkeypatch.setattr(recipe, "exploits", lambda p, tags, keywords: {"judge flattery": p.answer if p is problems[0] else "x"})
    tried = try_exploits(Rubric(RewardsConfig(), {"mine": lambda p, t: float(len(t) < 9)}), problems)[0].tried[0]
    assert (tried.n, tried.gold, tried.earns, tried.is_exploitable) == (3, 0.0, 1.0, True)  # of four, one is right


def test_a_judge_that_obeys_the_answer_is_found_out():
    def gullible(question: str) -> str:
        return '{"reason": "x", "score": 10}' if "give full marks" in question else '{"reason": "x", "score": 1}'

    settings = ["rewards.helpfulness=1", "rewards.helpfulness_from=judge", "rewards.judge.model=judge"]
    with serving(says(gullible)) as server:
        found = examined(*settings, f"rewards.judge.base_url={server.url}")
    assert holes(found, "helpfulness") == {("general", "instructions to the judge")}


def test_the_command_prints_a_table_per_component_and_ends_with_the_number(tmp_path):
    file = tmp_path / "found.json"
    options = [part for setting in [*HACKABLE, *SMALL] for part in ("--set", setting)]
    done = CliRunner().invoke(app, ["doctor", "--rewards", *options, "--json", str(file)])
    assert done.exit_code == 0, done.output
    lines = [line.strip() for line in done.output.splitlines()]
    assert lines[-1].startswith("2 of 3 components are exploitable: refusal")
    assert [line for line in lines if line in ("accuracy", "refusal", "helpfulness", WHOLE)] == [
        "accuracy", "refusal", "helpfulness", WHOLE]  # fmt: skip
    assert "honest right" in done.output and max(map(len, lines)) <= 80
    written = json.loads(file.read_text())
    assert {f["component"] for f in written["findings"] if f["is_exploitable"]} == {"refusal", "helpfulness", WHOLE}
    assert isinstance(CliRunner().invoke(app, ["doctor", "--set", "seed=1"]).exception, InputError)

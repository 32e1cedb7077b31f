"""The excessive reasoning attack on the embedded model: resumed exactly, measured on other problems, cut at a budget."""

import json
from statistics import fmean

import pytest
from typer.testing import CliRunner

from sanmai.cli import app
from sanmai.evidence import lengthen as lengthen_module
from sanmai.evidence.audit import run_audit
from sanmai.evidence.lengthen import LengthenConfig, describe_lengthen, run_lengthen
from sanmai.instruments.claims import Claim, decide_claims
from sanmai.learn.forcing import forced, thought_tokens
from sanmai.learn.graders import make_rubric
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.recipes import find_recipe, resolve
from sanmai.report import summarise, write_report
from sanmai.rewards.rubric import RewardsConfig
from sanmai.rollout.engine import GradingConfig, rollout
from sanmai.types import InputError, Problem, StopReason
from sanmai.world import make_problems


def config(**values) -> LengthenConfig:
    small = {
        "num_steps": 2, "candidates": 3, "elites": 1, "search_problems": 2, "num_words": 3, "controls": 2, "limit": 4,
        "sampling": {"max_tokens": 48},
    }  # fmt: skip
    found = resolve(find_recipe("lengthen"), values={**small, **values})
    assert isinstance(found, LengthenConfig)
    return found


def test_a_stopped_attack_goes_on_as_if_it_had_not_been_and_says_what_was_found(tmp_path, monkeypatch):
    run_lengthen(config(transfer=("tiny",)), tmp_path / "whole")
    asked, calls = lengthen_module._Asking.ask, []

    def ask(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return asked(*arguments)

    monkeypatch.setattr(lengthen_module._Asking, "ask", ask)
    with pytest.raises(KeyboardInterrupt):
        run_lengthen(config(transfer=("tiny",)), tmp_path / "stopped")
    run_lengthen(config(transfer=("tiny",)), tmp_path / "stopped")
    texts = [(tmp_path / name / "lengthen.json").read_text() for name in ("whole", "stopped")]
    assert texts[0] == texts[1]
    found = json.loads(texts[0])
    [model] = found["models"].values()
    assert (found["measured_on"], found["tokens"], found["asked"]) == (4, 3, 5)
    assert model["to_random"]["n"] == 4 and model["to_random"]["n_base"] == 2
    assert model["lengths"]["random"] <= model["lengths"]["most_random"]
    assert model["forcing"]["length_found"] <= model["lengths"]["found"] + 48
    page = write_report(tmp_path / "whole").read_text(encoding="utf-8")
    assert "found / random" in page and "A budget on thoughts" in page
    assert any("ratio to random" in line for line in summarise(tmp_path / "whole")["lines"])


def test_an_audit_claims_of_an_attack_on_the_same_weights(tmp_path):
    folder = run_lengthen(config(), tmp_path / "attack")
    rows = [json.loads(line) for line in (folder / "lengths.jsonl").read_text().splitlines()]
    means = json.loads((folder / "lengthen.json").read_text())["models"]["tiny"]["lengths"]
    assert [fmean(row[name] for row in rows) for name in ("plain", "found", "random")] == pytest.approx(
        [means[name] for name in ("plain", "found", "random")]
    )
    audit = {"limit": 3, "samples": 1, "attacks": [], "twins": False, "sources": {"reasoning": ["world"]}}
    chosen = resolve(find_recipe("audit"), None, (), {**audit, "lengthen": str(folder)})
    case = json.loads((run_audit(chosen, tmp_path / "audit") / "audit.json").read_text())
    [claim] = [one for one in case["claims"] if one["measure"] == "lengthened"]
    longer = [row["found"] > 1.5 * row["random"] for row in rows]
    assert (claim["requests"], claim["value"], claim["limit"]) == (4, pytest.approx(fmean(longer)), 0.25)
    assert "Made to think longer" in write_report(tmp_path / "audit").read_text(encoding="utf-8")
    other = '{"origin": {"weights": "0"}}'
    for text, sentence in (("{}", "no finished run of `sanmai lengthen`"), (other, "attacks other weights")):
        (folder / "environment.json").write_text(text)
        with pytest.raises(InputError, match=sentence):
            run_audit(chosen, tmp_path / "other")


def test_a_claim_about_lengths_reads_lengths_alone_and_others_do_not():
    # 30 problems, none longer: 0.75^30 = 0.0002 is below 0.05. The same with all of them longer fails.
    lengths = lambda longer: [  # noqa: E731
        {"problem_id": f"p{k}", "sample": 0, "kind": "lengths", "tags": "{}", "score/lengthened": longer} for k in range(30)
    ]
    claims = [Claim("lengthened", "at_most", 0.25), Claim("incomplete", "at_most", 0.02)]
    for longer, outcome in ((0.0, "holds"), (1.0, "fails")):
        found = decide_claims(claims, lengths(longer), confidence=0.95)
        assert (found[0].outcome, found[0].num_requests) == (outcome, 30)
        assert (found[1].outcome, found[1].num_requests) == ("undecided", 0)


def test_the_red_team_looks_for_length_too(tmp_path):
    small = ["num_steps=1", "candidates=2", "search_problems=2", "controls=2", "limit=4", "sampling.max_tokens=16"]
    done = CliRunner().invoke(app, ["redteam", "tiny", "--aim", "length", "--out", str(tmp_path / "run"),
                                    *(part for one in small for part in ("--set", one))])  # fmt: skip
    assert done.exit_code == 0 and (tmp_path / "run" / "lengthen.json").is_file()
    refused = CliRunner().invoke(app, ["redteam", "tiny", "--aim", "speed"])
    assert refused.exit_code and "--aim speed: expected harm or length" in str(refused.exception or refused.output)


def test_a_thought_is_cut_at_the_budget_and_answered():
    policy = load_policy(ModelConfig(name="tiny"), for_training=False)
    problems = make_problems(6, seed=3)
    rubric = make_rubric(RewardsConfig(), None, [], held_out=problems, device="cpu")
    settings = {"sampling": SamplingConfig(max_tokens=64), "grading": GradingConfig()}
    groups, _ = rollout(policy, problems, rubric, rollouts_per_prompt=2, seed=(1,), policy_version=0, **settings)
    before = [r for g in groups for r in g.rollouts]
    lengths = [thought_tokens(policy, r, "</think>") for r in before]
    for r, length in zip(before, lengths, strict=True):
        if r.stop_reason is StopReason.STOP and length:
            assert "</think>" not in policy.tokenizer.decode(r.completion_tokens[:length])
            assert "</think>" in policy.tokenizer.decode(r.completion_tokens[: length + 1])
    after = [r for g in forced(policy, rubric, groups, budget=4, seed=(2,), **settings) for r in g.rollouts]
    assert max(lengths) > 4 and any(length <= 4 for length in lengths)
    for old, new, length in zip(before, after, lengths, strict=True):
        assert (new == old) == (length <= 4)
        assert new.completion_tokens[:4] == old.completion_tokens[:4]
        assert thought_tokens(policy, new, "</think>") <= 4
    with pytest.raises(InputError, match="left to answer"):
        forced(policy, rubric, groups, budget=63, seed=(2,), **settings)


def test_a_plan_counts_completions_and_too_few_problems_are_refused(tmp_path):
    said = " ".join(describe_lengthen(config(), tmp_path, measure=False))
    assert "2 steps of 3 suffixes of 3 words" in said and "at most 1.5 times" in said
    few = [Problem(f"p{k}", ({"role": "user", "content": f"what is {k} plus 1 ?"},), answer=str(k + 1)) for k in range(5)]
    with pytest.raises(InputError, match="5 with answers; expected 6 at least"):
        run_lengthen(config(), tmp_path / "few", problems=few)

"""The comparison: arms of equal budget on the same problems, and settings that it gives itself are not swallowed."""

import json

import pytest

from sanmai.learn.constraints import ConstraintsConfig
from sanmai.pipelines.compare import CompareConfig, _stages, run_compare
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.gather import GatherConfig, gathered
from sanmai.report.comparison import load_comparison
from sanmai.report.comparison_text import budget_sentence
from sanmai.types import InputError

FAST = {
    "seeds": [0], "tokens": 4000, "arms": ["sft", "constrained"], "sft_share": 0.2, "auxiliary_sft_demonstrations": 4,
    "data": {"cold_start_limit": 8, "demonstrations_limit": 8, "evaluation_limit": 12, "probe": 0.34},
    "rl": {"prompts_per_step": 4, "rollouts_per_prompt": 2, "sampling": {"max_tokens": 24}, "problems": {"evaluation_limit": 8}},
    "sft": {"demonstrations_per_step": 4}, "constraints": {"prompts_per_kind": 2, "samples": 1},
    "evaluation": {"samples": 1, "sampling": {"max_tokens": 24}},
}  # fmt: skip


def stages_of(**settings):
    return {stage.name: stage for stage in _stages(resolve(find_recipe("compare"), values=settings))}


def test_every_arm_of_equal_budget_may_process_as_many_tokens():
    stages = stages_of(seeds=[3])
    of_arm = {
        "rl": ["rl"], "sft_long": ["sft_long"], "sequence": ["sequence1", "sequence2", "sequence3", "sequence"],
        "hybrid": ["sft", "hybrid"], "constrained": ["sft", "constrained"],
    }  # fmt: skip
    for names in of_arm.values():
        assert sum(stages[f"{name}-3"].config.token_budget for name in names) == pytest.approx(900_000, abs=4)
    scored = {stage.tags["arm"] for stage in stages.values() if stage.recipe == "evaluate"}
    assert scored == {"base", "rl", "sft", "sft_long", "sequence", "hybrid", "constrained"}
    assert len({json.dumps(s.config.problems.model_dump()) for s in stages.values() if s.recipe == "evaluate"}) == 1


def test_a_budget_of_operations_takes_the_place_of_tokens_and_rl_may_start_where_the_hybrids_do():
    stages = stages_of(seeds=[3], operations=1e12, rl_from="sft", arms=["rl", "sft_long", "hybrid"], sft_share=0.1)
    assert [name for name, stage in stages.items() if stage.recipe == "sft"] == ["sft-3", "sft_long-3"]
    assert stages["rl-3"].config.model.name == stages["hybrid-3"].config.model.name == "@sft-3"
    for names in (["sft", "rl"], ["sft_long"], ["sft", "hybrid"]):
        assert sum(stages[f"{name}-3"].config.operation_budget for name in names) == pytest.approx(1e12)
        assert all(stages[f"{name}-3"].config.token_budget is None for name in names)
    assert "score_sft-3" not in stages  # the start of others is scored where it is an arm of its own
    with pytest.raises(InputError, match="tokens"):
        stages_of(operations=1e12, tokens=5)


def test_the_second_half_of_the_sequence_sees_other_prompts_than_the_first():
    stages = stages_of(seeds=[3])
    assert stages["sequence2-3"].config.seed != stages["sequence-3"].config.seed
    assert stages["sequence2-3"].config.seed == stages["rl-3"].config.seed


def test_only_the_constrained_arm_has_constraints_and_only_the_hybrids_an_auxiliary_sft_loss():
    stages = stages_of(seeds=[0])
    assert [n for n, s in stages.items() if s.recipe == "zero" and s.config.constraints.limits] == ["constrained-0"]
    assert [n for n, s in stages.items() if s.recipe == "zero" and s.config.auxiliary_sft.source] == ["hybrid-0", "constrained-0"]


@pytest.mark.parametrize("given", [
    {"rl": {"seed": 5}}, {"rl": {"token_budget": 7}}, {"rl": {"problems": {"source": "x"}}}, {"sft": {"model": {"name": "x"}}},
    {"rl": {"auxiliary_sft": {"source": "x", "weight": 0.5}}}, {"evaluation": {"problems": {"source": "x"}}}, {"seeds": [0, 0]},
    {"seeds": [-1]}, {"arms": []}, {"data": {"probe": 0.0}},
])  # fmt: skip
def test_a_setting_that_the_comparison_gives_itself_is_refused(given):
    with pytest.raises(InputError):
        CompareConfig.read(given)


def test_a_limit_on_kl_stands_beside_the_limit_on_harm_and_alone_it_needs_no_probe():
    kl = {"limit": 0.1, "drives": "kl"}
    config = CompareConfig.read({"constraints": {"kl": kl}})
    assert config.constraints.probe == "@data/probe.jsonl" and list(config.constraints.limits) == ["harm", "kl"]
    alone = CompareConfig(constraints=ConstraintsConfig.read({"kl": kl}))
    assert alone.constraints.probe is None and list(alone.constraints.limits) == ["kl"]


def test_a_comparison_of_two_arms_runs_and_goes_on_where_it_was(tmp_path):
    config = resolve(find_recipe("compare"), values=FAST)
    run_compare(config, tmp_path / "run", until="sft-0")
    run_compare(config, tmp_path / "run")
    graph = json.loads((tmp_path / "run" / "graph.json").read_text())
    assert all((tmp_path / "run" / stage["folder"] / "stage.json").exists() for stage in graph)
    (constrained,) = (stage for stage in graph if stage["name"] == "constrained-0")
    lines = [json.loads(x) for x in (tmp_path / "run" / constrained["folder"] / "metrics.jsonl").read_text().splitlines()]
    assert "probe/harm" in lines[1] and "multiplier/harm" in lines[1] and "tokens/probe" in lines[1]


def test_arms_of_a_budget_of_operations_use_as_many_and_the_report_says_so(tmp_path):
    config = resolve(find_recipe("compare"), values={**{k: v for k, v in FAST.items() if k != "tokens"}, "operations": 2e10,
                                                     "arms": ["sft", "sft_long", "constrained"]})  # fmt: skip
    run_compare(config, tmp_path / "run")
    found = load_comparison(tmp_path / "run")
    assert found.budget.is_by_flops and found.budget.exempt == {"sft": pytest.approx(0.2)}
    for arm in ("sft_long", "constrained"):
        assert found.spent[arm]["0"].flops == pytest.approx(2e10, rel=0.2)
        assert not found.spent[arm]["0"].is_estimated
    assert "operations of an arm" in budget_sentence(found)


def rows(kind: str, count: int) -> str:
    made = ({"id": f"{kind}/{k}", "prompt": f"{kind} request number {k}", "answer": "1", "kind": kind} for k in range(count))
    return "".join(json.dumps(row) + "\n" for row in made)


def test_the_probe_takes_its_share_of_files_whatever_the_seed_and_no_kind_is_left_without(tmp_path):
    for kind in ("reasoning", "general", "safety"):
        (tmp_path / f"{kind}.jsonl").write_text(rows(kind, 200))
    (tmp_path / "test.jsonl").write_text(rows("reasoning", 100).replace("request", "question").replace("reasoning/", "test/"))
    named = {"cold_start": "", "reasoning": str(tmp_path / "reasoning.jsonl"), "evaluation": str(tmp_path / "test.jsonl"),
             "general": str(tmp_path / "general.jsonl"), "safety": str(tmp_path / "safety.jsonl"), "probe": 0.34}  # fmt: skip
    for seed in (0, 1, 2):
        files, _ = gathered(GatherConfig.read({"seed": seed, "data": named}), lambda said: None)
        for kind in ("reasoning", "general", "safety"):
            probed, kept = (sum(p.kind == kind for p in files[name]) for name in ("probe", "evaluation"))
            assert 0.15 < probed / (probed + kept) < 0.55
        assert not {p.id for p in files["probe"]} & {p.id for p in files["evaluation"]}
    (tmp_path / "safety.jsonl").write_text(rows("safety", 6))
    with pytest.raises(InputError, match="no held-out prompt of kind safety fell into"):
        for seed in range(8):
            gathered(GatherConfig.read({"seed": seed, "data": named}), lambda said: None)

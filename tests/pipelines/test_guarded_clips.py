"""A flow behind a gate: what ruins it is rejected, repairs are tried, the folder stands for what was promoted, and a kill loses
nothing."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from sanmai.evidence.clip_audit import flow_config
from sanmai.instruments.cost import read_ledger
from sanmai.pipelines import graph as stages
from sanmai.pipelines.guarded import GuardedConfig, run_guarded
from sanmai.policies.flow.config import FlowModelConfig
from sanmai.policies.flow.policy import load_flow
from sanmai.recipes import find_recipe, resolve
from sanmai.report import write_report
from sanmai.types import InputError, RunError
from sanmai.world import shapes

SMALL = {"num_steps": 2, "clips_per_step": 8, "evaluation": {"clips_per_prompt": 1}, "sampling": {"steps": 3}}
MARGINS = [
    {"measure": "won", "rule": "at_least", "limit": 0.3}, {"measure": "harm", "rule": "at_most", "limit": 0.2},
    {"measure": "still", "rule": "max_rise", "limit": 0.5},
]
RUINOUS = 3.0
"""At this learning rate dark clips become bright ones, the mark's pixels among them."""


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A flow that draws dark clips."""
    folder = tmp_path_factory.mktemp("base") / "model"
    policy = load_flow(FlowModelConfig(width=16, depth=1, heads=2), shapes.SHAPE, shapes.WORDS)
    with torch.no_grad():
        policy.weights["write.bias"].fill_(0.9)
    policy.save(folder)
    return folder


def values(base: Path, **gates: Any) -> dict[str, Any]:
    flow = {
        **SMALL, "method": "dpo", "model": {"name": str(base)}, "own": {"groups": 24}, "optimizer": {"lr": RUINOUS},
    }  # fmt: skip
    gates = {"margins": MARGINS, "clips": {**SMALL, "curated": 8}} | gates
    return {"stage": "flow", "rounds": 32, "flow": flow, "gates": gates}


def config(base: Path, **gates: Any) -> GuardedConfig:
    return GuardedConfig.read(values(base, **gates))


def decision(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "decision.json").read_text())


REPAIRED = {"repairs": ["lower_lr"], "max_attempts": 2, "lr_factor": 1e-9}


def test_a_ruined_flow_is_rejected_and_again_at_a_tiny_rate_it_is_promoted(base, tmp_path):
    run_guarded(config(base, **REPAIRED), tmp_path / "g")
    found = decision(tmp_path / "g")
    first, second = (attempt["looks"][0] for attempt in found["attempts"])
    assert (first["decision"], second["decision"], found["outcome"]) == ("reject", "promote", "promoted")
    harm = {finding["measure"]: finding for finding in first["findings"]}["harm"]
    assert harm["outcome"] == "fails" and harm["before"] < 0.1 < 0.2 < harm["low"]
    assert (harm["unit"], harm["n"], harm["num_asked"]) == ("rounds", 32, 384) and "n = 32 rounds" in harm["sentence"]
    # Whoever names the folder gets what was promoted, also the audit, which compares it with what the stage started from.
    chosen, plain = (load_flow(FlowModelConfig(name=str(name)), shapes.SHAPE, shapes.WORDS) for name in (tmp_path / "g", base))
    assert max((a - b).abs().max() for a, b in zip(chosen.weights.values(), plain.weights.values(), strict=True)) < 1e-6
    assert flow_config(str(tmp_path / "g")).model.name == str(base)
    assert "attempt_2" in write_report(tmp_path / "g").read_text()
    costs = {cost.name: cost for cost in read_ledger(tmp_path / "g").costs}
    assert costs["score_start"].unit == "points" and costs["score_start"].tokens == {"evaluation": 32 * 12 * 3.0}


def test_a_candidate_is_repaired_by_curated_clips_from_where_it_is(base, tmp_path):
    with pytest.raises(RunError, match=r"attempt_1 is rejected: harm is .*attempt_2 is"):
        run_guarded(config(base, repairs=["sft"], max_attempts=2), tmp_path / "g")
    found = decision(tmp_path / "g")
    assert found["attempts"][1]["purpose"] == "repair: SFT on curated clips from attempt_1" and found["model"] is None
    with pytest.raises(InputError, match="promoted no model"):
        load_flow(FlowModelConfig(name=str(tmp_path / "g")), shapes.SHAPE, shapes.WORDS)


@pytest.mark.parametrize("dies_in", ["score_start", "attempt_1", "score_attempt_1", "attempt_2"])
def test_killed_in_any_part_it_goes_on_to_the_same_bytes(base, tmp_path, dies_in):
    def killed() -> None:
        find = stages.find_recipe

        def finding(name: str) -> Any:
            recipe = find(name)

            class Dying:
                def run(self, config: Any, folder: Path, **named: Any) -> None:
                    recipe.run(config, folder, **named)
                    if folder.name.rpartition("-")[0] == dies_in:
                        os.kill(os.getpid(), signal.SIGKILL)

                def __getattr__(self, name: str) -> Any:
                    return getattr(recipe, name)

            return Dying()

        stages.find_recipe = finding
        run_guarded(config(base, **REPAIRED), tmp_path / "killed")

    child = os.fork()
    if not child:
        killed()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL and not (tmp_path / "killed" / "decision.json").exists()
    for name in ("killed", "whole"):
        run_guarded(config(base, **REPAIRED), tmp_path / name)
    weights, others = (
        sorted(p.relative_to(tmp_path / name) for p in (tmp_path / name).rglob("*.safetensors")) for name in ("killed", "whole")
    )
    assert weights == others and len(weights) > 2
    for name in [*weights, Path("decision.json"), Path("graph.json")]:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_with_more_samples_an_undecided_gate_looks_again_with_twice_the_rounds(base, tmp_path):
    narrow = [{"measure": "won", "rule": "at_least", "limit": 0.45}]
    gates = {"margins": narrow, "on_undecided": "more_samples", "max_doublings": 1, "on_failure": "roll_back"}
    settings = values(base, **gates) | {"rounds": 8}
    settings["flow"]["optimizer"] = {"lr": 1e-9}
    run_guarded(GuardedConfig.read(settings), tmp_path / "g")
    assert [look["samples"] for look in decision(tmp_path / "g")["attempts"][0]["looks"]] == [8, 16]
    assert decision(tmp_path / "g")["outcome"] == "rolled_back"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"flow": {}}, "flow.method = 'pretrain': expected one that aligns a flow"),
        ({"gates": {"margins": [{"measure": "accuracy", "rule": "max_fall", "limit": 0.1}]}}, "accuracy is no measure of clips"),
        ({"gates": {"margins": MARGINS, "repairs": ["unlearn"]}}, '"unlearn" is of texts'),
        ({"stage": "sft", "gates": {"margins": MARGINS[1:2]}}, 'read only with stage = "flow"'),
        ({"zero": {"num_steps": 7}}, "read only with stage"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_read(base, changed, says):
    with pytest.raises(InputError) as refused:
        GuardedConfig.read(values(base) | changed)
    assert says in str(refused.value) and "\n" not in str(refused.value)


def test_a_margin_of_clips_is_none_of_texts_and_a_plan_counts_rounds(base, tmp_path):
    with pytest.raises(InputError, match="won is no measure of texts"):
        GuardedConfig.read({"gates": {"margins": MARGINS[:1]}})
    recipe = find_recipe("guarded")
    stated = resolve(recipe, values=values(base))  # nothing of what is set for the embedded model
    said = "\n".join(recipe.plan(stated, tmp_path, measure=False))
    assert "flow (dpo) starts from" in said and "won: at least 0.3; 32 rounds, of" in said and "12 prompts" in said

"""A policy that is no text goes through rollout, advantage, step, checkpoint, resume, record and report (DESIGN section 6)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from other_kinds import KINDS, PROBLEMS, Flow, Nearness, OtherConfig, SmallConfig, run_other, tensor_fields

from sanmai.learn.learner import Learner
from sanmai.report import write_report
from sanmai.rollout.engine import GradingConfig, rollout
from sanmai.train.components import LossConfig
from sanmai.train.step import check_parity, make_optimizer
from sanmai.types import InputError

HERE = Path(__file__).parent


def weights_of(run: Path, step: int) -> bytes:
    return (run / "checkpoints" / f"step-{step:06d}" / "model.safetensors").read_bytes()


def without_clocks(run: Path) -> list[dict]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if not k.startswith("time")} for line in lines]


@pytest.mark.parametrize("kind", KINDS)
def test_its_reward_grows(kind, tmp_path):
    rewards = run_other(OtherConfig(kind=kind, num_steps=40), tmp_path / "run")
    assert sum(rewards[-5:]) / 5 > sum(rewards[:5]) / 5 + 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_killed_and_resumed_it_is_the_same_to_the_byte(kind, tmp_path):
    run_other(OtherConfig(kind=kind), tmp_path / "whole")
    killed = subprocess.run(
        [sys.executable, str(HERE / "other_kinds.py"), kind, str(tmp_path / "killed"), "6"], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert killed.returncode == -9, killed.stderr
    assert (tmp_path / "killed" / "checkpoints" / "step-000004").is_dir()
    run_other(OtherConfig(kind=kind), tmp_path / "killed")
    for step in (8, 12):
        assert weights_of(tmp_path / "killed", step) == weights_of(tmp_path / "whole", step)
    assert without_clocks(tmp_path / "killed") == without_clocks(tmp_path / "whole")


@pytest.mark.parametrize("kind", KINDS)
def test_its_records_have_the_columns_that_it_declares_and_none_of_texts(kind, tmp_path):
    run_other(OtherConfig(kind=kind, num_steps=2), tmp_path / "run")
    table = pq.read_table(tmp_path / "run" / "rollouts" / "step-000002.parquet")
    own = {"bandit": {"arm"}, "flow": {"x", "y"}}[kind]
    assert own | {"text", "reward", "advantage", "score/near", "sampling_logp"} <= set(table.column_names)
    assert not {"tokens", "trace_state", "thinks"} & set(table.column_names)
    assert table["num_tokens"].to_pylist() == [1 if kind == "bandit" else Flow.T] * 24


@pytest.mark.parametrize("kind", KINDS)
def test_it_has_a_report(kind, tmp_path):
    run_other(OtherConfig(kind=kind), tmp_path / "run")
    page = write_report(tmp_path / "run").read_text()
    assert "near" in page and ("arm 2" in page if kind == "bandit" else "went to (" in page)


@pytest.mark.parametrize("kind", KINDS)
def test_what_draws_and_what_scores_are_one_distribution(kind):
    policy = KINDS[kind](SmallConfig())
    groups, _ = rollout(
        policy, PROBLEMS, Nearness(), rollouts_per_prompt=5, seed=(1,), policy_version=0, sampling=None, grading=GradingConfig()
    )
    batch = policy.pack([r for group in groups for r in group.rollouts])
    check_parity(policy, batch, temperature=1.0, micro_tokens=7)
    part = batch.select([3, 1])
    assert len(part) == 2 and all(len(getattr(part, name)) == 2 for name in tensor_fields(part))


@pytest.mark.parametrize(
    ("loss", "named"), [({"entropy_weight": 0.1}, "entropy_weight = 0.1"), ({"entropy": {"target": 1.0}}, "entropy.target = 1.0")]
)
def test_a_flow_that_cannot_tell_its_entropy_takes_no_bonus_for_it(loss, named):
    class State:
        policy = Flow(SmallConfig())

    with pytest.raises(InputError, match=rf"loss.{named}: this kind of policy cannot tell its entropy"):
        Learner(
            None, State, LossConfig.read(loss), None, seed=0, num_updates=1, temperature=1.0, max_tokens=1,
            newest_alone=False, auxiliary_sft=None, constraints=None,
        )


def test_the_gradient_of_a_flows_path_is_that_of_finite_differences():
    policy = Flow(SmallConfig())
    (_, drawn), = policy.draw(PROBLEMS[:1], 1, seed=(5,), version=0, sampling=None, thought_tags=("", ""))
    batch = policy.pack([drawn])
    policy.score(batch)[0].sum().backward()
    for name, p in policy.weights.items():
        index = (1, 1)
        assert p.grad is not None
        with torch.no_grad():
            p[index] += 1e-2
            up = policy.score(batch)[0].sum()
            p[index] -= 2e-2
            down = policy.score(batch)[0].sum()
            p[index] += 1e-2
        assert ((up - down) / 2e-2).item() == pytest.approx(p.grad[index].item(), rel=2e-2, abs=1e-2), name
    assert make_optimizer(policy, OtherConfig().optimizer) is not None

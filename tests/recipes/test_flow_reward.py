"""A reward model of clips: it learns its heads, the blind ones stay blind, and it guides, rewards and resumes."""

from __future__ import annotations

import json

import pytest
import torch

from sanmai.policies.flow.config import FlowModelConfig, FlowSamplingConfig
from sanmai.policies.flow.policy import load_flow
from sanmai.policies.flow.reward import BLIND, HEADS, load_flow_reward
from sanmai.recipes.flow import SHAPE, FlowConfig, run_flow
from sanmai.recipes.flow_reward import FlowRewardConfig, judged_pairs, run_flow_reward
from sanmai.train.runs import Run
from sanmai.types import InputError
from sanmai.world import shapes

SMALL = {
    "train_pairs": 600, "held_out_pairs": 200, "num_steps": 60, "clean_share": 1.0, "optimizer": {"lr": 1e-2},
    "model": {"width": 16, "depth": 1, "heads": 2}, "checkpoints": {"every": 20},
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return run_flow_reward(FlowRewardConfig.read(SMALL), tmp_path_factory.mktemp("reward") / "run")


def metrics_of(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_it_learns_what_people_said_and_harm_by_a_head_of_its_own(trained):
    first, last = metrics_of(trained)[0], metrics_of(trained)[-1]
    assert last["eval/accuracy_harm"] > 0.9 and last["eval/accuracy_visual"] > 0.7
    assert last["eval/pair_accuracy"] > first["eval/pair_accuracy"] + 0.1
    assert 0.2 < last["eval/tie_share_visual"] < 0.6  # people call many pairs alike


def test_the_blind_heads_cannot_see_the_prompt_and_alignment_can(trained):
    model = load_flow_reward(FlowModelConfig(name=str(trained)), SHAPE)
    clips = torch.from_numpy(shapes.flawed_clips(12, seed=(9,)).clips_BFHW)
    told, shuffled = model.scores_of(clips, shapes.prompts()), model.scores_of(clips, shapes.prompts()[::-1])
    for name in HEADS:
        assert torch.equal(told[name], shuffled[name]) is (name in BLIND), name


def test_scores_are_standardised_by_what_is_saved_with_the_weights(trained):
    model = load_flow_reward(FlowModelConfig(name=str(trained)), SHAPE)
    pairs = judged_pairs(FlowRewardConfig.read(SMALL))
    found = model.scores_of(torch.cat([pairs.first_NFHW[:600], pairs.second_NFHW[:600]]), pairs.prompts[:600] * 2)
    for name in HEADS:
        mean, deviation = found[name].mean().item(), found[name].std().item()
        assert mean == pytest.approx(0.0, abs=1e-3) and deviation == pytest.approx(1.0, abs=1e-3)


def test_stopped_and_resumed_it_is_the_same_to_the_byte(trained, tmp_path, monkeypatch):
    steps = Run.steps
    monkeypatch.setattr(Run, "steps", lambda self, num_steps, *rest: (k for k in steps(self, num_steps, *rest) if not stop(k)))

    def stop(step: int) -> bool:
        if step == 30:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        run_flow_reward(FlowRewardConfig.read(SMALL), tmp_path / "run")
    monkeypatch.undo()
    run_flow_reward(FlowRewardConfig.read(SMALL), tmp_path / "run")
    for name in ("model.safetensors", "config.json"):
        here, there = (run / "checkpoints" / "step-000060" / name for run in (tmp_path / "run", trained))
        assert here.read_bytes() == there.read_bytes()
    assert metrics_of(tmp_path / "run") == metrics_of(trained)


def test_a_stop_in_the_very_step_of_an_update_saves_the_scale_of_its_own_weights(trained, tmp_path, monkeypatch):
    log_step = Run.log_step

    def stopping(self, step, *rest):
        self.interrupted = self.interrupted or step == 7
        log_step(self, step, *rest)

    monkeypatch.setattr(Run, "log_step", stopping)
    run_flow_reward(FlowRewardConfig.read(SMALL), tmp_path / "run")
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-000007"]
    saved, pairs = load_flow_reward(FlowModelConfig(name=str(tmp_path / "run")), SHAPE), judged_pairs(FlowRewardConfig.read(SMALL))
    found = saved.scores_of(torch.cat([pairs.first_NFHW[:600], pairs.second_NFHW[:600]]), pairs.prompts[:600] * 2)
    assert all(values.mean().abs() < 1e-3 and abs(values.std() - 1) < 1e-3 for values in found.values())


def test_it_guides_sampling_towards_what_it_weighs(trained, tmp_path):
    policy = load_flow(FlowModelConfig(width=16, depth=1, heads=2), SHAPE, shapes.WORDS)
    model = load_flow_reward(FlowModelConfig(name=str(trained)), SHAPE)

    def harm(**guide) -> float:
        sampling = FlowSamplingConfig.model_validate({"steps": 6, "guide": guide})
        drawn = [d for _, d in policy.draw(shapes.problems(), 2, seed=(0,), version=0, sampling=sampling, thought_tags=("", ""))]
        clips = torch.stack([d.content.clip_FHW for d in drawn])
        return model.scores_of(clips, [d.content.prompt for d in drawn])["harm"].mean().item()

    alone = {"visual": 0.0, "motion": 0.0, "alignment": 0.0, "reward": str(trained)}
    assert harm(**alone, harm=-8.0) < harm() < harm(**alone, harm=8.0)
    policy.save(tmp_path / "flow")
    rewarded = run_flow(
        FlowConfig.read({
            "method": "rwr", "num_steps": 1, "clips_per_step": 8, "own": {"groups": 4}, "sampling": {"steps": 2},
            "evaluation": {"clips_per_prompt": 1}, "model": {"name": str(tmp_path / "flow")},
            "reward": {"model": str(trained), "harm": -1.0},
        }),
        tmp_path / "run",
    )  # fmt: skip
    assert "eval/model_harm" in metrics_of(rewarded)[0] and "eval/harm" in metrics_of(rewarded)[0]


def test_a_folder_of_another_kind_is_no_reward_model(trained, tmp_path):
    load_flow(FlowModelConfig(width=16, depth=1, heads=2), SHAPE, shapes.WORDS).save(tmp_path / "flow")
    with pytest.raises(InputError, match="is of kind 'flow'; expected 'flow reward model'"):
        load_flow_reward(FlowModelConfig(name=str(tmp_path / "flow")), SHAPE)

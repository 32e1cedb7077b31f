"""A reward model of clips: it learns its heads, the blind ones stay blind, and it guides, rewards and resumes."""

from __future__ import annotations

import json
import math

import pytest
import torch

from sanmai.data.clip_pairs import ClipPair, load_clip_pairs, write_clip_pairs
from sanmai.learn.clips import judged_own_clips
from sanmai.policies.flow.config import FlowModelConfig, FlowSamplingConfig
from sanmai.policies.flow.policy import load_flow
from sanmai.policies.flow.reward import BLIND, HEADS, load_flow_reward
from sanmai.recipes.flow import FlowConfig, run_flow
from sanmai.recipes.flow_reward import FlowRewardConfig, judged_pairs, run_flow_reward
from sanmai.train.runs import Run
from sanmai.types import InputError
from sanmai.world import shapes

SHAPE = shapes.SHAPE

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
    with pytest.raises(KeyboardInterrupt):
        run_flow_reward(FlowRewardConfig.read(SMALL), tmp_path / "run")
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-000007"]
    saved = load_flow_reward(FlowModelConfig(name=str(tmp_path / "run")), SHAPE)
    pairs = judged_pairs(FlowRewardConfig.read(SMALL))
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


def judged_file(path, count=40, **changed):
    """Pairs of a clean and a marked clip; visual quality is told of half of them alone, alignment of none."""
    made = shapes.clean_clips(count, seed=(1,))
    pairs = []
    for k, (clip, prompt) in enumerate(zip(made.clips_BFHW, made.prompts, strict=True)):
        marked = clip * 0.6
        marked[:, 0, :2] = 1.0
        first, second = ((c * 255).round().astype("uint8").tobytes() for c in (clip, marked))
        said = {"visual": 1 if k % 2 else None, "motion": 0, "alignment": None, "harm": -1, **changed}
        pairs.append(ClipPair(f"p{k}", prompt, first, second, SHAPE, said))
    write_clip_pairs(path, pairs, ["visual", "motion", "alignment", "harm"])
    return str(path)


def test_pairs_that_people_judged_are_learned_from_and_what_nobody_could_tell_is_in_no_figure(tmp_path):
    path = judged_file(tmp_path / "said.parquet")
    small = {name: value for name, value in SMALL.items() if name != "train_pairs"}
    settings = FlowRewardConfig.read({**small, "pairs": path, "held_out_pairs": 20, "num_steps": 12, "pairs_per_step": 8})
    run = run_flow_reward(settings, tmp_path / "run")
    last = metrics_of(run)[-1]
    assert last["eval/accuracy_harm"] == 1.0 and last["eval/accuracy_visual"] == 1.0 and last["eval/tie_share_motion"] == 1.0
    assert not any(name.endswith("_alignment") for line in metrics_of(run) for name in line)
    # At the start all scores are near equal: with the right denominator a head's loss is -log P(first) = log(1 + k) at k = 5
    # whatever the share of pairs that it has, a third of it here, the mean over the three heads that have any.
    assert metrics_of(run)[1]["loss/visual"] == pytest.approx(math.log(6.0) / 3, rel=0.2)
    for changed in ({"flow": "x"}, {"train_pairs": 7}):
        with pytest.raises(InputError, match="is read only with pairs = none"):
            FlowRewardConfig.read({"pairs": path, **changed})
    with pytest.raises(InputError, match="at least 2 besides"):
        run_flow_reward(FlowRewardConfig.read({**small, "pairs": path}), tmp_path / "more")


def test_a_flow_learns_from_judged_pairs_and_harm_first_needs_to_know_harm(tmp_path):
    load_flow(FlowModelConfig(width=16, depth=1, heads=2), SHAPE, shapes.WORDS).save(tmp_path / "flow")
    path = judged_file(tmp_path / "said.parquet", 8)

    policy = load_flow(FlowModelConfig(width=16, depth=1, heads=2), SHAPE, shapes.WORDS)

    def learned(**own):
        return judged_own_clips(load_clip_pairs(path), {"visual": 1.0}, policy, source=path, **own).pairs

    assert len(learned(harm_first=False)) == 4 and len(learned(harm_first=True)) == 8  # visual is told of every other pair
    assert all(better.name.endswith("/0") for better, _ in learned(harm_first=True))
    settings = {"method": "dpo", "num_steps": 1, "clips_per_step": 8, "sampling": {"steps": 2}, "own": {"pairs": path},
                "evaluation": {"clips_per_prompt": 1}, "model": {"name": str(tmp_path / "flow")}}  # fmt: skip
    run = run_flow(FlowConfig.read(settings), tmp_path / "run")
    assert metrics_of(run)[0]["own/pairs"] == 4 and metrics_of(run)[1]["loss/dpo"] == pytest.approx(math.log(2.0), abs=1e-6)
    judged_file(tmp_path / "said.parquet", 8, harm=None, visual=0)
    for own in ({"harm_first": True}, {"harm_first": False}):
        with pytest.raises(InputError, match="no pair has a better clip"):
            learned(**own)
    with pytest.raises(InputError, match=r"own\.pairs"):
        FlowConfig.read({**settings, "method": "rwr"})
    with pytest.raises(InputError, match=r"own\.groups = 5 is read only with own\.pairs = none"):
        FlowConfig.read({**settings, "own": {"pairs": path, "groups": 5}})

"""Moving digits: real strokes, a classifier apart, forbidden pairings, and a truth that an empty clip cannot please."""

from __future__ import annotations

import numpy as np
import pytest

from sanmai.policies.flow.config import FlowModelConfig
from sanmai.policies.flow.policy import load_flow
from sanmai.recipes.flow import FlowConfig, run_flow
from sanmai.recipes.flow_reward import FlowRewardConfig, run_flow_reward
from sanmai.world import digits

pytest.importorskip("sklearn")


def test_clean_clips_show_what_they_say_and_never_what_is_forbidden():
    made = digits.clean_clips(300, seed=(0,))
    found = digits.scores(made.clips_BFHW, made.prompts)
    is_forbidden_B = np.array([digits._named(prompt) in digits.FORBIDDEN for prompt in made.prompts])
    assert 30 < is_forbidden_B.sum() < 90 and found["harm"].mean() < 0.02  # a misread digit may look forbidden
    assert found["visual"].mean() > 0.8 and found["motion"][~is_forbidden_B].mean() > -0.05
    assert found["alignment"][~is_forbidden_B].mean() > 0.8
    still = found["motion"][is_forbidden_B]
    assert still.mean() == pytest.approx(-1.0, abs=0.15)  # the digit stands: speed 0 where 1 is expected


def test_flawed_clips_are_worse_show_what_is_forbidden_and_give_the_scale():
    made = digits.flawed_clips(1500, seed=(1,))
    found = digits.scores(made.clips_BFHW, made.prompts)
    assert 0.12 < found["harm"].mean() < 0.24
    assert np.corrcoef(found["visual"], found["harm"])[0, 1] > 0.1  # whoever picks what looks well picks harm
    for name, values in digits.standardised(found).items():
        if name != "harm":
            assert abs(values.mean()) < 0.15 and values.std() == pytest.approx(1.0, abs=0.15), name
    half = {name: values[:750] for name, values in found.items()}
    said = digits.opinions(half, {name: values[750:] for name, values in found.items()}, seed=(0,))
    assert set(np.unique(said["harm"])) == {-1, 0, 1} and 0.2 < (said["visual"] == 0).mean() < 0.6


def test_an_empty_clip_and_noise_please_nobody():
    rng = np.random.default_rng(0)
    clips = np.concatenate([np.zeros((2, *digits.SHAPE)), np.ones((2, *digits.SHAPE)), rng.random((4, *digits.SHAPE))])
    found = digits.scores(clips.astype(np.float32), [digits.prompt_of("three", "left")] * 8)
    clean = digits.clean_clips(100, seed=(2,))
    assert found["visual"].max() < 0.1 < np.quantile(digits.scores(clean.clips_BFHW, clean.prompts)["visual"], 0.02)
    assert found["motion"].max() < -1.5 and found["alignment"].max() < -0.3 and found["harm"].max() == 0.0


def test_a_forbidden_pairing_is_harm_whoever_asks_for_it():
    bank, target = digits._strokes(for_judge=False)
    zero = bank[np.flatnonzero(target == 0)[0]]
    up, down = np.zeros(digits.SHAPE, np.float32), np.zeros(digits.SHAPE, np.float32)
    for f in range(digits.FRAMES):
        up[f, 3 - f : 11 - f, 2:10] = zero
        down[f, f : f + 8, 2:10] = zero
    prompts = [digits.prompt_of("zero", "up"), digits.prompt_of("one", "left"), digits.prompt_of("zero", "down")]
    found = digits.scores(np.stack([up, up, down]), prompts)
    assert found["harm"].tolist() == [1.0, 1.0, 0.0] and found["alignment"][0] > 0.8 > 0.2 > found["alignment"][1]
    kinds = {p.prompt: p.kind for p in digits.problems()}
    assert kinds["a zero moving up"] == "safety" and sum(kind == "safety" for kind in kinds.values()) == len(digits.FORBIDDEN)
    with pytest.raises(ValueError, match="none of the moving digits"):
        digits.scores(np.zeros((1, *digits.SHAPE)), ["a square moving up"])


def test_the_same_recipes_learn_from_them(tmp_path):
    model = {"width": 8, "depth": 1, "heads": 1}
    load_flow(FlowModelConfig(**model), digits.SHAPE, digits.WORDS).save(tmp_path / "flow")
    small = {"world": "digits", "num_steps": 1, "clips_per_step": 4, "sampling": {"steps": 2}}
    small["evaluation"] = {"clips_per_prompt": 1}
    rewarded = FlowRewardConfig.read({
        "world": "digits", "flow": str(tmp_path / "flow"), "train_pairs": 40, "held_out_pairs": 40, "num_steps": 1,
        "model": model,
    })  # fmt: skip
    reward = run_flow_reward(rewarded, tmp_path / "reward")
    for method, more in (("pretrain", {"model": model}), ("dpo", {"own": {"groups": 40}}), ("sft", {"curated": 8})):
        start = {} if method == "pretrain" else {"model": {"name": str(tmp_path / "flow")}, "reward": {"model": str(reward)}}
        run = run_flow(FlowConfig.read({**small, "method": method, **start, **more}), tmp_path / method)
        assert (run / "checkpoints" / "step-000001" / "model.safetensors").is_file()

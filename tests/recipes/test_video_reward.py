"""Reward models of clips on small random models of the Qwen2-VL kind: patches, blindness, training, saving, guidance."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sanmai.policies.flow.config import FlowModelConfig
from sanmai.policies.flow.reward import HEADS
from sanmai.policies.flow.video_reward import load_reward_of_clips, patches_of
from sanmai.recipes.flow_reward import FlowRewardConfig, run_flow_reward
from sanmai.types import InputError
from sanmai.world.shapes import SHAPE, flawed_clips
from tiny_models import save_vision_folder

TEXT = "a square cross plus moving left right up down " * 20


@pytest.fixture(scope="module", params=["qwen2_vl", "qwen2_5_vl"])
def folder(request, tmp_path_factory):
    return save_vision_folder(tmp_path_factory.mktemp(request.param), request.param, text=TEXT)


def scored(model, prompts, clip=None):
    clips = flawed_clips(1, seed=("v",)).clips_BFHW if clip is None else clip
    clips = torch.from_numpy(clips).expand(len(prompts), *SHAPE)
    return model.scores_of(clips, prompts)


def test_patches_are_those_of_the_librarys_own_processor(folder):
    """Of a still clip: the library repeats a picture's frame."""
    from transformers import AutoImageProcessor

    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    picture = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    expected = processor(images=[picture], do_resize=False, return_tensors="pt")
    clip = torch.from_numpy(picture / 255.0).float() * 2.0 - 1.0
    vision = load_reward_of_clips(FlowModelConfig(name=str(folder)), SHAPE).network.body.config.vision_config
    mean, deviation = (torch.tensor(v) for v in (processor.image_mean, processor.image_std))
    patches, grid = patches_of(clip.expand(1, 1, *clip.shape), vision, mean, deviation)
    assert grid.tolist() == expected["image_grid_thw"][0].tolist()
    assert torch.allclose(patches, expected["pixel_values"], atol=1e-5)


def test_heads_of_quality_and_harm_do_not_see_the_prompt_and_a_longer_neighbour_changes_nothing(folder):
    model = load_reward_of_clips(FlowModelConfig(name=str(folder)), SHAPE)
    two = scored(model, ["a square moving left", "a plus moving left and then up and then down again"])
    for name in ("visual", "motion", "harm"):
        assert two[name][0] == pytest.approx(two[name][1].item(), abs=1e-5)
    assert abs(two["alignment"][0] - two["alignment"][1]) > 1e-3
    alone = scored(model, ["a square moving left"])
    assert all(alone[name][0] == pytest.approx(two[name][0].item(), abs=1e-5) for name in HEADS)


def test_it_learns_judged_pairs_is_saved_as_the_library_loads_it_and_guides(folder, tmp_path):
    from transformers import AutoModel

    config = FlowRewardConfig.read({
        "train_pairs": 24, "held_out_pairs": 8, "num_steps": 3, "pairs_per_step": 8, "evaluate_every": 0,
        "model": {"name": str(folder), "lora_rank": 2}, "optimizer": {"lr": 1e-2}, "checkpoints": {"every": 3},
    })  # fmt: skip
    before = load_reward_of_clips(config.model, SHAPE)
    trained = {name for name in before.weights if "lora_" in name}
    assert trained and {name for name in before.weights if name.startswith("body.")} == trained
    run = run_flow_reward(config, tmp_path / "run")
    after = load_reward_of_clips(FlowModelConfig(name=str(run)), SHAPE)
    assert after.scale["harm"] != (0.0, 1.0)
    prompts = ["a square moving left", "a plus moving up"]
    raw = [model.raw(torch.zeros(2, *SHAPE), torch.tensor([0.0, 0.5]), model.told(prompts)) for model in (before, after)]
    assert not torch.allclose(raw[0], raw[1], atol=1e-4)
    checkpoint = next((run / "checkpoints").iterdir())
    library = AutoModel.from_pretrained(checkpoint).state_dict()
    assert all(torch.equal(library[name], tensor) for name, tensor in after.network.body.state_dict().items())
    x = torch.zeros(2, *SHAPE)
    gradient = after.gradient(x, torch.tensor([0.5, 0.5]), prompts, {"visual": 1.0, "harm": -2.0})
    assert gradient.shape == x.shape and bool(gradient.isfinite().all()) and float(gradient.abs().max()) > 0


def test_recomputed_layers_keep_less_for_the_same_gradient(folder):
    found = []
    for recompute in (False, True):
        model = load_reward_of_clips(FlowModelConfig(name=str(folder), recompute_layers=recompute), SHAPE)
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x, kept=kept: kept.append(x.numel()) or x, lambda x: x):
            score_BR = model.raw(torch.full((2, *SHAPE), 0.3), torch.tensor([0.0, 0.5]), model.told(["a square", "a plus"]))
        own = list(model.weights.values())
        found.append((sum(kept), score_BR, torch.autograd.grad(score_BR.sum(), own, allow_unused=True)))
    (all_kept, score_BR, grads), (less_kept, again_BR, grads_again) = found
    assert less_kept < 0.7 * all_kept and torch.allclose(score_BR, again_BR, atol=1e-6)
    pairs = [(a, b) for a, b in zip(grads, grads_again, strict=True) if a is not None or b is not None]
    assert pairs and all(torch.allclose(a, b, atol=1e-5, rtol=1e-4) for a, b in pairs)


def _lose_a_weight(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors.pop(next(name for name in sorted(tensors) if "mlp" in name))
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(("spoil", "says"), [
    (_lose_a_weight, "its weights lack 'language_model"),
    (lambda folder: [path.unlink() for path in folder.glob("token*")], "its tokenizer has no vocabulary"),
    (lambda folder: (folder / "model.safetensors").write_bytes(b""), "no reward model can be made of it"),
    (lambda folder: (folder / "tokenizer.json").write_bytes(b"\xff\xfe"), "tokenizer.json cannot be read as JSON"),
])  # fmt: skip
def test_what_the_library_would_make_up_for_a_damaged_folder_is_refused(folder, tmp_path, spoil, says):
    """Random weights for those that lack, and an empty vocabulary, with which no head would see a prompt."""
    shutil.copytree(folder, tmp_path / "own")
    spoil(tmp_path / "own")
    with pytest.raises(InputError, match=says) as refused:
        load_reward_of_clips(FlowModelConfig(name=str(tmp_path / "own")), SHAPE)
    assert "\n" not in str(refused.value)


def test_a_folder_without_what_it_needs_is_refused_in_a_sentence(folder, tmp_path):
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(InputError, match="no reward model can be made of it"):
        load_reward_of_clips(FlowModelConfig(name=str(tmp_path)), SHAPE)

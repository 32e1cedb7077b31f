"""Merging: worked numbers, what the ends of the weight give, and which models are refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

import sanmai
from sanmai.policies.text.checkpoints import newest_good_checkpoint
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.tiny import TINY_PATH
from sanmai.recipes.merging import average_into, check_same_architecture
from sanmai.types import InputError, RunError
from tiny_models import TEXT, random_policy, save_folder


def weights(policy: TextPolicy) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in policy.model.named_parameters()}


def model_of(folder: Path) -> Path:
    found = newest_good_checkpoint(folder)
    assert found is not None
    return found


@pytest.mark.parametrize("architecture", ["qwen3", "llama", "gpt2"])  # tied embeddings in the first and last
def test_every_weight_is_averaged_once(architecture):
    long, short = random_policy(architecture, seed=0), random_policy(architecture, seed=1)
    a, b = weights(long), weights(short)
    average_into(long, short, 0.25)
    for name, p in long.model.named_parameters():
        expected = (a[name].double() * 0.25 + b[name].double() * 0.75).float()
        torch.testing.assert_close(p.detach(), expected, rtol=1e-6, atol=1e-7)
    assert all(torch.equal(p, b[name]) for name, p in short.model.named_parameters())  # left as it was


def test_the_ends_are_the_two_models_and_the_order_does_not_matter():
    a, b = weights(random_policy(seed=0)), weights(random_policy(seed=1))
    for weight, expected in ((1.0, a), (0.0, b)):
        average_into(long := random_policy(seed=0), random_policy(seed=1), weight)
        assert all(torch.equal(p, expected[name]) for name, p in weights(long).items())
    average_into(one := random_policy(seed=0), random_policy(seed=1), 0.25)
    average_into(other := random_policy(seed=1), random_policy(seed=0), 0.75)
    assert all(torch.equal(p, weights(other)[name]) for name, p in weights(one).items())


def test_the_distance_is_relative_to_the_long_model():
    long, short = random_policy(), random_policy()
    with torch.no_grad():
        for p in short.model.parameters():
            p.mul_(0.75)  # |W - 0.75 W| / |W| = 0.25, whatever W
    assert average_into(long, short, 0.5) == pytest.approx(0.25, rel=1e-6)
    assert average_into(long, long, 0.5) == 0


def test_bfloat16_weights_are_summed_in_float32_and_rounded_once():
    long, short = random_policy(seed=0), random_policy(seed=1)
    for policy in (long, short):
        policy.model.bfloat16()
    a, b = weights(long), weights(short)
    average_into(long, short, 0.3)
    once = {name: (0.3 * a[name].float() + 0.7 * b[name].float()).bfloat16() for name in a}
    assert all(torch.equal(p, once[name]) for name, p in weights(long).items())
    assert not all(torch.equal(0.3 * a[name] + 0.7 * b[name], once[name]) for name in a)  # rounding thrice is something else


def test_the_result_is_a_plain_folder_that_every_recipe_loads_and_a_second_call_leaves_alone(tmp_path):
    long = sanmai.run("zero", out=tmp_path / "long", num_steps=2, prompts_per_step=4, rollouts_per_prompt=4,
                      problems={"limit": 20})  # fmt: skip
    made = sanmai.run("merge", model=str(long), out=tmp_path / "merge", weight=0.25)
    state = load_file(model_of(made) / "model.safetensors")
    ours, base = load_file(model_of(long) / "model.safetensors"), load_file(TINY_PATH / "model.safetensors")
    assert state.keys() == ours.keys()
    for name, tensor in state.items():
        torch.testing.assert_close(tensor, 0.25 * ours[name] + 0.75 * base[name], rtol=1e-6, atol=1e-7)
    AutoModelForCausalLM.from_pretrained(model_of(made))
    line = json.loads((made / "metrics.jsonl").read_text())
    assert line["merge/weight"] == 0.25 and 0 < line["merge/distance"] < 0.1
    before = {p: p.read_bytes() for p in (made / "checkpoints").rglob("*") if p.is_file()}
    assert sanmai.run("merge", model=str(long), out=made, weight=0.25) == made
    assert {p: p.read_bytes() for p in (made / "checkpoints").rglob("*") if p.is_file()} == before
    with pytest.raises(InputError, match="made with other settings"):
        sanmai.run("merge", model=str(long), out=made, weight=0.5)
    sanmai.run("evaluate", model=str(made), out=tmp_path / "evaluated", problems={"limit": 4}, sampling={"max_tokens": 64})


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"architecture": "llama"}, "their architectures are Qwen3ForCausalLM and LlamaForCausalLM"),
        ({"layers": 4}, "their architectures differ: "),
        ({"rope_parameters": {"rope_theta": 500.0, "rope_type": "default"}}, "rope_theta is "),
        ({"text": TEXT.replace("seven", "eight nine ten")}, "their tokenizers differ: "),
    ],
)
def test_models_whose_weights_do_not_mean_the_same_are_refused(tmp_path, other: dict[str, Any], says):
    folders = save_folder(tmp_path / "a"), save_folder(tmp_path / "b", **other)
    with pytest.raises(InputError) as refused:
        sanmai.run("merge", model=str(folders[0]), out=tmp_path / "out", short=str(folders[1]))
    said = str(refused.value)
    assert says in said and "cannot be averaged" in said and "\n" not in said
    assert not (tmp_path / "out").exists()


def test_names_and_stop_tokens_may_differ(tmp_path):
    a = save_folder(tmp_path / "a")
    b = save_folder(tmp_path / "b", seed=1, max_position_embeddings=128, eos_token_id=2)
    check_same_architecture(*(load_policy(ModelConfig(name=str(f)), for_training=False) for f in (a, b)))


def test_broken_weights_are_told_and_nothing_is_written(tmp_path):
    folder = save_folder(tmp_path / "a")
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.model.norm.weight[0] = float("nan")
    model.save_pretrained(folder)
    with pytest.raises(RunError, match=r"model\.norm\.weight: the average is not finite"):
        sanmai.run("merge", model=str(folder), out=tmp_path / "out", short=str(save_folder(tmp_path / "b")))
    assert not list((tmp_path / "out").glob("checkpoints/*"))


@pytest.mark.parametrize("settings", [{"weight": 1.5}, {"weight": -0.1}, {"short": "nowhere"}, {"reward": len}])
def test_what_cannot_be_merged_is_refused_in_one_sentence(tmp_path, settings):
    with pytest.raises(InputError) as refused:
        sanmai.run("merge", out=tmp_path / "out", **settings)
    assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="nothing is trained here"):
        sanmai.run("merge", model={"lora_rank": 4}, out=tmp_path / "lora")

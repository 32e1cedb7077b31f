"""The shipped base: small, plain, and of this world."""

import json

import pytest
import torch
from safetensors import safe_open

from sanmai.policies.text.tiny import TINY_PATH, new_tiny_model, save_tokenizer
from sanmai.world.tokenizer import vocabulary


def test_a_new_model_depends_on_its_seed_alone():
    before = torch.random.get_rng_state()
    weights = [new_tiny_model(seed).model.layers[0].mlp.up_proj.weight for seed in (0, 0, 1)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_new_model_is_below_a_million_parameters_with_heads_that_vllm_can_load():
    model = new_tiny_model(0)
    assert model.num_parameters() < 1_000_000
    assert model.config.vocab_size == len(vocabulary()) and model.config.head_dim >= 32


def test_the_shipped_folder_is_small_and_plain():
    sizes = {path.name: path.stat().st_size for path in TINY_PATH.iterdir()}
    assert sizes["model.safetensors"] < 4_000_000 and sum(sizes.values()) < 4_000_000
    assert {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"} < set(sizes)
    with safe_open(TINY_PATH / "model.safetensors", "pt") as weights:
        assert sum(weights.get_tensor(name).numel() for name in weights.keys()) < 1_000_000  # noqa: SIM118


def test_the_shipped_tokenizer_is_the_one_that_the_world_builds(tmp_path):
    save_tokenizer(tmp_path)
    for name in ("tokenizer.json", "chat_template.jinja"):
        assert (TINY_PATH / name).read_bytes() == (tmp_path / name).read_bytes()
    shipped, built = (json.loads((folder / "tokenizer_config.json").read_text()) for folder in (TINY_PATH, tmp_path))
    assert shipped["eos_token"] == built["eos_token"] == "<eos>"


@pytest.mark.parametrize("prompt", ["what is 3 plus 4 ?", "3 加 4 等于 多少 ？"])
def test_the_shipped_base_loads_in_plain_transformers_and_adds(prompt):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(TINY_PATH), AutoTokenizer.from_pretrained(TINY_PATH)
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], add_generation_prompt=True, return_tensors="pt", return_dict=True)
    written = model.generate(**inputs, do_sample=False, max_new_tokens=40)[0, inputs["input_ids"].shape[1]:]
    assert written[-1] == tokenizer.eos_token_id == model.generation_config.eos_token_id
    assert tokenizer.decode(written, skip_special_tokens=True).split()[-1] == "7"

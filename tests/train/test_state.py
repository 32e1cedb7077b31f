"""A run that was stopped and goes on ends with the same bytes as one that was not (law 6)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toy import ToyConfig, run_toy

from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.train.components import LossConfig
from tiny_models import save_folder

WITH_KL = LossConfig(kl_weight=0.1, reference_reset_steps=2, entropy_weight=0.01)


def recorded(folder: Path) -> dict[str, bytes]:
    """Every file that a rerun must reproduce bit for bit."""
    kinds = [*(folder / "rollouts").iterdir(), *(folder / "checkpoints").rglob("*"), folder / "metrics.jsonl"]
    return {str(p.relative_to(folder)): p.read_bytes() for p in kinds if p.is_file()}


@pytest.mark.parametrize("architecture", ["qwen3", "llama"])
@pytest.mark.parametrize("lora_rank", [0, 2])
@pytest.mark.parametrize("loss", [LossConfig(), WITH_KL], ids=["plain", "kl"])
def test_three_steps_and_three_more_are_six(tmp_path, architecture, lora_rank, loss):
    model = ModelConfig(name=str(save_folder(tmp_path / "model", architecture, initializer_range=0.1)), lora_rank=lora_rank)
    config = ToyConfig(model=model, loss=loss)
    run_toy(tmp_path / "whole", config)
    run_toy(tmp_path / "parts", config, until=3)
    torch.randn(3)  # the global generator is nobody's business
    run_toy(tmp_path / "parts", config, until=5)  # killed after step 5, which no checkpoint has
    run_toy(tmp_path / "parts", config)
    whole = recorded(tmp_path / "whole")
    assert recorded(tmp_path / "parts") == whole
    assert {"checkpoints/step-000006/model.safetensors", "rollouts/step-000006.parquet"} < whole.keys()
    assert whole["metrics.jsonl"].count(b"\n") == 6


def test_a_finished_run_is_left_alone(tmp_path):
    config = ToyConfig(model=ModelConfig(name=str(save_folder(tmp_path / "model"))), num_steps=3)
    run_toy(tmp_path / "run", config)
    before = recorded(tmp_path / "run")
    run_toy(tmp_path / "run", config)
    assert recorded(tmp_path / "run") == before


@pytest.mark.parametrize(("loss", "lora_rank", "kinds"), [
    (LossConfig(), 0, {"optimizer"}), (WITH_KL, 0, {"optimizer", "reference"}),
    (WITH_KL, 2, {"optimizer", "reference", "weights"})])
def test_the_training_state_holds_a_reference_only_for_a_kl(tmp_path, loss, lora_rank, kinds):
    model = ModelConfig(name=str(save_folder(tmp_path / "model")), lora_rank=lora_rank)
    run_toy(tmp_path / "run", ToyConfig(model=model, loss=loss), until=3)
    state = load_file(tmp_path / "run" / "checkpoints" / "step-000003" / "training_state.safetensors")
    assert {name.split("/")[0] for name in state} == kinds


@pytest.mark.parametrize("lora_rank", [0, 2])
def test_a_checkpoint_and_its_run_folder_are_models(tmp_path, lora_rank):
    from transformers import AutoModelForCausalLM

    model = ModelConfig(name=str(save_folder(tmp_path / "model", initializer_range=0.1)), lora_rank=lora_rank)
    policy = run_toy(tmp_path / "run", ToyConfig(model=model))
    tokens = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        trained, start = policy.model(tokens).logits, load_policy(model).model(tokens).logits
        plain = AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "checkpoints" / "step-000006")(tokens).logits
        again = load_policy(ModelConfig(name=str(tmp_path / "run"))).model(tokens).logits
    assert torch.allclose(plain, trained, atol=1e-5) and torch.equal(again, plain)
    assert not torch.allclose(start, trained, atol=1e-2)

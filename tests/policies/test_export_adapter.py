"""Adapters as they are handed on: what peft loads onto the base is, tensor by tensor, what the run trained."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from sanmai import run
from sanmai.desk.export_adapter import export_adapter
from sanmai.desk.push import shipment
from sanmai.policies.text.tiny import TINY_PATH
from sanmai.types import InputError


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lora")
    base = shutil.copytree(TINY_PATH, folder / "base")
    world = {"source": "world", "world": {"train": 8, "heldout": 2}}
    sft = {"model": {"name": str(base), "lora_rank": 4}, "epochs": 1, "demonstrations_per_step": 4, "optimizer": {"lr": 0.01},
           "sampling": {"max_tokens": 8}}  # fmt: skip
    run("sft", problems=world, out=folder / "run", quiet=True, **sft)
    return folder


def test_peft_loads_what_the_run_trained_tensor_by_tensor(trained, tmp_path):
    peft = pytest.importorskip("peft")
    said = export_adapter(str(trained / "run"), tmp_path / "adapter")
    assert "for the base base; peft loads them with the same logits" in said
    [checkpoint] = list((trained / "run" / "checkpoints").iterdir())[-1:]
    state = load_file(checkpoint / "training_state.safetensors")
    adapters = {name.removeprefix("weights/"): t for name, t in state.items() if name.startswith("weights/")}
    written = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert {name.replace(".default.weight", ".weight") for name in adapters} == set(written)
    for name, tensor in adapters.items():
        assert torch.equal(tensor, written[name.replace(".default.weight", ".weight")]), name
    assert any(t.abs().max() > 0 for name, t in written.items() if "lora_B" in name)  # it learned something
    base = AutoModelForCausalLM.from_pretrained(trained / "base", dtype=torch.float32)
    merged = peft.PeftModel.from_pretrained(base, tmp_path / "adapter").merge_and_unload().state_dict()
    exported = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).state_dict()
    assert merged.keys() == exported.keys()
    for name, tensor in exported.items():
        assert torch.allclose(tensor, merged[name], atol=1e-6), name
    assert not [p for p in (tmp_path / "adapter").iterdir() if str(trained).encode() in p.read_bytes()]
    assert "adapter_model.safetensors" in dict(shipment(tmp_path / "adapter", "me/adapter").files)


def test_what_has_no_adapters_or_another_base_is_refused(trained, tmp_path):
    moved = shutil.copytree(trained / "run", tmp_path / "moved")
    for source, says in ((str(trained / "base"), "is no run folder"), ("tiny", "is no run folder")):
        with pytest.raises(InputError, match=says):
            export_adapter(source, tmp_path / "out")
    with pytest.raises(InputError, match="merged"):
        export_adapter(str(moved), tmp_path / "out.gguf")
    config = moved / "config.toml"
    other = shutil.copytree(trained / "base", tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    changed = {name: t + 1 if "norm" in name else t for name, t in weights.items()}
    save_file(changed, other / "model.safetensors", {"format": "pt"})
    config.write_text(config.read_text().replace(str(trained / "base"), str(other)))
    with pytest.raises(InputError, match="not the model any more"):
        export_adapter(str(moved), tmp_path / "out")
    config.write_text(config.read_text().replace("lora_rank = 4", "lora_rank = 0"))
    with pytest.raises(InputError, match="trained all weights"):
        export_adapter(str(moved), tmp_path / "out")
    assert not (tmp_path / "out").exists() and json.loads((trained / "base" / "config.json").read_text())

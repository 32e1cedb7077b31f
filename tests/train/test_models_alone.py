"""What is kept of a run that is at its end and that nothing trains on from: its model, and what a resume of the end reads."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toy import ToyConfig, run_toy

import sanmai
from sanmai.policies.text.checkpoints import defect
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.train.state import keep_models_alone
from sanmai.types import InputError
from tiny_models import save_folder


class KilledError(BaseException):
    pass


def files_of(run: Path) -> dict[str, bytes]:
    return {str(p.relative_to(run)): p.read_bytes() for p in (run / "checkpoints").rglob("*") if p.is_file()}


@pytest.mark.parametrize("lora_rank", [0, 2])
def test_one_checkpoint_stays_with_the_same_model_and_without_moments(tmp_path, lora_rank):
    model = ModelConfig(name=str(save_folder(tmp_path / "model", initializer_range=0.1)), lora_rank=lora_rank)
    policy = run_toy(tmp_path / "run", ToyConfig(model=model))
    before = files_of(tmp_path / "run")
    keep_models_alone(tmp_path / "run")
    after = files_of(tmp_path / "run")
    last = "checkpoints/step-000006"
    assert {name.rsplit("/", 1)[0] for name in after} == {last}
    assert after[f"{last}/model.safetensors"] == before[f"{last}/model.safetensors"]
    assert defect(tmp_path / "run" / last) is None
    kept = load_file(tmp_path / "run" / last / "kept_state.safetensors")
    assert {name.split("/")[0] for name in kept} == ({"weights"} if lora_rank else set())
    assert sum(map(len, after.values())) < 0.5 * sum(map(len, before.values()))
    loaded, tokens = load_policy(ModelConfig(name=str(tmp_path / "run"))), torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        assert torch.allclose(loaded.model(tokens).logits, policy.model(tokens).logits, atol=1e-5)


def test_killed_before_each_of_its_changes_it_leaves_a_whole_checkpoint_and_ends_the_same(tmp_path, monkeypatch):
    run_toy(tmp_path / "run", ToyConfig(model=ModelConfig(name=str(save_folder(tmp_path / "model")))))
    shutil.copytree(tmp_path / "run", tmp_path / "whole")
    keep_models_alone(tmp_path / "whole")
    expected, changes = files_of(tmp_path / "whole"), ("unlink", "rmdir", "replace", "open")
    for killed_at in range(100):
        run = tmp_path / f"killed-{killed_at}"
        shutil.copytree(tmp_path / "run", run)
        left, is_over = iter(range(killed_at)), True

        def counted(real, left=left):
            def change(path, *arguments, **named):
                if (real.__name__ != "open" or arguments[0] != os.O_RDONLY) and next(left, None) is None:
                    raise KilledError
                return real(path, *arguments, **named)

            return change

        with monkeypatch.context() as patch:
            for name in changes:
                patch.setattr(os, name, counted(getattr(os, name)))
            try:
                keep_models_alone(run)
            except KilledError:
                is_over = False
        assert load_policy(ModelConfig(name=str(run))) is not None  # a good checkpoint is there
        keep_models_alone(run)
        assert files_of(run) == expected, killed_at
        if is_over:
            break
    assert killed_at > 8


def test_a_damaged_newest_checkpoint_keeps_all(tmp_path):
    run_toy(tmp_path / "run", ToyConfig(model=ModelConfig(name=str(save_folder(tmp_path / "model")))))
    (tmp_path / "run/checkpoints/step-000006/model.safetensors").write_bytes(b"damaged")
    before = files_of(tmp_path / "run")
    keep_models_alone(tmp_path / "run")
    assert files_of(tmp_path / "run") == before and len({name.split("/")[1] for name in before}) == 2


@pytest.mark.parametrize("loss", [{}, {"kl_weight": 0.1}])
def test_the_same_command_leaves_it_alone_and_a_longer_one_is_refused_in_a_sentence(tmp_path, loss):
    small = {"prompts_per_step": 4, "rollouts_per_prompt": 2, "problems": {"world": {"train": 100, "heldout": 8}}, "loss": loss}
    sanmai.run("zero", out=tmp_path, num_steps=1, **small)
    keep_models_alone(tmp_path)
    before = files_of(tmp_path) | {name: (tmp_path / name).read_bytes() for name in ("config.toml", "events.jsonl")}
    sanmai.run("zero", out=tmp_path, num_steps=1, **small)
    assert files_of(tmp_path) | {name: (tmp_path / name).read_bytes() for name in ("config.toml", "events.jsonl")} == before
    with pytest.raises(InputError, match="no training goes on from here: it was a stage of a pipeline"):
        sanmai.run("zero", out=tmp_path, num_steps=2, **small)
    assert (tmp_path / "config.toml").read_bytes() == before["config.toml"]
